//! Socket Mode against a server of our own: acknowledgements, renewals, and what happens when things break.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use chrono::DateTime;
use firebell::clock::Clock;
use firebell::slack::inbound::{Ack, Inbound, Meta, Receive};
use firebell::slack::message::Message as Answer;
use firebell::slack::socket::{SocketConfig, SocketMode, Status, Timing};
use firebell::slack::{Slack, SlackConfig};
use futures_util::{FutureExt, SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// One WebSocket as Slack sees it.
struct Peer(WebSocketStream<TcpStream>);

impl Peer {
    async fn say(&mut self, frame: Value) {
        self.0.send(Message::text(frame.to_string())).await.expect("sent");
    }

    async fn greet(mut self) -> Self {
        self.say(json!({"type": "hello", "num_connections": 1, "connection_info": {"app_id": "A1"}})).await;
        self
    }

    /// The next text frame; `None` once the client has closed.
    async fn hear(&mut self) -> Option<Value> {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).expect("JSON")),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }
}

/// Slack as far as Socket Mode needs it.
struct Server {
    slack: Slack,
    sockets: mpsc::Receiver<Peer>,
    opened: Arc<AtomicUsize>,
}

async fn server() -> Server {
    let sockets_listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let socket_url = format!("ws://{}/link", sockets_listener.local_addr().expect("bound"));
    let api_listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let api_url = format!("http://{}/api", api_listener.local_addr().expect("bound"));
    let opened = Arc::new(AtomicUsize::new(0));
    let open = {
        let opened = Arc::clone(&opened);
        post(move || {
            opened.fetch_add(1, Ordering::SeqCst);
            async move { axum::Json(json!({"ok": true, "url": socket_url})) }
        })
    };
    tokio::spawn(
        async move { axum::serve(api_listener, Router::new().route("/api/apps.connections.open", open)).await },
    );
    let (sender, sockets) = mpsc::channel(8);
    tokio::spawn(async move {
        while let Ok((stream, _)) = sockets_listener.accept().await {
            let Ok(socket) = tokio_tungstenite::accept_async(stream).await else { continue };
            if sender.send(Peer(socket)).await.is_err() {
                return;
            }
        }
    });
    let config = SlackConfig { api_url, app_token: Some("xapp-test".into()), ..SlackConfig::new("xoxb-test".into()) };
    Server { slack: Slack::new(config).expect("a client"), sockets, opened }
}

impl Server {
    async fn next(&mut self) -> Peer {
        self.sockets.recv().await.expect("a connection").greet().await
    }

    fn start(&self, receive: Receive, connections: usize, timing: Timing) -> SocketMode {
        let clock = Clock::manual(DateTime::from_timestamp(1_700_000_000, 0).expect("in range"));
        SocketMode::start(self.slack.clone(), clock, receive, SocketConfig { connections, timing, alone: true })
    }
}

fn quick() -> Timing {
    let ms = Duration::from_millis;
    Timing { hello_within: ms(500), stagger: ms(1), backoff_first: ms(2), backoff_max: ms(20), ..Timing::default() }
}

fn receiver(ack: impl Fn(Inbound, Meta) -> Ack + Send + Sync + 'static) -> Receive {
    Arc::new(move |inbound, meta| {
        let ack = ack(inbound, meta);
        async move { ack }.boxed()
    })
}

fn command(id: &str) -> Value {
    json!({"type": "slash_commands", "envelope_id": id, "accepts_response_payload": true,
           "payload": {"command": "/incident", "text": "list", "user_id": "U1", "trigger_id": id}})
}

fn event(id: &str) -> Value {
    json!({"type": "events_api", "envelope_id": id, "accepts_response_payload": false,
           "payload": {"type": "event_callback", "team_id": null, "event_id": id, "event": {"type": "app_uninstalled"}}})
}

async fn until(status: &mut watch::Receiver<Status>, wanted: impl Fn(&Status) -> bool) -> Status {
    status.wait_for(|status| wanted(status)).await.expect("alive").clone()
}

#[tokio::test]
async fn an_envelope_is_acknowledged_when_the_receiver_has_it_and_answers_travel_where_they_are_read() {
    let mut server = server().await;
    let receive = receiver(|_, meta| Ack::Message(Answer { text: meta.delivery_key, blocks: Vec::new() }));
    let mode = server.start(receive, 1, quick());
    let mut peer = server.next().await;
    peer.say(command("e1")).await;
    assert_eq!(
        peer.hear().await,
        Some(json!({"envelope_id": "e1", "payload": {"response_type": "ephemeral", "text": "trigger:e1"}}))
    );
    peer.say(event("e2")).await;
    assert_eq!(peer.hear().await, Some(json!({"envelope_id": "e2"})));
    peer.say(json!({"type": "pigeon_post", "envelope_id": "e3", "payload": {}})).await;
    assert_eq!(peer.hear().await, Some(json!({"envelope_id": "e3"})));
    mode.stop().await;
    assert_eq!(peer.hear().await, None);
}

#[tokio::test]
async fn a_slow_delivery_does_not_hold_the_next_one_and_one_that_was_not_taken_stays_open() {
    let mut server = server().await;
    let (release, released) = watch::channel(false);
    let receive: Receive = Arc::new(move |_, meta: Meta| {
        let mut released = released.clone();
        async move {
            match meta.delivery_key.as_str() {
                "event:slow" => {
                    released.wait_for(|released| *released).await.expect("the test lives");
                    Ack::Empty
                }
                "event:refused" => Ack::Busy,
                _ => Ack::Empty,
            }
        }
        .boxed()
    });
    let mode = server.start(receive, 1, quick());
    let mut peer = server.next().await;
    for id in ["slow", "refused", "quick"] {
        peer.say(event(id)).await;
    }
    assert_eq!(peer.hear().await, Some(json!({"envelope_id": "quick"})));
    release.send_replace(true);
    assert_eq!(peer.hear().await, Some(json!({"envelope_id": "slow"})));
    mode.stop().await;
    assert_eq!(peer.hear().await, None);
}

#[tokio::test]
async fn a_connection_that_must_go_is_replaced_first_and_acknowledges_what_it_has() {
    let mut server = server().await;
    let (release, released) = watch::channel(false);
    let receive: Receive = Arc::new(move |_, meta: Meta| {
        let mut released = released.clone();
        async move {
            if meta.delivery_key == "event:held" {
                released.wait_for(|released| *released).await.expect("the test lives");
            }
            Ack::Empty
        }
        .boxed()
    });
    let mode = server.start(receive, 1, quick());
    let mut status = mode.status();
    let mut old = server.next().await;
    old.say(event("held")).await;
    old.say(json!({"type": "disconnect", "reason": "warning", "debug_info": {"host": "x"}})).await;
    old.say(json!({"type": "disconnect", "reason": "refresh_requested", "debug_info": {"host": "x"}})).await;
    // The old one still works while the new one is not greeted.
    let new = server.sockets.recv().await.expect("a second connection");
    old.say(event("meanwhile")).await;
    assert_eq!(old.hear().await, Some(json!({"envelope_id": "meanwhile"})));
    let mut new = new.greet().await;
    new.say(event("new")).await;
    assert_eq!(new.hear().await, Some(json!({"envelope_id": "new"})));
    release.send_replace(true);
    assert_eq!(old.hear().await, Some(json!({"envelope_id": "held"})));
    assert_eq!(old.hear().await, None);
    until(&mut status, |status| status.connected == 1).await;
    assert_eq!(server.opened.load(Ordering::SeqCst), 2);
    mode.stop().await;
}

#[tokio::test]
async fn two_connections_stand_and_a_broken_one_comes_back() {
    let mut server = server().await;
    let mode = server.start(receiver(|_, _| Ack::Empty), 2, quick());
    let mut status = mode.status();
    let first = server.next().await;
    let mut second = server.next().await;
    until(&mut status, |status| status.connected == 2).await;
    drop(first);
    until(&mut status, |status| status.connected == 1 && status.trouble.is_some()).await;
    second.say(event("e1")).await;
    assert_eq!(second.hear().await, Some(json!({"envelope_id": "e1"})));
    let _third = server.next().await;
    let status = until(&mut status, |status| status.connected == 2).await;
    assert_eq!(status.trouble, None);
    mode.stop().await;
}

#[tokio::test]
async fn socket_mode_switched_off_is_told_and_not_hammered() {
    for (reason, told) in [("link_disabled", "switched off"), ("too_many_websockets", "ten connections")] {
        let mut server = server().await;
        let mode = server.start(receiver(|_, _| Ack::Empty), 1, quick());
        let mut status = mode.status();
        let mut peer = server.next().await;
        peer.say(json!({"type": "disconnect", "reason": reason})).await;
        let status = until(&mut status, |status| status.trouble.is_some()).await;
        assert!(status.trouble.is_some_and(|trouble| trouble.contains(told)));
        assert_eq!(peer.hear().await, None);
        // The next attempt is a minute away: stopping now ends the wait, and none was made.
        mode.stop().await;
        assert_eq!(server.opened.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn a_connection_without_a_greeting_or_without_a_sign_of_life_is_given_up() {
    let mut server = server().await;
    let timing = Timing {
        hello_within: Duration::from_millis(50),
        ping_every: Duration::from_millis(10),
        silence_max: Duration::from_millis(40),
        ..quick()
    };
    let mode = server.start(receiver(|_, _| Ack::Empty), 1, timing);
    let mut status = mode.status();
    // Held open and never greeted.
    let _mute = server.sockets.recv().await.expect("a connection");
    until(&mut status, |status| status.trouble.as_deref().is_some_and(|trouble| trouble.contains("no greeting"))).await;
    // Greeted, then not read: its pings stay unanswered.
    let _deaf = server.next().await;
    until(&mut status, |status| status.trouble.as_deref().is_some_and(|trouble| trouble.contains("nothing was heard")))
        .await;
    mode.stop().await;
}

#[tokio::test]
async fn a_connection_is_pinged_and_stays_while_it_answers() {
    let mut server = server().await;
    let timing = Timing { ping_every: Duration::from_millis(5), ..quick() };
    let mode = server.start(receiver(|_, _| Ack::Empty), 1, timing);
    let mut peer = server.next().await;
    for _ in 0..3 {
        assert!(matches!(peer.0.next().await, Some(Ok(Message::Ping(_)))));
    }
    peer.say(event("e1")).await;
    assert_eq!(peer.hear().await, Some(json!({"envelope_id": "e1"})));
    assert_eq!((mode.status().borrow().connected, server.opened.load(Ordering::SeqCst)), (1, 1));
    mode.stop().await;
}

#[tokio::test]
async fn frames_that_are_no_envelopes_do_no_harm() {
    let mut server = server().await;
    let mode = server.start(receiver(|_, _| Ack::Empty), 1, quick());
    let mut peer = server.next().await;
    for odd in ["{", "null", "[]", "7", r#"{"type":"events_api","payload":{}}"#, r#"{"type":null,"envelope_id":"n1"}"#]
    {
        peer.0.send(Message::text(odd)).await.expect("sent");
    }
    peer.0.send(Message::binary(vec![0, 1, 2])).await.expect("sent");
    assert_eq!(peer.hear().await, Some(json!({"envelope_id": "n1"})));
    peer.say(event("e1")).await;
    assert_eq!(peer.hear().await, Some(json!({"envelope_id": "e1"})));
    mode.stop().await;
}
