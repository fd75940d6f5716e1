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

/// So many are opened within a minute, against the limits that Slack has.
async fn opens_in_a_minute(world: World, incidents: i64) {
    for n in 1..=incidents {
        world.opens_in_haste(&format!("Shop {n} is slow team=db-team")).await;
        world.stage().advance(chrono::TimeDelta::milliseconds(300)).await.expect("comes to rest");
    }
    world.stage().advance(seconds(60)).await.expect("comes to rest");
    let mut lateness = Vec::new();
    let mut messages = std::collections::BTreeSet::new();
    for number in 1..=incidents {
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
    assert!((1..=incidents).all(|number| listed.contains(&format!("INC-{number} "))), "{listed}");
    let channels = |world: &World| world.stage().slack.export()["channels"].as_object().map_or(0, serde_json::Map::len);
    let early = channels(&world);
    assert!(early < 60, "{early} channels: no page has waited for them");
    for _ in 0..incidents / 10 {
        world.stage().advance(minutes(1)).await.expect("comes to rest");
    }
    for number in 1..=incidents {
        world.channel_of(number).await;
    }
    assert_eq!(world.stage().slack.rate_limited(), 0);
}

#[tokio::test]
async fn two_hundred_incidents_in_a_minute_page_everybody_within_a_minute() {
    opens_in_a_minute(World::new().await, 200).await;
}

#[tokio::test]
async fn on_postgres_too_a_crowd_of_incidents_pages_everybody_within_a_minute() {
    if let Some(world) = World::on_postgres().await {
        opens_in_a_minute(world, 50).await;
    }
}

impl World {
    /// Monitoring says these things at once; the numbers of the incidents they went into.
    async fn hears(&self, alerts: Vec<serde_json::Value>) -> Vec<String> {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let url = format!("{}/alerts/generic", self.stage().url);
        let posts = alerts.into_iter().map(|alert| {
            let post = client.post(&url).bearer_auth("demo-script").json(&alert);
            async move {
                let answer = post.send().await.expect("an answer");
                assert_eq!(answer.status(), 202, "{alert}");
                let answer: serde_json::Value = answer.json().await.expect("JSON");
                answer["accepted"][0]["incident"].as_str().unwrap_or_default().to_owned()
            }
        });
        futures_util::future::join_all(posts).await
    }
}

fn alert(key: &str, status: &str) -> serde_json::Value {
    serde_json::json!({ "title": format!("Disk of {key} is full"), "dedup_key": key, "status": status })
}

on_both! {
    async fn a_thousand_alerts_of_one_key_are_one_incident_that_counts_them(world) {
        for _ in 0..40 {
            let numbers = world.hears(vec![alert("db-1", "firing"); 25]).await;
            assert!(numbers.iter().all(|number| number == "INC-1"));
            world.stage().advance(chrono::TimeDelta::milliseconds(1_500)).await.expect("comes to rest");
        }
        world.advance(minutes(2)).await;
        assert_eq!(world.ben().in_dm().count(), 1);
        assert!(world.events(1).await < 30, "{}", world.events(1).await);
        assert_snapshot!("storm_of_one_key_timeline", world.timeline(1).await);
        let card = world.ben().in_incident(1).await.finds("Lead:");
        assert!(card.contains("Alerts: 1 firing, 1000 times in all"), "{card}");
        // What was not told yet is told before the end.
        world.hears(vec![alert("db-1", "firing"); 7]).await;
        world.advance(seconds(5)).await;
        world.ben().types("/incident INC-1 resolve").await;
        assert!(world.timeline(1).await.contains("The alert came 7 times more within 1 s"), "{}", world.timeline(1).await);
    }
}

on_both! {
    async fn a_storm_of_different_alerts_shares_an_incident_until_it_is_quiet(world) {
        let all: Vec<serde_json::Value> = (1..=1_000).map(|n| alert(&format!("db-{n}"), "firing")).collect();
        let mut numbers = std::collections::BTreeMap::<String, usize>::new();
        // One by one at first, so that each of them is in its place.
        for alert in &all[..25] {
            let heard = world.hears(vec![alert.clone()]).await;
            *numbers.entry(heard[0].clone()).or_default() += 1;
        }
        for chunk in all[25..].chunks(25) {
            for number in world.hears(chunk.to_vec()).await {
                *numbers.entry(number).or_default() += 1;
            }
            world.stage().advance(chrono::TimeDelta::milliseconds(1_500)).await.expect("comes to rest");
        }
        assert_eq!(numbers.len(), 11, "ten of their own, and the storm: {numbers:?}");
        assert_eq!(numbers["INC-11"], 990);
        world.advance(minutes(1)).await;
        let storm = world.incident(11).await;
        assert_eq!(storm.storm.as_ref().map(|storm| storm.joined), Some(990));
        assert!(serde_json::to_string(&storm).expect("is JSON").len() < 20_000, "the state does not grow with the storm");
        for number in 1..=11 {
            let sent = world.sent(number, "ben").await;
            assert!(sent[0].late_ms <= 60_000, "INC-{number}: {} ms", sent[0].late_ms);
        }
        assert!(world.ben().in_dm().count() <= 7, "{}", world.ben().in_dm().sees());
        let card = world.ben().in_incident(11).await.finds("Lead:");
        assert!(card.contains("Alert storm: 990 alerts, 0 cleared, the last 3:00 PM EST"), "{card}");
        // Each is cleared by itself, and fires again by itself.
        let cleared: Vec<serde_json::Value> = (100..400).map(|n| alert(&format!("db-{n}"), "resolved")).collect();
        world.hears(cleared[..1].to_vec()).await;
        world.hears(cleared[1..].to_vec()).await;
        assert_eq!(world.hears(vec![alert("db-500", "firing"); 3]).await, ["INC-11"; 3]);
        assert_eq!(world.hears(vec![alert("db-100", "firing")]).await, ["INC-11"]);
        world.advance(minutes(9)).await;
        assert!(world.incident(11).await.storm.is_some_and(|storm| storm.quiet_at.is_some()));
        world.advance(minutes(2)).await;
        assert!(world.incident(11).await.storm.is_some_and(|storm| storm.quiet_at.is_none()));
        assert_snapshot!("storm_over", world.ben().in_incident(11).await.finds("storm is over"));
        let timeline = world.timeline(11).await;
        assert_snapshot!("storm_timeline", timeline);
        assert_eq!(world.hears(vec![alert("db-2000", "firing")]).await, ["INC-12"]);
        assert_eq!(world.stage().slack.rate_limited(), 0);
    }
}

on_both! {
    async fn a_restart_in_the_middle_does_not_start_counting_anew(mut world) {
        let mut numbers = Vec::new();
        for n in 1..=6 {
            numbers.extend(world.hears(vec![alert(&format!("db-{n}"), "firing")]).await);
        }
        world.flows().await;
        world.restarts().await;
        for n in 7..=12 {
            numbers.extend(world.hears(vec![alert(&format!("db-{n}"), "firing")]).await);
        }
        assert_eq!(numbers[9..], ["INC-10", "INC-11", "INC-11"], "{numbers:?}");
        assert!(world.incident(11).await.storm.is_some());
        world.flows().await;
    }
}

on_both! {
    async fn who_leads_a_storm_sees_all_its_alerts_and_takes_one_out(world) {
        for n in 1..=35 {
            world.hears(vec![alert(&format!("db-{n}"), "firing")]).await;
        }
        world.advance(minutes(1)).await;
        world.hears(vec![alert("db-13", "resolved")]).await;
        world.advance(seconds(10)).await;
        let ben = world.ben().in_incident(11).await;
        ben.types("/incident alerts").await;
        assert_snapshot!("storm_alerts", ben.finds("25 alerts in INC-11"));
        ben.types("/incident alerts 21").await;
        assert_snapshot!("storm_alerts_rest", ben.finds("25. Disk of db-35"));
        let paged = world.ben().in_dm().count();

        assert_snapshot!("storm_taken_out", world.ben().types("/incident INC-11 alerts split 7").await);
        world.advance(seconds(20)).await;
        let own = world.incident(12).await;
        assert_eq!((own.title.as_str(), own.alerts.len(), own.escalations.len()), ("Disk of db-17 is full", 1, 1));
        assert_eq!(world.ben().in_dm().count(), paged + 1, "the team is called to it");
        assert_snapshot!("storm_taken_out_page", world.ben().in_dm().finds("INC-12"));
        assert_snapshot!("storm_taken_out_timeline", world.timeline(12).await);
        let storm = world.incident(11).await;
        assert_eq!(storm.storm.map(|storm| (storm.joined, storm.cleared, storm.taken_out)), Some((25, 1, 1)));
        assert_snapshot!("storm_without_it_timeline", world.timeline(11).await);
        assert_snapshot!("storm_without_it_card", ben.finds("Lead:"));
        assert_snapshot!("storm_without_it_post", ben.finds("out of this storm"));

        // From now on it is the new incident's: it comes again there, and is cleared there.
        assert_eq!(world.hears(vec![alert("db-17", "firing")]).await, ["INC-12"]);
        assert_eq!(world.hears(vec![alert("db-17", "resolved")]).await, ["INC-12"]);
        world.advance(seconds(10)).await;
        assert!(world.incident(12).await.alerts.is_empty());
        assert_eq!(world.incident(11).await.storm.map(|storm| storm.cleared), Some(1));
        // The button does the same.
        ben.types("/incident alerts 25").await;
        ben.clicks("Take out").await;
        world.advance(seconds(20)).await;
        assert_eq!(world.incident(13).await.title, "Disk of db-35 is full");

        let told = [
            ("/incident INC-11 alerts split 7", "“Disk of db-17 is full” does not fire for INC-11 any more."),
            ("/incident INC-11 alerts split 3", "“Disk of db-13 is full” does not fire for INC-11 any more."),
            ("/incident INC-11 alerts split 26", "There is no alert 26 in INC-11. /incident INC-11 alerts shows them."),
            ("/incident INC-11 alerts 26", "There is no alert 26 or later."),
            ("/incident INC-12 alerts split 1", "INC-12 is no alert storm, so no alert can be taken out of it."),
            ("/incident INC-12 alerts", "1 alert in INC-12: 1 cleared."),
        ];
        for (line, told) in told {
            let answer = world.ben().types(line).await;
            assert!(answer.contains(told), "{line}: {answer}");
        }
        let (_, page) = world.stage().get("/incidents/11").await.expect("answers");
        assert!(page.contains("<p>25 alerts: 22 firing, 1 cleared, 2 taken out.</p>"), "{page}");
        assert!(page.contains("<th scope=\"row\">Disk of db-17 is full</th>") && page.contains("<td>in INC-12</td>"));
        let (_, page) = world.stage().get("/incidents/12").await.expect("answers");
        assert!(!page.contains("all-alerts"), "one alert needs no list");
        let (_, json) = world.stage().get("/incidents/11/postmortem.json").await.expect("answers");
        let json: serde_json::Value = serde_json::from_str(&json).expect("is JSON");
        assert_eq!(json["alerts"].as_array().map(Vec::len), Some(25));
        assert_eq!((&json["alerts"][6]["standing"], &json["alerts"][6]["taken_into"]), (&"taken_out".into(), &"INC-12".into()));
        ben.types("/incident resolve").await;
        let answer = world.ben().types("/incident INC-11 alerts split 1").await;
        assert!(answer.contains("INC-11 is resolved, and its alerts with it."), "{answer}");
        assert_eq!(world.stage().slack.rate_limited(), 0);
    }
}

#[tokio::test]
async fn a_storm_for_one_team_does_not_swallow_the_alerts_for_another() {
    let world = World::new().await;
    let of = |key: String, team: &str| {
        let mut alert = alert(&key, "firing");
        alert["team"] = team.into();
        alert
    };
    let storm: Vec<serde_json::Value> = (1..=20).map(|n| of(format!("shop-{n}"), "dev-team")).collect();
    let numbers: std::collections::BTreeSet<String> = world.hears(storm).await.into_iter().collect();
    assert_eq!(numbers.len(), 11);
    assert_eq!(world.hears(vec![of("db-1".to_owned(), "db-team")]).await, ["INC-12"]);
    world.flows().await;
    assert_eq!(world.dana().in_dm().count(), 1, "her team is called for its own trouble");
    let mut world = world;
    world.restarts().await;
    assert_eq!(world.hears(vec![of("shop-21".to_owned(), "dev-team")]).await, ["INC-11"], "the storm is remembered");
    world.flows().await;
}
