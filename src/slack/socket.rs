//! Socket Mode: Slack's deliveries over WebSockets that we open, for installations without a public address.
//!
//! Two connections stand side by side, because Slack renews each every few hours. A connection that is asked to go is
//! replaced first and closed after, and what it still owes is acknowledged before. An envelope is acknowledged when the
//! receiver has it and not before; whatever is lost in between Slack delivers again, and the inbox knows it.
//!
//! Slack gives each delivery to any one connection of the app, so that a second program with the same token takes part of
//! them away. Each greeting says how many connections there are; where there can be no second program of ours, those that
//! stay too many are told (`company`).
//!
//! slack-morphism's own manager waits for each handler in its read loop and offers no other way to acknowledge, so the
//! connections are ours. Nothing is decided here, and no payload is logged.

mod backoff;
mod company;
mod connection;
mod envelope;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;

use self::backoff::{Backoff, Why};
use self::company::Company;
use self::connection::{Asked, Connection, Live};
use super::client::Slack;
use super::inbound::Receive;
use crate::clock::{Clock, instant_now, lock, real_sleep};

/// How long things take on the wire, real time whatever the clock shows.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// From dialling to Slack's greeting.
    pub hello_within: Duration,
    pub ping_every: Duration,
    /// A connection on which nothing came for so long, not even the answer to a ping, is dead.
    pub silence_max: Duration,
    /// Between the first attempts of the connections, so that they are not renewed together.
    pub stagger: Duration,
    pub backoff_first: Duration,
    pub backoff_max: Duration,
    /// After "switched off", "too many connections" or a refused token: somebody must act first.
    pub backoff_long: Duration,
    /// How long a connection that goes may take to acknowledge what it still has.
    pub drain: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            hello_within: Duration::from_secs(10),
            ping_every: Duration::from_secs(10),
            silence_max: Duration::from_secs(30),
            stagger: Duration::from_secs(3),
            backoff_first: Duration::from_secs(1),
            backoff_max: Duration::from_secs(30),
            backoff_long: Duration::from_mins(2),
            drain: Duration::from_secs(4),
        }
    }
}

/// How many connections to hold and how patiently.
#[derive(Clone, Copy, Debug)]
pub struct SocketConfig {
    /// Slack allows ten for all instances of an app together.
    pub connections: usize,
    pub timing: Timing,
    /// Whether no other program may use the same app-level token; replicas do.
    pub alone: bool,
}

impl Default for SocketConfig {
    fn default() -> Self {
        Self { connections: 2, timing: Timing::default(), alone: true }
    }
}

/// How it stands, for readiness and `firebell doctor`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Connections that Slack has greeted and that are open now.
    pub connected: usize,
    /// How often Slack has greeted a connection since the start.
    pub greetings: u64,
    /// Connections of another program with the same token, once that is sure; always 0 where others may use it.
    pub strangers: u64,
    /// Why the last attempt or connection failed; cleared by the next greeting.
    pub trouble: Option<String>,
}

/// The connections of one app; they end with [`SocketMode::stop`] or when this is dropped.
#[derive(Debug)]
pub struct SocketMode {
    stop: watch::Sender<bool>,
    status: watch::Receiver<Status>,
    lines: JoinSet<()>,
}

/// What all connections of an app share.
struct Shared {
    slack: Slack,
    clock: Clock,
    receive: Receive,
    timing: Timing,
    status: watch::Sender<Status>,
    alone: bool,
    company: Mutex<Company>,
    /// Asks one line to renew its connection, because a greeting tells how many there are.
    renew: Notify,
}

impl SocketMode {
    /// Starts to connect and to receive, in tasks of its own.
    pub fn start(slack: Slack, clock: Clock, receive: Receive, config: SocketConfig) -> Self {
        let (stop, stopped) = watch::channel(false);
        let (status_sender, status) = watch::channel(Status::default());
        let shared = Arc::new(Shared {
            slack,
            clock,
            receive,
            timing: config.timing,
            status: status_sender,
            alone: config.alone,
            company: Mutex::default(),
            renew: Notify::new(),
        });
        let mut lines = JoinSet::new();
        if config.alone {
            lines.spawn(look_again(Arc::clone(&shared), stopped.clone()));
        }
        for index in 0..config.connections {
            lines.spawn(line(Arc::clone(&shared), index, stopped.clone()));
        }
        Self { stop, status, lines }
    }

    /// How it stands, now and whenever it changes.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// Acknowledges what was received and closes the connections.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        while self.lines.join_next().await.is_some() {}
    }
}

async fn is_stopped(stopped: &mut watch::Receiver<bool>) {
    // An error means that the handle is gone, which means the same.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// Has a connection renewed now and then, to learn whether Slack counts more than ours.
async fn look_again(shared: Arc<Shared>, mut stopped: watch::Receiver<bool>) {
    let mut status = shared.status.subscribe();
    loop {
        let next_at = lock(&shared.company).ask_at();
        let next = async {
            match next_at {
                Some(at) => shared.clock.sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = is_stopped(&mut stopped) => return,
            // Another greeting may have answered the question, or raised it.
            changed = status.changed() => if changed.is_err() { return },
            () = next => {
                lock(&shared.company).asked(shared.clock.now());
                shared.renew.notify_one();
            }
        }
    }
}

/// Keeps one connection open, for ever.
async fn line(shared: Arc<Shared>, index: usize, mut stopped: watch::Receiver<bool>) {
    let timing = shared.timing;
    let mut backoff = Backoff::new(timing);
    let mut wait = timing.stagger * u32::try_from(index).unwrap_or(u32::MAX);
    let mut leaving: Option<Live> = None;
    loop {
        tokio::select! {
            () = is_stopped(&mut stopped) => break,
            () = real_sleep(wait) => {}
        }
        let opened = tokio::select! {
            () = is_stopped(&mut stopped) => break,
            opened = Connection::open(&shared) => opened,
        };
        let connection = match opened {
            Ok(connection) => connection,
            Err(why) => {
                wait = backoff.after(&why, rand::random());
                report(&shared, index, &why, wait);
                continue;
            }
        };
        let greeted_at = instant_now();
        let (asked_sender, mut asked) = mpsc::channel(1);
        let live = connection.go_live(Arc::clone(&shared), asked_sender);
        if let Some(old) = leaving.take() {
            // In the background: the new one must be watched meanwhile.
            tokio::spawn(old.leave());
        }
        let asked = tokio::select! {
            () = is_stopped(&mut stopped) => {
                leaving = Some(live);
                break;
            }
            asked = asked.recv() => asked,
            () = shared.renew.notified() => {
                leaving = Some(live);
                wait = Duration::ZERO;
                continue;
            }
        };
        let held = greeted_at.elapsed() >= timing.backoff_max;
        if held {
            backoff.reset();
        }
        match asked {
            Some(Asked::Replace) => {
                leaving = Some(live);
                // At once, unless it is renewed faster than any sound server would.
                wait = if held { Duration::ZERO } else { backoff.after(&Why::Lost("renewed at once"), rand::random()) };
            }
            Some(Asked::Ended(why)) => {
                wait = backoff.after(&why, rand::random());
                report(&shared, index, &why, wait);
            }
            None => {
                wait = backoff.after(&Why::Lost("its task ended"), rand::random());
            }
        }
    }
    if let Some(live) = leaving {
        live.leave().await;
    }
}

fn report(shared: &Shared, index: usize, why: &Why, wait: Duration) {
    shared.status.send_modify(|status| status.trouble = Some(why.to_string()));
    let wait_s = wait.as_secs();
    match why {
        Why::Lost(_) | Why::RateLimited(_) => tracing::warn!(connection = index, wait_s, "Socket Mode: {why}"),
        Why::SwitchedOff | Why::TooMany | Why::Refused(_) => {
            tracing::error!(connection = index, wait_s, "Socket Mode: {why}");
        }
    }
}
