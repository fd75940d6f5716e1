//! Test pages: every few hours a message into a channel of its own, through everything that a page needs of Slack.
//!
//! The self-test of the heartbeat ends before Slack; this one goes on: the token, its scopes, the channel, Slack's yes, and
//! whether the message is really there. Firebell answers it itself by editing it. When one fails, `/readyz` and the
//! heartbeat say so until one goes through again, which is tried more often then. The time of the last one is kept in
//! the database, so that neither restarts nor replicas make them more frequent.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::Watch;
use crate::clock::real_sleep;
use crate::domain::effect::Effect;
use crate::ids::random_id;
use crate::metrics::unix_seconds;
use crate::store::audit::Passage;
use crate::store::{self, settings};

/// Where the database keeps when the last one was sent, microseconds since 1970.
const SENT_AT: &str = "test_page_sent_at";
/// How long one may take: a first attempt, and a few more after pauses.
const PATIENCE: Duration = Duration::from_mins(2);
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// After a failure the next one is sent so soon.
const AGAIN_AFTER: TimeDelta = TimeDelta::minutes(10);
/// How often it is looked whether one is due.
const TICK: Duration = Duration::from_secs(30);

/// The test pages of one program.
pub struct TestPages {
    watch: Watch,
    every: TimeDelta,
    patience: Duration,
}

impl TestPages {
    pub fn new(watch: Watch, every: TimeDelta) -> Self {
        Self { watch, every, patience: PATIENCE }
    }

    /// With another patience for each.
    #[must_use]
    pub fn patient_for(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Sends them when they are due, until the task is dropped.
    pub async fn run(self) {
        loop {
            if let Err(error) = self.send_if_due().await {
                tracing::error!(%error, "no test page could be sent");
            }
            real_sleep(TICK).await;
        }
    }

    /// Sends one if it is time and there is a channel for them; whether that was so.
    ///
    /// # Errors
    /// If the database does not say when the last one was.
    pub async fn send_if_due(&self) -> Result<bool, store::Error> {
        let (app, metrics) = (self.watch.app(), self.watch.app().metrics());
        if app.roster().test_page_in.is_none() {
            metrics.test_page_failed.set(0.0);
            return Ok(false);
        }
        let now = app.clock().now();
        let every = if metrics.test_page_failed.get() > 0.0 { self.every.min(AGAIN_AFTER) } else { self.every };
        if !self.take_turn(now, app.clock().stretched(every)).await? {
            return Ok(false);
        }
        let test = Effect::TestPage { nonce: random_id() };
        let why = match self.watch.send_test(&test, self.patience, LOOK_EVERY).await {
            Ok(Passage::Through) => {
                metrics.test_page_failed.set(0.0);
                metrics.test_page_last_ok.set(unix_seconds(app.clock().now()));
                return Ok(true);
            }
            Ok(Passage::Waiting) => "it did not come through in time".to_owned(),
            Ok(Passage::GivenUp(why)) => why,
            Err(error) => error.to_string(),
        };
        tracing::error!(why, "a test page did not go through Slack");
        metrics.test_page_failed.set(1.0);
        Ok(true)
    }

    /// Whether the next one is ours to send now; then nobody else sends it.
    async fn take_turn(&self, now: DateTime<Utc>, every: TimeDelta) -> Result<bool, store::Error> {
        let mut tx = self.watch.app().db().write().await?;
        let last = settings::get(&mut tx, SENT_AT).await?.and_then(|us| us.parse().ok());
        let last = last.and_then(DateTime::<Utc>::from_timestamp_micros);
        // A time to come was written by a clock that has been set back since.
        if last.is_some_and(|last| last <= now && now - last < every) {
            return Ok(false);
        }
        settings::set(&mut tx, SENT_AT, &now.timestamp_micros().to_string()).await?;
        tx.commit().await?;
        Ok(true)
    }
}
