//! JSON objects whose parts are moved into them, where `serde_json::json!` would copy every part that is not written out.

/// An object with these names and values.
macro_rules! object {
    ($($name:literal: $value:expr),+ $(,)?) => {{
        let mut object = serde_json::Map::new();
        $(object.insert($name.to_owned(), serde_json::Value::from($value));)+
        serde_json::Value::Object(object)
    }};
}
pub(in crate::slack) use object;
