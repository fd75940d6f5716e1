//! Times as the texts in Slack show them.

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::civil::format::{self, LocalZone};

/// "3:00 PM EDT" or "15:00 CET".
pub(super) fn clock_time(at: DateTime<Utc>, zone: &str) -> String {
    LocalZone::new(zone, None).time_with_zone(at)
}

/// "under a minute", "2 min", "1 h 15 min"; never negative.
pub(super) fn duration(span: TimeDelta) -> String {
    match span.num_seconds() {
        ..60 => "under a minute".to_owned(),
        seconds => format::duration_short(seconds),
    }
}
