//! Submitted forms and shortcuts.

use chrono::{DateTime, Utc};

use super::commands::Place;
use super::{Asking, Dispatch, Way, rejection};
use crate::app::{Answered, Target};
use crate::domain::answer::Said;
use crate::domain::command::{Command, Detection, Open, When};
use crate::domain::event::{File, Origin, Source};
use crate::domain::incident::Incident;
use crate::ids::{ChannelId, IncidentId, MessageRef, UserId, random_id};
use crate::slack::actions::{
    Carried, SHORTCUT_ADD_TO_TIMELINE, SHORTCUT_OPEN, SHORTCUT_OPEN_FROM_MESSAGE, field, form,
};
use crate::slack::forms::{self, FieldErrors, IncidentChoice};
use crate::slack::inbound::{
    Ack, GlobalShortcut, MessageShortcut, Meta, SeenMessage, SeenView, SlashCommand, ViewSubmission,
};
use crate::slack::message::Message;
use crate::slack::methods::messages::written_at;
use crate::slack::modals::{self, OpenPrefill};
use crate::slack::plain;
use crate::slack::scene::Scene;

/// Longest title that a message's first line becomes, in characters.
const TITLE_FROM_MESSAGE_CHARS: usize = 100;

/// What a form asks: commands for one incident, or a new one; and the field that a refusal is shown at.
struct Wish {
    target: Target,
    commands: Vec<Command>,
    field: &'static str,
}

impl Dispatch {
    pub(super) async fn submitted(&self, submission: ViewSubmission, meta: &Meta) -> Ack {
        self.meet(&submission.who.user).await;
        let view = &submission.view;
        let Some(carried) = Carried::decode(&view.private_metadata) else {
            return refuse(field::TEXT, "This form is from another version of Firebell. Close it and open it again.");
        };
        // What we put into a form proves where it was opened; what is chosen in it proves nothing.
        let inside = carried.incident.is_some();
        let asking = Asking { user: submission.who.user.clone(), key: meta.delivery_key.clone(), inside };
        if view.callback_id == form::WHICH_INCIDENT {
            return self.chosen(&submission, &asking, carried).await;
        }
        match self.wish(&asking.user, view, &carried) {
            Ok(Some(wish)) => self.fulfil(&asking, &carried, wish).await,
            Ok(None) => {
                tracing::info!("a form that Firebell does not know was acknowledged");
                Ack::Empty
            }
            Err(errors) => Ack::View(errors.response()),
        }
    }

    /// Runs the commands of a form one after the other; the first refusal is shown at its field.
    async fn fulfil(&self, asking: &Asking, carried: &Carried, wish: Wish) -> Ack {
        let Wish { mut target, commands, field } = wish;
        let several = commands.len() > 1;
        let mut last: Option<Answered> = None;
        for (part, command) in commands.into_iter().enumerate() {
            let answer = match self.ask(&asking.part(part), target.clone(), command).await {
                Ok(answer) => answer,
                Err(failure) => return refuse(field, &failure.text),
            };
            if let Some(rejection) = rejection(&answer) {
                let hint = rejection.hint.as_deref().map_or_else(String::new, |hint| format!(" {hint}"));
                return refuse(field, &format!("{}{hint}", rejection.sentence));
            }
            if let Some(id) = answer.incident {
                target = Target::Incident(id);
            }
            // What opened says more than what followed it.
            if !last.as_ref().is_some_and(|last| matches!(last.said, Said::Opened { .. })) {
                last = Some(answer);
            }
        }
        if let Some(last) = &mut last
            && several
            && let Said::Kept { what } = &mut last.answer.said
        {
            "the answers".clone_into(what);
        }
        if let Some(answer) = last
            && let Some(message) = self.told(asking, carried, &answer).await
        {
            self.tell(&asking.user, Way::near(carried.channel.clone()), message);
        }
        Ack::Empty
    }

    /// What somebody reads who has sent a form: where the incident's channel does not show it, at least how things stand.
    async fn told(&self, asking: &Asking, carried: &Carried, answer: &Answered) -> Option<Message> {
        let words = self.words(&asking.user, answer).await;
        let (None, Some(id)) = (&words, answer.incident) else { return words };
        let here = match &carried.channel {
            Some(channel) => self.app.incident_in(channel).await.ok().flatten(),
            None => None,
        };
        if here == Some(id) { None } else { self.done_elsewhere(id).await }
    }

    fn wish(&self, user: &UserId, view: &SeenView, carried: &Carried) -> Result<Option<Wish>, FieldErrors> {
        let values = &view.values;
        let about = |commands: Vec<Command>, field| {
            carried.incident.map(|id| Wish { target: Target::Incident(id), commands, field })
        };
        Ok(match view.callback_id.as_str() {
            form::OPEN => Some(Wish {
                target: Target::New,
                commands: vec![self.opening(user, forms::open(values)?, carried)],
                field: field::TITLE,
            }),
            form::ESCALATE => self.calling(user, &forms::escalate(values)?, carried),
            form::NOTE => {
                let note = forms::note(values)?;
                let when = When { at: note.at, approx: false };
                let field = if self.is_to_come(note.at) { field::AT } else { field::TEXT };
                about(vec![Command::Note { when, kind: note.kind, team: None, text: note.text }], field)
            }
            form::CAPTURE => self.capturing(forms::capture(values)?, carried)?,
            form::UPDATE => about(vec![Command::PostUpdate { text: forms::update(values)? }], field::TEXT),
            form::MITIGATE => {
                let mitigated = forms::mitigate(values)?;
                let when = When { at: mitigated.at, approx: false };
                about(vec![Command::Mitigate { when, text: mitigated.text, team: None }], field::AT)
            }
            form::RESOLVE => {
                let resolved = forms::resolve(values)?;
                let mut commands = answers_of(resolved.fields);
                if resolved.impact_start_at.is_some() {
                    commands.push(Command::SetImpactStart { start_at: resolved.impact_start_at });
                }
                commands.push(Command::Resolve { when: When::default(), text: resolved.text, team: None });
                let early = self.is_to_come(resolved.impact_start_at);
                about(commands, if early { field::IMPACT_START } else { field::ROOT_CAUSE })
            }
            form::EDIT_ENTRY => {
                let text = forms::edit_entry(values)?;
                carried.entry.and_then(|target| about(vec![Command::EditEntry { target, text }], field::TEXT))
            }
            form::TASK => {
                let task = forms::task(values)?;
                about(vec![Command::AddTask { text: task.text, owner: task.owner, due_on: task.due_on }], field::TEXT)
            }
            form::STATUS => {
                let status = forms::status(values)?;
                about(vec![Command::SetStatus { status: status.status, text: status.text }], field::STATUS)
            }
            form::SEVERITY => about(vec![Command::SetSeverity { severity: forms::severity(values)? }], field::SEVERITY),
            form::ROLE => {
                let role = forms::role(values)?;
                about(vec![Command::AssignRole { role: role.role, user: role.user }], field::PERSON)
            }
            form::POSTMORTEM => {
                let answers = forms::postmortem(values)?;
                let mut commands = answers_of(answers.fields);
                commands.push(Command::SetImpactStart { start_at: answers.impact_start_at });
                commands.push(Command::SetImpactEnd { end_at: answers.impact_end_at });
                commands.push(Command::SetMeasures { measures: answers.measures });
                let field = if self.is_to_come(answers.impact_start_at) {
                    field::IMPACT_START
                } else if self.is_to_come(answers.impact_end_at) {
                    field::IMPACT_END
                } else {
                    field::IMPACT
                };
                about(commands, field)
            }
            _ => None,
        })
    }

    /// Whether a chosen time has not come yet, so that a refusal belongs to its field.
    fn is_to_come(&self, at: Option<DateTime<Utc>>) -> bool {
        at.is_some_and(|at| at > self.app.clock().now())
    }

    fn opening(&self, user: &UserId, opened: forms::OpenForm, carried: &Carried) -> Command {
        let detected = carried.message.as_ref().map(|message| Detection {
            when: When { at: written_at(&message.ts), approx: false },
            text: opened.description.clone().unwrap_or_else(|| opened.title.clone()),
            by: None,
            source: Some(Source::Message {
                message: message.clone(),
                author: carried.author.clone(),
                permalink: self.permalink(message),
                files: Vec::new(),
                late: false,
            }),
        });
        let plain = detected.is_none().then(|| opened.description.clone()).flatten();
        let detected =
            detected.or_else(|| plain.map(|text| Detection { when: When::default(), text, by: None, source: None }));
        let origin = match &carried.message {
            Some(message) => Origin::Message { message: message.clone() },
            None => Origin::Command { channel: carried.channel.clone() },
        };
        Command::Open(Open {
            title: opened.title,
            severity: Some(opened.severity),
            private: opened.private,
            zone: self.zone_name(user),
            origin,
            retrospective: false,
            nonce: random_id(),
            escalate_to: opened.team.map(|team| team.0),
            detected,
        })
    }

    /// The message that a shortcut was used on, as an entry with the message's own time unless another was chosen.
    fn capturing(&self, captured: forms::CaptureForm, carried: &Carried) -> Result<Option<Wish>, FieldErrors> {
        if self.is_to_come(captured.at) {
            return Err(FieldErrors::one(field::AT, "That time lies in the future. Choose one that has passed."));
        }
        let (Some(id), Some(message)) = (carried.incident.or(captured.incident), carried.message.clone()) else {
            return Ok(None);
        };
        let written = written_at(&message.ts);
        let minute = |at: DateTime<Utc>| at.timestamp().div_euclid(60);
        // The form knows minutes only.
        let at = match (captured.at, written) {
            (Some(chosen), Some(written)) if minute(chosen) == minute(written) => written,
            (Some(chosen), _) => chosen,
            (None, written) => written.unwrap_or_else(|| self.app.clock().now()),
        };
        let permalink = self.permalink(&message);
        let (author, files) = (carried.author.clone(), carried.files.clone());
        let source = Source::Message { message, author, permalink, files, late: false };
        let command = Command::Capture { at, kind: captured.kind, text: captured.text, source };
        Ok(Some(Wish { target: Target::Incident(id), commands: vec![command], field: field::TEXT }))
    }

    /// Calling a team from a form: in the incident it was opened in, in the chosen one, or in a new one.
    fn calling(&self, user: &UserId, called: &forms::EscalateForm, carried: &Carried) -> Option<Wish> {
        let escalate =
            Command::Escalate { when: When::default(), team: called.team.0.clone(), reason: called.reason.clone() };
        match (carried.incident, called.incident) {
            (Some(id), _) | (None, Some(IncidentChoice::Existing(id))) => {
                Some(Wish { target: Target::Incident(id), commands: vec![escalate], field: field::TEAM })
            }
            (None, Some(IncidentChoice::New)) => {
                let name = self.app.roster().teams.get(&called.team).map(|team| team.name.clone())?;
                let title = called.reason.as_deref().map_or_else(|| format!("{name} was called"), first_line);
                let open = Open {
                    title,
                    severity: None,
                    private: false,
                    zone: self.zone_name(user),
                    origin: Origin::Command { channel: carried.channel.clone() },
                    retrospective: false,
                    nonce: random_id(),
                    escalate_to: None,
                    detected: None,
                };
                let commands = vec![Command::Open(open), escalate];
                Some(Wish { target: Target::New, commands, field: field::TEAM })
            }
            (None, None) => None,
        }
    }

    /// "Which incident?" was answered: the command or the message that waited goes there.
    async fn chosen(&self, submission: &ViewSubmission, asking: &Asking, carried: Carried) -> Ack {
        let choice = match forms::which_incident(&submission.view.values) {
            Ok(choice) => choice,
            Err(errors) => return Ack::View(errors.response()),
        };
        let IncidentChoice::Existing(id) = choice else {
            let prefill = OpenPrefill::default();
            let carried = Carried { typed: None, ..carried };
            let view = modals::open_modal(&prefill, None, &self.app.roster(), &carried);
            return Ack::View(serde_json::json!({ "response_action": "update", "view": view }));
        };
        match self.incident(id).await {
            Ok(incident) if self.may_see(&asking.user, &incident) => {
                self.retype(submission, asking, id, &carried).await
            }
            Ok(_) => refuse(field::INCIDENT, "That incident does not exist. Choose another."),
            Err(failure) => refuse(field::INCIDENT, &failure.text),
        }
    }

    /// Carries out the command line that waited for its incident; if more is missing, the form that asks for it follows.
    async fn retype(&self, submission: &ViewSubmission, asking: &Asking, id: IncidentId, carried: &Carried) -> Ack {
        let Some((command, text)) = carried.typed.as_deref().and_then(|typed| typed.split_once(' ')) else {
            return Ack::Empty;
        };
        let typed = SlashCommand {
            workspace: submission.who.workspace.clone(),
            enterprise: submission.who.enterprise.clone(),
            channel: carried.channel.clone().unwrap_or_else(|| ChannelId::new("")),
            channel_name: String::new(),
            user: asking.user.clone(),
            user_name: submission.who.name.clone(),
            command: command.to_owned(),
            text: text.to_owned(),
            response_url: None,
            trigger_id: None,
        };
        let place = Place { asking: asking.clone(), here: Some(id), command: &typed };
        if let Some(Err(unclear)) = self.read(&typed)
            && unclear.did_you_mean.is_empty()
            && let Some(view) = Box::pin(self.form_for(&place, &unclear)).await
        {
            return Ack::View(serde_json::json!({ "response_action": "update", "view": view }));
        }
        if let Ack::Message(message) = self.typed(&place).await {
            self.tell(&asking.user, Way::near(carried.channel.clone()), message);
        }
        Ack::Empty
    }

    pub(super) async fn global_shortcut(&self, shortcut: GlobalShortcut) -> Ack {
        if shortcut.callback_id == SHORTCUT_OPEN {
            let view = modals::open_modal(&OpenPrefill::default(), None, &self.app.roster(), &Carried::default());
            self.open_form(shortcut.trigger_id.as_deref(), &view).await;
        }
        Ack::Empty
    }

    pub(super) async fn message_shortcut(&self, shortcut: MessageShortcut) -> Ack {
        self.meet(&shortcut.who.user).await;
        let Some(channel) = shortcut.channel.clone() else { return Ack::Empty };
        let message = MessageRef { channel: channel.clone(), ts: shortcut.message.ts.clone() };
        let text = plain::readable(&shortcut.message.text, &self.app.directory());
        let trigger = shortcut.trigger_id.as_deref();
        let carried = Carried {
            channel: Some(channel.clone()),
            message: Some(message.clone()),
            author: shortcut.message.user.clone(),
            ..Carried::default()
        };
        match shortcut.callback_id.as_str() {
            SHORTCUT_OPEN_FROM_MESSAGE => {
                let view = modals::open_modal(&of_message(&text), None, &self.app.roster(), &carried);
                self.open_form(trigger, &view).await;
            }
            SHORTCUT_ADD_TO_TIMELINE => {
                let carried = Carried { files: files(&shortcut.message), ..carried };
                if let Err(failure) = self.capture_form(&shortcut, text, carried).await {
                    self.tell(&shortcut.who.user, Way::by(shortcut.response_url.clone(), Some(channel)), failure);
                }
            }
            other => tracing::info!(shortcut = other.len(), "a shortcut that Firebell does not know"),
        }
        Ack::Empty
    }

    /// The form that takes a message into the timeline; without an open incident, the one that opens an incident with it.
    async fn capture_form(&self, shortcut: &MessageShortcut, text: String, carried: Carried) -> Result<(), Message> {
        let trigger = shortcut.trigger_id.as_deref();
        let here = match &carried.channel {
            Some(channel) => self.app.incident_in(channel).await.map_err(|error| Self::unreadable(&error))?,
            None => None,
        };
        let text = match (text.trim(), carried.files.as_slice()) {
            ("", [_, ..]) => {
                let names: Vec<&str> = carried.files.iter().map(|file| file.name.as_str()).collect();
                format!("File: {}", names.join(", "))
            }
            _ => text,
        };
        let at = carried.message.as_ref().and_then(|message| written_at(&message.ts));
        let view = if let Some(id) = here {
            let incident = self.incident(id).await?;
            let (roster, directory, now) = (self.app.roster(), self.app.directory(), self.app.clock().now());
            let scene = Scene::new(&incident, &roster, &directory, now);
            let carried = Carried { incident: Some(id), ..carried };
            modals::capture_modal(Ok(&scene), &text, at, &carried)
        } else {
            let open = self.visible(&shortcut.who.user, false, super::CHOICES_MAX).await;
            let open = open.map_err(|error| Self::unreadable(&error))?;
            let choices: Vec<&Incident> = open.iter().collect();
            if choices.is_empty() {
                modals::open_modal(&of_message(&text), None, &self.app.roster(), &carried)
            } else {
                modals::capture_modal(Err(&choices), &text, at, &carried)
            }
        };
        let not_opened = || Message::sentence("Slack did not open the form in time. Use the shortcut again.".into());
        self.open_form(trigger, &view).await.ok_or_else(not_opened)
    }
}

/// What the form that opens an incident with a message says at first.
fn of_message(text: &str) -> OpenPrefill {
    OpenPrefill {
        title: Some(first_line(text)).filter(|title| !title.is_empty()),
        description: Some(text.to_owned()).filter(|text| !text.is_empty()),
        ..OpenPrefill::default()
    }
}

pub(super) fn files(message: &SeenMessage) -> Vec<File> {
    let file = |file: &crate::slack::inbound::File| File {
        name: file.name.clone(),
        permalink: file.permalink.clone().unwrap_or_default(),
    };
    message.files.iter().map(file).collect()
}

fn answers_of(fields: Vec<(crate::domain::incident::Field, Option<String>)>) -> Vec<Command> {
    if fields.is_empty() { Vec::new() } else { vec![Command::SetFields { fields }] }
}

fn first_line(text: &str) -> String {
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().trim();
    if line.chars().count() <= TITLE_FROM_MESSAGE_CHARS {
        return line.to_owned();
    }
    let cut: String = line.chars().take(TITLE_FROM_MESSAGE_CHARS - 1).collect();
    format!("{}…", cut.trim_end())
}

fn refuse(field: &'static str, sentence: &str) -> Ack {
    Ack::View(FieldErrors::one(field, sentence).response())
}
