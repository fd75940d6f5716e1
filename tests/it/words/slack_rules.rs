//! Slack's rules for blocks as far as we use them (docs.slack.dev/reference/block-kit), and our own: no markup from
//! outside, a label on every button.

use std::collections::BTreeSet;

use firebell::slack::message::Message;
use serde_json::Value;

type Verdict = Result<(), String>;

pub(crate) fn message(message: &Message) -> Verdict {
    let text_chars = message.text.chars().count();
    ensure(text_chars > 0 && text_chars <= 4000, || format!("text of {text_chars}"))?;
    ours_only(&message.text)?;
    ensure(message.blocks.len() <= 50, || format!("{} blocks", message.blocks.len()))?;
    message.blocks.iter().try_for_each(block)
}

pub(crate) fn view(view: &Value) -> Verdict {
    let blocks = view["blocks"].as_array().ok_or("no blocks")?;
    ensure(!blocks.is_empty() && blocks.len() <= 100, || format!("{} blocks", blocks.len()))?;
    ensure(view.to_string().len() <= 250_000, || "view too large".into())?;
    if view["type"] == "modal" {
        for part in ["title", "submit", "close"] {
            plain(&view[part], 24)?;
        }
        let carried = view["private_metadata"].as_str().unwrap_or_default().chars().count();
        ensure(carried <= 3000, || format!("private_metadata of {carried}"))?;
    }
    let ids: Vec<&str> = blocks.iter().filter_map(|block| block["block_id"].as_str()).collect();
    ensure(ids.iter().collect::<BTreeSet<_>>().len() == ids.len(), || format!("repeated block ids {ids:?}"))?;
    blocks.iter().try_for_each(block)
}

fn block(block: &Value) -> Verdict {
    match block["type"].as_str() {
        Some("header") => plain(&block["text"], 150),
        Some("section") => {
            mrkdwn(&block["text"])?;
            block.get("accessory").map_or(Ok(()), element)
        }
        Some("context") => {
            let elements = list(block, 10)?;
            elements.iter().try_for_each(mrkdwn)
        }
        Some("actions") => {
            let elements = list(block, 25)?;
            let ids: BTreeSet<&str> = elements.iter().filter_map(|element| element["action_id"].as_str()).collect();
            ensure(ids.len() == elements.len(), || format!("action ids repeat in {block}"))?;
            elements.iter().try_for_each(element)
        }
        Some("input") => {
            plain(&block["label"], 2000)?;
            if let Some(hint) = block.get("hint") {
                plain(hint, 2000)?;
            }
            element(&block["element"])
        }
        other => Err(format!("unknown block {other:?}")),
    }
}

fn list(block: &Value, most: usize) -> Result<&Vec<Value>, String> {
    let elements = block["elements"].as_array().ok_or("no elements")?;
    ensure(!elements.is_empty() && elements.len() <= most, || format!("{} elements", elements.len()))?;
    Ok(elements)
}

fn element(element: &Value) -> Verdict {
    let id = element["action_id"].as_str().ok_or("no action id")?;
    ensure(id.len() <= 255, || "long action id".into())?;
    if let Some(placeholder) = element.get("placeholder") {
        plain(placeholder, 150)?;
    }
    match element["type"].as_str() {
        Some("button") => button(element),
        Some("overflow") => options(element, 2, 5),
        Some("static_select") => options(element, 1, 100),
        Some("checkboxes") => options(element, 1, 10),
        Some("plain_text_input") => {
            let most = element["max_length"].as_u64().ok_or("no max_length")?;
            let initial = element["initial_value"].as_str().unwrap_or_default().chars().count() as u64;
            ensure(most <= 3000 && initial <= most, || format!("initial value of {initial} in {most}"))
        }
        Some("users_select" | "datepicker") => Ok(()),
        Some("datetimepicker") => {
            let at = element.get("initial_date_time").map_or(1_000_000_000, |at| at.as_i64().unwrap_or(0));
            ensure((1_000_000_000..10_000_000_000).contains(&at), || format!("moment {at}"))
        }
        other => Err(format!("unknown element {other:?}")),
    }
}

fn button(button: &Value) -> Verdict {
    plain(&button["text"], 24)?;
    let spoken = button["accessibility_label"].as_str().ok_or("no accessibility label")?.chars().count();
    ensure(spoken > 0 && spoken <= 75, || format!("accessibility label of {spoken}"))?;
    let value = button["value"].as_str().unwrap_or_default().chars().count();
    ensure(value <= 2000, || format!("value of {value}"))?;
    ensure(button["url"].as_str().unwrap_or_default().len() <= 3000, || "long url".into())?;
    ensure(button.get("style").is_none_or(|style| style == "primary" || style == "danger"), || "style".into())?;
    let Some(confirm) = button.get("confirm") else { return Ok(()) };
    plain(&confirm["title"], 100)?;
    plain(&confirm["text"], 300)?;
    plain(&confirm["confirm"], 30)?;
    plain(&confirm["deny"], 30)
}

fn options(element: &Value, least: usize, most: usize) -> Verdict {
    let options = element["options"].as_array().ok_or("no options")?;
    ensure((least..=most).contains(&options.len()), || format!("{} options", options.len()))?;
    for option in options {
        plain(&option["text"], 75)?;
        let value = option["value"].as_str().ok_or("no value")?.chars().count();
        ensure(value > 0 && value <= 150, || format!("option value of {value}"))?;
    }
    let known = |chosen: &Value| options.contains(chosen);
    ensure(element.get("initial_option").is_none_or(known), || "initial option is not among the options".into())
}

fn plain(object: &Value, most: usize) -> Verdict {
    ensure(object["type"] == "plain_text", || format!("not plain text: {object}"))?;
    let text = object["text"].as_str().ok_or("no text")?;
    let chars = text.chars().count();
    ensure(chars > 0 && chars <= most, || format!("{chars} characters of {most}: {text}"))?;
    visible(text)
}

fn mrkdwn(object: &Value) -> Verdict {
    ensure(object["type"] == "mrkdwn", || format!("not mrkdwn: {object}"))?;
    let text = object["text"].as_str().ok_or("no text")?;
    let chars = text.chars().count();
    ensure(chars > 0 && chars <= 3000, || format!("{chars} characters"))?;
    ours_only(text)
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
            || token.starts_with("https://firebell.example/incidents/42|");
        ensure(known && !token.contains('<'), || format!("foreign token <{token}>"))?;
        rest = &rest[end + 1..];
    }
    ensure(!rest.contains('>') || text.contains('<'), || format!("stray mark in {text}"))
}

fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(otherwise()) }
}
