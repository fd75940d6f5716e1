//! What events do to escalations and pages.

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::escalation::{Escalation, Phase};
use crate::domain::event::{PageResult, PlannedPage, Recorded, Step, TeamRef};
use crate::domain::hold::Resume;
use crate::domain::incident::{Incident, Page, Trouble};
use crate::domain::limits::{ELSEWHERE_AFTER_S, ELSEWHERE_AFTER_STALL_S};
use crate::domain::policy::Policy;
use crate::ids::{EscalationId, MessageRef, PageId, UserId};
use crate::planted::{self, Bug};

impl Incident {
    pub(super) fn start_escalation(
        &mut self,
        id: EscalationId,
        team: &TeamRef,
        policy: &Policy,
        reason: Option<&String>,
        recorded: &Recorded,
    ) {
        let escalation = Escalation {
            id,
            team: team.clone(),
            policy: policy.clone(),
            reason: reason.cloned(),
            called_by: recorded.occurrence.actor.clone(),
            started_at: recorded.recorded_at,
            phase: Phase::Active { next_due_at: recorded.recorded_at },
            step: Step { round: 1, tier: 0, generation: 0 },
            fired_at: None,
            message: None,
        };
        self.escalations.insert(id, escalation);
    }

    pub(super) fn start_tier(
        &mut self,
        id: EscalationId,
        step: Step,
        fired_at: DateTime<Utc>,
        next_due_at: DateTime<Utc>,
    ) {
        if let Some(found) = self.escalations.get_mut(&id) {
            found.step = step;
            found.fired_at = Some(fired_at);
            found.phase = Phase::Active { next_due_at };
        }
    }

    pub(super) fn skip_tier(&mut self, id: EscalationId, step: Step) {
        if let Some(found) = self.escalations.get_mut(&id) {
            found.step = step;
        }
    }

    pub(super) fn exhaust(&mut self, id: EscalationId, step: Step, fired_at: DateTime<Utc>) {
        if let Some(found) = self.escalations.get_mut(&id) {
            found.step = step;
            found.fired_at = Some(fired_at);
            found.phase = Phase::Exhausted;
        }
    }

    pub(super) fn page_out(
        &mut self,
        escalation: EscalationId,
        step: Step,
        due_at: DateTime<Utc>,
        recorded_at: DateTime<Utc>,
        pages: &[PlannedPage],
        asks: bool,
    ) {
        let in_time = due_at + TimeDelta::seconds(ELSEWHERE_AFTER_S);
        let elsewhere_at = in_time.max(recorded_at + TimeDelta::seconds(ELSEWHERE_AFTER_STALL_S));
        for planned in pages {
            // Who is only asked takes no part yet.
            if let Some(user) = planned.to.user().filter(|_| !asks) {
                self.meet_user(user);
            }
            let page = Page {
                id: planned.page,
                escalation,
                step,
                to: planned.to.clone(),
                because: planned.because.clone(),
                due_at,
                attempts: 0,
                message: None,
                digest: Vec::new(),
                dead: false,
                declined: false,
                sent_elsewhere: false,
                instead_of: None,
                elsewhere_at: planned.elsewhere.then_some(elsewhere_at),
                asks,
                trouble: None,
            };
            self.pages.insert(planned.page, page);
        }
    }

    /// The page `from` goes on as the page `next`.
    pub(super) fn page_elsewhere(
        &mut self,
        escalation: EscalationId,
        step: Step,
        from: PageId,
        recorded_at: DateTime<Utc>,
        next: Option<&PlannedPage>,
    ) {
        if let Some(found) = self.pages.get_mut(&from) {
            found.elsewhere_at = None;
        }
        if let Some(next) = next {
            let asks = self.pages.get(&from).is_some_and(|page| page.asks);
            self.page_out(escalation, step, recorded_at, recorded_at, std::slice::from_ref(next), asks);
            if let Some(found) = self.pages.get_mut(&next.page) {
                found.instead_of = Some(from);
            }
        }
    }

    pub(super) fn withhold(&mut self, id: PageId) {
        if let Some(found) = self.pages.get_mut(&id) {
            found.dead = true;
            found.elsewhere_at = None;
        }
    }

    pub(super) fn hold(
        &mut self,
        id: EscalationId,
        due_at: DateTime<Utc>,
        recorded_at: DateTime<Utc>,
        resume: &Resume,
    ) {
        if let Some(found) = self.escalations.get_mut(&id) {
            found.phase = Phase::Held { due_at, since: recorded_at, resume: resume.clone() };
        }
    }

    /// New questions take the place of earlier ones, which were answered.
    pub(super) fn ask_with(
        &mut self,
        escalation: EscalationId,
        step: Step,
        recorded_at: DateTime<Utc>,
        pages: &[PlannedPage],
    ) {
        if pages.is_empty() {
            return;
        }
        for page in self.pages.values_mut().filter(|page| page.asks) {
            page.dead = true;
            page.elsewhere_at = None;
        }
        self.page_out(escalation, step, recorded_at, recorded_at, pages, true);
    }

    pub(super) fn note_attempt(&mut self, id: PageId, attempt: u32, result: &PageResult) {
        let Some(found) = self.pages.get_mut(&id) else { return };
        found.attempts = attempt;
        found.trouble = Trouble::of(result).map(|now| found.trouble.map_or(now, |before| before.max(now)));
        match result {
            PageResult::Sent { message, digest } => {
                found.message = Some(message.clone());
                found.digest.clone_from(digest);
            }
            PageResult::SentElsewhere => found.sent_elsewhere = true,
            PageResult::NotReached { .. } => found.dead = true,
            PageResult::Failed { .. } | PageResult::Unknown { .. } => {}
        }
    }

    pub(super) fn acknowledge(
        &mut self,
        id: Option<EscalationId>,
        by: Option<&UserId>,
        at: DateTime<Utc>,
        recorded_at: DateTime<Utc>,
    ) {
        if let Some(found) = id.and_then(|id| self.escalations.get_mut(&id)) {
            let timeout = found.policy.ack_timeout_s.map(|wait| TimeDelta::seconds(wait.into()));
            let lapses_at = timeout.filter(|_| !planted::active(Bug::NoLapse)).map(|timeout| recorded_at + timeout);
            found.phase = Phase::Acknowledged { by: by.cloned(), at, lapses_at };
            let escalation = found.id;
            // Should the call go on, it is with pages of its own.
            for page in self.pages.values_mut().filter(|page| page.escalation == escalation && !page.asks) {
                page.elsewhere_at = None;
            }
        }
    }

    pub(super) fn extend_acknowledgement(&mut self, id: EscalationId, until: DateTime<Utc>) {
        if let Some(Escalation { phase: Phase::Acknowledged { lapses_at, .. }, .. }) = self.escalations.get_mut(&id) {
            *lapses_at = Some(until);
        }
    }

    /// Everything that is due moves with the clock by which it will be looked at.
    pub(super) fn move_deadlines(&mut self, by: TimeDelta) {
        let moved = |at: &mut DateTime<Utc>| *at = at.checked_add_signed(by).unwrap_or(*at);
        for escalation in self.escalations.values_mut() {
            if let Some(fired_at) = &mut escalation.fired_at {
                moved(fired_at);
            }
            match &mut escalation.phase {
                Phase::Active { next_due_at } => moved(next_due_at),
                Phase::Acknowledged { lapses_at: Some(lapses_at), .. } => moved(lapses_at),
                Phase::Acknowledged { lapses_at: None, .. }
                | Phase::Stopped
                | Phase::Exhausted
                | Phase::Held { .. } => {}
            }
        }
        for counting in self.alerts.iter_mut().filter_map(|alert| alert.counting.as_mut()) {
            moved(&mut counting.until);
        }
        if let Some(quiet_at) = self.storm.as_mut().and_then(|storm| storm.quiet_at.as_mut()) {
            moved(quiet_at);
        }
        // Pages that nobody has taken yet are as late as they were.
        for page in self.pages.values_mut().filter(|page| page.message.is_none() && !page.dead) {
            moved(&mut page.due_at);
        }
    }

    /// Nobody has it any more: the next step is due at once.
    pub(super) fn page_on(&mut self, id: EscalationId, next_due_at: DateTime<Utc>) {
        if let Some(found) = self.escalations.get_mut(&id) {
            found.phase = Phase::Active { next_due_at };
        }
    }

    pub(super) fn decline(&mut self, id: PageId) {
        let Some(declined) = self.pages.get(&id).cloned() else { return };
        // A person has passed, by whichever way they were asked.
        let theirs = |page: &&mut Page| {
            page.id == id
                || (page.escalation == declined.escalation
                    && page.step == declined.step
                    && page.to.user().is_some()
                    && page.to.user() == declined.to.user())
        };
        for page in self.pages.values_mut().filter(theirs) {
            page.declined = true;
        }
    }

    pub(super) fn stop_escalation(&mut self, id: EscalationId) {
        if let Some(found) = self.escalations.get_mut(&id) {
            found.phase = Phase::Stopped;
        }
    }

    /// No timer fires any more for an incident that people have closed.
    pub(super) fn stop_escalations(&mut self) {
        for escalation in self.escalations.values_mut() {
            match escalation.phase {
                Phase::Active { .. } | Phase::Exhausted | Phase::Held { .. } => escalation.phase = Phase::Stopped,
                Phase::Acknowledged { ref mut lapses_at, .. } => *lapses_at = None,
                Phase::Stopped => {}
            }
        }
    }

    pub(super) fn post_escalation(&mut self, id: EscalationId, message: &MessageRef) {
        if let Some(found) = self.escalations.get_mut(&id) {
            found.message = Some(message.clone());
        }
    }
}
