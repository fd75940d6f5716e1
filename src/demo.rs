//! The demo: a sandbox workspace with the bot installed in it, and a story that plays there. Needs nothing else.
//!
//! Bot and workspace are the real ones and talk over the real wire; only time is ours. What they and the story have
//! reached is kept in one folder, so that the demo can be stopped and started again.

pub mod player;
pub mod story;

mod director;
mod routes;
mod state;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::FutureExt as _;
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use self::director::Director;
use self::player::{ALERT_SECRET, Player, Rest};
use self::routes::Door;
use self::state::Progress;
use crate::app::App;
use crate::clock::{Clock, real_sleep};
use crate::config::Config;
use crate::config::secrets::WaySecrets;
use crate::program::{Parts, Program};
use crate::sandbox::{Delivery, Running, Sandbox, SandboxConfig, Workspace};
use crate::slack::SlackConfig;
use crate::{alerts, stage};

const EXAMPLE: &str = include_str!("../firebell.example.toml");
const BOT_TOKEN: &str = "xoxb-demo-bot-token";
const APP_TOKEN: &str = "xapp-demo-app-token";
const SIGNING_SECRET: &str = "demo-signing-secret";
/// The integration that the story's monitoring system uses.
const MONITORING: &str = "shopwatch";

const WORKSPACE_FILE: &str = "workspace.json";
const DOCUMENTS_FOLDER: &str = "postmortems";

/// Between two looks at what the program has done.
const REST: Duration = Duration::from_millis(50);
/// How long a form stays open before it is sent.
const LINGER: Duration = Duration::from_millis(2_500);

/// How the demo is to be.
#[derive(Clone, Debug)]
pub struct Options {
    /// Loopback port of the workspace; 0 takes a free one.
    pub port: u16,
    /// Loopback port of the bot; 0 takes a free one.
    pub bot_port: u16,
    /// Where everything is kept; made if it is not there.
    pub dir: PathBuf,
    /// The story's speed; `None`: as it was when the demo was stopped.
    pub speed: Option<f64>,
    pub paused: bool,
    /// Whether the story is told at all.
    pub story: bool,
    /// Throw away what the folder holds.
    pub fresh: bool,
}

/// A running demo.
pub struct Demo {
    shared: Arc<Shared>,
    /// Sentences about ports that were taken.
    pub moved: Vec<String>,
    /// Whether it goes on from an earlier run.
    pub goes_on: bool,
}

pub(crate) struct Shared {
    clock: Clock,
    slack: Running,
    bot_at: SocketAddr,
    dir: PathBuf,
    story: bool,
    /// The bot and who plays with it; `None` while it begins anew.
    playing: Mutex<Option<Playing>>,
}

struct Playing {
    app: App,
    bot: JoinHandle<anyhow::Result<()>>,
    director: Arc<Director>,
    story: JoinHandle<()>,
}

impl Drop for Playing {
    fn drop(&mut self) {
        self.story.abort();
        self.bot.abort();
    }
}

impl Demo {
    /// Starts workspace, bot and story.
    ///
    /// # Errors
    /// When the folder cannot be used, or holds something else, with the way out.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        let dir = std::path::absolute(&options.dir).context("the folder has no absolute path")?;
        if options.fresh {
            forget(&dir)?;
        }
        std::fs::create_dir_all(&dir)
            .with_context(|| format!("cannot make the folder {}. Choose another with --dir.", dir.display()))?;
        let goes_on = dir.join(WORKSPACE_FILE).exists();
        let mut moved = Vec::new();
        let port = free_port(options.port, "--port", "the workspace", &mut moved).await?;
        let bot = listener(options.bot_port, "--bot-port", "the incident pages", &mut moved).await?;
        let bot_at = bot.local_addr().context("the listener has no address")?;
        let clock = Clock::paced(story::begins_at(), 0.0);
        let door = Arc::new(Door::default());
        let slack = Sandbox::start(SandboxConfig {
            clock: clock.clone(),
            port,
            bot_token: BOT_TOKEN.to_owned(),
            app_token: APP_TOKEN.to_owned(),
            signing_secret: SIGNING_SECRET.to_owned(),
            state_path: Some(dir.join(WORKSPACE_FILE)),
            extra_routes: routes::router(door.clone()),
            demo: true,
            ..SandboxConfig::default()
        })
        .await?;
        let shared = Shared { clock, slack, bot_at, dir, story: options.story, playing: Mutex::new(None) };
        let shared = Arc::new(shared);
        let begin = Begin { speed: options.speed, paused: options.paused };
        let playing = shared.play(bot, begin).await?;
        *shared.playing.lock().await = Some(playing);
        door.open(&shared);
        Ok(Self { shared, moved, goes_on })
    }

    /// The address of the workspace, for a browser.
    pub fn page_url(&self) -> String {
        self.shared.slack.page_url()
    }

    /// The address of the incident pages.
    pub fn bot_url(&self) -> String {
        self.shared.bot_url()
    }

    /// Where everything is kept.
    pub fn dir(&self) -> &Path {
        &self.shared.dir
    }

    /// Resolves when the bot has ended, which it does not by itself.
    pub async fn ended(&self) -> anyhow::Result<()> {
        loop {
            if let Some(playing) = self.shared.playing.lock().await.as_mut()
                && let Some(ended) = (&mut playing.bot).now_or_never()
            {
                return ended.context("the bot failed")?;
            }
            real_sleep(Duration::from_millis(500)).await;
        }
    }

    /// Writes everything down and ends.
    pub async fn stop(self) -> anyhow::Result<()> {
        if let Some(playing) = self.shared.playing.lock().await.take() {
            playing.director.keep().await?;
            playing.end().await;
        }
        self.shared.slack.save().await
    }
}

/// How a story begins that was not told before.
#[derive(Clone, Copy, Debug, Default)]
struct Begin {
    speed: Option<f64>,
    paused: bool,
}

impl Playing {
    async fn end(self) {
        self.story.abort();
        self.bot.abort();
        self.app.db().close().await;
    }
}

impl Shared {
    fn bot_url(&self) -> String {
        format!("http://{}", self.bot_at)
    }

    /// Starts the bot, and the story from where it was.
    async fn play(self: &Arc<Self>, listener: TcpListener, begin: Begin) -> anyhow::Result<Playing> {
        let url = self.bot_url();
        let database_url = stage::sqlite_in(&self.dir);
        let source = configuration(&Surroundings {
            bind: self.bot_at,
            url: &url,
            database_url: &database_url,
            documents: &self.dir.join(DOCUMENTS_FOLDER),
        })?;
        let config = Config::parse(&source, &self.dir.join("firebell.toml"))?;
        let (secrets, _) = config.given(&|_| None);
        let program = Program::assemble(Parts {
            config,
            clock: self.clock.clone(),
            database_url: SecretString::from(database_url),
            slack: SlackConfig { api_url: self.slack.api_url(), ..SlackConfig::new(SecretString::from(BOT_TOKEN)) },
            signing_secret: Some(SecretString::from(SIGNING_SECRET)),
            integration_keys: secrets.integration_keys,
            ways: WaySecrets::default(),
        })
        .await?;
        let app = program.app.clone();
        let progress = Progress::load(&app).await?;
        self.clock.set(progress.now);
        self.slack.set_delivery(Delivery::Http {
            commands_url: format!("{url}/slack/commands"),
            interactions_url: format!("{url}/slack/interactions"),
            events_url: format!("{url}/slack/events"),
        });
        let bot = tokio::spawn(program.run(listener));
        let player = Player {
            slack: self.slack.control(),
            app: app.clone(),
            bot_url: url,
            http: reqwest::Client::builder().no_proxy().build().context("no HTTP client")?,
            rest: resting(self.slack.control()),
            linger: Arc::new(|| real_sleep(LINGER).boxed()),
        };
        let progress = Progress {
            speed: begin.speed.unwrap_or(progress.speed),
            playing: progress.playing && !begin.paused,
            ..progress
        };
        let director = Arc::new(Director::new(player, progress, self.story));
        let story = tokio::spawn(director.clone().direct());
        Ok(Playing { app, bot, director, story })
    }

    /// Throws everything away and begins anew; returns when the new workspace stands.
    async fn start_over(self: &Arc<Self>) -> anyhow::Result<()> {
        let mut playing = self.playing.lock().await;
        let mut begin = Begin::default();
        self.slack.set_delivery(Delivery::Off);
        if let Some(old) = playing.take() {
            begin.speed = Some(old.director.speed());
            old.end().await;
        }
        forget(&self.dir)?;
        std::fs::create_dir_all(&self.dir).context("the folder cannot be made again")?;
        self.clock.set_speed(0.0);
        self.clock.set(story::begins_at());
        self.slack.start_over(Workspace::demo());
        self.slack.save().await?;
        let listener = again(self.bot_at).await?;
        *playing = Some(self.play(listener, begin).await?);
        Ok(())
    }
}

/// Lets deliveries arrive and the program work.
fn resting(slack: crate::sandbox::Control) -> Rest {
    Arc::new(move || {
        let slack = slack.clone();
        async move {
            // A visitor's own traffic must not hold the story up for ever.
            let _ = tokio::time::timeout(REST * 20, slack.settle()).await;
            real_sleep(REST).await;
        }
        .boxed()
    })
}

/// What the demo's configuration is told of its surroundings.
pub struct Surroundings<'a> {
    pub bind: SocketAddr,
    pub url: &'a str,
    pub database_url: &'a str,
    pub documents: &'a Path,
}

/// `firebell.example.toml`, placed here: over HTTP, with the story's monitoring system, which calls nobody by itself.
pub fn configuration(here: &Surroundings<'_>) -> anyhow::Result<String> {
    let mut config: toml::Table = EXAMPLE.parse().context("the example configuration is not TOML")?;
    let mut set = |section: &str, key: &str, value: toml::Value| {
        let section = config.entry(section).or_insert_with(|| toml::Table::new().into());
        if let Some(section) = section.as_table_mut() {
            section.insert(key.to_owned(), value);
        }
    };
    set("slack", "mode", "http".into());
    set("server", "bind", here.bind.to_string().into());
    set("server", "public_url", here.url.into());
    set("database", "url", here.database_url.into());
    set("export", "dir", here.documents.display().to_string().into());
    let monitoring: toml::Table = [
        ("key", toml::Value::from(MONITORING)),
        ("kind", "alertmanager".into()),
        ("key_sha256", hex::encode(alerts::keys::digest(ALERT_SECRET)).into()),
        ("severity", "sev2".into()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into_iter()
    .collect();
    let integrations = config.entry("integrations").or_insert_with(|| toml::Value::Array(Vec::new()));
    if let Some(integrations) = integrations.as_array_mut() {
        integrations.push(monitoring.into());
    }
    toml::to_string(&config).context("the configuration cannot be written")
}

/// Removes what the demo wrote, and nothing else.
fn forget(dir: &Path) -> anyhow::Result<()> {
    for name in ["firebell.db", "firebell.db-wal", "firebell.db-shm", "firebell.db-reserve", WORKSPACE_FILE] {
        let path = dir.join(name);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot remove {}", path.display()));
            }
            _ => {}
        }
    }
    let documents = dir.join(DOCUMENTS_FOLDER);
    match std::fs::remove_dir_all(&documents) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", documents.display()))
        }
        _ => Ok(()),
    }
}

/// The port, or a free one if another program has it.
async fn free_port(wanted: u16, option: &str, what: &str, moved: &mut Vec<String>) -> anyhow::Result<u16> {
    let listener = listener(wanted, option, what, moved).await?;
    Ok(listener.local_addr().context("the listener has no address")?.port())
}

async fn listener(wanted: u16, option: &str, what: &str, moved: &mut Vec<String>) -> anyhow::Result<TcpListener> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, wanted)).await {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse && wanted != 0 => {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("no port is free")?;
            let port = listener.local_addr().context("the listener has no address")?.port();
            moved.push(format!(
                "Port {wanted} is taken, so port {port} is used for {what} this time. Choose another with {option}."
            ));
            Ok(listener)
        }
        Err(error) => Err(error)
            .with_context(|| format!("cannot listen on 127.0.0.1:{wanted} for {what}. Choose another with {option}.")),
    }
}

/// The bot's port once more, as soon as the one before has let go of it.
async fn again(at: SocketAddr) -> anyhow::Result<TcpListener> {
    const TRIES: usize = 100;
    for _ in 0..TRIES {
        if let Ok(listener) = TcpListener::bind(at).await {
            return Ok(listener);
        }
        real_sleep(REST).await;
    }
    TcpListener::bind(at).await.with_context(|| format!("cannot listen on {at} again"))
}
