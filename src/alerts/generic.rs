//! Firebell's own alert JSON, for scripts, cron jobs and systems without a parser of their own. docs/ALERTS.md is its
//! documentation; a test reads that page's examples.

use sha2::{Digest, Sha256};

use super::read::{self, Object};
use super::{BadAlert, Parsed, Received, Signal, TEXT_CHARS_MAX, Warning, clean};
use crate::domain::command::Alert;
use crate::domain::incident::Severity;
use crate::domain::limits::TITLE_CHARS_MAX;

/// Every field that is read; others are ignored.
pub const FIELDS: [&str; 11] = [
    "title",
    "text",
    "dedup_key",
    "status",
    "severity",
    "team",
    "started_at",
    "labels",
    "link",
    "incident",
    "event_id",
];

/// Reads one alert: one [`Signal`].
pub fn parse(body: &[u8], received: &Received) -> Result<Parsed, BadAlert> {
    let value = read::json(body)?;
    let body_object = Object::new(&value, "")?;
    let mut warnings = Vec::new();
    read::near_misses(&body_object, &FIELDS, &mut warnings);
    let signal = signal(&body_object, body, received, &mut warnings)?;
    Ok(Parsed { signals: vec![signal], warnings })
}

fn signal(
    object: &Object<'_>,
    body: &[u8],
    received: &Received,
    warnings: &mut Vec<Warning>,
) -> Result<Signal, BadAlert> {
    let firing = firing(object)?;
    let title = object.text("title")?.map(|title| clean::line(title, TITLE_CHARS_MAX)).unwrap_or_default();
    let text = object.text("text")?.map(|text| clean::text(text, TEXT_CHARS_MAX)).unwrap_or_default();
    let given_key = object.text("dedup_key")?.filter(|key| !key.trim().is_empty());
    if title.is_empty() && (firing || given_key.is_none()) {
        return Err(untitled(object, firing));
    }
    let dedup_key = clean::dedup_key(given_key.unwrap_or(&title));
    let join = join(object)?;
    let started_at = object.instant("started_at")?;
    let delivery_key = delivery_key(object, body, received, &dedup_key)?;
    if !firing {
        return Ok(Signal::Cleared {
            delivery_key,
            integration: received.integration.clone(),
            dedup_key,
            text: if text.is_empty() { title } else { text },
            at: received.at,
            join,
        });
    }
    let alert = Alert {
        integration: received.integration.clone(),
        dedup_key,
        title,
        text,
        started_at: started_at.map_or(received.at, |at| read::plausible(at, received.at, "/started_at", warnings)),
        labels: object.pairs("labels")?.kept(&["alertname", "severity", "team"], "/labels", warnings),
        severity: severity(object, warnings)?,
        team: object.text("team")?.map(|team| clean::line(team, 80)).filter(|team| !team.is_empty()),
        link: link(object, warnings)?,
        nonce: received.nonce.clone(),
    };
    Ok(Signal::Fired { delivery_key, alert: Box::new(alert), join })
}

fn untitled(object: &Object<'_>, firing: bool) -> BadAlert {
    let near = object.names().find(|name| strsim::damerau_levenshtein(&name.to_ascii_lowercase(), "title") <= 2);
    let near = near.filter(|name| *name != "title").map(|name| format!(" Is `{}` meant?", clean::line(name, 40)));
    let wanted = if firing {
        "`/title` is missing or empty: one line that says what is wrong."
    } else {
        "`/dedup_key` (or the `/title` that fired) is missing: which alert is resolved?"
    };
    BadAlert::field(if firing { "/title" } else { "/dedup_key" }, format!("{wanted}{}", near.unwrap_or_default()))
}

fn firing(object: &Object<'_>) -> Result<bool, BadAlert> {
    let Some(word) = object.text("status")? else { return Ok(true) };
    match word.trim().to_ascii_lowercase().as_str() {
        "firing" => Ok(true),
        "resolved" => Ok(false),
        other => {
            let other = clean::line(other, 40);
            let sentence =
                format!("`/status` must be \"firing\" (as if left out) or \"resolved\", but is \"{other}\".");
            Err(BadAlert::field("/status", sentence))
        }
    }
}

fn severity(object: &Object<'_>, warnings: &mut Vec<Warning>) -> Result<Option<Severity>, BadAlert> {
    let word = match object.get("severity") {
        Some(number) if number.is_number() => number.to_string(),
        _ => object.text("severity")?.unwrap_or_default().to_owned(),
    };
    let severity = read::severity(&word);
    if severity.is_none() && !word.trim().is_empty() {
        let sentence = format!(
            "The severity \"{}\" is not known (SEV1 to SEV4, critical, error, warning, info); the route's is used.",
            clean::line(&word, 40)
        );
        warnings.push(Warning { pointer: "/severity".to_owned(), sentence });
    }
    Ok(severity)
}

fn link(object: &Object<'_>, warnings: &mut Vec<Warning>) -> Result<Option<String>, BadAlert> {
    let Some(raw) = object.text("link")?.filter(|raw| !raw.trim().is_empty()) else { return Ok(None) };
    let link = clean::link(raw);
    if link.is_none() {
        let sentence = "`/link` is not an http or https address and was left out.".to_owned();
        warnings.push(Warning { pointer: "/link".to_owned(), sentence });
    }
    Ok(link)
}

/// `"INC-42"`, `"42"` or `42`.
fn join(object: &Object<'_>) -> Result<Option<i64>, BadAlert> {
    let Some(value) = object.get("incident") else { return Ok(None) };
    let number = match value.as_str() {
        Some(word) => {
            let word = word.trim().to_ascii_lowercase();
            word.strip_prefix("inc-").unwrap_or(&word).parse().ok()
        }
        None => value.as_i64(),
    };
    match number {
        Some(number) if number > 0 => Ok(Some(number)),
        _ => Err(BadAlert::field("/incident", "`/incident` must name an incident such as \"INC-42\".")),
    }
}

/// The same event sent again has the same key: by the sender's own id of it, or else by a start time in the same
/// bytes within a few minutes. Without either nobody can tell a retry from news, and news must not be lost: the key is then unique, and
/// the dedup key alone keeps a retry from opening a second incident.
fn delivery_key(object: &Object<'_>, body: &[u8], received: &Received, dedup_key: &str) -> Result<String, BadAlert> {
    let event_id = object.text("event_id")?.or(received.idempotency_key.as_deref()).filter(|id| !id.trim().is_empty());
    let key = dedup_key.as_bytes();
    Ok(match event_id {
        Some(id) => super::delivery_key(received, &[b"event", key, id.as_bytes()]),
        None if object.get("started_at").is_some() => {
            super::delivery_key(received, &[b"body", key, &Sha256::digest(body), &super::retry_span(received)])
        }
        None => super::delivery_key(received, &[b"unique", key, received.nonce.as_bytes()]),
    })
}

#[cfg(test)]
#[path = "generic/tests.rs"]
mod tests;
