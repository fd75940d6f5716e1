//! Slack's signed requests through the real routes: what is let in, what is turned away, and what goes back.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use chrono::{DateTime, TimeDelta, Utc};
use firebell::clock::Clock;
use firebell::slack::http::{BODY_BYTES_MAX, HttpConfig, router};
use firebell::slack::inbound::{Ack, Event, Inbound, Interaction, Meta, Receive, Retry};
use firebell::slack::message::Message;
use futures_util::FutureExt;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tower::ServiceExt;

const SECRET: &str = "the-signing-secret-of-a-test";

struct Door {
    router: Router,
    clock: Clock,
    seen: Arc<Mutex<Vec<(Inbound, Meta)>>>,
}

fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000, 0).expect("in range")
}

fn door(ack: impl Fn(&Inbound) -> Ack + Send + Sync + 'static) -> Door {
    let clock = Clock::manual(start());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let receive: Receive = {
        let seen = Arc::clone(&seen);
        Arc::new(move |inbound, meta| {
            let answer = ack(&inbound);
            seen.lock().expect("no panic").push((inbound, meta));
            async move { answer }.boxed()
        })
    };
    Door { router: router(HttpConfig::new(SECRET.into(), clock.clone()), receive), clock, seen }
}

fn signed(path: &str, body: impl Into<Vec<u8>>, at: DateTime<Utc>) -> Request<Body> {
    let body = body.into();
    let timestamp = at.timestamp().to_string();
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any length");
    mac.update(format!("v0:{timestamp}:").as_bytes());
    mac.update(&body);
    Request::post(path)
        .header("x-slack-request-timestamp", timestamp)
        .header("x-slack-signature", format!("v0={}", hex::encode(mac.finalize().into_bytes())))
        .body(Body::from(body))
        .expect("a request")
}

impl Door {
    async fn send(&self, request: Request<Body>) -> (StatusCode, String) {
        let response = self.router.clone().oneshot(request).await.expect("infallible");
        let status = response.status();
        let body = to_bytes(response.into_body(), usize::MAX).await.expect("a body");
        (status, String::from_utf8(body.to_vec()).expect("UTF-8"))
    }

    async fn post(&self, path: &str, body: impl Into<Vec<u8>>) -> (StatusCode, String) {
        self.send(signed(path, body, self.clock.now())).await
    }

    fn seen(&self) -> Vec<(Inbound, Meta)> {
        self.seen.lock().expect("no panic").clone()
    }
}

fn form(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

fn interaction(payload: &Value) -> String {
    form(&[("payload", &payload.to_string())])
}

fn event(id: &str) -> String {
    json!({"type": "event_callback", "team_id": "T1", "event_id": id, "event_time": 1_700_000_000,
           "event": {"type": "message", "channel": "C1", "user": "U1", "text": "hi", "ts": "1.2"}})
    .to_string()
}

const COMMAND: [(&str, &str); 6] = [
    ("command", "/incident"),
    ("text", "open db is down"),
    ("team_id", "T1"),
    ("user_id", "U1"),
    ("channel_id", "C1"),
    ("trigger_id", "1.2.3"),
];

#[tokio::test]
async fn a_command_reaches_the_receiver_and_its_answer_the_person() {
    let door = door(|_| Ack::Message(Message { text: "Opened".into(), blocks: Vec::new() }));
    let (status, body) = door.post("/slack/commands", form(&COMMAND)).await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, r#"{"response_type":"ephemeral","text":"Opened"}"#));
    let seen = door.seen();
    let (Inbound::Command(command), meta) = &seen[0] else { panic!("{seen:?}") };
    assert_eq!((command.text.as_str(), meta.delivery_key.as_str()), ("open db is down", "trigger:1.2.3"));
    assert_eq!(meta.received_at, start());
}

#[tokio::test]
async fn a_submitted_dialog_gets_its_errors_and_a_button_an_empty_answer() {
    let door = door(|inbound| match inbound {
        Inbound::Interaction(Interaction::ViewSubmission(_)) => {
            Ack::View(json!({"response_action": "errors", "errors": {"title": "Say what is broken"}}))
        }
        _ => Ack::Empty,
    });
    let submission =
        json!({"type": "view_submission", "team": null, "user": {"id": "U1"}, "view": {"id": "V1"}, "trigger_id": "a"});
    let (status, body) = door.post("/slack/interactions", interaction(&submission)).await;
    assert_eq!(status, StatusCode::OK);
    assert!(body.contains("Say what is broken"));
    let press = json!({"type": "block_actions", "team": null, "user": {"id": "U1"}, "actions": [{"action_id": "ack"}], "trigger_id": "b"});
    assert_eq!(door.post("/slack/interactions", interaction(&press)).await, (StatusCode::OK, String::new()));
    assert_eq!(door.seen().len(), 2);
}

#[tokio::test]
async fn slacks_repetition_of_an_event_carries_the_same_key_and_says_that_it_is_one() {
    let door = door(|_| Ack::Empty);
    assert_eq!(door.post("/slack/events", event("Ev1")).await.0, StatusCode::OK);
    door.clock.set(start() + TimeDelta::seconds(60));
    let mut again = signed("/slack/events", event("Ev1"), door.clock.now());
    again.headers_mut().insert("x-slack-retry-num", "1".parse().expect("a value"));
    again.headers_mut().insert("x-slack-retry-reason", "http_timeout".parse().expect("a value"));
    assert_eq!(door.send(again).await.0, StatusCode::OK);
    let seen = door.seen();
    assert_eq!((seen[0].1.delivery_key.as_str(), seen[1].1.delivery_key.as_str()), ("event:Ev1", "event:Ev1"));
    assert_eq!(
        (&seen[0].1.retry, &seen[1].1.retry),
        (&None, &Some(Retry { number: 1, reason: "http_timeout".into() }))
    );
}

#[tokio::test]
async fn the_challenge_of_a_new_address_is_echoed() {
    let door = door(|_| Ack::Empty);
    let (status, body) = door.post("/slack/events", r#"{"type":"url_verification","challenge":"3eZbrw1a"}"#).await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, r#"{"challenge":"3eZbrw1a"}"#));
    assert!(door.seen().is_empty());
}

#[tokio::test]
async fn a_certificate_check_is_answered_and_has_no_effect() {
    let door = door(|_| Ack::Empty);
    let request = Request::post("/slack/commands").body(Body::from("ssl_check=1&token=x")).expect("a request");
    assert_eq!(door.send(request).await, (StatusCode::OK, String::new()));
    assert_eq!(door.post("/slack/interactions", "ssl_check=1&token=x").await.0, StatusCode::OK);
    let with_command = Request::post("/slack/commands").body(Body::from(form(&COMMAND))).expect("a request");
    assert_eq!(door.send(with_command).await.0, StatusCode::UNAUTHORIZED);
    assert!(door.seen().is_empty());
}

#[tokio::test]
async fn whoever_is_not_slack_is_turned_away_with_a_plain_sentence() {
    let door = door(|_| Ack::Empty);
    let unsigned = Request::post("/slack/events").body(Body::from(event("Ev1"))).expect("a request");
    let (status, sentence) = door.send(unsigned).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(sentence.contains("Only Slack can call this address"));

    let mut forged = signed("/slack/events", event("Ev1"), start());
    *forged.body_mut() = Body::from(event("Ev2"));
    assert_eq!(door.send(forged).await.0, StatusCode::UNAUTHORIZED);

    for second in [-301, 301] {
        let stale = signed("/slack/events", event("Ev1"), start() + TimeDelta::seconds(second));
        let (status, sentence) = door.send(stale).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        assert!(sentence.contains("clock"));
    }
    assert!(door.seen().is_empty());
    for second in [-300, 300] {
        assert_eq!(
            door.send(signed("/slack/events", event("Ev1"), start() + TimeDelta::seconds(second))).await.0,
            StatusCode::OK
        );
    }
}

#[tokio::test]
async fn a_recorded_request_has_no_second_effect() {
    let door = door(|_| Ack::Empty);
    let request = || signed("/slack/commands", form(&COMMAND), start());
    assert_eq!(door.send(request()).await.0, StatusCode::OK);
    assert_eq!(door.send(request()).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(door.seen().len(), 1);
}

#[tokio::test]
async fn what_was_not_taken_is_asked_for_again_and_may_come_again() {
    let door = door(|_| Ack::Busy);
    let request = || signed("/slack/events", event("Ev1"), start());
    assert_eq!(door.send(request()).await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(door.send(request()).await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(door.seen().len(), 2);
    let (status, body) = door.post("/slack/commands", form(&COMMAND)).await;
    assert_eq!(status, StatusCode::OK);
    assert!(body.contains("look, and send it again if it is not"), "{body}");
}

#[tokio::test]
async fn a_receiver_that_breaks_down_leaves_the_event_to_slack() {
    let door = door(|_| panic!("a bug in the receiver"));
    assert_eq!(door.post("/slack/events", event("Ev1")).await.0, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_body_over_a_megabyte_is_refused_before_it_is_verified() {
    let door = door(|_| Ack::Empty);
    let body = vec![b'a'; BODY_BYTES_MAX + 1];
    assert_eq!(door.post("/slack/events", body.clone()).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    // Without a Content-Length, in pieces.
    let pieces = futures_util::stream::iter(
        body.chunks(4096).map(|piece| Ok::<_, std::io::Error>(piece.to_vec())).collect::<Vec<_>>(),
    );
    let request = Request::post("/slack/events").body(Body::from_stream(pieces)).expect("a request");
    assert_eq!(door.send(request).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    let full = vec![b' '; BODY_BYTES_MAX];
    assert_eq!(door.post("/slack/events", full).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn misshapen_bodies_are_refused_and_unknown_kinds_are_not() {
    let door = door(|_| Ack::Empty);
    for (path, body) in [
        ("/slack/events", "{\"type\":"),
        ("/slack/events", "[]"),
        ("/slack/interactions", "payload=%7B"),
        ("/slack/interactions", "nothing=1"),
        ("/slack/interactions", "payload=7"),
        ("/slack/commands", "text=open"),
    ] {
        assert_eq!(door.post(path, body).await.0, StatusCode::BAD_REQUEST, "{path} {body}");
    }
    assert!(door.seen().is_empty());
    assert_eq!(door.post("/slack/events", r#"{"type":"a_new_outer_type"}"#).await.0, StatusCode::OK);
    assert_eq!(
        door.post("/slack/interactions", interaction(&json!({"type": "a_new_gesture"}))).await.0,
        StatusCode::OK
    );
    let new_event =
        json!({"type": "event_callback", "team_id": null, "event_id": "Ev9", "event": {"type": "a_new_event"}});
    assert_eq!(door.post("/slack/events", new_event.to_string()).await.0, StatusCode::OK);
    let seen = door.seen();
    assert!(matches!(&seen[0].0, Inbound::Interaction(Interaction::Unknown { kind, .. }) if kind == "a_new_gesture"));
    assert!(
        matches!(&seen[1].0, Inbound::Event(envelope) if envelope.event == Event::Unknown { kind: "a_new_event".into() })
    );
}

#[tokio::test]
async fn a_body_that_is_not_text_is_read_as_far_as_it_goes() {
    let door = door(|_| Ack::Empty);
    assert_eq!(door.post("/slack/events", vec![0xff, 0xfe, b'{']).await.0, StatusCode::BAD_REQUEST);
    let mut command = form(&COMMAND).into_bytes();
    command.extend_from_slice(b"&note=%ff%fe\xff");
    assert_eq!(door.post("/slack/commands", command).await.0, StatusCode::OK);
    assert_eq!(door.seen().len(), 1);
}
