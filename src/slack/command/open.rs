//! `open [sev2] [private] [retro] [detected=-10m] [by=monitoring] [team=x] <title>`.
//!
//! Options stand before the title or behind it and are taken once each; in the middle they are words of the title. A title
//! in quotes is taken as it is.

use super::words::{self, Opt, blank_to_none, looks_like_severity, near_teams, option, quoted, word};
use super::{Context, OpenTyped, Problem, Reading, Typed, Unclear, Understood};
use crate::domain::civil::{Direction, whole_time};
use crate::domain::incident::Severity;

const KEYS: &[&str] = &["detected", "by", "team", "severity", "sev"];

/// What people put before an option, as in a shell; some keyboards make one of two.
const DASHES: [char; 3] = ['-', '–', '—'];
/// Words after which "private" at the end of a title also belongs to its sentence, so that it stays there.
const SENTENCE_WORDS: &[&str] = &[
    "a", "an", "the", "is", "are", "was", "were", "be", "been", "not", "no", "longer", "as", "stay", "stays", "and",
    "or", "to", "of", "in", "made", "marked", "went", "now", "still",
];

pub(super) fn open(text: &str, context: &Context<'_>) -> Reading {
    let mut open = OpenTyped::default();
    let text = text.trim();
    if text.is_empty() {
        return Ok(Typed::OpenForm);
    }
    let result = front(&mut open, text, context).and_then(|rest| back(&mut open, rest, context));
    match result {
        Ok(title) => {
            open.title = one_line(title);
            if open.title.is_empty() {
                let understood = Understood::of_open(open);
                let problem = Problem::Missing { question: "What is wrong? A few words are enough." };
                return Err(Box::new(Unclear { understood, problem, did_you_mean: Vec::new() }));
            }
            Ok(Typed::Open(open))
        }
        Err(mut unclear) => {
            unclear.understood = Understood::of_open(open);
            unclear.understood.text = Some(text.to_owned());
            Err(unclear)
        }
    }
}

/// Takes the options before the title.
fn front<'t>(open: &mut OpenTyped, text: &'t str, context: &Context<'_>) -> Reading<&'t str> {
    let mut rest = text;
    loop {
        if let Some(option) = option(rest, KEYS) {
            if !valued(open, &option, context)? {
                return Ok(rest);
            }
            rest = option.rest;
            continue;
        }
        let (first, after) = word(rest);
        let bare = first.trim_end_matches([':', ',']);
        let taken = match bare.trim_start_matches(DASHES).to_ascii_lowercase().as_str() {
            "private" if !open.private => {
                open.private = true;
                true
            }
            "retro" | "record" | "retrospective" if !open.retrospective => {
                open.retrospective = true;
                true
            }
            _ => open.severity.is_none() && severity(open, bare, after)?,
        };
        if !taken {
            // "sev2 - checkout is slow"
            let dashed = ["- ", "– ", "— ", ": "].iter().find_map(|dash| rest.strip_prefix(dash));
            return Ok(dashed.filter(|_| rest.len() < text.len()).unwrap_or(rest));
        }
        rest = after;
    }
}

/// Takes the options behind the title, the last one first.
fn back<'t>(open: &mut OpenTyped, text: &'t str, context: &Context<'_>) -> Reading<&'t str> {
    let mut title = text;
    while let Some(start) = last_piece(title) {
        let piece = &title[start..];
        let before = title[..start].trim_end();
        if let Some(option) = option(piece, KEYS) {
            if !option.rest.is_empty() || !valued(open, &option, context)? {
                break;
            }
        } else if looks_like_severity(piece) && open.severity.is_none() {
            if !severity(open, piece, before)? {
                break;
            }
        } else if piece.trim_start_matches(DASHES).eq_ignore_ascii_case("private")
            && !open.private
            && !before.is_empty()
        {
            open.private = true;
            let previous = before.rsplit(char::is_whitespace).next().unwrap_or_default().to_lowercase();
            if SENTENCE_WORDS.contains(&previous.as_str()) {
                break;
            }
        } else if matches!(piece.to_ascii_lowercase().as_str(), "retro" | "retrospective")
            && !open.retrospective
            && !before.is_empty()
        {
            open.retrospective = true;
        } else {
            break;
        }
        title = before;
    }
    let title =
        if title.len() < text.len() { title.trim_end_matches([',', ';', ' ', '-', '–', '—']) } else { title };
    Ok(match quoted(title) {
        Some((inner, "")) => inner.trim(),
        _ => title,
    })
}

/// Where the last word begins, or the last option with a quoted value.
fn last_piece(text: &str) -> Option<usize> {
    if text.is_empty() {
        return None;
    }
    let last = text.char_indices().rev().find(|(_, c)| c.is_whitespace()).map_or(0, |(at, c)| at + c.len_utf8());
    if text.ends_with(['"', '”', '“', '»', '\'', '’', '‘']) {
        let begins = text.char_indices().filter(|(at, _)| *at == 0 || text[..*at].ends_with(char::is_whitespace));
        let quoted_option = begins
            .map(|(at, _)| at)
            .filter(|at| *at < last)
            .find(|at| option(&text[*at..], KEYS).is_some_and(|option| option.rest.is_empty()));
        return Some(quoted_option.unwrap_or(last));
    }
    Some(last)
}

/// Takes a word that looks like a severity; one that does not exist is a question.
fn severity(open: &mut OpenTyped, word: &str, rest: &str) -> Reading<bool> {
    if !looks_like_severity(word) {
        return Ok(false);
    }
    match words::severity(word) {
        Some(severity) => {
            open.severity = Some(severity);
            Ok(true)
        }
        None => Err(Unclear::choices(
            Problem::UnknownSeverity { word: word.to_owned() },
            Severity::ALL.map(|severity| format!("open {} {rest}", severity.to_string().to_lowercase())),
        )),
    }
}

/// Takes an option with a value; `false` if it was given before.
fn valued(open: &mut OpenTyped, option: &Opt<'_>, context: &Context<'_>) -> Reading<bool> {
    let value = option.value.trim();
    match option.key.to_ascii_lowercase().as_str() {
        "detected" if open.detected.is_none() => match whole_time(value, context.speaker(), Direction::Past) {
            Ok(Some(time)) => open.detected = Some(time),
            Ok(None) => return Err(Unclear::plain(Problem::UnreadableTime { text: value.to_owned() })),
            Err(problem) => return Err(Unclear::plain(Problem::Time(problem))),
        },
        "by" if open.by.is_none() => open.by = blank_to_none(value),
        "team" if open.team.is_none() => {
            if let Some(team) = words::whole_team(value, context.roster) {
                open.team = Some(team);
            } else {
                let near =
                    near_teams(value, context.roster).into_iter().map(|key| format!("open team={key} {}", option.rest));
                return Err(Unclear::choices(Problem::UnknownTeam { word: value.to_owned() }, near));
            }
        }
        "severity" | "sev" if open.severity.is_none() => match Severity::parse(value) {
            Some(severity) => open.severity = Some(severity),
            None => return Err(Unclear::plain(Problem::UnknownSeverity { word: value.to_owned() })),
        },
        _ => return Ok(false),
    }
    Ok(true)
}

/// A title is one line: breaks become blanks.
fn one_line(title: &str) -> String {
    title.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}
