//! Teams with their policies, the fallback, and the integrations with their routes.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::TimeDelta;
use toml::Spanned;

use super::mistakes::Problem;
use super::read::{SEVERITIES, file};
use super::reader::{Reader, Section, alternatives};
use super::targets::{Named, Placed};
use super::{Integration, IntegrationKind, KeySource, TeamPlan, TierPlan};
use crate::domain::hold::AskAfter;
use crate::domain::limits::{ROUNDS_MAX, TARGETS_MAX, TIERS_MAX};
use crate::domain::roster::{Route, RouteRule};
use crate::domain::storm::StormRule;
use crate::ids::{IntegrationKey, TeamKey};
use crate::slack::command::RESERVED;

/// How long a tier may wait, in seconds: long enough to be woken, short enough to be of use.
const WAIT_S: std::ops::RangeInclusive<u32> = 10..=86_400;
/// What a tier waits if it does not say.
const WAIT_S_DEFAULT: u32 = 300;
/// How long an acknowledgement may last without activity.
const ACK_TIMEOUT_S: std::ops::RangeInclusive<u32> = 60..=604_800;
const ROUNDS_DEFAULT: u32 = 2;
const KEY_CHARS_MAX: usize = 64;

/// A word for a team, as it is compared: `DB team` and `db-team` are the same.
pub(crate) fn compared(word: &str) -> String {
    word.trim_start_matches('@').to_lowercase().replace(['-', '_'], " ")
}

/// Incidents that alerts open for a team within a minute before they share one: Slack lets an app make no more than some
/// twenty channels a minute, and nobody follows more of them.
const STORM_INCIDENTS: u32 = 10;
const STORM_INCIDENTS_MAX: u32 = 500;
/// How long no further alert must have come until a storm is over, in seconds.
const STORM_QUIET_S: u32 = 600;

/// How late a page may be without a question: a short outage must never hold a page back.
const ASK_AFTER_S: std::ops::RangeInclusive<u32> = 3_600..=2_592_000;

pub(super) fn teams(reader: &mut Reader, root: &Section<'_, '_>) -> Vec<TeamPlan> {
    let mut taken: BTreeMap<String, TeamKey> = BTreeMap::new();
    let mut hand_offs: Vec<(TeamKey, Spanned<String>)> = Vec::new();
    let mut teams = Vec::new();
    for section in reader.tables(root, "teams", "a team") {
        teams.extend(team(reader, &section, &mut taken, &mut hand_offs));
    }
    let known: Vec<&str> = teams.iter().map(|team: &TeamPlan| team.key.as_str()).collect();
    let mut next: BTreeMap<TeamKey, TeamKey> = BTreeMap::new();
    for (from, to) in &hand_offs {
        if known_team(reader, to, &known) {
            next.insert(from.clone(), TeamKey::new(to.get_ref().as_str()));
        }
    }
    for (from, to) in &hand_offs {
        if let Some(way) = loop_from(from, &next) {
            // Told once for each loop: at its first team by name.
            if way.iter().min() == Some(from) {
                let names: Vec<&str> = way.iter().chain([from]).map(TeamKey::as_str).collect();
                let sentence = format!("Handing off goes round in a circle: {}.", names.join(" → "));
                reader.wrong_with_hint(sentence, to.span(), "here", "Let one of these teams hand off to nobody.");
            }
        }
    }
    for team in &mut teams {
        team.hand_off_to = next.get(&team.key).cloned();
    }
    teams
}

/// The teams of the circle that leads from a team back to itself.
fn loop_from(start: &TeamKey, next: &BTreeMap<TeamKey, TeamKey>) -> Option<Vec<TeamKey>> {
    let mut way = vec![start.clone()];
    while let Some(team) = next.get(way.last()?) {
        if team == start {
            return Some(way);
        }
        if way.contains(team) {
            return None;
        }
        way.push(team.clone());
    }
    None
}

fn known_team(reader: &mut Reader, text: &Spanned<String>, known: &[&str]) -> bool {
    let wanted = text.get_ref().as_str();
    if known.contains(&wanted) {
        return true;
    }
    let near = known
        .iter()
        .map(|known| (strsim::normalized_damerau_levenshtein(wanted, known), *known))
        .filter(|(likeness, _)| *likeness >= 0.5)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let label = match near {
        Some((_, near)) => format!("did you mean \"{near}\"?"),
        None if known.is_empty() => "no team is configured".to_owned(),
        None => format!("use {}", alternatives(known)),
    };
    reader.wrong(format!("There is no team with the key \"{wanted}\"."), text.span(), label);
    false
}

fn team(
    reader: &mut Reader,
    section: &Section<'_, '_>,
    taken: &mut BTreeMap<String, TeamKey>,
    hand_offs: &mut Vec<(TeamKey, Spanned<String>)>,
) -> Option<TeamPlan> {
    reader.only(section, &["key", "name", "aliases", "rounds", "ack_timeout", "hand_off", "tiers"]);
    let key_text = required(reader, section, "key", "what people type after /escalate, such as \"db-team\"");
    let name = reader.text(section, "name");
    let aliases = reader.texts(section, "aliases").map(Spanned::into_inner).unwrap_or_default();
    let rounds = reader.count(section, "rounds", ROUNDS_MAX, ROUNDS_DEFAULT);
    let ack_timeout_s = reader.seconds(section, "ack_timeout", ACK_TIMEOUT_S);
    let hand_off = reader.text(section, "hand_off");
    let tiers = tiers(reader, section);
    let key_text = key_text?;
    let key = key(reader, &key_text, "a team")?;
    let key = TeamKey(key);
    claim(reader, Part::Key, &key_text, &key, taken);
    for word in name.iter().chain(&aliases) {
        claim(reader, Part::Other, word, &key, taken);
    }
    if let Some(to) = hand_off {
        hand_offs.push((key.clone(), to));
    }
    Some(TeamPlan {
        name: name.map_or_else(|| key.0.clone(), Spanned::into_inner),
        key,
        aliases: aliases.into_iter().map(Spanned::into_inner).collect(),
        tiers,
        rounds,
        ack_timeout_s,
        hand_off_to: None,
    })
}

pub(super) fn required(
    reader: &mut Reader,
    section: &Section<'_, '_>,
    key: &str,
    what: &str,
) -> Option<Spanned<String>> {
    if section.table.contains_key(key) {
        return reader.text(section, key);
    }
    let sentence = format!("{} has no \"{key}\".", capital(section.name));
    reader.wrong(sentence, section.span.clone(), format!("add \"{key}\": {what}"));
    None
}

fn capital(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

fn key(reader: &mut Reader, text: &Spanned<String>, of: &str) -> Option<String> {
    let key = text.get_ref();
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if key.len() <= KEY_CHARS_MAX && key.chars().all(allowed) {
        return Some(key.clone());
    }
    reader.wrong(
        format!("\"{key}\" cannot be the key of {of}."),
        text.span(),
        format!("small letters, digits, - and _, at most {KEY_CHARS_MAX}"),
    );
    None
}

/// Which of a team's words is meant; its name and aliases may repeat its key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Key,
    Other,
}

/// Keeps one word from meaning two things.
fn claim(
    reader: &mut Reader,
    part: Part,
    word: &Spanned<String>,
    key: &TeamKey,
    taken: &mut BTreeMap<String, TeamKey>,
) {
    let compared = compared(word.get_ref());
    if RESERVED.contains(&compared.as_str()) {
        let sentence = format!("No team can be called \"{}\".", word.get_ref());
        let hint = format!("/escalate {} means something else.", word.get_ref());
        return reader.wrong_with_hint(sentence, word.span(), "choose another word", hint);
    }
    match taken.get(&compared) {
        Some(other) if other != key => {
            let sentence = format!("\"{}\" already means the team {other}.", word.get_ref());
            reader.wrong(sentence, word.span(), "choose another word");
        }
        Some(_) if part == Part::Key => {
            reader.wrong(format!("There are two teams with the key \"{key}\"."), word.span(), "the second one");
        }
        _ => {
            taken.insert(compared, key.clone());
        }
    }
}

fn tiers(reader: &mut Reader, team: &Section<'_, '_>) -> Vec<TierPlan> {
    let sections = reader.tables(team, "tiers", "a tier");
    if sections.is_empty() && !team.table.contains_key("tiers") {
        reader.wrong_with_hint(
            "This team has nobody to page.",
            team.span.clone(),
            "no tiers",
            "Add [[teams.tiers]] with targets = [\"@ana\"] and wait = \"5m\".",
        );
    }
    if sections.len() > TIERS_MAX {
        reader.wrong(format!("A team has at most {TIERS_MAX} tiers."), team.span.clone(), "this one has more");
    }
    sections
        .iter()
        .map(|section| {
            reader.only(section, &["targets", "wait"]);
            let wait_s = reader.seconds(section, "wait", WAIT_S).unwrap_or(WAIT_S_DEFAULT);
            TierPlan { targets: targets(reader, section, "This tier pages nobody."), wait_s }
        })
        .collect()
}

fn targets(reader: &mut Reader, section: &Section<'_, '_>, if_empty: &str) -> Vec<Placed<Named>> {
    let hint = "Add targets = [\"@ana\"]: people, user groups or channels.";
    let Some(texts) = reader.texts(section, "targets") else {
        if !section.table.contains_key("targets") {
            reader.wrong_with_hint(if_empty, section.span.clone(), "no targets", hint);
        }
        return Vec::new();
    };
    if texts.get_ref().is_empty() {
        reader.wrong_with_hint(if_empty, texts.span(), "nobody", hint);
    }
    if texts.get_ref().len() > TARGETS_MAX {
        reader.wrong(
            format!("At most {TARGETS_MAX} targets can be paged at once."),
            texts.span(),
            "make a user group of them",
        );
    }
    let mut targets: Vec<Placed<Named>> = Vec::new();
    for text in texts.into_inner() {
        match Named::parse(text.get_ref()) {
            Ok(value) if targets.iter().any(|target| target.value == value) => {
                reader.wrong(format!("{value} stands here twice."), text.span(), "the second time");
            }
            Ok(value) => targets.push(Placed { value, span: text.span() }),
            Err((sentence, hint)) => reader.wrong_with_hint(sentence, text.span(), "this target", hint),
        }
    }
    targets
}

/// The last resort, which must exist.
pub(super) fn fallback(reader: &mut Reader, root: &Section<'_, '_>) -> Vec<Placed<Named>> {
    if !root.table.contains_key("fallback") {
        reader.problems.push(
            Problem::new("There is no [fallback], so a page that nobody answers would end nowhere.").hint(
                "Add [fallback] with targets = [\"#incidents @channel\"]: paged when every tier went unanswered.",
            ),
        );
        return Vec::new();
    }
    let Some(section) = reader.table(root, "fallback", "[fallback]") else { return Vec::new() };
    reader.only(&section, &["targets", "email", "webhook"]);
    targets(reader, &section, "The fallback pages nobody, so a page that nobody answers would end nowhere.")
}

pub(super) fn integrations(
    reader: &mut Reader,
    root: &Section<'_, '_>,
    folder: &Path,
    teams: &[TeamPlan],
) -> (Vec<Integration>, BTreeMap<IntegrationKey, Route>) {
    let known: Vec<&str> = teams.iter().map(|team| team.key.as_str()).collect();
    let mut integrations: Vec<Integration> = Vec::new();
    let mut routes = BTreeMap::new();
    for section in reader.tables(root, "integrations", "an integration") {
        reader.only(
            &section,
            &["key", "kind", "key_sha256", "key_file", "key_env", "team", "severity", "resolves", "rules"],
        );
        let key_text = required(reader, &section, "key", "what the timeline calls it, such as \"prometheus\"");
        let kind_text = required(reader, &section, "kind", "\"alertmanager\" or \"generic\"");
        let kinds = [("alertmanager", IntegrationKind::Alertmanager), ("generic", IntegrationKind::Generic)];
        let kind = kind_text.and_then(|text| reader.one_of("kind", &text, &kinds));
        let secret = key_source(reader, &section, folder);
        let route = route(reader, &section, &known);
        let Some(key_text) = key_text else { continue };
        let Some(key) = key(reader, &key_text, "an integration").map(IntegrationKey) else { continue };
        if routes.insert(key.clone(), route).is_some() {
            reader.wrong(
                format!("There are two integrations with the key \"{key}\"."),
                key_text.span(),
                "the second one",
            );
        }
        if let (Some(kind), Some(secret)) = (kind, secret) {
            integrations.push(Integration { key, kind, secret });
        }
    }
    (integrations, routes)
}

/// When alerts that come in great number share one incident.
pub(super) fn storm(reader: &mut Reader, root: &Section<'_, '_>) -> StormRule {
    let mut rule = StormRule { incidents: STORM_INCIDENTS, quiet_s: STORM_QUIET_S };
    let Some(section) = reader.table(root, "storm", "[storm]") else { return rule };
    reader.only(&section, &["share_after", "quiet"]);
    rule.incidents = reader.count(&section, "share_after", STORM_INCIDENTS_MAX, STORM_INCIDENTS);
    rule.quiet_s = reader.seconds(&section, "quiet", 60..=86_400).unwrap_or(STORM_QUIET_S);
    rule
}

/// How late a page may be before people are asked.
pub(super) fn paging(reader: &mut Reader, root: &Section<'_, '_>) -> AskAfter {
    let Some(section) = reader.table(root, "paging", "[paging]") else { return AskAfter::default() };
    reader.only(&section, &["ask_after"]);
    let seconds = reader.seconds(&section, "ask_after", ASK_AFTER_S);
    seconds.map_or_else(AskAfter::default, |seconds| AskAfter(TimeDelta::seconds(seconds.into())))
}

fn key_source(reader: &mut Reader, section: &Section<'_, '_>, folder: &Path) -> Option<KeySource> {
    const WAYS: [&str; 3] = ["key_sha256", "key_file", "key_env"];
    let hint = "Make a key with: openssl rand -hex 32. Then write key_sha256 = \"…\" (printf %s KEY | sha256sum), \
                key_file = \"/run/secrets/…\" or key_env = \"NAME\".";
    let given = WAYS.iter().filter(|way| section.table.contains_key(**way)).count();
    if given != 1 {
        let label = if given == 0 { "no key" } else { "more than one kind of key" };
        let sentence = "An integration needs exactly one of key_sha256, key_file and key_env.";
        reader.wrong_with_hint(sentence, section.span.clone(), label, hint);
        return None;
    }
    if let Some(sums) = reader.texts(section, "key_sha256") {
        let mut digests = Vec::new();
        for sum in sums.get_ref() {
            match hex::decode(sum.get_ref()).ok().and_then(|bytes| bytes.try_into().ok()) {
                Some(digest) => digests.push(digest),
                None => reader.wrong_with_hint("This is no SHA-256 sum.", sum.span(), "64 hex digits", hint),
            }
        }
        if sums.get_ref().is_empty() {
            reader.wrong_with_hint("There is no key.", sums.span(), "empty", hint);
        }
        return Some(KeySource::Sha256(digests));
    }
    if section.table.contains_key("key_file") {
        return file(reader, section, "key_file", folder).map(KeySource::File);
    }
    reader.text(section, "key_env").map(|name| KeySource::Env(name.into_inner()))
}

fn route(reader: &mut Reader, section: &Section<'_, '_>, known: &[&str]) -> Route {
    let rules = reader
        .tables(section, "rules", "a rule")
        .iter()
        .map(|rule| {
            reader.only(rule, &["labels", "team", "severity"]);
            let labels: BTreeMap<String, String> =
                reader.pairs(rule, "labels").into_iter().map(|(name, value)| (name, value.into_inner())).collect();
            if labels.is_empty() {
                reader.wrong_with_hint(
                    "This rule matches every alert.",
                    rule.span.clone(),
                    "no labels",
                    "Add labels = { service = \"checkout\" }, or set team on the integration itself.",
                );
            }
            RouteRule { labels, team: team_of(reader, rule, known), severity: severity(reader, rule) }
        })
        .collect();
    Route {
        rules,
        team: team_of(reader, section, known),
        severity: severity(reader, section),
        resolves: reader.flag(section, "resolves", false),
    }
}

fn team_of(reader: &mut Reader, section: &Section<'_, '_>, known: &[&str]) -> Option<TeamKey> {
    let text = reader.text(section, "team")?;
    known_team(reader, &text, known).then(|| TeamKey(text.into_inner()))
}

fn severity(reader: &mut Reader, section: &Section<'_, '_>) -> Option<crate::domain::incident::Severity> {
    let text = reader.text(section, "severity")?;
    reader.one_of("severity", &text, SEVERITIES)
}
