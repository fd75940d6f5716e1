//! Plays one step of the story, through the sandbox alone, as people do. A step that has happened already does nothing.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use chrono::SecondsFormat;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use super::story::{self, ALERT_TEXT, ALERT_TITLE, Answer, Does, Place, Step};
use crate::app::App;
use crate::domain::incident::Incident;
use crate::sandbox::{Act, Container, Control};
use crate::slack::actions::{SHORTCUT_ADD_TO_TIMELINE, VALUE};
use crate::store;

/// What the monitoring system shows the webhook.
pub const ALERT_SECRET: &str = "demo-shopwatch";
/// Looks for a button before it is clear that there is none.
const LOOKS_MAX: usize = 60;
/// Messages looked through.
const MESSAGES_MAX: usize = 300;

/// Lets happen what is under way; called between two looks.
pub type Rest = Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

/// A hand that acts for the people of the story.
#[derive(Clone)]
pub struct Player {
    pub slack: Control,
    pub app: App,
    /// Where the program answers HTTP.
    pub bot_url: String,
    pub http: reqwest::Client,
    pub rest: Rest,
    /// Holds a form open for a moment, for whoever watches.
    pub linger: Rest,
}

/// A button that somebody can press.
struct Found {
    container: Container,
    block_id: String,
    action_id: String,
    /// The choice, where the button is an entry of a menu.
    choice: Option<Value>,
}

impl Player {
    /// Plays `step`; `number` is the incident's, once it is open, and is set by the step that opens it.
    pub async fn play(&self, step: &Step, number: &mut Option<i64>) -> anyhow::Result<()> {
        let incident = self.incident(*number).await?;
        if let (Some(trace), Some(incident)) = (step.trace, &incident)
            && self.happened(incident, trace).await?
        {
            return Ok(());
        }
        match step.does {
            Does::Nothing => {}
            Does::Alerts => *number = Some(self.alert().await?),
            Does::Says { who, place, text } => {
                let channel = self.place(who, place, incident.as_ref()).await?;
                if self.message(who, &channel, text).is_none() {
                    self.slack.act(who, Act::Message { channel, text: text.to_owned(), thread_ts: None }).await?;
                }
            }
            Does::Replies { who, place, to, text } => {
                let channel = self.place(who, place, incident.as_ref()).await?;
                let ts = self.message(who, &channel, to).context("the message to answer is not there")?;
                let thread = self.slack.thread(who, &channel, &ts).unwrap_or_default();
                if !thread["messages"].as_array().is_some_and(|all| all.iter().any(|one| one["text"] == text)) {
                    let act = Act::Message { channel, text: text.to_owned(), thread_ts: Some(ts) };
                    self.slack.act(who, act).await?;
                }
            }
            Does::Types { who, place, line } => {
                let channel = self.place(who, place, incident.as_ref()).await?;
                self.slack.act(who, Act::Command { channel, text: line.to_owned() }).await?;
            }
            Does::Presses { who, place, button, form } => {
                self.press(who, place, incident.as_ref(), button, form).await?;
            }
            Does::Reacts { who, place, to, name } => {
                let channel = self.place(who, place, incident.as_ref()).await?;
                let ts = self.message(who, &channel, to).context("the message is not there")?;
                self.slack.act(who, Act::React { channel, ts, name: name.to_owned() }).await?;
            }
            Does::Keeps { who, place, to } => {
                let channel = self.place(who, place, incident.as_ref()).await?;
                let ts = self.message(who, &channel, to).context("the message is not there")?;
                let callback_id = SHORTCUT_ADD_TO_TIMELINE.to_owned();
                let before = self.top_view(who);
                let act = Act::Shortcut { callback_id, channel: Some(channel), ts: Some(ts) };
                self.slack.act(who, act).await?;
                self.fill_in(who, before.as_deref(), json!({})).await?;
            }
            Does::OpensHome { who } => {
                self.slack.act(who, Act::OpenHome {}).await?;
            }
        }
        self.come_to_rest().await
    }

    /// Lets everything that follows from a step follow, within reason.
    async fn come_to_rest(&self) -> anyhow::Result<()> {
        for _ in 0..LOOKS_MAX / 2 {
            (self.rest)().await;
            let mut tx = self.app.db().read().await?;
            let lanes = store::outbox::depth(&mut tx).await?;
            if lanes.values().all(|lane| lane.pending + lane.sending == 0) {
                break;
            }
        }
        Ok(())
    }

    async fn incident(&self, number: Option<i64>) -> anyhow::Result<Option<Incident>> {
        let Some(number) = number else { return Ok(None) };
        let mut incident = self.app.incident_by_number(number).await?;
        // Its channel is made a moment after it.
        for _ in 0..LOOKS_MAX {
            if incident.as_ref().is_none_or(|incident| incident.channel_id().is_some()) {
                break;
            }
            (self.rest)().await;
            incident = self.app.incident_by_number(number).await?;
        }
        Ok(incident)
    }

    async fn happened(&self, incident: &Incident, trace: &str) -> anyhow::Result<bool> {
        let history = self.app.history(incident.id).await?;
        let quoted = Value::from(trace).to_string();
        let trace = if trace.starts_with('"') { trace } else { quoted.trim_matches('"') };
        Ok(history
            .iter()
            .any(|recorded| serde_json::to_string(&recorded.occurrence.event).is_ok_and(|event| event.contains(trace))))
    }

    /// The channel's id. Whoever was invited to the incident is in it a moment later; who was not joins by himself.
    async fn place(&self, who: &str, place: Place, incident: Option<&Incident>) -> anyhow::Result<String> {
        let channel = self.find(who, place, incident)?;
        if place != Place::Incident {
            return Ok(channel);
        }
        for _ in 0..LOOKS_MAX {
            let state = self.slack.state(who);
            let known =
                state["channels"].as_array().and_then(|all| all.iter().find(|one| one["id"] == channel.as_str()));
            if known.is_some_and(|known| known["member"] == true) {
                return Ok(channel);
            }
            (self.rest)().await;
        }
        self.slack.act(who, Act::Join { channel: channel.clone() }).await?;
        Ok(channel)
    }

    fn find(&self, who: &str, place: Place, incident: Option<&Incident>) -> anyhow::Result<String> {
        match place {
            Place::Named(name) => self.slack.find_channel(name).with_context(|| format!("there is no #{name}")),
            Place::Incident => {
                let incident = incident.context("the incident is not open yet")?;
                let channel = incident.channel_id().context("the incident has no channel")?;
                Ok(channel.to_string())
            }
            Place::Direct => {
                let state = self.slack.state(who);
                let bot = state["app"]["user_id"].as_str().unwrap_or_default();
                self.slack.find_direct(who, bot).context("the bot has not written to them")
            }
        }
    }

    /// The ts of the newest message that begins so.
    fn message(&self, who: &str, channel: &str, begins: &str) -> Option<String> {
        let page = self.slack.messages(who, channel, MESSAGES_MAX, None)?;
        let begins = begins.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let found = page["messages"].as_array()?.iter().rev().find(|message| {
            message["bot_id"].is_null() && message["text"].as_str().is_some_and(|text| text.starts_with(&begins))
        })?;
        found["ts"].as_str().map(str::to_owned)
    }

    /// What Prometheus Alertmanager sends.
    async fn alert(&self) -> anyhow::Result<i64> {
        let started = story::instant(0).to_rfc3339_opts(SecondsFormat::Secs, true);
        let labels = json!({ "alertname": "ShopResponseTime", "service": "shop-web" });
        let annotations = json!({ "summary": ALERT_TITLE, "description": ALERT_TEXT });
        let body = json!({
            "version": "4",
            "groupKey": "{}:{alertname=\"ShopResponseTime\"}",
            "status": "firing",
            "receiver": "firebell",
            "groupLabels": { "alertname": "ShopResponseTime" },
            "commonLabels": labels,
            "commonAnnotations": annotations,
            "externalURL": "http://alertmanager.shopfront.example",
            "alerts": [{
                "status": "firing",
                "labels": labels,
                "annotations": annotations,
                "startsAt": started,
                "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": "http://prometheus.shopfront.example/graph",
                "fingerprint": "5f0c1d8a7b3e2946",
            }],
        });
        let url = format!("{}/alerts/alertmanager", self.bot_url);
        let answer = self.http.post(url).bearer_auth(ALERT_SECRET).json(&body).send().await?;
        let status = answer.status();
        let answer: Value = answer.json().await.unwrap_or_default();
        let named = answer["accepted"][0]["incident"].as_str().and_then(|name| name.strip_prefix("INC-"));
        match named.and_then(|number| number.parse().ok()) {
            Some(number) => Ok(number),
            None => bail!("the alert was answered {status}: {answer}"),
        }
    }

    /// Presses the newest such button, waiting a little for it to appear; none at all is fine: somebody was quicker.
    async fn press(
        &self,
        who: &str,
        place: Place,
        incident: Option<&Incident>,
        button: &str,
        form: &[(&str, Answer)],
    ) -> anyhow::Result<()> {
        let mut found = None;
        for _ in 0..LOOKS_MAX {
            found = self.find(who, place, incident).ok().and_then(|channel| self.button(who, &channel, button));
            if found.is_some() {
                break;
            }
            (self.rest)().await;
        }
        let Some(Found { container, block_id, action_id, choice }) = found else {
            tracing::debug!(who, button, "no such button: somebody was quicker");
            return Ok(());
        };
        let before = self.top_view(who);
        let action = choice.map(|choice| [("selected_option".to_owned(), choice)].into_iter().collect());
        let action = action.unwrap_or_default();
        self.slack.act(who, Act::Action { container, block_id, action_id, action, state: None }).await?;
        if form.is_empty() {
            return Ok(());
        }
        self.fill_in(who, before.as_deref(), filled_in(form)).await
    }

    /// Sends the form that opens on top of `before`, what is not in `values` as it is.
    async fn fill_in(&self, who: &str, before: Option<&str>, values: Value) -> anyhow::Result<()> {
        for _ in 0..LOOKS_MAX {
            let view = self.top_view(who);
            if let Some(view_id) = view.filter(|view| Some(view.as_str()) != before) {
                (self.linger)().await;
                let answer = self.slack.act(who, Act::Submit { view_id, values }).await?;
                if let Some(errors) = answer.get("errors") {
                    bail!("the form was not accepted: {errors}");
                }
                return Ok(());
            }
            (self.rest)().await;
        }
        bail!("the form did not open")
    }

    fn top_view(&self, who: &str) -> Option<String> {
        let views = self.slack.views(who);
        views["stack"].as_array()?.last()?["id"].as_str().map(str::to_owned)
    }

    fn button(&self, who: &str, channel: &str, button: &str) -> Option<Found> {
        let page = self.slack.messages(who, channel, MESSAGES_MAX, None)?;
        page["messages"].as_array()?.iter().rev().find_map(|message| {
            let container = || Container::Message {
                channel: channel.to_owned(),
                ts: message["ts"].as_str().unwrap_or_default().to_owned(),
            };
            message["blocks"].as_array()?.iter().find_map(|block| {
                let elements = block["elements"].as_array().into_iter().flatten();
                elements.chain(block.get("accessory")).find_map(|element| {
                    let id = element["action_id"].as_str()?;
                    let choice = element["options"]
                        .as_array()
                        .and_then(|options| options.iter().find(|option| asks_for(&option["value"], button)));
                    let pressed = element["type"] == "button" && asks_for(&element["value"], button);
                    (pressed || choice.is_some()).then(|| Found {
                        container: container(),
                        block_id: block["block_id"].as_str().unwrap_or_default().to_owned(),
                        action_id: id.to_owned(),
                        choice: choice.cloned(),
                    })
                })
            })
        })
    }
}

/// Whether a button's value is that of the kind of button that is looked for.
fn asks_for(value: &Value, button: &str) -> bool {
    let value = value.as_str().and_then(|value| serde_json::from_str::<Value>(value).ok());
    value.is_some_and(|value| value["do"] == button)
}

fn filled_in(form: &[(&str, Answer)]) -> Value {
    let mut values = json!({});
    for (block_id, answer) in form {
        values[*block_id][VALUE] = match answer {
            Answer::Text(text) => json!({ "value": text }),
            Answer::Option(value) => json!({ "selected_option": { "value": value } }),
            Answer::Person(user) => json!({ "selected_user": user }),
            Answer::Day(day) => json!({ "selected_date": day }),
            Answer::Moment(at_s) => json!({ "selected_date_time": story::instant(*at_s).timestamp() }),
        };
    }
    values
}
