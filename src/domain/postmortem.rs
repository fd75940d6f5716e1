//! The postmortem: a structured document made from an incident's history, without a clock and without guessing.
//!
//! Every sentence carries the ids of the events and fields that it rests on; a renderer adds no words of its own. The
//! same input gives the same document, byte for byte.

mod about;
pub mod figures;
mod format;
pub mod json;
mod lint;
pub mod markdown;
mod narrative;
mod observations;
pub mod phases;
mod story;

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};

use super::civil::format::{ClockStyle, LocalZone};
use super::event::Recorded;
use super::incident::{Incident, Severity, Status};
use super::roster::Directory;
use super::timeline::alerts::{ListedAlert, alerts};
use super::timeline::calls::{Call, calls};
use super::timeline::people::{People, PeopleStyle};
use super::timeline::{Entry, EntryKind, timeline};
use crate::ids::{EscalationId, Seq};
use figures::{Figures, Moments, figures};
pub use format::Format;
use phases::Phases;

/// How a document is written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Times in UTC instead of the incident's own zone.
    pub utc: bool,
    /// `None`: 12-hour clock in the United States, 24-hour elsewhere.
    pub clock: Option<ClockStyle>,
    pub people: PeopleStyle,
}

/// A statement and what it rests on: `event:12`, `field:root_cause`, `measure:1`, `task:2`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sentence {
    /// Printed bold, such as "Root cause:".
    pub lead: Option<String>,
    /// Plain text; renderers escape it.
    pub text: String,
    pub sources: Vec<String>,
}

/// Part of the document, in reading order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Stable name: in prose, in markers of exported files, in JSON.
    pub key: String,
    pub heading: String,
    pub blocks: Vec<Block>,
    /// Markdown that a person wrote instead; replaces the blocks in every format.
    pub written: Option<String>,
}

/// What a section is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// Sentences that follow each other.
    Paragraph(Vec<Sentence>),
    /// One line each.
    List(Vec<Sentence>),
    Timeline(Vec<Stretch>),
    Moments(Vec<MomentRow>),
    Tasks(Vec<TaskLine>),
}

/// Consecutive lines of the timeline under one heading; no heading if there is only one stretch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    pub heading: Option<String>,
    pub lines: Vec<Line>,
}

/// One line of the timeline as documents print it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub at: DateTime<Utc>,
    /// `3:05 PM`, `about 11:00 PM`, `1:20 AM EST`.
    pub time: String,
    pub kind: EntryKind,
    /// `Escalated to Database team.`, printed bold.
    pub lead: Option<String>,
    pub text: String,
    /// How often the same was said in that minute.
    pub times: usize,
    /// The entries behind it.
    pub seqs: Vec<Seq>,
    pub auto: bool,
    pub key: bool,
}

/// One row of "Response in numbers".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MomentRow {
    pub name: &'static str,
    /// `3:05 PM`, or `not recorded`.
    pub time: String,
    /// `5 minutes after detection`; empty for the first moment.
    pub after: String,
    pub sources: Vec<String>,
}

/// A task with everything that is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskLine {
    pub number: u32,
    pub text: String,
    pub owner: Option<String>,
    pub due_on: Option<NaiveDate>,
    pub done: bool,
}

/// A figure of the strip at the top of pages: name and value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFigure {
    pub name: &'static str,
    pub value: String,
    /// How it is reckoned.
    pub meaning: &'static str,
}

/// The whole document.
#[derive(Clone, Debug)]
pub struct Postmortem {
    pub incident: Incident,
    /// `INC-42`.
    pub name: String,
    pub title: String,
    pub severity: Severity,
    pub status: Status,
    pub zone: LocalZone,
    /// The date and span of the incident, as the summary tells it.
    pub when: String,
    /// "All times in EDT, America/New_York (UTC−04:00)."
    pub zone_note: String,
    pub moments: Moments,
    pub figures: Figures,
    pub key_figures: Vec<KeyFigure>,
    pub entries: Vec<Entry>,
    /// Each entry as a line of its own, Firebell's own steps included, by its number.
    pub lines: BTreeMap<Seq, Line>,
    /// Who made each entry, by its number, named as the options say.
    pub actors: BTreeMap<Seq, String>,
    pub calls: Vec<Call>,
    /// Every alert that fired for it, by its number.
    pub alerts: Vec<ListedAlert>,
    /// Each call told in one sentence, by its escalation.
    pub call_lines: BTreeMap<EscalationId, Sentence>,
    pub phases: Phases,
    /// What is missing or should be looked at again; a box at the top until it is empty.
    pub still_open: Vec<Sentence>,
    pub sections: Vec<Section>,
}

impl Postmortem {
    /// Builds the document. `now` matters only while the incident is open.
    pub fn new(
        incident: &Incident,
        history: &[Recorded],
        directory: &Directory,
        now: DateTime<Utc>,
        options: Options,
    ) -> Self {
        let people = People::new(incident, directory, options.people);
        let zone = LocalZone::new(if options.utc { "UTC" } else { &incident.zone }, options.clock);
        let entries = timeline(history, &people);
        let calls = calls(history);
        let moments = Moments::new(&entries, history, incident);
        let figures = figures(&entries, &moments, &calls, &zone);
        let source = about::Source {
            incident,
            history,
            entries: &entries,
            calls: &calls,
            moments: &moments,
            figures: &figures,
            people: &people,
            zone: &zone,
            now,
        };
        let mut postmortem = Self {
            name: incident.name(),
            title: incident.title.clone(),
            severity: incident.severity,
            status: incident.status,
            when: narrative::when(&source),
            zone_note: narrative::zone_note(&source),
            key_figures: narrative::key_figures(&source),
            phases: Phases::new(&source),
            still_open: narrative::still_open(&source),
            sections: narrative::sections(&source),
            lines: entries.iter().map(|entry| (entry.seq, story::line(entry, &source))).collect(),
            actors: entries.iter().map(|entry| (entry.seq, people.actor(&entry.actor))).collect(),
            call_lines: calls.iter().map(|call| (call.escalation, story::call(call, &source))).collect(),
            incident: incident.clone(),
            zone: zone.clone(),
            moments: moments.clone(),
            figures: figures.clone(),
            entries: entries.clone(),
            calls: calls.clone(),
            alerts: alerts(history),
        };
        for (section, text) in &incident.prose {
            postmortem.write(section, text);
        }
        postmortem
    }

    /// Replaces a section by what a person wrote. A section that is not generated is added before the conclusion.
    pub fn write(&mut self, key: &str, text: &str) {
        if let Some(section) = self.sections.iter_mut().find(|section| section.key == key) {
            section.written = Some(text.to_owned());
            return;
        }
        let heading = super::timeline::capitalised(&key.replace(['_', '-'], " "));
        let section = Section { key: key.to_owned(), heading, blocks: Vec::new(), written: Some(text.to_owned()) };
        let before_conclusion = self.sections.len().saturating_sub(1);
        self.sections.insert(before_conclusion, section);
    }

    /// The date of the incident, for headers: the local day on which its window starts.
    pub fn day(&self) -> NaiveDate {
        self.zone.day(self.phases.start_at)
    }
}

impl Sentence {
    pub(crate) fn new(text: impl Into<String>, sources: Vec<String>) -> Self {
        Self { lead: None, text: text.into(), sources }
    }

    pub(crate) fn labelled(lead: impl Into<String>, text: impl Into<String>, sources: Vec<String>) -> Self {
        Self { lead: Some(lead.into()), text: text.into(), sources }
    }

    /// Lead and text as one.
    pub fn plain(&self) -> String {
        match &self.lead {
            Some(lead) if self.text.is_empty() => lead.clone(),
            Some(lead) => format!("{lead} {}", self.text),
            None => self.text.clone(),
        }
    }
}
