//! The program's entrance: arguments, the TLS provider, the log; everything else is in the library.

use std::process::ExitCode;

use clap::Parser as _;
use firebell::cli::{self, Cli, Outcome};
use firebell::telemetry;

fn main() -> ExitCode {
    let cli = Cli::parse();
    // Several crates bring TLS along; whichever installed its provider first would decide for all.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        eprintln!("firebell: another TLS provider is installed already");
        return ExitCode::FAILURE;
    }
    if let Err(error) = telemetry::init() {
        eprintln!("firebell: {error}");
        return ExitCode::from(2);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("firebell: no runtime can be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(cli::run(cli)) {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::NotInOrder) => ExitCode::from(1),
        Ok(Outcome::BadInput) => ExitCode::from(2),
        Err(error) => {
            eprintln!("firebell: {error:#}");
            ExitCode::FAILURE
        }
    }
}
