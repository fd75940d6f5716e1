//! The command line: one file per subcommand.

pub mod check;
pub mod demo;
pub mod doctor;
pub mod manifest;
pub mod replay;
pub mod sandbox;
pub mod serve;

use clap::{Parser, Subcommand};

/// How a subcommand ended, besides failing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// Something was looked at and is not in order: exit status 1.
    NotInOrder,
    /// A file or setting that was given is wrong and has been explained: exit status 2.
    BadInput,
}

/// Firebell pages a team tier by tier until a human acknowledges, and writes the postmortem from the timeline.
#[derive(Debug, Parser)]
#[command(name = "firebell", version, about, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Try everything: a local Slack workspace with the bot in it, and an incident that plays
    Demo(demo::DemoArgs),
    /// Run the bot
    Serve(serve::ServeArgs),
    /// Say what the configuration means, or everything that is wrong with it
    Check(check::Args),
    /// Print the manifest of the Slack app
    Manifest(manifest::Args),
    /// Play recorded incidents through the whole program and print their postmortems
    Replay(replay::ReplayArgs),
    /// Run a local Slack workspace to try things in
    Sandbox(sandbox::SandboxArgs),
}

/// Runs the subcommand.
///
/// # Errors
/// What could not be done, with the causes; printed by `main`.
pub async fn run(cli: Cli) -> anyhow::Result<Outcome> {
    match cli.command {
        Command::Demo(args) => demo::run(args).await.map(|()| Outcome::Done),
        Command::Serve(args) => serve::run(args).await,
        Command::Check(args) => check::run(&args),
        Command::Manifest(args) => manifest::run(&args).map(|()| Outcome::Done),
        Command::Replay(args) => replay::run(args).await,
        Command::Sandbox(args) => sandbox::run(args).await.map(|()| Outcome::Done),
    }
}
