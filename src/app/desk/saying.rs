//! What messages of ours read, kept beside the outbox: noted with the outcome of whatever posts or edits them, and looked up
//! at the claim of the next edit. Both happen under the incident's lock, so that all replicas know the same.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use super::Desk;
use crate::app::{Performed, Settled};
use crate::ids::IncidentId;
use crate::store;
use crate::store::outbox::Claimed;
use crate::store::said::{self, Said, Surface};

/// What is to be noted.
pub(super) type Noted = BTreeMap<Surface, Said>;

fn note(noted: &mut Noted, said: Said) {
    match noted.entry(said.surface.clone()) {
        Entry::Vacant(place) => drop(place.insert(said)),
        Entry::Occupied(mut place) => {
            let before = place.get_mut();
            let since = before.since.max(said.since);
            *before = if before.since > said.since { Said { sum: String::new(), ..said } } else { said };
            before.since = since;
        }
    }
}

impl Desk<'_> {
    /// Notes what the message reads after an attempt. Who had lost the lease may have written over what came later: nobody
    /// knows what it reads, and it is edited again.
    pub(super) fn note_said(&mut self, work: &Performed, settled: &Settled, ours: bool) {
        let Some(name) = work.effect.surface() else { return };
        let (surface, is_edit) = ((work.incident, name), work.effect.is_edit());
        if is_edit && !ours {
            note(&mut self.said, Said::doubtful(surface, self.now));
            if let Some(incident) = self.sheets.get(&work.incident).map(|sheet| Arc::clone(&sheet.incident)) {
                self.queue(&incident, work.effect.clone());
            }
            return;
        }
        match settled {
            Settled::Said { sum, .. } if ours => {
                note(&mut self.said, Said::accepted(surface, sum.clone(), self.now));
            }
            Settled::Again { uncertain: true, .. } | Settled::GivenUp { .. } if is_edit => {
                note(&mut self.said, Said::doubtful(surface, self.now));
            }
            Settled::Done(_) | Settled::Said { .. } | Settled::Again { .. } | Settled::GivenUp { .. } => {}
        }
    }

    /// What the messages read that claimed edits are about; nothing where an earlier attempt may have come to something.
    pub(super) async fn said_before(&mut self, claimed: &[Claimed]) -> Result<BTreeMap<Surface, String>, store::Error> {
        let edits = claimed.iter().filter(|row| row.effect.is_edit());
        let (lost, known): (Vec<_>, Vec<_>) =
            edits.filter(|row| row.lapsed || !row.uncertain).partition(|row| row.lapsed);
        let mut noted = Noted::new();
        for surface in lost.into_iter().filter_map(surface_of) {
            note(&mut noted, Said::doubtful(surface, self.now));
        }
        said::record(&mut self.tx, &noted.into_values().collect::<Vec<_>>()).await?;
        let asked: Vec<Surface> = known.into_iter().filter_map(surface_of).collect();
        said::of(&mut self.tx, &asked).await
    }
}

pub(super) fn surface_of(row: &Claimed) -> Option<Surface> {
    let incident: IncidentId = row.incident?;
    Some((incident, row.effect.surface()?))
}
