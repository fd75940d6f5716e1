//! The one writer: takes whatever is queued into one transaction, so that commands share the disk's flush.
//!
//! A batch is decided in memory and written in a few multi-row statements. If writing fails, nothing of the batch has
//! happened; its jobs are then done one by one, so that one bad job cannot take its neighbours down.

use std::sync::Weak;

use tokio::sync::mpsc;

use super::desk::{Desk, Done};
use super::{Error, Inner, Job};
use crate::clock::instant_now;
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

async fn write(inner: &Inner, batch: Vec<Job>) {
    let whole = match work(inner, &batch).await {
        Ok(done) => return done.deliver(inner, batch),
        Err(error) if batch.len() == 1 => error,
        Err(error) => {
            tracing::warn!(%error, jobs = batch.len(), "a batch failed; its jobs are done one by one");
            for job in batch {
                let one = vec![job];
                match work(inner, &one).await {
                    Ok(done) => done.deliver(inner, one),
                    Err(error) => refuse(one, error),
                }
            }
            return;
        }
    };
    refuse(batch, whole);
}

/// One transaction, begun anew as long as another replica is faster; the loser then finds the winner's answer.
async fn work(inner: &Inner, batch: &[Job]) -> Result<Done, crate::store::Error> {
    let mut races = 1;
    loop {
        let began = instant_now();
        let worked = Desk::work(inner, batch).await;
        match &worked {
            Ok(_) => inner.metrics.db_tx.observe_real(began.elapsed()),
            Err(error) => inner.metrics.db_missed.of((Missed::of(error),)).count(),
        }
        match worked {
            Err(error) if error.retry() == Retry::Now && races < RACES_MAX => {
                tracing::debug!(%error, races, "another replica was faster; trying again");
                races += 1;
            }
            outcome => return outcome,
        }
    }
}

/// Tells the callers that nothing happened.
fn refuse(batch: Vec<Job>, error: crate::store::Error) {
    tracing::error!(%error, "the database did not take a command");
    let mut error = Some(error);
    for job in batch {
        let error = error.take().map_or(Error::Busy, Error::Store);
        match job {
            Job::Handle { reply, .. } => drop(reply.send(Err(error))),
            Job::Claim { reply, .. } => drop(reply.send(Err(error))),
            Job::Settle { reply, .. } => drop(reply.send(Err(error))),
            Job::Canary { reply, .. } => drop(reply.send(Err(error))),
        }
    }
}
