//! `firebell doctor`: prints what would keep pages from going out, and what to do about it.
//!
//! Works with whatever is there: without Slack, without the database, with half of the secrets. It changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use secrecy::{ExposeSecret as _, SecretString};

use crate::cli::{self, Outcome};
use crate::clock::Clock;
use crate::config::secrets::{Secrets, environment};
use crate::config::{Config, DEFAULT_PATH, Mode, Problem};
use crate::doctor::{
    self, Ask, Asked, Calls, Chains, ChannelState, DatabaseState, Engine, Failed, Figures, GroupState, Identity,
    PersonState, Severity, TokenKind, Transport, Uses,
};
use crate::domain::roster::{Directory, UserGroup};
use crate::elsewhere::Elsewhere;
use crate::ids::{ChannelId, WorkspaceId};
use crate::slack::{API_URL, Slack, SlackConfig};
use crate::store::look::SeenPlace;
use crate::store::{Db, audit, history, incidents, look, people, settings};
use crate::{manifest, program};

/// Digits of a signing secret of Slack's.
const SIGNING_SECRET_DIGITS: usize = 32;
/// Hash chains that are followed, the newest; `firebell verify` follows all.
const CHAINS_CHECKED_MAX: usize = 100;
/// How long the running program may take to tell its metrics.
const METRICS_PATIENCE: Duration = Duration::from_secs(3);

/// Say what would keep a page from going out, and what to do about it.
///
/// Asks Slack, the database and the mail server, and changes nothing. Ends with status 1 if there is a problem.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// The configuration
    #[arg(long, default_value = DEFAULT_PATH, value_name = "FILE")]
    config: PathBuf,
}

/// Examines and prints to standard output.
pub async fn run(args: DoctorArgs) -> anyhow::Result<Outcome> {
    let config = match Config::load(&args.config) {
        Ok(config) => config,
        Err(mistakes) => return Ok(cli::explain(&mistakes)),
    };
    let clock = Clock::System;
    let (secrets, unreadable) = config.given(&environment);
    let slack = client(&config, &secrets);
    let (directory, channels) = who_is_who(&slack, &secrets, &clock).await;
    let asked = asked(&config, &secrets, &unreadable, &directory, &channels);
    let facts = doctor::examine(asked, &calls(&config, slack, &secrets, &clock), clock.now()).await;
    let findings = doctor::findings(&facts);
    let mut text = String::new();
    doctor::print(&findings, &mut text)?;
    cli::say(&text)?;
    match doctor::worst(&findings) {
        Severity::Problem => Ok(Outcome::NotInOrder),
        Severity::Warning | Severity::Ok => Ok(Outcome::Done),
    }
}

/// Slack as far as there is a token; else why it cannot be asked.
fn client(config: &Config, secrets: &Secrets) -> Result<Slack, Failed> {
    let token = secrets.bot_token.clone().ok_or_else(|| Failed("there is no token to ask with".to_owned()))?;
    let slack = SlackConfig {
        api_url: secrets.api_url.clone().unwrap_or_else(|| API_URL.to_owned()),
        app_token: secrets.app_token.clone(),
        workspace: config.settings.slack.workspace.clone(),
        ..SlackConfig::new(token)
    };
    Slack::new(slack).map_err(|error| Failed(error.to_string()))
}

/// People, groups and channels: from Slack, or as they were remembered when it was last seen.
async fn who_is_who(
    slack: &Result<Slack, Failed>,
    secrets: &Secrets,
    clock: &Clock,
) -> (Directory, BTreeMap<String, ChannelId>) {
    if let Ok(slack) = slack
        && let Ok((mut directory, channels)) = program::fetch(slack).await
    {
        // A disabled group is found by its name here, so that it can be called what it is. Without groups we go on.
        for (group, _) in slack.user_groups_and_disabled().await.unwrap_or_default() {
            directory.groups.entry(group.id.clone()).or_insert(group);
        }
        return (directory, channels);
    }
    remembered(secrets, clock).await.unwrap_or_default()
}

/// `None` where nothing is remembered that can be read without changing the database.
async fn remembered(secrets: &Secrets, clock: &Clock) -> Option<(Directory, BTreeMap<String, ChannelId>)> {
    let url = secrets.database_url.expose_secret();
    if look::missing_file(url).is_some() || look::look(url, clock).await.ok()?.migrations_pending > 0 {
        return None;
    }
    let db = Db::open(url, clock).await.ok()?;
    let mut tx = db.read().await.ok()?;
    let workspace = WorkspaceId::new(settings::get(&mut tx, program::WORKSPACE_KEY).await.ok()??);
    let directory = people::load_directory(&mut tx, &workspace).await.ok()?;
    let channels = settings::get(&mut tx, program::CHANNELS_KEY).await.ok()??;
    drop(tx);
    db.close().await;
    Some((directory, serde_json::from_str(&channels).ok()?))
}

fn asked(
    config: &Config,
    secrets: &Secrets,
    unreadable: &[Problem],
    directory: &Directory,
    channels: &BTreeMap<String, ChannelId>,
) -> Asked {
    let (roster, unknown) = config.resolve_known(directory, channels);
    let told = |problem: &Problem| (problem.sentence.clone(), problem.hint.clone());
    // Without any directory no name is known; that Slack is away is said once, not once for each name.
    let unresolved = match &unknown {
        Some(unknown) if !directory.people.is_empty() => unknown.problems().iter().map(told).collect(),
        Some(_) | None => Vec::new(),
    };
    let token =
        |secret: &Option<SecretString>| TokenKind::of(secret.as_ref().map(secrecy::ExposeSecret::expose_secret));
    let looks_right = |secret: &SecretString| {
        let secret = secret.expose_secret();
        secret.len() == SIGNING_SECRET_DIGITS && secret.chars().all(|c| c.is_ascii_hexdigit())
    };
    let settings = &config.settings;
    Asked {
        transport: match settings.slack.mode {
            Mode::Socket => Transport::Socket,
            Mode::Http => Transport::Http,
        },
        bot_token: token(&secrets.bot_token),
        app_token: token(&secrets.app_token),
        signing_secret: secrets.signing_secret.as_ref().map(looks_right),
        required_scopes: manifest::BOT_SCOPES.iter().map(|(scope, _)| (*scope).to_owned()).collect(),
        commands: manifest::COMMANDS.iter().map(|command| command.command.to_owned()).collect(),
        uses: Uses::of(&roster),
        unresolved,
        unreadable: unreadable.iter().map(told).collect(),
        export_directory: settings.export.dir.as_ref().map(|dir| config.folder().join(dir)),
        public_url: settings.server.public_url.clone(),
        alert_integrations: settings.integrations.len(),
        ways_missing: secrets.ways_missing().to_vec(),
    }
}

/// Slack's code where it refused, else what happened.
fn failed(error: &crate::slack::Error) -> Failed {
    Failed(error.code().map_or_else(|| error.to_string(), ToOwned::to_owned))
}

/// Makes a call of Slack, or says why there is no Slack to call.
fn ask<T, F>(slack: &Result<Slack, Failed>, call: impl FnOnce(Slack) -> F) -> BoxFuture<'static, Result<T, Failed>>
where
    T: Send + 'static,
    F: Future<Output = Result<T, crate::slack::Error>> + Send + 'static,
{
    match slack {
        Ok(slack) => {
            let answer = call(slack.clone());
            async move { answer.await.map_err(|error| failed(&error)) }.boxed()
        }
        Err(why) => std::future::ready(Err(why.clone())).boxed(),
    }
}

fn calls(config: &Config, slack: Result<Slack, Failed>, secrets: &Secrets, clock: &Clock) -> Calls {
    let slack = Arc::new(slack);
    let [auth, socket, channel, user, groups] = std::array::from_fn(|_| Arc::clone(&slack));
    let (database_url, clock) = (secrets.database_url.clone(), clock.clone());
    let at_arrival = clock.clone();
    Calls {
        auth_test: Box::new(move || {
            let clock = at_arrival.clone();
            ask(&auth, |slack| async move {
                let identity = slack.auth_test().await?;
                let received_at = clock.now();
                let bot = slack.user_info(&identity.user).await.ok();
                Ok(Identity {
                    workspace: identity.workspace.map_or_else(|| "a whole organisation".to_owned(), |id| id.0),
                    workspace_name: identity.workspace_name,
                    bot_name: bot.map_or_else(|| "firebell".to_owned(), |bot| bot.name),
                    scopes: identity.scopes.into_iter().collect::<BTreeSet<_>>(),
                    slack_at: identity.slack_at,
                    received_at,
                })
            })
        }),
        connections_open: Box::new(move || {
            ask(&socket, |slack| async move { slack.connections_open().await.map(drop) })
        }),
        channel: Box::new(move |id| {
            ask(&channel, |slack| async move {
                let channel = slack.channel_info(&id).await?;
                Ok(ChannelState {
                    name: channel.name,
                    member: channel.is_member,
                    private: channel.is_private,
                    archived: channel.is_archived,
                })
            })
        }),
        user: Box::new(move |id| {
            ask(&user, |slack| async move {
                let person = slack.user_info(&id).await?;
                Ok(PersonState {
                    name: person.name,
                    deactivated: person.deactivated,
                    is_bot: person.is_bot,
                    restricted: person.restricted,
                    external: person.external,
                })
            })
        }),
        groups: Box::new(move || {
            ask(&groups, |slack| async move {
                let groups = slack.user_groups_and_disabled().await?;
                let state = |(group, disabled): (UserGroup, bool)| {
                    (group.id, GroupState { handle: group.handle, disabled, users: group.users })
                };
                Ok(groups.into_iter().map(state).collect())
            })
        }),
        database: Box::new(move || {
            let (url, clock) = (database_url.clone(), clock.clone());
            async move { database(&url, &clock).await }.boxed()
        }),
        metrics: metrics_address(config).map(|at| {
            let ask: Ask<Figures> = Box::new(move || async move { figures(at).await }.boxed());
            ask
        }),
        mail: mail(config, secrets),
    }
}

/// Where the running program shows its metrics, seen from this machine.
fn metrics_address(config: &Config) -> Option<SocketAddr> {
    let settings = &config.settings;
    let mut at = settings.metrics.bind.or(settings.metrics.on_server.then_some(settings.server.bind))?;
    if at.ip().is_unspecified() {
        at.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    Some(at)
}

async fn figures(at: SocketAddr) -> Result<Figures, Failed> {
    let client = reqwest::Client::builder().no_proxy().timeout(METRICS_PATIENCE).build();
    let asked = async {
        let answer = client?.get(format!("http://{at}/metrics")).send().await?.error_for_status()?;
        answer.text().await
    };
    let text = asked.await.map_err(|error| {
        let status = error.status().map(|status| format!("{at} answers with HTTP status {}", status.as_u16()));
        Failed(status.unwrap_or_else(|| format!("{at} does not answer")))
    })?;
    Figures::read(&text).ok_or_else(|| Failed(format!("what answers at {at} is not Firebell")))
}

/// Follows the hash chains of the newest incidents; `None` where the database cannot be read.
async fn chains(url: &str, clock: &Clock) -> Option<Chains> {
    let db = Db::open_to_read(url, clock).await.ok()?;
    let mut tx = db.read().await.ok()?;
    let ids = incidents::all_ids(&mut tx).await.ok()?;
    let mut chains = Chains { checked: 0, broken: 0 };
    for id in ids.into_iter().rev().take(CHAINS_CHECKED_MAX) {
        chains.checked += 1;
        let holds = history::verify(&mut tx, id).await.is_ok_and(|verified| verified.is_ok());
        chains.broken += usize::from(!holds);
    }
    drop(tx);
    db.close().await;
    Some(chains)
}

/// Nothing is signed here, so that any key will do.
fn mail(config: &Config, secrets: &Secrets) -> Option<Ask<()>> {
    let elsewhere = config.settings.email.as_ref().map(|_| Elsewhere::new(config, &secrets.ways, &[]))?;
    Some(Box::new(move || {
        let elsewhere = elsewhere.clone();
        async move {
            let checked = elsewhere.check_mail().await.unwrap_or(Ok(()));
            checked.map_err(|failure| Failed(failure.to_string()))
        }
        .boxed()
    }))
}

async fn database(url: &SecretString, clock: &Clock) -> Result<DatabaseState, Failed> {
    let seen = look::look(url.expose_secret(), clock).await.map_err(|error| Failed(error.to_string()))?;
    let (disk_free, is_there) = match &seen.place {
        SeenPlace::Sqlite { path, exists, .. } => (audit::disk_free(path), *exists),
        SeenPlace::Postgres { .. } => (None, true),
    };
    let readable = is_there && seen.migrations_pending == 0;
    let chains = if readable { chains(url.expose_secret(), clock).await } else { None };
    Ok(DatabaseState {
        disk_free,
        chains,
        engine: match seen.place {
            SeenPlace::Sqlite { path, version, exists } => Engine::Sqlite { path, version, exists },
            SeenPlace::Postgres { version } => Engine::Postgres { version },
        },
        writable: seen.unwritable.map_or(Ok(()), |why| Err(Failed(why))),
        migrations_pending: seen.migrations_pending,
        clock_ahead: seen.clock_ahead,
        last_command_at: seen.last_command_at,
    })
}
