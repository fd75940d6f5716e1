//! `firebell serve`: the bot.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;

use crate::cli::{self, Outcome};
use crate::clock::Clock;
use crate::config::secrets::environment;
use crate::config::{Config, DEFAULT_PATH, Mode};
use crate::crash::{self, Point};
use crate::program::{self, Parts, Program};
use crate::slack::{API_URL, SlackConfig};

/// How long transactions under way may take to end when the program stops.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// Run the bot.
///
/// Until it is told to stop, by Ctrl-C or SIGTERM. What is under way then is kept, and goes on at the next start.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// The configuration
    #[arg(long, default_value = DEFAULT_PATH, value_name = "FILE")]
    config: PathBuf,
}

/// Serves; ends on SIGINT or SIGTERM.
pub async fn run(args: ServeArgs) -> anyhow::Result<Outcome> {
    let config = match Config::load(&args.config) {
        Ok(config) => config,
        Err(mistakes) => return Ok(cli::explain(&mistakes)),
    };
    let secrets = match config.secrets(&environment) {
        Ok(secrets) => secrets,
        Err(problems) => {
            for problem in problems {
                eprintln!("{problem}");
            }
            return Ok(Outcome::BadInput);
        }
    };
    let missing = secrets.missing(config.settings.slack.mode);
    if !missing.is_empty() {
        eprintln!(
            "Missing: {}. Set it in the environment, or name a file in [slack] of {}.",
            missing.join(", "),
            args.config.display()
        );
        return Ok(Outcome::BadInput);
    }
    let bind = config.settings.server.bind;
    let socket_mode = config.settings.slack.mode == Mode::Socket;
    let slack = SlackConfig {
        api_url: secrets.api_url.clone().unwrap_or_else(|| API_URL.to_owned()),
        app_token: secrets.app_token.clone(),
        workspace: config.settings.slack.workspace.clone(),
        ..SlackConfig::new(secrets.bot_token.clone().context("the bot token was checked above")?)
    };
    let listener = program::bind(bind).await?;
    let program = Program::assemble(Parts {
        config,
        clock: Clock::System,
        database_url: secrets.database_url.clone(),
        slack,
        signing_secret: secrets.signing_secret.clone().filter(|_| !socket_mode),
        integration_keys: secrets.integration_keys.clone(),
        ways: secrets.ways.clone(),
    })
    .await?;
    let told = told_to_stop();
    let way = if socket_mode { "over Socket Mode" } else { "at /slack/…" };
    tracing::info!(address = %listener.local_addr()?, "Firebell serves; Slack is heard {way}");
    let (worker, db) = (program.worker.clone(), program.app.db().clone());
    let stopped = async {
        told.await;
        tracing::info!("told to stop; finishing what is under way");
        crash::at(Point::StopTold);
        worker.stop().await;
        crash::at(Point::Stopped);
    };
    tokio::select! {
        ended = program.run(listener) => ended?,
        () = stopped => {}
    }
    // A log that is folded into the file needs no permission to write from those who read it next.
    if tokio::time::timeout(CLOSE_WITHIN, db.close()).await.is_err() {
        tracing::info!("the database was still in use when the program ended; nothing is lost");
    }
    crash::at(Point::DatabaseClosed);
    Ok(Outcome::Done)
}

/// Listens from now on for SIGINT (Ctrl-C) and SIGTERM; resolves at the first of either.
pub(crate) fn told_to_stop() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let [interrupt, terminate] = [SignalKind::interrupt(), SignalKind::terminate()].map(signal);
    let told = |listening: std::io::Result<tokio::signal::unix::Signal>| async {
        match listening {
            Ok(mut listening) => drop(listening.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    async move {
        tokio::select! {
            () = told(interrupt) => {}
            () = told(terminate) => {}
        }
    }
}
