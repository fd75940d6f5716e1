//! `firebell doctor` against a workspace with known faults, and without Slack or database.

use firebell::sandbox::{Running, Sandbox, SandboxConfig, Workspace};

use super::Shell;
use crate::support::mail::MailServer;

const BOT_TOKEN: &str = "xoxb-doctor-bot-token";
const APP_TOKEN: &str = "xapp-doctor-app-token";

async fn workspace() -> Running {
    changed(|_| {}).await
}

async fn changed(change: impl FnOnce(&mut Workspace)) -> Running {
    let mut fixture = Workspace::demo();
    let chris = fixture.users.iter_mut().find(|user| user.name == "chris").unwrap();
    chris.deleted = true;
    change(&mut fixture);
    Sandbox::start(SandboxConfig {
        bot_token: BOT_TOKEN.to_owned(),
        app_token: APP_TOKEN.to_owned(),
        fixture,
        rate_limits: false,
        ..SandboxConfig::default()
    })
    .await
    .unwrap()
}

fn at(slack: &Running) -> Shell {
    let mut shell = Shell::new();
    shell.set("SLACK_API_URL", &slack.api_url()).set("SLACK_BOT_TOKEN", BOT_TOKEN).set("SLACK_APP_TOKEN", APP_TOKEN);
    shell
}

fn config(targets: &str) -> String {
    format!(
        "[server]\npublic_url = \"https://bell.example.com\"\n\n[fallback]\ntargets = [\"@ana\"]\n\n\
         [[teams]]\nkey = \"shop\"\nname = \"Shop\"\n\n[[teams.tiers]]\ntargets = [{targets}]\nwait = \"5m\"\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_in_order_ends_with_0() {
    let slack = workspace().await;
    let shell = at(&slack);
    shell.write("firebell.toml", &config("\"@ben\", \"@db-team\""));
    let ran = shell.run(&["doctor"]);
    assert_eq!((ran.status, ran.err.as_str()), (0, ""), "{}", ran.out);
    assert!(!ran.out.contains("PROBLEM"), "{}", ran.out);
    for says in [
        "The bot token works: @Firebell in Shopfront (T0SHOPFRNT).",
        "Socket Mode is on and the app-level token works.",
        "2 people named are members of the workspace.",
        "The user group @db-team has 2 members.",
        "The bot has all 18 scopes of the manifest.",
        "This machine's clock agrees with Slack's.",
        "There is no file firebell.db yet; `firebell serve` makes it",
    ] {
        assert!(ran.out.contains(says), "“{says}” is not in {}", ran.out);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_a_page_from_going_out_is_named_and_ends_with_1() {
    let slack = workspace().await;
    let shell = at(&slack);
    let mut text = config("\"@bem\", \"U0CHRIS001\", \"U0NOBODY01\", \"C0NOWHERE1\"");
    text.push_str("\n[export]\ndir = \"nowhere/documents\"\n");
    shell.write("firebell.toml", &text);
    let ran = shell.run(&["doctor"]);
    assert_eq!(ran.status, 1, "{}", ran.out);
    for says in [
        "PROBLEM  @bem is neither a person nor a user group of this workspace.",
        "(U0CHRIS001) is deactivated, but named for tier 1 of shop.",
        "PROBLEM  There is no user U0NOBODY01 in this workspace; it is named for tier 1 of shop.",
        "PROBLEM  There is no channel C0NOWHERE1 that the bot can see; it is named for tier 1 of shop.",
        "PROBLEM  Documents cannot be written to nowhere/documents:",
    ] {
        assert!(ran.out.contains(says), "“{says}” is not in {}", ran.out);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn swapped_and_wrong_tokens_are_told_apart() {
    let slack = workspace().await;
    let mut swapped = Shell::new();
    swapped.set("SLACK_API_URL", &slack.api_url());
    swapped.set("SLACK_BOT_TOKEN", APP_TOKEN).set("SLACK_APP_TOKEN", BOT_TOKEN);
    swapped.write("firebell.toml", &config("\"@ben\""));
    let ran = swapped.run(&["doctor"]);
    assert_eq!(ran.status, 1);
    assert!(ran.out.contains("the two tokens are swapped"), "{}", ran.out);
    let mut wrong = Shell::new();
    wrong.set("SLACK_API_URL", &slack.api_url());
    wrong.set("SLACK_BOT_TOKEN", "xoxb-another").set("SLACK_APP_TOKEN", APP_TOKEN);
    wrong.write("firebell.toml", &config("\"@ben\""));
    let ran = wrong.run(&["doctor"]);
    assert_eq!(ran.status, 1);
    assert!(ran.out.contains("Slack does not take the bot token: invalid_auth."), "{}", ran.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_scope_and_a_disabled_group_are_called_what_they_are() {
    let slack = changed(|fixture| {
        fixture.app.scopes.retain(|scope| scope != "pins:write");
        fixture.usergroups.iter_mut().find(|group| group.handle == "db-team").expect("is there").disabled = true;
    })
    .await;
    let shell = at(&slack);
    shell.write("firebell.toml", &config("\"@ben\", \"@db-team\""));
    let ran = shell.run(&["doctor"]);
    assert_eq!(ran.status, 1, "{}", ran.out);
    for says in
        ["PROBLEM  The bot lacks the scope pins:write.", "PROBLEM  The user group @db-team (S0DBTEAM01) is disabled"]
    {
        assert!(ran.out.contains(says), "“{says}” is not in {}", ran.out);
    }
    assert!(!ran.out.contains("is neither a person nor a user group"), "{}", ran.out);
}

#[test]
fn without_slack_and_without_a_database_the_rest_is_still_examined() {
    let mut shell = Shell::new();
    // Nobody listens on port 9 of this machine.
    shell.set("SLACK_API_URL", "http://127.0.0.1:9/api").set("SLACK_BOT_TOKEN", BOT_TOKEN);
    shell.set("SLACK_APP_TOKEN", APP_TOKEN).set("DATABASE_URL", "sqlite:no/such/folder/firebell.db");
    let mut text = config("\"@ben\"");
    text.push_str("\n[[integrations]]\nkey = \"script\"\nkind = \"generic\"\nkey_env = \"SCRIPT_KEY\"\n");
    text.push_str("\n[export]\ndir = \".\"\n");
    shell.write("firebell.toml", &text);
    let ran = shell.run(&["doctor"]);
    assert_eq!(ran.status, 1, "{}", ran.err);
    for says in [
        "Slack does not take the bot token: Slack could not be reached",
        "The database does not answer: there is no directory no/such/folder",
        "SCRIPT_KEY is not set",
        "Documents can be written to",
    ] {
        assert!(ran.out.contains(says), "“{says}” is not in {}", ran.out);
    }
    assert!(!ran.out.contains("@ben is neither"), "names are not judged without a directory: {}", ran.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_server_is_knocked_at_and_sent_nothing() {
    let (slack, mail) = (workspace().await, MailServer::start().await);
    let mut shell = at(&slack);
    let ways = format!(
        "\n[email]\nhost = \"127.0.0.1\"\nport = {}\ntls = \"none\"\nuser = \"firebell\"\nfrom = \"bell@shop.example\"\n\n\
         [[people]]\nuser = \"@ben\"\nemail = \"ben@shop.example\"\nwebhook = \"https://hooks.shop.example/ben\"\n",
        mail.port
    );
    let text = config("\"@ben\"") + &ways;
    shell.write("firebell.toml", &text);
    shell.set("SMTP_PASSWORD", "wrong");
    let ran = shell.run(&["doctor"]);
    assert_eq!(ran.status, 1, "{}", ran.out);
    for says in ["PROBLEM  The mail server refuses Firebell (535).", "PROBLEM  FIREBELL_WEBHOOK_SECRET is not set."] {
        assert!(ran.out.contains(says), "“{says}” is not in {}", ran.out);
    }
    shell.set("SMTP_PASSWORD", firebell::stage::SMTP_PASSWORD).set("FIREBELL_WEBHOOK_SECRET", "secret");
    let ran = shell.run(&["doctor"]);
    assert!(ran.out.contains("ok       The mail server lets Firebell in."), "{}", ran.out);
    assert!(!ran.out.contains("PROBLEM"), "{}", ran.out);
    assert_eq!((mail.count(), mail.signed_in()), (0, 1));
}
