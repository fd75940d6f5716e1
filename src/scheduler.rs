//! The only timer loop: turns what is due into commands.
//!
//! It sleeps until the next due instant, never longer than a second, so that a changed clock or another replica's timer
//! cannot delay a page. It decides nothing: a stale timer is a command that yields no events.

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;

use crate::app::{App, Error, Request, Target};
use crate::domain::command::Command;
use crate::domain::event::Actor;
use crate::store::timers;

/// Timers that are fired together at most.
const TIMERS_AT_ONCE: u32 = 1_024;
/// The longest sleep.
const LOOK_EVERY: TimeDelta = TimeDelta::seconds(1);

/// Fires timers until the task is dropped.
pub async fn run(app: App) {
    loop {
        let wait_until = match tick(&app).await {
            Ok(next) => {
                next.unwrap_or(DateTime::<Utc>::MAX_UTC).min(app.clock().now() + app.clock().stretched(LOOK_EVERY))
            }
            Err(error) => {
                tracing::error!(%error, "due timers could not be read or fired; trying again");
                app.clock().now() + app.clock().stretched(LOOK_EVERY)
            }
        };
        tokio::select! {
            () = app.clock().sleep_until(wait_until) => {}
            () = app.timers_changed() => {}
        }
    }
}

/// Fires everything that is due now; returns when the next timer is due.
pub async fn tick(app: &App) -> Result<Option<DateTime<Utc>>, Error> {
    loop {
        let now = app.clock().now();
        let mut tx = app.db().read().await?;
        let due = timers::due(&mut tx, now, TIMERS_AT_ONCE).await?;
        if due.is_empty() {
            return Ok(timers::next_due(&mut tx).await?);
        }
        drop(tx);
        let fired = due.into_iter().map(|due| {
            app.handle(Request {
                key: None,
                actor: Actor::Firebell,
                target: Target::Incident(due.incident),
                command: Command::TimerDue(due.timer),
                inside: true,
            })
        });
        for outcome in join_all(fired).await {
            outcome?;
        }
    }
}
