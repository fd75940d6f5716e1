//! Calls that are so late that people are asked before anybody is paged: who is asked, and how a call goes on.

use chrono::{DateTime, Utc};

use super::Draft;
use super::lifecycle::unchanged;
use crate::domain::answer::Said;
use crate::domain::escalation::Phase;
use crate::domain::event::{Actor, Event, PlannedPage, Recipient, Step, Unreachable};
use crate::domain::hold::Resume;
use crate::domain::incident::{Channel, Page, Role};
use crate::domain::policy::{Mention, Target};
use crate::domain::rejection::Rejection;
use crate::ids::{EscalationId, PageId, Seq};
use crate::planted::{self, Bug};

/// Why somebody is asked.
const LEADS: &str = "you lead it";
const OPENED_IT: &str = "you opened it";
const FALLBACK: &str = "you are the fallback";
const ITS_CHANNEL: &str = "its channel";
/// Why a held call goes on though nobody said so.
const NOBODY_TO_ASK: &str = "nobody could be asked";

impl Draft<'_> {
    pub(super) fn is_too_late(&self, due_at: DateTime<Utc>) -> bool {
        self.context.roster.ask_after.is_past(due_at, self.context.now) && !planted::active(Bug::NoQuestion)
    }

    /// Holds a call whose step was due too long ago. False if it is not so late, or if nobody can be asked: then it is done
    /// late, because a page too many is better than one too few.
    pub(super) fn holds(&mut self, id: EscalationId, due_at: DateTime<Utc>, resume: Resume) -> bool {
        self.is_too_late(due_at) && self.hold(id, due_at, resume)
    }

    fn hold(&mut self, id: EscalationId, due_at: DateTime<Utc>, resume: Resume) -> bool {
        let Some(step) = self.after.escalations.get(&id).map(|found| found.step) else { return false };
        // A step of which nobody was reached is not passed over.
        let (due_at, resume) = match (self.unreached_since(id), resume) {
            (Some(at), Resume::NextStep) => (at, Resume::SameStep),
            (_, resume) => (due_at, resume),
        };
        let are_asked = self.are_asked();
        let (pages, unreachable) = if are_asked { (Vec::new(), Vec::new()) } else { self.plan_questions() };
        if pages.is_empty() && !are_asked {
            return false;
        }
        self.withhold_pages(id);
        let asking: Vec<PageId> = pages.iter().map(|planned| planned.page).collect();
        self.push_own(Event::EscalationHeld { escalation: id, step, due_at, resume, pages, unreachable });
        self.divert_at_once(&asking);
        true
    }

    /// Since when the pages of the present step wait, if none of them was accepted.
    fn unreached_since(&self, id: EscalationId) -> Option<DateTime<Utc>> {
        let generation = self.after.escalations.get(&id)?.step.generation;
        let of_step = || self.after.pages_of(id).filter(|page| page.step.generation == generation && !page.asks);
        if of_step().any(Page::is_accepted) {
            return None;
        }
        of_step().filter(|page| self.after.is_awaited(page)).map(|page| page.due_at).min()
    }

    /// Whether a question about this incident is on its way or before somebody.
    fn are_asked(&self) -> bool {
        self.after.pages.values().any(|page| page.asks && self.after.is_awaited(page))
    }

    /// What did not go out in time is not sent any more.
    fn withhold_pages(&mut self, id: EscalationId) {
        let late: Vec<PageId> = self
            .after
            .pages_of(id)
            .filter(|page| !page.asks && !page.is_accepted() && self.after.is_awaited(page))
            .map(|page| page.id)
            .collect();
        for page in late {
            self.push_own(Event::PageWithheld { escalation: id, page });
        }
    }

    /// One question for the whole incident: to its channel, to who leads it or else opened it, and to the fallback.
    fn plan_questions(&self) -> (Vec<PlannedPage>, Vec<Unreachable>) {
        let incident = &self.after;
        let mut asked: Vec<(Target, &str)> = Vec::new();
        if let Channel::Open { id, .. } = &incident.channel {
            asked.push((Target::Channel { channel: id.clone(), mention: Mention::Here }, ITS_CHANNEL));
        }
        match (incident.roles.get(&Role::Commander), &incident.opened_by) {
            (Some(user), _) => asked.push((Target::User { user: user.clone() }, LEADS)),
            (None, Actor::Person { user }) => asked.push((Target::User { user: user.clone() }, OPENED_IT)),
            (None, Actor::Firebell | Actor::Integration { .. } | Actor::Operator | Actor::Fallback) => {}
        }
        asked.extend(self.context.roster.fallback.iter().map(|target| (target.clone(), FALLBACK)));
        let (mut pages, mut unreachable) = (Vec::<PlannedPage>::new(), Vec::new());
        for (target, because) in asked {
            let first = pages.last().map_or_else(|| self.next_page(), |last| PageId(last.page.0 + 1));
            let (planned, nobody) = self.plan_pages(std::slice::from_ref(&target), first);
            unreachable.extend(nobody);
            for planned in planned {
                if !pages.iter().any(|earlier| earlier.to == planned.to) {
                    let page = pages.last().map_or(first, |last| PageId(last.page.0 + 1));
                    pages.push(PlannedPage { page, because: because.to_owned(), ..planned });
                }
            }
        }
        // A channel alone wakes nobody.
        if !pages.iter().any(|planned| !matches!(planned.to, Recipient::Channel { .. })) {
            pages.extend(self.plan_fallback_contact(&pages));
        }
        (pages, unreachable)
    }

    /// A page that was not sent because it was too late. If it was the last hope of its step, the call is held.
    pub(super) fn page_too_late(&mut self, id: PageId) -> Said {
        let waits = |page: &&Page| !page.is_accepted() && self.after.is_awaited(page);
        let Some(page) = self.after.pages.get(&id).filter(waits).cloned() else {
            return unchanged("That page is not waited for any more.".to_owned());
        };
        let generation = self.after.escalations.get(&page.escalation).map(|found| found.step.generation);
        let last_hope = generation == Some(page.step.generation) && self.unreached_since(page.escalation).is_some();
        let last_hope = last_hope && !planted::active(Bug::WithheldOnly);
        if last_hope && self.hold(page.escalation, page.due_at, Resume::SameStep) {
            return Said::Done;
        }
        self.push_own(Event::PageWithheld { escalation: page.escalation, page: id });
        if last_hope {
            self.fire_step_again(page.escalation);
        }
        Said::Done
    }

    /// Every question was refused for good: the calls go on, late, rather than being forgotten.
    pub(super) fn unasked(&mut self) {
        if self.are_asked() {
            return;
        }
        let held: Vec<EscalationId> = self.after.held().map(|found| found.id).collect();
        for id in held {
            self.resume_by_itself(id, NOBODY_TO_ASK.to_owned());
        }
    }

    /// A held call goes on with what was due, because who asks wants it to.
    pub(super) fn resume(&mut self, id: EscalationId, text: Option<String>) {
        self.take_up(id, text, Self::push);
    }

    /// A held call goes on as a consequence of something else.
    pub(super) fn resume_by_itself(&mut self, id: EscalationId, because: String) {
        self.take_up(id, Some(because), Self::push_own);
    }

    fn take_up(&mut self, id: EscalationId, text: Option<String>, record: fn(&mut Self, Event) -> Seq) {
        let phase = self.after.escalations.get(&id).map(|found| found.phase.clone());
        let Some(Phase::Held { resume, .. }) = phase else { return };
        record(self, Event::EscalationResumed { escalation: id, text });
        let now = self.context.now;
        match resume {
            Resume::NextStep => self.fire_next(id, now),
            Resume::SameStep if planted::active(Bug::WithheldForgotten) => self.fire_next(id, now),
            Resume::SameStep => self.fire_step_again(id),
            Resume::Lapsed { by } => self.lapse(id, by, now),
        }
    }

    fn fire_step_again(&mut self, id: EscalationId) {
        let Some(escalation) = self.after.escalations.get(&id) else { return };
        match escalation.step {
            last @ Step { tier: 0, .. } => self.page_fallback(id, last),
            Step { .. } => self.fire_again(id, None, self.context.now),
        }
    }

    /// The button of a question.
    pub(super) fn resume_call(&mut self, id: EscalationId, generation: u32) -> Result<Said, Rejection> {
        let escalation = self.named(Some(id), None)?;
        if !self.after.is_open() {
            let (name, status) = (self.after.name(), self.after.status.word());
            return Ok(unchanged(format!("{name} is {status}. It needs nobody any more.")));
        }
        if escalation.is_active() {
            return Ok(unchanged(format!("The call goes on already. {}", self.who_has_it(id))));
        }
        if !escalation.is_held() {
            return Ok(unchanged(self.who_has_it(id)));
        }
        if escalation.step.generation != generation {
            let team = &escalation.team.name;
            return Ok(unchanged(format!("The call for {team} is on hold once more. Answer the newest message.")));
        }
        self.resume(id, None);
        Ok(Said::Called { escalation: id, team: escalation.team })
    }
}
