//! What a history may say next: tiers in their order and at their time, each answer once, nothing that did not happen.

use chrono::{DateTime, TimeDelta, Utc};

use super::{File, hold};
use crate::domain::escalation::Phase;
use crate::domain::event::{Event, PageResult, Recorded, Step};
use crate::domain::policy::Policy;
use crate::ids::{EscalationId, PageId};
use crate::simulation::world::{page_of, with};

/// A run of a policy as the rules want it.
pub(in crate::simulation) struct Run {
    policy: Policy,
    pub(super) step: Step,
    due_at: DateTime<Utc>,
    /// Tiers with nobody in them since the last page.
    skipped: usize,
    /// When it was put on hold, nobody of its step had been reached.
    pub(super) unreached: bool,
    /// Somebody said that it goes on, and nothing has come of it yet.
    pub(super) resumed: bool,
}

pub(super) fn broken(rule: &'static str, what: String) {
    with(|world| world.broken(rule, what));
}

/// Reads an entry that is about to be folded in.
pub(super) fn read(file: &mut File, recorded: &Recorded) {
    match &recorded.occurrence.event {
        Event::Escalated { escalation: Some(id), policy: Some(policy), .. } => {
            let step = Step { round: 1, tier: 0, generation: 0 };
            let (policy, due_at) = (policy.clone(), recorded.recorded_at);
            let run = Run { policy, step, due_at, skipped: 0, unreached: false, resumed: false };
            file.runs.insert(*id, run);
        }
        Event::TierStarted { escalation, step, due_at, next_due_at, .. } => {
            started(file, recorded, *escalation, *step, *due_at, *next_due_at);
        }
        Event::TierSkipped { escalation, step, unreachable } => {
            let Some(run) = file.runs.get_mut(escalation) else { return };
            if Some(*step) != following(run) || unreachable.is_empty() {
                broken("V10", format!("{step:?} is skipped after {:?}, because of {unreachable:?}", run.step));
            }
            run.step = *step;
            run.skipped += 1;
        }
        Event::EscalationExhausted { escalation, step, pages, unreachable } => {
            hold::goes_on_with(file, *escalation, *step);
            let Some(run) = file.runs.get_mut(escalation) else { return };
            // The fallback is called once more if nobody could be told the first time.
            let once_more = run.step.tier == 0 && run.step.generation > 0;
            if following(run).is_some() && run.skipped < run.policy.tiers.len() && !once_more {
                broken("V10", format!("the escalation ends after {:?}", run.step));
            }
            if pages.is_empty() && unreachable.is_empty() {
                broken("V11", "everybody was called in vain, and the fallback was not".to_owned());
            }
            run.step = *step;
        }
        Event::ClockSet { deadlines_ms, .. } => {
            for run in file.runs.values_mut() {
                run.due_at += TimeDelta::milliseconds(*deadlines_ms);
            }
        }
        Event::Acknowledged { escalation: Some(id), .. } => {
            let phase = file.incident.escalations.get(id).map(|found| &found.phase);
            if !matches!(phase, Some(Phase::Active { .. } | Phase::Exhausted | Phase::Held { .. })) {
                broken("V5", format!("an escalation is acknowledged that is {phase:?}"));
            }
        }
        Event::PageAttempted { page, result: PageResult::Sent { message, .. }, .. } => {
            let (id, ts) = (file.incident.id.0, message.ts.as_str());
            let taken = with(|world| {
                let all = world.slack.ledger.iter().chain(&world.slack.lies);
                all.into_iter().any(|taken| taken.ts == ts && page_of(&taken.mark) == Some((id, page.0)))
            });
            if taken != Some(true) {
                broken("G2", format!("the history says that page {} was sent, and Slack knows nothing of it", page.0));
            }
        }
        Event::PageAttempted { page, result: PageResult::SentElsewhere, .. } => {
            let wanted = (file.incident.id.0, page.0);
            let taken = with(|world| world.outside.iter().any(|taken| page_of(&taken.mark) == Some(wanted)));
            if taken != Some(true) {
                broken(
                    "G2",
                    format!("the history says that page {} was sent besides Slack, and nobody got it", page.0),
                );
            }
        }
        _ => {}
    }
}

fn following(run: &Run) -> Option<Step> {
    let (step, tiers) = (run.step, u32::try_from(run.policy.tiers.len()).unwrap_or(u32::MAX));
    let generation = step.generation + 1;
    if step.tier < tiers {
        Some(Step { tier: step.tier + 1, generation, ..step })
    } else {
        (step.round < run.policy.rounds).then_some(Step { round: step.round + 1, tier: 1, generation })
    }
}

fn started(
    file: &mut File,
    recorded: &Recorded,
    id: EscalationId,
    step: Step,
    due_at: DateTime<Utc>,
    next_due_at: DateTime<Utc>,
) {
    let now = recorded.recorded_at;
    let together = || file.history.iter().rev().take_while(|earlier| earlier.recorded_at == now);
    let lapsed = together().any(|earlier| {
        matches!(earlier.occurrence.event, Event::AcknowledgementLapsed { escalation, .. } if escalation == id)
    });
    let asked = together().any(|earlier| {
        matches!(
            earlier.occurrence.event,
            Event::Escalated { .. }
                | Event::EscalationAdvanced { .. }
                | Event::EscalationResumed { .. }
                | Event::Declined { .. }
                | Event::PageAttempted { result: PageResult::NotReached { .. }, .. }
        )
    });
    let Some(run) = file.runs.get(&id) else { return };
    let again_allowed = lapsed || run.resumed && run.unreached;
    hold::goes_on_with(file, id, step);
    let Some(run) = file.runs.get_mut(&id) else { return };
    let again = Step { generation: run.step.generation + 1, ..run.step };
    if Some(step) != following(run) && !(again_allowed && step == again) {
        broken("V10", format!("{step:?} follows {:?}", run.step));
    }
    if due_at != run.due_at && !(asked && due_at == now) && !lapsed {
        let late_ms = (due_at - run.due_at).num_milliseconds();
        broken("V1", format!("a tier's due time has moved by {late_ms} ms"));
    }
    let wait = run.policy.tiers.get(step.tier as usize - 1).map_or(0, |tier| tier.wait_s);
    let wait = TimeDelta::seconds(wait.into());
    let planned = due_at + wait;
    let stalled = now - due_at > TimeDelta::seconds(1);
    let next = if stalled { planned.max(now + wait.min(TimeDelta::seconds(60))) } else { planned };
    if next_due_at != next && !lapsed {
        broken("V1", format!("the tier after one due at {due_at} is due at {next_due_at}, not at {next}"));
    }
    run.step = step;
    run.due_at = next_due_at;
    run.skipped = 0;
}

/// What a reader of a trace wants to know of an event.
pub(super) fn gist(event: &Event) -> String {
    match event {
        Event::TierStarted { step, pages, .. } => {
            let pages: Vec<PageId> = pages.iter().map(|page| page.page).collect();
            format!("round {} tier {} {pages:?}", step.round, step.tier)
        }
        Event::PageAttempted { page, attempt, result } => format!("{page:?} try {attempt} {result:?}"),
        Event::PageWithheld { page, .. } => format!("{page:?}"),
        Event::EscalationHeld { due_at, resume, pages, .. } => {
            let pages: Vec<PageId> = pages.iter().map(|page| page.page).collect();
            format!("due at {due_at}, {resume:?}, asks with {pages:?}")
        }
        Event::Acknowledged { user, .. } => format!("by {user:?}"),
        _ => String::new(),
    }
}
