//! The program's subcommands, one file each.

pub mod check;
pub mod manifest;
