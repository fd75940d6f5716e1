//! Does the checker bite? Every planted mistake must be found, and within a bounded number of seeds.

use super::sweep::sweep;
use crate::planted::Bug;

/// Within so many seeds each must be found.
const SEEDS_MAX: u64 = 2_000;
/// Where searches begin, to see how long one usually takes, if `FIREBELL_SEEDS` asks for that.
const BEGINNINGS: [u64; 5] = [0, 100_000, 200_000, 300_000, 400_000];

/// The first seed from 0 that found it when this was last written down. A usual run tries that one first, and searches
/// from 0 where it finds nothing any more.
const fn found_by(bug: Bug) -> u64 {
    match bug {
        Bug::SentBeforeSend | Bug::SeqGap | Bug::NoLook | Bug::NoInbox | Bug::OneQueue => 0,
        Bug::DropLate => 1,
        Bug::BelievedEdit => 43,
        Bug::TitleTold => 2,
        Bug::NoHandOff => 33,
        Bug::NoHurry => 38,
        Bug::NoLapse => 58,
        Bug::SilentSkip | Bug::LostTimers | Bug::NoFallback | Bug::EndlessLease | Bug::StaleSend => 3,
        Bug::BlindClaim => 17,
        Bug::OneWay => 20,
        Bug::SwallowedLimit => 249,
        Bug::Drift => 47,
        Bug::RepeatUnknown => 63,
        Bug::WaitForSlack => 78,
        Bug::AddressTold => 221,
        Bug::TrustedClock => 77,
        Bug::NoFence => 205,
        Bug::NoQuestion => 60,
        Bug::WithheldForgotten => 82,
        Bug::NoPace => 262,
        Bug::UncutText => 10,
        Bug::AddressLogged => 6,
        Bug::PrivateExported => 16,
        Bug::WithheldOnly => 103,
    }
}

#[test]
fn every_planted_mistake_is_found() {
    let thorough = std::env::var_os("FIREBELL_SEEDS").is_some();
    let mut missed = Vec::new();
    println!("{:<16} {:>8}  {:<5} {:>12}", "mistake", "seed", "rule", "median seeds");
    let only = std::env::var("FIREBELL_BUG").ok();
    for bug in Bug::ALL.into_iter().filter(|bug| only.as_ref().is_none_or(|only| *only == format!("{bug:?}"))) {
        let known = found_by(bug);
        let at_once = if thorough { None } else { sweep(known..known + 1, Some(bug), None).failed };
        let mut found = Vec::from_iter(at_once.map(|failed| (failed, known + 1)));
        for beginning in if thorough { &BEGINNINGS } else { &BEGINNINGS[..usize::from(found.is_empty())] } {
            match sweep(*beginning..beginning + SEEDS_MAX, Some(bug), None).failed {
                Some((seed, rule)) => found.push(((seed, rule), seed - beginning + 1)),
                None => missed.push(bug),
            }
        }
        let mut took: Vec<u64> = found.iter().map(|(_, took)| *took).collect();
        took.sort_unstable();
        if let (Some(((seed, rule), _)), Some(median)) = (found.first(), took.get(took.len() / 2)) {
            println!("{:<16} {seed:>8}  {rule:<5} {median:>12}", format!("{bug:?}"));
        }
    }
    assert!(missed.is_empty(), "not found within {SEEDS_MAX} seeds: {missed:?}");
}
