//! The dead man's switch: an address elsewhere that expects to be asked for now and then, and raises the alarm if it is
//! not. Must not be reached by way of Slack, or both fall silent together.

use std::time::Duration;

use axum::body::Bytes;
use axum::http::Request;
use http_body_util::Empty;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use url::Url;

use crate::config;
use crate::slack::{SetupError, https_connector, is_loopback, tls_config};

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The switch; its addresses are never logged, because whoever knows them can silence it.
pub struct DeadMan {
    http: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    url: Url,
    /// Asked for when something is wrong, so that nobody waits for the silence to be noticed.
    fail_url: Option<Url>,
}

impl DeadMan {
    /// Nothing is sent yet.
    ///
    /// # Errors
    /// If this machine has no certificate authorities.
    pub fn new(settings: &config::Heartbeat) -> Result<Self, SetupError> {
        let local = is_loopback(&settings.url);
        let http = Client::builder(TokioExecutor::new()).build(https_connector(local, tls_config(local)?));
        let fail_url = settings.tells_failure.then(|| failing(&settings.url));
        Ok(Self { http, url: settings.url.clone(), fail_url })
    }

    /// Says that all is well.
    ///
    /// # Errors
    /// Why the switch did not hear it, without its address.
    pub async fn alive(&self) -> Result<(), String> {
        self.get(&self.url).await
    }

    /// Says that something is wrong, where the switch understands that; otherwise nothing.
    ///
    /// # Errors
    /// As [`DeadMan::alive`].
    pub async fn failing(&self) -> Result<(), String> {
        match &self.fail_url {
            Some(url) => self.get(url).await,
            None => Ok(()),
        }
    }

    /// One GET; a redirection is not followed, and any answer but success is a failure.
    async fn get(&self, url: &Url) -> Result<(), String> {
        let agent = concat!("firebell/", env!("CARGO_PKG_VERSION"));
        let request = Request::get(url.as_str()).header("user-agent", agent).body(Empty::new());
        let request = request.map_err(|_| "the address cannot be asked for".to_owned())?;
        match tokio::time::timeout(PATIENCE, self.http.request(request)).await {
            Err(_) => Err("no answer within 5 s".to_owned()),
            Ok(Err(error)) if error.is_connect() => Err("no connection".to_owned()),
            Ok(Err(_)) => Err("the connection broke".to_owned()),
            Ok(Ok(response)) if response.status().is_success() => Ok(()),
            Ok(Ok(response)) => Err(format!("HTTP status {}", response.status().as_u16())),
        }
    }
}

/// `…/fail` under the address, as Healthchecks and those like it have it; the query stays.
fn failing(url: &Url) -> Url {
    let mut failing = url.clone();
    failing.set_path(&format!("{}/fail", url.path().trim_end_matches('/')));
    failing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_below_the_address_and_before_its_query() {
        for (url, fail) in [
            ("https://hc.example/ping/1b2c", "https://hc.example/ping/1b2c/fail"),
            ("https://hc.example/ping/1b2c/?create=1", "https://hc.example/ping/1b2c/fail?create=1"),
        ] {
            assert_eq!(failing(&url.parse().expect("an address")).as_str(), fail);
        }
    }
}
