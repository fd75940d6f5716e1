//! Opens a SQLite file: one connection that writes, several that read.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Sqlite, SqliteConnection, SqlitePool, Transaction};

use super::error::{Error, is_full, primary_code};
use super::{BUSY_MAX, BUSY_MS_MAX, look, reserve};
use crate::clock::real_sleep;
use crate::crash::{self, Point};

pub(super) static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// The first SQLite without the error by which a WAL that is reset and written at once corrupts the file.
const VERSION_MIN: [u32; 3] = [3, 51, 3];
const READERS: u32 = 4;
/// What the writing connection keeps in memory: 8 MB. Whoever reads keeps SQLite's usual 2 MB.
const WRITER_CACHE: &str = "-8000";
/// Rows that may lie between SQLite's thread and ours, so that they rarely wait for each other.
const ROWS_BUFFERED: usize = 1_024;
/// Pages in the WAL before it is copied into the file: 8 MB.
const CHECKPOINT_PAGES: &str = "2000";
/// The WAL is written over from its start, and cut only if it grew beyond this: 64 MB.
const WAL_BYTES_KEPT: &str = "67108864";
/// Files up to this size are checked before the program serves, which takes some milliseconds; larger ones meanwhile.
const FULL_CHECK_BYTES_MAX: u64 = 4 << 20;
/// Files up to this size are written anew within about a second, which no page minds.
const SCRUBBED_BYTES_MAX: u64 = 128 << 20;
/// How often the log is asked to be emptied before whoever reads it is left alone.
const CHECKPOINT_TRIES: u32 = 40;
/// How long to wait before a lock that SQLite itself does not wait for is asked for again.
const LOCK_POLL_MS: u64 = 50;

#[derive(Clone, Debug)]
pub(super) struct Files {
    path: PathBuf,
    writer: SqlitePool,
    readers: SqlitePool,
}

/// The path in a URL `sqlite:<path>` or `sqlite://<path>`; `None` if it is no URL of SQLite.
pub(super) fn path_in(url: &str) -> Option<Result<PathBuf, Error>> {
    let path = url.strip_prefix("sqlite:")?;
    let path = path.strip_prefix("//").unwrap_or(path);
    Some(match path {
        "" => Err(Error::BadUrl { why: "the path is missing".into() }),
        ":memory:" => Err(Error::BadUrl { why: "an incident must survive the process, so memory is no place".into() }),
        path if path.contains('?') => Err(Error::BadUrl { why: "options after \"?\" are not supported".into() }),
        path => Ok(PathBuf::from(path)),
    })
}

impl Files {
    /// Opens it; on a full disk with the room that was kept for that.
    pub(super) async fn open(path: PathBuf) -> Result<Self, Error> {
        touch(&path)?;
        match Self::open_touched(path.clone()).await {
            Err(Error::NoRoom { .. }) if reserve::spend(&path) => {
                tracing::warn!("the disk is full: the room that was kept for this start is given up");
                Self::open_touched(path).await
            }
            opened => opened,
        }
    }

    async fn open_touched(path: PathBuf) -> Result<Self, Error> {
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .foreign_keys(true)
            .busy_timeout(BUSY_MAX)
            .row_buffer_size(ROWS_BUFFERED)
            .statement_cache_capacity(256)
            .disable_statement_logging();
        let writing = options
            .clone()
            .pragma("cache_size", WRITER_CACHE)
            .synchronous(SqliteSynchronous::Full)
            .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
            .pragma("journal_size_limit", WAL_BYTES_KEPT);
        prepare(&path, &writing).await?;
        let pool = || {
            SqlitePoolOptions::new()
                .min_connections(1)
                .test_before_acquire(false)
                .idle_timeout(None)
                .max_lifetime(None)
                .acquire_timeout(BUSY_MAX)
        };
        let at_open = |error| explain(&path, error);
        let writer = pool().max_connections(1).connect_with(writing).await.map_err(at_open)?;
        let readers =
            pool().max_connections(READERS).connect_with(options.pragma("query_only", "ON")).await.map_err(at_open)?;
        Ok(Self { path, writer, readers })
    }

    /// One connection that writes and one that reads, to a file that this program has made before.
    #[cfg(test)]
    pub(super) async fn open_unsynced(path: PathBuf) -> Result<Self, Error> {
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .foreign_keys(true)
            .synchronous(SqliteSynchronous::Off)
            .statement_cache_capacity(256)
            .disable_statement_logging();
        let pool = || SqlitePoolOptions::new().max_connections(1).test_before_acquire(false);
        let writer = pool().connect_with(options.clone()).await?;
        let readers = pool().connect_with(options.pragma("query_only", "ON")).await?;
        Ok(Self { path, writer, readers })
    }

    /// Lets the file grow no further until SQLite has said once that it is full.
    #[cfg(test)]
    pub(super) async fn leave_no_room(&self) {
        let mut writer = self.writer.acquire().await.expect("it is free");
        sqlx::raw_sql("PRAGMA max_page_count = 1").execute(&mut *writer).await.expect("is set to what there is");
    }

    /// Changes nothing that the next program could not read, and leaves no files of this user behind.
    pub(super) async fn open_to_read(path: PathBuf) -> Result<Self, Error> {
        refuse_directory(&path)?;
        if let Err(error) = std::fs::File::open(&path) {
            return Err(Error::Unreadable { path, why: error.to_string() });
        }
        let options = reading(&path).await?;
        let at_open = |error| explain(&path, error);
        let mut conn = options.connect().await.map_err(at_open)?;
        refuse_foreign(&path, &mut conn).await?;
        check_small(&path, &mut conn).await?;
        let applied: Vec<(i64,)> = sqlx::query_as(look::APPLIED).fetch_all(&mut conn).await.unwrap_or_default();
        look::refuse_other_schema(&MIGRATIONS, &applied)?;
        conn.close().await.map_err(at_open)?;
        let pool = SqlitePoolOptions::new().max_connections(READERS).acquire_timeout(BUSY_MAX);
        let readers = pool.connect_with(options).await.map_err(at_open)?;
        Ok(Self { path, writer: readers.clone(), readers })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) async fn write(&self) -> Result<Transaction<'static, Sqlite>, Error> {
        begin(&self.writer, "BEGIN IMMEDIATE").await
    }

    pub(super) async fn read(&self) -> Result<Transaction<'static, Sqlite>, Error> {
        begin(&self.readers, "BEGIN").await
    }

    pub(super) async fn check(&self) -> Result<(), Error> {
        let mut reader = self.readers.acquire().await?;
        quick_check(&self.path, &mut reader).await
    }

    /// Writes the file anew without its free pages, and empties the log. Others who write wait meanwhile, so that a large
    /// file is left to its owner.
    pub(super) async fn scrub(&self) -> Result<Option<String>, Error> {
        let file = self.path.display();
        let bytes = std::fs::metadata(&self.path).map_or(0, |file| file.len());
        let mut writer = self.writer.acquire().await?;
        let small = bytes <= SCRUBBED_BYTES_MAX;
        if small {
            sqlx::raw_sql("PRAGMA secure_delete = ON; VACUUM; PRAGMA secure_delete = OFF")
                .execute(&mut *writer)
                .await?;
        }
        let mut emptied = false;
        for _ in 0..CHECKPOINT_TRIES {
            let (busy, _, _): (i64, i64, i64) =
                sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut *writer).await?;
            emptied = busy == 0;
            if emptied {
                break;
            }
            real_sleep(Duration::from_millis(LOCK_POLL_MS)).await;
        }
        Ok(match (small, emptied) {
            (true, true) => None,
            (false, _) => Some(format!(
                "{file} is large, so its free pages were left as they are, with old copies in them. When Firebell can stand \
                 still for a minute, stop it and run: sqlite3 {file} \"VACUUM\""
            )),
            (true, false) => Some(format!(
                "Somebody reads {file} for a long time, so its log {file}-wal holds old copies until Firebell is next stopped."
            )),
        })
    }

    pub(super) async fn close(&self) {
        self.readers.close().await;
        // Last, so that it folds the WAL into the file.
        self.writer.close().await;
    }
}

/// Begins a transaction. Where the disk is full or fails, SQLite ends a transaction by itself, and its connection is never
/// again believed to be outside of one; a new connection takes its place.
async fn begin(pool: &SqlitePool, statement: &'static str) -> Result<Transaction<'static, Sqlite>, Error> {
    loop {
        match pool.begin_with(statement).await {
            Err(sqlx::Error::InvalidSavePointStatement) => pool.acquire().await?.close().await?,
            begun => return Ok(begun?),
        }
    }
}

/// The way in which a file can be read here. Who may write takes part in the log as everybody does and folds it in at
/// the end; who may not reads beside the program that writes the log, or, where there is no log, the file as it lies.
pub(super) async fn reading(path: &Path) -> Result<SqliteConnectOptions, Error> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(BUSY_MAX)
        .pragma("query_only", "ON")
        .disable_statement_logging();
    if std::fs::OpenOptions::new().write(true).open(path).is_ok() {
        match can_read(&options).await {
            Ok(()) => return Ok(options),
            // The directory is not ours, or the disk is full, so that there can be no log.
            Err(error) if matches!(primary_code(&error), Some(8 | 14)) || is_full(&error) => {}
            Err(error) => return Err(explain(path, error)),
        }
    }
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let options = options.read_only(true);
    let options = if Path::new(&log).exists() { options } else { options.immutable(true) };
    can_read(&options).await.map(|()| options).map_err(|error| match explain(path, error) {
        Error::ReadOnly { path } => {
            let why = "what was written last is in the file beside it that ends in -wal".to_owned();
            Error::Unreadable { path, why }
        }
        other => other,
    })
}

async fn can_read(options: &SqliteConnectOptions) -> Result<(), sqlx::Error> {
    let mut conn = options.connect().await?;
    sqlx::query("SELECT count(*) FROM sqlite_schema").fetch_one(&mut conn).await?;
    conn.close().await
}

/// Opens the file, and makes it if it is missing, before SQLite does, whose own words would not help.
fn touch(path: &Path) -> Result<(), Error> {
    refuse_directory(path)?;
    let mut asked = std::fs::OpenOptions::new();
    asked.read(true).write(true).create(true);
    // What is in it is nobody else's business. SQLite gives the files beside it the same permissions.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut asked, 0o600);
    let known = path.exists();
    match asked.open(path) {
        Ok(_) => Ok(()),
        Err(error)
            if known
                && matches!(
                    error.kind(),
                    std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem
                ) =>
        {
            Err(Error::ReadOnly { path: path.to_owned() })
        }
        Err(error) => Err(Error::CannotOpen { path: path.to_owned(), why: error.to_string() }),
    }
}

/// Refuses a place where no file can be: a directory that is missing, or the name of one.
pub(super) fn refuse_directory(path: &Path) -> Result<(), Error> {
    let directory = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    if !directory.is_dir() {
        return Err(Error::DirectoryMissing { directory: directory.to_owned(), path: path.to_owned() });
    }
    if path.is_dir() {
        return Err(Error::IsDirectory { path: path.to_owned() });
    }
    Ok(())
}

/// Checks the file and brings its schema up to date, on a connection of its own.
async fn prepare(path: &Path, options: &SqliteConnectOptions) -> Result<(), Error> {
    let at_open = |error| explain(path, error);
    let mut conn = options.connect().await.map_err(at_open)?;
    let (version,): (String,) =
        sqlx::query_as("SELECT sqlite_version()").fetch_one(&mut conn).await.map_err(at_open)?;
    refuse_old(&version)?;
    refuse_foreign(path, &mut conn).await?;
    check_small(path, &mut conn).await?;
    enter_wal(path, &mut conn).await?;
    migrate(path, &mut conn).await?;
    conn.close().await.map_err(at_open)
}

/// Refuses a library that is known to corrupt files in WAL mode.
fn refuse_old(version: &str) -> Result<(), Error> {
    let numbers: Vec<u32> = version.split('.').filter_map(|number| number.parse().ok()).collect();
    if numbers.as_slice() < VERSION_MIN.as_slice() {
        return Err(Error::SqliteTooOld { found: version.to_owned() });
    }
    Ok(())
}

/// Refuses the file of another program before anything is written to it.
pub(super) async fn refuse_foreign(path: &Path, conn: &mut SqliteConnection) -> Result<(), Error> {
    let (foreign,): (bool,) = sqlx::query_as(
        "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name NOT LIKE 'sqlite%')
            AND NOT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = '_sqlx_migrations')",
    )
    .fetch_one(conn)
    .await
    .map_err(|error| explain(path, error))?;
    if foreign {
        return Err(Error::Foreign { path: path.to_owned() });
    }
    Ok(())
}

/// Switches to WAL. SQLite's own time-out does not cover that lock, so two processes at once take turns here.
async fn enter_wal(path: &Path, conn: &mut SqliteConnection) -> Result<(), Error> {
    let mut waited_ms = 0;
    loop {
        let entered: Result<(String,), _> = sqlx::query_as("PRAGMA journal_mode = WAL").fetch_one(&mut *conn).await;
        match entered {
            Ok((mode,)) if mode == "wal" => return Ok(()),
            Ok(_) => {
                let why = "its file system does not support a write-ahead log (is it a network share?)".into();
                return Err(Error::CannotOpen { path: path.to_owned(), why });
            }
            Err(error) if primary_code(&error) == Some(5) && waited_ms < BUSY_MS_MAX => {
                real_sleep(Duration::from_millis(LOCK_POLL_MS)).await;
                waited_ms += LOCK_POLL_MS;
            }
            Err(error) => return Err(explain(path, error)),
        }
    }
}

/// Checks a file that is small enough for it to take no time.
pub(super) async fn check_small(path: &Path, conn: &mut SqliteConnection) -> Result<(), Error> {
    match std::fs::metadata(path).map_or(0, |file| file.len()) {
        0..=FULL_CHECK_BYTES_MAX => quick_check(path, conn).await,
        _ => Ok(()),
    }
}

async fn quick_check(path: &Path, conn: &mut SqliteConnection) -> Result<(), Error> {
    let (found,): (String,) =
        sqlx::query_as("PRAGMA quick_check(1)").fetch_one(conn).await.map_err(|error| explain(path, error))?;
    if found == "ok" {
        return Ok(());
    }
    Err(Error::DamagedFile { path: path.to_owned(), why: found.replace('\n', " ") })
}

/// Applies the migrations, all of them or none: in one transaction, so that a second process waits for the first.
async fn migrate(path: &Path, conn: &mut SqliteConnection) -> Result<(), Error> {
    let at_open = |error| explain(path, error);
    let mut tx = conn.begin_with("BEGIN IMMEDIATE").await.map_err(at_open)?;
    crash::at(Point::MigrationNext);
    MIGRATIONS.run_direct(None, &mut *tx, false).await.map_err(|error| explain_migration(error, &MIGRATIONS))?;
    crash::at(Point::Migrated);
    tx.commit().await.map_err(at_open)
}

/// Says what a failed migration means.
pub(super) fn explain_migration(error: MigrateError, known: &Migrator) -> Error {
    let newest = known.iter().map(|migration| migration.version).max().unwrap_or(0);
    match error {
        MigrateError::VersionMissing(found) if found > newest => Error::NewerSchema { found, known: newest },
        MigrateError::VersionMissing(version) | MigrateError::VersionMismatch(version) => {
            Error::ForeignSchema { version }
        }
        MigrateError::Execute(error) => Error::from(error),
        error => Error::Migration(Box::new(error)),
    }
}

/// Says what a failure to open the file means.
pub(super) fn explain(path: &Path, error: sqlx::Error) -> Error {
    let path = path.to_owned();
    match primary_code(&error) {
        _ if is_full(&error) => Error::NoRoom { path },
        Some(5 | 6) => Error::Locked { path },
        Some(8) => Error::ReadOnly { path },
        Some(11) => Error::DamagedFile { path, why: plain(&error) },
        Some(14) if path.exists() => Error::ReadOnly { path },
        Some(14) => Error::CannotOpen { path, why: plain(&error) },
        Some(26) => Error::NotADatabase { path },
        _ => Error::from(error),
    }
}

/// The database's own sentence, without codes.
pub(super) fn plain(error: &sqlx::Error) -> String {
    error.as_database_error().map_or_else(|| error.to_string(), |error| error.message().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Retry;

    #[test]
    fn a_library_that_corrupts_files_is_refused() {
        for old in ["3.51.2", "3.50.9", "3.7.0", "2.8.17"] {
            assert!(refuse_old(old).is_err(), "{old}");
        }
        for new in ["3.51.3", "3.52.0", "4.0.0"] {
            assert!(refuse_old(new).is_ok(), "{new}");
        }
    }

    #[test]
    fn a_url_with_options_or_without_a_path_is_refused() {
        assert!(path_in("sqlite:firebell.db").expect("sqlite").is_ok());
        assert_eq!(path_in("sqlite:///var/lib/f.db").expect("sqlite").expect("good"), Path::new("/var/lib/f.db"));
        for bad in ["sqlite:", "sqlite::memory:", "sqlite:f.db?mode=ro"] {
            assert!(path_in(bad).expect("sqlite").is_err(), "{bad}");
        }
        assert!(path_in("postgres://localhost/f").is_none());
    }

    #[tokio::test]
    async fn a_connection_whose_transaction_sqlite_ended_by_itself_is_replaced() {
        let directory = tempfile::tempdir().expect("a directory");
        let files = Files::open(directory.path().join("f.db")).await.expect("opens");
        for _ in 0..3 {
            let mut tx = files.write().await.expect("begins");
            sqlx::query("CREATE TABLE lost (x)").execute(&mut *tx).await.expect("fits");
            // As SQLite does when it can write no more.
            sqlx::query("ROLLBACK").execute(&mut *tx).await.expect("is undone");
            drop(tx);
        }
        let mut tx = files.write().await.expect("begins all the same");
        sqlx::query("CREATE TABLE kept (x)").execute(&mut *tx).await.expect("fits");
        tx.commit().await.expect("commits");
        let mut reader = files.read().await.expect("begins");
        sqlx::query("SELECT * FROM kept").fetch_all(&mut *reader).await.expect("is there");
        assert!(sqlx::query("SELECT * FROM lost").fetch_all(&mut *reader).await.is_err(), "is not");
    }

    #[tokio::test]
    async fn a_full_disk_is_told_apart_from_other_failures() {
        let directory = tempfile::tempdir().expect("a directory");
        let options = SqliteConnectOptions::new().filename(directory.path().join("f.db")).create_if_missing(true);
        let mut conn = options.connect().await.expect("opens");
        sqlx::raw_sql("PRAGMA max_page_count = 4; CREATE TABLE t (x BLOB)").execute(&mut conn).await.expect("fits");
        let full = sqlx::query("INSERT INTO t VALUES (zeroblob(100000))").execute(&mut conn).await;
        let full = Error::from(full.expect_err("does not fit"));
        assert!(matches!(full, Error::Full), "{full:?}");
        assert!(matches!(full.retry(), Retry::After(_)));
        let other = sqlx::query("INSERT INTO nowhere VALUES (1)").execute(&mut conn).await;
        let other = Error::from(other.expect_err("there is no such table"));
        assert_eq!(other.retry(), Retry::Never);
        sqlx::query("SELECT count(*) FROM t").execute(&mut conn).await.expect("reading goes on");
    }
}
