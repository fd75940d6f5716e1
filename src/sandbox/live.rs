//! The workspace in motion: the state, and what a change of it sets off (events for the app, news for pages).
//!
//! Everything here runs under one lock and never waits; `hub` takes the lock and carries out what was set off.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::{Value, json};

use super::faults::Faults;
use super::journal::Journal;
use super::ratelimit::Limits;
use super::render;
use super::state::{
    Channel, ChannelKind, FILES_MAX, MESSAGES_PER_CHANNEL_MAX, Message, ResponseUrl, State, Trigger, ts_text,
};
use super::wire::ApiError;

/// How long a trigger may be used, seconds (Slack's documentation).
pub(crate) const TRIGGER_LIFE_S: i64 = 3;
/// How long a response_url may be used, minutes, and how often.
pub(crate) const RESPONSE_URL_LIFE_MIN: i64 = 30;
pub(crate) const RESPONSE_URL_USES_MAX: u32 = 5;
/// Used-up triggers and addresses are kept this long, so that the app is told why they fail.
const LOANS_KEPT_H: i64 = 2;

/// What a page should fetch again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    pub kind: ChangeKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ts: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The only person it concerns.
    #[serde(skip)]
    pub only: Option<String>,
}

/// What sort of thing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    Message,
    Channel,
    Views,
    Home,
    Users,
    Clock,
    /// The app did not answer; `text` is what Slack shows.
    Error,
}

/// The state and its surroundings, behind the hub's lock.
#[derive(Debug)]
pub(crate) struct Live {
    pub state: State,
    /// The instant at which the lock was taken.
    pub now: DateTime<Utc>,
    /// The clock's speed if faster than the machine's, else 1: people and networks still live in real time.
    pub stretch: f64,
    /// `http://127.0.0.1:PORT`.
    pub origin: String,
    pub rate_limits: bool,
    /// Whether the demo plays here.
    pub demo: bool,
    pub limits: Limits,
    pub journal: Journal,
    pub faults: Faults,
    /// Event bodies to deliver, oldest first.
    pub outgoing: Vec<Value>,
    pub changes: Vec<Change>,
    /// Whether the state must be saved.
    pub dirty: bool,
}

impl Live {
    pub(crate) fn now_s(&self) -> i64 {
        self.now.timestamp()
    }

    pub(crate) fn bot_user(&self) -> String {
        self.state.app.bot_user.clone()
    }

    fn stretched(&self, seconds: i64) -> TimeDelta {
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a few seconds")]
        TimeDelta::milliseconds((seconds as f64 * 1000.0 * self.stretch) as i64)
    }

    /// The next ts of a channel: the present instant, or a microsecond after the last one.
    pub(crate) fn next_ts(&mut self, channel: &str) -> String {
        let now_us = self.now.timestamp_micros();
        let us = self.state.channels.get_mut(channel).map_or(now_us, |channel| {
            channel.last_ts_us = now_us.max(channel.last_ts_us + 1);
            channel.last_ts_us
        });
        ts_text(us)
    }

    /// A ts for an event without a message.
    pub(crate) fn event_ts(&self) -> String {
        ts_text(self.now.timestamp_micros())
    }

    /// Lends `user` the right to open a view for three seconds.
    pub(crate) fn lend_trigger(&mut self, user: &str, view: Option<String>) -> String {
        let keep_after = self.now - TimeDelta::hours(LOANS_KEPT_H);
        self.state.triggers.retain(|_, trigger| trigger.expires_at > keep_after);
        let number = self.state.new_id("");
        let id = format!("{}.{}.{}", self.now.timestamp_millis(), number, self.state.team.id.to_lowercase());
        let expires_at = self.now + self.stretched(TRIGGER_LIFE_S);
        self.state.triggers.insert(id.clone(), Trigger { user: user.to_owned(), expires_at, used: false, view });
        id
    }

    /// Lends an address that the app may answer to.
    pub(crate) fn lend_response_url(
        &mut self,
        user: &str,
        channel: &str,
        message_ts: Option<String>,
        thread_ts: Option<String>,
    ) -> String {
        let keep_after = self.now - TimeDelta::hours(LOANS_KEPT_H);
        self.state.response_urls.retain(|_, url| url.expires_at > keep_after);
        let id = self.state.new_id("R");
        self.state.response_urls.insert(
            id.clone(),
            ResponseUrl {
                user: user.to_owned(),
                channel: channel.to_owned(),
                message_ts,
                thread_ts,
                expires_at: self.now + TimeDelta::minutes(RESPONSE_URL_LIFE_MIN),
                uses: 0,
            },
        );
        format!("{}/respond/{}/{id}", self.origin, self.state.team.id)
    }

    /// Stores a message under a new ts and tells the app and the pages. The channel must exist.
    pub(crate) fn post(&mut self, channel: &str, mut message: Message) -> String {
        message.ts = self.next_ts(channel);
        let ts = message.ts.clone();
        let lasting = message.ephemeral_to.is_none();
        if let Some(blocks) = &mut message.blocks {
            render::fill_block_ids(&mut self.state, blocks);
        }
        if let Some(channel) = self.state.channels.get_mut(channel) {
            if lasting && let Some(user) = &message.user {
                channel.last_read.insert(user.clone(), ts.clone());
            }
            channel.messages.push(message);
            if channel.messages.len() > MESSAGES_PER_CHANNEL_MAX {
                channel.messages.remove(0);
            }
        }
        self.changed(ChangeKind::Message, Some(channel), Some(&ts));
        if lasting {
            self.emit_message(channel, &ts);
        }
        ts
    }

    /// Posts one of Slack's own lines, such as "joined the channel".
    pub(crate) fn post_system(
        &mut self,
        channel: &str,
        subtype: &str,
        user: &str,
        text: String,
        extra: &[(&str, Value)],
    ) {
        let message = Message {
            user: Some(user.to_owned()),
            subtype: Some(subtype.to_owned()),
            text,
            extra: extra.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect(),
            ..Message::default()
        };
        self.post(channel, message);
    }

    /// A message seen by one person only, from the app or from Slack itself.
    pub(crate) fn post_ephemeral(&mut self, channel: &str, user: &str, mut message: Message) -> String {
        message.ephemeral_to = Some(user.to_owned());
        self.post(channel, message)
    }

    /// Replaces what a message says; the app hears `message_changed`.
    pub(crate) fn change_message(&mut self, channel: &str, ts: &str, change: impl FnOnce(&mut Message)) {
        let Some(before) = self.message_json(channel, ts) else { return };
        let mut ephemeral = false;
        let mut blocks = None;
        if let Some(message) = self.state.channels.get_mut(channel).and_then(|found| found.message_mut(ts)) {
            change(message);
            ephemeral = message.ephemeral_to.is_some();
            blocks = message.blocks.take();
        }
        if let Some(blocks) = &mut blocks {
            render::fill_block_ids(&mut self.state, blocks);
        }
        if let Some(message) = self.state.channels.get_mut(channel).and_then(|found| found.message_mut(ts)) {
            message.blocks = blocks;
        }
        self.changed(ChangeKind::Message, Some(channel), Some(ts));
        if ephemeral {
            return;
        }
        let after = self.message_json(channel, ts).unwrap_or_default();
        let event_ts = self.next_ts(channel);
        self.emit_in(
            channel,
            json!({
                "type": "message", "subtype": "message_changed", "channel": channel, "hidden": true,
                "message": after, "previous_message": before, "ts": event_ts, "event_ts": event_ts,
                "channel_type": self.channel_type(channel),
            }),
        );
    }

    /// Removes a message; the app hears `message_deleted`. A parent with replies goes too.
    pub(crate) fn delete_message(&mut self, channel: &str, ts: &str) {
        let Some(before) = self.message_json(channel, ts) else { return };
        let mut ephemeral = false;
        if let Some(found) = self.state.channels.get_mut(channel) {
            ephemeral = found.find_any_message(ts).is_some_and(|message| message.ephemeral_to.is_some());
            found.messages.retain(|message| message.ts != ts);
            found.pins.retain(|pin| pin.ts != ts);
        }
        self.changed(ChangeKind::Message, Some(channel), Some(ts));
        if ephemeral {
            return;
        }
        let event_ts = self.next_ts(channel);
        self.emit_in(
            channel,
            json!({
                "type": "message", "subtype": "message_deleted", "channel": channel, "hidden": true, "deleted_ts": ts,
                "previous_message": before, "ts": event_ts, "event_ts": event_ts, "channel_type": self.channel_type(channel),
            }),
        );
    }

    /// Makes somebody a member; nothing happens if they are one.
    pub(crate) fn add_member(&mut self, channel: &str, user: &str, inviter: Option<&str>) {
        let Some(found) = self.state.channels.get_mut(channel) else { return };
        if found.has_member(user) {
            return;
        }
        found.members.push(user.to_owned());
        let named = found.is_named_kind();
        let kind = if found.kind == ChannelKind::Public { "C" } else { "G" };
        self.changed(ChangeKind::Channel, Some(channel), None);
        if !named {
            return;
        }
        let extra: Vec<(&str, Value)> = inviter.map(|inviter| ("inviter", json!(inviter))).into_iter().collect();
        self.post_system(channel, "channel_join", user, format!("<@{user}> has joined the channel"), &extra);
        let mut event = json!({
            "type": "member_joined_channel", "user": user, "channel": channel, "channel_type": kind,
            "team": self.state.team.id, "event_ts": self.event_ts(),
        });
        if let Some(inviter) = inviter {
            event["inviter"] = json!(inviter);
        }
        self.emit_in(channel, event);
    }

    /// Ends a membership; nothing happens if there is none.
    pub(crate) fn remove_member(&mut self, channel: &str, user: &str) {
        let Some(found) = self.state.channels.get(channel) else { return };
        if !found.has_member(user) {
            return;
        }
        let kind = if found.kind == ChannelKind::Public { "C" } else { "G" };
        let private = found.kind == ChannelKind::Private;
        let is_bot = user == self.state.app.bot_user;
        self.post_system(channel, "channel_leave", user, format!("<@{user}> has left the channel"), &[]);
        let event = json!({
            "type": "member_left_channel", "user": user, "channel": channel, "channel_type": kind,
            "team": self.state.team.id, "event_ts": self.event_ts(),
        });
        self.emit_in(channel, event);
        if is_bot {
            let word = if private { "group_left" } else { "channel_left" };
            self.emit_in(channel, json!({ "type": word, "channel": channel, "event_ts": self.event_ts() }));
        }
        if let Some(found) = self.state.channels.get_mut(channel) {
            found.members.retain(|member| member != user);
        }
        self.changed(ChangeKind::Channel, Some(channel), None);
    }

    /// The direct message between these people, made if it does not exist. Whether it existed, too.
    pub(crate) fn open_direct(&mut self, people: &[String]) -> (String, bool) {
        if let Some(found) = self.state.find_direct(people) {
            return (found.id.clone(), true);
        }
        let kind = if people.len() > 2 { ChannelKind::Mpim } else { ChannelKind::Im };
        let id = self.state.new_id(if kind == ChannelKind::Im { "D" } else { "G" });
        let name = match kind {
            ChannelKind::Mpim => {
                let names: Vec<&str> =
                    people.iter().filter_map(|id| self.state.find_user(id)).map(|user| user.name.as_str()).collect();
                format!("mpdm-{}-1", names.join("--"))
            }
            ChannelKind::Im | ChannelKind::Public | ChannelKind::Private => String::new(),
        };
        let channel = Channel {
            id: id.clone(),
            name,
            kind,
            created: self.now_s(),
            updated_ms: self.now.timestamp_millis(),
            creator: people.first().cloned().unwrap_or_default(),
            members: people.to_vec(),
            ..Channel::default()
        };
        self.state.channels.insert(id.clone(), channel);
        self.changed(ChangeKind::Channel, Some(&id), None);
        (id, false)
    }

    /// Notes that something must be fetched again and saved.
    pub(crate) fn changed(&mut self, kind: ChangeKind, channel: Option<&str>, ts: Option<&str>) {
        self.dirty = true;
        let only = match (channel.and_then(|id| self.state.channels.get(id)), ts) {
            (Some(channel), Some(ts)) => channel.find_any_message(ts).and_then(|message| message.ephemeral_to.clone()),
            _ => None,
        };
        self.changes.push(Change {
            kind,
            channel: channel.map(str::to_owned),
            ts: ts.map(str::to_owned),
            text: None,
            only,
        });
    }

    /// Tells one person's page something: a view changed, or Slack has an excuse to show.
    pub(crate) fn tell(&mut self, user: &str, kind: ChangeKind, text: Option<String>) {
        self.dirty = true;
        self.changes.push(Change { kind, channel: None, ts: None, text, only: Some(user.to_owned()) });
    }

    /// Forgets the oldest files beyond the limit.
    pub(crate) fn trim_files(&mut self) {
        while self.state.files.len() > FILES_MAX {
            self.state.files.pop_first();
        }
    }

    pub(crate) fn channel_type(&self, channel: &str) -> &'static str {
        self.state.channels.get(channel).map_or("channel", Channel::type_word)
    }

    /// A message as events and methods show it, metadata included.
    pub(crate) fn message_json(&self, channel: &str, ts: &str) -> Option<Value> {
        let channel = self.state.channels.get(channel)?;
        let message = channel.find_any_message(ts)?;
        Some(render::message(&self.state, &self.origin, channel, message, true))
    }

    /// The channel, or `channel_not_found` if it is not there or this person may not see it.
    pub(crate) fn visible_channel(&self, id: &str, user: &str) -> Result<&Channel, ApiError> {
        self.state
            .channels
            .get(id)
            .filter(|channel| channel.is_visible_to(user))
            .ok_or_else(|| ApiError::from("channel_not_found"))
    }
}
