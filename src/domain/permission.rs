//! Who may do what.

use serde::{Deserialize, Serialize};

use crate::ids::{UserGroupId, UserId};

/// What a person wants to do, as far as permission is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Open,
    Escalate,
    Acknowledge,
    /// Notes, updates, fields, tasks, roles, severity, status: everything in between.
    Contribute,
    Resolve,
    SeePrivate,
}

impl Action {
    pub const ALL: [Self; 6] =
        [Self::Open, Self::Escalate, Self::Acknowledge, Self::Contribute, Self::Resolve, Self::SeePrivate];
}

/// Who is allowed an action, besides the deny rules for guests, external users, bots and deactivated accounts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Allow {
    /// Every full member of the workspace.
    #[default]
    Members,
    /// Only these people and the members of these groups.
    Listed { users: Vec<UserId>, groups: Vec<UserGroupId> },
}

/// The `[permissions]` of `firebell.toml`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permissions {
    pub open: Allow,
    pub escalate: Allow,
    pub acknowledge: Allow,
    pub contribute: Allow,
    pub resolve: Allow,
    /// Besides the members of the private incident's channel.
    pub see_private: Allow,
    pub guests: bool,
    pub external: bool,
}
