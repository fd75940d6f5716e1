//! Keeps replicas agreed on the time, and notices when somebody sets the machine's clock.
//!
//! Deadlines are instants, so a replica whose clock is off would page early or late. On PostgreSQL everybody takes the
//! database's clock: the offset is measured at the start, then each minute, and at once after a step. SQLite has one
//! process, whose machine's clock is the only one there is: a step is told, not corrected.

use std::time::Duration;

use chrono::TimeDelta;

use crate::app::App;
use crate::clock::{Clock, StepWatch, real_sleep};
use crate::store::{self, Db, Engine};

/// How often the machine's clock is compared with the time since boot.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Looks between two measurements of the offset.
const LOOKS_PER_MEASUREMENT: u32 = 60;
/// A change of the offset that is worth telling: more than drift and a slow answer explain.
const STEP_TOLD: TimeDelta = TimeDelta::seconds(1);

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
    let moved = corrected.follow(app.db().clock_offset().await?);
    if moved.abs() > STEP_TOLD {
        tracing::error!(
            moved_ms = moved.num_milliseconds(),
            "the clocks of this machine and of the database have moved apart; the database's is followed"
        );
    }
    Ok(moved)
}

/// Watches until the task is dropped.
pub(super) async fn run(app: App) {
    if !matches!(app.clock(), Clock::System | Clock::Corrected(_)) {
        std::future::pending::<()>().await;
    }
    let mut watch = StepWatch::begin();
    let mut looks = 0;
    loop {
        real_sleep(LOOK_EVERY).await;
        looks += 1;
        let step = watch.look();
        if let Some(step) = step {
            tracing::error!(
                step_ms = step.num_milliseconds(),
                "the clock of this machine was set; check its time service (NTP)"
            );
            app.wake();
        }
        if step.is_some() || looks >= LOOKS_PER_MEASUREMENT {
            looks = 0;
            if let Err(error) = agree(&app).await {
                tracing::warn!(%error, "the database's clock could not be read");
            }
        }
    }
}
