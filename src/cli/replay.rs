//! `firebell replay`: recorded incidents through the whole program.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use crate::cli::{self, Outcome};
use crate::config::Format;
use crate::export;
use crate::replay::{self, record};

/// Play recorded incidents through the whole program and print their postmortems.
///
/// A local Slack workspace, a new database and a clock that jumps from entry to entry; nothing of your own is touched.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Recorded incidents, as docs/REPLAY.md describes them
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// What is printed: md, html or json
    #[arg(long, default_value = "md", value_parser = cli::parse_format)]
    format: Format,
    /// Write all three formats below this directory, a folder for each incident, instead of printing
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Reads all files before the first is played, so that a mistake in the last is told at once.
pub async fn run(args: ReplayArgs) -> anyhow::Result<Outcome> {
    let (mut records, mut malformed) = (Vec::new(), false);
    for file in &args.files {
        match record::read(file) {
            Ok(record) => records.push((file, record)),
            Err(problems) => {
                malformed = true;
                eprintln!("{problems}");
            }
        }
    }
    if malformed {
        return Ok(Outcome::BadInput);
    }
    for (file, record) in records {
        let played = replay::play(&record, args.out.as_deref()).await;
        let replayed = played.with_context(|| format!("{} could not be replayed", file.display()))?;
        let document = &replayed.document;
        if let Some(dir) = &args.out {
            let exported = export::export(dir, document, true)?;
            let folder = exported.map_or_else(|| dir.clone(), |exported| exported.folder);
            println!("{}: {}", file.display(), folder.display());
            continue;
        }
        cli::say(&cli::as_text(document, args.format))?;
    }
    Ok(Outcome::Done)
}
