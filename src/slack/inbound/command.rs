//! A slash command as Slack's form delivers it.

use crate::domain::reference::{self, Reference};
use crate::ids::{ChannelId, UserId, WorkspaceId};

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
    /// As typed: `&amp;`, `&lt;`, `&gt;` are undone, channels and links are words; people and groups that were picked
    /// are [references](mod@reference).
    pub text: String,
    pub response_url: Option<String>,
    pub trigger_id: Option<String>,
}

impl SlashCommand {
    /// Reads the form; `field` gives the text of a field, unless it is missing or empty.
    pub(in crate::slack) fn read(field: impl Fn(&str) -> Option<String>) -> Self {
        let text = |name| field(name).unwrap_or_default();
        Self {
            workspace: field("team_id").map(WorkspaceId),
            enterprise: field("enterprise_id"),
            channel: ChannelId(text("channel_id")),
            channel_name: text("channel_name"),
            user: UserId(text("user_id")),
            user_name: text("user_name"),
            command: text("command"),
            text: as_typed(&text("text")),
            response_url: field("response_url"),
            trigger_id: field("trigger_id"),
        }
    }
}

/// What somebody typed, told apart from what Slack made of it: brackets that were typed come escaped, so a bare one is
/// Slack's.
fn as_typed(text: &str) -> String {
    let mut typed = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        typed.push_str(&unescape(&rest[..start]));
        rest = &rest[start + 1..];
        match rest.split_once('>') {
            Some((inside, after)) if !inside.contains(['<', '\n']) => {
                typed.push_str(&token(inside));
                rest = after;
            }
            _ => typed.push('<'),
        }
    }
    typed.push_str(&unescape(rest));
    typed
}

fn token(inside: &str) -> String {
    if Reference::of(inside).is_some() {
        return format!("{}<{}>", reference::MARK, unescape(inside));
    }
    let (target, label) = inside.split_once('|').unwrap_or((inside, ""));
    let (target, label) = (unescape(target), unescape(label));
    if let Some(channel) = target.strip_prefix('#') {
        return format!("#{}", if label.is_empty() { channel } else { &label });
    }
    if let Some(everybody) = target.strip_prefix('!') {
        return if label.is_empty() { format!("@{everybody}") } else { label };
    }
    if ["http://", "https://", "mailto:"].iter().any(|scheme| target.starts_with(scheme)) {
        let address = target.trim_start_matches("mailto:");
        return if label.is_empty() || label == address { address.to_owned() } else { format!("{label} ({target})") };
    }
    format!("<{}>", unescape(inside))
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
