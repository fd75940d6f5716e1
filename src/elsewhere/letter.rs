//! A message as every way besides Slack takes it: in words for people, as JSON for programs.

use chrono::{DateTime, Utc};
use serde_json::Value;

/// What is handed over, whatever it is about.
#[derive(Clone, Debug, PartialEq)]
pub struct Letter {
    /// The same for every copy of it; letters, digits, `.` and `-`.
    pub id: String,
    /// From 1.
    pub attempt: u32,
    pub subject: String,
    pub text: String,
    /// The body of a webhook; docs/WEBHOOKS.md tells its fields.
    pub json: Value,
    pub written_at: DateTime<Utc>,
}
