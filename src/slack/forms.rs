//! What comes back from the forms: the `state.values` of a view, read into typed answers.
//!
//! A mistake is a sentence under its field, keyed by `block_id` as Slack wants it. Rules of the product are not here:
//! whether a time or a text is acceptable is decided by the command that the form becomes.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Value, json};

use super::actions::{NEW_INCIDENT, VALUE, field};
use super::modals::{DETECTED, NOTE_KINDS, note_kind_value, role_value};
use crate::domain::event::NoteKind;
use crate::domain::incident::{Field, Role, Severity, Status};
use crate::ids::{IncidentId, TeamKey, UserId};

/// What is wrong with a form: a sentence for each field that must be corrected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldErrors(BTreeMap<&'static str, String>);

impl FieldErrors {
    /// One mistake, such as what a command refused.
    pub fn one(block_id: &'static str, sentence: impl Into<String>) -> Self {
        Self(BTreeMap::from([(block_id, sentence.into())]))
    }

    /// The answer to a `view_submission` that shows the sentences in the form.
    pub fn response(&self) -> Value {
        json!({ "response_action": "errors", "errors": self.0 })
    }

    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(block_id, sentence)| (*block_id, sentence.as_str()))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenForm {
    pub title: String,
    pub severity: Severity,
    pub private: bool,
    pub team: Option<TeamKey>,
    pub description: Option<String>,
}

/// Which incident a form outside of one is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IncidentChoice {
    Existing(IncidentId),
    New,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EscalateForm {
    pub team: TeamKey,
    pub reason: Option<String>,
    /// `None` if the form did not ask.
    pub incident: Option<IncidentChoice>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteForm {
    pub text: String,
    pub kind: NoteKind,
    /// To the minute; `None` for "now".
    pub at: Option<DateTime<Utc>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaptureForm {
    pub text: String,
    /// `None` if it is how the trouble was noticed.
    pub kind: Option<NoteKind>,
    /// To the minute.
    pub at: Option<DateTime<Utc>>,
    /// `None` if the form did not ask.
    pub incident: Option<IncidentId>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MitigateForm {
    /// To the minute; `None` for "now".
    pub at: Option<DateTime<Utc>>,
    pub text: Option<String>,
}

/// Answers for the postmortem; an empty one clears its field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolveForm {
    /// What ended it.
    pub text: Option<String>,
    pub fields: Vec<(Field, Option<String>)>,
    pub impact_start_at: Option<DateTime<Utc>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskForm {
    pub text: String,
    pub owner: Option<UserId>,
    pub due_on: Option<NaiveDate>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusForm {
    pub status: Status,
    pub text: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleForm {
    pub role: Role,
    pub user: UserId,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostmortemForm {
    pub fields: Vec<(Field, Option<String>)>,
    pub impact_start_at: Option<DateTime<Utc>>,
    pub impact_end_at: Option<DateTime<Utc>>,
    /// All of them, as they shall be.
    pub measures: Vec<String>,
}

pub fn open(values: &Value) -> Result<OpenForm, FieldErrors> {
    let mut form = Reading::of(values);
    let title = form.required_text(field::TITLE, "Say in a few words what is wrong.");
    let severity = form.required(field::SEVERITY, "Choose a severity.", Severity::parse);
    let (private, team) = (form.ticked(field::PRIVATE), form.chosen(field::TEAM).map(TeamKey::new));
    let description = form.text(field::DESCRIPTION);
    form.finish((title, severity), |(title, severity)| {
        Some(OpenForm { title: title?, severity: severity?, private, team, description })
    })
}

pub fn escalate(values: &Value) -> Result<EscalateForm, FieldErrors> {
    let mut form = Reading::of(values);
    let team = form.required(field::TEAM, "Choose a team to call.", |key| Some(TeamKey::from(key)));
    let reason = form.text(field::REASON);
    let incident = form.asks(field::INCIDENT).then(|| form.required(field::INCIDENT, CHOOSE_INCIDENT, incident_choice));
    form.finish((team, incident), |(team, incident)| {
        let incident = match incident {
            Some(choice) => Some(choice?),
            None => None,
        };
        Some(EscalateForm { team: team?, reason, incident })
    })
}

pub fn which_incident(values: &Value) -> Result<IncidentChoice, FieldErrors> {
    let mut form = Reading::of(values);
    let choice = form.required(field::INCIDENT, CHOOSE_INCIDENT, incident_choice);
    form.finish(choice, |choice| choice)
}

const CHOOSE_INCIDENT: &str = "Choose an incident, or a new one.";

fn incident_choice(value: &str) -> Option<IncidentChoice> {
    if value == NEW_INCIDENT {
        return Some(IncidentChoice::New);
    }
    value.parse().ok().map(|id| IncidentChoice::Existing(IncidentId(id)))
}

pub fn note(values: &Value) -> Result<NoteForm, FieldErrors> {
    let mut form = Reading::of(values);
    let text = form.required_text(field::TEXT, "Write what happened.");
    let kind = form.required(field::KIND, "Choose a kind.", |value| {
        NOTE_KINDS.into_iter().find(|kind| note_kind_value(*kind) == value)
    });
    let at = form.moment(field::AT);
    form.finish((text, kind), |(text, kind)| Some(NoteForm { text: text?, kind: kind?, at }))
}

pub fn capture(values: &Value) -> Result<CaptureForm, FieldErrors> {
    let mut form = Reading::of(values);
    let text = form.required_text(field::TEXT, "Write what happened.");
    let kind = form.required(field::KIND, "Choose a kind.", |value| match value {
        DETECTED => Some(None),
        value => NOTE_KINDS.into_iter().find(|kind| note_kind_value(*kind) == value).map(Some),
    });
    let at = form.moment(field::AT);
    let incident = form
        .asks(field::INCIDENT)
        .then(|| form.required(field::INCIDENT, "Choose an incident.", |value| value.parse().ok().map(IncidentId)));
    form.finish((text, kind, incident), |(text, kind, incident)| {
        let incident = match incident {
            Some(chosen) => Some(chosen?),
            None => None,
        };
        Some(CaptureForm { text: text?, kind: kind?, at, incident })
    })
}

/// The text of an update.
pub fn update(values: &Value) -> Result<String, FieldErrors> {
    let mut form = Reading::of(values);
    let text = form.required_text(field::TEXT, "Write what the others should know.");
    form.finish(text, |text| text)
}

pub fn mitigate(values: &Value) -> Result<MitigateForm, FieldErrors> {
    let form = Reading::of(values);
    let (at, text) = (form.moment(field::AT), form.text(field::TEXT));
    form.finish((), |()| Some(MitigateForm { at, text }))
}

pub fn resolve(values: &Value) -> Result<ResolveForm, FieldErrors> {
    let form = Reading::of(values);
    let fields = form.answers(&[
        (field::AFFECTED, Field::Affected),
        (field::AFFECTED_DETAIL, Field::AffectedDetail),
        (field::ROOT_CAUSE, Field::RootCause),
        (field::RESOLUTION, Field::Resolution),
    ]);
    let (impact_start_at, text) = (form.moment(field::IMPACT_START), form.text(field::TEXT));
    form.finish((), |()| Some(ResolveForm { text, fields, impact_start_at }))
}

/// The new text of an entry.
pub fn edit_entry(values: &Value) -> Result<String, FieldErrors> {
    let mut form = Reading::of(values);
    let text = form.required_text(field::TEXT, "Write the text, or go back and remove the entry.");
    form.finish(text, |text| text)
}

pub fn task(values: &Value) -> Result<TaskForm, FieldErrors> {
    let mut form = Reading::of(values);
    let text = form.required_text(field::TEXT, "Write what must be done.");
    let owner = form.element(field::OWNER)["selected_user"].as_str().map(UserId::from);
    let due_on = form.element(field::DUE)["selected_date"].as_str().and_then(|day| day.parse().ok());
    form.finish(text, |text| Some(TaskForm { text: text?, owner, due_on }))
}

pub fn status(values: &Value) -> Result<StatusForm, FieldErrors> {
    let mut form = Reading::of(values);
    let status = form.required(field::STATUS, "Choose a status.", Status::parse);
    let text = form.text(field::TEXT);
    form.finish(status, |status| Some(StatusForm { status: status?, text }))
}

pub fn severity(values: &Value) -> Result<Severity, FieldErrors> {
    let mut form = Reading::of(values);
    let severity = form.required(field::SEVERITY, "Choose a severity.", Severity::parse);
    form.finish(severity, |severity| severity)
}

pub fn role(values: &Value) -> Result<RoleForm, FieldErrors> {
    let mut form = Reading::of(values);
    let role = form
        .required(field::ROLE, "Choose a role.", |value| Role::ALL.into_iter().find(|role| role_value(*role) == value));
    let user = form.element(field::PERSON)["selected_user"].as_str().map(UserId::from);
    if user.is_none() {
        form.complain(field::PERSON, "Choose who takes it.");
    }
    form.finish((role, user), |(role, user)| Some(RoleForm { role: role?, user: user? }))
}

pub fn postmortem(values: &Value) -> Result<PostmortemForm, FieldErrors> {
    let mut form = Reading::of(values);
    let mut fields = form.answers(&[
        (field::SERVICE, Field::Service),
        (field::IMPACT, Field::Impact),
        (field::AFFECTED, Field::Affected),
        (field::AFFECTED_DETAIL, Field::AffectedDetail),
        (field::DETECTED_BY, Field::DetectedBy),
        (field::ROOT_CAUSE, Field::RootCause),
        (field::RESOLUTION, Field::Resolution),
    ]);
    fields.push((Field::ImpactKind, form.chosen(field::IMPACT_KIND).map(str::to_owned)));
    let (impact_start_at, impact_end_at) = (form.moment(field::IMPACT_START), form.moment(field::IMPACT_END));
    if let (Some(start), Some(end)) = (impact_start_at, impact_end_at)
        && end < start
    {
        form.complain(field::IMPACT_END, "The impact ended before it began. Correct one of the two times.");
    }
    let measures = form.text(field::MEASURES).unwrap_or_default();
    let measures = measures.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
    form.finish((), |()| Some(PostmortemForm { fields, impact_start_at, impact_end_at, measures }))
}

/// A form that is being read, with the mistakes found so far.
struct Reading<'a> {
    values: &'a Value,
    errors: FieldErrors,
}

impl<'a> Reading<'a> {
    fn of(values: &'a Value) -> Self {
        Self { values, errors: FieldErrors::default() }
    }

    /// Whether the form has this field at all.
    fn asks(&self, block_id: &str) -> bool {
        self.values.get(block_id).is_some()
    }

    fn element(&self, block_id: &str) -> &'a Value {
        &self.values[block_id][VALUE]
    }

    /// What was typed, trimmed; `None` if that is nothing.
    fn text(&self, block_id: &str) -> Option<String> {
        let text = self.element(block_id)["value"].as_str()?.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    fn required_text(&mut self, block_id: &'static str, sentence: &str) -> Option<String> {
        let text = self.text(block_id);
        if text.is_none() {
            self.complain(block_id, sentence);
        }
        text
    }

    fn chosen(&self, block_id: &str) -> Option<&'a str> {
        self.element(block_id)["selected_option"]["value"].as_str()
    }

    fn required<T>(&mut self, block_id: &'static str, sentence: &str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        let read = self.chosen(block_id).and_then(read);
        if read.is_none() {
            self.complain(block_id, sentence);
        }
        read
    }

    fn ticked(&self, block_id: &str) -> bool {
        self.element(block_id)["selected_options"].as_array().is_some_and(|options| !options.is_empty())
    }

    fn moment(&self, block_id: &str) -> Option<DateTime<Utc>> {
        self.element(block_id)["selected_date_time"].as_i64().and_then(|unix_s| DateTime::from_timestamp(unix_s, 0))
    }

    fn answers(&self, asked: &[(&str, Field)]) -> Vec<(Field, Option<String>)> {
        asked.iter().map(|(block_id, field)| (*field, self.text(block_id))).collect()
    }

    fn complain(&mut self, block_id: &'static str, sentence: &str) {
        self.errors.0.insert(block_id, sentence.to_owned());
    }

    /// The form, if nothing was complained about.
    fn finish<P, T>(self, parts: P, build: impl FnOnce(P) -> Option<T>) -> Result<T, FieldErrors> {
        if self.errors.0.is_empty() { build(parts).ok_or(self.errors) } else { Err(self.errors) }
    }
}
