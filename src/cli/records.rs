//! The database as `export` and `verify` read it: without Slack, and without making a new one by mistake.

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Args;
use secrecy::{ExposeSecret as _, SecretString};

use crate::cli;
use crate::clock::Clock;
use crate::config::secrets::environment;
use crate::config::{Config, DEFAULT_PATH};
use crate::ids::{IncidentId, WorkspaceId};
use crate::program::WORKSPACE_KEY;
use crate::store::{Db, Error, Tx, incidents, look, settings};
use crate::worker::Documents;

/// Most numbers that are named where one was not found.
const NAMED_MAX: usize = 8;

/// Where the incidents are.
#[derive(Clone, Debug, Args)]
pub struct From {
    /// The configuration, which names the database; DATABASE_URL in the environment beats it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// An open database and whose incidents are in it.
pub struct Records {
    pub db: Db,
    pub workspace: WorkspaceId,
    pub documents: Documents,
    /// `None`: there is none, only a database.
    pub config: Option<Config>,
}

/// Opens the database. `None`: the configuration is wrong, which has been explained.
pub async fn open(from: &From) -> anyhow::Result<Option<Records>> {
    open_for(from, Purpose::Reading).await
}

/// As [`open`], to change what is in it.
pub async fn open_to_write(from: &From) -> anyhow::Result<Option<Records>> {
    open_for(from, Purpose::Writing).await
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Reading,
    Writing,
}

async fn open_for(from: &From, purpose: Purpose) -> anyhow::Result<Option<Records>> {
    let path = from.config.as_deref().unwrap_or(Path::new(DEFAULT_PATH));
    let named = environment("DATABASE_URL").map(SecretString::from);
    let (url, config) = match named {
        // A copy of a database can be read where there is no configuration.
        Some(url) if from.config.is_none() && !path.exists() => (url, None),
        Some(_) | None => match Config::load(path) {
            Err(mistakes) => {
                cli::explain(&mistakes);
                return Ok(None);
            }
            Ok(config) => match config.database_url(&environment) {
                Ok(url) => (url, Some(config)),
                Err(problems) => {
                    for problem in problems {
                        eprintln!("{problem}");
                    }
                    return Ok(None);
                }
            },
        },
    };
    let url = url.expose_secret();
    if let Some(file) = look::missing_file(url) {
        bail!(
            "there is no database at {}. `firebell serve` makes it; or set DATABASE_URL to where it is, such as \
             sqlite:/var/lib/firebell/firebell.db.",
            file.display()
        );
    }
    let db = match purpose {
        Purpose::Writing => Db::open(url, &Clock::System).await?,
        Purpose::Reading => match Db::open_to_read(url, &Clock::System).await {
            // An old copy can be read after it was brought up to date.
            Err(Error::OlderSchema { .. }) => Db::open(url, &Clock::System).await?,
            opened => opened?,
        },
    };
    let mut tx = db.read().await?;
    let workspace = settings::get(&mut tx, WORKSPACE_KEY).await?;
    drop(tx);
    let Some(workspace) = workspace else {
        bail!("{} has no incidents yet: it has not met a Slack workspace.", db.location());
    };
    let documents = config.as_ref().map(Documents::new).unwrap_or_default();
    Ok(Some(Records { db, workspace: WorkspaceId::new(workspace), documents, config }))
}

/// The incidents with these numbers, in this order; all, oldest first, if none is named.
pub async fn chosen(tx: &mut Tx, workspace: &WorkspaceId, asked: &[Number]) -> anyhow::Result<Vec<(i64, IncidentId)>> {
    let known = incidents::numbers(tx, workspace).await?;
    if asked.is_empty() {
        return Ok(known);
    }
    let mut found = Vec::with_capacity(asked.len());
    for Number(number) in asked {
        let Some(known) = known.iter().find(|(known, _)| known == number) else {
            bail!("there is no INC-{number}. {}", newest(&known));
        };
        found.push(*known);
    }
    Ok(found)
}

/// A sentence with the newest incidents.
pub fn newest(known: &[(i64, IncidentId)]) -> String {
    let names: Vec<String> = known.iter().rev().take(NAMED_MAX).map(|(number, _)| format!("INC-{number}")).collect();
    match names.as_slice() {
        [] => "There are no incidents in this database yet.".to_owned(),
        [one] => format!("The only incident is {one}."),
        several if known.len() > NAMED_MAX => format!("The newest incidents are {}.", several.join(", ")),
        several => format!("There are {}.", several.join(", ")),
    }
}

/// The number of an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number(i64);

/// Reads `42`, `INC-42`, `inc42` or `#42`.
pub fn parse_number(word: &str) -> Result<Number, String> {
    let digits = word.trim_start_matches(|c: char| c.is_ascii_alphabetic() || c == '-' || c == '#');
    match digits.parse() {
        Ok(number) if number > 0 => Ok(Number(number)),
        Ok(_) | Err(_) => Err("write the incident's number, such as 42 or INC-42".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_as_people_write_it() {
        for word in ["42", "INC-42", "inc42", "#42"] {
            assert_eq!(parse_number(word), Ok(Number(42)), "{word}");
        }
        for word in ["", "INC-", "0", "42x", "4 2", "-"] {
            assert!(parse_number(word).is_err(), "{word}");
        }
    }

    #[test]
    fn the_newest_incidents_are_named_and_no_more_than_fit_a_sentence() {
        let known: Vec<_> = (1..=20).map(|number| (number, IncidentId(number))).collect();
        assert!(newest(&known).starts_with("The newest incidents are INC-20, INC-19"));
        assert!(!newest(&known).contains("INC-12,"));
        assert_eq!(newest(&known[..1]), "The only incident is INC-1.");
    }
}
