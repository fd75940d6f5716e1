//! `firebell check`: what the configuration means, or everything that is wrong with it.

use std::path::PathBuf;

use crate::cli::{self, Outcome};
use crate::config::check::describe;
use crate::config::secrets::environment;
use crate::config::{Config, DEFAULT_PATH};

/// Check a configuration file and say what it means.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The file to check
    #[arg(default_value = DEFAULT_PATH, value_name = "FILE")]
    pub file: PathBuf,
}

/// Prints the meaning to standard output, or the mistakes to standard error with exit status 2. Names of people and
/// channels are looked up in Slack only when the program starts, or by `firebell doctor`.
pub fn run(args: &Args) -> anyhow::Result<Outcome> {
    match Config::load(&args.file) {
        Ok(config) => {
            let meaning = describe(&config, &config.secrets(&environment));
            cli::say(&format!("{} is in order.\n\n{meaning}", args.file.display()))?;
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
            run(&Args { file: file.clone() }).expect("checked")
        };
        assert_eq!(status(include_str!("../../firebell.example.toml")), Outcome::Done);
        assert_eq!(status("[slack]\nmode = \"carrier pigeon\"\n"), Outcome::BadInput);
    }
}
