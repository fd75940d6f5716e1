//! One event as one sentence: for the timeline in Slack, the log of a call and the catch-up of a late channel.

use super::escape::{self, Mrkdwn, QUOTE_CHARS_MAX, Untrusted, mrkdwn};
use super::reasons::reason;
use super::scene::{self, Scene};
use crate::domain::event::{Actor, Detour, Event, NoteKind, PageResult, PlannedPage, Recorded, Step, Unreachable};
use crate::domain::incident::{Role, Severity};
use crate::domain::timeline;
use crate::ids::{EscalationId, PageId};

/// An event as it stands after corrections.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    pub recorded: &'a Recorded,
    /// The text that replaced the event's own.
    pub text: Option<&'a str>,
}

/// The events that still stand, by the time at which they happened.
pub fn standing(history: &[Recorded]) -> Vec<Told<'_>> {
    let mut told: Vec<Told<'_>> = history.iter().map(|recorded| Told { recorded, text: None }).collect();
    for recorded in history {
        if let Event::TextEdited { target, text } = &recorded.occurrence.event
            && let Some(edited) = told.iter_mut().find(|told| told.recorded.seq == *target)
        {
            edited.text = Some(text);
        }
        if let Event::EntryRemoved { target, .. } = &recorded.occurrence.event {
            told.retain(|told| told.recorded.seq != *target);
        }
    }
    told.sort_by_key(|told| (told.recorded.occurrence.at, told.recorded.seq));
    told
}

/// "3:15 PM: *Note:* Logs clean"; `None` for events that only keep the books.
pub fn line(scene: &Scene<'_>, told: &Told<'_>) -> Option<Mrkdwn> {
    let about = if told.recorded.occurrence.approx { "about " } else { "" };
    let sentence = sentence(scene, told)?;
    Some(mrkdwn!("{}{}: {}", about, scene.time(told.recorded.occurrence.at), sentence))
}

/// Which escalation an event belongs to.
pub fn escalation_of(scene: &Scene<'_>, event: &Event) -> Option<EscalationId> {
    match event {
        Event::Escalated { escalation, .. }
        | Event::Acknowledged { escalation, .. }
        | Event::JoinedAcknowledged { escalation, .. } => *escalation,
        Event::TierStarted { escalation, .. }
        | Event::TierSkipped { escalation, .. }
        | Event::AcknowledgementLapsed { escalation, .. }
        | Event::Declined { escalation, .. }
        | Event::EscalationAdvanced { escalation, .. }
        | Event::EscalationStopped { escalation, .. }
        | Event::PageWithheld { escalation, .. }
        | Event::EscalationHeld { escalation, .. }
        | Event::EscalationResumed { escalation, .. }
        | Event::EscalationExhausted { escalation, .. } => Some(*escalation),
        Event::PagedElsewhere { escalation, .. } => Some(*escalation),
        Event::PageAttempted { page, .. } => scene.incident.pages.get(page).map(|page| page.escalation),
        Event::Opened { .. }
        | Event::Detected { .. }
        | Event::Declared { .. }
        | Event::StatusChanged { .. }
        | Event::Mitigated { .. }
        | Event::Resolved { .. }
        | Event::Reopened { .. }
        | Event::Canceled { .. }
        | Event::SeverityChanged { .. }
        | Event::TitleChanged { .. }
        | Event::RoleAssigned { .. }
        | Event::UpdatePosted { .. }
        | Event::Noted { .. }
        | Event::DocumentRequested { .. }
        | Event::DocumentNotSent { .. }
        | Event::CaptureRequested { .. }
        | Event::TextEdited { .. }
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
        | Event::ActivitySeen { .. }
        | Event::AlertFiring { .. }
        | Event::AlertCounting { .. }
        | Event::AlertJoined { .. }
        | Event::StormBegan { .. }
        | Event::StormEnded { .. }
        | Event::AlertRepeated { .. }
        | Event::AlertCleared { .. }
        | Event::AlertTakenOut { .. }
        | Event::AlertTakenFrom { .. }
        | Event::ChannelCreated { .. }
        | Event::ChannelFailed { .. }
        | Event::CardPosted { .. }
        | Event::AnnouncementPosted { .. }
        | Event::EscalationPosted { .. }
        | Event::ClockSet { .. }
        | Event::PersonErased { .. }
        | Event::PostmortemPosted { .. } => None,
    }
}

/// The event in words; `None` for events that only keep the books.
pub fn sentence(scene: &Scene<'_>, told: &Told<'_>) -> Option<Mrkdwn> {
    let occurrence = &told.recorded.occurrence;
    let who = scene.actor_first(&occurrence.actor);
    let said = |text: &str| Untrusted(told.text.unwrap_or(text)).line(QUOTE_CHARS_MAX);
    let with = |sentence: Mrkdwn, text: &Option<String>| match text {
        Some(text) => mrkdwn!("{}: {}", sentence, said(text)),
        None => mrkdwn!("{}.", sentence),
    };
    Some(match &occurrence.event {
        Event::Opened { severity, .. } => mrkdwn!("{} opened {} as {}.", who, scene.number(), severity),
        Event::Detected { text, .. } => mrkdwn!("*Detected:* {}", said(text)),
        Event::Declared { text, .. } => mrkdwn!("*Declared:* {}", said(text)),
        Event::StatusChanged { to, text, .. } => with(mrkdwn!("{} set the status to {}", who, to.word()), text),
        Event::Mitigated { text, .. } => mrkdwn!("*Mitigated:* {}", said(text)),
        Event::Resolved { text: Some(text), .. } => mrkdwn!("*Resolved:* {}", said(text)),
        Event::Resolved { text: None, .. } => mrkdwn!("*Resolved* by {}.", scene.actor(&occurrence.actor)),
        Event::Reopened { text, because } => {
            with(mrkdwn!("{} reopened {}", who, scene.number()), if text.is_some() { text } else { because })
        }
        Event::Canceled { text } => with(mrkdwn!("{} canceled {}", who, scene.number()), text),
        Event::SeverityChanged { from, to } => severity_changed(&who, *from, *to),
        Event::TitleChanged { to, .. } => mrkdwn!("{} changed the title to {}.", who, escape::quoted(to)),
        Event::RoleAssigned { role, user } => role_assigned(scene, &occurrence.actor, *role, user),
        Event::UpdatePosted { text } => mrkdwn!("*Update:* {}", said(text)),
        Event::Noted { kind, text, .. } => mrkdwn!("*{}:* {}", note_kind_name(*kind), said(text)),
        Event::MeasureAdded { text } => mrkdwn!("{} added a measure: {}", who, said(text)),
        Event::TaskAdded { task, text, owner, .. } => {
            let owner = owner.as_ref().map_or("no owner".into(), |user| scene.name(user));
            mrkdwn!("{} added task {} ({}): {}", who, task, owner, said(text))
        }
        Event::TaskDone { task, done: true } => mrkdwn!("{} finished task {}.", who, task),
        Event::TaskDone { task, done: false } => mrkdwn!("{} took task {} up again.", who, task),
        Event::Escalated { escalation: Some(_), team: Some(team), text, policy: None } => {
            with(mrkdwn!("{} called {} again", who, scene.team(team)), text)
        }
        Event::Escalated { team: Some(team), text, .. } => with(mrkdwn!("{} called {}", who, scene.team(team)), text),
        Event::Escalated { team: None, text, .. } => with(mrkdwn!("{} called for help", who), text),
        Event::TierStarted { step, pages, unreachable, .. } => tier_started(scene, *step, pages, unreachable),
        Event::TierSkipped { step, unreachable, .. } => match reasons(unreachable) {
            Some(reasons) => mrkdwn!("Tier {} skipped: {}.", step.tier, reasons),
            None => mrkdwn!("Tier {} skipped: nobody is in it.", step.tier),
        },
        Event::PagedElsewhere { page, because, next, .. } => elsewhere(scene, *page, *because, next.as_ref()),
        Event::PageAttempted { page, result, .. } => {
            let page = scene.incident.pages.get(page)?;
            attempt(&scene.recipient(&page.to), result)?
        }
        Event::Acknowledged { team, user, .. } => {
            has_it(scene, user.as_ref(), team.as_ref().map(|team| scene.team(team)))
        }
        Event::JoinedAcknowledged { user: Some(user), .. } => mrkdwn!("{} joined.", scene.name(user)),
        Event::JoinedAcknowledged { user: None, .. } => "One more joined.".into(),
        Event::AcknowledgementLapsed { user: Some(user), .. } => {
            mrkdwn!("{} showed no activity, so the call goes on.", scene.name(user))
        }
        Event::AcknowledgementLapsed { user: None, .. } => "No sign of activity, so the call goes on.".into(),
        Event::Declined { user, .. } => mrkdwn!("{} can't.", scene.name(user)),
        Event::EscalationAdvanced { text, .. } => with(mrkdwn!("{} asked for the next tier", who), text),
        Event::EscalationStopped { text, .. } => with(mrkdwn!("{} stopped the call", who), text),
        Event::EscalationExhausted { pages, .. } => match scene.recipients(pages.iter().map(|page| &page.to)) {
            Some(fallback) => mrkdwn!("*Nobody answered.* Called the fallback: {}.", fallback),
            None => "*Nobody answered*, and there is no fallback.".into(),
        },
        Event::PageWithheld { page, .. } => {
            let whom = scene.incident.pages.get(page).map_or("somebody".into(), |page| scene.recipient(&page.to));
            mrkdwn!("The page to {} is not sent any more: it is too late for that.", whom)
        }
        Event::EscalationHeld { due_at, pages, .. } => {
            let late = scene::duration(occurrence.at - *due_at);
            let due = mrkdwn!("*On hold:* what was due {} was {} late", scene.time(*due_at), late);
            match scene.recipients(pages.iter().map(|page| &page.to)) {
                Some(whom) => mrkdwn!("{}. Asked {} before paging anybody.", due, whom),
                None => mrkdwn!("{}.", due),
            }
        }
        Event::EscalationResumed { text, .. } => with(mrkdwn!("{} let the call go on", who), text),
        Event::AlertCleared { text, .. } => mrkdwn!("*Alert cleared:* {}", said(text)),
        Event::AlertTakenOut { title, into, .. } => {
            mrkdwn!("{} took the alert {} out of the storm: it is INC-{} now.", who, escape::quoted(title), *into)
        }
        Event::PersonErased { pseudonym, .. } => {
            mrkdwn!("{} made somebody anonymous: here they are {}.", who, scene.name(pseudonym))
        }
        Event::AlertTakenFrom { number } => mrkdwn!("{} took the alert out of INC-{}, an alert storm.", who, *number),
        Event::StormEnded { alerts, cleared, fired } => {
            Untrusted(&timeline::storm_ended(*alerts, *cleared, *fired)).line(QUOTE_CHARS_MAX)
        }
        Event::ClockSet { step_ms, .. } => {
            let set = crate::domain::timeline::clock_set(*step_ms);
            mrkdwn!("{}.", Untrusted(&set).line(QUOTE_CHARS_MAX))
        }
        Event::ChannelFailed { error } => mrkdwn!("The channel could not be made: {}.", reason(error)),
        Event::ImpactStartSet { start_at: Some(at) } => {
            mrkdwn!("{} set the start of the impact to {}.", who, scene.time(*at))
        }
        Event::ImpactEndSet { end_at: Some(at) } => {
            mrkdwn!("{} set the end of the impact to {}.", who, scene.time(*at))
        }
        Event::TextEdited { .. }
        | Event::EntryRemoved { .. }
        | Event::ImpactStartSet { start_at: None }
        | Event::ImpactEndSet { end_at: None }
        | Event::FieldSet { .. }
        | Event::MeasureRemoved { .. }
        | Event::TaskRemoved { .. }
        | Event::ProseWritten { .. }
        | Event::AlertRepeated { .. }
        | Event::ChannelCreated { .. }
        | Event::CardPosted { .. }
        | Event::AnnouncementPosted { .. }
        | Event::EscalationPosted { .. }
        | Event::ActivitySeen { .. }
        | Event::AlertCounting { .. }
        | Event::AlertJoined { .. }
        | Event::StormBegan { .. }
        | Event::AlertFiring { .. }
        | Event::DocumentRequested { .. }
        | Event::DocumentNotSent { .. }
        | Event::CaptureRequested { .. }
        | Event::PostmortemPosted { .. } => return None,
    })
}

/// "Ana raised the severity from SEV3 to SEV1."
pub fn severity_changed(who: &Mrkdwn, from: Severity, to: Severity) -> Mrkdwn {
    let moved = if to < from { "raised" } else { "lowered" };
    mrkdwn!("{} {} the severity from {} to {}.", who, moved, from, to)
}

/// "Ana leads now." or "Ana made Eli scribe."
pub fn role_assigned(scene: &Scene<'_>, by: &Actor, role: Role, user: &crate::ids::UserId) -> Mrkdwn {
    let own = matches!(by, Actor::Person { user: asked } if asked == user);
    match (role, own) {
        (Role::Commander, true) => mrkdwn!("{} leads {}.", scene.name(user), scene.number()),
        (Role::Commander, false) => {
            mrkdwn!("{} asked {} to lead {}.", scene.actor_first(by), scene.name(user), scene.number())
        }
        (Role::Scribe | Role::CommunicationsLead, true) => mrkdwn!("{} is {}.", scene.name(user), role.name()),
        (Role::Scribe | Role::CommunicationsLead, false) => {
            mrkdwn!("{} asked {} to be {}.", scene.actor_first(by), scene.name(user), role.name())
        }
    }
}

/// "Note", "Ruled out", …
pub fn note_kind_name(kind: NoteKind) -> &'static str {
    match kind {
        NoteKind::Note => "Note",
        NoteKind::Action => "Action",
        NoteKind::Finding => "Finding",
        NoteKind::RuledOut => "Ruled out",
        NoteKind::Decision => "Decision",
        NoteKind::Key => "Key moment",
    }
}

fn has_it(scene: &Scene<'_>, user: Option<&crate::ids::UserId>, team: Option<Mrkdwn>) -> Mrkdwn {
    match (user, team) {
        (Some(user), Some(team)) => mrkdwn!("{} has it for {}.", scene.name(user), team),
        (Some(user), None) => mrkdwn!("{} has it.", scene.name(user)),
        (None, Some(team)) => mrkdwn!("{} has it.", team),
        (None, None) => "Somebody has it.".into(),
    }
}

fn tier_started(scene: &Scene<'_>, step: Step, pages: &[PlannedPage], unreachable: &[Unreachable]) -> Mrkdwn {
    let tier = match step.round {
        0 | 1 => mrkdwn!("tier {}", step.tier),
        round => mrkdwn!("tier {}, round {}", step.tier, round),
    };
    let called = match scene.recipients(pages.iter().map(|page| &page.to)) {
        Some(who) => mrkdwn!("Called {} ({})", who, tier),
        None => mrkdwn!("Called nobody ({})", tier),
    };
    match reasons(unreachable) {
        Some(reasons) => mrkdwn!("{}; left out: {}.", called, reasons),
        None => mrkdwn!("{}.", called),
    }
}

fn elsewhere(scene: &Scene<'_>, page: PageId, because: Detour, next: Option<&PlannedPage>) -> Mrkdwn {
    let whom = scene.incident.pages.get(&page).map_or("somebody".into(), |page| scene.recipient(&page.to));
    let trouble = match because {
        Detour::Late => mrkdwn!("the page to {} was not accepted in time", whom),
        Detour::Refused => mrkdwn!("the page to {} was refused", whom),
        Detour::SlackAway => "Slack took no pages".into(),
    };
    match next {
        Some(next) => mrkdwn!("Called {}: {}.", scene.recipient(&next.to), trouble),
        None => mrkdwn!("No other way to {}: {}.", whom, trouble),
    }
}

fn attempt(to: &Mrkdwn, result: &PageResult) -> Option<Mrkdwn> {
    match result {
        PageResult::Sent { .. } | PageResult::SentElsewhere => None,
        PageResult::NotReached { error } => Some(mrkdwn!("{} was not reached: {}.", to, reason(error))),
        PageResult::Failed { error, .. } => {
            Some(mrkdwn!("The page to {} failed ({}) and is sent again.", to, reason(error)))
        }
        PageResult::Unknown { error } => {
            Some(mrkdwn!("The page to {} may have gone out ({}); it is sent again to be sure.", to, reason(error)))
        }
    }
}

/// "@dba has no active members, Eli's account is deactivated".
fn reasons(unreachable: &[Unreachable]) -> Option<Mrkdwn> {
    scene::some_of(unreachable.iter().map(|one| Untrusted(&one.why).line(QUOTE_CHARS_MAX)).collect())
}
