//! Alerts in great number: what one incident knows of a storm, and what a decision is told of alerts besides it.
//!
//! A storm's incident keeps numbers. The alerts themselves are in its history and in the table of alerts, so that the
//! state of an incident does not grow with them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::ids::{IntegrationKey, TeamKey};

/// Alerts that open incidents within this time are counted together, in seconds.
pub const WINDOW_S: i64 = 60;

/// When alerts that come in great number share one incident.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StormRule {
    /// After so many incidents opened by alerts for one team within a minute the next alert begins a storm; 0 for never.
    pub incidents: u32,
    /// A storm is over when no further alert has joined for so long.
    pub quiet_s: u32,
}

/// What the incident of a storm knows of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Storm {
    /// The team that its alerts call; alerts for others are no part of it.
    pub team: Option<TeamKey>,
    pub quiet_s: u32,
    /// Alerts that have joined, one that came back after it was cleared each time.
    pub joined: u32,
    pub cleared: u32,
    /// Those that got an incident of their own.
    #[serde(default)]
    pub taken_out: u32,
    pub last_at: DateTime<Utc>,
    /// When it is over unless another alert joins; none once it is.
    pub quiet_at: Option<DateTime<Utc>>,
}

/// Repetitions of an alert that are counted and not in the history yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counting {
    pub first_at: DateTime<Utc>,
    /// When the number is written down.
    pub until: DateTime<Utc>,
}

/// How often an alert fired for an incident, in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fired {
    pub count: u64,
    pub last_at: DateTime<Utc>,
}

/// What a decision is told of alerts that the incident itself does not know.
#[derive(Clone, Debug, Default)]
pub struct Alerts {
    /// Incidents that alerts opened for this alert's team within [`WINDOW_S`], as far as an opening asks.
    pub openings: u32,
    /// Whether this alert is firing for this incident already.
    pub is_known: bool,
    /// Whether it fired for this incident before, and was cleared.
    pub is_back: bool,
    /// The number of the other incident, where an alert is taken out of one into the other.
    pub other: Option<i64>,
    /// The alerts of the incident, where repetitions of one are being counted or the storm may be over.
    pub fired: BTreeMap<(IntegrationKey, String), Fired>,
}

impl Alerts {
    /// Nothing is known besides the incident.
    pub const NONE: &'static Self =
        &Self { openings: 0, is_known: false, is_back: false, other: None, fired: BTreeMap::new() };
}

/// The row under which the table of alerts keeps a team's storm: no integration has an empty name.
pub fn place(team: Option<&TeamKey>) -> (IntegrationKey, String) {
    (IntegrationKey(String::new()), team.map(|team| team.as_str().to_owned()).unwrap_or_default())
}
