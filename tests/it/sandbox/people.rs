//! People as the app sees them, and what they do that the app hears of.

use firebell::sandbox::{Act, SandboxConfig};
use serde_json::json;

use super::support::*;

#[tokio::test]
async fn a_person_has_a_zone_and_an_account_state() {
    let shop = Shop::open().await;
    let ana = shop.ok("users.info", json!({ "user": ANA })).await["user"].clone();
    assert_eq!(ana["tz"], "America/New_York");
    assert_eq!(ana["tz_label"], "Eastern Daylight Time");
    assert_eq!(ana["tz_offset"], -14400);
    assert_eq!(ana["profile"]["email"], "ana@shopfront.example");
    assert_eq!(shop.ok("users.info", json!({ "user": GONE })).await["user"]["deleted"], true);
    assert_eq!(shop.error("users.info", json!({ "user": "U0NOBODY00" })).await, "user_not_found");
    let found = shop.ok("users.lookupByEmail", json!({ "email": "BEN@shopfront.example" })).await;
    assert_eq!(found["user"]["id"], BEN);
    assert_eq!(
        shop.error("users.lookupByEmail", json!({ "email": "hanne@shopfront.example" })).await,
        "users_not_found"
    );
    let group = shop.ok("usergroups.users.list", json!({ "usergroup": "S0DBTEAM01" })).await;
    assert_eq!(group["users"], json!([DANA, "U0ELI00001"]));
    assert_eq!(shop.error("usergroups.users.list", json!({ "usergroup": "S0NONE" })).await, "no_such_subteam");
}

#[tokio::test]
async fn a_message_is_heard_with_slacks_envelope_and_escapes() {
    let shop = Shop::open().await;
    let ts = shop.writes(ANA, SHOP_OPS, "is 1 < 2 & @ben?").await;
    shop.quiet().await;
    let outer = shop.app.last("events").payload;
    assert_eq!(outer["type"], "event_callback");
    assert_eq!(outer["team_id"], "T0SHOPFRNT");
    assert_eq!(outer["api_app_id"], "A0FIREBELL");
    assert_eq!(outer["authorizations"][0]["user_id"], BOT);
    assert!(outer["event_id"].as_str().expect("an id").starts_with("Ev"));
    let event = &outer["event"];
    assert_eq!(event["text"], "is 1 &lt; 2 &amp; <@U0BEN00001>?");
    assert_eq!(event["ts"], ts.as_str());
    assert_eq!(event["channel"], SHOP_OPS);
    assert_eq!(event["channel_type"], "channel");
    assert_eq!(event["blocks"][0]["type"], "rich_text");
    assert!(event["client_msg_id"].is_string());
}

#[tokio::test]
async fn the_app_hears_only_of_conversations_its_bot_is_in() {
    let shop = Shop::open().await;
    let made = shop.does(ANA, Act::CreateChannel { name: "apart".to_owned(), private: false }).await;
    let apart = made["channel"].as_str().expect("id").to_owned();
    shop.writes(ANA, &apart, "hello").await;
    shop.quiet().await;
    assert!(shop.app.events("message").is_empty());
    shop.does(ANA, Act::Invite { channel: apart.clone(), users: vec![BOT.to_owned()] }).await;
    shop.writes(ANA, &apart, "hello again").await;
    shop.quiet().await;
    assert_eq!(shop.app.events("message").last().expect("heard")["text"], "hello again");
}

#[tokio::test]
async fn mentioning_the_bot_is_an_event_of_its_own() {
    let shop = Shop::open().await;
    shop.writes(BEN, SHOP_OPS, "@firebell call db").await;
    shop.quiet().await;
    assert_eq!(shop.app.events("app_mention")[0]["text"], "<@U0FIREBELL> call db");
    assert_eq!(shop.app.events("message").len(), 1);
}

#[tokio::test]
async fn edits_reactions_and_uploads_are_heard() {
    let shop = Shop::open().await;
    let ts = shop.writes(BEN, SHOP_OPS, "web logs clean").await;
    let (channel, ts) = (SHOP_OPS.to_owned(), ts);
    shop.does(BEN, Act::Edit { channel: channel.clone(), ts: ts.clone(), text: "web logs are clean".to_owned() }).await;
    shop.does(BEN, Act::React { channel: channel.clone(), ts: ts.clone(), name: "memo".to_owned() }).await;
    shop.does(ANA, Act::Pin { channel: channel.clone(), ts: ts.clone() }).await;
    let upload = Act::Upload {
        channel: channel.clone(),
        name: "log.txt".to_owned(),
        content_base64: "aGk=".to_owned(),
        comment: Some("the log".to_owned()),
        thread_ts: None,
    };
    shop.does(BEN, upload).await;
    shop.quiet().await;
    let messages = shop.app.events("message");
    assert_eq!(messages[1]["subtype"], "message_changed");
    assert_eq!(messages[1]["message"]["edited"]["user"], BEN);
    assert_eq!(messages[2]["subtype"], "file_share");
    assert_eq!(messages[2]["files"][0]["name"], "log.txt");
    let reaction = &shop.app.events("reaction_added")[0];
    assert_eq!(reaction["item"], json!({ "type": "message", "channel": SHOP_OPS, "ts": ts }));
    assert_eq!(reaction["item_user"], BEN);
    assert_eq!(shop.app.events("pin_added")[0]["item"]["message"]["ts"], ts.as_str());
}

#[tokio::test]
async fn another_bots_message_is_a_bot_message() {
    let shop = Shop::open().await;
    shop.writes(MONITOR, ALERTS, "checkout p95 6 s").await;
    shop.quiet().await;
    let heard = &shop.app.events("message")[0];
    assert_eq!(heard["subtype"], "bot_message");
    assert_eq!(heard["bot_id"], "B0MONITOR1");
    assert_eq!(heard["username"], "Shopwatch");
}

#[tokio::test]
async fn a_deactivated_person_is_announced_and_can_do_nothing() {
    let shop = Shop::open().await;
    let change =
        Act::User { id: BEN.to_owned(), deleted: Some(true), dnd: None, tz: None, title: None, real_name: None };
    shop.does(ANA, change).await;
    shop.quiet().await;
    assert_eq!(shop.app.events("user_change")[0]["user"]["deleted"], true);
    assert_eq!(shop.error("chat.postMessage", json!({ "channel": BEN, "text": "x" })).await, "channel_not_found");
    assert_eq!(shop.error("chat.postMessage", json!({ "channel": MONITOR, "text": "x" })).await, "cannot_dm_bot");
    let refused = shop.slack.act(BEN, Act::OpenHome {}).await.expect_err("gone");
    assert_eq!(refused.to_string(), "The account of Ben Brandt is deactivated.");
}

#[tokio::test]
async fn people_cannot_write_where_they_are_not() {
    let shop = Shop::open().await;
    let made = shop.does(ANA, Act::CreateChannel { name: "apart".to_owned(), private: false }).await;
    let apart = made["channel"].as_str().expect("id").to_owned();
    let refused =
        shop.slack.act(BEN, Act::Message { channel: apart.clone(), text: "x".to_owned(), thread_ts: None }).await;
    assert_eq!(refused.expect_err("not a member").to_string(), "You are not in #apart. Join it first.");
    shop.does(BEN, Act::Join { channel: apart.clone() }).await;
    shop.writes(BEN, &apart, "x").await;
}

#[tokio::test]
async fn unread_and_mentions_are_counted_per_person() {
    let shop = Shop::open().await;
    shop.writes(ANA, SHOP_OPS, "hello @dev-team").await;
    let last = shop.writes(ANA, SHOP_OPS, "anyone?").await;
    let seen = |who: &str| {
        let state = shop.slack.state(who);
        let channels = state["channels"].as_array().expect("channels").clone();
        let found = channels.into_iter().find(|channel| channel["id"] == SHOP_OPS).expect("listed");
        (found["unread"].clone(), found["mentions"].clone())
    };
    assert_eq!(seen(BEN), (json!(2), json!(1)));
    assert_eq!(seen(DANA), (json!(2), json!(0)));
    assert_eq!(seen(ANA), (json!(0), json!(0)));
    shop.does(BEN, Act::Read { channel: SHOP_OPS.to_owned(), ts: last }).await;
    assert_eq!(seen(BEN), (json!(0), json!(0)));
}

#[tokio::test]
async fn the_whole_workspace_survives_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("workspace.json");
    let config = || SandboxConfig { state_path: Some(path.clone()), rate_limits: false, ..SandboxConfig::default() };
    let shop = Shop::with(config()).await;
    let ts = shop.posts(SHOP_OPS, "before").await;
    shop.ok("pins.add", json!({ "channel": SHOP_OPS, "timestamp": ts })).await;
    let home = json!({ "type": "home", "blocks": [{ "type": "divider" }] });
    shop.ok("views.publish", json!({ "user_id": ANA, "view": home })).await;
    let before = shop.slack.export();
    shop.slack.shutdown().await.expect("saved");
    let again = Shop::with(config()).await;
    assert_eq!(again.slack.export(), before);
    let next = again.posts(SHOP_OPS, "after").await;
    assert!(next > ts, "times go on rising");
}
