//! Socket Mode: the app connects to us with its app token and acknowledges envelopes.
//!
//! Each envelope goes to one random connection of at most ten; an event without an acknowledgement is sent again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::ws::{Message as Frame, WebSocket, WebSocketUpgrade};
use axum::extract::{Query, State as Extract};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{Notify, mpsc, oneshot};

use super::delivery::{Answer, Attempt, Failure, budget};
use super::faults::Route;
use super::hub::Hub;
use super::journal::{Direction, EntryKind};
use crate::clock::{lock, real_sleep};
use crate::ids::random_id;

/// Connections per app (Slack's documentation).
const LINKS_MAX: usize = 10;
/// How long an address from `apps.connections.open` may be used, seconds.
const TICKET_LIFE_S: i64 = 30;
/// A connection's life, seconds, and with `debug_reconnects=true`.
const LINK_LIFE_S: i64 = 3600;
const LINK_LIFE_DEBUG_S: i64 = 360;
/// The warning comes this many seconds before the end.
const WARNING_S: i64 = 10;
const PING_EVERY: Duration = Duration::from_secs(10);
/// Frames waiting for one connection.
const FRAMES_MAX: usize = 256;
/// How long a delivery waits for a connection to appear, real time.
const CONNECT_WAIT: Duration = Duration::from_secs(1);

#[derive(Debug)]
struct Ticket {
    expires_at: DateTime<Utc>,
    debug: bool,
}

#[derive(Debug)]
struct Link {
    id: u64,
    frames: mpsc::Sender<Out>,
}

#[derive(Debug)]
enum Out {
    Json(Value),
    /// A `disconnect` frame, then the end of the connection.
    Bye(&'static str),
}

#[derive(Debug, Default)]
struct Inner {
    tickets: BTreeMap<String, Ticket>,
    links: Vec<Link>,
    acks: BTreeMap<String, oneshot::Sender<Value>>,
    last_link: u64,
    /// Socket Mode was switched off by an administrator.
    disabled: bool,
}

/// The connections of the app.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    inner: Mutex<Inner>,
    appeared: Notify,
}

impl Sockets {
    /// A one-use address; `None` if Socket Mode is switched off.
    pub(crate) fn ticket(&self, host: &str, now: DateTime<Utc>, debug: bool) -> Option<String> {
        let mut inner = lock(&self.inner);
        if inner.disabled {
            return None;
        }
        inner.tickets.retain(|_, ticket| ticket.expires_at > now);
        let id = random_id();
        inner.tickets.insert(id.clone(), Ticket { expires_at: now + TimeDelta::seconds(TICKET_LIFE_S), debug });
        Some(format!("ws://{host}/link/?ticket={id}&app_id=sandbox"))
    }

    /// How many connections there are.
    pub(crate) fn count(&self) -> usize {
        lock(&self.inner).links.len()
    }

    /// Switches Socket Mode off (every connection hears `link_disabled`) or on again.
    pub(crate) fn set_disabled(&self, disabled: bool) {
        let mut inner = lock(&self.inner);
        inner.disabled = disabled;
        if disabled {
            for link in &inner.links {
                // A full connection hears it by being closed.
                let _ = link.frames.try_send(Out::Bye("link_disabled"));
            }
        }
    }

    /// Asks every connection to reconnect, as Slack does every few hours; first with a warning if wanted.
    pub(crate) fn refresh(&self, warning: bool) {
        for link in &lock(&self.inner).links {
            let frame = if warning { Out::Json(disconnect("warning")) } else { Out::Bye("refresh_requested") };
            let _ = link.frames.try_send(frame);
        }
    }

    /// Sends an envelope to one connection and waits for its acknowledgement.
    pub(crate) async fn deliver(&self, hub: &Arc<Hub>, attempt: &Attempt) -> Result<Answer, Failure> {
        let envelope_id = random_id();
        let (word, accepts) = match attempt.route {
            Route::Command => ("slash_commands", true),
            Route::Interaction => ("interactive", accepts_payload(&attempt.payload)),
            Route::Event => ("events_api", false),
        };
        let mut envelope = json!({
            "envelope_id": envelope_id, "type": word, "payload": attempt.payload, "accepts_response_payload": accepts,
        });
        if attempt.route == Route::Event {
            envelope["retry_attempt"] = json!(attempt.retry.map_or(0, |(number, _)| number));
            envelope["retry_reason"] = json!(attempt.retry.map_or("", |(_, reason)| reason));
        }
        let patience = budget(&hub.clock);
        let acknowledged = if let Some(acknowledged) = self.hand_over(&envelope_id, &envelope) {
            acknowledged
        } else {
            // Between two connections the app is not gone; the second look decides.
            let _ = tokio::time::timeout(CONNECT_WAIT, self.appeared.notified()).await;
            self.hand_over(&envelope_id, &envelope).ok_or(Failure::NotConnected)?
        };
        let result = tokio::select! {
            body = acknowledged => body.map_err(|_| Failure::ConnectionFailed),
            () = patience => Err(Failure::Timeout),
        };
        lock(&self.inner).acks.remove(&envelope_id);
        let body = result?;
        if !accepts && !body.is_null() && body != json!({}) {
            hub.with(|live| {
                live.journal.complain(format!("an acknowledgement of {word} carried a payload, which Slack ignores"));
            });
        }
        Ok(Answer { status: 200, body: if accepts { body } else { Value::Null } })
    }

    fn hand_over(&self, envelope_id: &str, envelope: &Value) -> Option<oneshot::Receiver<Value>> {
        let mut inner = lock(&self.inner);
        if inner.links.is_empty() {
            return None;
        }
        let pick = usize::try_from(rand::random::<u32>()).unwrap_or_default() % inner.links.len();
        inner.links[pick].frames.try_send(Out::Json(envelope.clone())).ok()?;
        let (sender, receiver) = oneshot::channel();
        inner.acks.insert(envelope_id.to_owned(), sender);
        Some(receiver)
    }

    fn acknowledge(&self, envelope_id: &str, payload: Value) -> bool {
        let waiting = lock(&self.inner).acks.remove(envelope_id);
        waiting.is_some_and(|waiting| waiting.send(payload).is_ok())
    }
}

/// Whether Slack takes an answer in the acknowledgement of this interaction.
fn accepts_payload(payload: &Value) -> bool {
    ["view_submission", "block_suggestion"].iter().any(|kind| payload["type"] == **kind)
}

fn disconnect(reason: &str) -> Value {
    json!({ "type": "disconnect", "reason": reason, "debug_info": { "host": "sandbox" } })
}

/// The query of a connection's address.
#[derive(Debug, Deserialize)]
pub(crate) struct LinkQuery {
    #[serde(default)]
    ticket: String,
    #[serde(default)]
    debug_reconnects: bool,
}

/// `GET /link/`: turns a ticket into a connection.
pub(crate) async fn link(
    Extract(hub): Extract<Arc<Hub>>,
    Query(query): Query<LinkQuery>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let now = hub.clock.now();
    let ticket = lock(&hub.sockets.inner).tickets.remove(&query.ticket).filter(|ticket| ticket.expires_at > now);
    let Some(ticket) = ticket else {
        return (StatusCode::UNAUTHORIZED, "this address was used or has expired: call apps.connections.open")
            .into_response();
    };
    let life_s = if ticket.debug || query.debug_reconnects { LINK_LIFE_DEBUG_S } else { LINK_LIFE_S };
    upgrade.on_upgrade(move |socket| serve(hub, socket, life_s))
}

async fn serve(hub: Arc<Hub>, mut socket: WebSocket, life_s: i64) {
    let (frames, mut waiting) = mpsc::channel(FRAMES_MAX);
    let admitted = {
        let mut inner = lock(&hub.sockets.inner);
        if inner.links.len() >= LINKS_MAX {
            None
        } else {
            inner.last_link += 1;
            let id = inner.last_link;
            inner.links.push(Link { id, frames });
            Some((id, inner.links.len()))
        }
    };
    let Some((id, number)) = admitted else {
        // The peer may be gone already.
        let _ = send(&mut socket, &disconnect("too_many_websockets")).await;
        let _ = socket.send(Frame::Close(None)).await;
        return;
    };
    let app_id = hub.with(|live| live.state.app.id.clone());
    // Before the peer hears of the connection: whoever moves the clock after that has moved it within the life.
    let opened_at = hub.clock.now();
    let hello = json!({
        "type": "hello", "connection_info": { "app_id": app_id }, "num_connections": number,
        "debug_info": { "host": "sandbox", "started": opened_at.to_rfc3339(), "build_number": 1,
                        "approximate_connection_time": life_s },
    });
    if send(&mut socket, &hello).await.is_ok() {
        hub.sockets.appeared.notify_waiters();
        converse(&hub, &mut socket, &mut waiting, (opened_at, life_s)).await;
    }
    lock(&hub.sockets.inner).links.retain(|link| link.id != id);
}

/// `life` is when the connection was opened and how long it lives, seconds.
async fn converse(
    hub: &Arc<Hub>,
    socket: &mut WebSocket,
    waiting: &mut mpsc::Receiver<Out>,
    (opened_at, life_s): (DateTime<Utc>, i64),
) {
    let warn_at = opened_at + TimeDelta::seconds(life_s - WARNING_S);
    let end_at = opened_at + TimeDelta::seconds(life_s);
    let mut warned = false;
    let ping = real_sleep(PING_EVERY);
    tokio::pin!(ping);
    loop {
        let next_at = if warned { end_at } else { warn_at };
        tokio::select! {
            frame = waiting.recv() => match frame {
                Some(Out::Json(frame)) => if send(socket, &frame).await.is_err() { return },
                Some(Out::Bye(reason)) => return say_goodbye(socket, reason).await,
                None => return,
            },
            heard = socket.recv() => match heard {
                Some(Ok(Frame::Text(text))) => read_ack(hub, text.as_str()),
                Some(Err(_)) | None => return,
                // After a close frame, reading on writes the answer to it and then ends.
                Some(Ok(Frame::Close(_) | Frame::Binary(_) | Frame::Ping(_) | Frame::Pong(_))) => {}
            },
            () = hub.clock.sleep_until(next_at) => {
                if warned {
                    return say_goodbye(socket, "refresh_requested").await;
                }
                warned = true;
                if send(socket, &disconnect("warning")).await.is_err() { return }
            },
            () = &mut ping => {
                ping.set(real_sleep(PING_EVERY));
                if socket.send(Frame::Ping("ping from the sandbox".into())).await.is_err() { return }
            },
            () = hub.closed() => return say_goodbye(socket, "refresh_requested").await,
        }
    }
}

async fn say_goodbye(socket: &mut WebSocket, reason: &str) {
    // The peer may be gone already.
    let _ = send(socket, &disconnect(reason)).await;
    let _ = socket.send(Frame::Close(None)).await;
}

async fn send(socket: &mut WebSocket, value: &Value) -> Result<(), axum::Error> {
    socket.send(Frame::Text(value.to_string().into())).await
}

fn read_ack(hub: &Arc<Hub>, text: &str) {
    let mut entry = hub.entry(Direction::In, EntryKind::Socket, "acknowledgement");
    let ack: Value = serde_json::from_str(text).unwrap_or_default();
    entry.request = if ack.is_null() { json!(text) } else { ack.clone() };
    entry.ok = ack["envelope_id"]
        .as_str()
        .is_some_and(|id| hub.sockets.acknowledge(id, ack.get("payload").cloned().unwrap_or_default()));
    if !entry.ok {
        entry.error = Some("nobody waits for this acknowledgement any more".to_owned());
    }
    hub.record(entry);
}
