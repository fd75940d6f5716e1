//! Alerts on their way from the web into the application.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::FutureExt as _;

use crate::alerts;
use crate::app::{App, Error, Request, Target};
use crate::clock::instant_now;
use crate::config::{Config, IntegrationKind};
use crate::crash::{self, Point};
use crate::domain::answer::Said;
use crate::domain::command::Command;
use crate::domain::event::Actor;
use crate::domain::incident::Incident;
use crate::domain::rejection::RejectionKind;
use crate::ids::{IntegrationKey, random_id};
use crate::metrics::Delivery;
use crate::store::{self, Retry};

/// Who may send alerts: what the configuration names, with the sums of the secrets.
pub(super) fn keys(config: &Config, mut sums: BTreeMap<IntegrationKey, Vec<[u8; 32]>>) -> Arc<alerts::Keys> {
    let integrations = config.settings.integrations.iter().map(|integration| alerts::Integration {
        key: integration.key.clone(),
        kind: match integration.kind {
            IntegrationKind::Alertmanager => alerts::Kind::Alertmanager,
            IntegrationKind::Generic => alerts::Kind::Generic,
        },
        secret_sha256s: sums.remove(&integration.key).unwrap_or_default(),
    });
    Arc::new(alerts::Keys::new(integrations.collect()))
}

/// Hands alerts to the application, one command each, and answers after the last is committed.
pub(super) fn submit(app: &App) -> alerts::Submit {
    let app = app.clone();
    Arc::new(move |signals: Vec<alerts::Signal>| {
        let app = app.clone();
        async move {
            let began = instant_now();
            let mut accepted = Vec::with_capacity(signals.len());
            for signal in signals {
                accepted.push(submit_one(&app, signal).await?);
            }
            app.metrics().ingress.of((Delivery::Alert,)).observe_real(began.elapsed());
            crash::at(Point::AlertAnswering);
            Ok(accepted)
        }
        .boxed()
    })
}

async fn submit_one(app: &App, signal: alerts::Signal) -> Result<alerts::Accepted, alerts::SubmitError> {
    let clears = matches!(signal, alerts::Signal::Cleared { .. });
    let mut unknown: Vec<_> = unknown_team(app, &signal).into_iter().collect();
    let (key, integration, join, command) = match signal {
        alerts::Signal::Fired { delivery_key, alert, join } => {
            (delivery_key, alert.integration.clone(), join, Command::AlertFired(*alert))
        }
        alerts::Signal::Cleared { delivery_key, integration, dedup_key, text, at, join } => {
            let command = Command::AlertCleared { integration: integration.clone(), dedup_key, text, at };
            (delivery_key, integration, join, command)
        }
    };
    let failed = |error: Error| match error {
        Error::Busy | Error::Closed => alerts::SubmitError::Busy { retry_after_s: 5 },
        Error::Broken { reference } => alerts::SubmitError::Failed { reference },
        Error::Store(error) => {
            let reference = random_id()[..8].to_owned();
            tracing::error!(%error, reference, "an alert was not kept");
            match error.retry() {
                _ if matches!(error, store::Error::Full) => alerts::SubmitError::Full { reference },
                Retry::Now | Retry::After(_) => alerts::SubmitError::Away { reference },
                Retry::Never => alerts::SubmitError::Failed { reference },
            }
        }
    };
    // An incident that is gone or closed cannot be joined; the alert is then treated like any other.
    let joined = match join {
        Some(number) => app.incident_by_number(number).await.map_err(|error| failed(error.into()))?,
        None => None,
    };
    let target = match (joined.filter(Incident::is_open), join) {
        (Some(incident), _) => Target::Incident(incident.id),
        (None, Some(number)) => {
            let sentence = format!("INC-{number} is not open; the alert counts as if it named no incident.");
            unknown.push(alerts::Unknown { what: alerts::Named::Incident, sentence });
            Target::Alert
        }
        (None, None) => Target::Alert,
    };
    let actor = Actor::Integration { integration };
    let answer =
        app.try_handle(Request { key: Some(key), actor, target, command, inside: true }).await.map_err(failed)?;
    let number = answer.number;
    match answer.answer.said {
        // Clearing what never fired here is nothing to complain about.
        Said::Refused { rejection } if clears && rejection.kind == RejectionKind::NotFound => {
            Ok(alerts::Accepted { incident: None, unknown })
        }
        Said::Refused { rejection } => Err(alerts::SubmitError::Refused(rejection)),
        _ => Ok(alerts::Accepted { incident: number, unknown }),
    }
}

/// The team that an alert names though there is none of that name: its sender believes that somebody else is called.
fn unknown_team(app: &App, signal: &alerts::Signal) -> Option<alerts::Unknown> {
    let alerts::Signal::Fired { alert, .. } = signal else { return None };
    let (word, roster) = (alert.team.as_deref()?, app.roster());
    if roster.team(word).is_some() {
        return None;
    }
    let near = roster.near_team(word).map(|team| format!(" Is \"{}\" meant?", team.key)).unwrap_or_default();
    let sentence = format!("There is no team \"{word}\"; the route's is called.{near}");
    Some(alerts::Unknown { what: alerts::Named::Team, sentence })
}
