//! What Firebell itself adds to a history, and how people's names, corrections and calls read.

use firebell::domain::postmortem::{json, markdown};
use firebell::domain::timeline::people::PeopleStyle;
use serde_json::Value;

use super::live::live;

#[test]
fn calls_are_folded_and_names_are_roles() {
    insta::assert_snapshot!(markdown::markdown(&live().postmortem(PeopleStyle::Roles)));
}

#[test]
fn names_are_told_where_the_record_is_private() {
    let text = markdown::markdown(&live().postmortem(PeopleStyle::Names));
    assert!(text.contains("**Acknowledged by Payments team.** Cai Wen has it."), "{text}");
    assert!(text.contains("Ana Lima sees the graph (<https://grafana.example/d/1>) fall."), "{text}");
}

#[test]
fn what_firebell_adds_is_marked_and_what_people_say_is_not() {
    let document: Value = serde_json::from_str(&json::json(&live().postmortem(PeopleStyle::Names))).unwrap();
    let of = |auto: bool| -> Vec<String> {
        let entries = document["timeline"].as_array().unwrap().iter().filter(|entry| entry["auto"] == auto);
        entries.map(|entry| format!("{} {}", entry["seq"], entry["kind"].as_str().unwrap())).collect()
    };
    assert_eq!(
        of(false),
        ["4 escalated", "9 ack", "10 escalated", "15 note", "19 update", "20 mitigated", "22 resolved"]
    );
    assert_eq!(
        of(true),
        ["1 declared", "2 role", "5 page", "6 page", "7 page", "8 page", "11 page", "12 page", "13 page", "14 page"]
    );
}

#[test]
fn opening_live_counts_as_declared_and_as_detected() {
    let figures = live().postmortem(PeopleStyle::Roles).figures;
    assert_eq!(figures.time_to_declare_s, Some(0));
    assert_eq!(figures.time_to_first_escalation_s, Some(120));
    assert_eq!(figures.time_to_ack_s, Some(600));
    assert_eq!(figures.time_to_detect_s, None);
    assert_eq!(figures.pages_unanswered, 2);
    let waits: Vec<Option<i64>> = figures.pages.iter().map(|page| page.time_to_ack_s).collect();
    assert_eq!(waits, [None, Some(180), None, None]);
}

#[test]
fn corrections_are_applied_and_kept_and_removed_entries_are_gone() {
    let document: Value = serde_json::from_str(&json::json(&live().postmortem(PeopleStyle::Names))).unwrap();
    let timeline = document["timeline"].as_array().unwrap();
    let corrected = timeline.iter().find(|entry| entry["seq"] == 15).unwrap();
    assert_eq!(corrected["text"], "Not our deployment");
    assert_eq!(corrected["edits"][0]["from"], "Not our deploi");
    assert!(timeline.iter().all(|entry| entry["text"] != "a slip"));
}
