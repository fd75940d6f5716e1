//! The timeline as documents print it: lines under headings, repeated words merged, each call folded into one line.

use chrono::{DateTime, TimeDelta, Utc};

use super::about::{Source, event, stopped};
use super::{Line, Sentence, Stretch};
use crate::domain::civil::format::date_with_weekday;
use crate::domain::event::{NoteKind, Recipient};
use crate::domain::timeline::calls::{Call, Ring};
use crate::domain::timeline::people::listed;
use crate::domain::timeline::{Entry, EntryKind};
use crate::ids::Seq;

const NO_ANSWER: &str = "no answer";
const AGAIN: &str = "called again ";

/// Which part of the incident a line belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Period {
    Before,
    During,
    Afterwards,
}

/// Whether documents give that entry a line of its own: everything that people and monitoring said, and what
/// Firebell did that changes the story. Its pages are folded into [`call`].
pub(super) fn is_told(entry: &Entry) -> bool {
    match entry.kind {
        EntryKind::Detected
        | EntryKind::Declared
        | EntryKind::Escalated
        | EntryKind::Mitigated
        | EntryKind::Resolved
        | EntryKind::Reopened
        | EntryKind::Canceled => true,
        EntryKind::Note
        | EntryKind::Action
        | EntryKind::Ack
        | EntryKind::Opened
        | EntryKind::Status
        | EntryKind::Severity
        | EntryKind::Title
        | EntryKind::Role
        | EntryKind::Update
        | EntryKind::Alert
        | EntryKind::Page => !entry.auto,
    }
}

/// The lines of the timeline, under headings where there is more than one day or period.
pub(super) fn stretches(source: &Source<'_>) -> Vec<Stretch> {
    let lines = merged(lines(source));
    let resolved = source.moments.resolved.and_then(|resolved| resolved.seq);
    let last = resolved.and_then(|seq| lines.iter().position(|line| line.seqs.contains(&seq)));
    let start_at = source.start().at;
    let period = |index: usize, line: &Line| {
        if last.is_some_and(|last| index > last) {
            Period::Afterwards
        } else if line.at < start_at {
            Period::Before
        } else {
            Period::During
        }
    };
    let periods: Vec<Period> = lines.iter().enumerate().map(|(index, line)| period(index, line)).collect();
    let several_days = source.days().len() > 1;
    let several_periods = periods.windows(2).any(|pair| pair[0] != pair[1]);
    let mut stretches: Vec<Stretch> = Vec::new();
    let mut current = None;
    for (line, period) in lines.into_iter().zip(periods) {
        let day = source.zone.day(line.at);
        if current != Some((period, day)) && (several_days || current.is_none_or(|(before, _)| before != period)) {
            let heading = heading(source, line.at, period, several_days, several_periods);
            stretches.push(Stretch { heading, lines: Vec::new() });
        }
        current = Some((period, day));
        if let Some(stretch) = stretches.last_mut() {
            stretch.lines.push(line);
        }
    }
    stretches
}

fn heading(source: &Source<'_>, at: DateTime<Utc>, period: Period, days: bool, periods: bool) -> Option<String> {
    let period = periods.then_some(match period {
        Period::Before => "Before",
        Period::During => "During",
        Period::Afterwards => "Afterwards",
    });
    let day = days.then(|| {
        let day = source.zone.day(at);
        let letters = if source.abbreviations().len() > 1 && !source.zone.changes_on(day) {
            format!(" ({})", source.zone.abbreviation(at))
        } else {
            String::new()
        };
        format!("{}{letters}", date_with_weekday(day))
    });
    match (period, day) {
        (Some(period), Some(day)) => Some(format!("{period} · {day}")),
        (Some(period), None) => Some(period.to_owned()),
        (None, day) => day,
    }
}

/// One line per told entry and per eventful call, sorted.
fn lines(source: &Source<'_>) -> Vec<Line> {
    let told = source.entries.iter().filter(|entry| is_told(entry)).map(|entry| line(entry, source));
    // What rang while the past was written down belongs to the writing, not to the story.
    let rang = source.calls.iter().filter(|call| call.is_eventful() && !source.incident.is_retrospective());
    let folded = rang.map(|call| folded(call, source));
    let mut lines: Vec<Line> = told.chain(folded).collect();
    lines.sort_by_key(|line| (line.at, line.seqs.first().copied()));
    lines
}

/// An entry as documents print it.
pub(super) fn line(entry: &Entry, source: &Source<'_>) -> Line {
    let team = entry.team.as_ref().map(|team| team.name.as_str());
    let (lead, named) = lead(entry, team);
    let text = match team {
        Some(team) if !named && !mentions(&entry.text, team) => format!("{team}: {}", entry.text),
        _ => entry.text.clone(),
    };
    let time = source.line_time(entry.at);
    Line {
        at: entry.at,
        time: if entry.approx { format!("about {time}") } else { time },
        kind: entry.kind,
        lead,
        text: stopped(&text),
        times: 1,
        seqs: vec![entry.seq],
        auto: entry.auto,
        key: entry.is_key(),
    }
}

/// The bold words before the text, and whether they name the team.
fn lead(entry: &Entry, team: Option<&str>) -> (Option<String>, bool) {
    let by = |word: &str| team.map_or_else(|| format!("{word}."), |team| format!("{word} by {team}."));
    let lead = match entry.kind {
        EntryKind::Detected => by("Detected"),
        EntryKind::Declared => by("Declared"),
        EntryKind::Escalated => team.map_or_else(|| "Escalated.".to_owned(), |team| format!("Escalated to {team}.")),
        EntryKind::Ack => by("Acknowledged"),
        EntryKind::Mitigated => by("Mitigated"),
        EntryKind::Resolved => by("Resolved"),
        EntryKind::Status => "Status.".to_owned(),
        EntryKind::Severity => "Severity.".to_owned(),
        EntryKind::Title => "Title.".to_owned(),
        EntryKind::Role => "Role.".to_owned(),
        EntryKind::Update => "Update.".to_owned(),
        EntryKind::Reopened => "Reopened.".to_owned(),
        EntryKind::Canceled => "Canceled.".to_owned(),
        EntryKind::Alert => "Alert.".to_owned(),
        EntryKind::Note | EntryKind::Action | EntryKind::Opened | EntryKind::Page => {
            return match entry.tag {
                Some(NoteKind::Finding) => (Some("Found.".to_owned()), false),
                Some(NoteKind::RuledOut) => (Some("Ruled out.".to_owned()), false),
                Some(NoteKind::Decision) => (Some("Decided.".to_owned()), false),
                Some(NoteKind::Note | NoteKind::Action | NoteKind::Key) | None => (None, false),
            };
        }
    };
    (Some(lead), true)
}

/// Whether the text names the team already.
fn mentions(text: &str, team: &str) -> bool {
    text.to_lowercase().contains(&team.to_lowercase())
}

/// Consecutive lines that say the same in the same minute become one.
fn merged(lines: Vec<Line>) -> Vec<Line> {
    let mut merged: Vec<Line> = Vec::with_capacity(lines.len());
    for line in lines {
        let minute = |at: DateTime<Utc>| at.timestamp().div_euclid(60);
        match merged.last_mut() {
            Some(last)
                if last.kind == line.kind
                    && last.lead == line.lead
                    && last.text == line.text
                    && minute(last.at) == minute(line.at)
                    && (last.approx(), last.auto) == (line.approx(), line.auto) =>
            {
                last.times += line.times;
                last.seqs.extend(line.seqs);
            }
            _ => merged.push(line),
        }
    }
    merged
}

impl Line {
    fn approx(&self) -> bool {
        self.time.starts_with("about ")
    }

    /// "×3" after something that was said three times.
    pub fn repeated(&self) -> String {
        if self.times > 1 { format!(" ×{}", self.times) } else { String::new() }
    }
}

fn folded(call: &Call, source: &Source<'_>) -> Line {
    let at = call.rings.first().map_or(call.called_at, |ring| ring.at);
    let own: Vec<Seq> = call
        .sources
        .iter()
        .copied()
        .filter(|seq| source.entries.iter().any(|entry| entry.seq == *seq && entry.auto && !is_told(entry)))
        .collect();
    Line {
        at,
        time: source.line_time(at),
        kind: EntryKind::Page,
        lead: None,
        text: self::call(call, source).text,
        times: 1,
        seqs: own,
        auto: true,
        key: true,
    }
}

/// "Payments team called 23:40, no answer, called again 23:45, answered 23:48."
pub(super) fn call(call: &Call, source: &Source<'_>) -> Sentence {
    let time = |at: DateTime<Utc>| source.line_time(at);
    let mut parts: Vec<(DateTime<Utc>, u8, String)> = Vec::new();
    let mut called = false;
    for (index, ring) in call.rings.iter().enumerate() {
        let order = if ring.tier == 0 { 5 } else { 1 };
        parts.push((ring.at, order, ring_words(ring, called, &time(ring.at))));
        called |= !ring.skipped;
        if ring.skipped {
            continue;
        }
        for paged in ring.pages.iter().filter(|page| page.not_reached.is_some()) {
            let why = paged.not_reached.as_deref().unwrap_or_default();
            parts.push((ring.at, 2, format!("{} not reached ({why})", source.people.recipients([&paged.to]))));
        }
        for paged in ring.pages.iter().filter(|page| matches!(page.to, Recipient::Contact { .. })) {
            if let Some(at) = paged.sent_at {
                parts.push((at, 2, format!("paged {} {}", source.people.recipients([&paged.to]), time(at))));
            }
        }
        if call.unanswered(index) {
            let until = call.rings.get(index + 1).map(|next| next.at).or(call.exhausted_at).unwrap_or(ring.at);
            parts.push((until, 0, NO_ANSWER.to_owned()));
        }
    }
    for (index, answer) in call.answers.iter().enumerate() {
        let word = if index == 0 { "answered" } else { "answered again" };
        parts.push((answer.at, 3, format!("{word} {}", time(answer.at))));
    }
    for at in &call.lapsed_at {
        parts.push((*at, 0, format!("no sign of activity by {}", time(*at))));
    }
    for at in &call.held_at {
        parts.push((*at, 0, format!("held {}, because it was too late to page without asking", time(*at))));
    }
    if let Some(at) = call.exhausted_at {
        parts.push((at, 4, format!("nobody left to call {}", time(at))));
    }
    if let Some(at) = call.stopped_at {
        parts.push((at, 4, format!("paging stopped {}", time(at))));
    }
    parts.sort_by_key(|part| (part.0, part.1));
    let words = condensed(parts.into_iter().map(|(_, _, words)| words).collect());
    let team = call.team.as_ref().map_or("A team", |team| team.name.as_str());
    Sentence::new(format!("{team} {}.", words.join(", ")), call.sources.iter().map(|seq| event(*seq)).collect())
}

/// "called again 23:45, no answer, called again 23:50, no answer" becomes "called again 23:45 and 23:50, no answer".
fn condensed(words: Vec<String>) -> Vec<String> {
    let mut out: Vec<String> = Vec::with_capacity(words.len());
    let mut times: Vec<String> = Vec::new();
    let mut words = words.into_iter().peekable();
    while let Some(word) = words.next() {
        let unanswered = words.peek().is_some_and(|next| next == NO_ANSWER);
        match word.strip_prefix(AGAIN) {
            Some(time) if unanswered => {
                times.push(time.to_owned());
                words.next();
            }
            _ => {
                out.extend(unanswered_again(&mut times));
                out.push(word);
            }
        }
    }
    out.extend(unanswered_again(&mut times));
    out
}

/// The calls gathered so far, as one.
fn unanswered_again(times: &mut Vec<String>) -> Vec<String> {
    let times = std::mem::take(times);
    if times.is_empty() { Vec::new() } else { vec![format!("{AGAIN}{}", listed(&times)), NO_ANSWER.to_owned()] }
}

fn ring_words(ring: &Ring, called: bool, time: &str) -> String {
    let late = ring.due_at.map(|due| ring.at - due).filter(|late| *late >= TimeDelta::seconds(60));
    let late = late.map_or_else(String::new, |late| {
        format!(" ({} late)", crate::domain::civil::format::duration_short(late.num_seconds()))
    });
    match (ring.skipped, ring.tier, called) {
        (true, _, _) => format!("tier {} skipped {time} (nobody in it could be paged)", ring.tier),
        (false, 0, _) => format!("last resort called {time}{late}"),
        (false, _, false) => format!("called {time}{late}"),
        (false, _, true) => format!("{AGAIN}{time}{late}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condense(words: &str) -> String {
        condensed(words.split(", ").map(str::to_owned).collect()).join(", ")
    }

    #[test]
    fn one_unanswered_call_after_another_is_told_once() {
        for (words, told) in [
            ("called 1, no answer, called again 2, answered 3", "called 1, no answer, called again 2, answered 3"),
            (
                "called 1, no answer, called again 2, no answer, called again 3, no answer, nobody left to call 4",
                "called 1, no answer, called again 2 and 3, no answer, nobody left to call 4",
            ),
            (
                "called 1, no answer, called again 2, no answer, called again 3, no answer, called again 4, answered 5",
                "called 1, no answer, called again 2 and 3, no answer, called again 4, answered 5",
            ),
            ("called 1, no answer, called again 2, no answer", "called 1, no answer, called again 2, no answer"),
        ] {
            assert_eq!(condense(words), told);
        }
    }
}
