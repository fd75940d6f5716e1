//! The document as Markdown: plain enough to read as it stands, and safe to render.
//!
//! Text from outside is escaped so that it can neither start a block nor become markup, a link with a hidden target or
//! HTML. What a person wrote for a section is passed through: it is Markdown already.

use std::borrow::Cow;
use std::fmt::Write;

use super::{Block, Line, MomentRow, Postmortem, Section, Sentence, Stretch, TaskLine};
use crate::domain::civil::format::date;
use crate::domain::timeline::capitalised;

/// A part of the Markdown document under its own name, so that an export can tell which parts people changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// `header`, `open`, or the section's key.
    pub key: String,
    pub heading: Option<String>,
    /// Without a blank line at either end.
    pub body: String,
}

/// The whole document.
pub fn markdown(postmortem: &Postmortem) -> String {
    let mut out = String::new();
    for part in parts(postmortem) {
        if let Some(heading) = &part.heading {
            let _ = write!(out, "## {heading}\n\n");
        }
        out.push_str(&part.body);
        out.push_str("\n\n");
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

/// The document's parts in order, each as it is generated or as a person wrote it.
pub fn parts(postmortem: &Postmortem) -> Vec<Part> {
    let mut parts = vec![Part { key: "header".to_owned(), heading: None, body: header(postmortem) }];
    if !postmortem.still_open.is_empty() {
        parts.push(Part { key: "open".to_owned(), heading: None, body: still_open(&postmortem.still_open) });
    }
    parts.extend(postmortem.sections.iter().map(|section| Part {
        key: section.key.clone(),
        heading: Some(escape(&section.heading)),
        body: section.written.as_ref().map_or_else(|| generated(section), |text| text.trim().to_owned()),
    }));
    parts
}

/// What Firebell writes for a section, whether or not a person has replaced it.
pub fn generated(section: &Section) -> String {
    section.blocks.iter().map(block).collect::<Vec<_>>().join("\n\n")
}

fn header(postmortem: &Postmortem) -> String {
    let status = capitalised(postmortem.status.word());
    format!(
        "# {}: {}\n\n{} · {status} · {}",
        postmortem.name,
        escape(&postmortem.title),
        postmortem.severity,
        date(postmortem.day())
    )
}

fn still_open(open: &[Sentence]) -> String {
    let mut out = "> **Still open**\n>".to_owned();
    for sentence in open {
        let _ = write!(out, "\n> - {}", escape(&sentence.plain()));
    }
    out
}

fn block(block: &Block) -> String {
    match block {
        Block::Paragraph(sentences) => match sentences.as_slice() {
            [one] => labelled(one, ""),
            several => several.iter().map(|sentence| escape(&sentence.plain())).collect::<Vec<_>>().join(" "),
        },
        Block::List(sentences) => {
            sentences.iter().map(|s| format!("- {}", indented(&s.plain()))).collect::<Vec<_>>().join("\n")
        }
        Block::Timeline(stretches) => stretches.iter().map(stretch).collect::<Vec<_>>().join("\n\n"),
        Block::Moments(rows) => moments(rows),
        Block::Tasks(tasks) => tasks.iter().map(task).collect::<Vec<_>>().join("\n"),
    }
}

fn labelled(sentence: &Sentence, indent: &str) -> String {
    let text = escape_lines(&sentence.text, indent);
    match &sentence.lead {
        Some(lead) if text.is_empty() => format!("**{}**", escape(lead)),
        Some(lead) => format!("**{}** {text}", escape(lead)),
        None => text,
    }
}

fn stretch(stretch: &Stretch) -> String {
    let lines = stretch.lines.iter().map(line).collect::<Vec<_>>().join("\n");
    match &stretch.heading {
        Some(heading) => format!("### {}\n\n{lines}", escape(heading)),
        None => lines,
    }
}

fn line(line: &Line) -> String {
    let sentence = Sentence { lead: line.lead.clone(), text: line.text.clone(), sources: Vec::new() };
    format!("- {}: {}{}", line.time, labelled(&sentence, "  "), line.repeated())
}

fn moments(rows: &[MomentRow]) -> String {
    let mut out = "| Moment | Time | Reckoned |\n| --- | --- | --- |".to_owned();
    for row in rows {
        let _ = write!(out, "\n| {} | {} | {} |", row.name, escape(&row.time), escape(&row.after));
    }
    out
}

fn task(task: &TaskLine) -> String {
    let mark = if task.done { 'x' } else { ' ' };
    let owner = task.owner.as_ref().map(|owner| format!("owned by {}", escape(owner)));
    let due = task.due_on.map(|due| format!("due {}", date(due)));
    let known: Vec<String> = owner.into_iter().chain(due).collect();
    let known = if known.is_empty() { String::new() } else { format!(" ({})", known.join(", ")) };
    format!("- [{mark}] {}{known}", indented(&task.text))
}

fn indented(text: &str) -> String {
    escape_lines(text, "  ")
}

/// Text with line breaks, each kept as a hard break whose next line is indented into the same block.
fn escape_lines(text: &str, indent: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty()).map(escape);
    lines.collect::<Vec<_>>().join(&format!("\\\n{indent}"))
}

/// One line of text from outside, made harmless. Addresses stay clickable and show where they lead.
pub fn escape(text: &str) -> String {
    let text = one_line(text);
    let mut out = String::with_capacity(text.len() + 8);
    let mut rest: &str = &text;
    while let Some((before, address, after)) = next_address(rest) {
        escape_words(before, out.is_empty(), &mut out);
        let _ = write!(out, "<{address}>");
        rest = after;
    }
    escape_words(rest, out.is_empty(), &mut out);
    out
}

/// Line breaks and control characters become spaces; characters that reorder the text around them are dropped.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    let reorders = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if !text.chars().any(|c| c.is_control() || reorders(c)) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().filter(|c| !reorders(*c)).map(|c| if c.is_control() { ' ' } else { c }).collect())
}

/// The next web address in the text: what stands before it, the address, what follows.
pub(crate) fn next_address(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    while let Some(found) = text[from..].find("http") {
        let start = from + found;
        let scheme = ["https://", "http://"].iter().find(|scheme| text[start..].starts_with(**scheme));
        let begins = !text[..start].chars().next_back().is_some_and(char::is_alphanumeric);
        if let Some(scheme) = scheme.filter(|_| begins) {
            let is_end = |c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"' | '\\' | '`' | '|' | '^');
            let end = text[start..].find(is_end).map_or(text.len(), |length| start + length);
            let address =
                text[start..end].trim_end_matches(['.', ',', ';', ':', '!', '?', ')', ']', '}', '\'', '*', '_']);
            if address.len() > scheme.len() {
                return Some((&text[..start], address, &text[start + address.len()..]));
            }
        }
        from = start + "http".len();
    }
    None
}

fn escape_words(text: &str, at_start: bool, out: &mut String) {
    let tildes = text.matches('~').count() > 1;
    let digits = if at_start { text.chars().take_while(char::is_ascii_digit).count() } else { 0 };
    let mut before: Option<char> = None;
    let mut characters = text.char_indices().peekable();
    while let Some((index, c)) = characters.next() {
        let after = characters.peek().map(|(_, next)| *next);
        let opens = at_start && index == 0 && matches!(c, '#' | '+' | '-' | '>' | '=' | ':');
        let numbers = digits > 0 && index == digits && matches!(c, '.' | ')');
        let inside_word = before.is_some_and(char::is_alphanumeric) && after.is_some_and(char::is_alphanumeric);
        let special = match c {
            '\\' | '`' | '*' | '[' | ']' | '|' | '<' => true,
            '_' => !inside_word,
            '~' => tildes,
            '&' => after.is_some_and(|next| next.is_ascii_alphanumeric() || next == '#') && text[index..].contains(';'),
            _ => false,
        };
        if opens || numbers || special {
            out.push('\\');
        }
        out.push(c);
        before = Some(c);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_text_cannot_become_markup() {
        for (text, escaped) in [
            ("# not a heading", "\\# not a heading"),
            ("1. not a list", "1\\. not a list"),
            ("- nor this", "\\- nor this"),
            ("a | b", "a \\| b"),
            ("`rm -rf` *now*", "\\`rm -rf\\` \\*now\\*"),
            ("<script>alert(1)</script>", "\\<script>alert(1)\\</script>"),
            ("[click](javascript:x)", "\\[click\\](javascript:x)"),
            ("snake_case and _emphasis_", "snake_case and \\_emphasis\\_"),
            ("~~gone~~ but ~5 min", "\\~\\~gone\\~\\~ but \\~5 min"),
            ("~5 min", "~5 min"),
            ("&lt; and R&D", "\\&lt; and R&D"),
            ("two\nlines", "two lines"),
            ("see https://a.example/x_y_z?q=1.", "see <https://a.example/x_y_z?q=1>."),
            ("bug #11956 (3.5 GB)", "bug #11956 (3.5 GB)"),
            ("matrix.org is down", "matrix.org is down"),
        ] {
            assert_eq!(escape(text), escaped);
        }
    }

    #[test]
    fn line_breaks_stay_inside_their_list_item() {
        assert_eq!(indented("first\n\n# second"), "first\\\n  \\# second");
    }
}
