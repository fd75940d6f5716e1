//! When the next call may go out.
//!
//! A budget for each method and, for posts, for each channel, kept below Slack's limits, with a share that only pages may
//! use. Pure: time is handed in and nothing waits here; the worker asks before it takes an effect from the outbox and
//! takes another one if this must wait. One budget holds for one workspace in one process; what replicas spend together
//! is corrected by Slack's own "too often", which pauses the method for exactly as long as Slack says.
//!
//! Each bucket is kept as one instant, the moment at which it will be full again. Calls that must wait are told
//! different instants, one for each call that will be earned, so that a crowd of them does not come back as one.

mod turns;

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::limits::{Budget, CHANNEL, CHANNEL_PAUSE_MAX_S, Method};
use crate::ids::{ChannelId, MessageRef};
use crate::planted::{self, Bug};

pub use turns::{TURN_EVERY, TURNS_AT_ONCE, Turns};

/// Channels remembered at most; those that have long been quiet are forgotten first.
const CHANNELS_MAX: usize = 4096;

/// The furthest instant told to a call that waits, counted from when the next one may go out. In a greater crowd several
/// come back together, and the best of them goes first: what has just become urgent is behind the others no longer than
/// this.
const TOLD_MAX: TimeDelta = TimeDelta::seconds(15);

/// The time in which one more edit of a card or a digest is earned: a reader sees no difference, and Slack counts them all.
pub const EDIT_EVERY: TimeDelta = TimeDelta::seconds(3);
/// Edits of one message at once after a quiet spell, so that what people do shows at once.
pub const EDITS_AT_ONCE: i32 = 5;

/// Whether a call may use the share that is kept back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// Somebody is being paged.
    Page,
    Ordinary,
}

/// The budget of one workspace.
#[derive(Clone, Debug, Default)]
pub struct Pace {
    methods: HashMap<Method, Bucket>,
    channels: HashMap<ChannelId, Bucket>,
    /// For messages that are edited again and again: when all their edits will be earned, and when the last was made.
    edits: HashMap<MessageRef, (DateTime<Utc>, DateTime<Utc>)>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    full_at: DateTime<Utc>,
    pause: Option<Pause>,
    /// The last instants told to an ordinary call and to a page that wait.
    told: [DateTime<Utc>; 2],
}

#[derive(Clone, Copy, Debug)]
struct Pause {
    until: DateTime<Utc>,
    /// As Slack gave it, so that a clock set back does not prolong it.
    span: TimeDelta,
}

impl Pace {
    /// An unspent budget.
    pub fn new() -> Self {
        Self::default()
    }

    /// The earliest moment for the call; `None` if that is now. `channel` matters for posts only.
    pub fn ready_at(
        &mut self,
        method: Method,
        channel: Option<&ChannelId>,
        urgency: Urgency,
        now: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        let by_method = self.methods.get_mut(&method).and_then(|bucket| bucket.ready_at(method.budget(), urgency, now));
        let by_channel = channel
            .filter(|_| method.is_post())
            .and_then(|channel| self.channels.get_mut(channel))
            .and_then(|bucket| bucket.ready_at(CHANNEL, urgency, now));
        by_method.max(by_channel)
    }

    /// Spends one call, or says when to ask again and spends nothing.
    pub fn take(
        &mut self,
        method: Method,
        channel: Option<&ChannelId>,
        urgency: Urgency,
        now: DateTime<Utc>,
    ) -> Result<(), DateTime<Utc>> {
        let channel = channel.filter(|_| method.is_post());
        if planted::active(Bug::NoPace) {
            return Ok(());
        }
        if let Some(at) = self.ready_at(method, channel, urgency, now) {
            return Err(self.tell(method, channel, urgency, at, now));
        }
        self.methods.entry(method).or_insert_with(|| Bucket::full(now)).spend(method.budget(), now);
        if let Some(channel) = channel {
            self.channel(channel, now).spend(CHANNEL, now);
        }
        Ok(())
    }

    /// Which of the calls that will be earned from `at` on this one may count on.
    fn tell(
        &mut self,
        method: Method,
        channel: Option<&ChannelId>,
        urgency: Urgency,
        at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> DateTime<Utc> {
        if let Some(bucket) = channel.and_then(|channel| self.channels.get_mut(channel))
            && bucket.ready_at(CHANNEL, urgency, now) == Some(at)
        {
            return bucket.tell(CHANNEL, urgency, at);
        }
        self.methods.get_mut(&method).map_or(at, |bucket| bucket.tell(method.budget(), urgency, at))
    }

    /// Edits a message that many changes concern, or says when it may be edited next: what changes meanwhile is one edit.
    pub fn take_edit(&mut self, message: &MessageRef, now: DateTime<Utc>) -> Result<(), DateTime<Utc>> {
        // What was made before the clock was set back is forgotten.
        let before = self.edits.get(message).filter(|(_, last)| *last <= now);
        let full_at = before.map_or(now, |(full_at, _)| (*full_at).max(now));
        let next = full_at - EDIT_EVERY * (EDITS_AT_ONCE - 1);
        if next > now {
            return Err(next);
        }
        self.take(Method::ChatUpdate, None, Urgency::Ordinary, now)?;
        if self.edits.len() >= CHANNELS_MAX && !self.edits.contains_key(message) {
            self.edits.retain(|_, (full_at, _)| *full_at > now);
        }
        self.edits.insert(message.clone(), (full_at + EDIT_EVERY, now));
        Ok(())
    }

    /// Takes Slack's "too often" into account: nothing of the kind goes out for `after`, not even a page. A short pause
    /// on a post concerns its channel, unless another channel is paused already; everything else concerns the method.
    pub fn rate_limited(&mut self, method: Method, channel: Option<&ChannelId>, after: Duration, now: DateTime<Utc>) {
        let span = TimeDelta::from_std(after).unwrap_or(TimeDelta::hours(1));
        if let Some(channel) = channel.filter(|_| method.is_post() && after.as_secs() <= CHANNEL_PAUSE_MAX_S) {
            let elsewhere = self.channels.iter().any(|(other, bucket)| other != channel && bucket.is_paused(now));
            self.channel(channel, now).pause(CHANNEL, span, now);
            if !elsewhere {
                return;
            }
        }
        self.methods.entry(method).or_insert_with(|| Bucket::full(now)).pause(method.budget(), span, now);
    }

    fn channel(&mut self, channel: &ChannelId, now: DateTime<Utc>) -> &mut Bucket {
        if self.channels.len() >= CHANNELS_MAX && !self.channels.contains_key(channel) {
            self.channels.retain(|_, bucket| bucket.full_at > now);
        }
        self.channels.entry(channel.clone()).or_insert_with(|| Bucket::full(now))
    }
}

impl Bucket {
    fn full(now: DateTime<Utc>) -> Self {
        Self { full_at: now, pause: None, told: [DateTime::<Utc>::MIN_UTC; 2] }
    }

    /// Ends a pause that is over, and corrects what a clock that was set back would make longer than it can be.
    fn settle(&mut self, budget: Budget, now: DateTime<Utc>) {
        self.pause = self
            .pause
            .filter(|pause| pause.until > now)
            .map(|pause| Pause { until: pause.until.min(now + pause.span), ..pause });
        let emptiest = match self.pause {
            Some(pause) => budget.full_after_pause(pause.until),
            None => now + budget.interval() * budget.burst.cast_signed(),
        };
        self.full_at = self.full_at.min(emptiest);
    }

    fn ready_at(&mut self, budget: Budget, urgency: Urgency, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.settle(budget, now);
        let usable = match urgency {
            Urgency::Page => budget.burst,
            Urgency::Ordinary => budget.burst - budget.reserved,
        };
        // With `usable` calls in hand the bucket may lack all but one of them.
        let by_budget = self.full_at - budget.interval() * (usable.cast_signed() - 1);
        let at = self.pause.map_or(by_budget, |pause| by_budget.max(pause.until));
        (at > now).then_some(at)
    }

    fn spend(&mut self, budget: Budget, now: DateTime<Utc>) {
        self.full_at = self.full_at.max(now) + budget.interval();
    }

    fn tell(&mut self, budget: Budget, urgency: Urgency, at: DateTime<Utc>) -> DateTime<Utc> {
        let told = &mut self.told[usize::from(urgency == Urgency::Page)];
        let next = *told + budget.interval();
        *told = if (at..=at + TOLD_MAX).contains(&next) { next } else { at };
        *told
    }

    fn pause(&mut self, budget: Budget, span: TimeDelta, now: DateTime<Utc>) {
        let until = now + span;
        self.full_at = budget.full_after_pause(until);
        self.pause = Some(Pause { until, span });
    }

    fn is_paused(&self, now: DateTime<Utc>) -> bool {
        self.pause.is_some_and(|pause| pause.until > now)
    }
}

impl Budget {
    /// What a pause leaves in the bucket lets one ordinary call out at its end, and pages from their share.
    fn full_after_pause(self, until: DateTime<Utc>) -> DateTime<Utc> {
        until + self.interval() * (self.burst.cast_signed() - self.reserved.cast_signed() - 1)
    }

    /// The time in which one call is earned.
    fn interval(self) -> TimeDelta {
        TimeDelta::microseconds(60_000_000_u32.div_ceil(self.refill_per_minute).into())
    }
}

#[cfg(test)]
mod tests;
