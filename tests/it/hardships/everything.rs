//! Everything that can be asked of Firebell, one sample each. What is new and has no row here does not compile, or fails
//! the test that compares these rows with the sources.

use chrono::{DateTime, Utc};
use firebell::domain::command::{Acknowledge, Alert, Command, Finished, MessageChange, Open, Timer, When};
use firebell::domain::event::{NoteKind, Origin, Source};
use firebell::domain::incident::{Field, Role, Severity, Status};
use firebell::domain::postmortem::Format;
use firebell::ids::{EscalationId, IncidentId, MessageRef, PageId};
use firebell::slack::actions::{ButtonAction, Carried};
use firebell::slack::command::Typed;
use serde_json::{Value, json};

macro_rules! rows {
    ($what:ty, $rows:ident -> $sample:ty, $row_of:ident; $($name:literal: $pattern:pat => $value:expr;)+) => {
        /// The row that this belongs to.
        pub(super) fn $row_of(one: &$what) -> &'static str {
            match one { $($pattern => $name,)+ }
        }

        pub(super) fn $rows() -> Vec<(&'static str, $sample)> {
            vec![$(($name, $value)),+]
        }
    };
}

fn at() -> DateTime<Utc> {
    super::start()
}

fn message() -> MessageRef {
    MessageRef { channel: super::GENERAL.into(), ts: "1680462000.000100".into() }
}

fn words() -> String {
    "words".to_owned()
}

const NOW: When = When { at: None, approx: false };
const CALL: EscalationId = EscalationId(1);
const PAGE: PageId = PageId(1);

rows! { Command, commands -> Command, command_row;
    "open": Command::Open(_) => Command::Open(Open {
        title: words(), severity: None, private: false, zone: None, origin: Origin::Command { channel: None },
        retrospective: false, nonce: words(), escalate_to: None, detected: None,
    });
    "detected": Command::Detected { .. } => Command::Detected { when: NOW, text: words(), by: None, team: None };
    "declare": Command::Declare { .. } => Command::Declare { when: NOW, text: words(), team: None };
    "set status": Command::SetStatus { .. } => Command::SetStatus { status: Status::Monitoring, text: None };
    "mitigate": Command::Mitigate { .. } => Command::Mitigate { when: NOW, text: None, team: None };
    "resolve": Command::Resolve { .. } => Command::Resolve { when: NOW, text: None, team: None };
    "reopen": Command::Reopen { .. } => Command::Reopen { text: None };
    "cancel": Command::Cancel { .. } => Command::Cancel { text: None };
    "undo opening": Command::UndoOpening => Command::UndoOpening;
    "set severity": Command::SetSeverity { .. } => Command::SetSeverity { severity: Severity::Sev1 };
    "retitle": Command::Retitle { .. } => Command::Retitle { title: words() };
    "assign role": Command::AssignRole { .. } => Command::AssignRole { role: Role::Scribe, user: "UMEMBER".into() };
    "post update": Command::PostUpdate { .. } => Command::PostUpdate { text: words() };
    "note": Command::Note { .. } => Command::Note { when: NOW, kind: NoteKind::Note, team: None, text: words() };
    "capture": Command::Capture { .. } => Command::Capture {
        at: at(), kind: None, text: words(), source: Source::Link { url: "https://shop.example/".to_owned() },
    };
    "request capture": Command::RequestCapture { .. } =>
        Command::RequestCapture { message: message(), kind: NoteKind::Note, late: false };
    "follow message": Command::FollowMessage { .. } =>
        Command::FollowMessage { target: 1, change: MessageChange::Deleted };
    "edit entry": Command::EditEntry { .. } => Command::EditEntry { target: 1, text: words() };
    "remove entry": Command::RemoveEntry { .. } => Command::RemoveEntry { target: 1 };
    "set impact start": Command::SetImpactStart { .. } => Command::SetImpactStart { start_at: None };
    "set impact end": Command::SetImpactEnd { .. } => Command::SetImpactEnd { end_at: None };
    "set fields": Command::SetFields { .. } => Command::SetFields { fields: vec![(Field::Impact, Some(words()))] };
    "add measure": Command::AddMeasure { .. } => Command::AddMeasure { text: words() };
    "set measures": Command::SetMeasures { .. } => Command::SetMeasures { measures: vec![words()] };
    "add task": Command::AddTask { .. } => Command::AddTask { text: words(), owner: None, due_on: None };
    "finish task": Command::FinishTask { .. } => Command::FinishTask { task: 1, done: true };
    "remove task": Command::RemoveTask { .. } => Command::RemoveTask { task: 1 };
    "write prose": Command::WriteProse { .. } => Command::WriteProse { section: words(), text: None };
    "send document": Command::SendDocument { .. } => Command::SendDocument { format: Format::Markdown };
    "escalate": Command::Escalate { .. } => Command::Escalate { when: NOW, team: "db-team".to_owned(), reason: None };
    "called": Command::Called { .. } => Command::Called { when: NOW, team: None, text: words() };
    "acknowledge": Command::Acknowledge(_) => Command::Acknowledge(Acknowledge::default());
    "decline": Command::Decline { .. } => Command::Decline { page: PAGE, generation: 1 };
    "call next": Command::EscalateNext { .. } =>
        Command::EscalateNext { escalation: None, generation: None, team: None, text: None };
    "stop calling": Command::StopEscalation { .. } =>
        Command::StopEscalation { escalation: None, generation: None, team: None, text: None };
    "resume call": Command::ResumeCall { .. } => Command::ResumeCall { escalation: CALL, generation: 1 };
    "undo call": Command::UndoCall { .. } => Command::UndoCall { escalation: CALL, generation: 1 };
    "alert fired": Command::AlertFired(_) => Command::AlertFired(Alert {
        integration: "script".into(), dedup_key: words(), title: words(), text: words(), started_at: at(),
        labels: [].into(), severity: None, team: None, link: None, nonce: words(),
    });
    "alert cleared": Command::AlertCleared { .. } =>
        Command::AlertCleared { integration: "script".into(), dedup_key: words(), text: words(), at: at() };
    "take alert out": Command::TakeAlertOut(_) => Command::TakeAlertOut(Alert {
        integration: "script".into(), dedup_key: words(), title: words(), text: words(), started_at: at(),
        labels: [].into(), severity: None, team: None, link: None, nonce: words(),
    });
    "timer due": Command::TimerDue(_) => Command::TimerDue(Timer::TierDue { escalation: CALL, generation: 1 });
    "effect finished": Command::EffectFinished(_) => Command::EffectFinished(Finished::Quietly);
    "clock set": Command::ClockSet { .. } =>
        Command::ClockSet { step: chrono::TimeDelta::zero(), deadlines: chrono::TimeDelta::zero() };
    "channel gone": Command::ChannelGone { .. } => Command::ChannelGone { error: words() };
    "activity": Command::Activity { .. } => Command::Activity { user: "UMEMBER".into() };
}

rows! { Typed, lines -> &'static str, typed_row;
    "open form": Typed::OpenForm => "/incident";
    "open": Typed::Open(_) => "/incident open shop is slow";
    "list": Typed::List { .. } => "/incident list";
    "show": Typed::Show => "/incident INC-1 show";
    "help": Typed::Help => "/incident help";
    "timeline": Typed::Timeline => "/incident INC-1 timeline";
    "alerts": Typed::Alerts { .. } => "/incident INC-1 alerts";
    "take alert out": Typed::TakeAlertOut { .. } => "/incident INC-1 alerts split 1";
    "postmortem": Typed::Postmortem => "/incident INC-1 postmortem";
    "export": Typed::Export { .. } => "/incident INC-1 export md";
    "join": Typed::Join => "/incident INC-1 join";
    "status": Typed::Status { .. } => "/incident INC-1 status monitoring";
    "severity": Typed::Severity { .. } => "/incident INC-1 severity sev1";
    "title": Typed::Title { .. } => "/incident INC-1 title Shop";
    "role": Typed::Role { .. } => "/incident INC-1 commander me";
    "update": Typed::Update { .. } => "/incident INC-1 update all is well";
    "notes": Typed::Notes(_) => "/incident INC-1 note hello";
    "edit": Typed::Edit { .. } => "/incident INC-1 edit 1 other words";
    "remove": Typed::Remove { .. } => "/incident INC-1 remove 1";
    "detected": Typed::Detected { .. } => "/incident INC-1 detected -10m errors";
    "declared": Typed::Declared(_) => "/incident INC-1 declared -5m";
    "mitigated": Typed::Mitigated(_) => "/incident INC-1 mitigated restarted";
    "resolve": Typed::Resolve(_) => "/incident INC-1 resolve";
    "called": Typed::Called(_) => "/incident INC-1 called network people";
    "acknowledged": Typed::Acknowledged(_) => "/incident INC-1 ack";
    "reopen": Typed::Reopen { .. } => "/incident INC-1 reopen";
    "cancel": Typed::Cancel { .. } => "/incident INC-1 cancel";
    "started": Typed::Started { .. } => "/incident INC-1 started -20m";
    "ended": Typed::Ended { .. } => "/incident INC-1 ended -1m";
    "field": Typed::Field { .. } => "/incident INC-1 cause: a bug";
    "measure": Typed::Measure { .. } => "/incident INC-1 measure more disks";
    "task": Typed::Task { .. } => "/incident INC-1 task buy disks";
    "task done": Typed::TaskDone { .. } => "/incident INC-1 task done 1";
    "task removed": Typed::TaskRemoved { .. } => "/incident INC-1 task remove 1";
    "escalate form": Typed::EscalateForm => "/escalate";
    "escalate help": Typed::EscalateHelp => "/escalate help";
    "escalate": Typed::Escalate { .. } => "/escalate INC-1 db-team it burns";
    "escalation taken": Typed::EscalationTaken { .. } => "/escalate INC-1 ack";
    "escalate next": Typed::EscalateNext { .. } => "/escalate INC-1 next";
    "escalate stop": Typed::EscalateStop { .. } => "/escalate INC-1 stop";
    "why": Typed::Why { .. } => "/escalate INC-1 why";
    "preview": Typed::Preview { .. } => "/escalate preview db-team";
}

const FIRST: IncidentId = IncidentId(1);

rows! { ButtonAction, buttons -> ButtonAction, button_row;
    "acknowledge": ButtonAction::Acknowledge { .. } =>
        ButtonAction::Acknowledge { incident: FIRST, escalation: CALL, page: None, generation: 1 };
    "acknowledge_all": ButtonAction::AcknowledgeAll { .. } =>
        ButtonAction::AcknowledgeAll { pages: vec![(FIRST, PAGE)] };
    "decline": ButtonAction::Decline { .. } => ButtonAction::Decline { incident: FIRST, page: PAGE, generation: 1 };
    "call_next": ButtonAction::CallNext { .. } =>
        ButtonAction::CallNext { incident: FIRST, escalation: CALL, generation: 1 };
    "stop_escalation": ButtonAction::StopEscalation { .. } =>
        ButtonAction::StopEscalation { incident: FIRST, escalation: CALL, generation: 1 };
    "resume_call": ButtonAction::ResumeCall { .. } =>
        ButtonAction::ResumeCall { incident: FIRST, escalation: CALL, generation: 1 };
    "undo_call": ButtonAction::UndoCall { .. } =>
        ButtonAction::UndoCall { incident: FIRST, escalation: CALL, generation: 1 };
    "take_role": ButtonAction::TakeRole { .. } => ButtonAction::TakeRole { incident: FIRST, role: Role::Commander };
    "join": ButtonAction::Join { .. } => ButtonAction::Join { incident: FIRST };
    "reopen": ButtonAction::Reopen { .. } => ButtonAction::Reopen { incident: FIRST };
    "cancel": ButtonAction::Cancel { .. } => ButtonAction::Cancel { incident: FIRST };
    "remove_entry": ButtonAction::RemoveEntry { .. } => ButtonAction::RemoveEntry { incident: FIRST, seq: 1 };
    "finish_task": ButtonAction::FinishTask { .. } => ButtonAction::FinishTask { incident: FIRST, task: 1 };
    "run": ButtonAction::Run { .. } =>
        ButtonAction::Run { command: "/incident".to_owned(), text: "INC-1 note pressed".to_owned() };
    "open_form": ButtonAction::OpenForm => ButtonAction::OpenForm;
    "escalate_form": ButtonAction::EscalateForm { .. } => ButtonAction::EscalateForm { incident: FIRST };
    "update_form": ButtonAction::UpdateForm { .. } => ButtonAction::UpdateForm { incident: FIRST };
    "note_form": ButtonAction::NoteForm { .. } => ButtonAction::NoteForm { incident: FIRST };
    "mitigate_form": ButtonAction::MitigateForm { .. } => ButtonAction::MitigateForm { incident: FIRST };
    "resolve_form": ButtonAction::ResolveForm { .. } => ButtonAction::ResolveForm { incident: FIRST };
    "status_form": ButtonAction::StatusForm { .. } => ButtonAction::StatusForm { incident: FIRST };
    "severity_form": ButtonAction::SeverityForm { .. } => ButtonAction::SeverityForm { incident: FIRST };
    "role_form": ButtonAction::RoleForm { .. } => ButtonAction::RoleForm { incident: FIRST };
    "task_form": ButtonAction::TaskForm { .. } => ButtonAction::TaskForm { incident: FIRST };
    "postmortem_form": ButtonAction::PostmortemForm { .. } => ButtonAction::PostmortemForm { incident: FIRST };
    "edit_entry_form": ButtonAction::EditEntryForm { .. } => ButtonAction::EditEntryForm { incident: FIRST, seq: 1 };
    "visit": ButtonAction::Visit => ButtonAction::Visit;
}

/// The `callback_id`s of all forms.
pub(super) const FORMS: [&str; 14] = [
    "form_open",
    "form_escalate",
    "form_note",
    "form_capture",
    "form_update",
    "form_mitigate",
    "form_resolve",
    "form_edit_entry",
    "form_task",
    "form_status",
    "form_severity",
    "form_role",
    "form_postmortem",
    "form_which_incident",
];

pub(super) const SHORTCUTS: [&str; 3] = ["open_incident", "open_from_message", "add_to_timeline"];

/// Who may use each address: the routes as the sources name them.
pub(super) const ROUTES: [(&str, &str); 14] = [
    ("/", "whoever reaches the server reads what is not private"),
    ("/incidents", "whoever reaches the server reads what is not private"),
    ("/incidents/{number}", "whoever reaches the server reads what is not private"),
    ("/incidents/{number}/{document}", "whoever reaches the server reads what is not private"),
    ("/static/firebell.css", "whoever reaches the server"),
    ("/healthz", "whoever reaches the server"),
    ("/readyz", "whoever reaches the server"),
    ("/metrics", "whoever reaches its address; figures alone, no text of incidents"),
    ("/ack/{token}", "whoever has the signed link, for the one page it was sent with"),
    ("/slack/commands", "Slack, by signature; then the table of commands"),
    ("/slack/interactions", "Slack, by signature; then the table of commands"),
    ("/slack/events", "Slack, by signature; then the table of commands"),
    ("/alerts/{kind}", "an integration, by its key"),
    ("/alerts/{kind}/{key}", "an integration, by its key"),
];

/// A pressed button as Slack delivers it.
pub(super) fn press(user: &str, team: &str, button: &ButtonAction, trigger: &str) -> Value {
    json!({
        "type": "block_actions", "team": { "id": team }, "user": { "id": user, "username": "someone" },
        "trigger_id": trigger, "channel": { "id": super::GENERAL },
        "container": { "type": "message", "message_ts": "1680462000.000100", "channel_id": super::GENERAL },
        "actions": [{ "type": "button", "block_id": "b", "action_id": button.action_id(), "value": button.value() }],
    })
}

/// A form, filled in so that every field has an answer.
pub(super) fn submission(user: &str, team: &str, form: &str, carried: &Carried, chosen: i64, trigger: &str) -> Value {
    let text = |text: &str| json!({ "value": { "type": "plain_text_input", "value": text } });
    let option = |value: &str| json!({ "value": { "type": "static_select", "selected_option": { "value": value } } });
    let time = json!({ "value": { "type": "datetimepicker", "selected_date_time": at().timestamp() } });
    json!({
        "type": "view_submission", "team": { "id": team }, "user": { "id": user, "username": "someone" },
        "trigger_id": trigger,
        "view": {
            "id": "V1", "type": "modal", "callback_id": form, "private_metadata": carried.encode(),
            "state": { "values": {
                "title": text("Filled in"), "description": text("words"), "reason": text("words"), "text": text("words"),
                "severity": option("SEV2"), "team": option("db-team"), "incident": option(&chosen.to_string()),
                "kind": option("note"), "status": option("monitoring"), "role": option("scribe"), "at": time,
                "person": { "value": { "type": "users_select", "selected_user": super::BEN } },
                "private": { "value": { "type": "checkboxes", "selected_options": [] } },
                "root_cause": text("a bug"), "measures": text("more disks"), "impact": text("some"),
            } },
        },
    })
}

/// A shortcut, on a message unless it is global.
pub(super) fn shortcut(user: &str, team: &str, callback_id: &str, trigger: &str) -> Value {
    let kind = if callback_id == "open_incident" { "shortcut" } else { "message_action" };
    json!({
        "type": kind, "team": { "id": team }, "user": { "id": user, "username": "someone" }, "trigger_id": trigger,
        "callback_id": callback_id, "channel": { "id": super::GENERAL },
        "message": { "ts": "1680462000.000100", "user": super::BEN, "text": "the basket is empty" },
    })
}

/// An interaction's body.
pub(super) fn form_of(payload: &Value) -> String {
    url::form_urlencoded::Serializer::new(String::new()).append_pair("payload", &payload.to_string()).finish()
}
