//! Times in which Slack could not reach the program: what was marked, edited and deleted meanwhile is found afterwards.

use firebell::domain::event::Source;
use firebell::program::Listening;
use firebell::sandbox::{ApiFault, Delivery};
use insta::assert_snapshot;

use crate::support::world::{World, minutes, on_both};

fn deliver_to(world: &World, url: &str) {
    world.stage().slack.set_delivery(Delivery::Http {
        commands_url: format!("{url}/slack/commands"),
        interactions_url: format!("{url}/slack/interactions"),
        events_url: format!("{url}/slack/events"),
    });
}

/// Slack's requests meet nobody from now on.
fn cut(world: &World) {
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("is bound").port();
    deliver_to(world, &format!("http://127.0.0.1:{port}"));
    ear(world).hears(false);
}

fn mended(world: &World) {
    deliver_to(world, &world.stage().url);
    ear(world).hears(true);
}

fn ear(world: &World) -> &Listening {
    world.stage().program.listening()
}

/// Looks back and lets follow what follows; how many marks and changes were found.
async fn catches_up(world: &World) -> (usize, usize) {
    let found = ear(world).catch_up().await.expect("Slack answers");
    world.flows().await;
    (found.marked, found.followed)
}

/// Which messages were taken, and whether that was found out late.
async fn taken(world: &World) -> Vec<bool> {
    let history = world.stage().verified_history(world.incident(1).await.id).await.expect("whole");
    let late = |source: &Source| match source {
        Source::Message { late, .. } => Some(*late),
        Source::Link { .. } => None,
    };
    history.iter().filter_map(|recorded| late(recorded.occurrence.source.as_ref()?)).collect()
}

on_both! {
    async fn what_was_marked_edited_and_deleted_while_slack_was_not_heard_is_found_once(world) {
        world.ana().types("/incident open Shop is slow sev2").await;
        world.ben().types("/incident join INC-1").await;
        ear(&world).hears(true);
        world.until("15:10").await;
        let (ana, ben) = (world.ana().in_incident(1).await, world.ben().in_incident(1).await);
        let edited = ben.says("web servers are fine").await;
        let deleted = ben.says("it is the network").await;
        let corrected = ben.says("the cache is cold").await;
        for ts in [&edited, &deleted, &corrected] {
            ana.reacts(ts, "memo").await;
        }
        let older = ben.says("connections are used up").await;
        ear(&world).note().await.expect("is noted");

        world.until("15:20").await;
        cut(&world);
        ben.edits(&edited, "web servers are fine, all four").await;
        ben.deletes(&deleted).await;
        ben.says("nobody marks this").await;
        let new = ben.says("a deploy ended at 2:58 PM").await;
        world.advance(minutes(1)).await;
        ben.reacts(&new, "eyes").await;
        ben.reacts(&new, "pushpin").await;
        ana.reacts(&older, "memo").await;
        let reply = ana.replies(&new, "it changed the pool size").await;
        ben.reacts(&reply, "memo").await;
        let before = world.timeline(1).await;
        assert!(before.contains("it is the network") && !before.contains("all four") && !before.contains("deploy"));
        assert_eq!(catches_up(&world).await, (0, 0), "not before Slack is heard again");

        mended(&world);
        assert_eq!(catches_up(&world).await, (3, 2));
        assert_snapshot!("missed_timeline", world.timeline(1).await);
        assert_eq!(taken(&world).await, [false, false, false, true, true, true]);
        assert!(ana.finds("a deploy ended").contains(":pencil2:"));

        // Slack's last tries come through, and somebody looks again: nothing is done twice.
        let events = world.events(1).await;
        world.advance(minutes(10)).await;
        cut(&world);
        mended(&world);
        assert_eq!(catches_up(&world).await, (0, 0));
        assert_eq!(world.events(1).await, events);
    }

    async fn what_was_marked_while_nothing_ran_is_found_at_the_next_start(mut world) {
        world.ana().types("/incident open Shop is slow sev2").await;
        ear(&world).hears(true);
        world.until("15:10").await;
        ear(&world).note().await.expect("is noted");
        cut(&world);
        let ana = world.ana().in_incident(1).await;
        let ts = ana.says("the replica is an hour behind").await;
        ana.reacts(&ts, "memo").await;
        world.advance(minutes(20)).await;
        world.restarts().await;
        ear(&world).remember().await.expect("is remembered");
        assert_eq!(catches_up(&world).await, (0, 0), "not before Slack is heard");
        mended(&world);
        assert_eq!(catches_up(&world).await, (1, 0));
        assert!(world.timeline(1).await.contains("3:10 PM EST note/Note: the replica is an hour behind"));
    }
}

#[tokio::test]
async fn what_somebody_corrected_by_hand_is_not_overwritten_by_what_the_message_says() {
    let world = World::new().await;
    world.ana().types("/incident open Shop is slow sev2").await;
    ear(&world).hears(true);
    world.until("15:10").await;
    let ana = world.ana().in_incident(1).await;
    let ts = ana.says("the cache is cold").await;
    ana.reacts(&ts, "memo").await;
    world.until("15:20").await;
    ana.edits(&ts, "the cache is warm").await;
    let id = world.incident(1).await.id;
    let seq = world.events(1).await - 1;
    let history = world.stage().verified_history(id).await.expect("whole");
    let target = history.iter().find(|recorded| recorded.occurrence.source.is_some()).expect("is taken").seq;
    assert!(target <= seq);
    world.until("15:21").await;
    ana.types(&format!("/incident edit {target} the cache was warm all along")).await;
    cut(&world);
    mended(&world);
    assert_eq!(catches_up(&world).await, (0, 0));
    assert!(world.timeline(1).await.contains("all along"));
}

#[tokio::test]
async fn a_channel_that_cannot_be_read_keeps_nobody_from_the_others_and_slacks_absence_is_waited_for() {
    let world = World::new().await;
    ear(&world).hears(true);
    world.ana().types("/incident open Shop is slow sev2").await;
    world.ana().types("/incident open Mail is slow sev2").await;
    world.until("15:10").await;
    cut(&world);
    for number in [1, 2] {
        let ana = world.ana().in_incident(number).await;
        let ts = ana.says("this is it").await;
        ana.reacts(&ts, "memo").await;
    }
    mended(&world);
    world.slack_fails("conversations.history", None, ApiFault::ServerError { status: 503 });
    ear(&world).catch_up().await.expect_err("to be tried again");
    world.slack_recovers();
    // The newest is read first.
    world.slack_fails("conversations.history", Some(1), ApiFault::Error { code: "channel_not_found".to_owned() });
    assert_eq!(catches_up(&world).await, (1, 0));
    assert!(world.timeline(1).await.contains("this is it"));
}
