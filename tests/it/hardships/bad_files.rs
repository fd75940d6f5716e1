//! Files that are no recorded incident, and databases that cannot be used, through the real binary and the real start.

use std::path::Path;
use std::process::{Command, Output};

use super::*;

fn firebell(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_firebell"));
    command.args(arguments).env_remove("FIREBELL_LOG").env_remove("FIREBELL_LOG_FORMAT");
    command.output().expect("the program starts")
}

fn record() -> Value {
    json!({
        "title": "Shop is slow", "timezone": "America/New_York", "impact": null, "root_cause": null,
        "resolution": null, "services": [], "measures": [], "tasks": [], "impact_start": null, "impact_end": null,
        "entries": [{ "at": "2023-04-02T19:00:00Z", "kind": "detected", "text": "Shop is slow" }],
    })
}

fn with(path: &str, value: Value) -> Vec<u8> {
    let mut record = record();
    *record.pointer_mut(path).expect("a field") = value;
    record.to_string().into_bytes()
}

fn without(parent: &str, field: &str) -> Vec<u8> {
    let mut record = record();
    record.pointer_mut(parent).and_then(Value::as_object_mut).expect("an object").remove(field);
    record.to_string().into_bytes()
}

fn malformed() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    vec![
        ("empty", Vec::new(), "is empty"),
        ("text", b"hello".to_vec(), "is not JSON"),
        ("cut", record().to_string().as_bytes()[..80].to_vec(), "is not JSON"),
        ("bytes", vec![0xff, 0xfe, 0, 1], "is not JSON"),
        ("deep", "[".repeat(100_000).into_bytes(), "is not JSON"),
        ("list", b"[]".to_vec(), "not an object"),
        ("null", b"null".to_vec(), "not an object"),
        ("no-title", without("", "title"), "title: is missing"),
        ("number-title", with("/title", json!(7)), "title: is"),
        ("blank-title", with("/title", json!("  ")), "title: is empty"),
        ("long-title", with("/title", json!("x".repeat(5_000))), "title: has 5000 characters"),
        ("no-zone", without("", "timezone"), "timezone: is missing"),
        ("zone", with("/timezone", json!("America/New_Yrok")), "timezone: "),
        ("no-impact", without("", "impact"), "impact: is missing"),
        ("impact", with("/impact", json!([])), "impact: is"),
        ("services", with("/services", json!("db")), "services: is"),
        ("service", with("/services", json!([1])), "services[0]: is"),
        ("measures", without("", "measures"), "measures: is missing"),
        ("start", with("/impact_start", json!("noon")), "impact_start: "),
        ("no-entries", without("", "entries"), "entries: is missing"),
        ("entries", with("/entries", json!({})), "entries: is"),
        ("none", with("/entries", json!([])), "entries: is empty"),
        ("entry", with("/entries/0", json!("x")), "entries[0]: is"),
        ("no-at", without("/entries/0", "at"), "entries[0].at: is missing"),
        ("at", with("/entries/0/at", json!("2023-13-01T00:00:00Z")), "entries[0].at: "),
        ("far", with("/entries/0/at", json!("+262142-12-31T23:59:59Z")), "entries[0].at: "),
        ("no-kind", without("/entries/0", "kind"), "entries[0].kind: is missing"),
        ("kind", with("/entries/0/kind", json!("explosion")), "entries[0].kind: "),
        ("no-text", without("/entries/0", "text"), "entries[0].text: is missing"),
        ("text-empty", with("/entries/0/text", json!("")), "entries[0].text: is empty"),
    ]
}

#[test]
fn a_file_that_is_no_recorded_incident_ends_with_2_and_says_where_and_why() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, bytes, reason) in malformed() {
        let file = folder.path().join(format!("{name}.json"));
        std::fs::write(&file, bytes).expect("written");
        let ended = firebell(&["replay", file.to_str().expect("text")]);
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(2), "{name}: {said}");
        let line = said.lines().find(|line| line.contains(reason)).unwrap_or_else(|| panic!("{name}: {said}"));
        assert!(line.starts_with(&file.display().to_string()), "{name}: {line}");
        assert!(ended.stdout.is_empty(), "{name} printed a document");
    }
}

#[test]
fn a_missing_file_and_a_folder_are_malformed_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let missing = folder.path().join("none.json");
    for file in [missing.as_path(), folder.path()] {
        let ended = firebell(&["replay", file.to_str().expect("text")]);
        assert_eq!(ended.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&ended.stderr).contains("cannot be read"));
    }
}

#[test]
fn one_malformed_file_among_good_ones_is_told_before_anything_is_played() {
    let folder = tempfile::tempdir().expect("a folder");
    let (good, bad) = (folder.path().join("good.json"), folder.path().join("bad.json"));
    std::fs::write(&good, record().to_string()).expect("written");
    std::fs::write(&bad, with("/title", json!(7))).expect("written");
    let ended = firebell(&["replay", good.to_str().expect("text"), bad.to_str().expect("text")]);
    assert_eq!((ended.status.code(), ended.stdout.len()), (Some(2), 0));
}

async fn refusal(house: &House) -> String {
    match house.try_bell().await {
        Ok(_) => panic!("the program started"),
        Err(error) => format!("{error:#}"),
    }
}

async fn sqlite(file: &Path) -> sqlx::SqliteConnection {
    use sqlx::Connection as _;
    sqlx::SqliteConnection::connect(&format!("sqlite:{}", file.display())).await.expect("opens")
}

async fn run(file: &Path, sql: &'static str) {
    use sqlx::Executor as _;
    sqlite(file).await.execute(sql).await.expect("runs");
}

#[tokio::test]
async fn a_database_of_a_newer_firebell_is_left_alone_with_the_way_out() {
    let house = House::on_sqlite().await;
    drop(house.bell().await);
    let file = house.folder.path().join("firebell.db");
    run(
        &file,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (99999, 'later', 1, x'00', 0)",
    )
    .await;
    let said = refusal(&house).await;
    assert!(said.contains("newer Firebell") && said.contains("Start that version"), "{said}");
}

#[tokio::test]
async fn a_locked_database_is_named_and_can_be_used_again_when_the_lock_is_gone() {
    use sqlx::Executor as _;
    let house = House::on_sqlite().await;
    drop(house.bell().await);
    let file = house.folder.path().join("firebell.db");
    let mut other = sqlite(&file).await;
    other.execute("BEGIN EXCLUSIVE").await.expect("locks");
    let said = refusal(&house).await;
    assert!(said.contains("locked by another process"), "{said}");
    other.execute("ROLLBACK").await.expect("unlocks");
    house.bell().await;
}

#[tokio::test]
async fn a_lock_while_running_refuses_with_a_reference_and_passes() {
    use sqlx::Executor as _;
    let house = House::on_sqlite().await;
    let bell = house.bell().await;
    let file = house.folder.path().join("firebell.db");
    let mut other = sqlite(&file).await;
    other.execute("BEGIN IMMEDIATE").await.expect("locks");
    let (status, said) = bell.types_raw(ANA, "/incident open db is down", "t-1").await;
    assert_eq!(status, 200);
    assert!(said.contains("send it again") || said.contains("reference"), "{said}");
    other.execute("ROLLBACK").await.expect("unlocks");
    let (status, _) = bell.types_raw(ANA, "/incident open db is down", "t-2").await;
    assert_eq!(status, 200);
    assert!(bell.incidents().await >= 1);
}
