//! Keeps replicas agreed on the time, and notices when somebody sets the machine's clock.
//!
//! Deadlines are instants, so a replica whose clock is off would page early or late. On PostgreSQL everybody takes the
//! database's clock: the offset is measured at the start, then each minute, and at once after a step. SQLite has one
//! process, whose machine's clock is the only one there is, and which is not corrected: people, Slack's signatures and
//! the log all go by it. When it is set back, everything that is due moves back with it, so that a page is as far away as
//! before; when it is set forward, everything is due that the new time says is due. So something is due as soon as either
//! the wall clock or the time since boot says so. Every open incident tells of it.

use std::time::Duration;

use chrono::TimeDelta;
use futures_util::future::join_all;

use crate::app::{App, Error, Request, Target};
use crate::clock::{Clock, StepWatch, real_sleep};
use crate::domain::command::Command;
use crate::domain::event::Actor;
use crate::ids::IncidentId;
use crate::store::{self, Db, Engine, audit, settings};

/// Where the clock is noted each minute, for a process that comes after a step.
const CLOCK_KEY: &str = "clock_seen";
/// How often the machine's clock is compared with the time since boot.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Looks between two measurements of the offset.
const LOOKS_PER_MEASUREMENT: u32 = 60;
/// A change of the offset that is worth telling: more than drift and a slow answer explain.
const STEP_TOLD: TimeDelta = TimeDelta::seconds(1);
/// Open incidents without a timer that tell of a step, the newest; those with a timer all do.
const TOLD_MAX: u32 = 200;
const NOT_TOLD: &str = "an incident could not be told that the clock was set";
/// Incidents that are told together.
const TOLD_AT_ONCE: usize = 512;

/// The clock by which the program lives: the database's, where several programs may share it.
pub(super) async fn shared_clock(db: &Db, clock: Clock) -> Result<Clock, store::Error> {
    match (db.engine(), &clock) {
        (Engine::Postgres, Clock::System) => Ok(Clock::corrected(db.clock_offset().await?)),
        (Engine::Postgres | Engine::Sqlite, _) => Ok(clock),
    }
}

/// Measures the database's clock anew and follows it; by how much that moved ours. Nothing for a clock that follows none.
pub async fn agree(app: &App) -> Result<TimeDelta, store::Error> {
    let Clock::Corrected(corrected) = app.clock() else { return Ok(TimeDelta::zero()) };
    let offset = app.db().clock_offset().await?;
    app.metrics().clock_db_skew.set_span(offset);
    let moved = corrected.follow(offset);
    if moved.abs() > STEP_TOLD {
        tracing::error!(
            moved_ms = moved.num_milliseconds(),
            "the clocks of this machine and of the database have moved apart; the database's is followed"
        );
    }
    Ok(moved)
}

/// Watches until the task is dropped.
pub(crate) async fn run(app: App) {
    if !matches!(app.clock(), Clock::System | Clock::Corrected(_)) {
        std::future::pending::<()>().await;
    }
    let mut watch = StepWatch::begin();
    let mut looks = 0;
    let mut steps: Vec<Step> = Vec::new();
    // The machine's clock is ours on SQLite alone, and so is a step that came while we did not run.
    let alone = app.db().engine() == Engine::Sqlite;
    let mut to_note = alone;
    if alone && let Some(step) = missed(&app, &watch).await {
        told(step);
        steps.push(Step::noticed(&app, step));
    }
    loop {
        looks += 1;
        let step = watch.look();
        if let Some(step) = step {
            told(step);
            steps.push(Step::noticed(&app, step));
            app.wake();
        }
        if step.is_some() || looks >= LOOKS_PER_MEASUREMENT {
            looks = 0;
            to_note = alone;
            match agree(&app).await {
                Ok(moved) if step.is_none() && moved.abs() > STEP_TOLD => steps.push(Step::noticed(&app, moved)),
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "the database's clock could not be read"),
            }
        }
        while let Some(step) = steps.first_mut() {
            if let Err(error) = step.follow(&app).await {
                tracing::error!(%error, "deadlines could not follow the clock yet; trying again");
                break;
            }
            steps.remove(0);
        }
        if to_note && steps.is_empty() {
            to_note = false;
            if let Err(error) = note(&app, &watch).await {
                tracing::warn!(%error, "what the clock shows could not be noted");
            }
        }
        real_sleep(LOOK_EVERY).await;
    }
}

fn told(step: TimeDelta) {
    tracing::error!(
        step_ms = step.num_milliseconds(),
        "the clock of this machine was set; check its time service (NTP)"
    );
}

/// By how much the clock was set since our last note of it.
async fn missed(app: &App, watch: &StepWatch) -> Option<TimeDelta> {
    let mut tx = app.db().read().await.ok()?;
    watch.since(&settings::get(&mut tx, CLOCK_KEY).await.ok()??)
}

async fn note(app: &App, watch: &StepWatch) -> Result<(), store::Error> {
    let Some(note) = watch.note() else { return Ok(()) };
    let mut tx = app.db().write().await?;
    settings::set(&mut tx, CLOCK_KEY, &note).await?;
    tx.commit().await
}

/// Has everything follow a step of the machine's clock, which shows the new time already.
///
/// # Errors
/// If the database did not take it; what was done until then stands.
pub async fn clock_was_set(app: &App, step: TimeDelta) -> Result<(), Error> {
    Step::noticed(app, step).follow(app).await
}

/// A step on its way into the record, done in parts that are each done once.
struct Step {
    by: TimeDelta,
    deadlines: TimeDelta,
    outbox_moved: bool,
    /// Who is still to be told; `None` before that is known.
    left: Option<Vec<IncidentId>>,
}

impl Step {
    fn noticed(app: &App, step: TimeDelta) -> Self {
        app.metrics().clock_jumps.count();
        app.metrics().clock_jump.set_span(step);
        // A clock that follows the database's is as right as before.
        let shared = matches!(app.clock(), Clock::Corrected(_));
        let deadlines = if shared || step >= TimeDelta::zero() { TimeDelta::zero() } else { step };
        Self { by: step, deadlines, outbox_moved: false, left: None }
    }

    async fn follow(&mut self, app: &App) -> Result<(), Error> {
        if !self.deadlines.is_zero() && !self.outbox_moved {
            let mut tx = app.db().write().await?;
            audit::follow_clock_back(&mut tx, app.clock().now(), self.deadlines).await?;
            tx.commit().await?;
            self.outbox_moved = true;
        }
        if self.left.is_none() {
            let mut tx = app.db().read().await?;
            self.left = Some(audit::told_of_time(&mut tx, TOLD_MAX).await?);
        }
        let (step, deadlines) = (self.by, self.deadlines);
        let left = self.left.get_or_insert_default();
        while !left.is_empty() {
            let batch = left.split_off(left.len().saturating_sub(TOLD_AT_ONCE));
            let told = batch.iter().map(|id| {
                app.handle(Request {
                    key: None,
                    actor: Actor::Firebell,
                    target: Target::Incident(*id),
                    command: Command::ClockSet { step, deadlines },
                    inside: true,
                })
            });
            let mut failed = None;
            for (id, outcome) in batch.iter().zip(join_all(told).await) {
                match outcome {
                    // One that cannot be read must not keep the others from it.
                    Err(error @ Error::Broken { .. }) => tracing::error!(%error, "{NOT_TOLD}"),
                    Err(Error::Store(error)) if error.retry() == store::Retry::Never => {
                        tracing::error!(%error, "{NOT_TOLD}");
                    }
                    Err(error) => {
                        left.push(*id);
                        failed = Some(error);
                    }
                    Ok(_) => {}
                }
            }
            if let Some(error) = failed {
                return Err(error);
            }
        }
        app.wake();
        Ok(())
    }
}
