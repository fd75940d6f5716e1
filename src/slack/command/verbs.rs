//! The verbs of `/incident`, and the words people use for them.

use super::words::{near as near_words, strip_phrase};
use crate::domain::event::NoteKind;
use crate::domain::incident::Field;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Open,
    List,
    Show,
    Help,
    Join,
    Timeline,
    Alerts,
    Postmortem,
    Export,
    Status,
    Severity,
    Title,
    Role,
    Commander,
    Scribe,
    Communications,
    Update,
    Note(NoteKind),
    Edit,
    Remove,
    Detected,
    Declared,
    Mitigated,
    Resolve,
    Acknowledged,
    Called,
    Reopen,
    Cancel,
    Started,
    Ended,
    Field(Field),
    Measure,
    Task,
    Escalate,
}

/// Each verb with its words: the usual one first, phrases before their first word alone.
const VERBS: &[(Verb, &[&str])] = &[
    (Verb::Open, &["open", "new", "create", "declare"]),
    (Verb::List, &["list", "ls"]),
    (Verb::Show, &["show", "info"]),
    (Verb::Help, &["help", "?"]),
    (Verb::Join, &["join"]),
    (Verb::Timeline, &["timeline"]),
    (Verb::Alerts, &["alerts"]),
    (Verb::Postmortem, &["postmortem", "post-mortem"]),
    (Verb::Export, &["export"]),
    (Verb::Status, &["status"]),
    (Verb::Severity, &["severity", "sev", "set"]),
    (Verb::Title, &["title", "rename", "retitle"]),
    (Verb::Role, &["role"]),
    (Verb::Commander, &["commander", "lead", "ic"]),
    (Verb::Scribe, &["scribe"]),
    (Verb::Communications, &["communications", "comms"]),
    (Verb::Update, &["update"]),
    (Verb::Note(NoteKind::Note), &["note"]),
    (Verb::Note(NoteKind::Action), &["action"]),
    (Verb::Note(NoteKind::Finding), &["finding"]),
    (Verb::Note(NoteKind::RuledOut), &["ruled-out", "ruled_out", "ruled out"]),
    (Verb::Note(NoteKind::Decision), &["decision"]),
    (Verb::Edit, &["edit"]),
    (Verb::Remove, &["remove"]),
    (Verb::Field(Field::DetectedBy), &["detected-by", "detected_by"]),
    (Verb::Detected, &["detected"]),
    (Verb::Declared, &["declared"]),
    (Verb::Mitigated, &["mitigated", "mitigate"]),
    (Verb::Resolve, &["resolve", "resolved", "close"]),
    (Verb::Acknowledged, &["ack", "acknowledge", "acknowledged"]),
    (Verb::Called, &["called"]),
    (Verb::Reopen, &["reopen", "reopened"]),
    (Verb::Cancel, &["cancel", "canceled", "cancelled", "false alarm"]),
    (Verb::Started, &["started"]),
    (Verb::Ended, &["ended"]),
    (Verb::Field(Field::Impact), &["impact"]),
    (Verb::Field(Field::ImpactKind), &["kind"]),
    (Verb::Field(Field::Affected), &["affected"]),
    (Verb::Field(Field::AffectedDetail), &["saw"]),
    (Verb::Field(Field::Service), &["service"]),
    (Verb::Field(Field::RootCause), &["cause", "root-cause", "root cause"]),
    (Verb::Field(Field::Resolution), &["resolution"]),
    (Verb::Measure, &["measure"]),
    (Verb::Task, &["task", "todo"]),
    (Verb::Escalate, &["escalate", "call"]),
];

impl Verb {
    /// The usual word.
    pub(super) fn word(self) -> &'static str {
        VERBS.iter().find(|(verb, _)| *verb == self).map_or("", |(_, words)| words[0])
    }
}

/// The verb that `text` begins with, and what follows. A colon may stand behind it.
pub(super) fn leading(text: &str) -> Option<(Verb, &str)> {
    VERBS.iter().find_map(|(verb, words)| words.iter().find_map(|word| Some((*verb, strip_phrase(text, word)?))))
}

/// The usual words that look like `word`.
pub(super) fn near(word: &str) -> Vec<&'static str> {
    near_words(word, VERBS.iter().map(|(_, words)| words[0]))
}
