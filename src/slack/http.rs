//! Slack's signed requests over HTTP: commands, interactions, events.
//!
//! Each request is bounded, then verified, then read, then handed on; the answer goes back when the receiver has it.
//! Nothing is decided here. Problems are logged once, with the kind of delivery and never with its content.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::inbound::{
    Ack, Inbound, Meta, Parsed, Receive, Retry, SlashCommand, Transport, busy_message, delivery_key, hand_on,
    kind_name, parse_event, parse_interaction,
};
use super::json::Json;
use super::signature::{Accepted, Refused, SIGNATURE_HEADER, TIMESTAMP_HEADER, Verifier};
use crate::clock::Clock;
use crate::metrics::{self, Metrics};

/// The largest body read before its signature is checked, bytes.
pub const BODY_BYTES_MAX: usize = 1 << 20;

/// Most answers are no longer than this, and of blocks this small glibc keeps some at hand; for one a little larger it first
/// puts all that is free together.
const ANSWER_BYTES_USUAL: usize = 1000;

/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// What the routes need to know.
#[derive(Clone, Debug)]
pub struct HttpConfig {
    pub signing_secret: SecretString,
    pub clock: Clock,
    /// Bytes; [`BODY_BYTES_MAX`] is the usual.
    pub body_bytes_max: usize,
    /// Where requests are counted that are turned away.
    pub metrics: Metrics,
}

impl HttpConfig {
    /// The usual limits.
    pub fn new(signing_secret: SecretString, clock: Clock) -> Self {
        Self { signing_secret, clock, body_bytes_max: BODY_BYTES_MAX, metrics: Metrics::default() }
    }
}

struct Door {
    verifier: Verifier,
    clock: Clock,
    body_bytes_max: usize,
    receive: Receive,
    metrics: Metrics,
    warned_minute: AtomicI64,
}

#[derive(Clone, Copy)]
enum Route {
    Commands,
    Interactions,
    Events,
}

/// The three addresses that the app's manifest names: `/slack/commands`, `/slack/interactions`, `/slack/events`.
pub fn router(config: HttpConfig, receive: Receive) -> Router {
    let door = Arc::new(Door {
        verifier: Verifier::new(&config.signing_secret),
        clock: config.clock,
        body_bytes_max: config.body_bytes_max,
        receive,
        metrics: config.metrics,
        warned_minute: AtomicI64::new(i64::MIN),
    });
    let at =
        |route| post(move |State(door): State<Arc<Door>>, request| async move { door.answer(route, request).await });
    Router::new()
        .route("/slack/commands", at(Route::Commands))
        .route("/slack/interactions", at(Route::Interactions))
        .route("/slack/events", at(Route::Events))
        .with_state(door)
}

/// An answer that is not the receiver's: status and a plain sentence.
struct Turned(StatusCode, &'static str);

impl IntoResponse for Turned {
    fn into_response(self) -> Response {
        (self.0, self.1).into_response()
    }
}

impl Door {
    async fn answer(&self, route: Route, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let body = match self.read_body(&parts.headers, body).await {
            Ok(body) => body,
            Err(turned) => return turned.into_response(),
        };
        let now = self.clock.now();
        let header = |name| parts.headers.get(name).map(axum::http::HeaderValue::as_bytes);
        let accepted = match self.verifier.check(header(SIGNATURE_HEADER), header(TIMESTAMP_HEADER), &body, now) {
            Ok(accepted) => accepted,
            Err(_) if is_ssl_check(&body) => return StatusCode::OK.into_response(),
            Err(refused) => {
                self.metrics.signature_failures.of((metrics::Turned::of(refused),)).count();
                self.log_refused(route, refused, now);
                return (StatusCode::UNAUTHORIZED, refused.to_string()).into_response();
            }
        };
        let inbound = match parse(route, &body) {
            Ok(Parsed::Inbound(inbound)) => *inbound,
            Ok(Parsed::Challenge(challenge)) => return json_response(json!({"challenge": challenge}).to_string()),
            Ok(Parsed::Unknown(kind)) => {
                tracing::info!(
                    route = route.as_str(),
                    kind,
                    "Slack sent a kind of delivery that Firebell does not know"
                );
                return StatusCode::OK.into_response();
            }
            Err(_) if is_ssl_check(&body) => return StatusCode::OK.into_response(),
            Err(turned) => {
                tracing::warn!(route = route.as_str(), "a signed request could not be read: {}", turned.1);
                return turned.into_response();
            }
        };
        let meta = Meta {
            delivery_key: delivery_key(&inbound, &body),
            received_at: now,
            transport: Transport::Http,
            retry: retry(&parts.headers),
        };
        self.hand_on(route, inbound, meta, accepted).await
    }

    /// Whoever is not Slack can come as often as they like; a line a minute is enough to notice a wrong secret.
    fn log_refused(&self, route: Route, refused: Refused, now: DateTime<Utc>) {
        let route = route.as_str();
        let minute = now.timestamp().div_euclid(60);
        if self.warned_minute.swap(minute, Ordering::Relaxed) == minute {
            tracing::debug!(route, "turned away: {refused}");
        } else {
            tracing::warn!(route, "turned away, further ones of this minute are not logged: {refused}");
        }
    }

    async fn read_body(&self, headers: &HeaderMap, body: Body) -> Result<Bytes, Turned> {
        let too_large = Turned(StatusCode::PAYLOAD_TOO_LARGE, "The request is larger than Slack's are.");
        let announced =
            headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        if announced.is_some_and(|bytes| bytes > self.body_bytes_max) {
            return Err(too_large);
        }
        match tokio::time::timeout(BODY_TIMEOUT, to_bytes(body, self.body_bytes_max)).await {
            Ok(Ok(body)) => Ok(body),
            Ok(Err(error)) if is_length_limit(&error) => Err(too_large),
            Ok(Err(_)) => Err(Turned(StatusCode::BAD_REQUEST, "The request broke off.")),
            Err(_) => Err(Turned(StatusCode::REQUEST_TIMEOUT, "The request took too long to arrive.")),
        }
    }

    async fn hand_on(&self, route: Route, inbound: Inbound, meta: Meta, accepted: Accepted) -> Response {
        let ack = hand_on(&self.receive, inbound, meta).await;
        if ack == Ack::Busy {
            self.verifier.forget(accepted);
        }
        render(route, ack)
    }
}

impl Route {
    fn as_str(self) -> &'static str {
        match self {
            Self::Commands => "commands",
            Self::Interactions => "interactions",
            Self::Events => "events",
        }
    }
}

fn render(route: Route, ack: Ack) -> Response {
    match (ack, route) {
        (Ack::Empty, _) => StatusCode::OK.into_response(),
        (Ack::Message(message), _) => json_answer(&message.into_answer()),
        (Ack::View(value) | Ack::Options(value), _) => json_response(value.to_string()),
        (Ack::Busy, Route::Commands) => json_answer(&busy_message().into_answer()),
        (Ack::Busy, Route::Interactions | Route::Events) => {
            Turned(StatusCode::SERVICE_UNAVAILABLE, "Firebell could not take that just now.").into_response()
        }
    }
}

fn json_answer(answer: &Json) -> Response {
    let mut body = String::with_capacity(ANSWER_BYTES_USUAL);
    answer.write(&mut body);
    json_response(body)
}

fn json_response(body: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

fn parse(route: Route, body: &[u8]) -> Result<Parsed, Turned> {
    const NO_JSON: Turned = Turned(StatusCode::BAD_REQUEST, "The request holds no JSON object.");
    const NO_PAYLOAD: Turned = Turned(StatusCode::BAD_REQUEST, "The form has no payload.");
    const NO_COMMAND: Turned = Turned(StatusCode::BAD_REQUEST, "The form names no command.");
    match route {
        Route::Events => {
            let payload: Value = serde_json::from_slice(body).map_err(|_| NO_JSON)?;
            if payload.is_object() { Ok(parse_event(&payload)) } else { Err(NO_JSON) }
        }
        Route::Interactions => {
            let (_, payload) = url::form_urlencoded::parse(body).find(|(key, _)| key == "payload").ok_or(NO_PAYLOAD)?;
            let payload: Value = serde_json::from_str(&payload).map_err(|_| NO_JSON)?;
            if payload.is_object() { Ok(Parsed::Inbound(Box::new(parse_interaction(&payload)))) } else { Err(NO_JSON) }
        }
        Route::Commands => {
            let form: Vec<_> = url::form_urlencoded::parse(body).collect();
            let field = |wanted: &str| form.iter().rfind(|(key, _)| key == wanted).map(|(_, value)| &**value);
            if field("command").is_none() {
                return Err(NO_COMMAND);
            }
            let text = |wanted: &str| field(wanted).filter(|text| !text.is_empty()).map(str::to_owned);
            Ok(Parsed::Inbound(Box::new(Inbound::Command(SlashCommand::read(text)))))
        }
    }
}

/// Whether Slack checks our certificate, with a request, signed or not, that asks for nothing and gets nothing.
fn is_ssl_check(body: &[u8]) -> bool {
    let has = |wanted: &[u8]| body.split(|byte| *byte == b'&').any(|field| field.starts_with(wanted));
    body.len() < 1024 && has(b"ssl_check=") && !has(b"command=") && !has(b"payload=")
}

fn retry(headers: &HeaderMap) -> Option<Retry> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let number = text("x-slack-retry-num")?.parse().ok()?;
    Some(Retry { number, reason: kind_name(text("x-slack-retry-reason").unwrap_or_default()) })
}

fn is_length_limit(error: &axum::Error) -> bool {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = source {
        if error.is::<http_body_util::LengthLimitError>() {
            return true;
        }
        source = error.source();
    }
    false
}
