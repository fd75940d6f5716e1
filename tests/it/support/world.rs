//! The whole program on the demo's workspace, a real database and a clock that the test moves; told as a story.
//!
//! What a test did not expect fails it at the end: a call that Slack would have minded, an error in the log.

mod logs;
mod person;
mod screen;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use firebell::domain::incident::Incident;
use firebell::domain::timeline::people::{People, PeopleStyle};
use firebell::domain::timeline::timeline;
use firebell::sandbox::{ApiFault, Fault, Workspace};
use firebell::stage::{Set, Stage, sqlite_in};

pub(crate) use person::Person;

use self::logs::Logs;
use super::postgres;

/// Effects that wait for nothing but Slack's limits are let out within this time of an act.
const FLOW_S: i64 = 20;
/// A story that hangs says so.
const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) const CONFIG: &str = include_str!("../../../firebell.example.toml");

/// 3:00 PM in New York on a Tuesday.
pub(crate) fn three_pm() -> DateTime<Utc> {
    "2026-12-01T20:00:00Z".parse().expect("an instant")
}

pub(crate) fn minutes(minutes: i64) -> TimeDelta {
    TimeDelta::minutes(minutes)
}

pub(crate) fn seconds(seconds: i64) -> TimeDelta {
    TimeDelta::seconds(seconds)
}

pub(crate) struct World {
    stage: Option<Stage>,
    folder: tempfile::TempDir,
    logs: Logs,
    url: String,
    complaints_expected: bool,
    errors_expected: bool,
}

/// Tells one story on SQLite and on PostgreSQL.
macro_rules! on_both {
    ($(async fn $name:ident($($world:ident)+) $story:block)+) => {$(
        mod $name {
            use super::*;

            async fn story($($world)+: $crate::support::world::World) $story

            #[tokio::test]
            async fn on_sqlite() {
                story($crate::support::world::World::new().await).await;
            }

            #[tokio::test]
            async fn on_postgres() {
                if let Some(world) = $crate::support::world::World::on_postgres().await {
                    story(world).await;
                }
            }
        }
    )+};
}
pub(crate) use on_both;

impl World {
    /// On SQLite, with the example's configuration.
    pub(crate) async fn new() -> Self {
        Self::with(CONFIG).await
    }

    pub(crate) async fn with(config: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let url = sqlite_in(folder.path());
        Self::set(config, folder, url, three_pm()).await
    }

    /// The example's configuration with one passage replaced.
    pub(crate) async fn where_instead(from: &str, to: &str) -> Self {
        assert!(CONFIG.contains(from), "the example does not say {from}");
        Self::with(&CONFIG.replacen(from, to, 1)).await
    }

    /// As [`World::new`], beginning at another instant.
    pub(crate) async fn starting(at: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let url = sqlite_in(folder.path());
        Self::set(CONFIG, folder, url, at.parse().expect("an instant")).await
    }

    /// `None` where PostgreSQL is not installed.
    pub(crate) async fn on_postgres() -> Option<Self> {
        Self::on_postgres_with(CONFIG).await
    }

    /// As [`World::on_postgres`], with another configuration.
    pub(crate) async fn on_postgres_with(config: &str) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let url = postgres::database().await?;
        Some(Self::set(config, folder, url, three_pm()).await)
    }

    /// On this database.
    pub(crate) async fn on(folder: tempfile::TempDir, database_url: String) -> Self {
        Self::set(CONFIG, folder, database_url, three_pm()).await
    }

    async fn set(config: &str, folder: tempfile::TempDir, database_url: String, start_at: DateTime<Utc>) -> Self {
        let logs = Logs::watch();
        let keys = [("prometheus", "demo-prometheus"), ("script", "demo-script")];
        let stage = Stage::set(Set {
            start_at,
            config: config.to_owned(),
            folder: folder.path().to_owned(),
            database_url: database_url.clone(),
            workspace: Workspace::demo(),
            keys: keys.map(|(key, secret)| (key.into(), secret.to_owned())).to_vec(),
            rate_limits: true,
        })
        .await
        .expect("the program starts");
        Self { stage: Some(stage), folder, logs, url: database_url, complaints_expected: false, errors_expected: false }
    }

    /// Stops the program and starts it again on the same database and workspace.
    pub(crate) async fn restarts(&mut self) {
        let stage = self.stage.take().expect("is set");
        self.stage = Some(stage.restart(None).await.expect("the program starts again"));
    }

    /// As [`World::restarts`], with another configuration.
    pub(crate) async fn restarts_with(&mut self, config: &str) {
        let stage = self.stage.take().expect("is set");
        self.stage = Some(stage.restart(Some(config.to_owned())).await.expect("the program starts again"));
    }

    /// The program stops, and is started again so much later.
    pub(crate) async fn stands_still(&mut self, span: TimeDelta) {
        self.stage().clock.set(self.now() + span);
        self.restarts().await;
        self.flows().await;
    }

    /// The program is stopped, and started on this copy of its SQLite file.
    pub(crate) async fn restores(&mut self, copy: &std::path::Path) {
        let stage = self.stage.take().expect("is set");
        let url = format!("sqlite:{}", copy.display());
        self.stage = Some(stage.restart_on(url).await.expect("the program starts on the copy"));
        self.flows().await;
    }

    pub(crate) fn stage(&self) -> &Stage {
        self.stage.as_ref().expect("is set")
    }

    /// The address of its database.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    pub(crate) fn ana(&self) -> Person<'_> {
        Person::new(self, "ana")
    }

    pub(crate) fn ben(&self) -> Person<'_> {
        Person::new(self, "ben")
    }

    pub(crate) fn chris(&self) -> Person<'_> {
        Person::new(self, "chris")
    }

    pub(crate) fn dana(&self) -> Person<'_> {
        Person::new(self, "dana")
    }

    pub(crate) fn eli(&self) -> Person<'_> {
        Person::new(self, "eli")
    }

    pub(crate) fn fay(&self) -> Person<'_> {
        Person::new(self, "fay")
    }

    /// The guest.
    pub(crate) fn gil(&self) -> Person<'_> {
        Person::new(self, "gil")
    }

    /// Lets everything happen that waits for nothing but Slack.
    pub(crate) async fn flows(&self) {
        let flowing = self.stage().settle_within(seconds(FLOW_S));
        tokio::time::timeout(PATIENCE, flowing).await.expect("comes to rest").expect("nothing fails");
    }

    /// Time passes; whatever is due on the way happens at its time.
    pub(crate) async fn advance(&self, span: TimeDelta) {
        let passing = self.stage().advance(span);
        tokio::time::timeout(PATIENCE, passing).await.expect("comes to rest").expect("nothing fails");
    }

    /// As [`World::advance`], until this time of the first day in New York, such as `15:05`.
    pub(crate) async fn until(&self, clock: &str) {
        let at = format!("2026-12-01T{clock}:00-05:00").parse::<DateTime<Utc>>().expect("h:mm");
        assert!(at >= self.now(), "it is later than {clock} already: {}", self.now());
        self.advance(at - self.now()).await;
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.stage().clock.now()
    }

    /// The clock jumps while nothing runs, as when a machine was suspended.
    pub(crate) async fn sleeps_through(&self, span: TimeDelta) {
        self.stage().clock.set(self.now() + span);
        self.flows().await;
    }

    /// Has Slack misbehave.
    pub(crate) fn slack_fails(&self, method: &str, nth: Option<u32>, what: ApiFault) {
        self.stage().slack.add_fault(Fault::Api { method: method.to_owned(), nth, what });
    }

    pub(crate) fn slack_recovers(&self) {
        self.stage().slack.clear_faults();
    }

    pub(crate) async fn incident(&self, number: i64) -> Incident {
        self.stage().incident(number).await.expect("exists")
    }

    /// How many events the incident has: what a test compares to see that nothing changed.
    pub(crate) async fn events(&self, number: i64) -> u32 {
        self.incident(number).await.last_seq
    }

    /// The timeline as a document tells it, one entry a line; the history's chain of hashes is checked on the way.
    pub(crate) async fn timeline(&self, number: i64) -> String {
        let incident = self.incident(number).await;
        let history = self.stage().verified_history(incident.id).await.expect("a whole history");
        let directory = self.stage().program.app.directory();
        let entries = timeline(&history, &People::new(&incident, &directory, PeopleStyle::Names));
        let lines = entries.iter().map(|entry| {
            let about = if entry.approx { "~" } else { "" };
            let clock = screen::wall_clock(entry.at, &incident.zone);
            let tag = entry.tag.map_or(String::new(), |tag| format!("/{tag:?}"));
            let team = entry.team.as_ref().map_or(String::new(), |team| format!(" ({})", team.name));
            format!("{about}{clock} {}{tag}{team}: {}", entry.kind.word(), entry.text)
        });
        self.named(&lines.collect::<Vec<_>>().join("\n"))
    }

    /// The name of an incident's channel, with its `#`.
    pub(crate) async fn channel_of(&self, number: i64) -> String {
        match self.incident(number).await.channel {
            firebell::domain::incident::Channel::Open { name, .. } => format!("#{name}"),
            other => panic!("INC-{number} has no channel: {other:?}"),
        }
    }

    /// Errors in the log are part of the story.
    pub(crate) fn expects_errors(&mut self) {
        self.errors_expected = true;
    }

    /// Calls that Slack minds are part of the story.
    pub(crate) fn expects_complaints(&mut self) {
        self.complaints_expected = true;
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let (Some(stage), false) = (&self.stage, std::thread::panicking()) else { return };
        let complaints = stage.slack.complaints();
        assert!(self.complaints_expected || complaints.is_empty(), "Slack minds: {complaints:#?}");
        let errors = self.logs.errors();
        assert!(self.errors_expected || errors.is_empty(), "unexpected errors in the log:\n{errors}");
    }
}
