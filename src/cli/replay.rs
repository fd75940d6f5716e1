//! `firebell replay`: recorded incidents through the whole program.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

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
    /// Recorded incidents, as docs/REPLAY.md describes them; - reads one from standard input
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
    let mut folders = Folders::default();
    for (file, record) in records {
        let dir = args.out.as_ref().map(|out| folders.of(out, file));
        let played = replay::play(&record, dir.as_deref()).await;
        let replayed = played.with_context(|| format!("{} could not be replayed", file.display()))?;
        let document = &replayed.document;
        match dir {
            Some(dir) => {
                let exported = export::export(&dir, document, true)?;
                let folder = exported.map_or(dir, |exported| exported.folder);
                cli::say(&format!("{}: {}\n", file.display(), folder.display()))?;
            }
            None => cli::say(&cli::as_text(document, args.format))?,
        }
    }
    Ok(Outcome::Done)
}

/// A folder for each recording, since each is the first incident of a database of its own.
#[derive(Default)]
struct Folders {
    taken: BTreeSet<PathBuf>,
}

impl Folders {
    fn of(&mut self, out: &Path, file: &Path) -> PathBuf {
        let stem = file.file_stem().filter(|_| !record::is_standard_input(file));
        let stem = stem.unwrap_or(OsStr::new("recording")).to_string_lossy();
        let names = std::iter::once(stem.to_string()).chain((2_u32..).map(|number| format!("{stem}-{number}")));
        let free = names.map(|name| out.join(name)).find(|folder| !self.taken.contains(folder));
        let folder = free.unwrap_or_else(|| out.to_owned());
        self.taken.insert(folder.clone());
        folder
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recordings_of_the_same_name_get_folders_of_their_own() {
        let mut folders = Folders::default();
        let mut of = |file: &str| folders.of(Path::new("out"), Path::new(file));
        assert_eq!(of("a/outage.json"), Path::new("out/outage"));
        assert_eq!(of("b/outage.json"), Path::new("out/outage-2"));
        assert_eq!(of("b/other.json"), Path::new("out/other"));
    }
}
