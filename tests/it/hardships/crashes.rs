//! The program ends at the worst moment; another one starts on the same database.

use super::*;
use firebell::domain::effect::Lane;
use firebell::domain::event::PageResult;

async fn open_and_escalate(house: &House) {
    types(house, ANA, GENERAL, "/incident open db is down").await;
    types(house, ANA, GENERAL, "/escalate INC-1 db-team").await;
}

#[tokio::test]
async fn what_was_committed_but_not_yet_done_is_done_once_by_the_next_program() {
    for house in House::on_each().await {
        let first = house.bell().await;
        open_and_escalate(&house).await;
        drop(first);
        assert_eq!((house.direct(DANA).len(), house.channels().len()), (0, 0), "the first program did nothing yet");
        let second = house.bell().await;
        second.settle(&house).await;
        assert_eq!(house.direct(DANA).len(), 1);
        assert_eq!(house.channels(), ["inc-1-db-is-down"]);
        second.advance(&house, minutes(2)).await;
        assert_eq!((house.direct(DANA).len(), house.channels().len()), (1, 1));
    }
}

#[tokio::test]
async fn a_timer_that_ran_out_while_nothing_ran_fires_at_the_next_start() {
    for house in House::on_each().await {
        let first = house.bell().await;
        open_and_escalate(&house).await;
        first.settle(&house).await;
        drop(first);
        house.clock.set(start() + minutes(30));
        let second = house.bell().await;
        second.settle(&house).await;
        assert_eq!((house.direct(DANA).len(), house.direct(ELI).len(), house.direct(FAY).len()), (1, 1, 0));
        second.advance(&house, minutes(1)).await;
        assert_eq!(house.direct(FAY).len(), 1, "the rest follows a minute apart, not at once");
    }
}

#[tokio::test]
async fn a_page_that_was_claimed_but_not_sent_goes_out_when_the_lease_ends_and_the_record_says_so() {
    for house in House::on_each().await {
        let first = house.bell().await;
        open_and_escalate(&house).await;
        let claimed = first.program.app.claim(&[Lane::Page], 10).await.expect("claims");
        assert_eq!(claimed.len(), 1);
        drop(first);
        let second = house.bell().await;
        second.settle(&house).await;
        assert_eq!(house.direct(DANA).len(), 0, "the lease still holds");
        second.advance(&house, seconds(9)).await;
        assert_eq!(house.direct(DANA).len(), 1);
        let unknown = |event: &Event| matches!(event, Event::PageAttempted { result: PageResult::Unknown { .. }, .. });
        assert_eq!(second.count(1, unknown).await, 1, "nobody knows what became of the first attempt");
        assert_eq!(second.count(1, is_page_sent).await, 1);
    }
}

#[tokio::test]
async fn a_page_that_slack_took_just_before_the_crash_is_found_and_not_sent_again() {
    for house in House::on_each().await {
        let first = house.bell().await;
        open_and_escalate(&house).await;
        sends_and_dies(&house, first).await;
        let second = house.bell().await;
        second.advance(&house, minutes(1)).await;
        assert_eq!(house.direct(DANA).len(), 1);
        assert_eq!(second.count(1, is_page_sent).await, 1);
        assert_eq!(house.channels().len(), 1);
    }
}

#[tokio::test]
async fn a_page_that_a_program_had_claimed_half_a_day_ago_is_not_sent_blindly() {
    for house in House::on_each().await {
        let first = house.bell().await;
        open_and_escalate(&house).await;
        assert_eq!(first.program.app.claim(&[Lane::Page], 10).await.expect("claims").len(), 1);
        drop(first);
        house.clock.set(start() + minutes(13 * 60));
        let second = house.bell().await;
        // The worker comes before the timers here.
        second.program.worker.drain().await.expect("nothing fails");
        second.settle(&house).await;
        assert_eq!((house.direct(DANA).len(), house.direct(ELI).len(), house.direct(FAY).len()), (0, 0, 1));
        let unknown = |event: &Event| matches!(event, Event::PageAttempted { result: PageResult::Unknown { .. }, .. });
        assert_eq!(second.count(1, unknown).await, 1, "nobody knows what became of the first attempt");
        assert_eq!(second.count(1, |event| matches!(event, Event::PageWithheld { .. })).await, 1);
        assert_eq!(second.count(1, |event| matches!(event, Event::EscalationHeld { .. })).await, 1);
    }
}

#[tokio::test]
async fn a_page_that_slack_took_half_a_day_ago_is_found_before_anybody_is_asked() {
    for house in House::on_each().await {
        let first = house.bell().await;
        open_and_escalate(&house).await;
        sends_and_dies(&house, first).await;
        house.clock.set(start() + minutes(13 * 60));
        let second = house.bell().await;
        second.program.worker.drain().await.expect("nothing fails");
        assert_eq!(second.count(1, is_page_sent).await, 1, "it is found");
        assert_eq!(second.count(1, |event| matches!(event, Event::EscalationHeld { .. })).await, 0);
        second.settle(&house).await;
        assert_eq!((house.direct(DANA).len(), house.direct(ELI).len(), house.direct(FAY).len()), (1, 0, 1));
        assert_eq!(second.count(1, |event| matches!(event, Event::PageWithheld { .. })).await, 0);
        assert_eq!(second.count(1, |event| matches!(event, Event::EscalationHeld { .. })).await, 1);
    }
}

/// The program dies after Slack took a page and before it heard so.
async fn sends_and_dies(house: &House, bell: Bell) {
    house.fault("chat.postMessage", Some(1), ApiFault::Slow { ms: 300 });
    let mut news = house.slack.subscribe();
    let drain = bell.program.worker.drain();
    tokio::pin!(drain);
    while house.direct(DANA).is_empty() {
        tokio::select! {
            ended = &mut drain => panic!("the call ended too soon: {ended:?}"),
            _ = news.recv() => {}
        }
    }
}

#[tokio::test]
async fn an_acknowledgement_before_the_page_is_claimed_stops_it_and_after_it_the_page_says_so() {
    for house in House::on_each().await {
        let bell = house.bell().await;
        open_and_escalate(&house).await;
        types(&house, ELI, GENERAL, "/escalate INC-1 ack").await;
        bell.settle(&house).await;
        assert_eq!(house.direct(DANA).len(), 0, "nobody is paged for what somebody has");

        types(&house, ANA, GENERAL, "/incident open shop is down").await;
        types(&house, ANA, GENERAL, "/escalate INC-2 db-team").await;
        let claimed = bell.program.app.claim(&[Lane::Page], 10).await.expect("claims");
        assert_eq!(claimed.len(), 1);
        types(&house, ELI, GENERAL, "/escalate INC-2 ack").await;
        bell.advance(&house, seconds(9)).await;
        assert_eq!(house.direct(DANA).len(), 0, "the lease ran out after the acknowledgement");
        assert_eq!(bell.count(2, |event| matches!(event, Event::Acknowledged { .. })).await, 1);
    }
}

#[tokio::test]
async fn an_effect_that_this_version_cannot_read_is_set_aside_and_the_others_go_out() {
    let house = House::on_sqlite().await;
    let bell = house.bell().await;
    open_and_escalate(&house).await;
    tamper(
        &house,
        "INSERT INTO outbox (workspace, incident_id, lane, effect, state, attempt, ready_at, created_at, uncertain)
         VALUES ('T0SHOPFRNT', 1, 0, '{\"effect\":\"from_the_future\"}', 'pending', 0, 0, 0, 0)",
    )
    .await;
    bell.settle(&house).await;
    assert_eq!(house.direct(DANA).len(), 1);
    assert_eq!(dead(&bell).await, 1);
}

#[tokio::test]
async fn an_incident_that_cannot_be_read_does_not_hold_up_the_pages_of_others() {
    let house = House::on_sqlite().await;
    let bell = house.bell().await;
    open_and_escalate(&house).await;
    types(&house, ANA, GENERAL, "/incident open shop is down").await;
    types(&house, ANA, GENERAL, "/escalate INC-2 dev-team").await;
    tamper(&house, "UPDATE incidents SET state = '{}' WHERE number = 1").await;
    tamper(&house, "UPDATE timers SET timer = '{}' WHERE incident_id = 1").await;
    bell.settle(&house).await;
    assert_eq!((house.direct(DANA).len(), house.direct(BEN).len()), (0, 1));
    let answer = types(&house, ANA, GENERAL, "/incident INC-1 severity sev1").await.to_string();
    assert!(answer.contains("reference"), "{answer}");
    bell.clock.set(start() + minutes(5));
    bell.settle(&house).await;
    assert_eq!(house.direct(FAY).len(), 1, "the other incident went on to its end");
}

/// Changes the database behind the program's back.
pub(super) async fn tamper(house: &House, sql: &'static str) {
    use sqlx::{Connection as _, Executor as _};
    let file = house.folder.path().join("firebell.db");
    let mut other = sqlx::SqliteConnection::connect(&format!("sqlite:{}", file.display())).await.expect("opens");
    other.execute(sql).await.expect("runs");
    other.close().await.expect("closes");
}

/// How many effects were given up.
async fn dead(bell: &Bell) -> u64 {
    let mut tx = bell.program.app.db().read().await.expect("reads");
    store::outbox::depth(&mut tx).await.expect("reads").values().map(|depth| depth.dead).sum()
}

#[tokio::test]
async fn what_was_claimed_and_not_begun_when_the_program_is_stopped_waits_for_nobodys_lease() {
    for house in House::on_each().await {
        let bell = house.bell().await;
        types(&house, ANA, GENERAL, "/incident open db is down").await;
        types(&house, ANA, GENERAL, "/escalate INC-1 db-team").await;
        scheduler::tick(&bell.program.app).await.expect("the first tier is called");
        let running = tokio::spawn(bell.program.worker.clone().run());
        // It has asked for effects now, and the answer is on its way.
        tokio::task::yield_now().await;
        bell.program.worker.stop().await;
        running.abort();
        let replica = house.bell().await;
        replica.settle(&house).await;
        assert_eq!(house.direct(DANA).len(), 1, "at once, by the same clock");
        let lost = |event: &Event| {
            matches!(event, Event::PageAttempted { result: firebell::domain::event::PageResult::Unknown { .. }, .. })
        };
        assert_eq!(replica.count(1, lost).await, 0);
    }
}
