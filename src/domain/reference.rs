//! People and user groups that a text refers to.
//!
//! Somebody who picks a person from Slack's list means that person, whatever they will be called; somebody who types
//! the very characters `<@U123>` means those characters. So a real reference begins with a mark that nobody can type,
//! and everything without it is text. It must not be shown: every reader turns it into words by [`in_words`].

/// Begins a reference; a control character, which no other text keeps.
pub const MARK: char = '\u{2}';

/// Whom a reference means, with the name that Slack gave, if any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reference<'t> {
    Person { id: &'t str, label: Option<&'t str> },
    Group { id: &'t str, label: Option<&'t str> },
}

impl<'t> Reference<'t> {
    /// What stands between the brackets, such as `@U123|ana` or `!subteam^S1`; `None` if it is neither.
    pub fn of(inside: &'t str) -> Option<Self> {
        let (target, label) = inside.split_once('|').map_or((inside, None), |(target, label)| (target, Some(label)));
        let label = label.map(|label| label.trim_start_matches('@')).filter(|label| !label.is_empty());
        let is_id = |id: &str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if let Some(id) = target.strip_prefix('@').filter(|id| is_id(id)) {
            return Some(Self::Person { id, label });
        }
        let id = target.strip_prefix("!subteam^").filter(|id| is_id(id))?;
        Some(Self::Group { id, label })
    }

    /// `@ana`: the name that Slack gave, else the id.
    pub fn handle(self) -> String {
        let (Self::Person { id, label } | Self::Group { id, label }) = self;
        format!("@{}", label.unwrap_or(id))
    }
}

/// The reference that `text` begins with, and what follows.
pub fn leading(text: &str) -> Option<(Reference<'_>, &str)> {
    let (inside, rest) = text.strip_prefix(MARK)?.strip_prefix('<')?.split_once('>')?;
    Some((Reference::of(inside)?, rest))
}

/// The text with each reference put into words; marks without one are left out.
pub fn in_words(text: &str, words: impl Fn(Reference<'_>, bool) -> String) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(MARK) {
        out.push_str(&rest[..start]);
        match leading(&rest[start..]) {
            Some((reference, after)) => {
                let said = words(reference, out.is_empty());
                out.push_str(&said);
                rest = after;
            }
            None => rest = &rest[start + MARK.len_utf8()..],
        }
    }
    out.push_str(rest);
    out
}

/// The text with the names that Slack gave.
pub fn by_handle(text: &str) -> String {
    in_words(text, |reference, _| reference.handle())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_reads_as_a_name_and_the_same_characters_typed_stay() {
        let text = "ask \u{2}<@U1|ana> or \u{2}<!subteam^S1|@dev>, not <@U1|ana> or <!channel>";
        assert_eq!(by_handle(text), "ask @ana or @dev, not <@U1|ana> or <!channel>");
        assert_eq!(by_handle("\u{2}<@U1>: \u{2}<b> \u{2}"), "@U1: <b> ");
    }
}
