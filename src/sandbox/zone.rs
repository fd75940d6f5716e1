//! What `users.info` says about a person's time zone: its label and its offset at an instant.
//!
//! Only for display to the app; the product's own zone arithmetic lives in `domain::civil`.

use chrono::{DateTime, Utc};

/// The words Slack shows for a zone, and its seconds east of UTC at `at`. An unknown zone is UTC.
pub(crate) fn describe(tz: &str, at: DateTime<Utc>) -> (String, i32) {
    let Some((zone, instant)) =
        jiff::tz::TimeZone::get(tz).ok().zip(jiff::Timestamp::from_microsecond(at.timestamp_micros()).ok())
    else {
        return ("Coordinated Universal Time".to_owned(), 0);
    };
    let info = zone.to_offset_info(instant);
    (label(tz, info.abbreviation(), info.dst().is_dst()), info.offset().seconds())
}

fn label(tz: &str, abbreviation: &str, summer: bool) -> String {
    let region = match tz {
        "America/New_York" | "America/Detroit" | "America/Toronto" => Some("Eastern"),
        "America/Chicago" => Some("Central"),
        "America/Denver" => Some("Mountain"),
        "America/Los_Angeles" => Some("Pacific"),
        _ => None,
    };
    match (region, abbreviation) {
        (Some(region), _) => format!("{region} {} Time", if summer { "Daylight" } else { "Standard" }),
        (None, "GMT") => "Greenwich Mean Time".to_owned(),
        (None, "BST") => "British Summer Time".to_owned(),
        (None, "CET") => "Central European Time".to_owned(),
        (None, "CEST") => "Central European Summer Time".to_owned(),
        (None, "IST") if tz == "Asia/Kolkata" => "India Standard Time".to_owned(),
        (None, "UTC") => "Coordinated Universal Time".to_owned(),
        (None, other) => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_offset_follows_summer_time() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().expect("a date");
        assert_eq!(
            describe("America/New_York", at("2023-04-02T19:00:00Z")),
            ("Eastern Daylight Time".to_owned(), -4 * 3600)
        );
        assert_eq!(
            describe("America/New_York", at("2023-01-02T19:00:00Z")),
            ("Eastern Standard Time".to_owned(), -5 * 3600)
        );
        assert_eq!(describe("Nowhere/Else", at("2023-01-02T19:00:00Z")).1, 0);
    }
}
