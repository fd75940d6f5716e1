//! `firebell erase-user` and `firebell export-user`: a person in a database that the whole program made.

use chrono::{DateTime, Utc};
use firebell::sandbox::Workspace;
use firebell::stage::{Set, Stage, sqlite_in};
use serde_json::Value;
use sqlx::{Connection as _, Executor as _, SqliteConnection};

use super::Shell;

const CONFIG: &str = "[slack]\nmode = \"http\"\n\n[fallback]\ntargets = [\"U0ANA00001\"]\n\n[export]\ndir = \"postmortems\"\npeople = \"names\"\n";
const ANA: &str = "U0ANA00001";
const BEN: &str = "U0BEN00001";
const CHANNEL: &str = "C0INCIDENT";

/// INC-1, in which Ben had a hand, and INC-2, which knows nothing of him.
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
    stage.types(BEN, CHANNEL, "/incident open sev2 Checkout is slow").await.unwrap();
    let channel = stage.incident(1).await.unwrap().channel_id().unwrap().to_string();
    stage.types(BEN, &channel, "/incident note The cache was cold").await.unwrap();
    stage.types(BEN, &channel, "/incident note Ben Okafor warmed it").await.unwrap();
    stage.types(BEN, &channel, "/incident resolve").await.unwrap();
    stage.types(ANA, CHANNEL, "/incident open Keys are stiff").await.unwrap();
    stage.program.app.db().close().await;
    shell
}

#[tokio::test(flavor = "multi_thread")]
async fn erasing_is_announced_first_and_done_when_asked_for() {
    let shell = two_incidents().await;
    let heads = shell.run(&["verify"]).out;
    let files = |shell: &Shell| {
        std::fs::read_to_string(shell.path("postmortems/INC-1-checkout-is-slow/postmortem.md")).unwrap()
    };
    assert!(files(&shell).contains("Ben"), "{}", files(&shell));
    let ran = shell.run(&["erase-user", BEN]);
    assert_eq!(ran.status, 0, "{}", ran.err);
    assert!(ran.out.starts_with("U0BEN00001 (“Ben”) would be made anonymous.\nINC-1: "), "{}", ran.out);
    assert!(!ran.out.contains("INC-2"), "{}", ran.out);
    assert!(ran.out.contains("a member of @dev-team"), "{}", ran.out);
    assert!(ran.err.contains("add --yes") && ran.err.contains("messages in Slack, backups"), "{}", ran.err);
    assert_eq!(shell.run(&["verify"]).out, heads, "nothing was changed");

    let ran = shell.run(&["erase-user", BEN, "--also", "Okafor", "--yes"]);
    assert_eq!(ran.status, 0, "{}", ran.err);
    assert!(ran.out.starts_with("U0BEN00001 is “former user 1” from now on.\nINC-1: "), "{}", ran.out);
    assert!(
        ran.err.contains("messages in Slack, backups") && ran.err.contains("Deactivate the account"),
        "{}",
        ran.err
    );
    let verified = shell.run(&["verify"]);
    assert_eq!(verified.status, 0, "{}{}", verified.out, verified.err);
    let head = ran.out.lines().nth(1).unwrap().rsplit(' ').next().unwrap();
    let line = verified.out.lines().next().unwrap();
    assert!(line.contains("written anew), chain intact") && line.ends_with(head), "{line}");
    assert_eq!(verified.out.lines().nth(1), heads.lines().nth(1), "the other is as it was");
    for text in [files(&shell), shell.run(&["export", "1", "--format", "json"]).out] {
        assert!(
            text.contains("The cache was cold") && text.contains("former user 1 former user 1 warmed it"),
            "{text}"
        );
        assert!(!text.contains("Ben") && !text.contains(BEN) && !text.contains("Okafor"), "{text}");
    }
    // Nothing is left to be erased or shown.
    for command in ["erase-user", "export-user"] {
        let ran = shell.run(&[command, BEN]);
        assert_eq!((ran.status, ran.out.as_str()), (2, ""));
        assert!(ran.err.contains("Nothing is kept of U0BEN00001."), "{}", ran.err);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_stands_in_the_configuration_is_refused_with_the_lines() {
    let shell = two_incidents().await;
    let teams = "\n[[teams]]\nkey = \"dev-team\"\n\n[[teams.tiers]]\ntargets = [\"@ben\"]\nwait = \"5m\"\n";
    shell.write("firebell.toml", &format!("{CONFIG}{teams}\n[permissions]\nresolve = [\"U0BEN00001\", \"@ana\"]\n"));
    for args in [&["erase-user", BEN][..], &["erase-user", BEN, "--yes"]] {
        let ran = shell.run(args);
        assert_eq!((ran.status, ran.out.as_str()), (1, ""));
        assert!(ran.err.contains("  line 15: targets = [\"@ben\"]\n"), "{}", ran.err);
        assert!(ran.err.contains("  line 19: resolve = [\"U0BEN00001\", \"@ana\"]\n"), "{}", ran.err);
    }
    assert_eq!(shell.run(&["verify"]).out.matches("written anew").count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_of_that_id_ends_with_2_and_who_may_be_meant() {
    let shell = two_incidents().await;
    for command in ["erase-user", "export-user"] {
        let ran = shell.run(&[command, "U0BEN00002"]);
        assert_eq!((ran.status, ran.out.as_str()), (2, ""));
        assert!(ran.err.contains("Nothing is kept of U0BEN00002. Did you mean U0BEN00001 (Ben)?"), "{}", ran.err);
        for word in ["ben", "%", "u0ben00001", "U"] {
            let ran = shell.run(&[command, word]);
            assert_eq!(ran.status, 2, "{word}");
            assert!(ran.err.contains("write the id, such as U024BE7LH"), "{}", ran.err);
        }
    }
    let ran = shell.run(&["erase-user", "U0FIREBELL", "--yes"]);
    assert_eq!(ran.status, 1);
    assert!(ran.err.contains("U0FIREBELL is Firebell itself"), "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_is_kept_of_a_person_is_shown() {
    let shell = two_incidents().await;
    let ran = shell.run(&["export-user", BEN, "--also", "Okafor"]);
    assert_eq!((ran.status, ran.err.as_str()), (0, ""));
    let kept: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(kept["person"]["name"], "Ben");
    assert_eq!(kept["user_groups"], serde_json::json!(["dev-team"]));
    let incidents = kept["incidents"].as_array().unwrap();
    assert_eq!(incidents.len(), 1);
    assert_eq!(incidents[0]["incident"], "INC-1");
    assert_eq!(incidents[0]["state"]["responder"], true);
    let entries = incidents[0]["entries"].as_array().unwrap();
    let noted = |text: &str| entries.iter().any(|entry| entry["entry"]["event"]["text"] == text);
    assert!(noted("The cache was cold") && noted("Ben Okafor warmed it"), "{}", ran.out);
    assert!(!ran.out.contains("Keys are stiff"));
    let written = shell.run(&["export-user", BEN, "--also", "Okafor", "--out", "ben.json"]);
    assert_eq!((written.status, written.out.as_str()), (0, ""));
    assert_eq!(std::fs::read_to_string(shell.path("ben.json")).unwrap(), ran.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_somebody_changes_afterwards_does_not_verify() {
    for (change, why) in [
        ("UPDATE substitutes SET payload = replace(payload, 'cold', 'warm')", "are not those that were made"),
        ("DELETE FROM substitutes WHERE seq = 1", "are not those that were made"),
        (
            "INSERT INTO substitutes SELECT incident_id, (SELECT max(seq) FROM history), payload FROM substitutes WHERE seq = 1",
            "it has a copy although it was not erased",
        ),
    ] {
        let shell = two_incidents().await;
        assert_eq!(shell.run(&["erase-user", BEN, "--yes"]).status, 0);
        let mut conn = SqliteConnection::connect(&sqlite_in(shell.folder.path())).await.unwrap();
        conn.execute(change).await.unwrap();
        conn.close().await.unwrap();
        let ran = shell.run(&["verify"]);
        assert_eq!(ran.status, 1, "{}", ran.out);
        assert!(ran.out.contains("INC-1: BROKEN at entry") && ran.out.contains(why), "{}", ran.out);
    }
}
