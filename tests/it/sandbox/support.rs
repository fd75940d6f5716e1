//! A client that calls the sandbox's Web API, and an app that takes its deliveries and remembers them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use chrono::{DateTime, TimeDelta, Utc};
use firebell::clock::{Clock, lock};
use firebell::sandbox::{Act, Delivery, Running, Sandbox, SandboxConfig};
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub(super) const ANA: &str = "U0ANA00001";
pub(super) const BEN: &str = "U0BEN00001";
pub(super) const DANA: &str = "U0DANA0001";
pub(super) const GONE: &str = "U0HANNE001";
pub(super) const MONITOR: &str = "U0MONITOR1";
pub(super) const BOT: &str = "U0FIREBELL";
pub(super) const GENERAL: &str = "C0GENERAL1";
pub(super) const SHOP_OPS: &str = "C0SHOPOPS1";
pub(super) const ALERTS: &str = "C0ALERTS01";
pub(super) const SECRET: &str = "sandbox-signing-secret";
pub(super) const TOKEN: &str = "xoxb-sandbox-bot-token";
pub(super) const APP_TOKEN: &str = "xapp-sandbox-app-token";

/// One delivery as the app received it.
#[derive(Clone, Debug)]
pub(super) struct Received {
    pub(super) route: String,
    pub(super) headers: HeaderMap,
    pub(super) raw: String,
    /// The event, the interaction's payload, or the command's fields.
    pub(super) payload: Value,
}

impl Received {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// What the app answers next: a status, headers and a body.
type Answer = (u16, Vec<(&'static str, &'static str)>, String);

/// An app on its own port.
#[derive(Clone, Debug, Default)]
pub(super) struct FakeApp {
    received: Arc<Mutex<Vec<Received>>>,
    answers: Arc<Mutex<VecDeque<(String, Answer)>>>,
    echoes: Arc<Mutex<bool>>,
}

impl FakeApp {
    /// Answers the next delivery of `route` (`commands`, `interactions`, `events`) with JSON.
    pub(super) fn answers(&self, route: &str, body: &Value) {
        self.answers_with(route, 200, &[("content-type", "application/json")], &body.to_string());
    }

    pub(super) fn answers_with(&self, route: &str, status: u16, headers: &[(&'static str, &'static str)], body: &str) {
        lock(&self.answers).push_back((route.to_owned(), (status, headers.to_vec(), body.to_owned())));
    }

    /// From now on answers `url_verification` as it should.
    pub(super) fn echo_challenges(&self) {
        *lock(&self.echoes) = true;
    }

    pub(super) fn received(&self) -> Vec<Received> {
        lock(&self.received).clone()
    }

    /// Takes what came by one route.
    pub(super) fn took(&self, route: &str) -> Vec<Received> {
        self.received().into_iter().filter(|one| one.route == route).collect()
    }

    /// The last delivery by this route.
    pub(super) fn last(&self, route: &str) -> Received {
        self.took(route).pop().unwrap_or_else(|| panic!("nothing came by {route}"))
    }

    /// The inner events of this type.
    pub(super) fn events(&self, kind: &str) -> Vec<Value> {
        self.took("events")
            .into_iter()
            .map(|one| one.payload["event"].clone())
            .filter(|event| event["type"] == kind)
            .collect()
    }

    pub(super) fn forget(&self) {
        lock(&self.received).clear();
    }

    async fn listen(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let addr = listener.local_addr().expect("bound");
        let app = Router::new().route("/{route}", post(take)).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        format!("http://{addr}")
    }
}

fn payload_challenge(app: &FakeApp) -> Option<String> {
    lock(&app.received).last()?.payload["challenge"].as_str().map(str::to_owned)
}

async fn take(State(app): State<FakeApp>, Path(route): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
    let raw = String::from_utf8_lossy(&body).into_owned();
    let payload = match route.as_str() {
        "events" => serde_json::from_str(&raw).unwrap_or_default(),
        "interactions" => serde_json::from_str(form(&raw)["payload"].as_str().unwrap_or_default()).unwrap_or_default(),
        _ => form(&raw),
    };
    lock(&app.received).push(Received { route: route.clone(), headers, raw, payload });
    let answer = {
        let mut answers = lock(&app.answers);
        let place = answers.iter().position(|(wanted, _)| *wanted == route);
        place.and_then(|place| answers.remove(place))
    };
    if *lock(&app.echoes) && payload_challenge(&app).is_some() {
        return payload_challenge(&app).unwrap_or_default().into_response();
    }
    let Some((_, (status, extra, body))) = answer else { return StatusCode::OK.into_response() };
    let mut response = (StatusCode::from_u16(status).expect("a status"), body).into_response();
    for (name, value) in extra {
        response.headers_mut().insert(name, value.parse().expect("a header"));
    }
    response
}

/// Decodes a form.
pub(super) fn form(raw: &str) -> Value {
    let mut address = reqwest::Url::parse("http://form.invalid/").expect("an address");
    address.set_query(Some(raw));
    let pairs = address.query_pairs().map(|(key, value)| (key.into_owned(), json!(value.into_owned())));
    Value::Object(pairs.collect())
}

/// What HTTP said about an answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) status: u16,
    pub(super) retry_after: Option<u64>,
}

/// A sandbox with a manual clock, an app behind it, and a client for the Web API.
pub(super) struct Shop {
    pub(super) slack: Running,
    pub(super) app: FakeApp,
    pub(super) http: reqwest::Client,
}

pub(super) fn start_at() -> DateTime<Utc> {
    "2023-04-02T19:00:00Z".parse().expect("a date")
}

impl Shop {
    /// Delivery by HTTP, no rate limits.
    pub(super) async fn open() -> Self {
        Self::with(SandboxConfig { rate_limits: false, ..SandboxConfig::default() }).await
    }

    pub(super) async fn with(config: SandboxConfig) -> Self {
        Self::by(Clock::manual(start_at()), config).await
    }

    pub(super) async fn by(clock: Clock, config: SandboxConfig) -> Self {
        let app = FakeApp::default();
        let url = app.listen().await;
        let delivery = Delivery::Http {
            commands_url: format!("{url}/commands"),
            interactions_url: format!("{url}/interactions"),
            events_url: format!("{url}/events"),
        };
        let slack = Sandbox::start(SandboxConfig { clock, delivery, ..config }).await.expect("the sandbox starts");
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { slack, app, http }
    }

    /// A call as the bot: JSON, or the query for methods that read.
    pub(super) async fn call(&self, method: &str, args: Value) -> Value {
        let (_, body) = self.call_status(method, &args).await;
        body
    }

    pub(super) async fn call_status(&self, method: &str, args: &Value) -> (Seen, Value) {
        let reads = [
            ".info",
            ".list",
            ".history",
            ".replies",
            ".members",
            ".conversations",
            "lookupByEmail",
            "getPermalink",
            ".get",
            "External",
        ];
        let url = format!("{}/{method}", self.slack.api_url());
        let request = if reads.iter().any(|end| method.ends_with(end)) && !method.starts_with("files.complete") {
            let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let fields: Vec<(String, String)> =
                args.as_object().into_iter().flatten().map(|(key, value)| (key.clone(), text(value))).collect();
            self.http.post(url).form(&fields)
        } else {
            self.http.post(url).json(args)
        };
        let response = request.bearer_auth(TOKEN).send().await.expect("the sandbox answers");
        let seen = Seen {
            status: response.status().as_u16(),
            retry_after: response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok()),
        };
        (seen, response.json().await.unwrap_or_default())
    }

    /// A call that must succeed.
    pub(super) async fn ok(&self, method: &str, args: Value) -> Value {
        let body = self.call(method, args).await;
        assert_eq!(body["ok"], true, "{method}: {body}");
        body
    }

    /// The error code of a call that must fail.
    pub(super) async fn error(&self, method: &str, args: Value) -> String {
        let body = self.call(method, args).await;
        assert_eq!(body["ok"], false, "{method}: {body}");
        body["error"].as_str().expect("a code").to_owned()
    }

    /// Something a person does that must work.
    pub(super) async fn does(&self, who: &str, act: Act) -> Value {
        self.slack.act(who, act).await.expect("it works")
    }

    /// What a person writes; its ts.
    pub(super) async fn writes(&self, who: &str, channel: &str, text: &str) -> String {
        let act = Act::Message { channel: channel.to_owned(), text: text.to_owned(), thread_ts: None };
        self.does(who, act).await["ts"].as_str().expect("a ts").to_owned()
    }

    /// Posts as the bot; the message's ts.
    pub(super) async fn posts(&self, channel: &str, text: &str) -> String {
        let posted = self.ok("chat.postMessage", json!({ "channel": channel, "text": text })).await;
        posted["ts"].as_str().expect("a ts").to_owned()
    }

    pub(super) async fn types(&self, who: &str, channel: &str, command: &str) -> Value {
        self.does(who, Act::Command { channel: channel.to_owned(), text: command.to_owned() }).await
    }

    pub(super) async fn quiet(&self) {
        self.slack.settle().await;
    }

    pub(super) fn forward(&self, span: TimeDelta) {
        let clock = self.slack.clock();
        clock.set(clock.now() + span);
    }

    /// Texts of a channel as a person sees it.
    pub(super) fn texts(&self, who: &str, channel: &str) -> Vec<String> {
        let page = self.slack.messages(who, channel, 200, None).expect("visible");
        let messages = page["messages"].as_array().expect("messages").clone();
        messages.iter().map(|message| message["text"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

pub(super) fn plain(text: &str) -> Value {
    json!({ "type": "plain_text", "text": text })
}

/// A message's block with one button.
pub(super) fn button(action_id: &str, value: &str) -> Value {
    json!([{ "type": "actions", "block_id": "buttons", "elements": [
        { "type": "button", "action_id": action_id, "text": plain("Press"), "value": value }
    ] }])
}
