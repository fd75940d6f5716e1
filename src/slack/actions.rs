//! The ids on buttons, forms and fields, and what a pressed button means.
//!
//! A button's value says everything that is needed to act: which incident, which page, and the generation that the
//! message showed, so that a press on an old message is known as stale.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::event::File;
use crate::domain::incident::Role;
use crate::ids::{ChannelId, EscalationId, IncidentId, MessageRef, PageId, Seq, UserId};

/// `action_id` of the "…" menu; its options carry [`ButtonAction`]s.
pub const MORE: &str = "more";
/// `action_id` of every form field; the `block_id` tells them apart.
pub const VALUE: &str = "value";

/// Global shortcut "Open incident".
pub const SHORTCUT_OPEN: &str = "open_incident";
/// Message shortcut "Open incident from this".
pub const SHORTCUT_OPEN_FROM_MESSAGE: &str = "open_from_message";
/// Message shortcut "Add to timeline".
pub const SHORTCUT_ADD_TO_TIMELINE: &str = "add_to_timeline";

/// `callback_id`s of the forms.
pub mod form {
    pub const OPEN: &str = "form_open";
    pub const ESCALATE: &str = "form_escalate";
    pub const NOTE: &str = "form_note";
    pub const CAPTURE: &str = "form_capture";
    pub const UPDATE: &str = "form_update";
    pub const MITIGATE: &str = "form_mitigate";
    pub const RESOLVE: &str = "form_resolve";
    pub const EDIT_ENTRY: &str = "form_edit_entry";
    pub const TASK: &str = "form_task";
    pub const STATUS: &str = "form_status";
    pub const SEVERITY: &str = "form_severity";
    pub const ROLE: &str = "form_role";
    pub const POSTMORTEM: &str = "form_postmortem";
    pub const WHICH_INCIDENT: &str = "form_which_incident";
}

/// `block_id`s of the fields; errors in an answer to Slack are keyed by them.
pub mod field {
    pub const TITLE: &str = "title";
    pub const SEVERITY: &str = "severity";
    pub const PRIVATE: &str = "private";
    pub const TEAM: &str = "team";
    pub const DESCRIPTION: &str = "description";
    pub const REASON: &str = "reason";
    pub const INCIDENT: &str = "incident";
    pub const TEXT: &str = "text";
    pub const KIND: &str = "kind";
    pub const AT: &str = "at";
    pub const AFFECTED: &str = "affected";
    pub const AFFECTED_DETAIL: &str = "affected_detail";
    pub const ROOT_CAUSE: &str = "root_cause";
    pub const RESOLUTION: &str = "resolution";
    pub const IMPACT: &str = "impact";
    pub const IMPACT_KIND: &str = "impact_kind";
    pub const IMPACT_START: &str = "impact_start";
    pub const IMPACT_END: &str = "impact_end";
    pub const SERVICE: &str = "service";
    pub const DETECTED_BY: &str = "detected_by";
    pub const MEASURES: &str = "measures";
    pub const OWNER: &str = "owner";
    pub const DUE: &str = "due";
    pub const STATUS: &str = "status";
    pub const ROLE: &str = "role";
    pub const PERSON: &str = "person";
}

/// The value of the choice "a new incident" among incidents.
pub const NEW_INCIDENT: &str = "new";

/// What a pressed button asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum ButtonAction {
    /// "I've got it", on a page or on the escalation's message.
    Acknowledge {
        incident: IncidentId,
        escalation: EscalationId,
        page: Option<PageId>,
        generation: u32,
    },
    /// "I've got all 18", on a digest: the pages that it showed as waiting.
    AcknowledgeAll {
        pages: Vec<(IncidentId, PageId)>,
    },
    /// "Can't, call next", on a page.
    Decline {
        incident: IncidentId,
        page: PageId,
        generation: u32,
    },
    /// "Call next now", on the escalation's message; stale if the generation has passed.
    CallNext {
        incident: IncidentId,
        escalation: EscalationId,
        generation: u32,
    },
    /// "Stop", on the escalation's message.
    StopEscalation {
        incident: IncidentId,
        escalation: EscalationId,
        generation: u32,
    },

    /// "Page now", under the question whether a held call should go on.
    ResumeCall {
        incident: IncidentId,
        escalation: EscalationId,
        generation: u32,
    },

    /// "Undo", under "Called …".
    UndoCall {
        incident: IncidentId,
        escalation: EscalationId,
        generation: u32,
    },

    /// "I'll lead" and the like: the presser takes the part.
    TakeRole {
        incident: IncidentId,
        role: Role,
    },
    /// Invite the presser into the incident's channel.
    Join {
        incident: IncidentId,
    },
    Reopen {
        incident: IncidentId,
    },
    /// "Undo", under "Opened INC-42".
    Cancel {
        incident: IncidentId,
    },
    RemoveEntry {
        incident: IncidentId,
        seq: Seq,
    },
    FinishTask {
        incident: IncidentId,
        task: u32,
    },
    /// Run a command as if the presser had typed it, such as a "did you mean".
    Run {
        command: String,
        text: String,
    },

    OpenForm,
    EscalateForm {
        incident: IncidentId,
    },
    UpdateForm {
        incident: IncidentId,
    },
    NoteForm {
        incident: IncidentId,
    },
    MitigateForm {
        incident: IncidentId,
    },
    ResolveForm {
        incident: IncidentId,
    },
    StatusForm {
        incident: IncidentId,
    },
    SeverityForm {
        incident: IncidentId,
    },
    RoleForm {
        incident: IncidentId,
    },
    TaskForm {
        incident: IncidentId,
    },
    PostmortemForm {
        incident: IncidentId,
    },
    EditEntryForm {
        incident: IncidentId,
        seq: Seq,
    },

    /// A button with an address: Slack opens it, and only wants to hear that the press arrived.
    Visit,
}

/// A press that this version does not understand, as from a message of an older one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("This button is from another version of Firebell. Use the buttons of the newest message, or /incident help.")]
pub struct UnknownButton;

impl ButtonAction {
    /// Stable id of the kind of button; presses are counted and routed by it.
    pub fn action_id(&self) -> &'static str {
        match self {
            Self::Acknowledge { .. } => "acknowledge",
            Self::AcknowledgeAll { .. } => "acknowledge_all",
            Self::Decline { .. } => "decline",
            Self::CallNext { .. } => "call_next",
            Self::StopEscalation { .. } => "stop_escalation",
            Self::ResumeCall { .. } => "resume_call",
            Self::UndoCall { .. } => "undo_call",
            Self::TakeRole { .. } => "take_role",
            Self::Join { .. } => "join",
            Self::Reopen { .. } => "reopen",
            Self::Cancel { .. } => "cancel",
            Self::RemoveEntry { .. } => "remove_entry",
            Self::FinishTask { .. } => "finish_task",
            Self::Run { .. } => "run",
            Self::OpenForm => "open_form",
            Self::EscalateForm { .. } => "escalate_form",
            Self::UpdateForm { .. } => "update_form",
            Self::NoteForm { .. } => "note_form",
            Self::MitigateForm { .. } => "mitigate_form",
            Self::ResolveForm { .. } => "resolve_form",
            Self::StatusForm { .. } => "status_form",
            Self::SeverityForm { .. } => "severity_form",
            Self::RoleForm { .. } => "role_form",
            Self::TaskForm { .. } => "task_form",
            Self::PostmortemForm { .. } => "postmortem_form",
            Self::EditEntryForm { .. } => "edit_entry_form",
            Self::Visit => "visit",
        }
    }

    /// The button's `value`: this as JSON.
    pub fn value(&self) -> String {
        serde_json::to_string(self).expect("an enum of ids and texts is always JSON")
    }

    /// What one entry of a `block_actions` payload's `actions` asks for.
    pub fn parse(action: &Value) -> Result<Self, UnknownButton> {
        let value = action["value"].as_str().or_else(|| action["selected_option"]["value"].as_str());
        let pressed: Self = value.and_then(|value| serde_json::from_str(value).ok()).ok_or(UnknownButton)?;
        let id = action["action_id"].as_str().ok_or(UnknownButton)?;
        // Several buttons of one kind in a row are told apart by `:n`.
        let kind = id.split_once(':').map_or(id, |(kind, _)| kind);
        if kind == pressed.action_id() || kind == MORE { Ok(pressed) } else { Err(UnknownButton) }
    }

    /// The incident that the press is about.
    pub fn incident(&self) -> Option<IncidentId> {
        match *self {
            Self::Acknowledge { incident, .. }
            | Self::Decline { incident, .. }
            | Self::CallNext { incident, .. }
            | Self::StopEscalation { incident, .. }
            | Self::ResumeCall { incident, .. }
            | Self::UndoCall { incident, .. }
            | Self::TakeRole { incident, .. }
            | Self::Join { incident }
            | Self::Reopen { incident }
            | Self::Cancel { incident }
            | Self::RemoveEntry { incident, .. }
            | Self::FinishTask { incident, .. }
            | Self::EscalateForm { incident }
            | Self::UpdateForm { incident }
            | Self::NoteForm { incident }
            | Self::MitigateForm { incident }
            | Self::ResolveForm { incident }
            | Self::StatusForm { incident }
            | Self::SeverityForm { incident }
            | Self::RoleForm { incident }
            | Self::TaskForm { incident }
            | Self::PostmortemForm { incident }
            | Self::EditEntryForm { incident, .. } => Some(incident),
            Self::AcknowledgeAll { .. } | Self::Run { .. } | Self::OpenForm | Self::Visit => None,
        }
    }
}

/// What a form carries from the press that opened it to its submission, in `private_metadata`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Carried {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incident: Option<IncidentId>,
    /// The timeline entry that is edited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<Seq>,
    /// Where the person was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<ChannelId>,
    /// The message that a shortcut was used on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<MessageRef>,
    /// Who wrote that message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<UserId>,
    /// The files that came with that message.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<File>,
    /// The command line that waits for an answer, such as `/escalate db-team slow`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub typed: Option<String>,
}

/// Longest `private_metadata`, in characters.
const PRIVATE_METADATA_MAX: usize = 3000;

impl Carried {
    /// For a form about this incident.
    pub fn of(incident: IncidentId) -> Self {
        Self { incident: Some(incident), ..Self::default() }
    }

    /// As JSON within Slack's 3000 characters; what was typed and the files are left out if they do not fit.
    pub fn encode(&self) -> String {
        let whole = serde_json::to_string(self).expect("ids and texts are always JSON");
        if whole.chars().count() <= PRIVATE_METADATA_MAX {
            return whole;
        }
        let shorter = Self { typed: None, files: Vec::new(), ..self.clone() };
        serde_json::to_string(&shorter).expect("ids and texts are always JSON")
    }

    /// From a view's `private_metadata`; nothing at all counts as nothing carried.
    pub fn decode(private_metadata: &str) -> Option<Self> {
        if private_metadata.is_empty() { Some(Self::default()) } else { serde_json::from_str(private_metadata).ok() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_press_says_what_its_button_meant() {
        let action = ButtonAction::Decline { incident: IncidentId(7), page: PageId(3), generation: 2 };
        let pressed = json!({ "action_id": action.action_id(), "value": action.value(), "type": "button" });
        assert_eq!(ButtonAction::parse(&pressed), Ok(action));
    }

    #[test]
    fn a_choice_of_the_more_menu_is_a_press() {
        let action = ButtonAction::StatusForm { incident: IncidentId(7) };
        let chosen = json!({ "action_id": MORE, "type": "overflow", "selected_option": { "value": action.value() } });
        assert_eq!(ButtonAction::parse(&chosen), Ok(action));
    }

    #[test]
    fn a_button_of_another_version_is_known_as_such() {
        for action in [
            json!({ "action_id": "acknowledge", "value": "{\"do\":\"sing\"}" }),
            json!({ "action_id": "acknowledge", "value": "not json" }),
            json!({ "action_id": "decline", "value": "{\"do\":\"open_form\"}" }),
            json!({ "action_id": "acknowledge" }),
        ] {
            assert_eq!(ButtonAction::parse(&action), Err(UnknownButton));
        }
    }

    #[test]
    fn a_long_command_line_never_breaks_the_form() {
        let carried = Carried { typed: Some("\"".repeat(2000)), ..Carried::of(IncidentId(7)) };
        assert_eq!(Carried::decode(&carried.encode()), Some(Carried::of(IncidentId(7))));
    }
}
