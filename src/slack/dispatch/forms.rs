//! Submitted forms and shortcuts.

use super::commands::Place;
use super::{Asking, Dispatch, Way, rejection};
use crate::app::{Answered, Target};
use crate::domain::answer::Said;
use crate::domain::command::{Command, Detection, Open, When};
use crate::domain::event::{File, NoteKind, Origin, Source};
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
        let asking = Asking { user: submission.who.user.clone(), key: meta.delivery_key.clone(), inside: true };
        let view = &submission.view;
        let Some(carried) = Carried::decode(&view.private_metadata) else {
            return refuse(field::TEXT, "This form is from another version of Firebell. Close it and open it again.");
        };
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
                commands.push(Command::Resolve { when: When::default(), text: None, team: None });
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
    fn is_to_come(&self, at: Option<chrono::DateTime<chrono::Utc>>) -> bool {
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
        if let Some(message) = carried.message {
            let command = Command::RequestCapture { message, kind: NoteKind::Note };
            let wish = Wish { target: Target::Incident(id), commands: vec![command], field: field::INCIDENT };
            return self.fulfil(asking, &Carried { channel: carried.channel, ..Carried::of(id) }, wish).await;
        }
        self.retype(submission, asking, id, &carried).await;
        Ack::Empty
    }

    /// Carries out the command line that waited for its incident.
    async fn retype(&self, submission: &ViewSubmission, asking: &Asking, id: IncidentId, carried: &Carried) {
        let Some((command, text)) = carried.typed.as_deref().and_then(|typed| typed.split_once(' ')) else { return };
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
        if let Ack::Message(value) = self.typed(&place).await {
            let message = Message {
                text: value["text"].as_str().unwrap_or_default().to_owned(),
                blocks: value["blocks"].as_array().cloned().unwrap_or_default(),
            };
            self.tell(&asking.user, Way::near(carried.channel.clone()), message);
        }
    }

    pub(super) async fn global_shortcut(&self, shortcut: GlobalShortcut) -> Ack {
        if shortcut.callback_id == SHORTCUT_OPEN {
            let view = modals::open_modal(&OpenPrefill::default(), None, &self.app.roster(), &Carried::default());
            self.open_form(shortcut.trigger_id.as_deref(), &view).await;
        }
        Ack::Empty
    }

    pub(super) async fn message_shortcut(&self, shortcut: MessageShortcut, meta: &Meta) -> Ack {
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
                let prefill = OpenPrefill {
                    title: Some(first_line(&text)).filter(|title| !title.is_empty()),
                    description: Some(text).filter(|text| !text.is_empty()),
                    ..OpenPrefill::default()
                };
                let view = modals::open_modal(&prefill, None, &self.app.roster(), &carried);
                self.open_form(trigger, &view).await;
            }
            SHORTCUT_ADD_TO_TIMELINE => {
                let asking = Asking { user: shortcut.who.user.clone(), key: meta.delivery_key.clone(), inside: true };
                match self.app.incident_in(&channel).await {
                    Ok(Some(id)) => self.capture(&asking, id, &shortcut, message, text).await,
                    Ok(None) => {
                        self.ask_which(&asking.user, trigger, &carried).await;
                    }
                    Err(error) => {
                        let failure = Self::unreadable(&error);
                        self.tell(&asking.user, Way::by(shortcut.response_url.clone(), Some(channel)), failure);
                    }
                }
            }
            other => tracing::info!(shortcut = other.len(), "a shortcut that Firebell does not know"),
        }
        Ack::Empty
    }

    /// Takes the message of a shortcut into the timeline; Slack has sent all of it along.
    async fn capture(
        &self,
        asking: &Asking,
        id: IncidentId,
        shortcut: &MessageShortcut,
        message: MessageRef,
        text: String,
    ) {
        let at = written_at(&message.ts).unwrap_or_else(|| self.app.clock().now());
        let source = Source::Message {
            author: shortcut.message.user.clone(),
            permalink: self.permalink(&message),
            files: files(&shortcut.message),
            message,
        };
        let command = Command::Capture { at, kind: NoteKind::Note, text, source };
        let told = match self.ask(asking, Target::Incident(id), command).await {
            Ok(answer) => self.words(&asking.user, &answer).await,
            Err(failure) => Some(failure),
        };
        if let Some(message) = told {
            self.tell(&asking.user, Way::by(shortcut.response_url.clone(), shortcut.channel.clone()), message);
        }
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
