//! The shapes in which Slack shows users, channels, messages, files and views to an app.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::escape;
use super::state::{Caption, Channel, ChannelKind, File, Message, State, User, UserGroup, View};
use super::zone;

/// A user as `users.info` shows it; the address only for apps with `users:read.email`.
pub(crate) fn user(state: &State, user: &User, now: DateTime<Utc>, with_email: bool) -> Value {
    let display_name = if user.display_name.is_empty() { &user.name } else { &user.display_name };
    let mut profile = json!({
        "title": user.title, "phone": "", "skype": "",
        "real_name": user.real_name, "real_name_normalized": user.real_name,
        "display_name": display_name, "display_name_normalized": display_name,
        "first_name": user.real_name.split(' ').next().unwrap_or_default(),
        "last_name": user.real_name.split(' ').nth(1).unwrap_or_default(),
        "status_text": user.status_text, "status_emoji": user.status_emoji, "status_expiration": 0,
        "avatar_hash": "g00000000000", "team": state.team.id,
    });
    for size in ["24", "32", "48", "72", "192", "512"] {
        profile[format!("image_{size}")] = json!(format!("https://avatars.invalid/{}-{size}.png", user.id));
    }
    if with_email && let Some(email) = &user.email {
        profile["email"] = json!(email);
    }
    if let Some(bot_id) = &user.bot_id {
        profile["bot_id"] = json!(bot_id);
        profile["api_app_id"] = json!(if user.is_app { state.app.id.as_str() } else { "" });
    }
    let mut shown = json!({
        "id": user.id, "team_id": state.team.id, "name": user.name, "deleted": user.deleted, "profile": profile,
        "is_bot": user.is_bot, "is_app_user": false, "updated": 1_600_000_000,
    });
    if !user.deleted {
        let (label, offset) = zone::describe(&user.tz, now);
        shown["color"] = json!(user.color);
        shown["real_name"] = json!(user.real_name);
        shown["tz"] = json!(user.tz);
        shown["tz_label"] = json!(label);
        shown["tz_offset"] = json!(offset);
        shown["is_admin"] = json!(user.is_admin);
        shown["is_owner"] = json!(false);
        shown["is_primary_owner"] = json!(false);
        shown["is_restricted"] = json!(user.is_restricted);
        shown["is_ultra_restricted"] = json!(false);
        shown["is_email_confirmed"] = json!(true);
        shown["who_can_share_contact_card"] = json!("EVERYONE");
    }
    if user.is_stranger {
        shown["is_stranger"] = json!(true);
        shown["team_id"] = json!("T0STRANGER");
    }
    shown
}

/// A user group as `usergroups.list` shows it.
pub(crate) fn usergroup(state: &State, group: &UserGroup, with_users: bool) -> Value {
    let mut shown = json!({
        "id": group.id, "team_id": state.team.id, "is_usergroup": true, "is_subteam": true, "name": group.name,
        "description": "", "handle": group.handle, "is_external": false, "date_create": 1_600_000_000,
        "date_update": 1_600_000_000, "date_delete": i64::from(group.disabled), "auto_type": null, "auto_provision": false,
        "enterprise_subteam_id": "", "created_by": "", "updated_by": "", "deleted_by": null,
        "prefs": { "channels": [], "groups": [] }, "user_count": group.users.len(), "channel_count": 0,
    });
    if with_users {
        shown["users"] = json!(group.users);
    }
    shown
}

fn caption(caption: &Caption) -> Value {
    json!({ "value": caption.value, "creator": caption.creator, "last_set": caption.last_set })
}

/// A conversation as `conversations.info` shows it to `viewer`.
pub(crate) fn channel(state: &State, channel: &Channel, viewer: &str) -> Value {
    let private = channel.kind != ChannelKind::Public;
    let im = channel.kind == ChannelKind::Im;
    let mut shown = json!({
        "id": channel.id, "created": channel.created, "creator": channel.creator, "is_archived": channel.archived,
        "is_channel": channel.kind == ChannelKind::Public, "is_group": channel.kind == ChannelKind::Private, "is_im": im,
        "is_mpim": channel.kind == ChannelKind::Mpim, "is_private": private, "is_general": channel.general,
        "is_shared": channel.ext_shared, "is_org_shared": false, "is_ext_shared": channel.ext_shared,
        "is_pending_ext_shared": false, "pending_shared": [], "shared_team_ids": [state.team.id],
        "context_team_id": state.team.id, "updated": channel.updated_ms, "unlinked": 0,
    });
    if im {
        let other = channel.members.iter().find(|member| *member != viewer).or_else(|| channel.members.first());
        shown["user"] = json!(other);
        shown["is_user_deleted"] =
            json!(other.and_then(|other| state.find_user(other)).is_some_and(|other| other.deleted));
        shown["is_open"] = json!(true);
    } else {
        shown["name"] = json!(channel.name);
        shown["name_normalized"] = json!(channel.name);
        shown["is_member"] = json!(channel.has_member(viewer));
        shown["topic"] = caption(&channel.topic);
        shown["purpose"] = caption(&channel.purpose);
        shown["previous_names"] = json!(channel.previous_names);
    }
    if channel.has_member(viewer) {
        shown["last_read"] =
            json!(channel.last_read.get(viewer).cloned().unwrap_or_else(|| "0000000000.000000".to_owned()));
    }
    if let Some(canvas) = &channel.canvas_id {
        shown["properties"] = json!({
            "canvas": { "file_id": canvas, "is_empty": false, "quip_thread_id": "" },
            "tabs": [{ "id": canvas, "label": "", "type": "canvas" }],
        });
    }
    shown
}

/// A message as `conversations.history` shows it.
pub(crate) fn message(state: &State, origin: &str, channel: &Channel, message: &Message, with_metadata: bool) -> Value {
    let mut shown = json!({ "type": "message", "ts": message.ts, "text": message.text });
    let set = |shown: &mut Value, key: &str, value: Option<Value>| {
        if let Some(value) = value {
            shown[key] = value;
        }
    };
    let own = message.bot_id.as_deref() == Some(state.app.bot_id.as_str());
    set(&mut shown, "subtype", message.subtype.as_ref().map(|subtype| json!(subtype)));
    set(&mut shown, "user", message.user.as_ref().map(|user| json!(user)));
    set(&mut shown, "username", message.username.as_ref().map(|name| json!(name)));
    set(&mut shown, "icons", message.icon_emoji.as_ref().map(|emoji| json!({ "emoji": emoji })));
    set(&mut shown, "client_msg_id", message.client_msg_id.as_ref().map(|id| json!(id)));
    if let Some(bot_id) = &message.bot_id {
        shown["bot_id"] = json!(bot_id);
        if own {
            shown["app_id"] = json!(state.app.id);
            shown["bot_profile"] = json!({
                "id": bot_id, "deleted": false, "name": state.app.name, "updated": 1_600_000_000,
                "app_id": state.app.id, "team_id": state.team.id, "user_id": state.app.bot_user,
                "icons": { "image_36": "https://avatars.invalid/bot-36.png", "image_48": "https://avatars.invalid/bot-48.png",
                           "image_72": "https://avatars.invalid/bot-72.png" },
            });
        }
    }
    shown["team"] = json!(state.team.id);
    let typed = message.subtype.is_none() && message.bot_id.is_none() && !message.text.is_empty();
    match &message.blocks {
        Some(blocks) => shown["blocks"] = blocks.clone(),
        None if typed => shown["blocks"] = escape::rich_text(&message.text),
        None => {}
    }
    set(&mut shown, "attachments", message.attachments.clone());
    if !message.files.is_empty() {
        let files: Vec<Value> =
            message.files.iter().filter_map(|id| state.files.get(id)).map(|found| file(origin, found)).collect();
        shown["files"] = json!(files);
        shown["upload"] = json!(false);
    }
    set(&mut shown, "edited", message.edited.as_ref().map(|edited| json!({ "user": edited.user, "ts": edited.ts })));
    if with_metadata {
        set(&mut shown, "metadata", message.metadata.clone());
    }
    thread(&mut shown, channel, message);
    if !message.reactions.is_empty() {
        let reactions: Vec<Value> = message
            .reactions
            .iter()
            .map(|reaction| json!({ "name": reaction.name, "users": reaction.users, "count": reaction.users.len() }))
            .collect();
        shown["reactions"] = json!(reactions);
    }
    if channel.pins.iter().any(|pin| pin.ts == message.ts) {
        shown["pinned_to"] = json!([channel.id]);
    }
    if message.ephemeral_to.is_some() {
        shown["is_ephemeral"] = json!(true);
    }
    for (key, value) in &message.extra {
        shown[key] = value.clone();
    }
    shown
}

fn thread(shown: &mut Value, channel: &Channel, message: &Message) {
    if let Some(parent) = message.thread_ts.as_ref().filter(|parent| **parent != message.ts) {
        shown["thread_ts"] = json!(parent);
        if let Some(user) = channel.find_message(parent).and_then(|parent| parent.user.as_ref()) {
            shown["parent_user_id"] = json!(user);
        }
        return;
    }
    let replies: Vec<&Message> = channel.replies(&message.ts).collect();
    let Some(latest) = replies.last() else { return };
    let mut people: Vec<&String> = Vec::new();
    for user in replies.iter().filter_map(|reply| reply.user.as_ref()) {
        if !people.contains(&user) {
            people.push(user);
        }
    }
    shown["thread_ts"] = json!(message.ts);
    shown["reply_count"] = json!(replies.len());
    shown["reply_users_count"] = json!(people.len());
    shown["reply_users"] = json!(people);
    shown["latest_reply"] = json!(latest.ts);
    shown["is_locked"] = json!(false);
    shown["subscribed"] = json!(true);
}

/// A file as methods and events show it.
pub(crate) fn file(origin: &str, file: &File) -> Value {
    let mut shown = json!({
        "id": file.id, "created": file.created, "timestamp": file.created, "name": file.name, "title": file.title,
        "mimetype": file.mimetype, "filetype": file.name.rsplit('.').next().unwrap_or_default(), "user": file.user,
        "size": file.length, "mode": "hosted", "is_external": false, "is_public": true, "public_url_shared": false,
        "url_private": file_url(origin, file), "url_private_download": download_url(origin, file),
        "permalink": file_url(origin, file), "channels": file.channels, "groups": [], "ims": [],
    });
    if let Some(alt_txt) = &file.alt_txt {
        shown["alt_txt"] = json!(alt_txt);
    }
    shown
}

/// Where a file can be looked at.
pub(crate) fn file_url(origin: &str, file: &File) -> String {
    format!("{origin}/files/{}/{}", file.id, file_name(file))
}

/// Where a file can be fetched to be kept.
pub(crate) fn download_url(origin: &str, file: &File) -> String {
    format!("{origin}/files/{}/download/{}", file.id, file_name(file))
}

/// A file's name as it stands in its address.
pub(crate) fn file_name(file: &File) -> String {
    file.name.replace(['/', '\\', ' ', '?', '#', '%'], "_")
}

/// Where a message can be read: Slack's form of a permalink on the workspace's own domain.
pub(crate) fn permalink(state: &State, channel: &str, message: &Message) -> String {
    let digits: String = message.ts.chars().filter(char::is_ascii_digit).collect();
    let link = format!("https://{}.slack.com/archives/{channel}/p{digits}", state.team.domain);
    match message.thread_ts.as_ref().filter(|parent| **parent != message.ts) {
        Some(parent) => format!("{link}?thread_ts={parent}&cid={channel}"),
        None => link,
    }
}

/// A view as `views.*` and interactions show it.
pub(crate) fn view(state: &State, view: &View) -> Value {
    let mut shown = view.body.clone();
    shown["id"] = json!(view.id);
    shown["team_id"] = json!(state.team.id);
    shown["app_id"] = json!(state.app.id);
    shown["app_installed_team_id"] = json!(state.team.id);
    shown["bot_id"] = json!(state.app.bot_id);
    shown["hash"] = json!(view.hash);
    shown["state"] = json!({ "values": view.values });
    shown["root_view_id"] = json!(view.root_view_id);
    shown["previous_view_id"] = json!(view.previous_view_id);
    shown["external_id"] = json!(view.external_id);
    for (key, default) in [
        ("private_metadata", json!("")),
        ("callback_id", json!("")),
        ("clear_on_close", json!(false)),
        ("notify_on_close", json!(false)),
        ("close", Value::Null),
        ("submit", Value::Null),
    ] {
        if shown.get(key).is_none() {
            shown[key] = default;
        }
    }
    shown
}

/// Gives blocks and elements the ids that their author left out.
pub(crate) fn fill_block_ids(state: &mut State, blocks: &mut Value) {
    for block in blocks.as_array_mut().into_iter().flatten() {
        if block["block_id"].as_str().is_none_or(str::is_empty) && block.is_object() {
            block["block_id"] = json!(state.new_id("b"));
        }
        for place in ["accessory", "element"] {
            fill_action_id(state, block.get_mut(place));
        }
        for element in block.get_mut("elements").and_then(Value::as_array_mut).into_iter().flatten() {
            fill_action_id(state, Some(element));
        }
    }
}

fn fill_action_id(state: &mut State, element: Option<&mut Value>) {
    let Some(element) = element else { return };
    let interactive = element["type"].as_str().is_some_and(|kind| {
        kind.ends_with("_select")
            || kind.ends_with("picker")
            || kind.ends_with("_input")
            || ["button", "overflow", "checkboxes", "radio_buttons"].contains(&kind)
    });
    if interactive && element["action_id"].as_str().is_none_or(str::is_empty) {
        element["action_id"] = json!(state.new_id("a"));
    }
}
