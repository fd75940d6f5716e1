//! Folds an event into the incident. Total over every history that `decide` can make; decides nothing.

mod escalations;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::engine::DecidedBy;
use super::event::{Actor, Event, Recorded, TeamRef};
use super::incident::{Channel, FiringAlert, Incident, Status, Task};
use super::storm::{Counting, Storm};
use crate::ids::{IncidentId, IntegrationKey, UserId, WorkspaceId};

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
            updates_waiting: Vec::new(),
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
            storm: None,
            channel: Channel::Wanted,
            card: None,
            announcement: None,
            postmortem_message: None,
            clock_sets: 0,
            decided_by: DecidedBy,
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

    fn meet_user(&mut self, user: &UserId) {
        self.meet(&Actor::Person { user: user.clone() });
    }

    fn note_alert(&mut self, integration: &IntegrationKey, dedup_key: &str, noted_at: DateTime<Utc>, count: u64) {
        match self.firing(integration, dedup_key) {
            Some(alert) => {
                alert.noted_at = noted_at;
                alert.counted = alert.counted.saturating_add(count);
                alert.counting = None;
            }
            None => self.alerts.push(FiringAlert {
                integration: integration.clone(),
                dedup_key: dedup_key.to_owned(),
                noted_at,
                counted: count,
                counting: None,
            }),
        }
    }

    fn firing(&mut self, integration: &IntegrationKey, dedup_key: &str) -> Option<&mut FiringAlert> {
        self.alerts.iter_mut().find(|alert| alert.integration == *integration && alert.dedup_key == dedup_key)
    }

    /// An alert is none of this incident any more; the storm, if it was one of its.
    fn alert_leaves(&mut self, integration: &IntegrationKey, dedup_key: &str) -> Option<&mut Storm> {
        let firing = self.alerts.len();
        self.alerts.retain(|alert| alert.integration != *integration || alert.dedup_key != *dedup_key);
        self.storm.as_mut().filter(|_| firing == self.alerts.len())
    }

    /// Alerts that come after the end open incidents of their own.
    fn end_storm(&mut self) {
        if let Some(storm) = &mut self.storm {
            storm.quiet_at = None;
        }
    }

    fn call(&mut self, team: Option<&TeamRef>) {
        if let Some(team) = team
            && !self.teams.contains(team)
        {
            self.teams.push(team.clone());
        }
    }
}

/// Folds one event into the incident it belongs to.
#[expect(clippy::too_many_lines, reason = "one arm for each event; what an arm does is short or has a name")]
pub fn evolve(incident: &mut Incident, recorded: &Recorded) {
    let occurrence = &recorded.occurrence;
    incident.last_seq = recorded.seq;
    incident.meet(&occurrence.actor);
    match &occurrence.event {
        // Known from `Incident::begin`, or only told by the timeline.
        Event::Opened { .. }
        | Event::Detected { .. }
        | Event::Declared { .. }
        | Event::Noted { .. }
        | Event::CaptureRequested { .. }
        | Event::DocumentRequested { .. }
        | Event::DocumentNotSent { .. }
        | Event::AlertTakenFrom { .. }
        | Event::PersonErased { .. }
        | Event::TextEdited { .. }
        | Event::EntryRemoved { .. } => {}

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
            incident.end_storm();
        }
        Event::Reopened { .. } => {
            incident.status = Status::Investigating;
            incident.resolved_at = None;
        }
        Event::Canceled { .. } => {
            incident.status = Status::Canceled;
            incident.stop_escalations();
            incident.end_storm();
        }
        Event::SeverityChanged { to, .. } => incident.severity = *to,
        Event::TitleChanged { to, .. } => incident.title.clone_from(to),
        Event::RoleAssigned { role, user } => {
            incident.roles.insert(*role, user.clone());
            incident.meet_user(user);
        }
        Event::UpdatePosted { .. } => {
            incident.last_update_at = Some(occurrence.at);
            if incident.channel == Channel::Wanted {
                incident.updates_waiting.push(recorded.seq);
            }
        }

        Event::ImpactStartSet { start_at } => incident.impact_start_at = *start_at,
        Event::ImpactEndSet { end_at } => incident.impact_end_at = *end_at,
        Event::FieldSet { field, value } => set(&mut incident.fields, field, value.as_ref()),
        Event::ProseWritten { section, text } => set(&mut incident.prose, section, text.as_ref()),
        Event::MeasureAdded { text } => incident.measures.push(text.clone()),
        Event::MeasureRemoved { index } => {
            if (*index as usize) < incident.measures.len() {
                incident.measures.remove(*index as usize);
            }
        }
        Event::TaskAdded { task, text, owner, due_on } => {
            let (text, owner) = (text.clone(), owner.clone());
            incident.tasks_ever = *task;
            incident.tasks.push(Task { number: *task, text, owner, due_on: *due_on, done: false });
        }
        Event::TaskDone { task, done } => {
            if let Some(found) = incident.tasks.iter_mut().find(|found| found.number == *task) {
                found.done = *done;
            }
        }
        Event::TaskRemoved { task } => incident.tasks.retain(|found| found.number != *task),

        Event::AlertRepeated { integration, dedup_key, count, .. } => {
            incident.note_alert(integration, dedup_key, recorded.recorded_at, *count);
        }
        Event::AlertFiring { integration, dedup_key } => {
            incident.note_alert(integration, dedup_key, recorded.recorded_at, 1);
        }
        Event::AlertCounting { integration, dedup_key, until } => {
            let counting = Counting { first_at: occurrence.at, until: *until };
            if let Some(alert) = incident.firing(integration, dedup_key) {
                alert.counting = Some(counting);
            }
        }
        Event::AlertCleared { integration, dedup_key, .. } => {
            if let Some(storm) = incident.alert_leaves(integration, dedup_key) {
                storm.cleared = storm.cleared.saturating_add(1);
            }
        }
        Event::AlertTakenOut { integration, dedup_key, .. } => {
            if let Some(storm) = incident.alert_leaves(integration, dedup_key) {
                storm.taken_out = storm.taken_out.saturating_add(1);
            }
        }
        Event::StormBegan { team, quiet_s, .. } => {
            let (team, last_at) = (team.clone(), recorded.recorded_at);
            incident.storm =
                Some(Storm { team, quiet_s: *quiet_s, joined: 0, cleared: 0, taken_out: 0, last_at, quiet_at: None });
        }
        Event::AlertJoined { .. } => {
            if let Some(storm) = &mut incident.storm {
                storm.joined = storm.joined.saturating_add(1);
                storm.last_at = recorded.recorded_at;
                storm.quiet_at = Some(recorded.recorded_at + TimeDelta::seconds(storm.quiet_s.into()));
            }
        }
        Event::StormEnded { .. } => {
            if let Some(storm) = &mut incident.storm {
                storm.quiet_at = None;
            }
        }

        Event::Escalated { escalation, team, text, policy } => {
            incident.call(team.as_ref());
            if let (Some(id), Some(team), Some(policy)) = (escalation, team, policy) {
                incident.start_escalation(*id, team, policy, text.as_ref(), recorded);
            }
        }
        Event::TierStarted { escalation, step, due_at, next_due_at, pages, .. } => {
            incident.start_tier(*escalation, *step, recorded.recorded_at, *next_due_at);
            incident.page_out(*escalation, *step, *due_at, recorded.recorded_at, pages, false);
        }
        Event::TierSkipped { escalation, step, .. } => incident.skip_tier(*escalation, *step),
        Event::EscalationExhausted { escalation, step, pages, .. } => {
            incident.exhaust(*escalation, *step, recorded.recorded_at);
            incident.page_out(*escalation, *step, recorded.recorded_at, recorded.recorded_at, pages, false);
        }
        Event::PageWithheld { page, .. } => incident.withhold(*page),
        Event::EscalationHeld { escalation, step, due_at, resume, pages, .. } => {
            incident.hold(*escalation, *due_at, recorded.recorded_at, resume);
            incident.ask_with(*escalation, *step, recorded.recorded_at, pages);
        }
        Event::PagedElsewhere { escalation, step, page, next, .. } => {
            incident.page_elsewhere(*escalation, *step, *page, recorded.recorded_at, next.as_ref());
        }
        Event::PageAttempted { page, attempt, result } => incident.note_attempt(*page, *attempt, result),
        Event::Acknowledged { escalation, user, .. } => {
            if let Some(user) = user {
                incident.meet_user(user);
            }
            incident.acknowledge(*escalation, user.as_ref(), occurrence.at, recorded.recorded_at);
        }
        Event::JoinedAcknowledged { user: Some(user), .. } => incident.meet_user(user),
        Event::JoinedAcknowledged { user: None, .. } => {}
        Event::ActivitySeen { escalation, lapses_at, .. } => incident.extend_acknowledgement(*escalation, *lapses_at),
        Event::AcknowledgementLapsed { escalation, .. }
        | Event::EscalationAdvanced { escalation, .. }
        | Event::EscalationResumed { escalation, .. } => {
            incident.page_on(*escalation, recorded.recorded_at);
        }
        Event::Declined { page, .. } => incident.decline(*page),
        Event::EscalationStopped { escalation, .. } => incident.stop_escalation(*escalation),

        Event::ChannelCreated { channel, name } => {
            incident.channel = Channel::Open { id: channel.clone(), name: name.clone() };
        }
        Event::ChannelFailed { error } => {
            incident.channel = Channel::Failed { error: error.clone() };
            incident.card = None;
        }
        Event::CardPosted { message } => {
            incident.card = Some(message.clone());
            // The channel is furnished, and with it came what waited for it.
            incident.updates_waiting.clear();
        }
        Event::AnnouncementPosted { message } => incident.announcement = Some(message.clone()),
        Event::PostmortemPosted { message } => incident.postmortem_message = Some(message.clone()),
        Event::EscalationPosted { escalation, message } => incident.post_escalation(*escalation, message),

        Event::ClockSet { deadlines_ms, .. } => {
            incident.clock_sets = incident.clock_sets.saturating_add(1);
            incident.move_deadlines(TimeDelta::milliseconds(*deadlines_ms));
        }
    }
}

/// Keeps an answer; `None` takes it back.
fn set<K: Ord + Clone>(answers: &mut BTreeMap<K, String>, key: &K, value: Option<&String>) {
    match value {
        Some(value) => {
            answers.insert(key.clone(), value.clone());
        }
        None => {
            answers.remove(key);
        }
    }
}
