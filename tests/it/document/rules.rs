//! The rules of the narrative, one by one, on histories made for them.

use chrono::{NaiveDate, TimeDelta};
use firebell::domain::civil::format::ClockStyle;
use firebell::domain::event::{Actor, Event, NoteKind};
use firebell::domain::incident::{Field, Status};
use firebell::domain::postmortem::{Options, Postmortem, markdown};
use firebell::domain::roster::Directory;
use firebell::domain::timeline::people::PeopleStyle;

use super::live::{Live, at, live, person, recorded};
use super::recordings::Recording;

/// The seed's document after a change to it.
fn seed(change: impl FnOnce(&mut Recording)) -> String {
    let mut seed = Recording::load("00-");
    change(&mut seed);
    markdown::markdown(&seed.postmortem())
}

/// A history of these notes, with nothing else.
fn notes(notes: &[(&str, &str)]) -> Live {
    let mut live = live();
    live.history.truncate(1);
    let noted = |text: &str| Event::Noted { kind: NoteKind::Note, team: None, text: text.to_owned() };
    live.history
        .extend(notes.iter().zip(2..).map(|((time, text), seq)| recorded(seq, time, person("UANA"), noted(text))));
    live
}

fn section<'t>(text: &'t str, heading: &str) -> &'t str {
    let start = text.find(heading).expect("the section exists");
    let rest = &text[start + heading.len()..];
    rest.split("\n## ").next().unwrap().trim()
}

#[test]
fn an_ongoing_incident_says_since_when_and_as_of_when() {
    let mut live = live();
    live.history.truncate(9);
    live.incident.status = Status::Investigating;
    let text = |hours: i64| {
        let now = at("23:50") + TimeDelta::hours(hours);
        let options = Options { people: PeopleStyle::Roles, ..Options::default() };
        let postmortem = Postmortem::new(&live.incident, &live.history, &live.directory, now, options);
        markdown::markdown(&postmortem)
    };
    assert!(text(0).contains("On May 5th, 2026, since 23:38 CEST (ongoing, as of 23:50 CEST), there was"));
    assert!(text(12).contains("Since May 5th, 2026, 23:38 CEST (ongoing, as of May 6th, 11:50 CEST), there was"));
    let next_year = text(24 * 366);
    assert!(
        next_year.contains("Since May 5th, 2026, 23:38 CEST (ongoing, as of May 6th, 2027, 23:50 CEST), there was")
    );
    assert!(text(0).contains("The incident has not been resolved yet."));
    assert!(text(0).contains("Resolved: not recorded"));
}

#[test]
fn the_same_words_in_the_same_minute_merge_and_later_ones_do_not() {
    let live = notes(&[("23:40", "Disk full"), ("23:40", "Disk full"), ("23:40", "Disk full"), ("23:41", "Disk full")]);
    let text = markdown::markdown(&live.postmortem(PeopleStyle::Roles));
    assert!(text.contains("- 23:40: Disk full. ×3\n- 23:41: Disk full."), "{text}");
}

#[test]
fn work_after_the_resolution_stands_apart() {
    let text = markdown::markdown(&Recording::load("22").postmortem());
    assert!(text.contains("### Afterwards\n\n- 17:25: Roll-out of the bug fix begins."), "{text}");
    let text = markdown::markdown(&Recording::load("14").postmortem());
    let afterwards = text.split("### Afterwards").nth(1).unwrap();
    assert!(afterwards.contains("- 15:51: Second cluster now holds the wrong password; no user is affected."));
    assert!(!afterwards.contains("**Resolved.**"));
}

#[test]
fn a_late_declaration_and_detection_by_users_are_stated() {
    let numbers = markdown::markdown(&Recording::load("20").postmortem());
    let numbers = section(&numbers, "## Response in numbers");
    assert!(numbers.contains("- Declared 14 minutes after the first mitigation.\n- Detected by users."), "{numbers}");
}

#[test]
fn missing_fields_are_asked_for_and_never_filled() {
    let text = seed(|seed| {
        seed.incident.fields.clear();
        seed.incident.impact_start_at = None;
        seed.incident.measures.clear();
        seed.incident.tasks.clear();
    });
    let summary = section(&text, "## Issue Summary");
    assert_eq!(summary, "On April 2nd, 2023, from 3:00 PM to 5:00 PM EDT (2 hours), there was an incident.");
    assert_eq!(section(&text, "## Root cause and resolution"), "Not stated yet.");
    assert_eq!(section(&text, "## Tasks"), "None yet.");
    for question in ["Start of the impact: not confirmed", "Root cause: not stated.", "Tasks: none yet."] {
        assert!(section(&text, "> **Still open**").contains(question), "{text}");
    }
    assert!(!text.contains("N/A"));
}

#[test]
fn nothing_is_open_when_everything_is_known() {
    let text = seed(|seed| {
        for task in &mut seed.incident.tasks {
            task.owner = Some("UANA".into());
            task.due_on = NaiveDate::from_ymd_opt(2023, 4, 7);
        }
        seed.incident.tasks[0].done = true;
    });
    assert!(!text.contains("Still open"), "{text}");
    assert!(text.contains(
        "- [x] Review and correct the database cluster's network settings (owned by a responder, due April 7th, 2023)"
    ));
    assert!(text.contains("4 tasks have been agreed to prevent a recurrence; 1 is done."));
}

#[test]
fn peoples_words_are_neither_recased_nor_restopped() {
    let text = seed(|seed| {
        let fields = &mut seed.incident.fields;
        fields.insert(Field::RootCause, "matrix.org lost its disk. Really!".to_owned());
        fields.insert(Field::DetectedBy, "a partner's dashboard".to_owned());
        fields.insert(Field::ImpactKind, "slowness".to_owned());
    });
    assert!(text.contains("Root cause: matrix.org lost its disk. Really! Detected by: a partner's dashboard at once."));
    assert!(text.contains("experienced an incident (slowness) that affected 30% of users."));
}

#[test]
fn blame_and_vague_measures_are_pointed_out() {
    let text = seed(|seed| {
        seed.incident.fields.insert(Field::RootCause, "Human error: @bob just forgot it".to_owned());
        seed.incident.measures.push("Be more careful".to_owned());
        seed.incident.tasks[1].text = "The alert".to_owned();
    });
    let open = section(&text, "> **Still open**");
    for warning in [
        "Root cause says “human error”",
        "Root cause says “forgot”",
        "Root cause says “just”",
        "Root cause names somebody",
        "Measure 5 says “be more careful”",
        "Task 2 does not begin with a verb",
    ] {
        assert!(open.contains(warning), "{warning}: {open}");
    }
}

#[test]
fn text_from_outside_cannot_break_the_document() {
    let wild = "| a | b |\n# Heading\n- [ ] task\n```\n<b>&amp;</b> ![x](y)\n> quote\n---";
    let live = notes(&[("23:40", wild), ("23:41", "after")]);
    let text = markdown::markdown(&live.postmortem(PeopleStyle::Roles));
    let headings: Vec<&str> = text.lines().filter(|line| line.starts_with('#')).collect();
    let expected = [
        "# INC-7: Card payments fail",
        "## Issue Summary",
        "## Timeline",
        "## Response in numbers",
        "## Root cause and resolution",
        "## Corrective and preventative measures",
        "## Tasks",
        "## Conclusion",
    ];
    assert_eq!(headings, expected);
    let shown = firebell::web::prose::markdown(&text);
    assert!(shown.contains("| a | b |<br />\n# Heading<br />\n- [ ] task<br />\n```<br />"), "{shown}");
    assert!(shown.contains("&lt;b&gt;&amp;amp;&lt;/b&gt; ![x](y)<br />\n&gt; quote<br />\n---."), "{shown}");
    assert!(shown.contains("<li>23:41: after.</li>"), "{shown}");
}

#[test]
fn an_alert_is_no_sentence_of_ours_and_says_that_monitoring_saw_it() {
    let mut live = live();
    live.history.truncate(1);
    let Event::Opened { declares, .. } = &mut live.history[0].occurrence.event else { panic!("the first event opens") };
    *declares = false;
    let detected = Event::Detected { text: "Success rate below 80%".to_owned(), by: None, team: None };
    let monitor = Actor::Integration { integration: "grafana".into() };
    live.history.push(recorded(2, "23:38", monitor, detected));
    let postmortem = live.postmortem(PeopleStyle::Roles);
    assert_eq!(postmortem.figures.entries, 1);
    let text = markdown::markdown(&postmortem);
    assert!(text.contains("It was detected by monitoring."), "{text}");
    assert!(text.contains("- 23:38: **Detected.** Success rate below 80%."), "{text}");
    assert!(!text.contains("Detection: by monitoring, a user or the team?"), "{text}");
}

#[test]
fn reopening_makes_time_under_impact_a_sum_and_takes_the_resolution_back() {
    let mut live = live();
    live.incident.impact_start_at = Some(at("23:30"));
    let ana = || person("UANA");
    let again = Event::Reopened { text: Some("Failing again".to_owned()), because: None };
    live.history.push(recorded(23, "00:40", ana(), again));
    let postmortem = live.postmortem(PeopleStyle::Roles);
    assert_eq!(postmortem.figures.time_to_resolve_s, None);
    assert_eq!(postmortem.figures.time_under_impact_s, None, "it has not ended");
    live.history.push(recorded(24, "00:50", ana(), Event::Mitigated { text: "Fixed".to_owned(), team: None }));
    live.history.push(recorded(25, "00:55", ana(), Event::Resolved { text: None, team: None }));
    let postmortem = live.postmortem(PeopleStyle::Roles);
    assert_eq!(postmortem.figures.time_to_resolve_s, Some(85 * 60));
    assert_eq!(postmortem.figures.time_under_impact_s, Some(60 * 60), "50 minutes and 10 minutes");
}

#[test]
fn the_clock_style_can_be_chosen() {
    let seed = Recording::load("00-");
    let options = Options { clock: Some(ClockStyle::TwentyFour), ..Options::default() };
    let now = seed.incident.opened_at;
    let postmortem = Postmortem::new(&seed.incident, &seed.history, &Directory::default(), now, options);
    assert!(markdown::markdown(&postmortem).contains("from 15:00 to 17:00 EDT (2 hours)"));
}
