//! How people are named in documents: by role, by initials or by name; and Slack's references turned into words.

use std::collections::BTreeMap;

use super::capitalised;
use crate::domain::event::{Actor, Recipient};
use crate::domain::incident::{Incident, Role};
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

    /// The holder of a role, where naming the role again would say nothing.
    pub fn holder(&self, user: &UserId) -> String {
        match self.style {
            PeopleStyle::Roles => "assigned".to_owned(),
            PeopleStyle::Initials | PeopleStyle::Names => self.person(user),
        }
    }

    /// The owner of a task. Always a name or initials: a task that belongs to "a responder" belongs to nobody.
    pub fn owner(&self, user: &UserId) -> String {
        match self.style {
            PeopleStyle::Initials => initials(self.directory.name(user)),
            PeopleStyle::Roles | PeopleStyle::Names => self.directory.name(user).to_owned(),
        }
    }

    /// Who did something, such as "the commander", "monitoring (grafana)" or "Firebell".
    pub fn actor(&self, actor: &Actor) -> String {
        match actor {
            Actor::Person { user } => self.person(user),
            Actor::Firebell => "Firebell".to_owned(),
            Actor::Integration { integration } => format!("monitoring ({integration})"),
            Actor::Operator => "an operator".to_owned(),
        }
    }

    /// "Ben and Chris"; by roles "the on-call engineer" or "2 people on call".
    pub fn recipients<'r>(&self, recipients: impl IntoIterator<Item = &'r Recipient>) -> String {
        let (mut names, mut channels) = (Vec::new(), 0);
        for recipient in recipients {
            match recipient {
                Recipient::User { user } => names.push(self.on_call(user)),
                Recipient::Channel { .. } => channels += 1,
            }
        }
        if self.style == PeopleStyle::Roles && names.len() > 1 {
            names = vec![format!("{} people on call", names.len())];
        }
        match channels {
            0 => {}
            1 => names.push("a channel".to_owned()),
            more => names.push(format!("{more} channels")),
        }
        if names.is_empty() { "nobody".to_owned() } else { listed(&names) }
    }

    /// The text with Slack's references (`<@U1>`, `<#C1|ops>`, `<https://…|label>`, `<!here>`) turned into words.
    pub fn readable(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find('<') {
            let (before, from) = rest.split_at(start);
            out.push_str(before);
            let reference = from.find('>').map(|end| (&from[1..end], &from[end + 1..]));
            if let Some((words, after)) = reference.and_then(|(inside, after)| Some((self.reference(inside)?, after))) {
                let words = if out.is_empty() && is_person(from) { capitalised(&words) } else { words };
                out.push_str(&words);
                rest = after;
            } else {
                out.push('<');
                rest = &from[1..];
            }
        }
        out.push_str(rest);
        out
    }

    fn reference(&self, inside: &str) -> Option<String> {
        let (target, label) = inside.split_once('|').map_or((inside, None), |(target, label)| (target, Some(label)));
        let is_id = |id: &str| !id.is_empty() && id.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
        if let Some(user) = target.strip_prefix('@').filter(|id| is_id(id)) {
            let user = UserId::new(user);
            return Some(match (self.directory.people.contains_key(&user), label, self.style) {
                (false, Some(label), PeopleStyle::Names) => label.to_owned(),
                _ => self.person(&user),
            });
        }
        if let Some(channel) = target.strip_prefix('#').filter(|id| is_id(id)) {
            return Some(format!("#{}", label.filter(|label| !label.is_empty()).unwrap_or(channel)));
        }
        if let Some(group) = target.strip_prefix("!subteam^") {
            let handle = self.directory.groups.get(&group.into()).map(|group| format!("@{}", group.handle));
            return Some(handle.or_else(|| label.map(str::to_owned)).unwrap_or_else(|| "a user group".to_owned()));
        }
        if let Some(special) = target.strip_prefix('!') {
            return Some(label.map_or_else(|| format!("@{special}"), str::to_owned));
        }
        if ["http://", "https://", "mailto:"].iter().any(|scheme| target.starts_with(scheme)) {
            return Some(match label {
                Some(label) if label != target => format!("{label} ({target})"),
                _ => target.to_owned(),
            });
        }
        None
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

/// Whether a reference names a person, whose role ("the commander") may then begin a sentence.
fn is_person(reference: &str) -> bool {
    reference.starts_with("<@")
}

fn initials(name: &str) -> String {
    name.split(|c: char| !c.is_alphanumeric())
        .filter_map(|word| word.chars().next())
        .flat_map(char::to_uppercase)
        .collect()
}
