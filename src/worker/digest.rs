//! Pages to one person that go out together, once there are too many for a message each.
//!
//! What is claimed at one time is sorted into errands: most pages go alone, those to somebody who has had enough of them
//! wait for the next turn, and what waits then goes in one message, which every page's history names. A page still
//! succeeds or fails by itself: its outcome is its own, whoever it shared the message with.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use uuid::Uuid;

use super::messages::MARK_NAMESPACE;
use super::{Worker, effect_mark};
use crate::app::{Settled, Work};
use crate::clock::lock;
use crate::domain::command::Finished;
use crate::domain::effect::Effect;
use crate::domain::event::{PageResult, Recipient};
use crate::domain::incident::{Incident, Page};
use crate::guard::guarded;
use crate::ids::{ChannelId, IncidentId, MessageRef, PageId, Seq};
use crate::planted::{self, Bug};
use crate::slack::digest::{self, DIGEST_MAX, Listed};
use crate::slack::limits::Method;
use crate::slack::pace::Urgency;
use crate::slack::scene::Scene;
use crate::slack::{self, pages};

/// Digests whose last edit is remembered; an older one is edited once too often at worst.
const SHOWN_MAX: usize = 64;

/// What a digest said last: up to which event of each incident.
pub(super) type Shown = HashMap<MessageRef, BTreeMap<IncidentId, Seq>>;

/// What is done in one go.
pub(super) enum Errand {
    One(Box<Work>),
    /// Pages to one person.
    Together(Vec<Work>),
    /// Pages whose turn comes then.
    Later(Vec<Work>, DateTime<Utc>),
}

impl Errand {
    /// How many effects it is about.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Together(works) | Self::Later(works, _) => works.len(),
        }
    }

    pub(super) fn into_works(self) -> Vec<Work> {
        match self {
            Self::One(work) => vec![*work],
            Self::Together(works) | Self::Later(works, _) => works,
        }
    }
}

/// The person whose turn a page takes; `None` for everything else.
pub(super) fn person(work: &Work) -> Option<ChannelId> {
    match &page_of(work)?.to {
        Recipient::User { user } => Some(ChannelId::new(user.as_str())),
        Recipient::Channel { .. } | Recipient::Contact { .. } => None,
    }
}

fn page_of(work: &Work) -> Option<&Page> {
    match &work.effect {
        Effect::Page { page } => work.incident.pages.get(page),
        _ => None,
    }
}

impl Worker {
    /// Sorts what was claimed, and takes the turns that it needs.
    pub(super) fn errands(&self, works: Vec<Work>) -> Vec<Errand> {
        let mut groups: Vec<(Option<ChannelId>, Vec<Work>)> = Vec::new();
        let mut places: HashMap<ChannelId, usize> = HashMap::new();
        for work in works {
            // What is too late is not sent, so it takes no turn.
            match person(&work).filter(|_| !self.is_too_late(&work)) {
                None => groups.push((None, vec![work])),
                Some(to) => {
                    let place = *places.entry(to.clone()).or_insert(groups.len());
                    match groups.get_mut(place) {
                        Some((_, together)) => together.push(work),
                        None => groups.push((Some(to), vec![work])),
                    }
                }
            }
        }
        let now = self.now();
        let mut turns = lock(&self.inner.turns);
        let mut errands = Vec::new();
        for (to, mut works) in groups {
            let Some(to) = to else {
                errands.extend(works.into_iter().map(|work| Errand::One(Box::new(work))));
                continue;
            };
            match turns.left(&to, now) {
                Err(at) => errands.push(Errand::Later(works, at)),
                Ok(left) if works.len() <= left => {
                    for work in works {
                        turns.spend(&to, now);
                        errands.push(Errand::One(Box::new(work)));
                    }
                }
                // However many they are: whoever waits for this turn is told in this turn.
                Ok(_) => {
                    turns.spend(&to, now);
                    while !works.is_empty() {
                        let rest = works.split_off(works.len().min(DIGEST_MAX));
                        errands.push(Errand::Together(std::mem::replace(&mut works, rest)));
                    }
                }
            }
        }
        errands
    }

    pub(super) async fn carry_out(&self, errand: Errand) {
        match errand {
            Errand::One(work) => self.perform(&work).await,
            Errand::Together(works) => {
                let settled = match guarded("sending a digest", self.send_together(&works)).await {
                    Ok(settled) => settled,
                    Err(broken) => works.iter().map(|work| self.broke_down(work, &broken)).collect(),
                };
                if !settled.iter().any(is_sent) {
                    self.give_turn_back(works.first());
                }
                self.record_all(&works, settled).await;
            }
            Errand::Later(works, at) => {
                let settled = works.iter().map(|work| waits(work, at, "waits for the next message to this person"));
                let settled = settled.collect();
                self.record_all(&works, settled).await;
            }
        }
    }

    /// Side by side, so that they share a transaction.
    async fn record_all(&self, works: &[Work], settled: Vec<Settled>) {
        join_all(works.iter().zip(settled).map(|(work, settled)| self.record(work, settled))).await;
    }

    /// A page that did not go out took no turn.
    pub(super) fn give_turn_back(&self, work: Option<&Work>) {
        if let Some(to) = work.and_then(person) {
            lock(&self.inner.turns).give_back(&to);
        }
    }

    async fn send_together(&self, works: &[Work]) -> Vec<Settled> {
        let Some(to) = works.first().and_then(person) else { return Vec::new() };
        if works.iter().any(|work| self.has_lapsed(work)) {
            return works.iter().map(|work| self.left_to_others(work)).collect();
        }
        let taken = lock(&self.inner.pace).take(Method::ChatPostMessage, Some(&to), Urgency::Page, self.now());
        if let Err(at) = taken {
            return works.iter().map(|work| waits(work, at, "waits for Slack's rate limit")).collect();
        }
        let attempts = join_all(works.iter().map(|work| self.begin_page(work))).await;
        let found = self.look_for_pages(works, &to).await;
        if works.iter().any(|work| self.has_lapsed(work)) {
            return works.iter().map(|work| self.left_to_others(work)).collect();
        }
        let rest: Vec<&Work> = works.iter().filter(|work| !found.contains_key(&effect_mark(work))).collect();
        let sent = self.send_digest(&rest, &to).await;
        let settle = |(work, attempt): (&Work, u32)| {
            let Some(page) = page_of(work) else { return Self::done() };
            let sent = match found.get(&effect_mark(work)) {
                Some((message, digest)) => Ok((message.clone(), digest.clone())),
                None => sent.clone(),
            };
            self.page_settled(work, page.id, &to, attempt, sent)
        };
        works.iter().zip(attempts).map(settle).collect()
    }

    /// The messages that earlier attempts of unknown outcome have left, by the marks of the pages. When the search itself
    /// fails they are sent again, because twice is better than never.
    pub(super) async fn look_for_pages(
        &self,
        works: &[Work],
        to: &ChannelId,
    ) -> BTreeMap<String, (MessageRef, Vec<(IncidentId, PageId)>)> {
        if planted::active(Bug::NoLook) {
            return BTreeMap::new();
        }
        let uncertain: Vec<&Work> = works.iter().filter(|work| work.uncertain).collect();
        let Some(since) = uncertain.iter().map(|work| work.created_at).min() else { return BTreeMap::new() };
        let marks: Vec<String> = uncertain.iter().map(|work| effect_mark(work)).collect();
        let found = self.find_all(to, since, &marks).await.unwrap_or_default();
        let read = |posted: slack::Posted| {
            let digest = posted.pages.iter().filter_map(|mark| page_marked(mark)).collect();
            (posted.message, digest)
        };
        found.into_iter().map(|(mark, posted)| (mark, read(posted))).collect()
    }

    async fn send_digest(
        &self,
        works: &[&Work],
        to: &ChannelId,
    ) -> Result<(MessageRef, Vec<(IncidentId, PageId)>), slack::Error> {
        let around = self.around();
        if let [work] = works
            && let Some(page) = page_of(work)
        {
            let history = self.history(work).await.unwrap_or_default();
            let message = pages::page(&self.view(work, &around), page, &history);
            let (posted, _) = self.send(work, to, message).await?;
            return Ok((posted, Vec::new()));
        }
        let listed: Vec<Listed<'_>> = works
            .iter()
            .filter_map(|work| Some(Listed { scene: self.view(work, &around), page: page_of(work)? }))
            .collect();
        let marks: Vec<String> = works.iter().map(|work| effect_mark(work)).collect();
        let ids = listed.iter().map(|one| (one.scene.incident.id, one.page.id)).collect();
        let name = Uuid::new_v5(&MARK_NAMESPACE, marks.join(" ").as_bytes());
        let mark = format!("{}/digest/{name}", self.inner.app.workspace());
        let message = digest::digest(&listed);
        let post = slack::Message {
            text: message.text,
            blocks: message.blocks,
            thread_ts: None,
            client_msg_id: Some(name),
            metadata: Some(slack::Metadata::digest(mark, &marks)),
        };
        Ok((self.inner.slack.post_message(to, &post).await?, ids))
    }

    /// Whether the digest that this page is in already shows what the page has become.
    pub(super) fn is_shown(&self, work: &Work, page: PageId) -> bool {
        let page = work.incident.pages.get(&page).filter(|page| !page.digest.is_empty());
        let Some(message) = page.and_then(|page| page.message.as_ref()) else { return false };
        let shown = lock(&self.inner.shown);
        let up_to = shown.get(message).and_then(|shown| shown.get(&work.incident.id));
        up_to.is_some_and(|seq| *seq >= work.incident.last_seq)
    }

    /// Edits a digest: all its incidents as they are now, so that one edit serves every change that came meanwhile.
    pub(super) async fn update_digest(&self, work: &Work, page: &Page, message: &MessageRef) -> Settled {
        let mut ids: Vec<IncidentId> = page.digest.iter().map(|(incident, _)| *incident).collect();
        ids.sort_unstable();
        ids.dedup();
        let incidents = match self.inner.app.incidents(&ids).await {
            Ok(incidents) => incidents,
            Err(error) => return self.unread(work, &error),
        };
        let mut incidents: BTreeMap<IncidentId, Arc<Incident>> =
            incidents.into_iter().map(|incident| (incident.id, Arc::new(incident))).collect();
        // What was claimed may be newer than what a reader sees.
        let own = incidents.entry(work.incident.id).or_insert_with(|| Arc::clone(&work.incident));
        if own.last_seq < work.incident.last_seq {
            *own = Arc::clone(&work.incident);
        }
        let around = self.around();
        let listed: Vec<Listed<'_>> = page
            .digest
            .iter()
            .filter_map(|(incident, page)| {
                let incident = incidents.get(incident)?;
                let scene = Scene::new(incident, &around.0, &around.1, self.now());
                Some(Listed { scene, page: incident.pages.get(page)? })
            })
            .collect();
        let text = digest::digest(&listed);
        match self.inner.slack.update_message(message, &text.text, &text.blocks).await {
            Ok(()) => {
                let seqs = incidents.iter().map(|(id, incident)| (*id, incident.last_seq)).collect();
                let mut shown = lock(&self.inner.shown);
                if shown.len() >= SHOWN_MAX {
                    shown.clear();
                }
                shown.insert(message.clone(), seqs);
                Self::done()
            }
            Err(error) if error.code() == Some("message_not_found") => Self::done(),
            Err(error) => self.failed(work, &error, Some(&message.channel)),
        }
    }
}

fn waits(work: &Work, at: DateTime<Utc>, error: &str) -> Settled {
    Settled::Again { at, error: error.to_owned(), uncertain: work.uncertain, finished: None }
}

/// Whether a page went out.
pub(super) fn is_sent(settled: &Settled) -> bool {
    matches!(settled.done(), Some(Finished::Page { result: PageResult::Sent { .. }, .. }))
}

/// The page that a mark names.
fn page_marked(mark: &str) -> Option<(IncidentId, PageId)> {
    let mut parts = mark.splitn(3, '/').skip(1);
    let incident = parts.next()?.parse().ok()?;
    let page = parts.next()?.strip_prefix("page:")?.parse().ok()?;
    Some((IncidentId(incident), PageId(page)))
}
