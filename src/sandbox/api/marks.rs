//! What people hang on channels and messages: bookmarks, pins and reactions.

use serde_json::{Value, json};

use super::{Call, Reply};
use crate::sandbox::live::{ChangeKind, Live};
use crate::sandbox::render;
use crate::sandbox::state::{Bookmark, Channel, Pin, Reaction, ts_micros};
use crate::sandbox::wire::ApiError;

/// Bookmarks and pins of one channel, different reactions of one message (Slack's documentation).
const BOOKMARKS_MAX: usize = 100;
const PINS_MAX: usize = 100;
const EMOJI_MAX: usize = 50;

fn bookmark(channel: &str, bookmark: &Bookmark) -> Value {
    json!({
        "id": bookmark.id, "channel_id": channel, "title": bookmark.title, "link": bookmark.link,
        "emoji": bookmark.emoji.clone().unwrap_or_default(), "icon_url": "", "entity_id": null, "type": "link",
        "date_created": bookmark.created, "date_updated": bookmark.updated, "rank": "", "app_id": null,
        "last_updated_by_user_id": bookmark.by, "last_updated_by_team_id": "", "shortcut_id": "", "app_action_id": "",
    })
}

/// A channel the bot is in.
fn own<'a>(call: &'a Call<'_>, argument: &str) -> Result<&'a Channel, ApiError> {
    let channel = call.channel(argument)?;
    if channel.has_member(&call.me) { Ok(channel) } else { Err("not_in_channel".into()) }
}

fn check_link(link: &str) -> Result<(), ApiError> {
    let known = ["https://", "http://", "mailto:"].iter().any(|scheme| link.starts_with(scheme));
    if known { Ok(()) } else { Err("invalid_link".into()) }
}

fn check_emoji(call: &Call<'_>) -> Result<Option<String>, ApiError> {
    match call.args.text("emoji") {
        None => Ok(None),
        Some(emoji) if emoji.len() > 2 && emoji.starts_with(':') && emoji.ends_with(':') => Ok(Some(emoji)),
        Some(_) => Err("invalid_emoji".into()),
    }
}

pub(super) fn bookmark_add(call: &mut Call<'_>) -> Reply {
    let channel = call.channel("channel_id")?;
    let id = channel.id.clone();
    if !channel.has_member(&call.me) {
        return Err("permission_denied".into());
    }
    if channel.bookmarks.len() >= BOOKMARKS_MAX {
        return Err("too_many_bookmarks".into());
    }
    if call.args.need("type")? != "link" {
        return Err("invalid_bookmark_type".into());
    }
    let link = call.args.text("link").ok_or_else(|| ApiError::from("invalid_link"))?;
    check_link(&link)?;
    let added = Bookmark {
        id: call.live.state.new_id("Bk"),
        title: call.args.need("title")?,
        link,
        emoji: check_emoji(call)?,
        created: call.live.now_s(),
        updated: 0,
        by: call.me.clone(),
    };
    let shown = bookmark(&id, &added);
    if let Some(channel) = call.live.state.channels.get_mut(&id) {
        channel.bookmarks.push(added);
    }
    call.live.changed(ChangeKind::Channel, Some(&id), None);
    Ok(json!({ "bookmark": shown }))
}

pub(super) fn bookmark_edit(call: &mut Call<'_>) -> Reply {
    let id = call.channel("channel_id")?.id.clone();
    let wanted = call.args.need("bookmark_id")?;
    let link = call.args.text("link");
    if let Some(link) = &link {
        check_link(link)?;
    }
    let emoji = check_emoji(call)?;
    let (title, now, me) = (call.args.text("title"), call.live.now_s(), call.me.clone());
    let found = call
        .live
        .state
        .channels
        .get_mut(&id)
        .and_then(|channel| channel.bookmarks.iter_mut().find(|bookmark| bookmark.id == wanted))
        .ok_or_else(|| ApiError::from("not_found"))?;
    if let Some(title) = title {
        found.title = title;
    }
    if let Some(link) = link {
        found.link = link;
    }
    if emoji.is_some() {
        found.emoji = emoji;
    }
    found.updated = now;
    found.by = me;
    let shown = bookmark(&id, found);
    call.live.changed(ChangeKind::Channel, Some(&id), None);
    Ok(json!({ "bookmark": shown }))
}

pub(super) fn bookmark_list(call: &mut Call<'_>) -> Reply {
    let channel = call.channel("channel_id")?;
    let bookmarks: Vec<Value> = channel.bookmarks.iter().map(|found| bookmark(&channel.id, found)).collect();
    Ok(json!({ "bookmarks": bookmarks }))
}

pub(super) fn bookmark_remove(call: &mut Call<'_>) -> Reply {
    let id = call.channel("channel_id")?.id.clone();
    let wanted = call.args.need("bookmark_id")?;
    let channel = call.live.state.channels.get_mut(&id).ok_or_else(|| ApiError::from("channel_not_found"))?;
    let before = channel.bookmarks.len();
    channel.bookmarks.retain(|bookmark| bookmark.id != wanted);
    if channel.bookmarks.len() == before {
        return Err("not_found".into());
    }
    call.live.changed(ChangeKind::Channel, Some(&id), None);
    Ok(json!({}))
}

/// The lasting message that `channel` and `timestamp` name.
fn target(call: &Call<'_>) -> Result<(String, String), ApiError> {
    let channel = own(call, "channel")?;
    let ts = call.args.text("timestamp").ok_or_else(|| ApiError::from("no_item_specified"))?;
    if ts_micros(&ts).is_none() {
        return Err("bad_timestamp".into());
    }
    if channel.find_message(&ts).is_none() {
        return Err("message_not_found".into());
    }
    Ok((channel.id.clone(), ts))
}

/// Pins a message on behalf of `user`; the app hears `pin_added`.
pub(crate) fn pin(live: &mut Live, channel: &str, ts: &str, user: &str) -> Result<(), ApiError> {
    let created = live.now_s();
    let found = live.state.channels.get_mut(channel).ok_or_else(|| ApiError::from("channel_not_found"))?;
    if found.pins.iter().any(|pin| pin.ts == ts) {
        return Err("already_pinned".into());
    }
    if found.pins.len() >= PINS_MAX {
        return Err("too_many_pins".into());
    }
    found.pins.push(Pin { ts: ts.to_owned(), user: user.to_owned(), created });
    pin_event(live, "pin_added", channel, ts, user);
    Ok(())
}

/// Takes a pin off; the app hears `pin_removed`.
pub(crate) fn unpin(live: &mut Live, channel: &str, ts: &str, user: &str) -> Result<(), ApiError> {
    let found = live.state.channels.get_mut(channel).ok_or_else(|| ApiError::from("channel_not_found"))?;
    let before = found.pins.len();
    found.pins.retain(|pin| pin.ts != ts);
    if found.pins.len() == before {
        return Err("no_pin".into());
    }
    pin_event(live, "pin_removed", channel, ts, user);
    Ok(())
}

fn pin_event(live: &mut Live, kind: &str, channel: &str, ts: &str, user: &str) {
    let message = live.message_json(channel, ts).unwrap_or_default();
    let count = live.state.channels.get(channel).map_or(0, |channel| channel.pins.len());
    let (now, event_ts) = (live.now_s(), live.event_ts());
    live.emit_in(
        channel,
        json!({
            "type": kind, "user": user, "channel_id": channel, "pin_count": count, "event_ts": event_ts,
            "item": { "type": "message", "channel": channel, "message": message, "created": now, "created_by": user },
            "item_user": message["user"],
            "pinned_info": { "channel": channel, "pinned_by": user, "pinned_ts": now },
        }),
    );
    live.changed(ChangeKind::Message, Some(channel), Some(ts));
}

pub(super) fn pin_add(call: &mut Call<'_>) -> Reply {
    let (channel, ts) = target(call)?;
    let me = call.me.clone();
    pin(call.live, &channel, &ts, &me)?;
    Ok(json!({}))
}

pub(super) fn pin_remove(call: &mut Call<'_>) -> Reply {
    let (channel, ts) = target(call)?;
    let me = call.me.clone();
    unpin(call.live, &channel, &ts, &me)?;
    Ok(json!({}))
}

pub(super) fn pin_list(call: &mut Call<'_>) -> Reply {
    let channel = own(call, "channel")?;
    let items: Vec<Value> = channel
        .pins
        .iter()
        .rev()
        .filter_map(|pin| {
            let message = channel.find_message(&pin.ts)?;
            let shown = render::message(&call.live.state, &call.live.origin, channel, message, false);
            Some(json!({ "type": "message", "channel": channel.id, "created": pin.created, "created_by": pin.user, "message": shown }))
        })
        .collect();
    Ok(json!({ "items": items }))
}

fn is_emoji(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 100
        && name.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || "_-+':".contains(letter))
}

/// Adds `user`'s reaction; the app hears `reaction_added`.
pub(crate) fn react(live: &mut Live, channel: &str, ts: &str, name: &str, user: &str) -> Result<(), ApiError> {
    if !is_emoji(name) {
        return Err("invalid_name".into());
    }
    let found = live.state.channels.get_mut(channel).ok_or_else(|| ApiError::from("channel_not_found"))?;
    if found.archived {
        return Err("is_archived".into());
    }
    let message = found.message_mut(ts).ok_or_else(|| ApiError::from("message_not_found"))?;
    let kinds = message.reactions.len();
    match message.reactions.iter_mut().find(|reaction| reaction.name == name) {
        Some(reaction) if reaction.users.iter().any(|have| have == user) => return Err("already_reacted".into()),
        Some(reaction) => reaction.users.push(user.to_owned()),
        None if kinds >= EMOJI_MAX => return Err("too_many_emoji".into()),
        None => message.reactions.push(Reaction { name: name.to_owned(), users: vec![user.to_owned()] }),
    }
    reaction_event(live, "reaction_added", channel, ts, name, user);
    Ok(())
}

/// Takes `user`'s reaction back; the app hears `reaction_removed`.
pub(crate) fn unreact(live: &mut Live, channel: &str, ts: &str, name: &str, user: &str) -> Result<(), ApiError> {
    let found = live.state.channels.get_mut(channel).ok_or_else(|| ApiError::from("channel_not_found"))?;
    let message = found.message_mut(ts).ok_or_else(|| ApiError::from("message_not_found"))?;
    let reaction = message
        .reactions
        .iter_mut()
        .find(|reaction| reaction.name == name && reaction.users.iter().any(|have| have == user))
        .ok_or_else(|| ApiError::from("no_reaction"))?;
    reaction.users.retain(|have| have != user);
    message.reactions.retain(|reaction| !reaction.users.is_empty());
    reaction_event(live, "reaction_removed", channel, ts, name, user);
    Ok(())
}

fn reaction_event(live: &mut Live, kind: &str, channel: &str, ts: &str, name: &str, user: &str) {
    let author = live
        .state
        .channels
        .get(channel)
        .and_then(|channel| channel.find_any_message(ts))
        .and_then(|message| message.user.clone())
        .unwrap_or_default();
    let event_ts = live.event_ts();
    live.emit_in(
        channel,
        json!({
            "type": kind, "user": user, "reaction": name, "item_user": author, "event_ts": event_ts,
            "item": { "type": "message", "channel": channel, "ts": ts },
        }),
    );
    live.changed(ChangeKind::Message, Some(channel), Some(ts));
}

pub(super) fn reaction_add(call: &mut Call<'_>) -> Reply {
    let (channel, ts) = target(call)?;
    let (name, me) = (call.args.need("name")?, call.me.clone());
    react(call.live, &channel, &ts, &name, &me)?;
    Ok(json!({}))
}

pub(super) fn reaction_remove(call: &mut Call<'_>) -> Reply {
    let (channel, ts) = target(call)?;
    let (name, me) = (call.args.need("name")?, call.me.clone());
    unreact(call.live, &channel, &ts, &name, &me)?;
    Ok(json!({}))
}

pub(super) fn reaction_get(call: &mut Call<'_>) -> Reply {
    let (channel, ts) = target(call)?;
    let message = call.live.message_json(&channel, &ts).unwrap_or_default();
    Ok(json!({ "type": "message", "channel": channel, "message": message }))
}
