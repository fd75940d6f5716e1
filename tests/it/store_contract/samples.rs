//! Small incidents, events and answers to store.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use firebell::domain::event::{Actor, Event, NoteKind, Occurrence, Origin, Recorded};
use firebell::domain::incident::{Channel, Incident, Severity, Status};
use firebell::ids::{IncidentId, Seq, UserId, WorkspaceId};

/// `second` seconds after an arbitrary start.
pub(crate) fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 123_456_000).expect("in range") + TimeDelta::seconds(second)
}

pub(crate) fn workspace() -> WorkspaceId {
    WorkspaceId::new("T0FIREBELL")
}

pub(crate) fn incident(id: IncidentId, number: i64) -> Incident {
    Incident {
        id,
        workspace: workspace(),
        number,
        title: format!("Database {number} is down"),
        severity: Severity::Sev2,
        status: Status::Investigating,
        private: false,
        zone: "Europe/Berlin".into(),
        origin: Origin::Command { channel: None },
        nonce: "a1b2".into(),
        opened_at: at(0),
        opened_by: Actor::Person { user: UserId::new("U0ANA") },
        declares: true,
        resolved_at: None,
        concluded: false,
        last_seq: 0,
        last_update_at: None,
        roles: BTreeMap::new(),
        responders: BTreeSet::new(),
        impact_start_at: None,
        impact_end_at: None,
        fields: BTreeMap::new(),
        measures: Vec::new(),
        tasks: Vec::new(),
        tasks_ever: 0,
        prose: BTreeMap::new(),
        teams: Vec::new(),
        escalations: BTreeMap::new(),
        pages: BTreeMap::new(),
        alerts: vec![],
        channel: Channel::Wanted,
        card: None,
        announcement: None,
        postmortem_message: None,
    }
}

pub(crate) fn noted(seq: Seq, text: &str) -> Recorded {
    Recorded {
        seq,
        recorded_at: at(i64::from(seq)),
        occurrence: Occurrence {
            at: at(i64::from(seq) - 1),
            approx: false,
            actor: Actor::Person { user: UserId::new("U0ANA") },
            source: None,
            event: Event::Noted { kind: NoteKind::Note, team: None, text: text.to_owned() },
        },
    }
}
