//! The line of events on their way to the app: order, retries, limits, and when all is quiet.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use super::{Attempt, Delivery, Failure, Mode, patience, send};
use crate::clock::{Clock, lock};
use crate::sandbox::faults::{DeliveryFault, Route};
use crate::sandbox::hub::Hub;

/// Events in the line; more are lost, with a complaint.
const LINE_MAX: usize = 20_000;
/// Events follow each other in order as long as the app answers within this time of the network.
const ORDER_KEPT: Duration = Duration::from_millis(500);
/// Minutes after the failure at which the second and third retry follow; the first follows at once.
const RETRY_AFTER_MIN: [i64; 2] = [1, 5];
/// Deliveries per hour before events are withheld (Slack's documentation).
const HOURLY_MAX: usize = 30_000;
/// Below this many deliveries an hour Slack does not switch events off.
const BREAKER_MIN: usize = 1_000;

/// Counts of the last hour.
#[derive(Debug, Default)]
struct Hour {
    /// When, and whether it arrived.
    attempts: VecDeque<(DateTime<Utc>, bool)>,
    switched_off: bool,
    told_minute: Option<i64>,
}

/// The line's counters and settings.
#[derive(Debug)]
pub(crate) struct Desk {
    mode: Mode,
    line: mpsc::UnboundedSender<Value>,
    running: watch::Sender<usize>,
    /// Retries and late deliveries, by when they are due.
    waiting: Mutex<BTreeMap<u64, DateTime<Utc>>>,
    /// An event held back so that the next overtakes it.
    held: Mutex<Option<Value>>,
    hour: Mutex<Hour>,
}

/// A place among what waits for the clock.
#[derive(Debug)]
struct Booking {
    key: u64,
    due_at: DateTime<Utc>,
}

/// Counts as one delivery under way until it is dropped.
#[derive(Debug)]
pub(crate) struct RunningGuard(watch::Sender<usize>);

impl Drop for RunningGuard {
    fn drop(&mut self) {
        self.0.send_modify(|running| *running = running.saturating_sub(1));
    }
}

impl Desk {
    pub(crate) fn new(delivery: Delivery) -> (Self, mpsc::UnboundedReceiver<Value>) {
        let (line, events) = mpsc::unbounded_channel();
        let mode = Mode::default();
        mode.set(delivery);
        let desk = Self {
            mode,
            line,
            running: watch::Sender::new(0),
            waiting: Mutex::default(),
            held: Mutex::default(),
            hour: Mutex::default(),
        };
        (desk, events)
    }

    pub(crate) fn mode(&self) -> Delivery {
        self.mode.get()
    }

    /// Changes the way to the app; also switches events on again.
    pub(crate) fn set_mode(&self, delivery: Delivery) {
        self.mode.set(delivery);
        *lock(&self.hour) = Hour::default();
    }

    /// Whether Slack has switched the app's events off because nearly all of them failed for an hour.
    pub(crate) fn events_switched_off(&self) -> bool {
        lock(&self.hour).switched_off
    }

    /// Puts an event into the line; a complaint if it is full.
    pub(crate) fn enqueue(&self, body: Value) -> Result<(), String> {
        if self.mode.get() == Delivery::Off {
            return Ok(());
        }
        if *self.running.borrow() >= LINE_MAX {
            return Err(format!("more than {LINE_MAX} events wait for the app; one was lost"));
        }
        self.running.send_modify(|running| *running += 1);
        // The receiver lives as long as the hub; without it nobody waits for events.
        let _ = self.line.send(body);
        Ok(())
    }

    pub(crate) fn begin(&self) -> RunningGuard {
        self.running.send_modify(|running| *running += 1);
        RunningGuard(self.running.clone())
    }

    /// Returns when nothing is under way and nothing that waits for the clock is due.
    pub(crate) async fn settle(&self, clock: &Clock) {
        let mut running = self.running.subscribe();
        loop {
            // An error would mean that the desk is gone, and this call holds it.
            let _ = running.wait_for(|running| *running == 0).await;
            let now = clock.now();
            if !lock(&self.waiting).values().any(|due_at| *due_at <= now) {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    /// How many deliveries wait for the clock.
    pub(crate) fn waiting(&self) -> usize {
        lock(&self.waiting).len()
    }

    /// Enters something that goes on when the clock shows `due_at`. Whoever holds a guard enters it before dropping that,
    /// so that there is no moment in which nothing seems to be going on.
    fn book(&self, due_at: DateTime<Utc>) -> Booking {
        let mut waiting = lock(&self.waiting);
        let key = waiting.last_key_value().map_or(0, |(last, _)| last + 1);
        waiting.insert(key, due_at);
        Booking { key, due_at }
    }

    async fn wait_for(&self, clock: &Clock, booking: Booking) -> RunningGuard {
        clock.sleep_until(booking.due_at).await;
        let running = self.begin();
        lock(&self.waiting).remove(&booking.key);
        running
    }

    /// Counts an attempt; false if events are to be withheld.
    fn may_send(&self, now: DateTime<Utc>) -> Result<(), Option<i64>> {
        let mut hour = lock(&self.hour);
        while hour.attempts.front().is_some_and(|(at, _)| *at + TimeDelta::hours(1) <= now) {
            hour.attempts.pop_front();
        }
        if hour.switched_off {
            return Err(None);
        }
        if hour.attempts.len() >= HOURLY_MAX {
            let minute = now.timestamp() / 60;
            let first = hour.told_minute != Some(minute);
            hour.told_minute = Some(minute);
            return Err(first.then_some(minute * 60));
        }
        Ok(())
    }

    fn count(&self, now: DateTime<Utc>, arrived: bool) {
        let mut hour = lock(&self.hour);
        hour.attempts.push_back((now, arrived));
        let failed = hour.attempts.iter().filter(|(_, arrived)| !arrived).count();
        if hour.attempts.len() >= BREAKER_MIN && failed * 100 > hour.attempts.len() * 95 {
            hour.switched_off = true;
        }
    }
}

/// Takes events out of the line until the sandbox closes.
pub(crate) async fn run_queue(hub: Arc<Hub>, mut events: mpsc::UnboundedReceiver<Value>) {
    loop {
        let body = tokio::select! {
            body = events.recv() => body,
            () = hub.closed() => None,
        };
        let Some(body) = body else { return };
        // Counted when it entered the line.
        let running = RunningGuard(hub.desk.running.clone());
        let task = tokio::spawn(dispatch(hub.clone(), body, running));
        // A slow app does not hold up the following events for longer than this.
        tokio::select! {
            // A panic in there is its own.
            _ = task => {}
            () = patience(&hub.clock, ORDER_KEPT) => {}
        }
    }
}

async fn dispatch(hub: Arc<Hub>, body: Value, running: RunningGuard) {
    let faults = hub.with(|live| live.faults.for_delivery(Route::Event));
    if faults.contains(&DeliveryFault::Drop) {
        return;
    }
    if faults.contains(&DeliveryFault::Reorder) {
        let before = lock(&hub.desk.held).replace(body);
        if let Some(before) = before {
            deliver(hub, before, Vec::new(), running).await;
        }
        return;
    }
    let overtaken = lock(&hub.desk.held).take();
    let mut running = running;
    if let Some(DeliveryFault::Late { seconds }) =
        faults.iter().find(|fault| matches!(fault, DeliveryFault::Late { .. }))
    {
        let booking = hub.desk.book(hub.clock.now() + TimeDelta::seconds(*seconds));
        drop(running);
        running = hub.desk.wait_for(&hub.clock, booking).await;
    }
    if faults.contains(&DeliveryFault::Duplicate) {
        deliver(hub.clone(), body.clone(), faults.clone(), hub.desk.begin()).await;
    }
    let extra = overtaken.map(|overtaken| (overtaken, hub.desk.begin()));
    deliver(hub.clone(), body, faults, running).await;
    if let Some((overtaken, running)) = extra {
        deliver(hub, overtaken, Vec::new(), running).await;
    }
}

/// Delivers an event, first try and first retry at once; further retries go on by themselves.
async fn deliver(hub: Arc<Hub>, body: Value, faults: Vec<DeliveryFault>, running: RunningGuard) {
    let name = body["event"]["type"].as_str().unwrap_or_default().to_owned();
    let mut attempt = Attempt::new(Route::Event, &name, body);
    attempt.spoil(&faults);
    let Some(failure) = try_once(&hub, &attempt).await else { return };
    attempt.retry = Some((1, failure.reason()));
    let Some(failure) = try_once(&hub, &attempt).await else { return };
    tokio::spawn(retry_later(hub, attempt, failure, running));
}

/// The retries that wait for the clock; while they wait they do not count as under way.
async fn retry_later(hub: Arc<Hub>, mut attempt: Attempt, mut failure: Failure, mut running: RunningGuard) {
    for (number, minutes) in (2_u32..).zip(RETRY_AFTER_MIN) {
        let booking = hub.desk.book(hub.clock.now() + TimeDelta::minutes(minutes));
        drop(running);
        running = tokio::select! {
            running = hub.desk.wait_for(&hub.clock, booking) => running,
            () = hub.closed() => return,
        };
        attempt.retry = Some((number, failure.reason()));
        match try_once(&hub, &attempt).await {
            None => return,
            Some(again) => failure = again,
        }
    }
}

/// One attempt; the failure if it shall be tried again.
async fn try_once(hub: &Arc<Hub>, attempt: &Attempt) -> Option<Failure> {
    let now = hub.clock.now();
    match hub.desk.may_send(now) {
        Ok(()) => {}
        Err(minute) => {
            if let Some(minute) = minute {
                let mut notice = attempt.clone();
                "app_rate_limited".clone_into(&mut notice.name);
                notice.payload = json!({
                    "token": attempt.payload["token"], "type": "app_rate_limited", "team_id": attempt.payload["team_id"],
                    "minute_rate_limited": minute, "api_app_id": attempt.payload["api_app_id"],
                });
                // Best effort, as with Slack.
                let _ = send(hub, &notice).await;
            }
            return None;
        }
    }
    let result = send(hub, attempt).await;
    hub.desk.count(now, result.is_ok());
    match result {
        Ok(_) | Err(Failure::Status { no_retry: true, .. }) => None,
        Err(failure) => Some(failure),
    }
}
