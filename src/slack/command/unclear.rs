//! What is said of a text that cannot be carried out as it stands: what was understood, and what is missing.

use super::OpenTyped;
use crate::domain::civil::{TimeProblem, TypedTime};
use crate::domain::event::NoteKind;
use crate::domain::incident::{Role, Severity};
use crate::ids::TeamKey;

/// A text that is not clear. Never a usage text: a form opens, filled with what was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unclear {
    pub understood: Understood,
    pub problem: Problem,
    /// Texts to type after the slash command instead, likeliest first.
    pub did_you_mean: Vec<String>,
}

/// The parts that could be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Understood {
    /// The verb's usual spelling.
    pub verb: Option<&'static str>,
    pub incident: Option<i64>,
    pub title: Option<String>,
    pub severity: Option<Severity>,
    pub private: bool,
    pub retrospective: bool,
    pub time: Option<TypedTime>,
    pub team: Option<TeamKey>,
    pub kind: Option<NoteKind>,
    pub role: Option<Role>,
    /// The text of a note, the reason of a call, or whatever was typed.
    pub text: Option<String>,
}

impl Understood {
    pub(super) fn of_open(open: OpenTyped) -> Self {
        Self {
            title: Some(open.title).filter(|title| !title.is_empty()),
            severity: open.severity,
            private: open.private,
            retrospective: open.retrospective,
            time: open.detected,
            team: open.team,
            ..Self::default()
        }
    }
}

/// What is the matter with a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    UnknownVerb {
        word: String,
    },
    /// Something must still be said: the question.
    Missing {
        question: &'static str,
    },
    UnknownTeam {
        word: String,
    },
    UnknownPerson {
        word: String,
        near: Vec<String>,
    },
    UnknownSeverity {
        word: String,
    },
    UnknownStatus {
        word: String,
    },
    UnknownRole {
        word: String,
    },
    UnknownNoteKind {
        word: String,
    },
    UnknownImpactKind {
        word: String,
    },
    UnknownFormat {
        word: String,
    },
    UnreadableTime {
        text: String,
    },
    Time(TimeProblem),
    /// The command is complete, but more was typed.
    LeftOver {
        text: String,
    },
}

impl Problem {
    /// One sentence or question for the person.
    pub fn sentence(&self) -> String {
        match self {
            Self::UnknownVerb { word } => format!("I don't know what to do with \"{word}\"."),
            Self::Missing { question } => (*question).to_owned(),
            Self::UnknownTeam { word } => format!("There is no team \"{word}\". Which team?"),
            Self::UnknownPerson { word, near } => match near.first() {
                Some(near) => format!("I know nobody called \"{word}\". Did you mean {near}?"),
                None => format!("I know nobody called \"{word}\". Pick the person from Slack's list after typing @."),
            },
            Self::UnknownSeverity { word } => format!("\"{word}\" is no severity. They go from SEV1 to SEV4."),
            Self::UnknownStatus { word } => format!("\"{word}\" is no status. Which one?"),
            Self::UnknownRole { word } => format!("\"{word}\" is no role. Which one?"),
            Self::UnknownNoteKind { word } => {
                format!("\"{word}\" is no kind of note. They are finding, ruled-out, decision, action and key.")
            }
            Self::UnknownImpactKind { word } => {
                format!("\"{word}\" is no kind of impact. They are outage, degradation, data loss, security and risk.")
            }
            Self::UnknownFormat { word } => format!("I cannot export \"{word}\". I can export md, html and json."),
            Self::UnreadableTime { text } => {
                format!("I can't read \"{text}\" as a time. Try 3:05pm, 15:05, -10m or yesterday 23:50.")
            }
            Self::Time(problem) => problem.sentence(),
            Self::LeftOver { text } => format!("I don't know what to do with the rest: \"{text}\"."),
        }
    }
}

impl Unclear {
    /// The way out, for who cannot be shown a form or a near match; `None` where the sentence says it.
    pub fn way_out(&self, command: &str) -> Option<String> {
        match &self.problem {
            Problem::Missing { .. } => {
                let verb = self.understood.verb.map(|verb| format!(" {verb}")).unwrap_or_default();
                Some(format!("Type it behind the command: {command}{verb} …"))
            }
            Problem::Time(_) => Some("Try 3:05pm, 15:05, -10m or yesterday 23:50.".to_owned()),
            Problem::UnreadableTime { .. } | Problem::UnknownPerson { .. } => None,
            Problem::UnknownVerb { .. }
            | Problem::UnknownTeam { .. }
            | Problem::UnknownSeverity { .. }
            | Problem::UnknownStatus { .. }
            | Problem::UnknownRole { .. }
            | Problem::UnknownNoteKind { .. }
            | Problem::UnknownImpactKind { .. }
            | Problem::UnknownFormat { .. }
            | Problem::LeftOver { .. } => Some("/incident help shows what there is.".to_owned()),
        }
    }

    /// Puts words in front of every text that is offered.
    pub(super) fn offer_behind(&mut self, words: &str) {
        for text in &mut self.did_you_mean {
            text.insert_str(0, &format!("{words} "));
        }
    }

    pub(super) fn plain(problem: Problem) -> Box<Self> {
        Box::new(Self { understood: Understood::default(), problem, did_you_mean: Vec::new() })
    }

    pub(super) fn missing(question: &'static str) -> Box<Self> {
        Self::plain(Problem::Missing { question })
    }

    pub(super) fn choices(problem: Problem, texts: impl IntoIterator<Item = impl Into<String>>) -> Box<Self> {
        let did_you_mean = texts.into_iter().map(Into::into).collect();
        Box::new(Self { understood: Understood::default(), problem, did_you_mean })
    }

    /// Offers the text again with each moment that may be meant.
    pub(super) fn time(problem: TimeProblem, before: &str, after: &str) -> Box<Self> {
        let texts: Vec<String> = problem
            .choices()
            .iter()
            .map(|choice| {
                let text = if after.is_empty() { String::new() } else { format!(": {after}") };
                format!("{before} {}{text}", choice.typed)
            })
            .collect();
        Self::choices(Problem::Time(problem), texts)
    }
}
