//! From names to Slack's ids, once Slack's directory is known.

use std::collections::BTreeMap;

use super::mistakes::{Mistakes, Problem};
use super::{ChannelName, Config, ContactPlan, Named, NamedMention, Placed};
use crate::domain::contact::Contacts;
use crate::domain::permission::{Action, Allow, Permissions};
use crate::domain::policy::{Mention, Policy, Target, Tier};
use crate::domain::roster::{Directory, Person, Roster, Team};
use crate::ids::{ChannelId, UserGroupId, UserId};

/// What a name without its @ stands for.
enum Who {
    User(UserId),
    Group(UserGroupId, String),
}

struct Resolver<'a> {
    directory: &'a Directory,
    /// Names without the #.
    channels: &'a BTreeMap<String, ChannelId>,
    problems: Vec<Problem>,
}

impl Config {
    /// The roster, with every name looked up; or all names that Slack does not know.
    pub fn resolve(&self, directory: &Directory, channels: &BTreeMap<String, ChannelId>) -> Result<Roster, Mistakes> {
        let (roster, unknown) = self.resolve_known(directory, channels);
        match unknown {
            None => Ok(roster),
            Some(unknown) => Err(unknown),
        }
    }

    /// The roster with those names left out that Slack does not know, and what is the matter with them.
    pub fn resolve_known(
        &self,
        directory: &Directory,
        channels: &BTreeMap<String, ChannelId>,
    ) -> (Roster, Option<Mistakes>) {
        let mut resolver = Resolver { directory, channels, problems: Vec::new() };
        let plan = &self.plan;
        let teams = plan
            .teams
            .iter()
            .map(|team| {
                let tiers = team
                    .tiers
                    .iter()
                    .map(|tier| Tier { targets: resolver.targets(&tier.targets), wait_s: tier.wait_s })
                    .collect();
                let policy = Policy {
                    tiers,
                    rounds: team.rounds,
                    ack_timeout_s: team.ack_timeout_s,
                    hand_off_to: team.hand_off_to.clone(),
                };
                let team =
                    Team { key: team.key.clone(), name: team.name.clone(), aliases: team.aliases.clone(), policy };
                (team.key.clone(), team)
            })
            .collect();
        let fallback = resolver.targets(&plan.fallback);
        let contacts = resolver.contacts(&plan.people);
        let announce_in = plan.announce_in.as_ref().and_then(|channel| resolver.channel(&channel.value, channel));
        let test_page_in = plan.test_page_in.as_ref().and_then(|channel| resolver.channel(&channel.value, channel));
        let permissions = resolver.permissions(&plan.permissions);
        let unknown = (!resolver.problems.is_empty())
            .then(|| Mistakes::new(&self.path, &self.source, std::mem::take(&mut resolver.problems)));
        let roster = Roster {
            teams,
            fallback,
            contacts,
            fallback_contacts: plan.fallback_contacts.clone(),
            permissions,
            announce_in,
            test_page_in,
            zone: plan.zone.clone(),
            channel_prefix: plan.channel_prefix.clone(),
            severity_default: plan.severity_default,
            routes: plan.routes.clone(),
            storm: plan.storm,
            ask_after: plan.ask_after,
            public_url: self.settings.server.public_url.clone(),
        };
        (roster, unknown)
    }
}

impl Resolver<'_> {
    fn wrong<T>(&mut self, sentence: String, at: &Placed<T>, label: String, hint: &str) {
        self.problems.push(Problem::new(sentence).at(at.span.clone(), label).hint(hint));
    }

    fn targets(&mut self, named: &[Placed<Named>]) -> Vec<Target> {
        named.iter().filter_map(|named| self.target(named)).collect()
    }

    fn target(&mut self, named: &Placed<Named>) -> Option<Target> {
        match &named.value {
            Named::User(user) => Some(Target::User { user: user.clone() }),
            Named::Group(group) => {
                let handle =
                    self.directory.groups.get(group).map_or_else(|| group.0.clone(), |group| group.handle.clone());
                Some(Target::UserGroup { group: group.clone(), handle })
            }
            Named::Handle(name) => self.who(name, named).map(|who| match who {
                Who::User(user) => Target::User { user },
                Who::Group(group, handle) => Target::UserGroup { group, handle },
            }),
            Named::Channel { channel, mention } => {
                let channel = self.channel(channel, named);
                let mention = self.mention(mention, named);
                Some(Target::Channel { channel: channel?, mention: mention? })
            }
        }
    }

    fn contacts(&mut self, people: &[ContactPlan]) -> BTreeMap<UserId, Contacts> {
        let mut contacts = BTreeMap::new();
        for person in people {
            match self.target(&person.user) {
                Some(Target::User { user }) => {
                    let before = contacts.insert(user, person.contacts.clone());
                    if before.is_none() {
                        continue;
                    }
                    let hint = "Keep one [[people]] for each person.";
                    let sentence = format!("{} stands in two [[people]].", person.user.value);
                    self.wrong(sentence, &person.user, "the second one".to_owned(), hint);
                }
                Some(Target::UserGroup { .. } | Target::Channel { .. }) => {
                    let hint = "Contact methods belong to one person: write a [[people]] for each.";
                    let sentence = format!("{} is a group.", person.user.value);
                    self.wrong(sentence, &person.user, "name a person".to_owned(), hint);
                }
                None => {}
            }
        }
        contacts
    }

    fn mention(&mut self, mention: &NamedMention, at: &Placed<Named>) -> Option<Mention> {
        match mention {
            NamedMention::Nobody => Some(Mention::Nobody),
            NamedMention::Here => Some(Mention::Here),
            NamedMention::Channel => Some(Mention::Channel),
            NamedMention::Group(group) => Some(Mention::Group(group.clone())),
            NamedMention::Handle(handle) => match self.who(handle, at)? {
                Who::Group(group, _) => Some(Mention::Group(group)),
                Who::User(_) => {
                    let hint = "Name the person as a target of their own.";
                    self.wrong(format!("@{handle} is a person."), at, "mention a group here".to_owned(), hint);
                    None
                }
            },
        }
    }

    fn channel<T>(&mut self, channel: &ChannelName, at: &Placed<T>) -> Option<ChannelId> {
        let name = match channel {
            ChannelName::Id(id) => return Some(id.clone()),
            ChannelName::Name(name) => name,
        };
        if let Some(id) = self.channels.get(name) {
            return Some(id.clone());
        }
        let label = near(name, self.channels.keys().map(String::as_str), '#');
        let hint = "A private channel is seen only after somebody has invited Firebell: /invite @Firebell.";
        self.wrong(format!("There is no channel #{name} that Firebell can see."), at, label, hint);
        None
    }

    /// A group by its handle, or the one person of that name.
    fn who<T>(&mut self, name: &str, at: &Placed<T>) -> Option<Who> {
        let same = |other: &str| other.trim_start_matches('@').to_lowercase() == name.to_lowercase();
        let group = self.directory.groups.values().find(|group| same(&group.handle));
        let people: Vec<&Person> = self.directory.people.values().filter(|person| same(&person.name)).collect();
        let active: Vec<&&Person> = people.iter().filter(|person| !person.deactivated && !person.is_bot).collect();
        match (group, active.as_slice()) {
            (Some(group), []) => Some(Who::Group(group.id.clone(), group.handle.clone())),
            (None, [person]) => Some(Who::User(person.id.clone())),
            (None, []) if !people.is_empty() => {
                let hint = "Name somebody who can be paged.";
                self.wrong(format!("@{name} is deactivated or a bot."), at, "cannot answer".to_owned(), hint);
                None
            }
            (None, []) => {
                let handles = self.directory.groups.values().map(|group| group.handle.as_str());
                let names = self.directory.people.values().map(|person| person.name.as_str());
                let label = near(name, handles.chain(names), '@');
                let hint = "Use the display name, the group's handle, or the id from the profile (⋮ Copy member ID).";
                self.wrong(format!("@{name} is neither a person nor a user group of this workspace."), at, label, hint);
                None
            }
            (_, several) => {
                let ids: Vec<&str> = group
                    .iter()
                    .map(|group| group.id.as_str())
                    .chain(several.iter().map(|person| person.id.as_str()))
                    .collect();
                let hint = "Write the id of the one that is meant.";
                self.wrong(format!("@{name} can be {}.", ids.join(" or ")), at, "more than one".to_owned(), hint);
                None
            }
        }
    }

    fn permissions(&mut self, plan: &super::PermissionsPlan) -> Permissions {
        let mut permissions = Permissions { guests: plan.guests, external: plan.external, ..Permissions::default() };
        for (action, listed) in &plan.listed {
            let allow = self.allow(listed);
            match action {
                Action::Open => permissions.open = allow,
                Action::Escalate => permissions.escalate = allow,
                Action::Acknowledge => permissions.acknowledge = allow,
                Action::Contribute => permissions.contribute = allow,
                Action::Resolve => permissions.resolve = allow,
                Action::SeePrivate => permissions.see_private = allow,
            }
        }
        permissions
    }

    fn allow(&mut self, listed: &[Placed<Named>]) -> Allow {
        let (mut users, mut groups) = (Vec::new(), Vec::new());
        for named in listed {
            match self.target(named) {
                Some(Target::User { user }) => users.push(user),
                Some(Target::UserGroup { group, .. }) => groups.push(group),
                // Channels are refused when the file is read; names that are not known have been told.
                Some(Target::Channel { .. }) | None => {}
            }
        }
        Allow::Listed { users, groups }
    }
}

fn near<'k>(name: &str, known: impl Iterator<Item = &'k str>, sign: char) -> String {
    known
        .map(|known| (strsim::normalized_damerau_levenshtein(&name.to_lowercase(), &known.to_lowercase()), known))
        .filter(|(likeness, _)| *likeness >= 0.6)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map_or_else(|| "not known".to_owned(), |(_, near)| format!("did you mean \"{sign}{near}\"?"))
}
