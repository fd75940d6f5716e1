//! Deliveries that were handled, with their answers: a delivery that comes again gets the first answer again.

use std::collections::HashMap;
use std::sync::LazyLock;

use chrono::{DateTime, Utc};

use super::tx::{Bulk, Conn, clean, execute, from_json, insert, json_list, to_json, us};
use super::{Engine, Error, Tx};
use crate::domain::answer::Answer;
use crate::ids::WorkspaceId;

/// A delivery and what was answered.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub workspace: WorkspaceId,
    /// What is the same when the sender repeats itself.
    pub key: String,
    pub received_at: DateTime<Utc>,
    pub answer: Answer,
}

/// What was answered to which delivery of which workspace.
pub type Answers = HashMap<(WorkspaceId, String), Answer>;

/// The answers to those of these deliveries that were handled before.
pub async fn answers(tx: &mut Tx, keys: &[(WorkspaceId, String)]) -> Result<Answers, Error> {
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let cleaned: Vec<(&str, String)> = keys.iter().map(|(workspace, key)| (workspace.as_str(), clean(key))).collect();
    let rows: Vec<(String, String, String)> = match &mut tx.conn {
        Conn::Sqlite(conn) => {
            sqlx::query_as(
                "SELECT inbox.workspace, inbox.key, inbox.answer FROM json_each($1) AS asked CROSS JOIN inbox
                 ON inbox.workspace = asked.value ->> 0 AND inbox.key = asked.value ->> 1",
            )
            .bind(json_list(&cleaned))
            .fetch_all(&mut **conn)
            .await?
        }
        Conn::Postgres(conn) => {
            let (workspaces, keys): (Vec<&str>, Vec<String>) = cleaned.into_iter().unzip();
            sqlx::query_as(
                "SELECT inbox.workspace, inbox.key, inbox.answer FROM unnest($1, $2) AS asked (workspace, key)
                 JOIN inbox ON inbox.workspace = asked.workspace AND inbox.key = asked.key",
            )
            .bind(workspaces)
            .bind(keys)
            .fetch_all(&mut **conn)
            .await?
        }
    };
    rows.into_iter().map(answered).collect()
}

pub(super) fn answered(
    (workspace, key, answer): (String, String, String),
) -> Result<((WorkspaceId, String), Answer), Error> {
    let answer = from_json("inbox", &key, &answer)?;
    Ok(((WorkspaceId(workspace), key), answer))
}

static REMEMBER: LazyLock<Bulk> =
    LazyLock::new(|| Bulk::new("INSERT INTO inbox (workspace, key, received_at, answer)", 4, ""));

/// Remembers answers. Fails as a unique violation if one of the deliveries was handled meanwhile by somebody else: then
/// undo everything, and look for its answer.
pub async fn remember(tx: &mut Tx, deliveries: &[Delivery]) -> Result<(), Error> {
    insert!(tx, REMEMBER, deliveries, |delivery| [
        delivery.workspace.as_str(),
        clean(&delivery.key),
        us(delivery.received_at),
        to_json(&delivery.answer),
    ])?;
    Ok(())
}

/// Forgets up to `limit` deliveries that came before `at`, oldest first. How many there were.
pub async fn forget_before(tx: &mut Tx, at: DateTime<Utc>, limit: u32) -> Result<u64, Error> {
    match tx.engine() {
        // Rows lie there in the order in which they came.
        Engine::Sqlite => execute!(
            tx,
            "DELETE FROM inbox WHERE rowid IN (
                SELECT oldest.row FROM (SELECT rowid AS row, received_at FROM inbox ORDER BY rowid LIMIT $2) AS oldest
                WHERE oldest.received_at < $1
             )",
            us(at),
            i64::from(limit),
        ),
        Engine::Postgres => execute!(
            tx,
            "DELETE FROM inbox WHERE (workspace, key) IN (
                SELECT workspace, key FROM inbox WHERE received_at < $1 ORDER BY received_at LIMIT $2
             )",
            us(at),
            i64::from(limit),
        ),
    }
}
