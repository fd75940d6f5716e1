//! `POST /alerts/<kind>/<key>`: receives alerts over HTTP. Checks the key before it reads the body, never logs the key
//! or the body, and says 202 only when the caller has stored what the body says.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use futures_util::future::BoxFuture;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::json;
use tokio::sync::Semaphore;

use super::{BODY_BYTES_MAX, BadAlert, Integration, Keys, Kind, Parsed, Received, Signal, too_large};
use crate::clock::{Clock, real_sleep};
use crate::domain::rejection::{Rejection, RejectionKind};
use crate::ids;

/// Most requests that are read or stored at once; the next ones are told to come again.
const AT_ONCE_MAX: usize = 256;
/// How long a sender may take to send the body.
const READ_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a sender should wait when we are busy, in seconds.
const RETRY_AFTER_S: u32 = 5;
/// How long a sender should wait while the disk is full, in seconds: somebody has to make room first.
const FULL_RETRY_AFTER_S: u32 = 30;
/// The header for the key, besides `Authorization: Bearer`.
const KEY_HEADER: HeaderName = HeaderName::from_static("x-firebell-key");
const IDEMPOTENCY_HEADER: HeaderName = HeaderName::from_static("idempotency-key");

/// What became of one [`Signal`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// The number of the incident it went to; `None` if there was none, as for a clear of something unknown.
    pub incident: Option<i64>,
    /// What in it names nobody and nothing that we know.
    pub unknown: Vec<Unknown>,
}

/// A name in an alert that could not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    pub what: Named,
    /// What was done instead.
    pub sentence: String,
}

/// What an alert may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    Team,
    Incident,
}

impl Named {
    /// Where a body of that kind names it, as a JSON pointer.
    fn pointer(self, kind: Kind) -> &'static str {
        match (self, kind) {
            (Self::Team, Kind::Generic) => "/team",
            (Self::Team, Kind::Alertmanager) => "/commonLabels/team",
            (Self::Incident, _) => "/incident",
        }
    }
}

/// Why signals were not stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// Too much at once: come again.
    #[error("busy, retry after {retry_after_s} s")]
    Busy { retry_after_s: u32 },
    /// The database is away, or another process holds it: come again. What happened is in the log under this reference.
    #[error("the database takes nothing at the moment, reference {reference}")]
    Away { reference: String },
    /// The disk of the database is full: come again.
    #[error("the disk is full, reference {reference}")]
    Full { reference: String },
    /// A rule refused it, such as an incident to join that does not exist.
    #[error("{}", .0.sentence)]
    Refused(Rejection),
    /// Our fault; what happened is in the log under this reference.
    #[error("failed, reference {reference}")]
    Failed { reference: String },
}

/// Stores signals, in order; returns one [`Accepted`] each, only after they are committed.
pub type Submit = Arc<dyn Fn(Vec<Signal>) -> BoxFuture<'static, Result<Vec<Accepted>, SubmitError>> + Send + Sync>;

#[derive(Clone)]
struct Receiver {
    keys: Arc<Keys>,
    clock: Clock,
    submit: Submit,
    places: Arc<Semaphore>,
}

/// The routes under `/alerts`.
pub fn router(keys: Arc<Keys>, clock: Clock, submit: Submit) -> Router {
    let receiver = Receiver { keys, clock, submit, places: Arc::new(Semaphore::new(AT_ONCE_MAX)) };
    Router::new()
        .route("/alerts/{kind}/{key}", post(with_key_in_path))
        .route("/alerts/{kind}", post(with_key_in_header))
        .with_state(receiver)
}

async fn with_key_in_path(
    State(receiver): State<Receiver>,
    Path((kind, key)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    receive(&receiver, &kind, Some(&key), &headers, body).await.unwrap_or_else(Refusal::into_response)
}

async fn with_key_in_header(
    State(receiver): State<Receiver>,
    Path(kind): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    receive(&receiver, &kind, key_in(&headers), &headers, body).await.unwrap_or_else(Refusal::into_response)
}

fn key_in(headers: &HeaderMap) -> Option<&str> {
    let own = headers.get(KEY_HEADER).and_then(|value| value.to_str().ok());
    own.or_else(|| {
        let (scheme, key) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(key)
    })
    .map(str::trim)
}

async fn receive(
    receiver: &Receiver,
    kind: &str,
    key: Option<&str>,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let integration = key.and_then(|key| receiver.keys.find(key)).ok_or(Refusal::Key)?;
    let kind = kind_of(kind, integration)?;
    let _place = receiver
        .places
        .try_acquire()
        .map_err(|_| Refusal::Submit(SubmitError::Busy { retry_after_s: RETRY_AFTER_S }))?;
    let body = read(body).await?;
    let received = Received {
        integration: integration.key.clone(),
        at: receiver.clock.now(),
        nonce: ids::random_id(),
        idempotency_key: headers.get(IDEMPOTENCY_HEADER).and_then(|value| value.to_str().ok()).map(str::to_owned),
    };
    let Parsed { signals, warnings } = super::parse(kind, &body, &received).map_err(|bad| {
        tracing::warn!(integration = %integration.key, code = bad.code(), pointer = %bad.pointer, "alert refused");
        Refusal::Body(bad)
    })?;
    let accepted = (receiver.submit)(signals).await.map_err(Refusal::Submit)?;
    let incidents: Vec<_> = accepted
        .iter()
        .map(|accepted| json!({ "incident": accepted.incident.map(|number| format!("INC-{number}")) }))
        .collect();
    let unread = warnings.iter().map(|warning| (warning.pointer.as_str(), &warning.sentence));
    let unknown = accepted.iter().flat_map(|accepted| &accepted.unknown);
    let unknown = unknown.map(|unknown| (unknown.what.pointer(kind), &unknown.sentence));
    let warnings: Vec<_> =
        unread.chain(unknown).map(|(pointer, sentence)| json!({ "pointer": pointer, "message": sentence })).collect();
    Ok(answer(StatusCode::ACCEPTED, &json!({ "accepted": incidents, "warnings": warnings })))
}

/// The kind that the address names, which must be the integration's.
fn kind_of(word: &str, integration: &Integration) -> Result<Kind, Refusal> {
    match Kind::parse(word) {
        Some(kind) if kind == integration.kind => Ok(kind),
        Some(_) | None => Err(Refusal::Kind { right: integration.kind }),
    }
}

async fn read(body: Body) -> Result<Vec<u8>, Refusal> {
    let collected = tokio::select! {
        collected = Limited::new(body, BODY_BYTES_MAX).collect() => collected,
        () = real_sleep(READ_TIMEOUT) => return Err(Refusal::Slow),
    };
    match collected {
        Ok(body) => Ok(body.to_bytes().to_vec()),
        Err(error) if error.is::<LengthLimitError>() => Err(Refusal::Body(too_large())),
        Err(_) => Err(Refusal::Cut),
    }
}

/// Why a request got no 202.
enum Refusal {
    Key,
    Kind { right: Kind },
    Slow,
    Cut,
    Body(BadAlert),
    Submit(SubmitError),
}

impl Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Key => {
                let mut response = refusal(
                    StatusCode::UNAUTHORIZED,
                    "bad_key",
                    "The key is missing or not known. Give it as the last part of the address, or as \
                     `Authorization: Bearer <key>`.",
                );
                response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
                response
            }
            Self::Kind { right } => refusal(
                StatusCode::NOT_FOUND,
                "wrong_kind",
                &format!("This key is for `{right}`: post to /alerts/{right} instead."),
            ),
            Self::Slow => refusal(
                StatusCode::REQUEST_TIMEOUT,
                "too_slow",
                &format!("The body did not arrive within {} seconds; send it again.", READ_TIMEOUT.as_secs()),
            ),
            Self::Cut => refusal(StatusCode::BAD_REQUEST, "cut_off", "The body was cut off; send it again."),
            Self::Body(bad) => {
                let status = StatusCode::from_u16(bad.status()).unwrap_or(StatusCode::BAD_REQUEST);
                let error = json!({ "code": bad.code(), "pointer": bad.pointer, "message": bad.sentence });
                answer(status, &json!({ "error": error }))
            }
            Self::Submit(SubmitError::Busy { retry_after_s }) => again(
                "busy",
                retry_after_s,
                &format!("Firebell cannot take the alert at the moment; send it again in {retry_after_s} seconds."),
            ),
            Self::Submit(SubmitError::Away { reference }) => again(
                "database_away",
                RETRY_AFTER_S,
                &format!(
                    "Firebell's database takes nothing at the moment, so the alert was not stored; send it again in \
                     {RETRY_AFTER_S} seconds. The log of Firebell has more under {reference}."
                ),
            ),
            // 507 would name it, but many senders repeat only what they know, and all know 503.
            Self::Submit(SubmitError::Full { reference }) => again(
                "disk_full",
                FULL_RETRY_AFTER_S,
                &format!(
                    "The disk of Firebell's database is full, so the alert was not stored; send it again in \
                     {FULL_RETRY_AFTER_S} seconds. Whoever runs Firebell has to make room; its log has more under \
                     {reference}."
                ),
            ),
            Self::Submit(SubmitError::Refused(rejection)) => {
                let status = match rejection.kind {
                    RejectionKind::NotAllowed => StatusCode::FORBIDDEN,
                    RejectionKind::NotFound => StatusCode::NOT_FOUND,
                    RejectionKind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
                    RejectionKind::Conflict => StatusCode::CONFLICT,
                };
                let hint = rejection.hint.map(|hint| format!(" {hint}")).unwrap_or_default();
                refusal(status, "refused", &format!("{}{hint}", rejection.sentence))
            }
            Self::Submit(SubmitError::Failed { reference }) => refusal(
                StatusCode::INTERNAL_SERVER_ERROR,
                "failed",
                &format!(
                    "The alert could not be stored; send it again. The log of Firebell has more under {reference}."
                ),
            ),
        }
    }
}

/// Nothing is wrong with the alert, and it may be taken later: every sender knows to repeat this.
fn again(code: &str, retry_after_s: u32, sentence: &str) -> Response {
    let mut response = refusal(StatusCode::SERVICE_UNAVAILABLE, code, sentence);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(retry_after_s));
    response
}

fn refusal(status: StatusCode, code: &str, sentence: &str) -> Response {
    answer(status, &json!({ "error": { "code": code, "message": sentence } }))
}

fn answer(status: StatusCode, body: &serde_json::Value) -> Response {
    (status, [(header::CACHE_CONTROL, "no-store")], axum::Json(body)).into_response()
}

#[cfg(test)]
#[path = "http/tests.rs"]
mod tests;
