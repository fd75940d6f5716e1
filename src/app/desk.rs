//! One transaction's work: incidents are read once, decided in memory, and written together.

mod alerting;
mod done;
mod saying;
mod taking_out;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

pub(super) use self::done::Done;

use self::alerting::{AlertChange, AlertKey, alert_key};
use self::done::{Reply, announce, places};
use self::saying::{Noted, surface_of};
use super::{Answered, Inner, Job, Performed, Request, Settled, Target, Work};
use crate::crash;
use crate::domain::answer::{Answer, Said};
use crate::domain::command::{Command, Finished, Timer};
use crate::domain::effect::{Effect, Lane};
use crate::domain::event::{Actor, Event, Occurrence, Origin, Recorded, Source};
use crate::domain::incident::{Incident, Severity};
use crate::domain::rejection::{Rejection, RejectionKind};
use crate::domain::roster::{Directory, Roster};
use crate::domain::storm::{Alerts, Fired};
use crate::domain::{Context, Decided, decide, decide_opening, react, still_wanted};
use crate::ids::{IncidentId, WorkspaceId};
use crate::metrics::Tally;
use crate::planted::{self, Bug};
use crate::store::{
    self, Tx, alerts, batch, captures, chain, counters, history, inbox, incidents, outbox, said, timers,
};

/// How long a claimed effect belongs to who claimed it; longer than any call's time-out.
pub(super) const LEASE: TimeDelta = TimeDelta::seconds(8);

/// Events and deliveries that go to SQLite together with everything else, at most.
const FEW: usize = 2;

/// What a batch has added to or changed in the tables.
struct Written {
    anything: bool,
    timers: bool,
    outbox: bool,
}

/// An incident that this transaction has in hand.
struct Sheet {
    incident: Arc<Incident>,
    /// As it was read; `None` if this transaction opens it.
    read: Option<Arc<Incident>>,
    /// The hash of its last event.
    head: String,
    /// Its timers are written again even if they look the same: one of them has just fired.
    timers_stale: bool,
}

impl Sheet {
    fn has_changed(&self) -> bool {
        self.read.as_ref().is_none_or(|read| !Arc::ptr_eq(read, &self.incident))
    }

    fn row(&self, now: DateTime<Utc>) -> incidents::Row<'_> {
        let places = |incident: &Incident| (incident.is_open(), incident.channel_id().cloned());
        incidents::Row {
            incident: &self.incident,
            head: &self.head,
            updated_at: now,
            keeps_its_places: self.read.as_ref().is_some_and(|read| places(read) == places(&self.incident)),
        }
    }

    /// Its timers, if they are not stored like this.
    fn timers_to_write(&self) -> Option<Vec<(Timer, DateTime<Utc>)>> {
        if !self.timers_stale && !self.has_changed() {
            return None;
        }
        let timers = self.incident.timers();
        let stored = self.read.as_ref().map_or_else(Vec::new, |read| read.timers());
        (self.timers_stale || timers != stored).then_some(timers)
    }
}

pub(super) struct Desk<'a> {
    inner: &'a Inner,
    roster: Arc<Roster>,
    directory: Arc<Directory>,
    now: DateTime<Utc>,
    tx: Tx,
    sheets: BTreeMap<IncidentId, Sheet>,
    /// Incidents of this batch whose rows cannot be read.
    damaged: HashMap<IncidentId, store::Error>,
    answered: HashMap<String, Answer>,
    events: Vec<history::NewEvent>,
    effects: Vec<outbox::New>,
    seen: Vec<inbox::Delivery>,
    alerts: Vec<AlertChange>,
    captures: Vec<captures::Capture>,
    said: Noted,
    /// The open incidents of the alerts in this batch.
    alerting: HashMap<AlertKey, IncidentId>,
    /// The open incidents in which alerts of this batch fired before.
    cleared: HashMap<AlertKey, IncidentId>,
    /// How often the alerts of an incident fired, where a decision may need it.
    fired: HashMap<IncidentId, BTreeMap<AlertKey, Fired>>,
    tally: Tally,
}

impl<'a> Desk<'a> {
    /// Does the whole batch in one transaction and commits it.
    pub(super) async fn work(inner: &'a Inner, batch: &mut [Job]) -> Result<Done, store::Error> {
        let mut desk = Desk {
            inner,
            roster: inner.roster(),
            directory: inner.directory(),
            tx: inner.db.write().await?,
            now: inner.clock.now(),
            sheets: BTreeMap::new(),
            damaged: HashMap::new(),
            answered: HashMap::new(),
            events: Vec::new(),
            effects: Vec::new(),
            seen: Vec::new(),
            alerts: Vec::new(),
            captures: Vec::new(),
            said: Noted::new(),
            alerting: HashMap::new(),
            cleared: HashMap::new(),
            fired: HashMap::new(),
            tally: Tally::default(),
        };
        desk.gather(batch).await?;
        let mut replies = Vec::with_capacity(batch.len());
        for job in &*batch {
            replies.push(match job {
                Job::Handle { request, .. } => {
                    Reply::Answer(Answered { answer: desk.handle(request).await?, after: None })
                }
                Job::Settle { work, settled, .. } => Reply::Settled(desk.settle(work, settled).await?),
                Job::Test { effect, .. } => desk.test(effect),
                // Claims come last, so that they see what this batch has queued.
                Job::Claim { .. } => Reply::Works(Vec::new()),
            });
        }
        let Written { anything: wrote, timers, outbox } = desk.write().await?;
        for (job, reply) in batch.iter().zip(&mut replies) {
            if let (Job::Claim { lanes, limit, .. }, Reply::Works(works)) = (job, reply) {
                *works = desk.claim(lanes, *limit).await?;
            }
        }
        let Desk { tx, sheets, tally, .. } = desk;
        for reply in &mut replies {
            if let Reply::Answer(answered) = reply {
                let sheet = answered.incident.and_then(|id| sheets.get(&id));
                answered.after = sheet.map(|sheet| Arc::clone(&sheet.incident));
            }
        }
        for (before, _) in places(batch, &replies) {
            crash::at(before);
        }
        // While the disk is at work, the answers are put into words.
        let (committed, ()) = tokio::join!(tx.commit(), async { announce(batch, &replies) });
        committed?;
        for (_, after) in places(batch, &replies) {
            crash::at(after);
        }
        Ok(Done { replies, wrote, timers, outbox, tally })
    }

    /// Reads what the batch needs: answers already given, and all incidents it will touch, locked in order of id. No
    /// incident is locked later, and of the outbox only rows of these: so two replicas never wait for each other.
    async fn gather(&mut self, batch: &[Job]) -> Result<(), store::Error> {
        let mut keys = Vec::new();
        let mut ids = Vec::new();
        let mut alerts = Vec::new();
        for job in batch {
            match job {
                Job::Handle { request, .. } => {
                    keys.extend(request.key.clone());
                    alerts.extend(alert_key(&request.command));
                    alerts.extend(self.storm_place(&request.command));
                    if let Target::Incident(id) = request.target {
                        ids.push(id);
                    }
                }
                Job::Settle { work, .. } => ids.push(work.incident),
                Job::Test { .. } => {}
                Job::Claim { lanes, limit, .. } => {
                    ids.extend(outbox::ready(&mut self.tx, self.now, lanes, limit_of(*limit)).await?);
                }
            }
        }
        if !alerts.is_empty() {
            let found = alerts::find(&mut self.tx, &self.inner.workspace, &alerts).await?;
            ids.extend(found.firing.values().chain(found.cleared.values()).copied());
            (self.alerting, self.cleared) = (found.firing, found.cleared);
        }
        ids.sort_unstable();
        ids.dedup();
        let keys: Vec<_> = keys.into_iter().map(|key| (self.inner.workspace.clone(), key)).collect();
        let (answered, locked) = batch::read(&mut self.tx, &keys, &ids).await?;
        self.answered = answered.into_iter().map(|((_, key), answer)| (key, answer)).collect();
        for (id, stored) in locked {
            let stored = match stored {
                Ok(stored) => stored,
                Err(error) => {
                    self.damaged.insert(id, error);
                    continue;
                }
            };
            let incident = Arc::new(stored.incident);
            self.sheets.insert(
                id,
                Sheet { read: Some(Arc::clone(&incident)), incident, head: stored.head, timers_stale: false },
            );
        }
        self.refuse_moved(batch).await?;
        self.count_fired(batch).await
    }

    /// One command. A refusal is an answer like any other; it is remembered under the delivery's key too.
    async fn handle(&mut self, request: &Request) -> Result<Answer, store::Error> {
        let key = request.key.as_ref().filter(|_| !planted::active(Bug::NoInbox));
        if let Some(answer) = key.and_then(|key| self.answered.get(key)) {
            let answer = answer.clone();
            self.tally.repeated(request.key.as_deref().unwrap_or_default());
            return Ok(answer);
        }
        if let Target::Incident(id) = &request.target
            && let Some(error) = self.damaged.remove(id)
        {
            return Err(error);
        }
        if let Some(left) = self.left_to_newer(request) {
            return Err(left);
        }
        let answer = match self.target(request) {
            Some(id) if matches!(request.command, Command::TakeAlertOut(_)) => self.take_alert_out(id, request).await?,
            Some(id) => self.change(id, request),
            None if request.command.opens() => self.open(request).await?,
            None => refused(
                None,
                Rejection::new(RejectionKind::NotFound, "That incident does not exist.")
                    .hint("/incident list shows the open ones."),
            ),
        };
        if let Some(key) = key {
            self.answered.insert(key.clone(), answer.clone());
            self.seen.push(inbox::Delivery {
                workspace: self.inner.workspace.clone(),
                key: key.clone(),
                received_at: self.now,
                answer: answer.clone(),
            });
        }
        Ok(answer)
    }

    /// Why the incident of an alert is another program's to decide about, so that it is not opened twice.
    fn left_to_newer(&mut self, request: &Request) -> Option<store::Error> {
        let id = self.alerting.get(&alert_key(&request.command)?)?;
        self.damaged.get(id).is_some_and(store::Error::is_left_to_newer).then(|| self.damaged.remove(id))?
    }

    /// The incident that a request is about, in hand; `None` if there is none (yet). An alert has none either if that
    /// incident was closed in the meantime.
    fn target(&self, request: &Request) -> Option<IncidentId> {
        let in_hand = |id: &IncidentId| self.sheets.contains_key(id);
        let is_open = |id: &IncidentId| self.sheets.get(id).is_some_and(|sheet| sheet.incident.is_open());
        let known = |key: AlertKey| self.alerting.get(&key).copied().filter(is_open);
        let storm = || self.storm_place(&request.command).and_then(known);
        let before = || self.fired_before(&request.command).filter(is_open);
        let by_key = || alert_key(&request.command).and_then(known).or_else(before).or_else(storm);
        match &request.target {
            Target::New => None,
            Target::Incident(id) if matches!(request.command, Command::AlertFired(_)) && !is_open(id) => by_key(),
            Target::Incident(id) => Some(*id).filter(in_hand),
            Target::Alert => by_key(),
        }
    }

    fn change(&mut self, id: IncidentId, request: &Request) -> Answer {
        let around = self.alerts_around(Some(id), &request.command);
        let sheet = self.sheets.get_mut(&id).expect("target() put it in hand");
        if matches!(request.command, Command::TimerDue(_)) {
            sheet.timers_stale = true;
        }
        let context = Context {
            now: self.now,
            actor: &request.actor,
            inside: request.inside,
            roster: &self.roster,
            directory: &self.directory,
            slack_is_away: self.inner.breaker.is_open(),
            alerts: &around,
        };
        let number = sheet.incident.number;
        match decide(&sheet.incident, &request.command, &context) {
            Ok(decided) => {
                self.count_again(id, &request.command, &decided);
                Answer { incident: Some(id), number: Some(number), said: self.take(id, decided) }
            }
            Err(rejection) => refused(Some((id, number)), rejection),
        }
    }

    async fn open(&mut self, request: &Request) -> Result<Answer, store::Error> {
        let (roster, directory) = (Arc::clone(&self.roster), Arc::clone(&self.directory));
        let context = Context {
            now: self.now,
            actor: &request.actor,
            inside: request.inside,
            roster: &roster,
            directory: &directory,
            slack_is_away: self.inner.breaker.is_open(),
            alerts: Alerts::NONE,
        };
        let workspace = self.inner.workspace.clone();
        // Decided once for the answer, so that a refused command does not use up a number.
        if let Err(rejection) = decide_opening(IncidentId(0), &workspace, 0, &request.command, &context) {
            return Ok(refused(None, rejection));
        }
        let (id, number) = counters::allocate(&mut self.tx, &workspace).await?;
        let around = self.alerts_at_opening(id, &request.command).await?;
        let context = Context { alerts: &around, ..context };
        let decided = match decide_opening(id, &workspace, number, &request.command, &context) {
            Ok(decided) => decided,
            Err(rejection) => return Ok(refused(None, rejection)),
        };
        let sheet = Sheet {
            incident: Arc::new(decided.after.clone()),
            read: None,
            head: chain::GENESIS.to_owned(),
            timers_stale: false,
        };
        self.sheets.insert(id, sheet);
        Ok(Answer { incident: Some(id), number: Some(number), said: self.take(id, decided) })
    }

    /// Folds a decision into the sheet and queues its rows; what is said of it.
    fn take(&mut self, id: IncidentId, decided: Decided) -> Said {
        let Decided { after, events, said } = decided;
        if events.is_empty() {
            return said;
        }
        for recorded in &events {
            self.tally.event(recorded, &after);
            for effect in react(recorded, &after, &self.roster) {
                self.queue(&after, effect);
            }
            self.index(id, recorded);
        }
        let sheet = self.sheets.get_mut(&id).expect("the caller has it in hand");
        sheet.head = history::link_all(&sheet.head, &self.inner.workspace, id, &events, &mut self.events);
        sheet.incident = Arc::new(after);
        said
    }

    fn queue(&mut self, incident: &Incident, effect: Effect) {
        let due_at = match &effect {
            Effect::Page { page } => incident.pages.get(page).map(|page| page.due_at),
            _ => None,
        };
        self.effects.push(outbox::New {
            workspace: self.inner.workspace.clone(),
            incident: Some(incident.id),
            effect,
            not_before: self.now,
            created_at: self.now,
            due_at,
        });
    }

    /// An effect of no incident, which is done when somebody has claimed it and said so.
    fn test(&mut self, effect: &Effect) -> Reply {
        self.effects.push(outbox::New {
            workspace: self.inner.workspace.clone(),
            incident: None,
            effect: effect.clone(),
            not_before: self.now,
            created_at: self.now,
            due_at: Some(self.now),
        });
        Reply::Sent
    }

    /// Keeps the look-up tables beside the history: which message made which entry, which alert fires where.
    fn index(&mut self, id: IncidentId, recorded: &Recorded) {
        match (&recorded.occurrence.event, &recorded.occurrence.source) {
            (Event::Noted { .. } | Event::Detected { .. }, Some(Source::Message { message, .. })) => {
                self.captures.push(captures::Capture {
                    workspace: self.inner.workspace.clone(),
                    message: message.clone(),
                    incident: id,
                    seq: recorded.seq,
                });
            }
            (event, _) => self.index_alert(id, event),
        }
    }

    /// Records how an effect ended. A row that somebody else has taken over meanwhile is left alone.
    async fn settle(&mut self, work: &Performed, settled: &Settled) -> Result<bool, store::Error> {
        let (row, attempt, id) = (work.id, work.attempt, work.incident);
        // The lease runs out, and who may decide about it looks what became of this attempt.
        if self.damaged.get(&id).is_some_and(store::Error::is_left_to_newer)
            && let Some(left) = self.damaged.remove(&id)
        {
            return Err(left);
        }
        let ours = match settled {
            Settled::Done(_) | Settled::Said { .. } => {
                let ours = outbox::finish(&mut self.tx, &[(row, attempt)]).await?;
                ours.first().copied().unwrap_or(false)
            }
            Settled::GivenUp { error, .. } => outbox::give_up(&mut self.tx, row, attempt, error).await?,
            Settled::Again { at, error, uncertain, .. } => {
                let again =
                    outbox::Again { id: row, attempt, not_before: *at, error: error.clone(), uncertain: *uncertain };
                outbox::retry(&mut self.tx, &again).await?
            }
        };
        let finished = settled.finished();
        self.note_said(work, settled, ours);
        self.tally.fenced += u64::from(!ours);
        if let (true, Some(finished)) = (ours, finished) {
            self.inner.breaker.note(finished);
        }
        if let (true, Some(finished)) = (ours, finished)
            && !matches!(finished, Finished::Quietly)
            && self.sheets.contains_key(&id)
        {
            let request = Request {
                key: None,
                actor: Actor::Firebell,
                target: Target::Incident(id),
                command: Command::EffectFinished(finished.clone()),
                inside: true,
            };
            self.change(id, &request);
        }
        Ok(ours)
    }

    /// Writes everything; says what has changed.
    async fn write(&mut self) -> Result<Written, store::Error> {
        let changed: Vec<incidents::Row<'_>> =
            self.sheets.values().filter(|sheet| sheet.has_changed()).map(|sheet| sheet.row(self.now)).collect();
        let timers: Vec<timers::TimerSet> = self
            .sheets
            .values()
            .filter_map(|sheet| Some((sheet.incident.id, sheet.timers_to_write()?)))
            .map(|(incident, timers)| timers::TimerSet { workspace: self.inner.workspace.clone(), incident, timers })
            .collect();
        // In one order, or two replicas with the same deliveries wait for each other.
        self.seen.sort_by(|a, b| a.key.cmp(&b.key));
        let tx = &mut self.tx;
        let said: Vec<said::Said> = std::mem::take(&mut self.said).into_values().collect();
        if self.events.len() <= FEW && self.seen.len() <= FEW && said.len() <= FEW {
            tx.hold_inserts();
        }
        incidents::save(tx, &changed).await?;
        history::append(tx, &self.events).await?;
        captures::record(tx, &self.captures).await?;
        inbox::remember(tx, &self.seen).await?;
        said::record(tx, &said).await?;
        tx.send_held().await?;
        timers::replace(tx, &timers).await?;
        outbox::enqueue(tx, &self.effects).await?;
        self.write_alerts().await?;
        let (timers, outbox) = (!timers.is_empty(), !self.effects.is_empty());
        Ok(Written { anything: outbox || !self.events.is_empty() || !self.seen.is_empty(), timers, outbox })
    }

    /// Leases due effects to the caller; drops those that the incident no longer wants.
    async fn claim(&mut self, lanes: &[Lane], limit: usize) -> Result<Vec<Work>, store::Error> {
        let in_hand: Vec<IncidentId> = self.sheets.keys().copied().collect();
        let lease = if planted::active(Bug::EndlessLease) { TimeDelta::days(1) } else { LEASE };
        let lease_until = self.now + self.inner.clock.stretched(lease);
        let claimed =
            outbox::claim_among(&mut self.tx, self.now, lanes, limit_of(limit), lease_until, &in_hand).await?;
        let mut said = self.said_before(&claimed).await?;
        let (mut works, mut unwanted) = (Vec::new(), Vec::new());
        for row in claimed {
            self.tally.takeovers += u64::from(row.lapsed);
            if let (None, Effect::Canary { .. } | Effect::TestPage { .. }) = (row.incident, &row.effect) {
                let incident = Arc::new(nobodys(&self.inner.workspace, self.now));
                works.push(work_of(row, None, incident, lease_until));
                continue;
            }
            let sheet = row.incident.and_then(|id| self.sheets.get(&id));
            let wanted =
                |sheet: &&Sheet| planted::active(Bug::BlindClaim) || still_wanted(&row.effect, &sheet.incident);
            let Some(sheet) = sheet.filter(wanted) else {
                unwanted.push((row.id, row.attempt));
                continue;
            };
            let said = surface_of(&row).and_then(|surface| said.remove(&surface));
            works.push(work_of(row, said, Arc::clone(&sheet.incident), lease_until));
        }
        outbox::finish(&mut self.tx, &unwanted).await?;
        Ok(works)
    }
}

fn work_of(row: outbox::Claimed, said: Option<String>, incident: Arc<Incident>, lease_until: DateTime<Utc>) -> Work {
    Work {
        id: row.id,
        attempt: row.attempt,
        effect: row.effect,
        uncertain: row.uncertain,
        lapsed: row.lapsed,
        created_at: row.created_at,
        lease_until,
        said,
        incident,
    }
}

const NOBODYS: IncidentId = IncidentId(0);

/// The incident of an effect that belongs to none: it is stored nowhere and has no number.
fn nobodys(workspace: &WorkspaceId, now: DateTime<Utc>) -> Incident {
    let event = Event::Opened {
        number: 0,
        title: String::new(),
        severity: Severity::Sev4,
        private: true,
        zone: "UTC".to_owned(),
        origin: Origin::Command { channel: None },
        declares: false,
        nonce: String::new(),
    };
    let occurrence = Occurrence { at: now, approx: false, actor: Actor::Firebell, source: None, event };
    let opened = Recorded { seq: 1, recorded_at: now, occurrence };
    Incident::begin(NOBODYS, workspace.clone(), &opened).expect("it begins with its opening")
}

fn limit_of(limit: usize) -> u32 {
    u32::try_from(limit).unwrap_or(u32::MAX)
}

fn refused(incident: Option<(IncidentId, i64)>, rejection: Rejection) -> Answer {
    let (incident, number) = incident.unzip();
    Answer { incident, number, said: Said::Refused { rejection } }
}
