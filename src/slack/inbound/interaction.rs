//! Buttons, menus, dialogs and shortcuts.

use serde_json::Value;

use super::choice::{Choice, Choices};
use super::kind_name;
use super::message::SeenMessage;
use crate::ids::{ChannelId, MessageTs, UserId, WorkspaceId};
use crate::slack::fields;

/// Somebody pressed, picked, submitted or closed something.
#[derive(Clone, Debug, PartialEq)]
pub enum Interaction {
    /// A button or menu in a message, dialog or Home tab.
    BlockActions(BlockActions),
    /// A dialog was sent off.
    ViewSubmission(ViewSubmission),
    /// A dialog was closed without being sent off.
    ViewClosed(ViewClosed),
    /// Chosen from the menu of a message.
    MessageShortcut(MessageShortcut),
    /// Chosen from the search bar or the compose menu.
    GlobalShortcut(GlobalShortcut),
    /// A menu asks what to offer.
    BlockSuggestion(BlockSuggestion),
    /// A kind we do not know; it is acknowledged and has no effect.
    Unknown { kind: String, who: Who, trigger_id: Option<String> },
}

/// Who did it, and in which workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// Empty only if Slack left it out.
    pub user: UserId,
    pub name: String,
    /// None where an app installed for a whole organisation is not told.
    pub workspace: Option<WorkspaceId>,
    pub enterprise: Option<String>,
}

/// Where an element stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Container {
    Message {
        channel: Option<ChannelId>,
        ts: MessageTs,
        thread_ts: Option<MessageTs>,
        is_ephemeral: bool,
    },
    /// A dialog.
    View {
        view_id: String,
    },
    /// The Home tab.
    Home {
        view_id: String,
    },
    Unknown,
}

#[derive(Clone, Debug, PartialEq)]
pub struct BlockActions {
    pub who: Who,
    pub container: Container,
    pub channel: Option<ChannelId>,
    pub message_ts: Option<MessageTs>,
    pub trigger_id: Option<String>,
    pub response_url: Option<String>,
    /// Nearly always one.
    pub actions: Vec<Action>,
    /// Everything entered in the same message or view.
    pub state: Choices,
    pub view: Option<SeenView>,
}

impl BlockActions {
    /// Whether only the person who pressed sees the message.
    pub fn is_echo(&self) -> bool {
        matches!(self.container, Container::Message { is_ephemeral: true, .. })
    }
}

/// One element that was used.
#[derive(Clone, Debug, PartialEq)]
pub struct Action {
    pub action_id: String,
    pub block_id: String,
    pub choice: Choice,
    /// When, as Slack's clock says.
    pub action_ts: Option<String>,
    pub raw: Value,
}

/// A dialog or Home tab as it stands on the person's screen.
#[derive(Clone, Debug, PartialEq)]
pub struct SeenView {
    pub id: String,
    pub callback_id: String,
    /// What we put in when it was opened.
    pub private_metadata: String,
    pub state: Choices,
    /// `state.values` as Slack sent it, which `forms` reads.
    pub values: Value,
    pub hash: Option<String>,
    pub external_id: Option<String>,
    pub root_view_id: Option<String>,
    pub is_home: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ViewSubmission {
    pub who: Who,
    pub view: SeenView,
    pub trigger_id: Option<String>,
    /// From inputs with `response_url_enabled`: the channel and the address to answer in it.
    pub response_urls: Vec<(Option<ChannelId>, String)>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ViewClosed {
    pub who: Who,
    pub view: SeenView,
    /// The whole stack of dialogs was closed.
    pub is_cleared: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct MessageShortcut {
    pub who: Who,
    pub callback_id: String,
    pub channel: Option<ChannelId>,
    pub message: SeenMessage,
    pub trigger_id: Option<String>,
    pub response_url: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct GlobalShortcut {
    pub who: Who,
    pub callback_id: String,
    pub trigger_id: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct BlockSuggestion {
    pub who: Who,
    pub action_id: String,
    pub block_id: String,
    /// What was typed so far.
    pub value: String,
    pub view: Option<SeenView>,
}

impl Interaction {
    pub(super) fn read(payload: &Value) -> Self {
        let who = who_of(payload);
        let trigger_id = fields::text(payload, "trigger_id");
        let response_url = fields::text(payload, "response_url");
        let callback_id = fields::text_or_empty(payload, "callback_id");
        let channel = fields::id(payload, "channel").map(ChannelId);
        let kind = fields::text_or_empty(payload, "type");
        match kind.as_str() {
            "block_actions" => {
                let view = view(payload);
                Self::BlockActions(BlockActions {
                    container: container(payload, view.as_ref()),
                    channel: channel.or_else(|| fields::text_at(payload, "/container/channel_id").map(ChannelId)),
                    message_ts: fields::text_at(payload, "/container/message_ts")
                        .or_else(|| fields::text_at(payload, "/message/ts"))
                        .map(MessageTs),
                    trigger_id,
                    response_url,
                    actions: fields::list(payload, "actions").iter().map(action).collect(),
                    state: Choices::read(payload.get("state").or_else(|| payload.pointer("/view/state"))),
                    view,
                    who,
                })
            }
            "view_submission" => Self::ViewSubmission(ViewSubmission {
                who,
                view: view(payload).unwrap_or_else(|| read_view(&Value::Null)),
                trigger_id,
                response_urls: fields::list(payload, "response_urls")
                    .iter()
                    .filter_map(|entry| {
                        Some((fields::text(entry, "channel_id").map(ChannelId), fields::text(entry, "response_url")?))
                    })
                    .collect(),
            }),
            "view_closed" => Self::ViewClosed(ViewClosed {
                who,
                view: view(payload).unwrap_or_else(|| read_view(&Value::Null)),
                is_cleared: fields::flag(payload, "is_cleared"),
            }),
            "message_action" => {
                let mut message = SeenMessage::read(payload.get("message").unwrap_or(&Value::Null));
                if message.ts.as_str().is_empty() {
                    message.ts = MessageTs(fields::text_or_empty(payload, "message_ts"));
                }
                Self::MessageShortcut(MessageShortcut { who, callback_id, channel, message, trigger_id, response_url })
            }
            "shortcut" => Self::GlobalShortcut(GlobalShortcut { who, callback_id, trigger_id }),
            "block_suggestion" => Self::BlockSuggestion(BlockSuggestion {
                who,
                action_id: fields::text_or_empty(payload, "action_id"),
                block_id: fields::text_or_empty(payload, "block_id"),
                value: fields::text_or_empty(payload, "value"),
                view: view(payload),
            }),
            _ => Self::Unknown { kind: kind_name(&kind), who, trigger_id },
        }
    }

    /// Who did it.
    pub fn who(&self) -> &Who {
        match self {
            Self::BlockActions(BlockActions { who, .. })
            | Self::ViewSubmission(ViewSubmission { who, .. })
            | Self::ViewClosed(ViewClosed { who, .. })
            | Self::MessageShortcut(MessageShortcut { who, .. })
            | Self::GlobalShortcut(GlobalShortcut { who, .. })
            | Self::BlockSuggestion(BlockSuggestion { who, .. })
            | Self::Unknown { who, .. } => who,
        }
    }

    /// The right to open one dialog within three seconds; a new one for each interaction.
    pub fn trigger_id(&self) -> Option<&str> {
        match self {
            Self::BlockActions(BlockActions { trigger_id, .. })
            | Self::ViewSubmission(ViewSubmission { trigger_id, .. })
            | Self::MessageShortcut(MessageShortcut { trigger_id, .. })
            | Self::GlobalShortcut(GlobalShortcut { trigger_id, .. })
            | Self::Unknown { trigger_id, .. } => trigger_id.as_deref(),
            Self::ViewClosed(_) | Self::BlockSuggestion(_) => None,
        }
    }
}

/// An app installed for an organisation gets `team: null`; the view or the user then tells the workspace.
fn who_of(payload: &Value) -> Who {
    let workspace = fields::id(payload, "team")
        .or_else(|| fields::text_at(payload, "/view/app_installed_team_id"))
        .or_else(|| fields::text_at(payload, "/user/team_id"));
    Who {
        user: UserId(fields::id(payload, "user").unwrap_or_default()),
        name: fields::text_at(payload, "/user/username")
            .or_else(|| fields::text_at(payload, "/user/name"))
            .unwrap_or_default(),
        workspace: workspace.map(WorkspaceId),
        enterprise: fields::id(payload, "enterprise").or_else(|| fields::text_at(payload, "/team/enterprise_id")),
    }
}

fn container(payload: &Value, view: Option<&SeenView>) -> Container {
    let container = payload.get("container").unwrap_or(&Value::Null);
    let message_ts = fields::text(container, "message_ts").or_else(|| fields::text_at(payload, "/message/ts"));
    if let Some(ts) = message_ts {
        let channel = fields::text(container, "channel_id").or_else(|| fields::id(payload, "channel"));
        return Container::Message {
            channel: channel.map(ChannelId),
            ts: MessageTs(ts),
            thread_ts: fields::text(container, "thread_ts").map(MessageTs),
            is_ephemeral: fields::flag(container, "is_ephemeral"),
        };
    }
    let view_id = fields::text(container, "view_id").or_else(|| view.map(|view| view.id.clone()));
    match (view_id, view) {
        (Some(view_id), Some(SeenView { is_home: true, .. })) => Container::Home { view_id },
        (Some(view_id), Some(_) | None) => Container::View { view_id },
        (None, _) => Container::Unknown,
    }
}

fn action(value: &Value) -> Action {
    Action {
        action_id: fields::text_or_empty(value, "action_id"),
        block_id: fields::text_or_empty(value, "block_id"),
        choice: Choice::read(value),
        action_ts: fields::text(value, "action_ts"),
        raw: value.clone(),
    }
}

fn view(payload: &Value) -> Option<SeenView> {
    payload.get("view").filter(|view| view.is_object()).map(read_view)
}

fn read_view(view: &Value) -> SeenView {
    SeenView {
        id: fields::text_or_empty(view, "id"),
        callback_id: fields::text_or_empty(view, "callback_id"),
        private_metadata: fields::text_or_empty(view, "private_metadata"),
        state: Choices::read(view.get("state")),
        values: view.pointer("/state/values").cloned().unwrap_or(Value::Null),
        hash: fields::text(view, "hash"),
        external_id: fields::text(view, "external_id"),
        root_view_id: fields::text(view, "root_view_id"),
        is_home: fields::text(view, "type").as_deref() == Some("home"),
    }
}
