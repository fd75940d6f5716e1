//! The pieces of a typed text: words, quotes, options, mentions, teams, people, incident numbers.

use super::{Context, Problem, Reading, Unclear};
use crate::domain::incident::Severity;
use crate::domain::policy::Target;
use crate::domain::reference;
use crate::domain::roster::{Directory, Roster};
use crate::ids::{TeamKey, UserId};

/// Most suggestions for one word.
const NEAR_MAX: usize = 3;

/// The first word and the rest, without the blanks between.
pub(super) fn word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    let (word, rest) = text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()));
    (word, rest.trim_start())
}

pub(super) fn blank_to_none(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// What stands behind a colon that begins the text: taken as it is, whatever it looks like.
pub(super) fn after_colon(text: &str) -> Option<String> {
    text.trim_start().strip_prefix(": ").and_then(blank_to_none)
}

/// `text` behind a word or phrase, in any case, and behind the colon and blanks that follow it.
pub(super) fn strip_phrase<'t>(text: &'t str, phrase: &str) -> Option<&'t str> {
    let rest = strip_same(text, phrase)?;
    let closed = rest.strip_prefix([':', ',']).unwrap_or(rest);
    (closed.is_empty() || closed.starts_with(char::is_whitespace)).then(|| closed.trim_start())
}

/// `text` without `phrase`, where case, hyphens, underscores and blanks do not matter.
fn strip_same<'t>(text: &'t str, phrase: &str) -> Option<&'t str> {
    let mut rest = text.chars();
    for wanted in phrase.chars() {
        let found = rest.next()?;
        let joins = |c: char| c == '-' || c == '_' || c == ' ';
        let same = if found.is_ascii() && wanted.is_ascii() {
            found.eq_ignore_ascii_case(&wanted) || (joins(found) && joins(wanted))
        } else {
            found.to_lowercase().eq(wanted.to_lowercase())
        };
        if !same {
            return None;
        }
    }
    Some(rest.as_str())
}

/// The closing quotes that fit an opening one, straight or as phones make them.
fn closing(open: char) -> Option<&'static [char]> {
    match open {
        '"' => Some(&['"']),
        '“' | '„' | '”' => Some(&['”', '“']),
        '«' => Some(&['»']),
        '\'' => Some(&['\'']),
        '‘' | '‚' => Some(&['’', '‘']),
        _ => None,
    }
}

/// A quoted text at the beginning, and the rest, if the quote is closed before a blank or the end.
pub(super) fn quoted(text: &str) -> Option<(&str, &str)> {
    let open = text.chars().next()?;
    let closing = closing(open)?;
    let inner = &text[open.len_utf8()..];
    let mut from = 0;
    while let Some(at) = inner[from..].find(closing).map(|at| at + from) {
        let width = inner[at..].chars().next().map_or(1, char::len_utf8);
        let rest = &inner[at + width..];
        let ends = rest.strip_prefix([':', ',']).unwrap_or(rest);
        if ends.is_empty() || ends.starts_with(char::is_whitespace) {
            return Some((&inner[..at], rest));
        }
        from = at + width;
    }
    None
}

/// An option `key=value` at the beginning. The value may be quoted; a colon behind it says that text follows.
pub(super) struct Opt<'t> {
    pub(super) key: &'t str,
    pub(super) value: &'t str,
    pub(super) closed: bool,
    pub(super) rest: &'t str,
}

pub(super) fn option<'t>(text: &'t str, keys: &[&str]) -> Option<Opt<'t>> {
    let (key, after) = text.split_once('=')?;
    if !keys.iter().any(|known| known.eq_ignore_ascii_case(key)) {
        return None;
    }
    let (value, rest) = if let Some(found) = quoted(after) {
        found
    } else {
        let (word, _) = after.split_at(after.find(char::is_whitespace).unwrap_or(after.len()));
        let value = word.trim_end_matches([':', ',']);
        (value, &after[value.len()..])
    };
    if value.trim().is_empty() {
        return None;
    }
    let closed = rest.starts_with(':');
    Some(Opt { key, value, closed, rest: rest.trim_start_matches([':', ',']).trim_start() })
}

/// `INC-42` or `#42`.
pub(super) fn incident_number(word: &str) -> Option<i64> {
    let word = word.trim_end_matches([':', ',']);
    let digits = match word.strip_prefix('#') {
        Some(digits) => digits,
        None => {
            word.get(..3).filter(|head| head.eq_ignore_ascii_case("inc")).map(|_| word[3..].trim_start_matches('-'))?
        }
    };
    let is_number = (1..=9).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok()).flatten()
}

/// The incident that is addressed by the first word.
pub(super) fn incident_prefix(text: &str) -> (Option<i64>, &str) {
    let (first, rest) = word(text);
    match incident_number(first) {
        Some(number) => (Some(number), rest),
        None => (None, text),
    }
}

/// The incident named behind a verb that only looks: `show 42`.
pub(super) fn incident_behind(text: &str) -> (Option<i64>, &str) {
    let (first, rest) = word(text);
    let bare = first.parse().ok().filter(|_| first.len() <= 9 && first.bytes().all(|byte| byte.is_ascii_digit()));
    match incident_number(first).or(bare) {
        Some(number) => (Some(number), rest),
        None => (None, text),
    }
}

/// `sev2`, `SEV-2`: a severity that cannot be another word.
pub(super) fn severity(word: &str) -> Option<Severity> {
    looks_like_severity(word).then(|| Severity::parse(word.trim_end_matches([':', ',']))).flatten()
}

/// `sev` and one digit, right or wrong.
pub(super) fn looks_like_severity(word: &str) -> bool {
    let word = word.trim_end_matches([':', ',']).to_ascii_lowercase().replace(['-', '_'], "");
    word.strip_prefix("sev").is_some_and(|digit| digit.len() == 1 && digit.as_bytes()[0].is_ascii_digit())
}

/// Those of `known` that look like `word`, best first.
pub(super) fn near<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Vec<&'k str> {
    let word = word.to_lowercase();
    let mut near: Vec<(f64, &str)> = known
        .into_iter()
        .map(|known| {
            let lower = known.to_lowercase();
            let begins = word.chars().count() >= 3 && lower.starts_with(&word);
            let likeness = strsim::normalized_damerau_levenshtein(&word, &lower);
            (if begins { likeness.max(0.75) } else { likeness }, known)
        })
        .filter(|(likeness, _)| *likeness >= 0.6)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    near.dedup_by(|a, b| a.1 == b.1);
    near.into_iter().take(NEAR_MAX).map(|(_, known)| known).collect()
}

/// The words that mean each configured team: key, name and aliases.
fn team_words(roster: &Roster) -> impl Iterator<Item = (&str, &TeamKey)> {
    roster.teams.values().flat_map(|team| {
        [team.key.as_str(), team.name.as_str()]
            .into_iter()
            .chain(team.aliases.iter().map(String::as_str))
            .map(move |word| (word, &team.key))
    })
}

/// The team that a user group stands for: the one team whose policy pages that group.
fn team_of_group<'r>(roster: &'r Roster, is_group: &dyn Fn(&Target) -> bool) -> Option<&'r TeamKey> {
    let mut teams =
        roster.teams.values().filter(|team| team.policy.tiers.iter().any(|tier| tier.targets.iter().any(is_group)));
    match (teams.next(), teams.next()) {
        (Some(team), None) => Some(&team.key),
        _ => None,
    }
}

/// Where a person or group is asked for, the notation means them, picked or typed.
fn unmarked(text: &str) -> &str {
    text.strip_prefix(reference::MARK).unwrap_or(text)
}

/// The team that `text` begins with, by its longest name, and what follows.
pub(super) fn team_prefix<'t>(text: &'t str, roster: &Roster) -> Option<(TeamKey, &'t str)> {
    if let Some(mention) = unmarked(text).strip_prefix("<!subteam^") {
        let (mention, rest) = mention.split_once('>')?;
        let (id, handle) = mention.split_once('|').unwrap_or((mention, ""));
        let handle = handle.trim_start_matches('@');
        let team = team_words(roster)
            .find(|(word, _)| !handle.is_empty() && strip_same(handle, word) == Some(""))
            .map(|(_, key)| key)
            .or_else(|| {
                team_of_group(
                    roster,
                    &|target| matches!(target, Target::UserGroup { group, .. } if group.as_str() == id),
                )
            })?;
        return Some((team.clone(), rest.trim_start_matches([':', ',']).trim_start()));
    }
    if let Some((inner, rest)) = quoted(text) {
        let team = whole_team(inner, roster)?;
        return Some((team, rest.trim_start_matches([':', ',']).trim_start()));
    }
    let plain = text.strip_prefix('@').unwrap_or(text);
    let named = team_words(roster)
        .filter_map(|(word, key)| Some((word.len(), key, strip_phrase(plain, word)?)))
        .max_by_key(|(length, ..)| *length);
    if let Some((_, key, rest)) = named {
        return Some((key.clone(), rest));
    }
    let (handle, rest) = word(text.strip_prefix('@')?);
    let handle = handle.trim_end_matches([':', ',']);
    let is_group = |target: &Target| matches!(target, Target::UserGroup { handle: known, .. } if known.trim_start_matches('@') == handle);
    team_of_group(roster, &is_group).map(|key| (key.clone(), rest))
}

/// The team that all of `text` names.
pub(super) fn whole_team(text: &str, roster: &Roster) -> Option<TeamKey> {
    let text = text.trim();
    if quoted(text).is_some() {
        return None;
    }
    team_prefix(text, roster).and_then(|(team, rest)| rest.is_empty().then_some(team))
}

/// The keys of teams that look like the beginning of `text`.
pub(super) fn near_teams<'r>(text: &str, roster: &'r Roster) -> Vec<&'r TeamKey> {
    let plain = text.trim_start_matches('@');
    let beginnings: Vec<String> = (1..=3)
        .map(|count| plain.split_whitespace().take(count).collect::<Vec<_>>().join(" ").to_lowercase())
        .collect();
    let mut near: Vec<(f64, &TeamKey)> = team_words(roster)
        .filter_map(|(word, key)| {
            let lower = word.to_lowercase();
            let likeness = beginnings
                .iter()
                .map(|beginning| {
                    let begins = beginning.chars().count() >= 2 && lower.starts_with(beginning.as_str());
                    let likeness = strsim::normalized_damerau_levenshtein(beginning, &lower);
                    if begins { likeness.max(0.7) } else { likeness }
                })
                .fold(0.0, f64::max);
            (likeness >= 0.6).then_some((likeness, key))
        })
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    let mut keys: Vec<&TeamKey> = Vec::new();
    for (_, key) in near {
        if !keys.contains(&key) && keys.len() < NEAR_MAX {
            keys.push(key);
        }
    }
    keys
}

/// The person that `text` begins with as a mention (`<@U123|ana>`, `@ana`), and what follows; `None` if it begins with
/// no mention.
pub(super) fn person<'t>(text: &'t str, context: &Context<'_>) -> Reading<Option<(UserId, &'t str)>> {
    let behind = |rest: &'t str| rest.trim_start_matches([':', ',']).trim_start();
    if let Some(mention) = unmarked(text).strip_prefix("<@")
        && let Some((mention, rest)) = mention.split_once('>')
    {
        let id = mention.split('|').next().unwrap_or(mention);
        if !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Ok(Some((UserId::new(id), behind(rest))));
        }
    }
    if let Some(rest) = strip_phrase(text, "me").or_else(|| strip_phrase(text, "@me")) {
        return Ok(Some((context.me.clone(), rest)));
    }
    let Some(name) = text.strip_prefix('@').filter(|name| name.starts_with(char::is_alphanumeric)) else {
        return Ok(None);
    };
    if let Some((user, rest)) = named(name, context.directory) {
        return Ok(Some((user, rest)));
    }
    let (word, _) = word(name);
    let word = word.trim_end_matches([':', ',', '.']);
    let names = context.directory.people.values().map(|person| person.name.as_str());
    let near = near(word, names).into_iter().map(str::to_owned).collect();
    Err(Unclear::plain(Problem::UnknownPerson { word: word.to_owned(), near }))
}

/// A person who is named without an @, by their whole name.
pub(super) fn bare_name(text: &str, context: &Context<'_>) -> Option<UserId> {
    named(text, context.directory).and_then(|(user, rest)| rest.is_empty().then_some(user))
}

fn named<'t>(text: &'t str, directory: &Directory) -> Option<(UserId, &'t str)> {
    directory
        .people
        .values()
        .filter(|person| !person.deactivated && !person.name.is_empty())
        .filter_map(|person| Some((person.name.len(), person, strip_phrase(text, &person.name)?)))
        .max_by_key(|(length, ..)| *length)
        .map(|(_, person, rest)| (person.id.clone(), rest))
}
