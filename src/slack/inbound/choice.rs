//! What somebody entered or picked in an element of a message or dialog.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::ids::{ChannelId, UserId};
use crate::slack::fields;

/// An entry of a menu, a radio button or a check box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picked {
    pub value: String,
    pub text: String,
}

/// The content of one element.
#[derive(Clone, Debug, PartialEq)]
pub enum Choice {
    /// Left empty, or a button without a value.
    Nothing,
    /// A button's value or the text of an input.
    Text(String),
    /// One or several entries; an empty list where all were unticked.
    Options(Vec<Picked>),
    Users(Vec<UserId>),
    /// Channels, or conversations of any kind.
    Channels(Vec<ChannelId>),
    /// `YYYY-MM-DD`.
    Date(String),
    /// `HH:MM`.
    Time(String),
    /// Unix seconds.
    Instant(i64),
    /// Slack's own rich text object.
    Rich(Value),
    /// The ids of files.
    Files(Vec<String>),
}

impl Choice {
    /// Reads an action or an entry of a view's state by the fields that it has.
    pub fn read(value: &Value) -> Self {
        let present = |key: &str| value.get(key).filter(|field| !field.is_null());
        let users = |ids: Vec<String>| Self::Users(ids.into_iter().map(UserId).collect());
        let channels = |ids: Vec<String>| Self::Channels(ids.into_iter().map(ChannelId).collect());
        if let Some(option) = present("selected_option") {
            return Self::Options(vec![picked(option)]);
        }
        if present("selected_options").is_some() {
            return Self::Options(fields::list(value, "selected_options").iter().map(picked).collect());
        }
        if let Some(user) = fields::text(value, "selected_user") {
            return users(vec![user]);
        }
        if present("selected_users").is_some() {
            return users(fields::texts(value, "selected_users"));
        }
        for (one, several) in
            [("selected_channel", "selected_channels"), ("selected_conversation", "selected_conversations")]
        {
            if let Some(channel) = fields::text(value, one) {
                return channels(vec![channel]);
            }
            if present(several).is_some() {
                return channels(fields::texts(value, several));
            }
        }
        if let Some(date) = fields::text(value, "selected_date") {
            return Self::Date(date);
        }
        if let Some(time) = fields::text(value, "selected_time") {
            return Self::Time(time);
        }
        if let Some(second) = fields::number(value, "selected_date_time") {
            return Self::Instant(second);
        }
        if let Some(rich) = present("rich_text_value") {
            return Self::Rich(rich.clone());
        }
        if present("files").is_some() {
            return Self::Files(
                fields::list(value, "files").iter().filter_map(|file| fields::text(file, "id")).collect(),
            );
        }
        fields::text(value, "value").map_or(Self::Nothing, Self::Text)
    }

    /// The one value as text, whatever the element: a button's value, the first picked entry, user or channel.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Date(text) | Self::Time(text) => Some(text),
            Self::Options(options) => options.first().map(|option| option.value.as_str()),
            Self::Users(users) => users.first().map(UserId::as_str),
            Self::Channels(channels) => channels.first().map(ChannelId::as_str),
            Self::Files(files) => files.first().map(String::as_str),
            Self::Nothing | Self::Instant(_) | Self::Rich(_) => None,
        }
    }
}

fn picked(option: &Value) -> Picked {
    Picked {
        value: fields::text_or_empty(option, "value"),
        text: fields::text_at(option, "/text/text").unwrap_or_default(),
    }
}

/// Everything entered in a dialog or message, by block id and action id.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choices(pub BTreeMap<String, BTreeMap<String, Choice>>);

impl Choices {
    /// Reads a `state` object (`{"values": {block: {action: …}}}`).
    pub(super) fn read(state: Option<&Value>) -> Self {
        let blocks = state.and_then(|state| state.get("values")).and_then(Value::as_object);
        let read_block = |block: &Value| -> BTreeMap<String, Choice> {
            let elements = block.as_object().into_iter().flatten();
            elements.map(|(action, element)| (action.clone(), Choice::read(element))).collect()
        };
        Self(blocks.into_iter().flatten().map(|(block, content)| (block.clone(), read_block(content))).collect())
    }

    /// The content of the element with this action id, in whichever block it stands.
    pub fn find(&self, action_id: &str) -> Option<&Choice> {
        self.0.values().find_map(|block| block.get(action_id))
    }

    /// The one value of the element as text; `None` if it was left empty.
    pub fn text(&self, action_id: &str) -> Option<&str> {
        self.find(action_id).and_then(Choice::text)
    }
}
