//! What can go wrong with a call to Slack, and what to do about it.
//!
//! An error carries Slack's short code and never a body, a token or an address: it may be logged as it is.

use std::fmt;
use std::time::Duration;

use serde_json::Value;
use slack_morphism::errors::SlackClientError;

use super::fields;
use super::limits::{Method, RETRY_AFTER_MAX_S, RETRY_AFTER_UNKNOWN_S};
use crate::ids::UserId;

/// A call to Slack that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Error {
    method: Method,
    kind: Kind,
    refused: Vec<RefusedUser>,
}

/// One user of an invitation whom Slack would not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedUser {
    pub user: UserId,
    /// Slack's code, such as `cant_invite` or `org_user_not_in_team`.
    pub code: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    RateLimited {
        after: Duration,
    },
    Refused {
        code: String,
        needed: Option<String>,
    },
    Status(u16),
    /// No connection: the request never left.
    NotSent,
    /// The connection broke after the request had gone out.
    Broken,
    TimedOut,
    /// An answer that is not what Slack documents; the text says which part.
    Malformed(&'static str),
    /// We would not send it: the text says why.
    Invalid(&'static str),
    /// A list went on beyond the pages we read.
    TooLong,
}

/// What a caller may do after a failed call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Class {
    /// Not accepted; Slack names the pause.
    RateLimited { after: Duration },
    /// Surely not accepted: the same call may be made again.
    Retry,
    /// May have been accepted: look before repeating it.
    Uncertain,
    /// Refused, and the same call will be refused again.
    Permanent { code: String },
    /// Refused because of the token or its scopes: an administrator must act.
    Auth { code: String },
}

/// Why a page could not reach whom it was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NotReached {
    /// No such user in this workspace, or one we may not see.
    UnknownUser,
    /// The account is deactivated.
    Deactivated,
    /// A bot or another user who takes no direct messages from us.
    CannotBeMessaged,
    /// The channel does not exist or is private and we are not in it.
    NoChannel,
    Archived,
    /// Firebell is not in the channel.
    NotInChannel,
    /// A setting of the workspace forbids the post.
    Restricted,
    /// The app's Messages tab is switched off.
    MessagesOff,
}

impl Error {
    pub(super) fn new(method: Method, kind: Kind) -> Self {
        Self { method, kind, refused: Vec::new() }
    }

    /// The method that was called.
    pub fn method(&self) -> Method {
        self.method
    }

    /// Slack's short code, such as `name_taken`, if Slack itself refused.
    pub fn code(&self) -> Option<&str> {
        match &self.kind {
            Kind::Refused { code, .. } => Some(code),
            Kind::RateLimited { .. } => Some("ratelimited"),
            Kind::Status(_)
            | Kind::NotSent
            | Kind::Broken
            | Kind::TimedOut
            | Kind::Malformed(_)
            | Kind::Invalid(_)
            | Kind::TooLong => None,
        }
    }

    /// The scope that a `missing_scope` asks for.
    pub fn needed_scope(&self) -> Option<&str> {
        match &self.kind {
            Kind::Refused { needed, .. } => needed.as_deref(),
            _ => None,
        }
    }

    /// The users that an invitation was refused for, if Slack named them.
    pub fn refused_users(&self) -> &[RefusedUser] {
        &self.refused
    }

    /// What to do: again, later, look first, or give up.
    pub fn class(&self) -> Class {
        match &self.kind {
            Kind::RateLimited { after } => Class::RateLimited { after: *after },
            Kind::NotSent => Class::Retry,
            Kind::Broken | Kind::TimedOut | Kind::Malformed(_) => Class::Uncertain,
            Kind::Invalid(_) => Class::Permanent { code: "not_sent".to_owned() },
            Kind::TooLong => Class::Permanent { code: "list_too_long".to_owned() },
            Kind::Status(status) => match status {
                // By its definition "not now": whoever says so has not begun. Other failures of a server may come after.
                503 => Class::Retry,
                500..=599 | 408 => Class::Uncertain,
                _ => Class::Permanent { code: format!("http_{status}") },
            },
            Kind::Refused { code, .. } => class_of_code(code),
        }
    }

    /// Why nobody was reached, if the refusal is of that kind; another way or another person is then the answer.
    pub fn not_reached(&self) -> Option<NotReached> {
        let Kind::Refused { code, .. } = &self.kind else { return None };
        Some(match code.as_str() {
            "user_not_found" | "users_not_found" | "user_not_visible" => NotReached::UnknownUser,
            "account_inactive" | "user_disabled" | "is_inactive" => NotReached::Deactivated,
            "cannot_dm_bot" | "cant_dm_bot" | "user_is_bot" | "user_is_restricted" | "user_not_in_channel" => {
                NotReached::CannotBeMessaged
            }
            "channel_not_found" | "channel_deleted" | "thread_not_found" => NotReached::NoChannel,
            "is_archived" => NotReached::Archived,
            "not_in_channel" => NotReached::NotInChannel,
            "messages_tab_disabled" => NotReached::MessagesOff,
            "access_denied"
            | "ekm_access_denied"
            | "message_limit_exceeded"
            | "posting_to_channel_denied"
            | "posting_to_general_channel_denied" => NotReached::Restricted,
            code if code.starts_with("restricted_action") => NotReached::Restricted,
            _ => return None,
        })
    }

    /// Whether Slack refused the token itself, so that every call will fail; a missing scope is not that.
    pub fn is_token_refused(&self) -> bool {
        match &self.kind {
            Kind::Refused { code, .. } => is_token_code(code),
            _ => false,
        }
    }

    pub(super) fn from_client(method: Method, error: SlackClientError) -> Self {
        match error {
            SlackClientError::ApiError(api) => {
                let body = api.http_response_body.as_deref().and_then(|body| serde_json::from_str(body).ok());
                Self::refused(method, &api.code, body.as_ref())
            }
            SlackClientError::RateLimitError(limit) => {
                Self::new(method, Kind::RateLimited { after: pause(limit.retry_after) })
            }
            SlackClientError::HttpError(http) => {
                // A `response_url` that is used up answers 404 with a JSON code.
                let body = http.http_response_body.as_deref().and_then(|body| serde_json::from_str::<Value>(body).ok());
                match body.as_ref().and_then(|body| fields::text(body, "error")) {
                    Some(code) if http.status_code.is_client_error() => Self::refused(method, &code, body.as_ref()),
                    _ => Self::new(method, Kind::Status(http.status_code.as_u16())),
                }
            }
            SlackClientError::HttpProtocolError(protocol) => {
                let refused_connection = protocol
                    .cause
                    .as_ref()
                    .and_then(|cause| cause.downcast_ref::<hyper_util::client::legacy::Error>())
                    .is_some_and(hyper_util::client::legacy::Error::is_connect);
                Self::new(method, if refused_connection { Kind::NotSent } else { Kind::Broken })
            }
            SlackClientError::ProtocolError(_) => Self::new(method, Kind::Malformed("JSON")),
            SlackClientError::EndOfStream(_)
            | SlackClientError::SystemError(_)
            | SlackClientError::SocketModeProtocolError(_) => Self::new(method, Kind::Broken),
        }
    }

    /// A refusal in Slack's own words; `body` is searched for the scope and the users it concerns and then dropped.
    pub(super) fn refused(method: Method, code: &str, body: Option<&Value>) -> Self {
        let code = short_code(code);
        if matches!(code.as_str(), "ratelimited" | "rate_limited" | "too_many_requests") {
            return Self::new(method, Kind::RateLimited { after: pause(None) });
        }
        let needed = body.and_then(|body| fields::text(body, "needed")).map(|needed| short_code(&needed));
        let refused = body.map(refused_users).unwrap_or_default();
        Self { method, kind: Kind::Refused { code, needed }, refused }
    }
}

/// Reads the `errors` list of `conversations.invite`.
pub(super) fn refused_users(body: &Value) -> Vec<RefusedUser> {
    fields::list(body, "errors")
        .iter()
        .filter_map(|entry| {
            let user = UserId(fields::text(entry, "user")?);
            Some(RefusedUser { user, code: short_code(&fields::text(entry, "error")?) })
        })
        .collect()
}

fn pause(after: Option<Duration>) -> Duration {
    after
        .unwrap_or(Duration::from_secs(RETRY_AFTER_UNKNOWN_S))
        .clamp(Duration::from_secs(1), Duration::from_secs(RETRY_AFTER_MAX_S))
}

/// Keeps what looks like a code of Slack's and nothing that could be somebody's text.
fn short_code(code: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.:,".contains(c);
    if !code.is_empty() && code.len() <= 80 && code.chars().all(plain) {
        code.to_owned()
    } else {
        "unreadable_code".to_owned()
    }
}

fn is_token_code(code: &str) -> bool {
    matches!(
        code,
        "invalid_auth"
            | "not_authed"
            | "token_revoked"
            | "token_expired"
            | "account_inactive"
            | "team_access_not_granted"
            | "org_login_required"
            | "two_factor_setup_required"
            | "app_uninstalled"
    )
}

fn class_of_code(code: &str) -> Class {
    match code {
        "service_unavailable" | "request_timeout" | "team_added_to_org" => Class::Retry,
        "internal_error" | "fatal_error" => Class::Uncertain,
        "missing_scope" | "not_allowed_token_type" | "no_permission" => Class::Auth { code: code.to_owned() },
        code if is_token_code(code) => Class::Auth { code: code.to_owned() },
        code => Class::Permanent { code: code.to_owned() },
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let method = self.method.as_str();
        match &self.kind {
            Kind::RateLimited { after } => {
                write!(f, "Slack asks to wait {} s before {method} is called again", after.as_secs())
            }
            Kind::Refused { code, needed: Some(needed) } => {
                write!(f, "Slack refused {method}: {code}. Add the scope {needed} to the app and reinstall it")
            }
            Kind::Refused { code, needed: None } if is_token_code(code) => {
                write!(f, "Slack refused {method}: {code}. Check the token, and that the app is still installed")
            }
            Kind::Refused { code, needed: None } => write!(f, "Slack refused {method}: {code}"),
            Kind::Status(status) => write!(f, "Slack answered {method} with HTTP status {status}"),
            Kind::NotSent => write!(f, "Slack could not be reached for {method}; nothing was sent"),
            Kind::Broken => write!(f, "The connection broke during {method}; Slack may have accepted it"),
            Kind::TimedOut => write!(f, "Slack did not answer {method} in time; it may have accepted it"),
            Kind::Malformed(part) => {
                write!(f, "Slack's answer to {method} has no usable {part}; it may have accepted it")
            }
            Kind::Invalid(why) => write!(f, "{method} was not sent: {why}"),
            Kind::TooLong => write!(f, "The list that {method} gives is longer than we read"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(code: &str) -> Error {
        Error::refused(Method::ChatPostMessage, code, None)
    }

    #[test]
    fn a_missing_scope_names_the_scope_and_leaves_the_token_alone() {
        let body = json!({"ok": false, "error": "missing_scope", "needed": "pins:write", "provided": "chat:write"});
        let error = Error::refused(Method::PinsAdd, "missing_scope", Some(&body));
        assert_eq!(error.class(), Class::Auth { code: "missing_scope".into() });
        assert_eq!(error.needed_scope(), Some("pins:write"));
        assert!(!error.is_token_refused());
        assert!(error.to_string().contains("pins:write"));
    }

    #[test]
    fn a_dead_token_is_an_administrators_matter() {
        for code in ["token_revoked", "invalid_auth", "account_inactive"] {
            assert_eq!(refused(code).class(), Class::Auth { code: code.into() });
            assert!(refused(code).is_token_refused());
        }
    }

    #[test]
    fn refusals_that_mean_nobody_was_reached_say_so() {
        for (code, why) in [
            ("user_not_found", NotReached::UnknownUser),
            ("user_disabled", NotReached::Deactivated),
            ("cannot_dm_bot", NotReached::CannotBeMessaged),
            ("channel_not_found", NotReached::NoChannel),
            ("is_archived", NotReached::Archived),
            ("not_in_channel", NotReached::NotInChannel),
            ("restricted_action_read_only_channel", NotReached::Restricted),
            ("messages_tab_disabled", NotReached::MessagesOff),
        ] {
            assert_eq!(refused(code).not_reached(), Some(why));
            assert_eq!(refused(code).class(), Class::Permanent { code: code.into() });
        }
        assert_eq!(refused("invalid_blocks").not_reached(), None);
    }

    #[test]
    fn half_done_is_uncertain_and_never_started_is_not() {
        assert_eq!(refused("fatal_error").class(), Class::Uncertain);
        assert_eq!(refused("service_unavailable").class(), Class::Retry);
    }

    #[test]
    fn what_does_not_look_like_a_code_is_not_repeated() {
        let error = refused("xoxb-secret and a whole message text");
        assert_eq!(error.code(), Some("unreadable_code"));
        assert!(!format!("{error} {error:?}").contains("secret"));
    }
}
