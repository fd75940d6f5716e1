use chrono::{DateTime, Utc};
use proptest::prelude::*;

use super::*;
use crate::domain::civil;
use crate::domain::policy::{Policy, Target, Tier};
use crate::domain::roster::{Person, Team};
use crate::ids::UserGroupId;

/// Sunday, 2 April 2023, 5:10 PM in New York.
const NOW: &str = "2023-04-02T21:10:00Z";

struct World {
    now: DateTime<Utc>,
    zone: Zone,
    me: UserId,
    roster: Roster,
    directory: Directory,
}

fn team(key: &str, name: &str, aliases: &[&str], group: Option<(&str, &str)>) -> (TeamKey, Team) {
    let targets = group
        .map(|(id, handle)| Target::UserGroup { group: UserGroupId::new(id), handle: handle.to_owned() })
        .into_iter()
        .collect();
    let policy =
        Policy { tiers: vec![Tier { targets, wait_s: 300 }], rounds: 1, ack_timeout_s: None, hand_off_to: None };
    let aliases = aliases.iter().map(|alias| (*alias).to_owned()).collect();
    (key.into(), Team { key: key.into(), name: name.to_owned(), aliases, policy })
}

fn world() -> World {
    let person = |id: &str, name: &str| {
        let person = Person {
            id: id.into(),
            name: name.to_owned(),
            zone: None,
            deactivated: false,
            is_bot: false,
            restricted: false,
            external: false,
        };
        (person.id.clone(), person)
    };
    World {
        now: NOW.parse().expect("an instant"),
        zone: civil::zone("America/New_York").expect("known"),
        me: "U1ANA".into(),
        roster: Roster {
            teams: [
                team("db-team", "Database team", &["dba"], Some(("S1DB", "db-oncall"))),
                team("dev-team", "Development team", &[], None),
                team("db-team-emea", "Database team EMEA", &[], None),
            ]
            .into(),
            ..Roster::default()
        },
        directory: Directory {
            people: [person("U1ANA", "ana"), person("U2BEN", "Ben"), person("U3DANA", "Dana Silva")].into(),
            ..Directory::default()
        },
    }
}

impl World {
    fn context(&self) -> Context<'_> {
        Context { now: self.now, zone: &self.zone, me: &self.me, roster: &self.roster, directory: &self.directory }
    }
}

fn try_incident(text: &str) -> Result<Parsed, Box<Unclear>> {
    incident(text, &world().context())
}

#[track_caller]
fn read(text: &str) -> Typed {
    let parsed = try_incident(text).unwrap_or_else(|unclear| panic!("{text}: {unclear:?}"));
    assert_eq!(parsed.incident, None, "{text}");
    parsed.typed
}

#[track_caller]
fn unclear(text: &str) -> Unclear {
    match try_incident(text) {
        Ok(parsed) => panic!("{text}: {parsed:?}"),
        Err(unclear) => *unclear,
    }
}

#[track_caller]
fn read_escalate(text: &str) -> Typed {
    escalate(text, &world().context()).unwrap_or_else(|unclear| panic!("{text}: {unclear:?}")).typed
}

#[expect(clippy::unnecessary_wraps, reason = "what is read is optional")]
fn at(text: &str) -> Option<TypedTime> {
    let when = crate::domain::command::When { at: Some(text.parse().expect("an instant")), approx: false };
    Some(TypedTime { when, taken_for_yesterday: false, closed: false })
}

#[expect(clippy::unnecessary_wraps, reason = "what is read is optional")]
fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[track_caller]
fn opened(text: &str) -> OpenTyped {
    match read(text) {
        Typed::Open(open) => open,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn opening_takes_options_from_both_ends_and_leaves_the_title_alone() {
    let open = opened("open Shop is very slow, checkouts fail sev2 detected=-0m by=monitoring");
    assert_eq!(open.title, "Shop is very slow, checkouts fail");
    assert_eq!(open.severity, Some(Severity::Sev2));
    assert_eq!(open.detected, at(NOW));
    assert_eq!(open.by, some("monitoring"));

    let open = opened("open sev1 private retro team=\"Database team\" detected=\"yesterday 23:50\" Keys leaked");
    assert_eq!((open.title.as_str(), open.severity), ("Keys leaked", Some(Severity::Sev1)));
    assert!(open.private && open.retrospective);
    assert_eq!(open.team, Some("db-team".into()));
    assert_eq!(open.detected, at("2023-04-02T03:50:00Z"));

    let open = opened("open SEV-3: checkout  is slow team=“Development team”");
    assert_eq!((open.title.as_str(), open.severity), ("checkout  is slow", Some(Severity::Sev3)));
    assert_eq!(open.team, Some("dev-team".into()));
}

#[test]
fn options_in_the_middle_of_a_title_are_words() {
    for (text, title, severity) in [
        ("open sev2 alerts are silent", "alerts are silent", Some(Severity::Sev2)),
        ("open alerts for sev1 pages are silent", "alerts for sev1 pages are silent", None),
        ("open sev1 pages mention sev2", "pages mention sev2", Some(Severity::Sev1)),
        ("open uploads to s3", "uploads to s3", None),
        ("open we lost the record", "we lost the record", None),
        ("open a=b breaks the parser", "a=b breaks the parser", None),
        ("open \"sev2 handling is broken\" sev1", "sev2 handling is broken", Some(Severity::Sev1)),
        ("open “private repos are public”", "private repos are public", None),
        ("open checkout is slow, sev2", "checkout is slow", Some(Severity::Sev2)),
        ("open sev2 - checkout is slow", "checkout is slow", Some(Severity::Sev2)),
        ("new db is down", "db is down", None),
        ("open users see 'internal error'", "users see 'internal error'", None),
        ("open two\nlines", "two lines", None),
    ] {
        let open = opened(text);
        assert_eq!((open.title.as_str(), open.severity), (title, severity), "{text}");
        assert!(!open.private && !open.retrospective, "{text}");
    }
}

#[test]
fn private_at_the_end_always_keeps_the_incident_private() {
    let open = opened("open credentials leaked sev1 private");
    assert_eq!((open.title.as_str(), open.private), ("credentials leaked", true));
    for text in
        ["open credentials leaked --private", "open --private credentials leaked", "open credentials leaked —private"]
    {
        let open = opened(text);
        assert_eq!((open.title.as_str(), open.private), ("credentials leaked", true), "{text}");
    }
    // It may be a word of the sentence: then it stays, and the incident is private all the same.
    let open = opened("open the repository is no longer private");
    assert_eq!((open.title.as_str(), open.private), ("the repository is no longer private", true));
}

#[test]
fn opening_with_a_wrong_option_keeps_what_was_understood() {
    let found = unclear("open sev2 team=databse checkout is slow");
    assert_eq!(found.problem, Problem::UnknownTeam { word: "databse".into() });
    assert_eq!(found.understood.severity, Some(Severity::Sev2));
    let found = unclear("open sev7 checkout is slow");
    assert_eq!(found.problem, Problem::UnknownSeverity { word: "sev7".into() });
    assert_eq!(found.did_you_mean[0], "open sev1 checkout is slow");
    let found = unclear("open sev2 private");
    assert_eq!((found.understood.severity, found.understood.private), (Some(Severity::Sev2), true));
    let found = unclear("open detected=lately x");
    assert_eq!(found.problem, Problem::UnreadableTime { text: "lately".into() });
}

#[test]
fn bare_commands_open_the_form() {
    assert_eq!(read(""), Typed::OpenForm);
    assert_eq!(read("  open "), Typed::OpenForm);
    assert_eq!(read_escalate(""), Typed::EscalateForm);
}

#[track_caller]
fn one_note(text: &str) -> NoteTyped {
    match read(text) {
        Typed::Notes(notes) if notes.len() == 1 => notes.into_iter().next().expect("one"),
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn notes_keep_their_text_as_it_was_typed() {
    for (text, kind, note_text) in [
        ("note restarted  the \"database\", no change", NoteKind::Note, "restarted  the \"database\", no change"),
        ("note 10 nodes added", NoteKind::Note, "10 nodes added"),
        ("note matrix.org is back.", NoteKind::Note, "matrix.org is back."),
        ("note \"quoted\"", NoteKind::Note, "\"quoted\""),
        ("Note: x", NoteKind::Note, "x"),
        ("ruled-out the frontend", NoteKind::RuledOut, "the frontend"),
        ("ruled out the frontend", NoteKind::RuledOut, "the frontend"),
        ("finding cache is cold", NoteKind::Finding, "cache is cold"),
        ("decision roll back", NoteKind::Decision, "roll back"),
        ("action rolled back", NoteKind::Action, "rolled back"),
        ("note kind=ruled-out the frontend", NoteKind::RuledOut, "the frontend"),
        ("note kind=\"ruled out\" the frontend", NoteKind::RuledOut, "the frontend"),
        ("note one\n  two\n\nthree", NoteKind::Note, "one\n  two\n\nthree"),
        ("note now: kind=odd", NoteKind::Note, "kind=odd"),
    ] {
        let note = one_note(text);
        assert_eq!((note.kind, note.text.as_str(), note.team), (kind, note_text, None), "{text}");
        assert!(note.time.is_none_or(|time| time.when.at.is_none()), "{text}");
    }
}

#[test]
fn notes_take_times_and_teams_in_any_order() {
    let expected = at("2023-04-02T19:45:00Z").map(|time| time.when);
    for (text, team) in [
        ("note 3:45pm restarted", None),
        ("note 3:45pm: restarted", None),
        ("3:45pm restarted", None),
        ("note 3:45pm team=dba restarted", some("db-team")),
        ("note team=@db-team 3:45pm restarted", some("db-team")),
        ("note team=\"Database team\" 3:45pm restarted", some("db-team")),
        ("note team=“database team” 15:45: restarted", some("db-team")),
        ("note team=Support 15:45 restarted", some("Support")),
        ("note team=\"Error tracking team\" 15:45 restarted", some("Error tracking team")),
    ] {
        let note = one_note(text);
        assert_eq!((note.text.as_str(), note.team), ("restarted", team), "{text}");
        assert_eq!(note.time.map(|time| time.when), expected, "{text}");
    }
    // Behind a colon everything is text.
    assert_eq!(one_note("note 3:45pm: team=dba restarted").text, "team=dba restarted");
}

#[test]
fn each_line_that_begins_with_a_time_begins_a_note() {
    let texts = |text: &str| {
        let Typed::Notes(notes) = read(text) else { panic!("no notes") };
        notes.into_iter().map(|note| (note.time.and_then(|time| time.when.at).is_some(), note.text)).collect::<Vec<_>>()
    };
    let note = |timed, text: &str| (timed, text.to_owned());
    assert_eq!(
        texts("note 15:05 first\n- 15:10: second\n\n3:15pm team=dba third"),
        [note(true, "first"), note(true, "second"), note(true, "third")]
    );
    assert_eq!(
        texts("note what I saw:\n* 15:05 first\nand more\n\nof it\n15:10 second"),
        [note(false, "what I saw:"), note(true, "first\nand more\n\nof it"), note(true, "second")]
    );
    assert_eq!(texts("note\n15:05 first\nand more"), [note(true, "first\nand more")]);
    assert_eq!(texts("note one\ntwo\nnow three"), [note(false, "one\ntwo\nnow three")]);
    assert_eq!(texts("note now: first\n15:05 more"), [note(false, "first\n15:05 more")]);
    assert_eq!(texts("note 15:00 kind=note: first\n15:05 more"), [note(true, "first\n15:05 more")]);
}

#[test]
fn an_unsure_time_offers_the_whole_note_again() {
    let found = unclear("note kind=finding 3:00pm EST the alert came");
    assert_eq!(found.problem.sentence(), "New York is on EDT then: 3:00 PM EDT?");
    assert_eq!(found.did_you_mean, ["note kind=finding 2023-04-02 3:00 PM EDT: the alert came"]);
    assert_eq!(found.understood.text, some("the alert came"));
    let note = one_note(&found.did_you_mean[0]);
    assert_eq!((note.kind, note.text.as_str()), (NoteKind::Finding, "the alert came"));
}

#[test]
fn entries_take_time_team_and_text() {
    let entry = |time: Option<&str>, team: Option<&str>, text: Option<&str>| Entry {
        time: time.and_then(at),
        team: team.map(str::to_owned),
        text: text.map(str::to_owned),
    };
    let time = "2023-04-02T19:00:00Z";
    let typed = read("detected 3pm by=\"a user\" checkout fails");
    let detected = entry(Some(time), None, Some("checkout fails"));
    assert_eq!(typed, Typed::Detected { entry: detected, by: some("a user") });
    assert_eq!(read("declared 3pm"), Typed::Declared(entry(Some(time), None, None)));
    assert_eq!(
        read("mitigated team=dba 3pm failed over"),
        Typed::Mitigated(entry(Some(time), Some("db-team"), Some("failed over")))
    );
    assert_eq!(read("resolve"), Typed::Resolve(entry(None, None, None)));
    assert_eq!(read("resolved all is well"), Typed::Resolve(entry(None, None, Some("all is well"))));
    assert_eq!(
        read("called 3pm team=\"Payments team\" second on-call paged"),
        Typed::Called(entry(Some(time), Some("Payments team"), Some("second on-call paged")))
    );
    assert_eq!(
        read("ack 3pm team=Support on it"),
        Typed::Acknowledged(entry(Some(time), Some("Support"), Some("on it")))
    );
    assert_eq!(unclear("called").problem, Problem::Missing { question: "Who was called?" });
}

#[test]
fn the_short_answers_of_the_postmortem_are_fields() {
    for (text, field, value) in [
        ("impact checkout failed for many", Field::Impact, Some("checkout failed for many")),
        ("affected 30% of users", Field::Affected, Some("30% of users")),
        ("saw error pages", Field::AffectedDetail, Some("error pages")),
        ("service the website of an e-commerce store", Field::Service, Some("the website of an e-commerce store")),
        ("kind Outage", Field::ImpactKind, Some("outage")),
        ("kind data-loss", Field::ImpactKind, Some("data loss")),
        ("detected-by monitoring", Field::DetectedBy, Some("monitoring")),
        ("cause wrong network settings", Field::RootCause, Some("wrong network settings")),
        ("root cause: wrong network settings", Field::RootCause, Some("wrong network settings")),
        ("resolution settings corrected", Field::Resolution, Some("settings corrected")),
        ("cause -", Field::RootCause, None),
    ] {
        assert_eq!(read(text), Typed::Field { field, value: value.map(str::to_owned) }, "{text}");
    }
    assert_eq!(unclear("kind outtage").did_you_mean, ["kind outage"]);
}

#[test]
fn impact_has_a_start_and_an_end() {
    assert_eq!(read("started 3pm"), Typed::Started { time: at("2023-04-02T19:00:00Z") });
    assert_eq!(read("ended at 5pm"), Typed::Ended { time: at("2023-04-02T21:00:00Z") });
    assert_eq!(read("started unknown"), Typed::Started { time: None });
    assert_eq!(unclear("started a while ago").problem, Problem::UnreadableTime { text: "a while ago".into() });
}

#[test]
fn statuses_and_severities_offer_the_near_ones() {
    assert_eq!(
        read("status identified: bad settings"),
        Typed::Status { status: Status::Identified, text: some("bad settings") }
    );
    assert_eq!(unclear("status identifed bad settings").did_you_mean, ["status identified bad settings"]);
    assert_eq!(read("status"), Typed::Show);
    assert_eq!(unclear("status sad").did_you_mean.len(), Status::ALL.len());
    for text in ["severity 1", "sev sev1", "set SEV-1", "sev1"] {
        assert_eq!(read(text), Typed::Severity { severity: Severity::Sev1 }, "{text}");
    }
    assert_eq!(unclear("severity 9").problem, Problem::UnknownSeverity { word: "9".into() });
}

#[test]
fn roles_go_to_people_however_they_are_mentioned() {
    let role = |role, user: &str| Typed::Role { role, user: user.into() };
    for (text, typed) in [
        ("commander <@U2BEN|ben>", role(Role::Commander, "U2BEN")),
        ("lead <@U2BEN>", role(Role::Commander, "U2BEN")),
        ("lead @ben", role(Role::Commander, "U2BEN")),
        ("lead ben", role(Role::Commander, "U2BEN")),
        ("lead", role(Role::Commander, "U1ANA")),
        ("lead me", role(Role::Commander, "U1ANA")),
        ("role scribe @Dana Silva", role(Role::Scribe, "U3DANA")),
        ("role communications lead <@W9>", role(Role::CommunicationsLead, "W9")),
        ("role comms @ben", role(Role::CommunicationsLead, "U2BEN")),
    ] {
        assert_eq!(read(text), typed, "{text}");
    }
    assert_eq!(unclear("lead @bem").problem, Problem::UnknownPerson { word: "bem".into(), near: vec!["Ben".into()] });
    assert_eq!(unclear("role scrib @ben").did_you_mean, ["role scribe @ben"]);
}

#[test]
fn tasks_have_owner_and_date_at_either_end() {
    let task = |text: &str, owner: Option<&str>, due: Option<&str>| Typed::Task {
        text: text.to_owned(),
        owner: owner.map(UserId::from),
        due_on: due.map(|due| due.parse().expect("a date")),
    };
    for (text, typed) in [
        ("task add an alert", task("add an alert", None, None)),
        ("task @ben due fri add an alert", task("add an alert", Some("U2BEN"), Some("2023-04-07"))),
        ("task due=2023-05-01 <@U2BEN|ben> add an alert", task("add an alert", Some("U2BEN"), Some("2023-05-01"))),
        ("task add an alert @ben by fri", task("add an alert", Some("U2BEN"), Some("2023-04-07"))),
        ("task add an alert due in 3 days <@U2BEN>", task("add an alert", Some("U2BEN"), Some("2023-04-05"))),
        ("task ask @ben what the limit is", task("ask @ben what the limit is", None, None)),
        ("task measure latency by region", task("measure latency by region", None, None)),
        ("task me: add an alert", task("add an alert", Some("U1ANA"), None)),
        ("task done 2", Typed::TaskDone { task: 2, done: true }),
        ("task 2 done", Typed::TaskDone { task: 2, done: true }),
        ("task reopen #2", Typed::TaskDone { task: 2, done: false }),
        ("task remove 2", Typed::TaskRemoved { task: 2 }),
        ("task remove 2 old nodes", task("remove 2 old nodes", None, None)),
    ] {
        assert_eq!(read(text), typed, "{text}");
    }
}

#[test]
fn alerts_are_listed_from_a_number_on_or_one_is_taken_out() {
    for (text, typed) in [
        ("alerts", Typed::Alerts { from: 1 }),
        ("alerts 21", Typed::Alerts { from: 21 }),
        ("alerts split 12", Typed::TakeAlertOut { alert: 12 }),
        ("Alerts Split #12", Typed::TakeAlertOut { alert: 12 }),
    ] {
        assert_eq!(read(text), typed, "{text}");
    }
    for text in ["INC-42 alerts split 3", "alerts INC-42 split 3"] {
        let parsed = try_incident(text).expect("clear");
        assert_eq!((parsed.incident, parsed.typed), (Some(42), Typed::TakeAlertOut { alert: 3 }), "{text}");
    }
    let of_another = try_incident("alerts #42").expect("clear");
    assert_eq!((of_another.incident, of_another.typed), (Some(42), Typed::Alerts { from: 1 }));
    let unclear = try_incident("INC-42 alerts splti 12").expect_err("is not clear");
    assert_eq!(unclear.did_you_mean, ["INC-42 alerts split 12"]);
    assert!(try_incident("alerts split").is_err() && try_incident("alerts split 3 4").is_err());
}

#[test]
fn the_first_word_may_address_an_incident() {
    for text in ["INC-42 note x", "#42 note x", "inc-42: note x", "inc42 note x"] {
        let parsed = try_incident(text).expect("clear");
        assert_eq!(parsed.incident, Some(42), "{text}");
        assert!(matches!(parsed.typed, Typed::Notes(_)), "{text}");
    }
    for (text, typed) in [
        ("INC-42", Typed::Show),
        ("show 42", Typed::Show),
        ("export #42 html", Typed::Export { format: Format::Html }),
        ("postmortem INC-42", Typed::Postmortem),
        ("resolve INC-42", Typed::Resolve(Entry::default())),
        ("reopen #42 again", Typed::Reopen { text: some("again") }),
    ] {
        assert_eq!(try_incident(text).expect("clear"), Parsed { incident: Some(42), typed }, "{text}");
    }
    let found = unclear("#42 reslove all well");
    assert_eq!((found.understood.incident, found.did_you_mean[0].as_str()), (Some(42), "INC-42 resolve all well"));
    assert!(escalate("INC-7 dba help", &world().context()).is_ok_and(|parsed| parsed.incident == Some(7)));
}

#[test]
fn the_small_verbs() {
    for (text, typed) in [
        ("list", Typed::List { all: false }),
        ("list all", Typed::List { all: true }),
        ("show", Typed::Show),
        ("help", Typed::Help),
        ("?", Typed::Help),
        ("join", Typed::Join),
        ("timeline", Typed::Timeline),
        ("post-mortem", Typed::Postmortem),
        ("postmortem export md", Typed::Export { format: Format::Markdown }),
        ("export", Typed::Export { format: Format::Markdown }),
        ("title Checkout is slow", Typed::Title { title: "Checkout is slow".into() }),
        ("update We are rolling back.", Typed::Update { text: "We are rolling back.".into() }),
        ("measure Alert on connectivity", Typed::Measure { text: "Alert on connectivity".into() }),
        ("reopen it is back", Typed::Reopen { text: some("it is back") }),
        ("cancel", Typed::Cancel { text: None }),
        ("false alarm: test alert", Typed::Cancel { text: some("test alert") }),
        ("edit 7 better words", Typed::Edit { target: 7, text: "better words".into() }),
        ("remove #7", Typed::Remove { target: 7 }),
        ("escalate dba please", Typed::Escalate { team: "db-team".into(), reason: some("please") }),
    ] {
        assert_eq!(read(text), typed, "{text}");
    }
    assert_eq!(unclear("export pdf").problem, Problem::UnknownFormat { word: "pdf".into() });
    assert_eq!(unclear("update").problem, Problem::Missing { question: "What should the others know?" });
    assert_eq!(unclear("remove 7 nodes").problem, Problem::LeftOver { text: "nodes".into() });
}

#[test]
fn an_unknown_verb_is_corrected_or_taken_for_a_title() {
    let found = unclear("nte 3:45pm restarted");
    assert_eq!(found.did_you_mean[0], "note 3:45pm restarted");
    let found = unclear("sev2 checkout is slow");
    assert_eq!(found.problem, Problem::UnknownVerb { word: "sev2".into() });
    assert_eq!(found.understood.title, some("checkout is slow"));
    assert_eq!(found.understood.severity, Some(Severity::Sev2));
    assert_eq!(found.did_you_mean[0], "open sev2 checkout is slow");
    assert_eq!(unclear("sev9").problem, Problem::UnknownSeverity { word: "sev9".into() });
}

#[test]
fn a_time_alone_asks_for_the_note() {
    let found = unclear("3pm");
    assert_eq!(found.problem, Problem::Missing { question: "What should the note say?" });
    assert_eq!(found.understood.time, at("2023-04-02T19:00:00Z"));
    let found = unclear("note 25:00 restarted");
    assert_eq!(found.problem.sentence(), "25:00 is no time of day.");
    assert_eq!(found.understood.text, some("restarted"));
}

#[test]
fn escalating_finds_the_team_however_it_is_called() {
    for (text, key, reason) in [
        ("db-team", "db-team", None),
        ("DB-Team response time up", "db-team", Some("response time up")),
        ("@db-team: response time up", "db-team", Some("response time up")),
        ("db team response time up", "db-team", Some("response time up")),
        ("Database team response time up", "db-team", Some("response time up")),
        ("database team emea response time up", "db-team-emea", Some("response time up")),
        ("\"Database team\" response time up", "db-team", Some("response time up")),
        ("“database team”, response time up", "db-team", Some("response time up")),
        ("dba response  time up", "db-team", Some("response  time up")),
        ("<!subteam^S1DB|@db-oncall> response time up", "db-team", Some("response time up")),
        ("<!subteam^S1DB> response time up", "db-team", Some("response time up")),
        ("<!subteam^S9|@dev-team> response time up", "dev-team", Some("response time up")),
        ("@db-oncall response time up", "db-team", Some("response time up")),
    ] {
        assert_eq!(
            read_escalate(text),
            Typed::Escalate { team: key.into(), reason: reason.map(str::to_owned) },
            "{text}"
        );
    }
}

#[test]
fn an_unknown_team_offers_the_near_ones_with_the_reason() {
    let found = escalate("databse team disk full", &world().context()).expect_err("unknown");
    assert_eq!(found.problem, Problem::UnknownTeam { word: "databse".into() });
    assert_eq!(found.understood.text, some("databse team disk full"));
    assert!(found.did_you_mean[0].starts_with("db-team"), "{found:?}");
    let found = escalate("dbteam disk full", &world().context()).expect_err("unknown");
    assert_eq!(found.did_you_mean[0], "db-team disk full");
}

#[test]
fn the_verbs_of_escalate() {
    let dba = || Some(TeamKey::from("db-team"));
    for (text, typed) in [
        ("ack", Typed::EscalationTaken { team: None, text: None }),
        ("ack dba", Typed::EscalationTaken { team: dba(), text: None }),
        ("ack looks like a disk", Typed::EscalationTaken { team: None, text: some("looks like a disk") }),
        ("next dba no answer", Typed::EscalateNext { team: dba(), text: some("no answer") }),
        ("stop", Typed::EscalateStop { team: None, text: None }),
        ("why", Typed::Why { team: None }),
        ("why dba", Typed::Why { team: dba() }),
        ("preview dba", Typed::Preview { team: "db-team".into(), at: None }),
        (
            "preview Database team tomorrow 3am",
            Typed::Preview { team: "db-team".into(), at: Some("2023-04-03T07:00:00Z".parse().expect("an instant")) },
        ),
        ("help", Typed::EscalateHelp),
    ] {
        assert_eq!(read_escalate(text), typed, "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reading_never_panics(text in "\\PC{0,60}") {
        let world = world();
        let _ = incident(&text, &world.context());
        let _ = escalate(&text, &world.context());
    }

    #[test]
    fn reading_never_panics_near_the_grammar(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "open", "note", "task", "sev2", "sev", "private", "team=", "team=\"", "\"", "“", "”", "detected=", "-10m",
                "3pm", "now", ":", ",", "@", "@ben", "<@", "<@U2BEN|", ">", "<!subteam^", "due", "by", "fri", "\n", " ", "  ",
                "INC-", "#42", "kind=", "EST", "Europe/", "~", "ü", "escalate", "dba", "Database", "preview", "12",
            ]),
            0..8,
        ),
        separator in prop::sample::select(vec!["", " ", "\n"]),
    ) {
        let world = world();
        let text = pieces.join(separator);
        let _ = incident(&text, &world.context());
        let _ = escalate(&text, &world.context());
    }

    #[test]
    fn any_note_behind_now_comes_back_as_it_was_typed(
        text in prop::string::string_regex("(\\PC|\n){1,80}").expect("a pattern"),
        verb in prop::sample::select(vec!["note", "finding", "ruled-out", "decision", "action"]),
    ) {
        let text = text.trim();
        prop_assume!(!text.is_empty());
        let world = world();
        let parsed = incident(&format!("{verb} now: {text}"), &world.context());
        let Ok(Parsed { typed: Typed::Notes(notes), .. }) = parsed else { panic!("{parsed:?}") };
        prop_assert_eq!(notes.len(), 1);
        prop_assert_eq!(notes[0].text.as_str(), text);
        prop_assert!(notes[0].time.as_ref().is_some_and(|time| time.when.at.is_none()));
    }
}

#[test]
fn behind_a_colon_any_text_is_a_task_a_measure_or_an_answer() {
    for text in ["done 2", "@nobody", "due fri", "-", "unknown", "remove 1: it", ": twice"] {
        let task = Typed::Task { text: text.to_owned(), owner: None, due_on: None };
        assert_eq!(read(&format!("task : {text}")), task);
        assert_eq!(read(&format!("measure : {text}")), Typed::Measure { text: text.to_owned() });
        let cause = Typed::Field { field: Field::RootCause, value: Some(text.to_owned()) };
        assert_eq!(read(&format!("cause : {text}")), cause);
    }
}
