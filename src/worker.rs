//! Performs the effects that transactions left in the outbox: claim, call out, record.
//!
//! No transaction is open while a call is under way, and a call's time-out is shorter than its lease. Pages have places
//! of their own, so that channel work cannot hold them up. What an effect says is made from the incident as it was at
//! the claim; the worker decides nothing.

mod channel;
mod digest;
mod documents;
pub(crate) mod edits;
mod elsewhere;
mod messages;
mod outcome;
mod page;
mod test_page;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::FutureExt as _;
use tokio::sync::{Semaphore, watch};

use crate::app::{App, Error, Settled, Work};
use crate::clock::{lock, real_sleep, within};
use crate::domain::command::Finished;
use crate::domain::effect::{Effect, Lane};
use crate::domain::event::Recorded;
use crate::domain::roster::{Directory, Roster};
use crate::elsewhere::Elsewhere;
use crate::guard::guarded;
use crate::ids::{ChannelId, MessageRef};
use crate::metrics::{Outcome, Sent};
use crate::slack::limits::Method;
use crate::slack::pace::{Pace, Turns, Urgency};
use crate::slack::scene::Scene;
use crate::slack::{self, Slack};
use crate::store::outbox::{self, EffectId};
use crate::task;

pub use documents::Documents;

use edits::Edit;

/// Pages on their way at once: so many of them can become one message (`digest`).
const PAGES_AT_ONCE: usize = 256;
/// Other effects on their way at once.
const OTHERS_AT_ONCE: usize = 16;
/// How long effects under way may take when the program stops; longer than a call's time-out.
const FINISH_WITHIN: Duration = Duration::from_secs(5);
/// The longest sleep while nothing seems to wait.
const LOOK_EVERY: Duration = Duration::from_secs(1);

const OTHER_LANES: [Lane; 5] = [Lane::Answer, Lane::Card, Lane::Channel, Lane::Chatter, Lane::Document];

/// The worker of one workspace; cheap to clone.
#[derive(Clone)]
pub struct Worker {
    inner: Arc<Inner>,
}

struct Inner {
    app: App,
    slack: Slack,
    pace: Mutex<Pace>,
    turns: Mutex<Turns>,
    /// What digests said last.
    shown: Mutex<digest::Shown>,
    documents: Documents,
    elsewhere: Elsewhere,
    pages: Arc<Semaphore>,
    others: Arc<Semaphore>,
    stopping: watch::Sender<bool>,
    /// Loops that claim effects.
    claiming: watch::Sender<usize>,
    /// How often performing an effect broke down.
    broken: Mutex<HashMap<EffectId, u32>>,
}

impl Worker {
    pub fn new(app: App, slack: Slack, documents: Documents, elsewhere: Elsewhere) -> Self {
        let inner = Inner {
            app,
            slack,
            pace: Mutex::new(Pace::new()),
            turns: Mutex::new(Turns::new()),
            shown: Mutex::default(),
            documents,
            elsewhere,
            pages: Arc::new(Semaphore::new(PAGES_AT_ONCE)),
            others: Arc::new(Semaphore::new(OTHERS_AT_ONCE)),
            stopping: watch::Sender::new(false),
            claiming: watch::Sender::new(0),
            broken: Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Performs effects until it is told to stop.
    pub async fn run(self) {
        tokio::join!(self.serve_pages(), self.serve_others());
    }

    /// The loop that performs pages.
    pub(crate) async fn serve_pages(&self) {
        self.serve(&[Lane::Page], &self.inner.pages).await;
    }

    /// The loop that performs everything else.
    pub(crate) async fn serve_others(&self) {
        self.serve(&OTHER_LANES, &self.inner.others).await;
    }

    /// Takes no new effects, gives back those that were not begun, so that another replica takes them at once, and waits
    /// until those under way are recorded, so that none is sent twice after a restart.
    pub async fn stop(&self) {
        self.inner.stopping.send_replace(true);
        let all = |places: &Arc<Semaphore>, count: usize| {
            let places = Arc::clone(places);
            async move { places.acquire_many(u32::try_from(count).unwrap_or(u32::MAX)).await.map(drop) }
        };
        let under_way = async {
            // The sender is ours, so waiting cannot fail.
            let _ = self.inner.claiming.subscribe().wait_for(|loops| *loops == 0).await;
            tokio::join!(all(&self.inner.pages, PAGES_AT_ONCE), all(&self.inner.others, OTHERS_AT_ONCE))
        };
        if within(FINISH_WITHIN, under_way).await.is_none() {
            tracing::warn!("some calls to Slack are still under way; they are looked up at the next start");
        }
    }

    /// One group of lanes: claims as many as there are free places, performs them side by side.
    async fn serve(&self, lanes: &[Lane], places: &Arc<Semaphore>) {
        let app = &self.inner.app;
        let mut stopping = self.inner.stopping.subscribe();
        let mut changes = app.outbox_changes();
        let claiming = Claiming::begin(&self.inner.claiming);
        loop {
            if *stopping.borrow_and_update() {
                drop(claiming);
                // Whoever told us to stop waits for what is under way.
                return std::future::pending().await;
            }
            changes.mark_unchanged();
            let free = places.available_permits();
            let claimed = match free {
                0 => Ok(Vec::new()),
                free => app.claim(lanes, free).await,
            };
            let works = match claimed {
                Ok(works) => works,
                Err(Error::Closed) => return,
                Err(error) => {
                    tracing::error!(%error, "effects could not be claimed; trying again");
                    real_sleep(LOOK_EVERY).await;
                    continue;
                }
            };
            if works.is_empty() {
                tokio::select! {
                    biased;
                    () = self.rest(places, free, &mut changes) => {}
                    _ = stopping.changed() => {}
                }
                continue;
            }
            for errand in self.errands(works) {
                let needed = u32::try_from(errand.len()).unwrap_or(u32::MAX);
                // There are as many places as were free, unless we were told to stop while the claim was made.
                let taken =
                    if *stopping.borrow() { None } else { Arc::clone(places).try_acquire_many_owned(needed).ok() };
                let Some(taken) = taken else {
                    for work in errand.into_works() {
                        self.give_back(&work).await;
                    }
                    continue;
                };
                let worker = self.clone();
                task::spawn(async move {
                    worker.carry_out(errand).await;
                    drop(taken);
                });
            }
        }
    }

    /// Waits until there may be something to do: a place, a new effect, or the time of one that waits.
    async fn rest(&self, places: &Arc<Semaphore>, free: usize, changes: &mut watch::Receiver<()>) {
        let app = &self.inner.app;
        if free == 0 {
            drop(places.acquire().await);
            return;
        }
        let next = self.next_wake().await.ok().flatten().unwrap_or(DateTime::<Utc>::MAX_UTC);
        tokio::select! {
            biased;
            () = app.clock().sleep_until(next) => {}
            _ = changes.changed() => {}
            () = real_sleep(LOOK_EVERY) => {}
        }
    }

    /// Waits until this method may be called for something that nobody waits for; pages keep their share.
    pub async fn wait_for_turn(&self, method: Method) {
        loop {
            let taken = lock(&self.inner.pace).take(method, None, Urgency::Ordinary, self.now());
            match taken {
                Ok(()) => return,
                Err(at) => self.inner.app.clock().sleep_until(at).await,
            }
        }
    }

    /// The first instant after now at which a waiting effect becomes ready.
    pub async fn next_wake(&self) -> Result<Option<DateTime<Utc>>, Error> {
        let app = &self.inner.app;
        let mut tx = app.db().read().await?;
        Ok(outbox::next_wake(&mut tx, app.clock().now()).await?)
    }

    /// Performs everything that is ready now, one after the other, until nothing is; how many effects that were. For
    /// programs that move the clock themselves and want the same to happen each time.
    pub async fn drain(&self) -> Result<usize, Error> {
        let mut performed = 0;
        loop {
            let works = self.inner.app.claim(&Lane::ALL, PAGES_AT_ONCE).await?;
            if works.is_empty() {
                return Ok(performed);
            }
            performed += works.len();
            for errand in self.errands(works) {
                self.carry_out(errand).boxed().await;
            }
        }
    }

    /// Lets others have an effect that was claimed and not begun. One that lapsed before stays claimed until its lease
    /// ends: whoever takes it then still writes down that an attempt was lost.
    async fn give_back(&self, work: &Work) {
        if work.lapsed {
            return;
        }
        let error = "the program that had claimed it was stopped before it began".to_owned();
        let settled = Settled::Again { at: self.now(), error, uncertain: work.uncertain, finished: None };
        if let Err(error) = self.inner.app.settle(work, settled).await {
            tracing::warn!(%error, effect = %work.id, "an effect was not given back; its lease has to run out");
        }
    }

    async fn perform(&self, work: &Work) {
        let settled = match guarded("performing an effect", self.attempt(work)).await {
            Ok(settled) => {
                lock(&self.inner.broken).remove(&work.id);
                settled
            }
            Err(broken) => self.broke_down(work, &broken),
        };
        if !digest::is_sent(&settled) && !self.is_too_late(work) {
            self.give_turn_back(Some(work));
        }
        self.record(work, settled).await;
    }

    /// Writes down how an effect ended.
    async fn record(&self, work: &Work, settled: Settled) {
        let given_up = matches!(settled, Settled::GivenUp { .. });
        let outcome = match settled.finished() {
            Some(Finished::Page { result, .. }) => Some(Outcome::of(result)),
            _ => None,
        };
        let settled = self.inner.app.settle(work, settled).await;
        self.measure(work, outcome, given_up, &settled);
        match settled {
            Ok(true) => {}
            Ok(false) => tracing::info!(effect = %work.id, "another worker had taken this effect over"),
            // The lease runs out and the effect is tried again, as uncertain.
            Err(error) => tracing::error!(%error, effect = %work.id, "an outcome could not be recorded"),
        }
    }

    /// How an attempt ended, once that is recorded.
    fn measure(&self, work: &Work, outcome: Option<Outcome>, given_up: bool, settled: &Result<bool, Error>) {
        let metrics = self.inner.app.metrics();
        if given_up && matches!(settled, Ok(true)) {
            metrics.outbox_dead.of((work.effect.lane(),)).count();
        }
        let page = match &work.effect {
            Effect::Page { page } => work.incident.pages.get(page),
            _ => None,
        };
        let (Some(page), Some(outcome)) = (page, outcome) else { return };
        let sent = Sent::of(&page.to);
        if matches!(settled, Ok(false)) {
            return metrics.page_attempts.of((sent, Outcome::Fenced)).count();
        }
        metrics.page_attempts.of((sent, outcome)).count();
        match outcome {
            Outcome::Accepted => metrics.page_first_accept.of((sent,)).observe(self.now() - page.due_at),
            Outcome::Ambiguous => metrics.outcome_unknown.count(),
            Outcome::Rejected | Outcome::Failed | Outcome::Fenced => {}
        }
    }

    async fn attempt(&self, work: &Work) -> Settled {
        if self.has_lapsed(work) {
            return self.left_to_others(work);
        }
        if let (Effect::Page { page }, true, false) = (&work.effect, self.is_too_late(work), work.uncertain) {
            return self.page(work, *page).await;
        }
        let urgency = if work.effect.lane() == Lane::Page { Urgency::Page } else { Urgency::Ordinary };
        if let Effect::UpdatePage { page } = &work.effect
            && self.is_shown(work, *page)
        {
            return Self::done();
        }
        // Nothing is spent on what stands there already. What has waited is worded again only when it can go out.
        let mut edit = None;
        if work.said.is_some() && (work.attempt == 1 || self.may_edit_now()) {
            edit = match self.edit_of(work).await {
                Ok(edit) => edit,
                Err(error) => return self.unread(work, &error),
            };
            if edit.as_ref().is_some_and(|edit| edit.is_said(work)) {
                return Self::done();
            }
        }
        if let Some((method, channel)) = self.first_call(work) {
            let now = self.now();
            let taken = match often_edited(work) {
                Some(message) => lock(&self.inner.pace).take_edit(message, now),
                None => lock(&self.inner.pace).take(method, channel.as_ref(), urgency, now),
            };
            if let Err(at) = taken {
                let error = "waits for Slack's rate limit".to_owned();
                return Settled::Again { at, error, uncertain: work.uncertain, finished: None };
            }
        }
        self.call_out(work, edit).await
    }

    fn may_edit_now(&self) -> bool {
        lock(&self.inner.pace).ready_at(Method::ChatUpdate, None, Urgency::Ordinary, self.now()).is_none()
    }

    /// Does what an effect asks for, once it is its turn.
    async fn call_out(&self, work: &Work, edit: Option<Edit>) -> Settled {
        match &work.effect {
            Effect::Page { page } => self.page(work, *page).await,
            // It has been claimed, and will be settled: that is all it is for.
            Effect::Canary { .. } => Self::done(),
            Effect::TestPage { .. } => self.test_page(work).await,
            Effect::UpdatePage { page } if page::is_in_digest(work, *page) => self.update_page(work, *page).await,
            Effect::CreateChannel => self.create_channel(work).await,
            Effect::SetTopic => self.set_topic(work).await,
            Effect::Invite { users } => self.invite(work, users).await,
            Effect::PinCard => self.pin_card(work).await,
            Effect::PostCard
            | Effect::Announce
            | Effect::PostEscalation { .. }
            | Effect::Post { .. }
            | Effect::PostPostmortem
            | Effect::CatchUp
            | Effect::PostAside { .. }
            | Effect::Tell { .. } => self.post(work).await,
            Effect::UpdatePage { .. }
            | Effect::UpdateCard
            | Effect::UpdateAnnouncement
            | Effect::UpdateEscalation { .. }
            | Effect::UpdatePostmortem => self.update(work, edit).await,
            Effect::Capture { message, kind, by, late } => {
                let marked = messages::Marked { message, kind: *kind, by, late: *late };
                self.capture(work, &marked).await
            }
            Effect::Mark { seq } => self.mark(work, *seq).await,
            Effect::SendDocument { to, format } => self.send_document(work, to, *format).await,
            Effect::Export => self.export(work).await,
        }
    }

    /// The call whose limit an effect meets first, and the channel it posts to.
    fn first_call(&self, work: &Work) -> Option<(Method, Option<ChannelId>)> {
        let incident = &work.incident;
        let channel = || incident.channel_id().cloned();
        Some(match &work.effect {
            // None for a page that takes another way.
            Effect::Page { page } => (Method::ChatPostMessage, Some(page::recipient(incident, *page)?)),
            Effect::Announce => (Method::ChatPostMessage, self.inner.app.roster().announce_in.clone()),
            Effect::TestPage { .. } => (Method::ChatPostMessage, self.inner.app.roster().test_page_in.clone()),
            Effect::PostCard
            | Effect::PostEscalation { .. }
            | Effect::Post { .. }
            | Effect::PostPostmortem
            | Effect::CatchUp => (Method::ChatPostMessage, channel()),
            Effect::PostAside { .. } => {
                (Method::ChatPostMessage, incident.announcement.as_ref().map(|message| message.channel.clone()))
            }
            Effect::Tell { user, .. } => (Method::ChatPostMessage, Some(ChannelId::new(user.as_str()))),
            Effect::UpdatePage { .. }
            | Effect::UpdateCard
            | Effect::UpdateAnnouncement
            | Effect::UpdateEscalation { .. }
            | Effect::UpdatePostmortem => (Method::ChatUpdate, None),
            Effect::CreateChannel => (Method::ConversationsCreate, None),
            Effect::SetTopic => (Method::ConversationsSetTopic, None),
            Effect::Invite { .. } => (Method::ConversationsInvite, None),
            Effect::PinCard => (Method::PinsAdd, None),
            Effect::Capture { .. } => (Method::ConversationsHistory, None),
            Effect::Mark { .. } => (Method::ReactionsAdd, None),
            Effect::SendDocument { .. } => (Method::FilesGetUploadUrlExternal, None),
            Effect::Canary { .. } | Effect::Export => return None,
        })
    }

    fn now(&self) -> DateTime<Utc> {
        self.inner.app.clock().now()
    }

    /// Everything that a text is made from.
    fn view<'a>(&self, work: &'a Work, around: &'a (Arc<Roster>, Arc<Directory>)) -> Scene<'a> {
        Scene::new(&work.incident, &around.0, &around.1, self.now())
    }

    fn around(&self) -> (Arc<Roster>, Arc<Directory>) {
        (self.inner.app.roster(), self.inner.app.directory())
    }

    async fn history(&self, work: &Work) -> Result<Vec<Recorded>, crate::store::Error> {
        self.inner.app.history(work.incident.id).await
    }

    fn done() -> Settled {
        Settled::Done(Finished::Quietly)
    }

    /// Tells the budget what Slack said about it.
    fn heed(&self, error: &slack::Error, channel: Option<&ChannelId>) {
        if let slack::Class::RateLimited { after } = error.class() {
            lock(&self.inner.pace).rate_limited(error.method(), channel, after, self.now());
        }
    }
}

/// Counts as a loop that claims until it is dropped.
struct Claiming<'a>(&'a watch::Sender<usize>);

impl<'a> Claiming<'a> {
    fn begin(loops: &'a watch::Sender<usize>) -> Self {
        loops.send_modify(|loops| *loops += 1);
        Self(loops)
    }
}

impl Drop for Claiming<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|loops| *loops = loops.saturating_sub(1));
    }
}

/// The message that an effect edits, if every change of many edits it.
fn often_edited(work: &Work) -> Option<&MessageRef> {
    match &work.effect {
        Effect::UpdateCard => work.incident.card.as_ref(),
        Effect::UpdatePage { page } => {
            let page = work.incident.pages.get(page).filter(|page| !page.digest.is_empty())?;
            page.message.as_ref()
        }
        _ => None,
    }
}

/// The mark by which a message of ours is known again after an attempt of unknown outcome; the same for every attempt.
fn effect_mark(work: &Work) -> String {
    let slot = work.effect.slot().unwrap_or_else(|| match &work.effect {
        Effect::Post { seq } => format!("post:{seq}"),
        _ => format!("effect:{}", work.id),
    });
    format!("{}/{}/{slot}", work.incident.workspace, work.incident.id)
}
