use chrono::TimeDelta;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::alerts::DEDUP_KEY_CHARS_MAX;
use crate::ids::IntegrationKey;

fn received_at(text: &str) -> Received {
    Received {
        integration: IntegrationKey::new("prometheus"),
        at: text.parse().expect("a time"),
        nonce: "5e3a".to_owned(),
        idempotency_key: None,
    }
}

fn received() -> Received {
    received_at("2026-11-22T03:05:00Z")
}

/// One disk filling up, as Alertmanager 0.27 sends it.
fn one_alert() -> Value {
    let labels = json!({
        "alertname": "DiskWillFillIn4Hours", "instance": "db1:9100", "job": "node", "mountpoint": "/var/lib/pg",
        "severity": "critical", "team": "db-team"
    });
    let annotations = json!({
        "summary": "Disk of db1 will be full in 4 hours",
        "description": "/var/lib/pg on db1 has 6.1% left.",
        "runbook_url": "https://runbooks.example/disk"
    });
    json!({
        "receiver": "firebell", "status": "firing",
        "alerts": [{
            "status": "firing", "labels": labels, "annotations": annotations,
            "startsAt": "2026-11-22T03:00:04.521Z", "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus.example:9090/graph?g0.expr=predict_linear&g0.tab=1",
            "fingerprint": "9a8b7c6d5e4f3a2b"
        }],
        "groupLabels": { "alertname": "DiskWillFillIn4Hours" },
        "commonLabels": labels, "commonAnnotations": annotations,
        "externalURL": "http://alertmanager.example:9093", "version": "4",
        "groupKey": "{}/{severity=\"critical\"}:{alertname=\"DiskWillFillIn4Hours\"}",
        "truncatedAlerts": 0
    })
}

/// A group of three replicas, one of which has recovered.
fn three_alerts() -> Value {
    let member = |instance: &str, status: &str, started: &str, lag: u32| {
        json!({
            "status": status,
            "labels": { "alertname": "ReplicationLag", "instance": instance, "severity": "warning" },
            "annotations": { "description": format!("{instance} is {lag} s behind.") },
            "startsAt": started, "endsAt": if status == "resolved" { "2026-11-22T03:03:00Z" } else { "0001-01-01T00:00:00Z" },
            "generatorURL": "", "fingerprint": "00"
        })
    };
    json!({
        "receiver": "firebell", "status": "firing",
        "alerts": [
            member("db2:9187", "firing", "2026-11-22T02:59:00Z", 90),
            member("db3:9187", "firing", "2026-11-22T02:58:30Z", 130),
            member("db4:9187", "resolved", "2026-11-22T02:50:00Z", 0),
        ],
        "groupLabels": { "alertname": "ReplicationLag" },
        "commonLabels": { "alertname": "ReplicationLag", "severity": "warning" },
        "commonAnnotations": {}, "externalURL": "http://alertmanager.example:9093", "version": "4",
        "groupKey": "{}:{alertname=\"ReplicationLag\"}", "truncatedAlerts": 2
    })
}

fn parse_value(value: &Value) -> Result<Parsed, BadAlert> {
    parse(value.to_string().as_bytes(), &received())
}

fn fired(value: &Value) -> Alert {
    match parse_value(value).expect("good").signals.remove(0) {
        Signal::Fired { alert, .. } => *alert,
        Signal::Cleared { .. } => panic!("it fires"),
    }
}

#[test]
fn one_alert_gives_title_text_severity_team_start_and_link() {
    let alert = fired(&one_alert());
    assert_eq!(alert.title, "Disk of db1 will be full in 4 hours");
    assert_eq!(alert.text, "/var/lib/pg on db1 has 6.1% left.\nRunbook: https://runbooks.example/disk");
    assert_eq!(alert.severity, Some(Severity::Sev1));
    assert_eq!(alert.team.as_deref(), Some("db-team"));
    assert_eq!(alert.started_at.to_rfc3339(), "2026-11-22T03:00:04.521+00:00");
    assert_eq!(alert.labels["mountpoint"], "/var/lib/pg");
    assert_eq!(alert.dedup_key, "{}/{severity=\"critical\"}:{alertname=\"DiskWillFillIn4Hours\"}");
    let link = "http://prometheus.example:9090/graph?g0.expr=predict_linear&g0.tab=1";
    assert_eq!(alert.link.as_deref(), Some(link));
}

#[test]
fn a_group_is_one_alert_that_lists_what_fires_and_counts_what_is_over() {
    let alert = fired(&three_alerts());
    assert_eq!(alert.title, "ReplicationLag (2 alerts)");
    assert_eq!(
        alert.text,
        "• instance=db2:9187: db2:9187 is 90 s behind.\n\
         • instance=db3:9187: db3:9187 is 130 s behind.\n\
         … and 2 more\n\
         1 of 3 alerts of this group are over."
    );
    assert_eq!(alert.started_at.to_rfc3339(), "2026-11-22T02:58:30+00:00", "the first that still fires");
    assert_eq!(alert.severity, Some(Severity::Sev3));
    assert_eq!(alert.link.as_deref(), Some("http://alertmanager.example:9093"));
}

#[test]
fn the_group_is_cleared_at_the_end_of_its_last_alert_under_the_key_it_fired_with() {
    let mut body = three_alerts();
    body["status"] = "resolved".into();
    for (index, ended) in ["03:01:00", "03:02:30", "03:02:00"].iter().enumerate() {
        body["alerts"][index]["status"] = "resolved".into();
        body["alerts"][index]["endsAt"] = format!("2026-11-22T{ended}Z").into();
    }
    let parsed = parse_value(&body).expect("good");
    let [Signal::Cleared { dedup_key, at, text, join: None, .. }] = parsed.signals.as_slice() else {
        panic!("one clear, not {parsed:?}")
    };
    assert_eq!(*dedup_key, fired(&three_alerts()).dedup_key);
    assert_eq!(at.to_rfc3339(), "2026-11-22T03:02:30+00:00");
    assert_eq!(text, "ReplicationLag (3 alerts)");
}

#[test]
fn the_worst_severity_of_the_firing_alerts_counts() {
    let mut body = three_alerts();
    body["alerts"][1]["labels"]["severity"] = "critical".into();
    body["commonLabels"] = json!({ "alertname": "ReplicationLag" });
    assert_eq!(fired(&body).severity, Some(Severity::Sev1));
    body["alerts"][1]["status"] = "resolved".into();
    assert_eq!(fired(&body).severity, Some(Severity::Sev3));
}

#[test]
fn an_unknown_severity_word_leaves_the_severity_to_the_route_and_warns() {
    let mut body = one_alert();
    body["alerts"][0]["labels"]["severity"] = "purple".into();
    body["commonLabels"]["severity"] = "purple".into();
    let parsed = parse_value(&body).expect("good");
    let Signal::Fired { alert, .. } = &parsed.signals[0] else { panic!("it fires") };
    assert_eq!(alert.severity, None);
    assert!(parsed.warnings[0].sentence.contains("purple"));
}

#[test]
fn a_team_counts_only_if_all_firing_alerts_share_it() {
    let mut body = three_alerts();
    body["alerts"][0]["labels"]["team"] = "a".into();
    body["alerts"][1]["labels"]["team"] = "b".into();
    assert_eq!(fired(&body).team, None);
    body["alerts"][1]["labels"]["team"] = "a".into();
    assert_eq!(fired(&body).team.as_deref(), Some("a"));
}

#[test]
fn without_a_summary_the_rule_names_the_trouble_and_without_that_the_receiver() {
    let mut body = one_alert();
    body["commonAnnotations"] = json!({});
    body["alerts"][0]["annotations"] = json!({});
    assert_eq!(fired(&body).title, "DiskWillFillIn4Hours");
    body["commonLabels"] = json!({});
    body["groupLabels"] = json!({});
    body["alerts"][0]["labels"] = json!({});
    assert_eq!(fired(&body).title, "Alert for firebell");
}

#[test]
fn a_repetition_within_the_retry_span_is_the_same_delivery_and_a_later_one_is_not() {
    let body = one_alert().to_string();
    let key = |at: &str| {
        let parsed = parse(body.as_bytes(), &received_at(at)).expect("good");
        parsed.signals[0].delivery_key().to_owned()
    };
    assert_eq!(key("2026-11-22T03:05:01Z"), key("2026-11-22T03:05:31Z"), "a retry");
    assert_ne!(key("2026-11-22T03:05:01Z"), key("2026-11-22T07:05:01Z"), "the repeat_interval");
}

#[test]
fn firing_and_resolved_and_firing_again_are_three_deliveries_of_one_dedup_key() {
    let mut resolved = one_alert();
    resolved["status"] = "resolved".into();
    resolved["alerts"][0]["status"] = "resolved".into();
    let mut again = one_alert();
    again["alerts"][0]["startsAt"] = "2026-11-22T03:04:30Z".into();
    let signals: Vec<Signal> =
        [one_alert(), resolved, again].iter().map(|body| parse_value(body).expect("good").signals.remove(0)).collect();
    let deliveries: std::collections::BTreeSet<_> = signals.iter().map(Signal::delivery_key).collect();
    let troubles: std::collections::BTreeSet<_> = signals.iter().map(Signal::dedup_key).collect();
    assert_eq!((deliveries.len(), troubles.len()), (3, 1));
}

#[test]
fn grafanas_body_of_the_same_shape_is_read() {
    let mut body = one_alert();
    body["version"] = "1".into();
    body["orgId"] = 1.into();
    body["alerts"][0]["dashboardURL"] = "https://grafana.example/d/abc".into();
    body["alerts"][0]["panelURL"] = "".into();
    body["alerts"][0]["values"] = json!({ "B": 44.2 });
    body["alerts"][0]["startsAt"] = "2026-11-22T04:00:04.521987+01:00".into();
    let alert = fired(&body);
    assert_eq!(alert.link.as_deref(), Some("https://grafana.example/d/abc"));
    assert_eq!(alert.started_at.to_rfc3339(), "2026-11-22T03:00:04.521987+00:00");
}

#[test]
fn a_start_in_the_future_or_long_ago_is_replaced_by_the_arrival() {
    for start in ["2026-11-22T09:00:00Z", "1999-01-01T00:00:00Z"] {
        let mut body = one_alert();
        body["alerts"][0]["startsAt"] = start.into();
        let parsed = parse_value(&body).expect("good");
        let Signal::Fired { alert, .. } = &parsed.signals[0] else { panic!("it fires") };
        assert_eq!(alert.started_at, received().at);
        assert_eq!(parsed.warnings.len(), 1);
    }
}

#[test]
fn refusals_name_the_field_and_the_way_out() {
    let cases: [(&str, Value, BadAlertKind, &str); 8] = [
        ("/version", json!("3"), BadAlertKind::Version, "/version"),
        ("/version", Value::Null, BadAlertKind::Version, "/version"),
        ("/version", json!("1"), BadAlertKind::Version, "/version"),
        ("/groupKey", Value::Null, BadAlertKind::Field, "/groupKey"),
        ("/status", json!("burning"), BadAlertKind::Field, "/status"),
        ("/alerts/0/startsAt", json!("yesterday"), BadAlertKind::Field, "/alerts/0/startsAt"),
        ("/alerts/0", json!(5), BadAlertKind::Field, "/alerts/0"),
        ("/commonLabels/team", json!(["a"]), BadAlertKind::Field, "/commonLabels/team"),
    ];
    for (place, value, kind, pointer) in cases {
        let mut body = one_alert();
        *body.pointer_mut(place).expect("is there") = value;
        let bad = parse_value(&body).expect_err(place);
        assert_eq!((bad.kind, bad.pointer.as_str(), bad.status()), (kind, pointer, 400), "{}", bad.sentence);
        assert!(bad.sentence.contains(pointer), "{}", bad.sentence);
    }
}

#[test]
fn seventy_labels_still_page_and_those_that_group_are_kept() {
    let mut body = one_alert();
    for number in 0..70 {
        body["commonLabels"][format!("a{number:02}")] = "x".into();
    }
    let parsed = parse_value(&body).expect("good");
    let Signal::Fired { alert, .. } = &parsed.signals[0] else { panic!("it fires") };
    assert_eq!(alert.labels.len(), 64);
    assert_eq!(alert.labels["alertname"], "DiskWillFillIn4Hours");
    assert_eq!(alert.labels["severity"], "critical");
    assert_eq!(parsed.warnings[0].pointer, "/commonLabels");
}

#[test]
fn a_group_of_hundreds_gives_a_text_within_its_limit() {
    let mut body = three_alerts();
    let member = body["alerts"][0].clone();
    body["alerts"] = Value::Array(vec![member; 900]);
    body["truncatedAlerts"] = 100.into();
    let alert = fired(&body);
    assert_eq!(alert.title, "ReplicationLag (900 alerts)");
    assert!(alert.text.ends_with("… and 990 more"), "{}", alert.text);
    assert!(alert.text.chars().count() <= TEXT_CHARS_MAX);
}

fn good(parsed: &Parsed) {
    for signal in &parsed.signals {
        assert!(signal.delivery_key().chars().count() <= 255);
        let key = signal.dedup_key();
        assert!((1..=DEDUP_KEY_CHARS_MAX).contains(&key.chars().count()), "{key:?}");
        let texts = match signal {
            Signal::Fired { alert, .. } => {
                assert!((1..=TITLE_CHARS_MAX).contains(&alert.title.chars().count()), "{:?}", alert.title);
                assert!(!alert.title.contains('\n'));
                assert!(alert.labels.len() <= 64);
                assert!(alert.started_at <= received().at);
                assert!(alert.started_at >= received().at - TimeDelta::days(4_000));
                [&alert.title, &alert.text]
            }
            Signal::Cleared { text, dedup_key, .. } => [text, dedup_key],
        };
        for text in texts {
            assert!(text.chars().count() <= TEXT_CHARS_MAX);
            assert!(!text.chars().any(|c| c == '\0' || ('\u{202a}'..='\u{202e}').contains(&c)), "{text:?}");
        }
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,30}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        prop_oneof!["firing", "resolved", "4", "critical"].prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map("[a-zA-Z/~]{0,12}", inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

const PLACES: [&str; 16] = [
    "/status",
    "/alerts",
    "/alerts/0",
    "/alerts/0/status",
    "/alerts/0/labels",
    "/alerts/0/labels/severity",
    "/alerts/0/annotations",
    "/alerts/0/annotations/description",
    "/alerts/0/startsAt",
    "/alerts/0/endsAt",
    "/alerts/0/generatorURL",
    "/commonLabels",
    "/commonAnnotations",
    "/commonAnnotations/summary",
    "/groupKey",
    "/truncatedAlerts",
];

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(body in prop::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(parsed) = parse(&body, &received()) {
            good(&parsed);
        }
    }

    #[test]
    fn a_body_with_strange_values_in_it_is_refused_or_gives_a_sound_alert(
        changes in prop::collection::vec((prop::sample::select(&PLACES), any_json()), 1..4)
    ) {
        let mut body = one_alert();
        for (place, value) in changes {
            if let Some(slot) = body.pointer_mut(place) {
                *slot = value;
            }
        }
        match parse_value(&body) {
            Ok(parsed) => good(&parsed),
            Err(bad) => {
                prop_assert_eq!(bad.status(), 400);
                prop_assert!(!bad.sentence.is_empty());
                prop_assert!(bad.pointer.is_empty() || bad.pointer.starts_with('/'));
            }
        }
    }

    #[test]
    fn any_group_key_fires_and_clears_under_the_same_dedup_key(key in "\\PC{1,600}") {
        let mut body = one_alert();
        body["groupKey"] = key.into();
        let fired = parse_value(&body).expect("good").signals.remove(0);
        body["status"] = "resolved".into();
        let cleared = parse_value(&body).expect("good").signals.remove(0);
        prop_assert_eq!(fired.dedup_key(), cleared.dedup_key());
        prop_assert_ne!(fired.delivery_key(), cleared.delivery_key());
    }
}
