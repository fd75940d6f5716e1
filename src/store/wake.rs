//! Tells who waits for work that there is some: within the process, and on PostgreSQL between replicas.

use std::time::Duration;

use sqlx::postgres::PgListener;
use sqlx::{Postgres, Transaction};
use tokio::sync::watch;

use super::Error;
use crate::clock::real_sleep;

/// The channel of `NOTIFY`; each database has its own.
pub(super) const CHANNEL: &str = "firebell_wake";
/// How long to wait after a failed connection before the next one.
const RECONNECT_AFTER: Duration = Duration::from_secs(1);

/// Sends a wake to all replicas, delivered if and when the transaction commits.
pub(super) async fn notify(conn: &mut Transaction<'static, Postgres>) -> Result<(), Error> {
    sqlx::query("SELECT pg_notify($1, '')").bind(CHANNEL).execute(&mut **conn).await?;
    Ok(())
}

/// Wakes as they come. One wake may stand for several; a lost connection counts as one, so nothing is missed.
#[derive(Debug)]
pub struct Wakes {
    local: watch::Receiver<u64>,
    remote: Option<PgListener>,
}

impl Wakes {
    pub(super) fn local(local: watch::Receiver<u64>) -> Self {
        Self { local, remote: None }
    }

    pub(super) fn postgres(local: watch::Receiver<u64>, remote: PgListener) -> Self {
        Self { local, remote: Some(remote) }
    }

    /// Waits until there may be something to do. Safe to drop and call again.
    pub async fn next(&mut self) {
        let Some(remote) = &mut self.remote else {
            if self.local.changed().await.is_err() {
                // The database was closed: nothing will ever come.
                std::future::pending::<()>().await;
            }
            return;
        };
        tokio::select! {
            changed = self.local.changed() => if changed.is_err() {
                std::future::pending::<()>().await;
            },
            received = remote.try_recv() => if received.is_err() {
                real_sleep(RECONNECT_AFTER).await;
            },
        }
    }
}
