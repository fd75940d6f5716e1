//! Messages: limits, threads, metadata, history, marks, files.

use firebell::sandbox::{Act, SandboxConfig, Workspace};
use serde_json::{Value, json};

use super::support::*;

#[tokio::test]
async fn timestamps_rise_even_while_the_clock_stands_still() {
    let shop = Shop::open().await;
    let first = shop.posts(SHOP_OPS, "one").await;
    let second = shop.posts(SHOP_OPS, "two").await;
    assert_eq!(first, "1680462000.000000");
    assert!(second > first);
}

#[tokio::test]
async fn a_message_without_words_or_with_bad_blocks_is_refused() {
    let shop = Shop::open().await;
    assert_eq!(shop.error("chat.postMessage", json!({ "channel": SHOP_OPS })).await, "no_text");
    let refused = shop
        .call("chat.postMessage", json!({ "channel": SHOP_OPS, "text": "x", "blocks": [{ "type": "header" }] }))
        .await;
    assert_eq!(refused["error"], "invalid_blocks");
    assert_eq!(refused["errors"][0], "missing required field [json-pointer:/blocks/0/text]");
    let bad = json!({ "channel": SHOP_OPS, "text": "x", "blocks": "not json" });
    assert_eq!(shop.error("chat.postMessage", bad).await, "invalid_blocks_format");
    let missing = shop.call("chat.update", json!({ "channel": SHOP_OPS, "text": "x" })).await;
    assert_eq!(missing["error"], "invalid_arguments");
    assert_eq!(missing["response_metadata"]["messages"][0], "[ERROR] missing required field: ts");
}

#[tokio::test]
async fn a_long_text_is_split_and_a_long_update_refused() {
    let shop = Shop::open().await;
    shop.posts(SHOP_OPS, &"x".repeat(4000)).await;
    assert_eq!(shop.texts(ANA, SHOP_OPS).len(), 1);
    let ts = shop.posts(SHOP_OPS, &"y".repeat(4001)).await;
    assert_eq!(shop.texts(ANA, SHOP_OPS).iter().map(String::len).collect::<Vec<_>>(), [4000, 4000, 1]);
    shop.posts(ALERTS, &"z".repeat(50_000)).await;
    assert_eq!(shop.texts(ANA, ALERTS).iter().map(String::len).sum::<usize>(), 40_000);
    let update = |length: usize| json!({ "channel": SHOP_OPS, "ts": ts, "text": "x".repeat(length) });
    assert_eq!(shop.error("chat.update", update(4001)).await, "msg_too_long");
    shop.ok("chat.update", update(4000)).await;
}

#[tokio::test]
async fn only_the_bots_own_messages_can_be_changed() {
    let shop = Shop::open().await;
    let theirs = shop.writes(ANA, SHOP_OPS, "mine").await;
    let change = |ts: &str| json!({ "channel": SHOP_OPS, "ts": ts, "text": "changed" });
    assert_eq!(shop.error("chat.update", change(&theirs)).await, "cant_update_message");
    assert_eq!(shop.error("chat.delete", json!({ "channel": SHOP_OPS, "ts": theirs })).await, "cant_delete_message");
    assert_eq!(shop.error("chat.update", change("1.000001")).await, "message_not_found");
    let own = shop.posts(SHOP_OPS, "own").await;
    shop.quiet().await;
    shop.app.forget();
    shop.ok("chat.update", change(&own)).await;
    shop.ok("chat.delete", json!({ "channel": SHOP_OPS, "ts": own })).await;
    shop.quiet().await;
    let heard = shop.app.events("message");
    assert_eq!(heard[0]["subtype"], "message_changed");
    assert_eq!(heard[0]["message"]["text"], "changed");
    assert_eq!(heard[0]["previous_message"]["text"], "own");
    assert_eq!(heard[1]["subtype"], "message_deleted");
    assert_eq!(heard[1]["deleted_ts"], own);
}

#[tokio::test]
async fn metadata_is_kept_and_shown_when_asked_for() {
    let shop = Shop::open().await;
    let metadata = json!({ "event_type": "page", "event_payload": { "effect": "7", "n": 1 } });
    let posted = json!({ "channel": SHOP_OPS, "text": "x", "metadata": metadata, "client_msg_id": "abc" });
    shop.ok("chat.postMessage", posted).await;
    let without = shop.ok("conversations.history", json!({ "channel": SHOP_OPS })).await;
    assert!(without["messages"][0].get("metadata").is_none());
    assert_eq!(without["messages"][0]["client_msg_id"], "abc");
    let with = shop.ok("conversations.history", json!({ "channel": SHOP_OPS, "include_all_metadata": true })).await;
    assert_eq!(with["messages"][0]["metadata"], metadata);
    let bad = json!({ "channel": SHOP_OPS, "text": "x", "metadata": { "event_type": "page" } });
    assert_eq!(shop.error("chat.postMessage", bad).await, "invalid_metadata_schema");
}

#[tokio::test]
async fn history_is_newest_first_and_knows_its_bounds() {
    let shop = Shop::open().await;
    let mut all = Vec::new();
    for text in ["one", "two", "three"] {
        all.push(shop.posts(SHOP_OPS, text).await);
    }
    let texts = |page: &Value| -> Vec<String> {
        page["messages"]
            .as_array()
            .expect("messages")
            .iter()
            .map(|one| one["text"].as_str().expect("text").to_owned())
            .collect()
    };
    let read = |extra: Value| {
        let mut args = extra;
        args["channel"] = json!(SHOP_OPS);
        shop.ok("conversations.history", args)
    };
    assert_eq!(texts(&read(json!({})).await), ["three", "two", "one"]);
    assert_eq!(texts(&read(json!({ "oldest": all[0] })).await), ["three", "two"]);
    assert_eq!(texts(&read(json!({ "oldest": all[0], "latest": all[1], "inclusive": true })).await), ["two", "one"]);
    let page = read(json!({ "limit": 2 })).await;
    assert_eq!(page["has_more"], true);
    let rest = read(json!({ "limit": 2, "cursor": page["response_metadata"]["next_cursor"] })).await;
    assert_eq!(texts(&rest), ["one"]);
    let private = shop.does(ANA, Act::CreateChannel { name: "apart".to_owned(), private: false }).await;
    assert_eq!(shop.error("conversations.history", json!({ "channel": private["channel"] })).await, "not_in_channel");
}

#[tokio::test]
async fn a_thread_stays_out_of_the_channel_unless_it_is_broadcast() {
    let shop = Shop::open().await;
    let parent = shop.posts(SHOP_OPS, "parent").await;
    let reply = json!({ "channel": SHOP_OPS, "text": "reply", "thread_ts": parent });
    shop.ok("chat.postMessage", reply.clone()).await;
    let history = shop.ok("conversations.history", json!({ "channel": SHOP_OPS })).await;
    assert_eq!(history["messages"].as_array().map(Vec::len), Some(1));
    assert_eq!(history["messages"][0]["reply_count"], 1);
    let mut broadcast = reply;
    broadcast["reply_broadcast"] = json!(true);
    shop.ok("chat.postMessage", broadcast).await;
    assert_eq!(shop.texts(ANA, SHOP_OPS), ["parent", "reply"]);
    let thread = shop.ok("conversations.replies", json!({ "channel": SHOP_OPS, "ts": parent })).await;
    assert_eq!(thread["messages"].as_array().map(Vec::len), Some(3));
    assert_eq!(
        shop.error("conversations.replies", json!({ "channel": SHOP_OPS, "ts": "1.000001" })).await,
        "thread_not_found"
    );
}

#[tokio::test]
async fn an_ephemeral_message_is_seen_by_one_person_only() {
    let shop = Shop::open().await;
    let args = |user: &str| json!({ "channel": SHOP_OPS, "user": user, "text": "psst" });
    shop.ok("chat.postEphemeral", args(ANA)).await;
    assert_eq!(shop.error("chat.postEphemeral", args(MONITOR)).await, "user_not_in_channel");
    assert_eq!(shop.texts(ANA, SHOP_OPS), ["psst"]);
    assert!(shop.texts(BEN, SHOP_OPS).is_empty());
    let history = shop.ok("conversations.history", json!({ "channel": SHOP_OPS })).await;
    assert_eq!(history["messages"], json!([]));
    shop.quiet().await;
    assert!(shop.app.events("message").is_empty());
}

#[tokio::test]
async fn pins_reactions_and_bookmarks_are_kept_once() {
    let shop = Shop::open().await;
    let ts = shop.posts(SHOP_OPS, "x").await;
    let pin = json!({ "channel": SHOP_OPS, "timestamp": ts });
    shop.ok("pins.add", pin.clone()).await;
    assert_eq!(shop.error("pins.add", pin.clone()).await, "already_pinned");
    assert_eq!(shop.ok("pins.list", json!({ "channel": SHOP_OPS })).await["items"][0]["message"]["ts"], ts.as_str());
    shop.ok("pins.remove", pin.clone()).await;
    assert_eq!(shop.error("pins.remove", pin).await, "no_pin");
    let react = json!({ "channel": SHOP_OPS, "timestamp": ts, "name": "memo" });
    shop.ok("reactions.add", react.clone()).await;
    assert_eq!(shop.error("reactions.add", react.clone()).await, "already_reacted");
    assert_eq!(
        shop.error("reactions.add", json!({ "channel": SHOP_OPS, "timestamp": "1.000001", "name": "memo" })).await,
        "message_not_found"
    );
    shop.ok("reactions.remove", react.clone()).await;
    assert_eq!(shop.error("reactions.remove", react).await, "no_reaction");
    let added = shop
        .ok(
            "bookmarks.add",
            json!({ "channel_id": SHOP_OPS, "title": "Page", "type": "link", "link": "https://a.example" }),
        )
        .await;
    let bad = json!({ "channel_id": SHOP_OPS, "title": "Page", "type": "link", "link": "javascript:alert(1)" });
    assert_eq!(shop.error("bookmarks.add", bad).await, "invalid_link");
    let id = added["bookmark"]["id"].clone();
    shop.ok("bookmarks.edit", json!({ "channel_id": SHOP_OPS, "bookmark_id": id, "title": "New" })).await;
    let list = shop.ok("bookmarks.list", json!({ "channel_id": SHOP_OPS })).await;
    // bookmarks.list takes a form, as every method that reads.
    assert_eq!(list["bookmarks"][0]["title"], "New");
    shop.ok("bookmarks.remove", json!({ "channel_id": SHOP_OPS, "bookmark_id": id })).await;
    shop.quiet().await;
    assert_eq!(shop.app.events("pin_added").len(), 1);
    assert_eq!(shop.app.events("reaction_removed").len(), 1);
}

#[tokio::test]
async fn a_file_takes_three_steps_and_can_be_fetched() {
    let shop = Shop::open().await;
    let lent = shop.ok("files.getUploadURLExternal", json!({ "filename": "chart.svg", "length": 5 })).await;
    let url = lent["upload_url"].as_str().expect("an address").to_owned();
    let id = lent["file_id"].clone();
    let complete =
        json!({ "files": [{ "id": id, "title": "Chart" }], "channel_id": SHOP_OPS, "initial_comment": "see" });
    assert_eq!(
        shop.error("files.completeUploadExternal", complete.clone()).await,
        "file_not_found",
        "nothing was sent yet"
    );
    let sent = shop.http.post(&url).body("short").send().await.expect("an answer");
    assert_eq!(sent.text().await.expect("text"), "OK - 5");
    let done = shop.ok("files.completeUploadExternal", complete).await;
    let link = done["files"][0]["url_private"].as_str().expect("an address").to_owned();
    let fetched = shop.http.get(link).bearer_auth(TOKEN).send().await.expect("an answer");
    assert_eq!(fetched.text().await.expect("text"), "short");
    shop.quiet().await;
    let heard = shop.app.events("message");
    assert_eq!(
        heard.last().expect("an event").get("subtype"),
        None,
        "people's files are file_share, the app's are plain"
    );
    assert_eq!(heard.last().expect("an event")["files"][0]["id"], id);
    assert_eq!(shop.http.post(&url).body("again").send().await.expect("an answer").status(), 404);
}

#[tokio::test]
async fn a_canvas_is_edited_one_change_at_a_time() {
    let shop = Shop::open().await;
    let document = json!({ "type": "markdown", "markdown": "# One" });
    let made =
        shop.ok("conversations.canvases.create", json!({ "channel_id": SHOP_OPS, "document_content": document })).await;
    assert_eq!(
        shop.error("conversations.canvases.create", json!({ "channel_id": SHOP_OPS })).await,
        "channel_canvas_already_exists"
    );
    let info = shop.ok("conversations.info", json!({ "channel": SHOP_OPS })).await;
    assert_eq!(info["channel"]["properties"]["canvas"]["file_id"], made["canvas_id"]);
    let change = json!({ "operation": "replace", "document_content": { "type": "markdown", "markdown": "# Two" } });
    let edit = |changes: Value| json!({ "canvas_id": made["canvas_id"], "changes": changes });
    shop.ok("canvases.edit", edit(json!([change]))).await;
    assert_eq!(shop.error("canvases.edit", edit(json!([change, change]))).await, "invalid_arguments");
    let mut fixture = Workspace::demo();
    fixture.team.paid = false;
    let free = Shop::with(SandboxConfig { fixture, rate_limits: false, ..SandboxConfig::default() }).await;
    assert_eq!(
        free.error("canvases.create", json!({ "title": "x" })).await,
        "free_teams_cannot_create_non_tabbed_canvases"
    );
    assert_eq!(free.error("usergroups.list", json!({})).await, "plan_upgrade_required");
}

#[tokio::test]
async fn a_permalink_names_channel_and_time() {
    let shop = Shop::open().await;
    let ts = shop.posts(SHOP_OPS, "x").await;
    let link = shop.ok("chat.getPermalink", json!({ "channel": SHOP_OPS, "message_ts": ts })).await;
    assert_eq!(link["permalink"], "https://shopfront.slack.com/archives/C0SHOPOPS1/p1680462000000000");
}
