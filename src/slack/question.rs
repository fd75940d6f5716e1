//! Whether calls that were due long ago should still go on: the message that asks, edited in place when that is said.
//!
//! As a page it reaches people outside the incident's channel, so for a private incident it says neither title nor names.

use super::json::Json;

use super::actions::ButtonAction;
use super::blocks::{self, Button};
use super::escape::{Mrkdwn, QUOTE_CHARS_MAX, Untrusted, mrkdwn};
use super::message::Message;
use super::pages;
use super::scene::{self, Scene};
use crate::domain::escalation::{Escalation, Phase};
use crate::domain::event::{Recipient, Step};
use crate::domain::hold::Resume;
use crate::domain::incident::Page;
use crate::ids::ChannelId;

/// Most calls that one question lists; `/escalate why` has the rest.
const CALLS_MAX: usize = 10;
/// Why a channel reads a question.
const ASKED: &str = "Asked first, because a page this late may wake somebody for nothing.";

/// The question as it must read now.
pub fn question(scene: &Scene<'_>, page: &Page) -> Message {
    let held: Vec<&Escalation> = scene.incident.held().collect();
    let title = mrkdwn!("{} {}", scene.incident.severity, scene.discreet_title());
    if held.is_empty() || !scene.incident.is_open() {
        return answered(scene, &title);
    }
    let first = "Nobody was paged in time. Should anybody be paged now?";
    let heading = match pages::mention(page) {
        Some(mention) => mrkdwn!("{}\n*{}*\n{}", mention, title, first),
        None => mrkdwn!("*{}*\n{}", title, first),
    };
    let mut shown = vec![blocks::section(heading)];
    for escalation in held.iter().take(CALLS_MAX) {
        shown.push(blocks::section(mrkdwn!("*{}:* {}", scene.team(&escalation.team), due(scene, escalation))));
        shown.push(blocks::actions(buttons(scene, escalation)));
    }
    let more = held.len().saturating_sub(CALLS_MAX);
    let mut small = Vec::new();
    if more > 0 {
        let calls = scene::count(more, "more call is", "more calls are");
        small.push(mrkdwn!("{} on hold: `/escalate {} why`", calls, scene.number()));
    }
    small.push("Until somebody answers, nobody is paged for it.".into());
    small.push(background(scene, page));
    shown.push(blocks::context([Mrkdwn::join(small, "\n")]));
    let calls = held.iter().map(|escalation| mrkdwn!("{}: {}", scene.team(&escalation.team), due(scene, escalation)));
    let text = mrkdwn!("{}: {} {}", title, first, Mrkdwn::join(calls, " "));
    Message::new(pages::mention(page).map_or(text.clone(), |mention| mrkdwn!("{} {}", mention, text)), shown)
}

/// "The call to Chris was due 3:05 PM, 2 d ago." and the like: what has not happened.
pub(super) fn due(scene: &Scene<'_>, escalation: &Escalation) -> Mrkdwn {
    let Phase::Held { due_at, resume, .. } = &escalation.phase else { return "The call goes on.".into() };
    let when = mrkdwn!("{}, {} ago", scene.time(*due_at), scene::duration(scene.now - *due_at));
    let whom = called(scene, escalation, resume);
    match (resume, whom) {
        (Resume::Lapsed { by: Some(user) }, _) => {
            mrkdwn!("{} had it and showed no activity; calling again was due {}.", scene.name(user), when)
        }
        (Resume::Lapsed { by: None }, _) => mrkdwn!("calling again was due {}.", when),
        (Resume::NextStep, Some(whom)) => mrkdwn!("calling {} was due {}, and did not happen.", whom, when),
        (Resume::SameStep, Some(whom)) => mrkdwn!("the page to {} was due {}, and did not go out.", whom, when),
        (Resume::NextStep | Resume::SameStep, None) => mrkdwn!("the next call was due {}, and did not happen.", when),
    }
}

/// Whom "Page now" pages.
fn called(scene: &Scene<'_>, escalation: &Escalation, resume: &Resume) -> Option<Mrkdwn> {
    if scene.incident.private {
        return None;
    }
    match resume {
        Resume::NextStep => scene.next_called(escalation),
        Resume::SameStep | Resume::Lapsed { .. } => {
            let Step { generation, .. } = escalation.step;
            let of_step = scene.pages_of(escalation.id).filter(|page| page.step.generation == generation && !page.asks);
            scene.recipients(of_step.map(|page| &page.to))
        }
    }
}

pub(super) fn buttons(scene: &Scene<'_>, escalation: &Escalation) -> Vec<Json> {
    let (incident, id, generation) = (scene.incident.id, escalation.id, escalation.step.generation);
    let team = &escalation.team.name;
    let resume = ButtonAction::ResumeCall { incident, escalation: id, generation };
    let end = ButtonAction::StopEscalation { incident, escalation: id, generation };
    let page = Button::new("Page now", &format!("Page now: the call for {team} goes on"), &resume).primary();
    let end = Button::new("End this call", &format!("End the call for {team}: nobody is paged"), &end);
    vec![page.into(), end.into()]
}

/// Why this person, and where the work is.
fn background(scene: &Scene<'_>, page: &Page) -> Mrkdwn {
    let here = |id: &ChannelId| scene.incident.channel_id() == Some(id);
    let why = match &page.to {
        Recipient::Channel { channel, .. } if here(channel) => return ASKED.into(),
        Recipient::Channel { .. } => ASKED.into(),
        Recipient::User { .. } | Recipient::Contact { .. } => {
            mrkdwn!("Why you: {}", Untrusted(&page.because).line(QUOTE_CHARS_MAX))
        }
    };
    match scene.channel() {
        Some(channel) => mrkdwn!("{} · Channel: {}", why, channel),
        None => why,
    }
}

/// Nothing is left to be said.
fn answered(scene: &Scene<'_>, title: &Mrkdwn) -> Message {
    let incident = scene.incident;
    let (first, second): (Mrkdwn, Mrkdwn) = if incident.is_open() {
        let teams = incident.teams.iter().map(|team| scene.team_standing(team));
        let standing = if incident.private { Mrkdwn::default() } else { Mrkdwn::join(teams, " · ") };
        ("Answered".into(), standing)
    } else {
        (mrkdwn!("{} is {}", scene.number(), incident.status.word()), "It needs nobody any more.".into())
    };
    let text = mrkdwn!("{}: {}. {}", first, title, second);
    Message::new(text, vec![blocks::section(mrkdwn!("*{}.* {}\n{}", first, title, second))])
}
