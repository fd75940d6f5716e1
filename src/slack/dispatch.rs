//! What comes in from Slack, turned into commands, and their answers turned into what people see.
//!
//! A command is acknowledged after its commit. The only call made while Slack waits is `views.open`, because its trigger
//! lives three seconds; everything else that must be told is told after the acknowledgement.

mod afterwards;
mod buttons;
mod commands;
mod events;
mod forms;
mod missed;
mod unclear;

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use serde_json::json;

use self::afterwards::Afterwards;
pub use self::missed::{Found, Turn, Unread};
use super::actions::Carried;
use super::answers::{self, Reader};
use super::inbound::{Ack, Inbound, Interaction, Meta, Receive};
use super::json::Json;
use super::message::Message;
use super::scene::Scene;
use super::{Response, Slack, modals};
use crate::app::{Answered, App, Error, Request, Target};
use crate::clock::instant_now;
use crate::domain::answer::{Answer, Said};
use crate::domain::civil::{self, Zone};
use crate::domain::command::Command;
use crate::domain::event::Actor;
use crate::domain::incident::Incident;
use crate::domain::rejection::Rejection;
use crate::guard::guarded;
use crate::ids::{ChannelId, IncidentId, MessageRef, UserId, random_id};
use crate::metrics::{Delivery, unix_seconds};
use crate::store;

/// How long a command waits for Slack to describe somebody we have never met.
const INTRODUCTION_TIMEOUT: Duration = Duration::from_millis(800);
/// How long `views.open` may take: the trigger's three seconds less what went before.
const OPEN_VIEW_TIMEOUT: Duration = Duration::from_millis(2_400);
/// Incidents offered in a choice.
const CHOICES_MAX: u32 = 50;

/// The receiving end of the Slack connection; cheap to clone.
#[derive(Clone)]
pub struct Dispatch {
    app: App,
    slack: Slack,
    /// Such as `https://shopfront.slack.com`, for links to messages; from `auth.test`.
    workspace_url: Option<Arc<str>>,
    afterwards: Afterwards,
}

/// One command on its way: who asks, and under which key a repetition is known.
#[derive(Clone, Debug)]
struct Asking {
    user: UserId,
    key: String,
    /// From within the incident's channel, or by a button that only those inside see.
    inside: bool,
}

impl Dispatch {
    pub fn new(app: App, slack: Slack, workspace_url: Option<String>) -> Self {
        let workspace_url = workspace_url.map(|url| Arc::from(url.trim_end_matches('/')));
        Self { app, slack, workspace_url, afterwards: Afterwards::new() }
    }

    /// Returns when everything is told that is told after an acknowledgement: how much that was since the start.
    pub async fn all_told(&self) -> u64 {
        self.afterwards.all_done().await
    }

    /// As the function that HTTP and Socket Mode call.
    pub fn receiver(&self) -> Receive {
        let dispatch = self.clone();
        Arc::new(move |inbound, meta| {
            let dispatch = dispatch.clone();
            async move { dispatch.receive(inbound, meta).await }.boxed()
        })
    }

    /// Takes one delivery. A panic over it ends nothing else, and whoever waits is told under which reference it is logged.
    async fn receive(&self, inbound: Inbound, meta: Meta) -> Ack {
        let asker = asker(&inbound);
        let is_command = matches!(inbound, Inbound::Command(_));
        let kind = match &inbound {
            Inbound::Command(_) => Delivery::Command,
            Inbound::Interaction(_) => Delivery::Interaction,
            Inbound::Event(_) => Delivery::Event,
        };
        let metrics = self.app.metrics();
        metrics.slack_last_received.set(unix_seconds(meta.received_at));
        let began = instant_now();
        let ack = self.receive_guarded(inbound, meta, asker, is_command).await;
        metrics.ingress.of((kind,)).observe_real(began.elapsed());
        ack
    }

    async fn receive_guarded(
        &self,
        inbound: Inbound,
        meta: Meta,
        asker: Option<(UserId, Way)>,
        is_command: bool,
    ) -> Ack {
        match guarded("taking a delivery from Slack", self.take(inbound, meta).boxed()).await {
            Ok(ack) => ack,
            Err(broken) if is_command => shown(answers::breakdown(&broken.reference)),
            Err(broken) => {
                if let Some((user, way)) = asker {
                    self.tell(&user, way, answers::breakdown(&broken.reference));
                }
                // An event comes again; a form stays open with what was typed into it.
                Ack::Busy
            }
        }
    }

    /// What is not a command is boxed, here and further down, so that a command's future stays small: it is moved often.
    async fn take(&self, inbound: Inbound, meta: Meta) -> Ack {
        if self.is_from_elsewhere(&inbound) {
            return self.turn_away(&inbound);
        }
        match inbound {
            Inbound::Command(command) => self.command(command, &meta).await,
            Inbound::Event(envelope) => Box::pin(self.event(envelope, &meta)).await,
            Inbound::Interaction(interaction) => match interaction {
                Interaction::BlockActions(actions) => Box::pin(self.pressed(actions, &meta)).await,
                Interaction::ViewSubmission(submission) => Box::pin(self.submitted(submission, &meta)).await,
                Interaction::MessageShortcut(shortcut) => Box::pin(self.message_shortcut(shortcut)).await,
                Interaction::GlobalShortcut(shortcut) => Box::pin(self.global_shortcut(shortcut)).await,
                Interaction::BlockSuggestion(_) => Ack::Options(json!({ "options": [] })),
                Interaction::ViewClosed(_) => Ack::Empty,
                Interaction::Unknown { kind, .. } => {
                    tracing::info!(kind, "an interaction that Firebell does not know was acknowledged");
                    Ack::Empty
                }
            },
        }
    }

    /// Whether somebody of another workspace asks: the same app, installed there too, signs with the same secret.
    /// Events are not told apart by it, because in shared channels they name the workspace of who wrote.
    fn is_from_elsewhere(&self, inbound: &Inbound) -> bool {
        let (workspace, enterprise) = match inbound {
            Inbound::Command(command) => (&command.workspace, &command.enterprise),
            Inbound::Event(_) => return false,
            Inbound::Interaction(interaction) => match interaction {
                Interaction::BlockActions(press) => (&press.who.workspace, &press.who.enterprise),
                Interaction::ViewSubmission(submission) => (&submission.who.workspace, &submission.who.enterprise),
                Interaction::MessageShortcut(shortcut) => (&shortcut.who.workspace, &shortcut.who.enterprise),
                Interaction::GlobalShortcut(shortcut) => (&shortcut.who.workspace, &shortcut.who.enterprise),
                Interaction::BlockSuggestion(_) | Interaction::ViewClosed(_) | Interaction::Unknown { .. } => {
                    return false;
                }
            },
        };
        let ours = self.app.workspace();
        !self.app.roster().permissions.external
            && workspace.as_ref().is_some_and(|workspace| workspace != ours)
            && enterprise.as_deref() != Some(ours.as_str())
    }

    fn turn_away(&self, inbound: &Inbound) -> Ack {
        tracing::warn!("somebody of another workspace was turned away");
        let refusal = answers::refusal(
            &Rejection::new(
                crate::domain::rejection::RejectionKind::NotAllowed,
                "This Firebell serves another workspace.",
            )
            .hint("Ask a member of that workspace, or those who run Firebell in yours."),
        );
        match inbound {
            Inbound::Command(_) => shown(refusal),
            Inbound::Interaction(Interaction::ViewSubmission(submission)) => {
                let first = submission.view.values.as_object().and_then(|values| values.keys().next().cloned());
                let field = first.unwrap_or_else(|| super::actions::field::TEXT.to_owned());
                Ack::View(json!({ "response_action": "errors", "errors": { field: refusal.text } }))
            }
            Inbound::Interaction(_) => {
                if let Some((user, way @ Way::Respond { .. })) = asker(inbound) {
                    self.tell(&user, way, refusal);
                }
                Ack::Empty
            }
            Inbound::Event(_) => Ack::Empty,
        }
    }

    /// Runs a command; a failure of our own is put into words with a reference to the log.
    async fn ask(&self, asking: &Asking, target: Target, command: Command) -> Result<Answered, Message> {
        let request = asking.request(target, command);
        self.app.try_handle(request).await.map_err(|error| Self::failure(&error))
    }

    /// As [`Dispatch::ask`], with the answer in words.
    async fn ask_in_words(
        &self,
        asking: &Asking,
        target: Target,
        command: Command,
    ) -> Result<Option<Message>, Message> {
        let request = asking.request(target, command);
        // Without the incident at hand, its state has to be read after the commit.
        let in_words = |answered: &Answered| {
            let known = answered.after.is_some() || answered.incident.is_none();
            known.then(|| self.say(&asking.user, answered, answered.after.as_deref()))
        };
        match self.app.try_handle_telling(request, in_words).await {
            Ok((_, Some(words))) => Ok(words),
            Ok((answered, None)) => Ok(Box::pin(self.words(&asking.user, &answered)).await),
            Err(error) => Err(Self::failure(&error)),
        }
    }

    fn failure(error: &Error) -> Message {
        if let Error::Broken { reference } = error {
            return answers::breakdown(reference);
        }
        if let Error::Store(store::Error::NewerEngine { number, .. }) = error {
            tracing::error!(%error, "a command was not kept");
            return answers::left_to_newer(*number);
        }
        let reference = random_id()[..8].to_owned();
        tracing::error!(%error, reference, "a command was not kept");
        if matches!(error, Error::Store(store::Error::Full)) {
            return answers::disk_full(&reference);
        }
        answers::failure("Pages that are on their way still go out.", &reference)
    }

    fn unreadable(error: &store::Error) -> Message {
        if let store::Error::NewerEngine { number, .. } = error {
            tracing::error!(%error, "the incident is not read");
            return answers::left_to_newer(*number);
        }
        let reference = random_id()[..8].to_owned();
        tracing::error!(%error, reference, "the database could not be read");
        answers::failure("Pages that are on their way still go out.", &reference)
    }

    /// The answer in words, with the incident's state after it.
    async fn words(&self, user: &UserId, answered: &Answered) -> Option<Message> {
        let incident = match (&answered.after, answered.incident) {
            (Some(after), _) => Some(Arc::clone(after)),
            (None, Some(id)) => self.app.incident(id).await.ok().flatten().map(Arc::new),
            (None, None) => None,
        };
        self.say(user, answered, incident.as_deref())
    }

    fn say(&self, user: &UserId, answer: &Answer, incident: Option<&Incident>) -> Option<Message> {
        let (roster, directory) = (self.app.roster(), self.app.directory());
        let reader = Reader { user, roster: &roster, directory: &directory, now: self.app.clock().now() };
        answers::answer(answer, &reader, incident)
    }

    /// Makes sure that we know who somebody is, as far as Slack says so in time.
    async fn meet(&self, user: &UserId) {
        if user.as_str().is_empty() || self.app.directory().people.contains_key(user) {
            return;
        }
        let introduction = Box::pin(self.slack.user_info(user));
        if let Ok(Ok(person)) = tokio::time::timeout(INTRODUCTION_TIMEOUT, introduction).await {
            self.app.update_directory(|directory| {
                directory.people.insert(person.id.clone(), person);
            });
        }
    }

    /// The zone in which this person types times.
    fn zone(&self, user: &UserId) -> Zone {
        let (roster, directory) = (self.app.roster(), self.app.directory());
        let named = directory.people.get(user).and_then(|person| person.zone.as_deref()).unwrap_or(&roster.zone);
        civil::zone(named).or_else(|_| civil::zone(&roster.zone)).unwrap_or_else(|_| Zone::utc())
    }

    /// The person's own IANA zone, if Slack has told it: the one in which an incident of theirs is written down.
    fn zone_name(&self, user: &UserId) -> Option<String> {
        let directory = self.app.directory();
        let named = directory.people.get(user)?.zone.clone()?;
        civil::zone(&named).is_ok().then_some(named)
    }

    /// How an incident stands after a change that its own channel shows, for somebody who is not there.
    async fn done_elsewhere(&self, id: IncidentId) -> Option<Message> {
        let incident = self.app.incident(id).await.ok().flatten()?;
        let (roster, directory, now) = (self.app.roster(), self.app.directory(), self.app.clock().now());
        Some(answers::done_elsewhere(&Scene::new(&incident, &roster, &directory, now)))
    }

    /// Open incidents that this person may know of, newest first. Those they may not know of take no place from others:
    /// a list that is shorter would tell of them.
    async fn visible(&self, user: &UserId, all: bool, limit: u32) -> Result<Vec<Incident>, store::Error> {
        let mut filter =
            store::incidents::Filter { open_only: !all, include_private: true, limit, ..Default::default() };
        let mut tx = self.app.db().read().await?;
        let mut visible = Vec::new();
        loop {
            let page = store::incidents::list(&mut tx, self.app.workspace(), &filter).await?;
            visible.extend(page.incidents.into_iter().filter(|incident| self.may_see(user, incident)));
            if page.next.is_none() || visible.len() >= limit as usize {
                visible.truncate(limit as usize);
                return Ok(visible);
            }
            filter.before = page.next;
        }
    }

    fn may_see(&self, user: &UserId, incident: &Incident) -> bool {
        let (roster, directory) = (self.app.roster(), self.app.directory());
        let permissions = &roster.permissions;
        let may_look =
            !incident.private || permissions.lists(crate::domain::permission::Action::SeePrivate, user, &directory);
        incident.involves(user) || (may_look && permissions.admit(user, &directory).is_ok())
    }

    /// Opens a form for a person; `None` if Slack did not open it in time, with the reason in the log.
    async fn open_form(&self, trigger_id: Option<&str>, view: &Json) -> Option<()> {
        let opened = tokio::time::timeout(OPEN_VIEW_TIMEOUT, Box::pin(self.slack.open_view(trigger_id?, view))).await;
        match opened {
            Ok(Ok(_)) => Some(()),
            Ok(Err(error)) => {
                tracing::warn!(%error, "a form could not be opened");
                None
            }
            Err(_) => {
                tracing::warn!("Slack did not open a form in time");
                None
            }
        }
    }

    /// Asks which incident a command means that was typed outside of one.
    async fn ask_which(&self, user: &UserId, trigger_id: Option<&str>, carried: &Carried) -> Ack {
        let (command, text) = carried.typed.as_deref().and_then(|typed| typed.split_once(' ')).unwrap_or_default();
        match self.visible(user, false, CHOICES_MAX).await {
            Err(error) => shown(Self::unreadable(&error)),
            Ok(incidents) => {
                let choices: Vec<&Incident> = incidents.iter().collect();
                let view = modals::which_incident_modal(&choices, carried);
                match self.open_form(trigger_id, &view).await {
                    Some(()) => Ack::Empty,
                    None if command.is_empty() => shown(answers::refusal(&outside())),
                    None => shown(answers::form_not_opened(command, text)),
                }
            }
        }
    }

    /// Tells a person something after the acknowledgement: by the address Slack gave, else beside where they are.
    fn tell(&self, user: &UserId, way: Way, message: Message) {
        let (slack, user) = (self.slack.clone(), user.clone());
        self.afterwards.spawn(async move {
            let told = match way {
                Way::Respond { url, replace_original } => {
                    let (text, blocks) = (message.text, message.blocks);
                    slack.respond(&url, &Response { text, blocks, replace_original, ..Response::default() }).await
                }
                Way::Beside(channel) => {
                    slack.post_ephemeral(&channel, &user, &message.text, &message.blocks, None).await
                }
                Way::Directly => {
                    let post = super::Message { text: message.text, blocks: message.blocks, ..Default::default() };
                    slack.post_message(&ChannelId::new(user.as_str()), &post).await.map(drop)
                }
            };
            if let Err(error) = told {
                tracing::warn!(%error, "an answer could not be shown");
            }
        });
    }

    /// The address of a message, made without asking Slack.
    fn permalink(&self, message: &MessageRef) -> Option<String> {
        let url = self.workspace_url.as_ref()?;
        Some(format!("{url}/archives/{}/p{}", message.channel, message.ts.as_str().replace('.', "")))
    }

    async fn incident(&self, id: IncidentId) -> Result<Incident, Message> {
        match self.app.incident(id).await {
            Ok(Some(incident)) => Ok(incident),
            Ok(None) => Err(answers::refusal(&unknown())),
            Err(error) => Err(Self::unreadable(&error)),
        }
    }
}

/// How somebody is told what only they see.
enum Way {
    /// By the address that came with a press or a shortcut; the pressed message is replaced if only they saw it.
    Respond { url: String, replace_original: bool },
    /// In this channel.
    Beside(ChannelId),
    /// By direct message.
    Directly,
}

impl Way {
    /// Beside where they are, if that is known.
    fn near(channel: Option<ChannelId>) -> Self {
        channel.map_or(Self::Directly, Self::Beside)
    }

    fn by(response_url: Option<String>, channel: Option<ChannelId>) -> Self {
        match response_url {
            Some(url) => Self::Respond { url, replace_original: false },
            None => Self::near(channel),
        }
    }
}

/// Who waits for something to come of a delivery, and how they are told apart from its acknowledgement.
fn asker(inbound: &Inbound) -> Option<(UserId, Way)> {
    let (who, way) = match inbound {
        Inbound::Command(_) | Inbound::Event(_) => return None,
        Inbound::Interaction(interaction) => match interaction {
            Interaction::BlockActions(press) => {
                (&press.who, Way::by(press.response_url.clone(), press.channel.clone()))
            }
            Interaction::MessageShortcut(shortcut) => {
                (&shortcut.who, Way::by(shortcut.response_url.clone(), shortcut.channel.clone()))
            }
            Interaction::ViewSubmission(submission) => (&submission.who, Way::Directly),
            Interaction::GlobalShortcut(shortcut) => (&shortcut.who, Way::Directly),
            Interaction::BlockSuggestion(_) | Interaction::ViewClosed(_) | Interaction::Unknown { .. } => return None,
        },
    };
    (!who.user.as_str().is_empty()).then(|| (who.user.clone(), way))
}

impl Asking {
    fn request(&self, target: Target, command: Command) -> Request {
        Request {
            key: Some(self.key.clone()),
            actor: Actor::Person { user: self.user.clone() },
            target,
            command,
            inside: self.inside,
        }
    }

    /// One of several commands that came with one delivery.
    fn part(&self, part: usize) -> Self {
        Self { key: format!("{}#{part}", self.key), ..self.clone() }
    }
}

/// A message that only the person sees, as the answer to a slash command.
fn shown(message: Message) -> Ack {
    Ack::Message(message)
}

fn outside() -> Rejection {
    Rejection::new(crate::domain::rejection::RejectionKind::NotFound, "This is no incident's channel.")
        .hint("Type it in the channel of an incident, or name one: /incident INC-42 note …")
}

fn unknown() -> Rejection {
    Rejection::new(crate::domain::rejection::RejectionKind::NotFound, "That incident does not exist.")
        .hint("/incident list shows the open ones.")
}

/// The refusal in an answer, if it is one.
fn rejection(answer: &Answer) -> Option<&Rejection> {
    match &answer.said {
        Said::Refused { rejection } => Some(rejection),
        _ => None,
    }
}
