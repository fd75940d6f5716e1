//! The program, one life after the other on the same database.

use std::ffi::OsStr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use firebell::clock::Clock;
use firebell::store::{Db, incidents, outbox, timers};
use rustix::process::{Pid, Signal, kill_process};

use crate::slack::{BOT_TOKEN, SIGNING_SECRET, Slack};

const CONFIG: &str = include_str!("../two_teams.toml");

/// Something must have moved within this time: the longest wait is that before a call is tried again.
const STILL_MAX: Duration = Duration::from_mins(2);

pub struct Bot {
    config: PathBuf,
    /// What all its lives complained about.
    log: PathBuf,
    api_url: String,
    port: u16,
    pub database: String,
    program: PathBuf,
}

/// The process, until it is killed or dropped.
pub struct Life(Child);

/// The binary under test.
pub fn binary() -> PathBuf {
    std::env::var_os("FIREBELL_BIN").map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_firebell")), PathBuf::from)
}

impl Bot {
    /// A program that answers at this port; several may share a database.
    pub fn new(folder: &Path, slack: &Slack, database: String, port: u16) -> Self {
        let config = folder.join(format!("firebell-{port}.toml"));
        // All tiers as short as they can be, so that a call comes to its end while we watch.
        let teams = CONFIG.replace("\"1h\"", "\"10s\"");
        std::fs::write(&config, format!("{teams}\n[server]\nbind = \"127.0.0.1:{port}\"\n")).unwrap();
        Self {
            config,
            log: folder.join(format!("log-{port}")),
            api_url: slack.api_url.clone(),
            port,
            database,
            program: binary(),
        }
    }

    /// The same program as it was built with the tests, whatever else is to be tested.
    pub fn built_here(self) -> Self {
        Self { program: PathBuf::from(env!("CARGO_BIN_EXE_firebell")), ..self }
    }

    /// The same program, with more in its configuration.
    pub fn with(self, more: &str) -> Self {
        let config = std::fs::read_to_string(&self.config).unwrap();
        std::fs::write(&self.config, format!("{config}{more}")).unwrap();
        self
    }

    /// Starts it and waits for its first answer.
    pub async fn start(&self) -> Life {
        let mut life = self.spawn(&[]);
        tokio::select! {
            () = life.dead() => panic!("the program ended at its start:\n{}", self.log()),
            () = self.answers() => {}
        }
        life
    }

    /// Starts it, with more in its environment, and waits for nothing.
    pub fn spawn(&self, environment: &[(&str, &str)]) -> Life {
        Life(self.command(&[]).envs(environment.iter().copied()).spawn().unwrap())
    }

    /// Has another program start it, and waits for nothing.
    pub fn spawn_under(&self, program: &[&str]) -> Life {
        Life(self.command(program).spawn().unwrap())
    }

    fn command(&self, under: &[&str]) -> Command {
        let mut words = under.iter().map(OsStr::new).chain([self.program.as_os_str()]);
        let mut command = Command::new(words.next().expect("there is the program at least"));
        command
            .args(words)
            .args(["serve", "--config", &self.config.display().to_string()])
            .env_clear()
            .env("SLACK_BOT_TOKEN", BOT_TOKEN)
            .env("SLACK_SIGNING_SECRET", SIGNING_SECRET)
            .env("SLACK_API_URL", &self.api_url)
            .env("DATABASE_URL", &self.database)
            .env("FIREBELL_LOG", "error")
            .stdout(Stdio::null())
            .stderr(std::fs::OpenOptions::new().create(true).append(true).open(&self.log).unwrap());
        command
    }

    /// Waits for its first answer.
    pub async fn answers(&self) {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let healthz = format!("http://127.0.0.1:{}/healthz", self.port);
        let begun = Instant::now();
        while !http.get(&healthz).send().await.is_ok_and(|answer| answer.status().is_success()) {
            assert!(begun.elapsed() < Duration::from_mins(1), "the program does not answer:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What all its lives complained about.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until nothing is due, waiting or under way; fails when nothing moves any more.
    pub async fn come_to_rest(&self) {
        let db = self.db().await;
        let (mut last, mut moved) = (String::new(), Instant::now());
        loop {
            let mut tx = db.read().await.unwrap();
            let timers = timers::count(&mut tx).await.unwrap();
            let incidents = incidents::all_ids(&mut tx).await.unwrap();
            let waiting = outbox::pending_of(&mut tx, &incidents).await.unwrap();
            let sending: u64 = outbox::depth(&mut tx).await.unwrap().values().map(|depth| depth.sending).sum();
            drop(tx);
            if timers == 0 && waiting.is_empty() && sending == 0 {
                return db.close().await;
            }
            let now = format!("{timers} timers, {sending} under way, waiting: {waiting:?}");
            if now != last {
                (last, moved) = (now, Instant::now());
            }
            assert!(moved.elapsed() < STILL_MAX, "nothing moved for {STILL_MAX:?}: {last}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub async fn db(&self) -> Db {
        let begun = Instant::now();
        loop {
            match Db::open(&self.database, &Clock::System).await {
                Ok(db) => return db,
                // Many programs at once on a busy machine.
                Err(error) => assert!(begun.elapsed() < Duration::from_mins(1), "{error}"),
            }
        }
    }
}

impl Life {
    /// SIGKILL, and gone.
    pub fn kill(&mut self) {
        // It may have ended by itself only by a mistake, which the judge will see.
        let _ = self.0.kill();
        self.0.wait().unwrap();
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// SIGTERM, and gone when it has finished what it was doing.
    pub fn end(mut self) {
        self.signal(Signal::TERM);
        self.0.wait().unwrap();
    }

    /// Waits until it has ended, by itself or not.
    pub async fn dead(&mut self) {
        while self.0.try_wait().unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub fn has_ended(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }

    /// Whether SIGKILL ended it.
    pub fn was_killed(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some_and(|ended| ended.signal() == Some(Signal::KILL.as_raw()))
    }

    /// SIGTERM.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// SIGSTOP: it is still there and does nothing.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// SIGCONT.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let id = Pid::from_raw(self.0.id().cast_signed()).expect("it is alive or not yet waited for");
        kill_process(id, signal).unwrap();
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.kill();
    }
}
