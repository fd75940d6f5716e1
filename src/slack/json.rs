//! JSON on its way to Slack. An answer is put together while somebody waits, so names and texts that are written in the
//! source are not copied, parts are moved, and an object is a list.

use std::borrow::Cow;
use std::fmt;

use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::{Map, Value};

/// A value that is built here and read by Slack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Json {
    Flag(bool),
    Number(i64),
    Text(Cow<'static, str>),
    List(Vec<Json>),
    /// Each name once.
    Object(Vec<(&'static str, Json)>),
}

/// An object with these names and values.
macro_rules! object {
    ($($name:literal: $value:expr),+ $(,)?) => {
        $crate::slack::json::Json::Object(vec![$(($name, $crate::slack::json::Json::from($value))),+])
    };
}
pub(in crate::slack) use object;

impl Json {
    /// The value of this name in an object.
    pub fn get(&self, name: &str) -> Option<&Json> {
        match self {
            Self::Object(members) => members.iter().find(|(known, _)| *known == name).map(|(_, value)| value),
            Self::Flag(_) | Self::Number(_) | Self::Text(_) | Self::List(_) => None,
        }
    }

    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Flag(_) | Self::Number(_) | Self::List(_) | Self::Object(_) => None,
        }
    }

    /// Gives an object this value, in place of the one it has under the name. Anything else stays as it is.
    pub(in crate::slack) fn set(&mut self, name: &'static str, value: impl Into<Json>) {
        if let Self::Object(members) = self {
            members.retain(|(known, _)| *known != name);
            members.push((name, value.into()));
        }
    }

    /// As [`Json::set`], in the object of this name.
    pub(in crate::slack) fn set_in(&mut self, within: &str, name: &'static str, value: impl Into<Json>) {
        if let Self::Object(members) = self
            && let Some((_, inner)) = members.iter_mut().find(|(known, _)| *known == within)
        {
            inner.set(name, value);
        }
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::Number(number) => serializer.serialize_i64(*number),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(list) => serializer.collect_seq(list),
            Self::Object(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (name, value) in members {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

impl From<Json> for Value {
    fn from(json: Json) -> Self {
        match json {
            Json::Flag(flag) => flag.into(),
            Json::Number(number) => number.into(),
            Json::Text(text) => text.into_owned().into(),
            Json::List(list) => list.into_iter().map(Value::from).collect(),
            Json::Object(members) => {
                let members = members.into_iter().map(|(name, value)| (name.to_owned(), value.into()));
                members.collect::<Map<_, _>>().into()
            }
        }
    }
}

impl From<bool> for Json {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<i64> for Json {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<usize> for Json {
    fn from(number: usize) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<&'static str> for Json {
    fn from(ours: &'static str) -> Self {
        Self::Text(Cow::Borrowed(ours))
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl From<Vec<Json>> for Json {
    fn from(list: Vec<Json>) -> Self {
        Self::List(list)
    }
}
