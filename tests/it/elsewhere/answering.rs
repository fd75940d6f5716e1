//! The link to answer: what it shows, what it does, and what it refuses.

use firebell::domain::event::{Actor, Event};
use insta::assert_snapshot;

use super::{BEN, Town, in_town};
use crate::support::world::{minutes, seconds};

async fn mailed() -> Town {
    let town = Town::new().await;
    out(&town).await;
    town
}

/// Ben has his mail.
async fn out(town: &Town) {
    town.slack_goes_down();
    town.alert().await;
    town.world.advance(seconds(20)).await;
    town.mail_to(BEN);
}

/// A page without its surroundings, one element a line.
fn shown(page: &str) -> String {
    let main = page.split_once("<main id=\"main\">").expect("a page").1.split_once("</main>").expect("its end").0;
    main.trim().to_owned()
}

in_town! {
    async fn opening_a_link_changes_nothing_and_its_button_answers_once(town) {
        out(&town).await;
        let path = town.mail_to(BEN).answer_path();
        let before = town.world.events(1).await;
        for _ in 0..10 {
            let (status, page) = town.opens(&path).await;
            assert!(status == 200 && page.contains("<form method=\"post\">"), "{status}: {page}");
        }
        assert_eq!(town.world.events(1).await, before, "a scanner answers nothing");
        let (status, page) = town.presses(&path).await;
        assert!(status == 200 && page.contains("You have it"), "{status}: {page}");
        let ben = Actor::Person { user: town.world.ben().id().into() };
        let answered = |recorded: &&firebell::domain::event::Recorded| {
            matches!(recorded.occurrence.event, Event::Acknowledged { .. }) && recorded.occurrence.actor == ben
        };
        assert_eq!(town.history().await.iter().filter(answered).count(), 1);
        let after = town.world.events(1).await;
        let (status, page) = town.presses(&path).await;
        assert!(status == 200 && page.contains("You have it"), "{status}: {page}");
        assert_eq!(town.world.events(1).await, after, "the second time it only says who has it");
    }
}

#[tokio::test]
async fn the_page_reads_as_a_person_needs_it() {
    let town = mailed().await;
    let mail = town.mail_to(BEN);
    let without_link: String = mail
        .body()
        .lines()
        .map(|line| if line.contains("/ack/") { "(the link)" } else { line })
        .collect::<Vec<_>>()
        .join("\n");
    assert_snapshot!("answer_mail", without_link);
    let (_, page) = town.opens(&mail.answer_path()).await;
    assert_snapshot!("answer_page", shown(&page));
    let (_, page) = town.presses(&mail.answer_path()).await;
    assert_snapshot!("answer_page_taken", shown(&page));
}

#[tokio::test]
async fn who_comes_second_sees_who_has_it() {
    let town = mailed().await;
    town.world.advance(minutes(5)).await;
    let (ben, chris) = (town.mail_to(BEN).answer_path(), town.hook("/chris").answer_path());
    town.presses(&chris).await;
    let (_, page) = town.opens(&ben).await;
    assert!(page.contains("Chris has it"), "{page}");
    assert!(!page.contains("<form"), "{page}");
    town.world.ana().types("/incident INC-1 resolve").await;
    let (_, page) = town.opens(&ben).await;
    assert!(page.contains("INC-1 is resolved"), "{page}");
}

#[tokio::test]
async fn a_link_that_was_used_does_not_answer_what_came_after() {
    let town = mailed().await;
    let first = town.mail_to(BEN).answer_path();
    town.presses(&first).await;
    town.world.ana().types("/escalate INC-1 next he is stuck").await;
    let before = town.world.events(1).await;
    let (_, page) = town.presses(&first).await;
    assert!(page.contains("This link was used before"), "{page}");
    assert_eq!(town.world.events(1).await, before);
    let (_, page) = town.presses(&town.hook("/chris").answer_path()).await;
    assert!(page.contains("You have it"), "{page}");
}

#[tokio::test]
async fn forged_and_old_links_answer_nothing() {
    let town = mailed().await;
    let path = town.mail_to(BEN).answer_path();
    let before = town.world.events(1).await;
    let other = path.replace("/ack/1-1-", "/ack/2-1-");
    let cut = &path[..path.len() - 1];
    for forged in [other.as_str(), cut, "/ack/x", "/ack/1-1-1-99999999999-U0BEN00001.00", "/ack/%00"] {
        assert_ne!(forged, path);
        let (status, page) = town.opens(forged).await;
        assert!(status == 404 && page.contains("not whole"), "{forged}: {status} {page}");
        assert_eq!(town.presses(forged).await.0, 404, "{forged}");
    }
    assert_eq!(town.world.events(1).await, before);
    town.world.sleeps_through(minutes(24 * 60 + 1)).await;
    let before = town.world.events(1).await;
    let (status, page) = town.presses(&path).await;
    assert!(status == 410 && page.contains("has ended"), "{status}: {page}");
    assert_eq!(town.world.events(1).await, before);
}

#[tokio::test]
async fn the_page_is_kept_by_nobody_and_runs_nothing() {
    let town = mailed().await;
    let url = format!("{}{}", town.world.stage().url, town.mail_to(BEN).answer_path());
    let answer = town.client.get(url).send().await.expect("an answer");
    let header = |name: &str| answer.headers()[name].to_str().expect("text").to_owned();
    assert_eq!(header("cache-control"), "no-store");
    assert_eq!(header("referrer-policy"), "no-referrer");
    let policy = header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("form-action 'self'"), "{policy}");
    assert!(!policy.contains("script-src"), "{policy}");
}
