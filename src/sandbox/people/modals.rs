//! Submitting and closing modals.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::interactions::{check_choice, elements_of};
use super::{Refusal, interaction};
use crate::sandbox::api::views::{clear_stack, initial_value, push_view, update_view};
use crate::sandbox::delivery::{Attempt, ask};
use crate::sandbox::faults::Route;
use crate::sandbox::hub::Hub;
use crate::sandbox::live::{ChangeKind, Live};
use crate::sandbox::render;
use crate::sandbox::state::View;

/// What Slack shows in a modal whose app does not answer.
const TROUBLE: &str = "We had some trouble connecting. Try again?";

fn open_view(live: &Live, who: &str, id: &str) -> Result<View, Refusal> {
    let stack = live.state.stacks.get(who).map(Vec::as_slice).unwrap_or_default();
    if stack.last().is_none_or(|top| top != id) {
        return Err(Refusal::new("That view is not the one on top."));
    }
    live.state.views.get(id).cloned().ok_or_else(|| Refusal::new("That view is not open any more."))
}

pub(super) async fn submit(hub: &Arc<Hub>, who: &str, id: &str, given: &Value) -> Result<Value, Refusal> {
    let prepared = hub.with(|live| {
        let view = open_view(live, who, id)?;
        let mut values = view.values.clone();
        fill_in(&view, &mut values, given);
        let errors = check_inputs(&view, &values)?;
        if !errors.is_empty() {
            return Ok(Err(errors));
        }
        if let Some(view) = live.state.views.get_mut(id) {
            view.values = values;
        }
        live.dirty = true;
        Ok::<_, Refusal>(Ok(submission(live, who, id)))
    })?;
    let payload = match prepared {
        // Slack's client says so itself; the app is not asked.
        Err(errors) => return Ok(json!({ "response_action": "errors", "errors": errors, "by": "client" })),
        Ok(payload) => payload,
    };
    match ask(hub, Attempt::new(Route::Interaction, "view_submission", payload)).await {
        Ok(answer) => Ok(hub.with(|live| follow(live, who, id, &answer.body))),
        Err(failure) => {
            hub.with(|live| live.tell(who, ChangeKind::Error, Some(TROUBLE.to_owned())));
            Ok(json!({ "delivered": false, "shown": TROUBLE, "error_code": failure.user_error() }))
        }
    }
}

/// Overlays what the person typed, each value with its element's type.
fn fill_in(view: &View, values: &mut Value, given: &Value) {
    let given = given.get("values").unwrap_or(given);
    for block in view.body["blocks"].as_array().into_iter().flatten() {
        let Some(block_id) = block["block_id"].as_str() else { continue };
        for element in elements_of(block) {
            let Some(action_id) = element["action_id"].as_str() else { continue };
            let typed = &given[block_id][action_id];
            if typed.is_null() {
                continue;
            }
            let Some(mut value) = initial_value(element) else { continue };
            for (key, part) in typed.as_object().into_iter().flatten() {
                if key != "type" {
                    let empty = part.as_str() == Some("");
                    value[key.as_str()] = if empty { Value::Null } else { part.clone() };
                }
            }
            values[block_id][action_id] = value;
        }
    }
}

/// What Slack's client checks before the app is asked: required inputs, lengths, addresses and numbers.
fn check_inputs(view: &View, values: &Value) -> Result<Map<String, Value>, Refusal> {
    let mut errors = Map::new();
    for block in view.body["blocks"].as_array().into_iter().flatten().filter(|block| block["type"] == "input") {
        let (Some(block_id), element) = (block["block_id"].as_str(), &block["element"]) else { continue };
        let value = &values[block_id][element["action_id"].as_str().unwrap_or_default()];
        check_choice(element, value)?;
        let empty =
            value.as_object().into_iter().flatten().filter(|(key, _)| *key != "type").all(|(_, part)| {
                part.is_null() || part.as_str() == Some("") || part.as_array().is_some_and(Vec::is_empty)
            });
        if empty {
            if block["optional"] != json!(true) {
                errors.insert(block_id.to_owned(), json!("Please complete this required field."));
            }
            continue;
        }
        if let Some(sentence) = value["value"].as_str().and_then(|text| check_text(element, text)) {
            errors.insert(block_id.to_owned(), json!(sentence));
        }
    }
    Ok(errors)
}

fn check_text(element: &Value, text: &str) -> Option<String> {
    let length = u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
    let max = element["max_length"].as_u64().unwrap_or(3000);
    let min = element["min_length"].as_u64().unwrap_or(0);
    let number = text.parse::<f64>();
    let bound = |key: &str| element[key].as_str().and_then(|bound| bound.parse::<f64>().ok());
    match element["type"].as_str().unwrap_or_default() {
        _ if length > max => Some(format!("At most {max} characters.")),
        _ if length < min => Some(format!("At least {min} characters.")),
        "email_text_input" if !text.contains('@') => Some("Not an e-mail address.".to_owned()),
        "url_text_input" if !text.contains("://") => Some("Not a link.".to_owned()),
        "number_input" => match number {
            Err(_) => Some("Not a number.".to_owned()),
            Ok(number) if bound("min_value").is_some_and(|min| number < min) => Some("Too small.".to_owned()),
            Ok(number) if bound("max_value").is_some_and(|max| number > max) => Some("Too large.".to_owned()),
            Ok(number) if element["is_decimal_allowed"] == json!(false) && number.fract() != 0.0 => {
                Some("Not a whole number.".to_owned())
            }
            Ok(_) => None,
        },
        _ => None,
    }
}

fn submission(live: &mut Live, who: &str, id: &str) -> Value {
    let trigger_id = live.lend_trigger(who, Some(id.to_owned()));
    let mut payload = interaction(live, "view_submission", who);
    payload["trigger_id"] = json!(trigger_id);
    let view = live.state.views.get(id).cloned().unwrap_or_default();
    payload["response_urls"] = json!(response_urls(live, who, &view));
    payload["view"] = render::view(&live.state, &view);
    payload
}

/// An address for every conversation chosen in an input that asked for one.
fn response_urls(live: &mut Live, who: &str, view: &View) -> Vec<Value> {
    let mut urls = Vec::new();
    for block in view.body["blocks"].as_array().into_iter().flatten() {
        let element = &block["element"];
        if element["response_url_enabled"] != json!(true) {
            continue;
        }
        let (block_id, action_id) =
            (block["block_id"].as_str().unwrap_or_default(), element["action_id"].as_str().unwrap_or_default());
        let value = &view.values[block_id][action_id];
        let chosen = value["selected_conversation"].as_str().or_else(|| value["selected_channel"].as_str());
        if let Some(channel) = chosen.filter(|channel| live.state.channels.contains_key(*channel)) {
            let url = live.lend_response_url(who, channel, None, None);
            urls.push(
                json!({ "block_id": block_id, "action_id": action_id, "channel_id": channel, "response_url": url }),
            );
        }
    }
    urls
}

/// Does what the app's answer to a submission asks for.
fn follow(live: &mut Live, who: &str, id: &str, answer: &Value) -> Value {
    let action = answer["response_action"].as_str().unwrap_or_default();
    let result = match action {
        "" => {
            if answer.as_object().is_some_and(|body| !body.is_empty()) || answer.is_string() {
                live.journal.complain("view_submission was answered with a body without response_action".to_owned());
            }
            pop(live, who, id);
            Ok(())
        }
        "clear" => {
            clear_stack(live, who);
            live.tell(who, ChangeKind::Views, None);
            Ok(())
        }
        "errors" => {
            let errors = answer["errors"].as_object().cloned().unwrap_or_default();
            let view = live.state.views.get(id);
            let inputs: Vec<&str> = view
                .and_then(|view| view.body["blocks"].as_array())
                .into_iter()
                .flatten()
                .filter(|block| block["type"] == "input")
                .filter_map(|block| block["block_id"].as_str())
                .collect();
            if errors.is_empty() || errors.keys().any(|key| !inputs.contains(&key.as_str())) {
                live.journal.complain("errors of a view_submission must name blocks of type input".to_owned());
                live.tell(who, ChangeKind::Error, Some(TROUBLE.to_owned()));
                return json!({ "shown": TROUBLE });
            }
            return json!({ "response_action": "errors", "errors": errors });
        }
        "update" => update_view(live, id, answer["view"].clone()),
        "push" => push_view(live, who, answer["view"].clone()).map(|_| ()),
        other => Err(format!("unknown response_action {other}").as_str().into()),
    };
    if let Err(error) = result {
        live.journal.complain(format!("the answer to a view_submission cannot be followed: {}", error.body()));
        live.tell(who, ChangeKind::Error, Some(TROUBLE.to_owned()));
        return json!({ "shown": TROUBLE, "error_code": error.code });
    }
    json!({ "response_action": if action.is_empty() { "close" } else { action } })
}

fn pop(live: &mut Live, who: &str, id: &str) {
    live.state.views.remove(id);
    if let Some(stack) = live.state.stacks.get_mut(who) {
        stack.retain(|open| open != id);
    }
    live.tell(who, ChangeKind::Views, None);
}

pub(super) async fn close(hub: &Arc<Hub>, who: &str, id: &str) -> Result<Value, Refusal> {
    let payloads = hub.with(|live| {
        let view = open_view(live, who, id)?;
        let all = view.body["clear_on_close"] == json!(true);
        let closed: Vec<View> = if all {
            let stack = live.state.stacks.get(who).cloned().unwrap_or_default();
            stack.iter().rev().filter_map(|id| live.state.views.get(id).cloned()).collect()
        } else {
            vec![view]
        };
        let mut payloads = Vec::new();
        for view in closed {
            if view.body["notify_on_close"] == json!(true) {
                let mut payload = interaction(live, "view_closed", who);
                payload["view"] = render::view(&live.state, &view);
                payload["is_cleared"] = json!(all);
                payloads.push(payload);
            }
            pop(live, who, &view.id);
        }
        Ok::<_, Refusal>(payloads)
    })?;
    for payload in payloads {
        // Nobody waits for the answer to a closed view.
        let _ = ask(hub, Attempt::new(Route::Interaction, "view_closed", payload)).await;
    }
    Ok(json!({}))
}
