//! Old and new programs on one database, and databases on their way from one to the other.

use std::collections::BTreeSet;
use std::time::Duration;

use firebell::clock::Clock;
use firebell::domain::engine::ENGINE;
use firebell::domain::event::Event;
use firebell::store::{Db, history, incidents, timers};
use rand::RngExt as _;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};

use crate::bot::Bot;
use crate::judge;
use crate::people::People;
use crate::postgres;
use crate::slack::{Line, Slack, free_port};
use crate::wait::{page, until};

const ANA: &str = "U0ANA00001";
/// As long as it takes for the next tier to be called, and then some.
const LEFT_ALONE: Duration = Duration::from_secs(15);
/// Starts that are killed while the schema is made.
const STARTS: u32 = 5;
/// A start is killed within this time, milliseconds.
const START_MS: std::ops::Range<u64> = 5..150;

fn sqlite_in(folder: &tempfile::TempDir) -> String {
    format!("sqlite:{}", folder.path().join("firebell.db").display())
}

/// Runs a script as somebody else than the program.
async fn run(database: &str, script: &str) {
    match database.strip_prefix("sqlite:") {
        Some(file) => {
            let mut conn = SqliteConnection::connect(&format!("sqlite://{file}?mode=rwc")).await.unwrap();
            sqlx::raw_sql(AssertSqlSafe(script)).execute(&mut conn).await.unwrap();
            conn.close().await.unwrap();
        }
        None => {
            let mut conn = PgConnection::connect(database).await.unwrap();
            sqlx::raw_sql(AssertSqlSafe(script)).execute(&mut conn).await.unwrap();
            conn.close().await.unwrap();
        }
    }
}

/// Makes the first incident another engine's.
async fn decided_by(database: &str, from: u32, to: u32) {
    let script =
        format!("UPDATE incidents SET state = replace(state, '\"engine\":{from}', '\"engine\":{to}') WHERE number = 1");
    run(database, &script).await;
}

/// How many pages of this incident came.
async fn pages(slack: &Slack, number: i64) -> usize {
    let part = format!("/{number}/page:");
    judge::arrivals(slack).await.iter().filter(|(mark, _)| mark.contains(&part)).count()
}

async fn leaves_it_alone(database: String, folder: &tempfile::TempDir) {
    let slack = Slack::start(folder.path());
    let bot = Bot::new(folder.path(), &slack, database.clone(), slack.bot_port);
    let mut people = People::new(slack.clone(), usize::MAX);
    let mut life = bot.start().await;
    people.open_for("db-team").await;
    until("it is paged", async || page(&slack, 1, 1).await.is_some()).await;
    life.kill();
    // A program of the next release was at work.
    decided_by(&database, ENGINE, ENGINE + 1).await;
    let before = pages(&slack, 1).await;
    let life = bot.start().await;
    let line = Line::to(bot.port());
    let said = line.types(ANA, "/escalate", "INC-1 ack", "older.ack").await.expect("is answered");
    assert!(said.contains("a newer version of Firebell looks after INC-1"), "{said}");
    people.open_for("dev-team").await;
    until("others are paged", async || page(&slack, 2, 1).await.is_some()).await;
    tokio::time::sleep(LEFT_ALONE).await;
    until("and called by the next tier", async || page(&slack, 2, 2).await.is_some()).await;
    assert_eq!(pages(&slack, 1).await, before, "the older program decided about it");
    assert!(bot.log().contains("is left to that one"), "{}", bot.log());
    drop(life);

    // The newer program: this one, upgraded.
    decided_by(&database, ENGINE + 1, ENGINE).await;
    let _life = bot.start().await;
    until("the next tier is called", async || page(&slack, 1, 2).await.is_some()).await;
    bot.come_to_rest().await;
    let verdict = judge::compare(&bot, &slack, &people.confirmed).await;
    assert!(verdict.complaints.is_empty(), "{verdict}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_newer_program_decided_an_older_one_leaves_alone_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    leaves_it_alone(sqlite_in(&folder), &folder).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_newer_program_decided_an_older_one_leaves_alone_on_postgres() {
    let Some(database) = postgres::database().await else { return };
    leaves_it_alone(database, &tempfile::tempdir().unwrap()).await;
}

/// The history of the only incident.
async fn told(bot: &Bot) -> Vec<Event> {
    let db = bot.db().await;
    let mut tx = db.read().await.unwrap();
    let id = incidents::all_ids(&mut tx).await.unwrap()[0];
    history::verify(&mut tx, id).await.unwrap().expect("the chain verifies");
    let history = history::load(&mut tx, id).await.unwrap();
    drop(tx);
    db.close().await;
    history.into_iter().map(|recorded| recorded.occurrence.event).collect()
}

/// A call that an earlier release left waiting for its second tier goes on where it was. That was long ago, so somebody is
/// asked first.
async fn goes_on(database: String, script: &str, folder: &tempfile::TempDir) {
    run(&database, script).await;
    let slack = Slack::start(folder.path());
    let bot = Bot::new(folder.path(), &slack, database.clone(), slack.bot_port);
    let waited_for = told(&bot).await.into_iter().find_map(|event| match event {
        Event::TierStarted { next_due_at, .. } => Some(next_due_at),
        _ => None,
    });
    let _life = bot.start().await;
    // Its channel is one of another workspace; whoever opened it hears of it.
    until("it is asked about", async || page(&slack, 1, 3).await.is_some()).await;
    let line = Line::to(bot.port());
    line.types(ANA, "/escalate", "INC-1 db-team", "upgraded.go").await.expect("is answered");
    let second_tier = async || {
        told(&bot).await.into_iter().find_map(|event| match event {
            Event::TierStarted { step, pages, .. } if step.tier == 2 => pages.first().map(|planned| planned.page.0),
            _ => None,
        })
    };
    until("the tier that was waited for is called", async || match second_tier().await {
        Some(number) => page(&slack, 1, number).await.is_some(),
        None => false,
    })
    .await;
    let said = line.types(ANA, "/escalate", "INC-1 ack", "upgraded.ack").await.expect("is answered");
    assert!(said.contains("You have it"), "{said}");
    bot.come_to_rest().await;
    let held = told(&bot).await.into_iter().find_map(|event| match event {
        Event::EscalationHeld { due_at, .. } => Some(due_at),
        _ => None,
    });
    assert!(waited_for.is_some() && held == waited_for, "due when it was to be: {held:?}, {waited_for:?}");
    let db = bot.db().await;
    let mut tx = db.read().await.unwrap();
    assert_eq!(timers::count(&mut tx).await.unwrap(), 0);
    drop(tx);
    db.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_of_an_earlier_release_goes_on_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    goes_on(sqlite_in(&folder), include_str!("earlier/0.1.0.sqlite.sql"), &folder).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_of_an_earlier_release_goes_on_on_postgres() {
    let Some(database) = postgres::database().await else { return };
    goes_on(database, include_str!("earlier/0.1.0.postgres.sql"), &tempfile::tempdir().unwrap()).await;
}

/// What a schema consists of.
async fn schema(database: &str) -> BTreeSet<String> {
    let texts: Vec<(String,)> = match database.strip_prefix("sqlite:") {
        Some(file) => {
            let mut conn = SqliteConnection::connect(&format!("sqlite://{file}")).await.unwrap();
            let sql = "SELECT type || name || coalesce(sql, '') FROM sqlite_schema
                       UNION ALL SELECT version || description || success FROM _sqlx_migrations";
            sqlx::query_as(sql).fetch_all(&mut conn).await.unwrap()
        }
        None => {
            let mut conn = PgConnection::connect(database).await.unwrap();
            let sql = "SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable
                       FROM information_schema.columns WHERE table_schema = 'public'
                       UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
                       UNION ALL SELECT tgname::text || pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
                       UNION ALL SELECT version || description || success FROM _sqlx_migrations";
            sqlx::query_as(sql).fetch_all(&mut conn).await.unwrap()
        }
    };
    texts.into_iter().map(|(text,)| text).collect()
}

/// A schema that was made under kills is the one that is made in peace.
async fn is_made_in_the_end(database: String, undisturbed: String) {
    let folder = tempfile::tempdir().unwrap();
    let slack = Slack::start(folder.path());
    let bot = Bot::new(folder.path(), &slack, database.clone(), slack.bot_port);
    for _ in 0..STARTS {
        let mut life = bot.spawn(&[]);
        let pause = rand::rng().random_range(START_MS);
        tokio::time::sleep(Duration::from_millis(pause)).await;
        life.kill();
    }
    let _life = bot.start().await;
    Db::open(&undisturbed, &Clock::System).await.unwrap().close().await;
    assert_eq!(schema(&database).await, schema(&undisturbed).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_whose_making_is_killed_is_made_at_the_next_start_on_sqlite() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    is_made_in_the_end(sqlite_in(&folders[0]), sqlite_in(&folders[1])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_whose_making_is_killed_is_made_at_the_next_start_on_postgres() {
    let (Some(database), Some(undisturbed)) = (postgres::database().await, postgres::database().await) else { return };
    is_made_in_the_end(database, undisturbed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_start_together_make_one_schema() {
    let (Some(database), Some(undisturbed)) = (postgres::database().await, postgres::database().await) else { return };
    let folder = tempfile::tempdir().unwrap();
    let slack = Slack::start(folder.path());
    let bot = |port| Bot::new(folder.path(), &slack, database.clone(), port);
    let bots = [bot(slack.bot_port), bot(free_port()), bot(free_port())];
    let _lives = tokio::join!(bots[0].start(), bots[1].start(), bots[2].start());
    Db::open(&undisturbed, &Clock::System).await.unwrap().close().await;
    assert_eq!(schema(&database).await, schema(&undisturbed).await);
}
