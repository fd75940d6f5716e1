//! People who open incidents, call teams, take notes and answer, and who remember what they were told.

use std::sync::atomic::{AtomicU32, Ordering};

use rand::RngExt as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use crate::slack::Slack;

const ANA: &str = "U0ANA00001";
const GENERAL: &str = "C0SHOPOPS1";

pub struct People {
    slack: Slack,
    said: AtomicU32,
    /// Incidents that are opened at most, and calls that are asked for: all that they cause has to pass Slack's limits
    /// before the end.
    incidents_max: usize,
    calls_left: usize,
    pub confirmed: Confirmed,
}

/// What was answered with a yes.
#[derive(Debug, Default)]
pub struct Confirmed {
    /// Numbers of incidents, with their titles.
    pub opened: Vec<(i64, String)>,
    /// Notes with the number of their incident.
    pub noted: Vec<(i64, String)>,
}

impl People {
    pub fn new(slack: Slack, incidents_max: usize) -> Self {
        Self {
            slack,
            said: AtomicU32::new(0),
            incidents_max,
            calls_left: incidents_max,
            confirmed: Confirmed::default(),
        }
    }

    /// Works until the future is dropped.
    pub async fn work(&mut self, dice: &mut StdRng) {
        loop {
            match (dice.random_range(0..10), self.known(dice)) {
                (_, None) => self.open(dice).await,
                (0..=2, Some(_)) if self.confirmed.opened.len() < self.incidents_max => self.open(dice).await,
                (0..=6, Some(number)) => self.note(number).await,
                (7..=8, Some(number)) if self.calls_left > 0 => {
                    self.calls_left -= 1;
                    self.types(&format!("/escalate INC-{number} db-team")).await;
                }
                (_, Some(number)) => {
                    self.types(&format!("/escalate INC-{number} ack")).await;
                }
            }
        }
    }

    fn known(&self, dice: &mut StdRng) -> Option<i64> {
        let opened = &self.confirmed.opened;
        (!opened.is_empty()).then(|| opened[dice.random_range(0..opened.len())].0)
    }

    fn words(&self, what: &str) -> String {
        format!("{what} {}", self.said.fetch_add(1, Ordering::Relaxed))
    }

    async fn open(&mut self, dice: &mut StdRng) {
        let team = ["db-team", "dev-team"][dice.random_range(0..2)];
        self.open_for(team).await;
    }

    /// Opens an incident and calls this team.
    pub async fn open_for(&mut self, team: &str) {
        let title = self.words("outage");
        let answer = self.types(&format!("/incident open team={team} {title}")).await;
        if let Some(number) = number_in(&answer) {
            self.confirmed.opened.push((number, title));
        }
    }

    async fn note(&mut self, number: i64) {
        let text = self.words("looked at node");
        let answer = self.types(&format!("/incident INC-{number} note {text}")).await;
        if number_in(&answer) == Some(number) || answer.contains(&text) {
            self.confirmed.noted.push((number, text));
        }
    }

    /// The text of the answer; empty if there was none.
    async fn types(&self, text: &str) -> String {
        let done = self.slack.act(ANA, json!({ "do": "command", "channel": GENERAL, "text": text })).await;
        if done["error_code"].is_string() { String::new() } else { text_of(&done) }
    }
}

/// Every text in an answer.
fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => format!("{text}\n"),
        Value::Array(list) => list.iter().map(text_of).collect(),
        Value::Object(fields) => fields.values().map(text_of).collect(),
        _ => String::new(),
    }
}

fn number_in(answer: &str) -> Option<i64> {
    let rest = answer.split("INC-").nth(1)?;
    rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok()
}
