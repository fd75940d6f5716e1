//! `task [@owner] [due fri] <text>`, where owner and date may also stand at the end; `task done 2`, `task remove 2`.
//! `task : <text>` takes any text as it is.

use chrono::NaiveDate;

use super::words::{self, blank_to_none, strip_phrase, word};
use super::{Context, Problem, Reading, Typed, Unclear, Understood};
use crate::domain::civil::due_date;
use crate::domain::reference;
use crate::ids::UserId;

pub(super) fn task(rest: &str, context: &Context<'_>) -> Reading {
    if let Some(text) = words::after_colon(rest) {
        return Ok(Typed::Task { text, owner: None, due_on: None });
    }
    if let Some(typed) = change(rest) {
        return Ok(typed);
    }
    let today = context.zone.date(context.now);
    let mut owner = None;
    let mut due_on = None;
    let mut text = rest.trim();
    loop {
        if owner.is_none()
            && (text.starts_with("me:") || strip_phrase(text, "me").is_none())
            && let Some((user, after)) = words::person(text, context).map_err(|unclear| with_text(unclear, rest))?
        {
            (owner, text) = (Some(user), after);
        } else if due_on.is_none()
            && let Some((date, after)) = leading_due(text, today)
        {
            (due_on, text) = (Some(date), after);
        } else {
            break;
        }
    }
    loop {
        if owner.is_none()
            && let Some((user, before)) = trailing_person(text, context)
        {
            (owner, text) = (Some(user), before);
        } else if due_on.is_none()
            && let Some((date, before)) = trailing_due(text, today)
        {
            (due_on, text) = (Some(date), before);
        } else {
            break;
        }
    }
    match blank_to_none(text) {
        Some(text) => Ok(Typed::Task { text, owner, due_on }),
        None => Err(Unclear::missing("What is to be done?")),
    }
}

fn with_text(mut unclear: Box<Unclear>, text: &str) -> Box<Unclear> {
    unclear.understood = Understood { text: blank_to_none(text), ..unclear.understood };
    if let Problem::UnknownPerson { word, near } = &unclear.problem {
        let corrected = near.iter().map(|name| format!("task {}", text.replacen(word.as_str(), name, 1)));
        unclear.did_you_mean = corrected.collect();
    }
    unclear
}

/// `done 2`, `2 done`, `reopen 2`, `remove 2`: a word and a number, nothing else.
fn change(rest: &str) -> Option<Typed> {
    let (first, second) = word(rest);
    let number = |word: &str| {
        let digits = word.trim_start_matches('#');
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<u32>().ok()).flatten()
    };
    let (verb, task) = match (number(first), number(second)) {
        (None, Some(task)) => (first, task),
        (Some(task), None) => (second, task),
        _ => return None,
    };
    match verb.to_ascii_lowercase().as_str() {
        "done" | "finish" | "finished" => Some(Typed::TaskDone { task, done: true }),
        "reopen" | "undone" => Some(Typed::TaskDone { task, done: false }),
        "remove" | "delete" => Some(Typed::TaskRemoved { task }),
        _ => None,
    }
}

fn leading_due(text: &str, today: NaiveDate) -> Option<(NaiveDate, &str)> {
    let rest = text.strip_prefix("due=").or_else(|| strip_phrase(text, "due")).or_else(|| strip_phrase(text, "by"))?;
    due_date(rest, today)
}

/// The last "due …" or "by …" whose date reaches to the end.
fn trailing_due(text: &str, today: NaiveDate) -> Option<(NaiveDate, &str)> {
    let starts = text.char_indices().filter(|(at, _)| text[..*at].ends_with(char::is_whitespace)).map(|(at, _)| at);
    starts.collect::<Vec<_>>().into_iter().rev().find_map(|start| {
        let (date, rest) = leading_due(&text[start..], today)?;
        rest.is_empty().then(|| (date, text[..start].trim_end()))
    })
}

/// A mention that is the last word.
fn trailing_person<'t>(text: &'t str, context: &Context<'_>) -> Option<(UserId, &'t str)> {
    let start = text.rfind(char::is_whitespace)? + 1;
    let last = text.get(start..).filter(|last| last.starts_with(['@', '<', reference::MARK]))?;
    let (user, rest) = words::person(last, context).ok().flatten()?;
    rest.is_empty().then(|| (user, text[..start].trim_end()))
}
