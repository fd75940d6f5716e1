//! Local time: zones, and the way from what a wall clock shows to an instant.
//!
//! The only file that imports jiff, with the time zone database that is compiled in: the machine's own may be years old.
//! `parse` reads the times people type. Nothing here knows what time it is now.

pub mod format;
mod parse;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use jiff::tz::{Offset, TimeZone, TimeZoneDatabase};

pub use parse::{Choice, Direction, Speaker, TimeProblem, TypedTime, UnsureTime, due_date, leading_time, whole_time};

static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// No zone is farther from UTC than this, a day and an hour to be sure.
const OFFSET_MAX: TimeDelta = TimeDelta::hours(25);
/// Most names that are offered for a zone nobody knows.
const NEAR_ZONES_MAX: usize = 3;

/// A time zone with its rules, cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    rules: TimeZone,
}

/// A zone name that is not in the database, and what it may have meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no time zone called \"{name}\"")]
pub struct UnknownZone {
    pub name: String,
    /// Names that look alike, best first.
    pub near: Vec<String>,
}

/// What the clocks of a zone show at an instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WallClock {
    pub local: NaiveDateTime,
    /// Seconds east of UTC.
    pub offset_s: i32,
    /// What people call the zone then: `EDT`, or `UTC+10:30` where there are no letters.
    pub abbreviation: String,
}

/// The instants at which the clocks of a zone show a given local time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instants {
    Unambiguous(DateTime<Utc>),
    /// Clocks were put back: they show it twice.
    Repeated(DateTime<Utc>, DateTime<Utc>),
    /// Clocks were put forward: they never show it. The last whole minute before the gap and the first moment after.
    Skipped {
        before: DateTime<Utc>,
        after: DateTime<Utc>,
    },
}

/// The zone with this IANA name, in any case.
pub fn zone(name: &str) -> Result<Zone, UnknownZone> {
    match ZONES.get(name.trim()) {
        Ok(rules) => Ok(Zone { rules }),
        Err(_) => Err(UnknownZone { name: name.to_owned(), near: near_zones(name) }),
    }
}

/// The names of all zones of the database.
pub fn zone_names() -> impl Iterator<Item = String> {
    ZONES.available().map(|name| name.to_string())
}

fn near_zones(name: &str) -> Vec<String> {
    let wanted = name.trim().replace(' ', "_").to_lowercase();
    let mut near: Vec<(f64, String)> = zone_names()
        .map(|known| {
            let lower = known.to_lowercase();
            let city = lower.rsplit('/').next().unwrap_or(&lower);
            let likeness = strsim::jaro_winkler(&wanted, &lower).max(strsim::jaro_winkler(&wanted, city));
            (likeness, known)
        })
        .filter(|(likeness, _)| *likeness > 0.85)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    near.into_iter().take(NEAR_ZONES_MAX).map(|(_, name)| name).collect()
}

impl Zone {
    /// Coordinated Universal Time.
    pub fn utc() -> Self {
        Self { rules: TimeZone::UTC }
    }

    /// A zone that never changes; `None` beyond 25 hours.
    pub fn fixed(offset_s: i32) -> Option<Self> {
        Offset::from_seconds(offset_s).ok().map(|offset| Self { rules: TimeZone::fixed(offset) })
    }

    /// The IANA name, such as `America/New_York`; `UTC` for zones without one.
    pub fn name(&self) -> &str {
        self.rules.iana_name().unwrap_or("UTC")
    }

    /// What people call the place: `New York`.
    pub fn place(&self) -> String {
        let name = self.name();
        name.rsplit('/').next().unwrap_or(name).replace('_', " ")
    }

    /// What the clocks show at `at`.
    pub fn at(&self, at: DateTime<Utc>) -> WallClock {
        let info = self.rules.to_offset_info(timestamp(at));
        let offset_s = info.offset().seconds();
        let abbreviation = info.abbreviation();
        let abbreviation = if abbreviation.starts_with(['+', '-']) || abbreviation.is_empty() {
            offset_name(offset_s)
        } else {
            abbreviation.to_owned()
        };
        WallClock { local: at.naive_utc() + TimeDelta::seconds(offset_s.into()), offset_s, abbreviation }
    }

    /// The local date at `at`.
    pub fn date(&self, at: DateTime<Utc>) -> NaiveDate {
        self.at(at).local.date()
    }

    /// The instants at which the clocks show `local`.
    ///
    /// Found by looking at the clocks around it: jiff's own answer to this question contradicts its answer to what the
    /// clocks show where a zone changed its rules but not its clocks (America/Nuuk, 29 October 2023).
    pub fn instants(&self, local: NaiveDateTime) -> Instants {
        let nominal = local.and_utc();
        let from = nominal - OFFSET_MAX;
        let changes: Vec<DateTime<Utc>> = self
            .rules
            .following(timestamp(from))
            .map(|change| instant(change.timestamp()))
            .take_while(|change| *change <= nominal + OFFSET_MAX)
            .collect();
        let candidates: BTreeSet<DateTime<Utc>> = std::iter::once(from)
            .chain(changes.iter().copied())
            .map(|at| nominal - TimeDelta::seconds(self.at(at).offset_s.into()))
            .filter(|at| self.at(*at).local == local)
            .collect();
        match (candidates.first(), candidates.last()) {
            (Some(first), Some(last)) if first == last => Instants::Unambiguous(*first),
            (Some(first), Some(last)) => Instants::Repeated(*first, *last),
            _ => {
                let jumps_over = |change: &&DateTime<Utc>| self.at(**change).local > local;
                let change = changes.iter().find(jumps_over).copied().unwrap_or(nominal);
                Instants::Skipped { before: change - TimeDelta::minutes(1), after: change }
            }
        }
    }

    /// The next change of the clocks after `at`, if there is one.
    pub fn next_change(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.rules.following(timestamp(at)).next().map(|change| instant(change.timestamp()))
    }

    /// The abbreviations in use within a year of `at`.
    fn abbreviations(&self, at: DateTime<Utc>) -> BTreeSet<String> {
        (-4..=4).map(|quarter| self.at(at + TimeDelta::days(quarter * 91)).abbreviation).collect()
    }
}

/// `UTC+10:30`.
fn offset_name(offset_s: i32) -> String {
    let sign = if offset_s < 0 { '-' } else { '+' };
    let minutes = offset_s.abs() / 60;
    format!("UTC{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

fn timestamp(at: DateTime<Utc>) -> jiff::Timestamp {
    let nanos = i32::try_from(at.timestamp_subsec_nanos()).unwrap_or(0);
    jiff::Timestamp::new(at.timestamp(), nanos).unwrap_or(if at.timestamp() < 0 {
        jiff::Timestamp::MIN
    } else {
        jiff::Timestamp::MAX
    })
}

fn instant(at: jiff::Timestamp) -> DateTime<Utc> {
    DateTime::from_timestamp(at.as_second(), 0).unwrap_or_default()
}

#[cfg(test)]
mod tests;
