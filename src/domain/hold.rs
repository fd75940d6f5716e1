//! What is so late that people are asked before anybody is paged: after an old copy of the database was restored, or a
//! machine has stood for a day, nobody is woken for what is long over.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::limits::ASK_AFTER_S;
use crate::ids::UserId;

/// How late a step of a call or a page may be and still go out without a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AskAfter(pub TimeDelta);

impl Default for AskAfter {
    fn default() -> Self {
        Self(TimeDelta::seconds(ASK_AFTER_S))
    }
}

impl AskAfter {
    /// Whether what was due then is asked about first.
    pub fn is_past(self, due_at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
        now - due_at > self.0
    }
}

/// What was due when a call was held, and is done once somebody says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "resume", rename_all = "snake_case")]
pub enum Resume {
    /// The next tier, or the fallback after the last.
    NextStep,
    /// The step that had begun, of which no page has gone out.
    SameStep,
    /// The tier again, and whoever had it and showed no sign of activity.
    Lapsed { by: Option<UserId> },
}
