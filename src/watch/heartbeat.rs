//! The heartbeat that proves something: before the dead man's switch hears that all is well, a page to nobody goes the way
//! of every page.
//!
//! What one beat proves: the writer takes a job and makes it durable (first commit, the same flush to disk as a command's);
//! the worker's loop for pages runs, has a place free, and claims it by the same statement under a lease (second commit);
//! its report is taken, fenced by its attempt (third commit). What it does not prove: that timers fire, for they belong to
//! incidents; that is a condition beside it (the scheduler's last round, what is overdue, the auditor). Nor that Slack takes
//! a message: a page that Slack did not accept for a minute is another condition. Where several replicas share a database
//! any of them may perform the test, so the beat then speaks for all of them together.

use std::time::Duration;

use super::deadman::DeadMan;
use super::{Trouble, Watch};
use crate::clock::{instant_now, lock, real_sleep};
use crate::domain::effect::Effect;
use crate::ids::random_id;
use crate::metrics::{Pulse, unix_seconds};
use crate::store::audit::Passage;

/// How long the test may take; a replica that takes over needs a lease's time.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is looked whether the test has come through.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What became of one beat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Beat {
    /// All is well, and the switch, if there is one, has heard it.
    Sent,
    /// Something is wrong; the switch was not told that all is well.
    Degraded(Vec<Trouble>),
    /// All is well, but the switch did not hear it: the reason.
    Unreachable(String),
}

/// The heart of one program.
pub struct Heartbeat {
    watch: Watch,
    switch: Option<DeadMan>,
    patience: Duration,
}

impl Heartbeat {
    /// Without a switch the test is made all the same, for `/readyz` and the figures.
    pub fn new(watch: Watch, switch: Option<DeadMan>) -> Self {
        Self { watch, switch, patience: PATIENCE }
    }

    /// With another patience for the test.
    #[must_use]
    pub fn patient_for(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Beats until the task is dropped.
    pub async fn run(self, every: Duration) {
        let mut was_well = true;
        loop {
            let beat = self.beat().await;
            let is_well = beat == Beat::Sent;
            match &beat {
                Beat::Sent if !was_well => tracing::info!("the heartbeat is well again"),
                Beat::Sent => {}
                Beat::Degraded(troubles) => {
                    let why: Vec<String> = troubles.iter().map(ToString::to_string).collect();
                    tracing::error!(why = why.join(" "), "the heartbeat is not sent");
                }
                Beat::Unreachable(why) => tracing::warn!(why, "the heartbeat's address does not hear us"),
            }
            was_well = is_well;
            real_sleep(every).await;
        }
    }

    /// Tests, judges, and tells the switch.
    pub async fn beat(&self) -> Beat {
        let metrics = self.watch.app().metrics();
        let passed = self.self_test().await;
        *lock(&self.watch.inner.self_test_failed) = !passed;
        let troubles = self.watch.troubles().await;
        if !troubles.is_empty() {
            metrics.heartbeats.of((Pulse::Degraded,)).count();
            if let Some(switch) = &self.switch
                && let Err(why) = switch.failing().await
            {
                tracing::warn!(why, "the heartbeat's address does not hear that something is wrong");
            }
            return Beat::Degraded(troubles);
        }
        let heard = match &self.switch {
            Some(switch) => switch.alive().await,
            None => Ok(()),
        };
        match heard {
            Ok(()) => {
                metrics.heartbeats.of((Pulse::Sent,)).count();
                metrics.heartbeat_last_ok.set(unix_seconds(self.watch.app().clock().now()));
                Beat::Sent
            }
            Err(why) => {
                metrics.heartbeats.of((Pulse::Unreachable,)).count();
                Beat::Unreachable(why)
            }
        }
    }

    /// Sends a page to nobody; whether it came through in time.
    async fn self_test(&self) -> bool {
        let app = self.watch.app();
        let test = Effect::Canary { nonce: random_id() };
        let began = instant_now();
        match self.watch.send_test(&test, self.patience, LOOK_EVERY).await {
            Ok(Passage::Through) => {
                app.metrics().self_test.observe_real(began.elapsed());
                app.metrics().self_test_last_ok.set(unix_seconds(app.clock().now()));
                return true;
            }
            Ok(Passage::Waiting) => tracing::error!("a page to nobody did not come through in time"),
            Ok(Passage::GivenUp(why)) => tracing::error!(why, "a page to nobody was given up"),
            Err(error) => tracing::error!(%error, "a page to nobody could not be sent"),
        }
        false
    }
}
