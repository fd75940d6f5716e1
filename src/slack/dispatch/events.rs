//! Events: reactions, edits and deletions of messages, people, channels, the App Home.

use super::missed::Known;
use super::{Asking, Dispatch, Way};
use crate::app::{Request, Target};
use crate::domain::command::{Command, MessageChange};
use crate::domain::event::{Actor, NoteKind, Recorded};
use crate::ids::{ChannelId, IncidentId, MessageRef, Seq, UserId};
use crate::slack::inbound::{Ack, Event, EventEnvelope, Meta, SeenMessage};
use crate::slack::{help, home, plain, story};
use crate::store::captures;

/// Reactions that take a message into the timeline.
pub(super) const MARKS: [(&str, NoteKind); 2] = [("memo", NoteKind::Note), ("pushpin", NoteKind::Key)];
/// Incidents considered for an App Home.
const HOME_INCIDENTS_MAX: u32 = 200;

impl Dispatch {
    /// Events are kept before they are acknowledged; what cannot be kept is delivered again by Slack.
    pub(super) async fn event(&self, envelope: EventEnvelope, meta: &Meta) -> Ack {
        let ours = envelope.bot_user.clone();
        let kept = match envelope.event {
            Event::Message { channel, message, .. } => self.wrote(&channel, &message).await,
            Event::MessageChanged { channel, message, .. } => {
                let text = plain::readable(&message.text, &self.app.directory());
                let by = message.user.clone();
                let message = MessageRef { channel, ts: message.ts };
                self.follow(message, by, MessageChange::Edited { text }, meta).await
            }
            Event::MessageDeleted { channel, deleted_ts, previous } => {
                let by = previous.and_then(|message| message.user);
                let message = MessageRef { channel, ts: deleted_ts };
                self.follow(message, by, MessageChange::Deleted, meta).await
            }
            Event::ReactionAdded { user, reaction, item: Some(message), .. } if ours.as_ref() != Some(&user) => {
                self.marked(&user, &reaction, message, meta).await
            }
            Event::ReactionRemoved { user, reaction, item: Some(message), .. } if ours.as_ref() != Some(&user) => {
                self.unmarked(&user, &reaction, message, meta).await
            }
            Event::ChannelArchived { channel, .. } => self.gone(&channel, "the channel was archived", meta).await,
            Event::ChannelDeleted { channel, .. } => self.gone(&channel, "the channel was deleted", meta).await,
            Event::AppHomeOpened { user, tab, .. } if tab != "messages" => {
                self.show_home(user);
                Ok(())
            }
            Event::UserChanged { user, person } => {
                self.person_changed(user, person);
                Ok(())
            }
            Event::SubteamChanged { .. } => {
                self.groups_changed();
                Ok(())
            }
            Event::AppMention { channel, message } => {
                self.mentioned(channel, &message).await;
                Ok(())
            }
            Event::TokensRevoked { .. } | Event::AppUninstalled => {
                tracing::error!("Slack has revoked the app's token: pages cannot go out. Reinstall the app.");
                Ok(())
            }
            Event::RateLimited { .. } => {
                tracing::warn!("Slack withholds events: the workspace sends more than it may in an hour");
                Ok(())
            }
            Event::Unknown { kind } => {
                tracing::debug!(kind, "an event that Firebell has no use for");
                Ok(())
            }
            Event::ReactionAdded { .. }
            | Event::ReactionRemoved { .. }
            | Event::AppHomeOpened { .. }
            | Event::MemberJoined { .. }
            | Event::MemberLeft { .. }
            | Event::ChannelUnarchived { .. }
            | Event::ChannelRenamed { .. } => Ok(()),
        };
        match kept {
            Ok(()) => Ack::Empty,
            Err(error) => {
                tracing::error!(%error, "an event was not kept; Slack delivers it again");
                Ack::Busy
            }
        }
    }

    /// Somebody wrote in an incident's channel: an acknowledger among them is at work.
    async fn wrote(&self, channel: &ChannelId, message: &SeenMessage) -> Result<(), crate::app::Error> {
        let (Some(user), None, false) = (&message.user, &message.subtype, message.is_from_bot()) else { return Ok(()) };
        let Some(id) = self.app.incident_in(channel).await? else { return Ok(()) };
        let lapses = |incident: crate::domain::incident::Incident| {
            incident
                .timers()
                .iter()
                .any(|(timer, _)| matches!(timer, crate::domain::command::Timer::AcknowledgementLapses { .. }))
        };
        if self.app.incident(id).await?.is_some_and(lapses) {
            let command = Command::Activity { user: user.clone() };
            self.own(Target::Incident(id), command, None).await?;
        }
        Ok(())
    }

    /// Follows a captured message; most edited messages were never captured.
    async fn follow(
        &self,
        message: MessageRef,
        by: Option<UserId>,
        change: MessageChange,
        meta: &Meta,
    ) -> Result<(), crate::app::Error> {
        let mut tx = self.app.db().read().await?;
        let captured = captures::find(&mut tx, self.app.workspace(), &message).await?;
        drop(tx);
        for (part, (id, target)) in captured.into_iter().enumerate() {
            // It may have been found out already, after a gap.
            if !Known::of(&self.app.history(id).await?).is_news(target, &change) {
                continue;
            }
            let request = Request {
                key: Some(format!("{}#{part}", meta.delivery_key)),
                actor: by.clone().map_or(Actor::Firebell, |user| Actor::Person { user }),
                target: Target::Incident(id),
                command: Command::FollowMessage { target, change: change.clone() },
                inside: true,
            };
            self.app.handle(request).await?;
        }
        Ok(())
    }

    async fn marked(
        &self,
        user: &UserId,
        reaction: &str,
        message: MessageRef,
        meta: &Meta,
    ) -> Result<(), crate::app::Error> {
        let Some((_, kind)) = MARKS.iter().find(|(name, _)| *name == reaction) else { return Ok(()) };
        let Some(id) = self.app.incident_in(&message.channel).await? else { return Ok(()) };
        if !self.entries_of(id, &message).await?.is_empty() {
            return Ok(());
        }
        let now = self.app.clock().now();
        if Known::of(&self.app.history(id).await?).is_coming(&message, now) {
            return Ok(());
        }
        self.meet(user).await;
        let asking = Asking { user: user.clone(), key: meta.delivery_key.clone(), inside: true };
        let command = Command::RequestCapture { message: message.clone(), kind: *kind, late: false };
        match self.ask(&asking, Target::Incident(id), command).await {
            Ok(answer) => {
                if let Some(message_to) = self.words(user, &answer).await {
                    self.tell(user, Way::Beside(message.channel), message_to);
                }
                Ok(())
            }
            Err(_) => Err(crate::app::Error::Busy),
        }
    }

    /// Somebody takes their mark back: what it took into the timeline goes, unless somebody else had taken it.
    async fn unmarked(
        &self,
        user: &UserId,
        reaction: &str,
        message: MessageRef,
        meta: &Meta,
    ) -> Result<(), crate::app::Error> {
        let Some((_, marked)) = MARKS.iter().find(|(name, _)| *name == reaction) else { return Ok(()) };
        let Some(id) = self.app.incident_in(&message.channel).await? else { return Ok(()) };
        let own = Actor::Person { user: user.clone() };
        for (part, entry) in self.entries_of(id, &message).await?.into_iter().enumerate() {
            let same =
                matches!(entry.occurrence.event, crate::domain::event::Event::Noted { kind, .. } if kind == *marked);
            if !same || entry.occurrence.actor != own {
                continue;
            }
            let request = Request {
                key: Some(format!("{}#{part}", meta.delivery_key)),
                actor: own.clone(),
                target: Target::Incident(id),
                command: Command::RemoveEntry { target: entry.seq },
                inside: true,
            };
            self.app.handle(request).await?;
        }
        Ok(())
    }

    /// The entries of an incident's timeline that a message became and that still stand.
    async fn entries_of(&self, id: IncidentId, message: &MessageRef) -> Result<Vec<Recorded>, crate::app::Error> {
        let mut tx = self.app.db().read().await?;
        let captured = captures::find(&mut tx, self.app.workspace(), message).await?;
        drop(tx);
        let seqs: Vec<Seq> = captured.into_iter().filter(|(incident, _)| *incident == id).map(|(_, seq)| seq).collect();
        if seqs.is_empty() {
            return Ok(Vec::new());
        }
        let history = self.app.history(id).await?;
        let standing = story::standing(&history).into_iter().map(|told| told.recorded);
        Ok(standing.filter(|recorded| seqs.contains(&recorded.seq)).cloned().collect())
    }

    async fn gone(&self, channel: &ChannelId, error: &str, meta: &Meta) -> Result<(), crate::app::Error> {
        let Some(id) = self.app.incident_in(channel).await? else { return Ok(()) };
        // A closed incident's channel may be put away.
        if !self.app.incident(id).await?.is_some_and(|incident| incident.is_open()) {
            return Ok(());
        }
        let command = Command::ChannelGone { error: error.to_owned() };
        self.own(Target::Incident(id), command, Some(meta.delivery_key.clone())).await
    }

    /// A command of Firebell's own, caused by an event.
    async fn own(&self, target: Target, command: Command, key: Option<String>) -> Result<(), crate::app::Error> {
        let request = Request { key, actor: Actor::Firebell, target, command, inside: true };
        self.app.handle(request).await.map(drop)
    }

    fn person_changed(&self, user: UserId, person: Option<crate::domain::roster::Person>) {
        if let Some(person) = person {
            self.app.update_directory(|directory| {
                directory.people.insert(person.id.clone(), person);
            });
            return;
        }
        let (app, slack) = (self.app.clone(), self.slack.clone());
        self.afterwards.spawn(async move {
            if let Ok(person) = slack.user_info(&user).await {
                app.update_directory(|directory| {
                    directory.people.insert(person.id.clone(), person);
                });
            }
        });
    }

    fn groups_changed(&self) {
        let (app, slack) = (self.app.clone(), self.slack.clone());
        self.afterwards.spawn(async move {
            match slack.user_groups().await {
                Ok(groups) => app.update_directory(|directory| {
                    directory.groups = groups.into_iter().map(|group| (group.id.clone(), group)).collect();
                }),
                Err(error) => tracing::warn!(%error, "user groups could not be read again"),
            }
        });
    }

    pub(super) fn show_home(&self, user: UserId) {
        let dispatch = self.clone();
        self.afterwards.spawn(async move {
            let incidents = match dispatch.visible(&user, true, HOME_INCIDENTS_MAX).await {
                Ok(incidents) => incidents,
                Err(error) => return tracing::error!(%error, "the incidents for a home could not be read"),
            };
            let (roster, directory) = (dispatch.app.roster(), dispatch.app.directory());
            let listed: Vec<_> = incidents.iter().collect();
            let view = home::home(&user, &listed, &roster, &directory, dispatch.app.clock().now());
            if let Err(error) = dispatch.slack.publish_home(&user, &view, None).await {
                tracing::warn!(%error, "a home could not be shown");
            }
        });
    }

    async fn mentioned(&self, channel: ChannelId, message: &SeenMessage) {
        let Some(user) = &message.user else { return };
        let here = match self.app.incident_in(&channel).await {
            Ok(Some(id)) => self.app.incident(id).await.ok().flatten(),
            _ => None,
        };
        let (roster, directory, now) = (self.app.roster(), self.app.directory(), self.app.clock().now());
        let open = self.visible(user, false, HOME_INCIDENTS_MAX).await.map_or(0, |incidents| incidents.len());
        let shown = help::help(match &here {
            Some(incident) => help::Place::Inside(crate::slack::scene::Scene::new(incident, &roster, &directory, now)),
            None => help::Place::Outside { open_incidents: open },
        });
        self.tell(user, Way::Beside(channel), shown);
    }
}
