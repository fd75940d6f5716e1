//! What the page and tests see of the workspace, always through the eyes of one person.

use serde_json::{Value, json};

use super::live::Live;
use super::render;
use super::state::{Channel, ChannelKind, Message, ts_micros};
use crate::clock::Clock;

impl Live {
    /// `GET /_control/state`: the workspace as `who` sees it.
    pub(crate) fn state_for(&self, who: &str, clock: &Clock) -> Value {
        let state = &self.state;
        let users: Vec<Value> = state
            .users
            .iter()
            .map(|user| {
                json!({
                    "id": user.id, "name": user.name, "real_name": user.real_name, "title": user.title, "tz": user.tz,
                    "is_bot": user.is_bot, "is_app": user.is_app, "deleted": user.deleted,
                    "is_restricted": user.is_restricted, "color": user.color,
                })
            })
            .collect();
        let groups: Vec<Value> = state
            .usergroups
            .iter()
            .map(|group| json!({ "id": group.id, "handle": group.handle, "name": group.name, "users": group.users }))
            .collect();
        let channels: Vec<Value> = state
            .channels
            .values()
            .filter(|channel| channel.is_visible_to(who))
            .map(|channel| self.channel_for(who, channel))
            .collect();
        let commands: Vec<Value> = state.app.commands.iter().map(|one| json!(one)).collect();
        let speed = match clock {
            Clock::Manual(_) => Value::Null,
            Clock::System | Clock::Corrected(_) | Clock::Paced(_) => json!(clock.speed()),
        };
        json!({
            "workspace": { "id": state.team.id, "name": state.team.name, "domain": state.team.domain },
            "clock": { "now": self.now.to_rfc3339(), "speed": speed },
            "demo": self.demo, "me": who, "users": users, "usergroups": groups, "channels": channels, "commands": commands,
            "shortcuts": state.app.shortcuts,
            "app": { "user_id": state.app.bot_user, "name": state.app.name, "home": state.app.home_enabled },
        })
    }

    fn channel_for(&self, who: &str, channel: &Channel) -> Value {
        let read_us = channel.last_read.get(who).and_then(|ts| ts_micros(ts)).unwrap_or_default();
        let member = channel.has_member(who);
        let direct = !channel.is_named_kind();
        let mention = format!("<@{who}>");
        let groups: Vec<String> = self
            .state
            .usergroups
            .iter()
            .filter(|group| group.users.iter().any(|user| user == who))
            .map(|group| format!("<!subteam^{}", group.id))
            .collect();
        let addressed = |message: &Message| {
            direct
                || message.text.contains(&mention)
                || ["<!here>", "<!channel>", "<!everyone>"].iter().any(|word| message.text.contains(word))
                || groups.iter().any(|group| message.text.contains(group))
        };
        let unread: Vec<&Message> = channel
            .messages
            .iter()
            .rev()
            .take_while(|message| ts_micros(&message.ts).unwrap_or_default() > read_us)
            .filter(|message| member && message.user.as_deref() != Some(who))
            .filter(|message| message.ephemeral_to.as_deref().is_none_or(|user| user == who))
            .filter(|message| message.thread_ts.as_ref().is_none_or(|parent| *parent == message.ts))
            .collect();
        let bookmarks: Vec<Value> = channel
            .bookmarks
            .iter()
            .map(|one| json!({ "id": one.id, "title": one.title, "link": one.link, "emoji": one.emoji }))
            .collect();
        let mut shown = json!({
            "id": channel.id, "name": channel.name, "kind": channel.kind, "topic": channel.topic.value,
            "purpose": channel.purpose.value, "archived": channel.archived, "member": member,
            "members": channel.members, "unread": unread.len(),
            "mentions": unread.iter().filter(|message| addressed(message)).count(),
            "pins": channel.pins.iter().map(|pin| &pin.ts).collect::<Vec<_>>(), "bookmarks": bookmarks,
            "last_ts": channel.messages.last().map(|message| &message.ts),
        });
        if channel.kind == ChannelKind::Im {
            shown["user"] = json!(channel.members.iter().find(|member| *member != who).or(channel.members.first()));
        }
        shown
    }

    /// `GET /_control/messages`: the newest `limit` messages before `before`, oldest first.
    pub(crate) fn messages_for(&self, who: &str, channel: &str, limit: usize, before: Option<&str>) -> Option<Value> {
        let channel = self.state.channels.get(channel).filter(|channel| channel.is_visible_to(who))?;
        let before_us = before.and_then(ts_micros).unwrap_or(i64::MAX);
        let mut wanted = channel
            .messages
            .iter()
            .rev()
            .filter(|message| ts_micros(&message.ts).unwrap_or_default() < before_us)
            .filter(|message| message.ephemeral_to.as_deref().is_none_or(|user| user == who))
            .filter(|message| {
                let in_channel = message.thread_ts.as_ref().is_none_or(|parent| *parent == message.ts);
                in_channel || message.reply_broadcast || message.ephemeral_to.is_some()
            });
        let mut page: Vec<&Message> = wanted.by_ref().take(limit).collect();
        page.reverse();
        let has_more = wanted.next().is_some();
        let shown: Vec<Value> = page.iter().map(|message| self.message_for(channel, message)).collect();
        Some(json!({ "messages": shown, "has_more": has_more }))
    }

    /// `GET /_control/thread`: the parent, then its replies.
    pub(crate) fn thread_for(&self, who: &str, channel: &str, ts: &str) -> Option<Value> {
        let channel = self.state.channels.get(channel).filter(|channel| channel.is_visible_to(who))?;
        let shown: Vec<Value> = channel
            .messages
            .iter()
            .filter(|message| message.ts == ts || message.thread_ts.as_deref() == Some(ts))
            .filter(|message| message.ephemeral_to.as_deref().is_none_or(|user| user == who))
            .map(|message| self.message_for(channel, message))
            .collect();
        Some(json!({ "messages": shown, "has_more": false }))
    }

    fn message_for(&self, channel: &Channel, message: &Message) -> Value {
        let mut shown = render::message(&self.state, &self.origin, channel, message, true);
        if message.blocks.is_none()
            && let Some(map) = shown.as_object_mut()
        {
            // The rich text that Slack derives from what was typed says nothing new to a person.
            map.remove("blocks");
        }
        shown["ephemeral"] = json!(message.ephemeral_to.is_some());
        shown["pinned"] = json!(channel.pins.iter().any(|pin| pin.ts == message.ts));
        shown["reactions"] = json!(message.reactions);
        let files: Vec<Value> = message
            .files
            .iter()
            .filter_map(|id| self.state.files.get(id))
            .map(|file| {
                json!({
                    "id": file.id, "name": file.name, "title": file.title, "mimetype": file.mimetype,
                    "size": file.length, "alt_txt": file.alt_txt, "url": render::file_url("", file), "download": render::download_url("", file),
                })
            })
            .collect();
        if !files.is_empty() {
            shown["files"] = json!(files);
        }
        shown
    }

    /// `GET /_control/views`: the open modals of a person, top last.
    pub(crate) fn views_for(&self, who: &str) -> Value {
        let stack: Vec<Value> = self
            .state
            .stacks
            .get(who)
            .into_iter()
            .flatten()
            .filter_map(|id| self.state.views.get(id))
            .map(|view| render::view(&self.state, view))
            .collect();
        json!({ "stack": stack })
    }

    /// `GET /_control/home`: a person's home tab.
    pub(crate) fn home_for(&self, who: &str) -> Value {
        let home = self.state.homes.get(who).and_then(|id| self.state.views.get(id));
        json!({ "view": home.map(|view| render::view(&self.state, view)) })
    }
}
