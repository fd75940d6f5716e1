//! Making channels and keeping them: names, members, topics, bookmarks.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::malformed;
use crate::ids::{ChannelId, UserId};
use crate::slack::client::{Args, Slack};
use crate::slack::error::{Error, RefusedUser, refused_users};
use crate::slack::fields;
use crate::slack::limits::{INVITE_USERS_MAX, Method, PAGE_SIZE, PAGES_MAX, TOPIC_MAX};

/// A conversation as far as we care.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    pub id: ChannelId,
    /// Empty for direct messages.
    pub name: String,
    pub is_private: bool,
    pub is_archived: bool,
    /// Whether Firebell is in it.
    pub is_member: bool,
    /// Shared with another organisation (Slack Connect): what is posted leaves the house.
    pub is_external: bool,
    pub creator: Option<UserId>,
    pub created_at: Option<DateTime<Utc>>,
    pub topic: String,
}

impl Channel {
    /// Reads a channel object; `None` without an id.
    pub fn read(value: &Value) -> Option<Self> {
        Some(Self {
            id: ChannelId(fields::text(value, "id")?),
            name: fields::text_or_empty(value, "name"),
            is_private: fields::flag(value, "is_private"),
            is_archived: fields::flag(value, "is_archived"),
            is_member: fields::flag(value, "is_member"),
            is_external: fields::flag(value, "is_ext_shared") || fields::flag(value, "is_pending_ext_shared"),
            creator: fields::text(value, "creator").map(UserId),
            created_at: fields::number(value, "created").and_then(|second| DateTime::from_timestamp(second, 0)),
            topic: fields::text_at(value, "/topic/value").unwrap_or_default(),
        })
    }
}

impl Slack {
    /// Creates a channel. `name_taken` is also the answer for names of archived and of invisible private channels.
    pub async fn create_channel(&self, name: &str, private: bool) -> Result<Channel, Error> {
        let method = Method::ConversationsCreate;
        let args = self.in_workspace(Args::new().with("name", name).with("is_private", private));
        let answer = self.post(method, args, &[]).await?;
        let mut channel = channel_of(method, &answer)?;
        channel.is_member = true;
        Ok(channel)
    }

    /// Looks a channel up by its exact name: first among ours, which is where a creation of unknown outcome shows,
    /// then among all that we may see. Archived ones are found too.
    pub async fn find_channel_by_name(&self, name: &str) -> Result<Option<Channel>, Error> {
        if let Some(mut ours) = self.search_channels(Method::UsersConversations, name).await? {
            ours.is_member = true;
            return Ok(Some(ours));
        }
        self.search_channels(Method::ConversationsList, name).await
    }

    /// Looks a channel up by its exact name among those that Firebell is in.
    pub async fn find_own_channel(&self, name: &str) -> Result<Option<Channel>, Error> {
        let mut found = self.search_channels(Method::UsersConversations, name).await?;
        if let Some(channel) = &mut found {
            channel.is_member = true;
        }
        Ok(found)
    }

    /// Every channel that we may see and that is not archived.
    pub async fn list_channels(&self) -> Result<Vec<Channel>, Error> {
        let mut channels = Vec::new();
        let args = || {
            self.in_workspace(
                Args::new()
                    .with("types", "public_channel,private_channel")
                    .with("exclude_archived", true)
                    .with("limit", PAGE_SIZE),
            )
        };
        self.each_page(Method::ConversationsList, PAGES_MAX, args, |answer| {
            channels.extend(fields::list(answer, "channels").iter().filter_map(Channel::read));
            false
        })
        .await?;
        Ok(channels)
    }

    async fn search_channels(&self, method: Method, name: &str) -> Result<Option<Channel>, Error> {
        let mut found = None;
        let args = || {
            self.in_workspace(
                Args::new()
                    .with("types", "public_channel,private_channel")
                    .with("exclude_archived", false)
                    .with("limit", PAGE_SIZE),
            )
        };
        self.each_page(method, PAGES_MAX, args, |answer| {
            found =
                fields::list(answer, "channels").iter().filter_map(Channel::read).find(|channel| channel.name == name);
            found.is_some()
        })
        .await?;
        Ok(found)
    }

    /// What Slack says of a channel now.
    pub async fn channel_info(&self, channel: &ChannelId) -> Result<Channel, Error> {
        let method = Method::ConversationsInfo;
        channel_of(method, &self.get(method, to(channel)).await?)
    }

    /// Everybody in a channel, bots included.
    pub async fn list_members(&self, channel: &ChannelId) -> Result<Vec<UserId>, Error> {
        let mut members = Vec::new();
        let args = || to(channel).with("limit", PAGE_SIZE);
        self.each_page(Method::ConversationsMembers, PAGES_MAX, args, |answer| {
            members.extend(fields::texts(answer, "members").into_iter().map(UserId));
            false
        })
        .await?;
        Ok(members)
    }

    /// Invites users, a hundred to a call, and returns those whom Slack would not take; the others are in. Being there
    /// already is success.
    pub async fn invite(&self, channel: &ChannelId, users: &[UserId]) -> Result<Vec<RefusedUser>, Error> {
        let method = Method::ConversationsInvite;
        let mut refused = Vec::new();
        for group in users.chunks(INVITE_USERS_MAX) {
            let list = group.iter().map(UserId::as_str).collect::<Vec<_>>().join(",");
            let args = to(channel).with("users", list).with("force", true);
            match self.post(method, args, &["already_in_channel"]).await {
                Ok(answer) => refused.extend(refused_users(&answer)),
                // Slack names whom it means: then the call did what it could.
                Err(error) if !error.refused_users().is_empty() => refused.extend_from_slice(error.refused_users()),
                Err(error) => match (error.code(), group) {
                    (Some(code), [user]) if is_about_a_user(code) => {
                        refused.push(RefusedUser { user: user.clone(), code: code.to_owned() });
                    }
                    _ => return Err(error),
                },
            }
        }
        refused.retain(|entry| entry.code != "already_in_channel");
        Ok(refused)
    }

    /// Sets the topic, cut to Slack's 250 characters.
    pub async fn set_topic(&self, channel: &ChannelId, topic: &str) -> Result<(), Error> {
        let topic = if topic.chars().count() > TOPIC_MAX {
            topic.chars().take(TOPIC_MAX - 1).chain(['…']).collect()
        } else {
            topic.to_owned()
        };
        self.post(Method::ConversationsSetTopic, to(channel).with("topic", topic), &[]).await.map(drop)
    }

    /// Joins a public channel.
    pub async fn join(&self, channel: &ChannelId) -> Result<(), Error> {
        self.post(Method::ConversationsJoin, to(channel), &["already_in_channel"]).await.map(drop)
    }

    /// Archives a channel.
    pub async fn archive(&self, channel: &ChannelId) -> Result<(), Error> {
        self.post(Method::ConversationsArchive, to(channel), &["already_archived"]).await.map(drop)
    }

    /// Brings an archived channel back; Slack may refuse a bot that lost its membership with the archiving.
    pub async fn unarchive(&self, channel: &ChannelId) -> Result<(), Error> {
        self.post(Method::ConversationsUnarchive, to(channel), &["not_archived"]).await.map(drop)
    }

    /// Adds a link above the channel and returns its id. Not idempotent: Slack keeps equal ones.
    pub async fn add_bookmark(
        &self,
        channel: &ChannelId,
        title: &str,
        link: &str,
        emoji: Option<&str>,
    ) -> Result<String, Error> {
        let method = Method::BookmarksAdd;
        let args = Args::new()
            .with("channel_id", channel.as_str())
            .with("title", title)
            .with("type", "link")
            .with("link", link)
            .maybe("emoji", emoji);
        let answer = self.post(method, args, &[]).await?;
        fields::text_at(&answer, "/bookmark/id").ok_or_else(|| malformed(method, "bookmark"))
    }

    /// The direct messages with a user, opened if need be.
    pub async fn open_dm(&self, user: &UserId) -> Result<ChannelId, Error> {
        let method = Method::ConversationsOpen;
        let answer = self.post(method, Args::new().with("users", user.as_str()), &[]).await?;
        fields::id(&answer, "channel").map(ChannelId).ok_or_else(|| malformed(method, "channel"))
    }
}

/// Refusals of an invitation that concern the one user, not the channel or the app.
fn is_about_a_user(code: &str) -> bool {
    matches!(
        code,
        "user_not_found"
            | "user_disabled"
            | "cant_invite"
            | "cant_invite_self"
            | "org_user_not_in_team"
            | "ura_max_channels"
            | "user_is_restricted"
            | "invitee_cant_see_channel"
            | "no_external_invite_permission"
    )
}

fn to(channel: &ChannelId) -> Args {
    Args::new().with("channel", channel.as_str())
}

/// Reads an answer that must hold a channel.
pub fn channel_of(method: Method, answer: &Value) -> Result<Channel, Error> {
    answer.get("channel").and_then(Channel::read).ok_or_else(|| malformed(method, "channel"))
}
