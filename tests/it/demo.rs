//! The demo's story under a clock that stands between its steps: what it leaves in the postmortem.

use std::sync::Arc;

use firebell::demo::player::{ALERT_SECRET, Player};
use firebell::demo::story::{self, STEPS};
use firebell::demo::{self, Surroundings};
use firebell::domain::postmortem::markdown::markdown;
use firebell::ids::IntegrationKey;
use firebell::sandbox::Workspace;
use firebell::stage::{Set, Stage, sqlite_in};
use futures_util::FutureExt as _;

async fn stage(folder: &std::path::Path) -> Stage {
    let documents = folder.join("postmortems");
    let config = demo::configuration(&Surroundings {
        bind: ([127, 0, 0, 1], 0).into(),
        url: "http://127.0.0.1:8791",
        database_url: &sqlite_in(folder),
        documents: &documents,
    })
    .expect("a configuration");
    Stage::set(Set {
        start_at: story::begins_at(),
        config,
        folder: folder.to_owned(),
        database_url: sqlite_in(folder),
        workspace: Workspace::demo(),
        keys: vec![(IntegrationKey::from("shopwatch"), ALERT_SECRET.to_owned())],
        rate_limits: true,
    })
    .await
    .expect("a stage")
}

fn player(stage: &Arc<Stage>) -> Player {
    let resting = stage.clone();
    Player {
        slack: stage.slack.control(),
        app: stage.program.app.clone(),
        bot_url: stage.url.clone(),
        http: reqwest::Client::builder().no_proxy().build().expect("a client"),
        rest: Arc::new(move || {
            let stage = resting.clone();
            async move { stage.settle().await.expect("the program comes to rest") }.boxed()
        }),
        linger: Arc::new(|| async {}.boxed()),
    }
}

async fn tell(stage: &Arc<Stage>, times: usize) {
    let player = player(stage);
    let mut number = None;
    for step in STEPS {
        stage.advance_to(step.at()).await.expect("time passes");
        for _ in 0..times {
            player.play(step, &mut number).await.unwrap_or_else(|error| panic!("{}: {error:#}", step.label));
        }
    }
    assert_eq!(number, Some(1));
}

async fn document(stage: &Stage) -> String {
    let (status, document) = stage.get("/incidents/1/postmortem.md").await.expect("an answer");
    assert_eq!(status, 200);
    document
}

#[tokio::test]
async fn the_story_leaves_the_model_postmortem() {
    let folder = tempfile::tempdir().expect("a folder");
    let stage = Arc::new(stage(folder.path()).await);
    tell(&stage, 1).await;
    let document = document(&stage).await;
    for entry in [
        "3:00 PM: **Detected.** A monitoring alert fired: the website's response time had risen sharply.",
        "3:05 PM: **Escalated to Development team.**",
        "3:15 PM: First suspect: the frontend code. Web server logs reviewed for errors.",
        "3:30 PM: Logs clean. Attention moved to the database server; a connectivity fault was seen.",
        "3:45 PM: Database server restarted and network settings checked; the fault remained.",
        "4:15 PM: **Escalated to Database team.**",
        "4:30 PM: Database team found wrong network settings in the database cluster and corrected them.",
        "5:00 PM: **Resolved.**",
    ] {
        assert!(document.contains(entry), "{entry}\n{document}");
    }
    insta::assert_snapshot!(document);
    assert_eq!(stage.slack.complaints(), Vec::<String>::new());
}

#[tokio::test]
async fn a_step_that_is_played_again_after_a_crash_changes_nothing() {
    let (once, twice) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let (once_told, twice_told) = (Arc::new(stage(once.path()).await), Arc::new(stage(twice.path()).await));
    tell(&once_told, 1).await;
    tell(&twice_told, 2).await;
    assert_eq!(document(&once_told).await, document(&twice_told).await);
    let said = |stage: &Stage| {
        let channel = stage.slack.find_channel("shop-ops").expect("a channel");
        let page = stage.slack.messages(story::ANA, &channel, 500, None).expect("messages");
        page["messages"].as_array().map(Vec::len)
    };
    assert_eq!(said(&once_told), said(&twice_told));
}
