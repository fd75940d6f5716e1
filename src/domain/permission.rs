//! Who may do what.

use serde::{Deserialize, Serialize};

use super::rejection::{Rejection, RejectionKind};
use super::roster::Directory;
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

impl Permissions {
    fn of(&self, action: Action) -> &Allow {
        match action {
            Action::Open => &self.open,
            Action::Escalate => &self.escalate,
            Action::Acknowledge => &self.acknowledge,
            Action::Contribute => &self.contribute,
            Action::Resolve => &self.resolve,
            Action::SeePrivate => &self.see_private,
        }
    }

    /// Whether the person is named for this action, by id or by group; `Members` names nobody.
    pub fn lists(&self, action: Action, user: &UserId, directory: &Directory) -> bool {
        match self.of(action) {
            Allow::Members => false,
            Allow::Listed { users, groups } => {
                users.contains(user)
                    || groups.iter().any(|id| directory.groups.get(id).is_some_and(|group| group.users.contains(user)))
            }
        }
    }

    /// Refuses bots, deactivated accounts, guests and people of other workspaces, then whoever is not listed. A person
    /// whom Slack has not described yet counts as a member: an unreachable Slack must not stop an incident.
    pub fn permit(&self, action: Action, user: &UserId, directory: &Directory) -> Result<(), Rejection> {
        self.admit(user, directory)?;
        match self.of(action) {
            Allow::Members => Ok(()),
            Allow::Listed { .. } if self.lists(action, user, directory) => Ok(()),
            Allow::Listed { .. } => refused(
                "You are not among those who may do this.",
                "The [permissions] of firebell.toml say who may; ask one of them or your administrator.",
            ),
        }
    }

    /// Refuses bots, deactivated accounts, guests and people of other workspaces, whatever they want: to look, too.
    pub fn admit(&self, user: &UserId, directory: &Directory) -> Result<(), Rejection> {
        if let Some(person) = directory.people.get(user) {
            if person.deactivated || person.is_bot {
                return refused("This account cannot act in incidents.", "Use a person's own account.");
            }
            if person.external && !self.external {
                return refused(
                    "People from other workspaces cannot act in incidents here.",
                    "Ask a member of this workspace to do it for you.",
                );
            }
            if person.restricted && !self.guests {
                return refused(
                    "Guests cannot act in incidents here.",
                    "Ask a full member of this workspace to do it for you.",
                );
            }
        }
        Ok(())
    }
}

fn refused(sentence: &str, hint: &str) -> Result<(), Rejection> {
    Err(Rejection::new(RejectionKind::NotAllowed, sentence).hint(hint))
}
