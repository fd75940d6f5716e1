//! What the incident's channel is told of an event, of what it missed, and of the postmortem.

use chrono::{DateTime, TimeDelta, Utc};

use super::actions::ButtonAction;
use super::blocks::{self, Button};
use super::card::complete_button;
use super::escape::{self, Mrkdwn, Untrusted, mrkdwn};
use super::message::Message;
use super::reasons::reason;
use super::scene::{self, Scene};
use super::story;
use crate::domain::event::{Actor, Event, Recorded};
use crate::domain::incident::{Role, Status};
use crate::domain::postmortem::Format;
use crate::domain::timeline;

/// Longest update that is shown in full, in characters; the page has the rest.
const UPDATE_CHARS_MAX: usize = 2500;
/// Most lines of a catch-up.
const CATCH_UP_LINES_MAX: usize = 12;
/// Most open fields that the postmortem's message names.
const FIELDS_NAMED_MAX: usize = 4;

/// The post for an event; `None` for events that the card, a call's message or only the timeline shows.
pub fn post(scene: &Scene<'_>, recorded: &Recorded) -> Option<Message> {
    let occurrence = &recorded.occurrence;
    let who = scene.actor_first(&occurrence.actor);
    Some(match &occurrence.event {
        Event::UpdatePosted { text } => update(&who, text),
        Event::StatusChanged { to, text, .. } => {
            let first = mrkdwn!("{} set the status to {}", who, to.word());
            Message::sentence(with_text(&first, text.as_deref()))
        }
        Event::Mitigated { text, .. } => mitigated(scene, &who, occurrence.at, text),
        Event::Resolved { text, .. } => resolved(scene, &who, text.as_deref()),
        Event::Reopened { text, because } => reopened(scene, &occurrence.actor, text.as_deref().or(because.as_deref())),
        Event::Canceled { text } => {
            let first = mrkdwn!("{} canceled {}, which was no incident", who, scene.number());
            Message::sentence(mrkdwn!("{} The calls are over.", with_text(&first, text.as_deref())))
        }
        Event::SeverityChanged { from, to } => Message::sentence(story::severity_changed(&who, *from, *to)),
        Event::TitleChanged { to, .. } => {
            Message::sentence(mrkdwn!("{} changed the title to {}.", who, escape::quoted(to)))
        }
        Event::RoleAssigned { role, user } => role_assigned(scene, &occurrence.actor, *role, user),
        Event::TaskAdded { task, text, owner, due_on } => {
            let text = Untrusted(text).line(escape::QUOTE_CHARS_MAX);
            let owner = match owner {
                Some(user) if occurrence.actor == (Actor::Person { user: user.clone() }) => scene.name(user),
                Some(user) => escape::mention(user.as_str()),
                None => "nobody yet".into(),
            };
            let due = due_on.map_or(Mrkdwn::default(), |day| {
                mrkdwn!(", due {}", escape::name(&day.format("%a %-d %b").to_string()))
            });
            Message::sentence(mrkdwn!("Task {}: {} · owner: {}{}", task, text, owner, due))
        }
        Event::EscalationExhausted { escalation, .. } => {
            let team = scene.incident.escalations.get(escalation).map(|found| scene.team(&found.team));
            exhausted(scene, team, recorded)
        }
        Event::AcknowledgementLapsed { user, escalation } => {
            let who = user.as_ref().map_or(Mrkdwn::from("Somebody"), |user| escape::mention(user.as_str()));
            let team =
                scene.incident.escalations.get(escalation).map_or("the team".into(), |found| scene.team(&found.team));
            Message::sentence(mrkdwn!("{} showed no activity, so the call for {} goes on.", who, team))
        }
        Event::AlertCleared { text, .. } => alert_cleared(scene, text),
        Event::StormEnded { alerts, cleared, fired } => {
            let said = timeline::storm_ended(*alerts, *cleared, *fired);
            Message::sentence(mrkdwn!(
                "{}. The next alert opens an incident of its own.",
                Untrusted(&said).line(escape::QUOTE_CHARS_MAX)
            ))
        }
        Event::AlertTakenOut { title, into, .. } => Message::sentence(mrkdwn!(
            "{} took the alert {} out of this storm: it is INC-{} now.",
            who,
            escape::quoted(title),
            *into
        )),
        Event::AlertRepeated { text, .. } => {
            Message::sentence(mrkdwn!("The alert repeats: {}", Untrusted(text).line(escape::QUOTE_CHARS_MAX)))
        }
        Event::Detected { .. }
        | Event::Declared { .. }
        | Event::Opened { .. }
        | Event::Noted { .. }
        | Event::TextEdited { .. }
        | Event::EntryRemoved { .. }
        | Event::ImpactStartSet { .. }
        | Event::ImpactEndSet { .. }
        | Event::FieldSet { .. }
        | Event::MeasureAdded { .. }
        | Event::MeasureRemoved { .. }
        | Event::TaskDone { .. }
        | Event::TaskRemoved { .. }
        | Event::ProseWritten { .. }
        | Event::Escalated { .. }
        | Event::TierStarted { .. }
        | Event::TierSkipped { .. }
        | Event::PageAttempted { .. }
        | Event::PagedElsewhere { .. }
        | Event::Acknowledged { .. }
        | Event::JoinedAcknowledged { .. }
        | Event::Declined { .. }
        | Event::EscalationAdvanced { .. }
        | Event::EscalationStopped { .. }
        | Event::PageWithheld { .. }
        | Event::EscalationHeld { .. }
        | Event::EscalationResumed { .. }
        | Event::ChannelCreated { .. }
        | Event::ChannelFailed { .. }
        | Event::CardPosted { .. }
        | Event::AnnouncementPosted { .. }
        | Event::EscalationPosted { .. }
        | Event::ActivitySeen { .. }
        | Event::AlertFiring { .. }
        | Event::AlertCounting { .. }
        | Event::AlertJoined { .. }
        | Event::AlertTakenFrom { .. }
        | Event::StormBegan { .. }
        | Event::DocumentRequested { .. }
        | Event::DocumentNotSent { .. }
        | Event::CaptureRequested { .. }
        | Event::ClockSet { .. }
        | Event::PersonErased { .. }
        | Event::PostmortemPosted { .. } => return None,
    })
}

fn with_text(first: &Mrkdwn, text: Option<&str>) -> Mrkdwn {
    match text {
        Some(text) => mrkdwn!("{}: {}", first, escape::quoted_end(text)),
        None => mrkdwn!("{}.", first),
    }
}

fn update(who: &Mrkdwn, text: &str) -> Message {
    let said = Untrusted(text).text(UPDATE_CHARS_MAX);
    Message::new(
        mrkdwn!("Update from {}: {}", who, said),
        vec![blocks::prose(mrkdwn!("*Update from {}*\n{}", who, said))],
    )
}

fn mitigated(scene: &Scene<'_>, who: &Mrkdwn, at: DateTime<Utc>, text: &str) -> Message {
    let said = escape::quoted_end(text);
    let first = mrkdwn!("Mitigated after {}.", scene::duration(at - scene.since()));
    let second = mrkdwn!("{}: {} Next: resolve it once the work is done.", who, said);
    let action = ButtonAction::ResolveForm { incident: scene.incident.id };
    let button = Button::new("Resolve", &format!("Resolve {}", scene.incident.name()), &action);
    Message::new(
        mrkdwn!("{} {}", first, second),
        vec![blocks::section(mrkdwn!("*{}*\n{}", first, second)), blocks::actions([button.into()])],
    )
}

fn resolved(scene: &Scene<'_>, who: &Mrkdwn, text: Option<&str>) -> Message {
    let incident = scene.incident;
    let at = incident.resolved_at.unwrap_or(scene.now);
    let first =
        mrkdwn!("{} resolved {} after {}.", scene.number(), scene.time(at), scene::duration(at - scene.since()));
    let said = text.map_or(mrkdwn!("By {}.", who), |text| mrkdwn!("{}: {}", who, escape::quoted_end(text)));
    let second = mrkdwn!("{} The calls are over; the postmortem draft follows.", said);
    let reopen =
        Button::new("Reopen", &format!("Reopen {}", incident.name()), &ButtonAction::Reopen { incident: incident.id });
    Message::new(
        mrkdwn!("{} {}", first, second),
        vec![blocks::section(mrkdwn!("*✓ {}*\n{}", first, second)), blocks::actions([reopen.into()])],
    )
}

fn reopened(scene: &Scene<'_>, actor: &Actor, text: Option<&str>) -> Message {
    let first = with_text(&mrkdwn!("{} reopened {}", scene.actor_first(actor), scene.number()), text);
    let next = match scene.commander() {
        Some(user) => mrkdwn!("{} leads it again.", escape::mention(user.as_str())),
        None => "Nobody leads it yet.".into(),
    };
    Message::sentence(mrkdwn!("{} {}", first, next))
}

/// Mentions the person who was asked by somebody else, because that person must know.
fn role_assigned(scene: &Scene<'_>, by: &Actor, role: Role, user: &crate::ids::UserId) -> Message {
    let own = matches!(by, Actor::Person { user: asked } if asked == user);
    if own {
        return Message::sentence(story::role_assigned(scene, by, role, user));
    }
    let (who, person) = (scene.actor_first(by), escape::mention(user.as_str()));
    Message::sentence(match role {
        Role::Commander => mrkdwn!("{} leads {} now, asked by {}.", person, scene.number(), who),
        Role::Scribe | Role::CommunicationsLead => mrkdwn!("{} is {} now, asked by {}.", person, role.name(), who),
    })
}

fn exhausted(scene: &Scene<'_>, team: Option<Mrkdwn>, recorded: &Recorded) -> Message {
    let Event::EscalationExhausted { escalation, pages, .. } = &recorded.occurrence.event else {
        return Message::sentence("Nobody answered the call.".into());
    };
    let team = team.unwrap_or("the team".into());
    let first = if scene.pages_of(*escalation).any(|page| page.step.tier != 0 && !page.asks) {
        mrkdwn!("Nobody answered the call for {}.", team)
    } else {
        mrkdwn!("Nobody of {} can be paged.", team)
    };
    let next = match scene.recipients(pages.iter().map(|page| &page.to)) {
        Some(fallback) => mrkdwn!("Called the fallback: {}.", fallback),
        None => "There is no fallback: call somebody by other means.".into(),
    };
    let lead = scene
        .commander()
        .map_or(Mrkdwn::default(), |user| mrkdwn!(" {}, who else can help?", escape::mention(user.as_str())));
    let action = ButtonAction::EscalateForm { incident: scene.incident.id };
    let button = Button::new("Call a team", &format!("Call a team to {}", scene.incident.name()), &action).primary();
    Message::new(
        mrkdwn!("{} {}{}", first, next, lead),
        vec![blocks::section(mrkdwn!("*● {}*\n{}{}", first, next, lead)), blocks::actions([button.into()])],
    )
}

fn alert_cleared(scene: &Scene<'_>, text: &str) -> Message {
    let said = Untrusted(text).line(escape::QUOTE_CHARS_MAX);
    let first = mrkdwn!("The alert cleared: {}", said);
    if !scene.incident.is_open() {
        return Message::sentence(first);
    }
    let action = ButtonAction::ResolveForm { incident: scene.incident.id };
    let button = Button::new("Resolve", &format!("Resolve {}", scene.incident.name()), &action);
    Message::new(
        mrkdwn!("{}. Resolve {} if users are fine.", first, scene.number()),
        vec![
            blocks::section(mrkdwn!("{}\nResolve {} if users are fine.", first, scene.number())),
            blocks::actions([button.into()]),
        ],
    )
}

/// For a channel that came later than the incident: what it missed. `None` if that is nothing. Updates are left out,
/// because they are posted in full.
pub fn catch_up(scene: &Scene<'_>, history: &[Recorded]) -> Option<Message> {
    let standing = story::standing(history);
    let missed = standing.iter().filter(|told| !matches!(told.recorded.occurrence.event, Event::UpdatePosted { .. }));
    let mut lines: Vec<Mrkdwn> = missed.filter_map(|told| story::line(scene, told)).collect();
    if lines.len() < 2 {
        return None;
    }
    let left_out = lines.len().saturating_sub(CATCH_UP_LINES_MAX);
    lines.drain(..left_out);
    let first = mrkdwn!("So far in {}, since {}:", scene.number(), scene.time(scene.incident.opened_at));
    let mut shown = vec![blocks::section(mrkdwn!("*{}*", first))];
    if left_out > 0 {
        shown.push(blocks::context([mrkdwn!(
            "{} before these: /incident timeline",
            scene::count(left_out, "entry", "entries")
        )]));
    }
    shown.extend(blocks::sections(lines.iter().map(|line| mrkdwn!("• {}", line))));
    Some(Message::new(mrkdwn!("{} {}", first, Mrkdwn::join(lines, " ")), shown))
}

/// How far a postmortem has come, as the document counts it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PostmortemStanding {
    pub timeline_entries: usize,
    /// What a person must still say, each as a few words: "root cause".
    pub still_open: Vec<String>,
}

/// The message with the draft, edited in place as the draft is completed.
pub fn postmortem(scene: &Scene<'_>, standing: &PostmortemStanding) -> Message {
    let incident = scene.incident;
    let open = standing.still_open.len();
    let first = if open == 0 {
        mrkdwn!("Postmortem of {}: every field is filled in.", scene.number())
    } else {
        mrkdwn!("Postmortem draft of {}: {} still open.", scene.number(), scene::count(open, "field", "fields"))
    };
    let lasted =
        incident.resolved_at.map_or(Mrkdwn::default(), |at| mrkdwn!("{}, ", scene::duration(at - scene.since())));
    let figures = mrkdwn!(
        "{}{}, {}, {}.",
        lasted,
        scene::count(incident.teams.len(), "team", "teams"),
        scene::count(standing.timeline_entries, "timeline entry", "timeline entries"),
        scene::count(incident.tasks.len(), "task", "tasks"),
    );
    let mut lines = vec![mrkdwn!("*{}*", first), figures.clone()];
    let mut named: Vec<Mrkdwn> =
        standing.still_open.iter().take(FIELDS_NAMED_MAX).map(|field| escape::name(field)).collect();
    if open > FIELDS_NAMED_MAX {
        named.push(mrkdwn!("{} more", open - FIELDS_NAMED_MAX));
    }
    if let Some(named) = Mrkdwn::list(named) {
        lines.push(mrkdwn!("Open: {}.", named));
    }
    let mut buttons = Vec::new();
    if let Some(url) = scene.page_url() {
        buttons.extend(
            Button::link("Open the draft", &format!("Open the postmortem of {}", incident.name()), &url)
                .map(Into::into),
        );
    }
    let complete = complete_button(scene);
    buttons.push(if open == 0 { complete.into() } else { complete.primary().into() });
    let action = ButtonAction::TaskForm { incident: incident.id };
    buttons.push(Button::new("Add task", &format!("Add a task to {}", incident.name()), &action).into());
    Message::new(
        mrkdwn!("{} {}", first, figures),
        vec![blocks::section(Mrkdwn::join(lines, "\n")), blocks::actions(buttons)],
    )
}

/// What one person is told of an event by direct message; `None` for events that are told otherwise.
pub fn told(scene: &Scene<'_>, recorded: &Recorded) -> Option<Message> {
    match &recorded.occurrence.event {
        Event::ChannelFailed { error } => Some(channel_failed(scene, error)),
        Event::UpdatePosted { text } => {
            let about = mrkdwn!("{} on {}", scene.actor_first(&recorded.occurrence.actor), scene.number());
            Some(update(&about, text))
        }
        Event::DocumentNotSent { format, error, .. } => Some(document_not_sent(scene, *format, error)),
        _ => None,
    }
}

/// What stands above the document that somebody asked for.
pub fn document(scene: &Scene<'_>, format: Format) -> Mrkdwn {
    mrkdwn!("{} as {}, as it stood when this was sent.", scene.title(), format.name())
}

/// Told to who asked for a document that could not be sent: why, and where else it is.
fn document_not_sent(scene: &Scene<'_>, format: Format, error: &str) -> Message {
    let why = if error.contains("missing_scope") {
        "the Slack app has no scope files:write. An administrator adds it to the app and installs the app again".into()
    } else {
        reason(error)
    };
    let page = scene.page_url().filter(|_| !scene.incident.private);
    let page = page.map_or(Mrkdwn::default(), |url| {
        mrkdwn!(" It is on {}.", escape::link(&format!("{url}/postmortem.{}", format.word()), "its page"))
    });
    Message::sentence(mrkdwn!(
        "{} could not be sent to you as {}: {}.{} On the server, `firebell export {} --format {}` prints it.",
        scene.discreet_title(),
        format.name(),
        why,
        page,
        scene.incident.number,
        format.word()
    ))
}

/// A test page while it is on its way.
pub fn test_page() -> Message {
    Message::sentence("A test page from Firebell. Nobody has to do anything.".into())
}

/// A test page that Slack has taken and kept, after this time.
pub fn test_page_came_through(after: TimeDelta) -> Message {
    let after = escape::name(&format!("{:.1}", after.max(TimeDelta::zero()).as_seconds_f64()));
    Message::sentence(mrkdwn!("A test page from Firebell came through in {} s. Nobody has to do anything.", after))
}

/// Told to the opener and to those who were called when the channel could not be made.
pub fn channel_failed(scene: &Scene<'_>, error: &str) -> Message {
    let next = match scene.incident.status {
        Status::Investigating | Status::Identified | Status::Monitoring => {
            mrkdwn!(
                "Pages still go out. Talk in a channel of your own, and write it down: /incident {} note …",
                scene.number()
            )
        }
        Status::Resolved | Status::Canceled => "The record stays on its page.".into(),
    };
    Message::sentence(mrkdwn!("{} has no channel: {}. {}", scene.discreet_title(), reason(error), next))
}
