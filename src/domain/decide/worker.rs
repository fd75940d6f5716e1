//! What became of effects: outcomes are commands too, so that a failed page is in the history.

use chrono::TimeDelta;

use super::lifecycle::unchanged;
use super::{Context, Draft};
use crate::domain::answer::Said;
use crate::domain::command::{Fault, Finished};
use crate::domain::event::{Actor, Detour, Event, PageResult};
use crate::domain::incident::{Channel, Trouble};
use crate::domain::limits::CLOCK_SETS_TOLD_MAX;

impl Draft<'_> {
    pub(super) fn effect_finished(&mut self, finished: &Finished) -> Said {
        match finished {
            Finished::Page { page, attempt, result, fault } => {
                let Some(found) = self.after.pages.get(page) else {
                    return unchanged("That page is not known.".to_owned());
                };
                let (escalation, asks) = (found.escalation, found.asks);
                // An outage is told once when it begins and once when it ends, not once for each try.
                if Trouble::of(result).is_none_or(|now| found.trouble.is_none_or(|told| told < now)) {
                    self.push_own(Event::PageAttempted { page: *page, attempt: *attempt, result: result.clone() });
                }
                match (result, fault) {
                    (PageResult::NotReached { .. }, _) => {
                        self.divert(*page, Detour::Refused);
                        // Who cannot be reached is not waited for.
                        if asks { self.unasked() } else { self.hurry(escalation) }
                    }
                    (PageResult::Failed { .. } | PageResult::Unknown { .. }, Some(fault))
                        if *fault == Fault::Token || self.context.slack_is_away =>
                    {
                        self.divert(*page, Detour::SlackAway);
                    }
                    (
                        PageResult::Sent { .. }
                        | PageResult::SentElsewhere
                        | PageResult::Failed { .. }
                        | PageResult::Unknown { .. },
                        _,
                    ) => {}
                }
            }
            Finished::PageTooLate { page } => return self.page_too_late(*page),
            Finished::ChannelCreated { channel, name } => {
                self.push_own(Event::ChannelCreated { channel: channel.clone(), name: name.clone() });
            }
            Finished::ChannelFailed { error } => return self.channel_gone(error),
            Finished::CardPosted { message } => {
                self.push_own(Event::CardPosted { message: message.clone() });
            }
            Finished::AnnouncementPosted { message } => {
                self.push_own(Event::AnnouncementPosted { message: message.clone() });
            }
            Finished::EscalationPosted { escalation, message } => {
                self.push_own(Event::EscalationPosted { escalation: *escalation, message: message.clone() });
            }
            Finished::PostmortemPosted { message } => {
                self.push_own(Event::PostmortemPosted { message: message.clone() });
            }
            Finished::DocumentNotSent { to, format, error } => {
                let (to, error) = (to.clone(), error.clone());
                self.push_own(Event::DocumentNotSent { to, format: *format, error });
            }
            Finished::Captured { by, kind, at, text, source } => {
                let actor = Actor::Person { user: by.clone() };
                let asked = Context { actor: &actor, ..self.context };
                let mut draft = Draft { context: asked, after: self.after.clone(), events: Vec::new() };
                // An empty message says nothing that could be kept.
                if draft.capture(*at, Some(*kind), text, source).is_ok() {
                    self.after = draft.after;
                    self.events.extend(draft.events);
                }
            }
            Finished::Quietly => {}
        }
        Said::Done
    }

    /// The machine's clock was set. What must move is moved whenever it happens; what is only told is told a bounded
    /// number of times.
    pub(super) fn clock_set(&mut self, step: TimeDelta, deadlines: TimeDelta) -> Said {
        if !self.after.is_open() {
            return unchanged("It is over.".to_owned());
        }
        let moves = !deadlines.is_zero() && !self.after.timers().is_empty();
        if !moves && self.after.clock_sets >= CLOCK_SETS_TOLD_MAX {
            return unchanged("That the clock is set again and again was told often enough.".to_owned());
        }
        let deadlines_ms = if moves { deadlines.num_milliseconds() } else { 0 };
        self.push_own(Event::ClockSet { step_ms: step.num_milliseconds(), deadlines_ms });
        Said::Done
    }

    /// The channel is gone: the incident goes on in direct messages, and says so once.
    pub(super) fn channel_gone(&mut self, error: &str) -> Said {
        match &self.after.channel {
            Channel::Open { .. } | Channel::Wanted => {
                self.push_own(Event::ChannelFailed { error: error.to_owned() });
                Said::Done
            }
            Channel::Failed { .. } => unchanged("It has no channel already.".to_owned()),
        }
    }
}
