//! Tells people of what only they can mend, straight and without the database: a full disk takes no effect into the
//! outbox.
//!
//! The fallback's people and channels are told in Slack, once for each trouble; again only when it comes back after it
//! had been away for a while. A best effort: `/readyz`, the heartbeat and the figures say the same until it is over.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Trouble, Watch};
use crate::clock::real_sleep;
use crate::domain::policy::Target;
use crate::domain::roster::{Directory, Roster};
use crate::ids::ChannelId;
use crate::slack::{Message, Slack};

/// How often it is looked whether there is something to tell.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// A trouble that comes back within this time is the same one.
const AWAY_MIN: TimeDelta = TimeDelta::minutes(30);
/// How soon it is tried again to tell somebody, where nobody was reached.
const AGAIN_AFTER: TimeDelta = TimeDelta::minutes(1);
/// People and channels told at most.
const TOLD_MAX: usize = 20;

/// What is told in this way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Disk,
    OtherProgram,
}

/// The alarm of one program.
pub struct Alarm {
    watch: Watch,
    slack: Slack,
    known: HashMap<Kind, Known>,
}

/// A trouble that was there before.
#[derive(Clone, Copy)]
struct Known {
    seen_at: DateTime<Utc>,
    /// When it was last tried to tell somebody, and whether that reached anybody.
    tried_at: DateTime<Utc>,
    is_told: bool,
}

impl Alarm {
    pub fn new(watch: Watch, slack: Slack) -> Self {
        Self { watch, slack, known: HashMap::new() }
    }

    /// Looks until the task is dropped.
    pub async fn run(mut self) {
        loop {
            self.look().await;
            real_sleep(LOOK_EVERY).await;
        }
    }

    /// Tells of what is new since it last looked; to how many that was.
    pub async fn look(&mut self) -> usize {
        let now = self.watch.app().clock().now();
        let mut told = 0;
        for trouble in self.watch.mendable() {
            let Some(kind) = kind(&trouble) else { continue };
            let known = self.known.get(&kind).copied().filter(|known| now - known.seen_at < AWAY_MIN);
            if let Some(known) = known
                && (known.is_told || now - known.tried_at < AGAIN_AFTER)
            {
                self.known.insert(kind, Known { seen_at: now, ..known });
                continue;
            }
            if known.is_none() {
                tracing::error!("{trouble}");
            }
            let reached = self.tell(&trouble).await;
            self.known.insert(kind, Known { seen_at: now, tried_at: now, is_told: reached > 0 });
            told += reached;
        }
        told
    }

    async fn tell(&self, trouble: &Trouble) -> usize {
        let app = self.watch.app();
        let text = format!(":rotating_light: {trouble}\n_You are told because you are the fallback in firebell.toml._");
        let message = Message { text, ..Message::default() };
        let mut reached = 0;
        for place in places(&app.roster(), &app.directory()) {
            match self.slack.post_message(&place, &message).await {
                Ok(_) => reached += 1,
                Err(error) => tracing::warn!(%error, "the fallback could not be told of it in Slack"),
            }
        }
        reached
    }
}

fn kind(trouble: &Trouble) -> Option<Kind> {
    match trouble {
        Trouble::Disk => Some(Kind::Disk),
        Trouble::OtherProgram { .. } => Some(Kind::OtherProgram),
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

/// Where the fallback hears of something, each place once; a person's id stands for our direct messages with them.
fn places(roster: &Roster, directory: &Directory) -> Vec<ChannelId> {
    let mut places = Vec::new();
    for target in &roster.fallback {
        let found: Vec<ChannelId> = match target {
            Target::User { user } => vec![ChannelId::new(user.as_str())],
            Target::UserGroup { group, .. } => {
                let users = directory.groups.get(group).map(|group| group.users.as_slice()).unwrap_or_default();
                users.iter().map(|user| ChannelId::new(user.as_str())).collect()
            }
            Target::Channel { channel, .. } => vec![channel.clone()],
        };
        for place in found {
            if !places.contains(&place) {
                places.push(place);
            }
        }
    }
    places.truncate(TOLD_MAX);
    places
}

#[cfg(test)]
mod tests;
