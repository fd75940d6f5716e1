//! Everything that is kept of a person, as one JSON document: `firebell export-user`.

use chrono::DateTime;
use serde_json::{Value, json};

use super::{Error, Found, in_state, in_waiting};
use crate::domain::event::Occurrence;
use crate::domain::incident::Incident;
use crate::ids::WorkspaceId;
use crate::store::{Tx, incidents, traces};

/// The document. What was found must have been found in the same transaction.
///
/// # Errors
/// Where the database cannot be read, or holds what is no JSON of ours.
pub async fn kept(tx: &mut Tx, workspace: &WorkspaceId, found: &Found) -> Result<Value, Error> {
    let mut naming = Vec::new();
    for one in &found.incidents {
        naming.push(of_incident(tx, workspace, found, one.id).await?);
    }
    let mut answers = Vec::new();
    for word in std::iter::once(found.user.as_str()).chain(found.words.names().iter().map(String::as_str)) {
        for delivery in traces::deliveries(tx, workspace, word).await? {
            if found.words.in_text(&delivery.answer).is_some() {
                let at = DateTime::from_timestamp_micros(delivery.received_at);
                let answer = json!({ "delivery": delivery.key, "received_at": at, "answer": read(&delivery.answer) });
                if !answers.contains(&answer) {
                    answers.push(answer);
                }
            }
        }
    }
    Ok(json!({
        "user": found.user,
        "workspace": workspace,
        "names": found.words.names(),
        "direct_messages": found.words.channels(),
        "person": found.person,
        "user_groups": found.groups,
        "incidents": naming,
        "answers": answers,
    }))
}

async fn of_incident(
    tx: &mut Tx,
    workspace: &WorkspaceId,
    found: &Found,
    id: crate::ids::IncidentId,
) -> Result<Value, Error> {
    let incident = incidents::load(tx, id).await?.incident;
    let mut entries = Vec::new();
    for (seq, payload) in traces::payloads(tx, id).await? {
        let unreadable = |source| Error::Unreadable { what: format!("entry {seq} of {}", incident.name()), source };
        if found.words.in_json::<Occurrence>(&payload).map_err(unreadable)?.is_some() {
            entries.push(json!({ "seq": seq, "entry": read(&payload) }));
        }
    }
    let mut effects = Vec::new();
    for waiting in traces::waiting(tx, workspace, Some(id)).await? {
        if in_waiting(&waiting, &found.words)?.is_some() {
            let at = DateTime::from_timestamp_micros(waiting.created_at);
            let effect = read(&waiting.effect);
            effects.push(json!({ "state": waiting.state, "since": at, "effect": effect, "error": waiting.error }));
        }
    }
    Ok(json!({
        "incident": incident.name(),
        "title": incident.title,
        "private": incident.private,
        "state": if in_state(&incident, &found.words)?.is_some() { standing(&incident, found) } else { Value::Null },
        "entries": entries,
        "waiting": effects,
    }))
}

/// What the incident's present state says of the person.
fn standing(incident: &Incident, found: &Found) -> Value {
    let user = &found.user;
    let roles: Vec<_> = incident.roles.iter().filter(|(_, who)| *who == user).map(|(role, _)| role.name()).collect();
    let pages: Vec<_> = incident.pages.values().filter(|page| page.to.user() == Some(user)).collect();
    let tasks: Vec<_> = incident.tasks.iter().filter(|task| task.owner.as_ref() == Some(user)).collect();
    json!({ "responder": incident.responders.contains(user), "roles": roles, "pages": pages, "tasks": tasks })
}

fn read(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_else(|_| Value::String(json.to_owned()))
}
