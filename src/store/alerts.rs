//! Which incident an alert belongs to: at most one open per workspace, integration and dedup key.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use chrono::{DateTime, Utc};

use super::tx::{Bulk, Conn, clean, execute, fetch_all, insert, instant, json_list, us};
use super::{Error, Tx};
use crate::ids::{IncidentId, IntegrationKey, WorkspaceId};

/// An alert that fired.
#[derive(Clone, Debug)]
pub struct Fired {
    pub integration: IntegrationKey,
    pub dedup_key: String,
    pub incident: IncidentId,
    pub at: DateTime<Utc>,
}

/// An alert of an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    pub integration: IntegrationKey,
    pub dedup_key: String,
    pub open: bool,
    /// How often it fired.
    pub count: u64,
    pub last_at: DateTime<Utc>,
}

/// Where alerts belong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The incidents of those that fire.
    pub firing: HashMap<(IntegrationKey, String), IncidentId>,
    /// The newest open incidents of those that fired there and were cleared; they may fire elsewhere by now.
    pub cleared: HashMap<(IntegrationKey, String), IncidentId>,
}

/// The open incidents of these alerts.
pub async fn find(tx: &mut Tx, workspace: &WorkspaceId, keys: &[(IntegrationKey, String)]) -> Result<Found, Error> {
    if keys.is_empty() {
        return Ok(Found::default());
    }
    let cleaned: Vec<(&str, String)> =
        keys.iter().map(|(integration, key)| (integration.as_str(), clean(key))).collect();
    let rows: Vec<(String, String, i64, bool)> = match &mut tx.conn {
        Conn::Sqlite(conn) => {
            sqlx::query_as(
                "SELECT alerts.integration, alerts.dedup_key, alerts.incident_id, alerts.open
                 FROM json_each($1) AS asked CROSS JOIN alerts
                 ON alerts.workspace = $2 AND alerts.integration = asked.value ->> 0
                    AND alerts.dedup_key = asked.value ->> 1
                 CROSS JOIN incidents ON incidents.id = alerts.incident_id
                 WHERE alerts.open OR incidents.open ORDER BY alerts.incident_id",
            )
            .bind(json_list(&cleaned))
            .bind(workspace.as_str())
            .fetch_all(&mut **conn)
            .await?
        }
        Conn::Postgres(conn) => {
            let (integrations, keys): (Vec<&str>, Vec<String>) = cleaned.into_iter().unzip();
            sqlx::query_as(
                "SELECT alerts.integration, alerts.dedup_key, alerts.incident_id, alerts.open
                 FROM unnest($1, $2) AS asked (integration, dedup_key) JOIN alerts
                 ON alerts.workspace = $3 AND alerts.integration = asked.integration
                    AND alerts.dedup_key = asked.dedup_key
                 JOIN incidents ON incidents.id = alerts.incident_id
                 WHERE alerts.open OR incidents.open ORDER BY alerts.incident_id",
            )
            .bind(integrations)
            .bind(keys)
            .bind(workspace.as_str())
            .fetch_all(&mut **conn)
            .await?
        }
    };
    let mut found = Found::default();
    for (integration, key, incident, fires) in rows {
        let places = if fires { &mut found.firing } else { &mut found.cleared };
        places.insert((IntegrationKey(integration), key), IncidentId(incident));
    }
    Ok(found)
}

static UPSERT: LazyLock<Bulk> = LazyLock::new(|| {
    Bulk::new(
        "INSERT INTO alerts (workspace, integration, dedup_key, incident_id, open, count, last_at)",
        7,
        "ON CONFLICT (workspace, integration, dedup_key, incident_id) DO UPDATE SET
            open = excluded.open, count = alerts.count + excluded.count, last_at = excluded.last_at",
    )
});

/// Opens or repeats alerts of incidents. Fails as a unique violation if one is open in another incident: then undo
/// everything, and find that incident.
pub async fn upsert(tx: &mut Tx, workspace: &WorkspaceId, fired: &[Fired]) -> Result<(), Error> {
    // A statement may touch a row only once.
    let mut rows: BTreeMap<(&str, String, IncidentId), (i64, DateTime<Utc>)> = BTreeMap::new();
    for alert in fired {
        let key = (alert.integration.as_str(), clean(&alert.dedup_key), alert.incident);
        let (count, last_at) = rows.entry(key).or_insert((0, alert.at));
        *count += 1;
        *last_at = alert.at.max(*last_at);
    }
    let rows: Vec<_> = rows.into_iter().collect();
    insert!(tx, UPSERT, &rows, |row| [
        workspace.as_str(),
        row.0.0,
        row.0.1.as_str(),
        row.0.2.0,
        true,
        row.1.0,
        us(row.1.1),
    ])?;
    Ok(())
}

/// Closes one alert; the incident it was open in, if any.
pub async fn close(
    tx: &mut Tx,
    workspace: &WorkspaceId,
    integration: &IntegrationKey,
    dedup_key: &str,
) -> Result<Option<IncidentId>, Error> {
    let rows: Vec<(i64,)> = fetch_all!(
        tx,
        (i64,),
        "UPDATE alerts SET open = false WHERE workspace = $1 AND integration = $2 AND dedup_key = $3 AND open
         RETURNING incident_id",
        workspace.as_str(),
        integration.as_str(),
        clean(dedup_key),
    )?;
    Ok(rows.first().map(|(incident,)| IncidentId(*incident)))
}

/// Closes all alerts of an incident, so that the next of the same key opens a new one. How many were open.
pub async fn close_all_of(tx: &mut Tx, incident: IncidentId) -> Result<u64, Error> {
    execute!(tx, "UPDATE alerts SET open = false WHERE incident_id = $1 AND open", incident.0)
}

/// The alerts of an incident.
pub async fn of(tx: &mut Tx, incident: IncidentId) -> Result<Vec<Alert>, Error> {
    let rows: Vec<(String, String, bool, i64, i64)> = fetch_all!(
        tx,
        (String, String, bool, i64, i64),
        "SELECT integration, dedup_key, open, count, last_at FROM alerts WHERE incident_id = $1
         ORDER BY integration, dedup_key",
        incident.0,
    )?;
    let alert = |(integration, dedup_key, open, count, last_at): (String, String, bool, i64, i64)| {
        let last_at = instant("alerts", &dedup_key, last_at)?;
        Ok(Alert { integration: IntegrationKey(integration), dedup_key, open, count: count.unsigned_abs(), last_at })
    };
    rows.into_iter().map(alert).collect()
}
