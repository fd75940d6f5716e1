//! A simulation of Firebell that is the same each time: the real application, scheduler, worker and store on a real SQLite
//! file, under a clock, a Slack and mishaps that a seed alone determines.
//!
//! `world` is everything around the programs, and what the hooks in clock, store and wire ask; `driver` decides who goes
//! on; `scenario` is what people want, `faults` what goes wrong, `checker` what must hold all the same. The checker reads
//! the database through `records`, and looks at all else that is left behind in `left`. Only the library's own tests
//! contain any of it. docs/GUARANTEE.md says how to use it.

mod bank;
mod checker;
mod dice;
mod driver;
mod faults;
mod left;
mod outside;
mod records;
mod scenario;
mod shrink;
mod slack;
mod sweep;
mod world;

#[path = "../tests/it/support/postgres.rs"]
mod server;

pub(crate) use outside::elsewhere;
pub(crate) use world::{
    Access, Turn, adopt, appointment, call, commit_begins, commit_ended, is_on, random_id, since_boot, sleep, turn,
    wall,
};
