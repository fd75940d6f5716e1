//! The formats in which a document is written. How each looks is the matter of whoever writes it.

use serde::{Deserialize, Serialize};

/// What a document is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Format {
    #[serde(rename = "md")]
    Markdown,
    #[serde(rename = "html")]
    Html,
    #[serde(rename = "json")]
    Json,
}

impl Format {
    pub const ALL: [Self; 3] = [Self::Markdown, Self::Html, Self::Json];

    /// The word people type, also the file's extension.
    pub fn word(self) -> &'static str {
        match self {
            Self::Markdown => "md",
            Self::Html => "html",
            Self::Json => "json",
        }
    }

    /// What people call it: "Markdown".
    pub fn name(self) -> &'static str {
        match self {
            Self::Markdown => "Markdown",
            Self::Html => "HTML",
            Self::Json => "JSON",
        }
    }

    /// `md`, `markdown`, `HTML`, `.json`.
    pub fn parse(word: &str) -> Option<Self> {
        let word = word.trim().trim_start_matches('.').to_ascii_lowercase();
        match word.as_str() {
            "markdown" => Some(Self::Markdown),
            "htm" => Some(Self::Html),
            _ => Self::ALL.into_iter().find(|format| format.word() == word),
        }
    }
}
