//! The outbox: claims, leases, fences and slots.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use firebell::domain::effect::{Effect, Lane};
use firebell::ids::{IncidentId, PageId, Seq, UserId};
use firebell::store::outbox::{self, Again, Claimed, Depth, EffectId, New};

use super::samples::{at, opened, workspace};
use super::{TestDb, on_both};

on_both!(
    the_best_lane_goes_first_and_in_it_the_oldest,
    a_claimed_effect_is_the_claimers_until_the_lease_ends,
    an_effect_whose_lease_ended_is_claimed_again_as_uncertain,
    whoever_lost_the_lease_changes_nothing,
    a_finished_effect_is_gone,
    several_outcomes_are_fenced_one_by_one,
    a_retried_effect_waits_until_its_time,
    an_effect_stays_uncertain_once_it_was,
    a_slot_waits_once_per_incident,
    a_slot_may_be_taken_anew_while_its_effect_is_sent_but_is_not_sent_beside_it,
    a_retried_effect_and_a_newer_one_of_its_slot_become_one,
    an_effect_without_a_slot_or_incident_is_never_folded,
    the_postmortem_follows_what_the_channel_is_still_to_be_told,
    unwanted_effects_are_dropped_unless_under_way,
    what_is_given_up_is_kept_aside,
    the_next_wake_is_the_next_time_something_becomes_ready,
    the_depth_is_counted_per_lane,
    many_claimers_never_get_the_same_effect,
);

fn page(page: u32) -> Effect {
    Effect::Page { page: PageId(page) }
}

fn post(seq: Seq) -> Effect {
    Effect::Post { seq }
}

fn new(incident: IncidentId, effect: Effect) -> New {
    New { workspace: workspace(), incident: Some(incident), effect, not_before: at(0), created_at: at(0), due_at: None }
}

async fn enqueue(db: &TestDb, effects: &[New]) -> u64 {
    let mut tx = db.write().await.expect("begins");
    let count = outbox::enqueue(&mut tx, effects).await.expect("is put in");
    tx.commit().await.expect("commits");
    count
}

/// Claims at `second` with a lease of 8 s.
async fn claim(db: &TestDb, second: i64, lanes: &[Lane], limit: u32) -> Vec<Claimed> {
    let mut tx = db.write().await.expect("begins");
    let claimed = outbox::claim(&mut tx, at(second), lanes, limit, at(second + 8)).await.expect("claims");
    tx.commit().await.expect("commits");
    claimed
}

async fn claim_all(db: &TestDb, second: i64) -> Vec<Claimed> {
    claim(db, second, &Lane::ALL, 100).await
}

async fn finish(db: &TestDb, attempts: &[(EffectId, u32)]) -> Vec<bool> {
    let mut tx = db.write().await.expect("begins");
    let ours = outbox::finish(&mut tx, attempts).await.expect("finishes");
    tx.commit().await.expect("commits");
    ours
}

async fn retry(db: &TestDb, claimed: &Claimed, second: i64, uncertain: bool) -> bool {
    let again = Again {
        id: claimed.id,
        attempt: claimed.attempt,
        not_before: at(second),
        error: "rate\0limited".into(),
        uncertain,
    };
    let mut tx = db.write().await.expect("begins");
    let ours = outbox::retry(&mut tx, &again).await.expect("retries");
    tx.commit().await.expect("commits");
    ours
}

fn effects(claimed: &[Claimed]) -> Vec<Effect> {
    claimed.iter().map(|claimed| claimed.effect.clone()).collect()
}

async fn the_best_lane_goes_first_and_in_it_the_oldest(db: &TestDb) {
    let id = opened(db, 1).await[0].id;
    let due = New { due_at: Some(at(-3)), ..new(id, page(2)) };
    let all = [new(id, post(1)), new(id, Effect::CreateChannel), new(id, page(1)), new(id, post(2)), due];
    assert_eq!(enqueue(db, &all).await, 5);
    assert_eq!(claim(db, 0, &[Lane::Answer], 9).await, []);
    let channel_work = claim(db, 0, &[Lane::Chatter, Lane::Channel], 2).await;
    assert_eq!(effects(&channel_work), [Effect::CreateChannel, post(1)]);
    let rest = claim(db, 0, &Lane::ALL, 9).await;
    assert_eq!(effects(&rest), [page(1), page(2), post(2)]);
    assert_eq!(rest[1].due_at, Some(at(-3)));
    assert_eq!((rest[1].incident, &rest[1].workspace, rest[1].created_at), (Some(id), &workspace(), at(0)));
}

async fn a_claimed_effect_is_the_claimers_until_the_lease_ends(db: &TestDb) {
    let id = opened(db, 1).await[0].id;
    enqueue(db, &[new(id, page(1))]).await;
    let claimed = claim_all(db, 0).await;
    assert_eq!((claimed.len(), claimed[0].attempt, claimed[0].uncertain), (1, 1, false));
    assert_eq!(claim_all(db, 7).await, []);
}

async fn an_effect_whose_lease_ended_is_claimed_again_as_uncertain(db: &TestDb) {
    let id = opened(db, 1).await[0].id;
    enqueue(db, &[new(id, page(1))]).await;
    let first = claim_all(db, 0).await.remove(0);
    let second = claim_all(db, 8).await.remove(0);
    assert_eq!(second, Claimed { attempt: 2, uncertain: true, lapsed: true, ..first });
}

async fn whoever_lost_the_lease_changes_nothing(db: &TestDb) {
    let id = opened(db, 1).await[0].id;
    enqueue(db, &[new(id, page(1))]).await;
    let slow = claim_all(db, 0).await.remove(0);
    let taken_over = claim_all(db, 8).await.remove(0);
    assert_eq!(finish(db, &[(slow.id, slow.attempt)]).await, [false]);
    assert!(!retry(db, &slow, 9, true).await);
    let mut tx = db.write().await.expect("begins");
    assert!(!outbox::give_up(&mut tx, slow.id, slow.attempt, "too late").await.expect("gives up"));
    tx.commit().await.expect("commits");
    assert_eq!(finish(db, &[(taken_over.id, taken_over.attempt)]).await, [true]);
}

async fn a_finished_effect_is_gone(db: &TestDb) {
    let id = opened(db, 1).await[0].id;
    enqueue(db, &[new(id, page(1))]).await;
    let claimed = claim_all(db, 0).await.remove(0);
    assert_eq!(finish(db, &[(claimed.id, claimed.attempt)]).await, [true]);
    assert_eq!(finish(db, &[(claimed.id, claimed.attempt)]).await, [false], "once");
    assert_eq!(claim_all(db, 1_000).await, []);
}

async fn several_outcomes_are_fenced_one_by_one(db: &TestDb) {
    let id = opened(db, 1).await[0].id;
    enqueue(db, &[new(id, page(1)), new(id, page(2)), new(id, page(3))]).await;
    let claimed = claim_all(db, 0).await;
    let attempts = [(claimed[2].id, 1), (claimed[0].id, 2), (EffectId(999), 1), (claimed[1].id, 1)];
    assert_eq!(finish(db, &attempts).await, [true, false, false, true]);
    assert_eq!(finish(db, &[]).await, [false; 0]);
    assert_eq!(effects(&claim_all(db, 8).await), [page(1)]);
}

async fn a_retried_effect_waits_until_its_time(db: &TestDb) {
    let id = opened(db, 1).await[0].id;
    enqueue(db, &[new(id, page(1))]).await;
    let first = claim_all(db, 0).await.remove(0);
    assert!(retry(db, &first, 30, false).await);
    assert_eq!(claim_all(db, 29).await, []);
    let second = claim_all(db, 30).await.remove(0);
    assert_eq!((second.id, second.attempt, second.uncertain), (first.id, 2, false));
}

async fn an_effect_stays_uncertain_once_it_was(db: &TestDb) {
    let id = opened(db, 1).await[0].id;
    enqueue(db, &[new(id, page(1))]).await;
    let first = claim_all(db, 0).await.remove(0);
    retry(db, &first, 1, true).await;
    let second = claim_all(db, 1).await.remove(0);
    retry(db, &second, 2, false).await;
    assert!(claim_all(db, 2).await[0].uncertain);
}

async fn a_slot_waits_once_per_incident(db: &TestDb) {
    let all = opened(db, 2).await;
    let (first, second) = (all[0].id, all[1].id);
    let card = || Effect::UpdateCard;
    assert_eq!(enqueue(db, &[new(first, card()), new(first, card()), new(second, card())]).await, 2);
    assert_eq!(enqueue(db, &[new(first, card()), new(first, page(1)), new(first, page(2))]).await, 2);
    assert_eq!(claim_all(db, 0).await.len(), 4);
}

async fn a_slot_may_be_taken_anew_while_its_effect_is_sent_but_is_not_sent_beside_it(db: &TestDb) {
    let id = opened(db, 1).await[0].id;
    enqueue(db, &[new(id, Effect::UpdateCard)]).await;
    let older = claim_all(db, 0).await.remove(0);
    assert_eq!(enqueue(db, &[new(id, Effect::UpdateCard)]).await, 1);
    assert_eq!(claim_all(db, 1).await, [], "the older one could arrive later");
    let again = claim_all(db, 8).await;
    assert_eq!(again.iter().map(|claimed| claimed.id).collect::<Vec<_>>(), [older.id], "even when its lease ends");
    finish(db, &[(older.id, 2)]).await;
    let newer = claim_all(db, 9).await;
    assert_eq!(newer.len(), 1);
    assert_ne!(newer[0].id, older.id);
}

async fn the_postmortem_follows_what_the_channel_is_still_to_be_told(db: &TestDb) {
    let ids: Vec<IncidentId> = opened(db, 2).await.into_iter().map(|incident| incident.id).collect();
    enqueue(db, &[new(ids[0], post(7)), new(ids[0], Effect::PostPostmortem), new(ids[0], post(8))]).await;
    enqueue(db, &[new(ids[1], Effect::PostPostmortem)]).await;
    let first = claim_all(db, 0).await;
    assert_eq!(
        effects(&first),
        [post(7), post(8), Effect::PostPostmortem],
        "that of the other incident has no reason to wait"
    );
    assert_eq!(first[2].incident, Some(ids[1]));
    assert!(retry(db, &first[0], 5, false).await);
    assert_eq!(claim_all(db, 1).await, [], "what was to come first was put off");
    let again = claim_all(db, 5).await;
    assert_eq!(effects(&again), [post(7)]);
    finish(db, &[(again[0].id, 2)]).await;
    assert_eq!(effects(&claim_all(db, 5).await), [Effect::PostPostmortem]);
}

async fn a_retried_effect_and_a_newer_one_of_its_slot_become_one(db: &TestDb) {
    let id = opened(db, 1).await[0].id;
    enqueue(db, &[new(id, Effect::UpdateCard), new(id, page(1))]).await;
    let claimed = claim_all(db, 0).await;
    enqueue(db, &[new(id, Effect::UpdateCard), new(id, page(2))]).await;
    let card = claimed.iter().find(|claimed| claimed.effect == Effect::UpdateCard).expect("was put in");
    assert!(retry(db, card, 5, true).await);
    finish(db, &[(claimed[0].id, 1)]).await;
    let next = claim_all(db, 5).await;
    assert_eq!(effects(&next), [page(2), Effect::UpdateCard]);
    assert_eq!((next[1].id, next[1].attempt, next[1].uncertain), (card.id, 2, true));
}

async fn an_effect_without_a_slot_or_incident_is_never_folded(db: &TestDb) {
    let id = opened(db, 1).await[0].id;
    let invite = || Effect::Invite { users: vec![UserId::new("U0BEN")] };
    let nowhere = || New { incident: None, ..new(id, Effect::Export) };
    assert_eq!(enqueue(db, &[new(id, invite()), new(id, invite()), nowhere(), nowhere()]).await, 4);
    let claimed = claim_all(db, 0).await;
    assert_eq!(effects(&claimed), [invite(), invite(), Effect::Export, Effect::Export]);
    assert!(retry(db, &claimed[3], 1, false).await);
}

async fn unwanted_effects_are_dropped_unless_under_way(db: &TestDb) {
    let id = opened(db, 1).await[0].id;
    enqueue(db, &[new(id, page(1)), new(id, page(2))]).await;
    let under_way = claim(db, 0, &[Lane::Page], 1).await.remove(0);
    let mut tx = db.write().await.expect("begins");
    let pending = outbox::pending_of(&mut tx, &[id]).await.expect("loads");
    assert_eq!(pending.iter().map(|(_, of, effect)| (*of, effect.clone())).collect::<Vec<_>>(), [(id, page(2))]);
    let dropped = outbox::drop_unwanted(&mut tx, &[under_way.id, pending[0].0, EffectId(999)]).await;
    assert_eq!(dropped.expect("drops"), 1);
    assert_eq!(outbox::drop_unwanted(&mut tx, &[]).await.expect("drops"), 0);
    tx.commit().await.expect("commits");
    assert_eq!(finish(db, &[(under_way.id, 1)]).await, [true]);
    assert_eq!(claim_all(db, 100).await, []);
}

async fn what_is_given_up_is_kept_aside(db: &TestDb) {
    let id = opened(db, 1).await[0].id;
    enqueue(db, &[new(id, page(1))]).await;
    let claimed = claim_all(db, 0).await.remove(0);
    let mut tx = db.write().await.expect("begins");
    assert!(outbox::give_up(&mut tx, claimed.id, 1, "user_not_found").await.expect("gives up"));
    tx.commit().await.expect("commits");
    assert_eq!(claim_all(db, 1_000).await, []);
    let mut tx = db.write().await.expect("begins");
    let dead = outbox::dead(&mut tx, 5).await.expect("loads");
    assert_eq!((dead.len(), dead[0].error.as_str(), dead[0].attempt), (1, "user_not_found", 1));
    assert_eq!(outbox::next_wake(&mut tx, at(0)).await.expect("loads"), None);
    assert_eq!(outbox::forget_dead_before(&mut tx, at(0), 5).await.expect("forgets"), 0);
    assert_eq!(outbox::forget_dead_before(&mut tx, at(1), 5).await.expect("forgets"), 1);
    assert!(outbox::dead(&mut tx, 5).await.expect("loads").is_empty());
}

async fn the_next_wake_is_the_next_time_something_becomes_ready(db: &TestDb) {
    let id = opened(db, 1).await[0].id;
    let next = async |second| {
        let mut tx = db.read().await.expect("begins");
        outbox::next_wake(&mut tx, at(second)).await.expect("loads")
    };
    assert_eq!(next(0).await, None);
    enqueue(db, &[New { not_before: at(60), ..new(id, post(1)) }, new(id, page(1))]).await;
    assert_eq!(next(0).await, Some(at(60)), "what is ready already is claimed, not waited for");
    claim_all(db, 0).await;
    assert_eq!(next(0).await, Some(at(8)), "a lease ends");
    assert_eq!(next(8).await, Some(at(60)));
}

async fn the_depth_is_counted_per_lane(db: &TestDb) {
    let id = opened(db, 1).await[0].id;
    enqueue(db, &[new(id, page(1)), new(id, post(1)), New { created_at: at(-9), ..new(id, post(2)) }]).await;
    claim(db, 0, &[Lane::Chatter], 1).await;
    let mut tx = db.read().await.expect("begins");
    let depth = outbox::depth(&mut tx).await.expect("counts");
    let expected = BTreeMap::from([
        (Lane::Page, Depth { pending: 1, sending: 0, dead: 0, oldest_at: Some(at(0)) }),
        (Lane::Chatter, Depth { pending: 1, sending: 1, dead: 0, oldest_at: Some(at(-9)) }),
    ]);
    assert_eq!(depth, expected);
}

async fn many_claimers_never_get_the_same_effect(db: &TestDb) {
    let all = opened(db, 10).await;
    let effects: Vec<_> =
        all.iter().flat_map(|incident| (1..=20).map(|number| new(incident.id, page(number)))).collect();
    assert_eq!(enqueue(db, &effects).await, 200);
    let claimers: Vec<_> = (0..8)
        .map(|_| {
            let db = db.db.clone();
            tokio::spawn(async move {
                let mut got = Vec::new();
                loop {
                    let mut tx = db.write().await.expect("begins");
                    let lease = at(0) + TimeDelta::seconds(8);
                    let claimed = outbox::claim(&mut tx, at(0), &[Lane::Page], 7, lease).await.expect("claims");
                    tx.commit().await.expect("commits");
                    if claimed.is_empty() {
                        return got;
                    }
                    got.extend(claimed.into_iter().map(|claimed| claimed.id));
                }
            })
        })
        .collect();
    let mut got = Vec::new();
    for claimer in claimers {
        got.extend(claimer.await.expect("no panic"));
    }
    got.sort();
    assert_eq!(got.len(), 200);
    got.dedup();
    assert_eq!(got.len(), 200);
}
