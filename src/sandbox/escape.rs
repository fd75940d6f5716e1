//! Turns what people type into what Slack stores and sends: escaped characters, mentions, channels and links.

use serde_json::{Value, json};

use super::state::{Channel, ChannelKind, State};

/// Characters that are escaped already.
const ENTITIES: [&str; 3] = ["&amp;", "&lt;", "&gt;"];

/// How mentions and channels are to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// A stored message: `<@U1>`, `<#C1|name>`.
    Message,
    /// A slash command with `should_escape`: `<@U1|name>`, `<#C1|name>`, `<#C1|>` for a private channel.
    Command,
    /// A slash command without it: `@name`, `#name`, plain links.
    Plain,
}

/// What a person's message is stored as.
pub(crate) fn message_text(state: &State, typed: &str) -> String {
    rewrite(state, typed, Style::Message)
}

/// The `text` a slash command reaches the app with.
pub(crate) fn command_text(state: &State, typed: &str, should_escape: bool) -> String {
    rewrite(state, typed, if should_escape { Style::Command } else { Style::Plain })
}

/// `&`, `<` and `>` as Slack writes them.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn unescape(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

/// Text that an app posted: bare ampersands become entities, everything else stays.
pub(crate) fn app_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, letter) in text.char_indices() {
        let rest = &text[at..];
        if letter == '&' && !ENTITIES.iter().any(|entity| rest.starts_with(*entity)) {
            out.push_str("&amp;");
        } else {
            out.push(letter);
        }
    }
    out
}

fn rewrite(state: &State, typed: &str, style: Style) -> String {
    let mut out = String::with_capacity(typed.len() + 16);
    let mut rest = typed;
    let mut boundary = true;
    while let Some(letter) = rest.chars().next() {
        let (written, taken) = if letter == '<'
            && let Some((entity, taken)) = read_entity(rest)
        {
            (write_entity(state, entity, style), taken)
        } else if letter == '@'
            && boundary
            && let Some(found) = read_mention(state, rest, style)
        {
            found
        } else if letter == '#'
            && boundary
            && let Some(found) = read_channel(state, rest, style)
        {
            found
        } else if boundary && (rest.starts_with("http://") || rest.starts_with("https://")) {
            let link = read_link(rest);
            let written = if style == Style::Plain { escape(link) } else { format!("<{}>", escape(link)) };
            (written, link.len())
        } else {
            (escape(&rest[..letter.len_utf8()]), letter.len_utf8())
        };
        out.push_str(&written);
        boundary = taken == letter.len_utf8() && !letter.is_alphanumeric();
        rest = &rest[taken..];
    }
    out
}

/// An entity that is already written as Slack writes it, without its brackets, and how much text it takes.
fn read_entity(text: &str) -> Option<(&str, usize)> {
    let inner = text.strip_prefix('<')?;
    let end = inner.find(['>', '<', '\n'])?;
    let entity = &inner[..end];
    let known = inner[end..].starts_with('>')
        && (["@U", "@W", "#C", "#G", "!subteam^", "!date^", "http://", "https://", "mailto:"]
            .iter()
            .any(|start| entity.starts_with(start))
            || ["!here", "!channel", "!everyone"].contains(&entity));
    known.then_some((entity, end + 2))
}

fn write_entity(state: &State, entity: &str, style: Style) -> String {
    if let Some(user) = entity.strip_prefix('@') {
        let id = user.split('|').next().unwrap_or_default();
        return mention(state, id, style).unwrap_or_else(|| format!("<{entity}>"));
    }
    if let Some(channel) = entity.strip_prefix('#') {
        let id = channel.split('|').next().unwrap_or_default();
        return state.channels.get(id).map_or_else(|| format!("<{entity}>"), |found| channel_text(found, style));
    }
    format!("<{entity}>")
}

fn mention(state: &State, id: &str, style: Style) -> Option<String> {
    let user = state.find_user(id)?;
    Some(match style {
        Style::Message => format!("<@{id}>"),
        Style::Command => format!("<@{id}|{}>", escape(&user.name)),
        Style::Plain => format!("@{}", escape(&user.name)),
    })
}

fn channel_text(channel: &Channel, style: Style) -> String {
    let name = match channel.kind {
        ChannelKind::Public => channel.name.as_str(),
        ChannelKind::Private | ChannelKind::Im | ChannelKind::Mpim => "",
    };
    match style {
        Style::Message | Style::Command => format!("<#{}|{name}>", channel.id),
        Style::Plain => format!("#{}", channel.name),
    }
}

fn word_after_sign(text: &str) -> &str {
    let body = &text[1..];
    let end = body
        .find(|letter: char| !(letter.is_alphanumeric() || letter == '_' || letter == '-' || letter == '.'))
        .unwrap_or(body.len());
    body[..end].trim_end_matches(['.', '-', '_'])
}

fn read_mention(state: &State, text: &str, style: Style) -> Option<(String, usize)> {
    let word = word_after_sign(text);
    let lower = word.to_lowercase();
    let taken = 1 + word.len();
    if ["here", "channel", "everyone"].contains(&lower.as_str()) {
        let written = if style == Style::Plain { format!("@{lower}") } else { format!("<!{lower}>") };
        return Some((written, taken));
    }
    if let Some(user) = state.users.iter().find(|user| user.name == lower && !user.deleted) {
        return mention(state, &user.id, style).map(|written| (written, taken));
    }
    let group = state.usergroups.iter().find(|group| group.handle == lower && !group.disabled)?;
    let written = match style {
        Style::Message | Style::Command => format!("<!subteam^{}|@{}>", group.id, group.handle),
        Style::Plain => format!("@{}", group.handle),
    };
    Some((written, taken))
}

fn read_channel(state: &State, text: &str, style: Style) -> Option<(String, usize)> {
    let word = word_after_sign(text);
    let channel = state.find_channel_named(&word.to_lowercase())?;
    Some((channel_text(channel, style), 1 + word.len()))
}

fn read_link(text: &str) -> &str {
    let end = text.find(|letter: char| letter.is_whitespace() || letter == '<' || letter == '>').unwrap_or(text.len());
    text[..end].trim_end_matches(['.', ',', ';', ':', '!', '?', ')'])
}

/// The `rich_text` block that Slack adds to what a person typed.
pub(crate) fn rich_text(stored: &str) -> Value {
    let mut elements = Vec::new();
    let mut plain = String::new();
    let mut rest = stored;
    while !rest.is_empty() {
        if let Some((entity, taken)) = read_entity(rest) {
            if !plain.is_empty() {
                elements.push(json!({ "type": "text", "text": unescape(&std::mem::take(&mut plain)) }));
            }
            elements.push(entity_element(entity));
            rest = &rest[taken..];
        } else {
            let step = rest.chars().next().map_or(1, char::len_utf8);
            plain.push_str(&rest[..step]);
            rest = &rest[step..];
        }
    }
    if !plain.is_empty() {
        elements.push(json!({ "type": "text", "text": unescape(&plain) }));
    }
    json!([{ "type": "rich_text", "block_id": "typed", "elements": [{ "type": "rich_text_section", "elements": elements }] }])
}

fn entity_element(entity: &str) -> Value {
    let (target, label) = entity.split_once('|').map_or((entity, None), |(target, label)| (target, Some(label)));
    if let Some(user) = target.strip_prefix('@') {
        json!({ "type": "user", "user_id": user })
    } else if let Some(channel) = target.strip_prefix('#') {
        json!({ "type": "channel", "channel_id": channel })
    } else if let Some(group) = target.strip_prefix("!subteam^") {
        json!({ "type": "usergroup", "usergroup_id": group })
    } else if let Some(range) = target.strip_prefix('!') {
        json!({ "type": "broadcast", "range": range })
    } else {
        let mut link = json!({ "type": "link", "url": unescape(target) });
        if let Some(label) = label {
            link["text"] = json!(unescape(label));
        }
        link
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::fixture::Workspace;

    fn shop() -> State {
        Workspace::demo().into_state(0)
    }

    #[test]
    fn a_message_is_stored_with_entities() {
        let typed = "a < b & c, @ben and @dev-team: see #shop-ops, https://shop.example/a?x=1&y=2. <@U0ANA00001> @nobody me@ben.example @here";
        assert_eq!(
            message_text(&shop(), typed),
            "a &lt; b &amp; c, <@U0BEN00001> and <!subteam^S0DEVTEAM1|@dev-team>: see <#C0SHOPOPS1|shop-ops>, \
             <https://shop.example/a?x=1&amp;y=2>. <@U0ANA00001> @nobody me@ben.example <!here>"
        );
    }

    #[test]
    fn a_command_is_escaped_as_it_was_configured() {
        let mut shop = shop();
        shop.channels.get_mut("C0ALERTS01").expect("demo channel").kind = ChannelKind::Private;
        let typed = "role scribe @ben in #shop-ops and #alerts <now> https://a.example";
        assert_eq!(
            command_text(&shop, typed, true),
            "role scribe <@U0BEN00001|ben> in <#C0SHOPOPS1|shop-ops> and <#C0ALERTS01|> &lt;now&gt; <https://a.example>"
        );
        assert_eq!(
            command_text(&shop, typed, false),
            "role scribe @ben in #shop-ops and #alerts &lt;now&gt; https://a.example"
        );
        assert_eq!(command_text(&shop, "<@U0BEN00001> &lt;", true), "<@U0BEN00001|ben> &amp;lt;");
    }

    #[test]
    fn typed_text_becomes_rich_text() {
        let block = rich_text("hi <@U1>, a &lt; b <https://a.example|A>");
        let elements = &block[0]["elements"][0]["elements"];
        assert_eq!(elements[0], json!({ "type": "text", "text": "hi " }));
        assert_eq!(elements[1], json!({ "type": "user", "user_id": "U1" }));
        assert_eq!(elements[2], json!({ "type": "text", "text": ", a < b " }));
        assert_eq!(elements[3], json!({ "type": "link", "url": "https://a.example", "text": "A" }));
    }

    #[test]
    fn an_apps_bare_ampersand_becomes_an_entity_once() {
        assert_eq!(app_text("a & b &amp; <@U1>"), "a &amp; b &amp; <@U1>");
    }
}
