//! Incidents and their numbers.

use std::collections::{BTreeSet, HashMap};

use firebell::domain::incident::{Channel, Field, Incident, Status};
use firebell::ids::{ChannelId, IncidentId, WorkspaceId};
use firebell::store::inbox::{self, Delivery};
use firebell::store::incidents::{self, Filter, Row};
use firebell::store::{Error, batch, chain, counters};

use super::samples::{answer, at, opened, save, workspace};
use super::{TestDb, on_both};

on_both!(
    numbers_are_counted_per_workspace_and_ids_over_all,
    a_number_that_was_not_used_is_given_again,
    numbers_asked_for_at_once_are_all_different,
    an_incident_reads_back_as_it_was_saved,
    saving_again_replaces_and_the_last_of_several_counts,
    an_incident_that_keeps_its_places_is_saved_with_all_the_rest,
    what_a_batch_reads_first_is_what_its_parts_would_read,
    inserts_that_were_held_back_are_written_together_or_not_at_all,
    a_number_belongs_to_one_incident,
    unknown_incidents_are_left_out_of_a_lock,
    an_incident_is_found_by_channel_and_by_number_of_its_workspace,
    a_list_shows_the_newest_first_in_pages,
    a_page_of_what_is_left_to_a_newer_program_does_not_end_a_list,
    a_list_leaves_closed_and_private_incidents_out,
    a_search_takes_its_words_literally,
    an_undone_transaction_leaves_nothing,
    a_reader_sees_one_consistent_picture,
    a_damaged_state_is_named,
);

async fn numbers_are_counted_per_workspace_and_ids_over_all(db: &TestDb) {
    let other = WorkspaceId::new("T0OTHER");
    let mut tx = db.write().await.expect("begins");
    assert_eq!(counters::allocate(&mut tx, &workspace()).await.expect("is given"), (IncidentId(1), 1));
    assert_eq!(counters::allocate(&mut tx, &other).await.expect("is given"), (IncidentId(2), 1));
    let more = counters::allocate_many(&mut tx, &workspace(), 3).await.expect("is given");
    assert_eq!(more, [(IncidentId(3), 2), (IncidentId(4), 3), (IncidentId(5), 4)]);
    tx.commit().await.expect("commits");
    let mut tx = db.write().await.expect("begins");
    assert_eq!(counters::allocate(&mut tx, &other).await.expect("is given"), (IncidentId(6), 2));
}

async fn a_number_that_was_not_used_is_given_again(db: &TestDb) {
    let mut tx = db.write().await.expect("begins");
    counters::allocate(&mut tx, &workspace()).await.expect("is given");
    tx.rollback().await.expect("is undone");
    let mut tx = db.write().await.expect("begins");
    assert_eq!(counters::allocate(&mut tx, &workspace()).await.expect("is given").1, 1);
}

async fn numbers_asked_for_at_once_are_all_different(db: &TestDb) {
    let mut tasks = Vec::new();
    for _ in 0..20 {
        let db = db.db.clone();
        tasks.push(tokio::spawn(async move {
            let mut tx = db.write().await.expect("begins");
            let given = counters::allocate(&mut tx, &workspace()).await.expect("is given");
            tx.commit().await.expect("commits");
            given
        }));
    }
    let mut given = BTreeSet::new();
    for task in tasks {
        given.insert(task.await.expect("no panic"));
    }
    let expected: BTreeSet<_> = (1..=20).map(|number| (IncidentId(number), number)).collect();
    assert_eq!(given, expected);
}

async fn an_incident_reads_back_as_it_was_saved(db: &TestDb) {
    let mut incident = opened(db, 1).await.remove(0);
    incident.title = "it's \"down\" \u{0} ✓".into();
    incident.status = Status::Resolved;
    incident.resolved_at = Some(at(90));
    incident.last_seq = 12;
    let head = chain::commit("a", "b");
    let mut tx = db.write().await.expect("begins");
    incidents::save(&mut tx, &[Row { incident: &incident, head: &head, updated_at: at(91), keeps_its_places: false }])
        .await
        .expect("is saved");
    tx.commit().await.expect("commits");
    let mut tx = db.read().await.expect("begins");
    let stored = incidents::load(&mut tx, incident.id).await.expect("loads");
    assert_eq!((stored.incident, stored.head), (incident.clone(), head));
    assert_eq!(incidents::load_many(&mut tx, &[incident.id, IncidentId(77)]).await.expect("loads").len(), 1);
    let error = incidents::load(&mut tx, IncidentId(77)).await.expect_err("there is none");
    assert!(matches!(error, Error::NoSuchIncident(IncidentId(77))));
    assert!(incidents::find(&mut tx, IncidentId(77)).await.expect("looks").is_none());
}

async fn saving_again_replaces_and_the_last_of_several_counts(db: &TestDb) {
    let first = opened(db, 1).await.remove(0);
    let (mut second, mut third) = (first.clone(), first.clone());
    second.title = "second".into();
    third.title = "third".into();
    let mut tx = db.write().await.expect("begins");
    incidents::save(&mut tx, &[row(&second), row(&third)]).await.expect("is saved");
    assert_eq!(incidents::load(&mut tx, first.id).await.expect("loads").incident.title, "third");
}

async fn an_incident_that_keeps_its_places_is_saved_with_all_the_rest(db: &TestDb) {
    let mut incident = opened(db, 1).await.remove(0);
    incident.title = "changed".into();
    incident.last_seq = 9;
    let mut tx = db.write().await.expect("begins");
    let row = Row { incident: &incident, head: "h", updated_at: at(1), keeps_its_places: true };
    incidents::save(&mut tx, &[row]).await.expect("is saved");
    let stored = incidents::load(&mut tx, incident.id).await.expect("loads");
    assert_eq!((stored.incident, stored.head.as_str()), (incident, "h"));
    let filter = Filter { open_only: true, text: Some("changed".into()), ..Filter::default() };
    assert_eq!(incidents::list(&mut tx, &workspace(), &filter).await.expect("lists").incidents.len(), 1);
}

async fn what_a_batch_reads_first_is_what_its_parts_would_read(db: &TestDb) {
    let all = opened(db, 3).await;
    let key = (workspace(), "trigger \"7\"".to_owned());
    let delivery = Delivery { workspace: workspace(), key: key.1.clone(), received_at: at(0), answer: answer(2) };
    let mut tx = db.write().await.expect("begins");
    inbox::remember(&mut tx, &[delivery]).await.expect("is remembered");
    let keys = [key.clone(), (workspace(), "never came".to_owned())];
    let ids = [all[2].id, IncidentId(99), all[0].id];
    let (answers, locked) = batch::read(&mut tx, &keys, &ids).await.expect("reads");
    assert_eq!(answers, HashMap::from([(key.clone(), answer(2))]));
    let mut found: Vec<_> = locked.into_iter().map(|(id, stored)| (id, stored.expect("is sound").incident)).collect();
    found.sort_by_key(|(id, _)| *id);
    assert_eq!(found, [(all[0].id, all[0].clone()), (all[2].id, all[2].clone())]);
    for (keys, ids) in [(&keys[..], &[][..]), (&[][..], &ids[..]), (&keys[..1], &ids[..1]), (&keys[1..], &ids[1..2])] {
        let (answers, locked) = batch::read(&mut tx, keys, ids).await.expect("reads");
        assert_eq!(answers.len(), usize::from(keys.contains(&key)));
        let known = ids.iter().filter(|id| all.iter().any(|incident| incident.id == **id));
        assert_eq!(locked.len(), known.count());
    }
}

async fn inserts_that_were_held_back_are_written_together_or_not_at_all(db: &TestDb) {
    let incident = opened(db, 1).await.remove(0);
    let delivery =
        |key: &str| Delivery { workspace: workspace(), key: key.into(), received_at: at(0), answer: answer(1) };
    for (title, expected) in [("first", true), ("second", false)] {
        let mut changed = incident.clone();
        changed.title = title.into();
        let mut tx = db.write().await.expect("begins");
        tx.hold_inserts();
        let saved = async {
            incidents::save(&mut tx, &[Row { keeps_its_places: true, ..row(&changed) }]).await?;
            inbox::remember(&mut tx, &[delivery("a"), delivery(title)]).await?;
            tx.send_held().await
        };
        match saved.await {
            Ok(()) if expected => tx.commit().await.expect("commits"),
            Err(error) if !expected => assert!(error.is_unique_violation(), "{error}"),
            other => panic!("{other:?}"),
        }
    }
    let mut tx = db.read().await.expect("begins");
    assert_eq!(incidents::load(&mut tx, incident.id).await.expect("loads").incident.title, "first");
}

fn row(incident: &Incident) -> Row<'_> {
    Row { incident, head: chain::GENESIS, updated_at: at(1), keeps_its_places: false }
}

async fn a_number_belongs_to_one_incident(db: &TestDb) {
    let mut twin = opened(db, 1).await.remove(0);
    twin.id = IncidentId(50);
    let mut tx = db.write().await.expect("begins");
    assert!(incidents::save(&mut tx, &[row(&twin)]).await.expect_err("the number is taken").is_unique_violation());
}

async fn unknown_incidents_are_left_out_of_a_lock(db: &TestDb) {
    let all = opened(db, 3).await;
    let mut tx = db.write().await.expect("begins");
    let locked = incidents::lock(&mut tx, &[all[2].id, IncidentId(99), all[0].id]).await.expect("locks");
    let ids: Vec<_> = locked.iter().map(|stored| stored.incident.id).collect();
    assert_eq!(ids, [all[0].id, all[2].id]);
    assert!(incidents::lock(&mut tx, &[]).await.expect("locks").is_empty());
    assert_eq!(incidents::try_lock(&mut tx, &[all[1].id]).await.expect("locks").len(), 1);
}

async fn an_incident_is_found_by_channel_and_by_number_of_its_workspace(db: &TestDb) {
    let mut incident = opened(db, 2).await.remove(1);
    let channel = ChannelId::new("C0INC2");
    incident.channel = Channel::Open { id: channel.clone(), name: "inc-2".into() };
    let mut tx = db.write().await.expect("begins");
    save(&mut tx, &incident).await;
    let other = WorkspaceId::new("T0OTHER");
    let found = incidents::find_by_channel(&mut tx, &workspace(), &channel).await.expect("looks");
    assert_eq!(found, Some(incident.id));
    assert_eq!(incidents::find_by_channel(&mut tx, &other, &channel).await.expect("looks"), None);
    assert_eq!(incidents::find_by_number(&mut tx, &workspace(), 2).await.expect("looks"), Some(incident.id));
    assert_eq!(incidents::find_by_number(&mut tx, &workspace(), 3).await.expect("looks"), None);
    assert_eq!(incidents::find_by_number(&mut tx, &other, 2).await.expect("looks"), None);
}

async fn listed(db: &TestDb, filter: &Filter) -> Vec<i64> {
    let mut tx = db.read().await.expect("begins");
    let list = incidents::list(&mut tx, &workspace(), filter).await.expect("lists");
    list.incidents.into_iter().map(|incident| incident.number).collect()
}

async fn a_list_shows_the_newest_first_in_pages(db: &TestDb) {
    opened(db, 5).await;
    let first = Filter { limit: 2, ..Filter::default() };
    assert_eq!(listed(db, &first).await, [5, 4]);
    assert_eq!(listed(db, &Filter { before: Some(4), ..first.clone() }).await, [3, 2]);
    assert_eq!(listed(db, &Filter { before: Some(2), ..first }).await, [1]);
    let mut tx = db.read().await.expect("begins");
    let other = incidents::list(&mut tx, &WorkspaceId::new("T0OTHER"), &Filter::default()).await.expect("lists");
    assert!(other.incidents.is_empty() && other.next.is_none());
}

async fn a_page_of_what_is_left_to_a_newer_program_does_not_end_a_list(db: &TestDb) {
    opened(db, 3).await;
    let newer = "UPDATE incidents SET state = replace(state, '\"engine\":', '\"engine\":900') WHERE number > 1";
    db.raw(&[newer]).await.expect("is written");
    let first = Filter { limit: 2, ..Filter::default() };
    let mut tx = db.read().await.expect("begins");
    let left = incidents::list(&mut tx, &workspace(), &first).await.expect("lists");
    assert!(left.incidents.is_empty());
    let next = Filter { before: left.next, ..first };
    drop(tx);
    assert_eq!(listed(db, &next).await, [1]);
}

async fn a_list_leaves_closed_and_private_incidents_out(db: &TestDb) {
    let mut all = opened(db, 4).await;
    all[0].status = Status::Resolved;
    all[1].private = true;
    all[2].private = true;
    all[2].status = Status::Canceled;
    let mut tx = db.write().await.expect("begins");
    for incident in &all {
        save(&mut tx, incident).await;
    }
    tx.commit().await.expect("commits");
    let filter = |open_only, include_private| Filter { open_only, include_private, ..Filter::default() };
    assert_eq!(listed(db, &filter(false, false)).await, [4, 1]);
    assert_eq!(listed(db, &filter(true, false)).await, [4]);
    assert_eq!(listed(db, &filter(false, true)).await, [4, 3, 2, 1]);
    assert_eq!(listed(db, &filter(true, true)).await, [4, 2]);
}

async fn a_search_takes_its_words_literally(db: &TestDb) {
    let mut all = opened(db, 3).await;
    all[0].title = "100% of ÄPFEL lost".into();
    all[1].title = "1000 of pears_lost".into();
    all[2].fields.insert(Field::Service, "the Checkout \\ basket".into());
    let mut tx = db.write().await.expect("begins");
    for incident in &all {
        save(&mut tx, incident).await;
    }
    tx.commit().await.expect("commits");
    let found = async |text: &str| listed(db, &Filter { text: Some(text.into()), ..Filter::default() }).await;
    assert_eq!(found("100%").await, [1]);
    assert_eq!(found("äpfel").await, [1]);
    assert_eq!(found("s_l").await, [2]);
    assert_eq!(found(" CHECKOUT \\ ").await, [3]);
    assert_eq!(found("inc-2").await, [2]);
    assert_eq!(found("1000 lost").await, [2]);
    assert_eq!(found("lost 1000").await, [0_i64; 0]);
    assert_eq!(found("nothing like it").await, [0_i64; 0]);
}

async fn an_undone_transaction_leaves_nothing(db: &TestDb) {
    let incident = opened(db, 1).await.remove(0);
    let mut changed = incident.clone();
    changed.title = "changed".into();
    let mut tx = db.write().await.expect("begins");
    save(&mut tx, &changed).await;
    drop(tx);
    let mut tx = db.write().await.expect("the dropped one gave the database back");
    assert_eq!(incidents::load(&mut tx, incident.id).await.expect("loads").incident, incident);
}

async fn a_reader_sees_one_consistent_picture(db: &TestDb) {
    let incident = opened(db, 1).await.remove(0);
    let mut reader = db.read().await.expect("begins");
    assert_eq!(incidents::all_ids(&mut reader).await.expect("lists").len(), 1);
    opened(db, 1).await;
    assert_eq!(incidents::all_ids(&mut reader).await.expect("lists"), [incident.id]);
    let error = counters::allocate(&mut reader, &workspace()).await;
    assert!(error.is_err(), "a reader cannot write");
}

async fn a_damaged_state_is_named(db: &TestDb) {
    let incident = opened(db, 1).await.remove(0);
    let broken = "UPDATE incidents SET state = '{\"id\":1}'";
    db.raw(&[broken]).await.expect("is changed");
    let mut tx = db.read().await.expect("begins");
    let error = incidents::load(&mut tx, incident.id).await.expect_err("it is damaged");
    assert!(error.to_string().starts_with("row 1 of incidents cannot be understood: missing field"), "{error}");
}
