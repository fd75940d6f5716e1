//! Slack messages that were taken into timelines, so that their edits and deletion can be followed.

use std::sync::LazyLock;

use super::tx::{Bulk, clean, fetch_all, insert};
use super::{Error, Tx};
use crate::ids::{IncidentId, MessageRef, Seq, WorkspaceId};

/// A message and the entry it became.
#[derive(Clone, Debug)]
pub struct Capture {
    pub workspace: WorkspaceId,
    pub message: MessageRef,
    pub incident: IncidentId,
    pub seq: Seq,
}

static RECORD: LazyLock<Bulk> = LazyLock::new(|| {
    Bulk::new("INSERT INTO captures (workspace, channel, ts, incident_id, seq)", 5, "ON CONFLICT DO NOTHING")
});

/// Records which entries messages became; what is recorded already stays.
pub async fn record(tx: &mut Tx, captures: &[Capture]) -> Result<(), Error> {
    insert!(tx, RECORD, captures, |capture| [
        capture.workspace.as_str(),
        clean(capture.message.channel.as_str()),
        clean(capture.message.ts.as_str()),
        capture.incident.0,
        i64::from(capture.seq),
    ])?;
    Ok(())
}

/// The entries that a message became, oldest first.
pub async fn find(tx: &mut Tx, workspace: &WorkspaceId, message: &MessageRef) -> Result<Vec<(IncidentId, Seq)>, Error> {
    let rows: Vec<(i64, i64)> = fetch_all!(
        tx,
        (i64, i64),
        "SELECT incident_id, seq FROM captures WHERE workspace = $1 AND channel = $2 AND ts = $3
         ORDER BY incident_id, seq",
        workspace.as_str(),
        clean(message.channel.as_str()),
        clean(message.ts.as_str()),
    )?;
    rows.into_iter()
        .map(|(incident, seq)| {
            let seq = Seq::try_from(seq)
                .map_err(|_| Error::damaged("captures", incident, format!("{seq} is no number of an entry")))?;
            Ok((IncidentId(incident), seq))
        })
        .collect()
}
