//! Every limit once below and once above.

use serde_json::{Value, json};

use super::*;

fn plain(length: usize) -> Value {
    json!({ "type": "plain_text", "text": "x".repeat(length) })
}

fn message(block: &Value) -> Vec<String> {
    check_blocks(&json!([block]), Surface::Message, "/blocks")
}

/// Both sides of a limit: the block built with `max` passes, with one more it is refused at `pointer`.
fn limit(max: usize, pointer: &str, block: impl Fn(usize) -> Value) {
    assert_eq!(message(&block(max)), Vec::<String>::new());
    let errors = message(&block(max + 1));
    assert!(errors.iter().any(|error| error.ends_with(&format!("[json-pointer:{pointer}]"))), "{errors:?}");
}

fn option(text: usize, value: usize) -> Value {
    json!({ "text": plain(text), "value": "v".repeat(value) })
}

fn actions(element: &Value) -> Value {
    json!({ "type": "actions", "elements": [element] })
}

#[test]
fn a_message_has_at_most_fifty_blocks_and_a_view_a_hundred() {
    let dividers = |n: usize| Value::Array(vec![json!({ "type": "divider" }); n]);
    assert!(check_blocks(&dividers(50), Surface::Message, "/blocks").is_empty());
    assert_eq!(
        check_blocks(&dividers(51), Surface::Message, "/blocks"),
        ["no more than 50 items allowed [json-pointer:/blocks]"]
    );
    assert!(check_blocks(&dividers(100), Surface::Home, "/blocks").is_empty());
    assert_eq!(check_blocks(&dividers(101), Surface::Modal, "/blocks").len(), 1);
}

#[test]
fn texts_have_limits_in_code_points() {
    limit(
        3000,
        "/blocks/0/text/text",
        |n| json!({ "type": "section", "text": { "type": "mrkdwn", "text": "ü".repeat(n) } }),
    );
    limit(2000, "/blocks/0/fields/0/text", |n| json!({ "type": "section", "fields": [plain(n)] }));
    limit(10, "/blocks/0/fields", |n| json!({ "type": "section", "fields": vec![plain(1); n] }));
    limit(150, "/blocks/0/text/text", |n| json!({ "type": "header", "text": plain(n) }));
    limit(10, "/blocks/0/elements", |n| json!({ "type": "context", "elements": vec![plain(1); n] }));
    limit(12_000, "/blocks/0/text", |n| json!({ "type": "markdown", "text": "x".repeat(n) }));
    limit(255, "/blocks/0/block_id", |n| json!({ "type": "divider", "block_id": "x".repeat(n) }));
    limit(
        2000,
        "/blocks/0/alt_text",
        |n| json!({ "type": "image", "image_url": "https://a", "alt_text": "x".repeat(n) }),
    );
}

#[test]
fn buttons_have_limits() {
    limit(75, "/blocks/0/elements/0/text/text", |n| actions(&json!({ "type": "button", "text": plain(n) })));
    limit(2000, "/blocks/0/elements/0/value", |n| {
        actions(&json!({ "type": "button", "text": plain(1), "value": "x".repeat(n) }))
    });
    limit(3000, "/blocks/0/elements/0/url", |n| {
        actions(&json!({ "type": "button", "text": plain(1), "url": "x".repeat(n) }))
    });
    limit(255, "/blocks/0/elements/0/action_id", |n| {
        actions(&json!({ "type": "button", "text": plain(1), "action_id": "x".repeat(n) }))
    });
    limit(
        25,
        "/blocks/0/elements",
        |n| json!({ "type": "actions", "elements": vec![json!({ "type": "button", "text": plain(1) }); n] }),
    );
    let confirm = |title, text, button| json!({ "title": plain(title), "text": plain(text), "confirm": plain(button), "deny": plain(1) });
    for (place, max, build) in [
        ("title", 100, Box::new(|n| confirm(n, 1, 1)) as Box<dyn Fn(usize) -> Value>),
        ("text", 300, Box::new(move |n| confirm(1, n, 1))),
        ("confirm", 30, Box::new(move |n| confirm(1, 1, n))),
    ] {
        limit(max, &format!("/blocks/0/elements/0/confirm/{place}/text"), |n| {
            actions(&json!({ "type": "button", "text": plain(1), "confirm": build(n) }))
        });
    }
}

#[test]
fn menus_have_limits() {
    let select = |options: Vec<Value>| actions(&json!({ "type": "static_select", "options": options }));
    limit(100, "/blocks/0/elements/0/options", |n| select(vec![option(1, 1); n]));
    limit(75, "/blocks/0/elements/0/options/0/text/text", |n| select(vec![option(n, 1)]));
    limit(150, "/blocks/0/elements/0/options/0/value", |n| select(vec![option(1, n)]));
    limit(5, "/blocks/0/elements/0/options", |n| {
        actions(&json!({ "type": "overflow", "options": vec![option(1, 1); n] }))
    });
    limit(10, "/blocks/0/elements/0/options", |n| {
        actions(&json!({ "type": "checkboxes", "options": vec![option(1, 1); n] }))
    });
    limit(150, "/blocks/0/elements/0/placeholder/text", |n| {
        actions(&json!({ "type": "users_select", "placeholder": plain(n) }))
    });
    assert_eq!(message(&select(Vec::new())).len(), 1);
    let strange = json!({ "type": "static_select", "options": [option(1, 1)], "initial_option": option(2, 2) });
    assert_eq!(
        message(&actions(&strange)),
        ["must be one of the provided options [json-pointer:/blocks/0/elements/0/initial_option]"]
    );
}

#[test]
fn shapes_that_slack_does_not_know_are_refused() {
    assert_eq!(message(&json!({ "type": "section" })).len(), 1, "needs text or fields");
    assert_eq!(
        message(&json!({ "type": "header", "text": { "type": "mrkdwn", "text": "x" } })).len(),
        1,
        "header is plain"
    );
    assert_eq!(message(&json!({ "type": "sectoin" })).len(), 1);
    assert_eq!(message(&actions(&json!({ "type": "multi_users_select" }))).len(), 1, "multi menus are no actions");
    assert_eq!(message(&json!({ "type": "actions", "elements": [] })).len(), 1);
    let twice = json!([{ "type": "divider", "block_id": "a" }, { "type": "divider", "block_id": "a" }]);
    assert_eq!(check_blocks(&twice, Surface::Message, "/blocks").len(), 1);
    assert_eq!(check_blocks(&json!({}), Surface::Message, "/blocks"), ["must be an array [json-pointer:/blocks]"]);
    assert_eq!(check_attachments(&Value::Array(vec![json!({}); 101])).len(), 1);
}

fn modal(title: usize) -> Value {
    json!({ "type": "modal", "title": plain(title), "blocks": [] })
}

#[test]
fn a_modal_has_limits() {
    assert_eq!(check_view(&modal(24), Surface::Modal), Ok(()));
    assert!(matches!(check_view(&modal(25), Surface::Modal), Err(ViewProblem::Mistakes(errors)) if errors.len() == 1));
    let mut view = modal(1);
    view["private_metadata"] = json!("x".repeat(3001));
    view["callback_id"] = json!("x".repeat(256));
    assert!(matches!(check_view(&view, Surface::Modal), Err(ViewProblem::Mistakes(errors)) if errors.len() == 2));
    let mut input = modal(1);
    input["blocks"] =
        json!([{ "type": "input", "label": plain(1), "element": { "type": "plain_text_input", "max_length": 3000 } }]);
    assert!(check_view(&input, Surface::Modal).is_err(), "input needs submit");
    input["submit"] = plain(24);
    assert_eq!(check_view(&input, Surface::Modal), Ok(()));
    input["blocks"][0]["element"]["max_length"] = json!(3001);
    assert!(check_view(&input, Surface::Modal).is_err());
    assert!(check_view(&modal(1), Surface::Home).is_err(), "a modal is no home tab");
    assert_eq!(check_view(&json!({ "type": "home", "blocks": [] }), Surface::Home), Ok(()));
    let mut large = modal(1);
    large["blocks"] = Value::Array(vec![json!({ "type": "section", "text": plain(3000) }); 90]);
    assert_eq!(check_view(&large, Surface::Modal), Err(ViewProblem::TooLarge));
}
