//! Timers: what is due when.

use firebell::domain::command::Timer;
use firebell::ids::{EscalationId, IncidentId};
use firebell::store::timers::{self, TimerSet};

use super::samples::{at, opened, workspace};
use super::{TestDb, on_both};

on_both!(
    due_timers_come_oldest_first_and_stay_until_replaced,
    replacing_touches_only_the_incidents_given,
    a_newer_generation_takes_the_place_of_the_older,
    without_timers_nothing_is_due,
    the_due_ones_are_found_among_a_hundred_thousand,
);

fn tier(escalation: u32, generation: u32) -> Timer {
    Timer::TierDue { escalation: EscalationId(escalation), generation }
}

fn set(incident: IncidentId, timers: &[(Timer, i64)]) -> TimerSet {
    let timers = timers.iter().map(|(timer, second)| (timer.clone(), at(*second))).collect();
    TimerSet { workspace: workspace(), incident, timers }
}

async fn replace(db: &TestDb, sets: &[TimerSet]) {
    let mut tx = db.write().await.expect("begins");
    timers::replace(&mut tx, sets).await.expect("is replaced");
    tx.commit().await.expect("commits");
}

/// The incident and the generation of what is due.
async fn due(db: &TestDb, second: i64, limit: u32) -> Vec<(IncidentId, Timer)> {
    let mut tx = db.read().await.expect("begins");
    let due = timers::due(&mut tx, at(second), limit).await.expect("loads");
    assert!(due.iter().all(|due| due.due_at <= at(second) && due.workspace == workspace()));
    due.into_iter().map(|due| (due.incident, due.timer)).collect()
}

async fn due_timers_come_oldest_first_and_stay_until_replaced(db: &TestDb) {
    let all = opened(db, 2).await;
    let (first, second) = (all[0].id, all[1].id);
    let lapse = Timer::AcknowledgementLapses { escalation: EscalationId(1), generation: 4 };
    replace(db, &[set(first, &[(tier(1, 1), 30), (tier(2, 1), 10)]), set(second, &[(lapse.clone(), 20)])]).await;
    assert_eq!(due(db, 9, 10).await, []);
    let expected = [(first, tier(2, 1)), (second, lapse), (first, tier(1, 1))];
    assert_eq!(due(db, 30, 10).await, expected);
    assert_eq!(due(db, 30, 2).await, expected[..2]);
    assert_eq!(due(db, 30, 10).await, expected, "reading takes nothing away");
    let mut tx = db.read().await.expect("begins");
    assert_eq!(timers::next_due(&mut tx).await.expect("loads"), Some(at(10)));
    assert_eq!(timers::count(&mut tx).await.expect("counts"), 3);
    let of_first = timers::of(&mut tx, first).await.expect("loads");
    assert_eq!(of_first.iter().map(|due| due.due_at).collect::<Vec<_>>(), [at(10), at(30)]);
}

async fn replacing_touches_only_the_incidents_given(db: &TestDb) {
    let all = opened(db, 2).await;
    replace(db, &[set(all[0].id, &[(tier(1, 1), 1)]), set(all[1].id, &[(tier(1, 1), 2)])]).await;
    replace(db, &[set(all[0].id, &[])]).await;
    assert_eq!(due(db, 9, 10).await, [(all[1].id, tier(1, 1))]);
    replace(db, &[]).await;
    assert_eq!(due(db, 9, 10).await.len(), 1);
}

async fn a_newer_generation_takes_the_place_of_the_older(db: &TestDb) {
    let id = opened(db, 1).await[0].id;
    replace(db, &[set(id, &[(tier(1, 1), 1)])]).await;
    replace(db, &[set(id, &[(tier(1, 2), 2), (tier(1, 3), 3)])]).await;
    assert_eq!(due(db, 9, 10).await, [(id, tier(1, 3))]);
}

async fn without_timers_nothing_is_due(db: &TestDb) {
    let mut tx = db.read().await.expect("begins");
    assert_eq!(timers::next_due(&mut tx).await.expect("loads"), None);
    assert!(timers::due(&mut tx, at(1_000_000), 10).await.expect("loads").is_empty());
}

async fn the_due_ones_are_found_among_a_hundred_thousand(db: &TestDb) {
    let all = opened(db, 100).await;
    let sets: Vec<_> = all
        .iter()
        .map(|incident| {
            let timers: Vec<_> = (0..1_000).map(|n| (tier(n, 1), incident.number + i64::from(n) * 100)).collect();
            set(incident.id, &timers)
        })
        .collect();
    replace(db, &sets).await;
    let mut tx = db.read().await.expect("begins");
    assert_eq!(timers::count(&mut tx).await.expect("counts"), 100_000);
    drop(tx);
    let due = due(db, 3, 10).await;
    assert_eq!(due, [(all[0].id, tier(0, 1)), (all[1].id, tier(0, 1)), (all[2].id, tier(0, 1))]);
}
