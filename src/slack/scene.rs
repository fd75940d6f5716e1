//! What every text is made from, and the phrases that several texts share: names, times, who comes next.

use chrono::{DateTime, TimeDelta, Utc};

use super::escape::{self, Mrkdwn, Untrusted, mrkdwn};
use super::times;
use crate::domain::civil::format::{self, LocalZone};
use crate::domain::escalation::{Escalation, Phase};
use crate::domain::event::{Actor, Recipient, TeamRef};
use crate::domain::incident::{Channel, Field, Incident, Page, Role, Status};
use crate::domain::limits::TITLE_CHARS_MAX;
use crate::domain::policy::Target;
use crate::domain::recipients;
use crate::domain::roster::{Directory, Roster};
use crate::ids::{ChannelId, EscalationId, UserId, WorkspaceId};
use crate::planted::{self, Bug};

/// An incident with the people around it, at a moment.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    pub incident: &'a Incident,
    pub roster: &'a Roster,
    pub directory: &'a Directory,
    pub now: DateTime<Utc>,
}

/// Who an escalation calls after its present step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next<'a> {
    Tier { round: u32, tier: u32, targets: &'a [Target] },
    Fallback { targets: &'a [Target] },
    Nobody,
}

/// Most people that a sentence names before it counts the rest.
const NAMED_MAX: usize = 4;

impl<'a> Scene<'a> {
    pub fn new(incident: &'a Incident, roster: &'a Roster, directory: &'a Directory, now: DateTime<Utc>) -> Self {
        Self { incident, roster, directory, now }
    }

    /// "INC-42".
    pub fn number(&self) -> Mrkdwn {
        mrkdwn!("INC-{}", self.incident.number)
    }

    /// "INC-42 Shop is very slow", the title as one line.
    pub fn title(&self) -> Mrkdwn {
        mrkdwn!("{} {}", self.number(), Untrusted(&self.incident.title).line(TITLE_CHARS_MAX))
    }

    /// The title where outsiders may read it too: a private incident is only its number.
    pub fn discreet_title(&self) -> Mrkdwn {
        let discreet = self.incident.private && !planted::active(Bug::TitleTold);
        if discreet { mrkdwn!("{} (private)", self.number()) } else { self.title() }
    }

    pub fn name(&self, user: &UserId) -> Mrkdwn {
        person(self.directory, user)
    }

    /// The name inside a sentence: "Ana", "Firebell", "an alert from grafana".
    pub fn actor(&self, actor: &Actor) -> Mrkdwn {
        match actor {
            Actor::Person { user } => self.name(user),
            Actor::Firebell => "Firebell".into(),
            Actor::Integration { integration } => mrkdwn!("an alert from {}", escape::name(integration.as_str())),
            Actor::Operator => "an operator".into(),
            Actor::Fallback => "the fallback".into(),
        }
    }

    /// The name at the start of a sentence; people's names keep their case.
    pub fn actor_first(&self, actor: &Actor) -> Mrkdwn {
        match actor {
            Actor::Person { .. } => self.actor(actor),
            Actor::Firebell | Actor::Integration { .. } | Actor::Operator | Actor::Fallback => {
                self.actor(actor).capitalized()
            }
        }
    }

    /// The moment in the reader's zone; with its day if that is not today.
    pub fn time(&self, at: DateTime<Utc>) -> Mrkdwn {
        moment(at, &self.incident.zone, self.now)
    }

    /// "2 min ago", kept true by Slack.
    pub fn ago(&self, at: DateTime<Utc>) -> Mrkdwn {
        ago(at, self.now)
    }

    pub fn team(&self, team: &TeamRef) -> Mrkdwn {
        escape::name(&team.name)
    }

    pub fn recipient(&self, to: &Recipient) -> Mrkdwn {
        match to {
            Recipient::User { user } => self.name(user),
            Recipient::Channel { channel, .. } => escape::channel(channel.as_str()),
            Recipient::Contact { of: Some(user), by } => mrkdwn!("{} by {}", self.name(user), by.word()),
            Recipient::Contact { of: None, by } => mrkdwn!("the fallback by {}", by.word()),
        }
    }

    /// Several people and channels: "Dana, Eli and 3 more"; `None` for nobody.
    pub fn recipients<'r>(&self, list: impl IntoIterator<Item = &'r Recipient>) -> Option<Mrkdwn> {
        some_of(list.into_iter().map(|to| self.recipient(to)).collect())
    }

    pub fn target(&self, target: &Target) -> Mrkdwn {
        target_name(self.directory, target)
    }

    /// Its Slack channel as a link, once there is one.
    pub fn channel(&self) -> Option<Mrkdwn> {
        self.incident.channel_id().map(|id| escape::channel(id.as_str()))
    }

    /// The address of its page, if the pages are reachable.
    pub fn page_url(&self) -> Option<String> {
        incident_url(self.roster, self.incident)
    }

    /// When the trouble began, as far as is known.
    pub fn since(&self) -> DateTime<Utc> {
        self.incident.impact_start_at.unwrap_or(self.incident.opened_at)
    }

    pub fn commander(&self) -> Option<&'a UserId> {
        self.incident.roles.get(&Role::Commander)
    }

    /// The pages of one escalation, oldest first.
    pub fn pages_of(&self, escalation: EscalationId) -> impl Iterator<Item = &'a Page> {
        self.incident.pages_of(escalation)
    }

    /// Those whose turn it is in an escalation.
    pub fn called_now(&self, escalation: &Escalation) -> Vec<&'a Recipient> {
        let generation = escalation.step.generation;
        let mut called: Vec<&'a Recipient> = self
            .pages_of(escalation.id)
            .filter(|page| page.step.generation == generation && !page.dead && !page.declined && !page.asks)
            .map(|page| &page.to)
            .collect();
        // Whoever is called by several ways is named once.
        let in_slack: Vec<&UserId> = called
            .iter()
            .filter_map(|to| match to {
                Recipient::User { user } => Some(user),
                Recipient::Channel { .. } | Recipient::Contact { .. } => None,
            })
            .collect();
        called.retain(|to| match to {
            Recipient::Contact { of: Some(user), .. } => !in_slack.contains(&user),
            Recipient::User { .. } | Recipient::Channel { .. } | Recipient::Contact { of: None, .. } => true,
        });
        called
    }

    /// Who is called after the present step: the next tier that has somebody, as far as is known now.
    pub fn next<'e>(&'e self, escalation: &'e Escalation) -> Next<'e> {
        let policy = &escalation.policy;
        let (mut round, mut tier) = (escalation.step.round.max(1), escalation.step.tier);
        if escalation.phase != Phase::Exhausted {
            for _ in 0..policy.tiers.len() {
                tier += 1;
                if usize::try_from(tier).is_ok_and(|tier| tier > policy.tiers.len()) {
                    (round, tier) = (round + 1, 1);
                }
                if round > policy.rounds {
                    break;
                }
                let targets =
                    policy.tiers.get(tier as usize - 1).map(|tier| tier.targets.as_slice()).unwrap_or_default();
                if self.people(targets).is_some() {
                    return Next::Tier { round, tier, targets };
                }
            }
        }
        match self.roster.fallback.as_slice() {
            [] => Next::Nobody,
            targets => Next::Fallback { targets },
        }
    }

    /// "Chris", "Ben again (round 2 of 3)", "the fallback: Fay"; `None` if nobody is called any more.
    pub fn next_called(&self, escalation: &Escalation) -> Option<Mrkdwn> {
        match self.next(escalation) {
            Next::Tier { round, targets, .. } if round > escalation.step.round.max(1) => {
                let who = self.people(targets)?;
                Some(mrkdwn!("{} again (round {} of {})", who, round, escalation.policy.rounds))
            }
            Next::Tier { targets, .. } => self.people(targets),
            Next::Fallback { targets } => Some(mrkdwn!("the fallback: {}", self.people(targets)?)),
            Next::Nobody => None,
        }
    }

    /// The end of "Ben has until 3:10 PM to answer, …": "then Chris".
    pub fn then(&self, escalation: &Escalation) -> Mrkdwn {
        match self.next_called(escalation) {
            Some(who) => mrkdwn!("then {}", who),
            None => "then nobody else is called".into(),
        }
    }

    /// The people and channels that would be paged for these targets now; `None` for nobody.
    fn people(&self, targets: &[Target]) -> Option<Mrkdwn> {
        let mut found: Vec<Recipient> = Vec::new();
        for (to, _) in targets.iter().filter_map(|target| recipients(target, self.directory).ok()).flatten() {
            if !found.contains(&to) {
                found.push(to);
            }
        }
        self.recipients(&found)
    }

    /// "Development team (Ben has it)".
    pub fn team_standing(&self, team: &TeamRef) -> Mrkdwn {
        let name = self.team(team);
        let latest = self.incident.escalations.values().rfind(|escalation| escalation.team == *team);
        let Some(escalation) = latest else { return mrkdwn!("{} (called)", name) };
        match &escalation.phase {
            Phase::Active { .. } => match self.recipients(self.called_now(escalation)) {
                Some(who) => mrkdwn!("{} (calling {})", name, who),
                None => mrkdwn!("{} (calling)", name),
            },
            Phase::Acknowledged { by: Some(user), .. } => mrkdwn!("{} ({} has it)", name, self.name(user)),
            Phase::Acknowledged { by: None, .. } => mrkdwn!("{} (has it)", name),
            Phase::Stopped => mrkdwn!("{} (call stopped)", name),
            Phase::Exhausted => mrkdwn!("{} (*nobody answered*)", name),
            Phase::Held { .. } => mrkdwn!("{} (*on hold, nobody is paged*)", name),
        }
    }

    /// What people see: the stated impact, or the details given for the postmortem.
    pub fn impact(&self) -> Option<Mrkdwn> {
        [Field::Impact, Field::AffectedDetail, Field::Affected]
            .iter()
            .find_map(|field| self.incident.fields.get(field))
            .map(|text| Untrusted(text).line(escape::QUOTE_CHARS_MAX))
    }
}

/// The person's name, or the id where Slack has not told us one yet.
pub fn person(directory: &Directory, user: &UserId) -> Mrkdwn {
    escape::name(directory.name(user))
}

/// "Ben", "Dana and Eli (@dba)", "#ops".
pub fn target_name(directory: &Directory, target: &Target) -> Mrkdwn {
    match target {
        Target::User { user } => person(directory, user),
        Target::UserGroup { group, handle } => {
            let handle = escape::name(handle.trim_start_matches('@'));
            let members = directory.groups.get(group).map(|group| group.users.as_slice()).unwrap_or_default();
            match some_of(members.iter().map(|user| person(directory, user)).collect()) {
                Some(people) => mrkdwn!("{} (@{})", people, handle),
                None => mrkdwn!("@{}", handle),
            }
        }
        Target::Channel { channel, .. } => escape::channel(channel.as_str()),
    }
}

/// The first few of the names, and how many more there are; `None` for none.
pub fn some_of(mut names: Vec<Mrkdwn>) -> Option<Mrkdwn> {
    if names.len() > NAMED_MAX + 1 {
        let more = names.len() - NAMED_MAX;
        names.truncate(NAMED_MAX);
        names.push(mrkdwn!("{} more", more));
    }
    Mrkdwn::list(names)
}

/// The moment in the reader's zone, with its day if that is not `now`'s; `zone` is for readers of plain text.
pub fn moment(at: DateTime<Utc>, zone: &str, now: DateTime<Utc>) -> Mrkdwn {
    let zone = LocalZone::new(zone, None);
    let (clock, day) = (zone.time_with_zone(at), zone.day(at));
    if day == zone.day(now) {
        escape::date_token(at.timestamp(), "{time}", &clock)
    } else {
        let fallback = format!("{}, {clock}", format::date(day));
        escape::date_token(at.timestamp(), "{date_short_pretty}, {time}", &fallback)
    }
}

/// "3:00 PM EDT": the clock on a given wall, the same for every reader.
pub fn wall_clock(at: DateTime<Utc>, zone: &str) -> Mrkdwn {
    escape::name(&times::clock_time(at, zone))
}

/// "2 min ago", kept true by Slack.
pub fn ago(at: DateTime<Utc>, now: DateTime<Utc>) -> Mrkdwn {
    escape::date_token(at.timestamp(), "{ago}", &format!("{} ago", times::duration(now - at)))
}

/// "1 h 15 min".
pub fn duration(span: TimeDelta) -> Mrkdwn {
    escape::name(&times::duration(span))
}

/// "30 s", "5 min", "1 h": a time to answer, which may be shorter than a minute.
pub fn wait(seconds: i64) -> Mrkdwn {
    if seconds.abs() < 60 { mrkdwn!("{} s", seconds.max(0)) } else { duration(TimeDelta::seconds(seconds)) }
}

/// "1 page", "2 pages".
pub fn count(n: usize, one: &'static str, many: &'static str) -> Mrkdwn {
    if n == 1 { mrkdwn!("1 {}", one) } else { mrkdwn!("{} {}", n, many) }
}

/// "Investigating".
pub fn status_name(status: Status) -> &'static str {
    match status {
        Status::Investigating => "Investigating",
        Status::Identified => "Identified",
        Status::Monitoring => "Monitoring",
        Status::Resolved => "Resolved",
        Status::Canceled => "Canceled",
    }
}

/// The address of an incident's page, if the pages are reachable.
pub fn incident_url(roster: &Roster, incident: &Incident) -> Option<String> {
    roster.public_url.as_deref().map(|base| format!("{}/incidents/{}", base.trim_end_matches('/'), incident.number))
}

/// The address that opens a channel in Slack's apps and in the browser.
pub fn channel_url(workspace: &WorkspaceId, channel: &ChannelId) -> String {
    format!("https://slack.com/app_redirect?team={workspace}&channel={channel}")
}

/// The address that opens the incident's channel, once there is one.
pub fn incident_channel_url(incident: &Incident) -> Option<String> {
    match &incident.channel {
        Channel::Open { id, .. } => Some(channel_url(&incident.workspace, id)),
        Channel::Wanted | Channel::Failed { .. } => None,
    }
}
