//! Where connections come in. Whoever opens many and says nothing must not use up what this process may have open: it needs
//! files and connections of its own to reach the database and Slack, and a page must go out whatever happens here.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use axum::serve::Listener;
use rustix::process::{Resource, Rlimit, setrlimit};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::clock::{instant_now, real_sleep};

/// How long a connection may say nothing while we wait for it; every answer of ours is ready far sooner.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// What the process asks to have open at a time, where it may.
const OPEN_WANTED: u64 = 16_384;
/// Connections at a time where the system does not say how much may be open.
const ROOM_USUAL: u64 = 256;
const ROOM_MAX: u64 = 4_096;

/// How many files and connections this process may have open, and may ask to have open.
fn limits() -> Option<(u64, u64)> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let mut numbers = line.split_whitespace().map(|number| number.parse().unwrap_or(u64::MAX));
    Some((numbers.next()?, numbers.next()?))
}

/// Asks for as much as this process may have open; how many connections may come in: never more than half of it.
pub(super) fn room() -> usize {
    if let Some((open, most)) = limits()
        && open < most.min(OPEN_WANTED)
    {
        let wanted =
            Rlimit { current: Some(most.min(OPEN_WANTED)), maximum: Some(most).filter(|most| *most < u64::MAX) };
        // Where it is refused, what there was is enough for a few hundred connections.
        let _ = setrlimit(Resource::Nofile, wanted);
    }
    let room = limits().map_or(ROOM_USUAL, |(open, _)| (open / 2).clamp(1, ROOM_MAX));
    usize::try_from(room).unwrap_or(1)
}

/// A listener that lets in so many at a time.
pub(super) struct Door {
    listener: TcpListener,
    room: Arc<Semaphore>,
    silence_max: Duration,
}

impl Door {
    pub(super) fn new(listener: TcpListener, room: usize) -> Self {
        Self { listener, room: Arc::new(Semaphore::new(room)), silence_max: SILENCE_MAX }
    }
}

impl Listener for Door {
    type Io = Guest;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Guest, SocketAddr) {
        let place = Arc::clone(&self.room).acquire_owned().await.expect("it is never closed");
        let (stream, from) = Listener::accept(&mut self.listener).await;
        (Guest::new(stream, self.silence_max, place), from)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// One connection, which ends when it is silent for too long.
pub(super) struct Guest {
    stream: TcpStream,
    silence_max: Duration,
    /// When something was last heard or said.
    active_at: Instant,
    /// When to look next whether it is silent; begun once for many requests.
    look: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    _place: OwnedSemaphorePermit,
}

impl Guest {
    fn new(stream: TcpStream, silence_max: Duration, place: OwnedSemaphorePermit) -> Self {
        Self { stream, silence_max, active_at: instant_now(), look: None, _place: place }
    }
}

impl AsyncRead for Guest {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(context, buffer) {
            self.active_at = instant_now();
            return Poll::Ready(read);
        }
        loop {
            let left = self.silence_max.saturating_sub(self.active_at.elapsed());
            ready!(self.look.get_or_insert_with(|| Box::pin(real_sleep(left))).as_mut().poll(context));
            self.look = None;
            if self.active_at.elapsed() >= self.silence_max {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
    }
}

impl AsyncWrite for Guest {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.active_at = instant_now();
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.active_at = instant_now();
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[test]
    fn half_of_what_may_be_open_is_left_for_ourselves() {
        let room = room() as u64;
        let (open, most) = limits().expect("Linux says so");
        assert!(room >= 1 && room <= open / 2 && open >= most.min(OPEN_WANTED), "{room}, {open}, {most}");
    }

    #[tokio::test]
    async fn whoever_says_nothing_makes_room_for_others_after_a_while() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let at = listener.local_addr().expect("bound");
        let door = Door { silence_max: Duration::from_millis(200), ..Door::new(listener, 2) };
        let app = Router::new().route("/", get(|| async { "here" }));
        tokio::spawn(async move { axum::serve(door, app).await });
        let mut silent = Vec::new();
        for begun in ["", "GET / HTTP/1.1\r\nX: "] {
            let mut one = TcpStream::connect(at).await.expect("connects");
            one.write_all(begun.as_bytes()).await.expect("is taken");
            silent.push(one);
        }
        let mut third = TcpStream::connect(at).await.expect("waits outside");
        third.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.expect("is taken");
        let mut answer = String::new();
        third.read_to_string(&mut answer).await.expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("here"), "{answer}");
    }
}
