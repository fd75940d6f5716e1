//! Modals and home tabs: triggers, the stack of three, hashes, ids of the app's own.

use serde_json::{Value, json};

use super::{Call, Reply};
use crate::sandbox::blocks_check::{Surface, ViewProblem, check_view};
use crate::sandbox::live::{ChangeKind, Live};
use crate::sandbox::render;
use crate::sandbox::state::{Trigger, View};
use crate::sandbox::wire::ApiError;

/// Modals on top of each other (Slack's documentation).
pub(crate) const STACK_MAX: usize = 3;

fn read_view(call: &Call<'_>, surface: Surface) -> Result<Value, ApiError> {
    let view = call
        .args
        .structured("view")
        .ok()
        .flatten()
        .ok_or_else(|| ApiError::arguments(&["must be a valid view object [json-pointer:/view]".to_owned()]))?;
    check(&view, surface)?;
    Ok(view)
}

fn check(view: &Value, surface: Surface) -> Result<(), ApiError> {
    check_view(view, surface).map_err(|problem| match problem {
        ViewProblem::TooLarge => "view_too_large".into(),
        ViewProblem::Mistakes(errors) => ApiError::arguments(&errors),
    })
}

/// Spends a trigger: three seconds, once.
fn spend_trigger(call: &mut Call<'_>) -> Result<Trigger, ApiError> {
    let id = call.args.need("trigger_id")?;
    let now = call.live.now;
    let trigger = call.live.state.triggers.get_mut(&id).ok_or_else(|| ApiError::from("invalid_trigger_id"))?;
    if trigger.used {
        return Err("exchanged_trigger_id".into());
    }
    if trigger.expires_at < now {
        return Err("expired_trigger_id".into());
    }
    trigger.used = true;
    call.live.dirty = true;
    Ok(trigger.clone())
}

fn check_external_id(live: &Live, body: &Value, except: Option<&str>) -> Result<String, ApiError> {
    let id = body["external_id"].as_str().unwrap_or_default();
    let taken = !id.is_empty()
        && live.state.views.values().any(|view| view.external_id == id && Some(view.id.as_str()) != except);
    if taken { Err("duplicate_external_id".into()) } else { Ok(id.to_owned()) }
}

/// The hash that changes with every change of a view.
fn new_hash(live: &mut Live) -> String {
    let number = live.state.new_id("");
    format!("{}.{number}", live.now_s())
}

/// Makes a view for `user`; `below` is the one it lies on. Its body must have been checked.
fn make(live: &mut Live, user: &str, mut body: Value, below: Option<&View>) -> Result<String, ApiError> {
    let external_id = check_external_id(live, &body, None)?;
    let id = live.state.new_id("V");
    if let Some(blocks) = body.get_mut("blocks") {
        render::fill_block_ids(&mut live.state, blocks);
    }
    let values = initial_values(&body);
    let view = View {
        id: id.clone(),
        user: user.to_owned(),
        body,
        values,
        hash: new_hash(live),
        root_view_id: below.map_or_else(|| id.clone(), |below| below.root_view_id.clone()),
        previous_view_id: below.map(|below| below.id.clone()),
        external_id,
    };
    live.state.views.insert(id.clone(), view);
    Ok(id)
}

/// What the inputs of a view hold before anybody typed.
fn initial_values(body: &Value) -> Value {
    let mut values = json!({});
    for block in body["blocks"].as_array().into_iter().flatten() {
        let Some(block_id) = block["block_id"].as_str() else { continue };
        let elements = block["elements"].as_array().into_iter().flatten();
        for element in block.get("element").into_iter().chain(block.get("accessory")).chain(elements) {
            if let (Some(action_id), Some(value)) = (element["action_id"].as_str(), initial_value(element)) {
                values[block_id][action_id] = value;
            }
        }
    }
    values
}

/// The state of one element as Slack writes it; buttons have none.
pub(crate) fn initial_value(element: &Value) -> Option<Value> {
    let kind = element["type"].as_str()?;
    let or_null = |key: &str| element.get(key).cloned().unwrap_or(Value::Null);
    let or_empty = |key: &str| element.get(key).cloned().unwrap_or_else(|| json!([]));
    let (key, value) = match kind {
        "plain_text_input" | "email_text_input" | "url_text_input" | "number_input" => {
            ("value", or_null("initial_value"))
        }
        "static_select" | "external_select" | "radio_buttons" => ("selected_option", or_null("initial_option")),
        "multi_static_select" | "multi_external_select" | "checkboxes" => {
            ("selected_options", or_empty("initial_options"))
        }
        "users_select" => ("selected_user", or_null("initial_user")),
        "multi_users_select" => ("selected_users", or_empty("initial_users")),
        "channels_select" => ("selected_channel", or_null("initial_channel")),
        "multi_channels_select" => ("selected_channels", or_empty("initial_channels")),
        "conversations_select" => ("selected_conversation", or_null("initial_conversation")),
        "multi_conversations_select" => ("selected_conversations", or_empty("initial_conversations")),
        "datepicker" => ("selected_date", or_null("initial_date")),
        "timepicker" => ("selected_time", or_null("initial_time")),
        "datetimepicker" => ("selected_date_time", or_null("initial_date_time")),
        "rich_text_input" => ("rich_text_value", or_null("initial_value")),
        "file_input" => ("files", json!([])),
        _ => return None,
    };
    Some(json!({ "type": kind, key: value }))
}

fn show(live: &Live, id: &str) -> Value {
    live.state.views.get(id).map(|view| render::view(&live.state, view)).unwrap_or_default()
}

/// Forgets the open modals of a person.
pub(crate) fn clear_stack(live: &mut Live, user: &str) {
    for id in live.state.stacks.remove(user).unwrap_or_default() {
        live.state.views.remove(&id);
    }
}

/// Puts a checked modal on top of a person's stack.
pub(crate) fn push_view(live: &mut Live, user: &str, body: Value) -> Result<String, ApiError> {
    check(&body, Surface::Modal)?;
    let stack = live.state.stacks.get(user).cloned().unwrap_or_default();
    if stack.len() >= STACK_MAX {
        return Err("push_limit_reached".into());
    }
    let below = stack.last().and_then(|id| live.state.views.get(id)).cloned();
    let id = make(live, user, body, below.as_ref())?;
    live.state.stacks.entry(user.to_owned()).or_default().push(id.clone());
    live.tell(user, ChangeKind::Views, None);
    Ok(id)
}

/// Replaces what a view shows; what was typed stays where block and action keep their ids.
pub(crate) fn update_view(live: &mut Live, id: &str, mut body: Value) -> Result<(), ApiError> {
    let old = live.state.views.get(id).cloned().ok_or_else(|| ApiError::from("not_found"))?;
    let home = old.body["type"] == "home";
    check(&body, if home { Surface::Home } else { Surface::Modal })?;
    let external_id = check_external_id(live, &body, Some(id))?;
    if let Some(blocks) = body.get_mut("blocks") {
        render::fill_block_ids(&mut live.state, blocks);
    }
    let mut values = initial_values(&body);
    for (block_id, actions) in values.as_object_mut().into_iter().flatten() {
        for (action_id, value) in actions.as_object_mut().into_iter().flatten() {
            let typed = &old.values[block_id.as_str()][action_id.as_str()];
            if typed["type"] == value["type"] {
                *value = typed.clone();
            }
        }
    }
    let hash = new_hash(live);
    let kind = if home { ChangeKind::Home } else { ChangeKind::Views };
    if let Some(view) = live.state.views.get_mut(id) {
        view.body = body;
        view.values = values;
        view.hash = hash;
        view.external_id = external_id;
    }
    live.tell(&old.user, kind, None);
    Ok(())
}

pub(super) fn open(call: &mut Call<'_>) -> Reply {
    let body = read_view(call, Surface::Modal)?;
    check_external_id(call.live, &body, None)?;
    let trigger = spend_trigger(call)?;
    clear_stack(call.live, &trigger.user);
    let id = push_view(call.live, &trigger.user, body)?;
    Ok(json!({ "view": show(call.live, &id) }))
}

pub(super) fn push(call: &mut Call<'_>) -> Reply {
    let body = read_view(call, Surface::Modal)?;
    let trigger = spend_trigger(call)?;
    let open = call.live.state.stacks.get(&trigger.user).map_or(0, Vec::len);
    if trigger.view.is_none() || open == 0 {
        return Err("not_found".into());
    }
    let id = push_view(call.live, &trigger.user, body)?;
    Ok(json!({ "view": show(call.live, &id) }))
}

pub(super) fn update(call: &mut Call<'_>) -> Reply {
    let by_id = call.args.text("view_id");
    let by_name = call.args.text("external_id");
    let found = call.live.state.views.values().find(|view| match (&by_id, &by_name) {
        (Some(id), _) => view.id == *id,
        (None, Some(name)) => view.external_id == *name,
        (None, None) => false,
    });
    let view = found.ok_or_else(|| ApiError::from("not_found"))?;
    if call.args.text("hash").is_some_and(|hash| hash != view.hash) {
        return Err("hash_conflict".into());
    }
    let id = view.id.clone();
    let surface = if view.body["type"] == "home" { Surface::Home } else { Surface::Modal };
    let body = read_view(call, surface)?;
    update_view(call.live, &id, body)?;
    Ok(json!({ "view": show(call.live, &id) }))
}

pub(super) fn publish(call: &mut Call<'_>) -> Reply {
    if !call.live.state.app.home_enabled {
        return Err("not_enabled".into());
    }
    let user = call.args.need("user_id")?;
    if call.live.state.find_user(&user).is_none_or(|user| user.deleted) {
        return Err(ApiError::arguments(&["failed to match all allowed schemas [json-pointer:/user_id]".to_owned()]));
    }
    let body = read_view(call, Surface::Home)?;
    let existing = call.live.state.homes.get(&user).cloned();
    let Some(id) = existing else {
        if call.args.text("hash").is_some() {
            return Err("hash_conflict".into());
        }
        let id = make(call.live, &user, body, None)?;
        call.live.state.homes.insert(user.clone(), id.clone());
        call.live.tell(&user, ChangeKind::Home, None);
        return Ok(json!({ "view": show(call.live, &id) }));
    };
    let hash = call.live.state.views.get(&id).map(|view| view.hash.clone()).unwrap_or_default();
    if call.args.text("hash").is_some_and(|given| given != hash) {
        return Err("hash_conflict".into());
    }
    update_view(call.live, &id, body)?;
    Ok(json!({ "view": show(call.live, &id) }))
}
