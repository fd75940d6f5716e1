//! The doctor's judgement: facts in, findings out. Pure; every sentence that the doctor says is here.

use std::collections::BTreeSet;

use chrono::TimeDelta;

use super::{
    Area, ChannelState, DatabaseState, Engine, Facts, Finding, GroupState, Identity, PersonState, Severity, TokenKind,
    Told, Transport,
};
use crate::ids::{ChannelId, UserGroupId, UserId};

/// The oldest SQLite whose write-ahead log is sound (3.51.3 repaired a rare corruption after a crash).
const SQLITE_OLDEST: [u32; 3] = [3, 51, 3];
/// How far our clock may be off before it matters, in seconds.
const CLOCK_OFF_WARNING_S: i64 = 5;
/// Slack's requests are refused when their time is further from ours, in seconds.
const CLOCK_OFF_PROBLEM_S: i64 = 300;

const INSTALL_PAGE: &str = "https://api.slack.com/apps → your app → Install App";

/// Judges the facts, in the order of [`Area`].
pub fn findings(facts: &Facts) -> Vec<Finding> {
    let mut paper = Paper::default();
    tokens(facts, &mut paper);
    identity(facts, &mut paper);
    transport(facts, &mut paper);
    commands(facts, &mut paper);
    channels(facts, &mut paper);
    people(facts, &mut paper);
    groups(facts, &mut paper);
    elsewhere(facts, &mut paper);
    database(facts, &mut paper);
    clock(facts, &mut paper);
    machine(facts, &mut paper);
    super::guarantee::guarantee(facts, &mut paper);
    paper.0
}

#[derive(Default)]
pub(super) struct Paper(Vec<Finding>);

impl Paper {
    pub(super) fn ok(&mut self, area: Area, sentence: impl Into<String>) {
        self.0.push(Finding { area, severity: Severity::Ok, sentence: sentence.into(), remedy: None });
    }
    pub(super) fn warning(&mut self, area: Area, sentence: impl Into<String>, remedy: impl Into<String>) {
        let remedy = Some(remedy.into());
        self.0.push(Finding { area, severity: Severity::Warning, sentence: sentence.into(), remedy });
    }
    pub(super) fn problem(&mut self, area: Area, sentence: impl Into<String>, remedy: impl Into<String>) {
        let remedy = Some(remedy.into());
        self.0.push(Finding { area, severity: Severity::Problem, sentence: sentence.into(), remedy });
    }
}

fn listed<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().collect::<Vec<_>>().join(", ")
}

fn places(uses: Option<&BTreeSet<String>>) -> String {
    listed(uses.into_iter().flatten().map(String::as_str))
}

fn tokens(facts: &Facts, paper: &mut Paper) {
    let area = Area::Slack;
    let where_from = format!("Copy the bot token (xoxb-…) from {INSTALL_PAGE} and set SLACK_BOT_TOKEN.");
    match facts.asked.bot_token {
        TokenKind::Bot => {}
        TokenKind::Missing => paper.problem(area, "There is no bot token: SLACK_BOT_TOKEN is not set.", where_from),
        TokenKind::App => paper.problem(
            area,
            "SLACK_BOT_TOKEN holds an app-level token (xapp-…): the two tokens are swapped.",
            "Put the xapp-… token into SLACK_APP_TOKEN and the xoxb-… token into SLACK_BOT_TOKEN.",
        ),
        TokenKind::User => paper.problem(
            area,
            "SLACK_BOT_TOKEN holds a person's token (xoxp-…): Firebell would write in that person's name.",
            where_from,
        ),
        TokenKind::Rotating => paper.problem(
            area,
            "SLACK_BOT_TOKEN belongs to token rotation and expires within 12 hours.",
            "Token rotation cannot be turned off for an app: make a new app from the manifest, without rotation.",
        ),
        TokenKind::Unknown => {
            paper.warning(area, "SLACK_BOT_TOKEN does not begin like a bot token (xoxb-…).", where_from);
        }
    }
    let app_token = "Make an app-level token with the scope `connections:write` under Basic Information → App-Level \
                     Tokens and set SLACK_APP_TOKEN.";
    match (facts.asked.transport, facts.asked.app_token) {
        (Transport::Http, _) | (Transport::Socket, TokenKind::App) => {}
        (Transport::Socket, TokenKind::Missing) => {
            paper.problem(area, "Socket Mode needs an app-level token: SLACK_APP_TOKEN is not set.", app_token);
        }
        (Transport::Socket, TokenKind::Bot | TokenKind::User | TokenKind::Rotating | TokenKind::Unknown) => {
            paper.problem(area, "SLACK_APP_TOKEN is not an app-level token (xapp-…).", app_token);
        }
    }
    let secret = "Copy the signing secret from Basic Information → App Credentials and set SLACK_SIGNING_SECRET.";
    match (facts.asked.transport, facts.asked.signing_secret) {
        (Transport::Socket, _) => {}
        (Transport::Http, Some(true)) => paper.ok(area, "There is a signing secret."),
        (Transport::Http, Some(false)) => {
            paper.warning(area, "SLACK_SIGNING_SECRET does not look like one: it has 32 hexadecimal digits.", secret);
        }
        (Transport::Http, None) => {
            paper.problem(area, "Without SLACK_SIGNING_SECRET no request of Slack's can be believed.", secret);
        }
    }
}

fn identity(facts: &Facts, paper: &mut Paper) {
    match &facts.identity {
        Told::NotAsked => {}
        Told::Yes(identity) => {
            let Identity { bot_name, workspace_name, workspace, .. } = identity;
            paper.ok(Area::Slack, format!("The bot token works: @{bot_name} in {workspace_name} ({workspace})."));
            scopes(facts, identity, paper);
        }
        Told::No(error) => {
            let remedy = match error.as_str() {
                "invalid_auth" | "not_authed" => format!("Copy the bot token again from {INSTALL_PAGE}."),
                "token_revoked" | "account_inactive" => {
                    format!("The app was uninstalled or its token revoked. Install it again: {INSTALL_PAGE}.")
                }
                "token_expired" => {
                    "Token rotation is on: make a new app from the manifest, without rotation.".to_owned()
                }
                _ => "Check that this machine can reach https://slack.com (proxy, firewall, DNS).".to_owned(),
            };
            paper.problem(Area::Slack, format!("Slack does not take the bot token: {error}."), remedy);
        }
    }
}

fn scopes(facts: &Facts, identity: &Identity, paper: &mut Paper) {
    if identity.scopes.is_empty() {
        return paper.warning(
            Area::Slack,
            "Slack did not say what the bot may do, so its scopes could not be compared with the manifest.",
            "Compare them by hand: OAuth & Permissions → Scopes, and `firebell manifest`.",
        );
    }
    let missing: Vec<&str> = facts
        .asked
        .required_scopes
        .iter()
        .filter(|scope| !identity.scopes.contains(*scope))
        .map(String::as_str)
        .collect();
    if missing.is_empty() {
        let all = facts.asked.required_scopes.len();
        return paper.ok(Area::Slack, format!("The bot has all {all} scopes of the manifest."));
    }
    let s = if missing.len() == 1 { "" } else { "s" };
    paper.problem(
        Area::Slack,
        format!("The bot lacks the scope{s} {}.", listed(missing)),
        format!(
            "Put the manifest of this version into the app (`firebell manifest`; App Manifest), save, then \
             reinstall: {INSTALL_PAGE}."
        ),
    );
}

fn transport(facts: &Facts, paper: &mut Paper) {
    match &facts.socket {
        Told::Yes(()) => paper.ok(Area::Slack, "Socket Mode is on and the app-level token works."),
        Told::No(error) => {
            let remedy = match error.as_str() {
                "missing_scope" => "Give the app-level token the scope `connections:write`: make a new token.",
                "invalid_auth" | "not_authed" | "token_revoked" => {
                    "Make a new app-level token under Basic Information → App-Level Tokens."
                }
                "not_allowed_token_type" => "SLACK_APP_TOKEN must be the token that begins with xapp-.",
                _ => "Turn on Socket Mode in the app's settings, and check that this machine can reach Slack.",
            };
            paper.problem(Area::Slack, format!("Slack gives no Socket Mode connection: {error}."), remedy);
        }
        Told::NotAsked => {}
    }
    let (needed_for, severity) = match (facts.asked.transport, facts.asked.alert_integrations) {
        (Transport::Http, _) => ("Slack's requests", Severity::Problem),
        (Transport::Socket, 0) => ("links in messages and documents", Severity::Warning),
        (Transport::Socket, _) => ("alerts of your monitoring and links in messages", Severity::Warning),
    };
    let sentence = match facts.asked.public_url.as_deref() {
        Some(url) if url.starts_with("https://") => {
            return paper.ok(Area::Slack, format!("The public address is {url}."));
        }
        Some(url) => format!("The public address {url} is not https, which {needed_for} need."),
        None => format!("There is no public address (`public_url`) for {needed_for}."),
    };
    let remedy = "Put Firebell behind a proxy with TLS and set `public_url = \"https://…\"` in firebell.toml.";
    paper.0.push(Finding { area: Area::Slack, severity, sentence, remedy: Some(remedy.to_owned()) });
}

fn commands(facts: &Facts, paper: &mut Paper) {
    let names = listed(facts.asked.commands.iter().map(String::as_str));
    let last = match &facts.database {
        Told::Yes(database) => database.last_command_at,
        Told::No(_) | Told::NotAsked => None,
    };
    match last {
        Some(at) => {
            let when = at.format("%Y-%m-%d %H:%M UTC");
            paper.ok(Area::Commands, format!("Slack last delivered a command on {when}. The app has {names}."));
        }
        None => paper.warning(
            Area::Commands,
            format!("No command has arrived yet, and Slack does not tell an app whether {names} are registered."),
            "Type `/incident help` in Slack while Firebell runs. If Slack does not know the command, put the manifest \
             into the app (`firebell manifest`) and reinstall. If another app answers, it has the same command and \
             was installed later: remove it there or reinstall Firebell.",
        ),
    }
}

fn channels(facts: &Facts, paper: &mut Paper) {
    let mut good = Vec::new();
    for (id, told) in &facts.channels {
        let places = places(facts.asked.uses.channels.get(id));
        match told {
            Told::NotAsked => {}
            Told::Yes(channel) if !channel.archived && channel.member => good.push(format!("#{}", channel.name)),
            Told::Yes(channel) => channel_state(facts, channel, &places, paper),
            Told::No(error) => channel_error(id, error, &places, paper),
        }
    }
    if !good.is_empty() {
        paper.ok(Area::Channels, format!("The bot is in {}.", good.join(", ")));
    }
}

fn channel_state(facts: &Facts, channel: &ChannelState, places: &str, paper: &mut Paper) {
    let name = &channel.name;
    if channel.archived {
        let remedy = "Unarchive it in Slack, or name another channel in firebell.toml.";
        return paper.problem(Area::Channels, format!("#{name} is archived, but named for {places}."), remedy);
    }
    let sentence = format!("The bot is not in #{name}, which is named for {places}.");
    let bot = match &facts.identity {
        Told::Yes(identity) => identity.bot_name.as_str(),
        Told::No(_) | Told::NotAsked => "firebell",
    };
    let remedy = format!("Type `/invite @{bot}` in #{name}.");
    if channel.private {
        paper.problem(Area::Channels, sentence, remedy);
    } else {
        // `chat:write.public` lets it post, but not pin or read there.
        paper.warning(Area::Channels, sentence, remedy);
    }
}

fn channel_error(id: &ChannelId, error: &str, places: &str, paper: &mut Paper) {
    let (sentence, remedy) = match error {
        "channel_not_found" => (
            format!("There is no channel {id} that the bot can see; it is named for {places}."),
            "If it is private, invite the bot to it. If it is gone, name another channel in firebell.toml.",
        ),
        other => (
            format!("Slack does not describe the channel {id}, named for {places}: {other}."),
            "Run the doctor again in a minute; if it stays so, look the error up in Slack's documentation.",
        ),
    };
    paper.problem(Area::Channels, sentence, remedy);
}

/// Why Slack will not bring a page to this person.
fn unreachable(person: &PersonState) -> Option<&'static str> {
    if person.deactivated {
        Some("is deactivated")
    } else if person.is_bot {
        Some("is a bot")
    } else {
        None
    }
}

fn people(facts: &Facts, paper: &mut Paper) {
    for (sentence, remedy) in &facts.asked.unresolved {
        let remedy = remedy.as_deref().unwrap_or("Correct the name in firebell.toml; `firebell check` shows the line.");
        paper.problem(Area::People, sentence.as_str(), remedy);
    }
    let mut good = 0_usize;
    for (id, uses) in &facts.asked.uses.users {
        let places = listed(uses.iter().map(String::as_str));
        match facts.users.get(id) {
            None | Some(Told::NotAsked) => {}
            Some(Told::Yes(person)) => match unreachable(person) {
                Some(why) => paper.problem(
                    Area::People,
                    format!("@{} ({id}) {why}, but named for {places}.", person.name),
                    "Name somebody else there in firebell.toml.",
                ),
                None if person.external || person.restricted => paper.warning(
                    Area::People,
                    format!("@{} ({id}), named for {places}, is a guest or from another workspace.", person.name),
                    "Guests may act only if `[permissions]` says so, and may not see incident channels.",
                ),
                None => good += 1,
            },
            Some(Told::No(error)) => person_error(id, error, &places, paper),
        }
    }
    match good {
        0 => {}
        1 => paper.ok(Area::People, "The one person named is a member of the workspace."),
        good => paper.ok(Area::People, format!("{good} people named are members of the workspace.")),
    }
}

fn person_error(id: &UserId, error: &str, places: &str, paper: &mut Paper) {
    let (sentence, remedy) = match error {
        "user_not_found" | "user_not_visible" | "users_not_found" => (
            format!("There is no user {id} in this workspace; it is named for {places}."),
            "Copy the member ID from the person's profile in Slack (⋮ → Copy member ID).",
        ),
        other => (
            format!("Slack does not describe the user {id}, named for {places}: {other}."),
            "Run the doctor again in a minute; if it stays so, look the error up in Slack's documentation.",
        ),
    };
    paper.problem(Area::People, sentence, remedy);
}

fn groups(facts: &Facts, paper: &mut Paper) {
    let groups = match &facts.groups {
        Told::NotAsked => return,
        Told::Yes(groups) => groups,
        Told::No(error) => {
            let remedy = match error.as_str() {
                "plan_upgrade_required" => "User groups need a paid Slack plan: name users instead.",
                "missing_scope" => "The scope `usergroups:read` is missing; see above.",
                _ => "Run the doctor again in a minute.",
            };
            return paper.problem(Area::People, format!("Slack does not list its user groups: {error}."), remedy);
        }
    };
    for (id, uses) in &facts.asked.uses.groups {
        let places = listed(uses.iter().map(String::as_str));
        match groups.get(id) {
            None => paper.problem(
                Area::People,
                format!("There is no user group {id}; it is named for {places}."),
                "Name a group that exists; its handle is under People → User groups in Slack.",
            ),
            Some(group) => group_state(facts, id, group, &places, paper),
        }
    }
}

fn group_state(facts: &Facts, id: &UserGroupId, group: &GroupState, places: &str, paper: &mut Paper) {
    let handle = &group.handle;
    if group.disabled {
        let sentence = format!("The user group @{handle} ({id}) is disabled, but named for {places}.");
        return paper.problem(Area::People, sentence, "Enable it again in Slack, or name another one.");
    }
    let dead: Vec<&str> = group
        .users
        .iter()
        .filter(|user| match facts.users.get(*user) {
            Some(Told::Yes(person)) => unreachable(person).is_some(),
            Some(Told::No(_) | Told::NotAsked) | None => false,
        })
        .map(UserId::as_str)
        .collect();
    let reachable = group.users.len() - dead.len();
    if reachable == 0 {
        let who = if group.users.is_empty() { "has no members" } else { "has only members who cannot be reached" };
        let sentence = format!("The user group @{handle} {who}; its tier would be skipped ({places}).");
        return paper.problem(Area::People, sentence, "Add the people on call to the group in Slack.");
    }
    if !dead.is_empty() {
        let sentence = format!("Of the user group @{handle} ({places}) these cannot be reached: {}.", listed(dead));
        return paper.warning(Area::People, sentence, "Take them out of the group in Slack.");
    }
    let s = if reachable == 1 { "" } else { "s" };
    paper.ok(Area::People, format!("The user group @{handle} has {reachable} member{s}."));
}

fn database(facts: &Facts, paper: &mut Paper) {
    let area = Area::Database;
    let state = match &facts.database {
        Told::NotAsked => return,
        Told::Yes(state) => state,
        Told::No(error) => {
            let remedy = "Check DATABASE_URL, that the server runs, and that this user may read and write it.";
            let error = error.trim_end_matches('.');
            return paper.problem(area, format!("The database does not answer: {error}."), remedy);
        }
    };
    engine(state, paper);
    let is_there = match &state.engine {
        Engine::Sqlite { exists, .. } => *exists,
        Engine::Postgres { .. } => true,
    };
    match &state.writable {
        Err(why) if !is_there => paper.problem(
            area,
            format!("It cannot be made: {why}."),
            "Check the free space, and that the user who runs Firebell may write to its directory.",
        ),
        Ok(()) if !is_there => {}
        Ok(()) => paper.ok(area, "It can be written."),
        Err(why) => paper.problem(
            area,
            format!("It cannot be written: {why}."),
            match &state.engine {
                Engine::Sqlite { .. } => {
                    "Check the free space, and that the user who runs Firebell owns the file and its directory."
                }
                Engine::Postgres { .. } => {
                    "Check the server's free space, that the user of DATABASE_URL owns the database, and that it is no \
                     read-only standby."
                }
            },
        ),
    }
    match state.migrations_pending {
        // A new file begins with the newest tables.
        _ if !is_there => {}
        0 => paper.ok(area, "Its tables are those of this version."),
        1 => paper.warning(area, "One migration is still to be applied.", "`firebell serve` applies it at start."),
        pending => paper.warning(
            area,
            format!("{pending} migrations are still to be applied."),
            "`firebell serve` applies them at start.",
        ),
    }
}

fn engine(state: &DatabaseState, paper: &mut Paper) {
    match &state.engine {
        Engine::Postgres { version } => paper.ok(Area::Database, format!("PostgreSQL {version} answers.")),
        Engine::Sqlite { path, version, exists } => {
            let numbers: Vec<u32> = version.split('.').map_while(|part| part.parse().ok()).collect();
            if numbers.as_slice() >= SQLITE_OLDEST.as_slice() {
                let path = path.display();
                let sentence = if *exists {
                    format!("SQLite {version} at {path}.")
                } else {
                    format!("There is no file {path} yet; `firebell serve` makes it (SQLite {version}).")
                };
                paper.ok(Area::Database, sentence);
            } else {
                let [major, minor, patch] = SQLITE_OLDEST;
                paper.problem(
                    Area::Database,
                    format!("SQLite {version} is older than {major}.{minor}.{patch}."),
                    "Firebell brings its own SQLite; build it without linking the system's.",
                );
            }
        }
    }
}

fn clock(facts: &Facts, paper: &mut Paper) {
    let slack = match &facts.identity {
        Told::Yes(identity) => identity.slack_at.map(|at| ("Slack's", at - identity.received_at)),
        Told::No(_) | Told::NotAsked => None,
    };
    let database = match &facts.database {
        Told::Yes(state) => state.clock_ahead.map(|ahead| ("the database's", ahead)),
        Told::No(_) | Told::NotAsked => None,
    };
    for (whose, ahead) in [slack, database].into_iter().flatten() {
        let off_s = ahead.num_seconds().abs();
        let direction = if ahead > TimeDelta::zero() { "behind" } else { "ahead of" };
        let sentence = format!("This machine's clock is {off_s} s {direction} {whose}.");
        let remedy = "Let the machine's clock follow a time server (chrony or systemd-timesyncd).";
        if off_s >= CLOCK_OFF_PROBLEM_S {
            paper.problem(Area::Machine, sentence, remedy);
        } else if off_s >= CLOCK_OFF_WARNING_S {
            paper.warning(Area::Machine, sentence, remedy);
        } else {
            paper.ok(Area::Machine, format!("This machine's clock agrees with {whose}."));
        }
    }
}

fn elsewhere(facts: &Facts, paper: &mut Paper) {
    let area = Area::Elsewhere;
    for name in &facts.asked.ways_missing {
        let what = match *name {
            "SMTP_PASSWORD" => "the password of the user in [email]",
            _ => "a secret of your own, which your receivers know too",
        };
        let remedy = format!("Set {name}: {what}. Or name a file with it in firebell.toml.");
        paper.problem(area, format!("{name} is not set."), remedy);
    }
    match &facts.mail {
        Told::NotAsked => {}
        Told::Yes(()) => paper.ok(area, "The mail server lets Firebell in."),
        Told::No(why) => {
            let remedy = "Check host, port, tls and user in [email], and that this machine may connect to it.";
            paper.problem(area, format!("{}.", why.trim_end_matches('.')), remedy);
        }
    }
}

fn machine(facts: &Facts, paper: &mut Paper) {
    for (sentence, remedy) in &facts.asked.unreadable {
        let remedy = remedy.as_deref().unwrap_or("Give the file to the user who runs Firebell.");
        paper.problem(Area::Machine, sentence.as_str(), remedy);
    }
    let Some(directory) = &facts.asked.export_directory else { return };
    let directory = directory.display();
    match &facts.export_directory {
        Told::NotAsked => {}
        Told::Yes(()) => paper.ok(Area::Machine, format!("Documents can be written to {directory}.")),
        Told::No(error) => paper.problem(
            Area::Machine,
            format!("Documents cannot be written to {directory}: {error}."),
            "Make the directory, owned by the user who runs Firebell, or name another one in firebell.toml.",
        ),
    }
}
