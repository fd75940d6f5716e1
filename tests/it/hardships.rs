//! What Firebell must survive: bad input, crashes, a misbehaving Slack, other replicas. The whole program against the
//! sandbox workspace, on SQLite and, where the database matters, on PostgreSQL.

mod alerts;
mod bad_files;
mod bad_input;
mod breakdowns;
mod crashes;
mod edits;
mod everything;
mod fuzz;
mod replicas;
mod rights;
mod secrets;
mod slack_trouble;
mod unseen;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use firebell::clock::Clock;
use firebell::config::Config;
use firebell::config::secrets::WaySecrets;
use firebell::domain::event::{Event, Recorded};
use firebell::domain::incident::Incident;
use firebell::ids::IntegrationKey;
use firebell::program::{Parts, Program, bind};
use firebell::sandbox::{Act, ApiFault, Delivery, Fault, Running, Sandbox, SandboxConfig, Workspace};
use firebell::slack::SlackConfig;
use firebell::stage::{SMTP_PASSWORD, sqlite_in};
use firebell::{alerts as monitoring, scheduler, store};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::SecretString;
use serde_json::{Value, json};
use sha2::Sha256;
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::support::postgres;

const ANA: &str = "U0ANA00001";
const BEN: &str = "U0BEN00001";
const DANA: &str = "U0DANA0001";
const ELI: &str = "U0ELI00001";
const FAY: &str = "U0FAY00001";
const BOT: &str = "U0FIREBELL";
const GENERAL: &str = "C0GENERAL1";

const BOT_TOKEN: &str = "xoxb-canary-bot-token";
const SIGNING_SECRET: &str = "canary-signing-secret";
const SCRIPT_KEY: &str = "canary-script-key";
const PROMETHEUS_KEY: &str = "canary-prometheus-key";

/// Shorter than usual, so that a call that never answers costs a test little.
const CALL_TIMEOUT: Duration = Duration::from_millis(400);
/// Rounds of work at one instant before something must be going in circles.
const ROUNDS_MAX: usize = 1_000;

const CONFIG: &str = r##"
[slack]
mode = "http"

[incidents]
announce_in = "#incidents"
time_zone = "America/New_York"

[fallback]
targets = ["@fay"]

[[teams]]
key = "db-team"
name = "Database team"
rounds = 1
[[teams.tiers]]
targets = ["@dana"]
wait = "5m"
[[teams.tiers]]
targets = ["@eli"]
wait = "5m"

[[teams]]
key = "dev-team"
name = "Development team"
rounds = 1
[[teams.tiers]]
targets = ["@dev-team"]
wait = "5m"

[[integrations]]
key = "script"
kind = "generic"
key_sha256 = "SCRIPT"
team = "db-team"
[[integrations.rules]]
labels = { service = "shop" }
team = "dev-team"
severity = "sev1"

[[integrations]]
key = "prometheus"
kind = "alertmanager"
key_sha256 = "PROMETHEUS"
resolves = true
"##;

fn start() -> DateTime<Utc> {
    "2023-04-02T19:00:00Z".parse().expect("a date")
}

fn minutes(n: i64) -> TimeDelta {
    TimeDelta::minutes(n)
}

fn seconds(n: i64) -> TimeDelta {
    TimeDelta::seconds(n)
}

/// A workspace and a database that outlive the programs on them.
struct House {
    clock: Clock,
    slack: Running,
    database: String,
    folder: TempDir,
}

/// One Firebell on a house; dropping it is a crash.
struct Bell {
    program: Program,
    clock: Clock,
    url: String,
    http: reqwest::Client,
    server: JoinHandle<()>,
}

impl House {
    async fn on_sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let database = sqlite_in(folder.path());
        Self::on(database, folder).await
    }

    /// `None` where PostgreSQL is not installed.
    async fn on_postgres() -> Option<Self> {
        let database = postgres::database().await?;
        Some(Self::on(database, tempfile::tempdir().expect("a folder")).await)
    }

    async fn on_each() -> Vec<Self> {
        let mut houses = vec![Self::on_sqlite().await];
        houses.extend(Self::on_postgres().await);
        houses
    }

    async fn on(database: String, folder: TempDir) -> Self {
        let clock = Clock::manual(start());
        let slack = Sandbox::start(SandboxConfig {
            clock: clock.clone(),
            bot_token: BOT_TOKEN.to_owned(),
            signing_secret: SIGNING_SECRET.to_owned(),
            fixture: Workspace::demo(),
            rate_limits: false,
            ..SandboxConfig::default()
        })
        .await
        .expect("a sandbox");
        Self { clock, slack, database, folder }
    }

    async fn try_bell(&self) -> anyhow::Result<Bell> {
        self.try_bell_at(&self.slack.api_url()).await
    }

    async fn program_at(&self, api_url: &str) -> anyhow::Result<Program> {
        self.program_with("", api_url).await
    }

    /// With another line under `[slack]`.
    async fn program_with(&self, line: &str, api_url: &str) -> anyhow::Result<Program> {
        let sum = |key| hex::encode(monitoring::keys::digest(key));
        let text = CONFIG.replace("SCRIPT", &sum(SCRIPT_KEY)).replace("PROMETHEUS", &sum(PROMETHEUS_KEY));
        let text = text.replacen("mode = \"http\"", &format!("mode = \"http\"\n{line}"), 1);
        let config = Config::parse(&text, &self.folder.path().join("firebell.toml")).expect("a configuration");
        let key = |name: &str, secret| (IntegrationKey::from(name), vec![monitoring::keys::digest(secret)]);
        Program::assemble(Parts {
            config,
            clock: self.clock.clone(),
            database_url: SecretString::from(self.database.clone()),
            slack: SlackConfig {
                api_url: api_url.to_owned(),
                call_timeout: CALL_TIMEOUT,
                ..SlackConfig::new(SecretString::from(BOT_TOKEN))
            },
            signing_secret: Some(SecretString::from(SIGNING_SECRET)),
            ways: WaySecrets { smtp_password: Some(SecretString::from(SMTP_PASSWORD)), webhook_secret: None },
            integration_keys: [key("script", SCRIPT_KEY), key("prometheus", PROMETHEUS_KEY)].into(),
        })
        .await
    }

    async fn try_bell_at(&self, api_url: &str) -> anyhow::Result<Bell> {
        self.ring(self.program_at(api_url).await?).await
    }

    /// Has a program answer, and delivers to it from now on.
    async fn ring(&self, program: Program) -> anyhow::Result<Bell> {
        let listener = bind(([127, 0, 0, 1], 0).into()).await?;
        let url = format!("http://{}", listener.local_addr()?);
        self.slack.set_delivery(Delivery::Http {
            commands_url: format!("{url}/slack/commands"),
            interactions_url: format!("{url}/slack/interactions"),
            events_url: format!("{url}/slack/events"),
        });
        let router = program.router();
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        Ok(Bell { program, clock: self.clock.clone(), url, http, server })
    }

    /// Starts a program, and delivers to it from now on.
    async fn bell(&self) -> Bell {
        self.try_bell().await.expect("a program")
    }

    fn fault(&self, method: &str, nth: Option<u32>, what: ApiFault) {
        self.slack.add_fault(Fault::Api { method: method.to_owned(), nth, what });
    }

    /// What the bot said to somebody in direct messages, oldest first.
    fn direct(&self, user: &str) -> Vec<Value> {
        let Some(channel) = self.slack.find_direct(user, BOT) else { return Vec::new() };
        self.said_in(user, &channel)
    }

    fn said_in(&self, user: &str, channel: &str) -> Vec<Value> {
        let page = self.slack.messages(user, channel, 1_000, None).expect("is visible");
        let all = page["messages"].as_array().expect("a list").iter();
        all.filter(|message| message["user"] == BOT && message["subtype"].is_null()).cloned().collect()
    }

    /// The names of channels that begin like incident channels.
    fn channels(&self) -> Vec<String> {
        let state = self.slack.export();
        let all = state["channels"].as_object().expect("channels by id").values();
        let mut names: Vec<String> = all
            .filter(|channel| channel["creator"] == BOT)
            .filter_map(|channel| Some(channel["name"].as_str()?.to_owned()))
            .filter(|name| name.starts_with("inc-"))
            .collect();
        names.sort();
        names
    }

    /// How often the app called this method.
    fn calls(&self, method: &str) -> usize {
        self.slack.journal(0, 10_000).0.iter().filter(|entry| entry.method == method).count()
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Bell {
    /// Lets everything that can happen at this instant happen.
    async fn settle(&self, house: &House) {
        for _ in 0..ROUNDS_MAX {
            scheduler::tick(&self.program.app).await.expect("timers fire");
            let performed = self.program.worker.drain().await.expect("effects are claimed");
            house.slack.settle().await;
            if performed == 0 {
                return;
            }
        }
        panic!("the program does not come to rest");
    }

    async fn advance(&self, house: &House, span: TimeDelta) {
        let until = self.clock.now() + span;
        self.settle(house).await;
        loop {
            let mut tx = self.program.app.db().read().await.expect("reads");
            let timer = store::timers::next_due(&mut tx).await.expect("reads");
            drop(tx);
            let effect = self.program.worker.next_wake().await.expect("reads");
            let Some(next) = timer.into_iter().chain(effect).min().filter(|next| *next <= until) else { break };
            self.clock.set(next.max(self.clock.now()));
            self.settle(house).await;
        }
        self.clock.set(until);
        self.settle(house).await;
    }

    async fn incident(&self, number: i64) -> Incident {
        self.program.app.incident_by_number(number).await.expect("reads").expect("exists")
    }

    /// How many incidents there are.
    async fn incidents(&self) -> usize {
        let mut tx = self.program.app.db().read().await.expect("reads");
        store::incidents::all_ids(&mut tx).await.expect("reads").len()
    }

    /// The history of an incident, checked against its hash chain.
    async fn history(&self, number: i64) -> Vec<Recorded> {
        let id = self.incident(number).await.id;
        let mut tx = self.program.app.db().read().await.expect("reads");
        store::history::verify(&mut tx, id).await.expect("reads").expect("the chain holds");
        store::history::load(&mut tx, id).await.expect("reads")
    }

    async fn count(&self, number: i64, which: impl Fn(&Event) -> bool) -> usize {
        self.history(number).await.iter().filter(|recorded| which(&recorded.occurrence.event)).count()
    }

    /// Posts as Slack does, signed at `at`; status and body.
    async fn post_signed(&self, path: &str, body: &str, at: DateTime<Utc>) -> (u16, String) {
        let timestamp = at.timestamp().to_string();
        let mut mac = Hmac::<Sha256>::new_from_slice(SIGNING_SECRET.as_bytes()).expect("any length");
        mac.update(format!("v0:{timestamp}:{body}").as_bytes());
        let signature = format!("v0={}", hex::encode(mac.finalize().into_bytes()));
        self.post(path, body, &[("x-slack-request-timestamp", &timestamp), ("x-slack-signature", &signature)]).await
    }

    async fn post(&self, path: &str, body: &str, headers: &[(&str, &str)]) -> (u16, String) {
        let mut request = self.http.post(format!("{}{path}", self.url)).body(body.to_owned());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let sent = request.send().await.expect("an answer");
        (sent.status().as_u16(), sent.text().await.expect("text"))
    }

    /// A slash command with a trigger of its own, as a form.
    async fn types_raw(&self, user: &str, line: &str, trigger: &str) -> (u16, String) {
        self.post_signed("/slack/commands", &command_form(user, line, trigger), self.clock.now()).await
    }

    async fn alert(&self, body: &Value) -> (u16, Value) {
        self.alert_to("generic", SCRIPT_KEY, body).await
    }

    async fn alert_to(&self, kind: &str, key: &str, body: &Value) -> (u16, Value) {
        let sent = self.http.post(format!("{}/alerts/{kind}", self.url)).bearer_auth(key).json(body).send();
        let sent = sent.await.expect("an answer");
        (sent.status().as_u16(), sent.json().await.unwrap_or_default())
    }
}

fn command_form(user: &str, line: &str, trigger: &str) -> String {
    let (command, text) = line.split_once(' ').unwrap_or((line, ""));
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([
            ("team_id", "T0SHOPFRNT"),
            ("channel_id", GENERAL),
            ("user_id", user),
            ("command", command),
            ("text", text),
            ("trigger_id", trigger),
        ])
        .finish()
}

/// The value of the button with this `do` in a message's blocks, and where it is.
fn button(message: &Value, wanted: &str) -> Option<(String, String)> {
    let blocks = message["blocks"].as_array()?;
    blocks.iter().find_map(|block| {
        block["elements"].as_array()?.iter().find_map(|element| {
            let value: Value = serde_json::from_str(element["value"].as_str()?).ok()?;
            (value["do"] == wanted)
                .then(|| Some((block["block_id"].as_str()?.to_owned(), element["action_id"].as_str()?.to_owned())))?
        })
    })
}

/// Presses "I've got it" on the newest page of this user.
async fn acknowledge(house: &House, user: &str) {
    let page = house.direct(user).pop().expect("a page");
    let (block_id, action_id) = button(&page, "acknowledge").expect("a button");
    let channel = house.slack.find_direct(user, BOT).expect("a conversation");
    let ts = page["ts"].as_str().expect("a ts").to_owned();
    let container = firebell::sandbox::Container::Message { channel, ts };
    let act = Act::Action { container, block_id, action_id, action: serde_json::Map::new(), state: None };
    house.slack.act(user, act).await.expect("is pressed");
}

async fn types(house: &House, user: &str, channel: &str, text: &str) -> Value {
    let act = Act::Command { channel: channel.to_owned(), text: text.to_owned() };
    house.slack.act(user, act).await.expect("is typed")
}

fn said(answer: &Value) -> String {
    answer["response"]["text"].as_str().unwrap_or_default().to_owned()
}

fn is_page_sent(event: &Event) -> bool {
    matches!(event, Event::PageAttempted { result: firebell::domain::event::PageResult::Sent { .. }, .. })
}

fn fired(dedup_key: &str) -> Value {
    json!({ "title": "Database is down", "text": "No answer on 5432", "dedup_key": dedup_key })
}
