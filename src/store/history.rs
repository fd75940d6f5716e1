//! The history of each incident: append-only, numbered 1..n without a gap, hash-chained.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::chain::{self, Broken, Facts, Verified};
use super::tx::{Bulk, execute, fetch_all, fetch_optional, from_json, insert, instant, to_json, us};
use super::{Error, Tx, substitutes};
use crate::domain::event::{Event, Occurrence, Recorded};
use crate::ids::{IncidentId, Seq, WorkspaceId, random_id};

/// The kind of the entries that vouch for copies.
const PERSON_ERASED: &str = "person_erased";

/// An event ready to be appended: its content as it will be stored, and its link in the chain.
#[derive(Clone, Debug)]
pub struct NewEvent {
    pub workspace: WorkspaceId,
    pub incident: IncidentId,
    pub seq: Seq,
    /// What the next event of this incident is linked to.
    pub hash: String,
    at_us: i64,
    recorded_at_us: i64,
    kind: String,
    payload: String,
    salt: String,
    commitment: String,
}

/// Links an event to the one before it, whose hash is `prev` ([`chain::GENESIS`] before the first).
#[must_use]
pub fn link(prev: &str, workspace: &WorkspaceId, incident: IncidentId, event: &Recorded) -> NewEvent {
    let payload = to_json(&event.occurrence);
    let salt = random_id();
    let commitment = chain::commit(&salt, &payload);
    let kind = kind(&payload).to_owned();
    let facts = Facts {
        incident,
        seq: event.seq,
        at: event.occurrence.at,
        recorded_at: event.recorded_at,
        kind: &kind,
        commitment: &commitment,
    };
    NewEvent {
        workspace: workspace.clone(),
        incident,
        seq: event.seq,
        hash: chain::link(prev, &facts),
        at_us: us(event.occurrence.at),
        recorded_at_us: us(event.recorded_at),
        kind,
        payload,
        salt,
        commitment,
    }
}

/// Links several events of one incident and adds them to `to`; the hash of the last, the incident's new head.
#[must_use]
pub fn link_all(
    prev: &str,
    workspace: &WorkspaceId,
    incident: IncidentId,
    events: &[Recorded],
    to: &mut Vec<NewEvent>,
) -> String {
    let mut head = prev.to_owned();
    for event in events {
        let new = link(&head, workspace, incident, event);
        head.clone_from(&new.hash);
        to.push(new);
    }
    head
}

/// The `type` of the event in the JSON of an occurrence, such as `noted`.
fn kind(payload: &str) -> &str {
    // Quotes within texts are escaped, so that no text can hold this.
    let event = payload.split_once(r#""event":{"type":""#).expect("events carry their type first").1;
    event.split_once('"').expect("a text ends").0
}

static APPEND: LazyLock<Bulk> = LazyLock::new(|| {
    Bulk::new(
        "INSERT INTO history
            (incident_id, seq, workspace, at, recorded_at, kind, payload, salt, commitment, hash)",
        10,
        "",
    )
});

/// Appends events; their incidents must be saved in the same transaction, with the new head and last number. Fails as
/// a unique violation if a number is taken.
pub async fn append(tx: &mut Tx, events: &[NewEvent]) -> Result<(), Error> {
    insert!(tx, APPEND, events, |event| [
        event.incident.0,
        i64::from(event.seq),
        event.workspace.as_str(),
        event.at_us,
        event.recorded_at_us,
        event.kind.as_str(),
        event.payload.as_str(),
        event.salt.as_str(),
        event.commitment.as_str(),
        event.hash.as_str(),
    ])?;
    Ok(())
}

/// Loads the whole history in order; erased entries are left out, unless a copy is read in their place.
pub async fn load(tx: &mut Tx, incident: IncidentId) -> Result<Vec<Recorded>, Error> {
    after(tx, incident, 0).await
}

/// As [`load`], only the entries after number `seq`.
pub async fn after(tx: &mut Tx, incident: IncidentId, seq: Seq) -> Result<Vec<Recorded>, Error> {
    let rows: Vec<(i64, i64, Option<String>)> = fetch_all!(
        tx,
        (i64, i64, Option<String>),
        "SELECT seq, recorded_at, payload FROM history WHERE incident_id = $1 AND seq > $2 ORDER BY seq",
        incident.0,
        i64::from(seq),
    )?;
    let mut copies: BTreeMap<Seq, String> = BTreeMap::new();
    if rows.iter().any(|(_, _, payload)| payload.is_none()) {
        copies = substitutes::of(tx, incident).await?.into_iter().collect();
    }
    let mut recorded = Vec::with_capacity(rows.len());
    for (seq, recorded_at, payload) in rows {
        let row = format!("{incident}/{seq}");
        let seq = number(incident, seq)?;
        let Some(payload) = payload.or_else(|| copies.remove(&seq)) else { continue };
        recorded.push(Recorded {
            seq,
            recorded_at: instant("history", &row, recorded_at)?,
            occurrence: from_json::<Occurrence>("history", &row, &payload)?,
        });
    }
    Ok(recorded)
}

/// Erases the content of an entry for good; its place, time and kind stay, and the chain still verifies. Whether there
/// was something to erase.
pub async fn erase(tx: &mut Tx, incident: IncidentId, seq: Seq) -> Result<bool, Error> {
    let touched = execute!(
        tx,
        "UPDATE history SET payload = NULL, salt = NULL
         WHERE incident_id = $1 AND seq = $2 AND payload IS NOT NULL",
        incident.0,
        i64::from(seq),
    )?;
    Ok(touched > 0)
}

/// The numbers of the entries whose content was erased, with or without a copy in its place.
pub async fn erased(tx: &mut Tx, incident: IncidentId) -> Result<Vec<Seq>, Error> {
    let rows: Vec<(i64,)> = fetch_all!(
        tx,
        (i64,),
        "SELECT seq FROM history WHERE incident_id = $1 AND payload IS NULL ORDER BY seq",
        incident.0,
    )?;
    rows.into_iter().map(|(seq,)| number(incident, seq)).collect()
}

#[derive(sqlx::FromRow)]
struct Entry {
    seq: i64,
    at: i64,
    recorded_at: i64,
    kind: String,
    payload: Option<String>,
    salt: Option<String>,
    commitment: String,
    hash: String,
}

/// Checks an incident's hash chain against its stored history, head and length; the first broken entry, if any.
pub async fn verify(tx: &mut Tx, incident: IncidentId) -> Result<Result<Verified, Broken>, Error> {
    let end: Option<(i64, String)> =
        fetch_optional!(tx, (i64, String), "SELECT last_seq, head FROM incidents WHERE id = $1", incident.0)?;
    let (last_seq, head) = end.ok_or(Error::NoSuchIncident(incident))?;
    let rows: Vec<Entry> = fetch_all!(
        tx,
        Entry,
        "SELECT seq, at, recorded_at, kind, payload, salt, commitment, hash FROM history
         WHERE incident_id = $1 ORDER BY seq",
        incident.0,
    )?;
    let stored = |row: Entry| {
        let name = format!("{incident}/{}", row.seq);
        Ok(chain::Stored {
            seq: number(incident, row.seq)?,
            at: instant("history", &name, row.at)?,
            recorded_at: instant("history", &name, row.recorded_at)?,
            kind: row.kind,
            payload: row.payload,
            salt: row.salt,
            commitment: row.commitment,
            hash: row.hash,
        })
    };
    let entries = rows.into_iter().map(stored).collect::<Result<Vec<_>, Error>>()?;
    let verified = chain::verify(incident, &entries, number(incident, last_seq)?, &head);
    let Ok(whole) = verified else { return Ok(verified) };
    let copies = substitutes::of(tx, incident).await?;
    Ok(vouched_for(&entries, &copies).map(|()| whole))
}

/// Whether the copies that are read in place of erased entries are those that were made. For them vouches the last entry
/// that says that somebody was made anonymous.
fn vouched_for(entries: &[chain::Stored], copies: &[(Seq, String)]) -> Result<(), Broken> {
    let of_unerased = |seq: &Seq| entries.iter().any(|entry| entry.seq == *seq && entry.payload.is_some());
    if let Some((seq, _)) = copies.iter().find(|(seq, _)| of_unerased(seq)) {
        return Err(Broken { seq: *seq, why: "it has a copy although it was not erased" });
    }
    let vouchers = entries.iter().rev().filter(|entry| entry.kind == PERSON_ERASED);
    let mut said = vouchers.filter_map(|entry| {
        let occurrence: Occurrence = serde_json::from_str(entry.payload.as_deref()?).ok()?;
        match occurrence.event {
            Event::PersonErased { copies, .. } => Some((entry.seq, copies)),
            _ => None,
        }
    });
    match (said.next(), copies.first()) {
        (Some((_, sum)), _) if sum == substitutes::sum(copies) => Ok(()),
        (Some((seq, _)), _) => Err(Broken { seq, why: "the copies that it vouches for are not those that were made" }),
        (None, Some((seq, _))) => Err(Broken { seq: *seq, why: "it has a copy that no entry vouches for" }),
        (None, None) => Ok(()),
    }
}

pub(super) fn number(incident: IncidentId, seq: i64) -> Result<Seq, Error> {
    Seq::try_from(seq).map_err(|_| Error::damaged("history", incident, format!("{seq} is no number of an entry")))
}
