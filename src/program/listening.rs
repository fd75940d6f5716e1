//! Whether Slack can reach us, and what is done about the times in which it could not.
//!
//! Slack keeps events for a few tries and then forgets them. When it can reach us again, and at each start, what the events
//! would have said is read from the channels of open incidents. Until when everything was heard is noted in the database, so
//! that a start knows where to begin; replicas share the note, for what one of them heard was heard.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::FutureExt as _;
use tokio::sync::watch;

use super::acquaintance::BOT_KEY;
use crate::app::App;
use crate::ids::UserId;
use crate::slack::dispatch::{Dispatch, Found, Unread};
use crate::slack::limits::Method;
use crate::store::{self, settings};
use crate::worker::Worker;

/// Until when everything was heard, microseconds since 1970.
const HEARD_KEY: &str = "slack_heard_until";
/// How often that is noted.
const NOTE_EVERY: TimeDelta = TimeDelta::minutes(1);
/// How long after one look back another may follow: connections may come and go in quick succession.
const PAUSE: TimeDelta = TimeDelta::seconds(30);

/// The ear of one program; cheap to clone.
#[derive(Clone)]
pub struct Listening {
    app: App,
    dispatch: Dispatch,
    worker: Worker,
    state: Arc<watch::Sender<State>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct State {
    hears: bool,
    /// From when on something may have been missed that was not looked for yet.
    missed_since: Option<DateTime<Utc>>,
}

impl Listening {
    /// Deaf until it is told otherwise.
    pub(super) fn new(app: App, dispatch: Dispatch, worker: Worker) -> Self {
        Self { app, dispatch, worker, state: Arc::new(watch::Sender::new(State::default())) }
    }

    /// Takes note of whether Slack can reach us now.
    pub fn hears(&self, hears: bool) {
        let now = self.app.clock().now();
        self.state.send_if_modified(|state| {
            let changed = state.hears != hears;
            if state.hears && !hears {
                state.missed_since = Some(state.missed_since.map_or(now, |since| since.min(now)));
            }
            state.hears = hears;
            changed
        });
    }

    /// Looks back after each gap, until the task is dropped.
    pub async fn run(self) {
        while let Err(error) = self.remember().await {
            tracing::warn!(%error, "when Slack was last heard could not be read");
            self.app.clock().sleep(PAUSE).await;
        }
        let mut state = self.state.subscribe();
        loop {
            state.mark_unchanged();
            let pause = match self.catch_up().await {
                Ok(_) => {
                    if let Err(error) = self.note().await {
                        tracing::warn!(%error, "that Slack is heard could not be noted");
                    }
                    NOTE_EVERY
                }
                Err(error) => {
                    tracing::warn!(%error, "what Slack did not deliver could not be looked for; trying again");
                    PAUSE
                }
            };
            let clock = self.app.clock();
            let now = clock.now();
            tokio::select! {
                () = clock.sleep_until(now + pause) => {}
                _ = state.changed() => clock.sleep_until(now + pause.min(PAUSE)).await,
            }
        }
    }

    /// Takes over from what the program before has noted.
    pub async fn remember(&self) -> Result<(), store::Error> {
        if let Some(heard) = self.noted().await? {
            self.state.send_modify(|state| {
                state.missed_since = Some(state.missed_since.map_or(heard, |since| since.min(heard)));
            });
        }
        Ok(())
    }

    /// Looks for what was missed, if Slack can be heard again; what was found.
    ///
    /// # Errors
    /// If that should be tried again.
    pub async fn catch_up(&self) -> Result<Found, Unread> {
        let State { hears, missed_since } = *self.state.borrow();
        let (true, Some(since)) = (hears, missed_since) else { return Ok(Found::default()) };
        // A gap that begins while we look is another one.
        self.state.send_modify(|state| state.missed_since = None);
        let looked = self.look_back(since).await;
        if looked.is_err() {
            self.state.send_modify(|state| {
                state.missed_since = Some(state.missed_since.map_or(since, |later| later.min(since)));
            });
        }
        looked
    }

    async fn look_back(&self, since: DateTime<Utc>) -> Result<Found, Unread> {
        // What another replica has heard meanwhile was heard.
        let since = self.noted().await?.map_or(since, |heard| heard.max(since)).min(self.app.clock().now());
        let mut tx = self.app.db().read().await?;
        let ours = settings::get(&mut tx, BOT_KEY).await?.map(UserId::new);
        drop(tx);
        let turn = |method: Method| {
            let worker = self.worker.clone();
            async move { worker.wait_for_turn(method).await }.boxed()
        };
        let found = self.dispatch.look_back(since, ours.as_ref(), &turn).await?;
        if found.marked + found.followed > 0 {
            tracing::info!(
                marked = found.marked,
                followed = found.followed,
                since = %since.format("%H:%M:%S"),
                "what Slack had not delivered was read from the channels"
            );
        }
        Ok(found)
    }

    async fn noted(&self) -> Result<Option<DateTime<Utc>>, store::Error> {
        let mut tx = self.app.db().read().await?;
        let noted = settings::get(&mut tx, HEARD_KEY).await?.and_then(|us| us.parse().ok());
        Ok(noted.and_then(DateTime::<Utc>::from_timestamp_micros))
    }

    /// Notes that everything until now was heard, if that is so.
    pub async fn note(&self) -> Result<(), store::Error> {
        let now = self.app.clock().now();
        if *self.state.borrow() != (State { hears: true, missed_since: None }) {
            return Ok(());
        }
        let mut tx = self.app.db().write().await?;
        settings::set(&mut tx, HEARD_KEY, &now.timestamp_micros().to_string()).await?;
        tx.commit().await
    }
}
