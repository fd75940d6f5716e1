use std::sync::{Arc, Mutex};

use futures_util::FutureExt;

use super::*;
use crate::clock::lock;
use crate::domain::policy::{Policy, Tier};
use crate::domain::roster::Team;
use crate::ids::TeamKey;

fn now() -> DateTime<Utc> {
    "2026-11-22T09:00:00Z".parse().expect("a time")
}

fn roster() -> Roster {
    let user = |id: &str| Target::User { user: id.into() };
    let group = |id: &str, handle: &str| Target::UserGroup { group: id.into(), handle: handle.into() };
    let tier = |targets| Tier { targets, wait_s: 300 };
    let policy = Policy {
        tiers: vec![
            tier(vec![group("S1", "db-team")]),
            tier(vec![user("U2"), Target::Channel { channel: "C2".into(), mention: Mention::Here }]),
        ],
        rounds: 2,
        ack_timeout_s: None,
        hand_off_to: None,
    };
    let team = Team { key: TeamKey::new("db-team"), name: "Database team".into(), aliases: vec![], policy };
    let mut roster = Roster { announce_in: Some("C1".into()), fallback: vec![user("U9")], ..Roster::default() };
    roster.permissions.resolve = Allow::Listed { users: vec!["U2".into()], groups: vec!["S1".into()] };
    roster.teams.insert(team.key.clone(), team);
    roster
}

fn asked() -> Asked {
    Asked {
        transport: Transport::Socket,
        bot_token: TokenKind::Bot,
        app_token: TokenKind::App,
        signing_secret: None,
        required_scopes: ["chat:write", "channels:manage", "pins:write"].map(str::to_owned).to_vec(),
        commands: ["/incident", "/escalate"].map(str::to_owned).to_vec(),
        uses: Uses::of(&roster()),
        unresolved: vec![],
        unreadable: vec![],
        export_directory: None,
        public_url: Some("https://firebell.example".into()),
        alert_integrations: 1,
        ways_missing: Vec::new(),
    }
}

fn identity() -> Identity {
    Identity {
        workspace: "T1".into(),
        workspace_name: "Acme".into(),
        bot_name: "firebell".into(),
        scopes: ["chat:write", "channels:manage", "pins:write", "users:read"].map(str::to_owned).into(),
        slack_at: Some(now()),
        received_at: now(),
    }
}

fn channel(name: &str) -> ChannelState {
    ChannelState { name: name.into(), member: true, private: false, archived: false }
}

fn person(name: &str) -> PersonState {
    PersonState { name: name.into(), deactivated: false, is_bot: false, restricted: false, external: false }
}

fn group() -> GroupState {
    GroupState { handle: "db-team".into(), disabled: false, users: vec!["U1".into(), "U2".into()] }
}

fn database() -> DatabaseState {
    DatabaseState {
        engine: Engine::Sqlite { path: "/var/lib/firebell/firebell.db".into(), version: "3.53.0".into(), exists: true },
        writable: Ok(()),
        migrations_pending: 0,
        clock_ahead: None,
        last_command_at: Some(now() - TimeDelta::minutes(90)),
        disk_free: None,
        chains: None,
    }
}

/// A workspace in which everything is as it should be.
fn well() -> Facts {
    Facts {
        now: now(),
        asked: asked(),
        identity: Told::Yes(identity()),
        socket: Told::Yes(()),
        channels: [("C1", "incidents"), ("C2", "shop-ops")]
            .map(|(id, name)| (id.into(), Told::Yes(channel(name))))
            .into(),
        users: [("U1", "ana"), ("U2", "ben"), ("U9", "eve")]
            .map(|(id, name)| (id.into(), Told::Yes(person(name))))
            .into(),
        groups: Told::Yes([("S1".into(), group())].into()),
        database: Told::Yes(database()),
        mail: Told::NotAsked,
        export_directory: Told::NotAsked,
        running: Told::NotAsked,
    }
}

fn printed(facts: &Facts) -> String {
    let mut text = String::new();
    print(&findings(facts), &mut text).expect("a text takes everything");
    text
}

fn problems(facts: &Facts) -> Vec<String> {
    findings(facts)
        .into_iter()
        .filter(|finding| finding.severity == Severity::Problem)
        .map(|finding| finding.sentence)
        .collect()
}

#[test]
fn a_well_configured_bot_gets_a_clean_bill() {
    assert_eq!(worst(&findings(&well())), Severity::Ok);
    insta::assert_snapshot!(printed(&well()));
}

#[test]
fn everything_that_can_go_wrong_in_slack_is_said_with_the_way_out() {
    let mut facts = well();
    facts.asked.export_directory = Some("/srv/postmortems".into());
    facts.export_directory = Told::No("Permission denied (os error 13)".into());
    facts.asked.required_scopes.push("bookmarks:write".into());
    facts.socket = Told::No("missing_scope".into());
    facts.asked.public_url = Some("http://firebell.example".into());
    facts.channels = [
        ("C1".into(), Told::Yes(ChannelState { private: true, member: false, ..channel("incidents") })),
        ("C2".into(), Told::No("channel_not_found".into())),
    ]
    .into();
    facts.users = [
        ("U1".into(), Told::Yes(PersonState { deactivated: true, ..person("ana") })),
        ("U2".into(), Told::Yes(PersonState { restricted: true, ..person("ben") })),
        ("U9".into(), Told::No("user_not_found".into())),
    ]
    .into();
    facts.database = Told::Yes(DatabaseState {
        engine: Engine::Postgres { version: "17.6".into() },
        writable: Err(Failed("read-only transaction".into())),
        migrations_pending: 2,
        clock_ahead: Some(TimeDelta::seconds(9)),
        last_command_at: None,
        disk_free: Some(40 << 20),
        chains: Some(Chains { checked: 12, broken: 1 }),
    });
    if let Told::Yes(identity) = &mut facts.identity {
        identity.slack_at = Some(now() - TimeDelta::seconds(400));
    }
    insta::assert_snapshot!(printed(&facts));
}

#[test]
fn without_tokens_nothing_else_is_guessed_at() {
    let mut facts = well();
    facts.asked.bot_token = TokenKind::Missing;
    facts.asked.app_token = TokenKind::Missing;
    facts.identity = Told::NotAsked;
    facts.socket = Told::NotAsked;
    facts.groups = Told::NotAsked;
    facts.channels.values_mut().for_each(|told| *told = Told::NotAsked);
    facts.users.values_mut().for_each(|told| *told = Told::NotAsked);
    insta::assert_snapshot!(printed(&facts));
}

#[test]
fn swapped_and_personal_tokens_are_recognized() {
    for (kind, words) in [
        (TokenKind::App, "swapped"),
        (TokenKind::User, "person's token"),
        (TokenKind::Rotating, "expires within 12 hours"),
    ] {
        let mut facts = well();
        facts.asked.bot_token = kind;
        assert!(problems(&facts).iter().any(|sentence| sentence.contains(words)), "{kind:?}");
    }
    assert_eq!(TokenKind::of(Some(" xoxb-1 ")), TokenKind::Bot);
    assert_eq!(TokenKind::of(Some("xapp-1")), TokenKind::App);
    assert_eq!(TokenKind::of(Some("xoxe.xoxb-1")), TokenKind::Rotating);
    assert_eq!(TokenKind::of(Some("hunter2")), TokenKind::Unknown);
    assert_eq!(TokenKind::of(Some("")), TokenKind::Missing);
}

#[test]
fn requests_over_http_need_a_signing_secret_and_a_public_https_address() {
    let mut facts = well();
    facts.asked.transport = Transport::Http;
    facts.asked.public_url = None;
    facts.socket = Told::NotAsked;
    assert_eq!(
        problems(&facts),
        [
            "Without SLACK_SIGNING_SECRET no request of Slack's can be believed.",
            "There is no public address (`public_url`) for Slack's requests.",
        ]
    );
}

#[test]
fn a_group_without_anybody_who_can_be_reached_is_a_problem() {
    let mut facts = well();
    facts.groups = Told::Yes([("S1".into(), GroupState { users: vec![], ..group() })].into());
    assert!(problems(&facts)[0].contains("has no members"));
    facts.groups = Told::Yes([("S1".into(), GroupState { users: vec!["U1".into()], ..group() })].into());
    facts.users.insert("U1".into(), Told::Yes(PersonState { deactivated: true, ..person("ana") }));
    assert!(problems(&facts)[0].contains("only members who cannot be reached"));
    facts.groups = Told::Yes([("S1".into(), GroupState { disabled: true, ..group() })].into());
    assert!(problems(&facts)[0].contains("is disabled"));
    facts.groups = Told::No("plan_upgrade_required".into());
    assert_eq!(problems(&facts), ["Slack does not list its user groups: plan_upgrade_required."]);
}

#[test]
fn a_name_that_stands_for_nobody_is_a_problem() {
    let mut facts = well();
    facts.asked.unresolved = vec![("There is nobody called @anna in Slack.".into(), Some("Is @ana meant?".into()))];
    assert_eq!(problems(&facts), ["There is nobody called @anna in Slack."]);
}

#[test]
fn an_old_sqlite_is_a_problem_and_a_new_one_is_not() {
    for (version, bad) in [("3.51.2", true), ("3.9.9", true), ("3.51.3", false), ("3.51.10", false), ("4.0.0", false)] {
        let mut facts = well();
        let engine = Engine::Sqlite { path: "x.db".into(), version: version.into(), exists: true };
        facts.database = Told::Yes(DatabaseState { engine, ..database() });
        assert_eq!(!problems(&facts).is_empty(), bad, "{version}");
    }
}

#[test]
fn a_file_that_is_not_there_yet_is_said_to_be_made_and_has_no_migrations_pending() {
    let mut facts = well();
    let engine = Engine::Sqlite { path: "x.db".into(), version: "3.53.0".into(), exists: false };
    facts.database = Told::Yes(DatabaseState { engine, migrations_pending: 2, ..database() });
    let about = findings(&facts).into_iter().filter(|finding| finding.area == Area::Database);
    let sentences: Vec<String> = about.map(|finding| finding.sentence).collect();
    assert_eq!(sentences, ["There is no file x.db yet; `firebell serve` makes it (SQLite 3.53.0)."]);
    assert_eq!(worst(&findings(&facts)), Severity::Ok);
    let engine = Engine::Sqlite { path: "x.db".into(), version: "3.53.0".into(), exists: false };
    let writable = Err(Failed("Permission denied (os error 13)".into()));
    facts.database = Told::Yes(DatabaseState { engine, writable, ..database() });
    assert_eq!(problems(&facts), ["It cannot be made: Permission denied (os error 13)."]);
}

#[test]
fn a_clock_a_little_off_is_a_warning_and_beyond_slacks_window_a_problem() {
    for (off_s, expected) in [
        (0, Severity::Ok),
        (-4, Severity::Ok),
        (5, Severity::Warning),
        (-299, Severity::Warning),
        (300, Severity::Problem),
    ] {
        let mut facts = well();
        if let Told::Yes(identity) = &mut facts.identity {
            identity.slack_at = Some(now() + TimeDelta::seconds(off_s));
        }
        assert_eq!(worst(&findings(&facts)), expected, "{off_s}");
    }
}

#[test]
fn everything_that_the_configuration_names_is_collected_with_its_places() {
    let uses = Uses::of(&roster());
    let places = |set: Option<&BTreeSet<String>>| set.into_iter().flatten().cloned().collect::<Vec<_>>().join(" + ");
    assert_eq!(places(uses.channels.get(&"C1".into())), "announcements");
    assert_eq!(places(uses.channels.get(&"C2".into())), "tier 2 of db-team");
    assert_eq!(places(uses.groups.get(&"S1".into())), "permission to resolve + tier 1 of db-team");
    assert_eq!(places(uses.users.get(&"U2".into())), "permission to resolve + tier 2 of db-team");
    assert_eq!(places(uses.users.get(&"U9".into())), "the fallback");
}

/// Calls that answer as [`well`] does and keep a list of what was asked.
fn calls(made: &Arc<Mutex<Vec<String>>>) -> Calls {
    fn ask<T: Clone + Send + Sync + 'static>(made: &Arc<Mutex<Vec<String>>>, name: &'static str, answer: T) -> Ask<T> {
        let made = Arc::clone(made);
        Box::new(move || {
            lock(&made).push(name.to_owned());
            let answer = answer.clone();
            async move { Ok(answer) }.boxed()
        })
    }
    Calls {
        auth_test: ask(made, "auth.test", identity()),
        connections_open: ask(made, "apps.connections.open", ()),
        channel: Box::new({
            let made = Arc::clone(made);
            move |id| {
                lock(&made).push(format!("conversations.info {id}"));
                async move { Ok(channel("incidents")) }.boxed()
            }
        }),
        user: Box::new({
            let made = Arc::clone(made);
            move |id| {
                lock(&made).push(format!("users.info {id}"));
                async move { if id.as_str() == "U9" { Err(Failed("user_not_found".into())) } else { Ok(person("ana")) } }
                    .boxed()
            }
        }),
        groups: ask(made, "usergroups.list", [(UserGroupId::new("S1"), group())].into()),
        database: ask(made, "database", database()),
        metrics: None,
        mail: None,
    }
}

#[tokio::test]
async fn the_examination_asks_after_everybody_named_and_every_member_of_a_named_group() {
    let made = Arc::default();
    let directory = tempfile::tempdir().expect("a directory");
    let asked = Asked { export_directory: Some(directory.path().into()), ..asked() };
    let facts = examine(asked, &calls(&made), now()).await;
    assert_eq!(
        *lock(&made),
        [
            "auth.test",
            "apps.connections.open",
            "conversations.info C1",
            "conversations.info C2",
            "users.info U2",
            "users.info U9",
            "usergroups.list",
            "users.info U1",
            "database",
        ]
    );
    assert_eq!(facts.users[&UserId::new("U9")], Told::No("user_not_found".into()));
    assert_eq!(facts.export_directory, Told::Yes(()));
    assert_eq!(std::fs::read_dir(directory.path()).expect("it is there").count(), 0, "nothing is left behind");
}

#[tokio::test]
async fn without_a_bot_token_slack_is_not_asked_at_all() {
    let made = Arc::default();
    let asked = Asked {
        bot_token: TokenKind::Missing,
        app_token: TokenKind::Missing,
        export_directory: Some("/nonexistent/firebell".into()),
        ..asked()
    };
    let facts = examine(asked, &calls(&made), now()).await;
    assert_eq!(*lock(&made), ["database"]);
    assert!(matches!(facts.export_directory, Told::No(_)));
}

#[test]
fn scopes_that_slack_does_not_tell_are_not_called_missing() {
    let mut facts = well();
    facts.identity = Told::Yes(Identity { scopes: BTreeSet::new(), ..identity() });
    assert_eq!(worst(&findings(&facts)), Severity::Warning);
    assert!(printed(&facts).contains("Slack did not say"), "{}", printed(&facts));
}

#[test]
fn a_secret_that_cannot_be_read_is_a_problem_of_the_machine() {
    let mut facts = well();
    facts.asked.unreadable = vec![("PAGER_KEY is not set.".to_owned(), Some("Set it.".to_owned()))];
    assert_eq!(problems(&facts), ["PAGER_KEY is not set."]);
}

#[test]
fn the_promise_is_judged_by_what_the_running_program_says_of_itself() {
    let mut facts = well();
    let tested_s = crate::metrics::unix_seconds(now()) - 12.0;
    let kept = Figures {
        pages: 214,
        lateness_p99_s: Some(0.5),
        self_test_ok_at_s: tested_s,
        chain_ok_at_s: tested_s,
        ..Figures::default()
    };
    facts.running = Told::Yes(kept.clone());
    facts.database = Told::Yes(DatabaseState {
        disk_free: Some(40 << 30),
        chains: Some(Chains { checked: 3, broken: 0 }),
        ..database()
    });
    let said = |facts: &Facts| {
        let about = findings(facts).into_iter().filter(|finding| finding.area == Area::Guarantee);
        about.map(|finding| format!("{:?}: {}", finding.severity, finding.sentence)).collect::<Vec<_>>()
    };
    assert_eq!(
        said(&facts),
        [
            "Ok: 99 of 100 pages were attempted within 0.5 s of their time (214 since its start).",
            "Ok: A page to nobody went the whole way 12 s ago.",
            "Ok: Histories are as written: 3 of 3 chains hold.",
            "Ok: 40960 MB are free beside the database.",
        ]
    );
    facts.running = Told::Yes(Figures {
        lateness_p99_s: Some(30.0),
        unaccepted_s: 75.0,
        audit_findings: 1.0,
        calls_held: 3.0,
        self_test_ok_at_s: 0.0,
        clock_jumps: 2.0,
        ..kept
    });
    facts.database = Told::Yes(DatabaseState { disk_free: Some(1 << 20), ..database() });
    assert_eq!(
        said(&facts),
        [
            "Warning: Of 214 pages since its start more than 1 in 100 came late, up to 30 s.",
            "Problem: A page is 75 s overdue at this moment.",
            "Problem: The auditor found calls that nobody takes further.",
            "Warning: Calls on hold: 3. They were due so long ago that nobody is paged before somebody says so.",
            "Problem: No page to nobody, which is sent as a test, has gone the whole way lately.",
            "Warning: The machine's clock was set 2 times since Firebell started.",
            "Problem: 1 MB are free beside the database.",
        ]
    );
    facts.running = Told::No("no connection".into());
    assert_eq!(worst(&findings(&Facts { database: Told::Yes(database()), ..facts })), Severity::Warning);
}

#[test]
fn a_mail_server_that_does_not_let_us_in_is_a_problem() {
    let mut facts = well();
    facts.mail = Told::Yes(());
    assert!(printed(&facts).contains("The mail server lets Firebell in."), "{}", printed(&facts));
    facts.mail = Told::No("The mail server could not be reached".to_owned());
    facts.asked.ways_missing = vec!["SMTP_PASSWORD"];
    assert_eq!(problems(&facts), ["SMTP_PASSWORD is not set.", "The mail server could not be reached."]);
}
