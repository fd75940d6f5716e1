//! Every rule of the product, pure.
//!
//! [`decide`] turns a command into events, [`evolve`] folds an event into an incident, [`react`] says what must now
//! happen outside, [`still_wanted`] is asked again just before it does. Nothing here is async, reads a clock, draws a
//! random number, logs, or knows Slack's wire formats or SQL. `civil` alone knows time zones.

pub mod answer;
pub mod civil;
pub mod command;
pub mod contact;
mod decide;
pub mod effect;
pub mod engine;
pub mod escalation;
pub mod event;
mod evolve;
pub mod hold;
pub mod incident;
pub mod limits;
pub mod permission;
pub mod policy;
pub mod postmortem;
mod react;
pub mod reference;
pub mod rejection;
pub mod roster;
pub mod storm;
pub mod timeline;

pub use decide::{Context, Decided, decide, decide_opening};
pub(crate) use decide::{recipients, team_of};
pub use evolve::evolve;
pub use react::{react, still_wanted};
