//! Recorded incidents through the whole program: what comes out is what was written down, entry for entry, in every
//! format.
#![expect(clippy::unwrap_used, reason = "a recording that cannot be read or played fails the test")]

mod hard;
mod recorded;

use std::fmt::Write as _;

use chrono::{DateTime, FixedOffset};
use firebell::domain::civil::format::LocalZone;
use firebell::domain::postmortem::{json, markdown};
use firebell::replay::{play, record};
use firebell::web;
use serde_json::Value;

/// Plays the record and returns the JSON document, or everything in which a document is not the record.
async fn played(name: &str, recording: &Value) -> Result<Value, String> {
    let record = record::parse(recording).map_err(|problems| format!("{name}: {problems:?}\n"))?;
    let replayed = play(&record, None).await.map_err(|error| format!("{name}: {error:#}\n"))?;
    let document: Value = serde_json::from_str(&json::json(&replayed.document)).unwrap();
    let mut wrong = String::new();
    for (figure, value) in recording["expect"].as_object().into_iter().flatten() {
        if document["figures"][figure] != *value {
            writeln!(wrong, "{name}: {figure} is {}, not {value}", document["figures"][figure]).unwrap();
        }
    }
    in_json(recording, &document, &mut wrong);
    in_markdown(recording, &markdown::markdown(&replayed.document), &mut wrong);
    in_html(recording, &web::document::html(&replayed.document), &mut wrong);
    if wrong.is_empty() { Ok(document) } else { Err(format!("{name}:\n{wrong}")) }
}

fn entries(recording: &Value) -> &Vec<Value> {
    recording["entries"].as_array().unwrap()
}

fn text(entry: &Value) -> &str {
    entry["text"].as_str().unwrap().trim()
}

fn instant(value: &Value) -> DateTime<FixedOffset> {
    DateTime::parse_from_rfc3339(value.as_str().unwrap()).unwrap()
}

/// Every entry once, in order, with its instant, kind, team and text; nothing else but what the program did by itself.
fn in_json(recording: &Value, document: &Value, wrong: &mut String) {
    let told: Vec<&Value> =
        document["timeline"].as_array().unwrap().iter().filter(|entry| entry["auto"] == false).collect();
    if told.len() != entries(recording).len() {
        writeln!(wrong, "  json: {} entries, not {}", told.len(), entries(recording).len()).unwrap();
    }
    for (index, (told, entry)) in told.iter().zip(entries(recording)).enumerate() {
        let zone = recording["timezone"].as_str().unwrap();
        let (at, told_at) = (instant(&entry["at"]).to_utc(), instant(&told["at"]));
        let same = told_at.to_utc() == at
            && told["kind"] == entry["kind"]
            && told["text"] == text(entry)
            && told["team"] == entry["team"]
            && told["approx"] == entry["approx"].as_bool().unwrap_or(false)
            && told["local"] == format!("{}[{zone}]", told["at"].as_str().unwrap());
        if !same {
            writeln!(wrong, "  json: entries[{index}] is {told}\n        instead of {entry}").unwrap();
        }
    }
}

/// Every entry on a line of its own, in order, after its local time.
fn in_markdown(recording: &Value, document: &str, wrong: &mut String) {
    let zone = LocalZone::new(recording["timezone"].as_str().unwrap(), None);
    let document = document.replace("\\\n  ", " ");
    let lines: Vec<&str> = document.lines().filter_map(|line| line.strip_prefix("- ")).collect();
    let mut rest = lines.iter();
    for (index, entry) in entries(recording).iter().enumerate() {
        let words = markdown::escape(&on_one_line(text(entry)));
        let time = zone.time(instant(&entry["at"]).to_utc());
        let found = rest.any(|line| {
            line.trim_start_matches("about ").strip_prefix(&time).is_some_and(|said| on_one_line(said).contains(&words))
        });
        if !found {
            writeln!(wrong, "  markdown: entries[{index}], {time} {words}, is not there in its place").unwrap();
            rest = lines.iter();
        }
    }
}

/// Every entry in a row of its own, in order, with its instant in the incident's zone.
fn in_html(recording: &Value, document: &str, wrong: &mut String) {
    let zone = LocalZone::new(recording["timezone"].as_str().unwrap(), None);
    let rows: Vec<(DateTime<FixedOffset>, String)> = document
        .split("<li id=\"e")
        .skip(1)
        .map(|row| {
            let (_, rest) = row.split_once("<time datetime=\"").unwrap();
            let (datetime, rest) = rest.split_once('"').unwrap();
            let (shown, _) = rest.split_once("</li>").unwrap();
            (DateTime::parse_from_rfc3339(datetime).unwrap(), plain(shown.split_once('>').unwrap().1))
        })
        .collect();
    let mut rest = rows.iter();
    for (index, entry) in entries(recording).iter().enumerate() {
        let at = instant(&entry["at"]).to_utc();
        // What would turn the order of the page's own text around is not shown.
        let words = on_one_line(text(entry)).replace(['\u{202e}', '\u{202c}'], "");
        let found = rest
            .any(|(told_at, shown)| told_at.to_utc() == at && shown.contains(&words) && shown.contains(&zone.time(at)));
        if !found {
            writeln!(wrong, "  html: entries[{index}], {} {words}, is not there in its place", zone.time(at)).unwrap();
            rest = rows.iter();
        }
    }
}

/// What a browser shows of a piece of HTML, on one line.
fn plain(html: &str) -> String {
    let mut shown = String::new();
    let mut inside = false;
    for c in html.replace("<br>", " ").chars() {
        match c {
            '<' => inside = true,
            '>' => inside = false,
            c if !inside => shown.push(c),
            _ => {}
        }
    }
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#34;", "\""), ("&#39;", "'"), ("&#x27;", "'")];
    let shown = entities.iter().fold(shown, |shown, (entity, c)| shown.replace(entity, c));
    let shown = ["&#60;", "&#62;"].iter().zip(["<", ">"]).fold(shown, |shown, (entity, c)| shown.replace(entity, c));
    on_one_line(&shown.replace("&#38;", "&").replace("&amp;", "&"))
}

fn on_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
