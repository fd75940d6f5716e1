//! Commands that lack something: the form opens with what was understood, or the near matches are offered. Never a bare
//! usage text.

use insta::assert_snapshot;

use crate::support::world::World;

async fn shop_is_slow() -> World {
    let world = World::new().await;
    world.ana().types("/incident open Shop is slow sev2").await;
    world.until("15:05").await;
    world
}

#[tokio::test]
async fn a_verb_without_its_text_opens_its_form() {
    let world = shop_is_slow().await;
    let ana = world.ana().in_incident(1).await;
    let before = world.events(1).await;
    let mut shown = Vec::new();
    for line in [
        "/incident note",
        "/incident note 3:02pm",
        "/incident decision",
        "/incident note 25:99 it broke",
        "/incident mitigated 25:99 all fine",
        "/incident resolve 25:99 all fine",
        "/incident update",
        "/incident task",
        "/incident task @nobody add an alert",
        "/incident scribe @nobody",
        "/incident role scribe @nobody",
        "/escalate nobody queries hang",
        "/incident escalate nobody queries hang",
    ] {
        let form = ana.types(line).await;
        assert!(ana.has_form(), "{line}: {form}");
        shown.push(format!("{line}\n{form}"));
    }
    assert_snapshot!("unfinished_forms", shown.join("\n\n"));
    for line in ["started", "ended foo", "impact", "affected", "saw", "service", "cause", "resolution", "measure"] {
        let form = ana.types(&format!("/incident {line}")).await;
        assert!(form.contains("Postmortem INC-1"), "{line}: {form}");
    }
    assert_eq!(world.events(1).await, before);
}

#[tokio::test]
async fn what_the_form_asked_for_is_written_down() {
    let world = shop_is_slow().await;
    let ana = world.ana().in_incident(1).await;
    ana.types("/incident decision 3:02pm").await;
    ana.submits(&[("What happened?", "we roll back")]).await;
    ana.types("/escalate nobody queries hang").await;
    ana.submits(&[("Team", "Database team")]).await;
    assert_snapshot!("unfinished_timeline", world.timeline(1).await);
}

#[tokio::test]
async fn outside_an_incident_it_is_chosen_first() {
    let world = shop_is_slow().await;
    let ana = world.ana().within("#general");
    let asked = ana.types("/incident note 3:02pm").await;
    assert!(asked.contains("Which incident?"), "{asked}");
    let form = ana.submits(&[("Incident", "INC-1 Shop is slow")]).await;
    assert!(form.is_empty() || form.contains("Add a note"), "{form}");
    assert_snapshot!("unfinished_elsewhere", ana.form());
    ana.submits(&[("What happened?", "the cache was cold")]).await;
    assert!(world.timeline(1).await.contains("the cache was cold"));
}

#[tokio::test]
async fn what_has_no_form_says_the_way_out_or_offers_the_choices() {
    let world = shop_is_slow().await;
    let ana = world.ana().in_incident(1).await;
    let mut shown = Vec::new();
    for line in [
        "/incident title",
        "/incident edit",
        "/incident kind",
        "/incident severity",
        "/incident detected 25:99 an alert",
        "/escalate preview",
        "/escalate preview nobody friday 3am",
        "/escalate preview db-team xyz",
        "/escalate why nobody",
        "/incident escalate db queries hang",
        "/escalate INC-1 db queries hang",
    ] {
        shown.push(format!("{line}\n{}", ana.types(line).await));
        assert!(!ana.has_form(), "{line}");
    }
    assert_snapshot!("unfinished_sentences", shown.join("\n\n"));
}
