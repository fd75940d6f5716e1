//! `/_demo/…`: what the page's story bar asks for.

use std::sync::{Arc, OnceLock, Weak};

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Shared;
use super::director::Director;

/// The fastest that makes sense: the two hours in a few seconds.
const SPEED_MAX: f64 = 5_000.0;

/// The way to the demo, closed until it has started.
#[derive(Default)]
pub(super) struct Door(OnceLock<Weak<Shared>>);

impl Door {
    pub(super) fn open(&self, demo: &Arc<Shared>) {
        // Opened once, by whoever started the demo.
        let _ = self.0.set(Arc::downgrade(demo));
    }

    fn demo(&self) -> Option<Arc<Shared>> {
        self.0.get().and_then(Weak::upgrade)
    }
}

pub(super) fn router(door: Arc<Door>) -> Router {
    Router::new()
        .route("/_demo/status", get(status))
        .route("/_demo/play", post(play))
        .route("/_demo/pause", post(pause))
        .route("/_demo/speed", post(speed))
        .route("/_demo/restart", post(restart))
        .with_state(door)
}

fn refused(status: StatusCode, sentence: &str) -> Response {
    (status, Json(json!({ "ok": false, "error": sentence }))).into_response()
}

fn starting() -> Response {
    refused(StatusCode::SERVICE_UNAVAILABLE, "The demo is starting. Try again in a moment.")
}

async fn with(door: &Door, work: impl FnOnce(&Director, &Shared) -> Value) -> Response {
    let Some(demo) = door.demo() else { return starting() };
    match demo.playing.lock().await.as_ref() {
        Some(playing) if playing.director.tells() => Json(work(&playing.director, &demo)).into_response(),
        Some(_) => refused(StatusCode::NOT_FOUND, "No story is told here; start the demo without --no-story."),
        None => refused(StatusCode::SERVICE_UNAVAILABLE, "The demo begins anew. Try again in a moment."),
    }
}

async fn status(State(door): State<Arc<Door>>) -> Response {
    with(&door, |director, demo| director.status(&demo.bot_url())).await
}

/// Turns the story, and answers when that is safe from a crash.
async fn turn(door: &Door, work: impl FnOnce(&Director)) -> Response {
    let Some(demo) = door.demo() else { return starting() };
    match demo.playing.lock().await.as_ref() {
        Some(playing) if playing.director.tells() => {
            work(&playing.director);
            match playing.director.keep().await {
                Ok(()) => Json(json!({ "ok": true })).into_response(),
                Err(error) => {
                    tracing::error!(%error, "how the story stands was not kept");
                    refused(StatusCode::SERVICE_UNAVAILABLE, "That was not kept; the log says why.")
                }
            }
        }
        Some(_) => refused(StatusCode::NOT_FOUND, "No story is told here; start the demo without --no-story."),
        None => refused(StatusCode::SERVICE_UNAVAILABLE, "The demo begins anew. Try again in a moment."),
    }
}

async fn play(State(door): State<Arc<Door>>) -> Response {
    turn(&door, Director::play).await
}

async fn pause(State(door): State<Arc<Door>>) -> Response {
    turn(&door, Director::pause).await
}

#[derive(Debug, Deserialize)]
struct Wanted {
    speed: f64,
}

async fn speed(State(door): State<Arc<Door>>, Json(wanted): Json<Wanted>) -> Response {
    if !(wanted.speed.is_finite() && (0.1..=SPEED_MAX).contains(&wanted.speed)) {
        return refused(StatusCode::BAD_REQUEST, "The speed is a number from 0.1 to 5000.");
    }
    turn(&door, |director| director.set_speed(wanted.speed)).await
}

async fn restart(State(door): State<Arc<Door>>) -> Response {
    let Some(demo) = door.demo() else { return starting() };
    // Goes on even if the page that asked is closed.
    match tokio::spawn(async move { demo.start_over().await }).await {
        Ok(Ok(())) => Json(json!({ "ok": true })).into_response(),
        Ok(Err(error)) => {
            tracing::error!("the demo did not begin anew: {error:#}");
            let sentence = "The demo did not begin anew. Stop it and start it with --fresh; the log says why.";
            refused(StatusCode::INTERNAL_SERVER_ERROR, sentence)
        }
        Err(_) => refused(StatusCode::INTERNAL_SERVER_ERROR, "The demo did not begin anew; start it with --fresh."),
    }
}
