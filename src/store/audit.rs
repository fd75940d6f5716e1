//! What the program asks about itself: what is overdue, what every call under way must have, how large everything is.
//!
//! Looks only at what is open, through indexes, so that it costs the same with ten incidents as with a hundred thousand.

use chrono::{DateTime, TimeDelta, Utc};

use super::tx::{execute, fetch_all, fetch_in, fetch_optional, from_json, instant, to_json, us};
use super::{Db, Error, Place, Tx, incidents};
use crate::domain::effect::{Effect, Lane};
use crate::domain::incident::Incident;
use crate::ids::IncidentId;

/// A page that is in the outbox and not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingPage {
    pub incident: IncidentId,
    pub effect: Effect,
    pub due_at: DateTime<Utc>,
    /// How often somebody has claimed it.
    pub attempt: i64,
}

type WaitingRow = (i64, i64, String, i64, i64);

fn waiting_page((id, incident, effect, due_at, attempt): WaitingRow) -> Option<WaitingPage> {
    Some(WaitingPage {
        incident: IncidentId(incident),
        effect: from_json("outbox", id, &effect).ok()?,
        due_at: instant("outbox", id, due_at).ok()?,
        attempt,
    })
}

/// The pages that are not done, the longest overdue first. What cannot be read is left out: the claim sets it aside.
pub async fn waiting_pages(tx: &mut Tx, limit: u32) -> Result<Vec<WaitingPage>, Error> {
    let rows: Vec<WaitingRow> = fetch_all!(
        tx,
        WaitingRow,
        "SELECT id, incident_id, effect, due_at, attempt FROM outbox
         WHERE lane = $1 AND state <> 'dead' AND incident_id IS NOT NULL AND due_at IS NOT NULL
         ORDER BY due_at, id LIMIT $2",
        Lane::Page as i64,
        i64::from(limit),
    )?;
    Ok(rows.into_iter().filter_map(waiting_page).collect())
}

/// As [`waiting_pages`], all those of these incidents.
pub async fn waiting_pages_of(tx: &mut Tx, incidents: &[IncidentId]) -> Result<Vec<WaitingPage>, Error> {
    let list: Vec<i64> = incidents.iter().map(|incident| incident.0).collect();
    let rows: Vec<WaitingRow> = fetch_in!(
        tx,
        WaitingRow,
        "SELECT id, incident_id, effect, due_at, attempt FROM outbox WHERE incident_id",
        &list,
        "AND lane = $2 AND state <> 'dead' AND due_at IS NOT NULL",
        Lane::Page as i64,
    )?;
    Ok(rows.into_iter().filter_map(waiting_page).collect())
}

/// Up to `limit` of the open incidents in which somebody is being called, was called in vain or waits to be called, the
/// oldest after `after` first, without those that are left to a newer program; and after which to go on, unless these were
/// the last.
pub async fn calling(
    tx: &mut Tx,
    after: Option<IncidentId>,
    limit: u32,
) -> Result<(Vec<Incident>, Option<IncidentId>), Error> {
    let rows: Vec<(i64, String)> = fetch_all!(
        tx,
        (i64, String),
        "SELECT id, state FROM incidents
         WHERE open AND (state LIKE '%\"phase\":\"active\"%' OR state LIKE '%\"phase\":\"exhausted\"%'
            OR state LIKE '%\"phase\":\"held\"%')
            AND id > $1
         ORDER BY id LIMIT $2",
        after.map_or(i64::MIN, |after| after.0),
        i64::from(limit),
    )?;
    let full = rows.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
    let last = rows.last().filter(|_| full).map(|(id, _)| IncidentId(*id));
    let read = rows.into_iter().map(|(id, state)| incidents::read(id, &state));
    Ok((read.filter_map(incidents::ours).collect::<Result<_, _>>()?, last))
}

/// The incidents that must be told of a clock that was set: all that have a timer, and the newest `limit` of the other
/// open ones.
pub async fn told_of_time(tx: &mut Tx, limit: u32) -> Result<Vec<IncidentId>, Error> {
    let timed: Vec<(i64,)> = fetch_all!(tx, (i64,), "SELECT DISTINCT incident_id FROM timers ORDER BY incident_id")?;
    let open: Vec<(i64,)> =
        fetch_all!(tx, (i64,), "SELECT id FROM incidents WHERE open ORDER BY number DESC LIMIT $1", i64::from(limit))?;
    let all: std::collections::BTreeSet<i64> = timed.into_iter().chain(open).map(|(id,)| id).collect();
    Ok(all.into_iter().map(IncidentId).collect())
}

/// Moves what effects wait for by `step`, after a clock that they were written by was set back by so much: `now` is what it
/// shows since. What was written since then is recognised by its time and left alone. How many were moved.
pub async fn follow_clock_back(tx: &mut Tx, now: DateTime<Utc>, step: TimeDelta) -> Result<u64, Error> {
    let step_us = step.num_microseconds().unwrap_or_default();
    execute!(
        tx,
        "UPDATE outbox SET ready_at = ready_at + $1, due_at = due_at + $2
         WHERE state <> 'dead' AND ready_at > $3",
        step_us,
        step_us,
        us(now) - step_us / 2,
    )
}

/// How far a test has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Passage {
    Through,
    Waiting,
    /// It was set aside: the reason.
    GivenUp(String),
}

/// How far this effect of no incident has come, which was sent as a test.
pub async fn passage(tx: &mut Tx, test: &Effect) -> Result<Passage, Error> {
    let effect = to_json(test);
    let row: Option<(String, Option<String>)> = fetch_optional!(
        tx,
        (String, Option<String>),
        "SELECT state, error FROM outbox WHERE lane = $1 AND state <> 'dead' AND incident_id IS NULL AND effect = $2
         UNION ALL
         SELECT state, error FROM outbox WHERE state = 'dead' AND incident_id IS NULL AND effect = $3",
        Lane::Page as i64,
        effect.as_str(),
        effect.as_str(),
    )?;
    Ok(match row {
        None => Passage::Through,
        Some((state, error)) if state == "dead" => Passage::GivenUp(error.unwrap_or_default()),
        Some(_) => Passage::Waiting,
    })
}

/// Takes a test out that is not under way.
pub async fn drop_test(tx: &mut Tx, test: &Effect) -> Result<u64, Error> {
    execute!(
        tx,
        "DELETE FROM outbox WHERE lane = $1 AND state <> 'sending' AND incident_id IS NULL AND effect = $2",
        Lane::Page as i64,
        to_json(test),
    )
}

/// How much room the data takes and has, bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    pub database: u64,
    pub log: u64,
    pub free: u64,
}

/// Free space for this user where `path` is; `None` where the system does not say.
pub fn disk_free(path: &std::path::Path) -> Option<u64> {
    let folder = path.parent().filter(|folder| *folder != std::path::Path::new(""));
    let space = rustix::fs::statvfs(folder.unwrap_or(std::path::Path::new("."))).ok()?;
    Some(space.f_bavail.saturating_mul(space.f_frsize))
}

impl Db {
    /// How large a SQLite file is and how much room there is beside it; `None` for PostgreSQL, whose disk is its own.
    pub fn sizes(&self) -> Option<Sizes> {
        match &self.place {
            Place::Sqlite(files) => {
                let path = files.path();
                let mut log = path.as_os_str().to_owned();
                log.push("-wal");
                let bytes = |path: &std::path::Path| std::fs::metadata(path).map_or(0, |file| file.len());
                let free = disk_free(path).unwrap_or_default();
                Some(Sizes { database: bytes(path), log: bytes(std::path::Path::new(&log)), free })
            }
            Place::Postgres(_) => None,
        }
    }

    /// What the database is, such as `SQLite 3.51.3`.
    pub async fn version(&self) -> Result<String, Error> {
        let mut tx = self.read().await?;
        let (name, sql) = match tx.engine() {
            super::Engine::Sqlite => ("SQLite", "SELECT sqlite_version()"),
            super::Engine::Postgres => ("PostgreSQL", "SELECT current_setting('server_version')"),
        };
        let row: Option<(String,)> = fetch_optional!(tx, (String,), sql)?;
        Ok(format!("{name} {}", row.map(|(version,)| version).unwrap_or_default()))
    }
}
