//! Whom the file names: `@ana`, `@dev-team`, `#shop-ops @here`, or Slack's ids.

use std::fmt;
use std::ops::Range;

use crate::ids::{ChannelId, UserGroupId, UserId};

/// A value with its place in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed<T> {
    pub value: T,
    /// Bytes of the file.
    pub span: Range<usize>,
}

/// A person, a user group or a channel as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    User(UserId),
    Group(UserGroupId),
    /// Without the @: a person's name or a group's handle.
    Handle(String),
    Channel {
        channel: ChannelName,
        mention: NamedMention,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChannelName {
    Id(ChannelId),
    /// Without the #.
    Name(String),
}

/// Whom a page in a channel mentions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamedMention {
    Nobody,
    Here,
    Channel,
    Group(UserGroupId),
    /// A group's handle, without the @.
    Handle(String),
}

impl Named {
    /// Reads a target; the error says what is wrong, and the way out.
    pub(super) fn parse(text: &str) -> Result<Self, (String, String)> {
        let way_out = || {
            "Write a person or group as \"@ana\", a channel as \"#shop-ops\" or \"#shop-ops @here\", or use Slack's ids."
                .to_owned()
        };
        let text = text.trim();
        if text.starts_with('#') || is_id(text.split_whitespace().next().unwrap_or(""), &['C', 'G']) {
            let (channel, mention) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
            let channel = ChannelName::parse(channel)?;
            let mention = NamedMention::parse(mention.trim())?;
            return Ok(Self::Channel { channel, mention });
        }
        if is_id(text, &['U', 'W']) {
            return Ok(Self::User(UserId::new(text)));
        }
        if is_id(text, &['S']) {
            return Ok(Self::Group(UserGroupId::new(text)));
        }
        match text.strip_prefix('@').map(str::trim) {
            Some("here" | "channel" | "everyone") => {
                Err((format!("{text} needs a channel."), format!("Write the channel before it: \"#shop-ops {text}\".")))
            }
            Some(name) if !name.is_empty() => Ok(Self::Handle(name.to_owned())),
            _ => Err((format!("\"{text}\" is no person, group or channel."), way_out())),
        }
    }
}

impl ChannelName {
    pub(super) fn parse(text: &str) -> Result<Self, (String, String)> {
        if is_id(text, &['C', 'G']) {
            return Ok(Self::Id(ChannelId::new(text)));
        }
        let name = text.strip_prefix('#').filter(|name| !name.is_empty() && !name.contains(char::is_whitespace));
        match name {
            Some(name) => Ok(Self::Name(name.to_owned())),
            None => Err((
                format!("\"{text}\" is no channel."),
                "Write it with its #, as in \"#incidents\", or use Slack's id.".to_owned(),
            )),
        }
    }
}

impl NamedMention {
    fn parse(text: &str) -> Result<Self, (String, String)> {
        match text {
            "" => Ok(Self::Nobody),
            "@here" => Ok(Self::Here),
            "@channel" => Ok(Self::Channel),
            id if is_id(id, &['S']) => Ok(Self::Group(UserGroupId::new(id))),
            handle if handle.len() > 1 && handle.starts_with('@') && !handle.contains(char::is_whitespace) => {
                Ok(Self::Handle(handle[1..].to_owned()))
            }
            other => Err((
                format!("A page in a channel cannot mention \"{other}\"."),
                "It can mention @here, @channel or one user group.".to_owned(),
            )),
        }
    }
}

/// Whether a text is one of Slack's ids with one of these first letters.
fn is_id(text: &str, letters: &[char]) -> bool {
    text.len() >= 2
        && text.starts_with(letters)
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => user.fmt(f),
            Self::Group(group) => group.fmt(f),
            Self::Handle(name) => write!(f, "@{name}"),
            Self::Channel { channel, mention } => match mention {
                NamedMention::Nobody => channel.fmt(f),
                NamedMention::Here => write!(f, "{channel} @here"),
                NamedMention::Channel => write!(f, "{channel} @channel"),
                NamedMention::Group(group) => write!(f, "{channel} {group}"),
                NamedMention::Handle(handle) => write!(f, "{channel} @{handle}"),
            },
        }
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Name(name) => write!(f, "#{name}"),
        }
    }
}
