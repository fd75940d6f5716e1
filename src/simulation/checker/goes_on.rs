//! A call that nobody answers goes on as its policy says, whatever becomes of those who were called or who have it.

use chrono::TimeDelta;

use super::File;
use super::story::broken;
use crate::domain::escalation::Phase;
use crate::domain::event::{Event, Recipient, Recorded};
use crate::ids::{EscalationId, TeamKey};
use crate::simulation::world::with;

/// Looks at what an entry has led to, once it is folded in.
pub(super) fn read(file: &mut File, recorded: &Recorded) {
    match &recorded.occurrence.event {
        Event::Acknowledged { escalation: Some(id), .. } => lapses(file, *id, recorded),
        Event::EscalationExhausted { escalation, .. } if file.exhausted.insert(*escalation) => {
            file.handed_off.extend(successor(file, *escalation));
        }
        _ => {}
    }
}

/// Whoever has it is asked again, where the policy wants that.
fn lapses(file: &File, id: EscalationId, recorded: &Recorded) {
    let Some(found) = file.incident.escalations.get(&id) else { return };
    let wanted = found.policy.ack_timeout_s.map(|wait_s| recorded.recorded_at + TimeDelta::seconds(wait_s.into()));
    if let Phase::Acknowledged { lapses_at, .. } = found.phase
        && lapses_at != wanted
    {
        broken("V11", format!("escalation {} is acknowledged until {lapses_at:?}, not until {wanted:?}", id.0));
    }
}

/// The team that is called when this call ends unanswered, if every configuration of this run knows it.
fn successor(file: &File, id: EscalationId) -> Option<TeamKey> {
    let team = file.incident.escalations.get(&id)?.policy.hand_off_to.clone()?;
    let is_known = with(|world| {
        let edited = world.scenario.edit.iter().map(|(_, roster)| roster);
        [&world.scenario.roster].into_iter().chain(edited).all(|roster| roster.teams.contains_key(&team))
    });
    (is_known == Some(true)).then_some(team)
}

/// Looks at what a commit has left.
pub(super) fn look(id: i64, file: &mut File) {
    for team in std::mem::take(&mut file.handed_off) {
        let called = file.incident.escalations.values().any(|found| found.team.key.as_ref() == Some(&team));
        if !called {
            broken("V11", format!("nobody answered in incident {id}, and {team}, which is next, was not called"));
        }
    }
    for call in file.incident.escalations.values().filter(|call| call.is_active()) {
        let generation = call.step.generation;
        // That the fallback was told keeps nobody of the next tier asleep.
        let of_people = |to: &Recipient| !matches!(to, Recipient::Contact { of: None, .. });
        let mut called =
            file.incident.pages_of(call.id).filter(|page| page.step.generation == generation && !page.asks);
        if call.step.tier > 0 && !called.any(|page| !page.dead && !page.declined && of_people(&page.to)) {
            broken("V11", format!("nobody of tier {} of incident {id} can answer, and the next waits", call.step.tier));
        }
    }
}
