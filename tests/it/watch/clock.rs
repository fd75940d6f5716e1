//! The machine's clock is set while calls are under way.

use firebell::program::clock_was_set;
use firebell::sandbox::ApiFault;

use crate::support::world::{World, minutes, on_both, seconds};

/// What the watch over the clock does when it notices.
async fn the_clock_is_set(world: &World, by: chrono::TimeDelta) {
    world.stage().clock.set(world.now() + by);
    clock_was_set(&world.stage().program.app, by).await.expect("is followed");
    world.flows().await;
}

async fn called(world: &World) {
    world.ana().types("/incident open Shop is slow sev2").await;
    world.ana().in_incident(1).await.types("/escalate dev-team response times are up sharply").await;
}

on_both! {
    async fn a_clock_that_is_set_back_delays_no_page_and_hurries_none(world) {
        called(&world).await;
        world.advance(minutes(2)).await;
        the_clock_is_set(&world, minutes(-60)).await;
        world.advance(seconds(179)).await;
        assert_eq!(world.chris().in_dm().count(), 0, "not before its five minutes");
        world.advance(seconds(2)).await;
        assert_eq!(world.chris().in_dm().count(), 1, "not an hour later");
        let timeline = world.timeline(1).await;
        assert!(timeline.contains("2:02 PM"), "{timeline}");
        assert!(timeline.contains("note: The server's clock was set back by 1 h"), "{timeline}");
    }

    async fn a_page_that_waits_for_its_next_attempt_follows_a_clock_that_is_set_back(world) {
        world.ana().types("/incident open Shop is slow sev2").await;
        let ana = world.ana().in_incident(1).await;
        world.slack_fails("chat.postMessage", None, ApiFault::ServerError { status: 503 });
        ana.types("/escalate dev-team").await;
        world.slack_recovers();
        assert_eq!(world.ben().in_dm().count(), 0);
        the_clock_is_set(&world, minutes(-60)).await;
        world.advance(seconds(16)).await;
        assert_eq!(world.ben().in_dm().count(), 1);
    }

    async fn a_clock_that_is_set_forward_calls_who_is_due_by_it(world) {
        called(&world).await;
        the_clock_is_set(&world, minutes(60)).await;
        assert_eq!(world.chris().in_dm().count(), 1);
        assert!(world.timeline(1).await.contains("The server's clock was set forward by 1 h"));
    }
}

#[tokio::test]
async fn an_acknowledgement_that_runs_out_runs_out_in_its_time_whatever_the_clock_shows() {
    let mut world = World::new().await;
    world.ana().types("/incident open Shop is slow sev2").await;
    world.ana().in_incident(1).await.types("/escalate db-team").await;
    world.dana().in_dm().clicks("I've got it").await;
    world.advance(minutes(30)).await;
    the_clock_is_set(&world, minutes(-120)).await;
    world.advance(minutes(29)).await;
    assert_eq!(world.dana().in_dm().count(), 1);
    world.advance(minutes(2)).await;
    let timeline = world.timeline(1).await;
    assert!(timeline.contains("2:00 PM EST page (Database team): No sign of activity from Dana"), "{timeline}");
    // The workspace reckons its limits by the same clock, and thinks that an hour's messages lie ahead.
    world.expects_complaints();
}

#[tokio::test]
async fn a_clock_that_is_set_all_the_time_does_not_fill_the_timeline() {
    let world = World::new().await;
    world.ana().types("/incident open Shop is slow sev2").await;
    for _ in 0..30 {
        the_clock_is_set(&world, minutes(-1)).await;
    }
    assert_eq!(world.timeline(1).await.matches("The server's clock").count(), 20);
    let metrics = world.stage().program.app.metrics().clone();
    assert_eq!(metrics.clock_jumps.get(), 30);
    assert!((metrics.clock_jump.get() + 60.0).abs() < 1e-9);
}

#[tokio::test]
async fn what_is_over_is_not_told_of_the_clock() {
    let world = World::new().await;
    world.ana().types("/incident open Shop is slow sev2").await;
    world.ana().in_incident(1).await.types("/incident resolve it was the cache").await;
    let before = world.events(1).await;
    the_clock_is_set(&world, minutes(-60)).await;
    assert_eq!(world.events(1).await, before);
}

#[tokio::test]
async fn calling_again_after_the_clock_was_set_back_is_a_wish_for_the_next_tier() {
    let world = World::new().await;
    called(&world).await;
    world.advance(minutes(2)).await;
    the_clock_is_set(&world, minutes(-60)).await;
    world.ana().in_incident(1).await.types("/escalate dev-team still slow").await;
    assert_eq!(world.chris().in_dm().count(), 1);
}
