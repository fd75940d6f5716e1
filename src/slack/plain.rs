//! Slack's notation to plain text: what a message says, for the timeline.

use crate::domain::roster::Directory;
use crate::ids::{UserGroupId, UserId};

/// Turns `<@U…>`, `<#C…|name>`, `<!subteam^S…>`, `<https://…|label>` and the three entities into what a person reads.
pub fn readable(text: &str, directory: &Directory) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        let Some(length) = rest[start..].find('>') else { break };
        plain.push_str(&rest[..start]);
        plain.push_str(&token(&rest[start + 1..start + length], directory));
        rest = &rest[start + length + 1..];
    }
    plain.push_str(rest);
    plain.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

fn token(token: &str, directory: &Directory) -> String {
    let (target, label) = token.split_once('|').map_or((token, None), |(target, label)| (target, Some(label)));
    let label = label.filter(|label| !label.is_empty());
    match target.split_at_checked(1) {
        Some(("@", id)) => {
            let known = directory.people.get(&UserId::from(id)).map(|person| person.name.as_str());
            format!("@{}", known.or(label).unwrap_or(id))
        }
        Some(("#", id)) => format!("#{}", label.unwrap_or(id)),
        Some(("!", special)) => match special.strip_prefix("subteam^") {
            Some(id) => {
                let known = directory.groups.get(&UserGroupId::from(id)).map(|group| group.handle.as_str());
                format!("@{}", known.or(label).unwrap_or(id).trim_start_matches('@'))
            }
            None => label.map_or_else(|| format!("@{special}"), str::to_owned),
        },
        _ => match label {
            Some(label) if target.trim_start_matches("mailto:") != label => format!("{label} ({target})"),
            _ => target.trim_start_matches("mailto:").to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notation_reads_as_people_see_it() {
        let text = "ask <@U1|ana> in <#C1|ops> &lt;now&gt; &amp;amp; see <https://x.test/a|the graph> <https://y.test>";
        assert_eq!(
            readable(text, &Directory::default()),
            "ask @ana in #ops <now> &amp; see the graph (https://x.test/a) https://y.test"
        );
        assert_eq!(readable("a < b", &Directory::default()), "a < b");
    }
}
