//! Recorded incidents: the JSON format that `firebell replay` reads (docs/REPLAY.md).

use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::clock::micros;
use crate::domain::civil;
use crate::domain::limits::{LIST_ITEMS_MAX, TEXT_CHARS_MAX, TITLE_CHARS_MAX};
use crate::slack::command::IMPACT_KINDS;

/// One incident as it was written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub title: String,
    /// IANA zone, known to the tz database.
    pub timezone: String,
    pub impact: Option<String>,
    pub impact_start: Option<DateTime<Utc>>,
    pub impact_end: Option<DateTime<Utc>>,
    pub detected_by: Option<String>,
    pub services: Vec<String>,
    pub root_cause: Option<String>,
    pub resolution: Option<String>,
    pub measures: Vec<String>,
    pub tasks: Vec<String>,
    /// `outage`, `degradation`, … where the record says so.
    pub impact_kind: Option<String>,
    /// What broke, as it stands in a sentence.
    pub service_phrase: Option<String>,
    /// Such as "30% of users".
    pub affected: Option<String>,
    pub affected_detail: Option<String>,
    /// Sorted by instant, ties in the source's order; at least one.
    pub entries: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub at: DateTime<Utc>,
    pub kind: Kind,
    pub team: Option<String>,
    pub text: String,
    pub approx: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Detected,
    Declared,
    Escalated,
    Note,
    Action,
    Ack,
    Mitigated,
    Resolved,
}

impl Kind {
    const ALL: [(&'static str, Self); 8] = [
        ("detected", Self::Detected),
        ("declared", Self::Declared),
        ("escalated", Self::Escalated),
        ("note", Self::Note),
        ("action", Self::Action),
        ("ack", Self::Ack),
        ("mitigated", Self::Mitigated),
        ("resolved", Self::Resolved),
    ];

    /// The word of the format.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(_, kind)| *kind == self).map_or("", |(word, _)| word)
    }
}

/// A file that is not a recorded incident: everything that is wrong with it.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed {
    pub file: PathBuf,
    pub problems: Vec<Problem>,
}

/// One mistake: where, and what is the matter.
#[derive(Debug, PartialEq, Eq)]
pub struct Problem {
    /// The path of the field, such as `entries[3].at`; empty for the file as a whole.
    pub field: String,
    pub reason: String,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = if is_standard_input(&self.file) { Path::new("standard input") } else { &self.file }.display();
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            if problem.field.is_empty() {
                write!(f, "{file}: {}", problem.reason)?;
            } else {
                write!(f, "{file}: {}: {}", problem.field, problem.reason)?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Malformed {}

/// What some editors put before a text.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Reads one file; `-` is standard input.
///
/// # Errors
/// When it cannot be read, is not JSON, or is not of the format: file, field and reason of every mistake.
pub fn read(file: &Path) -> Result<Record, Malformed> {
    let malformed = |problems| Malformed { file: file.to_owned(), problems };
    let whole = |reason| malformed(vec![Problem { field: String::new(), reason }]);
    let bytes = bytes_of(file).map_err(|error| whole(format!("cannot be read: {error}")))?;
    let json = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&bytes);
    if json.trim_ascii().is_empty() {
        return Err(whole("is empty".to_owned()));
    }
    let value: Value = serde_json::from_slice(json).map_err(|error| whole(format!("is not JSON: {error}")))?;
    parse(&value).map_err(malformed)
}

/// Whether standard input is meant and no file.
pub fn is_standard_input(file: &Path) -> bool {
    file == Path::new("-")
}

fn bytes_of(file: &Path) -> std::io::Result<Vec<u8>> {
    if !is_standard_input(file) {
        return std::fs::read(file);
    }
    let mut bytes = Vec::new();
    std::io::stdin().lock().read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads a record from JSON.
///
/// # Errors
/// All mistakes at once.
pub fn parse(value: &Value) -> Result<Record, Vec<Problem>> {
    let Value::Object(fields) = value else {
        return Err(vec![Problem {
            field: String::new(),
            reason: format!("is {}, not an object with title, timezone and entries", kind_of(value)),
        }]);
    };
    let mut reader = Reader { problems: Vec::new() };
    let record = reader.record(fields);
    match record {
        Some(record) if reader.problems.is_empty() => Ok(record),
        _ => Err(reader.problems),
    }
}

struct Reader {
    problems: Vec<Problem>,
}

impl Reader {
    fn problem(&mut self, field: impl Into<String>, reason: impl Into<String>) {
        self.problems.push(Problem { field: field.into(), reason: reason.into() });
    }

    fn record(&mut self, fields: &Map<String, Value>) -> Option<Record> {
        let title = self.required_text(fields, "", "title", TITLE_CHARS_MAX);
        let timezone = self.required_text(fields, "", "timezone", TITLE_CHARS_MAX);
        if let Some(name) = &timezone
            && let Err(unknown) = civil::zone(name)
        {
            let near = unknown.near.first().map_or(String::new(), |near| format!("; did you mean {near}?"));
            self.problem("timezone", format!("“{name}” is not a zone of the tz database{near}"));
        }
        let impact = self.present_text(fields, "impact");
        let root_cause = self.present_text(fields, "root_cause");
        let resolution = self.present_text(fields, "resolution");
        let services = self.texts(fields, "services");
        let measures = self.texts(fields, "measures");
        let tasks = self.texts(fields, "tasks");
        let impact_start = self.optional_instant(fields, "impact_start");
        let impact_end = self.optional_instant(fields, "impact_end");
        if let (Some(start), Some(end)) = (impact_start, impact_end)
            && end < start
        {
            self.problem("impact_end", "lies before impact_start");
        }
        let entries = self.entries(fields);
        Some(Record {
            impact,
            impact_start,
            impact_end,
            detected_by: self.optional_text(fields, "", "detected_by"),
            services,
            root_cause,
            resolution,
            measures,
            tasks,
            impact_kind: self.impact_kind(fields),
            service_phrase: self.optional_text(fields, "", "service_phrase"),
            affected: self.affected(fields),
            affected_detail: self.optional_text(fields, "", "affected_detail"),
            entries,
            title: title?,
            timezone: timezone?,
        })
    }

    fn entries(&mut self, fields: &Map<String, Value>) -> Vec<Entry> {
        let list = match fields.get("entries") {
            Some(Value::Array(list)) if !list.is_empty() => list,
            Some(Value::Array(_)) => {
                self.problem("entries", "is empty; a recorded incident has at least one entry");
                return Vec::new();
            }
            Some(other) => {
                self.problem("entries", format!("is {}, not a list", kind_of(other)));
                return Vec::new();
            }
            None => {
                self.problem("entries", "is missing");
                return Vec::new();
            }
        };
        let mut entries: Vec<Entry> = Vec::with_capacity(list.len());
        for (index, value) in list.iter().enumerate() {
            let path = format!("entries[{index}]");
            let Value::Object(fields) = value else {
                self.problem(path, format!("is {}, not an object with at, kind and text", kind_of(value)));
                continue;
            };
            let at = self.required_instant(fields, &path);
            let kind = self.kind(fields, &path);
            let text = self.required_text(fields, &path, "text", TEXT_CHARS_MAX);
            let team = self.optional_text(fields, &path, "team");
            let approx = match fields.get("approx") {
                None | Some(Value::Null) => false,
                Some(Value::Bool(approx)) => *approx,
                Some(other) => {
                    self.problem(format!("{path}.approx"), format!("is {}, not true or false", kind_of(other)));
                    false
                }
            };
            let (Some(at), Some(kind), Some(text)) = (at, kind, text) else { continue };
            if let Some(before) = entries.last()
                && at < before.at
            {
                self.problem(format!("{path}.at"), "lies before the entry above it; entries are sorted by instant");
            }
            entries.push(Entry { at, kind, team, text, approx });
        }
        entries
    }

    fn kind(&mut self, fields: &Map<String, Value>, path: &str) -> Option<Kind> {
        let field = format!("{path}.kind");
        let word = match fields.get("kind") {
            Some(Value::String(word)) => word,
            Some(other) => {
                self.problem(field, format!("is {}, not a text", kind_of(other)));
                return None;
            }
            None => {
                self.problem(field, "is missing");
                return None;
            }
        };
        let found = Kind::ALL.iter().find(|(known, _)| known == word).map(|(_, kind)| *kind);
        if found.is_none() {
            let words: Vec<&str> = Kind::ALL.iter().map(|(word, _)| *word).collect();
            self.problem(field, format!("“{word}” is none of {}", words.join(", ")));
        }
        found
    }

    fn required_text(
        &mut self,
        fields: &Map<String, Value>,
        path: &str,
        name: &str,
        chars_max: usize,
    ) -> Option<String> {
        let field = join(path, name);
        let text = match fields.get(name) {
            Some(Value::String(text)) => text.trim(),
            Some(other) => {
                self.problem(field, format!("is {}, not a text", kind_of(other)));
                return None;
            }
            None => {
                self.problem(field, "is missing");
                return None;
            }
        };
        let chars = text.chars().count();
        if text.is_empty() {
            self.problem(field, "is empty");
        } else if chars > chars_max {
            self.problem(field, format!("has {chars} characters; {chars_max} fit"));
        } else {
            return Some(text.to_owned());
        }
        None
    }

    /// A text whose field must be there, though it may be null where nobody knows.
    fn present_text(&mut self, fields: &Map<String, Value>, name: &str) -> Option<String> {
        if !fields.contains_key(name) {
            self.problem(name, "is missing; write null if nobody knows");
            return None;
        }
        self.optional_text(fields, "", name)
    }

    fn optional_text(&mut self, fields: &Map<String, Value>, path: &str, name: &str) -> Option<String> {
        match fields.get(name) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) if text.trim().is_empty() => None,
            Some(Value::String(text)) if text.chars().count() > TEXT_CHARS_MAX => {
                self.problem(join(path, name), format!("is longer than {TEXT_CHARS_MAX} characters"));
                None
            }
            Some(Value::String(text)) => Some(text.trim().to_owned()),
            Some(other) => {
                self.problem(join(path, name), format!("is {}, not a text", kind_of(other)));
                None
            }
        }
    }

    fn texts(&mut self, fields: &Map<String, Value>, name: &str) -> Vec<String> {
        let list = match fields.get(name) {
            Some(Value::Array(list)) => list,
            Some(other) => {
                self.problem(name, format!("is {}, not a list of texts", kind_of(other)));
                return Vec::new();
            }
            None => {
                self.problem(name, "is missing; write [] if there are none");
                return Vec::new();
            }
        };
        if list.len() > LIST_ITEMS_MAX {
            self.problem(name, format!("has {} items; {LIST_ITEMS_MAX} fit", list.len()));
        }
        let mut texts = Vec::new();
        for (index, value) in list.iter().enumerate() {
            match value {
                Value::String(text) if !text.trim().is_empty() => texts.push(text.trim().to_owned()),
                Value::String(_) => self.problem(format!("{name}[{index}]"), "is empty"),
                other => self.problem(format!("{name}[{index}]"), format!("is {}, not a text", kind_of(other))),
            }
        }
        texts
    }

    fn impact_kind(&mut self, fields: &Map<String, Value>) -> Option<String> {
        let kind = self.optional_text(fields, "", "impact_kind")?;
        let said = kind.to_lowercase().replace(['-', '_'], " ");
        let known = IMPACT_KINDS.into_iter().find(|known| *known == said).map(str::to_owned);
        if known.is_none() {
            self.problem("impact_kind", format!("“{kind}” is none of {}", IMPACT_KINDS.join(", ")));
        }
        known
    }

    fn affected(&mut self, fields: &Map<String, Value>) -> Option<String> {
        let fields = match fields.get("affected") {
            None | Some(Value::Null) => return None,
            Some(Value::Object(fields)) => fields,
            Some(other) => {
                let reason = format!("is {}, not an object with share_percent or count", kind_of(other));
                self.problem("affected", reason);
                return None;
            }
        };
        let of = self.optional_text(fields, "affected", "of").unwrap_or_else(|| "users".to_owned());
        let given = |name| fields.get(name).filter(|value| !value.is_null());
        if let Some(value) = given("share_percent") {
            let share = value.as_f64().filter(|share| (0.0..=100.0).contains(share));
            if share.is_none() {
                self.problem("affected.share_percent", format!("is {value}, not a share between 0 and 100"));
            }
            return share.map(|share| format!("{share}% of {of}"));
        }
        let Some(value) = given("count") else {
            self.problem("affected", "has neither share_percent nor count");
            return None;
        };
        if value.as_u64().is_none() {
            self.problem("affected.count", format!("is {value}, not a whole number"));
        }
        value.as_u64().map(|count| format!("{count} {of}"))
    }

    fn required_instant(&mut self, fields: &Map<String, Value>, path: &str) -> Option<DateTime<Utc>> {
        if !fields.contains_key("at") {
            self.problem(join(path, "at"), "is missing");
            return None;
        }
        let at = self.instant(fields, path, "at");
        if at.is_none() && fields.get("at").is_some_and(Value::is_null) {
            self.problem(join(path, "at"), "is null; every entry has an instant");
        }
        at
    }

    fn optional_instant(&mut self, fields: &Map<String, Value>, name: &str) -> Option<DateTime<Utc>> {
        self.instant(fields, "", name)
    }

    fn instant(&mut self, fields: &Map<String, Value>, path: &str, name: &str) -> Option<DateTime<Utc>> {
        let text = match fields.get(name) {
            None | Some(Value::Null) => return None,
            Some(Value::String(text)) => text,
            Some(other) => {
                self.problem(join(path, name), format!("is {}, not a time as text", kind_of(other)));
                return None;
            }
        };
        match DateTime::parse_from_rfc3339(text) {
            Ok(at) => Some(micros(at.to_utc())),
            Err(_) => {
                let reason = format!("“{text}” is not an RFC 3339 time with offset, such as 2023-04-02T15:00:00-04:00");
                self.problem(join(path, name), reason);
                None
            }
        }
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
