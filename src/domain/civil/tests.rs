use super::*;

fn local(text: &str) -> NaiveDateTime {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").expect("a local time")
}

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().expect("an instant")
}

#[test]
fn the_hour_that_clocks_repeat_gives_both_instants_in_order() {
    let zone = zone("America/New_York").expect("known");
    assert_eq!(
        zone.instants(local("2025-11-02 01:20")),
        Instants::Repeated(utc("2025-11-02T05:20:00Z"), utc("2025-11-02T06:20:00Z"))
    );
}

#[test]
fn a_time_that_clocks_skip_gives_the_nearest_times() {
    let zone = zone("America/New_York").expect("known");
    assert_eq!(
        zone.instants(local("2025-03-09 02:30")),
        Instants::Skipped { before: utc("2025-03-09T06:59:00Z"), after: utc("2025-03-09T07:00:00Z") }
    );
}

#[test]
fn an_unknown_zone_names_those_that_look_alike() {
    let near = |name: &str| zone(name).expect_err("unknown").near;
    assert_eq!(near("Europe/Berln").first().map(String::as_str), Some("Europe/Berlin"));
    assert_eq!(near("New York").first().map(String::as_str), Some("America/New_York"));
    assert!(near("qqqq").is_empty());
}

#[test]
fn zones_without_letters_are_named_by_their_offset() {
    let zone = zone("Australia/Lord_Howe").expect("known");
    assert_eq!(zone.at(utc("2025-07-01T00:00:00Z")).abbreviation, "UTC+10:30");
}

#[test]
fn the_bundled_rules_know_the_changes_of_2026() {
    // British Columbia and Alberta stay on summer time from 2026 on.
    let at = utc("2026-12-01T12:00:00Z");
    assert_eq!(zone("America/Vancouver").expect("known").at(at).offset_s, -7 * 3600);
    assert_eq!(zone("America/Edmonton").expect("known").at(at).offset_s, -6 * 3600);
}

/// What the clocks really show decides: an instant answers for a local time exactly if its clocks show that time.
/// Checked at and around every change of every zone from 2020 to 2040, by looking at the clocks only.
#[test]
fn local_times_around_every_change_of_every_zone_lead_to_the_instants_that_show_them() {
    let from = utc("2020-01-01T00:00:00Z");
    let until = utc("2040-01-01T00:00:00Z");
    let mut seen = BTreeSet::new();
    let mut changes = 0;
    for name in zone_names() {
        let zone = zone(&name).expect("listed");
        let mut of_zone = Vec::new();
        let mut at = from;
        while let Some(change) = zone.next_change(at).filter(|change| *change < until) {
            at = change;
            let before_s = zone.at(change - TimeDelta::seconds(1)).offset_s;
            of_zone.push((change, before_s, zone.at(change).offset_s));
        }
        // Many names are other names of the same rules.
        if !seen.insert(of_zone.clone()) {
            continue;
        }
        changes += of_zone.len();
        for (change, before_s, after_s) in of_zone {
            for offset_s in [before_s, after_s] {
                let shown = change.naive_utc() + TimeDelta::seconds(offset_s.into());
                for minutes in [-1441, -61, -60, -31, -30, -1, 0, 1, 29, 30, 31, 59, 60, 61, 1441] {
                    check(&zone, shown + TimeDelta::minutes(minutes), [before_s, after_s], change);
                }
            }
        }
    }
    assert!(changes > 1_000, "only {changes} changes seen");
}

fn check(zone: &Zone, shown: NaiveDateTime, offsets: [i32; 2], change: DateTime<Utc>) {
    let mut answers: Vec<DateTime<Utc>> = offsets
        .iter()
        .map(|offset_s| (shown - TimeDelta::seconds((*offset_s).into())).and_utc())
        .filter(|at| zone.at(*at).local == shown)
        .collect();
    answers.sort();
    answers.dedup();
    let name = zone.name();
    match zone.instants(shown) {
        Instants::Unambiguous(at) => assert_eq!(answers, [at], "{name} {shown}"),
        Instants::Repeated(first, second) => assert_eq!(answers, [first, second], "{name} {shown}"),
        Instants::Skipped { before, after } => {
            assert!(answers.is_empty(), "{name} {shown}");
            assert_eq!(after, change, "{name} {shown}");
            assert!(zone.at(before).local < shown && shown < zone.at(after).local, "{name} {shown}");
        }
    }
}
