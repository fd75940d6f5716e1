//! What the store promises, on SQLite and PostgreSQL alike: every test runs on both.

use std::ops::Deref;

use firebell::clock::Clock;
use firebell::store::{Db, Engine};
use sqlx::{Connection, Executor, PgConnection, SqliteConnection};

use crate::support::postgres;

mod chain;
mod directory;
mod incidents;
mod migrations;
mod outbox;
mod said;
pub(crate) mod samples;
mod timers;

/// An empty database of one test.
pub(crate) struct TestDb {
    pub(crate) db: Db,
    pub(crate) url: String,
    /// Where the SQLite file is.
    directory: Option<tempfile::TempDir>,
}

impl Deref for TestDb {
    type Target = Db;

    fn deref(&self) -> &Db {
        &self.db
    }
}

impl TestDb {
    pub(crate) async fn sqlite() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let url = format!("sqlite:{}/firebell.db", directory.path().display());
        Self { db: open(&url).await, url, directory: Some(directory) }
    }

    /// `None` where PostgreSQL is not installed.
    pub(crate) async fn postgres() -> Option<Self> {
        let url = postgres::database().await?;
        Some(Self { db: open(&url).await, url, directory: None })
    }

    /// Runs statements past the store, on a connection of their own.
    pub(crate) async fn raw(&self, statements: &[&'static str]) -> Result<(), sqlx::Error> {
        match self.db.engine() {
            Engine::Sqlite => {
                let mut conn = SqliteConnection::connect(&self.url).await?;
                for statement in statements {
                    conn.execute(*statement).await?;
                }
                conn.close().await
            }
            Engine::Postgres => {
                let mut conn = PgConnection::connect(&self.url).await?;
                for statement in statements {
                    conn.execute(*statement).await?;
                }
                conn.close().await
            }
        }
    }

    pub(crate) async fn remove(self) {
        self.db.close().await;
        if let Some(directory) = self.directory {
            directory.close().expect("is ours");
        }
    }
}

pub(crate) async fn open(url: &str) -> Db {
    Db::open(url, &Clock::manual(samples::at(0))).await.expect("opens")
}

/// Runs each function named on both engines, as tests `sqlite::<name>` and `postgres::<name>`.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let db = crate::store_contract::TestDb::sqlite().await;
                super::$name(&db).await;
                db.remove().await;
            })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                if let Some(db) = crate::store_contract::TestDb::postgres().await {
                    super::$name(&db).await;
                    db.remove().await;
                }
            })+
        }
    };
}
pub(crate) use on_both;
