//! What a person can do in a Slack client, and how Slack then turns to the app.
//!
//! The page, `/_control/act` and tests all act through [`act`]; nothing here goes behind Slack's back.

mod interactions;
mod messages;
mod modals;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::hub::Hub;
use super::live::Live;
use super::state::{Channel, Dnd, Shortcut, SlashCommand, User};
use super::wire::ApiError;

/// Why a person cannot do something: a sentence with the way out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub String);

impl Refusal {
    fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        Self(format!("Slack refused: {}.", error.code))
    }
}

/// Where a button, menu or input sits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Container {
    Message { channel: String, ts: String },
    View { view_id: String },
    Home,
}

/// Something a person does. Times, ids and texts are as in Slack's client; `text` is what they type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Act {
    Message {
        channel: String,
        text: String,
        #[serde(default)]
        thread_ts: Option<String>,
    },
    /// A slash command, as typed with its slash.
    Command {
        channel: String,
        text: String,
    },
    /// A slash command with plain text behind it, in which nothing becomes a mention, a channel or a link.
    PlainCommand {
        channel: String,
        text: String,
    },
    /// Uses an interactive element; `action` holds the choice (`selected_option`, `value` …), `state` what was typed
    /// beside it.
    Action {
        container: Container,
        block_id: String,
        action_id: String,
        #[serde(default)]
        action: Map<String, Value>,
        #[serde(default)]
        state: Option<Value>,
    },
    Submit {
        view_id: String,
        #[serde(default)]
        values: Value,
    },
    Close {
        view_id: String,
    },
    /// Types into a menu whose options the app supplies.
    Options {
        container: Container,
        block_id: String,
        action_id: String,
        #[serde(default)]
        value: String,
    },
    Shortcut {
        callback_id: String,
        #[serde(default)]
        channel: Option<String>,
        #[serde(default)]
        ts: Option<String>,
    },
    React {
        channel: String,
        ts: String,
        name: String,
    },
    Unreact {
        channel: String,
        ts: String,
        name: String,
    },
    Edit {
        channel: String,
        ts: String,
        text: String,
    },
    Delete {
        channel: String,
        ts: String,
    },
    Pin {
        channel: String,
        ts: String,
    },
    Unpin {
        channel: String,
        ts: String,
    },
    OpenHome {},
    OpenDm {
        user: String,
    },
    Join {
        channel: String,
    },
    Leave {
        channel: String,
    },
    Read {
        channel: String,
        ts: String,
    },
    CreateChannel {
        name: String,
        #[serde(default)]
        private: bool,
    },
    Invite {
        channel: String,
        users: Vec<String>,
    },
    Archive {
        channel: String,
    },
    Upload {
        channel: String,
        name: String,
        content_base64: String,
        #[serde(default)]
        comment: Option<String>,
        #[serde(default)]
        thread_ts: Option<String>,
    },
    /// Changes a person's account.
    User {
        id: String,
        #[serde(default)]
        deleted: Option<bool>,
        #[serde(default)]
        dnd: Option<Dnd>,
        #[serde(default)]
        tz: Option<String>,
        #[serde(default)]
        title: Option<String>,
        #[serde(default)]
        real_name: Option<String>,
    },
    /// Installs the app anew with other settings; what is left out stays.
    Install {
        #[serde(default)]
        scopes: Option<Vec<String>>,
        #[serde(default)]
        events: Option<Vec<String>>,
        #[serde(default)]
        commands: Option<Vec<SlashCommand>>,
        #[serde(default)]
        shortcuts: Option<Vec<Shortcut>>,
        #[serde(default)]
        home_enabled: Option<bool>,
    },
}

/// Does `act` on behalf of the user `who`; the answer is an object with what came of it.
pub(crate) async fn act(hub: &Arc<Hub>, who: &str, act: Act) -> Result<Value, Refusal> {
    hub.with(|live| {
        let user =
            live.state.find_user(who).ok_or_else(|| Refusal::new(format!("There is nobody with the id {who}.")))?;
        if user.deleted {
            return Err(Refusal::new(format!("The account of {} is deactivated.", user.real_name)));
        }
        if user.is_app {
            return Err(Refusal::new("The app's own bot acts through the Web API, not as a person."));
        }
        Ok(())
    })?;
    match act {
        Act::Command { channel, text } => interactions::command(hub, who, &channel, &text, false).await,
        Act::PlainCommand { channel, text } => interactions::command(hub, who, &channel, &text, true).await,
        Act::Action { container, block_id, action_id, action, state } => {
            let press = interactions::Press { container, block_id, action_id, action, state };
            interactions::press(hub, who, press).await
        }
        Act::Options { container, block_id, action_id, value } => {
            interactions::options(hub, who, &container, &block_id, &action_id, &value).await
        }
        Act::Shortcut { callback_id, channel, ts } => {
            interactions::shortcut(hub, who, &callback_id, channel.as_deref().zip(ts.as_deref())).await
        }
        Act::Submit { view_id, values } => modals::submit(hub, who, &view_id, &values).await,
        Act::Close { view_id } => modals::close(hub, who, &view_id).await,
        other => hub.with(|live| messages::at_once(live, who, other)),
    }
}

/// The channel, if this person is in it and it still lives.
fn talkable<'a>(live: &'a Live, who: &str, id: &str) -> Result<&'a Channel, Refusal> {
    let channel = visible(live, who, id)?;
    if channel.archived {
        return Err(Refusal::new(format!("#{} is archived.", channel.name)));
    }
    if !channel.has_member(who) {
        return Err(Refusal::new(format!("You are not in #{}. Join it first.", channel.name)));
    }
    Ok(channel)
}

fn visible<'a>(live: &'a Live, who: &str, id: &str) -> Result<&'a Channel, Refusal> {
    live.state
        .channels
        .get(id)
        .filter(|channel| channel.is_visible_to(who))
        .ok_or_else(|| Refusal::new(format!("You see no conversation {id}.")))
}

/// The keys that every interaction carries.
fn interaction(live: &Live, kind: &str, who: &str) -> Value {
    let team = &live.state.team;
    let name = live.state.find_user(who).map(|user: &User| user.name.clone()).unwrap_or_default();
    let enterprise = team.enterprise.as_ref().map(|enterprise| json!({ "id": enterprise.id, "name": enterprise.name }));
    let mut team_shown = json!({ "id": team.id, "domain": team.domain });
    if let Some(enterprise) = &team.enterprise {
        team_shown["enterprise_id"] = json!(enterprise.id);
        team_shown["enterprise_name"] = json!(enterprise.name);
    }
    json!({
        "type": kind, "token": live.state.app.verification_token, "api_app_id": live.state.app.id,
        "team": team_shown, "enterprise": enterprise, "is_enterprise_install": enterprise.is_some(),
        "user": { "id": who, "username": name, "name": name, "team_id": team.id },
    })
}
