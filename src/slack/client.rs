//! The connection to Slack's Web API: where it is, how long we wait, and what an answer must look like.
//!
//! slack-morphism carries the requests. Its typed answers lose what they did not expect, so every answer is taken as
//! plain JSON and read by `methods` field by field. Nothing here repeats a call, waits for a limit or logs: that is the
//! worker's, who knows what the call is for.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use rustls::{ClientConfig, RootCertStore};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use slack_morphism::hyper_tokio::{SlackClientHyperConnector, SlackClientHyperHttpsConnector};
use slack_morphism::{
    SlackApiToken, SlackClient, SlackClientApiCallContext, SlackClientHttpConnector, errors::SlackClientError,
};
use url::{Host, Url};

use super::error::{Error, Kind};
use super::fields;
use super::limits::Method;
use crate::ids::WorkspaceId;

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

/// The largest answer read where we read it ourselves.
const ANSWER_BYTES_MAX: usize = 1 << 20;

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
}

impl SlackConfig {
    /// Slack itself, with the usual time-out.
    pub fn new(bot_token: SecretString) -> Self {
        Self { api_url: API_URL.to_owned(), bot_token, app_token: None, workspace: None, call_timeout: CALL_TIMEOUT }
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
    client: SlackClient<SlackClientHyperHttpsConnector>,
    /// For the one call whose answer's headers matter, which slack-morphism does not show.
    plain: Client<HttpsConnector<HttpConnector>, Full<axum::body::Bytes>>,
    tls: Arc<ClientConfig>,
    config: SlackConfig,
}

impl std::fmt::Debug for Slack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slack").field("api_url", &self.inner.config.api_url).finish_non_exhaustive()
    }
}

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
        let connector = https_connector(local, tls.clone());
        let client = SlackClient::new(
            SlackClientHyperConnector::with_connector(connector.clone()).with_slack_api_url(&config.api_url),
        );
        let plain = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { inner: Arc::new(Inner { client, plain, tls: Arc::new(tls), config }) })
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
        let query = args.query();
        let token = self.token(method, As::Bot)?;
        let session = self.inner.client.open_session(&token);
        let call = session.http_session_api.http_get::<Value, _, String>(method.as_str(), &query, None);
        self.answer(method, call).await
    }

    /// Writes with either token.
    pub(super) async fn send(&self, method: Method, who: As, body: Option<Value>) -> Result<Value, Error> {
        let body = body.unwrap_or_else(|| Value::Object(Map::new()));
        let token = self.token(method, who)?;
        let session = self.inner.client.open_session(&token);
        let call = session.http_session_api.http_post::<_, Value>(method.as_str(), &body, None);
        self.answer(method, call).await
    }

    /// Posts to a `response_url`, without a token.
    pub(super) async fn post_to_url(&self, url: &str, body: &Value) -> Result<(), Error> {
        let method = Method::ResponseUrl;
        let invalid = |why| Error::new(method, Kind::Invalid(why));
        let url = Url::parse(url).map_err(|_| invalid("the response_url is not an address"))?;
        if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback(&url)) {
            return Err(invalid("the response_url is not encrypted"));
        }
        let span = tracing::Span::none();
        let context = SlackClientApiCallContext {
            rate_control_params: None,
            token: None,
            tracing_span: &span,
            is_sensitive_url: true,
        };
        let call = self.inner.client.http_api.connector.http_post_uri::<_, Value>(url, body, context);
        match tokio::time::timeout(self.inner.config.call_timeout, call).await {
            Err(_) => Err(Error::new(method, Kind::TimedOut)),
            Ok(Ok(_)) => Ok(()),
            // Slack answers the text `ok`; an empty body of a success means the same.
            Ok(Err(SlackClientError::ProtocolError(odd))) if odd.json_body.as_deref().is_none_or(is_plain_ok) => Ok(()),
            Ok(Err(error)) => Err(Error::from_client(method, error)),
        }
    }

    /// Calls a method and returns the answer with what its headers say.
    pub(super) async fn get_with_headers(&self, method: Method) -> Result<(Value, Headers), Error> {
        let broken = || Error::new(method, Kind::Broken);
        let token = self.inner.config.bot_token.expose_secret();
        let request = axum::http::Request::post(format!("{}/{}", self.inner.config.api_url, method.as_str()))
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json; charset=utf-8")
            .body(Full::from("{}"))
            .map_err(|_| Error::new(method, Kind::Invalid("the token has characters that no token has")))?;
        let call = async {
            let response =
                self.inner.plain.request(request).await.map_err(|error| {
                    Error::new(method, if error.is_connect() { Kind::NotSent } else { Kind::Broken })
                })?;
            let status = response.status();
            let after = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
            let headers = Headers::read(response.headers());
            let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await.map_err(|_| broken())?;
            match status.as_u16() {
                200 => {}
                429 => {
                    let after = Duration::from_secs(after.unwrap_or(super::limits::RETRY_AFTER_UNKNOWN_S));
                    return Err(Error::new(method, Kind::RateLimited { after }));
                }
                status => return Err(Error::new(method, Kind::Status(status))),
            }
            let answer: Value =
                serde_json::from_slice(&body.to_bytes()).map_err(|_| Error::new(method, Kind::Malformed("JSON")))?;
            match fields::text(&answer, "error") {
                Some(code) => Err(Error::refused(method, &code, Some(&answer))),
                None => Ok((checked(method, answer)?, headers)),
            }
        };
        tokio::time::timeout(self.inner.config.call_timeout, call)
            .await
            .unwrap_or_else(|_| Err(Error::new(method, Kind::TimedOut)))
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

    async fn answer(
        &self,
        method: Method,
        call: impl Future<Output = Result<Value, SlackClientError>>,
    ) -> Result<Value, Error> {
        match tokio::time::timeout(self.inner.config.call_timeout, call).await {
            Err(_) => Err(Error::new(method, Kind::TimedOut)),
            Ok(Err(error)) => Err(Error::from_client(method, error)),
            Ok(Ok(answer)) => checked(method, answer),
        }
    }
}

/// slack-morphism takes any success that is not JSON for an empty object; only `ok: true` is a yes of Slack's.
fn checked(method: Method, answer: Value) -> Result<Value, Error> {
    if fields::flag(&answer, "ok") { Ok(answer) } else { Err(Error::new(method, Kind::Malformed("ok"))) }
}

fn is_plain_ok(body: &str) -> bool {
    matches!(body.trim(), "" | "ok")
}

/// Whether an address is on this machine, the only place where an unencrypted connection is allowed.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => IpAddr::from(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::from(ip).is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// Trusts the machine's certificate authorities, with ring whatever else the program links.
fn tls_config(local: bool) -> Result<ClientConfig, SetupError> {
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

fn https_connector(local: bool, tls: ClientConfig) -> HttpsConnector<HttpConnector> {
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
