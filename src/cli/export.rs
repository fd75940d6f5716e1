//! `firebell export`: the documents of incidents, from the database alone.

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Args;

use crate::cli::records::{self, Number, Records};
use crate::cli::{self, Outcome};
use crate::clock::Clock;
use crate::config::Format;
use crate::domain::postmortem::Postmortem;
use crate::domain::roster::Directory;
use crate::export;
use crate::ids::IncidentId;
use crate::store::{Tx, history, incidents, people};

/// Print or write the postmortems of incidents.
///
/// Reads the database alone: Slack may be away, and Firebell may run or not.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Incidents, such as 42 or INC-42
    #[arg(value_name = "NUMBER", value_parser = records::parse_number, conflicts_with = "all")]
    numbers: Vec<Number>,
    /// All incidents except private ones
    #[arg(long)]
    all: bool,
    /// With --all: private incidents too
    #[arg(long, requires = "all")]
    private: bool,
    /// What is printed: md, html or json
    #[arg(long, default_value = "md", value_parser = cli::parse_format)]
    format: Format,
    /// Write all three formats below this directory, a folder for each incident, instead of printing
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    from: records::From,
}

/// Prints the documents, or the folders they were written to.
pub async fn run(args: ExportArgs) -> anyhow::Result<Outcome> {
    let Some(records) = records::open(&args.from).await? else { return Ok(Outcome::BadInput) };
    let mut tx = records.db.read().await?;
    let chosen = records::chosen(&mut tx, &records.workspace, &args.numbers).await?;
    if args.numbers.is_empty() && !args.all {
        eprintln!("Say which: `firebell export 42`, or `firebell export --all`. {}", records::newest(&chosen));
        return Ok(Outcome::BadInput);
    }
    if chosen.len() > 1 && args.out.is_none() && args.format == Format::Html {
        bail!("several HTML documents cannot be printed as one. Add --out DIR, which makes a folder for each.");
    }
    let directory = people::load_directory(&mut tx, &records.workspace).await?;
    let mut exported = 0_usize;
    for (_, id) in &chosen {
        let document = document(&mut tx, &records, &directory, *id).await?;
        if document.incident.private && args.all && !args.private {
            continue;
        }
        exported += 1;
        match &args.out {
            Some(dir) => write(dir, &document)?,
            None => cli::say(&cli::as_text(&document, args.format))?,
        }
    }
    drop(tx);
    records.db.close().await;
    if exported == 0 {
        eprintln!("Nothing was exported. {}", records::newest(&chosen));
    }
    Ok(Outcome::Done)
}

async fn document(tx: &mut Tx, records: &Records, directory: &Directory, id: IncidentId) -> anyhow::Result<Postmortem> {
    let incident = incidents::load(tx, id).await?.incident;
    let history = history::load(tx, id).await?;
    Ok(records.documents.postmortem(&incident, &history, directory, Clock::System.now()))
}

fn write(dir: &Path, document: &Postmortem) -> anyhow::Result<()> {
    let Some(exported) = export::export(dir, document, true)? else { return Ok(()) };
    cli::say(&format!("{}: {}\n", document.name, exported.folder.display()))?;
    if let Some(aside) = exported.aside {
        eprintln!(
            "{}: postmortem.md is somebody's own text and was left alone; see {}.",
            document.name,
            aside.display()
        );
    }
    Ok(())
}
