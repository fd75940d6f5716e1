//! Files: three steps, each once, and who may fetch what was sent.

use firebell::sandbox::Act;
use serde_json::{Value, json};

use super::support::*;

/// The lent address and the file's id.
async fn lend(shop: &Shop, name: &str, length: usize) -> (String, Value) {
    let lent = shop.ok("files.getUploadURLExternal", json!({ "filename": name, "length": length })).await;
    (lent["upload_url"].as_str().expect("an address").to_owned(), lent["file_id"].clone())
}

/// A file whose bytes have arrived.
async fn sent(shop: &Shop, name: &str, bytes: &'static str) -> Value {
    let (url, id) = lend(shop, name, bytes.len()).await;
    assert_eq!(shop.http.post(&url).body(bytes).send().await.expect("an answer").status(), 200);
    id
}

fn complete(id: &Value, channel: &str) -> Value {
    json!({ "files": [{ "id": id, "title": "Notes" }], "channel_id": channel })
}

#[tokio::test]
async fn an_address_is_lent_for_a_name_and_a_length() {
    let shop = Shop::open().await;
    let method = "files.getUploadURLExternal";
    assert_eq!(shop.error(method, json!({ "filename": "a.md" })).await, "invalid_arguments");
    assert_eq!(shop.error(method, json!({ "length": 5 })).await, "invalid_arguments");
    assert_eq!(shop.error(method, json!({ "filename": "a.md", "length": 0 })).await, "missing_argument");
    assert_eq!(shop.error(method, json!({ "filename": "a.md", "length": "five" })).await, "invalid_arguments");
    let huge = json!({ "filename": "a.md", "length": 100 << 20 });
    assert_eq!(shop.error(method, huge).await, "file_upload_size_restricted");
    assert_eq!(shop.error("files.upload", json!({ "channels": SHOP_OPS, "content": "x" })).await, "method_deprecated");
}

#[tokio::test]
async fn bytes_are_taken_once_and_must_be_as_many_as_announced() {
    let shop = Shop::open().await;
    let (url, id) = lend(&shop, "a.md", 5).await;
    let post = |body: &'static str| shop.http.post(&url).body(body).send();
    assert_eq!(post("far too long").await.expect("an answer").status(), 400);
    assert_eq!(shop.http.put(&url).body("12345").send().await.expect("an answer").status(), 405);
    assert_eq!(post("12345").await.expect("an answer").status(), 200);
    assert_eq!(post("54321").await.expect("an answer").status(), 404, "the address is used up");
    shop.ok("files.completeUploadExternal", complete(&id, SHOP_OPS)).await;
    let (by_parts, _) = lend(&shop, "b.md", 5).await;
    let body = "--b\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nx\r\n--b\r\n\
                Content-Disposition: form-data; name=\"filename\"; filename=\"b.md\"\r\n\r\n12345\r\n--b--\r\n";
    let parts = shop.http.post(&by_parts).header("content-type", "multipart/form-data; boundary=b").body(body);
    assert_eq!(parts.send().await.expect("an answer").status(), 200);
    assert_eq!(shop.slack.complaints().len(), 1, "{:?}", shop.slack.complaints());
}

#[tokio::test]
async fn an_upload_is_completed_once_where_the_app_may_post() {
    let shop = Shop::open().await;
    let method = "files.completeUploadExternal";
    let id = sent(&shop, "a.md", "12345").await;
    assert_eq!(shop.error(method, complete(&id, "C0NOWHERE")).await, "channel_not_found");
    assert_eq!(shop.error(method, complete(&id, ANA)).await, "channel_not_found", "channel_id is no person's");
    let made = shop.does(ANA, Act::CreateChannel { name: "quiet".to_owned(), private: false }).await;
    let quiet = made["channel"].as_str().expect("an id").to_owned();
    assert_eq!(shop.error(method, complete(&id, &quiet)).await, "not_in_channel");
    shop.does(ANA, Act::Archive { channel: quiet.clone() }).await;
    assert_eq!(shop.error(method, complete(&id, &quiet)).await, "is_archived");
    let mut astray = complete(&id, SHOP_OPS);
    astray["thread_ts"] = json!("1.000001");
    assert_eq!(shop.error(method, astray).await, "thread_not_found");
    let parent = shop.posts(SHOP_OPS, "where are the notes?").await;
    let mut reply = complete(&id, SHOP_OPS);
    reply["thread_ts"] = json!(parent);
    reply["initial_comment"] = json!("here");
    shop.ok(method, reply.clone()).await;
    assert_eq!(shop.error(method, reply).await, "file_not_found", "completed already");
    let thread = shop.ok("conversations.replies", json!({ "channel": SHOP_OPS, "ts": parent })).await;
    let posted = &thread["messages"][1];
    assert_eq!((&posted["text"], &posted["files"][0]["title"]), (&json!("here"), &json!("Notes")));
    assert!(posted.get("subtype").is_none(), "{posted}");
}

#[tokio::test]
async fn a_file_needs_its_scope() {
    let shop = Shop::open().await;
    let scopes = Some(vec!["chat:write".to_owned()]);
    shop.does(ANA, Act::Install { scopes, events: None, commands: None, shortcuts: None, home_enabled: None }).await;
    let refused = shop.call("files.getUploadURLExternal", json!({ "filename": "a.md", "length": 5 })).await;
    assert_eq!((&refused["error"], &refused["needed"]), (&json!("missing_scope"), &json!("files:write")));
}

#[tokio::test]
async fn only_the_app_and_the_sandboxs_own_page_fetch_a_file() {
    let shop = Shop::open().await;
    let id = sent(&shop, "a.html", "<p>hi").await;
    let done = shop.ok("files.completeUploadExternal", complete(&id, SHOP_OPS)).await;
    let link = done["files"][0]["url_private"].as_str().expect("an address").to_owned();
    let kept = done["files"][0]["url_private_download"].as_str().expect("an address").to_owned();
    let by_app = shop.http.get(&link).bearer_auth(TOKEN).send().await.expect("an answer");
    assert_eq!(by_app.headers()["content-security-policy"], "sandbox");
    assert_eq!(by_app.text().await.expect("text"), "<p>hi");
    let by_page = shop.http.get(&kept).header("sec-fetch-site", "same-origin").send().await.expect("an answer");
    assert_eq!(by_page.headers()["content-disposition"], "attachment; filename=\"a.html\"");
    assert_eq!(by_page.text().await.expect("text"), "<p>hi");
    for request in [
        shop.http.get(&link),
        shop.http.get(&link).bearer_auth("xoxb-other"),
        shop.http.get(&link).header("sec-fetch-site", "cross-site"),
    ] {
        let astray = request.send().await.expect("an answer").text().await.expect("text");
        assert!(astray.contains("<!doctype html>"), "the front door, not the file: {astray}");
    }
    let rebound = shop.http.get(&link).header("sec-fetch-site", "same-origin").header("host", "rebound.example");
    let refused = rebound.send().await.expect("an answer");
    assert_eq!(refused.status(), 403, "another name is no page of ours");
}
