//! The only timer loop: turns what is due into commands.
//!
//! It sleeps until the next due instant, never longer than a second, so that a changed clock or another replica's timer
//! cannot delay a page. It decides nothing: a stale timer is a command that yields no events.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;

use crate::app::{App, Error, Request, Target};
use crate::clock::{instant_now, real_sleep};
use crate::crash::{self, Point};
use crate::domain::command::Command;
use crate::domain::event::Actor;
use crate::metrics::unix_seconds;
use crate::planted::{self, Bug};
use crate::store::timers;

/// Timers that are fired together at most.
const TIMERS_AT_ONCE: u32 = 1_024;
/// The longest sleep.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Fires timers until the task is dropped.
pub async fn run(app: App) {
    loop {
        let next = match tick(&app).await {
            // One that stays due, because it cannot be read or fired, must not keep us spinning.
            Ok(next) => next.filter(|next| *next > app.clock().now()).unwrap_or(DateTime::<Utc>::MAX_UTC),
            Err(error) => {
                tracing::error!(%error, "due timers could not be read or fired; trying again");
                DateTime::<Utc>::MAX_UTC
            }
        };
        tokio::select! {
            biased;
            () = app.clock().sleep_until(next) => {}
            () = app.timers_changed() => {}
            () = real_sleep(LOOK_EVERY) => {}
        }
    }
}

/// Fires everything that is due now; returns when the next timer is due.
pub async fn tick(app: &App) -> Result<Option<DateTime<Utc>>, Error> {
    let began = instant_now();
    let next = fire(app).await?;
    app.metrics().scheduler_tick.observe_real(began.elapsed());
    app.metrics().scheduler_last_ok.set(unix_seconds(app.clock().now()));
    Ok(next)
}

async fn fire(app: &App) -> Result<Option<DateTime<Utc>>, Error> {
    loop {
        let now = app.clock().now();
        let mut tx = app.db().read().await?;
        let mut due = timers::due(&mut tx, now, TIMERS_AT_ONCE).await?;
        if planted::active(Bug::LostTimers) {
            due.retain(|timer| now - timer.due_at < TimeDelta::seconds(1));
        }
        if due.is_empty() {
            return Ok(timers::next_due(&mut tx).await?);
        }
        drop(tx);
        crash::at(Point::TimersRead);
        let fired = due.into_iter().map(|due| {
            app.handle(Request {
                key: None,
                actor: Actor::Firebell,
                target: Target::Incident(due.incident),
                command: Command::TimerDue(due.timer),
                inside: true,
            })
        });
        let mut left = false;
        for outcome in join_all(fired).await {
            match outcome {
                Ok(_) => {}
                // They stay due until the newer program fires them.
                Err(Error::Store(error)) if error.is_left_to_newer() => left = true,
                Err(error) => return Err(error),
            }
        }
        if left {
            return Ok(None);
        }
    }
}
