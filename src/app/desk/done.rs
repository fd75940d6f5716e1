//! What comes of a batch: who is told what, before and after the commit.

use super::{Answered, Inner, Job, NOBODYS, Work};
use crate::crash::Point;
use crate::domain::command::{Command, Finished};
use crate::domain::effect::{Effect, Lane};
use crate::domain::event::Actor;
use crate::metrics::Tally;

/// What each job of a committed batch is told.
pub(in crate::app) struct Done {
    pub(super) replies: Vec<Reply>,
    /// Whether rows were added, so that the disk has room.
    pub(in crate::app) wrote: bool,
    pub(super) timers: bool,
    pub(super) outbox: bool,
    pub(super) tally: Tally,
}

pub(super) enum Reply {
    Answer(Answered),
    Works(Vec<Work>),
    Settled(bool),
    Sent,
}

impl Done {
    /// Answers every caller, now that the commit is safe, and wakes who waits for work.
    pub(in crate::app) fn deliver(self, inner: &Inner, batch: Vec<Job>) {
        self.tally.count(&inner.metrics);
        if self.timers {
            inner.timers.notify_one();
        }
        if self.outbox {
            inner.outbox.send_replace(());
        }
        for (job, reply) in batch.into_iter().zip(self.replies) {
            match (job, reply) {
                (Job::Handle { reply, .. }, Reply::Answer(answered)) => drop(reply.send(Ok(answered))),
                (Job::Claim { reply, .. }, Reply::Works(works)) => drop(reply.send(Ok(works))),
                (Job::Settle { reply, .. }, Reply::Settled(ours)) => drop(reply.send(Ok(ours))),
                (Job::Test { reply, .. }, Reply::Sent) => drop(reply.send(Ok(()))),
                _ => unreachable!("work() makes each reply for its own job"),
            }
        }
    }
}

/// Shows the answers to those who want to put them into words before they are safe.
pub(super) fn announce(batch: &mut [Job], replies: &[Reply]) {
    for (job, reply) in batch.iter_mut().zip(replies) {
        if let (Job::Handle { decided, .. }, Reply::Answer(answered)) = (job, reply)
            && let Some(decided) = decided.take()
        {
            // Who no longer waits needs no words.
            let _ = decided.send(answered.clone());
        }
    }
}

/// The places before and after a batch's commit in which tests have the program die.
pub(super) fn places(batch: &[Job], replies: &[Reply]) -> impl Iterator<Item = (Point, Point)> {
    batch.iter().zip(replies).filter_map(|(job, reply)| places_of(job, reply))
}

fn places_of(job: &Job, reply: &Reply) -> Option<(Point, Point)> {
    match (job, reply) {
        (Job::Handle { request, .. }, _) => match (&request.actor, &request.command) {
            (Actor::Person { .. }, _) => Some((Point::CommandDecided, Point::CommandKept)),
            (Actor::Integration { .. }, _) => Some((Point::AlertDecided, Point::AlertKept)),
            (_, Command::TimerDue(_)) => Some((Point::TimerDecided, Point::TimerKept)),
            _ => None,
        },
        (Job::Claim { .. }, Reply::Works(works)) => {
            let lane = works
                .iter()
                .map(|work| &work.effect)
                .find(|effect| !matches!(effect, Effect::Canary { .. } | Effect::TestPage { .. }))?;
            match lane.lane() {
                Lane::Page => Some((Point::PageClaiming, Point::PageClaimed)),
                _ => Some((Point::Claiming, Point::Claimed)),
            }
        }
        (Job::Settle { work, settled, .. }, _) => match settled.done()? {
            Finished::Page { .. } => Some((Point::PageRecording, Point::PageRecorded)),
            _ => (work.incident != NOBODYS).then_some((Point::Recording, Point::Recorded)),
        },
        _ => None,
    }
}
