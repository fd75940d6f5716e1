//! Reading fields out of a JSON body, each with its JSON pointer, so that a refusal can say exactly where.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value};

use super::{BadAlert, BadAlertKind, LABEL_NAME_CHARS_MAX, LABEL_VALUE_CHARS_MAX, LABELS_KEPT_MAX, LABELS_READ_MAX};
use super::{Warning, clean};
use crate::domain::incident::Severity;
use crate::domain::limits;

/// A JSON object and where it stands in the body.
#[derive(Clone, Debug)]
pub(super) struct Object<'a> {
    fields: &'a Map<String, Value>,
    pointer: String,
}

/// The body as JSON; `serde_json` stops at a nesting of 128.
pub(super) fn json(body: &[u8]) -> Result<Value, BadAlert> {
    serde_json::from_slice(body).map_err(|error| {
        let hint = if body.trim_ascii().is_empty() { "the body is empty".to_owned() } else { error.to_string() };
        BadAlert::new(BadAlertKind::NotJson, "", format!("The body must be one JSON object, but {hint}."))
    })
}

/// The pointer of a member, escaped as RFC 6901 says.
pub(super) fn pointer(parent: &str, member: &str) -> String {
    format!("{parent}/{}", clean::cut(member, LABEL_NAME_CHARS_MAX).replace('~', "~0").replace('/', "~1"))
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn wrong_type(pointer: String, wanted: &str, found: &Value) -> BadAlert {
    let sentence = format!("`{pointer}` must be {wanted}, but is {}.", type_of(found));
    BadAlert::field(pointer, sentence)
}

impl<'a> Object<'a> {
    pub(super) fn new(value: &'a Value, pointer: &str) -> Result<Self, BadAlert> {
        match value.as_object() {
            Some(fields) => Ok(Self { fields, pointer: pointer.to_owned() }),
            None if pointer.is_empty() => {
                Err(BadAlert::field("", format!("The body must be one JSON object, but is {}.", type_of(value))))
            }
            None => Err(wrong_type(pointer.to_owned(), "an object", value)),
        }
    }

    pub(super) fn at(&self, member: &str) -> String {
        pointer(&self.pointer, member)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.fields.keys().map(String::as_str)
    }

    /// A member that is there and not null.
    pub(super) fn get(&self, member: &str) -> Option<&'a Value> {
        self.fields.get(member).filter(|value| !value.is_null())
    }

    pub(super) fn text(&self, member: &str) -> Result<Option<&'a str>, BadAlert> {
        match self.get(member) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(wrong_type(self.at(member), "a text", other)),
        }
    }

    pub(super) fn list(&self, member: &str) -> Result<&'a [Value], BadAlert> {
        match self.get(member) {
            None => Ok(&[]),
            Some(Value::Array(items)) => Ok(items),
            Some(other) => Err(wrong_type(self.at(member), "a list", other)),
        }
    }

    pub(super) fn count(&self, member: &str) -> Result<u64, BadAlert> {
        match self.get(member) {
            None => Ok(0),
            Some(value) => value.as_u64().ok_or_else(|| wrong_type(self.at(member), "a count", value)),
        }
    }

    /// Names and values, such as labels or annotations; numbers and booleans count as their text.
    pub(super) fn pairs(&self, member: &str) -> Result<Pairs, BadAlert> {
        let Some(value) = self.get(member) else { return Ok(Pairs::default()) };
        let object = Object::new(value, &self.at(member))?;
        if object.fields.len() > LABELS_READ_MAX {
            let sentence = format!(
                "`{}` has {} entries, more than the {LABELS_READ_MAX} that are read; send only those that matter.",
                object.pointer,
                object.fields.len()
            );
            return Err(BadAlert::field(object.pointer, sentence));
        }
        let mut pairs = BTreeMap::new();
        for (name, value) in object.fields {
            let value = match value {
                Value::Null => continue,
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                Value::Bool(truth) => truth.to_string(),
                Value::Array(_) | Value::Object(_) => return Err(wrong_type(object.at(name), "a text", value)),
            };
            pairs.insert(name.clone(), value);
        }
        Ok(Pairs(pairs))
    }

    /// An instant in RFC 3339; a leap second `:60` is the second after it.
    pub(super) fn instant(&self, member: &str) -> Result<Option<DateTime<Utc>>, BadAlert> {
        let Some(text) = self.text(member)? else { return Ok(None) };
        DateTime::parse_from_rfc3339(text.trim())
            .ok()
            .and_then(|at| DateTime::from_timestamp_micros(at.timestamp_micros()))
            .map(Some)
            .ok_or_else(|| {
                let pointer = self.at(member);
                let sentence = format!(
                    "`{pointer}` must be a time in RFC 3339 such as 2026-11-22T09:30:00Z, but is \"{}\".",
                    clean::line(text, 60)
                );
                BadAlert::field(pointer, sentence)
            })
    }
}

/// Names with values, as they were sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pairs(pub(super) BTreeMap<String, String>);

impl Pairs {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.trim().is_empty())
    }

    /// The first of several names that has a value.
    pub(super) fn first(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.get(name))
    }

    /// Labels fit to keep: at most [`LABELS_KEPT_MAX`], those in `first` before the others.
    pub(super) fn kept(&self, first: &[&str], pointer: &str, warnings: &mut Vec<Warning>) -> BTreeMap<String, String> {
        if self.0.len() > LABELS_KEPT_MAX {
            let sentence =
                format!("Of {} labels only {LABELS_KEPT_MAX} are kept; send fewer to choose which.", self.0.len());
            warnings.push(Warning { pointer: pointer.to_owned(), sentence });
        }
        let (early, late): (Vec<_>, Vec<_>) = self.0.iter().partition(|(name, _)| first.contains(&name.as_str()));
        early
            .into_iter()
            .chain(late)
            .map(|(name, value)| (clean::line(name, LABEL_NAME_CHARS_MAX), clean::line(value, LABEL_VALUE_CHARS_MAX)))
            .filter(|(name, value)| !name.is_empty() && !value.is_empty())
            .take(LABELS_KEPT_MAX)
            .collect()
    }
}

/// The severity that a monitoring system's word stands for; the words are those of Prometheus' rules, syslog,
/// `PagerDuty` and Opsgenie.
pub(super) fn severity(word: &str) -> Option<Severity> {
    let word = word.trim().to_ascii_lowercase();
    match word.as_str() {
        "critical" | "crit" | "page" | "emergency" | "emerg" | "fatal" | "disaster" | "blocker" | "urgent"
        | "alert" => Some(Severity::Sev1),
        "error" | "err" | "major" | "high" => Some(Severity::Sev2),
        "warning" | "warn" | "moderate" | "medium" | "average" | "ticket" => Some(Severity::Sev3),
        "info" | "information" | "informational" | "notice" | "minor" | "low" | "none" | "debug" | "p5" => {
            Some(Severity::Sev4)
        }
        _ => Severity::parse(&word),
    }
}

/// When the trouble began, if the sender's time can be true; otherwise when we heard of it, with a warning.
pub(super) fn plausible(
    at: DateTime<Utc>,
    received_at: DateTime<Utc>,
    pointer: &str,
    warnings: &mut Vec<Warning>,
) -> DateTime<Utc> {
    let future = at > received_at + TimeDelta::seconds(limits::FUTURE_S_MAX);
    let ancient = at < received_at - TimeDelta::days(limits::PAST_DAYS_MAX);
    if !future && !ancient {
        return at.min(received_at);
    }
    let sentence = format!(
        "{} is {}; the time of arrival is used.",
        at.to_rfc3339(),
        if future { "in the future" } else { "too long ago" }
    );
    warnings.push(Warning { pointer: pointer.to_owned(), sentence });
    received_at
}

/// Warns of a member whose name is nearly one that we read.
pub(super) fn near_misses(object: &Object<'_>, known: &[&str], warnings: &mut Vec<Warning>) {
    for name in object.names().filter(|name| !known.contains(name)) {
        let meant = known.iter().find(|known| {
            let slips_max = if known.chars().count() >= 6 { 2 } else { 1 };
            name.len() < 64
                && strsim::damerau_levenshtein(&name.to_ascii_lowercase().replace('-', "_"), known) <= slips_max
        });
        if let Some(meant) = meant {
            let sentence =
                format!("`{}` is not a field and was ignored; did you mean `{meant}`?", clean::line(name, 64));
            warnings.push(Warning { pointer: object.at(name), sentence });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_several_systems_map_to_our_severities() {
        for (word, expected) in [
            ("critical", Some(Severity::Sev1)),
            ("Page", Some(Severity::Sev1)),
            ("P1", Some(Severity::Sev1)),
            ("error", Some(Severity::Sev2)),
            ("major", Some(Severity::Sev2)),
            ("warning", Some(Severity::Sev3)),
            ("P3", Some(Severity::Sev3)),
            ("info", Some(Severity::Sev4)),
            ("none", Some(Severity::Sev4)),
            ("purple", None),
            ("", None),
        ] {
            assert_eq!(severity(word), expected, "{word}");
        }
    }

    #[test]
    fn the_documented_words_are_those_that_are_known() {
        let page = include_str!("../../docs/ALERTS.md");
        for expected in Severity::ALL {
            let row = page.lines().find_map(|line| line.strip_prefix(&format!("| {expected} |"))).expect("a row");
            for word in row.split('`').skip(1).step_by(2) {
                assert_eq!(severity(word), Some(expected), "{word}");
            }
        }
    }

    #[test]
    fn a_leap_second_is_the_second_after_it() {
        let value = serde_json::json!({ "at": "2016-12-31T23:59:60Z" });
        let at = Object::new(&value, "").and_then(|object| object.instant("at"));
        assert_eq!(at.map(|at| at.map(|at| at.to_rfc3339())), Ok(Some("2017-01-01T00:00:00+00:00".to_owned())));
    }

    #[test]
    fn a_pointer_escapes_what_it_must() {
        assert_eq!(pointer("/labels", "a/b~c"), "/labels/a~1b~0c");
    }
}
