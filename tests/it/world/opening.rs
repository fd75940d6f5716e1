//! Opening an incident: what the opener, the incident's channel and everybody else are told.

use insta::assert_snapshot;

use crate::support::world::{World, minutes, on_both};

on_both! {
    async fn a_line_opens_an_incident(world) {
        let answer = world.ana().types("/incident open Shop is very slow, checkouts fail sev2").await;
        assert_snapshot!("open_answer", answer);
        assert_snapshot!("open_channel", world.ben().within("#inc-1-shop-is-very-slow-checkouts-fail").sees());
        assert_snapshot!("open_announcement", world.ben().within("#incidents").sees());
        let inside = world.ana().in_incident(1).await;
        assert_eq!(
            inside.topic(),
            "SEV2 · INC-1 Shop is very slow, checkouts fail"
        );
        assert_eq!(inside.members(), "ana firebell");
        assert_snapshot!("open_timeline", world.timeline(1).await);
    }
}

#[tokio::test]
async fn the_form_opens_an_incident_and_calls_a_team() {
    let world = World::new().await;
    assert_snapshot!("open_form", world.ana().types("/incident").await);
    let told = world
        .ana()
        .submits(&[
            ("What is wrong?", "Search finds nothing"),
            ("Severity", "SEV1"),
            ("Team to call now", "Database team"),
            ("What do you know so far?", "Since the deploy at noon"),
        ])
        .await;
    assert_snapshot!("open_form_answer", told);
    assert!(world.dana().in_dm().finds("Search finds nothing").contains("[I've got it"));
    assert_snapshot!("open_form_timeline", world.timeline(1).await);
    assert!(!world.ana().has_form());
}

#[tokio::test]
async fn a_form_without_a_title_is_not_taken() {
    let world = World::new().await;
    world.ana().types("/incident open").await;
    let complaint = world.ana().submits(&[("What is wrong?", "   ")]).await;
    assert_eq!(complaint, "title: Say in a few words what is wrong.");
    assert!(world.ana().has_form());
}

#[tokio::test]
async fn options_may_stand_before_and_behind_the_title() {
    let world = World::new().await;
    world.ana().types("/incident open sev1 Card payments fail detected=-20m by=monitoring team=dev-team").await;
    let incident = world.incident(1).await;
    assert_eq!((incident.title.as_str(), incident.severity.to_string().as_str()), ("Card payments fail", "SEV1"));
    assert_snapshot!("open_options_timeline", world.timeline(1).await);
    assert!(world.ben().in_dm().finds("Card payments fail").contains("Answer by"));
}

#[tokio::test]
async fn half_a_command_opens_the_form_with_what_was_understood() {
    let world = World::new().await;
    assert_snapshot!("open_half_form", world.ana().types("/incident open sev1 private").await);
    assert_snapshot!("open_unknown_severity", world.ana().types("/incident open sev9 shop down").await);
}

#[tokio::test]
async fn a_private_incident_is_invisible_to_others() {
    let world = World::new().await;
    let answer = world.ana().types("/incident open private Salaries have leaked sev1 team=db-team").await;
    assert_snapshot!("private_answer", answer);
    assert_eq!(world.channel_of(1).await, "#inc-1");
    assert_eq!(world.ben().within("#incidents").count(), 0);
    assert!(!world.ben().channels().contains(&"inc-1".to_owned()));
    // Who is called reads no word of it before they are in.
    let page = world.dana().in_dm().sees();
    assert!(!page.contains("Salaries"), "{page}");
    assert_snapshot!("private_page", page);
    let list = world.ben().types("/incident list").await;
    assert!(list.contains("No open incidents"), "{list}");
    let shown = world.ben().types("/incident show INC-1").await;
    assert!(shown.contains("There is no INC-1"), "{shown}");
    assert!(world.ben().types("/incident INC-1 note I was here").await.contains("There is no INC-1"));
    assert!(!world.ben().opens_home().await.contains("Salaries"));
    assert!(world.ana().types("/incident list").await.contains("Salaries"));
    assert!(world.ana().types("/incident show INC-1").await.contains("Salaries"));
    assert!(world.ana().opens_home().await.contains("Salaries"));
    // The page of the web needs proof that the reader may see it, which it cannot have yet.
    for path in ["/", "/incidents", "/incidents/1", "/incidents/1/postmortem.md", "/incidents/1/postmortem.json"] {
        let (_, page) = world.stage().get(path).await.expect("answers");
        assert!(!page.contains("Salaries"), "{path}: {page}");
    }
}

#[tokio::test]
async fn the_opener_can_undo_the_opening() {
    let world = World::new().await;
    world.ana().types("/incident open Wrong alarm team=dev-team").await;
    let told = world.ana().clicks("Undo").await;
    assert_snapshot!("open_undone", told);
    assert!(!world.incident(1).await.is_open());
    assert_snapshot!("open_undone_channel", world.ana().in_incident(1).await.sees());
    assert_snapshot!("open_undone_page", world.ben().in_dm().sees());
    assert_snapshot!("open_undone_announcement", world.ben().within("#incidents").sees());
}

#[tokio::test]
async fn a_message_opens_an_incident_that_begins_with_it() {
    let world = World::new().await;
    let ts = world.fay().says("Customers say: the basket is empty & nobody can pay <now>").await;
    world.advance(minutes(4)).await;
    assert_snapshot!("open_from_message_form", world.ana().shortcut("open_from_message", Some(&ts)).await);
    world.ana().submits(&[("Severity", "SEV2")]).await;
    assert_snapshot!("open_from_message_timeline", world.timeline(1).await);
}

#[tokio::test]
async fn the_global_shortcut_opens_the_form() {
    let world = World::new().await;
    assert!(world.ana().shortcut("open_incident", None).await.contains("What is wrong?"));
    let told = world.ana().submits(&[("What is wrong?", "Mail is late")]).await;
    assert!(told.contains("Opened INC-1: Mail is late."), "{told}");
}

#[tokio::test]
async fn an_alert_opens_an_incident_and_a_repetition_joins_it() {
    let world = World::new().await;
    let alert = serde_json::json!({ "title": "Checkout errors above 5%", "text": "12% of requests fail",
        "dedup_key": "checkout", "severity": "sev2", "started_at": "2026-12-01T19:58:00Z" });
    for _ in 0..2 {
        let (status, answer) =
            world.stage().post_json("/alerts/generic", "demo-script", &alert).await.expect("answers");
        assert_eq!(status, 202, "{answer}");
        world.flows().await;
    }
    assert_snapshot!("alert_timeline", world.timeline(1).await);
    assert_snapshot!("alert_page", world.ben().in_dm().sees());
    assert!(world.stage().incident(2).await.is_err());
}

#[tokio::test]
async fn the_zone_of_a_record_is_the_openers_own() {
    let world = World::new().await;
    world.eli().types("/incident open Replication lags").await;
    assert_eq!(world.incident(1).await.zone, "Europe/London");
    world.eli().types("/incident").await;
    world.eli().submits(&[("What is wrong?", "Backups fail")]).await;
    assert_eq!(world.incident(2).await.zone, "Europe/London");
    world.eli().types("/escalate dev-team I need a hand").await;
    world.eli().submits(&[("Incident", "A new incident")]).await;
    assert_eq!(world.incident(3).await.zone, "Europe/London");
}

#[tokio::test]
async fn an_alert_that_names_what_does_not_exist_counts_and_its_sender_hears_of_it() {
    let world = World::new().await;
    let alert = serde_json::json!({ "title": "Disk is full", "team": "db-taem", "incident": "INC-99" });
    let (status, answer) = world.stage().post_json("/alerts/generic", "demo-script", &alert).await.expect("answers");
    let answer = answer.to_string();
    assert_eq!(status, 202, "{answer}");
    for warning in [
        "There is no team \\\"db-taem\\\"; the route's is called. Is \\\"db-team\\\" meant?",
        "INC-99 is not open; the alert",
    ] {
        assert!(answer.contains(warning), "{answer}");
    }
    world.flows().await;
    assert_eq!(world.incident(1).await.title, "Disk is full");
}
