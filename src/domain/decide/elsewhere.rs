//! Ways besides Slack: a page that Slack does not take goes on by e-mail or webhook. The tries in Slack are not given up.

use chrono::{DateTime, Utc};

use super::Draft;
use super::lifecycle::unchanged;
use crate::domain::answer::Said;
use crate::domain::event::{Detour, Event, PlannedPage, Recipient};
use crate::domain::incident::Page;
use crate::ids::PageId;
use crate::planted::{self, Bug};

/// Why somebody is told whom no policy names.
const FOR_WANT_OF_OTHERS: &str = "nobody who was called can be reached otherwise";
const LAST_RESORT: &str = "the fallback";

impl Draft<'_> {
    /// A page's time to be accepted is over.
    pub(super) fn page_overdue(&mut self, id: PageId) -> Said {
        let due = |at: DateTime<Utc>| at <= self.context.now;
        let overdue = self.after.pages.get(&id).is_some_and(|page| {
            page.elsewhere_at.is_some_and(due) && !page.is_accepted() && self.after.is_awaited(page)
        });
        if !overdue || planted::active(Bug::WaitForSlack) {
            return unchanged("Nothing is due.".to_owned());
        }
        let due_at = self.after.pages.get(&id).filter(|page| !page.asks).map(|page| page.due_at);
        if due_at.is_some_and(|due_at| self.is_too_late(due_at)) {
            return self.page_too_late(id);
        }
        self.divert(id, Detour::Late);
        Said::Done
    }

    /// While Slack takes no page of anybody, nobody waits for it.
    pub(super) fn divert_at_once(&mut self, pages: &[PageId]) {
        if !self.context.slack_is_away {
            return;
        }
        for page in pages {
            let in_slack = self.after.pages.get(page).is_some_and(|page| !matches!(page.to, Recipient::Contact { .. }));
            if in_slack {
                self.divert(*page, Detour::SlackAway);
            }
        }
    }

    /// A page goes on by the next way, once. Without one that is said, except of a refusal, which speaks for itself.
    pub(super) fn divert(&mut self, id: PageId, because: Detour) {
        let Some(page) = self.after.pages.get(&id).cloned() else { return };
        let refused = because == Detour::Refused;
        let alive = Page { dead: page.dead && !refused, ..page.clone() };
        if page.elsewhere_at.is_none() || page.is_accepted() || !self.after.is_awaited(&alive) {
            return;
        }
        let next = self.next_way(&page);
        if next.is_none() && refused {
            return;
        }
        let event = Event::PagedElsewhere { escalation: page.escalation, step: page.step, page: id, because, next };
        self.push_own(event);
    }

    /// The fallback's own way, beside the pages that its targets get.
    pub(super) fn plan_fallback_contact(&self, beside: &[PlannedPage]) -> Option<PlannedPage> {
        let by = self.context.roster.fallback_contacts.after(None)?;
        let page = beside.last().map_or_else(|| self.next_page(), |last| PageId(last.page.0 + 1));
        let to = Recipient::Contact { of: None, by };
        let elsewhere = self.context.roster.has_way_after(&to);
        Some(PlannedPage { page, to, because: LAST_RESORT.to_owned(), elsewhere })
    }

    fn next_way(&self, page: &Page) -> Option<PlannedPage> {
        if planted::active(Bug::OneWay) {
            return None;
        }
        let roster = self.context.roster;
        let (to, because) = match roster.own_way_after(&page.to) {
            Some(own) => (own, page.because.clone()),
            None => (self.fallback_for(page)?, FOR_WANT_OF_OTHERS.to_owned()),
        };
        Some(PlannedPage { page: self.next_page(), elsewhere: roster.has_way_after(&to), to, because })
    }

    /// The fallback is told instead of somebody who has no way left, unless others of the same step are reached, or it
    /// was told already. If Slack refused this one person the next tier is the answer, not the fallback.
    fn fallback_for(&self, page: &Page) -> Option<Recipient> {
        if matches!(page.to, Recipient::Contact { of: None, .. }) || self.after.first_way(page).dead {
            return None;
        }
        let by = self.context.roster.fallback_contacts.after(None)?;
        let same =
            |other: &Page| other.id == page.id || (page.to.user().is_some() && other.to.user() == page.to.user());
        let reached = |other: &Page| {
            let still_to_come = other.elsewhere_at.is_some() && self.context.roster.own_way_after(&other.to).is_some();
            !other.dead && !other.declined && (other.is_accepted() || still_to_come)
        };
        let told = |other: &Page| matches!(other.to, Recipient::Contact { of: None, .. });
        let covered = self.after.pages_of(page.escalation).any(|other| {
            let beside = other.step.generation == page.step.generation && other.asks == page.asks && !same(other);
            beside && (told(other) || reached(other))
        });
        (!covered).then_some(Recipient::Contact { of: None, by })
    }
}
