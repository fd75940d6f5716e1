//! The pinned card of an incident, its line in the channel for all incidents, and the channel's topic. Edited in place.

use super::json::Json;

use super::actions::ButtonAction;
use super::blocks::{self, Button};
use super::escape::{self, Mrkdwn, Untrusted, mrkdwn};
use super::message::Message;
use super::scene::{self, Scene};
use crate::domain::event::Actor;
use crate::domain::incident::{Role, Status};

/// Most teams that the card lists.
const TEAMS_MAX: usize = 5;
/// Longest topic of a Slack channel, in characters.
const TOPIC_MAX: usize = 250;

/// The card: at most eight lines, and only what can be done now.
pub fn card(scene: &Scene<'_>) -> Message {
    let incident = scene.incident;
    let mut lines = vec![status_line(scene), lead_line(scene)];
    lines.push(match scene.impact() {
        Some(impact) => mrkdwn!("Impact: {}", impact),
        None => "Impact: not stated yet".into(),
    });
    lines.push(mrkdwn!("Teams: {}", teams(scene)));
    lines.extend(alerts(scene));
    if let Some(links) = links(scene) {
        lines.push(links);
    }
    let header = blocks::header(&format!("INC-{} {}", incident.number, incident.title));
    let buttons = match incident.status {
        Status::Investigating | Status::Identified | Status::Monitoring => open_buttons(scene),
        Status::Resolved | Status::Canceled => closed_buttons(scene),
    };
    let text = mrkdwn!("{}: {}. {}.", scene.title(), summary(scene), lead_line(scene));
    Message::new(text, vec![header, blocks::section(Mrkdwn::join(lines, "\n")), blocks::actions(buttons)])
}

fn status_line(scene: &Scene<'_>) -> Mrkdwn {
    let incident = scene.incident;
    let closed_at = incident.resolved_at.unwrap_or(scene.now);
    let standing = match incident.status {
        Status::Investigating | Status::Identified | Status::Monitoring => {
            let status = scene::status_name(incident.status);
            let (since, ago) = (scene.time(scene.since()), scene.ago(scene.since()));
            mrkdwn!("*● {}* · {} · since {} ({})", incident.severity, status, since, ago)
        }
        Status::Resolved => {
            let lasted = scene::duration(closed_at - scene.since());
            mrkdwn!("*✓ Resolved* {} after {} · {}", scene.time(closed_at), lasted, incident.severity)
        }
        Status::Canceled => mrkdwn!("*Canceled*: not an incident · {}", incident.severity),
    };
    if incident.private { mrkdwn!("{} · private", standing) } else { standing }
}

/// Severity and standing as part of a sentence, for readers of plain text.
fn summary(scene: &Scene<'_>) -> Mrkdwn {
    let incident = scene.incident;
    match (incident.status, incident.resolved_at) {
        (Status::Resolved, Some(at)) => {
            let lasted = scene::duration(at - scene.since());
            mrkdwn!("{}, resolved {} after {}", incident.severity, scene.time(at), lasted)
        }
        (Status::Resolved | Status::Canceled, _) => mrkdwn!("{}, {}", incident.severity, incident.status.word()),
        (Status::Investigating | Status::Identified | Status::Monitoring, _) => {
            mrkdwn!("{}, {}, began {}", incident.severity, incident.status.word(), scene.time(scene.since()))
        }
    }
}

fn lead_line(scene: &Scene<'_>) -> Mrkdwn {
    let incident = scene.incident;
    let mut parts = vec![match (scene.commander(), &incident.opened_by) {
        (Some(user), _) => mrkdwn!("Lead: {}", scene.name(user)),
        (None, Actor::Person { user }) if incident.is_open() => mrkdwn!("Lead: {} (not confirmed)", scene.name(user)),
        (None, _) => "Lead: nobody".into(),
    }];
    for (role, label) in [(Role::Scribe, "Scribe"), (Role::CommunicationsLead, "Communications")] {
        if let Some(user) = incident.roles.get(&role) {
            parts.push(mrkdwn!("{}: {}", label, scene.name(user)));
        }
    }
    if let (true, Some(at)) = (incident.is_open(), incident.last_update_at) {
        parts.push(mrkdwn!("Last update: {}", scene.ago(at)));
    }
    Mrkdwn::join(parts, " · ")
}

fn teams(scene: &Scene<'_>) -> Mrkdwn {
    let teams = &scene.incident.teams;
    let mut shown: Vec<Mrkdwn> = teams.iter().take(TEAMS_MAX).map(|team| scene.team_standing(team)).collect();
    if teams.len() > TEAMS_MAX {
        shown.push(mrkdwn!("{} more", teams.len() - TEAMS_MAX));
    }
    if shown.is_empty() { "none".into() } else { Mrkdwn::join(shown, " · ") }
}

/// How many alerts there are, where one by one nobody could read them.
fn alerts(scene: &Scene<'_>) -> Option<Mrkdwn> {
    let incident = scene.incident;
    if let Some(storm) = &incident.storm {
        let standing = if storm.quiet_at.is_some() { "the last" } else { "over, the last" };
        let last = scene.time(storm.last_at);
        let out = match storm.taken_out {
            0 => Mrkdwn::default(),
            out => mrkdwn!(", {} taken out", out),
        };
        let (joined, cleared) = (storm.joined, storm.cleared);
        let counted = mrkdwn!("Alert storm: {} alerts, {} cleared{}, {} {}", joined, cleared, out, standing, last);
        return Some(mrkdwn!("{} (`/incident alerts` shows them)", counted));
    }
    let fired: usize = incident.alerts.iter().map(|alert| usize::try_from(alert.counted).unwrap_or(usize::MAX)).sum();
    (fired > incident.alerts.len()).then(|| mrkdwn!("Alerts: {} firing, {} times in all", incident.alerts.len(), fired))
}

fn links(scene: &Scene<'_>) -> Option<Mrkdwn> {
    let url = scene.page_url()?;
    let label = if scene.incident.is_open() { "Timeline and draft" } else { "Timeline and postmortem" };
    Some(escape::link(&url, label))
}

fn open_buttons(scene: &Scene<'_>) -> Vec<Json> {
    let (incident, name) = (scene.incident.id, scene.incident.name());
    let button = |label: &str, spoken: &str, action: ButtonAction| -> Json {
        Button::new(label, &format!("{spoken} {name}"), &action).into()
    };
    let mut buttons: Vec<Json> = vec![
        Button::new("Escalate", &format!("Call a team to {name}"), &ButtonAction::EscalateForm { incident })
            .primary()
            .into(),
        button("Update", "Post an update of", ButtonAction::UpdateForm { incident }),
        button("Add note", "Add a note to the timeline of", ButtonAction::NoteForm { incident }),
    ];
    if scene.commander().is_none() {
        buttons.push(button(
            "I'll lead",
            "Take the lead of",
            ButtonAction::TakeRole { incident, role: Role::Commander },
        ));
    }
    if scene.incident.status != Status::Monitoring {
        buttons.push(button(
            "Mitigated",
            "Say that users are no longer harmed by",
            ButtonAction::MitigateForm { incident },
        ));
    }
    buttons.push(button("Resolve", "Resolve", ButtonAction::ResolveForm { incident }));
    buttons.push(blocks::overflow(&[
        ("Change status", ButtonAction::StatusForm { incident }),
        ("Change severity", ButtonAction::SeverityForm { incident }),
        ("Give out a role", ButtonAction::RoleForm { incident }),
        ("Add task", ButtonAction::TaskForm { incident }),
        ("Postmortem details", ButtonAction::PostmortemForm { incident }),
    ]));
    buttons
}

fn closed_buttons(scene: &Scene<'_>) -> Vec<Json> {
    let (incident, name) = (scene.incident.id, scene.incident.name());
    let complete = || complete_button(scene).primary().into();
    let reopen = Button::new("Reopen", &format!("Reopen {name}"), &ButtonAction::Reopen { incident })
        .confirm(
            &format!("Reopen {name}?"),
            "It counts as ongoing again, and everybody in the channel is told.",
            "Reopen",
        )
        .into();
    let task = Button::new("Add task", &format!("Add a task to {name}"), &ButtonAction::TaskForm { incident }).into();
    let note =
        Button::new("Add note", &format!("Add a note to the timeline of {name}"), &ButtonAction::NoteForm { incident });
    match scene.incident.status {
        Status::Canceled => vec![reopen],
        Status::Investigating | Status::Identified | Status::Monitoring | Status::Resolved => {
            vec![complete(), task, note.into(), reopen]
        }
    }
}

/// "Complete the postmortem": opens the form with every field.
pub fn complete_button(scene: &Scene<'_>) -> Button {
    let action = ButtonAction::PostmortemForm { incident: scene.incident.id };
    Button::new("Complete the postmortem", &format!("Complete the postmortem of {}", scene.incident.name()), &action)
}

/// The line in the channel for all incidents; `None` for a private incident, which is never announced.
pub fn announcement(scene: &Scene<'_>) -> Option<Message> {
    let incident = scene.incident;
    if incident.private {
        return None;
    }
    let first = match incident.status {
        Status::Investigating | Status::Identified | Status::Monitoring => {
            mrkdwn!("*● {} {}*", incident.severity, scene.title())
        }
        Status::Resolved => mrkdwn!("*✓ Resolved: {}*", scene.title()),
        Status::Canceled => mrkdwn!("*Canceled: {}*", scene.title()),
    };
    let mut second = match (incident.status, incident.resolved_at) {
        (Status::Resolved, Some(at)) => {
            let lasted = scene::duration(at - scene.since());
            mrkdwn!("{} · {} after {}", incident.severity, scene.time(at), lasted)
        }
        (Status::Resolved | Status::Canceled, _) => mrkdwn!("{}", incident.severity),
        (Status::Investigating | Status::Identified | Status::Monitoring, _) => {
            let (by, at) = (scene.actor(&incident.opened_by), scene.time(incident.opened_at));
            mrkdwn!("{} · opened by {} {}", scene::status_name(incident.status), by, at)
        }
    };
    if let Some(user) = scene.commander() {
        second = mrkdwn!("{} · lead: {}", second, scene.name(user));
    }
    if !incident.teams.is_empty() {
        let called = scene::some_of(incident.teams.iter().map(|team| scene.team(team)).collect()).unwrap_or_default();
        second = mrkdwn!("{} · called: {}", second, called);
    }
    let where_to = [scene.channel(), links(scene)].into_iter().flatten();
    let mut lines = vec![first, second.clone()];
    let where_to = Mrkdwn::join(where_to, " · ");
    if !where_to.is_empty() {
        lines.push(where_to);
    }
    let mut shown = vec![blocks::section(Mrkdwn::join(lines, "\n"))];
    if incident.is_open() && incident.channel_id().is_some() {
        let join = ButtonAction::Join { incident: incident.id };
        shown.push(blocks::actions([
            Button::new("Join", &format!("Join the channel of {}", incident.name()), &join).into()
        ]));
    }
    Some(Message::new(mrkdwn!("{}: {}.", scene.title(), summary(scene)), shown))
}

/// The channel's topic, plain text. Slack announces every change of it in the channel, so it holds what changes seldom.
pub fn topic(scene: &Scene<'_>) -> String {
    let incident = scene.incident;
    let what = format!("{} · {} {}", incident.severity, incident.name(), incident.title);
    let text = if incident.is_open() { what } else { format!("{} · {what}", scene::status_name(incident.status)) };
    Untrusted(&text).plain(TOPIC_MAX)
}
