//! The real program under `strace`: what it says is on the disk before it says it.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

use crate::bot::Bot;
use crate::people::People;
use crate::slack::Slack;
use crate::wait::{page, until};

/// Set to 1 where strace must be there.
const REQUIRED: &str = "FIREBELL_REQUIRE_STRACE";
/// Incidents that are opened under it.
const INCIDENTS: usize = 4;

fn strace() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join("strace")).find(|program| program.is_file());
    let watches = |program: &PathBuf| {
        Command::new(program).args(["-o", "/dev/null", "true"]).status().is_ok_and(|done| done.success())
    };
    let found = found.filter(watches);
    if found.is_none() {
        assert!(
            std::env::var(REQUIRED).as_deref() != Ok("1"),
            "{REQUIRED}=1, but strace is not installed, or may not watch"
        );
        let _ = writeln!(std::io::stderr(), "strace is not installed, or may not watch: its test is left out");
    }
    found
}

/// What a process did, in order, as far as it matters here.
#[derive(Debug, PartialEq, Eq)]
enum Did<'a> {
    /// Wrote this to the log of the database.
    Logged(&'a str),
    /// The log is on the disk.
    Flushed,
    /// Sent this to somebody.
    Sent(&'a str),
}

/// Reads a trace. A call that another thread interrupts is on two lines; what counts is when writing begins and when
/// flushing has ended.
fn read(trace: &str) -> Vec<Did<'_>> {
    let mut flushing: Vec<&str> = Vec::new();
    let mut did = Vec::new();
    for line in trace.lines() {
        let (thread, call) = line.split_once(' ').unwrap_or((line, ""));
        let call = call.trim_start();
        let to_log = call.contains("-wal>");
        if call.starts_with("pwrite64(") && to_log {
            did.push(Did::Logged(call));
        } else if call.starts_with("fsync(") || call.starts_with("fdatasync(") {
            match (to_log, call.ends_with("<unfinished ...>")) {
                (true, true) => flushing.push(thread),
                (true, false) => did.push(Did::Flushed),
                (false, _) => {}
            }
        } else if call.starts_with("<... fsync resumed>") || call.starts_with("<... fdatasync resumed>") {
            if let Some(at) = flushing.iter().position(|of| *of == thread) {
                flushing.remove(at);
                did.push(Did::Flushed);
            }
        } else if ["write(", "writev(", "sendto(", "sendmsg("].iter().any(|name| call.starts_with(name)) && !to_log {
            did.push(Did::Sent(call));
        }
    }
    did
}

/// Where the first of these is, from there on.
fn first(did: &[Did<'_>], from: usize, what: impl Fn(&Did<'_>) -> bool) -> Option<usize> {
    did[from..].iter().position(what).map(|at| at + from)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_confirmed_or_sent_is_on_the_disk_before() {
    let Some(strace) = strace() else { return };
    let folder = tempfile::tempdir().unwrap();
    let slack = Slack::start(folder.path());
    let database = format!("sqlite:{}", folder.path().join("firebell.db").display());
    let bot = Bot::new(folder.path(), &slack, database, slack.bot_port);
    let file = folder.path().join("trace");
    let calls = "trace=fsync,fdatasync,pwrite64,write,writev,sendto,sendmsg";
    let under = [strace.to_str().unwrap(), "-D", "-f", "-y", "-s", "16384", "-e", calls, "-o"];
    let mut life = bot.spawn_under(&[&under[..], &[file.to_str().unwrap()]].concat());
    bot.answers().await;
    let mut people = People::new(slack.clone(), usize::MAX);
    for nth in 0..INCIDENTS {
        people.open_for("db-team").await;
        let opened = &people.confirmed.opened;
        assert_eq!(opened.len(), nth + 1, "the incident is confirmed");
        until("it is paged", async || page(&slack, opened[nth].0, 1).await.is_some()).await;
    }
    life.kill();
    // The watcher writes to the end.
    until("the trace ends", async || {
        std::fs::read_to_string(&file).is_ok_and(|trace| trace.contains("+++ killed by SIGKILL"))
    })
    .await;
    let trace = String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned();
    let did = read(&trace);
    let mut clean = 0;
    for (number, title) in &people.confirmed.opened {
        let logged = |did: &Did<'_>| matches!(did, Did::Logged(bytes) if bytes.contains(title));
        let kept = first(&did, 0, logged).expect("it is in the log");
        let flushed = first(&did, kept, |did| *did == Did::Flushed).expect("the log is flushed");
        let answers =
            |did: &Did<'_>| matches!(did, Did::Sent(text) if text.contains("200 OK") && text.contains("Opened"));
        let answered = first(&did, kept, answers).expect("it was answered");
        assert!(flushed < answered, "INC-{number} was confirmed before it was on the disk");

        let mark = format!("/{number}/page:1");
        let pages = |did: &Did<'_>| matches!(did, Did::Sent(text) if text.contains("/chat.postMessage") && text.replace("%2F", "/").replace("%3A", ":").contains(&mark));
        let sent = first(&did, kept, pages).expect("it was paged");
        assert!(flushed < sent, "INC-{number} was paged before it was on the disk");
        let last = did[..sent].iter().rposition(|did| matches!(did, Did::Logged(_))).expect("the claim is in the log");
        clean += usize::from(did[last..sent].contains(&Did::Flushed));
    }
    println!(
        "{INCIDENTS} incidents watched: on the disk before they were confirmed; {clean} claims when nothing else was written"
    );
    // Another transaction may be under way when a page is sent; but not each time.
    assert!(
        clean * 2 >= INCIDENTS,
        "pages were sent before their claims were on the disk: {clean} of {INCIDENTS} after"
    );
}
