//! Notes and the other entries of a timeline: `[time] [kind=…] [team=…] text`.
//!
//! A colon behind the time says that text follows, so `now: …` takes any text as it is.

use super::verbs::Verb;
use super::words::{blank_to_none, near, option, quoted, team_prefix, whole_team};
use super::{Context, Entry, NoteTyped, Problem, Reading, Unclear, Understood};
use crate::domain::civil::{Direction, TypedTime, leading_time};
use crate::domain::event::NoteKind;

/// The parts before the text.
#[derive(Clone, Debug, Default)]
struct Head {
    time: Option<TypedTime>,
    team: Option<String>,
    kind: Option<NoteKind>,
    by: Option<String>,
    /// A colon behind an option said that text follows.
    closed_by_option: bool,
}

impl Head {
    /// The options as they would be typed before a time.
    fn options(&self) -> String {
        let team = self.team.as_ref().map(|team| format!(" team=\"{team}\""));
        let by = self.by.as_ref().map(|by| format!(" by=\"{by}\""));
        let kind = self.kind.map(|kind| format!(" kind={}", kind_word(kind)));
        [team, by, kind].into_iter().flatten().collect()
    }
}

/// Most notes that one text becomes.
const NOTES_MAX: usize = 100;

const NOTE_OPTIONS: &[&str] = &["team", "kind"];
const DETECTED_OPTIONS: &[&str] = &["team", "by"];
const ENTRY_OPTIONS: &[&str] = &["team"];

/// One note; or several, where lines begin with a time: each such line begins a note, and lines without a time go on with
/// the one above them. `now` and an option with a colon, such as `kind=note:`, keep all lines together.
pub(super) fn notes(verb: Verb, kind: NoteKind, rest: &str, context: &Context<'_>) -> Reading<Vec<NoteTyped>> {
    let line = rest.trim();
    if !line.contains('\n') && unbulleted(line) == line {
        return note(verb, kind, line, context).map(|note| vec![note]);
    }
    let together = head(verb, rest, NOTE_OPTIONS, context)
        .is_ok_and(|(head, _)| head.closed_by_option || head.time.is_some_and(|time| time.when.at.is_none()));
    let pieces = if together { Vec::new() } else { pieces(rest, context) };
    if (1..=NOTES_MAX).contains(&pieces.len()) {
        return pieces.into_iter().map(|piece| note(verb, kind, piece, context)).collect();
    }
    note(verb, kind, rest, context).map(|note| vec![note])
}

/// The text cut before each line that begins with a time; nothing if none surely does.
fn pieces<'t>(text: &'t str, context: &Context<'_>) -> Vec<&'t str> {
    let (mut starts, mut sure, mut at) = (vec![0], false, 0);
    for line in text.split_inclusive('\n') {
        let begins = match leading_time(unbulleted(line), context.speaker(), Direction::Past) {
            Ok(Some((time, _))) => {
                let begins = time.closed || time.when.at.is_some();
                sure |= begins;
                begins
            }
            Ok(None) => false,
            Err(_) => true,
        };
        if begins && !text[..at].trim().is_empty() {
            starts.push(at);
        }
        at += line.len();
    }
    if !sure {
        return Vec::new();
    }
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    starts.iter().zip(ends).map(|(start, end)| unbulleted(&text[*start..end])).collect()
}

fn unbulleted(line: &str) -> &str {
    let line = line.trim();
    line.strip_prefix("- ")
        .or_else(|| line.strip_prefix("* "))
        .or_else(|| line.strip_prefix("• "))
        .unwrap_or(line)
        .trim_start()
}

fn note(verb: Verb, kind: NoteKind, rest: &str, context: &Context<'_>) -> Reading<NoteTyped> {
    let (head, text) = head(verb, rest, NOTE_OPTIONS, context)?;
    let kind = head.kind.unwrap_or(kind);
    if let Some(text) = blank_to_none(text) {
        Ok(NoteTyped { time: head.time, kind, team: head.team, text })
    } else {
        let understood = Understood { time: head.time, kind: Some(kind), ..Understood::default() };
        let problem = Problem::Missing { question: "What should the note say?" };
        Err(Box::new(Unclear { understood, problem, did_you_mean: Vec::new() }))
    }
}

/// An entry that says what happened by itself, so its text may be missing.
pub(super) fn entry(verb: Verb, rest: &str, context: &Context<'_>) -> Reading<Entry> {
    let (head, text) = head(verb, rest, ENTRY_OPTIONS, context)?;
    Ok(Entry { time: head.time, team: head.team, text: blank_to_none(text) })
}

/// The detection, and by whom or what.
pub(super) fn detected(rest: &str, context: &Context<'_>) -> Reading<(Entry, Option<String>)> {
    let (head, text) = head(Verb::Detected, rest, DETECTED_OPTIONS, context)?;
    Ok((Entry { time: head.time, team: head.team, text: blank_to_none(text) }, head.by))
}

fn head<'t>(verb: Verb, text: &'t str, options: &[&str], context: &Context<'_>) -> Reading<(Head, &'t str)> {
    let mut head = Head::default();
    let mut rest = text.trim_start();
    loop {
        if let Some(option) = option(rest, options) {
            match option.key.to_ascii_lowercase().as_str() {
                "team" if head.team.is_none() => head.team = Some(team(option.value, context)),
                "by" if head.by.is_none() => head.by = Some(option.value.to_owned()),
                "kind" if head.kind.is_none() => head.kind = Some(kind(option.value, verb, option.rest)?),
                // Said twice: the second belongs to the text.
                _ => break,
            }
            rest = option.rest;
            if option.closed {
                head.closed_by_option = true;
                break;
            }
            continue;
        }
        if head.time.is_some() {
            break;
        }
        match leading_time(rest, context.speaker(), Direction::Past) {
            Ok(Some((time, after))) => {
                let closed = time.closed;
                head.time = Some(time);
                rest = after;
                if closed {
                    break;
                }
            }
            Ok(None) => break,
            Err(unsure) => {
                let before = format!("{}{}", verb.word(), head.options());
                let mut unclear = Unclear::time(unsure.problem, &before, unsure.rest);
                unclear.understood.text = blank_to_none(unsure.rest);
                unclear.understood.kind = head.kind;
                return Err(unclear);
            }
        }
    }
    Ok((head, rest))
}

/// The key of the configured team that is meant, or the words as typed.
fn team(value: &str, context: &Context<'_>) -> String {
    let value = value.trim();
    let configured = whole_team(value, context.roster)
        .or_else(|| team_prefix(value, context.roster).and_then(|(team, rest)| rest.is_empty().then_some(team)));
    match configured {
        Some(key) => key.0,
        None => quoted(value).map_or(value, |(inner, _)| inner).to_owned(),
    }
}

const KINDS: [NoteKind; 6] =
    [NoteKind::Note, NoteKind::Action, NoteKind::Finding, NoteKind::RuledOut, NoteKind::Decision, NoteKind::Key];

fn kind_word(kind: NoteKind) -> &'static str {
    match kind {
        NoteKind::Note => "note",
        NoteKind::Action => "action",
        NoteKind::Finding => "finding",
        NoteKind::RuledOut => "ruled-out",
        NoteKind::Decision => "decision",
        NoteKind::Key => "key",
    }
}

fn kind(value: &str, verb: Verb, rest: &str) -> Reading<NoteKind> {
    let word = value.to_ascii_lowercase().replace(['_', ' '], "-");
    if let Some(kind) = KINDS.into_iter().find(|kind| kind_word(*kind) == word) {
        return Ok(kind);
    }
    let mut texts: Vec<String> = near(&word, KINDS.map(kind_word))
        .iter()
        .map(|kind| format!("{} kind={kind} {rest}", verb.word()).trim_end().to_owned())
        .collect();
    texts.push(format!("{} now: kind={value} {rest}", verb.word()).trim_end().to_owned());
    let mut unclear = Unclear::choices(Problem::UnknownNoteKind { word: value.to_owned() }, texts);
    unclear.understood.text = blank_to_none(rest);
    Err(unclear)
}
