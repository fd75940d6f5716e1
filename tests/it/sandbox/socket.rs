//! Socket Mode, seen from a bare WebSocket client.

use std::time::Duration;

use chrono::TimeDelta;
use firebell::sandbox::{Act, Delivery};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::support::*;

/// A client that says only what it is told to.
struct Link(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Link {
    async fn open(shop: &Shop) -> Self {
        let mut link = Self(connect_async(address(shop).await).await.expect("connected").0);
        assert_eq!(link.next().await["type"], "hello");
        link
    }

    /// The next JSON frame; fails if none comes.
    async fn next(&mut self) -> Value {
        let wait = async {
            loop {
                match self.0.next().await {
                    Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).expect("JSON"),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    other => panic!("the connection ended: {other:?}"),
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), wait).await.expect("a frame")
    }

    async fn ack(&mut self, envelope: &Value, payload: Option<Value>) {
        let mut ack = json!({ "envelope_id": envelope["envelope_id"] });
        if let Some(payload) = payload {
            ack["payload"] = payload;
        }
        self.0.send(Message::Text(ack.to_string().into())).await.expect("sent");
    }

    async fn is_closed(&mut self) -> bool {
        !matches!(self.0.next().await, Some(Ok(Message::Text(_))))
    }
}

async fn address(shop: &Shop) -> String {
    let url = format!("{}/apps.connections.open", shop.slack.api_url());
    let answer: Value =
        shop.http.post(url).bearer_auth(APP_TOKEN).send().await.expect("an answer").json().await.expect("JSON");
    answer["url"].as_str().unwrap_or_else(|| panic!("no address: {answer}")).to_owned()
}

async fn shop() -> Shop {
    let shop = Shop::open().await;
    shop.slack.set_delivery(Delivery::SocketMode);
    shop
}

#[tokio::test]
async fn an_address_is_used_once() {
    let shop = shop().await;
    let url = address(&shop).await;
    let first = connect_async(&url).await;
    assert!(first.is_ok());
    assert!(connect_async(&url).await.is_err());
    let late = address(&shop).await;
    shop.forward(TimeDelta::seconds(31));
    assert!(connect_async(&late).await.is_err());
}

#[tokio::test]
async fn hello_names_the_app_and_counts_connections() {
    let shop = shop().await;
    let (mut stream, _) = connect_async(address(&shop).await).await.expect("connected");
    let Some(Ok(Message::Text(text))) = stream.next().await else { panic!("no hello") };
    let hello: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(hello["connection_info"]["app_id"], "A0FIREBELL");
    assert_eq!(hello["num_connections"], 1);
    assert_eq!(hello["debug_info"]["approximate_connection_time"], 3600);
    assert!(hello["debug_info"]["host"].is_string());
}

#[tokio::test]
async fn an_acknowledgement_carries_the_answer_to_a_command() {
    let shop = shop().await;
    let mut link = Link::open(&shop).await;
    let command = Act::Command { channel: SHOP_OPS.to_owned(), text: "/incident list".to_owned() };
    let app = async {
        let envelope = link.next().await;
        assert_eq!(envelope["type"], "slash_commands");
        assert_eq!(envelope["accepts_response_payload"], true);
        assert_eq!(envelope["payload"]["text"], "list");
        link.ack(&envelope, Some(json!({ "text": "None open." }))).await;
    };
    let (seen, ()) = tokio::join!(shop.slack.act(ANA, command), app);
    assert_eq!(seen.expect("answered")["status"], 200);
    assert_eq!(shop.texts(ANA, SHOP_OPS), ["None open."]);
}

#[tokio::test]
async fn an_event_without_acknowledgement_is_sent_again() {
    let shop = shop().await;
    let mut link = Link::open(&shop).await;
    shop.writes(ANA, SHOP_OPS, "hello").await;
    let first = link.next().await;
    assert_eq!((&first["type"], &first["retry_attempt"]), (&json!("events_api"), &json!(0)));
    shop.forward(TimeDelta::seconds(3));
    let again = link.next().await;
    assert_eq!((&again["retry_attempt"], &again["retry_reason"]), (&json!(1), &json!("http_timeout")));
    assert_ne!(again["envelope_id"], first["envelope_id"]);
    assert_eq!(again["payload"]["event_id"], first["payload"]["event_id"]);
    link.ack(&again, None).await;
    shop.quiet().await;
    assert_eq!(shop.slack.waiting_deliveries(), 0);
}

#[tokio::test]
async fn a_command_without_a_connection_fails_for_its_person() {
    let shop = shop().await;
    let seen = shop.types(ANA, SHOP_OPS, "/incident list").await;
    assert_eq!(seen["error_code"], "dispatch_failed");
}

#[tokio::test]
async fn the_eleventh_connection_is_one_too_many() {
    let shop = shop().await;
    let mut links = Vec::new();
    for _ in 0..10 {
        links.push(Link::open(&shop).await);
    }
    assert_eq!(shop.slack.sockets(), 10);
    let mut eleventh = Link(connect_async(address(&shop).await).await.expect("connected").0);
    assert_eq!(eleventh.next().await["reason"], "too_many_websockets");
    assert!(eleventh.is_closed().await);
}

#[tokio::test]
async fn a_connection_is_warned_and_then_refreshed() {
    let shop = shop().await;
    let mut link = Link::open(&shop).await;
    shop.forward(TimeDelta::seconds(3590));
    assert_eq!(link.next().await["reason"], "warning");
    shop.writes(ANA, SHOP_OPS, "still served").await;
    let envelope = link.next().await;
    link.ack(&envelope, None).await;
    shop.quiet().await;
    shop.forward(TimeDelta::seconds(10));
    assert_eq!(link.next().await["reason"], "refresh_requested");
    assert!(link.is_closed().await);
}

#[tokio::test]
async fn switching_socket_mode_off_disables_the_link() {
    let shop = shop().await;
    let mut link = Link::open(&shop).await;
    shop.slack.set_link_disabled(true);
    let bye = link.next().await;
    assert_eq!((&bye["type"], &bye["reason"]), (&json!("disconnect"), &json!("link_disabled")));
    let url = format!("{}/apps.connections.open", shop.slack.api_url());
    let refused: Value =
        shop.http.post(url).bearer_auth(APP_TOKEN).send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!(refused["error"], "link_disabled");
}

#[tokio::test]
async fn envelopes_are_spread_over_all_connections() {
    let shop = shop().await;
    let mut one = Link::open(&shop).await;
    let mut two = Link::open(&shop).await;
    let (mut to_one, mut to_two) = (0, 0);
    for n in 0..64 {
        shop.writes(ANA, SHOP_OPS, &format!("{n}")).await;
        tokio::select! {
            envelope = one.next() => { to_one += 1; one.ack(&envelope, None).await; }
            envelope = two.next() => { to_two += 1; two.ack(&envelope, None).await; }
        }
    }
    assert!(to_one > 0 && to_two > 0, "{to_one} and {to_two} of 64");
}
