//! Outside text on its way into Slack.
//!
//! Slack's mrkdwn can mention a whole channel, fake a link or hide its real order behind bidi marks. So a text that
//! did not come from this program is [`Untrusted`], and a text that Slack may interpret is [`Mrkdwn`]. The only ways
//! from one to the other are [`Untrusted::text`] and [`Untrusted::line`]; `mrkdwn!` accepts nothing else.

use std::fmt;

use crate::domain::incident::Severity;
use crate::domain::reference;
use crate::planted::{self, Bug};

/// Text from people, monitoring systems or Slack itself.
#[derive(Clone, Copy, Debug)]
pub struct Untrusted<'a>(pub &'a str);

impl Untrusted<'_> {
    /// Escaped for mrkdwn with its line breaks, cut to `chars_max` characters before escaping.
    pub fn text(self, chars_max: usize) -> Mrkdwn {
        Mrkdwn(escaped(&capped(&cleaned(self.0, true), chars_max)))
    }

    /// Escaped for mrkdwn as one line, cut to `chars_max` characters before escaping.
    pub fn line(self, chars_max: usize) -> Mrkdwn {
        Mrkdwn(escaped(&self.plain(chars_max)))
    }

    /// One line for a `plain_text` object, where Slack interprets nothing.
    pub fn plain(self, chars_max: usize) -> String {
        capped(&cleaned(self.0, false), chars_max)
    }

    /// Several lines for the initial value of a text input.
    pub fn plain_text(self, chars_max: usize) -> String {
        capped(&cleaned(self.0, true), chars_max)
    }
}

/// Text that Slack may interpret: written by this program, or escaped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mrkdwn(String);

impl Mrkdwn {
    /// For `mrkdwn!` alone, which checks the parts.
    pub(super) fn assembled(text: String) -> Self {
        Self(text)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn into_string(self) -> String {
        self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// At most `chars_max` characters, never cut inside an entity or a `<…>` token.
    #[must_use]
    pub fn clipped(self, chars_max: usize) -> Self {
        if self.0.chars().count() <= chars_max || planted::active(Bug::UncutText) {
            return self;
        }
        let mut whole = 0;
        let (mut in_token, mut in_entity) = (false, false);
        for (at, c) in self.0.char_indices().take(chars_max) {
            if !in_token && !in_entity {
                whole = at;
            }
            match c {
                '<' => in_token = true,
                '>' => in_token = false,
                '&' => in_entity = true,
                ';' => in_entity = false,
                _ => {}
            }
        }
        Self(format!("{}…", self.0[..whole].trim_end()))
    }

    /// The parts with `between` in the gaps.
    pub fn join(parts: impl IntoIterator<Item = Self>, between: &'static str) -> Self {
        Self(parts.into_iter().map(|part| part.0).collect::<Vec<_>>().join(between))
    }

    /// "Ana", "Ana and Ben", "Ana, Ben and Chris"; `None` for nobody.
    pub fn list(mut parts: Vec<Self>) -> Option<Self> {
        let last = parts.pop()?;
        if parts.is_empty() {
            return Some(last);
        }
        let first = Self::join(parts, ", ");
        Some(Self(format!("{first} and {last}")))
    }

    /// The first letter in upper case, if the text begins with one: for the start of a sentence.
    #[must_use]
    pub fn capitalized(self) -> Self {
        let mut chars = self.0.chars();
        match chars.next() {
            Some(first) => Self(first.to_uppercase().chain(chars).collect()),
            None => self,
        }
    }
}

impl fmt::Display for Mrkdwn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&'static str> for Mrkdwn {
    fn from(ours: &'static str) -> Self {
        Self(ours.to_owned())
    }
}

/// What `mrkdwn!` may put into a text: already escaped, written in the source, or a number.
pub trait Safe: fmt::Display {}
impl Safe for Mrkdwn {}
impl Safe for &'static str {}
impl Safe for u32 {}
impl Safe for i64 {}
impl Safe for usize {}
impl Safe for Severity {}
impl Safe for &Mrkdwn {}
impl Safe for &u32 {}
impl Safe for &Severity {}

/// Lets only a [`Safe`] part through.
pub fn safe<T: Safe>(part: &T) -> &T {
    part
}

/// `format!` for [`Mrkdwn`]: every argument must be [`Safe`], and names cannot be captured from around it.
macro_rules! mrkdwn {
    ($format:literal $(, $part:expr)* $(,)?) => {
        $crate::slack::escape::Mrkdwn::assembled(
            format!(concat!($format) $(, $crate::slack::escape::safe(&$part))*)
        )
    };
}
pub(crate) use mrkdwn;

/// The longest that a name of a person, team, group or channel may grow in a sentence, in characters.
pub const NAME_CHARS_MAX: usize = 80;
/// The longest that a reason or note may grow inside a sentence, in characters.
pub const QUOTE_CHARS_MAX: usize = 300;

/// A name of a person, team, group or channel.
pub fn name(text: &str) -> Mrkdwn {
    Untrusted(text).line(NAME_CHARS_MAX)
}

/// Somebody's words inside a sentence, in quotation marks, on one line.
pub fn quoted(text: &str) -> Mrkdwn {
    mrkdwn!("“{}”", Untrusted(text).line(QUOTE_CHARS_MAX))
}

/// As [`quoted`], as the end of a sentence: with a full stop, unless the words bring their own end.
pub fn quoted_end(text: &str) -> Mrkdwn {
    let said = Untrusted(text).line(QUOTE_CHARS_MAX);
    if said.as_str().ends_with(['.', '?', '!', '…']) { mrkdwn!("“{}”", said) } else { mrkdwn!("“{}”.", said) }
}

/// `<@U…>`, which notifies; or the bare text if that is not an id as Slack makes them.
pub fn mention(user: &str) -> Mrkdwn {
    sigil("@", user)
}

/// `<#C…>`, shown as a link with the channel's name to those who may see it.
pub fn channel(id: &str) -> Mrkdwn {
    sigil("#", id)
}

/// `<!subteam^S…>`, which notifies the group's members.
pub fn group_mention(id: &str) -> Mrkdwn {
    sigil("!subteam^", id)
}

fn sigil(sigil: &'static str, id: &str) -> Mrkdwn {
    if !id.is_empty() && id.len() <= 32 && id.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()) {
        Mrkdwn(format!("<{sigil}{id}>"))
    } else {
        name(id)
    }
}

/// `<https://…|label>`; only the label if the address is not http(s) or has characters that would end the token.
pub fn link(url: &str, label: &str) -> Mrkdwn {
    let label = Untrusted(label).line(NAME_CHARS_MAX);
    match safe_url(url) {
        Some(url) => Mrkdwn(format!("<{}|{}>", escaped(url), label.0.replace('|', "¦"))),
        None => label,
    }
}

/// The address, if a person can be sent there: http(s), without blanks, control characters or mrkdwn's own marks.
pub fn safe_url(url: &str) -> Option<&str> {
    let http = url.starts_with("https://") || url.starts_with("http://");
    let clean = url.chars().all(|c| !c.is_control() && !c.is_whitespace() && !matches!(c, '<' | '>' | '|' | '"'));
    (http && clean && url.len() <= 2000 && !url.chars().any(is_unseen)).then_some(url)
}

/// A date token: `format` in the reader's own zone, `fallback` where Slack cannot.
pub fn date_token(unix_s: i64, format: &'static str, fallback: &str) -> Mrkdwn {
    let fallback = escaped(&cleaned(fallback, false)).replace('|', "¦");
    Mrkdwn(format!("<!date^{unix_s}^{format}|{fallback}>"))
}

fn escaped(text: &str) -> String {
    if !text.bytes().any(|byte| matches!(byte, b'&' | b'<' | b'>' | b'@')) {
        return text.to_owned();
    }
    let mut escaped = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '@' => {
                escaped.push('@');
                if broadcasts(&rest[1..]) {
                    // A word joiner: reads the same, mentions nobody.
                    escaped.push('\u{2060}');
                }
            }
            c => escaped.push(c),
        }
        rest = &rest[c.len_utf8()..];
    }
    escaped
}

/// Whether Slack's automatic parsing could take `@` + this for a mention of everybody.
fn broadcasts(after_at: &str) -> bool {
    ["here", "channel", "everyone", "group"]
        .iter()
        .any(|word| after_at.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word)))
}

/// Cut to `chars_max` characters, the last being "…".
pub(super) fn capped(text: &str, chars_max: usize) -> String {
    if text.chars().count() <= chars_max || planted::active(Bug::UncutText) {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(chars_max.saturating_sub(1)).collect();
    cut.truncate(cut.trim_end().len());
    cut.push('…');
    cut
}

/// With references put into words, without characters that control the reader's screen, trimmed; line breaks become blanks
/// unless they are kept, and more than one empty line becomes one.
fn cleaned(text: &str, keep_lines: bool) -> String {
    let is_clean = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    if is_clean && text.trim().len() == text.len() && !text.contains("  ") {
        return text.to_owned();
    }
    let text = reference::by_handle(text);
    let mut cleaned = String::with_capacity(text.len());
    let mut newlines = 0;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let c = match c {
            '\n' | '\u{2028}' | '\u{2029}' | '\u{b}' | '\u{c}' | '\u{85}' if keep_lines => '\n',
            '\n' | '\u{2028}' | '\u{2029}' | '\u{b}' | '\u{c}' | '\u{85}' | '\t' => ' ',
            c => c,
        };
        match c {
            '\n' if newlines < 2 => {
                newlines += 1;
                cleaned.push('\n');
            }
            '\n' => {}
            ' ' if !keep_lines && cleaned.ends_with(' ') => {}
            '\u{200c}' | '\u{200d}' if joins(cleaned.chars().next_back(), chars.peek().copied()) => cleaned.push(c),
            c if c.is_control() || is_unseen(c) => {}
            c => {
                newlines = 0;
                cleaned.push(c);
            }
        }
    }
    cleaned.trim().to_owned()
}

/// Whether a joiner between these two is part of an emoji or of a script that needs it.
fn joins(before: Option<char>, after: Option<char>) -> bool {
    let (Some(before), Some(after)) = (before, after) else { return false };
    let pictorial = |c: char| matches!(c, '\u{2190}'..='\u{2bff}' | '\u{fe0f}' | '\u{1f000}'..='\u{1faff}');
    let joining = |c: char| c >= '\u{600}' && c.is_alphabetic() || matches!(c, '\u{900}'..='\u{d7f}');
    pictorial(before) && pictorial(after) || joining(before) && joining(after)
}

/// Characters that take no room or turn the writing direction.
fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn markup_becomes_text() {
        let said = Untrusted("<!channel> <@U1> <https://evil|bank> a & b").text(100);
        assert_eq!(said.as_str(), "&lt;!channel&gt; &lt;@U1&gt; &lt;https://evil|bank&gt; a &amp; b");
    }

    #[test]
    fn a_typed_broadcast_reads_the_same_and_mentions_nobody() {
        assert_eq!(Untrusted("@Here and me@channel.io").line(80).as_str(), "@\u{2060}Here and me@\u{2060}channel.io");
    }

    #[test]
    fn unseen_characters_go_and_joined_emoji_stay() {
        assert_eq!(Untrusted("a\u{202e}b\u{200b}c\0d").line(80).as_str(), "abcd");
        assert_eq!(Untrusted("👩\u{200d}🚒 fire\u{200d}bell").line(80).as_str(), "👩\u{200d}🚒 firebell");
        assert_eq!(Untrusted("می\u{200c}خواهم").line(80).as_str(), "می\u{200c}خواهم");
    }

    #[test]
    fn lines_are_kept_or_joined() {
        assert_eq!(Untrusted(" one\r\n\n\n\n\ntwo ").text(80).as_str(), "one\n\ntwo");
        assert_eq!(Untrusted("one\n\ttwo").line(80).as_str(), "one two");
    }

    #[test]
    fn a_long_text_ends_in_an_ellipsis() {
        assert_eq!(Untrusted(&"é".repeat(20)).line(5).as_str(), "éééé…");
    }

    #[test]
    fn clipping_never_cuts_a_token_in_two() {
        let whole = mrkdwn!("ab {} cd", date_token(1, "{time}", "3:00 PM EDT"));
        for chars_max in 1..60 {
            let cut = whole.clone().clipped(chars_max);
            assert!(cut.as_str().chars().count() <= chars_max.max(1));
            assert_eq!(cut.as_str().matches('<').count(), cut.as_str().matches('>').count(), "{cut}");
        }
    }

    #[test]
    fn an_address_that_would_break_the_token_is_only_its_label() {
        assert_eq!(link("javascript:alert(1)", "page").as_str(), "page");
        assert_eq!(link("https://a.example/|x>", "page").as_str(), "page");
        assert_eq!(link("https://a.example/?a=1&b=2", "page").as_str(), "<https://a.example/?a=1&amp;b=2|page>");
    }

    #[test]
    fn an_odd_id_mentions_nobody() {
        assert_eq!(mention("U1> <!channel").as_str(), "U1&gt; &lt;!channel");
    }

    proptest! {
        #[test]
        fn no_markup_survives(text in "\\PC*|(<!|<@|<#|<http|channel>|@here|[<>&|!@#\u{202e}\u{200b}\0\n]|.)*", chars_max in 1_usize..200) {
            for said in [Untrusted(&text).text(chars_max), Untrusted(&text).line(chars_max), name(&text)] {
                for mark in ["<", ">"] {
                    prop_assert!(!said.as_str().contains(mark));
                }
                prop_assert!(!said.as_str().to_ascii_lowercase().contains("@here"));
                prop_assert!(said.as_str().chars().all(|c| c == '\n' || !c.is_control()));
                prop_assert!(said.as_str().chars().all(|c| !is_unseen(c) || c == '\u{2060}'), "{said}");
            }
            prop_assert!(Untrusted(&text).plain(chars_max).chars().count() <= chars_max);
        }
    }
}
