//! The history: append-only, chained, and every kind of tampering is found.

use firebell::ids::{IncidentId, Seq};
use firebell::store::chain::{self, Broken, Stored};
use firebell::store::{Engine, Error, Retry, history, incidents};
use proptest::prelude::*;

use super::samples::{noted, with_notes, workspace};
use super::{TestDb, on_both};

on_both!(
    a_history_reads_back_as_it_was_written,
    a_history_of_one_incident_never_shows_another,
    an_entry_can_be_neither_changed_nor_deleted,
    an_erased_entry_is_gone_and_the_chain_still_verifies,
    a_number_is_taken_only_once,
    an_event_without_its_incident_is_refused,
    a_flipped_letter_is_found,
    a_changed_time_is_found,
    a_changed_kind_is_found,
    a_deleted_entry_is_found,
    an_inserted_entry_is_found,
    two_swapped_entries_are_found,
    a_cut_tail_is_found,
    a_history_that_was_rewritten_from_one_entry_on_is_found,
    a_half_erased_entry_is_found,
    an_unknown_incident_cannot_be_verified,
);

async fn a_history_reads_back_as_it_was_written(db: &TestDb) {
    // 147 rows need statements of all sizes.
    let (incident, recorded) = with_notes(db, 147).await;
    let mut tx = db.read().await.expect("begins");
    assert_eq!(history::load(&mut tx, incident.id).await.expect("loads"), recorded);
    assert_eq!(history::after(&mut tx, incident.id, 145).await.expect("loads"), recorded[145..]);
    let stored = incidents::load(&mut tx, incident.id).await.expect("loads");
    let verified = history::verify(&mut tx, incident.id).await.expect("reads").expect("is whole");
    assert_eq!((verified.entries, verified.head), (147, stored.head));
}

async fn a_history_of_one_incident_never_shows_another(db: &TestDb) {
    let (first, _) = with_notes(db, 3).await;
    let (second, recorded) = with_notes(db, 2).await;
    assert_ne!(first.id, second.id);
    let mut tx = db.read().await.expect("begins");
    assert_eq!(history::load(&mut tx, second.id).await.expect("loads"), recorded);
}

async fn an_entry_can_be_neither_changed_nor_deleted(db: &TestDb) {
    let (incident, recorded) = with_notes(db, 3).await;
    for change in [
        "UPDATE history SET payload = '{}' WHERE seq = 2",
        "UPDATE history SET at = at + 1, payload = NULL, salt = NULL WHERE seq = 2",
        "UPDATE history SET payload = NULL WHERE seq = 2",
        "DELETE FROM history WHERE seq = 3",
    ] {
        let error = db.raw(&[change]).await.expect_err(change);
        assert!(error.to_string().contains("history is append-only"), "{change}: {error}");
    }
    if db.engine() == Engine::Postgres {
        db.raw(&["TRUNCATE history"]).await.expect_err("nothing may be lost");
    }
    let mut tx = db.read().await.expect("begins");
    assert_eq!(history::load(&mut tx, incident.id).await.expect("loads"), recorded);
}

async fn an_erased_entry_is_gone_and_the_chain_still_verifies(db: &TestDb) {
    let (incident, recorded) = with_notes(db, 3).await;
    let mut tx = db.write().await.expect("begins");
    assert!(history::erase(&mut tx, incident.id, 2).await.expect("erases"));
    assert!(!history::erase(&mut tx, incident.id, 2).await.expect("erases"), "nothing is left to erase");
    assert!(!history::erase(&mut tx, incident.id, 9).await.expect("erases"), "there is no such entry");
    tx.commit().await.expect("commits");
    let mut tx = db.read().await.expect("begins");
    let rest = [recorded[0].clone(), recorded[2].clone()];
    assert_eq!(history::load(&mut tx, incident.id).await.expect("loads"), rest);
    assert_eq!(history::erased(&mut tx, incident.id).await.expect("loads"), [2]);
    assert_eq!(history::verify(&mut tx, incident.id).await.expect("reads").expect("is whole").entries, 3);
}

async fn a_number_is_taken_only_once(db: &TestDb) {
    let (incident, _) = with_notes(db, 1).await;
    let mut tx = db.write().await.expect("begins");
    let again = history::link(chain::GENESIS, &workspace(), incident.id, &noted(1, "another"));
    let error = history::append(&mut tx, &[again]).await.expect_err("the number is taken");
    assert!(error.is_unique_violation());
    assert_eq!(error.retry(), Retry::Now);
}

async fn an_event_without_its_incident_is_refused(db: &TestDb) {
    let mut tx = db.write().await.expect("begins");
    let event = history::link(chain::GENESIS, &workspace(), IncidentId(99), &noted(1, "lost"));
    history::append(&mut tx, &[event]).await.expect("its incident may still follow");
    let error = tx.commit().await.expect_err("there is no incident 99");
    assert!(!error.is_unique_violation());
    assert_eq!(error.retry(), Retry::Never);
    let mut tx = db.read().await.expect("begins");
    assert!(history::load(&mut tx, IncidentId(99)).await.expect("loads").is_empty());
}

async fn a_flipped_letter_is_found(db: &TestDb) {
    let change = "UPDATE history SET payload = replace(payload, 'note 3', 'note 8') WHERE seq = 3";
    assert_eq!(broken_by(db, &[change]).await, (3, "its content is not what was committed to"));
}

async fn a_changed_time_is_found(db: &TestDb) {
    let change = "UPDATE history SET at = at - 60000000 WHERE seq = 4";
    assert_eq!(broken_by(db, &[change]).await, (4, "it does not follow from the entry before"));
}

async fn a_changed_kind_is_found(db: &TestDb) {
    let change = "UPDATE history SET kind = 'resolved' WHERE seq = 4";
    assert_eq!(broken_by(db, &[change]).await, (4, "it does not follow from the entry before"));
}

async fn a_deleted_entry_is_found(db: &TestDb) {
    assert_eq!(broken_by(db, &["DELETE FROM history WHERE seq = 2"]).await, (2, "it is missing"));
}

async fn an_inserted_entry_is_found(db: &TestDb) {
    let changes = [
        "UPDATE history SET seq = 6 WHERE seq = 5",
        "UPDATE history SET seq = 5 WHERE seq = 4",
        "UPDATE history SET seq = 4 WHERE seq = 3",
        "INSERT INTO history SELECT incident_id, 3, workspace, at, recorded_at, kind, payload, salt, commitment, hash
         FROM history WHERE seq = 2",
    ];
    assert_eq!(broken_by(db, &changes).await, (3, "it does not follow from the entry before"));
}

async fn two_swapped_entries_are_found(db: &TestDb) {
    let changes = [
        "UPDATE history SET seq = 9 WHERE seq = 2",
        "UPDATE history SET seq = 2 WHERE seq = 3",
        "UPDATE history SET seq = 3 WHERE seq = 9",
    ];
    assert_eq!(broken_by(db, &changes).await, (2, "it does not follow from the entry before"));
}

async fn a_cut_tail_is_found(db: &TestDb) {
    assert_eq!(broken_by(db, &["DELETE FROM history WHERE seq >= 4"]).await, (4, "it is missing"));
    let shortened = "UPDATE incidents SET last_seq = 3";
    let (seq, why) = verdict(db, &[shortened]).await;
    assert_eq!((seq, why), (3, "its hash is not the one that the incident knows"));
}

async fn a_history_that_was_rewritten_from_one_entry_on_is_found(db: &TestDb) {
    let (incident, recorded) = with_notes(db, 3).await;
    let mut forged = Vec::new();
    let mut lie = recorded.clone();
    lie[2] = noted(3, "nothing happened");
    let _ = history::link_all(chain::GENESIS, &workspace(), incident.id, &lie, &mut forged);
    tampering(db, &["DELETE FROM history"]).await;
    let mut tx = db.write().await.expect("begins");
    history::append(&mut tx, &forged).await.expect("is appended");
    tx.commit().await.expect("commits");
    let (seq, why) = verdict(db, &[]).await;
    assert_eq!((seq, why), (3, "its hash is not the one that the incident knows"));
}

async fn a_half_erased_entry_is_found(db: &TestDb) {
    assert_eq!(broken_by(db, &["UPDATE history SET salt = NULL WHERE seq = 1"]).await, (1, "it is only half erased"));
}

async fn an_unknown_incident_cannot_be_verified(db: &TestDb) {
    let mut tx = db.read().await.expect("begins");
    let error = history::verify(&mut tx, IncidentId(5)).await.expect_err("there is none");
    assert!(matches!(error, Error::NoSuchIncident(IncidentId(5))));
}

/// What is found broken in a history of five entries after these changes.
async fn broken_by(db: &TestDb, changes: &[&'static str]) -> (Seq, &'static str) {
    with_notes(db, 5).await;
    verdict(db, changes).await
}

async fn verdict(db: &TestDb, changes: &[&'static str]) -> (Seq, &'static str) {
    tampering(db, changes).await;
    let mut tx = db.read().await.expect("begins");
    let id = incidents::all_ids(&mut tx).await.expect("loads")[0];
    let Broken { seq, why } = history::verify(&mut tx, id).await.expect("reads").expect_err("it was tampered with");
    (seq, why)
}

/// Changes rows as somebody would who has the database and takes the triggers off first.
async fn tampering(db: &TestDb, changes: &[&'static str]) {
    let off: &[&'static str] = match db.engine() {
        Engine::Sqlite => {
            &["DROP TRIGGER IF EXISTS history_keeps_every_entry", "DROP TRIGGER IF EXISTS history_only_erases"]
        }
        Engine::Postgres => &["ALTER TABLE history DISABLE TRIGGER USER"],
    };
    db.raw(&[off, changes].concat()).await.expect("the tamperer has the database");
}

/// A whole chain of so many entries.
fn whole(count: Seq) -> Vec<Stored> {
    let mut prev = chain::GENESIS.to_owned();
    let entry = |seq: Seq| {
        let event = noted(seq, &format!("note {seq}"));
        let (payload, salt) = (format!("note {seq}"), format!("salt {seq}"));
        let commitment = chain::commit(&salt, &payload);
        let (at, recorded_at, kind) = (event.occurrence.at, event.recorded_at, "noted".to_owned());
        let facts =
            chain::Facts { incident: IncidentId(7), seq, at, recorded_at, kind: &kind, commitment: &commitment };
        prev = chain::link(&prev, &facts);
        let hash = prev.clone();
        Stored { seq, at, recorded_at, kind, payload: Some(payload), salt: Some(salt), commitment, hash }
    };
    (1..=count).map(entry).collect()
}

/// One letter becomes another.
fn flip(text: &mut String, which: usize) {
    let at = which % text.len();
    let letter = if text.as_bytes()[at] == b'0' { "1" } else { "0" };
    text.replace_range(at..=at, letter);
}

fn renumber(entries: &mut [Stored]) {
    for (seq, entry) in (1..).zip(entries) {
        entry.seq = seq;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_done_to_a_chain_its_first_bad_entry_is_named(
        count in 2_u32..12, place in any::<prop::sample::Index>(), other in any::<prop::sample::Index>(),
        harm in 0..13, which in 0_usize..100,
    ) {
        let mut entries = whole(count);
        let head = entries[entries.len() - 1].hash.clone();
        let (at, by) = (place.index(entries.len()), other.index(entries.len()));
        prop_assert!(chain::verify(IncidentId(7), &entries, count, &head).is_ok());
        let (mut last_seq, mut bad) = (count, at + 1);
        match harm {
            0 => flip(entries[at].payload.as_mut().expect("a payload"), which),
            1 => flip(entries[at].salt.as_mut().expect("a salt"), which),
            2 => flip(&mut entries[at].commitment, which),
            3 => flip(&mut entries[at].kind, which),
            4 => flip(&mut entries[at].hash, which),
            5 => entries[at].at += chrono::TimeDelta::microseconds(1),
            6 => entries[at].recorded_at -= chrono::TimeDelta::microseconds(1),
            7 => entries[at].salt = None,
            8 => drop(entries.remove(at)),
            9 => {
                entries.remove(at);
                renumber(&mut entries);
            }
            10 => {
                entries.insert(at, entries[by].clone());
                renumber(&mut entries);
                bad = if at == by { at + 2 } else { at + 1 };
            }
            11 => {
                prop_assume!(at != by);
                entries.swap(at, by);
                renumber(&mut entries);
                bad = at.min(by) + 1;
            }
            _ => {
                // Whoever cuts the tail and corrects the count still has another head.
                prop_assume!(at > 0);
                entries.truncate(at);
                last_seq = Seq::try_from(at).expect("few");
                bad = at;
            }
        }
        let broken = chain::verify(IncidentId(7), &entries, last_seq, &head).expect_err("it was tampered with");
        prop_assert_eq!(broken.seq as usize, bad, "{}", broken.why);
    }

    #[test]
    fn a_chain_with_any_texts_erased_is_whole(count in 1_u32..12, erased in any::<u16>()) {
        let mut entries = whole(count);
        for (_, entry) in entries.iter_mut().enumerate().filter(|(n, _)| (erased >> n) & 1 == 1) {
            (entry.payload, entry.salt) = (None, None);
        }
        let head = entries[entries.len() - 1].hash.clone();
        prop_assert!(chain::verify(IncidentId(7), &entries, count, &head).is_ok());
    }
}
