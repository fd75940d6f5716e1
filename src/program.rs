//! The program put together: store, application, worker and the connections to Slack, to monitoring systems and to
//! browsers. `serve` and `demo` run it by a clock that runs; replay and tests move the clock and do its rounds themselves.

mod acquaintance;
mod door;
mod intake;
mod listening;
pub(crate) mod timekeeping;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use axum::Router;
use chrono::TimeDelta;
use futures_util::FutureExt as _;
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::app::App;
use crate::clock::Clock;
use crate::config::secrets::WaySecrets;
use crate::config::{Config, Mode};
use crate::elsewhere::Elsewhere;
use crate::ids::random_id;
use crate::metrics::{Metrics, router as metrics_router};
use crate::slack::dispatch::Dispatch;
use crate::slack::socket::{SocketConfig, SocketMode};
use crate::slack::{Meeting, Slack, SlackConfig, http};
use crate::store::{Db, Engine, settings};
use crate::watch::{Alarm, DeadMan, Heartbeat, TestPages, Watch};
use crate::worker::{Documents, Worker};
use crate::{alerts, scheduler, web};

use self::door::Door;
pub(crate) use acquaintance::fetch;
pub use acquaintance::{BOT_KEY, CHANNELS_KEY, WORKSPACE_KEY};
pub use listening::Listening;
pub use timekeeping::{agree, clock_was_set};

/// Where the key is kept that signs the links to answer; made at the first start.
const ANSWER_KEY: &str = "answer_key";
/// How often what nobody needs any more is looked for.
const TIDY_EVERY: TimeDelta = TimeDelta::minutes(10);
/// How often the way of a page is tested where no heartbeat is configured, seconds.
const SELF_TEST_EVERY_S: u32 = 30;
/// Effects that were given up are kept for this long.
const GIVEN_UP_KEPT: TimeDelta = TimeDelta::days(30);
/// Deliveries are remembered for this long; Slack repeats none after a day.
const DELIVERIES_KEPT: TimeDelta = TimeDelta::hours(48);

/// What a program is made from.
pub struct Parts {
    pub config: Config,
    pub clock: Clock,
    pub database_url: SecretString,
    pub slack: SlackConfig,
    pub signing_secret: Option<SecretString>,
    /// SHA-256 sums of the keys of each integration.
    pub integration_keys: BTreeMap<crate::ids::IntegrationKey, Vec<[u8; 32]>>,
    /// What the ways besides Slack need.
    pub ways: WaySecrets,
}

/// The program, assembled; nothing of it runs by itself yet except the writer.
pub struct Program {
    pub app: App,
    pub worker: Worker,
    pub slack: Slack,
    config: Config,
    dispatch: Dispatch,
    listening: Listening,
    documents: Documents,
    router: Router,
    watch: Watch,
    elsewhere: Elsewhere,
    /// Slack has not been asked yet who we are.
    from_memory: bool,
    /// Nothing may be sent before it was: the token is another one than at the last start.
    asks_first: bool,
}

impl Program {
    /// Opens the database and learns who is who: from memory where that is enough, from Slack otherwise.
    ///
    /// # Errors
    /// With a sentence that says the way out: the database cannot be used, or Slack was never reached or refused us.
    pub async fn assemble(parts: Parts) -> anyhow::Result<Self> {
        let Parts { config, clock, database_url, slack: mut slack_config, signing_secret, integration_keys, ways } =
            parts;
        let metrics = Metrics::default();
        slack_config.metrics = metrics.clone();
        let db = Db::open(secrecy::ExposeSecret::expose_secret(&database_url), &clock).await?;
        let clock = timekeeping::shared_clock(&db, clock).await?;
        let slack = Slack::new(slack_config)?;
        let known = acquaintance::make(&db, &slack, &config, &clock).await?;
        let documents = Documents::new(&config);
        let app = App::start(db, clock.clone(), metrics.clone(), known.workspace, known.roster, known.directory);
        let watch = Watch::new(app.clone());
        let elsewhere = Elsewhere::new(&config, &ways, answer_key(app.db()).await?.as_bytes());
        let worker = Worker::new(app.clone(), slack.clone(), documents.clone(), elsewhere.clone());
        let dispatch = Dispatch::new(app.clone(), slack.clone(), known.workspace_url);
        let answers = web::answers(app.clone(), elsewhere.links().clone());
        let pages = web::router(app.clone(), documents.clone(), watch.clone()).merge(answers);
        let mut router =
            pages.merge(alerts::router(intake::keys(&config, integration_keys), clock.clone(), intake::submit(&app)));
        if let Some(secret) = signing_secret {
            let door = http::HttpConfig { metrics, ..http::HttpConfig::new(secret, clock) };
            router = router.merge(http::router(door, dispatch.receiver()));
        }
        if config.settings.metrics.on_server {
            router = router.merge(metrics_router(watch.clone()));
        }
        let (from_memory, asks_first) = (known.from_memory, known.asks_first);
        let listening = Listening::new(app.clone(), dispatch.clone(), worker.clone());
        Ok(Self {
            app,
            worker,
            slack,
            config,
            dispatch,
            listening,
            documents,
            router,
            watch,
            elsewhere,
            from_memory,
            asks_first,
        })
    }

    /// Everything that answers HTTP.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// What is known of this program's health.
    pub fn watch(&self) -> &Watch {
        &self.watch
    }

    /// The heart of this program, which beats when it is told to, and where it is heard if that is configured.
    ///
    /// # Errors
    /// If this machine has no certificate authorities.
    pub fn heartbeat(&self) -> anyhow::Result<Heartbeat> {
        let settings = self.config.settings.heartbeat.as_ref();
        let switch = settings.map(DeadMan::new).transpose().context("the heartbeat cannot be sent")?;
        Ok(Heartbeat::new(self.watch.clone(), switch))
    }

    /// Tells people of what only they can mend, when it is told to look.
    pub fn alarm(&self) -> Alarm {
        Alarm::new(self.watch.clone(), self.slack.clone(), self.elsewhere.clone())
    }

    /// How documents are written here.
    pub fn documents(&self) -> &Documents {
        &self.documents
    }

    /// What Slack's deliveries are handed to.
    pub fn dispatch(&self) -> &Dispatch {
        &self.dispatch
    }

    /// Whether Slack can reach it, and what is done about the times in which it could not.
    pub fn listening(&self) -> &Listening {
        &self.listening
    }

    /// Serves until one of the parts ends, which none does by itself.
    pub async fn run(self, listener: TcpListener) -> anyhow::Result<()> {
        if self.asks_first {
            // Requests are taken at once, but nothing is sent before it is known whose token this is.
            self.slack.set_meeting(Meeting::Asking);
        }
        let mut parts: JoinSet<anyhow::Result<()>> = JoinSet::new();
        let (app, worker, router) = (self.app.clone(), self.worker.clone(), self.router.clone());
        // Dropped when this ends: connections that are kept alive must not go on serving what has ended.
        let (_serving, ended) = tokio::sync::oneshot::channel::<()>();
        parts.spawn(async move {
            let ended = async {
                let _ = ended.await;
            };
            let door = Door::new(listener, door::room());
            axum::serve(door, router).with_graceful_shutdown(ended).await.context("the HTTP server ended")
        });
        parts.spawn(scheduler::run(app.clone()).map(|()| Err(anyhow!("the scheduler ended"))));
        parts.spawn(worker.run().map(|()| Err(anyhow!("the worker ended"))));
        if let Some(at) = self.config.settings.metrics.bind {
            let listener = TcpListener::bind(at).await.with_context(|| {
                format!("cannot listen on {at}: another program may have the port. Set metrics.bind in firebell.toml.")
            })?;
            tracing::info!(address = %listener.local_addr()?, "metrics are shown at /metrics");
            let router = metrics_router(self.watch.clone());
            parts.spawn(async move { axum::serve(listener, router).await.context("the server of the metrics ended") });
        }
        let every_s = self.config.settings.heartbeat.as_ref().map_or(SELF_TEST_EVERY_S, |heartbeat| heartbeat.every_s);
        let heart = self.heartbeat()?.run(Duration::from_secs(every_s.into()));
        parts.spawn(heart.map(|()| Err(anyhow!("the heartbeat ended"))));
        let every = TimeDelta::seconds(self.config.settings.test_page_every_s.into());
        let test_pages = TestPages::new(self.watch.clone(), every).run();
        parts.spawn(test_pages.map(|()| Err(anyhow!("the test pages ended"))));
        let alarm = self.alarm().run();
        parts.spawn(alarm.map(|()| Err(anyhow!("the alarm ended"))));
        parts.spawn(self.watch.clone().run().map(|()| Err(anyhow!("the watch ended"))));
        let mode = self.config.settings.slack.mode;
        parts.spawn(acquaintance::keep_up(
            app.clone(),
            self.slack.clone(),
            self.config,
            self.from_memory,
            self.asks_first,
        ));
        parts.spawn(tidy(app.clone()).map(|()| Err(anyhow!("the housekeeping ended"))));
        parts.spawn(timekeeping::run(app.clone()).map(|()| Err(anyhow!("the timekeeping ended"))));
        let listening = self.listening.clone();
        listening.hears(mode == Mode::Http);
        parts.spawn(listening.clone().run().map(|()| Err(anyhow!("the ear for Slack ended"))));
        parts.spawn(listen(app).map(|()| Err(anyhow!("the connection to the other replicas ended"))));
        if mode == Mode::Socket {
            let (slack, receive) = (self.slack.clone(), self.dispatch.receiver());
            let (clock, metrics) = (self.app.clock().clone(), self.app.metrics().clone());
            // Replicas on one PostgreSQL use one token.
            let alone = self.app.db().engine() == Engine::Sqlite;
            parts.spawn(async move {
                let config = SocketConfig { alone, ..SocketConfig::default() };
                let connections = SocketMode::start(slack, clock, receive, config);
                let mut status = connections.status();
                loop {
                    let now = status.borrow_and_update().clone();
                    metrics.slack_connections.set_count(now.connected as u64);
                    metrics.slack_foreign_connections.set_count(now.strangers);
                    listening.hears(now.connected > 0);
                    if status.changed().await.is_err() {
                        return Err(anyhow!("the connections to Slack ended"));
                    }
                }
            });
        }
        match parts.join_next().await {
            Some(Ok(ended)) => ended,
            Some(Err(panicked)) => Err(panicked).context("a part of the program failed"),
            None => Ok(()),
        }
    }
}

/// The key that signs the links to answer, the same in every replica.
async fn answer_key(db: &Db) -> Result<String, crate::store::Error> {
    let mut tx = db.write().await?;
    let key = settings::get_or_set(&mut tx, ANSWER_KEY, &format!("{}{}", random_id(), random_id())).await?;
    tx.commit().await?;
    Ok(key)
}

/// Keeps room for a start on a full disk, looks the whole database over once, then forgets deliveries that nobody repeats any
/// more, and what was given up long ago.
async fn tidy(app: App) {
    app.db().keep_reserve().await;
    if let Err(error) = app.db().check().await {
        tracing::error!(%error, "the database is not sound");
    }
    loop {
        app.clock().sleep(TIDY_EVERY).await;
        app.db().keep_reserve().await;
        if let Err(error) = forget(&app).await {
            tracing::warn!(%error, "old deliveries could not be forgotten");
        }
    }
}

async fn forget(app: &App) -> Result<(), crate::store::Error> {
    let mut tx = app.db().write().await?;
    let before = app.clock().now() - DELIVERIES_KEPT;
    crate::store::inbox::forget_before(&mut tx, before, 10_000).await?;
    crate::store::openings::forget_before(&mut tx, before).await?;
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

/// Binds the address on which the program answers.
///
/// # Errors
/// When the address is taken or not ours, with the way out.
pub async fn bind(at: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(at).await.with_context(|| {
        format!("cannot listen on {at}: another program may have the port. Set server.bind in firebell.toml.")
    })
}
