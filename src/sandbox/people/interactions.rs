//! Commands, buttons, menus and shortcuts: the payloads Slack sends, and what it does with the answers.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{Container, Refusal, interaction, talkable, visible};
use crate::sandbox::api::views::initial_value;
use crate::sandbox::blocks_check::elements::check_suggestions;
use crate::sandbox::delivery::{Answer, Attempt, Failure, ask};
use crate::sandbox::escape::command_text;
use crate::sandbox::faults::Route;
use crate::sandbox::hub::Hub;
use crate::sandbox::live::{ChangeKind, Live};
use crate::sandbox::render;
use crate::sandbox::respond::{Place, carry_out};
use crate::sandbox::state::{Message, ShortcutKind};

/// Slack's own account, which speaks when an app does not.
const SLACKBOT: &str = "USLACKBOT";

/// A use of an interactive element.
pub(super) struct Press {
    pub container: Container,
    pub block_id: String,
    pub action_id: String,
    pub action: Map<String, Value>,
    pub state: Option<Value>,
}

fn slackbot_says(live: &mut Live, channel: &str, user: &str, text: &str) {
    let message = Message { user: Some(SLACKBOT.to_owned()), text: text.to_owned(), ..Message::default() };
    live.post_ephemeral(channel, user, message);
}

fn excuse(hub: &Arc<Hub>, who: &str, failure: Failure) -> Value {
    let text = format!("The app did not answer ({}). Try again.", failure.user_error());
    hub.with(|live| live.tell(who, ChangeKind::Error, Some(text.clone())));
    json!({ "delivered": false, "shown": text, "error_code": failure.user_error() })
}

pub(super) async fn command(hub: &Arc<Hub>, who: &str, channel: &str, typed: &str) -> Result<Value, Refusal> {
    let typed = typed.trim();
    let (word, rest) = typed.split_once(char::is_whitespace).unwrap_or((typed, ""));
    let payload = hub.with(|live| {
        talkable(live, who, channel)?;
        let Some(found) = live.state.app.commands.iter().find(|command| command.command == word).cloned() else {
            let text =
                format!("{word} is not a command that Slack knows. A leading space sends the line as a message.");
            slackbot_says(live, channel, who, &text);
            return Err(Refusal::new(text));
        };
        Ok::<Value, Refusal>(command_payload(live, who, channel, word, rest, found.should_escape))
    })?;
    let attempt = Attempt::new(Route::Command, word, payload);
    match ask(hub, attempt).await {
        Ok(answer) => Ok(hub.with(|live| command_answer(live, who, channel, typed, answer))),
        Err(failure) => {
            let text = format!("{word} failed with the error \"{}\"", failure.user_error());
            hub.with(|live| slackbot_says(live, channel, who, &text));
            let status = if let Failure::Status { status, .. } = failure { status } else { 0 };
            Ok(json!({ "status": status, "shown": text, "error_code": failure.user_error() }))
        }
    }
}

fn command_payload(live: &mut Live, who: &str, channel: &str, word: &str, rest: &str, should_escape: bool) -> Value {
    let text = command_text(&live.state, rest.trim(), should_escape);
    let response_url = live.lend_response_url(who, channel, None, None);
    let trigger_id = live.lend_trigger(who, None);
    let state = &live.state;
    let mut payload = json!({
        "token": state.app.verification_token, "team_id": state.team.id, "team_domain": state.team.domain,
        "channel_id": channel, "user_id": who, "command": word, "text": text, "api_app_id": state.app.id,
        "is_enterprise_install": if state.team.enterprise.is_some() { "true" } else { "false" },
        "response_url": response_url, "trigger_id": trigger_id,
    });
    payload["channel_name"] = json!(state.channels.get(channel).map(|channel| channel.payload_name().to_owned()));
    payload["user_name"] = json!(state.find_user(who).map(|user| user.name.clone()));
    if let Some(enterprise) = &state.team.enterprise {
        payload["enterprise_id"] = json!(enterprise.id);
        payload["enterprise_name"] = json!(enterprise.name);
    }
    payload
}

fn command_answer(live: &mut Live, who: &str, channel: &str, typed: &str, answer: Answer) -> Value {
    let status = answer.status;
    let body = match answer.body {
        Value::Object(body) => body,
        Value::String(text) => [("text".to_owned(), json!(text))].into_iter().collect(),
        _ => return json!({ "status": status }),
    };
    if body.is_empty() {
        return json!({ "status": status });
    }
    let place = Place { user: who.to_owned(), channel: channel.to_owned(), message_ts: None, thread_ts: None };
    if body.get("response_type") == Some(&json!("in_channel")) {
        // Slack shows what was typed above a public answer.
        let echo =
            Message { user: Some(who.to_owned()), text: crate::sandbox::escape::escape(typed), ..Message::default() };
        live.post(channel, echo);
        if body.len() == 1 {
            return json!({ "status": status, "response": body });
        }
    }
    match carry_out(live, &place, &body) {
        Ok(ts) => json!({ "status": status, "response": body, "ts": ts }),
        Err(error) => {
            live.journal.complain(format!("the answer to a command cannot be shown: {}", error.body()));
            let text = format!(
                "{} failed with the error \"invalid_command_response\"",
                typed.split(' ').next().unwrap_or_default()
            );
            slackbot_says(live, channel, who, &text);
            json!({ "status": status, "shown": text, "error_code": error.code })
        }
    }
}

/// What a container holds, as this person sees it.
struct Found {
    blocks: Vec<Value>,
    /// `state.values` before this use.
    values: Value,
    view_id: Option<String>,
    message: Option<(String, Message)>,
}

fn look(live: &Live, who: &str, container: &Container) -> Result<Found, Refusal> {
    match container {
        Container::Message { channel, ts } => {
            let gone = || Refusal::new("That message is not there any more.");
            let found = visible(live, who, channel)?;
            let message = found.find_any_message(ts).ok_or_else(gone)?;
            if message.ephemeral_to.as_deref().is_some_and(|user| user != who) {
                return Err(gone());
            }
            let own = message.blocks.iter();
            let attached =
                message.attachments.iter().filter_map(Value::as_array).flatten().filter_map(|one| one.get("blocks"));
            let blocks: Vec<Value> = own.chain(attached).filter_map(Value::as_array).flatten().cloned().collect();
            let values = values_of(&blocks);
            Ok(Found { blocks, values, view_id: None, message: Some((channel.clone(), message.clone())) })
        }
        Container::View { view_id } => look_view(live, who, view_id),
        Container::Home => {
            let id = live.state.homes.get(who).ok_or_else(|| Refusal::new("Your home tab is still empty."))?;
            look_view(live, who, id)
        }
    }
}

fn look_view(live: &Live, who: &str, id: &str) -> Result<Found, Refusal> {
    let view = live.state.views.get(id).filter(|view| view.user == who);
    let view = view.ok_or_else(|| Refusal::new("That view is not open any more."))?;
    let blocks = view.body["blocks"].as_array().cloned().unwrap_or_default();
    Ok(Found { blocks, values: view.values.clone(), view_id: Some(id.to_owned()), message: None })
}

fn values_of(blocks: &[Value]) -> Value {
    let mut values = json!({});
    for block in blocks {
        let Some(block_id) = block["block_id"].as_str() else { continue };
        for element in elements_of(block) {
            if let (Some(action_id), Some(value)) = (element["action_id"].as_str(), initial_value(element)) {
                values[block_id][action_id] = value;
            }
        }
    }
    values
}

pub(super) fn elements_of(block: &Value) -> impl Iterator<Item = &Value> {
    let listed = block["elements"].as_array().into_iter().flatten();
    block.get("element").into_iter().chain(block.get("accessory")).chain(listed)
}

fn find_element(found: &Found, block_id: &str, action_id: &str) -> Result<Value, Refusal> {
    found
        .blocks
        .iter()
        .filter(|block| block["block_id"] == block_id)
        .flat_map(elements_of)
        .find(|element| element["action_id"] == action_id)
        .cloned()
        .ok_or_else(|| Refusal::new(format!("There is nothing to press with block {block_id} and action {action_id}.")))
}

/// The entry of `actions`: what the element itself says, and the person's choice.
fn action_of(live: &Live, press: &Press, element: &Value) -> Result<Value, Refusal> {
    let kind = element["type"].as_str().unwrap_or_default();
    let mut action = json!({
        "type": kind, "action_id": press.action_id, "block_id": press.block_id, "action_ts": live.event_ts(),
    });
    match kind {
        "button" | "workflow_button" => {
            action["text"] = element["text"].clone();
            for key in ["value", "style", "url"] {
                if let Some(value) = element.get(key) {
                    action[key] = value.clone();
                }
            }
        }
        _ => {
            for (key, value) in &press.action {
                if key == "value" || key.starts_with("selected_") || key == "rich_text_value" {
                    action[key] = value.clone();
                }
            }
            check_choice(element, &action)?;
        }
    }
    for key in ["placeholder", "initial_option", "initial_date", "initial_time", "confirm"] {
        if let Some(value) = element.get(key) {
            action[key] = value.clone();
        }
    }
    Ok(action)
}

/// A choice from a fixed list must be in it.
pub(super) fn check_choice(element: &Value, chosen: &Value) -> Result<(), Refusal> {
    let flat = element["options"].as_array().into_iter().flatten();
    let grouped = element["option_groups"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|group| group["options"].as_array())
        .flatten();
    let options: Vec<&Value> = flat.chain(grouped).collect();
    if options.is_empty() {
        return Ok(());
    }
    let single = chosen.get("selected_option").filter(|choice| !choice.is_null());
    let several = chosen["selected_options"].as_array().into_iter().flatten();
    for choice in single.into_iter().chain(several) {
        if !options.iter().any(|option| option["value"] == choice["value"]) {
            return Err(Refusal::new(format!("{} is not among the options.", choice["value"])));
        }
    }
    Ok(())
}

fn merge_values(values: &mut Value, given: &Value) {
    for (block_id, actions) in given.as_object().into_iter().flatten() {
        for (action_id, value) in actions.as_object().into_iter().flatten() {
            values[block_id.as_str()][action_id.as_str()] = value.clone();
        }
    }
}

pub(super) async fn press(hub: &Arc<Hub>, who: &str, press: Press) -> Result<Value, Refusal> {
    let payload = hub.with(|live| press_payload(live, who, &press))?;
    match ask(hub, Attempt::new(Route::Interaction, "block_actions", payload)).await {
        Ok(answer) => {
            if answer.body.as_object().is_some_and(|body| !body.is_empty()) {
                hub.with(|live| {
                    live.journal.complain("block_actions was answered with a body, which Slack ignores".to_owned());
                });
            }
            Ok(json!({ "delivered": true, "status": answer.status }))
        }
        Err(failure) => Ok(excuse(hub, who, failure)),
    }
}

fn press_payload(live: &mut Live, who: &str, press: &Press) -> Result<Value, Refusal> {
    let found = look(live, who, &press.container)?;
    let element = find_element(&found, &press.block_id, &press.action_id)?;
    let action = action_of(live, press, &element)?;
    let mut values = found.values.clone();
    if let Some(given) = &press.state {
        merge_values(&mut values, given.get("values").unwrap_or(given));
    }
    if let Some(mut value) = initial_value(&element) {
        for (key, chosen) in action.as_object().into_iter().flatten() {
            if value.get(key).is_some() && key != "type" {
                value[key] = chosen.clone();
            }
        }
        values[press.block_id.as_str()][press.action_id.as_str()] = value;
    }
    let trigger_id = live.lend_trigger(who, found.view_id.clone());
    let mut payload = interaction(live, "block_actions", who);
    payload["trigger_id"] = json!(trigger_id);
    payload["actions"] = json!([action]);
    if let Some(id) = &found.view_id {
        if let Some(view) = live.state.views.get_mut(id) {
            view.values = values.clone();
        }
        live.dirty = true;
        payload["container"] = json!({ "type": "view", "view_id": id });
        payload["view"] = live.state.views.get(id).map(|view| render::view(&live.state, view)).unwrap_or_default();
    }
    if let Some((channel, message)) = found.message {
        let ephemeral = message.ephemeral_to.is_some();
        let url = live.lend_response_url(who, &channel, Some(message.ts.clone()), message.thread_ts.clone());
        payload["response_url"] = json!(url);
        payload["state"] = json!({ "values": values });
        payload["container"] = json!({
            "type": "message", "message_ts": message.ts, "channel_id": channel, "is_ephemeral": ephemeral,
        });
        if let Some(thread_ts) = &message.thread_ts {
            payload["container"]["thread_ts"] = json!(thread_ts);
        }
        payload["channel"] = channel_ref(live, &channel);
        if !ephemeral {
            payload["message"] = live.message_json(&channel, &message.ts).unwrap_or_default();
        }
    }
    Ok(payload)
}

fn channel_ref(live: &Live, id: &str) -> Value {
    json!({ "id": id, "name": live.state.channels.get(id).map(|channel| channel.payload_name().to_owned()) })
}

pub(super) async fn options(
    hub: &Arc<Hub>,
    who: &str,
    container: &Container,
    block_id: &str,
    action_id: &str,
    typed: &str,
) -> Result<Value, Refusal> {
    let payload = hub.with(|live| {
        let found = look(live, who, container)?;
        let element = find_element(&found, block_id, action_id)?;
        if !["external_select", "multi_external_select"].iter().any(|kind| element["type"] == *kind) {
            return Err(Refusal::new("This menu has its own options."));
        }
        let mut payload = interaction(live, "block_suggestion", who);
        payload["action_id"] = json!(action_id);
        payload["block_id"] = json!(block_id);
        payload["value"] = json!(typed);
        if let Some(id) = &found.view_id {
            payload["container"] = json!({ "type": "view", "view_id": id });
            payload["view"] = live.state.views.get(id).map(|view| render::view(&live.state, view)).unwrap_or_default();
        }
        if let Some((channel, message)) = &found.message {
            payload["container"] = json!({ "type": "message", "message_ts": message.ts, "channel_id": channel, "is_ephemeral": message.ephemeral_to.is_some() });
            payload["channel"] = channel_ref(live, channel);
            payload["message"] = live.message_json(channel, &message.ts).unwrap_or_default();
        }
        Ok(payload)
    })?;
    let answer = match ask(hub, Attempt::new(Route::Interaction, "block_suggestion", payload)).await {
        Ok(answer) => answer.body,
        Err(failure) => return Ok(excuse(hub, who, failure)),
    };
    let errors = check_suggestions(&answer);
    if !errors.is_empty() {
        hub.with(|live| live.journal.complain(format!("the options offered cannot be shown: {}", errors.join("; "))));
        return Ok(json!({ "options": [], "shown": "No results" }));
    }
    Ok(answer)
}

pub(super) async fn shortcut(
    hub: &Arc<Hub>,
    who: &str,
    callback_id: &str,
    message: Option<(&str, &str)>,
) -> Result<Value, Refusal> {
    let (name, payload) = hub.with(|live| shortcut_payload(live, who, callback_id, message))?;
    match ask(hub, Attempt::new(Route::Interaction, name, payload)).await {
        Ok(answer) => Ok(json!({ "delivered": true, "status": answer.status })),
        Err(failure) => Ok(excuse(hub, who, failure)),
    }
}

fn shortcut_payload(
    live: &mut Live,
    who: &str,
    callback_id: &str,
    message: Option<(&str, &str)>,
) -> Result<(&'static str, Value), Refusal> {
    let wanted = if message.is_some() { ShortcutKind::Message } else { ShortcutKind::Global };
    let known = live.state.app.shortcuts.iter().any(|one| one.callback_id == callback_id && one.kind == wanted);
    if !known {
        return Err(Refusal::new(format!("The app has no such shortcut: {callback_id}.")));
    }
    if let Some((channel, ts)) = message {
        visible(live, who, channel)?
            .find_message(ts)
            .ok_or_else(|| Refusal::new("That message is not there any more."))?;
    }
    let trigger_id = live.lend_trigger(who, None);
    let name = if message.is_some() { "message_action" } else { "shortcut" };
    let mut payload = interaction(live, name, who);
    payload["callback_id"] = json!(callback_id);
    payload["trigger_id"] = json!(trigger_id);
    payload["action_ts"] = json!(live.event_ts());
    if let Some((channel, ts)) = message {
        let thread_ts = live
            .state
            .channels
            .get(channel)
            .and_then(|found| found.find_message(ts))
            .and_then(|one| one.thread_ts.clone());
        payload["response_url"] = json!(live.lend_response_url(who, channel, Some(ts.to_owned()), thread_ts));
        payload["message_ts"] = json!(ts);
        payload["channel"] = channel_ref(live, channel);
        payload["message"] = live.message_json(channel, ts).unwrap_or_default();
    }
    Ok((name, payload))
}
