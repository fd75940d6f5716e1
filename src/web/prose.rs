//! Text from people as HTML: one-line texts with their addresses as links, and sections written in Markdown.
//!
//! Nothing that people write can become HTML of its own, run a script or fetch anything.

use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

use crate::domain::postmortem::markdown::{next_address, one_line};

/// Characters that mean something in HTML, written out.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// Plain text as HTML: escaped, lines kept, web addresses clickable.
pub fn words(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty()).map(line);
    lines.collect::<Vec<_>>().join("<br>")
}

fn line(text: &str) -> String {
    let text = one_line(text);
    let (mut out, mut rest) = (String::new(), text.as_ref());
    while let Some((before, address, after)) = next_address(rest) {
        out.push_str(&escape(before));
        let address = escape(address);
        out.push_str("<a rel=\"nofollow noopener noreferrer\" href=\"");
        out.push_str(&address);
        out.push_str("\">");
        out.push_str(&address);
        out.push_str("</a>");
        rest = after;
    }
    out.push_str(&escape(rest));
    out
}

/// Markdown as HTML. HTML in it is shown as text; links lead only to the web, to mail or within the site; pictures
/// become links, because a document must not fetch anything; headings stay below those of the page.
pub fn markdown(text: &str) -> String {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let events = Parser::new_ext(text, options).map(|event| match event {
        Event::Html(raw) | Event::InlineHtml(raw) => Event::Text(raw),
        Event::Start(Tag::Link { link_type, dest_url, title, id } | Tag::Image { link_type, dest_url, title, id }) => {
            Event::Start(Tag::Link { link_type, dest_url: safe(dest_url), title, id })
        }
        Event::End(TagEnd::Image) => Event::End(TagEnd::Link),
        Event::Start(Tag::Heading { level, id, classes, attrs }) => {
            Event::Start(Tag::Heading { level: lowered(level), id, classes, attrs })
        }
        Event::End(TagEnd::Heading(level)) => Event::End(TagEnd::Heading(lowered(level))),
        other => other,
    });
    let mut out = String::new();
    html::push_html(&mut out, events);
    out
}

fn safe(address: CowStr<'_>) -> CowStr<'_> {
    let scheme_end = address.find([':', '/', '?', '#']).filter(|end| address.as_bytes()[*end] == b':');
    let allowed = scheme_end
        .is_none_or(|end| ["http", "https", "mailto"].iter().any(|scheme| address[..end].eq_ignore_ascii_case(scheme)));
    if allowed && !address.starts_with("//") && !address.chars().any(char::is_control) { address } else { "#".into() }
}

fn lowered(level: HeadingLevel) -> HeadingLevel {
    match level {
        HeadingLevel::H1 | HeadingLevel::H2 | HeadingLevel::H3 => HeadingLevel::H3,
        HeadingLevel::H4 => HeadingLevel::H4,
        HeadingLevel::H5 => HeadingLevel::H5,
        HeadingLevel::H6 => HeadingLevel::H6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_in_markdown_is_shown_not_run() {
        let shown = markdown("hello <script>alert(1)</script>\n\n<img src=x onerror=y>\n");
        assert!(!shown.contains("<script") && !shown.contains("<img"), "{shown}");
        assert!(shown.contains("&lt;script&gt;"), "{shown}");
    }

    #[test]
    fn links_lead_only_to_the_web_to_mail_or_within_the_site() {
        for (address, href) in [
            ("https://a.example/", "https://a.example/"),
            ("mailto:a@b.example", "mailto:a@b.example"),
            ("/incidents/1", "/incidents/1"),
            ("notes:today", "#"),
            ("javascript:alert(1)", "#"),
            ("JaVaScRiPt:alert(1)", "#"),
            ("data:text/html,x", "#"),
            ("//evil.example", "#"),
            ("page?a=b:c", "page?a=b:c"),
        ] {
            let shown = markdown(&format!("[x](<{address}>)"));
            assert!(shown.contains(&format!("href=\"{href}\"")), "{address}: {shown}");
        }
    }

    #[test]
    fn pictures_become_links() {
        let shown = markdown("![graph](https://a.example/g.png)");
        assert_eq!(shown.trim(), "<p><a href=\"https://a.example/g.png\">graph</a></p>");
    }

    #[test]
    fn words_are_escaped_and_addresses_are_links() {
        assert_eq!(
            words("a <b> & https://x.example/?a=1&b=2."),
            "a &lt;b&gt; &amp; <a rel=\"nofollow noopener noreferrer\" href=\"https://x.example/?a=1&amp;b=2\">\
             https://x.example/?a=1&amp;b=2</a>."
        );
    }
}
