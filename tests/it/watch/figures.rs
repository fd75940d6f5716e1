//! What stands at `/metrics` after things have happened.

use firebell::sandbox::ApiFault;

use super::house;
use crate::support::world::{CONFIG, World, minutes, seconds};

async fn shown() -> World {
    World::where_instead("on_server = false", "on_server = true").await
}

async fn metrics(world: &World) -> String {
    let (status, text) = world.stage().get("/metrics").await.expect("an answer");
    assert_eq!(status, 200);
    text
}

/// The value of one sample as it is written, by its name with its labels.
fn value<'t>(text: &'t str, sample: &str) -> &'t str {
    let found = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    found.unwrap_or_else(|| panic!("no {sample} in\n{text}"))
}

fn number(text: &str, sample: &str) -> f64 {
    value(text, sample).parse().expect("a number")
}

#[tokio::test]
async fn a_call_is_measured_from_its_due_time_to_its_answer() {
    let world = shown().await;
    world.ana().types("/incident open Chandelier fell sev2").await;
    world.ana().in_incident(1).await.types("/escalate dev-team the secret word is marmalade").await;
    world.advance(minutes(5)).await;
    world.advance(seconds(30)).await;
    world.chris().in_dm().clicks("I've got it").await;
    let text = metrics(&world).await;
    let lateness = |tier: &str| {
        let labels = format!("{{to=\"person\",tier=\"{tier}\",catch_up=\"no\"");
        let name = "firebell_page_lateness_seconds";
        [format!("{name}_bucket{labels},le=\"0.5\"}}"), format!("{name}_count{labels}}}")]
            .map(|name| value(&text, &name))
    };
    assert_eq!(lateness("first"), ["1", "1"]);
    assert_eq!(lateness("later"), ["1", "1"]);
    assert_eq!(value(&text, "firebell_ack_seconds_sum"), "330");
    assert_eq!(value(&text, "firebell_page_attempts_total{to=\"person\",outcome=\"accepted\"}"), "2");
    assert_eq!(value(&text, "firebell_oldest_unaccepted_page_seconds"), "0");
    assert_eq!(value(&text, "firebell_db_up"), "1");
    assert!(number(&text, "firebell_slack_requests_total{method=\"chat.postMessage\",code=\"ok\"}") >= 2.0);
    assert!(number(&text, "firebell_ingress_handle_seconds_count{kind=\"command\"}") >= 2.0);
    assert!(number(&text, "firebell_timeline_entries_total") > 5.0);
    assert!(number(&text, "firebell_disk_free_bytes") > 0.0);
    // Of what people write, and of who they are, nothing is a label.
    for told in ["Chandelier", "marmalade", "chris", "U0CHRIS001", "dev-team", "xoxb"] {
        assert!(!text.contains(told), "{told} is in the figures");
    }
}

#[tokio::test]
async fn a_standstill_is_a_catch_up_and_a_call_that_nobody_answers_is_exhausted() {
    let world = shown().await;
    world.ana().types("/incident open Shop is slow sev2 team=dev-team").await;
    world.sleeps_through(minutes(8)).await;
    world.advance(minutes(30)).await;
    let text = metrics(&world).await;
    assert_eq!(value(&text, "firebell_late_catchup_total"), "1");
    let late = "firebell_page_lateness_seconds_bucket{to=\"person\",tier=\"later\",catch_up=\"yes\",le=\"300\"}";
    assert_eq!(value(&text, late), "1");
    assert_eq!(value(&text, "firebell_escalation_exhausted_total"), "1");
    assert_eq!(value(&text, "firebell_fallback_used_total"), "1");
    assert_eq!(value(&text, "firebell_outbox_depth{lane=\"page\",state=\"pending\"}"), "0");
}

#[tokio::test]
async fn a_page_that_slack_refuses_to_take_is_overdue_until_it_is_taken() {
    let world = shown().await;
    world.ana().types("/incident open Shop is slow sev2").await;
    world.slack_fails("chat.postMessage", None, ApiFault::ServerError { status: 503 });
    world.ana().in_incident(1).await.types("/escalate dev-team").await;
    world.advance(seconds(30)).await;
    let text = metrics(&world).await;
    let overdue = number(&text, "firebell_oldest_unaccepted_page_seconds");
    assert!((30.0..=60.0).contains(&overdue), "{overdue}");
    assert_eq!(value(&text, "firebell_oldest_unattempted_page_seconds"), "0");
    assert!(number(&text, "firebell_page_attempts_total{to=\"person\",outcome=\"failed\"}") >= 2.0, "{text}");
    world.slack_recovers();
    world.advance(seconds(30)).await;
    let text = metrics(&world).await;
    assert_eq!(value(&text, "firebell_oldest_unaccepted_page_seconds"), "0");
    assert_eq!(value(&text, "firebell_page_attempts_total{to=\"person\",outcome=\"accepted\"}"), "1");
}

#[tokio::test]
async fn the_figures_are_shown_nowhere_unless_somebody_asks_for_it() {
    assert!(CONFIG.contains("# bind = \"127.0.0.1:9464\""));
    let house = house("").await;
    assert_eq!(house.stage.get("/metrics").await.expect("an answer").0, 404);
}
