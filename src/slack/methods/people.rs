//! Users, user groups and whether somebody has notifications switched off.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::malformed;
use crate::domain::roster::{Person, UserGroup};
use crate::ids::{UserGroupId, UserId, WorkspaceId};
use crate::slack::client::{Args, Slack};
use crate::slack::error::Error;
use crate::slack::fields;
use crate::slack::limits::{Method, PAGE_SIZE, PAGES_MAX};

/// Slack's own bot, which does not call itself one.
const SLACKBOT: &str = "USLACKBOT";

/// Somebody's "do not disturb". Posts of ours do not break through it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dnd {
    /// The regular quiet hours, next or current.
    pub quiet: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// A pause that the person switched on by hand.
    pub snoozed_until: Option<DateTime<Utc>>,
}

impl Dnd {
    /// Whether notifications are held back at `at`.
    pub fn is_quiet_at(&self, at: DateTime<Utc>) -> bool {
        self.snoozed_until.is_some_and(|until| at < until)
            || self.quiet.is_some_and(|(from, until)| from <= at && at < until)
    }

    /// Reads the answer of `dnd.info`.
    pub fn read(value: &Value) -> Self {
        let instant = |key| {
            fields::number(value, key)
                .filter(|second| *second > 0)
                .and_then(|second| DateTime::from_timestamp(second, 0))
        };
        let quiet = fields::flag(value, "dnd_enabled")
            .then(|| instant("next_dnd_start_ts").zip(instant("next_dnd_end_ts")))
            .flatten()
            .filter(|(from, until)| from < until);
        let snoozed_until = fields::flag(value, "snooze_enabled").then(|| instant("snooze_endtime")).flatten();
        Self { quiet, snoozed_until }
    }
}

impl Slack {
    /// What Slack says of a user now.
    pub async fn user_info(&self, user: &UserId) -> Result<Person, Error> {
        let method = Method::UsersInfo;
        let answer = self.get(method, Args::new().with("user", user.as_str())).await?;
        answer.get("user").and_then(|user| person(user, self.workspace())).ok_or_else(|| malformed(method, "user"))
    }

    /// Everybody in the workspace, deactivated accounts and bots included.
    pub async fn list_users(&self) -> Result<Vec<Person>, Error> {
        let mut people = Vec::new();
        let args = || self.in_workspace(Args::new().with("limit", PAGE_SIZE));
        self.each_page(Method::UsersList, PAGES_MAX, args, |answer| {
            people.extend(fields::list(answer, "members").iter().filter_map(|user| person(user, self.workspace())));
            false
        })
        .await?;
        Ok(people)
    }

    /// The user groups with their members. A plan without user groups has none; that is no error.
    pub async fn user_groups(&self) -> Result<Vec<UserGroup>, Error> {
        let args = Args::new().with("include_users", true);
        Ok(self.groups_listed(args).await?.iter().filter_map(user_group).collect())
    }

    /// All user groups with their members, and whether each is disabled: nobody can mention or page by those.
    pub async fn user_groups_and_disabled(&self) -> Result<Vec<(UserGroup, bool)>, Error> {
        let args = Args::new().with("include_users", true).with("include_disabled", true);
        let read = |value: &Value| Some((any_user_group(value)?, is_disabled(value)));
        Ok(self.groups_listed(args).await?.iter().filter_map(read).collect())
    }

    async fn groups_listed(&self, args: Args) -> Result<Vec<Value>, Error> {
        match self.get(Method::UsergroupsList, self.in_workspace(args)).await {
            Ok(answer) => Ok(fields::list(&answer, "usergroups").to_vec()),
            Err(error) if matches!(error.code(), Some("plan_upgrade_required" | "paid_teams_only")) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Whether and when a user's notifications are held back.
    pub async fn dnd_info(&self, user: &UserId) -> Result<Dnd, Error> {
        let args = self.in_workspace(Args::new().with("user", user.as_str()));
        Ok(Dnd::read(&self.get(Method::DndInfo, args).await?))
    }

    /// Adds which workspace is meant, which apps installed for an organisation must say and others may.
    pub(super) fn in_workspace(&self, args: Args) -> Args {
        args.maybe("team_id", self.workspace().map(WorkspaceId::as_str))
    }
}

/// Reads a user object; `None` without an id. `home` tells who belongs to another workspace.
pub fn person(value: &Value, home: Option<&WorkspaceId>) -> Option<Person> {
    let id = fields::text(value, "id")?;
    let name = ["/profile/display_name", "/profile/real_name", "/real_name", "/name"]
        .iter()
        .find_map(|pointer| fields::text_at(value, pointer))
        .unwrap_or_else(|| id.clone());
    let elsewhere = match (home, fields::text(value, "team_id")) {
        // On an Enterprise plan colleagues have other home workspaces.
        (Some(home), Some(team)) => team != home.as_str() && value.get("enterprise_user").is_none_or(Value::is_null),
        (None, _) | (_, None) => false,
    };
    Some(Person {
        is_bot: fields::flag(value, "is_bot") || id == SLACKBOT,
        name,
        zone: fields::text(value, "tz"),
        deactivated: fields::flag(value, "deleted"),
        restricted: fields::flag(value, "is_restricted") || fields::flag(value, "is_ultra_restricted"),
        external: elsewhere || fields::flag(value, "is_stranger"),
        id: UserId(id),
    })
}

/// Reads a user group; `None` without an id or if it was disabled.
pub fn user_group(value: &Value) -> Option<UserGroup> {
    if is_disabled(value) { None } else { any_user_group(value) }
}

fn is_disabled(value: &Value) -> bool {
    fields::number(value, "date_delete").is_some_and(|second| second > 0)
}

fn any_user_group(value: &Value) -> Option<UserGroup> {
    Some(UserGroup {
        id: UserGroupId(fields::text(value, "id")?),
        handle: fields::text_or_empty(value, "handle"),
        name: fields::text_or_empty(value, "name"),
        users: fields::texts(value, "users").into_iter().map(UserId).collect(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_person_is_called_by_the_display_name_and_else_by_whatever_there_is() {
        let named = json!({"id": "U1", "name": "ana.m", "tz": "Europe/Lisbon", "profile": {"display_name": "Ana", "real_name": "Ana Moreira"}});
        let person_1 = person(&named, None).expect("has an id");
        assert_eq!((person_1.name.as_str(), person_1.zone.as_deref()), ("Ana", Some("Europe/Lisbon")));
        let bare = json!({"id": "U2", "profile": {"display_name": ""}, "tz": null});
        assert_eq!(person(&bare, None).expect("has an id").name, "U2");
    }

    #[test]
    fn people_of_other_organisations_are_external_and_colleagues_of_the_grid_are_not() {
        let home = WorkspaceId::from("T1");
        let outside = |value: Value| person(&value, Some(&home)).expect("has an id").external;
        assert!(outside(json!({"id": "U1", "team_id": "T2"})));
        assert!(!outside(json!({"id": "U1", "team_id": "T1"})));
        assert!(!outside(json!({"id": "W1", "team_id": "T2", "enterprise_user": {"id": "W1"}})));
    }

    #[test]
    fn a_disabled_user_group_is_nobody_and_odd_counts_do_no_harm() {
        assert_eq!(user_group(&json!({"id": "S1", "date_delete": 1_446_748_865})), None);
        let group = user_group(
            &json!({"id": "S2", "handle": "db", "date_delete": 0, "user_count": "2", "users": ["U1", "U2"]}),
        );
        assert_eq!(group.expect("enabled").users.len(), 2);
    }

    #[test]
    fn snoozing_and_quiet_hours_hold_notifications_back_until_they_end() {
        let at = |second| DateTime::from_timestamp(second, 0).expect("in range");
        let dnd = Dnd::read(
            &json!({"ok": true, "dnd_enabled": true, "next_dnd_start_ts": 100, "next_dnd_end_ts": 200, "snooze_enabled": true, "snooze_endtime": 50}),
        );
        assert_eq!(
            [49, 50, 99, 100, 199, 200].map(|second| dnd.is_quiet_at(at(second))),
            [true, false, false, true, true, false]
        );
        assert!(!Dnd::read(&json!({"ok": true})).is_quiet_at(at(150)));
    }
}
