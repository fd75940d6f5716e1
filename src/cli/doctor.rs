//! `firebell doctor`: prints what would keep pages from going out, and what to do about it.

use std::io::{self, Write};

use crate::clock::Clock;
use crate::doctor::{self, Asked, Calls, Severity};

/// Examines, prints to `out`, and returns the worst finding: the program ends with 1 if that is a problem.
pub async fn run(asked: Asked, calls: &Calls, clock: &Clock, out: &mut impl Write) -> io::Result<Severity> {
    let facts = doctor::examine(asked, calls, clock.now()).await;
    let findings = doctor::findings(&facts);
    let mut text = String::new();
    doctor::print(&findings, &mut text).map_err(io::Error::other)?;
    out.write_all(text.as_bytes())?;
    Ok(doctor::worst(&findings))
}
