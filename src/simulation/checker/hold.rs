//! What must hold of calls that are on hold: nothing is held too early and nothing called without a question, somebody is
//! always asked, and what was withheld is made good.

use chrono::{DateTime, Utc};

use super::File;
use super::story::broken;
use crate::domain::escalation::{Escalation, Phase};
use crate::domain::event::{Actor, Event, Recorded, Step};
use crate::domain::incident::Incident;
use crate::ids::EscalationId;
use crate::simulation::world::with;

/// Whether what was due then is asked about, as this run's configuration has it; nobody can say where clocks are set.
fn too_late(due_at: DateTime<Utc>, now: DateTime<Utc>) -> Option<bool> {
    with(|world| {
        let known = world.scenario.steps.is_empty();
        known.then(|| now - due_at > world.scenario.roster.ask_after.0)
    })
    .flatten()
}

/// Reads an entry that is about to be folded in.
pub(super) fn read(file: &mut File, recorded: &Recorded) {
    let now = recorded.recorded_at;
    match &recorded.occurrence.event {
        Event::PageWithheld { page, .. } => {
            if let Some(found) = file.incident.pages.get(page)
                && (found.asks || found.message.is_some() || found.sent_elsewhere)
            {
                broken("G2", format!("page {} is withheld, and needs not be", page.0));
            }
            file.withheld.insert(*page);
            saw("pages withheld");
        }
        Event::EscalationHeld { escalation, due_at, pages, .. } => {
            if too_late(*due_at, now) == Some(false) {
                broken("G1", format!("a call is held {} s after it was due", (now - *due_at).num_seconds()));
            }
            if asked(&file.incident) && !pages.is_empty() {
                broken("G3", "people are asked twice about one incident".to_owned());
            }
            saw("calls put on hold");
            let unreached = withheld_for_nothing(file, *escalation);
            if let Some(run) = file.runs.get_mut(escalation) {
                run.unreached = unreached;
            }
        }
        Event::EscalationResumed { escalation, text } => {
            let phase = file.incident.escalations.get(escalation).map(|found| &found.phase);
            if !matches!(phase, Some(Phase::Held { .. })) {
                broken("V11", format!("a call goes on that is {phase:?}"));
            }
            saw(match recorded.occurrence.actor {
                Actor::Firebell => "calls that went on by themselves",
                _ => "calls that somebody had go on",
            });
            let handed_on = text.as_deref().is_some_and(|text| text.ends_with("did not answer"));
            if recorded.occurrence.actor == Actor::Firebell && asked(&file.incident) && !handed_on {
                broken("G1", "a call goes on by itself though people are asked about it".to_owned());
            }
            if let Some(run) = file.runs.get_mut(escalation) {
                run.resumed = true;
            }
        }
        Event::TierStarted { escalation, due_at, .. } => {
            if too_late(*due_at, now) == Some(true) {
                let late_s = (now - *due_at).num_seconds();
                broken("G1", format!("a tier is called {late_s} s after it was due, and nobody was asked"));
            }
            not_on_hold(file, *escalation);
        }
        Event::TierSkipped { escalation, .. } | Event::EscalationExhausted { escalation, .. } => {
            not_on_hold(file, *escalation);
        }
        Event::Acknowledged { escalation: Some(escalation), .. } if on_hold(file, *escalation) => {
            saw("calls on hold that somebody took");
        }
        Event::EscalationStopped { escalation, .. } if on_hold(file, *escalation) => {
            saw("calls on hold that somebody ended");
        }
        _ => {}
    }
}

fn saw(what: &'static str) {
    with(|world| world.saw(what));
}

/// The step after a hold: the same once more if what was withheld of it was all there was.
pub(super) fn goes_on_with(file: &mut File, id: EscalationId, step: Step) {
    let Some(run) = file.runs.get_mut(&id).filter(|run| run.resumed) else { return };
    let again = (step.round, step.tier) == (run.step.round, run.step.tier);
    if run.unreached && !again {
        broken("G2", format!("{:?} was withheld, and is not made good: {step:?} follows", run.step));
    }
    (run.resumed, run.unreached) = (false, false);
}

fn on_hold(file: &File, id: EscalationId) -> bool {
    file.incident.escalations.get(&id).is_some_and(Escalation::is_held)
}

fn not_on_hold(file: &File, id: EscalationId) {
    if on_hold(file, id) {
        broken("G1", format!("escalation {} goes on while it is on hold", id.0));
    }
}

/// Whether pages of the present step were withheld, and none of them was taken.
fn withheld_for_nothing(file: &File, id: EscalationId) -> bool {
    let Some(found) = file.incident.escalations.get(&id) else { return false };
    let of_step = || file.incident.pages_of(id).filter(|page| page.step.generation == found.step.generation);
    let of_step = || of_step().filter(|page| !page.asks);
    of_step().any(|page| file.withheld.contains(&page.id))
        && !of_step().any(|page| page.message.is_some() || page.sent_elsewhere)
}

/// Whether a question about an incident is on its way, or before somebody.
fn asked(incident: &Incident) -> bool {
    incident.held().next().is_some() && incident.pages.values().any(|page| page.asks && !page.dead && !page.declined)
}

/// What must be so after every commit.
pub(super) fn look(id: i64, file: &File) {
    if !file.incident.is_open() {
        return;
    }
    for found in file.incident.escalations.values() {
        let what = format!("escalation {} of incident {id}", found.id.0);
        match found.phase {
            Phase::Held { .. } if !asked(&file.incident) => {
                broken("V11", format!("{what} is on hold, and nobody is asked"));
            }
            Phase::Active { .. } | Phase::Exhausted => {
                if file.runs.get(&found.id).is_some_and(|run| run.resumed) {
                    broken("V11", format!("{what} was to go on, and nobody is called"));
                }
                let generation = found.step.generation;
                let waits = file
                    .incident
                    .pages_of(found.id)
                    .any(|page| page.step.generation == generation && !page.asks && !page.dead && !page.declined);
                if !waits && withheld_for_nothing(file, found.id) {
                    broken("G2", format!("all pages of {what} are withheld, and nobody is asked"));
                }
            }
            Phase::Held { .. } | Phase::Acknowledged { .. } | Phase::Stopped => {}
        }
    }
}
