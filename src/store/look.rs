//! Looks at a database without changing it: no file is made, no migration applied, no row kept.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection, SqliteConnection};

use super::error::Error;
use super::{BUSY_MAX, postgres, sqlite};
use crate::clock::Clock;

/// The migrations that were applied; an error where there is no such table, so none was.
pub(super) const APPLIED: &str = "SELECT version FROM _sqlx_migrations WHERE success";
/// When somebody last typed or pressed something, in microseconds since 1970.
const LAST_COMMAND: &str = "SELECT max(received_at) FROM inbox WHERE key LIKE 'trigger:%'";
/// Made and taken back, to see whether anything can be written.
const PROBE: &str = "CREATE TABLE firebell_probe (x INTEGER)";

/// With less room than this an incident's first hour may not fit.
const ROOM_BYTES_MIN: usize = 1 << 20;

/// What there is at a database's address.
#[derive(Debug)]
pub struct Seen {
    pub place: SeenPlace,
    /// Why nothing can be written, if so.
    pub unwritable: Option<String>,
    pub migrations_pending: usize,
    /// The database's clock minus ours, where it has one.
    pub clock_ahead: Option<TimeDelta>,
    /// When Slack last delivered what somebody typed or pressed, as far as that is remembered.
    pub last_command_at: Option<DateTime<Utc>>,
}

#[derive(Debug)]
pub enum SeenPlace {
    /// The file may not exist yet.
    Sqlite {
        path: PathBuf,
        version: String,
        exists: bool,
    },
    Postgres {
        version: String,
    },
}

/// The SQLite file that a URL names, if there is no such file yet.
pub fn missing_file(url: &str) -> Option<PathBuf> {
    sqlite::path_in(url)?.ok().filter(|path| !path.exists())
}

/// Looks at the database at `url`.
///
/// # Errors
/// As [`super::Db::open`]: a sentence that says the way out.
pub async fn look(url: &str, clock: &Clock) -> Result<Seen, Error> {
    if let Some(path) = sqlite::path_in(url) {
        look_sqlite(path?).await
    } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        look_postgres(url, clock).await
    } else {
        Err(Error::UnknownUrl { scheme: url.split(':').next().unwrap_or_default().to_owned() })
    }
}

async fn look_sqlite(path: PathBuf) -> Result<Seen, Error> {
    sqlite::refuse_directory(&path)?;
    let known = path.exists();
    let options = SqliteConnectOptions::new().busy_timeout(BUSY_MAX).disable_statement_logging();
    let unwritable = if known { std::fs::OpenOptions::new().write(true).open(&path).err() } else { None };
    let options = match (known, &unwritable) {
        (false, _) => options.in_memory(true),
        (true, None) => options.filename(&path),
        (true, Some(_)) => sqlite::reading(&path).await?,
    };
    let at_open = |error| sqlite::explain(&path, error);
    let mut conn = options.connect().await.map_err(at_open)?;
    let (version,): (String,) =
        sqlx::query_as("SELECT sqlite_version()").fetch_one(&mut conn).await.map_err(at_open)?;
    sqlite::refuse_foreign(&path, &mut conn).await?;
    sqlite::check_small(&path, &mut conn).await?;
    let applied: Vec<(i64,)> = sqlx::query_as(APPLIED).fetch_all(&mut conn).await.unwrap_or_default();
    let last: Option<(Option<i64>,)> = sqlx::query_as(LAST_COMMAND).fetch_one(&mut conn).await.ok();
    let unwritable = match unwritable {
        Some(error) => Some(error.to_string()),
        None if known => probe_sqlite(&mut conn).await.and_then(|()| probe_folder(&path)).err(),
        None => probe_folder(&path).err(),
    };
    conn.close().await.map_err(at_open)?;
    Ok(Seen {
        place: SeenPlace::Sqlite { path, version, exists: known },
        unwritable,
        migrations_pending: pending(&sqlite::MIGRATIONS, &applied)?,
        clock_ahead: None,
        last_command_at: last.and_then(|(us,)| DateTime::from_timestamp_micros(us?)),
    })
}

async fn look_postgres(url: &str, clock: &Clock) -> Result<Seen, Error> {
    let options = PgConnectOptions::from_str(url)
        .map_err(|error| Error::BadUrl { why: error.to_string() })?
        .application_name("firebell doctor")
        .disable_statement_logging();
    let name = postgres::name(&options);
    let mut conn = postgres::connect(&name, &options).await?;
    postgres::refuse_old(&name, &mut conn).await?;
    let (version,): (String,) = sqlx::query_as("SHOW server_version").fetch_one(&mut conn).await?;
    let applied: Vec<(i64,)> = sqlx::query_as(APPLIED).fetch_all(&mut conn).await.unwrap_or_default();
    let last: Option<(Option<i64>,)> = sqlx::query_as(LAST_COMMAND).fetch_one(&mut conn).await.ok();
    let before = clock.now();
    let theirs = postgres::server_time(&mut conn).await?;
    let half = (clock.now() - before) / 2;
    let unwritable = probe_postgres(&mut conn).await.err().map(|error| sqlite::plain(&error));
    conn.close().await?;
    Ok(Seen {
        place: SeenPlace::Postgres { version },
        unwritable,
        migrations_pending: pending(&postgres::MIGRATIONS, &applied)?,
        clock_ahead: Some(theirs - (before + half)),
        last_command_at: last.and_then(|(us,)| DateTime::from_timestamp_micros(us?)),
    })
}

/// Refuses a schema that is not the newest that this program knows.
pub(super) fn refuse_other_schema(known: &Migrator, applied: &[(i64,)]) -> Result<(), Error> {
    match pending(known, applied)? {
        0 => Ok(()),
        pending => Err(Error::OlderSchema { pending }),
    }
}

/// How many migrations are still to be applied; refuses a schema that this program does not know.
fn pending(known: &Migrator, applied: &[(i64,)]) -> Result<usize, Error> {
    let newest = known.iter().map(|migration| migration.version).max().unwrap_or(0);
    if let Some((found,)) = applied.iter().find(|(version,)| *version > newest) {
        return Err(Error::NewerSchema { found: *found, known: newest });
    }
    Ok(known.iter().filter(|migration| !applied.contains(&(migration.version,))).count())
}

async fn probe_sqlite(conn: &mut SqliteConnection) -> Result<(), String> {
    let probe = async {
        let mut tx = conn.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query(PROBE).execute(&mut *tx).await?;
        tx.rollback().await
    };
    probe.await.map_err(|error| sqlite::plain(&error))
}

async fn probe_postgres(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    let mut tx = conn.begin().await?;
    sqlx::query(PROBE).execute(&mut *tx).await?;
    tx.rollback().await
}

/// Whether a file can be made beside the database, and there is room.
fn probe_folder(path: &Path) -> Result<(), String> {
    let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    let room = tempfile::tempfile_in(folder).and_then(|mut file| file.write_all(&vec![0; ROOM_BYTES_MIN]));
    room.map_err(|error| error.to_string())
}
