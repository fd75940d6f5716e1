//! `/_control/…`, the page and its stream of news, over HTTP on the loopback.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, Query, Request, State as Extract};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, http};
use chrono::{DateTime, Utc};
use futures_util::stream::{self, Stream};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::sync::broadcast::error::RecvError;

use super::Control;
use crate::sandbox::delivery::Delivery;
use crate::sandbox::faults::Fault;
use crate::sandbox::hub::Hub;
use crate::sandbox::live::{Change, Live};

const MESSAGES_DEFAULT: usize = 200;
const MESSAGES_MAX: usize = 1000;
const JOURNAL_DEFAULT: usize = 200;
const ACT_BYTES_MAX: usize = 16 << 20;

const SCRIPT: &str = "text/javascript; charset=utf-8";
/// What the page may load: its own files, pictures in `data:` addresses, and nothing from anywhere else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// The files of the page: address, content type, text.
const PAGE: &[(&str, &str, &str)] = &[
    ("/", "text/html; charset=utf-8", include_str!("../page/index.html")),
    ("/style.css", "text/css; charset=utf-8", include_str!("../page/style.css")),
    ("/app.js", SCRIPT, include_str!("../page/app.js")),
    ("/blocks.js", SCRIPT, include_str!("../page/blocks.js")),
    ("/composer.js", SCRIPT, include_str!("../page/composer.js")),
    ("/dom.js", SCRIPT, include_str!("../page/dom.js")),
    ("/elements.js", SCRIPT, include_str!("../page/elements.js")),
    ("/feed.js", SCRIPT, include_str!("../page/feed.js")),
    ("/store.js", SCRIPT, include_str!("../page/store.js")),
    ("/story.js", SCRIPT, include_str!("../page/story.js")),
    ("/text.js", SCRIPT, include_str!("../page/text.js")),
    ("/views.js", SCRIPT, include_str!("../page/views.js")),
    ("/wire.js", SCRIPT, include_str!("../page/wire.js")),
];

/// The page and the control interface, for requests from this machine's own pages only.
pub(crate) fn router(hub: Arc<Hub>) -> Router {
    let control = Control::new(hub.clone());
    let mut page = Router::new();
    for (path, content_type, text) in PAGE {
        page = page.route(path, get(|| async { page_file(content_type, text) }));
    }
    // Permalinks open the page, which shows the message they name.
    page = page.route("/archives/{*message}", get(|| async { page_file(PAGE[0].1, PAGE[0].2) }));
    page.route("/_control/state", get(state))
        .route("/_control/messages", get(messages))
        .route("/_control/thread", get(thread))
        .route("/_control/views", get(views))
        .route("/_control/home", get(home))
        .route("/_control/stream", get(news))
        .route("/_control/act", post(act))
        .route("/_control/journal", get(journal))
        .route("/_control/faults", get(faults).post(set_faults))
        .route("/_control/delivery", post(set_delivery))
        .route("/_control/settle", post(settle))
        .route("/_control/clock", post(set_clock))
        .layer(DefaultBodyLimit::max(ACT_BYTES_MAX))
        .layer(middleware::from_fn_with_state(hub, only_from_here))
        .with_state(control)
}

fn page_file(content_type: &'static str, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
    ];
    (headers, text).into_response()
}

/// Refuses requests that another site's page sends, or that reach us under another name.
pub(crate) async fn only_from_here(Extract(hub): Extract<Arc<Hub>>, request: Request, next: Next) -> Response {
    let own = hub.with(|live| live.origin.clone());
    let known_origin = text(request.headers(), &header::ORIGIN)
        .is_none_or(|origin| own_names(&own).iter().any(|known| origin == format!("http://{known}")));
    if is_own_name(&own, request.headers()) && known_origin {
        return next.run(request).await;
    }
    let sentence = "The sandbox answers only its own page. Open it at the address it printed when it started.";
    (StatusCode::FORBIDDEN, Json(json!({ "ok": false, "error": sentence }))).into_response()
}

/// What the sandbox with this origin is called on this machine.
fn own_names(origin: &str) -> [String; 3] {
    let port = origin.rsplit(':').next().unwrap_or_default();
    ["127.0.0.1", "localhost", "[::1]"].map(|name| format!("{name}:{port}"))
}

/// Whether a request reached us under a name of ours.
pub(crate) fn is_own_name(origin: &str, headers: &HeaderMap) -> bool {
    let host = text(headers, &header::HOST);
    own_names(origin).iter().any(|known| Some(known.as_str()) == host)
}

fn text<'a>(headers: &'a HeaderMap, name: &http::HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The query of every reading route.
#[derive(Debug, Deserialize)]
struct Look {
    #[serde(rename = "as", default)]
    who: String,
    #[serde(default)]
    channel: String,
    #[serde(default)]
    ts: String,
    limit: Option<usize>,
    before: Option<String>,
    #[serde(default)]
    since: u64,
}

fn refused(status: StatusCode, sentence: &str) -> Response {
    (status, Json(json!({ "ok": false, "error": sentence }))).into_response()
}

async fn state(Extract(control): Extract<Control>, Query(look): Query<Look>) -> Response {
    // A page that opens does not know the people yet: without `as` it looks as the first person who can act.
    let find = |live: &mut Live| {
        let mut users = live.state.users.iter();
        let found = if look.who.is_empty() {
            users.find(|user| !user.is_bot && !user.deleted)
        } else {
            users.find(|user| user.id == look.who)
        };
        found.map(|user| user.id.clone())
    };
    match control.hub.with(find) {
        Some(who) => Json(control.state(&who)).into_response(),
        None => {
            refused(StatusCode::BAD_REQUEST, "Say who is looking: `as` must be the id of a user of this workspace.")
        }
    }
}

async fn messages(Extract(control): Extract<Control>, Query(look): Query<Look>) -> Response {
    let limit = look.limit.unwrap_or(MESSAGES_DEFAULT).min(MESSAGES_MAX);
    match control.messages(&look.who, &look.channel, limit, look.before.as_deref()) {
        Some(page) => Json(page).into_response(),
        None => refused(StatusCode::NOT_FOUND, "You see no such conversation."),
    }
}

async fn thread(Extract(control): Extract<Control>, Query(look): Query<Look>) -> Response {
    match control.thread(&look.who, &look.channel, &look.ts) {
        Some(page) => Json(page).into_response(),
        None => refused(StatusCode::NOT_FOUND, "You see no such conversation."),
    }
}

async fn views(Extract(control): Extract<Control>, Query(look): Query<Look>) -> Json<Value> {
    Json(control.views(&look.who))
}

async fn home(Extract(control): Extract<Control>, Query(look): Query<Look>) -> Json<Value> {
    Json(control.home(&look.who))
}

async fn journal(Extract(control): Extract<Control>, Query(look): Query<Look>) -> Json<Value> {
    let (entries, next) = control.journal(look.since, look.limit.unwrap_or(JOURNAL_DEFAULT));
    Json(json!({ "entries": entries, "next": next, "complaints": control.complaints() }))
}

async fn act(Extract(control): Extract<Control>, body: Result<Json<Map<String, Value>>, JsonRejection>) -> Response {
    let Ok(Json(mut body)) = body else {
        return refused(StatusCode::BAD_REQUEST, "An act is a JSON object with `as` and `do`.");
    };
    let Some(who) = body.remove("as").and_then(|who| who.as_str().map(str::to_owned)) else {
        return refused(StatusCode::BAD_REQUEST, "Say who acts: `as` is a user's id.");
    };
    let act = match serde_json::from_value(Value::Object(body)) {
        Ok(act) => act,
        Err(error) => return refused(StatusCode::BAD_REQUEST, &format!("This act cannot be read: {error}.")),
    };
    match control.act(&who, act).await {
        Ok(mut done) => {
            done["ok"] = json!(true);
            Json(done).into_response()
        }
        Err(refusal) => Json(json!({ "ok": false, "error": refusal.to_string() })).into_response(),
    }
}

async fn faults(Extract(control): Extract<Control>) -> Json<Value> {
    Json(json!({ "faults": control.faults() }))
}

/// The body of `POST /_control/faults`.
#[derive(Debug, Deserialize)]
struct Orders {
    #[serde(default)]
    add: Vec<Fault>,
    #[serde(default)]
    clear: bool,
}

async fn set_faults(Extract(control): Extract<Control>, orders: Result<Json<Orders>, JsonRejection>) -> Response {
    let orders = match orders {
        Ok(Json(orders)) => orders,
        Err(error) => {
            return refused(StatusCode::BAD_REQUEST, &format!("These faults cannot be read: {}", error.body_text()));
        }
    };
    if orders.clear {
        control.clear_faults();
    }
    for fault in orders.add {
        control.add_fault(fault);
    }
    Json(json!({ "ok": true, "faults": control.faults() })).into_response()
}

/// `{"mode":"http","commands_url":…,"interactions_url":…,"events_url":…}`, `{"mode":"socket_mode"}` or `{"mode":"off"}`.
async fn set_delivery(Extract(control): Extract<Control>, delivery: Result<Json<Delivery>, JsonRejection>) -> Response {
    match delivery {
        Ok(Json(delivery)) => {
            control.set_delivery(delivery);
            Json(json!({ "ok": true })).into_response()
        }
        Err(error) => refused(StatusCode::BAD_REQUEST, &format!("This delivery cannot be read: {}", error.body_text())),
    }
}

async fn settle(Extract(control): Extract<Control>) -> Json<Value> {
    control.settle().await;
    Json(json!({ "ok": true }))
}

/// The body of `POST /_control/clock`.
#[derive(Debug, Deserialize)]
struct Instant {
    at: DateTime<Utc>,
}

async fn set_clock(Extract(control): Extract<Control>, Json(instant): Json<Instant>) -> Response {
    if control.set_clock(instant.at) {
        return Json(json!({ "ok": true, "now": instant.at.to_rfc3339() })).into_response();
    }
    refused(StatusCode::CONFLICT, "This sandbox runs on a clock that goes by itself.")
}

async fn news(
    Extract(control): Extract<Control>,
    Query(look): Query<Look>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let start = (control.subscribe(), control.clone(), look.who);
    let stream = stream::unfold(start, |(mut changes, control, who)| async move {
        loop {
            let change = tokio::select! {
                change = changes.recv() => change,
                () = control.hub.closed() => return None,
            };
            let data = match change {
                Ok(change) if concerns(&control, &change, &who) => json!(change),
                Ok(_) => continue,
                // Too slow to hear everything: look at everything again.
                Err(RecvError::Lagged(_)) => json!({ "kind": "channel" }),
                Err(RecvError::Closed) => return None,
            };
            let event = Event::default().event("change").data(data.to_string());
            return Some((Ok(event), (changes, control, who)));
        }
    });
    Sse::new(stream).keep_alive(KeepAlive::default())
}

fn concerns(control: &Control, change: &Change, who: &str) -> bool {
    if change.only.as_ref().is_some_and(|only| only != who) {
        return false;
    }
    let Some(channel) = &change.channel else { return true };
    control.hub.with(|live| live.state.channels.get(channel).is_none_or(|channel| channel.is_visible_to(who)))
}
