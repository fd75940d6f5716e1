//! What Firebell remembers: SQLite inside, or PostgreSQL when several replicas are wanted.
//!
//! One copy of each query runs on both (see `tx`). A module per table holds plain functions over a transaction; rules of
//! the product are not here, and neither is the present time: every instant is bound by the caller.
//!
//! Order of locks, everywhere: incidents (by id) → counters → everything else.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::sync::watch;

use crate::clock::Clock;

pub mod alerts;
pub mod audit;
pub mod batch;
pub mod captures;
pub mod chain;
pub mod counters;
mod error;
pub mod history;
pub mod inbox;
pub mod incidents;
pub mod look;
pub mod openings;
pub mod outbox;
pub mod people;
mod postgres;
mod reserve;
pub mod said;
pub mod settings;
mod sqlite;
pub mod substitutes;
pub mod timers;
pub mod traces;
mod tx;
mod wake;

pub use error::{Error, Retry};
pub use tx::Tx;
pub use wake::Wakes;

/// How long a transaction waits for a lock of another process or for a free connection before it fails.
pub const BUSY_MS_MAX: u64 = 5_000;
const BUSY_MAX: Duration = Duration::from_millis(BUSY_MS_MAX);

/// Which database system holds the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// An open database, cheap to clone. Its schema is the newest that this program knows.
#[derive(Clone, Debug)]
pub struct Db {
    place: Place,
    clock: Clock,
    wake: Arc<watch::Sender<u64>>,
}

#[derive(Clone, Debug)]
enum Place {
    Sqlite(sqlite::Files),
    Postgres(postgres::Server),
}

impl Db {
    /// Opens the database at `url`, `sqlite:<path>` or `postgres://…`, and brings its schema up to date. A SQLite file
    /// is created if its directory exists.
    ///
    /// Fails with a sentence that says what to do: for a missing directory, a file that cannot be written, is locked,
    /// damaged or something else, an unreachable or old server, and a schema newer than this program.
    pub async fn open(url: &str, clock: &Clock) -> Result<Self, Error> {
        let place = if let Some(path) = sqlite::path_in(url) {
            Place::Sqlite(sqlite::Files::open(path?).await?)
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            Place::Postgres(postgres::Server::open(url).await?)
        } else {
            return Err(Error::UnknownUrl { scheme: url.split(':').next().unwrap_or_default().to_owned() });
        };
        Ok(Self { place, clock: clock.clone(), wake: Arc::new(watch::Sender::new(0)) })
    }

    /// Opens a SQLite file whose schema is the newest, without looking whether it is, and without flushing to the disk:
    /// a simulation kills processes, not machines.
    #[cfg(test)]
    pub(crate) async fn open_unsynced(path: std::path::PathBuf, clock: &Clock) -> Result<Self, Error> {
        let place = Place::Sqlite(sqlite::Files::open_unsynced(path).await?);
        Ok(Self { place, clock: clock.clone(), wake: Arc::new(watch::Sender::new(0)) })
    }

    /// As a full disk: what needs more room is refused, once.
    #[cfg(test)]
    pub(crate) async fn leave_no_room(&self) {
        match &self.place {
            Place::Sqlite(files) => files.leave_no_room().await,
            Place::Postgres(_) => unimplemented!("a full server is tested elsewhere"),
        }
    }

    /// Opens the database at `url` for reading alone: no schema is brought up to date, no file made, and no permission to
    /// write is needed.
    ///
    /// Fails as [`Db::open`], and with [`Error::OlderSchema`] where migrations are still to be applied.
    pub async fn open_to_read(url: &str, clock: &Clock) -> Result<Self, Error> {
        let place = if let Some(path) = sqlite::path_in(url) {
            Place::Sqlite(sqlite::Files::open_to_read(path?).await?)
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            Place::Postgres(postgres::Server::open_to_read(url).await?)
        } else {
            return Err(Error::UnknownUrl { scheme: url.split(':').next().unwrap_or_default().to_owned() });
        };
        Ok(Self { place, clock: clock.clone(), wake: Arc::new(watch::Sender::new(0)) })
    }

    /// Begins a transaction that may write. On SQLite there is one at a time; the others wait for their turn.
    pub async fn write(&self) -> Result<Tx, Error> {
        #[cfg(test)]
        let turn = crate::simulation::turn(crate::simulation::Access::Write).await?;
        let tx = match &self.place {
            Place::Sqlite(files) => Tx::sqlite(files.write().await?, &self.wake),
            Place::Postgres(server) => Tx::postgres(server.write().await?, &self.wake),
        };
        #[cfg(test)]
        let tx = tx.within(turn);
        Ok(tx)
    }

    /// Begins a transaction that only reads: one consistent picture, which never waits for a writer.
    pub async fn read(&self) -> Result<Tx, Error> {
        #[cfg(test)]
        let turn = crate::simulation::turn(crate::simulation::Access::Read).await?;
        let tx = match &self.place {
            Place::Sqlite(files) => Tx::sqlite(files.read().await?, &self.wake),
            Place::Postgres(server) => Tx::postgres(server.read().await?, &self.wake),
        };
        #[cfg(test)]
        let tx = tx.within(turn);
        Ok(tx)
    }

    pub fn engine(&self) -> Engine {
        match &self.place {
            Place::Sqlite(_) => Engine::Sqlite,
            Place::Postgres(_) => Engine::Postgres,
        }
    }

    /// Where the data is, for people and logs: a path, or `user@host:port/database`; never a password.
    pub fn location(&self) -> String {
        match &self.place {
            Place::Sqlite(files) => files.path().display().to_string(),
            Place::Postgres(server) => server.name().to_owned(),
        }
    }

    /// Wakes whenever timers or waiting effects were committed: by this process, and on PostgreSQL by any other.
    pub async fn listen(&self) -> Result<Wakes, Error> {
        match &self.place {
            Place::Sqlite(_) => Ok(Wakes::local(self.wake.subscribe())),
            Place::Postgres(server) => Ok(Wakes::postgres(self.wake.subscribe(), server.listener().await?)),
        }
    }

    /// How far the database's clock is ahead of this machine's, so that replicas can agree on the time. Nothing for
    /// SQLite and under a clock that is not the machine's.
    pub async fn clock_offset(&self) -> Result<TimeDelta, Error> {
        match (&self.place, &self.clock) {
            (Place::Postgres(server), Clock::System) => server.clock_offset(&self.clock).await,
            (Place::Sqlite(_), _) | (Place::Postgres(_), Clock::Corrected(_) | Clock::Manual(_) | Clock::Paced(_)) => {
                Ok(TimeDelta::zero())
            }
        }
    }

    /// Reads every page of a SQLite file and checks its structure, which takes seconds for a large file; asks a
    /// PostgreSQL server whether it answers.
    pub async fn check(&self) -> Result<(), Error> {
        match &self.place {
            Place::Sqlite(files) => files.check().await,
            Place::Postgres(server) => server.check().await,
        }
    }

    /// Keeps a little room beside a SQLite file for a start on a full disk, where there is enough.
    pub async fn keep_reserve(&self) {
        if let Place::Sqlite(files) = &self.place {
            let path = files.path().to_owned();
            // Whatever becomes of it: all works without.
            let _ = tokio::task::spawn_blocking(move || reserve::keep(&path)).await;
        }
    }

    /// Overwrites what deleted rows have left in the files, as far as that can be done beside other programs. What is left to
    /// be done by hand, as a sentence.
    pub async fn scrub(&self) -> Result<Option<String>, Error> {
        match &self.place {
            Place::Sqlite(files) => files.scrub().await,
            Place::Postgres(server) => server.scrub().await,
        }
    }

    /// Waits for transactions under way and closes all connections.
    pub async fn close(&self) {
        match &self.place {
            Place::Sqlite(files) => files.close().await,
            Place::Postgres(server) => server.close().await,
        }
    }
}
