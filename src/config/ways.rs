//! The ways to people besides Slack: the mail server, outgoing webhooks, and who is reached where.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use lettre::message::Mailbox;
use toml::Spanned;
use url::{Host, Url};

use super::read::file;
use super::reader::{Reader, Section};
use super::targets::{Named, Placed};
use super::teams::required;
use crate::domain::contact::Contacts;
use crate::elsewhere::guard;

pub use crate::elsewhere::guard::Network;

/// The ports of submission, by how the connection is encrypted.
const PORTS: [(Tls, u16); 3] = [(Tls::StartTls, 587), (Tls::Implicit, 465), (Tls::None, 25)];

/// How mail is handed in.
#[derive(Clone, Debug)]
pub struct Email {
    pub host: String,
    pub port: u16,
    pub tls: Tls,
    /// Signs in with `SMTP_PASSWORD`; without one nobody signs in.
    pub user: Option<String>,
    pub password_file: Option<PathBuf>,
    pub from: Mailbox,
}

/// How the connection to the mail server is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tls {
    /// After a greeting in the clear; refused if the server offers none.
    #[default]
    StartTls,
    /// From the first byte.
    Implicit,
    None,
}

/// What holds for all outgoing webhooks.
#[derive(Clone, Debug, Default)]
pub struct Webhooks {
    pub secret_file: Option<PathBuf>,
    /// Networks that may be called although they are no part of the public internet.
    pub allow: Vec<Network>,
}

/// How one person is reached.
#[derive(Clone, Debug)]
pub struct ContactPlan {
    pub user: Placed<Named>,
    pub contacts: Contacts,
}

pub(super) struct Ways {
    pub(super) email: Option<Email>,
    pub(super) webhooks: Webhooks,
    pub(super) people: Vec<ContactPlan>,
    pub(super) fallback: Contacts,
}

pub(super) fn ways(reader: &mut Reader, root: &Section<'_, '_>, folder: &Path, has_public_url: bool) -> Ways {
    let email = email(reader, root, folder);
    let webhooks = webhooks(reader, root, folder);
    let can = Can { email: root.table.contains_key("email"), link: has_public_url, allow: &webhooks.allow };
    let people = people(reader, root, &can);
    // What is no table is told of where its targets are read.
    let is_table = root.table.get("fallback").is_some_and(|value| value.get_ref().as_table().is_some());
    let section = if is_table { reader.table(root, "fallback", "[fallback]") } else { None };
    let fallback = section.map(|section| contacts(reader, &section, &can));
    Ways { email, people, fallback: fallback.unwrap_or_default(), webhooks }
}

/// What the rest of the file makes possible.
struct Can<'a> {
    /// There is a mail server.
    email: bool,
    /// A link to answer can be written.
    link: bool,
    allow: &'a [Network],
}

fn email(reader: &mut Reader, root: &Section<'_, '_>, folder: &Path) -> Option<Email> {
    let section = reader.table(root, "email", "[email]")?;
    reader.only(&section, &["host", "port", "tls", "user", "password_file", "from"]);
    let host = required(reader, &section, "host", "the mail server, such as \"smtp.example.com\"");
    let from = required(reader, &section, "from", "the sender, such as \"Firebell <firebell@example.com>\"");
    let modes = [("starttls", Tls::StartTls), ("tls", Tls::Implicit), ("none", Tls::None)];
    let tls = reader.choice(&section, "tls", &modes, Tls::default());
    let usual = PORTS.iter().find(|(mode, _)| *mode == tls).map_or(587, |(_, port)| *port);
    let port = reader.count(&section, "port", u32::from(u16::MAX), u32::from(usual));
    let user = reader.text(&section, "user");
    let password_file = file(reader, &section, "password_file", folder);
    let host = host.filter(|host| is_host(reader, host));
    let from = from.and_then(|from| mailbox(reader, &from));
    if let (Some(host), Some(user), Tls::None) = (&host, &user, tls)
        && !is_this_machine(host.get_ref())
    {
        reader.wrong_with_hint(
            "The password would cross the network unencrypted.",
            user.span(),
            "signs in with tls = \"none\"",
            "Use tls = \"starttls\" or \"tls\", or leave user out.",
        );
    }
    if let (None, Some(_)) = (&user, &password_file) {
        reader.wrong("There is a password, but no \"user\".", section.span.clone(), "add \"user\"");
    }
    Some(Email {
        host: host?.into_inner(),
        port: u16::try_from(port).unwrap_or(usual),
        tls,
        user: user.map(Spanned::into_inner),
        password_file,
        from: from?,
    })
}

fn is_host(reader: &mut Reader, host: &Spanned<String>) -> bool {
    let known = Host::parse(host.get_ref().trim_matches(['[', ']'])).is_ok() || Host::parse(host.get_ref()).is_ok();
    if !known {
        let sentence = format!("\"{}\" is no name of a server.", host.get_ref());
        reader.wrong(sentence, host.span(), "write it without a port, such as \"smtp.example.com\"");
    }
    known
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || IpAddr::from_str(host.trim_matches(['[', ']'])).is_ok_and(|ip| ip.is_loopback())
}

fn mailbox(reader: &mut Reader, text: &Spanned<String>) -> Option<Mailbox> {
    let parsed = text.get_ref().parse().ok();
    if parsed.is_none() {
        let sentence = format!("\"{}\" is no e-mail address.", text.get_ref());
        reader.wrong(sentence, text.span(), "write it like \"dana@example.com\"");
    }
    parsed
}

fn webhooks(reader: &mut Reader, root: &Section<'_, '_>, folder: &Path) -> Webhooks {
    let Some(section) = reader.table(root, "webhooks", "[webhooks]") else { return Webhooks::default() };
    reader.only(&section, &["secret_file", "allow"]);
    let secret_file = file(reader, &section, "secret_file", folder);
    let mut allow = Vec::new();
    for text in reader.texts(&section, "allow").map(Spanned::into_inner).unwrap_or_default() {
        match text.get_ref().parse() {
            Ok(network) => allow.push(network),
            Err(_) => reader.wrong(
                format!("\"{}\" is no address and no network.", text.get_ref()),
                text.span(),
                "write \"10.1.2.3\" or \"10.1.0.0/16\"",
            ),
        }
    }
    Webhooks { secret_file, allow }
}

fn people(reader: &mut Reader, root: &Section<'_, '_>, can: &Can<'_>) -> Vec<ContactPlan> {
    let mut people: Vec<ContactPlan> = Vec::new();
    for section in reader.tables(root, "people", "a person") {
        reader.only(&section, &["user", "email", "webhook"]);
        let user = required(reader, &section, "user", "whom it is about, such as \"@dana\"");
        let contacts = contacts(reader, &section, can);
        if contacts.is_empty() && !section.table.contains_key("email") && !section.table.contains_key("webhook") {
            let label = "add email = \"…\" or webhook = \"https://…\"";
            reader.wrong("This person has no other way than Slack.", section.span.clone(), label);
        }
        let Some(text) = user else { continue };
        match Named::parse(text.get_ref()) {
            Ok(Named::Channel { .. } | Named::Group(_)) => {
                reader.wrong("Contact methods belong to one person.", text.span(), "name a person");
            }
            Ok(value) if people.iter().any(|person| person.user.value == value) => {
                reader.wrong(format!("{value} stands in two [[people]]."), text.span(), "the second one");
            }
            Ok(value) => people.push(ContactPlan { user: Placed { value, span: text.span() }, contacts }),
            Err((sentence, hint)) => reader.wrong_with_hint(sentence, text.span(), "this person", hint),
        }
    }
    people
}

fn contacts(reader: &mut Reader, section: &Section<'_, '_>, can: &Can<'_>) -> Contacts {
    let email = reader.text(section, "email");
    let webhook = reader.text(section, "webhook");
    if let Some(text) = email.as_ref().or(webhook.as_ref()).filter(|_| !can.link) {
        reader.wrong_with_hint(
            "Nobody could answer what is sent there.",
            text.span(),
            "needs a link",
            "Set public_url under [server]: the link to answer begins with it.",
        );
    }
    let email = email.and_then(|text| {
        if !can.email {
            let hint = "Add [email] with host and from, or leave this address out.";
            reader.wrong_with_hint("There is no mail server to send this through.", text.span(), "no [email]", hint);
        }
        mailbox(reader, &text).map(|mailbox| mailbox.email.to_string())
    });
    let webhook = webhook.and_then(|text| web_address(reader, text, can.allow));
    Contacts { email, webhook }
}

/// An address that may be called, as far as it can be told before its name is looked up.
fn web_address(reader: &mut Reader, text: Spanned<String>, allow: &[Network]) -> Option<String> {
    let Some(url) = Url::parse(text.get_ref()).ok().filter(Url::has_host) else {
        reader.wrong("This is no web address.", text.span(), "write it whole, such as \"https://hooks.example.com/x\"");
        return None;
    };
    match guard::judge(&url, allow) {
        Ok(()) => Some(text.into_inner()),
        Err(refused) => {
            reader.wrong_with_hint(refused.to_string(), text.span(), "cannot be called", refused.way_out());
            None
        }
    }
}
