//! What people have on their screens, as text.

use chrono::{DateTime, Utc};
use firebell::domain::civil::format::LocalZone;
use serde_json::Value;

use super::World;
use crate::words::reading;

/// Messages of one conversation that a test looks at.
const MESSAGES_MAX: usize = 500;

/// `3:05 PM` in this zone.
pub(super) fn wall_clock(at: DateTime<Utc>, zone: &str) -> String {
    LocalZone::new(zone, None).time_with_zone(at)
}

impl World {
    /// Ids of people, groups and channels as the names that Slack shows for them.
    pub(super) fn named(&self, text: &str) -> String {
        let state = self.stage().slack.export();
        let mut text = text.to_owned();
        for user in state["users"].as_array().into_iter().flatten() {
            text = text.replace(word(&user["id"]), word(&user["name"]));
        }
        for group in state["usergroups"].as_array().into_iter().flatten() {
            text = text.replace(&format!("!subteam^{}", word(&group["id"])), &format!("@{}", word(&group["handle"])));
        }
        let channels = state["channels"].as_object().into_iter().flatten();
        for (id, channel) in channels.filter(|(_, channel)| !word(&channel["name"]).is_empty()) {
            text = text.replace(id, word(&channel["name"]));
        }
        text
    }

    /// The conversation's id: `#channel`, or `@person` for the app's direct messages with them.
    pub(super) fn place(&self, place: &str) -> Option<String> {
        let slack = &self.stage().slack;
        match place.split_at(1) {
            ("#", name) => slack.find_channel(name),
            ("@", name) => slack.find_direct(&slack.find_user(name)?, "U0FIREBELL"),
            _ => panic!("a place is #channel or @person, not {place}"),
        }
    }

    /// The messages that this person has there, oldest first; none if they see no such conversation.
    pub(super) fn messages(&self, user: &str, place: &str) -> Vec<Value> {
        let Some(channel) = self.place(place) else { return Vec::new() };
        let page = self.stage().slack.messages(user, &channel, MESSAGES_MAX, None);
        page.and_then(|mut page| page["messages"].as_array_mut().map(std::mem::take)).unwrap_or_default()
    }

    /// One message as it is read.
    pub(super) fn message(&self, message: &Value) -> String {
        let mut marks = Vec::new();
        if message["ephemeral"] == true {
            marks.push("only you".to_owned());
        }
        if message["pinned"] == true {
            marks.push("pinned".to_owned());
        }
        if message.get("edited").is_some_and(|edited| !edited.is_null()) {
            marks.push("edited".to_owned());
        }
        for reaction in message["reactions"].as_array().into_iter().flatten() {
            marks.push(format!(":{}:", word(&reaction["name"])));
        }
        for file in message["files"].as_array().into_iter().flatten() {
            marks.push(format!("file {}", word(&file["name"])));
        }
        let marks = if marks.is_empty() { String::new() } else { format!(" ({})", marks.join(", ")) };
        let author = message["user"].as_str().unwrap_or("?");
        let body = match message["blocks"].as_array() {
            Some(blocks) => reading::blocks(blocks),
            None => reading::shown(word(&message["text"])),
        };
        self.named(&format!("── {author}{marks}\n{body}"))
    }
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
