//! An old copy of the database, or a machine that stood for a day: what was due is asked about before anybody is paged.

use chrono::TimeDelta;
use firebell::sandbox::ApiFault;
use insta::assert_snapshot;
use sqlx::{AssertSqlSafe, Connection, Executor, SqliteConnection};

use crate::support::world::{CONFIG, World, minutes, on_both};

fn days(days: i64) -> TimeDelta {
    TimeDelta::days(days)
}

/// Ana leads INC-1 and has called Development: Ben was paged, and Chris is due in four minutes.
async fn calling(world: &World) {
    world.ana().types("/incident open Shop is slow sev2").await;
    let ana = world.ana().in_incident(1).await;
    ana.types("/incident commander me").await;
    ana.types("/escalate dev-team response times are up sharply").await;
    world.advance(minutes(1)).await;
    assert_eq!(paged(world), (1, 0));
}

/// How many messages Ben and Chris have had.
fn paged(world: &World) -> (usize, usize) {
    (world.ben().in_dm().count(), world.chris().in_dm().count())
}

on_both! {
    async fn what_was_due_two_days_ago_is_paged_once_somebody_says_so(old) {
        let mut world = old;
        calling(&world).await;
        world.stands_still(days(2)).await;
        assert_eq!(paged(&world), (1, 0), "nobody of the tiers is paged");
        let ana = world.ana().in_incident(1).await;
        assert_snapshot!("held_question_in_the_channel", ana.finds("Should anybody be paged now?"));
        assert_snapshot!("held_question_to_who_leads", world.ana().in_dm().finds("Should anybody be paged now?"));
        assert_eq!(world.fay().in_dm().count(), 1);
        assert_snapshot!("held_question_notification", world.fay().in_dm().notification());
        assert_snapshot!("held_call_message", ana.finds("The call for Development team"));
        assert_snapshot!("held_page", world.ben().in_dm().sees());
        assert_snapshot!("held_list", ana.types("/incident list").await);
        assert_snapshot!("held_why", ana.types("/escalate why").await);
        assert_snapshot!("held_home", world.fay().opens_home().await);
        assert!(ana.finds("Teams: ").contains("on hold"), "the card says so");
        // Nothing happens by itself, and nobody is asked twice.
        let before = world.events(1).await;
        world.advance(minutes(180)).await;
        assert_eq!((paged(&world), world.fay().in_dm().count(), world.events(1).await), ((1, 0), 1, before));

        world.fay().in_dm().clicks("Page now").await;
        assert_eq!(paged(&world), (1, 1));
        assert_snapshot!("held_then_paged", world.chris().in_dm().sees());
        assert_snapshot!("held_question_answered", world.fay().in_dm().sees());
        world.advance(minutes(4)).await;
        assert_eq!(paged(&world), (1, 1));
        world.advance(minutes(1)).await;
        assert_eq!(paged(&world), (2, 1), "the next tier is paged at its time");
        world.ben().in_dm().clicks("I've got it").await;
        assert_snapshot!("held_timeline", world.timeline(1).await);
    }

    async fn a_held_call_is_ended_by_a_press(old) {
        let mut world = old;
        calling(&world).await;
        world.stands_still(days(2)).await;
        let ana = world.ana().in_incident(1).await;
        ana.clicks("End this call").await;
        world.advance(minutes(180)).await;
        assert_eq!(paged(&world), (1, 0));
        assert_snapshot!("held_then_ended", ana.finds("The call for Development team is over"));
        assert_snapshot!("held_question_ended", world.fay().in_dm().sees());
        assert_snapshot!("held_ended_timeline", world.timeline(1).await);
    }

    async fn a_standstill_of_eleven_hours_pages_late(old) {
        let mut world = old;
        calling(&world).await;
        world.stands_still(TimeDelta::hours(11)).await;
        assert_eq!(paged(&world), (1, 1));
        assert_eq!(world.fay().in_dm().count(), 0);
        assert!(world.chris().in_dm().sees().contains("Late: due"), "{}", world.chris().in_dm().sees());
    }

    async fn pages_that_have_lain_in_the_outbox_for_days_are_not_sent(old) {
        let mut world = old;
        world.expects_complaints();
        world.ana().types("/incident open Shop is slow sev2").await;
        let ana = world.ana().in_incident(1).await;
        world.slack_fails("chat.postMessage", None, ApiFault::ServerError { status: 503 });
        ana.types("/escalate dev-team response times are up sharply").await;
        assert_eq!(paged(&world), (0, 0));
        world.slack_recovers();
        world.stands_still(days(2)).await;
        assert_eq!(paged(&world), (0, 0));
        assert_snapshot!("held_never_sent", world.fay().in_dm().sees());
        world.fay().in_dm().clicks("Page now").await;
        assert_eq!(paged(&world), (1, 0));
        assert_snapshot!("held_never_sent_timeline", world.timeline(1).await);
    }

    async fn commands_answer_the_question_as_well(old) {
        let mut world = old;
        calling(&world).await;
        world.ana().in_incident(1).await.types("/escalate db-team").await;
        world.stands_still(days(2)).await;
        assert_eq!(world.fay().in_dm().count(), 1, "one question for both calls");
        assert_snapshot!("held_question_of_two", world.fay().in_dm().sees());
        let ana = world.ana().in_incident(1).await;
        assert_snapshot!("held_resumed_by_command", ana.types("/escalate dev-team").await);
        assert_eq!(paged(&world), (1, 1));
        ana.types("/incident resolve all is well").await;
        world.advance(minutes(60)).await;
        assert_eq!((paged(&world), world.eli().in_dm().count()), ((1, 1), 0));
        assert_snapshot!("held_question_resolved", world.fay().in_dm().sees());
    }
}

#[tokio::test]
async fn an_old_copy_that_is_restored_pages_nobody_blindly() {
    let mut world = World::new().await;
    calling(&world).await;
    let copy = world.folder().join("backup.db");
    let file = format!("sqlite:{}", world.folder().join("firebell.db").display());
    let mut conn = SqliteConnection::connect(&file).await.expect("the database");
    conn.execute(AssertSqlSafe(format!("VACUUM INTO '{}'", copy.display()))).await.expect("a copy");
    conn.close().await.expect("closes");
    // The day goes on, and the copy does not know it.
    world.until("15:07").await;
    world.chris().in_dm().clicks("I've got it").await;
    world.ana().in_incident(1).await.types("/incident resolve it was the cache").await;
    assert_eq!(paged(&world), (1, 1));
    world.advance(days(2)).await;

    world.restores(&copy).await;
    world.advance(minutes(60)).await;
    assert_eq!(paged(&world), (1, 1), "nobody is paged again");
    assert_eq!(world.fay().in_dm().count(), 1);
    // Reading it checks the chain.
    assert_snapshot!("held_restored_timeline", world.timeline(1).await);
    let ana = world.ana().in_incident(1).await;
    ana.types("/incident resolve it was over long ago").await;
    assert!(world.fay().in_dm().sees().contains("resolved"), "{}", world.fay().in_dm().sees());
    assert_eq!(world.timeline(1).await.lines().count(), 11);
}

#[tokio::test]
async fn how_late_is_too_late_is_configured() {
    let config = CONFIG.replace("ask_after = \"12h\"", "ask_after = \"3d\"");
    let mut world = World::with(&config).await;
    calling(&world).await;
    world.stands_still(days(2)).await;
    assert_eq!(paged(&world), (1, 1));
}

#[tokio::test]
async fn who_is_asked_about_many_incidents_reads_of_them_in_one_message() {
    let mut world = World::new().await;
    for _ in 0..8 {
        world.ana().types("/incident open Shop is slow sev2 team=dev-team").await;
        world.advance(minutes(1)).await;
    }
    let before = world.fay().in_dm().count();
    world.stands_still(days(2)).await;
    world.advance(minutes(2)).await;
    let fay = world.fay().in_dm();
    assert!(fay.count() - before <= 6, "{}", fay.sees());
    assert_snapshot!("held_digest", fay.finds("On hold: nobody was paged for"));
}
