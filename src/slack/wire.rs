//! HTTP under slack-morphism's client: one pool of HTTP/1 connections, JSON in, JSON out.
//!
//! slack-morphism leaves the transport to a connector. Its own brings HTTP/2 and WebSockets along, which Firebell must
//! not use, and hides the headers of an answer, which Firebell needs. This one repeats nothing and logs nothing.

use std::time::Duration;

use axum::body::Bytes;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use slack_morphism::errors::{
    SlackClientApiError, SlackClientError, SlackClientHttpError, SlackClientHttpProtocolError,
    SlackClientProtocolError, SlackClientSystemError, SlackRateLimitError,
};
use slack_morphism::multipart_form::FileMultipartData;
use slack_morphism::{
    ClientResult, SlackApiToken, SlackClientApiCallContext, SlackClientHttpConnector, SlackClientId, SlackClientSecret,
};
use url::Url;

/// The largest answer that is read, bytes; a full page of `users.list` stays well below.
const ANSWER_BYTES_MAX: usize = 8 << 20;
pub(super) const JSON: &str = "application/json; charset=utf-8";

/// An answer as it came.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// The connector; its clones share their connections.
#[derive(Clone, Debug)]
pub(super) struct Wire {
    http: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    /// Without a trailing slash.
    api_url: String,
}

impl Wire {
    pub(super) fn new(connector: HttpsConnector<HttpConnector>, api_url: &str) -> Self {
        let http = Client::builder(TokioExecutor::new()).build(connector);
        Self { http, api_url: api_url.to_owned() }
    }

    /// One request and its whole answer, whatever its status is.
    pub(super) async fn exchange(
        &self,
        method: Method,
        url: &Url,
        token: Option<&SlackApiToken>,
        body: Option<(&str, Bytes)>,
    ) -> ClientResult<Answer> {
        #[cfg(test)]
        if crate::simulation::is_on() {
            return simulated(url, token, body).await;
        }
        let mut request = Request::builder().method(method).uri(url.as_str());
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {}", token.token_value.0));
        }
        if let Some((content_type, _)) = &body {
            request = request.header(CONTENT_TYPE, *content_type);
        }
        let body = body.map(|(_, bytes)| bytes).unwrap_or_default();
        let request = request.body(Full::new(body)).map_err(|error| system(error.into()))?;
        let response = self.http.request(request).await.map_err(|error| broken(error.into()))?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.map_err(broken)?.to_bytes();
        Ok(Answer { status: parts.status, headers: parts.headers, body })
    }

    async fn call<RS: DeserializeOwned>(
        &self,
        method: Method,
        url: Url,
        token: Option<&SlackApiToken>,
        body: Option<(&str, Bytes)>,
    ) -> ClientResult<RS> {
        self.exchange(method, &url, token, body).await?.read()
    }
}

impl Answer {
    /// Whether HTTP itself says yes, where the body does not matter.
    pub(super) fn accepted(&self) -> ClientResult<()> {
        match self.status {
            StatusCode::OK | StatusCode::NO_CONTENT => Ok(()),
            _ => Err(self.refused()),
        }
    }

    /// What Slack says, or why it does not.
    pub(super) fn read<RS: DeserializeOwned>(&self) -> ClientResult<RS> {
        #[derive(Deserialize)]
        struct Envelope {
            error: Option<String>,
        }
        if self.status != StatusCode::OK {
            return Err(self.refused());
        }
        let malformed =
            |error| SlackClientError::ProtocolError(SlackClientProtocolError::new(error).with_json_body(self.text()));
        let envelope: Envelope = serde_json::from_slice(&self.body).map_err(malformed)?;
        match envelope.error {
            None => serde_json::from_slice(&self.body).map_err(malformed),
            Some(code) => {
                Err(SlackClientError::ApiError(SlackClientApiError::new(code).with_http_response_body(self.text())))
            }
        }
    }

    fn refused(&self) -> SlackClientError {
        if self.status != StatusCode::TOO_MANY_REQUESTS {
            let error = SlackClientHttpError::new(self.status).with_http_response_body(self.text());
            return SlackClientError::HttpError(error);
        }
        let after = self.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        SlackClientError::RateLimitError(SlackRateLimitError::new().opt_retry_after(after.map(Duration::from_secs)))
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

fn broken(cause: Box<dyn std::error::Error + Send + Sync>) -> SlackClientError {
    SlackClientError::HttpProtocolError(SlackClientHttpProtocolError::new().with_cause(cause))
}

fn system(cause: Box<dyn std::error::Error + Send + Sync>) -> SlackClientError {
    SlackClientError::SystemError(SlackClientSystemError::new().with_cause(cause))
}

/// The same call of a workspace in this process, where there is a simulation.
#[cfg(test)]
async fn simulated(url: &Url, token: Option<&SlackApiToken>, body: Option<(&str, Bytes)>) -> ClientResult<Answer> {
    let answered =
        crate::simulation::call(url, token.is_some(), body.map(|(_, bytes)| bytes).unwrap_or_default()).await;
    let (parts, body) = answered.map_err(|lost| broken(lost.into()))?.into_parts();
    Ok(Answer { status: parts.status, headers: parts.headers, body })
}

/// Ways of calling that no method of ours needs.
fn not_spoken<'a, RS: Send + 'a>() -> BoxFuture<'a, ClientResult<RS>> {
    std::future::ready(Err(system("Firebell sends JSON and plain bytes only".into()))).boxed()
}

impl SlackClientHttpConnector for Wire {
    fn create_method_uri_path(&self, method_relative_uri: &str) -> ClientResult<Url> {
        Ok(format!("{}/{method_relative_uri}", self.api_url).parse()?)
    }

    fn http_get_uri<'a, RS>(
        &'a self,
        full_uri: Url,
        context: SlackClientApiCallContext<'a>,
    ) -> BoxFuture<'a, ClientResult<RS>>
    where
        RS: for<'de> Deserialize<'de> + Send + 'a,
    {
        self.call(Method::GET, full_uri, context.token, None).boxed()
    }

    fn http_post_uri<'a, RQ, RS>(
        &'a self,
        full_uri: Url,
        request_body: &'a RQ,
        context: SlackClientApiCallContext<'a>,
    ) -> BoxFuture<'a, ClientResult<RS>>
    where
        RQ: Serialize + Send + Sync,
        RS: for<'de> Deserialize<'de> + Send + 'a,
    {
        async move {
            let body = serde_json::to_vec(request_body).map_err(|error| system(error.into()))?;
            self.call(Method::POST, full_uri, context.token, Some((JSON, body.into()))).await
        }
        .boxed()
    }

    fn http_post_uri_binary<'a, 'p, RS>(
        &'a self,
        full_uri: Url,
        content_type: String,
        data: &'a [u8],
        context: SlackClientApiCallContext<'a>,
    ) -> BoxFuture<'a, ClientResult<RS>>
    where
        RS: for<'de> Deserialize<'de> + Send + 'a,
    {
        async move {
            let body = Bytes::copy_from_slice(data);
            self.call(Method::POST, full_uri, context.token, Some((&content_type, body))).await
        }
        .boxed()
    }

    fn http_get_with_client_secret<'a, RS>(
        &'a self,
        _: Url,
        _: &'a SlackClientId,
        _: &'a SlackClientSecret,
    ) -> BoxFuture<'a, ClientResult<RS>>
    where
        RS: for<'de> Deserialize<'de> + Send + 'a,
    {
        not_spoken()
    }

    fn http_post_uri_multipart_form<'a, 'p, RS, PT, TS>(
        &'a self,
        _: Url,
        _: Option<FileMultipartData<'p>>,
        _: &'p PT,
        _: SlackClientApiCallContext<'a>,
    ) -> BoxFuture<'a, ClientResult<RS>>
    where
        RS: for<'de> Deserialize<'de> + Send + 'a,
        PT: std::iter::IntoIterator<Item = (&'p str, Option<TS>)> + Clone,
        TS: AsRef<str> + 'p + Send,
    {
        not_spoken()
    }
}
