//! `firebell replay`: recorded incidents through the whole program.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use crate::cli::Outcome;
use crate::config::Format;
use crate::domain::postmortem::{json, markdown};
use crate::replay::{self, record};
use crate::{export, web};

/// Plays recorded incidents through the whole program and prints the documents.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Recorded incidents, as docs/REPLAY.md describes them.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// What is printed: md, html or json.
    #[arg(long, default_value = "md", value_parser = parse_format)]
    format: Format,
    /// Write the documents of each incident below this directory instead of printing one.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

fn parse_format(word: &str) -> Result<Format, String> {
    Format::parse(word).ok_or_else(|| format!("“{word}” is none of md, html, json"))
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
        let text = match args.format {
            Format::Markdown => markdown::markdown(document),
            Format::Html => web::document::html(document),
            Format::Json => json::json(document),
        };
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| writeln!(out)).context("the document cannot be printed")?;
    }
    Ok(Outcome::Done)
}
