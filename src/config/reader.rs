//! Typed access to the parsed file that collects every mistake instead of stopping at the first.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::mistakes::Problem;

/// A table of the file, with the words by which a mistake names it.
#[derive(Clone)]
pub(super) struct Section<'a, 't> {
    /// `[slack]`, `a team`.
    pub(super) name: &'static str,
    pub(super) table: &'a DeTable<'t>,
    pub(super) span: Range<usize>,
}

#[derive(Default)]
pub(super) struct Reader {
    pub(super) problems: Vec<Problem>,
}

impl Reader {
    pub(super) fn wrong(&mut self, sentence: impl Into<String>, span: Range<usize>, label: impl Into<String>) {
        self.problems.push(Problem::new(sentence).at(span, label));
    }

    pub(super) fn wrong_with_hint(
        &mut self,
        sentence: impl Into<String>,
        span: Range<usize>,
        label: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.problems.push(Problem::new(sentence).at(span, label).hint(hint));
    }

    /// Refuses keys that nobody reads. Keys that name a secret are refused elsewhere, with another way out.
    pub(super) fn only(&mut self, section: &Section<'_, '_>, known: &[&str]) {
        for key in section.table.keys() {
            let name: &str = key.get_ref();
            if known.contains(&name) || super::secrets::names_a_secret(name) {
                continue;
            }
            let near = known
                .iter()
                .map(|known| (strsim::normalized_damerau_levenshtein(name, known), *known))
                .filter(|(likeness, _)| *likeness >= 0.6)
                .max_by(|a, b| a.0.total_cmp(&b.0));
            let label = near.map_or_else(|| "not known".to_owned(), |(_, near)| format!("did you mean \"{near}\"?"));
            let sentence = format!("There is no setting \"{name}\" in {}.", section.name);
            self.wrong_with_hint(sentence, key.span(), label, format!("The settings here are {}.", list(known)));
        }
    }

    fn value<'a, 't>(section: &Section<'a, 't>, key: &str) -> Option<&'a Spanned<DeValue<'t>>> {
        section.table.get(key)
    }

    fn mismatch(&mut self, key: &str, value: &Spanned<DeValue<'_>>, wanted: &str) {
        let found = match value.get_ref() {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) | DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.wrong(format!("\"{key}\" must be {wanted}."), value.span(), format!("this is {found}"));
    }

    /// A text that is not blank.
    pub(super) fn text(&mut self, section: &Section<'_, '_>, key: &str) -> Option<Spanned<String>> {
        let value = Self::value(section, key)?;
        let Some(text) = value.get_ref().as_str() else {
            self.mismatch(key, value, "a text in quotes");
            return None;
        };
        self.not_blank(key, text, value.span())
    }

    fn not_blank(&mut self, key: &str, text: &str, span: Range<usize>) -> Option<Spanned<String>> {
        if text.trim().is_empty() {
            self.wrong(format!("\"{key}\" is empty."), span, "nothing here");
            return None;
        }
        Some(Spanned::new(span, text.trim().to_owned()))
    }

    pub(super) fn flag(&mut self, section: &Section<'_, '_>, key: &str, default: bool) -> bool {
        let Some(value) = Self::value(section, key) else { return default };
        value.get_ref().as_bool().unwrap_or_else(|| {
            self.mismatch(key, value, "true or false, without quotes");
            default
        })
    }

    /// A whole number from 1 to `most`.
    pub(super) fn count(&mut self, section: &Section<'_, '_>, key: &str, most: u32, default: u32) -> u32 {
        let Some(value) = Self::value(section, key) else { return default };
        let Some(integer) = value.get_ref().as_integer() else {
            self.mismatch(key, value, "a whole number, without quotes");
            return default;
        };
        match i64::from_str_radix(integer.as_str(), integer.radix()).ok().and_then(|number| u32::try_from(number).ok())
        {
            Some(number) if (1..=most).contains(&number) => number,
            _ => {
                self.wrong(format!("\"{key}\" must be from 1 to {most}."), value.span(), "out of bounds");
                default
            }
        }
    }

    /// A list of texts; one text alone is a list of one.
    pub(super) fn texts(&mut self, section: &Section<'_, '_>, key: &str) -> Option<Spanned<Vec<Spanned<String>>>> {
        let value = Self::value(section, key)?;
        match value.get_ref() {
            DeValue::String(text) => {
                let texts = self.not_blank(key, text, value.span()).into_iter().collect();
                Some(Spanned::new(value.span(), texts))
            }
            DeValue::Array(items) => {
                let mut texts = Vec::new();
                for item in items {
                    match item.get_ref().as_str() {
                        Some(text) => texts.extend(self.not_blank(key, text, item.span())),
                        None => self.mismatch(key, item, "a list of texts in quotes"),
                    }
                }
                Some(Spanned::new(value.span(), texts))
            }
            _ => {
                self.mismatch(key, value, "a list of texts, such as [\"@ana\", \"@ben\"]");
                None
            }
        }
    }

    /// A table of texts.
    pub(super) fn pairs(&mut self, section: &Section<'_, '_>, key: &str) -> Vec<(String, Spanned<String>)> {
        let Some(value) = Self::value(section, key) else { return Vec::new() };
        let Some(table) = value.get_ref().as_table() else {
            self.mismatch(key, value, "a table, such as { service = \"checkout\" }");
            return Vec::new();
        };
        let mut pairs = Vec::new();
        for (name, value) in table {
            match value.get_ref().as_str() {
                Some(text) => pairs.push((name.get_ref().to_string(), Spanned::new(value.span(), text.to_owned()))),
                None => self.mismatch(name.get_ref(), value, "a text in quotes"),
            }
        }
        pairs
    }

    /// A length of time such as `5m` or `1h30m`, in seconds.
    pub(super) fn seconds(
        &mut self,
        section: &Section<'_, '_>,
        key: &str,
        bounds: std::ops::RangeInclusive<u32>,
    ) -> Option<u32> {
        let value = Self::value(section, key)?;
        let Some(text) = value.get_ref().as_str() else {
            self.mismatch(key, value, "a length of time in quotes, such as \"5m\", \"90s\" or \"1h30m\"");
            return None;
        };
        let Some(seconds) = seconds(text) else {
            let sentence = format!("\"{text}\" is no length of time.");
            self.wrong(sentence, value.span(), "write it like \"5m\", \"90s\" or \"1h30m\"");
            return None;
        };
        if !bounds.contains(&seconds) {
            let sentence =
                format!("\"{key}\" must be from {} to {}.", in_words(*bounds.start()), in_words(*bounds.end()));
            self.wrong(sentence, value.span(), "out of bounds");
            return None;
        }
        Some(seconds)
    }

    /// The one of `choices` that a text names.
    pub(super) fn choice<T: Copy>(
        &mut self,
        section: &Section<'_, '_>,
        key: &str,
        choices: &[(&str, T)],
        default: T,
    ) -> T {
        let Some(text) = self.text(section, key) else { return default };
        self.one_of(key, &text, choices).unwrap_or(default)
    }

    pub(super) fn one_of<T: Copy>(&mut self, key: &str, text: &Spanned<String>, choices: &[(&str, T)]) -> Option<T> {
        let word = text.get_ref().to_lowercase();
        let found = choices.iter().find(|(name, _)| *name == word).map(|(_, value)| *value);
        if found.is_none() {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            let sentence = format!("\"{key}\" cannot be \"{}\".", text.get_ref());
            self.wrong(sentence, text.span(), format!("use {}", alternatives(&names)));
        }
        found
    }

    pub(super) fn table<'a, 't>(
        &mut self,
        parent: &Section<'a, 't>,
        key: &str,
        name: &'static str,
    ) -> Option<Section<'a, 't>> {
        let value = Self::value(parent, key)?;
        let Some(table) = value.get_ref().as_table() else {
            self.mismatch(key, value, &format!("a table: write it as {name}"));
            return None;
        };
        Some(Section { name, table, span: value.span() })
    }

    /// The tables of `[[key]]`.
    pub(super) fn tables<'a, 't>(
        &mut self,
        parent: &Section<'a, 't>,
        key: &str,
        name: &'static str,
    ) -> Vec<Section<'a, 't>> {
        let Some(value) = Self::value(parent, key) else { return Vec::new() };
        let Some(items) = value.get_ref().as_array() else {
            self.mismatch(key, value, &format!("a list of tables: write each as [[{key}]]"));
            return Vec::new();
        };
        let mut sections = Vec::new();
        for item in items {
            match item.get_ref().as_table() {
                Some(table) => sections.push(Section { name, table, span: item.span() }),
                None => self.mismatch(key, item, &format!("a list of tables: write each as [[{key}]]")),
            }
        }
        sections
    }
}

/// `"a", "b" and "c"`.
fn list(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [word] => (*word).to_owned(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// `"a", "b" or "c"`.
pub(super) fn alternatives(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    match quoted.as_slice() {
        [] => String::new(),
        [word] => word.clone(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}

/// `5m`, `90s`, `1h30m`, `2 h`, `1d`; at most nine digits a part.
pub(super) fn seconds(text: &str) -> Option<u32> {
    let mut rest = text.trim();
    let mut sum: u32 = 0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let count: u32 = rest.get(..digits)?.parse().ok()?;
        rest = rest[digits..].trim_start();
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let unit_s = match &rest[..letters] {
            "s" | "sec" | "seconds" => 1,
            "m" | "min" | "minutes" => 60,
            "h" | "hour" | "hours" => 3_600,
            "d" | "day" | "days" => 86_400,
            _ => return None,
        };
        sum = sum.checked_add(count.checked_mul(unit_s)?)?;
        rest = rest[letters..].trim_start();
    }
    Some(sum)
}

/// `1 h 30 min`.
pub(super) fn in_words(seconds: u32) -> String {
    let parts = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let mut left = seconds;
    let mut words = Vec::new();
    for (unit_s, unit) in parts {
        if left >= unit_s {
            words.push(format!("{} {unit}", left / unit_s));
            left %= unit_s;
        }
    }
    if words.is_empty() { "0 s".to_owned() } else { words.join(" ") }
}
