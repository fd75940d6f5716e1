//! The incident's channel: its name, who is in it, and finding it again after a crash.

use super::Worker;
use super::outcome::again;
use crate::app::{Settled, Work};
use crate::crash;
use crate::domain::command::Finished;
use crate::domain::incident::Incident;
use crate::ids::UserId;
use crate::slack::{self, CLOCKS_DIFFER_MAX, card};

/// Slack's limit for names of channels, in characters.
const NAME_MAX: usize = 80;

impl Worker {
    /// Creates the channel, or adopts the one that an earlier attempt of unknown outcome created. A name that somebody
    /// else has gets the incident's own random part, which nobody else can have chosen.
    pub(super) async fn create_channel(&self, work: &Work) -> Settled {
        let prefix = self.inner.app.roster().channel_prefix.clone();
        let (plain, unique) = names(&work.incident, &prefix);
        let mut made = self.create_or_adopt(work, &plain, work.uncertain).await;
        if made.as_ref().is_err_and(|error| error.code() == Some("name_taken")) {
            made = self.create_or_adopt(work, &unique, true).await;
        }
        match made {
            Ok(channel) => Settled::Done(Finished::ChannelCreated { channel: channel.id, name: channel.name }),
            Err(error) if again(&error, work.attempt).is_none() || self.is_stale(work) => {
                tracing::warn!(%error, incident = work.incident.number, "the channel could not be created");
                Settled::Done(Finished::ChannelFailed { error: error.to_string() })
            }
            Err(error) => self.failed(work, &error, None),
        }
    }

    async fn create_or_adopt(&self, work: &Work, name: &str, ours: bool) -> Result<slack::Channel, slack::Error> {
        let slack = &self.inner.slack;
        match crash::around(&work.effect, slack.create_channel(name, work.incident.private)).await {
            Err(error) if ours && error.code() == Some("name_taken") => self.find_made(work, name).await?.ok_or(error),
            made => made,
        }
    }

    /// The channel with this name, if an earlier attempt of this very effect made it: a channel of somebody else is not it,
    /// nor one that we made for an incident of another database, which says something already.
    async fn find_made(&self, work: &Work, name: &str) -> Result<Option<slack::Channel>, slack::Error> {
        let slack = &self.inner.slack;
        let Some(found) = slack.find_own_channel(name).await? else { return Ok(None) };
        let since = work.created_at - CLOCKS_DIFFER_MAX;
        if found.is_archived || found.created_at.is_some_and(|at| at < since) {
            return Ok(None);
        }
        let us = slack.auth_test().await?.user;
        if found.creator.as_ref() != Some(&us) || slack.has_posted(&found.id).await? {
            return Ok(None);
        }
        Ok(Some(found))
    }

    pub(super) async fn set_topic(&self, work: &Work) -> Settled {
        let Some(channel) = work.incident.channel_id() else { return Self::done() };
        let around = self.around();
        let topic = card::topic(&self.view(work, &around));
        match crash::around(&work.effect, self.inner.slack.set_topic(channel, &topic)).await {
            Ok(()) => Self::done(),
            Err(error) => self.failed(work, &error, Some(channel)),
        }
    }

    pub(super) async fn invite(&self, work: &Work, users: &[UserId]) -> Settled {
        let Some(channel) = work.incident.channel_id() else { return Self::done() };
        let directory = self.inner.app.directory();
        let known =
            |user: &&UserId| !directory.people.get(*user).is_some_and(|person| person.deactivated || person.is_bot);
        let users: Vec<UserId> = users.iter().filter(known).cloned().collect();
        if users.is_empty() {
            return Self::done();
        }
        match crash::around(&work.effect, self.inner.slack.invite(channel, &users)).await {
            Ok(refused) => {
                for one in refused {
                    tracing::warn!(code = one.code, incident = work.incident.number, "somebody could not be invited");
                }
                Self::done()
            }
            Err(error) => self.failed(work, &error, Some(channel)),
        }
    }

    pub(super) async fn pin_card(&self, work: &Work) -> Settled {
        let Some(message) = &work.incident.card else { return Self::done() };
        match crash::around(&work.effect, self.inner.slack.pin(message)).await {
            Ok(()) => Self::done(),
            Err(error) => self.failed(work, &error, Some(&message.channel)),
        }
    }
}

/// The name to try first, and the one with the incident's random part. Slack takes `a-z`, `0-9`, `-` and `_`.
pub(crate) fn names(incident: &Incident, prefix: &str) -> (String, String) {
    let start = format!("{prefix}{}", incident.number);
    // A private incident's channel must not tell outsiders what it is about.
    let slug = if incident.private { String::new() } else { slug(&incident.title) };
    let nonce: String = incident.nonce.chars().filter(char::is_ascii_alphanumeric).take(6).collect();
    let unique = format!("{start}-{nonce}").to_lowercase();
    let plain = if slug.is_empty() { start } else { format!("{start}-{slug}") };
    let plain: String = plain.to_lowercase().chars().take(NAME_MAX).collect();
    (plain.trim_end_matches(['-', '_']).to_owned(), unique)
}

/// A title as part of a channel name: letters and digits of ASCII, everything else a single hyphen.
fn slug(title: &str) -> String {
    let mut slug = String::new();
    for c in title.chars() {
        match c {
            'a'..='z' | '0'..='9' => slug.push(c),
            'A'..='Z' => slug.push(c.to_ascii_lowercase()),
            '\'' | '’' => {}
            _ if slug.ends_with('-') || slug.is_empty() => {}
            _ => slug.push('-'),
        }
    }
    slug.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_becomes_a_name_that_slack_takes() {
        assert_eq!(slug("Shop is very slow, checkouts fail!"), "shop-is-very-slow-checkouts-fail");
        assert_eq!(slug("  Ünïcode 🔥 — “quotes” & Ana's  "), "n-code-quotes-anas");
        assert_eq!(slug("🔥🔥"), "");
    }
}
