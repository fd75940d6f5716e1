//! Firebell's watch over itself: the clock, the figures, readiness, the heartbeat. The whole program on a stage, with a real
//! receiver for what it sends.

mod clock;
mod figures;
mod health;
mod heartbeat;
mod test_page;

use chrono::TimeDelta;
use firebell::sandbox::{Act, ApiFault, Fault, Workspace};
use firebell::stage::{Set, Stage, sqlite_in};
use tempfile::TempDir;

use crate::support::postgres;
use crate::support::world::{CONFIG, three_pm};

const ANA: &str = "U0ANA00001";
const GENERAL: &str = "C0GENERAL1";

/// A program whose loops the test runs, with its own folder.
struct House {
    stage: Stage,
    folder: TempDir,
}

/// With these lines instead of what the example says of metrics, heartbeat and test pages.
async fn house(watching: &str) -> House {
    let folder = tempfile::tempdir().expect("a folder");
    let url = sqlite_in(folder.path());
    house_at(watching, folder, url).await
}

/// `None` where PostgreSQL is not installed.
async fn house_on_postgres(watching: &str) -> Option<House> {
    let folder = tempfile::tempdir().expect("a folder");
    let url = postgres::database().await?;
    Some(house_at(watching, folder, url).await)
}

async fn house_at(watching: &str, folder: TempDir, database_url: String) -> House {
    let (before, rest) = CONFIG.split_once("[metrics]").expect("the example has metrics");
    let (_, after) = rest.split_once("every = \"6h\"").expect("the example has test pages");
    let stage = Stage::set(Set {
        start_at: three_pm(),
        config: format!("{before}{watching}{after}"),
        folder: folder.path().to_owned(),
        database_url,
        workspace: Workspace::demo(),
        keys: [("prometheus", "demo-prometheus"), ("script", "demo-script")]
            .map(|(key, secret)| (key.into(), secret.to_owned()))
            .to_vec(),
        rate_limits: false,
    })
    .await
    .expect("the program starts");
    House { stage, folder }
}

impl House {
    /// Time passes while nothing runs.
    fn stands_still_for(&self, span: TimeDelta) {
        self.stage.clock.set(self.stage.clock.now() + span);
    }

    /// Ana opens an incident and calls the developers; the page waits for whoever sends it.
    async fn is_called(&self) {
        let text = "/incident open Shop is slow sev2 team=dev-team".to_owned();
        let act = Act::Command { channel: GENERAL.to_owned(), text };
        self.stage.slack.act(ANA, act).await.expect("the command is taken");
        self.stage.program.dispatch().all_told().await;
    }

    /// Slack answers so to this method, or to `*`.
    fn slack_fails(&self, method: &str, what: ApiFault) {
        self.stage.slack.add_fault(Fault::Api { method: method.to_owned(), nth: None, what });
    }

    async fn ready(&self) -> (u16, String) {
        self.stage.get("/readyz").await.expect("an answer")
    }
}
