//! The message of an escalation in the incident's channel, edited in place from the call to its end.

use super::json::Json;

use super::actions::ButtonAction;
use super::blocks::{self, Button};
use super::escape::{self, Mrkdwn, mrkdwn};
use super::message::Message;
use super::question;
use super::scene::{self, Scene};
use super::story;
use crate::domain::escalation::{Escalation, Phase};
use crate::domain::event::{Event, Recipient, Recorded, Step};
use crate::ids::UserId;

/// Most lines of what happened so far; the timeline has them all.
const LOG_LINES_MAX: usize = 8;

/// The message as it must read now; `history` is the incident's, and may be empty.
pub fn call(scene: &Scene<'_>, escalation: &Escalation, history: &[Recorded]) -> Message {
    let (first, second) = match &escalation.phase {
        Phase::Active { next_due_at } => active(scene, escalation, *next_due_at),
        Phase::Acknowledged { by, at, .. } => acknowledged(scene, escalation, by.as_ref(), *at, history),
        Phase::Stopped => stopped(scene, escalation, history),
        Phase::Exhausted => exhausted(scene, escalation),
        Phase::Held { .. } => held(scene, escalation),
    };
    let mut shown = vec![blocks::section(mrkdwn!("*{}*\n{}", first, second))];
    let log = log(scene, escalation, history);
    if log.len() > 1 {
        shown.push(blocks::context([Mrkdwn::join(log, "\n")]));
    }
    let buttons = buttons(scene, escalation);
    if !buttons.is_empty() {
        shown.push(blocks::actions(buttons));
    }
    Message::new(mrkdwn!("{} {}", first, second), shown)
}

fn active(scene: &Scene<'_>, escalation: &Escalation, next_due_at: chrono::DateTime<chrono::Utc>) -> (Mrkdwn, Mrkdwn) {
    let team = scene.team(&escalation.team);
    let called = scene.called_now(escalation);
    let reason = reason(scene, escalation);
    let Some(names) = scene.recipients(called.iter().copied()) else {
        return (mrkdwn!("Calling {}.", team), mrkdwn!("{} The pages go out now.", reason));
    };
    // Only the people whose turn it is are mentioned: they must act.
    let people: Vec<Mrkdwn> = called
        .iter()
        .map(|to| match to {
            Recipient::User { user } => escape::mention(user.as_str()),
            Recipient::Channel { channel, .. } => escape::channel(channel.as_str()),
            Recipient::Contact { .. } => scene.recipient(to),
        })
        .collect();
    let have = if called.len() == 1 { "has" } else { "have" };
    let mentioned = scene::some_of(people).unwrap_or_default();
    let first = mrkdwn!("Called {}: {}.", team, names);
    let until =
        mrkdwn!("{} {} until {} to answer, {}.", mentioned, have, scene.time(next_due_at), scene.then(escalation));
    (first, mrkdwn!("{}\n{}", reason, until))
}

/// "Ana asks: “…”" or "Called by Ana."
fn reason(scene: &Scene<'_>, escalation: &Escalation) -> Mrkdwn {
    match &escalation.reason {
        Some(reason) => mrkdwn!("{} asks: {}", scene.actor_first(&escalation.called_by), escape::quoted_end(reason)),
        None => mrkdwn!("Called by {}.", scene.actor(&escalation.called_by)),
    }
}

fn acknowledged(
    scene: &Scene<'_>,
    escalation: &Escalation,
    by: Option<&UserId>,
    at: chrono::DateTime<chrono::Utc>,
    history: &[Recorded],
) -> (Mrkdwn, Mrkdwn) {
    let who = by.map_or(Mrkdwn::from("Somebody"), |user| scene.name(user));
    let first = mrkdwn!("✓ {} has it ({}).", who, scene::duration(at - escalation.started_at));
    let joined: Vec<Mrkdwn> = history
        .iter()
        .filter_map(|recorded| match &recorded.occurrence.event {
            Event::JoinedAcknowledged { escalation: Some(joined), user: Some(user), .. }
                if *joined == escalation.id =>
            {
                Some(scene.name(user))
            }
            _ => None,
        })
        .collect();
    let mut second = mrkdwn!(
        "{} was called {}. {}",
        scene.team(&escalation.team),
        scene.time(escalation.started_at),
        reason(scene, escalation)
    );
    if let Some(joined) = scene::some_of(joined) {
        second = mrkdwn!("Also on it: {}. {}", joined, second);
    }
    (first, second)
}

fn stopped(scene: &Scene<'_>, escalation: &Escalation, history: &[Recorded]) -> (Mrkdwn, Mrkdwn) {
    let stop = history.iter().rev().find_map(|recorded| match &recorded.occurrence.event {
        Event::EscalationStopped { escalation: stopped, text } if *stopped == escalation.id => {
            Some((&recorded.occurrence.actor, text))
        }
        _ => None,
    });
    let first = mrkdwn!("The call for {} is over.", scene.team(&escalation.team));
    let second = match (scene.incident.is_open(), stop) {
        (true, Some((by, Some(text)))) => mrkdwn!("{} stopped it: {}", scene.actor_first(by), escape::quoted_end(text)),
        (true, Some((by, None))) => mrkdwn!("{} stopped it.", scene.actor_first(by)),
        (true, None) => "It was stopped.".into(),
        (false, _) => mrkdwn!("{} is {}.", scene.number(), scene.incident.status.word()),
    };
    (first, second)
}

/// Loud: the people who run the incident are mentioned, because they must act.
fn exhausted(scene: &Scene<'_>, escalation: &Escalation) -> (Mrkdwn, Mrkdwn) {
    let team = scene.team(&escalation.team);
    let tries = scene.pages_of(escalation.id).filter(|page| page.step.tier != 0 && !page.asks).count();
    let fallback = scene.recipients(fallback(scene, escalation));
    let (rounds, pages) = (rounds(escalation.step), scene::count(tries, "page", "pages"));
    let (first, tried) = match tries {
        0 => (mrkdwn!("● Nobody of {} can be paged.", team), Mrkdwn::default()),
        _ => (mrkdwn!("● Nobody answered the call for {}.", team), mrkdwn!("{}, {}. ", rounds, pages)),
    };
    let next = match fallback {
        Some(fallback) => mrkdwn!("Called the fallback: {}.", fallback),
        None => "There is no fallback: call somebody by other means.".into(),
    };
    let lead = match scene.commander() {
        Some(user) => mrkdwn!(" {}, who else can help?", escape::mention(user.as_str())),
        None => Mrkdwn::default(),
    };
    (first, mrkdwn!("{}{}{}", tried, next, lead))
}

fn held(scene: &Scene<'_>, escalation: &Escalation) -> (Mrkdwn, Mrkdwn) {
    let first = mrkdwn!("● The call for {} is on hold.", scene.team(&escalation.team));
    (first, mrkdwn!("{} Nobody is paged until somebody says so.", question::due(scene, escalation).capitalized()))
}

fn rounds(step: Step) -> Mrkdwn {
    scene::count(usize::try_from(step.round).unwrap_or(usize::MAX).max(1), "round", "rounds")
}

fn fallback<'a>(scene: &Scene<'a>, escalation: &Escalation) -> Vec<&'a Recipient> {
    scene
        .pages_of(escalation.id)
        .filter(|page| page.step.tier == 0 && !page.dead && !page.asks)
        .map(|page| &page.to)
        .collect()
}

/// What happened so far, newest last.
fn log(scene: &Scene<'_>, escalation: &Escalation, history: &[Recorded]) -> Vec<Mrkdwn> {
    let mut lines: Vec<Mrkdwn> = story::standing(history)
        .iter()
        .filter(|told| story::escalation_of(scene, &told.recorded.occurrence.event) == Some(escalation.id))
        .filter(|told| !matches!(told.recorded.occurrence.event, Event::Escalated { policy: Some(_), .. }))
        .filter_map(|told| story::line(scene, told))
        .collect();
    if lines.len() > LOG_LINES_MAX {
        lines.drain(..lines.len() - LOG_LINES_MAX);
    }
    lines
}

fn buttons(scene: &Scene<'_>, escalation: &Escalation) -> Vec<Json> {
    let incident = scene.incident.id;
    let generation = escalation.step.generation;
    let team = &escalation.team.name;
    let take = ButtonAction::Acknowledge { incident, escalation: escalation.id, page: None, generation };
    let take = Button::new("I've got it", &format!("I've got it: answer the call for {team}"), &take).primary();
    match &escalation.phase {
        Phase::Active { .. } => {
            let next = ButtonAction::CallNext { incident, escalation: escalation.id, generation };
            let stop = ButtonAction::StopEscalation { incident, escalation: escalation.id, generation };
            let stop = Button::new("Stop", &format!("Stop the call for {team}"), &stop).confirm(
                &format!("Stop the call for {team}?"),
                "Nobody else is paged, and the people paged so far see that it is over.",
                "Stop the call",
            );
            vec![
                take.into(),
                Button::new("Call next now", &format!("Call the next of {team} now"), &next).into(),
                stop.into(),
            ]
        }
        Phase::Exhausted if scene.incident.is_open() => {
            let again = ButtonAction::EscalateForm { incident };
            vec![take.into(), Button::new("Call a team", "Call this or another team again", &again).into()]
        }
        Phase::Held { .. } if scene.incident.is_open() => question::buttons(scene, escalation),
        Phase::Exhausted | Phase::Acknowledged { .. } | Phase::Stopped | Phase::Held { .. } => Vec::new(),
    }
}
