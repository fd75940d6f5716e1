//! One run of a team's policy within an incident.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::event::{Step, TeamRef};
use super::hold::Resume;
use super::policy::Policy;
use crate::ids::{EscalationId, MessageRef, UserId};

/// One run of a policy. An incident may have several at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escalation {
    pub id: EscalationId,
    pub team: TeamRef,
    pub policy: Policy,
    pub reason: Option<String>,
    pub called_by: super::event::Actor,
    pub started_at: DateTime<Utc>,
    pub phase: Phase,
    /// The step that was fired last; `generation` 0 before the first.
    pub step: Step,
    /// When the last step really fired, for the catch-up rule after a stall.
    pub fired_at: Option<DateTime<Utc>>,
    /// Its message in the incident's channel, edited in place.
    pub message: Option<MessageRef>,
}

/// Where an escalation stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum Phase {
    /// Paging; the next step is due then.
    Active {
        next_due_at: DateTime<Utc>,
    },
    Acknowledged {
        by: Option<UserId>,
        at: DateTime<Utc>,
        lapses_at: Option<DateTime<Utc>>,
    },
    /// Stopped by a person, or because the incident was resolved.
    Stopped,
    Exhausted,
    /// What was due then was so late that people are asked first. Nothing happens by itself.
    Held {
        due_at: DateTime<Utc>,
        since: DateTime<Utc>,
        resume: Resume,
    },
}

impl Escalation {
    /// Whether timers may still fire for it.
    pub fn is_active(&self) -> bool {
        matches!(self.phase, Phase::Active { .. })
    }

    /// Whether it waits until somebody says that it should go on or end.
    pub fn is_held(&self) -> bool {
        matches!(self.phase, Phase::Held { .. })
    }

    /// Whether an answer is still of use: somebody is called, was called in vain, or should have been called.
    pub fn waits(&self) -> bool {
        matches!(self.phase, Phase::Active { .. } | Phase::Exhausted | Phase::Held { .. })
    }
}
