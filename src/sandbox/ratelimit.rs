//! Slack's rate limits: a sliding minute per method, and posts per channel and per workspace.
//!
//! Real bursts are not published; ours are a quarter above the tier. Keeps no clock: every question carries its instant.

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, Utc};

/// Calls per minute that Slack promises for a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tier {
    T1,
    T2,
    T3,
    T4,
    /// "Hundreds per minute".
    Special,
    /// Not limited by method; posts are, by channel.
    Post,
}

const MINUTE_MS: i64 = 60_000;
/// Calls beyond the tier that a quiet method may burst, at least.
const BURST_MIN: usize = 3;
/// Posts to one channel at once, before one a second applies.
const POST_BURST_MS: i64 = 4_000;
const POST_EVERY_MS: i64 = 1_000;
const TEAM_POSTS_PER_MINUTE: usize = 300;

impl Tier {
    /// Calls per minute including the burst; `None` if the method has no limit of its own.
    pub(crate) fn per_minute(self) -> Option<usize> {
        let base = match self {
            Self::T1 => 1,
            Self::T2 => 20,
            Self::T3 => 50,
            Self::T4 => 100,
            Self::Special => 480,
            Self::Post => return None,
        };
        Some(base + (base / 4).max(BURST_MIN))
    }
}

/// The counters of one workspace.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    windows: BTreeMap<String, VecDeque<i64>>,
    /// Per channel the instant at which its bucket would be full again.
    posts: BTreeMap<String, i64>,
    /// How many calls were refused.
    pub refused: u64,
}

impl Limits {
    /// Counts a call of `method`; the seconds to wait if the minute is full.
    pub(crate) fn call(&mut self, method: &str, tier: Tier, now: DateTime<Utc>) -> Result<(), u64> {
        let Some(limit) = tier.per_minute() else { return Ok(()) };
        self.window(method, limit, now)
    }

    /// Counts a post to `channel`.
    pub(crate) fn post(&mut self, channel: &str, now: DateTime<Utc>) -> Result<(), u64> {
        let now_ms = now.timestamp_millis();
        let full_at = self.posts.get(channel).copied().unwrap_or(now_ms).max(now_ms);
        if full_at + POST_EVERY_MS - now_ms > POST_BURST_MS {
            self.refused += 1;
            return Err(seconds_up(full_at + POST_EVERY_MS - now_ms - POST_BURST_MS));
        }
        self.window("all posts", TEAM_POSTS_PER_MINUTE, now)?;
        self.posts.insert(channel.to_owned(), full_at + POST_EVERY_MS);
        Ok(())
    }

    fn window(&mut self, key: &str, limit: usize, now: DateTime<Utc>) -> Result<(), u64> {
        let now_ms = now.timestamp_millis();
        let calls = self.windows.entry(key.to_owned()).or_default();
        while calls.front().is_some_and(|&at| at + MINUTE_MS <= now_ms || at > now_ms) {
            calls.pop_front();
        }
        if calls.len() >= limit {
            let oldest = calls.front().copied().unwrap_or(now_ms);
            self.refused += 1;
            return Err(seconds_up(oldest + MINUTE_MS - now_ms));
        }
        calls.push_back(now_ms);
        Ok(())
    }
}

fn seconds_up(ms: i64) -> u64 {
    u64::try_from(ms.max(1)).expect("positive").div_ceil(1000)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn at(ms: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000, 0).expect("in range") + TimeDelta::milliseconds(ms)
    }

    #[test]
    fn a_full_minute_is_refused_until_it_slides_on() {
        let mut limits = Limits::default();
        for _ in 0..25 {
            assert_eq!(limits.call("conversations.create", Tier::T2, at(0)), Ok(()));
        }
        assert_eq!(limits.call("conversations.create", Tier::T2, at(10_000)), Err(50));
        assert_eq!(limits.call("conversations.rename", Tier::T2, at(10_000)), Ok(()), "only that method waits");
        assert_eq!(limits.call("conversations.create", Tier::T2, at(60_000)), Ok(()));
        assert_eq!(limits.refused, 1);
    }

    #[test]
    fn a_channel_takes_a_burst_of_four_and_then_one_a_second() {
        let mut limits = Limits::default();
        for _ in 0..4 {
            assert_eq!(limits.post("C1", at(0)), Ok(()));
        }
        assert_eq!(limits.post("C1", at(0)), Err(1));
        assert_eq!(limits.post("C2", at(0)), Ok(()), "another channel does not wait");
        assert_eq!(limits.post("C1", at(1000)), Ok(()));
        assert_eq!(limits.post("C1", at(1500)), Err(1));
    }

    #[test]
    fn the_workspace_as_a_whole_has_a_limit_of_posts() {
        let mut limits = Limits::default();
        for n in 0..300 {
            assert_eq!(limits.post(&format!("C{n}"), at(0)), Ok(()));
        }
        assert_eq!(limits.post("C999", at(1000)), Err(59));
    }
}
