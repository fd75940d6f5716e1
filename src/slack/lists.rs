//! Answers that show something: open incidents, one incident, its timeline, who was called and why, what a policy
//! would do.

use chrono::{DateTime, TimeDelta, Utc};

use super::actions::ButtonAction;
use super::blocks::{self, Button};
use super::card;
use super::escape::{self, Mrkdwn, Untrusted, mrkdwn};
use super::message::Message;
use super::reasons::reason;
use super::scene::{self, Scene};
use super::{pages, question, story};
use crate::domain::escalation::{Escalation, Phase};
use crate::domain::event::{Event, Recipient, Recorded};
use crate::domain::incident::{Field, Incident, Page};
use crate::domain::policy::Tier;
use crate::domain::recipients;
use crate::domain::roster::{Directory, Roster, Team};
use crate::domain::timeline::alerts::{ListedAlert, Standing, Tally};
use crate::ids::TeamKey;

/// Most incidents, entries or tasks in one answer; the page has the rest.
const ROWS_MAX: usize = 20;
/// Most lines of a previewed call.
const PREVIEW_LINES_MAX: usize = 30;

/// The incidents that the reader may see, in the order given; `all` if closed ones were asked for too.
pub fn incidents(
    incidents: &[&Incident],
    all: bool,
    roster: &Roster,
    directory: &Directory,
    now: DateTime<Utc>,
) -> Message {
    if incidents.is_empty() {
        let sentence: Mrkdwn = if all { "No incidents yet." } else { "No open incidents." }.into();
        let open = Button::new("Open incident", "Open an incident", &ButtonAction::OpenForm);
        return Message::new(sentence.clone(), vec![blocks::section(sentence), blocks::actions([open.into()])]);
    }
    let rows = incidents.iter().take(ROWS_MAX).map(|incident| row(&Scene::new(incident, roster, directory, now)));
    let (one, many) = if all { ("incident", "incidents") } else { ("open incident", "open incidents") };
    let first = mrkdwn!("{}:", scene::count(incidents.len(), one, many));
    let names: Vec<Mrkdwn> = incidents
        .iter()
        .take(ROWS_MAX)
        .map(|incident| mrkdwn!("INC-{} ({})", incident.number, incident.severity))
        .collect();
    let mut shown = vec![blocks::section(mrkdwn!("*{}*", first))];
    shown.extend(blocks::sections(rows));
    if incidents.len() > ROWS_MAX {
        shown.push(blocks::context([mrkdwn!("{} more are on the page.", incidents.len() - ROWS_MAX)]));
    }
    Message::new(mrkdwn!("{} {}", first, Mrkdwn::join(names, ", ")), shown)
}

/// "● SEV2 INC-42 Shop is very slow · investigating · 2 h ago · lead: Ana · #inc-42".
pub fn row(scene: &Scene<'_>) -> Mrkdwn {
    let incident = scene.incident;
    let mut parts = vec![
        mrkdwn!("{} {} *{}*", if incident.is_open() { "●" } else { "✓" }, incident.severity, scene.title()),
        mrkdwn!("{}", incident.status.word()),
        scene.ago(incident.opened_at),
    ];
    if incident.private {
        parts.push("private".into());
    }
    if incident.held().next().is_some() {
        parts.push("*on hold: nobody is paged*".into());
    }
    parts.push(scene.commander().map_or("no lead".into(), |user| mrkdwn!("lead: {}", scene.name(user))));
    parts.extend(scene.channel());
    Mrkdwn::join(parts, " · ")
}

/// Everything about one incident that fits: the card, who is on it, tasks and answers.
pub fn details(scene: &Scene<'_>) -> Message {
    let incident = scene.incident;
    let mut message = card::card(scene);
    let mut lines = Vec::new();
    if let Some(people) = scene::some_of(incident.responders.iter().map(|user| scene.name(user)).collect()) {
        lines.push(mrkdwn!("Responders: {}", people));
    }
    for field in [Field::RootCause, Field::Resolution, Field::Affected, Field::AffectedDetail] {
        if let Some(value) = incident.fields.get(&field) {
            lines.push(mrkdwn!("{}: {}", field_name(field), Untrusted(value).line(escape::QUOTE_CHARS_MAX)));
        }
    }
    for task in incident.tasks.iter().take(ROWS_MAX) {
        let mark = if task.done { "✓" } else { "○" };
        let owner = task.owner.as_ref().map_or("no owner".into(), |user| scene.name(user));
        let due = task
            .due_on
            .map_or(Mrkdwn::default(), |day| mrkdwn!(", due {}", escape::name(&day.format("%a %-d %b").to_string())));
        lines.push(mrkdwn!(
            "{} Task {}: {} ({}{})",
            mark,
            task.number,
            Untrusted(&task.text).line(escape::QUOTE_CHARS_MAX),
            owner,
            due
        ));
    }
    if lines.is_empty() {
        return message;
    }
    let buttons = message.blocks.pop();
    message.blocks.extend(blocks::sections(lines));
    message.blocks.extend(buttons);
    message
}

/// Where the documents of an incident are.
pub fn documents(scene: &Scene<'_>) -> Message {
    if scene.incident.private {
        return Message::sentence(mrkdwn!(
            "{} is private, so no web page shows it. `/incident export md` sends you the document. It is written to the export folder if export.private allows that in firebell.toml.",
            scene.number()
        ));
    }
    let Some(url) = scene.page_url() else {
        return Message::sentence(mrkdwn!(
            "The documents of {} are at /incidents/{} of the server that runs Firebell, and in its export folder if there is one; `/incident export md` sends you one. Set server.public_url in firebell.toml to get links to them here.",
            scene.number(),
            scene.incident.number
        ));
    };
    let link = |label: &'static str, path: &str| escape::link(&format!("{url}{path}"), label);
    Message::sentence(mrkdwn!(
        "{}: {}, {}, {}, {}. `/incident export md` sends it to you as a file.",
        scene.number(),
        link("page", ""),
        link("postmortem", "/postmortem"),
        link("Markdown", "/postmortem.md"),
        link("JSON", "/postmortem.json")
    ))
}

/// "Root cause".
pub fn field_name(field: Field) -> &'static str {
    match field {
        Field::Impact => "Impact",
        Field::ImpactKind => "Kind of impact",
        Field::Affected => "Affected",
        Field::AffectedDetail => "What users saw",
        Field::Service => "Service",
        Field::DetectedBy => "Detected by",
        Field::RootCause => "Root cause",
        Field::Resolution => "How it was fixed",
    }
}

/// The last `entries_max` entries of the timeline, oldest first.
pub fn timeline(scene: &Scene<'_>, history: &[Recorded], entries_max: usize) -> Message {
    let mut lines: Vec<Mrkdwn> = story::standing(history).iter().filter_map(|told| story::line(scene, told)).collect();
    let all = lines.len();
    lines.drain(..all.saturating_sub(entries_max.min(ROWS_MAX)));
    let first = if lines.len() < all {
        mrkdwn!("The last {} of {} entries of {}:", lines.len(), all, scene.number())
    } else {
        mrkdwn!("{} of {}:", scene::count(all, "entry", "entries"), scene.number())
    };
    let mut shown = vec![blocks::section(mrkdwn!("*{}*", first))];
    shown.extend(blocks::sections(lines.iter().map(|line| mrkdwn!("• {}", line))));
    if let Some(url) = scene.page_url() {
        shown.push(blocks::context([escape::link(&url, "Whole timeline")]));
    }
    Message::new(mrkdwn!("{} {}", first, Mrkdwn::join(lines, " ")), shown)
}

/// The alerts of an incident from this number on, as many as fit; in a storm each with a button that takes it out.
pub fn alerts(scene: &Scene<'_>, alerts: &[ListedAlert], from: u32) -> Message {
    let incident = scene.incident;
    if alerts.is_empty() {
        return Message::sentence(mrkdwn!("No alert belongs to {}.", scene.number()));
    }
    let all = scene::count(alerts.len(), "alert", "alerts");
    let standing = Tally::of(alerts).words(incident.is_open());
    let first = mrkdwn!("{} in {}: {}.", all, scene.number(), escape::name(&standing));
    let listed: Vec<&ListedAlert> = alerts.iter().filter(|alert| alert.number >= from).collect();
    let shown: Vec<&ListedAlert> = listed.iter().copied().take(ROWS_MAX).collect();
    let mut blocks = vec![blocks::section(mrkdwn!("*{}*", first))];
    for alert in &shown {
        let line = alert_line(scene, alert);
        let takes_out = incident.storm.is_some() && incident.is_open() && alert.standing == Standing::Firing;
        blocks.push(if takes_out {
            blocks::section_with(line, take_out_button(scene, alert))
        } else {
            blocks::section(line)
        });
    }
    let rest = listed.len() - shown.len();
    let page = scene.page_url().map(|url| escape::link(&format!("{url}#alerts"), "page"));
    let more = match (shown.last(), page) {
        (None, _) => Some(mrkdwn!("There is no alert {} or later.", from)),
        (Some(last), page) if rest > 0 => {
            let on = mrkdwn!("{} more: `/incident {} alerts {}` goes on", rest, scene.number(), last.number + 1);
            Some(match page {
                Some(page) => mrkdwn!("{}, and the {} has all of them.", on, page),
                None => mrkdwn!("{}.", on),
            })
        }
        _ => None,
    };
    let lines = shown.iter().map(|alert| alert_line(scene, alert)).chain(more.clone());
    let text = mrkdwn!("{} {}", first, Mrkdwn::join(lines.collect::<Vec<_>>(), " "));
    blocks.extend(more.map(|more| blocks::context([more])));
    Message::new(text, blocks)
}

/// "12. Disk of db-12 is full · SEV3 · since 3:00 PM".
fn alert_line(scene: &Scene<'_>, alert: &ListedAlert) -> Mrkdwn {
    let title = Untrusted(&alert.title).line(escape::QUOTE_CHARS_MAX);
    let title = match alert.link.as_deref().and_then(escape::safe_url) {
        Some(url) => escape::link(url, &Untrusted(&alert.title).plain(escape::QUOTE_CHARS_MAX)),
        None => title,
    };
    let mut parts = vec![mrkdwn!("{}. {}", alert.number, title)];
    parts.extend(alert.severity.map(|severity| mrkdwn!("{}", severity)));
    parts.push(match alert.standing {
        Standing::Firing if scene.incident.is_open() => mrkdwn!("since {}", scene.time(alert.began_at)),
        Standing::Firing => mrkdwn!("since {}, not cleared", scene.time(alert.began_at)),
        Standing::Cleared { at } => mrkdwn!("cleared {}", scene.time(at)),
        Standing::TakenOut { into } => mrkdwn!("INC-{} now", into),
    });
    Mrkdwn::join(parts, " · ")
}

fn take_out_button(scene: &Scene<'_>, alert: &ListedAlert) -> Button {
    let (incident, number) = (scene.incident, alert.number);
    let team = incident.storm.as_ref().and_then(|storm| scene.roster.teams.get(storm.team.as_ref()?));
    let consequence = match team {
        Some(team) => format!("It gets an incident of its own, and {} is called to it.", team.name),
        None => "It gets an incident of its own. Nobody is called to it.".to_owned(),
    };
    let (command, text) = ("/incident".to_owned(), format!("{} alerts split {number}", incident.name()));
    let spoken = format!("Take alert {number} out of {}", incident.name());
    Button::new("Take out", &spoken, &ButtonAction::Run { command, text }).confirm(
        &format!("Take alert {number} out?"),
        &consequence,
        "Take it out",
    )
}

/// Where each call stands, or the calls of one team: who was paged, by which way and why, and what happens next.
pub fn why(scene: &Scene<'_>, history: &[Recorded], team: Option<&TeamKey>) -> Message {
    let asked = |escalation: &&Escalation| team.is_none() || escalation.team.key.as_ref() == team;
    let escalations: Vec<&Escalation> = scene.incident.escalations.values().filter(asked).collect();
    if let (true, Some(team)) = (escalations.is_empty(), team.and_then(|key| scene.roster.teams.get(key))) {
        return Message::sentence(mrkdwn!(
            "{} was not called to {}. /escalate {} calls it.",
            escape::name(&team.name),
            scene.number(),
            escape::name(team.key.as_str())
        ));
    }
    if escalations.is_empty() {
        return Message::sentence(mrkdwn!(
            "Nobody was called to {} yet. /escalate and a team's name calls one.",
            scene.number()
        ));
    }
    let mut shown = Vec::new();
    let mut sentences = Vec::new();
    // The newest calls are the ones that people ask about.
    for escalation in escalations.iter().rev().take(ROWS_MAX) {
        let first = standing(scene, escalation);
        let mut lines = vec![mrkdwn!("*{}*", first), called_by(scene, escalation)];
        let pages = scene.pages_of(escalation.id).filter(|page| !page.asks);
        lines.extend(pages.map(|page| page_line(scene, page, escalation, history)));
        shown.extend(blocks::sections(lines));
        sentences.push(first);
    }
    Message::new(Mrkdwn::join(sentences, " "), shown)
}

fn standing(scene: &Scene<'_>, escalation: &Escalation) -> Mrkdwn {
    let team = scene.team(&escalation.team);
    match &escalation.phase {
        Phase::Active { next_due_at } => {
            let (tier, tiers) = (escalation.step.tier, escalation.policy.tiers.len());
            let (round, rounds) = (escalation.step.round, escalation.policy.rounds);
            let next = scene.next_called(escalation).unwrap_or("nobody else is called".into());
            let when = scene.time(*next_due_at);
            mrkdwn!("{}: tier {} of {}, round {} of {}. Next at {}: {}.", team, tier, tiers, round, rounds, when, next)
        }
        Phase::Acknowledged { by, at, lapses_at } => {
            let who = by.as_ref().map_or(Mrkdwn::from("Somebody"), |user| scene.name(user));
            let first = mrkdwn!("{}: {} has it since {}.", team, who, scene.time(*at));
            match lapses_at {
                Some(at) => mrkdwn!("{} Without activity the call goes on at {}.", first, scene.time(*at)),
                None => mrkdwn!("{} Nobody else is called.", first),
            }
        }
        Phase::Stopped => mrkdwn!("{}: the call was stopped. Nobody else is called.", team),
        Phase::Exhausted => mrkdwn!("{}: nobody answered, and every tier was called.", team),
        Phase::Held { .. } => {
            let word = escalation.team.key.as_ref().map_or(escalation.team.name.as_str(), |key| key.as_str());
            let (due, word) = (question::due(scene, escalation), escape::name(word));
            mrkdwn!(
                "{} is on hold: {} Nobody is paged by itself. `/escalate {}` pages now, `/escalate stop {}` ends it.",
                team,
                due,
                word,
                word
            )
        }
    }
}

fn called_by(scene: &Scene<'_>, escalation: &Escalation) -> Mrkdwn {
    let called = mrkdwn!("Called by {} at {}", scene.actor(&escalation.called_by), scene.time(escalation.started_at));
    match &escalation.reason {
        Some(reason) => mrkdwn!("{}: {}", called, escape::quoted_end(reason)),
        None => mrkdwn!("{}.", called),
    }
}

fn page_line(scene: &Scene<'_>, page: &Page, escalation: &Escalation, history: &[Recorded]) -> Mrkdwn {
    let way = match &page.to {
        Recipient::User { .. } => "direct message",
        Recipient::Channel { .. } => "post in the channel",
        Recipient::Contact { by, .. } => by.word(),
    };
    let outcome = match (&escalation.phase, &page.to) {
        (Phase::Acknowledged { by: Some(by), .. }, to) if to.user() == Some(by) => "has it".into(),
        _ if page.declined => "can't".into(),
        _ if page.dead && is_withheld(page, history) => "not sent, it was too late".into(),
        _ if page.dead => match pages::last_error(page, history) {
            Some(error) => mrkdwn!("not reached: {}", reason(error)),
            None => "not reached".into(),
        },
        (Phase::Held { .. }, _) if !page.is_accepted() => "not sent".into(),
        _ if !page.is_accepted() => "on its way".into(),
        _ => "no answer".into(),
    };
    let whom = match &page.to {
        Recipient::Contact { of: Some(user), .. } => scene.name(user),
        Recipient::Contact { of: None, .. } => "the fallback".into(),
        to => scene.recipient(to),
    };
    let because = Untrusted(&page.because).line(escape::QUOTE_CHARS_MAX);
    let tier = if page.step.tier == 0 { "fallback".into() } else { mrkdwn!("tier {}", page.step.tier) };
    mrkdwn!("• {} {}, {} by {} ({}): {}", scene.time(page.due_at), whom, tier, way, because, outcome)
}

/// Whether it was so late that it was not sent.
fn is_withheld(page: &Page, history: &[Recorded]) -> bool {
    let this = |recorded: &Recorded| matches!(recorded.occurrence.event, Event::PageWithheld { page: held, .. } if held == page.id);
    history.iter().any(this)
}

/// Who would be paged when, if the team were called at `start` and nobody answered.
pub fn preview(
    team: &Team,
    start: DateTime<Utc>,
    zone: &str,
    roster: &Roster,
    directory: &Directory,
    now: DateTime<Utc>,
) -> Message {
    let name = escape::name(&team.name);
    let first = mrkdwn!("{}, called at {}, if nobody answers:", name, scene::moment(start, zone, now));
    let mut lines = Vec::new();
    let mut at = start;
    for round in 1..=team.policy.rounds {
        for (n, tier) in team.policy.tiers.iter().enumerate() {
            let time = scene::moment(at, zone, now);
            match tier_people(directory, tier) {
                Some(who) => {
                    let again = if round > 1 { mrkdwn!(", round {}", round) } else { Mrkdwn::default() };
                    lines.push(mrkdwn!("• {}: {}, tier {}{}", time, who, n + 1, again));
                    at += TimeDelta::seconds(i64::from(tier.wait_s));
                }
                None => lines.push(mrkdwn!("• {}: nobody in tier {}, skipped at once", time, n + 1)),
            }
        }
    }
    let left_out = lines.len().saturating_sub(PREVIEW_LINES_MAX);
    lines.truncate(PREVIEW_LINES_MAX);
    if left_out > 0 {
        lines.push(mrkdwn!("• and {} in the same way", scene::count(left_out, "more step", "more steps")));
    }
    let targets = scene::some_of(roster.fallback.iter().map(|target| scene::target_name(directory, target)).collect());
    let time = scene::moment(at, zone, now);
    lines.push(match targets {
        Some(who) => mrkdwn!("• {}: the fallback, {}. Then nobody else is called.", time, who),
        None => mrkdwn!("• {}: nobody else is called; there is no fallback.", time),
    });
    let mut shown = vec![blocks::section(mrkdwn!("*{}*", first))];
    shown.extend(blocks::sections(lines.iter().cloned()));
    Message::new(mrkdwn!("{} {}", first, Mrkdwn::join(lines, " ")), shown)
}

/// The targets of a tier that somebody stands behind; `None` if there is nobody.
fn tier_people(directory: &Directory, tier: &Tier) -> Option<Mrkdwn> {
    let reachable = tier.targets.iter().filter(|target| recipients(target, directory).is_ok());
    scene::some_of(reachable.map(|target| scene::target_name(directory, target)).collect())
}
