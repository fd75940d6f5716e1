//! Somebody who is made anonymous: nothing that is kept names them any more, and everything else is as it was.

use std::path::Path;

use firebell::domain::incident::Incident;
use firebell::erasure::{self, Error, Found};
use firebell::ids::UserId;
use firebell::store::history;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _, SqliteConnection};

use crate::support::world::{CONFIG, World, minutes};

const DANA: &str = "U0DANA0001";
/// Whatever is said of Dana holds one of these, in any case.
const TRACES: [&str; 2] = ["U0DANA", "dana"];
const WITHOUT_HER: &str = "targets = [\"@eli\"]";

fn config() -> String {
    let config = CONFIG.replacen("[export]", "[export]\ndir = \"postmortems\"", 1);
    assert!(config.contains("dir = \"postmortems\""));
    config.replacen("people = \"roles\"", "people = \"names\"", 1)
}

fn traces_in(text: &str) -> Vec<String> {
    let named = |line: &&str| TRACES.iter().any(|trace| line.to_lowercase().contains(&trace.to_lowercase()));
    text.lines().filter(named).map(|line| line.chars().take(400).collect()).collect()
}

/// INC-1, in which Dana does whatever there is to do; INC-2, private and hers; INC-3, which knows nothing of her.
async fn three_incidents(world: &World) {
    world.ana().types("/incident open Shop is slow, ask @Dana sev2").await;
    let (ana, dana) = (world.ana().in_incident(1).await, world.dana());
    ana.types("/escalate db-team orders time out").await;
    assert!(dana.clone().in_dm().sees().contains("INC-1"), "she is paged");
    dana.clone().in_dm().clicks("I've got it").await;
    world.advance(minutes(3)).await;
    let dana_within = dana.clone().in_incident(1).await;
    dana_within.types("/incident note The cache of db-dana was cold").await;
    let ts = dana_within.says("Dana here: <@U0DANA0001> restarts it").await;
    ana.reacts(&ts, "memo").await;
    let said = ana.says("Dana's fix works").await;
    dana_within.reacts(&said, "pushpin").await;
    ana.types("/incident commander @dana").await;
    ana.types("/incident task @dana write it down, dana, with Ben").await;
    ana.types("/incident note asked @dana and @ben").await;
    dana_within.types("/incident update Orders go through again").await;
    dana_within.types("/incident export md").await;
    dana.types("/incident open private Keys of a customer have leaked").await;
    dana.clone().in_incident(2).await.types("/incident resolve rotated").await;
    dana_within.types("/incident resolve the settings of the network").await;
    world.chris().types("/incident open Coffee is out sev4").await;
    world.chris().in_incident(3).await.types("/incident resolve").await;
    world.advance(minutes(5)).await;
}

/// Everything that the tables hold, as text.
async fn tables(url: &str) -> String {
    let mut all = String::new();
    if url.starts_with("sqlite:") {
        let mut conn = SqliteConnection::connect(url).await.expect("opens");
        let tables: Vec<(String,)> = sqlx::query_as("SELECT name FROM sqlite_schema WHERE type = 'table'")
            .fetch_all(&mut conn)
            .await
            .expect("has a schema");
        for (table,) in tables {
            let rows = conn.fetch_all(AssertSqlSafe(format!("SELECT * FROM {table}"))).await.expect("is read");
            for row in rows {
                for column in 0..row.len() {
                    if let Ok(Some(text)) = row.try_get_unchecked::<Option<String>, _>(column) {
                        all.extend([&table, ": ", &text, "\n"]);
                    }
                }
            }
        }
        conn.close().await.expect("closes");
    } else {
        let mut conn = PgConnection::connect(url).await.expect("connects");
        let tables: Vec<(String,)> =
            sqlx::query_as("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'")
                .fetch_all(&mut conn)
                .await
                .expect("has tables");
        for (table,) in tables {
            let sql = format!("SELECT row_to_json(one)::text FROM {table} AS one");
            let rows: Vec<(String,)> = sqlx::query_as(AssertSqlSafe(sql)).fetch_all(&mut conn).await.expect("is read");
            all.extend(rows.into_iter().map(|(row,)| format!("{table}: {row}\n")));
        }
        conn.close().await.expect("closes");
    }
    all
}

/// Every file below the folder with its name, whatever is in it.
fn files(folder: &Path) -> String {
    let mut all = String::new();
    for entry in std::fs::read_dir(folder).expect("is a folder") {
        let path = entry.expect("is read").path();
        if path.is_dir() {
            all.extend([path.display().to_string(), "\n".to_owned(), files(&path)]);
        } else {
            let bytes = std::fs::read(&path).expect("is read");
            let text = String::from_utf8_lossy(&bytes).into_owned();
            all.extend([path.display().to_string(), "\n".to_owned(), text, "\n".to_owned()]);
        }
    }
    all
}

async fn pages(world: &World) -> String {
    let mut all = String::new();
    let documents = [1, 3].into_iter().flat_map(|number| {
        ["", "/postmortem", "/postmortem.md", "/postmortem.html", "/postmortem.json"]
            .map(|page| format!("/incidents/{number}{page}"))
    });
    for path in std::iter::once("/".to_owned()).chain(documents) {
        let (status, text) = world.stage().get(&path).await.expect("answers");
        assert_eq!(status, 200, "{path}");
        all.push_str(&text);
    }
    all
}

async fn found(world: &World) -> Found {
    let app = &world.stage().program.app;
    let mut tx = app.db().read().await.expect("begins");
    erasure::find(&mut tx, app.workspace(), &UserId::from(DANA), &[]).await.expect("looks")
}

async fn erased(world: &World, found: &Found) -> Result<erasure::Done, Error> {
    let app = &world.stage().program.app;
    erasure::erase(app.db(), app.workspace(), found, world.now()).await
}

/// The state of every incident is what its history adds up to, and every chain is whole.
async fn everything_adds_up(world: &World) {
    everything_adds_up_in(world, &[1, 2, 3]).await;
}

async fn everything_adds_up_in(world: &World, numbers: &[i64]) {
    let app = &world.stage().program.app;
    for number in numbers {
        let incident = world.incident(*number).await;
        let mut tx = app.db().read().await.expect("begins");
        history::verify(&mut tx, incident.id).await.expect("reads").expect("is whole");
        let recorded = history::load(&mut tx, incident.id).await.expect("loads");
        assert_eq!(u32::try_from(recorded.len()).expect("few"), incident.last_seq, "nothing is left out");
        assert_eq!(Incident::fold(incident.id, incident.workspace.clone(), &recorded).expect("folds"), incident);
    }
}

async fn who_is_erased_is_named_nowhere_and_all_else_stays(mut world: World) {
    three_incidents(&world).await;
    let url = world.url().to_owned();
    let documents = world.folder().join("postmortems");
    let written = |name: &str| {
        let mut folders: Vec<_> =
            std::fs::read_dir(&documents).expect("is there").map(|one| one.expect("is read").path()).collect();
        folders.retain(|path| path.file_name().is_some_and(|folder| folder.to_string_lossy().starts_with(name)));
        folders.pop().expect("has a folder")
    };
    let markdown = written("INC-1").join("postmortem.md");
    let text = std::fs::read_to_string(&markdown).expect("is there");
    std::fs::write(&markdown, format!("{text}\nThanks to Dana for staying up.\n")).expect("is written");
    let (before, other) = (world.timeline(1).await, world.timeline(3).await);
    assert!(!traces_in(&tables(&url).await).is_empty() && !traces_in(&files(&documents)).is_empty());
    everything_adds_up(&world).await;

    // Dana leaves, and the configuration names her no more.
    world.dana().leaves_the_company().await;
    world.restarts_with(&config().replacen("targets = [\"@dana\"]", WITHOUT_HER, 1)).await;
    let dana = found(&world).await;
    assert_eq!(dana.incidents.iter().map(|naming| naming.number).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(dana.groups, ["db-team"]);
    let words = dana.words.instead(&UserId::former(1));
    let program = &world.stage().program;
    program.documents().clean(words.names(), &|text| words.in_text(text)).expect("cleans");
    let done = erased(&world, &dana).await.expect("nothing is in the way");
    assert_eq!((done.pseudonym.as_str(), done.left), ("former user 1", None));
    assert_eq!(done.incidents.keys().copied().collect::<Vec<_>>(), [1, 2]);
    world.flows().await;

    let all = tables(&url).await;
    assert_eq!(traces_in(&all), Vec::<String>::new());
    assert!(all.contains("former user 1"));
    // The database's files too, with their free pages and log; and the documents, which the program has made again.
    assert_eq!(traces_in(&files(world.folder())), Vec::<String>::new());
    assert_eq!(traces_in(&pages(&world).await), Vec::<String>::new());
    everything_adds_up(&world).await;

    // What was said is still said.
    let after = world.timeline(1).await;
    let (rest, entry) = after.rsplit_once('\n').expect("has lines");
    assert!(entry.contains("Somebody was made anonymous: here they are “former user 1”"), "{entry}");
    let renamed = before.replace("@Dana", "Dana").replace("@dana", "Dana").replace("dana", "Dana");
    assert_eq!(rest.replace("Former", "former"), renamed.replace("Dana", "former user 1"));
    assert_eq!(world.timeline(3).await, other);
    let text = std::fs::read_to_string(written("INC-1").join("postmortem.md")).expect("is there");
    assert!(text.contains("Thanks to former user 1 for staying up.") && text.contains("The cache of db-former user 1"));

    // Later changes work, and Slack's directory brings nothing back.
    world.restarts().await;
    let ana = world.ana().within("#inc-1-shop-is-slow-ask-dana");
    ana.types("/incident reopen it is back").await;
    ana.types("/escalate db-team again").await;
    world.eli().in_dm().clicks("I've got it").await;
    ana.types("/incident resolve").await;
    world.advance(minutes(30)).await;
    assert_eq!(traces_in(&tables(&url).await), Vec::<String>::new());
    assert!(found(&world).await.is_nothing());
    everything_adds_up(&world).await;
}

#[tokio::test]
async fn who_is_erased_is_named_nowhere_and_all_else_stays_on_sqlite() {
    who_is_erased_is_named_nowhere_and_all_else_stays(World::with(&config()).await).await;
}

#[tokio::test]
async fn who_is_erased_is_named_nowhere_and_all_else_stays_on_postgres() {
    if let Some(world) = World::on_postgres_with(&config()).await {
        who_is_erased_is_named_nowhere_and_all_else_stays(world).await;
    }
}

#[tokio::test]
async fn whoever_is_being_called_is_not_erased_until_the_call_ends() {
    let world = World::new().await;
    world.ana().types("/incident open Shop is slow sev2").await;
    let ana = world.ana().in_incident(1).await;
    ana.types("/escalate db-team orders time out").await;
    let before = world.timeline(1).await;
    let dana = found(&world).await;
    let why = dana.incidents[0].blocked.as_deref().expect("she is being called");
    assert!(why.contains("INC-1 (Database team)") && why.contains("`/escalate stop`"), "{why}");
    assert!(matches!(erased(&world, &dana).await, Err(Error::Blocked(_))));
    assert_eq!(world.timeline(1).await, before);
    assert!(world.dana().in_dm().sees().contains("INC-1"));
    // She has it: she would be called again if she fell silent.
    world.dana().in_dm().clicks("I've got it").await;
    assert!(found(&world).await.incidents[0].blocked.is_some());
    ana.types("/incident resolve").await;
    assert_eq!(found(&world).await.incidents[0].blocked, None);
}

#[tokio::test]
async fn an_open_incident_goes_on_without_somebody_who_was_erased() {
    let world = World::new().await;
    world.dana().types("/incident open Shop is slow sev2").await;
    world.ana().types("/incident join INC-1").await;
    let ana = world.ana().in_incident(1).await;
    ana.types("/escalate db-team orders time out").await;
    ana.types("/escalate stop").await;
    ana.types("/incident commander @dana").await;
    let dana = found(&world).await;
    assert_eq!(dana.incidents[0].blocked, None);
    erased(&world, &dana).await.expect("nothing is in the way");
    world.flows().await;
    // What touches everybody who took part: messages to who was called, the card, another call, the end.
    ana.types("/incident title Checkout is slow").await;
    ana.types("/escalate dev-team look").await;
    world.ben().in_dm().clicks("I've got it").await;
    ana.types("/incident resolve").await;
    world.advance(minutes(5)).await;
    let timeline = world.timeline(1).await;
    assert!(timeline.contains("Commander: former user 1") && timeline.contains("resolved"), "{timeline}");
    assert_eq!(traces_in(&timeline), Vec::<String>::new());
    assert!(ana.sees().contains("former user 1"), "the card says so: {}", ana.sees());
    everything_adds_up_in(&world, &[1]).await;
}

#[tokio::test]
async fn two_people_who_are_erased_from_one_incident_stay_two() {
    let world = World::with(&config()).await;
    three_incidents(&world).await;
    let before = world.timeline(1).await;
    erased(&world, &found(&world).await).await.expect("nothing is in the way");
    let app = &world.stage().program.app;
    let mut tx = app.db().read().await.expect("begins");
    let ben = erasure::find(&mut tx, app.workspace(), &"U0BEN00001".into(), &[]).await.expect("looks");
    drop(tx);
    assert_eq!(erased(&world, &ben).await.expect("nothing is in the way").pseudonym, UserId::former(2));
    everything_adds_up(&world).await;
    let after = world.timeline(1).await;
    assert!(before.contains("asked @Dana and @Ben") || before.contains("asked Dana and Ben"), "{before}");
    assert!(after.contains("asked former user 1 and former user 2"), "{after}");
}
