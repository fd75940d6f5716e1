//! Pages by e-mail and webhook: the same obligation as a page in Slack, by another way.

use chrono::TimeDelta;

use super::Worker;
use super::outcome::back_off;
use crate::app::{Settled, Work};
use crate::domain::command::Finished;
use crate::domain::contact::ContactMethod;
use crate::domain::event::PageResult;
use crate::domain::incident::Page;
use crate::elsewhere::{Failure, Notice};
use crate::planted::{self, Bug};

impl Worker {
    pub(super) async fn page_elsewhere(&self, work: &Work, page: &Page, by: ContactMethod, attempt: u32) -> Settled {
        let Some(escalation) = work.incident.escalations.get(&page.escalation) else { return Self::done() };
        let (roster, directory) = self.around();
        let notice = Notice {
            incident: &work.incident,
            page,
            escalation,
            roster: &roster,
            directory: &directory,
            links: self.inner.elsewhere.links(),
            attempt,
            may_be_second: work.uncertain,
            now: self.now(),
        };
        if planted::active(Bug::AddressLogged) {
            tracing::debug!(to = roster.address(&page.to), "a page goes out");
        }
        let sent = match roster.address(&page.to) {
            Some(address) => self.inner.elsewhere.send(by, address, &notice).await,
            None => Err(Failure::Refused("firebell.toml has no such way to them any more".to_owned())),
        };
        let sent = match (sent, roster.address(&page.to)) {
            (Err(Failure::Unknown(error)), Some(to)) if planted::active(Bug::AddressTold) => {
                Err(Failure::Unknown(format!("{error} ({to})")))
            }
            (sent, _) => sent,
        };
        let finished = |result| Finished::Page { page: page.id, attempt, result, fault: None };
        let at = self.now() + back_off(attempt);
        let (error, uncertain, result) = match sent {
            Ok(()) => return Settled::Done(finished(PageResult::SentElsewhere)),
            Err(Failure::Refused(error)) => {
                tracing::warn!(error, attempt, by = by.word(), "a page was refused");
                return Settled::Done(finished(PageResult::NotReached { error }));
            }
            Err(Failure::Busy) => {
                let (at, error) = (self.now() + TimeDelta::seconds(1), "waits for its turn".to_owned());
                return Settled::Again { at, error, uncertain: work.uncertain, finished: None };
            }
            Err(Failure::NotNow(error)) => (error.clone(), work.uncertain, PageResult::Failed { error, retry_at: at }),
            Err(Failure::Unknown(error)) => (error.clone(), true, PageResult::Unknown { error }),
        };
        tracing::warn!(error, attempt, by = by.word(), "a page was not accepted");
        Settled::Again { at, error, uncertain, finished: Some(finished(result)) }
    }
}
