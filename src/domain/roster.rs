//! Who there is: teams and their policies as configured, people and user groups as Slack last said.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::contact::Contacts;
use super::event::{Recipient, TeamRef};
use super::hold::AskAfter;
use super::incident::Severity;
use super::permission::Permissions;
use super::policy::{Policy, Target};
use super::storm::StormRule;
use crate::ids::{ChannelId, IntegrationKey, TeamKey, UserGroupId, UserId};

/// The configured part: what `firebell.toml` says, checked.
#[derive(Clone, Debug, Default)]
pub struct Roster {
    pub teams: BTreeMap<TeamKey, Team>,
    /// Paged when a policy is exhausted or every tier of it is empty.
    pub fallback: Vec<Target>,
    /// How people are reached besides Slack.
    pub contacts: BTreeMap<UserId, Contacts>,
    /// The same for the fallback, which need not be a person.
    pub fallback_contacts: Contacts,
    pub permissions: Permissions,
    /// The channel in which incidents are announced, if any.
    pub announce_in: Option<ChannelId>,
    /// Where test pages go.
    pub test_page_in: Option<ChannelId>,
    /// IANA zone of an incident whose opener's zone is unknown, and of alerts.
    pub zone: String,
    /// What a channel name starts with, such as `inc-`.
    pub channel_prefix: String,
    pub severity_default: Severity,
    /// Per integration: which team an alert calls, and how severe it is.
    pub routes: BTreeMap<IntegrationKey, Route>,
    pub storm: StormRule,
    pub ask_after: AskAfter,
    /// The channel and web address that documents link to, without a trailing slash, if the pages are reachable.
    pub public_url: Option<String>,
}

/// What an alert of one integration does.
#[derive(Clone, Debug, Default)]
pub struct Route {
    /// The team that is called when an alert opens an incident; the first rule whose labels all match wins.
    pub rules: Vec<RouteRule>,
    /// Called when no rule matches.
    pub team: Option<TeamKey>,
    pub severity: Option<Severity>,
    /// Whether a "resolved" from the monitoring system resolves the incident, or is only noted.
    pub resolves: bool,
}

/// One line of a route: labels that must all be equal.
#[derive(Clone, Debug, Default)]
pub struct RouteRule {
    pub labels: BTreeMap<String, String>,
    pub team: Option<TeamKey>,
    pub severity: Option<Severity>,
}

/// What `/escalate` addresses.
#[derive(Clone, Debug)]
pub struct Team {
    pub key: TeamKey,
    pub name: String,
    /// Other words people type for it.
    pub aliases: Vec<String>,
    pub policy: Policy,
}

/// The observed part: what Slack says of people and groups, as last fetched.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    pub people: BTreeMap<UserId, Person>,
    pub groups: BTreeMap<UserGroupId, UserGroup>,
}

/// A Slack user as far as the rules care.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    pub id: UserId,
    /// The display name, plain text.
    pub name: String,
    /// IANA zone, such as `Europe/Berlin`.
    pub zone: Option<String>,
    pub deactivated: bool,
    pub is_bot: bool,
    /// A guest: single-channel or multi-channel.
    pub restricted: bool,
    /// Belongs to another workspace (Slack Connect).
    pub external: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserGroup {
    pub id: UserGroupId,
    pub handle: String,
    pub name: String,
    pub users: Vec<UserId>,
}

impl Directory {
    /// The person's name, or the id where Slack has not told us one yet.
    pub fn name<'a>(&'a self, user: &'a UserId) -> &'a str {
        self.people.get(user).map_or(user.as_str(), |person| person.name.as_str())
    }
}

impl Team {
    /// The team as it is written into the record.
    pub fn reference(&self) -> TeamRef {
        TeamRef { key: Some(self.key.clone()), name: self.name.clone() }
    }
}

impl Roster {
    /// Where a page goes that takes another way than Slack.
    pub fn address(&self, to: &Recipient) -> Option<&str> {
        match to {
            Recipient::Contact { of: Some(user), by } => self.contacts.get(user)?.address(*by),
            Recipient::Contact { of: None, by } => self.fallback_contacts.address(*by),
            Recipient::User { .. } | Recipient::Channel { .. } => None,
        }
    }

    /// The next of somebody's own ways after this one, besides Slack.
    pub fn own_way_after(&self, to: &Recipient) -> Option<Recipient> {
        let tried = match to {
            Recipient::Contact { by, .. } => Some(*by),
            Recipient::User { .. } | Recipient::Channel { .. } => None,
        };
        match to {
            Recipient::Contact { of: None, .. } => {
                self.fallback_contacts.after(tried).map(|by| Recipient::Contact { of: None, by })
            }
            Recipient::User { user } | Recipient::Contact { of: Some(user), .. } => {
                let by = self.contacts.get(user)?.after(tried)?;
                Some(Recipient::Contact { of: Some(user.clone()), by })
            }
            Recipient::Channel { .. } => None,
        }
    }

    /// Whether there is any way after this one: an own one, or the fallback's.
    pub fn has_way_after(&self, to: &Recipient) -> bool {
        let of_fallback = matches!(to, Recipient::Contact { of: None, .. });
        self.own_way_after(to).is_some() || (!of_fallback && !self.fallback_contacts.is_empty())
    }

    /// The team that a person means by this word: key, name or alias, in any case, with or without `@`.
    pub fn team(&self, word: &str) -> Option<&Team> {
        let word = folded(word);
        self.teams.values().find(|team| team.words().any(|known| folded(known) == word))
    }

    /// The team whose key, name or alias is nearest to a word that names none.
    pub fn near_team(&self, word: &str) -> Option<&Team> {
        let word = folded(word);
        let likeness =
            |team: &Team| team.words().map(|known| strsim::jaro_winkler(&folded(known), &word)).fold(0.0_f64, f64::max);
        self.teams
            .values()
            .map(|team| (likeness(team), team))
            .filter(|(like, _)| *like > 0.8)
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, team)| team)
    }
}

impl Team {
    fn words(&self) -> impl Iterator<Item = &str> {
        [self.key.as_str(), self.name.as_str()].into_iter().chain(self.aliases.iter().map(String::as_str))
    }
}

fn folded(word: &str) -> String {
    word.trim().trim_start_matches('@').to_lowercase()
}
