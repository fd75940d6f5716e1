//! `firebell key`: a new key for a monitoring system.

use std::fmt::Write as _;

use crate::alerts::keys::digest;
use crate::cli::{self, Outcome};
use crate::ids::random_id;

/// Make a random key for an [[integrations]] section.
///
/// Prints the key, which Firebell keeps nowhere, and its SHA-256 sum as the line for firebell.toml.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {}

/// Prints a key of 256 random bits.
pub fn run(_args: &Args) -> anyhow::Result<Outcome> {
    let key = format!("{}{}", random_id(), random_id());
    let mut text = String::new();
    writeln!(text, "The key, for the monitoring system. It is shown only this once:\n")?;
    writeln!(text, "    {key}\n")?;
    writeln!(text, "The line for firebell.toml, under [[integrations]]:\n")?;
    writeln!(text, "    key_sha256 = \"{}\"", hex::encode(digest(&key)))?;
    cli::say(&text)?;
    Ok(Outcome::Done)
}
