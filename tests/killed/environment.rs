//! The real program on a machine whose clock is set, which stands still, whose disk is full or whose file is held or broken.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use firebell::domain::event::Event;
use firebell::store::{history, incidents};
use serde_json::json;
use sqlx::{Connection as _, SqliteConnection};

use crate::bot::Bot;
use crate::clock::{HOUR_S, Shown};
use crate::judge;
use crate::people::People;
use crate::slack::{Slack, sha256, text_of};
use crate::wait::{is_ready, now, page, until};

/// Longer than both tiers and the fallback's turn.
const STANDSTILL: Duration = Duration::from_secs(35);
/// The wait of a tier, seconds.
const TIER_S: f64 = 10.0;
/// A page that should come a tier's wait after another must not come after an hour: what a busy machine may add, seconds.
const BUSY_S: f64 = 60.0;
/// As long as it takes for a program to give up waiting, twice.
const HELD: Duration = Duration::from_secs(10);
const DISK_BYTES: u32 = 6 << 20;
const ALERT_KEY: &str = "killed-alert-key";
const TOLD_OF_DISK: &str = "The disk of the database is full";
/// As people are told of a call that is due meanwhile.
const TOLD_OF_CALL: &str = "Database team: due since";

/// A program on SQLite in a folder, with its people.
struct House {
    folder: tempfile::TempDir,
    slack: Slack,
    bot: Bot,
    people: People,
}

impl House {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("firebell.db");
        Self::with(folder, &file)
    }

    fn with(folder: tempfile::TempDir, file: &Path) -> Self {
        let slack = Slack::start(folder.path());
        let sum = sha256(ALERT_KEY);
        let more = format!(
            "[[integrations]]\nkey = \"script\"\nkind = \"generic\"\nkey_sha256 = \"{sum}\"\nteam = \"db-team\"\n"
        );
        let bot = Bot::new(folder.path(), &slack, format!("sqlite:{}", file.display()), slack.bot_port).with(&more);
        Self { people: People::new(slack.clone(), usize::MAX), folder, slack, bot }
    }

    /// Opens the incident with the next number and waits for its first page; when that came, by the workspace's clock.
    async fn call(&mut self, team: &str) -> (i64, f64) {
        let before = self.people.confirmed.opened.len();
        self.people.open_for(team).await;
        assert_eq!(self.people.confirmed.opened.len(), before + 1, "the incident is confirmed");
        let number = self.people.confirmed.opened[before].0;
        (number, self.paged(number, 1).await)
    }

    async fn paged(&self, number: i64, which: u32) -> f64 {
        until("the page comes", async || page(&self.slack, number, which).await.is_some()).await;
        page(&self.slack, number, which).await.expect("it came")
    }

    /// Sends an alert; the status of the answer.
    async fn alert(&self, key: &str) -> u16 {
        self.answered(key).await.0
    }

    /// Sends an alert; the answer's status, when it says to come again, and why.
    async fn answered(&self, key: &str) -> (u16, Option<String>, String) {
        let alert = json!({ "title": key, "dedup_key": key, "status": "firing" });
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("http://127.0.0.1:{}/alerts/generic", self.bot.port());
        let sent = http.post(url).bearer_auth(ALERT_KEY).json(&alert).send().await.unwrap();
        let status = sent.status().as_u16();
        let after = sent.headers().get("retry-after").and_then(|after| Some(after.to_str().ok()?.to_owned()));
        (status, after, sent.text().await.unwrap_or_default())
    }

    /// Sends alerts until one is refused, for there may be room left in the log that is written over; its key and the answer.
    async fn first_refused(&self, prefix: &str) -> (String, (u16, Option<String>, String)) {
        for nth in 0.. {
            let key = format!("{prefix}-{nth}");
            let answer = self.answered(&key).await;
            if answer.0 != 202 {
                return (key, answer);
            }
        }
        unreachable!("there is an end to all room")
    }

    /// How many direct messages say this.
    async fn told(&self, words: &str) -> usize {
        let mut told = 0;
        for conversation in self.slack.list("conversations.list", &[("types", "im")], "channels").await {
            let arguments = [("channel", conversation["id"].as_str().unwrap())];
            let messages = self.slack.list("conversations.history", &arguments, "messages").await;
            told += messages.iter().filter(|message| text_of(&message["text"]).contains(words)).count();
        }
        told
    }

    /// Which steps of the clock the newest incident tells of, seconds.
    async fn steps_told(&self) -> Vec<i64> {
        let db = self.bot.db().await;
        let mut tx = db.read().await.unwrap();
        let id = *incidents::all_ids(&mut tx).await.unwrap().last().expect("there is one");
        let history = history::load(&mut tx, id).await.unwrap();
        drop(tx);
        db.close().await;
        let step = |event: &Event| match event {
            Event::ClockSet { step_ms, .. } => Some((step_ms + 500).div_euclid(1_000)),
            _ => None,
        };
        history.iter().filter_map(|recorded| step(&recorded.occurrence.event)).collect()
    }

    async fn end(&self, what: &str) {
        self.bot.come_to_rest().await;
        let verdict = judge::compare(&self.bot, &self.slack, &self.people.confirmed).await;
        println!("{what}: {verdict}");
        assert!(verdict.complaints.is_empty() && verdict.twice == 0, "{verdict}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_clock_is_set_an_hour_back_or_forward_pages_come_in_time_and_once() {
    let mut house = House::new();
    let Some(shown) = Shown::in_folder(house.folder.path()) else { return };
    let _life = shown.start(&house.bot);
    house.bot.answers().await;

    let (number, first) = house.call("db-team").await;
    shown.set(-HOUR_S);
    let second = house.paged(number, 2).await;
    assert!(second - first >= TIER_S - 1.0, "the second tier was called {:.1} s after the first", second - first);
    assert!(second - first <= TIER_S + BUSY_S, "the second tier was called {:.1} s after the first", second - first);
    until("the incident tells of it", async || house.steps_told().await.contains(&-HOUR_S)).await;

    shown.set(0);
    until("and that it was set right", async || house.steps_told().await.contains(&HOUR_S)).await;
    let (number, first) = house.call("dev-team").await;
    shown.set(HOUR_S);
    let second = house.paged(number, 2).await;
    assert!(second - first <= TIER_S + BUSY_S, "the second tier was called {:.1} s after the first", second - first);
    until("the incident tells of it", async || house.steps_told().await.contains(&HOUR_S)).await;
    house.end("the clock set an hour back, right, and an hour forward").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_clock_was_set_back_while_it_was_not_running_pages_come_in_time() {
    let mut house = House::new();
    let Some(shown) = Shown::in_folder(house.folder.path()) else { return };
    let mut life = shown.start(&house.bot);
    house.bot.answers().await;
    let (number, first) = house.call("db-team").await;
    life.kill();
    shown.set(-HOUR_S);
    let _life = shown.start(&house.bot);
    house.bot.answers().await;
    let second = house.paged(number, 2).await;
    assert!(second - first <= TIER_S + BUSY_S, "the second tier was called {:.1} s after the first", second - first);
    house.end("the clock set an hour back while nobody ran").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standstill_over_all_tiers_ends_in_no_burst() {
    let mut house = House::new();
    let life = house.bot.start().await;
    let (number, _) = house.call("db-team").await;
    life.freeze();
    tokio::time::sleep(STANDSTILL).await;
    let thawed = now();
    life.thaw();
    // The second tier has two people; then it is the fallback's turn.
    let second = house.paged(number, 2).await;
    let fallback = house.paged(number, 4).await;
    assert!(second >= thawed - 1.0, "it stood still");
    assert!(fallback - second >= TIER_S - 1.0, "the next step came {:.1} s after the second tier", fallback - second);
    println!(
        "thawed after {STANDSTILL:?}: the overdue tier {:.1} s later, the next {:.1} s after it",
        second - thawed,
        fallback - second
    );
    house.end("a standstill over all tiers").await;
}

/// A small file system in a folder, if this user may mount one.
struct Disk(PathBuf);

impl Disk {
    fn mount(folder: &Path) -> Option<Self> {
        let at = folder.join("disk");
        std::fs::create_dir(&at).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={DISK_BYTES}"), "tmpfs"])
            .arg(&at)
            .stderr(std::process::Stdio::null())
            .status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(at))
    }

    /// Block after block, until nothing fits any more; the file that has it all.
    fn fill(&self) -> PathBuf {
        let filler = self.0.join("filler");
        let mut file = std::fs::File::create(&filler).unwrap();
        while file.write_all(&[0; 512]).is_ok() {}
        filler
    }

    fn remount(&self, how: &str) -> bool {
        Command::new("mount")
            .args(["-o", &format!("remount,{how}")])
            .arg(&self.0)
            .status()
            .is_ok_and(|done| done.success())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_said_and_survived_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::mount(folder.path()) else {
        let _ = writeln!(std::io::stderr(), "this user cannot mount a file system: the full disk is left out");
        return;
    };
    let mut house = House::with(folder, &disk.0.join("firebell.db"));
    let mut life = house.bot.start().await;
    let (number, _) = house.call("db-team").await;
    let filler = disk.fill();
    let (refused, answer) = house.first_refused("disk").await;
    assert_eq!((answer.0, answer.1.as_deref()), (503, Some("30")), "a monitoring system tries again: {answer:?}");
    assert!(answer.2.contains("disk_full") && answer.2.contains("has to make room"), "{answer:?}");
    until("it says so", async || !is_ready(&house.bot).await).await;
    until("the fallback is told", async || house.told(TOLD_OF_DISK).await > 0).await;
    until("the fallback, and who is due, are told of the call", async || house.told(TOLD_OF_CALL).await > 1).await;
    let told_of_call = house.told(TOLD_OF_CALL).await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let shown = http.get(format!("http://127.0.0.1:{}/incidents/{number}", house.bot.port())).send().await.unwrap();
    assert!(shown.status().is_success(), "what is there can be read");
    std::fs::remove_file(&filler).unwrap();
    until("the alert is taken", async || house.alert(&refused).await == 202).await;
    until("it is ready again", async || is_ready(&house.bot).await).await;
    assert!(!life.has_ended(), "the same process");
    house.paged(number, 2).await;
    assert_eq!(house.told(TOLD_OF_DISK).await - house.told(TOLD_OF_CALL).await, 1, "once");
    assert!(house.told(TOLD_OF_CALL).await <= told_of_call + 1, "once each");
    house.people.confirmed.opened.truncate(1);
    house.end("a full disk").await;
    drop(life);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_on_a_full_disk_serves_and_tells_with_the_room_that_was_kept_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::mount(folder.path()) else {
        let _ = writeln!(std::io::stderr(), "this user cannot mount a file system: the full disk is left out");
        return;
    };
    let file = disk.0.join("firebell.db");
    let mut house = House::with(folder, &file);
    let life = house.bot.start().await;
    let (number, _) = house.call("db-team").await;
    let reserve = disk.0.join("firebell.db-reserve");
    until("room is kept", async || reserve.exists()).await;
    // It folds its log into the file, so that nothing of what SQLite needs beside it is there at the next start.
    tokio::task::spawn_blocking(|| life.end()).await.unwrap();
    let filler = disk.fill();
    let mut life = house.bot.start().await;
    assert!(!reserve.exists(), "it is given up");
    let (_, answer) = house.first_refused("kept").await;
    assert_eq!((answer.0, answer.1.as_deref()), (503, Some("30")), "a monitoring system tries again: {answer:?}");
    until("the fallback is told", async || house.told(TOLD_OF_DISK).await > 0).await;
    assert!(!life.has_ended(), "it serves");

    std::fs::remove_file(&filler).unwrap();
    until("it is ready", async || is_ready(&house.bot).await).await;
    tokio::task::spawn_blocking(|| life.end()).await.unwrap();
    let life = house.bot.start().await;
    until("room is kept again", async || reserve.exists()).await;
    tokio::task::spawn_blocking(|| life.end()).await.unwrap();
    // Somebody else needed that room, too.
    std::fs::remove_file(&reserve).unwrap();
    let filler = disk.fill();
    let log = refused(&house.bot).await;
    assert!(log.contains("firebell.db is full. Make room there"), "{log}");
    std::fs::remove_file(&filler).unwrap();
    let _life = house.bot.start().await;
    house.paged(number, 2).await;
    house.people.confirmed.opened.truncate(1);
    house.end("a start on a full disk").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_another_process_holds_for_ten_seconds_is_waited_for() {
    let mut house = House::new();
    let mut life = house.bot.start().await;
    let (number, first) = house.call("db-team").await;
    let file = house.bot.database.trim_start_matches("sqlite:").to_owned();
    let mut holder = SqliteConnection::connect(&format!("sqlite://{file}")).await.unwrap();
    sqlx::raw_sql("BEGIN EXCLUSIVE").execute(&mut holder).await.unwrap();
    let since = std::time::Instant::now();
    // Whatever is asked for meanwhile is refused, or done when the file is free; never half of it.
    let mut statuses = Vec::new();
    while since.elapsed() < HELD {
        let key = format!("held-{}", statuses.len());
        let alert = house.alert(&key);
        if let Ok(status) = tokio::time::timeout(HELD.saturating_sub(since.elapsed()), alert).await {
            statuses.push(status);
        }
    }
    assert!(statuses.iter().all(|status| *status == 503), "{statuses:?}");
    sqlx::raw_sql("ROLLBACK").execute(&mut holder).await.unwrap();
    holder.close().await.unwrap();
    until("alerts are taken again", async || house.alert("held-0").await == 202).await;
    let second = house.paged(number, 2).await;
    assert!(second - first <= TIER_S + HELD.as_secs_f64() + BUSY_S, "the loop goes on");
    assert!(!life.has_ended(), "the same process");
    house.end("a file held by another process").await;
    drop(life);
}

/// How a start ends that is to be refused; what was said.
async fn refused(bot: &Bot) -> String {
    let mut life = bot.spawn(&[]);
    tokio::time::timeout(Duration::from_mins(1), life.dead()).await.expect("it refuses to start");
    assert!(!life.was_killed());
    bot.log()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_cannot_be_used_is_refused_and_left_as_it_is() {
    let mut house = House::new();
    let life = house.bot.start().await;
    house.call("db-team").await;
    tokio::task::spawn_blocking(|| life.end()).await.unwrap();
    let file = PathBuf::from(house.bot.database.trim_start_matches("sqlite:"));
    let sound = std::fs::read(&file).unwrap();

    let mut flipped = sound.clone();
    let middle = flipped.len() / 2;
    for page in flipped[middle..].chunks_mut(4_096) {
        page.iter_mut().take(64).for_each(|byte| *byte ^= 0x5a);
    }
    let cut = sound[..sound.len() / 2 + 100].to_vec();
    let foreign = vec![b'#'; sound.len()];
    for (bytes, said) in [(flipped, "is damaged"), (cut, "is damaged"), (foreign, "is not a SQLite database")] {
        std::fs::write(&file, &bytes).unwrap();
        let log = refused(&house.bot).await;
        assert!(log.contains(said), "\"{said}\" is not said:\n{log}");
        assert!(std::fs::read(&file).unwrap() == bytes, "the file was changed");
    }
    std::fs::write(&file, &sound).unwrap();
    let _life = house.bot.start().await;
    house.end("files that cannot be used, and then the sound one").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_cannot_be_written_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let is_root = rustix::process::geteuid().is_root();
    let disk = if is_root { Disk::mount(folder.path()) } else { None };
    if is_root && disk.is_none() {
        let _ = writeln!(std::io::stderr(), "root may write everything, and cannot mount here: left out");
        return;
    }
    let place = disk.as_ref().map_or_else(|| folder.path().to_owned(), |disk| disk.0.clone());
    let file = place.join("firebell.db");
    let house = House::with(folder, &file);
    let life = house.bot.start().await;
    tokio::task::spawn_blocking(|| life.end()).await.unwrap();
    match &disk {
        Some(disk) => assert!(disk.remount("ro")),
        None => std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o400)).unwrap(),
    }
    let log = refused(&house.bot).await;
    assert!(log.contains("cannot be written"), "{log}");
}
