//! `firebell check`: what the configuration means, or everything that is wrong with it.

use std::path::PathBuf;

use crate::cli::{self, Outcome};
use crate::config::check::describe;
use crate::config::secrets::environment;
use crate::config::{Config, DEFAULT_PATH};

/// Say what the configuration means, or everything that is wrong with it.
///
/// Names of people and channels are looked up only by `firebell doctor` and `firebell serve`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The file to check
    #[arg(default_value = DEFAULT_PATH, value_name = "FILE")]
    pub file: PathBuf,
    /// The same, as the other commands take it
    #[arg(long, value_name = "FILE", conflicts_with = "file")]
    pub config: Option<PathBuf>,
}

/// Prints the meaning to standard output, or the mistakes to standard error with exit status 2. Names of people and
/// channels are looked up in Slack only when the program starts, or by `firebell doctor`.
pub fn run(args: &Args) -> anyhow::Result<Outcome> {
    let file = args.config.as_ref().unwrap_or(&args.file);
    match Config::load(file) {
        Ok(config) => {
            let meaning = describe(&config, &config.secrets(&environment));
            cli::say(&format!("{} is in order.\n\n{meaning}", file.display()))?;
            Ok(Outcome::Done)
        }
        Err(mistakes) => Ok(cli::explain(&mistakes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_told_by_the_exit_status() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("firebell.toml");
        let status = |text: &str| {
            std::fs::write(&file, text).expect("written");
            run(&Args { file: file.clone(), config: None }).expect("checked")
        };
        assert_eq!(status(include_str!("../../firebell.example.toml")), Outcome::Done);
        assert_eq!(status("[slack]\nmode = \"carrier pigeon\"\n"), Outcome::BadInput);
    }
}
