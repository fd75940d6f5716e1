use proptest::prelude::*;

use super::*;
use crate::domain::civil::{self, zone_names};

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().expect("an instant")
}

/// Sunday, 2 April 2023, 5:10 PM in New York.
const NOW: &str = "2023-04-02T21:10:00Z";

fn read_at<'t>(
    now: &str,
    zone: &str,
    text: &'t str,
    direction: Direction,
) -> Result<Option<(TypedTime, &'t str)>, TimeProblem> {
    let zone = civil::zone(zone).expect("known");
    leading_time(text, Speaker { now: utc(now), zone: &zone }, direction).map_err(|unsure| unsure.problem)
}

fn read(text: &str) -> Result<Option<(TypedTime, &str)>, TimeProblem> {
    read_at(NOW, "America/New_York", text, Direction::Past)
}

#[track_caller]
fn reads(text: &str, at: &str, rest: &str) {
    let (time, found) = read(text).expect("no problem").expect("a time");
    assert_eq!((time.when.at, found), (Some(utc(at)), rest), "{text}");
}

#[test]
fn clock_times_mean_the_latest_such_moment() {
    for (text, at, rest) in [
        ("15:05 restarted", "2023-04-02T19:05:00Z", "restarted"),
        ("3:05pm restarted", "2023-04-02T19:05:00Z", "restarted"),
        ("3:05 PM restarted", "2023-04-02T19:05:00Z", "restarted"),
        ("3:05\u{202f}PM restarted", "2023-04-02T19:05:00Z", "restarted"),
        ("3pm: restarted", "2023-04-02T19:00:00Z", "restarted"),
        ("3 p.m., restarted", "2023-04-02T19:00:00Z", "restarted"),
        ("at 3pm restarted", "2023-04-02T19:00:00Z", "restarted"),
        ("3:15:20pm restarted", "2023-04-02T19:15:20Z", "restarted"),
        ("12am x", "2023-04-02T04:00:00Z", "x"),
        ("12:30pm x", "2023-04-02T16:30:00Z", "x"),
        ("00:10 x", "2023-04-02T04:10:00Z", "x"),
        ("15:05", "2023-04-02T19:05:00Z", ""),
        ("15:05\nfirst\n  second", "2023-04-02T19:05:00Z", "first\n  second"),
        ("17:11 clocks differ a little", "2023-04-02T21:11:00Z", "clocks differ a little"),
    ] {
        reads(text, at, rest);
    }
}

#[test]
fn a_clock_time_that_is_still_to_come_today_is_yesterdays_and_says_so() {
    let (time, _) = read("23:50 disk full").expect("fine").expect("a time");
    assert_eq!(time.when.at, Some(utc("2023-04-02T03:50:00Z")));
    assert!(time.taken_for_yesterday);
    let (time, _) = read("16:50 disk full").expect("fine").expect("a time");
    assert!(!time.taken_for_yesterday);
}

#[test]
fn spans_count_back_from_now() {
    for (text, at, rest) in [
        ("-10m x", "2023-04-02T21:00:00Z", "x"),
        ("–10m x", "2023-04-02T21:00:00Z", "x"),
        ("-0m x", NOW, "x"),
        ("-1h30m: x", "2023-04-02T19:40:00Z", "x"),
        ("-90s x", "2023-04-02T21:08:30Z", "x"),
        ("10 min ago x", "2023-04-02T21:00:00Z", "x"),
        ("10m ago x", "2023-04-02T21:00:00Z", "x"),
        ("1h30m ago x", "2023-04-02T19:40:00Z", "x"),
        ("1 hour and 30 minutes ago, x", "2023-04-02T19:40:00Z", "x"),
        ("an hour ago x", "2023-04-02T20:10:00Z", "x"),
        ("half an hour ago x", "2023-04-02T20:40:00Z", "x"),
        ("2 days ago x", "2023-03-31T21:10:00Z", "x"),
    ] {
        reads(text, at, rest);
    }
}

#[test]
fn days_and_dates_may_stand_before_the_clock_time() {
    for (text, at, rest) in [
        ("yesterday 23:50 x", "2023-04-02T03:50:00Z", "x"),
        ("yesterday at 11:50pm x", "2023-04-02T03:50:00Z", "x"),
        ("today 9:00 x", "2023-04-02T13:00:00Z", "x"),
        ("mon 14:00 x", "2023-03-27T18:00:00Z", "x"),
        ("Sunday 14:00 x", "2023-04-02T18:00:00Z", "x"),
        ("sun 18:00 x", "2023-03-26T22:00:00Z", "x"),
        ("last fri, 14:00 x", "2023-03-31T18:00:00Z", "x"),
        ("2023-04-02 15:00 x", "2023-04-02T19:00:00Z", "x"),
        ("2023-04-02T15:00 x", "2023-04-02T19:00:00Z", "x"),
        ("2018-12-05T16:21:00-08:00 x", "2018-12-06T00:21:00Z", "x"),
        ("2018-12-05T16:21-08:00: x", "2018-12-06T00:21:00Z", "x"),
        ("2018-12-06T00:21:00.25Z x", "2018-12-06T00:21:00.25Z", "x"),
        ("2023-04-02T15:00:00-04:00[America/New_York] x", "2023-04-02T19:00:00Z", "x"),
        ("apr 1 3pm x", "2023-04-01T19:00:00Z", "x"),
        ("1 April at 15:00 x", "2023-04-01T19:00:00Z", "x"),
        ("June 3rd 15:00 x", "2022-06-03T19:00:00Z", "x"),
        ("Feb 29 15:00 x", "2020-02-29T20:00:00Z", "x"),
        ("Apr 2, 2021 15:00 x", "2021-04-02T19:00:00Z", "x"),
    ] {
        reads(text, at, rest);
    }
}

#[test]
fn a_zone_may_follow_the_clock_time() {
    for (text, at, rest) in [
        ("15:00 UTC x", "2023-04-02T15:00:00Z", "x"),
        ("15:00 utc: x", "2023-04-02T15:00:00Z", "x"),
        ("15:00Z x", "2023-04-02T15:00:00Z", "x"),
        ("15:00 Europe/Berlin x", "2023-04-02T13:00:00Z", "x"),
        ("15:00 europe/berlin x", "2023-04-02T13:00:00Z", "x"),
        ("3:15pm EDT x", "2023-04-02T19:15:00Z", "x"),
        ("3:15pm ET x", "2023-04-02T19:15:00Z", "x"),
        ("1:15pm PDT x", "2023-04-02T20:15:00Z", "x"),
        ("yesterday 15:00 CEST x", "2023-04-01T13:00:00Z", "x"),
        ("15:00 UTC+2 x", "2023-04-02T13:00:00Z", "x"),
        ("15:00 GMT x", "2023-04-02T15:00:00Z", "x"),
        // No zones, but words.
        ("15:00 MET the vendor", "2023-04-02T19:00:00Z", "MET the vendor"),
        ("15:00 ist kaputt", "2023-04-02T19:00:00Z", "ist kaputt"),
        ("15:00 read/write fails", "2023-04-02T19:00:00Z", "read/write fails"),
        ("15:00 America/Elsewhere is down", "2023-04-02T19:00:00Z", "America/Elsewhere is down"),
    ] {
        reads(text, at, rest);
    }
}

#[test]
fn winter_letters_in_summer_are_refused_with_the_right_ones() {
    let problem = read("3:00pm EST alert").expect_err("a problem");
    assert_eq!(problem.sentence(), "New York is on EDT then: 3:00 PM EDT?");
    assert_eq!(problem.choices()[0].at, utc("2023-04-02T19:00:00Z"));
    let problem = read_at(NOW, "Europe/Berlin", "3:00pm est alert", Direction::Past).expect_err("a problem");
    assert_eq!(problem.sentence(), "New York is on EDT then: 3:00 PM EDT?");
    // A zone that is on EST all the year may say so.
    let (time, _) = read_at(NOW, "EST", "3:00pm EST alert", Direction::Past).expect("fine").expect("a time");
    assert_eq!(time.when.at, Some(utc("2023-04-02T20:00:00Z")));
}

#[test]
fn a_repeated_hour_asks_which_one_unless_only_one_has_been() {
    let zone = "America/New_York";
    let late = "2025-11-02T12:00:00Z";
    let problem = read_at(late, zone, "1:20am x", Direction::Past).expect_err("twice");
    assert_eq!(problem.sentence(), "The clocks in New York show that twice: 1:20 AM EDT or 1:20 AM EST?");
    let at = |text| read_at(late, zone, text, Direction::Past).expect("fine").expect("a time").0.when.at;
    assert_eq!(at("1:20am EDT x"), Some(utc("2025-11-02T05:20:00Z")));
    assert_eq!(at("1:20am EST x"), Some(utc("2025-11-02T06:20:00Z")));
    let (time, _) = read_at("2025-11-02T06:05:00Z", zone, "1:20am x", Direction::Past).expect("fine").expect("a time");
    assert_eq!(time.when.at, Some(utc("2025-11-02T05:20:00Z")));
}

#[test]
fn a_skipped_time_is_refused_with_the_nearest() {
    let problem =
        read_at("2025-03-09T12:00:00Z", "America/New_York", "2:30am x", Direction::Past).expect_err("never shown");
    assert_eq!(
        problem.sentence(),
        "The clocks in New York skip 2:30 AM that day. The nearest times are 1:59 AM EST and 3:00 AM EDT."
    );
}

#[test]
fn a_misspelt_zone_is_refused_with_the_near_one() {
    let problem = read("15:00 Europe/Berln x").expect_err("unknown");
    assert_eq!(problem.sentence(), "I know no time zone called Europe/Berln. Did you mean Europe/Berlin?");
}

#[test]
fn what_is_written_like_a_time_of_day_but_is_none_is_refused() {
    for (text, typed) in [("25:00 x", "25:00"), ("12:75: x", "12:75"), ("13:05am x", "13:05am"), ("0:30pm x", "0:30pm")]
    {
        let zone = civil::zone("UTC").expect("known");
        let unsure = leading_time(text, Speaker { now: utc(NOW), zone: &zone }, Direction::Past).expect_err("no time");
        assert_eq!(unsure, UnsureTime { problem: TimeProblem::NoSuchTime { typed: typed.to_owned() }, rest: "x" });
    }
}

#[test]
fn approximate_times_say_so() {
    for (text, at) in [
        ("~23:00 x", Some("2023-04-02T03:00:00Z")),
        ("~ 23:00 x", Some("2023-04-02T03:00:00Z")),
        ("about 11pm x", Some("2023-04-02T03:00:00Z")),
        ("around 10 min ago x", Some("2023-04-02T21:00:00Z")),
        ("~now x", None),
    ] {
        let (time, rest) = read(text).expect("fine").expect("a time");
        assert_eq!((time.when.at, time.when.approx, rest), (at.map(utc), true, "x"), "{text}");
    }
}

#[test]
fn now_takes_nothing_but_itself() {
    let (time, rest) = read("now: 10 min ago x").expect("fine").expect("a time");
    assert_eq!((time.when.at, time.closed, rest), (None, true, "10 min ago x"));
    assert_eq!(read("nowhere to be found").expect("fine"), None);
}

#[test]
fn ordinary_words_are_no_times() {
    for text in [
        "10 nodes added",
        "3 pods",
        "10 min later it failed",
        "10 minutes of downtime",
        "-10 nodes",
        "-5 million rows",
        "about 30% of users",
        "around the corner",
        "yesterday the certificate ran out",
        "yesterday's deploy",
        "today we learned",
        "monitoring fired",
        "monday is a holiday",
        "sat through it",
        "may 2 services share it?",
        "march on",
        "2023-04-02 was the date",
        "3:2 ratio",
        "15.05 is a version",
        "3:05:2x",
        "15:05-15:10 restarted",
        "15:05,16:00",
        "10.0.0.1:8080 refuses",
        "1:1 meeting",
        "5pmish",
        "an hour passed",
        "half of them",
        "",
        "  ",
        "tomorrow 15:00 we retry",
        "in 2 h",
        "~",
        "99999999999m ago",
    ] {
        assert_eq!(read(text).expect("fine"), None, "{text}");
    }
}

#[test]
fn plans_point_ahead() {
    for (text, at) in [
        ("18:00", "2023-04-02T22:00:00Z"),
        ("15:00", "2023-04-03T19:00:00Z"),
        ("tomorrow 3am", "2023-04-03T07:00:00Z"),
        ("mon 14:00", "2023-04-03T18:00:00Z"),
        ("in 2 h", "2023-04-02T23:10:00Z"),
        ("+30m", "2023-04-02T21:40:00Z"),
    ] {
        let (time, _) = read_at(NOW, "America/New_York", text, Direction::Future).expect("fine").expect("a time");
        assert_eq!(time.when.at, Some(utc(at)), "{text}");
    }
}

#[test]
fn due_dates_lie_ahead() {
    // A Wednesday.
    let today = "2024-05-01".parse().expect("a date");
    for (text, date, rest) in [
        ("fri add an alert", "2024-05-03", "add an alert"),
        ("wed", "2024-05-08", ""),
        ("tomorrow, x", "2024-05-02", "x"),
        ("today", "2024-05-01", ""),
        ("2024-06-01 x", "2024-06-01", "x"),
        ("in 3 days x", "2024-05-04", "x"),
        ("in a week", "2024-05-08", ""),
        ("next mon", "2024-05-06", ""),
        ("next fri", "2024-05-10", ""),
        ("next week", "2024-05-06", ""),
        ("may 20", "2024-05-20", ""),
        ("20 april", "2025-04-20", ""),
    ] {
        let expected = date.parse().expect("a date");
        assert_eq!(due_date(text, today), Some((expected, rest)), "{text}");
    }
    for text in ["friends", "in the morning", "next to nothing", "2024-13-01", "soon", ""] {
        assert_eq!(due_date(text, today), None, "{text}");
    }
}

#[test]
fn every_offered_choice_can_be_typed_back() {
    for name in ["America/New_York", "Australia/Lord_Howe", "Europe/London", "Africa/Casablanca", "America/Sao_Paulo"] {
        let zone = civil::zone(name).expect("known");
        let mut at = utc("2016-01-01T00:00:00Z");
        for _ in 0..6 {
            let Some(change) = zone.next_change(at) else { break };
            at = change;
            for shown in [zone.at(change).local, zone.at(change - TimeDelta::seconds(1)).local] {
                let text = format!("{} x", (shown + TimeDelta::minutes(10)).format("%Y-%m-%d %H:%M"));
                let speaker = Speaker { now: utc("2024-01-15T00:00:00Z"), zone: &zone };
                let Err(unsure) = leading_time(&text, speaker, Direction::Past) else { continue };
                assert_eq!(unsure.rest, "x");
                for choice in unsure.problem.choices() {
                    let again = whole_time(&choice.typed, speaker, Direction::Past).expect("exact").expect("a time");
                    assert_eq!(again.when.at, Some(choice.at), "{name} {}", choice.typed);
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn reading_never_panics_and_only_takes_from_the_front(text in "\\PC{0,40}", zone in 0_usize..400, second in 0_i64..2_000_000_000) {
        let name = zone_names().nth(zone).unwrap_or_else(|| "UTC".into());
        let zone = civil::zone(&name).expect("listed");
        let speaker = Speaker { now: DateTime::from_timestamp(second, 0).expect("in range"), zone: &zone };
        for direction in [Direction::Past, Direction::Future] {
            if let Ok(Some((_, rest))) = leading_time(&text, speaker, direction) {
                prop_assert!(text.ends_with(rest));
            }
        }
        let _ = due_date(&text, speaker.now.date_naive());
    }

    #[test]
    fn a_clock_time_typed_now_is_never_in_the_future_and_less_than_two_days_ago(
        hour in 0_u32..24,
        minute in 0_u32..60,
        zone in 0_usize..600,
        second in 0_i64..2_000_000_000,
    ) {
        let name = zone_names().nth(zone).unwrap_or_else(|| "UTC".into());
        let zone = civil::zone(&name).expect("listed");
        let now = DateTime::from_timestamp(second, 0).expect("in range");
        let text = format!("{hour:02}:{minute:02}");
        if let Ok(time) = whole_time(&text, Speaker { now, zone: &zone }, Direction::Past) {
            let at = time.expect("a time").when.at.expect("a moment");
            prop_assert!(at <= now + TimeDelta::seconds(FUTURE_S_MAX));
            prop_assert!(at > now - TimeDelta::hours(50));
            prop_assert_eq!(zone.at(at).local.time().format("%H:%M").to_string(), text);
        }
    }
}
