//! An alert that a person takes out of its storm: the one command that changes an incident and opens another.

use std::sync::Arc;

use super::alerting::{AlertKey, alert_key};
use super::{Answer, Desk, Job, Sheet, refused};
use crate::app::Request;
use crate::domain::command::Command;
use crate::domain::storm::Alerts;
use crate::domain::{Context, decide, decide_opening};
use crate::ids::IncidentId;
use crate::store::{self, Engine, alerts, chain, counters};

impl Desk<'_> {
    /// Begins anew if another replica has moved an alert of this batch while we waited for the lock of its storm's incident.
    /// An alert that fires needs no such look: the table of alerts refuses it a second place.
    pub(super) async fn refuse_moved(&mut self, batch: &[Job]) -> Result<(), store::Error> {
        if self.inner.db.engine() == Engine::Sqlite {
            // The one writer has the whole file.
            return Ok(());
        }
        let is_of_a_storm = |key: &AlertKey| {
            let sheet = self.alerting.get(key).and_then(|id| self.sheets.get(id));
            sheet.is_some_and(|sheet| sheet.incident.storm.is_some())
        };
        let leaving = batch.iter().filter_map(|job| match job {
            Job::Handle { request, .. } => match &request.command {
                command @ (Command::AlertCleared { .. } | Command::TakeAlertOut(_)) => alert_key(command),
                _ => None,
            },
            Job::Claim { .. } | Job::Test { .. } | Job::Settle { .. } => None,
        });
        let keys: Vec<AlertKey> = leaving.filter(is_of_a_storm).collect();
        let places = alerts::find(&mut self.tx, &self.inner.workspace, &keys).await?.firing;
        if keys.iter().any(|key| places.get(key) != self.alerting.get(key)) {
            return Err(store::Error::Raced);
        }
        Ok(())
    }

    /// Decides both sides, the storm's and that of the new incident, which has its number by then.
    pub(super) async fn take_alert_out(
        &mut self,
        storm: IncidentId,
        request: &Request,
    ) -> Result<Answer, store::Error> {
        let (roster, directory) = (Arc::clone(&self.roster), Arc::clone(&self.directory));
        let workspace = self.inner.workspace.clone();
        let around = self.alerts_around(Some(storm), &request.command);
        let before = Arc::clone(&self.sheets.get(&storm).expect("target() put it in hand").incident);
        let context = Context {
            now: self.now,
            actor: &request.actor,
            inside: request.inside,
            roster: &roster,
            directory: &directory,
            slack_is_away: self.inner.breaker.is_open(),
            alerts: &around,
        };
        // Decided once for the answer, so that a refused command does not use up a number.
        let allowed = decide(&before, &request.command, &context)
            .and_then(|_| decide_opening(IncidentId(0), &workspace, 0, &request.command, &context));
        if let Err(rejection) = allowed {
            return Ok(refused(Some((storm, before.number)), rejection));
        }
        let (id, number) = counters::allocate(&mut self.tx, &workspace).await?;
        let taken_from = Alerts { other: Some(before.number), ..Alerts::default() };
        let taken_into = Alerts { other: Some(number), ..around.clone() };
        let opening = Context { alerts: &taken_from, ..context };
        let leaving = Context { alerts: &taken_into, ..context };
        let both = decide_opening(id, &workspace, number, &request.command, &opening)
            .and_then(|opened| Ok((opened, decide(&before, &request.command, &leaving)?)));
        let (opened, left) = match both {
            Ok(both) => both,
            Err(rejection) => return Ok(refused(Some((storm, before.number)), rejection)),
        };
        let incident = Arc::new(opened.after.clone());
        self.sheets.insert(id, Sheet { incident, read: None, head: chain::GENESIS.to_owned(), timers_stale: false });
        self.take(storm, left);
        Ok(Answer { incident: Some(id), number: Some(number), said: self.take(id, opened) })
    }
}
