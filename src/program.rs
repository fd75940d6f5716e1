//! The program put together: store, application, worker and the connections to Slack, to monitoring systems and to
//! browsers. `serve` and `demo` run it by a clock that runs; replay and tests move the clock and do its rounds themselves.

mod timekeeping;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use axum::Router;
use chrono::TimeDelta;
use futures_util::FutureExt as _;
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::alerts;
use crate::app::{App, Error, Request, Target};
use crate::clock::Clock;
use crate::config::{Config, Mode};
use crate::domain::answer::Said;
use crate::domain::command::Command;
use crate::domain::event::Actor;
use crate::domain::rejection::RejectionKind;
use crate::domain::roster::{Directory, Roster};
use crate::ids::{ChannelId, WorkspaceId};
use crate::slack::dispatch::Dispatch;
use crate::slack::socket::{SocketConfig, SocketMode};
use crate::slack::{Class, Slack, SlackConfig, http};
use crate::store::{Db, Engine, people, settings};
use crate::worker::{Documents, Worker};
use crate::{scheduler, web};

pub use timekeeping::agree;

/// How often people and groups are read again, besides when Slack tells of a change.
const DIRECTORY_EVERY: TimeDelta = TimeDelta::minutes(10);
/// How long the first contact with Slack may take before starting with what is remembered.
const CONTACT_TIMEOUT: Duration = Duration::from_secs(10);
/// Effects that were given up are kept for this long.
const GIVEN_UP_KEPT: TimeDelta = TimeDelta::days(30);
/// Deliveries are remembered for this long; Slack repeats none after a day.
const DELIVERIES_KEPT: TimeDelta = TimeDelta::hours(48);

/// Why a first start ends: nothing is remembered yet that could be started with.
const NOT_MET: &str = "Slack was not reached, and this database has not met it before. Check the network, and \
                       SLACK_API_URL if it is set, then start again";

/// Where the workspace this database belongs to is remembered.
pub const WORKSPACE_KEY: &str = "workspace";
const WORKSPACE_URL_KEY: &str = "workspace_url";
/// Where the ids of channels are remembered by name, as JSON.
pub const CHANNELS_KEY: &str = "channels";

/// What a program is made from.
pub struct Parts {
    pub config: Config,
    pub clock: Clock,
    pub database_url: SecretString,
    pub slack: SlackConfig,
    pub signing_secret: Option<SecretString>,
    /// SHA-256 sums of the keys of each integration.
    pub integration_keys: BTreeMap<crate::ids::IntegrationKey, Vec<[u8; 32]>>,
}

/// The program, assembled; nothing of it runs by itself yet except the writer.
pub struct Program {
    pub app: App,
    pub worker: Worker,
    pub slack: Slack,
    config: Config,
    dispatch: Dispatch,
    documents: Documents,
    router: Router,
}

impl Program {
    /// Opens the database, meets Slack and reads who is who. Slack may be away if it was met before.
    ///
    /// # Errors
    /// With a sentence that says the way out: the database cannot be used, or Slack was never reached or refused us.
    pub async fn assemble(parts: Parts) -> anyhow::Result<Self> {
        let Parts { config, clock, database_url, slack: slack_config, signing_secret, integration_keys } = parts;
        let db = Db::open(secrecy::ExposeSecret::expose_secret(&database_url), &clock).await?;
        let clock = timekeeping::shared_clock(&db, clock).await?;
        let slack = Slack::new(slack_config)?;
        let (workspace, workspace_url) = introduce(&db, &slack, &config).await?;
        let (roster, directory) = who_is_who(&db, &slack, &config, &workspace, &clock).await?;
        let documents = Documents::new(&config);
        let app = App::start(db, clock.clone(), workspace, roster, directory);
        let worker = Worker::new(app.clone(), slack.clone(), documents.clone());
        let dispatch = Dispatch::new(app.clone(), slack.clone(), workspace_url);
        let mut router = web::router(app.clone(), documents.clone()).merge(alerts::router(
            keys(&config, integration_keys),
            clock.clone(),
            submit(&app),
        ));
        if let Some(secret) = signing_secret {
            router = router.merge(http::router(http::HttpConfig::new(secret, clock), dispatch.receiver()));
        }
        Ok(Self { app, worker, slack, config, dispatch, documents, router })
    }

    /// Everything that answers HTTP.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// How documents are written here.
    pub fn documents(&self) -> &Documents {
        &self.documents
    }

    /// What Slack's deliveries are handed to.
    pub fn dispatch(&self) -> &Dispatch {
        &self.dispatch
    }

    /// Serves until one of the parts ends, which none does by itself.
    pub async fn run(self, listener: TcpListener) -> anyhow::Result<()> {
        let mut parts: JoinSet<anyhow::Result<()>> = JoinSet::new();
        let (app, worker, router) = (self.app.clone(), self.worker.clone(), self.router.clone());
        // Dropped when this ends: connections that are kept alive must not go on serving what has ended.
        let (_serving, ended) = tokio::sync::oneshot::channel::<()>();
        parts.spawn(async move {
            let ended = async {
                let _ = ended.await;
            };
            axum::serve(listener, router).with_graceful_shutdown(ended).await.context("the HTTP server ended")
        });
        parts.spawn(scheduler::run(app.clone()).map(|()| Err(anyhow!("the scheduler ended"))));
        parts.spawn(worker.run().map(|()| Err(anyhow!("the worker ended"))));
        parts.spawn(keep_up(app.clone(), self.slack.clone()).map(|()| Err(anyhow!("the housekeeping ended"))));
        parts.spawn(timekeeping::run(app.clone()).map(|()| Err(anyhow!("the timekeeping ended"))));
        parts.spawn(listen(app).map(|()| Err(anyhow!("the connection to the other replicas ended"))));
        if self.config.settings.slack.mode == Mode::Socket {
            let (slack, receive) = (self.slack.clone(), self.dispatch.receiver());
            let clock = self.app.clock().clone();
            parts.spawn(async move {
                let _connections = SocketMode::start(slack, clock, receive, SocketConfig::default());
                std::future::pending().await
            });
        }
        match parts.join_next().await {
            Some(Ok(ended)) => ended,
            Some(Err(panicked)) => Err(panicked).context("a part of the program failed"),
            None => Ok(()),
        }
    }
}

/// Which workspace the token belongs to: asked from Slack, remembered for the times when Slack is away.
async fn introduce(db: &Db, slack: &Slack, config: &Config) -> anyhow::Result<(WorkspaceId, Option<String>)> {
    let mut tx = db.read().await?;
    let remembered = settings::get(&mut tx, WORKSPACE_KEY).await?;
    let url = settings::get(&mut tx, WORKSPACE_URL_KEY).await?;
    drop(tx);
    let identity = match tokio::time::timeout(CONTACT_TIMEOUT, slack.auth_test()).await {
        Ok(Ok(identity)) => identity,
        Ok(Err(error)) if error.is_token_refused() => return Err(error.into()),
        Ok(Err(error)) if remembered.is_none() => return Err(anyhow::Error::new(error).context(NOT_MET)),
        Ok(Err(error)) => {
            tracing::error!(%error, "Slack is away; starting with what is remembered");
            return Ok((WorkspaceId::new(remembered.unwrap_or_default()), url));
        }
        Err(_) => match remembered {
            Some(workspace) => {
                tracing::error!("Slack does not answer; starting with what is remembered");
                return Ok((WorkspaceId::new(workspace), url));
            }
            None => return Err(anyhow!(NOT_MET)),
        },
    };
    let workspace = identity.workspace.clone().or_else(|| config.settings.slack.workspace.clone());
    let Some(workspace) = workspace else {
        return Err(anyhow!(
            "The app is installed for a whole organisation. Set slack.workspace to the workspace's id."
        ));
    };
    let wanted = config.settings.slack.workspace.as_ref().map(WorkspaceId::as_str).or(remembered.as_deref());
    if let Some(wanted) = wanted
        && wanted != workspace.as_str()
    {
        return Err(anyhow!(
            "The token belongs to the workspace {workspace}, but this database (or slack.workspace) belongs to \
             {wanted}. Use the token of {wanted}, or another database."
        ));
    }
    let mut tx = db.write().await?;
    settings::set(&mut tx, WORKSPACE_KEY, workspace.as_str()).await?;
    settings::set(&mut tx, WORKSPACE_URL_KEY, &identity.url).await?;
    tx.commit().await?;
    Ok((workspace, Some(identity.url)))
}

/// The roster with every name looked up. Names that Slack does not know stop a first start; later they are logged and
/// the rest goes on, because a pager must come up again.
async fn who_is_who(
    db: &Db,
    slack: &Slack,
    config: &Config,
    workspace: &WorkspaceId,
    clock: &Clock,
) -> anyhow::Result<(Roster, Directory)> {
    let mut tx = db.read().await?;
    let mut directory = people::load_directory(&mut tx, workspace).await?;
    let channels = settings::get(&mut tx, CHANNELS_KEY).await?;
    drop(tx);
    let mut channels: BTreeMap<String, ChannelId> =
        channels.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default();
    let first = directory.people.is_empty();
    match fetch(slack).await {
        Ok((fetched, found)) => {
            directory = fetched;
            channels = found;
            remember(db, workspace, &directory, &channels, clock).await?;
        }
        Err(error) if first => return Err(error.into()),
        Err(error) => tracing::error!(%error, "Slack's directory could not be read; starting with what is remembered"),
    }
    let (roster, unknown) = config.resolve_known(&directory, &channels);
    match unknown {
        Some(unknown) if first => Err(unknown.into()),
        Some(unknown) => {
            tracing::error!("some names of the configuration are not known; the rest is paged\n{unknown}");
            Ok((roster, directory))
        }
        None => Ok((roster, directory)),
    }
}

/// People, groups and channels as Slack knows them now.
pub(crate) async fn fetch(slack: &Slack) -> Result<(Directory, BTreeMap<String, ChannelId>), crate::slack::Error> {
    let people = slack.list_users().await?;
    let groups = match slack.user_groups().await {
        Ok(groups) => groups,
        // Only paid workspaces have user groups, and only those who use them give the scope.
        Err(error) if matches!(error.class(), Class::Permanent { .. } | Class::Auth { .. }) => Vec::new(),
        // Anything else passes; going on with no groups would leave teams empty.
        Err(error) => return Err(error),
    };
    let channels = slack.list_channels().await?;
    let directory = Directory {
        people: people.into_iter().map(|person| (person.id.clone(), person)).collect(),
        groups: groups.into_iter().map(|group| (group.id.clone(), group)).collect(),
    };
    Ok((directory, channels.into_iter().map(|channel| (channel.name, channel.id)).collect()))
}

async fn remember(
    db: &Db,
    workspace: &WorkspaceId,
    directory: &Directory,
    channels: &BTreeMap<String, ChannelId>,
    clock: &Clock,
) -> Result<(), crate::store::Error> {
    let now = clock.now();
    let persons: Vec<_> = directory.people.values().cloned().collect();
    let groups: Vec<_> = directory.groups.values().cloned().collect();
    let mut tx = db.write().await?;
    people::upsert(&mut tx, workspace, &persons, now).await?;
    people::upsert_groups(&mut tx, workspace, &groups, now).await?;
    let json = serde_json::to_string(channels).unwrap_or_default();
    settings::set(&mut tx, CHANNELS_KEY, &json).await?;
    tx.commit().await
}

/// Keeps people and groups current, and forgets deliveries that nobody repeats any more.
async fn keep_up(app: App, slack: Slack) {
    loop {
        app.clock().sleep(DIRECTORY_EVERY).await;
        match fetch(&slack).await {
            Ok((fetched, channels)) => {
                if let Err(error) = remember(app.db(), app.workspace(), &fetched, &channels, app.clock()).await {
                    tracing::warn!(%error, "the directory could not be kept");
                }
                app.update_directory(|directory| *directory = fetched);
            }
            Err(error) => tracing::warn!(%error, "Slack's directory could not be read"),
        }
        if let Err(error) = forget(&app).await {
            tracing::warn!(%error, "old deliveries could not be forgotten");
        }
    }
}

async fn forget(app: &App) -> Result<(), crate::store::Error> {
    let mut tx = app.db().write().await?;
    let before = app.clock().now() - DELIVERIES_KEPT;
    crate::store::inbox::forget_before(&mut tx, before, 10_000).await?;
    crate::store::outbox::forget_dead_before(&mut tx, app.clock().now() - GIVEN_UP_KEPT, 10_000).await?;
    tx.commit().await
}

/// Wakes scheduler and worker when another replica leaves work.
async fn listen(app: App) {
    loop {
        if app.db().engine() == Engine::Sqlite {
            // One process has the file: nobody else leaves work.
            std::future::pending::<()>().await;
        }
        match app.db().listen().await {
            Ok(mut wakes) => loop {
                wakes.next().await;
                app.wake();
            },
            Err(error) => {
                tracing::warn!(%error, "other replicas cannot be heard; looking every second");
                app.clock().sleep(TimeDelta::seconds(5)).await;
            }
        }
    }
}

fn keys(config: &Config, mut sums: BTreeMap<crate::ids::IntegrationKey, Vec<[u8; 32]>>) -> Arc<alerts::Keys> {
    let integrations = config.settings.integrations.iter().map(|integration| alerts::Integration {
        key: integration.key.clone(),
        kind: match integration.kind {
            crate::config::IntegrationKind::Alertmanager => alerts::Kind::Alertmanager,
            crate::config::IntegrationKind::Generic => alerts::Kind::Generic,
        },
        secret_sha256s: sums.remove(&integration.key).unwrap_or_default(),
    });
    Arc::new(alerts::Keys::new(integrations.collect()))
}

/// Hands alerts to the application, one command each, and answers after the last is committed.
fn submit(app: &App) -> alerts::Submit {
    let app = app.clone();
    Arc::new(move |signals: Vec<alerts::Signal>| {
        let app = app.clone();
        async move {
            let mut accepted = Vec::with_capacity(signals.len());
            for signal in signals {
                accepted.push(submit_one(&app, signal).await?);
            }
            Ok(accepted)
        }
        .boxed()
    })
}

async fn submit_one(app: &App, signal: alerts::Signal) -> Result<alerts::Accepted, alerts::SubmitError> {
    let clears = matches!(signal, alerts::Signal::Cleared { .. });
    let (key, integration, join, command) = match signal {
        alerts::Signal::Fired { delivery_key, alert, join } => {
            (delivery_key, alert.integration.clone(), join, Command::AlertFired(*alert))
        }
        alerts::Signal::Cleared { delivery_key, integration, dedup_key, text, at, join } => {
            let command = Command::AlertCleared { integration: integration.clone(), dedup_key, text, at };
            (delivery_key, integration, join, command)
        }
    };
    let failed = |error: Error| match error {
        Error::Busy | Error::Closed => alerts::SubmitError::Busy { retry_after_s: 5 },
        Error::Store(error) => {
            let reference = crate::ids::random_id()[..8].to_owned();
            tracing::error!(%error, reference, "an alert was not kept");
            alerts::SubmitError::Failed { reference }
        }
    };
    // An incident that is gone or closed cannot be joined; the alert is then treated like any other.
    let joined = match join {
        Some(number) => app.incident_by_number(number).await.map_err(|error| failed(error.into()))?,
        None => None,
    };
    let target = match joined.filter(crate::domain::incident::Incident::is_open) {
        Some(incident) => Target::Incident(incident.id),
        None => Target::Alert,
    };
    let actor = Actor::Integration { integration };
    let answer =
        app.try_handle(Request { key: Some(key), actor, target, command, inside: true }).await.map_err(failed)?;
    let number = answer.number;
    match answer.answer.said {
        // Clearing what never fired here is nothing to complain about.
        Said::Refused { rejection } if clears && rejection.kind == RejectionKind::NotFound => {
            Ok(alerts::Accepted { incident: None })
        }
        Said::Refused { rejection } => Err(alerts::SubmitError::Refused(rejection)),
        _ => Ok(alerts::Accepted { incident: number }),
    }
}

/// Binds the address on which the program answers.
///
/// # Errors
/// When the address is taken or not ours, with the way out.
pub async fn bind(at: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(at).await.with_context(|| {
        format!("cannot listen on {at}: another program may have the port. Set server.bind in firebell.toml.")
    })
}
