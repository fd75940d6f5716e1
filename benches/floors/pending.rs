//! A hundred thousand timers that wait: how late is a page among them, how long does a start take, how much memory.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result};
use chrono::{DateTime, TimeDelta, Utc};
use firebell::clock::Clock;
use firebell::domain::command::{Command, Finished, Open, When};
use firebell::domain::event::{Actor, Event, Origin, PageResult};
use firebell::domain::policy::{Policy, Target, Tier};
use firebell::domain::roster::{Directory, Roster, Team};
use firebell::domain::{Context, decide, decide_opening};
use firebell::ids::{IncidentId, MessageRef, MessageTs, WorkspaceId};
use firebell::sandbox::Act;
use firebell::store::{Db, chain, counters, history, incidents, settings, timers};

use crate::program::{Program, database};
use crate::report::{Spread, heading, ms_line};

const WORKSPACE: &str = "T0SHOPFRNT";
/// Incidents written in one transaction.
const AT_ONCE: u32 = 1_000;

/// Lateness of pages among pending timers, timers due at one instant, memory under load.
pub async fn measure(quick: bool) -> Result<()> {
    let pending = if quick { 10_000 } else { 100_000 };
    let folder = tempfile::tempdir()?;
    let now = Utc::now();
    fill(folder.path(), pending, now + TimeDelta::hours(6)).await?;
    // Due together, a little after the program will be up.
    let together = now + TimeDelta::seconds(if quick { 60 } else { 180 });
    let first_together = i64::from(pending) + 1;
    fill(folder.path(), 1_000, together).await?;
    // Once, so that Slack is known; the start that counts is the next one.
    let folder = Program::start_in(folder, "").await?.stop()?;
    let program = Program::start_in(folder, "").await?;

    heading(&format!("Pages among {pending} pending timers"));
    println!("start to the first 200, with {pending} pending: {:.1} ms", millis(program.started_in));
    println!("resident after the start: {:.1} MiB", program.resident_mib()?);
    let calls = if quick { 10 } else { 60 };
    let mut opened = Vec::new();
    for n in 0..calls {
        // Two teams in turn: Slack takes one message a second in one conversation.
        let team = if n % 2 == 0 { "db-team" } else { "dev-team" };
        let text = format!("/incident open team={team} bench {n}");
        program.slack.act("U0ANA00001", Act::Command { channel: "C0SHOPOPS1".to_owned(), text }).await?;
        opened.push(first_together + 1_000 + n);
        tokio::time::sleep(Duration::from_millis(637)).await;
    }
    // The second tier is due ten seconds after the first.
    tokio::time::sleep(Duration::from_secs(12)).await;
    let (decided, received) = lateness(&program, &opened).await?;
    for (what, spread, goal) in
        [("due → tier committed", &decided, "≤ 10 ms"), ("due → received by Slack", &received, "≤ 25 ms")]
    {
        println!("{what}: {} samples, p50 {:.1} ms, max {:.1} ms", spread.len(), spread.at(0.5), spread.max());
        ms_line(&format!("{what}, p99"), spread.at(0.99), goal);
    }
    println!("resident under load: {:.1} MiB (goal ≤ 40 MiB)", program.resident_mib()?);

    let program = overdue(program, first_together + 1_000 + calls, if quick { 2 } else { 5 }).await?;

    heading("1,000 timers due at one instant");
    let left = (together - Utc::now()).to_std().unwrap_or_default();
    tokio::time::sleep(left + Duration::from_secs(5)).await;
    let ids: Vec<i64> = (first_together..first_together + 1_000).collect();
    let (decided, _) = lateness(&program, &ids).await?;
    println!("{} of 1000 fired", decided.len());
    ms_line("the last one's transaction began", decided.max(), "≤ 10 ms");
    Ok(())
}

/// Kills the program while a tier waits, starts it after the tier was due, and looks when its page arrives.
async fn overdue(mut program: Program, mut incident: i64, times: u32) -> Result<Program> {
    heading("First overdue page after kill -9 and restart");
    let mut took = Vec::new();
    for n in 0..times {
        let text = format!("/incident open team=db-team overdue {n}");
        program.slack.act("U0ANA00001", Act::Command { channel: "C0SHOPOPS1".to_owned(), text }).await?;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let folder = program.stop()?;
        tokio::time::sleep(Duration::from_secs(10)).await;
        let begun = Utc::now();
        program = Program::start_in(folder, "").await?;
        tokio::time::sleep(Duration::from_secs(3)).await;
        let beginning = format!("{WORKSPACE}/{incident}/page:");
        let first =
            arrivals(&program).into_iter().filter(|(mark, _)| mark.starts_with(&beginning)).map(|(_, at)| at).min();
        let first = first.context("the overdue page did not arrive within three seconds")?;
        took.push(micros(first - begun) / 1e3);
        incident += 1;
    }
    let spread = Spread::new(took);
    println!("exec → received by Slack: {} samples, p50 {:.1} ms", spread.len(), spread.at(0.5));
    ms_line("the slowest", spread.max(), "≤ 150 ms");
    Ok(program)
}

/// How long the program takes to answer, on an empty database and with many timers pending.
pub async fn start(quick: bool) -> Result<()> {
    heading("Start to the first 200, empty database");
    let mut took = Vec::new();
    let mut folder = Program::start("").await?.stop()?;
    let mut resident = 0.0;
    for _ in 0..if quick { 3 } else { 10 } {
        let program = Program::start_in(folder, "").await?;
        took.push(millis(program.started_in));
        tokio::time::sleep(Duration::from_millis(500)).await;
        resident = program.resident_mib()?;
        folder = program.stop()?;
    }
    ms_line("median", crate::report::median(&took), "≤ 25 ms");
    println!("resident, idle: {resident:.1} MiB (goal ≤ 20 MiB)");
    let size = std::fs::metadata(env!("CARGO_BIN_EXE_firebell"))?.len();
    #[expect(clippy::cast_precision_loss, reason = "a file's size")]
    let megabytes = size as f64 / 1e6;
    println!("binary: {megabytes:.1} MB (goal ≤ 12 MB)");
    Ok(())
}

/// Milliseconds from when the last tier of each incident was due to its transaction, and to the arrival of its page.
async fn lateness(program: &Program, incidents: &[i64]) -> Result<(Spread, Spread)> {
    let db = Db::open(&database(program.folder.path()), &Clock::System).await?;
    let mut tx = db.read().await?;
    let arrivals = arrivals(program);
    let (mut decided, mut received) = (Vec::new(), Vec::new());
    for id in incidents {
        let history = history::load(&mut tx, IncidentId(*id)).await?;
        // The tier that was due while we watched; the one before it is the call itself.
        let last = history.iter().rev().find_map(|recorded| match &recorded.occurrence.event {
            Event::TierStarted { due_at, pages, .. } => Some((recorded.recorded_at, *due_at, pages.first()?.page)),
            _ => None,
        });
        let Some((recorded_at, due_at, page)) = last else { continue };
        decided.push(micros(recorded_at - due_at));
        let mark = format!("{WORKSPACE}/{id}/page:{}", page.0);
        received.extend(arrivals.get(&mark).map(|at| micros(*at - due_at)));
    }
    let spread = |micros: Vec<f64>| Spread::new(micros.into_iter().map(|micros| micros / 1e3).collect());
    Ok((spread(decided), spread(received)))
}

/// When each marked message reached the sandbox.
fn arrivals(program: &Program) -> BTreeMap<String, DateTime<Utc>> {
    let (entries, _) = program.slack.journal(0, usize::MAX);
    let posts = entries.into_iter().filter(|entry| entry.method == "chat.postMessage");
    posts
        .filter_map(|entry| {
            let mark = entry.request.pointer("/metadata/event_payload/effect")?.as_str()?.to_owned();
            Some((mark, entry.at))
        })
        .collect()
}

fn micros(span: TimeDelta) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "microseconds of a few seconds")]
    let micros = span.num_microseconds().unwrap_or(i64::MAX) as f64;
    micros
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}

/// Writes incidents that each have one escalation whose next tier is due at `due_at`.
async fn fill(folder: &std::path::Path, count: u32, due_at: DateTime<Utc>) -> Result<()> {
    let clock = Clock::System;
    let db = Db::open(&database(folder), &clock).await?;
    let workspace = WorkspaceId::new(WORKSPACE);
    let mut tx = db.write().await?;
    settings::set(&mut tx, "workspace", WORKSPACE).await?;
    tx.commit().await?;
    let mut left = count;
    while left > 0 {
        let now = left.min(AT_ONCE);
        let mut tx = db.write().await?;
        let (mut rows, mut events, mut sets) = (Vec::new(), Vec::new(), Vec::new());
        for (id, number) in counters::allocate_many(&mut tx, &workspace, now).await? {
            let (incident, head) = waiting(id, &workspace, number, due_at, &mut events)?;
            sets.push(timers::TimerSet { workspace: workspace.clone(), incident: id, timers: incident.timers() });
            rows.push((incident, head));
        }
        let saved: Vec<incidents::Row<'_>> = rows
            .iter()
            .map(|(incident, head)| incidents::Row { incident, head, updated_at: clock.now(), keeps_its_places: false })
            .collect();
        incidents::save(&mut tx, &saved).await?;
        history::append(&mut tx, &events).await?;
        timers::replace(&mut tx, &sets).await?;
        tx.commit().await?;
        left -= now;
    }
    db.close().await;
    Ok(())
}

fn waiting(
    id: IncidentId,
    workspace: &WorkspaceId,
    number: i64,
    due_at: DateTime<Utc>,
    events: &mut Vec<history::NewEvent>,
) -> Result<(firebell::domain::incident::Incident, String)> {
    let tier = |user: &str, wait_s| Tier { targets: vec![Target::User { user: user.into() }], wait_s };
    let policy = Policy {
        tiers: vec![tier("U0DANA0001", 3_600), tier("U0ELI00001", 3_600)],
        rounds: 1,
        ack_timeout_s: None,
        hand_off_to: None,
    };
    let team = Team { key: "db-team".into(), name: "Database team".to_owned(), aliases: vec![], policy };
    let roster =
        Roster { teams: BTreeMap::from([(team.key.clone(), team)]), zone: "UTC".to_owned(), ..Roster::default() };
    let (directory, actor) = (Directory::default(), Actor::Person { user: "U0ANA00001".into() });
    // As if the first tier had been called an hour before the second is due.
    let now = due_at - TimeDelta::hours(1);
    let context = Context {
        now,
        actor: &actor,
        inside: true,
        roster: &roster,
        directory: &directory,
        slack_is_away: false,
        alerts: firebell::domain::storm::Alerts::NONE,
    };
    let open = Command::Open(Open {
        title: format!("waiting {number}"),
        severity: None,
        private: false,
        zone: None,
        origin: Origin::Command { channel: None },
        retrospective: false,
        nonce: "bench".to_owned(),
        escalate_to: None,
        detected: None,
    });
    let refused = |rejection: firebell::domain::rejection::Rejection| anyhow::anyhow!(rejection.sentence);
    let opened = decide_opening(id, workspace, number, &open, &context).map_err(refused)?;
    let call = Command::Escalate { when: When::default(), team: "db-team".to_owned(), reason: None };
    let called = decide(&opened.after, &call, &context).map_err(refused)?;
    let page = called.after.pages.keys().next().copied().context("the first tier is paged")?;
    let message =
        MessageRef { channel: "D0DANA0001".into(), ts: MessageTs(format!("{}.{number:06}", now.timestamp())) };
    let result = PageResult::Sent { message, digest: Vec::new() };
    let sent = Command::EffectFinished(Finished::Page { page, attempt: 1, result, fault: None });
    let context = Context { actor: &Actor::Firebell, ..context };
    let sent = decide(&called.after, &sent, &context).map_err(refused)?;
    let all: Vec<_> = opened.events.into_iter().chain(called.events).chain(sent.events).collect();
    let head = history::link_all(chain::GENESIS, workspace, id, &all, events);
    Ok((sent.after, head))
}
