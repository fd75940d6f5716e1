//! Which incidents alerts have opened of late, by the team that they call: so many within a minute begin a storm.

use chrono::{DateTime, TimeDelta, Utc};

use super::tx::{execute, fetch_optional, us};
use super::{Error, Tx};
use crate::domain::storm::WINDOW_S;
use crate::ids::{IncidentId, TeamKey, WorkspaceId};

/// An alert that calls no team.
const NO_TEAM: &str = "";

/// Notes that an alert has opened this incident.
pub async fn note(
    tx: &mut Tx,
    workspace: &WorkspaceId,
    team: Option<&TeamKey>,
    incident: IncidentId,
    at: DateTime<Utc>,
) -> Result<(), Error> {
    execute!(
        tx,
        "INSERT INTO openings (workspace, team, opened_at, incident_id) VALUES ($1, $2, $3, $4)",
        workspace.as_str(),
        team.map_or(NO_TEAM, TeamKey::as_str),
        us(at),
        incident.0,
    )?;
    Ok(())
}

/// How many incidents alerts have opened for the team within the window before `now`. Those of the future are from before
/// the clock was set back, and count for nothing.
pub async fn recent(
    tx: &mut Tx,
    workspace: &WorkspaceId,
    team: Option<&TeamKey>,
    now: DateTime<Utc>,
) -> Result<u32, Error> {
    let row: Option<(i64,)> = fetch_optional!(
        tx,
        (i64,),
        "SELECT count(*) FROM openings WHERE workspace = $1 AND team = $2 AND opened_at > $3 AND opened_at <= $4",
        workspace.as_str(),
        team.map_or(NO_TEAM, TeamKey::as_str),
        us(now - TimeDelta::seconds(WINDOW_S)),
        us(now),
    )?;
    Ok(row.map_or(0, |(count,)| u32::try_from(count).unwrap_or(u32::MAX)))
}

/// Forgets those from before `at`. How many there were.
pub async fn forget_before(tx: &mut Tx, at: DateTime<Utc>) -> Result<u64, Error> {
    execute!(tx, "DELETE FROM openings WHERE opened_at < $1", us(at))
}
