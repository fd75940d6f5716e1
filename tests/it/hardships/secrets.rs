//! What must never be in the log, however much is asked for and whatever goes wrong.

use std::io::Write;
use std::sync::{Arc, Mutex};

use firebell::clock::lock;
use firebell::telemetry::{Format, subscriber};

use super::*;

const PRIVATE_TITLE: &str = "canary-private-title";
const NOTE: &str = "canary-note-text";
const ALERT_TEXT: &str = "canary-alert-text";

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        lock(&self.0).write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The tests' runtime has one thread, so everything that this test's program does is logged to the guard's place.
#[tokio::test]
async fn no_secret_and_no_text_of_people_reaches_the_log() {
    let lines = Lines::default();
    let writer = lines.clone();
    let log = subscriber("trace", Format::Json, move || writer.clone()).expect("a filter");
    let guard = tracing::subscriber::set_default(log);
    let house = House::on_sqlite().await;
    let bell = house.bell().await;
    let faults = [
        ApiFault::ServerError { status: 500 },
        ApiFault::Truncated,
        ApiFault::ResetAfter,
        ApiFault::Error { code: "token_revoked".to_owned() },
        ApiFault::Error { code: "invalid_blocks".to_owned() },
    ];
    for (number, what) in (1..).zip(faults) {
        house.fault("*", None, what);
        types(&house, ANA, GENERAL, &format!("/incident open private {PRIVATE_TITLE} {number}")).await;
        types(&house, ANA, GENERAL, &format!("/escalate INC-{number} db-team")).await;
        types(&house, ANA, GENERAL, &format!("/incident INC-{number} note {NOTE}")).await;
        bell.settle(&house).await;
        house.slack.clear_faults();
        bell.advance(&house, minutes(1)).await;
    }
    let mut alert = fired("db");
    alert["text"] = json!(ALERT_TEXT);
    bell.alert(&alert).await;
    bell.alert_to("generic", "canary-wrong-key", &alert).await;
    bell.post(&format!("/alerts/generic/{SCRIPT_KEY}"), "{\"title\": canary-alert-text", &[]).await;
    bell.post("/slack/commands", &command_form(ANA, NOTE, "t"), &[]).await;
    bell.post_signed("/slack/interactions", &format!("payload={NOTE}"), bell.clock.now()).await;
    bell.settle(&house).await;
    drop(guard);
    let written = String::from_utf8(lock(&lines.0).clone()).expect("text");
    let ours: Vec<&str> = written.lines().collect();
    assert!(written.contains("a page was not accepted"), "the log was heard: {written}");
    let told = |line: &&&str| line.contains("canary") || line.contains("xoxb-");
    let leaks: Vec<&&str> = ours.iter().filter(told).collect();
    assert!(leaks.is_empty(), "{leaks:#?}");
}
