//! Decides who goes on: one task at a time, from one gate to the next, in an order that the seed alone determines.
//!
//! A task that has the database is waited for, because SQLite works in a thread of its own; every other task goes on only
//! when its turn comes. Time passes only when nobody can do anything.

mod stage;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::ThreadId;

pub(super) use self::stage::Stage;

use super::checker::Checker;
use super::left;
use super::outside;
use super::scenario::{MINUTE, REST, SECOND, Scenario};
use super::shrink::Without;
use super::world::{Happening, Seen, Standing, TaskId, Violation, Who, Work, World, put, with};
use crate::app::App;
use crate::clock::Clock;
use crate::ids::WorkspaceId;
use crate::metrics::Metrics;
use crate::program::timekeeping;
use crate::sandbox::Limits;
use crate::slack::Slack;
use crate::store::{Db, Engine};
use crate::worker::{Documents, Worker};
use crate::{scheduler, task};
use futures_util::task::AtomicWaker;

/// Steps after which a run does not come to rest any more, and those that may be made at one instant.
const STEPS_MAX: u64 = 400_000;
const STEPS_AT_ONCE_MAX: u64 = 20_000;
/// Looks of idle tasks are passed over when nothing has happened for so long: all have looked since.
const QUIET: i64 = SECOND;
const TRIES_MAX: u32 = 12;
/// Documents are written after every eighth run: they take a third of its time.
const DOCUMENTS_EVERY: u64 = 8;

/// How a run is to be.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    pub(super) seed: u64,
    /// Faults and requests that are left out.
    pub(super) without: Without,
    /// Whether to keep what happened as text.
    pub(super) told: bool,
}

/// What came of a run.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) violation: Option<Violation>,
    pub(super) faults: Vec<(u32, &'static str)>,
    pub(super) sum: u64,
    pub(super) steps: u64,
    pub(super) lines: Vec<String>,
    pub(super) pages: usize,
    pub(super) seen: Seen,
    /// Requests, also those that were left out.
    pub(super) asks: usize,
}

/// Wakes a task, as its own thread, or SQLite's.
struct Bell {
    home: ThreadId,
    /// Somebody of this thread has news for the task. What other threads say depends on their speed and must not decide
    /// whose turn it is.
    rung: AtomicBool,
    /// Anybody at all has.
    stirred: AtomicBool,
    driver: AtomicWaker,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        if std::thread::current().id() == self.home {
            self.rung.store(true, Ordering::Release);
        }
        self.stirred.store(true, Ordering::Release);
        self.driver.wake();
    }
}

struct Task {
    host: usize,
    work: Work,
    bell: Arc<Bell>,
}

impl Stage {
    /// Runs a seed from its first moment to its last.
    pub(super) fn run(&mut self, plan: &Plan) -> Outcome {
        let mut records = self.records.take().expect("the last run gave it back");
        self.runtime.block_on(records.empty());
        let world = World::new(plan.seed, Scenario::of(plan.seed), plan.without.clone(), plan.told);
        put(Some(world));
        left::forget();
        let records = self.runtime.block_on(tokio::task::unconstrained(async {
            let mut driver = Driver {
                db: self.db.clone(),
                slack: self.slack.clone(),
                tasks: BTreeMap::new(),
                apps: BTreeMap::new(),
                checker: Checker::new(records),
            };
            driver.run().await;
            driver.look_at_what_is_left(&self.folder.path().join("export"), plan.seed);
            driver.tasks.clear();
            driver.apps.clear();
            driver.checker.into_records()
        }));
        self.records = Some(records);
        let world = put(None).expect("was put there");
        Outcome {
            violation: world.violation,
            faults: world.faults.happened,
            sum: world.trace.sum,
            steps: world.trace.steps,
            lines: world.trace.lines.unwrap_or_default(),
            pages: world.slack.ledger.len(),
            seen: world.seen,
            asks: world.clients.len(),
        }
    }
}

struct Driver {
    db: Db,
    slack: Slack,
    tasks: BTreeMap<TaskId, Task>,
    apps: BTreeMap<usize, (App, Worker)>,
    checker: Checker,
}

enum Next {
    Task(TaskId),
    Happening((i64, u64)),
}

impl Driver {
    async fn run(&mut self) {
        // The steps that had been made when the time last passed.
        let mut before = 0;
        loop {
            self.take_in();
            let (over, steps) = with(|world| (world.violation.is_some(), world.trace.steps)).unwrap_or_default();
            if over {
                return;
            }
            if steps > STEPS_MAX || steps - before > STEPS_AT_ONCE_MAX {
                with(|world| world.broken("V12", "the run does not come to rest"));
                return;
            }
            with(World::end_soon);
            match self.next() {
                Some(Next::Task(id)) => self.step(id).await,
                Some(Next::Happening(key)) => {
                    let what = with(|world| world.agenda.remove(&key)).flatten();
                    if let Some(what) = what {
                        self.happen(what);
                    }
                }
                None => {
                    if !Self::pass_time() {
                        break;
                    }
                    before = steps;
                }
            }
            if let Some(host) = with(|world| world.committed.take()).flatten() {
                self.checker.look(host).await;
            }
        }
        self.checker.end(&self.db).await;
    }

    /// What others read besides Slack.
    fn look_at_what_is_left(&self, folder: &Path, seed: u64) {
        left::look_at_log();
        for (app, _) in self.apps.values() {
            left::look_at_figures(app);
        }
        if let Some((app, _)) = self.apps.values().next().filter(|_| seed.is_multiple_of(DOCUMENTS_EVERY)) {
            self.checker.look_at_documents(folder, app);
        }
    }

    /// Takes in the tasks that others have begun.
    fn take_in(&mut self) {
        let begun = with(|world| {
            let begun = std::mem::take(&mut world.begun);
            begun.into_iter().map(|(host, work)| (world.number(), host, work)).collect::<Vec<_>>()
        });
        for (id, host, work) in begun.unwrap_or_default() {
            let bell = Arc::new(Bell {
                home: std::thread::current().id(),
                rung: AtomicBool::new(true),
                stirred: AtomicBool::new(true),
                driver: AtomicWaker::new(),
            });
            with(|world| world.tasks.insert(id, Standing::default()));
            self.tasks.insert(id, Task { host, work, bell });
        }
    }

    /// Whose turn it is; nobody's if nobody can do anything now.
    fn next(&self) -> Option<Next> {
        with(|world| {
            let mut ready: Vec<Next> = Vec::new();
            if let Some((key, _)) = world.agenda.first_key_value()
                && key.0 <= world.now_us
            {
                ready.push(Next::Happening(*key));
            }
            for (id, task) in &self.tasks {
                let parked = world.tasks.get(id).is_some_and(|standing| standing.parked);
                if !world.hosts[task.host].paused && (parked || task.bell.rung.load(Ordering::Acquire)) {
                    ready.push(Next::Task(*id));
                }
            }
            if ready.is_empty() {
                return None;
            }
            let chosen = world.dice.below(ready.len());
            Some(ready.swap_remove(chosen))
        })
        .flatten()
    }

    /// Lets a task go on until it waits for somebody or something else than the database.
    async fn step(&mut self, id: TaskId) {
        let Some(task) = self.tasks.get_mut(&id) else { return };
        let host = task.host;
        let struck = with(|world| {
            let standing = world.tasks.entry(id).or_default();
            let gate = std::mem::take(&mut standing.parked).then_some(standing.at);
            let gate = gate?;
            let (crash, pause) = (world.faults.swarm.crash, world.faults.swarm.pause);
            world.current = Some(Who { task: id, host });
            world.tell(format!("{id} goes through {gate}"));
            world.current = None;
            if world.faults.strikes("a crash", crash) {
                return Some(true);
            }
            world.faults.strikes("a pause", pause).then_some(false)
        });
        match struck.flatten() {
            Some(true) => return self.crash(host),
            Some(false) => {
                if let Some(task) = self.tasks.get(&id) {
                    task.bell.rung.store(true, Ordering::Release);
                }
                return pause(host, &self.checker);
            }
            None => {}
        }
        let Some(task) = self.tasks.get_mut(&id) else { return };
        let waker = Waker::from(Arc::clone(&task.bell));
        loop {
            task.bell.rung.store(false, Ordering::Release);
            task.bell.stirred.store(false, Ordering::Release);
            with(|world| world.current = Some(Who { task: id, host }));
            let polled = task.work.as_mut().poll(&mut Context::from_waker(&waker));
            let (in_database, crashed) = with(|world| {
                world.current = None;
                (world.tasks.get(&id).is_some_and(|standing| standing.in_database), world.crashed.take())
            })
            .unwrap_or_default();
            if let Some(host) = crashed {
                return self.crash(host);
            }
            match polled {
                Poll::Ready(()) => {
                    self.tasks.remove(&id);
                    with(|world| world.tasks.remove(&id));
                    return;
                }
                Poll::Pending if in_database => {
                    let bell = Arc::clone(&task.bell);
                    std::future::poll_fn(move |cx| {
                        bell.driver.register(cx.waker());
                        if bell.stirred.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
                    })
                    .await;
                }
                Poll::Pending => return,
            }
        }
    }

    /// Everything in a machine's memory is gone at once.
    fn crash(&mut self, host: usize) {
        let span = with(|world| *world.faults.dice.pick(&[SECOND / 20, SECOND, 3 * SECOND, 12 * SECOND, 40 * SECOND]));
        self.crash_for(host, span.unwrap_or_default());
    }

    fn crash_for(&mut self, host: usize, span_us: i64) {
        with(|world| {
            world.tell(format!("machine {host} crashes"));
            world.hosts[host].up = false;
            world.trouble();
            world.plan_in(span_us, Happening::Boot(host));
        });
        self.forget(host);
    }

    /// No machine runs for hours, as when the power is gone; what was to come meanwhile comes afterwards.
    fn away(&mut self) {
        let found = with(|world| {
            let absence = world.scenario.absence?;
            world.put_off(absence.span);
            let up = |host: &usize| world.hosts[*host].up && !world.hosts[*host].paused;
            Some((absence, (0..world.hosts.len()).filter(up).collect::<Vec<_>>()))
        });
        let Some((absence, up)) = found.flatten() else { return };
        for host in up {
            if absence.standing {
                stand_still(host, absence.span, &self.checker);
            } else {
                self.crash_for(host, absence.span);
            }
        }
    }

    fn forget(&mut self, host: usize) {
        self.apps.remove(&host);
        let ids: Vec<TaskId> = self.tasks.iter().filter(|(_, task)| task.host == host).map(|(id, _)| *id).collect();
        for id in ids {
            self.tasks.remove(&id);
            with(|world| world.tasks.remove(&id));
        }
        // What it was about to begin is gone too.
        let begun = with(|world| {
            let (gone, kept) = std::mem::take(&mut world.begun).into_iter().partition(|(on, _)| *on == host);
            world.begun = kept;
            let gone: Vec<(usize, Work)> = gone;
            gone
        });
        drop(begun);
    }

    fn happen(&mut self, what: Happening) {
        with(|world| {
            // Calls and requests can give nobody else work before something is committed.
            if !matches!(what, Happening::Accept(_) | Happening::Answer(_) | Happening::Ask { .. }) {
                world.tell(format!("{what:?}"));
                world.stir();
            }
        });
        match what {
            Happening::Ask { client, again } => self.ask(client, again),
            Happening::Accept(call) => drop(with(|world| world.accept(call))),
            Happening::Answer(call) => drop(with(|world| world.answer(call))),
            Happening::Boot(host) => self.boot(host),
            Happening::Resume(host) => drop(with(|world| {
                world.hosts[host].paused = false;
                world.hosts[host].uncounted_until_us = world.now_us + MINUTE;
                world.trouble();
            })),
            Happening::DatabaseBack => drop(with(|world| {
                world.database_down = false;
                world.trouble();
            })),
            Happening::Edit => {
                let roster = with(|world| world.scenario.edit.clone().map(|(_, roster)| roster)).flatten();
                if let Some(roster) = roster {
                    with(|world| world.scenario.roster = roster.clone());
                    for (app, _) in self.apps.values() {
                        app.set_roster(roster.clone());
                    }
                }
            }
            Happening::Step(by) => drop(with(|world| {
                world.hosts[0].offset_us += by;
                world.trouble();
            })),
            Happening::Stop => self.stop(),
            Happening::Away => self.away(),
            Happening::Calm => drop(with(|world| {
                world.faults.on = false;
                world.trouble();
            })),
        }
    }

    /// Begins work on a machine, as that machine.
    fn on<T>(host: usize, begin: impl FnOnce() -> T) -> T {
        with(|world| world.current = Some(Who { task: 0, host }));
        let made = begin();
        with(|world| world.current = None);
        made
    }

    fn boot(&mut self, host: usize) {
        // A server's notifications come when they come, and not in the order of a seed.
        let by_hand = self.db.engine() == Engine::Sqlite;
        let around = with(|world| {
            world.hosts[host].up = true;
            world.hosts[host].paused = false;
            world.hosts[host].calls = Limits::default();
            world.trouble();
            (
                world.scenario.roster.clone(),
                world.scenario.directory.clone(),
                world.hosts.len() > 1 && world.dice.chance(3_000) && by_hand,
                !world.scenario.steps.is_empty(),
            )
        });
        let Some((roster, directory, hears, watches)) = around else { return };
        let parts = Self::on(host, || {
            let app = App::start(
                self.db.clone(),
                Clock::System,
                Metrics::default(),
                WorkspaceId::from("T1"),
                roster,
                directory,
            );
            let worker = Worker::new(app.clone(), self.slack.clone(), Documents::default(), outside::ways());
            task::spawn(scheduler::run(app.clone()));
            let (pages, others, db, woken) = (worker.clone(), worker.clone(), self.db.clone(), app.clone());
            task::spawn(async move { pages.serve_pages().await });
            task::spawn(async move { others.serve_others().await });
            if watches {
                task::spawn(timekeeping::run(app.clone()));
            }
            if hears {
                // Other replicas' work is heard of, as on PostgreSQL; else it is found by looking.
                task::spawn(async move {
                    let Ok(mut wakes) = db.listen().await else { return };
                    loop {
                        wakes.next().await;
                        woken.wake();
                    }
                });
            }
            (app, worker)
        });
        self.apps.insert(host, parts);
    }

    /// Stops a program as an operator does, and starts it again a moment later.
    fn stop(&mut self) {
        let Some((host, worker)) = self.apps.iter().next().map(|(host, (_, worker))| (*host, worker.clone())) else {
            return;
        };
        Self::on(host, || {
            task::spawn(async move {
                worker.stop().await;
                with(|world| {
                    world.tell("has stopped");
                    world.crashed = Some(host);
                });
            });
        });
    }

    /// Gives somebody's request to one of the programs that run.
    fn ask(&mut self, client: usize, again: bool) {
        let asked = with(|world| {
            let now = world.wall(None);
            let repeat = world.faults.swarm.repeat;
            if world.without.contains(&client) {
                return None;
            }
            let slots = world.slots.clone();
            let found = &mut world.clients[client];
            if (again && found.answer.is_some()) || found.tries >= TRIES_MAX {
                return None;
            }
            found.tries += 1;
            let first = found.tries == 1;
            let Some(request) = found.request(&slots, now) else {
                world.plan_in(2 * SECOND, Happening::Ask { client, again: true });
                return None;
            };
            let up: Vec<usize> = (0..world.hosts.len()).filter(|host| world.hosts[*host].up).collect();
            if up.is_empty() {
                world.plan_in(SECOND, Happening::Ask { client, again: true });
                return None;
            }
            let host = *world.dice.pick(&up);
            world.plan_in(3 * SECOND, Happening::Ask { client, again: true });
            if first && world.dice.chance(repeat) {
                let after = world.dice.between(0, 2 * SECOND);
                world.plan_in(after, Happening::Ask { client, again: false });
            }
            world.tell(format!("client {client} asks {host}: {:?}", world.clients[client].ask));
            Some((host, request))
        });
        let Some((host, request)) = asked.flatten() else { return };
        let Some((app, _)) = self.apps.get(&host) else { return };
        let app = app.clone();
        Self::on(host, || {
            task::spawn(async move {
                let answer = app.handle(request).await.map_err(|error| error.to_string());
                with(|world| world.answered(client, answer));
            });
        });
    }

    /// Moves the time to the next moment at which somebody can do something; false at the end.
    fn pass_time() -> bool {
        with(|world| {
            // A tier may begin shortly before the rest is over; what follows from it is seen to its end, too.
            let end = (world.scenario.calm_at + REST).max(world.stirred_us + MINUTE);
            let planned = world.agenda.keys().next().map(|(at, _)| *at);
            let appointed = world
                .appointments
                .values()
                .map(|(host, at)| world.since_start(at.timestamp_micros() - world.hosts[*host].offset_us));
            let ends = world.sleeping.values().filter(|sleeping| !sleeping.idle).map(|sleeping| sleeping.until_us);
            let firm = planned.into_iter().chain(appointed.filter(|at| *at > world.now_us)).chain(ends);
            let firm = firm.filter(|at| *at > world.now_us).min().unwrap_or(end).min(end);
            let idle = |world: &World| {
                let idle = world.sleeping.values().filter(|sleeping| sleeping.idle).map(|sleeping| sleeping.until_us);
                idle.filter(|at| *at > world.now_us).min()
            };
            if world.now_us - world.stirred_us > QUIET {
                for sleeping in world.sleeping.values_mut().filter(|sleeping| sleeping.idle) {
                    let skipped = (firm - sleeping.until_us).max(0) / SECOND;
                    sleeping.until_us += skipped * SECOND;
                }
            }
            let next = idle(world).map_or(firm, |at| at.min(firm));
            if next >= end {
                world.move_to(end);
                return false;
            }
            world.move_to(next);
            true
        })
        .unwrap_or(false)
    }
}

/// A machine stands still for a moment.
fn pause(host: usize, checker: &Checker) {
    let spans = [SECOND / 2, 3 * SECOND, 7 * SECOND, 9 * SECOND, 15 * SECOND, 90 * SECOND];
    let span = with(|world| *world.faults.dice.pick(&spans));
    stand_still(host, span.unwrap_or_default(), checker);
}

/// A machine stands still, with all that it has in its hands.
fn stand_still(host: usize, span_us: i64, checker: &Checker) {
    with(|world| {
        world.tell(format!("machine {host} stands still for {} ms", span_us / 1_000));
        world.hosts[host].paused = true;
        world.trouble();
        world.plan_in(span_us, Happening::Resume(host));
        for mark in checker.in_the_hands_of(host) {
            *world.excused.entry(mark).or_default() += 1;
        }
    });
}
