//! How people are named in documents: by role, by initials or by name, also where a text refers to them.

use std::collections::BTreeMap;

use super::capitalised;
use crate::domain::event::{Actor, Recipient};
use crate::domain::incident::{Incident, Role};
use crate::domain::reference::{self, Reference};
use crate::domain::roster::Directory;
use crate::ids::UserId;

/// How documents name people. Exported ones name roles unless configured otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PeopleStyle {
    #[default]
    Roles,
    Initials,
    Names,
}

/// Names people in one document.
#[derive(Clone, Debug)]
pub struct People<'a> {
    directory: &'a Directory,
    style: PeopleStyle,
    roles: BTreeMap<&'a UserId, Role>,
}

impl<'a> People<'a> {
    pub fn new(incident: &'a Incident, directory: &'a Directory, style: PeopleStyle) -> Self {
        let roles = incident.roles.iter().map(|(role, user)| (user, *role)).collect();
        Self { directory, style, roles }
    }

    /// "the commander", "AL" or "Ana Lima".
    pub fn person(&self, user: &UserId) -> String {
        self.named(user, "a responder")
    }

    /// The same for somebody who was paged or answered: "the on-call engineer" unless a role is known.
    pub fn on_call(&self, user: &UserId) -> String {
        self.named(user, "the on-call engineer")
    }

    /// "Commander: Ana Lima"; "Commander assigned" where naming the role again would say nothing.
    pub fn given(&self, role: Role, user: &UserId) -> String {
        let name = capitalised(role.name());
        match self.style {
            PeopleStyle::Roles => format!("{name} assigned"),
            PeopleStyle::Initials | PeopleStyle::Names => format!("{name}: {}", self.person(user)),
        }
    }

    /// Who did something, such as "the commander", "monitoring (grafana)" or "Firebell".
    pub fn actor(&self, actor: &Actor) -> String {
        match actor {
            Actor::Person { user } => self.person(user),
            Actor::Firebell => "Firebell".to_owned(),
            Actor::Integration { integration } => format!("monitoring ({integration})"),
            Actor::Operator => "an operator".to_owned(),
            Actor::Fallback => "the fallback".to_owned(),
        }
    }

    /// "Ben and Chris"; by roles "the on-call engineer" or "2 people on call".
    pub fn recipients<'r>(&self, recipients: impl IntoIterator<Item = &'r Recipient>) -> String {
        let (mut names, mut elsewhere, mut channels) = (Vec::new(), Vec::new(), 0);
        for recipient in recipients {
            match recipient {
                Recipient::User { user } => names.push(self.on_call(user)),
                Recipient::Contact { of: Some(user), by } => {
                    elsewhere.push(format!("{} by {}", self.on_call(user), by.word()));
                }
                Recipient::Contact { of: None, by } => elsewhere.push(format!("the fallback by {}", by.word())),
                Recipient::Channel { .. } => channels += 1,
            }
        }
        if self.style == PeopleStyle::Roles && names.len() > 1 {
            names = vec![format!("{} people on call", names.len())];
        }
        names.extend(elsewhere);
        match channels {
            0 => {}
            1 => names.push("a channel".to_owned()),
            more => names.push(format!("{more} channels")),
        }
        if names.is_empty() { "nobody".to_owned() } else { listed(&names) }
    }

    /// The text with the people and groups that it refers to put into words; everything else as it is.
    pub fn readable(&self, text: &str) -> String {
        reference::in_words(text, |reference, first| match reference {
            Reference::Person { id, label } => {
                let user = UserId::new(id);
                let words = match (self.directory.people.contains_key(&user), label, self.style) {
                    (false, Some(label), PeopleStyle::Names) => label.to_owned(),
                    _ => self.person(&user),
                };
                // A role ("the commander") may begin a sentence.
                if first { capitalised(&words) } else { words }
            }
            Reference::Group { id, label } => match (self.directory.groups.get(&id.into()), label) {
                (Some(group), _) => format!("@{}", group.handle),
                (None, Some(label)) => format!("@{label}"),
                (None, None) => "a user group".to_owned(),
            },
        })
    }

    fn named(&self, user: &UserId, otherwise: &str) -> String {
        match self.style {
            PeopleStyle::Roles => {
                self.roles.get(user).map_or_else(|| otherwise.to_owned(), |role| format!("the {}", role.name()))
            }
            PeopleStyle::Initials => initials(self.directory.name(user)),
            PeopleStyle::Names => self.directory.name(user).to_owned(),
        }
    }
}

/// `A`, `A and B`, `A, B and C`.
pub fn listed<S: AsRef<str>>(names: &[S]) -> String {
    match names {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [first @ .., last] => {
            let first: Vec<&str> = first.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", first.join(", "), last.as_ref())
        }
    }
}

fn initials(name: &str) -> String {
    name.split(|c: char| !c.is_alphanumeric())
        .filter_map(|word| word.chars().next())
        .flat_map(char::to_uppercase)
        .collect()
}
