//! What must hold when all is quiet again.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Checker, File, needed, reached_or_refused, unanswered};
use crate::app::App;
use crate::domain::answer::{Answer, Said};
use crate::domain::event::{Event, PageResult, Recipient, Recorded};
use crate::ids::{IncidentId, PageId};
use crate::simulation::left;
use crate::simulation::scenario::Ask;
use crate::simulation::world::{World, page_of, with};
use crate::store::{Db, history};

fn broken(rule: &'static str, what: String) {
    with(|world| world.broken(rule, what));
}

impl Checker {
    pub(in crate::simulation) async fn end(&mut self, db: &Db) {
        self.look_at_outbox(0).await;
        self.look_at_timers();
        for (id, row) in self.rows.iter().filter(|(_, row)| row.state != "dead") {
            broken("V12", format!("{} (row {id}) is still {}, try {}", row.mark, row.state, row.attempt));
        }
        for (id, file) in &self.files {
            for page in file.incident.pages.keys() {
                if needed(&file.incident, *page) && !reached_or_refused(&file.incident, *page) {
                    broken("G2", format!("page {} of incident {id} never went out", page.0));
                }
            }
            let channels = with(|world| world.slack.channels_of(file.incident.number)).unwrap_or_default();
            if channels > 1 {
                broken("V12", format!("incident {id} has {channels} channels"));
            }
        }
        with(|world| self.messages(world));
        self.said().await;
        self.edited();
        self.diversions();
        self.secrets().await;
        self.promises().await;
        self.originals(db).await;
    }

    /// Every message stands once, or there is a reason; and the reason is in the history.
    fn messages(&self, world: &mut World) {
        let mut counts: BTreeMap<String, (u32, String)> = BTreeMap::new();
        for taken in &world.slack.ledger {
            let count = counts.entry(taken.mark.clone()).or_insert((0, taken.channel.clone()));
            count.0 += 1;
        }
        for (mark, (count, channel)) in counts {
            let of = |reasons: &BTreeMap<String, u32>, key: &str| reasons.get(key).copied().unwrap_or_default();
            let excused = of(&world.excused, &mark) + of(&world.blind, &channel);
            let wanted = self.catch_ups.get(&mark).copied().unwrap_or(1);
            if count > wanted + excused {
                world.broken("V3", format!("{mark} went out {count} times, with reason for {excused} more than one"));
            }
            let Some((incident, page)) = page_of(&mark).filter(|_| count > 1) else { continue };
            let explained = self.files.get(&incident).is_some_and(|file| explains(file, PageId(page)));
            if !explained {
                world.broken("V3", format!("{mark} went out {count} times, and the history does not say why"));
            }
        }
    }

    /// What a message is believed to say, it says: else the edit that would mend it would be left out.
    async fn said(&mut self) {
        let said = self.records.said().await;
        with(|world| {
            let sums = world.slack.sums();
            for (incident, surface, _) in said.iter().filter(|(_, _, sum)| !sums.contains(sum)) {
                world.broken("V16", format!("{surface} of incident {incident} does not say what it is believed to"));
            }
        });
    }

    /// A page that nobody needs to answer any more says so.
    fn edited(&self) {
        let given_up = |id: i64, page: PageId| {
            let mark = format!("T1/{id}/page-update:{}", page.0);
            self.rows.values().any(|row| row.mark == mark)
        };
        for (id, file) in &self.files {
            let over = file.incident.pages.values().filter(|page| !unanswered(&file.incident, page));
            for page in over.filter(|page| !given_up(*id, page.id)) {
                let Some(message) = &page.message else { continue };
                let asks = with(|world| world.slack.asks_to_be_answered(message)).flatten();
                if asks == Some(true) && page.digest.is_empty() {
                    broken("V16", format!("page {} of incident {id} still asks to be answered", page.id.0));
                }
            }
        }
    }

    /// What Slack has not taken within a minute goes on by another way, where there is one.
    fn diversions(&self) {
        for (id, file) in &self.files {
            for page in file.incident.pages.values() {
                let next = file.history.iter().find_map(|entry| match &entry.occurrence.event {
                    Event::PagedElsewhere { page: from, next, .. } if *from == page.id => Some(next),
                    _ => None,
                });
                with(|world| {
                    let known = matches!(&page.to, Recipient::User { user } if world.scenario.has_other_way(user));
                    if known && next.is_some_and(Option::is_none) {
                        world
                            .broken("G2", format!("page {} of incident {id} was said to have no other way", page.id.0));
                    }
                    let Some(at) = page.elsewhere_at else { return };
                    let at = world.since_start(at.timestamp_micros());
                    if next.is_none()
                        && world.scenario.steps.is_empty()
                        && needed(&file.incident, page.id)
                        && !reached_or_refused(&file.incident, page.id)
                        && at < world.now_us
                    {
                        world.broken("G2", format!("page {} of incident {id} never took another way", page.id.0));
                    }
                });
            }
        }
    }

    /// What an export of everything writes.
    pub(in crate::simulation) fn look_at_documents(&self, folder: &Path, app: &App) {
        for file in self.files.values() {
            left::look_at_documents(folder, app, &file.incident, &file.history);
        }
    }

    /// No secret was written down.
    async fn secrets(&mut self) {
        let kept = self.records.texts().await;
        with(|world| {
            world.look_for_secrets("the database", &kept);
            world.look_for_links("the database", &kept);
        });
    }

    /// What people were told is kept, and nothing was done twice.
    async fn promises(&mut self) {
        let kept = self.records.inbox().await;
        let kept: BTreeMap<String, Answer> =
            kept.into_iter().map(|(key, answer)| (key, serde_json::from_str(&answer).expect("is an answer"))).collect();
        let clients = with(|world| world.clients.clone()).unwrap_or_default();
        for client in clients {
            if let Some(answer) = &client.answer
                && kept.get(&client.key) != Some(answer)
            {
                broken("V8", format!("{} was answered {answer:?}, and that is not kept", client.key));
            }
            let times =
                self.files.values().flat_map(|file| &file.history).filter(|entry| is_of(entry, &client.key)).count();
            if times > 1 {
                broken("V9", format!("{} had its effect {times} times: {:?}", client.key, client.ask));
            }
            let opened = matches!(&client.answer, Some(Answer { said: Said::Opened { .. }, .. }));
            if opened && matches!(client.ask, Ask::Open { .. } | Ask::Alert) && times == 0 {
                broken("V8", format!("{} was told that an incident was opened, and there is none", client.key));
            }
        }
    }

    /// Nothing that was written down has changed, and the chains hold.
    async fn originals(&mut self, db: &Db) {
        let mut tx = db.read().await.expect("is readable");
        for (id, file) in &self.files {
            let stored = self.records.history(*id, 0).await;
            if !stored.iter().map(|(_, _, payload)| payload).eq(&file.payloads) {
                broken("V7", format!("the history of incident {id} was changed"));
            }
            match history::verify(&mut tx, IncidentId(*id)).await {
                Ok(Ok(_)) => {}
                Ok(Err(wrong)) => broken("V7", format!("the chain of incident {id}: {wrong}")),
                Err(error) => broken("V7", format!("the chain of incident {id} cannot be read: {error}")),
            }
        }
    }
}

fn explains(file: &File, wanted: PageId) -> bool {
    file.history.iter().any(|entry| {
        matches!(
            &entry.occurrence.event,
            Event::PageAttempted { page, result: PageResult::Unknown { .. }, .. } if *page == wanted
        )
    })
}

/// Whether an entry is the effect of this delivery, whose key is in its words.
fn is_of(entry: &Recorded, key: &str) -> bool {
    let begins = |text: &str| text.split_whitespace().next() == Some(key);
    match &entry.occurrence.event {
        Event::Opened { title, .. } => begins(title),
        Event::Noted { text, .. } | Event::UpdatePosted { text } => begins(text),
        Event::Escalated { text, .. }
        | Event::EscalationAdvanced { text, .. }
        | Event::EscalationStopped { text, .. }
        | Event::Resolved { text, .. }
        | Event::Reopened { text, .. } => text.as_deref().is_some_and(begins),
        _ => false,
    }
}
