//! Making channels and changing what they are called, say and are.

use serde_json::json;

use super::conversations::changeable;
use super::{Call, Reply};
use crate::sandbox::events;
use crate::sandbox::live::{ChangeKind, Live};
use crate::sandbox::render;
use crate::sandbox::state::{Caption, Channel, ChannelKind};
use crate::sandbox::wire::ApiError;

/// Characters of a name, and of a topic or purpose (Slack's documentation).
const NAME_MAX: usize = 80;
const CAPTION_MAX: usize = 250;

/// Whether a channel may have this name: lower-case letters and digits (of any script), `-` and `_`, at most 80.
pub(crate) fn check_name(name: &str) -> Result<(), ApiError> {
    if name.is_empty() {
        return Err("invalid_name_required".into());
    }
    if name.chars().count() > NAME_MAX {
        return Err("invalid_name_maxlength".into());
    }
    if !name.chars().any(char::is_alphanumeric) {
        return Err("invalid_name_punctuation".into());
    }
    let allowed = |letter: char| letter == '-' || letter == '_' || (letter.is_alphanumeric() && !letter.is_uppercase());
    if !name.chars().all(allowed) {
        return Err("invalid_name_specials".into());
    }
    Ok(())
}

/// Whether a channel may have this topic or purpose.
pub(super) fn check_caption(value: &str) -> Result<(), ApiError> {
    if value.chars().count() > CAPTION_MAX { Err("too_long".into()) } else { Ok(()) }
}

/// Makes a channel whose name is free; `creator` is its first member. Archived and invisible channels keep their names.
pub(crate) fn create_channel(live: &mut Live, name: &str, private: bool, creator: &str) -> Result<String, ApiError> {
    check_name(name)?;
    if live.state.find_channel_named(name).is_some() {
        return Err("name_taken".into());
    }
    let id = live.state.new_id("C");
    let channel = Channel {
        id: id.clone(),
        name: name.to_owned(),
        kind: if private { ChannelKind::Private } else { ChannelKind::Public },
        created: live.now_s(),
        updated_ms: live.now.timestamp_millis(),
        creator: creator.to_owned(),
        ..Channel::default()
    };
    live.state.channels.insert(id.clone(), channel);
    if !private {
        let event_ts = live.event_ts();
        let shown = json!({
            "id": id, "is_channel": true, "name": name, "name_normalized": name, "created": live.now_s(),
            "creator": creator, "is_private": false, "is_archived": false,
        });
        live.emit(json!({ "type": "channel_created", "channel": shown, "event_ts": event_ts }));
    }
    live.add_member(&id, creator, None);
    Ok(id)
}

fn show(call: &Call<'_>, id: &str) -> Reply {
    let channel = call.live.visible_channel(id, &call.me)?;
    Ok(json!({ "channel": render::channel(&call.live.state, channel, &call.me) }))
}

pub(super) fn create(call: &mut Call<'_>) -> Reply {
    let private = call.args.flag("is_private");
    call.need_scope(if private { &["groups:write"] } else { &["channels:manage", "channels:write"] })?;
    let name = call.args.text("name").unwrap_or_default();
    let me = call.me.clone();
    let id = create_channel(call.live, &name, private, &me)?;
    show(call, &id)
}

/// A channel that the bot is in.
fn own(call: &Call<'_>) -> Result<Channel, ApiError> {
    let channel = changeable(call, "channel")?;
    if channel.has_member(&call.me) { Ok(channel) } else { Err("not_in_channel".into()) }
}

fn set_caption(call: &mut Call<'_>, argument: &str) -> Reply {
    let channel = own(call)?;
    if channel.kind == ChannelKind::Im {
        return Err("method_not_supported_for_channel_type".into());
    }
    let value = call.args.text(argument).unwrap_or_default();
    check_caption(&value)?;
    let me = call.me.clone();
    let caption = Caption { value: value.clone(), creator: me.clone(), last_set: call.live.now_s() };
    let now_ms = call.live.now.timestamp_millis();
    if let Some(found) = call.live.state.channels.get_mut(&channel.id) {
        found.updated_ms = now_ms;
        *(if argument == "topic" { &mut found.topic } else { &mut found.purpose }) = caption;
    }
    let noun = if argument == "topic" { "topic" } else { "description" };
    let text = if value.is_empty() {
        format!("cleared the channel {noun}")
    } else {
        format!("set the channel {noun}: {value}")
    };
    call.live.post_system(&channel.id, &format!("channel_{argument}"), &me, text, &[(argument, json!(value))]);
    call.live.changed(ChangeKind::Channel, Some(&channel.id), None);
    let mut answer = show(call, &channel.id)?;
    answer[argument] = json!(value);
    Ok(answer)
}

pub(super) fn set_topic(call: &mut Call<'_>) -> Reply {
    set_caption(call, "topic")
}

pub(super) fn set_purpose(call: &mut Call<'_>) -> Reply {
    set_caption(call, "purpose")
}

pub(super) fn rename(call: &mut Call<'_>) -> Reply {
    let channel = own(call)?;
    if !channel.is_named_kind() {
        return Err("method_not_supported_for_channel_type".into());
    }
    let name = call.args.text("name").unwrap_or_default();
    check_name(&name)?;
    if channel.creator != call.me {
        // Only who made a channel, or an administrator, may rename it.
        return Err("not_authorized".into());
    }
    if call.live.state.find_channel_named(&name).is_some_and(|other| other.id != channel.id) {
        return Err("name_taken".into());
    }
    let me = call.me.clone();
    let old = channel.name.clone();
    if let Some(found) = call.live.state.channels.get_mut(&channel.id) {
        found.previous_names.insert(0, old.clone());
        found.name.clone_from(&name);
    }
    let extra = [("old_name", json!(old)), ("name", json!(name))];
    let text = format!("has renamed the channel from \"{old}\" to \"{name}\"");
    call.live.post_system(&channel.id, "channel_name", &me, text, &extra);
    let event_ts = call.live.event_ts();
    let event = json!({
        "type": events::of_channel(&channel, "rename"), "event_ts": event_ts,
        "channel": { "id": channel.id, "name": name, "name_normalized": name, "created": channel.created,
                     "is_channel": true, "is_mpim": false },
    });
    call.live.emit_in(&channel.id, event);
    call.live.changed(ChangeKind::Channel, Some(&channel.id), None);
    show(call, &channel.id)
}

pub(super) fn archive(call: &mut Call<'_>) -> Reply {
    let channel = call.channel("channel")?;
    call.need_kind_scope(channel.kind, "write")?;
    if !channel.is_named_kind() {
        return Err("method_not_supported_for_channel_type".into());
    }
    if channel.general {
        return Err("cant_archive_general".into());
    }
    if channel.archived {
        return Err("already_archived".into());
    }
    if !channel.has_member(&call.me) {
        return Err("not_in_channel".into());
    }
    let id = channel.id.clone();
    let kind = events::of_channel(channel, "archive");
    let me = call.me.clone();
    call.live.post_system(&id, "channel_archive", &me, "archived the channel".to_owned(), &[]);
    let event_ts = call.live.event_ts();
    call.live.emit_in(&id, json!({ "type": kind, "channel": id, "user": me, "is_moved": 0, "event_ts": event_ts }));
    if let Some(found) = call.live.state.channels.get_mut(&id) {
        found.archived = true;
        // The bot is out of an archived channel, and unarchiving does not bring it back.
        found.members.retain(|member| *member != me);
    }
    call.live.changed(ChangeKind::Channel, Some(&id), None);
    Ok(json!({}))
}

pub(super) fn unarchive(call: &mut Call<'_>) -> Reply {
    let channel = call.channel("channel")?;
    call.need_kind_scope(channel.kind, "write")?;
    if !channel.archived {
        return Err("not_archived".into());
    }
    let id = channel.id.clone();
    let kind = events::of_channel(channel, "unarchive");
    if let Some(found) = call.live.state.channels.get_mut(&id) {
        found.archived = false;
    }
    let me = call.me.clone();
    call.live.post_system(&id, "channel_unarchive", &me, "un-archived the channel".to_owned(), &[]);
    let event_ts = call.live.event_ts();
    call.live.emit_in(&id, json!({ "type": kind, "channel": id, "user": me, "event_ts": event_ts }));
    call.live.changed(ChangeKind::Channel, Some(&id), None);
    Ok(json!({}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_slacks_rules() {
        let code = |name: &str| check_name(name).err().map(|error| error.code);
        assert_eq!(code("inc-42_shop-is-slow"), None);
        assert_eq!(code("größe-7"), None);
        assert_eq!(code(&"x".repeat(80)), None);
        assert_eq!(code(&"x".repeat(81)).as_deref(), Some("invalid_name_maxlength"));
        assert_eq!(code("").as_deref(), Some("invalid_name_required"));
        assert_eq!(code("--").as_deref(), Some("invalid_name_punctuation"));
        for bad in ["Inc", "a b", "a.b", "a#b", "a!"] {
            assert_eq!(code(bad).as_deref(), Some("invalid_name_specials"), "{bad}");
        }
    }
}
