//! The real program while PostgreSQL dies, is away, or loses the answer to a commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use firebell::store::incidents;

use crate::bot::Bot;
use crate::cluster::{Cluster, Way};
use crate::judge;
use crate::people::{People, number_in};
use crate::slack::{Line, Slack};
use crate::wait::{STEP_MAX, is_ready, now, page, until};

/// What was promised is done so soon after the database is back, seconds.
const CAUGHT_UP_S: f64 = 10.0;
/// Commits whose answer is lost, one after the other, from the opening of an incident on.
const COMMITS: u32 = 12;
const ELI: &str = "U0ELI00001";

/// What a dead man's switch hears: that all is well, and that it is not.
struct Switch {
    url: String,
    well: Arc<AtomicU32>,
    failing: Arc<AtomicU32>,
}

impl Switch {
    async fn start() -> Self {
        let (well, failing) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let count = |heard: &Arc<AtomicU32>| {
            let heard = Arc::clone(heard);
            get(move || async move {
                heard.fetch_add(1, Ordering::Relaxed);
            })
        };
        let router = Router::new().route("/ping", count(&well)).route("/ping/fail", count(&failing));
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}/ping", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, well, failing }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_postgres_is_away_the_program_says_so_and_then_catches_up() {
    let Some(mut cluster) = Cluster::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let slack = Slack::start(folder.path());
    let switch = Switch::start().await;
    let heartbeat = format!("[heartbeat]\nurl = \"{}\"\nevery = \"10s\"\n", switch.url);
    let bot = Bot::new(folder.path(), &slack, cluster.url.clone(), slack.bot_port).with(&heartbeat);
    let _life = bot.start().await;
    until("the heart beats", async || switch.well.load(Ordering::Relaxed) > 0).await;
    let mut people = People::new(slack.clone(), usize::MAX);

    // Away for a moment: what was confirmed is not lost, and everything goes on.
    people.open_for("db-team").await;
    cluster.kill();
    cluster.start_again();
    until("the first page comes", async || page(&slack, 1, 1).await.is_some()).await;

    // Away until two more tiers are due.
    people.open_for("dev-team").await;
    cluster.kill();
    until("it is not ready", async || !is_ready(&bot).await).await;
    let well = switch.well.load(Ordering::Relaxed);
    until("the switch hears of it", async || switch.failing.load(Ordering::Relaxed) > 0).await;
    let confirmed = people.confirmed.opened.len();
    people.open_for("db-team").await;
    assert_eq!(people.confirmed.opened.len(), confirmed, "nobody is promised what cannot be kept");
    tokio::time::sleep(Duration::from_secs(12)).await;
    assert_eq!(switch.well.load(Ordering::Relaxed), well, "the heart beats without a database");
    cluster.start_again();
    let back = now();
    until("the second tier is called", async || page(&slack, 2, 2).await.is_some()).await;
    let came = page(&slack, 2, 2).await.expect("it came");
    println!("the database came back after a while: the page that was due came {:.1} s later", came - back);
    assert!(came - back <= CAUGHT_UP_S, "{:.1} s", came - back);
    until("it is ready again", async || is_ready(&bot).await).await;
    until("the heart beats again", async || switch.well.load(Ordering::Relaxed) > well).await;
    bot.come_to_rest().await;
    let verdict = judge::compare(&bot, &slack, &people.confirmed).await;
    println!("PostgreSQL killed twice: {verdict}");
    assert!(verdict.complaints.is_empty(), "{verdict}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_is_lost_is_neither_forgotten_nor_repeated() {
    let Some(cluster) = Cluster::start() else { return };
    let way = Way::to(&cluster).await;
    let folder = tempfile::tempdir().unwrap();
    let slack = Slack::start(folder.path());
    let bot = Bot::new(folder.path(), &slack, way.url.clone(), slack.bot_port);
    let _life = bot.start().await;
    let line = Line::to(bot.port());
    let mut people = People::new(slack.clone(), usize::MAX);
    for nth in 1..=COMMITS {
        let title = format!("outage {nth}");
        way.lose_answer_to_commit(nth);
        let opened = async {
            loop {
                // Slack would not type it again, but who did not hear of it may; by the same delivery it is the same incident.
                let text = format!("open team=db-team {title}");
                let said = line.types(ELI, "/incident", &text, &format!("open.{nth}")).await;
                if let Some(number) = said.as_deref().and_then(number_in) {
                    return number;
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        };
        let number = tokio::time::timeout(STEP_MAX, opened).await.expect("it is answered in the end");
        assert_eq!(number, i64::from(nth), "one incident for each delivery");
        people.confirmed.opened.push((number, title));
        until("the answer is lost", async || way.has_lost_it()).await;
        until("it is paged", async || page(&slack, number, 1).await.is_some()).await;
        if nth % 3 == 0 {
            way.cut();
        }
        until("somebody has it", async || {
            line.types(ELI, "/escalate", &format!("INC-{number} ack"), &format!("ack.{nth}"))
                .await
                .is_some_and(|said| said.contains("have it"))
        })
        .await;
    }
    bot.come_to_rest().await;
    let mut verdict = judge::compare(&bot, &slack, &people.confirmed).await;
    judge::complete(&slack, COMMITS as usize, &mut verdict).await;
    let db = bot.db().await;
    let mut tx = db.read().await.unwrap();
    assert_eq!(incidents::all_ids(&mut tx).await.unwrap().len(), COMMITS as usize);
    drop(tx);
    db.close().await;
    println!("the answers to {COMMITS} commits lost: {verdict}");
    assert!(verdict.complaints.is_empty(), "{verdict}");
}
