//! What Slack last said of people and user groups, so that a restart needs no Slack to know them.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use chrono::{DateTime, Utc};

use super::tx::{Bulk, fetch_all, from_json, insert, instant, to_json, us};
use super::{Error, Tx};
use crate::domain::roster::{Directory, Person, UserGroup};
use crate::ids::{UserGroupId, UserId, WorkspaceId};

/// Something that was fetched from Slack, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched<T> {
    pub value: T,
    pub fetched_at: DateTime<Utc>,
}

static UPSERT_PEOPLE: LazyLock<Bulk> = LazyLock::new(|| {
    Bulk::new(
        "INSERT INTO people (workspace, user_id, person, fetched_at)",
        4,
        "ON CONFLICT (workspace, user_id) DO UPDATE SET person = excluded.person, fetched_at = excluded.fetched_at",
    )
});

/// Writes what Slack said of people at `fetched_at`; of several rows of one person the last counts.
pub async fn upsert(
    tx: &mut Tx,
    workspace: &WorkspaceId,
    people: &[Person],
    fetched_at: DateTime<Utc>,
) -> Result<(), Error> {
    let last: BTreeMap<&UserId, &Person> = people.iter().map(|person| (&person.id, person)).collect();
    let rows: Vec<_> = last.into_iter().collect();
    insert!(tx, UPSERT_PEOPLE, &rows, |row| [workspace.as_str(), row.0.as_str(), to_json(row.1), us(fetched_at),])?;
    Ok(())
}

static UPSERT_GROUPS: LazyLock<Bulk> = LazyLock::new(|| {
    Bulk::new(
        "INSERT INTO user_groups (workspace, group_id, user_group, fetched_at)",
        4,
        "ON CONFLICT (workspace, group_id) DO UPDATE SET
            user_group = excluded.user_group, fetched_at = excluded.fetched_at",
    )
});

/// Writes what Slack said of user groups at `fetched_at`; of several rows of one group the last counts.
pub async fn upsert_groups(
    tx: &mut Tx,
    workspace: &WorkspaceId,
    groups: &[UserGroup],
    fetched_at: DateTime<Utc>,
) -> Result<(), Error> {
    let last: BTreeMap<&UserGroupId, &UserGroup> = groups.iter().map(|group| (&group.id, group)).collect();
    let rows: Vec<_> = last.into_iter().collect();
    insert!(tx, UPSERT_GROUPS, &rows, |row| [workspace.as_str(), row.0.as_str(), to_json(row.1), us(fetched_at),])?;
    Ok(())
}

/// Loads everybody, by id.
pub async fn load_all(tx: &mut Tx, workspace: &WorkspaceId) -> Result<Vec<Fetched<Person>>, Error> {
    let rows: Vec<(String, i64)> = fetch_all!(
        tx,
        (String, i64),
        "SELECT person, fetched_at FROM people WHERE workspace = $1 ORDER BY user_id",
        workspace.as_str(),
    )?;
    rows.into_iter().map(|(json, at)| fetched("people", &json, at)).collect()
}

/// Loads all user groups, by id.
pub async fn load_all_groups(tx: &mut Tx, workspace: &WorkspaceId) -> Result<Vec<Fetched<UserGroup>>, Error> {
    let rows: Vec<(String, i64)> = fetch_all!(
        tx,
        (String, i64),
        "SELECT user_group, fetched_at FROM user_groups WHERE workspace = $1 ORDER BY group_id",
        workspace.as_str(),
    )?;
    rows.into_iter().map(|(json, at)| fetched("user_groups", &json, at)).collect()
}

fn fetched<T: serde::de::DeserializeOwned>(table: &'static str, json: &str, at: i64) -> Result<Fetched<T>, Error> {
    Ok(Fetched { value: from_json(table, json, json)?, fetched_at: instant(table, json, at)? })
}

/// Loads people and groups as the rules want them.
pub async fn load_directory(tx: &mut Tx, workspace: &WorkspaceId) -> Result<Directory, Error> {
    let people = load_all(tx, workspace).await?;
    let groups = load_all_groups(tx, workspace).await?;
    Ok(Directory {
        people: people.into_iter().map(|person| (person.value.id.clone(), person.value)).collect(),
        groups: groups.into_iter().map(|group| (group.value.id.clone(), group.value)).collect(),
    })
}
