//! `firebell export` and `firebell verify`: a database that the whole program made, read without Slack.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use chrono::{DateTime, Utc};
use firebell::sandbox::Workspace;
use firebell::stage::{Set, Stage, sqlite_in};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, SqliteConnection};

use super::Shell;
use crate::support::postgres;

const CONFIG: &str = "[slack]\nmode = \"http\"\n\n[fallback]\ntargets = [\"U0ANA00001\"]\n";
const ANA: &str = "U0ANA00001";
const CHANNEL: &str = "C0INCIDENT";

/// Two incidents, the second private, in `firebell.db` of the shell's folder.
async fn two_incidents() -> Shell {
    let shell = Shell::new();
    play(&shell, sqlite_in(shell.folder.path())).await;
    shell
}

async fn play(shell: &Shell, database_url: String) {
    let at: DateTime<Utc> = "2026-11-20T14:00:00Z".parse().unwrap();
    shell.write("firebell.toml", CONFIG);
    let stage = Stage::set(Set {
        start_at: at,
        config: CONFIG.to_owned(),
        folder: shell.folder.path().to_owned(),
        database_url,
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

#[tokio::test(flavor = "multi_thread")]
async fn who_may_only_read_the_file_can_verify_and_export_and_is_told_why_they_cannot_serve() {
    let mut shell = two_incidents().await;
    shell.set("SLACK_BOT_TOKEN", "xoxb-nothing").set("SLACK_SIGNING_SECRET", "0123456789abcdef0123456789abcdef");
    shell.set("SLACK_API_URL", "http://127.0.0.1:9/api");
    shell.write("firebell.toml", &format!("[server]\nbind = \"127.0.0.1:0\"\n\n{CONFIG}"));
    let ran = shell.run_as_a_reader(&["verify"]);
    assert_eq!((ran.status, ran.err.as_str(), ran.out.matches("chain intact").count()), (0, "", 2), "{}", ran.out);
    let ran = shell.run_as_a_reader(&["export", "1"]);
    assert_eq!((ran.status, ran.err.as_str()), (0, ""));
    assert!(ran.out.contains("The cache was cold"), "{}", ran.out);
    assert!(!shell.names(".").iter().any(|name| name.ends_with("-wal") || name.ends_with("-shm")));
    let ran = shell.run_as_a_reader(&["serve"]);
    assert_ne!(ran.status, 0);
    assert!(ran.err.contains("firebell.db cannot be written. Give this user write permission"), "{}", ran.err);
    let ran = shell.run_as_a_reader(&["doctor"]);
    assert!(ran.out.contains("PROBLEM  It cannot be written"), "{}", ran.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_even_read_the_file_is_told_so() {
    let shell = two_incidents().await;
    shell.run_as_a_reader(&["--version"]);
    std::fs::set_permissions(shell.path("firebell.db"), std::fs::Permissions::from_mode(0o600)).unwrap();
    if std::fs::metadata(shell.path("firebell.db")).unwrap().uid() == 0 {
        let ran = shell.run_as_a_reader(&["verify"]);
        assert_eq!(ran.status, 1);
        assert!(ran.err.contains("cannot be read by this user: Permission denied"), "{}", ran.err);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgresql_a_user_who_may_only_read_can_verify_and_export() {
    let Some(url) = postgres::database().await else { return };
    let mut shell = Shell::new();
    play(&shell, url.clone()).await;
    let mut conn = PgConnection::connect(&url).await.unwrap();
    let reader = "CREATE ROLE reader LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader";
    conn.execute(reader).await.unwrap();
    let (server, database) = url.rsplit_once('@').unwrap();
    let scheme = server.split_once("://").unwrap().0;
    shell.set("DATABASE_URL", &format!("{scheme}://reader@{database}"));
    let ran = shell.run(&["verify"]);
    assert_eq!((ran.status, ran.err.as_str(), ran.out.matches("chain intact").count()), (0, "", 2), "{}", ran.out);
    let ran = shell.run(&["export", "1"]);
    assert_eq!((ran.status, ran.err.as_str()), (0, ""));
    assert!(ran.out.contains("The cache was cold"), "{}", ran.out);
    let ran = shell.run(&["doctor"]);
    assert!(ran.out.contains("PROBLEM  It cannot be written: permission denied for schema public."), "{}", ran.out);
    let role = "REASSIGN OWNED BY reader TO CURRENT_USER; DROP OWNED BY reader; DROP ROLE reader";
    conn.execute(role).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_a_newer_firebell_is_left_alone_by_those_who_read_it() {
    let shell = two_incidents().await;
    let mut conn = unguarded(shell.folder.path()).await;
    conn.execute(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (99999, 'later', 1, x'00', 0)",
    )
    .await
    .unwrap();
    conn.close().await.unwrap();
    for command in [["verify"].as_slice(), &["export", "1"], &["doctor"]] {
        let ran = shell.run(command);
        assert_eq!(ran.status, 1);
        assert!(format!("{}{}", ran.out, ran.err).contains("newer Firebell"), "{command:?}: {}{}", ran.out, ran.err);
    }
}
