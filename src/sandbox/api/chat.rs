//! Posting, changing and deleting messages.

use serde_json::{Value, json};

use super::{Call, Reply};
use crate::sandbox::blocks_check::{Surface, check_attachments, check_blocks};
use crate::sandbox::escape::app_text;
use crate::sandbox::render;
use crate::sandbox::state::{Channel, ChannelKind, Edited, Message};
use crate::sandbox::wire::{ApiError, Args};

/// Characters of one message; longer texts are split (measured 2026-08) and cut at the second number.
const TEXT_MAX: usize = 4_000;
const TEXT_CUT: usize = 40_000;
/// Bytes of `metadata` as JSON.
const METADATA_MAX: usize = 16_000;

/// What a message says, checked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Content {
    pub text: Option<String>,
    pub blocks: Option<Value>,
    pub attachments: Option<Value>,
    pub metadata: Option<Value>,
}

/// Reads and checks `text`, `blocks`, `attachments`, `markdown_text` and `metadata`.
pub(crate) fn read_content(args: &Args) -> Result<Content, ApiError> {
    let mut text = args.text("text");
    if let Some(markdown) = args.text("markdown_text") {
        if text.is_some() || args.text("blocks").is_some() {
            return Err("markdown_text_conflict".into());
        }
        text = Some(markdown);
    }
    let blocks = args.structured("blocks").map_err(|()| ApiError::from("invalid_blocks_format"))?;
    if let Some(blocks) = &blocks {
        let errors = check_blocks(blocks, Surface::Message, "/blocks");
        if !errors.is_empty() {
            return Err(ApiError::from("invalid_blocks").with("errors", json!(errors)).with_messages(&errors));
        }
    }
    let attachments = args.structured("attachments").map_err(|()| ApiError::from("invalid_attachments"))?;
    if let Some(attachments) = &attachments {
        let errors = check_attachments(attachments);
        if attachments.as_array().is_some_and(|list| list.len() > 100) {
            return Err("too_many_attachments".into());
        }
        if !errors.is_empty() {
            return Err(ApiError::from("invalid_attachments").with("errors", json!(errors)).with_messages(&errors));
        }
    }
    let metadata = args.structured("metadata").map_err(|()| ApiError::from("invalid_metadata_format"))?;
    if let Some(metadata) = &metadata {
        if metadata["event_type"].as_str().is_none_or(str::is_empty) || !metadata["event_payload"].is_object() {
            return Err("invalid_metadata_schema".into());
        }
        if metadata.to_string().len() > METADATA_MAX {
            return Err("metadata_too_large".into());
        }
    }
    Ok(Content {
        text: text.map(|text| app_text(&text)),
        blocks: blocks.filter(|blocks| blocks.as_array().is_some_and(|list| !list.is_empty())),
        attachments: attachments.filter(|list| list.as_array().is_some_and(|list| !list.is_empty())),
        metadata,
    })
}

impl Content {
    pub(super) fn is_empty(&self) -> bool {
        self.text.as_ref().is_none_or(|text| text.trim().is_empty())
            && self.blocks.is_none()
            && self.attachments.is_none()
    }
}

/// Whether a text is more than one message holds.
pub(super) fn is_too_long(content: &Content) -> bool {
    content.text.as_ref().is_some_and(|text| text.chars().count() > TEXT_MAX)
}

/// The conversation a message goes to: an id, `#name`, or a person, whose direct message is opened.
fn destination(call: &mut Call<'_>) -> Result<String, ApiError> {
    let wanted = call.args.need("channel")?;
    if let Some(person) = call.live.state.find_user(&wanted) {
        if person.deleted {
            return Err("channel_not_found".into());
        }
        if person.is_bot {
            return Err("cannot_dm_bot".into());
        }
        let me = call.me.clone();
        return Ok(call.live.open_direct(&[me, wanted]).0);
    }
    if call.live.visible_channel(&wanted, &call.me).is_ok() {
        return Ok(wanted);
    }
    let named = call.live.state.find_channel_named(wanted.trim_start_matches('#'));
    named
        .filter(|channel| channel.is_visible_to(&call.me))
        .map(|channel| channel.id.clone())
        .ok_or_else(|| "channel_not_found".into())
}

pub(super) fn may_post(call: &Call<'_>, channel: &Channel) -> Result<(), ApiError> {
    if channel.archived {
        return Err("is_archived".into());
    }
    let gone = |user: &String| call.live.state.find_user(user).is_some_and(|user| user.deleted);
    if channel.kind == ChannelKind::Im && channel.members.iter().any(gone) {
        return Err("channel_not_found".into());
    }
    if channel.has_member(&call.me) {
        return Ok(());
    }
    let anywhere = channel.kind == ChannelKind::Public && call.need_scope(&["chat:write.public"]).is_ok();
    if anywhere { Ok(()) } else { Err("not_in_channel".into()) }
}

/// The thread a message goes into: its parent, even if a reply was named.
pub(super) fn thread_parent(call: &Call<'_>, channel: &str) -> Result<Option<String>, ApiError> {
    let Some(ts) = call.args.text("thread_ts") else { return Ok(None) };
    let parent = call.live.state.channels.get(channel).and_then(|channel| channel.find_message(&ts));
    match parent {
        None => Err("thread_not_found".into()),
        Some(parent) => Ok(Some(parent.thread_ts.clone().unwrap_or(ts))),
    }
}

pub(super) fn own_message(call: &Call<'_>) -> Message {
    let app = &call.live.state.app;
    Message {
        user: Some(call.me.clone()),
        bot_id: Some(app.bot_id.clone()),
        app_id: Some(app.id.clone()),
        ..Message::default()
    }
}

pub(super) fn post_message(call: &mut Call<'_>) -> Reply {
    let content = read_content(call.args)?;
    let id = destination(call)?;
    let channel = call.live.visible_channel(&id, &call.me)?;
    may_post(call, channel)?;
    if content.is_empty() {
        return Err("no_text".into());
    }
    let thread_ts = thread_parent(call, &id)?;
    let mut message = own_message(call);
    let custom =
        call.args.text("username").or_else(|| call.args.text("icon_emoji")).or_else(|| call.args.text("icon_url"));
    if custom.is_some() {
        call.need_scope(&["chat:write.customize"])?;
        message.username = call.args.text("username");
        message.icon_emoji = call.args.text("icon_emoji");
        message.subtype = Some("bot_message".to_owned());
    }
    message.reply_broadcast = thread_ts.is_some() && call.args.flag("reply_broadcast");
    if message.reply_broadcast {
        message.subtype = Some("thread_broadcast".to_owned());
    }
    message.thread_ts = thread_ts;
    message.blocks = content.blocks;
    message.attachments = content.attachments;
    message.metadata = content.metadata;
    message.client_msg_id = call.args.text("client_msg_id");
    let pieces = split(content.text.as_deref().unwrap_or_default());
    if pieces.len() > 1 {
        let method = "chat.postMessage";
        call.live
            .journal
            .complain(format!("{method}: a text over {TEXT_MAX} characters was split into {}", pieces.len()));
    }
    let mut first = None;
    for piece in pieces {
        let posted = Message { text: piece, ..message.clone() };
        let ts = call.live.post(&id, posted);
        first.get_or_insert(ts);
        // Only the first piece carries them.
        message.blocks = None;
        message.attachments = None;
    }
    let ts = first.expect("a text has at least one piece");
    let shown = call.live.message_json(&id, &ts).unwrap_or_default();
    Ok(json!({ "channel": id, "ts": ts, "message": shown }))
}

/// A text in pieces of at most 4,000 characters; everything beyond 40,000 is lost.
fn split(text: &str) -> Vec<String> {
    let letters: Vec<char> = text.chars().take(TEXT_CUT).collect();
    if letters.is_empty() {
        return vec![String::new()];
    }
    letters.chunks(TEXT_MAX).map(|chunk| chunk.iter().collect()).collect()
}

pub(super) fn post_ephemeral(call: &mut Call<'_>) -> Reply {
    let content = read_content(call.args)?;
    let user = call.args.need("user")?;
    let id = destination(call)?;
    let channel = call.live.visible_channel(&id, &call.me)?;
    may_post(call, channel)?;
    if !channel.has_member(&user) {
        return Err("user_not_in_channel".into());
    }
    if content.is_empty() {
        return Err("no_text".into());
    }
    let text = content.text.unwrap_or_default();
    if text.chars().count() > TEXT_CUT {
        return Err("msg_too_long".into());
    }
    let thread_ts = thread_parent(call, &id)?;
    let message =
        Message { text, blocks: content.blocks, attachments: content.attachments, thread_ts, ..own_message(call) };
    let ts = call.live.post_ephemeral(&id, &user, message);
    Ok(json!({ "message_ts": ts }))
}

/// The bot's own lasting message named by `channel` and `ts`.
fn own_posted(call: &Call<'_>, refusal: &str) -> Result<(String, String), ApiError> {
    let channel = call.channel("channel")?;
    let ts = call.args.need("ts")?;
    let message = channel.find_message(&ts).ok_or_else(|| ApiError::from("message_not_found"))?;
    if message.bot_id.as_deref() != Some(call.live.state.app.bot_id.as_str()) {
        return Err(refusal.into());
    }
    Ok((channel.id.clone(), ts))
}

pub(super) fn update(call: &mut Call<'_>) -> Reply {
    let content = read_content(call.args)?;
    let (channel, ts) = own_posted(call, "cant_update_message")?;
    if call.live.visible_channel(&channel, &call.me)?.archived {
        return Err("is_inactive".into());
    }
    if content.is_empty() {
        return Err("no_text".into());
    }
    if is_too_long(&content) {
        return Err("msg_too_long".into());
    }
    let edited = Edited { user: call.me.clone(), ts: call.live.event_ts() };
    let blocks_given = call.args.text("blocks").is_some();
    let attachments_given = call.args.text("attachments").is_some();
    call.live.change_message(&channel, &ts, |message| {
        // Text alone replaces blocks; blocks alone leave the text; attachments stay unless given.
        if let Some(text) = content.text {
            message.text = text;
            message.blocks = content.blocks;
        } else if blocks_given {
            message.blocks = content.blocks;
        }
        if attachments_given {
            message.attachments = content.attachments;
        }
        if content.metadata.is_some() {
            message.metadata = content.metadata;
        }
        message.edited = Some(edited);
    });
    let shown = call.live.message_json(&channel, &ts).unwrap_or_default();
    Ok(json!({ "channel": channel, "ts": ts, "text": shown["text"], "message": shown }))
}

pub(super) fn delete(call: &mut Call<'_>) -> Reply {
    let (channel, ts) = own_posted(call, "cant_delete_message")?;
    call.live.delete_message(&channel, &ts);
    Ok(json!({ "channel": channel, "ts": ts }))
}

pub(super) fn get_permalink(call: &mut Call<'_>) -> Reply {
    let channel = call.channel("channel")?;
    let ts = call.args.need("message_ts")?;
    let message = channel.find_message(&ts).ok_or_else(|| ApiError::from("message_not_found"))?;
    let link = render::permalink(&call.live.state, &channel.id, message);
    Ok(json!({ "channel": channel.id, "permalink": link }))
}
