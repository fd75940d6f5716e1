//! Slack: the calls we make and what it tells us.
//!
//! - [`Slack`] makes the calls (`methods`), [`Error`] says what a failed one means, `pace` when the next may go out.
//! - `inbound` is everything Slack can tell us, read tolerantly from plain JSON; [`http`] and [`socket`] are the two
//!   ways it comes in, `signature` the lock on the first.
//!
//! Nothing here decides what an incident does, and nothing here waits, repeats or queues: that is the domain's and the
//! worker's. Message texts and tokens are never logged.

mod client;
mod error;
mod fields;
pub mod http;
pub mod inbound;
pub mod limits;
pub mod methods;
pub mod pace;
pub mod signature;
pub mod socket;

pub use client::{API_URL, CALL_TIMEOUT, SEARCH_TIMEOUT, SetupError, Slack, SlackConfig};
pub use error::{Class, Error, NotReached, RefusedUser};
pub use inbound::{Ack, Inbound, Meta, Receive, SeenMessage};
pub use methods::channels::Channel;
pub use methods::messages::{Message, Metadata, Response};
pub use methods::people::Dnd;
pub use methods::views::OpenView;
pub use methods::workspace::{Identity, Workspace};
