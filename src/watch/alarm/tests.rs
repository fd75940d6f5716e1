use chrono::TimeDelta;
use serde_json::{Value, json};

use super::*;
use crate::sandbox::{Act, ApiFault, Fault, Workspace};
use crate::stage::{Set, Stage, sqlite_in};

const CONFIG: &str = include_str!("../../../firebell.example.toml");
const ANA: &str = "U0ANA00001";
const FAY: &str = "U0FAY00001";
const BOT: &str = "U0FIREBELL";
const GENERAL: &str = "C0GENERAL1";

async fn stage() -> (Stage, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let stage = Stage::set(Set {
        start_at: "2026-12-01T20:00:00Z".parse().expect("an instant"),
        config: CONFIG.to_owned(),
        folder: folder.path().to_owned(),
        database_url: sqlite_in(folder.path()),
        workspace: Workspace::demo(),
        keys: vec![("prometheus".into(), "prometheus-key".to_owned()), ("script".into(), "script-key".to_owned())],
        rate_limits: false,
    })
    .await
    .expect("the program starts");
    (stage, folder)
}

/// Larger than a page of the file, so that it needs a new one.
fn large(nth: u32) -> Value {
    json!({ "title": format!("Disk {nth}"), "text": "🔥".repeat(2_500), "dedup_key": format!("disk-{nth}") })
}

fn told_in(stage: &Stage, user: &str, channel: &str) -> Vec<String> {
    let page = stage.slack.messages(user, channel, 100, None).expect("is visible");
    let texts = page["messages"].as_array().expect("a list").iter().filter_map(|message| message["text"].as_str());
    texts.filter(|text| text.contains(":rotating_light:")).map(ToOwned::to_owned).collect()
}

fn told_to_fay(stage: &Stage) -> Vec<String> {
    stage.slack.find_direct(FAY, BOT).map_or_else(Vec::new, |channel| told_in(stage, FAY, &channel))
}

async fn alert(stage: &Stage, nth: u32) -> (u16, Value) {
    stage.post_json("/alerts/generic", "script-key", &large(nth)).await.expect("an answer")
}

#[tokio::test]
async fn a_full_disk_refuses_alerts_and_commands_so_that_they_come_again_and_is_told_once() {
    let (stage, _folder) = stage().await;
    let mut alarm = stage.program.alarm();
    assert_eq!(alert(&stage, 1).await.0, 202);
    assert_eq!(alarm.look().await, 0);

    stage.program.app.db().leave_no_room().await;
    let (status, answer) = alert(&stage, 2).await;
    assert_eq!((status, answer["error"]["code"].as_str()), (503, Some("disk_full")), "{answer}");
    let sentence = answer["error"]["message"].as_str().unwrap_or_default();
    assert!(sentence.contains("full") && sentence.contains("send it again in 30 seconds"), "{sentence}");
    let (status, said) = stage.get("/readyz").await.expect("an answer");
    assert!(status == 503 && said.contains("The disk of the database is full"), "{said}");
    assert!(stage.program.app.metrics().text().contains("firebell_db_full 1"));
    assert_eq!(stage.get("/incidents/1").await.expect("an answer").0, 200, "what is there can be read");

    stage.program.app.db().leave_no_room().await;
    let text = format!("/incident INC-1 note {}", "🔥".repeat(2_500));
    let act = Act::Command { channel: GENERAL.to_owned(), text };
    let answer = stage.slack.act(ANA, act).await.expect("is answered");
    let said = answer["response"]["text"].as_str().unwrap_or_default();
    assert!(said.contains("the disk of Firebell's database is full"), "{said}");

    assert!(alarm.look().await >= 1);
    assert_eq!(alarm.look().await, 0, "once is enough");
    let told = told_to_fay(&stage);
    assert!(matches!(&told[..], [one] if one.contains("disk of the database is full")), "{told:?}");

    let (status, answer) = alert(&stage, 2).await;
    assert_eq!((status, answer["accepted"][0]["incident"].as_str()), (202, Some("INC-2")), "without a restart");
    assert_eq!(stage.get("/readyz").await.expect("an answer").0, 200);
    assert_eq!(stage.program.app.metrics().db_full.get().to_bits(), 0.0_f64.to_bits());

    // The log may be written over for a while: it comes and goes, and is one trouble.
    stage.program.app.db().leave_no_room().await;
    assert_eq!(alert(&stage, 3).await.0, 503);
    assert_eq!(alarm.look().await, 0);
    stage.clock.set(stage.clock.now() + AWAY_MIN);
    assert!(alarm.look().await >= 1, "after a while it is another one");
}

#[tokio::test]
async fn who_could_not_be_told_is_told_when_slack_takes_it() {
    let (stage, _folder) = stage().await;
    let mut alarm = stage.program.alarm();
    stage.program.app.metrics().db_full.set(1.0);
    let what = ApiFault::ServerError { status: 503 };
    stage.slack.add_fault(Fault::Api { method: "chat.postMessage".to_owned(), nth: None, what });
    assert_eq!(alarm.look().await, 0);
    stage.slack.clear_faults();
    assert_eq!(alarm.look().await, 0, "not at once");
    stage.clock.set(stage.clock.now() + TimeDelta::minutes(1));
    assert!(alarm.look().await >= 1);
    assert_eq!(told_to_fay(&stage).len(), 1);
}
