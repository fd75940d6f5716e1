//! Reading Slack's JSON without trusting its types.
//!
//! Slack sends numbers as strings, empty strings for "none" and `null` where the documentation promises an object. These
//! functions take what is there and never fail: what is missing or strange is `None`, empty or false.

use serde_json::Value;

/// The text under `key`; numbers and truth values are written out, an empty string counts as absent.
pub(crate) fn text(value: &Value, key: &str) -> Option<String> {
    as_text(value.get(key)?)
}

/// The text at a JSON pointer such as `/team/id`.
pub(crate) fn text_at(value: &Value, pointer: &str) -> Option<String> {
    as_text(value.pointer(pointer)?)
}

/// The text under `key` whatever its length, empty if there is none.
pub(crate) fn text_or_empty(value: &Value, key: &str) -> String {
    text(value, key).unwrap_or_default()
}

/// An id under `key`, given either as text or as an object with an `id`.
pub(crate) fn id(value: &Value, key: &str) -> Option<String> {
    let field = value.get(key)?;
    as_text(field).or_else(|| text(field, "id"))
}

pub(crate) fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Whether `key` holds true in any spelling Slack uses: `true`, `"true"`, `"1"`, `1`.
pub(crate) fn flag(value: &Value, key: &str) -> bool {
    match value.get(key) {
        Some(Value::Bool(flag)) => *flag,
        Some(Value::String(text)) => matches!(text.as_str(), "true" | "1"),
        Some(Value::Number(number)) => number.as_f64().is_some_and(|number| number != 0.0),
        Some(Value::Null | Value::Array(_) | Value::Object(_)) | None => false,
    }
}

/// The whole number under `key`, also when it comes as text or with a fraction (which is cut off).
pub(crate) fn number(value: &Value, key: &str) -> Option<i64> {
    match value.get(key)? {
        #[expect(clippy::cast_possible_truncation, reason = "a saturating cast is what a strange number deserves")]
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().map(|number| number as i64)),
        Value::String(text) => text.split('.').next()?.parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The list under `key`, empty if there is none.
pub(crate) fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The texts in the list under `key`; entries of other kinds are left out.
pub(crate) fn texts(value: &Value, key: &str) -> Vec<String> {
    list(value, key).iter().filter_map(as_text).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_and_flags_are_read_in_every_spelling() {
        let value =
            json!({"a": "12", "b": 12, "c": 12.9, "d": "1700000000.000100", "e": "x", "t": "true", "o": 1, "n": null});
        assert_eq!(
            ["a", "b", "c", "d", "e", "n"].map(|key| number(&value, key)),
            [Some(12), Some(12), Some(12), Some(1_700_000_000), None, None]
        );
        assert_eq!(["t", "o", "a", "n", "missing"].map(|key| flag(&value, key)), [true, true, false, false, false]);
    }

    #[test]
    fn an_id_may_be_text_or_an_object() {
        let value = json!({"a": "C1", "b": {"id": "C2"}, "c": null, "d": ""});
        assert_eq!(["a", "b", "c", "d"].map(|key| id(&value, key)), [Some("C1".into()), Some("C2".into()), None, None]);
    }
}
