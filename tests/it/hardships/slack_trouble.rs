//! Slack is away, slow, half done, strict or wrong.

use super::*;
use firebell::domain::event::PageResult;
use firebell::domain::incident::Channel;
use firebell::watch::Trouble;

use crate::support::mail::MailServer;

async fn open_and_escalate(house: &House) {
    types(house, ANA, GENERAL, "/incident open db is down").await;
    types(house, ANA, GENERAL, "/escalate INC-1 db-team").await;
}

/// An incident whose channel Slack refuses for good, so that pages are all that is posted; then its team is called.
async fn escalate_without_channel(house: &House, bell: &Bell, first_page: ApiFault) {
    house.fault("conversations.create", None, ApiFault::Error { code: "restricted_action".to_owned() });
    types(house, ANA, GENERAL, "/incident open db is down").await;
    bell.settle(house).await;
    house.fault("chat.postMessage", Some(1), first_page);
    types(house, ANA, GENERAL, "/escalate INC-1 db-team").await;
}

fn half_done() -> Vec<ApiFault> {
    vec![
        ApiFault::ResetAfter,
        ApiFault::Slow { ms: 600 },
        ApiFault::Truncated,
        ApiFault::MissingField { field: "ok".to_owned() },
    ]
}

fn not_done() -> Vec<ApiFault> {
    vec![
        ApiFault::ResetBefore,
        ApiFault::ServerError { status: 500 },
        ApiFault::ServerError { status: 503 },
        ApiFault::RateLimited { retry_after: 3, plain: false },
        ApiFault::RateLimited { retry_after: 3, plain: true },
        ApiFault::RatelimitedOk,
        ApiFault::Error { code: "internal_error".to_owned() },
        ApiFault::Error { code: "service_unavailable".to_owned() },
        ApiFault::Error { code: "token_revoked".to_owned() },
    ]
}

#[tokio::test]
async fn a_page_whose_answer_was_lost_or_refused_for_now_arrives_once() {
    for what in half_done().into_iter().chain(not_done()) {
        let house = House::on_sqlite().await;
        let bell = house.bell().await;
        escalate_without_channel(&house, &bell, what.clone()).await;
        bell.advance(&house, seconds(40)).await;
        assert_eq!(house.direct(DANA).len(), 1, "{what:?}");
        assert_eq!(bell.count(1, is_page_sent).await, 1, "{what:?}");
        let said = |event: &Event| {
            matches!(event, Event::PageAttempted { result: PageResult::Unknown { .. } | PageResult::Failed { .. }, .. })
        };
        assert_eq!(bell.count(1, said).await, 1, "{what:?} is in the record");
    }
}

#[tokio::test]
async fn a_channel_whose_creation_was_half_done_is_adopted() {
    for what in half_done().into_iter().chain(not_done()) {
        let house = House::on_sqlite().await;
        let bell = house.bell().await;
        house.fault("conversations.create", Some(1), what.clone());
        open_and_escalate(&house).await;
        bell.advance(&house, seconds(40)).await;
        assert_eq!(house.channels(), ["inc-1-db-is-down"], "{what:?}");
        let own = house.slack.find_channel("inc-1-db-is-down");
        assert_eq!(bell.incident(1).await.channel_id().map(ToString::to_string), own, "{what:?}");
    }
}

#[tokio::test]
async fn every_other_call_may_fail_once_and_the_channel_is_complete_all_the_same() {
    for method in ["conversations.invite", "conversations.setTopic", "pins.add", "chat.update", "chat.postMessage"] {
        for what in half_done().into_iter().chain(not_done()) {
            let house = House::on_sqlite().await;
            let bell = house.bell().await;
            house.fault(method, Some(2), what.clone());
            house.fault(method, Some(1), what.clone());
            open_and_escalate(&house).await;
            bell.advance(&house, minutes(2)).await;
            let incident = bell.incident(1).await;
            let channel = incident.channel_id().expect("a channel").to_string();
            let cards = house.said_in(ANA, &channel);
            assert!(incident.card.is_some() && incident.announcement.is_some(), "{method} {what:?}");
            let marks: Vec<&Value> = cards.iter().filter_map(|card| card.pointer("/metadata/event_payload")).collect();
            let mut distinct: Vec<String> = marks.iter().map(ToString::to_string).collect();
            distinct.sort();
            distinct.dedup();
            assert_eq!(distinct.len(), marks.len(), "{method} {what:?}: something was posted twice");
            assert_eq!(house.direct(DANA).len(), 1, "{method} {what:?}");
            assert!(cards.iter().any(|card| card["pinned"] == true), "{method} {what:?}");
        }
    }
}

#[tokio::test]
async fn a_yes_that_was_a_lie_does_not_stop_the_escalation() {
    let house = House::on_sqlite().await;
    let bell = house.bell().await;
    escalate_without_channel(&house, &bell, ApiFault::Lie).await;
    bell.advance(&house, minutes(5)).await;
    assert_eq!((house.direct(DANA).len(), house.direct(ELI).len()), (0, 1));
}

#[tokio::test]
async fn a_page_does_not_wait_behind_channels_that_cannot_be_made_yet() {
    let house = House::on_sqlite().await;
    let bell = house.bell().await;
    house.fault("conversations.create", None, ApiFault::RateLimited { retry_after: 60, plain: false });
    open_and_escalate(&house).await;
    bell.settle(&house).await;
    assert_eq!((house.direct(DANA).len(), house.channels().len()), (1, 0));
    house.slack.clear_faults();
    bell.advance(&house, seconds(61)).await;
    assert_eq!(house.channels().len(), 1);
}

#[tokio::test]
async fn a_name_that_somebody_else_has_gets_the_incidents_own_part() {
    for archived in [false, true] {
        let house = House::on_sqlite().await;
        let bell = house.bell().await;
        let create = Act::CreateChannel { name: "inc-1-db-is-down".to_owned(), private: false };
        house.slack.act(ANA, create).await.expect("is made");
        let theirs = house.slack.find_channel("inc-1-db-is-down").expect("exists");
        if archived {
            house.slack.act(ANA, Act::Archive { channel: theirs.clone() }).await.expect("is archived");
        }
        open_and_escalate(&house).await;
        bell.settle(&house).await;
        let incident = bell.incident(1).await;
        let ours = incident.channel_id().expect("a channel").to_string();
        assert_ne!(ours, theirs);
        assert_eq!(house.channels().len(), 1);
        assert!(house.channels()[0].starts_with("inc-1-"), "{:?}", house.channels());
    }
}

#[tokio::test]
async fn somebody_elses_channel_is_not_adopted_after_a_creation_of_unknown_outcome() {
    let house = House::on_sqlite().await;
    let bell = house.bell().await;
    house.fault("conversations.create", Some(1), ApiFault::ResetBefore);
    types(&house, ANA, GENERAL, "/incident open db is down").await;
    bell.settle(&house).await;
    let create = Act::CreateChannel { name: "inc-1-db-is-down".to_owned(), private: false };
    house.slack.act(ANA, create).await.expect("is made");
    let theirs = house.slack.find_channel("inc-1-db-is-down").expect("exists");
    let invite = Act::Invite { channel: theirs.clone(), users: vec![BOT.to_owned()] };
    house.slack.act(ANA, invite).await.expect("is invited");
    bell.advance(&house, seconds(40)).await;
    assert_ne!(bell.incident(1).await.channel_id().expect("a channel").to_string(), theirs);
}

#[tokio::test]
async fn a_channel_that_is_archived_in_the_middle_is_told_once_and_paging_goes_on() {
    let house = House::on_sqlite().await;
    let bell = house.bell().await;
    open_and_escalate(&house).await;
    bell.settle(&house).await;
    let channel = bell.incident(1).await.channel_id().expect("a channel").to_string();
    house.slack.act(ANA, Act::Archive { channel }).await.expect("is archived");
    for text in
        ["update still down", "severity sev1", "commander <@U0BEN00001|ben>", "status identified it is the disk"]
    {
        types(&house, ANA, GENERAL, &format!("/incident INC-1 {text}")).await;
    }
    bell.advance(&house, minutes(5)).await;
    assert!(matches!(bell.incident(1).await.channel, Channel::Failed { .. }));
    assert_eq!(bell.count(1, |event| matches!(event, Event::ChannelFailed { .. })).await, 1);
    assert_eq!(house.direct(ELI).len(), 1);
    acknowledge(&house, ELI).await;
    assert_eq!(bell.count(1, |event| matches!(event, Event::Acknowledged { .. })).await, 1);
}

#[tokio::test]
async fn a_person_whom_slack_does_not_know_any_more_is_skipped_at_once() {
    for code in ["user_disabled", "user_not_found", "cannot_dm_bot", "channel_not_found", "not_in_channel"] {
        let house = House::on_sqlite().await;
        let bell = house.bell().await;
        escalate_without_channel(&house, &bell, ApiFault::Error { code: code.to_owned() }).await;
        bell.settle(&house).await;
        assert_eq!((house.direct(DANA).len(), house.direct(ELI).len()), (0, 1), "{code}");
    }
}

#[tokio::test]
async fn a_revoked_token_loses_nothing() {
    let house = House::on_sqlite().await;
    let bell = house.bell().await;
    house.fault("*", None, ApiFault::Error { code: "token_revoked".to_owned() });
    let answer = types(&house, ANA, GENERAL, "/incident open db is down").await;
    assert_eq!(answer["status"], 200);
    types(&house, ANA, GENERAL, "/escalate INC-1 db-team").await;
    bell.advance(&house, minutes(2)).await;
    assert_eq!(house.direct(DANA).len(), 0);
    house.slack.clear_faults();
    bell.advance(&house, minutes(1)).await;
    assert_eq!((house.direct(DANA).len(), house.channels().len()), (1, 1));
}

async fn dead(bell: &Bell) -> Vec<String> {
    let mut tx = bell.program.app.db().read().await.expect("reads");
    let dead = store::outbox::dead(&mut tx, 10).await.expect("reads");
    dead.into_iter().map(|row| row.effect.slot().unwrap_or_default()).collect()
}

#[tokio::test]
async fn an_effect_that_is_refused_for_good_is_set_aside_where_it_can_be_seen() {
    let house = House::on_sqlite().await;
    let bell = house.bell().await;
    house.fault("conversations.setTopic", None, ApiFault::Error { code: "restricted_action".to_owned() });
    open_and_escalate(&house).await;
    bell.advance(&house, minutes(1)).await;
    assert_eq!(dead(&bell).await, ["topic"]);
    assert_eq!(house.calls("conversations.setTopic"), 1);
}

#[tokio::test]
async fn an_effect_that_fails_for_a_day_is_given_up_but_a_page_is_still_asked_about() {
    let house = House::on_sqlite().await;
    let bell = house.bell().await;
    open_and_escalate(&house).await;
    house.fault("*", None, ApiFault::ServerError { status: 500 });
    bell.settle(&house).await;
    for hours in [1, 12, 25, 26] {
        bell.clock.set(start() + TimeDelta::hours(hours));
        bell.settle(&house).await;
    }
    let given_up = dead(&bell).await;
    assert!(!given_up.is_empty() && !given_up.iter().any(|slot| slot.starts_with("page:")), "{given_up:?}");
    house.slack.clear_faults();
    bell.advance(&house, minutes(1)).await;
    // What is a day old wakes nobody by itself, and is not forgotten.
    let to_the_tiers = [house.direct(DANA), house.direct(ELI)].concat();
    assert!(!to_the_tiers.iter().any(|message| button(message, "acknowledge").is_some()), "{to_the_tiers:#?}");
    let direct = house.direct(FAY);
    let questions = direct.iter().filter(|message| button(message, "resume_call").is_some()).count();
    assert_eq!(questions, 1, "{direct:#?}");
}

#[tokio::test]
async fn a_first_start_without_slack_says_what_to_check() {
    let house = House::on_sqlite().await;
    for (api_url, what) in [("http://127.0.0.1:9/api".to_owned(), None), (house.slack.api_url(), Some(900))] {
        if let Some(ms) = what {
            house.fault("auth.test", None, ApiFault::Slow { ms });
        }
        let error = match house.try_bell_at(&api_url).await {
            Ok(_) => panic!("the program started"),
            Err(error) => format!("{error:#}"),
        };
        assert!(error.contains("Check the network"), "{error}");
    }
    house.slack.clear_faults();
    house.fault("auth.test", None, ApiFault::Error { code: "invalid_auth".to_owned() });
    let error = house.try_bell().await.err().expect("refused").to_string();
    assert!(error.contains("Check the token"), "{error}");
}

#[tokio::test]
async fn a_later_start_without_slack_goes_on_with_what_is_remembered() {
    let house = House::on_sqlite().await;
    let first = house.bell().await;
    open_and_escalate(&house).await;
    drop(first);
    let second = house.try_bell_at("http://127.0.0.1:9/api").await.expect("a program");
    second.settle(&house).await;
    assert_eq!(house.direct(DANA).len(), 0);
    drop(second);
    let third = house.bell().await;
    third.advance(&house, minutes(1)).await;
    assert_eq!(house.direct(DANA).len(), 1);
}

#[tokio::test]
async fn user_groups_that_cannot_be_read_for_a_moment_do_not_leave_a_team_empty() {
    let house = House::on_sqlite().await;
    drop(house.bell().await);
    house.fault("usergroups.list", None, ApiFault::ServerError { status: 503 });
    let bell = house.bell().await;
    types(&house, ANA, GENERAL, "/incident open db is down").await;
    types(&house, ANA, GENERAL, "/escalate INC-1 dev-team").await;
    bell.settle(&house).await;
    assert_eq!((house.direct(BEN).len(), house.direct(FAY).len()), (1, 0));
}

#[tokio::test]
async fn with_the_token_of_the_last_start_pages_go_out_though_slack_does_not_say_whose_it_is() {
    let house = House::on_sqlite().await;
    let bell = house.bell().await;
    types(&house, ANA, GENERAL, "/incident open db is down").await;
    bell.settle(&house).await;
    types(&house, ANA, GENERAL, "/escalate INC-1 db-team").await;
    assert_eq!(house.direct(DANA).len(), 0, "it ends before the page is sent");
    drop(bell);
    house.fault("auth.test", None, ApiFault::ServerError { status: 503 });
    let program = house.program_at(&house.slack.api_url()).await.expect("a program");
    let listener = bind(([127, 0, 0, 1], 0).into()).await.expect("a port");
    let running = tokio::spawn(program.run(listener));
    while house.direct(DANA).is_empty() {
        assert!(!running.is_finished(), "it serves with what it remembers");
        tokio::task::yield_now().await;
    }
    running.abort();
}

#[tokio::test]
async fn a_restart_while_slack_refuses_the_token_serves_and_pages_by_the_other_ways() {
    let mail = MailServer::start().await;
    let with_mail = format!(
        "[server]\npublic_url = \"https://bell.example\"\n[email]\nhost = \"127.0.0.1\"\nport = {}\ntls = \"none\"\n\
         user = \"firebell\"\nfrom = \"firebell@bell.example\"\n[[people]]\nuser = \"@dana\"\nemail = \"dana@bell.example\"\n",
        mail.port
    );
    // Also when a name in the configuration is not known yet, so that Slack is asked before it serves.
    for more in ["", "[[people]]\nuser = \"@nobody.knows\"\nemail = \"x@bell.example\"\n"] {
        let house = House::on_sqlite().await;
        let program = house.program_with(&with_mail, &house.slack.api_url()).await.expect("a program");
        let bell = house.ring(program).await.expect("a port");
        types(&house, ANA, GENERAL, "/incident open db is down").await;
        types(&house, ANA, GENERAL, "/escalate INC-1 db-team").await;
        drop(bell);
        house.fault("*", None, ApiFault::Error { code: "token_revoked".to_owned() });
        let before = mail.mails_to("dana@bell.example").len();
        let lines = format!("{with_mail}{more}");
        let program = house.program_with(&lines, &house.slack.api_url()).await.expect("a program");
        let watch = program.watch().clone();
        let listener = bind(([127, 0, 0, 1], 0).into()).await.expect("a port");
        let running = tokio::spawn(program.run(listener));
        while !watch.troubles().await.iter().any(|trouble| matches!(trouble, Trouble::Token)) {
            assert!(!running.is_finished(), "it serves with what it remembers");
        }
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
        assert!(!running.is_finished(), "it goes on when Slack has refused the token");
        running.abort();
        let _ = running.await;

        let program = house.program_with(&lines, &house.slack.api_url()).await.expect("a program");
        let bell = house.ring(program).await.expect("a port");
        bell.advance(&house, minutes(2)).await;
        assert!(mail.mails_to("dana@bell.example").len() > before);
        drop(bell);
        house.slack.clear_faults();
        let bell = house.bell().await;
        bell.advance(&house, minutes(1)).await;
        assert_eq!(house.direct(DANA).len(), 1, "it is still tried in Slack");
    }
}

#[tokio::test]
async fn a_token_of_another_workspace_is_refused() {
    let house = House::on_sqlite().await;
    drop(house.bell().await);
    let mut fixture = Workspace::demo();
    fixture.team.id = "T0ELSEWHER".to_owned();
    let elsewhere = Sandbox::start(SandboxConfig {
        clock: house.clock.clone(),
        bot_token: BOT_TOKEN.to_owned(),
        fixture,
        ..SandboxConfig::default()
    })
    .await
    .expect("a sandbox");
    // It serves at once with what it remembers, and ends as soon as it learns where it is.
    let program = house.program_at(&elsewhere.api_url()).await.expect("a program");
    let listener = bind(([127, 0, 0, 1], 0).into()).await.expect("a port");
    let error = program.run(listener).await.expect_err("refused").to_string();
    assert!(error.contains("T0ELSEWHER") && error.contains("T0SHOPFRNT"), "{error}");
}

#[tokio::test]
async fn the_token_of_another_app_of_the_same_workspace_is_refused_unless_its_bot_is_named() {
    let house = House::on_sqlite().await;
    drop(house.bell().await);
    let mut fixture = Workspace::demo();
    fixture.app.bot_user = "U0MONITOR1".to_owned();
    let elsewhere = Sandbox::start(SandboxConfig {
        clock: house.clock.clone(),
        bot_token: BOT_TOKEN.to_owned(),
        fixture,
        ..SandboxConfig::default()
    })
    .await
    .expect("a sandbox");
    // It serves at once with what it remembers, and ends as soon as it learns who it is.
    let refused = async |line: &str| {
        let program = house.program_with(line, &elsewhere.api_url()).await.expect("a program");
        let listener = bind(([127, 0, 0, 1], 0).into()).await.expect("a port");
        program.run(listener).await.expect_err("refused").to_string()
    };
    let error = refused("").await;
    assert!(error.contains("slack.bot = \"U0MONITOR1\"") && error.contains(BOT), "{error}");
    let error = refused("bot = \"U0SOMEBODY\"").await;
    assert!(error.contains("U0SOMEBODY"), "{error}");

    let program = house.program_with("bot = \"U0MONITOR1\"", &elsewhere.api_url()).await.expect("a program");
    let app = program.app.clone();
    let listener = bind(([127, 0, 0, 1], 0).into()).await.expect("a port");
    let running = tokio::spawn(program.run(listener));
    loop {
        let mut tx = app.db().read().await.expect("reads");
        let bot = store::settings::get(&mut tx, firebell::program::BOT_KEY).await.expect("reads");
        if bot.as_deref() == Some("U0MONITOR1") {
            break;
        }
        assert!(!running.is_finished(), "it goes on with the app that is named");
        drop(tx);
        tokio::task::yield_now().await;
    }
    running.abort();
}

#[tokio::test]
async fn an_outage_is_in_the_record_once_when_it_begins_and_once_when_it_ends() {
    for status in [500, 503] {
        let house = House::on_sqlite().await;
        let bell = house.bell().await;
        types(&house, ANA, GENERAL, "/incident open db is down").await;
        bell.settle(&house).await;
        house.fault("chat.postMessage", None, ApiFault::ServerError { status });
        types(&house, ANA, GENERAL, "/escalate INC-1 db-team").await;
        bell.advance(&house, minutes(3)).await;
        house.slack.clear_faults();
        bell.advance(&house, minutes(1)).await;
        let mut attempts = Vec::new();
        for recorded in bell.history(1).await {
            if let Event::PageAttempted { attempt, result, .. } = recorded.occurrence.event {
                attempts.push((attempt, result));
            }
        }
        let [(1, began), (last, PageResult::Sent { .. })] = attempts.as_slice() else { panic!("{attempts:?}") };
        assert!(*last > 10, "the tries that are not told are counted: {last}");
        match status {
            503 => assert!(matches!(began, PageResult::Failed { .. }), "{began:?}"),
            _ => assert!(matches!(began, PageResult::Unknown { .. }), "{began:?}"),
        }
        assert_eq!(house.direct(DANA).len(), 1);
    }
}
