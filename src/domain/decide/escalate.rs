//! Calling teams: tiers, deadlines, acknowledgements. The rules are those of docs/ARCHITECTURE.md, "What paging means".

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::lifecycle::unchanged;
use super::{Draft, kept_optional, kept_text, unknown_team};
use crate::domain::answer::Said;
use crate::domain::command::{Acknowledge, Timer, When};
use crate::domain::escalation::{Escalation, Phase};
use crate::domain::event::{Event, NoteKind, PlannedPage, Recipient, Step, TeamRef, Unreachable};
use crate::domain::hold::Resume;
use crate::domain::incident::{Page, Status};
use crate::domain::limits::{PAGES_PER_ESCALATION_MAX, TEXT_CHARS_MAX};
use crate::domain::policy::Target;
use crate::domain::rejection::{Rejection, RejectionKind};
use crate::domain::roster::Directory;
use crate::ids::{EscalationId, PageId, UserId};
use crate::planted::{self, Bug};

/// A repeated call within this time of the last page is the same call said twice, not a wish for the next tier.
const SAME_CALL_S: i64 = 60;
/// After a stall, overdue tiers follow each other at most this far apart.
const CATCH_UP_S_MAX: i64 = 60;
/// Later than this is a stall; less is the ordinary lateness of a timer.
const ON_TIME_MS: i64 = 1_000;
/// Why somebody is paged whom the policy names.
const NAMED: &str = "named in the policy";
/// Why a held call ends, where nobody gives a reason.
const NOT_NEEDED: &str = "on hold, and not needed any more";

impl Draft<'_> {
    pub(super) fn escalate(&mut self, when: When, word: &str, reason: Option<&str>) -> Result<Said, Rejection> {
        let reason = kept_optional("reason", reason)?;
        let Some(team) = self.context.team(word).cloned() else {
            return Err(unknown_team(word, self.context.roster));
        };
        self.must_not_be_canceled("It")?;
        if self.after.status == Status::Resolved {
            self.reopen_because(format!("{} was called", team.name));
        }
        let reference = team.reference();
        if let Some(running) = self.running(&reference) {
            return self.call_again(when, &running, reason);
        }
        let id = self.next_escalation();
        self.push_when(
            when,
            Event::Escalated {
                escalation: Some(id),
                team: Some(reference.clone()),
                text: reason,
                policy: Some(team.policy),
            },
        )?;
        self.fire_next(id, self.context.now);
        Ok(Said::Called { escalation: id, team: reference })
    }

    /// The unanswered escalation of this team, if there is one; it may be held.
    fn running(&self, team: &TeamRef) -> Option<Escalation> {
        let under_way = |found: &&Escalation| found.team == *team && (found.is_active() || found.is_held());
        self.after.escalations.values().find(under_way).cloned()
    }

    /// Calling a team that has not answered yet calls its next tier, unless it was called a moment ago.
    fn call_again(&mut self, when: When, running: &Escalation, reason: Option<String>) -> Result<Said, Rejection> {
        let team = running.team.clone();
        let since = running.fired_at.unwrap_or(running.started_at);
        self.push_when(
            when,
            Event::Escalated { escalation: Some(running.id), team: Some(team.clone()), text: reason, policy: None },
        )?;
        if running.is_held() {
            self.resume(running.id, None);
            return Ok(Said::Called { escalation: running.id, team });
        }
        if self.context.now - since < TimeDelta::seconds(SAME_CALL_S) {
            return Ok(Said::AlreadyCalled { escalation: running.id, team, since });
        }
        self.fire_next(running.id, self.context.now);
        Ok(Said::Called { escalation: running.id, team })
    }

    pub(super) fn called(&mut self, when: When, team: Option<&str>, text: &str) -> Result<Said, Rejection> {
        let text = kept_text("text", text, TEXT_CHARS_MAX)?;
        let team = self.context.team_ref(team);
        let seq =
            self.push_when(when, Event::Escalated { escalation: None, team, text: Some(text.clone()), policy: None })?;
        Ok(self.noted(seq, NoteKind::Key, text))
    }

    /// Starts the next step of an escalation: the next tier with somebody to page, the next round, or the end.
    /// `due_at` is when this step was planned; lateness is not passed on to the steps after it.
    pub(super) fn fire_next(&mut self, id: EscalationId, due_at: DateTime<Utc>) {
        let Some(escalation) = self.after.escalations.get(&id).cloned() else { return };
        let (policy, now) = (&escalation.policy, self.context.now);
        let due_at = if planted::active(Bug::Drift) { now } else { due_at };
        let mut step = escalation.step;
        // Once through all tiers without finding anybody means that nobody is there at all.
        for _ in 0..policy.tiers.len() {
            let Some(next) = following(step, policy.tiers.len(), policy.rounds) else { break };
            step = next;
            let tier = &policy.tiers[step.tier as usize - 1];
            let (pages, unreachable) = self.plan_pages(&tier.targets, self.next_page());
            if pages.is_empty() && planted::active(Bug::SilentSkip) {
                continue;
            }
            if pages.is_empty() {
                self.push_own(Event::TierSkipped { escalation: id, step, unreachable });
                continue;
            }
            if self.after.pages_of(id).count() + pages.len() > PAGES_PER_ESCALATION_MAX {
                break;
            }
            let wait = TimeDelta::seconds(tier.wait_s.into());
            let planned = due_at + wait;
            let stalled = now - due_at > TimeDelta::milliseconds(ON_TIME_MS);
            let next_due_at =
                if stalled { planned.max(now + wait.min(TimeDelta::seconds(CATCH_UP_S_MAX))) } else { planned };
            self.start_tier(id, step, due_at, next_due_at, pages, unreachable);
            return;
        }
        self.exhaust(id, step);
    }

    fn exhaust(&mut self, id: EscalationId, last: Step) {
        self.page_fallback(id, last);
        self.hand_off(id);
    }

    pub(super) fn page_fallback(&mut self, id: EscalationId, last: Step) {
        let fallback = if planted::active(Bug::NoFallback) { &[] } else { self.context.roster.fallback.as_slice() };
        let (mut pages, unreachable) = self.plan_pages(fallback, self.next_page());
        // The last resort is called by all ways at once.
        pages.extend(self.plan_fallback_contact(&pages));
        let step = Step { round: last.round, tier: 0, generation: last.generation + 1 };
        let planned: Vec<PageId> = pages.iter().map(|planned| planned.page).collect();
        self.push_own(Event::EscalationExhausted { escalation: id, step, pages, unreachable });
        self.divert_at_once(&planned);
    }

    fn hand_off(&mut self, id: EscalationId) {
        let Some(Escalation { team: silent, policy, .. }) = self.after.escalations.get(&id).cloned() else { return };
        let next = policy.hand_off_to.filter(|_| !planted::active(Bug::NoHandOff));
        let Some(team) = next.and_then(|key| self.context.roster.teams.get(&key)).cloned() else { return };
        let running = self.running(&team.reference());
        if let Some(held) = running.as_ref().filter(|found| found.is_held()) {
            return self.resume_by_itself(held.id, format!("{} did not answer", silent.name));
        }
        if running.is_none() {
            let next = self.next_escalation();
            self.push_own(Event::Escalated {
                escalation: Some(next),
                team: Some(team.reference()),
                text: Some(format!("{} did not answer", silent.name)),
                policy: Some(team.policy),
            });
            self.fire_next(next, self.context.now);
        }
    }

    fn start_tier(
        &mut self,
        escalation: EscalationId,
        step: Step,
        due_at: DateTime<Utc>,
        next_due_at: DateTime<Utc>,
        pages: Vec<PlannedPage>,
        unreachable: Vec<Unreachable>,
    ) {
        let planned: Vec<PageId> = pages.iter().map(|planned| planned.page).collect();
        self.push_own(Event::TierStarted { escalation, step, due_at, next_due_at, pages, unreachable });
        self.divert_at_once(&planned);
    }

    /// Targets to people and channels, each once; who cannot be paged at all is named with the reason. Whom Slack will
    /// not reach is paged by their own way, if there is one.
    pub(super) fn plan_pages(&self, targets: &[Target], first: PageId) -> (Vec<PlannedPage>, Vec<Unreachable>) {
        let (mut pages, mut unreachable, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
        let roster = self.context.roster;
        for target in targets {
            let found = recipients(target, self.context.directory).unwrap_or_else(|why| {
                let elsewhere = match target {
                    Target::User { user } => roster.own_way_after(&Recipient::User { user: user.clone() }),
                    Target::UserGroup { .. } | Target::Channel { .. } => None,
                };
                unreachable.push(Unreachable { target: target.clone(), why });
                elsewhere.map(|to| (to, NAMED.to_owned())).into_iter().collect()
            });
            for (to, because) in found {
                if seen.insert(to.clone()) {
                    #[expect(clippy::cast_possible_truncation, reason = "targets are limited by configuration")]
                    let page = PageId(first.0 + pages.len() as u32);
                    pages.push(PlannedPage { page, elsewhere: roster.has_way_after(&to), to, because });
                }
            }
        }
        (pages, unreachable)
    }

    pub(super) fn next_page(&self) -> PageId {
        PageId(self.after.pages.keys().next_back().map_or(0, |page| page.0) + 1)
    }

    fn next_escalation(&self) -> EscalationId {
        EscalationId(self.after.escalations.keys().next_back().map_or(0, |id| id.0) + 1)
    }

    pub(super) fn timer_due(&mut self, timer: &Timer) -> Said {
        let (id, generation) = match timer {
            Timer::TierDue { escalation, generation } | Timer::AcknowledgementLapses { escalation, generation } => {
                (escalation, generation)
            }
            Timer::PageOverdue { page } => return self.page_overdue(*page),
            Timer::RepetitionsCounted { integration, dedup_key } => {
                return self.repetitions_due(integration, dedup_key);
            }
            Timer::StormQuiet => return self.storm_quiet(),
        };
        let now = self.context.now;
        let Some(escalation) = self.after.escalations.get(id).filter(|found| found.step.generation == *generation)
        else {
            return unchanged("The escalation has moved on.".to_owned());
        };
        match (timer, &escalation.phase) {
            (Timer::TierDue { .. }, Phase::Active { next_due_at }) if *next_due_at <= now => {
                let due_at = *next_due_at;
                if !self.holds(*id, due_at, Resume::NextStep) {
                    self.fire_next(*id, due_at);
                }
            }
            (Timer::AcknowledgementLapses { .. }, Phase::Acknowledged { by, lapses_at: Some(at), .. })
                if *at <= now =>
            {
                let (by, due_at) = (by.clone(), *at);
                if !self.holds(*id, due_at, Resume::Lapsed { by: by.clone() }) {
                    self.lapse(*id, by, due_at);
                }
            }
            _ => return unchanged("Nothing is due.".to_owned()),
        }
        Said::Done
    }

    /// Nobody seems to be at work: the acknowledger is paged again with the current tier, and the tiers go on.
    pub(super) fn lapse(&mut self, id: EscalationId, by: Option<UserId>, due_at: DateTime<Utc>) {
        self.push_own(Event::AcknowledgementLapsed { escalation: id, user: by.clone() });
        self.fire_again(id, by, due_at);
    }

    /// Starts the present step once more, with somebody beside its own targets.
    pub(super) fn fire_again(&mut self, id: EscalationId, by: Option<UserId>, due_at: DateTime<Utc>) {
        let Some(escalation) = self.after.escalations.get(&id).cloned() else { return };
        let step = Step { generation: escalation.step.generation + 1, ..escalation.step };
        let Some(tier) = (step.tier as usize).checked_sub(1).and_then(|index| escalation.policy.tiers.get(index))
        else {
            return self.fire_next(id, due_at);
        };
        let mut targets: Vec<Target> = by.into_iter().map(|user| Target::User { user }).collect();
        targets.extend(tier.targets.iter().cloned());
        let (pages, unreachable) = self.plan_pages(&targets, self.next_page());
        if pages.is_empty() {
            return self.fire_next(id, due_at);
        }
        let next_due_at = self.context.now + TimeDelta::seconds(tier.wait_s.into());
        self.start_tier(id, step, due_at, next_due_at, pages, unreachable);
    }

    pub(super) fn acknowledge(&mut self, acknowledge: &Acknowledge) -> Result<Said, Rejection> {
        let text = kept_optional("text", acknowledge.text.as_deref())?;
        let user = self.user();
        let named = self.context.team_ref(acknowledge.team.as_deref());
        let found = self.meant(acknowledge, named.as_ref(), user.as_ref()).cloned();
        let escalation = found.as_ref().map(|found| found.id);
        // A record says no more than the person who writes it down.
        let its_own = || found.as_ref().filter(|_| !self.after.is_retrospective()).map(|found| found.team.clone());
        let team = named.or_else(its_own);
        if !self.after.is_open() && text.is_none() {
            let since = self.after.resolved_at.map_or(String::new(), |_| " It needs nobody any more.".to_owned());
            return Ok(unchanged(format!("{} is {}.{since}", self.after.name(), self.after.status.word())));
        }
        if let (None, Some(text)) = (escalation, &text) {
            return self.taken_elsewhere(acknowledge.when, team, text);
        }
        match found.as_ref().map(|found| &found.phase) {
            Some(Phase::Active { .. } | Phase::Exhausted | Phase::Held { .. }) | None if self.after.is_open() => {
                self.push_when(acknowledge.when, Event::Acknowledged { escalation, team: team.clone(), user, text })?;
                Ok(Said::YouHaveIt { team })
            }
            Some(Phase::Acknowledged { by, at, .. }) => {
                let (by, since) = (by.clone(), *at);
                if by == user && text.is_none() {
                    return Ok(unchanged("You have it already.".to_owned()));
                }
                self.push_when(
                    acknowledge.when,
                    Event::JoinedAcknowledged { escalation, team: team.clone(), user, text },
                )?;
                Ok(Said::SomebodyHasIt { team, by, since })
            }
            Some(Phase::Stopped) if text.is_none() => {
                Ok(unchanged("This call was stopped; it needs nobody any more.".to_owned()))
            }
            // Written down for the record; nothing is started or stopped by it.
            _ => {
                self.push_when(
                    acknowledge.when,
                    Event::JoinedAcknowledged { escalation, team: team.clone(), user, text },
                )?;
                Ok(Said::YouHaveIt { team })
            }
        }
    }

    /// Somebody took it whom Firebell had not called: what happened is written down.
    fn taken_elsewhere(&mut self, when: When, team: Option<TeamRef>, text: &str) -> Result<Said, Rejection> {
        let (user, kept) = (self.user(), Some(text.to_owned()));
        let event = if self.after.is_open() {
            Event::Acknowledged { escalation: None, team, user, text: kept }
        } else {
            Event::JoinedAcknowledged { escalation: None, team, user, text: kept }
        };
        let seq = self.push_when(when, event)?;
        Ok(self.noted(seq, NoteKind::Key, text.to_owned()))
    }

    /// The escalation that an acknowledgement means: the one pressed, the team's latest, the one that paged this
    /// person, or the latest that still waits.
    fn meant(&self, acknowledge: &Acknowledge, team: Option<&TeamRef>, user: Option<&UserId>) -> Option<&Escalation> {
        let all = &self.after.escalations;
        if let Some(id) = acknowledge.page.and_then(|page| self.after.pages.get(&page)).map(|page| page.escalation) {
            return all.get(&id);
        }
        if let Some(id) = acknowledge.escalation {
            return all.get(&id);
        }
        if let Some(team) = team {
            return all.values().rev().find(|found| found.team == *team);
        }
        let paged_here =
            |found: &&Escalation| self.after.pages_of(found.id).any(|page| user.is_some() && page.to.user() == user);
        let waits = |found: &&Escalation| found.waits();
        all.values()
            .rev()
            .find(|found| waits(found) && paged_here(found))
            .or_else(|| all.values().rev().find(waits))
            .or_else(|| all.values().rev().find(|found| matches!(found.phase, Phase::Acknowledged { .. })))
    }

    pub(super) fn decline(&mut self, page: PageId, generation: u32) -> Result<Said, Rejection> {
        let (Some(found), Some(user)) = (self.after.pages.get(&page).cloned(), self.user()) else {
            return Ok(unchanged("That page is not known any more.".to_owned()));
        };
        let current = self.after.escalations.get(&found.escalation);
        if !current.is_some_and(Escalation::is_active) {
            return Ok(unchanged(self.who_has_it(found.escalation)));
        }
        if found.declined {
            return Ok(unchanged("You have passed this on already.".to_owned()));
        }
        self.push(Event::Declined { escalation: found.escalation, page, user });
        if current_generation(&self.after, found.escalation) == Some(generation) {
            self.hurry(found.escalation);
        }
        Ok(Said::Done)
    }

    /// If nobody of the running step can answer any more, the next step is not waited for.
    pub(super) fn hurry(&mut self, id: EscalationId) {
        let Some(escalation) = self.after.escalations.get(&id).filter(|found| found.is_active()) else { return };
        let generation = escalation.step.generation;
        // That the fallback was told keeps nobody of the next tier asleep.
        let counts = |page: &Page| !matches!(page.to, Recipient::Contact { of: None, .. });
        let calls = |page: &&Page| page.step.generation == generation && !page.asks;
        let waiting = self.after.pages_of(id).filter(calls).any(|page| !page.dead && !page.declined && counts(page));
        if !waiting && !planted::active(Bug::NoHurry) {
            self.fire_next(id, self.context.now);
        }
    }

    /// Who did what with an escalation that waits no more, for somebody who comes too late.
    pub(super) fn who_has_it(&self, id: EscalationId) -> String {
        let Some(escalation) = self.after.escalations.get(&id) else { return "That call is over.".to_owned() };
        match &escalation.phase {
            Phase::Active { .. } => format!("{} has not answered yet.", escalation.team.name),
            Phase::Acknowledged { by: Some(by), .. } => format!("{} has it.", self.context.directory.name(by)),
            Phase::Acknowledged { by: None, .. } => "Somebody has it.".to_owned(),
            Phase::Stopped => "This call was stopped; it needs nobody any more.".to_owned(),
            Phase::Exhausted => format!("Everybody of {} was called, and nobody answered.", escalation.team.name),
            Phase::Held { .. } => {
                format!("The call for {} is on hold. Nobody is paged until somebody says so.", escalation.team.name)
            }
        }
    }

    pub(super) fn escalate_next(
        &mut self,
        id: Option<EscalationId>,
        generation: Option<u32>,
        team: Option<&str>,
        text: Option<&str>,
    ) -> Result<Said, Rejection> {
        let text = kept_optional("text", text)?;
        self.must_be_open("Nobody is called for it any more; its escalation")?;
        let escalation = self.named(id, team)?;
        if generation.is_some_and(|drawn_for| drawn_for != escalation.step.generation) {
            return Ok(unchanged("The next tier was called already.".to_owned()));
        }
        let (id, team) = (escalation.id, escalation.team.clone());
        if escalation.phase == Phase::Exhausted {
            return Err(Rejection::new(RejectionKind::Conflict, format!("Everybody of {} was called.", team.name))
                .hint("Call another team: /escalate <team>."));
        }
        self.push(Event::EscalationAdvanced { escalation: id, text });
        self.fire_next(id, self.context.now);
        Ok(Said::Called { escalation: id, team })
    }

    pub(super) fn stop_escalation(
        &mut self,
        id: Option<EscalationId>,
        generation: Option<u32>,
        team: Option<&str>,
        text: Option<&str>,
    ) -> Result<Said, Rejection> {
        let text = kept_optional("text", text)?;
        let escalation = self.named(id, team)?;
        if escalation.is_active() && generation.is_some_and(|drawn_for| drawn_for != escalation.step.generation) {
            let tier = format!("The call for {} has moved on, so it was not stopped.", escalation.team.name);
            return Ok(unchanged(format!("{tier} Press Stop on the newest message if it still should be.")));
        }
        if !escalation.waits() {
            return Ok(unchanged(self.who_has_it(escalation.id)));
        }
        let text = text.or_else(|| escalation.is_held().then(|| NOT_NEEDED.to_owned()));
        self.push(Event::EscalationStopped { escalation: escalation.id, text });
        Ok(Said::Stopped { team: escalation.team })
    }

    pub(super) fn undo_call(&mut self, id: EscalationId, generation: u32) -> Result<Said, Rejection> {
        let escalation = self.named(Some(id), None)?;
        if escalation.waits() {
            let word = escalation.team.key.as_ref().map_or(escalation.team.name.as_str(), |key| key.as_str());
            let way_out = format!("To end the call: /escalate {} stop {word} <why>.", self.after.name());
            let what = format!("{} was called", escalation.team.name);
            self.context.may_undo(&what, escalation.started_at, &way_out)?;
        }
        self.stop_escalation(Some(id), Some(generation), None, None)
    }

    /// The escalation a person names by team, or the latest one.
    pub(super) fn named(&self, id: Option<EscalationId>, team: Option<&str>) -> Result<Escalation, Rejection> {
        let all = &self.after.escalations;
        let found = match (id, team) {
            (Some(id), _) => all.get(&id),
            (None, Some(word)) => {
                let team = self.context.team(word).ok_or_else(|| unknown_team(word, self.context.roster))?.reference();
                all.values().rev().find(|found| found.team == team)
            }
            (None, None) => {
                let latest = |wanted: fn(&Escalation) -> bool| all.values().rev().find(|found| wanted(found));
                latest(Escalation::is_active).or_else(|| latest(Escalation::is_held)).or_else(|| latest(|_| true))
            }
        };
        found.cloned().ok_or_else(|| {
            Rejection::new(RejectionKind::NotFound, format!("No team has been called for {}.", self.after.name()))
                .hint("Call one: /escalate <team> <reason>.")
        })
    }

    /// Keeps the acknowledgements of a person who is at work; written down only when half the time has run.
    pub(super) fn activity(&mut self, user: &UserId) -> Said {
        let now = self.context.now;
        let due: Vec<(EscalationId, DateTime<Utc>)> = self
            .after
            .escalations
            .values()
            .filter_map(|found| match (&found.phase, found.policy.ack_timeout_s) {
                (Phase::Acknowledged { by: Some(by), lapses_at: Some(at), .. }, Some(wait)) if by == user => {
                    let until = now + TimeDelta::seconds(wait.into());
                    (until - *at > TimeDelta::seconds(i64::from(wait) / 2)).then_some((found.id, until))
                }
                _ => None,
            })
            .collect();
        for (escalation, lapses_at) in due {
            self.push_own(Event::ActivitySeen { escalation, user: user.clone(), lapses_at });
        }
        Said::Done
    }
}

fn current_generation(incident: &crate::domain::incident::Incident, id: EscalationId) -> Option<u32> {
    incident.escalations.get(&id).map(|found| found.step.generation)
}

/// The step after this one, or `None` at the end of the last round.
fn following(step: Step, tiers: usize, rounds: u32) -> Option<Step> {
    let generation = step.generation + 1;
    if (step.tier as usize) < tiers {
        Some(Step { tier: step.tier + 1, generation, ..step })
    } else if step.round < rounds && tiers > 0 {
        Some(Step { round: step.round + 1, tier: 1, generation })
    } else {
        None
    }
}

/// Who a target stands for at this moment, each with the reason; or why it stands for nobody.
pub(crate) fn recipients(target: &Target, directory: &Directory) -> Result<Vec<(Recipient, String)>, String> {
    match target {
        Target::User { user } => {
            reachable(user, directory)?;
            Ok(vec![(Recipient::User { user: user.clone() }, NAMED.to_owned())])
        }
        Target::UserGroup { group, handle } => {
            let Some(found) = directory.groups.get(group) else {
                return Err(format!("@{handle} is not known in Slack, or is disabled"));
            };
            let people: Vec<_> = found
                .users
                .iter()
                .filter(|user| reachable(user, directory).is_ok())
                .map(|user| (Recipient::User { user: user.clone() }, format!("@{handle}")))
                .collect();
            if people.is_empty() { Err(format!("@{handle} has no active members")) } else { Ok(people) }
        }
        Target::Channel { channel, mention } => {
            let to = Recipient::Channel { channel: channel.clone(), mention: mention.clone() };
            Ok(vec![(to, NAMED.to_owned())])
        }
    }
}

fn reachable(user: &UserId, directory: &Directory) -> Result<(), String> {
    match directory.people.get(user) {
        Some(person) if person.deactivated => Err(format!("{}'s account is deactivated", person.name)),
        Some(person) if person.is_bot => Err(format!("{} is a bot", person.name)),
        // Not described by Slack yet: the page itself will tell.
        Some(_) | None => Ok(()),
    }
}
