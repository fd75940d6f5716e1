//! One WebSocket: greeting, envelopes in, acknowledgements out, a ping now and then, and an orderly end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use secrecy::ExposeSecret;
use tokio::net::TcpStream;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, connect_async_tls_with_config};
use url::Url;

use super::Shared;
use super::backoff::Why;
use super::envelope::{Envelope, Frame, acknowledge};
use crate::clock::{instant_now, lock, real_sleep};
use crate::slack::client::is_loopback;
use crate::slack::inbound::{Ack, Inbound, Meta, Transport, delivery_key, hand_on};

/// Envelopes in the receiver's hands at once, per connection; more are left to be delivered again.
const IN_HAND_MAX: u32 = 256;

/// The largest frame taken, bytes; Slack's largest payloads hold a view of 250 KB.
const FRAME_BYTES_MAX: usize = 4 << 20;

/// How long one frame may take to leave.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What a connection tells the line that keeps it.
#[derive(Debug)]
pub(super) enum Asked {
    /// Slack will close it: open another, then let it leave.
    Replace,
    Ended(Why),
}

/// Greeted, not yet read.
pub(super) struct Connection {
    socket: Socket,
    /// How many connections Slack counted when it greeted this one.
    pub(super) counted: Option<u64>,
    /// Something other than the greeting came first.
    early: Option<String>,
}

/// At work in a task of its own.
pub(super) struct Live {
    leave: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Live {
    /// Acknowledges what is in hand, closes, and waits for that.
    pub(super) async fn leave(mut self) {
        self.leave.notify_one();
        // An error means that the task is over already.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Connection {
    /// Asks Slack for an address, dials it and waits for the greeting.
    pub(super) async fn open(shared: &Shared) -> Result<Self, Why> {
        let address = shared.slack.connections_open().await?;
        let url = Url::parse(address.expose_secret()).map_err(|_| Why::Lost("the address is none"))?;
        if url.scheme() != "wss" && !(url.scheme() == "ws" && is_loopback(&url)) {
            return Err(Why::Lost("the address is not encrypted"));
        }
        let config =
            WebSocketConfig::default().max_message_size(Some(FRAME_BYTES_MAX)).max_frame_size(Some(FRAME_BYTES_MAX));
        let greeting = async {
            let tls = Connector::Rustls(shared.slack.tls());
            let (mut socket, _) = connect_async_tls_with_config(url.as_str(), Some(config), true, Some(tls))
                .await
                .map_err(|_| Why::Lost("no connection"))?;
            loop {
                let message =
                    socket.next().await.and_then(Result::ok).ok_or(Why::Lost("it closed before its greeting"))?;
                let Message::Text(text) = message else { continue };
                match Frame::read(&text) {
                    Frame::Hello { connections } => return Ok(Self { socket, counted: connections, early: None }),
                    Frame::Refused(why) => return Err(why),
                    Frame::Refresh => return Err(Why::Lost("it was closed instead of a greeting")),
                    Frame::Envelope(_) => {
                        return Ok(Self { socket, counted: None, early: Some(text.to_string()) });
                    }
                    Frame::Other(_) => {}
                }
            }
        };
        tokio::time::timeout(shared.timing.hello_within, greeting)
            .await
            .unwrap_or(Err(Why::Lost("no greeting in time")))
    }

    pub(super) fn go_live(self, shared: Arc<Shared>, asked: mpsc::Sender<Asked>) -> Live {
        let leave = Arc::new(Notify::new());
        // Before its task begins, so that the next greeting finds it among ours.
        let counted = Counted::new(Arc::clone(&shared), self.counted);
        let task = tokio::spawn({
            let leave = Arc::clone(&leave);
            async move {
                let ended = Session::new(self, shared).run(&leave, &asked).await;
                drop(counted);
                if let Err(why) = ended {
                    // Nobody listens any more if the line has replaced it already.
                    let _ = asked.try_send(Asked::Ended(why));
                }
            }
        });
        Live { leave, task }
    }
}

/// Counts a connection as open while it lives.
struct Counted(Arc<Shared>);

impl Counted {
    /// `counted` is what Slack's greeting says of all connections of the app.
    fn new(shared: Arc<Shared>, counted: Option<u64>) -> Self {
        let now = shared.clock.now();
        shared.status.send_modify(|status| {
            status.connected += 1;
            status.greetings += 1;
            status.trouble = None;
            if shared.alone
                && let Some(counted) = counted
            {
                let strangers = counted.saturating_sub(status.connected as u64);
                status.strangers = lock(&shared.company).greeted(strangers, now);
            }
        });
        Self(shared)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.status.send_modify(|status| status.connected -= 1);
    }
}

struct Session {
    shared: Arc<Shared>,
    sink: SplitSink<Socket, Message>,
    stream: SplitStream<Socket>,
    early: Option<String>,
    acks: mpsc::Receiver<String>,
    ack_sender: mpsc::Sender<String>,
    in_hand: Arc<Semaphore>,
    heard_at: Instant,
    replace_asked: bool,
}

impl Session {
    fn new(connection: Connection, shared: Arc<Shared>) -> Self {
        let (sink, stream) = connection.socket.split();
        let (ack_sender, acks) = mpsc::channel(IN_HAND_MAX as usize);
        Self {
            shared,
            sink,
            stream,
            early: connection.early,
            acks,
            ack_sender,
            in_hand: Arc::new(Semaphore::new(IN_HAND_MAX as usize)),
            heard_at: instant_now(),
            replace_asked: false,
        }
    }

    /// Runs until it is told to leave (then all is well) or the connection fails.
    async fn run(mut self, leave: &Notify, asked: &mpsc::Sender<Asked>) -> Result<(), Why> {
        if let Some(text) = self.early.take() {
            self.take(&text, asked)?;
        }
        let mut ping = Box::pin(real_sleep(self.shared.timing.ping_every));
        loop {
            tokio::select! {
                message = self.stream.next() => {
                    let message = message.ok_or(Why::Lost("it closed"))?.map_err(|_| Why::Lost("it broke"))?;
                    self.heard_at = instant_now();
                    match message {
                        Message::Text(text) => self.take(&text, asked)?,
                        Message::Close(_) => return Err(Why::Lost("Slack closed it")),
                        // Pings are answered by the library while it reads.
                        Message::Ping(_) | Message::Pong(_) | Message::Binary(_) | Message::Frame(_) => {}
                    }
                }
                Some(ack) = self.acks.recv() => self.send(Message::text(ack)).await?,
                () = &mut ping => {
                    if self.heard_at.elapsed() > self.shared.timing.silence_max {
                        return Err(Why::Lost("nothing was heard"));
                    }
                    self.send(Message::Ping(axum::body::Bytes::new())).await?;
                    ping.set(real_sleep(self.shared.timing.ping_every));
                }
                () = leave.notified() => {
                    self.finish().await;
                    return Ok(());
                }
            }
        }
    }

    /// Takes one text frame; an envelope is handled in a task of its own, so that the next one never waits.
    fn take(&mut self, text: &str, asked: &mpsc::Sender<Asked>) -> Result<(), Why> {
        match Frame::read(text) {
            Frame::Hello { .. } => Ok(()),
            Frame::Refresh => {
                if !self.replace_asked {
                    self.replace_asked = true;
                    tracing::debug!("Slack renews a Socket Mode connection");
                    // The channel has room for this one message, and a closed one means that we are leaving.
                    let _ = asked.try_send(Asked::Replace);
                }
                Ok(())
            }
            Frame::Refused(why) => Err(why),
            Frame::Other(kind) => {
                tracing::info!(kind, "Slack sent a frame that Firebell does not know");
                Ok(())
            }
            Frame::Envelope(envelope) => {
                if let Ok(permit) = Arc::clone(&self.in_hand).try_acquire_owned() {
                    tokio::spawn(handle(Arc::clone(&self.shared), envelope, self.ack_sender.clone(), permit));
                } else {
                    tracing::warn!(kind = envelope.kind, "too much to do: a delivery of Slack's is left to come again");
                }
                Ok(())
            }
        }
    }

    async fn send(&mut self, message: Message) -> Result<(), Why> {
        match tokio::time::timeout(SEND_TIMEOUT, self.sink.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Why::Lost("it broke")),
            Err(_) => Err(Why::Lost("it took nothing any more")),
        }
    }

    /// Acknowledges what is in hand and closes. Slack may leave the TCP connection open, so nobody waits for its end.
    async fn finish(mut self) {
        let in_hand = Arc::clone(&self.in_hand);
        let mut all_done = Box::pin(in_hand.acquire_many(IN_HAND_MAX));
        let mut deadline = Box::pin(real_sleep(self.shared.timing.drain));
        loop {
            tokio::select! {
                biased;
                Some(ack) = self.acks.recv() => {
                    if self.send(Message::text(ack)).await.is_err() {
                        return;
                    }
                }
                _ = &mut all_done => break,
                () = &mut deadline => break,
            }
        }
        while let Ok(ack) = self.acks.try_recv() {
            if self.send(Message::text(ack)).await.is_err() {
                return;
            }
        }
        // Slack has what it needs; a failure to say goodbye changes nothing.
        let _ = tokio::time::timeout(Duration::from_secs(1), self.sink.close()).await;
    }
}

/// Hands one envelope to the receiver and queues its acknowledgement. The permit is held until that is done.
async fn handle(shared: Arc<Shared>, envelope: Envelope, acks: mpsc::Sender<String>, permit: OwnedSemaphorePermit) {
    let Envelope { id, takes_answer, retry, body, inbound, kind } = envelope;
    let frame = if let Some(inbound) = inbound {
        let meta = Meta {
            delivery_key: delivery_key(&inbound, body.as_bytes()),
            received_at: shared.clock.now(),
            transport: Transport::SocketMode,
            retry,
        };
        let is_command = matches!(*inbound, Inbound::Command(_));
        acknowledge(&id, takes_answer, is_command, hand_on(&shared.receive, *inbound, meta).await)
    } else {
        tracing::info!(kind, "Slack sent a kind of delivery that Firebell does not know");
        acknowledge(&id, false, false, Ack::Empty)
    };
    if let Some(frame) = frame {
        // If the connection is gone, Slack delivers again.
        let _ = acks.send(frame).await;
    }
    drop(permit);
}
