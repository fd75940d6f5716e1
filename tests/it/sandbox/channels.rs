//! Channels: names, membership, archives, topics, lists.

use firebell::sandbox::{Act, SandboxConfig, Workspace};
use serde_json::json;

use super::support::*;

#[tokio::test]
async fn a_name_taken_by_an_archived_channel_is_refused() {
    let shop = Shop::open().await;
    let made = shop.ok("conversations.create", json!({ "name": "inc-1" })).await;
    shop.ok("conversations.archive", json!({ "channel": made["channel"]["id"] })).await;
    assert_eq!(shop.error("conversations.create", json!({ "name": "inc-1" })).await, "name_taken");
}

#[tokio::test]
async fn a_name_taken_by_an_invisible_private_channel_is_refused() {
    let shop = Shop::open().await;
    shop.does(ANA, Act::CreateChannel { name: "secret".to_owned(), private: true }).await;
    assert_eq!(shop.error("conversations.create", json!({ "name": "secret" })).await, "name_taken");
    let secret = shop.slack.find_channel("secret").expect("made");
    assert_eq!(shop.error("conversations.info", json!({ "channel": secret })).await, "channel_not_found");
}

#[tokio::test]
async fn names_that_slack_refuses_are_refused() {
    let shop = Shop::open().await;
    for (name, code) in [
        ("", "invalid_name_required"),
        ("Inc 1", "invalid_name_specials"),
        ("---", "invalid_name_punctuation"),
        (&"x".repeat(81), "invalid_name_maxlength"),
    ] {
        assert_eq!(shop.error("conversations.create", json!({ "name": name })).await, code, "{name}");
    }
}

#[tokio::test]
async fn a_new_channel_has_its_maker_as_only_member() {
    let shop = Shop::open().await;
    let made = shop.ok("conversations.create", json!({ "name": "inc-1" })).await["channel"].clone();
    assert_eq!(made["name"], "inc-1");
    assert_eq!(made["is_member"], true);
    assert_eq!(made["creator"], BOT);
    let members = shop.ok("conversations.members", json!({ "channel": made["id"] })).await;
    assert_eq!(members["members"], json!([BOT]));
    shop.quiet().await;
    assert_eq!(shop.app.events("channel_created").len(), 1);
}

#[tokio::test]
async fn inviting_reports_each_person_who_cannot_come() {
    let shop = Shop::open().await;
    let id = shop.ok("conversations.create", json!({ "name": "inc-1" })).await["channel"]["id"].clone();
    let invite = |users: &str| json!({ "channel": id, "users": users });
    assert_eq!(shop.error("conversations.invite", invite(BOT)).await, "cant_invite_self");
    assert_eq!(shop.error("conversations.invite", invite("U0NOBODY00")).await, "user_not_found");
    assert_eq!(shop.error("conversations.invite", invite(GONE)).await, "cant_invite");
    let refused = shop.call("conversations.invite", invite(&format!("{ANA},{GONE}"))).await;
    assert_eq!(refused["errors"][0]["user"], GONE);
    let members = shop.ok("conversations.members", json!({ "channel": id })).await;
    assert_eq!(members["members"], json!([BOT]), "without force nobody comes");
    let forced = json!({ "channel": id, "users": format!("{ANA},{GONE}"), "force": true });
    let answer = shop.ok("conversations.invite", forced).await;
    assert_eq!(answer["errors"][0]["error"], "cant_invite");
    assert_eq!(shop.error("conversations.invite", invite(ANA)).await, "already_in_channel");
    shop.quiet().await;
    let joined = shop.app.events("member_joined_channel");
    assert_eq!(joined.last().expect("an event")["user"], ANA);
    assert_eq!(joined.last().expect("an event")["inviter"], BOT);
}

#[tokio::test]
async fn a_channel_the_bot_is_not_in_cannot_be_changed() {
    let shop = Shop::open().await;
    let made = shop.does(ANA, Act::CreateChannel { name: "ours".to_owned(), private: false }).await;
    let id = made["channel"].clone();
    for (method, extra) in [
        ("conversations.setTopic", json!({ "topic": "x" })),
        ("conversations.invite", json!({ "users": BEN })),
        ("conversations.archive", json!({})),
        ("conversations.rename", json!({ "name": "theirs" })),
        ("pins.add", json!({ "timestamp": "1.000001" })),
    ] {
        let mut args = extra;
        args["channel"] = id.clone();
        assert_eq!(shop.error(method, args).await, "not_in_channel", "{method}");
    }
    shop.ok("conversations.join", json!({ "channel": id })).await;
    shop.ok("conversations.setTopic", json!({ "channel": id, "topic": "x" })).await;
    assert_eq!(shop.ok("conversations.join", json!({ "channel": id })).await["warning"], "already_in_channel");
}

#[tokio::test]
async fn a_topic_holds_250_characters() {
    let shop = Shop::open().await;
    let set = |length: usize| json!({ "channel": SHOP_OPS, "topic": "ü".repeat(length) });
    shop.ok("conversations.setTopic", set(250)).await;
    assert_eq!(shop.error("conversations.setTopic", set(251)).await, "too_long");
    let info = shop.ok("conversations.info", json!({ "channel": SHOP_OPS })).await;
    assert_eq!(info["channel"]["topic"]["creator"], BOT);
    shop.quiet().await;
    let heard = shop.app.events("message");
    assert_eq!(heard.last().expect("an event")["subtype"], "channel_topic");
}

#[tokio::test]
async fn an_archived_channel_takes_nothing_and_loses_its_bot() {
    let shop = Shop::open().await;
    let id = shop.ok("conversations.create", json!({ "name": "inc-1" })).await["channel"]["id"].clone();
    shop.ok("conversations.invite", json!({ "channel": id, "users": ANA })).await;
    shop.ok("conversations.archive", json!({ "channel": id })).await;
    assert_eq!(shop.error("conversations.archive", json!({ "channel": id })).await, "already_archived");
    assert_eq!(shop.error("chat.postMessage", json!({ "channel": id, "text": "x" })).await, "is_archived");
    assert_eq!(shop.error("conversations.invite", json!({ "channel": id, "users": BEN })).await, "is_archived");
    let refused = shop
        .slack
        .act(ANA, Act::Message { channel: id.as_str().expect("id").to_owned(), text: "x".to_owned(), thread_ts: None })
        .await;
    assert_eq!(refused.expect_err("archived").to_string(), "#inc-1 is archived.");
    shop.ok("conversations.unarchive", json!({ "channel": id })).await;
    assert_eq!(shop.error("conversations.setTopic", json!({ "channel": id, "topic": "x" })).await, "not_in_channel");
    assert_eq!(shop.error("conversations.archive", json!({ "channel": GENERAL })).await, "cant_archive_general");
    shop.quiet().await;
    assert_eq!(shop.app.events("channel_archive").len(), 1);
}

#[tokio::test]
async fn a_list_is_paged_by_cursor() {
    let shop = Shop::open().await;
    let first = shop.ok("conversations.list", json!({ "limit": 3 })).await;
    assert_eq!(first["channels"].as_array().map(Vec::len), Some(3));
    let cursor = first["response_metadata"]["next_cursor"].clone();
    let second = shop.ok("conversations.list", json!({ "limit": 3, "cursor": cursor })).await;
    assert_eq!(second["channels"].as_array().map(Vec::len), Some(1));
    assert_eq!(second["response_metadata"]["next_cursor"], "");
    assert_eq!(shop.error("conversations.list", json!({ "cursor": "nonsense" })).await, "invalid_cursor");
    assert_eq!(shop.error("conversations.list", json!({ "types": "everything" })).await, "invalid_types");
}

#[tokio::test]
async fn a_renamed_channel_keeps_its_id_and_tells_the_app() {
    let shop = Shop::open().await;
    let id = shop.ok("conversations.create", json!({ "name": "inc-1" })).await["channel"]["id"].clone();
    let renamed = shop.ok("conversations.rename", json!({ "channel": id, "name": "inc-1-slow" })).await;
    assert_eq!(renamed["channel"]["id"], id);
    assert_eq!(shop.error("conversations.rename", json!({ "channel": id, "name": "general" })).await, "name_taken");
    assert_eq!(
        shop.error("conversations.rename", json!({ "channel": SHOP_OPS, "name": "ops" })).await,
        "not_authorized"
    );
    shop.quiet().await;
    assert_eq!(shop.app.events("channel_rename")[0]["channel"]["name"], "inc-1-slow");
}

#[tokio::test]
async fn a_direct_message_is_opened_once() {
    let shop = Shop::open().await;
    let first = shop.ok("conversations.open", json!({ "users": BEN })).await;
    let again = shop.ok("conversations.open", json!({ "users": BEN })).await;
    assert_eq!(first["channel"]["id"], again["channel"]["id"]);
    assert_eq!(again["already_open"], true);
    assert_eq!(shop.error("conversations.open", json!({ "users": GONE })).await, "user_disabled");
    let group = shop.ok("conversations.open", json!({ "users": format!("{ANA},{BEN}") })).await;
    assert_eq!(group["channel"]["is_mpim"], true);
    let posted = shop.ok("chat.postMessage", json!({ "channel": BEN, "text": "hi" })).await;
    assert_eq!(posted["channel"], first["channel"]["id"], "posting to a person is posting to that direct message");
}

#[tokio::test]
async fn what_is_not_granted_is_missing_scope_with_both_lists() {
    let mut fixture = Workspace::demo();
    fixture.app.scopes = vec!["channels:read".to_owned(), "chat:write".to_owned()];
    let shop = Shop::with(SandboxConfig { fixture, rate_limits: false, ..SandboxConfig::default() }).await;
    let refused = shop.call("conversations.create", json!({ "name": "x" })).await;
    assert_eq!(refused["error"], "missing_scope");
    assert_eq!(refused["provided"], "channels:read,chat:write");
    assert!(refused["needed"].as_str().expect("needed").contains("channels:manage"));
    let kinds = shop.call("conversations.list", json!({ "types": "private_channel" })).await;
    assert_eq!(kinds["needed"], "groups:read");
    let made = shop.does(ANA, Act::CreateChannel { name: "ours".to_owned(), private: false }).await;
    let elsewhere = json!({ "channel": made["channel"], "text": "x" });
    assert_eq!(shop.error("chat.postMessage", elsewhere).await, "not_in_channel", "chat:write.public is not granted");
}

#[tokio::test]
async fn an_org_wide_install_must_name_the_workspace() {
    let mut fixture = Workspace::demo();
    fixture.team.enterprise =
        Some(firebell::sandbox::Enterprise { id: "E0SHOPS".to_owned(), name: "Shops".to_owned() });
    let shop = Shop::with(SandboxConfig { fixture, rate_limits: false, ..SandboxConfig::default() }).await;
    assert_eq!(shop.error("conversations.create", json!({ "name": "x" })).await, "missing_argument");
    shop.ok("conversations.create", json!({ "name": "x", "team_id": "T0SHOPFRNT" })).await;
    let installed = shop.ok("oauth.v2.access", json!({ "code": "1" })).await;
    assert!(installed["team"].is_null());
    assert_eq!(installed["is_enterprise_install"], true);
}
