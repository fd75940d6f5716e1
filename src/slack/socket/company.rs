//! Whether another program uses the same app-level token, from what Slack's greetings count. Pure.
//!
//! One greeting proves nothing: connections of a program that was just killed live on for a moment, and so do ours while
//! they are renewed. What several greetings over some minutes agree on is sure. Greetings come every few hours by
//! themselves, which would leave the program that was there first in the dark for as long: now and then a connection is
//! renewed for the sake of the next greeting, and more often while there is a suspicion.

use chrono::{DateTime, TimeDelta, Utc};

/// Greetings in a row that must count too many.
const GREETINGS_MIN: u32 = 3;
/// How long they must do so.
const SURE_AFTER: TimeDelta = TimeDelta::minutes(2);
/// How soon after a greeting the next one is asked for while nobody else is suspected. Slack lets an app open a connection
/// every minute.
const GLANCE_EVERY: TimeDelta = TimeDelta::minutes(15);
/// The same while there is a suspicion.
const ASK_EVERY: TimeDelta = TimeDelta::minutes(1);
/// The same while it is sure, to learn that it is over.
const LOOK_EVERY: TimeDelta = TimeDelta::minutes(10);

/// What is known of others.
#[derive(Debug, Default)]
pub(super) struct Company {
    suspicion: Option<Suspicion>,
    /// When the last greeting came or was asked for.
    looked_at: Option<DateTime<Utc>>,
}

#[derive(Clone, Copy, Debug)]
struct Suspicion {
    since: DateTime<Utc>,
    greetings: u32,
    /// The fewest that any of these greetings counted.
    strangers: u64,
    /// When the last one came.
    last_at: DateTime<Utc>,
    /// When one was last asked for.
    asked_at: DateTime<Utc>,
}

impl Suspicion {
    fn is_sure(&self) -> bool {
        self.greetings >= GREETINGS_MIN && self.last_at - self.since >= SURE_AFTER
    }
}

impl Company {
    /// Takes a greeting that counts so many connections besides ours; how many are another program's for sure.
    pub(super) fn greeted(&mut self, strangers: u64, now: DateTime<Utc>) -> u64 {
        self.looked_at = Some(now);
        if strangers == 0 {
            self.suspicion = None;
            return 0;
        }
        let begun = Suspicion { since: now, greetings: 0, strangers, last_at: now, asked_at: now };
        // A clock that was set back begins anew.
        let before = self.suspicion.filter(|before| before.since <= now).unwrap_or(begun);
        let known = Suspicion {
            greetings: before.greetings.saturating_add(1),
            // Once it is sure, how many there are now; before, what all agree on.
            strangers: if before.is_sure() { strangers } else { before.strangers.min(strangers) },
            last_at: now,
            ..before
        };
        self.suspicion = Some(known);
        if known.is_sure() { known.strangers } else { 0 }
    }

    /// When to ask for the next greeting; `None` before the first.
    pub(super) fn ask_at(&self) -> Option<DateTime<Utc>> {
        let Some(known) = self.suspicion else { return Some(self.looked_at? + GLANCE_EVERY) };
        let after = known.last_at.max(known.asked_at);
        Some(after + if known.is_sure() { LOOK_EVERY } else { ASK_EVERY })
    }

    /// One was asked for; it may not come.
    pub(super) fn asked(&mut self, now: DateTime<Utc>) {
        self.looked_at = Some(now);
        if let Some(known) = &mut self.suspicion {
            known.asked_at = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + second, 0).expect("in range")
    }

    #[test]
    fn leftovers_of_a_killed_program_that_go_within_two_minutes_are_nobody() {
        let mut company = Company::default();
        assert_eq!(company.ask_at(), None);
        assert_eq!([company.greeted(2, at(0)), company.greeted(2, at(3))], [0, 0]);
        assert_eq!(company.ask_at(), Some(at(63)));
        assert_eq!(company.greeted(1, at(63)), 0, "not long enough");
        assert_eq!(company.greeted(0, at(130)), 0);
        assert_eq!(company.ask_at(), Some(at(130 + 900)), "nobody is suspected");
        assert_eq!(company.greeted(2, at(200)), 0, "it begins anew");
    }

    #[test]
    fn what_greetings_agree_on_for_two_minutes_is_another_program_until_one_counts_none() {
        let mut company = Company::default();
        let heard =
            [(3, 0), (2, 3), (2, 63), (3, 123)].map(|(strangers, second)| company.greeted(strangers, at(second)));
        assert_eq!(heard, [0, 0, 0, 2]);
        assert_eq!(company.ask_at(), Some(at(723)));
        assert_eq!(company.greeted(4, at(724)), 4);
        assert_eq!(company.greeted(0, at(1_324)), 0);
    }

    #[test]
    fn whoever_was_alone_looks_every_quarter_of_an_hour_whether_they_still_are() {
        let mut company = Company::default();
        company.greeted(0, at(0));
        assert_eq!(company.ask_at(), Some(at(900)));
        company.asked(at(900));
        assert_eq!(company.ask_at(), Some(at(1_800)), "the greeting may not come");
        let heard = [901, 961, 1_021].map(|second| company.greeted(2, at(second)));
        assert_eq!((heard, company.ask_at()), ([0, 0, 2], Some(at(1_621))));
    }

    #[test]
    fn a_greeting_that_does_not_come_is_asked_for_again() {
        let mut company = Company::default();
        company.greeted(2, at(0));
        company.asked(at(60));
        assert_eq!(company.ask_at(), Some(at(120)));
    }
}
