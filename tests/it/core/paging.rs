//! What paging means, rule by rule.

use firebell::domain::answer::Said;
use firebell::domain::command::{Command, When};
use firebell::domain::escalation::Phase;
use firebell::domain::event::{Event, PageResult};
use firebell::domain::incident::Status;
use firebell::ids::{EscalationId, PageId};

use super::{Core, group, minutes, policy, start, tier, user};

fn two_tiers() -> Core {
    Core::open(&[("db", policy(vec![tier(vec![user("UBEN")], 5), tier(vec![user("UCHRIS")], 5)]))])
}

const FIRST: EscalationId = EscalationId(1);

#[test]
fn the_first_tier_is_paged_at_once_and_the_next_when_it_is_due() {
    let mut core = two_tiers();
    core.escalate("UANA", "db");
    assert_eq!(core.send_pages(), ["UBEN"]);
    core.advance(minutes(4));
    assert!(core.send_pages().is_empty());
    core.advance(minutes(1));
    assert_eq!(core.send_pages(), ["UCHRIS"]);
}

#[test]
fn an_acknowledgement_stops_the_tiers() {
    let mut core = two_tiers();
    core.escalate("UANA", "db");
    core.send_pages();
    assert!(matches!(core.acknowledge("UBEN", PageId(1)), Said::YouHaveIt { .. }));
    core.advance(minutes(60));
    assert!(core.send_pages().is_empty());
    assert!(core.incident.timers().is_empty());
}

#[test]
fn an_acknowledgement_wins_over_a_page_that_is_not_claimed_yet() {
    let mut core = two_tiers();
    core.escalate("UANA", "db");
    core.acknowledge("UANA", PageId(1));
    assert!(core.send_pages().is_empty());
}

#[test]
fn the_second_to_acknowledge_is_told_who_was_first() {
    let mut core = two_tiers();
    core.escalate("UANA", "db");
    core.acknowledge("UBEN", PageId(1));
    let said = core.acknowledge("UCHRIS", PageId(1));
    assert!(matches!(said, Said::SomebodyHasIt { by: Some(by), .. } if by.as_str() == "UBEN"));
    assert_eq!(core.count(|event| matches!(event, Event::Acknowledged { .. })), 1);
    assert_eq!(core.count(|event| matches!(event, Event::JoinedAcknowledged { .. })), 1);
    assert!(matches!(core.acknowledge("UBEN", PageId(1)), Said::NothingChanged { .. }));
}

#[test]
fn an_unanswered_policy_is_exhausted_and_the_fallback_is_paged() {
    let mut core = two_tiers();
    core.escalate("UANA", "db");
    core.advance(minutes(10));
    assert_eq!(core.send_pages(), ["UBEN", "UCHRIS", "UFALL"]);
    assert_eq!(core.incident.escalations[&FIRST].phase, Phase::Exhausted);
    assert!(core.incident.timers().is_empty());
    let last = core.last_page();
    assert!(matches!(core.acknowledge("UFALL", last), Said::YouHaveIt { .. }));
}

#[test]
fn rounds_repeat_the_tiers_before_the_end() {
    let mut core = Core::open(&[(
        "db",
        firebell::domain::policy::Policy { rounds: 2, ..policy(vec![tier(vec![user("UBEN")], 5)]) },
    )]);
    core.escalate("UANA", "db");
    assert_eq!(core.send_pages(), ["UBEN"]);
    core.advance(minutes(5));
    assert_eq!(core.send_pages(), ["UBEN"]);
    core.advance(minutes(5));
    assert_eq!(core.send_pages(), ["UFALL"]);
}

#[test]
fn deadlines_do_not_drift_with_the_lateness_of_timers() {
    let mut core = two_tiers();
    core.escalate("UANA", "db");
    core.stall(minutes(5) + chrono::TimeDelta::milliseconds(900));
    core.advance(chrono::TimeDelta::zero());
    assert!(
        matches!(core.incident.escalations[&FIRST].phase, Phase::Active { next_due_at } if next_due_at == start() + minutes(10))
    );
}

#[test]
fn after_a_stall_overdue_tiers_follow_each_other_within_a_minute() {
    let tiers = ["UBEN", "UCHRIS", "UDANA"].map(|id| tier(vec![user(id)], 5));
    let mut core = Core::open(&[("db", policy(tiers.to_vec()))]);
    core.escalate("UANA", "db");
    core.stall(minutes(30));
    core.advance(chrono::TimeDelta::zero());
    assert_eq!(core.send_pages(), ["UBEN", "UCHRIS"], "the first overdue tier at once, not all of them");
    core.advance(minutes(1));
    assert_eq!(core.send_pages(), ["UDANA"]);
}

#[test]
fn a_tier_with_nobody_is_skipped_at_once_with_the_reason() {
    let mut core = Core::open(&[("db", policy(vec![tier(vec![group("empty")], 5), tier(vec![user("UCHRIS")], 5)]))]);
    core.user_group("empty", &[]);
    core.escalate("UANA", "db");
    assert_eq!(core.send_pages(), ["UCHRIS"]);
    assert_eq!(core.count(|event| matches!(event, Event::TierSkipped { unreachable, .. } if unreachable[0].why.contains("no active members"))), 1);
}

#[test]
fn a_policy_in_which_nobody_is_left_goes_to_the_fallback_at_once() {
    let mut core = Core::open(&[("db", policy(vec![tier(vec![user("UGONE")], 5), tier(vec![group("unknown")], 5)]))]);
    core.person("UGONE", true);
    core.escalate("UANA", "db");
    assert_eq!(core.send_pages(), ["UFALL"]);
}

#[test]
fn a_target_that_cannot_be_reached_shortens_its_tier() {
    let mut core = two_tiers();
    core.escalate("UANA", "db");
    core.finish(PageId(1), PageResult::NotReached { error: "account_inactive".into() });
    assert_eq!(core.send_pages(), ["UCHRIS"]);
}

#[test]
fn a_tier_waits_while_one_of_its_targets_can_still_answer() {
    let mut core =
        Core::open(&[("db", policy(vec![tier(vec![user("UBEN"), user("UDANA")], 5), tier(vec![user("UCHRIS")], 5)]))]);
    core.escalate("UANA", "db");
    core.send_pages();
    let decline = Command::Decline { page: PageId(1), generation: 1 };
    core.by("UBEN", &decline).expect("declines");
    assert!(core.send_pages().is_empty());
    core.by("UDANA", &Command::Decline { page: PageId(2), generation: 1 }).expect("declines");
    assert_eq!(core.send_pages(), ["UCHRIS"]);
}

#[test]
fn a_group_is_resolved_when_its_tier_fires_and_nobody_is_paged_twice_by_it() {
    let mut core =
        Core::open(&[("db", policy(vec![tier(vec![user("UBEN"), group("dbs")], 5), tier(vec![group("dbs")], 5)]))]);
    core.user_group("dbs", &["UBEN", "UDANA"]);
    core.escalate("UANA", "db");
    assert_eq!(core.send_pages(), ["UBEN", "UDANA"]);
    core.user_group("dbs", &["UELI"]);
    core.advance(minutes(5));
    assert_eq!(core.send_pages(), ["UELI"]);
}

#[test]
fn calling_an_unanswered_team_again_calls_its_next_tier_but_not_within_a_minute() {
    let mut core = two_tiers();
    core.escalate("UANA", "db");
    assert!(matches!(core.escalate("UFAY", "db"), Said::AlreadyCalled { .. }));
    assert_eq!(core.send_pages(), ["UBEN"]);
    core.advance(minutes(2));
    assert!(matches!(core.escalate("UANA", "db"), Said::Called { .. }));
    assert_eq!(core.send_pages(), ["UCHRIS"]);
    assert_eq!(core.incident.escalations.len(), 1);
    assert_eq!(core.count(|event| matches!(event, Event::Escalated { .. })), 3, "every call is in the record");
}

#[test]
fn next_takes_an_acknowledgement_back_and_moves_one_tier() {
    let mut core = two_tiers();
    core.escalate("UANA", "db");
    core.send_pages();
    core.acknowledge("UBEN", PageId(1));
    let next = Command::EscalateNext { escalation: None, generation: Some(1), team: None, text: None };
    core.by("UBEN", &next).expect("moves on");
    assert_eq!(core.send_pages(), ["UCHRIS"]);
    assert!(matches!(core.by("UBEN", &next), Ok(Said::NothingChanged { .. })), "a stale button changes nothing");
}

#[test]
fn next_is_refused_with_a_reason_when_resolved() {
    let mut core = two_tiers();
    core.escalate("UANA", "db");
    core.by("UANA", &Command::Resolve { when: When::default(), text: None, team: None }).expect("resolves");
    let next = Command::EscalateNext { escalation: None, generation: None, team: None, text: None };
    let refused = core.by("UANA", &next).expect_err("is refused");
    assert!(refused.sentence.contains("resolved"), "{}", refused.sentence);
    assert!(core.incident.timers().is_empty());
    assert!(core.send_pages().is_empty(), "a resolved incident pages nobody");
}

#[test]
fn an_acknowledgement_after_the_end_reopens_nothing() {
    let mut core = two_tiers();
    core.escalate("UANA", "db");
    core.send_pages();
    core.by("UANA", &Command::Resolve { when: When::default(), text: None, team: None }).expect("resolves");
    assert!(matches!(core.acknowledge("UBEN", PageId(1)), Said::NothingChanged { .. }));
    assert_eq!(core.incident.status, Status::Resolved);
}

#[test]
fn an_escalation_keeps_the_policy_it_started_with() {
    let mut core = two_tiers();
    core.escalate("UANA", "db");
    core.roster.teams.get_mut(&"db".into()).expect("configured").policy = policy(vec![tier(vec![user("UNEW")], 1)]);
    core.advance(minutes(5));
    assert_eq!(core.send_pages(), ["UBEN", "UCHRIS"]);
}

#[test]
fn an_acknowledgement_without_activity_lapses_and_the_current_tier_is_paged_again() {
    let lapsing = firebell::domain::policy::Policy {
        ack_timeout_s: Some(600),
        ..policy(vec![tier(vec![user("UBEN")], 5), tier(vec![user("UCHRIS")], 5)])
    };
    let mut core = Core::open(&[("db", lapsing)]);
    core.escalate("UANA", "db");
    core.send_pages();
    core.acknowledge("UBEN", PageId(1));
    core.advance(minutes(8));
    core.ask(&firebell::domain::event::Actor::Firebell, &Command::Activity { user: "UBEN".into() }).expect("noted");
    core.advance(minutes(9));
    assert!(core.send_pages().is_empty(), "activity keeps the acknowledgement");
    core.advance(minutes(1));
    assert_eq!(core.send_pages(), ["UBEN"]);
    core.advance(minutes(5));
    assert_eq!(core.send_pages(), ["UCHRIS"]);
}

#[test]
fn an_exhausted_policy_is_handed_on_to_the_named_team() {
    let first = firebell::domain::policy::Policy {
        hand_off_to: Some("ops".into()),
        ..policy(vec![tier(vec![user("UBEN")], 5)])
    };
    let mut core = Core::open(&[("db", first), ("ops", policy(vec![tier(vec![user("UOPS")], 5)]))]);
    core.escalate("UANA", "db");
    core.advance(minutes(5));
    assert_eq!(core.send_pages(), ["UBEN", "UFALL", "UOPS"]);
}

#[test]
fn calling_a_team_for_a_resolved_incident_opens_it_again() {
    let mut core = two_tiers();
    core.by("UANA", &Command::Resolve { when: When::default(), text: None, team: None }).expect("resolves");
    core.escalate("UANA", "db");
    assert!(core.incident.is_open());
    assert_eq!(core.send_pages(), ["UBEN"]);
}

#[test]
fn a_call_is_undone_for_ten_minutes_and_stopped_by_command_later() {
    let mut core = Core::open(&[("db", policy(vec![tier(vec![user("UBEN")], 60)]))]);
    core.escalate("UANA", "db");
    core.advance(minutes(10));
    let undo = Command::UndoCall { escalation: FIRST, generation: 1 };
    let in_time = core.incident.clone();
    assert!(matches!(core.by("UANA", &undo), Ok(Said::Stopped { .. })));
    core.incident = in_time;
    core.advance(chrono::TimeDelta::seconds(1));
    let refused = core.by("UANA", &undo).expect_err("is refused");
    assert!(
        refused.sentence.ends_with("was called more than 10 minutes ago, so it can no longer be undone."),
        "{refused:?}"
    );
    assert_eq!(refused.hint.as_deref(), Some("To end the call: /escalate INC-42 stop db <why>."));
    assert!(core.incident.escalations[&FIRST].is_active());
}
