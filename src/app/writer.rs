//! The one writer: takes whatever is queued into one transaction, so that commands share the disk's flush.
//!
//! A batch is decided in memory and written in a few multi-row statements. If writing fails, nothing of the batch has
//! happened; its jobs are then done one by one, so that one bad job, and even a mistake of ours that panics over it, cannot
//! take its neighbours down.

use std::error::Error as _;
use std::sync::Weak;

use tokio::sync::mpsc;

use super::desk::{Desk, Done};
use super::{Error, Inner, Job};
use crate::clock::instant_now;
use crate::guard::{Broken, guarded};
use crate::metrics::Missed;
use crate::store::Retry;

/// Jobs in one transaction at most: bounds how long the first waits for the last.
const BATCH_MAX: usize = 256;
/// How often a batch that lost a race against another replica is tried.
const RACES_MAX: u32 = 8;

pub(super) async fn run(inner: Weak<Inner>, mut jobs: mpsc::Receiver<Job>) {
    let mut batch = Vec::with_capacity(BATCH_MAX);
    loop {
        if jobs.recv_many(&mut batch, BATCH_MAX).await == 0 {
            return;
        }
        let Some(inner) = inner.upgrade() else { return };
        write(&inner, std::mem::take(&mut batch)).await;
    }
}

async fn write(inner: &Inner, mut batch: Vec<Job>) {
    match work(inner, &mut batch).await {
        Ok(done) => done.deliver(inner, batch),
        Err(error) if batch.len() == 1 => refuse(batch, error),
        Err(error) => {
            tracing::warn!(%error, jobs = batch.len(), "a batch failed; its jobs are done one by one");
            for job in batch {
                let mut one = vec![job];
                match work(inner, &mut one).await {
                    Ok(done) => done.deliver(inner, one),
                    Err(error) => refuse(one, error),
                }
            }
        }
    }
}

/// One transaction, begun anew as long as another replica is faster; the loser then finds the winner's answer.
async fn work(inner: &Inner, batch: &mut [Job]) -> Result<Done, Error> {
    let mut races = 1;
    loop {
        let began = instant_now();
        let worked = guarded("deciding and writing commands", Desk::work(inner, batch)).await;
        if let Ok(Err(error)) = &worked {
            let missed = Missed::of(error);
            inner.metrics.db_missed.of((missed,)).count();
            match missed {
                Missed::Full => inner.metrics.db_full.set_count(1),
                Missed::ReadOnly => inner.metrics.db_read_only.set_count(1),
                Missed::Busy | Missed::Raced | Missed::Other => {}
            }
        }
        match worked {
            Ok(Ok(done)) => {
                inner.metrics.db_tx.observe_real(began.elapsed());
                if done.wrote {
                    inner.metrics.db_full.set_count(0);
                    inner.metrics.db_read_only.set_count(0);
                }
                return Ok(done);
            }
            Ok(Err(error)) if error.retry() == Retry::Now && races < RACES_MAX => {
                tracing::debug!(%error, races, "another replica was faster; trying again");
                races += 1;
            }
            Ok(Err(error)) => return Err(Error::Store(error)),
            Err(Broken { reference }) => return Err(Error::Broken { reference }),
        }
    }
}

/// Tells the caller of a single job that nothing happened.
fn refuse(one: Vec<Job>, error: Error) {
    tracing::error!(%error, cause = error.source().map(ToString::to_string), "a command was not taken");
    if let Some(job) = one.into_iter().next() {
        match job {
            Job::Handle { reply, .. } => drop(reply.send(Err(error))),
            Job::Claim { reply, .. } => drop(reply.send(Err(error))),
            Job::Settle { reply, .. } => drop(reply.send(Err(error))),
            Job::Test { reply, .. } => drop(reply.send(Err(error))),
        }
    }
}
