//! (in progress)

pub mod command;
