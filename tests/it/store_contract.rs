//! What the store promises, on SQLite and PostgreSQL alike: every test runs on both.

mod samples;

use firebell::clock::Clock;
use firebell::domain::effect::{Effect, Lane};
use firebell::ids::{IncidentId, PageId};
use firebell::store::{Db, chain, counters, history, inbox, incidents, outbox, timers};
use samples::{at, incident, noted, workspace};

async fn sqlite() -> (tempfile::TempDir, Db) {
    let directory = tempfile::tempdir().expect("a directory");
    let url = format!("sqlite:{}/firebell.db", directory.path().display());
    let db = Db::open(&url, &Clock::manual(at(0))).await.expect("opens");
    (directory, db)
}

#[tokio::test]
async fn smoke() {
    let (_dir, db) = sqlite().await;
    let mut tx = db.write().await.unwrap();
    let (id, number) = counters::allocate(&mut tx, &workspace()).await.unwrap();
    assert_eq!((id, number), (IncidentId(1), 1));
    let mut inc = incident(id, number);
    let mut events = Vec::new();
    let recorded: Vec<_> = (1..=100).map(|seq| noted(seq, &format!("note {seq}"))).collect();
    let head = history::link_all(chain::GENESIS, &workspace(), id, &recorded, &mut events);
    history::append(&mut tx, &events).await.unwrap();
    inc.last_seq = 100;
    incidents::save(&mut tx, &[incidents::Row { incident: &inc, head: &head, updated_at: at(0) }]).await.unwrap();
    outbox::enqueue(
        &mut tx,
        &[outbox::New {
            workspace: workspace(),
            incident: Some(id),
            effect: Effect::Page { page: PageId(1) },
            not_before: at(0),
            created_at: at(0),
            due_at: None,
        }],
    )
    .await
    .unwrap();
    tx.commit().await.unwrap();
    let mut tx = db.write().await.unwrap();
    assert_eq!(history::load(&mut tx, id).await.unwrap(), recorded);
    assert_eq!(history::verify(&mut tx, id).await.unwrap().unwrap().entries, 100);
    let claimed = outbox::claim(&mut tx, at(1), &Lane::ALL, 10, at(9)).await.unwrap();
    assert_eq!(claimed.len(), 1);
    assert_eq!(outbox::finish(&mut tx, &[(claimed[0].id, 1)]).await.unwrap(), [true]);
    assert_eq!(timers::next_due(&mut tx).await.unwrap(), None);
    assert!(inbox::answers(&mut tx, &[(workspace(), "k".into())]).await.unwrap().is_empty());
    assert_eq!(incidents::list(&mut tx, &workspace(), &incidents::Filter::default()).await.unwrap(), [inc]);
    tx.commit().await.unwrap();
}
