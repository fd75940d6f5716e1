//! `firebell export` and `firebell verify`: a database that the whole program made, read without Slack.

use std::path::Path;

use chrono::{DateTime, Utc};
use firebell::sandbox::Workspace;
use firebell::stage::{Set, Stage, sqlite_in};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, SqliteConnection};

use super::Shell;

const CONFIG: &str = "[slack]\nmode = \"http\"\n\n[fallback]\ntargets = [\"U0ANA00001\"]\n";
const ANA: &str = "U0ANA00001";
const CHANNEL: &str = "C0INCIDENT";

/// Two incidents, the second private, in `firebell.db` of the shell's folder.
async fn two_incidents() -> Shell {
    let shell = Shell::new();
    let at: DateTime<Utc> = "2026-11-20T14:00:00Z".parse().unwrap();
    shell.write("firebell.toml", CONFIG);
    let stage = Stage::set(Set {
        start_at: at,
        config: CONFIG.to_owned(),
        folder: shell.folder.path().to_owned(),
        database_url: sqlite_in(shell.folder.path()),
        workspace: Workspace::demo(),
        keys: Vec::new(),
        rate_limits: false,
    })
    .await
    .unwrap();
    stage.types(ANA, CHANNEL, "/incident open sev2 Checkout is slow").await.unwrap();
    let channel = stage.incident(1).await.unwrap().channel_id().unwrap().to_string();
    stage.types(ANA, &channel, "/incident note The cache was cold").await.unwrap();
    stage.types(ANA, CHANNEL, "/incident open private Keys leaked").await.unwrap();
    stage.incident(2).await.unwrap();
    stage.program.app.db().close().await;
    shell
}

/// The database without the triggers that keep its history as it is.
async fn unguarded(folder: &Path) -> SqliteConnection {
    let mut conn = SqliteConnectOptions::new().filename(folder.join("firebell.db")).connect().await.unwrap();
    let guards: Vec<(String,)> =
        sqlx::query_as("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetch_all(&mut conn).await.unwrap();
    assert!(!guards.is_empty(), "the database itself guards the history");
    for (guard,) in guards {
        conn.execute(AssertSqlSafe(format!("DROP TRIGGER {guard}"))).await.unwrap();
    }
    conn
}

#[tokio::test(flavor = "multi_thread")]
async fn an_untouched_history_verifies_and_says_its_head() {
    let shell = two_incidents().await;
    let ran = shell.run(&["verify"]);
    assert_eq!((ran.status, ran.err.as_str()), (0, ""), "{}", ran.out);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(lines.len(), 2);
    for (line, name) in lines.iter().zip(["INC-1: ", "INC-2: "]) {
        let (count, head) = line.strip_prefix(name).unwrap().split_once(" entries, chain intact, head ").unwrap();
        assert!(count.parse::<u32>().unwrap() > 1);
        assert_eq!(hex::decode(head).unwrap().len(), 32);
    }
    assert_eq!(shell.run(&["verify", "INC-2", "1"]).out.lines().collect::<Vec<_>>(), [lines[1], lines[0]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_row_is_named_and_ends_with_1() {
    let shell = two_incidents().await;
    let mut conn = unguarded(shell.folder.path()).await;
    let (seq,): (i64,) =
        sqlx::query_as("SELECT seq FROM history WHERE payload LIKE '%was cold%'").fetch_one(&mut conn).await.unwrap();
    conn.execute("UPDATE history SET payload = replace(payload, 'cold', 'warm')").await.unwrap();
    conn.close().await.unwrap();
    let ran = shell.run(&["verify"]);
    assert_eq!(ran.status, 1, "{}", ran.out);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(lines[0], format!("INC-1: BROKEN at entry {seq}: its content is not what was committed to"));
    assert!(lines[1].starts_with("INC-2: ") && lines[1].contains("chain intact"), "{}", lines[1]);
    assert!(ran.err.contains("compare it with a backup"), "{}", ran.err);
    assert_eq!(shell.run(&["verify", "2"]).status, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_whose_end_was_cut_off_does_not_verify() {
    let shell = two_incidents().await;
    let mut conn = unguarded(shell.folder.path()).await;
    conn.execute("DELETE FROM history WHERE seq = (SELECT last_seq FROM incidents WHERE id = history.incident_id)")
        .await
        .unwrap();
    conn.close().await.unwrap();
    let ran = shell.run(&["verify", "1"]);
    assert_eq!(ran.status, 1);
    assert!(ran.out.contains(": it is missing"), "{}", ran.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_are_exported_from_the_database_alone() {
    let shell = two_incidents().await;
    let markdown = shell.run(&["export", "INC-1"]);
    assert_eq!(markdown.status, 0, "{}", markdown.err);
    assert!(markdown.out.contains("The cache was cold"), "{}", markdown.out);
    let json = shell.run(&["export", "1", "2", "--format", "json"]);
    let titles: Vec<String> = serde_json::Deserializer::from_str(&json.out)
        .into_iter::<serde_json::Value>()
        .map(|document| document.unwrap()["incident"]["title"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(titles, ["Checkout is slow", "Keys leaked"]);
    assert!(shell.run(&["export", "1", "--format", "html"]).out.contains("The cache was cold"));
    let several = shell.run(&["export", "1", "2", "--format", "html"]);
    assert_eq!((several.status, several.out.as_str()), (1, ""));
    assert!(several.err.contains("--out"), "{}", several.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn private_incidents_are_exported_only_when_they_are_asked_for() {
    let shell = two_incidents().await;
    let ran = shell.run(&["export", "--all", "--out", "documents"]);
    assert_eq!((ran.status, ran.out.as_str()), (0, "INC-1: documents/INC-1-checkout-is-slow\n"));
    assert_eq!(shell.names("documents"), ["INC-1-checkout-is-slow"]);
    let with_private = shell.run(&["export", "--all", "--private", "--out", "documents"]);
    assert_eq!(with_private.out.lines().count(), 2);
    assert!(shell.run(&["export", "2"]).out.contains("Keys leaked"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_that_is_not_there_is_told_with_those_that_are() {
    let shell = two_incidents().await;
    for command in ["export", "verify"] {
        let ran = shell.run(&[command, "7"]);
        assert_eq!((ran.status, ran.out.as_str()), (1, ""));
        assert!(ran.err.contains("there is no INC-7. There are INC-2, INC-1."), "{}", ran.err);
    }
    let ran = shell.run(&["export"]);
    assert_eq!(ran.status, 2);
    assert!(ran.err.contains("`firebell export 42`, or `firebell export --all`"), "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copied_database_needs_no_configuration() {
    let shell = two_incidents().await;
    let mut elsewhere = Shell::new();
    elsewhere.set("DATABASE_URL", &sqlite_in(shell.folder.path()));
    assert_eq!(elsewhere.run(&["verify"]).status, 0);
    assert!(elsewhere.run(&["export", "1"]).out.contains("The cache was cold"));
}

#[test]
fn a_database_that_is_not_there_is_not_made() {
    for command in [&["verify"][..], &["export", "1"], &["doctor"]] {
        let shell = Shell::new();
        shell.write("firebell.toml", CONFIG);
        let ran = shell.run(command);
        assert_eq!(ran.status, 1, "{command:?}");
        assert_eq!(shell.names("."), ["firebell.toml"], "{command:?}");
    }
}
