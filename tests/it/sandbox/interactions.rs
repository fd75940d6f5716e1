//! Commands, buttons, menus, modals and home tabs, from the press to the app's answer.

use chrono::TimeDelta;
use firebell::clock::Clock;
use firebell::sandbox::{Act, ChannelKind, Container, SandboxConfig, Workspace};
use serde_json::{Map, Value, json};
use slack_morphism::signature_verifier::SlackEventSignatureVerifier;

use super::support::*;

fn modal(title: &str) -> Value {
    json!({ "type": "modal", "title": plain(title), "submit": plain("Go"), "callback_id": "form", "notify_on_close": true,
        "private_metadata": "secret", "blocks": [
            { "type": "input", "block_id": "what", "label": plain("What"), "element": { "type": "plain_text_input", "action_id": "text" } },
            { "type": "input", "block_id": "who", "optional": true, "label": plain("Who"), "element": { "type": "users_select", "action_id": "user" } },
        ] })
}

/// Has `who` run a command and returns the trigger the app got.
async fn trigger(shop: &Shop, who: &str) -> String {
    shop.types(who, SHOP_OPS, "/incident").await;
    shop.app.last("commands").payload["trigger_id"].as_str().expect("a trigger").to_owned()
}

async fn opens(shop: &Shop, who: &str, title: &str) -> String {
    let trigger = trigger(shop, who).await;
    let opened = shop.ok("views.open", json!({ "trigger_id": trigger, "view": modal(title) })).await;
    opened["view"]["id"].as_str().expect("an id").to_owned()
}

fn press(ts: &str, action_id: &str) -> Act {
    Act::Action {
        container: Container::Message { channel: SHOP_OPS.to_owned(), ts: ts.to_owned() },
        block_id: "buttons".to_owned(),
        action_id: action_id.to_owned(),
        action: Map::new(),
        state: None,
    }
}

fn submit(view_id: &str, text: &str) -> Act {
    let values = json!({ "what": { "text": { "type": "plain_text_input", "value": text } } });
    Act::Submit { view_id: view_id.to_owned(), values }
}

#[tokio::test]
async fn a_command_is_a_signed_form_with_escaped_text() {
    let mut fixture = Workspace::demo();
    fixture.channels[3].kind = ChannelKind::Private;
    let shop = Shop::with(SandboxConfig { fixture, rate_limits: false, ..SandboxConfig::default() }).await;
    shop.app.answers("commands", &json!({ "text": "Opened INC-1." }));
    let seen = shop.types(ANA, SHOP_OPS, "/incident open a < b for @ben in #alerts").await;
    assert_eq!(seen["status"], 200);
    let got = shop.app.last("commands");
    assert_eq!(got.payload["command"], "/incident");
    assert_eq!(got.payload["text"], "open a &lt; b for <@U0BEN00001|ben> in <#C0ALERTS01|>");
    assert_eq!(got.payload["channel_name"], "shop-ops");
    assert_eq!(got.payload["user_name"], "ana");
    assert_eq!(got.payload["is_enterprise_install"], "false");
    let timestamp = got.header("x-slack-request-timestamp").expect("a time").to_owned();
    assert_eq!(timestamp, start_at().timestamp().to_string());
    assert_eq!(shop.texts(ANA, SHOP_OPS), ["Opened INC-1."]);
    assert!(shop.texts(BEN, SHOP_OPS).is_empty(), "an answer is for the one who asked");
}

#[tokio::test]
async fn requests_are_signed_as_the_usual_verifier_expects() {
    let shop = Shop::by(Clock::System, SandboxConfig::default()).await;
    let verifier = SlackEventSignatureVerifier::new(&SECRET.to_owned().into());
    shop.types(ANA, SHOP_OPS, "/incident open ü").await;
    shop.writes(ANA, SHOP_OPS, "hello").await;
    shop.quiet().await;
    for route in ["commands", "events"] {
        let got = shop.app.last(route);
        let header = |name: &str| got.header(name).expect("signed").to_owned();
        let (signature, time) = (header("x-slack-signature"), header("x-slack-request-timestamp"));
        assert!(verifier.verify(&signature, &got.raw, &time).is_ok(), "{route}");
    }
}

#[tokio::test]
async fn a_public_answer_shows_what_was_typed() {
    let shop = Shop::open().await;
    shop.app.answers("commands", &json!({ "response_type": "in_channel", "text": "Here." }));
    shop.types(ANA, SHOP_OPS, "/incident list").await;
    assert_eq!(shop.texts(BEN, SHOP_OPS), ["/incident list", "Here."]);
    shop.app.answers_with("commands", 200, &[], "just words");
    shop.types(ANA, SHOP_OPS, "/incident list").await;
    assert_eq!(shop.texts(ANA, SHOP_OPS).last().map(String::as_str), Some("just words"));
}

#[tokio::test]
async fn a_dead_app_and_an_unknown_command_are_told_in_slacks_name() {
    let shop = Shop::open().await;
    shop.app.answers_with("commands", 500, &[], "");
    let seen = shop.types(ANA, SHOP_OPS, "/incident list").await;
    assert_eq!(seen["error_code"], "http_service_error");
    assert_eq!(shop.texts(ANA, SHOP_OPS), ["/incident failed with the error \"http_service_error\""]);
    shop.slack.set_delivery(firebell::sandbox::Delivery::Off);
    let seen = shop.types(ANA, SHOP_OPS, "/incident list").await;
    assert_eq!(seen["error_code"], "dispatch_failed");
    let refused = shop.slack.act(ANA, Act::Command { channel: SHOP_OPS.to_owned(), text: "/nope".to_owned() }).await;
    assert!(refused.expect_err("unknown").to_string().starts_with("/nope is not a command"));
    assert_eq!(shop.app.took("commands").len(), 1, "a command is never tried again");
}

#[tokio::test]
async fn a_response_url_works_five_times_within_thirty_minutes() {
    let shop = Shop::open().await;
    shop.types(ANA, SHOP_OPS, "/incident list").await;
    let url = shop.app.last("commands").payload["response_url"].as_str().expect("an address").to_owned();
    let send = |text: &str| shop.http.post(&url).json(&json!({ "text": text })).send();
    for n in 0..5 {
        let sent = send(&format!("{n}")).await.expect("an answer");
        assert_eq!(sent.text().await.expect("text"), "ok");
    }
    let sixth = send("6").await.expect("an answer");
    assert_eq!(sixth.status(), 404);
    assert_eq!(sixth.json::<Value>().await.expect("JSON")["error"], "used_url");
    shop.types(ANA, SHOP_OPS, "/incident list").await;
    let url = shop.app.last("commands").payload["response_url"].as_str().expect("an address").to_owned();
    shop.forward(TimeDelta::minutes(31));
    let late = shop.http.post(&url).json(&json!({ "text": "late" })).send().await.expect("an answer");
    assert_eq!(late.json::<Value>().await.expect("JSON")["error"], "expired_url");
    assert_eq!(shop.texts(ANA, SHOP_OPS), ["0", "1", "2", "3", "4"]);
}

#[tokio::test]
async fn a_trigger_lives_three_seconds_and_is_used_once() {
    let shop = Shop::open().await;
    let first = trigger(&shop, ANA).await;
    shop.forward(TimeDelta::seconds(3));
    let open = |trigger: &str| json!({ "trigger_id": trigger, "view": modal("x") });
    shop.ok("views.open", open(&first)).await;
    assert_eq!(shop.error("views.open", open(&first)).await, "exchanged_trigger_id");
    let second = trigger(&shop, ANA).await;
    shop.forward(TimeDelta::milliseconds(3001));
    assert_eq!(shop.error("views.open", open(&second)).await, "expired_trigger_id");
    assert_eq!(shop.error("views.open", open("nonsense")).await, "invalid_trigger_id");
}

#[tokio::test]
async fn a_button_says_what_was_pressed_and_where() {
    let shop = Shop::open().await;
    let posted =
        shop.ok("chat.postMessage", json!({ "channel": SHOP_OPS, "text": "x", "blocks": button("ack", "42:1") })).await;
    let ts = posted["ts"].as_str().expect("ts");
    let seen = shop.does(BEN, press(ts, "ack")).await;
    assert_eq!(seen["delivered"], true);
    let payload = shop.app.last("interactions").payload;
    assert_eq!(payload["type"], "block_actions");
    assert_eq!(payload["user"]["id"], BEN);
    assert_eq!(payload["team"]["id"], "T0SHOPFRNT");
    assert_eq!(
        payload["container"],
        json!({ "type": "message", "message_ts": ts, "channel_id": SHOP_OPS, "is_ephemeral": false })
    );
    assert_eq!(payload["actions"][0]["value"], "42:1");
    assert_eq!(payload["actions"][0]["block_id"], "buttons");
    assert_eq!(payload["message"]["ts"], ts);
    assert_eq!(payload["channel"], json!({ "id": SHOP_OPS, "name": "shop-ops" }));
    let url = payload["response_url"].as_str().expect("an address");
    let replace = json!({ "replace_original": true, "text": "Ben has it." });
    assert_eq!(shop.http.post(url).json(&replace).send().await.expect("an answer").status(), 200);
    assert_eq!(shop.texts(ANA, SHOP_OPS), ["Ben has it."]);
    let gone = shop.slack.act(BEN, press(ts, "ack")).await.expect_err("the button is gone");
    assert!(gone.to_string().contains("nothing to press"));
}

#[tokio::test]
async fn a_failed_press_is_shown_to_the_person_only() {
    let shop = Shop::open().await;
    let posted =
        shop.ok("chat.postMessage", json!({ "channel": SHOP_OPS, "text": "x", "blocks": button("ack", "1") })).await;
    shop.app.answers_with("interactions", 503, &[], "");
    let seen = shop.does(BEN, press(posted["ts"].as_str().expect("ts"), "ack")).await;
    assert_eq!(seen["delivered"], false);
    assert_eq!(shop.app.took("interactions").len(), 1, "an interaction is never tried again");
}

#[tokio::test]
async fn a_menu_keeps_to_its_options() {
    let shop = Shop::open().await;
    let option = |value: &str| json!({ "text": plain(value), "value": value });
    let blocks = json!([{ "type": "actions", "block_id": "buttons", "elements": [
        { "type": "static_select", "action_id": "team", "options": [option("db"), option("dev")] },
        { "type": "users_select", "action_id": "person" },
    ] }]);
    let posted = shop.ok("chat.postMessage", json!({ "channel": SHOP_OPS, "text": "x", "blocks": blocks })).await;
    let ts = posted["ts"].as_str().expect("ts");
    let choose = |action_id: &str, action: Value| {
        let Act::Action { container, block_id, .. } = press(ts, action_id) else { unreachable!("a press") };
        let action = action.as_object().cloned().unwrap_or_default();
        Act::Action { container, block_id, action_id: action_id.to_owned(), action, state: None }
    };
    shop.does(BEN, choose("team", json!({ "selected_option": option("db") }))).await;
    let payload = shop.app.last("interactions").payload;
    assert_eq!(payload["actions"][0]["selected_option"]["value"], "db");
    assert_eq!(payload["state"]["values"]["buttons"]["team"]["selected_option"]["value"], "db");
    shop.slack.act(BEN, choose("team", json!({ "selected_option": option("sales") }))).await.expect_err("not offered");
    shop.does(BEN, choose("person", json!({ "selected_user": DANA }))).await;
    assert_eq!(shop.app.last("interactions").payload["actions"][0]["selected_user"], DANA);
}

#[tokio::test]
async fn a_form_is_checked_by_the_client_before_the_app_is_asked() {
    let shop = Shop::open().await;
    let view = opens(&shop, ANA, "Open").await;
    let refused = shop.does(ANA, submit(&view, "")).await;
    assert_eq!(refused["errors"]["what"], "Please complete this required field.");
    assert!(shop.app.took("interactions").is_empty());
    shop.does(ANA, submit(&view, "db is down")).await;
    let payload = shop.app.last("interactions").payload;
    assert_eq!(payload["type"], "view_submission");
    assert_eq!(payload["view"]["private_metadata"], "secret");
    assert_eq!(
        payload["view"]["state"]["values"]["what"]["text"],
        json!({ "type": "plain_text_input", "value": "db is down" })
    );
    assert_eq!(
        payload["view"]["state"]["values"]["who"]["user"],
        json!({ "type": "users_select", "selected_user": null })
    );
    assert_eq!(shop.slack.views(ANA)["stack"], json!([]), "an empty answer closes the form");
}

#[tokio::test]
async fn the_app_answers_a_form_with_errors_update_push_or_clear() {
    let shop = Shop::open().await;
    let view = opens(&shop, ANA, "One").await;
    shop.app.answers("interactions", &json!({ "response_action": "errors", "errors": { "what": "Too vague." } }));
    let seen = shop.does(ANA, submit(&view, "x")).await;
    assert_eq!(seen["errors"]["what"], "Too vague.");
    assert_eq!(
        shop.slack.views(ANA)["stack"][0]["state"]["values"]["what"]["text"]["value"],
        "x",
        "what was typed stays"
    );
    shop.app.answers("interactions", &json!({ "response_action": "push", "view": modal("Two") }));
    shop.does(ANA, submit(&view, "x")).await;
    let stack = shop.slack.views(ANA)["stack"].clone();
    assert_eq!(stack[1]["title"]["text"], "Two");
    assert_eq!(stack[1]["previous_view_id"], view.as_str());
    assert_eq!(stack[1]["root_view_id"], view.as_str());
    let second = stack[1]["id"].as_str().expect("id").to_owned();
    shop.app.answers("interactions", &json!({ "response_action": "update", "view": modal("Three") }));
    shop.does(ANA, submit(&second, "x")).await;
    assert_eq!(shop.slack.views(ANA)["stack"][1]["title"]["text"], "Three");
    shop.app.answers("interactions", &json!({ "response_action": "clear" }));
    shop.does(ANA, submit(&second, "x")).await;
    assert_eq!(shop.slack.views(ANA)["stack"], json!([]));
    assert!(shop.slack.complaints().is_empty());
}

#[tokio::test]
async fn errors_must_name_inputs() {
    let shop = Shop::open().await;
    let view = opens(&shop, ANA, "One").await;
    shop.app.answers("interactions", &json!({ "response_action": "errors", "errors": { "nowhere": "?" } }));
    let seen = shop.does(ANA, submit(&view, "x")).await;
    assert_eq!(seen["shown"], "We had some trouble connecting. Try again?");
    assert_eq!(shop.slack.complaints(), ["errors of a view_submission must name blocks of type input"]);
}

#[tokio::test]
async fn at_most_three_forms_lie_on_each_other() {
    let shop = Shop::open().await;
    let mut top = opens(&shop, ANA, "1").await;
    for title in ["2", "3"] {
        shop.app.answers("interactions", &json!({ "response_action": "push", "view": modal(title) }));
        shop.does(ANA, submit(&top, "x")).await;
        let stack = shop.slack.views(ANA)["stack"].clone();
        top = stack.as_array().and_then(|stack| stack.last()).expect("a view")["id"].as_str().expect("id").to_owned();
    }
    shop.app.answers("interactions", &json!({ "response_action": "push", "view": modal("4") }));
    let seen = shop.does(ANA, submit(&top, "x")).await;
    assert_eq!(seen["error_code"], "push_limit_reached");
    assert_eq!(shop.slack.views(ANA)["stack"].as_array().map(Vec::len), Some(3));
    let buried = shop.slack.act(ANA, submit("V0S0000001", "x")).await.expect_err("not on top");
    assert_eq!(buried.to_string(), "That view is not the one on top.");
}

#[tokio::test]
async fn closing_a_form_is_told_if_wished() {
    let shop = Shop::open().await;
    let view = opens(&shop, ANA, "One").await;
    shop.does(ANA, Act::Close { view_id: view.clone() }).await;
    let payload = shop.app.last("interactions").payload;
    assert_eq!(payload["type"], "view_closed");
    assert_eq!(payload["is_cleared"], false);
    assert_eq!(shop.error("views.update", json!({ "view_id": view, "view": modal("x") })).await, "not_found");
}

#[tokio::test]
async fn an_update_respects_hash_and_keeps_what_was_typed() {
    let shop = Shop::open().await;
    let view = opens(&shop, ANA, "One").await;
    shop.app.answers("interactions", &json!({ "response_action": "errors", "errors": { "what": "More." } }));
    shop.does(ANA, submit(&view, "typed")).await;
    let hash = shop.slack.views(ANA)["stack"][0]["hash"].clone();
    let update = |hash: &Value| json!({ "view_id": view, "hash": hash, "view": modal("Two") });
    shop.ok("views.update", update(&hash)).await;
    assert_eq!(shop.error("views.update", update(&hash)).await, "hash_conflict");
    assert_eq!(shop.slack.views(ANA)["stack"][0]["state"]["values"]["what"]["text"]["value"], "typed");
}

#[tokio::test]
async fn an_external_id_is_unique_in_the_workspace() {
    let shop = Shop::open().await;
    let mut view = modal("One");
    view["external_id"] = json!("mine");
    let first = trigger(&shop, ANA).await;
    shop.ok("views.open", json!({ "trigger_id": first, "view": view })).await;
    let second = trigger(&shop, BEN).await;
    assert_eq!(shop.error("views.open", json!({ "trigger_id": second, "view": view })).await, "duplicate_external_id");
    shop.ok("views.update", json!({ "external_id": "mine", "view": view })).await;
    let refused =
        shop.call("views.update", json!({ "external_id": "mine", "view": { "type": "modal", "blocks": [] } })).await;
    assert_eq!(refused["error"], "invalid_arguments");
    assert!(refused["response_metadata"]["messages"][0].as_str().expect("why").contains("/view/title"));
}

#[tokio::test]
async fn a_home_tab_is_published_per_person() {
    let shop = Shop::open().await;
    shop.does(ANA, Act::OpenHome {}).await;
    shop.quiet().await;
    let opened = &shop.app.events("app_home_opened")[0];
    assert_eq!(opened["user"], ANA);
    assert_eq!(opened["tab"], "home");
    let home = json!({ "type": "home", "blocks": button("open", "1") });
    let published = shop.ok("views.publish", json!({ "user_id": ANA, "view": home })).await;
    let stale = json!({ "user_id": ANA, "view": home, "hash": "stale" });
    assert_eq!(shop.error("views.publish", stale).await, "hash_conflict");
    let act = Act::Action {
        container: Container::Home,
        block_id: "buttons".to_owned(),
        action_id: "open".to_owned(),
        action: Map::new(),
        state: None,
    };
    shop.does(ANA, act).await;
    let payload = shop.app.last("interactions").payload;
    assert_eq!(payload["container"]["type"], "view");
    assert_eq!(payload["view"]["id"], published["view"]["id"]);
    assert!(shop.slack.home(BEN)["view"].is_null());
}

#[tokio::test]
async fn shortcuts_come_with_or_without_a_message() {
    let shop = Shop::open().await;
    let ts = shop.writes(BEN, SHOP_OPS, "look here").await;
    let on_message = Act::Shortcut {
        callback_id: "add_to_timeline".to_owned(),
        channel: Some(SHOP_OPS.to_owned()),
        ts: Some(ts.clone()),
    };
    shop.does(ANA, on_message).await;
    let payload = shop.app.last("interactions").payload;
    assert_eq!(payload["type"], "message_action");
    assert_eq!(payload["message"]["text"], "look here");
    assert_eq!(payload["message_ts"], ts.as_str());
    assert!(payload["response_url"].is_string());
    shop.does(ANA, Act::Shortcut { callback_id: "open_incident".to_owned(), channel: None, ts: None }).await;
    let payload = shop.app.last("interactions").payload;
    assert_eq!(payload["type"], "shortcut");
    assert!(payload.get("channel").is_none() && payload.get("response_url").is_none());
}

#[tokio::test]
async fn the_app_supplies_the_options_of_an_external_menu() {
    let shop = Shop::open().await;
    let blocks = json!([{ "type": "actions", "block_id": "buttons", "elements": [{ "type": "external_select", "action_id": "team" }] }]);
    let posted = shop.ok("chat.postMessage", json!({ "channel": SHOP_OPS, "text": "x", "blocks": blocks })).await;
    let ask = Act::Options {
        container: Container::Message {
            channel: SHOP_OPS.to_owned(),
            ts: posted["ts"].as_str().expect("ts").to_owned(),
        },
        block_id: "buttons".to_owned(),
        action_id: "team".to_owned(),
        value: "da".to_owned(),
    };
    shop.app.answers("interactions", &json!({ "options": [{ "text": plain("Database"), "value": "db" }] }));
    let offered = shop.does(ANA, ask.clone()).await;
    assert_eq!(offered["options"][0]["value"], "db");
    assert_eq!(shop.app.last("interactions").payload["type"], "block_suggestion");
    assert_eq!(shop.app.last("interactions").payload["value"], "da");
    shop.app.answers("interactions", &json!({ "options": vec![json!({ "text": plain("x"), "value": "x" }); 101] }));
    assert_eq!(shop.does(ANA, ask).await["options"], json!([]));
}
