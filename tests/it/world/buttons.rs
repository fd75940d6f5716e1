//! The card's buttons and the forms behind them, the App Home, and words to the app itself.

use firebell::sandbox::ApiFault;
use insta::assert_snapshot;

use crate::support::world::{World, minutes, on_both};

/// INC-1, ten minutes old.
async fn shop_is_slow() -> World {
    let world = World::new().await;
    world.ana().types("/incident open Shop is slow sev2").await;
    world.until("15:10").await;
    world
}

on_both! {
    async fn every_form_of_the_card_does_what_its_command_does(world) {
        world.ana().types("/incident open Shop is slow sev2").await;
        world.until("15:10").await;
        let ana = world.ana().in_incident(1).await;
        let mut told = Vec::new();
        for (button, answers) in [
            ("Escalate", &[("Team", "Database team"), ("Why them?", "queries hang")][..]),
            ("Update", &[("What should the others know?", "We look at the database")][..]),
            ("Add note", &[("What happened?", "restarted the proxy"), ("Kind", "Action"), ("When", "15:07")][..]),
            ("Change status", &[("Status", "Identified"), ("What should the others know?", "it is the network")][..]),
            ("Change severity", &[("Severity", "SEV1")][..]),
            ("Give out a role", &[("Role", "Scribe"), ("Person", "eli")][..]),
            ("Add task", &[("What must be done?", "Add an alert"), ("Owner", "dana"), ("Due", "2026-12-04")][..]),
            ("Mitigated", &[("Since when are users fine?", "15:09"), ("What do users see now?", "all is well")][..]),
            (
                "Postmortem details",
                &[
                    ("Service", "the website"),
                    ("Kind of impact", "egradation"),
                    ("Impact", "30% of users could not pay"),
                    ("Detected by", "monitoring"),
                    ("Impact began", "15:02"),
                    ("Impact ended", "15:09"),
                    ("Measures, one a line", "alert earlier\nrehearse it"),
                ][..],
            ),
        ] {
            let form = ana.clicks(button).await;
            let after = ana.submits(answers).await;
            assert!(!ana.has_form(), "{button}: {after}");
            told.push(format!("[{button}]\n{form}\n└ {after}"));
        }
        assert_snapshot!("forms", told.join("\n\n"));
        assert_snapshot!("forms_channel", ana.sees());
        assert_snapshot!("forms_timeline", world.timeline(1).await);
        let incident = world.incident(1).await;
        assert_eq!(incident.measures, ["alert earlier", "rehearse it"]);
        assert!(world.dana().in_dm().sees().contains("queries hang"));
    }
}

#[tokio::test]
async fn somebody_takes_the_lead_by_button() {
    let world = shop_is_slow().await;
    world.ben().types("/incident join INC-1").await;
    let ben = world.ben().in_incident(1).await;
    assert_eq!(ben.clicks("I'll lead").await, "");
    assert!(ben.finds("Lead: Ben").contains("Lead: Ben"));
    assert_snapshot!("lead_taken", ben.finds("leads INC-1"));
    assert_eq!(ben.topic(), "SEV2 · INC-1 Shop is slow");
}

#[tokio::test]
async fn a_form_says_what_is_wrong_at_its_field() {
    let world = shop_is_slow().await;
    let ana = world.ana().in_incident(1).await;
    ana.clicks("Add note").await;
    assert_snapshot!("form_future", ana.submits(&[("What happened?", "x"), ("When", "23:59")]).await);
    ana.clicks("Postmortem details").await;
    let wrong = ana.submits(&[("Impact began", "15:05"), ("Impact ended", "15:01")]).await;
    assert_snapshot!("form_backwards", wrong);
    assert!(ana.has_form());
}

#[tokio::test]
async fn a_form_that_slack_does_not_open_is_told() {
    let world = shop_is_slow().await;
    let ana = world.ana().in_incident(1).await;
    world.slack_fails("views.open", None, ApiFault::Error { code: "expired_trigger_id".to_owned() });
    assert_snapshot!("form_not_opened_by_button", ana.clicks("Add note").await);
    assert_snapshot!("form_not_opened_by_command", world.ana().types("/incident").await);
    assert_snapshot!("form_not_opened_for_a_call", world.ana().types("/escalate").await);
    assert_snapshot!("form_not_opened_to_ask_which", world.ana().types("/incident note x").await);
}

#[tokio::test]
async fn the_form_of_a_vanished_trigger_changes_nothing_twice() {
    let world = shop_is_slow().await;
    let ana = world.ana().in_incident(1).await;
    ana.clicks("Change severity").await;
    let before = world.events(1).await;
    assert_snapshot!("form_unchanged", ana.submits(&[]).await);
    assert_eq!(world.events(1).await, before);
}

#[tokio::test]
async fn home_shows_what_concerns_its_owner() {
    let world = shop_is_slow().await;
    world.ben().types("/incident open Mail is late sev4 team=dev-team").await;
    let ana = world.ana().in_incident(1).await;
    ana.types("/incident resolve it works").await;
    world.advance(minutes(12)).await;
    assert_snapshot!("home_of_the_called", world.ben().opens_home().await);
    assert_snapshot!("home_of_the_uninvolved", world.fay().opens_home().await);
    world.ben().clicks_at_home("I've got it").await;
    assert_snapshot!("home_after_the_answer", world.ben().opens_home().await);
    world.dana().types("/incident INC-1 task @dana due fri add an alert").await;
    assert!(world.dana().opens_home().await.contains("add an alert"));
    world.dana().clicks_at_home("Done").await;
    assert!(!world.dana().opens_home().await.contains("add an alert"));
    assert!(world.fay().clicks_at_home("Open incident").await.contains("What is wrong?"));
}

#[tokio::test]
async fn the_apps_name_is_answered_with_help() {
    let world = shop_is_slow().await;
    let outside = world.fay();
    outside.says("<@U0FIREBELL> what can you do?").await;
    assert_snapshot!("mention_outside", outside.finds("only you"));
    let ana = world.ana().in_incident(1).await;
    ana.says("<@U0FIREBELL> help").await;
    assert_snapshot!("mention_inside", ana.finds("only you"));
}
