//! What messages of ours read.

use firebell::ids::IncidentId;
use firebell::store::said::{self, DOUBTFUL_FOR, Said, Surface};

use super::samples::{at, opened};
use super::{TestDb, on_both};

on_both!(
    what_was_accepted_last_is_known,
    while_an_edit_may_still_arrive_nothing_counts,
    what_is_forgotten_is_forgotten_for_one_incident,
);

fn surface(incident: i64, name: &str) -> Surface {
    (IncidentId(incident), name.to_owned())
}

async fn record(db: &TestDb, said: &[Said]) {
    let mut tx = db.write().await.expect("begins");
    said::record(&mut tx, said).await.expect("is recorded");
    tx.commit().await.expect("commits");
}

async fn known(db: &TestDb, incident: i64, name: &str) -> Option<String> {
    let mut tx = db.read().await.expect("begins");
    said::of(&mut tx, &[surface(incident, name)]).await.expect("loads").remove(&surface(incident, name))
}

async fn what_was_accepted_last_is_known(db: &TestDb) {
    opened(db, 2).await;
    assert_eq!(known(db, 1, "card").await, None);
    record(db, &[Said::accepted(surface(1, "card"), "aa".into(), at(1))]).await;
    record(
        db,
        &[
            Said::accepted(surface(1, "card"), "bb".into(), at(2)),
            Said::accepted(surface(1, "page:1"), "cc".into(), at(2)),
            Said::accepted(surface(2, "card"), "dd".into(), at(2)),
        ],
    )
    .await;
    let mut tx = db.read().await.expect("begins");
    let asked = [surface(1, "card"), surface(2, "card"), surface(2, "page:1")];
    let found = said::of(&mut tx, &asked).await.expect("loads");
    assert_eq!(found.into_values().collect::<Vec<_>>(), ["bb", "dd"]);
    assert!(said::of(&mut tx, &[]).await.expect("loads").is_empty());
}

async fn while_an_edit_may_still_arrive_nothing_counts(db: &TestDb) {
    opened(db, 1).await;
    let accepted = |sum: &str, second| Said::accepted(surface(1, "card"), sum.into(), second);
    record(db, &[accepted("aa", at(1))]).await;
    record(db, &[Said::doubtful(surface(1, "card"), at(2))]).await;
    assert_eq!(known(db, 1, "card").await, None);
    let certain = at(2) + DOUBTFUL_FOR;
    record(db, &[accepted("bb", certain - chrono::TimeDelta::seconds(1))]).await;
    assert_eq!(known(db, 1, "card").await, None);
    record(db, &[accepted("cc", certain)]).await;
    assert_eq!(known(db, 1, "card").await.as_deref(), Some("cc"));
}

async fn what_is_forgotten_is_forgotten_for_one_incident(db: &TestDb) {
    opened(db, 2).await;
    record(db, &[1, 2].map(|incident| Said::accepted(surface(incident, "card"), "aa".into(), at(1)))).await;
    let mut tx = db.write().await.expect("begins");
    assert_eq!(said::forget(&mut tx, IncidentId(1)).await.expect("forgets"), 1);
    tx.commit().await.expect("commits");
    assert_eq!((known(db, 1, "card").await, known(db, 2, "card").await.as_deref()), (None, Some("aa")));
}
