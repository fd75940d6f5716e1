//! `firebell sandbox`: only the local Slack workspace, for apps in any language to be pointed at.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use crate::clock::Clock;
use crate::sandbox::{Delivery, Sandbox, SandboxConfig, Workspace};

/// Run a local Slack workspace to try things in: Web API, signed requests, Socket Mode, and a page to click in.
#[derive(Args, Clone, Debug)]
pub struct SandboxArgs {
    /// Port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 8090)]
    pub port: u16,
    /// The bot token (xoxb-…) that the app calls the Web API with
    #[arg(long, default_value = "xoxb-sandbox-bot-token")]
    pub bot_token: String,
    /// The app token (xapp-…) that the app opens Socket Mode connections with
    #[arg(long, default_value = "xapp-sandbox-app-token")]
    pub app_token: String,
    /// The secret that requests to the app are signed with
    #[arg(long, default_value = "sandbox-signing-secret")]
    pub signing_secret: String,
    /// Where the app takes slash commands
    #[arg(long, requires_all = ["interactions_url", "events_url"], conflicts_with = "socket_mode")]
    pub commands_url: Option<String>,
    /// Where the app takes buttons, forms and shortcuts
    #[arg(long, requires = "commands_url")]
    pub interactions_url: Option<String>,
    /// Where the app takes events
    #[arg(long, requires = "commands_url")]
    pub events_url: Option<String>,
    /// Deliver by Socket Mode: the app connects to us
    #[arg(long)]
    pub socket_mode: bool,
    /// A JSON file with the workspace to begin with, instead of the demo's
    #[arg(long)]
    pub workspace: Option<PathBuf>,
    /// A file that keeps the workspace across restarts
    #[arg(long)]
    pub state: Option<PathBuf>,
    /// Do not emulate Slack's rate limits
    #[arg(long)]
    pub no_rate_limits: bool,
    /// Start with a clock that stands still at this instant (RFC 3339) and is set by POST /_control/clock
    #[arg(long)]
    pub clock: Option<chrono::DateTime<chrono::Utc>>,
}

/// Runs the sandbox until the program is interrupted.
pub async fn run(args: SandboxArgs) -> anyhow::Result<()> {
    let fixture = match &args.workspace {
        None => Workspace::demo(),
        Some(path) => {
            let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            serde_json::from_str(&text).with_context(|| format!("{} does not describe a workspace", path.display()))?
        }
    };
    let delivery = match (args.commands_url, args.interactions_url, args.events_url) {
        (Some(commands_url), Some(interactions_url), Some(events_url)) => {
            Delivery::Http { commands_url, interactions_url, events_url }
        }
        _ if args.socket_mode => Delivery::SocketMode,
        _ => Delivery::Off,
    };
    // What an app needs to be pointed here, ready to be pasted into its environment; made-up secrets of this machine.
    let environment = [
        ("SLACK_BOT_TOKEN", args.bot_token.clone()),
        ("SLACK_APP_TOKEN", args.app_token.clone()),
        ("SLACK_SIGNING_SECRET", args.signing_secret.clone()),
    ];
    let running = Sandbox::start(SandboxConfig {
        clock: args.clock.map_or(Clock::System, Clock::manual),
        port: args.port,
        bot_token: args.bot_token,
        app_token: args.app_token,
        signing_secret: args.signing_secret,
        delivery,
        fixture,
        state_path: args.state,
        rate_limits: !args.no_rate_limits,
        ..SandboxConfig::default()
    })
    .await?;
    let mut out = std::io::stdout();
    writeln!(out, "Slack workspace: {}", running.page_url())?;
    writeln!(out, "SLACK_API_URL={}", running.api_url())?;
    for (name, value) in environment {
        writeln!(out, "{name}={value}")?;
    }
    out.flush()?;
    tokio::signal::ctrl_c().await.context("cannot wait for an interrupt")?;
    running.shutdown().await
}
