//! Posting, editing, finding and marking messages.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{malformed, next_cursor};
use crate::ids::{ChannelId, MessageRef, MessageTs, UserId};
use crate::planted::{self, Bug};
use crate::slack::client::{Args, Slack};
use crate::slack::error::{Class, Error};
use crate::slack::fields;
use crate::slack::inbound::SeenMessage;
use crate::slack::json::Json;
use crate::slack::limits::{HISTORY_PAGE_SIZE, HISTORY_PAGES_MAX, Method};

/// The key under which a message's metadata carries the effect that posted it.
pub const EFFECT_KEY: &str = "effect";

/// The key under which a digest carries the marks of all pages that it stands for, with spaces between them.
pub const PAGES_KEY: &str = "pages";

/// How far Slack's clock, which stamps messages and channels, may be from ours: a machine whose clock is set wrong by
/// hours must still know again what is its own.
pub const CLOCKS_DIFFER_MAX: TimeDelta = TimeDelta::days(1);

/// A message to post.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// What notifications and screen readers say, and all there is without blocks. At most 4,000 characters.
    pub text: String,
    pub blocks: Vec<Json>,
    /// Posts into the thread of this message.
    pub thread_ts: Option<MessageTs>,
    pub metadata: Option<Metadata>,
    /// The same id for the same message lets Slack drop a repetition; a courtesy, not a promise of Slack's.
    pub client_msg_id: Option<Uuid>,
}

/// What a message carries for programs. Texts only: other types in it make slack-morphism, and so other apps, lose the
/// whole message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    pub event_type: String,
    pub payload: BTreeMap<String, String>,
}

impl Metadata {
    /// The mark by which [`Slack::find_posted`] knows a message again.
    pub fn effect(effect_id: impl Into<String>) -> Self {
        let payload = BTreeMap::from([(EFFECT_KEY.to_owned(), effect_id.into())]);
        Self { event_type: "firebell_effect".to_owned(), payload }
    }

    /// As [`Metadata::effect`], of a message that stands for several pages, each of which is known again by its own mark.
    pub fn digest(effect_id: impl Into<String>, pages: &[String]) -> Self {
        let mut metadata = Self::effect(effect_id);
        metadata.payload.insert(PAGES_KEY.to_owned(), pages.join(" "));
        metadata
    }
}

/// A message of ours that was found again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    pub message: MessageRef,
    /// The marks of the pages that it stands for; empty unless it is a digest.
    pub pages: Vec<String>,
}

/// An answer to a command or a button through its `response_url`, which works five times within 30 minutes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    pub text: String,
    pub blocks: Vec<Json>,
    /// For everybody in the channel; otherwise only the person sees it.
    pub in_channel: bool,
    pub replace_original: bool,
    pub delete_original: bool,
    pub thread_ts: Option<MessageTs>,
}

impl Response {
    /// Plain text that only the person sees.
    pub fn ephemeral(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    fn body(&self) -> Value {
        let mut body = json!({
            "response_type": if self.in_channel { "in_channel" } else { "ephemeral" },
            "replace_original": self.replace_original,
        });
        if self.delete_original {
            body["delete_original"] = true.into();
        } else {
            body["text"] = self.text.clone().into();
        }
        if !self.blocks.is_empty() {
            body["blocks"] = Json::from(self.blocks.clone()).into();
        }
        if let Some(thread) = &self.thread_ts {
            body["thread_ts"] = thread.as_str().into();
        }
        body
    }
}

impl Slack {
    /// Posts a message; `channel` may also be a user, whose direct messages it then goes to.
    pub async fn post_message(&self, channel: &ChannelId, message: &Message) -> Result<MessageRef, Error> {
        let method = Method::ChatPostMessage;
        let args = content(channel, &message.text, &message.blocks)
            .with("unfurl_links", false)
            .with("unfurl_media", false)
            .maybe("thread_ts", message.thread_ts.as_ref().map(MessageTs::as_str))
            .maybe("metadata", message.metadata.as_ref().map(metadata))
            .maybe("client_msg_id", message.client_msg_id.map(|id| id.to_string()));
        posted(method, channel, &self.post(method, args, &[]).await?)
    }

    /// Replaces text and blocks of a message of ours.
    pub async fn update_message(&self, message: &MessageRef, text: &str, blocks: &[Json]) -> Result<(), Error> {
        // An empty list, not an absent one: otherwise the old blocks would stay.
        let args = content(&message.channel, text, blocks)
            .with("ts", message.ts.as_str())
            .with("blocks", Json::from(blocks.to_vec()));
        self.post(Method::ChatUpdate, args, &[]).await.map(drop)
    }

    /// Removes a message of ours; one that is gone already counts as removed.
    pub async fn delete_message(&self, message: &MessageRef) -> Result<(), Error> {
        let args = Args::new().with("channel", message.channel.as_str()).with("ts", message.ts.as_str());
        self.post(Method::ChatDelete, args, &["message_not_found"]).await.map(drop)
    }

    /// Shows a message to one member of a channel, until their client is restarted.
    pub async fn post_ephemeral(
        &self,
        channel: &ChannelId,
        user: &UserId,
        text: &str,
        blocks: &[Json],
        thread_ts: Option<&MessageTs>,
    ) -> Result<(), Error> {
        let args = content(channel, text, blocks)
            .with("user", user.as_str())
            .maybe("thread_ts", thread_ts.map(MessageTs::as_str));
        self.post(Method::ChatPostEphemeral, args, &[]).await.map(drop)
    }

    /// Answers through a `response_url`.
    pub async fn respond(&self, response_url: &str, response: &Response) -> Result<(), Error> {
        self.post_to_url(response_url, &response.body()).await
    }

    /// Pins a message to its channel.
    pub async fn pin(&self, message: &MessageRef) -> Result<(), Error> {
        self.post(Method::PinsAdd, place(message), &["already_pinned"]).await.map(drop)
    }

    /// Adds an emoji (its name without colons) to a message.
    pub async fn add_reaction(&self, message: &MessageRef, emoji: &str) -> Result<(), Error> {
        let args = place(message).with("name", emoji);
        self.post(Method::ReactionsAdd, args, &["already_reacted"]).await.map(drop)
    }

    /// Takes our emoji off a message.
    pub async fn remove_reaction(&self, message: &MessageRef, emoji: &str) -> Result<(), Error> {
        let args = place(message).with("name", emoji);
        self.post(Method::ReactionsRemove, args, &["no_reaction"]).await.map(drop)
    }

    /// The address under which people open a message.
    pub async fn permalink(&self, message: &MessageRef) -> Result<String, Error> {
        let method = Method::ChatGetPermalink;
        let args = Args::new().with("channel", message.channel.as_str()).with("message_ts", message.ts.as_str());
        fields::text(&self.get(method, args).await?, "permalink").ok_or_else(|| malformed(method, "permalink"))
    }

    /// Looks for the message that an effect posted, after an attempt of unknown outcome. `since` is a moment before the
    /// first attempt; `thread` is set if it was to go into one. Needs the history scope of the kind of channel.
    pub async fn find_posted(
        &self,
        channel: &ChannelId,
        thread: Option<&MessageTs>,
        since: DateTime<Utc>,
        effect_id: &str,
    ) -> Result<Option<MessageRef>, Error> {
        let found = self.find_all_posted(channel, thread, since, &[effect_id.to_owned()]).await?;
        Ok(found.into_values().next().map(|found| found.message))
    }

    /// As [`Slack::find_posted`], for several effects at once, by their marks; those that are not found are left out.
    pub async fn find_all_posted(
        &self,
        channel: &ChannelId,
        thread: Option<&MessageTs>,
        since: DateTime<Utc>,
        effect_ids: &[String],
    ) -> Result<BTreeMap<String, Posted>, Error> {
        let differ = if planted::active(Bug::TrustedClock) { TimeDelta::minutes(1) } else { CLOCKS_DIFFER_MAX };
        let oldest = format!("{}.000000", (since - differ).timestamp());
        let method = if thread.is_some() { Method::ConversationsReplies } else { Method::ConversationsHistory };
        let args = || {
            Args::new()
                .with("channel", channel.as_str())
                .with("oldest", oldest.clone())
                .with("inclusive", true)
                .with("include_all_metadata", true)
                .with("limit", HISTORY_PAGE_SIZE)
                .maybe("ts", thread.map(MessageTs::as_str))
        };
        let mut found = BTreeMap::new();
        self.each_page(method, HISTORY_PAGES_MAX, args, |answer| {
            for message in fields::list(answer, "messages") {
                let Some(ts) = fields::text(message, "ts") else { continue };
                let Some((mark, pages)) = carried(message) else { continue };
                let message = MessageRef { channel: channel.clone(), ts: MessageTs(ts) };
                let carried = effect_ids.iter().filter(|effect| **effect == mark || pages.contains(effect));
                for effect in carried {
                    let posted = Posted { message: message.clone(), pages: pages.clone() };
                    found.entry(effect.clone()).or_insert(posted);
                }
            }
            found.len() == effect_ids.len()
        })
        .await?;
        Ok(found)
    }

    /// Whether an effect's message is among the newest in a channel.
    pub async fn has_posted(&self, channel: &ChannelId) -> Result<bool, Error> {
        let args = Args::new()
            .with("channel", channel.as_str())
            .with("include_all_metadata", true)
            .with("limit", HISTORY_PAGE_SIZE);
        let answer = self.get(Method::ConversationsHistory, args).await?;
        Ok(fields::list(&answer, "messages").iter().any(|message| carried(message).is_some()))
    }

    /// One page of what was said in a channel since then, newest first, without the replies in threads; and where the next
    /// page begins, if there is one.
    pub async fn said_since(
        &self,
        channel: &ChannelId,
        since: DateTime<Utc>,
        cursor: Option<String>,
    ) -> Result<(Vec<SeenMessage>, Option<String>), Error> {
        let args = Args::new()
            .with("channel", channel.as_str())
            .with("oldest", format!("{}.000000", since.timestamp()))
            .with("inclusive", true)
            .with("limit", HISTORY_PAGE_SIZE)
            .maybe("cursor", cursor);
        let answer = self.get(Method::ConversationsHistory, args).await?;
        let messages = fields::list(&answer, "messages").iter().map(SeenMessage::read).collect();
        Ok((messages, next_cursor(&answer)))
    }

    /// What was said in a thread since then, the first page of it, without the message that began it.
    pub async fn replied_since(&self, parent: &MessageRef, since: DateTime<Utc>) -> Result<Vec<SeenMessage>, Error> {
        let args = Args::new()
            .with("channel", parent.channel.as_str())
            .with("ts", parent.ts.as_str())
            .with("oldest", format!("{}.000000", since.timestamp()))
            .with("inclusive", true)
            .with("limit", HISTORY_PAGE_SIZE);
        let answer = self.get(Method::ConversationsReplies, args).await?;
        let thread = fields::list(&answer, "messages").iter().map(SeenMessage::read);
        Ok(thread.filter(|message| message.ts != parent.ts).collect())
    }

    /// Fetches one message, also one of a thread, with its address; `None` if there is none or it was deleted.
    pub async fn message(&self, message: &MessageRef) -> Result<Option<SeenMessage>, Error> {
        let ts = message.ts.as_str();
        let around = Args::new()
            .with("channel", message.channel.as_str())
            .with("latest", ts)
            .with("oldest", ts)
            .with("inclusive", true)
            .with("limit", 1);
        let mut seen = find(&self.get(Method::ConversationsHistory, around).await?, ts);
        if seen.is_none() {
            let args = Args::new().with("channel", message.channel.as_str()).with("ts", ts).with("limit", 1);
            seen = match self.get(Method::ConversationsReplies, args).await {
                Ok(answer) => find(&answer, ts),
                Err(error) if matches!(error.code(), Some("thread_not_found" | "message_not_found")) => None,
                Err(error) => return Err(error),
            };
        }
        if let Some(seen) = &mut seen
            && seen.permalink.is_none()
        {
            // The address is a convenience; the text must not be lost for it, unless the token is at fault.
            match self.permalink(message).await {
                Ok(link) => seen.permalink = Some(link),
                Err(error) if matches!(error.class(), Class::Auth { .. }) => return Err(error),
                Err(_) => {}
            }
        }
        Ok(seen)
    }
}

/// The mark in a message's metadata, and those of the pages that it stands for.
fn carried(message: &Value) -> Option<(String, Vec<String>)> {
    let payload = message.pointer("/metadata/event_payload")?;
    let pages = fields::text(payload, PAGES_KEY).unwrap_or_default();
    Some((fields::text(payload, EFFECT_KEY)?, pages.split_whitespace().map(str::to_owned).collect()))
}

fn find(answer: &Value, ts: &str) -> Option<SeenMessage> {
    fields::list(answer, "messages").iter().map(SeenMessage::read).find(|message| message.ts.as_str() == ts)
}

/// Reads the answer of `chat.postMessage`; `asked` stands in for a channel that the answer leaves out.
pub fn posted(method: Method, asked: &ChannelId, answer: &Value) -> Result<MessageRef, Error> {
    let ts = fields::text(answer, "ts").or_else(|| fields::text_at(answer, "/message/ts"));
    let channel = fields::id(answer, "channel").map_or_else(|| asked.clone(), ChannelId);
    Ok(MessageRef { channel, ts: MessageTs(ts.ok_or_else(|| malformed(method, "ts"))?) })
}

fn content(channel: &ChannelId, text: &str, blocks: &[Json]) -> Args {
    Args::new()
        .with("channel", channel.as_str())
        .with("text", text)
        .maybe("blocks", (!blocks.is_empty()).then(|| Json::from(blocks.to_vec())))
}

fn metadata(metadata: &Metadata) -> Value {
    json!({"event_type": metadata.event_type, "event_payload": metadata.payload})
}

fn place(message: &MessageRef) -> Args {
    Args::new().with("channel", message.channel.as_str()).with("timestamp", message.ts.as_str())
}

/// When a message was written: its id is the second and a counter within it, read as microseconds.
pub fn written_at(ts: &MessageTs) -> Option<DateTime<Utc>> {
    let (second, fraction) = ts.as_str().split_once('.').unwrap_or((ts.as_str(), "0"));
    let micros: u32 = format!("{fraction:0<6}").get(..6)?.parse().ok()?;
    DateTime::from_timestamp(second.parse().ok()?, micros * 1_000)
}
