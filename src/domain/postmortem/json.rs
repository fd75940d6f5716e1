//! The document as JSON: everything the other formats show, and the whole timeline, without loss.
//!
//! `schema` names the shape; a field may be added under the same name, none renamed or removed.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;

use super::about::field_name;
use super::figures::{Figures, Moment};
use super::{Block, Postmortem, Sentence, markdown};
use crate::domain::civil::format::LocalZone;
use crate::domain::event::{NoteKind, Recipient, Source};
use crate::domain::reference::by_handle;
use crate::domain::timeline::Entry;
use crate::domain::timeline::alerts::{ListedAlert, Standing};
use crate::domain::timeline::calls::Call;
use crate::ids::Seq;

/// The name and version of the shape.
pub const SCHEMA: &str = "firebell.postmortem/1";

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    title: &'a str,
    incident: IncidentOut<'a>,
    zone: ZoneOut<'a>,
    moments: MomentsOut,
    figures: &'a Figures,
    timeline: Vec<EntryOut<'a>>,
    calls: Vec<CallOut<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    alerts: Vec<AlertOut<'a>>,
    fields: std::collections::BTreeMap<&'static str, String>,
    measures: Vec<String>,
    tasks: Vec<TaskOut<'a>>,
    still_open: Vec<SentenceOut<'a>>,
    sections: Vec<SectionOut<'a>>,
    markdown: String,
}

#[derive(Serialize)]
struct IncidentOut<'a> {
    name: &'a str,
    number: i64,
    title: &'a str,
    severity: String,
    status: &'static str,
    private: bool,
    opened_at: String,
    when: &'a str,
}

#[derive(Serialize)]
struct ZoneOut<'a> {
    name: &'a str,
    note: &'a str,
}

#[derive(Serialize)]
struct MomentsOut {
    impact_start: Option<Stamp>,
    impact_end: Option<Stamp>,
    detected: Option<Stamp>,
    declared: Option<Stamp>,
    escalated: Option<Stamp>,
    acknowledged: Option<Stamp>,
    mitigated: Vec<Stamp>,
    reopened: Vec<Stamp>,
    resolved: Option<Stamp>,
}

/// An instant, twice: for machines, and with the zone for everybody else.
#[derive(Serialize)]
struct Stamp {
    at: String,
    local: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    approx: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<Seq>,
}

#[derive(Serialize)]
struct EntryOut<'a> {
    seq: Seq,
    /// RFC 3339 with the offset of the incident's zone.
    at: String,
    /// RFC 9557.
    local: String,
    recorded_at: String,
    approx: bool,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<NoteKind>,
    team: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    team_key: Option<&'a str>,
    text: &'a str,
    auto: bool,
    key: bool,
    actor: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<SourceOut<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    edits: Vec<EditOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    escalation: Option<u32>,
}

#[derive(Serialize)]
struct EditOut<'a> {
    from: &'a str,
    at: String,
}

#[derive(Serialize)]
struct SourceOut<'a> {
    link: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a crate::ids::MessageRef>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    files: &'a [crate::domain::event::File],
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    late: bool,
}

#[derive(Serialize)]
struct CallOut<'a> {
    escalation: u32,
    team: Option<&'a str>,
    called_at: String,
    answered_at: Option<String>,
    exhausted_at: Option<String>,
    stopped_at: Option<String>,
    text: &'a str,
    rings: Vec<RingOut<'a>>,
}

#[derive(Serialize)]
struct RingOut<'a> {
    at: String,
    round: u32,
    tier: u32,
    skipped: bool,
    unanswered: bool,
    pages: Vec<PagedOut<'a>>,
}

#[derive(Serialize)]
struct PagedOut<'a> {
    page: u32,
    to: &'a Recipient,
    because: &'a str,
    attempts: u32,
    sent_at: Option<String>,
    answered_at: Option<String>,
    not_reached: Option<&'a str>,
}

#[derive(Serialize)]
struct AlertOut<'a> {
    number: u32,
    title: &'a str,
    severity: Option<String>,
    integration: &'a str,
    dedup_key: &'a str,
    began_at: String,
    link: Option<&'a str>,
    /// `firing`, `cleared` or `taken_out`.
    standing: &'static str,
    cleared_at: Option<String>,
    /// The incident that it has got for itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    taken_into: Option<String>,
}

#[derive(Serialize)]
struct TaskOut<'a> {
    number: u32,
    text: &'a str,
    owner: Option<&'a str>,
    due_on: Option<NaiveDate>,
    done: bool,
}

#[derive(Serialize)]
struct SectionOut<'a> {
    key: &'a str,
    heading: &'a str,
    /// Whether a person wrote it; the sentences are then what Firebell would have written.
    written: bool,
    markdown: String,
    sentences: Vec<SentenceOut<'a>>,
}

#[derive(Serialize)]
struct SentenceOut<'a> {
    text: std::borrow::Cow<'a, str>,
    sources: Vec<String>,
}

/// The document, indented, with a line break at the end.
pub fn json(postmortem: &Postmortem) -> String {
    let mut text = serde_json::to_string_pretty(&document(postmortem)).expect("only strings are keys");
    text.push('\n');
    text
}

fn document(postmortem: &Postmortem) -> Document<'_> {
    let zone = &postmortem.zone;
    let incident = &postmortem.incident;
    Document {
        schema: SCHEMA,
        title: &postmortem.title,
        incident: IncidentOut {
            name: &postmortem.name,
            number: incident.number,
            title: &postmortem.title,
            severity: postmortem.severity.to_string(),
            status: postmortem.status.word(),
            private: incident.private,
            opened_at: zone.rfc3339(incident.opened_at),
            when: &postmortem.when,
        },
        zone: ZoneOut { name: zone.name(), note: &postmortem.zone_note },
        moments: moments(postmortem),
        figures: &postmortem.figures,
        timeline: postmortem.entries.iter().map(|entry| entry_out(entry, postmortem)).collect(),
        calls: postmortem.calls.iter().map(|call| call_out(call, postmortem)).collect(),
        alerts: postmortem.alerts.iter().map(|alert| alert_out(alert, zone)).collect(),
        fields: incident.fields.iter().map(|(field, text)| (field_name(*field), by_handle(text))).collect(),
        measures: incident.measures.iter().map(|text| by_handle(text)).collect(),
        tasks: tasks(postmortem),
        still_open: postmortem.still_open.iter().map(sentence).collect(),
        sections: sections(postmortem),
        markdown: markdown::markdown(postmortem),
    }
}

fn moments(postmortem: &Postmortem) -> MomentsOut {
    let zone = &postmortem.zone;
    let moments = &postmortem.moments;
    let one = |moment: &Option<Moment>| moment.as_ref().map(|moment| stamp(moment, zone));
    let all = |moments: &[Moment]| moments.iter().map(|moment| stamp(moment, zone)).collect();
    MomentsOut {
        impact_start: one(&moments.impact_start),
        impact_end: one(&moments.impact_end),
        detected: one(&moments.detected),
        declared: one(&moments.declared),
        escalated: one(&moments.escalated),
        acknowledged: one(&moments.acknowledged),
        mitigated: all(&moments.mitigated),
        reopened: all(&moments.reopened),
        resolved: one(&moments.resolved),
    }
}

fn stamp(moment: &Moment, zone: &LocalZone) -> Stamp {
    Stamp { at: zone.rfc3339(moment.at), local: zone.rfc9557(moment.at), approx: moment.approx, seq: moment.seq }
}

fn entry_out<'a>(entry: &'a Entry, postmortem: &'a Postmortem) -> EntryOut<'a> {
    let zone = &postmortem.zone;
    EntryOut {
        seq: entry.seq,
        at: zone.rfc3339(entry.at),
        local: zone.rfc9557(entry.at),
        recorded_at: zone.rfc3339(entry.recorded_at),
        approx: entry.approx,
        kind: entry.kind.word(),
        tag: entry.tag.filter(|tag| !matches!(tag, NoteKind::Note | NoteKind::Action)),
        team: entry.team.as_ref().map(|team| team.name.as_str()),
        team_key: entry.team.as_ref().and_then(|team| team.key.as_ref()).map(crate::ids::TeamKey::as_str),
        text: &entry.text,
        auto: entry.auto,
        key: entry.is_key(),
        actor: postmortem.actors.get(&entry.seq).map_or("", String::as_str),
        source: entry.source.as_ref().map(|source| match source {
            Source::Message { message, permalink, files, late, .. } => {
                SourceOut { link: permalink.as_deref(), message: Some(message), files, late: *late }
            }
            Source::Link { url } => SourceOut { link: Some(url), message: None, files: &[], late: false },
        }),
        edits: entry.edits.iter().map(|edit| EditOut { from: &edit.from, at: zone.rfc3339(edit.at) }).collect(),
        escalation: entry.escalation.map(|escalation| escalation.0),
    }
}

fn call_out<'a>(call: &'a Call, postmortem: &'a Postmortem) -> CallOut<'a> {
    let time = |at: DateTime<Utc>| postmortem.zone.rfc3339(at);
    let rings = call.rings.iter().enumerate().map(|(index, ring)| RingOut {
        at: time(ring.at),
        round: ring.round,
        tier: ring.tier,
        skipped: ring.skipped,
        unanswered: call.unanswered(index),
        pages: ring
            .pages
            .iter()
            .map(|page| PagedOut {
                page: page.page.0,
                to: &page.to,
                because: &page.because,
                attempts: page.attempts,
                sent_at: page.sent_at.map(time),
                answered_at: page.answered_at.map(time),
                not_reached: page.not_reached.as_deref(),
            })
            .collect(),
    });
    CallOut {
        escalation: call.escalation.0,
        team: call.team.as_ref().map(|team| team.name.as_str()),
        called_at: time(call.called_at),
        answered_at: call.answered_at().map(time),
        exhausted_at: call.exhausted_at.map(time),
        stopped_at: call.stopped_at.map(time),
        text: postmortem.call_lines.get(&call.escalation).map_or("", |line| line.text.as_str()),
        rings: rings.collect(),
    }
}

fn alert_out<'a>(alert: &'a ListedAlert, zone: &LocalZone) -> AlertOut<'a> {
    let (standing, cleared_at, taken_into) = match alert.standing {
        Standing::Firing => ("firing", None, None),
        Standing::Cleared { at } => ("cleared", Some(zone.rfc3339(at)), None),
        Standing::TakenOut { into } => ("taken_out", None, Some(format!("INC-{into}"))),
    };
    AlertOut {
        number: alert.number,
        title: &alert.title,
        severity: alert.severity.map(|severity| severity.to_string()),
        integration: alert.integration.as_str(),
        dedup_key: &alert.dedup_key,
        began_at: zone.rfc3339(alert.began_at),
        link: alert.link.as_deref(),
        standing,
        cleared_at,
        taken_into,
    }
}

fn tasks(postmortem: &Postmortem) -> Vec<TaskOut<'_>> {
    let lines = postmortem.sections.iter().flat_map(|section| &section.blocks).filter_map(|block| match block {
        Block::Tasks(tasks) => Some(tasks),
        Block::Paragraph(_) | Block::List(_) | Block::Timeline(_) | Block::Moments(_) => None,
    });
    lines
        .flatten()
        .map(|line| TaskOut {
            number: line.number,
            text: &line.text,
            owner: line.owner.as_deref(),
            due_on: line.due_on,
            done: line.done,
        })
        .collect()
}

fn sections(postmortem: &Postmortem) -> Vec<SectionOut<'_>> {
    let sections = postmortem.sections.iter().map(|section| SectionOut {
        key: &section.key,
        heading: &section.heading,
        written: section.written.is_some(),
        markdown: section.written.clone().unwrap_or_else(|| markdown::generated(section)),
        sentences: section.blocks.iter().flat_map(sentences).collect(),
    });
    sections.collect()
}

/// The sentences of a block; the timeline and the tasks stand on their own elsewhere in the document.
fn sentences(block: &Block) -> Vec<SentenceOut<'_>> {
    match block {
        Block::Paragraph(sentences) | Block::List(sentences) => sentences.iter().map(sentence).collect(),
        Block::Moments(rows) => rows
            .iter()
            .map(|row| {
                let after = if row.after.is_empty() { String::new() } else { format!(", {}", row.after) };
                let text = format!("{}: {}{after}.", row.name, row.time).into();
                SentenceOut { text, sources: row.sources.clone() }
            })
            .collect(),
        Block::Timeline(_) | Block::Tasks(_) => Vec::new(),
    }
}

fn sentence(sentence: &Sentence) -> SentenceOut<'_> {
    SentenceOut { text: sentence.plain().into(), sources: sentence.sources.clone() }
}
