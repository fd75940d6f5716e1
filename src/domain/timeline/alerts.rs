//! The alerts of an incident one by one, for who wants to see all that share it.
//!
//! A view of the history. Repetitions of an alert that joined a storm are not in it: those are counted elsewhere.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use crate::domain::event::{Event, Origin, Recorded, Source};
use crate::domain::incident::Severity;
use crate::ids::IntegrationKey;

/// One alert of an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedAlert {
    /// From 1, in the order in which they first came; it stays.
    pub number: u32,
    pub integration: IntegrationKey,
    pub dedup_key: String,
    pub title: String,
    /// As the monitoring system, or its route, said; not every one does.
    pub severity: Option<Severity>,
    /// When its trouble began, as its sender said.
    pub began_at: DateTime<Utc>,
    pub link: Option<String>,
    /// It came with others and shares a storm's incident with them.
    pub joined: bool,
    pub standing: Standing,
}

/// What has become of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing was heard of its end.
    Firing,
    Cleared {
        at: DateTime<Utc>,
    },
    /// It has an incident of its own, of this number.
    TakenOut {
        into: i64,
    },
}

/// How many alerts there are of each standing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub firing: usize,
    pub cleared: usize,
    pub taken_out: usize,
}

impl Tally {
    pub fn of(alerts: &[ListedAlert]) -> Self {
        let mut tally = Self::default();
        for alert in alerts {
            match alert.standing {
                Standing::Firing => tally.firing += 1,
                Standing::Cleared { .. } => tally.cleared += 1,
                Standing::TakenOut { .. } => tally.taken_out += 1,
            }
        }
        tally
    }

    /// "689 firing, 300 cleared, 1 taken out"; once the incident is over, what did not clear is not called firing.
    pub fn words(self, is_open: bool) -> String {
        let firing = if is_open { "firing" } else { "not cleared" };
        let parts = [(self.firing, firing), (self.cleared, "cleared"), (self.taken_out, "taken out")];
        let told: Vec<String> =
            parts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
        told.join(", ")
    }
}

/// Every alert of the incident that ever fired for it, by number.
pub fn alerts(history: &[Recorded]) -> Vec<ListedAlert> {
    let mut found = Found::default();
    for recorded in history {
        found.take(recorded);
    }
    found.alerts
}

#[derive(Default)]
struct Found<'h> {
    alerts: Vec<ListedAlert>,
    places: HashMap<(&'h IntegrationKey, &'h str), usize>,
    /// The event before, which says what an alert that has no words of its own is about.
    said: Option<&'h Recorded>,
    /// The alert that opened the incident, and the title that it gave it.
    opener: Option<(&'h IntegrationKey, &'h str, &'h str)>,
}

impl<'h> Found<'h> {
    fn take(&mut self, recorded: &'h Recorded) {
        let occurrence = &recorded.occurrence;
        match &occurrence.event {
            Event::Opened { title, origin: Origin::Alert { integration, dedup_key }, .. } => {
                self.opener = Some((integration, dedup_key, title));
            }
            Event::AlertFiring { integration, dedup_key } => {
                let said = self.said.map(|said| &said.occurrence);
                let text = said.and_then(|said| match &said.event {
                    Event::Detected { text, .. } => text.lines().next(),
                    _ => None,
                });
                let opener = self.opener.filter(|(by, key, _)| (*by, *key) == (integration, dedup_key.as_str()));
                let title = opener.map(|(_, _, title)| title).or(text).unwrap_or_default();
                let (began_at, source) = said.map_or((occurrence.at, None), |said| (said.at, said.source.as_ref()));
                self.fire((integration, dedup_key), title, None, began_at, source, false);
            }
            Event::AlertJoined { integration, dedup_key, title, severity } => {
                let source = occurrence.source.as_ref();
                self.fire((integration, dedup_key), title, *severity, occurrence.at, source, true);
            }
            Event::AlertCleared { integration, dedup_key, .. } => {
                self.stand((integration, dedup_key), Standing::Cleared { at: occurrence.at });
            }
            Event::AlertTakenOut { integration, dedup_key, into, .. } => {
                self.stand((integration, dedup_key), Standing::TakenOut { into: *into });
            }
            _ => {}
        }
        self.said = Some(recorded);
    }

    fn fire(
        &mut self,
        key: (&'h IntegrationKey, &'h str),
        title: &str,
        severity: Option<Severity>,
        began_at: DateTime<Utc>,
        source: Option<&Source>,
        joined: bool,
    ) {
        let link = source.and_then(|source| match source {
            Source::Link { url } => Some(url.clone()),
            Source::Message { .. } => None,
        });
        if let Some(known) = self.places.get(&key).and_then(|place| self.alerts.get_mut(*place)) {
            // It came back: what it says now counts.
            known.title = title.to_owned();
            known.severity = severity.or(known.severity);
            known.began_at = began_at;
            known.link = link.or(known.link.take());
            known.joined = joined;
            known.standing = Standing::Firing;
            return;
        }
        let number = u32::try_from(self.alerts.len() + 1).unwrap_or(u32::MAX);
        self.places.insert(key, self.alerts.len());
        self.alerts.push(ListedAlert {
            number,
            integration: key.0.clone(),
            dedup_key: key.1.to_owned(),
            title: title.to_owned(),
            severity,
            began_at,
            link,
            joined,
            standing: Standing::Firing,
        });
    }

    fn stand(&mut self, key: (&'h IntegrationKey, &'h str), standing: Standing) {
        if let Some(alert) = self.places.get(&key).and_then(|place| self.alerts.get_mut(*place)) {
            alert.standing = standing;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::{Actor, Occurrence};

    fn history(events: Vec<Event>) -> Vec<Recorded> {
        let recorded = |(seq, event): (u32, Event)| {
            let at = DateTime::from_timestamp(1_700_000_000 + i64::from(seq), 0).expect("in range");
            let occurrence = Occurrence { at, approx: false, actor: Actor::Firebell, source: None, event };
            Recorded { seq, recorded_at: at, occurrence }
        };
        (1..).zip(events).map(recorded).collect()
    }

    fn joined(key: &str, title: &str) -> Event {
        let (dedup_key, title) = (key.to_owned(), title.to_owned());
        Event::AlertJoined { integration: "grafana".into(), dedup_key, title, severity: None }
    }

    fn cleared(key: &str) -> Event {
        Event::AlertCleared { integration: "grafana".into(), dedup_key: key.to_owned(), text: String::new() }
    }

    #[test]
    fn an_alert_keeps_its_number_when_it_comes_back_and_says_what_it_says_now() {
        let out = Event::AlertTakenOut {
            integration: "grafana".into(),
            dedup_key: "b".to_owned(),
            title: "B".to_owned(),
            into: 12,
        };
        let events =
            vec![joined("a", "A"), joined("b", "B"), cleared("a"), out, joined("c", "C"), joined("a", "A again")];
        let listed = alerts(&history(events));
        let told: Vec<_> = listed.iter().map(|alert| (alert.number, alert.title.as_str(), alert.standing)).collect();
        let expected =
            [(1, "A again", Standing::Firing), (2, "B", Standing::TakenOut { into: 12 }), (3, "C", Standing::Firing)];
        assert_eq!(told, expected);
        assert_eq!(Tally::of(&listed).words(true), "2 firing, 1 taken out");
        assert_eq!(Tally::of(&listed).words(false), "2 not cleared, 1 taken out");
    }

    #[test]
    fn an_alert_without_a_title_is_called_what_was_said_with_it() {
        let firing = |key: &str| Event::AlertFiring { integration: "grafana".into(), dedup_key: key.to_owned() };
        let said = |text: &str| Event::Detected { text: text.to_owned(), by: None, team: None };
        let events = vec![said("Disk full\nfor an hour"), firing("a"), said("No answer"), firing("b"), cleared("b")];
        let listed = alerts(&history(events));
        let told: Vec<_> = listed.iter().map(|alert| (alert.title.as_str(), alert.joined)).collect();
        assert_eq!(told, [("Disk full", false), ("No answer", false)]);
        assert_eq!(Tally::of(&listed), Tally { firing: 1, cleared: 1, taken_out: 0 });
    }
}
