//! What people read in Slack: every surface on incidents that really happened to the rules, each read as Slack shows
//! it, and all of them under hostile texts.

mod fixture;
mod forms;
mod hostile;
pub(crate) mod reading;
mod slack_rules;
mod surfaces;
