//! Whose turn it is to be paged by a message of its own.
//!
//! Who is called to many incidents at once reads one list sooner than a hundred messages: after a small burst, what waits
//! for the same person goes out together. Pure, like the rest of `pace`; it knows messages to people, not what they say.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::ids::ChannelId;

/// Messages that page one person at once after a quiet spell: as many as a telephone shows on its locked screen.
pub const TURNS_AT_ONCE: i32 = 5;
/// The time in which one more is earned. A page may wait a minute for its digest (docs/GUARANTEE.md); some seconds of it
/// are left for the machine and for Slack.
pub const TURN_EVERY: TimeDelta = TimeDelta::seconds(55);

/// People remembered at most; those who have long been left alone are forgotten first.
const PEOPLE_MAX: usize = 4096;

/// The turns of all people.
#[derive(Clone, Debug, Default)]
pub struct Turns {
    people: HashMap<ChannelId, Spent>,
}

#[derive(Clone, Copy, Debug)]
struct Spent {
    /// When the last was spent.
    at: DateTime<Utc>,
    /// When all will be earned again.
    full_at: DateTime<Utc>,
}

impl Turns {
    pub fn new() -> Self {
        Self::default()
    }

    /// How many messages may page them now; or the moment of the next, if none may.
    pub fn left(&self, person: &ChannelId, now: DateTime<Utc>) -> Result<usize, DateTime<Utc>> {
        let full_at = self.full_at(person, now);
        let spent = TURNS_AT_ONCE.min(count(full_at - now));
        match usize::try_from(TURNS_AT_ONCE - spent) {
            Ok(left @ 1..) => Ok(left),
            Ok(0) | Err(_) => Err(full_at - TURN_EVERY * (TURNS_AT_ONCE - 1)),
        }
    }

    /// A message goes out to them.
    pub fn spend(&mut self, person: &ChannelId, now: DateTime<Utc>) {
        if self.people.len() >= PEOPLE_MAX && !self.people.contains_key(person) {
            self.people.retain(|_, spent| spent.full_at > now);
        }
        let full_at = self.full_at(person, now) + TURN_EVERY;
        self.people.insert(person.clone(), Spent { at: now, full_at });
    }

    /// The message did not go out after all.
    pub fn give_back(&mut self, person: &ChannelId) {
        if let Some(spent) = self.people.get_mut(person) {
            spent.full_at -= TURN_EVERY;
        }
    }

    /// Never in the past. What was spent before the clock was set back is forgotten: nobody waits for it.
    fn full_at(&self, person: &ChannelId, now: DateTime<Utc>) -> DateTime<Utc> {
        self.people.get(person).filter(|spent| spent.at <= now).map_or(now, |spent| spent.full_at.max(now))
    }
}

/// How many turns are not earned yet, if all will be after this time.
fn count(lacking: TimeDelta) -> i32 {
    let (lacking, every) = (lacking.num_milliseconds(), TURN_EVERY.num_milliseconds());
    i32::try_from((lacking + every - 1).div_euclid(every)).unwrap_or(TURNS_AT_ONCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + seconds, 0).expect("in range")
    }

    #[test]
    fn after_a_burst_there_is_one_turn_in_a_while_and_after_quiet_all_of_them() {
        let (mut turns, dana) = (Turns::new(), ChannelId::from("U1"));
        for left in (1..=5).rev() {
            assert_eq!(turns.left(&dana, at(0)), Ok(left));
            turns.spend(&dana, at(0));
        }
        assert_eq!(turns.left(&dana, at(0)), Err(at(55)));
        assert_eq!(turns.left(&dana, at(54)), Err(at(55)));
        assert_eq!(turns.left(&dana, at(55)), Ok(1));
        turns.spend(&dana, at(55));
        assert_eq!(turns.left(&dana, at(56)), Err(at(110)));
        assert_eq!(turns.left(&ChannelId::from("U2"), at(56)), Ok(5));
        assert_eq!(turns.left(&dana, at(600)), Ok(5));
    }

    #[test]
    fn a_message_that_did_not_go_out_costs_no_turn() {
        let (mut turns, dana) = (Turns::new(), ChannelId::from("U1"));
        for _ in 0..5 {
            turns.spend(&dana, at(0));
        }
        turns.give_back(&dana);
        assert_eq!(turns.left(&dana, at(0)), Ok(1));
    }

    #[test]
    fn a_clock_set_back_makes_nobody_wait_longer() {
        let (mut turns, dana) = (Turns::new(), ChannelId::from("U1"));
        for _ in 0..5 {
            turns.spend(&dana, at(3_600));
        }
        assert_eq!(turns.left(&dana, at(0)), Ok(5));
    }

    #[test]
    fn the_memory_of_people_is_bounded() {
        let mut turns = Turns::new();
        for number in 0..PEOPLE_MAX + 50 {
            let now = at(i64::try_from(number).expect("small") * 60);
            turns.spend(&ChannelId(format!("U{number}")), now);
        }
        assert!(turns.people.len() <= PEOPLE_MAX);
    }
}
