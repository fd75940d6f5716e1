//! The whole program on a sandbox workspace, under a clock that somebody moves: for replays and for tests.
//!
//! Slack's side is the sandbox, reached over real HTTP in both directions; the database is a real one. Only time is
//! ours: nothing happens between two settings of the clock, so a story of two hours takes a second and always ends the
//! same.

use std::path::Path;

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::config::Config;
use crate::config::secrets::WaySecrets;
use crate::domain::incident::Incident;
use crate::ids::{IncidentId, IntegrationKey};
use crate::program::{Parts, Program};
use crate::sandbox::{Act, Delivery, Running, Sandbox, SandboxConfig, Workspace};
use crate::slack::SlackConfig;
use crate::{alerts, scheduler, store};

const BOT_TOKEN: &str = "xoxb-stage-bot-token";
const APP_TOKEN: &str = "xapp-stage-app-token";
const SIGNING_SECRET: &str = "stage-signing-secret";
/// What a mail server on a stage must ask for, and what webhooks are signed with there.
pub const SMTP_PASSWORD: &str = "stage-smtp-password";
pub const WEBHOOK_SECRET: &str = "stage-webhook-secret";
/// Rounds of work at one instant before something must be going in circles.
const ROUNDS_MAX: usize = 1_000;

/// What a stage is set with.
#[derive(Debug)]
pub struct Set {
    pub start_at: DateTime<Utc>,
    /// `firebell.toml`, as text.
    pub config: String,
    /// The folder that relative paths in it start from.
    pub folder: std::path::PathBuf,
    pub database_url: String,
    pub workspace: Workspace,
    /// The secret of each integration of the configuration.
    pub keys: Vec<(IntegrationKey, String)>,
    /// Whether the sandbox holds to Slack's rate limits.
    pub rate_limits: bool,
}

/// A running stage; everything ends when it is dropped.
pub struct Stage {
    pub clock: Clock,
    pub slack: Running,
    pub program: Program,
    /// Where the program answers HTTP.
    pub url: String,
    http: reqwest::Client,
    server: JoinHandle<()>,
    script: Script,
}

/// What a program is started from, again and again.
struct Script {
    config: String,
    folder: std::path::PathBuf,
    database_url: String,
    keys: Vec<(IntegrationKey, String)>,
}

impl Stage {
    /// Starts sandbox and program; the program's own loops do not run.
    pub async fn set(set: Set) -> anyhow::Result<Self> {
        let clock = Clock::manual(set.start_at);
        let slack = Sandbox::start(SandboxConfig {
            clock: clock.clone(),
            bot_token: BOT_TOKEN.to_owned(),
            app_token: APP_TOKEN.to_owned(),
            signing_secret: SIGNING_SECRET.to_owned(),
            fixture: set.workspace,
            rate_limits: set.rate_limits,
            ..SandboxConfig::default()
        })
        .await?;
        let script = Script { config: set.config, folder: set.folder, database_url: set.database_url, keys: set.keys };
        let (program, url, server) = raise(&script, &clock, &slack).await?;
        let http = reqwest::Client::builder().no_proxy().build().context("no HTTP client")?;
        Ok(Self { clock, slack, program, url, http, server, script })
    }

    /// Stops the program where it stands and starts it anew on the same database and workspace, with another
    /// configuration if one is given.
    pub async fn restart(mut self, config: Option<String>) -> anyhow::Result<Self> {
        if let Some(config) = config {
            self.script.config = config;
        }
        self.server.abort();
        let (program, url, server) = raise(&self.script, &self.clock, &self.slack).await?;
        (self.program, self.url, self.server) = (program, url, server);
        Ok(self)
    }

    /// As [`Stage::restart`], on another database, such as a copy that was restored.
    pub async fn restart_on(mut self, database_url: String) -> anyhow::Result<Self> {
        self.script.database_url = database_url;
        self.restart(None).await
    }

    /// Lets everything that can happen at this instant happen.
    pub async fn settle(&self) -> anyhow::Result<()> {
        let mut told = 0;
        for _ in 0..ROUNDS_MAX {
            self.slack.settle().await;
            let told_before = std::mem::replace(&mut told, self.program.dispatch().all_told().await);
            scheduler::tick(&self.program.app).await?;
            let performed = self.program.worker.drain().await?;
            if performed == 0 && told == told_before {
                return Ok(());
            }
        }
        anyhow::bail!("the program does not come to rest at {}", self.clock.now())
    }

    /// Settles, and moves the clock on as far as effects wait for nothing but Slack's rate limits or a pause after a
    /// failure, at most by `span`.
    pub async fn settle_within(&self, span: TimeDelta) -> anyhow::Result<()> {
        let until = self.clock.now() + span;
        self.settle().await?;
        while let Some(next) = self.program.worker.next_wake().await?.filter(|next| *next <= until) {
            self.clock.set(next.max(self.clock.now()));
            self.settle().await?;
        }
        Ok(())
    }

    /// Moves the clock to `at`, stopping wherever a timer or a waiting effect is due.
    pub async fn advance_to(&self, at: DateTime<Utc>) -> anyhow::Result<()> {
        self.settle().await?;
        while let Some(next) = self.next_due().await?.filter(|next| *next <= at) {
            self.clock.set(next.max(self.clock.now()));
            self.settle().await?;
        }
        self.clock.set(at.max(self.clock.now()));
        self.settle().await
    }

    /// Moves the clock by `span`.
    pub async fn advance(&self, span: TimeDelta) -> anyhow::Result<()> {
        self.advance_to(self.clock.now() + span).await
    }

    async fn next_due(&self) -> anyhow::Result<Option<DateTime<Utc>>> {
        let mut tx = self.program.app.db().read().await?;
        let timer = store::timers::next_due(&mut tx).await?;
        drop(tx);
        let effect = self.program.worker.next_wake().await?;
        Ok(timer.into_iter().chain(effect).min())
    }

    /// Types a slash command as this user and lets follow what follows; the app's answer.
    pub async fn types(&self, user: &str, channel: &str, text: &str) -> anyhow::Result<Value> {
        let act = Act::Command { channel: channel.to_owned(), text: text.to_owned() };
        let answer = self.slack.act(user, act).await.with_context(|| format!("{user} typed {text}"))?;
        self.settle().await?;
        Ok(answer)
    }

    /// Types a slash command in whose text nothing becomes a mention, and lets follow what follows; the app's answer.
    pub async fn types_plainly(&self, user: &str, channel: &str, text: &str) -> anyhow::Result<Value> {
        let act = Act::PlainCommand { channel: channel.to_owned(), text: text.to_owned() };
        let answer = self.slack.act(user, act).await.with_context(|| format!("{user} typed {text}"))?;
        self.settle().await?;
        Ok(answer)
    }

    /// Posts to one of the program's addresses as a monitoring system does.
    pub async fn post_json(&self, path: &str, secret: &str, body: &Value) -> anyhow::Result<(u16, Value)> {
        let sent = self.http.post(format!("{}{path}", self.url)).bearer_auth(secret).json(body).send().await?;
        let status = sent.status().as_u16();
        let answer = sent.json().await.unwrap_or(Value::Null);
        self.settle().await?;
        Ok((status, answer))
    }

    /// Reads one of the program's pages.
    pub async fn get(&self, path: &str) -> anyhow::Result<(u16, String)> {
        let sent = self.http.get(format!("{}{path}", self.url)).send().await?;
        Ok((sent.status().as_u16(), sent.text().await?))
    }

    /// The incident with this number.
    pub async fn incident(&self, number: i64) -> anyhow::Result<Incident> {
        let found = self.program.app.incident_by_number(number).await?;
        found.with_context(|| format!("there is no INC-{number}"))
    }

    /// The history of an incident, checked against its hash chain.
    pub async fn verified_history(&self, id: IncidentId) -> anyhow::Result<Vec<crate::domain::event::Recorded>> {
        let mut tx = self.program.app.db().read().await?;
        if let Err(broken) = store::history::verify(&mut tx, id).await? {
            anyhow::bail!("the history is broken at entry {}: {}", broken.seq, broken.why);
        }
        Ok(store::history::load(&mut tx, id).await?)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Starts a program and has the workspace deliver to it.
async fn raise(script: &Script, clock: &Clock, slack: &Running) -> anyhow::Result<(Program, String, JoinHandle<()>)> {
    let config = Config::parse(&script.config, &script.folder.join("firebell.toml"))?;
    let keys = script.keys.iter().map(|(key, secret)| (key.clone(), vec![alerts::keys::digest(secret)]));
    let program = Program::assemble(Parts {
        config,
        clock: clock.clone(),
        database_url: SecretString::from(script.database_url.clone()),
        slack: SlackConfig { api_url: slack.api_url(), ..SlackConfig::new(SecretString::from(BOT_TOKEN)) },
        signing_secret: Some(SecretString::from(SIGNING_SECRET)),
        integration_keys: keys.collect(),
        ways: WaySecrets {
            smtp_password: Some(SecretString::from(SMTP_PASSWORD)),
            webhook_secret: Some(SecretString::from(WEBHOOK_SECRET)),
        },
    })
    .await?;
    let listener = crate::program::bind(([127, 0, 0, 1], 0).into()).await?;
    let url = format!("http://{}", listener.local_addr().context("the listener has no address")?);
    slack.set_delivery(Delivery::Http {
        commands_url: format!("{url}/slack/commands"),
        interactions_url: format!("{url}/slack/interactions"),
        events_url: format!("{url}/slack/events"),
    });
    let router = program.router();
    let server = tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "the stage's server ended");
        }
    });
    Ok((program, url, server))
}

/// The address of a new SQLite file in this folder.
pub fn sqlite_in(folder: &Path) -> String {
    format!("sqlite:{}", folder.join("firebell.db").display())
}
