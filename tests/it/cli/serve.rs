//! `firebell serve` as a process: how it begins and how it ends.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use chrono::TimeDelta;
use firebell::clock::{Clock, real_sleep};
use firebell::sandbox::{Delivery, Sandbox, SandboxConfig};
use firebell::stage::sqlite_in;
use firebell::store::{Db, settings};

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
    // The room for a start on a full disk stays, if there was time to make it.
    let left: Vec<String> = shell.names(".").into_iter().filter(|name| name != "firebell.db-reserve").collect();
    assert_eq!(left, ["firebell.db", "firebell.toml"], "{rest:?}");
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

/// The real program, silently.
fn served(shell: &Shell) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_firebell"));
    command.arg("serve").env_clear().envs(shell.variables.iter().cloned()).current_dir(shell.folder.path());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_was_set_back_while_the_program_did_not_run_is_noticed_at_its_start() {
    let config = SandboxConfig { delivery: Delivery::SocketMode, rate_limits: false, ..SandboxConfig::default() };
    let (bot, app) = (config.bot_token.clone(), config.app_token.clone());
    let slack = Sandbox::start(config).await.unwrap();
    let free = firebell::program::bind(([127, 0, 0, 1], 0).into()).await.unwrap().local_addr().unwrap();
    let mut shell = Shell::new();
    shell.set("SLACK_API_URL", &slack.api_url()).set("SLACK_BOT_TOKEN", &bot).set("SLACK_APP_TOKEN", &app);
    shell.write(
        "firebell.toml",
        &format!(
            "[server]\nbind = \"127.0.0.1:0\"\n\n[fallback]\ntargets = [\"@fay\"]\n\n[metrics]\nbind = \"{free}\"\n"
        ),
    );
    // What an earlier process noted: the machine was up for as long as now, and its clock showed an hour more.
    let up = std::fs::read_to_string("/proc/uptime").unwrap();
    let up_us = up.split(['.', ' ']).next().unwrap().parse::<u64>().unwrap() * 1_000_000;
    let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let shown = Clock::System.now() + TimeDelta::hours(1);
    let db = Db::open(&sqlite_in(shell.folder.path()), &Clock::System).await.unwrap();
    let mut tx = db.write().await.unwrap();
    let note = format!("{} {up_us} {}", boot_id.trim(), shown.timestamp_micros());
    settings::set(&mut tx, "clock_seen", &note).await.unwrap();
    tx.commit().await.unwrap();
    db.close().await;
    let mut serving = served(&shell);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let jump = loop {
        let asked = async { client.get(format!("http://{free}/metrics")).send().await.ok()?.text().await.ok() };
        let text = asked.await.unwrap_or_default();
        if text.contains("firebell_clock_jumps_total 1\n") {
            let line = text.lines().find_map(|line| line.strip_prefix("firebell_clock_jump_seconds "));
            break line.unwrap().parse::<f64>().unwrap();
        }
        assert_eq!(serving.try_wait().unwrap(), None, "it ended instead");
        real_sleep(Duration::from_millis(50)).await;
    };
    assert!((-3_602.0..-3_597.0).contains(&jump), "{jump}");
    serving.kill().unwrap();
    serving.wait().unwrap();
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
    let mut serving = served(&shell);
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
