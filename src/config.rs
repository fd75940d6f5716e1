//! `firebell.toml`, as people write it, read into settings and a roster.
//!
//! Everything that can be checked without Slack is checked here, and every mistake is told at once with its place and a
//! way out. Names such as `@ana` stay names until [`Config::resolve`] asks Slack's directory. Secrets never stand in the
//! file: see [`secrets`].

pub mod check;
mod mistakes;
mod read;
mod reader;
mod resolve;
pub mod secrets;
mod targets;
mod teams;
mod watch;
mod ways;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::domain::contact::Contacts;
use crate::domain::hold::AskAfter;
use crate::domain::incident::Severity;
use crate::domain::permission::Action;
use crate::domain::roster::Route;
use crate::domain::storm::StormRule;
use crate::ids::{IntegrationKey, TeamKey, UserId, WorkspaceId};

pub use crate::domain::postmortem::Format;
pub use mistakes::{Mistakes, Problem};
pub use targets::{ChannelName, Named, NamedMention, Placed};
pub(crate) use teams::compared;
pub use watch::{Heartbeat, Metrics};
pub use ways::{ContactPlan, Email, Network, Tls, Webhooks};

/// The file that is read when none is named.
pub const DEFAULT_PATH: &str = "firebell.toml";

/// A configuration without mistakes.
#[derive(Clone, Debug)]
pub struct Config {
    pub settings: Settings,
    /// The roster as it is written: people and channels by name.
    pub plan: Plan,
    path: PathBuf,
    source: String,
}

impl Config {
    /// Reads a file.
    pub fn load(path: &Path) -> Result<Self, Mistakes> {
        match std::fs::read_to_string(path) {
            Ok(source) => Self::parse(&source, path),
            Err(error) => {
                let problem = Problem::new(format!("{} cannot be read: {error}.", path.display()))
                    .hint("Name another file, or begin with a copy of firebell.example.toml.");
                Err(Mistakes::new(path, "", vec![problem]))
            }
        }
    }

    /// Reads a text as the content of the file at `path`, beside which other files are looked for.
    pub fn parse(source: &str, path: &Path) -> Result<Self, Mistakes> {
        read::read(source, path)
    }

    /// The lines that name a person, by id or by one of these names: their numbers and what they say.
    pub fn lines_naming(&self, user: &UserId, names: &[String]) -> Vec<(usize, String)> {
        let plan = &self.plan;
        let tiers = plan.teams.iter().flat_map(|team| &team.tiers).flat_map(|tier| &tier.targets);
        let all = tiers
            .chain(&plan.fallback)
            .chain(plan.people.iter().map(|person| &person.user))
            .chain(plan.permissions.listed.values().flatten());
        let same = |handle: &str| names.iter().any(|name| name.to_lowercase() == handle.to_lowercase());
        let is_named = |named: &&Placed<Named>| match &named.value {
            Named::User(other) => other == user,
            Named::Handle(handle) => same(handle),
            Named::Group(_) | Named::Channel { .. } => false,
        };
        let lines: std::collections::BTreeMap<usize, String> = all
            .filter(is_named)
            .map(|named| {
                let line = self.source[..named.span.start].matches('\n').count();
                (line + 1, self.source.lines().nth(line).unwrap_or_default().trim().to_owned())
            })
            .collect();
        lines.into_iter().collect()
    }

    /// The folder that relative paths in the file start from.
    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }
}

/// Everything that is no roster: how and where the program runs.
#[derive(Clone, Debug)]
pub struct Settings {
    pub slack: Slack,
    pub server: Server,
    pub database: Database,
    pub clock: ClockStyle,
    pub export: Export,
    pub integrations: Vec<Integration>,
    pub metrics: Metrics,
    /// `None`: nobody is told.
    pub heartbeat: Option<Heartbeat>,
    /// How long after one test page the next is sent, if there is a channel for them.
    pub test_page_every_s: u32,
    /// The mail server, if people are to be reached by e-mail.
    pub email: Option<Email>,
    pub webhooks: Webhooks,
}

/// How Slack is reached.
#[derive(Clone, Debug)]
pub struct Slack {
    pub mode: Mode,
    /// The workspace the token must belong to, if one is set.
    pub workspace: Option<WorkspaceId>,
    /// The bot's user that the token must belong to, if one is set; also takes the database over from another app.
    pub bot: Option<UserId>,
    pub bot_token_file: Option<PathBuf>,
    pub app_token_file: Option<PathBuf>,
    pub signing_secret_file: Option<PathBuf>,
}

/// Who opens the connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// We do, over a WebSocket: needs no public address.
    #[default]
    Socket,
    /// Slack does, over signed HTTP requests.
    Http,
}

#[derive(Clone, Debug)]
pub struct Server {
    pub bind: SocketAddr,
    /// Where people and Slack reach the server, without a trailing slash.
    pub public_url: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Database {
    /// What the file says, without a password; `DATABASE_URL` beats it.
    pub url: Option<String>,
    pub url_file: Option<PathBuf>,
}

/// How times of day are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClockStyle {
    /// As the incident's place does.
    #[default]
    Auto,
    Twelve,
    TwentyFour,
}

/// Documents that are written to a folder by themselves.
#[derive(Clone, Debug)]
pub struct Export {
    /// `None`: nothing is written.
    pub dir: Option<PathBuf>,
    pub formats: Vec<Format>,
    /// Whether private incidents are written too.
    pub private: bool,
    pub people: People,
}

/// How exported documents name people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum People {
    #[default]
    Roles,
    Initials,
    Names,
}

/// A monitoring system that may send alerts.
#[derive(Clone, Debug)]
pub struct Integration {
    pub key: IntegrationKey,
    pub kind: IntegrationKind,
    pub secret: KeySource,
}

/// What its alerts look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntegrationKind {
    Alertmanager,
    Generic,
}

/// Where the key of an integration is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// SHA-256 sums of the keys that are accepted, so that the file holds no secret.
    Sha256(Vec<[u8; 32]>),
    File(PathBuf),
    /// The name of an environment variable.
    Env(String),
}

/// The roster with people, groups and channels by name.
#[derive(Clone, Debug)]
pub struct Plan {
    pub teams: Vec<TeamPlan>,
    pub fallback: Vec<Placed<Named>>,
    /// How people are reached besides Slack.
    pub people: Vec<ContactPlan>,
    pub fallback_contacts: Contacts,
    pub permissions: PermissionsPlan,
    pub announce_in: Option<Placed<ChannelName>>,
    pub test_page_in: Option<Placed<ChannelName>>,
    pub zone: String,
    pub channel_prefix: String,
    pub severity_default: Severity,
    pub storm: StormRule,
    pub ask_after: AskAfter,
    pub routes: BTreeMap<IntegrationKey, Route>,
}

/// A team with its policy.
#[derive(Clone, Debug)]
pub struct TeamPlan {
    pub key: TeamKey,
    pub name: String,
    pub aliases: Vec<String>,
    pub tiers: Vec<TierPlan>,
    pub rounds: u32,
    pub ack_timeout_s: Option<u32>,
    pub hand_off_to: Option<TeamKey>,
}

#[derive(Clone, Debug)]
pub struct TierPlan {
    pub targets: Vec<Placed<Named>>,
    pub wait_s: u32,
}

/// `[permissions]`: what is not listed is allowed to every full member.
#[derive(Clone, Debug, Default)]
pub struct PermissionsPlan {
    /// Actions that only listed people and groups may do.
    pub listed: BTreeMap<Action, Vec<Placed<Named>>>,
    pub guests: bool,
    pub external: bool,
}

#[cfg(test)]
mod tests;
