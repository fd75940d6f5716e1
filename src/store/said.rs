//! What messages of ours read, as sums of what Slack last accepted, so that no edit says the same again.
//!
//! All of one incident's is read and written under its lock. A sum that is not here costs an edit; a wrong one would leave
//! a message wrong for ever. Hence nothing counts while an earlier edit of unknown outcome may still arrive.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use chrono::{DateTime, TimeDelta, Utc};

use super::tx::{Bulk, Conn, execute, insert, json_list, us};
use super::{Error, Tx};
use crate::ids::IncidentId;

/// How long an edit of unknown outcome may still arrive.
pub const DOUBTFUL_FOR: TimeDelta = TimeDelta::seconds(60);

/// A message of an incident, by the name that its effects give it ([`crate::domain::effect::Effect::surface`]).
pub type Surface = (IncidentId, String);

/// What is known of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    pub surface: Surface,
    /// Empty if nobody knows what it reads.
    pub sum: String,
    /// What was accepted before does not count.
    pub since: DateTime<Utc>,
}

impl Said {
    /// Slack accepted this just now.
    pub fn accepted(surface: Surface, sum: String, now: DateTime<Utc>) -> Self {
        Self { surface, sum, since: now }
    }

    /// Nobody knows what became of an attempt.
    pub fn doubtful(surface: Surface, now: DateTime<Utc>) -> Self {
        Self { surface, sum: String::new(), since: now + DOUBTFUL_FOR }
    }
}

static RECORD: LazyLock<Bulk> = LazyLock::new(|| {
    Bulk::new(
        "INSERT INTO said (incident_id, surface, sum, since)",
        4,
        "ON CONFLICT (incident_id, surface) DO UPDATE SET
            sum = CASE WHEN said.since > excluded.since THEN '' ELSE excluded.sum END,
            since = CASE WHEN said.since > excluded.since THEN said.since ELSE excluded.since END",
    )
});

/// Records what messages read, each surface once.
pub async fn record(tx: &mut Tx, said: &[Said]) -> Result<(), Error> {
    insert!(tx, RECORD, said, |said| [said.surface.0.0, said.surface.1.as_str(), said.sum.as_str(), us(said.since),])?;
    Ok(())
}

/// What is known of these messages; what nobody knows is left out.
pub async fn of(tx: &mut Tx, surfaces: &[Surface]) -> Result<BTreeMap<Surface, String>, Error> {
    if surfaces.is_empty() {
        return Ok(BTreeMap::new());
    }
    let asked: Vec<(i64, &str)> = surfaces.iter().map(|(incident, name)| (incident.0, name.as_str())).collect();
    let rows: Vec<(i64, String, String)> = match &mut tx.conn {
        Conn::Sqlite(conn) => {
            sqlx::query_as(
                "SELECT said.incident_id, said.surface, said.sum FROM json_each($1) AS asked CROSS JOIN said
                 ON said.incident_id = asked.value ->> 0 AND said.surface = asked.value ->> 1 WHERE said.sum <> ''",
            )
            .bind(json_list(&asked))
            .fetch_all(&mut **conn)
            .await?
        }
        Conn::Postgres(conn) => {
            let (incidents, names): (Vec<i64>, Vec<&str>) = asked.into_iter().unzip();
            sqlx::query_as(
                "SELECT said.incident_id, said.surface, said.sum FROM unnest($1, $2) AS asked (incident_id, surface)
                 JOIN said ON said.incident_id = asked.incident_id AND said.surface = asked.surface
                 WHERE said.sum <> ''",
            )
            .bind(incidents)
            .bind(names)
            .fetch_all(&mut **conn)
            .await?
        }
    };
    Ok(rows.into_iter().map(|(incident, name, sum)| ((IncidentId(incident), name), sum)).collect())
}

/// Forgets what the messages of an incident read. Each is edited once more at worst.
pub async fn forget(tx: &mut Tx, incident: IncidentId) -> Result<u64, Error> {
    execute!(tx, "DELETE FROM said WHERE incident_id = $1", incident.0)
}
