//! Edits of messages: none that says what stands there already, whoever wrote it; and each that does not.

use firebell::app::{Settled, Work};
use firebell::domain::command::Finished;
use firebell::domain::effect::{Effect, Lane};

use super::*;

/// How often this message was edited, as far as Slack knows.
fn edits(house: &House, (channel, ts): &(String, String)) -> usize {
    let (entries, _) = house.slack.journal(0, 10_000);
    let is_of = |request: &Value| request["ts"] == *ts && request["channel"] == *channel;
    entries.iter().filter(|entry| entry.method == "chat.update" && is_of(&entry.request) && entry.ok).count()
}

/// Where a message is.
fn place(channel: &str, message: &Value) -> (String, String) {
    (channel.to_owned(), message["ts"].as_str().expect("a ts").to_owned())
}

/// The first page of somebody.
fn page(house: &House, user: &str) -> (String, String) {
    let channel = house.slack.find_direct(user, BOT).expect("a conversation");
    place(&channel, &house.direct(user)[0])
}

/// The announcement of the one incident, and where it is.
fn announcement(house: &House) -> (Value, (String, String)) {
    let state = house.slack.export();
    let mut channels = state["channels"].as_object().expect("channels by id").iter();
    let (channel, _) = channels.find(|(_, channel)| channel["name"] == "incidents").expect("exists");
    let message = house.said_in(ANA, channel).pop().expect("is announced");
    let place = place(channel, &message);
    (message, place)
}

fn announced(house: &House, severity: &str) {
    let (message, _) = announcement(house);
    let text = message["text"].as_str().expect("a text");
    assert!(text.contains(severity), "{text}");
}

async fn severity(house: &House, severity: &str) {
    types(house, ANA, GENERAL, &format!("/incident INC-1 severity {severity}")).await;
}

async fn passes(house: &House, bell: &Bell, span: TimeDelta) {
    bell.advance(house, span).await;
}

#[tokio::test]
async fn a_page_that_reads_so_already_is_not_edited_again_not_even_after_a_restart() {
    for house in House::on_each().await {
        let bell = house.bell().await;
        types(&house, ANA, GENERAL, "/incident open Shop is slow").await;
        types(&house, ANA, GENERAL, "/escalate INC-1 db-team").await;
        passes(&house, &bell, minutes(6)).await;
        let (dana, eli) = (page(&house, DANA), page(&house, ELI));
        assert_eq!((edits(&house, &dana), edits(&house, &eli)), (2, 0), "the channel came, and Eli is called too");
        acknowledge(&house, ELI).await;
        bell.settle(&house).await;
        assert_eq!((edits(&house, &dana), edits(&house, &eli)), (3, 1));
        drop(bell);
        let bell = house.bell().await;
        types(&house, ANA, GENERAL, "/incident INC-1 resolve").await;
        passes(&house, &bell, minutes(1)).await;
        types(&house, ANA, GENERAL, "/incident INC-1 reopen").await;
        passes(&house, &bell, minutes(1)).await;
        types(&house, ANA, GENERAL, "/incident INC-1 resolve").await;
        passes(&house, &bell, minutes(1)).await;
        assert_eq!((edits(&house, &dana), edits(&house, &eli)), (3, 1), "both said all the while who has it");
    }
}

#[tokio::test]
async fn what_another_replica_wrote_is_not_written_again_and_is_written_over() {
    let Some(house) = House::on_postgres().await else { return };
    let (one, other) = (house.bell().await, house.bell().await);
    types(&house, ANA, GENERAL, "/incident open Shop is slow sev3").await;
    one.settle(&house).await;
    let (_, message) = announcement(&house);
    let before = edits(&house, &message);
    severity(&house, "sev1").await;
    other.settle(&house).await;
    announced(&house, "SEV1");
    assert_eq!(edits(&house, &message), before + 1);
    // The first remembers that it has written this, and must not believe that it still stands.
    severity(&house, "sev3").await;
    one.settle(&house).await;
    announced(&house, "SEV3");
    assert_eq!(edits(&house, &message), before + 2);
    // What one of them wrote, the other need not write again.
    types(&house, ANA, GENERAL, "/escalate INC-1 db-team").await;
    one.settle(&house).await;
    acknowledge(&house, DANA).await;
    one.settle(&house).await;
    let dana = page(&house, DANA);
    let written = edits(&house, &dana);
    types(&house, ANA, GENERAL, "/incident INC-1 resolve").await;
    other.settle(&house).await;
    assert_eq!(edits(&house, &dana), written);
}

#[tokio::test]
async fn an_edit_of_unknown_outcome_does_not_count_as_made_or_as_not_made() {
    for house in House::on_each().await {
        let bell = house.bell().await;
        types(&house, ANA, GENERAL, "/incident open Shop is slow sev3").await;
        passes(&house, &bell, minutes(1)).await;
        // Slack has edited it, and nobody hears of it.
        house.fault("chat.update", None, ApiFault::ResetAfter);
        severity(&house, "sev1").await;
        bell.settle(&house).await;
        announced(&house, "SEV1");
        severity(&house, "sev3").await;
        house.slack.clear_faults();
        passes(&house, &bell, seconds(20)).await;
        announced(&house, "SEV3");
        // It was not edited, and nobody hears of it.
        house.fault("chat.update", None, ApiFault::ResetBefore);
        severity(&house, "sev2").await;
        bell.settle(&house).await;
        announced(&house, "SEV3");
        house.slack.clear_faults();
        passes(&house, &bell, seconds(20)).await;
        announced(&house, "SEV2");
    }
}

#[tokio::test]
async fn an_edit_that_may_still_arrive_keeps_later_ones_from_counting_for_a_minute() {
    for house in House::on_each().await {
        let bell = house.bell().await;
        types(&house, ANA, GENERAL, "/incident open Shop is slow sev3").await;
        passes(&house, &bell, minutes(1)).await;
        let (_, message) = announcement(&house);
        house.fault("chat.update", None, ApiFault::ResetBefore);
        severity(&house, "sev1").await;
        bell.settle(&house).await;
        house.slack.clear_faults();
        passes(&house, &bell, seconds(20)).await;
        announced(&house, "SEV1");
        let written = edits(&house, &message);
        for more in 1..=2 {
            edit_again(&bell).await;
            passes(&house, &bell, minutes(1)).await;
            assert_eq!(edits(&house, &message), written + more, "the lost one might have come after what stands there");
        }
        edit_again(&bell).await;
        passes(&house, &bell, minutes(1)).await;
        assert_eq!(edits(&house, &message), written + 2, "it cannot come any more");
    }
}

/// Wants the announcement edited though nothing has changed.
async fn edit_again(bell: &Bell) {
    let (incident, now) = (bell.incident(1).await, bell.clock.now());
    let mut tx = bell.program.app.db().write().await.expect("begins");
    let effect = Effect::UpdateAnnouncement;
    let new = store::outbox::New {
        workspace: incident.workspace.clone(),
        incident: Some(incident.id),
        effect,
        not_before: now,
        created_at: now,
        due_at: None,
    };
    store::outbox::enqueue(&mut tx, &[new]).await.expect("is put in");
    tx.commit().await.expect("commits");
}

#[tokio::test]
async fn an_edit_that_slack_refused_for_now_is_tried_until_it_is_taken() {
    for house in House::on_each().await {
        let bell = house.bell().await;
        types(&house, ANA, GENERAL, "/incident open Shop is slow sev3").await;
        passes(&house, &bell, minutes(1)).await;
        for what in [ApiFault::ServerError { status: 503 }, ApiFault::RateLimited { retry_after: 3, plain: false }] {
            house.fault("chat.update", None, what);
            severity(&house, "sev1").await;
            bell.settle(&house).await;
            announced(&house, "SEV3");
            house.slack.clear_faults();
            passes(&house, &bell, seconds(20)).await;
            announced(&house, "SEV1");
            severity(&house, "sev3").await;
            passes(&house, &bell, seconds(20)).await;
            announced(&house, "SEV3");
        }
    }
}

#[tokio::test]
async fn whoever_dies_in_an_edit_leaves_nobody_believing_that_it_was_not_made() {
    for house in House::on_each().await {
        let bell = house.bell().await;
        types(&house, ANA, GENERAL, "/incident open Shop is slow sev3").await;
        passes(&house, &bell, minutes(1)).await;
        let (_, message) = announcement(&house);
        severity(&house, "sev1").await;
        let claimed = bell.program.app.claim(&Lane::ALL, 100).await.expect("claims");
        assert!(claimed.iter().any(|work| work.effect == Effect::UpdateAnnouncement));
        drop(bell);
        // What stands there is what is wanted again. Only who knows how far the other had come could leave it at that.
        let bell = house.bell().await;
        severity(&house, "sev3").await;
        let written = edits(&house, &message);
        passes(&house, &bell, seconds(20)).await;
        announced(&house, "SEV3");
        assert!(edits(&house, &message) > written);
    }
}

#[tokio::test]
async fn who_comes_back_too_late_with_an_edit_has_it_made_again() {
    for house in House::on_each().await {
        let bell = house.bell().await;
        types(&house, ANA, GENERAL, "/incident open Shop is slow sev3").await;
        passes(&house, &bell, minutes(1)).await;
        let (_, message) = announcement(&house);
        severity(&house, "sev1").await;
        let claimed = bell.program.app.claim(&Lane::ALL, 100).await.expect("claims");
        let wanted = |work: &&Work| work.effect == Effect::UpdateAnnouncement;
        let slow = claimed.iter().find(wanted).expect("is claimed").clone();
        passes(&house, &bell, minutes(2)).await;
        announced(&house, "SEV1");
        let written = edits(&house, &message);
        let told = bell.program.app.settle(&slow, Settled::Done(Finished::Quietly));
        assert!(!told.await.expect("is heard"), "somebody else had taken it over");
        passes(&house, &bell, minutes(2)).await;
        assert_eq!(edits(&house, &message), written + 1);
    }
}
