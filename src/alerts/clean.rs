//! Text from strangers, made fit to keep and to show: no control characters, no tricks with the reading direction, no
//! characters that cannot be seen, and never longer than its place allows. Escaping for Slack or HTML happens where
//! the text is shown.

use sha2::{Digest, Sha256};

use super::DEDUP_KEY_CHARS_MAX;

/// One line: white space of every kind becomes single spaces; cut to `chars_max` with an ellipsis.
pub(super) fn line(text: &str, chars_max: usize) -> String {
    let visible: String = text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).filter(|c| shows(*c)).collect();
    cut(&visible.split_whitespace().collect::<Vec<_>>().join(" "), chars_max)
}

/// Several lines: line ends are `\n`, other control characters vanish; cut to `chars_max` with an ellipsis.
pub(super) fn text(text: &str, chars_max: usize) -> String {
    let text = text.replace("\r\n", "\n").replace(['\r', '\u{2028}', '\u{2029}', '\u{85}', '\u{b}', '\u{c}'], "\n");
    let visible: String = text.chars().filter(|c| *c == '\n' || *c == '\t' || shows(*c)).collect();
    cut(visible.trim(), chars_max)
}

/// Cuts to at most `chars_max` characters; the last one is then an ellipsis.
pub(super) fn cut(text: &str, chars_max: usize) -> String {
    if text.chars().count() <= chars_max {
        return text.to_owned();
    }
    let mut kept: String = text.chars().take(chars_max.saturating_sub(1)).collect();
    kept.truncate(kept.trim_end().len());
    kept.push('…');
    kept
}

/// A dedup key as we keep it. A plain one stays as it is; one that is too long or has characters that we do not keep
/// ends in a hash of the whole, so that two different keys never become one.
pub(super) fn dedup_key(raw: &str) -> String {
    let clean = line(raw, usize::MAX);
    if clean == raw && raw.chars().count() <= DEDUP_KEY_CHARS_MAX {
        return clean;
    }
    let digest = hex::encode(Sha256::digest(raw.as_bytes()));
    let start: String = clean.chars().take(DEDUP_KEY_CHARS_MAX - digest.len() - 1).collect();
    format!("{start}#{digest}")
}

/// A web address that may be shown as a link.
pub(super) fn link(raw: &str) -> Option<String> {
    let raw = raw.trim();
    let rest = raw.strip_prefix("https://").or_else(|| raw.strip_prefix("http://"))?;
    let fits = raw.chars().count() <= super::LINK_CHARS_MAX;
    let plain = raw.chars().all(|c| shows(c) && !c.is_whitespace() && !matches!(c, '<' | '>' | '|' | '"' | '\\'));
    (fits && plain && !rest.is_empty() && !rest.starts_with('/')).then(|| raw.to_owned())
}

/// Whether a character can be seen, or at least shapes what is seen. The zero-width joiners stay: emoji and several
/// scripts need them.
fn shows(c: char) -> bool {
    let hidden = matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    !c.is_control() && !hidden
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_and_direction_characters_vanish_from_a_line() {
        assert_eq!(line("db\0 \u{202e}nwod\u{202c}\u{200b}\n  now\u{7f}", 150), "db nwod now");
    }

    #[test]
    fn lines_of_a_text_survive_and_other_controls_do_not() {
        assert_eq!(text("\u{feff}one\r\ntwo\u{2028}three\u{1b}[31m\0 ", 150), "one\ntwo\nthree[31m");
    }

    #[test]
    fn a_family_emoji_keeps_its_joiners() {
        assert_eq!(line("👩\u{200d}👧", 10), "👩\u{200d}👧");
    }

    #[test]
    fn a_cut_text_is_as_long_as_allowed_and_says_so() {
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("ab def", 4), "ab…");
        assert_eq!(cut("äöü", 3), "äöü");
    }

    #[test]
    fn long_dedup_keys_stay_different_from_each_other() {
        let (one, two) = (format!("{}1", "k".repeat(300)), format!("{}2", "k".repeat(300)));
        assert_ne!(dedup_key(&one), dedup_key(&two));
        assert_eq!(dedup_key(&one).chars().count(), DEDUP_KEY_CHARS_MAX);
        assert_eq!(dedup_key("disk-full:db1"), "disk-full:db1");
        assert_ne!(dedup_key("a\0b"), dedup_key("ab"));
    }

    #[test]
    fn only_web_addresses_are_links() {
        assert_eq!(
            link(" https://grafana.example/d/1?x=1&y=2 ").as_deref(),
            Some("https://grafana.example/d/1?x=1&y=2")
        );
        for bad in ["javascript:alert(1)", "http://", "https:///x", "https://a b", "https://a|b", "/relative", ""] {
            assert_eq!(link(bad), None, "{bad}");
        }
    }
}
