//! What happened in the workspace, as the Events API tells it.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::kind_name;
use super::message::SeenMessage;
use crate::domain::roster::Person;
use crate::ids::{ChannelId, MessageRef, MessageTs, UserGroupId, UserId, WorkspaceId};
use crate::slack::fields;
use crate::slack::methods::people;

/// An event with its envelope.
#[derive(Clone, Debug, PartialEq)]
pub struct EventEnvelope {
    /// Unique for each event, the same for each delivery of it.
    pub event_id: Option<String>,
    /// When it happened, to the second.
    pub event_at: Option<DateTime<Utc>>,
    /// None where an app installed for a whole organisation is not told.
    pub workspace: Option<WorkspaceId>,
    pub enterprise: Option<String>,
    /// Our own bot's user, as which we get to see this.
    pub bot_user: Option<UserId>,
    pub event: Event,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    Message {
        channel: ChannelId,
        channel_type: Option<String>,
        message: SeenMessage,
    },
    MessageChanged {
        channel: ChannelId,
        message: SeenMessage,
        previous: Option<Box<SeenMessage>>,
    },
    MessageDeleted {
        channel: ChannelId,
        deleted_ts: MessageTs,
        previous: Option<SeenMessage>,
    },
    /// `reaction` is the emoji's name without colons. `item` is none for reactions to files.
    ReactionAdded {
        user: UserId,
        reaction: String,
        item: Option<MessageRef>,
        item_user: Option<UserId>,
    },
    ReactionRemoved {
        user: UserId,
        reaction: String,
        item: Option<MessageRef>,
        item_user: Option<UserId>,
    },
    /// `tab` is `home` or `messages`; the hash is of the Home view that is shown, if any.
    AppHomeOpened {
        user: UserId,
        channel: Option<ChannelId>,
        tab: String,
        view_hash: Option<String>,
    },
    MemberJoined {
        user: UserId,
        channel: ChannelId,
        inviter: Option<UserId>,
    },
    MemberLeft {
        user: UserId,
        channel: ChannelId,
    },
    ChannelArchived {
        channel: ChannelId,
        by: Option<UserId>,
    },
    ChannelUnarchived {
        channel: ChannelId,
        by: Option<UserId>,
    },
    ChannelDeleted {
        channel: ChannelId,
        by: Option<UserId>,
    },
    ChannelRenamed {
        channel: ChannelId,
        name: String,
    },
    /// Somebody new, or somebody's name, zone or account changed. None if Slack sent only an id or nothing.
    UserChanged {
        user: UserId,
        person: Option<Person>,
    },
    SubteamChanged {
        group: UserGroupId,
    },
    AppMention {
        channel: ChannelId,
        message: SeenMessage,
    },
    /// Ours, if the list of bots has an entry.
    TokensRevoked {
        bots: Vec<UserId>,
        users: Vec<UserId>,
    },
    AppUninstalled,
    /// Slack withholds events: more than 30,000 in an hour. The minute from which on.
    RateLimited {
        from: Option<DateTime<Utc>>,
    },
    /// A kind we have no use for.
    Unknown {
        kind: String,
    },
}

impl EventEnvelope {
    /// Reads an `event_callback`.
    pub(super) fn read(payload: &Value) -> Self {
        let nothing = Value::Null;
        let inner = payload.get("event").unwrap_or(&nothing);
        Self { event: Event::read(inner), ..Self::outer(payload) }
    }

    /// Reads an `app_rate_limited`, which has no event inside.
    pub(super) fn rate_limited(payload: &Value) -> Self {
        Self { event: rate_limited(payload), ..Self::outer(payload) }
    }

    fn outer(payload: &Value) -> Self {
        let workspace = fields::text(payload, "team_id")
            .or_else(|| fields::text_at(payload, "/authorizations/0/team_id"))
            .or_else(|| fields::text_at(payload, "/event/team"));
        Self {
            event_id: fields::text(payload, "event_id"),
            event_at: fields::number(payload, "event_time").and_then(|second| DateTime::from_timestamp(second, 0)),
            workspace: workspace.map(WorkspaceId),
            enterprise: fields::text(payload, "enterprise_id"),
            bot_user: fields::list(payload, "authorizations")
                .iter()
                .find(|authorization| fields::flag(authorization, "is_bot"))
                .and_then(|authorization| fields::text(authorization, "user_id"))
                .map(UserId),
            event: Event::Unknown { kind: String::new() },
        }
    }
}

impl Event {
    fn read(event: &Value) -> Self {
        let kind = fields::text_or_empty(event, "type");
        let user = || UserId(fields::id(event, "user").unwrap_or_default());
        let channel = || ChannelId(fields::id(event, "channel").unwrap_or_default());
        let by = || fields::id(event, "user").or_else(|| fields::text(event, "actor_id")).map(UserId);
        match kind.as_str() {
            "message" => Self::read_message(event),
            "app_mention" => Self::AppMention { channel: channel(), message: SeenMessage::read(event) },
            "reaction_added" | "reaction_removed" => {
                let reaction = fields::text_or_empty(event, "reaction");
                let item = reacted_to(event);
                let item_user = fields::text(event, "item_user").map(UserId);
                if kind == "reaction_added" {
                    Self::ReactionAdded { user: user(), reaction, item, item_user }
                } else {
                    Self::ReactionRemoved { user: user(), reaction, item, item_user }
                }
            }
            "app_home_opened" => Self::AppHomeOpened {
                user: user(),
                channel: fields::id(event, "channel").map(ChannelId),
                tab: fields::text_or_empty(event, "tab"),
                view_hash: fields::text_at(event, "/view/hash"),
            },
            "member_joined_channel" => Self::MemberJoined {
                user: user(),
                channel: channel(),
                inviter: fields::text(event, "inviter").map(UserId),
            },
            "member_left_channel" => Self::MemberLeft { user: user(), channel: channel() },
            "channel_archive" | "group_archive" => Self::ChannelArchived { channel: channel(), by: by() },
            "channel_unarchive" | "group_unarchive" => Self::ChannelUnarchived { channel: channel(), by: by() },
            "channel_deleted" | "group_deleted" => Self::ChannelDeleted { channel: channel(), by: by() },
            "channel_rename" | "group_rename" => Self::ChannelRenamed {
                channel: channel(),
                name: fields::text_at(event, "/channel/name").unwrap_or_default(),
            },
            "user_change" | "team_join" | "user_profile_changed" | "user_status_changed" => Self::UserChanged {
                user: user(),
                person: event.get("user").and_then(|user| people::person(user, None)),
            },
            kind if kind.starts_with("subteam_") => Self::SubteamChanged {
                group: UserGroupId(
                    fields::text(event, "subteam_id")
                        .or_else(|| fields::text_at(event, "/subteam/id"))
                        .unwrap_or_default(),
                ),
            },
            "tokens_revoked" => {
                let tokens = event.get("tokens").unwrap_or(&Value::Null);
                let ids = |key| fields::texts(tokens, key).into_iter().map(UserId).collect();
                Self::TokensRevoked { bots: ids("bot"), users: ids("oauth") }
            }
            "app_uninstalled" => Self::AppUninstalled,
            "app_rate_limited" => rate_limited(event),
            other => Self::Unknown { kind: kind_name(other) },
        }
    }

    fn read_message(event: &Value) -> Self {
        let channel = ChannelId(fields::id(event, "channel").unwrap_or_default());
        let nested = |key| event.get(key).filter(|message| message.is_object()).map(SeenMessage::read);
        match (fields::text(event, "subtype").as_deref(), nested("message")) {
            (Some("message_changed"), Some(message)) => {
                Self::MessageChanged { channel, message, previous: nested("previous_message").map(Box::new) }
            }
            (Some("message_deleted"), _) => {
                let previous = nested("previous_message");
                let deleted_ts = fields::text(event, "deleted_ts")
                    .map(MessageTs)
                    .or_else(|| previous.as_ref().map(|message| message.ts.clone()))
                    .unwrap_or_else(|| MessageTs(String::new()));
                Self::MessageDeleted { channel, deleted_ts, previous }
            }
            // Says only that a thread grew; the answer itself comes as a message of its own.
            (Some("message_replied"), _) => Self::Unknown { kind: "message_replied".to_owned() },
            (_, _) => Self::Message {
                channel,
                channel_type: fields::text(event, "channel_type"),
                message: SeenMessage::read(event),
            },
        }
    }
}

fn reacted_to(event: &Value) -> Option<MessageRef> {
    let item = event.get("item")?;
    Some(MessageRef {
        channel: ChannelId(fields::text(item, "channel")?),
        ts: MessageTs(fields::text(item, "ts").or_else(|| fields::text_at(item, "/message/ts"))?),
    })
}

fn rate_limited(payload: &Value) -> Event {
    let minute = fields::number(payload, "minute_rate_limited");
    Event::RateLimited { from: minute.and_then(|second| DateTime::from_timestamp(second, 0)) }
}
