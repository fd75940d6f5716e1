//! Test pages: they go through Slack, say so, and are missed when they do not.

use std::time::Duration;

use firebell::sandbox::ApiFault;
use firebell::watch::{TestPages, Trouble};
use tokio::task::JoinHandle;

use super::{ANA, GENERAL, House, house, house_on_postgres};
use crate::support::world::{minutes, seconds};

/// A channel of the sandbox, for want of one of their own.
const CONFIGURED: &str = "[test_page]\nchannel = \"#general\"";
/// What Slack refuses or loses does not come through, however long one waits.
const IN_VAIN: Duration = Duration::from_millis(1_500);
/// What Slack takes comes through, however busy the machine is.
const LONG: Duration = Duration::from_mins(5);

/// A house whose worker runs.
struct Living {
    house: House,
    worker: JoinHandle<()>,
}

impl Drop for Living {
    fn drop(&mut self) {
        self.worker.abort();
    }
}

impl Living {
    fn with(house: House) -> Self {
        let worker = tokio::spawn(house.stage.program.worker.clone().run());
        Self { house, worker }
    }

    /// Whether one was due and sent.
    async fn sends(&self) -> bool {
        self.sends_within(LONG).await
    }

    async fn sends_within(&self, patience: Duration) -> bool {
        let pages = TestPages::new(self.house.stage.program.watch().clone(), minutes(360)).patient_for(patience);
        pages.send_if_due().await.expect("the database answers")
    }

    fn said(&self) -> Vec<String> {
        let page = self.house.stage.slack.messages(ANA, GENERAL, 100, None).expect("Ana sees the channel");
        let messages = page["messages"].as_array().expect("a list").iter();
        let texts = messages.filter_map(|message| message["text"].as_str().map(ToOwned::to_owned));
        texts.filter(|text| text.contains("test page")).collect()
    }

    async fn troubles(&self) -> Vec<Trouble> {
        self.house.stage.program.watch().troubles().await
    }
}

async fn go_out_every_six_hours(house: House) {
    let living = Living::with(house);
    assert!(living.sends().await && !living.sends().await, "one is enough");
    assert_eq!(living.said(), ["A test page from Firebell came through in 0.0 s. Nobody has to do anything."]);
    let metrics = living.house.stage.program.app.metrics();
    assert!(metrics.test_page_last_ok.get() > 0.0);
    living.house.stands_still_for(minutes(360) - seconds(1));
    assert!(!living.sends().await);
    living.house.stands_still_for(seconds(1));
    assert!(living.sends().await);
    assert_eq!(living.said().len(), 2);
    let mut tx = living.house.stage.program.app.db().read().await.expect("reads");
    assert!(firebell::store::outbox::depth(&mut tx).await.expect("reads").is_empty(), "nothing stays behind");
}

#[tokio::test]
async fn test_pages_go_out_every_six_hours() {
    go_out_every_six_hours(house(CONFIGURED).await).await;
}

#[tokio::test]
async fn on_postgres_too_test_pages_go_out_every_six_hours() {
    let Some(house) = house_on_postgres(CONFIGURED).await else { return };
    go_out_every_six_hours(house).await;
}

#[tokio::test]
async fn without_a_channel_there_are_none() {
    let living = Living::with(house("").await);
    assert!(!living.sends().await);
}

#[tokio::test]
async fn one_that_slack_refuses_is_trouble_until_the_next_goes_through() {
    let living = Living::with(house(CONFIGURED).await);
    living.house.slack_fails("chat.postMessage", ApiFault::Error { code: "not_in_channel".to_owned() });
    assert!(living.sends_within(IN_VAIN).await);
    assert!(living.troubles().await.contains(&Trouble::TestPage));
    living.house.stage.slack.clear_faults();
    living.house.stands_still_for(seconds(599));
    assert!(!living.sends().await, "not at once");
    living.house.stands_still_for(seconds(1));
    assert!(living.sends().await);
    assert!(!living.troubles().await.contains(&Trouble::TestPage));
    assert_eq!(living.said().len(), 1);
}

#[tokio::test]
async fn one_that_slack_says_it_took_and_lost_is_trouble() {
    let living = Living::with(house(CONFIGURED).await);
    living.house.slack_fails("chat.postMessage", ApiFault::Lie);
    assert!(living.sends_within(IN_VAIN).await);
    assert!(living.said().is_empty());
    assert!(living.troubles().await.contains(&Trouble::TestPage));
}
