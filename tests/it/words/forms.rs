//! What comes back from a form, as Slack sends it.

use firebell::domain::event::NoteKind;
use firebell::domain::incident::{Field, Role, Severity, Status};
use firebell::ids::IncidentId;
use firebell::slack::forms::{self, IncidentChoice};
use serde_json::{Value, json};

use super::fixture::{DANA, at, three_pm};

fn typed(text: &str) -> Value {
    json!({ "value": { "type": "plain_text_input", "value": text } })
}

fn chosen(value: &str) -> Value {
    let option = json!({ "text": { "type": "plain_text", "text": "shown", "emoji": true }, "value": value });
    json!({ "value": { "type": "static_select", "selected_option": option } })
}

fn moment(unix_s: i64) -> Value {
    json!({ "value": { "type": "datetimepicker", "selected_date_time": unix_s } })
}

fn nothing() -> Value {
    json!({ "value": { "type": "plain_text_input", "value": null } })
}

#[test]
fn an_incident_is_opened_with_a_title_and_a_severity() {
    let values = json!({
        "title": typed("  Shop is slow "),
        "severity": chosen("sev2"),
        "team": { "value": { "type": "static_select", "selected_option": null } },
        "description": nothing(),
        "private": { "value": { "type": "checkboxes", "selected_options": [{ "value": "yes" }] } },
    });
    let form = forms::open(&values).expect("complete");
    assert_eq!((form.title.as_str(), form.severity, form.private), ("Shop is slow", Severity::Sev2, true));
    assert_eq!((form.team, form.description), (None, None));
}

#[test]
fn every_mistake_is_a_sentence_under_its_field() {
    let errors = forms::open(&json!({ "title": typed("  "), "severity": chosen("sev9") })).expect_err("incomplete");
    let expected = json!({
        "response_action": "errors",
        "errors": { "title": "Say in a few words what is wrong.", "severity": "Choose a severity." },
    });
    assert_eq!(errors.response(), expected);
}

#[test]
fn a_call_names_its_team_and_perhaps_its_incident() {
    let inside =
        forms::escalate(&json!({ "team": chosen("db-team"), "reason": typed("orders time out") })).expect("complete");
    assert_eq!(
        (inside.team.as_str(), inside.reason.as_deref(), inside.incident),
        ("db-team", Some("orders time out"), None)
    );
    let outside = |incident: Value| {
        forms::escalate(&json!({ "team": chosen("db-team"), "reason": nothing(), "incident": incident }))
    };
    assert_eq!(outside(chosen("7")).expect("complete").incident, Some(IncidentChoice::Existing(IncidentId(7))));
    assert_eq!(outside(chosen("new")).expect("complete").incident, Some(IncidentChoice::New));
    assert!(outside(json!({ "value": { "selected_option": null } })).is_err());
}

#[test]
fn a_note_keeps_its_kind_and_its_time() {
    let values =
        json!({ "text": typed("frontend"), "kind": chosen("ruled_out"), "at": moment(three_pm().timestamp()) });
    let form = forms::note(&values).expect("complete");
    assert_eq!((form.text.as_str(), form.kind, form.at), ("frontend", NoteKind::RuledOut, Some(three_pm())));
}

#[test]
fn resolving_needs_no_answer_and_keeps_those_given() {
    let values = json!({ "affected": typed("30% of users"), "affected_detail": nothing(), "root_cause": nothing(), "resolution": nothing(), "impact_start": moment(three_pm().timestamp()) });
    let form = forms::resolve(&values).expect("complete");
    assert_eq!(form.fields[0], (Field::Affected, Some("30% of users".into())));
    assert!(form.fields[1..].iter().all(|(_, value)| value.is_none()));
    assert_eq!((form.impact_start_at, form.text), (Some(three_pm()), None));
    let form = forms::resolve(&json!({ "text": typed(" no failing page ") })).expect("complete");
    assert_eq!(form.text.as_deref(), Some("no failing page"));
}

#[test]
fn a_task_may_have_an_owner_and_a_day() {
    let values = json!({
        "text": typed("Add an alert"),
        "owner": { "value": { "type": "users_select", "selected_user": DANA } },
        "due": { "value": { "type": "datepicker", "selected_date": "2023-04-07" } },
    });
    let form = forms::task(&values).expect("complete");
    assert_eq!(form.owner.expect("an owner").as_str(), DANA);
    assert_eq!(form.due_on.expect("a day").to_string(), "2023-04-07");
}

#[test]
fn status_severity_and_role_are_choices() {
    let form = forms::status(&json!({ "status": chosen("monitoring"), "text": typed("watching") })).expect("complete");
    assert_eq!((form.status, form.text.as_deref()), (Status::Monitoring, Some("watching")));
    assert_eq!(forms::severity(&json!({ "severity": chosen("sev1") })), Ok(Severity::Sev1));
    let person = json!({ "value": { "type": "users_select", "selected_user": DANA } });
    let form = forms::role(&json!({ "role": chosen("communications_lead"), "person": person })).expect("complete");
    assert_eq!((form.role, form.user.as_str()), (Role::CommunicationsLead, DANA));
    assert!(forms::role(&json!({ "role": chosen("scribe") })).is_err());
}

#[test]
fn the_postmortem_takes_one_measure_a_line_and_times_in_order() {
    let values = |end: i64| json!({ "measures": typed("Watch the database\n\n Review the settings "), "impact_kind": chosen("outage"), "impact_start": moment(three_pm().timestamp()), "impact_end": moment(end) });
    let form = forms::postmortem(&values(at("5:00").timestamp())).expect("complete");
    assert_eq!(form.measures, ["Watch the database", "Review the settings"]);
    assert!(form.fields.contains(&(Field::ImpactKind, Some("outage".into()))));
    let errors = forms::postmortem(&values(at("3:00").timestamp() - 60)).expect_err("wrong way round");
    assert_eq!(errors.iter().map(|(block_id, _)| block_id).collect::<Vec<_>>(), ["impact_end"]);
}
