use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::alerts::BadAlertKind;
use crate::ids::IntegrationKey;

fn received(nonce: &str, at: &str, idempotency_key: Option<&str>) -> Received {
    Received {
        integration: IntegrationKey::new("cron"),
        at: at.parse().expect("a time"),
        nonce: nonce.to_owned(),
        idempotency_key: idempotency_key.map(str::to_owned),
    }
}

fn read(value: &Value) -> Result<Parsed, BadAlert> {
    parse(value.to_string().as_bytes(), &received("5e3a", "2026-11-22T03:05:00Z", None))
}

fn fired(value: &Value) -> Alert {
    match read(value).expect("good").signals.remove(0) {
        Signal::Fired { alert, .. } => *alert,
        Signal::Cleared { .. } => panic!("it fires"),
    }
}

fn delivery_key(value: &Value, nonce: &str, at: &str, idempotency_key: Option<&str>) -> String {
    let parsed = parse(value.to_string().as_bytes(), &received(nonce, at, idempotency_key)).expect("good");
    parsed.signals[0].delivery_key().to_owned()
}

#[test]
fn a_title_is_enough() {
    let alert = fired(&json!({ "title": "Backup of shop-db failed" }));
    assert_eq!(alert.title, "Backup of shop-db failed");
    assert_eq!(alert.dedup_key, "Backup of shop-db failed", "the same title is the same trouble");
    assert_eq!(alert.started_at.to_rfc3339(), "2026-11-22T03:05:00+00:00");
    assert_eq!((alert.severity, alert.team, alert.link), (None, None, None));
    assert!(alert.labels.is_empty());
}

#[test]
fn every_field_arrives() {
    let body = json!({
        "title": "Backup failed", "text": "pg_dump: error\nline two", "dedup_key": "backup:shop-db", "status": "firing",
        "severity": "sev2", "team": "db-team", "started_at": "2026-11-22T03:00:00+01:00",
        "labels": { "host": "db1", "attempt": 3, "cold": true, "gone": null }, "link": "https://ci.example/1",
        "incident": "INC-42", "event_id": "e-1"
    });
    let parsed = read(&body).expect("good");
    assert_eq!(parsed.warnings, []);
    let Signal::Fired { alert, join, .. } = &parsed.signals[0] else { panic!("it fires") };
    assert_eq!(*join, Some(42));
    assert_eq!(alert.dedup_key, "backup:shop-db");
    assert_eq!(alert.text, "pg_dump: error\nline two");
    assert_eq!(alert.severity, Some(Severity::Sev2));
    assert_eq!(alert.team.as_deref(), Some("db-team"));
    assert_eq!(alert.started_at.to_rfc3339(), "2026-11-22T02:00:00+00:00");
    assert_eq!(alert.link.as_deref(), Some("https://ci.example/1"));
    let labels: Vec<_> = alert.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(labels, ["attempt=3", "cold=true", "host=db1"]);
}

#[test]
fn resolved_clears_by_key_or_by_the_title_that_fired() {
    for body in [
        json!({ "dedup_key": "Backup failed", "status": "resolved" }),
        json!({ "title": "Backup  failed", "status": "Resolved" }),
    ] {
        let parsed = read(&body).expect("good");
        let [Signal::Cleared { dedup_key, .. }] = parsed.signals.as_slice() else { panic!("one clear: {parsed:?}") };
        assert_eq!(dedup_key, &fired(&json!({ "title": "Backup failed" })).dedup_key);
    }
}

#[test]
fn an_incident_may_be_given_as_name_or_number() {
    for incident in [json!("INC-42"), json!("inc-42"), json!("42"), json!(42)] {
        let parsed = read(&json!({ "title": "x", "incident": incident })).expect("good");
        assert!(matches!(parsed.signals[0], Signal::Fired { join: Some(42), .. }), "{incident}");
    }
}

#[test]
fn what_cannot_be_used_but_does_not_matter_is_a_warning() {
    let body = json!({
        "title": "x", "severity": "purple", "link": "ftp://x", "started_at": "2031-01-01T00:00:00Z", "descripton": "y",
        "dedupe_key": "k", "anything": { "else": [1] }
    });
    let parsed = read(&body).expect("good");
    let warned: Vec<&str> = parsed.warnings.iter().map(|warning| warning.pointer.as_str()).collect();
    assert_eq!(warned, ["/dedupe_key", "/started_at", "/severity", "/link"]);
    assert!(parsed.warnings[0].sentence.contains("did you mean `dedup_key`"));
}

#[test]
fn refusals_name_the_field_and_the_way_out() {
    let cases = [
        (json!({}), "/title"),
        (json!({ "title": " \u{0} " }), "/title"),
        (json!({ "title": 5 }), "/title"),
        (json!({ "title": "x", "status": "ok" }), "/status"),
        (json!({ "status": "resolved" }), "/dedup_key"),
        (json!({ "title": "x", "started_at": "yesterday" }), "/started_at"),
        (json!({ "title": "x", "labels": ["a"] }), "/labels"),
        (json!({ "title": "x", "labels": { "a/b": {} } }), "/labels/a~1b"),
        (json!({ "title": "x", "severity": {} }), "/severity"),
        (json!({ "title": "x", "incident": "the big one" }), "/incident"),
        (json!({ "title": "x", "incident": -1 }), "/incident"),
        (json!([]), ""),
    ];
    for (body, pointer) in cases {
        let bad = read(&body).expect_err("bad");
        assert_eq!((bad.pointer.as_str(), bad.kind), (pointer, BadAlertKind::Field), "{body}: {}", bad.sentence);
    }
}

#[test]
fn a_misspelt_title_is_pointed_out() {
    let bad = read(&json!({ "titel": "Backup failed" })).expect_err("bad");
    assert_eq!(bad.sentence, "`/title` is missing or empty: one line that says what is wrong. Is `titel` meant?");
}

#[test]
fn bodies_that_are_not_json_are_refused_without_a_panic() {
    let deep = "[".repeat(100_000);
    for body in [b"".as_slice(), b"title=Backup+failed", b"\xff\xfe", deep.as_bytes()] {
        let bad = parse(body, &received("5e3a", "2026-11-22T03:05:00Z", None)).expect_err("bad");
        assert_eq!((bad.kind, bad.status()), (BadAlertKind::NotJson, 400), "{}", bad.sentence);
    }
}

#[test]
fn a_million_labels_are_refused_in_a_sentence() {
    let labels: serde_json::Map<String, Value> = (0..20_000).map(|n| (format!("l{n}"), json!("v"))).collect();
    let bad = read(&json!({ "title": "x", "labels": labels })).expect_err("bad");
    assert!(bad.sentence.contains("has 20000 entries"), "{}", bad.sentence);
}

#[test]
fn the_senders_own_id_makes_a_retry_the_same_delivery_whenever_it_comes() {
    let body = json!({ "title": "x", "event_id": "e-1" });
    let first = delivery_key(&body, "n1", "2026-11-22T03:05:00Z", None);
    assert_eq!(first, delivery_key(&body, "n2", "2026-11-22T09:05:00Z", None));
    assert_ne!(first, delivery_key(&json!({ "title": "x", "event_id": "e-2" }), "n1", "2026-11-22T03:05:00Z", None));
    let plain = json!({ "title": "x" });
    let by_header = delivery_key(&plain, "n1", "2026-11-22T03:05:00Z", Some("e-1"));
    assert_eq!(by_header, first, "the header is the same as the field");
}

#[test]
fn without_an_id_or_a_start_nothing_is_taken_for_a_retry() {
    let body = json!({ "title": "x" });
    assert_ne!(
        delivery_key(&body, "n1", "2026-11-22T03:05:00Z", None),
        delivery_key(&body, "n2", "2026-11-22T03:05:00Z", None),
        "firing, resolved, firing with equal bytes are three pieces of news"
    );
}

#[test]
fn a_start_makes_equal_bytes_one_delivery_for_a_few_minutes() {
    let body = json!({ "title": "x", "started_at": "2026-11-22T03:00:00Z" });
    let first = delivery_key(&body, "n1", "2026-11-22T03:05:00Z", None);
    assert_eq!(first, delivery_key(&body, "n2", "2026-11-22T03:05:20Z", None));
    assert_ne!(first, delivery_key(&body, "n3", "2026-11-22T03:15:00Z", None));
}

#[test]
fn the_documentation_shows_every_field_and_its_examples_are_read_without_a_warning() {
    let page = include_str!("../../../docs/ALERTS.md");
    for field in FIELDS {
        assert!(page.contains(&format!("| `{field}` |")), "{field}");
    }
    let examples: Vec<&str> = page.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert_eq!(examples.len(), 3);
    for example in examples {
        let parsed = parse(example.as_bytes(), &received("n", "2026-11-22T03:05:00Z", None)).expect(example);
        assert_eq!(parsed.warnings, [], "{example}");
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(body in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = parse(&body, &received("n", "2026-11-22T03:05:00Z", None));
    }

    #[test]
    fn any_title_and_text_are_refused_or_made_fit(title in any::<String>(), text in any::<String>(), key in any::<String>()) {
        if let Ok(parsed) = read(&json!({ "title": title, "text": text, "dedup_key": key })) {
            let Signal::Fired { alert, .. } = &parsed.signals[0] else { panic!("it fires") };
            prop_assert!((1..=TITLE_CHARS_MAX).contains(&alert.title.chars().count()));
            prop_assert!((1..=255).contains(&alert.dedup_key.chars().count()));
            prop_assert!(!alert.title.chars().any(char::is_control));
            prop_assert!(!alert.text.chars().any(|c| c.is_control() && c != '\n' && c != '\t'));
            prop_assert!(!alert.dedup_key.chars().any(char::is_control));
        }
    }
}
