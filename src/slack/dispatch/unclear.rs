//! The answer to a command that is not clear: near matches as buttons, else a form filled with what was understood, else a
//! sentence with the way out. Nothing is changed here.

use super::commands::Place;
use super::{Dispatch, shown};
use crate::domain::event::NoteKind;
use crate::domain::incident::{Incident, Role};
use crate::slack::actions::Carried;
use crate::slack::answers::{self, Suggestion};
use crate::slack::command::{Problem, Unclear};
use crate::slack::inbound::Ack;
use crate::slack::json::Json;
use crate::slack::modals::{self, OpenPrefill};
use crate::slack::scene::Scene;

/// The forms that belong to verbs which people leave unfinished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Note,
    Update,
    Mitigate,
    Resolve,
    Role,
    Task,
    Postmortem,
}

impl Form {
    /// By a verb's usual spelling.
    fn of(verb: &str) -> Option<Self> {
        Some(match verb {
            "note" | "action" | "finding" | "ruled-out" | "decision" => Self::Note,
            "update" => Self::Update,
            "mitigated" => Self::Mitigate,
            "resolve" => Self::Resolve,
            "role" | "commander" | "scribe" | "communications" => Self::Role,
            "task" => Self::Task,
            "started" | "ended" | "impact" | "kind" | "affected" | "saw" | "service" | "cause" | "resolution"
            | "measure" | "detected-by" => Self::Postmortem,
            _ => return None,
        })
    }
}

impl Dispatch {
    pub(super) async fn unclear(&self, place: &Place<'_>, unclear: &Unclear) -> Ack {
        let command = &place.command.command;
        if !unclear.did_you_mean.is_empty() && !opens(place, unclear) {
            return shown(near(place, unclear));
        }
        let trigger = place.command.trigger_id.as_deref();
        if let Some(view) = self.form_for(place, unclear).await {
            if self.open_form(trigger, &view).await.is_some() {
                return Ack::Empty;
            }
        } else if trigger.is_some() && self.lacks_its_incident(place, unclear) {
            return self.which(place).await;
        }
        if unclear.did_you_mean.is_empty() {
            return shown(answers::unclear(&unclear.problem.sentence(), unclear.way_out(command).as_deref()));
        }
        shown(near(place, unclear))
    }

    /// The form in which an unfinished command can be finished, filled with what was understood.
    pub(super) async fn form_for(&self, place: &Place<'_>, unclear: &Unclear) -> Option<Json> {
        let understood = &unclear.understood;
        let problem = unclear.problem.sentence();
        let carried =
            Carried { channel: Some(place.command.channel.clone()), incident: place.here, ..Carried::default() };
        if opens(place, unclear) {
            let prefill = OpenPrefill {
                title: understood.title.clone().or_else(|| understood.text.clone()),
                severity: understood.severity,
                private: understood.private,
                team: understood.team.clone(),
                description: None,
            };
            return Some(modals::open_modal(&prefill, Some(&problem), &self.app.roster(), &carried));
        }
        let verb = understood.verb?;
        if verb == "escalate" {
            if !matches!(unclear.problem, Problem::UnknownTeam { .. }) {
                return None;
            }
            let incident = self.about(place, unclear).await;
            let target = incident.map(|incident| incident.id);
            let reason = understood.text.as_deref();
            let view = self.escalate_view(place, target, understood.team.as_ref(), reason).await.ok()?;
            return Some(modals::with_problem(view, &problem));
        }
        let form = Form::of(verb)?;
        let incident = self.about(place, unclear).await?;
        let carried = Carried { channel: carried.channel, ..Carried::of(incident.id) };
        let (roster, directory, now) = (self.app.roster(), self.app.directory(), self.app.clock().now());
        let scene = Scene::new(&incident, &roster, &directory, now);
        let text = understood.text.as_deref();
        let view = match form {
            Form::Note => {
                let at = understood.time.as_ref().and_then(|time| time.when.at).unwrap_or(now);
                modals::note_modal(&scene, text, understood.kind.unwrap_or(NoteKind::Note), at, &carried)
            }
            Form::Update => modals::update_modal(&scene, text, &carried),
            Form::Mitigate => modals::mitigate_modal(&scene, text, &carried),
            Form::Resolve => modals::resolve_modal(&scene, text, &carried),
            Form::Role => modals::role_modal(&scene, understood.role.unwrap_or(Role::Commander), &carried),
            Form::Task => modals::task_modal(&scene, text, &carried),
            Form::Postmortem => modals::postmortem_modal(&scene, &carried),
        };
        // The form asks what is missing by itself.
        Some(match unclear.problem {
            Problem::Missing { .. } => view,
            _ => modals::with_problem(view, &problem),
        })
    }

    /// The incident that a command is about, if this person may see it.
    async fn about(&self, place: &Place<'_>, unclear: &Unclear) -> Option<Incident> {
        match unclear.understood.incident {
            Some(number) => {
                let found = self.app.incident_by_number(number).await.ok().flatten();
                found.filter(|incident| self.may_see(&place.asking.user, incident))
            }
            None => self.incident(place.here?).await.ok(),
        }
    }

    /// Whether only the incident must be chosen before a form can be shown.
    fn lacks_its_incident(&self, place: &Place<'_>, unclear: &Unclear) -> bool {
        let understood = &unclear.understood;
        place.here.is_none()
            && understood.incident.is_none()
            && understood.verb.and_then(Form::of).is_some()
            && self.app.roster().permissions.admit(&place.asking.user, &self.app.directory()).is_ok()
    }
}

fn opens(place: &Place<'_>, unclear: &Unclear) -> bool {
    place.command.command == "/incident" && unclear.understood.verb == Some("open")
}

fn near(place: &Place<'_>, unclear: &Unclear) -> crate::slack::message::Message {
    let one =
        |text: &String| Suggestion { label: text.clone(), command: place.command.command.clone(), text: text.clone() };
    let suggestions: Vec<Suggestion> = unclear.did_you_mean.iter().map(one).collect();
    answers::did_you_mean(&unclear.problem.sentence(), &suggestions)
}
