//! What a transaction knows of alerts besides the incidents in hand: which fires where, how often, and in which storm.

use super::{Desk, Job, Target};
use crate::domain::command::{Command, Timer};
use crate::domain::event::{Event, Recorded};
use crate::domain::incident::Incident;
use crate::domain::storm::{self, Alerts, Fired};
use crate::domain::{Decided, team_of};
use crate::ids::{IncidentId, IntegrationKey};
use crate::store::{self, alerts, openings};

pub(super) type AlertKey = (IntegrationKey, String);

/// A change to the table that says which incident an alert belongs to, in the order of the events.
pub(super) enum AlertChange {
    Fired(alerts::Fired),
    Cleared { integration: IntegrationKey, dedup_key: String },
    AllCleared { incident: IncidentId },
}

impl Desk<'_> {
    /// Where the table of alerts keeps the storm that this alert may belong to.
    pub(super) fn storm_place(&self, command: &Command) -> Option<AlertKey> {
        match command {
            Command::AlertFired(alert) if self.roster.storm.incidents > 0 => {
                Some(storm::place(team_of(alert, &self.roster).as_ref()))
            }
            _ => None,
        }
    }

    /// Reads how often alerts fired, of the few incidents for which that is about to be told.
    pub(super) async fn count_fired(&mut self, batch: &[Job]) -> Result<(), store::Error> {
        let is_quiet = |id: &IncidentId| {
            batch.iter().any(|job| match job {
                Job::Handle { request, .. } => {
                    request.target == Target::Incident(*id) && request.command == Command::TimerDue(Timer::StormQuiet)
                }
                Job::Claim { .. } | Job::Test { .. } | Job::Settle { .. } => false,
            })
        };
        let counting = |incident: &Incident| incident.alerts.iter().any(|alert| alert.counting.is_some());
        let wanted: Vec<IncidentId> = self
            .sheets
            .values()
            .map(|sheet| &*sheet.incident)
            .filter(|found| counting(found) || is_quiet(&found.id))
            .map(|found| found.id)
            .collect();
        for id in wanted {
            let alerts = alerts::of(&mut self.tx, id).await?.into_iter();
            let of_monitors = alerts.filter(|alert| !alert.integration.as_str().is_empty());
            let fired = of_monitors.map(|alert| {
                ((alert.integration, alert.dedup_key), Fired { count: alert.count, last_at: alert.last_at })
            });
            self.fired.insert(id, fired.collect());
        }
        Ok(())
    }

    /// The incident in which this alert fired before it fires now. A storm takes its alerts back only while it lasts.
    pub(super) fn fired_before(&self, command: &Command) -> Option<IncidentId> {
        let Command::AlertFired(alert) = command else { return None };
        let id = self.cleared.get(&(alert.integration.clone(), alert.dedup_key.clone()))?;
        self.sheets.get(id).is_some_and(|sheet| sheet.incident.storm.is_none()).then_some(*id)
    }

    /// What the decision over a command may know of alerts besides the incident.
    pub(super) fn alerts_around(&self, id: Option<IncidentId>, command: &Command) -> Alerts {
        let key = alert_key(command);
        let is_known = id.is_some() && key.is_some_and(|key| self.alerting.get(&key).copied() == id);
        let is_back = id.is_some() && !is_known && self.fired_before(command) == id;
        let fired = id.and_then(|id| self.fired.get(&id)).cloned().unwrap_or_default();
        Alerts { is_known, is_back, fired, ..Alerts::default() }
    }

    /// What the opening of this incident may know: how many incidents alerts have opened for the team of late, this one
    /// left out. It has its number, and the number's row is locked until the transaction ends: so the replicas open one after
    /// the other, and each counts what the others have opened.
    ///
    /// Another replica may have opened it for the same alert, or begun the team's storm, while we waited for the number. Begun
    /// anew, this batch finds that incident, locks it in its turn and gives the number back.
    pub(super) async fn alerts_at_opening(
        &mut self,
        id: IncidentId,
        command: &Command,
    ) -> Result<Alerts, store::Error> {
        let Command::AlertFired(alert) = command else { return Ok(Alerts::default()) };
        let keys = alert_key(command).into_iter().chain(self.storm_place(command));
        let keys: Vec<AlertKey> = keys.filter(|key| !self.alerting.contains_key(key)).collect();
        let workspace = &self.inner.workspace;
        if !alerts::find(&mut self.tx, workspace, &keys).await?.firing.is_empty() {
            return Err(store::Error::Raced);
        }
        if self.roster.storm.incidents == 0 {
            return Ok(Alerts::default());
        }
        let team = team_of(alert, &self.roster);
        let openings = openings::recent(&mut self.tx, workspace, team.as_ref(), self.now).await?;
        openings::note(&mut self.tx, workspace, team.as_ref(), id, self.now).await?;
        Ok(Alerts { openings, ..Alerts::default() })
    }

    /// Counts an alert that came again, whether or not the history tells of it now.
    pub(super) fn count_again(&mut self, id: IncidentId, command: &Command, decided: &Decided) {
        let Command::AlertFired(alert) = command else { return };
        let is_new = |recorded: &Recorded| {
            matches!(recorded.occurrence.event, Event::AlertFiring { .. } | Event::AlertJoined { .. })
        };
        if decided.events.iter().any(is_new) {
            return;
        }
        let key = (alert.integration.clone(), alert.dedup_key.clone());
        let fired = self.fired.get_mut(&id).and_then(|fired| fired.get_mut(&key));
        if let Some(fired) = fired {
            *fired = Fired { count: fired.count + 1, last_at: self.now };
        }
        self.fire(id, key);
    }

    fn fire(&mut self, incident: IncidentId, (integration, dedup_key): AlertKey) {
        self.alerts.push(AlertChange::Fired(alerts::Fired { integration, dedup_key, incident, at: self.now }));
    }

    /// Keeps the table that says which alert fires where.
    pub(super) fn index_alert(&mut self, id: IncidentId, event: &Event) {
        match event {
            Event::AlertFiring { integration, dedup_key } | Event::AlertJoined { integration, dedup_key, .. } => {
                let key = (integration.clone(), dedup_key.clone());
                let elsewhere = self.alerting.insert(key.clone(), id);
                if elsewhere.is_some_and(|other| other != id) {
                    // Its sender wants it in another incident now.
                    self.alerts
                        .push(AlertChange::Cleared { integration: integration.clone(), dedup_key: dedup_key.clone() });
                }
                self.fire(id, key);
            }
            Event::StormBegan { team, .. } => {
                let place = storm::place(team.as_ref());
                self.alerting.insert(place.clone(), id);
                self.fire(id, place);
            }
            Event::StormEnded { .. } => {
                let team = self.sheets.get(&id).and_then(|sheet| sheet.incident.storm.as_ref()?.team.clone());
                let (integration, dedup_key) = storm::place(team.as_ref());
                self.alerting.remove(&(integration.clone(), dedup_key.clone()));
                self.alerts.push(AlertChange::Cleared { integration, dedup_key });
            }
            Event::AlertCleared { integration, dedup_key, .. } => {
                let key = (integration.clone(), dedup_key.clone());
                self.alerting.remove(&key);
                self.cleared.insert(key, id);
                self.alerts
                    .push(AlertChange::Cleared { integration: integration.clone(), dedup_key: dedup_key.clone() });
            }
            Event::Resolved { .. } | Event::Canceled { .. } => {
                self.alerting.retain(|_, incident| *incident != id);
                self.alerts.push(AlertChange::AllCleared { incident: id });
            }
            _ => {}
        }
    }

    /// Writes what has changed in that table.
    pub(super) async fn write_alerts(&mut self) -> Result<(), store::Error> {
        let tx = &mut self.tx;
        for change in &self.alerts {
            match change {
                AlertChange::Fired(fired) => {
                    alerts::upsert(tx, &self.inner.workspace, std::slice::from_ref(fired)).await?;
                }
                AlertChange::Cleared { integration, dedup_key } => {
                    alerts::close(tx, &self.inner.workspace, integration, dedup_key).await?;
                }
                AlertChange::AllCleared { incident } => {
                    alerts::close_all_of(tx, *incident).await?;
                }
            }
        }
        Ok(())
    }
}

/// What tells the alert of this command from others.
pub(super) fn alert_key(command: &Command) -> Option<AlertKey> {
    match command {
        Command::AlertFired(alert) | Command::TakeAlertOut(alert) => {
            Some((alert.integration.clone(), alert.dedup_key.clone()))
        }
        Command::AlertCleared { integration, dedup_key, .. } => Some((integration.clone(), dedup_key.clone())),
        _ => None,
    }
}
