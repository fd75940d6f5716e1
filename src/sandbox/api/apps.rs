//! Methods about the app and its workspace themselves.

use serde_json::{Map, Value, json};

use super::{Call, Reply, next_cursor};
use crate::sandbox::wire::ApiError;

pub(super) fn api_test(call: &mut Call<'_>) -> Reply {
    let args: Map<String, Value> = call.args.0.clone();
    match call.args.text("error") {
        Some(error) => Err(ApiError::from(error.as_str()).with("args", json!(args))),
        None => Ok(json!({ "args": args })),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "every method has the table's signature")]
pub(super) fn auth_test(call: &mut Call<'_>) -> Reply {
    let state = &call.live.state;
    let name = state.find_user(&call.me).map(|user| user.name.clone()).unwrap_or_default();
    let mut answer = json!({
        "url": format!("https://{}.slack.com/", state.team.domain), "team": state.team.name, "user": name,
        "team_id": state.team.id, "user_id": call.me, "bot_id": state.app.bot_id,
        "is_enterprise_install": state.team.enterprise.is_some(),
    });
    if let Some(enterprise) = &state.team.enterprise {
        answer["enterprise_id"] = json!(enterprise.id);
    }
    Ok(answer)
}

#[expect(clippy::unnecessary_wraps, reason = "every method has the table's signature")]
pub(super) fn auth_revoke(call: &mut Call<'_>) -> Reply {
    if !call.args.flag("test") {
        call.live.journal.complain("auth.revoke: the sandbox keeps its token, as if `test` had been set".to_owned());
    }
    Ok(json!({ "revoked": false }))
}

#[expect(clippy::unnecessary_wraps, reason = "every method has the table's signature")]
pub(super) fn teams_list(call: &mut Call<'_>) -> Reply {
    let team = &call.live.state.team;
    Ok(json!({ "teams": [{ "id": team.id, "name": team.name }], "response_metadata": next_cursor("") }))
}

pub(super) fn team_info(call: &mut Call<'_>) -> Reply {
    let team = &call.live.state.team;
    if call.args.text("team").is_some_and(|wanted| wanted != team.id) {
        return Err("team_not_found".into());
    }
    let mut shown = json!({
        "id": team.id, "name": team.name, "domain": team.domain, "email_domain": "", "is_verified": false,
        "url": format!("https://{}.slack.com/", team.domain),
        "icon": { "image_default": true, "image_34": "https://avatars.invalid/team-34.png" },
    });
    if let Some(enterprise) = &team.enterprise {
        shown["enterprise_id"] = json!(enterprise.id);
        shown["enterprise_name"] = json!(enterprise.name);
    }
    Ok(json!({ "team": shown }))
}

pub(super) fn bots_info(call: &mut Call<'_>) -> Reply {
    let state = &call.live.state;
    let wanted = call.args.text("bot").unwrap_or_else(|| state.app.bot_id.clone());
    let user = state
        .users
        .iter()
        .find(|user| user.bot_id.as_deref() == Some(wanted.as_str()))
        .ok_or_else(|| ApiError::from("bot_not_found"))?;
    let app_id = if user.is_app { state.app.id.as_str() } else { "" };
    Ok(json!({ "bot": {
        "id": wanted, "deleted": user.deleted, "name": user.real_name, "updated": 1_600_000_000, "app_id": app_id,
        "user_id": user.id, "icons": { "image_36": "https://avatars.invalid/bot-36.png",
        "image_48": "https://avatars.invalid/bot-48.png", "image_72": "https://avatars.invalid/bot-72.png" },
    }}))
}

#[expect(clippy::unnecessary_wraps, reason = "every method has the table's signature")]
pub(super) fn emoji_list(call: &mut Call<'_>) -> Reply {
    Ok(json!({ "emoji": {}, "cache_ts": call.live.event_ts() }))
}

pub(super) fn connections_open(call: &mut Call<'_>) -> Reply {
    let host = call.live.origin.trim_start_matches("http://").to_owned();
    let debug = call.args.flag("debug_reconnects");
    match call.hub.sockets.ticket(&host, call.live.now, debug) {
        Some(url) => Ok(json!({ "url": url })),
        None => Err("link_disabled".into()),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "every method has the table's signature")]
pub(super) fn authorizations_list(call: &mut Call<'_>) -> Reply {
    let team = &call.live.state.team;
    let enterprise = team.enterprise.as_ref().map(|enterprise| enterprise.id.clone());
    Ok(json!({
        "authorizations": [{ "enterprise_id": enterprise, "team_id": team.id, "user_id": call.me, "is_bot": true,
                             "is_enterprise_install": enterprise.is_some() }],
        "response_metadata": next_cursor(""),
    }))
}

/// Any code is good once the client is known: the sandbox has one installation.
pub(super) fn oauth_access(call: &mut Call<'_>) -> Reply {
    let app = &call.live.state.app;
    let client = call.args.text("client_id");
    if client.as_deref().is_some_and(|id| id != app.client_id) {
        return Err("invalid_client_id".into());
    }
    if call.args.text("client_secret").is_some_and(|secret| secret != app.client_secret) {
        return Err("bad_client_secret".into());
    }
    match call.args.text("grant_type").as_deref() {
        None | Some("authorization_code") => {}
        Some("refresh_token") => return Err("invalid_refresh_token".into()),
        Some(_) => return Err("invalid_grant_type".into()),
    }
    if call.args.text("code").is_none() {
        return Err("invalid_code".into());
    }
    let team = &call.live.state.team;
    let org = team.enterprise.is_some();
    Ok(json!({
        "app_id": app.id, "authed_user": { "id": call.live.state.users.first().map(|user| user.id.clone()) },
        "scope": app.scopes.join(","), "token_type": "bot", "access_token": call.hub.keys.bot_token,
        "bot_user_id": app.bot_user,
        "team": if org { Value::Null } else { json!({ "id": team.id, "name": team.name }) },
        "enterprise": team.enterprise.as_ref().map(|enterprise| json!({ "id": enterprise.id, "name": enterprise.name })),
        "is_enterprise_install": org,
    }))
}
