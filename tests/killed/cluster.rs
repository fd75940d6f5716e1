//! A PostgreSQL of its own for one test, which may be killed and started again, and a way there that may be cut.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::postgres;
use crate::slack::free_port;

/// Does what it is told, line by line, and says when it is done. When nobody can tell it any more, it ends.
const KEEPER: &str = r#"
trap '' INT HUP
start() {
    # What the last one shared with its children is in use until they have noticed.
    until "$BIN/pg_ctl" -D "$DIRECTORY/data" -l "$DIRECTORY/log" -w -t 60 -o "$OPTIONS" start >/dev/null 2>&1; do
        sleep 0.2
    done
}
"$BIN/initdb" -D "$DIRECTORY/data" -U firebell --auth=trust --encoding=UTF8 --locale=C --no-sync >"$DIRECTORY/log" 2>&1 \
    || { cat "$DIRECTORY/log"; rm -rf "$DIRECTORY"; exit 1; }
start
echo done
while read -r order; do
    case "$order" in
        kill) kill -9 "$(head -n 1 "$DIRECTORY/data/postmaster.pid")" ;;
        start) start ;;
    esac
    echo done
done
"$BIN/pg_ctl" -D "$DIRECTORY/data" -w -m immediate stop >/dev/null 2>&1
rm -rf "$DIRECTORY"
"#;

pub struct Cluster {
    pub url: String,
    port: u16,
    orders: ChildStdin,
    done: BufReader<ChildStdout>,
    _keeper: Child,
}

impl Cluster {
    /// `None` where PostgreSQL is not installed.
    pub fn start() -> Option<Self> {
        let bin = postgres::find_bin_or_say()?;
        let directory = tempfile::Builder::new().prefix("firebell-cluster-").tempdir().unwrap();
        let port = free_port();
        let mut keeper = Command::new("/bin/sh");
        keeper.arg("-c").arg(KEEPER).current_dir("/").env("BIN", bin).env("DIRECTORY", directory.path());
        // A commit that was answered survives the server's end, though not the machine's.
        let options = format!("-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories= -c fsync=off");
        keeper.env("OPTIONS", options).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        if directory.path().metadata().unwrap().uid() == 0 {
            let (uid, gid) = postgres::unprivileged_user().expect("there is a user postgres or nobody");
            chown(directory.path(), Some(uid), Some(gid)).unwrap();
            keeper.uid(uid).gid(gid);
        }
        let mut keeper = keeper.spawn().unwrap();
        let _ = directory.keep();
        let (orders, done) = (keeper.stdin.take().unwrap(), BufReader::new(keeper.stdout.take().unwrap()));
        let url = format!("postgres://firebell@127.0.0.1:{port}/postgres");
        let mut cluster = Self { url, port, orders, done, _keeper: keeper };
        cluster.wait();
        Some(cluster)
    }

    /// SIGKILL for the server; its children notice and end.
    pub fn kill(&mut self) {
        self.order("kill");
    }

    /// Starts it again, and waits until it answers.
    pub fn start_again(&mut self) {
        self.order("start");
    }

    fn order(&mut self, order: &str) {
        writeln!(self.orders, "{order}").unwrap();
        self.wait();
    }

    fn wait(&mut self) {
        let mut line = String::new();
        self.done.read_line(&mut line).unwrap();
        assert_eq!(line, "done\n", "the cluster's keeper has ended");
    }
}

/// A way to a server that may be cut.
pub struct Way {
    pub url: String,
    cut: Arc<Cut>,
}

struct Cut {
    /// How many more commits are let pass before the one whose answer is lost; 0 if all are.
    commits: AtomicU32,
    /// Each change cuts all connections.
    now: watch::Sender<u32>,
}

impl Way {
    pub async fn to(cluster: &Cluster) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let cut = Arc::new(Cut { commits: AtomicU32::new(0), now: watch::Sender::new(0) });
        let (shared, server) = (Arc::clone(&cut), cluster.port);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let cut = Arc::clone(&shared);
                tokio::spawn(async move {
                    if let Ok(far) = TcpStream::connect(("127.0.0.1", server)).await {
                        let mut now = cut.now.subscribe();
                        now.mark_unchanged();
                        tokio::select! {
                            () = carry(near, far, &cut) => {}
                            _ = now.changed() => {}
                        }
                    }
                });
            }
        });
        Self { url: format!("postgres://firebell@127.0.0.1:{port}/postgres"), cut }
    }

    /// Cuts every connection.
    pub fn cut(&self) {
        self.cut.now.send_modify(|cuts| *cuts += 1);
    }

    /// Lets the nth commit from now on reach the server, and its answer nobody.
    pub fn lose_answer_to_commit(&self, nth: u32) {
        self.cut.commits.store(nth, Ordering::Relaxed);
    }

    /// Whether that has happened.
    pub fn has_lost_it(&self) -> bool {
        self.cut.commits.load(Ordering::Relaxed) == 0
    }
}

/// Carries bytes both ways until one side ends, or a commit's answer is to be lost.
async fn carry(near: TcpStream, far: TcpStream, cut: &Cut) {
    let (mut from_near, mut to_near) = near.into_split();
    let (mut from_far, mut to_far) = far.into_split();
    let back = tokio::spawn(async move {
        let _ = tokio::io::copy(&mut from_far, &mut to_near).await;
    });
    let mut bytes = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from_near.read(&mut bytes).await {
        let sent = &bytes[..read];
        let commits = sent.windows(7).filter(|window| *window == b"COMMIT\0").count();
        let loses = (0..commits).any(|_| {
            let less = |left: u32| left.checked_sub(1);
            cut.commits.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less) == Ok(1)
        });
        if loses {
            back.abort();
            let _ = back.await;
            let _ = to_far.write_all(sent).await;
            // The server reads what was sent before it notices the end.
            let _ = to_far.shutdown().await;
            return;
        }
        if to_far.write_all(sent).await.is_err() {
            break;
        }
    }
    back.abort();
}
