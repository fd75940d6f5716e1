//! The message that urges one person, or one channel, to act; edited in place when somebody has it or it is over.
//!
//! A page reaches people outside the incident's channel, so for a private incident it says neither title nor reason.

use chrono::TimeDelta;

use super::actions::ButtonAction;
use super::blocks::{self, Button};
use super::escape::{self, Mrkdwn, QUOTE_CHARS_MAX, Untrusted, mrkdwn};
use super::message::Message;
use super::question;
use super::reasons::reason;
use super::scene::{self, Scene};
use crate::domain::escalation::{Escalation, Phase};
use crate::domain::event::{Event, PageResult, Recipient, Recorded};
use crate::domain::incident::{Page, Status};
use crate::domain::policy::Mention;
use crate::ids::UserId;

/// A page that goes out later than this after its due time says so.
const LATE_AFTER: TimeDelta = TimeDelta::seconds(60);

/// The page as it must read now. `history` tells why it is late or may be a second copy; it may be empty.
pub fn page(scene: &Scene<'_>, page: &Page, history: &[Recorded]) -> Message {
    if page.asks {
        return question::question(scene, page);
    }
    let Some(escalation) = scene.incident.escalations.get(&page.escalation) else {
        return over(scene, page, &"This call is over".into());
    };
    match (&scene.incident.status, &escalation.phase) {
        (_, Phase::Acknowledged { by, at, .. }) => had_by(scene, page, escalation, by.as_ref(), *at),
        (Status::Resolved, _) => over(scene, page, &mrkdwn!("{} is resolved", scene.number())),
        (Status::Canceled, _) => over(scene, page, &mrkdwn!("{} is canceled", scene.number())),
        (_, Phase::Stopped) => over(scene, page, &mrkdwn!("The call for {} was stopped", scene.team(&escalation.team))),
        (_, Phase::Active { .. }) if page.declined => declined(scene, page, escalation),
        (_, Phase::Held { .. }) => on_hold(scene, escalation),
        (_, Phase::Active { .. } | Phase::Exhausted) => waiting(scene, page, escalation, history),
    }
}

fn waiting(scene: &Scene<'_>, page: &Page, escalation: &Escalation, history: &[Recorded]) -> Message {
    let deadline = deadline(scene, page, escalation);
    let request = request(scene, page, escalation);
    let mut lines =
        vec![mrkdwn!("*{} {}*", scene.incident.severity, scene.discreet_title()), request.clone(), deadline.clone()];
    if let Some(mention) = mention(page) {
        lines.insert(0, mention);
    }
    let mut shown = vec![blocks::section(Mrkdwn::join(lines, "\n")), blocks::actions(buttons(scene, page, escalation))];
    let mut small: Vec<Mrkdwn> = lateness(scene, page, history).into_iter().chain(second_copy(page, history)).collect();
    small.push(background(scene, page));
    shown.push(blocks::context([Mrkdwn::join(small, "\n")]));
    let text = mrkdwn!("{} {}", headline(scene, page, escalation), deadline);
    Message::new(mention(page).map_or(text.clone(), |mention| mrkdwn!("{} {}", mention, text)), shown)
}

/// The page in a notification: who calls whom to what, and why.
fn headline(scene: &Scene<'_>, page: &Page, escalation: &Escalation) -> Mrkdwn {
    let (who, team) = (scene.actor_first(&escalation.called_by), scene.team(&escalation.team));
    let title = mrkdwn!("{} {}", scene.incident.severity, scene.discreet_title());
    let first = match (&page.to, page.step.tier) {
        (_, 0) => mrkdwn!("Nobody of {} answered, you are the fallback: {}.", team, title),
        (Recipient::User { .. }, _) => mrkdwn!("{} calls you: {}.", who, title),
        (Recipient::Channel { .. } | Recipient::Contact { .. }, _) => mrkdwn!("{} calls {}: {}.", who, team, title),
    };
    match &escalation.reason {
        Some(reason) if !scene.incident.private => mrkdwn!("{} {}", first, escape::quoted_end(reason)),
        Some(_) | None => first,
    }
}

/// Who asks, for which team, and why.
fn request(scene: &Scene<'_>, page: &Page, escalation: &Escalation) -> Mrkdwn {
    let (who, team) = (scene.actor_first(&escalation.called_by), scene.team(&escalation.team));
    let asked = if page.step.tier == 0 {
        mrkdwn!("Nobody of {} answered, you are the fallback", team)
    } else {
        mrkdwn!("{} calls {}", who, team)
    };
    match &escalation.reason {
        Some(reason) if !scene.incident.private => mrkdwn!("{}: {}", asked, escape::quoted_end(reason)),
        Some(_) | None => mrkdwn!("{}.", asked),
    }
}

/// Until when the answer is awaited, and who is called then.
fn deadline(scene: &Scene<'_>, page: &Page, escalation: &Escalation) -> Mrkdwn {
    let personal = matches!(page.to, Recipient::User { .. });
    let until = if personal { "Answer by" } else { "One of you answers by" };
    match &escalation.phase {
        Phase::Active { next_due_at } if page.step.generation == escalation.step.generation => {
            let from = if page.message.is_none() { scene.now.max(page.due_at) } else { page.due_at };
            let left = scene::wait((*next_due_at - from).num_seconds());
            mrkdwn!("{} {} ({}), {}.", until, scene.time(*next_due_at), left, scene.then(escalation))
        }
        Phase::Active { .. } => match scene.recipients(scene.called_now(escalation)) {
            Some(now) => mrkdwn!("{} is called now too. You can still take it.", now),
            None => "The call went on. You can still take it.".into(),
        },
        Phase::Exhausted if page.step.tier != 0 => match scene.recipients(scene.called_now(escalation)) {
            Some(fallback) => mrkdwn!("Nobody answered, the fallback is called: {}. You can still take it.", fallback),
            None => "Nobody answered. You can still take it.".into(),
        },
        Phase::Exhausted | Phase::Acknowledged { .. } | Phase::Stopped | Phase::Held { .. } => {
            "Nobody else is called after you.".into()
        }
    }
}

fn buttons(scene: &Scene<'_>, page: &Page, escalation: &Escalation) -> Vec<super::json::Json> {
    let (incident, name) = (scene.incident.id, scene.incident.name());
    let generation = page.step.generation;
    let take = ButtonAction::Acknowledge { incident, escalation: escalation.id, page: Some(page.id), generation };
    let mut buttons = vec![Button::new("I've got it", &format!("I've got it: take {name}"), &take).primary().into()];
    let awaited = escalation.is_active() && page.step.generation == escalation.step.generation;
    if awaited && matches!(page.to, Recipient::User { .. }) {
        let pass = ButtonAction::Decline { incident, page: page.id, generation };
        buttons.push(Button::new("Can't, call next", &format!("I can't take {name}, call the next"), &pass).into());
    }
    buttons
}

/// "Late: due 3:05 PM, sent 4 min after. Slack said: ratelimited." while it is on its way.
fn lateness(scene: &Scene<'_>, page: &Page, history: &[Recorded]) -> Option<Mrkdwn> {
    let late = scene.now - page.due_at;
    if page.message.is_some() || late < LATE_AFTER {
        return None;
    }
    let due = mrkdwn!("Late: due {}, sent {} after", scene.time(page.due_at), scene::duration(late));
    Some(match last_error(page, history) {
        Some(error) => mrkdwn!("{}. Earlier tries failed: {}.", due, reason(error)),
        None => mrkdwn!("{}, because Firebell was held up.", due),
    })
}

/// What Slack said when the page last failed.
pub(super) fn last_error<'h>(page: &Page, history: &'h [Recorded]) -> Option<&'h str> {
    attempts(page, history).rev().find_map(|result| match result {
        PageResult::Failed { error, .. } | PageResult::Unknown { error } | PageResult::NotReached { error } => {
            Some(error.as_str())
        }
        PageResult::Sent { .. } | PageResult::SentElsewhere => None,
    })
}

fn second_copy(page: &Page, history: &[Recorded]) -> Option<Mrkdwn> {
    let unsure = attempts(page, history).any(|result| matches!(result, PageResult::Unknown { .. }));
    (unsure && page.message.is_none()).then(|| "You may have this twice: Slack did not confirm the first copy.".into())
}

fn attempts<'h>(page: &Page, history: &'h [Recorded]) -> impl DoubleEndedIterator<Item = &'h PageResult> {
    let id = page.id;
    history.iter().filter_map(move |recorded| match &recorded.occurrence.event {
        Event::PageAttempted { page, result, .. } if *page == id => Some(result),
        _ => None,
    })
}

/// Why this person, and where the work is.
fn background(scene: &Scene<'_>, page: &Page) -> Mrkdwn {
    let why = mrkdwn!("Why you: {}", Untrusted(&page.because).line(QUOTE_CHARS_MAX));
    match scene.channel() {
        Some(channel) => mrkdwn!("{} · Channel: {}", why, channel),
        None => why,
    }
}

pub(super) fn mention(page: &Page) -> Option<Mrkdwn> {
    match &page.to {
        Recipient::User { .. } | Recipient::Contact { .. } => None,
        Recipient::Channel { mention, .. } => match mention {
            Mention::Nobody => None,
            Mention::Here => Some("<!here>".into()),
            Mention::Channel => Some("<!channel>".into()),
            Mention::Group(group) => Some(escape::group_mention(group.as_str())),
        },
    }
}

fn had_by(
    scene: &Scene<'_>,
    page: &Page,
    escalation: &Escalation,
    by: Option<&UserId>,
    at: chrono::DateTime<chrono::Utc>,
) -> Message {
    let after = scene::duration(at - escalation.started_at);
    let yours = matches!((&page.to, by), (Recipient::User { user }, Some(by)) if user == by);
    let who = by.map_or(Mrkdwn::from("Somebody"), |user| scene.name(user));
    let (first, next) = match (yours, scene.channel()) {
        (true, Some(channel)) => (mrkdwn!("You have it ({})", after), mrkdwn!("The work is in {}.", channel)),
        (true, None) => (mrkdwn!("You have it ({})", after), "The channel follows; you will be invited.".into()),
        (false, _) => (mrkdwn!("{} has it ({})", who, after), "Nothing left for you to do.".into()),
    };
    ended(scene, &first, &next)
}

fn declined(scene: &Scene<'_>, page: &Page, escalation: &Escalation) -> Message {
    let next =
        match (page.step.generation == escalation.step.generation, scene.recipients(scene.called_now(escalation))) {
            (false, Some(who)) => mrkdwn!("{} is called now.", who),
            (true, Some(who)) => mrkdwn!("{} is called as well and may still answer.", who),
            (_, None) => "The call goes on without you.".into(),
        };
    ended(scene, &"You passed".into(), &next)
}

/// Long ago, and not answered: whoever was called need do nothing unless they are called again.
fn on_hold(scene: &Scene<'_>, escalation: &Escalation) -> Message {
    let first = mrkdwn!("The call for {} is on hold", scene.team(&escalation.team));
    ended(scene, &first, &"Nothing to do, unless you are called again.".into())
}

fn over(scene: &Scene<'_>, page: &Page, what: &Mrkdwn) -> Message {
    let nothing = match page.to {
        Recipient::User { .. } | Recipient::Contact { .. } => "Nothing left for you to do.",
        Recipient::Channel { .. } => "Nothing left to do here.",
    };
    ended(scene, what, &nothing.into())
}

/// A page without buttons: what became of it, and what is next.
fn ended(scene: &Scene<'_>, first: &Mrkdwn, next: &Mrkdwn) -> Message {
    let title = mrkdwn!("{} {}", scene.incident.severity, scene.discreet_title());
    let text = mrkdwn!("{}: {}. {}", first, title, next);
    Message::new(text, vec![blocks::section(mrkdwn!("*{}.* {}\n{}", first, title, next))])
}
