//! The floors: what any server with the same promise must do at least. They share nothing with the product.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{Connection as _, SqliteConnection};
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::load::{SIGNING_SECRET, Target};

/// A floor that runs in a process of its own.
pub struct Floor {
    name: &'static str,
    port: u16,
    child: Child,
    _folder: tempfile::TempDir,
}

impl Floor {
    pub fn target(&self) -> Target {
        Target { name: format!("floor: {}", self.name), port: self.port, path: "/slack/commands" }
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts this program again as a floor, on the first core.
pub fn spawn(kind: &'static str) -> Result<Floor> {
    let name = match kind {
        "hmac" => "axum and HMAC",
        "row" => "and one durable row",
        _ => "and group commit",
    };
    let folder = tempfile::tempdir()?;
    let port = free_port()?;
    let me = std::env::current_exe()?;
    let child = on_first_core(&me.display().to_string())
        .args(["--floor", kind, &format!("{port}:{}", folder.path().join("floor.db").display())])
        .stdout(Stdio::null())
        .spawn()
        .context("the floor does not start")?;
    Ok(Floor { name, port, child, _folder: folder })
}

/// A command that runs on the first core only, where the machine has `taskset`.
pub fn on_first_core(program: &str) -> Command {
    let pinned = Command::new("taskset").args(["-c", "0", "true"]).status().is_ok_and(|status| status.success());
    if pinned {
        let mut command = Command::new("taskset");
        command.args(["-c", "0", program]);
        return command;
    }
    Command::new(program)
}

pub fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

enum Keep {
    Nothing,
    Row(Mutex<SqliteConnection>),
    Group(mpsc::Sender<(Bytes, oneshot::Sender<()>)>),
}

/// Serves a floor; `place` is `port:file`.
pub async fn serve(kind: &str, place: &str) -> Result<()> {
    let (port, file) = place.split_once(':').context("port:file")?;
    let keep = match kind {
        "hmac" => Keep::Nothing,
        "row" => Keep::Row(Mutex::new(open(file).await?)),
        _ => {
            let (queue, jobs) = mpsc::channel(4096);
            tokio::spawn(group_commit(open(file).await?, jobs));
            Keep::Group(queue)
        }
    };
    let app = Router::new().route("/slack/commands", post(answer)).with_state(Arc::new(keep));
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    Ok(axum::serve(listener, app).await?)
}

async fn open(file: &str) -> Result<SqliteConnection> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let mut connection = SqliteConnection::connect_with(&options).await?;
    sqlx::query("CREATE TABLE note (id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT")
        .execute(&mut connection)
        .await?;
    Ok(connection)
}

async fn group_commit(mut connection: SqliteConnection, mut jobs: mpsc::Receiver<(Bytes, oneshot::Sender<()>)>) {
    let mut batch = Vec::new();
    while jobs.recv_many(&mut batch, 256).await > 0 {
        let mut tx = connection.begin_with("BEGIN IMMEDIATE").await.expect("begins");
        for (body, _) in &batch {
            sqlx::query("INSERT INTO note (body) VALUES ($1)")
                .bind(&body[..])
                .execute(&mut *tx)
                .await
                .expect("inserts");
        }
        tx.commit().await.expect("commits");
        for (_, done) in batch.drain(..) {
            let _ = done.send(());
        }
    }
}

async fn answer(State(keep): State<Arc<Keep>>, headers: HeaderMap, body: Bytes) -> Result<&'static str, StatusCode> {
    verify(&headers, &body).ok_or(StatusCode::UNAUTHORIZED)?;
    match &*keep {
        Keep::Nothing => {}
        Keep::Row(connection) => {
            let mut connection = connection.lock().await;
            let insert = sqlx::query("INSERT INTO note (body) VALUES ($1)").bind(&body[..]);
            insert.execute(&mut *connection).await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
        }
        Keep::Group(queue) => {
            let (done, kept) = oneshot::channel();
            queue.send((body, done)).await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
            kept.await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
        }
    }
    Ok("")
}

fn verify(headers: &HeaderMap, body: &[u8]) -> Option<()> {
    let at = headers.get("x-slack-request-timestamp")?.to_str().ok()?;
    let age = chrono::Utc::now().timestamp() - at.parse::<i64>().ok()?;
    let signature = headers.get("x-slack-signature")?.to_str().ok()?.strip_prefix("v0=")?;
    let mut mac = Hmac::<Sha256>::new_from_slice(SIGNING_SECRET.as_bytes()).ok()?;
    mac.update(format!("v0:{at}:").as_bytes());
    mac.update(body);
    mac.verify_slice(&hex::decode(signature).ok()?).ok()?;
    (age.abs() <= 300).then_some(())
}
