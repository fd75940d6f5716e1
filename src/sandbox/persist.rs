//! Keeps the workspace across restarts: one JSON file, written beside and renamed, a moment after a change.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;

use super::hub::Hub;
use super::state::State;
use crate::clock::real_sleep;

/// How long changes gather before they are written.
const GATHER: Duration = Duration::from_millis(300);

/// The saved state; `None` if there is no file yet.
pub(crate) fn load(path: &Path) -> anyhow::Result<Option<State>> {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot read the workspace in {}", path.display())),
    };
    let state = serde_json::from_slice(&text)
        .with_context(|| format!("{} does not hold a sandbox workspace; remove it to start anew", path.display()))?;
    Ok(Some(state))
}

/// Writes the state, if it is kept at all, so that a crash leaves either the old file or the new one.
pub(crate) async fn save(hub: &Hub) -> anyhow::Result<()> {
    let Some(file) = &hub.file else { return Ok(()) };
    let path = file.lock().await;
    let text = hub.with(|live| serde_json::to_vec(&live.state)).context("the workspace cannot be written as JSON")?;
    let beside = path.with_extension("new");
    let place = || format!("cannot save the workspace to {}", path.display());
    tokio::fs::write(&beside, &text).await.with_context(place)?;
    tokio::fs::rename(&beside, &*path).await.with_context(place)
}

/// Saves after changes until the sandbox closes.
pub(crate) async fn run_saver(hub: Arc<Hub>) {
    loop {
        tokio::select! {
            () = hub.dirty.notified() => {}
            () = hub.closed() => return,
        }
        tokio::select! {
            () = real_sleep(GATHER) => {}
            () = hub.closed() => return,
        }
        if let Err(error) = save(&hub).await {
            tracing::warn!("{error:#}");
        }
    }
}
