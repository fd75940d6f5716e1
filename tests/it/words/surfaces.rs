//! Every surface, read aloud.

use chrono::TimeDelta;
use firebell::domain::answer::Said;
use firebell::domain::command::{Command, Finished, When};
use firebell::domain::event::{Actor, Event, NoteKind, PageResult};
use firebell::domain::incident::{Role, Severity, Status};
use firebell::domain::rejection::{Rejection, RejectionKind};
use firebell::ids::{EscalationId, PageId, UserId};
use firebell::slack::actions::Carried;
use firebell::slack::answers::{self, Suggestion};
use firebell::slack::help::{Place, help};
use firebell::slack::modals::{self, OpenPrefill};
use firebell::slack::posts::PostmortemStanding;
use firebell::slack::{calls, card, home, lists, pages, posts};

use super::fixture::{ANA, BEN, CHRIS, DANA, FAY, Tale, Texts, at};
use super::reading::{read, read_view};

/// Readings one after the other, each under a heading.
#[derive(Default)]
struct Readings(String);

impl Readings {
    fn add(&mut self, heading: &str, reading: impl AsRef<str>) {
        self.0.extend(["=== ", heading, " ===\n", reading.as_ref(), "\n\n"]);
    }

    fn done(self) -> String {
        self.0.trim_end().to_owned()
    }
}

fn begun() -> Tale {
    Tale::begin(&Texts::default(), false)
}

fn swing() -> Tale {
    Tale::in_full_swing(&Texts::default(), false)
}

#[test]
fn the_card_follows_the_incident() {
    let mut out = Readings::default();
    out.add("just opened", read(&card::card(&begun().scene())));
    let mut tale = swing();
    out.add("in full swing", read(&card::card(&tale.scene())));
    tale.by(ANA, &Command::Mitigate { when: When::default(), text: Some("checkouts work again".into()), team: None });
    tale.by(ANA, &Command::AssignRole { role: Role::Scribe, user: CHRIS.into() });
    out.add("mitigated", read(&card::card(&tale.scene())));
    out.add("resolved", read(&card::card(&Tale::over(&Texts::default(), false).scene())));
    let mut tale = begun();
    tale.by(ANA, &Command::Cancel { text: None });
    out.add("canceled", read(&card::card(&tale.scene())));
    out.add("topic", card::topic(&swing().scene()));
    insta::assert_snapshot!(out.done());
}

#[test]
fn the_card_has_at_most_eight_lines() {
    for tale in [begun(), swing(), Tale::over(&Texts::default(), false)] {
        let reading = read(&card::card(&tale.scene()));
        let lines = reading.split("\n---\n").next().expect("blocks").lines().count();
        assert!(lines <= 8, "{lines} lines:\n{reading}");
    }
}

#[test]
fn the_announcement_follows_the_incident_and_a_private_one_has_none() {
    let mut out = Readings::default();
    for (heading, tale) in
        [("opened", begun()), ("in full swing", swing()), ("resolved", Tale::over(&Texts::default(), false))]
    {
        out.add(heading, read(&card::announcement(&tale.scene()).expect("public")));
    }
    insta::assert_snapshot!(out.done());
    assert_eq!(card::announcement(&Tale::in_full_swing(&Texts::default(), true).scene()), None);
}

#[test]
fn a_page_says_who_asks_until_when_and_who_is_next() {
    let mut out = Readings::default();
    let page = |tale: &Tale, id: u32| read(&pages::page(&tale.scene(), tale.page(id), &tale.history));
    let mut tale = begun().with_channel();
    tale.at("3:05").escalate(ANA, "dev-team", Some("website response time up sharply"));
    out.add("to Ben, first tier", page(&tale, 1));
    let mut passed = tale.clone();
    passed.deliver().by(BEN, &Command::Decline { page: PageId(1), generation: 1 });
    out.add("Ben passed", page(&passed, 1));
    out.add("to Chris, last tier", page(&passed, 2));
    tale.deliver().wait_until("3:11");
    out.add("to Ben, after his time", page(&tale, 1));
    let mut answered = tale.clone();
    answered.acknowledge(CHRIS);
    out.add("Ben reads that Chris has it", page(&answered, 1));
    out.add("Chris reads that he has it", page(&answered, 2));
    tale.wait_until("3:16");
    out.add("to Fay, the fallback", page(&tale, 3));
    out.add("to Ben, when nobody answered", page(&tale, 1));
    tale.by(ANA, &Command::Resolve { when: When::default(), text: None, team: None });
    out.add("to Ben, resolved meanwhile", page(&tale, 1));
    insta::assert_snapshot!(out.done());
}

#[test]
fn a_late_page_says_how_late_and_why() {
    let mut out = Readings::default();
    let mut tale = begun().with_channel();
    tale.at("3:05").escalate(ANA, "dev-team", None);
    tale.at("3:08");
    out.add("held up", read(&pages::page(&tale.scene(), tale.page(1), &tale.history)));
    let failed = PageResult::Failed {
        error: "Slack asks to wait 30 s before chat.postMessage is called again".into(),
        retry_at: at("3:08"),
    };
    tale.finish(Finished::Page { page: PageId(1), attempt: 1, result: failed, fault: None });
    out.add("refused once", read(&pages::page(&tale.scene(), tale.page(1), &tale.history)));
    tale.finish(Finished::Page {
        page: PageId(1),
        attempt: 2,
        result: PageResult::Unknown {
            error: "Slack did not answer chat.postMessage in time; it may have accepted it".into(),
        },
        fault: None,
    });
    out.add("perhaps a second copy", read(&pages::page(&tale.scene(), tale.page(1), &tale.history)));
    insta::assert_snapshot!(out.done());
}

#[test]
fn a_page_in_a_channel_mentions_as_configured() {
    let mut tale = begun().with_channel();
    tale.at("3:05").escalate(ANA, "ops", Some("the load balancer drops connections"));
    insta::assert_snapshot!(read(&pages::page(&tale.scene(), tale.page(1), &tale.history)));
}

#[test]
fn a_page_of_a_private_incident_says_neither_title_nor_reason() {
    let mut tale = Tale::begin(&Texts::default(), true).with_channel();
    tale.at("3:05").escalate(ANA, "dev-team", Some("somebody reads the customer table"));
    let mut out = Readings::default();
    out.add("waiting", read(&pages::page(&tale.scene(), tale.page(1), &tale.history)));
    tale.deliver().acknowledge(BEN);
    out.add("answered", read(&pages::page(&tale.scene(), tale.page(1), &tale.history)));
    let reading = out.done();
    assert!(!reading.contains("Shop") && !reading.contains("customer"));
    insta::assert_snapshot!(reading);
}

#[test]
fn the_message_of_a_call_is_edited_through_every_phase() {
    let mut out = Readings::default();
    let call = |tale: &Tale| read(&calls::call(&tale.scene(), tale.escalation(1), &tale.history));
    let mut tale = begun().with_channel();
    tale.at("3:05").escalate(ANA, "db-team", Some("orders time out"));
    out.add("called", call(&tale));
    tale.deliver().wait_until("3:11");
    out.add("second tier was empty, third is called", call(&tale));
    let gone = PageResult::NotReached { error: "Slack refused chat.postMessage: user_disabled".into() };
    let mut unreachable = tale.clone();
    unreachable.finish(Finished::Page { page: PageId(2), attempt: 1, result: gone, fault: None });
    out.add("Eli is not reached, second round", call(&unreachable));
    let mut stopped = tale.clone();
    stopped.by(
        ANA,
        &Command::StopEscalation {
            escalation: None,
            generation: None,
            team: None,
            text: Some("it was the cache".into()),
        },
    );
    out.add("stopped", call(&stopped));
    let mut answered = tale.clone();
    answered.at("3:12").acknowledge(DANA);
    answered.at("3:14").acknowledge(BEN);
    out.add("answered, and one more joins", call(&answered));
    answered.wait_until("3:43");
    out.add("lapsed", call(&answered));
    tale.wait_until("3:40");
    out.add("exhausted", call(&tale));
    tale.by(ANA, &Command::Resolve { when: When::default(), text: None, team: None });
    out.add("resolved", call(&tale));
    insta::assert_snapshot!(out.done());
}

#[test]
fn events_are_posted_with_who_what_and_next() {
    let mut out = Readings::default();
    let mut tale = swing();
    let mut post = |tale: &mut Tale, who: &str, command: Command| {
        let before = tale.history.len();
        tale.by(who, &command);
        for recorded in &tale.history[before..] {
            if let Some(message) = posts::post(&tale.scene(), recorded) {
                out.add(&format!("{command:?}").chars().take(60).collect::<String>(), read(&message));
            }
        }
    };
    let commands = [
        Command::PostUpdate { text: "Orders from the app work.\nThe web shop does not: https://status.example".into() },
        Command::SetStatus { status: Status::Identified, text: Some("network settings of the cluster".into()) },
        Command::SetSeverity { severity: Severity::Sev1 },
        Command::Retitle { title: "Shop and app are slow".into() },
        Command::AssignRole { role: Role::Scribe, user: ANA.into() },
        Command::AssignRole { role: Role::Commander, user: BEN.into() },
        Command::AddTask { text: "Add an alert".into(), owner: Some(DANA.into()), due_on: None },
        Command::Mitigate { when: When::default(), text: Some("checkouts work again".into()), team: None },
        Command::Resolve { when: When::default(), text: Some("settings corrected".into()), team: None },
        Command::Reopen { text: Some("it is slow again".into()) },
        Command::Cancel { text: None },
    ];
    for command in commands {
        post(&mut tale, ANA, command);
    }
    let mut tale = begun().with_channel();
    tale.at("3:05").escalate(ANA, "dev-team", None);
    tale.deliver().wait_until("3:16");
    let exhausted =
        tale.history.iter().find(|recorded| matches!(recorded.occurrence.event, Event::EscalationExhausted { .. }));
    out.add("exhausted", read(&posts::post(&tale.scene(), exhausted.expect("it ran out")).expect("posted")));
    out.add("no channel", read(&posts::channel_failed(&begun().scene(), "restricted_action")));
    insta::assert_snapshot!(out.done());
}

#[test]
fn a_late_channel_is_told_what_it_missed() {
    let mut tale = begun();
    assert_eq!(posts::catch_up(&tale.scene(), &tale.history), None, "opening alone is on the card");
    tale.at("3:05").escalate(ANA, "dev-team", Some("website response time up sharply"));
    tale.deliver().at("3:06").note(BEN, NoteKind::Finding, "the web servers wait for the database");
    tale.acknowledge(BEN);
    tale.finish(Finished::ChannelCreated { channel: "C0SHOP".into(), name: "inc-42".into() });
    insta::assert_snapshot!(read(&posts::catch_up(&tale.scene(), &tale.history).expect("it missed something")));
}

#[test]
fn the_postmortem_says_what_is_still_open() {
    let mut out = Readings::default();
    let tale = Tale::over(&Texts::default(), false);
    let still_open =
        ["affected", "how it was fixed", "service", "detected by", "task owners"].map(String::from).to_vec();
    let standing = PostmortemStanding { timeline_entries: 8, still_open };
    out.add("draft", read(&posts::postmortem(&tale.scene(), &standing)));
    let standing = PostmortemStanding { timeline_entries: 8, still_open: vec![] };
    out.add("complete", read(&posts::postmortem(&tale.scene(), &standing)));
    insta::assert_snapshot!(out.done());
}

#[test]
fn answers_echo_what_was_done() {
    let mut out = Readings::default();
    let (ana, ben, dana) = (UserId::from(ANA), UserId::from(BEN), UserId::from(DANA));
    let mut tell = |heading: &str, tale: &Tale, user: &UserId, said: Said| {
        let message = answers::answer(&tale.answer(said), &tale.reader(user), Some(&tale.incident));
        out.add(heading, message.as_ref().map_or("(nothing)".to_owned(), read));
    };
    let mut tale = begun();
    let opened = |private| Said::Opened { title: "Shop is very slow, checkouts fail".into(), private };
    tell("opened", &tale, &ana, opened(false));
    tale = tale.with_channel();
    tell("opened private, channel there", &tale, &ana, opened(true));
    let said = tale.at("3:05").escalate(ANA, "dev-team", None);
    tell("called", &tale, &ana, said);
    tale.deliver();
    let said = tale.escalate(ANA, "dev-team", None);
    tale.now += TimeDelta::seconds(240);
    tell("called already", &tale, &ana, said);
    let said = tale.acknowledge(BEN);
    tell("ben has it", &tale, &ben, said);
    let said = tale.acknowledge(BEN);
    tell("ben pressed twice", &tale, &ben, said);
    let said = tale.acknowledge(DANA);
    tell("dana comes later", &tale, &dana, said);
    let said = tale.note(BEN, NoteKind::Note, "restarted the database, no change");
    tell("noted", &tale, &ben, said);
    let said = tale.note(DANA, NoteKind::RuledOut, "frontend");
    tell("noted from Berlin", &tale, &dana, said);
    let said = tale.by(ANA, &Command::Resolve { when: When::default(), text: None, team: None });
    tell("resolved", &tale, &ana, said);
    tell("done", &tale, &ana, Said::Done);
    let rejection =
        Rejection::new(RejectionKind::NotFound, "There is no team “db-taem”.").hint("Did you mean db-team?");
    tell("refused", &tale, &ana, Said::Refused { rejection });
    let suggestion =
        |label: &str, text: &str| Suggestion { label: label.into(), command: "/escalate".into(), text: text.into() };
    let suggestions = [
        suggestion("Call Database team", "db-team orders time out"),
        suggestion("Call Operations", "ops orders time out"),
    ];
    out.add("did you mean", read(&answers::did_you_mean("There is no team “d-team”.", &suggestions)));
    out.add(
        "no suggestion",
        read(&answers::unclear("“/incident sing” is no command.", Some("/incident help shows what there is."))),
    );
    out.add("failure", read(&answers::failure("Pages that are due still go out.", "7f3a")));
    insta::assert_snapshot!(out.done());
}

#[test]
fn lists_show_what_was_asked_for() {
    let mut out = Readings::default();
    let tale = swing();
    let (roster, directory, now) = (&tale.roster, &tale.directory, tale.now);
    let private = Tale::in_full_swing(&Texts::default(), true);
    out.add(
        "open incidents",
        read(&lists::incidents(&[&tale.incident, &private.incident], false, roster, directory, now)),
    );
    out.add("none open", read(&lists::incidents(&[], false, roster, directory, now)));
    let over = Tale::over(&Texts::default(), false);
    out.add("show", read(&lists::details(&over.scene())));
    out.add("timeline", read(&lists::timeline(&over.scene(), &over.history, 20)));
    out.add("last three", read(&lists::timeline(&over.scene(), &over.history, 3)));
    out.add("why", read(&lists::why(&tale.scene(), &tale.history, None)));
    out.add("why, nobody called", read(&lists::why(&begun().scene(), &begun().history, None)));
    for team in roster.teams.values() {
        out.add("preview", read(&lists::preview(team, at("4:15"), "America/New_York", roster, directory, now)));
    }
    insta::assert_snapshot!(out.done());
}

#[test]
fn corrections_show_in_the_timeline() {
    let mut tale = begun().with_channel();
    tale.at("3:15").note(BEN, NoteKind::Note, "restarted the datbase");
    let typo = tale.last().seq;
    tale.note(BEN, NoteKind::Note, "said in the wrong channel");
    let wrong = tale.last().seq;
    tale.by(BEN, &Command::EditEntry { target: typo, text: "restarted the database".into() });
    tale.by(BEN, &Command::RemoveEntry { target: wrong });
    let reading = read(&lists::timeline(&tale.scene(), &tale.history, 20));
    assert!(reading.contains("restarted the database"), "{reading}");
    assert!(!reading.contains("datbase") && !reading.contains("wrong channel"), "{reading}");
}

#[test]
fn help_has_four_lines_of_what_is_possible_here() {
    let mut out = Readings::default();
    out.add("anywhere", read(&help(Place::Outside { open_incidents: 2 })));
    out.add("in an incident", read(&help(Place::Inside(begun().scene()))));
    out.add("while a team is called", read(&help(Place::Inside(swing().scene()))));
    out.add("after it", read(&help(Place::Inside(Tale::over(&Texts::default(), false).scene()))));
    insta::assert_snapshot!(out.done());
}

#[test]
fn the_home_shows_what_waits_for_the_person() {
    let mut out = Readings::default();
    let (tale, over) = (swing(), Tale::over(&Texts::default(), false));
    let all = [&tale.incident, &over.incident];
    for (who, user) in [("Dana, who is called and has a task", DANA), ("Fay, who has nothing", FAY)] {
        let view = home::home(&user.into(), &all, &tale.roster, &tale.directory, over.now);
        out.add(who, read_view(&view));
    }
    out.add("nothing at all", read_view(&home::home(&FAY.into(), &[], &tale.roster, &tale.directory, tale.now)));
    insta::assert_snapshot!(out.done());
}

#[test]
fn the_forms_ask_for_little() {
    let mut out = Readings::default();
    let tale = swing();
    let (scene, carried) = (tale.scene(), Carried::of(tale.incident.id));
    let prefill =
        OpenPrefill { title: Some("Shop is slow".into()), severity: Some(Severity::Sev2), ..OpenPrefill::default() };
    out.add(
        "open",
        read_view(&modals::open_modal(&prefill, Some("The title is short."), &tale.roster, &Carried::default())),
    );
    out.add("escalate inside", read_view(&modals::escalate_modal(None, None, None, &tale.roster, &carried)));
    let team = "db-team".into();
    let choices = [&tale.incident];
    let outside =
        modals::escalate_modal(Some(&team), Some("orders time out"), Some(&choices), &tale.roster, &Carried::default());
    out.add("escalate outside", read_view(&outside));
    let typed = Carried { typed: Some("/incident note restarted the database".into()), ..Carried::default() };
    out.add("which incident", read_view(&modals::which_incident_modal(&choices, &typed)));
    out.add("note", read_view(&modals::note_modal(&scene, None, NoteKind::Note, tale.now, &carried)));
    out.add("update", read_view(&modals::update_modal(&scene, None, &carried)));
    out.add("mitigate", read_view(&modals::mitigate_modal(&scene, None, &carried)));
    out.add("resolve", read_view(&modals::resolve_modal(&scene, None, &carried)));
    out.add(
        "edit",
        read_view(&modals::edit_entry_modal(&scene, 9, "restarted the database", &Carried::of(scene.incident.id))),
    );
    out.add("task", read_view(&modals::task_modal(&scene, None, &carried)));
    out.add("status", read_view(&modals::status_modal(&scene, &carried)));
    out.add("severity", read_view(&modals::severity_modal(&scene, &carried)));
    out.add("role", read_view(&modals::role_modal(&scene, Role::Commander, &carried)));
    out.add("postmortem", read_view(&modals::postmortem_modal(&scene, &carried)));
    insta::assert_snapshot!(out.done());
}

/// The bytes that go to Slack, for the two surfaces on which everything hangs.
#[test]
fn the_wire_form_of_a_page_and_a_form_is_known() {
    let mut tale = begun().with_channel();
    tale.at("3:05").escalate(ANA, "dev-team", Some("website response time up sharply"));
    let page = pages::page(&tale.scene(), tale.page(1), &tale.history);
    insta::assert_json_snapshot!("wire_page", serde_json::json!(page));
    let carried = Carried::of(tale.incident.id);
    insta::assert_json_snapshot!(
        "wire_note_form",
        serde_json::json!(modals::note_modal(&tale.scene(), Some("logs clean"), NoteKind::Finding, tale.now, &carried))
    );
}

#[test]
fn a_stale_button_carries_the_generation_it_was_drawn_for() {
    use firebell::slack::actions::ButtonAction;
    let mut tale = begun().with_channel();
    tale.at("3:05").escalate(ANA, "dev-team", None);
    let old = calls::call(&tale.scene(), tale.escalation(1), &tale.history);
    tale.deliver().wait_until("3:11");
    let blocks = serde_json::json!(old.blocks);
    let rows = blocks.as_array().into_iter().flatten().filter_map(|block| block["elements"].as_array());
    let pressed: Vec<ButtonAction> = rows.flatten().filter_map(|button| ButtonAction::parse(button).ok()).collect();
    let next = ButtonAction::CallNext { incident: tale.incident.id, escalation: EscalationId(1), generation: 1 };
    assert!(pressed.contains(&next), "{pressed:?}");
    assert_eq!(tale.escalation(1).step.generation, 2);
    let command =
        Command::EscalateNext { escalation: Some(EscalationId(1)), generation: Some(1), team: None, text: None };
    let said = tale.ask(&Actor::Person { user: BEN.into() }, &command).expect("not refused");
    assert!(matches!(said, Said::NothingChanged { .. }), "{said:?}");
}
