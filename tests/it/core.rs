//! The rules alone: no database, no Slack, a clock that is a variable. Microseconds per story.

mod elsewhere;
mod held;
mod paging;
mod record;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use firebell::domain::answer::Said;
use firebell::domain::command::{Acknowledge, Command, Finished, Open, When};
use firebell::domain::effect::Effect;
use firebell::domain::event::{Actor, Event, Origin, PageResult, Recipient, Recorded};
use firebell::domain::incident::Incident;
use firebell::domain::policy::{Policy, Target, Tier};
use firebell::domain::rejection::Rejection;
use firebell::domain::roster::{Directory, Person, Roster, Team, UserGroup};
use firebell::domain::storm::Alerts;
use firebell::domain::{Context, decide, decide_opening, react, still_wanted};
use firebell::ids::{ChannelId, IncidentId, MessageRef, PageId, UserGroupId, UserId, WorkspaceId};

pub fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_680_462_000, 0).expect("in range")
}

pub fn minutes(n: i64) -> TimeDelta {
    TimeDelta::minutes(n)
}

pub fn user(id: &str) -> Target {
    Target::User { user: id.into() }
}

pub fn group(handle: &str) -> Target {
    Target::UserGroup { group: UserGroupId::new(format!("S{handle}")), handle: handle.into() }
}

pub fn tier(targets: Vec<Target>, wait_min: u32) -> Tier {
    Tier { targets, wait_s: wait_min * 60 }
}

pub fn policy(tiers: Vec<Tier>) -> Policy {
    Policy { tiers, rounds: 1, ack_timeout_s: None, hand_off_to: None }
}

/// An incident, the people around it and a clock, driven by commands.
pub struct Core {
    pub now: DateTime<Utc>,
    pub incident: Incident,
    pub history: Vec<Recorded>,
    pub effects: Vec<Effect>,
    pub roster: Roster,
    pub directory: Directory,
    pub slack_is_away: bool,
}

impl Core {
    pub fn open(teams: &[(&str, Policy)]) -> Self {
        let mut roster = Roster { zone: "America/New_York".into(), fallback: vec![user("UFALL")], ..Roster::default() };
        for (key, policy) in teams {
            let team =
                Team { key: (*key).into(), name: format!("{key} team"), aliases: vec![], policy: policy.clone() };
            roster.teams.insert((*key).into(), team);
        }
        let directory = Directory { people: BTreeMap::new(), groups: BTreeMap::new() };
        let actor = Actor::Person { user: "UANA".into() };
        let context = Context {
            now: start(),
            actor: &actor,
            inside: false,
            roster: &roster,
            directory: &directory,
            slack_is_away: false,
            alerts: Alerts::NONE,
        };
        let open = Command::Open(Open {
            title: "Shop is slow".into(),
            severity: None,
            private: false,
            zone: None,
            origin: Origin::Command { channel: None },
            retrospective: false,
            nonce: "n0nce".into(),
            escalate_to: None,
            detected: None,
        });
        let decided = decide_opening(IncidentId(1), &WorkspaceId::new("T1"), 42, &open, &context).expect("opens");
        let mut core = Self {
            now: start(),
            incident: decided.after,
            history: vec![],
            effects: vec![],
            roster,
            directory,
            slack_is_away: false,
        };
        core.keep(decided.events);
        core.directory.people.clear();
        core
    }

    pub fn person(&mut self, id: &str, deactivated: bool) {
        let person = Person {
            id: id.into(),
            name: id.into(),
            zone: None,
            deactivated,
            is_bot: false,
            restricted: false,
            external: false,
        };
        self.directory.people.insert(id.into(), person);
    }

    pub fn user_group(&mut self, handle: &str, users: &[&str]) {
        let id = UserGroupId::new(format!("S{handle}"));
        let users = users.iter().map(|id| UserId::from(*id)).collect();
        self.directory.groups.insert(id.clone(), UserGroup { id, handle: handle.into(), name: handle.into(), users });
    }

    fn keep(&mut self, events: Vec<Recorded>) {
        for recorded in &events {
            self.effects.extend(react(recorded, &self.incident, &self.roster));
        }
        self.history.extend(events);
    }

    pub fn ask(&mut self, actor: &Actor, command: &Command) -> Result<Said, Rejection> {
        let context = Context {
            now: self.now,
            actor,
            inside: true,
            roster: &self.roster,
            directory: &self.directory,
            slack_is_away: self.slack_is_away,
            alerts: Alerts::NONE,
        };
        let decided = decide(&self.incident, command, &context)?;
        self.incident = decided.after;
        self.keep(decided.events);
        let folded = Incident::fold(self.incident.id, self.incident.workspace.clone(), &self.history);
        assert_eq!(folded.as_ref(), Some(&self.incident), "the history adds up to the state");
        Ok(decided.said)
    }

    pub fn by(&mut self, who: &str, command: &Command) -> Result<Said, Rejection> {
        self.ask(&Actor::Person { user: who.into() }, command)
    }

    pub fn escalate(&mut self, who: &str, team: &str) -> Said {
        let command = Command::Escalate { when: When::default(), team: team.into(), reason: None };
        self.by(who, &command).expect("escalates")
    }

    pub fn acknowledge(&mut self, who: &str, page: PageId) -> Said {
        let command = Command::Acknowledge(Acknowledge { page: Some(page), ..Acknowledge::default() });
        self.by(who, &command).expect("acknowledges")
    }

    /// Moves time, firing each timer at its own instant.
    pub fn advance(&mut self, span: TimeDelta) {
        let until = self.now + span;
        while let Some((timer, at)) = self.incident.timers().into_iter().min_by_key(|(_, at)| *at)
            && at <= until
        {
            self.now = self.now.max(at);
            self.ask(&Actor::Firebell, &Command::TimerDue(timer)).expect("timers are never refused");
        }
        self.now = until;
    }

    /// Moves time without firing anything, as when the program was down.
    pub fn stall(&mut self, span: TimeDelta) {
        self.now += span;
    }

    /// Sends what is still wanted of the pages in the outbox, and says to whom.
    pub fn send_pages(&mut self) -> Vec<String> {
        let mut sent = Vec::new();
        while let Some(at) = self.effects.iter().position(|effect| matches!(effect, Effect::Page { .. })) {
            let effect = self.effects.remove(at);
            let Effect::Page { page } = effect else { continue };
            if !still_wanted(&effect, &self.incident) {
                continue;
            }
            let to = match &self.incident.pages[&page].to {
                Recipient::User { user } => user.to_string(),
                Recipient::Channel { channel, .. } => channel.to_string(),
                Recipient::Contact { .. } => {
                    self.finish(page, PageResult::SentElsewhere);
                    continue;
                }
            };
            let message = MessageRef { channel: ChannelId::new(format!("D{to}")), ts: "1.0".into() };
            self.finish(page, PageResult::Sent { message, digest: Vec::new() });
            sent.push(to);
        }
        sent
    }

    pub fn finish(&mut self, page: PageId, result: PageResult) {
        let attempt = self.incident.pages[&page].attempts + 1;
        let command = Command::EffectFinished(Finished::Page { page, attempt, result, fault: None });
        self.ask(&Actor::Firebell, &command).expect("outcomes are never refused");
    }

    pub fn last_page(&self) -> PageId {
        *self.incident.pages.keys().next_back().expect("somebody was paged")
    }

    pub fn count(&self, wanted: impl Fn(&Event) -> bool) -> usize {
        self.history.iter().filter(|recorded| wanted(&recorded.occurrence.event)).count()
    }
}
