//! People, their quiet hours, and user groups.

use serde_json::{Value, json};

use super::{Call, Reply, next_cursor};
use crate::sandbox::render;
use crate::sandbox::state::{Dnd, User};
use crate::sandbox::wire::ApiError;

fn find<'a>(call: &'a Call<'_>, id: &str) -> Result<&'a User, ApiError> {
    call.live.state.find_user(id).ok_or_else(|| "user_not_found".into())
}

fn show(call: &Call<'_>, user: &User) -> Value {
    let with_email = call.need_scope(&["users:read.email"]).is_ok();
    render::user(&call.live.state, user, call.live.now, with_email)
}

pub(super) fn info(call: &mut Call<'_>) -> Reply {
    let user = find(call, &call.args.need("user")?)?;
    let mut shown = show(call, user);
    if call.args.flag("include_locale") {
        shown["locale"] = json!("en-US");
    }
    Ok(json!({ "user": shown }))
}

pub(super) fn list(call: &mut Call<'_>) -> Reply {
    let users: Vec<Value> = call.live.state.users.iter().map(|user| show(call, user)).collect();
    let (members, cursor) = call.page(users, 1000, 1000)?;
    Ok(json!({ "members": members, "cache_ts": call.live.now_s(), "response_metadata": next_cursor(&cursor) }))
}

pub(super) fn lookup_by_email(call: &mut Call<'_>) -> Reply {
    let email = call.args.need("email")?.to_lowercase();
    let user = call
        .live
        .state
        .users
        .iter()
        .find(|user| !user.deleted && user.email.as_ref().is_some_and(|have| have.to_lowercase() == email))
        .ok_or_else(|| ApiError::from("users_not_found"))?;
    Ok(json!({ "user": show(call, user) }))
}

pub(super) fn presence(call: &mut Call<'_>) -> Reply {
    let id = call.args.text("user").unwrap_or_else(|| call.me.clone());
    let active = !find(call, &id)?.deleted;
    Ok(json!({ "presence": if active { "active" } else { "away" } }))
}

pub(super) fn profile(call: &mut Call<'_>) -> Reply {
    let id = call.args.text("user").unwrap_or_else(|| call.me.clone());
    let user = find(call, &id)?;
    Ok(json!({ "profile": show(call, user)["profile"] }))
}

fn dnd(dnd: &Dnd) -> Value {
    let mut shown = json!({
        "dnd_enabled": dnd.enabled, "next_dnd_start_ts": dnd.next_start_ts, "next_dnd_end_ts": dnd.next_end_ts,
        "snooze_enabled": dnd.snooze_until_ts.is_some(),
    });
    if let Some(until) = dnd.snooze_until_ts {
        shown["snooze_endtime"] = json!(until);
    }
    shown
}

pub(super) fn dnd_info(call: &mut Call<'_>) -> Reply {
    let id = call.args.text("user").unwrap_or_else(|| call.me.clone());
    let mut shown = dnd(&find(call, &id)?.dnd);
    if let Some(until) = shown["snooze_endtime"].as_i64() {
        shown["snooze_remaining"] = json!((until - call.live.now_s()).max(0));
    }
    Ok(shown)
}

#[expect(clippy::unnecessary_wraps, reason = "every method has the table's signature")]
pub(super) fn dnd_team(call: &mut Call<'_>) -> Reply {
    let ids = call.args.list("users");
    let users: serde_json::Map<String, Value> = ids
        .iter()
        .filter_map(|id| call.live.state.find_user(id))
        .map(|user| (user.id.clone(), dnd(&user.dnd)))
        .collect();
    Ok(json!({ "users": users }))
}

fn need_plan(call: &Call<'_>) -> Result<(), ApiError> {
    if call.live.state.team.paid { Ok(()) } else { Err("plan_upgrade_required".into()) }
}

pub(super) fn groups(call: &mut Call<'_>) -> Reply {
    need_plan(call)?;
    let with_users = call.args.flag("include_users");
    let with_disabled = call.args.flag("include_disabled");
    let state = &call.live.state;
    let groups: Vec<Value> = state
        .usergroups
        .iter()
        .filter(|group| with_disabled || !group.disabled)
        .map(|group| render::usergroup(state, group, with_users))
        .collect();
    Ok(json!({ "usergroups": groups }))
}

pub(super) fn group_users(call: &mut Call<'_>) -> Reply {
    need_plan(call)?;
    let id = call.args.need("usergroup")?;
    let with_disabled = call.args.flag("include_disabled");
    let group = call
        .live
        .state
        .usergroups
        .iter()
        .find(|group| group.id == id && (with_disabled || !group.disabled))
        .ok_or_else(|| ApiError::from("no_such_subteam"))?;
    Ok(json!({ "users": group.users }))
}

pub(super) fn group_update(call: &mut Call<'_>) -> Reply {
    need_plan(call)?;
    let id = call.args.need("usergroup")?;
    let users = call.args.list("users");
    if users.is_empty() {
        return Err("no_users_provided".into());
    }
    if users.iter().any(|user| call.live.state.find_user(user).is_none_or(|user| user.deleted)) {
        return Err("invalid_users".into());
    }
    let group = call
        .live
        .state
        .usergroups
        .iter_mut()
        .find(|group| group.id == id)
        .ok_or_else(|| ApiError::from("no_such_subteam"))?;
    group.users = users;
    let group = group.clone();
    let shown = render::usergroup(&call.live.state, &group, true);
    let event_ts = call.live.event_ts();
    call.live.emit(json!({ "type": "subteam_updated", "subteam": shown, "event_ts": event_ts }));
    call.live.dirty = true;
    Ok(json!({ "usergroup": shown }))
}
