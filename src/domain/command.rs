//! What people, machines and timers ask for. Imperative; may be refused.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::event::{NoteKind, Origin, PageResult, Source};
use super::incident::{Field, Role, Severity, Status};
use super::permission::Action;
use super::postmortem::Format;
use crate::ids::{ChannelId, EscalationId, IntegrationKey, MessageRef, PageId, Seq, UserId};

/// When a person says it happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct When {
    /// `None` for "now".
    pub at: Option<DateTime<Utc>>,
    pub approx: bool,
}

/// Something to be decided about one incident (or about a new one).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    Open(Open),
    Detected {
        when: When,
        text: String,
        by: Option<String>,
        team: Option<String>,
    },
    Declare {
        when: When,
        text: String,
        team: Option<String>,
    },
    SetStatus {
        status: Status,
        text: Option<String>,
    },
    Mitigate {
        when: When,
        text: Option<String>,
        team: Option<String>,
    },
    Resolve {
        when: When,
        text: Option<String>,
        team: Option<String>,
    },
    Reopen {
        text: Option<String>,
    },
    Cancel {
        text: Option<String>,
    },
    /// The button under "Opened INC-42": cancels, for a short while.
    UndoOpening,
    SetSeverity {
        severity: Severity,
    },
    Retitle {
        title: String,
    },
    AssignRole {
        role: Role,
        user: UserId,
    },
    PostUpdate {
        text: String,
    },
    Note {
        when: When,
        kind: NoteKind,
        team: Option<String>,
        text: String,
    },
    /// A message that a person took into the timeline; its own time, author and link are kept.
    Capture {
        at: DateTime<Utc>,
        /// `None` if it is how the trouble was noticed.
        kind: Option<NoteKind>,
        text: String,
        source: Source,
    },
    /// A message marked with a reaction, which must be fetched first.
    RequestCapture {
        message: MessageRef,
        kind: NoteKind,
        /// Found afterwards: Slack had not delivered the mark.
        late: bool,
    },
    /// The message that this entry was taken from was edited or deleted in Slack.
    FollowMessage {
        target: Seq,
        change: MessageChange,
    },
    EditEntry {
        target: Seq,
        text: String,
    },
    RemoveEntry {
        target: Seq,
    },
    SetImpactStart {
        start_at: Option<DateTime<Utc>>,
    },
    SetImpactEnd {
        end_at: Option<DateTime<Utc>>,
    },
    /// Several answers at once, as a form gives them; `None` clears.
    SetFields {
        fields: Vec<(Field, Option<String>)>,
    },
    AddMeasure {
        text: String,
    },
    /// All measures as they shall be, as a form gives them.
    SetMeasures {
        measures: Vec<String>,
    },
    AddTask {
        text: String,
        owner: Option<UserId>,
        due_on: Option<NaiveDate>,
    },
    FinishTask {
        task: u32,
        done: bool,
    },
    RemoveTask {
        task: u32,
    },
    WriteProse {
        section: String,
        text: Option<String>,
    },
    /// The document as a file, by direct message to who asks.
    SendDocument {
        format: Format,
    },

    /// Call a team. `team` is what the person typed.
    Escalate {
        when: When,
        team: String,
        reason: Option<String>,
    },
    /// A team or person outside Firebell was called: only recorded.
    Called {
        when: When,
        team: Option<String>,
        text: String,
    },
    Acknowledge(Acknowledge),
    /// "Can't, call next" on a page.
    Decline {
        page: PageId,
        generation: u32,
    },
    /// The next tier now. A button carries the generation it was drawn for.
    EscalateNext {
        escalation: Option<EscalationId>,
        generation: Option<u32>,
        team: Option<String>,
        text: Option<String>,
    },
    /// Ends a call. A button carries the generation it was drawn for.
    StopEscalation {
        escalation: Option<EscalationId>,
        generation: Option<u32>,
        team: Option<String>,
        text: Option<String>,
    },

    /// A held call goes on with what was due. A button carries the generation it was drawn for.
    ResumeCall {
        escalation: EscalationId,
        generation: u32,
    },

    /// The button under "Called …": ends the call, for a short while.
    UndoCall {
        escalation: EscalationId,
        generation: u32,
    },

    /// A monitoring system says that something is wrong; joins the incident that has the same dedup key.
    AlertFired(Alert),
    AlertCleared {
        integration: IntegrationKey,
        dedup_key: String,
        text: String,
        at: DateTime<Utc>,
    },

    /// An alert that shares the incident of its storm gets an incident of its own; as it joined, with the storm's team.
    TakeAlertOut(Alert),

    /// A timer of this incident is due.
    TimerDue(Timer),
    /// The worker finished (or gave up) an effect of this incident.
    EffectFinished(Finished),
    /// The machine's clock was set by so much, noticed a moment ago; deadlines follow it by `deadlines`.
    ClockSet {
        step: TimeDelta,
        deadlines: TimeDelta,
    },
    /// The incident's channel was archived or deleted by somebody.
    ChannelGone {
        error: String,
    },
    /// A person wrote in the incident's channel, which keeps an acknowledgement alive.
    Activity {
        user: UserId,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    pub title: String,
    pub severity: Option<Severity>,
    pub private: bool,
    /// IANA zone of the opener.
    pub zone: Option<String>,
    pub origin: Origin,
    /// The moments come from what is entered; opening itself declares nothing.
    pub retrospective: bool,
    /// Random; for the channel's name if the plain one is taken.
    pub nonce: String,
    /// Call this team at once.
    pub escalate_to: Option<String>,
    /// How the trouble was noticed, if that was not by opening.
    pub detected: Option<Detection>,
}

/// What was noticed before the incident was opened: a message, or what the opener typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detection {
    pub when: When,
    pub text: String,
    pub by: Option<String>,
    pub source: Option<Source>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acknowledge {
    pub when: When,
    /// What was pressed: a page's button carries these.
    pub page: Option<PageId>,
    pub escalation: Option<EscalationId>,
    /// Or what was typed.
    pub team: Option<String>,
    pub text: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageChange {
    Edited { text: String },
    Deleted,
}

/// One alert, whichever monitoring system it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    pub integration: IntegrationKey,
    /// What tells one trouble from another, chosen by the sender; at most 255 characters.
    pub dedup_key: String,
    pub title: String,
    pub text: String,
    pub started_at: DateTime<Utc>,
    pub labels: std::collections::BTreeMap<String, String>,
    pub severity: Option<Severity>,
    pub team: Option<String>,
    pub link: Option<String>,
    /// Random; as in [`Open`].
    pub nonce: String,
}

/// What a timer is for. Timers are a projection of the state: `Incident::timers` lists those that must exist.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "timer", rename_all = "snake_case")]
pub enum Timer {
    /// The next step of an escalation.
    TierDue { escalation: EscalationId, generation: u32 },
    /// An acknowledgement without activity runs out.
    AcknowledgementLapses { escalation: EscalationId, generation: u32 },
    /// A page that was not accepted goes on by another way.
    PageOverdue { page: PageId },
    /// The number of an alert's repetitions is written down.
    RepetitionsCounted { integration: IntegrationKey, dedup_key: String },
    /// No further alert has joined the storm.
    StormQuiet,
}

/// What a failed page says of Slack itself, as distinct from the one whom it was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The app's token or its scopes are refused: nothing gets through until an administrator acts.
    Token,
    /// Slack cannot be reached, or breaks off.
    Network,
}

/// How an effect ended, as far as the history must know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "finished", rename_all = "snake_case")]
pub enum Finished {
    Page {
        page: PageId,
        attempt: u32,
        result: PageResult,
        /// Whether it was Slack's fault, if it failed.
        #[serde(default)]
        fault: Option<Fault>,
    },
    /// It was too late to send it without a question.
    PageTooLate {
        page: PageId,
    },
    ChannelCreated {
        channel: ChannelId,
        name: String,
    },
    ChannelFailed {
        error: String,
    },
    CardPosted {
        message: MessageRef,
    },
    AnnouncementPosted {
        message: MessageRef,
    },
    EscalationPosted {
        escalation: EscalationId,
        message: MessageRef,
    },
    PostmortemPosted {
        message: MessageRef,
    },
    /// The marked message, as it was when it was fetched.
    Captured {
        by: UserId,
        kind: NoteKind,
        at: DateTime<Utc>,
        text: String,
        source: Source,
    },
    /// The document cannot be sent to who asked for it.
    DocumentNotSent {
        to: UserId,
        format: Format,
        error: String,
    },
    /// Done, and the history need not know.
    Quietly,
}

impl Command {
    /// What the person must be allowed to do; `None` for what only Firebell itself asks, and for looking.
    pub fn needs(&self) -> Option<Action> {
        match self {
            Self::Open(_) | Self::TakeAlertOut(_) => Some(Action::Open),
            Self::Escalate { .. }
            | Self::EscalateNext { .. }
            | Self::StopEscalation { .. }
            | Self::ResumeCall { .. }
            | Self::UndoCall { .. } => Some(Action::Escalate),
            Self::Acknowledge(_) | Self::Decline { .. } => Some(Action::Acknowledge),
            Self::Resolve { .. } | Self::Reopen { .. } | Self::Cancel { .. } | Self::UndoOpening => {
                Some(Action::Resolve)
            }
            Self::SetStatus { status, .. } if !status.is_open() => Some(Action::Resolve),
            Self::Detected { .. }
            | Self::Declare { .. }
            | Self::SetStatus { .. }
            | Self::Mitigate { .. }
            | Self::SetSeverity { .. }
            | Self::Retitle { .. }
            | Self::AssignRole { .. }
            | Self::PostUpdate { .. }
            | Self::Note { .. }
            | Self::Capture { .. }
            | Self::RequestCapture { .. }
            | Self::EditEntry { .. }
            | Self::RemoveEntry { .. }
            | Self::SetImpactStart { .. }
            | Self::SetImpactEnd { .. }
            | Self::SetFields { .. }
            | Self::AddMeasure { .. }
            | Self::SetMeasures { .. }
            | Self::AddTask { .. }
            | Self::FinishTask { .. }
            | Self::RemoveTask { .. }
            | Self::WriteProse { .. }
            | Self::Called { .. } => Some(Action::Contribute),
            Self::SendDocument { .. }
            | Self::FollowMessage { .. }
            | Self::AlertFired(_)
            | Self::AlertCleared { .. }
            | Self::TimerDue(_)
            | Self::EffectFinished(_)
            | Self::ClockSet { .. }
            | Self::ChannelGone { .. }
            | Self::Activity { .. } => None,
        }
    }

    /// Whether a person asks for it, so that an incident they may not see does not exist for them.
    pub fn is_asked(&self) -> bool {
        self.needs().is_some() || matches!(self, Self::SendDocument { .. })
    }

    /// Whether it may open an incident where there is none.
    pub fn opens(&self) -> bool {
        matches!(self, Self::Open(_) | Self::AlertFired(_))
    }
}
