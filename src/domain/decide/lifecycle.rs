//! Opening, status, severity, roles and the end of an incident.

use super::{Context, Decided, Draft, kept_optional, kept_text};
use crate::domain::answer::Said;
use crate::domain::command::{Open, When};
use crate::domain::event::{Actor, Event, NoteKind, Occurrence, Recorded};
use crate::domain::incident::{Incident, Role, Severity, Status};
use crate::domain::limits;
use crate::domain::reference::by_handle;
use crate::domain::rejection::{Rejection, RejectionKind};
use crate::ids::{IncidentId, UserId, WorkspaceId};

/// Opens an incident and, if asked, calls a team at once. Never refused for the lack of a team to call.
pub(super) fn open(
    id: IncidentId,
    workspace: &WorkspaceId,
    number: i64,
    open: &Open,
    context: &Context<'_>,
) -> Result<Decided, Rejection> {
    let title = kept_text("title", &by_handle(&open.title).replace(['\n', '\t'], " "), limits::TITLE_CHARS_MAX)?;
    if let Some(word) = &open.escalate_to
        && context.team(word).is_none()
    {
        return Err(super::unknown_team(word, context.roster));
    }
    let opened = Event::Opened {
        number,
        title: title.clone(),
        severity: open.severity.unwrap_or(context.roster.severity_default),
        private: open.private,
        zone: open.zone.clone().unwrap_or_else(|| context.roster.zone.clone()),
        origin: open.origin.clone(),
        declares: !open.retrospective,
        nonce: open.nonce.clone(),
    };
    let mut draft = Draft::begin(id, workspace, opened, context);
    if let Some(detection) = &open.detected {
        let at = context.happened_at(detection.when)?;
        let text = kept_text("message", &detection.text, limits::TEXT_CHARS_MAX)?;
        let event = Event::Detected { text, by: detection.by.as_deref().map(by_handle), team: None };
        let (actor, source) = (context.actor.clone(), detection.source.clone());
        draft.record(Occurrence { at, approx: detection.when.approx, actor, source, event });
    }
    if let Some(word) = &open.escalate_to {
        draft.escalate(When::default(), word, None)?;
    }
    let said = Said::Opened { title, private: open.private };
    Ok(Decided { after: draft.after, events: draft.events, said })
}

impl<'a> Draft<'a> {
    /// A draft of an incident that this event opens.
    pub(super) fn begin(id: IncidentId, workspace: &WorkspaceId, opened: Event, context: &Context<'a>) -> Self {
        let occurrence =
            Occurrence { at: context.now, approx: false, actor: context.actor.clone(), source: None, event: opened };
        let recorded = Recorded { seq: 1, recorded_at: context.now, occurrence };
        let after = Incident::begin(id, workspace.clone(), &recorded).expect("the event is Opened");
        Self { context: *context, after, events: vec![recorded] }
    }
}

impl Draft<'_> {
    pub(super) fn set_status(&mut self, status: Status, text: Option<&str>) -> Result<Said, Rejection> {
        match status {
            Status::Resolved => return self.resolve(When::default(), text, None),
            Status::Canceled => return self.cancel(text),
            Status::Investigating | Status::Identified | Status::Monitoring => {}
        }
        self.must_be_open("Its status")?;
        let text = kept_optional("text", text)?;
        if self.after.status == status && text.is_none() {
            return Ok(unchanged(format!("{} is {} already.", self.after.name(), status.word())));
        }
        self.push(Event::StatusChanged { from: self.after.status, to: status, text });
        Ok(Said::Done)
    }

    pub(super) fn mitigate(&mut self, when: When, text: Option<&str>, team: Option<&str>) -> Result<Said, Rejection> {
        let text = kept_optional("text", text)?.unwrap_or_else(|| "Users are no longer affected".to_owned());
        self.must_not_be_canceled("It")?;
        let team = self.context.team_ref(team);
        let seq = self.push_when(when, Event::Mitigated { text: text.clone(), team })?;
        Ok(self.noted(seq, NoteKind::Key, text))
    }

    /// A second resolution without a word changes nothing; with one it is a later end of the same incident, because
    /// what people write down about the end must not be lost.
    pub(super) fn resolve(&mut self, when: When, text: Option<&str>, team: Option<&str>) -> Result<Said, Rejection> {
        let text = kept_optional("text", text)?;
        self.must_not_be_canceled("It")?;
        if self.after.status == Status::Resolved && text.is_none() {
            return Err(Rejection::new(RejectionKind::Conflict, format!("{} is resolved already.", self.after.name()))
                .hint("If it came back: /incident reopen. To note a later end: /incident resolve <what happened>."));
        }
        let team = self.context.team_ref(team);
        self.count_all_repetitions();
        let seq = self.push_when(when, Event::Resolved { text, team })?;
        let at = self.event_at(seq);
        Ok(Said::Resolved { at })
    }

    pub(super) fn reopen(&mut self, text: Option<&str>) -> Result<Said, Rejection> {
        let text = kept_optional("text", text)?;
        if self.after.is_open() {
            return Err(Rejection::new(RejectionKind::Conflict, format!("{} is open.", self.after.name()))
                .hint("/incident status shows where it stands."));
        }
        self.push(Event::Reopened { text, because: None });
        Ok(Said::Done)
    }

    pub(super) fn cancel(&mut self, text: Option<&str>) -> Result<Said, Rejection> {
        let text = kept_optional("text", text)?;
        self.must_be_open("It")?;
        self.count_all_repetitions();
        self.push(Event::Canceled { text });
        Ok(Said::Done)
    }

    pub(super) fn undo_opening(&mut self) -> Result<Said, Rejection> {
        let name = self.after.name();
        if self.after.is_open() {
            let way_out = format!("If it was not an incident after all: /incident {name} cancel <why>.");
            self.context.may_undo(&format!("{name} was opened"), self.after.opened_at, &way_out)?;
        }
        self.cancel(None)
    }

    pub(super) fn set_severity(&mut self, severity: Severity) -> Result<Said, Rejection> {
        if self.after.severity == severity {
            return Ok(unchanged(format!("{} is {severity} already.", self.after.name())));
        }
        self.push(Event::SeverityChanged { from: self.after.severity, to: severity });
        Ok(Said::Done)
    }

    pub(super) fn retitle(&mut self, title: &str) -> Result<Said, Rejection> {
        let title = kept_text("title", &by_handle(title).replace(['\n', '\t'], " "), limits::TITLE_CHARS_MAX)?;
        if self.after.title == title {
            return Ok(unchanged("That is its title already.".to_owned()));
        }
        self.push(Event::TitleChanged { from: self.after.title.clone(), to: title });
        Ok(Said::Done)
    }

    pub(super) fn assign_role(&mut self, role: Role, user: &UserId) -> Result<Said, Rejection> {
        if let Some(person) = self.context.directory.people.get(user)
            && (person.deactivated || person.is_bot)
        {
            return Err(Rejection::new(RejectionKind::Invalid, format!("{} cannot be {}.", person.name, role.name()))
                .hint("Choose an active member of the workspace."));
        }
        if self.after.roles.get(&role) == Some(user) {
            return Ok(unchanged(format!("{} is {} already.", self.context.directory.name(user), role.name())));
        }
        self.push(Event::RoleAssigned { role, user: user.clone() });
        Ok(Said::Done)
    }

    pub(super) fn must_be_open(&self, what: &str) -> Result<(), Rejection> {
        if self.after.is_open() {
            return Ok(());
        }
        let sentence = format!("{} is {}. {what} cannot change now.", self.after.name(), self.after.status.word());
        Err(Rejection::new(RejectionKind::Conflict, sentence).hint("/incident reopen opens it again."))
    }

    pub(super) fn must_not_be_canceled(&self, what: &str) -> Result<(), Rejection> {
        if self.after.status == Status::Canceled { self.must_be_open(what) } else { Ok(()) }
    }

    /// Opens a resolved incident again because something else was asked that makes sense only in an open one.
    pub(super) fn reopen_because(&mut self, because: String) {
        self.push_own(Event::Reopened { text: None, because: Some(because) });
    }

    pub(super) fn event_at(&self, seq: crate::ids::Seq) -> chrono::DateTime<chrono::Utc> {
        self.events.iter().find(|event| event.seq == seq).map_or(self.context.now, |event| event.occurrence.at)
    }

    pub(super) fn noted(&self, seq: crate::ids::Seq, kind: NoteKind, text: String) -> Said {
        Said::Noted { seq, at: self.event_at(seq), kind, text, zone: self.after.zone.clone() }
    }

    /// The person who asks.
    pub(super) fn user(&self) -> Option<UserId> {
        match self.context.actor {
            Actor::Person { user } => Some(user.clone()),
            Actor::Firebell | Actor::Integration { .. } | Actor::Operator | Actor::Fallback => None,
        }
    }
}

pub(super) fn unchanged(because: String) -> Said {
    Said::NothingChanged { because }
}
