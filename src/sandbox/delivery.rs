//! Brings commands, interactions and events to the app, by signed HTTP or Socket Mode, with Slack's patience.
//!
//! Three seconds for an answer; events are tried again at once, after a minute and after five more; commands and
//! interactions never are.

mod http;
mod queue;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub(crate) use queue::{Desk, run_queue};

use super::faults::{DeliveryFault, Route};
use super::hub::Hub;
use super::journal::{Direction, EntryKind};
use crate::clock::{Clock, instant_now, lock, real_sleep};
use crate::ids::random_id;

/// Seconds the app has to answer.
const BUDGET_S: u64 = 3;
/// Real seconds after which even a standing clock gives up on an answer.
const PATIENCE_S: u64 = 30;

/// How the workspace reaches the app.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "snake_case")]
pub enum Delivery {
    /// Signed requests to the app's own addresses.
    Http { commands_url: String, interactions_url: String, events_url: String },
    /// The app connects to us with its app token.
    SocketMode,
    /// Nothing is sent; commands fail as if the app were not there.
    #[default]
    Off,
}

/// What the app answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub status: u16,
    /// JSON, or a string if it was plain text, or null if it was empty.
    pub body: Value,
}

/// Why a delivery failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    Timeout,
    TooManyRedirects,
    ConnectionFailed,
    /// A status outside 2xx; whether the app asked not to be asked again.
    Status {
        status: u16,
        no_retry: bool,
    },
    /// The app cannot be reached by the way that is set.
    NotConnected,
}

impl Failure {
    /// Slack's word for `x-slack-retry-reason` (and `retry_reason` of Socket Mode).
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Timeout => "http_timeout",
            Self::TooManyRedirects => "too_many_redirects",
            Self::ConnectionFailed | Self::NotConnected => "connection_failed",
            Self::Status { .. } => "http_error",
        }
    }

    /// Slack's word for the person who waits.
    pub(crate) fn user_error(self) -> &'static str {
        match self {
            Self::Timeout => "operation_timeout",
            Self::Status { .. } => "http_service_error",
            Self::TooManyRedirects | Self::ConnectionFailed | Self::NotConnected => "dispatch_failed",
        }
    }
}

/// One attempt to deliver something.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub route: Route,
    /// The command, the interaction's type or the event's type, for the journal.
    pub name: String,
    pub payload: Value,
    /// Number and reason of a retry.
    pub retry: Option<(u32, &'static str)>,
    /// Seconds by which the signature's time stamp lies in the past.
    pub skew_s: i64,
    pub bad_signature: bool,
}

impl Attempt {
    pub(crate) fn new(route: Route, name: &str, payload: Value) -> Self {
        Self { route, name: name.to_owned(), payload, retry: None, skew_s: 0, bad_signature: false }
    }

    /// Spoils the attempt as ordered; the faults that concern its time are the caller's.
    pub(crate) fn spoil(&mut self, faults: &[DeliveryFault]) {
        for fault in faults {
            match fault {
                DeliveryFault::TeamNull => {
                    let key = if self.payload.get("team").is_some() { "team" } else { "team_id" };
                    self.payload[key] = Value::Null;
                    self.payload["is_enterprise_install"] = json!(true);
                }
                DeliveryFault::UnknownType => match self.route {
                    Route::Event => self.payload["event"] = json!({ "type": "future_event", "event_ts": "0" }),
                    Route::Interaction | Route::Command => self.payload["type"] = json!("future_interaction"),
                },
                DeliveryFault::BadSignature => self.bad_signature = true,
                DeliveryFault::Skew { seconds } => self.skew_s = *seconds,
                DeliveryFault::Huge { bytes } => self.payload["padding"] = json!("x".repeat(*bytes)),
                DeliveryFault::Duplicate
                | DeliveryFault::Reorder
                | DeliveryFault::Late { .. }
                | DeliveryFault::Drop => {}
            }
        }
    }
}

/// Delivers a command or an interaction once and returns the app's answer.
pub(crate) async fn ask(hub: &Arc<Hub>, mut attempt: Attempt) -> Result<Answer, Failure> {
    let faults = hub.with(|live| live.faults.for_delivery(attempt.route));
    attempt.spoil(&faults);
    let _running = hub.desk.begin();
    for fault in &faults {
        match fault {
            DeliveryFault::Drop => {
                budget(&hub.clock).await;
                return Err(Failure::Timeout);
            }
            DeliveryFault::Late { seconds } => hub.clock.sleep(TimeDelta::seconds(*seconds)).await,
            DeliveryFault::Duplicate => {
                // Slack signs each delivery anew.
                let (hub, copy) = (hub.clone(), Attempt { skew_s: attempt.skew_s + 1, ..attempt.clone() });
                let running = hub.desk.begin();
                tokio::spawn(async move {
                    // The person sees only the first answer.
                    let _ = send(&hub, &copy).await;
                    drop(running);
                });
            }
            DeliveryFault::Reorder
            | DeliveryFault::TeamNull
            | DeliveryFault::UnknownType
            | DeliveryFault::BadSignature
            | DeliveryFault::Skew { .. }
            | DeliveryFault::Huge { .. } => {}
        }
    }
    send(hub, &attempt).await
}

/// One attempt by the way that is set, written into the journal.
pub(crate) async fn send(hub: &Arc<Hub>, attempt: &Attempt) -> Result<Answer, Failure> {
    let kind = match attempt.route {
        Route::Command => EntryKind::Command,
        Route::Interaction => EntryKind::Interaction,
        Route::Event => EntryKind::Event,
    };
    let mut entry = hub.entry(Direction::Out, kind, &attempt.name);
    entry.request = attempt.payload.clone();
    let began = instant_now();
    let way = hub.desk.mode();
    let result = match way {
        Delivery::Off => Err(Failure::NotConnected),
        Delivery::SocketMode => hub.sockets.deliver(hub, attempt).await,
        Delivery::Http { commands_url, interactions_url, events_url } => {
            let url = match attempt.route {
                Route::Command => commands_url,
                Route::Interaction => interactions_url,
                Route::Event => events_url,
            };
            http::post(hub, &url, attempt).await
        }
    };
    entry.took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    match &result {
        Ok(answer) => {
            entry.status = answer.status;
            entry.ok = true;
            entry.response = answer.body.clone();
        }
        Err(failure) => {
            entry.error = Some(failure.reason().to_owned());
            if let Failure::Status { status, .. } = failure {
                entry.status = *status;
            }
        }
    }
    hub.record(entry);
    result
}

/// Sends `url_verification` to the events address; whether the challenge came back, as JSON or bare.
pub(crate) async fn verify(hub: &Arc<Hub>) -> bool {
    let challenge = random_id();
    let token = hub.with(|live| live.state.app.verification_token.clone());
    let payload = json!({ "type": "url_verification", "token": token, "challenge": challenge });
    let answer = send(hub, &Attempt::new(Route::Event, "url_verification", payload)).await;
    answer.is_ok_and(|answer| answer.body["challenge"] == json!(challenge) || answer.body == json!(challenge))
}

/// Waits as long as Slack waits for an answer: three seconds of the network's time, counted from this call and not from
/// the first poll, so that whoever sees the delivery and then moves a manual clock has moved it past the end.
pub(crate) fn budget(clock: &Clock) -> impl Future<Output = ()> + use<> {
    patience(clock, Duration::from_secs(BUDGET_S))
}

/// Waits `span` of the network's time, counted from this call. Under a manual clock it passes when somebody moves it, or
/// when really nobody does.
fn patience(clock: &Clock, span: Duration) -> impl Future<Output = ()> + use<> {
    let clock = clock.clone();
    let ends_at = clock.now() + TimeDelta::from_std(span).expect("a few seconds");
    async move {
        match clock {
            Clock::Manual(_) => tokio::select! {
                () = clock.sleep_until(ends_at) => {}
                () = real_sleep(Duration::from_secs(PATIENCE_S)) => {}
            },
            Clock::System | Clock::Corrected(_) | Clock::Paced(_) => real_sleep(span).await,
        }
    }
}

/// A setting that can change while the sandbox runs.
#[derive(Debug, Default)]
pub(crate) struct Mode(Mutex<Delivery>);

impl Mode {
    pub(crate) fn get(&self) -> Delivery {
        lock(&self.0).clone()
    }

    pub(crate) fn set(&self, delivery: Delivery) {
        *lock(&self.0) = delivery;
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn the_time_for_an_answer_runs_from_the_call_and_not_from_the_first_look() {
        let clock = Clock::manual(DateTime::UNIX_EPOCH);
        let budget = budget(&clock);
        clock.set(clock.now() + TimeDelta::seconds(3));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let _inside = runtime.enter();
        assert_eq!(budget.now_or_never(), Some(()));
    }
}
