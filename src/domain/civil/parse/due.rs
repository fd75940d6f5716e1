//! The dates by which something is due: always ahead.

use chrono::{Datelike, Days, NaiveDate, Weekday};

use super::clock::{ends_here, iso_date, month_day, weekday, word_prefix};

/// Reads a date from the beginning of `text`, as said on `today`. Gives it with the rest of the text; `None` if the text
/// does not begin with a date. `fri` is the first Friday after today, `next fri` the one of the next calendar week.
pub fn due_date(text: &str, today: NaiveDate) -> Option<(NaiveDate, &str)> {
    let text = text.trim_start();
    let text = word_prefix(text, "on").unwrap_or(text);
    let (date, rest) = date(text, today)?;
    if !ends_here(rest) {
        return None;
    }
    Some((date, rest.strip_prefix([',', ':']).unwrap_or(rest).trim_start()))
}

fn date(text: &str, today: NaiveDate) -> Option<(NaiveDate, &str)> {
    for (word, days) in [("today", 0), ("tomorrow", 1)] {
        if let Some(head) = text.get(..word.len())
            && head.eq_ignore_ascii_case(word)
        {
            return Some((today.checked_add_days(Days::new(days))?, &text[word.len()..]));
        }
    }
    if let Some(found) = iso_date(text) {
        return Some(found);
    }
    if let Some((month, day, rest)) = month_day(text) {
        let date = (today.year()..=today.year() + 8)
            .filter_map(|year| NaiveDate::from_ymd_opt(year, month, day))
            .find(|date| *date >= today)?;
        return Some((date, rest));
    }
    if let Some(rest) = word_prefix(text, "next") {
        let monday = after(today, Weekday::Mon)?;
        if let Some(head) = rest.get(..4)
            && head.eq_ignore_ascii_case("week")
        {
            return Some((monday, &rest[4..]));
        }
        let (weekday, rest) = weekday(rest)?;
        return Some((monday.checked_add_days(Days::new(weekday.num_days_from_monday().into()))?, rest));
    }
    if let Some(rest) = word_prefix(text, "in") {
        return in_days(rest, today);
    }
    let (weekday, rest) = weekday(text)?;
    Some((after(today, weekday)?, rest))
}

fn after(today: NaiveDate, weekday: Weekday) -> Option<NaiveDate> {
    (1..=7).filter_map(|days| today.checked_add_days(Days::new(days))).find(|date| date.weekday() == weekday)
}

fn in_days(text: &str, today: NaiveDate) -> Option<(NaiveDate, &str)> {
    let (count, rest) = text.split_once(char::is_whitespace)?;
    let count = match count.to_ascii_lowercase().as_str() {
        "a" | "an" | "one" => 1,
        "two" => 2,
        "three" => 3,
        digits if digits.len() <= 3 => digits.parse().ok()?,
        _ => return None,
    };
    let rest = rest.trim_start();
    let (unit, rest) = rest.split_at(rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len()));
    let days = match unit.to_ascii_lowercase().as_str() {
        "day" | "days" | "d" => 1,
        "week" | "weeks" | "w" => 7,
        _ => return None,
    };
    Some((today.checked_add_days(Days::new(count * days))?, rest))
}
