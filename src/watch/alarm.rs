//! Tells people of what only they can mend, straight and without the database: one that is full or can only be read
//! takes no effect into the outbox.
//!
//! The fallback is told by every way it has, once for each trouble; again only when it comes back after it had been away
//! for a while. While the database takes no writes, no page can be claimed: then the fallback, and whoever should have
//! been paged, are told once of each call that is due. A best effort: `/readyz`, the heartbeat and the figures say the
//! same until it is over.

mod calls;
mod words;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use uuid::Uuid;

use self::calls::{Ahead, DueCall};
use self::words::{CALLS_MAX, NAMESPACE, Words, mark};
use super::{Trouble, UNATTEMPTED_MAX, Watch};
use crate::clock::real_sleep;
use crate::domain::contact::ContactMethod;
use crate::domain::event::Recipient;
use crate::domain::policy::Target;
use crate::domain::roster::{Directory, Roster};
use crate::elsewhere::{Elsewhere, Failure};
use crate::ids::{ChannelId, EscalationId, IncidentId, UserId};
use crate::slack::{Message, Metadata, Slack};

/// How often it is looked whether there is something to tell.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// A trouble that comes back within this time is the same one.
const AWAY_MIN: TimeDelta = TimeDelta::minutes(30);
/// How soon it is tried again to tell somebody, where nobody was reached.
const AGAIN_AFTER: TimeDelta = TimeDelta::minutes(1);
/// People and channels of the fallback told at most.
const TOLD_MAX: usize = 20;
/// Places told in one look at most; the next look comes soon.
const PLACES_PER_LOOK: usize = 50;

/// What is told in this way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Disk,
    ReadOnly,
    OtherProgram,
}

impl Kind {
    fn of(trouble: &Trouble) -> Option<Self> {
        match trouble {
            Trouble::Disk => Some(Self::Disk),
            Trouble::ReadOnly => Some(Self::ReadOnly),
            Trouble::OtherProgram { .. } => Some(Self::OtherProgram),
            Trouble::Database
            | Trouble::Scheduler { .. }
            | Trouble::Unattempted { .. }
            | Trouble::Unaccepted { .. }
            | Trouble::Audit(_)
            | Trouble::Token
            | Trouble::SelfTest
            | Trouble::TestPage => None,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Disk => "disk_full",
            Self::ReadOnly => "read_only",
            Self::OtherProgram => "other_program",
        }
    }
}

/// Where somebody hears of something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// In Slack; a person's id stands for our direct messages with them.
    Slack(ChannelId),
    /// Besides Slack: a person, or the fallback's own address.
    Elsewhere(Option<UserId>, ContactMethod),
}

/// The alarm of one program.
pub struct Alarm {
    watch: Watch,
    slack: Slack,
    elsewhere: Elsewhere,
    known: HashMap<Kind, Known>,
    ahead: Ahead,
    told: BTreeMap<Place, Told>,
}

/// A trouble that was there before.
#[derive(Clone, Copy)]
struct Known {
    seen_at: DateTime<Utc>,
    /// When it was last tried to tell somebody, and whether that reached anybody.
    tried_at: DateTime<Utc>,
    is_told: bool,
}

/// What a place was told of calls that are due.
#[derive(Default)]
struct Told {
    calls: BTreeSet<(IncidentId, EscalationId)>,
    failed_at: Option<DateTime<Utc>>,
}

/// How it went to tell somebody.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Reached,
    /// It is no use to try again.
    Refused,
    Failed,
    /// Nothing was tried.
    Busy,
}

impl Alarm {
    pub fn new(watch: Watch, slack: Slack, elsewhere: Elsewhere) -> Self {
        let (known, ahead, told) = (HashMap::new(), Ahead::default(), BTreeMap::new());
        Self { watch, slack, elsewhere, known, ahead, told }
    }

    /// Looks until the task is dropped.
    pub async fn run(mut self) {
        loop {
            self.look().await;
            real_sleep(LOOK_EVERY).await;
        }
    }

    /// Tells of what is new since it last looked; how many places were reached.
    pub async fn look(&mut self) -> usize {
        let now = self.watch.app().clock().now();
        let mut reached = 0;
        let mut refuses_writes = None;
        for trouble in self.watch.mendable() {
            let Some(kind) = Kind::of(&trouble) else { continue };
            reached += self.tell_of(kind, &trouble, now).await;
            if trouble.refuses_writes() {
                refuses_writes = Some((kind, trouble));
            }
        }
        self.known.retain(|_, known| now - known.seen_at < AWAY_MIN);
        if let Some((kind, trouble)) = refuses_writes {
            match self.tell_of_calls(kind, &trouble).await {
                Ok(more) => reached += more,
                Err(error) => tracing::error!(%error, "which calls are due could not be read"),
            }
        } else {
            self.ahead = Ahead::default();
            if !self.known.keys().any(|kind| matches!(kind, Kind::Disk | Kind::ReadOnly)) {
                self.told.clear();
            }
        }
        reached
    }

    /// Tells the fallback of a trouble that is new.
    async fn tell_of(&mut self, kind: Kind, trouble: &Trouble, now: DateTime<Utc>) -> usize {
        let known = self.known.get(&kind).copied().filter(|known| now - known.seen_at < AWAY_MIN);
        if let Some(known) = known
            && (known.is_told || now - known.tried_at < AGAIN_AFTER)
        {
            self.known.insert(kind, Known { seen_at: now, ..known });
            return 0;
        }
        if known.is_none() {
            tracing::error!("{trouble}");
        }
        let (roster, directory) = (self.watch.app().roster(), self.watch.app().directory());
        let places = fallback(&roster, &directory);
        let told = join_all(places.iter().map(|place| self.tell(place, kind, trouble, &[]))).await;
        let reached = told.into_iter().filter(|outcome| *outcome == Outcome::Reached).count();
        self.known.insert(kind, Known { seen_at: now, tried_at: now, is_told: reached > 0 });
        reached
    }

    /// Tells of the calls that are due and held up by it: the fallback of all, everybody else of those they are called in.
    async fn tell_of_calls(&mut self, kind: Kind, trouble: &Trouble) -> Result<usize, crate::store::Error> {
        let app = self.watch.app().clone();
        let now = app.clock().now();
        let due = self.ahead.due(&app, now - app.clock().stretched(UNATTEMPTED_MAX)).await?;
        let (roster, directory) = (app.roster(), app.directory());
        let mut errands: Vec<(Place, Vec<DueCall>)> = Vec::new();
        for (place, calls) in places(&due, &roster, &directory) {
            let told = self.told.entry(place.clone()).or_default();
            if told.failed_at.is_some_and(|at| now - at < AGAIN_AFTER) {
                continue;
            }
            let fresh = calls.into_iter().filter(|call| !told.calls.contains(&call.id())).take(CALLS_MAX);
            let fresh: Vec<DueCall> = fresh.cloned().collect();
            if !fresh.is_empty() {
                errands.push((place, fresh));
            }
        }
        errands.truncate(PLACES_PER_LOOK);
        let outcomes = join_all(errands.iter().map(|(place, calls)| self.tell(place, kind, trouble, calls))).await;
        let mut reached = 0;
        for ((place, calls), outcome) in errands.iter().zip(outcomes) {
            let told = self.told.entry(place.clone()).or_default();
            match outcome {
                Outcome::Reached | Outcome::Refused => {
                    told.calls.extend(calls.iter().map(DueCall::id));
                    reached += usize::from(outcome == Outcome::Reached);
                }
                Outcome::Failed => told.failed_at = Some(now),
                Outcome::Busy => {}
            }
        }
        Ok(reached)
    }

    async fn tell(&self, place: &Place, kind: Kind, trouble: &Trouble, calls: &[DueCall]) -> Outcome {
        let app = self.watch.app();
        let (directory, trouble) = (app.directory(), trouble.to_string());
        let words = Words {
            workspace: app.workspace(),
            kind: kind.word(),
            trouble: &trouble,
            calls,
            directory: &directory,
            now: app.clock().now(),
        };
        match place {
            Place::Slack(channel) => self.tell_in_slack(channel, &words).await,
            Place::Elsewhere(of, by) => {
                let to = Recipient::Contact { of: of.clone(), by: *by };
                let roster = app.roster();
                let Some(address) = roster.address(&to) else { return Outcome::Refused };
                match self.elsewhere.warn(*by, address, &words.letter()).await {
                    Ok(()) => Outcome::Reached,
                    Err(Failure::Busy) => Outcome::Busy,
                    Err(Failure::Refused(error)) => {
                        tracing::warn!(error, by = by.word(), "somebody could not be told of it");
                        Outcome::Refused
                    }
                    Err(Failure::NotNow(error) | Failure::Unknown(error)) => {
                        tracing::warn!(error, by = by.word(), "somebody could not be told of it yet");
                        Outcome::Failed
                    }
                }
            }
        }
    }

    /// Slack knows what this program said before it was started again, and what other replicas said.
    async fn tell_in_slack(&self, channel: &ChannelId, words: &Words<'_>) -> Outcome {
        let marks: Vec<String> = words.calls.iter().map(|call| mark(words.workspace, call)).collect();
        let unsaid = self.unsaid(channel, words.calls, &marks).await;
        if unsaid.is_empty() && !words.calls.is_empty() {
            return Outcome::Reached;
        }
        let marks: Vec<String> = unsaid.iter().map(|call| mark(words.workspace, call)).collect();
        let text = Words { calls: &unsaid, ..*words }.for_slack();
        let name = Uuid::new_v5(&NAMESPACE, format!("{channel} {}", marks.join(" ")).as_bytes());
        let metadata =
            (!marks.is_empty()).then(|| Metadata::digest(format!("{}/alarm/{name}", words.workspace), &marks));
        let message = Message { text, metadata, ..Message::default() };
        match self.slack.post_message(channel, &message).await {
            Ok(_) => Outcome::Reached,
            Err(error) => {
                tracing::warn!(%error, "somebody could not be told of it in Slack");
                Outcome::Failed
            }
        }
    }

    /// The calls that no message there tells of yet. Where that cannot be learned it is said twice rather than never.
    async fn unsaid(&self, channel: &ChannelId, calls: &[DueCall], marks: &[String]) -> Vec<DueCall> {
        let Some(since) = calls.iter().map(|call| call.due_at).min() else { return Vec::new() };
        let found = async {
            let conversation = if channel.as_str().starts_with(['U', 'W']) {
                self.slack.open_dm(&UserId::new(channel.as_str())).await?
            } else {
                channel.clone()
            };
            self.slack.find_all_posted(&conversation, None, since, marks).await
        };
        let found = found.await.unwrap_or_default();
        calls.iter().zip(marks).filter(|(_, mark)| !found.contains_key(*mark)).map(|(call, _)| call.clone()).collect()
    }
}

/// Everybody who is to be told of these calls, each with theirs.
fn places<'a>(due: &'a [DueCall], roster: &Roster, directory: &Directory) -> BTreeMap<Place, Vec<&'a DueCall>> {
    let of_fallback = fallback(roster, directory);
    let mut places: BTreeMap<Place, Vec<&DueCall>> = BTreeMap::new();
    for call in due {
        let mut told: BTreeSet<Place> = of_fallback.iter().cloned().collect();
        for to in &call.to {
            match to {
                Recipient::User { user } | Recipient::Contact { of: Some(user), .. } => {
                    told.extend(ways_to(user, roster));
                }
                Recipient::Channel { channel, .. } => {
                    told.insert(Place::Slack(channel.clone()));
                }
                // The fallback's own address is told of every call.
                Recipient::Contact { of: None, .. } => {}
            }
        }
        for place in told {
            places.entry(place).or_default().push(call);
        }
    }
    places
}

/// All ways to a person.
fn ways_to(user: &UserId, roster: &Roster) -> Vec<Place> {
    let in_slack = Place::Slack(ChannelId::new(user.as_str()));
    let contacts = roster.contacts.get(user);
    let known = |by: &ContactMethod| contacts.is_some_and(|contacts| contacts.address(*by).is_some());
    let besides = ContactMethod::ALL.into_iter().filter(known).map(|by| Place::Elsewhere(Some(user.clone()), by));
    std::iter::once(in_slack).chain(besides).collect()
}

/// Where the fallback hears of something, each place once.
fn fallback(roster: &Roster, directory: &Directory) -> Vec<Place> {
    let mut places = Vec::new();
    for target in &roster.fallback {
        let found: Vec<Place> = match target {
            Target::User { user } => ways_to(user, roster),
            Target::UserGroup { group, .. } => {
                let users = directory.groups.get(group).map(|group| group.users.as_slice()).unwrap_or_default();
                users.iter().flat_map(|user| ways_to(user, roster)).collect()
            }
            Target::Channel { channel, .. } => vec![Place::Slack(channel.clone())],
        };
        for place in found {
            if !places.contains(&place) {
                places.push(place);
            }
        }
    }
    places.truncate(TOLD_MAX);
    let own = ContactMethod::ALL.into_iter().filter(|by| roster.fallback_contacts.address(*by).is_some());
    places.extend(own.map(|by| Place::Elsewhere(None, by)));
    places
}

#[cfg(test)]
mod tests;
