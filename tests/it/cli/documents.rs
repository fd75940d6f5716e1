//! `firebell replay`: recorded incidents become documents.

use serde_json::Value;

use super::{Shell, ours};

const SEED: &str = "tests/incidents/00-seed-ecommerce-database.json";
const OTHER: &str = "tests/incidents/00b-seed-literal-est.json";

#[test]
fn the_seed_is_printed_in_every_format() {
    let shell = Shell::new();
    let seed = ours(SEED);
    let markdown = shell.run(&["replay", &seed]);
    assert_eq!(markdown.status, 0, "{}", markdown.err);
    assert!(markdown.out.contains("## Issue Summary") && markdown.out.contains("- 3:45 PM"), "{}", markdown.out);
    let html = shell.run(&["replay", &seed, "--format", "html"]);
    assert_eq!(html.status, 0, "{}", html.err);
    assert!(html.out.starts_with("<!doctype html>") && html.out.contains("3:45"), "{}", &html.out[..200]);
    let json = shell.run(&["replay", &seed, "--format", "json"]);
    let document: Value = serde_json::from_str(&json.out).unwrap();
    let expected: Value = serde_json::from_str(&std::fs::read_to_string(&seed).unwrap()).unwrap();
    assert_eq!(document["figures"]["entries"], expected["expect"]["entries"]);
}

#[test]
fn several_recordings_are_printed_in_their_order_and_written_to_folders() {
    let shell = Shell::new();
    let files = [ours(SEED), ours(OTHER)];
    let printed = shell.run(&["replay", &files[0], &files[1], "--format", "json"]);
    let documents: Vec<Value> =
        serde_json::Deserializer::from_str(&printed.out).into_iter().map(Result::unwrap).collect();
    assert_eq!(documents.len(), 2, "{}", printed.err);
    let written = shell.run(&["replay", &files[0], &files[1], "--out", "documents"]);
    assert_eq!(written.status, 0, "{}", written.err);
    let folders: Vec<&str> = written.out.lines().map(|line| line.rsplit_once(": ").unwrap().1).collect();
    assert_eq!(folders.len(), 2);
    assert_ne!(folders[0], folders[1], "one incident must not overwrite the other");
    for folder in folders {
        assert_eq!(shell.names(folder), ["postmortem.html", "postmortem.json", "postmortem.md"]);
    }
}

#[test]
fn a_file_that_is_no_recording_ends_with_2_before_anything_is_played() {
    let shell = Shell::new();
    let broken = shell.write("broken.json", r#"{"title": "x", "timezone": "Mars/Base", "entries": []}"#);
    let ran = shell.run(&["replay", &ours(SEED), broken.to_str().unwrap(), "nowhere.json"]);
    assert_eq!((ran.status, ran.out.as_str()), (2, ""));
    for says in ["timezone: “Mars/Base”", "entries: is empty", "nowhere.json: cannot be read"] {
        assert!(ran.err.contains(says), "{}", ran.err);
    }
}

#[test]
fn a_recording_may_come_by_standard_input_and_begin_with_a_byte_order_mark() {
    let shell = Shell::new();
    let seed = std::fs::read_to_string(ours(SEED)).unwrap();
    let marked = shell.write("marked.json", &format!("\u{feff}{seed}"));
    let from_file = shell.run(&["replay", marked.to_str().unwrap()]);
    let from_input = shell.run_with_input(&["replay", "-"], &seed);
    assert_eq!((from_file.status, from_input.status), (0, 0), "{}{}", from_file.err, from_input.err);
    assert_eq!(from_file.out, from_input.out);
    let nothing = shell.run_with_input(&["replay", "-"], "");
    assert_eq!((nothing.status, nothing.err.as_str()), (2, "standard input: is empty\n"));
}

#[test]
fn values_that_no_incident_can_have_are_told_with_their_field() {
    let shell = Shell::new();
    let mut recording: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(ours(SEED)).unwrap()).unwrap();
    recording["impact_kind"] = serde_json::json!("boom");
    recording["affected"] = serde_json::json!({ "share_percent": 130 });
    let ran = shell.run(&["replay", shell.write("odd.json", &recording.to_string()).to_str().unwrap()]);
    assert_eq!((ran.status, ran.out.as_str()), (2, ""));
    for says in [
        "impact_kind: “boom” is none of outage, degradation, data loss, security, risk",
        "affected.share_percent: is 130, not a share between 0 and 100",
    ] {
        assert!(ran.err.contains(says), "{}", ran.err);
    }
    recording["impact_kind"] = serde_json::Value::Null;
    for (affected, says) in [
        (serde_json::json!({ "count": -3 }), "affected.count: is -3, not a whole number"),
        (serde_json::json!("a third"), "affected: is a text, not an object with share_percent or count"),
        (serde_json::json!({}), "affected: has neither share_percent nor count"),
        (serde_json::json!({ "count": 3, "of": 5 }), "affected.of: is a number, not a text"),
    ] {
        recording["affected"] = affected;
        let ran = shell.run(&["replay", shell.write("odd.json", &recording.to_string()).to_str().unwrap()]);
        assert_eq!(ran.status, 2, "{}", ran.err);
        assert!(ran.err.contains(says), "{}", ran.err);
    }
}
