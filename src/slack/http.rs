//! Slack's signed requests over HTTP: commands, interactions, events.
//!
//! Each request is bounded, then verified, then read, then handed on; the answer goes back when the receiver has it.
//! Nothing is decided here. Problems are logged once, with the kind of delivery and never with its content.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use secrecy::SecretString;
use serde_json::{Map, Value, json};

use super::inbound::{
    Ack, Inbound, Meta, Parsed, Receive, Retry, SlashCommand, Transport, delivery_key, kind_name, parse_event,
    parse_interaction,
};
use super::signature::{Accepted, Refused, SIGNATURE_HEADER, TIMESTAMP_HEADER, Verifier};
use crate::clock::Clock;

/// The largest body read before its signature is checked, bytes.
pub const BODY_BYTES_MAX: usize = 1 << 20;

/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the receiver may take; Slack gives up after three seconds.
const RECEIVE_TIMEOUT: Duration = Duration::from_millis(2800);

/// What the routes need to know.
#[derive(Clone, Debug)]
pub struct HttpConfig {
    pub signing_secret: SecretString,
    pub clock: Clock,
    /// Bytes; [`BODY_BYTES_MAX`] is the usual.
    pub body_bytes_max: usize,
}

impl HttpConfig {
    /// The usual limits.
    pub fn new(signing_secret: SecretString, clock: Clock) -> Self {
        Self { signing_secret, clock, body_bytes_max: BODY_BYTES_MAX }
    }
}

struct Door {
    verifier: Verifier,
    clock: Clock,
    body_bytes_max: usize,
    receive: Receive,
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
            // Slack checks certificates with a request that asks for nothing and gets nothing.
            Err(_) if is_ssl_check(&body) => return StatusCode::OK.into_response(),
            Err(refused) => {
                log_refused(route, refused);
                return (StatusCode::UNAUTHORIZED, refused.to_string()).into_response();
            }
        };
        let inbound = match parse(route, &body) {
            Ok(Parsed::Inbound(inbound)) => *inbound,
            Ok(Parsed::Challenge(challenge)) => return json_response(&json!({"challenge": challenge})),
            Ok(Parsed::Unknown(kind)) => {
                tracing::info!(
                    route = route.as_str(),
                    kind,
                    "Slack sent a kind of delivery that Firebell does not know"
                );
                return StatusCode::OK.into_response();
            }
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

    /// Runs the receiver in a task of its own: it must finish its transaction even if Slack hangs up.
    async fn hand_on(&self, route: Route, inbound: Inbound, meta: Meta, accepted: Accepted) -> Response {
        let task = tokio::spawn((self.receive)(inbound, meta));
        let ack = match tokio::time::timeout(RECEIVE_TIMEOUT, task).await {
            Ok(Ok(ack)) => ack,
            Ok(Err(_)) => {
                tracing::error!(route = route.as_str(), "the receiver of a delivery from Slack broke down");
                Ack::Busy
            }
            Err(_) => {
                tracing::error!(route = route.as_str(), "a delivery from Slack was not taken within three seconds");
                Ack::Busy
            }
        };
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

/// What a command answers when it could not be taken: a person reads it, so it is no bare error status.
pub(super) const BUSY_TEXT: &str =
    "Firebell could not take that just now and has changed nothing. Please send it again.";

fn render(route: Route, ack: Ack) -> Response {
    match (ack, route) {
        (Ack::Empty, _) => StatusCode::OK.into_response(),
        (Ack::Message(value) | Ack::View(value) | Ack::Options(value), _) => json_response(&value),
        (Ack::Busy, Route::Commands) => json_response(&json!({"response_type": "ephemeral", "text": BUSY_TEXT})),
        (Ack::Busy, Route::Interactions | Route::Events) => {
            Turned(StatusCode::SERVICE_UNAVAILABLE, "Firebell could not take that just now.").into_response()
        }
    }
}

fn json_response(value: &Value) -> Response {
    axum::Json(value).into_response()
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
            let form: Map<String, Value> = url::form_urlencoded::parse(body)
                .map(|(key, value)| (key.into_owned(), value.into_owned().into()))
                .collect();
            if !form.contains_key("command") {
                return Err(NO_COMMAND);
            }
            Ok(Parsed::Inbound(Box::new(Inbound::Command(SlashCommand::read(&Value::Object(form))))))
        }
    }
}

fn is_ssl_check(body: &[u8]) -> bool {
    body.len() < 1024 && url::form_urlencoded::parse(body).any(|(key, value)| key == "ssl_check" && value == "1")
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

fn log_refused(route: Route, refused: Refused) {
    match refused {
        // Anybody on the internet can cause this one as often as they like.
        Refused::Unsigned => tracing::debug!(route = route.as_str(), "turned away: {refused}"),
        Refused::Wrong | Refused::Stale | Refused::Replayed => {
            tracing::warn!(route = route.as_str(), "turned away: {refused}");
        }
    }
}
