//! Gives out incident ids, counted over everything, and incident numbers, counted per workspace without a gap.

use super::tx::fetch_all;
use super::{Error, Tx};
use crate::ids::{IncidentId, WorkspaceId};

/// Gives out the next incident id and the workspace's next incident number, from 1. A transaction that is undone gives
/// them back. Others wait until it ends, so lock incidents before, never after.
pub async fn allocate(tx: &mut Tx, workspace: &WorkspaceId) -> Result<(IncidentId, i64), Error> {
    let given = allocate_many(tx, workspace, 1).await?;
    Ok(given[0])
}

/// Gives out `count` of them at once, in rising order.
pub async fn allocate_many(tx: &mut Tx, workspace: &WorkspaceId, count: u32) -> Result<Vec<(IncidentId, i64)>, Error> {
    let count = i64::from(count);
    let last: Vec<(String, i64)> = fetch_all!(
        tx,
        (String, i64),
        "INSERT INTO counters (workspace, name, value) VALUES ($1, 'incident_number', $2), ('', 'incident_id', $3)
         ON CONFLICT (workspace, name) DO UPDATE SET value = counters.value + excluded.value
         RETURNING name, value",
        workspace.as_str(),
        count,
        count,
    )?;
    let value = |wanted: &str| {
        let found = last.iter().find(|(name, _)| name == wanted).map(|(_, value)| *value);
        found.ok_or_else(|| Error::damaged("counters", wanted, "the counter is missing"))
    };
    let (id, number) = (value("incident_id")?, value("incident_number")?);
    Ok((1 - count..=0).map(|back| (IncidentId(id + back), number + back)).collect())
}
