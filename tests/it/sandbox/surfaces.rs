//! The HTTP surface: tokens, arguments, the control interface and who may use it.

use serde_json::{Value, json};

use super::support::*;

async fn post(shop: &Shop, method: &str, token: Option<&str>, args: &Value) -> Value {
    let request = shop.http.post(format!("{}/{method}", shop.slack.api_url())).json(args);
    let request = if let Some(token) = token { request.bearer_auth(token) } else { request };
    request.send().await.expect("an answer").json().await.expect("JSON")
}

#[tokio::test]
async fn a_token_is_needed_and_must_be_the_right_one() {
    let shop = Shop::open().await;
    assert_eq!(post(&shop, "auth.test", None, &json!({})).await["error"], "not_authed");
    assert_eq!(post(&shop, "auth.test", Some("xoxb-other"), &json!({})).await["error"], "invalid_auth");
    assert_eq!(post(&shop, "auth.test", Some(APP_TOKEN), &json!({})).await["error"], "not_allowed_token_type");
    assert_eq!(post(&shop, "apps.connections.open", Some(TOKEN), &json!({})).await["error"], "not_allowed_token_type");
    assert_eq!(post(&shop, "chat.sing", Some(TOKEN), &json!({})).await["error"], "unknown_method");
    let inside = json!({ "token": TOKEN, "channel": SHOP_OPS, "text": "x" });
    assert_eq!(post(&shop, "chat.postMessage", None, &inside).await["error"], "not_authed", "JSON takes no token");
    let known = post(&shop, "auth.test", Some(TOKEN), &json!({})).await;
    assert_eq!(
        (&known["user_id"], &known["bot_id"], &known["team"]),
        (&json!(BOT), &json!("B0FIREBELL"), &json!("Shopfront"))
    );
}

#[tokio::test]
async fn arguments_come_by_query_form_multipart_or_json() {
    let shop = Shop::open().await;
    let url = format!("{}/users.info", shop.slack.api_url());
    let by_query = shop.http.get(format!("{url}?user={ANA}&token={TOKEN}")).send().await.expect("an answer");
    assert_eq!(by_query.json::<Value>().await.expect("JSON")["user"]["id"], ANA);
    let by_form = shop.http.post(&url).form(&[("user", ANA), ("token", TOKEN)]).send().await.expect("an answer");
    assert_eq!(by_form.json::<Value>().await.expect("JSON")["user"]["id"], ANA);
    let body = format!("--b\r\nContent-Disposition: form-data; name=\"user\"\r\n\r\n{ANA}\r\n--b--\r\n");
    let parts =
        shop.http.post(&url).bearer_auth(TOKEN).header("content-type", "multipart/form-data; boundary=b").body(body);
    assert_eq!(parts.send().await.expect("an answer").json::<Value>().await.expect("JSON")["user"]["id"], ANA);
    let as_json = post(&shop, "users.info", Some(TOKEN), &json!({ "user": ANA })).await;
    assert_eq!(as_json["error"], "invalid_arguments", "a method that reads takes no JSON");
    let complaints = shop.slack.complaints();
    assert_eq!(complaints, ["users.info: a method that reads ignores a JSON body; use a form or the query"]);
}

#[tokio::test]
async fn an_unknown_argument_is_noted() {
    let shop = Shop::open().await;
    shop.ok("chat.postMessage", json!({ "channel": SHOP_OPS, "text": "x", "colour": "red" })).await;
    assert_eq!(shop.slack.complaints(), ["chat.postMessage: unknown argument `colour`"]);
}

#[tokio::test]
async fn the_control_interface_does_what_the_handle_does() {
    let shop = Shop::open().await;
    let base = shop.slack.page_url();
    let act = |body: Value| shop.http.post(format!("{base}_control/act")).json(&body).send();
    let done: Value = act(json!({ "as": ANA, "do": "message", "channel": SHOP_OPS, "text": "hi" }))
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    assert_eq!(done["ok"], true);
    let refused: Value = act(json!({ "as": ANA, "do": "join", "channel": "C0NOWHERE" }))
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    assert_eq!(refused, json!({ "ok": false, "error": "You see no conversation C0NOWHERE." }));
    let unreadable = act(json!({ "as": ANA, "do": "fly" })).await.expect("an answer");
    assert_eq!(unreadable.status(), 400);
    let get = |path: String| shop.http.get(format!("{base}_control/{path}")).send();
    let state: Value = get(format!("state?as={ANA}")).await.expect("an answer").json().await.expect("JSON");
    assert_eq!(state, shop.slack.state(ANA));
    assert_eq!(state["workspace"], json!({ "id": "T0SHOPFRNT", "name": "Shopfront", "domain": "shopfront" }));
    let messages: Value =
        get(format!("messages?as={ANA}&channel={SHOP_OPS}")).await.expect("an answer").json().await.expect("JSON");
    assert_eq!(messages["messages"][0]["text"], "hi");
    assert_eq!(messages["has_more"], false);
    let fault = json!({ "add": [{ "on": "api", "method": "auth.test", "fault": "error", "code": "fatal_error" }] });
    shop.http.post(format!("{base}_control/faults")).json(&fault).send().await.expect("an answer");
    assert_eq!(shop.error("auth.test", json!({})).await, "fatal_error");
    shop.http.post(format!("{base}_control/settle")).send().await.expect("an answer");
    let at = json!({ "at": "2023-04-02T20:00:00Z" });
    shop.http.post(format!("{base}_control/clock")).json(&at).send().await.expect("an answer");
    assert_eq!(shop.slack.clock().now().to_rfc3339(), "2023-04-02T20:00:00+00:00");
    let journal: Value = get("journal?since=0".to_owned()).await.expect("an answer").json().await.expect("JSON");
    assert!(journal["entries"].as_array().is_some_and(|entries| !entries.is_empty()));
}

#[tokio::test]
async fn other_origins_and_other_names_are_refused() {
    let shop = Shop::open().await;
    let url = format!("{}_control/state?as={ANA}", shop.slack.page_url());
    let from_afar = shop.http.get(&url).header("origin", "https://evil.example").send().await.expect("an answer");
    assert_eq!(from_afar.status(), 403);
    let renamed = shop.http.get(&url).header("host", "rebound.example").send().await.expect("an answer");
    assert_eq!(renamed.status(), 403);
    let own = shop
        .http
        .get(&url)
        .header("origin", shop.slack.page_url().trim_end_matches('/'))
        .send()
        .await
        .expect("an answer");
    assert_eq!(own.status(), 200);
    assert_eq!(shop.http.get(shop.slack.page_url()).send().await.expect("an answer").status(), 200);
    assert_eq!(
        shop.http.get(format!("{}_demo/status", shop.slack.page_url())).send().await.expect("an answer").status(),
        404
    );
}

#[tokio::test]
async fn news_stream_to_those_they_concern() {
    let shop = Shop::open().await;
    let url = format!("{}_control/stream?as={BEN}", shop.slack.page_url());
    let mut stream = shop.http.get(url).send().await.expect("an answer");
    shop.ok("chat.postEphemeral", json!({ "channel": SHOP_OPS, "user": ANA, "text": "not for Ben" })).await;
    let ts = shop.posts(SHOP_OPS, "for all").await;
    let chunk = stream.chunk().await.expect("open").expect("news");
    let text = String::from_utf8_lossy(&chunk).into_owned();
    let data = text.strip_prefix("event: change\ndata: ").expect("one change");
    let change: Value = serde_json::from_str(data.trim()).expect("JSON");
    assert_eq!(change, json!({ "kind": "message", "channel": SHOP_OPS, "ts": ts }));
}
