//! (in progress)

/// A format in which documents are exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    Markdown,
    Html,
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
