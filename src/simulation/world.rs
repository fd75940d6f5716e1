//! The world around the programs: time, the machines they run on, Slack, and who wants what. One per thread.

mod calls;
mod hooks;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::task::Waker;

use axum::body::Bytes;
use axum::http::Response;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::dice::Dice;
use super::faults::{CallFault, Faults};
use super::outside::Handed;
use super::scenario::{Ask, Client, PEOPLE, SECOND, Scenario, Which};
use super::shrink::Without;
use super::slack::{self, Workspace};
use crate::domain::answer::Answer;
use crate::ids::{EscalationId, IncidentId, PageId};
use crate::sandbox::{Limits, strict};
use crate::store;

pub(crate) use hooks::{
    Access, Turn, adopt, appointment, call, commit_begins, commit_ended, is_on, random_id, since_boot, sleep, turn,
    wall,
};

/// How long a claim lasts, and a moment more.
const LEASE: i64 = 9 * SECOND;

pub(super) type TaskId = u64;
pub(super) type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

thread_local! {
    static WORLD: RefCell<Option<World>> = const { RefCell::new(None) };
}

/// Lets somebody look at the world, if there is one.
pub(super) fn with<T>(look: impl FnOnce(&mut World) -> T) -> Option<T> {
    WORLD.try_with(|world| world.borrow_mut().as_mut().map(look)).ok().flatten()
}

/// Begins a world on this thread, or ends it.
pub(super) fn put(world: Option<World>) -> Option<World> {
    WORLD.with(|place| std::mem::replace(&mut *place.borrow_mut(), world))
}

/// Who is at work: a task of a machine. The driver itself is nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Who {
    pub(super) task: TaskId,
    pub(super) host: usize,
}

/// A machine on which one replica runs.
#[derive(Debug, Default)]
pub(super) struct Host {
    pub(super) up: bool,
    pub(super) paused: bool,
    /// How far its wall clock is from the true time.
    pub(super) offset_us: i64,
    /// How often its program has called Slack since it was started.
    pub(super) calls: Limits,
    /// Until then nobody counts: after a standstill goes out at once what was to go out bit by bit.
    pub(super) uncounted_until_us: i64,
}

/// What a task waits for, as far as the driver must know.
#[derive(Clone, Debug, Default)]
pub(super) struct Standing {
    /// It stands at a gate and goes on when it is its turn.
    pub(super) parked: bool,
    /// It has the database.
    pub(super) in_database: bool,
    pub(super) at: &'static str,
}

#[derive(Debug)]
pub(super) struct Sleeping {
    pub(super) until_us: i64,
    /// A look that would find nothing new while nothing happens.
    pub(super) idle: bool,
    over: bool,
    waker: Option<Waker>,
}

/// What happens by itself at some moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Happening {
    Ask {
        client: usize,
        again: bool,
    },
    Accept(u64),
    Answer(u64),
    Boot(usize),
    Resume(usize),
    DatabaseBack,
    Edit,
    Step(i64),
    Stop,
    /// Nothing runs for a while.
    Away,
    Calm,
}

/// A call on its way.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) method: String,
    pub(super) args: Value,
    host: usize,
    fault: Option<CallFault>,
    /// Slack had too many calls: seconds to wait.
    too_many: Option<u64>,
    reply: Value,
    answer: Option<Result<Response<Bytes>, String>>,
    waker: Option<Waker>,
}

/// A rule that does not hold.
#[derive(Clone, Debug)]
pub(super) struct Violation {
    pub(super) rule: &'static str,
    pub(super) what: String,
}

pub(super) struct World {
    start: DateTime<Utc>,
    /// Since the start.
    pub(super) now_us: i64,
    /// When something happened last that could give anybody work.
    pub(super) stirred_us: i64,
    pub(super) current: Option<Who>,
    pub(super) hosts: Vec<Host>,
    pub(super) tasks: BTreeMap<TaskId, Standing>,
    pub(super) begun: Vec<(usize, Work)>,
    pub(super) sleeping: BTreeMap<u64, Sleeping>,
    /// When somebody means to go on, by the clock of their machine.
    pub(super) appointments: BTreeMap<u64, (usize, DateTime<Utc>)>,
    pub(super) agenda: BTreeMap<(i64, u64), Happening>,
    pub(super) calls: BTreeMap<u64, Call>,
    pub(super) slack: Workspace,
    /// What was taken by other ways.
    pub(super) outside: Vec<Handed>,
    pub(super) faults: Faults,
    pub(super) clients: Vec<Client>,
    /// Of these, who never asks.
    pub(super) without: BTreeSet<usize>,
    pub(super) slots: BTreeMap<usize, IncidentId>,
    pub(super) scenario: Scenario,
    pub(super) dice: Dice,
    ids: Dice,
    last: u64,
    /// A machine that crashed within the step that just ended.
    pub(super) crashed: Option<usize>,
    /// The machine whose transaction was just committed.
    pub(super) committed: Option<usize>,
    pub(super) database_down: bool,
    /// Moments after which lost work must be found again.
    pub(super) troubles: Vec<i64>,
    /// Spans in which nobody could have done anything.
    pub(super) unattended: Vec<(i64, i64)>,
    /// More messages of these marks than one are explained.
    pub(super) excused: BTreeMap<String, u32>,
    /// Look-ups in these conversations that failed.
    pub(super) blind: BTreeMap<String, u32>,
    /// Since when nobody needs a page any more.
    pub(super) over: BTreeMap<(i64, u32), i64>,
    /// When pages that call somebody are due.
    pub(super) due: BTreeMap<(i64, u32), i64>,
    /// The step that each page belongs to, as its buttons say.
    pub(super) generations: BTreeMap<(i64, u32), u32>,
    /// Of the pages that ask whether calls on hold go on: which calls, and where they stand.
    pub(super) questions: BTreeMap<(i64, u32), Vec<(EscalationId, u32)>>,
    /// Until when a page belongs to who is sending it.
    pub(super) leases: BTreeMap<String, i64>,
    pub(super) violation: Option<Violation>,
    /// How often what happened that a run should come to now and then.
    pub(super) seen: Seen,
    pub(super) trace: Trace,
}

/// What only some runs come to: if none does, what is checked of it is checked in vain.
pub(super) type Seen = BTreeMap<&'static str, u64>;

/// What happened, as a sum, and as text if somebody wants to read it.
#[derive(Debug, Default)]
pub(super) struct Trace {
    pub(super) sum: u64,
    pub(super) steps: u64,
    pub(super) lines: Option<Vec<String>>,
}

impl Trace {
    fn add(&mut self, line: String) {
        self.steps += 1;
        self.sum = line
            .bytes()
            .fold(self.sum ^ 0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        if let Some(lines) = &mut self.lines {
            lines.push(line);
        }
    }
}

impl World {
    pub(super) fn new(seed: u64, scenario: Scenario, without: Without, told: bool) -> Self {
        let mut world = Self {
            start: DateTime::from_timestamp(1_790_000_000, 0).expect("is a time"),
            now_us: 0,
            stirred_us: 0,
            current: None,
            hosts: (0..scenario.hosts).map(|_| Host::default()).collect(),
            tasks: BTreeMap::new(),
            begun: Vec::new(),
            sleeping: BTreeMap::new(),
            appointments: BTreeMap::new(),
            agenda: BTreeMap::new(),
            calls: BTreeMap::new(),
            slack: Workspace::default(),
            outside: Vec::new(),
            faults: Faults::new(seed, without.faults, !scenario.steps.is_empty()),
            clients: Vec::new(),
            without: without.asks,
            slots: BTreeMap::new(),
            dice: Dice::new(seed, "driver"),
            ids: Dice::new(seed, "ids"),
            last: 0,
            crashed: None,
            committed: None,
            database_down: false,
            troubles: Vec::new(),
            unattended: Vec::new(),
            excused: BTreeMap::new(),
            blind: BTreeMap::new(),
            over: BTreeMap::new(),
            due: BTreeMap::new(),
            generations: BTreeMap::new(),
            questions: BTreeMap::new(),
            leases: BTreeMap::new(),
            violation: None,
            seen: Seen::new(),
            trace: Trace { lines: told.then(Vec::new), ..Trace::default() },
            scenario,
        };
        world.slack.has("COPS");
        world.slack.has("CALL");
        world.slack.gone = world.scenario.gone.iter().cloned().collect();
        for host in 0..world.hosts.len() {
            world.plan(0, Happening::Boot(host));
        }
        for (at, client) in world.scenario.clients.clone() {
            world.clients.push(client);
            let client = world.clients.len() - 1;
            world.plan(at + SECOND, Happening::Ask { client, again: false });
        }
        for (at, by) in world.scenario.steps.clone() {
            world.plan(at, Happening::Step(by));
        }
        for at in world.scenario.stops.clone() {
            world.plan(at, Happening::Stop);
        }
        if let Some((at, _)) = &world.scenario.edit {
            let at = *at;
            world.plan(at, Happening::Edit);
        }
        if let Some(absence) = world.scenario.absence {
            world.plan(absence.at, Happening::Away);
        }
        let calm_at = world.scenario.calm_at;
        world.plan(calm_at, Happening::Calm);
        world
    }

    pub(super) fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    pub(super) fn plan(&mut self, at_us: i64, what: Happening) {
        let number = self.number();
        self.agenda.insert((at_us, number), what);
    }

    pub(super) fn plan_in(&mut self, span_us: i64, what: Happening) {
        self.plan(self.now_us + span_us, what);
    }

    pub(super) fn tell(&mut self, what: impl std::fmt::Display) {
        let host = self.current.map_or_else(|| "-".to_owned(), |who| who.host.to_string());
        let (seconds, micros) = (self.now_us / SECOND, self.now_us % SECOND);
        self.trace.add(format!("{seconds:5}.{micros:06} {host} {what}"));
    }

    /// Something happened that could give somebody work.
    pub(super) fn stir(&mut self) {
        self.stirred_us = self.now_us;
    }

    /// A fault after which lost work must be found again.
    pub(super) fn trouble(&mut self) {
        self.troubles.push(self.now_us);
        self.stir();
    }

    pub(super) fn broken(&mut self, rule: &'static str, what: impl Into<String>) {
        if self.violation.is_none() {
            let what = what.into();
            self.tell(format!("VIOLATION {rule}: {what}"));
            self.violation = Some(Violation { rule, what });
        }
    }

    pub(super) fn saw(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    /// The time on a machine; on none, the true time.
    pub(super) fn wall(&self, host: Option<usize>) -> DateTime<Utc> {
        let offset = host.map_or(0, |host| self.hosts[host].offset_us);
        self.start + TimeDelta::microseconds(self.now_us + offset)
    }

    /// Moments of true time from those that the database keeps.
    pub(super) fn since_start(&self, at_us: i64) -> i64 {
        at_us - self.start.timestamp_micros()
    }

    /// Moves the time, and wakes who slept until now.
    pub(super) fn move_to(&mut self, at_us: i64) {
        let unattended = self.database_down || self.hosts.iter().all(|host| !host.up || host.paused);
        if unattended {
            self.unattended.push((self.now_us, at_us));
            self.troubles.push(at_us);
        }
        self.now_us = at_us;
        for sleeping in self.sleeping.values_mut().filter(|sleeping| sleeping.until_us <= at_us && !sleeping.over) {
            sleeping.over = true;
            if let Some(waker) = sleeping.waker.take() {
                waker.wake();
            }
        }
    }

    /// Lets nothing new happen, if enough has: who wanted something later does without, and who ends things does so now.
    pub(super) fn end_soon(&mut self) {
        if self.trace.steps < self.scenario.steps_max || self.now_us >= self.scenario.calm_at {
            return;
        }
        self.tell("enough has happened");
        self.scenario.calm_at = self.now_us;
        self.scenario.slack_away = None;
        self.scenario.outside_away = None;
        let ends = |ask: &Ask| matches!(ask, Ask::Resolve);
        let clients = &self.clients;
        self.agenda.retain(|_, what| match what {
            Happening::Ask { client, again } => *again || !ends(&clients[*client].ask) && clients[*client].tries > 0,
            Happening::Edit | Happening::Step(_) | Happening::Stop | Happening::Away | Happening::Calm => false,
            _ => true,
        });
        let closing: Vec<usize> = (0..self.clients.len()).filter(|at| ends(&self.clients[*at].ask)).collect();
        for client in closing {
            self.plan_in(SECOND, Happening::Ask { client, again: false });
        }
        self.plan_in(0, Happening::Calm);
    }

    /// Nothing is wanted while nothing runs: all that was to come comes later. Slack goes on by itself.
    pub(super) fn put_off(&mut self, span_us: i64) {
        self.scenario.calm_at += span_us;
        let agenda = std::mem::take(&mut self.agenda);
        self.agenda = agenda
            .into_iter()
            .map(|((at, number), what)| {
                let slacks = matches!(what, Happening::Accept(_) | Happening::Answer(_));
                ((if slacks { at } else { at + span_us }, number), what)
            })
            .collect();
    }

    /// Nobody needs this page any more; or somebody does again.
    pub(super) fn set_over(&mut self, page: (i64, u32), over: bool) {
        if over {
            let now = self.now_us;
            self.over.entry(page).or_insert(now);
        } else {
            self.over.remove(&page);
        }
    }
}

/// The incident and page that a mark stands for.
pub(super) fn page_of(mark: &str) -> Option<(i64, u32)> {
    let mut parts = mark.splitn(3, '/').skip(1);
    let incident = parts.next()?.parse().ok()?;
    let page = parts.next()?.strip_prefix("page:")?.parse().ok()?;
    Some((incident, page))
}
