//! Faults on order and rate limits.

use chrono::TimeDelta;
use firebell::sandbox::{ApiFault, DeliveryFault, Fault, Route, SandboxConfig};
use serde_json::{Value, json};

use super::support::*;

fn on(method: &str, nth: Option<u32>, what: ApiFault) -> Fault {
    Fault::Api { method: method.to_owned(), nth, what }
}

fn event(what: DeliveryFault) -> Fault {
    Fault::Delivery { route: Some(Route::Event), nth: Some(1), what }
}

async fn raw_post(shop: &Shop, text: &str) -> reqwest::Result<reqwest::Response> {
    let url = format!("{}/chat.postMessage", shop.slack.api_url());
    shop.http.post(url).bearer_auth(TOKEN).json(&json!({ "channel": SHOP_OPS, "text": text })).send().await
}

#[tokio::test]
async fn a_connection_dies_before_or_after_the_post_is_stored() {
    let shop = Shop::open().await;
    shop.slack.add_fault(on("chat.postMessage", Some(1), ApiFault::ResetBefore));
    shop.slack.add_fault(on("chat.postMessage", Some(2), ApiFault::ResetAfter));
    assert!(raw_post(&shop, "lost").await.is_err());
    assert!(raw_post(&shop, "stored").await.is_err());
    assert_eq!(raw_post(&shop, "fine").await.expect("an answer").status(), 200);
    assert_eq!(shop.texts(ANA, SHOP_OPS), ["stored", "fine"]);
}

#[tokio::test]
async fn answers_go_wrong_as_ordered() {
    let shop = Shop::open().await;
    for (n, what) in (1..).zip([
        ApiFault::RateLimited { retry_after: 7, plain: false },
        ApiFault::RateLimited { retry_after: 7, plain: true },
        ApiFault::RatelimitedOk,
        ApiFault::ServerError { status: 503 },
        ApiFault::Truncated,
        ApiFault::MissingField { field: "ts".to_owned() },
        ApiFault::Error { code: "internal_error".to_owned() },
        ApiFault::Lie,
    ]) {
        shop.slack.add_fault(on("chat.postMessage", Some(n), what));
    }
    let limited = raw_post(&shop, "1").await.expect("an answer");
    assert_eq!((limited.status().as_u16(), limited.headers()["retry-after"].to_str().expect("a number")), (429, "7"));
    assert!(raw_post(&shop, "2").await.expect("an answer").json::<Value>().await.is_err());
    assert_eq!(
        raw_post(&shop, "3").await.expect("an answer").json::<Value>().await.expect("JSON")["error"],
        "ratelimited"
    );
    let down = raw_post(&shop, "4").await.expect("an answer");
    assert_eq!(down.status(), 503);
    assert!(down.text().await.expect("text").starts_with("<!DOCTYPE html>"));
    assert!(raw_post(&shop, "5").await.expect("an answer").json::<Value>().await.is_err());
    let partial: Value = raw_post(&shop, "6").await.expect("an answer").json().await.expect("JSON");
    assert!(partial["ok"] == true && partial.get("ts").is_none());
    assert_eq!(
        raw_post(&shop, "7").await.expect("an answer").json::<Value>().await.expect("JSON")["error"],
        "internal_error"
    );
    let lie: Value = raw_post(&shop, "8").await.expect("an answer").json().await.expect("JSON");
    assert!(lie["ok"] == true && lie["ts"].is_string());
    assert_eq!(shop.texts(ANA, SHOP_OPS), ["5", "6"], "done, though the answers were useless");
}

#[tokio::test]
async fn deliveries_go_wrong_as_ordered() {
    let shop = Shop::open().await;
    let texts = |shop: &Shop| -> Vec<String> {
        shop.app
            .took("events")
            .iter()
            .map(|one| one.payload["event"]["text"].as_str().unwrap_or("?").to_owned())
            .collect()
    };
    shop.slack.add_fault(event(DeliveryFault::Duplicate));
    shop.writes(ANA, SHOP_OPS, "twice").await;
    shop.quiet().await;
    assert_eq!(texts(&shop), ["twice", "twice"]);
    shop.app.forget();
    shop.slack.clear_faults();
    shop.slack.add_fault(event(DeliveryFault::Reorder));
    shop.writes(ANA, SHOP_OPS, "first").await;
    shop.writes(ANA, SHOP_OPS, "second").await;
    shop.quiet().await;
    assert_eq!(texts(&shop), ["second", "first"]);
    shop.app.forget();
    shop.slack.clear_faults();
    shop.slack.add_fault(event(DeliveryFault::Late { seconds: 7200 }));
    shop.writes(ANA, SHOP_OPS, "late").await;
    shop.quiet().await;
    assert!(texts(&shop).is_empty());
    shop.forward(TimeDelta::hours(2));
    shop.quiet().await;
    assert_eq!(texts(&shop), ["late"]);
    shop.app.forget();
    shop.slack.clear_faults();
    shop.slack.add_fault(event(DeliveryFault::Drop));
    shop.writes(ANA, SHOP_OPS, "dropped").await;
    shop.quiet().await;
    assert!(texts(&shop).is_empty());
    for what in [DeliveryFault::TeamNull, DeliveryFault::UnknownType, DeliveryFault::Huge { bytes: 1_000_000 }] {
        shop.slack.clear_faults();
        shop.slack.add_fault(event(what));
        shop.writes(ANA, SHOP_OPS, "odd").await;
    }
    shop.quiet().await;
    let odd = shop.app.took("events");
    assert_eq!(odd.len(), 3);
}

#[tokio::test]
async fn team_null_and_unknown_types_reach_the_app_so() {
    let shop = Shop::open().await;
    shop.slack.add_fault(event(DeliveryFault::TeamNull));
    shop.slack.add_fault(event(DeliveryFault::UnknownType));
    shop.slack.add_fault(event(DeliveryFault::Skew { seconds: 301 }));
    shop.writes(ANA, SHOP_OPS, "odd").await;
    shop.quiet().await;
    let got = shop.app.last("events");
    assert!(got.payload["team_id"].is_null());
    assert_eq!(got.payload["event"]["type"], "future_event");
    let stamp: i64 = got.header("x-slack-request-timestamp").expect("a time").parse().expect("a number");
    assert_eq!(start_at().timestamp() - stamp, 301);
}

#[tokio::test]
async fn the_second_tier_takes_twenty_five_a_minute_and_then_waits() {
    let shop = Shop::with(SandboxConfig::default()).await;
    for n in 0..25 {
        shop.ok("conversations.create", json!({ "name": format!("inc-{n}") })).await;
    }
    let (seen, body) = shop.call_status("conversations.create", &json!({ "name": "inc-25" })).await;
    assert_eq!((seen.status, seen.retry_after), (429, Some(60)));
    assert_eq!(body["error"], "ratelimited");
    shop.ok("conversations.info", json!({ "channel": SHOP_OPS })).await;
    shop.forward(TimeDelta::seconds(60));
    shop.ok("conversations.create", json!({ "name": "inc-25" })).await;
    assert_eq!(shop.slack.rate_limited(), 1);
}

#[tokio::test]
async fn a_channel_takes_one_post_a_second_after_a_burst() {
    let shop = Shop::with(SandboxConfig::default()).await;
    for n in 0..4 {
        shop.posts(SHOP_OPS, &format!("{n}")).await;
    }
    let (seen, _) = shop.call_status("chat.postMessage", &json!({ "channel": SHOP_OPS, "text": "5" })).await;
    assert_eq!((seen.status, seen.retry_after), (429, Some(1)));
    shop.posts(ALERTS, "another channel").await;
    shop.forward(TimeDelta::seconds(1));
    shop.posts(SHOP_OPS, "5").await;
}
