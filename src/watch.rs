//! Firebell's watch over itself: takes the figures that must be asked for, audits what is open, and judges whether it can
//! still keep its promise.
//!
//! The judgement ([`Watch::troubles`]) is the same for `/readyz` and for the heartbeat. Nothing here repairs anything: a
//! watch that mends what it finds hides it.

mod alarm;
mod audit;
mod deadman;
mod heartbeat;
mod test_page;

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::app::{self, App};
use crate::clock::{lock, real_sleep};
use crate::crash::{self, Point};
use crate::domain::effect::{Effect, Lane};
use crate::domain::incident::Incident;
use crate::domain::still_wanted;
use crate::ids::IncidentId;
use crate::metrics::{State, unix_seconds};
use crate::store::audit::{self as overdue, Passage};
use crate::store::{self, incidents, outbox, timers};

pub use alarm::Alarm;
pub use audit::Findings;
pub use deadman::DeadMan;
pub use heartbeat::{Beat, Heartbeat};
pub use test_page::TestPages;

/// A page that nobody has tried to send for so long is a broken promise: a replica's lease and its successor's tick.
pub const UNATTEMPTED_MAX: TimeDelta = TimeDelta::seconds(10);
/// A page that is wanted and was not accepted for so long: Slack is away, or refuses us.
pub const UNACCEPTED_MAX: TimeDelta = TimeDelta::seconds(60);
/// The scheduler looks every second.
pub const TICK_MAX: TimeDelta = TimeDelta::seconds(5);
/// How long the database may take to begin a transaction, and to tell the figures.
const DATABASE_PATIENCE: Duration = Duration::from_secs(2);
/// How often the auditor makes its round.
const AUDIT_EVERY: Duration = Duration::from_mins(1);
/// How long the doers of what the auditor sees undone have to do it; longer than a lease.
const CONFIRM_AFTER: Duration = Duration::from_secs(10);
/// Incidents that are read at once: what bounds the memory of a round.
const READ_AT_ONCE: u32 = 100;
/// Rounds of the auditor between two checks of the hash chains.
const ROUNDS_PER_CHAINS: u32 = 10;
/// The longest overdue pages that are looked at to find one that is still wanted.
const PAGES_LOOKED_AT: u32 = 32;

/// Why the promise may not be kept. Says nothing of any incident's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The database does not take a transaction.
    Database,
    /// The disk of the database is full.
    Disk,
    /// The database can only be read.
    ReadOnly,
    /// The timers have not been looked through for so long.
    Scheduler {
        idle_s: i64,
    },
    Unattempted {
        overdue_s: i64,
    },
    Unaccepted {
        overdue_s: i64,
    },
    /// The auditor found obligations that nothing will meet.
    Audit(Findings),
    /// Slack refuses the bot's token.
    Token,
    /// A page to nobody did not go through.
    SelfTest,
    /// A test page did not go through Slack.
    TestPage,
    /// Another program receives part of what Slack delivers.
    OtherProgram {
        connections: u32,
    },
}

impl Trouble {
    /// Whether the database takes nothing for as long as it lasts, so that no page can be claimed.
    fn refuses_writes(&self) -> bool {
        match self {
            Self::Disk | Self::ReadOnly => true,
            Self::Database
            | Self::Scheduler { .. }
            | Self::Unattempted { .. }
            | Self::Unaccepted { .. }
            | Self::Audit(_)
            | Self::Token
            | Self::SelfTest
            | Self::TestPage
            | Self::OtherProgram { .. } => false,
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database => write!(f, "The database does not take a transaction. The log says why."),
            Self::Disk => write!(
                f,
                "The disk of the database is full: commands and alerts are refused, and pages that are due cannot go \
                 out. Make room there; Firebell then goes on by itself."
            ),
            Self::ReadOnly => write!(
                f,
                "The database can only be read: commands and alerts are refused, and pages that are due cannot go out. \
                 Make it writable (is it a standby, or its file system mounted read-only?); Firebell then goes on by \
                 itself."
            ),
            Self::Scheduler { idle_s } => {
                write!(f, "The timers have not been looked through for {idle_s} s.")
            }
            Self::Unattempted { overdue_s } => {
                write!(f, "A page is {overdue_s} s overdue and nobody has tried to send it.")
            }
            Self::Unaccepted { overdue_s } => {
                write!(f, "A page is {overdue_s} s overdue and Slack has not accepted it.")
            }
            Self::Audit(findings) => write!(f, "The auditor found {findings}."),
            Self::Token => write!(f, "Slack refuses the bot's token. `firebell doctor` says what to do."),
            Self::TestPage => write!(f, "The last test page did not go through Slack. The log says why."),
            Self::OtherProgram { connections } => write!(
                f,
                "Another program uses the same app-level token: Slack counts {connections} connections that are not ours, \
                 and part of all commands and buttons goes there. Stop the other one, or give it an app of its own."
            ),
            Self::SelfTest => write!(f, "A page to nobody, sent as a test, did not go through in time."),
        }
    }
}

/// The watch over one program; cheap to clone.
#[derive(Clone)]
pub struct Watch {
    inner: Arc<Inner>,
    read_at_once: u32,
}

struct Inner {
    app: App,
    began_at: DateTime<Utc>,
    findings: Mutex<Findings>,
    self_test_failed: Mutex<bool>,
    /// One probe of the database at a time, however many ask.
    probing: tokio::sync::Mutex<()>,
}

impl Watch {
    pub fn new(app: App) -> Self {
        let began_at = app.clock().now();
        let inner = Inner {
            app,
            began_at,
            findings: Mutex::default(),
            self_test_failed: Mutex::new(false),
            probing: tokio::sync::Mutex::new(()),
        };
        Self { inner: Arc::new(inner), read_at_once: READ_AT_ONCE }
    }

    /// With an auditor that reads another number of incidents at once.
    #[must_use]
    pub fn reading_at_once(self, incidents: u32) -> Self {
        Self { read_at_once: incidents, ..self }
    }

    pub fn app(&self) -> &App {
        &self.inner.app
    }

    /// Audits until the task is dropped; now and then checks the hash chains of what is open.
    pub async fn run(self) {
        if let Ok(version) = self.app().db().version().await {
            self.app().metrics().build.set(env!("CARGO_PKG_VERSION"), &version);
        }
        let mut round = 0;
        loop {
            if let Err(error) = self.audit(real_sleep(CONFIRM_AFTER)).await {
                tracing::error!(%error, "the auditor could not make its round");
            }
            if round % ROUNDS_PER_CHAINS == 0
                && let Err(error) = self.verify_chains().await
            {
                tracing::error!(%error, "the histories of open incidents could not be read");
            }
            round = round.wrapping_add(1);
            real_sleep(AUDIT_EVERY).await;
        }
    }

    /// Why the promise may not be kept at this moment; empty if nothing is known against it.
    pub async fn troubles(&self) -> Vec<Trouble> {
        let mut troubles = Vec::new();
        let (app, metrics) = (self.app(), self.app().metrics());
        if !self.database_takes_transactions().await || !self.sample_in_time().await {
            troubles.push(Trouble::Database);
        }
        troubles.extend(self.mendable());
        let idle = self.scheduler_idle();
        if idle > app.clock().stretched(TICK_MAX) {
            troubles.push(Trouble::Scheduler { idle_s: idle.num_seconds() });
        }
        let overdue = |seconds: f64, bound: TimeDelta| {
            #[expect(clippy::cast_possible_truncation, reason = "no page is overdue for 292 years")]
            let overdue_s = seconds as i64;
            (seconds > app.clock().stretched(bound).as_seconds_f64()).then_some(overdue_s)
        };
        if let Some(overdue_s) = overdue(metrics.oldest_unattempted.get(), UNATTEMPTED_MAX) {
            troubles.push(Trouble::Unattempted { overdue_s });
        }
        if let Some(overdue_s) = overdue(metrics.oldest_unaccepted.get(), UNACCEPTED_MAX) {
            troubles.push(Trouble::Unaccepted { overdue_s });
        }
        let findings = *lock(&self.inner.findings);
        if !findings.is_empty() {
            troubles.push(Trouble::Audit(findings));
        }
        if metrics.slack_token_refused.get() > 0.0 {
            troubles.push(Trouble::Token);
        }
        if *lock(&self.inner.self_test_failed) {
            troubles.push(Trouble::SelfTest);
        }
        if metrics.test_page_failed.get() > 0.0 {
            troubles.push(Trouble::TestPage);
        }
        troubles
    }

    /// The troubles that only people can mend and that are known without asking anybody.
    fn mendable(&self) -> Vec<Trouble> {
        let metrics = self.app().metrics();
        let mut troubles = Vec::new();
        if metrics.db_full.get() > 0.0 {
            troubles.push(Trouble::Disk);
        }
        if metrics.db_read_only.get() > 0.0 {
            troubles.push(Trouble::ReadOnly);
        }
        let others = metrics.slack_foreign_connections.get();
        if others > 0.0 {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "Slack allows ten connections")]
            let connections = others as u32;
            troubles.push(Trouble::OtherProgram { connections });
        }
        troubles
    }

    /// How long ago the timers were last looked through.
    fn scheduler_idle(&self) -> TimeDelta {
        let now = self.app().clock().now();
        let last = self.app().metrics().scheduler_last_ok.get();
        #[expect(clippy::cast_possible_truncation, reason = "microseconds since 1970 fit for 292,000 years")]
        let last = DateTime::from_timestamp_micros((last * 1e6).round() as i64);
        now - last.map_or(self.inner.began_at, |last| last.max(self.inner.began_at).min(now))
    }

    /// Begins a transaction that could write, as every command does, and takes it back.
    async fn database_takes_transactions(&self) -> bool {
        let _one = self.inner.probing.lock().await;
        let probe = async {
            let tx = self.app().db().write().await?;
            tx.rollback().await
        };
        match tokio::time::timeout(DATABASE_PATIENCE, probe).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::error!(%error, "not ready: the database takes no transaction");
                false
            }
            Err(_) => {
                tracing::error!("not ready: the database takes no transaction in time");
                false
            }
        }
    }

    /// Sends a test on its way and waits until it has come through, but no longer than `patience`, looking every so often.
    /// What does not come through is taken out, so that a standstill does not pile them up.
    async fn send_test(&self, test: &Effect, patience: Duration, look_every: Duration) -> Result<Passage, app::Error> {
        let app = self.app();
        let watched = async {
            app.send_test(test.clone()).await?;
            crash::at(Point::SelfTestKept);
            loop {
                let mut tx = app.db().read().await?;
                match overdue::passage(&mut tx, test).await? {
                    Passage::Waiting => drop(tx),
                    ended => return Ok::<_, app::Error>(ended),
                }
                real_sleep(look_every).await;
            }
        };
        let passage = tokio::time::timeout(patience, watched).await.unwrap_or(Ok(Passage::Waiting));
        if !matches!(passage, Ok(Passage::Through)) {
            let forget = async {
                let mut tx = app.db().write().await?;
                overdue::drop_test(&mut tx, test).await?;
                tx.commit().await
            };
            match tokio::time::timeout(patience, forget).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "a test that did not come through stays in the outbox"),
                Err(_) => tracing::warn!("a test that did not come through stays in the outbox"),
            }
        }
        passage
    }

    /// Takes the figures that must be asked for; whether that went well and in time.
    pub async fn sample_in_time(&self) -> bool {
        let sampled = match tokio::time::timeout(DATABASE_PATIENCE, self.sample()).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::warn!(%error, "the figures of this moment could not be taken");
                false
            }
            Err(_) => false,
        };
        self.app().metrics().db_up.set_count(u64::from(sampled));
        sampled
    }

    /// Takes the figures that must be asked for.
    pub async fn sample(&self) -> Result<(), store::Error> {
        let (app, metrics) = (self.app(), self.app().metrics());
        let mut tx = app.db().read().await?;
        let now = app.clock().now();
        let depths = outbox::depth(&mut tx).await?;
        for lane in Lane::ALL {
            let depth = depths.get(&lane).copied().unwrap_or_default();
            metrics.outbox_depth.of((lane, State::Pending)).set_count(depth.pending);
            metrics.outbox_depth.of((lane, State::Sending)).set_count(depth.sending);
            metrics.outbox_depth.of((lane, State::Dead)).set_count(depth.dead);
            let oldest = depth.oldest_at.map_or(TimeDelta::zero(), |at| (now - at).max(TimeDelta::zero()));
            metrics.outbox_oldest.of((lane,)).set_span(oldest);
        }
        metrics.timers.set_count(timers::count(&mut tx).await?);
        let timer = timers::next_due(&mut tx).await?;
        let (unattempted, unaccepted) = oldest_pages(&mut tx).await?;
        let overdue = |at: Option<DateTime<Utc>>| at.map_or(TimeDelta::zero(), |at| (now - at).max(TimeDelta::zero()));
        metrics.oldest_unattempted.set_span(overdue(unattempted).max(overdue(timer)));
        metrics.oldest_unaccepted.set_span(overdue(unaccepted));
        drop(tx);
        if let Some(sizes) = app.db().sizes() {
            metrics.db_size.set_count(sizes.database);
            metrics.wal_size.set_count(sizes.log);
            metrics.disk_free.set_count(sizes.free);
        }
        Ok(())
    }

    /// Checks the hash chains of all open incidents, some at a time.
    pub async fn verify_chains(&self) -> Result<(), store::Error> {
        let app = self.app();
        let mut filter = incidents::Filter {
            open_only: true,
            include_private: true,
            limit: self.read_at_once,
            ..Default::default()
        };
        let mut broken_count = 0;
        loop {
            let mut tx = app.db().read().await?;
            let open = incidents::list(&mut tx, app.workspace(), &filter).await?;
            drop(tx);
            for incident in open.incidents {
                let mut tx = app.db().read().await?;
                if let Err(broken) = store::history::verify(&mut tx, incident.id).await? {
                    broken_count += 1;
                    tracing::error!(
                        incident = incident.number,
                        entry = broken.seq,
                        "a history is not as it was written; keep a copy of the database and run `firebell verify`"
                    );
                }
            }
            filter.before = open.next;
            if filter.before.is_none() {
                break;
            }
        }
        app.metrics().chain_failures.add(broken_count);
        if broken_count == 0 {
            app.metrics().chain_last_ok.set(unix_seconds(app.clock().now()));
        }
        Ok(())
    }
}

/// When the oldest page was due that nobody has claimed, and the oldest that is not accepted, among those still wanted.
async fn oldest_pages(tx: &mut store::Tx) -> Result<(Option<DateTime<Utc>>, Option<DateTime<Utc>>), store::Error> {
    let waiting = overdue::waiting_pages(tx, PAGES_LOOKED_AT).await?;
    let mut ids: Vec<IncidentId> = waiting.iter().map(|page| page.incident).collect();
    ids.sort_unstable();
    ids.dedup();
    let stored = incidents::load_many(tx, &ids).await?;
    let incident = |id: IncidentId| stored.iter().map(|stored| &stored.incident).find(|incident| incident.id == id);
    let wanted = |page: &&overdue::WaitingPage| {
        incident(page.incident).is_some_and(|incident: &Incident| still_wanted(&page.effect, incident))
            && matches!(page.effect, Effect::Page { .. })
    };
    let mut pages = waiting.iter().filter(wanted);
    let unattempted = pages.clone().find(|page| page.attempt == 0).map(|page| page.due_at);
    Ok((unattempted, pages.next().map(|page| page.due_at)))
}
