//! What is so late that people are asked before anybody is paged.

use chrono::TimeDelta;
use firebell::domain::answer::Said;
use firebell::domain::command::{Acknowledge, Command, Finished, When};
use firebell::domain::contact::Contacts;
use firebell::domain::escalation::Phase;
use firebell::domain::event::{Actor, Event, PageResult, Recipient};
use firebell::domain::hold::{AskAfter, Resume};
use firebell::domain::incident::{Role, Status};
use firebell::domain::permission::Allow;
use firebell::domain::policy::Policy;
use firebell::ids::{EscalationId, MessageRef, PageId};

use super::{Core, minutes, policy, tier, user};

const FIRST: EscalationId = EscalationId(1);

fn hours(hours: i64) -> TimeDelta {
    TimeDelta::hours(hours)
}

/// Ben was paged, and Chris is next.
fn ben_was_paged() -> Core {
    let mut core = Core::open(&[("db", policy(vec![tier(vec![user("UBEN")], 5), tier(vec![user("UCHRIS")], 5)]))]);
    let made = Finished::ChannelCreated { channel: "C42".into(), name: "inc-42".into() };
    core.ask(&Actor::Firebell, &Command::EffectFinished(made)).expect("a channel");
    core.escalate("UANA", "db");
    assert_eq!(core.send_pages(), ["UBEN"]);
    core
}

fn resume(generation: u32) -> Command {
    Command::ResumeCall { escalation: FIRST, generation }
}

fn fires(core: &mut Core) {
    core.advance(TimeDelta::zero());
}

fn phase(core: &Core) -> &Phase {
    &core.incident.escalations[&FIRST].phase
}

/// The worker finds a page too old to be sent.
fn is_too_late(core: &mut Core, page: u32) -> Said {
    let command = Command::EffectFinished(Finished::PageTooLate { page: PageId(page) });
    core.ask(&Actor::Firebell, &command).expect("outcomes are never refused")
}

#[test]
fn a_tier_that_is_less_late_than_the_limit_is_paged_late() {
    let mut core = ben_was_paged();
    core.stall(hours(12));
    fires(&mut core);
    assert_eq!(core.send_pages(), ["UCHRIS"]);
}

#[test]
fn a_tier_that_is_later_is_asked_about_and_nothing_else_happens_by_itself() {
    let mut core = ben_was_paged();
    core.stall(hours(48));
    fires(&mut core);
    assert_eq!(core.send_pages(), ["C42", "UANA", "UFALL"], "the channel, who opened it, and the fallback");
    assert!(matches!(phase(&core), Phase::Held { resume: Resume::NextStep, .. }));
    assert!(core.incident.timers().is_empty());
    core.advance(hours(100));
    assert!(core.send_pages().is_empty());
}

#[test]
fn the_limit_is_the_configured_one() {
    let mut core = ben_was_paged();
    core.roster.ask_after = AskAfter(hours(1));
    core.stall(hours(2));
    fires(&mut core);
    assert!(core.incident.escalations[&FIRST].is_held());
}

#[test]
fn page_now_pages_what_was_due_and_the_tiers_go_on_from_there() {
    let mut core = ben_was_paged();
    core.stall(hours(48));
    fires(&mut core);
    core.send_pages();
    assert!(matches!(core.by("UFALL", &resume(1)), Ok(Said::Called { .. })));
    assert_eq!(core.send_pages(), ["UCHRIS"]);
    assert!(matches!(*phase(&core), Phase::Active { next_due_at } if next_due_at == core.now + minutes(5)));
    core.advance(minutes(5));
    assert_eq!(core.send_pages(), ["UFALL"], "everybody was called, so the fallback is paged");
}

#[test]
fn whoever_is_asked_may_answer_and_nobody_else_who_may_not_call() {
    let mut core = ben_was_paged();
    core.roster.permissions.escalate = Allow::Listed { users: vec!["UANA".into()], groups: vec![] };
    core.stall(hours(48));
    fires(&mut core);
    assert!(core.by("UEVE", &resume(1)).is_err());
    assert!(matches!(core.by("UFALL", &resume(1)), Ok(Said::Called { .. })));
    let stop = Command::StopEscalation { escalation: Some(FIRST), generation: None, team: None, text: None };
    assert!(core.by("UFALL", &stop).is_err(), "it is no question any more");
}

#[test]
fn a_tier_of_which_nobody_was_reached_is_not_passed_over() {
    let mut core = Core::open(&[("db", policy(vec![tier(vec![user("UBEN")], 5), tier(vec![user("UCHRIS")], 5)]))]);
    core.escalate("UANA", "db");
    core.stall(hours(48));
    fires(&mut core);
    assert_eq!(core.send_pages(), ["UANA", "UFALL"]);
    core.by("UANA", &resume(1)).expect("goes on");
    assert_eq!(core.send_pages(), ["UBEN"]);
}

#[test]
fn a_second_press_changes_nothing_and_says_why() {
    let mut core = ben_was_paged();
    core.stall(hours(48));
    fires(&mut core);
    core.by("UANA", &resume(1)).expect("goes on");
    let events = core.history.len();
    let said = core.by("UFALL", &resume(1)).expect("is answered");
    assert_eq!(
        said,
        Said::NothingChanged { because: "The call goes on already. db team has not answered yet.".to_owned() }
    );
    core.by("UANA", &Command::Resolve { when: When::default(), text: None, team: None }).expect("resolves");
    let said = core.by("UFALL", &resume(1)).expect("is answered");
    assert_eq!(said, Said::NothingChanged { because: "INC-42 is resolved. It needs nobody any more.".to_owned() });
    assert!(core.history.len() > events, "it was resolved");
}

#[test]
fn ending_it_is_in_the_record_with_a_reason() {
    let mut core = ben_was_paged();
    core.stall(hours(48));
    fires(&mut core);
    let stop = Command::StopEscalation { escalation: Some(FIRST), generation: Some(1), team: None, text: None };
    assert!(matches!(core.by("UFALL", &stop), Ok(Said::Stopped { .. })));
    assert_eq!(*phase(&core), Phase::Stopped);
    let why = "on hold, and not needed any more";
    assert_eq!(
        core.count(|event| matches!(event, Event::EscalationStopped { text: Some(text), .. } if text == why)),
        1
    );
    assert!(core.send_pages().is_empty(), "the questions that had not gone out are dropped");
}

#[test]
fn an_acknowledgement_still_counts() {
    let mut core = ben_was_paged();
    core.stall(hours(48));
    fires(&mut core);
    assert!(matches!(core.acknowledge("UBEN", PageId(1)), Said::YouHaveIt { .. }));
    assert!(matches!(phase(&core), Phase::Acknowledged { .. }));
    assert!(core.send_pages().is_empty());
}

#[test]
fn calling_the_team_again_or_its_next_tier_lets_it_go_on() {
    let next = Command::EscalateNext { escalation: None, generation: None, team: None, text: None };
    let again = Command::Escalate { when: When::default(), team: "db".into(), reason: None };
    for command in [next, again] {
        let mut core = ben_was_paged();
        core.stall(hours(48));
        fires(&mut core);
        assert!(matches!(core.by("UANA", &command), Ok(Said::Called { .. })), "{command:?}");
        assert_eq!(core.send_pages(), ["UCHRIS"], "{command:?}");
        assert_eq!(core.incident.escalations.len(), 1);
    }
}

#[test]
fn resolving_ends_it() {
    let mut core = ben_was_paged();
    core.stall(hours(48));
    fires(&mut core);
    core.by("UANA", &Command::Resolve { when: When::default(), text: None, team: None }).expect("resolves");
    assert_eq!((phase(&core), core.incident.status), (&Phase::Stopped, Status::Resolved));
}

#[test]
fn a_page_that_is_too_old_is_not_sent_and_its_call_is_held() {
    let mut core = Core::open(&[("db", policy(vec![tier(vec![user("UBEN"), user("UDANA")], 60 * 24)]))]);
    core.escalate("UANA", "db");
    core.stall(hours(13));
    assert_eq!(is_too_late(&mut core, 1), Said::Done);
    assert!(matches!(phase(&core), Phase::Held { resume: Resume::SameStep, .. }));
    assert_eq!(core.count(|event| matches!(event, Event::PageWithheld { .. })), 2, "Dana's waited as long");
    assert_eq!(core.send_pages(), ["UANA", "UFALL"]);
    core.by("UANA", &resume(1)).expect("goes on");
    assert_eq!(core.send_pages(), ["UBEN", "UDANA"]);
    assert!(matches!(*phase(&core), Phase::Active { next_due_at } if next_due_at == core.now + hours(24)));
}

#[test]
fn if_somebody_of_the_tier_was_reached_the_call_is_not_held() {
    let mut core = Core::open(&[("db", policy(vec![tier(vec![user("UBEN"), user("UDANA")], 60 * 24)]))]);
    core.escalate("UANA", "db");
    core.finish(
        PageId(1),
        PageResult::Sent { message: MessageRef { channel: "D1".into(), ts: "1.0".into() }, digest: Vec::new() },
    );
    core.stall(hours(13));
    assert_eq!(is_too_late(&mut core, 2), Said::Done);
    assert!(core.incident.escalations[&FIRST].is_active());
    assert_eq!(core.count(|event| matches!(event, Event::PageWithheld { page: PageId(2), .. })), 1);
    assert!(core.send_pages().is_empty());
}

#[test]
fn the_fallbacks_page_is_asked_about_too_and_repeated_when_that_is_wanted() {
    let mut core = ben_was_paged();
    core.advance(minutes(10));
    let page = core.last_page();
    core.stall(hours(13));
    assert_eq!(is_too_late(&mut core, page.0), Said::Done);
    assert!(core.incident.escalations[&FIRST].is_held());
    let generation = core.incident.escalations[&FIRST].step.generation;
    core.send_pages();
    core.by("UANA", &resume(generation)).expect("goes on");
    assert_eq!(core.send_pages(), ["UFALL"]);
    assert_eq!(*phase(&core), Phase::Exhausted);
}

#[test]
fn the_way_besides_slack_is_not_taken_blindly_either() {
    let mut core = Core::open(&[("db", policy(vec![tier(vec![user("UBEN")], 60 * 24)]))]);
    let mail = Contacts { email: Some("ben@shop.example".into()), webhook: None };
    core.roster.contacts.insert("UBEN".into(), mail);
    core.escalate("UANA", "db");
    core.stall(hours(13));
    fires(&mut core);
    assert!(core.incident.escalations[&FIRST].is_held());
    assert_eq!(core.count(|event| matches!(event, Event::PagedElsewhere { .. })), 0);
}

#[test]
fn an_acknowledgement_that_lapsed_long_ago_is_asked_about() {
    let policy = Policy { ack_timeout_s: Some(3_600), ..policy(vec![tier(vec![user("UBEN")], 5)]) };
    let mut core = Core::open(&[("db", policy)]);
    core.escalate("UANA", "db");
    core.acknowledge("UBEN", PageId(1));
    core.stall(hours(48));
    fires(&mut core);
    assert!(matches!(phase(&core), Phase::Held { resume: Resume::Lapsed { .. }, .. }));
    assert_eq!(core.count(|event| matches!(event, Event::AcknowledgementLapsed { .. })), 0);
    core.send_pages();
    core.by("UFALL", &resume(1)).expect("goes on");
    assert_eq!(core.send_pages(), ["UBEN"]);
    assert_eq!(core.count(|event| matches!(event, Event::AcknowledgementLapsed { .. })), 1);
}

#[test]
fn one_question_stands_for_all_calls_of_an_incident() {
    let tiers = || policy(vec![tier(vec![user("UBEN")], 5), tier(vec![user("UCHRIS")], 5)]);
    let mut core = Core::open(&[("db", tiers()), ("dev", tiers())]);
    core.escalate("UANA", "db");
    core.escalate("UANA", "dev");
    core.send_pages();
    core.stall(hours(48));
    fires(&mut core);
    assert_eq!(core.send_pages(), ["UANA", "UFALL"]);
    assert_eq!(core.incident.held().count(), 2);
    core.by("UANA", &resume(1)).expect("goes on");
    assert_eq!(core.send_pages(), ["UCHRIS"], "the other call stays on hold");
    assert_eq!(core.incident.held().count(), 1);
}

#[test]
fn who_leads_is_asked_rather_than_who_opened() {
    let mut core = ben_was_paged();
    core.by("UANA", &Command::AssignRole { role: Role::Commander, user: "UDANA".into() }).expect("leads");
    core.stall(hours(48));
    fires(&mut core);
    assert_eq!(core.send_pages(), ["C42", "UDANA", "UFALL"]);
    assert!(!core.incident.responders.contains(&"UFALL".into()), "who is only asked takes no part yet");
}

#[test]
fn a_question_that_slack_does_not_take_goes_on_by_mail() {
    let mut core = ben_was_paged();
    core.roster.fallback_contacts = Contacts { email: Some("all@shop.example".into()), webhook: None };
    core.stall(hours(48));
    fires(&mut core);
    core.advance(minutes(1));
    let by_mail = |page: &firebell::domain::incident::Page| page.asks && matches!(page.to, Recipient::Contact { .. });
    assert!(core.incident.pages.values().any(by_mail));
    // Whoever answers by the link of the mail has it.
    let mail = core.last_page();
    core.finish(mail, PageResult::SentElsewhere);
    let take = Acknowledge { page: Some(mail), ..Acknowledge::default() };
    assert!(matches!(core.ask(&Actor::Fallback, &Command::Acknowledge(take)), Ok(Said::YouHaveIt { .. })));
    assert!(core.incident.held().next().is_none());
}

#[test]
fn a_call_about_which_nobody_can_be_asked_goes_on_late() {
    let mut core = ben_was_paged();
    core.stall(hours(48));
    fires(&mut core);
    let asking: Vec<PageId> = core.incident.pages.values().filter(|page| page.asks).map(|page| page.id).collect();
    assert_eq!(asking.len(), 3);
    for page in asking {
        assert!(core.incident.escalations[&FIRST].is_held());
        core.finish(page, PageResult::NotReached { error: "is_archived".into() });
    }
    assert_eq!(core.send_pages(), ["UCHRIS"]);
    let because = "nobody could be asked";
    let went_on = |event: &Event| matches!(event, Event::EscalationResumed { text: Some(text), .. } if text == because);
    assert_eq!(core.count(went_on), 1);
}

#[test]
fn a_call_that_goes_on_and_stops_again_for_days_is_asked_about_anew() {
    let mut core = ben_was_paged();
    core.stall(hours(48));
    fires(&mut core);
    core.send_pages();
    core.by("UANA", &resume(1)).expect("goes on");
    core.send_pages();
    core.stall(hours(48));
    fires(&mut core);
    assert_eq!(core.send_pages(), ["C42", "UANA", "UFALL"]);
    let said = core.by("UANA", &resume(1)).expect("is answered");
    assert!(matches!(said, Said::NothingChanged { because } if because.ends_with("Answer the newest message.")));
    assert!(matches!(core.by("UANA", &resume(2)), Ok(Said::Called { .. })));
}

#[test]
fn a_handed_off_call_takes_up_the_other_teams_that_is_on_hold() {
    let handing = Policy { hand_off_to: Some("dev".into()), ..policy(vec![tier(vec![user("UDANA")], 5)]) };
    let dev = policy(vec![tier(vec![user("UBEN")], 5), tier(vec![user("UCHRIS")], 5)]);
    let mut core = Core::open(&[("db", handing), ("dev", dev)]);
    core.escalate("UANA", "dev");
    core.send_pages();
    core.stall(hours(48));
    fires(&mut core);
    core.send_pages();
    core.escalate("UANA", "db");
    core.advance(minutes(5));
    assert_eq!(core.send_pages(), ["UDANA", "UFALL", "UCHRIS"]);
}
