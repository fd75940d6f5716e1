//! Escalation policies: whom to page, in which order, and how long each tier has to answer.

use serde::{Deserialize, Serialize};

use crate::ids::{ChannelId, UserGroupId, UserId};

/// What a team does when it is called. An escalation keeps a copy of the policy it started with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    pub tiers: Vec<Tier>,
    /// How often the tiers are gone through in all, at least 1; after the last the escalation is exhausted.
    pub rounds: u32,
    /// Whom an acknowledger who shows no sign of activity is paged again after, in seconds; `None` for never.
    pub ack_timeout_s: Option<u32>,
    /// The team that is called when this policy is exhausted, after the fallback targets.
    pub hand_off_to: Option<crate::ids::TeamKey>,
}

/// One step of a policy: everybody in it is paged at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tier {
    pub targets: Vec<Target>,
    /// How long this tier has to acknowledge before the next one is due, in seconds.
    pub wait_s: u32,
}

/// Whom or what a tier addresses. Groups are resolved to people when the tier fires, not before.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Target {
    User { user: UserId },
    UserGroup { group: UserGroupId, handle: String },
    Channel { channel: ChannelId, mention: Mention },
}

/// Whom a page in a channel mentions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mention {
    Nobody,
    Here,
    Channel,
    Group(UserGroupId),
}
