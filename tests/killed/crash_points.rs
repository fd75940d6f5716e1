//! The real program, dead in every place where dying could matter, on both databases.
//!
//! `firebell::crash` names the places. For each there is a story in which the program comes there, dies, is started again,
//! and the story is told to its end. A place without a story does not compile; one that is never reached fails.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use firebell::crash::{Point, VARIABLE};
use firebell::store::{Db, Tx, incidents, outbox};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::bot::{Bot, Life};
use crate::judge;
use crate::people::People;
use crate::postgres;
use crate::slack::{Slack, sha256};

/// Stories that are told at once: they wait for leases and for Slack's limits most of the time.
const AT_ONCE: usize = 8;
/// Starts that may end by themselves before the program comes to its place.
const STARTS_MAX: u32 = 3;
/// How long one step of a story may take before it is stuck: a lease has to run out, on a busy machine.
const STEP_MAX: Duration = Duration::from_mins(3);
const ALERT_KEY: &str = "killed-alert-key";

/// What else the program is configured with.
const MORE: &str = r#"
[export]
dir = "exported"
[[integrations]]
key = "script"
kind = "generic"
key_sha256 = "KEY_SUM"
team = "db-team"
"#;

/// What happens while the program waits to die.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Story {
    /// It starts for the first time.
    Start,
    /// Somebody opens an incident and calls a team.
    Open,
    /// After that, nobody answers until the second tier is called.
    Wait,
    /// A monitoring system sends an alert.
    Alert,
    /// After that, somebody has it, and it is resolved.
    Resolve,
    /// After that, somebody asks for the document.
    Document,
    /// It is told to stop.
    Stop,
}

/// The story in which the program comes to this place, and how many incidents are there when it has died at the first
/// thing that it was told.
fn story(point: Point) -> (Story, Option<usize>) {
    use Point as P;
    match point {
        P::MigrationNext | P::Migrated | P::Acquainted | P::SelfTestKept => (Story::Start, None),
        P::Heard | P::CommandDecided => (Story::Open, Some(0)),
        P::CommandKept | P::Answering => (Story::Open, Some(1)),
        P::PageClaiming
        | P::Claiming
        | P::PageRecording
        | P::Recording
        | P::PageClaimed
        | P::PageCalling
        | P::PageCalled
        | P::PageRecorded
        | P::Claimed
        | P::Recorded
        | P::CreatingChannel
        | P::CreatedChannel
        | P::SettingTopic
        | P::SetTopic
        | P::Inviting
        | P::Invited
        | P::PostingCard
        | P::PostedCard
        | P::PinningCard
        | P::PinnedCard
        | P::Announcing
        | P::Announced
        | P::PostingCall
        | P::PostedCall
        | P::Editing
        | P::Edited => (Story::Open, None),
        P::TimersRead | P::TimerDecided | P::TimerKept => (Story::Wait, None),
        P::AlertDecided => (Story::Alert, Some(0)),
        P::AlertKept | P::AlertAnswering => (Story::Alert, Some(1)),
        P::Posting | P::Posted | P::ExportWritten | P::ExportReplaced => (Story::Resolve, None),
        P::SendingDocument | P::SentDocument => (Story::Document, None),
        P::StopTold | P::Stopped | P::DatabaseClosed => (Story::Stop, None),
    }
}

/// One story, as far as it has been told.
struct Telling {
    story: Story,
    people: People,
    slack: Slack,
    bot: Bot,
    db: Option<Db>,
    had: bool,
    resolved: bool,
    asked: bool,
}

impl Telling {
    /// Goes on to the end; what was done and confirmed is not done again.
    async fn tell(&mut self) {
        self.bot.answers().await;
        if self.story == Story::Start {
            return;
        }
        if self.db.is_none() {
            self.db = Some(self.bot.db().await);
        }
        while self.people.confirmed.opened.is_empty() {
            match self.story {
                Story::Alert => self.alert().await,
                Story::Start | Story::Open | Story::Wait | Story::Resolve | Story::Document | Story::Stop => {
                    self.people.open_for("db-team").await;
                }
            }
        }
        self.all_paged(1).await;
        if self.story == Story::Wait {
            self.all_paged(2).await;
        }
        if self.story == Story::Stop {
            return;
        }
        self.quiet().await;
        while !self.had {
            let said = self.types_of_each("/escalate INC-{} ack").await;
            self.had = said.iter().all(|said| !said.is_empty());
        }
        self.quiet().await;
        if matches!(self.story, Story::Resolve | Story::Document) {
            while !self.resolved {
                let said = self.types_of_each("/incident INC-{} resolve").await;
                self.resolved = said.iter().all(|said| !said.is_empty());
            }
            self.quiet().await;
        }
        if self.story == Story::Document {
            while !self.asked {
                let said = self.types_of_each("/incident INC-{} export md").await;
                self.asked = said.iter().all(|said| !said.is_empty());
            }
            self.quiet().await;
        }
    }

    /// Sends the alert, always the same, and believes in it once that is confirmed.
    async fn alert(&mut self) {
        let alert = json!({ "title": "disk is full", "dedup_key": "disk-1", "status": "firing" });
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("http://127.0.0.1:{}/alerts/generic", self.bot.port());
        let Ok(answer) = http.post(url).bearer_auth(ALERT_KEY).json(&alert).send().await else { return };
        if answer.status().as_u16() == 202 {
            let body = answer.text().await.unwrap();
            assert!(body.contains("INC-1"), "{body}");
            self.people.confirmed.opened.push((1, "disk is full".to_owned()));
        } else {
            assert!(answer.status().is_server_error(), "{}: {}", answer.status(), answer.text().await.unwrap());
        }
    }

    async fn types_of_each(&self, text: &str) -> Vec<String> {
        let mut said = Vec::new();
        for number in 1..=self.incidents().await {
            said.push(self.people.types(&text.replace("{}", &number.to_string())).await);
        }
        said
    }

    fn db(&self) -> &Db {
        self.db.as_ref().expect("was opened")
    }

    async fn read(&self) -> Tx {
        let begun = std::time::Instant::now();
        loop {
            match self.db().read().await {
                Ok(tx) => return tx,
                // Many programs at once on a busy machine.
                Err(error) => assert!(begun.elapsed() < STEP_MAX, "{error}"),
            }
        }
    }

    async fn incidents(&self) -> usize {
        let mut tx = self.read().await;
        incidents::all_ids(&mut tx).await.unwrap().len()
    }

    /// Waits until this page of every incident has come.
    async fn all_paged(&self, page: u32) {
        let paged = async {
            loop {
                let arrived = judge::arrivals(&self.slack).await;
                let of = |number| format!("/{number}/page:{page}");
                let came = |number: &usize| arrived.keys().any(|mark| mark.ends_with(&of(*number)));
                if (1..=self.incidents().await).all(|number| came(&number)) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
        };
        tokio::time::timeout(STEP_MAX, paged).await.expect("every page comes");
    }

    /// Waits until nothing is waiting or under way, whatever is still to be due.
    async fn quiet(&self) {
        let quiet = async {
            loop {
                let mut tx = self.read().await;
                let depths = outbox::depth(&mut tx).await.unwrap();
                drop(tx);
                if depths.values().all(|depth| depth.pending + depth.sending == 0) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
        };
        tokio::time::timeout(STEP_MAX, quiet).await.expect("everything is done");
    }
}

/// Has the program die there and live again; what is wrong then.
async fn die_at(point: Point, database: String) -> Result<(), String> {
    let (story, incidents_then) = story(point);
    let folder = tempfile::tempdir().unwrap();
    let slack = Slack::start(folder.path());
    let more = MORE.replace("KEY_SUM", &sha256(ALERT_KEY));
    let bot = Bot::new(folder.path(), &slack, database, slack.bot_port).with(&more).built_here();
    let people = People::new(slack.clone(), usize::MAX);
    let mut telling =
        Telling { story, people, slack: slack.clone(), bot, db: None, had: false, resolved: false, asked: false };
    for start in 1.. {
        let mut life = telling.bot.spawn(&[(VARIABLE, &format!("{}:1", point.name()))]);
        tokio::select! {
            biased;
            () = life.dead() => {}
            () = telling.tell() => {
                if story == Story::Stop {
                    life.terminate();
                }
                let died = tokio::time::timeout(Duration::from_secs(20), life.dead()).await;
                died.map_err(|_| "the program never came there".to_owned())?;
            }
        }
        if life.was_killed() {
            break;
        }
        // On a busy machine a start may fail; whoever runs the program starts it again.
        if start == STARTS_MAX {
            return Err(format!("it ended, but not there:\n{}", telling.bot.log()));
        }
    }
    if let (Some(expected), Some(_)) = (incidents_then, &telling.db) {
        let found = telling.incidents().await;
        if found != expected {
            return Err(format!("{found} incidents are there when it is dead, not {expected}"));
        }
    }
    let life = telling.bot.spawn(&[]);
    if story == Story::Start {
        telling.story = Story::Open;
    }
    telling.tell().await;
    if story == Story::Stop {
        telling.story = Story::Open;
        telling.tell().await;
    }
    telling.bot.come_to_rest().await;
    let mut verdict = judge::compare(&telling.bot, &slack, &telling.people.confirmed).await;
    judge::complete(&slack, telling.incidents().await, &mut verdict).await;
    if story == Story::Alert && telling.incidents().await != 1 {
        verdict.complaints.push("the alert that came twice has two incidents".to_owned());
    }
    if let Some(db) = telling.db.take() {
        db.close().await;
    }
    end(life).await;
    if verdict.complaints.is_empty() { Ok(()) } else { Err(format!("{verdict}\n{}", telling.bot.log())) }
}

/// It can be told to stop as well.
async fn end(life: Life) {
    tokio::task::spawn_blocking(|| life.end()).await.unwrap();
}

/// All places, some at once; those in which something was wrong are told together.
async fn die_everywhere(database: impl AsyncFn() -> Option<(String, Option<tempfile::TempDir>)>) {
    static PLACES: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(AT_ONCE)));
    let only = std::env::var("FIREBELL_POINT").ok();
    let begun = std::time::Instant::now();
    let mut stories = JoinSet::new();
    for &point in Point::ALL {
        if only.as_deref().is_some_and(|only| only != point.name()) {
            continue;
        }
        let Some((database, folder)) = database().await else { return };
        stories.spawn(async move {
            let _place = Arc::clone(&PLACES).acquire_owned().await.unwrap();
            let told = tokio::spawn(die_at(point, database)).await;
            drop(folder);
            (point, told.unwrap_or_else(|panicked| Err(panicked.to_string())))
        });
    }
    let told = stories.join_all().await;
    let wrong: Vec<String> = told
        .iter()
        .filter_map(|(point, outcome)| outcome.as_ref().err().map(|why| format!("{}: {why}", point.name())))
        .collect();
    println!("{} places to die: {} survived, in {:?}", told.len(), told.len() - wrong.len(), begun.elapsed());
    assert!(wrong.is_empty() && !told.is_empty(), "FIREBELL_POINT=<name> tells one alone\n{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wherever_it_dies_nothing_is_lost_or_done_twice_on_sqlite() {
    let database = async || {
        let folder = tempfile::tempdir().unwrap();
        Some((format!("sqlite:{}", folder.path().join("firebell.db").display()), Some(folder)))
    };
    die_everywhere(database).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wherever_it_dies_nothing_is_lost_or_done_twice_on_postgres() {
    die_everywhere(async || Some((postgres::database().await?, None))).await;
}
