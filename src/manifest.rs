//! The Slack app that Firebell needs: its commands, shortcuts, permissions and events, in one place.
//!
//! `app-manifest.yml` is made from these tables, and a test keeps it so. Only what is used stands here: every scope is a
//! question an administrator must be able to answer.

use std::fmt::Write as _;

use crate::slack::actions::{SHORTCUT_ADD_TO_TIMELINE, SHORTCUT_OPEN, SHORTCUT_OPEN_FROM_MESSAGE};

/// What people see in Slack.
pub const NAME: &str = "Firebell";
pub const DESCRIPTION: &str =
    "Opens incidents, pages teams until a human answers, and writes the postmortem from the timeline.";
const BACKGROUND_COLOR: &str = "#8c1d18";
const LONG_DESCRIPTION: &str = "Firebell runs incidents where people already talk. /incident opens an incident with a \
    channel of its own; /escalate pages a team tier by tier, on a timer, until somebody acknowledges. Notes, calls, \
    answers and decisions land in a timeline by themselves, and the timeline becomes the postmortem. It runs on your \
    own server and keeps its data there.";

/// A slash command.
#[derive(Clone, Copy, Debug)]
pub struct SlashCommand {
    pub command: &'static str,
    pub description: &'static str,
    pub usage_hint: &'static str,
}

pub const COMMANDS: &[SlashCommand] = &[
    SlashCommand {
        command: "/incident",
        description: "Open and run an incident",
        usage_hint: "open checkout is slow sev2 | note 3:05pm restarted | resolve | help",
    },
    SlashCommand {
        command: "/escalate",
        description: "Call a team until somebody answers",
        usage_hint: "db-team replicas lag | ack | next | stop | why",
    },
];

/// Where a shortcut is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShortcutKind {
    /// In a message's menu.
    Message,
    /// In the search bar and beside the message field.
    Global,
}

#[derive(Clone, Copy, Debug)]
pub struct Shortcut {
    pub name: &'static str,
    pub kind: ShortcutKind,
    pub callback_id: &'static str,
    pub description: &'static str,
}

pub const SHORTCUTS: &[Shortcut] = &[
    Shortcut {
        name: "Add to timeline",
        kind: ShortcutKind::Message,
        callback_id: SHORTCUT_ADD_TO_TIMELINE,
        description: "Keep this message in the incident's timeline",
    },
    Shortcut {
        name: "Open incident from this",
        kind: ShortcutKind::Message,
        callback_id: SHORTCUT_OPEN_FROM_MESSAGE,
        description: "Open an incident that begins with this message",
    },
    Shortcut {
        name: "Open incident",
        kind: ShortcutKind::Global,
        callback_id: SHORTCUT_OPEN,
        description: "Open an incident",
    },
];

/// The bot's permissions, each with what it is for.
pub const BOT_SCOPES: &[(&str, &str)] = &[
    ("app_mentions:read", "hear @Firebell in threads, where slash commands do not work"),
    ("channels:history", "follow messages that were taken into a timeline, and find those marked in an outage"),
    ("channels:manage", "create incident channels, set their topic, invite responders"),
    ("channels:read", "find channels that the configuration names"),
    ("chat:write", "post pages, cards and answers"),
    ("chat:write.public", "announce incidents in a public channel without joining it"),
    ("commands", "/incident, /escalate and the shortcuts"),
    ("files:write", "send the document of an incident to who asks for it"),
    ("groups:history", "the same as channels:history for private incidents"),
    ("groups:read", "the same as channels:read for private incidents"),
    ("groups:write", "the same as channels:manage for private incidents"),
    ("im:history", "see whether a page already went out before sending it again"),
    ("im:write", "page people in direct messages"),
    ("pins:write", "pin the incident's card"),
    ("reactions:read", "take messages marked with :memo: or :pushpin: into the timeline"),
    ("reactions:write", "mark messages that were taken"),
    ("usergroups:read", "page the members of a user group"),
    ("users:read", "names and time zones"),
];

/// The events the bot hears, by name.
pub const BOT_EVENTS: &[&str] = &[
    "app_home_opened",
    "app_mention",
    "app_uninstalled",
    "channel_archive",
    "channel_deleted",
    "group_archive",
    "group_deleted",
    "message.channels",
    "message.groups",
    "reaction_added",
    "reaction_removed",
    "subteam_created",
    "subteam_members_changed",
    "subteam_updated",
    "team_join",
    "tokens_revoked",
    "user_change",
];

/// How Slack and Firebell find each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Firebell connects to Slack.
    Socket,
    /// Slack sends requests to this address, `https://…` without a trailing slash.
    Http { url: String },
}

/// A piece of the manifest. Only the shapes a manifest has; keys keep their order.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    Map(Vec<(&'static str, Node)>),
    List(Vec<Node>),
    Text(String),
    /// A text with a remark for those who read the YAML.
    Remarked(&'static str, &'static str),
    Flag(bool),
    Number(u32),
}

impl Node {
    fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    fn texts(texts: impl IntoIterator<Item = &'static str>) -> Self {
        Self::List(texts.into_iter().map(Self::text).collect())
    }

    /// The same as JSON, in which Slack's interface takes it too.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Map(entries) => entries
                .iter()
                .map(|(key, value)| ((*key).to_owned(), value.to_json()))
                .collect::<serde_json::Map<_, _>>()
                .into(),
            Self::List(items) => items.iter().map(Self::to_json).collect(),
            Self::Text(text) => text.as_str().into(),
            Self::Remarked(text, _) => (*text).into(),
            Self::Flag(flag) => (*flag).into(),
            Self::Number(number) => (*number).into(),
        }
    }
}

/// The manifest for a way of reaching Firebell.
pub fn manifest(transport: &Transport) -> Node {
    let url = |path: &str| match transport {
        Transport::Socket => None,
        Transport::Http { url } => Some(Node::Text(format!("{url}/slack/{path}"))),
    };
    let with_url = |key: &'static str, path: &str| url(path).map(|url| (key, url));
    let mut events = Vec::new();
    events.extend(with_url("request_url", "events"));
    events.push(("bot_events", Node::texts(BOT_EVENTS.iter().copied())));
    let mut interactivity = vec![("is_enabled", Node::Flag(true))];
    interactivity.extend(with_url("request_url", "interactions"));
    Node::Map(vec![
        ("_metadata", Node::Map(vec![("major_version", Node::Number(2)), ("minor_version", Node::Number(0))])),
        (
            "display_information",
            Node::Map(vec![
                ("name", Node::text(NAME)),
                ("description", Node::text(DESCRIPTION)),
                ("background_color", Node::text(BACKGROUND_COLOR)),
                ("long_description", Node::text(LONG_DESCRIPTION)),
            ]),
        ),
        (
            "features",
            Node::Map(vec![
                (
                    "app_home",
                    Node::Map(vec![
                        ("home_tab_enabled", Node::Flag(true)),
                        ("messages_tab_enabled", Node::Flag(true)),
                        ("messages_tab_read_only_enabled", Node::Flag(true)),
                    ]),
                ),
                ("bot_user", Node::Map(vec![("display_name", Node::text(NAME)), ("always_online", Node::Flag(true))])),
                ("shortcuts", Node::List(SHORTCUTS.iter().map(shortcut).collect())),
                (
                    "slash_commands",
                    Node::List(COMMANDS.iter().map(|command| slash_command(command, url("commands"))).collect()),
                ),
            ]),
        ),
        (
            "oauth_config",
            Node::Map(vec![(
                "scopes",
                Node::Map(vec![(
                    "bot",
                    Node::List(BOT_SCOPES.iter().map(|(scope, why)| Node::Remarked(scope, why)).collect()),
                )]),
            )]),
        ),
        (
            "settings",
            Node::Map(vec![
                ("event_subscriptions", Node::Map(events)),
                ("interactivity", Node::Map(interactivity)),
                ("org_deploy_enabled", Node::Flag(false)),
                ("socket_mode_enabled", Node::Flag(*transport == Transport::Socket)),
                ("token_rotation_enabled", Node::Flag(false)),
            ]),
        ),
    ])
}

fn shortcut(shortcut: &Shortcut) -> Node {
    let kind = match shortcut.kind {
        ShortcutKind::Message => "message",
        ShortcutKind::Global => "global",
    };
    Node::Map(vec![
        ("name", Node::text(shortcut.name)),
        ("type", Node::text(kind)),
        ("callback_id", Node::text(shortcut.callback_id)),
        ("description", Node::text(shortcut.description)),
    ])
}

fn slash_command(command: &SlashCommand, url: Option<Node>) -> Node {
    let mut entries = vec![("command", Node::text(command.command))];
    entries.extend(url.map(|url| ("url", url)));
    entries.extend([
        ("description", Node::text(command.description)),
        ("usage_hint", Node::text(command.usage_hint)),
        // Mentions come as ids, so that nobody is mistaken for a namesake.
        ("should_escape", Node::Flag(true)),
    ]);
    Node::Map(entries)
}

/// The manifest as YAML, for "Create an app from a manifest" on api.slack.com/apps.
pub fn yaml(transport: &Transport) -> String {
    let made_by = match transport {
        Transport::Socket => "firebell manifest".to_owned(),
        Transport::Http { url } => format!("firebell manifest --url {url}"),
    };
    let mut text = format!(
        "# The Slack app of Firebell, printed by `{made_by}`.\n\
         # On https://api.slack.com/apps: Create New App, From a manifest, choose the workspace, paste this.\n"
    );
    write_node(&mut text, &manifest(transport), 0);
    text
}

/// Writes a map or list in block style, each line indented by `depth` steps.
fn write_node(text: &mut String, node: &Node, depth: usize) {
    let indent = "  ".repeat(depth);
    match node {
        Node::Map(entries) => {
            for (key, value) in entries {
                text.push_str(&indent);
                write_entry(text, key, value, depth);
            }
        }
        Node::List(items) => {
            for item in items {
                text.push_str(&indent);
                text.push_str("- ");
                match item {
                    Node::Map(entries) => {
                        for (index, (key, value)) in entries.iter().enumerate() {
                            if index > 0 {
                                text.push_str(&indent);
                                text.push_str("  ");
                            }
                            write_entry(text, key, value, depth + 1);
                        }
                    }
                    scalar => {
                        text.push_str(&scalar_text(scalar));
                        text.push('\n');
                    }
                }
            }
        }
        scalar => {
            text.push_str(&scalar_text(scalar));
            text.push('\n');
        }
    }
}

fn write_entry(text: &mut String, key: &str, value: &Node, depth: usize) {
    match value {
        Node::Map(_) | Node::List(_) => {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{key}:");
            write_node(text, value, depth + 1);
        }
        scalar => {
            let _ = writeln!(text, "{key}: {}", scalar_text(scalar));
        }
    }
}

fn scalar_text(node: &Node) -> String {
    match node {
        Node::Text(text) if is_plain(text) => text.clone(),
        Node::Text(text) => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")),
        Node::Remarked(text, remark) => format!("{} # {remark}", scalar_text(&Node::text(text))),
        Node::Flag(flag) => flag.to_string(),
        Node::Number(number) => number.to_string(),
        Node::Map(_) | Node::List(_) => String::new(),
    }
}

/// Whether YAML reads a text without quotes as that text; narrower than YAML's own rule.
fn is_plain(text: &str) -> bool {
    let inside = |c: char| c.is_ascii_alphanumeric() || " _-./,:".contains(c);
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && text.chars().all(inside)
        && !text.contains(": ")
        && !text.ends_with([':', ' '])
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(&text.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests;
