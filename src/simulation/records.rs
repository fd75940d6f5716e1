//! The database as the checker reads it, beside the program and on a connection of its own: SQLite or PostgreSQL.

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgConnection, SqliteConnection};

/// An incident that has changed: id, number of its last entry, state, and its timers with their times as JSON.
pub(super) type Changed = (i64, i64, String, String);
/// The effect is read when its row is seen for the first time.
pub(super) type OutboxRow = (i64, Option<i64>, String, i64, i64, Option<String>, Option<i64>, i64);

/// A connection of the checker's own.
pub(super) enum Records {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// All rows of a query; with two texts where the databases differ.
macro_rules! all {
    ($records:expr, $row:ty, [$sqlite:expr, $postgres:expr] $(, $bind:expr)*) => {
        match $records {
            Records::Sqlite(conn) => sqlx::query_as::<_, $row>($sqlite)$(.bind($bind))*.fetch_all(&mut *conn).await,
            Records::Postgres(conn) => sqlx::query_as::<_, $row>($postgres)$(.bind($bind))*.fetch_all(&mut *conn).await,
        }
        .expect("is readable")
    };
    ($records:expr, $row:ty, $sql:expr $(, $bind:expr)*) => {
        all!($records, $row, [$sql, $sql] $(, $bind)*)
    };
}

impl Records {
    /// Of a SQLite file.
    pub(super) async fn of_file(path: &std::path::Path) -> Self {
        let options = SqliteConnectOptions::new().filename(path).foreign_keys(false).disable_statement_logging();
        let mut conn = options.connect().await.expect("the file is there");
        // What empties it between two runs; within a run an entry that disappears breaks V7.
        sqlx::query("DROP TRIGGER history_keeps_every_entry").execute(&mut conn).await.expect("is there");
        Self::Sqlite(conn)
    }

    /// Of a database of a PostgreSQL server.
    pub(super) async fn of_server(url: &str) -> Self {
        let mut conn = PgConnection::connect(url).await.expect("the server answers");
        conn.execute("ALTER TABLE history DISABLE TRIGGER USER").await.expect("is ours");
        Self::Postgres(conn)
    }

    /// Takes everything out, also the numbers that were given away.
    pub(super) async fn empty(&mut self) {
        let tables: Vec<(String,)> = all!(
            &mut *self,
            (String,),
            [
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> '_sqlx_migrations' ORDER BY name",
                "SELECT tablename::text FROM pg_tables
                 WHERE schemaname = 'public' AND tablename <> '_sqlx_migrations' ORDER BY tablename"
            ]
        );
        let tables: Vec<String> = tables.into_iter().map(|(table,)| table).collect();
        match self {
            Self::Sqlite(conn) => {
                let mut tx = conn.begin_with("BEGIN IMMEDIATE").await.expect("nobody else writes");
                for table in tables {
                    let sql = format!("DELETE FROM {table}");
                    sqlx::query(AssertSqlSafe(sql)).execute(&mut *tx).await.expect("can be emptied");
                }
                tx.commit().await.expect("there is room");
            }
            Self::Postgres(conn) => {
                let sql = format!("TRUNCATE {} RESTART IDENTITY CASCADE", tables.join(", "));
                conn.execute(AssertSqlSafe(sql)).await.expect("can be emptied");
            }
        }
    }

    /// A number that is another one whenever something was written since.
    pub(super) async fn version(&mut self) -> i64 {
        let rows: Vec<(i64,)> =
            all!(self, (i64,), ["PRAGMA data_version", "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"]);
        rows.first().map_or(0, |(version,)| *version)
    }

    /// The incidents whose last entry is another than `known` says, a JSON object from ids to numbers.
    pub(super) async fn changed(&mut self, known: &str) -> Vec<Changed> {
        all!(
            self,
            Changed,
            [
                "SELECT id, last_seq, state,
                    (SELECT json_group_object(timer, due_at) FROM timers WHERE incident_id = id)
                 FROM incidents WHERE last_seq IS NOT json_extract($1, '$.\"' || id || '\"') ORDER BY id",
                "SELECT id, last_seq, state, coalesce(
                    (SELECT json_object_agg(timer, timers.due_at)::text FROM timers WHERE incident_id = id), '{}')
                 FROM incidents WHERE last_seq IS DISTINCT FROM ($1::jsonb ->> id::text)::bigint ORDER BY id"
            ],
            known
        )
    }

    /// The entries of an incident after this one: number, when they were recorded, and what they say.
    pub(super) async fn history(&mut self, incident: i64, after: i64) -> Vec<(i64, i64, String)> {
        all!(
            self,
            (i64, i64, String),
            "SELECT seq, recorded_at, payload FROM history WHERE incident_id = $1 AND seq > $2 ORDER BY seq",
            incident,
            after
        )
    }

    /// All that waits or is under way; with its effect if its row is newer than this.
    pub(super) async fn outbox(&mut self, newest: i64) -> Vec<OutboxRow> {
        all!(
            self,
            OutboxRow,
            "SELECT id, incident_id, state, attempt, ready_at, CASE WHEN id > $1 THEN effect END, due_at, lane
             FROM outbox ORDER BY id",
            newest
        )
    }

    /// Deliveries that were handled, and what was answered.
    pub(super) async fn inbox(&mut self) -> Vec<(String, String)> {
        all!(self, (String, String), "SELECT key, answer FROM inbox")
    }

    /// What messages of incidents are believed to say: incident, message, sum.
    pub(super) async fn said(&mut self) -> Vec<(i64, String, String)> {
        all!(self, (i64, String, String), "SELECT incident_id, surface, sum FROM said WHERE sum <> ''")
    }

    /// Every text that was written down.
    pub(super) async fn texts(&mut self) -> String {
        let rows = all!(
            self,
            (String,),
            "SELECT payload AS text FROM history UNION ALL SELECT state FROM incidents
             UNION ALL SELECT search FROM incidents UNION ALL SELECT answer FROM inbox
             UNION ALL SELECT key FROM inbox UNION ALL SELECT effect || coalesce(error, '') FROM outbox
             UNION ALL SELECT value FROM settings UNION ALL SELECT timer FROM timers"
        );
        rows.into_iter().map(|(text,)| text).collect::<Vec<_>>().join("\n")
    }
}
