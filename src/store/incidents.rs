//! One row per incident: what its history adds up to, the end of its hash chain, and the columns that lists ask for.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use chrono::{DateTime, Utc};

use super::tx::{Bulk, Conn, clean, fetch_all, fetch_in, fetch_optional, from_json, insert, json_list, to_json, us};
use super::{Error, Tx};
use crate::domain::engine::{ENGINE, Mark};
use crate::domain::incident::Incident;
use crate::ids::{ChannelId, IncidentId, WorkspaceId};

/// An incident as it is to be stored.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    pub incident: &'a Incident,
    /// The hash of its last event.
    pub head: &'a str,
    pub updated_at: DateTime<Utc>,
    /// It is stored already, and since then neither was it closed or opened again nor has it got another channel: then its
    /// places in the indexes stay as they are.
    pub keeps_its_places: bool,
}

/// An incident as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    pub incident: Incident,
    /// The hash of its last event.
    pub head: String,
}

/// Which incidents a list shows.
#[derive(Clone, Debug)]
pub struct Filter {
    pub open_only: bool,
    /// Without this, private incidents do not exist.
    pub include_private: bool,
    /// Words that must occur in this order in number, title, teams, service, impact or cause, in any case.
    pub text: Option<String>,
    /// At most this many, newest number first; capped at [`LIST_MAX`].
    pub limit: u32,
    /// Only those with a smaller number: the next page.
    pub before: Option<i64>,
}

/// The longest list.
pub const LIST_MAX: u32 = 500;

/// A page of a list.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    /// Newest number first, without those that are left to a newer program.
    pub incidents: Vec<Incident>,
    /// [`Filter::before`] of the next page, unless this is the last.
    pub next: Option<i64>,
}

impl Default for Filter {
    fn default() -> Self {
        Self { open_only: false, include_private: false, text: None, limit: 50, before: None }
    }
}

/// The statement that saves incidents; `$moves` sets the columns whose change costs a change of the indexes.
macro_rules! save_sql {
    ($moves:literal) => {
        LazyLock::new(|| {
            Bulk::new(
                "INSERT INTO incidents
                    (id, workspace, number, status, severity, open, private, channel, opened_at, resolved_at, last_seq,
                     head, search, state, updated_at)",
                15,
                concat!(
                    "ON CONFLICT (id) DO UPDATE SET ",
                    $moves,
                    "status = excluded.status, severity = excluded.severity, private = excluded.private,
                     opened_at = excluded.opened_at, resolved_at = excluded.resolved_at, last_seq = excluded.last_seq,
                     head = excluded.head, search = excluded.search, state = excluded.state,
                     updated_at = excluded.updated_at"
                ),
            )
        })
    };
}

static SAVE: LazyLock<Bulk> = save_sql!("open = excluded.open, channel = excluded.channel, ");
static SAVE_IN_PLACE: LazyLock<Bulk> = save_sql!("");

/// Writes incidents, new ones and changed ones alike. Of several rows of one incident the last counts. Fails as a unique
/// violation if another incident of the workspace has the number.
pub async fn save(tx: &mut Tx, rows: &[Row<'_>]) -> Result<(), Error> {
    // PostgreSQL refuses to touch a row twice in one statement; the order of ids is the order of locks.
    let last: BTreeMap<IncidentId, &Row<'_>> = rows.iter().map(|row| (row.incident.id, row)).collect();
    let (staying, moving): (Vec<&Row<'_>>, Vec<&Row<'_>>) = last.into_values().partition(|row| row.keeps_its_places);
    for (bulk, rows) in [(&SAVE_IN_PLACE, staying), (&SAVE, moving)] {
        insert!(tx, bulk, &rows, |row| [
            row.incident.id.0,
            row.incident.workspace.as_str(),
            row.incident.number,
            row.incident.status.word(),
            row.incident.severity.to_string(),
            row.incident.is_open(),
            row.incident.private,
            row.incident.channel_id().map(ChannelId::as_str),
            us(row.incident.opened_at),
            row.incident.resolved_at.map(us),
            i64::from(row.incident.last_seq),
            row.head,
            search(row.incident),
            to_json(row.incident),
            us(row.updated_at),
        ])?;
    }
    Ok(())
}

/// What the words of a search are looked for in, lower case.
fn search(incident: &Incident) -> String {
    use crate::domain::incident::Field;
    let mut text = format!("{} {}", incident.name(), incident.title);
    let teams = incident.teams.iter().map(|team| &team.name);
    let fields = [Field::Service, Field::Impact, Field::RootCause].into_iter();
    for word in teams.chain(fields.filter_map(|field| incident.fields.get(&field))) {
        text.push(' ');
        text.push_str(word);
    }
    clean(&text.to_lowercase())
}

/// Loads incidents and locks them until the transaction ends, in order of their ids; unknown ids are left out. Call it
/// first and once in a transaction, with all ids, or two transactions may wait for each other.
pub async fn lock(tx: &mut Tx, ids: &[IncidentId]) -> Result<Vec<Stored>, Error> {
    select(tx, ids, "FOR UPDATE").await
}

/// As [`lock`], but tells each incident that cannot be read apart, so that it does not hold up the others.
pub async fn lock_each(tx: &mut Tx, ids: &[IncidentId]) -> Result<Vec<(IncidentId, Result<Stored, Error>)>, Error> {
    let rows = select_rows(tx, ids, "FOR UPDATE").await?;
    Ok(rows.into_iter().map(|row| (IncidentId(row.0), stored(row))).collect())
}

/// As [`lock`], but leaves out incidents that another transaction works on at this moment.
pub async fn try_lock(tx: &mut Tx, ids: &[IncidentId]) -> Result<Vec<Stored>, Error> {
    select(tx, ids, "FOR UPDATE SKIP LOCKED").await
}

async fn select(tx: &mut Tx, ids: &[IncidentId], postgres_lock: &str) -> Result<Vec<Stored>, Error> {
    select_rows(tx, ids, postgres_lock).await?.into_iter().map(stored).collect()
}

async fn select_rows(
    tx: &mut Tx,
    ids: &[IncidentId],
    postgres_lock: &str,
) -> Result<Vec<(i64, String, String)>, Error> {
    let list: Vec<i64> = ids.iter().map(|id| id.0).collect();
    if list.is_empty() {
        return Ok(Vec::new());
    }
    match &mut tx.conn {
        // The one writer has the whole file.
        Conn::Sqlite(conn) => Ok(sqlx::query_as(
            "SELECT id, state, head FROM incidents WHERE id IN (SELECT value FROM json_each($1)) ORDER BY id",
        )
        .bind(json_list(&list))
        .fetch_all(&mut **conn)
        .await?),
        Conn::Postgres(conn) => {
            let sql = format!("SELECT id, state, head FROM incidents WHERE id = ANY($1) ORDER BY id {postgres_lock}");
            Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(list).fetch_all(&mut **conn).await?)
        }
    }
}

pub(super) fn stored((id, state, head): (i64, String, String)) -> Result<Stored, Error> {
    Ok(Stored { incident: read(id, &state)?, head })
}

/// An incident's state; what a newer engine wrote is told apart from what is damaged.
pub(super) fn read(id: i64, state: &str) -> Result<Incident, Error> {
    from_json("incidents", id, state).map_err(|damaged| match serde_json::from_str::<Mark>(state) {
        Ok(mark) if mark.is_newer() => Error::NewerEngine { number: mark.number, found: mark.engine, known: ENGINE },
        _ => damaged,
    })
}

/// Without what is left to a newer program.
pub(super) fn ours<T>(read: Result<T, Error>) -> Option<Result<T, Error>> {
    match read {
        Err(error) if error.is_left_to_newer() => None,
        read => Some(read),
    }
}

/// Loads one incident, which must exist, without locking it.
pub async fn load(tx: &mut Tx, id: IncidentId) -> Result<Stored, Error> {
    find(tx, id).await?.ok_or(Error::NoSuchIncident(id))
}

/// Loads one incident, if there is one, without locking it.
pub async fn find(tx: &mut Tx, id: IncidentId) -> Result<Option<Stored>, Error> {
    let row: Option<(i64, String, String)> =
        fetch_optional!(tx, (i64, String, String), "SELECT id, state, head FROM incidents WHERE id = $1", id.0,)?;
    row.map(stored).transpose()
}

/// Loads incidents without locking them, in order of their ids; unknown ids are left out, and what is left to a newer
/// program.
pub async fn load_many(tx: &mut Tx, ids: &[IncidentId]) -> Result<Vec<Stored>, Error> {
    let list: Vec<i64> = ids.iter().map(|id| id.0).collect();
    let rows: Vec<(i64, String, String)> =
        fetch_in!(tx, (i64, String, String), "SELECT id, state, head FROM incidents WHERE id", &list, "ORDER BY id",)?;
    rows.into_iter().map(stored).filter_map(ours).collect()
}

/// The incident that has this Slack channel; the newest, if a channel was ever used twice.
pub async fn find_by_channel(
    tx: &mut Tx,
    workspace: &WorkspaceId,
    channel: &ChannelId,
) -> Result<Option<IncidentId>, Error> {
    let row: Option<(i64,)> = fetch_optional!(
        tx,
        (i64,),
        "SELECT id FROM incidents WHERE workspace = $1 AND channel = $2 ORDER BY id DESC LIMIT 1",
        workspace.as_str(),
        clean(channel.as_str()),
    )?;
    Ok(row.map(|(id,)| IncidentId(id)))
}

/// The incident that people call `INC-<number>`.
pub async fn find_by_number(tx: &mut Tx, workspace: &WorkspaceId, number: i64) -> Result<Option<IncidentId>, Error> {
    let row: Option<(i64,)> = fetch_optional!(
        tx,
        (i64,),
        "SELECT id FROM incidents WHERE workspace = $1 AND number = $2",
        workspace.as_str(),
        number,
    )?;
    Ok(row.map(|(id,)| IncidentId(id)))
}

/// A page of the workspace's incidents.
pub async fn list(tx: &mut Tx, workspace: &WorkspaceId, filter: &Filter) -> Result<Listed, Error> {
    let pattern = filter.text.as_deref().map_or_else(|| "%".to_owned(), pattern);
    let before = filter.before.unwrap_or(i64::MAX);
    let limit = i64::from(filter.limit.min(LIST_MAX));
    let rows: Vec<(i64, i64, String)> = if filter.open_only {
        fetch_all!(
            tx,
            (i64, i64, String),
            "SELECT id, number, state FROM incidents
             WHERE open AND workspace = $1 AND number < $2 AND (NOT private OR $3) AND search LIKE $4 ESCAPE '\\'
             ORDER BY number DESC LIMIT $5",
            workspace.as_str(),
            before,
            filter.include_private,
            pattern,
            limit,
        )?
    } else {
        fetch_all!(
            tx,
            (i64, i64, String),
            "SELECT id, number, state FROM incidents
             WHERE workspace = $1 AND number < $2 AND (NOT private OR $3) AND search LIKE $4 ESCAPE '\\'
             ORDER BY number DESC LIMIT $5",
            workspace.as_str(),
            before,
            filter.include_private,
            pattern,
            limit,
        )?
    };
    let full = rows.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
    let next = rows.last().filter(|_| full).map(|(_, number, _)| *number);
    let read = rows.into_iter().map(|(id, _, state)| read(id, &state));
    Ok(Listed { incidents: read.filter_map(ours).collect::<Result<_, _>>()?, next })
}

/// A pattern for `LIKE` that finds texts with these words in this order.
fn pattern(text: &str) -> String {
    let mut pattern = String::from("%");
    for word in clean(&text.to_lowercase()).split_whitespace() {
        for letter in word.chars() {
            if matches!(letter, '%' | '_' | '\\') {
                pattern.push('\\');
            }
            pattern.push(letter);
        }
        pattern.push('%');
    }
    pattern
}

/// Numbers and ids of a workspace's incidents, oldest first, without reading anything else of them.
pub async fn numbers(tx: &mut Tx, workspace: &WorkspaceId) -> Result<Vec<(i64, IncidentId)>, Error> {
    let rows: Vec<(i64, i64)> = fetch_all!(
        tx,
        (i64, i64),
        "SELECT number, id FROM incidents WHERE workspace = $1 ORDER BY number",
        workspace.as_str(),
    )?;
    Ok(rows.into_iter().map(|(number, id)| (number, IncidentId(id))).collect())
}

/// The ids of all incidents of all workspaces, for checks that read everything.
pub async fn all_ids(tx: &mut Tx) -> Result<Vec<IncidentId>, Error> {
    let rows: Vec<(i64,)> = fetch_all!(tx, (i64,), "SELECT id FROM incidents ORDER BY id")?;
    Ok(rows.into_iter().map(|(id,)| IncidentId(id)).collect())
}
