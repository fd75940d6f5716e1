//! What an alarm says, in Slack and besides. Nothing of a private incident but its number.

use std::fmt::Write as _;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::json;
use uuid::Uuid;

use super::calls::DueCall;
use crate::domain::civil::format::{LocalZone, date_without_year};
use crate::domain::incident::Incident;
use crate::domain::roster::Directory;
use crate::domain::timeline::people::{People, PeopleStyle};
use crate::elsewhere::{Letter, one_line};
use crate::ids::WorkspaceId;
use crate::slack::escape::{self, Untrusted};

/// Names of alarms for those who get them twice; any fixed value will do.
pub(super) const NAMESPACE: Uuid = Uuid::from_u128(0x3a1c_7d50_94be_4f02_8e6b_51d7_2c98_a0f4);
/// Calls in one message.
pub(super) const CALLS_MAX: usize = 50;
/// Calls that a text names; Slack takes 4,000 characters.
const NAMED_MAX: usize = 10;
/// The longest title, and the longest list of people, characters.
const TITLE_CHARS_MAX: usize = 150;

/// Why somebody is told, at the end of what they are told.
const WHY_FALLBACK: &str = "You are told because you are the fallback in firebell.toml.";
const WHY_CALLED: &str = "You are told because you are called there, or because you are the fallback in firebell.toml.";
const MEANWHILE: &str = "These pages go out when it can write again. Until then the calls go on, and Firebell can take no \
                         answer: tell each other what you do.";

/// What somebody is told: of a trouble, and of the calls that it holds up.
pub(super) struct Words<'a> {
    pub(super) workspace: &'a WorkspaceId,
    /// The word for the trouble in JSON.
    pub(super) kind: &'static str,
    /// The trouble in sentences.
    pub(super) trouble: &'a str,
    /// None where it is told of the trouble alone.
    pub(super) calls: &'a [DueCall],
    pub(super) directory: &'a Directory,
    pub(super) now: DateTime<Utc>,
}

impl Words<'_> {
    fn why(&self) -> &'static str {
        if self.calls.is_empty() { WHY_FALLBACK } else { WHY_CALLED }
    }

    fn more(&self) -> Option<String> {
        let more = self.calls.len().checked_sub(NAMED_MAX).filter(|more| *more > 0)?;
        Some(format!("and {more} more calls; `/incident list` in Slack shows them"))
    }

    pub(super) fn for_slack(&self) -> String {
        let mut text = format!(":rotating_light: {}\n", self.trouble);
        for call in self.calls.iter().take(NAMED_MAX) {
            let (head, tail) = self.around_title(call);
            let title = Untrusted(&call.incident.title).line(TITLE_CHARS_MAX);
            let title = if call.incident.private { String::new() } else { format!(" {title}") };
            let (head, tail) = (escape::name(&head), Untrusted(&tail).line(TITLE_CHARS_MAX));
            let _ = writeln!(text, "• *{head}*{title}, {tail}");
        }
        text.extend(self.more().map(|more| format!("• {more}\n")));
        if !self.calls.is_empty() {
            let _ = writeln!(text, "{MEANWHILE}");
        }
        let _ = write!(text, "_{}_", self.why());
        text
    }

    /// The letter to one address.
    pub(super) fn letter(&self) -> Letter {
        let utc = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
        let mut text = format!("{}\n\n", self.trouble);
        for call in self.calls.iter().take(NAMED_MAX) {
            let (head, tail) = self.around_title(call);
            let title = title(call).map_or_else(String::new, |title| format!(" {title}"));
            let _ = writeln!(text, "- {head}{title}, {tail}");
        }
        text.extend(self.more().map(|more| format!("- {more}\n")));
        if !self.calls.is_empty() {
            let _ = write!(text, "\n{MEANWHILE}\n\n");
        }
        let _ = writeln!(text, "{}", self.why());
        let people =
            |call: &DueCall| People::new(&call.incident, self.directory, PeopleStyle::Names).recipients(&call.to);
        let calls = self.calls.iter().map(|call| {
            json!({
                "incident": {
                    "number": call.incident.number,
                    "name": call.incident.name(),
                    "severity": call.incident.severity.to_string(),
                    "private": call.incident.private,
                    "title": title(call),
                },
                "team": { "key": call.escalation.team.key, "name": call.escalation.team.name },
                "for": people(call),
                "due_at": utc(call.due_at),
            })
        });
        let id = self.id();
        let json = json!({
            "version": 1,
            "type": "alarm",
            "id": id,
            "attempt": 1,
            "sent_at": utc(self.now),
            "trouble": self.kind,
            "message": self.trouble,
            "calls": calls.collect::<Vec<_>>(),
        });
        Letter { id, attempt: 1, subject: self.subject(), text, json, written_at: self.now }
    }

    fn subject(&self) -> String {
        match self.calls {
            [] => "Firebell needs you".to_owned(),
            [call] => {
                let what = title(call).unwrap_or_else(|| "you are called".to_owned());
                let (severity, name, team) = (call.incident.severity, call.incident.name(), &call.escalation.team.name);
                one_line(&format!("{severity} {name}, {team}: {what} (Firebell cannot page)"))
            }
            [call, rest @ ..] => {
                format!("{} and {} more calls are due, and Firebell cannot page", call.incident.name(), rest.len())
            }
        }
    }

    /// The same for everybody who says the same of the same calls.
    fn id(&self) -> String {
        let said = self.calls.iter().map(|call| mark(self.workspace, call)).collect::<Vec<_>>().join(" ");
        let moment = if self.calls.is_empty() { self.now.timestamp() / 60 } else { 0 };
        let name = Uuid::new_v5(&NAMESPACE, format!("{} {moment} {said}", self.kind).as_bytes());
        format!("{}.alarm.{name}", self.workspace)
    }

    /// "SEV2 INC-1" and "Development team: due since 3:00 PM EST, for Ben".
    fn around_title(&self, call: &DueCall) -> (String, String) {
        let Incident { severity, zone, .. } = &call.incident;
        let zone = LocalZone::new(zone, None);
        let time = zone.time_with_zone(call.due_at);
        let since = if zone.day(call.due_at) == zone.day(self.now) {
            time
        } else {
            format!("{}, {time}", date_without_year(zone.day(call.due_at)))
        };
        let people = People::new(&call.incident, self.directory, PeopleStyle::Names).recipients(&call.to);
        let tail = one_line(&format!("{}: due since {since}, for {people}", call.escalation.team.name));
        (format!("{severity} {}", call.incident.name()), tail)
    }
}

fn title(call: &DueCall) -> Option<String> {
    (!call.incident.private).then(|| one_line(&call.incident.title))
}

/// The mark by which a call is known again in a message of ours.
pub(super) fn mark(workspace: &WorkspaceId, call: &DueCall) -> String {
    let (incident, escalation) = call.id();
    format!("{workspace}/{incident}/alarm:{}", escalation.0)
}
