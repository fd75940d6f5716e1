//! Many seeds, one after the other; one seed, told; seeds that failed once.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::driver::{Outcome, Plan, Stage};
use super::scenario::Scenario;
use super::shrink::{Without, explain};
use super::world::Seen;
use crate::clock::{instant_now, lock};
use crate::planted::{Bug, plant};

/// Seeds of a usual run of the tests; a machine that is too slow for them stops after a while and says how many it saw.
/// `FIREBELL_SEEDS` asks for more, however long it takes.
const SEEDS: u64 = 3_000;
const TIME_MAX: Duration = Duration::from_mins(6);
/// Seeds that failed once, or do if the same mistake is planted again: a clock ahead of Slack's, a page sent after its lease,
/// a channel made twice because of such a clock; two outages that were each caught up with.
const ONCE_FAILED: &[u64] = &[12, 52, 77, 81, 123, 257, 462, 1538, 10449];
/// What a usual run must come to, or it would be checked in vain.
const SEEN: [&str; 5] = [
    "calls put on hold",
    "pages withheld",
    "calls that somebody had go on",
    "calls on hold that somebody took",
    "calls on hold that somebody ended",
];

/// What many runs came to.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) runs: u64,
    pub(super) steps: u64,
    pub(super) faults: u64,
    pub(super) messages: u64,
    pub(super) seen: Seen,
    /// The lowest seed that broke a rule, and the rule.
    pub(super) failed: Option<(u64, &'static str)>,
}

/// Runs seeds on all cores until one breaks a rule, or the time is over.
pub(super) fn sweep(seeds: Range<u64>, bug: Option<Bug>, time_max: Option<Duration>) -> Tally {
    let began = instant_now();
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let next = AtomicU64::new(seeds.start);
    let tally = Mutex::new(Tally::default());
    std::thread::scope(|scope| {
        for at in 0..threads {
            let (next, tally, began) = (&next, &tally, &began);
            scope.spawn(move || {
                stay_on_core(at);
                plant(bug);
                let mut stage = Stage::new();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if time_max.is_some_and(|max| began.elapsed() > max) {
                        return;
                    }
                    if seed >= seeds.end || lock(tally).failed.is_some_and(|(failed, _)| failed < seed) {
                        return;
                    }
                    let outcome = stage.run(&Plan { seed, ..Plan::default() });
                    lock(tally).add(seed, &outcome);
                }
            });
        }
    });
    tally.into_inner().unwrap_or_default()
}

/// Keeps this thread, and SQLite's threads that it begins, on one core: they take turns all the time and never work at
/// once. Where that is not allowed it only takes longer.
#[cfg(target_os = "linux")]
fn stay_on_core(number: usize) {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
    let Ok(allowed) = sched_getaffinity(None) else { return };
    let cores: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)).collect();
    let Some(core) = cores.get(number % cores.len().max(1)) else { return };
    let mut one = CpuSet::new();
    one.set(*core);
    let _ = sched_setaffinity(None, &one);
}

#[cfg(not(target_os = "linux"))]
fn stay_on_core(_: usize) {}

impl Tally {
    fn add(&mut self, seed: u64, outcome: &Outcome) {
        self.runs += 1;
        self.steps += outcome.steps;
        self.faults += outcome.faults.len() as u64;
        self.messages += outcome.pages as u64;
        for (what, times) in &outcome.seen {
            *self.seen.entry(what).or_default() += times;
        }
        if let Some(violation) = &outcome.violation
            && self.failed.is_none_or(|(failed, _)| seed < failed)
        {
            self.failed = Some((seed, violation.rule));
        }
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn the_rules_hold_in_every_seed() {
    let began = instant_now();
    let first = number("FIREBELL_FIRST").unwrap_or(0);
    let asked = number("FIREBELL_SEEDS");
    let time_max = asked.is_none().then_some(TIME_MAX);
    let tally = sweep(first..first + asked.unwrap_or(SEEDS), None, time_max);
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{} seeds in {seconds:.1} s: {} steps, {} faults, {} messages taken",
        tally.runs, tally.steps, tally.faults, tally.messages
    );
    println!("{:?}", tally.seen);
    if let Some((seed, rule)) = tally.failed {
        println!("seed {seed} breaks {rule}");
        panic!("{}", explain(seed, Without::default()));
    }
    if first == 0 && tally.runs >= SEEDS {
        for what in SEEN {
            assert!(tally.seen.contains_key(what), "no seed comes to this any more: {what}");
        }
    }
}

/// Seeds that a usual run tries on PostgreSQL; `FIREBELL_POSTGRES_SEEDS` asks for more.
const POSTGRES_SEEDS: u64 = 16;

#[test]
fn the_rules_hold_on_postgresql_too() {
    let Some(mut stage) = Stage::on_postgresql() else { return };
    let mut tally = Tally::default();
    let seeds = number("FIREBELL_POSTGRES_SEEDS").unwrap_or(POSTGRES_SEEDS);
    // There the server's clock counts, which no seed sets.
    let settled = |seed: &u64| Scenario::of(*seed).steps.is_empty();
    for seed in (0..seeds).filter(settled) {
        let outcome = stage.run(&Plan { seed, told: true, ..Plan::default() });
        tally.add(seed, &outcome);
        if let Some(violation) = &outcome.violation {
            panic!(
                "seed {seed} breaks {} on PostgreSQL: {}\n{}",
                violation.rule,
                violation.what,
                outcome.lines.join("\n")
            );
        }
    }
    // And there, too, a mistake would be found.
    plant(Some(Bug::NoInbox));
    let spoilt = stage.run(&Plan::default());
    plant(None);
    assert!(spoilt.violation.is_some(), "a planted mistake is not found on PostgreSQL");
    println!(
        "{} seeds on PostgreSQL: {} steps, {} faults, {} messages",
        tally.runs, tally.steps, tally.faults, tally.messages
    );
}

#[test]
fn one_seed() {
    let Some(seed) = number("FIREBELL_SEED") else { return };
    let without = std::env::var("FIREBELL_WITHOUT").unwrap_or_default();
    let without = without.parse().expect("FIREBELL_WITHOUT is a list");
    let bug = std::env::var("FIREBELL_BUG").ok();
    plant(Bug::ALL.into_iter().find(|known| bug.as_deref() == Some(format!("{known:?}").as_str())));
    println!("{}", explain(seed, without));
    plant(None);
}

#[test]
fn seeds_that_failed_once_keep_the_rules() {
    let mut stage = Stage::new();
    for seed in ONCE_FAILED {
        let outcome = stage.run(&Plan { seed: *seed, ..Plan::default() });
        assert!(outcome.violation.is_none(), "{}", explain(*seed, Without::default()));
    }
}

#[test]
fn the_same_seed_is_the_same_story_each_time() {
    let mut stage = Stage::new();
    for seed in 0..40 {
        let mut run = || stage.run(&Plan { seed, told: true, ..Plan::default() });
        let (first, second) = (run(), run());
        if first.sum != second.sum {
            let differs = first.lines.iter().zip(&second.lines).position(|(one, other)| one != other);
            let at = differs.unwrap_or(first.lines.len().min(second.lines.len()));
            let around = |lines: &[String]| lines[at.saturating_sub(5)..(at + 3).min(lines.len())].join("\n");
            panic!("seed {seed} differs at step {at}:\n{}\n\n{}", around(&first.lines), around(&second.lines));
        }
    }
}
