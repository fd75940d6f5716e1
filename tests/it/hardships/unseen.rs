//! A private incident is not there for others: whatever they read or ask is the same to the byte, with it and without.
//!
//! Three things are not hidden. Numbers are given without gaps, so that a later incident's number tells that there was
//! an earlier one. The figures of `/metrics` count everything; they are for those who run Firebell, and hold no text. And
//! whoever is paged is told that there is something, if not what: a channel that is the fallback, too.

use firebell::slack::actions::Carried;
use serde_json::Value;

use super::everything::{form_of, submission};
use super::*;
use crate::support::world::World;

const SECRET: &str = "Salaries have leaked";
const TEAM: &str = "T0SHOPFRNT";

/// What a page of the web shows to anybody.
const PATHS: [&str; 22] = [
    "/",
    "/incidents",
    "/?q=salaries",
    "/?q=inc-2",
    "/?q=db+team",
    "/?severity=sev1",
    "/?status=investigating",
    "/?before=2",
    "/?before=3",
    "/incidents/1",
    "/incidents/1?zone=UTC",
    "/incidents/1/postmortem.md",
    "/incidents/1/postmortem.json",
    "/incidents/2",
    "/incidents/2?zone=UTC",
    "/incidents/2/postmortem",
    "/incidents/2/postmortem.md",
    "/incidents/2/postmortem.json",
    "/incidents/2/postmortem.html",
    "/incidents/2/other",
    "/healthz",
    "/readyz",
];

/// What somebody outside types.
const LINES: [&str; 22] = [
    "/incident list",
    "/incident list all",
    "/incident help",
    "/incident INC-2",
    "/incident show INC-2",
    "/incident INC-2 timeline",
    "/incident INC-2 postmortem",
    "/incident INC-2 export json",
    "/incident INC-2 join",
    "/incident INC-2 note hello",
    "/incident INC-2 commander me",
    "/incident INC-2 severity sev3",
    "/incident resolve INC-2",
    "/incident INC-2 reopen",
    "/incident INC-2 ack",
    "/incident note salaries",
    "/escalate",
    "/escalate dev-team help",
    "/escalate INC-2 dev-team help",
    "/escalate INC-2 why",
    "/escalate INC-2 stop",
    "/escalate preview db-team",
];

async fn world(with_secret: bool) -> World {
    let world = World::where_instead("on_server = false", "on_server = true").await;
    world.ana().types("/incident open Shop is slow sev2").await;
    if with_secret {
        world.ana().types(&format!("/incident open private {SECRET} sev1 team=db-team")).await;
        world.dana().in_dm().clicks("I've got it").await;
        let inside = world.ana().in_incident(2).await;
        inside.types("/incident cause: a forgotten salaries file").await;
        inside.types("/incident note the auditors know").await;
    }
    world.until("15:20").await;
    world
}

/// Everything that Ben, who has no part in it, and the web are shown.
async fn shown_to_others(world: &World) -> Vec<(String, String)> {
    let mut shown = Vec::new();
    for path in PATHS {
        let (status, body) = world.stage().get(path).await.expect("answers");
        shown.push((path.to_owned(), format!("{status} {body}")));
    }
    for line in LINES {
        shown.push((line.to_owned(), world.ben().types(line).await));
    }
    shown.push(("home".to_owned(), world.ben().opens_home().await));
    shown.push(("channels".to_owned(), world.ben().channels().join(" ")));
    shown.push(("#incidents".to_owned(), world.ben().within("#incidents").sees()));
    shown.push(("direct messages".to_owned(), world.ben().in_dm().sees()));
    shown
}

#[tokio::test]
async fn what_others_read_is_the_same_to_the_byte_with_and_without_it() {
    let (without, with) = (world(false).await, world(true).await);
    let (plain, beside) = (shown_to_others(&without).await, shown_to_others(&with).await);
    for ((what, plain), (_, beside)) in plain.iter().zip(&beside) {
        assert_eq!(plain, beside, "{what}");
        assert!(!beside.to_lowercase().contains("salaries have"), "{what}: {beside}");
    }
    let (_, figures) = with.stage().get("/metrics").await.expect("answers");
    assert!(figures.contains("firebell_"), "{figures}");
    assert!(!figures.to_lowercase().contains("salaries") && !figures.contains("INC-"), "{figures}");
    for line in ["/incident list", "/incident show INC-2"] {
        assert!(with.ana().types(line).await.contains(SECRET), "{line}");
    }
    assert!(with.ana().opens_home().await.contains(SECRET));
    assert!(with.dana().types("/incident INC-2").await.contains(SECRET), "who was called is in it");
}

#[tokio::test]
async fn a_full_list_is_not_shortened_by_what_is_hidden() {
    let house = House::on_sqlite().await;
    let bell = house.bell().await;
    for number in 1..=51 {
        bell.types_raw(ANA, &format!("/incident open number {number}"), &format!("open-{number}")).await;
    }
    let before = bell.types_raw(BEN, "/incident list", "list-1").await;
    bell.types_raw(ANA, &format!("/incident open private {SECRET}"), "open-secret").await;
    let after = bell.types_raw(BEN, "/incident list", "list-2").await;
    assert_eq!(before, after);
    let (_, own) = bell.types_raw(ANA, "/incident list", "list-3").await;
    assert!(own.contains(SECRET), "{own}");
}

#[tokio::test]
async fn a_choice_that_no_form_offered_opens_no_door() {
    let house = House::on_sqlite().await;
    let bell = house.bell().await;
    types(&house, ANA, GENERAL, &format!("/incident open private {SECRET}")).await;
    bell.settle(&house).await;
    let id = bell.incident(1).await.id;
    let before = bell.history(1).await.len();
    let waiting =
        Carried { channel: Some(GENERAL.into()), typed: Some("/incident show".to_owned()), ..Carried::default() };
    let on_message = Carried {
        message: Some(firebell::ids::MessageRef { channel: GENERAL.into(), ts: "1680462000.000100".into() }),
        ..waiting.clone()
    };
    let resolving = Carried { typed: Some("/incident resolve".to_owned()), ..waiting.clone() };
    for (n, (form, carried)) in [
        ("form_which_incident", &waiting),
        ("form_which_incident", &resolving),
        ("form_escalate", &waiting),
        ("form_capture", &on_message),
    ]
    .into_iter()
    .enumerate()
    {
        let payload = submission(BEN, TEAM, form, carried, id.0, &format!("chosen-{n}"));
        let (status, body) = bell.post_signed("/slack/interactions", &form_of(&payload), bell.clock.now()).await;
        assert_eq!(status, 200, "{form}: {body}");
        let answer: Value = serde_json::from_str(&body).unwrap_or_default();
        assert_eq!(answer["response_action"], "errors", "{form}: {body}");
    }
    bell.settle(&house).await;
    assert_eq!(bell.history(1).await.len(), before);
    let heard = house.said_in(BEN, GENERAL);
    assert!(!heard.iter().any(|message| message.to_string().contains(SECRET)), "{heard:#?}");
}
