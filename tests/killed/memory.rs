//! The real program in storms of alerts: what it keeps in memory is bounded, however many come.

use std::time::Duration;

use serde_json::json;

use crate::bot::{Bot, Life};
use crate::slack::{Slack, sha256};

const ALERTS: usize = 1_000;
const STORMS: usize = 3;
const ALERT_KEY: &str = "storm-alert-key";
/// How far the first storm may take it above what it has when idle: caches that fill, and requests under way.
const FIRST_STORM_KB: u64 = 64 << 10;
/// How far as many again, twice, may take it above that. An alert that stayed in memory with 10 KB would take 40 MB.
const LATER_STORMS_KB: u64 = 32 << 10;

/// The most that a process ever had in memory, kilobytes.
fn peak_kb(life: &Life) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", life.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux says so");
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Sends an alert as often as it takes until it is taken.
async fn alert(http: &reqwest::Client, url: &str, key: &str) {
    let alert = json!({ "title": key, "dedup_key": key, "status": "firing", "labels": { "host": key } });
    for _ in 0..100 {
        let answer = http.post(url).bearer_auth(ALERT_KEY).json(&alert).send().await.unwrap();
        match answer.status().as_u16() {
            202 => return,
            429 | 503 => tokio::time::sleep(Duration::from_millis(200)).await,
            other => panic!("{key}: {other}"),
        }
    }
    panic!("{key} is never taken");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn storms_of_equal_and_of_different_alerts_leave_memory_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let slack = Slack::start(folder.path());
    let database = format!("sqlite:{}", folder.path().join("firebell.db").display());
    let bot = Bot::new(folder.path(), &slack, database, slack.bot_port).with(&format!(
        "[[integrations]]\nkey = \"script\"\nkind = \"generic\"\nkey_sha256 = \"{}\"\nteam = \"db-team\"\n",
        sha256(ALERT_KEY)
    ));
    let mut life = bot.start().await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("http://127.0.0.1:{}/alerts/generic", bot.port());
    alert(&http, &url, "the first").await;
    let idle = peak_kb(&life);
    let mut peaks = Vec::new();
    for storm in 0..STORMS {
        for _ in 0..ALERTS {
            alert(&http, &url, "the same").await;
        }
        for nth in 0..ALERTS {
            alert(&http, &url, &format!("{storm}-{nth}")).await;
        }
        peaks.push(peak_kb(&life));
    }
    println!("at most {idle} KB when idle, then {peaks:?} KB after each {} alerts", 2 * ALERTS);
    assert!(!life.has_ended());
    assert!(peaks[0] <= idle + FIRST_STORM_KB, "{idle} KB when idle, {peaks:?} KB in storms");
    assert!(peaks[STORMS - 1] <= peaks[0] + LATER_STORMS_KB, "{idle} KB when idle, {peaks:?} KB in storms");
}
