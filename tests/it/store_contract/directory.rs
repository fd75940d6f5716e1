//! The small tables: deliveries, alerts, captured messages, people, settings.

use std::collections::HashMap;

use firebell::domain::roster::{Person, UserGroup};
use firebell::ids::{
    ChannelId, IncidentId, IntegrationKey, MessageRef, MessageTs, TeamKey, UserGroupId, UserId, WorkspaceId,
};
use firebell::store::alerts::{self, Fired};
use firebell::store::captures::{self, Capture};
use firebell::store::inbox::{self, Delivery};
use firebell::store::{openings, people, settings};

use super::samples::{answer, at, opened, workspace};
use super::{TestDb, on_both};

on_both!(
    a_delivery_that_comes_again_finds_its_answer,
    a_delivery_is_remembered_once,
    old_deliveries_are_forgotten_oldest_first,
    an_alert_is_open_in_one_incident_at_most,
    a_repeated_alert_is_counted,
    a_closed_alert_makes_way_for_a_new_incident,
    openings_count_for_a_minute_and_for_their_team,
    a_captured_message_leads_to_its_entries,
    people_and_groups_read_back_as_last_fetched,
    a_setting_is_kept_and_an_identity_is_made_once,
);

fn delivery(key: &str, number: i64) -> Delivery {
    Delivery { workspace: workspace(), key: key.into(), received_at: at(number), answer: answer(number) }
}

fn key(key: &str) -> (WorkspaceId, String) {
    (workspace(), key.to_owned())
}

async fn a_delivery_that_comes_again_finds_its_answer(db: &TestDb) {
    let all: Vec<_> = (0..70).map(|number| delivery(&format!("trigger \"{number}\""), number)).collect();
    let mut tx = db.write().await.expect("begins");
    inbox::remember(&mut tx, &all).await.expect("is remembered");
    tx.commit().await.expect("commits");
    let other = (WorkspaceId::new("T0OTHER"), "trigger \"7\"".to_owned());
    let mut tx = db.write().await.expect("begins");
    let asked = [key("trigger \"7\""), key("trigger \"99\""), other, key("trigger \"69\"")];
    let found = inbox::answers(&mut tx, &asked).await.expect("looks");
    let expected = HashMap::from([(key("trigger \"7\""), answer(7)), (key("trigger \"69\""), answer(69))]);
    assert_eq!(found, expected);
    assert!(inbox::answers(&mut tx, &[]).await.expect("looks").is_empty());
}

async fn a_delivery_is_remembered_once(db: &TestDb) {
    let mut tx = db.write().await.expect("begins");
    inbox::remember(&mut tx, &[delivery("a", 1)]).await.expect("is remembered");
    tx.commit().await.expect("commits");
    let mut tx = db.write().await.expect("begins");
    let error = inbox::remember(&mut tx, &[delivery("b", 2), delivery("a", 3)]).await.expect_err("was handled");
    assert!(error.is_unique_violation());
    drop(tx);
    let mut tx = db.write().await.expect("begins");
    let found = inbox::answers(&mut tx, &[key("a"), key("b")]).await.expect("looks");
    assert_eq!(found, HashMap::from([(key("a"), answer(1))]), "the first answer stays, the batch is undone");
}

async fn old_deliveries_are_forgotten_oldest_first(db: &TestDb) {
    let mut tx = db.write().await.expect("begins");
    let all: Vec<_> = (1..=5).map(|number| delivery(&number.to_string(), number)).collect();
    inbox::remember(&mut tx, &all).await.expect("is remembered");
    assert_eq!(inbox::forget_before(&mut tx, at(5), 3).await.expect("forgets"), 3);
    assert_eq!(inbox::forget_before(&mut tx, at(5), 3).await.expect("forgets"), 1);
    assert_eq!(inbox::forget_before(&mut tx, at(5), 3).await.expect("forgets"), 0);
    let found = inbox::answers(&mut tx, &[key("4"), key("5")]).await.expect("looks");
    assert_eq!(found.into_keys().collect::<Vec<_>>(), [key("5")]);
}

fn grafana() -> IntegrationKey {
    IntegrationKey::new("grafana")
}

async fn an_alert_is_open_in_one_incident_at_most(db: &TestDb) {
    let all = opened(db, 2).await;
    let fired = |incident: usize, dedup_key: &str| Fired {
        integration: grafana(),
        dedup_key: dedup_key.into(),
        incident: all[incident].id,
        at: at(1),
    };
    let mut tx = db.write().await.expect("begins");
    alerts::upsert(&mut tx, &workspace(), &[fired(0, "disk\0full"), fired(1, "cpu")]).await.expect("opens");
    tx.commit().await.expect("commits");
    let mut tx = db.write().await.expect("begins");
    let asked = [(grafana(), "disk\0full".to_owned()), (grafana(), "net".to_owned()), (grafana(), "cpu".to_owned())];
    let found = alerts::find(&mut tx, &workspace(), &asked).await.expect("looks");
    assert_eq!((found.firing.len(), found.cleared.len()), (2, 0));
    assert_eq!(found.firing.get(&(grafana(), "cpu".into())), Some(&all[1].id));
    let elsewhere = alerts::find(&mut tx, &WorkspaceId::new("T0OTHER"), &asked).await.expect("looks");
    assert_eq!(elsewhere, alerts::Found::default());
    assert_eq!(alerts::find(&mut tx, &workspace(), &[]).await.expect("looks"), alerts::Found::default());
    let error = alerts::upsert(&mut tx, &workspace(), &[fired(0, "cpu")]).await.expect_err("is open in another");
    assert!(error.is_unique_violation());
}

async fn a_repeated_alert_is_counted(db: &TestDb) {
    let id = opened(db, 1).await[0].id;
    let fired = |second| Fired { integration: grafana(), dedup_key: "disk".into(), incident: id, at: at(second) };
    let mut tx = db.write().await.expect("begins");
    alerts::upsert(&mut tx, &workspace(), &[fired(1)]).await.expect("opens");
    alerts::upsert(&mut tx, &workspace(), &[fired(2), fired(4), fired(3)]).await.expect("repeats");
    let of = alerts::of(&mut tx, id).await.expect("loads");
    assert_eq!((of.len(), of[0].count, of[0].last_at, of[0].open), (1, 4, at(4), true));
}

async fn a_closed_alert_makes_way_for_a_new_incident(db: &TestDb) {
    let all = opened(db, 3).await;
    let fired = |incident: usize| Fired {
        integration: grafana(),
        dedup_key: "disk".into(),
        incident: all[incident].id,
        at: at(1),
    };
    let mut tx = db.write().await.expect("begins");
    alerts::upsert(&mut tx, &workspace(), &[fired(0)]).await.expect("opens");
    let closed = alerts::close(&mut tx, &workspace(), &grafana(), "disk").await.expect("closes");
    assert_eq!(closed, Some(all[0].id));
    assert_eq!(alerts::close(&mut tx, &workspace(), &grafana(), "disk").await.expect("closes"), None);
    alerts::upsert(&mut tx, &workspace(), &[fired(1)]).await.expect("opens anew");
    assert_eq!(alerts::close_all_of(&mut tx, all[1].id).await.expect("closes"), 1);
    alerts::upsert(&mut tx, &workspace(), &[fired(2)]).await.expect("opens anew");
    alerts::upsert(&mut tx, &workspace(), &[fired(0)]).await.expect_err("is open in the third");
}

async fn openings_count_for_a_minute_and_for_their_team(db: &TestDb) {
    let (db_team, dev_team) = (TeamKey::from("db-team"), TeamKey::from("dev-team"));
    let mut tx = db.write().await.expect("begins");
    for second in 0..10 {
        openings::note(&mut tx, &workspace(), Some(&db_team), IncidentId(second), at(second)).await.expect("is noted");
    }
    openings::note(&mut tx, &workspace(), None, IncidentId(10), at(5)).await.expect("is noted");
    for (team, now, count) in [
        (Some(&db_team), 9, 10),
        (Some(&db_team), 64, 5),
        (Some(&db_team), 69, 0),
        // The clock was set back.
        (Some(&db_team), -3_600, 0),
        (None, 9, 1),
        (Some(&dev_team), 9, 0),
    ] {
        let found = openings::recent(&mut tx, &workspace(), team, at(now)).await.expect("counts");
        assert_eq!(found, count, "{team:?} at {now}");
    }
    assert_eq!(openings::recent(&mut tx, &"T0OTHER".into(), Some(&db_team), at(9)).await.expect("counts"), 0);
    assert_eq!(openings::forget_before(&mut tx, at(5)).await.expect("forgets"), 5);
    assert_eq!(openings::recent(&mut tx, &workspace(), Some(&db_team), at(9)).await.expect("counts"), 5);
}

async fn a_captured_message_leads_to_its_entries(db: &TestDb) {
    let all = opened(db, 2).await;
    let message = MessageRef { channel: ChannelId::new("C0OPS"), ts: MessageTs::new("1680462000.000100") };
    let capture = |incident: usize, seq| Capture {
        workspace: workspace(),
        message: message.clone(),
        incident: all[incident].id,
        seq,
    };
    let mut tx = db.write().await.expect("begins");
    captures::record(&mut tx, &[capture(1, 4), capture(0, 2)]).await.expect("records");
    captures::record(&mut tx, &[capture(0, 2)]).await.expect("records once");
    let found = captures::find(&mut tx, &workspace(), &message).await.expect("looks");
    assert_eq!(found, [(all[0].id, 2), (all[1].id, 4)]);
    let other = MessageRef { ts: MessageTs::new("1680462000.000200"), ..message.clone() };
    assert!(captures::find(&mut tx, &workspace(), &other).await.expect("looks").is_empty());
    let elsewhere = captures::find(&mut tx, &WorkspaceId::new("T0OTHER"), &message).await.expect("looks");
    assert!(elsewhere.is_empty());
}

async fn people_and_groups_read_back_as_last_fetched(db: &TestDb) {
    let person = |id: &str, name: &str| Person {
        id: UserId::new(id),
        name: name.into(),
        zone: Some("Europe/Berlin".into()),
        deactivated: false,
        is_bot: false,
        restricted: false,
        external: false,
    };
    let group = |users: &[&str]| UserGroup {
        id: UserGroupId::new("S0DB"),
        handle: "db-team".into(),
        name: "Database".into(),
        users: users.iter().copied().map(UserId::from).collect(),
    };
    let mut tx = db.write().await.expect("begins");
    let old = [person("U0ANA", "ana"), person("U0BEN", "ben \u{0} ✓")];
    people::upsert(&mut tx, &workspace(), &old, at(1)).await.expect("writes");
    let newer = [person("U0ANA", "nobody"), person("U0ANA", "Ana B.")];
    people::upsert(&mut tx, &workspace(), &newer, at(2)).await.expect("writes");
    people::upsert(&mut tx, &WorkspaceId::new("T0OTHER"), &[person("U0EVE", "eve")], at(1)).await.expect("writes");
    people::upsert_groups(&mut tx, &workspace(), &[group(&["U0ANA"])], at(1)).await.expect("writes");
    people::upsert_groups(&mut tx, &workspace(), &[group(&["U0BEN"])], at(3)).await.expect("writes");
    let all = people::load_all(&mut tx, &workspace()).await.expect("loads");
    assert_eq!(
        all.iter().map(|person| (&*person.value.name, person.fetched_at)).collect::<Vec<_>>(),
        [("Ana B.", at(2)), ("ben \u{0} ✓", at(1))]
    );
    let groups = people::load_all_groups(&mut tx, &workspace()).await.expect("loads");
    assert_eq!((groups.len(), groups[0].fetched_at), (1, at(3)));
    let directory = people::load_directory(&mut tx, &workspace()).await.expect("loads");
    assert_eq!(directory.name(&UserId::new("U0ANA")), "Ana B.");
    assert_eq!(directory.groups[&UserGroupId::new("S0DB")], group(&["U0BEN"]));
}

async fn a_setting_is_kept_and_an_identity_is_made_once(db: &TestDb) {
    let mut tx = db.write().await.expect("begins");
    assert_eq!(settings::get(&mut tx, "demo.now").await.expect("loads"), None);
    settings::set(&mut tx, "demo.now", "1").await.expect("writes");
    settings::set(&mut tx, "demo.now", "2").await.expect("writes");
    assert_eq!(settings::get(&mut tx, "demo.now").await.expect("loads").as_deref(), Some("2"));
    assert_eq!(settings::get_or_set(&mut tx, "instance", "one").await.expect("writes"), "one");
    assert_eq!(settings::get_or_set(&mut tx, "instance", "two").await.expect("writes"), "one");
}
