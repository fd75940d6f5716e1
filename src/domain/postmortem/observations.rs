//! Facts that stand out, each found by a fixed test. They state, they do not advise.

use chrono::{DateTime, TimeDelta, Utc};

use super::Sentence;
use super::about::{Source, event, sources_of};
use super::figures::{last_call, silence};
use crate::domain::civil::format::{counted, duration};
use crate::domain::event::Event;
use crate::domain::incident::{Role, Severity};
use crate::domain::timeline::people::listed;
use crate::domain::timeline::{Entry, EntryKind};

/// A gap between two entries worth telling of is longer than this.
const SILENCE_MIN: TimeDelta = TimeDelta::minutes(30);

/// All that hold, in a fixed order.
pub(super) fn observations(source: &Source<'_>) -> Vec<Sentence> {
    let tests: [fn(&Source<'_>) -> Option<Sentence>; 9] = [
        last_team,
        longest_silence,
        unanswered_pages,
        called_again,
        declared_late,
        detected_by_users,
        recurrences,
        lead_changes,
        update_gap,
    ];
    tests.iter().filter_map(|test| test(source)).collect()
}

fn until_words(source: &Source<'_>) -> &'static str {
    if source.moments.mitigated.is_empty() { "resolution" } else { "mitigation" }
}

fn last_team(source: &Source<'_>) -> Option<Sentence> {
    let call = last_call(source.entries, source.moments)?;
    let (start, relief) = (source.moments.base()?.at, source.moments.relief()?.at);
    let (elapsed_s, total_s) = ((call.at - start).num_seconds(), (relief - start).num_seconds());
    if elapsed_s < 0 || total_s <= 0 {
        return None;
    }
    let percent = (elapsed_s * 200 + total_s) / (total_s * 2);
    let team = &call.team.as_ref()?.name;
    let lead = if source.figures.teams.len() > 1 { "Last team called in:" } else { "Team called in:" };
    let when = if elapsed_s < 60 { "at once".to_owned() } else { format!("after {}", duration(elapsed_s)) };
    let mut text = format!("{team}, {when} ({percent}% of the time until {}).", until_words(source));
    let mut sources = vec![event(call.seq)];
    let next = source
        .entries
        .iter()
        .find(|entry| entry.kind == EntryKind::Action && (entry.at, entry.seq) > (call.at, call.seq));
    if let Some(next) = next.filter(|next| next.at <= relief) {
        let later = match (next.at - call.at).num_seconds() {
            ..60 => "at once".to_owned(),
            seconds => format!("{} later", duration(seconds)),
        };
        text = format!("{text} The next step that changed the system came {later}.");
        sources.push(event(next.seq));
    }
    Some(Sentence::labelled(lead, text, sources))
}

fn longest_silence(source: &Source<'_>) -> Option<Sentence> {
    let (from, to) = silence(source.entries, source.moments)?;
    (to.at - from.at > SILENCE_MIN).then(|| {
        let lasted = duration((to.at - from.at).num_seconds());
        let (until, from_time, to_time) = (until_words(source), source.full_time(from.at), source.full_time(to.at));
        let text = format!("{lasted}, from {from_time} to {to_time}.");
        let lead = format!("Longest gap between entries until {until}:");
        Sentence::labelled(lead, text, vec![event(from.seq), event(to.seq)])
    })
}

/// Not for an incident that was written down afterwards: whom it pages learns of it when all is over.
fn unanswered_pages(source: &Source<'_>) -> Option<Sentence> {
    if source.incident.is_retrospective() {
        return None;
    }
    let unanswered = i64::try_from(source.figures.pages_unanswered).ok().filter(|count| *count > 0)?;
    let calls = source.calls.iter().filter(|call| call.pages_unanswered() > 0);
    let sources = calls.flat_map(|call| call.sources.iter().map(|seq| event(*seq))).collect();
    Some(Sentence::new(format!("{} went unanswered.", counted(unanswered, "page")), sources))
}

/// A team that people called more than once before it answered.
fn called_again(source: &Source<'_>) -> Option<Sentence> {
    let mut told: Vec<(&str, Vec<&Entry>)> = Vec::new();
    let calls = source.entries.iter().filter(|entry| entry.kind == EntryKind::Escalated && !entry.auto);
    for entry in calls {
        let Some(team) = entry.team.as_ref().map(|team| team.name.as_str()) else { continue };
        match told.iter_mut().find(|(name, _)| *name == team) {
            Some((_, calls)) => calls.push(entry),
            None => told.push((team, vec![entry])),
        }
    }
    let answered = |team: &str| {
        source
            .entries
            .iter()
            .find(|entry| entry.kind == EntryKind::Ack && entry.team.as_ref().is_some_and(|known| known.name == team))
    };
    let again: Vec<(&str, Vec<&Entry>)> = told
        .into_iter()
        .map(|(team, calls)| {
            let until = answered(team).map(|ack| (ack.at, ack.seq));
            let before = calls.into_iter().filter(|call| until.is_none_or(|until| (call.at, call.seq) < until));
            (team, before.collect::<Vec<_>>())
        })
        .filter(|(_, calls)| calls.len() > 1)
        .collect();
    if again.is_empty() {
        return None;
    }
    let words: Vec<String> = again.iter().map(|(team, calls)| format!("{team} ({} times)", calls.len())).collect();
    let sources = again.iter().flat_map(|(_, calls)| calls.iter().map(|call| event(call.seq))).collect();
    Some(Sentence::labelled("Called more than once before an answer:", format!("{}.", listed(&words)), sources))
}

fn declared_late(source: &Source<'_>) -> Option<Sentence> {
    let (declared, mitigated) = (source.moments.declared?, source.moments.mitigated.first()?);
    let late_s = (declared.at - mitigated.at).num_seconds();
    (late_s > 0).then(|| {
        let sources = sources_of(declared).into_iter().chain(sources_of(*mitigated)).collect();
        Sentence::new(format!("Declared {} after the first mitigation.", duration(late_s)), sources)
    })
}

fn detected_by_users(source: &Source<'_>) -> Option<Sentence> {
    let (by, sources) = source.detected_by()?;
    matches!(by.to_lowercase().as_str(), "user" | "users" | "customer" | "customers")
        .then(|| Sentence::new("Detected by users.", sources))
}

fn recurrences(source: &Source<'_>) -> Option<Sentence> {
    let mitigated = &source.moments.mitigated;
    let first = mitigated.first().filter(|_| mitigated.len() > 1)?;
    let day = |moment: &super::figures::Moment| source.zone.day(moment.at);
    let times: Vec<String> = mitigated
        .iter()
        .enumerate()
        .map(|(index, moment)| {
            let same_day = index > 0 && day(&mitigated[index - 1]) == day(moment);
            if same_day { source.line_time(moment.at) } else { source.full_time(moment.at) }
        })
        .collect();
    let after = source.moments.base().map_or_else(String::new, |base| {
        format!(
            " The first came after {} and was followed by further impact.",
            duration((first.at - base.at).num_seconds())
        )
    });
    let harm = source.figures.time_under_impact_s.map_or_else(
        || " Time under impact: not recorded, because the beginning of a recurrence is not.".to_owned(),
        |seconds| format!(" Time under impact: {} in all.", duration(seconds)),
    );
    let text = format!("at {}.{after}{harm}", listed(&times));
    let sources = mitigated.iter().chain(&source.moments.reopened).flat_map(|moment| sources_of(*moment)).collect();
    Some(Sentence::labelled(format!("Mitigated {} times:", mitigated.len()), text, sources))
}

fn lead_changes(source: &Source<'_>) -> Option<Sentence> {
    let mut holders = Vec::new();
    for recorded in source.history {
        if let Event::RoleAssigned { role: Role::Commander, user } = &recorded.occurrence.event
            && holders.last().is_none_or(|(holder, _)| holder != user)
        {
            holders.push((user.clone(), recorded.seq));
        }
    }
    let changes = i64::try_from(holders.len()).unwrap_or(i64::MAX) - 1;
    (changes > 0).then(|| {
        let sources = holders.iter().map(|(_, seq)| event(*seq)).collect();
        Sentence::new(format!("The commander changed {}.", counted(changes, "time")), sources)
    })
}

/// Only for incidents in which updates were posted at all: elsewhere nobody used them.
fn update_gap(source: &Source<'_>) -> Option<Sentence> {
    let policy = TimeDelta::minutes(match source.incident.severity {
        Severity::Sev1 => 15,
        Severity::Sev2 => 30,
        Severity::Sev3 | Severity::Sev4 => 60,
    });
    let end = source.moments.resolved.map_or(source.now, |resolved| resolved.at);
    let updates = source.entries.iter().filter(|entry| entry.kind == EntryKind::Update && entry.at <= end);
    let updates: Vec<(DateTime<Utc>, Vec<String>)> = updates.map(|entry| (entry.at, vec![event(entry.seq)])).collect();
    if updates.is_empty() {
        return None;
    }
    let start = source.moments.declared.or(source.moments.detected)?;
    let mut points = vec![(start.at, sources_of(start))];
    points.extend(updates.into_iter().filter(|(at, _)| *at >= start.at));
    points.push((end, source.moments.resolved.into_iter().flat_map(sources_of).collect()));
    let pair = points.windows(2).max_by_key(|pair| (pair[1].0 - pair[0].0, std::cmp::Reverse(pair[0].0)))?;
    let gap = pair[1].0 - pair[0].0;
    (gap > policy).then(|| {
        let (from, to) = (source.full_time(pair[0].0), source.full_time(pair[1].0));
        let text = format!("{}, from {from} to {to}.", duration(gap.num_seconds()));
        Sentence::labelled("Longest time without an update:", text, [pair[0].1.clone(), pair[1].1.clone()].concat())
    })
}
