//! How many incidents alerts have opened of late, by team, as far as this program knows.
//!
//! In memory: after a restart a storm is noticed a few incidents later, and each replica counts its own. A storm that has
//! begun is in the database, and known to all.

use std::collections::{HashMap, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::storm::WINDOW_S;
use crate::ids::TeamKey;

/// Openings remembered for one team; more than any threshold.
const REMEMBERED_MAX: usize = 1_000;

#[derive(Debug, Default)]
pub(super) struct Openings {
    by_team: HashMap<Option<TeamKey>, VecDeque<DateTime<Utc>>>,
}

impl Openings {
    pub(super) fn note(&mut self, team: Option<TeamKey>, at: DateTime<Utc>) {
        let openings = self.by_team.entry(team).or_default();
        openings.push_back(at);
        while openings.len() > REMEMBERED_MAX || openings.front().is_some_and(|first| !is_recent(*first, at)) {
            openings.pop_front();
        }
    }

    /// Those within the window before `now`.
    pub(super) fn recent(&self, team: Option<&TeamKey>, now: DateTime<Utc>) -> u32 {
        let openings = self.by_team.get(&team.cloned());
        let recent = openings.map_or(0, |openings| openings.iter().filter(|at| is_recent(**at, now)).count());
        u32::try_from(recent).unwrap_or(u32::MAX)
    }
}

/// An opening in the future is from before the clock was set back, and counts for nothing.
fn is_recent(at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    at <= now && now - at < TimeDelta::seconds(WINDOW_S)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openings_count_for_a_minute_and_for_their_team() {
        let at = |seconds: i64| DateTime::from_timestamp(1_700_000_000 + seconds, 0).expect("in range");
        let (db, dev) = (TeamKey::from("db"), TeamKey::from("dev"));
        let mut openings = Openings::default();
        for second in 0..10 {
            openings.note(Some(db.clone()), at(second));
        }
        openings.note(None, at(5));
        assert_eq!(openings.recent(Some(&db), at(9)), 10);
        assert_eq!(openings.recent(Some(&db), at(64)), 5);
        assert_eq!(openings.recent(Some(&db), at(70)), 0);
        assert_eq!((openings.recent(None, at(9)), openings.recent(Some(&dev), at(9))), (1, 0));
        assert_eq!(openings.recent(Some(&db), at(-3_600)), 0, "the clock was set back");
    }
}
