//! The load: signed slash commands over plain HTTP/1.1 connections, as Slack would send them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::report::Spread;

pub const SIGNING_SECRET: &str = "bench-signing-secret";

/// A server that is measured.
#[derive(Clone, Debug)]
pub struct Target {
    pub name: String,
    pub port: u16,
    pub path: &'static str,
}

/// Makes requests that differ from each other, each signed for this moment.
#[derive(Clone, Debug)]
pub struct Signed {
    channel: Arc<str>,
    counter: Arc<AtomicU64>,
}

impl Signed {
    pub fn new(channel: String) -> Self {
        Self { channel: channel.into(), counter: Arc::new(AtomicU64::new(0)) }
    }

    fn request(&self, target: &Target) -> Vec<u8> {
        let n = self.counter.fetch_add(1, Ordering::Relaxed);
        let body = format!(
            "token=t&team_id=T0SHOPFRNT&team_domain=shopfront&channel_id={}&channel_name=inc&user_id=U0ANA00001&\
             user_name=ana&command=%2Fincident&text=note+restarted+node+{n}&api_app_id=A0FIREBELL&\
             is_enterprise_install=false&response_url=http%3A%2F%2F127.0.0.1%2Fr&trigger_id=bench.{n}",
            self.channel
        );
        let at = chrono::Utc::now().timestamp();
        let mut mac = Hmac::<Sha256>::new_from_slice(SIGNING_SECRET.as_bytes()).expect("any length is a key");
        mac.update(format!("v0:{at}:{body}").as_bytes());
        let signature = hex::encode(mac.finalize().into_bytes());
        format!(
            "POST {} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             X-Slack-Request-Timestamp: {at}\r\nX-Slack-Signature: v0={signature}\r\nContent-Length: {}\r\n\r\n{body}",
            target.path,
            body.len()
        )
        .into_bytes()
    }
}

/// One kept connection.
struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Wire {
    async fn open(target: &Target) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", target.port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(4096) })
    }

    /// Sends a request and reads the whole answer, which must be a 200.
    async fn ask(&mut self, request: &[u8]) -> Result<()> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            let mut chunk = [0_u8; 4096];
            let read = self.stream.read(&mut chunk).await?;
            if read == 0 {
                bail!("the server closed the connection");
            }
            self.buffer.extend_from_slice(&chunk[..read]);
            let Some(head) = find(&self.buffer, b"\r\n\r\n") else { continue };
            let text = String::from_utf8_lossy(&self.buffer[..head]).to_lowercase();
            if !text.starts_with("http/1.1 200") {
                bail!("answered {}", String::from_utf8_lossy(&self.buffer));
            }
            let complete = match text.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()) {
                Some(length) => self.buffer.len() >= head + 4 + length.trim().parse::<usize>()?,
                None => self.buffer.ends_with(b"0\r\n\r\n"),
            };
            if complete {
                return Ok(());
            }
        }
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

/// Waits until the target answers.
pub async fn wait_until_up(target: &Target, signed: &Signed) -> Result<()> {
    let mut last = None;
    for _ in 0..600 {
        match async { Wire::open(target).await?.ask(&signed.request(target)).await }.await {
            Ok(()) => return Ok(()),
            Err(error) => last = Some(error),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err(last.context("never tried")?).with_context(|| format!("{} does not come up", target.name))
}

/// One request after the other at a fixed pace; how long each took.
pub async fn paced(target: &Target, signed: &Signed, samples: usize, every: Duration) -> Result<Spread> {
    let mut wire = Wire::open(target).await?;
    wire.ask(&signed.request(target)).await?;
    let mut micros = Vec::with_capacity(samples);
    for _ in 0..samples {
        tokio::time::sleep(every).await;
        let request = signed.request(target);
        let begun = Instant::now();
        wire.ask(&request).await?;
        micros.push(begun.elapsed().as_secs_f64() * 1e6);
    }
    Ok(Spread::new(micros))
}

/// As much as goes through on so many connections; requests a second.
pub async fn flood(target: &Target, signed: &Signed, connections: usize, span: Duration) -> Result<f64> {
    let until = Instant::now() + span;
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..connections {
        let (target, signed) = (target.clone(), signed.clone());
        workers.spawn(async move {
            let mut wire = Wire::open(&target).await?;
            let mut answered = 0_u64;
            while Instant::now() < until {
                wire.ask(&signed.request(&target)).await?;
                answered += 1;
            }
            anyhow::Ok(answered)
        });
    }
    let mut answered = 0;
    while let Some(worker) = workers.join_next().await {
        answered += worker??;
    }
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    Ok(answered as f64 / span.as_secs_f64())
}
