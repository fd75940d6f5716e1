//! What only a PostgreSQL server can do: refuse us, go away, and serve several replicas.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use chrono::TimeDelta;
use firebell::clock::Clock;
use firebell::domain::effect::Effect;
use firebell::ids::{IncidentId, PageId};
use firebell::store::inbox::{self, Delivery};
use firebell::store::outbox::{self, New};
use firebell::store::{Db, Error, Retry, Wakes, incidents};
use sqlx::{Connection, Executor, PgConnection};

use crate::store_contract::samples::{answer, at, opened, workspace};
use crate::store_contract::{TestDb, open};
use crate::support::postgres::GUARDED_USER;

/// The host and port in a test's URL.
fn server(url: &str) -> &str {
    url.split_once('@').and_then(|(_, rest)| rest.split_once('/')).expect("a URL of ours").0
}

async fn refusal(url: &str, hide: &str) -> String {
    let error = Db::open(url, &Clock::System).await.expect_err("it is refused");
    error.to_string().replace(hide, "<server>")
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_named() {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let server = socket.local_addr().expect("is bound").to_string();
    drop(socket);
    insta::assert_snapshot!(refusal(&format!("postgres://ana:hunter2@{server}/bell"), &server).await, @"PostgreSQL at ana@<server>/bell cannot be reached: Connection refused (os error 111). Check that it runs and that host and port are right.");
}

#[tokio::test]
async fn a_wrong_password_and_a_missing_database_are_told_apart() {
    let Some(db) = TestDb::postgres().await else { return };
    db.raw(&["CREATE ROLE guarded LOGIN PASSWORD 'right'"]).await.expect("is made");
    let at = server(&db.url);
    insta::assert_snapshot!(refusal(&format!("postgres://{GUARDED_USER}:wrong@{at}/postgres"), at).await, @r#"PostgreSQL at guarded@<server>/postgres refused the login: password authentication failed for user "guarded". Check the user and the password in the database URL."#);
    insta::assert_snapshot!(refusal(&format!("postgres://firebell@{at}/missing"), at).await, @"PostgreSQL at firebell@<server>/missing has no such database. Create it: createdb missing");
    assert!(!db.location().contains("password") && db.location().ends_with(db.url.rsplit('/').next().expect("a name")));
}

fn effect(incident: IncidentId) -> New {
    New {
        workspace: workspace(),
        incident: Some(incident),
        effect: Effect::Page { page: PageId(1) },
        not_before: at(0),
        created_at: at(0),
        due_at: None,
    }
}

/// Whether a wake is there already.
async fn is_woken(wakes: &mut Wakes) -> bool {
    let mut next = pin!(wakes.next());
    poll_fn(|context| Poll::Ready(next.as_mut().poll(context).is_ready())).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_committed_effect_wakes_every_replica() {
    let Some(one) = TestDb::postgres().await else { return };
    let other = open(&one.url).await;
    let id = opened(&one, 1).await[0].id;
    let (mut here, mut there) = (one.listen().await.expect("listens"), other.listen().await.expect("listens"));
    let mut tx = one.write().await.expect("begins");
    outbox::enqueue(&mut tx, &[effect(id)]).await.expect("is put in");
    tx.rollback().await.expect("is undone");
    let mut tx = one.write().await.expect("begins");
    incidents::lock(&mut tx, &[id]).await.expect("locks");
    tx.commit().await.expect("commits");
    assert!(!is_woken(&mut here).await && !is_woken(&mut there).await, "there is nothing to do");
    let mut tx = one.write().await.expect("begins");
    outbox::enqueue(&mut tx, &[effect(id)]).await.expect("is put in");
    tx.commit().await.expect("commits");
    here.next().await;
    there.next().await;
}

#[tokio::test]
async fn a_committed_effect_wakes_this_process_on_sqlite() {
    let db = TestDb::sqlite().await;
    let id = opened(&db, 1).await[0].id;
    let mut wakes = db.listen().await.expect("listens");
    let mut tx = db.write().await.expect("begins");
    outbox::enqueue(&mut tx, &[effect(id)]).await.expect("is put in");
    assert!(!is_woken(&mut wakes).await);
    tx.commit().await.expect("commits");
    assert!(is_woken(&mut wakes).await);
    assert!(!is_woken(&mut wakes).await, "once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_incident_is_waited_for_or_left_out() {
    let Some(one) = TestDb::postgres().await else { return };
    let other = open(&one.url).await;
    let all = opened(&one, 2).await;
    let ids = [all[0].id, all[1].id];
    let mut holder = one.write().await.expect("begins");
    incidents::lock(&mut holder, &ids[..1]).await.expect("locks");
    let mut tx = other.write().await.expect("begins");
    let free = incidents::try_lock(&mut tx, &ids).await.expect("locks");
    assert_eq!(free.iter().map(|stored| stored.incident.id).collect::<Vec<_>>(), ids[1..]);
    drop(tx);
    let waiter = tokio::spawn(async move {
        let mut tx = other.write().await.expect("begins");
        incidents::lock(&mut tx, &ids).await.expect("locks").remove(0).incident.title
    });
    let mut changed = all[0].clone();
    changed.title = "changed by the holder".into();
    let row = incidents::Row { incident: &changed, head: "h", updated_at: at(1), keeps_its_places: false };
    incidents::save(&mut holder, &[row]).await.expect("is saved");
    holder.commit().await.expect("commits");
    assert_eq!(waiter.await.expect("no panic"), "changed by the holder");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_to_two_replicas_at_once_is_handled_by_one() {
    let Some(one) = TestDb::postgres().await else { return };
    let other = open(&one.url).await;
    let delivery =
        |number| Delivery { workspace: workspace(), key: "trigger".into(), received_at: at(0), answer: answer(number) };
    let mut first = one.write().await.expect("begins");
    inbox::remember(&mut first, &[delivery(1)]).await.expect("is remembered");
    let second = tokio::spawn(async move {
        let mut tx = other.write().await.expect("begins");
        let error = inbox::remember(&mut tx, &[delivery(2)]).await.expect_err("the other has it");
        drop(tx);
        let mut tx = other.write().await.expect("begins");
        let key = (workspace(), "trigger".to_owned());
        let found = inbox::answers(&mut tx, std::slice::from_ref(&key)).await.expect("looks")[&key].clone();
        (error, found)
    });
    first.commit().await.expect("commits");
    let (error, found) = second.await.expect("no panic");
    assert!(error.is_unique_violation());
    assert_eq!(error.retry(), Retry::Now);
    assert_eq!(found, answer(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_connections_cost_one_transaction_and_no_wake() {
    let Some(db) = TestDb::postgres().await else { return };
    let id = opened(&db, 1).await[0].id;
    let mut wakes = db.listen().await.expect("listens");
    let mut tx = db.write().await.expect("begins");
    outbox::enqueue(&mut tx, &[effect(id)]).await.expect("is put in");
    let mut admin = PgConnection::connect(&db.url).await.expect("connects");
    admin
        .execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'firebell'
                  AND datname = current_database()",
        )
        .await
        .expect("cuts");
    let error = tx.commit().await.expect_err("the connection is gone");
    assert!(matches!(error, Error::Sql(_)), "{error:?}");
    assert!(matches!(error.retry(), Retry::After(_)), "{error:?}");
    // The lost connection itself counts as a wake: somebody may have committed meanwhile.
    wakes.next().await;
    let mut tx = db.write().await.expect("connects again");
    assert_eq!(outbox::enqueue(&mut tx, &[effect(id)]).await.expect("is put in"), 1, "nothing of the first remains");
    tx.commit().await.expect("commits");
    wakes.next().await;
}

#[tokio::test]
async fn the_clocks_of_one_machine_agree() {
    let Some(db) = TestDb::postgres().await else { return };
    assert_eq!(db.clock_offset().await.expect("asks"), TimeDelta::zero(), "a manual clock stands by itself");
    let real = Db::open(&db.url, &Clock::System).await.expect("opens");
    let offset = real.clock_offset().await.expect("asks").abs();
    assert!(offset < TimeDelta::milliseconds(500), "{offset}");
    real.check().await.expect("answers");
}
