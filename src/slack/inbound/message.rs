//! A message as Slack shows it to us, whichever way it came: event, shortcut, history.

use serde_json::Value;

use crate::ids::{MessageTs, UserId};
use crate::slack::fields;

/// Somebody's message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenMessage {
    /// Its id within the channel, and when it was written. Empty only if Slack left it out.
    pub ts: MessageTs,
    /// Set in threads, also on the message that started one.
    pub thread_ts: Option<MessageTs>,
    /// The newest message of its thread, on the message that started one; only where the history shows it.
    pub latest_reply: Option<MessageTs>,
    /// None for what an app or Slack itself posted.
    pub user: Option<UserId>,
    pub bot_id: Option<String>,
    /// Such as `bot_message`, `thread_broadcast`, `channel_join`.
    pub subtype: Option<String>,
    /// In Slack's notation, still escaped. What a message says only in attachments is taken from there.
    pub text: String,
    pub files: Vec<File>,
    pub edited: bool,
    /// When it was last edited.
    pub edited_ts: Option<MessageTs>,
    /// In the order in which they were first used; only where the history shows it.
    pub reactions: Vec<Reaction>,
    pub permalink: Option<String>,
    /// What a program put into it: the event type and its texts.
    pub metadata_type: Option<String>,
}

/// An emoji on a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reaction {
    /// Without colons.
    pub name: String,
    /// Some of those who used it; of many, Slack leaves some out.
    pub users: Vec<UserId>,
}

/// A file shared with a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    pub id: String,
    pub name: String,
    /// Such as `image/png`.
    pub media_type: String,
    /// Where people of the workspace see it.
    pub permalink: Option<String>,
}

impl SeenMessage {
    /// Reads a message object.
    pub fn read(value: &Value) -> Self {
        Self {
            ts: MessageTs(fields::text_or_empty(value, "ts")),
            thread_ts: fields::text(value, "thread_ts").map(MessageTs),
            latest_reply: fields::text(value, "latest_reply").map(MessageTs),
            user: fields::id(value, "user").map(UserId),
            bot_id: fields::text(value, "bot_id"),
            subtype: fields::text(value, "subtype"),
            text: fields::text(value, "text").unwrap_or_else(|| text_of_attachments(value)),
            files: fields::list(value, "files").iter().map(file).collect(),
            edited: value.get("edited").is_some_and(Value::is_object),
            edited_ts: fields::text_at(value, "/edited/ts").map(MessageTs),
            reactions: fields::list(value, "reactions").iter().map(reaction).collect(),
            permalink: fields::text(value, "permalink"),
            metadata_type: fields::text_at(value, "/metadata/event_type"),
        }
    }

    /// Whether an app wrote it.
    pub fn is_from_bot(&self) -> bool {
        self.bot_id.is_some() || self.subtype.as_deref() == Some("bot_message")
    }
}

/// Alerts of monitoring systems often have no text but in their attachments.
fn text_of_attachments(message: &Value) -> String {
    let texts = fields::list(message, "attachments").iter().filter_map(|attachment| {
        ["text", "fallback", "title", "pretext"].iter().find_map(|key| fields::text(attachment, key))
    });
    texts.collect::<Vec<_>>().join("\n")
}

fn reaction(value: &Value) -> Reaction {
    let users = fields::list(value, "users").iter().filter_map(Value::as_str).map(UserId::from).collect();
    Reaction { name: fields::text_or_empty(value, "name"), users }
}

fn file(value: &Value) -> File {
    File {
        id: fields::text_or_empty(value, "id"),
        name: fields::text(value, "title").or_else(|| fields::text(value, "name")).unwrap_or_default(),
        media_type: fields::text_or_empty(value, "mimetype"),
        permalink: fields::text(value, "permalink"),
    }
}
