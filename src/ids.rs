//! Identifiers, each its own type so that a channel cannot be passed for a user.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            pub fn new(id: impl Into<String>) -> Self {
                Self(id.into())
            }
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl From<&str> for $name {
            fn from(id: &str) -> Self {
                Self(id.to_owned())
            }
        }
    };
}

text_id!(
    /// A Slack workspace ("team" in Slack's payloads), such as `T0123ABCD`.
    WorkspaceId
);
text_id!(
    /// A Slack user, such as `U0123ABCD` or `W0123ABCD`.
    UserId
);
/// What every pseudonym begins with; no id of Slack holds a space.
const FORMER: &str = "former user ";

impl UserId {
    /// What stands for somebody who was made anonymous, such as `former user 1`: an id and a name at once.
    #[must_use]
    pub fn former(number: i64) -> Self {
        Self(format!("{FORMER}{number}"))
    }

    /// Whether it stands for somebody who was made anonymous, whom nobody can reach.
    pub fn is_former(&self) -> bool {
        self.0.starts_with(FORMER)
    }
}

text_id!(
    /// A Slack conversation: `C…` channel, `G…` old private channel, `D…` direct message.
    ChannelId
);
text_id!(
    /// A Slack user group, such as `S0123ABCD`.
    UserGroupId
);
text_id!(
    /// A Slack message's timestamp, which is its id within a channel, such as `1680462000.000100`.
    MessageTs
);
text_id!(
    /// The key of a team in `firebell.toml`, what people type after `/escalate`, such as `db-team`.
    TeamKey
);
text_id!(
    /// The key of an alert integration in `firebell.toml`.
    IntegrationKey
);

/// An incident's row in the store. People see its number instead (`INC-42`), counted per workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IncidentId(pub i64);

impl fmt::Display for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An escalation within its incident, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EscalationId(pub u32);

/// A page within its incident, from 1: one person (or channel) urged to act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PageId(pub u32);

/// The place of an event in its incident's history, from 1 without a gap.
pub type Seq = u32;

/// A Slack message: where and which.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MessageRef {
    pub channel: ChannelId,
    pub ts: MessageTs,
}

/// 128 random bits from the operating system as 32 hex digits, for salts, nonces and leases.
#[must_use]
pub fn random_id() -> String {
    #[cfg(test)]
    if let Some(id) = crate::simulation::random_id() {
        return id;
    }
    hex::encode(rand::random::<[u8; 16]>())
}
