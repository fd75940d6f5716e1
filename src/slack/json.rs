//! JSON on its way to Slack. An answer is put together while somebody waits, so names and texts that are written in the
//! source are not copied, parts are moved, an object is a list, and writing it down takes few steps.

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

impl Json {
    /// Writes it down as JSON (RFC 8259), without white space.
    pub(in crate::slack) fn write(&self, out: &mut String) {
        match self {
            Self::Flag(flag) => out.push_str(if *flag { "true" } else { "false" }),
            Self::Number(number) => out.push_str(&number.to_string()),
            Self::Text(text) => write_text(text, out),
            Self::List(list) => {
                out.push('[');
                for (at, value) in list.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    value.write(out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (at, (name, value)) in members.iter().enumerate() {
                    out.push_str(if at > 0 { ",\"" } else { "\"" });
                    out.push_str(name);
                    out.push_str("\":");
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

/// A text in quotation marks; in it these, backslashes and control characters are escaped.
fn write_text(text: &str, out: &mut String) {
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)) {
        let (plain, special) = rest.split_at(at);
        out.push_str(plain);
        match special.as_bytes()[0] {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            control => {
                let hex = char::from_digit(u32::from(control & 15), 16).unwrap_or('0');
                out.push_str(if control < 16 { "\\u000" } else { "\\u001" });
                out.push(hex);
            }
        }
        rest = &special[1..];
    }
    out.push_str(rest);
    out.push('"');
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut written = String::new();
        self.write(&mut written);
        f.write_str(&written)
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn jsons() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Json::from),
            any::<i64>().prop_map(Json::from),
            "[\\PC\\x00-\\x1f\"\\\\]{0,12}".prop_map(Json::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            let member = (prop_oneof![Just("type"), Just("action_id"), Just("text")], inner.clone());
            prop_oneof![
                prop::collection::vec(inner, 0..4).prop_map(Json::List),
                prop::collection::vec(member, 0..4).prop_map(|members| {
                    let mut object = Json::Object(Vec::new());
                    for (name, value) in members {
                        object.set(name, value);
                    }
                    object
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_what_is_read(json in jsons()) {
            let read: Value = serde_json::from_str(&json.to_string()).expect("is JSON");
            prop_assert_eq!(read, Value::from(json));
        }
    }
}
