//! What is due when. Timers are a projection of the state: each command replaces the set of its incident.

use std::sync::LazyLock;

use chrono::{DateTime, Utc};

use super::tx::{Bulk, clean, execute_in, fetch_all, fetch_optional, from_json, insert, instant, to_json, us};
use super::{Error, Tx};
use crate::domain::command::Timer;
use crate::ids::{IncidentId, WorkspaceId};

/// All timers that an incident must have; none stops them.
#[derive(Clone, Debug)]
pub struct TimerSet {
    pub workspace: WorkspaceId,
    pub incident: IncidentId,
    /// At most one of a kind per escalation or page; of several the last counts.
    pub timers: Vec<(Timer, DateTime<Utc>)>,
}

/// A timer whose time has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    pub workspace: WorkspaceId,
    pub incident: IncidentId,
    pub timer: Timer,
    pub due_at: DateTime<Utc>,
}

/// What a timer is called within its incident: a newer generation takes the place of an older one.
fn name(timer: &Timer) -> String {
    match timer {
        Timer::TierDue { escalation, .. } => format!("tier:{}", escalation.0),
        Timer::AcknowledgementLapses { escalation, .. } => format!("acknowledgement:{}", escalation.0),
        Timer::PageOverdue { page } => format!("page:{}", page.0),
        Timer::RepetitionsCounted { integration, dedup_key } => clean(&format!("alert:{integration}:{dedup_key}")),
        Timer::StormQuiet => "storm".to_owned(),
    }
}

static INSERT: LazyLock<Bulk> = LazyLock::new(|| {
    Bulk::new(
        "INSERT INTO timers (incident_id, name, workspace, timer, due_at)",
        5,
        "ON CONFLICT (incident_id, name) DO UPDATE SET timer = excluded.timer, due_at = excluded.due_at",
    )
});

/// Replaces all timers of each incident given, whose row must be locked; give each once. The others keep theirs.
pub async fn replace(tx: &mut Tx, sets: &[TimerSet]) -> Result<(), Error> {
    let incidents: Vec<i64> = sets.iter().map(|set| set.incident.0).collect();
    if incidents.is_empty() {
        return Ok(());
    }
    execute_in!(tx, "DELETE FROM timers WHERE incident_id", &incidents, "")?;
    // One row per name, or PostgreSQL refuses the statement.
    let mut rows = std::collections::BTreeMap::new();
    for set in sets {
        for (timer, due_at) in &set.timers {
            rows.insert((set.incident, name(timer)), (&set.workspace, timer, *due_at));
        }
    }
    let rows: Vec<_> = rows.into_iter().collect();
    let touched = insert!(tx, INSERT, &rows, |row| [
        row.0.0.0,
        row.0.1.as_str(),
        row.1.0.as_str(),
        to_json(row.1.1),
        us(row.1.2),
    ])?;
    tx.wakes |= touched > 0;
    Ok(())
}

/// The timers that are due at `now`, oldest first. They stay until their incident replaces them. One that cannot be read
/// is left out and logged, so that it does not hold up the others.
pub async fn due(tx: &mut Tx, now: DateTime<Utc>, limit: u32) -> Result<Vec<Due>, Error> {
    let rows: Vec<(String, i64, String, i64)> = fetch_all!(
        tx,
        (String, i64, String, i64),
        "SELECT workspace, incident_id, timer, due_at FROM timers WHERE due_at <= $1
         ORDER BY due_at, incident_id, name LIMIT $2",
        us(now),
        i64::from(limit),
    )?;
    let sound = |(workspace, incident, timer, due_at): (String, i64, String, i64)| {
        decode(workspace, incident, &timer, due_at)
            .inspect_err(|error| tracing::error!(%error, "a timer cannot fire"))
            .ok()
    };
    Ok(rows.into_iter().filter_map(sound).collect())
}

/// The timers of one incident, oldest first.
pub async fn of(tx: &mut Tx, incident: IncidentId) -> Result<Vec<Due>, Error> {
    let rows: Vec<(String, i64, String, i64)> = fetch_all!(
        tx,
        (String, i64, String, i64),
        "SELECT workspace, incident_id, timer, due_at FROM timers WHERE incident_id = $1 ORDER BY due_at, name",
        incident.0,
    )?;
    rows.into_iter().map(|(workspace, incident, timer, due_at)| decode(workspace, incident, &timer, due_at)).collect()
}

fn decode(workspace: String, incident: i64, timer: &str, due_at: i64) -> Result<Due, Error> {
    Ok(Due {
        workspace: WorkspaceId(workspace),
        incident: IncidentId(incident),
        timer: from_json("timers", incident, timer)?,
        due_at: instant("timers", incident, due_at)?,
    })
}

/// When the next timer is due, past instants included.
pub async fn next_due(tx: &mut Tx) -> Result<Option<DateTime<Utc>>, Error> {
    let row: Option<(i64,)> = fetch_optional!(tx, (i64,), "SELECT due_at FROM timers ORDER BY due_at LIMIT 1")?;
    row.map(|(due_at,)| instant("timers", "next", due_at)).transpose()
}

/// How many timers there are.
pub async fn count(tx: &mut Tx) -> Result<u64, Error> {
    let row: Option<(i64,)> = fetch_optional!(tx, (i64,), "SELECT count(*) FROM timers")?;
    Ok(row.map_or(0, |(count,)| count.unsigned_abs()))
}
