//! Ways to people besides Slack: e-mail and webhooks, each with a signed link to answer.
//!
//! Decides nothing: which way is tried when is the domain's, and the worker asks. A further method is a variant of
//! `ContactMethod`, a file here, and an arm in [`Elsewhere::send`].

mod email;
pub mod guard;
mod letter;
pub mod link;
mod notice;
pub mod webhook;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::config::Config;
use crate::config::secrets::WaySecrets;
use crate::domain::contact::ContactMethod;

pub use letter::Letter;
pub use link::{Claim, Links};
pub use notice::Notice;
pub(crate) use notice::one_line;

/// How long one message may take altogether; shorter than the lease of its page.
pub const SEND_TIMEOUT: Duration = Duration::from_secs(5);

/// Messages on their way at once by each method: a mail server takes few connections from one client.
const AT_ONCE: usize = 8;

/// Why a message did not go out, in words that name neither addresses nor what the other side said.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// For good: the same message will be refused again.
    #[error("{0}")]
    Refused(String),
    /// Surely not accepted; it may be later.
    #[error("{0}")]
    NotNow(String),
    /// It may have been accepted.
    #[error("{0}")]
    Unknown(String),
    /// Nothing was tried: as many as may be are on their way.
    #[error("Too many messages are on their way at once")]
    Busy,
}

/// All ways that are configured; cheap to clone.
#[derive(Clone)]
pub struct Elsewhere {
    inner: Arc<Inner>,
}

struct Inner {
    mail: Option<email::Mail>,
    webhooks: Option<webhook::Webhooks>,
    links: Links,
    places: [Semaphore; ContactMethod::ALL.len()],
}

impl Elsewhere {
    /// The ways of this configuration. `key` signs the links.
    pub fn new(config: &Config, secrets: &WaySecrets, key: &[u8]) -> Self {
        let settings = &config.settings;
        let mail = settings.email.clone().map(|email| email::Mail::new(email, secrets.smtp_password.clone()));
        let allow = settings.webhooks.allow.clone();
        let webhooks = secrets.webhook_secret.clone().map(|secret| webhook::Webhooks::new(secret, allow));
        let links = Links::new(key, settings.server.public_url.as_deref().unwrap_or_default());
        let places = ContactMethod::ALL.map(|_| Semaphore::new(AT_ONCE));
        Self { inner: Arc::new(Inner { mail, webhooks, links, places }) }
    }

    /// For a simulation, which takes what is sent by any way.
    #[cfg(test)]
    pub(crate) fn simulated(key: &[u8], public_url: &str) -> Self {
        let places = ContactMethod::ALL.map(|_| Semaphore::new(AT_ONCE));
        Self { inner: Arc::new(Inner { mail: None, webhooks: None, links: Links::new(key, public_url), places }) }
    }

    pub fn links(&self) -> &Links {
        &self.inner.links
    }

    /// Whether the mail server lets us in; nothing is sent. `None` without one.
    pub async fn check_mail(&self) -> Option<Result<(), Failure>> {
        match &self.inner.mail {
            Some(mail) => Some(mail.check().await),
            None => None,
        }
    }

    /// Hands a page over. It has gone out when this says so; that is not delivery.
    pub async fn send(&self, by: ContactMethod, address: &str, notice: &Notice<'_>) -> Result<(), Failure> {
        #[cfg(test)]
        if crate::simulation::is_on() {
            return crate::simulation::elsewhere(by, notice).await;
        }
        self.hand_over(by, address, || notice.letter()).await
    }

    /// As [`Elsewhere::send`], a message that is no page.
    pub async fn warn(&self, by: ContactMethod, address: &str, letter: &Letter) -> Result<(), Failure> {
        self.hand_over(by, address, || letter.clone()).await
    }

    async fn hand_over(
        &self,
        by: ContactMethod,
        address: &str,
        letter: impl FnOnce() -> Letter,
    ) -> Result<(), Failure> {
        let Ok(_place) = self.inner.places[by as usize].try_acquire() else {
            return Err(Failure::Busy);
        };
        match by {
            ContactMethod::Email => match &self.inner.mail {
                Some(mail) => mail.send(address, &letter()).await,
                None => Err(Failure::Refused("There is no mail server in firebell.toml any more".to_owned())),
            },
            ContactMethod::Webhook => match &self.inner.webhooks {
                Some(webhooks) => {
                    let letter = letter();
                    let body = letter.json.to_string();
                    webhooks.post(address, body.into(), &letter.id, letter.written_at).await
                }
                None => Err(Failure::NotNow("FIREBELL_WEBHOOK_SECRET is not set".to_owned())),
            },
        }
    }
}
