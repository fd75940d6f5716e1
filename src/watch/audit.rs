//! The auditor: looks from the state of what is open whether everything that must happen has somebody to do it.
//!
//! It does not trust the tables that the rest of the program works from. What should be waiting follows from the incidents
//! alone; what waits is then looked up.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{Trouble, UNATTEMPTED_MAX, Watch};
use crate::clock::lock;
use crate::domain::command::Timer;
use crate::domain::effect::Effect;
use crate::domain::incident::Incident;
use crate::domain::still_wanted;
use crate::ids::{IncidentId, PageId};
use crate::metrics::{Check, unix_seconds};
use crate::store::{self, Tx, audit, timers};

/// Incidents that one round names in the log; the figures count them all.
const LOGGED_MAX: usize = 20;

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

    fn count(&mut self, undone: &Undone) {
        match undone {
            Undone::Step(..) | Undone::Page(..) => self.not_attempted += 1,
            Undone::Untimed(..) => self.without_timer += 1,
        }
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { not_attempted, without_timer } = self;
        write!(f, "{not_attempted} overdue pages that were not attempted and {without_timer} calls without a timer")
    }
}

/// What should have been done and was not, of the incident with this number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Undone {
    Step(i64, Timer),
    Page(i64, PageId),
    /// The timer is not there.
    Untimed(i64, Timer),
}

impl Undone {
    fn incident(&self) -> i64 {
        match self {
            Self::Step(incident, _) | Self::Page(incident, _) | Self::Untimed(incident, _) => *incident,
        }
    }
}

/// What one look at everything sees.
#[derive(Default)]
struct Look {
    undone: BTreeSet<Undone>,
    held: u64,
}

impl Watch {
    /// One round. What is found is in the log, in the figures, and a trouble until a later round finds it gone.
    ///
    /// After a start, a standstill or a step of the clock much is overdue that its doers have not had a turn at. What a
    /// look sees is therefore looked at again after `pause`, and found if it is still undone.
    pub async fn audit(&self, pause: impl Future<Output = ()>) -> Result<Findings, store::Error> {
        let metrics = self.app().metrics();
        let mut seen = self.look().await?;
        if !seen.undone.is_empty() {
            pause.await;
            let again = self.look().await?;
            seen = Look { undone: seen.undone.intersection(&again.undone).cloned().collect(), held: again.held };
        }
        if self.mendable().iter().any(Trouble::refuses_writes) {
            // Restarting would mend nothing: what is undone waits for the database, which the alarm tells.
            seen.undone.retain(|undone| matches!(undone, Undone::Untimed(..)));
        }
        let mut by_incident: BTreeMap<i64, Findings> = BTreeMap::new();
        for undone in &seen.undone {
            by_incident.entry(undone.incident()).or_default().count(undone);
        }
        let mut findings = Findings::default();
        for (nth, (incident, Findings { not_attempted, without_timer })) in by_incident.into_iter().enumerate() {
            if nth < LOGGED_MAX {
                tracing::error!(
                    incident,
                    not_attempted,
                    without_timer,
                    "the auditor found what nobody will do; restart Firebell, and report this"
                );
            }
            findings.not_attempted += not_attempted;
            findings.without_timer += without_timer;
        }
        metrics.audit_findings.of((Check::NotAttempted,)).set_count(findings.not_attempted);
        metrics.audit_findings.of((Check::NoTimer,)).set_count(findings.without_timer);
        metrics.calls_held.set_count(seen.held);
        metrics.audit_last_ok.set(unix_seconds(self.app().clock().now()));
        *lock(&self.inner.findings) = findings;
        Ok(findings)
    }

    /// Looks at all incidents with a call under way, some at a time.
    async fn look(&self) -> Result<Look, store::Error> {
        let mut seen = Look::default();
        let mut after = None;
        loop {
            let mut tx = self.app().db().read().await?;
            let (calling, next) = audit::calling(&mut tx, after, self.read_at_once).await?;
            self.look_at(&mut tx, &calling, &mut seen).await?;
            if next.is_none() {
                return Ok(seen);
            }
            after = next;
        }
    }

    async fn look_at(&self, tx: &mut Tx, calling: &[Incident], seen: &mut Look) -> Result<(), store::Error> {
        let clock = self.app().clock();
        let too_late = clock.now() - clock.stretched(UNATTEMPTED_MAX);
        let ids: Vec<IncidentId> = calling.iter().map(|incident| incident.id).collect();
        // Somebody has these in hand; that Slack's limits hold them back is told by the oldest page's age.
        let begun: BTreeSet<(IncidentId, PageId)> = audit::waiting_pages_of(tx, &ids)
            .await?
            .into_iter()
            .filter(|waiting| waiting.attempt > 0)
            .filter_map(|waiting| match waiting.effect {
                Effect::Page { page } => Some((waiting.incident, page)),
                _ => None,
            })
            .collect();
        for incident in calling {
            let number = incident.number;
            seen.held += incident.held().count() as u64;
            let set: Vec<Timer> = timers::of(tx, incident.id).await?.into_iter().map(|due| due.timer).collect();
            for (timer, due_at) in incident.timers() {
                if !set.contains(&timer) {
                    seen.undone.insert(Undone::Untimed(number, timer.clone()));
                }
                if due_at < too_late {
                    seen.undone.insert(Undone::Step(number, timer));
                }
            }
            let overdue = incident
                .pages
                .values()
                .filter(|page| page.attempts == 0 && page.due_at < too_late && !begun.contains(&(incident.id, page.id)))
                .filter(|page| still_wanted(&Effect::Page { page: page.id }, incident));
            seen.undone.extend(overdue.map(|page| Undone::Page(number, page.id)));
        }
        Ok(())
    }
}
