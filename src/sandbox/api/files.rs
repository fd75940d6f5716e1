//! Files: the three-step upload, their metadata, and the addresses their bytes go to and come from.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State as Extract};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::{Call, Reply};
use crate::ids::random_id;
use crate::sandbox::hub::Hub;
use crate::sandbox::live::Live;
use crate::sandbox::render;
use crate::sandbox::state::{File, Message};
use crate::sandbox::wire::{ApiError, base64_decode, base64_encode, parse_multipart};

/// Bytes of one file; the real limit is larger, but the sandbox keeps files in memory.
const FILE_MAX: usize = 8 << 20;
/// Characters of a picture's description (Slack's documentation).
const ALT_TXT_MAX: usize = 1000;
const SNIPPET_MAX: usize = 1 << 20;

pub(super) fn get_upload_url(call: &mut Call<'_>) -> Reply {
    let name = call.args.need("filename")?;
    let length = usize::try_from(call.args.int("length")?.unwrap_or_default()).unwrap_or_default();
    if length == 0 || length > FILE_MAX {
        return Err("file_upload_size_restricted".into());
    }
    if call.args.text("snippet_type").is_some() && length > SNIPPET_MAX {
        return Err("snippet_too_large".into());
    }
    let alt_txt = call.args.text("alt_txt");
    if alt_txt.as_ref().is_some_and(|text| text.chars().count() > ALT_TXT_MAX) {
        return Err("alt_txt_too_large".into());
    }
    let id = call.live.state.new_id("F");
    let key = random_id();
    let url = format!("{}/upload/{id}/{key}", call.live.origin);
    let file = File {
        id: id.clone(),
        title: name.clone(),
        mimetype: mimetype(&name).to_owned(),
        name,
        upload_key: Some(key),
        length,
        alt_txt,
        user: call.me.clone(),
        created: call.live.now_s(),
        ..File::default()
    };
    call.live.state.files.insert(id.clone(), file);
    call.live.trim_files();
    call.live.dirty = true;
    Ok(json!({ "upload_url": url, "file_id": id }))
}

/// The media type that goes with a file's name.
pub(crate) fn mimetype(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default().to_lowercase().as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "svg" => "image/svg+xml",
        "txt" | "log" => "text/plain",
        "md" => "text/markdown",
        "html" => "text/html",
        "json" => "application/json",
        "pdf" => "application/pdf",
        _ => "application/octet-stream",
    }
}

/// `POST /upload/{id}/{key}`: the bytes, raw or as a multipart part.
pub(crate) async fn upload(
    Extract(hub): Extract<Arc<Hub>>,
    Path((id, key)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let bytes = if content_type.starts_with("multipart/form-data") {
        parse_multipart(content_type, &body).into_iter().next().map(|part| part.content).unwrap_or_default()
    } else {
        body.to_vec()
    };
    hub.with(|live| {
        let Some(file) = live.state.files.get_mut(&id).filter(|file| file.upload_key.as_deref() == Some(key.as_str()))
        else {
            return (StatusCode::NOT_FOUND, "no such upload").into_response();
        };
        if bytes.len() != file.length {
            live.journal
                .complain(format!("file {id} was announced with another length than its {} bytes", bytes.len()));
            return (StatusCode::BAD_REQUEST, "length does not match").into_response();
        }
        file.content = Some(base64_encode(&bytes));
        live.dirty = true;
        format!("OK - {}", bytes.len()).into_response()
    })
}

/// `GET /files/{id}/{name}`.
pub(crate) async fn download(Extract(hub): Extract<Arc<Hub>>, Path((id, _)): Path<(String, String)>) -> Response {
    let found = hub.with(|live| {
        let file = live.state.files.get(&id)?;
        Some((file.mimetype.clone(), file.content.as_deref().and_then(base64_decode)?))
    });
    match found {
        // Uploaded markup must not run on the page's own origin.
        Some((mimetype, bytes)) => {
            let headers = [(header::CONTENT_TYPE, mimetype), (header::CONTENT_SECURITY_POLICY, "sandbox".to_owned())];
            (headers, bytes).into_response()
        }
        None => (StatusCode::NOT_FOUND, "no such file").into_response(),
    }
}

/// Posts uploaded files as one message of `message`'s author; `file_share` for people, plain for the app.
pub(crate) fn share(live: &mut Live, channel: &str, files: &[String], message: Message) -> String {
    for id in files {
        if let Some(file) = live.state.files.get_mut(id) {
            file.channels.push(channel.to_owned());
        }
    }
    let subtype = Some("file_share".to_owned());
    let ts = live.post(channel, Message { files: files.to_vec(), subtype, ..message });
    for id in files {
        let (event_ts, user) =
            (live.event_ts(), live.state.files.get(id).map(|file| file.user.clone()).unwrap_or_default());
        live.emit_in(
            channel,
            json!({ "type": "file_shared", "file_id": id, "user_id": user, "file": { "id": id }, "channel_id": channel, "event_ts": event_ts }),
        );
    }
    ts
}

pub(super) fn complete_upload(call: &mut Call<'_>) -> Reply {
    let wanted = call
        .args
        .structured("files")
        .ok()
        .flatten()
        .and_then(|files| files.as_array().cloned())
        .filter(|files| !files.is_empty())
        .ok_or_else(|| ApiError::arguments(&["must be an array of files [json-pointer:/files]".to_owned()]))?;
    let mut ids = Vec::new();
    for entry in &wanted {
        let id = entry["id"].as_str().unwrap_or_default().to_owned();
        let file = call.live.state.files.get(&id).filter(|file| file.content.is_some());
        if file.is_none() {
            return Err("file_not_found".into());
        }
        ids.push((id, entry["title"].as_str().map(str::to_owned)));
    }
    let channel = call.args.text("channel_id").or_else(|| call.args.list("channels").first().cloned());
    let channel = match channel {
        None => None,
        Some(id) => {
            let found = call.live.visible_channel(&id, &call.me)?;
            if found.archived {
                return Err("is_archived".into());
            }
            if !found.has_member(&call.me) {
                return Err("not_in_channel".into());
            }
            Some(id)
        }
    };
    let mut names = Vec::new();
    for (id, title) in ids {
        if let Some(file) = call.live.state.files.get_mut(&id) {
            file.upload_key = None;
            if let Some(title) = title {
                file.title = title;
            }
        }
        names.push(id);
    }
    if let Some(channel) = channel {
        let app = &call.live.state.app;
        let message = Message {
            user: Some(call.me.clone()),
            bot_id: Some(app.bot_id.clone()),
            app_id: Some(app.id.clone()),
            text: call.args.text("initial_comment").unwrap_or_default(),
            thread_ts: call.args.text("thread_ts"),
            ..Message::default()
        };
        share(call.live, &channel, &names, message);
    }
    let files: Vec<Value> = names
        .iter()
        .filter_map(|id| call.live.state.files.get(id))
        .map(|file| render::file(&call.live.origin, file))
        .collect();
    Ok(json!({ "files": files }))
}

pub(super) fn info(call: &mut Call<'_>) -> Reply {
    let id = call.args.need("file")?;
    let file = call.live.state.files.get(&id).ok_or_else(|| ApiError::from("file_not_found"))?;
    Ok(
        json!({ "file": render::file(&call.live.origin, file), "comments": [], "response_metadata": { "next_cursor": "" } }),
    )
}

#[expect(clippy::unnecessary_wraps, reason = "every method has the table's signature")]
pub(super) fn list(call: &mut Call<'_>) -> Reply {
    let channel = call.args.text("channel");
    let files: Vec<Value> = call
        .live
        .state
        .files
        .values()
        .filter(|file| file.upload_key.is_none())
        .filter(|file| channel.as_ref().is_none_or(|channel| file.channels.contains(channel)))
        .map(|file| render::file(&call.live.origin, file))
        .collect();
    Ok(json!({ "paging": { "count": 100, "total": files.len(), "page": 1, "pages": 1 }, "files": files }))
}

pub(super) fn delete(call: &mut Call<'_>) -> Reply {
    let id = call.args.need("file")?;
    call.live.state.files.remove(&id).ok_or_else(|| ApiError::from("file_not_found"))?;
    call.live.dirty = true;
    Ok(json!({}))
}
