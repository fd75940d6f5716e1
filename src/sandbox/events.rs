//! What the app is told: the events that it subscribed to, of conversations its bot is in, in Slack's envelope.

use serde_json::{Value, json};

use super::live::Live;
use super::state::{Channel, ChannelKind};

impl Live {
    /// Announces something in a conversation, if the bot is a member of it.
    pub(crate) fn emit_in(&mut self, channel: &str, event: Value) {
        let Some(found) = self.state.channels.get(channel) else { return };
        if found.has_member(&self.state.app.bot_user) {
            let shared = found.ext_shared;
            self.enqueue(event, shared);
        }
    }

    /// Announces something of the workspace as a whole.
    pub(crate) fn emit(&mut self, event: Value) {
        self.enqueue(event, false);
    }

    /// Announces a stored message, and the mention of the bot in it.
    pub(crate) fn emit_message(&mut self, channel: &str, ts: &str) {
        let Some(mut event) = self.message_json(channel, ts) else { return };
        let channel_type = self.channel_type(channel);
        event["channel"] = json!(channel);
        event["event_ts"] = json!(ts);
        event["channel_type"] = json!(channel_type);
        if let Some(map) = event.as_object_mut() {
            // Only methods show these.
            for key in ["reply_count", "reply_users", "reply_users_count", "latest_reply", "subscribed", "is_locked"] {
                map.remove(key);
            }
        }
        let mention = format!("<@{}>", self.state.app.bot_user);
        let addressed = channel_type != "im"
            && event["bot_id"] != json!(self.state.app.bot_id)
            && event["subtype"].as_str().is_none_or(|subtype| subtype == "bot_message" || subtype == "file_share")
            && event["text"].as_str().is_some_and(|text| text.contains(&mention));
        let mut mentioned = event.clone();
        self.emit_in(channel, event);
        if addressed {
            mentioned["type"] = json!("app_mention");
            if let Some(map) = mentioned.as_object_mut() {
                map.remove("channel_type");
                map.remove("subtype");
            }
            self.emit_in(channel, mentioned);
        }
    }

    fn enqueue(&mut self, event: Value, shared: bool) {
        if !self.is_subscribed(&event) {
            return;
        }
        let id = self.state.new_id("Ev");
        let team = &self.state.team;
        let enterprise = team.enterprise.as_ref().map(|enterprise| enterprise.id.clone());
        let mut envelope = json!({
            "token": self.state.app.verification_token,
            "team_id": team.id,
            "context_team_id": team.id,
            "context_enterprise_id": enterprise,
            "api_app_id": self.state.app.id,
            "type": "event_callback",
            "event_id": id,
            "event_time": self.now.timestamp(),
            "authorizations": [{
                "enterprise_id": enterprise, "team_id": team.id, "user_id": self.state.app.bot_user,
                "is_bot": true, "is_enterprise_install": enterprise.is_some(),
            }],
            "is_ext_shared_channel": shared,
            "event_context": format!("4-{}", id.to_lowercase()),
        });
        envelope["event"] = event;
        if let Some(enterprise) = enterprise {
            envelope["enterprise_id"] = json!(enterprise);
        }
        self.outgoing.push(envelope);
    }

    fn is_subscribed(&self, event: &Value) -> bool {
        let wanted = &self.state.app.events;
        if wanted.is_empty() {
            return true;
        }
        let kind = event["type"].as_str().unwrap_or_default();
        let name = match (kind, event["channel_type"].as_str()) {
            ("message", Some("channel")) => "message.channels",
            ("message", Some("group")) => "message.groups",
            ("message", Some("im")) => "message.im",
            ("message", Some("mpim")) => "message.mpim",
            _ => kind,
        };
        wanted.iter().any(|event| event == name)
    }
}

/// The event type for something that happens to a channel: `channel_archive`, or `group_archive` for a private one.
pub(crate) fn of_channel(channel: &Channel, what: &str) -> String {
    let noun = match channel.kind {
        ChannelKind::Public => "channel",
        ChannelKind::Private | ChannelKind::Im | ChannelKind::Mpim => "group",
    };
    format!("{noun}_{what}")
}
