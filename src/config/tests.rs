use std::path::Path;

use super::*;
use crate::domain::permission::Allow;
use crate::domain::policy::{Mention, Target};
use crate::domain::roster::{Directory, Person, UserGroup};
use crate::ids::{ChannelId, UserId};

const EXAMPLE: &str = include_str!("../../firebell.example.toml");

fn parse(text: &str) -> Result<Config, Mistakes> {
    Config::parse(text, Path::new("firebell.toml"))
}

/// The messages for a file, as a person sees them.
fn mistakes(text: &str) -> String {
    match parse(text) {
        Ok(_) => panic!("no mistake was found"),
        Err(mistakes) => mistakes.render(false),
    }
}

fn directory() -> Directory {
    let person = |id: &str, name: &str| {
        let person = Person {
            id: id.into(),
            name: name.to_owned(),
            zone: None,
            deactivated: false,
            is_bot: false,
            restricted: false,
            external: false,
        };
        (person.id.clone(), person)
    };
    let group = |id: &str, handle: &str| {
        let group = UserGroup { id: id.into(), handle: handle.to_owned(), name: handle.to_owned(), users: Vec::new() };
        (group.id.clone(), group)
    };
    Directory {
        people: [
            person("U1", "ana"),
            person("U2", "Ben"),
            person("U3", "chris"),
            person("U4", "dana"),
            person("U5", "eli"),
            person("U6", "fay"),
        ]
        .into(),
        groups: [group("S1", "dev-team"), group("S2", "db-team")].into(),
    }
}

fn channels() -> BTreeMap<String, ChannelId> {
    [("incidents".to_owned(), "C1".into()), ("shop-ops".to_owned(), "C2".into())].into()
}

const SMALL: &str = r##"
[[teams]]
key = "ops"
[[teams.tiers]]
targets = ["@ana", "@dev-team", "#shop-ops @db-team", "U9", "S9", "C9 @here"]

[fallback]
targets = ["#incidents"]

[permissions]
resolve = ["@ana", "@dev-team"]
"##;

#[test]
fn the_example_is_in_order_and_means_what_it_says() {
    let config = parse(EXAMPLE).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    insta::assert_snapshot!(check::describe(&config, &config.secrets(&|_| None)));
    let roster = config.resolve(&directory(), &channels()).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let user = |id: &str| Target::User { user: id.into() };
    let tiers: Vec<_> =
        roster.teams[&TeamKey::from("db-team")].policy.tiers.iter().map(|tier| tier.targets.clone()).collect();
    assert_eq!(tiers, [vec![user("U4")], vec![user("U5")]]);
    let channel = Target::Channel { channel: "C1".into(), mention: Mention::Channel };
    assert_eq!(roster.fallback, [user("U6"), channel]);
    assert_eq!(roster.announce_in, Some("C1".into()));
    assert_eq!(roster.zone, "America/New_York");
    assert_eq!(roster.permissions.see_private, Allow::Listed { users: vec!["U1".into()], groups: Vec::new() });
}

#[test]
fn every_default_of_the_example_is_the_default() {
    let written = parse(EXAMPLE).expect("in order");
    let bare = parse(SMALL).expect("in order");
    assert_eq!(written.settings.slack.mode, bare.settings.slack.mode);
    assert_eq!(written.settings.server.bind, bare.settings.server.bind);
    assert_eq!(written.settings.clock, bare.settings.clock);
    assert_eq!(written.settings.export.formats, bare.settings.export.formats);
    assert_eq!(written.settings.export.people, bare.settings.export.people);
    assert_eq!(written.settings.database.url.as_deref(), Some(secrets::DATABASE_URL_DEFAULT));
    assert_eq!(written.plan.channel_prefix, bare.plan.channel_prefix);
    assert_eq!(written.plan.severity_default, bare.plan.severity_default);
    assert_eq!(written.plan.teams[0].rounds, bare.plan.teams[0].rounds);
    assert_eq!(written.plan.teams[0].tiers[0].wait_s, bare.plan.teams[0].tiers[0].wait_s);
}

#[test]
fn targets_may_be_names_or_ids() {
    let roster = parse(SMALL).expect("in order").resolve(&directory(), &channels()).expect("all known");
    assert_eq!(
        roster.teams[&TeamKey::from("ops")].policy.tiers[0].targets,
        [
            Target::User { user: "U1".into() },
            Target::UserGroup { group: "S1".into(), handle: "dev-team".into() },
            Target::Channel { channel: "C2".into(), mention: Mention::Group("S2".into()) },
            Target::User { user: "U9".into() },
            Target::UserGroup { group: "S9".into(), handle: "S9".into() },
            Target::Channel { channel: "C9".into(), mention: Mention::Here },
        ]
    );
    let allowed = Allow::Listed { users: vec!["U1".into()], groups: vec!["S1".into()] };
    assert_eq!(roster.permissions.resolve, allowed);
    assert_eq!(roster.permissions.open, Allow::Members);
}

#[test]
fn names_that_slack_does_not_know_are_all_told() {
    let text = SMALL.replace(
        "\"@ana\", \"@dev-team\", \"#shop-ops @db-team\"",
        "\"@anna\", \"#shopops @dev-team\", \"@ben\", \"@nobody\"",
    );
    let mut directory = directory();
    if let Some(ben) = directory.people.get_mut(&UserId::from("U2")) {
        ben.deactivated = true;
    }
    let mistakes = parse(&text).expect("in order").resolve(&directory, &channels()).expect_err("unknown names");
    insta::assert_snapshot!(mistakes.render(false));
}

#[test]
fn a_name_of_two_people_is_refused_with_their_ids() {
    let mut directory = directory();
    let mut second = directory.people[&UserId::from("U1")].clone();
    second.id = "U7".into();
    directory.people.insert(second.id.clone(), second);
    let mistakes = parse(SMALL).expect("in order").resolve(&directory, &channels()).expect_err("two of them");
    assert_eq!(mistakes.problems()[0].sentence, "@ana can be U1 or U7.");
}

#[test]
fn every_mistake_is_told_at_once() {
    let shown = mistakes(
        r#"
[slack]
mode = "sockets"
workspce = "T123"

[server]
bind = 8080
public_url = "firebell.example.com"

[incidents]
announce_in = "incidents"
channel_prefix = "Inc "
severity_default = "high"
time_zone = "Europe/Berln"
clock = 13

[export]
formats = ["pdf"]
private = "no"

[permissions]
open = []
resolve = ["everybody"]

[[teams]]
key = "DB team"

[[teams]]
key = "db-team"
aliases = ["next"]
rounds = 0
ack_timeout = "10s"
hand_off = "dev-taem"

[[teams.tiers]]
targets = []
wait = "5"

[[teams.tiers]]
targets = ["dana", "@eli", "@eli", "@here"]
wiat = "5m"

[[teams]]
key = "dev-team"
name = "DB-Team"
[[teams.tiers]]
targets = ["@ben"]
wait = "3s"

[[integrations]]
key = "prometheus"
kind = "prometheus"
team = "dev-team"
[[integrations.rules]]
team = "nobody"

[[integrations]]
key = "prometheus"
kind = "generic"
key_sha256 = "abc"
"#,
    );
    insta::assert_snapshot!(shown);
}

#[test]
fn the_fallback_must_exist_and_page_somebody() {
    insta::assert_snapshot!(mistakes("[[teams]]\nkey = \"ops\"\n[[teams.tiers]]\ntargets = [\"@ana\"]\n"));
    assert!(mistakes("[fallback]\ntargets = []\n").contains("The fallback pages nobody"));
}

#[test]
fn handing_off_in_a_circle_is_refused() {
    let team = |key: &str, to: &str| {
        format!("[[teams]]\nkey = \"{key}\"\nhand_off = \"{to}\"\n[[teams.tiers]]\ntargets = [\"@ana\"]\n\n")
    };
    let circle =
        [team("a", "b"), team("b", "c"), team("c", "b"), "[fallback]\ntargets = [\"@ana\"]\n".to_owned()].concat();
    insta::assert_snapshot!(mistakes(&circle));
}

#[test]
fn a_secret_in_the_file_is_refused_and_never_shown() {
    let text = "[slack]\nbot_token = \"xoxb-111-222-abcdef\"\nworkspace = \"xapp-1-A-2-b\"\n\n\
                [database]\nurl = \"postgres://firebell:hunter2@db/firebell\"\n\n# or xoxb-333-444\n[fallback]\ntargets = [\"@ana\"]\n";
    let shown = mistakes(text);
    for secret in ["xoxb-111", "abcdef", "xapp-1", "hunter2"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    insta::assert_snapshot!(shown);
    // Without quotes it is no TOML; it is not shown for that.
    let shown = mistakes("[slack]\nbot_token = xoxb-111-222-abcdef\n");
    assert!(!shown.contains("abcdef"), "{shown}");
}

#[test]
fn what_is_not_toml_is_told_with_its_place() {
    insta::assert_snapshot!(mistakes("[slack\nmode = socket\n[fallback]\ntargets = [\"@ana\"]\n"));
}

#[test]
fn files_must_be_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("firebell.toml");
    let text = "[slack]\nbot_token_file = \"token\"\n[fallback]\ntargets = [\"@ana\"]\n";
    let mistakes = Config::parse(text, &path).expect_err("no such file");
    assert!(mistakes.problems()[0].sentence.contains("token cannot be read"));
    std::fs::write(folder.path().join("token"), "xoxb-from-a-file\n").expect("written");
    let config = Config::parse(text, &path).expect("in order");
    let secrets = config.secrets(&|_| None).expect("all there");
    assert_eq!(secrets.missing(Mode::Socket), ["SLACK_APP_TOKEN"]);
    let missing = Config::load(&folder.path().join("absent.toml")).expect_err("no such file");
    assert!(missing.render(false).contains("cannot be read"));
}

#[test]
fn secrets_come_from_the_environment_and_do_not_show() {
    let environment = |name: &str| match name {
        "SLACK_BOT_TOKEN" => Some("xoxb-1-secret".to_owned()),
        "SLACK_SIGNING_SECRET" => Some("signing-secret".to_owned()),
        "DATABASE_URL" => Some("postgres://u:secret@db/x".to_owned()),
        "SLACK_API_URL" => Some("http://127.0.0.1:9000/api/".to_owned()),
        _ => None,
    };
    let config = parse(EXAMPLE).expect("in order");
    let secrets = config.secrets(&environment).expect("all there");
    assert_eq!(secrets.missing(Mode::Http), [""; 0]);
    assert_eq!(secrets.api_url.as_deref(), Some("http://127.0.0.1:9000/api"));
    assert_eq!(secrets.database_kind(), "PostgreSQL");
    assert!(!format!("{secrets:?}").contains("secret@"));
    assert!(!format!("{secrets:?}").contains("xoxb"));
    assert_eq!(secrets.integration_keys[&IntegrationKey::from("script")].len(), 1);

    let swapped = |name: &str| (name == "SLACK_BOT_TOKEN").then(|| "xapp-1".to_owned());
    let problems = config.secrets(&swapped).expect_err("the wrong kind");
    assert!(problems[0].sentence.contains("does not begin with xoxb-"));
    assert!(!problems[0].sentence.contains("xapp-1"));
}

#[test]
fn the_key_of_an_integration_may_be_a_variable() {
    let text =
        "[fallback]\ntargets = [\"@ana\"]\n[[integrations]]\nkey = \"x\"\nkind = \"generic\"\nkey_env = \"X_KEY\"\n";
    let config = parse(text).expect("in order");
    assert!(config.secrets(&|_| None).is_err());
    let secrets = config.secrets(&|name| (name == "X_KEY").then(|| "demo-script".to_owned())).expect("set");
    let example = parse(EXAMPLE).expect("in order").secrets(&|_| None).expect("sums");
    assert_eq!(
        secrets.integration_keys[&IntegrationKey::from("x")],
        example.integration_keys[&IntegrationKey::from("script")]
    );
}

#[test]
fn a_configuration_in_order_is_told_in_words() {
    let text = "[slack]\nmode = \"http\"\n[server]\npublic_url = \"https://firebell.example.com/\"\n\
                [export]\ndir = \"out\"\nformats = \"md\"\nprivate = true\n\
                [[teams]]\nkey = \"ops\"\nrounds = 1\nhand_off = \"boss\"\n[[teams.tiers]]\ntargets = [\"#shop-ops @here\"]\nwait = \"1h30m\"\n\
                [[teams]]\nkey = \"boss\"\nack_timeout = \"90m\"\n[[teams.tiers]]\ntargets = [\"U1\"]\nwait = \"30s\"\n\
                [fallback]\ntargets = [\"@fay\"]\n";
    let config = parse(text).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    insta::assert_snapshot!(check::describe(&config, &config.secrets(&|_| None)));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() })]

    #[test]
    fn a_damaged_file_is_told_of_and_never_breaks_the_program(
        start in 0_usize..8_000,
        length in 0_usize..200,
        put in proptest::prop_oneof!["\\PC{0,6}", "[\\[\\]\"'#=\n{}é…xobp-]{0,6}"],
    ) {
        let chars: Vec<char> = EXAMPLE.chars().collect();
        let start = start.min(chars.len());
        let end = (start + length).min(chars.len());
        let text: String = chars[..start].iter().copied().chain(put.chars()).chain(chars[end..].iter().copied()).collect();
        match parse(&text) {
            Ok(config) => {
                let _ = check::describe(&config, &config.secrets(&|_| None));
                if let Err(mistakes) = config.resolve(&Directory::default(), &BTreeMap::new()) {
                    proptest::prop_assert!(!mistakes.render(true).is_empty());
                }
            }
            Err(mistakes) => proptest::prop_assert!(!mistakes.render(true).is_empty() && !mistakes.problems().is_empty()),
        }
    }
}

#[test]
fn a_team_may_be_called_by_its_key_but_two_may_not_have_the_same() {
    let team =
        "[[teams]]\nkey = \"shop\"\nname = \"shop\"\naliases = [\"Shop\"]\n\n[[teams.tiers]]\ntargets = [\"@ana\"]\n\n";
    let fallback = "[fallback]\ntargets = [\"@ana\"]\n";
    parse(&format!("{team}{fallback}")).expect("one team");
    let told = mistakes(&format!("{team}{team}{fallback}"));
    assert_eq!(told.matches("There are two teams with the key \"shop\".").count(), 1, "{told}");
}

#[test]
fn what_slack_does_not_know_is_left_out_of_the_roster_and_told() {
    let text = "[[teams]]\nkey = \"shop\"\n\n[[teams.tiers]]\ntargets = [\"@ana\", \"@nobody\"]\n\n[fallback]\ntargets = [\"@ben\"]\n";
    let config = parse(text).expect("in order");
    let (roster, unknown) = config.resolve_known(&directory(), &channels());
    let tier = &roster.teams[&"shop".into()].policy.tiers[0];
    assert_eq!(tier.targets, [Target::User { user: "U1".into() }]);
    assert_eq!(unknown.expect("one name").problems().len(), 1);
    assert!(config.resolve(&directory(), &channels()).is_err());
}

#[test]
fn a_heartbeat_that_anybody_could_fake_or_that_beats_too_often_is_refused() {
    let told = |text: &str| {
        let mistakes =
            Config::parse(&format!("{text}\n[fallback]\ntargets = [\"@ana\"]\n"), Path::new("firebell.toml"));
        mistakes.expect_err("is refused").problems().iter().map(|problem| problem.sentence.clone()).collect::<Vec<_>>()
    };
    assert_eq!(
        told("[heartbeat]\nurl = \"http://hc.example/ping\""),
        ["The heartbeat's address is not encrypted: whoever reads it can keep the alarm silent."]
    );
    assert_eq!(told("[heartbeat]\nurl = \"hc.example\""), ["\"hc.example\" is no web address."]);
    assert_eq!(told("[heartbeat]\nevery = \"1s\""), ["\"every\" must be from 10 s to 1 h."]);
    assert_eq!(told("[metrics]\nbind = \"9464\""), ["\"9464\" is no address to listen on."]);
}

#[test]
fn test_pages_need_a_channel_and_are_not_sent_too_often() {
    let read =
        |text: &str| Config::parse(&format!("{text}\n[fallback]\ntargets = [\"@ana\"]\n"), Path::new("firebell.toml"));
    let config = read("[test_page]\nchannel = \"#firebell-test\"").expect("is in order");
    assert_eq!(config.plan.test_page_in.map(|channel| channel.value.to_string()).as_deref(), Some("#firebell-test"));
    assert_eq!(config.settings.test_page_every_s, 21_600);
    assert!(read("[test_page]\nevery = \"1h\"").expect("is in order").plan.test_page_in.is_none());
    let told = |text: &str| {
        read(text)
            .expect_err("is refused")
            .problems()
            .iter()
            .map(|problem| problem.sentence.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(told("[test_page]\nevery = \"1m\""), ["\"every\" must be from 10 min to 7 d."]);
    assert_eq!(told("[test_page]\nchannel = \"\"").len(), 1);
}

#[test]
fn a_heartbeat_without_an_address_is_none() {
    let parsed = |text: &str| {
        let text = format!("{text}\n[fallback]\ntargets = [\"@ana\"]\n");
        Config::parse(&text, Path::new("firebell.toml")).expect("is in order").settings
    };
    assert_eq!(parsed("[heartbeat]\nevery = \"1m\"").heartbeat, None);
    let heard = parsed("[heartbeat]\nurl = \"https://hc.example/ping/1b2c\"").heartbeat.expect("is heard");
    assert_eq!((heard.every_s, heard.tells_failure), (30, true));
    assert_eq!(parsed("[metrics]\nbind = \"127.0.0.1:9464\"").metrics.bind, "127.0.0.1:9464".parse().ok());
}

const WAYS: &str = r#"
[server]
public_url = "https://bell.example"

[fallback]
targets = ["@fay"]
email = "on-call@shop.example"

[email]
host = "smtp.shop.example"
user = "firebell"
from = "Firebell <firebell@shop.example>"

[[people]]
user = "@dana"
email = "dana@shop.example"
webhook = "https://hooks.shop.example/dana?key=very-secret"
"#;

#[test]
fn ways_besides_slack_are_told_in_words_and_what_they_need_is_named() {
    let config = parse(WAYS).expect("no mistakes");
    let told = check::describe(&config, &config.secrets(&|_| None));
    assert!(!told.contains("very-secret"), "{told}");
    insta::assert_snapshot!(told);
    let roster = config.resolve(&directory(), &channels()).expect("everybody is known");
    let dana = &roster.contacts[&UserId::from("U4")];
    assert_eq!(dana.email.as_deref(), Some("dana@shop.example"));
    assert_eq!(roster.fallback_contacts.email.as_deref(), Some("on-call@shop.example"));
    let all = |name: &str| Some(format!("{}{name}", if name.contains("APP") { "xapp-" } else { "xoxb-" }));
    let secrets = config.secrets(&|name| all(name).filter(|_| name.starts_with("SLACK_") && !name.ends_with("URL")));
    let secrets = secrets.expect("all that there are");
    assert_eq!(secrets.missing(Mode::Socket), ["SMTP_PASSWORD", "FIREBELL_WEBHOOK_SECRET"]);
}

#[test]
fn a_way_that_cannot_work_is_told() {
    insta::assert_snapshot!(mistakes(
        r##"
[fallback]
targets = ["@fay"]
email = "on-call at shop"

[email]
host = "smtp.shop.example:25"
tls = "none"
user = "firebell"
password = "hunter2"
from = "firebell"

[webhooks]
allow = ["10.1.0.0/33"]

[[people]]
user = "@dana"
webhook = "http://hooks.shop.example/dana"

[[people]]
user = "@dana"
webhook = "https://169.254.169.254/latest"

[[people]]
user = "#incidents"
webhook = "https://eli:secret@hooks.shop.example/eli"

[[people]]
user = "@eli"
"##
    ));
    let without_server = WAYS
        .replace("[email]", "[slack]\n#")
        .replace("host =", "#")
        .replace("user = \"firebell\"", "")
        .replace("from =", "#");
    assert!(mistakes(&without_server).contains("There is no mail server to send this through."));
}

#[test]
fn contact_methods_of_a_group_are_refused_once_slack_has_told_that_it_is_one() {
    let config = parse(&WAYS.replace("@dana", "@dev-team")).expect("no mistakes");
    let mistakes = config.resolve(&directory(), &channels()).expect_err("is a group").render(false);
    assert!(mistakes.contains("@dev-team is a group."), "{mistakes}");
}
