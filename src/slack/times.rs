//! Civil time as these texts need it. Stands in for `crate::domain::civil`, which has the same three functions: once
//! that is there, this file is `pub(super) use crate::domain::civil::{clock_time, date, duration};`.

use chrono::{DateTime, TimeDelta, Utc};
use jiff::tz::TimeZone;

fn zoned(at: DateTime<Utc>, zone: &str) -> jiff::Zoned {
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    jiff::Timestamp::from_microsecond(at.timestamp_micros()).unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_zoned(zone)
}

/// "3:00 PM EDT" or "15:00 CET".
pub(super) fn clock_time(at: DateTime<Utc>, zone: &str) -> String {
    let format = if zone.starts_with("America/") { "%-I:%M %p %Z" } else { "%H:%M %Z" };
    zoned(at, zone).strftime(format).to_string()
}

/// "April 2nd, 2023".
pub(super) fn date(at: DateTime<Utc>, zone: &str) -> String {
    let local = zoned(at, zone);
    let suffix = match (local.day() % 10, local.day()) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{} {}{suffix}, {}", local.strftime("%B"), local.day(), local.year())
}

/// "under a minute", "2 min", "1 h 15 min", "2 d 3 h"; never negative.
pub(super) fn duration(span: TimeDelta) -> String {
    let minutes = span.num_minutes().max(0);
    let (days, hours, minutes) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => "under a minute".into(),
        (0, 0, m) => format!("{m} min"),
        (0, h, 0) => format!("{h} h"),
        (0, h, m) => format!("{h} h {m} min"),
        (d, 0, _) => format!("{d} d"),
        (d, h, _) => format!("{d} d {h} h"),
    }
}
