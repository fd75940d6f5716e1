//! `/escalate <team> [reason]` and its verbs: `ack`, `next`, `stop`, `why`, `preview`.

use super::words::{self, blank_to_none, near_teams, strip_phrase, team_prefix, word};
use super::{Context, Parsed, Problem, Reading, Typed, Unclear, Understood};
use crate::domain::civil::{Direction, whole_time};
use crate::ids::TeamKey;

/// Words after `/escalate` that are no teams; a team may not be called so.
pub(crate) const RESERVED: &[&str] = &["ack", "acknowledge", "next", "stop", "why", "preview", "drill", "help", "?"];

/// Reads the text after `/escalate`.
pub fn escalate(text: &str, context: &Context<'_>) -> Reading<Parsed> {
    let (incident, rest) = words::incident_prefix(text.trim());
    after_escalate(rest, context).map(|typed| Parsed { incident, typed }).map_err(|mut unclear| {
        unclear.understood.incident = incident;
        if let Some(number) = incident {
            unclear.offer_behind(&format!("INC-{number}"));
        }
        unclear
    })
}

pub(super) fn after_escalate(text: &str, context: &Context<'_>) -> Reading {
    if text.is_empty() {
        return Ok(Typed::EscalateForm);
    }
    let (first, rest) = word(text);
    match first.trim_end_matches([':', ',']).to_ascii_lowercase().as_str() {
        "help" | "?" if rest.is_empty() => Ok(Typed::EscalateHelp),
        "ack" | "acknowledge" => {
            let (team, text) = maybe_team(rest, context);
            Ok(Typed::EscalationTaken { team, text })
        }
        "next" => {
            let (team, text) = maybe_team(rest, context);
            Ok(Typed::EscalateNext { team, text })
        }
        "stop" => {
            let (team, text) = maybe_team(rest, context);
            Ok(Typed::EscalateStop { team, text })
        }
        "why" => match maybe_team(rest, context) {
            (team, None) => Ok(Typed::Why { team }),
            (_, Some(_)) => unknown_team("why ", rest, context),
        },
        "preview" => preview(rest, context),
        _ => match team_prefix(text, context.roster) {
            Some((team, reason)) => Ok(Typed::Escalate { team, reason: blank_to_none(reason) }),
            None => unknown_team("", text, context),
        },
    }
}

fn maybe_team(rest: &str, context: &Context<'_>) -> (Option<TeamKey>, Option<String>) {
    match team_prefix(rest, context.roster) {
        Some((team, text)) => (Some(team), blank_to_none(text)),
        None => (None, blank_to_none(rest)),
    }
}

fn preview(rest: &str, context: &Context<'_>) -> Reading {
    if rest.is_empty() {
        let problem = Problem::Missing { question: "Which team?" };
        return Err(Unclear::choices(problem, every_team("preview ", "", context)));
    }
    let Some((team, when)) = team_prefix(rest, context.roster) else {
        return unknown_team("preview ", rest, context);
    };
    if when.is_empty() {
        return Ok(Typed::Preview { team, at: None });
    }
    let when = strip_phrase(when, "at").unwrap_or(when);
    let problem = match whole_time(when, context.speaker(), Direction::Future) {
        Ok(Some(time)) => return Ok(Typed::Preview { team, at: time.when.at }),
        Ok(None) => Unclear::plain(Problem::UnreadableTime { text: when.to_owned() }),
        Err(problem) => Unclear::time(problem, &format!("preview {team}"), ""),
    };
    let mut unclear = problem;
    unclear.understood.team = Some(team);
    Err(unclear)
}

fn every_team(verb: &str, rest: &str, context: &Context<'_>) -> Vec<String> {
    context.roster.teams.keys().map(|key| format!("{verb}{key} {rest}").trim_end().to_owned()).collect()
}

/// Offers the teams that look like the first words; with the rest as the reason.
fn unknown_team(verb: &str, text: &str, context: &Context<'_>) -> Reading {
    let (first, rest) = match words::quoted(text) {
        Some((inner, rest)) => (inner, rest.trim_start()),
        None => word(text),
    };
    let near = near_teams(if first.contains(' ') { first } else { text }, context.roster);
    let mut did_you_mean: Vec<String> =
        near.iter().map(|key| format!("{verb}{key} {rest}").trim_end().to_owned()).collect();
    if did_you_mean.is_empty() && !verb.is_empty() {
        did_you_mean = every_team(verb, rest, context);
    }
    let calls = verb.is_empty().then_some("escalate");
    let understood = Understood { verb: calls, text: blank_to_none(text), ..Understood::default() };
    let problem = Problem::UnknownTeam { word: first.trim_start_matches('@').trim_end_matches([':', ',']).to_owned() };
    Err(Box::new(Unclear { understood, problem, did_you_mean }))
}
