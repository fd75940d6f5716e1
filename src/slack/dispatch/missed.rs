//! What Slack did not deliver: after a gap the channels of open incidents are read, and what their events would have done
//! is done now.
//!
//! Marks that were made, edits and deletions of what was taken before. Doing it twice, or hearing of it later all the same,
//! changes nothing. Marks that were taken back are not known here, nor threads of messages that are older than what is read.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::BoxFuture;

use super::Dispatch;
use super::events::MARKS;
use crate::app::{self, Request, Target};
use crate::domain::command::{Command, MessageChange};
use crate::domain::event::{Actor, Event, NoteKind, Recorded, Source};
use crate::domain::incident::Incident;
use crate::ids::{ChannelId, IncidentId, MessageRef, MessageTs, Seq, UserId};
use crate::slack::inbound::SeenMessage;
use crate::slack::limits::Method;
use crate::slack::methods::messages::written_at;
use crate::slack::{Class, Error, plain};
use crate::store::{self, incidents};

/// Open incidents whose channels are read, the newest.
const CHANNELS_MAX: u32 = 50;
/// Pages of a channel's messages that are read, the newest.
const PAGES_MAX: usize = 5;
/// Threads of a channel that are read, those that began last.
const THREADS_MAX: usize = 10;
/// Messages of a channel, older than what is read of it, that are asked after one by one.
const LOOKED_UP_MAX: usize = 20;
/// People mark what was written a while ago.
const MARGIN: TimeDelta = TimeDelta::minutes(30);
/// Older messages are not asked after: a plan of Slack's that hides them would look as if they were deleted.
const FOLLOWED_FOR: TimeDelta = TimeDelta::days(7);
/// A message that was asked for so long ago and is not taken could not be.
const FETCHED_WITHIN: TimeDelta = TimeDelta::minutes(10);

/// Waits until a method may be called for something that nobody waits for.
pub type Turn<'a> = &'a (dyn Fn(Method) -> BoxFuture<'static, ()> + Send + Sync);

/// Why a channel could not be read to the end; what was done until then stands.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    #[error(transparent)]
    Slack(#[from] Error),
    #[error(transparent)]
    App(#[from] app::Error),
}

impl From<store::Error> for Unread {
    fn from(error: store::Error) -> Self {
        Self::App(error.into())
    }
}

/// What was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub channels: usize,
    /// Messages that somebody had marked.
    pub marked: usize,
    /// Entries whose messages had been edited or deleted.
    pub followed: usize,
}

/// An entry that was taken from a message, as it stands.
struct Taken<'h> {
    message: &'h MessageRef,
    author: Option<&'h UserId>,
    text: &'h str,
    /// When this text was written down.
    written_at: DateTime<Utc>,
}

/// What an incident's history knows of messages.
#[derive(Default)]
pub(super) struct Known<'h> {
    standing: BTreeMap<Seq, Taken<'h>>,
    /// Every message that was ever taken or asked for.
    met: HashSet<&'h MessageRef>,
    /// Messages that were asked for and are not taken yet, with when that was.
    asked: BTreeMap<&'h MessageRef, DateTime<Utc>>,
}

impl<'h> Known<'h> {
    pub(super) fn of(history: &'h [Recorded]) -> Self {
        let mut known = Self::default();
        for recorded in history {
            let at = recorded.recorded_at;
            match (&recorded.occurrence.event, &recorded.occurrence.source) {
                (
                    Event::Noted { text, .. } | Event::Detected { text, .. },
                    Some(Source::Message { message, author, .. }),
                ) => {
                    known.met.insert(message);
                    known.asked.remove(message);
                    let taken = Taken { message, author: author.as_ref(), text, written_at: at };
                    known.standing.insert(recorded.seq, taken);
                }
                (Event::CaptureRequested { message, .. }, _) => {
                    known.met.insert(message);
                    known.asked.insert(message, at);
                }
                (Event::TextEdited { target, text }, _) => {
                    if let Some(taken) = known.standing.get_mut(target) {
                        (taken.text, taken.written_at) = (text, at);
                    }
                }
                (Event::EntryRemoved { target, .. }, _) => {
                    known.standing.remove(target);
                }
                _ => {}
            }
        }
        known
    }

    /// Whether a change of the message would change an entry that was taken from it.
    pub(super) fn is_news(&self, target: Seq, change: &MessageChange) -> bool {
        self.standing.get(&target).is_some_and(|taken| match change {
            MessageChange::Edited { text } => text.trim() != taken.text,
            MessageChange::Deleted => true,
        })
    }

    /// Whether a message is on its way into the timeline already.
    pub(super) fn is_coming(&self, message: &MessageRef, now: DateTime<Utc>) -> bool {
        self.asked.get(message).is_some_and(|asked_at| now - *asked_at < FETCHED_WITHIN)
    }
}

impl Dispatch {
    /// Reads what was said in the channels of open incidents since a while before `since`, from which on Slack may not have
    /// delivered everything. `ours` is the bot's own user, whose marks are none.
    ///
    /// # Errors
    /// Where it should be tried again; what one channel refuses for good keeps nobody from the others.
    pub async fn look_back(
        &self,
        since: DateTime<Utc>,
        ours: Option<&UserId>,
        turn: Turn<'_>,
    ) -> Result<Found, Unread> {
        let filter =
            incidents::Filter { open_only: true, include_private: true, limit: CHANNELS_MAX, ..Default::default() };
        let mut tx = self.app.db().read().await?;
        let open = incidents::list(&mut tx, self.app.workspace(), &filter).await?;
        drop(tx);
        let mut found = Found::default();
        for incident in &open.incidents {
            let Some(channel) = incident.channel_id() else { continue };
            match self.look_through(incident, channel, since - MARGIN, ours, turn).await {
                Ok((marked, followed)) => {
                    found.channels += 1;
                    found.marked += marked;
                    found.followed += followed;
                }
                Err(Unread::Slack(error)) if matches!(error.class(), Class::Permanent { .. }) => {
                    tracing::warn!(%error, incident = incident.number, "a channel could not be read after a gap");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// One channel; how many marks and how many changes of taken messages were found.
    async fn look_through(
        &self,
        incident: &Incident,
        channel: &ChannelId,
        since: DateTime<Utc>,
        ours: Option<&UserId>,
        turn: Turn<'_>,
    ) -> Result<(usize, usize), Unread> {
        let said = self.said_since(incident, channel, since, turn).await?;
        let history = self.app.history(incident.id).await?;
        let known = Known::of(&history);
        let mut followed = 0;
        let mut looked_up = 0;
        for (target, taken) in known.standing.iter().rev().filter(|(_, taken)| taken.message.channel == *channel) {
            let seen = match said.iter().find(|seen| seen.ts == taken.message.ts) {
                Some(seen) => Some(seen.clone()),
                None if looked_up < LOOKED_UP_MAX && self.is_young(&taken.message.ts) => {
                    looked_up += 1;
                    turn(Method::ConversationsHistory).await;
                    self.slack.message(taken.message).await?
                }
                None => continue,
            };
            let Some((change, stamp)) = self.happened_to(taken, seen.as_ref()) else { continue };
            if known.is_news(*target, &change) {
                self.follow_late(incident.id, *target, taken, change, &stamp).await?;
                followed += 1;
            }
        }
        let mut marked = 0;
        for seen in &said {
            let message = MessageRef { channel: channel.clone(), ts: seen.ts.clone() };
            if known.met.contains(&message) {
                continue;
            }
            let Some((user, kind)) = mark_on(seen, ours) else { continue };
            self.take_late(incident.id, message, user, kind).await?;
            marked += 1;
        }
        Ok((marked, followed))
    }

    /// What was said, oldest first, and then in threads.
    async fn said_since(
        &self,
        incident: &Incident,
        channel: &ChannelId,
        since: DateTime<Utc>,
        turn: Turn<'_>,
    ) -> Result<Vec<SeenMessage>, Unread> {
        let mut said = Vec::new();
        let mut cursor = None;
        for _ in 0..PAGES_MAX {
            turn(Method::ConversationsHistory).await;
            let (page, next) = self.slack.said_since(channel, since, cursor).await?;
            said.extend(page);
            cursor = next;
            if cursor.is_none() {
                break;
            }
        }
        if cursor.is_some() {
            let messages = said.len();
            tracing::warn!(incident = incident.number, messages, "only the newest messages since a gap were read");
        }
        said.reverse();
        let since_then = |ts: &MessageTs| written_at(ts).is_some_and(|at| at >= since);
        let answered = said.iter().filter(|seen| seen.latest_reply.as_ref().is_some_and(since_then));
        let threads: Vec<MessageTs> = answered.rev().take(THREADS_MAX).map(|seen| seen.ts.clone()).collect();
        for ts in threads {
            turn(Method::ConversationsReplies).await;
            let parent = MessageRef { channel: channel.clone(), ts };
            let replies = self.slack.replied_since(&parent, since).await?;
            said.extend(
                replies.into_iter().filter(|reply| !said.iter().any(|seen| seen.ts == reply.ts)).collect::<Vec<_>>(),
            );
        }
        Ok(said)
    }

    fn is_young(&self, ts: &MessageTs) -> bool {
        written_at(ts).is_some_and(|at| self.app.clock().now() - at < FOLLOWED_FOR)
    }

    /// What has happened to a taken message since its text was written down, and what tells this change from others.
    fn happened_to(&self, taken: &Taken<'_>, seen: Option<&SeenMessage>) -> Option<(MessageChange, String)> {
        let Some(seen) = seen else { return Some((MessageChange::Deleted, "deleted".to_owned())) };
        // Somebody may have corrected the entry itself after the message was edited.
        let edited = seen.edited_ts.as_ref().filter(|ts| written_at(ts).is_some_and(|at| at > taken.written_at))?;
        let text = plain::readable(&seen.text, &self.app.directory());
        Some((MessageChange::Edited { text }, edited.as_str().to_owned()))
    }

    async fn follow_late(
        &self,
        incident: IncidentId,
        target: Seq,
        taken: &Taken<'_>,
        change: MessageChange,
        stamp: &str,
    ) -> Result<(), app::Error> {
        let MessageRef { channel, ts } = taken.message;
        let request = Request {
            key: Some(format!("late:{channel}:{ts}:{stamp}#{target}")),
            actor: taken.author.cloned().map_or(Actor::Firebell, |user| Actor::Person { user }),
            target: Target::Incident(incident),
            command: Command::FollowMessage { target, change },
            inside: true,
        };
        self.app.handle(request).await.map(drop)
    }

    async fn take_late(
        &self,
        incident: IncidentId,
        message: MessageRef,
        user: &UserId,
        kind: NoteKind,
    ) -> Result<(), app::Error> {
        self.meet(user).await;
        let request = Request {
            key: Some(format!("late:{}:{}:{user}", message.channel, message.ts)),
            actor: Actor::Person { user: user.clone() },
            target: Target::Incident(incident),
            command: Command::RequestCapture { message, kind, late: true },
            inside: true,
        };
        self.app.handle(request).await.map(drop)
    }
}

/// Who marked a message first, as far as Slack says, and as what.
fn mark_on<'m>(seen: &'m SeenMessage, ours: Option<&UserId>) -> Option<(&'m UserId, NoteKind)> {
    seen.reactions.iter().find_map(|reaction| {
        let (_, kind) = MARKS.iter().find(|(name, _)| *name == reaction.name)?;
        let user = reaction.users.iter().find(|user| Some(*user) != ours)?;
        Some((user, *kind))
    })
}
