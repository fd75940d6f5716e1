//! What recorded incidents become: figures, documents in every format, exports and pages.
#![expect(clippy::unwrap_used, reason = "a recording or a file that cannot be read fails the test")]

mod exports;
mod live;
mod live_incidents;
mod pages;
mod recorded_incidents;
mod recordings;
mod rules;
