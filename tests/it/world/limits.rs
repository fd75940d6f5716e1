//! Who may do what, and what happens when Slack does not let Firebell have a channel.

use firebell::sandbox::ApiFault;
use insta::assert_snapshot;

use crate::support::world::{World, minutes, on_both, seconds};

#[tokio::test]
async fn guests_may_do_nothing_and_are_told_whom_to_ask() {
    let world = World::new().await;
    assert_snapshot!("guest_opens", world.gil().types("/incident open I saw something").await);
    assert!(world.stage().incident(1).await.is_err());
    world.ana().types("/incident open Shop is slow").await;
    assert_snapshot!("guest_notes", world.gil().types("/incident INC-1 note hello").await);
    assert!(!world.timeline(1).await.contains("hello"));
    assert_snapshot!("guest_form", world.gil().types("/escalate db-team").await);
    assert_snapshot!("guest_looks", world.gil().types("/incident list").await);
    assert!(!world.gil().opens_home().await.contains("Shop is slow"));
    assert_eq!(world.dana().in_dm().count(), 0);
}

#[tokio::test]
async fn guests_may_act_where_the_configuration_says_so() {
    let world = World::where_instead("guests = false", "guests = true").await;
    assert!(world.gil().types("/incident open I saw something").await.contains("Opened INC-1"));
}

#[tokio::test]
async fn only_those_who_are_listed_may_resolve() {
    let world = World::where_instead("resolve = \"members\"", "resolve = [\"@ana\", \"@db-team\"]").await;
    world.ana().types("/incident open Shop is slow").await;
    assert_snapshot!("not_listed", world.ben().types("/incident INC-1 resolve").await);
    assert!(world.incident(1).await.is_open());
    world.dana().types("/incident INC-1 resolve").await;
    assert!(!world.incident(1).await.is_open());
    assert_snapshot!("not_listed_reopens", world.ben().types("/incident INC-1 reopen").await);
}

#[tokio::test]
async fn who_is_listed_sees_private_incidents() {
    let world = World::where_instead("see_private = [\"@ana\"]", "see_private = [\"@fay\"]").await;
    world.ben().types("/incident open private Salaries have leaked").await;
    assert!(world.fay().types("/incident list").await.contains("Salaries"));
    assert!(world.fay().types("/incident show INC-1").await.contains("Salaries"));
    assert!(!world.ana().types("/incident list").await.contains("Salaries"));
    assert!(world.ana().types("/escalate INC-1 stop").await.contains("There is no INC-1"));
}

on_both! {
    async fn an_incident_without_a_channel_goes_on_in_direct_messages(world) {
        world.slack_fails("conversations.create", None, ApiFault::Error { code: "restricted_action".to_owned() });
        world.ana().types("/incident open Shop is slow sev1 team=dev-team").await;
        assert_snapshot!("no_channel_opener", world.ana().in_dm().sees());
        assert_snapshot!("no_channel_called", world.ben().in_dm().sees());
        assert_snapshot!("no_channel_announcement", world.fay().within("#incidents").sees());
        world.advance(minutes(6)).await;
        assert_eq!(world.chris().in_dm().count(), 1);
        world.chris().in_dm().clicks("I've got it").await;
        assert!(world.ana().types("/incident INC-1 show").await.contains("Chris has it"));
        assert_snapshot!("no_channel_update", world.ana().types("/incident INC-1 update all is well").await);
        world.ana().types("/incident INC-1 resolve").await;
        assert_snapshot!("no_channel_timeline", world.timeline(1).await);
    }
}

#[tokio::test]
async fn a_channel_that_comes_late_is_told_what_it_missed() {
    let world = World::new().await;
    world.slack_fails("conversations.create", None, ApiFault::RateLimited { retry_after: 120, plain: false });
    world.ana().types("/incident open Shop is slow sev1 team=dev-team").await;
    // Pages do not wait for it.
    assert_eq!(world.ben().in_dm().count(), 1);
    world.ana().types("/incident INC-1 update we look at it").await;
    world.advance(seconds(30)).await;
    world.ben().in_dm().clicks("I've got it").await;
    assert_snapshot!("late_channel_page", world.ben().in_dm().sees());
    world.slack_recovers();
    world.advance(minutes(4)).await;
    assert_snapshot!("late_channel", world.ana().in_incident(1).await.sees());
    assert!(world.ben().in_dm().sees().contains("The work is in #inc-1-shop-is-slow"));
}

on_both! {
    async fn updates_wait_for_a_channel_that_is_late(world) {
        for late in [seconds(30), minutes(3)] {
            world.slack_fails("conversations.create", None, ApiFault::ServerError { status: 503 });
            world.ana().types("/incident open Shop is slow").await;
            let number = if late == seconds(30) { 1 } else { 2 };
            for text in ["we look at the database", "half of the customers can pay", "nearly all can pay"] {
                world.ana().types(&format!("/incident INC-{number} update {text}")).await;
            }
            world.advance(late).await;
            world.slack_recovers();
            world.advance(minutes(1)).await;
            let channel = world.ana().in_incident(number).await.sees();
            let places = ["we look at the database", "half of the customers", "nearly all"].map(|text| {
                assert_eq!(channel.matches(text).count(), 1, "{text} in\n{channel}");
                channel.find(text)
            });
            assert!(places.is_sorted(), "{channel}");
            world.ana().types(&format!("/incident INC-{number} update everybody can pay")).await;
            let channel = world.ana().in_incident(number).await.sees();
            assert_eq!(channel.matches("can pay").count(), 3, "{channel}");
        }
    }
}

#[tokio::test]
async fn updates_without_a_channel_go_to_the_announcements_thread() {
    let world = World::new().await;
    world.slack_fails("conversations.create", Some(1), ApiFault::ServerError { status: 503 });
    world.slack_fails("conversations.create", None, ApiFault::Error { code: "restricted_action".to_owned() });
    world.ana().types("/incident open Shop is slow sev1 team=dev-team").await;
    world.ana().types("/incident INC-1 update we look at the database").await;
    world.advance(minutes(1)).await;
    world.ana().types("/incident INC-1 update nearly all can pay").await;
    let announcement = world.incident(1).await.announcement.expect("is announced");
    let (channel, ts) = (announcement.channel.as_str(), announcement.ts.as_str());
    let thread = world.stage().slack.thread(world.fay().id(), channel, ts).expect("is visible");
    let said: Vec<&str> = thread["messages"].as_array().expect("messages")[1..]
        .iter()
        .map(|message| message["text"].as_str().expect("a text"))
        .collect();
    assert_eq!(said, ["Update from Ana: we look at the database", "Update from Ana: nearly all can pay"]);
    assert!(!world.ben().in_dm().sees().contains("nearly all"), "one place is enough");
}

#[tokio::test]
async fn updates_of_a_private_incident_without_a_channel_go_to_who_leads_it() {
    let world = World::new().await;
    world.slack_fails("conversations.create", None, ApiFault::Error { code: "restricted_action".to_owned() });
    world.ana().types("/incident open private Salaries have leaked team=dev-team").await;
    world.ana().types("/incident INC-1 commander @eli").await;
    world.ana().types("/incident INC-1 update the file is taken down").await;
    assert_snapshot!("no_channel_private_update", world.eli().in_dm().finds("the file is taken down"));
    assert!(!world.ana().in_dm().sees().contains("taken down"), "she said it herself");
    assert!(!world.ben().in_dm().sees().contains("taken down"), "who is called reads no word before they are in");
    assert!(!world.fay().within("#incidents").sees().contains("taken down"));
}

#[tokio::test]
async fn a_taken_name_gets_a_part_of_its_own() {
    let world = World::new().await;
    let taken = firebell::sandbox::Act::CreateChannel { name: "inc-1-shop-is-slow".to_owned(), private: false };
    world.stage().slack.act(world.ana().id(), taken).await.expect("may create");
    world.ana().types("/incident open Shop is slow").await;
    let name = world.channel_of(1).await;
    assert!(name.starts_with("#inc-1-") && name != "#inc-1-shop-is-slow", "{name}");
}

#[tokio::test]
async fn an_archived_channel_is_noticed() {
    let world = World::new().await;
    world.ana().types("/incident open Shop is slow sev1 team=dev-team").await;
    let ana = world.ana().in_incident(1).await;
    ana.archives().await;
    world.flows().await;
    assert_snapshot!("archived_opener", world.ana().in_dm().sees());
    world.advance(minutes(6)).await;
    assert_eq!(world.chris().in_dm().count(), 1);
}
