//! What a batch of commands reads before it decides, in as few steps as the database allows.

use super::inbox::{self, Answers};
use super::incidents::{self, Stored};
use super::tx::{Conn, clean, json_list};
use super::{Error, Tx};
use crate::ids::{IncidentId, WorkspaceId};

/// The answers to those of these deliveries that were handled before, and these incidents, locked until the transaction
/// ends as by [`incidents::lock_each`].
pub async fn read(
    tx: &mut Tx,
    keys: &[(WorkspaceId, String)],
    ids: &[IncidentId],
) -> Result<(Answers, Vec<(IncidentId, Result<Stored, Error>)>), Error> {
    if keys.is_empty() || ids.is_empty() || matches!(tx.conn, Conn::Postgres(_)) {
        return Ok((inbox::answers(tx, keys).await?, incidents::lock_each(tx, ids).await?));
    }
    let Conn::Sqlite(conn) = &mut tx.conn else { unreachable!("PostgreSQL has its answer above") };
    // One statement, because each costs two changes between SQLite's thread and ours; and for one command, for which somebody
    // waits, without the lists that take SQLite longer than everything else about it.
    let rows: Vec<(Option<i64>, String, String, String)> = if let ([(workspace, key)], [id]) = (keys, ids) {
        sqlx::query_as(
            "SELECT NULL, workspace, key, answer FROM inbox WHERE workspace = $1 AND key = $2
             UNION ALL
             SELECT id, '', head, state FROM incidents WHERE id = $3",
        )
        .bind(workspace.as_str())
        .bind(clean(key))
        .bind(id.0)
        .fetch_all(&mut **conn)
        .await?
    } else {
        let keys: Vec<(&str, String)> = keys.iter().map(|(workspace, key)| (workspace.as_str(), clean(key))).collect();
        let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
        sqlx::query_as(
            "SELECT NULL, inbox.workspace, inbox.key, inbox.answer FROM json_each($1) AS asked CROSS JOIN inbox
                ON inbox.workspace = asked.value ->> 0 AND inbox.key = asked.value ->> 1
             UNION ALL
             SELECT id, '', head, state FROM incidents WHERE id IN (SELECT value FROM json_each($2))",
        )
        .bind(json_list(&keys))
        .bind(json_list(&ids))
        .fetch_all(&mut **conn)
        .await?
    };
    let (mut answers, mut incidents) = (Answers::new(), Vec::new());
    for (id, workspace, key, json) in rows {
        match id {
            Some(id) => incidents.push((IncidentId(id), incidents::stored((id, json, key)))),
            None => answers.extend([inbox::answered((workspace, key, json))?]),
        }
    }
    Ok((answers, incidents))
}
