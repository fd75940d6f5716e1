//! The App Home: what waits for the person, what is open, what is over.

use super::json::Json;
use chrono::{DateTime, Utc};

use super::actions::ButtonAction;
use super::blocks::{self, Button, VIEW_BLOCKS_MAX};
use super::escape::{self, Mrkdwn, Untrusted, mrkdwn};
use super::question;
use super::scene::{self, Scene};
use crate::domain::escalation::{Escalation, Phase};
use crate::domain::event::Recipient;
use crate::domain::incident::{Incident, Page, Status, Task};
use crate::domain::policy::Target;
use crate::domain::roster::{Directory, Roster};
use crate::ids::UserId;

const OPEN_MAX: usize = 20;
const PAGES_MAX: usize = 10;
const TASKS_MAX: usize = 20;
const RESOLVED_MAX: usize = 5;
const TEAMS_MAX: usize = 10;

/// The view for `views.publish`. `incidents` are those that the person may see, in any order.
pub fn home(
    user: &UserId,
    incidents: &[&Incident],
    roster: &Roster,
    directory: &Directory,
    now: DateTime<Utc>,
) -> Json {
    let scenes: Vec<Scene<'_>> =
        incidents.iter().map(|incident| Scene::new(incident, roster, directory, now)).collect();
    let mut shown = vec![blocks::actions([Button::new("Open incident", "Open an incident", &ButtonAction::OpenForm)
        .primary()
        .into()])];
    shown.extend(waiting(user, &scenes));
    shown.extend(open(user, &scenes));
    shown.extend(on_call(user, roster, directory));
    shown.extend(resolved(&scenes));
    blocks::home(blocks::at_most(shown, VIEW_BLOCKS_MAX))
}

/// Pages without an answer, then tasks with their dates.
fn waiting(user: &UserId, scenes: &[Scene<'_>]) -> Vec<Json> {
    let pages: Vec<(&Scene<'_>, &Page)> =
        scenes.iter().flat_map(|scene| unanswered(user, scene).map(move |page| (scene, page))).collect();
    let mut tasks: Vec<(&Scene<'_>, &Task)> = scenes
        .iter()
        .filter(|scene| scene.incident.status != Status::Canceled)
        .flat_map(|scene| scene.incident.tasks.iter().map(move |task| (scene, task)))
        .filter(|(_, task)| !task.done && task.owner.as_ref() == Some(user))
        .collect();
    tasks.sort_by_key(|(_, task)| (task.due_on.is_none(), task.due_on));
    let mut shown = vec![blocks::header("Waiting for you")];
    if pages.is_empty() && tasks.is_empty() {
        shown.push(blocks::section("Nothing waits for you."));
    }
    shown.extend(pages.iter().take(PAGES_MAX).map(|(scene, page)| page_row(scene, page)));
    shown.extend(tasks.iter().take(TASKS_MAX).map(|(scene, task)| task_row(scene, task)));
    if tasks.len() > TASKS_MAX {
        shown.push(blocks::context([mrkdwn!("{} more tasks are on the incidents' pages.", tasks.len() - TASKS_MAX)]));
    }
    shown
}

fn unanswered<'s>(user: &'s UserId, scene: &'s Scene<'_>) -> impl Iterator<Item = &'s Page> {
    let mine = move |page: &&Page| matches!(&page.to, Recipient::User { user: called } if called == user);
    let calls = scene.incident.escalations.values().filter(|found| match found.phase {
        Phase::Active { .. } => true,
        Phase::Exhausted | Phase::Held { .. } => scene.incident.is_open(),
        Phase::Acknowledged { .. } | Phase::Stopped => false,
    });
    // One row for each call, however often it has paged.
    let newest = calls.filter_map(move |found| {
        scene.pages_of(found.id).filter(mine).filter(|page| page.asks == found.is_held()).last()
    });
    newest.filter(|page| !page.declined && !page.dead)
}

fn page_row(scene: &Scene<'_>, page: &Page) -> Json {
    let escalation = scene.incident.escalations.get(&page.escalation);
    let team = escalation.map_or("A team".into(), |found| scene.team(&found.team));
    if let Some(held) = escalation.filter(|_| page.asks) {
        return question_row(scene, held);
    }
    let text = mrkdwn!(
        "*You are called: {} {}*\n{} needs you since {}.",
        scene.incident.severity,
        scene.title(),
        team,
        scene.time(page.due_at)
    );
    let action = ButtonAction::Acknowledge {
        incident: scene.incident.id,
        escalation: page.escalation,
        page: Some(page.id),
        generation: page.step.generation,
    };
    blocks::section_with(
        text,
        Button::new("I've got it", &format!("I've got it: take {}", scene.incident.name()), &action).primary(),
    )
}

/// Whether a call should go on that was due long ago.
fn question_row(scene: &Scene<'_>, held: &Escalation) -> Json {
    let (severity, team) = (scene.incident.severity, scene.team(&held.team));
    let text = mrkdwn!("*On hold: {} {}*\n{}: {}", severity, scene.title(), team, question::due(scene, held));
    let (incident, generation) = (scene.incident.id, held.step.generation);
    let action = ButtonAction::ResumeCall { incident, escalation: held.id, generation };
    let name = scene.incident.name();
    blocks::section_with(
        text,
        Button::new("Page now", &format!("Page now: the call of {name} goes on"), &action).primary(),
    )
}

fn task_row(scene: &Scene<'_>, task: &Task) -> Json {
    let due = task
        .due_on
        .map_or("no date".into(), |day| mrkdwn!("due {}", escape::name(&day.format("%a %-d %b").to_string())));
    let text = mrkdwn!(
        "{}\n{} task {} · {}",
        Untrusted(&task.text).line(escape::QUOTE_CHARS_MAX),
        scene.number(),
        task.number,
        due
    );
    let action = ButtonAction::FinishTask { incident: scene.incident.id, task: task.number };
    blocks::section_with(
        text,
        Button::new("Done", &format!("Task {} of {} is done", task.number, scene.incident.name()), &action),
    )
}

fn open(user: &UserId, scenes: &[Scene<'_>]) -> Vec<Json> {
    let mut open: Vec<&Scene<'_>> = scenes.iter().filter(|scene| scene.incident.is_open()).collect();
    open.sort_by_key(|scene| (!mine(user, scene), scene.incident.severity, scene.incident.opened_at));
    let mut shown = vec![blocks::header("Open incidents")];
    if open.is_empty() {
        shown.push(blocks::section("No open incidents."));
    }
    shown.extend(open.iter().take(OPEN_MAX).map(|scene| open_row(user, scene)));
    if open.len() > OPEN_MAX {
        shown.push(blocks::context([mrkdwn!("{} more: /incident list", open.len() - OPEN_MAX)]));
    }
    shown
}

fn mine(user: &UserId, scene: &Scene<'_>) -> bool {
    scene.incident.involves(user)
}

fn open_row(user: &UserId, scene: &Scene<'_>) -> Json {
    let incident = scene.incident;
    let lead = scene.commander().map_or("no lead".into(), |user| mrkdwn!("lead: {}", scene.name(user)));
    let status = scene::status_name(incident.status);
    let mut second = mrkdwn!("{} · {} · {}", status, scene.ago(incident.opened_at), lead);
    if mine(user, scene) {
        second = mrkdwn!("Yours · {}", second);
    }
    let text = mrkdwn!("*● {} {}*\n{}", incident.severity, scene.title(), second);
    let name = incident.name();
    let button = match scene::incident_channel_url(incident) {
        Some(url) => Button::link("Open channel", &format!("Open the channel of {name}"), &url),
        None => None,
    };
    match button {
        Some(button) => blocks::section_with(text, button),
        None => blocks::section(text),
    }
}

/// The teams whose policies name the person, and in which tier.
fn on_call(user: &UserId, roster: &Roster, directory: &Directory) -> Vec<Json> {
    let mut teams: Vec<Mrkdwn> = roster
        .teams
        .values()
        .filter_map(|team| {
            let tier = team
                .policy
                .tiers
                .iter()
                .position(|tier| tier.targets.iter().any(|target| names(target, user, directory)))?;
            Some(mrkdwn!("{} (tier {})", escape::name(&team.name), tier + 1))
        })
        .collect();
    let more = teams.len().saturating_sub(TEAMS_MAX);
    teams.truncate(TEAMS_MAX);
    if more > 0 {
        teams.push(mrkdwn!("{} more", more));
    }
    let line = match Mrkdwn::list(teams) {
        Some(teams) => mrkdwn!("You are called for: {}.", teams),
        None => "No team's policy calls you.".into(),
    };
    vec![blocks::header("On call"), blocks::section(line)]
}

fn names(target: &Target, user: &UserId, directory: &Directory) -> bool {
    match target {
        Target::User { user: named } => named == user,
        Target::UserGroup { group, .. } => directory.groups.get(group).is_some_and(|group| group.users.contains(user)),
        Target::Channel { .. } => false,
    }
}

fn resolved(scenes: &[Scene<'_>]) -> Vec<Json> {
    let mut resolved: Vec<(&Scene<'_>, DateTime<Utc>)> = scenes
        .iter()
        .filter(|scene| scene.incident.status == Status::Resolved)
        .filter_map(|scene| Some((scene, scene.incident.resolved_at?)))
        .collect();
    resolved.sort_by_key(|(_, at)| std::cmp::Reverse(*at));
    if resolved.is_empty() {
        return Vec::new();
    }
    let rows = resolved.iter().take(RESOLVED_MAX).map(|(scene, at)| {
        let lasted = scene::duration(*at - scene.since());
        let link = scene.page_url().map_or(Mrkdwn::default(), |url| mrkdwn!(" · {}", escape::link(&url, "postmortem")));
        mrkdwn!(
            "✓ {} {} · resolved {}, after {}{}",
            scene.incident.severity,
            scene.title(),
            scene.ago(*at),
            lasted,
            link
        )
    });
    let mut shown = vec![blocks::header("Recently resolved")];
    shown.extend(blocks::sections(rows));
    shown
}
