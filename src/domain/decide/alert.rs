//! What monitoring systems say.

use chrono::{DateTime, TimeDelta, Utc};

use super::lifecycle::unchanged;
use super::{Context, Decided, Draft, kept_text};
use crate::domain::answer::Said;
use crate::domain::command::{Alert, When};
use crate::domain::escalation::{Escalation, Phase};
use crate::domain::event::{Event, Origin, Source};
use crate::domain::incident::{FiringAlert, Severity, Status};
use crate::domain::limits::{TEXT_CHARS_MAX, TITLE_CHARS_MAX};
use crate::domain::rejection::{Rejection, RejectionKind};
use crate::domain::roster::{Roster, Route};
use crate::ids::{IncidentId, IntegrationKey, TeamKey, WorkspaceId};

/// Repetitions of one alert are written down at most this often, so that a storm does not flood the history.
const REPEAT_NOTED_MIN: i64 = 15;

/// Whoever took a call so short a time ago is still at it, even if the alert was cleared meanwhile: one that comes and goes
/// does not call them after each of their answers.
const AT_IT_MIN: i64 = 15;

/// A further repetition is told within this time of it, if it was quiet before.
const COUNTED_AFTER_MIN: i64 = 1;

/// Opens an incident for an alert that belongs to none, and calls the team that the route names. One too many within a
/// minute opens the incident of a storm, which the next ones join.
pub(super) fn open(
    id: IncidentId,
    workspace: &WorkspaceId,
    number: i64,
    alert: &Alert,
    context: &Context<'_>,
) -> Result<Decided, Rejection> {
    let alert_title = title_of(alert)?;
    let (team, severity) = route(alert, context.roster);
    let rule = context.roster.storm;
    let is_storm = rule.incidents > 0 && context.alerts.openings >= rule.incidents;
    let title = if is_storm { storm_title(team.as_ref(), context) } else { alert_title };
    let opened = opened(number, &title, alert, alert.severity.or(severity), false, context);
    let mut draft = Draft::begin(id, workspace, opened, context);
    let reason = if is_storm {
        let openings = context.alerts.openings;
        let text = format!("Alerts opened {openings} incidents within a minute. Further ones join this one.");
        draft.push(Event::StormBegan { team: team.clone(), openings, quiet_s: rule.quiet_s });
        draft.push(Event::Detected { text: text.clone(), by: Some("monitoring".to_owned()), team: None });
        draft.join_storm(alert);
        text
    } else {
        draft.fire(alert);
        cut(&alert.text, TEXT_CHARS_MAX)
    };
    if let Some(team) = team {
        draft.escalate(When::default(), team.as_str(), Some(&reason))?;
    }
    Ok(Decided { after: draft.after, events: draft.events, said: Said::Opened { title, private: false } })
}

/// Opens the incident of an alert that a person takes out of its storm, and calls the team as its route would have.
pub(super) fn open_for_taken_out(
    id: IncidentId,
    workspace: &WorkspaceId,
    number: i64,
    alert: &Alert,
    context: &Context<'_>,
) -> Result<Decided, Rejection> {
    let title = title_of(alert)?;
    let storm = context.alerts.other.unwrap_or_default();
    let opened = opened(number, &title, alert, alert.severity, true, context);
    let mut draft = Draft::begin(id, workspace, opened, context);
    draft.push(Event::AlertTakenFrom { number: storm });
    draft.fire(alert);
    let team = alert.team.as_deref().and_then(|word| context.roster.team(word)).cloned();
    if let Some(team) = &team {
        let reason = format!("Taken out of INC-{storm}, an alert storm.");
        draft.escalate(When::default(), team.key.as_str(), Some(&reason))?;
    }
    let said = Said::TakenOut { title, from: storm, team: team.map(|team| team.reference()) };
    Ok(Decided { after: draft.after, events: draft.events, said })
}

/// The alert's title as one line.
fn title_of(alert: &Alert) -> Result<String, Rejection> {
    Ok(cut(&kept_text("title", &alert.title.replace(['\n', '\t'], " "), usize::MAX)?, TITLE_CHARS_MAX))
}

/// The opening by an alert; `declares` if a person asked for it.
fn opened(
    number: i64,
    title: &str,
    alert: &Alert,
    severity: Option<Severity>,
    declares: bool,
    context: &Context<'_>,
) -> Event {
    Event::Opened {
        number,
        title: title.to_owned(),
        severity: severity.unwrap_or(context.roster.severity_default),
        private: false,
        zone: context.roster.zone.clone(),
        origin: Origin::Alert { integration: alert.integration.clone(), dedup_key: alert.dedup_key.clone() },
        declares,
        nonce: alert.nonce.clone(),
    }
}

fn storm_title(team: Option<&TeamKey>, context: &Context<'_>) -> String {
    let name = team.and_then(|key| context.roster.teams.get(key)).map(|team| team.name.as_str());
    let title = name.map_or_else(|| "Alert storm".to_owned(), |name| format!("Alert storm for {name}"));
    cut(&title, TITLE_CHARS_MAX)
}

/// The team that an alert calls, if it is called for by name or by the integration's route.
pub(crate) fn team_of(alert: &Alert, roster: &Roster) -> Option<TeamKey> {
    route(alert, roster).0
}

/// The team and severity that the integration's route gives this alert.
fn route(alert: &Alert, roster: &Roster) -> (Option<TeamKey>, Option<Severity>) {
    let named = alert.team.as_deref().and_then(|word| roster.team(word)).map(|team| team.key.clone());
    let Some(route) = roster.routes.get(&alert.integration) else { return (named, None) };
    let rule =
        route.rules.iter().find(|rule| rule.labels.iter().all(|(label, value)| alert.labels.get(label) == Some(value)));
    let team = named.or_else(|| rule.and_then(|rule| rule.team.clone())).or_else(|| route.team.clone());
    (team, rule.and_then(|rule| rule.severity).or(route.severity))
}

impl Draft<'_> {
    fn fire(&mut self, alert: &Alert) {
        let at = alert.started_at.min(self.context.now);
        let text = if alert.text.trim().is_empty() { &alert.title } else { &alert.text };
        let source = alert.link.clone().map(|url| Source::Link { url });
        let text = cut(text.trim(), TEXT_CHARS_MAX);
        self.push_from(at, source, Event::Detected { text, by: Some("monitoring".to_owned()), team: None });
        self.push(Event::AlertFiring { integration: alert.integration.clone(), dedup_key: alert.dedup_key.clone() });
    }

    /// One more alert of the storm. The worst of them says how bad it is; nobody is paged again for it.
    fn join_storm(&mut self, alert: &Alert) {
        let at = alert.started_at.min(self.context.now);
        let source = alert.link.clone().map(|url| Source::Link { url });
        let (integration, dedup_key) = (alert.integration.clone(), alert.dedup_key.clone());
        let title = cut(alert.title.replace(['\n', '\t'], " ").trim(), TITLE_CHARS_MAX);
        let severity = alert.severity.or(route(alert, self.context.roster).1);
        self.push_from(at, source, Event::AlertJoined { integration, dedup_key, title, severity });
        if let Some(to) = severity.filter(|severity| *severity < self.after.severity) {
            let from = self.after.severity;
            self.push_own(Event::SeverityChanged { from, to });
        }
    }

    /// An alert for an incident that is there: a repetition, or one more that belongs to it. Nobody is paged again.
    pub(super) fn alert_fired(&mut self, alert: &Alert) -> Result<Said, Rejection> {
        let now = self.context.now;
        let (integration, dedup_key) = (alert.integration.clone(), alert.dedup_key.clone());
        let Some(firing) = self.firing(&integration, &dedup_key) else {
            match &self.after.storm {
                // Counted in the table of alerts.
                Some(_) if self.context.alerts.is_known => {}
                Some(storm) if storm.quiet_at.is_some() => self.join_storm(alert),
                Some(_) | None => {
                    self.fire(alert);
                    if self.context.alerts.is_back {
                        self.call_back(alert)?;
                    }
                }
            }
            return Ok(Said::Done);
        };
        if firing.counting.is_some() {
            return Ok(Said::Done);
        }
        let noted_again_at = firing.noted_at + TimeDelta::minutes(REPEAT_NOTED_MIN);
        if now >= noted_again_at {
            let text = cut(alert.text.trim(), TEXT_CHARS_MAX);
            let (count, first_at, last_at) = (1, None, None);
            self.push(Event::AlertRepeated { integration, dedup_key, text, count, first_at, last_at });
        } else {
            let soon = now + TimeDelta::minutes(COUNTED_AFTER_MIN);
            let until = if firing.counted > 1 { noted_again_at.max(soon) } else { soon };
            self.push(Event::AlertCounting { integration, dedup_key, until });
        }
        Ok(Said::Done)
    }

    /// Calls the team of an alert that fires again after it was cleared, unless it is being called or has just taken a call:
    /// whoever had it may have gone to sleep when the alert was cleared.
    fn call_back(&mut self, alert: &Alert) -> Result<(), Rejection> {
        let Some(team) = team_of(alert, self.context.roster) else { return Ok(()) };
        let of_it = |call: &&Escalation| call.team.key.as_ref() == Some(&team);
        let since = self.context.now - TimeDelta::minutes(AT_IT_MIN);
        let is_at_it = |call: &Escalation| match call.phase {
            Phase::Active { .. } | Phase::Held { .. } => true,
            Phase::Acknowledged { at, .. } => at > since,
            Phase::Stopped | Phase::Exhausted => false,
        };
        if !self.after.escalations.values().filter(of_it).any(is_at_it) {
            let reason = format!("{} fires again.", title_of(alert)?);
            self.escalate(When::default(), team.as_str(), Some(&reason))?;
        }
        Ok(())
    }

    fn firing(&self, integration: &IntegrationKey, dedup_key: &str) -> Option<&FiringAlert> {
        self.after.alerts.iter().find(|firing| firing.integration == *integration && firing.dedup_key == dedup_key)
    }

    /// Writes down how often an alert came again since it was last told.
    fn count_repetitions(&mut self, integration: &IntegrationKey, dedup_key: &str) {
        let Some(firing) = self.firing(integration, dedup_key) else { return };
        let Some(counting) = firing.counting else { return };
        let key = (integration.clone(), dedup_key.to_owned());
        let fired = self.context.alerts.fired.get(&key);
        // One at least: the one that was counted first.
        let count = fired.map_or(1, |fired| fired.count.saturating_sub(firing.counted).max(1));
        let last_at = fired.map_or(counting.first_at, |fired| fired.last_at.max(counting.first_at));
        let (integration, dedup_key) = key;
        let event = Event::AlertRepeated {
            integration,
            dedup_key,
            text: String::new(),
            count,
            first_at: Some(counting.first_at),
            last_at: Some(last_at),
        };
        self.push_own(event);
    }

    /// As it must be before the incident ends.
    pub(super) fn count_all_repetitions(&mut self) {
        let counted = self.after.alerts.iter().filter(|alert| alert.counting.is_some());
        let keys: Vec<_> = counted.map(|alert| (alert.integration.clone(), alert.dedup_key.clone())).collect();
        for (integration, dedup_key) in keys {
            self.count_repetitions(&integration, &dedup_key);
        }
    }

    pub(super) fn repetitions_due(&mut self, integration: &IntegrationKey, dedup_key: &str) -> Said {
        let due = self.firing(integration, dedup_key).and_then(|firing| firing.counting);
        if due.is_none_or(|counting| counting.until > self.context.now) {
            return unchanged("Nothing is due.".to_owned());
        }
        self.count_repetitions(integration, dedup_key);
        Said::Done
    }

    /// The storm's side of it: the alert is none of its any more.
    pub(super) fn take_alert_out(&mut self, alert: &Alert) -> Result<Said, Rejection> {
        let name = self.after.name();
        let refused = |sentence: String, hint: &str| Err(Rejection::new(RejectionKind::Conflict, sentence).hint(hint));
        if self.after.storm.is_none() {
            let sentence = format!("{name} is no alert storm, so no alert can be taken out of it.");
            return refused(sentence, "/incident open opens another incident.");
        }
        if !self.after.is_open() {
            let sentence = format!("{name} is {}, and its alerts with it.", self.after.status.word());
            return refused(sentence, "One that fires again opens an incident of its own.");
        }
        if !self.context.alerts.is_known {
            let sentence = format!("“{}” does not fire for {name} any more.", alert.title);
            return refused(sentence, "/incident alerts shows where each alert is.");
        }
        self.push(Event::AlertTakenOut {
            integration: alert.integration.clone(),
            dedup_key: alert.dedup_key.clone(),
            title: alert.title.clone(),
            into: self.context.alerts.other.unwrap_or_default(),
        });
        Ok(Said::Done)
    }

    pub(super) fn storm_quiet(&mut self) -> Said {
        let Some(storm) = &self.after.storm else { return unchanged("There is no storm.".to_owned()) };
        if storm.quiet_at.is_none_or(|at| at > self.context.now) {
            return unchanged("Nothing is due.".to_owned());
        }
        let fired = self.context.alerts.fired.values().map(|fired| fired.count).sum::<u64>();
        let (alerts, cleared) = (storm.joined, storm.cleared);
        self.push_own(Event::StormEnded { alerts, cleared, fired: fired.max(alerts.into()) });
        Said::Done
    }

    /// Resolves the incident when its last alert is over and the route says so; else writes it down.
    pub(super) fn alert_cleared(
        &mut self,
        integration: &IntegrationKey,
        dedup_key: &str,
        text: &str,
        at: DateTime<Utc>,
    ) -> Result<Said, Rejection> {
        let is_of_the_storm = self.after.storm.is_some() && self.context.alerts.is_known;
        if self.firing(integration, dedup_key).is_none() && !is_of_the_storm {
            return Ok(unchanged("That alert was not firing.".to_owned()));
        }
        self.count_repetitions(integration, dedup_key);
        let at = at.min(self.context.now).max(self.after.opened_at);
        let (integration, dedup_key) = (integration.clone(), dedup_key.to_owned());
        let resolves = self.context.roster.routes.get(&integration).is_some_and(|route: &Route| route.resolves);
        let text = cut(text.trim(), TEXT_CHARS_MAX);
        self.push_from(at, None, Event::AlertCleared { integration, dedup_key, text: text.clone() });
        let all_clear = self.after.alerts.is_empty()
            && self.after.storm.as_ref().is_none_or(|storm| storm.cleared + storm.taken_out >= storm.joined);
        if resolves && all_clear && self.after.is_open() && self.after.status != Status::Resolved {
            self.push_from(at, None, Event::Resolved { text: (!text.is_empty()).then_some(text), team: None });
        }
        Ok(Said::Done)
    }
}

/// The first `chars_max` characters; a machine's text is cut rather than refused, since nobody is there to shorten it.
fn cut(text: &str, chars_max: usize) -> String {
    let cleaned = text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t'));
    let mut kept: String = cleaned.take(chars_max).collect();
    if kept.chars().count() == chars_max && text.chars().count() > chars_max {
        kept.pop();
        kept.push('…');
    }
    kept
}
