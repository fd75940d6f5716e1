//! What all faces of the sandbox share: the locked workspace, the clock, the keys, and the ways out.
//!
//! The lock is never held across an await: [`Hub::with`] runs a closure and carries out what it set off.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tokio::sync::{Notify, broadcast, watch};

use super::delivery::Desk;
use super::journal::{Direction, Entry, EntryKind};
use super::live::{Change, Live};
use super::socket::Sockets;
use crate::clock::{Clock, lock};

/// The secrets the app and the workspace share.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    pub bot_token: String,
    pub app_token: String,
    pub signing_secret: String,
}

/// The middle of a running sandbox.
#[derive(Debug)]
pub(crate) struct Hub {
    pub clock: Clock,
    pub keys: Keys,
    pub live: Mutex<Live>,
    pub desk: Desk,
    pub sockets: Sockets,
    pub news: broadcast::Sender<Change>,
    pub dirty: Notify,
    pub http: reqwest::Client,
    /// The file that keeps the workspace; locked while it is written.
    pub file: Option<tokio::sync::Mutex<PathBuf>>,
    /// True once the sandbox is closing.
    pub closing: watch::Sender<bool>,
}

impl Hub {
    /// Runs `work` on the workspace at the present instant, then sends off the events and news it caused.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut Live) -> T) -> T {
        let mut live = lock(&self.live);
        live.now = self.clock.now();
        live.stretch = self.clock.speed().max(1.0);
        let result = work(&mut live);
        for body in std::mem::take(&mut live.outgoing) {
            if let Err(complaint) = self.desk.enqueue(body) {
                live.journal.complain(complaint);
            }
        }
        for change in std::mem::take(&mut live.changes) {
            // Nobody listening is fine.
            let _ = self.news.send(change);
        }
        if std::mem::take(&mut live.dirty) {
            self.dirty.notify_one();
        }
        result
    }

    /// Resolves when the sandbox closes.
    pub(crate) async fn closed(&self) {
        let mut closing = self.closing.subscribe();
        // An error means the hub is gone, which is closed as well.
        let _ = closing.wait_for(|closing| *closing).await;
    }

    /// Writes an exchange that the app did not begin into the journal.
    pub(crate) fn record(self: &Arc<Self>, entry: Entry) {
        self.with(|live| {
            live.journal.record(entry);
        });
    }

    /// An entry with nothing in it yet but its place and time.
    pub(crate) fn entry(&self, direction: Direction, kind: EntryKind, method: &str) -> Entry {
        Entry {
            n: 0,
            at: self.clock.now(),
            direction,
            kind,
            method: method.to_owned(),
            status: 0,
            ok: false,
            error: None,
            request: serde_json::Value::Null,
            response: serde_json::Value::Null,
            took_ms: 0,
        }
    }
}
