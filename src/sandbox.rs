//! A strict Slack workspace of our own, on this machine: for the demo, replays, tests and clients in other languages.
//!
//! One state machine with three faces: the Web API (`api`), deliveries to the app by signed HTTP or Socket Mode
//! (`delivery`, `socket`), and people who act in it (`people`, reached through `control` by programs and by the page).
//! `live` changes the `state` and says what the app must hear (`events`); `hub` holds the lock. It lives by the
//! injected clock alone and knows nothing of the product.

pub mod blocks_check;

mod api;
mod control;
mod delivery;
mod escape;
mod events;
mod faults;
mod fixture;
mod hub;
mod journal;
mod listener;
mod live;
mod people;
mod persist;
mod ratelimit;
mod render;
mod respond;
mod snapshot;
mod socket;
mod state;
mod wire;
mod zone;

use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use anyhow::Context;
use axum::Router;
use axum::routing::{any, get, post};
use tokio::net::TcpListener;
use tokio::sync::{Notify, broadcast, watch};
use tokio::task::JoinHandle;

pub use control::Control;
pub use delivery::Delivery;
pub use faults::{ApiFault, DeliveryFault, Fault, Route};
pub use fixture::Workspace;
pub use journal::{Direction, Entry, EntryKind};
pub use live::{Change, ChangeKind};
pub use people::{Act, Container, Refusal};
pub use state::{
    App, Bookmark, Caption, Channel, ChannelKind, Dnd, Enterprise, Message, Pin, Reaction, Shortcut, ShortcutKind,
    SlashCommand, Team, User, UserGroup,
};

#[cfg(test)]
pub(crate) use api::strict;
#[cfg(test)]
pub(crate) use ratelimit::Limits;

use crate::clock::Clock;
use delivery::{Desk, run_queue};
use hub::{Hub, Keys};
use listener::{Cuttable, Peer};
use live::Live;

/// News that a slow page may miss before it has to look at everything again.
const NEWS_MAX: usize = 1024;
/// Redirects that Slack follows when it calls the app.
const REDIRECTS_MAX: usize = 2;

/// How a sandbox is to be.
#[derive(Debug)]
pub struct SandboxConfig {
    pub clock: Clock,
    /// Loopback port; 0 takes a free one.
    pub port: u16,
    pub bot_token: String,
    pub app_token: String,
    pub signing_secret: String,
    /// How the app is reached; can be set later.
    pub delivery: Delivery,
    /// The workspace to begin with, unless `state_path` holds one already.
    pub fixture: Workspace,
    /// The file that keeps the workspace across restarts.
    pub state_path: Option<PathBuf>,
    /// Whether Slack's rate limits are emulated.
    pub rate_limits: bool,
    /// Further routes of the embedding program, such as the demo's; loopback pages only, like `/_control`.
    pub extra_routes: Router,
    /// Whether the demo plays here, for the page.
    pub demo: bool,
}

impl Default for SandboxConfig {
    /// The demo's workspace on a free port by the machine's clock, not yet delivering.
    fn default() -> Self {
        Self {
            clock: Clock::System,
            port: 0,
            bot_token: "xoxb-sandbox-bot-token".to_owned(),
            app_token: "xapp-sandbox-app-token".to_owned(),
            signing_secret: "sandbox-signing-secret".to_owned(),
            delivery: Delivery::Off,
            fixture: Workspace::demo(),
            state_path: None,
            rate_limits: true,
            extra_routes: Router::new(),
            demo: false,
        }
    }
}

/// The way to start one.
#[derive(Debug)]
pub struct Sandbox;

/// A running sandbox; ends when it is shut down or dropped. Dereferences to its [`Control`].
#[derive(Debug)]
pub struct Running {
    addr: SocketAddr,
    control: Control,
    hub: Arc<Hub>,
    server: JoinHandle<()>,
}

impl Sandbox {
    /// Binds the port, loads the saved workspace if there is one, and begins to serve.
    pub async fn start(config: SandboxConfig) -> anyhow::Result<Running> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, config.port))
            .await
            .with_context(|| format!("cannot listen on 127.0.0.1:{}; choose another --port", config.port))?;
        let addr = listener.local_addr().context("the listener has no address")?;
        let now = config.clock.now();
        let saved = config.state_path.as_deref().map(persist::load).transpose()?.flatten();
        let state = saved.unwrap_or_else(|| config.fixture.into_state(now.timestamp()));
        let (desk, events) = Desk::new(config.delivery);
        let http = reqwest::Client::builder()
            .no_proxy()
            // A connection per delivery: an app that restarts or stops must not meet one of ours that lingers.
            .pool_max_idle_per_host(0)
            .redirect(reqwest::redirect::Policy::limited(REDIRECTS_MAX))
            .build()
            .context("no HTTP client")?;
        let hub = Arc::new(Hub {
            clock: config.clock,
            keys: Keys {
                bot_token: config.bot_token,
                app_token: config.app_token,
                signing_secret: config.signing_secret,
            },
            live: Mutex::new(Live {
                state,
                now,
                stretch: 1.0,
                origin: format!("http://{addr}"),
                rate_limits: config.rate_limits,
                demo: config.demo,
                limits: ratelimit::Limits::default(),
                journal: journal::Journal::default(),
                faults: faults::Faults::default(),
                outgoing: Vec::new(),
                changes: Vec::new(),
                dirty: false,
            }),
            desk,
            sockets: socket::Sockets::default(),
            news: broadcast::Sender::new(NEWS_MAX),
            dirty: Notify::new(),
            http,
            file: config.state_path.map(tokio::sync::Mutex::new),
            closing: watch::Sender::new(false),
        });
        tokio::spawn(run_queue(hub.clone(), events));
        if hub.file.is_some() {
            tokio::spawn(persist::run_saver(hub.clone()));
        }
        let server = tokio::spawn(serve(hub.clone(), listener, config.extra_routes));
        let control = Control::new(hub.clone());
        Ok(Running { addr, control, hub, server })
    }
}

async fn serve(hub: Arc<Hub>, listener: TcpListener, extra: Router) {
    let guarded = extra.layer(axum::middleware::from_fn_with_state(hub.clone(), control::only_from_here));
    let app = Router::new()
        .route("/api/{method}", any(api::handle))
        .route("/respond/{team}/{id}", post(respond::handle))
        .route("/upload/{id}/{key}", post(api::files::upload))
        .route("/files/{id}/{name}", get(api::files::view))
        .route("/files/{id}/download/{name}", get(api::files::download))
        .route("/link/", get(socket::link))
        .layer(axum::extract::DefaultBodyLimit::max(16 << 20))
        .with_state(hub.clone())
        .merge(control::router(hub.clone()))
        .merge(guarded);
    let service = app.into_make_service_with_connect_info::<Peer>();
    let shutdown = hub.clone();
    let serving =
        axum::serve(Cuttable(listener), service).with_graceful_shutdown(async move { shutdown.closed().await });
    if let Err(error) = serving.await {
        tracing::error!("the sandbox stopped serving: {error}");
    }
}

impl Running {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `http://127.0.0.1:PORT/api`, what a client takes for `https://slack.com/api`.
    pub fn api_url(&self) -> String {
        format!("http://{}/api", self.addr)
    }

    /// The address of the page for people.
    pub fn page_url(&self) -> String {
        format!("http://{}/", self.addr)
    }

    /// A handle that can be given away.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Ends connections and saves the workspace.
    pub async fn shutdown(self) -> anyhow::Result<()> {
        self.hub.closing.send_replace(true);
        self.server.abort();
        self.save().await
    }
}

impl Deref for Running {
    type Target = Control;

    fn deref(&self) -> &Control {
        &self.control
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.hub.closing.send_replace(true);
        self.server.abort();
    }
}
