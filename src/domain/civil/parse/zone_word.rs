//! The zone that may be typed behind a clock time: `UTC`, `EST`, `PT`, `Europe/Berlin`, `UTC+5:30`.

use super::Speaker;
use super::clock::ends_here;
use crate::domain::civil::{UnknownZone, Zone, zone, zone_names};

/// A zone as it was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ZoneWord {
    /// A place or an offset.
    Zone(Zone),
    /// Letters that a zone carries for a part of the year only, so they can be wrong.
    Letters { zone: Zone, letters: String },
}

impl ZoneWord {
    pub(super) fn zone(&self) -> &Zone {
        match self {
            Self::Zone(zone) | Self::Letters { zone, .. } => zone,
        }
    }

    pub(super) fn letters(&self) -> Option<&str> {
        match self {
            Self::Zone(_) => None,
            Self::Letters { letters, .. } => Some(letters),
        }
    }
}

/// Abbreviations as most people mean them, for those whose own zone does not use them. Only some that nobody would
/// write for another word.
const LETTERS: &[(&str, &str)] = &[
    ("EST", "America/New_York"),
    ("EDT", "America/New_York"),
    ("CST", "America/Chicago"),
    ("CDT", "America/Chicago"),
    ("MST", "America/Denver"),
    ("MDT", "America/Denver"),
    ("PST", "America/Los_Angeles"),
    ("PDT", "America/Los_Angeles"),
    ("AKST", "America/Anchorage"),
    ("AKDT", "America/Anchorage"),
    ("HST", "Pacific/Honolulu"),
    ("BST", "Europe/London"),
    ("CET", "Europe/Berlin"),
    ("CEST", "Europe/Berlin"),
    ("EET", "Europe/Helsinki"),
    ("EEST", "Europe/Helsinki"),
    ("MSK", "Europe/Moscow"),
    ("IST", "Asia/Kolkata"),
    ("PKT", "Asia/Karachi"),
    ("HKT", "Asia/Hong_Kong"),
    ("JST", "Asia/Tokyo"),
    ("KST", "Asia/Seoul"),
    ("AWST", "Australia/Perth"),
    ("ACST", "Australia/Adelaide"),
    ("ACDT", "Australia/Adelaide"),
    ("AEST", "Australia/Sydney"),
    ("AEDT", "Australia/Sydney"),
    ("NZST", "Pacific/Auckland"),
    ("NZDT", "Pacific/Auckland"),
    ("SAST", "Africa/Johannesburg"),
];

/// Letters for a zone the whole year round.
const ALL_YEAR: &[(&str, &str)] =
    &[("ET", "America/New_York"), ("CT", "America/Chicago"), ("MT", "America/Denver"), ("PT", "America/Los_Angeles")];

/// Abbreviations that are no word in small letters either.
const ALSO_SMALL: &[&str] = &[
    "utc", "gmt", "est", "edt", "cst", "cdt", "mst", "mdt", "pst", "pdt", "bst", "cet", "cest", "eet", "eest", "aest",
    "aedt", "nzst", "nzdt",
];

/// The zone that follows a clock time, with what follows the zone, also where the zone is not known.
pub(super) fn after<'t>(
    rest: &'t str,
    speaker: Speaker<'_>,
) -> Result<Option<(ZoneWord, &'t str)>, (UnknownZone, &'t str)> {
    if let Some(rest) = rest.strip_prefix(['Z', 'z'])
        && ends_here(rest)
    {
        return Ok(Some((ZoneWord::Zone(Zone::utc()), rest)));
    }
    let start = rest.trim_start();
    if start.len() == rest.len() {
        return Ok(None);
    }
    let end = start.find(char::is_whitespace).unwrap_or(start.len());
    let word = start[..end].trim_end_matches([':', ',']);
    let rest = &start[word.len()..];
    if !ends_here(rest) {
        return Ok(None);
    }
    match meaning(word, speaker) {
        Ok(meaning) => Ok(meaning.map(|meaning| (meaning, rest))),
        Err(unknown) => Err((unknown, rest)),
    }
}

fn meaning(word: &str, speaker: Speaker<'_>) -> Result<Option<ZoneWord>, UnknownZone> {
    if word.contains('/') {
        return place(word);
    }
    let is_small = word.chars().any(|c| c.is_ascii_lowercase());
    if is_small && !ALSO_SMALL.contains(&word.to_ascii_lowercase().as_str()) {
        return Ok(None);
    }
    let upper = word.to_ascii_uppercase();
    if let Some(offset) = upper.strip_prefix("UTC").or_else(|| upper.strip_prefix("GMT"))
        && let Some(zone) = offset_zone(offset)
    {
        return Ok(Some(ZoneWord::Zone(zone)));
    }
    if upper == "UTC" || upper == "Z" {
        return Ok(Some(ZoneWord::Zone(Zone::utc())));
    }
    if upper.len() >= 2 && upper.chars().all(|c| c.is_ascii_alphabetic()) {
        if speaker.zone.abbreviations(speaker.now).contains(&upper) {
            return Ok(Some(ZoneWord::Letters { zone: speaker.zone.clone(), letters: upper }));
        }
        if upper == "GMT" {
            return Ok(Some(ZoneWord::Zone(Zone::utc())));
        }
        let named = |table: &[(&str, &str)]| {
            table.iter().find(|(letters, _)| *letters == upper).and_then(|(_, name)| zone(name).ok())
        };
        if let Some(zone) = named(LETTERS) {
            return Ok(Some(ZoneWord::Letters { zone, letters: upper }));
        }
        if let Some(zone) = named(ALL_YEAR) {
            return Ok(Some(ZoneWord::Zone(zone)));
        }
    }
    Ok(None)
}

/// A name of the database; a misspelt one is an error, any other word with a slash is text.
fn place(word: &str) -> Result<Option<ZoneWord>, UnknownZone> {
    match zone(word) {
        Ok(zone) => Ok(Some(ZoneWord::Zone(zone))),
        Err(mut unknown) => {
            let area = word.split('/').next().unwrap_or_default().to_ascii_lowercase();
            let is_area = zone_names()
                .any(|name| name.split_once('/').is_some_and(|(known, _)| known.eq_ignore_ascii_case(&area)));
            unknown.near.retain(|near| strsim::jaro_winkler(&near.to_lowercase(), &word.to_lowercase()) > 0.9);
            if is_area && !unknown.near.is_empty() { Err(unknown) } else { Ok(None) }
        }
    }
}

/// `+2`, `-05:00`, `+0530`.
fn offset_zone(text: &str) -> Option<Zone> {
    let sign = match text.chars().next()? {
        '+' => 1,
        '-' | '−' => -1,
        _ => return None,
    };
    let digits = text.trim_start_matches(['+', '-', '−']);
    let (hours, minutes) = match digits.split_once(':') {
        Some(parts) => parts,
        None if digits.len() == 4 => (digits.get(..2)?, digits.get(2..)?),
        None => (digits, "0"),
    };
    let number = |text: &str, most: i32| {
        let is_number = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<i32>().ok().filter(|value| is_number && *value <= most)
    };
    Zone::fixed(sign * (number(hours, 14)? * 3600 + number(minutes, 59)? * 60))
}
