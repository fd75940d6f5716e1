//! What monitoring systems say.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Context, Decided, Draft, kept_text};
use crate::domain::answer::Said;
use crate::domain::command::{Alert, When};
use crate::domain::event::{Event, Origin, Source};
use crate::domain::incident::{Severity, Status};
use crate::domain::limits::{TEXT_CHARS_MAX, TITLE_CHARS_MAX};
use crate::domain::rejection::Rejection;
use crate::domain::roster::Route;
use crate::ids::{IncidentId, IntegrationKey, TeamKey, WorkspaceId};

/// Repetitions of one alert are written down at most this often, so that a storm does not flood the history.
const REPEAT_NOTED_MIN: i64 = 15;

/// Opens an incident for an alert that belongs to none, and calls the team that the route names.
pub(super) fn open(
    id: IncidentId,
    workspace: &WorkspaceId,
    number: i64,
    alert: &Alert,
    context: &Context<'_>,
) -> Result<Decided, Rejection> {
    let title = cut(&kept_text("title", &alert.title.replace(['\n', '\t'], " "), usize::MAX)?, TITLE_CHARS_MAX);
    let (team, severity) = route(alert, context);
    let opened = Event::Opened {
        number,
        title: title.clone(),
        severity: alert.severity.or(severity).unwrap_or(context.roster.severity_default),
        private: false,
        zone: context.roster.zone.clone(),
        origin: Origin::Alert { integration: alert.integration.clone(), dedup_key: alert.dedup_key.clone() },
        declares: false,
        nonce: alert.nonce.clone(),
    };
    let mut draft = Draft::begin(id, workspace, opened, context);
    draft.fire(alert);
    if let Some(team) = team {
        draft.escalate(When::default(), team.as_str(), Some(&cut(&alert.text, TEXT_CHARS_MAX)))?;
    }
    Ok(Decided { after: draft.after, events: draft.events, said: Said::Opened { title, private: false } })
}

/// The team and severity that the integration's route gives this alert.
fn route(alert: &Alert, context: &Context<'_>) -> (Option<TeamKey>, Option<Severity>) {
    let named = alert.team.as_deref().and_then(|word| context.team(word)).map(|team| team.key.clone());
    let Some(route) = context.roster.routes.get(&alert.integration) else { return (named, None) };
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

    /// An alert for an incident that is there: a repetition, or one more that belongs to it. Nobody is paged again.
    pub(super) fn alert_fired(&mut self, alert: &Alert) -> Result<Said, Rejection> {
        let firing = self
            .after
            .alerts
            .iter()
            .find(|firing| firing.integration == alert.integration && firing.dedup_key == alert.dedup_key);
        let Some(noted_at) = firing.map(|firing| firing.noted_at) else {
            self.fire(alert);
            return Ok(Said::Done);
        };
        if self.context.now - noted_at >= TimeDelta::minutes(REPEAT_NOTED_MIN) {
            self.push(Event::AlertRepeated {
                integration: alert.integration.clone(),
                dedup_key: alert.dedup_key.clone(),
                text: cut(alert.text.trim(), TEXT_CHARS_MAX),
            });
        }
        Ok(Said::Done)
    }

    /// Resolves the incident when its last alert is over and the route says so; else writes it down.
    pub(super) fn alert_cleared(
        &mut self,
        integration: &IntegrationKey,
        dedup_key: &str,
        text: &str,
        at: DateTime<Utc>,
    ) -> Result<Said, Rejection> {
        let known = |firing: &crate::domain::incident::FiringAlert| {
            firing.integration == *integration && firing.dedup_key == dedup_key
        };
        if !self.after.alerts.iter().any(known) {
            return Ok(super::lifecycle::unchanged("That alert was not firing.".to_owned()));
        }
        let at = at.min(self.context.now).max(self.after.opened_at);
        let (integration, dedup_key) = (integration.clone(), dedup_key.to_owned());
        let resolves = self.context.roster.routes.get(&integration).is_some_and(|route: &Route| route.resolves);
        let text = cut(text.trim(), TEXT_CHARS_MAX);
        self.push_from(at, None, Event::AlertCleared { integration, dedup_key, text: text.clone() });
        if resolves && self.after.alerts.is_empty() && self.after.is_open() && self.after.status != Status::Resolved {
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
