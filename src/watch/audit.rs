//! The auditor: looks from the state of what is open whether everything that must happen has somebody to do it.
//!
//! It does not trust the tables that the rest of the program works from. What should be waiting follows from the incidents
//! alone; what waits is then looked up.

use std::collections::BTreeSet;
use std::fmt;

use super::{UNATTEMPTED_MAX, Watch};
use crate::clock::lock;
use crate::domain::command::Timer;
use crate::domain::effect::Effect;
use crate::domain::still_wanted;
use crate::ids::{IncidentId, PageId};
use crate::metrics::{Check, unix_seconds};
use crate::store::{self, audit, timers};

/// Incidents with a call under way that are looked at in one round.
const CALLING_MAX: u32 = 1_000;
/// Pages in the outbox that are looked at in one round, the longest overdue.
const PAGES_MAX: u32 = 4_096;

/// What one round found; all 0 is as it should be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Pages and steps that should have begun and did not.
    pub not_attempted: u64,
    /// Calls that nobody has answered, that are not at their end, and that no timer will take further.
    pub without_timer: u64,
}

impl Findings {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { not_attempted, without_timer } = self;
        write!(f, "{not_attempted} overdue pages that were not attempted and {without_timer} calls without a timer")
    }
}

impl Watch {
    /// One round. What is found is in the log, in the figures, and a trouble until a later round finds it gone.
    pub async fn audit(&self) -> Result<Findings, store::Error> {
        let (app, metrics) = (self.app(), self.app().metrics());
        let mut tx = app.db().read().await?;
        let now = app.clock().now();
        let too_late = now - app.clock().stretched(UNATTEMPTED_MAX);
        let mut findings = Findings::default();
        // Somebody has these in hand; that Slack's limits hold them back is told by the oldest page's age.
        let begun: BTreeSet<(IncidentId, PageId)> = audit::waiting_pages(&mut tx, PAGES_MAX)
            .await?
            .into_iter()
            .filter(|waiting| waiting.attempt > 0)
            .filter_map(|waiting| match waiting.effect {
                Effect::Page { page } => Some((waiting.incident, page)),
                _ => None,
            })
            .collect();
        let mut held = 0;
        for incident in audit::calling(&mut tx, CALLING_MAX).await? {
            held += incident.held().count();
            let set: Vec<Timer> = timers::of(&mut tx, incident.id).await?.into_iter().map(|due| due.timer).collect();
            let wanted = incident.timers();
            let missing = wanted.iter().filter(|(timer, _)| !set.contains(timer)).count();
            let overdue_timers = wanted.iter().filter(|(_, due_at)| *due_at < too_late).count();
            let overdue_pages = incident
                .pages
                .values()
                .filter(|page| page.attempts == 0 && page.due_at < too_late && !begun.contains(&(incident.id, page.id)))
                .filter(|page| still_wanted(&Effect::Page { page: page.id }, &incident))
                .count();
            let late = overdue_timers + overdue_pages;
            if late + missing > 0 {
                tracing::error!(
                    incident = incident.number,
                    not_attempted = late,
                    without_timer = missing,
                    "the auditor found what nobody will do; restart Firebell, and report this"
                );
            }
            findings.not_attempted += late as u64;
            findings.without_timer += missing as u64;
        }
        metrics.audit_findings.of((Check::NotAttempted,)).set_count(findings.not_attempted);
        metrics.audit_findings.of((Check::NoTimer,)).set_count(findings.without_timer);
        metrics.calls_held.set_count(held as u64);
        metrics.audit_last_ok.set(unix_seconds(now));
        *lock(&self.inner.findings) = findings;
        Ok(findings)
    }
}
