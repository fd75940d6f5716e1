//! The workspace a sandbox begins with, as a description, and the one of the demo.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::state::{
    App, Caption, Channel, ChannelKind, Shortcut, ShortcutKind, SlashCommand, State, Team, User, UserGroup,
};

/// A workspace to begin with. Ids may be left empty and are then given out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Workspace {
    pub team: Team,
    pub app: App,
    pub users: Vec<User>,
    pub usergroups: Vec<UserGroup>,
    pub channels: Vec<Channel>,
}

/// Scopes of the demo's app: those of the manifest and a few that other clients try out.
const SCOPES: &[&str] = &[
    "app_mentions:read",
    "bookmarks:read",
    "bookmarks:write",
    "canvases:read",
    "canvases:write",
    "channels:history",
    "channels:join",
    "channels:manage",
    "channels:read",
    "chat:write",
    "chat:write.customize",
    "chat:write.public",
    "commands",
    "dnd:read",
    "emoji:read",
    "files:read",
    "files:write",
    "groups:history",
    "groups:read",
    "groups:write",
    "im:history",
    "im:read",
    "im:write",
    "mpim:history",
    "mpim:read",
    "mpim:write",
    "pins:read",
    "pins:write",
    "reactions:read",
    "reactions:write",
    "team:read",
    "usergroups:read",
    "users.profile:read",
    "users:read",
    "users:read.email",
];

impl Workspace {
    /// "Shopfront", where the story of the seed incident plays: Ana leads, Ben and Chris are Development, Dana and Eli
    /// are Database, Fay is customer support; a guest, a former colleague and a monitoring bot; the app is Firebell.
    #[must_use]
    pub fn demo() -> Self {
        Self {
            team: Team {
                id: "T0SHOPFRNT".to_owned(),
                name: "Shopfront".to_owned(),
                domain: "shopfront".to_owned(),
                paid: true,
                enterprise: None,
            },
            app: demo_app(),
            users: demo_users(),
            usergroups: vec![
                group("S0DEVTEAM1", "dev-team", "Development team", &["U0BEN00001", "U0CHRIS001"]),
                group("S0DBTEAM01", "db-team", "Database team", &["U0DANA0001", "U0ELI00001"]),
            ],
            channels: demo_channels(),
        }
    }

    /// The state at the first start; `now_s` (Unix seconds) is when everything was created.
    pub(crate) fn into_state(self, now_s: i64) -> State {
        let mut state = State {
            team: self.team,
            app: self.app,
            users: self.users,
            usergroups: self.usergroups,
            ..State::default()
        };
        let fill = |state: &mut State, id: &mut String, prefix: &str| {
            if id.is_empty() {
                *id = state.new_id(prefix);
            }
        };
        let mut users = std::mem::take(&mut state.users);
        for user in &mut users {
            fill(&mut state, &mut user.id, "U");
        }
        state.users = users;
        for mut channel in self.channels {
            fill(&mut state, &mut channel.id, "C");
            if channel.created == 0 {
                channel.created = now_s;
                channel.updated_ms = now_s * 1000;
            }
            state.channels.insert(channel.id.clone(), channel);
        }
        state
    }
}

fn demo_app() -> App {
    App {
        id: "A0FIREBELL".to_owned(),
        name: "Firebell".to_owned(),
        bot_user: "U0FIREBELL".to_owned(),
        bot_id: "B0FIREBELL".to_owned(),
        scopes: SCOPES.iter().map(|&scope| scope.to_owned()).collect(),
        events: Vec::new(),
        commands: vec![
            command("/incident", "Open and run an incident", "open [sev2] checkout is slow"),
            command("/escalate", "Call a team", "db-team [reason]"),
        ],
        shortcuts: vec![
            shortcut(ShortcutKind::Message, "Add to timeline", "add_to_timeline", "Keep this message in the timeline"),
            shortcut(
                ShortcutKind::Message,
                "Open incident from this",
                "open_from_message",
                "Open an incident that begins with this message",
            ),
            shortcut(ShortcutKind::Global, "Open incident", "open_incident", "Open an incident"),
        ],
        home_enabled: true,
        client_id: "1000000000.2000000000".to_owned(),
        client_secret: "sandbox-client-secret".to_owned(),
        verification_token: "sandbox-verification-token".to_owned(),
    }
}

fn demo_users() -> Vec<User> {
    let new_york = "America/New_York";
    let mut ana = person("U0ANA00001", "ana", "Ana Almeida", "Incident commander", new_york, "2c6e8f");
    ana.is_admin = true;
    let mut guest = person("U0GUEST001", "gil", "Gil Guest", "Network contractor", "Europe/Berlin", "8a6d3b");
    guest.is_restricted = true;
    let mut gone = person("U0HANNE001", "hanne", "Hanne Holm", "Database engineer", "Europe/Copenhagen", "777777");
    gone.deleted = true;
    let mut monitor = person("U0MONITOR1", "shopwatch", "Shopwatch", "Monitoring", new_york, "aa4400");
    monitor.is_bot = true;
    monitor.email = None;
    monitor.bot_id = Some("B0MONITOR1".to_owned());
    let mut bot = person("U0FIREBELL", "firebell", "Firebell", "", new_york, "c0392b");
    bot.is_bot = true;
    bot.is_app = true;
    bot.email = None;
    bot.bot_id = Some("B0FIREBELL".to_owned());
    vec![
        ana,
        person("U0BEN00001", "ben", "Ben Brandt", "Development", new_york, "5b8c3a"),
        person("U0CHRIS001", "chris", "Chris Chen", "Development", "America/Chicago", "9b59b6"),
        person("U0DANA0001", "dana", "Dana Diaz", "Database", new_york, "d35400"),
        person("U0ELI00001", "eli", "Eli Evans", "Database", "Europe/London", "16a085"),
        person("U0FAY00001", "fay", "Fay Foster", "Customer support", "America/Los_Angeles", "c2185b"),
        guest,
        gone,
        monitor,
        bot,
    ]
}

fn demo_channels() -> Vec<Channel> {
    let all = ["U0ANA00001", "U0BEN00001", "U0CHRIS001", "U0DANA0001", "U0ELI00001", "U0FAY00001", "U0FIREBELL"];
    let with = |extra: &[&str]| all.iter().chain(extra).map(|&user| user.to_owned()).collect::<Vec<String>>();
    vec![
        channel("C0GENERAL1", "general", "Company news", with(&["U0GUEST001"]), true),
        channel("C0INCIDENT", "incidents", "Every incident is announced here", with(&[]), false),
        channel("C0SHOPOPS1", "shop-ops", "Running the shop", with(&["U0GUEST001"]), false),
        channel("C0ALERTS01", "alerts", "What monitoring reports", with(&["U0MONITOR1"]), false),
    ]
}

fn person(id: &str, name: &str, real_name: &str, title: &str, tz: &str, color: &str) -> User {
    User {
        id: id.to_owned(),
        name: name.to_owned(),
        display_name: real_name.split(' ').next().unwrap_or(real_name).to_owned(),
        real_name: real_name.to_owned(),
        title: title.to_owned(),
        email: Some(format!("{name}@shopfront.example")),
        tz: tz.to_owned(),
        color: color.to_owned(),
        ..User::default()
    }
}

fn group(id: &str, handle: &str, name: &str, users: &[&str]) -> UserGroup {
    UserGroup {
        id: id.to_owned(),
        handle: handle.to_owned(),
        name: name.to_owned(),
        users: users.iter().map(|&user| user.to_owned()).collect(),
        disabled: false,
    }
}

fn channel(id: &str, name: &str, purpose: &str, members: Vec<String>, general: bool) -> Channel {
    Channel {
        id: id.to_owned(),
        name: name.to_owned(),
        kind: ChannelKind::Public,
        purpose: Caption { value: purpose.to_owned(), ..Caption::default() },
        creator: "U0ANA00001".to_owned(),
        general,
        members,
        last_read: BTreeMap::new(),
        ..Channel::default()
    }
}

fn command(command: &str, description: &str, usage_hint: &str) -> SlashCommand {
    SlashCommand {
        command: command.to_owned(),
        description: description.to_owned(),
        usage_hint: usage_hint.to_owned(),
        should_escape: true,
    }
}

fn shortcut(kind: ShortcutKind, name: &str, callback_id: &str, description: &str) -> Shortcut {
    Shortcut { kind, name: name.to_owned(), callback_id: callback_id.to_owned(), description: description.to_owned() }
}
