//! Effects that wait to be performed, and those that are being performed under a lease.
//!
//! A claim counts the attempt up; whoever reports an outcome names the attempt, so a worker that lost its lease changes
//! nothing. Effects of one incident with the same slot wait as one, and are never performed side by side: the later would
//! read the newer state and could still arrive first.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::tx::{
    Bulk, Conn, clean, execute, execute_in, fetch_all, fetch_in, fetch_optional, from_json, insert, instant, json_list,
    to_json, us,
};
use super::{Engine, Error, Tx};
use crate::domain::effect::{Effect, Lane};
use crate::ids::{IncidentId, WorkspaceId};
use crate::planted::{self, Bug};

/// An effect in the outbox; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EffectId(pub i64);

impl fmt::Display for EffectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An effect to be put in the outbox.
#[derive(Clone, Debug)]
pub struct New {
    pub workspace: WorkspaceId,
    pub incident: Option<IncidentId>,
    pub effect: Effect,
    pub not_before: DateTime<Utc>,
    pub created_at: DateTime<Utc>,
    /// When a page should have gone out, to tell how late it is.
    pub due_at: Option<DateTime<Utc>>,
}

/// An effect that the caller alone may perform until its lease ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    pub id: EffectId,
    pub workspace: WorkspaceId,
    pub incident: Option<IncidentId>,
    pub effect: Effect,
    /// From 1.
    pub attempt: u32,
    /// An earlier attempt may have succeeded without anybody knowing.
    pub uncertain: bool,
    /// The last attempt never reported: its worker crashed, stopped or was cut off.
    pub lapsed: bool,
    pub created_at: DateTime<Utc>,
    pub due_at: Option<DateTime<Utc>>,
}

/// How an attempt that did not succeed goes on.
#[derive(Clone, Debug)]
pub struct Again {
    pub id: EffectId,
    pub attempt: u32,
    pub not_before: DateTime<Utc>,
    pub error: String,
    /// This attempt may have succeeded without us knowing.
    pub uncertain: bool,
}

/// How full a lane is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    pub pending: u64,
    pub sending: u64,
    pub dead: u64,
    /// When the oldest that is not dead was put in.
    pub oldest_at: Option<DateTime<Utc>>,
}

/// An effect that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dead {
    pub id: EffectId,
    pub workspace: WorkspaceId,
    pub incident: Option<IncidentId>,
    pub effect: Effect,
    pub attempt: u32,
    pub error: String,
    pub created_at: DateTime<Utc>,
}

static ENQUEUE: LazyLock<Bulk> = LazyLock::new(|| {
    Bulk::new(
        "INSERT INTO outbox
            (workspace, incident_id, lane, slot, effect, state, attempt, ready_at, created_at, due_at, uncertain)",
        11,
        "ON CONFLICT (incident_id, slot) WHERE state = 'pending' AND slot IS NOT NULL DO NOTHING",
    )
});

/// Puts effects in. One whose slot is already waiting in its incident is left out: the state is read when it is sent.
/// How many were put in.
pub async fn enqueue(tx: &mut Tx, effects: &[New]) -> Result<u64, Error> {
    let touched = insert!(tx, ENQUEUE, effects, |new| [
        new.workspace.as_str(),
        new.incident.map(|incident| incident.0),
        lane_number(new.effect.lane()),
        new.effect.slot(),
        to_json(&new.effect),
        "pending",
        0_i64,
        us(new.not_before),
        us(new.created_at),
        new.due_at.map(us),
        false,
    ])?;
    tx.wakes |= touched > 0;
    Ok(touched)
}

fn lane_number(lane: Lane) -> i64 {
    lane as i64
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    workspace: String,
    incident_id: Option<i64>,
    lane: i64,
    effect: String,
    attempt: i64,
    uncertain: bool,
    lapsed: bool,
    created_at: i64,
    due_at: Option<i64>,
}

impl Row {
    fn claimed(self) -> Result<Claimed, Error> {
        let id = self.id;
        Ok(Claimed {
            id: EffectId(id),
            workspace: WorkspaceId(self.workspace),
            incident: self.incident_id.map(IncidentId),
            effect: from_json("outbox", id, &self.effect)?,
            attempt: attempt_number(id, self.attempt)?,
            uncertain: self.uncertain,
            lapsed: self.lapsed,
            created_at: instant("outbox", id, self.created_at)?,
            due_at: self.due_at.map(|at| instant("outbox", id, at)).transpose()?,
        })
    }
}

fn attempt_number(id: i64, attempt: i64) -> Result<u32, Error> {
    u32::try_from(attempt).map_err(|_| Error::damaged("outbox", id, format!("{attempt} is no number of an attempt")))
}

/// What keeps a `waiting` effect back though its time has come: one of its slot is under way; or it is the postmortem,
/// and the channel is still to be told what came before it, such as the resolution.
macro_rules! in_turn_sql {
    () => {
        "(waiting.state = 'sending' OR (NOT EXISTS (
            SELECT 1 FROM outbox AS other
            WHERE other.incident_id = waiting.incident_id AND other.slot = waiting.slot AND other.state = 'sending'
         ) AND (waiting.slot IS NULL OR waiting.slot <> 'postmortem-post' OR NOT EXISTS (
            SELECT 1 FROM outbox AS earlier
            WHERE earlier.incident_id = waiting.incident_id AND earlier.lane = waiting.lane AND earlier.id < waiting.id
              AND earlier.state <> 'dead'
         ))))"
    };
}

/// The claim; `$1` is the end of the lease, `$2` the present, `$3` the lanes, `$4` the limit, and `$5` the incidents if
/// `$among` asks for them. While an attempt is under way, `error` says only whether the one before it lapsed.
macro_rules! claim_sql {
    ($lanes:literal, $among:literal, $lock:literal) => {
        concat!(
            "UPDATE outbox SET
                state = 'sending', attempt = attempt + 1, uncertain = (uncertain OR state = 'sending'), ready_at = $1,
                error = CASE WHEN state = 'sending' THEN 'lapsed' END
             WHERE id IN (
                SELECT waiting.id FROM outbox AS waiting
                WHERE waiting.state <> 'dead' AND waiting.ready_at <= $2 AND waiting.lane ",
            $lanes,
            $among,
            " AND ",
            in_turn_sql!(),
            "   ORDER BY waiting.lane, waiting.id LIMIT $4 ",
            $lock,
            ")
             RETURNING id, workspace, incident_id, lane, effect, attempt, uncertain, error IS NOT NULL AS lapsed,
                created_at, due_at"
        )
    };
}

/// Takes up to `limit` effects of these lanes that are ready at `now`, the best lane and the oldest first, for the caller
/// alone until `lease_until`. An effect whose lease ended counts as uncertain. Nobody else gets the same attempt.
pub async fn claim(
    tx: &mut Tx,
    now: DateTime<Utc>,
    lanes: &[Lane],
    limit: u32,
    lease_until: DateTime<Utc>,
) -> Result<Vec<Claimed>, Error> {
    let lanes: Vec<i64> = lanes.iter().copied().map(lane_number).collect();
    let limit = i64::from(limit);
    let rows: Vec<Row> = match &mut tx.conn {
        Conn::Sqlite(conn) => {
            sqlx::query_as(claim_sql!("IN (SELECT value FROM json_each($3))", "", ""))
                .bind(us(lease_until))
                .bind(us(now))
                .bind(json_list(&lanes))
                .bind(limit)
                .fetch_all(&mut **conn)
                .await?
        }
        Conn::Postgres(conn) => {
            sqlx::query_as(claim_sql!("= ANY($3)", "", "FOR UPDATE OF waiting SKIP LOCKED"))
                .bind(us(lease_until))
                .bind(us(now))
                .bind(lanes)
                .bind(limit)
                .fetch_all(&mut **conn)
                .await?
        }
    };
    sound(tx, rows).await
}

/// As [`claim`], but only effects of these incidents, whose rows must be locked, and of none: so that nobody who has an
/// incident waits for its effects while we wait for the incident.
pub async fn claim_among(
    tx: &mut Tx,
    now: DateTime<Utc>,
    lanes: &[Lane],
    limit: u32,
    lease_until: DateTime<Utc>,
    incidents: &[IncidentId],
) -> Result<Vec<Claimed>, Error> {
    let lanes: Vec<i64> = lanes.iter().copied().map(lane_number).collect();
    let incidents: Vec<i64> = incidents.iter().map(|incident| incident.0).collect();
    let limit = i64::from(limit);
    let rows: Vec<Row> = match &mut tx.conn {
        Conn::Sqlite(conn) => {
            sqlx::query_as(claim_sql!(
                "IN (SELECT value FROM json_each($3))",
                " AND (waiting.incident_id IN (SELECT value FROM json_each($5)) OR waiting.incident_id IS NULL) ",
                ""
            ))
            .bind(us(lease_until))
            .bind(us(now))
            .bind(json_list(&lanes))
            .bind(limit)
            .bind(json_list(&incidents))
            .fetch_all(&mut **conn)
            .await?
        }
        Conn::Postgres(conn) => {
            sqlx::query_as(claim_sql!(
                "= ANY($3)",
                " AND (waiting.incident_id = ANY($5) OR waiting.incident_id IS NULL) ",
                "FOR UPDATE OF waiting SKIP LOCKED"
            ))
            .bind(us(lease_until))
            .bind(us(now))
            .bind(lanes)
            .bind(limit)
            .bind(incidents)
            .fetch_all(&mut **conn)
            .await?
        }
    };
    sound(tx, rows).await
}

/// The incidents whose effects a claim would take now, without taking or locking anything.
pub async fn ready(tx: &mut Tx, now: DateTime<Utc>, lanes: &[Lane], limit: u32) -> Result<Vec<IncidentId>, Error> {
    let lanes: Vec<i64> = lanes.iter().copied().map(lane_number).collect();
    let rows: Vec<(Option<i64>,)> = fetch_in!(
        tx,
        (Option<i64>,),
        "SELECT waiting.incident_id FROM outbox AS waiting WHERE waiting.lane",
        &lanes,
        concat!(
            "AND waiting.state <> 'dead' AND waiting.ready_at <= $2 AND ",
            in_turn_sql!(),
            " ORDER BY waiting.lane, waiting.id LIMIT $3"
        ),
        us(now),
        i64::from(limit),
    )?;
    let distinct: std::collections::BTreeSet<i64> = rows.into_iter().filter_map(|(incident,)| incident).collect();
    Ok(distinct.into_iter().map(IncidentId).collect())
}

/// The effects in claimed rows, the best lane and the oldest first. What cannot be read, such as an effect of a newer
/// version, is set aside, so that it does not hold up the others.
async fn sound(tx: &mut Tx, mut rows: Vec<Row>) -> Result<Vec<Claimed>, Error> {
    rows.sort_by_key(|row| (row.lane, row.id));
    let mut claimed = Vec::with_capacity(rows.len());
    for row in rows {
        let (id, attempt) = (EffectId(row.id), row.attempt);
        match row.claimed() {
            Ok(effect) => claimed.push(effect),
            Err(error) => {
                tracing::error!(%error, "an effect was set aside");
                give_up(tx, id, attempt_number(id.0, attempt).unwrap_or_default(), &error.to_string()).await?;
            }
        }
    }
    Ok(claimed)
}

/// Takes effects out whose attempt succeeded; for each whether it was still the caller's.
pub async fn finish(tx: &mut Tx, attempts: &[(EffectId, u32)]) -> Result<Vec<bool>, Error> {
    let ours = held(tx, attempts).await?;
    let list: Vec<i64> = attempts.iter().zip(&ours).filter(|(_, ours)| **ours).map(|((id, _), _)| id.0).collect();
    if !list.is_empty() {
        execute_in!(tx, "DELETE FROM outbox WHERE id", &list, "")?;
    }
    // The slot may be taken again.
    tx.wakes |= !list.is_empty();
    Ok(ours)
}

/// Which of these attempts are still under way, locked until the transaction ends.
async fn held(tx: &mut Tx, attempts: &[(EffectId, u32)]) -> Result<Vec<bool>, Error> {
    let list: Vec<i64> = attempts.iter().map(|(id, _)| id.0).collect();
    if list.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<(i64, i64)> = match tx.engine() {
        Engine::Sqlite => {
            fetch_in!(tx, (i64, i64), "SELECT id, attempt FROM outbox WHERE id", &list, "AND state = 'sending'")?
        }
        Engine::Postgres => fetch_in!(
            tx,
            (i64, i64),
            "SELECT id, attempt FROM outbox WHERE id",
            &list,
            "AND state = 'sending' ORDER BY id FOR UPDATE",
        )?,
    };
    let now: BTreeMap<i64, i64> = rows.into_iter().collect();
    if planted::active(Bug::NoFence) {
        return Ok(attempts.iter().map(|(id, _)| now.contains_key(&id.0)).collect());
    }
    Ok(attempts.iter().map(|(id, attempt)| now.get(&id.0) == Some(&i64::from(*attempt))).collect())
}

/// Lets an effect wait again; false if the attempt is no longer the caller's. If its slot has been put in anew
/// meanwhile, the two become one, which keeps this one's age and attempts.
pub async fn retry(tx: &mut Tx, again: &Again) -> Result<bool, Error> {
    execute!(
        tx,
        "DELETE FROM outbox WHERE state = 'pending' AND slot IS NOT NULL AND (incident_id, slot) = (
            SELECT incident_id, slot FROM outbox WHERE id = $1 AND attempt = $2 AND state = 'sending'
         )",
        again.id.0,
        i64::from(again.attempt),
    )?;
    let touched = execute!(
        tx,
        "UPDATE outbox SET state = 'pending', ready_at = $1, error = $2, uncertain = (uncertain OR $3)
         WHERE id = $4 AND attempt = $5 AND state = 'sending'",
        us(again.not_before),
        clean(&again.error),
        again.uncertain,
        again.id.0,
        i64::from(again.attempt),
    )?;
    tx.wakes |= touched > 0;
    Ok(touched > 0)
}

/// Keeps an effect that will never succeed aside, for people to see; false if the attempt is no longer the caller's.
pub async fn give_up(tx: &mut Tx, id: EffectId, attempt: u32, error: &str) -> Result<bool, Error> {
    let touched = execute!(
        tx,
        "UPDATE outbox SET state = 'dead', error = $1 WHERE id = $2 AND attempt = $3 AND state = 'sending'",
        clean(error),
        id.0,
        i64::from(attempt),
    )?;
    tx.wakes |= touched > 0;
    Ok(touched > 0)
}

/// Takes waiting effects out; those under way are left to their worker. How many were taken out.
pub async fn drop_unwanted(tx: &mut Tx, ids: &[EffectId]) -> Result<u64, Error> {
    let list: Vec<i64> = ids.iter().map(|id| id.0).collect();
    if list.is_empty() {
        return Ok(0);
    }
    execute_in!(tx, "DELETE FROM outbox WHERE id", &list, "AND state = 'pending'")
}

/// The effects of these incidents that wait and are not being performed, oldest first.
pub async fn pending_of(tx: &mut Tx, incidents: &[IncidentId]) -> Result<Vec<(EffectId, IncidentId, Effect)>, Error> {
    let list: Vec<i64> = incidents.iter().map(|incident| incident.0).collect();
    let rows: Vec<(i64, i64, String)> = fetch_in!(
        tx,
        (i64, i64, String),
        "SELECT id, incident_id, effect FROM outbox WHERE incident_id",
        &list,
        "AND state = 'pending' ORDER BY id",
    )?;
    rows.into_iter()
        .map(|(id, incident, effect)| Ok((EffectId(id), IncidentId(incident), from_json("outbox", id, &effect)?)))
        .collect()
}

/// The first instant after `now` at which a waiting effect becomes ready or a lease ends.
pub async fn next_wake(tx: &mut Tx, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, Error> {
    let row: Option<(i64,)> = fetch_optional!(
        tx,
        (i64,),
        "SELECT ready_at FROM outbox WHERE state <> 'dead' AND ready_at > $1 ORDER BY ready_at LIMIT 1",
        us(now),
    )?;
    row.map(|(at,)| instant("outbox", "next", at)).transpose()
}

/// How full each lane is; empty lanes are left out.
pub async fn depth(tx: &mut Tx) -> Result<BTreeMap<Lane, Depth>, Error> {
    let rows: Vec<(i64, String, i64, i64)> = fetch_all!(
        tx,
        (i64, String, i64, i64),
        "SELECT lane, state, count(*), min(created_at) FROM outbox GROUP BY lane, state",
    )?;
    let mut lanes: BTreeMap<Lane, Depth> = BTreeMap::new();
    for (number, state, count, oldest) in rows {
        let lane = Lane::ALL.into_iter().find(|lane| lane_number(*lane) == number);
        let lane =
            lane.ok_or_else(|| Error::damaged("outbox", state.as_str(), format!("there is no lane {number}")))?;
        let depth = lanes.entry(lane).or_default();
        let count = count.unsigned_abs();
        if state == "dead" {
            depth.dead = count;
            continue;
        }
        if state == "sending" {
            depth.sending = count;
        } else {
            depth.pending = count;
        }
        let oldest = instant("outbox", "oldest", oldest)?;
        depth.oldest_at = Some(depth.oldest_at.map_or(oldest, |at| at.min(oldest)));
    }
    Ok(lanes)
}

/// The newest effects that were given up.
pub async fn dead(tx: &mut Tx, limit: u32) -> Result<Vec<Dead>, Error> {
    #[derive(sqlx::FromRow)]
    struct DeadRow {
        id: i64,
        workspace: String,
        incident_id: Option<i64>,
        effect: String,
        attempt: i64,
        error: Option<String>,
        created_at: i64,
    }
    let rows: Vec<DeadRow> = fetch_all!(
        tx,
        DeadRow,
        "SELECT id, workspace, incident_id, effect, attempt, error, created_at FROM outbox
         WHERE state = 'dead' ORDER BY id DESC LIMIT $1",
        i64::from(limit),
    )?;
    let dead = |row: DeadRow| {
        Ok(Dead {
            id: EffectId(row.id),
            workspace: WorkspaceId(row.workspace),
            incident: row.incident_id.map(IncidentId),
            effect: from_json("outbox", row.id, &row.effect)?,
            attempt: attempt_number(row.id, row.attempt)?,
            error: row.error.unwrap_or_default(),
            created_at: instant("outbox", row.id, row.created_at)?,
        })
    };
    rows.into_iter().map(dead).collect()
}

/// Forgets up to `limit` effects that were given up and put in before `at`. How many there were.
pub async fn forget_dead_before(tx: &mut Tx, at: DateTime<Utc>, limit: u32) -> Result<u64, Error> {
    execute!(
        tx,
        "DELETE FROM outbox WHERE id IN (
            SELECT id FROM outbox WHERE state = 'dead' AND created_at < $1 ORDER BY id LIMIT $2
         )",
        us(at),
        i64::from(limit),
    )
}
