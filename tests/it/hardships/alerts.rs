//! Alerts through the real routes into incidents.

use std::collections::BTreeSet;

use futures_util::future::join_all;

use super::*;
use firebell::domain::incident::Severity;

fn number(answer: &Value) -> String {
    answer["accepted"][0]["incident"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn an_alert_opens_an_incident_pages_once_and_its_repetitions_join() {
    for house in House::on_each().await {
        let bell = house.bell().await;
        let (status, answer) = bell.alert(&fired("db")).await;
        assert_eq!((status, number(&answer).as_str()), (202, "INC-1"));
        assert_eq!(bell.incidents().await, 1, "it was stored before it was accepted");
        bell.settle(&house).await;
        for _ in 0..5 {
            assert_eq!(number(&bell.alert(&fired("db")).await.1), "INC-1");
        }
        bell.settle(&house).await;
        assert_eq!(house.direct(DANA).len(), 1);
        assert_eq!(bell.count(1, |event| matches!(event, Event::Escalated { .. })).await, 1);
    }
}

#[tokio::test]
async fn labels_route_an_alert_to_a_team_and_a_severity() {
    let house = House::on_sqlite().await;
    let bell = house.bell().await;
    let mut alert = fired("shop");
    alert["labels"] = json!({ "service": "shop" });
    bell.alert(&alert).await;
    bell.settle(&house).await;
    assert_eq!(bell.incident(1).await.severity, Severity::Sev1);
    assert_eq!((house.direct(BEN).len(), house.direct(DANA).len()), (1, 0));
}

fn alertmanager(status: &str) -> Value {
    let labels = json!({ "alertname": "Down", "service": "db" });
    json!({
        "version": "4", "groupKey": "{}:{alertname=\"Down\"}", "status": status, "receiver": "firebell",
        "groupLabels": { "alertname": "Down" }, "commonLabels": labels, "commonAnnotations": {}, "externalURL": "",
        "alerts": [{ "status": status, "labels": labels, "annotations": { "summary": "db is down" },
            "startsAt": "2023-04-02T19:00:00Z", "endsAt": "0001-01-01T00:00:00Z", "fingerprint": "abc" }],
    })
}

#[tokio::test]
async fn a_cleared_alert_resolves_where_the_route_says_so_and_is_noted_elsewhere() {
    let house = House::on_sqlite().await;
    let bell = house.bell().await;
    let (status, answer) = bell.alert_to("alertmanager", PROMETHEUS_KEY, &alertmanager("firing")).await;
    assert_eq!((status, number(&answer).as_str()), (202, "INC-1"), "{answer}");
    bell.clock.set(start() + minutes(10));
    assert_eq!(bell.alert_to("alertmanager", PROMETHEUS_KEY, &alertmanager("resolved")).await.0, 202);
    assert!(!bell.incident(1).await.is_open());
    bell.alert(&fired("db")).await;
    let mut cleared = fired("db");
    cleared["status"] = json!("resolved");
    assert_eq!(bell.alert(&cleared).await.0, 202);
    assert!(bell.incident(2).await.is_open());
    assert_eq!(bell.count(2, |event| matches!(event, Event::AlertCleared { .. })).await, 1);
    cleared["dedup_key"] = json!("never seen");
    assert_eq!(bell.alert(&cleared).await.0, 202, "clearing what never fired is no mistake");
}

#[tokio::test]
async fn the_same_alert_after_the_end_opens_a_new_incident() {
    for house in House::on_each().await {
        let bell = house.bell().await;
        bell.alert(&fired("db")).await;
        types(&house, ANA, GENERAL, "/incident INC-1 resolve").await;
        assert_eq!(number(&bell.alert(&fired("db")).await.1), "INC-2");
        bell.settle(&house).await;
        assert_eq!(house.direct(DANA).len(), 1, "the page of the resolved incident is not sent");
    }
}

#[tokio::test]
async fn an_alert_joins_the_incident_it_names_and_otherwise_that_of_its_key() {
    for house in House::on_each().await {
        let bell = house.bell().await;
        types(&house, ANA, GENERAL, "/incident open db is down").await;
        let named = |key: &str, incident: &str| {
            let mut alert = fired(key);
            alert["incident"] = json!(incident);
            alert
        };
        assert_eq!(number(&bell.alert(&named("a", "INC-1")).await.1), "INC-1");
        assert_eq!(number(&bell.alert(&fired("a")).await.1), "INC-1", "its key belongs to the incident from now on");
        assert_eq!(number(&bell.alert(&named("b", "INC-77")).await.1), "INC-2", "nobody knows INC-77");
        assert_eq!(number(&bell.alert(&named("b", "INC-1")).await.1), "INC-1", "the sender's word counts");
        types(&house, ANA, GENERAL, "/incident INC-1 resolve").await;
        assert_eq!(number(&bell.alert(&named("c", "INC-1")).await.1), "INC-3", "INC-1 is over");
    }
}

#[tokio::test]
async fn a_wrong_key_is_turned_away() {
    let house = House::on_sqlite().await;
    let bell = house.bell().await;
    for key in ["wrong", "", PROMETHEUS_KEY] {
        let (status, _) = bell.alert_to("generic", key, &fired("db")).await;
        assert!((400..500).contains(&status), "{key}: {status}");
    }
    assert_eq!(bell.alert_to("generic", "wrong", &fired("db")).await.0, 401);
    assert_eq!(bell.incidents().await, 0);
}

#[tokio::test]
async fn an_alert_that_cannot_be_read_is_refused_with_the_field() {
    let house = House::on_sqlite().await;
    let bell = house.bell().await;
    for (body, status, said) in [
        ("{", 400, "JSON"),
        ("[]", 400, "object"),
        ("", 400, "empty"),
        ("{\"title\":7}", 400, "/title"),
        ("{\"text\":\"x\"}", 400, "/title"),
        ("{\"title\":\"x\",\"started_at\":\"yesterday\"}", 400, "/started_at"),
        ("{\"title\":\"x\",\"incident\":\"five\"}", 400, "/incident"),
    ] {
        let headers = [("x-firebell-key", SCRIPT_KEY)];
        let (got, answer) = bell.post("/alerts/generic", body, &headers).await;
        assert!(got == status && answer.contains(said), "{body}: {got} {answer}");
    }
    let huge = format!("{{\"title\":\"{}\"}}", "x".repeat(1 << 20));
    assert_eq!(bell.post("/alerts/generic", &huge, &[("x-firebell-key", SCRIPT_KEY)]).await.0, 413);
    assert_eq!(bell.incidents().await, 0);
}

#[tokio::test]
async fn simultaneous_posts_of_one_alert_open_one_incident() {
    for house in House::on_each().await {
        let bell = house.bell().await;
        let alert = fired("db");
        let answers = join_all((0..50).map(|_| bell.alert(&alert))).await;
        assert!(answers.iter().all(|(status, answer)| *status == 202 && number(answer) == "INC-1"));
        assert_eq!(bell.incidents().await, 1);
    }
}

#[tokio::test]
async fn a_thousand_alerts_at_once_are_all_kept_or_told_to_come_again() {
    for house in House::on_each().await {
        let bell = house.bell().await;
        let post = |n: usize| {
            let bell = &bell;
            async move { bell.alert(&fired(&format!("storm-{n}"))).await }
        };
        let answers = join_all((0..1_000).map(post)).await;
        let kept: BTreeSet<String> =
            answers.iter().filter(|(status, _)| *status == 202).map(|(_, answer)| number(answer)).collect();
        let turned = answers.iter().filter(|(status, _)| matches!(status, 429 | 503)).count();
        let taken = answers.iter().filter(|(status, _)| *status == 202).count();
        assert_eq!(taken + turned, 1_000, "{:?}", answers.iter().map(|(status, _)| status).collect::<Vec<_>>());
        assert_eq!(bell.incidents().await, kept.len());
        assert!(taken >= 256, "only {taken} were taken");
        // Ten of their own, and the incident of the storm, which has all others.
        let joined = bell.count(11, |event| matches!(event, Event::AlertJoined { .. })).await;
        assert_eq!((kept.len(), joined), (11, taken - 10));
    }
}
