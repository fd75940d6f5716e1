//! The connection to Slack's Web API: where it is, how long we wait, and what an answer must look like.
//!
//! slack-morphism carries the requests. Its typed answers lose what they did not expect, so every answer is taken as
//! plain JSON and read by `methods` field by field. Nothing here repeats a call, waits for a limit or logs: that is the
//! worker's, who knows what the call is for.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use chrono::{DateTime, Utc};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::{ClientConfig, RootCertStore};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use slack_morphism::{ClientResult, SlackApiToken, SlackClient, SlackClientHttpConnector as _};
use tokio::sync::watch;
use url::{Host, Url};

use super::error::{Class, Error, Kind};
use super::fields;
use super::limits::Method;
use super::wire::{Answer, JSON, Wire};
use crate::clock::{Clock, instant_now, within};
use crate::ids::WorkspaceId;
use crate::metrics::{Code, Metrics, unix_seconds};

/// Slack's own address of the Web API; `SLACK_API_URL` names another.
pub const API_URL: &str = "https://slack.com/api";

/// How long one call may take; shorter than the lease of an effect, so that two workers never make the same call.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(4);

/// How long a search over several pages may take altogether.
pub const SEARCH_TIMEOUT: Duration = Duration::from_secs(7);

/// How long a connection may take to be made; a failure here is surely not an accepted call.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// How soon TCP looks whether the other end of a quiet connection is still there.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Where Slack is and who we are there.
#[derive(Clone, Debug)]
pub struct SlackConfig {
    /// Without a trailing slash. `http` only on this machine.
    pub api_url: String,
    /// `xoxb-…`.
    pub bot_token: SecretString,
    /// `xapp-…`, for Socket Mode only.
    pub app_token: Option<SecretString>,
    /// Sent along where an app installed for a whole organisation must say which workspace it means.
    pub workspace: Option<WorkspaceId>,
    pub call_timeout: Duration,
    /// Where calls are counted.
    pub metrics: Metrics,
}

impl SlackConfig {
    /// Slack itself, with the usual time-out.
    pub fn new(bot_token: SecretString) -> Self {
        Self {
            api_url: API_URL.to_owned(),
            bot_token,
            app_token: None,
            workspace: None,
            call_timeout: CALL_TIMEOUT,
            metrics: Metrics::default(),
        }
    }
}

/// Why a client could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("SLACK_API_URL is not an address: write it like {API_URL}")]
    NotAnAddress,
    #[error(
        "SLACK_API_URL must begin with https://; http:// is for a sandbox on this machine (127.0.0.1, ::1, localhost)"
    )]
    NotEncrypted,
    #[error("no certificate authorities found on this machine: install the ca-certificates package")]
    NoCertificates(#[source] std::io::Error),
}

/// A workspace's Web API, seen by our bot. Cheap to clone; all clones share their connections.
#[derive(Clone)]
pub struct Slack {
    inner: Arc<Inner>,
}

struct Inner {
    client: SlackClient<Wire>,
    meeting: watch::Sender<Meeting>,
    tls: Arc<ClientConfig>,
    config: SlackConfig,
}

impl std::fmt::Debug for Slack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slack").field("api_url", &self.inner.config.api_url).finish_non_exhaustive()
    }
}

/// Whether it is known whose token this is. Nothing may be sent with that of another workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meeting {
    /// It is, or whoever calls does not mind.
    Met,
    /// Slack is being asked; calls wait for a moment.
    Asking,
    /// Slack did not answer; calls are not made.
    Away,
}

/// How long a call waits until it is known whose token this is; far shorter than the lease of a page.
const MEETING_PATIENCE: Duration = Duration::from_secs(1);

/// The token a call is made with.
#[derive(Clone, Copy)]
pub(super) enum As {
    Bot,
    App,
}

impl Slack {
    /// Makes a client; nothing is sent yet.
    pub fn new(mut config: SlackConfig) -> Result<Self, SetupError> {
        let url = Url::parse(&config.api_url).map_err(|_| SetupError::NotAnAddress)?;
        let local = match url.scheme() {
            "https" => false,
            "http" if is_loopback(&url) => true,
            "http" => return Err(SetupError::NotEncrypted),
            _ => return Err(SetupError::NotAnAddress),
        };
        config.api_url.truncate(config.api_url.trim_end_matches('/').len());
        let tls = tls_config(local)?;
        let wire = Wire::new(https_connector(local, tls.clone()), &config.api_url);
        let meeting = watch::Sender::new(Meeting::Met);
        Ok(Self { inner: Arc::new(Inner { client: SlackClient::new(wire), meeting, tls: Arc::new(tls), config }) })
    }

    /// Says whether it is known whose token this is; for all clones. Calls with the bot's token go by it, but `auth.test`.
    pub fn set_meeting(&self, meeting: Meeting) {
        self.inner.meeting.send_replace(meeting);
    }

    /// What the bot's token is known again by: its SHA-256, 64 hex digits.
    pub fn token_sum(&self) -> String {
        hex::encode(Sha256::digest(self.inner.config.bot_token.expose_secret()))
    }

    /// Waits until calls with the bot's token may be made.
    async fn is_met(&self, method: Method) -> Result<(), Error> {
        let mut meeting = self.inner.meeting.subscribe();
        let met = match method {
            Method::AuthTest => return Ok(()),
            _ => within(MEETING_PATIENCE, meeting.wait_for(|meeting| *meeting != Meeting::Asking)).await,
        };
        match met {
            Some(Ok(meeting)) if *meeting == Meeting::Met => Ok(()),
            Some(_) | None => Err(Error::new(method, Kind::NotSent)),
        }
    }

    /// The workspace named in the configuration, if any.
    pub fn workspace(&self) -> Option<&WorkspaceId> {
        self.inner.config.workspace.as_ref()
    }

    /// What a WebSocket of the same workspace trusts.
    pub(super) fn tls(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.inner.tls)
    }

    /// Writes with the bot's token; the codes in `also_ok` mean that it was so already.
    pub(super) async fn post(&self, method: Method, args: Args, also_ok: &[&str]) -> Result<Value, Error> {
        match self.send(method, As::Bot, Some(args.body())).await {
            Err(error) if error.code().is_some_and(|code| also_ok.contains(&code)) => Ok(Value::Null),
            answer => answer,
        }
    }

    /// Reads with the bot's token.
    pub(super) async fn get(&self, method: Method, args: Args) -> Result<Value, Error> {
        self.is_met(method).await?;
        let query = args.query();
        let token = self.token(method, As::Bot)?;
        let session = self.inner.client.open_session(&token);
        let call = session.http_session_api.http_get::<Value, _, String>(method.as_str(), &query, None);
        self.measured(method, self.answer(method, call)).await
    }

    /// Writes with either token.
    pub(super) async fn send(&self, method: Method, who: As, body: Option<Value>) -> Result<Value, Error> {
        if matches!(who, As::Bot) {
            self.is_met(method).await?;
        }
        let body = body.unwrap_or_else(|| Value::Object(Map::new()));
        let token = self.token(method, who)?;
        let session = self.inner.client.open_session(&token);
        let call = session.http_session_api.http_post::<_, Value>(method.as_str(), &body, None);
        self.measured(method, self.answer(method, call)).await
    }

    /// Posts to a `response_url`, without a token. Slack answers the text `ok`; any success means the same.
    pub(super) async fn post_to_url(&self, url: &str, body: &Value) -> Result<(), Error> {
        let method = Method::ResponseUrl;
        let url = lent_address(method, url)?;
        self.give(method, &url, (JSON, body.to_string().into())).await
    }

    /// Calls a method and returns the answer with what its headers say.
    pub(super) async fn post_for_headers(&self, method: Method) -> Result<(Value, Headers), Error> {
        self.is_met(method).await?;
        let token = self.token(method, As::Bot)?;
        let url =
            self.wire().create_method_uri_path(method.as_str()).map_err(|error| Error::from_client(method, error))?;
        let call = async {
            let answer = self.exchange(method, &url, Some(&token), (JSON, "{}".into())).await?;
            let value = answer.read().map_err(|error| Error::from_client(method, error))?;
            Ok((checked(method, value)?, Headers::read(&answer.headers)))
        };
        self.measured(method, call).await
    }

    /// Counts a call, how long it took and what became of it.
    async fn measured<T>(&self, method: Method, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let metrics = &self.inner.config.metrics;
        let began = instant_now();
        let outcome = call.await;
        metrics.slack_latency.of((method,)).observe_real(began.elapsed());
        // The others go without the bot's token and say nothing about it.
        let by_bot = !matches!(method, Method::AppsConnectionsOpen | Method::ResponseUrl | Method::FileUpload);
        let code = match &outcome {
            Ok(_) => {
                // The world's time, for those who compare it with theirs.
                metrics.slack_last_success.set(unix_seconds(Clock::System.now()));
                if by_bot {
                    metrics.slack_token_refused.set_count(0);
                }
                Code::Ok
            }
            Err(error) => {
                if by_bot && error.is_token_refused() {
                    metrics.slack_token_refused.set_count(1);
                }
                let class = error.class();
                if let Class::RateLimited { after } = class {
                    metrics.slack_retry_after.set(after.as_secs_f64());
                }
                Code::of(&class)
            }
        };
        metrics.slack_requests.of((method, code)).count();
        outcome
    }

    /// Sends a file's bytes to the address that Slack lent for them, without a token.
    pub(super) async fn post_bytes(&self, url: &str, bytes: Vec<u8>) -> Result<(), Error> {
        let method = Method::FileUpload;
        let url = lent_address(method, url)?;
        self.give(method, &url, ("application/octet-stream", bytes.into())).await
    }

    /// Sends to a lent address, whose answer says nothing but yes or no.
    async fn give(&self, method: Method, url: &Url, body: (&str, Bytes)) -> Result<(), Error> {
        let call = async {
            let answer = self.exchange(method, url, None, body).await?;
            answer.accepted().map_err(|error| Error::from_client(method, error))
        };
        self.measured(method, call).await
    }

    fn wire(&self) -> &Wire {
        &self.inner.client.http_api.connector
    }

    /// A request whose answer is more than JSON, with the same patience as any call.
    async fn exchange(
        &self,
        method: Method,
        url: &Url,
        token: Option<&SlackApiToken>,
        body: (&str, Bytes),
    ) -> Result<Answer, Error> {
        let call = self.wire().exchange(axum::http::Method::POST, url, token, Some(body));
        self.in_time(method, call).await
    }

    fn token(&self, method: Method, who: As) -> Result<SlackApiToken, Error> {
        let config = &self.inner.config;
        let token = match who {
            As::Bot => &config.bot_token,
            As::App => config
                .app_token
                .as_ref()
                .ok_or_else(|| Error::new(method, Kind::Invalid("there is no app-level token (xapp-…)")))?,
        };
        Ok(SlackApiToken::new(token.expose_secret().into()))
    }

    async fn answer(&self, method: Method, call: impl Future<Output = ClientResult<Value>>) -> Result<Value, Error> {
        checked(method, self.in_time(method, call).await?)
    }

    async fn in_time<T>(&self, method: Method, call: impl Future<Output = ClientResult<T>>) -> Result<T, Error> {
        match within(self.inner.config.call_timeout, call).await {
            None => Err(Error::new(method, Kind::TimedOut)),
            Some(outcome) => outcome.map_err(|error| Error::from_client(method, error)),
        }
    }
}

/// Why an address that Slack lent is not used.
const NO_ADDRESS: &str = "what Slack gave is not an address";
const NOT_ENCRYPTED: &str = "the address that Slack gave is not encrypted";

/// An address that Slack lent for one purpose: encrypted, or on this machine.
fn lent_address(method: Method, url: &str) -> Result<Url, Error> {
    let url = Url::parse(url).map_err(|_| Error::new(method, Kind::Invalid(NO_ADDRESS)))?;
    if url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url)) {
        return Ok(url);
    }
    Err(Error::new(method, Kind::Invalid(NOT_ENCRYPTED)))
}

/// Only `ok: true` is a yes of Slack's.
fn checked(method: Method, answer: Value) -> Result<Value, Error> {
    if fields::flag(&answer, "ok") { Ok(answer) } else { Err(Error::new(method, Kind::Malformed("ok"))) }
}

/// Whether an address is on this machine, the only place where an unencrypted connection is allowed.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => IpAddr::from(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::from(ip).is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// What outgoing connections to others than Slack trust: the machine's certificate authorities, or nobody if it has none.
pub(crate) fn trust() -> ClientConfig {
    tls_config(true).expect("a machine without authorities is accepted")
}

/// Trusts the machine's certificate authorities, with ring whatever else the program links.
pub(crate) fn tls_config(local: bool) -> Result<ClientConfig, SetupError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring speaks the default versions");
    match builder.clone().with_native_roots() {
        Ok(builder) => Ok(builder.with_no_client_auth()),
        // A sandbox on this machine needs no authorities; anything else will be refused by the empty list.
        Err(_) if local => Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth()),
        Err(error) => Err(SetupError::NoCertificates(error)),
    }
}

pub(crate) fn https_connector(local: bool, tls: ClientConfig) -> HttpsConnector<HttpConnector> {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    http.set_connect_timeout(Some(CONNECT_TIMEOUT));
    http.set_keepalive(Some(KEEPALIVE));
    let builder = HttpsConnectorBuilder::new().with_tls_config(tls);
    let builder = if local { builder.https_or_http() } else { builder.https_only() };
    // HTTP/1 on purpose: a call that times out takes its connection with it, while one dead HTTP/2 connection would be
    // used by every page until TCP gives it up.
    builder.enable_http1().wrap_connector(http)
}

/// What an answer's headers say beside its body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers {
    /// `x-oauth-scopes`: what the token may do; empty if Slack did not say.
    pub scopes: Vec<String>,
    /// `date`: Slack's clock, to the second.
    pub at: Option<DateTime<Utc>>,
}

impl Headers {
    fn read(headers: &axum::http::HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let scopes = text("x-oauth-scopes").unwrap_or_default().split(',').map(str::trim);
        Self {
            scopes: scopes.filter(|scope| !scope.is_empty()).map(str::to_owned).collect(),
            at: text("date").and_then(|date| DateTime::parse_from_rfc2822(date).ok()).map(|date| date.to_utc()),
        }
    }
}

/// The arguments of a call, in JSON for what writes and as a query for what reads.
#[derive(Default)]
pub(super) struct Args(Map<String, Value>);

impl Args {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0.insert(key.to_owned(), value.into());
        self
    }

    /// Leaves the argument out where there is none: Slack refuses `null` in some methods.
    pub(super) fn maybe(self, key: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    fn body(self) -> Value {
        Value::Object(self.0)
    }

    fn query(&self) -> Vec<(&str, Option<String>)> {
        self.0
            .iter()
            .map(|(key, value)| {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                (key.as_str(), Some(text))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slack(api_url: &str) -> Result<Slack, SetupError> {
        Slack::new(SlackConfig { api_url: api_url.into(), ..SlackConfig::new("xoxb-not-a-real-token".into()) })
    }

    #[test]
    fn an_unencrypted_address_is_for_this_machine_only() {
        for local in ["http://127.0.0.1:3000/api/", "http://[::1]:3000/api", "http://localhost/api"] {
            assert!(slack(local).is_ok(), "{local}");
        }
        assert!(matches!(slack("http://slack.example/api"), Err(SetupError::NotEncrypted)));
        assert!(matches!(slack("slack.com/api"), Err(SetupError::NotAnAddress)));
        assert!(matches!(slack("ftp://127.0.0.1/api"), Err(SetupError::NotAnAddress)));
    }

    #[test]
    fn a_client_never_shows_its_token() {
        let slack = slack("http://127.0.0.1:1/api/").expect("made");
        assert_eq!(format!("{slack:?}"), "Slack { api_url: \"http://127.0.0.1:1/api\", .. }");
    }
}
