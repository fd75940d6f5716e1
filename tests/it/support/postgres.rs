//! A throw-away PostgreSQL for tests: one server per test process, one database per test.
//!
//! A shell is the server's keeper: it waits for the end of its input, which comes when this process ends in whatever
//! way, then stops the server and removes its directory.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

/// Set to 1 where PostgreSQL must be there, so that its tests cannot be left out unnoticed.
const REQUIRED: &str = "FIREBELL_REQUIRE_POSTGRES";
const USER: &str = "firebell";
/// A user whose password is asked for, once a test has created it; nobody else's is, because checking one is slow.
pub(crate) const GUARDED_USER: &str = "guarded";
/// A port may be taken between choosing it and using it.
const START_ATTEMPTS: u32 = 3;

const KEEPER: &str = r#"
trap '' INT HUP
end() { rm -rf "$DIRECTORY"; exit "$1"; }
"$BIN/initdb" -D "$DIRECTORY/data" -U "$OWNER" --auth=trust --encoding=UTF8 --locale=C --no-sync \
    >"$DIRECTORY/log" 2>&1 || { cat "$DIRECTORY/log"; end 1; }
{
    echo "host all $GUARDED 127.0.0.1/32 scram-sha-256"
    echo "host all all 127.0.0.1/32 trust"
} >"$DIRECTORY/data/pg_hba.conf"
"$BIN/pg_ctl" -D "$DIRECTORY/data" -l "$DIRECTORY/log" -w -t 30 -o "$OPTIONS" start >/dev/null 2>&1 \
    || { cat "$DIRECTORY/log"; end 1; }
echo ready
cat >/dev/null
"$BIN/pg_ctl" -D "$DIRECTORY/data" -w -m immediate stop >/dev/null 2>&1
end 0
"#;

struct Server {
    port: u16,
    databases: AtomicU32,
    /// Its input is open as long as this process lives.
    _keeper: Child,
}

/// The URL of a new, empty database for one test, which goes when the server goes; `None` where PostgreSQL is not installed.
pub(crate) async fn database() -> Option<String> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    let server = SERVER.get_or_init(start).as_ref()?;
    let name = format!("test_{}", server.databases.fetch_add(1, Ordering::Relaxed));
    let mut conn = PgConnection::connect(&url(server.port, "postgres")).await.expect("the test's own server answers");
    conn.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.expect("a new database");
    conn.close().await.expect("the test's own server answers");
    Some(url(server.port, &name))
}

fn url(port: u16, database: &str) -> String {
    format!("postgres://{USER}@127.0.0.1:{port}/{database}")
}

/// Where PostgreSQL's programs are; says so where they are not.
pub(crate) fn find_bin_or_say() -> Option<PathBuf> {
    let found = find_bin();
    if found.is_none() {
        assert!(std::env::var(REQUIRED).as_deref() != Ok("1"), "{REQUIRED}=1, but PostgreSQL is not installed");
        // Not through `eprintln!`, which is hidden when a test passes.
        let _ = writeln!(std::io::stderr(), "PostgreSQL is not installed: its tests are left out");
    }
    found
}

fn start() -> Option<Server> {
    let bin = find_bin_or_say()?;
    let mut complaint = String::new();
    for _ in 0..START_ATTEMPTS {
        match start_once(&bin) {
            Ok(server) => return Some(server),
            Err(said) => complaint = said,
        }
    }
    panic!("PostgreSQL of {} does not start:\n{complaint}", bin.display());
}

fn start_once(bin: &Path) -> Result<Server, String> {
    let directory = tempfile::Builder::new().prefix("firebell-postgres-").tempdir().expect("a directory");
    let port = free_port();
    let mut keeper = Command::new("/bin/sh");
    keeper.arg("-c").arg(KEEPER).current_dir("/");
    keeper.env("BIN", bin).env("DIRECTORY", directory.path()).env("OWNER", USER).env("GUARDED", GUARDED_USER);
    keeper.env(
        "OPTIONS",
        format!(
            "-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories= -c max_connections=200 \
             -c shared_buffers=32MB -c fsync=off -c full_page_writes=off -c synchronous_commit=off \
             -c wal_level=minimal -c max_wal_senders=0 -c autovacuum=off"
        ),
    );
    // PostgreSQL refuses to run as root.
    if directory.path().metadata().expect("exists").uid() == 0 {
        let (uid, gid) = unprivileged_user().expect("there is a user postgres or nobody");
        chown(directory.path(), Some(uid), Some(gid)).expect("root may give it away");
        keeper.uid(uid).gid(gid);
    }
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o700)).expect("is ours");
    let mut child =
        keeper.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("a shell starts");
    // From here on the keeper removes it.
    let _ = directory.keep();
    let mut said = BufReader::new(child.stdout.take().expect("is piped"));
    let mut line = String::new();
    let mut all = String::new();
    while said.read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
        if line == "ready\n" {
            return Ok(Server { port, databases: AtomicU32::new(1), _keeper: child });
        }
        all.push_str(&line);
        line.clear();
    }
    let _ = child.wait();
    Err(all)
}

/// The newest PostgreSQL that Debian's packages installed, or the one on the path.
fn find_bin() -> Option<PathBuf> {
    let packaged = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<(u32, PathBuf)> = packaged
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, bin)| bin.join("initdb").is_file())
        .collect();
    versions.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path =
        || std::env::split_paths(&path).find(|bin| bin.join("initdb").is_file() && bin.join("pg_ctl").is_file());
    versions.pop().map(|(_, bin)| bin).or_else(on_path)
}

fn free_port() -> u16 {
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    socket.local_addr().expect("is bound").port()
}

pub(crate) fn unprivileged_user() -> Option<(u32, u32)> {
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    ["postgres", "nobody"].into_iter().find_map(|wanted| {
        let line = users.lines().find(|line| line.split(':').next() == Some(wanted))?;
        let mut ids = line.split(':').skip(2).map(str::parse);
        Some((ids.next()?.ok()?, ids.next()?.ok()?))
    })
}
