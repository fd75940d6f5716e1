//! What must happen outside, as data: stored in the outbox with the events that caused it, performed by the worker.
//!
//! An effect says *what*, not *how it reads*: texts are made from the state at the moment of sending, so the card that
//! goes out is never older than the incident.

use serde::{Deserialize, Serialize};

use super::event::NoteKind;
use super::postmortem::Format;
use crate::ids::{EscalationId, MessageRef, PageId, Seq, UserId};
use crate::planted::{self, Bug};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "effect", rename_all = "snake_case")]
pub enum Effect {
    /// Urge one person or channel to act.
    Page {
        page: PageId,
    },
    /// A page to nobody, of no incident: the self-test, which proves that pages go out.
    Canary {
        nonce: String,
    },
    /// A message into the channel for tests, of no incident, which proves that Slack takes and keeps what pages need.
    TestPage {
        nonce: String,
    },
    /// Edit a page's message to show who has it, or that it is over.
    UpdatePage {
        page: PageId,
    },
    CreateChannel,
    SetTopic,
    Invite {
        users: Vec<UserId>,
    },
    PostCard,
    UpdateCard,
    PinCard,
    Announce,
    UpdateAnnouncement,
    /// Tell the incident's channel of the event with this number.
    Post {
        seq: Seq,
    },
    /// The message of an escalation in the incident's channel.
    PostEscalation {
        escalation: EscalationId,
    },
    UpdateEscalation {
        escalation: EscalationId,
    },
    /// Fetch a message that a person marked, for the timeline.
    Capture {
        message: MessageRef,
        kind: NoteKind,
        by: UserId,
        /// Found afterwards, so that nobody waits for it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        late: bool,
    },
    /// The sign on a message that was taken into the timeline as the entry with this number: there while the entry
    /// stands, gone when it was removed.
    Mark {
        seq: Seq,
    },
    /// Tell a channel that came late what it missed.
    CatchUp,
    /// Tell the announcement's thread of the event with this number, for want of a channel.
    PostAside {
        seq: Seq,
    },
    /// Tell one person of the event with this number, for want of a channel.
    Tell {
        user: UserId,
        seq: Seq,
    },
    PostPostmortem,
    UpdatePostmortem,
    /// Send one person the document as a file.
    SendDocument {
        to: UserId,
        format: Format,
    },
    /// Write the documents to the export directory.
    Export,
}

/// The order in which waiting effects go out: a page never waits behind channel work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    Page = 0,
    Answer = 1,
    Card = 2,
    Channel = 3,
    Chatter = 4,
    /// Documents, which nobody waits for in a hurry.
    Document = 5,
}

impl Lane {
    pub const ALL: [Self; 6] = [Self::Page, Self::Answer, Self::Card, Self::Channel, Self::Chatter, Self::Document];
}

impl Effect {
    pub fn lane(&self) -> Lane {
        match self {
            Self::Page { .. } if planted::active(Bug::OneQueue) => Lane::Channel,
            Self::Page { .. } | Self::Canary { .. } | Self::TestPage { .. } => Lane::Page,
            Self::UpdatePage { .. } | Self::PostEscalation { .. } | Self::UpdateEscalation { .. } => Lane::Answer,
            Self::PostCard | Self::UpdateCard | Self::Announce | Self::UpdateAnnouncement => Lane::Card,
            Self::CreateChannel | Self::SetTopic | Self::Invite { .. } | Self::PinCard => Lane::Channel,
            Self::Capture { late: true, .. } => Lane::Document,
            Self::Post { .. }
            | Self::Capture { late: false, .. }
            | Self::Mark { .. }
            | Self::CatchUp
            | Self::PostAside { .. }
            | Self::Tell { .. }
            | Self::PostPostmortem
            | Self::UpdatePostmortem => Lane::Chatter,
            Self::SendDocument { .. } | Self::Export => Lane::Document,
        }
    }

    /// The message of ours that it posts or edits, by a name that is the same for both; none for one that is never edited.
    pub fn surface(&self) -> Option<String> {
        match self {
            Self::Page { page } | Self::UpdatePage { page } => Some(format!("page:{}", page.0)),
            Self::PostCard | Self::UpdateCard => Some("card".into()),
            Self::Announce | Self::UpdateAnnouncement => Some("announcement".into()),
            Self::PostEscalation { escalation } | Self::UpdateEscalation { escalation } => {
                Some(format!("escalation:{}", escalation.0))
            }
            Self::PostPostmortem | Self::UpdatePostmortem => Some("postmortem".into()),
            Self::Canary { .. }
            | Self::TestPage { .. }
            | Self::CreateChannel
            | Self::SetTopic
            | Self::Invite { .. }
            | Self::PinCard
            | Self::Post { .. }
            | Self::Capture { .. }
            | Self::Mark { .. }
            | Self::CatchUp
            | Self::PostAside { .. }
            | Self::Tell { .. }
            | Self::SendDocument { .. }
            | Self::Export => None,
        }
    }

    /// Whether it edits a message that stands.
    pub fn is_edit(&self) -> bool {
        matches!(
            self,
            Self::UpdatePage { .. }
                | Self::UpdateCard
                | Self::UpdateAnnouncement
                | Self::UpdateEscalation { .. }
                | Self::UpdatePostmortem
        )
    }

    /// Effects of one incident with the same slot are one while they wait: the state is read when it is sent.
    pub fn slot(&self) -> Option<String> {
        match self {
            Self::Page { page } => Some(format!("page:{}", page.0)),
            Self::UpdatePage { page } => Some(format!("page-update:{}", page.0)),
            Self::CreateChannel => Some("channel".into()),
            Self::SetTopic => Some("topic".into()),
            Self::PostCard => Some("card-post".into()),
            Self::UpdateCard => Some("card".into()),
            Self::PinCard => Some("pin".into()),
            Self::Announce => Some("announcement-post".into()),
            Self::UpdateAnnouncement => Some("announcement".into()),
            Self::PostEscalation { escalation } => Some(format!("escalation-post:{}", escalation.0)),
            Self::UpdateEscalation { escalation } => Some(format!("escalation:{}", escalation.0)),
            Self::PostPostmortem => Some("postmortem-post".into()),
            Self::UpdatePostmortem => Some("postmortem".into()),
            Self::SendDocument { to, format } => Some(format!("document:{to}:{}", format.word())),
            Self::Export => Some("export".into()),
            Self::Mark { seq } => Some(format!("mark:{seq}")),
            Self::CatchUp => Some("catch-up".into()),
            Self::PostAside { seq } => Some(format!("aside:{seq}")),
            Self::Tell { user, seq } => Some(format!("tell:{user}:{seq}")),
            Self::Canary { .. }
            | Self::TestPage { .. }
            | Self::Invite { .. }
            | Self::Post { .. }
            | Self::Capture { .. } => None,
        }
    }
}
