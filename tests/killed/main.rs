//! The real binary, killed again and again at random moments, while people work and Slack misbehaves.
//!
//! The workspace is another process, which outlives every kill: what it holds in the end is the truth about what was
//! sent. Then the database is read and both are compared. Real time, real files, real signals: the only tests here that
//! need them. `FIREBELL_KILLS` says how often to kill (6 without it), `FIREBELL_BIN` names another binary than the one
//! that was built with the tests, `FIREBELL_SEED` repeats a choice of moments.
#![expect(clippy::disallowed_methods, reason = "what is killed lives in real time")]
#![expect(clippy::unwrap_used, reason = "a process or a file that cannot be used fails the test")]
#![expect(unreachable_pub, reason = "the modules of one test are each other's only readers")]

mod acknowledgements;
mod bot;
mod clock;
mod cluster;
mod crash_points;
mod database_away;
mod environment;
mod judge;
mod memory;
mod people;
#[path = "../it/support/postgres.rs"]
mod postgres;
mod replicas;
mod slack;
mod upgrade;
mod wait;
mod watched;

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use bot::Bot;
use people::People;
use slack::Slack;

/// Kills in a run where nothing else is asked for.
const KILLS: u32 = 6;
/// A life lasts this long before it is ended, milliseconds after its first answer.
const LIFE_MS: std::ops::Range<u64> = 5..500;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|value| value.parse().expect("a number"))
}

async fn kill_again_and_again(database: String, folder: &std::path::Path) {
    let kills = number("FIREBELL_KILLS").map_or(KILLS, |kills| u32::try_from(kills).unwrap());
    let seed = number("FIREBELL_SEED").unwrap_or_else(rand::random);
    println!("seed {seed}");
    let mut dice = StdRng::seed_from_u64(seed);
    let slack = Slack::start(folder);
    let bot = Bot::new(folder, &slack, database, slack.bot_port);
    let mut people = People::new(slack.clone(), 6 + kills as usize / 20);
    for _ in 0..kills {
        let mut life = bot.start().await;
        let life_ms = dice.random_range(LIFE_MS);
        slack.misbehave(&mut dice).await;
        let end = tokio::time::sleep(Duration::from_millis(life_ms));
        tokio::select! {
            () = people.work(&mut dice) => unreachable!("they never stop by themselves"),
            () = end => {}
        }
        life.kill();
    }
    slack.behave().await;
    let _life = bot.start().await;
    bot.come_to_rest().await;
    let verdict = judge::compare(&bot, &slack, &people.confirmed).await;
    println!("seed {seed}: {kills} kills; {verdict}");
    assert!(verdict.complaints.is_empty(), "FIREBELL_SEED={seed} FIREBELL_KILLS={kills}\n{verdict}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_killed_when_nothing_confirmed_and_no_page_is_lost_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite:{}", folder.path().join("firebell.db").display());
    kill_again_and_again(database, folder.path()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_killed_when_nothing_confirmed_and_no_page_is_lost_on_postgres() {
    let Some(database) = postgres::database().await else { return };
    let folder = tempfile::tempdir().unwrap();
    kill_again_and_again(database, folder.path()).await;
}
