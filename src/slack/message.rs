//! A message on its way to Slack: the blocks that are shown, and the sentence that stands for them.

use serde::Serialize;

use super::blocks;
use super::escape::Mrkdwn;
use super::json::{Json, object};

/// What `chat.postMessage`, `chat.update` and `response_url` are sent besides where it goes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Message {
    /// The whole message as a sentence: for notifications, screen readers, watches. Already escaped for mrkdwn.
    pub text: String,
    /// At most 50 blocks; empty for a message that is only its text.
    pub blocks: Vec<Json>,
}

impl Message {
    /// A message of blocks with the sentence that stands for them.
    pub fn new(text: Mrkdwn, blocks: Vec<Json>) -> Self {
        Self {
            text: text.clipped(blocks::TEXT_MAX).into_string(),
            blocks: blocks::at_most(blocks, blocks::MESSAGE_BLOCKS_MAX),
        }
    }

    /// A message of one paragraph, without buttons.
    pub fn sentence(text: Mrkdwn) -> Self {
        Self::new(text.clone(), vec![blocks::section(text)])
    }

    /// As the answer to a command, which only the person sees.
    pub(super) fn into_answer(self) -> Json {
        let mut answer = object! { "response_type": "ephemeral", "text": self.text };
        if !self.blocks.is_empty() {
            answer.set("blocks", self.blocks);
        }
        answer
    }

    /// Two messages as one.
    #[must_use]
    pub fn followed_by(mut self, next: Self) -> Self {
        self.text = format!("{}\n{}", self.text, next.text);
        self.blocks.extend(next.blocks);
        self.blocks = blocks::at_most(self.blocks, blocks::MESSAGE_BLOCKS_MAX);
        self
    }
}
