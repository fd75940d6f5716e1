use std::collections::BTreeSet;

use serde_json::Value;

use super::*;

fn http() -> Transport {
    Transport::Http { url: "https://firebell.example.com".to_owned() }
}

#[test]
fn the_file_at_the_top_is_what_the_code_says() {
    let file = include_str!("../../app-manifest.yml");
    assert_eq!(file, yaml(&Transport::Socket), "write it anew: firebell manifest > app-manifest.yml");
}

#[test]
fn over_http_every_address_is_given_and_socket_mode_is_off() {
    insta::assert_snapshot!(yaml(&http()));
}

/// Slack's limits, as its documentation gives them.
#[test]
fn names_and_texts_keep_to_the_limits_of_slack() {
    let within = |text: &str, most: usize| (1..=most).contains(&text.chars().count());
    assert!(within(NAME, 35) && within(DESCRIPTION, 140));
    assert!((175..=4000).contains(&LONG_DESCRIPTION.chars().count()));
    assert!(BACKGROUND_COLOR.len() == 7 && BACKGROUND_COLOR.starts_with('#'));
    assert!((1..=10).contains(&SHORTCUTS.len()) && (1..=50).contains(&COMMANDS.len()));
    for shortcut in SHORTCUTS {
        assert!(within(shortcut.name, 24) && within(shortcut.callback_id, 255) && within(shortcut.description, 150));
    }
    for command in COMMANDS {
        assert!(within(command.command, 32) && command.command.starts_with('/'));
        assert!(within(command.description, 2000) && within(command.usage_hint, 1000));
    }
    assert!(BOT_EVENTS.len() <= 100 && BOT_SCOPES.len() <= 255);
    for name in BOT_EVENTS.iter().chain(BOT_SCOPES.iter().map(|(scope, _)| scope)) {
        assert!(within(name, 50), "{name}");
    }
}

#[test]
fn nothing_stands_twice_and_everything_is_in_order() {
    let callbacks: BTreeSet<_> = SHORTCUTS.iter().map(|shortcut| shortcut.callback_id).collect();
    assert_eq!(callbacks.len(), SHORTCUTS.len());
    assert!(BOT_EVENTS.is_sorted_by(|a, b| a < b));
    assert!(BOT_SCOPES.is_sorted_by(|(a, _), (b, _)| a < b));
}

/// What must be granted so that Slack delivers an event.
#[test]
fn every_event_has_a_scope_that_lets_it_through() {
    for event in BOT_EVENTS {
        let scope = match *event {
            "app_mention" => "app_mentions:read",
            "message.channels" => "channels:history",
            "message.groups" => "groups:history",
            "reaction_added" | "reaction_removed" => "reactions:read",
            "user_change" | "team_join" => "users:read",
            event if event.starts_with("channel_") => "channels:read",
            event if event.starts_with("group_") => "groups:read",
            event if event.starts_with("subteam_") => "usergroups:read",
            "app_home_opened" | "app_uninstalled" | "tokens_revoked" => continue,
            other => panic!("which scope does {other} need?"),
        };
        assert!(BOT_SCOPES.iter().any(|(granted, _)| *granted == scope), "{event} needs {scope}");
    }
}

#[test]
fn yaml_quotes_what_would_be_read_as_something_else() {
    for text in [
        "", "#8c1d18", "yes", "No", "a: b", "a # b", "- a", "a:", "5", "a | b", "\"x\"", "[x]", "*x", "&x", "{x", "@x",
        " x", "x ",
    ] {
        let written = scalar_text(&Node::text(text));
        assert!(written.starts_with('"') && written.ends_with('"'), "{text:?} became {written}");
    }
    assert_eq!(scalar_text(&Node::text("a \"b\" \\ c")), "\"a \\\"b\\\" \\\\ c\"");
    assert_eq!(scalar_text(&Node::text("chat:write.public")), "chat:write.public");
    assert_eq!(scalar_text(&Node::text("/incident")), "/incident");
}

/// The folder with Slack's own schema, if this machine has one; the check is left out otherwise, saying so.
fn reference(file: &str) -> Option<Value> {
    let Some(folder) = std::env::var_os("FIREBELL_SLACK_PAYLOADS") else {
        eprintln!("left out: FIREBELL_SLACK_PAYLOADS does not name a folder");
        return None;
    };
    let text = std::fs::read_to_string(std::path::Path::new(&folder).join(file)).expect("the folder holds the file");
    Some(serde_json::from_str(&text).expect("JSON"))
}

#[test]
fn the_manifest_fits_the_schema_of_slack() {
    let Some(schema) = reference("manifest.schema.2.0.0.json") else { return };
    for transport in [Transport::Socket, http()] {
        let mut faults = Vec::new();
        walk(&schema, &schema, &manifest(&transport).to_json(), "manifest", &mut faults);
        assert!(faults.is_empty(), "{faults:#?}");
    }
}

#[test]
fn the_walk_through_a_schema_finds_faults() {
    let schema = serde_json::json!({
        "type": "object", "required": ["a"], "additionalProperties": false,
        "properties": {
            "a": {"type": "string", "maxLength": 2, "pattern": "^\\/"},
            "b": {"$ref": "#/definitions/list"},
        },
        "definitions": {"list": {"type": "array", "maxItems": 1, "uniqueItems": true, "items": {"enum": ["x"]}}},
    });
    for (value, count) in [
        (serde_json::json!({"a": "/b"}), 0),
        (serde_json::json!({"a": "/bc"}), 1),
        (serde_json::json!({"a": "bc"}), 1),
        (serde_json::json!({"b": ["x"]}), 1),
        (serde_json::json!({"a": "/b", "b": ["y"]}), 1),
        (serde_json::json!({"a": "/b", "b": ["x", "x"]}), 2),
        (serde_json::json!({"a": "/b", "c": 1}), 1),
        (serde_json::json!([]), 1),
    ] {
        let mut faults = Vec::new();
        walk(&schema, &schema, &value, "it", &mut faults);
        assert_eq!(faults.len(), count, "{value}: {faults:?}");
    }
}

/// Follows a JSON schema as far as Slack's uses it.
fn walk(root: &Value, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = root.pointer(&reference[1..]).expect("the reference leads somewhere");
        return walk(root, target, value, at, faults);
    }
    let mut fault = |what: String| faults.push(format!("{at}: {what}"));
    let fits = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_u64() || value.is_i64(),
        Some(other) => panic!("the schema uses the type {other}"),
        None => true,
    };
    if !fits {
        return fault(format!("{value} is not of the type {}", schema["type"]));
    }
    let bound = |key: &str| schema[key].as_u64().map(|bound| usize::try_from(bound).expect("small"));
    if let Some(text) = value.as_str() {
        let length = text.chars().count();
        if bound("maxLength").is_some_and(|most| length > most)
            || bound("minLength").is_some_and(|least| length < least)
        {
            fault(format!("{length} characters"));
        }
        let begins = match schema["pattern"].as_str() {
            Some("^\\/") => text.starts_with('/'),
            Some("^https?:\\/\\/") => text.starts_with("https://") || text.starts_with("http://"),
            Some(other) => panic!("the schema uses the pattern {other}"),
            None => true,
        };
        if !begins {
            fault(format!("{text} does not match {}", schema["pattern"]));
        }
    }
    if let Some(choices) = schema["enum"].as_array()
        && !choices.contains(value)
    {
        fault(format!("{value} is none of {choices:?}"));
    }
    if let Some(items) = value.as_array() {
        if bound("maxItems").is_some_and(|most| items.len() > most)
            || bound("minItems").is_some_and(|least| items.len() < least)
        {
            fault(format!("{} items", items.len()));
        }
        let texts: BTreeSet<String> = items.iter().map(Value::to_string).collect();
        if schema["uniqueItems"] == true && texts.len() < items.len() {
            fault("an item stands twice".to_owned());
        }
        for (index, item) in items.iter().enumerate() {
            walk(root, &schema["items"], item, &format!("{at}[{index}]"), faults);
        }
    } else if let Some(entries) = value.as_object() {
        for required in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !entries.contains_key(required) {
                fault(format!("{required} is missing"));
            }
        }
        for (key, entry) in entries {
            match schema["properties"].get(key) {
                Some(property) => walk(root, property, entry, &format!("{at}.{key}"), faults),
                None if schema["additionalProperties"] == false => faults.push(format!("{at}: {key} is not known")),
                None => {}
            }
        }
    }
}

/// The calls that the product makes, against the scopes that Slack asks for them.
#[test]
fn every_call_we_make_has_a_scope() {
    let Some(facts) = reference("slack-method-facts.json") else { return };
    for method in [
        "chat.delete",
        "chat.postEphemeral",
        "chat.postMessage",
        "chat.update",
        "conversations.create",
        "conversations.history",
        "conversations.info",
        "conversations.invite",
        "conversations.list",
        "conversations.open",
        "conversations.setTopic",
        "pins.add",
        "reactions.add",
        "reactions.remove",
        "usergroups.list",
        "users.conversations",
        "users.info",
        "users.list",
    ] {
        let fact = facts.as_array().into_iter().flatten().find(|fact| fact["method"] == method).expect("listed");
        let scopes: Vec<&str> = fact["bot_scopes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let is_granted = BOT_SCOPES.iter().any(|(scope, _)| scopes.contains(scope));
        assert!(is_granted, "{method} needs one of {scopes:?}");
    }
}
