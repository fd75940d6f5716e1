//! The end of an incident and what follows: resolving, reopening, canceling, the postmortem's message.

use insta::assert_snapshot;

use crate::support::world::{CONFIG, World, minutes, on_both};

async fn shop_is_slow() -> World {
    let world = World::new().await;
    world.ana().types("/incident open Shop is slow sev2 team=dev-team").await;
    world.until("15:04").await;
    world
}

on_both! {
    async fn resolving_ends_calls_and_begins_the_postmortem(world) {
        world.ana().types("/incident open Shop is slow sev2 team=dev-team").await;
        world.until("15:04").await;
        let ana = world.ana().in_incident(1).await;
        assert_snapshot!("resolve_answer", ana.types("/incident resolve the cache was cleared").await);
        assert_snapshot!("resolve_channel", ana.sees());
        assert_snapshot!("resolve_announcement", world.fay().within("#incidents").sees());
        assert_snapshot!("resolve_page", world.ben().in_dm().sees());
        assert_eq!(ana.topic(), "Resolved · SEV2 · INC-1 Shop is slow");
        world.advance(minutes(30)).await;
        assert_eq!(world.chris().in_dm().count(), 0);
        assert_snapshot!("resolve_again", ana.types("/incident resolve").await);
        ana.types("/incident cause a cold cache").await;
        assert_snapshot!("resolve_draft_after_an_answer", ana.finds("Postmortem draft"));
    }
}

on_both! {
    async fn a_message_that_reads_so_already_is_not_edited_again(world) {
        world.ana().types("/incident open Shop is slow sev2 team=dev-team").await;
        world.until("15:06").await;
        world.chris().in_dm().clicks("I've got it").await;
        world.ana().types("/incident INC-1 resolve").await;
        let seen = |world: &World| (world.ben().in_dm().edits_seen(), world.ben().in_dm().sees());
        let before = seen(&world);
        assert!(!before.0[0].is_empty(), "it was edited when Chris took it");
        world.advance(minutes(1)).await;
        world.ana().types("/incident INC-1 reopen").await;
        world.advance(minutes(1)).await;
        world.ana().types("/incident INC-1 resolve").await;
        assert_eq!(seen(&world), before);
        assert!(world.ana().in_incident(1).await.finds("INC-1 Shop is slow").contains("Resolved"), "the card has changed");
    }
}

#[tokio::test]
async fn the_resolve_form_asks_what_is_easiest_to_say_now() {
    let world = shop_is_slow().await;
    let ana = world.ana().in_incident(1).await;
    assert_snapshot!("resolve_form", ana.clicks("Resolve").await);
    let told = ana
        .submits(&[
            ("What ended it?", "No failing page for ten minutes"),
            ("Share of users affected", "30%"),
            ("Root cause in one sentence", "a cold cache"),
            ("Impact began", "14:50"),
        ])
        .await;
    assert_snapshot!("resolve_form_answer", told);
    assert_snapshot!("resolve_form_post", ana.finds("resolved 3:04 PM"));
    assert_snapshot!("resolve_form_draft", ana.finds("Postmortem draft"));
}

#[tokio::test]
async fn what_comes_back_is_reopened_by_command_and_button() {
    let world = shop_is_slow().await;
    let ana = world.ana().in_incident(1).await;
    ana.types("/incident resolve").await;
    world.advance(minutes(10)).await;
    assert_snapshot!("reopen_answer", ana.types("/incident reopen it is slow again").await);
    assert_snapshot!("reopen_post", ana.finds("it is slow again"));
    assert!(world.incident(1).await.is_open());
    ana.types("/incident resolve now really").await;
    ana.clicks("Reopen").await;
    assert!(world.incident(1).await.is_open());
    assert_snapshot!("reopen_timeline", world.timeline(1).await);
}

#[tokio::test]
async fn what_was_none_is_canceled() {
    let world = shop_is_slow().await;
    let ana = world.ana().in_incident(1).await;
    assert_snapshot!("cancel_answer", ana.types("/incident cancel a test of the alarm").await);
    assert_snapshot!("cancel_post", ana.finds("a test of the alarm"));
    assert_snapshot!("cancel_then_note", ana.types("/incident status monitoring").await);
    assert_snapshot!("cancel_then_call", ana.types("/escalate db-team").await);
    assert_snapshot!("cancel_help", ana.types("/incident help").await);
    assert!(!ana.sees().contains("Postmortem draft"));
}

#[tokio::test]
async fn documents_are_written_and_written_again() {
    let config = CONFIG.replace("# dir = \"postmortems\"", "dir = \"postmortems\"");
    let world = World::with(&config).await;
    world.ana().types("/incident open Shop is slow sev2").await;
    let ana = world.ana().in_incident(1).await;
    ana.types("/incident resolve the cache was cleared").await;
    let folder = std::fs::read_dir(world.folder().join("postmortems")).expect("a folder").next().expect("one incident");
    let folder = folder.expect("readable").path();
    assert_eq!(folder.file_name().and_then(|name| name.to_str()), Some("INC-1-shop-is-slow"));
    assert!(folder.join("postmortem.html").is_file() && folder.join("postmortem.json").is_file());
    ana.types("/incident cause a cold cache").await;
    let text = std::fs::read_to_string(folder.join("postmortem.md")).expect("readable");
    assert!(text.to_lowercase().contains("a cold cache"), "{text}");
}

#[tokio::test]
async fn an_alert_that_clears_is_told_and_does_not_resolve() {
    let world = World::new().await;
    let fired = serde_json::json!({ "title": "Checkout errors", "text": "12% fail", "dedup_key": "checkout" });
    world.stage().post_json("/alerts/generic", "demo-script", &fired).await.expect("answers");
    world.advance(minutes(3)).await;
    let cleared = serde_json::json!({ "dedup_key": "checkout", "status": "resolved", "text": "0% fail", "title": "Checkout errors" });
    let (status, answer) = world.stage().post_json("/alerts/generic", "demo-script", &cleared).await.expect("answers");
    assert_eq!(status, 202, "{answer}");
    world.flows().await;
    world.ana().types("/incident join INC-1").await;
    assert_snapshot!("alert_cleared", world.ana().in_incident(1).await.finds("alert cleared"));
    assert!(world.incident(1).await.is_open());
}

on_both! {
    async fn an_alert_that_fires_again_before_its_incident_is_resolved_joins_it_and_calls_who_is_not_being_called(world) {
        hears(&world, "firing").await;
        hears(&world, "resolved").await;
        hears(&world, "firing").await;
        assert_eq!(world.incident(1).await.escalations.len(), 1, "Dana is being called");

        world.dana().in_dm().clicks("I've got it").await;
        hears(&world, "resolved").await;
        hears(&world, "firing").await;
        assert_eq!(world.incident(1).await.escalations.len(), 1, "she has just taken it");
        hears(&world, "resolved").await;
        world.advance(minutes(90)).await;
        hears(&world, "firing").await;
        assert_eq!(world.incident(1).await.escalations.len(), 2, "she may have gone to sleep");
        assert!(world.dana().in_dm().sees().contains("Checkout errors fires again"), "{}", world.dana().in_dm().sees());
        assert!(world.stage().incident(2).await.is_err());

        world.dana().types("/incident INC-1 resolve it was the cache").await;
        hears(&world, "resolved").await;
        hears(&world, "firing").await;
        assert!(world.stage().incident(2).await.is_ok());
    }
}

async fn hears(world: &World, status: &str) {
    let alert =
        serde_json::json!({ "dedup_key": "checkout", "status": status, "title": "Checkout errors", "team": "db-team" });
    let (code, answer) = world.stage().post_json("/alerts/generic", "demo-script", &alert).await.expect("answers");
    assert_eq!(code, 202, "{answer}");
    world.advance(minutes(1)).await;
}
