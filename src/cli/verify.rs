//! `firebell verify`: whether the history of incidents is as it was written.

use clap::Args;

use crate::cli::records::{self, Number};
use crate::cli::{self, Outcome};
use crate::store::{Error, history, substitutes};

/// Check that the history of incidents is as it was written.
///
/// Follows the hash chain through every entry and names the first that was changed, removed or added; then ends with
/// status 1. "Written anew" are entries in which somebody was made anonymous (`firebell erase-user`). Keep the heads that are printed in another place: whoever can rewrite the whole database can make a new
/// chain, but not one that ends in the same head.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Incidents, such as 42 or INC-42; all without
    #[arg(value_name = "NUMBER", value_parser = records::parse_number)]
    numbers: Vec<Number>,
    #[command(flatten)]
    from: records::From,
}

/// Prints a line for each incident.
pub async fn run(args: VerifyArgs) -> anyhow::Result<Outcome> {
    let Some(records) = records::open(&args.from).await? else { return Ok(Outcome::BadInput) };
    let mut tx = records.db.read().await?;
    let chosen = records::chosen(&mut tx, &records.workspace, &args.numbers).await?;
    let mut broken_count = 0_usize;
    for (number, id) in &chosen {
        let line = match history::verify(&mut tx, *id).await {
            Ok(Ok(verified)) => {
                let anew = substitutes::of(&mut tx, *id).await?.len();
                let erased = history::erased(&mut tx, *id).await?.len() - anew;
                let erased = match (erased, anew) {
                    (0, 0) => String::new(),
                    (erased, 0) => format!(" ({erased} erased)"),
                    (0, anew) => format!(" ({anew} written anew)"),
                    (erased, anew) => format!(" ({erased} erased, {anew} written anew)"),
                };
                let entries = cli::count(verified.entries as usize, "entry", "entries");
                format!("INC-{number}: {entries}{erased}, chain intact, head {}", verified.head)
            }
            Ok(Err(broken)) => {
                broken_count += 1;
                format!("INC-{number}: BROKEN at entry {}: {}", broken.seq, broken.why)
            }
            Err(error @ Error::DamagedRow { .. }) => {
                broken_count += 1;
                format!("INC-{number}: BROKEN: {error}")
            }
            Err(error) => return Err(error.into()),
        };
        cli::say(&format!("{line}\n"))?;
    }
    drop(tx);
    records.db.close().await;
    if chosen.is_empty() {
        cli::say(&format!("{}\n", records::newest(&[])))?;
    }
    if broken_count == 0 {
        return Ok(Outcome::Done);
    }
    eprintln!(
        "{} not as written. Keep a copy of the database, and compare it with a backup.",
        match broken_count {
            1 => "The history of one incident is".to_owned(),
            several => format!("The histories of {several} incidents are"),
        }
    );
    Ok(Outcome::NotInOrder)
}
