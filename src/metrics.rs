//! What Firebell measures of itself, for Prometheus and for its own judgement of its health.
//!
//! A [`Metrics`] is handed to whoever measures, as a clock is; there is no global one, so that two programs in one process
//! do not count for each other. Measuring is an atomic addition and never waits. No incident's text, no name of a person and
//! no secret is ever a label: every label is one of a few words of our own (`labels`).

mod catalogue;
mod cells;
mod labels;
mod server;
mod tally;

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

pub use catalogue::{Described, Registry, catalogue};
pub use cells::{By, Counter, Gauge, Histogram, Info};
pub use labels::{Check, Code, Delivery, Late, Missed, Outcome, Pulse, Sender, Sent, State, Tier, Turned, Word};
pub use server::{CONTENT_TYPE, router};
pub(crate) use tally::Tally;

/// The measurements of one program; clones share them.
#[derive(Clone, Default)]
pub struct Metrics {
    registry: Arc<Registry>,
}

impl Deref for Metrics {
    type Target = Registry;

    fn deref(&self) -> &Registry {
        &self.registry
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// An instant as Prometheus takes it: seconds since 1970.
#[expect(clippy::cast_precision_loss, reason = "microseconds since 1970 are exact in a double for 200 years")]
pub fn unix_seconds(at: chrono::DateTime<chrono::Utc>) -> f64 {
    at.timestamp_micros() as f64 / 1e6
}

#[cfg(test)]
mod tests;
