//! What a transaction did, counted after its commit: what was rolled back never happened.

use chrono::TimeDelta;

use super::Metrics;
use super::labels::Sender;
use crate::domain::event::{Event, Recorded};
use crate::domain::incident::Incident;

/// Later than this is a catch-up, as for the rules of calling.
const ON_TIME: TimeDelta = TimeDelta::seconds(1);

/// What one batch of the writer did.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    entries: u64,
    exhausted: u64,
    fallback_used: u64,
    tier_empty: u64,
    late: u64,
    repeated_by_slack: u64,
    repeated_alerts: u64,
    acknowledged_after: Vec<TimeDelta>,
    /// Effects taken over from a worker that did not report.
    pub(crate) takeovers: u64,
    /// Reports that came too late.
    pub(crate) fenced: u64,
}

impl Tally {
    /// An event that is about to be written; `incident` is the one with it folded in.
    pub(crate) fn event(&mut self, recorded: &Recorded, incident: &Incident) {
        self.entries += 1;
        match &recorded.occurrence.event {
            Event::TierStarted { due_at, .. } if recorded.recorded_at - *due_at > ON_TIME => self.late += 1,
            Event::TierSkipped { .. } => self.tier_empty += 1,
            Event::EscalationExhausted { pages, .. } => {
                self.exhausted += 1;
                self.fallback_used += u64::from(!pages.is_empty());
            }
            Event::Acknowledged { escalation: Some(id), .. } => {
                let began = incident.escalations.get(id).map(|found| found.started_at);
                self.acknowledged_after.extend(began.map(|began| recorded.recorded_at - began));
            }
            _ => {}
        }
    }

    /// A delivery under this key was answered before.
    pub(crate) fn repeated(&mut self, key: &str) {
        if ["event:", "trigger:", "body:"].iter().any(|ours| key.starts_with(ours)) {
            self.repeated_by_slack += 1;
        } else {
            self.repeated_alerts += 1;
        }
    }

    /// The transaction was committed.
    pub(crate) fn count(&self, metrics: &Metrics) {
        metrics.entries.add(self.entries);
        metrics.exhausted.add(self.exhausted);
        metrics.fallback_used.add(self.fallback_used);
        metrics.tier_empty.add(self.tier_empty);
        metrics.late_catchup.add(self.late);
        metrics.ingress_repeated.of((Sender::Slack,)).add(self.repeated_by_slack);
        metrics.ingress_repeated.of((Sender::Alerts,)).add(self.repeated_alerts);
        metrics.lease_takeovers.add(self.takeovers);
        metrics.fence_rejects.add(self.fenced);
        for span in &self.acknowledged_after {
            metrics.ack.observe(*span);
        }
    }
}
