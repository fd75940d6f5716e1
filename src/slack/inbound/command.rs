//! A slash command as Slack's form delivers it.

use serde_json::Value;

use crate::ids::{ChannelId, UserId, WorkspaceId};
use crate::slack::fields;

/// Somebody typed a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlashCommand {
    /// None for an app installed for a whole organisation.
    pub workspace: Option<WorkspaceId>,
    pub enterprise: Option<String>,
    pub channel: ChannelId,
    /// `directmessage` or `privategroup` where the channel has no name for us.
    pub channel_name: String,
    /// Empty only if Slack left it out.
    pub user: UserId,
    pub user_name: String,
    /// With the slash.
    pub command: String,
    /// As typed: `&amp;`, `&lt;`, `&gt;` are undone; mentions stay `<@U…|name>`, channels `<#C…|name>`.
    pub text: String,
    pub response_url: Option<String>,
    pub trigger_id: Option<String>,
}

impl SlashCommand {
    /// Reads the form, given as an object of texts.
    pub(in crate::slack) fn read(form: &Value) -> Self {
        Self {
            workspace: fields::text(form, "team_id").map(WorkspaceId),
            enterprise: fields::text(form, "enterprise_id"),
            channel: ChannelId(fields::text_or_empty(form, "channel_id")),
            channel_name: fields::text_or_empty(form, "channel_name"),
            user: UserId(fields::text_or_empty(form, "user_id")),
            user_name: fields::text_or_empty(form, "user_name"),
            command: fields::text_or_empty(form, "command"),
            text: unescape(&fields::text_or_empty(form, "text")),
            response_url: fields::text(form, "response_url"),
            trigger_id: fields::text(form, "trigger_id"),
        }
    }
}

/// Undoes the three escapes that Slack makes, each once: `&amp;lt;` is what somebody typed as `&lt;`.
pub(super) fn unescape(text: &str) -> String {
    if !text.contains('&') {
        return text.to_owned();
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('&') {
        plain.push_str(&rest[..start]);
        rest = &rest[start..];
        let escapes = [("&amp;", '&'), ("&lt;", '<'), ("&gt;", '>')];
        let (length, character) = escapes
            .iter()
            .find(|(escape, _)| rest.starts_with(escape))
            .map_or((1, '&'), |(escape, character)| (escape.len(), *character));
        plain.push(character);
        rest = &rest[length..];
    }
    plain.push_str(rest);
    plain
}
