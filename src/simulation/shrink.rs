//! Of a seed that breaks a rule, what matters: faults and requests are left out, one after the other, as long as the same
//! rule still breaks; then its story is told.

use std::collections::BTreeSet;
use std::fmt;
use std::fmt::Write as _;
use std::str::FromStr;
use std::time::Duration;

use super::driver::{Outcome, Plan, Stage};
use crate::clock::instant_now;

/// How long is tried to do with less.
const TIME_MAX: Duration = Duration::from_secs(30);
/// Lines of a story that are shown where nobody asked for all of it.
const LINES_SHOWN: usize = 150;

/// What a run does without: faults by their number, such as `3`, and requests, such as `ask5`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Without {
    pub(super) faults: BTreeSet<u32>,
    pub(super) asks: BTreeSet<usize>,
}

impl FromStr for Without {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut without = Self::default();
        for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            let wrong =
                |_| format!("{word:?} is neither the number of a fault, such as 3, nor a request, such as ask5");
            match word.strip_prefix("ask") {
                Some(number) => without.asks.insert(number.parse().map_err(wrong)?),
                None => without.faults.insert(word.parse().map_err(wrong)?),
            };
        }
        Ok(without)
    }
}

impl fmt::Display for Without {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults = self.faults.iter().map(u32::to_string);
        let asks = self.asks.iter().map(|number| format!("ask{number}"));
        f.write_str(&faults.chain(asks).collect::<Vec<_>>().join(","))
    }
}

/// Leaves out what the same rule breaks without. What came last is tried first: it is the most likely to be beside the
/// point.
fn shrink(stage: &mut Stage, plan: Plan, outcome: Outcome, rule: &str) -> (Plan, Outcome) {
    let (mut plan, mut outcome) = (plan, outcome);
    let began = instant_now();
    loop {
        let faults = outcome
            .faults
            .iter()
            .rev()
            .map(|(number, _)| Without { faults: BTreeSet::from([*number]), asks: BTreeSet::new() });
        let asks = (0..outcome.asks).rev().filter(|ask| !plan.without.asks.contains(ask));
        let asks = asks.map(|ask| Without { faults: BTreeSet::new(), asks: BTreeSet::from([ask]) });
        let mut less = false;
        for more in asks.chain(faults).collect::<Vec<_>>() {
            if began.elapsed() > TIME_MAX {
                return (plan, outcome);
            }
            let mut fewer = plan.clone();
            fewer.without.faults.extend(more.faults);
            fewer.without.asks.extend(more.asks);
            let shorter = stage.run(&fewer);
            if shorter.violation.as_ref().is_some_and(|found| found.rule == rule) {
                (plan, outcome, less) = (fewer, shorter, true);
            }
        }
        if !less {
            return (plan, outcome);
        }
    }
}

/// A seed's story; if it breaks a rule, the shortest that could be found, and the command that tells it again.
pub(super) fn explain(seed: u64, without: Without) -> String {
    let mut stage = Stage::new();
    let plan = Plan { seed, without, told: true };
    let outcome = stage.run(&plan);
    let Some(violation) = outcome.violation.clone() else {
        return format!("seed {seed} keeps the rules\n{}", story(&outcome, usize::MAX));
    };
    let (plan, outcome) = shrink(&mut stage, plan, outcome, violation.rule);
    let violation = outcome.violation.clone().unwrap_or(violation);
    let mut text = format!("{} is broken: {}\n\n", violation.rule, violation.what);
    let bug = std::env::var("FIREBELL_BUG").map(|bug| format!("FIREBELL_BUG={bug} ")).unwrap_or_default();
    let _ = writeln!(
        text,
        "{bug}FIREBELL_SEED={seed} FIREBELL_WITHOUT={} cargo test --lib one_seed -- --nocapture\n",
        plan.without
    );
    let _ = writeln!(text, "faults that matter: {:?}", outcome.faults);
    let all = std::env::var_os("FIREBELL_SEED").is_some();
    text.push_str(&story(&outcome, if all { usize::MAX } else { LINES_SHOWN }));
    text
}

/// The last lines of what happened; the gates that tasks went through only for who asks with `FIREBELL_GATES`.
fn story(outcome: &Outcome, lines_max: usize) -> String {
    let gates = std::env::var_os("FIREBELL_GATES").is_some();
    let told: Vec<&str> =
        outcome.lines.iter().map(String::as_str).filter(|line| gates || !line.contains(" goes through ")).collect();
    let hidden = told.len().saturating_sub(lines_max);
    let mut text = String::new();
    if hidden > 0 {
        let _ = writeln!(text, "… {hidden} lines before these; the command above shows all");
    }
    text.push_str(&told[hidden..].join("\n"));
    text
}

#[test]
fn a_failing_seed_is_told_with_only_what_matters_and_the_command_tells_the_same_again() {
    use crate::planted::{Bug, plant};
    plant(Some(Bug::SilentSkip));
    let mut stage = Stage::new();
    let failing = (0..200).find(|seed| {
        let plan = Plan { seed: *seed, ..Plan::default() };
        let outcome = stage.run(&plan);
        outcome.violation.is_some() && outcome.asks > 4
    });
    let plan = Plan { seed: failing.expect("one of them meets an empty tier"), told: true, ..Plan::default() };
    let whole = stage.run(&plan);
    let rule = whole.violation.as_ref().expect("was just broken").rule;
    let asked = whole.asks;
    let (plan, shortest) = shrink(&mut stage, plan, whole, rule);
    assert!(plan.without.asks.len() + 4 > asked, "few requests are enough: {} of {asked}", plan.without);
    let said: Without = plan.without.to_string().parse().expect("is what we wrote");
    assert_eq!(said, plan.without);
    let again = stage.run(&Plan { without: said, ..plan });
    assert_eq!(again.sum, shortest.sum);
    plant(None);
}
