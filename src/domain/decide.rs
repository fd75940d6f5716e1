//! Every rule: a command and the present state in, events out.

mod alert;
mod elsewhere;
mod escalate;
mod held;
mod lifecycle;
mod record;
mod worker;

pub(crate) use alert::team_of;
pub(crate) use escalate::recipients;

use std::borrow::Cow;

use chrono::{DateTime, TimeDelta, Utc};

use super::command::{Acknowledge, Command, When};
use super::event::{Actor, Event, Occurrence, Recipient, Recorded, Source, TeamRef};
use super::incident::{Incident, Page};
use super::limits;
use super::permission::Action;
use super::reference;
use super::rejection::{Rejection, RejectionKind};
use super::roster::{Directory, Roster, Team};
use super::storm::Alerts;
use super::{answer::Said, evolve};
use crate::ids::{IncidentId, Seq, TeamKey, UserId, WorkspaceId};
use crate::planted::{self, Bug};

/// What a decision may know besides the state: the time, who asks, and who there is.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    pub now: DateTime<Utc>,
    pub actor: &'a Actor,
    /// Whether the command came from inside the incident's own channel, or from a page of it: proof of membership.
    pub inside: bool,
    pub roster: &'a Roster,
    pub directory: &'a Directory,
    /// Whether Slack takes no page of anybody at present, as far as this program knows.
    pub slack_is_away: bool,
    /// What is known of alerts besides the incident.
    pub alerts: &'a Alerts,
}

/// What a command leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// The incident with `events` folded in.
    pub after: Incident,
    /// In order; empty for a stale or repeated command.
    pub events: Vec<Recorded>,
    pub said: Said,
}

/// Decides a command for an incident that exists. Never fails for a stale command: that yields no events and says why.
pub fn decide(incident: &Incident, command: &Command, context: &Context<'_>) -> Result<Decided, Rejection> {
    if let Some(action) = command.needs().filter(|_| !context.answers_own_page(incident, command)) {
        context.permit(action)?;
    }
    if command.is_asked() {
        context.may_touch(incident)?;
    }
    let mut draft = Draft { context: *context, after: incident.clone(), events: Vec::new() };
    let said = draft.decide(command)?;
    Ok(Decided { after: draft.after, events: draft.events, said })
}

/// Decides a command that opens an incident: [`Command::Open`], [`Command::AlertFired`] that joins none, or the new
/// incident of a [`Command::TakeAlertOut`].
pub fn decide_opening(
    id: IncidentId,
    workspace: &WorkspaceId,
    number: i64,
    command: &Command,
    context: &Context<'_>,
) -> Result<Decided, Rejection> {
    if let Some(action) = command.needs() {
        context.permit(action)?;
    }
    match command {
        Command::Open(open) => lifecycle::open(id, workspace, number, open, context),
        Command::AlertFired(alert) => alert::open(id, workspace, number, alert, context),
        Command::TakeAlertOut(alert) => alert::open_for_taken_out(id, workspace, number, alert, context),
        _ => Err(Rejection::new(RejectionKind::NotFound, "This needs an incident.")
            .hint("Type it in an incident's channel, or name one: INC-42.")),
    }
}

impl Context<'_> {
    /// The person who asks, if it is one.
    pub fn user(&self) -> Option<&UserId> {
        match self.actor {
            Actor::Person { user } => Some(user),
            Actor::Firebell | Actor::Integration { .. } | Actor::Operator | Actor::Fallback => None,
        }
    }

    /// Whether somebody answers what was sent to them: by another way than Slack, also when Slack has closed their account;
    /// or a question whether a held call goes on.
    fn answers_own_page(&self, incident: &Incident, command: &Command) -> bool {
        if let Command::ResumeCall { escalation, .. } | Command::StopEscalation { escalation: Some(escalation), .. } =
            command
        {
            let asked = |page: &Page| page.asks && page.to.user().is_some() && page.to.user() == self.user();
            let held = incident.held().any(|found| found.id == *escalation);
            return held && incident.pages.values().any(|page| asked(page) && incident.is_awaited(page));
        }
        let Command::Acknowledge(Acknowledge { page: Some(page), .. }) = command else { return false };
        let to = incident.pages.get(page).map(|page| &page.to);
        matches!(to, Some(Recipient::Contact { of: Some(user), .. }) if Some(user) == self.user())
    }

    fn permit(&self, action: Action) -> Result<(), Rejection> {
        match self.actor {
            Actor::Person { user } => self.roster.permissions.permit(action, user, self.directory),
            Actor::Firebell | Actor::Integration { .. } | Actor::Operator | Actor::Fallback => Ok(()),
        }
    }

    /// A private incident exists only for those who are in it; to others it is not there. Guests and strangers have
    /// only what is before them.
    fn may_touch(&self, incident: &Incident) -> Result<(), Rejection> {
        if let Actor::Person { user } = self.actor
            && !self.inside
        {
            self.roster.permissions.admit(user, self.directory)?;
        }
        match self.actor {
            Actor::Person { user }
                if incident.private
                    && !self.inside
                    && !incident.involves(user)
                    && !self.roster.permissions.lists(Action::SeePrivate, user, self.directory) =>
            {
                Err(Rejection::new(RejectionKind::NotFound, format!("There is no {}.", incident.name()))
                    .hint("/incident list shows the open ones."))
            }
            _ => Ok(()),
        }
    }

    /// The team that a person means by this word: key, name or alias, in any case.
    fn team(&self, word: &str) -> Option<&Team> {
        self.roster.team(word)
    }

    /// The team as it is written into the record; a team that is not configured keeps the typed name.
    fn team_ref(&self, word: Option<&str>) -> Option<TeamRef> {
        let word = word?.trim();
        if word.is_empty() {
            return None;
        }
        Some(match self.team(word) {
            Some(team) => team.reference(),
            None => TeamRef { key: None, name: reference::by_handle(word) },
        })
    }
}

/// A decision in the making: events are folded in as they are made, so that later rules see their effect.
struct Draft<'a> {
    context: Context<'a>,
    after: Incident,
    events: Vec<Recorded>,
}

impl Draft<'_> {
    fn decide(&mut self, command: &Command) -> Result<Said, Rejection> {
        match command {
            Command::Open(_) => Err(Rejection::new(RejectionKind::Conflict, "This incident is open already.")),
            Command::Detected { when, text, by, team } => self.detected(*when, text, by.as_deref(), team.as_deref()),
            Command::Declare { when, text, team } => self.declare(*when, text, team.as_deref()),
            Command::SetStatus { status, text } => self.set_status(*status, text.as_deref()),
            Command::Mitigate { when, text, team } => self.mitigate(*when, text.as_deref(), team.as_deref()),
            Command::Resolve { when, text, team } => self.resolve(*when, text.as_deref(), team.as_deref()),
            Command::Reopen { text } => self.reopen(text.as_deref()),
            Command::Cancel { text } => self.cancel(text.as_deref()),
            Command::UndoOpening => self.undo_opening(),
            Command::SetSeverity { severity } => self.set_severity(*severity),
            Command::Retitle { title } => self.retitle(title),
            Command::AssignRole { role, user } => self.assign_role(*role, user),
            Command::PostUpdate { text } => self.post_update(text),
            Command::Note { when, kind, team, text } => self.note(*when, *kind, team.as_deref(), text),
            Command::Capture { at, kind, text, source } => self.capture(*at, *kind, text, source),
            Command::RequestCapture { message, kind, late } => Ok(self.request_capture(message, *kind, *late)),
            Command::FollowMessage { target, change } => self.follow_message(*target, change),
            Command::EditEntry { target, text } => self.edit_entry(*target, text),
            Command::RemoveEntry { target } => self.remove_entry(*target),
            Command::SetImpactStart { start_at } => self.set_impact_start(*start_at),
            Command::SetImpactEnd { end_at } => self.set_impact_end(*end_at),
            Command::SetFields { fields } => self.set_fields(fields),
            Command::AddMeasure { text } => self.add_measure(text),
            Command::SetMeasures { measures } => self.set_measures(measures),
            Command::AddTask { text, owner, due_on } => self.add_task(text, owner.as_ref(), *due_on),
            Command::FinishTask { task, done } => self.finish_task(*task, *done),
            Command::RemoveTask { task } => self.remove_task(*task),
            Command::WriteProse { section, text } => self.write_prose(section, text.as_deref()),
            Command::SendDocument { format } => Ok(self.send_document(*format)),
            Command::Escalate { when, team, reason } => self.escalate(*when, team, reason.as_deref()),
            Command::Called { when, team, text } => self.called(*when, team.as_deref(), text),
            Command::Acknowledge(acknowledge) => self.acknowledge(acknowledge),
            Command::Decline { page, generation } => self.decline(*page, *generation),
            Command::EscalateNext { escalation, generation, team, text } => {
                self.escalate_next(*escalation, *generation, team.as_deref(), text.as_deref())
            }
            Command::StopEscalation { escalation, generation, team, text } => {
                self.stop_escalation(*escalation, *generation, team.as_deref(), text.as_deref())
            }
            Command::ResumeCall { escalation, generation } => self.resume_call(*escalation, *generation),
            Command::UndoCall { escalation, generation } => self.undo_call(*escalation, *generation),
            Command::AlertFired(alert) => self.alert_fired(alert),
            Command::AlertCleared { integration, dedup_key, text, at } => {
                self.alert_cleared(integration, dedup_key, text, *at)
            }
            Command::TakeAlertOut(alert) => self.take_alert_out(alert),
            Command::TimerDue(timer) => Ok(self.timer_due(timer)),
            Command::EffectFinished(finished) => Ok(self.effect_finished(finished)),
            Command::ClockSet { step, deadlines } => Ok(self.clock_set(*step, *deadlines)),
            Command::ChannelGone { error } => Ok(self.channel_gone(error)),
            Command::Activity { user } => Ok(self.activity(user)),
        }
    }

    /// Records an event that happens now, by who asks.
    fn push(&mut self, event: Event) -> Seq {
        let (at, actor) = (self.context.now, self.context.actor.clone());
        self.record(Occurrence { at, approx: false, actor, source: None, event })
    }

    /// Records a consequence: Firebell's own doing.
    fn push_own(&mut self, event: Event) -> Seq {
        self.record(Occurrence { at: self.context.now, approx: false, actor: Actor::Firebell, source: None, event })
    }

    /// Records an event at the time that a person gave.
    fn push_when(&mut self, when: When, event: Event) -> Result<Seq, Rejection> {
        let at = self.context.happened_at(when)?;
        let actor = self.context.actor.clone();
        Ok(self.record(Occurrence { at, approx: when.approx, actor, source: None, event }))
    }

    fn push_from(&mut self, at: DateTime<Utc>, source: Option<Source>, event: Event) -> Seq {
        let actor = self.context.actor.clone();
        self.record(Occurrence { at, approx: false, actor, source, event })
    }

    fn record(&mut self, occurrence: Occurrence) -> Seq {
        let gap = planted::active(Bug::SeqGap) && self.after.last_seq == 12;
        let seq = self.after.last_seq + if gap { 2 } else { 1 };
        let recorded = Recorded { seq, recorded_at: self.context.now, occurrence };
        evolve(&mut self.after, &recorded);
        self.events.push(recorded);
        seq
    }
}

impl Context<'_> {
    /// Refuses to undo what happened too long ago; `way_out` is the command that does the same.
    fn may_undo(&self, what: &str, since: DateTime<Utc>, way_out: &str) -> Result<(), Rejection> {
        if self.now - since <= TimeDelta::seconds(limits::UNDO_S_MAX) {
            return Ok(());
        }
        let minutes = limits::UNDO_S_MAX / 60;
        let sentence = format!("{what} more than {minutes} minutes ago, so it can no longer be undone.");
        Err(Rejection::new(RejectionKind::Conflict, sentence).hint(way_out))
    }

    /// The instant a person means, refused where it cannot be.
    fn happened_at(&self, when: When) -> Result<DateTime<Utc>, Rejection> {
        let Some(at) = when.at else { return Ok(self.now) };
        if at > self.now + TimeDelta::seconds(limits::FUTURE_S_MAX) {
            return Err(Rejection::new(RejectionKind::Invalid, "That time lies in the future.")
                .hint("Give a time that has passed, such as 3:15pm, -10m or yesterday 23:50."));
        }
        if at < self.now - TimeDelta::days(limits::PAST_DAYS_MAX) {
            return Err(Rejection::new(RejectionKind::Invalid, "That time lies more than ten years back.")
                .hint("Check the year."));
        }
        Ok(at.min(self.now))
    }
}

/// A text as it is kept: control characters out, ends trimmed; refused when empty or too long.
fn kept_text(what: &str, text: &str, chars_max: usize) -> Result<String, Rejection> {
    let is_kept = |c: &char| !c.is_control() || matches!(*c, '\n' | '\t' | reference::MARK);
    let cleaned: Cow<'_, str> = if text.chars().all(|c| is_kept(&c)) {
        text.into()
    } else {
        text.chars().filter(is_kept).collect::<String>().into()
    };
    let cleaned = cleaned.trim();
    if cleaned.is_empty() {
        return Err(Rejection::new(RejectionKind::Invalid, format!("The {what} is empty."))
            .hint(format!("Write the {what} after the command.")));
    }
    let chars = cleaned.chars().count();
    if chars > chars_max {
        return Err(Rejection::new(
            RejectionKind::Invalid,
            format!("The {what} has {chars} characters; the longest that fits has {chars_max}."),
        )
        .hint(format!("Shorten the {what}; the rest can go into notes.")));
    }
    Ok(cleaned.to_owned())
}

/// As [`kept_text`], where nothing at all is fine too.
fn kept_optional(what: &str, text: Option<&str>) -> Result<Option<String>, Rejection> {
    match text.map(str::trim) {
        None | Some("") => Ok(None),
        Some(text) => kept_text(what, text, limits::TEXT_CHARS_MAX).map(Some),
    }
}

fn unknown_team(word: &str, roster: &Roster) -> Rejection {
    let sentence = format!("There is no team “{word}”.");
    let near = roster.near_team(word).map(|team| format!("Did you mean {}?", team.key));
    let all = || {
        let keys: Vec<&str> = roster.teams.keys().map(TeamKey::as_str).collect();
        if keys.is_empty() {
            "No team is configured yet.".to_owned()
        } else {
            format!("There are: {}.", keys.join(", "))
        }
    };
    Rejection::new(RejectionKind::NotFound, sentence).hint(near.unwrap_or_else(all))
}
