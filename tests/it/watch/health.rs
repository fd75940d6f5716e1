//! What `/readyz` says, and what the auditor finds.

use firebell::domain::command::Timer;
use firebell::sandbox::ApiFault;
use firebell::store::timers::{self, TimerSet};
use firebell::{scheduler, watch};
use sqlx::{Connection as _, Executor as _, SqliteConnection};

use super::{house, sqlite_in};
use crate::support::world::{minutes, seconds};

#[tokio::test]
async fn a_program_that_keeps_its_promise_is_ready() {
    let house = house("").await;
    assert_eq!(house.ready().await, (200, "ready\n".to_owned()));
    house.is_called().await;
    house.stage.advance(minutes(7)).await.expect("nothing fails");
    assert_eq!(house.ready().await, (200, "ready\n".to_owned()));
}

#[tokio::test]
async fn timers_that_nobody_looks_at_make_it_unready() {
    let house = house("").await;
    house.stage.settle().await.expect("nothing fails");
    house.stands_still_for(seconds(5));
    assert_eq!(house.ready().await.0, 200);
    house.stands_still_for(seconds(1));
    assert_eq!(house.ready().await, (503, "The timers have not been looked through for 6 s.\n".to_owned()));
    house.stage.settle().await.expect("nothing fails");
    assert_eq!(house.ready().await.0, 200);
}

#[tokio::test]
async fn a_page_that_nobody_tries_to_send_makes_it_unready_and_is_found_by_the_auditor() {
    let house = house("").await;
    house.is_called().await;
    house.stands_still_for(seconds(11));
    scheduler::tick(&house.stage.program.app).await.expect("nothing fails");
    let (status, said) = house.ready().await;
    assert_eq!((status, said.as_str()), (503, "A page is 11 s overdue and nobody has tried to send it.\n"));
    let found = house.stage.program.watch().audit(std::future::ready(())).await.expect("reads");
    assert_eq!(found, watch::Findings { not_attempted: 1, without_timer: 0 });
    assert!(house.ready().await.1.contains("The auditor found 1 overdue pages"));
    house.stage.settle().await.expect("nothing fails");
    assert!(house.stage.program.watch().audit(std::future::ready(())).await.expect("reads").is_empty());
    assert_eq!(house.ready().await.0, 200);
}

#[tokio::test]
async fn what_a_start_or_a_standstill_finds_overdue_is_left_to_whoever_does_it() {
    let house = house("").await;
    house.is_called().await;
    house.stage.settle().await.expect("nothing fails");
    house.stands_still_for(minutes(5) + seconds(12));
    let watch = house.stage.program.watch();
    let everybody_had_a_turn = async { house.stage.settle().await.expect("nothing fails") };
    assert!(watch.audit(everybody_had_a_turn).await.expect("reads").is_empty());
    assert_eq!(house.ready().await.0, 200);

    house.stands_still_for(minutes(5) + seconds(12));
    let nobody_did_anything = std::future::ready(());
    let found = watch.audit(nobody_did_anything).await.expect("reads");
    assert_eq!(found, watch::Findings { not_attempted: 1, without_timer: 0 });
}

#[tokio::test]
async fn of_more_running_calls_than_are_read_at_once_the_last_is_looked_at_too() {
    let house = house("").await;
    for _ in 0..3 {
        house.is_called().await;
    }
    house.stands_still_for(seconds(11));
    scheduler::tick(&house.stage.program.app).await.expect("nothing fails");
    let watch = house.stage.program.watch().clone().reading_at_once(2);
    let found = watch.audit(std::future::ready(())).await.expect("reads");
    assert_eq!(found, watch::Findings { not_attempted: 3, without_timer: 0 });
}

#[tokio::test]
async fn of_more_open_incidents_than_are_read_at_once_the_history_of_the_last_is_checked_too() {
    let house = house("").await;
    for _ in 0..3 {
        house.is_called().await;
    }
    house.stage.settle().await.expect("nothing fails");
    let app = &house.stage.program.app;
    let watch = house.stage.program.watch().clone().reading_at_once(2);
    watch.verify_chains().await.expect("reads");
    assert_eq!(app.metrics().chain_failures.get(), 0);

    let mut conn = SqliteConnection::connect(&sqlite_in(house.folder.path())).await.expect("the database");
    conn.execute("DROP TRIGGER history_only_erases").await.expect("nothing guards it any more");
    conn.execute("UPDATE history SET at = at + 1 WHERE incident_id = 1 AND seq = 1").await.expect("is one entry");
    watch.verify_chains().await.expect("reads");
    assert_eq!(app.metrics().chain_failures.get(), 1);
}

#[tokio::test]
async fn a_step_that_does_not_begin_is_as_overdue_as_a_page() {
    let house = house("").await;
    house.is_called().await;
    house.stage.settle().await.expect("nothing fails");
    house.stands_still_for(minutes(5) + seconds(12));
    let (_, said) = house.ready().await;
    assert!(said.contains("A page is 12 s overdue and nobody has tried to send it."), "{said}");
}

#[tokio::test]
async fn a_call_on_hold_is_counted_and_no_trouble() {
    let house = house("").await;
    house.is_called().await;
    house.stage.settle().await.expect("nothing fails");
    house.stands_still_for(minutes(2 * 24 * 60));
    house.stage.settle().await.expect("nothing fails");
    assert!(house.stage.program.watch().audit(std::future::ready(())).await.expect("reads").is_empty());
    let metrics = house.stage.program.app.metrics();
    assert_eq!(metrics.calls_held.get().to_bits(), 1.0_f64.to_bits());
    assert_eq!(house.ready().await.0, 200);
}

#[tokio::test]
async fn a_call_that_has_lost_its_timer_is_found() {
    let house = house("").await;
    house.is_called().await;
    house.stage.settle().await.expect("nothing fails");
    let app = &house.stage.program.app;
    let incident = house.stage.incident(1).await.expect("exists");
    assert!(matches!(incident.timers()[0].0, Timer::TierDue { .. }));
    let mut tx = app.db().write().await.expect("begins");
    let none = TimerSet { workspace: incident.workspace.clone(), incident: incident.id, timers: Vec::new() };
    timers::replace(&mut tx, &[none]).await.expect("is taken out");
    tx.commit().await.expect("commits");
    let found = house.stage.program.watch().audit(std::future::ready(())).await.expect("reads");
    assert_eq!(found, watch::Findings { not_attempted: 0, without_timer: 1 });
    assert_eq!(house.ready().await.0, 503);
}

#[tokio::test]
async fn a_token_that_slack_refuses_makes_it_unready_until_slack_takes_it_again() {
    let house = house("").await;
    house.slack_fails("*", ApiFault::Error { code: "token_revoked".to_owned() });
    house.is_called().await;
    house.stage.settle().await.expect("nothing fails");
    let (status, said) = house.ready().await;
    assert_eq!((status, said.contains("Slack refuses the bot's token.")), (503, true), "{said}");
    house.stage.slack.clear_faults();
    house.stage.advance(seconds(31)).await.expect("nothing fails");
    assert_eq!(house.ready().await, (200, "ready\n".to_owned()));
}

#[tokio::test]
async fn a_database_that_is_gone_makes_it_unready_and_the_process_still_answers() {
    let house = house("").await;
    house.stage.program.app.db().close().await;
    let (status, said) = house.ready().await;
    assert_eq!((status, said.contains("The database does not take a transaction.")), (503, true), "{said}");
    assert_eq!(house.stage.get("/healthz").await.expect("an answer").0, 200);
}
