//! The moments of an incident and the figures between them.
//!
//! Always reckoned between instants, in whole seconds. A moment that was not recorded stays `None`; it is never zero.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;

use crate::domain::civil::format::LocalZone;
use crate::domain::event::{Event, Recipient, Recorded};
use crate::domain::incident::Incident;
use crate::domain::timeline::calls::Call;
use crate::domain::timeline::{Entry, EntryKind};
use crate::ids::{PageId, Seq};

/// An instant and the entry that tells it; no entry for the instants that are fields of the incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    pub at: DateTime<Utc>,
    pub seq: Option<Seq>,
    pub approx: bool,
}

impl Moment {
    fn of(entry: &Entry) -> Self {
        Self { at: entry.at, seq: Some(entry.seq), approx: entry.approx }
    }

    fn field(at: DateTime<Utc>) -> Self {
        Self { at, seq: None, approx: false }
    }
}

/// The moments that figures are reckoned from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moments {
    /// First harm to users, if it was stated.
    pub impact_start: Option<Moment>,
    /// The end of the harm, if it was stated.
    pub impact_end: Option<Moment>,
    pub detected: Option<Moment>,
    pub declared: Option<Moment>,
    pub escalated: Option<Moment>,
    pub acknowledged: Option<Moment>,
    /// Every time the harm was stopped; more than one means that it came back.
    pub mitigated: Vec<Moment>,
    /// The last one, unless the incident was reopened after it; what is written down afterwards reopens nothing.
    pub resolved: Option<Moment>,
    pub reopened: Vec<Moment>,
}

impl Moments {
    pub fn new(entries: &[Entry], history: &[Recorded], incident: &Incident) -> Self {
        let all = |kind| entries.iter().filter(move |entry| entry.kind == kind).map(Moment::of);
        let opened = entries.iter().find(|entry| {
            history.iter().any(|recorded| {
                recorded.seq == entry.seq && matches!(recorded.occurrence.event, Event::Opened { declares: true, .. })
            })
        });
        let reopened: Vec<Moment> = all(EntryKind::Reopened).collect();
        let over = |resolved: &Moment| {
            let since = |again: &Moment| (again.at, again.seq) > (resolved.at, resolved.seq);
            incident.is_retrospective() || !reopened.last().is_some_and(since)
        };
        let resolved = all(EntryKind::Resolved).next_back().filter(over);
        Self {
            impact_start: incident.impact_start_at.map(Moment::field),
            impact_end: incident.impact_end_at.map(Moment::field),
            detected: all(EntryKind::Detected).next().or(opened.map(Moment::of)),
            declared: all(EntryKind::Declared).next(),
            escalated: all(EntryKind::Escalated).next(),
            acknowledged: all(EntryKind::Ack).next(),
            mitigated: all(EntryKind::Mitigated).collect(),
            resolved,
            reopened,
        }
    }

    /// What durations to mitigation and resolution start from.
    pub fn base(&self) -> Option<Moment> {
        self.impact_start.or(self.detected)
    }

    /// The first mitigation, or else the resolution: until when the harm was being worked on.
    pub fn relief(&self) -> Option<Moment> {
        self.mitigated.first().copied().or(self.resolved)
    }
}

/// How long one page waited for its recipient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PageFigure {
    pub page: PageId,
    pub team: Option<String>,
    pub to: Recipient,
    pub sent_at: DateTime<Utc>,
    /// `None`: this recipient did not answer.
    pub time_to_ack_s: Option<i64>,
}

/// The figures of one incident, in seconds; `None` where the record is silent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// Entries that people or monitoring systems made.
    pub entries: usize,
    /// Impact start → first detected; negative if it was seen before users were affected.
    pub time_to_detect_s: Option<i64>,
    /// First detected → first declared.
    pub time_to_declare_s: Option<i64>,
    /// First detected → first escalated.
    pub time_to_first_escalation_s: Option<i64>,
    /// The earlier of first detected and first escalated → first acknowledgement.
    pub time_to_ack_s: Option<i64>,
    /// Impact start, else first detected → first mitigated.
    pub time_to_mitigate_s: Option<i64>,
    /// Impact start, else first detected → last resolved.
    pub time_to_resolve_s: Option<i64>,
    /// Impact start, else first detected → the last call of a team before the first mitigation (or the resolution).
    pub time_to_right_team_s: Option<i64>,
    /// The longest gap between two entries until the first mitigation (or the resolution).
    pub longest_silence_s: Option<i64>,
    /// How long users were harmed in all; `None` if a recurrence has no recorded beginning.
    pub time_under_impact_s: Option<i64>,
    /// Teams that were called, in order of the first call.
    pub teams: Vec<String>,
    /// The local dates of the entries, in the incident's zone.
    pub local_days: Vec<NaiveDate>,
    pub pages: Vec<PageFigure>,
    /// Pages that nobody answered before the next tier was tried.
    pub pages_unanswered: usize,
}

/// Reckons all figures of an incident.
pub fn figures(entries: &[Entry], moments: &Moments, calls: &[Call], zone: &LocalZone) -> Figures {
    let between = |from: Option<Moment>, to: Option<Moment>| Some((to?.at - from?.at).num_seconds());
    let called = [moments.detected, moments.escalated].into_iter().flatten().min_by_key(|moment| moment.at);
    let recorded = || entries.iter().filter(|entry| !entry.auto);
    let mut local_days: Vec<NaiveDate> = recorded().map(|entry| zone.day(entry.at)).collect();
    local_days.dedup();
    Figures {
        entries: recorded().count(),
        time_to_detect_s: between(moments.impact_start, moments.detected),
        time_to_declare_s: between(moments.detected, moments.declared),
        time_to_first_escalation_s: between(moments.detected, moments.escalated),
        time_to_ack_s: between(called, moments.acknowledged),
        time_to_mitigate_s: between(moments.base(), moments.mitigated.first().copied()),
        time_to_resolve_s: between(moments.base(), moments.resolved),
        time_to_right_team_s: between(moments.base(), last_call(entries, moments).map(Moment::of)),
        longest_silence_s: silence(entries, moments).map(|(from, to)| (to.at - from.at).num_seconds()),
        time_under_impact_s: time_under_impact(moments),
        teams: teams(entries),
        local_days,
        pages: calls.iter().flat_map(page_figures).collect(),
        pages_unanswered: calls.iter().map(Call::pages_unanswered).sum(),
    }
}

/// The last call of a named team before the harm was stopped.
pub(super) fn last_call<'e>(entries: &'e [Entry], moments: &Moments) -> Option<&'e Entry> {
    let until = moments.relief()?.at;
    entries.iter().rfind(|entry| entry.kind == EntryKind::Escalated && entry.team.is_some() && entry.at <= until)
}

/// The two entries around the longest gap until the harm was stopped.
pub(super) fn silence<'e>(entries: &'e [Entry], moments: &Moments) -> Option<(&'e Entry, &'e Entry)> {
    let (from, until) = (moments.base()?.at, moments.relief()?.at);
    let spoken: Vec<&Entry> =
        entries.iter().filter(|entry| !entry.auto && entry.at >= from && entry.at <= until).collect();
    let mut longest: Option<(&Entry, &Entry)> = None;
    for pair in spoken.windows(2) {
        if longest.is_none_or(|(a, b)| pair[1].at - pair[0].at > b.at - a.at) {
            longest = Some((pair[0], pair[1]));
        }
    }
    longest
}

fn teams(entries: &[Entry]) -> Vec<String> {
    let mut teams: Vec<String> = Vec::new();
    for entry in entries.iter().filter(|entry| entry.kind == EntryKind::Escalated) {
        if let Some(team) = &entry.team
            && !teams.contains(&team.name)
        {
            teams.push(team.name.clone());
        }
    }
    teams
}

/// The sum of the intervals from the start of harm to each end of it.
fn time_under_impact(moments: &Moments) -> Option<i64> {
    let start = moments.impact_start?.at;
    if moments.mitigated.len() <= 1 && moments.reopened.is_empty() {
        let end = moments.impact_end.or(moments.relief())?;
        return Some((end.at - start).num_seconds());
    }
    let (mut total_s, mut from) = (0, Some(start));
    for mitigated in &moments.mitigated {
        total_s += (mitigated.at - from?).num_seconds();
        from = moments.reopened.iter().map(|again| again.at).find(|again| *again >= mitigated.at);
    }
    match (from, moments.impact_end.or(moments.resolved)) {
        (Some(from), Some(end)) if end.at > from => Some(total_s + (end.at - from).num_seconds()),
        (Some(_), None) => None,
        _ => Some(total_s),
    }
}

fn page_figures(call: &Call) -> Vec<PageFigure> {
    let pages = call.rings.iter().flat_map(|ring| ring.pages.iter().map(|page| (ring.at, page)));
    pages
        .map(|(rung_at, page)| {
            let sent_at = page.sent_at.unwrap_or(rung_at);
            PageFigure {
                page: page.page,
                team: call.team.as_ref().map(|team| team.name.clone()),
                to: page.to.clone(),
                sent_at,
                time_to_ack_s: page.answered_at.map(|at| (at - sent_at).num_seconds()),
            }
        })
        .collect()
}
