//! A receiver of webhooks: HTTP on loopback that keeps what it is sent, and answers as it is told.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// How it answers from now on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Manner {
    #[default]
    Takes,
    Status(u16),
    Redirects(String),
    /// Takes it, and talks for a long time.
    Talks(usize),
    /// Never answers.
    Stalls,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Hook {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Hook {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The path of the link to answer.
    pub fn answer_path(&self) -> String {
        let json = self.json();
        let url = json["answer_url"].as_str().expect("a link to answer");
        url[url.find("/ack/").expect("its page")..].to_owned()
    }
}

#[derive(Default)]
struct Kept {
    hooks: Mutex<Vec<Hook>>,
    manner: Mutex<Manner>,
}

/// A running receiver; it ends when it is dropped.
pub struct Receiver {
    /// `http://127.0.0.1:<port>`.
    pub url: String,
    pub port: u16,
    kept: Arc<Kept>,
    task: JoinHandle<()>,
}

impl Receiver {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let kept = Arc::new(Kept::default());
        let router = Router::new().fallback(take).with_state(Arc::clone(&kept));
        let task = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Self { url: format!("http://127.0.0.1:{port}"), port, kept, task }
    }

    pub fn now(&self, manner: Manner) {
        *self.kept.manner.lock().expect("nobody panics with it") = manner;
    }

    /// What came to this path.
    pub fn hooks(&self, path: &str) -> Vec<Hook> {
        let hooks = self.kept.hooks.lock().expect("nobody panics with it");
        hooks.iter().filter(|hook| hook.path == path).cloned().collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn take(State(kept): State<Arc<Kept>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let path = uri.path_and_query().map_or_else(String::new, ToString::to_string);
    kept.hooks.lock().expect("nobody panics with it").push(Hook { path, headers, body });
    let manner = kept.manner.lock().expect("nobody panics with it").clone();
    match manner {
        Manner::Takes => "ok".into_response(),
        Manner::Status(status) => StatusCode::from_u16(status).expect("a status").into_response(),
        Manner::Redirects(to) => (StatusCode::FOUND, [(header::LOCATION, to)]).into_response(),
        Manner::Talks(bytes) => vec![b'x'; bytes].into_response(),
        Manner::Stalls => std::future::pending().await,
    }
}
