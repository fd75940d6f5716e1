//! The methods of the Web API: limits, scopes and arguments of each, as Slack's documentation gives them.
//!
//! The tier is the lower one where Slack's own sources disagree.

use super::{Call, Reply, apps, canvases, channel_changes, chat, conversations, files, history, marks, users, views};
use Does::{Read, Write};

use crate::sandbox::ratelimit::Tier::{self, Post, Special, T1, T2, T3, T4};

/// Which token a method takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    Nothing,
    Bot,
    /// `xapp-`, in the Authorization header only.
    App,
}

/// Whether a method takes a JSON body: those that write do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Does {
    Read,
    Write,
}

/// One method. Lists are words between spaces.
#[derive(Clone, Copy)]
pub(crate) struct Method {
    pub name: &'static str,
    pub tier: Tier,
    pub does: Does,
    pub needs: Needs,
    /// One of these must be granted; none at all means no scope is needed.
    pub scopes: &'static str,
    pub args: &'static str,
    pub required: &'static str,
    pub run: fn(&mut Call<'_>) -> Reply,
}

impl Method {
    /// Whether the method knows an argument of this name.
    pub(crate) fn takes(&self, name: &str) -> bool {
        self.args.split(' ').any(|known| known == name)
    }

    /// The arguments that must be there.
    pub(crate) fn required(&self) -> impl Iterator<Item = &'static str> {
        self.required.split_whitespace()
    }
}

/// The method with this name.
pub(crate) fn find(name: &str) -> Option<&'static Method> {
    METHODS.iter().find(|method| method.name == name)
}

/// A method that takes the bot's token: name, tier, what it does, scopes, arguments, required arguments, function.
const fn bot(
    name: &'static str,
    tier: Tier,
    does: Does,
    scopes: &'static str,
    args: &'static str,
    required: &'static str,
    run: fn(&mut Call<'_>) -> Reply,
) -> Method {
    Method { name, tier, does, needs: Needs::Bot, scopes, args, required, run }
}

/// The same with another token, or none.
const fn with(needs: Needs, method: Method) -> Method {
    Method { needs, ..method }
}

const READ: &str = "channels:read groups:read im:read mpim:read";
const HISTORY: &str = "channels:history groups:history im:history mpim:history";
const MANAGE: &str = "channels:manage channels:write groups:write im:write mpim:write";
const OPEN: &str = "channels:manage groups:write im:write mpim:write";
const INVITE: &str = "channels:manage channels:write.invites groups:write groups:write.invites im:write mpim:write";
const TOPIC: &str = "channels:manage channels:write.topic groups:write groups:write.topic im:write im:write.topic mpim:write mpim:write.topic";

/// All methods that the sandbox knows.
#[rustfmt::skip] // A table: one method, its lists, its function.
pub(crate) const METHODS: &[Method] = &[
    with(Needs::Nothing, bot("api.test", T4, Write, "", "error foo", "", apps::api_test)),
    bot("auth.test", Special, Write, "", "", "", apps::auth_test),
    bot("auth.revoke", T3, Write, "", "test", "", apps::auth_revoke),
    bot("auth.teams.list", T2, Read, "", "cursor include_icon limit", "", apps::teams_list),
    bot("team.info", T3, Read, "team:read", "domain team", "", apps::team_info),
    bot("bots.info", T3, Read, "users:read", "bot team_id", "", apps::bots_info),
    bot("emoji.list", T2, Read, "emoji:read", "include_categories", "", apps::emoji_list),
    with(Needs::App, bot("apps.connections.open", T1, Write, "", "debug_reconnects", "", apps::connections_open)),
    with(Needs::App, bot("apps.event.authorizations.list", T4, Write, "",
        "cursor event_context limit",
        "event_context", apps::authorizations_list)),
    with(Needs::Nothing, bot("oauth.v2.access", T4, Write, "",
        "client_id client_secret code code_verifier grant_type redirect_uri refresh_token",
        "", apps::oauth_access)),
    bot("dnd.info", T3, Read, "dnd:read", "team_id user", "", users::dnd_info),
    bot("dnd.teamInfo", T2, Read, "dnd:read", "team_id users", "users", users::dnd_team),
    bot("chat.postMessage", Post, Write, "chat:write",
        "as_user attachments blocks channel client_msg_id current_draft_last_updated_ts icon_emoji icon_url \
         link_names markdown_text metadata mrkdwn parse reply_broadcast text thread_ts unfurl_links unfurl_media \
         username",
        "channel", chat::post_message),
    bot("chat.postEphemeral", T4, Write, "chat:write",
        "as_user attachments blocks channel icon_emoji icon_url link_names markdown_text parse text thread_ts user \
         username",
        "channel user", chat::post_ephemeral),
    bot("chat.update", T3, Write, "chat:write",
        "as_user attachments blocks channel file_ids link_names markdown_text metadata parse reply_broadcast text \
         ts unfurled_attachments",
        "channel ts", chat::update),
    bot("chat.delete", T3, Write, "chat:write", "as_user channel ts", "channel ts", chat::delete),
    bot("chat.getPermalink", Special, Read, "", "channel message_ts", "channel message_ts", chat::get_permalink),
    bot("conversations.create", T2, Write, MANAGE, "is_private name team_id", "", channel_changes::create),
    bot("conversations.info", T3, Read, READ,
        "channel include_locale include_num_members",
        "channel", conversations::info),
    bot("conversations.list", T2, Read, READ, "cursor exclude_archived limit team_id types", "", conversations::list),
    bot("conversations.members", T4, Read, READ, "channel cursor limit", "channel", conversations::members),
    bot("conversations.invite", T3, Write, INVITE, "channel force users", "channel users", conversations::invite),
    bot("conversations.kick", T3, Write, MANAGE, "channel user", "channel user", conversations::kick),
    bot("conversations.join", T3, Write, "channels:join", "channel", "channel", conversations::join),
    bot("conversations.leave", T3, Write, MANAGE, "channel", "channel", conversations::leave),
    bot("conversations.open", T3, Write, OPEN, "channel prevent_creation return_im users", "", conversations::open),
    bot("conversations.close", T2, Write, OPEN, "channel", "channel", conversations::close),
    bot("conversations.setTopic", T2, Write, TOPIC, "channel topic", "channel", channel_changes::set_topic),
    bot("conversations.setPurpose", T2, Write, TOPIC, "channel purpose", "channel", channel_changes::set_purpose),
    bot("conversations.rename", T2, Write, MANAGE, "channel name", "channel", channel_changes::rename),
    bot("conversations.archive", T2, Write, MANAGE, "channel", "channel", channel_changes::archive),
    bot("conversations.unarchive", T2, Write, MANAGE, "channel", "channel", channel_changes::unarchive),
    bot("conversations.history", T3, Read, HISTORY,
        "channel cursor include_all_metadata inclusive latest limit oldest",
        "channel", history::history),
    bot("conversations.replies", T3, Read, HISTORY,
        "channel cursor include_all_metadata inclusive latest limit oldest ts",
        "channel ts", history::replies),
    bot("conversations.mark", T3, Write, MANAGE, "channel ts", "channel ts", history::mark),
    bot("conversations.canvases.create", T2, Write, "canvases:write",
        "channel_id document_content title",
        "channel_id", canvases::create_for_channel),
    bot("canvases.create", T2, Write, "canvases:write", "channel_id document_content title", "", canvases::create),
    bot("canvases.edit", T3, Write, "canvases:write", "canvas_id changes", "canvas_id changes", canvases::edit),
    bot("canvases.delete", T3, Write, "canvases:write", "canvas_id", "canvas_id", canvases::delete),
    bot("canvases.sections.lookup", T3, Write, "canvases:read",
        "canvas_id criteria",
        "canvas_id criteria", canvases::sections_lookup),
    bot("canvases.access.set", T3, Write, "canvases:write",
        "access_level canvas_id channel_ids user_ids",
        "access_level canvas_id", canvases::access_set),
    bot("bookmarks.add", T2, Write, "bookmarks:write",
        "access_level channel_id emoji entity_id link parent_id title type",
        "channel_id title type", marks::bookmark_add),
    bot("bookmarks.edit", T2, Write, "bookmarks:write",
        "bookmark_id channel_id emoji link title",
        "bookmark_id channel_id", marks::bookmark_edit),
    bot("bookmarks.list", T3, Write, "bookmarks:read", "channel_id", "channel_id", marks::bookmark_list),
    bot("bookmarks.remove", T2, Write, "bookmarks:write",
        "bookmark_id channel_id quip_section_id",
        "bookmark_id channel_id", marks::bookmark_remove),
    bot("pins.add", T2, Write, "pins:write", "channel timestamp", "channel", marks::pin_add),
    bot("pins.remove", T2, Write, "pins:write", "channel timestamp", "channel", marks::pin_remove),
    bot("pins.list", T2, Read, "pins:read", "channel", "channel", marks::pin_list),
    bot("reactions.add", T3, Write, "reactions:write",
        "channel name timestamp",
        "channel name timestamp", marks::reaction_add),
    bot("reactions.remove", T2, Write, "reactions:write",
        "channel file file_comment name timestamp",
        "name", marks::reaction_remove),
    bot("reactions.get", T3, Read, "reactions:read",
        "channel file file_comment full timestamp",
        "", marks::reaction_get),
    bot("users.info", T4, Read, "users:read", "include_locale user", "user", users::info),
    bot("users.list", T2, Read, "users:read", "cursor include_locale limit team_id", "", users::list),
    bot("users.lookupByEmail", T3, Read, "users:read.email", "email", "email", users::lookup_by_email),
    bot("users.conversations", T2, Read, READ,
        "cursor exclude_archived limit team_id types user",
        "", conversations::of_user),
    bot("users.getPresence", T3, Read, "users:read", "user", "", users::presence),
    bot("users.profile.get", T4, Read, "users.profile:read", "include_labels user", "", users::profile),
    bot("usergroups.list", T2, Read, "usergroups:read",
        "include_count include_disabled include_users team_id",
        "", users::groups),
    bot("usergroups.users.list", T2, Read, "usergroups:read",
        "include_disabled team_id usergroup",
        "usergroup", users::group_users),
    bot("usergroups.users.update", T2, Write, "usergroups:write",
        "additional_channels include_count is_shared team_id usergroup users",
        "usergroup users", users::group_update),
    bot("views.open", T4, Write, "", "interactivity_pointer trigger_id view", "trigger_id view", views::open),
    bot("views.push", T4, Write, "", "interactivity_pointer trigger_id view", "trigger_id view", views::push),
    bot("views.update", T4, Write, "", "external_id hash view view_id", "view", views::update),
    bot("views.publish", T4, Write, "", "hash user_id view", "user_id view", views::publish),
    bot("files.getUploadURLExternal", T4, Read, "files:write",
        "alt_txt filename length snippet_type",
        "filename length", files::get_upload_url),
    bot("files.completeUploadExternal", T4, Write, "files:write",
        "blocks channel_id channels files initial_comment thread_ts",
        "files", files::complete_upload),
    bot("files.upload", T2, Write, "files:write",
        "channels content file filename filetype initial_comment thread_ts title",
        "", files::upload_at_once),
    bot("files.info", T4, Read, "files:read", "file", "file", files::info),
    bot("files.list", T3, Read, "files:read", "channel count page ts_from ts_to types user", "", files::list),
    bot("files.delete", T3, Write, "files:write", "file", "file", files::delete),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_method_is_listed_twice_and_what_is_required_is_known() {
        for (n, method) in METHODS.iter().enumerate() {
            assert!(METHODS[n + 1..].iter().all(|other| other.name != method.name), "{}", method.name);
            assert!(method.required().all(|name| method.takes(name)), "{}", method.name);
        }
    }
}
