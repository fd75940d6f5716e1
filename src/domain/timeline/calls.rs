//! Each escalation told as one story: whom it rang when, and who answered.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::domain::event::{Actor, Event, PageResult, Recipient, Recorded, TeamRef};
use crate::ids::{EscalationId, PageId, Seq, UserId};

/// One run of a policy as the history tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub escalation: EscalationId,
    pub team: Option<TeamRef>,
    pub called_at: DateTime<Utc>,
    pub called_by: Actor,
    pub reason: Option<String>,
    /// In order of time.
    pub rings: Vec<Ring>,
    /// Who took it when; several after a lapse or when others joined.
    pub answers: Vec<Answer>,
    pub lapsed_at: Vec<DateTime<Utc>>,
    pub held_at: Vec<DateTime<Utc>>,
    pub stopped_at: Option<DateTime<Utc>>,
    pub exhausted_at: Option<DateTime<Utc>>,
    /// The history's numbers of everything told here.
    pub sources: Vec<Seq>,
}

/// One tier that was paged, or skipped because nobody in it could be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ring {
    pub at: DateTime<Utc>,
    pub due_at: Option<DateTime<Utc>>,
    pub round: u32,
    /// 0 for the last resort.
    pub tier: u32,
    pub pages: Vec<Paged>,
    pub skipped: bool,
}

/// One page and how it went out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paged {
    pub page: PageId,
    pub to: Recipient,
    pub because: String,
    pub attempts: u32,
    pub sent_at: Option<DateTime<Utc>>,
    pub not_reached: Option<String>,
    pub answered_at: Option<DateTime<Utc>>,
}

/// Somebody took it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub at: DateTime<Utc>,
    pub user: Option<UserId>,
}

impl Call {
    /// The first answer after which nobody had to be paged.
    pub fn answered_at(&self) -> Option<DateTime<Utc>> {
        self.answers.first().map(|answer| answer.at)
    }

    /// Whether that ring passed without an answer: another followed, or there was none to follow. The last resort is
    /// never told to be unanswered, because nothing says how long it is waited for.
    pub fn unanswered(&self, ring: usize) -> bool {
        let (Some(this), next) = (self.rings.get(ring), self.rings.get(ring + 1)) else { return false };
        if this.skipped || this.tier == 0 {
            return false;
        }
        let until = next.map(|next| next.at).or(self.exhausted_at);
        until.is_some_and(|until| !self.answers.iter().any(|answer| this.at <= answer.at && answer.at <= until))
    }

    /// How many pages nobody answered before the next tier was tried.
    pub fn pages_unanswered(&self) -> usize {
        (0..self.rings.len()).filter(|ring| self.unanswered(*ring)).map(|ring| self.rings[ring].pages.len()).sum()
    }

    /// Whether "called, answered" tells less than happened.
    pub fn is_eventful(&self) -> bool {
        self.rings.len() > 1
            || self.exhausted_at.is_some()
            || !self.lapsed_at.is_empty()
            || !self.held_at.is_empty()
            || self.rings.iter().any(|ring| ring.skipped || ring.pages.iter().any(|page| page.not_reached.is_some()))
    }
}

/// The escalations of an incident that rang somebody, in order of their numbers.
pub fn calls(history: &[Recorded]) -> Vec<Call> {
    let mut calls: BTreeMap<EscalationId, Call> = BTreeMap::new();
    for recorded in history {
        let occurrence = &recorded.occurrence;
        if let Event::Escalated { escalation: Some(escalation), team, text, .. } = &occurrence.event {
            calls.entry(*escalation).or_insert_with(|| Call {
                escalation: *escalation,
                team: team.clone(),
                called_at: occurrence.at,
                called_by: occurrence.actor.clone(),
                reason: text.clone(),
                rings: Vec::new(),
                answers: Vec::new(),
                lapsed_at: Vec::new(),
                held_at: Vec::new(),
                stopped_at: None,
                exhausted_at: None,
                sources: vec![recorded.seq],
            });
        } else if let Some(call) = escalation_of(&calls, &occurrence.event).and_then(|id| calls.get_mut(&id)) {
            call.sources.push(recorded.seq);
            call.go_on(occurrence.at, &occurrence.event);
        }
    }
    calls.into_values().filter(|call| !call.rings.is_empty() || call.exhausted_at.is_some()).collect()
}

fn escalation_of(calls: &BTreeMap<EscalationId, Call>, event: &Event) -> Option<EscalationId> {
    match event {
        Event::TierStarted { escalation, .. }
        | Event::TierSkipped { escalation, .. }
        | Event::AcknowledgementLapsed { escalation, .. }
        | Event::PagedElsewhere { escalation, .. }
        | Event::Declined { escalation, .. }
        | Event::EscalationAdvanced { escalation, .. }
        | Event::EscalationStopped { escalation, .. }
        | Event::EscalationHeld { escalation, .. }
        | Event::EscalationResumed { escalation, .. }
        | Event::EscalationExhausted { escalation, .. } => Some(*escalation),
        Event::Acknowledged { escalation, .. } | Event::JoinedAcknowledged { escalation, .. } => *escalation,
        Event::PageAttempted { page, .. } => calls
            .values()
            .find(|call| call.rings.iter().any(|ring| ring.pages.iter().any(|paged| paged.page == *page)))
            .map(|call| call.escalation),
        _ => None,
    }
}

impl Call {
    fn go_on(&mut self, at: DateTime<Utc>, event: &Event) {
        match event {
            Event::TierStarted { step, due_at, pages, .. } => self.rings.push(Ring {
                at,
                due_at: Some(*due_at),
                round: step.round,
                tier: step.tier,
                pages: pages.iter().map(Paged::planned).collect(),
                skipped: false,
            }),
            Event::TierSkipped { step, .. } => self.rings.push(Ring {
                at,
                due_at: None,
                round: step.round,
                tier: step.tier,
                pages: Vec::new(),
                skipped: true,
            }),
            Event::EscalationExhausted { step, pages, .. } => {
                self.exhausted_at = Some(at);
                if !pages.is_empty() {
                    let pages = pages.iter().map(Paged::planned).collect();
                    self.rings.push(Ring { at, due_at: None, round: step.round, tier: 0, pages, skipped: false });
                }
            }
            // The next way is one more page of the same ring.
            Event::PagedElsewhere { page, next: Some(next), .. } => {
                let carries = |ring: &&mut Ring| ring.pages.iter().any(|paged| paged.page == *page);
                if let Some(ring) = self.rings.iter_mut().find(carries) {
                    ring.pages.push(Paged::planned(next));
                }
            }
            Event::PageAttempted { page, attempt, result } => {
                let paged = self.rings.iter_mut().flat_map(|ring| &mut ring.pages).find(|paged| paged.page == *page);
                if let Some(paged) = paged {
                    paged.attempts = paged.attempts.max(*attempt);
                    match result {
                        PageResult::Sent { .. } | PageResult::SentElsewhere => {
                            paged.sent_at = paged.sent_at.or(Some(at));
                        }
                        PageResult::NotReached { error } => paged.not_reached = Some(error.clone()),
                        PageResult::Failed { .. } | PageResult::Unknown { .. } => {}
                    }
                }
            }
            Event::Acknowledged { user, .. } | Event::JoinedAcknowledged { user, .. } => {
                self.answers.push(Answer { at, user: user.clone() });
                let theirs = |to: &Recipient| to.user().is_some() && to.user() == user.as_ref();
                for paged in self.rings.iter_mut().flat_map(|ring| &mut ring.pages).filter(|page| theirs(&page.to)) {
                    paged.answered_at = paged.answered_at.or(Some(at));
                }
            }
            Event::AcknowledgementLapsed { .. } => self.lapsed_at.push(at),
            Event::EscalationHeld { .. } => self.held_at.push(at),
            Event::EscalationStopped { .. } => self.stopped_at = Some(at),
            _ => {}
        }
    }
}

impl Paged {
    fn planned(page: &crate::domain::event::PlannedPage) -> Self {
        Self {
            page: page.page,
            to: page.to.clone(),
            because: page.because.clone(),
            attempts: 0,
            sent_at: None,
            not_reached: None,
            answered_at: None,
        }
    }
}
