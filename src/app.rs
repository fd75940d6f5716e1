//! The application: commands in, one transaction each, effects out.
//!
//! Everything that changes an incident goes through [`App::handle`]: people's commands, alerts, due timers and the
//! outcomes of effects. A single writer takes whatever is queued into one transaction (`app::writer`), so that commands
//! share the disk's flush. The scheduler and the worker are two more callers with no rights of their own.

mod breaker;
mod desk;
mod writer;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, Utc};
use tokio::sync::{Notify, mpsc, oneshot, watch};

use crate::clock::Clock;
use crate::domain::answer::Answer;
use crate::domain::command::{Command, Finished};
use crate::domain::effect::{Effect, Lane};
use crate::domain::event::{Actor, Recorded};
use crate::domain::incident::Incident;
use crate::domain::roster::{Directory, Roster};
use crate::ids::{ChannelId, IncidentId, Seq, WorkspaceId};
use crate::metrics::Metrics;
use crate::planted::{self, Bug};
use crate::store::outbox::EffectId;
use crate::store::{self, Db};
use crate::task;

/// Commands that wait for the writer at most; beyond it senders wait, and HTTP answers "busy".
const QUEUE_MAX: usize = 4_096;

/// Channels remembered at most; then all are forgotten and learned again.
const CHANNELS_KNOWN_MAX: usize = 10_000;

/// A command with all that comes with it.
#[derive(Clone, Debug)]
pub struct Request {
    /// What makes a repeated delivery recognisable; `None` for what cannot be delivered twice.
    pub key: Option<String>,
    pub actor: Actor,
    pub target: Target,
    pub command: Command,
    /// Whether it came from inside the incident's own channel or a page of it.
    pub inside: bool,
}

/// What a command is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// An incident that is to be opened.
    New,
    Incident(IncidentId),
    /// The incident whose alert this is, or a new one.
    Alert,
}

/// Why a command has no answer: nothing of it happened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("too much is waiting; nothing was changed")]
    Busy,
    #[error("the database did not take it; nothing was changed")]
    Store(#[from] store::Error),
    #[error("Firebell made a mistake over it; nothing was changed")]
    Broken {
        /// Under which it is in the log.
        reference: String,
    },
    #[error("Firebell is shutting down; nothing was changed")]
    Closed,
}

/// An effect that the caller now has to perform, until its lease runs out.
#[derive(Clone, Debug)]
pub struct Work {
    pub id: EffectId,
    pub attempt: u32,
    pub effect: Effect,
    /// An earlier attempt may have gone out: look before sending again.
    pub uncertain: bool,
    /// The last attempt never reported, so that the history does not know of it.
    pub lapsed: bool,
    pub created_at: DateTime<Utc>,
    /// From then on somebody else may have it.
    pub lease_until: DateTime<Utc>,
    /// Of an edit: what its message reads, as [`Settled::Said`] told it last; `None` if nobody knows.
    pub said: Option<String>,
    /// The incident as it is now.
    pub incident: Arc<Incident>,
}

/// How an effect ended.
#[derive(Clone, Debug)]
pub enum Settled {
    Done(Finished),
    /// And the message that it posted or edited reads so now: `sum` stands for the message and its content.
    Said {
        finished: Finished,
        sum: String,
    },
    /// Not now: again at that instant. `finished` tells the history, for pages.
    Again {
        at: DateTime<Utc>,
        error: String,
        uncertain: bool,
        finished: Option<Finished>,
    },
    /// Never: kept aside for people to see.
    GivenUp {
        error: String,
        finished: Option<Finished>,
    },
}

impl Settled {
    /// What succeeded.
    pub(crate) fn done(&self) -> Option<&Finished> {
        match self {
            Self::Done(finished) | Self::Said { finished, .. } => Some(finished),
            Self::Again { .. } | Self::GivenUp { .. } => None,
        }
    }

    /// What the history is told.
    pub(crate) fn finished(&self) -> Option<&Finished> {
        match self {
            Self::Done(finished) | Self::Said { finished, .. } => Some(finished),
            Self::Again { finished, .. } | Self::GivenUp { finished, .. } => finished.as_ref(),
        }
    }

    /// If it is done, the message reads so now.
    pub(crate) fn saying(self, sum: Option<String>) -> Self {
        match (self, sum) {
            (Self::Done(finished), Some(sum)) => Self::Said { finished, sum },
            (settled, _) => settled,
        }
    }
}

/// A claimed effect, as who performed it names it.
struct Performed {
    id: EffectId,
    attempt: u32,
    incident: IncidentId,
    effect: Effect,
}

/// An answer, with the incident as it is after the command where the writer had it in hand.
#[derive(Clone, Debug)]
pub struct Answered {
    pub answer: Answer,
    pub after: Option<Arc<Incident>>,
}

impl std::ops::Deref for Answered {
    type Target = Answer;

    fn deref(&self) -> &Answer {
        &self.answer
    }
}

impl Answered {
    /// Whether it is the answer of the same attempt at a commit.
    fn is_of_one_attempt_with(&self, other: &Self) -> bool {
        let incidents = self.after.as_ref().zip(other.after.as_ref());
        self.answer == other.answer && incidents.is_some_and(|(one, other)| Arc::ptr_eq(one, other))
    }
}

enum Job {
    Handle {
        request: Box<Request>,
        /// Who wants to put the answer into words while it is being committed.
        decided: Option<oneshot::Sender<Answered>>,
        reply: oneshot::Sender<Result<Answered, Error>>,
    },
    Claim {
        lanes: Vec<Lane>,
        limit: usize,
        reply: oneshot::Sender<Result<Vec<Work>, Error>>,
    },
    Test {
        effect: Effect,
        reply: oneshot::Sender<Result<(), Error>>,
    },
    Settle {
        work: Box<Performed>,
        settled: Settled,
        reply: oneshot::Sender<Result<bool, Error>>,
    },
}

/// The running application; a handle that is cheap to clone.
#[derive(Clone)]
pub struct App {
    inner: Arc<Inner>,
}

struct Inner {
    db: Db,
    clock: Clock,
    metrics: Metrics,
    workspace: WorkspaceId,
    roster: RwLock<Arc<Roster>>,
    directory: RwLock<Arc<Directory>>,
    queue: mpsc::Sender<Job>,
    /// Channels that are known to be an incident's, so that a command need not ask the database.
    channels: RwLock<HashMap<ChannelId, IncidentId>>,
    breaker: breaker::Breaker,
    /// Timers have changed.
    timers: Notify,
    /// There may be effects to perform.
    outbox: watch::Sender<()>,
}

impl Inner {
    fn roster(&self) -> Arc<Roster> {
        Arc::clone(&self.roster.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn directory(&self) -> Arc<Directory> {
        Arc::clone(&self.directory.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl App {
    /// Starts the writer. It ends when the last handle is dropped.
    pub fn start(
        db: Db,
        clock: Clock,
        metrics: Metrics,
        workspace: WorkspaceId,
        roster: Roster,
        directory: Directory,
    ) -> Self {
        let (queue, jobs) = mpsc::channel(QUEUE_MAX);
        let inner = Arc::new(Inner {
            db,
            clock,
            metrics,
            workspace,
            roster: RwLock::new(Arc::new(roster)),
            directory: RwLock::new(Arc::new(directory)),
            queue,
            channels: RwLock::new(HashMap::new()),
            breaker: breaker::Breaker::default(),
            timers: Notify::new(),
            outbox: watch::Sender::new(()),
        });
        task::spawn(writer::run(Arc::downgrade(&inner), jobs));
        Self { inner }
    }

    /// Decides a command and commits what follows from it; answers after the commit.
    ///
    /// # Errors
    /// When nothing was committed. A refusal is an answer, not an error.
    pub async fn handle(&self, request: Request) -> Result<Answer, Error> {
        let again = planted::active(Bug::RepeatUnknown).then(|| Box::new(Request { key: None, ..request.clone() }));
        let mut answered = self.ask(|reply| Job::Handle { request: Box::new(request), decided: None, reply }).await?;
        if let (Some(again), Err(Error::Store(store::Error::Sql(_)))) = (again, &answered) {
            answered = self.ask(|reply| Job::Handle { request: again, decided: None, reply }).await?;
        }
        answered.map(|answered| answered.answer)
    }

    /// As [`App::handle`], but refuses at once when the queue is full, and shows the incident too.
    pub async fn try_handle(&self, request: Request) -> Result<Answered, Error> {
        self.try_enqueue(request, None)?.await.map_err(|_| Error::Closed)?
    }

    /// As [`App::try_handle`], and puts the answer into words while it is being committed. `tell` must do nothing but
    /// that: what it was given may not come to pass, and then it is asked again. Its words come back after the commit.
    pub async fn try_handle_telling<T>(
        &self,
        request: Request,
        tell: impl Fn(&Answered) -> T + Send,
    ) -> Result<(Answered, T), Error> {
        let (decided, early) = oneshot::channel();
        let reply = self.try_enqueue(request, Some(decided))?;
        let early = match early.await {
            Ok(answered) => Some((tell(&answered), answered)),
            Err(_) => None,
        };
        let answered = reply.await.map_err(|_| Error::Closed)??;
        let words = match early {
            Some((words, early)) if early.is_of_one_attempt_with(&answered) => words,
            _ => tell(&answered),
        };
        Ok((answered, words))
    }

    fn try_enqueue(
        &self,
        request: Request,
        decided: Option<oneshot::Sender<Answered>>,
    ) -> Result<oneshot::Receiver<Result<Answered, Error>>, Error> {
        let (reply, answer) = oneshot::channel();
        let job = Job::Handle { request: Box::new(request), decided, reply };
        self.inner.queue.try_send(job).map_err(|full| match full {
            mpsc::error::TrySendError::Full(_) => Error::Busy,
            mpsc::error::TrySendError::Closed(_) => Error::Closed,
        })?;
        Ok(answer)
    }

    /// Takes due effects of these lanes, best lane first, each leased to the caller. What is no longer wanted is
    /// dropped on the way.
    pub async fn claim(&self, lanes: &[Lane], limit: usize) -> Result<Vec<Work>, Error> {
        self.ask(|reply| Job::Claim { lanes: lanes.to_vec(), limit, reply }).await?
    }

    /// Records how an effect ended; `false` if somebody else has taken it over meanwhile.
    pub async fn settle(&self, work: &Work, settled: Settled) -> Result<bool, Error> {
        let (id, attempt, effect) = (work.id, work.attempt, work.effect.clone());
        let work = Box::new(Performed { id, attempt, incident: work.incident.id, effect });
        self.ask(|reply| Job::Settle { work, settled, reply }).await?
    }

    /// Puts an effect of no incident among the others, to test their way: a page to nobody, or a test page.
    pub async fn send_test(&self, effect: Effect) -> Result<(), Error> {
        self.ask(|reply| Job::Test { effect, reply }).await?
    }

    async fn ask<T>(&self, job: impl FnOnce(oneshot::Sender<T>) -> Job) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        self.inner.queue.send(job(reply)).await.map_err(|_| Error::Closed)?;
        answer.await.map_err(|_| Error::Closed)
    }

    pub fn db(&self) -> &Db {
        &self.inner.db
    }

    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    pub fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }

    pub fn workspace(&self) -> &WorkspaceId {
        &self.inner.workspace
    }

    pub fn roster(&self) -> Arc<Roster> {
        self.inner.roster()
    }

    /// Replaces the configuration; escalations that run keep the policy they began with.
    pub fn set_roster(&self, roster: Roster) {
        *self.inner.roster.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(roster);
    }

    pub fn directory(&self) -> Arc<Directory> {
        self.inner.directory()
    }

    /// Changes what is known of people and groups.
    pub fn update_directory(&self, change: impl FnOnce(&mut Directory)) {
        let mut held = self.inner.directory.write().unwrap_or_else(PoisonError::into_inner);
        let mut directory = Directory::clone(&held);
        change(&mut directory);
        *held = Arc::new(directory);
    }

    /// Whether so many pages failed because of Slack itself that new ones take another way at once.
    pub fn slack_is_away(&self) -> bool {
        self.inner.breaker.is_open()
    }

    /// Waits until timers have changed.
    pub async fn timers_changed(&self) {
        self.inner.timers.notified().await;
    }

    /// Tells of every time when there may be effects to perform; each receiver hears all of them.
    pub fn outbox_changes(&self) -> watch::Receiver<()> {
        self.inner.outbox.subscribe()
    }

    /// Tells scheduler and worker to look again: another replica may have left them something.
    pub fn wake(&self) {
        self.inner.timers.notify_one();
        self.inner.outbox.send_replace(());
    }
}

/// Reading, beside the writer.
impl App {
    pub async fn incident(&self, id: IncidentId) -> Result<Option<Incident>, store::Error> {
        let mut tx = self.inner.db.read().await?;
        Ok(store::incidents::find(&mut tx, id).await?.map(|stored| stored.incident))
    }

    /// These incidents, in order of their ids; unknown ones are left out.
    pub async fn incidents(&self, ids: &[IncidentId]) -> Result<Vec<Incident>, store::Error> {
        let mut tx = self.inner.db.read().await?;
        Ok(store::incidents::load_many(&mut tx, ids).await?.into_iter().map(|stored| stored.incident).collect())
    }

    pub async fn incident_by_number(&self, number: i64) -> Result<Option<Incident>, store::Error> {
        let mut tx = self.inner.db.read().await?;
        let Some(id) = store::incidents::find_by_number(&mut tx, &self.inner.workspace, number).await? else {
            return Ok(None);
        };
        Ok(store::incidents::find(&mut tx, id).await?.map(|stored| stored.incident))
    }

    /// The incident whose channel this is.
    pub async fn incident_in(&self, channel: &ChannelId) -> Result<Option<IncidentId>, store::Error> {
        let known = self.inner.channels.read().unwrap_or_else(PoisonError::into_inner).get(channel).copied();
        if known.is_some() {
            return Ok(known);
        }
        Box::pin(self.look_up(channel)).await
    }

    async fn look_up(&self, channel: &ChannelId) -> Result<Option<IncidentId>, store::Error> {
        let mut tx = self.inner.db.read().await?;
        let found = store::incidents::find_by_channel(&mut tx, &self.inner.workspace, channel).await?;
        if let Some(id) = found {
            let mut channels = self.inner.channels.write().unwrap_or_else(PoisonError::into_inner);
            if channels.len() >= CHANNELS_KNOWN_MAX {
                channels.clear();
            }
            channels.insert(channel.clone(), id);
        }
        Ok(found)
    }

    /// The whole history, oldest first.
    pub async fn history(&self, id: IncidentId) -> Result<Vec<Recorded>, store::Error> {
        let mut tx = self.inner.db.read().await?;
        store::history::load(&mut tx, id).await
    }

    /// One event of the history.
    pub async fn event(&self, id: IncidentId, seq: Seq) -> Result<Option<Recorded>, store::Error> {
        Ok(self.history(id).await?.into_iter().find(|recorded| recorded.seq == seq))
    }
}
