//! Recorded incidents as histories: `tests/incidents/*.json`, event for event.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use chrono::{DateTime, TimeDelta, Utc};
use firebell::domain::engine::DecidedBy;
use firebell::domain::event::{Actor, Event, NoteKind, Occurrence, Origin, Recorded, TeamRef};
use firebell::domain::incident::{Channel, Field, Incident, Severity, Status, Task};
use firebell::domain::postmortem::{Options, Postmortem};
use firebell::domain::roster::Directory;
use firebell::ids::{IncidentId, UserId, WorkspaceId};
use serde_json::Value;

/// One recording, as an incident with its history.
pub(super) struct Recording {
    pub(super) name: String,
    pub(super) json: Value,
    pub(super) incident: Incident,
    pub(super) history: Vec<Recorded>,
}

impl Recording {
    /// The recording whose file name starts so.
    pub(super) fn load(prefix: &str) -> Self {
        all().into_iter().find(|recording| recording.name.starts_with(prefix)).expect("the recording exists")
    }

    /// The document as it stands a day after the last entry.
    pub(super) fn postmortem(&self) -> Postmortem {
        let last = self.history.iter().map(|recorded| recorded.occurrence.at).max().unwrap();
        let now = last + TimeDelta::days(1);
        Postmortem::new(&self.incident, &self.history, &Directory::default(), now, Options::default())
    }

    /// The recorded entries as (instant, kind, text).
    pub(super) fn entries(&self) -> Vec<(DateTime<Utc>, &str, &str)> {
        let entries = self.json["entries"].as_array().unwrap();
        entries
            .iter()
            .map(|entry| {
                (instant(&entry["at"]).unwrap(), entry["kind"].as_str().unwrap(), entry["text"].as_str().unwrap())
            })
            .collect()
    }
}

/// Every recording, in order of file names.
pub(super) fn all() -> Vec<Recording> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/incidents");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    paths.sort();
    paths.iter().filter(|path| path.extension().is_some_and(|extension| extension == "json")).map(read).collect()
}

pub(super) fn instant(value: &Value) -> Option<DateTime<Utc>> {
    value.as_str().map(|text| DateTime::parse_from_rfc3339(text).unwrap().to_utc())
}

fn read(path: &PathBuf) -> Recording {
    let json: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let text = |key: &str| json[key].as_str().map(str::to_owned);
    let texts = |key: &str| -> Vec<String> {
        json[key].as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let entries = json["entries"].as_array().unwrap();
    let opened_at = instant(&entries[0]["at"]).unwrap();
    let recorded_at = instant(&entries[entries.len() - 1]["at"]).unwrap();
    let actor = Actor::Person { user: UserId::new("U1") };
    let mut history = Vec::new();
    let mut record = |at, approx, actor: &Actor, event| {
        let seq = u32::try_from(history.len()).unwrap() + 1;
        let occurrence = Occurrence { at, approx, actor: actor.clone(), source: None, event };
        history.push(Recorded { seq, recorded_at, occurrence });
    };
    let title = text("title").unwrap();
    let zone = text("timezone").unwrap();
    let opened = Event::Opened {
        number: 42,
        title: title.clone(),
        severity: Severity::Sev2,
        private: false,
        zone: zone.clone(),
        origin: Origin::Command { channel: None },
        declares: false,
        nonce: String::new(),
    };
    record(opened_at, false, &actor, opened);
    for entry in entries {
        let approx = entry["approx"].as_bool().unwrap_or(false);
        record(instant(&entry["at"]).unwrap(), approx, &actor, event(entry));
    }
    let affected = json["affected"]
        .as_object()
        .map(|affected| format!("{}% of {}", affected["share_percent"], affected["of"].as_str().unwrap()));
    let services = Some(texts("services").join(", ")).filter(|services| !services.is_empty());
    let fields: BTreeMap<Field, String> = [
        (Field::Impact, text("impact")),
        (Field::ImpactKind, text("impact_kind")),
        (Field::Affected, affected),
        (Field::AffectedDetail, text("affected_detail")),
        (Field::Service, text("service_phrase").or(services)),
        (Field::DetectedBy, text("detected_by")),
        (Field::RootCause, text("root_cause")),
        (Field::Resolution, text("resolution")),
    ]
    .into_iter()
    .filter_map(|(field, text)| Some((field, text?)))
    .collect();
    for (field, value) in &fields {
        record(recorded_at, false, &actor, Event::FieldSet { field: *field, value: Some(value.clone()) });
    }
    let tasks = texts("tasks").into_iter().zip(1..).map(|(text, number)| Task {
        number,
        text,
        owner: None,
        due_on: None,
        done: false,
    });
    let incident = Incident {
        id: IncidentId(1),
        workspace: WorkspaceId::new("T1"),
        number: 42,
        title,
        severity: Severity::Sev2,
        status: Status::Resolved,
        private: false,
        zone,
        origin: Origin::Command { channel: None },
        nonce: String::new(),
        opened_at,
        opened_by: actor,
        declares: false,
        resolved_at: Some(recorded_at),
        concluded: true,
        tasks_ever: 0,
        last_seq: u32::try_from(history.len()).unwrap(),
        last_update_at: None,
        updates_waiting: Vec::new(),
        roles: BTreeMap::new(),
        responders: BTreeSet::new(),
        impact_start_at: instant(&json["impact_start"]),
        impact_end_at: instant(&json["impact_end"]),
        fields,
        measures: texts("measures"),
        tasks: tasks.collect(),
        prose: BTreeMap::new(),
        teams: Vec::new(),
        escalations: BTreeMap::new(),
        pages: BTreeMap::new(),
        storm: None,
        alerts: Vec::new(),
        channel: Channel::Wanted,
        card: None,
        announcement: None,
        postmortem_message: None,
        clock_sets: 0,
        decided_by: DecidedBy,
    };
    Recording { name: path.file_stem().unwrap().to_string_lossy().into_owned(), json, incident, history }
}

fn event(entry: &Value) -> Event {
    let text = entry["text"].as_str().unwrap().to_owned();
    let team = entry["team"].as_str().map(|name| TeamRef { key: None, name: name.to_owned() });
    match entry["kind"].as_str().unwrap() {
        "detected" => Event::Detected { text, by: None, team },
        "declared" => Event::Declared { text, team },
        "escalated" => Event::Escalated { escalation: None, team, text: Some(text), policy: None },
        "note" => Event::Noted { kind: NoteKind::Note, team, text },
        "action" => Event::Noted { kind: NoteKind::Action, team, text },
        "ack" => Event::Acknowledged { escalation: None, team, user: None, text: Some(text) },
        "mitigated" => Event::Mitigated { text, team },
        "resolved" => Event::Resolved { text: Some(text), team },
        other => panic!("no such kind of entry: {other}"),
    }
}
