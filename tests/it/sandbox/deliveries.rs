//! Events on their way: retries, budgets, limits.

use chrono::TimeDelta;
use firebell::sandbox::{Act, Delivery, EntryKind, SandboxConfig, Workspace};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::support::*;

#[tokio::test]
async fn a_failed_event_is_tried_again_at_once_after_one_and_after_five_minutes() {
    let shop = Shop::open().await;
    for _ in 0..4 {
        shop.app.answers_with("events", 500, &[], "");
    }
    shop.writes(ANA, SHOP_OPS, "hello").await;
    shop.quiet().await;
    let seen = |shop: &Shop| {
        let heads: Vec<Option<String>> =
            shop.app.took("events").iter().map(|one| one.header("x-slack-retry-num").map(str::to_owned)).collect();
        heads
    };
    let number = |n: &str| Some(n.to_owned());
    assert_eq!(seen(&shop), [None, number("1")]);
    assert_eq!(shop.slack.waiting_deliveries(), 1);
    shop.forward(TimeDelta::seconds(59));
    shop.quiet().await;
    assert_eq!(seen(&shop).len(), 2);
    shop.forward(TimeDelta::seconds(1));
    shop.quiet().await;
    assert_eq!(seen(&shop), [None, number("1"), number("2")]);
    shop.forward(TimeDelta::minutes(5));
    shop.quiet().await;
    assert_eq!(seen(&shop), [None, number("1"), number("2"), number("3")]);
    assert_eq!(shop.app.last("events").header("x-slack-retry-reason"), Some("http_error"));
    let ids: Vec<String> = shop.app.took("events").iter().map(|one| one.payload["event_id"].to_string()).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "a retry is the same event");
    shop.forward(TimeDelta::hours(1));
    shop.quiet().await;
    assert_eq!(seen(&shop).len(), 4, "three retries and no more");
}

/// An app that takes connections and never answers; each connection is announced.
async fn hanging_app(shop: &Shop) -> mpsc::UnboundedReceiver<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/slack", listener.local_addr().expect("bound"));
    let (announce, connected) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
            if announce.send(()).is_err() {
                return;
            }
        }
    });
    shop.slack.set_delivery(Delivery::Http {
        commands_url: url.clone(),
        interactions_url: url.clone(),
        events_url: url,
    });
    connected
}

#[tokio::test]
async fn an_app_that_hangs_is_given_up_after_three_seconds() {
    let shop = Shop::open().await;
    let mut connected = hanging_app(&shop).await;
    let wait = async {
        connected.recv().await.expect("a connection");
        shop.forward(TimeDelta::milliseconds(2999));
        assert!(shop.texts(ANA, SHOP_OPS).is_empty());
        shop.forward(TimeDelta::milliseconds(1));
    };
    let (seen, ()) = tokio::join!(shop.types(ANA, SHOP_OPS, "/incident list"), wait);
    assert_eq!(seen["error_code"], "operation_timeout");
    assert_eq!(shop.texts(ANA, SHOP_OPS), ["/incident failed with the error \"operation_timeout\""]);
    shop.writes(ANA, SHOP_OPS, "hello").await;
    for _ in 0..2 {
        connected.recv().await.expect("a connection");
        shop.forward(TimeDelta::seconds(3));
    }
    shop.quiet().await;
    let (entries, _) = shop.slack.journal(0, 100);
    let failed: Vec<Option<String>> =
        entries.into_iter().filter(|entry| entry.kind == EntryKind::Event).map(|entry| entry.error).collect();
    assert_eq!(failed, [Some("http_timeout".to_owned()), Some("http_timeout".to_owned())]);
}

#[tokio::test]
async fn an_app_can_ask_not_to_be_tried_again() {
    let shop = Shop::open().await;
    shop.app.answers_with("events", 500, &[("x-slack-no-retry", "1")], "");
    shop.writes(ANA, SHOP_OPS, "hello").await;
    shop.quiet().await;
    assert_eq!(shop.app.took("events").len(), 1);
    assert_eq!(shop.slack.waiting_deliveries(), 0);
}

#[tokio::test]
async fn an_address_that_does_not_echo_the_challenge_is_not_verified() {
    let shop = Shop::open().await;
    assert!(!shop.slack.verify_events_url().await, "an empty answer is no echo");
    let sent = shop.app.last("events");
    assert_eq!(sent.payload["type"], "url_verification");
    assert!(sent.payload["challenge"].is_string());
    assert!(sent.header("x-slack-signature").is_some());
    shop.app.echo_challenges();
    assert!(shop.slack.verify_events_url().await);
}

#[tokio::test]
async fn only_subscribed_events_are_sent() {
    let mut fixture = Workspace::demo();
    fixture.app.events = vec!["message.im".to_owned(), "app_mention".to_owned()];
    let shop = Shop::with(SandboxConfig { fixture, rate_limits: false, ..SandboxConfig::default() }).await;
    shop.writes(ANA, SHOP_OPS, "@firebell hi").await;
    let direct = shop.does(ANA, Act::OpenDm { user: BOT.to_owned() }).await["channel"].as_str().expect("id").to_owned();
    shop.writes(ANA, &direct, "ack").await;
    shop.quiet().await;
    let heard: Vec<String> =
        shop.app.took("events").iter().map(|one| one.payload["event"]["type"].to_string()).collect();
    assert_eq!(heard, ["\"app_mention\"", "\"message\""]);
    assert_eq!(shop.app.last("events").payload["event"]["channel_type"], "im");
}

#[tokio::test]
async fn events_come_in_the_order_of_what_happened() {
    let shop = Shop::open().await;
    for n in 0..20 {
        shop.writes(ANA, SHOP_OPS, &format!("{n}")).await;
    }
    shop.quiet().await;
    let texts: Vec<String> =
        shop.app.events("message").iter().map(|event| event["text"].as_str().expect("text").to_owned()).collect();
    assert_eq!(texts, (0..20).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn everything_is_in_the_journal() {
    let shop = Shop::open().await;
    shop.posts(SHOP_OPS, "x").await;
    shop.types(ANA, SHOP_OPS, "/incident list").await;
    shop.quiet().await;
    let (entries, next) = shop.slack.journal(0, 100);
    let kinds: Vec<EntryKind> = entries.iter().map(|entry| entry.kind).collect();
    assert!(
        kinds.contains(&EntryKind::Api) && kinds.contains(&EntryKind::Command) && kinds.contains(&EntryKind::Event)
    );
    let post = entries.iter().find(|entry| entry.method == "chat.postMessage").expect("recorded");
    assert_eq!(post.request["text"], "x");
    assert_eq!(post.response["ok"], true);
    assert_eq!(shop.slack.journal(next, 100).0, []);
}

#[tokio::test]
async fn events_are_switched_off_when_nearly_all_fail_for_an_hour() {
    let shop = Shop::open().await;
    for _ in 0..1100 {
        shop.app.answers_with("events", 500, &[("x-slack-no-retry", "1")], "");
    }
    for n in 0..1001 {
        shop.writes(ANA, SHOP_OPS, &format!("{n}")).await;
    }
    shop.quiet().await;
    assert!(shop.slack.events_switched_off());
    let before = shop.app.took("events").len();
    assert_eq!(before, 1000);
    shop.writes(ANA, SHOP_OPS, "unheard").await;
    shop.quiet().await;
    assert_eq!(shop.app.took("events").len(), before);
    assert_eq!(shop.slack.complaints(), Vec::<String>::new());
    let page = json!({ "channel": SHOP_OPS });
    shop.ok("conversations.info", page).await;
}
