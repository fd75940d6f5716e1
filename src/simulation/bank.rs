//! Does the checker bite? Every planted mistake must be found, and within a bounded number of seeds.

use super::sweep::sweep;
use crate::planted::Bug;

/// Within so many seeds each must be found.
const SEEDS_MAX: u64 = 2_000;
/// Where searches begin, to see how long one usually takes.
const BEGINNINGS: [u64; 5] = [0, 100_000, 200_000, 300_000, 400_000];
/// How many of them a usual run tries; `FIREBELL_SEEDS` asks for all.
const BEGINNINGS_USUAL: usize = 1;

#[test]
fn every_planted_mistake_is_found() {
    let asked = std::env::var_os("FIREBELL_SEEDS").is_some();
    let beginnings = if asked { BEGINNINGS.len() } else { BEGINNINGS_USUAL };
    let mut missed = Vec::new();
    println!("{:<16} {:>8}  {:<5} {:>12}", "mistake", "seed", "rule", "median seeds");
    let only = std::env::var("FIREBELL_BUG").ok();
    for bug in Bug::ALL.into_iter().filter(|bug| only.as_ref().is_none_or(|only| *only == format!("{bug:?}"))) {
        let mut took: Vec<u64> = Vec::new();
        let mut first = None;
        for beginning in BEGINNINGS.into_iter().take(beginnings) {
            let tally = sweep(beginning..beginning + SEEDS_MAX, Some(bug), None);
            let Some((seed, rule)) = tally.failed else {
                missed.push(bug);
                continue;
            };
            first = first.or(Some((seed, rule)));
            took.push(seed - beginning + 1);
        }
        took.sort_unstable();
        if let (Some((seed, rule)), Some(median)) = (first, took.get(took.len() / 2)) {
            println!("{:<16} {seed:>8}  {rule:<5} {median:>12}", format!("{bug:?}"));
        }
    }
    assert!(missed.is_empty(), "not found within {SEEDS_MAX} seeds: {missed:?}");
}
