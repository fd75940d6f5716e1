//! Two programs on one PostgreSQL are pressed in the same instant: one person has it, everybody else is told who.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use firebell::domain::event::Event;
use firebell::store::{history, incidents};
use tokio::sync::Barrier;

use crate::bot::Bot;
use crate::people::number_in;
use crate::slack::{Line, Slack, free_port};
use crate::{number, postgres};

/// Rounds where nothing else is asked for.
const ROUNDS: u32 = 100;
/// Rounds for each kill that is asked for: a thousand for two hundred.
const ROUNDS_PER_KILL: u32 = 5;
/// Escalations of one incident, so that none grows without bounds.
const ROUNDS_PER_INCIDENT: u32 = 25;
const DANA: &str = "U0DANA0001";
const BEN: &str = "U0BEN00001";
const ELI: &str = "U0ELI00001";

/// Somebody's answer, and between which instants it was given.
struct Told {
    who: &'static str,
    text: String,
    asked: Instant,
    heard: Instant,
}

impl Told {
    fn has_it(&self) -> bool {
        self.text.contains("You have it for")
    }
}

/// What answers call them.
fn name(who: &str) -> &'static str {
    match who {
        DANA => "Dana",
        BEN => "Ben",
        _ => "Eli",
    }
}

/// What is wrong with one round: somebody is first, the same for everybody, and nobody hears of it before it can be so.
fn judge(told: &[Told]) -> Result<&'static str, String> {
    let winners: Vec<&Told> = told.iter().filter(|told| told.has_it()).collect();
    let Some(winner) = winners.first() else { return Err("nobody has it".to_owned()) };
    if winners.iter().any(|told| told.who != winner.who) {
        return Err("two people have it".to_owned());
    }
    for other in told.iter().filter(|told| told.who != winner.who) {
        if !other.text.contains(&format!("{} has it for ", name(winner.who))) {
            return Err(format!("{} was told \"{}\", but {} has it", other.who, other.text, winner.who));
        }
        if winners.iter().all(|winner| other.heard < winner.asked) {
            return Err(format!("{} heard of {} who had not asked yet", other.who, winner.who));
        }
    }
    Ok(winner.who)
}

/// All of them at once, each to their replica: Dana presses twice by one delivery that reaches both.
async fn at_once(lines: &[Line; 2], number: i64, round: u32) -> Vec<Told> {
    let calls = [(DANA, 0, "d"), (BEN, 1, "b"), (DANA, 1, "d"), (ELI, 0, "e")];
    let gate = Arc::new(Barrier::new(calls.len()));
    let told = calls.map(|(who, line, delivery)| {
        let (line, gate) = (lines[line].clone(), Arc::clone(&gate));
        let (text, trigger) = (format!("INC-{number} ack"), format!("{round}.{delivery}"));
        tokio::spawn(async move {
            gate.wait().await;
            let asked = Instant::now();
            let text = line.types(who, "/escalate", &text, &trigger).await.expect("is answered");
            Told { who, text, asked, heard: Instant::now() }
        })
    });
    let mut all = Vec::new();
    for told in told {
        all.push(told.await.unwrap());
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_all_who_acknowledge_at_once_one_has_it() {
    let Some(database) = postgres::database().await else { return };
    let rounds =
        number("FIREBELL_KILLS").map_or(ROUNDS, |kills| ROUNDS.max(ROUNDS_PER_KILL * u32::try_from(kills).unwrap()));
    let folder = tempfile::tempdir().unwrap();
    let slack = Slack::start(folder.path());
    let bots = [slack.bot_port, free_port()].map(|port| Bot::new(folder.path(), &slack, database.clone(), port));
    let _lives = [bots[0].start().await, bots[1].start().await];
    let lines = [Line::to(bots[0].port()), Line::to(bots[1].port())];
    let mut winners: BTreeMap<i64, Vec<&str>> = BTreeMap::new();
    let mut number = 0;
    for round in 0..rounds {
        let first = &lines[round as usize % 2];
        let call = if round % ROUNDS_PER_INCIDENT == 0 {
            first.types(ELI, "/incident", &format!("open team=db-team outage {round}"), &format!("{round}.o")).await
        } else {
            first.types(ELI, "/escalate", &format!("INC-{number} db-team"), &format!("{round}.o")).await
        };
        let said = call.expect("is answered");
        if round % ROUNDS_PER_INCIDENT == 0 {
            number = number_in(&said).expect("was opened");
        }
        let told = at_once(&lines, number, round).await;
        let winner = judge(&told).unwrap_or_else(|wrong| panic!("round {round}, INC-{number}: {wrong}"));
        winners.entry(number).or_default().push(winner);
    }
    recorded(&bots[0], &winners).await;
    println!("{rounds} rounds of simultaneous acknowledgement by two replicas: one had it in each");
}

/// The history says the same: of each escalation one acknowledgement, by who was told so, and one entry for each other.
async fn recorded(bot: &Bot, winners: &BTreeMap<i64, Vec<&str>>) {
    let db = bot.db().await;
    let mut tx = db.read().await.unwrap();
    for id in incidents::all_ids(&mut tx).await.unwrap() {
        let number = incidents::load(&mut tx, id).await.unwrap().incident.number;
        history::verify(&mut tx, id).await.unwrap().expect("the chain verifies");
        let mut had = Vec::new();
        let mut helping = Vec::new();
        for recorded in history::load(&mut tx, id).await.unwrap() {
            match recorded.occurrence.event {
                Event::Acknowledged { escalation, user, .. } => had.push((escalation, user.unwrap())),
                Event::JoinedAcknowledged { escalation, user, .. } => helping.push((escalation, user.unwrap())),
                _ => {}
            }
        }
        let by: Vec<&str> = had.iter().map(|(_, user)| user.as_str()).collect();
        assert_eq!(by, winners[&number], "INC-{number}");
        for (escalation, winner) in &had {
            let of: Vec<_> = helping.iter().filter(|(of, _)| of == escalation).map(|(_, user)| user).collect();
            assert_eq!(of.len(), 2, "INC-{number} {escalation:?}: {of:?} besides {winner}");
            assert!(!of.contains(&winner) && of[0] != of[1], "INC-{number} {escalation:?}: {of:?} besides {winner}");
        }
    }
    drop(tx);
    db.close().await;
}
