//! Whatever people type, every surface stays within Slack's limits and leaks no markup.

use chrono::DateTime;
use firebell::domain::answer::Said;
use firebell::domain::command::{Command, Finished, When};
use firebell::domain::event::{NoteKind, PageResult};
use firebell::domain::incident::Severity;
use firebell::domain::rejection::{Rejection, RejectionKind};
use firebell::domain::timeline::alerts::{ListedAlert, Standing};
use firebell::ids::{PageId, UserId};
use firebell::slack::actions::Carried;
use firebell::slack::answers::{self, Suggestion};
use firebell::slack::help::{Place, help};
use firebell::slack::json::Json;
use firebell::slack::message::Message;
use firebell::slack::modals::{self, OpenPrefill};
use firebell::slack::posts::PostmortemStanding;
use firebell::slack::{calls, card, home, lists, pages, posts};
use proptest::prelude::*;

use super::fixture::{ANA, BEN, DANA, Tale, Texts};
use super::slack_rules;

/// Every message and view of one incident with these texts, at three moments of its life.
fn all_surfaces(texts: &Texts) -> (Vec<Message>, Vec<Json>) {
    let (mut messages, mut views) = (Vec::new(), Vec::new());
    let mut failing = Tale::in_full_swing(texts, false);
    let failed = PageResult::Failed { error: texts.error.clone(), retry_at: failing.now };
    failing.escalate(ANA, "ops", Some(&texts.reason));
    let last = PageId(failing.incident.pages.len().try_into().expect("few pages"));
    failing.finish(Finished::Page { page: last, attempt: 1, result: failed, fault: None });
    failing.finish(Finished::Page {
        page: PageId(2),
        attempt: 1,
        result: PageResult::NotReached { error: texts.error.clone() },
        fault: None,
    });
    failing.by(
        ANA,
        &Command::StopEscalation { escalation: None, generation: None, team: None, text: Some(texts.reason.clone()) },
    );
    let mut exhausted = Tale::in_full_swing(texts, false);
    exhausted.wait_until("5:00");
    let mut mitigated = Tale::in_full_swing(texts, false);
    mitigated.by(ANA, &Command::Mitigate { when: When::default(), text: Some(texts.note.clone()), team: None });
    mitigated.by(ANA, &Command::PostUpdate { text: texts.note.clone() });
    mitigated.by(ANA, &Command::AddTask { text: texts.note.clone(), owner: Some(DANA.into()), due_on: None });
    for tale in [failing, exhausted, mitigated, Tale::over(texts, false), Tale::begin(texts, false)] {
        of_incident(&tale, texts, &mut messages, &mut views);
    }
    (messages, views)
}

fn of_incident(tale: &Tale, texts: &Texts, messages: &mut Vec<Message>, views: &mut Vec<Json>) {
    let (scene, history) = (tale.scene(), tale.history.as_slice());
    let (ana, dana) = (UserId::from(ANA), UserId::from(DANA));
    let incident = &tale.incident;
    messages.push(card::card(&scene));
    messages.extend(card::announcement(&scene));
    assert!(card::topic(&scene).chars().count() <= 250);
    messages.extend(incident.pages.values().map(|page| pages::page(&scene, page, history)));
    messages.extend(incident.escalations.values().map(|escalation| calls::call(&scene, escalation, history)));
    messages.extend(history.iter().filter_map(|recorded| posts::post(&scene, recorded)));
    messages.extend(posts::catch_up(&scene, history));
    messages.push(posts::channel_failed(&scene, &texts.error));
    let still_open = vec![texts.note.clone(); 6];
    messages.push(posts::postmortem(&scene, &PostmortemStanding { timeline_entries: 3, still_open }));
    messages.push(lists::incidents(&vec![incident; 30], false, &tale.roster, &tale.directory, tale.now));
    messages.push(lists::details(&scene));
    messages.push(lists::timeline(&scene, history, 50));
    messages.push(lists::why(&scene, history, None));
    messages.push(lists::alerts(&scene, &hostile_alerts(texts), 1));
    for team in tale.roster.teams.values() {
        messages.push(lists::preview(team, tale.now, "Europe/Berlin", &tale.roster, &tale.directory, tale.now));
    }
    messages.push(help(Place::Inside(scene)));
    let rejection = Rejection::new(RejectionKind::Invalid, texts.note.clone()).hint(texts.reason.clone());
    let team = incident.teams.first().cloned();
    let said = [
        Said::Opened { title: texts.title.clone(), private: true },
        Said::Noted {
            seq: 1,
            at: tale.now,
            kind: NoteKind::Key,
            text: texts.note.clone(),
            zone: "America/New_York".into(),
        },
        Said::YouHaveIt { team: team.clone() },
        Said::SomebodyHasIt { team: team.clone(), by: Some(dana.clone()), since: tale.now },
        Said::TakenOut { title: texts.title.clone(), from: 11, team: team.clone() },
        Said::NothingChanged { because: texts.note.clone() },
        Said::Refused { rejection },
    ];
    for said in said {
        messages.extend(answers::answer(&tale.answer(said), &tale.reader(&dana), Some(incident)));
    }
    let suggestion = Suggestion { label: texts.team.clone(), command: "/escalate".into(), text: texts.reason.clone() };
    messages.push(answers::did_you_mean(&texts.note, &vec![suggestion; 6]));
    for user in [&ana, &dana] {
        views.push(home::home(user, &vec![incident; 40], &tale.roster, &tale.directory, tale.now));
    }
    views.extend(forms(tale, texts));
}

fn hostile_alerts(texts: &Texts) -> Vec<ListedAlert> {
    let standings = [Standing::Firing, Standing::Cleared { at: DateTime::UNIX_EPOCH }, Standing::TakenOut { into: 12 }];
    let alert = |(number, standing): (u32, Standing)| ListedAlert {
        number,
        integration: "script".into(),
        dedup_key: texts.note.clone(),
        title: texts.title.clone(),
        severity: Some(Severity::Sev2),
        began_at: DateTime::UNIX_EPOCH,
        link: Some(texts.reason.clone()),
        joined: true,
        standing,
    };
    (1..).zip(standings.into_iter().cycle().take(60)).map(alert).collect()
}

fn forms(tale: &Tale, texts: &Texts) -> Vec<Json> {
    let (scene, roster) = (tale.scene(), &tale.roster);
    let carried = Carried { typed: Some(texts.note.clone()), ..Carried::of(tale.incident.id) };
    let prefill = OpenPrefill {
        title: Some(texts.title.clone()),
        description: Some(texts.note.clone()),
        private: true,
        ..OpenPrefill::default()
    };
    let choices = vec![&tale.incident; 120];
    vec![
        modals::open_modal(&prefill, Some(&texts.note), roster, &carried),
        modals::escalate_modal(None, Some(&texts.reason), Some(&choices), roster, &carried),
        modals::which_incident_modal(&choices, &carried),
        modals::note_modal(&scene, Some(&texts.note), NoteKind::Note, tale.now, &carried),
        modals::update_modal(&scene, Some(&texts.note), &carried),
        modals::mitigate_modal(&scene, None, &carried),
        modals::resolve_modal(&scene, None, &carried),
        modals::edit_entry_modal(&scene, 3, &texts.note, &Carried::of(scene.incident.id)),
        modals::task_modal(&scene, Some(&texts.note), &carried),
        modals::status_modal(&scene, &carried),
        modals::severity_modal(&scene, &carried),
        modals::role_modal(&scene, firebell::domain::incident::Role::Scribe, &carried),
        modals::postmortem_modal(&scene, &carried),
    ]
}

fn hostile_text(chars_max: usize) -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("<!channel>".to_owned()),
        Just("<!here|x>".to_owned()),
        Just("<@U0ANA>".to_owned()),
        Just("<https://evil.example|your bank>".to_owned()),
        Just("&lt;!channel&gt;".to_owned()),
        Just("@here @channel @everyone".to_owned()),
        Just("\u{202e}txet\u{202c}".to_owned()),
        Just("\0\u{7}\u{1b}[31m".to_owned()),
        Just("👩\u{200d}🚒🏳️\u{200d}🌈".to_owned()),
        Just("שלום עולם".to_owned()),
        Just("\u{200b}\u{feff}\u{2066}".to_owned()),
        Just("```*_~`> quote\n\n\n• list".to_owned()),
        Just("{\"do\":\"resolve\"}".to_owned()),
        Just("x".repeat(5_000)),
        Just("&".repeat(1_000)),
        "\\PC{0,40}",
    ];
    prop::collection::vec(piece, 1..6).prop_map(move |pieces| {
        let text = format!("t{}", pieces.concat());
        text.chars().take(chars_max).collect()
    })
}

fn hostile() -> impl Strategy<Value = Texts> {
    let text = || hostile_text(9_000);
    (hostile_text(150), text(), text(), text(), hostile_text(150), text())
        .prop_map(|(title, reason, note, person, team, error)| Texts { title, reason, note, person, team, error })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_surface_keeps_the_rules_whatever_people_type(texts in hostile()) {
        let (messages, views) = all_surfaces(&texts);
        for message in &messages {
            prop_assert_eq!(slack_rules::message(message), Ok(()), "{:?}", message.text);
        }
        for view in &views {
            prop_assert_eq!(slack_rules::view(view), Ok(()), "{}", view);
        }
    }
}

#[test]
fn a_long_command_line_reaches_no_button() {
    let suggestion = Suggestion { label: "Call Ops".into(), command: "/escalate".into(), text: "\"".repeat(1_500) };
    let message = answers::did_you_mean("There is no such team.", &[suggestion]);
    assert_eq!(slack_rules::message(&message), Ok(()));
    assert!(message.blocks.iter().all(|block| block.get("type").and_then(Json::as_str) != Some("actions")));
}

#[test]
fn nobody_but_those_who_must_act_is_mentioned() {
    let tale = Tale::in_full_swing(&Texts::default(), false);
    let card = card::card(&tale.scene());
    assert!(!card.text.contains("<@") && !card.blocks.iter().any(|block| block.to_string().contains("<@")));
    let mut call = calls::call(&tale.scene(), tale.escalation(2), &tale.history);
    assert!(call.blocks[0].to_string().contains(&format!("<@{DANA}>")));
    call = calls::call(&tale.scene(), tale.escalation(1), &tale.history);
    assert!(!call.blocks[0].to_string().contains(&format!("<@{BEN}>")), "who has it already need not be called");
}
