//! Canvases: Markdown documents of their own or of a channel.

use serde_json::{Value, json};

use super::{Call, Reply};
use crate::sandbox::live::ChangeKind;
use crate::sandbox::state::{Canvas, Channel};
use crate::sandbox::wire::ApiError;

/// Bytes of Markdown (Slack's documentation).
const MARKDOWN_MAX: usize = 1 << 20;

fn markdown(content: Option<&Value>) -> Result<String, ApiError> {
    let Some(content) = content else { return Ok(String::new()) };
    match (content["type"].as_str(), content["markdown"].as_str()) {
        (Some("markdown"), Some(text)) if text.len() <= MARKDOWN_MAX => Ok(text.to_owned()),
        _ => Err(ApiError::from("canvas_creation_failed")
            .with("detail", json!("document_content must be {type: markdown, markdown: …} of at most 1 MiB"))),
    }
}

fn content(call: &Call<'_>) -> Result<Option<Value>, ApiError> {
    call.args.structured("document_content").map_err(|()| ApiError::from("canvas_creation_failed"))
}

fn add(call: &mut Call<'_>, channel: Option<String>) -> Result<String, ApiError> {
    let markdown = markdown(content(call)?.as_ref())?;
    let title = call.args.text("title").unwrap_or_default();
    let id = call.live.state.new_id("F");
    call.live.state.canvases.insert(id.clone(), Canvas { id: id.clone(), title, markdown, channel: channel.clone() });
    if let Some(channel) = channel {
        if let Some(found) = call.live.state.channels.get_mut(&channel) {
            found.canvas_id = Some(id.clone());
        }
        call.live.changed(ChangeKind::Channel, Some(&channel), None);
    }
    call.live.dirty = true;
    Ok(id)
}

pub(super) fn create(call: &mut Call<'_>) -> Reply {
    let channel = call.args.text("channel_id");
    if let Some(channel) = &channel {
        taken(call.live.visible_channel(channel, &call.me)?, call.live.state.team.paid)?;
    } else if !call.live.state.team.paid {
        return Err("free_teams_cannot_create_non_tabbed_canvases".into());
    }
    let id = add(call, channel)?;
    Ok(json!({ "canvas_id": id }))
}

fn taken(channel: &Channel, paid: bool) -> Result<(), ApiError> {
    match (&channel.canvas_id, paid) {
        (None, _) => Ok(()),
        (Some(_), true) => Err("channel_canvas_already_exists".into()),
        (Some(_), false) => Err("free_team_canvas_tab_already_exists".into()),
    }
}

pub(super) fn create_for_channel(call: &mut Call<'_>) -> Reply {
    let channel = call.channel("channel_id")?;
    taken(channel, call.live.state.team.paid)?;
    if !channel.has_member(&call.me) {
        return Err("not_in_channel".into());
    }
    let id = channel.id.clone();
    let canvas = add(call, Some(id))?;
    Ok(json!({ "canvas_id": canvas }))
}

pub(super) fn edit(call: &mut Call<'_>) -> Reply {
    let id = call.args.need("canvas_id")?;
    let changes = call.args.structured("changes").ok().flatten().unwrap_or_default();
    let changes = changes.as_array().cloned().unwrap_or_default();
    // Exactly one change per call is what Slack takes.
    let [change] = changes.as_slice() else {
        return Err(ApiError::arguments(&["must have exactly one item [json-pointer:/changes]".to_owned()]));
    };
    let text = change.get("document_content").map(|content| markdown(Some(content))).transpose()?;
    let section = change["section_id"].as_str();
    let canvas = call.live.state.canvases.get_mut(&id).ok_or_else(|| ApiError::from("canvas_not_found"))?;
    let line = section.and_then(|section| section.strip_prefix("line:")).and_then(|n| n.parse::<usize>().ok());
    let mut lines: Vec<String> = canvas.markdown.lines().map(str::to_owned).collect();
    match (change["operation"].as_str(), text, line) {
        (Some("insert_at_end"), Some(text), None) => lines.push(text),
        (Some("insert_at_start"), Some(text), None) => lines.insert(0, text),
        (Some("replace"), Some(text), None) => lines = vec![text],
        (Some("replace"), Some(text), Some(n)) if n < lines.len() => lines[n] = text,
        (Some("insert_after"), Some(text), Some(n)) if n < lines.len() => lines.insert(n + 1, text),
        (Some("insert_before"), Some(text), Some(n)) if n < lines.len() => lines.insert(n, text),
        (Some("delete"), None, Some(n)) if n < lines.len() => {
            lines.remove(n);
        }
        (Some("rename"), _, _) => {
            change["title_content"]["markdown"].as_str().unwrap_or_default().clone_into(&mut canvas.title);
        }
        _ => return Err("canvas_editing_failed".into()),
    }
    canvas.markdown = lines.join("\n");
    call.live.dirty = true;
    Ok(json!({}))
}

pub(super) fn delete(call: &mut Call<'_>) -> Reply {
    let id = call.args.need("canvas_id")?;
    let canvas = call.live.state.canvases.remove(&id).ok_or_else(|| ApiError::from("canvas_not_found"))?;
    if let Some(channel) = canvas.channel.and_then(|channel| call.live.state.channels.get_mut(&channel)) {
        channel.canvas_id = None;
    }
    call.live.dirty = true;
    Ok(json!({}))
}

/// Finds lines by `contains_text`; their ids are what `canvases.edit` takes.
pub(super) fn sections_lookup(call: &mut Call<'_>) -> Reply {
    let id = call.args.need("canvas_id")?;
    let criteria = call.args.structured("criteria").ok().flatten().unwrap_or_default();
    let wanted = criteria["contains_text"].as_str().unwrap_or_default();
    let headers = criteria.get("section_types").is_some();
    let canvas = call.live.state.canvases.get(&id).ok_or_else(|| ApiError::from("canvas_not_found"))?;
    let sections: Vec<Value> = canvas
        .markdown
        .lines()
        .enumerate()
        .filter(|(_, line)| line.contains(wanted) && (!headers || line.starts_with('#')))
        .map(|(n, _)| json!({ "id": format!("line:{n}") }))
        .collect();
    Ok(json!({ "sections": sections }))
}

pub(super) fn access_set(call: &mut Call<'_>) -> Reply {
    let id = call.args.need("canvas_id")?;
    if !call.live.state.canvases.contains_key(&id) {
        return Err("canvas_not_found".into());
    }
    if !["read", "write", "owner"].contains(&call.args.need("access_level")?.as_str()) {
        return Err("invalid_parameters".into());
    }
    Ok(json!({}))
}
