//! What a Slack workspace remembers: people, conversations, messages, files, open views, lent triggers and addresses.
//!
//! Plain records that survive a restart as JSON, with look-ups. No rule of Slack lives here; `live`, `api` and `people`
//! decide what may change.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The oldest messages of a channel beyond this number are forgotten.
pub(crate) const MESSAGES_PER_CHANNEL_MAX: usize = 10_000;
/// Files kept; the oldest beyond are forgotten.
pub(crate) const FILES_MAX: usize = 500;

/// A person, a bot or a guest of the workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct User {
    pub id: String,
    /// The handle without `@`.
    pub name: String,
    /// What others read; the handle if this is empty.
    pub display_name: String,
    pub real_name: String,
    pub title: String,
    pub email: Option<String>,
    /// IANA zone name, such as `America/New_York`.
    pub tz: String,
    /// Six hex digits without `#`.
    pub color: String,
    pub deleted: bool,
    pub is_bot: bool,
    pub is_app: bool,
    /// A multi-channel guest.
    pub is_restricted: bool,
    pub is_admin: bool,
    /// Belongs to another company (Slack Connect).
    pub is_stranger: bool,
    /// The integration's id if this is a bot.
    pub bot_id: Option<String>,
    pub dnd: Dnd,
    pub status_text: String,
    pub status_emoji: String,
}

/// When a person does not want to be disturbed; Unix seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Dnd {
    pub enabled: bool,
    pub next_start_ts: i64,
    pub next_end_ts: i64,
    pub snooze_until_ts: Option<i64>,
}

/// A user group (`@dev-team`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UserGroup {
    pub id: String,
    pub handle: String,
    pub name: String,
    pub users: Vec<String>,
    pub disabled: bool,
}

/// What sort of conversation a channel is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChannelKind {
    #[default]
    Public,
    Private,
    Im,
    Mpim,
}

/// A topic or purpose: who set which words and when (Unix seconds).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Caption {
    pub value: String,
    pub creator: String,
    pub last_set: i64,
}

/// A message fixed to its channel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pin {
    pub ts: String,
    pub user: String,
    pub created: i64,
}

/// A link in a channel's header.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Bookmark {
    pub id: String,
    pub title: String,
    pub link: String,
    pub emoji: Option<String>,
    pub created: i64,
    pub updated: i64,
    pub by: String,
}

/// A conversation of any kind.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Channel {
    pub id: String,
    /// Without `#`; empty for direct messages.
    pub name: String,
    pub kind: ChannelKind,
    pub topic: Caption,
    pub purpose: Caption,
    /// Unix seconds.
    pub created: i64,
    pub creator: String,
    pub archived: bool,
    /// The one channel that cannot be archived or left.
    pub general: bool,
    /// Shared with another company.
    pub ext_shared: bool,
    pub members: Vec<String>,
    /// Oldest first; ephemeral ones among them.
    pub messages: Vec<Message>,
    pub pins: Vec<Pin>,
    pub bookmarks: Vec<Bookmark>,
    /// Per user the ts up to which they have read.
    pub last_read: BTreeMap<String, String>,
    pub previous_names: Vec<String>,
    pub canvas_id: Option<String>,
    /// The newest ts ever given out here, in microseconds.
    pub last_ts_us: i64,
    /// When anything about the channel changed, milliseconds.
    pub updated_ms: i64,
}

/// A reaction and who gave it, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reaction {
    pub name: String,
    pub users: Vec<String>,
}

/// Who changed a message and when.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edited {
    pub user: String,
    pub ts: String,
}

/// One message.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Message {
    pub ts: String,
    pub user: Option<String>,
    pub username: Option<String>,
    pub icon_emoji: Option<String>,
    pub bot_id: Option<String>,
    pub app_id: Option<String>,
    pub text: String,
    pub subtype: Option<String>,
    pub blocks: Option<Value>,
    pub attachments: Option<Value>,
    pub files: Vec<String>,
    pub thread_ts: Option<String>,
    pub reply_broadcast: bool,
    pub edited: Option<Edited>,
    pub reactions: Vec<Reaction>,
    pub metadata: Option<Value>,
    pub client_msg_id: Option<String>,
    /// The one person who sees it.
    pub ephemeral_to: Option<String>,
    /// Further keys of a system message (`inviter`, `topic`, `name` …).
    pub extra: BTreeMap<String, Value>,
}

/// An uploaded file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct File {
    pub id: String,
    pub name: String,
    pub title: String,
    pub mimetype: String,
    /// The secret part of its upload address, until the upload is complete.
    pub upload_key: Option<String>,
    /// Bytes as announced by `files.getUploadURLExternal`.
    pub length: usize,
    pub alt_txt: Option<String>,
    pub user: String,
    /// Unix seconds.
    pub created: i64,
    pub channels: Vec<String>,
    /// Base64, so that the state file stays JSON.
    pub content: Option<String>,
}

/// A canvas: a Markdown document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Canvas {
    pub id: String,
    pub title: String,
    pub markdown: String,
    pub channel: Option<String>,
}

/// A modal or a home tab as it was opened, with what its person has typed so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct View {
    pub id: String,
    pub user: String,
    /// The view object as Slack returns it (without state, hash and ids).
    pub body: Value,
    /// `state.values`.
    pub values: Value,
    pub hash: String,
    pub root_view_id: String,
    pub previous_view_id: Option<String>,
    pub external_id: String,
}

/// A lent right to open a view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Trigger {
    pub user: String,
    pub expires_at: DateTime<Utc>,
    pub used: bool,
    /// The view it was pressed in, if any: needed for `views.push`.
    pub view: Option<String>,
}

/// A lent address to answer to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ResponseUrl {
    pub user: String,
    pub channel: String,
    /// The message the answer may replace or delete.
    pub message_ts: Option<String>,
    pub thread_ts: Option<String>,
    pub expires_at: DateTime<Utc>,
    pub uses: u32,
}

/// A slash command of the app.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SlashCommand {
    /// With the slash.
    pub command: String,
    pub description: String,
    pub usage_hint: String,
    /// Whether mentions, channels and links reach the app as `<@U…|name>`, `<#C…|name>`, `<https://…>`.
    pub should_escape: bool,
}

/// Where a shortcut is offered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ShortcutKind {
    #[default]
    Message,
    Global,
}

/// A shortcut of the app.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Shortcut {
    #[serde(rename = "type")]
    pub kind: ShortcutKind,
    pub name: String,
    pub callback_id: String,
    pub description: String,
}

/// The installed app.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct App {
    pub id: String,
    pub name: String,
    pub bot_user: String,
    pub bot_id: String,
    pub scopes: Vec<String>,
    /// Event types it subscribed to (`message.channels`, `app_mention` …); empty means all.
    pub events: Vec<String>,
    pub commands: Vec<SlashCommand>,
    pub shortcuts: Vec<Shortcut>,
    pub home_enabled: bool,
    pub client_id: String,
    pub client_secret: String,
    /// The old verification token that Slack still puts into payloads.
    pub verification_token: String,
}

/// The workspace ("team").
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Team {
    pub id: String,
    pub name: String,
    pub domain: String,
    /// A free workspace has no user groups and no stand-alone canvases.
    pub paid: bool,
    /// Set if the app is installed for a whole organisation: then several methods need `team_id`.
    pub enterprise: Option<Enterprise>,
}

/// The organisation that owns several workspaces.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enterprise {
    pub id: String,
    pub name: String,
}

/// Everything a workspace remembers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    pub team: Team,
    pub app: App,
    pub users: Vec<User>,
    pub usergroups: Vec<UserGroup>,
    pub channels: BTreeMap<String, Channel>,
    pub files: BTreeMap<String, File>,
    pub canvases: BTreeMap<String, Canvas>,
    pub views: BTreeMap<String, View>,
    /// Per user the open modals, top last.
    pub stacks: BTreeMap<String, Vec<String>>,
    /// Per user their home tab.
    pub homes: BTreeMap<String, String>,
    pub triggers: BTreeMap<String, Trigger>,
    pub response_urls: BTreeMap<String, ResponseUrl>,
    /// The last number used in an id.
    pub counter: u64,
}

impl State {
    /// A new id such as `C0S00001K`: unique in this workspace, the same in every run.
    pub(crate) fn new_id(&mut self, prefix: &str) -> String {
        self.counter += 1;
        let mut digits = Vec::new();
        let mut left = self.counter;
        while left > 0 {
            let digit = u32::try_from(left % 36).expect("below 36");
            digits.push(char::from_digit(digit, 36).expect("below 36").to_ascii_uppercase());
            left /= 36;
        }
        let number: String = digits.iter().rev().collect();
        format!("{prefix}0S{number:0>7}")
    }

    pub(crate) fn find_user(&self, id: &str) -> Option<&User> {
        self.users.iter().find(|user| user.id == id)
    }

    pub(crate) fn find_channel_named(&self, name: &str) -> Option<&Channel> {
        self.channels.values().find(|channel| channel.is_named_kind() && channel.name == name)
    }

    /// The direct message between exactly these people.
    pub(crate) fn find_direct(&self, people: &[String]) -> Option<&Channel> {
        self.channels.values().find(|channel| {
            !channel.is_named_kind()
                && channel.members.len() == people.len()
                && people.iter().all(|user| channel.members.contains(user))
        })
    }
}

impl Channel {
    pub(crate) fn is_named_kind(&self) -> bool {
        match self.kind {
            ChannelKind::Public | ChannelKind::Private => true,
            ChannelKind::Im | ChannelKind::Mpim => false,
        }
    }

    pub(crate) fn has_member(&self, user: &str) -> bool {
        self.members.iter().any(|member| member == user)
    }

    /// Whether this person may see the conversation at all.
    pub(crate) fn is_visible_to(&self, user: &str) -> bool {
        self.kind == ChannelKind::Public || self.has_member(user)
    }

    /// The lasting message with this ts.
    pub(crate) fn find_message(&self, ts: &str) -> Option<&Message> {
        self.messages.iter().rev().find(|message| message.ts == ts && message.ephemeral_to.is_none())
    }

    /// Any message with this ts, ephemeral ones too.
    pub(crate) fn find_any_message(&self, ts: &str) -> Option<&Message> {
        self.messages.iter().rev().find(|message| message.ts == ts)
    }

    pub(crate) fn message_mut(&mut self, ts: &str) -> Option<&mut Message> {
        self.messages.iter_mut().rev().find(|message| message.ts == ts)
    }

    /// The answers of a thread, oldest first, without the parent.
    pub(crate) fn replies(&self, parent_ts: &str) -> impl Iterator<Item = &Message> {
        self.messages.iter().filter(move |message| {
            message.ephemeral_to.is_none() && message.ts != parent_ts && message.thread_ts.as_deref() == Some(parent_ts)
        })
    }

    /// Slack's word for the kind in events and payloads.
    pub(crate) fn type_word(&self) -> &'static str {
        match self.kind {
            ChannelKind::Public => "channel",
            ChannelKind::Private => "group",
            ChannelKind::Im => "im",
            ChannelKind::Mpim => "mpim",
        }
    }

    /// The name that payloads carry: a private channel's and a direct message's is not told.
    pub(crate) fn payload_name(&self) -> &str {
        match self.kind {
            ChannelKind::Public => &self.name,
            ChannelKind::Private => "privategroup",
            ChannelKind::Im => "directmessage",
            ChannelKind::Mpim => "mpdm",
        }
    }
}

/// Microseconds as Slack writes a ts: `1680462000.000100`.
pub(crate) fn ts_text(us: i64) -> String {
    format!("{}.{:06}", us.div_euclid(1_000_000), us.rem_euclid(1_000_000))
}

/// A ts in microseconds; `None` if it is not one.
pub(crate) fn ts_micros(ts: &str) -> Option<i64> {
    let (seconds, fraction) = ts.split_once('.').unwrap_or((ts, "0"));
    if fraction.is_empty() || fraction.len() > 6 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds: i64 = seconds.parse().ok()?;
    let micros: i64 = format!("{fraction:0<6}").parse().ok()?;
    seconds.checked_mul(1_000_000)?.checked_add(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ts_survives_the_way_through_microseconds() {
        assert_eq!(ts_text(1_680_462_000_000_100), "1680462000.000100");
        assert_eq!(ts_micros("1680462000.000100"), Some(1_680_462_000_000_100));
        assert_eq!(ts_micros("1680462000"), Some(1_680_462_000_000_000));
        assert_eq!(ts_micros("soon"), None);
        assert_eq!(ts_micros("1.1234567"), None);
    }

    #[test]
    fn ids_are_unique_and_the_same_in_every_run() {
        let mut state = State::default();
        assert_eq!(state.new_id("C"), "C0S0000001");
        state.counter = 35;
        assert_eq!(state.new_id("V"), "V0S0000010");
    }
}
