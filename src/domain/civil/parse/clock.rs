//! The forms in which people write a time, without their meaning.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike, Utc, Weekday};

use super::Direction;
use crate::clock::micros;

/// A time as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    Now,
    /// With its offset from UTC.
    Exact(DateTime<Utc>),
    /// So long before now; negative for "in 2 h".
    Ago(TimeDelta),
    Clock {
        day: Day,
        clock: Clock,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Day {
    Unsaid,
    FromToday(i64),
    Weekday(Weekday),
    /// Month and day, in a year that was not said.
    OfYear(u32, u32),
    Date(NaiveDate),
}

/// What a clock shows, and how it was written, so that an answer is written alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clock {
    pub(super) time: NaiveTime,
    twelve_hours: bool,
}

impl Clock {
    /// The time of `local`, written as this one.
    pub(super) fn show(self, local: NaiveDateTime) -> String {
        let seconds = local.second() != 0;
        let format = match (self.twelve_hours, seconds) {
            (true, false) => "%-I:%M %p",
            (true, true) => "%-I:%M:%S %p",
            (false, false) => "%H:%M",
            (false, true) => "%H:%M:%S",
        };
        local.format(format).to_string()
    }
}

/// Years that a typed date may name; anything else is a number.
const YEARS: std::ops::RangeInclusive<i32> = 1970..=2199;

/// Whether a time may end where `rest` begins.
pub(super) fn ends_here(rest: &str) -> bool {
    match rest.strip_prefix([':', ',']) {
        Some(after) => after.is_empty() || after.starts_with(char::is_whitespace),
        None => rest.is_empty() || rest.starts_with(char::is_whitespace),
    }
}

/// Takes `~` or "about" if it stands there.
pub(super) fn approximately(text: &str) -> (bool, &str) {
    if let Some(rest) = text.strip_prefix(['~', '≈']) {
        return (true, rest.trim_start());
    }
    for word in ["about", "around", "circa", "ca.", "approximately", "approx.", "approx"] {
        if let Some(rest) = word_prefix(text, word) {
            return (true, rest);
        }
    }
    (false, text)
}

/// The longest time that `text` begins with. A clock time may be followed by a zone, so its end is checked later.
pub(super) fn written(text: &str, direction: Direction) -> Option<(Written, &str)> {
    if let Some(rest) = strip_word(text, "now") {
        return ends_here(rest).then_some((Written::Now, rest));
    }
    if let Some((at, rest)) = exact(text) {
        return Some((Written::Exact(at), rest));
    }
    if let Some((span, rest)) = span_before(text).or_else(|| span_ago(text)) {
        return Some((Written::Ago(span), rest));
    }
    if direction == Direction::Future
        && let Some((span, rest)) = span_ahead(text)
    {
        return Some((Written::Ago(-span), rest));
    }
    let (day, rest) = match day(text, direction) {
        Some((day, rest)) => (day, joiner(rest)?),
        None => (Day::Unsaid, word_prefix(text, "at").unwrap_or(text)),
    };
    let (clock, rest) = clock(rest)?;
    Some((Written::Clock { day, clock }, rest))
}

/// What may stand between a day and a time: blanks, a comma, "at".
fn joiner(text: &str) -> Option<&str> {
    let rest = text.strip_prefix([',', 'T']).unwrap_or(text);
    let rest = if text.starts_with('T') { rest } else { rest.strip_prefix(char::is_whitespace)?.trim_start() };
    Some(word_prefix(rest, "at").unwrap_or(rest))
}

/// `text` without `word` at its beginning, in any case; the word may go on.
fn strip_word<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    let head = text.get(..word.len())?;
    head.eq_ignore_ascii_case(word).then(|| &text[word.len()..])
}

/// `text` behind `word` and the blanks that must follow it.
pub(super) fn word_prefix<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    let rest = strip_word(text, word)?;
    rest.starts_with(char::is_whitespace).then(|| rest.trim_start())
}

/// One or more digits, at most `most`, not followed by another digit.
fn number(text: &str, most: usize) -> Option<(u32, usize, &str)> {
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    if length == 0 || length > most {
        return None;
    }
    Some((text[..length].parse().ok()?, length, &text[length..]))
}

/// `15:05`, `3:05pm`, `3:05:20 PM`, `3pm`, `3 p.m.`.
fn clock(text: &str) -> Option<(Clock, &str)> {
    let (hour, _, rest) = number(text, 2)?;
    let two_digits = |rest: &str| match number(rest, 2) {
        Some((value, 2, _)) if value < 60 => Some(value),
        _ => None,
    };
    let Some(minute) = rest.strip_prefix(':').and_then(two_digits) else {
        let (half, rest) = half_of_day(rest)?;
        return Some((twelve(hour, 0, 0, half)?, rest));
    };
    let rest = &rest[3..];
    let (second, rest) = match rest.strip_prefix(':').and_then(two_digits) {
        Some(second) => (second, &rest[3..]),
        None => (0, rest),
    };
    if let Some((half, rest)) = half_of_day(rest) {
        return Some((twelve(hour, minute, second, half)?, rest));
    }
    let time = NaiveTime::from_hms_opt(hour, minute, second)?;
    Some((Clock { time, twelve_hours: false }, rest))
}

/// A word that is written like a clock time but is none, such as `25:00`, and what follows.
pub(super) fn no_such_time(text: &str) -> Option<(&str, &str)> {
    let (_, _, rest) = number(text, 2)?;
    let (_, 2, rest) = number(rest.strip_prefix(':')?, 2)? else { return None };
    let rest = match rest.strip_prefix(':').and_then(|rest| number(rest, 2)) {
        Some((_, 2, rest)) => rest,
        _ => rest,
    };
    let rest = half_of_day(rest).map_or(rest, |(_, rest)| rest);
    ends_here(rest).then(|| (&text[..text.len() - rest.len()], rest))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Half {
    Am,
    Pm,
}

fn half_of_day(text: &str) -> Option<(Half, &str)> {
    let text = text.trim_start();
    for (word, half) in [("a.m.", Half::Am), ("p.m.", Half::Pm), ("am", Half::Am), ("pm", Half::Pm)] {
        if let Some(rest) = strip_word(text, word)
            && ends_here(rest)
        {
            return Some((half, rest));
        }
    }
    None
}

fn twelve(hour: u32, minute: u32, second: u32, half: Half) -> Option<Clock> {
    let hour = match (hour, half) {
        (12, Half::Am) => 0,
        (1..=11, Half::Am) | (12..=23, Half::Pm) => hour,
        (1..=11, Half::Pm) => hour + 12,
        _ => return None,
    };
    Some(Clock { time: NaiveTime::from_hms_opt(hour, minute, second)?, twelve_hours: true })
}

/// An RFC 3339 time with its offset, perhaps with the zone of RFC 9557 in brackets, which cannot contradict it.
fn exact(text: &str) -> Option<(DateTime<Utc>, &str)> {
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let word = text[..end].trim_end_matches([':', ',']);
    let stamp = word.find('[').map_or(word, |bracket| &word[..bracket]);
    if !stamp.as_bytes().get(10).is_some_and(|byte| b"Tt".contains(byte)) {
        return None;
    }
    let at = match DateTime::parse_from_rfc3339(stamp) {
        Ok(at) => at,
        Err(_) => DateTime::parse_from_rfc3339(&with_seconds(stamp)?).ok()?,
    };
    let at = at.with_timezone(&Utc);
    let rest = &text[word.len()..];
    (YEARS.contains(&chrono::Datelike::year(&at)) && ends_here(rest)).then_some((micros(at), rest))
}

/// RFC 3339 wants seconds; people leave them out.
fn with_seconds(stamp: &str) -> Option<String> {
    let (minutes, offset) = (stamp.get(..16)?, stamp.get(16..)?);
    offset.starts_with(['Z', 'z', '+', '-']).then(|| format!("{minutes}:00{offset}"))
}

fn day(text: &str, direction: Direction) -> Option<(Day, &str)> {
    for (word, days) in [("yesterday", -1), ("today", 0)] {
        if let Some(rest) = strip_word(text, word) {
            return Some((Day::FromToday(days), rest));
        }
    }
    if direction == Direction::Future
        && let Some(rest) = strip_word(text, "tomorrow")
    {
        return Some((Day::FromToday(1), rest));
    }
    if let Some((date, rest)) = iso_date(text) {
        return Some((Day::Date(date), rest));
    }
    if let Some((month, in_month, rest)) = month_day(text) {
        let with_year = rest.strip_prefix(',').unwrap_or(rest);
        if let Some(year) = with_year.strip_prefix(' ')
            && let Some((year, 4, rest)) = number(year, 4)
        {
            let date = NaiveDate::from_ymd_opt(year.try_into().ok()?, month, in_month)?;
            return YEARS.contains(&chrono::Datelike::year(&date)).then_some((Day::Date(date), rest));
        }
        return Some((Day::OfYear(month, in_month), rest));
    }
    let text = word_prefix(text, "last").or_else(|| word_prefix(text, "on")).unwrap_or(text);
    let (weekday, rest) = weekday(text)?;
    Some((Day::Weekday(weekday), rest))
}

/// `2023-04-02`.
pub(super) fn iso_date(text: &str) -> Option<(NaiveDate, &str)> {
    let date = NaiveDate::parse_from_str(text.get(..10)?, "%Y-%m-%d").ok()?;
    let rest = &text[10..];
    (YEARS.contains(&chrono::Datelike::year(&date)) && !rest.starts_with(|c: char| c.is_ascii_digit()))
        .then_some((date, rest))
}

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// `apr 2`, `April 2nd`, `2 April`: month and day, which exist together in a leap year.
pub(super) fn month_day(text: &str) -> Option<(u32, u32, &str)> {
    let (month, in_month, rest) = if let Some((day, _, rest)) = number(text, 2) {
        let (month, rest) = month(ordinal(rest).strip_prefix(' ')?)?;
        (month, day, rest)
    } else {
        let (month, rest) = month(text)?;
        let (day, _, rest) = number(rest.strip_prefix(' ')?, 2)?;
        (month, day, ordinal(rest))
    };
    NaiveDate::from_ymd_opt(2024, month, in_month)?;
    Some((month, in_month, rest))
}

fn ordinal(text: &str) -> &str {
    ["st", "nd", "rd", "th"].iter().find_map(|ending| strip_word(text, ending)).unwrap_or(text)
}

fn month(text: &str) -> Option<(u32, &str)> {
    let (word, rest) = letters(text);
    let word = word.to_ascii_lowercase();
    let index = MONTHS
        .iter()
        .position(|month| *month == word || month[..3] == word || (word == "sept" && *month == "september"))?;
    Some((u32::try_from(index).ok()? + 1, rest.strip_prefix('.').unwrap_or(rest)))
}

fn letters(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len()))
}

/// `mon`, `tues`, `Wednesday`.
pub(super) fn weekday(text: &str) -> Option<(Weekday, &str)> {
    let (word, rest) = letters(text);
    let weekday = match word.to_ascii_lowercase().as_str() {
        "mon" | "monday" => Weekday::Mon,
        "tue" | "tues" | "tuesday" => Weekday::Tue,
        "wed" | "wednesday" => Weekday::Wed,
        "thu" | "thur" | "thurs" | "thursday" => Weekday::Thu,
        "fri" | "friday" => Weekday::Fri,
        "sat" | "saturday" => Weekday::Sat,
        "sun" | "sunday" => Weekday::Sun,
        _ => return None,
    };
    Some((weekday, rest))
}

/// `-10m`, `-1h30m`, also with the dashes that phones make of a hyphen.
fn span_before(text: &str) -> Option<(TimeDelta, &str)> {
    let (span, rest) = compact(text.strip_prefix(['-', '−', '–'])?)?;
    let rest = word_prefix_or_end(rest, "ago").unwrap_or(rest);
    ends_here(rest).then_some((span, rest))
}

fn word_prefix_or_end<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    let rest = strip_word(text.strip_prefix(' ')?, word)?;
    ends_here(rest).then_some(rest)
}

/// `in 2 h`, `+30m`.
fn span_ahead(text: &str) -> Option<(TimeDelta, &str)> {
    let (span, rest) = match text.strip_prefix('+') {
        Some(rest) => compact(rest)?,
        None => spoken(word_prefix(text, "in")?)?,
    };
    ends_here(rest).then_some((span, rest))
}

/// `10 min ago`, `an hour ago`, `1h30m ago`.
fn span_ago(text: &str) -> Option<(TimeDelta, &str)> {
    let (span, rest) = spoken(text)?;
    let rest = strip_word(rest.strip_prefix(char::is_whitespace)?.trim_start(), "ago")?;
    ends_here(rest).then_some((span, rest))
}

/// One to four parts without blanks, each number and unit.
fn compact(mut text: &str) -> Option<(TimeDelta, &str)> {
    let mut sum = TimeDelta::zero();
    for _ in 0..4 {
        let Some((count, _, rest)) = number(text, 5) else { break };
        let (unit, rest) = unit(rest)?;
        sum += unit.checked_mul(i32::try_from(count).ok()?)?;
        text = rest;
        if !text.starts_with(|c: char| c.is_ascii_digit()) {
            return Some((sum, text));
        }
    }
    None
}

/// One to four parts, each number and unit, perhaps with blanks and "and" between.
fn spoken(text: &str) -> Option<(TimeDelta, &str)> {
    if let Some(rest) = word_prefix(text, "half") {
        let (unit, rest) = unit(word_prefix(rest, "an").unwrap_or(rest))?;
        return Some((unit / 2, rest));
    }
    let (mut sum, mut rest) = spoken_part(text)?;
    for _ in 0..3 {
        let next = rest.trim_start();
        let next = word_prefix(next, "and").unwrap_or(next);
        match spoken_part(next) {
            Some((span, after)) => (sum, rest) = (sum.checked_add(&span)?, after),
            None => break,
        }
    }
    Some((sum, rest))
}

fn spoken_part(text: &str) -> Option<(TimeDelta, &str)> {
    const WORDS: [(&str, i32); 14] = [
        ("an", 1),
        ("a", 1),
        ("one", 1),
        ("two", 2),
        ("three", 3),
        ("four", 4),
        ("five", 5),
        ("six", 6),
        ("seven", 7),
        ("eight", 8),
        ("nine", 9),
        ("ten", 10),
        ("fifteen", 15),
        ("twenty", 20),
    ];
    let (count, rest) = match number(text, 5) {
        Some((count, _, rest)) => (i32::try_from(count).ok()?, rest.trim_start()),
        None => WORDS.iter().find_map(|(word, count)| Some((*count, word_prefix(text, word)?)))?,
    };
    let (unit, rest) = unit(rest)?;
    Some((unit.checked_mul(count)?, rest))
}

fn unit(text: &str) -> Option<(TimeDelta, &str)> {
    let (word, rest) = letters(text);
    let unit = match word.to_ascii_lowercase().as_str() {
        "s" | "sec" | "secs" | "second" | "seconds" => TimeDelta::seconds(1),
        "m" | "min" | "mins" | "minute" | "minutes" => TimeDelta::minutes(1),
        "h" | "hr" | "hrs" | "hour" | "hours" => TimeDelta::hours(1),
        "d" | "day" | "days" => TimeDelta::days(1),
        "w" | "wk" | "week" | "weeks" => TimeDelta::weeks(1),
        _ => return None,
    };
    Some((unit, rest))
}
