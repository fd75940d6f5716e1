//! What recorded incidents become: figures, documents in every format, exports and pages.

mod recorded_incidents;
mod recordings;
