//! Measures the release binary against floors: the least that a server must do which keeps the same promise.
//!
//! `cargo bench` runs everything side by side in one run and prints ratios, because figures from different runs or
//! machines cannot be compared. Every server is a process of its own on one core; the load comes from the other. Nothing
//! leaves 127.0.0.1. Arguments: `--only NAME` runs one part, `--quick` takes a tenth of the samples.

#![expect(unreachable_pub, reason = "the modules of one program are each other's only readers")]
#![expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]

mod bolt;
mod floor;
mod load;
mod pending;
mod program;
mod report;

use std::time::Duration;

use anyhow::Result;
use load::{Signed, Target};
use program::Program;
use report::{Spread, heading, ratio_line};

/// Rounds of each measurement, interleaved, so that a slow minute of the machine meets everybody.
const ROUNDS: usize = 5;
/// Connections of the throughput measurement.
const CONNECTIONS: usize = 64;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().collect();
    if let Some(at) = args.iter().position(|arg| arg == "--floor") {
        return runtime(1)?.block_on(floor::serve(&args[at + 1], &args[at + 2]));
    }
    let only = args.iter().position(|arg| arg == "--only").and_then(|at| args.get(at + 1)).cloned();
    let quick = args.iter().any(|arg| arg == "--quick");
    let wanted = |name: &str| only.as_deref().is_none_or(|only| only == name);
    runtime(2)?.block_on(async {
        if wanted("acknowledgement") {
            acknowledgement(quick).await?;
        }
        if wanted("pending") {
            pending::measure(quick).await?;
        }
        if wanted("start") {
            pending::start(quick).await?;
        }
        Ok(())
    })
}

fn runtime(workers: usize) -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build()?)
}

/// The durable acknowledgement of `/incident note`: latency at 10 requests a second, throughput under 64 connections.
async fn acknowledgement(quick: bool) -> Result<()> {
    let bare = floor::spawn("hmac")?;
    let row = floor::spawn("row")?;
    let group = floor::spawn("group")?;
    let program = Program::start("").await?;
    let bolt = bolt::spawn()?;
    let note = Signed::new(program.channel().await?);
    let mut targets: Vec<Target> = vec![bare.target(), row.target(), group.target(), program.target()];
    targets.extend(bolt.as_ref().map(bolt::Bolt::target));
    for target in &targets {
        load::wait_until_up(target, &note).await?;
    }

    heading("Durable acknowledgement of /incident note, 10 requests a second");
    let samples = if quick { 20 } else { 100 };
    let mut latencies: Vec<Vec<Spread>> = vec![Vec::new(); targets.len()];
    for _ in 0..ROUNDS {
        for (target, seen) in targets.iter().zip(&mut latencies) {
            seen.push(load::paced(target, &note, samples / ROUNDS.min(samples), Duration::from_millis(100)).await?);
        }
    }
    let merged: Vec<Spread> = latencies.iter().map(|rounds| Spread::merge(rounds)).collect();
    for (target, spread) in targets.iter().zip(&merged) {
        println!("{:<34} p50 {:>8.0} µs   p99 {:>8.0} µs", target.name, spread.at(0.50), spread.at(0.99));
    }
    ratio_line("p50 against the one-row floor", merged[3].at(0.50) / merged[1].at(0.50), "≤ 1.25");
    ratio_line("p99 against the one-row floor", merged[3].at(0.99) / merged[1].at(0.99), "≤ 1.5");

    heading("The same under 64 connections, server on one core");
    let span = Duration::from_secs(if quick { 1 } else { 3 });
    let mut rates: Vec<Vec<f64>> = vec![Vec::new(); targets.len()];
    for _ in 0..ROUNDS {
        for (target, seen) in targets.iter().zip(&mut rates) {
            seen.push(load::flood(target, &note, CONNECTIONS, span).await?);
        }
    }
    let medians: Vec<f64> = rates.iter().map(|rates| report::median(rates)).collect();
    for ((target, rates), median) in targets.iter().zip(&rates).zip(&medians) {
        let (low, high) = report::range(rates);
        println!("{:<34} {median:>8.0} requests a second   ({low:.0} to {high:.0})", target.name);
    }
    ratio_line("against the group-commit floor", medians[3] / medians[2], "≥ 0.6");
    if let Some(bolt) = medians.get(4) {
        ratio_line("against @slack/bolt with SQLite", medians[3] / bolt, "≥ 10");
    }
    println!("resident after the flood: {:.1} MiB", program.resident_mib()?);
    Ok(())
}
