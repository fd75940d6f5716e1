//! Answers of the app outside the Web API: the body of a command's response, and `response_url`.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State as Extract};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::api::{Content, read_content};
use super::hub::Hub;
use super::journal::{Direction, EntryKind};
use super::live::{Live, RESPONSE_URL_USES_MAX};
use super::state::{Edited, Message};
use super::wire::{ApiError, Args, BodyKind, parse_form};

/// Where an answer belongs.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub user: String,
    pub channel: String,
    /// The message it may replace or delete.
    pub message_ts: Option<String>,
    pub thread_ts: Option<String>,
}

/// Carries out an answer: posts it, or replaces or deletes the message it came from. The ts of what was posted.
pub(crate) fn carry_out(live: &mut Live, place: &Place, body: &Map<String, Value>) -> Result<Option<String>, ApiError> {
    let args = Args(body.clone());
    if args.flag("delete_original") {
        if let Some(ts) = &place.message_ts {
            live.delete_message(&place.channel, ts);
        }
        return Ok(None);
    }
    let content = read_content(&args)?;
    if let Some(ts) = place.message_ts.as_ref().filter(|_| args.flag("replace_original")) {
        replace(live, place, ts, content);
        return Ok(Some(ts.clone()));
    }
    if content.text.is_none() && content.blocks.is_none() && content.attachments.is_none() {
        return Err("no_text".into());
    }
    let app = live.state.app.clone();
    let message = Message {
        user: Some(app.bot_user),
        bot_id: Some(app.bot_id),
        app_id: Some(app.id),
        text: content.text.unwrap_or_default(),
        blocks: content.blocks,
        attachments: content.attachments,
        metadata: content.metadata,
        thread_ts: args.text("thread_ts").or_else(|| place.thread_ts.clone()),
        ..Message::default()
    };
    Ok(Some(if args.text("response_type").as_deref() == Some("in_channel") {
        live.post(&place.channel, message)
    } else {
        live.post_ephemeral(&place.channel, &place.user, message)
    }))
}

fn replace(live: &mut Live, place: &Place, ts: &str, content: Content) {
    let edited = Edited { user: live.bot_user(), ts: live.event_ts() };
    live.change_message(&place.channel, ts, |message| {
        message.text = content.text.unwrap_or_default();
        message.blocks = content.blocks;
        message.attachments = content.attachments;
        message.edited = Some(edited);
    });
}

/// `POST /respond/{team}/{id}`: five times within thirty minutes.
pub(crate) async fn handle(
    Extract(hub): Extract<Arc<Hub>>,
    Path((_, id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut entry = hub.entry(Direction::In, EntryKind::ResponseUrl, "response_url");
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let answer = match BodyKind::of(content_type, &body) {
        BodyKind::Form => {
            let form = parse_form(&String::from_utf8_lossy(&body));
            form.get("payload").and_then(Value::as_str).and_then(|text| serde_json::from_str(text).ok())
        }
        BodyKind::Json | BodyKind::Other => serde_json::from_slice(&body).ok(),
        BodyKind::Empty | BodyKind::Multipart => None,
    };
    entry.request = answer.clone().map_or(Value::Null, Value::Object);
    let result = match answer {
        None => Err((StatusCode::BAD_REQUEST, "invalid_payload".to_owned())),
        Some(answer) => hub.with(|live| spend(live, &id, &answer)),
    };
    entry.ok = result.is_ok();
    let response = match result {
        Ok(()) => (StatusCode::OK, "ok").into_response(),
        Err((StatusCode::NOT_FOUND, code)) => {
            entry.error = Some(code.clone());
            (StatusCode::NOT_FOUND, axum::Json(json!({ "ok": false, "error": code }))).into_response()
        }
        Err((status, code)) => {
            entry.error = Some(code.clone());
            (status, code).into_response()
        }
    };
    entry.status = response.status().as_u16();
    hub.record(entry);
    response
}

fn spend(live: &mut Live, id: &str, answer: &Map<String, Value>) -> Result<(), (StatusCode, String)> {
    let now = live.now;
    let gone = |code: &str| Err((StatusCode::NOT_FOUND, code.to_owned()));
    let Some(lent) = live.state.response_urls.get_mut(id) else { return gone("invalid_url") };
    if lent.expires_at < now {
        return gone("expired_url");
    }
    if lent.uses >= RESPONSE_URL_USES_MAX {
        return gone("used_url");
    }
    lent.uses += 1;
    let place = Place {
        user: lent.user.clone(),
        channel: lent.channel.clone(),
        message_ts: lent.message_ts.clone(),
        thread_ts: lent.thread_ts.clone(),
    };
    live.dirty = true;
    carry_out(live, &place, answer).map(|_| ()).map_err(|error| (StatusCode::BAD_REQUEST, error.code))
}
