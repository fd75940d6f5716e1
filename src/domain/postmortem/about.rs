//! Everything the narrative is told from, gathered once.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike as _, NaiveDate, Utc};

use super::figures::{Figures, Moment, Moments};
use crate::domain::civil::format::{LocalZone, date, date_without_year};
use crate::domain::event::{Actor, Event, Recorded};
use crate::domain::incident::{Field, Incident};
use crate::domain::timeline::Entry;
use crate::domain::timeline::calls::Call;
use crate::domain::timeline::people::People;
use crate::ids::Seq;

pub(super) struct Source<'a> {
    pub(super) incident: &'a Incident,
    pub(super) history: &'a [Recorded],
    pub(super) entries: &'a [Entry],
    pub(super) calls: &'a [Call],
    pub(super) moments: &'a Moments,
    pub(super) figures: &'a Figures,
    pub(super) people: &'a People<'a>,
    pub(super) zone: &'a LocalZone,
    pub(super) now: DateTime<Utc>,
}

/// An end of the window, and what it rests on.
#[derive(Clone, Debug)]
pub(super) struct End {
    pub(super) at: DateTime<Utc>,
    pub(super) sources: Vec<String>,
}

impl Source<'_> {
    /// The field's text, if it was given and is not blank.
    pub(super) fn field(&self, field: Field) -> Option<String> {
        let text = self.people.readable(self.incident.fields.get(&field)?.trim());
        (!text.is_empty()).then_some(text)
    }

    /// Who or what saw it first, in lower case where it is one of the known words: the field, else what the first
    /// detection says, else that a monitoring system made it.
    pub(super) fn detected_by(&self) -> Option<(String, Vec<String>)> {
        if let Some(by) = self.field(Field::DetectedBy) {
            return Some((by, vec![field(Field::DetectedBy)]));
        }
        let seq = self.moments.detected?.seq?;
        let detection = &self.history.iter().find(|recorded| recorded.seq == seq)?.occurrence;
        let said = match &detection.event {
            Event::Detected { by, .. } => by.clone().filter(|by| !by.trim().is_empty()),
            _ => None,
        };
        let monitor = matches!(detection.actor, Actor::Integration { .. }).then(|| "monitoring".to_owned());
        Some((said.or(monitor)?, vec![event(seq)]))
    }

    /// Where the story begins: the start of harm, else detection, declaration, the first entry, the opening.
    pub(super) fn start(&self) -> End {
        let moments = self.moments;
        if let Some(start) = moments.impact_start {
            return End { at: start.at, sources: vec!["field:impact_start".to_owned()] };
        }
        if let Some(moment) = moments.detected.or(moments.declared) {
            return End { at: moment.at, sources: sources_of(moment) };
        }
        self.entries.iter().find(|entry| !entry.auto).map_or(
            End { at: self.incident.opened_at, sources: Vec::new() },
            |entry| End { at: entry.at, sources: vec![event(entry.seq)] },
        )
    }

    /// Where it ends: the stated end of harm, else resolution, else mitigation; `None` while it goes on.
    pub(super) fn end(&self) -> Option<End> {
        let moments = self.moments;
        if let Some(end) = moments.impact_end {
            return Some(End { at: end.at, sources: vec!["field:impact_end".to_owned()] });
        }
        let last_mitigated = moments
            .mitigated
            .last()
            .filter(|mitigated| moments.reopened.last().is_none_or(|again| again.at < mitigated.at));
        let moment = moments.resolved.or(last_mitigated.copied())?;
        Some(End { at: moment.at, sources: sources_of(moment) })
    }
}

impl Source<'_> {
    /// A clock time under a day heading: with the zone's letters on a day whose clocks change.
    pub(super) fn line_time(&self, at: DateTime<Utc>) -> String {
        if self.zone.changes_on(self.zone.day(at)) { self.zone.time_with_zone(at) } else { self.zone.time(at) }
    }

    /// A clock time that stands alone: with the date if the incident spans several, with its year if that changes, and with
    /// letters if they change.
    pub(super) fn full_time(&self, at: DateTime<Utc>) -> String {
        let time = if self.abbreviations().len() > 1 { self.zone.time_with_zone(at) } else { self.zone.time(at) };
        let (days, day) = (self.days(), self.zone.day(at));
        match (days.first(), days.last()) {
            (Some(first), Some(last)) if first.year() != last.year() => format!("{}, {time}", date(day)),
            (Some(first), Some(last)) if first != last => format!("{}, {time}", date_without_year(day)),
            _ => time,
        }
    }

    /// The local days that the document tells of.
    pub(super) fn days(&self) -> BTreeSet<NaiveDate> {
        self.instants().map(|at| self.zone.day(at)).collect()
    }

    /// The zone's letters in the order in which they first apply, each with an instant at which it does.
    pub(super) fn abbreviations(&self) -> Vec<(String, DateTime<Utc>)> {
        let mut instants: Vec<DateTime<Utc>> = self.instants().collect();
        instants.sort_unstable();
        let mut seen: Vec<(String, DateTime<Utc>)> = Vec::new();
        for at in instants {
            let letters = self.zone.abbreviation(at);
            if seen.iter().all(|(known, _)| *known != letters) {
                seen.push((letters, at));
            }
        }
        seen
    }

    fn instants(&self) -> impl Iterator<Item = DateTime<Utc>> {
        let told = self.entries.iter().filter(|entry| super::story::is_told(entry)).map(|entry| entry.at);
        told.chain([self.start().at]).chain(self.end().map(|end| end.at))
    }
}

/// The source id of an event.
pub(super) fn event(seq: Seq) -> String {
    format!("event:{seq}")
}

/// The source ids of a moment; empty for one that is a field.
pub(super) fn sources_of(moment: Moment) -> Vec<String> {
    moment.seq.map(event).into_iter().collect()
}

/// The name of a field in source ids and JSON.
pub(super) fn field_name(field: Field) -> &'static str {
    match field {
        Field::Impact => "impact",
        Field::ImpactKind => "impact_kind",
        Field::Affected => "affected",
        Field::AffectedDetail => "affected_detail",
        Field::Service => "service",
        Field::DetectedBy => "detected_by",
        Field::RootCause => "root_cause",
        Field::Resolution => "resolution",
    }
}

/// The source id of a field.
pub(super) fn field(field: Field) -> String {
    format!("field:{}", field_name(field))
}

/// The text as it was written, with a full stop if it ends without a mark.
pub(super) fn stopped(text: &str) -> String {
    let text = text.trim();
    let words = text.trim_end_matches(['"', '”', '\'', '’', ')', ']']);
    if words.is_empty() || words.ends_with(['.', '!', '?', '…', ':', ';']) {
        text.to_owned()
    } else {
        format!("{text}.")
    }
}

/// The text without its final full stop, to stand inside a sentence that has its own.
pub(super) fn unstopped(text: &str) -> &str {
    let text = text.trim();
    text.strip_suffix('.').filter(|rest| !rest.ends_with('.')).unwrap_or(text)
}
