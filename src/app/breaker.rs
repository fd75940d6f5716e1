//! Whether Slack takes pages at all, from how the last ones ended. Each replica judges for itself, and anew after a start.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::domain::command::Finished;
use crate::domain::event::PageResult;

/// So many tries in a row that failed because of Slack itself mean that no page gets through. One page alone is tried so
/// often within a quarter of a minute, so that a hiccup sends nobody a second message.
const FAILURES_MAX: u32 = 5;

/// Opens after some failures in a row, closes with the first message that Slack accepts.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    failures: AtomicU32,
}

impl Breaker {
    /// Takes note of how an effect ended. Refusals of one recipient, rate limits and other ways than Slack say nothing.
    pub(super) fn note(&self, finished: &Finished) {
        // Whatever else was posted went the same way as pages do.
        let accepted = matches!(
            finished,
            Finished::Page { result: PageResult::Sent { .. }, .. }
                | Finished::CardPosted { .. }
                | Finished::AnnouncementPosted { .. }
                | Finished::EscalationPosted { .. }
                | Finished::PostmortemPosted { .. }
        );
        if accepted && self.failures.swap(0, Ordering::Relaxed) >= FAILURES_MAX {
            tracing::info!("Slack takes pages again");
        }
        if let Finished::Page { fault: Some(fault), .. } = finished
            && self.failures.fetch_add(1, Ordering::Relaxed) + 1 == FAILURES_MAX
        {
            tracing::warn!(?fault, "Slack takes no pages; they go on by other ways at once");
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.failures.load(Ordering::Relaxed) >= FAILURES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::command::Fault;
    use crate::ids::{MessageRef, PageId};

    fn page(result: PageResult, fault: Option<Fault>) -> Finished {
        Finished::Page { page: PageId(1), attempt: 1, result, fault }
    }

    fn failed(fault: Option<Fault>) -> Finished {
        page(PageResult::Unknown { error: "no answer".into() }, fault)
    }

    #[test]
    fn five_failures_of_slack_itself_open_it_and_one_accepted_message_closes_it() {
        let breaker = Breaker::default();
        for fault in [Fault::Network, Fault::Token, Fault::Network, Fault::Network] {
            breaker.note(&failed(Some(fault)));
            assert!(!breaker.is_open());
        }
        for _ in 0..5 {
            breaker.note(&failed(None));
            breaker.note(&page(PageResult::SentElsewhere, None));
        }
        assert!(!breaker.is_open(), "what was no fault of Slack's does not count");
        breaker.note(&failed(Some(Fault::Network)));
        assert!(breaker.is_open());
        let message = MessageRef { channel: "D1".into(), ts: "1.0".into() };
        breaker.note(&page(PageResult::Sent { message, digest: Vec::new() }, None));
        assert!(!breaker.is_open());
        for _ in 0..FAILURES_MAX {
            breaker.note(&failed(Some(Fault::Network)));
        }
        breaker.note(&Finished::CardPosted { message: MessageRef { channel: "C1".into(), ts: "1.0".into() } });
        assert!(!breaker.is_open(), "a card is as good as a page");
    }
}
