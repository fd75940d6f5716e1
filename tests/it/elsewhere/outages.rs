//! Slack is away, refuses, or dawdles: who is reached how, and when.

use chrono::TimeDelta;
use firebell::domain::effect::Lane;
use firebell::domain::escalation::Phase;
use firebell::domain::event::{Detour, Event, PageResult};
use firebell::sandbox::ApiFault;
use hmac::{Hmac, KeyInit, Mac};

use super::{BEN, DANA, FAY, ON_CALL, Town, in_town};
use crate::support::mail::MailFault;
use crate::support::receiver::Manner;
use crate::support::world::{minutes, seconds};

in_town! {
    async fn four_hours_without_slack_everybody_is_reached_and_nobody_is_flooded(town) {
        town.slack_goes_down();
        town.alert().await;
        town.world.advance(minutes(5) + seconds(20)).await;
        // Slack counts as away long before a minute is over; for the second tier nobody waits for it at all.
        let detours = town.detours().await;
        let [(first, Detour::SlackAway), (second, Detour::SlackAway)] = detours.as_slice() else { panic!("{detours:?}") };
        assert!(*first <= seconds(15) && *second == minutes(5), "{detours:?}");
        assert_eq!(town.sent_elsewhere_at().await.len(), 2);
        let mail = town.mail_to(BEN);
        assert_eq!(mail.from, "firebell@bell.example");
        assert_eq!(mail.header("Subject"), "SEV3 INC-1, Development team: Checkout is slow");
        let hook = town.hook("/chris");
        assert_eq!(hook.json()["person"]["name"], "Chris");
        assert!(town.mail.mails_to(ON_CALL).is_empty(), "everybody who was called has a way of their own");

        let (status, page) = town.presses(&hook.answer_path()).await;
        assert!(status == 200 && page.contains("You have it"), "{status}: {page}");
        let incident = town.world.incident(1).await;
        let by = incident.escalations.values().map(|found| &found.phase).collect::<Vec<_>>();
        let chris = town.world.chris().id().to_owned();
        assert!(matches!(by.as_slice(), [Phase::Acknowledged { by: Some(by), .. }] if by.as_str() == chris), "{by:?}");

        town.world.sleeps_through(minutes(235)).await;
        assert_eq!((town.mail.count(), town.hooks.hooks("/chris").len()), (1, 1), "nobody else is called");
        town.world.slack_recovers();
        town.world.advance(minutes(2)).await;
        // Both learn where the work is; neither is paged by what is four hours old.
        assert_eq!((town.world.ben().in_dm().count(), town.world.chris().in_dm().count()), (0, 0));
        let channel = town.world.chris().in_incident(1).await.sees();
        assert_eq!(channel.matches("So far in INC-1").count(), 1, "{channel}");
        assert!(channel.contains("Chris has it"), "{channel}");
        insta::assert_snapshot!("outage_timeline", town.world.timeline(1).await);
    }

    async fn a_question_whether_to_page_two_days_late_goes_by_mail_while_slack_is_away(old) {
        let mut town = old;
        town.alert().await;
        town.world.advance(minutes(1)).await;
        assert_eq!(town.world.ben().in_dm().count(), 1);
        town.world.slack_fails("chat.postMessage", None, ApiFault::ServerError { status: 503 });
        town.world.stands_still(TimeDelta::days(2)).await;
        town.world.advance(minutes(2)).await;
        let called = (town.mail.mails_to(BEN).len(), town.hooks.hooks("/chris").len());
        assert_eq!((called, town.mail.count()), ((0, 0), 2), "nobody of the tiers is called");
        town.mail_to(ON_CALL);
        let mail = town.mail_to(FAY);
        insta::assert_snapshot!("question_by_mail", mail.body().replace(&mail.answer_path(), "/ack/…"));
        let (status, page) = town.presses(&mail.answer_path()).await;
        assert!(status == 200 && page.contains("You have it"), "{status}: {page}");
        town.world.slack_recovers();
        town.world.advance(minutes(60)).await;
        assert_eq!((town.mail.count(), town.world.fay().in_dm().count()), (2, 0));
        insta::assert_snapshot!("question_by_mail_timeline", town.world.timeline(1).await);
    }

    async fn a_page_that_slack_does_not_take_within_a_minute_goes_by_mail_and_slack_is_still_tried(town) {
        town.world.ana().types("/incident open Shop is slow sev1").await;
        let busy = ApiFault::RateLimited { retry_after: 45, plain: false };
        town.world.slack_fails("chat.postMessage", None, busy);
        town.world.ana().types("/escalate INC-1 dev-team").await;
        town.world.advance(seconds(35)).await;
        assert_eq!(town.mail.count(), 0);
        town.world.advance(seconds(30)).await;
        assert_eq!(town.detours().await, [(seconds(60), Detour::Late)]);
        town.mail_to(BEN);
        town.world.slack_recovers();
        town.world.advance(minutes(2)).await;
        let page = town.world.ben().in_dm();
        assert!(page.finds("Shop is slow").contains("[I've got it"));
        page.clicks("I've got it").await;
        let channel = town.world.ana().in_incident(1).await.sees();
        assert_eq!(channel.matches("So far in INC-1").count(), 1, "one message says what the channel missed: {channel}");
        town.world.advance(minutes(20)).await;
        assert_eq!((town.mail.count(), town.hooks.hooks("/chris").len()), (1, 0));
    }

    async fn who_is_refused_by_slack_is_paged_by_mail_at_once_and_waited_for(town) {
        town.world.ana().types("/incident open Shop is slow sev1").await;
        let gone = ApiFault::Error { code: "user_disabled".to_owned() };
        town.world.slack_fails("chat.postMessage", Some(1), gone);
        town.world.ana().types("/escalate INC-1 dev-team").await;
        assert_eq!(town.detours().await, [(seconds(0), Detour::Refused)]);
        town.mail_to(BEN);
        town.world.advance(minutes(4)).await;
        assert_eq!(town.world.chris().in_dm().count(), 0, "Ben has his five minutes");
        town.world.advance(minutes(2)).await;
        assert_eq!(town.world.chris().in_dm().count(), 1);
    }

    async fn while_both_ways_are_down_both_are_tried_and_the_next_tier_is_called(town) {
        town.mail.fails(MailFault::HangUp);
        town.slack_goes_down();
        town.alert().await;
        town.world.advance(minutes(4)).await;
        assert_eq!(town.mail.count(), 0);
        assert!(town.mail.connections() > 5, "{}", town.mail.connections());
        town.world.advance(minutes(2)).await;
        town.hook("/chris");
        town.mail.recovers();
        town.world.advance(seconds(30)).await;
        let mail = town.mail_to(BEN);
        town.mail_to(ON_CALL);
        let (_, page) = town.presses(&mail.answer_path()).await;
        assert!(page.contains("You have it"), "{page}");
        // The mail server's trouble is told once for each page, not once for each try.
        let failed = |recorded: &&firebell::domain::event::Recorded| {
            matches!(recorded.occurrence.event, Event::PageAttempted { result: PageResult::Failed { .. }, .. })
        };
        let failures = town.history().await.iter().filter(failed).count();
        assert!(failures <= 5, "{failures}");
    }
}

#[tokio::test]
async fn a_revoked_token_sends_everybody_elsewhere_at_once() {
    for code in ["token_revoked", "account_inactive", "missing_scope"] {
        let town = Town::new().await;
        town.world.slack_fails("*", None, ApiFault::Error { code: code.to_owned() });
        town.alert().await;
        assert_eq!(town.detours().await, [(seconds(0), Detour::SlackAway)], "{code}");
        town.mail_to(BEN);
        town.world.slack_recovers();
        town.world.advance(minutes(1)).await;
        assert_eq!(town.world.ben().in_dm().count(), 1, "{code}: the page is still tried in Slack");
    }
}

#[tokio::test]
async fn the_last_resort_is_called_by_all_ways_at_once() {
    let town = Town::new().await;
    town.alert().await;
    town.world.advance(minutes(19)).await;
    assert_eq!(town.mail.count(), 0, "Slack took every page");
    town.world.advance(minutes(2)).await;
    assert_eq!(town.world.fay().in_dm().count(), 1);
    let mail = town.mail_to(ON_CALL);
    assert_eq!(town.mail.count(), 1, "Slack reached Fay");
    let (_, page) = town.presses(&mail.answer_path()).await;
    assert!(page.contains("Somebody has it"), "{page}");
    assert!(town.world.timeline(1).await.contains("the fallback by e-mail"), "{}", town.world.timeline(1).await);
}

#[tokio::test]
async fn without_slack_the_fallbacks_people_are_mailed_too() {
    let town = Town::new().await;
    town.slack_goes_down();
    town.alert().await;
    town.world.advance(minutes(21)).await;
    town.mail_to(FAY);
    town.mail_to(ON_CALL);
    // Two rounds, each its own page.
    assert_eq!((town.mail.mails_to(BEN).len(), town.hooks.hooks("/chris").len()), (2, 2));
    town.world.slack_recovers();
    town.world.advance(minutes(2)).await;
    let (ben, chris) = (town.world.ben().in_dm().count(), town.world.chris().in_dm().count());
    assert_eq!((ben, chris, town.world.fay().in_dm().count()), (1, 1, 1), "of what is stale nothing, of each one page");
}

#[tokio::test]
async fn who_has_no_way_of_their_own_is_told_to_the_fallback_once_a_tier() {
    let town = Town::new().await;
    town.slack_goes_down();
    // Eli, the second tier, has no other way; Dana has two.
    town.alert().await;
    town.world.ana().types("/escalate INC-1 db-team").await;
    town.world.advance(minutes(4)).await;
    town.mail_to(DANA);
    assert!(town.mail.mails_to(ON_CALL).is_empty());
    town.world.advance(minutes(5)).await;
    let mail = town.mail_to(ON_CALL);
    assert!(mail.body().contains("nobody who was called can be reached otherwise"), "{}", mail.body());
}

#[tokio::test]
async fn a_mailbox_that_does_not_exist_sends_the_page_on_by_webhook_at_once() {
    let town = Town::new().await;
    town.mail.fails(MailFault::NoMailbox);
    town.world.ana().types("/incident open Shop is slow sev1").await;
    town.slack_goes_down();
    town.world.ana().types("/escalate INC-1 db-team replicas lag").await;
    town.world.advance(seconds(20)).await;
    let because: Vec<Detour> = town.detours().await.into_iter().map(|(_, because)| because).collect();
    assert_eq!(because, [Detour::SlackAway, Detour::Refused]);
    let hook = town.hook("/dana");
    assert_eq!(hook.json()["reason"], "replicas lag");
    let (timestamp, signature) = (hook.header("x-firebell-timestamp"), hook.header("x-firebell-signature"));
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(firebell::stage::WEBHOOK_SECRET.as_bytes()).expect("any length");
    mac.update(format!("{timestamp}.").as_bytes());
    mac.update(&hook.body);
    assert_eq!(signature, format!("v1={}", hex::encode(mac.finalize().into_bytes())));
    assert_eq!(timestamp.parse::<i64>().ok(), Some(town.sent_elsewhere_at().await[0].timestamp()));
    insta::assert_snapshot!("mailbox_gone_timeline", town.world.timeline(1).await);
}

#[tokio::test]
async fn a_message_without_a_receipt_is_sent_again_and_says_that_it_may_be_the_second() {
    let town = Town::new().await;
    town.mail.fails(MailFault::DropAfterData);
    town.slack_goes_down();
    town.alert().await;
    // The fifth failure in a row.
    town.world.advance(seconds(15)).await;
    assert_eq!(town.mail.count(), 1);
    town.mail.recovers();
    town.world.advance(seconds(20)).await;
    let mails = town.mail.mails_to(BEN);
    let [first, second] = mails.as_slice() else { panic!("{mails:#?}") };
    assert_eq!(first.header("References"), second.header("References"));
    assert_ne!(first.header("Message-ID"), second.header("Message-ID"));
    assert!(!first.body().contains("twice") && second.body().contains("You may have this twice"), "{}", second.body());
    assert_eq!(town.sent_elsewhere_at().await.len(), 1);
    let unknown = |recorded: &firebell::domain::event::Recorded| matches!(&recorded.occurrence.event, Event::PageAttempted { result: PageResult::Unknown { error }, .. } if error.contains("mail"));
    assert_eq!(town.history().await.iter().filter(|recorded| unknown(recorded)).count(), 1);
}

#[tokio::test]
async fn a_mail_server_that_says_nothing_holds_nobody_up() {
    let town = Town::new().await;
    town.mail.fails(MailFault::Stall);
    town.slack_goes_down();
    town.alert().await;
    town.world.advance(seconds(15)).await;
    let errors: Vec<String> = town
        .history()
        .await
        .into_iter()
        .filter_map(|recorded| match recorded.occurrence.event {
            Event::PageAttempted { result: PageResult::Failed { error, .. }, .. } => Some(error),
            _ => None,
        })
        .collect();
    assert!(errors.iter().any(|error| error == "The mail server did not answer in time"), "{errors:?}");
    town.mail.recovers();
    town.world.advance(seconds(20)).await;
    town.mail_to(BEN);
}

#[tokio::test]
async fn an_answer_stops_what_has_not_gone_out_yet() {
    let town = Town::new().await;
    town.mail.fails(MailFault::TryLater);
    town.slack_goes_down();
    town.alert().await;
    town.world.advance(seconds(30)).await;
    town.world.ben().types("/incident INC-1 ack").await;
    town.world.ben().types("/escalate INC-1 ack").await;
    town.mail.recovers();
    town.world.advance(minutes(20)).await;
    assert_eq!((town.mail.count(), town.hooks.hooks("/chris").len()), (0, 0));
}

#[tokio::test]
async fn a_restart_in_the_middle_of_an_outage_loses_no_page() {
    let mut town = Town::new().await;
    town.mail.fails(MailFault::HangUp);
    town.slack_goes_down();
    town.alert().await;
    town.world.advance(seconds(20)).await;
    town.world.restarts().await;
    town.mail.recovers();
    town.world.advance(seconds(30)).await;
    let path = town.mail_to(BEN).answer_path();
    town.world.restarts().await;
    let (_, page) = town.presses(&path).await;
    assert!(page.contains("You have it"), "a link outlives the program that made it: {page}");
}

#[tokio::test]
async fn nothing_of_a_private_incident_leaves_slack() {
    let town = Town::new().await;
    town.world.ana().types("/incident open private Payroll leaked sev1").await;
    town.slack_goes_down();
    town.mail.fails(MailFault::NoMailbox);
    town.world.ana().types("/escalate INC-1 db-team salaries are public").await;
    town.mail.recovers();
    town.world.ana().types("/escalate INC-1 dev-team salaries are public").await;
    town.world.advance(seconds(20)).await;
    let (mail, hook) = (town.mail_to(BEN), town.hook("/dana"));
    assert_eq!(mail.header("Subject"), "SEV1 INC-1, Development team: you are called");
    let (_, page) = town.opens(&mail.answer_path()).await;
    for text in [mail.text.as_str(), &String::from_utf8_lossy(&hook.body), &page] {
        assert!(!text.contains("Payroll") && !text.contains("salaries") && !text.contains("/incidents/1"), "{text}");
    }
    assert_eq!(hook.json()["incident"]["title"], serde_json::Value::Null);
    let (_, page) = town.presses(&mail.answer_path()).await;
    assert!(page.contains("You have it") && !page.contains("Payroll"), "{page}");
}

#[tokio::test]
async fn a_webhook_that_is_busy_is_called_again() {
    let town = Town::new().await;
    town.hooks.now(Manner::Status(503));
    town.slack_goes_down();
    town.alert().await;
    town.world.advance(minutes(5) + seconds(10)).await;
    assert!(town.hooks.hooks("/chris").len() > 2);
    assert_eq!(town.sent_elsewhere_at().await.len(), 1, "Ben's mail");
    town.hooks.now(Manner::Takes);
    town.world.advance(seconds(20)).await;
    assert_eq!(town.sent_elsewhere_at().await.len(), 2);
    let hooks = town.hooks.hooks("/chris");
    assert!(hooks.iter().all(|hook| hook.header("x-firebell-delivery") == hooks[0].header("x-firebell-delivery")));
}

#[tokio::test]
async fn a_mail_server_without_encryption_is_told_nothing_where_encryption_is_asked_for() {
    let mut town = Town::new().await;
    let asked = super::config(&town.mail, &town.hooks).replace("tls = \"none\"", "tls = \"starttls\"");
    town.world.restarts_with(&asked).await;
    town.slack_goes_down();
    town.alert().await;
    town.world.advance(seconds(20)).await;
    assert!(town.mail.connections() > 0);
    assert_eq!((town.mail.count(), town.mail.signed_in()), (0, 0), "neither password nor message in the clear");
    let timeline = town.world.timeline(1).await;
    assert!(timeline.contains("The mail server cannot be used as [email] in firebell.toml says"), "{timeline}");
}

#[tokio::test]
async fn a_crash_in_the_middle_of_a_send_sends_again_and_says_so() {
    let town = Town::new().await;
    town.world.ana().types("/incident open Shop is slow sev1").await;
    let gone = ApiFault::Error { code: "user_disabled".to_owned() };
    town.world.slack_fails("chat.postMessage", None, gone);
    // The mail is claimed by a program that is never heard of again.
    town.mail.fails(MailFault::TryLater);
    town.world.ana().types("/escalate INC-1 dev-team").await;
    let app = &town.world.stage().program.app;
    let claimed = loop {
        let claimed = app.claim(&[Lane::Page], 10).await.expect("claims");
        if !claimed.is_empty() {
            break claimed;
        }
        town.world.stage().clock.set(town.world.now() + seconds(1));
    };
    assert_eq!(claimed.len(), 1);
    town.mail.recovers();
    town.world.advance(seconds(7)).await;
    assert_eq!(town.mail.count(), 0, "the lease still holds");
    town.world.advance(seconds(3)).await;
    assert!(town.mail_to(BEN).body().contains("You may have this twice"));
    let timeline = town.world.timeline(1).await;
    assert!(timeline.contains("stopped before it could say whether it went out"), "{timeline}");
}
