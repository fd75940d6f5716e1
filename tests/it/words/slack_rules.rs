//! Slack's rules as the sandbox enforces them, and our own: no markup from outside, a spoken label on every button,
//! labels that fit a phone, no two elements of a row with the same id.

use std::collections::BTreeSet;

use firebell::sandbox::blocks_check::{Surface, check_blocks, check_view};
use firebell::slack::json::Json;
use firebell::slack::message::Message;
use serde_json::{Value, json};

type Verdict = Result<(), String>;

/// Longest label of a button, in characters.
const BUTTON_LABEL_MAX: usize = 24;

pub(crate) fn message(message: &Message) -> Verdict {
    let text_chars = message.text.chars().count();
    ensure(text_chars > 0 && text_chars <= 4000, || format!("text of {text_chars}"))?;
    ours_only(&message.text)?;
    let mistakes = check_blocks(&json!(message.blocks), Surface::Message, "/blocks");
    ensure(mistakes.is_empty(), || mistakes.join(", "))?;
    message.blocks.iter().try_for_each(|block| object(&json!(block)))
}

pub(crate) fn view(view: &Json) -> Verdict {
    let view = &json!(view);
    let surface = if view["type"] == "modal" { Surface::Modal } else { Surface::Home };
    check_view(view, surface).map_err(|problem| format!("{problem:?}"))?;
    object(view)
}

/// Our own rules for this object and everything in it.
fn object(value: &Value) -> Verdict {
    match value {
        Value::Object(parts) => {
            match value["type"].as_str() {
                Some("mrkdwn") => ours_only(value["text"].as_str().unwrap_or_default())?,
                Some("plain_text") => visible(value["text"].as_str().unwrap_or_default())?,
                Some("button") => button(value)?,
                Some("actions") => different_ids(value)?,
                _ => {}
            }
            parts.values().try_for_each(object)
        }
        Value::Array(items) => items.iter().try_for_each(object),
        _ => Ok(()),
    }
}

fn button(button: &Value) -> Verdict {
    let label = button["text"]["text"].as_str().unwrap_or_default().chars().count();
    ensure(label <= BUTTON_LABEL_MAX, || format!("label of {label}: {}", button["text"]["text"]))?;
    ensure(button["accessibility_label"].as_str().is_some_and(|spoken| !spoken.is_empty()), || {
        format!("mute: {button}")
    })
}

fn different_ids(row: &Value) -> Verdict {
    let elements = row["elements"].as_array().ok_or("no elements")?;
    let ids: BTreeSet<&str> = elements.iter().filter_map(|element| element["action_id"].as_str()).collect();
    ensure(ids.len() == elements.len(), || format!("action ids repeat in {row}"))
}

fn visible(text: &str) -> Verdict {
    let bad = |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c) || c == '\u{200b}';
    ensure(!text.chars().any(bad), || format!("unseen characters in {text:?}"))
}

/// Every `<…>` is a token of ours: an id, a date, our own address, or `<!here>` where the configuration says so.
fn ours_only(text: &str) -> Verdict {
    visible(text)?;
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        let end = start + rest[start..].find('>').ok_or_else(|| format!("open token in {text}"))?;
        let token = &rest[start + 1..end];
        let id = |id: &str| !id.is_empty() && id.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        let known = token == "!here"
            || token.strip_prefix('@').is_some_and(id)
            || token.strip_prefix('#').is_some_and(id)
            || token.starts_with("!date^")
            || token.starts_with("https://firebell.example/incidents/42");
        ensure(known && !token.contains('<'), || format!("foreign token <{token}>"))?;
        ensure(!rest[..start].contains('>'), || format!("stray mark in {text}"))?;
        rest = &rest[end + 1..];
    }
    ensure(!rest.contains('>'), || format!("stray mark in {text}"))
}

fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(otherwise()) }
}
