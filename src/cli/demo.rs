//! `firebell demo`: a workspace with the bot in it, and a story, on a machine with nothing else.

use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;

use super::serve::told_to_stop;
use crate::demo::{Demo, Options};

/// Try everything: a local Slack workspace with the bot in it, and an incident that plays.
///
/// Needs no account, no configuration and no network.
#[derive(Args, Clone, Debug)]
pub struct DemoArgs {
    /// Port of the workspace on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 8790)]
    port: u16,
    /// Port of the bot's own pages on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 8791)]
    bot_port: u16,
    /// Where the demo keeps its state; made if it is not there
    #[arg(long, default_value = "demo-data", value_name = "FOLDER")]
    dir: PathBuf,
    /// How many of the story's seconds pass in one of yours (30, or as it was left)
    #[arg(long, value_name = "TIMES", value_parser = speed)]
    speed: Option<f64>,
    /// Start with the story standing still
    #[arg(long)]
    paused: bool,
    /// Only the workspace and the bot; nobody else acts
    #[arg(long, conflicts_with = "speed")]
    no_story: bool,
    /// Throw away what an earlier run left in the folder
    #[arg(long)]
    fresh: bool,
}

fn speed(text: &str) -> Result<f64, String> {
    let number = text.trim_end_matches(['x', '×']).parse::<f64>().ok();
    number.filter(|speed| (0.1..=5_000.0).contains(speed)).ok_or_else(|| "a number from 0.1 to 5000, such as 30".into())
}

/// Runs the demo until it is told to stop.
pub async fn run(args: DemoArgs) -> anyhow::Result<()> {
    let tells = !args.no_story;
    let demo = Demo::start(Options {
        port: args.port,
        bot_port: args.bot_port,
        dir: args.dir,
        speed: args.speed,
        paused: args.paused,
        story: !args.no_story,
        fresh: args.fresh,
    })
    .await?;
    let mut out = std::io::stdout();
    for sentence in &demo.moved {
        writeln!(out, "{sentence}")?;
    }
    let begins = match (demo.goes_on, tells) {
        (true, _) => "Goes on where it was left.",
        (false, true) => "A story begins.",
        (false, false) => "A workspace without a story: you act.",
    };
    writeln!(out, "{begins} Open this in a browser:\n")?;
    writeln!(out, "    {:<27} the Slack workspace", demo.page_url())?;
    writeln!(out, "    {:<27} incident pages and postmortems\n", format!("{}/", demo.bot_url()))?;
    writeln!(out, "Everything is kept in {}. Ctrl-C stops; starting again goes on.", demo.dir().display())?;
    writeln!(out, "--fresh begins anew.")?;
    out.flush()?;
    tokio::select! {
        ended = demo.ended() => ended?,
        () = told_to_stop() => {}
    }
    demo.stop().await?;
    writeln!(out, "\nStopped. Start it again and it goes on from here.")?;
    Ok(())
}
