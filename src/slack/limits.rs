//! The Web API methods we call and how often Slack lets us, in one table.
//!
//! Numbers only: when a call may go out is `pace`'s matter. Where Slack's documentation and its SDKs disagree, the lower
//! figure stands here.

/// A Web API method that Firebell calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    AppsConnectionsOpen,
    AuthTest,
    BookmarksAdd,
    ChatDelete,
    ChatGetPermalink,
    ChatPostEphemeral,
    ChatPostMessage,
    ChatUpdate,
    ConversationsArchive,
    ConversationsCreate,
    ConversationsHistory,
    ConversationsInfo,
    ConversationsInvite,
    ConversationsJoin,
    ConversationsList,
    ConversationsMembers,
    ConversationsOpen,
    ConversationsReplies,
    ConversationsSetTopic,
    ConversationsUnarchive,
    DndInfo,
    FilesCompleteUploadExternal,
    FilesGetUploadUrlExternal,
    /// The address that `files.getUploadURLExternal` lends: not a method by name.
    FileUpload,
    PinsAdd,
    ReactionsAdd,
    ReactionsRemove,
    /// A `response_url`: not a method by name, but a call with a limit of its own.
    ResponseUrl,
    TeamInfo,
    UsergroupsList,
    UsersConversations,
    UsersInfo,
    UsersList,
    ViewsOpen,
    ViewsPublish,
    ViewsPush,
    ViewsUpdate,
}

/// How often a method may be called in one workspace. Each figure leaves room below Slack's: in no minute do burst and
/// refill together exceed the documented limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// What Slack documents, calls a minute.
    pub documented_per_minute: u32,
    /// Calls that may go out at once after a quiet spell.
    pub burst: u32,
    /// How many of those are kept back for pages.
    pub reserved: u32,
    /// Calls a minute that are earned again.
    pub refill_per_minute: u32,
}

const fn budget(documented_per_minute: u32, burst: u32, reserved: u32, refill_per_minute: u32) -> Budget {
    Budget { documented_per_minute, burst, reserved, refill_per_minute }
}

/// Tier 1: one call a minute; a second within the minute is tolerated by Slack ("1+").
const TIER_1: Budget = budget(2, 1, 0, 1);
const TIER_2: Budget = budget(20, 6, 2, 14);
const TIER_3: Budget = budget(50, 12, 4, 38);
const TIER_4: Budget = budget(100, 20, 8, 80);
/// `auth.test` and `chat.getPermalink`: "hundreds a minute".
const SPECIAL: Budget = budget(200, 20, 4, 160);
/// All posts of one workspace together; Slack says "several hundred a minute" and publishes no figure.
const POSTS: Budget = budget(300, 30, 12, 240);

/// Posts into one channel, by whatever method: one a second, short bursts tolerated.
pub const CHANNEL: Budget = budget(60, 3, 1, 56);

/// Longest pause believed from a `Retry-After`, seconds: an hour, so that a strange answer cannot silence us for a day.
pub const RETRY_AFTER_MAX_S: u64 = 3600;
/// The pause when Slack says "too often" without saying for how long, seconds.
pub const RETRY_AFTER_UNKNOWN_S: u64 = 5;
/// A `Retry-After` of at most this many seconds on a post means the channel's limit; longer means the workspace's.
pub const CHANNEL_PAUSE_MAX_S: u64 = 2;

/// Users in one `conversations.invite`.
pub const INVITE_USERS_MAX: usize = 100;
/// Characters of a channel's topic.
pub const TOPIC_MAX: usize = 250;
/// Objects asked for on one page of a list.
pub const PAGE_SIZE: usize = 500;
/// Pages of one list that are read before giving up.
pub const PAGES_MAX: usize = 40;
/// Pages of a channel's history that are searched for one message.
pub const HISTORY_PAGES_MAX: usize = 5;
/// Messages asked for on one page of history.
pub const HISTORY_PAGE_SIZE: usize = 200;

impl Method {
    /// Every method, for tables and tests.
    pub const ALL: [Self; 37] = [
        Self::AppsConnectionsOpen,
        Self::AuthTest,
        Self::BookmarksAdd,
        Self::ChatDelete,
        Self::ChatGetPermalink,
        Self::ChatPostEphemeral,
        Self::ChatPostMessage,
        Self::ChatUpdate,
        Self::ConversationsArchive,
        Self::ConversationsCreate,
        Self::ConversationsHistory,
        Self::ConversationsInfo,
        Self::ConversationsInvite,
        Self::ConversationsJoin,
        Self::ConversationsList,
        Self::ConversationsMembers,
        Self::ConversationsOpen,
        Self::ConversationsReplies,
        Self::ConversationsSetTopic,
        Self::ConversationsUnarchive,
        Self::DndInfo,
        Self::FilesCompleteUploadExternal,
        Self::FilesGetUploadUrlExternal,
        Self::FileUpload,
        Self::PinsAdd,
        Self::ReactionsAdd,
        Self::ReactionsRemove,
        Self::ResponseUrl,
        Self::TeamInfo,
        Self::UsergroupsList,
        Self::UsersConversations,
        Self::UsersInfo,
        Self::UsersList,
        Self::ViewsOpen,
        Self::ViewsPublish,
        Self::ViewsPush,
        Self::ViewsUpdate,
    ];

    /// The method's name in Slack's documentation.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AppsConnectionsOpen => "apps.connections.open",
            Self::AuthTest => "auth.test",
            Self::BookmarksAdd => "bookmarks.add",
            Self::ChatDelete => "chat.delete",
            Self::ChatGetPermalink => "chat.getPermalink",
            Self::ChatPostEphemeral => "chat.postEphemeral",
            Self::ChatPostMessage => "chat.postMessage",
            Self::ChatUpdate => "chat.update",
            Self::ConversationsArchive => "conversations.archive",
            Self::ConversationsCreate => "conversations.create",
            Self::ConversationsHistory => "conversations.history",
            Self::ConversationsInfo => "conversations.info",
            Self::ConversationsInvite => "conversations.invite",
            Self::ConversationsJoin => "conversations.join",
            Self::ConversationsList => "conversations.list",
            Self::ConversationsMembers => "conversations.members",
            Self::ConversationsOpen => "conversations.open",
            Self::ConversationsReplies => "conversations.replies",
            Self::ConversationsSetTopic => "conversations.setTopic",
            Self::ConversationsUnarchive => "conversations.unarchive",
            Self::DndInfo => "dnd.info",
            Self::FilesCompleteUploadExternal => "files.completeUploadExternal",
            Self::FilesGetUploadUrlExternal => "files.getUploadURLExternal",
            Self::FileUpload => "upload_url",
            Self::PinsAdd => "pins.add",
            Self::ReactionsAdd => "reactions.add",
            Self::ReactionsRemove => "reactions.remove",
            Self::ResponseUrl => "response_url",
            Self::TeamInfo => "team.info",
            Self::UsergroupsList => "usergroups.list",
            Self::UsersConversations => "users.conversations",
            Self::UsersInfo => "users.info",
            Self::UsersList => "users.list",
            Self::ViewsOpen => "views.open",
            Self::ViewsPublish => "views.publish",
            Self::ViewsPush => "views.push",
            Self::ViewsUpdate => "views.update",
        }
    }

    /// What one workspace may spend on the method.
    pub const fn budget(self) -> Budget {
        match self {
            Self::AppsConnectionsOpen => TIER_1,
            Self::BookmarksAdd
            | Self::ConversationsArchive
            | Self::ConversationsCreate
            | Self::ConversationsList
            | Self::ConversationsSetTopic
            | Self::ConversationsUnarchive
            | Self::PinsAdd
            | Self::ReactionsRemove
            | Self::UsergroupsList
            | Self::UsersConversations
            | Self::UsersList => TIER_2,
            Self::ChatDelete
            | Self::ChatUpdate
            | Self::ConversationsHistory
            | Self::ConversationsInfo
            | Self::ConversationsInvite
            | Self::ConversationsJoin
            | Self::ConversationsOpen
            | Self::ConversationsReplies
            | Self::DndInfo
            | Self::ReactionsAdd
            | Self::TeamInfo => TIER_3,
            Self::ChatPostEphemeral
            | Self::ConversationsMembers
            | Self::FilesCompleteUploadExternal
            | Self::FilesGetUploadUrlExternal
            | Self::UsersInfo
            | Self::ViewsOpen
            | Self::ViewsPublish
            | Self::ViewsPush
            | Self::ViewsUpdate => TIER_4,
            Self::AuthTest | Self::ChatGetPermalink | Self::FileUpload | Self::ResponseUrl => SPECIAL,
            Self::ChatPostMessage => POSTS,
        }
    }

    /// Whether a call counts against the limit of the channel it writes to.
    pub const fn is_post(self) -> bool {
        matches!(self, Self::ChatPostMessage | Self::ChatPostEphemeral)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_minute_can_exceed_the_documented_limit() {
        for budget in Method::ALL.map(Method::budget).into_iter().chain([CHANNEL]) {
            assert!(budget.burst + budget.refill_per_minute <= budget.documented_per_minute, "{budget:?}");
            assert!(budget.reserved < budget.burst, "{budget:?}");
        }
    }

    #[test]
    fn every_method_stands_once_in_the_list_under_its_own_name() {
        let names: std::collections::BTreeSet<_> = Method::ALL.map(Method::as_str).into_iter().collect();
        assert_eq!(names.len(), Method::ALL.len());
    }
}
