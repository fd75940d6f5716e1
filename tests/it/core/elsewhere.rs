//! Which way a page takes when Slack does not take it.

use std::collections::BTreeMap;

use firebell::domain::command::{Fault, Finished};
use firebell::domain::contact::{ContactMethod, Contacts};
use firebell::domain::event::Detour;

use super::*;

/// Ben has e-mail and a webhook, Chris an e-mail address, Dana nothing; the fallback has an e-mail address.
fn reachable(teams: &[(&str, Policy)]) -> Core {
    let mut core = Core::open(teams);
    let email = |name: &str| Some(format!("{name}@shop.example"));
    let contacts = [
        ("UBEN", Contacts { email: email("ben"), webhook: Some("https://hooks.example/ben".into()) }),
        ("UCHRIS", Contacts { email: email("chris"), webhook: None }),
    ];
    core.roster.contacts =
        contacts.map(|(user, contacts)| (UserId::new(user), contacts)).into_iter().collect::<BTreeMap<_, _>>();
    core.roster.fallback_contacts = Contacts { email: email("on-call"), webhook: None };
    core
}

fn one_tier(users: &[&str]) -> Core {
    let targets = users.iter().map(|id| user(id)).collect();
    reachable(&[("db", policy(vec![tier(targets, 5), tier(vec![user("UELI")], 5)]))])
}

/// Every way that was taken: from which page, why, and to whom.
fn detours(core: &Core) -> Vec<(u32, Detour, Option<Recipient>)> {
    let detours = core.history.iter().filter_map(|recorded| match &recorded.occurrence.event {
        Event::PagedElsewhere { page, because, next, .. } => {
            Some((page.0, *because, next.as_ref().map(|next| next.to.clone())))
        }
        _ => None,
    });
    detours.collect()
}

fn by_mail(of: &str) -> Option<Recipient> {
    Some(Recipient::Contact { of: Some(of.into()), by: ContactMethod::Email })
}

fn fallback() -> Option<Recipient> {
    Some(Recipient::Contact { of: None, by: ContactMethod::Email })
}

fn fails(core: &mut Core, page: u32, fault: Option<Fault>) {
    let result = PageResult::Failed { error: "no".into(), retry_at: core.now };
    let command = Command::EffectFinished(Finished::Page { page: PageId(page), attempt: 1, result, fault });
    core.ask(&Actor::Firebell, &command).expect("outcomes are never refused");
}

#[test]
fn after_a_minute_each_way_is_followed_by_the_next_and_at_last_by_the_fallback() {
    let mut core = one_tier(&["UBEN"]);
    core.escalate("UANA", "db");
    core.advance(TimeDelta::seconds(59));
    assert_eq!(detours(&core), []);
    core.advance(TimeDelta::seconds(1));
    assert_eq!(detours(&core), [(1, Detour::Late, by_mail("UBEN"))]);
    core.advance(minutes(1));
    core.advance(minutes(1));
    let hook = Some(Recipient::Contact { of: Some("UBEN".into()), by: ContactMethod::Webhook });
    let expected = [(1, Detour::Late, by_mail("UBEN")), (2, Detour::Late, hook), (3, Detour::Late, fallback())];
    assert_eq!(detours(&core), expected);
    core.advance(minutes(1));
    assert_eq!(detours(&core).len(), 3, "the fallback has no further way");
    assert_eq!(core.incident.timers().len(), 1, "only the next tier is waited for: {:?}", core.incident.timers());
}

#[test]
fn what_was_accepted_in_time_goes_nowhere_else() {
    let mut core = one_tier(&["UBEN", "UCHRIS"]);
    core.escalate("UANA", "db");
    assert_eq!(core.send_pages(), ["UBEN", "UCHRIS"]);
    core.advance(minutes(4));
    assert_eq!(detours(&core), []);
}

#[test]
fn a_page_that_mail_took_is_not_sent_by_webhook_but_still_by_slack() {
    let mut core = one_tier(&["UBEN"]);
    core.escalate("UANA", "db");
    core.advance(minutes(1));
    core.finish(PageId(2), PageResult::SentElsewhere);
    core.advance(minutes(3));
    assert_eq!(detours(&core).len(), 1);
    assert!(still_wanted(&Effect::Page { page: PageId(1) }, &core.incident));
    assert!(!still_wanted(&Effect::Page { page: PageId(2) }, &core.incident));
}

#[test]
fn once_slack_took_the_page_after_all_the_mail_that_waits_is_not_wanted() {
    let mut core = one_tier(&["UBEN"]);
    core.escalate("UANA", "db");
    core.advance(minutes(1));
    assert!(still_wanted(&Effect::Page { page: PageId(2) }, &core.incident));
    let message = MessageRef { channel: "D1".into(), ts: "1.0".into() };
    core.finish(PageId(1), PageResult::Sent { message, digest: Vec::new() });
    assert!(!still_wanted(&Effect::Page { page: PageId(2) }, &core.incident));
}

#[test]
fn while_slack_is_away_nobody_waits_for_it() {
    let mut core = one_tier(&["UCHRIS"]);
    core.slack_is_away = true;
    core.escalate("UANA", "db");
    assert_eq!(detours(&core), [(1, Detour::SlackAway, by_mail("UCHRIS"))]);
    let mut core = one_tier(&["UCHRIS"]);
    core.escalate("UANA", "db");
    fails(&mut core, 1, Some(Fault::Network));
    assert_eq!(detours(&core), [], "one failure is not yet an outage");
    fails(&mut core, 1, Some(Fault::Token));
    assert_eq!(detours(&core), [(1, Detour::SlackAway, by_mail("UCHRIS"))]);
    fails(&mut core, 1, Some(Fault::Token));
    assert_eq!(detours(&core).len(), 1, "once");
}

#[test]
fn the_fallback_is_told_once_for_all_who_have_no_way_of_their_own() {
    let mut core = one_tier(&["UDANA", "UEVE"]);
    core.slack_is_away = true;
    core.escalate("UANA", "db");
    assert_eq!(detours(&core), [(1, Detour::SlackAway, fallback()), (2, Detour::SlackAway, None)]);
}

#[test]
fn the_fallback_sleeps_while_somebody_of_the_tier_has_a_way() {
    let mut core = one_tier(&["UDANA", "UCHRIS"]);
    core.slack_is_away = true;
    core.escalate("UANA", "db");
    assert_eq!(detours(&core), [(1, Detour::SlackAway, None), (2, Detour::SlackAway, by_mail("UCHRIS"))]);
    core.advance(minutes(1));
    // Mail does not take it either: now nobody has a way.
    assert_eq!(detours(&core).last(), Some(&(3, Detour::Late, fallback())));
}

#[test]
fn one_refused_person_without_another_way_calls_the_next_tier_and_not_the_fallback() {
    let mut core = one_tier(&["UDANA"]);
    core.escalate("UANA", "db");
    core.finish(PageId(1), PageResult::NotReached { error: "user_disabled".into() });
    assert_eq!(detours(&core), []);
    assert_eq!(core.send_pages(), ["UELI"]);
}

#[test]
fn one_refused_person_with_another_way_is_waited_for() {
    let mut core = one_tier(&["UCHRIS"]);
    core.escalate("UANA", "db");
    core.finish(PageId(1), PageResult::NotReached { error: "user_disabled".into() });
    assert_eq!(detours(&core), [(1, Detour::Refused, by_mail("UCHRIS"))]);
    assert!(core.send_pages().is_empty());
    core.advance(minutes(4));
    assert_eq!(core.send_pages(), [""; 0]);
    core.advance(minutes(1));
    assert_eq!(core.send_pages(), ["UELI"]);
}

#[test]
fn if_every_way_to_the_tier_is_refused_the_next_is_called_at_once() {
    let mut core = one_tier(&["UCHRIS"]);
    core.escalate("UANA", "db");
    core.finish(PageId(1), PageResult::NotReached { error: "user_disabled".into() });
    core.finish(PageId(2), PageResult::NotReached { error: "no such mailbox".into() });
    assert_eq!(core.send_pages(), ["UELI"]);
}

#[test]
fn a_known_deactivated_person_is_paged_by_mail_and_may_answer() {
    let mut core = one_tier(&["UCHRIS"]);
    core.person("UCHRIS", true);
    core.escalate("UANA", "db");
    assert_eq!(
        core.count(|event| matches!(event, Event::TierStarted { unreachable, .. } if unreachable.len() == 1)),
        1
    );
    assert_eq!(core.incident.pages[&PageId(1)].to, by_mail("UCHRIS").expect("somebody"));
    assert_eq!(core.acknowledge("UCHRIS", PageId(1)), Said::YouHaveIt { team: core.incident.teams.first().cloned() });
}

#[test]
fn an_answer_ends_every_detour() {
    let mut core = one_tier(&["UBEN"]);
    core.escalate("UANA", "db");
    core.acknowledge("UBEN", PageId(1));
    core.advance(minutes(30));
    assert_eq!(detours(&core), []);
    assert!(core.incident.timers().is_empty());
}

#[test]
fn who_passes_has_passed_by_every_way() {
    let mut core = one_tier(&["UBEN"]);
    core.slack_is_away = true;
    core.escalate("UANA", "db");
    core.by("UBEN", &Command::Decline { page: PageId(1), generation: 1 }).expect("declines");
    assert!(!still_wanted(&Effect::Page { page: PageId(2) }, &core.incident));
    core.slack_is_away = false;
    assert_eq!(core.send_pages(), ["UELI"]);
}

#[test]
fn the_last_resort_is_called_by_its_own_way_too_even_if_it_is_all_there_is() {
    let mut core = reachable(&[("db", policy(vec![tier(vec![user("UGONE")], 5)]))]);
    core.person("UGONE", true);
    core.person("UFALL", true);
    core.escalate("UANA", "db");
    let pages: Vec<&Recipient> = core.incident.pages.values().map(|page| &page.to).collect();
    assert_eq!(pages, [&fallback().expect("somebody")]);
    let command = Command::Acknowledge(Acknowledge { page: Some(PageId(1)), ..Acknowledge::default() });
    assert_eq!(
        core.ask(&Actor::Fallback, &command),
        Ok(Said::YouHaveIt { team: core.incident.teams.first().cloned() })
    );
}

#[test]
fn of_pages_that_could_not_go_out_only_the_newest_is_wanted() {
    let mut core = reachable(&[("db", Policy { rounds: 3, ..policy(vec![tier(vec![user("UCHRIS")], 5)]) })]);
    core.escalate("UANA", "db");
    core.advance(minutes(11));
    let wanted = |core: &Core, page| still_wanted(&Effect::Page { page }, &core.incident);
    let in_slack: Vec<PageId> = core
        .incident
        .pages
        .values()
        .filter(|page| matches!(page.to, Recipient::User { .. }))
        .map(|page| page.id)
        .collect();
    let [first, second, third] = in_slack.as_slice() else { panic!("{in_slack:?}") };
    assert_eq!((wanted(&core, *first), wanted(&core, *second), wanted(&core, *third)), (false, false, true));
}

#[test]
fn after_a_stall_of_our_own_slack_has_a_moment_before_others_are_asked() {
    let mut core = one_tier(&["UCHRIS"]);
    core.escalate("UANA", "db");
    core.send_pages();
    core.stall(minutes(30));
    core.roster.contacts.insert("UELI".into(), Contacts { email: Some("eli@shop.example".into()), webhook: None });
    core.advance(TimeDelta::zero());
    assert_eq!(detours(&core), []);
    assert_eq!(core.send_pages(), ["UELI"]);
    core.advance(TimeDelta::seconds(50));
    assert_eq!(detours(&core), []);
}

/// What may happen next in a random story.
#[derive(Clone, Debug)]
enum Turn {
    Waits(i64),
    /// How the page with this number, if there is one, ends.
    Ends(u32, u8),
    SlackIsAway(bool),
    Answers(u32),
    Passes(u32),
    CallsNext,
}

fn turn() -> impl proptest::strategy::Strategy<Value = Turn> {
    use proptest::prelude::*;
    prop_oneof![
        4 => (0_i64..400).prop_map(Turn::Waits),
        6 => (1_u32..12, 0_u8..5).prop_map(|(page, how)| Turn::Ends(page, how)),
        1 => any::<bool>().prop_map(Turn::SlackIsAway),
        1 => (1_u32..12).prop_map(Turn::Answers),
        1 => (1_u32..12).prop_map(Turn::Passes),
        1 => Just(Turn::CallsNext),
    ]
}

fn take(core: &mut Core, turn: &Turn) {
    let page = |core: &Core, number: u32| core.incident.pages.get(&PageId(number)).cloned();
    match turn {
        Turn::Waits(span_s) => core.advance(TimeDelta::seconds(*span_s)),
        Turn::SlackIsAway(away) => core.slack_is_away = *away,
        Turn::CallsNext => {
            let next = Command::EscalateNext { escalation: None, generation: None, team: None, text: None };
            // Refused when everybody was called.
            let _ = core.by("UANA", &next);
        }
        Turn::Ends(number, how) => {
            let Some(found) = page(core, *number).filter(|page| !page.is_accepted() && !page.dead) else { return };
            let error = "no".to_owned();
            let in_slack = !matches!(found.to, Recipient::Contact { .. });
            let (result, fault) = match how {
                0 if in_slack => (
                    PageResult::Sent {
                        message: MessageRef { channel: "D1".into(), ts: "1.0".into() },
                        digest: Vec::new(),
                    },
                    None,
                ),
                0 => (PageResult::SentElsewhere, None),
                1 => (PageResult::NotReached { error }, None),
                2 => (PageResult::Unknown { error }, in_slack.then_some(Fault::Network)),
                3 => (PageResult::Failed { error, retry_at: core.now }, in_slack.then_some(Fault::Token)),
                _ => (PageResult::Failed { error, retry_at: core.now }, in_slack.then_some(Fault::Network)),
            };
            let finished = Finished::Page { page: found.id, attempt: found.attempts + 1, result, fault };
            core.ask(&Actor::Firebell, &Command::EffectFinished(finished)).expect("outcomes are never refused");
        }
        Turn::Answers(number) => {
            let Some(found) = page(core, *number) else { return };
            let actor = found.to.user().map_or(Actor::Fallback, |user| Actor::Person { user: user.clone() });
            let command = Command::Acknowledge(Acknowledge { page: Some(found.id), ..Acknowledge::default() });
            core.ask(&actor, &command).expect("acknowledges");
        }
        Turn::Passes(number) => {
            let Some(found) = page(core, *number) else { return };
            let Some(user) = found.to.user().cloned() else { return };
            let generation = found.step.generation;
            core.by(user.as_str(), &Command::Decline { page: found.id, generation }).expect("declines");
        }
    }
}

proptest::proptest! {
    #[test]
    fn whatever_happens_no_page_takes_two_detours_and_every_page_that_waits_has_a_way_or_a_minute(
        turns in proptest::collection::vec(turn(), 1..60),
    ) {
        let tiers = vec![
            tier(vec![user("UBEN"), user("UDANA")], 5),
            tier(vec![user("UCHRIS")], 2),
            tier(vec![user("UELI"), user("UBEN")], 5),
        ];
        let mut core = reachable(&[("db", Policy { rounds: 2, ack_timeout_s: Some(600), ..policy(tiers) })]);
        core.escalate("UANA", "db");
        for turn in &turns {
            take(&mut core, turn);
            let taken: Vec<u32> = detours(&core).into_iter().map(|(page, _, _)| page).collect();
            let mut once = taken.clone();
            once.sort_unstable();
            once.dedup();
            assert_eq!(once.len(), taken.len(), "{taken:?}");
            for page in core.incident.pages.values() {
                let wanted = still_wanted(&Effect::Page { page: page.id }, &core.incident);
                assert!(!(wanted && page.is_accepted()), "{page:?}");
                // Nothing that is not accepted is forgotten: its minute runs, it went on, or it never had another way.
                let went_on = taken.contains(&page.id.0);
                let has_way = core.roster.has_way_after(&page.to);
                let escalation = &core.incident.escalations[&page.escalation];
                let lapsed = core.count(|event| matches!(event, Event::Acknowledged { .. })) > 0;
                assert!(
                    !wanted || page.elsewhere_at.is_some() || went_on || !has_way || lapsed,
                    "{page:?} in {:?}", escalation.phase
                );
            }
            if matches!(turn, Turn::Waits(_)) {
                let due: Vec<_> = core.incident.timers().into_iter().filter(|(_, at)| *at <= core.now).collect();
                assert!(due.is_empty(), "{due:?}");
            }
        }
    }
}
