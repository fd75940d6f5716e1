//! The timeline: a view of an incident's history as people read it.
//!
//! Corrections and removals are applied, plumbing is left out, and everything is sorted by the moment it happened. The
//! history itself is never changed here, and nothing is decided.

pub mod alerts;
pub mod calls;
pub mod people;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::civil::format::duration_short;
use super::event::{Actor, Detour, Event, NoteKind, PageResult, PlannedPage, Recorded, Source, TeamRef, Unreachable};
use super::hold::Resume;
use super::incident::Status;
use crate::ids::{EscalationId, PageId, Seq};
use people::People;

/// What an entry tells of. The first eight are what recorded incidents are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntryKind {
    Detected,
    Declared,
    Escalated,
    Note,
    Action,
    Ack,
    Mitigated,
    Resolved,
    Opened,
    Status,
    Severity,
    Title,
    Role,
    Update,
    Reopened,
    Canceled,
    /// What a monitoring system said later.
    Alert,
    /// One step of calling a team.
    Page,
}

impl EntryKind {
    /// The word in JSON and in the names of styles.
    pub fn word(self) -> &'static str {
        match self {
            Self::Detected => "detected",
            Self::Declared => "declared",
            Self::Escalated => "escalated",
            Self::Note => "note",
            Self::Action => "action",
            Self::Ack => "ack",
            Self::Mitigated => "mitigated",
            Self::Resolved => "resolved",
            Self::Opened => "opened",
            Self::Status => "status",
            Self::Severity => "severity",
            Self::Title => "title",
            Self::Role => "role",
            Self::Update => "update",
            Self::Reopened => "reopened",
            Self::Canceled => "canceled",
            Self::Alert => "alert",
            Self::Page => "page",
        }
    }
}

/// One correction of an entry's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The text before it.
    pub from: String,
    pub at: DateTime<Utc>,
    pub by: Actor,
}

/// One line of the timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub seq: Seq,
    pub at: DateTime<Utc>,
    pub recorded_at: DateTime<Utc>,
    pub approx: bool,
    pub kind: EntryKind,
    /// For a note: which kind of note.
    pub tag: Option<NoteKind>,
    pub team: Option<TeamRef>,
    /// Empty where the kind says it all.
    pub text: String,
    /// Added by Firebell itself: not said by a person or a monitoring system.
    pub auto: bool,
    pub actor: Actor,
    pub source: Option<Source>,
    /// Oldest first.
    pub edits: Vec<Edit>,
    pub escalation: Option<EscalationId>,
}

impl Entry {
    /// A state change, a call, an answer or a note that somebody marked: what a hurried reader wants.
    pub fn is_key(&self) -> bool {
        match self.kind {
            EntryKind::Note => self.tag.is_some_and(|tag| tag != NoteKind::Note),
            EntryKind::Opened | EntryKind::Title | EntryKind::Role | EntryKind::Alert | EntryKind::Page => false,
            EntryKind::Detected
            | EntryKind::Declared
            | EntryKind::Escalated
            | EntryKind::Action
            | EntryKind::Ack
            | EntryKind::Mitigated
            | EntryKind::Resolved
            | EntryKind::Status
            | EntryKind::Severity
            | EntryKind::Update
            | EntryKind::Reopened
            | EntryKind::Canceled => true,
        }
    }
}

/// Every entry, those of Firebell itself included (marked `auto`), sorted by (instant, place in the history).
pub fn timeline(history: &[Recorded], people: &People<'_>) -> Vec<Entry> {
    let mut view = View::default();
    for recorded in history {
        view.take(recorded, people);
    }
    let mut entries: Vec<Entry> = view.entries.into_values().collect();
    entries.sort_by_key(|entry| (entry.at, entry.seq));
    entries
}

#[derive(Default)]
struct View<'h> {
    entries: BTreeMap<Seq, Entry>,
    teams: BTreeMap<EscalationId, TeamRef>,
    pages: BTreeMap<PageId, (EscalationId, &'h PlannedPage)>,
    /// Pages that ask whether held calls should go on.
    questions: BTreeSet<PageId>,
    last: Option<&'h Recorded>,
    storms: bool,
    joined: Option<RunOfAlerts>,
    cleared: Option<RunOfAlerts>,
}

/// Alerts of a storm within this time are one entry.
const RUN_OF_ALERTS: chrono::TimeDelta = chrono::TimeDelta::minutes(15);

/// Alerts that are told as one entry.
struct RunOfAlerts {
    entry: Seq,
    began_at: DateTime<Utc>,
    /// What the entry said of the first alone.
    first: Option<String>,
    count: u32,
}

/// What one event contributes, before its circumstances are added.
struct Told {
    kind: EntryKind,
    tag: Option<NoteKind>,
    team: Option<TeamRef>,
    text: String,
    auto: bool,
    escalation: Option<EscalationId>,
}

impl Told {
    fn new(kind: EntryKind, text: impl Into<String>) -> Self {
        Self { kind, tag: None, team: None, text: text.into(), auto: false, escalation: None }
    }

    fn auto(self) -> Self {
        Self { auto: true, ..self }
    }

    fn team(self, team: Option<&TeamRef>) -> Self {
        Self { team: team.cloned(), ..self }
    }

    fn escalation(self, escalation: Option<EscalationId>) -> Self {
        Self { escalation, ..self }
    }
}

impl<'h> View<'h> {
    fn take(&mut self, recorded: &'h Recorded, people: &People<'_>) {
        let occurrence = &recorded.occurrence;
        if let Event::TextEdited { target, text } = &occurrence.event {
            if let Some(entry) = self.entries.get_mut(target) {
                let from = std::mem::replace(&mut entry.text, people.readable(text));
                entry.edits.push(Edit { from, at: occurrence.at, by: occurrence.actor.clone() });
            }
        } else if let Event::EntryRemoved { target, .. } = &occurrence.event {
            self.entries.remove(target);
        } else if self.joins_the_last(recorded) {
            // Told with the alert before it.
        } else if let Some(told) = self.tell(recorded, people) {
            let entry = Entry {
                seq: recorded.seq,
                at: occurrence.at,
                recorded_at: recorded.recorded_at,
                approx: occurrence.approx,
                kind: told.kind,
                tag: told.tag,
                team: told.team,
                text: people.readable(&told.text),
                auto: told.auto || occurrence.actor == Actor::Firebell,
                actor: occurrence.actor.clone(),
                source: occurrence.source.clone(),
                edits: Vec::new(),
                escalation: told.escalation,
            };
            self.entries.insert(recorded.seq, entry);
        }
        self.last = Some(recorded);
    }

    /// Alerts of a storm that come one after the other, or are cleared so, are one entry, which counts them.
    fn joins_the_last(&mut self, recorded: &Recorded) -> bool {
        let event = &recorded.occurrence.event;
        let (run, words) = match event {
            Event::AlertJoined { .. } => (&mut self.joined, "alerts joined, the first"),
            Event::AlertCleared { .. } if self.storms => (&mut self.cleared, "alerts were cleared, the first"),
            // What happens between them does not part them.
            Event::StormBegan { .. } => {
                self.storms = true;
                return false;
            }
            _ => return false,
        };
        let within = run.as_ref().filter(|run| recorded.recorded_at - run.began_at < RUN_OF_ALERTS);
        let Some(found) = within.and_then(|run| self.entries.get_mut(&run.entry)) else {
            *run = Some(RunOfAlerts { entry: recorded.seq, began_at: recorded.recorded_at, first: None, count: 1 });
            return false;
        };
        if let Some(run) = run {
            run.count += 1;
            let first = run.first.get_or_insert_with(|| found.text.clone());
            let over = (recorded.recorded_at - run.began_at).num_seconds().max(1);
            found.text = format!("{} {words}: {first} (within {over} s)", run.count);
            found.source = None;
        }
        true
    }

    /// `None` for what is not a line of the timeline: plumbing, and the fields of the document.
    fn tell(&mut self, recorded: &'h Recorded, people: &People<'_>) -> Option<Told> {
        let text_of = |text: &Option<String>| text.clone().unwrap_or_default();
        Some(match &recorded.occurrence.event {
            Event::Opened { title, declares, .. } => {
                let kind = if *declares { EntryKind::Declared } else { EntryKind::Opened };
                Told::new(kind, title).auto()
            }
            Event::Detected { text, team, .. } => Told::new(EntryKind::Detected, text).team(team.as_ref()),
            Event::Declared { text, team } => Told::new(EntryKind::Declared, text).team(team.as_ref()),
            Event::StatusChanged { to, text, .. } => {
                if text.is_none() && self.follows_from_the_last(recorded, *to) {
                    return None;
                }
                let text = text.as_deref().unwrap_or_default();
                Told::new(EntryKind::Status, format!("{}{}", capitalised(to.word()), after_colon(text)))
            }
            Event::Mitigated { text, team } => Told::new(EntryKind::Mitigated, text).team(team.as_ref()),
            Event::Resolved { text, team } => Told::new(EntryKind::Resolved, text_of(text)).team(team.as_ref()),
            Event::Reopened { text, because } => {
                Told::new(EntryKind::Reopened, text.clone().or_else(|| because.clone()).unwrap_or_default())
            }
            Event::Canceled { text } => Told::new(EntryKind::Canceled, text_of(text)),
            Event::SeverityChanged { from, to } => Told::new(EntryKind::Severity, format!("{from} to {to}")),
            Event::TitleChanged { from, to } => Told::new(EntryKind::Title, format!("“{from}” is now “{to}”")),
            Event::RoleAssigned { role, user } => {
                let told = Told::new(EntryKind::Role, people.given(*role, user));
                if self.opens_the_incident(recorded) { told.auto() } else { told }
            }
            Event::UpdatePosted { text } => Told::new(EntryKind::Update, text),
            Event::Noted { kind, team, text } => {
                let entry_kind = if *kind == NoteKind::Action { EntryKind::Action } else { EntryKind::Note };
                Told { tag: Some(*kind), ..Told::new(entry_kind, text).team(team.as_ref()) }
            }
            Event::AlertRepeated { count, first_at: Some(first), last_at: Some(last), .. } => {
                Told::new(EntryKind::Alert, repeated(*count, *last - *first)).auto()
            }
            Event::AlertRepeated { text, .. } => Told::new(EntryKind::Alert, text).auto(),
            Event::StormBegan { openings, .. } => {
                let text = format!("Alert storm: {openings} incidents within a minute, further alerts join this one");
                Told::new(EntryKind::Alert, text).auto()
            }
            Event::AlertJoined { title, .. } => Told::new(EntryKind::Alert, title).auto(),
            Event::StormEnded { alerts, cleared, fired } => {
                Told::new(EntryKind::Alert, storm_ended(*alerts, *cleared, *fired)).auto()
            }
            Event::AlertCleared { text, .. } => Told::new(EntryKind::Alert, text),
            Event::AlertTakenOut { title, into, .. } => {
                Told::new(EntryKind::Alert, format!("“{title}” taken out of the storm, into INC-{into}"))
            }
            Event::AlertTakenFrom { number } => {
                Told::new(EntryKind::Alert, format!("Taken out of INC-{number}, an alert storm"))
            }
            Event::PersonErased { pseudonym, .. } => {
                Told::new(EntryKind::Note, format!("Somebody was made anonymous: here they are “{pseudonym}”")).auto()
            }
            Event::ClockSet { step_ms, .. } => Told::new(EntryKind::Note, clock_set(*step_ms)).auto(),
            Event::Escalated { .. }
            | Event::TierStarted { .. }
            | Event::TierSkipped { .. }
            | Event::PagedElsewhere { .. }
            | Event::PageAttempted { .. }
            | Event::Acknowledged { .. }
            | Event::JoinedAcknowledged { .. }
            | Event::AcknowledgementLapsed { .. }
            | Event::Declined { .. }
            | Event::EscalationAdvanced { .. }
            | Event::EscalationStopped { .. }
            | Event::PageWithheld { .. }
            | Event::EscalationHeld { .. }
            | Event::EscalationResumed { .. }
            | Event::EscalationExhausted { .. } => return Some(self.tell_call(recorded, people)),
            Event::TextEdited { .. }
            | Event::EntryRemoved { .. }
            | Event::ImpactStartSet { .. }
            | Event::ImpactEndSet { .. }
            | Event::FieldSet { .. }
            | Event::MeasureAdded { .. }
            | Event::MeasureRemoved { .. }
            | Event::TaskAdded { .. }
            | Event::TaskDone { .. }
            | Event::TaskRemoved { .. }
            | Event::ProseWritten { .. }
            | Event::ChannelCreated { .. }
            | Event::ChannelFailed { .. }
            | Event::CardPosted { .. }
            | Event::AnnouncementPosted { .. }
            | Event::EscalationPosted { .. }
            | Event::ActivitySeen { .. }
            | Event::AlertFiring { .. }
            | Event::AlertCounting { .. }
            | Event::DocumentRequested { .. }
            | Event::DocumentNotSent { .. }
            | Event::CaptureRequested { .. }
            | Event::PostmortemPosted { .. } => return None,
        })
    }

    /// The events of calling a team.
    fn tell_call(&mut self, recorded: &'h Recorded, people: &People<'_>) -> Told {
        let text_of = |text: &Option<String>| text.clone().unwrap_or_default();
        match &recorded.occurrence.event {
            Event::Escalated { escalation, team, text, .. } => {
                if let (Some(escalation), Some(team)) = (escalation, team) {
                    self.teams.insert(*escalation, team.clone());
                }
                Told::new(EntryKind::Escalated, text_of(text)).team(team.as_ref()).escalation(*escalation)
            }
            Event::Acknowledged { escalation, team, user, text }
            | Event::JoinedAcknowledged { escalation, team, user, text } => {
                // Who presses the button answers that call; who writes something down says whose answer it was.
                let called = escalation.filter(|_| text.is_none()).and_then(|id| self.teams.get(&id));
                let team = team.as_ref().or(called);
                let text = text.clone().unwrap_or_else(|| {
                    user.as_ref()
                        .map_or_else(String::new, |user| format!("{} has it", capitalised(&people.on_call(user))))
                });
                Told::new(EntryKind::Ack, text).team(team).escalation(*escalation)
            }
            Event::TierStarted { escalation, step, pages, unreachable, .. } => {
                self.remember(*escalation, pages);
                let whom = people.recipients(pages.iter().map(|page| &page.to));
                let text = format!("Paged {whom} (round {}, tier {}){}", step.round, step.tier, missed(unreachable));
                self.page(*escalation, text).auto()
            }
            Event::TierSkipped { escalation, step, unreachable } => {
                let text = format!("Tier {} skipped: nobody in it could be paged{}", step.tier, missed(unreachable));
                self.page(*escalation, text).auto()
            }
            Event::PageAttempted { page, attempt, result } => {
                let planned = self.pages.get(page);
                let whom = people.recipients(planned.map(|(_, page)| &page.to));
                let what = if self.questions.contains(page) { "Question" } else { "Page" };
                let text = match result {
                    PageResult::Sent { digest, .. } if digest.len() > 1 => {
                        format!(
                            "{what} to {whom} sent in one message with {} others (attempt {attempt})",
                            digest.len() - 1
                        )
                    }
                    PageResult::Sent { .. } | PageResult::SentElsewhere => {
                        format!("{what} to {whom} sent (attempt {attempt})")
                    }
                    PageResult::NotReached { error } => format!("{} not reached: {error}", capitalised(&whom)),
                    PageResult::Failed { error, .. } => format!("{what} to {whom} failed, tried again: {error}"),
                    PageResult::Unknown { error } => format!("{what} to {whom} uncertain, sent again: {error}"),
                };
                let escalation = planned.map(|(escalation, _)| *escalation);
                let team = escalation.and_then(|id| self.teams.get(&id));
                Told::new(EntryKind::Page, text).team(team).escalation(escalation).auto()
            }
            Event::PagedElsewhere { escalation, page, because, next, .. } => {
                let whom = people.recipients(self.pages.get(page).map(|(_, page)| &page.to));
                let trouble = match because {
                    Detour::Late => format!("the page to {whom} was not accepted in time"),
                    Detour::Refused => format!("the page to {whom} was refused"),
                    Detour::SlackAway => "Slack takes no pages at present".to_owned(),
                };
                self.remember(*escalation, next.as_slice());
                let asks = self.questions.contains(page);
                self.questions.extend(next.iter().filter(|_| asks).map(|next| next.page));
                let then = match next {
                    Some(next) if asks => format!("Asked {}", people.recipients([&next.to])),
                    Some(next) => format!("Paged {}", people.recipients([&next.to])),
                    None => format!("No other way to {whom}"),
                };
                self.page(*escalation, format!("{then}: {trouble}")).auto()
            }
            Event::AcknowledgementLapsed { escalation, user } => {
                let who = user.as_ref().map_or_else(|| "the acknowledger".to_owned(), |user| people.on_call(user));
                self.page(*escalation, format!("No sign of activity from {who}; paging goes on")).auto()
            }
            Event::Declined { escalation, user, .. } => {
                self.page(*escalation, format!("{} cannot take it", capitalised(&people.on_call(user))))
            }
            Event::EscalationAdvanced { escalation, text } => {
                let text = text.as_deref().unwrap_or_default();
                self.page(*escalation, format!("Next tier asked for{}", after_colon(text)))
            }
            Event::EscalationStopped { escalation, text } => {
                let text = text.as_deref().unwrap_or_default();
                self.page(*escalation, format!("Paging stopped{}", after_colon(text)))
            }
            Event::PageWithheld { escalation, page } => {
                let whom = people.recipients(self.pages.get(page).map(|(_, page)| &page.to));
                self.page(
                    *escalation,
                    format!("Page to {whom} not sent any more: too late to go out without a question"),
                )
                .auto()
            }
            Event::EscalationHeld { escalation, due_at, resume, pages, .. } => {
                self.remember(*escalation, pages);
                self.questions.extend(pages.iter().map(|page| page.page));
                let late = duration_short((recorded.occurrence.at - *due_at).num_seconds());
                let what = match resume {
                    Resume::NextStep => "the next step was",
                    Resume::SameStep => "this step was",
                    Resume::Lapsed { .. } => "calling again was",
                };
                let asked = match pages.as_slice() {
                    [] => String::new(),
                    pages => format!("; asked {} first", people.recipients(pages.iter().map(|page| &page.to))),
                };
                self.page(*escalation, format!("On hold, nobody paged: {what} due {late} earlier{asked}")).auto()
            }
            Event::EscalationResumed { escalation, text } => {
                let text = text.as_deref().unwrap_or_default();
                self.page(*escalation, format!("Paging goes on{}", after_colon(text)))
            }
            Event::EscalationExhausted { escalation, pages, unreachable, .. } => {
                self.remember(*escalation, pages);
                let last = if pages.is_empty() {
                    String::new()
                } else {
                    format!("; as a last resort paged {}", people.recipients(pages.iter().map(|page| &page.to)))
                };
                self.page(*escalation, format!("Nobody answered{last}{}", missed(unreachable))).auto()
            }
            other => unreachable!("{other:?} is not an event of a call"),
        }
    }

    fn page(&self, escalation: EscalationId, text: String) -> Told {
        Told::new(EntryKind::Page, text).team(self.teams.get(&escalation)).escalation(Some(escalation))
    }

    fn remember(&mut self, escalation: EscalationId, pages: &'h [PlannedPage]) {
        self.pages.extend(pages.iter().map(|page| (page.page, (escalation, page))));
    }

    /// A status that merely follows from the moment recorded just before says nothing new.
    fn follows_from_the_last(&self, recorded: &Recorded, to: Status) -> bool {
        self.last.is_some_and(|last| {
            last.recorded_at == recorded.recorded_at
                && match last.occurrence.event {
                    Event::Mitigated { .. } => to == Status::Monitoring,
                    Event::Resolved { .. } => to == Status::Resolved,
                    Event::Canceled { .. } => to == Status::Canceled,
                    Event::Reopened { .. } => to.is_open(),
                    _ => false,
                }
        })
    }

    fn opens_the_incident(&self, recorded: &Recorded) -> bool {
        self.last.is_some_and(|last| {
            last.recorded_at == recorded.recorded_at && matches!(last.occurrence.event, Event::Opened { .. })
        })
    }
}

fn missed(unreachable: &[Unreachable]) -> String {
    let reasons: Vec<&str> = unreachable.iter().map(|missed| missed.why.as_str()).collect();
    if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join("; ")) }
}

/// "The server's clock was set back by 1 h".
pub(crate) fn clock_set(step_ms: i64) -> String {
    let way = if step_ms < 0 { "back" } else { "forward" };
    let mut left = step_ms.unsigned_abs() / 1_000;
    let mut parts = Vec::new();
    for (unit_s, unit) in [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")] {
        if left >= unit_s {
            parts.push(format!("{} {unit}", left / unit_s));
            left %= unit_s;
        }
    }
    parts.truncate(2);
    let span = if parts.is_empty() { "less than a second".to_owned() } else { parts.join(" ") };
    format!("The server's clock was set {way} by {span}")
}

/// "The alert came 998 times more within 1 min".
pub(crate) fn repeated(count: u64, over: chrono::TimeDelta) -> String {
    let times = if count == 1 { "once".to_owned() } else { format!("{count} times") };
    let seconds = over.num_seconds().max(1);
    let span = if seconds < 60 { format!("{seconds} s") } else { format!("{} min", (seconds + 59) / 60) };
    format!("The alert came {times} more within {span}")
}

/// "The alert storm is over: 990 alerts, 12 of them cleared".
pub(crate) fn storm_ended(alerts: u32, cleared: u32, fired: u64) -> String {
    let again = fired.saturating_sub(alerts.into());
    let again = if again > 0 { format!(", which came {again} times more") } else { String::new() };
    format!("The alert storm is over: {alerts} alerts{again}, {cleared} of them cleared")
}

fn after_colon(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

/// The same words with a capital first letter; only for words of our own.
pub(crate) fn capitalised(words: &str) -> String {
    let mut characters = words.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_of_the_clock_is_told_in_its_two_largest_parts() {
        for (step_ms, told) in [
            (-3_600_000, "back by 1 h"),
            (90_500, "forward by 1 min 30 s"),
            (-93_784_000, "back by 1 d 2 h"),
            (400, "forward by less than a second"),
        ] {
            assert_eq!(clock_set(step_ms), format!("The server's clock was set {told}"));
        }
    }
}
