//! Rows of all tables in which a word occurs, such as the id of a person: to be shown, and to be written anew without it.
//!
//! Looking is coarse, without regard to case; whoever asks looks at what was found again.

use super::tx::{execute, fetch_all, json_list, to_json};
use super::{Engine, Error, Tx, history};
use crate::domain::roster::UserGroup;
use crate::ids::{IncidentId, Seq, WorkspaceId};
use crate::store::outbox::EffectId;

/// An answer that was given to a delivery.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Delivery {
    pub key: String,
    /// Microseconds since 1970.
    pub received_at: i64,
    pub answer: String,
}

/// Something that is to be done, is being done or was given up.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Waiting {
    pub id: i64,
    pub incident_id: Option<i64>,
    pub slot: Option<String>,
    pub effect: String,
    /// `pending`, `sending` or `dead`.
    pub state: String,
    /// Microseconds since 1970.
    pub created_at: i64,
    pub error: Option<String>,
}

/// A pattern for `LIKE` in JSON: the word as it stands there, with no sign of its own meaning.
fn pattern(word: &str) -> String {
    let quoted = json_list(&[word]);
    let inside = quoted.strip_prefix("[\"").and_then(|rest| rest.strip_suffix("\"]")).expect("a list of one text");
    let mut pattern = String::from("%");
    for letter in inside.chars() {
        if matches!(letter, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

/// The statement with what compares without regard to case, on either database.
macro_rules! alike {
    ($tx:expr, $sql:literal) => {
        match $tx.engine() {
            Engine::Sqlite => sqlx::AssertSqlSafe($sql.replace("ALIKE", "LIKE")),
            Engine::Postgres => sqlx::AssertSqlSafe($sql.replace("ALIKE", "ILIKE")),
        }
    };
}

/// Numbers and ids of the incidents whose state, history or waiting effects may say this word, oldest first.
pub async fn incidents(tx: &mut Tx, workspace: &WorkspaceId, word: &str) -> Result<Vec<(i64, IncidentId)>, Error> {
    let like = pattern(word);
    let sql = alike!(
        tx,
        "SELECT number, id FROM incidents WHERE workspace = $1 AND (state ALIKE $2 ESCAPE '!' OR id IN (
            SELECT incident_id FROM history WHERE payload ALIKE $3 ESCAPE '!'
            UNION SELECT incident_id FROM substitutes WHERE payload ALIKE $4 ESCAPE '!'
            UNION SELECT incident_id FROM outbox WHERE incident_id IS NOT NULL
                AND (effect ALIKE $5 ESCAPE '!' OR error ALIKE $6 ESCAPE '!')
         )) ORDER BY number"
    );
    let rows: Vec<(i64, i64)> = fetch_all!(
        tx,
        (i64, i64),
        sql,
        workspace.as_str(),
        like.as_str(),
        like.as_str(),
        like.as_str(),
        like.as_str(),
        like.as_str(),
    )?;
    Ok(rows.into_iter().map(|(number, id)| (number, IncidentId(id))).collect())
}

/// The entries of an incident as they are read, as JSON; erased ones without a copy are left out.
pub async fn payloads(tx: &mut Tx, incident: IncidentId) -> Result<Vec<(Seq, String)>, Error> {
    let rows: Vec<(i64, String)> = fetch_all!(
        tx,
        (i64, String),
        "SELECT history.seq, coalesce(history.payload, substitutes.payload) FROM history
         LEFT JOIN substitutes ON substitutes.incident_id = history.incident_id AND substitutes.seq = history.seq
         WHERE history.incident_id = $1 AND coalesce(history.payload, substitutes.payload) IS NOT NULL
         ORDER BY history.seq",
        incident.0,
    )?;
    rows.into_iter().map(|(seq, payload)| Ok((history::number(incident, seq)?, payload))).collect()
}

/// What waits, is under way or was given up for an incident; of none, for no incident.
pub async fn waiting(
    tx: &mut Tx,
    workspace: &WorkspaceId,
    incident: Option<IncidentId>,
) -> Result<Vec<Waiting>, Error> {
    let sql = "SELECT id, incident_id, slot, effect, state, created_at, error FROM outbox
               WHERE workspace = $1 AND coalesce(incident_id, 0) = $2 ORDER BY id";
    fetch_all!(tx, Waiting, sql, workspace.as_str(), incident.map_or(0, |incident| incident.0))
}

/// Writes an effect anew.
pub async fn rewrite_waiting(tx: &mut Tx, waiting: &Waiting) -> Result<(), Error> {
    let (slot, effect, error) = (waiting.slot.as_deref(), waiting.effect.as_str(), waiting.error.as_deref());
    execute!(
        tx,
        "UPDATE outbox SET slot = $1, effect = $2, error = $3 WHERE id = $4",
        slot,
        effect,
        error,
        waiting.id
    )?;
    Ok(())
}

/// Takes an effect out.
pub async fn drop_waiting(tx: &mut Tx, id: EffectId) -> Result<(), Error> {
    execute!(tx, "DELETE FROM outbox WHERE id = $1", id.0)?;
    Ok(())
}

/// Writes another channel for the messages that were taken into an incident's timeline.
pub async fn rewrite_captures(tx: &mut Tx, incident: IncidentId, from: &str, to: &str) -> Result<(), Error> {
    execute!(tx, "UPDATE captures SET channel = $1 WHERE incident_id = $2 AND channel = $3", to, incident.0, from)?;
    Ok(())
}

/// Deliveries whose answer or key may say this word.
pub async fn deliveries(tx: &mut Tx, workspace: &WorkspaceId, word: &str) -> Result<Vec<Delivery>, Error> {
    let like = pattern(word);
    let sql = alike!(
        tx,
        "SELECT key, received_at, answer FROM inbox
         WHERE workspace = $1 AND (answer ALIKE $2 ESCAPE '!' OR key ALIKE $3 ESCAPE '!') ORDER BY received_at"
    );
    fetch_all!(tx, Delivery, sql, workspace.as_str(), like.as_str(), like.as_str())
}

/// Writes the answer to a delivery anew; nothing, if it was forgotten meanwhile.
pub async fn rewrite_answer(tx: &mut Tx, workspace: &WorkspaceId, key: &str, answer: &str) -> Result<(), Error> {
    let sql = "UPDATE inbox SET answer = $1 WHERE workspace = $2 AND key = $3";
    execute!(tx, sql, answer, workspace.as_str(), key)?;
    Ok(())
}

/// User groups that may hold this person, as they are stored, by id.
pub async fn groups(tx: &mut Tx, workspace: &WorkspaceId, user: &str) -> Result<Vec<(String, String)>, Error> {
    let like = pattern(user);
    let sql = alike!(
        tx,
        "SELECT group_id, user_group FROM user_groups WHERE workspace = $1 AND user_group ALIKE $2 ESCAPE '!' ORDER BY group_id"
    );
    fetch_all!(tx, (String, String), sql, workspace.as_str(), like.as_str())
}

/// Writes a user group anew, as old as it was.
pub async fn rewrite_group(tx: &mut Tx, workspace: &WorkspaceId, group: &UserGroup) -> Result<(), Error> {
    let sql = "UPDATE user_groups SET user_group = $1 WHERE workspace = $2 AND group_id = $3";
    execute!(tx, sql, to_json(group), workspace.as_str(), group.id.as_str())?;
    Ok(())
}

/// Forgets what Slack said of a person; whether there was anything.
pub async fn forget_person(tx: &mut Tx, workspace: &WorkspaceId, user: &str) -> Result<bool, Error> {
    let sql = "DELETE FROM people WHERE workspace = $1 AND user_id = $2";
    Ok(execute!(tx, sql, workspace.as_str(), user)? > 0)
}

/// Gives out the number of the next pseudonym, from 1. Others wait until the transaction ends.
pub async fn next_pseudonym(tx: &mut Tx, workspace: &WorkspaceId) -> Result<i64, Error> {
    let rows: Vec<(i64,)> = fetch_all!(
        tx,
        (i64,),
        "INSERT INTO counters (workspace, name, value) VALUES ($1, 'former_user', 1)
         ON CONFLICT (workspace, name) DO UPDATE SET value = counters.value + 1 RETURNING value",
        workspace.as_str(),
    )?;
    rows.first()
        .map(|(value,)| *value)
        .ok_or_else(|| Error::damaged("counters", "former_user", "the counter is missing"))
}

/// Removes a value of the installation.
pub async fn forget_setting(tx: &mut Tx, key: &str) -> Result<(), Error> {
    execute!(tx, "DELETE FROM settings WHERE key = $1", key)?;
    Ok(())
}
