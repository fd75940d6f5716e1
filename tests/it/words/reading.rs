//! A message or a view as a person reads it: one line per line, buttons in brackets, times as plain text.

use firebell::slack::json::Json;
use firebell::slack::message::Message;
use serde_json::{Value, json};

use super::slack_rules;

/// The message, and the sentence that stands for it; fails if Slack would refuse it.
pub(crate) fn read(message: &Message) -> String {
    slack_rules::message(message).expect("Slack would take it");
    format!(
        "{}\n---\n{}",
        blocks(&message.blocks.iter().map(|block| json!(block)).collect::<Vec<_>>()),
        shown(&message.text)
    )
}

/// A modal or the App Home; fails if Slack would refuse it.
pub(crate) fn read_view(view: &Json) -> String {
    slack_rules::view(view).expect("Slack would take it");
    let view = json!(view);
    let list = view["blocks"].as_array().expect("blocks");
    let carried = view["private_metadata"].as_str().unwrap_or_default();
    match view["type"].as_str() {
        Some("modal") => format!(
            "{} [{}] [{}] {} {carried}\n{}",
            text(&view["title"]),
            text(&view["submit"]),
            text(&view["close"]),
            view["callback_id"].as_str().expect("an id"),
            blocks(list)
        ),
        _ => blocks(list),
    }
}

pub(crate) fn blocks(list: &[Value]) -> String {
    list.iter().map(block).collect::<Vec<_>>().join("\n")
}

fn block(block: &Value) -> String {
    match block["type"].as_str().expect("a type") {
        "header" => format!("# {}", text(&block["text"])),
        "section" => match block.get("accessory") {
            Some(accessory) => format!("{} {}", text(&block["text"]), element(accessory)),
            None => text(&block["text"]),
        },
        "context" => {
            let lines: Vec<String> = elements(block).map(|element| text(element).replace('\n', "\n~ ")).collect();
            format!("~ {}", lines.join("\n~ "))
        }
        "actions" => elements(block).map(element).collect::<Vec<_>>().join(" "),
        "input" => {
            let need = if block["optional"] == true { "may be empty" } else { "required" };
            let hint = block.get("hint").map(|hint| format!("\n    {}", text(hint))).unwrap_or_default();
            format!(
                "{} ({}, {need}): {}{hint}",
                text(&block["label"]),
                block["block_id"].as_str().expect("an id"),
                element(&block["element"])
            )
        }
        other => panic!("no reading for a {other}"),
    }
}

fn elements(block: &Value) -> impl Iterator<Item = &Value> {
    block["elements"].as_array().expect("elements").iter()
}

fn element(element: &Value) -> String {
    let options = |key: &str| -> String {
        element[key]
            .as_array()
            .into_iter()
            .flatten()
            .map(|option| text(&option["text"]))
            .collect::<Vec<_>>()
            .join(" | ")
    };
    match element["type"].as_str().expect("a type") {
        "button" => {
            let style = element["style"].as_str().map_or("", |_| "*");
            let asks = element
                .get("confirm")
                .map(|confirm| format!(" asks “{} {}”", text(&confirm["title"]), text(&confirm["text"])));
            format!("[{}{style}{}]", text(&element["text"]), asks.unwrap_or_default())
        }
        "overflow" => format!("[⋯ {}]", options("options")),
        "static_select" => format!("<{}> = {}", options("options"), text(&element["initial_option"]["text"])),
        "checkboxes" => format!("☐ {} = {}", options("options"), options("initial_options")),
        "plain_text_input" => format!("_{}_", element["initial_value"].as_str().unwrap_or_default()),
        "users_select" => "a person".into(),
        "datepicker" => format!("a day = {}", element["initial_date"].as_str().unwrap_or_default()),
        "datetimepicker" => format!("a moment = {}", element["initial_date_time"]),
        other => panic!("no reading for a {other}"),
    }
}

fn text(object: &Value) -> String {
    shown(object["text"].as_str().unwrap_or_default())
}

/// Tokens as their fallback text, entities as the characters they stand for.
pub(crate) fn shown(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        let end = start + rest[start..].find('>').expect("a closed token");
        shown.push_str(&rest[..start]);
        let token = &rest[start + 1..end];
        match token.split_once('|') {
            Some((date, label)) if date.starts_with("!date") => shown.push_str(label),
            Some((url, label)) => shown.extend(["[", label, "](", url, ")"]),
            None => shown.push_str(token),
        }
        rest = &rest[end + 1..];
    }
    shown.push_str(rest);
    shown.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}
