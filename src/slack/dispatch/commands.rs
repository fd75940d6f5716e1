//! Slash commands: what was typed, as a command or a look.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{Asking, Dispatch, outside, shown};
use crate::app::Target;
use crate::domain::civil::TypedTime;
use crate::domain::command::{Acknowledge, Alert, Command, Detection, Open, When};
use crate::domain::event::{Origin, Recorded};
use crate::domain::incident::Incident;
use crate::domain::timeline::alerts::alerts;
use crate::ids::{IncidentId, TeamKey, random_id};
use crate::slack::actions::Carried;
use crate::slack::answers::{self, Suggestion};
use crate::slack::command::{self as typed, Entry, OpenTyped, Parsed, Typed, Unclear};
use crate::slack::inbound::{Ack, Meta, SlashCommand};
use crate::slack::json::Json;
use crate::slack::message::Message;
use crate::slack::modals::{self, OpenPrefill};
use crate::slack::scene::Scene;
use crate::slack::{help, lists};

/// Entries of the timeline that a message shows.
const TIMELINE_ENTRIES: usize = 20;
/// Incidents that a list shows.
const LISTED_MAX: u32 = 50;

/// Where a command was typed, and by whom.
pub(super) struct Place<'a> {
    pub(super) asking: Asking,
    /// The incident whose channel it is.
    pub(super) here: Option<IncidentId>,
    pub(super) command: &'a SlashCommand,
}

impl Dispatch {
    pub(super) async fn command(&self, command: SlashCommand, meta: &Meta) -> Ack {
        self.meet(&command.user).await;
        let here = match self.app.incident_in(&command.channel).await {
            Ok(here) => here,
            Err(error) => return shown(Self::unreadable(&error)),
        };
        let asking = Asking { user: command.user.clone(), key: meta.delivery_key.clone(), inside: false };
        self.typed(&Place { asking, here, command: &command }).await
    }

    /// Carries out a command line; also what a "did you mean" button runs.
    pub(super) async fn typed(&self, place: &Place<'_>) -> Ack {
        let command = place.command;
        let Some(parsed) = self.read(command) else {
            tracing::info!(command = command.command.len(), "a command that is not ours was answered");
            let suggestion = ["/incident", "/escalate"].map(|command| Suggestion {
                label: command.to_owned(),
                command: command.to_owned(),
                text: "help".to_owned(),
            });
            return shown(answers::did_you_mean("Firebell has no such command.", &suggestion));
        };
        match parsed {
            Ok(parsed) => self.carry_out(place, parsed).await,
            Err(unclear) => Box::pin(self.unclear(place, &unclear)).await,
        }
    }

    /// What a command line says; `None` if it is no command of ours.
    pub(super) fn read(&self, command: &SlashCommand) -> Option<Result<Parsed, Box<Unclear>>> {
        let (roster, directory) = (self.app.roster(), self.app.directory());
        let zone = self.zone(&command.user);
        let context = typed::Context {
            now: self.app.clock().now(),
            zone: &zone,
            me: &command.user,
            roster: &roster,
            directory: &directory,
        };
        match command.command.as_str() {
            "/incident" => Some(typed::incident(&command.text, &context)),
            "/escalate" => Some(typed::escalate(&command.text, &context)),
            _ => None,
        }
    }

    async fn carry_out(&self, place: &Place<'_>, parsed: Parsed) -> Ack {
        let helps = matches!(parsed.typed, Typed::Help | Typed::EscalateHelp);
        let admitted = self.app.roster().permissions.admit(&place.asking.user, &self.app.directory());
        // In an incident's channel, everybody reads it anyway.
        if let (Err(rejection), None, false) = (admitted, place.here, helps) {
            return shown(answers::refusal(&rejection));
        }
        let named = match parsed.incident {
            None => None,
            Some(number) => match Box::pin(self.app.incident_by_number(number)).await {
                Ok(found) => match found.filter(|incident| self.may_see(&place.asking.user, incident)) {
                    Some(incident) => Some(incident.id),
                    None => return shown(answers::refusal(&no_such(number))),
                },
                Err(error) => return shown(Self::unreadable(&error)),
            },
        };
        let target = named.or(place.here);
        let asking = Asking { inside: place.here.is_some() && target == place.here, ..place.asking.clone() };
        match parsed.typed {
            Typed::OpenForm => Box::pin(self.open_form_for(place)).await,
            Typed::Open(open) => {
                let zone = self.zone_name(&asking.user);
                let opened = self.ask_in_words(&asking, Target::New, opening(place, open, zone)).await;
                opened.unwrap_or_else(Some).map_or(Ack::Empty, shown)
            }
            Typed::EscalateForm => Box::pin(self.escalate_form(place, target, None, None)).await,
            Typed::Escalate { team, reason } if target.is_none() => {
                Box::pin(self.escalate_form(place, None, Some(team), reason)).await
            }
            Typed::List { .. } | Typed::Help | Typed::EscalateHelp | Typed::Preview { .. } => {
                Box::pin(self.look_around(place, target, parsed.typed)).await
            }
            look @ (Typed::Show
            | Typed::Timeline
            | Typed::Alerts { .. }
            | Typed::Postmortem
            | Typed::Why { .. }
            | Typed::Join) => match target {
                Some(id) => Box::pin(self.look_at(&asking, id, look)).await,
                None => Box::pin(self.which(place)).await,
            },
            Typed::TakeAlertOut { alert } => match target {
                Some(id) => Box::pin(self.take_alert_out(&asking, id, alert)).await,
                None => Box::pin(self.which(place)).await,
            },
            change => match target {
                Some(id) => self.change(&asking, id, change).await,
                None => Box::pin(self.which(place)).await,
            },
        }
    }

    pub(super) async fn which(&self, place: &Place<'_>) -> Ack {
        let SlashCommand { command, text, trigger_id, channel, user, .. } = place.command;
        let carried =
            Carried { channel: Some(channel.clone()), typed: Some(format!("{command} {text}")), ..Carried::default() };
        self.ask_which(user, trigger_id.as_deref(), &carried).await
    }

    /// Changes one incident; several notes of one text are several commands, each told in one answer.
    async fn change(&self, asking: &Asking, id: IncidentId, typed: Typed) -> Ack {
        let commands = commands(typed, self.app.clock().now());
        let only = commands.len() == 1;
        let mut told: Vec<Message> = Vec::new();
        for (part, command) in commands.into_iter().enumerate() {
            let asking = if only { asking.clone() } else { asking.part(part) };
            match self.ask_in_words(&asking, Target::Incident(id), command).await {
                Err(failure) => return shown(failure),
                Ok(None) if !asking.inside => told.extend(Box::pin(self.done_elsewhere(id)).await),
                Ok(words) => told.extend(words),
            }
        }
        told.into_iter().reduce(Message::followed_by).map_or(Ack::Empty, shown)
    }

    pub(super) async fn open_form_for(&self, place: &Place<'_>) -> Ack {
        let SlashCommand { channel, trigger_id, .. } = place.command;
        let carried = Carried { channel: Some(channel.clone()), ..Carried::default() };
        let view = modals::open_modal(&OpenPrefill::default(), None, &self.app.roster(), &carried);
        match self.open_form(trigger_id.as_deref(), &view).await {
            Some(()) => Ack::Empty,
            None => shown(answers::form_not_opened("/incident", "open")),
        }
    }

    async fn escalate_form(
        &self,
        place: &Place<'_>,
        target: Option<IncidentId>,
        team: Option<TeamKey>,
        reason: Option<String>,
    ) -> Ack {
        let SlashCommand { trigger_id, command, text, .. } = place.command;
        let view = match self.escalate_view(place, target, team.as_ref(), reason.as_deref()).await {
            Ok(view) => view,
            Err(failure) => return shown(failure),
        };
        match self.open_form(trigger_id.as_deref(), &view).await {
            Some(()) => Ack::Empty,
            None => shown(answers::form_not_opened(command, text)),
        }
    }

    pub(super) async fn escalate_view(
        &self,
        place: &Place<'_>,
        target: Option<IncidentId>,
        team: Option<&TeamKey>,
        reason: Option<&str>,
    ) -> Result<Json, Message> {
        let SlashCommand { channel, user, .. } = place.command;
        let roster = self.app.roster();
        let carried = Carried { channel: Some(channel.clone()), incident: target, ..Carried::default() };
        let incidents = match (target, self.visible(user, false, super::CHOICES_MAX).await) {
            (Some(_), _) => None,
            (None, Ok(incidents)) => Some(incidents),
            (None, Err(error)) => return Err(Self::unreadable(&error)),
        };
        let choices: Option<Vec<&Incident>> = incidents.as_ref().map(|incidents| incidents.iter().collect());
        Ok(modals::escalate_modal(team, reason, choices.as_deref(), &roster, &carried))
    }

    /// What needs no incident.
    async fn look_around(&self, place: &Place<'_>, target: Option<IncidentId>, typed: Typed) -> Ack {
        let user = &place.asking.user;
        let (roster, directory, now) = (self.app.roster(), self.app.directory(), self.app.clock().now());
        let all = matches!(typed, Typed::List { all: true });
        let incidents = match self.visible(user, all, LISTED_MAX).await {
            Ok(incidents) => incidents,
            Err(error) => return shown(Self::unreadable(&error)),
        };
        let listed: Vec<&Incident> = incidents.iter().collect();
        if let Typed::Preview { team, at } = &typed {
            return match roster.teams.get(team) {
                Some(found) => {
                    let zone = self.zone(user);
                    shown(lists::preview(found, at.unwrap_or(now), zone.name(), &roster, &directory, now))
                }
                None => shown(answers::refusal(&outside())),
            };
        }
        if matches!(typed, Typed::List { .. }) {
            return shown(lists::incidents(&listed, all, &roster, &directory, now));
        }
        let inside = match target {
            Some(id) => self.app.incident(id).await.ok().flatten(),
            None => None,
        };
        shown(help::help(match &inside {
            Some(incident) => help::Place::Inside(Scene::new(incident, &roster, &directory, now)),
            None => help::Place::Outside { open_incidents: listed.len() },
        }))
    }

    /// An incident that this person may see, with its history.
    async fn looked_up(&self, asking: &Asking, id: IncidentId) -> Result<(Incident, Vec<Recorded>), Message> {
        let incident = self.incident(id).await?;
        if !asking.inside && !self.may_see(&asking.user, &incident) {
            return Err(answers::refusal(&super::unknown()));
        }
        let history = self.app.history(id).await.map_err(|error| Self::unreadable(&error))?;
        Ok((incident, history))
    }

    /// What shows an incident and changes nothing.
    async fn look_at(&self, asking: &Asking, id: IncidentId, look: Typed) -> Ack {
        let (incident, history) = match self.looked_up(asking, id).await {
            Ok(seen) => seen,
            Err(message) => return shown(message),
        };
        let (roster, directory, now) = (self.app.roster(), self.app.directory(), self.app.clock().now());
        let scene = Scene::new(&incident, &roster, &directory, now);
        shown(match look {
            Typed::Timeline => lists::timeline(&scene, &history, TIMELINE_ENTRIES),
            Typed::Alerts { from } => lists::alerts(&scene, &alerts(&history), from),
            Typed::Why { team } => lists::why(&scene, &history, team.as_ref()),
            Typed::Postmortem => lists::documents(&scene),
            Typed::Join => {
                self.let_in(&incident, &asking.user);
                lists::details(&scene)
            }
            _ => lists::details(&scene),
        })
    }

    /// Looks up what the number stands for; whether the alert may be taken out is decided with the storm in hand.
    async fn take_alert_out(&self, asking: &Asking, id: IncidentId, number: u32) -> Ack {
        let (incident, history) = match self.looked_up(asking, id).await {
            Ok(seen) => seen,
            Err(message) => return shown(message),
        };
        let Some(listed) = alerts(&history).into_iter().find(|alert| alert.number == number) else {
            return shown(answers::refusal(&no_such_alert(&incident, number)));
        };
        let command = Command::TakeAlertOut(Alert {
            integration: listed.integration,
            dedup_key: listed.dedup_key,
            title: listed.title,
            text: String::new(),
            started_at: listed.began_at,
            labels: BTreeMap::new(),
            severity: listed.severity,
            team: incident.storm.and_then(|storm| storm.team).map(|team| team.0),
            link: listed.link,
            nonce: random_id(),
        });
        match self.ask_in_words(asking, Target::Incident(id), command).await {
            Ok(words) => words.map_or(Ack::Empty, shown),
            Err(failure) => shown(failure),
        }
    }

    /// Invites somebody into the incident's channel, after the acknowledgement.
    pub(super) fn let_in(&self, incident: &Incident, user: &crate::ids::UserId) {
        let Some(channel) = incident.channel_id().cloned() else { return };
        let (slack, user) = (self.slack.clone(), user.clone());
        self.afterwards.spawn(async move {
            if let Err(error) = slack.invite(&channel, &[user]).await {
                tracing::warn!(%error, "somebody who wanted to join could not be invited");
            }
        });
    }
}

fn no_such(number: i64) -> crate::domain::rejection::Rejection {
    crate::domain::rejection::Rejection::new(
        crate::domain::rejection::RejectionKind::NotFound,
        format!("There is no INC-{number}."),
    )
    .hint("/incident list shows the open ones.")
}

fn no_such_alert(incident: &Incident, number: u32) -> crate::domain::rejection::Rejection {
    crate::domain::rejection::Rejection::new(
        crate::domain::rejection::RejectionKind::NotFound,
        format!("There is no alert {number} in {}.", incident.name()),
    )
    .hint(format!("/incident {} alerts shows them.", incident.name()))
}

fn opening(place: &Place<'_>, open: OpenTyped, zone: Option<String>) -> Command {
    let when = open.detected.map(|time| time.when);
    let detected = (when.is_some() || open.by.is_some()).then(|| Detection {
        when: when.unwrap_or_default(),
        text: open.title.clone(),
        by: open.by,
        source: None,
    });
    Command::Open(Open {
        title: open.title,
        severity: open.severity,
        private: open.private,
        zone,
        origin: Origin::Command { channel: Some(place.command.channel.clone()) },
        retrospective: open.retrospective,
        nonce: random_id(),
        escalate_to: open.team.map(|team| team.0),
        detected,
    })
}

fn when(entry: &Entry) -> When {
    entry.time.as_ref().map_or_else(When::default, |time| time.when)
}

/// The commands that a text stands for: one, but for several notes.
fn commands(typed: Typed, now: DateTime<Utc>) -> Vec<Command> {
    let instant = |time: Option<TypedTime>| time.map(|time| time.when.at.unwrap_or(now));
    let team = |team: Option<TeamKey>| team.map(|team| team.0);
    vec![match typed {
        Typed::Notes(notes) => {
            let note = |note: typed::NoteTyped| Command::Note {
                when: note.time.map_or_else(When::default, |time| time.when),
                kind: note.kind,
                team: note.team,
                text: note.text,
            };
            return notes.into_iter().map(note).collect();
        }
        Typed::Status { status, text } => Command::SetStatus { status, text },
        Typed::Severity { severity } => Command::SetSeverity { severity },
        Typed::Title { title } => Command::Retitle { title },
        Typed::Role { role, user } => Command::AssignRole { role, user },
        Typed::Update { text } => Command::PostUpdate { text },
        Typed::Edit { target, text } => Command::EditEntry { target, text },
        Typed::Remove { target } => Command::RemoveEntry { target },
        Typed::Detected { entry, by } => {
            Command::Detected { when: when(&entry), text: entry.text.unwrap_or_default(), by, team: entry.team }
        }
        Typed::Declared(entry) => {
            Command::Declare { when: when(&entry), text: entry.text.unwrap_or_default(), team: entry.team }
        }
        Typed::Mitigated(entry) => Command::Mitigate { when: when(&entry), text: entry.text, team: entry.team },
        Typed::Resolve(entry) => Command::Resolve { when: when(&entry), text: entry.text, team: entry.team },
        Typed::Called(entry) => {
            Command::Called { when: when(&entry), text: entry.text.unwrap_or_default(), team: entry.team }
        }
        Typed::Acknowledged(entry) => Command::Acknowledge(Acknowledge {
            when: when(&entry),
            page: None,
            escalation: None,
            team: entry.team,
            text: entry.text,
        }),
        Typed::Reopen { text } => Command::Reopen { text },
        Typed::Cancel { text } => Command::Cancel { text },
        Typed::Started { time } => Command::SetImpactStart { start_at: instant(time) },
        Typed::Ended { time } => Command::SetImpactEnd { end_at: instant(time) },
        Typed::Field { field, value } => Command::SetFields { fields: vec![(field, value)] },
        Typed::Measure { text } => Command::AddMeasure { text },
        Typed::Export { format } => Command::SendDocument { format },
        Typed::Task { text, owner, due_on } => Command::AddTask { text, owner, due_on },
        Typed::TaskDone { task, done } => Command::FinishTask { task, done },
        Typed::TaskRemoved { task } => Command::RemoveTask { task },
        Typed::Escalate { team, reason } => Command::Escalate { when: When::default(), team: team.0, reason },
        Typed::EscalationTaken { team: named, text } => {
            Command::Acknowledge(Acknowledge { team: team(named), text, ..Acknowledge::default() })
        }
        Typed::EscalateNext { team: named, text } => {
            Command::EscalateNext { escalation: None, generation: None, team: team(named), text }
        }
        Typed::EscalateStop { team: named, text } => {
            Command::StopEscalation { escalation: None, generation: None, team: team(named), text }
        }
        Typed::OpenForm
        | Typed::Open(_)
        | Typed::List { .. }
        | Typed::Show
        | Typed::Help
        | Typed::Timeline
        | Typed::Alerts { .. }
        | Typed::TakeAlertOut { .. }
        | Typed::Postmortem
        | Typed::Join
        | Typed::EscalateForm
        | Typed::EscalateHelp
        | Typed::Why { .. }
        | Typed::Preview { .. } => return Vec::new(),
    }]
}
