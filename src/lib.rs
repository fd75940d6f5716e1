//! Firebell: a Slack incident and escalation bot that pages tier by tier until a human acknowledges.
//!
//! Commands go in, events are kept, effects go out. `domain` decides and knows nothing outside itself; `app` runs one
//! command in one transaction of the `store`; `scheduler` turns due timers into commands; `worker` performs the effects
//! that the transactions left in the outbox, in Slack or `elsewhere`. `slack`, `alerts` and `web` translate between the world and commands, and
//! `export` writes documents as files. `program` puts all of this together from a `config`; `cli` runs it. `sandbox` is a
//! Slack workspace of our own: the `demo` plays on it by the wall clock, and `stage` under a clock that somebody moves, for
//! `replay` and tests. `erasure` makes a person anonymous in the record. `metrics` and `watch` are what it knows of its own health. `doctor` and `manifest` help to connect
//! a real workspace. `simulation` exists in tests alone, and finds what is `planted`; `crash` names the places
//! in which tests have the program die. docs/ARCHITECTURE.md is the long
//! version.

pub mod alerts;
pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod crash;
pub mod demo;
pub mod doctor;
pub mod domain;
pub mod elsewhere;
pub mod erasure;
pub mod export;
pub mod guard;
pub mod ids;
pub mod manifest;
pub mod metrics;
mod planted;
pub mod program;
pub mod replay;
pub mod sandbox;
pub mod scheduler;
#[cfg(test)]
mod simulation;
pub mod slack;
pub mod stage;
pub mod store;
mod task;
pub mod telemetry;
pub mod watch;
pub mod web;
pub mod worker;
