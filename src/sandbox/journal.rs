//! The last requests and deliveries, for people to look at and for tests to judge.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Entries kept; the oldest beyond are forgotten.
const ENTRIES_MAX: usize = 2_000;
/// Complaints kept.
const COMPLAINTS_MAX: usize = 500;
/// A request or response longer than this (characters of JSON) is shown cut.
const SHOWN_MAX: usize = 20_000;

/// Who spoke to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The app called us.
    In,
    /// We called the app.
    Out,
}

/// What sort of exchange it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    Api,
    Command,
    Interaction,
    Event,
    Socket,
    ResponseUrl,
}

/// One exchange between the workspace and the app.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Counts up from 1 without a gap.
    pub n: u64,
    pub at: DateTime<Utc>,
    pub direction: Direction,
    pub kind: EntryKind,
    /// The Web API method, the command, the interaction's or event's type.
    pub method: String,
    /// The HTTP status; 0 if there was no answer.
    pub status: u16,
    pub ok: bool,
    pub error: Option<String>,
    pub request: Value,
    pub response: Value,
    /// Real time, milliseconds.
    pub took_ms: u64,
}

/// Ring of the last exchanges and list of what a strict reader did not like about them.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    entries: VecDeque<Entry>,
    last: u64,
    complaints: VecDeque<String>,
}

impl Journal {
    pub(crate) fn record(&mut self, mut entry: Entry) -> u64 {
        self.last += 1;
        entry.n = self.last;
        entry.request = shorten(entry.request);
        entry.response = shorten(entry.response);
        self.entries.push_back(entry);
        if self.entries.len() > ENTRIES_MAX {
            self.entries.pop_front();
        }
        self.last
    }

    /// Notes something that Slack lets pass or punishes silently, but that is a mistake of the app.
    pub(crate) fn complain(&mut self, sentence: String) {
        if self.complaints.back() != Some(&sentence) {
            self.complaints.push_back(sentence);
        }
        if self.complaints.len() > COMPLAINTS_MAX {
            self.complaints.pop_front();
        }
    }

    pub(crate) fn complaints(&self) -> Vec<String> {
        self.complaints.iter().cloned().collect()
    }

    /// Entries after number `since`, oldest first, and the number to ask with next.
    pub(crate) fn page(&self, since: u64, limit: usize) -> (Vec<Entry>, u64) {
        let entries: Vec<Entry> = self.entries.iter().filter(|entry| entry.n > since).take(limit).cloned().collect();
        let next = entries.last().map_or(since.max(self.last), |entry| entry.n);
        (entries, next)
    }
}

fn shorten(value: Value) -> Value {
    let text = value.to_string();
    if text.len() <= SHOWN_MAX {
        return value;
    }
    let start: String = text.chars().take(1000).collect();
    json!({ "shortened": true, "bytes": text.len(), "start": start })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        Entry {
            n: 0,
            at: DateTime::UNIX_EPOCH,
            direction: Direction::In,
            kind: EntryKind::Api,
            method: "auth.test".to_owned(),
            status: 200,
            ok: true,
            error: None,
            request: Value::Null,
            response: Value::Null,
            took_ms: 0,
        }
    }

    #[test]
    fn the_ring_forgets_the_oldest_and_keeps_counting() {
        let mut journal = Journal::default();
        for _ in 0..ENTRIES_MAX + 5 {
            journal.record(entry());
        }
        let (page, next) = journal.page(0, 3);
        assert_eq!(page.iter().map(|entry| entry.n).collect::<Vec<_>>(), [6, 7, 8]);
        assert_eq!(next, 8);
        assert_eq!(journal.page(next, 10_000).0.len(), ENTRIES_MAX - 3);
    }

    #[test]
    fn a_large_body_is_cut() {
        let mut journal = Journal::default();
        journal.record(Entry { request: json!("x".repeat(50_000)), ..entry() });
        assert_eq!(journal.page(0, 1).0[0].request["bytes"], 50_002);
    }
}
