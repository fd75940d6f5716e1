//! What has happened: the history of an incident, of which the timeline and the postmortem are views.
//!
//! Stored as JSON for ever: a variant or field may be added with a default, never renamed or removed
//! (`tests/it/golden.rs` holds one of each).

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::contact::ContactMethod;
use super::hold::Resume;
use super::incident::{Field, Role, Severity, Status};
use super::policy::{Policy, Target};
use super::postmortem::Format;
use crate::ids::{ChannelId, EscalationId, IncidentId, IntegrationKey, MessageRef, PageId, Seq, TeamKey, UserId};

/// An event with its place in the history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    pub seq: Seq,
    /// When it was written down.
    pub recorded_at: DateTime<Utc>,
    #[serde(flatten)]
    pub occurrence: Occurrence,
}

/// An event with its circumstances, as `decide` makes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Occurrence {
    /// When it happened; earlier than the recording for a backdated note or a captured message.
    pub at: DateTime<Utc>,
    /// "About then": the person was not sure of `at`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub approx: bool,
    pub actor: Actor,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    pub event: Event,
}

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "who", rename_all = "snake_case")]
pub enum Actor {
    Person {
        user: UserId,
    },
    /// Firebell itself: a timer, an outcome, a consequence.
    Firebell,
    Integration {
        integration: IntegrationKey,
    },
    /// Somebody at the command line of the machine.
    Operator,
    /// Whoever answered by the link that was sent to the fallback's own contact method.
    Fallback,
}

/// Where the evidence is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum Source {
    /// A Slack message that was taken into the timeline.
    Message {
        message: MessageRef,
        author: Option<UserId>,
        permalink: Option<String>,
        files: Vec<File>,
        /// Taken afterwards: Slack had not delivered that somebody marked it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        late: bool,
    },
    /// A link that a monitoring system gave.
    Link { url: String },
}

/// A file that came with a captured message; kept as a link, not as bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    pub name: String,
    pub permalink: String,
}

/// What kind of note a person took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoteKind {
    #[default]
    Note,
    /// Something was done that changes the system.
    Action,
    Finding,
    RuledOut,
    Decision,
    /// A key moment (:pushpin:).
    Key,
}

/// A team as it was called when the event happened.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TeamRef {
    /// `None` for a team that is not configured, as in a recorded incident.
    pub key: Option<TeamKey>,
    pub name: String,
}

/// One page that a tier sends: whom, and why them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedPage {
    pub page: PageId,
    pub to: Recipient,
    /// The way from the policy to this person, such as "@db-team".
    pub because: String,
    /// Whether another way is known, should this one fail.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub elsewhere: bool,
}

/// The end of a target: one person, or one channel; and by which way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Recipient {
    User {
        user: UserId,
    },
    Channel {
        channel: ChannelId,
        mention: super::policy::Mention,
    },
    /// Besides Slack: a person, or nobody in particular where it is the fallback's own way.
    Contact {
        of: Option<UserId>,
        by: ContactMethod,
    },
}

impl Recipient {
    /// The person it is for, by whichever way.
    pub fn user(&self) -> Option<&UserId> {
        match self {
            Self::User { user } => Some(user),
            Self::Contact { of, .. } => of.as_ref(),
            Self::Channel { .. } => None,
        }
    }
}

/// Why a page goes on by another way. The tries by the way before are not given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Detour {
    /// Not accepted in time.
    Late,
    /// Refused for good.
    Refused,
    /// Slack takes no page of anybody at present.
    SlackAway,
}

/// A target of a tier that could not be paged at all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreachable {
    pub target: Target,
    pub why: String,
}

/// Which run of the tiers sends pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// From 1.
    pub round: u32,
    /// From 1; 0 stands for the fallback targets.
    pub tier: u32,
    /// Rises with every step of the escalation; buttons and timers carry it, so that stale ones are known.
    pub generation: u32,
}

/// How the attempt at one page ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum PageResult {
    /// Slack accepted it. That is not delivery: only an acknowledgement stops an escalation.
    Sent {
        message: MessageRef,
        /// Every page that this message stands for, this one among them; empty if it has the message to itself.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        digest: Vec<(IncidentId, PageId)>,
    },
    /// A mail server, or the receiver of a webhook, accepted it. That is not delivery either.
    SentElsewhere,
    /// Refused for good: this person is not reached this way.
    NotReached { error: String },
    /// Refused for now; tried again at the given instant.
    Failed { error: String, retry_at: DateTime<Utc> },
    /// Nobody knows whether it went out, so it is sent again.
    Unknown { error: String },
}

/// What made an incident open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Origin {
    Command { channel: Option<ChannelId> },
    Message { message: MessageRef },
    Alert { integration: IntegrationKey, dedup_key: String },
}

/// How often an alert is repeated by an event that does not say.
pub(super) fn once() -> u64 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
pub(super) fn is_once(count: &u64) -> bool {
    *count == 1
}

/// Everything that can happen in an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The incident exists from here on.
    Opened {
        number: i64,
        title: String,
        severity: Severity,
        private: bool,
        /// IANA zone in which its documents show time.
        zone: String,
        origin: Origin,
        /// Whether opening declares the incident (a person opens it live), or the record itself will say
        /// (an alert, a retrospective entry).
        declares: bool,
        /// A random part for a channel name that is already taken.
        nonce: String,
    },
    /// A person or a monitor of ours knows of the trouble.
    Detected {
        text: String,
        by: Option<String>,
        team: Option<TeamRef>,
    },
    Declared {
        text: String,
        team: Option<TeamRef>,
    },
    StatusChanged {
        from: Status,
        to: Status,
        text: Option<String>,
    },
    /// Users are no longer harmed.
    Mitigated {
        text: String,
        team: Option<TeamRef>,
    },
    Resolved {
        text: Option<String>,
        team: Option<TeamRef>,
    },
    Reopened {
        text: Option<String>,
        because: Option<String>,
    },
    Canceled {
        text: Option<String>,
    },
    SeverityChanged {
        from: Severity,
        to: Severity,
    },
    TitleChanged {
        from: String,
        to: String,
    },
    RoleAssigned {
        role: Role,
        user: UserId,
    },
    /// For everybody who follows the incident.
    UpdatePosted {
        text: String,
    },
    Noted {
        kind: NoteKind,
        team: Option<TeamRef>,
        text: String,
    },
    /// The text of an earlier event was corrected, by a person or by editing the captured message.
    TextEdited {
        target: Seq,
        text: String,
    },
    /// An earlier entry no longer shows: taken back, or its message was deleted.
    EntryRemoved {
        target: Seq,
        because: String,
    },
    ImpactStartSet {
        start_at: Option<DateTime<Utc>>,
    },
    ImpactEndSet {
        end_at: Option<DateTime<Utc>>,
    },
    FieldSet {
        field: Field,
        value: Option<String>,
    },
    MeasureAdded {
        text: String,
    },
    MeasureRemoved {
        index: u32,
    },
    TaskAdded {
        task: u32,
        text: String,
        owner: Option<UserId>,
        due_on: Option<NaiveDate>,
    },
    TaskDone {
        task: u32,
        done: bool,
    },
    TaskRemoved {
        task: u32,
    },
    /// A person wrote a section of the postmortem; it replaces the generated text until it is cleared.
    ProseWritten {
        section: String,
        text: Option<String>,
    },

    /// A team was called. Without an escalation it was called outside Firebell and is only recorded.
    Escalated {
        escalation: Option<EscalationId>,
        team: Option<TeamRef>,
        text: Option<String>,
        policy: Option<Policy>,
    },
    /// A tier's time has come: these pages go out, and the next step is due at `next_due_at`.
    TierStarted {
        escalation: EscalationId,
        step: Step,
        due_at: DateTime<Utc>,
        next_due_at: DateTime<Utc>,
        pages: Vec<PlannedPage>,
        unreachable: Vec<Unreachable>,
    },
    /// Nobody in the tier could be paged; the next one follows at once.
    TierSkipped {
        escalation: EscalationId,
        step: Step,
        unreachable: Vec<Unreachable>,
    },
    PageAttempted {
        page: PageId,
        attempt: u32,
        result: PageResult,
    },
    /// A page goes on by another way, as the page `next`; none if there is no other.
    PagedElsewhere {
        escalation: EscalationId,
        step: Step,
        page: PageId,
        because: Detour,
        next: Option<PlannedPage>,
    },
    /// A human has it. Stops the tiers of that escalation.
    Acknowledged {
        escalation: Option<EscalationId>,
        team: Option<TeamRef>,
        user: Option<UserId>,
        text: Option<String>,
    },
    /// One more human joined after somebody else had it already.
    JoinedAcknowledged {
        escalation: Option<EscalationId>,
        team: Option<TeamRef>,
        user: Option<UserId>,
        text: Option<String>,
    },
    /// The acknowledger showed no sign of activity in time; paging goes on.
    AcknowledgementLapsed {
        escalation: EscalationId,
        user: Option<UserId>,
    },
    Declined {
        escalation: EscalationId,
        page: PageId,
        user: UserId,
    },
    /// The acknowledger is at work, so the acknowledgement holds until then.
    ActivitySeen {
        escalation: EscalationId,
        user: UserId,
        lapses_at: DateTime<Utc>,
    },
    /// A person asked for the next tier now; an acknowledgement is taken back by it.
    EscalationAdvanced {
        escalation: EscalationId,
        text: Option<String>,
    },
    EscalationStopped {
        escalation: EscalationId,
        text: Option<String>,
    },
    /// Every tier of every round went unanswered.
    EscalationExhausted {
        escalation: EscalationId,
        step: Step,
        pages: Vec<PlannedPage>,
        unreachable: Vec<Unreachable>,
    },
    /// A page that could not go out for so long that it is not sent any more without a question.
    PageWithheld {
        escalation: EscalationId,
        page: PageId,
    },
    /// What was due then is so late that nobody is paged before somebody says so. The pages ask; there are none if people
    /// are being asked about the incident already.
    EscalationHeld {
        escalation: EscalationId,
        step: Step,
        due_at: DateTime<Utc>,
        #[serde(flatten)]
        resume: Resume,
        pages: Vec<PlannedPage>,
        unreachable: Vec<Unreachable>,
    },
    /// A held call goes on with what was due.
    EscalationResumed {
        escalation: EscalationId,
        text: Option<String>,
    },

    /// An alert is firing for this incident; plumbing beside `Detected`, which tells people.
    AlertFiring {
        integration: IntegrationKey,
        dedup_key: String,
    },
    /// The monitoring system repeated an alert of this incident: once, or as often as `count` says from `first_at` to
    /// `last_at`.
    AlertRepeated {
        integration: IntegrationKey,
        dedup_key: String,
        text: String,
        #[serde(default = "once", skip_serializing_if = "is_once")]
        count: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        first_at: Option<DateTime<Utc>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last_at: Option<DateTime<Utc>>,
    },
    /// Further repetitions of an alert are counted until then, and told as one; plumbing.
    AlertCounting {
        integration: IntegrationKey,
        dedup_key: String,
        until: DateTime<Utc>,
    },
    /// So many incidents were opened by alerts within a minute that further alerts for the team join this one.
    StormBegan {
        team: Option<TeamKey>,
        openings: u32,
        quiet_s: u32,
    },
    /// An alert that joined the incident of its storm.
    AlertJoined {
        integration: IntegrationKey,
        dedup_key: String,
        title: String,
        severity: Option<Severity>,
    },
    /// No further alert has joined for a while: the next opens an incident of its own again.
    StormEnded {
        alerts: u32,
        cleared: u32,
        /// How often they fired in all, repetitions included.
        fired: u64,
    },
    AlertCleared {
        integration: IntegrationKey,
        dedup_key: String,
        text: String,
    },
    /// A person took an alert out of the incident of its storm: it belongs to the incident of the number `into` now.
    AlertTakenOut {
        integration: IntegrationKey,
        dedup_key: String,
        title: String,
        into: i64,
    },
    /// This incident was opened for an alert that was taken out of the storm of that number.
    AlertTakenFrom {
        number: i64,
    },

    /// The clock of the machine that Firebell runs on was set, which is no ordinary passing of time. Deadlines under way
    /// were moved by `deadlines_ms`, so that they are as far away as before; 0 where they were left alone.
    ClockSet {
        step_ms: i64,
        #[serde(default)]
        deadlines_ms: i64,
    },

    /// Somebody was made anonymous in this history: the entries that named them are erased, and copies that say `pseudonym`
    /// are read in their place. `copies` is a sum over all copies that the incident had then, so that the chain vouches for
    /// them too.
    PersonErased {
        pseudonym: UserId,
        copies: String,
    },

    /// A person marked a message that must be fetched before it can be taken into the timeline.
    CaptureRequested {
        message: MessageRef,
        kind: NoteKind,
        /// Found afterwards: Slack had not delivered the mark.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        late: bool,
    },
    /// A person wants the document as a file. Firebell's own entry, because asking makes nobody a responder.
    DocumentRequested {
        by: UserId,
        format: Format,
    },
    /// The document could not be sent to who asked for it.
    DocumentNotSent {
        to: UserId,
        format: Format,
        error: String,
    },
    ChannelCreated {
        channel: ChannelId,
        name: String,
    },
    /// The channel could not be made, or is gone; the incident goes on in direct messages.
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
}
