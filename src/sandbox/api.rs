//! The Web API: `/api/{method}` by GET or POST, with Slack's authentication, scopes, limits and errors.
//!
//! Reads a request, finds its method in the table and runs it under the lock; mishaps on order are added around it.

mod apps;
mod canvases;
pub(crate) mod channel_changes;
mod chat;
pub(crate) use chat::{Content, read_content};
mod conversations;
pub(crate) mod files;
mod history;
pub(crate) mod marks;
#[cfg(test)]
pub(crate) mod strict;
mod table;
mod users;
pub(crate) mod views;

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Path, Request, State as Extract};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::faults::ApiFault;
use super::hub::Hub;
use super::journal::{Direction, EntryKind};
use super::listener::Peer;
use super::live::Live;
use super::state::{Channel, ChannelKind};
use super::wire::{ApiError, Args, BodyKind, parse_form, parse_multipart};
use crate::clock::{instant_now, real_sleep};
use table::{Does, Method, Needs};

/// The longest request body, bytes.
const BODY_MAX: usize = 4 << 20;

/// What a method answers: the JSON without `ok`, or an error.
pub(crate) type Reply = Result<Value, ApiError>;

/// One call in progress, under the lock.
pub(crate) struct Call<'a> {
    pub live: &'a mut Live,
    pub args: &'a Args,
    pub hub: &'a Hub,
    /// The bot on whose behalf it runs.
    pub me: String,
}

/// How a call went, before mishaps.
struct Outcome {
    status: StatusCode,
    body: Value,
    retry_after: Option<u64>,
}

impl Outcome {
    fn ok(mut body: Value) -> Self {
        if let Some(map) = body.as_object_mut() {
            map.entry("ok").or_insert(json!(true));
        }
        Self { status: StatusCode::OK, body, retry_after: None }
    }

    fn error(error: &ApiError) -> Self {
        Self { status: StatusCode::OK, body: error.body(), retry_after: None }
    }

    fn limited(seconds: u64) -> Self {
        Self {
            status: StatusCode::TOO_MANY_REQUESTS,
            body: json!({ "ok": false, "error": "ratelimited" }),
            retry_after: Some(seconds),
        }
    }
}

/// A request as far as HTTP tells.
struct Incoming {
    method: String,
    token: Option<String>,
    /// The token came in the Authorization header.
    bearer: bool,
    kind: BodyKind,
    args: Args,
}

/// `GET` and `POST /api/{method}`.
pub(crate) async fn handle(
    Extract(hub): Extract<Arc<Hub>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Path(method): Path<String>,
    request: Request,
) -> Response {
    let began = instant_now();
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, BODY_MAX).await else {
        return (StatusCode::PAYLOAD_TOO_LARGE, "request body too large").into_response();
    };
    let incoming = read(method, parts.uri.query().unwrap_or_default(), &parts.headers, &body);
    let mut entry = hub.entry(Direction::In, EntryKind::Api, &incoming.method);
    entry.request = Value::Object(incoming.args.0.clone());
    let fault = hub.with(|live| live.faults.for_call(&incoming.method));
    let outcome = match &fault {
        Some(ApiFault::RateLimited { retry_after, .. }) => Outcome::limited(*retry_after),
        Some(ApiFault::RatelimitedOk) => Outcome::error(&ApiError::from("ratelimited")),
        Some(ApiFault::Error { code }) => Outcome::error(&ApiError::from(code.as_str())),
        Some(ApiFault::ServerError { status }) => Outcome {
            status: StatusCode::from_u16(*status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE),
            body: Value::Null,
            retry_after: None,
        },
        Some(ApiFault::ResetBefore) => Outcome { status: StatusCode::OK, body: Value::Null, retry_after: None },
        Some(ApiFault::Lie) => pretend(&hub, &incoming),
        Some(ApiFault::Truncated | ApiFault::MissingField { .. } | ApiFault::Slow { .. } | ApiFault::ResetAfter)
        | None => perform(&hub, &incoming),
    };
    entry.status = outcome.status.as_u16();
    entry.ok = outcome.body["ok"] == json!(true);
    entry.error = outcome.body["error"].as_str().map(str::to_owned);
    entry.response = outcome.body.clone();
    entry.took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    if let Some(fault) = &fault {
        entry.error = Some(format!("fault on order: {fault:?}"));
    }
    let scopes = if incoming.token.as_ref() == Some(&hub.keys.bot_token) {
        hub.with(|live| live.state.app.scopes.join(","))
    } else {
        String::new()
    };
    hub.record(entry);
    // The app must not know more of the workspace than survives a crash.
    if let Err(error) = super::persist::save(&hub).await {
        tracing::warn!("{error:#}");
    }
    let mut response = answer(outcome, fault, &peer).await;
    tell_around(&hub, &scopes, response.headers_mut());
    response
}

/// What Slack's headers say beside the answer: what the token may do, and Slack's time.
fn tell_around(hub: &Hub, scopes: &str, headers: &mut HeaderMap) {
    let date = hub.clock.now().format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    for (name, text) in [("x-oauth-scopes", scopes), ("date", &date)] {
        if let Ok(value) = HeaderValue::from_str(text)
            && !text.is_empty()
        {
            headers.insert(name, value);
        }
    }
}

fn read(method: String, query: &str, headers: &HeaderMap, body: &Bytes) -> Incoming {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = BodyKind::of(content_type, body);
    let mut args = parse_form(query);
    match kind {
        BodyKind::Form => args.extend(parse_form(&String::from_utf8_lossy(body))),
        BodyKind::Multipart => args.extend(
            parse_multipart(content_type, body)
                .into_iter()
                .map(|part| (part.name, Value::String(String::from_utf8_lossy(&part.content).into_owned()))),
        ),
        BodyKind::Json => {
            if let Ok(Value::Object(map)) = serde_json::from_slice(body) {
                args.extend(map);
            }
        }
        BodyKind::Empty | BodyKind::Other => {}
    }
    let from_args = args.remove("token").and_then(|token| token.as_str().map(str::to_owned));
    let bearer = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .map(|token| token.trim().to_owned());
    // A token inside a JSON body does not count.
    let from_args = from_args.filter(|_| kind != BodyKind::Json);
    Incoming { method, bearer: bearer.is_some(), token: bearer.or(from_args), kind, args: Args(args) }
}

/// Authenticates, counts, checks and runs the call.
fn perform(hub: &Arc<Hub>, incoming: &Incoming) -> Outcome {
    hub.with(|live| run(hub, live, incoming))
}

/// Runs the call on a copy: it answers as if done, and nothing is stored or told.
fn pretend(hub: &Arc<Hub>, incoming: &Incoming) -> Outcome {
    hub.with(|live| {
        let before = live.state.clone();
        let outcome = run(hub, live, incoming);
        live.state = before;
        live.outgoing.clear();
        live.changes.clear();
        outcome
    })
}

fn run(hub: &Hub, live: &mut Live, incoming: &Incoming) -> Outcome {
    let Some(method) = table::find(&incoming.method) else {
        return Outcome::error(&ApiError::from("unknown_method").with("req_method", json!(incoming.method)));
    };
    if let Err(error) = authenticate(hub, live, method, incoming) {
        return Outcome::error(&error);
    }
    if live.rate_limits
        && let Err(seconds) = live.limits.call(method.name, method.tier, live.now)
    {
        return Outcome::limited(seconds);
    }
    let args = check_arguments(live, method, incoming);
    let args = match args {
        Ok(args) => args,
        Err(error) => return Outcome::error(&error),
    };
    if live.rate_limits
        && method.tier == super::ratelimit::Tier::Post
        && let Some(channel) = args.text("channel").or_else(|| args.text("channel_id"))
        && let Err(seconds) = live.limits.post(&channel, live.now)
    {
        return Outcome::limited(seconds);
    }
    let me = live.bot_user();
    match (method.run)(&mut Call { live, args: &args, hub, me }) {
        Ok(body) => Outcome::ok(body),
        Err(error) => Outcome::error(&error),
    }
}

fn authenticate(hub: &Hub, live: &mut Live, method: &Method, incoming: &Incoming) -> Result<(), ApiError> {
    let token = match (method.needs, incoming.token.as_deref()) {
        (Needs::Nothing, _) => return Ok(()),
        (_, None) => return Err(ApiError::from("not_authed")),
        (_, Some(token)) => token,
    };
    let is_bot = token == hub.keys.bot_token;
    let is_app = token == hub.keys.app_token;
    match method.needs {
        _ if !is_bot && !is_app => Err(ApiError::from("invalid_auth")),
        Needs::App if is_bot => Err(ApiError::from("not_allowed_token_type")),
        Needs::App if !incoming.bearer => {
            live.journal.complain(format!("{}: the app token belongs into the Authorization header", method.name));
            Err(ApiError::from("invalid_auth"))
        }
        Needs::Bot if is_app => Err(ApiError::from("not_allowed_token_type")),
        Needs::Bot | Needs::App | Needs::Nothing => Ok(()),
    }?;
    let granted = &live.state.app.scopes;
    if method.needs == Needs::Bot
        && !method.scopes.is_empty()
        && !method.scopes.split(' ').any(|scope| granted.iter().any(|have| have == scope))
    {
        return Err(ApiError::missing_scope(&method.scopes.replace(' ', ","), &granted.join(",")));
    }
    Ok(())
}

/// Slack's own reading of arguments: reads take no JSON, required ones must be there; unknown ones are only noted.
fn check_arguments(live: &mut Live, method: &Method, incoming: &Incoming) -> Result<Args, ApiError> {
    let mut args = incoming.args.clone();
    match incoming.kind {
        BodyKind::Json if method.does == Does::Read => {
            if !args.0.is_empty() {
                live.journal.complain(format!(
                    "{}: a method that reads ignores a JSON body; use a form or the query",
                    method.name
                ));
            }
            args = Args(Map::new());
        }
        BodyKind::Other => {
            live.journal.complain(format!("{}: the body has no content type that Slack reads", method.name));
        }
        BodyKind::Json | BodyKind::Empty | BodyKind::Form | BodyKind::Multipart => {}
    }
    for name in args.0.keys() {
        // Slack's own frameworks add `team_id` to every call.
        if name != "team_id" && !method.takes(name) {
            live.journal.complain(format!("{}: unknown argument `{name}`", method.name));
        }
    }
    let missing: Vec<String> = method
        .required()
        .filter(|name| args.text(name).is_none())
        .map(|name| format!("missing required field: {name}"))
        .collect();
    if !missing.is_empty() {
        return Err(ApiError::arguments(&missing));
    }
    if live.state.team.enterprise.is_some() && method.takes("team_id") && args.text("team_id").is_none() {
        return Err(ApiError::from("missing_argument").with_messages(&["missing required field: team_id".to_owned()]));
    }
    Ok(args)
}

async fn answer(outcome: Outcome, fault: Option<ApiFault>, peer: &Peer) -> Response {
    let mut body = outcome.body;
    let mut plain = None;
    match fault {
        Some(ApiFault::ResetBefore | ApiFault::ResetAfter) => peer.reset(),
        Some(ApiFault::Slow { ms }) => real_sleep(Duration::from_millis(ms)).await,
        Some(ApiFault::MissingField { field }) => {
            if let Some(map) = body.as_object_mut() {
                map.remove(&field);
            }
        }
        Some(ApiFault::Truncated) => {
            let text = body.to_string();
            let cut = text.char_indices().nth(text.chars().count() / 2).map_or(0, |(at, _)| at);
            plain = Some(("application/json; charset=utf-8", text[..cut].to_owned()));
        }
        Some(ApiFault::ServerError { status }) => {
            plain = Some((
                "text/html",
                format!("<!DOCTYPE html><html><body><h1>{status}</h1><p>Server error</p></body></html>"),
            ));
        }
        Some(ApiFault::RateLimited { plain: true, .. }) => plain = Some(("text/plain", "rate limited".to_owned())),
        Some(ApiFault::RateLimited { .. } | ApiFault::RatelimitedOk | ApiFault::Error { .. } | ApiFault::Lie)
        | None => {}
    }
    let (content_type, text) = plain.unwrap_or_else(|| ("application/json; charset=utf-8", body.to_string()));
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = outcome.status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Some(seconds) = outcome.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

impl Call<'_> {
    /// The channel named by an argument, if the bot may see it.
    pub(crate) fn channel(&self, argument: &str) -> Result<&Channel, ApiError> {
        self.live.visible_channel(&self.args.need(argument)?, &self.me)
    }

    /// `missing_scope` unless one of these was granted.
    pub(crate) fn need_scope(&self, any_of: &[&str]) -> Result<(), ApiError> {
        let granted = &self.live.state.app.scopes;
        if any_of.iter().any(|scope| granted.iter().any(|have| have == scope)) {
            return Ok(());
        }
        Err(ApiError::missing_scope(any_of.first().unwrap_or(&""), &granted.join(",")))
    }

    /// `missing_scope` unless this kind of conversation may be read (`read`, `history`) or changed (`write`).
    pub(crate) fn need_kind_scope(&self, kind: ChannelKind, what: &str) -> Result<(), ApiError> {
        match (kind, what) {
            (ChannelKind::Public, "write") => self.need_scope(&[
                "channels:manage",
                "channels:write",
                "channels:write.topic",
                "channels:write.invites",
            ]),
            (ChannelKind::Public, what) => self.need_scope(&[&format!("channels:{what}")]),
            (ChannelKind::Private, what) => self.need_scope(&[&format!("groups:{what}")]),
            (ChannelKind::Im, what) => self.need_scope(&[&format!("im:{what}")]),
            (ChannelKind::Mpim, what) => self.need_scope(&[&format!("mpim:{what}")]),
        }
    }

    /// One page of a list and the cursor of the next: `limit` and `cursor` as everywhere in the Web API.
    pub(crate) fn page<T>(&self, items: Vec<T>, default: usize, max: usize) -> Result<(Vec<T>, String), ApiError> {
        let limit = match self.args.int("limit")? {
            None | Some(0) => default,
            Some(limit) => usize::try_from(limit)
                .ok()
                .filter(|limit| *limit <= max)
                .ok_or_else(|| ApiError::from("invalid_limit"))?,
        };
        let start = match self.args.text("cursor") {
            None => 0,
            Some(cursor) => cursor
                .strip_prefix("from:")
                .and_then(|number| number.parse::<usize>().ok())
                .ok_or_else(|| ApiError::from("invalid_cursor"))?,
        };
        let total = items.len();
        let page: Vec<T> = items.into_iter().skip(start).take(limit).collect();
        let end = start + page.len();
        Ok((page, if end < total { format!("from:{end}") } else { String::new() }))
    }
}

/// `response_metadata` with the cursor of the next page.
pub(crate) fn next_cursor(cursor: &str) -> Value {
    json!({ "next_cursor": cursor })
}
