//! One transaction, and the macros that run one SQL text on both databases.
//!
//! The texts use what both understand: `$1` (each number once, in order), `RETURNING`, `ON CONFLICT`. Only the claim of
//! effects and row locks need two texts.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::sqlite::SqliteArguments;
use sqlx::{Postgres, Sqlite, Transaction};
use tokio::sync::watch;

use super::{Engine, Error, wake};

/// A transaction under way. Dropped without [`Tx::commit`], nothing of it remains.
#[derive(Debug)]
pub struct Tx {
    pub(super) conn: Conn,
    /// Whether others must be told on commit that timers or effects were written.
    pub(super) wakes: bool,
    wake: Arc<watch::Sender<u64>>,
    /// Inserts that are to go to SQLite in one.
    pub(super) held: Option<Script>,
    /// While it lives, this transaction has the database.
    #[cfg(test)]
    turn: Option<crate::simulation::Turn>,
}

#[derive(Debug)]
pub(super) enum Conn {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

impl Tx {
    pub(super) fn sqlite(conn: Transaction<'static, Sqlite>, wake: &Arc<watch::Sender<u64>>) -> Self {
        Self {
            conn: Conn::Sqlite(conn),
            wakes: false,
            wake: Arc::clone(wake),
            held: None,
            #[cfg(test)]
            turn: None,
        }
    }

    pub(super) fn postgres(conn: Transaction<'static, Postgres>, wake: &Arc<watch::Sender<u64>>) -> Self {
        Self {
            conn: Conn::Postgres(conn),
            wakes: false,
            wake: Arc::clone(wake),
            held: None,
            #[cfg(test)]
            turn: None,
        }
    }

    /// The same transaction, as the simulation's doing.
    #[cfg(test)]
    pub(super) fn within(self, turn: Option<crate::simulation::Turn>) -> Self {
        Self { turn, ..self }
    }

    pub fn engine(&self) -> Engine {
        match self.conn {
            Conn::Sqlite(_) => Engine::Sqlite,
            Conn::Postgres(_) => Engine::Postgres,
        }
    }

    /// Holds inserts back from now on, until [`Tx::send_held`]: SQLite's own thread is then asked once for all of them.
    /// For few rows only, since each combination of statements is prepared and kept as one.
    pub fn hold_inserts(&mut self) {
        if self.engine() == Engine::Sqlite {
            self.held = Some(Script::default());
        }
    }

    /// Runs the inserts that were held back. Fails as the first of them that fails; the others are not run.
    pub async fn send_held(&mut self) -> Result<(), Error> {
        let Some(Script { sql, arguments }) = self.held.take() else { return Ok(()) };
        if let (Conn::Sqlite(conn), false) = (&mut self.conn, sql.is_empty()) {
            sqlx::query_with(sqlx::AssertSqlSafe(sql), arguments).execute(&mut **conn).await?;
        }
        Ok(())
    }

    /// Makes everything in it durable; wakes the listeners if timers or effects were written.
    ///
    /// On an error of the connection the outcome is unknown: look the delivery key up before doing it again.
    pub async fn commit(self) -> Result<(), Error> {
        #[cfg(test)]
        let fate = crate::simulation::commit_begins(self.turn.as_ref()).await?;
        match self.conn {
            Conn::Sqlite(conn) => conn.commit().await?,
            Conn::Postgres(mut conn) => {
                if self.wakes {
                    wake::notify(&mut conn).await?;
                }
                conn.commit().await?;
            }
        }
        if self.wakes {
            self.wake.send_modify(|count| *count = count.wrapping_add(1));
        }
        #[cfg(test)]
        crate::simulation::commit_ended(self.turn, fate).await?;
        Ok(())
    }

    /// Undoes everything in it.
    pub async fn rollback(self) -> Result<(), Error> {
        match self.conn {
            Conn::Sqlite(conn) => conn.rollback().await?,
            Conn::Postgres(conn) => conn.rollback().await?,
        }
        Ok(())
    }
}

/// Statements of SQLite, one after the other, with all their parameters.
#[derive(Debug, Default)]
pub(super) struct Script {
    pub(super) sql: String,
    pub(super) arguments: SqliteArguments,
}

/// Runs a statement; the number of rows it touched.
macro_rules! execute {
    ($tx:expr, $sql:expr $(, $bind:expr)* $(,)?) => {
        match &mut $tx.conn {
            $crate::store::tx::Conn::Sqlite(conn) => sqlx::query($sql)$(.bind($bind))*
                .execute(&mut **conn).await.map(|done| done.rows_affected()),
            $crate::store::tx::Conn::Postgres(conn) => sqlx::query($sql)$(.bind($bind))*
                .execute(&mut **conn).await.map(|done| done.rows_affected()),
        }
        .map_err($crate::store::Error::from)
    };
}

/// Runs a query; all its rows as `$row`.
macro_rules! fetch_all {
    ($tx:expr, $row:ty, $sql:expr $(, $bind:expr)* $(,)?) => {
        match &mut $tx.conn {
            $crate::store::tx::Conn::Sqlite(conn) => sqlx::query_as::<_, $row>($sql)$(.bind($bind))*
                .fetch_all(&mut **conn).await,
            $crate::store::tx::Conn::Postgres(conn) => sqlx::query_as::<_, $row>($sql)$(.bind($bind))*
                .fetch_all(&mut **conn).await,
        }
        .map_err($crate::store::Error::from)
    };
}

/// Runs a query; its first row as `$row`, if there is one.
macro_rules! fetch_optional {
    ($tx:expr, $row:ty, $sql:expr $(, $bind:expr)* $(,)?) => {
        match &mut $tx.conn {
            $crate::store::tx::Conn::Sqlite(conn) => sqlx::query_as::<_, $row>($sql)$(.bind($bind))*
                .fetch_optional(&mut **conn).await,
            $crate::store::tx::Conn::Postgres(conn) => sqlx::query_as::<_, $row>($sql)$(.bind($bind))*
                .fetch_optional(&mut **conn).await,
        }
        .map_err($crate::store::Error::from)
    };
}

/// Runs a query in which `$head` ends in a column that must be in the list, the parameter `$1`; all its rows.
macro_rules! fetch_in {
    ($tx:expr, $row:ty, $head:literal, $list:expr, $tail:expr $(, $bind:expr)* $(,)?) => {
        match &mut $tx.conn {
            $crate::store::tx::Conn::Sqlite(conn) => {
                sqlx::query_as::<_, $row>(concat!($head, " IN (SELECT value FROM json_each($1)) ", $tail))
                    .bind($crate::store::tx::json_list($list))$(.bind($bind))*.fetch_all(&mut **conn).await
            }
            $crate::store::tx::Conn::Postgres(conn) => {
                sqlx::query_as::<_, $row>(concat!($head, " = ANY($1) ", $tail))
                    .bind($list)$(.bind($bind))*.fetch_all(&mut **conn).await
            }
        }
        .map_err($crate::store::Error::from)
    };
}

/// Runs a statement in which `$head` ends in a column that must be in the list, the parameter `$1`; the rows touched.
macro_rules! execute_in {
    ($tx:expr, $head:literal, $list:expr, $tail:literal $(, $bind:expr)* $(,)?) => {
        match &mut $tx.conn {
            $crate::store::tx::Conn::Sqlite(conn) => {
                sqlx::query(concat!($head, " IN (SELECT value FROM json_each($1)) ", $tail))
                    .bind($crate::store::tx::json_list($list))$(.bind($bind))*.execute(&mut **conn).await
                    .map(|done| done.rows_affected())
            }
            $crate::store::tx::Conn::Postgres(conn) => {
                sqlx::query(concat!($head, " = ANY($1) ", $tail))
                    .bind($list)$(.bind($bind))*.execute(&mut **conn).await.map(|done| done.rows_affected())
            }
        }
        .map_err($crate::store::Error::from)
    };
}

/// Inserts many rows with few statements; the number of rows touched, as far as they are not held back.
macro_rules! insert {
    ($tx:expr, $bulk:expr, $rows:expr, |$row:ident| [$($bind:expr),+ $(,)?]) => {{
        let mut touched = 0;
        let mut failed = None;
        match &mut $tx.conn {
            $crate::store::tx::Conn::Sqlite(_) if $tx.held.is_some() => {
                let script = $tx.held.get_or_insert_default();
                for (sql, rows) in $bulk.sqlite($rows) {
                    script.sql.push_str(&sql);
                    script.sql.push(';');
                    for $row in rows {
                        $(if let Err(error) = sqlx::Arguments::add(&mut script.arguments, $bind) {
                            failed = Some(sqlx::Error::Encode(error));
                        })+
                    }
                }
            }
            $crate::store::tx::Conn::Sqlite(conn) => {
                for (sql, rows) in $bulk.sqlite($rows) {
                    let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
                    for $row in rows {
                        query = query$(.bind($bind))+;
                    }
                    match query.execute(&mut **conn).await {
                        Ok(done) => touched += done.rows_affected(),
                        Err(error) => {
                            failed = Some(error);
                            break;
                        }
                    }
                }
            }
            $crate::store::tx::Conn::Postgres(conn) => {
                for (sql, rows) in $bulk.postgres($rows) {
                    let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
                    for $row in rows {
                        query = query$(.bind($bind))+;
                    }
                    match query.execute(&mut **conn).await {
                        Ok(done) => touched += done.rows_affected(),
                        Err(error) => {
                            failed = Some(error);
                            break;
                        }
                    }
                }
            }
        }
        match failed {
            None => Ok(touched),
            Some(error) => Err($crate::store::Error::from(error)),
        }
    }};
}

pub(super) use {execute, execute_in, fetch_all, fetch_in, fetch_optional, insert};

/// How many rows one statement of a [`Bulk`] takes: few sizes, so that prepared statements are used again, and powers of
/// two, so that any number of rows takes few statements.
const BULK_ROWS: [usize; 8] = [128, 64, 32, 16, 8, 4, 2, 1];

/// An `INSERT` of any number of rows, as statements of fixed sizes.
pub(super) struct Bulk {
    sqlite: [Arc<str>; BULK_ROWS.len()],
    postgres: [Arc<str>; BULK_ROWS.len()],
}

impl Bulk {
    /// `head` is everything up to `VALUES`, `tail` what follows the rows.
    pub(super) fn new(head: &str, columns: usize, tail: &str) -> Self {
        // SQLite looks a numbered parameter up by its name, in a list; plain ones it only counts.
        let text = |rows: usize, parameter: &dyn Fn(usize) -> String| {
            let row = |row: usize| {
                let parameters: Vec<_> = (0..columns).map(|column| parameter(row * columns + column + 1)).collect();
                format!("({})", parameters.join(","))
            };
            let rows: Vec<_> = (0..rows).map(row).collect();
            Arc::from(format!("{head} VALUES {} {tail}", rows.join(",")))
        };
        Self {
            sqlite: BULK_ROWS.map(|rows| text(rows, &|_| "?".to_owned())),
            postgres: BULK_ROWS.map(|rows| text(rows, &|number| format!("${number}"))),
        }
    }

    pub(super) fn sqlite<'r, T>(&self, rows: &'r [T]) -> impl Iterator<Item = (Arc<str>, &'r [T])> {
        portions(rows).map(|(size, rows)| (Arc::clone(&self.sqlite[size]), rows))
    }

    pub(super) fn postgres<'r, T>(&self, rows: &'r [T]) -> impl Iterator<Item = (Arc<str>, &'r [T])> {
        portions(rows).map(|(size, rows)| (Arc::clone(&self.postgres[size]), rows))
    }
}

/// Cuts `rows` into portions of the sizes in [`BULK_ROWS`], largest first, each with the index of its size.
fn portions<T>(mut rows: &[T]) -> impl Iterator<Item = (usize, &[T])> {
    std::iter::from_fn(move || {
        let size = BULK_ROWS.iter().position(|size| *size <= rows.len())?;
        let (portion, rest) = rows.split_at(BULK_ROWS[size]);
        rows = rest;
        Some((size, portion))
    })
}

/// A list as SQLite takes it in one parameter.
pub(super) fn json_list<T: serde::Serialize>(list: &[T]) -> String {
    serde_json::to_string(list).expect("numbers and texts are always JSON")
}

/// An instant as both databases keep it: microseconds since 1970.
pub(super) fn us(at: DateTime<Utc>) -> i64 {
    at.timestamp_micros()
}

/// The instant that [`us`] wrote.
pub(super) fn instant(table: &'static str, row: impl std::fmt::Display, us: i64) -> Result<DateTime<Utc>, Error> {
    DateTime::from_timestamp_micros(us)
        .ok_or_else(|| Error::damaged(table, row, format!("{us} is not an instant in microseconds")))
}

/// JSON to store; our types always have one.
pub(super) fn to_json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("stored types have only text keys")
}

/// The value of stored JSON.
pub(super) fn from_json<T: serde::de::DeserializeOwned>(
    table: &'static str,
    row: impl std::fmt::Display,
    json: &str,
) -> Result<T, Error> {
    serde_json::from_str(json).map_err(|error| Error::damaged(table, row, error.to_string()))
}

/// Text from outside as PostgreSQL accepts it: without the NUL character.
pub(super) fn clean(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bulk_statement_cuts_any_number_of_rows_into_its_sizes() {
        let rows: Vec<u32> = (0..147).collect();
        let sizes: Vec<_> = portions(&rows).map(|(_, rows)| rows.len()).collect();
        assert_eq!(sizes, [128, 16, 2, 1]);
        let again: Vec<u32> = portions(&rows).flat_map(|(_, rows)| rows.to_vec()).collect();
        assert_eq!(again, rows);
    }

    #[test]
    fn a_bulk_statement_numbers_parameters_only_where_that_costs_nothing() {
        let bulk = Bulk::new("INSERT INTO t (a, b)", 2, "ON CONFLICT DO NOTHING");
        assert_eq!(&*bulk.sqlite[7], "INSERT INTO t (a, b) VALUES (?,?) ON CONFLICT DO NOTHING");
        assert_eq!(&*bulk.postgres[6], "INSERT INTO t (a, b) VALUES ($1,$2),($3,$4) ON CONFLICT DO NOTHING");
    }
}
