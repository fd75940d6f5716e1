//! How an instant reads in a zone: clock times, dates, abbreviations, offsets and durations as documents print them.
//!
//! Reads only; what people type is understood elsewhere. The tz database is the one that jiff carries, never the
//! machine's, which is often out of date.

use std::sync::LazyLock;

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use jiff::Timestamp;
use jiff::civil::DateTime as CivilDateTime;
use jiff::tz::{Offset, TimeZone, TimeZoneDatabase, TimeZoneOffsetInfo};

static DATABASE: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// How the hours of a day are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClockStyle {
    /// `3:00 PM`.
    Twelve,
    /// `15:00`.
    TwentyFour,
}

/// A zone in which instants are shown, and how.
#[derive(Clone, Debug)]
pub struct LocalZone {
    name: String,
    zone: TimeZone,
    style: ClockStyle,
}

impl PartialEq for LocalZone {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.style == other.style
    }
}

/// A change of a zone's offset: a moment at which the clocks are put forward or back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneChange {
    pub at: DateTime<Utc>,
    pub from: String,
    pub to: String,
}

impl LocalZone {
    /// The zone of that IANA name. An unknown name reads as UTC and says so in [`Self::name`].
    /// Without a style, zones of the United States use the 12-hour clock and all others the 24-hour clock.
    pub fn new(name: &str, style: Option<ClockStyle>) -> Self {
        let found = DATABASE.get(name).ok();
        let name = if found.is_some() { name.to_owned() } else { "UTC".to_owned() };
        let style = style.unwrap_or(if is_american(&name) { ClockStyle::Twelve } else { ClockStyle::TwentyFour });
        Self { name, zone: found.unwrap_or(TimeZone::UTC), style }
    }

    /// The IANA name, such as `America/New_York`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `3:00 PM` or `15:00`.
    pub fn time(&self, at: DateTime<Utc>) -> String {
        self.clock(self.civil(at))
    }

    fn clock(&self, local: CivilDateTime) -> String {
        match self.style {
            ClockStyle::TwentyFour => format!("{:02}:{:02}", local.hour(), local.minute()),
            ClockStyle::Twelve => {
                let half = if local.hour() < 12 { "AM" } else { "PM" };
                let hour = match local.hour() % 12 {
                    0 => 12,
                    hour => hour,
                };
                format!("{hour}:{:02} {half}", local.minute())
            }
        }
    }

    /// `3:00 PM EDT`.
    pub fn time_with_zone(&self, at: DateTime<Utc>) -> String {
        let info = self.zone.to_offset_info(timestamp(at));
        format!("{} {}", self.clock(info.offset().to_datetime(timestamp(at))), letters(&info))
    }

    /// The zone's letters at that instant (`EDT`), or `UTC+10:30` for a zone that has none.
    pub fn abbreviation(&self, at: DateTime<Utc>) -> String {
        letters(&self.zone.to_offset_info(timestamp(at)))
    }

    /// `UTC−04:00`, with a true minus sign; `UTC` itself for zero.
    pub fn offset(&self, at: DateTime<Utc>) -> String {
        from_utc(self.zone.to_offset(timestamp(at)))
    }

    /// The local day.
    pub fn day(&self, at: DateTime<Utc>) -> NaiveDate {
        let local = self.civil(at);
        NaiveDate::from_ymd_opt(
            i32::from(local.year()),
            u32::from(local.month().unsigned_abs()),
            u32::from(local.day().unsigned_abs()),
        )
        .expect("jiff's dates are dates")
    }

    /// `2023-04-02T15:00:00-04:00`; RFC 3339, with a fraction only where there is one.
    pub fn rfc3339(&self, at: DateTime<Utc>) -> String {
        let local = self.civil(at);
        let fraction = match local.subsec_nanosecond() / 1000 {
            0 => String::new(),
            micros => format!(".{micros:06}"),
        };
        format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{fraction}{}",
            local.year(),
            local.month(),
            local.day(),
            local.hour(),
            local.minute(),
            local.second(),
            signed(self.zone.to_offset(timestamp(at)), '-'),
        )
    }

    /// `2023-04-02T15:00:00-04:00[America/New_York]`; RFC 9557.
    pub fn rfc9557(&self, at: DateTime<Utc>) -> String {
        format!("{}[{}]", self.rfc3339(at), self.name)
    }

    /// Whether the offset changes during that local day, so that a clock time alone may be ambiguous.
    pub fn changes_on(&self, day: NaiveDate) -> bool {
        let (start_at, end_at) = (self.day_start(day), self.day_start(day.succ_opt().unwrap_or(day)));
        self.zone.to_offset(timestamp(start_at)) != self.zone.to_offset(timestamp(end_at))
    }

    /// The first instant of a local day.
    pub fn day_start(&self, day: NaiveDate) -> DateTime<Utc> {
        let (Ok(year), Ok(month), Ok(date)) =
            (i16::try_from(day.year()), i8::try_from(day.month()), i8::try_from(day.day()))
        else {
            return day.and_time(chrono::NaiveTime::MIN).and_utc();
        };
        let start = jiff::civil::Date::new(year, month, date).and_then(|date| date.to_zoned(self.zone.clone()));
        start.map_or_else(|_| day.and_time(chrono::NaiveTime::MIN).and_utc(), |zoned| instant(zoned.timestamp()))
    }

    /// The changes of the offset after `from` and not after `until`, at most eight.
    pub fn changes_between(&self, from: DateTime<Utc>, until: DateTime<Utc>) -> Vec<ZoneChange> {
        self.zone
            .following(timestamp(from))
            .take(8)
            .map(|change| instant(change.timestamp()))
            .take_while(|at| *at <= until)
            .map(|at| ZoneChange {
                at,
                from: self.abbreviation(at - chrono::TimeDelta::microseconds(1)),
                to: self.abbreviation(at),
            })
            .filter(|change| change.from != change.to)
            .collect()
    }

    fn civil(&self, at: DateTime<Utc>) -> CivilDateTime {
        self.zone.to_datetime(timestamp(at))
    }
}

fn letters(info: &TimeZoneOffsetInfo<'_>) -> String {
    let letters = info.abbreviation();
    if letters.starts_with(['+', '-']) { from_utc(info.offset()) } else { letters.to_owned() }
}

fn from_utc(offset: Offset) -> String {
    if offset == Offset::UTC { "UTC".to_owned() } else { format!("UTC{}", signed(offset, '\u{2212}')) }
}

/// `April 2nd, 2023`.
pub fn date(day: NaiveDate) -> String {
    format!("{}, {}", date_without_year(day), day.year())
}

/// `April 2nd`.
pub fn date_without_year(day: NaiveDate) -> String {
    format!("{} {}", month(day), ordinal(day.day()))
}

/// `Sunday, April 2nd, 2023`.
pub fn date_with_weekday(day: NaiveDate) -> String {
    const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
    format!("{}, {}", WEEKDAYS[day.weekday().num_days_from_monday() as usize], date(day))
}

/// A length of time in words, rounded down to minutes: `1 hour 15 minutes`, `2 days 3 hours`, `under a minute`.
/// Up to 48 hours it counts in hours, above in days.
pub fn duration(seconds: i64) -> String {
    let minutes = seconds.abs() / 60;
    if minutes == 0 {
        return "under a minute".to_owned();
    }
    let (days, hours, minutes) = split(minutes);
    [(days, "day"), (hours, "hour"), (minutes, "minute")]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, unit)| counted(count, unit))
        .collect::<Vec<_>>()
        .join(" ")
}

/// The same, short, for tables and charts: `1 h 15 min`.
pub fn duration_short(seconds: i64) -> String {
    let minutes = seconds.abs() / 60;
    if minutes == 0 {
        return "< 1 min".to_owned();
    }
    let (days, hours, minutes) = split(minutes);
    [(days, "d"), (hours, "h"), (minutes, "min")]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, unit)| format!("{count} {unit}"))
        .collect::<Vec<_>>()
        .join(" ")
}

/// `1 task`, `2 tasks`.
pub fn counted(count: i64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

fn split(minutes: i64) -> (i64, i64, i64) {
    let hours = minutes / 60;
    if hours < 48 { (0, hours, minutes % 60) } else { (hours / 24, hours % 24, minutes % 60) }
}

fn month(day: NaiveDate) -> &'static str {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    MONTHS[day.month0() as usize]
}

fn ordinal(number: u32) -> String {
    let suffix = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{suffix}")
}

fn signed(offset: Offset, minus: char) -> String {
    let seconds = offset.seconds();
    let sign = if seconds < 0 { minus } else { '+' };
    let minutes = seconds.abs() / 60;
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

fn timestamp(at: DateTime<Utc>) -> Timestamp {
    Timestamp::from_microsecond(at.timestamp_micros()).unwrap_or(if at.timestamp_micros() < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    })
}

fn instant(at: Timestamp) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(at.as_microsecond()).expect("jiff's years fit chrono's")
}

/// Zones of the United States by tzdb's country table, with their old names and fixed abbreviations.
fn is_american(name: &str) -> bool {
    const PREFIXES: [&str; 4] = ["US/", "America/Indiana/", "America/Kentucky/", "America/North_Dakota/"];
    const NAMES: [&str; 41] = [
        "America/Adak",
        "America/Anchorage",
        "America/Atka",
        "America/Boise",
        "America/Chicago",
        "America/Denver",
        "America/Detroit",
        "America/Fort_Wayne",
        "America/Indianapolis",
        "America/Juneau",
        "America/Knox_IN",
        "America/Los_Angeles",
        "America/Louisville",
        "America/Menominee",
        "America/Metlakatla",
        "America/New_York",
        "America/Nome",
        "America/Phoenix",
        "America/Puerto_Rico",
        "America/Shiprock",
        "America/Sitka",
        "America/St_Thomas",
        "America/Virgin",
        "America/Yakutat",
        "CST6CDT",
        "EST",
        "EST5EDT",
        "HST",
        "MST",
        "MST7MDT",
        "Navajo",
        "PST8PDT",
        "Pacific/Guam",
        "Pacific/Honolulu",
        "Pacific/Johnston",
        "Pacific/Midway",
        "Pacific/Pago_Pago",
        "Pacific/Saipan",
        "Pacific/Samoa",
        "Pacific/Wake",
        "PST",
    ];
    PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || NAMES.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().to_utc()
    }

    #[test]
    fn american_zones_tell_twelve_hours_and_others_twenty_four() {
        let noon = at("2023-04-02T12:05:00-04:00");
        assert_eq!(LocalZone::new("America/New_York", None).time_with_zone(noon), "12:05 PM EDT");
        assert_eq!(LocalZone::new("EST", None).time_with_zone(noon), "11:05 AM EST");
        assert_eq!(LocalZone::new("Europe/London", None).time_with_zone(noon), "17:05 BST");
        assert_eq!(
            LocalZone::new("Europe/London", Some(ClockStyle::Twelve)).time(at("2023-01-01T00:00:00Z")),
            "12:00 AM"
        );
    }

    #[test]
    fn a_zone_without_letters_shows_its_offset() {
        let zone = LocalZone::new("Australia/Lord_Howe", None);
        assert_eq!(zone.abbreviation(at("2023-07-01T00:00:00Z")), "UTC+10:30");
        assert_eq!(LocalZone::new("America/Sao_Paulo", None).abbreviation(at("2023-07-01T00:00:00Z")), "UTC−03:00");
    }

    #[test]
    fn the_repeated_hour_differs_by_offset_and_letters() {
        let zone = LocalZone::new("America/New_York", None);
        let (first, second) = (at("2025-11-02T01:20:00-04:00"), at("2025-11-02T01:20:00-05:00"));
        assert_eq!(zone.time(first), zone.time(second));
        assert_eq!(zone.rfc9557(first), "2025-11-02T01:20:00-04:00[America/New_York]");
        assert_eq!(zone.rfc9557(second), "2025-11-02T01:20:00-05:00[America/New_York]");
        assert!(zone.changes_on(zone.day(first)));
        assert!(!zone.changes_on(zone.day(at("2025-11-03T12:00:00Z"))));
        let changes = zone.changes_between(first, second);
        assert_eq!(changes.len(), 1);
        assert_eq!((changes[0].from.as_str(), changes[0].to.as_str()), ("EDT", "EST"));
    }

    #[test]
    fn durations_round_down_and_switch_to_days_after_48_hours() {
        for (seconds, words) in [
            (0, "under a minute"),
            (59, "under a minute"),
            (60, "1 minute"),
            (4_500, "1 hour 15 minutes"),
            (7_259, "2 hours"),
            (172_799, "47 hours 59 minutes"),
            (172_800, "2 days"),
            (183_660, "2 days 3 hours 1 minute"),
        ] {
            assert_eq!(duration(seconds), words);
        }
    }

    #[test]
    fn ordinals_know_the_teens() {
        let days = [1, 2, 3, 4, 11, 12, 13, 21, 22, 23, 31].map(ordinal);
        assert_eq!(days.join(" "), "1st 2nd 3rd 4th 11th 12th 13th 21st 22nd 23rd 31st");
    }
}
