//! Reading what was said.

use serde_json::{Value, json};

use super::{Call, Reply, next_cursor};
use crate::sandbox::render;
use crate::sandbox::state::{Channel, Message, ts_micros};
use crate::sandbox::wire::ApiError;

/// Messages per page for an internal app (Slack's documentation).
const PAGE_MAX: usize = 999;

struct Span {
    oldest: i64,
    latest: i64,
    inclusive: bool,
}

impl Span {
    fn of(call: &Call<'_>) -> Result<Self, ApiError> {
        let instant = |name: &str, default: i64| match call.args.text(name) {
            None => Ok(default),
            Some(ts) => ts_micros(&ts).ok_or_else(|| ApiError::from(format!("invalid_ts_{name}").as_str())),
        };
        // Without bounds everything is inside.
        let inclusive = call.args.flag("inclusive");
        Ok(Self { oldest: instant("oldest", -1)?, latest: instant("latest", i64::MAX)?, inclusive })
    }

    fn holds(&self, ts: &str) -> bool {
        let us = ts_micros(ts).unwrap_or_default();
        if self.inclusive { us >= self.oldest && us <= self.latest } else { us > self.oldest && us < self.latest }
    }
}

fn readable<'a>(call: &'a Call<'_>) -> Result<&'a Channel, ApiError> {
    let channel = call.channel("channel")?;
    call.need_kind_scope(channel.kind, "history")?;
    if channel.has_member(&call.me) || channel.archived { Ok(channel) } else { Err("not_in_channel".into()) }
}

fn show(call: &Call<'_>, channel: &Channel, messages: &[&Message]) -> Vec<Value> {
    let with_metadata = call.args.flag("include_all_metadata");
    messages
        .iter()
        .map(|message| render::message(&call.live.state, &call.live.origin, channel, message, with_metadata))
        .collect()
}

/// Newest first, thread replies only if they were also sent to the channel.
pub(super) fn history(call: &mut Call<'_>) -> Reply {
    let span = Span::of(call)?;
    let channel = readable(call)?;
    let messages: Vec<&Message> = channel
        .messages
        .iter()
        .rev()
        .filter(|message| message.ephemeral_to.is_none() && span.holds(&message.ts))
        .filter(|message| {
            message.thread_ts.as_ref().is_none_or(|parent| *parent == message.ts) || message.reply_broadcast
        })
        .collect();
    let (page, cursor) = call.page(messages, 100, PAGE_MAX)?;
    let mut answer = json!({
        "messages": show(call, channel, &page), "has_more": !cursor.is_empty(), "pin_count": channel.pins.len(),
        "channel_actions_ts": null, "channel_actions_count": 0,
    });
    if !cursor.is_empty() {
        answer["response_metadata"] = next_cursor(&cursor);
    }
    Ok(answer)
}

/// Oldest first; the parent leads every page.
pub(super) fn replies(call: &mut Call<'_>) -> Reply {
    let span = Span::of(call)?;
    let channel = readable(call)?;
    let ts = call.args.need("ts")?;
    let asked = channel.find_message(&ts).ok_or_else(|| ApiError::from("thread_not_found"))?;
    let parent = match asked.thread_ts.as_ref().filter(|parent| **parent != ts) {
        None => asked,
        Some(parent) => channel.find_message(parent).ok_or_else(|| ApiError::from("thread_not_found"))?,
    };
    let replies: Vec<&Message> = channel.replies(&parent.ts).filter(|message| span.holds(&message.ts)).collect();
    let (page, cursor) = call.page(replies, PAGE_MAX, PAGE_MAX)?;
    let mut thread = vec![parent];
    thread.extend(page);
    let mut answer = json!({ "messages": show(call, channel, &thread), "has_more": !cursor.is_empty() });
    if !cursor.is_empty() {
        answer["response_metadata"] = next_cursor(&cursor);
    }
    Ok(answer)
}

pub(super) fn mark(call: &mut Call<'_>) -> Reply {
    let ts = call.args.need("ts")?;
    if ts_micros(&ts).is_none() {
        return Err("invalid_timestamp".into());
    }
    let id = readable(call)?.id.clone();
    let me = call.me.clone();
    if let Some(channel) = call.live.state.channels.get_mut(&id) {
        channel.last_read.insert(me, ts);
    }
    call.live.dirty = true;
    Ok(json!({}))
}
