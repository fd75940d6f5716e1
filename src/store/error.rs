//! What can go wrong with the store, each with the way out, and whether trying again helps.

use std::path::PathBuf;
use std::time::Duration;

use crate::ids::IncidentId;

/// A failure of the store. At start it is shown to the person who starts the program.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "the database URL starts with \"{scheme}:\", which is neither SQLite nor PostgreSQL. \
         Write sqlite:<path> or postgres://user:password@host/database."
    )]
    UnknownUrl { scheme: String },
    #[error("the database URL cannot be read: {why}. Write sqlite:<path> or postgres://user:password@host/database.")]
    BadUrl { why: String },

    #[error("there is no directory {directory} for the database {path}. Create it, or name another place.")]
    DirectoryMissing { directory: PathBuf, path: PathBuf },
    #[error("{path} is a directory. Name a file in it, such as sqlite:{path}/firebell.db.")]
    IsDirectory { path: PathBuf },
    #[error(
        "the database {path} cannot be written. Give this user write permission on the file, on its directory, and on \
         the files beside it that end in -wal and -shm."
    )]
    ReadOnly { path: PathBuf },
    #[error("the database {path} cannot be opened: {why}. Check the file and its directory, or name another place.")]
    CannotOpen { path: PathBuf, why: String },
    #[error(
        "{path} is not a SQLite database, or its beginning is destroyed. It was left as it is. \
         Name another file, or restore it from a backup."
    )]
    NotADatabase { path: PathBuf },
    #[error("{path} is the database of another program. It was left as it is. Name another file.")]
    Foreign { path: PathBuf },
    #[error(
        "the database {path} is damaged: {why}. Stop Firebell, keep a copy of the file with those beside it that end in \
         -wal and -shm, and restore a backup; `sqlite3 {path} .recover` may save more."
    )]
    DamagedFile { path: PathBuf, why: String },
    #[error(
        "the database {path} has been locked by another process for more than 5 s. \
         End that process (a backup, a sqlite3 shell?) and start again."
    )]
    Locked { path: PathBuf },
    #[error(
        "the disk that holds the database {path} is full. Make room there; with Restart=always it starts by itself then."
    )]
    NoRoom { path: PathBuf },
    #[error(
        "SQLite {found} can corrupt a database in WAL mode; 3.51.3 is the first release without that error. \
         Build Firebell with its bundled SQLite."
    )]
    SqliteTooOld { found: String },

    #[error(
        "the database {path} cannot be read by this user: {why}. Give the user permission to read the file, or copy it, \
         with those beside it that end in -wal and -shm, to a directory of theirs."
    )]
    Unreadable { path: PathBuf, why: String },
    #[error(
        "the database was made by an older Firebell: {pending} migrations are still to be applied. \
         Start `firebell serve` on it once."
    )]
    OlderSchema { pending: usize },

    #[error("PostgreSQL at {server} cannot be reached: {why}. Check that it runs and that host and port are right.")]
    Unreachable { server: String, why: String },
    #[error("PostgreSQL at {server} refused the login: {why}. Check the user and the password in the database URL.")]
    LoginRefused { server: String, why: String },
    #[error("PostgreSQL at {server} has no such database. Create it: createdb {database}")]
    NoSuchDatabase { server: String, database: String },
    #[error("PostgreSQL at {server} is version {found}; Firebell needs {needed} or newer. Upgrade the server.")]
    PostgresTooOld { server: String, found: String, needed: u32 },

    #[error(
        "the database has schema {found}, but this Firebell knows only up to {known}: a newer Firebell has used it. \
         Start that version, or restore the backup from before the upgrade."
    )]
    NewerSchema { found: i64, known: i64 },
    #[error(
        "the database was made by a Firebell whose migration {version} differs from ours. \
         Use a released version of Firebell."
    )]
    ForeignSchema { version: i64 },
    #[error("the database could not be brought up to date; it is as it was before: {0}")]
    Migration(#[source] Box<sqlx::migrate::MigrateError>),

    #[error("row {row} of {table} cannot be understood: {why}. Run `firebell verify`, and restore a backup.")]
    DamagedRow { table: &'static str, row: String, why: String },
    #[error(
        "INC-{number} was last changed by a newer Firebell (engine {found}, this one has {known}) and is left to that one. \
         Start the newer version here too."
    )]
    NewerEngine { number: i64, found: u32, known: u32 },
    #[error("another replica has just done the same")]
    Raced,
    #[error("there is no incident with the id {0}")]
    NoSuchIncident(IncidentId),
    #[error("the database is busy: another process has locked it for more than 5 s")]
    Busy,
    #[error("the disk of the database is full; nothing was written")]
    Full,
    #[error("the database can only be read at present; nothing was written")]
    Unwritable,
    #[error("the database failed: {0}")]
    Sql(#[source] sqlx::Error),
}

/// Whether the same transaction may succeed if it is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// It lost a race; nothing of it remains.
    Now,
    /// Something must recover first. After a lost connection the outcome of a commit is unknown.
    After(Duration),
    Never,
}

impl Error {
    pub(super) fn damaged(table: &'static str, row: impl std::fmt::Display, why: impl Into<String>) -> Self {
        Self::DamagedRow { table, row: row.to_string(), why: why.into() }
    }

    /// Whether to try the transaction again.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Raced => Retry::Now,
            Self::Busy | Self::Locked { .. } => Retry::After(Duration::from_millis(100)),
            Self::Unreachable { .. } | Self::Unwritable => Retry::After(Duration::from_secs(1)),
            Self::Full | Self::NoRoom { .. } => Retry::After(Duration::from_secs(5)),
            Self::Sql(error) => retry_sql(error),
            Self::UnknownUrl { .. }
            | Self::BadUrl { .. }
            | Self::DirectoryMissing { .. }
            | Self::IsDirectory { .. }
            | Self::ReadOnly { .. }
            | Self::CannotOpen { .. }
            | Self::NotADatabase { .. }
            | Self::Foreign { .. }
            | Self::DamagedFile { .. }
            | Self::SqliteTooOld { .. }
            | Self::LoginRefused { .. }
            | Self::NoSuchDatabase { .. }
            | Self::PostgresTooOld { .. }
            | Self::Unreadable { .. }
            | Self::OlderSchema { .. }
            | Self::NewerSchema { .. }
            | Self::ForeignSchema { .. }
            | Self::Migration(_)
            | Self::DamagedRow { .. }
            | Self::NewerEngine { .. }
            | Self::NoSuchIncident(_) => Retry::Never,
        }
    }

    /// Whether a newer program looks after it.
    pub fn is_left_to_newer(&self) -> bool {
        matches!(self, Self::NewerEngine { .. })
    }

    /// Whether somebody else wrote the same unique thing first: the same open alert, the same waiting effect.
    pub fn is_unique_violation(&self) -> bool {
        matches!(self, Self::Sql(sqlx::Error::Database(error)) if error.is_unique_violation())
    }
}

fn retry_sql(error: &sqlx::Error) -> Retry {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::WorkerCrashed => {
            Retry::After(Duration::from_secs(1))
        }
        sqlx::Error::Database(error) if error.is_unique_violation() => Retry::Now,
        sqlx::Error::Database(error) => match error.code().as_deref() {
            // serialization_failure, deadlock_detected
            Some("40001" | "40P01") => Retry::Now,
            // Class 53: out of connections, memory or disk; class 57: the server stops or starts.
            Some(code) if code.len() == 5 && (code.starts_with("53") || code.starts_with("57P")) => {
                Retry::After(Duration::from_secs(1))
            }
            // SQLITE_IOERR with its details.
            Some(code) if sqlite_code(code) == Some(10) => Retry::After(Duration::from_secs(1)),
            _ => Retry::Never,
        },
        _ => Retry::Never,
    }
}

/// The primary result code of an extended SQLite code; PostgreSQL's have five characters.
fn sqlite_code(code: &str) -> Option<u32> {
    (code.len() < 5).then(|| code.parse::<u32>().ok()).flatten().map(|code| code & 0xff)
}

/// The primary result code if it is SQLite that failed.
pub(super) fn primary_code(error: &sqlx::Error) -> Option<u32> {
    sqlite_code(&error.as_database_error()?.code()?)
}

/// Whether SQLite found no room: for the file and its log, or for the memory that it shares beside them
/// (`SQLITE_IOERR_SHMSIZE`).
pub(super) fn is_full(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    primary_code(error) == Some(13) || code.as_deref() == Some("4874")
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match primary_code(&error) {
            _ if is_full(&error) => Self::Full,
            Some(5 | 6) => Self::Busy,
            Some(8) => Self::Unwritable,
            _ => match error.as_database_error().and_then(sqlx::error::DatabaseError::code).as_deref() {
                Some("53100") => Self::Full,
                // read_only_sql_transaction: a standby, or set so.
                Some("25006") => Self::Unwritable,
                _ => Self::Sql(error),
            },
        }
    }
}
