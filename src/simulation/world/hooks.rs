//! What the clock, the store, Slack's wire, ids and tasks ask of the world; they find one only during a simulation.

use std::pin::Pin;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::Response;
use chrono::{DateTime, Utc};

use super::*;

/// Whether there is a simulation on this thread.
pub(crate) fn is_on() -> bool {
    with(|world| world.current.is_some()) == Some(true)
}

/// The time that the current machine shows.
pub(crate) fn wall() -> Option<DateTime<Utc>> {
    with(|world| world.wall(world.current.map(|who| who.host)))
}

/// The time since the machines were switched on.
pub(crate) fn since_boot() -> Option<Duration> {
    with(|world| Duration::from_micros(world.now_us.unsigned_abs()))
}

/// An id that looks random.
pub(crate) fn random_id() -> Option<String> {
    with(|world| format!("{:016x}{:016x}", world.ids.throw(), world.ids.throw()))
}

/// Takes a task that somebody wants to run beside; gives it back where there is no simulation.
pub(crate) fn adopt<F: Future<Output = ()> + Send + 'static>(future: F) -> Option<F> {
    let mut future = Some(future);
    with(|world| {
        if let (Some(who), Some(future)) = (world.current, future.take()) {
            world.begun.push((who.host, Box::pin(future)));
        }
    });
    future
}

/// Sleeps until the simulated time has come.
pub(crate) fn sleep(span: Duration) -> Option<Sleep> {
    with(|world| {
        world.current?;
        let id = world.number();
        let span_us = i64::try_from(span.as_micros()).unwrap_or(i64::MAX / 2);
        let sleeping =
            Sleeping { until_us: world.now_us + span_us, idle: span_us <= SECOND, over: span_us == 0, waker: None };
        world.sleeping.insert(id, sleeping);
        Some(Sleep(id))
    })
    .flatten()
}

/// A sleep under way.
pub(crate) struct Sleep(u64);

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> std::task::Poll<()> {
        let over = with(|world| {
            let sleeping = world.sleeping.get_mut(&self.0)?;
            sleeping.waker = Some(cx.waker().clone());
            Some(sleeping.over)
        });
        if over.flatten() == Some(false) { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        with(|world| world.sleeping.remove(&self.0));
    }
}

/// Says when the current task means to go on, so that no idle time is passed over beyond it.
pub(crate) fn appointment(at: DateTime<Utc>) -> Option<Appointment> {
    with(|world| {
        let who = world.current?;
        let id = world.number();
        world.appointments.insert(id, (who.host, at));
        Some(Appointment(id))
    })
    .flatten()
}

/// A moment that somebody waits for.
pub(crate) struct Appointment(u64);

impl Drop for Appointment {
    fn drop(&mut self) {
        with(|world| world.appointments.remove(&self.0));
    }
}

/// How a transaction uses the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// A task's time with the database; ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Turn(Who);

impl Drop for Turn {
    fn drop(&mut self) {
        with(|world| {
            if let Some(standing) = world.tasks.get_mut(&self.0.task) {
                standing.in_database = false;
            }
        });
    }
}

/// Stands at a gate until the driver lets it through.
struct Gate(&'static str, bool);

impl Future for Gate {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut std::task::Context<'_>) -> std::task::Poll<()> {
        if std::mem::replace(&mut self.1, true) {
            return std::task::Poll::Ready(());
        }
        let at = self.0;
        with(|world| {
            if let Some(who) = world.current
                && let Some(standing) = world.tasks.get_mut(&who.task)
            {
                standing.parked = true;
                standing.at = at;
            }
        });
        std::task::Poll::Pending
    }
}

fn lost_connection() -> store::Error {
    let cut = std::io::Error::new(std::io::ErrorKind::ConnectionReset, "the connection was cut");
    store::Error::Sql(sqlx::Error::Io(cut))
}

/// Waits for a turn with the database.
pub(crate) async fn turn(access: Access) -> Result<Option<Turn>, store::Error> {
    let Some(who) = with(|world| world.current).flatten() else { return Ok(None) };
    Gate(if access == Access::Write { "begin" } else { "read" }, false).await;
    let refused = with(|world| {
        let (down, busy) = (world.faults.swarm.down, world.faults.swarm.busy);
        if !world.database_down && world.faults.strikes("the database goes away", down) {
            world.database_down = true;
            let span = world.faults.dice.between(SECOND / 10, 20 * SECOND);
            world.plan_in(span, Happening::DatabaseBack);
        }
        if world.database_down {
            world.tell("finds no database");
            world.trouble();
            return Some(lost_connection());
        }
        if world.faults.strikes("the database is busy", busy) {
            world.tell("finds the database busy");
            world.trouble();
            return Some(store::Error::Busy);
        }
        if let Some(standing) = world.tasks.get_mut(&who.task) {
            standing.in_database = true;
        }
        None
    });
    match refused.flatten() {
        Some(error) => Err(error),
        None => Ok(Some(Turn(who))),
    }
}

/// What is to become of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Ordinary,
    /// It is committed, and nobody is told.
    Unheard,
}

/// Decides what becomes of a commit.
pub(crate) async fn commit_begins(turn: Option<&Turn>) -> Result<Fate, store::Error> {
    let Some(Turn(who)) = turn else { return Ok(Fate::Ordinary) };
    let fate = with(|world| {
        let (crash, full, unknown) = {
            let swarm = &world.faults.swarm;
            (swarm.crash, swarm.full, swarm.unknown)
        };
        if world.faults.strikes("a crash in a transaction", crash) {
            world.crashed = Some(who.host);
            return None;
        }
        if world.faults.strikes("the disk is full", full) {
            world.tell("finds the disk full");
            world.trouble();
            return Some(Err(store::Error::Full));
        }
        if world.faults.strikes("nobody knows of a commit", unknown) {
            let committed = world.faults.dice.chance(6_000);
            world.tell(format!(
                "loses the connection in a commit that {}",
                if committed { "is done" } else { "is not" }
            ));
            world.trouble();
            return Some(if committed { Ok(Fate::Unheard) } else { Err(lost_connection()) });
        }
        Some(Ok(Fate::Ordinary))
    });
    match fate.flatten() {
        Some(fate) => fate,
        None => std::future::pending().await,
    }
}

/// Notes that a commit is done, and lets others come first before whoever waits for it is told.
pub(crate) async fn commit_ended(turn: Option<Turn>, fate: Fate) -> Result<(), store::Error> {
    let Some(who) = turn.as_ref().map(|turn| turn.0) else { return Ok(()) };
    drop(turn);
    with(|world| world.committed = Some(who.host));
    Gate("committed", false).await;
    if fate == Fate::Unheard { Err(lost_connection()) } else { Ok(()) }
}

/// Calls the simulated Slack.
pub(crate) async fn call(url: &url::Url, authorised: bool, body: Bytes) -> Result<Response<Bytes>, String> {
    assert!(authorised, "every call of the simulation carries the bot's token");
    let method = url.path_segments().and_then(Iterator::last).unwrap_or_default().to_owned();
    let args = if body.is_empty() {
        url.query_pairs().map(|(key, value)| (key.into_owned(), Value::String(value.into_owned()))).collect()
    } else {
        serde_json::from_slice(&body).unwrap_or_default()
    };
    let id = with(|world| world.send(method, args)).unwrap_or_default();
    Calling(id).await
}

struct Calling(u64);

impl Future for Calling {
    type Output = Result<Response<Bytes>, String>;

    fn poll(self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> std::task::Poll<Self::Output> {
        let answer = with(|world| {
            let call = world.calls.get_mut(&self.0)?;
            let answer = call.answer.take();
            call.waker = Some(cx.waker().clone());
            answer
        });
        match answer.flatten() {
            Some(answer) => {
                with(|world| world.calls.remove(&self.0));
                std::task::Poll::Ready(answer)
            }
            None => std::task::Poll::Pending,
        }
    }
}
