//! Slack: what we say there, the calls we make, and how what comes back is understood.
//!
//! - [`Slack`] makes the calls (`methods`), [`Error`] says what a failed one means, `pace` when the next may go out.
//! - `inbound` is everything Slack can tell us, read tolerantly from plain JSON; `http` and `socket` are the two
//!   ways it comes in, `signature` the lock on the first. `dispatch` turns it into commands.
//! - Every text that people read is made in `card`, `pages`, `question`, `calls`, `posts`, `answers`, `lists`, `help`, `modals` and
//!   `home`, from `blocks`, as `json`; outside text gets there only through `escape`. `command` and `forms` read what people enter.
//!
//! Nothing here decides what an incident does, and nothing here waits, repeats or queues: that is the domain's and the
//! worker's. Message texts and tokens are never logged.

pub mod actions;
pub mod answers;
pub mod blocks;
pub mod calls;
pub mod card;
mod client;
pub mod command;
pub mod digest;
pub mod dispatch;
mod error;
pub mod escape;
mod fields;
pub mod forms;
pub mod help;
pub mod home;
pub mod http;
pub mod inbound;
pub mod json;
pub mod limits;
pub mod lists;
pub mod message;
pub mod methods;
pub mod modals;
pub mod pace;
pub mod pages;
pub mod plain;
pub mod posts;
pub mod question;
pub mod reasons;
pub mod scene;
pub mod signature;
pub mod socket;
pub mod story;
mod times;
mod wire;

pub(crate) use client::trust;
pub use client::{API_URL, CALL_TIMEOUT, Meeting, SEARCH_TIMEOUT, SetupError, Slack, SlackConfig};
pub(crate) use client::{https_connector, is_loopback, tls_config};
pub use error::{Class, Error, NotReached, RefusedUser};
pub use inbound::{Ack, Inbound, Meta, Receive, SeenMessage};
pub use methods::channels::Channel;
pub use methods::files::{LentUpload, NewFile};
pub use methods::messages::{CLOCKS_DIFFER_MAX, Message, Metadata, Posted, Response};
pub use methods::people::Dnd;
pub use methods::views::OpenView;
pub use methods::workspace::{Identity, Workspace};
