//! Reads the arguments of a Web API call out of a query, a form, a multipart body or JSON.
//!
//! Knows HTTP's encodings and nothing of Slack's methods.

use serde_json::{Map, Value, json};

/// Why a call failed, as Slack says it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ApiError {
    /// Slack's error code, such as `channel_not_found`.
    pub code: String,
    /// Further keys of the answer (`needed`, `provided`, `errors`, `response_metadata`).
    pub more: Map<String, Value>,
}

impl ApiError {
    /// `invalid_arguments` with one explanation per mistake, as Slack returns them.
    pub(crate) fn arguments(messages: &[String]) -> Self {
        Self::from("invalid_arguments").with_messages(messages)
    }

    /// `missing_scope` with the scope that was needed and those that were there.
    pub(crate) fn missing_scope(needed: &str, provided: &str) -> Self {
        Self::from("missing_scope").with("needed", json!(needed)).with("provided", json!(provided))
    }

    pub(crate) fn with(mut self, key: &str, value: Value) -> Self {
        self.more.insert(key.to_owned(), value);
        self
    }

    pub(crate) fn with_messages(self, messages: &[String]) -> Self {
        let lines: Vec<String> = messages.iter().map(|message| format!("[ERROR] {message}")).collect();
        self.with("response_metadata", json!({ "messages": lines }))
    }

    /// The JSON body of the failed answer.
    pub(crate) fn body(&self) -> Value {
        let mut body = self.more.clone();
        body.insert("ok".to_owned(), json!(false));
        body.insert("error".to_owned(), json!(self.code));
        Value::Object(body)
    }
}

impl From<&str> for ApiError {
    fn from(code: &str) -> Self {
        Self { code: code.to_owned(), more: Map::new() }
    }
}

/// How the body of a request was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyKind {
    Empty,
    Form,
    Json,
    Multipart,
    Other,
}

impl BodyKind {
    /// Tells the kind from the `Content-Type` header.
    pub(crate) fn of(content_type: &str, body: &[u8]) -> Self {
        let content_type = content_type.to_ascii_lowercase();
        if body.is_empty() {
            Self::Empty
        } else if content_type.starts_with("application/json") {
            Self::Json
        } else if content_type.starts_with("application/x-www-form-urlencoded") {
            Self::Form
        } else if content_type.starts_with("multipart/form-data") {
            Self::Multipart
        } else {
            Self::Other
        }
    }
}

/// The arguments of one call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Args(pub Map<String, Value>);

impl Args {
    /// An argument as text: numbers and flags are written out, objects as JSON. Empty text counts as absent.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        match self.0.get(name)? {
            Value::Null => None,
            Value::String(text) if text.is_empty() => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }

    /// A text argument that must be there; `invalid_arguments` otherwise.
    pub(crate) fn need(&self, name: &str) -> Result<String, ApiError> {
        self.text(name).ok_or_else(|| ApiError::arguments(&[format!("missing required field: {name}")]))
    }

    /// These arguments alone.
    pub(crate) fn only(&self, names: &[&str]) -> Self {
        let kept = self.0.iter().filter(|(name, _)| names.contains(&name.as_str()));
        Self(kept.map(|(name, value)| (name.clone(), value.clone())).collect())
    }

    /// Whether a flag is set (`true`, `"true"`, `1`).
    pub(crate) fn flag(&self, name: &str) -> bool {
        matches!(self.text(name).as_deref(), Some("true" | "1" | "True"))
    }

    /// A whole number; `invalid_arguments` if it is something else.
    pub(crate) fn int(&self, name: &str) -> Result<Option<i64>, ApiError> {
        match self.text(name) {
            None => Ok(None),
            Some(text) => text
                .parse()
                .map(Some)
                .map_err(|_| ApiError::arguments(&[format!("must be an integer [json-pointer:/{name}]")])),
        }
    }

    /// A list: a JSON array, or its text, or ids between commas.
    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        let as_texts = |items: &[Value]| {
            items.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned)).collect()
        };
        match self.0.get(name) {
            Some(Value::Array(items)) => as_texts(items),
            Some(Value::String(text)) => {
                if let Ok(Value::Array(items)) = serde_json::from_str(text) {
                    return as_texts(&items);
                }
                text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
            }
            _ => Vec::new(),
        }
    }

    /// A structured argument: JSON itself or its text in a form. `Err(())` if the text is not JSON.
    pub(crate) fn structured(&self, name: &str) -> Result<Option<Value>, ()> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(Value::String(text)) => serde_json::from_str(text).map(Some).map_err(|_| ()),
            Some(other) => Ok(Some(other.clone())),
        }
    }
}

/// Decodes `a=1&b=2`.
pub(crate) fn parse_form(text: &str) -> Map<String, Value> {
    let Ok(mut address) = reqwest::Url::parse("http://form.invalid/") else { return Map::new() };
    address.set_query(Some(text));
    address.query_pairs().map(|(key, value)| (key.into_owned(), Value::String(value.into_owned()))).collect()
}

/// Encodes `a=1&b=2`.
pub(crate) fn write_form(pairs: &[(&str, String)]) -> String {
    let Ok(mut address) = reqwest::Url::parse("http://form.invalid/") else { return String::new() };
    address.query_pairs_mut().extend_pairs(pairs.iter().map(|(key, value)| (*key, value.as_str())));
    address.query().unwrap_or_default().to_owned()
}

/// One part of a multipart body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub name: String,
    pub filename: Option<String>,
    pub content: Vec<u8>,
}

/// Splits a multipart body; parts that cannot be read are left out.
pub(crate) fn parse_multipart(content_type: &str, body: &[u8]) -> Vec<Part> {
    let Some(boundary) = content_type
        .split(';')
        .find_map(|piece| piece.trim().strip_prefix("boundary="))
        .map(|text| text.trim_matches('"'))
    else {
        return Vec::new();
    };
    let delimiter = format!("--{boundary}");
    let mut parts = Vec::new();
    let mut rest = body;
    while let Some(start) = find(rest, delimiter.as_bytes()) {
        rest = &rest[start + delimiter.len()..];
        if rest.starts_with(b"--") {
            break;
        }
        let end = find(rest, format!("\r\n{delimiter}").as_bytes()).unwrap_or(rest.len());
        if let Some(part) = parse_part(rest[..end].strip_prefix(b"\r\n").unwrap_or(&rest[..end])) {
            parts.push(part);
        }
        rest = &rest[end..];
    }
    parts
}

fn parse_part(part: &[u8]) -> Option<Part> {
    let head_end = find(part, b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&part[..head_end]).into_owned();
    let disposition = head.lines().find(|line| line.to_ascii_lowercase().starts_with("content-disposition:"))?;
    let attribute = |key: &str| {
        disposition.split(';').find_map(|piece| {
            piece.trim().strip_prefix(&format!("{key}=")).map(|text| text.trim_matches('"').to_owned())
        })
    };
    Some(Part { name: attribute("name")?, filename: attribute("filename"), content: part[head_end + 4..].to_vec() })
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Bytes as base64 (RFC 4648, padded).
pub(crate) fn base64_encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0_u32, |group, &byte| (group << 8) | u32::from(byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            if place <= chunk.len() {
                let six = usize::try_from((group >> (18 - 6 * place)) & 0x3f).expect("six bits");
                text.push(char::from(BASE64[six]));
            } else {
                text.push('=');
            }
        }
    }
    text
}

/// Base64 as bytes; `None` if it is not base64.
pub(crate) fn base64_decode(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u32> = text
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=')
        .map(|byte| BASE64.iter().position(|&known| known == byte).and_then(|six| u32::try_from(six).ok()))
        .collect::<Option<_>>()?;
    let mut bytes = Vec::with_capacity(digits.len() * 3 / 4);
    for chunk in digits.chunks(4) {
        let group = chunk.iter().fold(0_u32, |group, &six| (group << 6) | six) << (6 * (4 - chunk.len()));
        bytes.extend_from_slice(&group.to_be_bytes()[1..chunk.len()]);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_round_trips() {
        let written = write_form(&[("text", "a b&c=ü<>+".to_owned()), ("n", "1".to_owned())]);
        let read = parse_form(&written);
        assert_eq!(read["text"], "a b&c=ü<>+");
        assert_eq!(read["n"], "1");
    }

    #[test]
    fn base64_round_trips_at_every_length() {
        for length in 0..9_u8 {
            let bytes: Vec<u8> = (0..length).map(|n| n.wrapping_mul(37)).collect();
            assert_eq!(base64_decode(&base64_encode(&bytes)), Some(bytes));
        }
        assert_eq!(base64_encode(b"Man"), "TWFu");
        assert_eq!(base64_encode(b"M"), "TQ==");
        assert_eq!(base64_decode("?"), None);
    }

    #[test]
    fn a_multipart_body_is_split_into_its_parts() {
        let body = b"--b1\r\nContent-Disposition: form-data; name=\"token\"\r\n\r\nxoxb\r\n--b1\r\n\
            Content-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\nContent-Type: text/plain\r\n\r\nhi\r\nyou\r\n--b1--\r\n";
        let parts = parse_multipart("multipart/form-data; boundary=b1", body);
        assert_eq!(parts.len(), 2);
        assert_eq!(parts[0], Part { name: "token".to_owned(), filename: None, content: b"xoxb".to_vec() });
        assert_eq!(parts[1].filename.as_deref(), Some("a.txt"));
        assert_eq!(parts[1].content, b"hi\r\nyou");
    }

    #[test]
    fn a_list_is_read_from_commas_json_text_or_json() {
        let args = |value: Value| Args([("users".to_owned(), value)].into_iter().collect());
        assert_eq!(args(json!("U1, U2")).list("users"), ["U1", "U2"]);
        assert_eq!(args(json!("[\"U1\",\"U2\"]")).list("users"), ["U1", "U2"]);
        assert_eq!(args(json!(["U1", "U2"])).list("users"), ["U1", "U2"]);
        assert!(args(Value::Null).list("users").is_empty());
    }
}
