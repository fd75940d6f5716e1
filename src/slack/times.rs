//! Civil time as these texts need it: the one place where they ask `domain::civil`.

use chrono::{DateTime, Datelike, TimeDelta, Utc};

use crate::domain::civil::{self, WallClock};

/// What the clocks of the zone show; of UTC for a zone that nobody knows.
fn wall(at: DateTime<Utc>, zone: &str) -> WallClock {
    civil::zone(zone).unwrap_or_else(|_| civil::Zone::utc()).at(at)
}

/// "3:00 PM EDT" or "15:00 CET".
pub(super) fn clock_time(at: DateTime<Utc>, zone: &str) -> String {
    let wall = wall(at, zone);
    let hours = if zone.starts_with("America/") || zone.starts_with("US/") { "%-I:%M %p" } else { "%H:%M" };
    format!("{} {}", wall.local.format(hours), wall.abbreviation)
}

/// "April 2nd, 2023".
pub(super) fn date(at: DateTime<Utc>, zone: &str) -> String {
    let day = wall(at, zone).local.date();
    let suffix = match (day.day() % 10, day.day()) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{} {}{suffix}, {}", day.format("%B"), day.day(), day.year())
}

/// "under a minute", "2 min", "1 h 15 min", above 48 hours "2 d 3 h"; never negative.
pub(super) fn duration(span: TimeDelta) -> String {
    let minutes = span.num_minutes().max(0);
    let (hours, left) = (minutes / 60, minutes % 60);
    match (hours, left) {
        (0, 0) => "under a minute".into(),
        (0, left) => format!("{left} min"),
        (hours, 0) if hours < 48 => format!("{hours} h"),
        (hours, left) if hours < 48 => format!("{hours} h {left} min"),
        (hours, _) if hours % 24 == 0 => format!("{} d", hours / 24),
        (hours, _) => format!("{} d {} h", hours / 24, hours % 24),
    }
}
