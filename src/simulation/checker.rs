//! The rules that must hold after every commit and at the end, whatever happens (docs/GUARANTEE.md lists them).
//!
//! It reads the database through a connection of its own, and keeps its own account of what the history says.

mod end;
mod goes_on;
mod hold;
mod story;

use std::collections::{BTreeMap, BTreeSet};

use super::records::Records;
use super::scenario::SECOND;
use super::world::{World, with};
use crate::domain::effect::Effect;
use crate::domain::escalation::Phase;
use crate::domain::event::Recorded;
use crate::domain::incident::{Incident, Page};
use crate::domain::{command::Timer, evolve};
use crate::ids::{EscalationId, IncidentId, PageId, TeamKey, WorkspaceId};
use story::Run;

/// A page's first claim comes at most so long after it is due, if nothing is the matter.
const PROMPT: i64 = SECOND;
/// And at most so long after a fault.
const AFTER_FAULT: i64 = 10 * SECOND;

/// What the checker knows of an incident.
pub(super) struct File {
    pub(super) incident: Incident,
    pub(super) history: Vec<Recorded>,
    /// As they were stored.
    pub(super) payloads: Vec<String>,
    pub(super) runs: BTreeMap<EscalationId, Run>,
    /// Pages that were too late to be sent.
    pub(super) withheld: BTreeSet<PageId>,
    /// Calls that went unanswered to the end.
    pub(super) exhausted: BTreeSet<EscalationId>,
    /// Teams that are to be called in their place, until the commit is looked at.
    pub(super) handed_off: Vec<TeamKey>,
}

/// An effect in the outbox as it was last seen.
#[derive(Clone, Debug)]
struct Row {
    state: String,
    attempt: i64,
    lease_us: i64,
    page: Option<(i64, u32)>,
    mark: String,
    /// Whose transaction made the claim.
    by: usize,
}

pub(super) struct Checker {
    records: Records,
    version: i64,
    files: BTreeMap<i64, File>,
    rows: BTreeMap<i64, Row>,
    /// How many effects bear one mark, where there may be several: each outage is caught up with.
    catch_ups: BTreeMap<String, u32>,
}

impl Checker {
    /// With a connection to an empty database.
    pub(super) fn new(records: Records) -> Self {
        Self { records, version: -1, files: BTreeMap::new(), rows: BTreeMap::new(), catch_ups: BTreeMap::new() }
    }

    pub(super) fn into_records(self) -> Records {
        self.records
    }

    /// The marks of what this machine is performing.
    pub(super) fn in_the_hands_of(&self, host: usize) -> impl Iterator<Item = String> {
        self.rows.values().filter(move |row| row.state == "sending" && row.by == host).map(|row| row.mark.clone())
    }

    /// Looks at what a commit of this machine has changed.
    pub(super) async fn look(&mut self, host: usize) {
        let version = self.records.version().await;
        if std::mem::replace(&mut self.version, version) == version {
            return;
        }
        with(World::stir);
        self.look_at_timers();
        self.look_at_incidents().await;
        self.look_at_outbox(host).await;
    }

    /// No tier's time has passed without anything happening.
    fn look_at_timers(&self) {
        for (id, file) in &self.files {
            for run in file.incident.escalations.values() {
                if let Phase::Active { next_due_at } = run.phase {
                    let what = format!("the next tier of escalation {} of incident {id}", run.id.0);
                    with(|world| prompt(world, next_due_at.timestamp_micros(), &what));
                }
            }
            for page in file.incident.pages.values() {
                if let Some(at) = page.elsewhere_at
                    && unanswered(&file.incident, page)
                    && !reached_or_refused(&file.incident, page.id)
                {
                    let what = format!("the way besides Slack of page {} of incident {id}", page.id.0);
                    with(|world| prompt(world, at.timestamp_micros(), &what));
                }
            }
        }
    }

    async fn look_at_incidents(&mut self) {
        let known: BTreeMap<i64, u32> = self.files.iter().map(|(id, file)| (*id, file.incident.last_seq)).collect();
        let known = serde_json::to_string(&known).expect("is JSON");
        let changed = self.records.changed(&known).await;
        for (id, last_seq, state, timers) in changed {
            let known = self.files.get(&id).map_or(0, |file| i64::from(file.incident.last_seq));
            let rows = self.records.history(id, known).await;
            for (seq, recorded_at, payload) in rows {
                self.take(id, seq, recorded_at, payload);
            }
            self.compare(id, last_seq, &state, &timers);
        }
    }

    /// Takes an entry into the account.
    fn take(&mut self, id: i64, seq: i64, recorded_at: i64, payload: String) {
        let recorded = Recorded {
            seq: u32::try_from(seq).unwrap_or_default(),
            recorded_at: chrono::DateTime::from_timestamp_micros(recorded_at).expect("is a time"),
            occurrence: serde_json::from_str(&payload).expect("is an event"),
        };
        let kind =
            payload.split("\"type\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or("?").to_owned();
        with(|world| world.tell(format!("INC {id} #{seq} {kind} {}", story::gist(&recorded.occurrence.event))));
        let expected = self.files.get(&id).map_or(1, |file| file.incident.last_seq + 1);
        if recorded.seq != expected {
            with(|world| world.broken("V7", format!("entry {expected} of incident {id} is followed by {seq}")));
        }
        if let Some(file) = self.files.get_mut(&id) {
            story::read(file, &recorded);
            hold::read(file, &recorded);
            evolve(&mut file.incident, &recorded);
            goes_on::read(file, &recorded);
            file.history.push(recorded);
            file.payloads.push(payload);
            return;
        }
        match Incident::begin(IncidentId(id), WorkspaceId::from("T1"), &recorded) {
            Some(incident) => {
                self.files.insert(
                    id,
                    File {
                        incident,
                        history: vec![recorded],
                        payloads: vec![payload],
                        runs: BTreeMap::new(),
                        withheld: BTreeSet::new(),
                        exhausted: BTreeSet::new(),
                        handed_off: Vec::new(),
                    },
                );
            }
            None => drop(with(|world| world.broken("V7", format!("incident {id} begins with {kind}")))),
        }
    }

    /// What is stored of an incident is what its history adds up to, and so are its timers.
    fn compare(&mut self, id: i64, last_seq: i64, state: &str, timers: &str) {
        if let Some(file) = self.files.get_mut(&id) {
            goes_on::look(id, file);
        }
        let Some(file) = self.files.get(&id) else { return };
        let told = serde_json::to_string(&file.incident).expect("is JSON");
        if told != state {
            with(|world| world.broken("V6", format!("the history of incident {id} adds up to {told}, not to {state}")));
        }
        if i64::from(file.incident.last_seq) != last_seq {
            with(|world| world.broken("V7", format!("incident {id} ends at {last_seq}, its history elsewhere")));
        }
        let stored: BTreeMap<String, i64> = serde_json::from_str(timers).expect("is JSON");
        let read =
            |(timer, due_at): (String, i64)| (serde_json::from_str::<Timer>(&timer).expect("is a timer"), due_at);
        let stored: BTreeMap<Timer, i64> = stored.into_iter().map(read).collect();
        let incident = &self.files[&id].incident;
        // Numbers of repetitions are written down while the incident is open.
        let counted = incident.alerts.iter().filter(|_| incident.is_open()).filter_map(|alert| {
            let (integration, dedup_key) = (alert.integration.clone(), alert.dedup_key.clone());
            Some((Timer::RepetitionsCounted { integration, dedup_key }, alert.counting?.until.timestamp_micros()))
        });
        let overdue = incident.pages.values().filter_map(|page| {
            let waits = !reached_or_refused(incident, page.id) && unanswered(incident, page);
            let at = page.elsewhere_at.filter(|_| waits)?;
            Some((Timer::PageOverdue { page: page.id }, at.timestamp_micros()))
        });
        let wanted: BTreeMap<Timer, i64> = incident
            .escalations
            .values()
            .filter_map(|run| {
                let (escalation, generation) = (run.id, run.step.generation);
                match run.phase {
                    Phase::Active { next_due_at } => {
                        Some((Timer::TierDue { escalation, generation }, next_due_at.timestamp_micros()))
                    }
                    Phase::Acknowledged { lapses_at: Some(at), .. } => {
                        Some((Timer::AcknowledgementLapses { escalation, generation }, at.timestamp_micros()))
                    }
                    Phase::Acknowledged { lapses_at: None, .. }
                    | Phase::Stopped
                    | Phase::Exhausted
                    | Phase::Held { .. } => None,
                }
            })
            .chain(counted)
            .chain(overdue)
            .collect();
        if stored != wanted {
            with(|world| world.broken("V11", format!("incident {id} has the timers {stored:?}, not {wanted:?}")));
        }
        let incident = &self.files[&id].incident;
        with(|world| {
            let held: Vec<_> = incident.held().map(|found| (found.id, found.step.generation)).collect();
            for page in incident.pages.values() {
                let about = (id, page.id.0);
                world.set_over(about, !needed(incident, page.id));
                if page.asks {
                    world.questions.insert(about, held.clone());
                } else {
                    let due = world.since_start(page.due_at.timestamp_micros());
                    world.due.insert(about, due);
                    world.generations.insert(about, page.step.generation);
                }
            }
        });
        hold::look(id, file);
    }

    /// Who took and gave back what.
    async fn look_at_outbox(&mut self, host: usize) {
        let newest = self.rows.last_key_value().map_or(0, |(id, _)| *id);
        let rows = self.records.outbox(newest).await;
        let mut now: BTreeMap<i64, Row> = BTreeMap::new();
        let (mut pages, mut others) = (None::<i64>, None::<i64>);
        for (id, incident, state, attempt, lease_us, effect, due_at, lane) in rows {
            let before = self.rows.get(&id);
            let (page, mark) = match before {
                Some(before) => (before.page, before.mark.clone()),
                None => identify(id, incident.unwrap_or_default(), &effect.unwrap_or_default()),
            };
            if before.is_none() && mark.ends_with("/catch-up") {
                *self.catch_ups.entry(mark.clone()).or_default() += 1;
            }
            if page.is_some() {
                pages = pages.max(Some(lane));
                if state == "sending" {
                    with(|world| world.leases.insert(mark.clone(), world.since_start(lease_us)));
                }
            } else {
                others = Some(others.map_or(lane, |best| best.min(lane)));
            }
            let claimed = state == "sending" && before.is_none_or(|before| before.attempt != attempt);
            let by = if claimed { host } else { before.map_or(host, |before| before.by) };
            if claimed {
                self.claimed(id, attempt, page, due_at, &mark);
            } else if let Some(before) = before.filter(|before| before.state == "sending" && state != "sending") {
                fenced(before, host);
            }
            now.insert(id, Row { state, attempt, lease_us, page, mark, by });
        }
        if let (Some(pages), Some(others)) = (pages, others)
            && pages >= others
        {
            with(|world| world.broken("V13", "a page waits behind something else"));
        }
        for (id, before) in &self.rows {
            if now.contains_key(id) {
                continue;
            }
            if before.state == "sending" {
                fenced(before, host);
            }
            if let Some((incident, page)) = before.page
                && let Some(file) = self.files.get(&incident)
                && needed(&file.incident, PageId(page))
                && !reached_or_refused(&file.incident, PageId(page))
            {
                with(|world| world.broken("G2", format!("{} was given up without a word", before.mark)));
            }
        }
        self.rows = now;
    }

    /// A claim is made for a page that is still needed, and in time.
    fn claimed(&self, row: i64, attempt: i64, page: Option<(i64, u32)>, due_at: Option<i64>, mark: &str) {
        with(|world| world.tell(format!("takes {mark}, try {attempt}")));
        let Some((incident, page)) = page else { return };
        let Some(file) = self.files.get(&incident) else { return };
        if !needed(&file.incident, PageId(page)) || file.withheld.contains(&PageId(page)) {
            with(|world| world.broken("V4", format!("{mark} was claimed when nobody needed it any more")));
        }
        let first = self.rows.get(&row).is_none_or(|before| before.attempt == 0);
        if let (true, Some(due_at)) = (first, due_at) {
            with(|world| prompt(world, due_at, mark));
        }
    }
}

/// Whether a page is still to go out or be answered: not if the same one was called again since.
fn needed(incident: &Incident, id: PageId) -> bool {
    let Some(page) = incident.pages.get(&id) else { return false };
    let called_again = incident.pages_of(page.escalation).any(|other| other.id > id && other.to == page.to);
    // Another way is taken instead of Slack, until Slack takes the page after all.
    let mut served = false;
    let mut before = page.instead_of;
    while let Some(earlier) = before.and_then(|id| incident.pages.get(&id)) {
        served |= earlier.message.is_some() || earlier.sent_elsewhere || earlier.declined;
        before = earlier.instead_of;
    }
    unanswered(incident, page) && !called_again && !served
}

/// Whether nobody has what a page calls for, or has said what a question asks.
fn unanswered(incident: &Incident, page: &Page) -> bool {
    if page.asks {
        return incident.is_open() && incident.held().next().is_some();
    }
    let escalation = incident.escalations.get(&page.escalation);
    let open = escalation.is_some_and(|found| matches!(found.phase, Phase::Active { .. } | Phase::Exhausted));
    incident.is_open() && open
}

fn reached_or_refused(incident: &Incident, page: PageId) -> bool {
    incident
        .pages
        .get(&page)
        .is_some_and(|page| page.message.is_some() || page.sent_elsewhere || page.dead || page.declined)
}

/// What an effect's messages are known by, said again in our own words.
fn identify(row: i64, incident: i64, effect: &str) -> (Option<(i64, u32)>, String) {
    let effect: Effect = serde_json::from_str(effect).expect("is an effect");
    let page = match &effect {
        Effect::Page { page } => Some((incident, page.0)),
        _ => None,
    };
    let slot = effect.slot().unwrap_or_else(|| match &effect {
        Effect::Post { seq } => format!("post:{seq}"),
        _ => format!("effect:{row}"),
    });
    (page, format!("T1/{incident}/{slot}"))
}

/// Only who has the claim reports an outcome, unless the claim has run out.
fn fenced(before: &Row, host: usize) {
    with(|world| {
        let lease_us = world.since_start(before.lease_us);
        if before.by != host && lease_us > world.now_us {
            let what = format!("machine {host} ended {} which machine {} was performing", before.mark, before.by);
            world.broken("V3", what);
        }
    });
}

/// A page is taken, and a tier begun, within a second of its time; after a fault within ten; nobody counts the time in which there was no
/// program or no database.
fn prompt(world: &mut World, due_at: i64, what: &str) {
    if !world.scenario.steps.is_empty() {
        return;
    }
    let (now, due) = (world.now_us, world.since_start(due_at));
    let dead = |from: i64| -> i64 {
        world.unattended.iter().map(|(began, ended)| (ended.min(&now) - began.max(&from)).max(0)).sum()
    };
    let usual = due + PROMPT + dead(due);
    let trouble = world.troubles.iter().copied().filter(|at| *at <= now && *at >= due - AFTER_FAULT).max();
    let allowed = trouble.map_or(usual, |at| usual.max(at + AFTER_FAULT));
    if now > allowed {
        let late_ms = (now - due) / 1_000;
        world.broken("V1", format!("{what} was not begun {late_ms} ms after it was due"));
    }
}
