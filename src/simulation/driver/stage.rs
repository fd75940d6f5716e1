//! Where seeds are played: one database for each thread.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::clock::Clock;
use crate::simulation::outside::CANARY;
use crate::simulation::records::Records;
use crate::simulation::{left, server};
use crate::slack::{Slack, SlackConfig};
use crate::store::Db;

static TEMPLATE: OnceLock<Vec<u8>> = OnceLock::new();

/// What a thread needs for any number of runs: one database, emptied before each, so that every statement is prepared once.
pub(in crate::simulation) struct Stage {
    pub(super) runtime: tokio::runtime::Runtime,
    pub(super) slack: Slack,
    pub(super) db: Db,
    pub(super) records: Option<Records>,
    pub(super) folder: tempfile::TempDir,
    _log: tracing::subscriber::DefaultGuard,
}

impl Stage {
    pub(in crate::simulation) fn new() -> Self {
        // Without I/O: whoever waits for SQLite's thread is then woken in the quickest way.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let folder = folder.expect("a folder");
        let file = folder.path().join("run.db");
        let (db, records) = runtime.block_on(async {
            template().await;
            std::fs::write(&file, TEMPLATE.get().expect("was just made")).expect("there is room");
            let db = Db::open_unsynced(file.clone(), &Clock::System).await.expect("opens");
            (db, Records::of_file(&file).await)
        });
        Self::with(runtime, folder, db, records)
    }

    /// On a PostgreSQL server that is thrown away afterwards; `None` where there is none.
    pub(in crate::simulation) fn on_postgresql() -> Option<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (db, records) = runtime.block_on(async {
            let url = server::database().await?;
            let db = Db::open(&url, &Clock::System).await.expect("opens");
            Some((db, Records::of_server(&url).await))
        })?;
        let folder = tempfile::tempdir().expect("a folder");
        Some(Self::with(runtime, folder, db, records))
    }

    fn with(runtime: tokio::runtime::Runtime, folder: tempfile::TempDir, db: Db, records: Records) -> Self {
        let config = SlackConfig {
            api_url: "http://127.0.0.1:9/api".into(),
            ..SlackConfig::new(format!("xoxb-{CANARY}").into())
        };
        let slack = Slack::new(config).expect("a client");
        Self { runtime, slack, db, records: Some(records), folder, _log: left::listen() }
    }
}

/// A database with the newest schema and nothing in it, made once.
async fn template() {
    if TEMPLATE.get().is_some() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file: PathBuf = folder.path().join("template.db");
    let db = Db::open(&format!("sqlite:{}", file.display()), &Clock::System).await.expect("opens");
    db.close().await;
    let _ = TEMPLATE.set(std::fs::read(&file).expect("was just made"));
}
