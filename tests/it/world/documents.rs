//! The document as a file: who asks gets it in a direct message, or learns why not.

use firebell::config::Format;
use firebell::export;
use firebell::sandbox::ApiFault;
use insta::assert_snapshot;

use crate::support::world::{World, minutes, on_both, seconds};

/// INC-1 with a note, five minutes old.
async fn shop_is_slow() -> World {
    let world = World::new().await;
    world.ana().types("/incident open Shop is slow sev2").await;
    world.until("15:05").await;
    world.ana().in_incident(1).await.types("/incident note restarted the cache, no change").await;
    world
}

/// The document as the program writes it at this moment.
async fn document(world: &World, number: i64, format: Format) -> String {
    let program = &world.stage().program;
    let incident = world.incident(number).await;
    let history = program.app.history(incident.id).await.expect("is read");
    let directory = program.app.directory();
    export::text(&program.documents().postmortem(&incident, &history, &directory, world.now()), format)
}

/// Asks for the document and compares what arrives with the page of the same name.
async fn arrives(world: &World, format: Format) {
    let word = format.word();
    let answer = world.fay().types(&format!("/incident export INC-1 {word}")).await;
    assert!(answer.contains(&format!("Sending INC-1 as {} in a direct message.", format.name())), "{answer}");
    let fay = world.fay().in_dm();
    let name = format!("INC-1-shop-is-slow.{word}");
    assert_eq!(fay.files(), [name.as_str()]);
    let (status, served) = world.stage().get(&format!("/incidents/1/postmortem.{word}")).await.expect("answers");
    assert_eq!(status, 200);
    assert!(served.contains("restarted the cache"), "{served}");
    assert_eq!(String::from_utf8(fay.downloads(&name).await).expect("text"), served);
}

on_both! {
    async fn the_document_arrives_as_markdown(world) {
        world.ana().types("/incident open Shop is slow sev2").await;
        world.ana().in_incident(1).await.types("/incident note restarted the cache, no change").await;
        arrives(&world, Format::Markdown).await;
        assert_snapshot!("document_in_dm", world.fay().in_dm().sees());
    }
}

#[tokio::test]
async fn the_document_arrives_as_html() {
    arrives(&shop_is_slow().await, Format::Html).await;
}

#[tokio::test]
async fn the_document_arrives_as_json() {
    arrives(&shop_is_slow().await, Format::Json).await;
}

#[tokio::test]
async fn without_a_format_it_is_markdown_and_asking_makes_nobody_a_responder() {
    let world = shop_is_slow().await;
    let (before, told) = (world.incident(1).await, world.timeline(1).await);
    world.fay().types("/incident INC-1 export").await;
    assert_eq!(world.fay().in_dm().files(), ["INC-1-shop-is-slow.md"]);
    let after = world.incident(1).await;
    assert_eq!(
        (after.responders, after.status, after.last_update_at),
        (before.responders, before.status, before.last_update_at)
    );
    assert_eq!(world.timeline(1).await, told, "the timeline says nothing of it");
}

#[tokio::test]
async fn a_private_document_goes_to_those_inside_only() {
    let world = World::new().await;
    world.ana().types("/incident open private Salaries have leaked").await;
    let before = world.events(1).await;
    for line in ["/incident export INC-1 md", "/incident INC-1 export html"] {
        let answer = world.ben().types(line).await;
        assert!(answer.contains("There is no INC-1"), "{answer}");
    }
    world.advance(minutes(1)).await;
    assert_eq!(world.ben().in_dm().count(), 0);
    assert_eq!(world.events(1).await, before);
    let answer = world.ana().in_incident(1).await.types("/incident export json").await;
    assert!(answer.contains("Sending INC-1 as JSON"), "{answer}");
    let name = "INC-1-salaries-have-leaked.json";
    let sent = world.ana().in_dm().downloads(name).await;
    assert_eq!(String::from_utf8(sent).expect("text"), document(&world, 1, Format::Json).await);
    let (status, _) = world.stage().get("/incidents/1/postmortem.json").await.expect("answers");
    assert_eq!(status, 404);
}

#[tokio::test]
async fn without_the_scope_who_asked_learns_the_way_out() {
    let from = "# public_url = \"https://firebell.example.com\"";
    let world = World::where_instead(from, "public_url = \"https://firebell.example.com\"").await;
    world.ana().types("/incident open Shop is slow sev2").await;
    world.ana().grants(&["chat:write", "commands", "im:write", "im:history", "users:read", "channels:manage"]).await;
    assert_snapshot!("document_sending", world.fay().types("/incident export INC-1 md").await);
    assert_eq!(world.fay().in_dm().files(), [""; 0]);
    assert_snapshot!("document_without_scope", world.fay().in_dm().sees());
}

#[tokio::test]
async fn what_slack_refuses_for_good_is_told_once() {
    for step in ["files.getUploadURLExternal", "files.completeUploadExternal"] {
        let world = shop_is_slow().await;
        world.slack_fails(step, None, ApiFault::Error { code: "file_uploads_disabled".to_owned() });
        world.fay().types("/incident export INC-1 html").await;
        world.advance(minutes(2)).await;
        let fay = world.fay().in_dm();
        assert_eq!((fay.count(), fay.files().len()), (1, 0), "{step}");
        let told = fay.finds("could not be sent to you as HTML");
        assert!(told.contains("file_uploads_disabled") && told.contains("firebell export 1 --format html"), "{told}");
    }
}

#[tokio::test]
async fn a_document_whose_answer_was_lost_or_refused_for_now_arrives_once() {
    let trouble = [
        ApiFault::ResetBefore,
        ApiFault::ResetAfter,
        ApiFault::Truncated,
        ApiFault::ServerError { status: 503 },
        ApiFault::RateLimited { retry_after: 3, plain: false },
        ApiFault::Error { code: "internal_error".to_owned() },
    ];
    for step in ["files.getUploadURLExternal", "files.completeUploadExternal"] {
        for what in &trouble {
            let world = shop_is_slow().await;
            world.slack_fails(step, Some(1), what.clone());
            world.fay().types("/incident export INC-1 md").await;
            world.advance(seconds(40)).await;
            assert_eq!(world.fay().in_dm().files(), ["INC-1-shop-is-slow.md"], "{step} {what:?}");
            assert_eq!(world.fay().in_dm().count(), 1, "{step} {what:?}");
        }
    }
}

#[tokio::test]
async fn a_document_that_waits_survives_a_restart() {
    let mut world = shop_is_slow().await;
    world.slack_fails("files.getUploadURLExternal", None, ApiFault::ServerError { status: 503 });
    world.fay().types("/incident export INC-1 md").await;
    assert_eq!(world.fay().in_dm().count(), 0);
    world.restarts().await;
    world.slack_recovers();
    world.advance(seconds(40)).await;
    assert_eq!(world.fay().in_dm().files(), ["INC-1-shop-is-slow.md"]);
}
