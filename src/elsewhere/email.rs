//! E-mail over SMTP: one connection for each message, plain text, nothing that a mail program has to fetch.

use lettre::Address;
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail as MailFrom, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use secrecy::{ExposeSecret, SecretString};

use super::letter::Letter;
use super::{Failure, SEND_TIMEOUT};
use crate::config::{Email, Tls};

/// The ways to sign in that mail servers know; the connection is encrypted.
const MECHANISMS: [Mechanism; 2] = [Mechanism::Plain, Mechanism::Login];

/// A mail server, and who we are there.
pub(super) struct Mail {
    settings: Email,
    password: Option<SecretString>,
}

/// How far a conversation has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing of the message has been said.
    Before,
    /// The server was told whom it is for.
    Addressed,
    /// The message has been handed over, and its receipt is waited for.
    HandedOver,
}

impl Mail {
    pub(super) fn new(settings: Email, password: Option<SecretString>) -> Self {
        Self { settings, password }
    }

    /// Hands a message to the mail server.
    pub(super) async fn send(&self, to: &str, letter: &Letter) -> Result<(), Failure> {
        let unusable = || Failure::Refused("The e-mail address cannot be written to".to_owned());
        let to: Address = to.parse().map_err(|_| unusable())?;
        let message = self.message(&to, letter).map_err(|_| unusable())?;
        let mut stage = Stage::Before;
        match tokio::time::timeout(SEND_TIMEOUT, self.converse(&to, &message.formatted(), &mut stage)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(meaning(&error, stage)),
            Err(_) if stage == Stage::HandedOver => {
                Err(Failure::Unknown("The mail server did not confirm the message in time".to_owned()))
            }
            Err(_) => Err(Failure::NotNow("The mail server did not answer in time".to_owned())),
        }
    }

    fn message(&self, to: &Address, letter: &Letter) -> Result<Message, lettre::error::Error> {
        let from = &self.settings.from;
        let domain = from.email.domain();
        Message::builder()
            .from(from.clone())
            .to(Mailbox::new(None, to.clone()))
            .subject(letter.subject.as_str())
            .message_id(Some(format!("<{}.{}@{domain}>", letter.id, letter.attempt)))
            // All copies of one page are one conversation, though each attempt has an id of its own.
            .references(format!("<{}@{domain}>", letter.id))
            .date(letter.written_at.into())
            .header(ContentType::TEXT_PLAIN)
            // Nobody's "out of office" need answer.
            .header(AutoSubmitted)
            .body(letter.text.clone())
    }

    /// Connects and signs in, and sends nothing.
    pub(super) async fn check(&self) -> Result<(), Failure> {
        let greeting = async {
            let mut server = self.connect().await?;
            drop(server.quit().await);
            Ok(())
        };
        match tokio::time::timeout(SEND_TIMEOUT, greeting).await {
            Ok(greeted) => greeted.map_err(|error| meaning(&error, Stage::Before)),
            Err(_) => Err(Failure::NotNow("The mail server did not answer in time".to_owned())),
        }
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Error> {
        let Email { host, port, tls, user, from, .. } = &self.settings;
        let host = host.trim_matches(['[', ']']);
        let us = ClientId::Domain(from.email.domain().to_owned());
        let parameters = || TlsParameters::new_rustls(host.to_owned());
        let at_once = if *tls == Tls::Implicit { Some(parameters()?) } else { None };
        let mut server =
            AsyncSmtpConnection::connect_tokio1((host, *port), Some(SEND_TIMEOUT), &us, at_once, None).await?;
        if *tls == Tls::StartTls {
            server.starttls(parameters()?, &us).await?;
        }
        if let (Some(user), Some(password)) = (user, &self.password) {
            let credentials = Credentials::new(user.clone(), password.expose_secret().to_owned());
            server.auth(&MECHANISMS, &credentials).await?;
        }
        Ok(server)
    }

    async fn converse(&self, to: &Address, message: &[u8], stage: &mut Stage) -> Result<(), Error> {
        let mut server = self.connect().await?;
        server.command(MailFrom::new(Some(self.settings.from.email.clone()), Vec::new())).await?;
        *stage = Stage::Addressed;
        server.command(Rcpt::new(to.clone(), Vec::new())).await?;
        server.command(Data).await?;
        *stage = Stage::HandedOver;
        server.message(message).await?;
        // It is the server's now; how the goodbye goes changes nothing.
        drop(server.quit().await);
        Ok(())
    }
}

/// RFC 3834: made by a machine.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// What an error means. What the server said beside its code is left out: it may quote the address.
fn meaning(error: &Error, stage: Stage) -> Failure {
    let code = error.status().map_or_else(String::new, |code| format!(" ({code})"));
    match stage {
        // Not this person's address is refused, but the sender, the password, or us.
        Stage::Before if error.is_permanent() => {
            Failure::NotNow(format!("The mail server refuses Firebell{code}. Check [email] in firebell.toml"))
        }
        Stage::Addressed | Stage::HandedOver if error.is_permanent() => {
            Failure::Refused(format!("The mail server refused the message{code}"))
        }
        _ if error.is_transient() => Failure::NotNow(format!("The mail server asks to try again later{code}")),
        _ if error.is_client() => {
            Failure::NotNow("The mail server cannot be used as [email] in firebell.toml says".to_owned())
        }
        Stage::HandedOver => Failure::Unknown("The connection to the mail server broke".to_owned()),
        Stage::Before | Stage::Addressed => Failure::NotNow("The mail server could not be reached".to_owned()),
    }
}
