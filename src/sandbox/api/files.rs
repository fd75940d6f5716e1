//! Files: the three-step upload, their metadata, and the addresses their bytes go to and come from.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State as Extract};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::{Call, Reply, chat};
use crate::ids::random_id;
use crate::sandbox::control;
use crate::sandbox::escape::app_text;
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
/// Conversations of one `files.completeUploadExternal` (Slack's documentation).
const SHARES_MAX: usize = 100;

pub(super) fn get_upload_url(call: &mut Call<'_>) -> Reply {
    let name = call.args.need("filename")?;
    let length = match call.args.int("length")?.map(usize::try_from) {
        None | Some(Ok(0)) => return Err("missing_argument".into()),
        Some(Ok(length)) if length <= FILE_MAX => length,
        Some(Ok(_)) => return Err("file_upload_size_restricted".into()),
        Some(Err(_)) => return Err(ApiError::arguments(&["must be positive [json-pointer:/length]".to_owned()])),
    };
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

/// The method that came before the three steps; Slack has switched it off.
pub(super) fn upload_at_once(_: &mut Call<'_>) -> Reply {
    Err("method_deprecated".into())
}

/// `POST /upload/{id}/{key}`: the bytes, raw or as a multipart part, once.
pub(crate) async fn upload(
    Extract(hub): Extract<Arc<Hub>>,
    Path((id, key)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let bytes = if content_type.starts_with("multipart/form-data") {
        let mut parts = parse_multipart(content_type, &body);
        let at = parts.iter().position(|part| part.filename.is_some()).unwrap_or_default();
        if at < parts.len() { parts.swap_remove(at).content } else { Vec::new() }
    } else {
        body.to_vec()
    };
    hub.with(|live| {
        let waits = |file: &&mut File| file.upload_key.as_deref() == Some(key.as_str()) && file.content.is_none();
        let Some(file) = live.state.files.get_mut(&id).filter(waits) else {
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

/// `GET /files/{id}/{name}`: to look at.
pub(crate) async fn view(
    Extract(hub): Extract<Arc<Hub>>,
    Path((id, _)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    fetch(&hub, &id, &headers, "inline")
}

/// `GET /files/{id}/download/{name}`: to keep.
pub(crate) async fn download(
    Extract(hub): Extract<Arc<Hub>>,
    Path((id, _)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    fetch(&hub, &id, &headers, "attachment")
}

/// A file for who may read files: the app with its token, or this sandbox's own page. Others are sent to the front
/// door, as Slack does: what they then take for the file is a web page.
fn fetch(hub: &Hub, id: &str, headers: &HeaderMap, disposition: &str) -> Response {
    hub.with(|live| {
        let by_app = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "))
            .is_some_and(|token| token == hub.keys.bot_token)
            && live.state.app.scopes.iter().any(|scope| scope == "files:read");
        if !by_app && !is_from_page(&live.origin, headers) {
            return (StatusCode::FOUND, [(header::LOCATION, format!("{}/", live.origin))]).into_response();
        }
        let found = live.state.files.get(id).filter(|file| file.upload_key.is_none());
        let content = found.and_then(|file| Some((file, base64_decode(file.content.as_deref()?)?)));
        let Some((file, bytes)) = content else {
            return (StatusCode::NOT_FOUND, "no such file").into_response();
        };
        let name: String = render::file_name(file).chars().filter(|c| c.is_ascii_graphic() && *c != '"').collect();
        // Whoever wrote the file did not say how, and nearly everybody means this.
        let charset = if file.mimetype.starts_with("text/") { "; charset=utf-8" } else { "" };
        let headers = [
            (header::CONTENT_TYPE, format!("{}{charset}", file.mimetype)),
            (header::CONTENT_DISPOSITION, format!("{disposition}; filename=\"{name}\"")),
            // Uploaded markup must not run on the page's own origin.
            (header::CONTENT_SECURITY_POLICY, "sandbox".to_owned()),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        ];
        (headers, bytes).into_response()
    })
}

/// Whether a browser asks for it from a page of ours, or because somebody typed the address. Browsers say so
/// themselves, and no page can make them say it.
fn is_from_page(origin: &str, headers: &HeaderMap) -> bool {
    let from = headers.get("sec-fetch-site").and_then(|value| value.to_str().ok());
    control::is_own_name(origin, headers) && matches!(from, Some("same-origin" | "none"))
}

/// Posts uploaded files as one message of `message`'s author; `file_share` for people, plain for the app.
pub(crate) fn share(live: &mut Live, channel: &str, files: &[String], message: Message) -> String {
    for id in files {
        if let Some(file) = live.state.files.get_mut(id) {
            file.channels.push(channel.to_owned());
        }
    }
    let subtype = message.bot_id.is_none().then(|| "file_share".to_owned());
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
        // Sent, and not completed yet: an upload is completed once.
        let waits = |file: &File| file.content.is_some() && file.upload_key.is_some();
        if !call.live.state.files.get(&id).is_some_and(waits) {
            return Err("file_not_found".into());
        }
        ids.push((id, entry["title"].as_str().map(str::to_owned)));
    }
    let shares = shares(call)?;
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
    call.live.dirty = true;
    for (channel, message) in shares {
        share(call.live, &channel, &names, message);
    }
    let files: Vec<Value> = names
        .iter()
        .filter_map(|id| call.live.state.files.get(id))
        .map(|file| render::file(&call.live.origin, file))
        .collect();
    Ok(json!({ "files": files }))
}

/// The conversations in which the files are to be shown, each with the message that shows them; none if they are to
/// stay private. `channel_id` takes the id of a conversation only, `channels` people's ids too.
fn shares(call: &mut Call<'_>) -> Result<Vec<(String, Message)>, ApiError> {
    let one = call.args.text("channel_id");
    let channels = match &one {
        Some(id) => vec![id.clone()],
        None => call.args.list("channels"),
    };
    if channels.len() > SHARES_MAX || (channels.len() > 1 && call.args.text("thread_ts").is_some()) {
        return Err(ApiError::arguments(&["too many channels [json-pointer:/channels]".to_owned()]));
    }
    let comment = call.args.text("initial_comment");
    let blocks = match &comment {
        Some(_) => None,
        None => chat::read_content(&call.args.only(&["blocks"]))?.blocks,
    };
    let mut shares = Vec::new();
    for wanted in channels {
        let id = match call.live.state.find_user(&wanted) {
            Some(person) if one.is_none() && !person.deleted && !person.is_bot => {
                let me = call.me.clone();
                call.live.open_direct(&[me, wanted]).0
            }
            _ => wanted,
        };
        let channel = call.live.visible_channel(&id, &call.me)?;
        // Unlike a post, a file needs membership in a public channel too.
        if !channel.archived && !channel.has_member(&call.me) {
            return Err("not_in_channel".into());
        }
        chat::may_post(call, channel)?;
        let message = Message {
            text: comment.as_deref().map(app_text).unwrap_or_default(),
            blocks: blocks.clone(),
            thread_ts: chat::thread_parent(call, &id)?,
            ..chat::own_message(call)
        };
        shares.push((id, message));
    }
    Ok(shares)
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
