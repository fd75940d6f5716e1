//! The calls that are due while the database takes no writes: whom they would page now, from reads alone.
//!
//! What cannot be written down is decided all the same, and kept here for as long as the stored incident stands still: a
//! call that nobody can answer goes on to its next tier in its time. Nothing of it reaches the database. When that takes
//! writes again, everything is decided anew, from what is stored.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use crate::app::App;
use crate::domain::command::{Command, Timer};
use crate::domain::effect::Effect;
use crate::domain::escalation::Escalation;
use crate::domain::event::{Actor, Recipient};
use crate::domain::incident::{Incident, Page};
use crate::domain::storm::Alerts;
use crate::domain::{Context, decide, still_wanted};
use crate::ids::{EscalationId, IncidentId, Seq};
use crate::store::{self, audit};
use crate::watch::READ_AT_ONCE;

/// Steps that one call may be behind by.
const STEPS_MAX: usize = 100;

/// A call in which somebody should have been paged.
#[derive(Clone, Debug)]
pub(super) struct DueCall {
    pub(super) incident: Incident,
    pub(super) escalation: Escalation,
    /// Everybody whose turn it is or was, each once, whichever way they are reached.
    pub(super) to: BTreeSet<Recipient>,
    /// Since when the first of them should have been paged.
    pub(super) due_at: DateTime<Utc>,
}

impl DueCall {
    pub(super) fn id(&self) -> (IncidentId, EscalationId) {
        (self.incident.id, self.escalation.id)
    }
}

/// Incidents that are further than what is stored of them, with the last event that is stored.
#[derive(Default)]
pub(super) struct Ahead(BTreeMap<IncidentId, (Seq, Incident)>);

impl Ahead {
    /// The calls in which somebody should have been paged before `too_late`.
    pub(super) async fn due(&mut self, app: &App, too_late: DateTime<Utc>) -> Result<Vec<DueCall>, store::Error> {
        let mut before = std::mem::take(&mut self.0);
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let mut tx = app.db().read().await?;
            let (calling, next) = audit::calling(&mut tx, after, READ_AT_ONCE).await?;
            drop(tx);
            for stored in calling {
                let seq = stored.last_seq;
                let ahead = before.remove(&stored.id).filter(|(known, _)| *known == seq);
                let incident = go_on(app, ahead.map_or(stored, |(_, ahead)| ahead), too_late);
                found.extend(due_calls(&incident, too_late));
                if incident.last_seq != seq {
                    self.0.insert(incident.id, (seq, incident));
                }
            }
            if next.is_none() {
                return Ok(found);
            }
            after = next;
        }
    }
}

/// The incident after the steps that were due before `too_late`.
fn go_on(app: &App, mut incident: Incident, too_late: DateTime<Utc>) -> Incident {
    let (roster, directory) = (app.roster(), app.directory());
    let context = Context {
        now: app.clock().now(),
        actor: &Actor::Firebell,
        inside: true,
        roster: &roster,
        directory: &directory,
        slack_is_away: app.slack_is_away(),
        alerts: Alerts::NONE,
    };
    for _ in 0..STEPS_MAX {
        // Every way is used at once, so that a page need not go on by another.
        let step = |timer: &Timer| matches!(timer, Timer::TierDue { .. } | Timer::AcknowledgementLapses { .. });
        let due = incident.timers().into_iter().filter(|(timer, due_at)| step(timer) && *due_at < too_late);
        let Some((timer, _)) = due.min_by_key(|(_, due_at)| *due_at) else { break };
        match decide(&incident, &Command::TimerDue(timer), &context) {
            Ok(decided) if !decided.events.is_empty() => incident = decided.after,
            Ok(_) | Err(_) => break,
        }
    }
    incident
}

fn due_calls(incident: &Incident, too_late: DateTime<Utc>) -> Vec<DueCall> {
    let is_due = |page: &&Page| {
        page.due_at < too_late && !page.is_accepted() && still_wanted(&Effect::Page { page: page.id }, incident)
    };
    let mut calls: BTreeMap<EscalationId, DueCall> = BTreeMap::new();
    for page in incident.pages.values().filter(is_due) {
        let Some(escalation) = incident.escalations.get(&page.escalation) else { continue };
        let call = calls.entry(escalation.id).or_insert_with(|| DueCall {
            incident: incident.clone(),
            escalation: escalation.clone(),
            to: BTreeSet::new(),
            due_at: page.due_at,
        });
        call.due_at = call.due_at.min(page.due_at);
        call.to.insert(match &page.to {
            Recipient::Contact { of: Some(user), .. } => Recipient::User { user: user.clone() },
            to => to.clone(),
        });
    }
    calls.into_values().collect()
}
