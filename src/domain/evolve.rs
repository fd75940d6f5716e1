//! Folds an event into the incident. Total over every history that `decide` can make; decides nothing.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use super::escalation::{Escalation, Phase};
use super::event::{Actor, Event, PageResult, PlannedPage, Recipient, Recorded, Step, TeamRef};
use super::incident::{Channel, FiringAlert, Incident, Page, Status, Task};
use crate::ids::{EscalationId, IncidentId, WorkspaceId};

impl Incident {
    /// The incident that begins with this event; `None` if the event does not open one.
    pub fn begin(id: IncidentId, workspace: WorkspaceId, recorded: &Recorded) -> Option<Self> {
        let occurrence = &recorded.occurrence;
        let Event::Opened { number, title, severity, private, zone, origin, declares, nonce } = &occurrence.event
        else {
            return None;
        };
        let mut incident = Self {
            id,
            workspace,
            number: *number,
            title: title.clone(),
            severity: *severity,
            status: Status::Investigating,
            private: *private,
            zone: zone.clone(),
            origin: origin.clone(),
            nonce: nonce.clone(),
            opened_at: occurrence.at,
            opened_by: occurrence.actor.clone(),
            declares: *declares,
            resolved_at: None,
            concluded: false,
            last_seq: recorded.seq,
            last_update_at: None,
            roles: BTreeMap::new(),
            responders: BTreeSet::new(),
            impact_start_at: None,
            impact_end_at: None,
            fields: BTreeMap::new(),
            measures: Vec::new(),
            tasks: Vec::new(),
            tasks_ever: 0,
            prose: BTreeMap::new(),
            teams: Vec::new(),
            escalations: BTreeMap::new(),
            pages: BTreeMap::new(),
            alerts: Vec::new(),
            channel: Channel::Wanted,
            card: None,
            announcement: None,
            postmortem_message: None,
        };
        incident.meet(&occurrence.actor);
        Some(incident)
    }

    /// The incident that a whole history adds up to; `None` if it does not begin with `Opened`.
    pub fn fold(id: IncidentId, workspace: WorkspaceId, history: &[Recorded]) -> Option<Self> {
        let (first, rest) = history.split_first()?;
        let mut incident = Self::begin(id, workspace, first)?;
        for recorded in rest {
            evolve(&mut incident, recorded);
        }
        Some(incident)
    }

    fn meet(&mut self, actor: &Actor) {
        if let Actor::Person { user } = actor
            && self.responders.len() < super::limits::RESPONDERS_MAX
        {
            self.responders.insert(user.clone());
        }
    }

    fn call(&mut self, team: Option<&TeamRef>) {
        if let Some(team) = team
            && !self.teams.contains(team)
        {
            self.teams.push(team.clone());
        }
    }

    fn escalation_mut(&mut self, id: EscalationId) -> Option<&mut Escalation> {
        self.escalations.get_mut(&id)
    }

    fn page_out(
        &mut self,
        escalation: EscalationId,
        step: Step,
        due_at: chrono::DateTime<chrono::Utc>,
        pages: &[PlannedPage],
    ) {
        for planned in pages {
            if let Recipient::User { user } = &planned.to {
                self.meet(&Actor::Person { user: user.clone() });
            }
            self.pages.insert(
                planned.page,
                Page {
                    id: planned.page,
                    escalation,
                    step,
                    to: planned.to.clone(),
                    because: planned.because.clone(),
                    due_at,
                    attempts: 0,
                    message: None,
                    dead: false,
                    declined: false,
                },
            );
        }
    }

    /// No timer fires any more for an incident that people have closed.
    fn stop_escalations(&mut self) {
        for escalation in self.escalations.values_mut() {
            match escalation.phase {
                Phase::Active { .. } | Phase::Exhausted => escalation.phase = Phase::Stopped,
                Phase::Acknowledged { ref mut lapses_at, .. } => *lapses_at = None,
                Phase::Stopped => {}
            }
        }
    }
}

/// Folds one event into the incident it belongs to.
pub fn evolve(incident: &mut Incident, recorded: &Recorded) {
    let occurrence = &recorded.occurrence;
    incident.last_seq = recorded.seq;
    incident.meet(&occurrence.actor);
    match &occurrence.event {
        Event::Opened { .. } => {}
        Event::Detected { .. } => {}
        Event::CaptureRequested { .. } => {}
        Event::Declared { .. } | Event::Noted { .. } | Event::TextEdited { .. } | Event::EntryRemoved { .. } => {}
        Event::StatusChanged { to, .. } => incident.status = *to,
        Event::Mitigated { .. } => {
            if incident.is_open() {
                incident.status = Status::Monitoring;
            }
        }
        Event::Resolved { .. } => {
            incident.status = Status::Resolved;
            incident.resolved_at = Some(occurrence.at);
            incident.concluded = true;
            incident.stop_escalations();
        }
        Event::Reopened { .. } => {
            incident.status = Status::Investigating;
            incident.resolved_at = None;
        }
        Event::Canceled { .. } => {
            incident.status = Status::Canceled;
            incident.stop_escalations();
        }
        Event::SeverityChanged { to, .. } => incident.severity = *to,
        Event::TitleChanged { to, .. } => incident.title.clone_from(to),
        Event::RoleAssigned { role, user } => {
            incident.roles.insert(*role, user.clone());
            incident.meet(&Actor::Person { user: user.clone() });
        }
        Event::UpdatePosted { .. } => incident.last_update_at = Some(occurrence.at),
        Event::ImpactStartSet { start_at } => incident.impact_start_at = *start_at,
        Event::ImpactEndSet { end_at } => incident.impact_end_at = *end_at,
        Event::FieldSet { field, value } => match value {
            Some(value) => {
                incident.fields.insert(*field, value.clone());
            }
            None => {
                incident.fields.remove(field);
            }
        },
        Event::MeasureAdded { text } => incident.measures.push(text.clone()),
        Event::MeasureRemoved { index } => {
            if (*index as usize) < incident.measures.len() {
                incident.measures.remove(*index as usize);
            }
        }
        Event::TaskAdded { task, text, owner, due_on } => {
            incident.tasks_ever = *task;
            incident.tasks.push(Task {
                number: *task,
                text: text.clone(),
                owner: owner.clone(),
                due_on: *due_on,
                done: false,
            });
        }
        Event::TaskDone { task, done } => {
            if let Some(found) = incident.tasks.iter_mut().find(|found| found.number == *task) {
                found.done = *done;
            }
        }
        Event::TaskRemoved { task } => incident.tasks.retain(|found| found.number != *task),
        Event::ProseWritten { section, text } => match text {
            Some(text) => {
                incident.prose.insert(section.clone(), text.clone());
            }
            None => {
                incident.prose.remove(section);
            }
        },
        Event::AlertRepeated { integration, dedup_key, .. } => {
            note_alert(incident, integration, dedup_key, occurrence.at);
        }
        Event::AlertFiring { integration, dedup_key } => {
            note_alert(incident, integration, dedup_key, recorded.recorded_at)
        }
        Event::AlertCleared { integration, dedup_key, .. } => {
            incident.alerts.retain(|alert| alert.integration != *integration || alert.dedup_key != *dedup_key);
        }
        Event::ChannelCreated { channel, name } => {
            incident.channel = Channel::Open { id: channel.clone(), name: name.clone() };
        }
        Event::ChannelFailed { error } => {
            incident.channel = Channel::Failed { error: error.clone() };
            incident.card = None;
        }
        Event::CardPosted { message } => incident.card = Some(message.clone()),
        Event::AnnouncementPosted { message } => incident.announcement = Some(message.clone()),
        Event::PostmortemPosted { message } => incident.postmortem_message = Some(message.clone()),
        Event::Escalated { .. }
        | Event::TierStarted { .. }
        | Event::TierSkipped { .. }
        | Event::PageAttempted { .. }
        | Event::Acknowledged { .. }
        | Event::JoinedAcknowledged { .. }
        | Event::AcknowledgementLapsed { .. }
        | Event::Declined { .. }
        | Event::ActivitySeen { .. }
        | Event::EscalationAdvanced { .. }
        | Event::EscalationStopped { .. }
        | Event::EscalationExhausted { .. }
        | Event::EscalationPosted { .. } => evolve_escalation(incident, recorded),
    }
}

fn note_alert(
    incident: &mut Incident,
    integration: &crate::ids::IntegrationKey,
    dedup_key: &str,
    noted_at: chrono::DateTime<chrono::Utc>,
) {
    let known =
        incident.alerts.iter_mut().find(|alert| alert.integration == *integration && alert.dedup_key == dedup_key);
    match known {
        Some(alert) => alert.noted_at = noted_at,
        None => incident.alerts.push(FiringAlert {
            integration: integration.clone(),
            dedup_key: dedup_key.to_owned(),
            noted_at,
        }),
    }
}

fn evolve_escalation(incident: &mut Incident, recorded: &Recorded) {
    let occurrence = &recorded.occurrence;
    match &occurrence.event {
        Event::Escalated { escalation, team, text, policy } => {
            incident.call(team.as_ref());
            if let (Some(id), Some(team), Some(policy)) = (escalation, team, policy) {
                incident.escalations.insert(
                    *id,
                    Escalation {
                        id: *id,
                        team: team.clone(),
                        policy: policy.clone(),
                        reason: text.clone(),
                        called_by: occurrence.actor.clone(),
                        started_at: recorded.recorded_at,
                        phase: Phase::Active { next_due_at: recorded.recorded_at },
                        step: Step { round: 1, tier: 0, generation: 0 },
                        fired_at: None,
                        message: None,
                    },
                );
            }
        }
        Event::TierStarted { escalation, step, due_at, next_due_at, pages, .. } => {
            if let Some(found) = incident.escalation_mut(*escalation) {
                found.step = *step;
                found.fired_at = Some(recorded.recorded_at);
                found.phase = Phase::Active { next_due_at: *next_due_at };
            }
            incident.page_out(*escalation, *step, *due_at, pages);
        }
        Event::TierSkipped { escalation, step, .. } => {
            if let Some(found) = incident.escalation_mut(*escalation) {
                found.step = *step;
            }
        }
        Event::PageAttempted { page, attempt, result } => {
            if let Some(found) = incident.pages.get_mut(page) {
                found.attempts = *attempt;
                match result {
                    PageResult::Sent { message } => found.message = Some(message.clone()),
                    PageResult::NotReached { .. } => found.dead = true,
                    PageResult::Failed { .. } | PageResult::Unknown { .. } => {}
                }
            }
        }
        Event::Acknowledged { escalation, user, .. } => {
            if let Some(user) = user {
                incident.meet(&Actor::Person { user: user.clone() });
            }
            if let Some(found) = escalation.and_then(|id| incident.escalation_mut(id)) {
                let lapses_at =
                    found.policy.ack_timeout_s.map(|wait| recorded.recorded_at + TimeDelta::seconds(wait.into()));
                found.phase = Phase::Acknowledged { by: user.clone(), at: occurrence.at, lapses_at };
            }
        }
        Event::JoinedAcknowledged { user, .. } => {
            if let Some(user) = user {
                incident.meet(&Actor::Person { user: user.clone() });
            }
        }
        Event::ActivitySeen { escalation, lapses_at: until, .. } => {
            if let Some(Escalation { phase: Phase::Acknowledged { lapses_at, .. }, .. }) =
                incident.escalation_mut(*escalation)
            {
                *lapses_at = Some(*until);
            }
        }
        Event::AcknowledgementLapsed { escalation, .. } | Event::EscalationAdvanced { escalation, .. } => {
            if let Some(found) = incident.escalation_mut(*escalation) {
                found.phase = Phase::Active { next_due_at: recorded.recorded_at };
            }
        }
        Event::Declined { page, .. } => {
            if let Some(found) = incident.pages.get_mut(page) {
                found.declined = true;
            }
        }
        Event::EscalationStopped { escalation, .. } => {
            if let Some(found) = incident.escalation_mut(*escalation) {
                found.phase = Phase::Stopped;
            }
        }
        Event::EscalationExhausted { escalation, step, pages, .. } => {
            if let Some(found) = incident.escalation_mut(*escalation) {
                found.step = *step;
                found.fired_at = Some(recorded.recorded_at);
                found.phase = Phase::Exhausted;
            }
            incident.page_out(*escalation, *step, recorded.recorded_at, pages);
        }
        Event::EscalationPosted { escalation, message } => {
            if let Some(found) = incident.escalation_mut(*escalation) {
                found.message = Some(message.clone());
            }
        }
        _ => {}
    }
}
