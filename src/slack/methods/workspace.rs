//! Who we are, where we are, and the way in for Socket Mode.

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde_json::Value;

use super::malformed;
use crate::ids::{UserId, WorkspaceId};
pub use crate::slack::client::Headers;
use crate::slack::client::{Args, As, Slack};
use crate::slack::error::Error;
use crate::slack::fields;
use crate::slack::limits::Method;

/// Whom a token belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// None for an app installed for a whole organisation.
    pub workspace: Option<WorkspaceId>,
    pub workspace_name: String,
    pub enterprise: Option<String>,
    /// The workspace's address, such as `https://example.slack.com/`.
    pub url: String,
    /// The bot's own user.
    pub user: UserId,
    pub bot_id: Option<String>,
    /// What the token may do; empty if Slack did not say.
    pub scopes: Vec<String>,
    /// Slack's clock when it answered, to the second; none if it did not say.
    pub slack_at: Option<DateTime<Utc>>,
}

/// A workspace's name and address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workspace {
    pub id: WorkspaceId,
    pub name: String,
    /// The part before `.slack.com`.
    pub domain: String,
}

impl Slack {
    /// Asks Slack whose token we hold and which scopes it has.
    pub async fn auth_test(&self) -> Result<Identity, Error> {
        let (answer, headers) = self.post_for_headers(Method::AuthTest).await?;
        identity(&answer, headers)
    }

    /// The workspace's name and address.
    pub async fn team_info(&self) -> Result<Workspace, Error> {
        let method = Method::TeamInfo;
        let args = Args::new().maybe("team", self.workspace().map(WorkspaceId::as_str));
        workspace_of(&self.get(method, args).await?)
    }

    /// The one-time address of a Socket Mode connection. It is a secret until it is used.
    pub async fn connections_open(&self) -> Result<SecretString, Error> {
        let method = Method::AppsConnectionsOpen;
        let answer = self.send(method, As::App, None).await?;
        fields::text(&answer, "url").map(SecretString::from).ok_or_else(|| malformed(method, "url"))
    }
}

/// Reads the answer of `auth.test`.
pub fn identity(answer: &Value, headers: Headers) -> Result<Identity, Error> {
    Ok(Identity {
        workspace: fields::text(answer, "team_id").map(WorkspaceId),
        workspace_name: fields::text_or_empty(answer, "team"),
        enterprise: fields::text(answer, "enterprise_id"),
        url: fields::text_or_empty(answer, "url"),
        user: UserId(fields::text(answer, "user_id").ok_or_else(|| malformed(Method::AuthTest, "user_id"))?),
        bot_id: fields::text(answer, "bot_id"),
        scopes: headers.scopes,
        slack_at: headers.at,
    })
}

/// Reads the answer of `team.info`.
pub fn workspace_of(answer: &Value) -> Result<Workspace, Error> {
    let team = answer.get("team").ok_or_else(|| malformed(Method::TeamInfo, "team"))?;
    Ok(Workspace {
        id: WorkspaceId(fields::text(team, "id").ok_or_else(|| malformed(Method::TeamInfo, "id"))?),
        name: fields::text_or_empty(team, "name"),
        domain: fields::text_or_empty(team, "domain"),
    })
}
