//! Finding conversations and being in them.

use serde_json::{Value, json};

use super::{Call, Reply, next_cursor};
use crate::sandbox::render;
use crate::sandbox::state::{Channel, ChannelKind};
use crate::sandbox::wire::ApiError;

/// People per `conversations.invite`, and in a group direct message (Slack's documentation).
const INVITE_MAX: usize = 100;
const DIRECT_MAX: usize = 8;

pub(super) fn info(call: &mut Call<'_>) -> Reply {
    let channel = call.channel("channel")?;
    call.need_kind_scope(channel.kind, "read")?;
    let mut shown = render::channel(&call.live.state, channel, &call.me);
    if call.args.flag("include_num_members") {
        shown["num_members"] = json!(channel.members.len());
    }
    Ok(json!({ "channel": shown }))
}

fn wanted_kinds(call: &Call<'_>) -> Result<Vec<ChannelKind>, ApiError> {
    let mut kinds = Vec::new();
    for word in call.args.text("types").unwrap_or_else(|| "public_channel".to_owned()).split(',') {
        kinds.push(match word.trim() {
            "public_channel" => ChannelKind::Public,
            "private_channel" => ChannelKind::Private,
            "im" => ChannelKind::Im,
            "mpim" => ChannelKind::Mpim,
            _ => return Err("invalid_types".into()),
        });
    }
    for kind in &kinds {
        call.need_kind_scope(*kind, "read")?;
    }
    Ok(kinds)
}

fn list_where(call: &Call<'_>, wanted: impl Fn(&Channel) -> bool) -> Reply {
    let kinds = wanted_kinds(call)?;
    let without_archived = call.args.flag("exclude_archived");
    let channels: Vec<Value> = call
        .live
        .state
        .channels
        .values()
        .filter(|channel| kinds.contains(&channel.kind) && channel.is_visible_to(&call.me))
        .filter(|channel| !(without_archived && channel.archived))
        .filter(|channel| wanted(channel))
        .map(|channel| {
            let mut shown = render::channel(&call.live.state, channel, &call.me);
            shown["num_members"] = json!(channel.members.len());
            shown
        })
        .collect();
    let (channels, cursor) = call.page(channels, 100, 1000)?;
    Ok(json!({ "channels": channels, "response_metadata": next_cursor(&cursor) }))
}

pub(super) fn list(call: &mut Call<'_>) -> Reply {
    list_where(call, |_| true)
}

pub(super) fn of_user(call: &mut Call<'_>) -> Reply {
    let user = call.args.text("user").unwrap_or_else(|| call.me.clone());
    if call.live.state.find_user(&user).is_none() {
        return Err("user_not_found".into());
    }
    list_where(call, |channel| channel.has_member(&user))
}

pub(super) fn members(call: &mut Call<'_>) -> Reply {
    let channel = call.channel("channel")?;
    call.need_kind_scope(channel.kind, "read")?;
    let (members, cursor) = call.page(channel.members.clone(), 100, 1000)?;
    Ok(json!({ "members": members, "response_metadata": next_cursor(&cursor) }))
}

/// The channel of a call that changes it: known, changeable by scope and kind, not archived.
pub(super) fn changeable(call: &Call<'_>, argument: &str) -> Result<Channel, ApiError> {
    let channel = call.channel(argument)?;
    call.need_kind_scope(channel.kind, "write")?;
    if channel.archived {
        return Err("is_archived".into());
    }
    Ok(Channel { messages: Vec::new(), ..channel_without_messages(channel) })
}

/// A copy without its messages, which may be many.
pub(super) fn channel_without_messages(channel: &Channel) -> Channel {
    Channel {
        id: channel.id.clone(),
        name: channel.name.clone(),
        kind: channel.kind,
        topic: channel.topic.clone(),
        purpose: channel.purpose.clone(),
        created: channel.created,
        creator: channel.creator.clone(),
        archived: channel.archived,
        general: channel.general,
        ext_shared: channel.ext_shared,
        members: channel.members.clone(),
        messages: Vec::new(),
        pins: channel.pins.clone(),
        bookmarks: channel.bookmarks.clone(),
        last_read: channel.last_read.clone(),
        previous_names: channel.previous_names.clone(),
        canvas_id: channel.canvas_id.clone(),
        last_ts_us: channel.last_ts_us,
        updated_ms: channel.updated_ms,
    }
}

fn show(call: &Call<'_>, id: &str) -> Value {
    call.live
        .state
        .channels
        .get(id)
        .map(|channel| render::channel(&call.live.state, channel, &call.me))
        .unwrap_or_default()
}

pub(super) fn invite(call: &mut Call<'_>) -> Reply {
    let channel = changeable(call, "channel")?;
    if !channel.is_named_kind() {
        return Err("method_not_supported_for_channel_type".into());
    }
    if !channel.has_member(&call.me) {
        return Err("not_in_channel".into());
    }
    if call.args.0.get("users").is_some_and(Value::is_array) {
        call.live.journal.complain("conversations.invite: `users` is a list of ids between commas".to_owned());
    }
    let users = call.args.list("users");
    if users.is_empty() {
        return Err("no_user".into());
    }
    if users.len() > INVITE_MAX {
        return Err("too_many_users".into());
    }
    let mut errors = Vec::new();
    let mut welcome = Vec::new();
    for user in &users {
        match cannot_invite(call, &channel, user) {
            Some(error) => errors.push(json!({ "user": user, "ok": false, "error": error })),
            None => welcome.push(user.clone()),
        }
    }
    let force = call.args.flag("force");
    if let Some(first) = errors.first()
        && (!force || welcome.is_empty())
    {
        let code = first["error"].as_str().unwrap_or_default().to_owned();
        return Err(ApiError::from(code.as_str()).with("errors", json!(errors)));
    }
    let me = call.me.clone();
    for user in welcome {
        call.live.add_member(&channel.id, &user, Some(&me));
    }
    let mut answer = json!({ "channel": show(call, &channel.id) });
    if !errors.is_empty() {
        answer["errors"] = json!(errors);
    }
    Ok(answer)
}

fn cannot_invite(call: &Call<'_>, channel: &Channel, id: &str) -> Option<&'static str> {
    let Some(user) = call.live.state.find_user(id) else { return Some("user_not_found") };
    if id == call.me {
        Some("cant_invite_self")
    } else if user.deleted {
        Some("cant_invite")
    } else if channel.has_member(id) {
        Some("already_in_channel")
    } else {
        None
    }
}

pub(super) fn kick(call: &mut Call<'_>) -> Reply {
    let channel = changeable(call, "channel")?;
    let user = call.args.need("user")?;
    if !channel.is_named_kind() {
        Err("method_not_supported_for_channel_type".into())
    } else if user == call.me {
        Err("cant_kick_self".into())
    } else if channel.general {
        Err("cant_kick_from_general".into())
    } else if call.live.state.find_user(&user).is_none() {
        Err("user_not_found".into())
    } else if !channel.has_member(&call.me) || !channel.has_member(&user) {
        Err("not_in_channel".into())
    } else {
        call.live.remove_member(&channel.id, &user);
        Ok(json!({ "errors": {} }))
    }
}

pub(super) fn join(call: &mut Call<'_>) -> Reply {
    let channel = call.channel("channel")?;
    if channel.kind != ChannelKind::Public {
        return Err("method_not_supported_for_channel_type".into());
    }
    if channel.archived {
        return Err("is_archived".into());
    }
    let id = channel.id.clone();
    let already = channel.has_member(&call.me);
    let me = call.me.clone();
    call.live.add_member(&id, &me, None);
    let mut answer = json!({ "channel": show(call, &id) });
    if already {
        answer["warning"] = json!("already_in_channel");
        answer["response_metadata"] = json!({ "warnings": ["already_in_channel"] });
    }
    Ok(answer)
}

pub(super) fn leave(call: &mut Call<'_>) -> Reply {
    let channel = changeable(call, "channel")?;
    if channel.general {
        return Err("cant_leave_general".into());
    }
    if !channel.is_named_kind() {
        return Err("method_not_supported_for_channel_type".into());
    }
    if !channel.has_member(&call.me) {
        return Ok(json!({ "not_in_channel": true }));
    }
    let me = call.me.clone();
    call.live.remove_member(&channel.id, &me);
    Ok(json!({}))
}

pub(super) fn open(call: &mut Call<'_>) -> Reply {
    if call.args.text("channel").is_some() {
        let id = call.channel("channel")?.id.clone();
        return Ok(json!({ "channel": { "id": id }, "already_open": true, "no_op": true }));
    }
    let mut people = call.args.list("users");
    if people.is_empty() {
        return Err("users_list_not_supplied".into());
    }
    if people.len() > DIRECT_MAX {
        return Err("too_many_users".into());
    }
    call.need_scope(if people.len() == 1 { &["im:write"] } else { &["mpim:write"] })?;
    for id in &people {
        match call.live.state.find_user(id) {
            None => return Err("user_not_found".into()),
            Some(user) if user.deleted => return Err("user_disabled".into()),
            Some(_) => {}
        }
    }
    people.retain(|id| *id != call.me);
    people.insert(0, call.me.clone());
    if call.args.flag("prevent_creation") && call.live.state.find_direct(&people).is_none() {
        return Err("channel_not_found".into());
    }
    let (id, existed) = call.live.open_direct(&people);
    let channel = if call.args.flag("return_im") || people.len() > 2 { show(call, &id) } else { json!({ "id": id }) };
    let mut answer = json!({ "channel": channel });
    if existed {
        answer["already_open"] = json!(true);
        answer["no_op"] = json!(true);
    }
    Ok(answer)
}

pub(super) fn close(call: &mut Call<'_>) -> Reply {
    if call.channel("channel")?.is_named_kind() {
        return Err("method_not_supported_for_channel_type".into());
    }
    Ok(json!({}))
}
