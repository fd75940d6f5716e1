//! Mistakes in the configuration: all at once, each with its line, a caret and a way out.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is the matter, one sentence.
    pub sentence: String,
    /// Where, in bytes of the file; `None` for something that is missing as a whole.
    pub span: Option<Range<usize>>,
    /// A few words at the caret.
    pub label: String,
    /// The way out.
    pub hint: Option<String>,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.sentence)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, " {hint}"))
    }
}

impl Problem {
    pub(super) fn new(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), span: None, label: String::new(), hint: None }
    }

    #[must_use]
    pub(super) fn at(mut self, span: Range<usize>, label: impl Into<String>) -> Self {
        self.span = Some(span);
        self.label = label.into();
        self
    }

    #[must_use]
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// All mistakes of one file.
#[derive(Clone, Debug)]
pub struct Mistakes {
    path: PathBuf,
    /// The file's text, with secrets blotted out.
    source: String,
    problems: Vec<Problem>,
}

impl Mistakes {
    /// `source` must not hold a secret: it is shown.
    pub(super) fn new(path: &Path, source: &str, mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| problem.span.as_ref().map_or(usize::MAX, |span| span.start));
        Self { path: path.to_owned(), source: source.to_owned(), problems }
    }

    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The text for a terminal, in colour if `styled`.
    pub fn render(&self, styled: bool) -> String {
        let renderer = if styled { Renderer::styled() } else { Renderer::plain() };
        let path = self.path.display().to_string();
        let mut parts: Vec<String> = self.problems.iter().map(|problem| self.one(problem, &path, &renderer)).collect();
        let count = match self.problems.len() {
            1 => "1 mistake".to_owned(),
            n => format!("{n} mistakes"),
        };
        parts.push(format!("{count} in {path}."));
        parts.join("\n\n")
    }

    fn one(&self, problem: &Problem, path: &str, renderer: &Renderer) -> String {
        let mut group = Group::with_title(Level::ERROR.primary_title(problem.sentence.as_str()));
        if let Some(span) = &problem.span {
            let end = span.end.min(self.source.len());
            let annotation = AnnotationKind::Primary.span(span.start.min(end)..end).label(problem.label.as_str());
            group = group.element(Snippet::source(self.source.as_str()).path(path).annotation(annotation));
        }
        if let Some(hint) = &problem.hint {
            group = group.element(Level::HELP.message(hint.as_str()));
        }
        renderer.render(&[group])
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Mistakes {}
