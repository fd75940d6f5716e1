//! Who may do what: every role against everything that can be asked, by the rules alone and over signed requests.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use firebell::domain::command::Command;
use firebell::domain::event::Actor;
use firebell::domain::incident::Role;
use firebell::domain::permission::{Action, Allow, Permissions};
use firebell::domain::rejection::{Rejection, RejectionKind};
use firebell::domain::roster::Person;
use firebell::domain::{Context, civil, decide, decide_opening};
use firebell::ids::{IncidentId, WorkspaceId};
use firebell::slack::actions::Carried;
use firebell::slack::command as typed;
use insta::assert_snapshot;

use super::everything::{self, FORMS, ROUTES, SHORTCUTS, form_of};
use super::*;
use crate::core::{Core, policy, tier, user};

const TEAM: &str = "T0SHOPFRNT";

/// The roles, and the ids of those who have them.
const ROLES: [(&str, &str); 10] = [
    ("member", "UMEMBER"),
    ("responder", "URESPONDER"),
    ("commander", "UCOMMANDER"),
    ("listed", "ULISTED"),
    ("sees private", "USEES"),
    ("not yet known", "UNEW"),
    ("guest", "UGUEST"),
    ("external", "UEXTERNAL"),
    ("bot", "UBOT"),
    ("deactivated", "UGONE"),
];
/// The last of them, who may do nothing unless the configuration says so.
const STRANGERS: usize = 4;

struct Situation {
    name: &'static str,
    private: bool,
    inside: bool,
    permissions: Permissions,
}

fn situations() -> Vec<Situation> {
    let only = |id: &str| Allow::Listed { users: vec![id.into()], groups: vec![] };
    let usual = Permissions { see_private: only("USEES"), ..Permissions::default() };
    let listed = Permissions {
        open: only("ULISTED"),
        escalate: only("ULISTED"),
        acknowledge: only("ULISTED"),
        contribute: only("ULISTED"),
        resolve: only("ULISTED"),
        ..usual.clone()
    };
    let welcoming = Permissions { guests: true, external: true, ..usual.clone() };
    let of = |name, private, inside, permissions: &Permissions| Situation {
        name,
        private,
        inside,
        permissions: permissions.clone(),
    };
    vec![
        of("an incident for all, from elsewhere", false, false, &usual),
        of("a private incident, from elsewhere", true, false, &usual),
        of("a private incident, from its own channel", true, true, &usual),
        of("an incident for all, where only some are allowed everything", false, false, &listed),
        of("an incident for all, where guests and externals are let in", false, false, &welcoming),
    ]
}

fn scene() -> Core {
    let mut core = Core::open(&[("db-team", policy(vec![tier(vec![user("UPAGED")], 5)]))]);
    for (_, id) in ROLES.into_iter().filter(|(role, _)| *role != "not yet known") {
        core.person(id, id == "UGONE");
    }
    let people = &mut core.directory.people;
    let mut make = |id: &str, change: fn(&mut Person)| change(people.get_mut(&id.into()).expect("is there"));
    make("UGUEST", |person| person.restricted = true);
    make("UEXTERNAL", |person| person.external = true);
    make("UBOT", |person| person.is_bot = true);
    core.by("UANA", &Command::AssignRole { role: Role::Commander, user: "UCOMMANDER".into() }).expect("is assigned");
    core.by("URESPONDER", &Command::PostUpdate { text: "I am on it".to_owned() }).expect("is posted");
    core.incident.responders.insert("URESPONDER".into());
    core
}

/// Whether the person may ask for this at all; what else stands against it is not a question of rights.
fn may(core: &Core, situation: &Situation, who: &str, command: &Command, told: &mut BTreeSet<String>) -> &'static str {
    let mut roster = core.roster.clone();
    roster.permissions = situation.permissions.clone();
    let mut incident = core.incident.clone();
    incident.private = situation.private;
    let actor = Actor::Person { user: who.into() };
    let context = Context {
        now: core.now,
        actor: &actor,
        inside: situation.inside,
        slack_is_away: false,
        alerts: firebell::domain::storm::Alerts::NONE,
        roster: &roster,
        directory: &core.directory,
    };
    let decided = match command {
        Command::Open(_) => decide_opening(IncidentId(2), &WorkspaceId::new("T1"), 43, command, &context),
        _ => decide(&incident, command, &context),
    };
    let denied = |rejection: Rejection| format!("{} {}", rejection.sentence, rejection.hint.unwrap_or_default());
    match decided {
        Err(rejection) if rejection.kind == RejectionKind::NotAllowed => {
            told.insert(denied(rejection));
            "no"
        }
        Err(rejection) if rejection.sentence == "There is no INC-42." => {
            told.insert(denied(rejection));
            "hidden"
        }
        Ok(_) | Err(_) => "yes",
    }
}

#[test]
fn every_role_may_do_what_the_table_says_and_nothing_else() {
    let core = scene();
    let (mut table, mut told) = (String::new(), BTreeSet::new());
    let (asked, own): (Vec<_>, Vec<_>) =
        everything::commands().into_iter().partition(|(_, command)| command.is_asked());
    for (name, command) in asked.iter().chain(&own) {
        assert_eq!(everything::command_row(command), *name, "the sample of this row is another command");
    }
    for situation in situations() {
        let _ = writeln!(table, "{}\n", situation.name);
        let _ = writeln!(table, "{:17}{}", "", ROLES.map(|(role, _)| format!("{role:14}")).concat().trim_end());
        for (name, command) in &asked {
            let cells = ROLES.map(|(_, id)| may(&core, &situation, id, command, &mut told));
            let _ = writeln!(table, "{name:17}{}", cells.map(|cell| format!("{cell:14}")).concat().trim_end());
            let is_welcoming = situation.permissions.guests;
            // Who stands in the channel reads the incident anyway, and may take a copy.
            let is_a_copy = situation.inside && *name == "send document";
            if !is_welcoming && !is_a_copy {
                let strangers = &cells[ROLES.len() - STRANGERS..];
                assert!(strangers.iter().all(|cell| *cell == "no"), "{name}, {}: {cells:?}", situation.name);
            }
        }
        table.push('\n');
    }
    let own: Vec<&str> = own.iter().map(|(name, _)| *name).collect();
    let _ = writeln!(table, "What nobody asks for, Firebell alone: {}.\n\nThe denials:", own.join(", "));
    for sentence in &told {
        assert!(
            sentence.ends_with('.') && sentence.matches(". ").count() >= 1,
            "a sentence and the way out: {sentence}"
        );
        let _ = writeln!(table, "{sentence}");
    }
    assert_snapshot!("who_may_do_what", table);
}

#[test]
fn every_permission_decides_over_some_command() {
    let needed: BTreeSet<Action> = everything::commands().iter().filter_map(|(_, command)| command.needs()).collect();
    let expected: BTreeSet<Action> = Action::ALL.into_iter().filter(|action| *action != Action::SeePrivate).collect();
    assert_eq!(needed, expected);
}

#[test]
fn every_line_button_form_and_shortcut_of_the_registry_is_what_its_row_says() {
    let core = Core::open(&[("db-team", policy(vec![tier(vec![user("UPAGED")], 5)]))]);
    let zone = civil::zone("America/New_York").expect("is known");
    let me = "UMEMBER".into();
    let context =
        typed::Context { now: core.now, zone: &zone, me: &me, roster: &core.roster, directory: &core.directory };
    for (row, line) in everything::lines() {
        let (command, text) = line.split_once(' ').unwrap_or((line, ""));
        let read =
            if command == "/incident" { typed::incident(text, &context) } else { typed::escalate(text, &context) };
        let parsed = read.unwrap_or_else(|unclear| panic!("{line}: {}", unclear.problem.sentence()));
        assert_eq!(everything::typed_row(&parsed.typed), row, "{line}");
    }
    for (row, button) in everything::buttons() {
        assert_eq!((everything::button_row(&button), button.action_id()), (row, row));
    }
    let source = include_str!("../../../src/slack/actions.rs");
    let quoted = |declared: &str| -> BTreeSet<String> {
        let lines = source.lines().filter(|line| line.trim_start().starts_with(declared));
        lines.filter_map(|line| line.split('"').nth(1)).map(str::to_owned).collect()
    };
    let forms: BTreeSet<String> = quoted("pub const").into_iter().filter(|id| id.starts_with("form_")).collect();
    assert_eq!(forms, FORMS.map(str::to_owned).into(), "a form without a row, or a row without a form");
    assert_eq!(quoted("pub const SHORTCUT_"), SHORTCUTS.map(str::to_owned).into(), "a shortcut without a row");
}

#[test]
fn every_route_has_a_row_that_says_who_may_use_it() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    let mut found: BTreeMap<String, PathBuf> = BTreeMap::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("is read");
        for after in text.split(".route(").skip(1) {
            let path = after.trim_start().strip_prefix('"').and_then(|path| path.split_once('"'));
            let (path, _) = path.unwrap_or_else(|| panic!("{}: a route whose address is no text", file.display()));
            found.insert(path.to_owned(), file.clone());
        }
    }
    assert!(found.len() > 5, "the routes are found");
    for (route, file) in &found {
        let has_row = ROUTES.iter().any(|(known, _)| known == route);
        assert!(has_row, "nobody has said who may use {route} of {}: add a row to ROUTES", file.display());
    }
    for (route, who) in ROUTES {
        assert!(found.contains_key(route), "there is no route {route} any more ({who})");
    }
}

/// The product's sources; the sandbox and the demo are no part of a Firebell that serves.
fn sources(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("is a folder") {
        let path = entry.expect("is read").path();
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        if ["sandbox", "demo", "tests"].contains(&name.as_str()) {
            continue;
        }
        if path.is_dir() {
            sources(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Everything of the registry, asked by this person over signed requests; what commands were answered.
async fn asks_for_everything(bell: &Bell, who: &str, team: &str, round: &str) -> Vec<(&'static str, String)> {
    let now = bell.clock.now();
    let carried = Carried::of(bell.incident(1).await.id);
    let mut answers = Vec::new();
    for (row, line) in everything::lines() {
        let form = command_form(who, line, &format!("{round}-{row}")).replace(TEAM, team);
        let (status, body) = bell.post_signed("/slack/commands", &form, now).await;
        assert_eq!(status, 200, "{line}: {body}");
        answers.push((row, body));
    }
    let mut payloads = Vec::new();
    for (row, button) in everything::buttons() {
        payloads.push(everything::press(who, team, &button, &format!("{round}-button-{row}")));
    }
    for form in FORMS {
        payloads.push(everything::submission(
            who,
            team,
            form,
            &carried,
            carried.incident.map_or(0, |id| id.0),
            &format!("{round}-{form}"),
        ));
    }
    for shortcut in SHORTCUTS {
        payloads.push(everything::shortcut(who, team, shortcut, &format!("{round}-{shortcut}")));
    }
    for payload in payloads {
        let (status, body) = bell.post_signed("/slack/interactions", &form_of(&payload), now).await;
        assert_eq!(status, 200, "{payload}: {body}");
    }
    answers
}

#[tokio::test]
async fn strangers_change_nothing_by_any_signed_request_and_are_told_why() {
    let house = House::on_sqlite().await;
    let bell = house.bell().await;
    types(&house, ANA, GENERAL, "/incident open db is down").await;
    types(&house, ANA, GENERAL, "/escalate INC-1 db-team").await;
    bell.settle(&house).await;
    bell.program.app.update_directory(|directory| {
        let mut external = directory.people[&ANA.into()].clone();
        external.id = "U0ELSEWHERE".into();
        external.external = true;
        directory.people.insert(external.id.clone(), external);
    });
    let before = bell.history(1).await.len();
    for (who, team, told) in [
        ("U0GUEST001", TEAM, "Guests cannot act in incidents here."),
        ("U0ELSEWHERE", TEAM, "People from other workspaces cannot act in incidents here."),
        ("U0MONITOR1", TEAM, "This account cannot act in incidents."),
        ("U0HANNE001", TEAM, "This account cannot act in incidents."),
        (ANA, "T0ELSEWHERE", "This Firebell serves another workspace."),
    ] {
        for (row, answer) in asks_for_everything(&bell, who, team, who).await {
            let is_help = row.contains("help") && team == TEAM;
            assert!(is_help || answer.contains(told), "{who} {team} {row}: {answer}");
            assert!(!answer.contains("db is down"), "{who} {team} {row}: {answer}");
        }
        bell.settle(&house).await;
        assert_eq!(bell.incidents().await, 1, "{who} of {team}");
        let history = bell.history(1).await;
        assert_eq!(history.len(), before, "{who} of {team}: {:#?}", history.last());
    }
    // The same requests, by somebody who may.
    asks_for_everything(&bell, BEN, TEAM, "member").await;
    bell.settle(&house).await;
    assert!(bell.history(1).await.len() > before + 20, "the requests are real");
    assert!(bell.incidents().await > 1);
}
