//! Bringing the schema up to date: over data, twice, by many at once, and never backwards.

use std::collections::BTreeSet;

use firebell::clock::Clock;
use firebell::domain::command::Timer;
use firebell::domain::effect::{Effect, Lane};
use firebell::domain::event::Recorded;
use firebell::domain::roster::{Person, UserGroup};
use firebell::ids::{EscalationId, IncidentId, IntegrationKey, MessageRef, PageId, UserGroupId, UserId, WorkspaceId};
use firebell::store::chain::{self, Facts};
use firebell::store::{
    Db, Error, alerts, captures, counters, history, inbox, incidents, openings, outbox, people, said, settings, timers,
};
use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqliteConnection};

use super::samples::{answer, at, incident, noted, opened, workspace};
use super::{TestDb, on_both, open};
use crate::support::postgres as server;

static ON_SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static ON_POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

on_both!(opening_again_changes_nothing, a_newer_schema_is_refused, a_schema_of_another_build_is_refused,);

async fn opening_again_changes_nothing(db: &TestDb) {
    opened(db, 2).await;
    for _ in 0..2 {
        let again = open(&db.url).await;
        let mut tx = again.read().await.expect("begins");
        assert_eq!(incidents::all_ids(&mut tx).await.expect("lists").len(), 2);
        drop(tx);
        again.close().await;
    }
}

async fn a_newer_schema_is_refused(db: &TestDb) {
    db.raw(&["INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
              VALUES (9001, 'from the future', true, '', 0)"])
        .await
        .expect("is written");
    let error = Db::open(&db.url, &Clock::System).await.expect_err("it is newer");
    let Error::NewerSchema { found: 9001, known } = error else { panic!("{error:?}") };
    let said = error.to_string().replace(&format!("to {known}"), "to <ours>");
    insta::allow_duplicates! {
        insta::assert_snapshot!(said, @"the database has schema 9001, but this Firebell knows only up to <ours>: a newer Firebell has used it. Start that version, or restore the backup from before the upgrade.");
    }
}

async fn a_schema_of_another_build_is_refused(db: &TestDb) {
    db.raw(&["UPDATE _sqlx_migrations SET checksum = '' WHERE version = 1"]).await.expect("is written");
    let error = Db::open(&db.url, &Clock::System).await.expect_err("it differs");
    insta::allow_duplicates! {
        insta::assert_snapshot!(error, @"the database was made by a Firebell whose migration 1 differs from ours. Use a released version of Firebell.");
    }
}

/// Rows as they were stored when `version` was the newest, with the one event `event` in incident 7.
fn rows(version: i64, event: &Recorded) -> String {
    match version {
        1 => {
            let quoted = |json: String| json.replace('\'', "''");
            let mut incident = incident(IncidentId(7), 3);
            incident.last_seq = 1;
            let payload = json(&event.occurrence);
            let commitment = chain::commit("5a17", &payload);
            let facts = Facts {
                incident: IncidentId(7),
                seq: 1,
                at: event.occurrence.at,
                recorded_at: event.recorded_at,
                kind: "noted",
                commitment: &commitment,
            };
            let head = chain::link(chain::GENESIS, &facts);
            let (happened, recorded) = (event.occurrence.at.timestamp_micros(), event.recorded_at.timestamp_micros());
            let opened = at(0).timestamp_micros();
            let timer = json(&Timer::TierDue { escalation: EscalationId(1), generation: 1 });
            let effect = json(&Effect::Page { page: PageId(1) });
            format!(
                "INSERT INTO counters VALUES ('T0FIREBELL', 'incident_number', 3), ('', 'incident_id', 7);
                 INSERT INTO incidents VALUES (7, 'T0FIREBELL', 3, 'investigating', 'SEV2', true, false, 'C0INC3',
                    {opened}, NULL, 1, '{head}', 'inc-3 database 3 is down', '{state}', {opened});
                 INSERT INTO history VALUES (7, 1, 'T0FIREBELL', {happened}, {recorded}, 'noted', '{payload}', '5a17',
                    '{commitment}', '{head}');
                 INSERT INTO timers VALUES (7, 'tier:1', 'T0FIREBELL', '{timer}', {opened});
                 INSERT INTO outbox (workspace, incident_id, lane, slot, effect, state, attempt, ready_at, created_at,
                    due_at, uncertain, error)
                    VALUES ('T0FIREBELL', 7, 0, 'page:1', '{effect}', 'sending', 1, {opened}, {opened}, {opened},
                    false, NULL);
                 INSERT INTO inbox VALUES ('T0FIREBELL', 'trigger', {opened}, '{answer}');
                 INSERT INTO alerts VALUES ('T0FIREBELL', 'grafana', 'disk', 7, true, 2, {opened});
                 INSERT INTO captures VALUES ('T0FIREBELL', 'C0OPS', '1680462000.000100', 7, 1);
                 INSERT INTO people VALUES ('T0FIREBELL', 'U0ANA', '{person}', {opened});
                 INSERT INTO user_groups VALUES ('T0FIREBELL', 'S0DB', '{group}', {opened});
                 INSERT INTO settings VALUES ('instance', 'one');",
                state = quoted(json(&incident)),
                payload = quoted(payload.clone()),
                answer = json(&answer(3)),
                person = json(&ana()),
                group = json(&db_team()),
            )
        }
        2 => "UPDATE settings SET value = 'two' WHERE key = 'instance';".into(),
        3 => {
            let opened = at(0).timestamp_micros();
            format!("INSERT INTO openings VALUES ('T0FIREBELL', 'db-team', {opened}, 7);")
        }
        4 => {
            let (opened, answer) = (at(0).timestamp_micros(), json(&answer(3)));
            format!("INSERT INTO inbox VALUES ('T0FIREBELL', 'event', {opened}, '{answer}');")
        }
        // Without anybody who was made anonymous there are none.
        5 => "DELETE FROM substitutes;".into(),
        6 => {
            let opened = at(0).timestamp_micros();
            format!("INSERT INTO said VALUES (7, 'page:1', 'f1ba', {opened});")
        }
        version => panic!("add rows of the time of migration {version}"),
    }
}

fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("is JSON")
}

fn ana() -> Person {
    Person {
        id: UserId::new("U0ANA"),
        name: "ana".into(),
        zone: None,
        deactivated: false,
        is_bot: false,
        restricted: false,
        external: false,
    }
}

fn db_team() -> UserGroup {
    UserGroup { id: UserGroupId::new("S0DB"), handle: "db-team".into(), name: "Database".into(), users: vec![ana().id] }
}

/// Everything that [`rows`] left is there and works.
async fn everything_is_kept(db: &Db, event: &Recorded) {
    let id = IncidentId(7);
    let mut tx = db.write().await.expect("begins");
    let stored = incidents::load(&mut tx, id).await.expect("loads").incident;
    assert_eq!((stored.number, stored.title.as_str()), (3, "Database 3 is down"));
    let channel = "C0INC3".into();
    assert_eq!(incidents::find_by_channel(&mut tx, &workspace(), &channel).await.expect("looks"), Some(id));
    assert_eq!(history::load(&mut tx, id).await.expect("loads"), std::slice::from_ref(event));
    assert_eq!(history::verify(&mut tx, id).await.expect("reads").expect("is whole").entries, 1);
    assert_eq!(timers::due(&mut tx, at(0), 9).await.expect("loads").len(), 1);
    let claimed = outbox::claim(&mut tx, at(1), &Lane::ALL, 9, at(9)).await.expect("claims");
    assert_eq!((claimed.len(), claimed[0].attempt, claimed[0].uncertain), (1, 2, true));
    let keys = ["trigger", "event"].map(|key| (workspace(), key.to_owned()));
    let answers = inbox::answers(&mut tx, &keys).await.expect("looks");
    assert_eq!(keys.map(|key| answers[&key].clone()), [answer(3), answer(3)]);
    let closed = alerts::close(&mut tx, &workspace(), &IntegrationKey::new("grafana"), "disk").await;
    assert_eq!(closed.expect("closes"), Some(id));
    let message = MessageRef { channel: "C0OPS".into(), ts: "1680462000.000100".into() };
    assert_eq!(captures::find(&mut tx, &workspace(), &message).await.expect("looks"), [(id, 1)]);
    let directory = people::load_directory(&mut tx, &workspace()).await.expect("loads");
    assert_eq!((directory.people.len(), directory.groups.len()), (1, 1));
    let team = "db-team".into();
    assert_eq!(openings::recent(&mut tx, &workspace(), Some(&team), at(0)).await.expect("counts"), 1);
    let page = (id, "page:1".to_owned());
    assert_eq!(said::of(&mut tx, std::slice::from_ref(&page)).await.expect("loads")[&page], "f1ba");
    assert_eq!(settings::get(&mut tx, "instance").await.expect("loads").as_deref(), Some("two"));
    let given = counters::allocate(&mut tx, &workspace()).await.expect("is given");
    assert_eq!(given, (IncidentId(8), 4));
}

fn an_event() -> Recorded {
    noted(1, "it's \"down\" ✓")
}

#[tokio::test]
async fn each_sqlite_migration_keeps_the_rows_of_its_time() {
    let directory = tempfile::tempdir().expect("a directory");
    let url = format!("sqlite:{}/old.db", directory.path().display());
    let mut conn = SqliteConnection::connect(&format!("{url}?mode=rwc")).await.expect("opens");
    for migration in ON_SQLITE.iter() {
        ON_SQLITE.run_to(migration.version, &mut conn).await.expect("applies over rows");
        conn.execute(AssertSqlSafe(rows(migration.version, &an_event()))).await.expect("is written");
    }
    conn.close().await.expect("closes");
    everything_is_kept(&open(&url).await, &an_event()).await;
}

#[tokio::test]
async fn each_postgres_migration_keeps_the_rows_of_its_time() {
    let Some(url) = server::database().await else { return };
    let mut conn = PgConnection::connect(&url).await.expect("connects");
    for migration in ON_POSTGRES.iter() {
        ON_POSTGRES.run_to(migration.version, &mut conn).await.expect("applies over rows");
        conn.execute(AssertSqlSafe(rows(migration.version, &an_event()))).await.expect("is written");
    }
    conn.close().await.expect("closes");
    everything_is_kept(&open(&url).await, &an_event()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_processes_may_open_a_new_database_at_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut urls = vec![format!("sqlite:{}/new.db", directory.path().display())];
    urls.extend(server::database().await);
    for url in urls {
        let opening: Vec<_> = (0..6)
            .map(|_| {
                let url = url.clone();
                tokio::spawn(async move { Db::open(&url, &Clock::System).await })
            })
            .collect();
        for opened in opening {
            let db = opened.await.expect("no panic").expect("opens");
            let mut tx = db.write().await.expect("begins");
            counters::allocate(&mut tx, &WorkspaceId::new("T0FIREBELL")).await.expect("is given");
            tx.commit().await.expect("commits");
        }
    }
}

#[test]
fn both_engines_have_migrations_of_the_same_numbers_and_names() {
    let names = |migrator: &Migrator| -> Vec<(i64, String)> {
        migrator.iter().map(|migration| (migration.version, migration.description.to_string())).collect()
    };
    assert_eq!(names(&ON_SQLITE), names(&ON_POSTGRES));
}

#[tokio::test]
async fn both_engines_have_the_same_tables_and_columns() {
    let Some(server) = TestDb::postgres().await else { return };
    let file = TestDb::sqlite().await;
    let mut conn = SqliteConnection::connect(&file.url).await.expect("connects");
    let in_file: Vec<(String, String, bool)> = sqlx::query_as(
        "SELECT t.name, c.name, c.\"notnull\" = 1 FROM sqlite_schema t JOIN pragma_table_info(t.name) c
         WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' AND t.name <> '_sqlx_migrations'",
    )
    .fetch_all(&mut conn)
    .await
    .expect("reads");
    let mut conn = PgConnection::connect(&server.url).await.expect("connects");
    let on_server: Vec<(String, String, bool)> = sqlx::query_as(
        "SELECT table_name::text, column_name::text, is_nullable = 'NO' FROM information_schema.columns
         WHERE table_schema = 'public' AND table_name <> '_sqlx_migrations'",
    )
    .fetch_all(&mut conn)
    .await
    .expect("reads");
    let sorted = |columns: Vec<_>| columns.into_iter().collect::<BTreeSet<(String, String, bool)>>();
    assert_eq!(sorted(in_file), sorted(on_server));
}
