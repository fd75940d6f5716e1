//! What a failed call means for its effect: when to try again, and whether to look first.

use chrono::TimeDelta;

use super::Worker;
use super::messages::is_gone;
use crate::app::{Settled, Work};
use crate::clock::lock;
use crate::domain::command::Finished;
use crate::domain::effect::Effect;
use crate::domain::event::PageResult;
use crate::guard::Broken;
use crate::ids::ChannelId;
use crate::planted::{self, Bug};
use crate::slack::{Class, Error};

/// Pauses between attempts grow from the first to the second of these, in seconds.
const BACK_OFF_S: (i64, i64) = (1, 15);
/// An effect that broke down so often breaks down for ever.
const BREAKDOWNS_MAX: u32 = 3;
/// An administrator must act: looking more often helps nobody.
const TOKEN_RETRY_S: i64 = 30;
/// After this what an effect would tell is no longer news. Pages are not given up by age.
const GIVE_UP_AFTER: TimeDelta = TimeDelta::hours(24);

/// 1, 2, 4, 8, 15, 15 … seconds.
pub(super) fn back_off(attempt: u32) -> TimeDelta {
    let doubled = BACK_OFF_S.0.checked_shl(attempt.saturating_sub(1).min(16)).unwrap_or(BACK_OFF_S.1);
    TimeDelta::seconds(doubled.min(BACK_OFF_S.1))
}

/// How long to wait after this failure, and whether the call may have been accepted; `None` if it is refused for good.
pub(super) fn again(error: &Error, attempt: u32) -> Option<(TimeDelta, bool)> {
    match error.class() {
        Class::RateLimited { after } => {
            Some((TimeDelta::from_std(after).unwrap_or(TimeDelta::seconds(BACK_OFF_S.1)), false))
        }
        Class::Retry => Some((back_off(attempt), false)),
        Class::Uncertain => Some((back_off(attempt), true)),
        Class::Auth { .. } => Some((TimeDelta::seconds(TOKEN_RETRY_S), false)),
        Class::Permanent { .. } => None,
    }
}

impl Worker {
    /// How a failed effect other than a page goes on: again, or set aside where people see it. `channel` is where it was
    /// to be done; if that is the incident's own and gone, the incident goes on without one.
    pub(super) fn failed(&self, work: &Work, error: &Error, channel: Option<&ChannelId>) -> Settled {
        self.heed(error, channel);
        if is_gone(error) && channel.is_some() && channel == work.incident.channel_id() {
            return Settled::Done(Finished::ChannelFailed { error: error.to_string() });
        }
        match again(error, work.attempt).filter(|_| !self.is_stale(work)) {
            Some((pause, uncertain)) => Settled::Again {
                at: self.now() + pause,
                error: error.to_string(),
                uncertain: uncertain || work.uncertain,
                finished: None,
            },
            None => {
                tracing::warn!(%error, incident = work.incident.number, effect = ?work.effect.slot(), "given up");
                Settled::GivenUp { error: error.to_string(), finished: None }
            }
        }
    }

    /// Whether an effect has been tried for so long that it is not worth another attempt.
    pub(super) fn is_stale(&self, work: &Work) -> bool {
        self.now() - work.created_at >= GIVE_UP_AFTER
    }

    /// Whether the lease ran out, because the machine stood still: somebody else may perform it by now, or nobody may need
    /// it any more.
    pub(super) fn has_lapsed(&self, work: &Work) -> bool {
        self.now() >= work.lease_until && !planted::active(Bug::StaleSend)
    }

    /// Nothing is done; the next claim looks anew whether it is still wanted.
    pub(super) fn left_to_others(&self, work: &Work) -> Settled {
        let error = "the lease ran out before it was begun".to_owned();
        Settled::Again { at: self.now(), error, uncertain: work.uncertain, finished: None }
    }

    /// A mistake of our own broke an attempt off, and nobody knows how far it had come. It is tried again a few times; then
    /// it is set aside, and a page counts as not having reached anybody, so that the next tier is not waited for.
    pub(super) fn broke_down(&self, work: &Work, broken: &Broken) -> Settled {
        let times = {
            let mut counts = lock(&self.inner.broken);
            let times = counts.entry(work.id).or_default();
            *times += 1;
            *times
        };
        let error = format!("Firebell broke down over it (reference {})", broken.reference);
        let page = match &work.effect {
            Effect::Page { page } => work.incident.pages.get(page),
            _ => None,
        };
        let ended =
            |result| page.map(|page| Finished::Page { page: page.id, attempt: page.attempts + 1, result, fault: None });
        if times >= BREAKDOWNS_MAX {
            lock(&self.inner.broken).remove(&work.id);
            tracing::error!(error, incident = work.incident.number, effect = ?work.effect.slot(), "given up");
            let finished = ended(PageResult::NotReached { error: error.clone() });
            return Settled::GivenUp { error, finished };
        }
        let finished = ended(PageResult::Unknown { error: error.clone() });
        Settled::Again { at: self.now() + back_off(times), error, uncertain: true, finished }
    }

    /// A failure of our own: the database could not be read for the text.
    pub(super) fn unread(&self, work: &Work, error: &crate::store::Error) -> Settled {
        Settled::Again {
            at: self.now() + back_off(work.attempt),
            error: error.to_string(),
            uncertain: work.uncertain,
            finished: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_quarter_of_a_minute() {
        let pauses: Vec<i64> = (1..8).map(|attempt| back_off(attempt).num_seconds()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 15, 15, 15]);
        assert_eq!(back_off(u32::MAX).num_seconds(), 15);
    }
}
