use std::sync::Mutex;

use futures_util::{FutureExt, StreamExt, stream};
use serde_json::Value;

use super::*;
use crate::alerts::keys::digest;
use crate::clock::lock;
use crate::ids::IntegrationKey;

const KEY: &str = "0123456789abcdef0123456789abcdef";

/// A receiver on a free port, with what it handed on.
struct Server {
    url: String,
    stored: Arc<Mutex<Vec<Signal>>>,
    client: reqwest::Client,
}

impl Server {
    async fn start(outcome: Result<Vec<Accepted>, SubmitError>) -> Self {
        let stored = Arc::new(Mutex::new(Vec::new()));
        let integrations = [("cron", Kind::Generic, KEY), ("prom", Kind::Alertmanager, "prometheus-key")];
        let keys = integrations.map(|(key, kind, secret)| Integration {
            key: IntegrationKey::new(key),
            kind,
            secret_sha256s: vec![digest(secret)],
        });
        let submit: Submit = Arc::new({
            let stored = Arc::clone(&stored);
            move |signals| {
                lock(&stored).extend(signals);
                let outcome = outcome.clone();
                async move { outcome }.boxed()
            }
        });
        let now = "2026-11-22T03:05:00Z".parse().expect("a time");
        let app = router(Arc::new(Keys::new(keys.into())), Clock::manual(now), submit);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, stored, client: reqwest::Client::new() }
    }

    async fn post(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> (u16, Value, HeaderMap) {
        let mut request = self.client.post(format!("{}{path}", self.url)).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.bytes().await.expect("a whole answer");
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null), headers)
    }

    fn stored(&self) -> Vec<Signal> {
        lock(&self.stored).clone()
    }
}

fn into_inc_42() -> Vec<Accepted> {
    vec![Accepted { incident: Some(42), unknown: Vec::new() }]
}

#[tokio::test]
async fn an_alert_is_answered_with_its_incident_and_the_warnings() {
    let server = Server::start(Ok(into_inc_42())).await;
    let body = r#"{"title":"Backup failed","severity":"purple"}"#;
    let (status, answer, _) = server.post(&format!("/alerts/generic/{KEY}"), &[], body).await;
    assert_eq!(status, 202);
    assert_eq!(answer["accepted"][0]["incident"], "INC-42");
    assert_eq!(answer["warnings"][0]["pointer"], "/severity");
    let stored = server.stored();
    let [Signal::Fired { alert, .. }] = stored.as_slice() else { panic!("one alert, not {stored:?}") };
    assert_eq!((alert.integration.as_str(), alert.title.as_str()), ("cron", "Backup failed"));
}

#[tokio::test]
async fn the_key_may_come_in_a_header() {
    let server = Server::start(Ok(into_inc_42())).await;
    let bearer = format!("bearer {KEY}");
    for header in [("authorization", bearer.as_str()), ("x-firebell-key", KEY)] {
        let (status, ..) = server.post("/alerts/generic", &[header], r#"{"title":"x"}"#).await;
        assert_eq!(status, 202, "{header:?}");
    }
}

#[tokio::test]
async fn a_wrong_or_missing_key_is_refused_before_anything_is_read() {
    let server = Server::start(Ok(into_inc_42())).await;
    for (path, header) in [
        ("/alerts/generic/wrong", ("x-a", "b")),
        ("/alerts/generic", ("x-a", "b")),
        ("/alerts/generic", ("authorization", "Basic abc")),
        ("/alerts/generic", ("x-firebell-key", "")),
        ("/alerts/nonsense/wrong", ("x-a", "b")),
    ] {
        let (status, answer, headers) = server.post(path, &[header], "not even JSON").await;
        assert_eq!((status, answer["error"]["code"].as_str()), (401, Some("bad_key")), "{path}");
        assert_eq!(headers["www-authenticate"], "Bearer");
    }
    assert_eq!(server.stored(), []);
}

#[tokio::test]
async fn a_key_of_another_kind_is_told_its_address() {
    let server = Server::start(Ok(into_inc_42())).await;
    let (status, answer, _) = server.post(&format!("/alerts/alertmanager/{KEY}"), &[], "{}").await;
    assert_eq!(status, 404);
    assert_eq!(answer["error"]["message"], "This key is for `generic`: post to /alerts/generic instead.");
}

#[tokio::test]
async fn a_bad_body_is_answered_with_the_pointer_and_nothing_is_stored() {
    let server = Server::start(Ok(into_inc_42())).await;
    let (status, answer, _) = server.post("/alerts/alertmanager/prometheus-key", &[], r#"{"version":"3"}"#).await;
    assert_eq!(status, 400);
    assert_eq!(answer["error"]["code"], "unknown_version");
    assert_eq!(answer["error"]["pointer"], "/version");
    assert_eq!(server.stored(), []);
}

#[tokio::test]
async fn a_body_over_the_limit_is_too_large_with_and_without_its_length_announced() {
    let server = Server::start(Ok(into_inc_42())).await;
    let path = format!("/alerts/generic/{KEY}");
    let fits = format!(r#"{{"title":"x","filler":"{}"}}"#, "y".repeat(BODY_BYTES_MAX - 40));
    assert_eq!(server.post(&path, &[], fits).await.0, 202);
    let over = Limited::new(Body::from(vec![b'x'; BODY_BYTES_MAX + 1]), BODY_BYTES_MAX).collect().await;
    assert!(over.is_err_and(|error| error.is::<LengthLimitError>()));
    let refused = read(Body::from(vec![b'x'; BODY_BYTES_MAX + 1])).await;
    assert!(matches!(refused, Err(Refusal::Body(bad)) if bad.status() == 413));
    let chunks = stream::iter((0..200).map(|_| Ok::<_, std::io::Error>(vec![b'x'; 8_192])));
    let refused = read(Body::from_stream(chunks)).await;
    assert!(matches!(refused, Err(Refusal::Body(bad)) if bad.status() == 413));
}

#[tokio::test]
async fn busy_says_when_to_come_again() {
    let server = Server::start(Err(SubmitError::Busy { retry_after_s: 7 })).await;
    let (status, answer, headers) = server.post(&format!("/alerts/generic/{KEY}"), &[], r#"{"title":"x"}"#).await;
    assert_eq!(status, 503);
    assert_eq!(headers["retry-after"], "7");
    assert_eq!(answer["error"]["code"], "busy");
}

#[tokio::test]
async fn what_the_database_cannot_take_now_is_to_come_again_and_a_full_disk_is_named() {
    let reference = "r-18".to_owned();
    let away = SubmitError::Away { reference: reference.clone() };
    for (error, code, after) in [(away, "database_away", "5"), (SubmitError::Full { reference }, "disk_full", "30")] {
        let server = Server::start(Err(error)).await;
        let (status, answer, headers) = server.post(&format!("/alerts/generic/{KEY}"), &[], r#"{"title":"x"}"#).await;
        assert_eq!((status, answer["error"]["code"].as_str()), (503, Some(code)));
        assert_eq!(headers["retry-after"], after);
        assert!(answer["error"]["message"].as_str().is_some_and(|message| message.contains("r-18")));
    }
}

#[tokio::test]
async fn a_refusal_by_the_rules_carries_their_sentence() {
    let rejection = Rejection::new(RejectionKind::NotFound, "There is no INC-99.").hint("Leave `incident` out.");
    let server = Server::start(Err(SubmitError::Refused(rejection))).await;
    let (status, answer, _) = server.post(&format!("/alerts/generic/{KEY}"), &[], r#"{"title":"x"}"#).await;
    assert_eq!(status, 404);
    assert_eq!(answer["error"]["message"], "There is no INC-99. Leave `incident` out.");
}

#[tokio::test]
async fn a_failure_of_ours_is_a_500_so_that_the_sender_tries_again() {
    let server = Server::start(Err(SubmitError::Failed { reference: "r-17".to_owned() })).await;
    let (status, answer, _) = server.post(&format!("/alerts/generic/{KEY}"), &[], r#"{"title":"x"}"#).await;
    assert_eq!(status, 500);
    assert!(answer["error"]["message"].as_str().is_some_and(|message| message.contains("r-17")));
}

#[tokio::test]
async fn when_all_places_are_taken_the_next_request_is_told_to_come_again() {
    let (release, released) = tokio::sync::watch::channel(false);
    let submit: Submit = Arc::new(move |_| {
        let mut released = released.clone();
        async move {
            let _ = released.wait_for(|released| *released).await;
            Ok(into_inc_42())
        }
        .boxed()
    });
    let receiver = Receiver {
        keys: Arc::new(Keys::new(vec![Integration {
            key: IntegrationKey::new("cron"),
            kind: Kind::Generic,
            secret_sha256s: vec![digest(KEY)],
        }])),
        clock: Clock::manual("2026-11-22T03:05:00Z".parse().expect("a time")),
        submit,
        places: Arc::new(Semaphore::new(1)),
    };
    let post = |receiver: Receiver| async move {
        let answer = receive(&receiver, "generic", Some(KEY), &HeaderMap::new(), Body::from(r#"{"title":"x"}"#)).await;
        answer.unwrap_or_else(Refusal::into_response).status().as_u16()
    };
    let mut first = Box::pin(post(receiver.clone()));
    assert_eq!((&mut first).now_or_never(), None, "it waits for the store");
    assert_eq!(post(receiver.clone()).await, 503);
    release.send_replace(true);
    assert_eq!(first.await, 202);
    assert_eq!(post(receiver).await, 202, "the place is free again");
}

#[tokio::test]
async fn neither_keys_nor_bodies_get_into_the_log_even_when_everything_is_logged() {
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            lock(&self.0).write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let log = Log::default();
    let writer = log.clone();
    let subscriber = crate::telemetry::subscriber("trace", crate::telemetry::Format::Json, move || writer.clone());
    let _guard = tracing::subscriber::set_default(subscriber.expect("a filter"));

    let server = Server::start(Ok(into_inc_42())).await;
    let header = format!("Bearer {KEY}");
    server.post(&format!("/alerts/generic/{KEY}"), &[], r#"{"title":"canary"}"#).await;
    server.post("/alerts/generic", &[("authorization", &header)], r#"{"title":"canary","status":"canary"}"#).await;
    server.post("/alerts/generic/canary", &[("authorization", "Bearer canary")], "canary").await;

    let written = String::from_utf8(lock(&log.0).clone()).expect("text");
    assert!(written.contains("alert refused"), "the log works: {written}");
    assert!(!written.contains(KEY) && !written.contains("canary"), "{written}");
}

#[tokio::test]
async fn in_a_storm_every_alert_is_stored_once_or_told_to_come_again() {
    let server = Arc::new(Server::start(Ok(into_inc_42())).await);
    let posts = (0..1_000).map(|number| {
        let server = Arc::clone(&server);
        async move {
            let body = format!(r#"{{"title":"disk {number} is full","event_id":"e-{number}"}}"#);
            server.post(&format!("/alerts/generic/{KEY}"), &[], body).await
        }
    });
    let answers: Vec<_> = stream::iter(posts).buffer_unordered(64).collect().await;
    let taken = answers.iter().filter(|(status, ..)| *status == 202).count();
    for (status, _, headers) in answers.iter().filter(|(status, ..)| *status != 202) {
        assert_eq!(*status, 503);
        assert!(headers.contains_key("retry-after"));
    }
    let keys: std::collections::BTreeSet<_> =
        server.stored().iter().map(|signal| signal.delivery_key().to_owned()).collect();
    assert_eq!((keys.len(), server.stored().len()), (taken, taken));
    assert!(taken >= 64);
}
