//! The sections of the document, told by fixed rules from events and one-line fields.
//!
//! What people wrote is never re-cased and never bent into grammar: it follows a label, or stands where any noun can.

use chrono::{Datelike as _, NaiveDate};

use super::about::{Source, event, field, sources_of, stopped, unstopped};
use super::figures::Moment;
use super::{Block, KeyFigure, MomentRow, Section, Sentence, TaskLine, lint, observations, story};
use crate::domain::civil::format::{counted, date, date_without_year, duration, duration_short};
use crate::domain::incident::{Field, Status};
use crate::domain::timeline::people::listed;

const NOT_RECORDED: &str = "not recorded";

/// A day after another; the year is told again only if it changes.
fn later_date(first: NaiveDate, later: NaiveDate) -> String {
    if first.year() == later.year() { date_without_year(later) } else { date(later) }
}

/// "On April 2nd, 2023, from 3:00 PM to 5:00 PM EDT (2 hours)".
pub(super) fn when(source: &Source<'_>) -> String {
    let zone = source.zone;
    let start = source.start().at;
    let (start_day, start_time, start_letters) = (zone.day(start), zone.time(start), zone.abbreviation(start));
    let Some(end) = source.end().map(|end| end.at.max(start)) else {
        let as_of = source.now.max(start);
        let (day, time) = (zone.day(as_of), zone.time_with_zone(as_of));
        return if day == start_day {
            format!("On {}, since {start_time} {start_letters} (ongoing, as of {time})", date(start_day))
        } else {
            let day = later_date(start_day, day);
            format!("Since {}, {start_time} {start_letters} (ongoing, as of {day}, {time})", date(start_day))
        };
    };
    let (end_day, end_time, end_letters) = (zone.day(end), zone.time(end), zone.abbreviation(end));
    let letters = if start_letters == end_letters { String::new() } else { format!(" {start_letters}") };
    let lasted = duration((end - start).num_seconds());
    if start_day == end_day {
        format!("On {}, from {start_time}{letters} to {end_time} {end_letters} ({lasted})", date(start_day))
    } else {
        let until = later_date(start_day, end_day);
        format!("From {}, {start_time}{letters} to {until}, {end_time} {end_letters} ({lasted})", date(start_day))
    }
}

/// "All times in EDT, America/New_York (UTC−04:00)."
pub(super) fn zone_note(source: &Source<'_>) -> String {
    let (zone, letters) = (source.zone, source.abbreviations());
    let with_offset = |(letters, at): &(String, chrono::DateTime<chrono::Utc>)| {
        let offset = zone.offset(*at);
        if offset == *letters { letters.clone() } else { format!("{letters} ({offset})") }
    };
    match letters.as_slice() {
        [only] => {
            let (letters, offset) = (&only.0, zone.offset(only.1));
            let name = if letters == zone.name() { String::new() } else { format!(", {}", zone.name()) };
            let offset = if offset == *letters { String::new() } else { format!(" ({offset})") };
            format!("All times in {letters}{name}{offset}.")
        }
        several => {
            let several: Vec<String> = several.iter().map(with_offset).collect();
            format!("All times in {}: {}.", zone.name(), several.join(", then "))
        }
    }
}

/// The sections in their order, before anything that people wrote instead.
pub(super) fn sections(source: &Source<'_>) -> Vec<Section> {
    let section = |key: &str, heading: &str, blocks: Vec<Block>| Section {
        key: key.to_owned(),
        heading: heading.to_owned(),
        blocks,
        written: None,
    };
    vec![
        section("summary", "Issue Summary", vec![Block::Paragraph(summary(source))]),
        section("timeline", "Timeline", timeline(source)),
        section("numbers", "Response in numbers", numbers(source)),
        section("root_cause", "Root cause and resolution", root_cause(source)),
        section("measures", "Corrective and preventative measures", measures(source)),
        section("tasks", "Tasks", tasks(source)),
        section("conclusion", "Conclusion", vec![Block::Paragraph(conclusion(source))]),
    ]
}

fn summary(source: &Source<'_>) -> Vec<Sentence> {
    let mut sentences = vec![opening(source)];
    if let Some(detail) = source.field(Field::AffectedDetail) {
        sentences.push(Sentence::new(stopped(&detail), vec![field(Field::AffectedDetail)]));
    }
    let told = [Field::Affected, Field::AffectedDetail].iter().all(|known| source.field(*known).is_some());
    if let Some(impact) = source.field(Field::Impact).filter(|_| !told) {
        sentences.push(Sentence::labelled("Impact:", stopped(&impact), vec![field(Field::Impact)]));
    }
    sentences.extend(root_cause_sentence(source));
    sentences.extend(detection(source));
    sentences
}

/// "{when}, {service} experienced {kind} that affected {affected}."
fn opening(source: &Source<'_>) -> Sentence {
    let mut sources = source.start().sources;
    sources.extend(source.end().map(|end| end.sources).unwrap_or_default());
    let mut take = |wanted: Field| {
        let text = source.field(wanted)?;
        sources.push(field(wanted));
        Some(unstopped(&text).to_owned())
    };
    let (service, kind, affected) = (take(Field::Service), take(Field::ImpactKind), take(Field::Affected));
    let kind = kind.map(|kind| match kind.to_lowercase().as_str() {
        "outage" => "a service outage".to_owned(),
        "degradation" => "degraded service".to_owned(),
        "data loss" | "data_loss" => "a loss of data".to_owned(),
        "security" => "a security incident".to_owned(),
        "risk" => "a raised risk".to_owned(),
        _ => format!("an incident ({kind})"),
    });
    let that_affected = affected.map_or_else(String::new, |affected| format!(" that affected {affected}"));
    let what = match (service, kind) {
        (Some(service), kind) => {
            let kind = kind.unwrap_or_else(|| "an incident".to_owned());
            format!("{service} experienced {kind}{that_affected}")
        }
        (None, Some(kind)) => format!("there was {kind}{that_affected}"),
        (None, None) => format!("there was an incident{that_affected}"),
    };
    Sentence::new(format!("{}, {what}.", when(source)), sources)
}

fn root_cause_sentence(source: &Source<'_>) -> Option<Sentence> {
    let cause = source.field(Field::RootCause)?;
    Some(Sentence::labelled("Root cause:", stopped(&cause), vec![field(Field::RootCause)]))
}

/// "It was detected by monitoring at once."
fn detection(source: &Source<'_>) -> Option<Sentence> {
    let (by, mut sources) = source.detected_by()?;
    let after = source.figures.time_to_detect_s.map_or_else(String::new, |seconds| {
        sources.push("field:impact_start".to_owned());
        sources.extend(source.moments.detected.into_iter().flat_map(sources_of));
        sources.dedup();
        format!(" {}", detected_words(seconds))
    });
    let by = match by.to_lowercase().as_str() {
        "monitoring" | "monitor" | "alert" => "monitoring",
        "user" | "users" | "customer" | "customers" => "a user report",
        "engineer" | "team" => "a member of the team",
        _ => {
            let text = format!("{}{after}", unstopped(&by));
            return Some(Sentence::labelled("Detected by:", stopped(&text), sources));
        }
    };
    Some(Sentence::new(format!("It was detected by {by}{after}."), sources))
}

/// "at once", "3 minutes after it began", "3 hours before users were affected".
fn detected_words(seconds: i64) -> String {
    match seconds {
        ..=-60 => format!("{} before users were affected", duration(seconds)),
        -59..=59 => "at once".to_owned(),
        _ => format!("{} after it began", duration(seconds)),
    }
}

fn timeline(source: &Source<'_>) -> Vec<Block> {
    let note = Block::Paragraph(vec![Sentence::new(zone_note(source), Vec::new())]);
    let stretches = story::stretches(source);
    if stretches.is_empty() {
        return vec![note, nothing("Nothing has been recorded yet.")];
    }
    vec![note, Block::Timeline(stretches)]
}

fn numbers(source: &Source<'_>) -> Vec<Block> {
    let mut blocks = vec![Block::Paragraph(vec![in_one_line(source)]), Block::Moments(moments(source))];
    let observations = observations::observations(source);
    if !observations.is_empty() {
        blocks.push(Block::List(observations));
    }
    blocks
}

/// "Detected at once · First escalation 5 minutes · Acknowledged: not recorded · …"
fn in_one_line(source: &Source<'_>) -> Sentence {
    let (figures, moments) = (source.figures, source.moments);
    let mut parts = Vec::new();
    let part = |name: &str, seconds: Option<i64>| {
        seconds.map_or_else(|| format!("{name}: {NOT_RECORDED}"), |seconds| format!("{name} {}", span_words(seconds)))
    };
    parts.push(match (figures.time_to_detect_s, moments.detected) {
        (Some(seconds @ ..=-60), _) => format!("Detected {}", detected_words(seconds)),
        (Some(seconds @ 60..), _) => format!("Detected after {}", duration(seconds)),
        (Some(_), _) => "Detected at once".to_owned(),
        (None, Some(_)) => "Detected: start of the impact not recorded".to_owned(),
        (None, None) => format!("Detected: {NOT_RECORDED}"),
    });
    if figures.time_to_declare_s.is_some() {
        parts.push(part("Declared", figures.time_to_declare_s));
    }
    parts.push(part("First escalation", figures.time_to_first_escalation_s));
    parts.push(part("Acknowledged", figures.time_to_ack_s));
    parts.push(part("Mitigated", figures.time_to_mitigate_s));
    parts.push(part("Resolved", figures.time_to_resolve_s));
    let named = [moments.detected, moments.declared, moments.escalated, moments.acknowledged];
    let ends = [moments.mitigated.first().copied(), moments.resolved];
    let sources = named.into_iter().chain(ends).flatten().flat_map(sources_of).collect();
    Sentence::new(format!("{}.", parts.join(" · ")), sources)
}

/// "at once", "5 minutes", "5 minutes before".
fn span_words(seconds: i64) -> String {
    match seconds {
        ..=-60 => format!("{} before", duration(seconds)),
        -59..=59 => "at once".to_owned(),
        _ => duration(seconds),
    }
}

/// "5 minutes after detection", "5 minutes before detection", "at once".
fn since(seconds: Option<i64>, base: &str) -> String {
    match seconds {
        None => String::new(),
        Some(seconds @ ..=-60) => format!("{} before {base}", duration(seconds)),
        Some(-59..=59) => "at once".to_owned(),
        Some(seconds) => format!("{} after {base}", duration(seconds)),
    }
}

fn moments(source: &Source<'_>) -> Vec<MomentRow> {
    let (moments, figures) = (source.moments, source.figures);
    let row = |name: &'static str, moment: Option<Moment>, after: String| {
        let about = if moment.is_some_and(|moment| moment.approx) { "about " } else { "" };
        MomentRow {
            name,
            time: moment
                .map_or_else(|| NOT_RECORDED.to_owned(), |moment| format!("{about}{}", source.full_time(moment.at))),
            after,
            sources: moment.into_iter().flat_map(sources_of).collect(),
        }
    };
    let impact = |moment: Option<Moment>, name: &str| {
        let after = match (moment, moments.impact_start) {
            (Some(end), Some(start)) if name == "impact_end" => {
                since(Some((end.at - start.at).num_seconds()), "the impact began")
            }
            _ => String::new(),
        };
        (moment, after, moment.map(|_| format!("field:{name}")).into_iter().collect::<Vec<_>>())
    };
    let detected = match figures.time_to_detect_s {
        Some(seconds @ ..=-60) => detected_words(seconds),
        other => since(other, "the impact began"),
    };
    let base = if moments.impact_start.is_some() { "the impact began" } else { "detection" };
    let called = match (moments.detected, moments.escalated) {
        (Some(detected), Some(escalated)) if escalated.at < detected.at => "the first call",
        (None, Some(_)) => "the first call",
        _ => "detection",
    };
    let (started, _, started_sources) = impact(moments.impact_start, "impact_start");
    let mut rows = vec![
        MomentRow { sources: started_sources, ..row("Impact began", started, String::new()) },
        row("Detected", moments.detected, detected),
        row("Declared", moments.declared, since(figures.time_to_declare_s, "detection")),
        row("First team called", moments.escalated, since(figures.time_to_first_escalation_s, "detection")),
        row("Acknowledged", moments.acknowledged, since(figures.time_to_ack_s, called)),
        row("Mitigated", moments.mitigated.first().copied(), since(figures.time_to_mitigate_s, base)),
    ];
    if let Some((ended, after, sources)) = moments.impact_end.map(|end| impact(Some(end), "impact_end")) {
        rows.push(MomentRow { sources, ..row("Impact ended", ended, after) });
    }
    rows.push(row("Resolved", moments.resolved, since(figures.time_to_resolve_s, base)));
    rows
}

fn root_cause(source: &Source<'_>) -> Vec<Block> {
    let resolution = source
        .field(Field::Resolution)
        .map(|text| Sentence::labelled("Resolution:", stopped(&text), vec![field(Field::Resolution)]));
    let sentences: Vec<Sentence> = root_cause_sentence(source).into_iter().chain(resolution).collect();
    if sentences.is_empty() {
        return vec![nothing("Not stated yet.")];
    }
    sentences.into_iter().map(|sentence| Block::Paragraph(vec![sentence])).collect()
}

fn measures(source: &Source<'_>) -> Vec<Block> {
    let measures = source.incident.measures.iter().enumerate().map(|(index, text)| {
        Sentence::new(stopped(&source.people.readable(text)), vec![format!("measure:{}", index + 1)])
    });
    let measures: Vec<Sentence> = measures.collect();
    if measures.is_empty() { vec![nothing("None stated yet.")] } else { vec![Block::List(measures)] }
}

fn tasks(source: &Source<'_>) -> Vec<Block> {
    let tasks: Vec<TaskLine> = source
        .incident
        .tasks
        .iter()
        .map(|task| TaskLine {
            number: task.number,
            text: source.people.readable(&task.text),
            owner: task.owner.as_ref().map(|owner| source.people.person(owner)),
            due_on: task.due_on,
            done: task.done,
        })
        .collect();
    if tasks.is_empty() { vec![nothing("None yet.")] } else { vec![Block::Tasks(tasks)] }
}

fn nothing(words: &str) -> Block {
    Block::Paragraph(vec![Sentence::new(words, Vec::new())])
}

fn conclusion(source: &Source<'_>) -> Vec<Sentence> {
    let mut sentences = vec![lasted(source)];
    sentences.extend(root_cause_sentence(source));
    if !source.figures.teams.is_empty() {
        let calls = source.entries.iter().filter(|entry| entry.kind == crate::domain::timeline::EntryKind::Escalated);
        let sources = calls.map(|entry| event(entry.seq)).collect();
        let teams = stopped(&listed(&source.figures.teams));
        sentences.push(Sentence::labelled("Called in:", teams, sources));
    }
    sentences.extend(agreed(source));
    sentences
}

fn lasted(source: &Source<'_>) -> Sentence {
    if source.incident.status == Status::Canceled {
        return Sentence::new("The incident was canceled.", Vec::new());
    }
    let base = if source.moments.impact_start.is_some() { "the start of the impact" } else { "detection" };
    match (source.figures.time_to_resolve_s, source.moments.resolved) {
        (Some(seconds), Some(resolved)) => {
            let mut sources = source.start().sources;
            sources.extend(sources_of(resolved));
            let lasted = duration(seconds);
            Sentence::new(format!("The incident lasted {lasted} from {base} to resolution."), sources)
        }
        (None, Some(resolved)) => {
            Sentence::new("The incident has been resolved; its beginning is not recorded.", sources_of(resolved))
        }
        (_, None) => Sentence::new("The incident has not been resolved yet.", Vec::new()),
    }
}

/// "4 tasks have been agreed to prevent a recurrence; none is done yet."
fn agreed(source: &Source<'_>) -> Option<Sentence> {
    let tasks = &source.incident.tasks;
    let done = tasks.iter().filter(|task| task.done).count();
    let state = match (tasks.len(), done) {
        (0, _) => return None,
        (1, 0) => "it is not done yet".to_owned(),
        (1, _) => "it is done".to_owned(),
        (_, 0) => "none is done yet".to_owned(),
        (all, done) if all == done => "all are done".to_owned(),
        (_, 1) => "1 is done".to_owned(),
        (_, done) => format!("{done} are done"),
    };
    let have = if tasks.len() == 1 { "has" } else { "have" };
    let count = counted(i64::try_from(tasks.len()).unwrap_or(i64::MAX), "task");
    Some(Sentence::new(
        format!("{count} {have} been agreed to prevent a recurrence; {state}."),
        tasks.iter().map(|task| format!("task:{}", task.number)).collect(),
    ))
}

/// What is missing, and what should be looked at again.
pub(super) fn still_open(source: &Source<'_>) -> Vec<Sentence> {
    if source.incident.status == Status::Canceled {
        return Vec::new();
    }
    let mut open = Vec::new();
    let mut ask = |text: &str, id: &str| open.push(Sentence::new(text, vec![id.to_owned()]));
    if source.moments.impact_start.is_none() {
        ask(
            "Start of the impact: not confirmed; the first entry that knew of it stands in for it.",
            "field:impact_start",
        );
    }
    let questions = [
        (Field::Service, "Service: which part broke?"),
        (Field::ImpactKind, "Kind of impact: outage, degradation, data loss, security or risk?"),
        (Field::Affected, "Affected: which share or how many users?"),
        (Field::AffectedDetail, "Impact: what did users see?"),
        (Field::DetectedBy, "Detection: by monitoring, a user or the team?"),
        (Field::RootCause, "Root cause: not stated."),
        (Field::Resolution, "Resolution: not stated."),
    ];
    for (wanted, question) in questions {
        let covered = match wanted {
            Field::AffectedDetail => source.field(Field::Impact).is_some(),
            Field::DetectedBy => source.detected_by().is_some(),
            _ => false,
        };
        if source.field(wanted).is_none() && !covered {
            ask(question, &field(wanted));
        }
    }
    if source.incident.measures.is_empty() {
        ask("Measures: none stated.", "field:measures");
    }
    let tasks = &source.incident.tasks;
    if tasks.is_empty() {
        ask("Tasks: none yet.", "field:tasks");
    }
    let unfinished = || tasks.iter().filter(|task| !task.done);
    open.extend(lacking("owner", unfinished().filter(|task| task.owner.is_none()).map(|task| task.number)));
    open.extend(lacking("due date", unfinished().filter(|task| task.due_on.is_none()).map(|task| task.number)));
    open.extend(lint::warnings(source));
    open
}

/// "4 tasks have no owner: 1, 2, 3 and 4."
fn lacking(what: &str, numbers: impl Iterator<Item = u32>) -> Option<Sentence> {
    let numbers: Vec<String> = numbers.map(|number| number.to_string()).collect();
    let sources = numbers.iter().map(|number| format!("task:{number}")).collect();
    match numbers.as_slice() {
        [] => None,
        [one] => Some(Sentence::new(format!("Task {one} has no {what}."), sources)),
        several => {
            Some(Sentence::new(format!("{} tasks have no {what}: {}.", several.len(), listed(several)), sources))
        }
    }
}

/// The strip at the top of pages.
pub(super) fn key_figures(source: &Source<'_>) -> Vec<KeyFigure> {
    let figures = source.figures;
    let value = |seconds: Option<i64>| match seconds {
        None => NOT_RECORDED.to_owned(),
        Some(seconds @ ..=-60) => format!("{} before", duration_short(seconds)),
        Some(-59..=59) => "at once".to_owned(),
        Some(seconds) => duration_short(seconds),
    };
    let figure = |name, seconds, meaning| KeyFigure { name, value: value(seconds), meaning };
    let mut strip = vec![
        figure("Time to detect", figures.time_to_detect_s, "From the start of the impact to the first detection"),
        figure(
            "Time to acknowledge",
            figures.time_to_ack_s,
            "From detection or the first call, whichever came first, to the first answer",
        ),
        figure(
            "Time to mitigate",
            figures.time_to_mitigate_s,
            "From the start of the impact, or else from detection, to the first mitigation",
        ),
        figure(
            "Time to resolve",
            figures.time_to_resolve_s,
            "From the start of the impact, or else from detection, to the last resolution",
        ),
    ];
    if figures.teams.len() > 1 {
        let meaning = "To the last call of a team before the impact was stopped";
        strip.push(figure("Time to right team", figures.time_to_right_team_s, meaning));
    }
    let teams = figures.teams.len().to_string();
    strip.push(KeyFigure { name: "Teams called", value: teams, meaning: "Different teams that were called" });
    if !figures.pages.is_empty() {
        let pages = match figures.pages_unanswered {
            0 => figures.pages.len().to_string(),
            unanswered => format!("{} ({unanswered} unanswered)", figures.pages.len()),
        };
        strip.push(KeyFigure { name: "Pages", value: pages, meaning: "People and channels urged to act" });
    }
    strip
}
