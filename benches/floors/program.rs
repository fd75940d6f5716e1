//! The release binary, run as an administrator would, against a sandbox workspace in this process.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use firebell::clock::Clock;
use firebell::sandbox::{Act, Delivery, Running, Sandbox, SandboxConfig};

use crate::floor::{free_port, on_first_core};
use crate::load::{SIGNING_SECRET, Target};

const BOT_TOKEN: &str = "xoxb-bench-bot-token";

/// Two teams with the shortest first tiers there are.
const CONFIG: &str = include_str!("../../tests/two_teams.toml");

pub struct Program {
    pub slack: Running,
    pub folder: tempfile::TempDir,
    port: u16,
    child: Child,
    /// From the start of the process to its first 200.
    pub started_in: Duration,
}

impl Program {
    /// Starts a sandbox and the binary on an empty database.
    pub async fn start(extra: &str) -> Result<Self> {
        Self::start_in(tempfile::tempdir()?, extra).await
    }

    /// Starts on the database in this folder.
    pub async fn start_in(folder: tempfile::TempDir, extra: &str) -> Result<Self> {
        let slack = Sandbox::start(SandboxConfig {
            clock: Clock::System,
            bot_token: BOT_TOKEN.to_owned(),
            signing_secret: SIGNING_SECRET.to_owned(),
            rate_limits: false,
            ..SandboxConfig::default()
        })
        .await?;
        let port = free_port()?;
        let config = folder.path().join("firebell.toml");
        std::fs::write(&config, format!("{CONFIG}\n[server]\nbind = \"127.0.0.1:{port}\"\n{extra}"))?;
        let begun = Instant::now();
        let child = spawn(&config, &slack.api_url(), &database(folder.path()))?;
        let started_in = first_200(port, begun).await?;
        slack.set_delivery(Delivery::Http {
            commands_url: format!("http://127.0.0.1:{port}/slack/commands"),
            interactions_url: format!("http://127.0.0.1:{port}/slack/interactions"),
            events_url: format!("http://127.0.0.1:{port}/slack/events"),
        });
        Ok(Self { slack, folder, port, child, started_in })
    }

    /// Stops the process, keeps the folder.
    pub fn stop(mut self) -> Result<tempfile::TempDir> {
        self.child.kill()?;
        self.child.wait()?;
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir()?);
        Ok(folder)
    }

    pub fn target(&self) -> Target {
        Target { name: "Firebell".to_owned(), port: self.port, path: "/slack/commands" }
    }

    /// The channel of a fresh incident.
    pub async fn channel(&self) -> Result<String> {
        let act = Act::Command { channel: "C0SHOPOPS1".to_owned(), text: "/incident open bench".to_owned() };
        self.slack.act("U0ANA00001", act).await?;
        for _ in 0..200 {
            if let Some(channel) = self.slack.find_channel("inc-1-bench") {
                return Ok(channel);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!("the incident's channel does not appear")
    }

    /// Resident memory, as the kernel counts it.
    pub fn resident_mib(&self) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("no VmRSS")?;
        let kib: f64 = line.split_whitespace().nth(1).context("no figure")?.parse()?;
        Ok(kib / 1024.0)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn database(folder: &Path) -> String {
    format!("sqlite:{}", folder.join("firebell.db").display())
}

fn spawn(config: &Path, api_url: &str, database: &str) -> Result<Child> {
    on_first_core(env!("CARGO_BIN_EXE_firebell"))
        .args(["serve", "--config", &config.display().to_string()])
        .env("SLACK_BOT_TOKEN", BOT_TOKEN)
        .env("SLACK_SIGNING_SECRET", SIGNING_SECRET)
        .env("SLACK_API_URL", api_url)
        .env("DATABASE_URL", database)
        .env("FIREBELL_LOG", "error")
        .stdout(Stdio::null())
        .spawn()
        .context("the program does not start")
}

async fn first_200(port: u16, begun: Instant) -> Result<Duration> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    for _ in 0..20_000 {
        let answer = client.get(format!("http://127.0.0.1:{port}/healthz")).send().await;
        if answer.is_ok_and(|answer| answer.status().is_success()) {
            return Ok(begun.elapsed());
        }
        tokio::time::sleep(Duration::from_micros(500)).await;
    }
    bail!("the program does not answer")
}
