//! A boundary around one job: a panic inside ends that job, is logged under a reference, and takes nothing else down.
//!
//! For jobs whose callers can say what became of them. Decides nothing: what a broken job means is the caller's.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;

use crate::ids::random_id;

/// A job that panicked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Eight hexadecimal digits, under which it is in the log.
    pub reference: String,
}

/// Runs a job to its end. `what` names it in the log. What the job shares with others must be valid at every step, as
/// everything behind our locks is.
///
/// # Errors
/// If it panicked.
pub async fn guarded<T>(what: &str, job: impl Future<Output = T>) -> Result<T, Broken> {
    AssertUnwindSafe(job).catch_unwind().await.map_err(|panic| {
        let reference = random_id()[..8].to_owned();
        tracing::error!(reference, panic = said(panic.as_ref()), "{what} broke down; this is a mistake in Firebell");
        Broken { reference }
    })
}

fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a word")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_job_that_ends_well_gives_what_it_gives_and_one_that_panics_a_reference() {
        assert_eq!(guarded("a job", async { 7 }).await, Ok(7));
        let broken = guarded("a job", async { panic!("number {}", 7) }).await.map(|(): ()| ()).expect_err("panicked");
        assert!(broken.reference.len() == 8 && broken.reference.chars().all(|c| c.is_ascii_hexdigit()));
    }
}
