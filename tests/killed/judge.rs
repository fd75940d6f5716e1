//! Compares what the workspace holds with what the database says.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use firebell::domain::event::{Event, PageResult, Recorded};
use firebell::ids::{IncidentId, PageId};
use firebell::store::{history, incidents};

use crate::bot::Bot;
use crate::people::Confirmed;
use crate::slack::Slack;

/// What was found.
#[derive(Debug, Default)]
pub struct Verdict {
    incidents: usize,
    notes: usize,
    pages: usize,
    sent: usize,
    pub twice: usize,
    pub complaints: Vec<String>,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { incidents, notes, pages, sent, twice, complaints } = self;
        write!(
            f,
            "{incidents} incidents and {notes} notes confirmed, {pages} pages due, {sent} sent, {twice} sent again and \
             said so, {} complaints",
            complaints.len()
        )?;
        complaints.iter().try_for_each(|complaint| write!(f, "\n- {complaint}"))
    }
}

/// Reads both sides and compares them.
pub async fn compare(bot: &Bot, slack: &Slack, confirmed: &Confirmed) -> Verdict {
    let mut verdict = Verdict { incidents: confirmed.opened.len(), notes: confirmed.noted.len(), ..Verdict::default() };
    let arrived = arrivals(slack).await;
    let db = bot.db().await;
    let mut tx = db.read().await.unwrap();
    let mut numbers = BTreeMap::new();
    for id in incidents::all_ids(&mut tx).await.unwrap() {
        let incident = incidents::load(&mut tx, id).await.unwrap().incident;
        let recorded = history::load(&mut tx, id).await.unwrap();
        if let Err(broken) = history::verify(&mut tx, id).await.unwrap() {
            verdict.complaints.push(format!("INC-{}: the chain is broken: {broken:?}", incident.number));
        }
        judge_pages(id, incident.number, &recorded, &arrived, &mut verdict);
        numbers.insert(incident.number, (incident.title, recorded));
    }
    drop(tx);
    db.close().await;
    for (number, title) in &confirmed.opened {
        if numbers.get(number).is_none_or(|(kept, _)| kept != title) {
            verdict.complaints.push(format!("INC-{number} \"{title}\" was confirmed and is not there"));
        }
    }
    for (number, text) in &confirmed.noted {
        let kept =
            |recorded: &Recorded| matches!(&recorded.occurrence.event, Event::Noted { text: kept, .. } if kept == text);
        if numbers.get(number).is_none_or(|(_, history)| history.iter().filter(|entry| kept(entry)).count() != 1) {
            verdict.complaints.push(format!("INC-{number}: the note \"{text}\" was confirmed and is not there once"));
        }
    }
    channels(slack, &numbers.keys().copied().collect::<Vec<_>>(), &mut verdict).await;
    verdict
}

/// When each marked message came into a direct conversation, seconds since 1970.
pub async fn arrivals(slack: &Slack) -> BTreeMap<String, Vec<f64>> {
    marked(slack, "im").await
}

/// When each marked message came into a conversation of these kinds where the bot is, seconds since 1970.
async fn marked(slack: &Slack, kinds: &str) -> BTreeMap<String, Vec<f64>> {
    let mut arrived: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for conversation in slack.list("conversations.list", &[("types", kinds)], "channels").await {
        if conversation["is_member"] == false {
            continue;
        }
        let id = conversation["id"].as_str().unwrap();
        let arguments = [("channel", id), ("include_all_metadata", "true")];
        for message in slack.list("conversations.history", &arguments, "messages").await {
            let text =
                |key: &str| message.pointer(&format!("/metadata/event_payload/{key}")).and_then(|text| text.as_str());
            // A digest stands for all the pages that it names, its own among them.
            let marks: BTreeSet<&str> =
                text("effect").into_iter().chain(text("pages").unwrap_or_default().split(' ')).collect();
            for mark in marks.into_iter().filter(|mark| !mark.is_empty()) {
                let at = message["ts"].as_str().unwrap().parse().unwrap();
                arrived.entry(mark.to_owned()).or_default().push(at);
            }
        }
    }
    arrived
}

fn judge_pages(
    id: IncidentId,
    number: i64,
    recorded: &[Recorded],
    arrived: &BTreeMap<String, Vec<f64>>,
    verdict: &mut Verdict,
) {
    let events = || recorded.iter().map(|entry| &entry.occurrence.event);
    // Whoever answers, stops or resolves makes pages that are not out yet unwanted.
    let answered = events().any(|event| matches!(event, Event::Acknowledged { .. }));
    for page in events().flat_map(pages_of) {
        verdict.pages += 1;
        let ending = format!("/{}/page:{}", id.0, page.0);
        let times =
            arrived.iter().filter(|(mark, _)| mark.ends_with(&ending)).map(|(_, times)| times.len()).sum::<usize>();
        let attempts: Vec<&PageResult> = events()
            .filter_map(|event| match event {
                Event::PageAttempted { page: of, result, .. } if *of == page => Some(result),
                _ => None,
            })
            .collect();
        let unknown = attempts.iter().filter(|result| matches!(result, PageResult::Unknown { .. })).count();
        let sent = attempts.iter().any(|result| matches!(result, PageResult::Sent { .. }));
        match times {
            0 if sent => verdict.complaints.push(format!("INC-{number} page {}: said to be sent, not there", page.0)),
            0 if !answered => verdict.complaints.push(format!("INC-{number} page {}: lost ({attempts:?})", page.0)),
            0 => {}
            times => {
                verdict.sent += 1;
                let extra = times - 1;
                verdict.twice += extra;
                if extra > unknown {
                    verdict.complaints.push(format!(
                        "INC-{number} page {}: {times} times there, with {unknown} attempts of unknown outcome",
                        page.0
                    ));
                }
            }
        }
    }
}

fn pages_of(event: &Event) -> Vec<PageId> {
    match event {
        Event::TierStarted { pages, .. } | Event::EscalationExhausted { pages, .. } => {
            pages.iter().map(|planned| planned.page).collect()
        }
        _ => Vec::new(),
    }
}

/// Each incident has one live channel and no more.
async fn channels(slack: &Slack, numbers: &[i64], verdict: &mut Verdict) {
    let arguments = [("types", "public_channel,private_channel"), ("exclude_archived", "true")];
    let names: Vec<String> = slack
        .list("conversations.list", &arguments, "channels")
        .await
        .iter()
        .map(|channel| channel["name"].as_str().unwrap_or_default().to_owned())
        .collect();
    for number in numbers {
        let beginning = format!("inc-{number}-");
        let live: Vec<&String> = names.iter().filter(|name| name.starts_with(&beginning)).collect();
        if live.len() != 1 {
            verdict.complaints.push(format!("INC-{number} has {} live channels: {live:?}", live.len()));
        }
    }
}

/// Everything of an incident's channel is there, and nothing anywhere is there twice.
pub async fn complete(slack: &Slack, incidents: usize, verdict: &mut Verdict) {
    for (mark, times) in marked(slack, "public_channel,private_channel,im").await {
        if times.len() > 1 {
            verdict.complaints.push(format!("{mark} is there {} times", times.len()));
        }
    }
    let channels = slack.list("conversations.list", &[("types", "public_channel,private_channel")], "channels").await;
    for number in 1..=incidents {
        let beginning = format!("inc-{number}-");
        for channel in channels.iter().filter(|channel| channel["name"].as_str().unwrap().starts_with(&beginning)) {
            let id = channel["id"].as_str().unwrap();
            let pins = slack.list("pins.list", &[("channel", id)], "items").await.len();
            let members = slack.list("conversations.members", &[("channel", id)], "members").await.len();
            let topic = channel["topic"]["value"].as_str().unwrap_or_default();
            if pins != 1 || members < 2 || topic.is_empty() {
                let said = format!("INC-{number}: {pins} pins, {members} members, topic \"{topic}\"");
                verdict.complaints.push(said);
            }
        }
    }
}
