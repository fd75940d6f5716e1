//! The documents: written to the export directory, and counted for the message about them.

use chrono::{DateTime, Utc};

use super::Worker;
use crate::app::{Settled, Work};
use crate::domain::event::Recorded;
use crate::domain::incident::Incident;
use crate::domain::roster::Directory;
use crate::slack::posts::PostmortemStanding;

/// How documents are written, and where.
#[derive(Clone, Debug, Default)]
pub struct Documents {}

impl Documents {
    pub(super) fn standing(
        &self,
        _incident: &Incident,
        _history: &[Recorded],
        _directory: &Directory,
        _now: DateTime<Utc>,
    ) -> PostmortemStanding {
        PostmortemStanding::default()
    }
}

impl Worker {
    pub(super) async fn export(&self, work: &Work) -> Settled {
        let _ = work;
        Self::done()
    }
}
