//! The workspace in its own process, over HTTP only.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit as _, Mac as _};
use rand::RngExt as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::bot::binary;

pub const BOT_TOKEN: &str = "xoxb-killed-bot-token";
pub const SIGNING_SECRET: &str = "killed-signing-secret";
/// One call in so many of each kind meets a mishap.
const MISHAP_EVERY: u32 = 12;

#[derive(Clone)]
pub struct Slack {
    url: String,
    pub api_url: String,
    pub bot_port: u16,
    http: reqwest::Client,
    _process: Arc<Process>,
}

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port that nobody has, below those that the system gives to outgoing connections, so that it is still free when it is
/// used; programs that draw at the same time begin elsewhere.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let drawn = std::process::id() * 64 + NEXT.fetch_add(1, Ordering::Relaxed);
        let port = 10_000 + u16::try_from(drawn % 20_000).unwrap();
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// A way to a program besides the workspace: what is said there is signed as Slack's.
#[derive(Clone)]
pub struct Line {
    url: String,
    http: reqwest::Client,
}

impl Line {
    pub fn to(port: u16) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { url: format!("http://127.0.0.1:{port}/slack/commands"), http }
    }

    /// Types a command by this delivery; the words of the answer, `None` if there was none.
    pub async fn types(&self, who: &str, command: &str, text: &str, trigger: &str) -> Option<String> {
        let form = [
            ("team_id", "T0SHOPFRNT"),
            ("channel_id", "C0SHOPOPS1"),
            ("user_id", who),
            ("command", command),
            ("text", text),
            ("trigger_id", trigger),
        ];
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let mut mac = Hmac::<Sha256>::new_from_slice(SIGNING_SECRET.as_bytes()).unwrap();
        mac.update(format!("v0:{at}:{body}").as_bytes());
        let request = self
            .http
            .post(&self.url)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("x-slack-request-timestamp", at.to_string())
            .header("x-slack-signature", format!("v0={}", hex::encode(mac.finalize().into_bytes())));
        let answer = request.body(body).send().await.ok()?;
        if !answer.status().is_success() {
            return None;
        }
        Some(text_of(&answer.json().await.ok()?))
    }
}

impl Slack {
    pub fn start(folder: &Path) -> Self {
        let bot_port = free_port();
        let to_bot = |path: &str| format!("http://127.0.0.1:{bot_port}/slack/{path}");
        let mut child = Command::new(binary())
            .args(["sandbox", "--port", "0", "--no-rate-limits", "--bot-token", BOT_TOKEN])
            .args(["--signing-secret", SIGNING_SECRET, "--commands-url", &to_bot("commands")])
            .args(["--interactions-url", &to_bot("interactions"), "--events-url", &to_bot("events")])
            .current_dir(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let url = lines.find_map(|line| line.strip_prefix("Slack workspace: ").map(str::to_owned)).unwrap();
        let api_url = lines.find_map(|line| line.strip_prefix("SLACK_API_URL=").map(str::to_owned)).unwrap();
        lines.find(|line| line.starts_with("SLACK_SIGNING_SECRET=")).expect("says all it has to say");
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = url.trim_end_matches('/').to_owned();
        Self { url, api_url, bot_port, http, _process: Arc::new(Process(child)) }
    }

    /// Somebody does something; what came back.
    pub async fn act(&self, who: &str, mut act: Value) -> Value {
        act["as"] = who.into();
        let sent = self.http.post(format!("{}/_control/act", self.url)).json(&act).send().await.unwrap();
        sent.json().await.unwrap()
    }

    /// Orders a mishap of each kind for some of the calls to come.
    pub async fn misbehave(&self, dice: &mut StdRng) {
        let whats = [
            json!({ "fault": "reset_after" }),
            json!({ "fault": "reset_before" }),
            json!({ "fault": "server_error", "status": 500 }),
            json!({ "fault": "rate_limited", "retry_after": 1 }),
            json!({ "fault": "truncated" }),
            json!({ "fault": "slow", "ms": 300 }),
        ];
        let method = ["chat.postMessage", "*"][dice.random_range(0..2)];
        let mut order = whats[dice.random_range(0..whats.len())].clone();
        order["on"] = "api".into();
        order["method"] = method.into();
        order["nth"] = dice.random_range(1..=MISHAP_EVERY).into();
        self.faults(json!({ "clear": true, "add": [order] })).await;
    }

    /// Sends commands, presses and events to this port from now on.
    pub async fn deliver_to(&self, port: u16) {
        let at = |path: &str| format!("http://127.0.0.1:{port}/slack/{path}");
        let delivery = json!({
            "mode": "http",
            "commands_url": at("commands"), "interactions_url": at("interactions"), "events_url": at("events"),
        });
        self.http.post(format!("{}/_control/delivery", self.url)).json(&delivery).send().await.unwrap();
    }

    pub async fn behave(&self) {
        self.faults(json!({ "clear": true })).await;
    }

    async fn faults(&self, orders: Value) {
        self.http.post(format!("{}/_control/faults", self.url)).json(&orders).send().await.unwrap();
    }

    /// Calls a method as the bot, page after page; the list under `key`.
    pub async fn list(&self, method: &str, arguments: &[(&str, &str)], key: &str) -> Vec<Value> {
        let mut all = Vec::new();
        let mut cursor = String::new();
        loop {
            let mut form: Vec<(&str, &str)> = arguments.to_vec();
            form.push(("limit", "200"));
            if !cursor.is_empty() {
                form.push(("cursor", &cursor));
            }
            let request = self.http.post(format!("{}/{method}", self.api_url.trim_end_matches('/')));
            let answer: Value = request.bearer_auth(BOT_TOKEN).form(&form).send().await.unwrap().json().await.unwrap();
            assert_eq!(answer["ok"], true, "{method}: {answer}");
            all.extend(answer[key].as_array().unwrap().iter().cloned());
            let next = answer["response_metadata"]["next_cursor"].as_str().unwrap_or_default().to_owned();
            if next.is_empty() {
                return all;
            }
            cursor = next;
        }
    }
}

/// Every text in an answer.
pub fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => format!("{text}\n"),
        Value::Array(list) => list.iter().map(text_of).collect(),
        Value::Object(fields) => fields.values().map(text_of).collect(),
        _ => String::new(),
    }
}

/// As an integration's key is configured.
pub fn sha256(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}
