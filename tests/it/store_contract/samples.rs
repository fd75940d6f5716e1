//! Small incidents, events and answers to store.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use firebell::domain::answer::{Answer, Said};
use firebell::domain::engine::DecidedBy;
use firebell::domain::event::{Actor, Event, NoteKind, Occurrence, Origin, Recorded};
use firebell::domain::incident::{Channel, Incident, Severity, Status};
use firebell::ids::{IncidentId, Seq, UserId, WorkspaceId};
use firebell::store::{Db, Tx, chain, counters, history, incidents};

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
        updates_waiting: Vec::new(),
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
        storm: None,
        alerts: vec![],
        channel: Channel::Wanted,
        card: None,
        announcement: None,
        postmortem_message: None,
        clock_sets: 0,
        decided_by: DecidedBy,
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

pub(crate) fn answer(number: i64) -> Answer {
    Answer { incident: Some(IncidentId(number)), number: Some(number), said: Said::Resolved { at: at(number) } }
}

pub(crate) async fn save(tx: &mut Tx, incident: &Incident) {
    let row = incidents::Row { incident, head: chain::GENESIS, updated_at: at(0), keeps_its_places: false };
    incidents::save(tx, &[row]).await.expect("is saved");
}

/// Opens `count` incidents without any history.
pub(crate) async fn opened(db: &Db, count: u32) -> Vec<Incident> {
    let mut tx = db.write().await.expect("begins");
    let given = counters::allocate_many(&mut tx, &workspace(), count).await.expect("is given");
    let all: Vec<Incident> = given.into_iter().map(|(id, number)| incident(id, number)).collect();
    let row = |incident| incidents::Row { incident, head: chain::GENESIS, updated_at: at(0), keeps_its_places: false };
    incidents::save(&mut tx, &all.iter().map(row).collect::<Vec<_>>()).await.expect("is saved");
    tx.commit().await.expect("commits");
    all
}

/// Opens an incident with the notes 1 to `count`.
pub(crate) async fn with_notes(db: &Db, count: Seq) -> (Incident, Vec<Recorded>) {
    let mut incident = opened(db, 1).await.remove(0);
    let recorded: Vec<Recorded> = (1..=count).map(|seq| noted(seq, &format!("note {seq}: it's \"down\" ✓"))).collect();
    let mut new = Vec::new();
    let head = history::link_all(chain::GENESIS, &workspace(), incident.id, &recorded, &mut new);
    incident.last_seq = count;
    let mut tx = db.write().await.expect("begins");
    history::append(&mut tx, &new).await.expect("is appended");
    let row =
        incidents::Row { incident: &incident, head: &head, updated_at: at(i64::from(count)), keeps_its_places: false };
    incidents::save(&mut tx, &[row]).await.expect("is saved");
    tx.commit().await.expect("commits");
    (incident, recorded)
}
