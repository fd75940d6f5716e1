//! `GET /metrics`: the figures of this moment, as Prometheus reads them.

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::watch::Watch;

/// The text format that Prometheus and everything like it understands.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The one address.
pub fn router(watch: Watch) -> Router {
    Router::new().route("/metrics", get(metrics)).with_state(watch)
}

async fn metrics(State(watch): State<Watch>) -> Response {
    // What cannot be read now is told by `firebell_db_up`; everything else is as current as ever.
    watch.sample_in_time().await;
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], watch.app().metrics().text()).into_response()
}
