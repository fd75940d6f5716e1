//! Alerts: what monitoring systems send us, turned into the words of the domain.
//!
//! One parser per system reads a body and knows nothing else: no clock, no database, no Slack. [`http`] receives the
//! bodies, checks the key, hands the [`Signal`]s on, and answers only when they are stored. What an alert *does* (join
//! an incident, open one, call a team) is decided in `domain`, never here.

use std::fmt;

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use crate::domain::command::Alert;
use crate::ids::IntegrationKey;

pub mod alertmanager;
mod clean;
pub mod generic;
pub mod http;
pub mod keys;
mod read;

pub use http::{Accepted, Named, Submit, SubmitError, Unknown, router};
pub use keys::{Integration, Keys};

/// Most bytes of a body; a longer one is answered with 413.
pub const BODY_BYTES_MAX: usize = 1 << 20;
/// Most characters of an alert's text; the rest is cut off and marked so.
pub const TEXT_CHARS_MAX: usize = 3_000;
/// Most characters of a dedup key; a longer one is shortened with a hash.
pub const DEDUP_KEY_CHARS_MAX: usize = 255;
/// Most labels that an alert keeps.
pub const LABELS_KEPT_MAX: usize = 64;
/// Most labels that are read at all; more is refused as a mistake of the sender.
pub const LABELS_READ_MAX: usize = 1_000;
/// Most characters of a label's name and of its value.
pub const LABEL_NAME_CHARS_MAX: usize = 128;
pub const LABEL_VALUE_CHARS_MAX: usize = 500;
/// Most characters of a link.
pub const LINK_CHARS_MAX: usize = 2_000;

/// The same bytes within one such span count as one delivery, in seconds: Alertmanager retries within
/// `group_interval` (5 minutes unless configured) and repeats what still fires at least that far apart.
const RETRY_SPAN_S: i64 = 300;

/// Which parser an integration's bodies need; the last part of `/alerts/<kind>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Prometheus Alertmanager's webhook, and Grafana's, which has the same shape.
    Alertmanager,
    /// Firebell's own JSON, for scripts and everything else (docs/ALERTS.md).
    Generic,
}

impl Kind {
    pub const ALL: [Self; 2] = [Self::Alertmanager, Self::Generic];

    /// The word in the address and in `firebell.toml`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Alertmanager => "alertmanager",
            Self::Generic => "generic",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What a parser must be told besides the body.
#[derive(Clone, Debug)]
pub struct Received {
    pub integration: IntegrationKey,
    /// When the body arrived.
    pub at: DateTime<Utc>,
    /// Random; ends up in [`Alert::nonce`].
    pub nonce: String,
    /// The `Idempotency-Key` header, if the sender gave one.
    pub idempotency_key: Option<String>,
}

/// One piece of news from a monitoring system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Something is wrong, or still is.
    Fired {
        /// For the inbox: the same delivery again has the same key (at most 255 characters).
        delivery_key: String,
        alert: Box<Alert>,
        /// The number of the incident that the sender wants it in, instead of the one with the same dedup key.
        join: Option<i64>,
    },
    /// It is over, as far as the monitoring system can see.
    Cleared {
        delivery_key: String,
        integration: IntegrationKey,
        dedup_key: String,
        text: String,
        at: DateTime<Utc>,
        join: Option<i64>,
    },
}

impl Signal {
    pub fn delivery_key(&self) -> &str {
        match self {
            Self::Fired { delivery_key, .. } | Self::Cleared { delivery_key, .. } => delivery_key,
        }
    }

    pub fn dedup_key(&self) -> &str {
        match self {
            Self::Fired { alert, .. } => &alert.dedup_key,
            Self::Cleared { dedup_key, .. } => dedup_key,
        }
    }
}

/// What a body says, and what in it we could not use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    pub signals: Vec<Signal>,
    pub warnings: Vec<Warning>,
}

/// Something in a body that was ignored or changed. The alert counts all the same: a page is worth more than a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// JSON pointer (RFC 6901) of the field.
    pub pointer: String,
    pub sentence: String,
}

/// Why a body was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct BadAlert {
    pub kind: BadAlertKind,
    /// JSON pointer (RFC 6901) of the field; empty for the body as a whole.
    pub pointer: String,
    /// What is the matter and the way out.
    pub sentence: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadAlertKind {
    /// The body has more than [`BODY_BYTES_MAX`] bytes.
    TooLarge,
    /// The body is not JSON, or nested too deeply.
    NotJson,
    /// A field is missing, has the wrong type or an impossible value.
    Field,
    /// A format version that this parser does not know.
    Version,
}

impl BadAlert {
    pub(crate) fn new(kind: BadAlertKind, pointer: impl Into<String>, sentence: impl Into<String>) -> Self {
        Self { kind, pointer: pointer.into(), sentence: sentence.into() }
    }

    pub(crate) fn field(pointer: impl Into<String>, sentence: impl Into<String>) -> Self {
        Self::new(BadAlertKind::Field, pointer, sentence)
    }

    /// The HTTP status to answer with.
    pub fn status(&self) -> u16 {
        match self.kind {
            BadAlertKind::TooLarge => 413,
            BadAlertKind::NotJson | BadAlertKind::Field | BadAlertKind::Version => 400,
        }
    }

    /// A word for programs to tell the refusals apart.
    pub fn code(&self) -> &'static str {
        match self.kind {
            BadAlertKind::TooLarge => "too_large",
            BadAlertKind::NotJson => "not_json",
            BadAlertKind::Field => "bad_field",
            BadAlertKind::Version => "unknown_version",
        }
    }
}

/// Reads a body of the given kind.
pub fn parse(kind: Kind, body: &[u8], received: &Received) -> Result<Parsed, BadAlert> {
    if body.len() > BODY_BYTES_MAX {
        return Err(too_large());
    }
    match kind {
        Kind::Alertmanager => alertmanager::parse(body, received),
        Kind::Generic => generic::parse(body, received),
    }
}

pub(crate) fn too_large() -> BadAlert {
    BadAlert::new(
        BadAlertKind::TooLarge,
        "",
        format!(
            "The body has more than {BODY_BYTES_MAX} bytes; send fewer alerts at once (Alertmanager: `max_alerts`)."
        ),
    )
}

/// The span of [`RETRY_SPAN_S`] in which the body arrived. A retry on the other side of the border is one repetition
/// too many in the record; a repetition within a span is one too few. Neither opens, loses or closes anything.
fn retry_span(received: &Received) -> [u8; 8] {
    received.at.timestamp().div_euclid(RETRY_SPAN_S).to_be_bytes()
}

/// The key of one delivery for the inbox: a hash, so that no part can imitate another and none is too long.
fn delivery_key(received: &Received, parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let digest = hex::encode(hash.finalize());
    format!("alert:{}:{digest}", clean::cut(received.integration.as_str(), 180))
}
