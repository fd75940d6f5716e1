//! `firebell export-user`: everything that is kept of a person.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use crate::cli::{self, Outcome, erase_user, records};
use crate::erasure;
use crate::ids::UserId;

/// Print everything that is kept of a person, as JSON.
///
/// What Slack said of them, every entry of the timelines that names them, private incidents too, what they were answered and
/// what waits to be sent to them. What stands in firebell.toml, in Slack, in backups and in documents that were handed on
/// is not in it.
#[derive(Debug, Args)]
pub struct ExportUserArgs {
    /// The person's id in Slack, such as U024BE7LH: "Copy member ID" in their profile
    #[arg(value_name = "USER", value_parser = erase_user::parse_user)]
    user: UserId,
    /// Another name to look for in texts, such as a full name or an address; can be given again
    #[arg(long, value_name = "NAME")]
    also: Vec<String>,
    /// Write to this file instead of printing
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    from: records::From,
}

/// Prints the document, or writes it.
pub async fn run(args: ExportUserArgs) -> anyhow::Result<Outcome> {
    let Some(records) = records::open(&args.from).await? else { return Ok(Outcome::BadInput) };
    let mut tx = records.db.read().await?;
    let found = erasure::find(&mut tx, &records.workspace, &args.user, &args.also).await?;
    if found.is_nothing() {
        return erase_user::unknown(&mut tx, &records, &args.user).await;
    }
    let kept = erasure::kept(&mut tx, &records.workspace, &found).await?;
    drop(tx);
    records.db.close().await;
    let text = format!("{kept:#}\n");
    match &args.out {
        None => cli::say(&text)?,
        Some(path) => std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?,
    }
    Ok(Outcome::Done)
}
