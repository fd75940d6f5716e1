//! Prometheus Alertmanager's webhook, format version 4, and the body of the same shape that Grafana's webhook contact
//! point sends (it says version 1 and has an `orgId`).
//!
//! One incident per *group*: `group_by` is where people already said which alerts are one trouble, so its `groupKey`
//! is our dedup key. The incident's alert is firing while any alert of the group is, and cleared when all are.
//! Alertmanager repeats a firing group every `repeat_interval` with the very same bytes, and also retries a delivery
//! within `group_interval`; the delivery key tells the two apart by the time of arrival.

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use super::read::{self, Object, Pairs};
use super::{BadAlert, BadAlertKind, Parsed, Received, Signal, TEXT_CHARS_MAX, Warning, clean};
use crate::domain::command::Alert;
use crate::domain::incident::Severity;
use crate::domain::limits::TITLE_CHARS_MAX;

/// Most alerts of a group that the text lists one by one.
const LISTED_MAX: usize = 10;
/// Most characters that one alert of a group gets in the text.
const LISTED_CHARS_MAX: usize = 240;

const SUMMARIES: [&str; 3] = ["summary", "title", "message"];
const DESCRIPTIONS: [&str; 3] = ["description", "message", "details"];
const RUNBOOKS: [&str; 2] = ["runbook_url", "runbook"];
const SEVERITIES: [&str; 3] = ["severity", "priority", "level"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Firing,
    Resolved,
}

struct Group {
    key: String,
    state: State,
    labels: Pairs,
    common_labels: Pairs,
    common_annotations: Pairs,
    members: Vec<Member>,
    left_out: u64,
    receiver: String,
    external_url: Option<String>,
}

struct Member {
    state: State,
    labels: Pairs,
    annotations: Pairs,
    starts_at: Option<DateTime<Utc>>,
    ends_at: Option<DateTime<Utc>>,
    generator_url: Option<String>,
    dashboard_url: Option<String>,
}

/// Reads one notification: one [`Signal`] for the group.
pub fn parse(body: &[u8], received: &Received) -> Result<Parsed, BadAlert> {
    let value = read::json(body)?;
    let group = group(&Object::new(&value, "")?)?;
    let mut warnings = Vec::new();
    let delivery_key = delivery_key(&group, body, received);
    let dedup_key = clean::dedup_key(&group.key);
    let signal = match group.state {
        State::Firing => Signal::Fired {
            delivery_key,
            alert: Box::new(alert(&group, dedup_key, received, &mut warnings)),
            join: None,
        },
        State::Resolved => Signal::Cleared {
            delivery_key,
            integration: received.integration.clone(),
            dedup_key,
            text: clean::text(&title(&group), TEXT_CHARS_MAX),
            at: ended_at(&group, received, &mut warnings),
            join: None,
        },
    };
    Ok(Parsed { signals: vec![signal], warnings })
}

fn group(body: &Object<'_>) -> Result<Group, BadAlert> {
    version(body)?;
    let Some(key) = body.text("groupKey")?.filter(|key| !key.is_empty()) else {
        return Err(BadAlert::field(
            "/groupKey",
            "`/groupKey` is missing: it tells which alerts belong together. \
             Is this really the webhook of an Alertmanager or Grafana?",
        ));
    };
    let members = body
        .list("alerts")?
        .iter()
        .enumerate()
        .map(|(index, value)| member(&Object::new(value, &format!("/alerts/{index}"))?))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Group {
        key: key.to_owned(),
        state: state(body)?,
        labels: body.pairs("groupLabels")?,
        common_labels: body.pairs("commonLabels")?,
        common_annotations: body.pairs("commonAnnotations")?,
        members,
        left_out: body.count("truncatedAlerts")?,
        receiver: body.text("receiver")?.unwrap_or_default().to_owned(),
        external_url: body.text("externalURL")?.and_then(clean::link),
    })
}

fn version(body: &Object<'_>) -> Result<(), BadAlert> {
    let sentence = match body.text("version")? {
        Some("4") => return Ok(()),
        Some("1") if body.get("orgId").is_some() => return Ok(()),
        Some(other) => format!(
            "`/version` is \"{}\"; Firebell reads version 4 of Alertmanager's webhook (Alertmanager 0.6 and newer).",
            clean::line(other, 20)
        ),
        None => "`/version` is missing; the body must be that of an Alertmanager webhook, version 4. \
                 For JSON of your own use /alerts/generic."
            .to_owned(),
    };
    Err(BadAlert::new(BadAlertKind::Version, "/version", sentence))
}

fn state(object: &Object<'_>) -> Result<State, BadAlert> {
    match object.text("status")? {
        Some("firing") => Ok(State::Firing),
        Some("resolved") => Ok(State::Resolved),
        found => {
            let pointer = object.at("status");
            let found = found.map_or("missing".to_owned(), |word| format!("\"{}\"", clean::line(word, 40)));
            let sentence = format!("`{pointer}` must be \"firing\" or \"resolved\", but is {found}.");
            Err(BadAlert::field(pointer, sentence))
        }
    }
}

fn member(object: &Object<'_>) -> Result<Member, BadAlert> {
    // An alert without an end says year 1.
    let known = |at: DateTime<Utc>| at > DateTime::UNIX_EPOCH;
    Ok(Member {
        state: state(object)?,
        labels: object.pairs("labels")?,
        annotations: object.pairs("annotations")?,
        starts_at: object.instant("startsAt")?.filter(|at| known(*at)),
        ends_at: object.instant("endsAt")?.filter(|at| known(*at)),
        generator_url: object.text("generatorURL")?.and_then(clean::link),
        dashboard_url: object.text("dashboardURL")?.and_then(clean::link),
    })
}

/// The members that the notification is about: the firing ones, or all of a resolved group.
fn concerned(group: &Group) -> Vec<&Member> {
    group.members.iter().filter(|member| group.state == State::Resolved || member.state == State::Firing).collect()
}

fn alert(group: &Group, dedup_key: String, received: &Received, warnings: &mut Vec<Warning>) -> Alert {
    let concerned = concerned(group);
    let started_at = concerned.iter().filter_map(|member| member.starts_at).min();
    Alert {
        integration: received.integration.clone(),
        dedup_key,
        title: title(group),
        text: text(group),
        started_at: started_at.map_or(received.at, |at| read::plausible(at, received.at, "/alerts", warnings)),
        labels: labels(group, warnings),
        severity: severity(group, warnings),
        team: common(group, "team").map(|team| clean::line(team, 80)).filter(|team| !team.is_empty()),
        link: link(group),
        nonce: received.nonce.clone(),
    }
}

/// The value that all concerned alerts share.
fn common<'a>(group: &'a Group, label: &str) -> Option<&'a str> {
    if let Some(value) = group.common_labels.get(label).or_else(|| group.labels.get(label)) {
        return Some(value);
    }
    let concerned = concerned(group);
    let mut values = concerned.iter().map(|member| member.labels.get(label));
    let first = values.next()??;
    values.all(|value| value == Some(first)).then_some(first)
}

/// One line that says what is wrong: the shared summary, the only alert's summary, or the rule's name.
fn title(group: &Group) -> String {
    let concerned = concerned(group);
    let only = match concerned.as_slice() {
        [only] => Some(*only),
        _ => None,
    };
    let several = if concerned.len() > 1 { format!(" ({} alerts)", concerned.len()) } else { String::new() };
    let named = || {
        let name = common(group, "alertname")?;
        Some(format!("{}{several}", clean::line(name, TITLE_CHARS_MAX - several.len())))
    };
    let candidates = [
        group.common_annotations.first(&SUMMARIES).map(str::to_owned),
        only.and_then(|only| only.annotations.first(&SUMMARIES)).map(str::to_owned),
        named(),
        concerned
            .iter()
            .find_map(|member| member.labels.get("alertname"))
            .map(|name| format!("{name} and others{several}")),
        Some(format!("Alert for {}", group.receiver)).filter(|_| !group.receiver.trim().is_empty()),
    ];
    candidates
        .into_iter()
        .flatten()
        .map(|candidate| clean::line(&candidate, TITLE_CHARS_MAX))
        .find(|candidate| !candidate.is_empty())
        .unwrap_or_else(|| "Alert without a name".to_owned())
}

/// The shared description, then what differs between the alerts, then where to read on.
fn text(group: &Group) -> String {
    let concerned = concerned(group);
    let mut parts = Vec::new();
    let shared = group.common_annotations.first(&DESCRIPTIONS);
    let only_text = match concerned.as_slice() {
        [only] => only.annotations.first(&DESCRIPTIONS),
        _ => None,
    };
    parts.extend(shared.or(only_text).map(str::to_owned));
    if concerned.len() > 1 {
        let lines = concerned.iter().take(LISTED_MAX).map(|member| listed(group, member, shared.is_some()));
        parts.push(lines.collect::<Vec<_>>().join("\n"));
    }
    let unlisted = concerned.len().saturating_sub(LISTED_MAX) as u64 + group.left_out;
    if unlisted > 0 {
        parts.push(format!("… and {unlisted} more"));
    }
    let over = group.members.len() - concerned.len();
    if over > 0 {
        parts.push(format!("{over} of {} alerts of this group are over.", group.members.len()));
    }
    let runbook = group
        .common_annotations
        .first(&RUNBOOKS)
        .or_else(|| concerned.iter().find_map(|member| member.annotations.first(&RUNBOOKS)));
    parts.extend(runbook.and_then(clean::link).map(|url| format!("Runbook: {url}")));
    clean::text(&parts.join("\n"), TEXT_CHARS_MAX)
}

/// One alert of several: the labels that set it apart, and its own words.
fn listed(group: &Group, member: &Member, described: bool) -> String {
    let own: Vec<String> = member
        .labels
        .0
        .iter()
        .filter(|(name, value)| group.common_labels.0.get(*name) != Some(*value))
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let words = if described { None } else { member.annotations.first(&DESCRIPTIONS) };
    let words = words.or_else(|| member.annotations.first(&SUMMARIES));
    let line = match (own.join(" "), words) {
        (own, Some(words)) if own.is_empty() => words.to_owned(),
        (own, Some(words)) => format!("{own}: {words}"),
        (own, None) => own,
    };
    format!("• {}", clean::line(&line, LISTED_CHARS_MAX))
}

fn labels(group: &Group, warnings: &mut Vec<Warning>) -> std::collections::BTreeMap<String, String> {
    let mut first: Vec<&str> = group.labels.0.keys().map(String::as_str).collect();
    first.extend(["alertname", "team"]);
    first.extend(SEVERITIES);
    match concerned(group).as_slice() {
        [only] if group.common_labels.0.is_empty() => only.labels.kept(&first, "/alerts/0/labels", warnings),
        _ => group.common_labels.kept(&first, "/commonLabels", warnings),
    }
}

/// The worst severity of the firing alerts.
fn severity(group: &Group, warnings: &mut Vec<Warning>) -> Option<Severity> {
    let words: Vec<&str> = concerned(group)
        .iter()
        .filter_map(|member| member.labels.first(&SEVERITIES))
        .chain(group.common_labels.first(&SEVERITIES))
        .collect();
    let worst = words.iter().filter_map(|word| read::severity(word)).min();
    if worst.is_none()
        && let Some(word) = words.first()
    {
        let sentence =
            format!("The severity \"{}\" is not known; the route's severity is used.", clean::line(word, 40));
        warnings.push(Warning { pointer: "/commonLabels/severity".to_owned(), sentence });
    }
    worst
}

/// Where the evidence is: a dashboard, else the rule's expression, else the Alertmanager.
fn link(group: &Group) -> Option<String> {
    let concerned = concerned(group);
    let shared = group.common_annotations.first(&["dashboard_url", "dashboard"]).and_then(clean::link);
    shared
        .or_else(|| concerned.iter().find_map(|member| member.dashboard_url.clone()))
        .or_else(|| concerned.iter().find_map(|member| member.generator_url.clone()))
        .or_else(|| group.external_url.clone())
}

fn ended_at(group: &Group, received: &Received, warnings: &mut Vec<Warning>) -> DateTime<Utc> {
    let last = group.members.iter().filter_map(|member| member.ends_at).max();
    last.map_or(received.at, |at| read::plausible(at, received.at, "/alerts", warnings))
}

fn delivery_key(group: &Group, body: &[u8], received: &Received) -> String {
    super::delivery_key(received, &[group.key.as_bytes(), &Sha256::digest(body), &super::retry_span(received)])
}

#[cfg(test)]
#[path = "alertmanager/tests.rs"]
mod tests;
