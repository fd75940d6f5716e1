//! The times and dates people type, in the speaker's zone.
//!
//! A time is read from the beginning of a text, as far as it goes, and never takes an ordinary word with it: what is no
//! time stays text. A clock time alone means the latest such moment that is not in the future.

mod clock;
mod due;
mod zone_word;

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};

use self::clock::{Clock, Day, Written};
use self::zone_word::ZoneWord;
use super::{Instants, UnknownZone, Zone};
use crate::domain::command::When;
use crate::domain::limits::FUTURE_S_MAX;

pub use due::due_date;

/// Who types, as far as times are concerned.
#[derive(Clone, Copy, Debug)]
pub struct Speaker<'a> {
    pub now: DateTime<Utc>,
    pub zone: &'a Zone,
}

/// Which way a clock time without a date points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The latest such moment that is not in the future: things that happened.
    Past,
    /// The next such moment: things that are planned.
    Future,
}

/// A time that was read from a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypedTime {
    pub when: When,
    /// A clock time without a date was taken to be yesterday's, since today's is still to come: the echo says so.
    pub taken_for_yesterday: bool,
    /// A colon or comma stood behind it, so that what follows is certainly text.
    pub closed: bool,
}

/// A moment that is offered instead of one that cannot be meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    pub at: DateTime<Utc>,
    /// For people: `1:20 AM EDT`.
    pub text: String,
    /// What to type for it, with its date: `2025-11-02 1:20am EDT`.
    pub typed: String,
}

/// A time was typed, but which moment it means is not sure; nothing is guessed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TimeProblem {
    /// The clocks showed it twice.
    Repeated {
        place: String,
        choices: Box<[Choice; 2]>,
    },
    /// The clocks never showed it; the moments before and after.
    Skipped {
        place: String,
        typed: String,
        nearest: Box<[Choice; 2]>,
    },
    /// `EST` in summer.
    OtherAbbreviation {
        place: String,
        actual: String,
        suggestion: Box<Choice>,
    },
    UnknownZone(UnknownZone),
    /// `25:00`, `13:05am`: written like a time of day, but there is none.
    NoSuchTime {
        typed: String,
    },
}

impl TimeProblem {
    /// What is the matter, with the way out.
    pub fn sentence(&self) -> String {
        match self {
            Self::Repeated { place, choices } => {
                let [first, second] = choices.as_ref();
                format!("The clocks in {place} show that twice: {} or {}?", first.text, second.text)
            }
            Self::Skipped { place, typed, nearest } => {
                let [before, after] = nearest.as_ref();
                format!(
                    "The clocks in {place} skip {typed} that day. The nearest times are {} and {}.",
                    before.text, after.text
                )
            }
            Self::OtherAbbreviation { place, actual, suggestion } => {
                format!("{place} is on {actual} then: {}?", suggestion.text)
            }
            Self::UnknownZone(unknown) => match unknown.near.first() {
                Some(near) => format!("I know no time zone called {}. Did you mean {near}?", unknown.name),
                None => format!("I know no time zone called {}.", unknown.name),
            },
            Self::NoSuchTime { typed } => format!("{typed} is no time of day."),
        }
    }

    /// The moments that may be meant.
    pub fn choices(&self) -> &[Choice] {
        match self {
            Self::Repeated { choices, .. } => choices.as_slice(),
            Self::Skipped { nearest, .. } => nearest.as_slice(),
            Self::OtherAbbreviation { suggestion, .. } => std::slice::from_ref(suggestion),
            Self::UnknownZone(_) | Self::NoSuchTime { .. } => &[],
        }
    }
}

/// A time whose moment is not sure, and the text behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsureTime<'t> {
    pub problem: TimeProblem,
    pub rest: &'t str,
}

/// Reads a time from the beginning of `text`. Gives it with the rest of the text, without the blanks between; `None` if
/// the text does not begin with a time.
pub fn leading_time<'t>(
    text: &'t str,
    speaker: Speaker<'_>,
    direction: Direction,
) -> Result<Option<(TypedTime, &'t str)>, UnsureTime<'t>> {
    let start = text.trim_start();
    let (approx, start) = clock::approximately(start);
    let Some((written, rest)) = clock::written(start, direction) else {
        return match clock::no_such_time(start) {
            Some((typed, rest)) => {
                let problem = TimeProblem::NoSuchTime { typed: typed.to_owned() };
                Err(UnsureTime { problem, rest: close(rest).1 })
            }
            None => Ok(None),
        };
    };
    let plain = |at, rest| {
        let (closed, rest) = close(rest);
        Ok(Some((TypedTime { when: When { at, approx }, taken_for_yesterday: false, closed }, rest)))
    };
    match written {
        Written::Now => plain(None, rest),
        Written::Exact(at) => plain(Some(at), rest),
        Written::Ago(span) => match speaker.now.checked_sub_signed(span) {
            Some(at) => plain(Some(at), rest),
            None => Ok(None),
        },
        Written::Clock { day, clock } => {
            let (word, rest) = match zone_word::after(rest, speaker) {
                Ok(Some((word, rest))) => (Some(word), rest),
                Ok(None) => (None, rest),
                Err((unknown, rest)) => {
                    return Err(UnsureTime { problem: TimeProblem::UnknownZone(unknown), rest: close(rest).1 });
                }
            };
            if !clock::ends_here(rest) {
                return Ok(None);
            }
            let (closed, rest) = close(rest);
            let placed =
                place(day, clock, word.as_ref(), speaker, direction).map_err(|problem| UnsureTime { problem, rest })?;
            let when = When { at: Some(placed.at), approx };
            Ok(Some((TypedTime { when, taken_for_yesterday: placed.yesterday, closed }, rest)))
        }
    }
}

/// Reads a text that is a time and nothing else.
pub fn whole_time(text: &str, speaker: Speaker<'_>, direction: Direction) -> Result<Option<TypedTime>, TimeProblem> {
    match leading_time(text, speaker, direction) {
        Ok(found) => Ok(found.and_then(|(time, rest)| rest.is_empty().then_some(time))),
        Err(unsure) => Err(unsure.problem),
    }
}

/// Takes the colon or comma that may stand behind a time, and the blanks.
fn close(rest: &str) -> (bool, &str) {
    match rest.strip_prefix([':', ',']) {
        Some(rest) => (true, rest.trim_start()),
        None => (false, rest.trim_start()),
    }
}

struct Placed {
    at: DateTime<Utc>,
    yesterday: bool,
}

/// Finds the moment that a clock time means.
fn place(
    day: Day,
    clock: Clock,
    word: Option<&ZoneWord>,
    speaker: Speaker<'_>,
    direction: Direction,
) -> Result<Placed, TimeProblem> {
    let zone = word.map_or(speaker.zone, ZoneWord::zone);
    let letters = word.and_then(ZoneWord::letters);
    let today = zone.date(speaker.now);
    let latest = speaker.now + TimeDelta::seconds(FUTURE_S_MAX);
    let fits = |at: DateTime<Utc>| match direction {
        Direction::Past => at <= latest,
        Direction::Future => at >= speaker.now,
    };
    let on = |date: NaiveDate, accept: &dyn Fn(DateTime<Utc>) -> bool| {
        moment(zone, date.and_time(clock.time), letters, clock, accept)
    };
    let certainly_on = |date| {
        on(date, &|_| true).map(|at| at.expect("a local time has an acceptable moment if every moment is acceptable"))
    };
    let step = match direction {
        Direction::Past => TimeDelta::days(-1),
        Direction::Future => TimeDelta::days(1),
    };
    match day {
        Day::Unsaid => {
            if let Some(at) = on(today, &fits)? {
                return Ok(Placed { at, yesterday: false });
            }
            let at = certainly_on(today + step)?;
            Ok(Placed { at, yesterday: direction == Direction::Past })
        }
        Day::FromToday(days) => {
            let at = certainly_on(today + TimeDelta::days(days))?;
            Ok(Placed { at, yesterday: false })
        }
        Day::Weekday(weekday) => {
            let mut date = today;
            while chrono::Datelike::weekday(&date) != weekday {
                date += step;
            }
            let at = match on(date, &fits)? {
                Some(at) => at,
                None => certainly_on(date + step * 7)?,
            };
            Ok(Placed { at, yesterday: false })
        }
        Day::OfYear(month, in_month) => {
            let year = chrono::Datelike::year(&today);
            // Within nine years there is a 29th of February; before 2100 within five.
            let mut dates = (0..9).filter_map(|years| {
                let year = if direction == Direction::Past { year - years } else { year + years };
                NaiveDate::from_ymd_opt(year, month, in_month)
            });
            let nearest = dates.next().expect("month and day exist together in a leap year");
            let at = match on(nearest, &fits)? {
                Some(at) => at,
                None => certainly_on(dates.next().unwrap_or(nearest))?,
            };
            Ok(Placed { at, yesterday: false })
        }
        Day::Date(date) => {
            let at = certainly_on(date)?;
            Ok(Placed { at, yesterday: false })
        }
    }
}

/// The acceptable instant at which the clocks show `local`; `None` if there is none that is acceptable.
fn moment(
    zone: &Zone,
    local: NaiveDateTime,
    letters: Option<&str>,
    clock: Clock,
    accept: &dyn Fn(DateTime<Utc>) -> bool,
) -> Result<Option<DateTime<Utc>>, TimeProblem> {
    let choice = |at| choice(zone, at, clock);
    let is_called =
        |at: DateTime<Utc>| letters.is_none_or(|letters| zone.at(at).abbreviation.eq_ignore_ascii_case(letters));
    let candidates = match zone.instants(local) {
        Instants::Unambiguous(at) => vec![at],
        Instants::Repeated(first, second) => vec![first, second],
        Instants::Skipped { before, after } => {
            if !accept(after) {
                return Ok(None);
            }
            let nearest = Box::new([choice(before), choice(after)]);
            return Err(TimeProblem::Skipped { place: zone.place(), typed: clock.show(local), nearest });
        }
    };
    let candidates: Vec<_> = candidates.into_iter().filter(|at| accept(*at)).collect();
    let called: Vec<_> = candidates.iter().copied().filter(|at| is_called(*at)).collect();
    match (called.as_slice(), candidates.as_slice()) {
        ([at], _) => Ok(Some(*at)),
        ([first, second, ..], _) => {
            Err(TimeProblem::Repeated { place: zone.place(), choices: Box::new([choice(*first), choice(*second)]) })
        }
        ([], []) => Ok(None),
        ([], [at, ..]) => Err(TimeProblem::OtherAbbreviation {
            place: zone.place(),
            actual: zone.at(*at).abbreviation,
            suggestion: Box::new(choice(*at)),
        }),
    }
}

fn choice(zone: &Zone, at: DateTime<Utc>, clock: Clock) -> Choice {
    let shown = zone.at(at);
    let text = format!("{} {}", clock.show(shown.local), shown.abbreviation);
    Choice { at, typed: format!("{} {text}", shown.local.format("%Y-%m-%d")), text }
}

#[cfg(test)]
mod tests;
