//! `firebell doctor`: finds what would keep a page from going out, before it has to.
//!
//! In three steps that know nothing of each other: [`examine`] asks the world and keeps what it says as [`Facts`];
//! [`findings`] judges the facts and is pure; [`print()`] puts the findings on paper. The doctor changes nothing: it
//! posts no message and joins no channel.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::BoxFuture;

use crate::domain::permission::{Action, Allow};
use crate::domain::policy::{Mention, Target};
use crate::domain::roster::Roster;
use crate::ids::{ChannelId, UserGroupId, UserId};

mod figures;
mod findings;
mod guarantee;
mod print;

pub use figures::Figures;
pub use findings::findings;
pub use print::print;

/// Most members of user groups who are asked after; one call of Slack each.
const MEMBERS_ASKED_MAX: usize = 200;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Ok,
    /// Firebell works, but less well than it could.
    Warning,
    /// Pages or commands will fail.
    Problem,
}

/// What a finding is about; findings are printed in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Area {
    Slack,
    Commands,
    Channels,
    People,
    /// Ways to people besides Slack.
    Elsewhere,
    Database,
    Machine,
    Guarantee,
}

impl Area {
    pub fn name(self) -> &'static str {
        match self {
            Self::Slack => "Slack",
            Self::Commands => "Commands",
            Self::Channels => "Channels",
            Self::People => "People and groups",
            Self::Elsewhere => "Besides Slack",
            Self::Database => "Database",
            Self::Machine => "This machine",
            Self::Guarantee => "What is promised",
        }
    }
}

/// One thing that is well or not, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub area: Area,
    pub severity: Severity,
    pub sentence: String,
    pub remedy: Option<String>,
}

/// The worst severity; [`Severity::Ok`] without findings.
pub fn worst(findings: &[Finding]) -> Severity {
    findings.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Ok)
}

/// The kind of a Slack token, by how it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    Missing,
    /// `xoxb-`: a bot token.
    Bot,
    /// `xapp-`: an app-level token.
    App,
    /// `xoxp-`: a person's token.
    User,
    /// `xoxe.` or `xoxe-`: belongs to token rotation and expires within 12 hours.
    Rotating,
    Unknown,
}

impl TokenKind {
    /// The kind of a token; the token itself is not kept.
    pub fn of(token: Option<&str>) -> Self {
        let Some(token) = token.map(str::trim).filter(|token| !token.is_empty()) else { return Self::Missing };
        let kinds = [
            ("xoxb-", Self::Bot),
            ("xapp-", Self::App),
            ("xoxp-", Self::User),
            ("xoxe.", Self::Rotating),
            ("xoxe-", Self::Rotating),
        ];
        kinds.into_iter().find(|(start, _)| token.starts_with(start)).map_or(Self::Unknown, |(_, kind)| kind)
    }
}

/// How Slack reaches us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Socket Mode: we connect to Slack, no public address needed.
    Socket,
    /// Slack sends signed requests to our public address.
    Http,
}

/// What is configured and must hold in the world.
#[derive(Clone, Debug)]
pub struct Asked {
    pub transport: Transport,
    pub bot_token: TokenKind,
    pub app_token: TokenKind,
    /// Whether there is a signing secret, and whether it looks like one (32 hexadecimal digits).
    pub signing_secret: Option<bool>,
    /// The scopes of `app-manifest.yml` (`manifest::BOT_SCOPES`).
    pub required_scopes: Vec<String>,
    /// The slash commands of the manifest, such as `/incident`.
    pub commands: Vec<String>,
    pub uses: Uses,
    /// Names in the configuration that stand for nobody and nothing in Slack: a sentence each, and the way out.
    pub unresolved: Vec<(String, Option<String>)>,
    /// Secrets that could not be read: a sentence each, and the way out.
    pub unreadable: Vec<(String, Option<String>)>,
    pub export_directory: Option<PathBuf>,
    pub public_url: Option<String>,
    /// How many alert integrations send to us over HTTP.
    pub alert_integrations: usize,
    /// Secrets that the ways besides Slack need and that were not given.
    pub ways_missing: Vec<&'static str>,
}

/// What the configuration names in Slack, each with the places that name it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uses {
    pub users: BTreeMap<UserId, BTreeSet<String>>,
    pub groups: BTreeMap<UserGroupId, BTreeSet<String>>,
    pub channels: BTreeMap<ChannelId, BTreeSet<String>>,
}

impl Uses {
    /// Everything that a roster names.
    pub fn of(roster: &Roster) -> Self {
        let mut uses = Self::default();
        for (key, team) in &roster.teams {
            for (tier, number) in team.policy.tiers.iter().zip(1..) {
                tier.targets.iter().for_each(|target| uses.target(target, &format!("tier {number} of {key}")));
            }
        }
        roster.fallback.iter().for_each(|target| uses.target(target, "the fallback"));
        if let Some(channel) = &roster.announce_in {
            uses.channels.entry(channel.clone()).or_default().insert("announcements".to_owned());
        }
        if let Some(channel) = &roster.test_page_in {
            uses.channels.entry(channel.clone()).or_default().insert("test pages".to_owned());
        }
        for action in Action::ALL {
            uses.permission(action, &roster.permissions);
        }
        uses
    }

    fn target(&mut self, target: &Target, place: &str) {
        match target {
            Target::User { user } => {
                self.users.entry(user.clone()).or_default().insert(place.to_owned());
            }
            Target::UserGroup { group, .. } => {
                self.groups.entry(group.clone()).or_default().insert(place.to_owned());
            }
            Target::Channel { channel, mention } => {
                self.channels.entry(channel.clone()).or_default().insert(place.to_owned());
                match mention {
                    Mention::Group(group) => {
                        self.groups.entry(group.clone()).or_default().insert(place.to_owned());
                    }
                    Mention::Nobody | Mention::Here | Mention::Channel => {}
                }
            }
        }
    }

    fn permission(&mut self, action: Action, permissions: &crate::domain::permission::Permissions) {
        let (allow, place) = match action {
            Action::Open => (&permissions.open, "permission to open"),
            Action::Escalate => (&permissions.escalate, "permission to escalate"),
            Action::Acknowledge => (&permissions.acknowledge, "permission to acknowledge"),
            Action::Contribute => (&permissions.contribute, "permission to contribute"),
            Action::Resolve => (&permissions.resolve, "permission to resolve"),
            Action::SeePrivate => (&permissions.see_private, "permission to see private incidents"),
        };
        match allow {
            Allow::Members => {}
            Allow::Listed { users, groups } => {
                for user in users {
                    self.users.entry(user.clone()).or_default().insert(place.to_owned());
                }
                for group in groups {
                    self.groups.entry(group.clone()).or_default().insert(place.to_owned());
                }
            }
        }
    }
}

/// What the world said, or why it did not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told<T> {
    Yes(T),
    /// Slack's error code, or a sentence from the machine.
    No(String),
    /// It was not asked, because something else must be right first or it is not configured.
    NotAsked,
}

/// A call's failure: Slack's error code, or a sentence from the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed(pub String);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<T> From<Result<T, Failed>> for Told<T> {
    fn from(answer: Result<T, Failed>) -> Self {
        match answer {
            Ok(told) => Self::Yes(told),
            Err(Failed(why)) => Self::No(why),
        }
    }
}

/// The answer to `auth.test` with the headers that came with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub workspace: String,
    pub workspace_name: String,
    pub bot_name: String,
    /// The header `x-oauth-scopes`; empty if Slack did not say.
    pub scopes: BTreeSet<String>,
    /// The header `date`: Slack's clock, to the second.
    pub slack_at: Option<DateTime<Utc>>,
    /// When the answer arrived, by our clock.
    pub received_at: DateTime<Utc>,
}

/// A channel as `conversations.info` describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelState {
    pub name: String,
    pub member: bool,
    pub private: bool,
    pub archived: bool,
}

/// A person as `users.info` describes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonState {
    pub name: String,
    pub deactivated: bool,
    pub is_bot: bool,
    pub restricted: bool,
    pub external: bool,
}

/// A group as `usergroups.list` describes it, disabled ones and users included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupState {
    pub handle: String,
    pub disabled: bool,
    pub users: Vec<UserId>,
}

/// The database as it answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseState {
    pub engine: Engine,
    /// Whether a row could be written and rolled back: the reason why not.
    pub writable: Result<(), Failed>,
    /// Migrations that are still to be applied; `serve` applies them.
    pub migrations_pending: usize,
    /// The database's clock minus ours, where it has one.
    pub clock_ahead: Option<TimeDelta>,
    /// When Slack last sent us a command, as far as the database knows.
    pub last_command_at: Option<DateTime<Utc>>,
    /// Free space beside a file, bytes.
    pub disk_free: Option<u64>,
    /// The hash chains of the newest incidents, if they could be read.
    pub chains: Option<Chains>,
}

/// How many hash chains were followed, and how many do not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chains {
    pub checked: usize,
    pub broken: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Engine {
    /// `version` such as `3.51.3`; whether the file exists already, else `serve` makes it.
    Sqlite { path: PathBuf, version: String, exists: bool },
    /// `version` such as `17.6`.
    Postgres { version: String },
}

/// Everything that is known when the judging begins.
#[derive(Clone, Debug)]
pub struct Facts {
    pub now: DateTime<Utc>,
    pub asked: Asked,
    pub identity: Told<Identity>,
    /// Whether `apps.connections.open` gave an address.
    pub socket: Told<()>,
    pub channels: BTreeMap<ChannelId, Told<ChannelState>>,
    pub users: BTreeMap<UserId, Told<PersonState>>,
    pub groups: Told<BTreeMap<UserGroupId, GroupState>>,
    pub database: Told<DatabaseState>,
    /// Whether the mail server lets us in.
    pub mail: Told<()>,
    /// Whether a file could be written to the export directory and removed again.
    pub export_directory: Told<()>,
    /// What the running program says of itself.
    pub running: Told<Figures>,
}

/// A question that can be asked again.
pub type Ask<T> = Box<dyn Fn() -> BoxFuture<'static, Result<T, Failed>> + Send + Sync>;
type AskFor<Id, T> = Box<dyn Fn(Id) -> BoxFuture<'static, Result<T, Failed>> + Send + Sync>;

/// The calls that the doctor makes. Each must come back within some seconds, and none may change anything.
pub struct Calls {
    /// `auth.test` with the bot token.
    pub auth_test: Ask<Identity>,
    /// `apps.connections.open` with the app-level token; the address is thrown away unused.
    pub connections_open: Ask<()>,
    /// `conversations.info`.
    pub channel: AskFor<ChannelId, ChannelState>,
    /// `users.info`.
    pub user: AskFor<UserId, PersonState>,
    /// `usergroups.list` with `include_disabled` and `include_users`.
    pub groups: Ask<BTreeMap<UserGroupId, GroupState>>,
    /// Connects to the database, without applying migrations.
    pub database: Ask<DatabaseState>,
    /// Reads the metrics of the running program; `None` if it is configured to show none.
    pub metrics: Option<Ask<Figures>>,
    /// Connects to the mail server and signs in; none is configured without it.
    pub mail: Option<Ask<()>>,
}

/// Asks the world everything that [`findings`] needs. Never fails: what could not be learned is in the facts.
pub async fn examine(asked: Asked, calls: &Calls, now: DateTime<Utc>) -> Facts {
    let identity: Told<Identity> = match asked.bot_token {
        TokenKind::Missing | TokenKind::App => Told::NotAsked,
        TokenKind::Bot | TokenKind::User | TokenKind::Rotating | TokenKind::Unknown => (calls.auth_test)().await.into(),
    };
    let socket = match (asked.transport, asked.app_token) {
        (Transport::Socket, TokenKind::App) => (calls.connections_open)().await.into(),
        (Transport::Socket | Transport::Http, _) => Told::NotAsked,
    };
    let answers = matches!(identity, Told::Yes(_));
    let mut channels = BTreeMap::new();
    for channel in asked.uses.channels.keys() {
        let told = if answers { (calls.channel)(channel.clone()).await.into() } else { Told::NotAsked };
        channels.insert(channel.clone(), told);
    }
    let mut users = BTreeMap::new();
    for user in asked.uses.users.keys() {
        let told = if answers { (calls.user)(user.clone()).await.into() } else { Told::NotAsked };
        users.insert(user.clone(), told);
    }
    let groups = if answers && !asked.uses.groups.is_empty() { (calls.groups)().await.into() } else { Told::NotAsked };
    // Who is in a group matters as much as who is named.
    if let Told::Yes(groups) = &groups {
        let members = asked.uses.groups.keys().filter_map(|group| groups.get(group)).flat_map(|group| &group.users);
        let unknown: BTreeSet<UserId> = members.filter(|user| !users.contains_key(*user)).cloned().collect();
        for user in unknown.into_iter().take(MEMBERS_ASKED_MAX) {
            users.insert(user.clone(), (calls.user)(user).await.into());
        }
    }
    let database = (calls.database)().await.into();
    let mail = match &calls.mail {
        Some(mail) => mail().await.into(),
        None => Told::NotAsked,
    };
    let export_directory = match asked.export_directory.clone() {
        Some(directory) => try_writing(directory).await.into(),
        None => Told::NotAsked,
    };
    let running = match &calls.metrics {
        Some(metrics) => metrics().await.into(),
        None => Told::NotAsked,
    };
    Facts { now, asked, identity, socket, channels, users, groups, database, mail, export_directory, running }
}

/// Writes a file to a directory and removes it again.
async fn try_writing(directory: PathBuf) -> Result<(), Failed> {
    let failed = |error: std::io::Error| Failed(error.to_string());
    let file = directory.join(format!(".firebell-doctor-{}", crate::ids::random_id()));
    tokio::fs::write(&file, b"").await.map_err(failed)?;
    tokio::fs::remove_file(&file).await.map_err(failed)
}

#[cfg(test)]
#[path = "doctor/tests.rs"]
mod tests;
