//! Messages in channels: posted once, then edited in place.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Worker, edits, effect_mark};
use crate::app::{Settled, Work};
use crate::crash;
use crate::domain::command::Finished;
use crate::domain::effect::Effect;
use crate::domain::event::{Actor, Event, File, NoteKind, Recorded, Source};
use crate::domain::incident::Incident;
use crate::ids::{ChannelId, MessageRef, MessageTs, Seq, UserId};
use crate::slack::message::Message;
use crate::slack::{self, calls, card, posts};

/// The sign on a message that has been taken into the timeline.
const TAKEN_EMOJI: &str = "pencil2";
/// Names of messages in Slack's eyes; any fixed value will do.
pub(super) const MARK_NAMESPACE: Uuid = Uuid::from_u128(0x0f1e_bde1_1c0f_4d5e_9c1d_7a6b_3e0d_2b41);

/// A message that somebody marked.
pub(super) struct Marked<'a> {
    pub(super) message: &'a MessageRef,
    pub(super) kind: NoteKind,
    pub(super) by: &'a UserId,
    /// Found afterwards.
    pub(super) late: bool,
}

impl Worker {
    /// Posts a message with the mark of its effect; the message, and what stands for it and its content.
    pub(super) async fn send(
        &self,
        work: &Work,
        to: &ChannelId,
        message: Message,
    ) -> Result<(MessageRef, String), slack::Error> {
        let (mark, content) = (effect_mark(work), edits::content_of(&message));
        let post = slack::Message {
            text: message.text,
            blocks: message.blocks,
            thread_ts: thread(work),
            client_msg_id: Some(Uuid::new_v5(&MARK_NAMESPACE, mark.as_bytes())),
            metadata: Some(slack::Metadata::effect(mark)),
        };
        let posted = crash::around(&work.effect, self.inner.slack.post_message(to, &post)).await?;
        let sum = edits::sum(&posted, &content);
        Ok((posted, sum))
    }

    /// Posts what the effect asks for, unless an earlier attempt has done so without anybody knowing.
    pub(super) async fn post(&self, work: &Work) -> Settled {
        let Some(to) = self.place(work) else { return Self::done() };
        let history = match self.history(work).await {
            Ok(history) => history,
            Err(error) => return self.unread(work, &error),
        };
        let Some(message) = self.text(work, &history) else { return Self::done() };
        let found = if work.uncertain { self.find(work, &to).await } else { Ok(None) };
        let posted = match found {
            Ok(Some(message)) => Ok((message, None)),
            Ok(None) => self.send(work, &to, message).await.map(|(message, sum)| (message, Some(sum))),
            Err(error) => Err(error),
        };
        match posted {
            Ok((message, sum)) => Settled::Done(posted_as(&work.effect, message)).saying(sum),
            Err(error) => self.failed(work, &error, Some(&to)),
        }
    }

    /// What an earlier attempt of this effect has posted. A person's id stands for our direct messages with them.
    pub(super) async fn find(&self, work: &Work, to: &ChannelId) -> Result<Option<MessageRef>, slack::Error> {
        let channel = self.conversation(to).await?;
        let slack = &self.inner.slack;
        slack.find_posted(&channel, thread(work).as_ref(), work.created_at, &effect_mark(work)).await
    }

    /// As [`Worker::find`], what attempts of several effects have posted since then, by their marks.
    pub(super) async fn find_all(
        &self,
        to: &ChannelId,
        since: DateTime<Utc>,
        marks: &[String],
    ) -> Result<BTreeMap<String, slack::Posted>, slack::Error> {
        let channel = self.conversation(to).await?;
        self.inner.slack.find_all_posted(&channel, None, since, marks).await
    }

    async fn conversation(&self, to: &ChannelId) -> Result<ChannelId, slack::Error> {
        if to.as_str().starts_with(['U', 'W']) {
            return self.inner.slack.open_dm(&UserId::new(to.as_str())).await;
        }
        Ok(to.clone())
    }

    fn place(&self, work: &Work) -> Option<ChannelId> {
        match &work.effect {
            Effect::Announce => self.inner.app.roster().announce_in.clone(),
            Effect::PostAside { .. } => work.incident.announcement.as_ref().map(|message| message.channel.clone()),
            Effect::Tell { user, .. } => Some(ChannelId::new(user.as_str())),
            _ => work.incident.channel_id().cloned(),
        }
    }

    pub(super) fn text(&self, work: &Work, history: &[Recorded]) -> Option<Message> {
        let around = self.around();
        let scene = self.view(work, &around);
        match &work.effect {
            Effect::PostCard | Effect::UpdateCard => Some(card::card(&scene)),
            Effect::Announce | Effect::UpdateAnnouncement => card::announcement(&scene),
            Effect::PostEscalation { escalation } | Effect::UpdateEscalation { escalation } => {
                work.incident.escalations.get(escalation).map(|found| calls::call(&scene, found, history))
            }
            Effect::Post { seq } | Effect::PostAside { seq } => {
                history.iter().find(|recorded| recorded.seq == *seq).and_then(|recorded| posts::post(&scene, recorded))
            }
            Effect::Tell { user, seq } => history
                .iter()
                .find(|recorded| recorded.seq == *seq)
                // Nobody needs to be told what they said themselves.
                .filter(|recorded| recorded.occurrence.actor != Actor::Person { user: user.clone() })
                .and_then(|recorded| posts::told(&scene, recorded)),
            Effect::CatchUp => posts::catch_up(&scene, history),
            Effect::PostPostmortem | Effect::UpdatePostmortem => Some(posts::postmortem(
                &scene,
                &self.inner.documents.standing(&work.incident, history, &around.1, self.now()),
            )),
            Effect::Page { .. }
            | Effect::Canary { .. }
            | Effect::TestPage { .. }
            | Effect::UpdatePage { .. }
            | Effect::CreateChannel
            | Effect::SetTopic
            | Effect::Invite { .. }
            | Effect::PinCard
            | Effect::Capture { .. }
            | Effect::Mark { .. }
            | Effect::SendDocument { .. }
            | Effect::Export => None,
        }
    }

    /// Fetches a message that somebody marked.
    pub(super) async fn capture(&self, work: &Work, marked: &Marked<'_>) -> Settled {
        let Marked { message, kind, by, late } = *marked;
        let seen = match self.inner.slack.message(message).await {
            Ok(Some(seen)) => seen,
            Ok(None) => return Self::done(),
            Err(error) => return self.failed(work, &error, None),
        };
        let Some(at) = crate::slack::methods::messages::written_at(&message.ts) else { return Self::done() };
        let files = seen
            .files
            .iter()
            .map(|file| File { name: file.name.clone(), permalink: file.permalink.clone().unwrap_or_default() });
        let source = Source::Message {
            message: message.clone(),
            author: seen.user.clone(),
            permalink: seen.permalink.clone(),
            files: files.collect(),
            late,
        };
        let text = crate::slack::plain::readable(&seen.text, &self.inner.app.directory());
        Settled::Done(Finished::Captured { by: by.clone(), kind, at, text, source })
    }

    /// Puts the sign on a captured message, or takes it off if the entry was removed.
    pub(super) async fn mark(&self, work: &Work, seq: Seq) -> Settled {
        let history = match self.history(work).await {
            Ok(history) => history,
            Err(error) => return self.unread(work, &error),
        };
        let entry = history.iter().find(|recorded| recorded.seq == seq);
        let Some(Source::Message { message, .. }) = entry.and_then(|entry| entry.occurrence.source.as_ref()) else {
            return Self::done();
        };
        // A message may have become an entry, been taken back and become another one.
        let stands = |recorded: &Recorded| {
            matches!(&recorded.occurrence.source, Some(Source::Message { message: taken, .. }) if taken == message)
                && !history.iter().any(|later| {
                    matches!(later.occurrence.event, Event::EntryRemoved { target, .. } if target == recorded.seq)
                })
        };
        let slack = &self.inner.slack;
        let marked = if history.iter().any(stands) {
            slack.add_reaction(message, TAKEN_EMOJI).await
        } else {
            slack.remove_reaction(message, TAKEN_EMOJI).await
        };
        match marked {
            Ok(()) => Self::done(),
            Err(error) if error.code() == Some("message_not_found") => Self::done(),
            Err(error) => self.failed(work, &error, None),
        }
    }
}

/// The thread that an effect posts into.
fn thread(work: &Work) -> Option<MessageTs> {
    match &work.effect {
        Effect::PostAside { .. } => work.incident.announcement.as_ref().map(|message| message.ts.clone()),
        _ => None,
    }
}

/// What the history keeps of a posted message.
fn posted_as(effect: &Effect, message: MessageRef) -> Finished {
    match effect {
        Effect::PostCard => Finished::CardPosted { message },
        Effect::Announce => Finished::AnnouncementPosted { message },
        Effect::PostEscalation { escalation } => Finished::EscalationPosted { escalation: *escalation, message },
        Effect::PostPostmortem => Finished::PostmortemPosted { message },
        _ => Finished::Quietly,
    }
}

/// The message that an effect edits.
pub(super) fn standing(effect: &Effect, incident: &Incident) -> Option<MessageRef> {
    match effect {
        Effect::UpdateCard => incident.card.clone(),
        Effect::UpdateAnnouncement => incident.announcement.clone(),
        Effect::UpdateEscalation { escalation } => incident.escalations.get(escalation)?.message.clone(),
        Effect::UpdatePostmortem => incident.postmortem_message.clone(),
        _ => None,
    }
}

/// Whether the channel itself is the trouble.
pub(super) fn is_gone(error: &slack::Error) -> bool {
    matches!(error.code(), Some("is_archived" | "channel_not_found" | "not_in_channel"))
}
