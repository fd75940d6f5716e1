//! A mistake in Firebell itself: a panic over one job ends that job, with a reference, and nothing else.
//!
//! The panic comes from the log: a subscriber of this thread alone that panics at one sentence, so that the program needs
//! no hook for it.

use std::sync::atomic::{AtomicU32, Ordering};

use firebell::domain::effect::Lane;
use firebell::domain::event::PageResult;
use tracing::field::{Field, Visit};
use tracing::span;

use super::crashes::tamper;
use super::*;

/// Panics as often as it may when a log line holds this sentence.
struct Tripwire {
    sentence: &'static str,
    left: AtomicU32,
}

struct Seen<'a>(&'a str, bool);

impl Visit for Seen<'_> {
    fn record_debug(&mut self, _field: &Field, value: &dyn std::fmt::Debug) {
        self.1 |= format!("{value:?}").contains(self.0);
    }
}

impl tracing::Subscriber for Tripwire {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        let mut seen = Seen(self.sentence, false);
        event.record(&mut seen);
        let trip = |left: u32| left.checked_sub(1);
        if seen.1 && self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, trip).is_ok() {
            // Without the sentence, which is logged with the panic.
            panic!("tripped");
        }
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

fn trip(sentence: &'static str, times: u32) -> tracing::subscriber::DefaultGuard {
    tracing::subscriber::set_default(Tripwire { sentence, left: AtomicU32::new(times) })
}

/// The reference in a sentence that somebody reads.
fn has_reference(text: &str) -> bool {
    text.split(|c: char| !c.is_ascii_hexdigit()).any(|word| word.len() == 8)
}

#[tokio::test]
async fn a_page_over_which_the_program_breaks_down_once_is_sent_again_and_the_others_go_on() {
    let house = House::on_sqlite().await;
    let bell = house.bell().await;
    types(&house, ANA, GENERAL, "/incident open db is down").await;
    bell.settle(&house).await;
    house.fault("chat.postMessage", Some(1), ApiFault::ServerError { status: 503 });
    let _wire = trip("a page was not accepted", 1);
    types(&house, ANA, GENERAL, "/escalate INC-1 db-team").await;
    bell.advance(&house, seconds(20)).await;
    assert_eq!(house.direct(DANA).len(), 1);
    let told = |event: &Event| match event {
        Event::PageAttempted { result: PageResult::Unknown { error }, .. } => has_reference(error),
        _ => false,
    };
    assert_eq!((bell.count(1, told).await, bell.count(1, is_page_sent).await), (1, 1));
}

#[tokio::test]
async fn a_page_over_which_it_breaks_down_for_ever_is_set_aside_and_the_next_tier_is_called_at_once() {
    let house = House::on_sqlite().await;
    let bell = house.bell().await;
    types(&house, ANA, GENERAL, "/incident open db is down").await;
    bell.settle(&house).await;
    house.fault("chat.postMessage", None, ApiFault::ServerError { status: 503 });
    let _wire = trip("a page was not accepted", 3);
    types(&house, ANA, GENERAL, "/escalate INC-1 db-team").await;
    bell.advance(&house, seconds(4)).await;
    house.slack.clear_faults();
    bell.advance(&house, seconds(20)).await;
    let not_reached = |event: &Event| matches!(event, Event::PageAttempted { result: PageResult::NotReached { error }, .. } if has_reference(error));
    assert_eq!(bell.count(1, not_reached).await, 1);
    assert_eq!((house.direct(DANA).len(), house.direct(ELI).len()), (0, 1), "five minutes are not waited for");
}

#[tokio::test]
async fn a_command_over_which_it_breaks_down_is_answered_with_a_reference_and_the_next_one_is_taken() {
    let house = House::on_sqlite().await;
    let bell = house.bell().await;
    house.fault("views.open", None, ApiFault::Error { code: "internal_error".to_owned() });
    let wire = trip("a form could not be opened", 1);
    let answer = types(&house, ANA, GENERAL, "/incident open").await;
    assert!(said(&answer).contains("Firebell made a mistake") && has_reference(&said(&answer)), "{answer}");
    drop(wire);
    types(&house, ANA, GENERAL, "/incident open db is down").await;
    assert_eq!(bell.incidents().await, 1);
}

#[tokio::test]
async fn the_writer_outlives_a_job_over_which_it_breaks_down() {
    let house = House::on_sqlite().await;
    let bell = house.bell().await;
    types(&house, ANA, GENERAL, "/incident open db is down").await;
    tamper(&house, r#"UPDATE outbox SET effect = '{"effect":"of another version"}'"#).await;
    let wire = trip("an effect was set aside", 1);
    let claimed = bell.program.app.claim(&Lane::ALL, 10).await;
    assert!(matches!(&claimed, Err(firebell::app::Error::Broken { reference }) if reference.len() == 8), "{claimed:?}");
    drop(wire);
    types(&house, ANA, GENERAL, "/incident open the cache is down").await;
    bell.settle(&house).await;
    assert_eq!(bell.incidents().await, 2);
}
