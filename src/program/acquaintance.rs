//! Who we are at Slack, and who is who there: asked from Slack, and remembered for the times when Slack is away.
//!
//! A pager must come up at once. What is remembered is enough to begin with as soon as it knows every name of the
//! configuration; Slack is then asked while we already serve. With another token than before, nothing is sent until it has
//! answered. A first start has nothing to begin with, and waits.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::anyhow;
use chrono::TimeDelta;

use crate::app::App;
use crate::clock::Clock;
use crate::config::{Config, Mistakes};
use crate::crash::{self, Point};
use crate::domain::roster::{Directory, Person, Roster};
use crate::ids::{ChannelId, UserId, WorkspaceId};
use crate::slack::{Class, Meeting, Slack};
use crate::store::{self, Db, people, settings};

/// How often people and groups are read again, besides when Slack tells of a change.
const DIRECTORY_EVERY: TimeDelta = TimeDelta::minutes(10);
/// How soon Slack is asked again after it did not answer; with another token than before nothing is sent meanwhile.
const AGAIN_AFTER: TimeDelta = TimeDelta::seconds(5);
/// How long the first contact with Slack may take.
const CONTACT_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a first start ends: nothing is remembered yet that could be started with.
const NOT_MET: &str = "Slack was not reached, and this database has not met it before. Check the network, and \
                       SLACK_API_URL if it is set, then start again";

/// Where the workspace that this database belongs to is remembered.
pub const WORKSPACE_KEY: &str = "workspace";
/// Where the bot's user is remembered: messages and buttons belong to the app that made them.
pub const BOT_KEY: &str = "bot_user";
const WORKSPACE_URL_KEY: &str = "workspace_url";
/// Where it is remembered by what the token is known again that belongs to that workspace and bot.
const TOKEN_KEY: &str = "bot_token_sha256";
/// Where the ids of channels are remembered by name, as JSON.
pub const CHANNELS_KEY: &str = "channels";

/// What a program needs to know of Slack before it can serve.
pub(super) struct Known {
    pub(super) workspace: WorkspaceId,
    pub(super) workspace_url: Option<String>,
    pub(super) roster: Roster,
    pub(super) directory: Directory,
    /// Whether all of it comes from memory: Slack has not been asked in this process.
    pub(super) from_memory: bool,
    /// Whether nothing may be sent before Slack was asked: the token is not the one that is remembered.
    pub(super) asks_first: bool,
}

/// What is remembered, if it is enough; otherwise what Slack says now.
///
/// # Errors
/// On a first start: Slack was not reached, refused the token, or does not know names of the configuration. On any: the
/// token belongs to another workspace or app.
pub(super) async fn make(db: &Db, slack: &Slack, config: &Config, clock: &Clock) -> anyhow::Result<Known> {
    let memory = Memory::load(db).await?;
    if let Some(known) = memory.enough(config, slack) {
        return Ok(known);
    }
    let first = memory.directory.people.is_empty();
    let (workspace, workspace_url) = match introduce(db, slack, config, memory.workspace.as_ref()).await? {
        Ok(introduced) => introduced,
        Err(why) if first => return Err(if is_refusal(&why) { why } else { why.context(NOT_MET) }),
        Err(why) => {
            tracing::error!(
                error = format!("{why:#}"),
                "Slack does not say who we are; starting with what is remembered"
            );
            return memory.in_part(config, slack).ok_or(why);
        }
    };
    let (directory, channels) = match fetch(slack).await {
        Ok((directory, channels)) => {
            remember(db, &workspace, &directory, &channels, clock).await?;
            crash::at(Point::Acquainted);
            (directory, channels)
        }
        Err(error) if first => return Err(error.into()),
        Err(error) => {
            tracing::error!(%error, "Slack's directory could not be read; starting with what is remembered");
            (memory.directory, memory.channels)
        }
    };
    let (roster, unknown) = config.resolve_known(&directory, &channels);
    match unknown {
        Some(unknown) if first => return Err(unknown.into()),
        Some(unknown) => tell_unknown(&unknown),
        None => {}
    }
    Ok(Known { workspace, workspace_url, roster, directory, from_memory: false, asks_first: false })
}

/// A pager must come up again, whoever has left.
fn tell_unknown(unknown: &Mistakes) {
    tracing::error!("some names of the configuration are not known; the rest is paged\n{unknown}");
}

/// What an earlier start has left.
struct Memory {
    workspace: Option<WorkspaceId>,
    workspace_url: Option<String>,
    token_sum: Option<String>,
    directory: Directory,
    channels: BTreeMap<String, ChannelId>,
}

impl Memory {
    async fn load(db: &Db) -> Result<Self, store::Error> {
        let mut tx = db.read().await?;
        let workspace = settings::get(&mut tx, WORKSPACE_KEY).await?.map(WorkspaceId::new);
        let directory = match &workspace {
            Some(workspace) => people::load_directory(&mut tx, workspace).await?,
            None => Directory::default(),
        };
        let channels = settings::get(&mut tx, CHANNELS_KEY).await?;
        Ok(Self {
            workspace,
            workspace_url: settings::get(&mut tx, WORKSPACE_URL_KEY).await?,
            token_sum: settings::get(&mut tx, TOKEN_KEY).await?,
            directory,
            channels: channels.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default(),
        })
    }

    /// Whether the configuration can be served with this alone.
    fn enough(&self, config: &Config, slack: &Slack) -> Option<Known> {
        let (known, unknown) = self.known(config, slack)?;
        unknown.is_none().then_some(known)
    }

    /// As much of the configuration as can be served with this alone; Slack is asked for the rest.
    fn in_part(&self, config: &Config, slack: &Slack) -> Option<Known> {
        let (known, unknown) = self.known(config, slack)?;
        if let Some(unknown) = unknown {
            tell_unknown(&unknown);
        }
        Some(known)
    }

    fn known(&self, config: &Config, slack: &Slack) -> Option<(Known, Option<Mistakes>)> {
        let workspace = self.workspace.clone()?;
        let configured = config.settings.slack.workspace.as_ref();
        if self.directory.people.is_empty() || configured.is_some_and(|configured| *configured != workspace) {
            return None;
        }
        let (roster, unknown) = config.resolve_known(&self.directory, &self.channels);
        let known = Known {
            workspace,
            workspace_url: self.workspace_url.clone(),
            roster,
            directory: self.directory.clone(),
            from_memory: true,
            asks_first: self.token_sum.as_deref() != Some(&slack.token_sum()),
        };
        Some((known, unknown))
    }
}

/// Which workspace the token belongs to, or why Slack does not say.
///
/// # Errors
/// With a token that is not ours.
async fn introduce(
    db: &Db,
    slack: &Slack,
    config: &Config,
    before: Option<&WorkspaceId>,
) -> anyhow::Result<anyhow::Result<(WorkspaceId, Option<String>)>> {
    match tokio::time::timeout(CONTACT_TIMEOUT, slack.auth_test()).await {
        Ok(Ok(identity)) => ours(db, slack, config, before, identity).await.map(Ok),
        Ok(Err(error)) => Ok(Err(error.into())),
        Err(late) => Ok(Err(late.into())),
    }
}

fn is_refusal(why: &anyhow::Error) -> bool {
    why.downcast_ref::<crate::slack::Error>().is_some_and(crate::slack::Error::is_token_refused)
}

/// Remembers the workspace and the bot that the token belongs to, unless they are others than before.
async fn ours(
    db: &Db,
    slack: &Slack,
    config: &Config,
    before: Option<&WorkspaceId>,
    identity: crate::slack::Identity,
) -> anyhow::Result<(WorkspaceId, Option<String>)> {
    let configured = config.settings.slack.workspace.as_ref();
    let Some(workspace) = identity.workspace.clone().or_else(|| configured.cloned()) else {
        return Err(anyhow!(
            "The app is installed for a whole organisation. Set slack.workspace to the workspace's id."
        ));
    };
    if let Some(wanted) = configured.or(before).filter(|wanted| **wanted != workspace) {
        return Err(anyhow!(
            "The token belongs to the workspace {workspace}, but this database (or slack.workspace) belongs to \
             {wanted}. Use the token of {wanted}, or another database."
        ));
    }
    let mut tx = db.write().await?;
    let bot = settings::get(&mut tx, BOT_KEY).await?.map(UserId::new);
    same_bot(config.settings.slack.bot.as_ref(), bot.as_ref(), &identity.user)?;
    settings::set(&mut tx, BOT_KEY, identity.user.as_str()).await?;
    settings::set(&mut tx, WORKSPACE_KEY, workspace.as_str()).await?;
    settings::set(&mut tx, WORKSPACE_URL_KEY, &identity.url).await?;
    settings::set(&mut tx, TOKEN_KEY, &slack.token_sum()).await?;
    tx.commit().await?;
    Ok((workspace, Some(identity.url)))
}

/// Refuses the token of another app, unless the configuration names that very one.
fn same_bot(configured: Option<&UserId>, before: Option<&UserId>, bot: &UserId) -> anyhow::Result<()> {
    match (configured, before) {
        (Some(wanted), _) if wanted != bot => Err(anyhow!(
            "The token belongs to another app: its bot is {bot}, but slack.bot in firebell.toml says {wanted}. Use the \
             token of {wanted}, or correct slack.bot."
        )),
        (None, Some(before)) if before != bot => Err(anyhow!(
            "The token belongs to another app: its bot is {bot}, but this database was used with the app whose bot is \
             {before}, and only that one can edit its messages and hear its buttons. Use the token of {before}, or \
             another database. To go on with the new app all the same, set slack.bot = \"{bot}\" in firebell.toml."
        )),
        (Some(_) | None, _) => Ok(()),
    }
}

/// People, groups and channels as Slack knows them now.
pub(crate) async fn fetch(slack: &Slack) -> Result<(Directory, BTreeMap<String, ChannelId>), crate::slack::Error> {
    let people = slack.list_users().await?;
    let groups = match slack.user_groups().await {
        Ok(groups) => groups,
        // Only paid workspaces have user groups, and only those who use them give the scope.
        Err(error) if matches!(error.class(), Class::Permanent { .. } | Class::Auth { .. }) => Vec::new(),
        // Anything else passes; going on with no groups would leave teams empty.
        Err(error) => return Err(error),
    };
    let channels = slack.list_channels().await?;
    let directory = Directory {
        people: people.into_iter().map(|person| (person.id.clone(), person)).collect(),
        groups: groups.into_iter().map(|group| (group.id.clone(), group)).collect(),
    };
    Ok((directory, channels.into_iter().map(|channel| (channel.name, channel.id)).collect()))
}

async fn remember(
    db: &Db,
    workspace: &WorkspaceId,
    directory: &Directory,
    channels: &BTreeMap<String, ChannelId>,
    clock: &Clock,
) -> Result<(), store::Error> {
    let now = clock.now();
    let groups: Vec<_> = directory.groups.values().cloned().collect();
    let mut tx = db.write().await?;
    let known = people::load_directory(&mut tx, workspace).await?.people;
    // Whoever has left the company and is not known any more may have been made anonymous.
    let is_of_use = |person: &&Person| !person.deactivated || known.is_empty() || known.contains_key(&person.id);
    let persons: Vec<_> = directory.people.values().filter(is_of_use).cloned().collect();
    people::upsert(&mut tx, workspace, &persons, now).await?;
    people::upsert_groups(&mut tx, workspace, &groups, now).await?;
    let json = serde_json::to_string(channels).unwrap_or_default();
    settings::set(&mut tx, CHANNELS_KEY, &json).await?;
    tx.commit().await
}

/// Makes up for a start from memory, then keeps people and groups current.
///
/// # Errors
/// When the token, asked about after a start from memory, turns out to be another workspace's or app's.
pub(super) async fn keep_up(
    app: App,
    slack: Slack,
    config: Config,
    mut from_memory: bool,
    asks_first: bool,
) -> anyhow::Result<()> {
    loop {
        if from_memory {
            match slack.auth_test().await {
                Ok(identity) => match ours(app.db(), &slack, &config, Some(app.workspace()), identity).await {
                    // Not ours: nothing is ever sent with it.
                    Err(error) if !error.is::<store::Error>() => return Err(error),
                    Err(error) => tracing::warn!(error = format!("{error:#}"), "the workspace could not be kept"),
                    Ok(_) => {}
                },
                // Also when it refuses the token: people are reached by their other ways meanwhile.
                Err(error) => {
                    tracing::error!(%error, "Slack does not say who we are; serving with what is remembered");
                    if asks_first {
                        slack.set_meeting(Meeting::Away);
                    }
                    app.clock().sleep(AGAIN_AFTER).await;
                    continue;
                }
            }
            slack.set_meeting(Meeting::Met);
            from_memory = false;
        } else {
            app.clock().sleep(DIRECTORY_EVERY).await;
        }
        if let Err(error) = renew(&app, &slack, &config).await {
            tracing::warn!(error = format!("{error:#}"), "Slack's directory could not be read");
        }
    }
}

/// Takes over who is who now. Names that Slack no longer knows keep the meaning they had: somebody who took another
/// name is still to be paged.
pub(super) async fn renew(app: &App, slack: &Slack, config: &Config) -> anyhow::Result<()> {
    let (directory, channels) = fetch(slack).await?;
    remember(app.db(), app.workspace(), &directory, &channels, app.clock()).await?;
    let (roster, unknown) = config.resolve_known(&directory, &channels);
    match unknown {
        None => app.set_roster(roster),
        Some(unknown) => tracing::error!("names of the configuration are gone; they mean whom they meant\n{unknown}"),
    }
    app.update_directory(|known| *known = directory);
    Ok(())
}
