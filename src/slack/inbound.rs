//! What Slack tells us, in our own words: commands, interactions, events.
//!
//! The same layer serves signed HTTP requests and Socket Mode. It reads plain JSON field by field and never fails for a
//! field that is missing, null or of another type, because a button that does nothing is worse than a field that is
//! empty. It decides nothing and calls nobody: what came in goes to the [`Receive`] function, whose [`Ack`] goes back.

mod choice;
mod command;
mod event;
mod interaction;
mod message;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::message::Message;
use crate::crash::{self, Point};

pub use choice::{Choice, Choices, Picked};
pub use command::SlashCommand;
pub use event::{Event, EventEnvelope};
pub use interaction::{
    Action, BlockActions, BlockSuggestion, Container, GlobalShortcut, Interaction, MessageShortcut, SeenView,
    ViewClosed, ViewSubmission, Who,
};
pub use message::{File, SeenMessage};

/// One thing that Slack delivered.
#[derive(Clone, Debug, PartialEq)]
pub enum Inbound {
    Command(SlashCommand),
    Interaction(Interaction),
    Event(EventEnvelope),
}

/// How and when it was delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// The same for every delivery of the same thing, different for different things: `event:…` with Slack's event id,
    /// else `trigger:…`, else `body:…` with a hash. The inbox keeps it, so that a repetition changes nothing.
    pub delivery_key: String,
    pub received_at: DateTime<Utc>,
    pub transport: Transport,
    /// Set if Slack says that it tried before.
    pub retry: Option<Retry>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Http,
    SocketMode,
}

/// Slack's account of an earlier attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// From 1.
    pub number: u32,
    /// Such as `http_timeout`.
    pub reason: String,
}

/// What Slack gets back, at once.
#[derive(Clone, Debug, PartialEq)]
pub enum Ack {
    /// Taken; nothing to show. Closes a submitted dialog.
    Empty,
    /// A message in answer to a command.
    Message(Message),
    /// What becomes of a submitted dialog: an object with `response_action`.
    View(Value),
    /// An object with `options` or `option_groups`, at most 100, for a menu that asked.
    Options(Value),
    /// Not taken in time, or not at all. Slack delivers an event again; a person is told to look.
    Busy,
}

/// Takes what came in. Answers within milliseconds, after it is safely kept: Slack waits three seconds at most.
pub type Receive = Arc<dyn Fn(Inbound, Meta) -> BoxFuture<'static, Ack> + Send + Sync>;

/// How long the receiver may take; Slack gives up after three seconds.
const RECEIVE_TIMEOUT: Duration = Duration::from_millis(2800);

/// Runs the receiver in a task of its own: it must finish its transaction even if Slack hangs up or has given up.
pub(super) async fn hand_on(receive: &Receive, inbound: Inbound, meta: Meta) -> Ack {
    let kind = inbound.kind();
    let receive = Arc::clone(receive);
    crash::at(Point::Heard);
    let task = tokio::spawn(async move { receive(inbound, meta).await });
    match tokio::time::timeout(RECEIVE_TIMEOUT, task).await {
        Ok(Ok(ack)) => {
            crash::at(Point::Answering);
            ack
        }
        Ok(Err(_)) => {
            tracing::error!(kind, "taking a delivery from Slack broke down");
            Ack::Busy
        }
        Err(_) => {
            tracing::error!(kind, "a delivery from Slack was not taken within three seconds");
            Ack::Busy
        }
    }
}

/// What a command answers when it could not be taken: a person reads it, so it is no bare error.
pub(super) fn busy_message() -> Message {
    let text =
        "Firebell did not get to that in time. It may still be done in a moment: look, and send it again if it is not.";
    Message { text: text.to_owned(), blocks: Vec::new() }
}

impl Inbound {
    fn kind(&self) -> &'static str {
        match self {
            Self::Command(_) => "command",
            Self::Interaction(_) => "interaction",
            Self::Event(_) => "event",
        }
    }
}

/// What a body turned out to be.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Parsed {
    Inbound(Box<Inbound>),
    /// Slack checks that the address is ours and wants this text back.
    Challenge(String),
    /// A kind of delivery that we do not know; the kind's name.
    Unknown(String),
}

/// Reads the JSON of the Events API.
pub(super) fn parse_event(payload: &Value) -> Parsed {
    use super::fields::text;
    match text(payload, "type").as_deref() {
        Some("url_verification") => Parsed::Challenge(super::fields::text_or_empty(payload, "challenge")),
        Some("event_callback") => Parsed::Inbound(Box::new(Inbound::Event(EventEnvelope::read(payload)))),
        Some("app_rate_limited") => Parsed::Inbound(Box::new(Inbound::Event(EventEnvelope::rate_limited(payload)))),
        // Without a type but with an event inside it is still an event.
        _ if payload.get("event").is_some_and(Value::is_object) => {
            Parsed::Inbound(Box::new(Inbound::Event(EventEnvelope::read(payload))))
        }
        other => Parsed::Unknown(kind_name(other.unwrap_or("none"))),
    }
}

/// Reads the JSON of an interaction. Kinds we do not know are handed on as such.
pub(super) fn parse_interaction(payload: &Value) -> Inbound {
    Inbound::Interaction(Interaction::read(payload))
}

/// The key of a delivery; `payload` is the JSON, or the form of a command as JSON, and `body` what is hashed if Slack
/// gave it no id.
pub(super) fn delivery_key(inbound: &Inbound, body: &[u8]) -> String {
    let id = match inbound {
        Inbound::Event(envelope) => envelope.event_id.as_ref().map(|id| format!("event:{id}")),
        Inbound::Command(command) => command.trigger_id.as_ref().map(|id| format!("trigger:{id}")),
        Inbound::Interaction(interaction) => interaction.trigger_id().map(|id| format!("trigger:{id}")),
    };
    id.unwrap_or_else(|| format!("body:{}", hex::encode(Sha256::digest(body))))
}

/// A name from outside, cut and cleaned so that it can be logged.
pub(super) fn kind_name(name: &str) -> String {
    name.chars().filter(|c| c.is_ascii_alphanumeric() || "_-.".contains(*c)).take(60).collect()
}

#[cfg(test)]
mod tests;
