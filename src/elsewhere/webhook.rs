//! Outgoing webhooks: one signed POST of JSON, to an address that was looked up, judged and then connected to as it was
//! judged. Follows no redirect and shows nothing of the answer. docs/WEBHOOKS.md is for who receives them.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::header::{CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use axum::http::{Request, StatusCode, Uri};
use chrono::{DateTime, Utc};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use hmac::{Hmac, KeyInit, Mac};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{FixedServerNameResolver, HttpsConnectorBuilder};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use url::Url;

use super::guard::{self, Network};
use super::{Failure, SEND_TIMEOUT};

/// Header with `v1=` and the signature of `<timestamp>.<body>`.
pub const SIGNATURE_HEADER: &str = "x-firebell-signature";
/// Header with the Unix second of sending.
pub const TIMESTAMP_HEADER: &str = "x-firebell-timestamp";
/// Header with what is the same for every copy of one page.
pub const DELIVERY_HEADER: &str = "x-firebell-delivery";

/// The most of an answer that is read, bytes; nothing of it is used.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// How long the answer's body is waited for once the status is known.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(500);
/// How long one address may take to be connected to.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 3;

/// Turns a name into addresses.
pub type Lookup = Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync>;

/// Calls webhooks.
#[derive(Clone)]
pub struct Webhooks {
    secret: SecretString,
    allow: Vec<Network>,
    lookup: Lookup,
    tls: ClientConfig,
}

impl Webhooks {
    /// Names are looked up as this machine does.
    pub fn new(secret: SecretString, allow: Vec<Network>) -> Self {
        Self::with_lookup(secret, allow, Arc::new(|name| system_lookup(name).boxed()))
    }

    pub fn with_lookup(secret: SecretString, allow: Vec<Network>, lookup: Lookup) -> Self {
        Self { secret, allow, lookup, tls: crate::slack::trust() }
    }

    /// Posts a body; `id` is the same for every copy of it.
    pub async fn post(&self, address: &str, body: Bytes, id: &str, now: DateTime<Utc>) -> Result<(), Failure> {
        let url = Url::parse(address).map_err(|_| Failure::Refused("The webhook's address is none".to_owned()))?;
        let mut began = false;
        match tokio::time::timeout(SEND_TIMEOUT, self.call(&url, body, id, now, &mut began)).await {
            Ok(outcome) => outcome,
            Err(_) if began => Err(Failure::Unknown("The webhook did not answer in time".to_owned())),
            Err(_) => Err(Failure::NotNow("The webhook could not be reached in time".to_owned())),
        }
    }

    async fn call(
        &self,
        url: &Url,
        body: Bytes,
        id: &str,
        now: DateTime<Utc>,
        began: &mut bool,
    ) -> Result<(), Failure> {
        let addresses = self.addresses(url).await?;
        let mut unreachable = Failure::NotNow("The webhook could not be reached".to_owned());
        for ip in addresses.into_iter().take(ADDRESSES_MAX) {
            let request = self.request(url, ip, body.clone(), id, now)?;
            let client = self.client(url)?;
            *began = true;
            match client.request(request).await {
                Ok(response) => {
                    let status = response.status();
                    let rest = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect();
                    // Whatever it says: read so that the other side may end in peace.
                    let _ = tokio::time::timeout(ANSWER_TIMEOUT, rest).await;
                    return judged(status);
                }
                Err(error) if error.is_connect() => *began = false,
                Err(_) => {
                    unreachable = Failure::Unknown("The connection to the webhook broke".to_owned());
                    break;
                }
            }
        }
        Err(unreachable)
    }

    /// Where the name leads now. If any of it is not public, none of it is called.
    async fn addresses(&self, url: &Url) -> Result<Vec<IpAddr>, Failure> {
        let refused = |refused: guard::Refused| Failure::Refused(refused.to_string().trim_end_matches('.').to_owned());
        guard::judge(url, &self.allow).map_err(refused)?;
        if let Some(ip) = guard::literal(url) {
            return Ok(vec![ip]);
        }
        let name = url.host_str().unwrap_or_default().to_owned();
        let unknown = || Failure::NotNow("The name of the webhook's server cannot be looked up".to_owned());
        let found = (self.lookup)(name).await.map_err(|_| unknown())?;
        for ip in &found {
            guard::permit(*ip, &self.allow).map_err(refused)?;
        }
        if found.is_empty() { Err(unknown()) } else { Ok(found) }
    }

    /// The request to that very address; the name stands in the host header and, for TLS, in the certificate.
    fn request(
        &self,
        url: &Url,
        ip: IpAddr,
        body: Bytes,
        id: &str,
        now: DateTime<Utc>,
    ) -> Result<Request<Full<Bytes>>, Failure> {
        let unusable = || Failure::Refused("The webhook's address cannot be called".to_owned());
        let port = url.port_or_known_default().ok_or_else(unusable)?;
        let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
        let uri: Uri =
            format!("{}://{}{path}", url.scheme(), SocketAddr::new(ip, port)).parse().map_err(|_| unusable())?;
        let host = &url[url::Position::BeforeHost..url::Position::AfterPort];
        let timestamp = now.timestamp().to_string();
        let signature = sign(self.secret.expose_secret(), &timestamp, &body);
        Request::post(uri)
            .header(HOST, HeaderValue::from_str(host).map_err(|_| unusable())?)
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, concat!("firebell/", env!("CARGO_PKG_VERSION")))
            .header(TIMESTAMP_HEADER, timestamp)
            .header(SIGNATURE_HEADER, signature)
            .header(DELIVERY_HEADER, id)
            .body(Full::new(body))
            .map_err(|_| unusable())
    }

    /// A client of its own for each call: no connection outlives the judgement that it was made under.
    fn client(&self, url: &Url) -> Result<Client<hyper_rustls::HttpsConnector<HttpConnector>, Full<Bytes>>, Failure> {
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(host)
            .map_err(|_| Failure::Refused("The webhook's address has no usable name".to_owned()))?;
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(self.tls.clone())
            .https_or_http()
            .with_server_name_resolver(FixedServerNameResolver::new(name))
            .enable_http1()
            .wrap_connector(http);
        Ok(Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector))
    }
}

/// `v1=` and the HMAC-SHA256 of `<timestamp>.<body>` in hexadecimal digits.
pub fn sign(secret: &str, timestamp: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body);
    format!("v1={}", hex::encode(mac.finalize().into_bytes()))
}

fn judged(status: StatusCode) -> Result<(), Failure> {
    let said = format!("The webhook answered with HTTP status {}", status.as_u16());
    match status.as_u16() {
        200..=299 => Ok(()),
        300..=399 => Err(Failure::Refused(format!("{said}; redirects are not followed"))),
        408 | 425 | 429 | 500..=599 => Err(Failure::NotNow(said)),
        _ => Err(Failure::Refused(said)),
    }
}

async fn system_lookup(name: String) -> io::Result<Vec<IpAddr>> {
    Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
}
