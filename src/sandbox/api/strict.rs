//! What Slack asks of every call, whatever the workspace holds: for tests that simulate a workspace of their own, so that
//! limits and checks are those of the sandbox.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::channel_changes::{check_caption, check_name};
use super::{chat, table};
use crate::sandbox::ratelimit::{Limits, Tier};
use crate::sandbox::wire::{ApiError, Args};

/// Counts a call; the seconds to wait if there were too many.
pub(crate) fn count(limits: &mut Limits, method: &str, args: &Value, now: DateTime<Utc>) -> Result<(), u64> {
    let Some(found) = table::find(method) else { return Ok(()) };
    limits.call(found.name, found.tier, now)?;
    match args.get("channel").and_then(Value::as_str) {
        Some(channel) if found.tier == Tier::Post => limits.post(channel, now),
        _ => Ok(()),
    }
}

/// Why Slack would refuse these arguments, or not do with them what was meant.
pub(crate) fn mistake(method: &str, args: &Value) -> Option<String> {
    let Some(found) = table::find(method) else { return Some("there is no such method".to_owned()) };
    let args = Args(args.as_object().cloned().unwrap_or_default());
    if let Some(unknown) = args.0.keys().find(|name| name.as_str() != "team_id" && !found.takes(name)) {
        return Some(format!("it does not take `{unknown}`"));
    }
    if let Some(missing) = found.required().find(|name| args.text(name).is_none()) {
        return Some(format!("`{missing}` is missing"));
    }
    let checked = match found.name {
        "chat.postMessage" | "chat.postEphemeral" | "chat.update" => chat::read_content(&args).and_then(|content| {
            if content.is_empty() {
                return Err("no_text".into());
            }
            // What is posted would be split, what is edited refused.
            if chat::is_too_long(&content) { Err("msg_too_long".into()) } else { Ok(()) }
        }),
        "conversations.create" => check_name(&args.text("name").unwrap_or_default()),
        "conversations.setTopic" => check_caption(&args.text("topic").unwrap_or_default()),
        _ => Ok(()),
    };
    checked.err().map(|error: ApiError| error.body().to_string())
}
