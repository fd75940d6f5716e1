//! The database takes no writes while calls are due: a full disk, and a server that can only be read.

use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use firebell::scheduler;
use firebell::watch::Alarm;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use super::{BEN, FAY, ON_CALL, Town};
use crate::support::postgres;
use crate::support::world::{Person, World, minutes, seconds};

const DISK_BYTES: u32 = 4 << 20;

/// What refuses to be written to, and takes it again.
enum Ground {
    /// A small file system in memory.
    Disk(PathBuf),
    /// The address of a database.
    Server(String),
}

impl Ground {
    async fn refuses_writes(&self) {
        match self {
            Self::Disk(at) => {
                let mut filler = std::fs::File::create(at.join("filler")).expect("there is room for it");
                while filler.write_all(&[0; 512]).is_ok() {}
            }
            Self::Server(url) => self.set_server(url, "on").await,
        }
    }

    async fn takes_writes(&self) {
        match self {
            Self::Disk(at) => std::fs::remove_file(at.join("filler")).expect("it is there"),
            Self::Server(url) => self.set_server(url, "off").await,
        }
    }

    async fn set_server(&self, url: &str, read_only: &str) {
        let (server, name) = url.rsplit_once('/').expect("an address");
        let mut conn = PgConnection::connect(&format!("{server}/postgres")).await.expect("connects");
        let set = format!("ALTER DATABASE {name} SET default_transaction_read_only = {read_only}");
        conn.execute(AssertSqlSafe(set)).await.expect("is set");
        let end = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
        conn.execute(AssertSqlSafe(end)).await.expect("whoever is connected connects again");
        conn.close().await.expect("closes");
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        if let Self::Disk(at) = self {
            let _ = Command::new("umount").arg("--lazy").arg(at).status();
        }
    }
}

/// A town on ground of its own, and the alarm of its program.
struct Place {
    town: Town,
    alarm: Alarm,
    ground: Ground,
}

impl Place {
    async fn on(world: World, ground: Ground) -> Self {
        let mut town = Town::of(world).await;
        town.world.expects_errors();
        let alarm = town.world.stage().program.alarm();
        Self { town, alarm, ground }
    }

    /// `None` where this user cannot mount a file system.
    async fn on_a_disk() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let at = folder.path().join("disk");
        std::fs::create_dir(&at).expect("a folder");
        let options = format!("size={DISK_BYTES}");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&at).output();
        if !mount.is_ok_and(|done| done.status.success()) {
            let _ = writeln!(std::io::stderr(), "this user cannot mount a file system: the full disk is left out");
            return None;
        }
        let url = format!("sqlite:{}", at.join("firebell.db").display());
        Some(Self::on(World::on(folder, url).await, Ground::Disk(at)).await)
    }

    async fn on_a_server() -> Option<Self> {
        let url = postgres::database().await?;
        let folder = tempfile::tempdir().expect("a folder");
        Some(Self::on(World::on(folder, url.clone()).await, Ground::Server(url)).await)
    }

    /// Time passes, and everything that runs has its turn, in vain.
    async fn goes_by(&mut self, span: chrono::TimeDelta) -> usize {
        let stage = self.town.world.stage();
        stage.clock.set(stage.clock.now() + span);
        // The log that is written over may have room for a few.
        for _ in 0..200 {
            if scheduler::tick(&stage.program.app).await.is_err() || stage.program.worker.drain().await.is_err() {
                break;
            }
        }
        self.alarm.look().await
    }

    /// Uses up the room that is left, until nothing more is taken.
    async fn is_full(&mut self) {
        self.ground.refuses_writes().await;
        for _ in 0..1_000 {
            let body = serde_json::json!({ "title": "x".repeat(200), "dedup_key": "checkout" });
            let stage = self.town.world.stage();
            let sent = self.town.client.post(format!("{}/alerts/generic", stage.url)).bearer_auth("demo-script");
            if sent.json(&body).send().await.expect("an answer").status().as_u16() == 503 {
                return;
            }
        }
        panic!("it takes everything");
    }
}

/// How many alarms somebody has in their direct messages, and how many of them name this.
fn alarms(person: Person<'_>, word: &str) -> (usize, usize) {
    let texts = person.in_dm().texts();
    let alarms: Vec<_> = texts.iter().filter(|text| text.contains(":rotating_light:")).collect();
    (alarms.len(), alarms.iter().filter(|text| text.contains(word)).count())
}

async fn due_calls_are_told_by_every_way_once_and_pages_go_on_when_there_is_room(place: Option<Place>, trouble: &str) {
    let Some(mut place) = place else { return };
    place.town.alert().await;
    place.town.world.flows().await;
    assert_eq!(place.town.world.ben().in_dm().count(), 1, "the first tier is paged as always");
    place.is_full().await;

    place.goes_by(seconds(1)).await;
    let world = &place.town.world;
    assert_eq!(alarms(world.fay(), trouble), (1, 1), "the fallback hears of the trouble");
    assert_eq!((place.town.mail.mails_to(FAY).len(), place.town.mail.mails_to(ON_CALL).len()), (1, 1));
    assert_eq!(alarms(world.chris(), ""), (0, 0), "nothing is due for Chris yet");

    place.goes_by(minutes(5) + seconds(15)).await;
    let world = &place.town.world;
    assert_eq!(alarms(world.chris(), "INC-1"), (1, 1), "{:?}", world.chris().in_dm().texts());
    let told = world.chris().in_dm().texts().join("\n");
    assert!(told.contains("Development team: due since") && told.contains("for Chris"), "{told}");
    assert_eq!(alarms(world.fay(), "INC-1"), (2, 1));
    let hook = place.town.hook("/chris").json();
    assert_eq!((hook["type"].as_str(), hook["calls"][0]["incident"]["name"].as_str()), (Some("alarm"), Some("INC-1")));
    let mails = place.town.mail.mails_to(ON_CALL);
    assert!(mails.len() == 2 && mails[1].body().contains("INC-1") && mails[1].body().contains("Chris"), "{mails:#?}");

    for _ in 0..3 {
        assert_eq!(place.goes_by(seconds(70)).await, 0, "once is enough");
    }
    // A program that has just been started, and another replica, see in Slack what was said.
    let mut other = place.town.world.stage().program.alarm();
    other.look().await;
    let world = &place.town.world;
    assert_eq!((alarms(world.chris(), "INC-1").1, alarms(world.fay(), "INC-1").1), (1, 1));

    place.ground.takes_writes().await;
    for _ in 0..5 {
        place.goes_by(seconds(1)).await;
    }
    place.town.world.flows().await;
    let world = &place.town.world;
    assert_eq!(world.chris().in_dm().count() - alarms(world.chris(), "").0, 1, "and now the page itself");
    world.chris().in_dm().clicks("I've got it").await;
    assert!(world.timeline(1).await.contains("Chris"), "is answered as always");
    assert_eq!(place.town.mail.mails_to(BEN).len(), 0, "who was paged before is not told again");
}

#[tokio::test]
async fn while_the_disk_is_full_due_calls_are_told_by_every_way_once_and_pages_go_on_when_there_is_room() {
    let place = Place::on_a_disk().await;
    due_calls_are_told_by_every_way_once_and_pages_go_on_when_there_is_room(place, "disk of the database is full")
        .await;
}

#[tokio::test]
async fn while_a_server_can_only_be_read_due_calls_are_told_by_every_way_once_and_pages_go_on_afterwards() {
    let place = Place::on_a_server().await;
    due_calls_are_told_by_every_way_once_and_pages_go_on_when_there_is_room(place, "can only be read").await;
}
