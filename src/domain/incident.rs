//! The state of one incident: what its events add up to.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::command::Timer;
use super::engine::DecidedBy;
use super::escalation::{Escalation, Phase};
use super::event::{Actor, Origin, PageResult, Recipient, TeamRef, is_once, once};
use super::storm::{Counting, Storm};
use crate::ids::{ChannelId, EscalationId, IncidentId, IntegrationKey, MessageRef, PageId, Seq, UserId, WorkspaceId};

/// How bad it is; SEV1 is worst.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Sev1,
    Sev2,
    #[default]
    Sev3,
    Sev4,
}

impl Severity {
    pub const ALL: [Self; 4] = [Self::Sev1, Self::Sev2, Self::Sev3, Self::Sev4];

    /// `sev2`, `SEV-2`, `s2`, `2` and `p2` all mean SEV2.
    pub fn parse(word: &str) -> Option<Self> {
        let word = word.to_ascii_lowercase().replace(['-', '_'], "");
        let digit =
            ["sev", "s", "p", ""].iter().find_map(|prefix| word.strip_prefix(prefix).filter(|d| d.len() == 1))?;
        match digit {
            "1" => Some(Self::Sev1),
            "2" => Some(Self::Sev2),
            "3" => Some(Self::Sev3),
            "4" => Some(Self::Sev4),
            _ => None,
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sev1 => "SEV1",
            Self::Sev2 => "SEV2",
            Self::Sev3 => "SEV3",
            Self::Sev4 => "SEV4",
        })
    }
}

/// Where the work stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    #[default]
    Investigating,
    Identified,
    Monitoring,
    Resolved,
    Canceled,
}

impl Status {
    pub const ALL: [Self; 5] =
        [Self::Investigating, Self::Identified, Self::Monitoring, Self::Resolved, Self::Canceled];

    /// Whether people still work on it.
    pub fn is_open(self) -> bool {
        match self {
            Self::Investigating | Self::Identified | Self::Monitoring => true,
            Self::Resolved | Self::Canceled => false,
        }
    }

    /// The word people type and read, lower case.
    pub fn word(self) -> &'static str {
        match self {
            Self::Investigating => "investigating",
            Self::Identified => "identified",
            Self::Monitoring => "monitoring",
            Self::Resolved => "resolved",
            Self::Canceled => "canceled",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        let word = word.to_ascii_lowercase();
        Self::ALL.into_iter().find(|status| status.word() == word).or((word == "cancelled").then_some(Self::Canceled))
    }
}

/// A part that a person plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Commander,
    Scribe,
    CommunicationsLead,
}

impl Role {
    pub const ALL: [Self; 3] = [Self::Commander, Self::Scribe, Self::CommunicationsLead];

    pub fn name(self) -> &'static str {
        match self {
            Self::Commander => "commander",
            Self::Scribe => "scribe",
            Self::CommunicationsLead => "communications lead",
        }
    }
}

/// A one-line answer that people give for the postmortem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// What harm there was, in one line.
    Impact,
    /// `outage`, `degradation`, `data loss`, `security` or `risk`.
    ImpactKind,
    /// The share or number of users affected, such as "30% of users".
    Affected,
    /// What the users saw, a sentence.
    AffectedDetail,
    /// What broke, as it stands in a sentence: "the website of an e-commerce store".
    Service,
    /// `monitoring`, `user`, `engineer`, or other words.
    DetectedBy,
    RootCause,
    Resolution,
}

impl Field {
    /// The words for it in a sentence.
    pub fn name(self) -> &'static str {
        match self {
            Self::Impact => "the impact",
            Self::ImpactKind => "the kind of impact",
            Self::Affected => "who was affected",
            Self::AffectedDetail => "what people saw",
            Self::Service => "the service",
            Self::DetectedBy => "who noticed it",
            Self::RootCause => "the root cause",
            Self::Resolution => "the resolution",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// From 1, never used again.
    pub number: u32,
    pub text: String,
    pub owner: Option<UserId>,
    pub due_on: Option<NaiveDate>,
    pub done: bool,
}

/// Where the incident's Slack channel is on its way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Channel {
    #[default]
    Wanted,
    Open {
        id: ChannelId,
        name: String,
    },
    /// Could not be made or is gone: the reason.
    Failed {
        error: String,
    },
}

/// A page and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    pub id: PageId,
    pub escalation: EscalationId,
    pub step: super::event::Step,
    pub to: Recipient,
    pub because: String,
    pub due_at: DateTime<Utc>,
    pub attempts: u32,
    /// The message that carries the buttons, once Slack accepted it.
    pub message: Option<MessageRef>,
    /// Every page that the message stands for, if it is a digest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub digest: Vec<(IncidentId, PageId)>,
    pub dead: bool,
    pub declined: bool,
    /// Accepted by the mail server or the receiver of the webhook.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sent_elsewhere: bool,
    /// The page whose way had failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead_of: Option<PageId>,
    /// When it goes on by another way, unless it is accepted before; none if there is no other, or it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elsewhere_at: Option<DateTime<Utc>>,
    /// It asks whether held calls should go on, rather than calling anybody.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub asks: bool,
    /// What the history says of the tries since the last that went well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Trouble>,
}

impl Page {
    /// Whether whoever carries it has accepted it; that is not delivery.
    pub fn is_accepted(&self) -> bool {
        self.message.is_some() || self.sent_elsewhere
    }
}

/// How a page is failing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// Not accepted so far.
    Failing,
    /// At least one try may have gone out.
    Uncertain,
}

impl Trouble {
    /// What a try's result says; none for one that ended the matter.
    pub fn of(result: &PageResult) -> Option<Self> {
        match result {
            PageResult::Failed { .. } => Some(Self::Failing),
            PageResult::Unknown { .. } => Some(Self::Uncertain),
            PageResult::Sent { .. } | PageResult::SentElsewhere | PageResult::NotReached { .. } => None,
        }
    }
}

/// An alert that is firing for an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FiringAlert {
    pub integration: IntegrationKey,
    pub dedup_key: String,
    /// When a repetition was last written into the history, so that a storm does not flood it.
    pub noted_at: DateTime<Utc>,
    /// How often it fired, as far as the history says.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub counted: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counting: Option<Counting>,
}

/// What the events of one incident add up to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    pub id: IncidentId,
    pub workspace: WorkspaceId,
    /// What people call it: `INC-<number>`.
    pub number: i64,
    pub title: String,
    pub severity: Severity,
    pub status: Status,
    pub private: bool,
    pub zone: String,
    pub origin: Origin,
    pub nonce: String,
    pub opened_at: DateTime<Utc>,
    pub opened_by: Actor,
    pub declares: bool,
    pub resolved_at: Option<DateTime<Utc>>,
    /// Whether it was ever resolved: from then on every change writes the postmortem anew.
    pub concluded: bool,
    pub last_seq: Seq,
    pub last_update_at: Option<DateTime<Utc>>,
    /// Updates that came before there was a channel to show them in.
    #[serde(default)]
    pub updates_waiting: Vec<Seq>,
    pub roles: BTreeMap<Role, UserId>,
    /// Everybody who took part, in order of appearance of their ids.
    pub responders: BTreeSet<UserId>,
    pub impact_start_at: Option<DateTime<Utc>>,
    pub impact_end_at: Option<DateTime<Utc>>,
    pub fields: BTreeMap<Field, String>,
    pub measures: Vec<String>,
    pub tasks: Vec<Task>,
    /// How many tasks there have been: a removed task's number is not used again.
    pub tasks_ever: u32,
    pub prose: BTreeMap<String, String>,
    pub teams: Vec<TeamRef>,
    pub escalations: BTreeMap<EscalationId, Escalation>,
    pub pages: BTreeMap<PageId, Page>,
    /// Alerts that are firing for it; those of its storm are only numbers.
    pub alerts: Vec<FiringAlert>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storm: Option<Storm>,
    pub channel: Channel,
    pub card: Option<MessageRef>,
    pub announcement: Option<MessageRef>,
    pub postmortem_message: Option<MessageRef>,
    /// How often its history says that the machine's clock was set.
    #[serde(default)]
    pub clock_sets: u32,
    #[serde(default, rename = "engine")]
    pub decided_by: DecidedBy,
}

impl Incident {
    /// `INC-42`.
    pub fn name(&self) -> String {
        format!("INC-{}", self.number)
    }

    pub fn is_open(&self) -> bool {
        self.status.is_open()
    }

    /// Whether somebody opened it to write down what is over, rather than a person or an alert while it went on.
    pub fn is_retrospective(&self) -> bool {
        !self.declares && matches!(self.opened_by, Actor::Person { .. })
    }

    /// The timers that must exist for this state, each once.
    pub fn timers(&self) -> Vec<(Timer, DateTime<Utc>)> {
        let overdue = self.pages.values().filter(|page| !page.is_accepted() && self.is_awaited(page));
        let overdue = overdue.filter_map(|page| Some((Timer::PageOverdue { page: page.id }, page.elsewhere_at?)));
        self.escalations
            .values()
            .filter_map(|escalation| {
                let (id, generation) = (escalation.id, escalation.step.generation);
                match escalation.phase {
                    Phase::Active { next_due_at } => Some((Timer::TierDue { escalation: id, generation }, next_due_at)),
                    Phase::Acknowledged { lapses_at: Some(at), .. } => {
                        Some((Timer::AcknowledgementLapses { escalation: id, generation }, at))
                    }
                    Phase::Acknowledged { lapses_at: None, .. }
                    | Phase::Stopped
                    | Phase::Exhausted
                    | Phase::Held { .. } => None,
                }
            })
            .chain(overdue)
            .chain(self.alert_timers())
            .collect()
    }

    /// The timers of its alerts: numbers to be written down, and the end of a storm.
    fn alert_timers(&self) -> impl Iterator<Item = (Timer, DateTime<Utc>)> {
        let counting = self.alerts.iter().filter_map(|alert| {
            let (integration, dedup_key) = (alert.integration.clone(), alert.dedup_key.clone());
            Some((Timer::RepetitionsCounted { integration, dedup_key }, alert.counting?.until))
        });
        let quiet = self.storm.as_ref().and_then(|storm| Some((Timer::StormQuiet, storm.quiet_at?)));
        counting.chain(quiet).filter(|_| self.is_open())
    }

    /// Whether the answer to this page is still waited for.
    pub fn is_awaited(&self, page: &Page) -> bool {
        let escalation = self.escalations.get(&page.escalation);
        let calls = escalation.is_some_and(|found| matches!(found.phase, Phase::Active { .. } | Phase::Exhausted));
        let waits = if page.asks { self.held().next().is_some() } else { calls };
        self.is_open() && waits && !page.dead && !page.declined
    }

    /// The calls that wait until somebody says that they should go on or end.
    pub fn held(&self) -> impl Iterator<Item = &Escalation> {
        self.escalations.values().filter(|escalation| escalation.is_held())
    }

    /// The page in Slack with which the ways to somebody began; itself if it did not go elsewhere.
    pub fn first_way<'a>(&'a self, page: &'a Page) -> &'a Page {
        let mut first = page;
        while let Some(before) = first.instead_of.and_then(|before| self.pages.get(&before)) {
            first = before;
        }
        first
    }

    /// The pages of one escalation, oldest first.
    pub fn pages_of(&self, escalation: EscalationId) -> impl Iterator<Item = &Page> {
        self.pages.values().filter(move |page| page.escalation == escalation)
    }

    /// Whether this person was called, plays a part or opened it.
    pub fn involves(&self, user: &UserId) -> bool {
        self.responders.contains(user)
            || self.opened_by == Actor::Person { user: user.clone() }
            || self.pages.values().any(|page| page.to.user() == Some(user))
    }

    /// The id of its Slack channel, once there is one.
    pub fn channel_id(&self) -> Option<&ChannelId> {
        match &self.channel {
            Channel::Open { id, .. } => Some(id),
            Channel::Wanted | Channel::Failed { .. } => None,
        }
    }
}
