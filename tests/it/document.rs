//! What recorded incidents become: figures, documents in every format, exports and pages.

mod exports;
mod live;
mod live_incidents;
mod pages;
mod recorded_incidents;
mod recordings;
