//! Waiting for what is to be seen from outside.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::bot::Bot;
use crate::judge;
use crate::slack::Slack;

/// How long anything may take to be seen, on a busy machine.
pub const STEP_MAX: Duration = Duration::from_mins(3);

/// Waits until it is so.
pub async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !so().await {
        assert!(begun.elapsed() < STEP_MAX, "not within {STEP_MAX:?}: {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

pub async fn is_ready(bot: &Bot) -> bool {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let asked = http.get(format!("http://127.0.0.1:{}/readyz", bot.port())).send().await;
    asked.is_ok_and(|answer| answer.status().is_success())
}

/// When this page came, seconds since 1970.
pub async fn page(slack: &Slack, number: i64, page: u32) -> Option<f64> {
    let ending = format!("/{number}/page:{page}");
    judge::arrivals(slack).await.into_iter().find(|(mark, _)| mark.ends_with(&ending)).map(|(_, times)| times[0])
}

pub fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}
