//! SQLite files that cannot be used: each is refused with what to do about it, and left as it is.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use firebell::clock::Clock;
use firebell::store::{Db, Error, Retry, counters, incidents};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor, SqliteConnection};

use crate::store_contract::samples::{opened, with_notes, workspace};
use crate::store_contract::{TestDb, open};

/// What is said when `name` in `directory` is opened.
async fn refusal(directory: &Path, name: &str) -> String {
    let url = format!("sqlite:{}", directory.join(name).display());
    let error = Db::open(&url, &Clock::System).await.expect_err("it cannot be used");
    error.to_string().replace(&directory.display().to_string(), "/data")
}

#[tokio::test]
async fn a_missing_directory_is_named_and_not_made() {
    let directory = tempfile::tempdir().expect("a directory");
    insta::assert_snapshot!(refusal(directory.path(), "missing/firebell.db").await, @"there is no directory /data/missing for the database /data/missing/firebell.db. Create it, or name another place.");
    assert!(!directory.path().join("missing").exists());
}

#[tokio::test]
async fn a_directory_is_no_database() {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(directory.path().join("bell")).expect("is made");
    insta::assert_snapshot!(refusal(directory.path(), "bell").await, @"/data/bell is a directory. Name a file in it, such as sqlite:/data/bell/firebell.db.");
}

#[tokio::test]
async fn a_file_of_another_kind_is_left_as_it_is() {
    let directory = tempfile::tempdir().expect("a directory");
    let text = "Dear diary, this is not a database, and it is longer than a header.".repeat(20);
    std::fs::write(directory.path().join("diary.txt"), &text).expect("is written");
    insta::assert_snapshot!(refusal(directory.path(), "diary.txt").await, @"/data/diary.txt is not a SQLite database, or its beginning is destroyed. It was left as it is. Name another file, or restore it from a backup.");
    assert_eq!(std::fs::read_to_string(directory.path().join("diary.txt")).expect("is there"), text);
}

#[tokio::test]
async fn the_database_of_another_program_is_left_as_it_is() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("shop.db");
    let mut conn = SqliteConnectOptions::new().filename(&path).create_if_missing(true).connect().await.expect("opens");
    conn.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY)").await.expect("is made");
    conn.close().await.expect("closes");
    let before = std::fs::read(&path).expect("is there");
    insta::assert_snapshot!(refusal(directory.path(), "shop.db").await, @"/data/shop.db is the database of another program. It was left as it is. Name another file.");
    assert_eq!(std::fs::read(&path).expect("is there"), before);
}

/// Writes a database of some size, closes it and changes its bytes.
async fn damaged(directory: &Path, damage: impl FnOnce(&mut Vec<u8>)) {
    let path = directory.join("firebell.db");
    let db = TestDb::sqlite().await;
    with_notes(&db, 147).await;
    db.raw(&["PRAGMA wal_checkpoint(TRUNCATE)"]).await.expect("is folded in");
    let mut bytes = std::fs::read(db.url.trim_start_matches("sqlite:")).expect("is there");
    damage(&mut bytes);
    std::fs::write(path, bytes).expect("is written");
}

#[tokio::test]
async fn flipped_bytes_are_found_at_the_start() {
    let directory = tempfile::tempdir().expect("a directory");
    damaged(directory.path(), |bytes| {
        // The headers of all pages but the first.
        for page in bytes.chunks_mut(4096).skip(1) {
            page[..16].fill(0xa5);
        }
    })
    .await;
    let said = refusal(directory.path(), "firebell.db").await;
    let (why, way_out) = said.split_once(". ").expect("two sentences");
    assert!(why.starts_with("the database /data/firebell.db is damaged: "), "{why}");
    insta::assert_snapshot!(way_out, @"Stop Firebell, keep a copy of the file with those beside it that end in -wal and -shm, and restore a backup; `sqlite3 /data/firebell.db .recover` may save more.");
}

#[tokio::test]
async fn a_cut_file_is_found_at_the_start() {
    let directory = tempfile::tempdir().expect("a directory");
    damaged(directory.path(), |bytes| bytes.truncate(bytes.len() / 2)).await;
    let said = refusal(directory.path(), "firebell.db").await;
    assert!(said.starts_with("the database /data/firebell.db is damaged: "), "{said}");
}

#[tokio::test]
async fn a_destroyed_beginning_is_found_at_the_start() {
    let directory = tempfile::tempdir().expect("a directory");
    damaged(directory.path(), |bytes| bytes[..100].fill(0)).await;
    insta::assert_snapshot!(refusal(directory.path(), "firebell.db").await, @"/data/firebell.db is not a SQLite database, or its beginning is destroyed. It was left as it is. Name another file, or restore it from a backup.");
}

#[tokio::test]
async fn a_database_whose_log_cannot_be_written_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    damaged(directory.path(), |_| {}).await;
    // Stands for missing permissions, which do not stop root.
    std::fs::create_dir(directory.path().join("firebell.db-wal")).expect("is made");
    insta::assert_snapshot!(refusal(directory.path(), "firebell.db").await, @"the database /data/firebell.db cannot be written. Give this user write permission on the file, on its directory, and on the files beside it that end in -wal and -shm.");
}

#[tokio::test]
async fn a_file_without_permission_to_write_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    damaged(directory.path(), |_| {}).await;
    let path = directory.path().join("firebell.db");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).expect("is ours");
    if std::fs::OpenOptions::new().write(true).open(&path).is_ok() {
        // Root may write whatever the permissions say, and so may Firebell.
        return open(&format!("sqlite:{}", path.display())).await.check().await.expect("is whole");
    }
    insta::assert_snapshot!(refusal(directory.path(), "firebell.db").await, @"the database /data/firebell.db cannot be written. Give this user write permission on the file, on its directory, and on the files beside it that end in -wal and -shm.");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_place_where_no_file_can_be_made_is_refused() {
    let said = refusal(Path::new("/proc"), "firebell.db").await;
    assert!(said.starts_with("the database /data/firebell.db cannot be opened: "), "{said}");
    assert!(said.ends_with(". Check the file and its directory, or name another place."), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_of_another_process_is_waited_for_and_then_named() {
    let db = TestDb::sqlite().await;
    opened(&db, 1).await;
    let mut other = SqliteConnection::connect(&db.url).await.expect("opens");
    other.execute("BEGIN EXCLUSIVE").await.expect("locks");
    let (opening, writing) = tokio::join!(Db::open(&db.url, &Clock::System), db.write());
    let said = opening.expect_err("it is locked").to_string();
    let path = db.url.trim_start_matches("sqlite:");
    insta::assert_snapshot!(said.replace(path, "/data/firebell.db"), @"the database /data/firebell.db has been locked by another process for more than 5 s. End that process (a backup, a sqlite3 shell?) and start again.");
    let busy = writing.expect_err("it is locked");
    assert!(matches!(busy, Error::Busy), "{busy:?}");
    assert!(matches!(busy.retry(), Retry::After(_)));
    let mut tx = db.read().await.expect("readers go on");
    assert_eq!(incidents::all_ids(&mut tx).await.expect("lists").len(), 1);
    other.execute("ROLLBACK").await.expect("unlocks");
    let mut tx = db.write().await.expect("writers go on, without a restart");
    counters::allocate(&mut tx, &workspace()).await.expect("is given");
    tx.commit().await.expect("commits");
}

#[tokio::test]
async fn a_file_is_made_anew_and_found_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let url = format!("sqlite://{}/firebell.db", directory.path().display());
    let db = Db::open(&url, &Clock::System).await.expect("is made");
    assert_eq!(db.location(), directory.path().join("firebell.db").display().to_string());
    opened(&db, 1).await;
    for file in ["firebell.db", "firebell.db-wal", "firebell.db-shm"] {
        let mode = std::fs::metadata(directory.path().join(file)).expect("is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file} is readable to its owner alone");
    }
    db.check().await.expect("is whole");
    db.close().await;
    assert!(!directory.path().join("firebell.db-wal").exists(), "closing folds the log into the file");
    let db = Db::open(&url, &Clock::System).await.expect("opens");
    let mut tx = db.read().await.expect("begins");
    assert_eq!(incidents::all_ids(&mut tx).await.expect("lists").len(), 1);
}

#[tokio::test]
async fn a_url_of_something_else_is_refused() {
    let said = async |url: &str| Db::open(url, &Clock::System).await.expect_err("is no URL of ours").to_string();
    insta::assert_snapshot!(said("mysql://root:hunter2@localhost/bell").await, @r#"the database URL starts with "mysql:", which is neither SQLite nor PostgreSQL. Write sqlite:<path> or postgres://user:password@host/database."#);
    insta::assert_snapshot!(said("sqlite::memory:").await, @"the database URL cannot be read: an incident must survive the process, so memory is no place. Write sqlite:<path> or postgres://user:password@host/database.");
    insta::assert_snapshot!(said("postgres://localhost:many/bell").await, @"the database URL cannot be read: invalid port number. Write sqlite:<path> or postgres://user:password@host/database.");
}
