//! Edits of messages: none that would say what stands there already, so that what Slack lets us edit is left for what has
//! changed.
//!
//! What stands there is known from the database, at the claim. A digest, which pages of several incidents share, is edited
//! elsewhere (`digest`).

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{Worker, messages};
use crate::app::{Settled, Work};
use crate::crash;
use crate::domain::effect::Effect;
use crate::ids::MessageRef;
use crate::planted::{self, Bug};
use crate::slack::json::Json;
use crate::slack::message::Message;
use crate::slack::{Class, pages};
use crate::store;

/// A message that stands, and as it must read now.
pub(super) struct Edit {
    message: MessageRef,
    text: Message,
    /// Stands for both.
    sum: String,
}

impl Edit {
    /// Whether the message reads so already.
    pub(super) fn is_said(&self, work: &Work) -> bool {
        work.said.as_ref() == Some(&self.sum)
    }
}

impl Worker {
    /// What the effect edits and how; `None` if it is no edit, there is nothing to edit, or it is that of a digest.
    pub(super) async fn edit_of(&self, work: &Work) -> Result<Option<Edit>, store::Error> {
        let page = match &work.effect {
            Effect::UpdatePage { page } => work.incident.pages.get(page),
            _ => None,
        };
        let message = match page {
            Some(page) => page.message.clone().filter(|_| page.digest.is_empty()),
            None => messages::standing(&work.effect, &work.incident),
        };
        let Some(message) = message else { return Ok(None) };
        let history = self.history(work).await?;
        let text = match page {
            Some(page) => Some(pages::page(&self.view(work, &self.around()), page, &history)),
            None => self.text(work, &history),
        };
        Ok(text.map(|text| Edit { sum: sum(&message, &content_of(&text)), message, text }))
    }

    /// Edits a message that was posted before; `edit` says how, where that is known already.
    pub(super) async fn update(&self, work: &Work, edit: Option<Edit>) -> Settled {
        let edit = match edit {
            Some(edit) => Ok(Some(edit)),
            None => self.edit_of(work).await,
        };
        let Edit { message, text, sum } = match edit {
            Ok(Some(edit)) => edit,
            Ok(None) => return Self::done(),
            Err(error) => return self.unread(work, &error),
        };
        // What would arrive after the lease could be older than what somebody else has written meanwhile.
        if self.has_lapsed(work) {
            return self.left_to_others(work);
        }
        match crash::around(&work.effect, self.inner.slack.update_message(&message, &text.text, &text.blocks)).await {
            Ok(()) => Self::done().saying(Some(sum)),
            Err(error) if planted::active(Bug::BelievedEdit) && matches!(error.class(), Class::Uncertain) => {
                Self::done().saying(Some(sum))
            }
            Err(error)
                if matches!(work.effect, Effect::UpdatePage { .. }) && error.code() == Some("message_not_found") =>
            {
                Self::done()
            }
            Err(error) => self.failed(work, &error, Some(&message.channel)),
        }
    }
}

/// What stands for a text and its blocks, in whatever order these have their members.
pub(crate) fn content(text: &str, blocks: &Value) -> String {
    let blocks = blocks.to_string();
    hex::encode(Sha256::new().chain_update(text).chain_update([0]).chain_update(blocks).finalize())
}

pub(super) fn content_of(message: &Message) -> String {
    content(&message.text, &Json::from(message.blocks.clone()).into())
}

/// What stands for a message and its content.
pub(crate) fn sum(message: &MessageRef, content: &str) -> String {
    let whole = format!("{} {} {content}", message.channel, message.ts);
    let mut sum = hex::encode(Sha256::digest(whole.as_bytes()));
    sum.truncate(32);
    sum
}
