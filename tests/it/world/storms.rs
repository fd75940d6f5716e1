//! More at once than anybody can read one by one.

use chrono::{DateTime, Utc};
use firebell::domain::event::{Event, PageResult};
use firebell::ids::{MessageRef, UserId};
use firebell::sandbox::Act;
use insta::assert_snapshot;

use crate::support::world::{World, minutes, on_both, seconds};

/// A page as the history tells it: how long after it was due it went out first, and in which message.
struct Sent {
    late_ms: i64,
    message: MessageRef,
    shared_by: usize,
}

impl World {
    /// Opens an incident without letting anything follow from it yet.
    async fn opens_in_haste(&self, what: &str) {
        let ana = self.ana();
        let channel = self.stage().slack.find_channel("shop-ops").expect("is there");
        let text = format!("/incident open {what}");
        let act = self.stage().slack.act(ana.id(), Act::Command { channel, text });
        let answer = act.await.expect("is taken");
        assert!(answer.to_string().contains("Opened INC-"), "{answer}");
    }

    /// The pages of an incident to this person that went out.
    async fn sent(&self, number: i64, to: &str) -> Vec<Sent> {
        let incident = self.incident(number).await;
        let history = self.stage().verified_history(incident.id).await.expect("a whole history");
        let to = UserId::new(self.stage().slack.find_user(to).expect("is there"));
        let mut sent = Vec::new();
        for page in incident.pages.values().filter(|page| page.to.user() == Some(&to)) {
            let first: Option<(DateTime<Utc>, MessageRef)> =
                history.iter().find_map(|recorded| match &recorded.occurrence.event {
                    Event::PageAttempted { page: of, result: PageResult::Sent { message, .. }, .. }
                        if *of == page.id =>
                    {
                        Some((recorded.recorded_at, message.clone()))
                    }
                    _ => None,
                });
            if let Some((at, message)) = first {
                let late_ms = (at - page.due_at).num_milliseconds();
                sent.push(Sent { late_ms, message, shared_by: page.digest.len() });
            }
        }
        sent
    }
}

on_both! {
    async fn calls_that_come_together_are_one_message_that_answers_each_or_all(world) {
        for n in 1..=7 {
            world.opens_in_haste(&format!("Shop {n} is slow sev{} team=dev-team", 1 + n % 3)).await;
        }
        world.flows().await;
        let ben = world.ben().in_dm();
        assert_eq!(ben.count(), 1);
        assert_snapshot!("storm_digest", ben.sees());
        assert_snapshot!("storm_digest_notification", ben.notification());
        assert_eq!(ben.clicks("Take INC-3").await, "");
        assert!(ben.sees().contains("INC-3 Shop 3 is slow: you have it"));
        world.chris().types("/escalate INC-5 ack").await;
        ben.clicks("I've got all 5").await;
        world.advance(seconds(10)).await;
        assert_snapshot!("storm_digest_answered", ben.sees());
        for number in 1..=7 {
            let incident = world.incident(number).await;
            assert!(incident.timers().is_empty(), "INC-{number} calls on");
        }
        assert_snapshot!("storm_digest_timeline", world.timeline(3).await);
    }
}

on_both! {
    async fn two_hundred_incidents_in_a_minute_page_everybody_within_a_minute(world) {
        const INCIDENTS: i64 = 200;
        for n in 1..=INCIDENTS {
            world.opens_in_haste(&format!("Shop {n} is slow team=db-team")).await;
            world.stage().advance(chrono::TimeDelta::milliseconds(300)).await.expect("comes to rest");
        }
        world.stage().advance(seconds(60)).await.expect("comes to rest");
        let mut lateness = Vec::new();
        let mut messages = std::collections::BTreeSet::new();
        for number in 1..=INCIDENTS {
            let [sent] = &world.sent(number, "dana").await[..] else { panic!("Dana is not called to INC-{number}") };
            let incident = world.incident(number).await;
            let page = incident.pages.values().next().expect("is called");
            assert!(sent.shared_by == 0 || page.digest.contains(&(incident.id, page.id)));
            lateness.push(sent.late_ms);
            messages.insert(sent.message.ts.0.clone());
        }
        lateness.sort_unstable();
        let (p99, most) = (lateness[lateness.len() * 99 / 100], lateness[lateness.len() - 1]);
        println!("lateness: p99 {p99} ms, at most {most} ms; {} messages", messages.len());
        assert!(most <= 60_000, "{lateness:?}");
        assert_eq!(world.dana().in_dm().count(), messages.len());
        assert!(messages.len() <= 5 + 4, "{} messages", messages.len());
        let listed = world.dana().in_dm().sees();
        assert!((1..=INCIDENTS).all(|number| listed.contains(&format!("INC-{number} "))), "{listed}");
        let channels = |world: &World| world.stage().slack.export()["channels"].as_object().map_or(0, serde_json::Map::len);
        let early = channels(&world);
        assert!(early < 60, "{early} channels: no page has waited for them");
        for _ in 0..20 {
            world.stage().advance(minutes(1)).await.expect("comes to rest");
        }
        for number in 1..=INCIDENTS {
            world.channel_of(number).await;
        }
        assert_eq!(world.stage().slack.rate_limited(), 0);
    }
}
