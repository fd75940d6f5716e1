//! Messages that become part of the timeline: by reaction or shortcut, with what later happens to them.

use insta::assert_snapshot;

use crate::support::world::{World, minutes, on_both};

async fn shop_is_slow() -> World {
    let world = World::new().await;
    world.ana().types("/incident open Shop is slow sev2").await;
    world.ben().types("/incident join INC-1").await;
    world.until("15:10").await;
    world
}

on_both! {
    async fn a_marked_message_keeps_its_time_author_and_link(world) {
        world.ana().types("/incident open Shop is slow sev2").await;
        world.ben().types("/incident join INC-1").await;
        world.until("15:10").await;
        let (ana, ben) = (world.ana().in_incident(1).await, world.ben().in_incident(1).await);
        let ts = ben.says("Web server logs are clean, <@U0ANA00001> & frontend ruled out").await;
        world.advance(minutes(5)).await;
        assert_eq!(ana.reacts(&ts, "memo").await, "");
        let pinned = ben.says("The cluster's network settings are wrong").await;
        ben.reacts(&pinned, "pushpin").await;
        ben.reacts(&pinned, "eyes").await;
        assert_snapshot!("capture_timeline", world.timeline(1).await);
        assert_snapshot!("capture_signs", [ana.finds("frontend"), ana.finds("network settings")].join("\n"));
        let history = world.stage().verified_history(world.incident(1).await.id).await.expect("whole");
        let sources: Vec<_> = history.iter().filter_map(|recorded| recorded.occurrence.source.clone()).collect();
        assert_eq!(sources.len(), 2);
        assert!(matches!(&sources[0], firebell::domain::event::Source::Message { author: Some(author), permalink: Some(link), .. }
            if author.as_str() == "U0BEN00001" && link.contains("/archives/")), "{sources:?}");
        // Its edit is followed, and so is its end.
        ben.edits(&ts, "Web server logs are clean, frontend ruled out at 3 PM").await;
        assert!(world.timeline(1).await.contains("ruled out at 3 PM"));
        ben.deletes(&pinned).await;
        assert!(!world.timeline(1).await.contains("network settings"));
    }
}

#[tokio::test]
async fn taking_the_mark_back_takes_the_note_back() {
    let world = shop_is_slow().await;
    let (ana, ben) = (world.ana().in_incident(1).await, world.ben().in_incident(1).await);
    let ts = ben.says("the cache is cold").await;
    ana.reacts(&ts, "memo").await;
    // Somebody else's reaction is not the one that took it.
    ben.reacts(&ts, "memo").await;
    ben.unreacts(&ts, "memo").await;
    assert!(world.timeline(1).await.contains("the cache is cold"));
    ana.unreacts(&ts, "memo").await;
    assert!(!world.timeline(1).await.contains("the cache is cold"));
    assert!(!ana.finds("the cache is cold").contains(":pencil2:"));
    ana.reacts(&ts, "memo").await;
    assert_eq!(world.timeline(1).await.matches("the cache is cold").count(), 1);
    assert!(ana.finds("the cache is cold").contains(":pencil2:"));
}

#[tokio::test]
async fn a_message_is_taken_once_whoever_marks_it() {
    let world = shop_is_slow().await;
    let (ana, ben) = (world.ana().in_incident(1).await, world.ben().in_incident(1).await);
    let ts = ben.says("the cache is cold").await;
    ana.reacts(&ts, "memo").await;
    ben.reacts(&ts, "memo").await;
    ben.reacts(&ts, "pushpin").await;
    assert_eq!(world.timeline(1).await.matches("the cache is cold").count(), 1);
}

#[tokio::test]
async fn a_shortcut_takes_a_message_with_its_file() {
    let world = shop_is_slow().await;
    let ben = world.ben().in_incident(1).await;
    let ts = ben.uploads("graph.png", Some("latency since noon")).await;
    world.advance(minutes(3)).await;
    assert_snapshot!("shortcut_form", ben.shortcut("add_to_timeline", Some(&ts)).await);
    assert_snapshot!("shortcut_answer", ben.submits(&[]).await);
    let alone = ben.uploads("errors.png", None).await;
    ben.reacts(&alone, "pushpin").await;
    assert_snapshot!("shortcut_timeline", world.timeline(1).await);
    let history = world.stage().verified_history(world.incident(1).await.id).await.expect("whole");
    let json = serde_json::to_string(&history).expect("JSON");
    assert!(json.contains("graph.png") && json.contains("errors.png"), "{json}");
}

#[tokio::test]
async fn the_form_of_a_shortcut_says_what_the_message_is() {
    let world = shop_is_slow().await;
    let ben = world.ben().in_incident(1).await;
    let phones = ben.says("the phones ring").await;
    let cause = ben.says("it was <!channel> the cache").await;
    world.advance(minutes(2)).await;
    ben.shortcut("add_to_timeline", Some(&phones)).await;
    let noticed = ben.submits(&[("Kind", "Detected: how it was noticed"), ("What happened?", "Customers call")]).await;
    assert!(noticed.contains("Customers call"), "{noticed}");
    ben.shortcut("add_to_timeline", Some(&cause)).await;
    ben.submits(&[("Kind", "Finding")]).await;
    assert_snapshot!("shortcut_kinds_timeline", world.timeline(1).await);
}

#[tokio::test]
async fn a_shortcut_outside_an_incident_asks_which() {
    let world = shop_is_slow().await;
    let ts = world.fay().says("the phones ring").await;
    world.advance(minutes(2)).await;
    assert_snapshot!("shortcut_which", world.ana().shortcut("add_to_timeline", Some(&ts)).await);
    assert_snapshot!("shortcut_which_answer", world.ana().submits(&[("Incident", "INC-1")]).await);
    assert_snapshot!("shortcut_which_timeline", world.timeline(1).await);
}

#[tokio::test]
async fn a_reaction_outside_an_incident_is_nothing() {
    let world = shop_is_slow().await;
    let before = world.events(1).await;
    let ts = world.fay().says("the phones ring").await;
    world.fay().reacts(&ts, "memo").await;
    assert_eq!(world.events(1).await, before);
}
