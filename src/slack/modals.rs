//! The forms. Each carries what it is about in `private_metadata`; `forms` reads what comes back.

use super::json::Json;
use chrono::{DateTime, Utc};

use super::actions::{Carried, NEW_INCIDENT, field, form};
use super::blocks::{self, Input, OPTIONS_MAX, modal, option};
use super::escape::{self, Mrkdwn, Untrusted, mrkdwn};
use super::lists::field_name;
use super::scene::{self, Scene};
use super::story;
use crate::domain::event::NoteKind;
use crate::domain::incident::{Field, Incident, Role, Severity, Status};
use crate::domain::limits::TITLE_CHARS_MAX;
use crate::domain::roster::Roster;
use crate::ids::{Seq, TeamKey};

/// Longest one-line answer, in characters.
const LINE_CHARS_MAX: usize = 300;
/// Longest title of an incident within an option, in characters; Slack allows 75 for the whole.
const OPTION_TITLE_MAX: usize = 60;

/// What is known before the form "Open an incident" is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenPrefill {
    pub title: Option<String>,
    pub severity: Option<Severity>,
    pub private: bool,
    pub team: Option<TeamKey>,
    pub description: Option<String>,
}

/// "Open an incident"; `problem` is a sentence that says what a half-finished command lacks.
pub fn open_modal(prefill: &OpenPrefill, problem: Option<&str>, roster: &Roster, carried: &Carried) -> Json {
    let severity = prefill.severity.unwrap_or(roster.severity_default);
    let mut shown: Vec<Json> =
        problem.map(|problem| blocks::section(understood(problem, prefill, roster))).into_iter().collect();
    shown.push(
        Input::line(field::TITLE, "What is wrong?", TITLE_CHARS_MAX, prefill.title.as_deref())
            .required()
            .placeholder("Checkout is slow")
            .into(),
    );
    shown.push(
        Input::select(field::SEVERITY, "Severity", severity_options(), Some(severity_value(severity)))
            .required()
            .into(),
    );
    if !roster.teams.is_empty() {
        let team = Input::select(
            field::TEAM,
            "Team to call now",
            team_options(roster),
            prefill.team.as_ref().map(TeamKey::as_str),
        );
        shown.push(team.placeholder("Nobody yet").into());
    }
    shown.push(Input::text(field::DESCRIPTION, "What do you know so far?", prefill.description.as_deref()).into());
    let private = Input::tick(field::PRIVATE, "Who sees it", "Private: only invited people", prefill.private);
    shown.push(private.hint("A private incident is not announced, and its channel is closed to others.").into());
    modal(form::OPEN, "Open an incident", "Open", &carried.encode(), shown)
}

/// "Call a team". Outside an incident's channel it also asks which of `choices` it is about.
pub fn escalate_modal(
    team: Option<&TeamKey>,
    reason: Option<&str>,
    choices: Option<&[&Incident]>,
    roster: &Roster,
    carried: &Carried,
) -> Json {
    let mut shown = Vec::new();
    if roster.teams.is_empty() {
        shown.push(blocks::section("No team is configured yet. Add one under [teams] in firebell.toml."));
    } else {
        let select = Input::select(field::TEAM, "Team", team_options(roster), team.map(TeamKey::as_str));
        shown.push(select.required().placeholder("Choose a team").into());
    }
    if let Some(choices) = choices {
        shown.push(incident_select(choices, true).required().into());
    }
    let reason = Input::text(field::REASON, "Why them?", reason);
    shown.push(reason.hint("They read this first: what you see, and what you need.").into());
    modal(form::ESCALATE, "Call a team", "Call", &carried.encode(), shown)
}

/// "Which incident?" for a command that was typed outside of one; `carried.typed` holds the command.
pub fn which_incident_modal(choices: &[&Incident], carried: &Carried) -> Json {
    let mut shown = Vec::new();
    if let Some(typed) = &carried.typed {
        shown.push(blocks::section(mrkdwn!("You typed: {}", escape::quoted(typed))));
    }
    shown.push(incident_select(choices, true).required().into());
    modal(form::WHICH_INCIDENT, "Which incident?", "Go on", &carried.encode(), shown)
}

fn incident_select(choices: &[&Incident], may_open: bool) -> Input {
    let mut options: Vec<Json> = choices
        .iter()
        .take(OPTIONS_MAX - 1)
        .map(|incident| {
            let title = Untrusted(&incident.title).plain(OPTION_TITLE_MAX);
            option(&format!("{} {title}", incident.name()), &incident.id.to_string())
        })
        .collect();
    if may_open || options.is_empty() {
        options.push(option("A new incident", NEW_INCIDENT));
    }
    let only = match options.as_slice() {
        [one] => blocks::value_of(one).map(str::to_owned),
        _ => None,
    };
    Input::select(field::INCIDENT, "Incident", options, only.as_deref())
}

/// "Add a note"; `at` is shown as the time at first.
pub fn note_modal(scene: &Scene<'_>, text: Option<&str>, kind: NoteKind, at: DateTime<Utc>, carried: &Carried) -> Json {
    let kinds = NOTE_KINDS.iter().map(|kind| option(story::note_kind_name(*kind), note_kind_value(*kind))).collect();
    let shown = vec![
        about(scene),
        Input::text(field::TEXT, "What happened?", text).required().into(),
        Input::select(field::KIND, "Kind", kinds, Some(note_kind_value(kind))).required().into(),
        Input::moment(field::AT, "When", Some(at)).required().into(),
    ];
    modal(form::NOTE, "Add a note", "Add", &carried.encode(), shown)
}

/// "Add to the timeline", for a message; outside an incident's channel it also asks which of `choices` it belongs to.
pub fn capture_modal(
    about_incident: Result<&Scene<'_>, &[&Incident]>,
    text: &str,
    at: Option<DateTime<Utc>>,
    carried: &Carried,
) -> Json {
    let mut kinds: Vec<Json> =
        NOTE_KINDS.iter().map(|kind| option(story::note_kind_name(*kind), note_kind_value(*kind))).collect();
    kinds.push(option("Detected: how it was noticed", DETECTED));
    let shown = vec![
        match about_incident {
            Ok(scene) => about(scene),
            Err(choices) => incident_select(choices, false).required().into(),
        },
        Input::text(field::TEXT, "What happened?", Some(text).filter(|text| !text.is_empty())).required().into(),
        Input::select(field::KIND, "Kind", kinds, Some(note_kind_value(NoteKind::Note))).required().into(),
        Input::moment(field::AT, "When", at).required().into(),
    ];
    modal(form::CAPTURE, "Add to the timeline", "Add", &carried.encode(), shown)
}

/// "Post an update".
pub fn update_modal(scene: &Scene<'_>, text: Option<&str>, carried: &Carried) -> Json {
    let update = Input::text(field::TEXT, "What should the others know?", text).required();
    let shown = vec![about(scene), update.hint("It goes to the incident's channel.").into()];
    modal(form::UPDATE, "Post an update", "Post", &carried.encode(), shown)
}

/// "Mitigated": users are no longer harmed.
pub fn mitigate_modal(scene: &Scene<'_>, text: Option<&str>, carried: &Carried) -> Json {
    let shown = vec![
        about(scene),
        Input::moment(field::AT, "Since when are users fine?", Some(scene.now)).required().into(),
        Input::line(field::TEXT, "What do users see now?", LINE_CHARS_MAX, text).into(),
    ];
    modal(form::MITIGATE, &format!("Mitigate {}", scene.incident.name()), "Mitigated", &carried.encode(), shown)
}

/// "Resolve": what is easiest to say now; everything may be left out.
pub fn resolve_modal(scene: &Scene<'_>, text: Option<&str>, carried: &Carried) -> Json {
    let began = scene.incident.impact_start_at.unwrap_or(scene.since());
    let mut shown = vec![
        blocks::section(mrkdwn!(
            "*{}*\nOpen calls stop and the postmortem starts. You can skip every question.",
            scene.title()
        )),
        Input::line(field::TEXT, "What ended it?", LINE_CHARS_MAX, text)
            .placeholder("Such as: No failing page for ten minutes")
            .hint("Told in the channel and kept in the timeline.")
            .into(),
        answer(scene, field::AFFECTED, Field::Affected, "Share of users affected", "30% of users"),
        answer(
            scene,
            field::AFFECTED_DETAIL,
            Field::AffectedDetail,
            "What did users see?",
            "Users could not check out",
        ),
        answer(
            scene,
            field::ROOT_CAUSE,
            Field::RootCause,
            "Root cause in one sentence",
            "Wrong network settings in the database cluster",
        ),
        answer(scene, field::RESOLUTION, Field::Resolution, "How was it fixed?", "The settings were corrected"),
    ];
    let hint = "Suggested from what is recorded; correct it if users were harmed earlier.";
    shown.push(Input::moment(field::IMPACT_START, "Impact began", Some(began)).hint(hint).into());
    modal(form::RESOLVE, &format!("Resolve {}", scene.incident.name()), "Resolve", &carried.encode(), shown)
}

/// "Edit the entry" with this number.
pub fn edit_entry_modal(scene: &Scene<'_>, seq: Seq, text: &str, carried: &Carried) -> Json {
    let carried = Carried { entry: Some(seq), ..carried.clone() };
    let shown = vec![about(scene), Input::text(field::TEXT, "Text", Some(text)).required().into()];
    modal(form::EDIT_ENTRY, "Edit the entry", "Save", &carried.encode(), shown)
}

/// "Add a task".
pub fn task_modal(scene: &Scene<'_>, text: Option<&str>, carried: &Carried) -> Json {
    let task = Input::line(field::TEXT, "What must be done?", LINE_CHARS_MAX, text).required();
    let shown = vec![
        about(scene),
        task.hint("Begin with a verb: “Add an alert on …”.").into(),
        Input::person(field::OWNER, "Owner", None).into(),
        Input::day(field::DUE, "Due", None).into(),
    ];
    modal(form::TASK, "Add a task", "Add", &carried.encode(), shown)
}

/// "Change the status".
pub fn status_modal(scene: &Scene<'_>, carried: &Carried) -> Json {
    let options = Status::ALL.iter().map(|status| option(status_meaning(*status), status.word())).collect();
    let shown = vec![
        about(scene),
        Input::select(field::STATUS, "Status", options, Some(scene.incident.status.word())).required().into(),
        Input::text(field::TEXT, "What should the others know?", None).into(),
    ];
    modal(form::STATUS, "Change the status", "Change", &carried.encode(), shown)
}

/// "Change the severity".
pub fn severity_modal(scene: &Scene<'_>, carried: &Carried) -> Json {
    let severity = severity_value(scene.incident.severity);
    let select = Input::select(field::SEVERITY, "Severity", severity_options(), Some(severity)).required();
    modal(form::SEVERITY, "Change the severity", "Change", &carried.encode(), vec![about(scene), select.into()])
}

/// "Give out a role".
pub fn role_modal(scene: &Scene<'_>, role: Role, carried: &Carried) -> Json {
    let options = Role::ALL.iter().map(|role| option(role_meaning(*role), role_value(*role))).collect();
    let shown = vec![
        about(scene),
        Input::select(field::ROLE, "Role", options, Some(role_value(role))).required().into(),
        Input::person(field::PERSON, "Person", None).required().hint("They are told in the channel.").into(),
    ];
    modal(form::ROLE, "Give out a role", "Give", &carried.encode(), shown)
}

/// "Postmortem": every field that a person fills in.
pub fn postmortem_modal(scene: &Scene<'_>, carried: &Carried) -> Json {
    let incident = scene.incident;
    let kinds = IMPACT_KINDS.iter().map(|(value, label)| option(label, value)).collect();
    let kind = incident.fields.get(&Field::ImpactKind).map(String::as_str);
    let measures = incident.measures.join("\n");
    let line = |block_id, field, example| answer(scene, block_id, field, field_name(field), example);
    let shown = vec![
        about(scene),
        line(field::SERVICE, Field::Service, "the website of the shop"),
        Input::select(field::IMPACT_KIND, field_name(Field::ImpactKind), kinds, kind).into(),
        line(field::IMPACT, Field::Impact, "30% of users could not check out"),
        line(field::AFFECTED, Field::Affected, "30% of users"),
        line(field::AFFECTED_DETAIL, Field::AffectedDetail, "Users could not open the shop or check out"),
        line(field::DETECTED_BY, Field::DetectedBy, "monitoring"),
        line(field::ROOT_CAUSE, Field::RootCause, "Wrong network settings in the database cluster"),
        line(field::RESOLUTION, Field::Resolution, "The settings were corrected"),
        Input::moment(field::IMPACT_START, "Impact began", Some(scene.since())).into(),
        Input::moment(field::IMPACT_END, "Impact ended", incident.impact_end_at.or(incident.resolved_at)).into(),
        Input::text(field::MEASURES, "Measures, one a line", Some(&measures))
            .hint("What prevents it, or makes it cheaper, next time.")
            .into(),
    ];
    modal(form::POSTMORTEM, &format!("Postmortem {}", scene.incident.name()), "Save", &carried.encode(), shown)
}

fn answer(scene: &Scene<'_>, block_id: &'static str, field: Field, label: &str, example: &str) -> Json {
    let known = scene.incident.fields.get(&field).map(String::as_str);
    Input::text(block_id, label, known).placeholder(&format!("Such as: {example}")).into()
}

/// The form with a sentence on top that says why it was opened.
pub fn with_problem(mut view: Json, problem: &str) -> Json {
    let mut blocks = vec![blocks::section(Untrusted(problem).line(LINE_CHARS_MAX))];
    if let Some(Json::List(others)) = view.get("blocks") {
        blocks.extend(others.iter().cloned());
    }
    view.set("blocks", Json::List(blocks));
    view
}

/// Which incident the form is about.
fn about(scene: &Scene<'_>) -> Json {
    blocks::context([mrkdwn!(
        "{} · {} · {}",
        scene.title(),
        scene.incident.severity,
        scene::status_name(scene.incident.status)
    )])
}

/// "The title is missing. I read: SEV2, private."
fn understood(problem: &str, prefill: &OpenPrefill, roster: &Roster) -> Mrkdwn {
    let problem = Untrusted(problem).line(LINE_CHARS_MAX);
    let team = prefill.team.as_ref().and_then(|key| roster.teams.get(key));
    let read = [
        prefill.severity.map(|severity| mrkdwn!("{}", severity)),
        prefill.private.then(|| "private".into()),
        team.map(|team| escape::name(&team.name)),
    ];
    let read: Vec<Mrkdwn> = read.into_iter().flatten().collect();
    if read.is_empty() { problem } else { mrkdwn!("{} I read: {}.", problem, Mrkdwn::join(read, ", ")) }
}

fn team_options(roster: &Roster) -> Vec<Json> {
    roster.teams.values().map(|team| option(&team.name, team.key.as_str())).collect()
}

fn severity_options() -> Vec<Json> {
    Severity::ALL.iter().map(|severity| option(severity_meaning(*severity), severity_value(*severity))).collect()
}

/// The value of a severity's option.
pub fn severity_value(severity: Severity) -> &'static str {
    match severity {
        Severity::Sev1 => "sev1",
        Severity::Sev2 => "sev2",
        Severity::Sev3 => "sev3",
        Severity::Sev4 => "sev4",
    }
}

fn severity_meaning(severity: Severity) -> &'static str {
    match severity {
        Severity::Sev1 => "SEV1: most users cannot work",
        Severity::Sev2 => "SEV2: many users are harmed",
        Severity::Sev3 => "SEV3: some users are harmed",
        Severity::Sev4 => "SEV4: nobody is harmed yet",
    }
}

fn status_meaning(status: Status) -> &'static str {
    match status {
        Status::Investigating => "Investigating: looking for the cause",
        Status::Identified => "Identified: the cause is known",
        Status::Monitoring => "Monitoring: fixed, watching",
        Status::Resolved => "Resolved: over",
        Status::Canceled => "Canceled: it was not an incident",
    }
}

/// The value of a role's option.
pub fn role_value(role: Role) -> &'static str {
    match role {
        Role::Commander => "commander",
        Role::Scribe => "scribe",
        Role::CommunicationsLead => "communications_lead",
    }
}

fn role_meaning(role: Role) -> &'static str {
    match role {
        Role::Commander => "Commander: leads",
        Role::Scribe => "Scribe: writes things down",
        Role::CommunicationsLead => "Communications lead: tells the others",
    }
}

/// The kinds of a note in the order of the menu.
pub const NOTE_KINDS: [NoteKind; 6] =
    [NoteKind::Note, NoteKind::Action, NoteKind::Finding, NoteKind::RuledOut, NoteKind::Decision, NoteKind::Key];

/// The value of the choice that a message is how the trouble was noticed.
pub const DETECTED: &str = "detected";

/// The value of a kind's option.
pub fn note_kind_value(kind: NoteKind) -> &'static str {
    match kind {
        NoteKind::Note => "note",
        NoteKind::Action => "action",
        NoteKind::Finding => "finding",
        NoteKind::RuledOut => "ruled_out",
        NoteKind::Decision => "decision",
        NoteKind::Key => "key",
    }
}

/// The kinds of impact: as kept, and as shown.
pub const IMPACT_KINDS: [(&str, &str); 5] = [
    ("outage", "Outage: it did not work"),
    ("degradation", "Degradation: it worked badly"),
    ("data loss", "Data loss"),
    ("security", "Security incident"),
    ("risk", "Risk: nothing broke yet"),
];
