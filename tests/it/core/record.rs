//! What people write down: nothing is lost, nothing impossible is taken.

use chrono::TimeDelta;
use firebell::domain::answer::Said;
use firebell::domain::command::{Command, When};
use firebell::domain::event::NoteKind;
use firebell::domain::rejection::RejectionKind;

use super::{Core, minutes, start};

fn note(text: &str, at: Option<chrono::DateTime<chrono::Utc>>) -> Command {
    Command::Note { when: When { at, approx: false }, kind: NoteKind::Note, team: None, text: text.into() }
}

#[test]
fn a_note_may_lie_in_the_past_but_not_in_the_future() {
    let mut core = Core::open(&[]);
    core.advance(minutes(30));
    let past = core.by("UANA", &note("restarted the database", Some(start() + minutes(10)))).expect("is taken");
    assert!(matches!(past, Said::Noted { at, .. } if at == start() + minutes(10)));
    let refused = core.by("UANA", &note("?", Some(core.now + TimeDelta::hours(1)))).expect_err("is refused");
    assert_eq!(refused.kind, RejectionKind::Invalid);
}

#[test]
fn an_empty_or_endless_text_is_refused_with_the_way_out() {
    let mut core = Core::open(&[]);
    for text in ["", "  \n ", "\0\0", &"x".repeat(10_001)] {
        let refused = core.by("UANA", &note(text, None)).expect_err("is refused");
        assert!(refused.hint.is_some());
    }
    assert_eq!(core.history.len(), 1);
}

#[test]
fn a_second_resolve_is_refused_unless_it_says_something_new() {
    let mut core = Core::open(&[]);
    let resolve =
        |text: Option<&str>| Command::Resolve { when: When::default(), text: text.map(Into::into), team: None };
    core.by("UANA", &resolve(None)).expect("resolves");
    assert_eq!(core.by("UBEN", &resolve(None)).expect_err("is refused").kind, RejectionKind::Conflict);
    core.advance(minutes(5));
    core.by("UBEN", &resolve(Some("the last node is back too"))).expect("is a later end");
    assert_eq!(core.incident.resolved_at, Some(core.now));
}

#[test]
fn a_task_number_is_never_used_again() {
    let mut core = Core::open(&[]);
    let add = Command::AddTask { text: "alert on disk space".into(), owner: None, due_on: None };
    core.by("UANA", &add).expect("adds");
    core.by("UANA", &Command::RemoveTask { task: 1 }).expect("removes");
    core.by("UANA", &add).expect("adds");
    assert_eq!(core.incident.tasks[0].number, 2);
}

#[test]
fn a_private_incident_is_not_there_for_others() {
    let mut core = Core::open(&[]);
    core.incident.private = true;
    let actor = firebell::domain::event::Actor::Person { user: "USTRANGER".into() };
    let context = firebell::domain::Context {
        now: core.now,
        actor: &actor,
        inside: false,
        roster: &core.roster,
        directory: &core.directory,
        slack_is_away: false,
        alerts: firebell::domain::storm::Alerts::NONE,
    };
    let refused = firebell::domain::decide(&core.incident, &note("hello", None), &context).expect_err("is refused");
    assert_eq!(refused.kind, RejectionKind::NotFound);
    assert!(!refused.sentence.contains("Shop"));
}

#[test]
fn an_opening_is_undone_for_ten_minutes_and_canceled_by_command_later() {
    let mut core = Core::open(&[]);
    core.advance(minutes(10));
    let in_time = core.incident.clone();
    core.by("UANA", &Command::UndoOpening).expect("is undone");
    assert!(!core.incident.is_open());
    core.incident = in_time;
    core.advance(TimeDelta::seconds(1));
    let refused = core.by("UANA", &Command::UndoOpening).expect_err("is refused");
    assert_eq!(refused.sentence, "INC-42 was opened more than 10 minutes ago, so it can no longer be undone.");
    assert_eq!(refused.hint.as_deref(), Some("If it was not an incident after all: /incident INC-42 cancel <why>."));
    assert!(core.incident.is_open());
    core.by("UANA", &Command::Cancel { text: None }).expect("is canceled");
}
