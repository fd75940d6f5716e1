//! A second way out: people who are paged by e-mail and webhook while Slack is away, and who answer by a link. The whole
//! program, a mail server and a receiver on loopback.

mod answering;
mod outages;
mod unwritten;
mod webhooks;

use chrono::{DateTime, TimeDelta, Utc};
use firebell::domain::event::{Detour, Event, PageResult, Recorded};
use firebell::sandbox::ApiFault;
use serde_json::json;

use crate::support::mail::{Mail, MailServer};
use crate::support::receiver::{Hook, Receiver};
use crate::support::world::{CONFIG, World};

/// A world with other ways than Slack: Ben and Fay by e-mail, Chris by webhook, Dana by both, the fallback by e-mail.
struct Town {
    world: World,
    mail: MailServer,
    hooks: Receiver,
    client: reqwest::Client,
}

/// Tells one story on SQLite and on PostgreSQL.
macro_rules! in_town {
    ($(async fn $name:ident($($town:ident)+) $story:block)+) => {$(
        mod $name {
            use super::*;

            async fn story($($town)+: $crate::elsewhere::Town) $story

            #[tokio::test]
            async fn on_sqlite() {
                story($crate::elsewhere::Town::of($crate::support::world::World::new().await).await).await;
            }

            #[tokio::test]
            async fn on_postgres() {
                if let Some(world) = $crate::support::world::World::on_postgres().await {
                    story($crate::elsewhere::Town::of(world).await).await;
                }
            }
        }
    )+};
}
use in_town;

const BEN: &str = "ben@shop.example";
const DANA: &str = "dana@shop.example";
const FAY: &str = "fay@shop.example";
const ON_CALL: &str = "on-call@shop.example";

impl Town {
    async fn new() -> Self {
        Self::of(World::new().await).await
    }

    async fn of(mut world: World) -> Self {
        let (mail, hooks) = (MailServer::start().await, Receiver::start().await);
        world.restarts_with(&config(&mail, &hooks)).await;
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { world, mail, hooks, client }
    }

    /// Slack answers nothing that we ask; what people type in it still arrives.
    fn slack_goes_down(&self) {
        self.world.slack_fails("*", None, ApiFault::ServerError { status: 503 });
    }

    /// An alert that opens INC-1 and calls the development team: Ben, then Chris.
    async fn alert(&self) {
        let body = json!({ "title": "Checkout is slow", "dedup_key": "checkout" });
        let (status, answer) =
            self.world.stage().post_json("/alerts/generic", "demo-script", &body).await.expect("is taken");
        assert_eq!(status, 202, "{answer}");
    }

    async fn history(&self) -> Vec<Recorded> {
        let incident = self.world.incident(1).await;
        self.world.stage().verified_history(incident.id).await.expect("a whole history")
    }

    /// When which detour was taken and why, since the first page's due time.
    async fn detours(&self) -> Vec<(TimeDelta, Detour)> {
        let history = self.history().await;
        let due_at = history
            .iter()
            .find_map(|recorded| match recorded.occurrence.event {
                Event::TierStarted { due_at, .. } => Some(due_at),
                _ => None,
            })
            .expect("somebody was paged");
        history
            .iter()
            .filter_map(|recorded| match recorded.occurrence.event {
                Event::PagedElsewhere { because, .. } => Some((recorded.recorded_at - due_at, because)),
                _ => None,
            })
            .collect()
    }

    /// When something went out besides Slack.
    async fn sent_elsewhere_at(&self) -> Vec<DateTime<Utc>> {
        let sent = |recorded: &Recorded| {
            matches!(recorded.occurrence.event, Event::PageAttempted { result: PageResult::SentElsewhere, .. })
        };
        self.history().await.iter().filter(|recorded| sent(recorded)).map(|recorded| recorded.recorded_at).collect()
    }

    fn mail_to(&self, address: &str) -> Mail {
        let mut mails = self.mail.mails_to(address);
        assert_eq!(mails.len(), 1, "one mail to {address}: {mails:#?}");
        mails.remove(0)
    }

    fn hook(&self, path: &str) -> Hook {
        let mut hooks = self.hooks.hooks(path);
        assert_eq!(hooks.len(), 1, "one call of {path}: {hooks:#?}");
        hooks.remove(0)
    }

    /// Opens a link.
    async fn opens(&self, path: &str) -> (u16, String) {
        self.world.stage().get(path).await.expect("an answer")
    }

    /// Presses the button of the page behind a link.
    async fn presses(&self, path: &str) -> (u16, String) {
        let sent = self.client.post(format!("{}{path}", self.world.stage().url)).send().await.expect("an answer");
        let status = sent.status().as_u16();
        let page = sent.text().await.expect("text");
        self.world.flows().await;
        (status, page)
    }
}

fn config(mail: &MailServer, hooks: &Receiver) -> String {
    let fallback = "targets = [\"@fay\", \"#incidents @channel\"]\n";
    let address = "# public_url = \"https://firebell.example.com\"";
    assert!(CONFIG.contains(fallback) && CONFIG.contains(address));
    let config = CONFIG
        .replace(address, "public_url = \"https://bell.example\"")
        .replace(fallback, &format!("{fallback}email = \"{ON_CALL}\"\n"));
    format!(
        r#"{config}
[email]
host = "127.0.0.1"
port = {mail_port}
tls = "none"
user = "firebell"
from = "Firebell <firebell@bell.example>"

[webhooks]
allow = ["127.0.0.1"]

[[people]]
user = "@ben"
email = "{BEN}"

[[people]]
user = "@chris"
webhook = "{hook_url}/chris"

[[people]]
user = "@dana"
email = "{DANA}"
webhook = "{hook_url}/dana"

[[people]]
user = "@fay"
email = "{FAY}"
"#,
        mail_port = mail.port,
        hook_url = hooks.url,
    )
}
