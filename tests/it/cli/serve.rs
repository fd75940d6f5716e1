//! `firebell serve` as a process: how it begins and how it ends.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use firebell::sandbox::{Delivery, Sandbox, SandboxConfig};

use super::Shell;

#[tokio::test(flavor = "multi_thread")]
async fn a_program_told_to_stop_leaves_a_file_that_is_whole_without_its_log() {
    let config = SandboxConfig { delivery: Delivery::SocketMode, rate_limits: false, ..SandboxConfig::default() };
    let (bot, app) = (config.bot_token.clone(), config.app_token.clone());
    let slack = Sandbox::start(config).await.unwrap();
    let shell = Shell::new();
    shell.write("firebell.toml", "[server]\nbind = \"127.0.0.1:0\"\n\n[fallback]\ntargets = [\"@fay\"]\n");
    let mut serving = Command::new(env!("CARGO_BIN_EXE_firebell"))
        .arg("serve")
        .env_clear()
        .envs([("SLACK_API_URL", slack.api_url()), ("SLACK_BOT_TOKEN", bot), ("SLACK_APP_TOKEN", app)])
        .current_dir(shell.folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(serving.stderr.take().unwrap()).lines();
    assert!(log.any(|line| line.unwrap().contains("Firebell serves")), "it ended instead");
    let told = Command::new("kill").arg(serving.id().to_string()).status().unwrap();
    assert!(told.success());
    let rest: Vec<String> = log.map(Result::unwrap).collect();
    assert!(serving.wait().unwrap().success(), "{rest:?}");
    assert_eq!(shell.names("."), ["firebell.db", "firebell.toml"], "{rest:?}");
}

#[test]
fn a_damaged_file_is_called_so_by_every_command_that_opens_it() {
    let mut shell = Shell::new();
    shell.set("SLACK_BOT_TOKEN", "xoxb-nothing").set("SLACK_APP_TOKEN", "xapp-nothing");
    shell.set("SLACK_API_URL", "http://127.0.0.1:9/api");
    shell.write("firebell.toml", "[server]\nbind = \"127.0.0.1:0\"\n\n[fallback]\ntargets = [\"U0ANA00001\"]\n");
    shell.write(
        "firebell.db",
        "this is no database, and long enough for SQLite to look at its first hundred bytes \
                                and find that it is not one of its own files",
    );
    for command in [["serve"].as_slice(), &["verify"], &["export", "1"], &["doctor"]] {
        let ran = shell.run(command);
        assert_eq!(ran.status, 1, "{command:?}");
        let said = format!("{}{}", ran.out, ran.err);
        assert!(said.contains("firebell.db is not a SQLite database"), "{command:?}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_program_is_heard_shows_its_figures_and_the_doctor_reads_them() {
    let config = SandboxConfig { delivery: Delivery::SocketMode, rate_limits: false, ..SandboxConfig::default() };
    let (bot, app) = (config.bot_token.clone(), config.app_token.clone());
    let slack = Sandbox::start(config).await.unwrap();
    let (heard, mut hears) = tokio::sync::mpsc::unbounded_channel();
    let listener = firebell::program::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let switch = format!("http://{}/ping", listener.local_addr().unwrap());
    let router = axum::Router::new().fallback(move |request: axum::extract::Request| {
        heard.send(request.uri().path().to_owned()).unwrap();
        async { "OK" }
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    let free = firebell::program::bind(([127, 0, 0, 1], 0).into()).await.unwrap().local_addr().unwrap();
    let mut shell = Shell::new();
    shell.set("SLACK_API_URL", &slack.api_url()).set("SLACK_BOT_TOKEN", &bot).set("SLACK_APP_TOKEN", &app);
    shell.write(
        "firebell.toml",
        &format!(
            "[server]\nbind = \"127.0.0.1:0\"\n\n[fallback]\ntargets = [\"@fay\"]\n\n[metrics]\nbind = \"{free}\"\n\n\
             [heartbeat]\nurl = \"{switch}\"\n"
        ),
    );
    let mut serving = Command::new(env!("CARGO_BIN_EXE_firebell"))
        .arg("serve")
        .env_clear()
        .envs(shell.variables.iter().cloned())
        .current_dir(shell.folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    assert_eq!(hears.recv().await.as_deref(), Some("/ping"));
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let text = client.get(format!("http://{free}/metrics")).send().await.unwrap().text().await.unwrap();
    assert!(text.contains("firebell_self_test_seconds_count 1\n"), "{text}");
    assert!(text.contains(&format!("firebell_build_info{{version=\"{}\"", env!("CARGO_PKG_VERSION"))), "{text}");
    let ran = shell.run(&["doctor"]);
    for says in
        ["it has not paged anybody since its start", "A page to nobody went the whole way", "MB are free beside"]
    {
        assert!(ran.out.contains(says), "“{says}” is not in {}", ran.out);
    }
    serving.kill().unwrap();
    serving.wait().unwrap();
    let ran = shell.run(&["doctor"]);
    assert!(ran.out.contains(&format!("The metrics cannot be read: {free} does not answer.")), "{}", ran.out);
}
