//! The command line: one file per subcommand.

pub mod check;
pub mod demo;
pub mod doctor;
pub mod erase_user;
pub mod export;
pub mod export_user;
pub mod key;
pub mod manifest;
pub mod records;
pub mod replay;
pub mod sandbox;
pub mod serve;
pub mod verify;

use std::io::{IsTerminal as _, Write as _};

use anyhow::Context as _;
use clap::{Parser, Subcommand};

use crate::config::secrets::environment;
use crate::config::{Format, Mistakes};
use crate::domain::postmortem::{Postmortem, json, markdown};
use crate::web;

/// What is printed when nothing is asked for.
const OVERVIEW: &str = "\
Firebell pages a team tier by tier until a human acknowledges, and writes the postmortem from the timeline.

Look at it first, without any account:

    firebell demo        a local Slack workspace, the bot and a story, in your browser

Then connect it to your own workspace (README.md goes through it step by step):

    firebell manifest    the Slack app to create
    firebell check       what your firebell.toml means, or everything that is wrong with it
    firebell doctor      what would keep a page from going out
    firebell serve       run the bot

Afterwards:

    firebell export 42   the postmortem of INC-42
    firebell verify      whether every history is as it was written
    firebell erase-user  make somebody who has left anonymous (export-user shows what is kept)

`firebell help` lists everything, `firebell help <command>` explains one.
";

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
    command: Option<Command>,
}

// What each is for is written at its arguments.
#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::DemoArgs),
    Serve(serve::ServeArgs),
    Check(check::Args),
    Doctor(doctor::DoctorArgs),
    Manifest(manifest::Args),
    Key(key::Args),
    Export(export::ExportArgs),
    Verify(verify::VerifyArgs),
    ExportUser(export_user::ExportUserArgs),
    EraseUser(erase_user::EraseUserArgs),
    Replay(replay::ReplayArgs),
    Sandbox(sandbox::SandboxArgs),
}

/// Runs the subcommand.
///
/// # Errors
/// What could not be done, with the causes; printed by `main`.
pub async fn run(cli: Cli) -> anyhow::Result<Outcome> {
    match cli.command {
        None => say(OVERVIEW).map(|()| Outcome::Done),
        Some(Command::Demo(args)) => demo::run(args).await.map(|()| Outcome::Done),
        Some(Command::Serve(args)) => serve::run(args).await,
        Some(Command::Check(args)) => check::run(&args),
        Some(Command::Doctor(args)) => doctor::run(args).await,
        Some(Command::Manifest(args)) => manifest::run(&args).map(|()| Outcome::Done),
        Some(Command::Key(args)) => key::run(&args),
        Some(Command::Export(args)) => export::run(args).await,
        Some(Command::Verify(args)) => verify::run(args).await,
        Some(Command::ExportUser(args)) => export_user::run(args).await,
        Some(Command::EraseUser(args)) => erase_user::run(args).await,
        Some(Command::Replay(args)) => replay::run(args).await,
        Some(Command::Sandbox(args)) => sandbox::run(args).await.map(|()| Outcome::Done),
    }
}

/// Prints to standard output. A reader that has seen enough, such as `head`, is no failure.
fn say(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("standard output cannot be written"),
    }
}

/// Prints what is wrong with a configuration.
fn explain(mistakes: &Mistakes) -> Outcome {
    let styled = std::io::stderr().is_terminal() && environment("NO_COLOR").is_none();
    eprintln!("{}", mistakes.render(styled));
    Outcome::BadInput
}

fn parse_format(word: &str) -> Result<Format, String> {
    Format::parse(word).ok_or_else(|| "write md, html or json".to_owned())
}

/// A document in one format, ending in a line break.
fn as_text(document: &Postmortem, format: Format) -> String {
    let mut text = match format {
        Format::Markdown => markdown::markdown(document),
        Format::Html => web::document::html(document),
        Format::Json => json::json(document),
    };
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// "1 entry", "2 entries".
fn count(number: usize, one: &str, several: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { several })
}
