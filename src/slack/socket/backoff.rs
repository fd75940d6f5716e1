//! How long to wait before dialling again. Pure.

use std::time::Duration;

use super::Timing;
use crate::slack::error::{Class, Error};

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Why {
    #[error("the connection to Slack is down: {0}")]
    Lost(&'static str),
    #[error("Slack asks to wait {} s before the next connection", .0.as_secs())]
    RateLimited(Duration),
    #[error("it is switched off in the app's settings: switch it on under Settings, Socket Mode")]
    SwitchedOff,
    #[error("the app has ten connections already: stop other instances that use the same app-level token")]
    TooMany,
    #[error("{0}")]
    Refused(String),
}

impl From<Error> for Why {
    fn from(error: Error) -> Self {
        match error.class() {
            Class::RateLimited { after } => Self::RateLimited(after),
            Class::Retry | Class::Uncertain => Self::Lost("it gave no address for a connection"),
            Class::Permanent { .. } | Class::Auth { .. } => Self::Refused(error.to_string()),
        }
    }
}

/// Grows with each failure in a row.
#[derive(Debug)]
pub(super) struct Backoff {
    timing: Timing,
    failures: u32,
}

impl Backoff {
    pub(super) fn new(timing: Timing) -> Self {
        Self { timing, failures: 0 }
    }

    /// A connection held: start from the shortest wait again.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// The wait after one more failure; `chance` in 0..1 spreads many clients apart.
    pub(super) fn after(&mut self, why: &Why, chance: f64) -> Duration {
        let doubled = self.timing.backoff_first.saturating_mul(1 << self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        let wait = match why {
            Why::Lost(_) => doubled.min(self.timing.backoff_max),
            // Exactly what Slack says, at the least.
            Why::RateLimited(after) => return *after + self.timing.backoff_first.mul_f64(chance),
            Why::SwitchedOff | Why::TooMany | Why::Refused(_) => self.timing.backoff_long,
        };
        wait.mul_f64(0.5 + 0.5 * chance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait_s(backoff: &mut Backoff, why: &Why) -> f64 {
        backoff.after(why, 1.0).as_secs_f64()
    }

    fn is(waits: impl IntoIterator<Item = f64>, expected: &[f64]) {
        let waits: Vec<_> = waits.into_iter().map(|wait| format!("{wait:.1}")).collect();
        assert_eq!(waits, expected.iter().map(|wait| format!("{wait:.1}")).collect::<Vec<_>>());
    }

    #[test]
    fn waits_double_to_half_a_minute_and_start_over_after_a_connection_that_held() {
        let mut backoff = Backoff::new(Timing::default());
        let lost = Why::Lost("x");
        is((0..7).map(|_| wait_s(&mut backoff, &lost)), &[1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]);
        backoff.reset();
        is([wait_s(&mut backoff, &lost), backoff.after(&lost, 0.0).as_secs_f64()], &[1.0, 1.0]);
    }

    #[test]
    fn what_a_person_must_mend_is_not_hammered() {
        for why in [Why::SwitchedOff, Why::TooMany, Why::Refused("x".into())] {
            is([Backoff::new(Timing::default()).after(&why, 0.0).as_secs_f64()], &[60.0]);
        }
    }

    #[test]
    fn slacks_own_wait_is_never_cut_short() {
        let why = Why::RateLimited(Duration::from_secs(40));
        assert!(Backoff::new(Timing::default()).after(&why, 0.0) >= Duration::from_secs(40));
    }
}
