//! The sections of the file, one function each.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::DeTable;

use super::mistakes::Mistakes;
use super::reader::{Reader, Section};
use super::targets::{ChannelName, Named, Placed};
use super::{
    ClockStyle, Config, Database, Export, Format, Mode, People, PermissionsPlan, Plan, Server, Settings, Slack,
};
use super::{secrets, teams, watch, ways};
use crate::domain::civil;
use crate::domain::incident::Severity;
use crate::domain::permission::Action;
use crate::ids::{UserId, WorkspaceId};

/// Longest start of a channel's name; Slack allows 80 characters for the whole.
const CHANNEL_PREFIX_CHARS_MAX: usize = 20;

/// The severities as people write them.
pub(super) const SEVERITIES: &[(&str, Severity)] =
    &[("sev1", Severity::Sev1), ("sev2", Severity::Sev2), ("sev3", Severity::Sev3), ("sev4", Severity::Sev4)];

const SECTIONS: &[&str] = &[
    "slack",
    "server",
    "database",
    "incidents",
    "export",
    "permissions",
    "teams",
    "people",
    "fallback",
    "email",
    "webhooks",
    "integrations",
    "storm",
    "paging",
    "metrics",
    "heartbeat",
    "test_page",
];

/// Reads the whole file.
pub(super) fn read(source: &str, path: &Path) -> Result<Config, Mistakes> {
    let (document, errors) = DeTable::parse_recoverable(source);
    let mut reader = Reader::default();
    let (blots, secrets) = secrets::blot_out(document.get_ref(), source);
    for error in &errors {
        let message = format!("This is not TOML: {}.", error.message());
        let span = error.span().unwrap_or(0..0);
        reader.wrong(message, span, "here");
    }
    if !errors.is_empty() {
        reader.problems.extend(secrets);
        return Err(Mistakes::new(path, &blots.shown, reader.problems));
    }
    let root = Section { name: "the file", table: document.get_ref(), span: 0..0 };
    reader.only(&root, SECTIONS);
    let folder = path.parent().unwrap_or(Path::new(""));

    let slack = slack(&mut reader, &root, folder);
    let server = server(&mut reader, &root);
    let database = database(&mut reader, &root, folder);
    let incidents = incidents(&mut reader, &root);
    let export = export(&mut reader, &root, folder);
    let permissions = permissions(&mut reader, &root);
    let team_plans = teams::teams(&mut reader, &root);
    let fallback = teams::fallback(&mut reader, &root);
    let ways = ways::ways(&mut reader, &root, folder, server.public_url.is_some());
    let (integrations, routes) = teams::integrations(&mut reader, &root, folder, &team_plans);

    let storm = teams::storm(&mut reader, &root);
    let ask_after = teams::paging(&mut reader, &root);

    let metrics = watch::metrics(&mut reader, &root);
    let heartbeat = watch::heartbeat(&mut reader, &root);
    let (test_page_in, test_page_every_s) = watch::test_page(&mut reader, &root);

    reader.problems.retain(|problem| problem.span.as_ref().is_none_or(|span| !blots.cover(span)));
    reader.problems.extend(secrets);
    if !reader.problems.is_empty() {
        return Err(Mistakes::new(path, &blots.shown, reader.problems));
    }
    Ok(Config {
        settings: Settings {
            slack,
            server,
            database,
            clock: incidents.clock,
            export,
            integrations,
            metrics,
            heartbeat,
            test_page_every_s,
            email: ways.email,
            webhooks: ways.webhooks,
        },
        plan: Plan {
            teams: team_plans,
            fallback,
            people: ways.people,
            fallback_contacts: ways.fallback,
            permissions,
            announce_in: incidents.announce_in,
            test_page_in,
            zone: incidents.zone,
            channel_prefix: incidents.channel_prefix,
            severity_default: incidents.severity_default,
            storm,
            ask_after,
            routes,
        },
        path: path.to_owned(),
        source: blots.shown,
    })
}

/// A file the program reads at start: it must be there now.
pub(super) fn file(reader: &mut Reader, section: &Section<'_, '_>, key: &str, folder: &Path) -> Option<PathBuf> {
    let text = reader.text(section, key)?;
    let path = folder.join(text.get_ref());
    if let Err(error) = std::fs::File::open(&path) {
        reader.wrong(format!("{} cannot be read: {error}.", path.display()), text.span(), "this file");
    }
    Some(path)
}

fn slack(reader: &mut Reader, root: &Section<'_, '_>, folder: &Path) -> Slack {
    let mut slack = Slack {
        mode: Mode::default(),
        workspace: None,
        bot: None,
        bot_token_file: None,
        app_token_file: None,
        signing_secret_file: None,
    };
    let Some(section) = reader.table(root, "slack", "[slack]") else { return slack };
    reader.only(&section, &["mode", "workspace", "bot", "bot_token_file", "app_token_file", "signing_secret_file"]);
    slack.mode = reader.choice(&section, "mode", &[("socket", Mode::Socket), ("http", Mode::Http)], Mode::default());
    slack.workspace = reader.text(&section, "workspace").and_then(|text| workspace(reader, &text));
    slack.bot = reader.text(&section, "bot").and_then(|text| bot(reader, &text));
    slack.bot_token_file = file(reader, &section, "bot_token_file", folder);
    slack.app_token_file = file(reader, &section, "app_token_file", folder);
    slack.signing_secret_file = file(reader, &section, "signing_secret_file", folder);
    slack
}

fn workspace(reader: &mut Reader, text: &Spanned<String>) -> Option<WorkspaceId> {
    let id = text.get_ref();
    let is_id = id.starts_with('T') && id.len() > 1 && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !is_id {
        reader.wrong_with_hint(
            format!("\"{id}\" is no workspace id."),
            text.span(),
            "such as \"T0123ABCD\"",
            "Slack's address shows it: https://app.slack.com/client/T…",
        );
    }
    is_id.then(|| WorkspaceId::new(id.as_str()))
}

fn bot(reader: &mut Reader, text: &Spanned<String>) -> Option<UserId> {
    let id = text.get_ref();
    let is_id = id.starts_with(['U', 'W']) && id.len() > 1 && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !is_id {
        reader.wrong_with_hint(
            format!("\"{id}\" is no user's id."),
            text.span(),
            "such as \"U0123ABCD\"",
            "Firebell says the id of the bot where it refuses another app's token.",
        );
    }
    is_id.then(|| UserId::new(id.as_str()))
}

fn server(reader: &mut Reader, root: &Section<'_, '_>) -> Server {
    let mut server = Server { bind: SocketAddr::from(([127, 0, 0, 1], 8080)), public_url: None };
    let Some(section) = reader.table(root, "server", "[server]") else { return server };
    reader.only(&section, &["bind", "public_url"]);
    if let Some(text) = reader.text(&section, "bind") {
        match text.get_ref().parse() {
            Ok(bind) => server.bind = bind,
            Err(_) => reader.wrong(
                format!("\"{}\" is no address to listen on.", text.get_ref()),
                text.span(),
                "write \"127.0.0.1:8080\" or \"0.0.0.0:8080\"",
            ),
        }
    }
    if let Some(text) = reader.text(&section, "public_url") {
        let url = text.get_ref().trim_end_matches('/');
        let is_url =
            ["https://", "http://"].iter().any(|scheme| url.strip_prefix(scheme).is_some_and(|host| !host.is_empty()))
                && !url.contains(char::is_whitespace);
        if is_url {
            server.public_url = Some(url.to_owned());
        } else {
            reader.wrong(
                format!("\"{url}\" is no web address."),
                text.span(),
                "write it whole, such as \"https://firebell.example.com\"",
            );
        }
    }
    server
}

fn database(reader: &mut Reader, root: &Section<'_, '_>, folder: &Path) -> Database {
    let mut database = Database { url: None, url_file: None };
    let Some(section) = reader.table(root, "database", "[database]") else { return database };
    reader.only(&section, &["url", "url_file"]);
    if let Some(text) = reader.text(&section, "url") {
        if secrets::is_database_url(text.get_ref()) {
            database.url = Some(text.get_ref().clone());
        } else {
            reader.wrong(
                "Only SQLite and PostgreSQL are known.".to_owned(),
                text.span(),
                "write \"sqlite:firebell.db\" or \"postgres://host/name\"",
            );
        }
    }
    database.url_file = file(reader, &section, "url_file", folder);
    if database.url.is_some() && database.url_file.is_some() {
        reader.wrong("Both url and url_file are set.", section.span.clone(), "keep one of them");
    }
    database
}

/// The channel that a text names.
pub(super) fn channel(reader: &mut Reader, text: &Spanned<String>) -> Option<Placed<ChannelName>> {
    match ChannelName::parse(text.get_ref()) {
        Ok(value) => Some(Placed { value, span: text.span() }),
        Err((sentence, hint)) => {
            reader.wrong_with_hint(sentence, text.span(), "this channel", hint);
            None
        }
    }
}

const CLOCKS: &[(&str, ClockStyle)] =
    &[("auto", ClockStyle::Auto), ("12", ClockStyle::Twelve), ("24", ClockStyle::TwentyFour)];

struct Incidents {
    announce_in: Option<Placed<ChannelName>>,
    channel_prefix: String,
    severity_default: Severity,
    zone: String,
    clock: ClockStyle,
}

fn incidents(reader: &mut Reader, root: &Section<'_, '_>) -> Incidents {
    let mut incidents = Incidents {
        announce_in: None,
        channel_prefix: "inc-".to_owned(),
        severity_default: Severity::default(),
        zone: "UTC".to_owned(),
        clock: ClockStyle::default(),
    };
    let Some(section) = reader.table(root, "incidents", "[incidents]") else { return incidents };
    reader.only(&section, &["announce_in", "channel_prefix", "severity_default", "time_zone", "clock"]);
    if let Some(text) = reader.text(&section, "announce_in") {
        incidents.announce_in = channel(reader, &text);
    }
    if let Some(text) = reader.text(&section, "channel_prefix") {
        let prefix = text.get_ref();
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        if prefix.chars().all(allowed) && prefix.len() <= CHANNEL_PREFIX_CHARS_MAX {
            incidents.channel_prefix.clone_from(prefix);
        } else {
            reader.wrong(
                format!("No channel's name can begin with \"{prefix}\"."),
                text.span(),
                format!("small letters, digits, - and _, at most {CHANNEL_PREFIX_CHARS_MAX}"),
            );
        }
    }
    incidents.severity_default = reader.choice(&section, "severity_default", SEVERITIES, Severity::default());
    if let Some(text) = reader.text(&section, "time_zone") {
        match civil::zone(text.get_ref()) {
            Ok(zone) => zone.name().clone_into(&mut incidents.zone),
            Err(unknown) => {
                let label = unknown
                    .near
                    .first()
                    .map_or_else(|| "not known".to_owned(), |near| format!("did you mean \"{near}\"?"));
                let hint = "Use a name such as \"Europe/Berlin\" or \"America/New_York\".";
                reader.wrong_with_hint(
                    format!("There is no time zone \"{}\".", unknown.name),
                    text.span(),
                    label,
                    hint,
                );
            }
        }
    }
    // The number 12 is as good as the text.
    let number =
        section.table.get("clock").and_then(|value| value.get_ref().as_integer().map(|number| (number, value)));
    incidents.clock = match number {
        Some((number, value)) => {
            let text = Spanned::new(value.span(), number.as_str().to_owned());
            reader.one_of("clock", &text, CLOCKS).unwrap_or_default()
        }
        None => reader.choice(&section, "clock", CLOCKS, ClockStyle::default()),
    };
    incidents
}

fn export(reader: &mut Reader, root: &Section<'_, '_>, folder: &Path) -> Export {
    const FORMATS: &[(&str, Format)] = &[("md", Format::Markdown), ("html", Format::Html), ("json", Format::Json)];
    let mut export = Export { dir: None, formats: Format::ALL.to_vec(), private: false, people: People::default() };
    let Some(section) = reader.table(root, "export", "[export]") else { return export };
    reader.only(&section, &["dir", "formats", "private", "people"]);
    export.dir = reader.text(&section, "dir").map(|dir| folder.join(dir.get_ref()));
    if let Some(texts) = reader.texts(&section, "formats") {
        let mut formats: Vec<Format> =
            texts.get_ref().iter().filter_map(|text| reader.one_of("formats", text, FORMATS)).collect();
        formats.sort();
        formats.dedup();
        if texts.get_ref().is_empty() {
            reader.wrong("\"formats\" is empty.", texts.span(), "leave it out to write all of them");
        }
        export.formats = formats;
    }
    export.private = reader.flag(&section, "private", false);
    let people = [("roles", People::Roles), ("initials", People::Initials), ("names", People::Names)];
    export.people = reader.choice(&section, "people", &people, People::default());
    export
}

const ACTIONS: [(&str, Action); 6] = [
    ("open", Action::Open),
    ("escalate", Action::Escalate),
    ("acknowledge", Action::Acknowledge),
    ("contribute", Action::Contribute),
    ("resolve", Action::Resolve),
    ("see_private", Action::SeePrivate),
];

fn permissions(reader: &mut Reader, root: &Section<'_, '_>) -> PermissionsPlan {
    let mut permissions = PermissionsPlan::default();
    let Some(section) = reader.table(root, "permissions", "[permissions]") else { return permissions };
    let known: Vec<&str> = ACTIONS.iter().map(|(key, _)| *key).chain(["guests", "external"]).collect();
    reader.only(&section, &known);
    for (key, action) in ACTIONS {
        let Some(texts) = reader.texts(&section, key) else { continue };
        if let [text] = texts.get_ref().as_slice()
            && text.get_ref() == "members"
        {
            continue;
        }
        let mut listed = Vec::new();
        for text in texts.get_ref() {
            match Named::parse(text.get_ref()) {
                Ok(Named::Channel { .. }) => {
                    reader.wrong("A channel cannot be allowed to do something.", text.span(), "name people and groups");
                }
                Ok(value) => listed.push(Placed { value, span: text.span() }),
                Err((sentence, _)) => reader.wrong_with_hint(
                    sentence,
                    text.span(),
                    "not understood",
                    "Write \"members\" for everybody, or a list such as [\"@ana\", \"@sre\"].",
                ),
            }
        }
        if texts.get_ref().is_empty() {
            reader.wrong(
                format!("With this list nobody may do \"{key}\"."),
                texts.span(),
                "name somebody, or \"members\"",
            );
        }
        permissions.listed.insert(action, listed);
    }
    permissions.guests = reader.flag(&section, "guests", false);
    permissions.external = reader.flag(&section, "external", false);
    permissions
}
