//! What the phase chart shows, as data: the phases of the incident, a lane per team, the key moments.

use chrono::{DateTime, Utc};

use super::about::Source;
use super::story;
use crate::domain::civil::format::ZoneChange;
use crate::domain::timeline::{Entry, EntryKind};

/// What the incident was in, for a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Users are harmed and nobody knows.
    Undetected,
    /// Known, and no user is harmed yet.
    BeforeImpact,
    /// Known, and nobody has said that they have it.
    Detected,
    InHand,
    Mitigated,
    /// Harm came back.
    Returned,
    /// Harm came back at some time in this span: only its end is recorded.
    ReturnedSometime,
}

impl Phase {
    pub fn name(self) -> &'static str {
        match self {
            Self::Undetected => "Undetected",
            Self::BeforeImpact => "Detected before impact",
            Self::Detected => "Detected",
            Self::InHand => "In hand",
            Self::Mitigated => "Mitigated",
            Self::Returned => "Impact returned",
            Self::ReturnedSometime => "Impact returned at some time",
        }
    }

    /// The words inside a bar.
    pub fn short(self) -> &'static str {
        match self {
            Self::Undetected | Self::Detected | Self::InHand | Self::Mitigated => self.name(),
            Self::BeforeImpact => "No impact yet",
            Self::Returned | Self::ReturnedSometime => "Impact again",
        }
    }

    /// The name in styles.
    pub fn class(self) -> &'static str {
        match self {
            Self::Undetected => "undetected",
            Self::BeforeImpact => "before",
            Self::Detected => "detected",
            Self::InHand => "in-hand",
            Self::Mitigated => "mitigated",
            Self::Returned => "returned",
            Self::ReturnedSometime => "returned-sometime",
        }
    }
}

/// One bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub phase: Phase,
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
}

/// A team from its first call (or answer) to the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    pub team: String,
    /// Each time it was called.
    pub called: Vec<DateTime<Utc>>,
    /// When it first answered.
    pub answered: Option<DateTime<Utc>>,
    pub until: DateTime<Utc>,
}

impl Lane {
    pub fn from(&self) -> DateTime<Utc> {
        self.called.first().copied().into_iter().chain(self.answered).min().unwrap_or(self.until)
    }
}

/// A moment of the timeline: a key one drawn as a diamond, any other as a dot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    pub at: DateTime<Utc>,
    pub kind: EntryKind,
    pub key: bool,
    pub label: String,
}

/// The chart's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phases {
    /// The incident's window.
    pub start_at: DateTime<Utc>,
    pub end_at: DateTime<Utc>,
    pub ongoing: bool,
    pub spans: Vec<Span>,
    /// When users were harmed, as far as it was stated.
    pub impact: Option<(DateTime<Utc>, DateTime<Utc>)>,
    pub lanes: Vec<Lane>,
    pub marks: Vec<Mark>,
    pub changes: Vec<ZoneChange>,
}

impl Phases {
    pub(super) fn new(source: &Source<'_>) -> Self {
        let moments = source.moments;
        let start_at = source.start().at;
        let resolved = moments.resolved.map(|moment| moment.at);
        let stated_end = moments.impact_end.map(|moment| moment.at);
        let ongoing = source.incident.is_open();
        let end_at = resolved
            .into_iter()
            .chain(stated_end)
            .chain(moments.mitigated.last().map(|moment| moment.at))
            .chain(ongoing.then_some(source.now))
            .max()
            .or(source.entries.last().map(|entry| entry.at))
            .unwrap_or(start_at)
            .max(start_at);
        let told: Vec<&Entry> = source.entries.iter().filter(|entry| story::is_told(entry)).collect();
        let marks: Vec<Mark> = told.iter().map(|entry| mark(entry)).collect();
        let first = told.first().map_or(start_at, |entry| entry.at).min(start_at);
        let last = told.last().map_or(end_at, |entry| entry.at).max(end_at);
        let impact_until = stated_end.or(moments.mitigated.last().map(|moment| moment.at)).or(resolved);
        Self {
            start_at,
            end_at,
            ongoing,
            spans: spans(source, end_at),
            impact: moments
                .impact_start
                .and_then(|start| Some((start.at, impact_until.or(ongoing.then_some(source.now))?)))
                // Where harm came and went, one bar would claim too much; the phases tell it.
                .filter(|(from, to)| to > from && moments.mitigated.len() <= 1),
            lanes: lanes(&told, end_at),
            marks,
            changes: source.zone.changes_between(first, last),
        }
    }
}

fn mark(entry: &Entry) -> Mark {
    let team = entry.team.as_ref().map(|team| team.name.as_str());
    let word = match entry.kind {
        EntryKind::Ack => "acknowledged",
        other => other.word(),
    };
    let label = team.map_or_else(|| word.to_owned(), |team| format!("{word}: {team}"));
    Mark { at: entry.at, kind: entry.kind, key: entry.is_key(), label }
}

fn spans(source: &Source<'_>, end_at: DateTime<Utc>) -> Vec<Span> {
    let moments = source.moments;
    let at = |moment: Option<super::figures::Moment>| moment.map(|moment| moment.at);
    let (impact, detected) = (at(moments.impact_start), at(moments.detected));
    let relief = at(moments.relief()).unwrap_or(end_at);
    let in_hand = at(moments.acknowledged).filter(|ack| *ack < relief);
    let mut spans = Vec::new();
    let mut push = |phase, from: DateTime<Utc>, to: DateTime<Utc>| {
        if to > from {
            spans.push(Span { phase, from, to });
        }
    };
    let known = match (impact, detected) {
        (Some(impact), Some(detected)) if detected < impact => {
            push(Phase::BeforeImpact, detected, impact);
            impact
        }
        (Some(impact), Some(detected)) => {
            push(Phase::Undetected, impact, detected.min(relief));
            detected
        }
        (Some(impact), None) => {
            let known = in_hand.unwrap_or(relief);
            push(Phase::Undetected, impact, known);
            known
        }
        (None, Some(detected)) => detected,
        (None, None) => source.start().at,
    };
    push(Phase::Detected, known, in_hand.unwrap_or(relief));
    if let Some(in_hand) = in_hand {
        push(Phase::InHand, in_hand.max(known), relief);
    }
    // After the first relief: quiet until harm is known to have come back, uncertain where only its end is recorded.
    let mut from = relief;
    for next in moments.mitigated.iter().skip(1).map(|moment| moment.at) {
        let again = moments.reopened.iter().map(|moment| moment.at).find(|again| (from..next).contains(again));
        match again {
            Some(again) => {
                push(Phase::Mitigated, from, again);
                push(Phase::Returned, again, next);
            }
            None => push(Phase::ReturnedSometime, from, next),
        }
        from = next;
    }
    let again = moments.reopened.iter().map(|moment| moment.at).find(|again| *again >= from);
    if !moments.mitigated.is_empty() || again.is_some() {
        push(Phase::Mitigated, from, again.unwrap_or(end_at));
    }
    if let Some(again) = again {
        push(Phase::Returned, again, end_at);
    }
    spans
}

fn lanes(told: &[&Entry], end_at: DateTime<Utc>) -> Vec<Lane> {
    let mut lanes: Vec<Lane> = Vec::new();
    for entry in told {
        let Some(team) = &entry.team else { continue };
        if !matches!(entry.kind, EntryKind::Escalated | EntryKind::Ack) {
            continue;
        }
        let index = lanes.iter().position(|lane| lane.team == team.name).unwrap_or_else(|| {
            lanes.push(Lane { team: team.name.clone(), called: Vec::new(), answered: None, until: end_at });
            lanes.len() - 1
        });
        let lane = &mut lanes[index];
        if entry.kind == EntryKind::Escalated {
            lane.called.push(entry.at);
        } else {
            lane.answered = lane.answered.or(Some(entry.at));
        }
        lane.until = lane.until.max(entry.at);
    }
    lanes
}
