//! Calling teams: who is paged, when, with which words; and every way in which a call ends.

use firebell::sandbox::{ApiFault, Fault};
use insta::assert_snapshot;

use crate::support::world::{CONFIG, World, minutes, on_both, seconds};

/// INC-1, and Development called for it at 3 PM.
async fn called() -> World {
    let world = World::new().await;
    world.ana().types("/incident open Shop is slow sev2").await;
    world.ana().in_incident(1).await.types("/escalate dev-team response times are up sharply").await;
    world
}

on_both! {
    async fn a_team_is_called_tier_by_tier_until_somebody_answers(world) {
        world.ana().types("/incident open Shop is slow sev2").await;
        let ana = world.ana().in_incident(1).await;
        assert_snapshot!("call_answer", ana.types("/escalate dev-team response times are up sharply").await);
        assert_snapshot!("call_page_first", world.ben().in_dm().sees());
        assert_eq!(world.chris().in_dm().count(), 0);
        world.until("15:05").await;
        world.advance(seconds(30)).await;
        assert_snapshot!("call_page_first_after_its_time", world.ben().in_dm().sees());
        assert_snapshot!("call_page_second", world.chris().in_dm().sees());
        assert_snapshot!("call_message_while_calling", ana.finds("Called Development team"));
        world.until("15:07").await;
        world.chris().in_dm().clicks("I've got it").await;
        assert_snapshot!("call_page_first_taken", world.ben().in_dm().sees());
        assert_snapshot!("call_page_second_taken", world.chris().in_dm().sees());
        assert_snapshot!("call_message_taken", ana.finds("Chris has it"));
        assert_eq!(ana.members(), "ana ben chris firebell");
        // Nobody is paged any more.
        let before = world.events(1).await;
        world.advance(minutes(30)).await;
        assert_eq!(world.events(1).await, before);
        assert_eq!((world.ben().in_dm().count(), world.chris().in_dm().count()), (1, 1));
        assert_snapshot!("call_timeline", world.timeline(1).await);
    }

    async fn a_call_that_nobody_answers_ends_with_the_fallback(world) {
        world.ana().types("/incident open Shop is slow sev1").await;
        let ana = world.ana().in_incident(1).await;
        ana.types("/incident commander me").await;
        ana.types("/escalate dev-team").await;
        world.advance(minutes(21)).await;
        // Two rounds of two tiers.
        assert_eq!((world.ben().in_dm().count(), world.chris().in_dm().count()), (2, 2));
        assert_snapshot!("exhausted_fallback_page", world.fay().in_dm().sees());
        assert_snapshot!("exhausted_channel_page", world.fay().within("#incidents").finds("Nobody of"));
        assert_snapshot!("exhausted_call_message", ana.finds("2 rounds, 4 pages"));
        assert_snapshot!("exhausted_post", ana.finds("Call a team"));
        assert_snapshot!("exhausted_earlier_page", world.ben().in_dm().sees());
        world.fay().in_dm().clicks("I've got it").await;
        assert_snapshot!("exhausted_then_taken", world.fay().in_dm().sees());
        assert!(ana.sees().contains("Fay has it"));
        assert_snapshot!("exhausted_timeline", world.timeline(1).await);
    }

    async fn a_restart_between_two_tiers_loses_nothing(old) {
        let mut world = old;
        world.ana().types("/incident open Shop is slow sev1 team=dev-team").await;
        world.advance(minutes(4)).await;
        world.restarts().await;
        assert_eq!(world.chris().in_dm().count(), 0);
        world.advance(minutes(2)).await;
        assert_eq!(world.chris().in_dm().count(), 1);
        world.chris().in_dm().clicks("I've got it").await;
        assert!(world.ana().in_incident(1).await.sees().contains("Chris has it"));
        assert_eq!(world.ben().in_dm().count(), 1);
    }
}

#[tokio::test]
async fn the_channels_message_answers_too_and_the_second_sees_who_was_first() {
    let world = called().await;
    world.dana().types("/incident join INC-1").await;
    world.advance(minutes(2)).await;
    let (ben, dana) = (world.ben().in_incident(1).await, world.dana().in_incident(1).await);
    // Both press what they see before either press has arrived.
    let (first, second) = tokio::join!(ben.clicks("I've got it"), dana.clicks("I've got it"));
    assert_eq!(first, "");
    assert_snapshot!("answered_second", second);
    assert_snapshot!("answered_twice_message", ben.finds("has it"));
    assert_snapshot!("answered_twice_timeline", world.timeline(1).await);
    assert_snapshot!("answered_again", ben.types("/escalate ack").await);
}

#[tokio::test]
async fn who_cannot_passes_it_on_at_once() {
    let world = called().await;
    world.advance(minutes(1)).await;
    world.ben().in_dm().clicks("Can't, call next").await;
    assert_snapshot!("passed_on_page", world.ben().in_dm().sees());
    assert_eq!(world.chris().in_dm().count(), 1);
    assert_snapshot!("passed_on_message", world.ana().in_incident(1).await.finds("Called Development team"));
    assert_snapshot!("passed_on_timeline", world.timeline(1).await);
}

#[tokio::test]
async fn the_callers_echo_undoes_the_call() {
    let world = called().await;
    let ana = world.ana().in_incident(1).await;
    assert_snapshot!("call_undone", ana.clicks("Undo").await);
    assert_snapshot!("call_undone_page", world.ben().in_dm().sees());
    world.advance(minutes(30)).await;
    assert_eq!(world.chris().in_dm().count(), 0);
}

#[tokio::test]
async fn the_next_tier_is_called_now_by_command_and_by_button() {
    let world = called().await;
    let ana = world.ana().in_incident(1).await;
    assert_snapshot!("next_by_command", ana.types("/escalate next Ben is on a plane").await);
    assert_eq!(world.chris().in_dm().count(), 1);
    let eli = world.eli();
    eli.types("/incident join INC-1").await;
    let eli = world.eli().in_incident(1).await;
    // Two people press the same button: the next tier is called once.
    let (_, second) = tokio::join!(ana.clicks("Call next now"), eli.clicks("Call next now"));
    assert_snapshot!("next_pressed_twice", second);
    assert_eq!((world.ben().in_dm().count(), world.chris().in_dm().count()), (2, 1));
    world.ben().in_dm().clicks("I've got it").await;
    // An acknowledgement is taken back by asking for the next tier.
    assert_snapshot!("next_after_an_answer", ana.types("/escalate next he is stuck").await);
    assert_eq!(world.chris().in_dm().count(), 2);
    ana.types("/incident resolve").await;
    assert_snapshot!("next_after_the_end", ana.types("/escalate next").await);
}

#[tokio::test]
async fn a_call_is_stopped_by_command_and_by_button() {
    let world = called().await;
    let ana = world.ana().in_incident(1).await;
    ana.types("/escalate stop it was the cache").await;
    assert_snapshot!("stopped_message", ana.finds("The call for Development team is over"));
    assert_snapshot!("stopped_page", world.ben().in_dm().sees());
    assert_snapshot!("stopped_again", ana.types("/escalate stop").await);
    ana.types("/escalate db-team").await;
    ana.clicks("Stop").await;
    assert!(world.dana().in_dm().sees().contains("was stopped"));
    world.advance(minutes(30)).await;
    assert_eq!((world.chris().in_dm().count(), world.eli().in_dm().count()), (0, 0));
    assert_snapshot!("stopped_why", ana.types("/escalate why").await);
}

#[tokio::test]
async fn a_stop_that_was_overtaken_by_the_next_tier_stops_nothing() {
    let world = called().await;
    let (ana, eli) = (world.ana().in_incident(1).await, world.eli());
    eli.types("/incident join INC-1").await;
    let eli = world.eli().in_incident(1).await;
    let (_, stale) = tokio::join!(ana.clicks("Call next now"), eli.clicks("Stop"));
    assert_snapshot!("stop_overtaken", stale);
    assert!(world.chris().in_dm().sees().contains("[I've got it"));
}

#[tokio::test]
async fn why_and_preview_say_who_is_called_and_when() {
    let world = called().await;
    let ana = world.ana().in_incident(1).await;
    world.advance(minutes(6)).await;
    let before = world.events(1).await;
    assert_snapshot!("why", ana.types("/escalate why").await);
    assert_snapshot!("why_other_team", ana.types("/escalate why db-team").await);
    assert_snapshot!("preview", world.ana().types("/escalate preview db-team").await);
    assert_snapshot!("preview_later", world.ana().types("/escalate preview dba tomorrow 3:00").await);
    assert_snapshot!("preview_unknown", world.ana().types("/escalate preview dbb").await);
    assert_snapshot!("escalate_help", world.ana().types("/escalate help").await);
    assert_eq!(before, world.events(1).await, "looking changes nothing");
}

#[tokio::test]
async fn outside_an_incident_the_call_asks_which_or_opens_one() {
    let world = World::new().await;
    assert_snapshot!("outside_form_no_incident", world.fay().types("/escalate db-team card payments fail").await);
    assert_snapshot!("outside_opened", world.fay().submits(&[]).await);
    assert_eq!(world.incident(1).await.title, "card payments fail");
    assert!(world.dana().in_dm().sees().contains("card payments fail"));
    assert_snapshot!("outside_form", world.ana().types("/escalate dev-team").await);
    assert_snapshot!("outside_chosen", world.ana().submits(&[("Incident", "INC-1"), ("Why them?", "they know")]).await);
    assert!(world.ben().in_dm().sees().contains("they know"));
    assert!(world.stage().incident(2).await.is_err());
    assert_snapshot!("outside_which", world.ana().types("/escalate ack").await);
}

#[tokio::test]
async fn a_repeated_call_says_so_and_later_means_the_next_tier() {
    let world = called().await;
    let ana = world.ana().in_incident(1).await;
    assert_snapshot!("repeated_at_once", ana.types("/escalate dev-team hello?").await);
    assert_eq!(world.chris().in_dm().count(), 0);
    ana.clicks("Call next now").await;
    assert_eq!(world.chris().in_dm().count(), 1);
    world.advance(minutes(2)).await;
    assert_snapshot!("repeated_later", ana.types("/escalate dev-team still nobody?").await);
    assert_eq!(world.ben().in_dm().count(), 2);
}

#[tokio::test]
async fn user_groups_and_channels_are_paged() {
    let world = World::with(
        &CONFIG
            .replace("targets = [\"@ben\"]", "targets = [\"@dev-team\"]")
            .replace("targets = [\"@chris\"]", "targets = [\"#shop-ops @here\"]"),
    )
    .await;
    world.ana().types("/incident open Shop is slow team=dev-team").await;
    assert_snapshot!("group_page", world.ben().in_dm().sees());
    assert_eq!(world.chris().in_dm().count(), 1);
    world.advance(minutes(5)).await;
    assert_snapshot!("channel_page", world.fay().finds("One of you"));
    assert!(world.fay().notification().contains("here"));
    world.fay().clicks("I've got it").await;
    assert_snapshot!("channel_page_taken", world.fay().finds("has it"));
    assert_snapshot!("group_page_taken", world.chris().in_dm().sees());
}

#[tokio::test]
async fn who_is_gone_is_skipped_and_said() {
    let world = World::new().await;
    world.ben().leaves_the_company().await;
    world.ana().types("/incident open Shop is slow team=dev-team").await;
    assert_eq!(world.chris().in_dm().count(), 1);
    assert_snapshot!("skipped_message", world.ana().in_incident(1).await.finds("Called Development team"));
    assert_snapshot!("skipped_timeline", world.timeline(1).await);
}

#[tokio::test]
async fn who_cannot_be_messaged_is_not_waited_for() {
    let world = World::new().await;
    world.slack_fails("chat.postMessage", Some(1), ApiFault::Error { code: "cannot_dm_bot".to_owned() });
    world.ana().types("/incident open Shop is slow private team=dev-team").await;
    world.slack_recovers();
    let reached = [world.ben().in_dm().count(), world.chris().in_dm().count()];
    assert_snapshot!("not_reached_timeline", world.timeline(1).await);
    assert_eq!(reached, [0, 1]);
}

#[tokio::test]
async fn everybody_gone_means_the_fallback_at_once() {
    let world = World::new().await;
    world.ben().leaves_the_company().await;
    world.chris().leaves_the_company().await;
    world.ana().types("/incident open Shop is slow team=dev-team").await;
    assert_eq!(world.fay().in_dm().count(), 1);
    assert_snapshot!("nobody_there_channel", world.ana().in_incident(1).await.sees());
}

#[tokio::test]
async fn a_team_that_does_not_answer_hands_on_to_another() {
    let world = World::where_instead("# hand_off = \"dev-team\"", "hand_off = \"dev-team\"").await;
    world.ana().types("/incident open Shop is slow team=db-team").await;
    world.advance(minutes(21)).await;
    assert_eq!(world.ben().in_dm().count(), 1);
    assert_snapshot!("hand_off_page", world.ben().in_dm().sees());
    assert_snapshot!("hand_off_timeline", world.timeline(1).await);
}

#[tokio::test]
async fn an_acknowledgement_without_activity_lapses() {
    let world = World::new().await;
    world.ana().types("/incident open Shop is slow team=db-team").await;
    world.dana().in_dm().clicks("I've got it").await;
    let dana = world.dana().in_incident(1).await;
    world.advance(minutes(40)).await;
    dana.says("still looking").await;
    world.advance(minutes(50)).await;
    assert_eq!(world.eli().in_dm().count(), 0, "she was at work");
    world.advance(minutes(15)).await;
    assert_snapshot!("lapsed_post", dana.finds("no activity"));
    assert_snapshot!("lapsed_pages", dana.clone().in_dm().sees());
    world.advance(minutes(6)).await;
    assert_eq!(world.eli().in_dm().count(), 1);
    assert_snapshot!("lapsed_timeline", world.timeline(1).await);
}

#[tokio::test]
async fn a_late_page_says_how_late() {
    let world = called().await;
    world.sleeps_through(minutes(12)).await;
    assert_snapshot!("late_page", world.chris().in_dm().sees());
}

#[tokio::test]
async fn a_page_that_slack_refuses_for_now_goes_out_later_and_says_why() {
    let world = World::new().await;
    world.ana().types("/incident open Shop is slow").await;
    world.slack_fails("chat.postMessage", None, ApiFault::ServerError { status: 503 });
    world.ana().in_incident(1).await.types("/escalate dev-team").await;
    world.advance(minutes(2)).await;
    world.slack_recovers();
    world.advance(minutes(1)).await;
    assert_snapshot!("refused_page", world.ben().in_dm().sees());
    assert_snapshot!("refused_timeline", world.timeline(1).await);
}

#[tokio::test]
async fn a_page_of_unknown_outcome_is_found_and_not_sent_twice() {
    let world = World::new().await;
    world.ana().types("/incident open Shop is slow").await;
    world.slack_fails("chat.postMessage", Some(1), ApiFault::ResetAfter);
    world.ana().in_incident(1).await.types("/escalate dev-team").await;
    world.advance(minutes(1)).await;
    assert_eq!(world.ben().in_dm().count(), 1);
    world.ben().in_dm().clicks("I've got it").await;
    assert!(world.ben().in_dm().sees().contains("You have it"));
}

#[tokio::test]
async fn an_answer_arrives_while_the_page_is_on_its_way() {
    let world = called().await;
    let ana = world.ana().in_incident(1).await;
    ana.types("/escalate ack").await;
    assert_snapshot!("answered_by_another", world.ben().in_dm().sees());
}

#[tokio::test]
async fn calling_for_a_resolved_incident_opens_it_again() {
    let world = called().await;
    let ana = world.ana().in_incident(1).await;
    ana.types("/incident resolve it works").await;
    assert_snapshot!("resolved_page", world.ben().in_dm().sees());
    ana.types("/escalate db-team it is back").await;
    assert!(world.incident(1).await.is_open());
    assert_snapshot!("called_again_timeline", world.timeline(1).await);
}

#[tokio::test]
async fn the_same_command_delivered_twice_is_one_command() {
    let mut world = World::new().await;
    world.expects_complaints();
    world.stage().slack.add_fault(Fault::Delivery {
        route: None,
        nth: None,
        what: firebell::sandbox::DeliveryFault::Duplicate,
    });
    let answer = world.ana().types("/incident open Shop is slow team=dev-team").await;
    assert!(answer.contains("Opened INC-1"), "{answer}");
    assert!(world.stage().incident(2).await.is_err());
    let ana = world.ana().in_incident(1).await;
    ana.types("/incident note only once").await;
    ana.types("/escalate next").await;
    world.chris().in_dm().clicks("I've got it").await;
    let ts = ana.says("graphs look better").await;
    ana.reacts(&ts, "memo").await;
    assert_snapshot!("delivered_twice_timeline", world.timeline(1).await);
    assert_eq!((world.ben().in_dm().count(), world.chris().in_dm().count()), (1, 1));
}

#[tokio::test]
async fn who_answers_a_private_call_is_let_in() {
    let world = World::new().await;
    world.ana().types("/incident open private Salaries have leaked team=db-team").await;
    assert_snapshot!("private_page_with_channel", world.dana().in_dm().sees());
    world.dana().in_dm().clicks("I've got it").await;
    let dana = world.dana().in_incident(1).await;
    assert_eq!(dana.members(), "ana dana firebell");
    assert!(dana.sees().contains("Salaries have leaked"));
    assert!(world.dana().types("/incident show INC-1").await.contains("Salaries"));
    assert_snapshot!("private_page_taken", world.dana().in_dm().sees());
}

#[tokio::test]
async fn two_teams_are_called_side_by_side() {
    let world = called().await;
    let ana = world.ana().in_incident(1).await;
    ana.types("/escalate dba queries hang").await;
    world.dana().in_dm().clicks("I've got it").await;
    world.advance(minutes(5)).await;
    // One team's answer is not the other's.
    assert_eq!((world.chris().in_dm().count(), world.eli().in_dm().count()), (1, 0));
    assert_snapshot!("two_teams_card", ana.finds("Teams:"));
    ana.types("/escalate stop dev-team").await;
    assert_snapshot!("two_teams_why", ana.types("/escalate why").await);
}

#[tokio::test]
async fn a_policy_keeps_the_tiers_it_began_with() {
    let mut world = called().await;
    let chris = "targets = [\"@chris\"]\nwait = \"5m\"";
    assert!(CONFIG.contains(chris));
    world.restarts_with(&CONFIG.replacen(chris, "targets = [\"@eli\"]\nwait = \"5m\"", 1)).await;
    world.advance(minutes(6)).await;
    assert_eq!((world.chris().in_dm().count(), world.eli().in_dm().count()), (1, 0));
    world.ana().in_incident(1).await.types("/escalate stop").await;
    world.ana().in_incident(1).await.types("/escalate dev-team").await;
    world.advance(minutes(6)).await;
    assert_eq!((world.chris().in_dm().count(), world.eli().in_dm().count()), (1, 1));
}
