//! What a person does that needs no answer of the app: writing, reacting, joining and the like.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{Act, Refusal, talkable, visible};
use crate::sandbox::api::channel_changes::create_channel;
use crate::sandbox::api::files::{mimetype, share};
use crate::sandbox::api::marks;
use crate::sandbox::escape::message_text;
use crate::sandbox::events;
use crate::sandbox::live::{ChangeKind, Live};
use crate::sandbox::render;
use crate::sandbox::state::{Edited, File, Message};
use crate::sandbox::wire::{base64_decode, base64_encode};

/// Characters a person can type into one message.
const TYPED_MAX: usize = 12_000;

pub(super) fn at_once(live: &mut Live, who: &str, act: Act) -> Result<Value, Refusal> {
    match act {
        Act::Message { channel, text, thread_ts } => write(live, who, &channel, &text, thread_ts),
        Act::React { channel, ts, name } => {
            known_message(live, who, &channel, &ts)?;
            marks::react(live, &channel, &ts, name.trim_matches(':'), who)?;
            Ok(json!({}))
        }
        Act::Unreact { channel, ts, name } => {
            known_message(live, who, &channel, &ts)?;
            marks::unreact(live, &channel, &ts, name.trim_matches(':'), who)?;
            Ok(json!({}))
        }
        Act::Edit { channel, ts, text } => edit(live, who, &channel, &ts, &text),
        Act::Delete { channel, ts } => delete(live, who, &channel, &ts),
        Act::Pin { channel, ts } => {
            known_message(live, who, &channel, &ts)?;
            marks::pin(live, &channel, &ts, who)?;
            Ok(json!({}))
        }
        Act::Unpin { channel, ts } => {
            known_message(live, who, &channel, &ts)?;
            marks::unpin(live, &channel, &ts, who)?;
            Ok(json!({}))
        }
        Act::OpenHome {} => Ok(open_home(live, who)),
        Act::OpenDm { user } => {
            if live.state.find_user(&user).is_none() {
                return Err(Refusal::new(format!("There is nobody with the id {user}.")));
            }
            let (id, _) = live.open_direct(&[who.to_owned(), user]);
            Ok(json!({ "channel": id }))
        }
        Act::Join { channel } => {
            let found = visible(live, who, &channel)?;
            if found.archived {
                return Err(Refusal::new(format!("#{} is archived.", found.name)));
            }
            live.add_member(&channel, who, None);
            Ok(json!({ "channel": channel }))
        }
        Act::Leave { channel } => {
            if visible(live, who, &channel)?.general {
                return Err(Refusal::new("Nobody can leave the general channel."));
            }
            live.remove_member(&channel, who);
            Ok(json!({}))
        }
        Act::Read { channel, ts } => {
            visible(live, who, &channel)?;
            if let Some(found) = live.state.channels.get_mut(&channel) {
                found.last_read.insert(who.to_owned(), ts);
            }
            live.dirty = true;
            Ok(json!({}))
        }
        Act::CreateChannel { name, private } => {
            let id = create_channel(live, name.trim_start_matches('#'), private, who)?;
            Ok(json!({ "channel": id }))
        }
        Act::Invite { channel, users } => invite(live, who, &channel, &users),
        Act::Archive { channel } => archive(live, who, &channel),
        Act::Upload { channel, name, content_base64, comment, thread_ts } => {
            upload(live, who, &channel, &name, &content_base64, comment, thread_ts)
        }
        Act::User { id, deleted, dnd, tz, title, real_name } => {
            let user = live
                .state
                .users
                .iter_mut()
                .find(|user| user.id == id)
                .ok_or_else(|| Refusal::new(format!("There is nobody with the id {id}.")))?;
            user.deleted = deleted.unwrap_or(user.deleted);
            user.dnd = dnd.unwrap_or_else(|| user.dnd.clone());
            user.tz = tz.unwrap_or_else(|| user.tz.clone());
            user.title = title.unwrap_or_else(|| user.title.clone());
            user.real_name = real_name.unwrap_or_else(|| user.real_name.clone());
            Ok(user_changed(live, &id))
        }
        Act::Install { scopes, events, commands, shortcuts, home_enabled } => {
            let app = &mut live.state.app;
            app.scopes = scopes.unwrap_or_else(|| app.scopes.clone());
            app.events = events.unwrap_or_else(|| app.events.clone());
            app.commands = commands.unwrap_or_else(|| app.commands.clone());
            app.shortcuts = shortcuts.unwrap_or_else(|| app.shortcuts.clone());
            app.home_enabled = home_enabled.unwrap_or(app.home_enabled);
            live.changed(ChangeKind::Users, None, None);
            Ok(json!({}))
        }
        Act::Command { .. }
        | Act::PlainCommand { .. }
        | Act::Action { .. }
        | Act::Submit { .. }
        | Act::Close { .. }
        | Act::Options { .. }
        | Act::Shortcut { .. } => Err(Refusal::new("This act needs the app's answer.")),
    }
}

fn known_message<'a>(live: &'a Live, who: &str, channel: &str, ts: &str) -> Result<&'a Message, Refusal> {
    talkable(live, who, channel)?.find_message(ts).ok_or_else(|| Refusal::new("That message is not there any more."))
}

fn author(live: &Live, who: &str) -> Message {
    let mut message = Message { user: Some(who.to_owned()), ..Message::default() };
    if let Some(bot) = live.state.find_user(who).filter(|user| user.is_bot) {
        message.bot_id.clone_from(&bot.bot_id);
        message.username = Some(bot.real_name.clone());
        message.subtype = Some("bot_message".to_owned());
    } else {
        let number = format!("{}/{}", live.state.team.id, live.state.counter);
        message.client_msg_id = Some(Uuid::new_v5(&Uuid::NAMESPACE_OID, number.as_bytes()).to_string());
    }
    message
}

fn write(live: &mut Live, who: &str, channel: &str, text: &str, thread_ts: Option<String>) -> Result<Value, Refusal> {
    let found = talkable(live, who, channel)?;
    if let Some(parent) = &thread_ts
        && found.find_message(parent).is_none()
    {
        return Err(Refusal::new("That thread is not there any more."));
    }
    if text.trim().is_empty() {
        return Err(Refusal::new("There is nothing to send."));
    }
    if text.chars().count() > TYPED_MAX {
        return Err(Refusal::new(format!("A message holds at most {TYPED_MAX} characters.")));
    }
    // A number of its own, so that two messages of one microsecond differ.
    live.state.counter += 1;
    let text = message_text(&live.state, text);
    let ts = live.post(channel, Message { text, thread_ts, ..author(live, who) });
    Ok(json!({ "ts": ts }))
}

fn edit(live: &mut Live, who: &str, channel: &str, ts: &str, text: &str) -> Result<Value, Refusal> {
    let message = known_message(live, who, channel, ts)?;
    if message.user.as_deref() != Some(who) {
        return Err(Refusal::new("You can only edit what you wrote."));
    }
    let text = message_text(&live.state, text);
    let edited = Edited { user: who.to_owned(), ts: live.event_ts() };
    live.change_message(channel, ts, |message| {
        message.text = text;
        message.edited = Some(edited);
    });
    Ok(json!({}))
}

fn delete(live: &mut Live, who: &str, channel: &str, ts: &str) -> Result<Value, Refusal> {
    let found = visible(live, who, channel)?;
    let message = found.find_any_message(ts).ok_or_else(|| Refusal::new("That message is not there any more."))?;
    let dismissed = message.ephemeral_to.as_deref() == Some(who);
    let admin = live.state.find_user(who).is_some_and(|user| user.is_admin);
    if !dismissed && message.user.as_deref() != Some(who) && !admin {
        return Err(Refusal::new("You can only delete what you wrote."));
    }
    live.delete_message(channel, ts);
    Ok(json!({}))
}

fn open_home(live: &mut Live, who: &str) -> Value {
    let bot = live.bot_user();
    let (channel, _) = live.open_direct(&[bot, who.to_owned()]);
    let mut event = json!({
        "type": "app_home_opened", "user": who, "channel": channel, "tab": "home", "event_ts": live.event_ts(),
    });
    let home = live.state.homes.get(who).and_then(|id| live.state.views.get(id));
    if let Some(view) = home {
        event["view"] = render::view(&live.state, view);
    }
    live.emit(event);
    json!({ "channel": channel })
}

fn invite(live: &mut Live, who: &str, channel: &str, users: &[String]) -> Result<Value, Refusal> {
    talkable(live, who, channel)?;
    for id in users {
        match live.state.find_user(id) {
            None => return Err(Refusal::new(format!("There is nobody with the id {id}."))),
            Some(user) if user.deleted => {
                return Err(Refusal::new(format!("The account of {} is deactivated.", user.real_name)));
            }
            Some(_) => {}
        }
    }
    for id in users {
        live.add_member(channel, id, Some(who));
    }
    Ok(json!({}))
}

fn archive(live: &mut Live, who: &str, channel: &str) -> Result<Value, Refusal> {
    let found = talkable(live, who, channel)?;
    if found.general {
        return Err(Refusal::new("The general channel cannot be archived."));
    }
    let kind = events::of_channel(found, "archive");
    live.post_system(channel, "channel_archive", who, "archived the channel".to_owned(), &[]);
    let event_ts = live.event_ts();
    live.emit_in(
        channel,
        json!({ "type": kind, "channel": channel, "user": who, "is_moved": 0, "event_ts": event_ts }),
    );
    let bot = live.bot_user();
    if let Some(found) = live.state.channels.get_mut(channel) {
        found.archived = true;
        found.members.retain(|member| *member != bot);
    }
    live.changed(ChangeKind::Channel, Some(channel), None);
    Ok(json!({}))
}

fn upload(
    live: &mut Live,
    who: &str,
    channel: &str,
    name: &str,
    content: &str,
    comment: Option<String>,
    thread_ts: Option<String>,
) -> Result<Value, Refusal> {
    talkable(live, who, channel)?;
    let bytes = base64_decode(content).ok_or_else(|| Refusal::new("The file is not base64."))?;
    let id = live.state.new_id("F");
    let file = File {
        id: id.clone(),
        name: name.to_owned(),
        title: name.to_owned(),
        mimetype: mimetype(name).to_owned(),
        length: bytes.len(),
        user: who.to_owned(),
        created: live.now_s(),
        content: Some(base64_encode(&bytes)),
        ..File::default()
    };
    live.state.files.insert(id.clone(), file);
    live.trim_files();
    let text = message_text(&live.state, &comment.unwrap_or_default());
    let message = Message { text, thread_ts, ..author(live, who) };
    let ts = share(live, channel, std::slice::from_ref(&id), message);
    Ok(json!({ "ts": ts, "file": id }))
}

fn user_changed(live: &mut Live, id: &str) -> Value {
    let shown =
        live.state.find_user(id).map(|user| render::user(&live.state, user, live.now, true)).unwrap_or_default();
    let event_ts = live.event_ts();
    live.emit(json!({ "type": "user_change", "user": shown, "cache_ts": live.now_s(), "event_ts": event_ts }));
    live.changed(ChangeKind::Users, None, None);
    json!({})
}
