//! Pressed buttons and menu choices.

use super::commands::Place;
use super::{Asking, Dispatch, Way, rejection};
use crate::app::Target;
use crate::domain::answer::{Answer, Said};
use crate::domain::command::{Acknowledge, Command};
use crate::domain::event::NoteKind;
use crate::domain::incident::{Incident, Role};
use crate::domain::timeline::people::{People, PeopleStyle};
use crate::domain::timeline::timeline;
use crate::ids::{ChannelId, IncidentId, PageId};
use crate::slack::actions::{ButtonAction, Carried};
use crate::slack::answers;
use crate::slack::digest::DIGEST_MAX;
use crate::slack::escape::{Mrkdwn, mrkdwn};
use crate::slack::inbound::{Ack, BlockActions, Meta, SlashCommand};
use crate::slack::json::Json;
use crate::slack::message::Message;
use crate::slack::modals::{self, OpenPrefill};
use crate::slack::scene::Scene;

/// Calls of a digest whose refusal is told one by one; the digest shows them all.
const TOLD_MAX: usize = 5;

impl Dispatch {
    /// A press is acknowledged empty; what must be said follows by the message's own address.
    pub(super) async fn pressed(&self, press: BlockActions, meta: &Meta) -> Ack {
        self.meet(&press.who.user).await;
        for (part, action) in press.actions.iter().enumerate() {
            let asking = Asking {
                user: press.who.user.clone(),
                key: format!("{}#{part}", meta.delivery_key),
                // Whoever sees the button stands in the channel, or was paged.
                inside: true,
            };
            // Elements of forms report every change; only buttons ask for something.
            if press.view.as_ref().is_some_and(|view| !view.is_home) {
                continue;
            }
            let told = match ButtonAction::parse(&action.raw) {
                Ok(button) => self.press(&press, &asking, button).await,
                Err(unknown) => Some(Message::sentence(crate::slack::escape::name(&unknown.to_string()))),
            };
            if let Some(message) = told {
                let way = match &press.response_url {
                    // An echo with its buttons has served; what came of the press takes its place.
                    Some(url) => Way::Respond { url: url.clone(), replace_original: press.is_echo() },
                    None => Way::near(press.channel.clone()),
                };
                self.tell(&asking.user, way, message);
            }
        }
        if press.view.as_ref().is_some_and(|view| view.is_home) {
            self.show_home(press.who.user.clone());
        }
        Ack::Empty
    }

    async fn press(&self, press: &BlockActions, asking: &Asking, button: ButtonAction) -> Option<Message> {
        let trigger = press.trigger_id.as_deref();
        let (id, command) = match button {
            ButtonAction::Visit => return None,
            ButtonAction::OpenForm => {
                let carried = Carried { channel: press.channel.clone(), ..Carried::default() };
                let view = modals::open_modal(&OpenPrefill::default(), None, &self.app.roster(), &carried);
                return Self::or_say_so(self.open_form(trigger, &view).await);
            }
            ButtonAction::Run { command, text } => return self.run(press, asking, command, text).await,
            ButtonAction::Join { incident } => return self.join(asking, incident).await,
            ButtonAction::Acknowledge { incident, escalation, page, .. } => {
                let acknowledge = Acknowledge { page, escalation: Some(escalation), ..Acknowledge::default() };
                (incident, Command::Acknowledge(acknowledge))
            }
            ButtonAction::AcknowledgeAll { pages } => return self.acknowledge_all(asking, &pages).await,
            ButtonAction::Decline { incident, page, generation } => (incident, Command::Decline { page, generation }),
            ButtonAction::CallNext { incident, escalation, generation } => {
                let (escalation, generation) = (Some(escalation), Some(generation));
                (incident, Command::EscalateNext { escalation, generation, team: None, text: None })
            }
            ButtonAction::StopEscalation { incident, escalation, generation } => {
                let (escalation, generation) = (Some(escalation), Some(generation));
                (incident, Command::StopEscalation { escalation, generation, team: None, text: None })
            }
            ButtonAction::ResumeCall { incident, escalation, generation } => {
                (incident, Command::ResumeCall { escalation, generation })
            }
            ButtonAction::UndoCall { incident, escalation, generation } => {
                (incident, Command::UndoCall { escalation, generation })
            }
            ButtonAction::TakeRole { incident, role } => {
                (incident, Command::AssignRole { role, user: asking.user.clone() })
            }
            ButtonAction::Reopen { incident } => (incident, Command::Reopen { text: None }),
            ButtonAction::Cancel { incident } => (incident, Command::UndoOpening),
            ButtonAction::RemoveEntry { incident, seq } => (incident, Command::RemoveEntry { target: seq }),
            ButtonAction::FinishTask { incident, task } => (incident, Command::FinishTask { task, done: true }),
            form @ (ButtonAction::EscalateForm { incident }
            | ButtonAction::UpdateForm { incident }
            | ButtonAction::NoteForm { incident }
            | ButtonAction::MitigateForm { incident }
            | ButtonAction::ResolveForm { incident }
            | ButtonAction::StatusForm { incident }
            | ButtonAction::SeverityForm { incident }
            | ButtonAction::RoleForm { incident }
            | ButtonAction::TaskForm { incident }
            | ButtonAction::PostmortemForm { incident }
            | ButtonAction::EditEntryForm { incident, .. }) => {
                return self.form(press, asking, incident, &form).await;
            }
        };
        match self.ask(asking, Target::Incident(id), command).await {
            Err(failure) => Some(failure),
            Ok(answer) if press.is_echo() => match self.words(&asking.user, &answer).await {
                None => self.done_elsewhere(id).await,
                words => words,
            },
            Ok(answer) if shows_itself(&answer) => None,
            Ok(answer) => self.words(&asking.user, &answer).await,
        }
    }

    /// Takes every call that a digest showed as waiting, each by a command of its own; what did not go as asked.
    async fn acknowledge_all(&self, asking: &Asking, pages: &[(IncidentId, PageId)]) -> Option<Message> {
        let each = pages.iter().take(DIGEST_MAX).map(|(incident, page)| async move {
            // Named by what it is about: the same press on another list is another one.
            let asking = Asking { key: format!("{}.{incident}.{}", asking.key, page.0), ..asking.clone() };
            let acknowledge = Acknowledge { page: Some(*page), ..Acknowledge::default() };
            match self.ask(&asking, Target::Incident(*incident), Command::Acknowledge(acknowledge)).await {
                Ok(answer) if shows_itself(&answer) => None,
                Ok(answer) => self.words(&asking.user, &answer).await.map(|message| message.text),
                Err(failure) => Some(failure.text),
            }
        });
        let mut told: Vec<String> = futures_util::future::join_all(each).await.into_iter().flatten().collect();
        told.dedup();
        // The digest itself shows whose each call is now.
        let lines = told.iter().take(TOLD_MAX).map(|text| Mrkdwn::assembled(text.clone()));
        let more = told.len().saturating_sub(TOLD_MAX);
        let rest = (more > 0).then(|| mrkdwn!("{} more were not yours to take any more.", more));
        (!told.is_empty()).then(|| Message::sentence(Mrkdwn::join(lines.chain(rest), "\n")))
    }

    fn or_say_so(opened: Option<()>) -> Option<Message> {
        match opened {
            Some(()) => None,
            None => Some(Message::sentence("Slack did not open the form in time. Press the button again.".into())),
        }
    }

    async fn form(
        &self,
        press: &BlockActions,
        asking: &Asking,
        id: IncidentId,
        form: &ButtonAction,
    ) -> Option<Message> {
        let incident = match self.incident(id).await {
            Ok(incident) => incident,
            Err(message) => return Some(message),
        };
        let carried = Carried { channel: press.channel.clone(), ..Carried::of(id) };
        let Some(view) = self.form_view(asking, &incident, form, &carried).await else {
            return Some(answers::refusal(&super::unknown()));
        };
        Self::or_say_so(self.open_form(press.trigger_id.as_deref(), &view).await)
    }

    async fn form_view(
        &self,
        asking: &Asking,
        incident: &Incident,
        form: &ButtonAction,
        carried: &Carried,
    ) -> Option<Json> {
        let (roster, directory, now) = (self.app.roster(), self.app.directory(), self.app.clock().now());
        let scene = Scene::new(incident, &roster, &directory, now);
        Some(match form {
            ButtonAction::EscalateForm { .. } => modals::escalate_modal(None, None, None, &roster, carried),
            ButtonAction::UpdateForm { .. } => modals::update_modal(&scene, None, carried),
            ButtonAction::NoteForm { .. } => modals::note_modal(&scene, None, NoteKind::Note, now, carried),
            ButtonAction::MitigateForm { .. } => modals::mitigate_modal(&scene, None, carried),
            ButtonAction::ResolveForm { .. } => modals::resolve_modal(&scene, None, carried),
            ButtonAction::StatusForm { .. } => modals::status_modal(&scene, carried),
            ButtonAction::SeverityForm { .. } => modals::severity_modal(&scene, carried),
            ButtonAction::RoleForm { .. } => {
                let free = Role::ALL.into_iter().find(|role| !incident.roles.contains_key(role));
                modals::role_modal(&scene, free.unwrap_or(Role::Commander), carried)
            }
            ButtonAction::TaskForm { .. } => modals::task_modal(&scene, None, carried),
            ButtonAction::PostmortemForm { .. } => modals::postmortem_modal(&scene, carried),
            ButtonAction::EditEntryForm { seq, .. } => {
                let history = self.app.history(incident.id).await.ok()?;
                let entries = timeline(&history, &People::new(incident, &directory, PeopleStyle::Names));
                let text = entries.iter().find(|entry| entry.seq == *seq).map(|entry| entry.text.clone())?;
                modals::edit_entry_modal(&scene, *seq, &text, carried)
            }
            other => {
                tracing::warn!(action = other.action_id(), user = %asking.user, "no form belongs to this button");
                return None;
            }
        })
    }

    /// A suggested command, run as if it had been typed where the button is.
    async fn run(&self, press: &BlockActions, asking: &Asking, command: String, text: String) -> Option<Message> {
        let channel = press.channel.clone().unwrap_or_else(|| ChannelId::new(""));
        let here = self.app.incident_in(&channel).await.ok().flatten();
        let typed = SlashCommand {
            workspace: press.who.workspace.clone(),
            enterprise: press.who.enterprise.clone(),
            channel,
            channel_name: String::new(),
            user: asking.user.clone(),
            user_name: press.who.name.clone(),
            command,
            text,
            response_url: press.response_url.clone(),
            trigger_id: press.trigger_id.clone(),
        };
        let place = Place { asking: Asking { inside: false, ..asking.clone() }, here, command: &typed };
        match Box::pin(self.typed(&place)).await {
            Ack::Message(message) => Some(message),
            _ => None,
        }
    }

    async fn join(&self, asking: &Asking, id: IncidentId) -> Option<Message> {
        let incident = match self.incident(id).await {
            Ok(incident) => incident,
            Err(message) => return Some(message),
        };
        if !self.may_see(&asking.user, &incident) {
            return Some(answers::refusal(&super::unknown()));
        }
        self.let_in(&incident, &asking.user);
        let (roster, directory, now) = (self.app.roster(), self.app.directory(), self.app.clock().now());
        let scene = Scene::new(&incident, &roster, &directory, now);
        Some(Message::sentence(match scene.channel() {
            Some(channel) => crate::slack::escape::mrkdwn!("You are in: {}.", channel),
            None => crate::slack::escape::mrkdwn!("{} has no channel yet; try again in a moment.", scene.number()),
        }))
    }
}

/// Whether the message that was pressed will itself show what happened.
fn shows_itself(answer: &Answer) -> bool {
    rejection(answer).is_none()
        && matches!(answer.said, Said::YouHaveIt { .. } | Said::Called { .. } | Said::Stopped { .. } | Said::Done)
}
