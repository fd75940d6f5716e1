//! What is sent besides Slack, in words and as JSON.
//!
//! It leaves the company's Slack: of a private incident it says neither title nor reason.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::letter::Letter;
use super::link::{Claim, Links, VALID_FOR};
use crate::domain::civil::format::{LocalZone, date_without_year};
use crate::domain::escalation::{Escalation, Phase};
use crate::domain::event::Recipient;
use crate::domain::incident::{Incident, Page};
use crate::domain::roster::{Directory, Roster};
use crate::domain::timeline::people::{People, PeopleStyle};

/// A page on its way to somebody besides Slack.
#[derive(Clone, Copy)]
pub struct Notice<'a> {
    pub incident: &'a Incident,
    pub page: &'a Page,
    pub escalation: &'a Escalation,
    pub roster: &'a Roster,
    pub directory: &'a Directory,
    pub links: &'a Links,
    /// From 1.
    pub attempt: u32,
    /// An earlier attempt may have arrived.
    pub may_be_second: bool,
    pub now: DateTime<Utc>,
}

impl Notice<'_> {
    /// As it is handed over.
    pub fn letter(&self) -> Letter {
        Letter {
            id: self.id(),
            attempt: self.attempt,
            subject: self.subject(),
            text: self.text(),
            json: self.json(),
            written_at: self.now,
        }
    }

    /// The same for every attempt at this page, and for no other page.
    pub fn id(&self) -> String {
        let Incident { workspace, id, .. } = self.incident;
        format!("{workspace}.{id}.{}", self.page.id.0)
    }

    /// "SEV1 INC-42, Database team: checkout is slow".
    pub fn subject(&self) -> String {
        let what = self.title().unwrap_or_else(|| "you are called".to_owned());
        one_line(&format!("{} {}, {}: {what}", self.incident.severity, self.incident.name(), self.escalation.team.name))
    }

    pub fn text(&self) -> String {
        let people = People::new(self.incident, self.directory, PeopleStyle::Names);
        let what = match self.title() {
            Some(title) => format!("{} {} {title}", self.incident.severity, self.incident.name()),
            None => format!("{} {}", self.incident.severity, self.incident.name()),
        };
        let team = &self.escalation.team.name;
        let by = crate::domain::timeline::capitalised(&people.actor(&self.escalation.called_by));
        let mut lines = vec![match self.page.step.tier {
            _ if self.page.asks => format!("Nobody was paged in time for {what}. Should anybody be paged now?"),
            0 => format!("Nobody of {team} answered, you are the fallback: {what}."),
            _ => format!("{by} calls {} for {team}: {what}.", self.whom()),
        }];
        lines.extend(self.overdue());
        lines.extend(self.reason().map(|reason| format!("Reason: {reason}")));
        lines.extend(self.answer_by().map(|at| format!("Answer by {}; then the call goes on.", self.time(at))));
        lines.push(String::new());
        let take = if self.page.asks { "To take it yourself" } else { "To answer" };
        lines.push(format!("{take}, open this page and press \"I've got it\":"));
        lines.push(self.answer_url());
        lines.push(format!("The link works once, until {}.", self.time(self.claim().expires_at)));
        lines.push(String::new());
        if self.may_be_second {
            lines.push("You may have this twice: the first copy was not confirmed.".to_owned());
        }
        lines.push(match (&self.page.to, self.page.instead_of) {
            (Recipient::Contact { of: None, .. }, None) => "Why you: this is the fallback's own address.".to_owned(),
            (_, Some(_)) => format!("Why you: {}. Slack did not take the page.", self.page.because),
            (_, None) => format!("Why you: {}. Slack cannot reach you.", self.page.because),
        });
        lines.extend(self.page_url().map(|url| format!("All about it: {url}")));
        lines.iter().map(|line| one_line(line) + "\n").collect()
    }

    /// The body of a webhook; docs/WEBHOOKS.md tells its fields.
    pub fn json(&self) -> Value {
        let utc = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
        let person =
            self.page.to.user().map(|user| json!({ "slack_id": user.as_str(), "name": self.directory.name(user) }));
        let people = People::new(self.incident, self.directory, PeopleStyle::Names);
        json!({
            "version": 1,
            "type": if self.page.asks { "question" } else { "page" },
            "id": self.id(),
            "attempt": self.attempt,
            "sent_at": utc(self.now),
            "due_at": utc(self.page.due_at),
            "incident": {
                "number": self.incident.number,
                "name": self.incident.name(),
                "severity": self.incident.severity.to_string(),
                "private": self.incident.private,
                "title": self.title(),
                "url": self.page_url(),
            },
            "team": { "key": self.escalation.team.key, "name": self.escalation.team.name },
            "round": self.page.step.round,
            "tier": self.page.step.tier,
            "person": person,
            "called_by": people.actor(&self.escalation.called_by),
            "reason": self.reason(),
            "because": self.page.because,
            "answer_by": self.answer_by().map(utc),
            "answer_url": self.answer_url(),
            "answer_url_expires_at": utc(self.claim().expires_at),
        })
    }

    /// Of a question: what has not happened, and how to say whether it still should.
    fn overdue(&self) -> Vec<String> {
        let name = self.incident.name();
        let held = self.incident.held().filter(|_| self.page.asks);
        let line = |held: &Escalation| {
            let Phase::Held { due_at, .. } = held.phase else { return String::new() };
            let word = held.team.key.as_ref().map_or(held.team.name.as_str(), |key| key.as_str());
            let due = format!("{}: the call was to go on {}, and did not.", held.team.name, self.time(due_at));
            format!("{due} In Slack, /escalate {name} {word} pages now, /escalate {name} stop {word} ends it.")
        };
        held.map(line).collect()
    }

    fn title(&self) -> Option<String> {
        (!self.incident.private).then(|| one_line(&self.incident.title))
    }

    fn reason(&self) -> Option<String> {
        let people = People::new(self.incident, self.directory, PeopleStyle::Names);
        let reason = self.escalation.reason.as_ref().filter(|_| !self.incident.private)?;
        Some(one_line(&people.readable(reason)))
    }

    fn whom(&self) -> &str {
        match &self.page.to {
            Recipient::Contact { of: None, .. } => "somebody",
            Recipient::User { .. } | Recipient::Channel { .. } | Recipient::Contact { of: Some(_), .. } => "you",
        }
    }

    /// Until when the call stays where it is.
    fn answer_by(&self) -> Option<DateTime<Utc>> {
        match self.escalation.phase {
            Phase::Active { next_due_at } if self.page.step.generation == self.escalation.step.generation => {
                Some(next_due_at)
            }
            Phase::Active { .. }
            | Phase::Acknowledged { .. }
            | Phase::Stopped
            | Phase::Exhausted
            | Phase::Held { .. } => None,
        }
    }

    fn claim(&self) -> Claim {
        Claim {
            incident: self.incident.id,
            escalation: self.page.escalation,
            page: self.page.id,
            user: self.page.to.user().cloned(),
            expires_at: self.now + VALID_FOR,
        }
    }

    fn answer_url(&self) -> String {
        self.links.url(&self.claim())
    }

    fn page_url(&self) -> Option<String> {
        let base = self.roster.public_url.as_ref().filter(|_| !self.incident.private)?;
        Some(format!("{base}/incidents/{}", self.incident.number))
    }

    fn time(&self, at: DateTime<Utc>) -> String {
        let zone = LocalZone::new(&self.incident.zone, None);
        let time = zone.time_with_zone(at);
        if zone.day(at) == zone.day(self.now) { time } else { format!("{}, {time}", date_without_year(zone.day(at))) }
    }
}

/// Without line breaks, so that no text of a person's can look like ours.
pub(crate) fn one_line(text: &str) -> String {
    text.split(|c: char| c.is_control() || c.is_whitespace())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}
