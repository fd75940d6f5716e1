//! What the person who asked is told, as data; `slack::texts` words it. Kept with the delivery key, so that a repeated
//! delivery gets the first answer again.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::event::{NoteKind, TeamRef};
use super::postmortem::Format;
use super::rejection::Rejection;
use crate::ids::{EscalationId, IncidentId, Seq, UserId};

/// The outcome of one command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    pub incident: Option<IncidentId>,
    pub number: Option<i64>,
    pub said: Said,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "said", rename_all = "snake_case")]
pub enum Said {
    /// Done; nothing to say beyond what the channel shows.
    Done,
    Opened {
        title: String,
        private: bool,
    },
    Noted {
        seq: Seq,
        at: DateTime<Utc>,
        kind: NoteKind,
        text: String,
        zone: String,
    },
    /// Written down where people do not see it at once.
    Kept {
        what: String,
    },
    /// The document goes out to who asked, as a file in a direct message.
    Sending {
        format: Format,
    },
    Called {
        escalation: EscalationId,
        team: TeamRef,
    },
    /// The team has been called already, a moment ago.
    AlreadyCalled {
        escalation: EscalationId,
        team: TeamRef,
        since: DateTime<Utc>,
    },
    YouHaveIt {
        team: Option<TeamRef>,
    },
    SomebodyHasIt {
        team: Option<TeamRef>,
        by: Option<UserId>,
        since: DateTime<Utc>,
    },
    /// An alert has got an incident of its own, out of the storm of the number `from`.
    TakenOut {
        title: String,
        from: i64,
        /// Who is called to it.
        team: Option<TeamRef>,
    },
    /// Nobody of the team is paged any more.
    Stopped {
        team: TeamRef,
    },
    /// A stale button or timer: nothing changed, and why.
    NothingChanged {
        because: String,
    },
    Resolved {
        at: DateTime<Utc>,
    },
    Refused {
        rejection: Rejection,
    },
}
