//! Why a command was refused, in the person's words: a sentence, and the way out.

use serde::{Deserialize, Serialize};

/// A refusal. Shown to the person who asked, never logged as a failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    pub kind: RejectionKind,
    /// What is the matter, one sentence.
    pub sentence: String,
    /// The way out, one sentence.
    pub hint: Option<String>,
}

/// What sort of refusal it is: decides the HTTP status for machines and whether a form is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RejectionKind {
    NotAllowed,
    NotFound,
    Invalid,
    /// It does not fit the present state, such as resolving twice.
    Conflict,
}

impl Rejection {
    pub fn new(kind: RejectionKind, sentence: impl Into<String>) -> Self {
        Self { kind, sentence: sentence.into(), hint: None }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
