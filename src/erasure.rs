//! A person made anonymous in everything that is kept of them, and everything that is kept of them as one document:
//! `firebell erase-user` and `firebell export-user`.
//!
//! Entries of the history cannot be changed, so each one that names the person is erased, and a copy that names a pseudonym is
//! read in its place (`store::substitutes`). That it was done is an entry itself, which names nobody. One transaction for each
//! incident, so that no page waits; what is half done goes on under the same pseudonym when it is begun again.

mod kept;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde_json::Value;

pub use kept::kept;
pub use words::Words;

use crate::domain::answer::Answer;
use crate::domain::effect::Effect;
use crate::domain::escalation::{Escalation, Phase};
use crate::domain::event::{Actor, Event, Occurrence, Recorded};
use crate::domain::evolve;
use crate::domain::incident::Incident;
use crate::domain::policy::Target;
use crate::domain::roster::{Person, UserGroup};
use crate::ids::{IncidentId, UserId, WorkspaceId};
use crate::store::outbox::{self, EffectId};
use crate::store::{self, Db, Tx, history, incidents, people, said, settings, substitutes, traces};

/// Where the pseudonym of somebody is kept until nothing names them any more.
const BEGUN_KEY: &str = "erasing";
/// How often it is looked whether something has come meanwhile that names the person.
const ROUNDS_MAX: usize = 5;

/// What names a person.
#[derive(Clone, Debug)]
pub struct Found {
    pub user: UserId,
    /// What Slack said of them.
    pub person: Option<Person>,
    /// What they are found by.
    pub words: Words,
    /// Names that somebody else has too, which are therefore left in texts.
    pub shared: Vec<String>,
    /// Oldest first.
    pub incidents: Vec<Naming>,
    /// User groups, by handle.
    pub groups: Vec<String>,
    /// Remembered answers to what was typed and pressed.
    pub answers: usize,
    /// An earlier run was begun and did not end.
    pub begun: bool,
}

/// An incident that names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Naming {
    pub number: i64,
    pub id: IncidentId,
    /// How many of its entries do.
    pub entries: usize,
    /// Why nobody can be erased now, and the way out.
    pub blocked: Option<String>,
}

impl Found {
    /// Whether nothing at all is kept of them.
    pub fn is_nothing(&self) -> bool {
        self.person.is_none() && self.incidents.is_empty() && self.groups.is_empty() && self.answers == 0 && !self.begun
    }
}

/// Why somebody was not made anonymous.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    Blocked(String),
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("{what} cannot be read, so nobody knows whom it names: {source}")]
    Unreadable { what: String, source: serde_json::Error },
    #[error("new entries that name {0} keep coming. Have them stop using Firebell, then run this again.")]
    NeverStill(UserId),
}

/// What was done.
#[derive(Clone, Debug)]
pub struct Done {
    pub pseudonym: UserId,
    /// By number.
    pub incidents: BTreeMap<i64, Anonymous>,
    /// What is left to be done by hand.
    pub left: Option<String>,
}

/// An incident in which somebody is anonymous now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anonymous {
    pub id: IncidentId,
    /// Entries that were written anew.
    pub entries: usize,
    /// The end of its chain.
    pub head: String,
}

/// Finds everything that names a person: by id, by the name that Slack shows, by names in references, and by `also`.
pub async fn find(tx: &mut Tx, workspace: &WorkspaceId, user: &UserId, also: &[String]) -> Result<Found, Error> {
    let mut everybody = people::load_directory(tx, workspace).await?.people;
    let person = everybody.remove(user);
    let mut names: BTreeSet<String> = also.iter().cloned().collect();
    names.extend(person.iter().map(|person| person.name.clone()));
    let mut channels = BTreeSet::new();
    let mut candidates: BTreeSet<(i64, IncidentId)> =
        traces::incidents(tx, workspace, user.as_str()).await?.into_iter().collect();
    for (_, id) in &candidates {
        let incident = incidents::load(tx, *id).await?.incident;
        channels.extend(direct_messages(&incident, user));
        for (_, payload) in traces::payloads(tx, *id).await? {
            Words::labels(user, &payload, &mut names);
            channels.extend(own_channels(&payload, user));
        }
    }
    let others: BTreeSet<String> = everybody.values().map(|other| other.name.to_lowercase()).collect();
    let is_shared = |name: &String| others.contains(&name.to_lowercase()) && !also.contains(name);
    let shared: Vec<String> = names.extract_if(.., |name| is_shared(name)).collect();
    let words = Words::new(user, names, channels, &UserId::former(0));
    let all = words.names().iter().chain(words.channels()).cloned().collect::<Vec<_>>();
    for word in &all {
        candidates.extend(traces::incidents(tx, workspace, word).await?);
    }
    let mut naming = Vec::new();
    for (number, id) in candidates {
        naming.extend(named_in(tx, workspace, number, id, &words).await?);
    }
    let groups = groups(tx, workspace, &words).await?.into_iter().map(|(group, _)| group.handle).collect();
    let answers = answers(tx, workspace, &words).await?.len();
    let begun = settings::get(tx, &begun_key(user)).await?.is_some();
    Ok(Found { user: user.clone(), person, words, shared, incidents: naming, groups, answers, begun })
}

fn begun_key(user: &UserId) -> String {
    format!("{BEGUN_KEY}:{user}")
}

/// The channels in which the person alone was paged.
fn direct_messages(incident: &Incident, user: &UserId) -> BTreeSet<String> {
    let pages = incident.pages.values().filter(|page| page.to.user() == Some(user));
    let channels = pages.filter_map(|page| Some(page.message.as_ref()?.channel.as_str().to_owned()));
    channels.filter(|channel| is_direct(channel)).collect()
}

/// The direct messages in which the person did something.
fn own_channels(payload: &str, user: &UserId) -> BTreeSet<String> {
    fn collect(value: &Value, to: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                to.extend(fields.get("channel").and_then(Value::as_str).filter(|id| is_direct(id)).map(str::to_owned));
                fields.values().for_each(|value| collect(value, to));
            }
            Value::Array(values) => values.iter().for_each(|value| collect(value, to)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut channels = BTreeSet::new();
    let value: Value = serde_json::from_str(payload).unwrap_or_default();
    if value["actor"]["user"] == user.as_str() {
        collect(&value, &mut channels);
    }
    channels
}

/// Whether it is the id of a conversation of two.
fn is_direct(channel: &str) -> bool {
    channel.starts_with('D') && channel.len() > 2
}

async fn named_in(
    tx: &mut Tx,
    workspace: &WorkspaceId,
    number: i64,
    id: IncidentId,
    words: &Words,
) -> Result<Option<Naming>, Error> {
    let entries = entries(tx, id, words).await?.len();
    let incident = incidents::load(tx, id).await?.incident;
    let waiting = traces::waiting(tx, workspace, Some(id)).await?;
    let mut named = entries > 0 || in_state(&incident, words)?.is_some();
    for waiting in &waiting {
        named |= in_waiting(waiting, words)?.is_some();
    }
    if !named {
        return Ok(None);
    }
    let blocked = blocked(&incident, &waiting, words)?;
    Ok(Some(Naming { number, id, entries, blocked }))
}

/// The entries that name the person, without them.
async fn entries(tx: &mut Tx, id: IncidentId, words: &Words) -> Result<Vec<(crate::ids::Seq, String)>, Error> {
    let mut without = Vec::new();
    for (seq, payload) in traces::payloads(tx, id).await? {
        let unreadable = |source| Error::Unreadable { what: format!("entry {seq} of incident {id}"), source };
        if let Some(text) = words.in_json::<Occurrence>(&payload).map_err(unreadable)? {
            without.push((seq, text));
        }
    }
    Ok(without)
}

fn in_state(incident: &Incident, words: &Words) -> Result<Option<Incident>, Error> {
    let unreadable = |source| Error::Unreadable { what: incident.name(), source };
    let json = serde_json::to_string(incident).map_err(unreadable)?;
    let without = words.in_json::<Incident>(&json).map_err(unreadable)?;
    without.map(|json| serde_json::from_str(&json).map_err(unreadable)).transpose()
}

/// What is to be done outside, without the person. What this program cannot read is gone through as any JSON.
fn in_waiting(waiting: &traces::Waiting, words: &Words) -> Result<Option<traces::Waiting>, Error> {
    let unreadable = |source| Error::Unreadable { what: format!("effect {}", waiting.id), source };
    let effect = match words.in_json::<Effect>(&waiting.effect) {
        Ok(effect) => effect,
        Err(_) => words.in_json::<Value>(&waiting.effect).map_err(unreadable)?,
    };
    let text = |text: &Option<String>| text.as_deref().and_then(|text| words.in_text(text));
    let (slot, error) = (text(&waiting.slot), text(&waiting.error));
    if effect.is_none() && slot.is_none() && error.is_none() {
        return Ok(None);
    }
    Ok(Some(traces::Waiting {
        effect: effect.unwrap_or_else(|| waiting.effect.clone()),
        slot: slot.or_else(|| waiting.slot.clone()),
        error: error.or_else(|| waiting.error.clone()),
        ..waiting.clone()
    }))
}

/// Why the person cannot be erased from this incident now: they are called, or something is just being done for them.
fn blocked(incident: &Incident, waiting: &[traces::Waiting], words: &Words) -> Result<Option<String>, Error> {
    let name = incident.name();
    if let Some(call) = incident.escalations.values().find(|call| incident.is_open() && calls(call, incident, words)) {
        let way_out = if call.waits() { ", or end the call there with `/escalate stop`" } else { "" };
        return Ok(Some(format!(
            "They are among those who are called for {name} ({}). Resolve or cancel {name}{way_out}; then run this again.",
            call.team.name
        )));
    }
    for effect in waiting.iter().filter(|waiting| waiting.state == "sending") {
        let writes = serde_json::from_str::<Effect>(&effect.effect).is_ok_and(|effect| effect == Effect::Export);
        if writes || in_waiting(effect, words)?.is_some() {
            return Ok(Some(format!(
                "Firebell is just doing something for {name} that names them. Run this again in a minute."
            )));
        }
    }
    Ok(None)
}

/// Whether a call that has not ended has, had or may yet have to do with the person.
fn calls(call: &Escalation, incident: &Incident, words: &Words) -> bool {
    let user = words.user();
    let acknowledged = match &call.phase {
        Phase::Stopped => return false,
        Phase::Acknowledged { by, .. } => by.as_ref() == Some(user),
        Phase::Active { .. } | Phase::Exhausted | Phase::Held { .. } => false,
    };
    let mut targets = call.policy.tiers.iter().flat_map(|tier| &tier.targets);
    acknowledged
        || targets.any(|target| matches!(target, Target::User { user: called } if called == user))
        || incident.pages_of(call.id).any(|page| page.to.user() == Some(user))
}

async fn groups(tx: &mut Tx, workspace: &WorkspaceId, words: &Words) -> Result<Vec<(UserGroup, UserGroup)>, Error> {
    let mut found = Vec::new();
    for (id, json) in traces::groups(tx, workspace, words.user().as_str()).await? {
        let unreadable = |source| Error::Unreadable { what: format!("user group {id}"), source };
        let group: UserGroup = serde_json::from_str(&json).map_err(unreadable)?;
        let mut without = group.clone();
        without.users.retain(|user| user != words.user());
        if without != group {
            found.push((group, without));
        }
    }
    Ok(found)
}

/// Keys of deliveries with their answers, before and after.
async fn answers(tx: &mut Tx, workspace: &WorkspaceId, words: &Words) -> Result<Vec<(String, String)>, Error> {
    let looked_for = std::iter::once(words.user().as_str()).chain(words.names().iter().map(String::as_str));
    let looked_for: Vec<String> =
        looked_for.chain(words.channels().iter().map(String::as_str)).map(str::to_owned).collect();
    let mut found = BTreeMap::new();
    for word in looked_for {
        for delivery in traces::deliveries(tx, workspace, &word).await? {
            let unreadable = |source| Error::Unreadable { what: format!("the answer to {}", delivery.key), source };
            if let Some(without) = words.in_json::<Answer>(&delivery.answer).map_err(unreadable)? {
                found.insert(delivery.key, without);
            }
        }
    }
    Ok(found.into_iter().collect())
}

/// Puts a pseudonym in the place of a person, everywhere. Others may work on the database meanwhile.
///
/// # Errors
/// [`Error::Blocked`] where the person is called at present, with the way out. What was done until then stays done.
pub async fn erase(db: &Db, workspace: &WorkspaceId, first: &Found, now: DateTime<Utc>) -> Result<Done, Error> {
    let pseudonym = pseudonym(db, workspace, &first.user).await?;
    let mut done = Done { pseudonym: pseudonym.clone(), incidents: BTreeMap::new(), left: None };
    let also = first.words.names().to_vec();
    let mut found = first.clone();
    for _ in 0..ROUNDS_MAX {
        for naming in &found.incidents {
            let words = found.words.instead(&pseudonym);
            let anonymous = erase_in(db, workspace, naming.id, &words, now).await?;
            done.incidents.insert(naming.number, anonymous);
        }
        let mut tx = db.write().await?;
        found = find(&mut tx, workspace, &first.user, &also).await?;
        if found.incidents.is_empty() {
            forget(&mut tx, workspace, &found.words.instead(&pseudonym)).await?;
            tx.commit().await?;
            done.left = db.scrub().await.unwrap_or_else(|error| {
                Some(format!(
                    "The files of the database may still hold old copies, as they could not be cleaned: {error}"
                ))
            });
            return Ok(done);
        }
        tx.rollback().await?;
    }
    Err(Error::NeverStill(first.user.clone()))
}

/// The person's pseudonym, which an earlier run may have begun to use. It is kept until [`erase`] has ended.
pub async fn pseudonym(db: &Db, workspace: &WorkspaceId, user: &UserId) -> Result<UserId, Error> {
    let mut tx = db.write().await?;
    if let Some(pseudonym) = settings::get(&mut tx, &begun_key(user)).await? {
        return Ok(UserId::new(pseudonym));
    }
    let pseudonym = UserId::former(traces::next_pseudonym(&mut tx, workspace).await?);
    settings::set(&mut tx, &begun_key(user), pseudonym.as_str()).await?;
    tx.commit().await?;
    Ok(pseudonym)
}

async fn erase_in(
    db: &Db,
    workspace: &WorkspaceId,
    id: IncidentId,
    words: &Words,
    now: DateTime<Utc>,
) -> Result<Anonymous, Error> {
    let mut tx = db.write().await?;
    let stored = incidents::lock(&mut tx, &[id]).await?.pop().ok_or(store::Error::NoSuchIncident(id))?;
    let waiting = traces::waiting(&mut tx, workspace, Some(id)).await?;
    if let Some(why) = blocked(&stored.incident, &waiting, words)? {
        return Err(Error::Blocked(why));
    }
    let without = entries(&mut tx, id, words).await?;
    for (seq, payload) in &without {
        substitutes::replace(&mut tx, id, *seq, payload).await?;
    }
    for channel in words.channels() {
        traces::rewrite_captures(&mut tx, id, channel, words.pseudonym().as_str()).await?;
    }
    let mut incident = in_state(&stored.incident, words)?.unwrap_or(stored.incident);
    let copies = substitutes::sum(&substitutes::of(&mut tx, id).await?);
    let event = Event::PersonErased { pseudonym: words.pseudonym().clone(), copies };
    let occurrence = Occurrence { at: now, approx: false, actor: Actor::Operator, source: None, event };
    let recorded = Recorded { seq: incident.last_seq + 1, recorded_at: now, occurrence };
    evolve(&mut incident, &recorded);
    let mut events = Vec::new();
    let head = history::link_all(&stored.head, workspace, id, &[recorded], &mut events);
    history::append(&mut tx, &events).await?;
    let row = incidents::Row { incident: &incident, head: &head, updated_at: now, keeps_its_places: true };
    incidents::save(&mut tx, &[row]).await?;
    rewrite_waiting(&mut tx, &waiting, words).await?;
    // Sums of texts that named them.
    said::forget(&mut tx, id).await?;
    write_documents(&mut tx, &incident, now).await?;
    tx.commit().await?;
    Ok(Anonymous { id, entries: without.len(), head })
}

/// What is for the person alone is not done any more; what merely names them is done without.
async fn rewrite_waiting(tx: &mut Tx, waiting: &[traces::Waiting], words: &Words) -> Result<(), Error> {
    for before in waiting {
        let Some(without) = in_waiting(before, words)? else { continue };
        let effect = serde_json::from_str::<Effect>(&without.effect).ok();
        let for_nobody = match &effect {
            Some(Effect::Tell { user, .. } | Effect::SendDocument { to: user, .. }) => user.is_former(),
            Some(Effect::Invite { users }) => users.iter().all(UserId::is_former),
            _ => false,
        };
        if for_nobody {
            traces::drop_waiting(tx, EffectId(before.id)).await?;
        } else {
            traces::rewrite_waiting(tx, &without).await?;
        }
    }
    Ok(())
}

/// A program that runs writes the documents again: it may have read the history before.
async fn write_documents(tx: &mut Tx, incident: &Incident, now: DateTime<Utc>) -> Result<(), Error> {
    if incident.concluded {
        let new = outbox::New {
            workspace: incident.workspace.clone(),
            incident: Some(incident.id),
            effect: Effect::Export,
            not_before: now,
            created_at: now,
            due_at: None,
        };
        outbox::enqueue(tx, &[new]).await?;
    }
    Ok(())
}

/// What is kept of a person besides incidents.
async fn forget(tx: &mut Tx, workspace: &WorkspaceId, words: &Words) -> Result<(), Error> {
    for (key, answer) in answers(tx, workspace, words).await? {
        traces::rewrite_answer(tx, workspace, &key, &answer).await?;
    }
    for before in traces::waiting(tx, workspace, None).await? {
        if let Some(without) = in_waiting(&before, words)? {
            traces::rewrite_waiting(tx, &without).await?;
        }
    }
    for (_, without) in groups(tx, workspace, words).await? {
        traces::rewrite_group(tx, workspace, &without).await?;
    }
    traces::forget_person(tx, workspace, words.user().as_str()).await?;
    traces::forget_setting(tx, &begun_key(words.user())).await?;
    Ok(())
}
