//! Pages: the effect that the product exists for. Every attempt's result goes into the history.

use chrono::TimeDelta;

use super::Worker;
use super::outcome::again;
use crate::app::{Request, Settled, Target, Work};
use crate::domain::command::{Command, Fault, Finished};
use crate::domain::effect::Effect;
use crate::domain::event::{Actor, PageResult, Recipient};
use crate::domain::incident::{Incident, Page};
use crate::ids::{ChannelId, IncidentId, MessageRef, PageId};
use crate::metrics::{Late, Sent, Tier};
use crate::planted::{self, Bug};
use crate::slack::{self, Class, pages};

/// A step that began later than this is a catch-up, and so are its pages.
const ON_TIME: TimeDelta = TimeDelta::seconds(1);

/// Where a page is posted: a channel, or a user's id, which stands for our direct messages with them; nowhere, if it takes
/// another way than Slack.
pub(super) fn recipient(incident: &Incident, page: PageId) -> Option<ChannelId> {
    Some(match &incident.pages.get(&page)?.to {
        Recipient::User { user } => ChannelId::new(user.as_str()),
        Recipient::Channel { channel, .. } => channel.clone(),
        Recipient::Contact { .. } => return None,
    })
}

/// What a failure says of Slack itself.
fn fault(error: &slack::Error) -> Option<Fault> {
    match error.class() {
        Class::Auth { .. } => Some(Fault::Token),
        Class::Retry | Class::Uncertain => Some(Fault::Network),
        Class::RateLimited { .. } | Class::Permanent { .. } => None,
    }
}

impl Worker {
    pub(super) async fn page(&self, work: &Work, id: PageId) -> Settled {
        let Some(page) = work.incident.pages.get(&id) else { return Self::done() };
        let too_late = self.is_too_late(work);
        // One that may have gone out is looked for before.
        if too_late && !work.uncertain {
            return Self::left_unsent(id);
        }
        let metrics = self.inner.app.metrics();
        let attempt = self.begin_page(work).await;
        if too_late && matches!(page.to, Recipient::Contact { .. }) {
            return Self::left_unsent(id);
        }
        if let Recipient::Contact { by, .. } = &page.to {
            // Boxed: seldom taken, and large.
            return Box::pin(self.page_elsewhere(work, page, *by, attempt)).await;
        }
        let Some(to) = recipient(&work.incident, id) else { return Self::done() };
        // A page goes out even if its history cannot be read: it then says a little less.
        let history = self.history(work).await.unwrap_or_default();
        let around = self.around();
        let message = pages::page(&self.view(work, &around), page, &history);
        if planted::active(Bug::DropLate) && self.now() - page.due_at > TimeDelta::seconds(10) {
            return Self::done();
        }
        if planted::active(Bug::SentBeforeSend) {
            let message = MessageRef { channel: to.clone(), ts: "0.1".into() };
            let result = PageResult::Sent { message, digest: Vec::new() };
            let finished = Finished::Page { page: id, attempt, result, fault: None };
            drop(self.inner.app.settle(work, Settled::Done(finished)).await);
        }
        let found = self.look_for_pages(std::slice::from_ref(work), &to).await;
        let mut said = None;
        let sent = match found.into_values().next() {
            Some(found) => Ok(found),
            None if self.has_lapsed(work) => return self.left_to_others(work),
            None if too_late => return Self::left_unsent(id),
            None => {
                metrics.duplicates_suspected.add(u64::from(work.uncertain));
                self.send(work, &to, message).await.map(|(message, sum)| {
                    said = Some(sum);
                    (message, Vec::new())
                })
            }
        };
        self.page_settled(work, id, &to, attempt, sent).saying(said)
    }

    /// Whether a page is so late that people are asked before it is sent.
    pub(super) fn is_too_late(&self, work: &Work) -> bool {
        let Effect::Page { page } = &work.effect else { return false };
        if planted::active(Bug::NoQuestion) {
            return false;
        }
        let page = work.incident.pages.get(page).filter(|page| !page.asks);
        page.is_some_and(|page| self.inner.app.roster().ask_after.is_past(page.due_at, self.now()))
    }

    fn left_unsent(page: PageId) -> Settled {
        Settled::Done(Finished::PageTooLate { page })
    }

    /// Measures how late an attempt begins, and tells of one that was lost; the number of the attempt.
    pub(super) async fn begin_page(&self, work: &Work) -> u32 {
        let Effect::Page { page } = &work.effect else { return work.attempt };
        let Some(page) = work.incident.pages.get(page) else { return work.attempt };
        if page.attempts == 0 && !work.lapsed {
            let late = if work.created_at - page.due_at > ON_TIME { Late::Yes } else { Late::No };
            let labels = (Sent::of(&page.to), Tier::of(page.step), late);
            self.inner.app.metrics().page_lateness.of(labels).observe(self.now() - page.due_at);
        }
        let next = page.attempts + 1 + self.tell_lapsed(work, page).await;
        // Failures that repeat the last one are not in the history, and count all the same.
        if page.trouble.is_some() { next.max(work.attempt) } else { next }
    }

    /// How an attempt by Slack ended: with the message that stands for the page, and all the pages that it stands for if
    /// they are several.
    pub(super) fn page_settled(
        &self,
        work: &Work,
        page: PageId,
        to: &ChannelId,
        attempt: u32,
        sent: Result<(MessageRef, Vec<(IncidentId, PageId)>), slack::Error>,
    ) -> Settled {
        let fault = sent.as_ref().err().and_then(fault);
        if planted::active(Bug::SwallowedLimit) && sent.as_ref().is_err_and(is_limit) {
            return Self::done();
        }
        let (result, pause) = match sent {
            Ok((message, digest)) => (PageResult::Sent { message, digest }, None),
            Err(error) => self.page_failed(&error, to, attempt),
        };
        let finished = Finished::Page { page, attempt, result, fault };
        match pause {
            None => Settled::Done(finished),
            Some((pause, error, uncertain)) => Settled::Again {
                at: self.now() + pause,
                error,
                uncertain: uncertain || work.uncertain,
                finished: Some(finished),
            },
        }
    }

    /// Writes down that nobody knows what became of the last attempt; how many attempts that adds. The page does not
    /// depend on it.
    async fn tell_lapsed(&self, work: &Work, page: &Page) -> u32 {
        if !work.lapsed {
            return 0;
        }
        self.inner.app.metrics().outcome_unknown.count();
        let error = "The program that was sending it stopped before it could say whether it went out".to_owned();
        let attempt = page.attempts + 1;
        let told = self.inner.app.handle(Request {
            key: None,
            actor: Actor::Firebell,
            target: Target::Incident(work.incident.id),
            command: Command::EffectFinished(Finished::Page {
                page: page.id,
                attempt,
                result: PageResult::Unknown { error },
                fault: None,
            }),
            inside: true,
        });
        if let Err(error) = told.await {
            tracing::warn!(%error, incident = work.incident.number, "a lost attempt was not written down");
        }
        1
    }

    fn page_failed(
        &self,
        error: &slack::Error,
        to: &ChannelId,
        attempt: u32,
    ) -> (PageResult, Option<(TimeDelta, String, bool)>) {
        self.heed(error, Some(to));
        let said = error.to_string();
        tracing::warn!(%error, attempt, "a page was not accepted");
        // A token that is refused says nothing of the person.
        if error.not_reached().is_some() && !error.is_token_refused() {
            return (PageResult::NotReached { error: said }, None);
        }
        match again(error, attempt) {
            None => (PageResult::NotReached { error: said }, None),
            Some((pause, true)) => (PageResult::Unknown { error: said.clone() }, Some((pause, said, true))),
            Some((pause, false)) => {
                let retry_at = self.now() + pause;
                (PageResult::Failed { error: said.clone(), retry_at }, Some((pause, said, false)))
            }
        }
    }

    /// Edits the digest that a page is in.
    pub(super) async fn update_page(&self, work: &Work, id: PageId) -> Settled {
        match work.incident.pages.get(&id).and_then(|page| Some((page, page.message.as_ref()?))) {
            Some((page, message)) => Box::pin(self.update_digest(work, page, message)).await,
            None => Self::done(),
        }
    }
}

/// Whether a page shares its message with others.
pub(super) fn is_in_digest(work: &Work, page: PageId) -> bool {
    work.incident.pages.get(&page).is_some_and(|page| !page.digest.is_empty())
}

/// Whether Slack has no time now.
fn is_limit(error: &slack::Error) -> bool {
    matches!(error.class(), slack::Class::RateLimited { .. })
}
