//! What stands for a person, found in texts and in stored JSON, and a pseudonym put in its place; pure.

use std::collections::BTreeSet;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::domain::reference::MARK;
use crate::ids::UserId;

/// A name of fewer letters would be found in too many words.
const NAME_CHARS_MIN: usize = 2;

/// Keys whose texts are words of ours or of machines, never names of people.
const OURS: &[&str] = &[
    "type",
    "who",
    "kind",
    "result",
    "state",
    "phase",
    "status",
    "severity",
    "role",
    "effect",
    "said",
    "mention",
    "format",
    "zone",
    "nonce",
    "workspace",
    "key",
    "integration",
    "dedup_key",
    "section",
    "ts",
    "resume",
];

/// Keys whose texts may be either.
const EITHER: &[&str] = &["from", "to", "by", "because", "field", "rejection", "refused"];

/// How far names are looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Wherever people may have written something.
    Wide,
    /// Not where it might be a word of ours.
    Narrow,
}

/// A person's id, names and direct messages, and what stands instead.
#[derive(Clone, Debug)]
pub struct Words {
    user: UserId,
    /// Channels of direct messages with the person.
    channels: BTreeSet<String>,
    /// Longest first, so that a part of a name is not found before the whole.
    names: Vec<String>,
    instead: UserId,
}

impl Words {
    /// Names that are too short to be told from other words are left out.
    pub fn new(user: &UserId, names: BTreeSet<String>, channels: BTreeSet<String>, instead: &UserId) -> Self {
        let is_name = |name: &String| {
            let enough = name.chars().count() >= NAME_CHARS_MIN && name.chars().any(char::is_alphabetic);
            // The words of a pseudonym would be found in every pseudonym.
            enough && name != user.as_str() && !["former", "user"].contains(&name.to_lowercase().as_str())
        };
        let trimmed = names.into_iter().map(|name| name.trim().trim_start_matches('@').to_owned());
        let names: BTreeSet<String> = trimmed.filter(is_name).collect();
        let mut names: Vec<String> = names.into_iter().collect();
        names.sort_by_key(|name| std::cmp::Reverse(name.chars().count()));
        Self { user: user.clone(), channels, names, instead: instead.clone() }
    }

    /// The same words, with this pseudonym instead of them.
    #[must_use]
    pub fn instead(&self, pseudonym: &UserId) -> Self {
        Self { instead: pseudonym.clone(), ..self.clone() }
    }

    pub fn user(&self) -> &UserId {
        &self.user
    }

    pub fn pseudonym(&self) -> &UserId {
        &self.instead
    }

    pub fn names(&self) -> &[String] {
        &self.names
    }

    pub fn channels(&self) -> &BTreeSet<String> {
        &self.channels
    }

    /// The text without the person; `None` if it does not name them.
    pub fn in_text(&self, text: &str) -> Option<String> {
        let without = self.without_ids(text);
        let without = self.names.iter().fold(without, |text, name| self.without_name(&text, name));
        (without != text).then_some(without)
    }

    /// Stored JSON of a `T` without the person; `None` if it does not name them. Fails if it is no `T`.
    pub fn in_json<T: Serialize + DeserializeOwned>(&self, json: &str) -> serde_json::Result<Option<String>> {
        let before: Value = serde_json::from_str(json)?;
        let mut failed = None;
        for reach in [Reach::Wide, Reach::Narrow] {
            let mut value = before.clone();
            self.in_value(&mut value, "", reach);
            if value == before {
                return Ok(None);
            }
            match serde_json::from_value::<T>(value) {
                Ok(typed) => return serde_json::to_string(&typed).map(Some),
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(None), Err)
    }

    fn in_value(&self, value: &mut Value, key: &str, reach: Reach) {
        match value {
            Value::String(text) => {
                let named = match reach {
                    _ if OURS.contains(&key) => false,
                    Reach::Narrow => !EITHER.contains(&key),
                    Reach::Wide => true,
                };
                let without = if named { self.in_text(text) } else { Some(self.without_ids(text)) };
                if let Some(without) = without {
                    *text = without;
                }
            }
            Value::Array(values) => values.iter_mut().for_each(|value| self.in_value(value, key, reach)),
            Value::Object(fields) => {
                for (key, value) in fields.iter_mut() {
                    self.in_value(value, key, reach);
                }
                if let Some(value) = fields.remove(self.user.as_str()) {
                    fields.insert(self.instead.as_str().to_owned(), value);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Without references to the person, whatever name Slack gave in them, and without the ids themselves.
    fn without_ids(&self, text: &str) -> String {
        let mut without = text.to_owned();
        for begins in [format!("{MARK}<@{}", self.user), format!("<@{}", self.user)] {
            let mut out = String::with_capacity(without.len());
            let mut rest = without.as_str();
            while let Some((before, after)) = rest.split_once(&begins) {
                out.push_str(before);
                let label = after.strip_prefix('|').and_then(|after| after.split_once('>'));
                let whole = label.map(|(_, rest)| rest).or_else(|| after.strip_prefix('>'));
                out.push_str(if whole.is_some() { self.instead.as_str() } else { &begins });
                rest = whole.unwrap_or(after);
            }
            out.push_str(rest);
            without = out;
        }
        let ids = std::iter::once(self.user.as_str()).chain(self.channels.iter().map(String::as_str));
        ids.fold(without, |text, id| replace_word(&text, id, self.instead.as_str(), Case::AsItIs))
    }

    /// A single word may be a word of the language: it is a name as it is written. Several are in any case.
    fn without_name(&self, text: &str, name: &str) -> String {
        let case = if name.contains(char::is_whitespace) || name.contains('@') { Case::Any } else { Case::AsItIs };
        let text = replace_word(text, &format!("@{name}"), self.instead.as_str(), Case::Any);
        replace_word(&text, name, self.instead.as_str(), case)
    }

    /// The names that Slack gave in references to the person.
    pub fn labels(user: &UserId, json: &str, to: &mut BTreeSet<String>) {
        let begins = format!("<@{user}|");
        for after in json.split(&begins).skip(1) {
            to.extend(after.split_once('>').map(|(label, _)| label.trim_start_matches('@').to_owned()));
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Case {
    AsItIs,
    Any,
}

/// Replaces `word` wherever no letter or digit touches it.
fn replace_word(text: &str, word: &str, instead: &str, case: Case) -> String {
    let touches = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        // A word of signs, such as an @, may follow a letter.
        let begins = !word.starts_with(char::is_alphanumeric) || !touches(out.chars().next_back());
        let after = if begins { after_prefix(rest, word, case) } else { None };
        if let Some(after) = after.filter(|after| !touches(after.chars().next())) {
            out.push_str(instead);
            rest = after;
        } else {
            out.push(next);
            rest = &rest[next.len_utf8()..];
        }
    }
    out
}

/// What follows `word` at the beginning of `text`.
fn after_prefix<'t>(text: &'t str, word: &str, case: Case) -> Option<&'t str> {
    if case == Case::AsItIs {
        return text.strip_prefix(word);
    }
    let mut rest = text.chars();
    for wanted in word.chars() {
        let found = rest.next()?;
        if found != wanted && !found.to_lowercase().eq(wanted.to_lowercase()) {
            return None;
        }
    }
    Some(rest.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::Occurrence;

    fn words(names: &[&str]) -> Words {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        Words::new(&"U0DANA".into(), names, BTreeSet::from(["D0DANA".to_owned()]), &UserId::former(3))
    }

    #[test]
    fn ids_references_and_names_go_and_everything_else_stays() {
        let words = words(&["Dana Smith", "dana", "a", "7"]);
        for (text, without) in [
            ("U0DANA", Some("former user 3")),
            ("ask \u{2}<@U0DANA|dana> or <@U0DANA>!", Some("ask former user 3 or former user 3!")),
            ("tell:U0DANA:7 in D0DANA", Some("tell:former user 3:7 in former user 3")),
            ("Dana Smith has it, dana SMITH’s page", Some("former user 3 has it, former user 3’s page")),
            ("@DANA, look; dana’s host db-dana.", Some("former user 3, look; former user 3’s host db-former user 3.")),
            ("U0DANA2, XU0DANA, <@U0DANA2|dan>, Dana is a town, bandana, dana_2", None),
        ] {
            assert_eq!(words.in_text(text).as_deref(), without, "{text}");
        }
    }

    #[test]
    fn what_is_left_names_nobody_any_more() {
        let words = words(&["Dana Smith", "dana"]);
        let once = words.in_text("<@U0DANA|dana> is Dana Smith").expect("is named");
        assert_eq!(words.in_text(&once), None);
    }

    #[test]
    fn a_name_that_is_a_word_of_ours_changes_texts_alone() {
        let words = words(&["noted", "person", "note", "command"]);
        let json = r#"{"at":"2026-11-22T09:00:00Z","actor":{"who":"person","user":"U0DANA"},
            "event":{"type":"noted","kind":"note","team":null,"text":"ask command, person of note"}}"#;
        let without = words.in_json::<Occurrence>(json).expect("is an occurrence").expect("is named");
        assert!(without.contains(r#""who":"person","user":"former user 3""#), "{without}");
        assert!(without.contains(r#""type":"noted","kind":"note""#), "{without}");
        assert!(without.contains("ask former user 3, former user 3 of former user 3"), "{without}");
        let opened = r#"{"at":"2026-11-22T09:00:00Z","actor":{"who":"firebell"},"event":{"type":"opened","number":1,
            "title":"slow","severity":"sev2","private":false,"zone":"UTC","origin":{"by":"command","channel":"D0DANA"},
            "declares":true,"nonce":"ab"}}"#;
        let without = words.in_json::<Occurrence>(opened).expect("is an occurrence").expect("is named");
        assert!(without.contains(r#""origin":{"by":"command","channel":"former user 3"}"#), "{without}");
    }

    #[test]
    fn every_kind_of_event_can_be_written_anew_and_stays_of_its_kind() {
        let of_everybody = |line: &str| line.replace("\"U1\"", "\"U0DANA\"").replace("\"U2\"", "\"U0DANA\"");
        for line in include_str!("../../tests/golden/events.jsonl").lines().filter(|line| !line.trim().is_empty()) {
            let line = of_everybody(line);
            let without = words(&["the", "team"]).in_json::<crate::domain::event::Recorded>(&line);
            let without = without.expect("is an event").unwrap_or_else(|| line.clone());
            assert!(!without.contains("U0DANA"), "{without}");
            let kind = |json: &str| {
                let value: Value = serde_json::from_str(json).expect("JSON");
                value["event"]["type"].clone()
            };
            assert_eq!(kind(&without), kind(&line));
        }
    }

    #[test]
    fn keys_and_lists_are_gone_through_too() {
        let json = r#"{"roles":{"commander":"U0DANA"},"by":{"U0DANA":1},"responders":["U0ANA","U0DANA"],"number":7}"#;
        let without = words(&[]).in_json::<Value>(json).expect("JSON").expect("is named");
        assert!(!without.contains("U0DANA"), "{without}");
        assert!(without.contains("U0ANA") && without.contains(r#""number":7"#));
        assert_eq!(words(&[]).in_json::<Value>(r#"{"user":"U0ANA"}"#).expect("JSON"), None);
    }

    #[test]
    fn names_that_slack_gave_are_found_in_references() {
        let mut labels = BTreeSet::new();
        Words::labels(&"U0DANA".into(), r#"{"text":"<@U0DANA|dana> <@U0DANA|@dee> <@U0ANA|ana>"}"#, &mut labels);
        assert_eq!(labels, BTreeSet::from(["dana".to_owned(), "dee".to_owned()]));
    }
}
