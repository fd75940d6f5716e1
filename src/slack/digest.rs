//! The one message that pages a person to many incidents at once; edited in place as they are answered.
//!
//! It names every incident it stands for, worst first, and lets them be taken one by one or all together. As in a page,
//! a private incident is only its number.

use super::json::Json;
use chrono::{DateTime, Utc};

use super::actions::{ButtonAction, MORE};
use super::blocks::{self, Button, OPTIONS_MAX};
use super::escape::{self, Mrkdwn, Untrusted, mrkdwn};
use super::message::Message;
use super::scene::{self, Scene};
use crate::domain::escalation::{Escalation, Phase};
use crate::domain::incident::{Page, Status};
use crate::ids::{IncidentId, PageId};

/// Most pages in one digest: so many lines are within what Slack takes as one message, and a menu holds 100 choices.
pub const DIGEST_MAX: usize = OPTIONS_MAX;
/// Up to so many incidents have a button each; more are in a menu.
const BUTTONS_MAX: usize = 10;
/// Characters of a title in a line of the list.
const LISTED_TITLE_CHARS: usize = 60;
/// Characters of a choice in the menu; Slack takes 75.
const CHOICE_CHARS: usize = 75;

/// An incident with the page of it that the digest stands for.
#[derive(Clone, Copy, Debug)]
pub struct Listed<'a> {
    pub scene: Scene<'a>,
    pub page: &'a Page,
}

/// The digest as it must read now; empty lists make an empty message.
pub fn digest(listed: &[Listed<'_>]) -> Message {
    let mut listed = listed.to_vec();
    listed.sort_by_key(|one| (one.scene.incident.severity, one.scene.incident.number, one.page.id));
    let waiting: Vec<&Listed<'_>> = listed.iter().filter(|one| one.outcome().is_none()).collect();
    let (first, second) = headline(&waiting, listed.len());
    let mut shown = vec![blocks::section(mrkdwn!("*{}*\n{}", first, second))];
    let calls: Vec<&Listed<'_>> = waiting.iter().copied().filter(|one| !one.page.asks).collect();
    if calls.len() > 1 {
        shown.push(blocks::actions([all_of(&calls)]));
    }
    shown.extend(blocks::sections(listed.iter().map(Listed::line)));
    if !waiting.is_empty() {
        shown.push(blocks::actions(one_of(&waiting)));
    }
    let names = waiting.iter().map(|one| one.scene.number()).collect();
    let text = match scene::some_of(names) {
        Some(names) => mrkdwn!("{} {} All: {}.", first, second, names),
        None => mrkdwn!("{} {}", first, second),
    };
    Message::new(text, shown)
}

/// The news, and what it means.
fn headline(waiting: &[&Listed<'_>], all: usize) -> (Mrkdwn, Mrkdwn) {
    let Some(worst) = waiting.first() else {
        return (mrkdwn!("Nothing left of {} calls", all), "Each of them has somebody, or is over.".into());
    };
    if waiting.iter().all(|one| one.page.asks) {
        return on_hold(waiting, worst);
    }
    let incidents = scene::count(waiting.len(), "incident", "incidents");
    let first = mrkdwn!("You are called to {}.", incidents);
    let severity = worst.scene.incident.severity;
    let which = if waiting.len() == all {
        mrkdwn!("The worst is {} {}.", severity, worst.title())
    } else {
        mrkdwn!("{} of {} calls still wait, the worst is {} {}.", waiting.len(), all, severity, worst.title())
    };
    match waiting.iter().filter_map(|one| one.next_due_at()).min() {
        Some(at) => (first, mrkdwn!("{} Answer by {}, then others are called.", which, worst.scene.time(at))),
        None => (first, mrkdwn!("{} You can still take them.", which)),
    }
}

/// What was due is so late that nobody was paged for any of them.
fn on_hold(waiting: &[&Listed<'_>], worst: &Listed<'_>) -> (Mrkdwn, Mrkdwn) {
    let first = mrkdwn!("On hold: nobody was paged for {}.", scene::count(waiting.len(), "incident", "incidents"));
    let severity = worst.scene.incident.severity;
    let which = mrkdwn!("The worst is {} {}.", severity, worst.title());
    (first, mrkdwn!("{} Page now, or end the call in the incident's channel. Until then nobody is paged.", which))
}

fn all_of(waiting: &[&Listed<'_>]) -> Json {
    let pages: Vec<(IncidentId, PageId)> = waiting.iter().map(|one| (one.scene.incident.id, one.page.id)).collect();
    let count = waiting.len();
    Button::new(
        &format!("I've got all {count}"),
        &format!("I've got all of them: take {count} incidents"),
        &ButtonAction::AcknowledgeAll { pages },
    )
    .primary()
    .confirm("Take all of them?", &format!("Nobody else is called to these {count} incidents."), "I've got all")
    .into()
}

/// A button for each, or a menu where they are many.
fn one_of(waiting: &[&Listed<'_>]) -> Vec<Json> {
    if waiting.len() > BUTTONS_MAX {
        let options = waiting.iter().take(OPTIONS_MAX).filter_map(|one| Some((one, one.take()?)));
        let options = options.map(|(one, take)| blocks::option(&one.choice(), &take.value())).collect();
        return vec![blocks::menu(MORE, "Take one of them…", options)];
    }
    let buttons = waiting.iter().enumerate().filter_map(|(n, one)| {
        let name = one.scene.incident.name();
        let take = one.take()?;
        let (label, spoken) = if one.page.asks {
            (format!("Page {name} now"), format!("Page now: the call of {name} goes on"))
        } else {
            (format!("Take {name}"), format!("I've got it: take {name}"))
        };
        let mut button: Json = Button::new(&label, &spoken, &take).into();
        // Ids within one row must differ.
        button.set("action_id", format!("{}:{n}", take.action_id()));
        Some(button)
    });
    buttons.collect()
}

impl<'a> Listed<'a> {
    fn escalation(&self) -> Option<&'a Escalation> {
        self.scene.incident.escalations.get(&self.page.escalation)
    }

    /// The first of the held calls that the page asks about.
    fn asked_about(&self) -> Option<&'a Escalation> {
        self.scene.incident.held().next().filter(|_| self.page.asks)
    }

    fn take(&self) -> Option<ButtonAction> {
        let (incident, page) = (self.scene.incident.id, self.page);
        if let Some(held) = self.asked_about() {
            let (escalation, generation) = (held.id, held.step.generation);
            return Some(ButtonAction::ResumeCall { incident, escalation, generation });
        }
        let escalation = self.escalation()?.id;
        Some(ButtonAction::Acknowledge { incident, escalation, page: Some(page.id), generation: page.step.generation })
    }

    fn title(&self) -> Mrkdwn {
        let incident = self.scene.incident;
        if incident.private {
            return self.scene.discreet_title();
        }
        mrkdwn!("{} {}", self.scene.number(), Untrusted(&incident.title).line(LISTED_TITLE_CHARS))
    }

    fn choice(&self) -> String {
        let incident = self.scene.incident;
        let title = if incident.private { "(private)" } else { incident.title.as_str() };
        Untrusted(&format!("{} {} {title}", incident.name(), incident.severity)).plain(CHOICE_CHARS)
    }

    /// "• *SEV1 INC-4 Shop is down* – Database team", or what became of it.
    fn line(&self) -> Mrkdwn {
        let severity = self.scene.incident.severity;
        let line = match (self.outcome(), self.escalation()) {
            (Some(outcome), _) => mrkdwn!("✓ {} {}: {}", severity, self.title(), outcome),
            (None, Some(_)) if self.page.asks => {
                mrkdwn!("• *{} {}*: on hold, nobody was paged in time", severity, self.title())
            }
            (None, Some(escalation)) => {
                let team = escape::name(&escalation.team.name);
                mrkdwn!("• *{} {}* – {}", severity, self.title(), team)
            }
            (None, None) => mrkdwn!("• *{} {}*", severity, self.title()),
        };
        match self.scene.channel() {
            Some(channel) => mrkdwn!("{} · {}", line, channel),
            None => line,
        }
    }

    /// When somebody else is called, if nobody answers.
    fn next_due_at(&self) -> Option<DateTime<Utc>> {
        match self.escalation()?.phase {
            Phase::Active { next_due_at } => Some(next_due_at),
            Phase::Acknowledged { .. } | Phase::Stopped | Phase::Exhausted | Phase::Held { .. } => None,
        }
    }

    /// Why the answer is not waited for any more; `None` if it is.
    fn outcome(&self) -> Option<Mrkdwn> {
        let Some(escalation) = self.escalation() else { return Some("the call is over".into()) };
        if self.page.asks && self.scene.incident.is_open() {
            return self.asked_about().is_none().then(|| "answered".into());
        }
        match (&self.scene.incident.status, &escalation.phase) {
            (_, Phase::Acknowledged { by: Some(user), .. }) if self.page.to.user() == Some(user) => {
                Some("you have it".into())
            }
            (_, Phase::Acknowledged { by: Some(user), .. }) => Some(mrkdwn!("{} has it", self.scene.name(user))),
            (_, Phase::Acknowledged { by: None, .. }) => Some("somebody has it".into()),
            (Status::Resolved, _) => Some("resolved".into()),
            (Status::Canceled, _) => Some("canceled".into()),
            (_, Phase::Stopped) => Some("the call was stopped".into()),
            (_, Phase::Held { .. }) => Some("the call is on hold".into()),
            (_, Phase::Active { .. } | Phase::Exhausted) if self.page.declined => Some("you passed".into()),
            (_, Phase::Active { .. } | Phase::Exhausted) => None,
        }
    }
}
