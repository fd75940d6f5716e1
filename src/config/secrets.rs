//! Secrets: from the environment, or from a file of their own that the configuration names. Never from the configuration.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use toml::de::{DeTable, DeValue};

use super::mistakes::Problem;
use super::{Config, KeySource, Mode};
use crate::ids::IntegrationKey;

/// Where the database is if nothing else is said.
pub const DATABASE_URL_DEFAULT: &str = "sqlite:firebell.db";

/// How Slack's tokens begin.
const TOKEN_BEGINNINGS: [&str; 6] = ["xoxb-", "xapp-", "xoxp-", "xoxe.", "xoxe-", "xoxa-"];

/// What the program was given. Its debug form shows no secret.
#[derive(Clone, Debug)]
pub struct Secrets {
    /// `SLACK_BOT_TOKEN`.
    pub bot_token: Option<SecretString>,
    /// `SLACK_APP_TOKEN`, for Socket Mode.
    pub app_token: Option<SecretString>,
    /// `SLACK_SIGNING_SECRET`, for HTTP.
    pub signing_secret: Option<SecretString>,
    /// `SLACK_API_URL`, for another Slack than slack.com; no secret.
    pub api_url: Option<String>,
    /// `DATABASE_URL`, else what the file says, else SQLite beside the program.
    pub database_url: SecretString,
    /// SHA-256 sums of the keys of each integration.
    pub integration_keys: BTreeMap<IntegrationKey, Vec<[u8; 32]>>,
    pub ways: WaySecrets,
    /// Secrets that the ways besides Slack need and that were not given.
    ways_missing: Vec<&'static str>,
}

/// What the ways besides Slack need to be used.
#[derive(Clone, Debug, Default)]
pub struct WaySecrets {
    /// `SMTP_PASSWORD`, for the user of `[email]`.
    pub smtp_password: Option<SecretString>,
    /// `FIREBELL_WEBHOOK_SECRET`, with which outgoing webhooks are signed.
    pub webhook_secret: Option<SecretString>,
}

/// The process's environment; empty variables count as absent.
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

impl Config {
    /// Collects the secrets. `environment` is [`environment`], or a test's own.
    pub fn secrets(&self, environment: &dyn Fn(&str) -> Option<String>) -> Result<Secrets, Vec<Problem>> {
        let (secrets, mut problems) = self.given(environment);
        let kinds =
            [("SLACK_BOT_TOKEN", &secrets.bot_token, "xoxb-"), ("SLACK_APP_TOKEN", &secrets.app_token, "xapp-")];
        for (name, secret, begins) in kinds {
            if secret.as_ref().is_some_and(|secret| !secret.expose_secret().starts_with(begins)) {
                problems.push(
                    Problem::new(format!("{name} does not begin with {begins}, so it is another kind of token.")).hint(
                        "Slack shows the tokens of the app under \"OAuth & Permissions\" and \"Basic Information\".",
                    ),
                );
            }
        }
        if problems.is_empty() { Ok(secrets) } else { Err(problems) }
    }

    /// The secrets as they were given, whatever their kind, and what could not be read.
    pub fn given(&self, environment: &dyn Fn(&str) -> Option<String>) -> (Secrets, Vec<Problem>) {
        let mut problems = Vec::new();
        let slack = &self.settings.slack;
        let mut token =
            |name: &str, file: Option<&Path>| from(environment, name, file, &mut problems).map(SecretString::from);
        let bot_token = token("SLACK_BOT_TOKEN", slack.bot_token_file.as_deref());
        let app_token = token("SLACK_APP_TOKEN", slack.app_token_file.as_deref());
        let signing_secret = token("SLACK_SIGNING_SECRET", slack.signing_secret_file.as_deref());
        let ways = self.way_secrets(environment, &mut problems);
        let database_url = self.find_database_url(environment, &mut problems);
        let mut integration_keys = BTreeMap::new();
        for integration in &self.settings.integrations {
            let sums = match &integration.secret {
                KeySource::Sha256(sums) => Some(sums.clone()),
                KeySource::File(path) => read_file(path, &mut problems).map(|key| vec![digest(&key)]),
                KeySource::Env(name) => {
                    if let Some(key) = environment(name) {
                        Some(vec![digest(key.trim())])
                    } else {
                        let sentence = format!("{name} is not set, so the integration {} has no key.", integration.key);
                        problems.push(Problem::new(sentence).hint("Set it in the environment of Firebell."));
                        None
                    }
                }
            };
            if let Some(sums) = sums {
                integration_keys.insert(integration.key.clone(), sums);
            }
        }
        let api_url = environment("SLACK_API_URL").map(|url| url.trim_end_matches('/').to_owned());
        let ways_missing = self.ways_missing(&ways);
        let secrets = Secrets {
            bot_token,
            app_token,
            signing_secret,
            api_url,
            database_url,
            integration_keys,
            ways,
            ways_missing,
        };
        (secrets, problems)
    }
}

impl Config {
    /// The database's address alone, for what needs neither Slack nor alerts.
    pub fn database_url(&self, environment: &dyn Fn(&str) -> Option<String>) -> Result<SecretString, Vec<Problem>> {
        let mut problems = Vec::new();
        let url = self.find_database_url(environment, &mut problems);
        if problems.is_empty() { Ok(url) } else { Err(problems) }
    }

    fn way_secrets(&self, environment: &dyn Fn(&str) -> Option<String>, problems: &mut Vec<Problem>) -> WaySecrets {
        let settings = &self.settings;
        let password_file = settings.email.as_ref().and_then(|email| email.password_file.as_deref());
        let secret_file = settings.webhooks.secret_file.as_deref();
        let mut secret =
            |name: &str, file: Option<&Path>| from(environment, name, file, problems).map(SecretString::from);
        WaySecrets {
            smtp_password: secret("SMTP_PASSWORD", password_file),
            webhook_secret: secret("FIREBELL_WEBHOOK_SECRET", secret_file),
        }
    }

    fn ways_missing(&self, given: &WaySecrets) -> Vec<&'static str> {
        let plan = &self.plan;
        let contacts = || plan.people.iter().map(|person| &person.contacts).chain([&plan.fallback_contacts]);
        let signs_in = self.settings.email.as_ref().is_some_and(|email| email.user.is_some());
        let mut missing = Vec::new();
        if signs_in && given.smtp_password.is_none() {
            missing.push("SMTP_PASSWORD");
        }
        if contacts().any(|contacts| contacts.webhook.is_some()) && given.webhook_secret.is_none() {
            missing.push("FIREBELL_WEBHOOK_SECRET");
        }
        missing
    }

    fn find_database_url(
        &self,
        environment: &dyn Fn(&str) -> Option<String>,
        problems: &mut Vec<Problem>,
    ) -> SecretString {
        let database = &self.settings.database;
        let url = from(environment, "DATABASE_URL", database.url_file.as_deref(), problems)
            .or_else(|| database.url.clone())
            .unwrap_or_else(|| DATABASE_URL_DEFAULT.to_owned());
        if !is_database_url(&url) {
            problems.push(
                Problem::new("The database's address is neither SQLite's nor PostgreSQL's.")
                    .hint("Write sqlite:firebell.db or postgres://user:password@host/name."),
            );
        }
        SecretString::from(url)
    }
}

impl Secrets {
    /// The names of those that `mode` cannot do without.
    pub fn missing(&self, mode: Mode) -> Vec<&'static str> {
        let second = match mode {
            Mode::Socket => ("SLACK_APP_TOKEN", self.app_token.is_none()),
            Mode::Http => ("SLACK_SIGNING_SECRET", self.signing_secret.is_none()),
        };
        let needed = [("SLACK_BOT_TOKEN", self.bot_token.is_none()), second];
        let needed = needed.into_iter().filter(|(_, is_missing)| *is_missing).map(|(name, _)| name);
        needed.chain(self.ways_missing.iter().copied()).collect()
    }

    /// The names of those that the ways besides Slack cannot do without.
    pub fn ways_missing(&self) -> &[&'static str] {
        &self.ways_missing
    }

    /// The kind of database, without its address.
    pub fn database_kind(&self) -> &'static str {
        if self.database_url.expose_secret().starts_with("sqlite") { "SQLite" } else { "PostgreSQL" }
    }
}

fn from(
    environment: &dyn Fn(&str) -> Option<String>,
    name: &str,
    file: Option<&Path>,
    problems: &mut Vec<Problem>,
) -> Option<String> {
    match (environment(name), file) {
        (Some(value), _) => Some(value.trim().to_owned()),
        (None, Some(path)) => read_file(path, problems),
        (None, None) => None,
    }
}

fn read_file(path: &Path, problems: &mut Vec<Problem>) -> Option<String> {
    match std::fs::read_to_string(path) {
        Ok(text) if text.trim().is_empty() => {
            problems.push(Problem::new(format!("{} is empty.", path.display())));
            None
        }
        Ok(text) => Some(text.trim().to_owned()),
        Err(error) => {
            problems.push(Problem::new(format!("{} cannot be read: {error}.", path.display())));
            None
        }
    }
}

fn digest(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

/// Whether a text is an address of a database that we know.
pub(super) fn is_database_url(url: &str) -> bool {
    ["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme))
}

/// The secret that a key of the file would hold, with the way out.
fn way_out(key: &str) -> Option<&'static str> {
    match key {
        "bot_token" | "token" | "slack_bot_token" => {
            Some("Set SLACK_BOT_TOKEN in the environment, or write bot_token_file = \"/run/secrets/…\" under [slack].")
        }
        "app_token" | "slack_app_token" => {
            Some("Set SLACK_APP_TOKEN in the environment, or write app_token_file = \"/run/secrets/…\" under [slack].")
        }
        "signing_secret" | "slack_signing_secret" => Some(
            "Set SLACK_SIGNING_SECRET in the environment, or write signing_secret_file = \"/run/secrets/…\" under [slack].",
        ),
        "secret" | "password" | "api_key" => {
            Some("Secrets are given in the environment, or in files of their own: see firebell.example.toml.")
        }
        _ => None,
    }
}

/// Whether a key of the file asks for a secret.
pub(super) fn names_a_secret(key: &str) -> bool {
    way_out(key).is_some()
}

/// The secrets that were found in a file.
pub(super) struct Blots {
    /// The file's text with the secrets blotted out, so that no message shows them.
    pub(super) shown: String,
    spans: Vec<Range<usize>>,
}

impl Blots {
    /// Whether a place in the file holds a secret, so that nothing more may be said of it.
    pub(super) fn cover(&self, span: &Range<usize>) -> bool {
        self.spans.iter().any(|blot| blot.start < span.end && span.start < blot.end)
    }
}

/// Finds every secret in the file.
pub(super) fn blot_out(document: &DeTable<'_>, source: &str) -> (Blots, Vec<Problem>) {
    let mut found = Vec::new();
    look_through(document, &mut found);
    let mut shown = source.as_bytes().to_vec();
    // Comments, and files that are no TOML, may hold tokens too: nobody is told of those, but they are not shown.
    let bare = TOKEN_BEGINNINGS.iter().flat_map(|beginning| source.match_indices(beginning)).map(|(start, _)| {
        let end = source[start..]
            .find(|c: char| c.is_whitespace() || c == '"' || c == '\'')
            .map_or(source.len(), |length| start + length);
        start..end
    });
    for span in found.iter().map(|secret| secret.blot.clone()).chain(bare) {
        for byte in shown[span].iter_mut().filter(|byte| !byte.is_ascii_whitespace()) {
            *byte = b'*';
        }
    }
    let problems = found
        .iter()
        .map(|secret| {
            Problem::new("A secret stands in this file.")
                .at(secret.blot.clone(), "move it out of here")
                .hint(secret.hint)
        })
        .collect();
    let spans = found.into_iter().map(|secret| secret.blot).collect();
    (Blots { shown: String::from_utf8(shown).unwrap_or_default(), spans }, problems)
}

struct Found {
    /// Bytes of the file.
    blot: Range<usize>,
    hint: &'static str,
}

fn look_through(table: &DeTable<'_>, found: &mut Vec<Found>) {
    for (key, value) in table {
        look_at(key.get_ref(), value.get_ref(), value.span(), found);
    }
}

fn look_at(key: &str, value: &DeValue<'_>, span: Range<usize>, found: &mut Vec<Found>) {
    match value {
        DeValue::Table(table) => look_through(table, found),
        DeValue::Array(items) => {
            for item in items {
                look_at(key, item.get_ref(), item.span(), found);
            }
        }
        DeValue::String(text) => {
            let begins_like_a_token = TOKEN_BEGINNINGS.iter().any(|beginning| text.starts_with(beginning));
            if let Some(hint) = way_out(key) {
                found.push(Found { blot: span, hint });
            } else if begins_like_a_token {
                let hint = if text.starts_with("xapp-") { way_out("app_token") } else { way_out("bot_token") };
                found.push(Found { blot: span, hint: hint.unwrap_or_default() });
            } else if key == "webhook" && has_password(text) {
                let hint =
                    "A webhook's address carries no password: every call is signed with FIREBELL_WEBHOOK_SECRET.";
                found.push(Found { blot: span, hint });
            } else if is_database_url(text) && has_password(text) {
                let hint = "An address with a password is given as DATABASE_URL in the environment, or by url_file = \"/run/secrets/…\" under [database].";
                found.push(Found { blot: span, hint });
            }
        }
        DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => {}
    }
}

fn has_password(url: &str) -> bool {
    let Some((_, rest)) = url.split_once("://") else { return false };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let in_authority = authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'));
    in_authority || url.contains("password=")
}
