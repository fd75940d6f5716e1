//! Replays a recorded incident through the whole program: sandbox workspace, signed requests and alert webhook,
//! commands, database, timers under a manual clock, export.
//!
//! Every entry of the record is said by somebody at its own instant, in the words that people use: `/incident note`,
//! `/escalate`, an alert. What Firebell adds by itself (pages, unanswered tiers) is marked `auto` in the document.

pub mod record;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, bail};
use chrono::SecondsFormat;
use serde_json::{Value, json};

use self::record::{Entry, Kind, Record};
use crate::config::compared;
use crate::domain::postmortem::Postmortem;
use crate::ids::IntegrationKey;
use crate::sandbox::{Act, Workspace};
use crate::slack::command::RESERVED;
use crate::stage::{Set, Stage, sqlite_in};

const MONITORING: &str = "monitoring";
const MONITORING_SECRET: &str = "replayed-monitoring";
const NARRATOR: &str = "U0NARRATOR";
const FALLBACK: &str = "U0FALLBACK";
const CHANNEL: &str = "C0INCIDENT";

/// A replayed incident.
pub struct Replayed {
    pub document: Postmortem,
}

/// Plays the record; `export_dir` is where the program exports its documents to.
///
/// # Errors
/// When the program refuses something of the record, with its answer.
pub async fn play(record: &Record, export_dir: Option<&Path>) -> anyhow::Result<Replayed> {
    let folder = tempfile::tempdir().context("no temporary folder can be made")?;
    let teams = Teams::of(record);
    let stage = Stage::set(Set {
        start_at: record.entries[opening(record)].at,
        config: configuration(record, &teams, export_dir)?,
        folder: folder.path().to_owned(),
        database_url: sqlite_in(folder.path()),
        workspace: workspace(record, &teams),
        keys: vec![(IntegrationKey::from(MONITORING), MONITORING_SECRET.to_owned())],
        rate_limits: true,
    })
    .await?;
    let mut player = Player { stage, record, teams, number: None, joined: BTreeSet::new() };
    player.tell().await?;
    player.answer_questions().await?;
    player.stage.settle().await?;
    player.document().await
}

/// The entry with which the incident is opened: the first that is more than a note of what came before.
fn opening(record: &Record) -> usize {
    let opens = |entry: &Entry| !matches!(entry.kind, Kind::Note | Kind::Action);
    let detected = record.entries.iter().position(|entry| entry.kind == Kind::Detected);
    detected.or_else(|| record.entries.iter().position(opens)).unwrap_or(0)
}

/// The teams that a record names, in order of appearance, each with a key and two people.
struct Teams {
    keys: BTreeMap<String, usize>,
    names: Vec<String>,
    /// What every key begins with and no name does.
    prefix: String,
}

impl Teams {
    fn of(record: &Record) -> Self {
        let mut spellings: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
        for name in record.entries.iter().filter_map(|entry| entry.team.as_deref()) {
            spellings.entry(compared(name)).or_default().insert(name);
        }
        let mut prefix = "team".to_owned();
        while spellings.keys().any(|name| name.starts_with(&compared(&prefix))) {
            prefix.insert(0, 'a');
        }
        let mut teams = Self { keys: BTreeMap::new(), names: Vec::new(), prefix };
        for name in record.entries.iter().filter_map(|entry| entry.team.as_ref()) {
            // Words that /escalate has for itself name no team, nor do two spellings that it would take for one: such
            // teams are called outside Firebell.
            let said = compared(name);
            if RESERVED.contains(&said.as_str()) || spellings.get(&said).is_some_and(|names| names.len() > 1) {
                continue;
            }
            if !teams.keys.contains_key(name) {
                teams.names.push(name.clone());
                teams.keys.insert(name.clone(), teams.names.len());
            }
        }
        teams
    }

    /// The key of a team that Firebell pages.
    fn key(&self, name: &str) -> Option<String> {
        self.keys.get(name).map(|number| self.numbered(*number))
    }

    fn numbered(&self, number: usize) -> String {
        format!("{}-{number}", self.prefix)
    }

    /// What is typed for a team where it is only named.
    fn option(&self, name: &str) -> String {
        self.key(name).map_or_else(|| format!(" team={}", in_quotes(name)), |key| format!(" team={key}"))
    }
}

fn user_id(team: usize, person: usize) -> String {
    format!("U0TEAM{team:03}P{person}")
}

fn configuration(record: &Record, teams: &Teams, export_dir: Option<&Path>) -> anyhow::Result<String> {
    let team = |(index, name): (usize, &String)| {
        let tier = |person| json!({ "targets": [user_id(index + 1, person)], "wait": "5m" });
        json!({ "key": teams.numbered(index + 1), "name": name, "rounds": 1, "tiers": [tier(1), tier(2)] })
    };
    let mut config = json!({
        "slack": { "mode": "http" },
        "incidents": { "announce_in": CHANNEL, "time_zone": record.timezone },
        "fallback": { "targets": [FALLBACK] },
        "teams": teams.names.iter().enumerate().map(team).collect::<Vec<_>>(),
        "integrations": [{
            "key": MONITORING,
            "kind": "generic",
            "key_sha256": hex::encode(crate::alerts::keys::digest(MONITORING_SECRET)),
        }],
    });
    if let Some(dir) = export_dir {
        let dir = std::path::absolute(dir).context("the export directory has no absolute path")?;
        config["export"] = json!({ "dir": dir });
    }
    toml::to_string(&config).context("the configuration cannot be written")
}

fn workspace(record: &Record, teams: &Teams) -> Workspace {
    let mut workspace = Workspace::demo();
    let template = workspace.users[0].clone();
    let mut person = |id: &str, name: String| {
        let mut user = template.clone();
        id.clone_into(&mut user.id);
        user.name = name.to_lowercase().replace(' ', "-");
        user.real_name = name;
        user.email = None;
        user.tz.clone_from(&record.timezone);
        workspace.users.push(user);
        for channel in &mut workspace.channels {
            channel.members.push(id.to_owned());
        }
    };
    person(NARRATOR, "Narrator".to_owned());
    person(FALLBACK, "Duty manager".to_owned());
    for team in 1..=teams.names.len() {
        for number in 1..=2 {
            person(&user_id(team, number), format!("On-call {team}.{number}"));
        }
    }
    workspace
}

struct Player<'a> {
    stage: Stage,
    record: &'a Record,
    teams: Teams,
    number: Option<i64>,
    /// Who is in the incident's channel.
    joined: BTreeSet<String>,
}

impl Player<'_> {
    async fn tell(&mut self) -> anyhow::Result<()> {
        let record = self.record;
        let first = opening(record);
        self.open().await?;
        for earlier in &record.entries[..first] {
            let time = earlier.at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
            self.say(earlier, &time).await?;
        }
        for (index, entry) in record.entries.iter().enumerate().skip(first) {
            self.stage.advance_to(entry.at).await?;
            if self.is_alert(entry) && self.is_open().await? {
                self.alert(entry, index).await?;
            } else {
                self.say(entry, "now").await?;
            }
        }
        Ok(())
    }

    fn is_alert(&self, entry: &Entry) -> bool {
        entry.kind == Kind::Detected
            && self.record.detected_by.as_deref() == Some(MONITORING)
            && entry.team.is_none()
            && !entry.approx
    }

    /// Whether an alert would join the incident; one that is over would leave it to a new one.
    async fn is_open(&self) -> anyhow::Result<bool> {
        let Some(number) = self.number else { return Ok(true) };
        Ok(self.stage.incident(number).await?.is_open())
    }

    async fn open(&mut self) -> anyhow::Result<()> {
        self.types(CHANNEL, NARRATOR, &format!("/incident open retro {}", in_quotes(&self.record.title))).await?;
        self.number = Some(1);
        Ok(())
    }

    async fn alert(&mut self, entry: &Entry, index: usize) -> anyhow::Result<()> {
        let mut body = json!({
            "title": self.record.title,
            "text": entry.text,
            "dedup_key": format!("entry-{index}"),
            "started_at": entry.at.to_rfc3339_opts(SecondsFormat::AutoSi, true),
        });
        if let Some(number) = self.number {
            body["incident"] = json!(format!("INC-{number}"));
        }
        let (status, answer) = self.stage.post_json("/alerts/generic", MONITORING_SECRET, &body).await?;
        if !(200..300).contains(&status) {
            bail!("the alert of entries[{index}] was refused ({status}): {answer}");
        }
        self.number.get_or_insert(1);
        Ok(())
    }

    /// Says an entry as somebody would; `time` is what is typed before the text, closed by a colon so that the text is
    /// taken as it is.
    async fn say(&mut self, entry: &Entry, time: &str) -> anyhow::Result<()> {
        let text = &entry.text;
        let team = entry.team.as_ref().and_then(|name| self.teams.key(name));
        let option = entry.team.as_ref().map_or_else(String::new, |name| self.teams.option(name));
        let about = if entry.approx { "~" } else { "" };
        let when = format!("{option} {about}{time}:");
        let line = match entry.kind {
            Kind::Detected => format!("/incident detected{when} {text}"),
            Kind::Declared => format!("/incident declared{when} {text}"),
            // The option's colon keeps lines together, whatever they begin with.
            Kind::Note => format!("/incident note{option} {about}{time} kind=note: {text}"),
            Kind::Action => format!("/incident action{option} {about}{time} kind=action: {text}"),
            Kind::Mitigated => format!("/incident mitigated{when} {text}"),
            Kind::Resolved => format!("/incident resolve{when} {text}"),
            Kind::Ack => format!("/incident ack{when} {text}"),
            Kind::Escalated => match &team {
                Some(key) if !entry.approx && time == "now" => format!("/escalate {key} {text}"),
                _ => format!("/incident called{when} {text}"),
            },
        };
        let who = match (&entry.team, entry.kind) {
            (Some(name), Kind::Ack) => {
                self.teams.keys.get(name).map_or_else(|| NARRATOR.to_owned(), |number| user_id(*number, 1))
            }
            _ => NARRATOR.to_owned(),
        };
        let channel = self.channel().await?;
        self.types(&channel, &who, &line).await
    }

    /// The answers that the postmortem needs, as people give them when it is over.
    async fn answer_questions(&mut self) -> anyhow::Result<()> {
        let record = self.record;
        let instant = |at: chrono::DateTime<chrono::Utc>| at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
        let mut lines = Vec::new();
        lines.extend(record.impact_start.map(|at| format!("started {}", instant(at))));
        lines.extend(record.impact_end.map(|at| format!("ended {}", instant(at))));
        let service = record.service_phrase.clone().or_else(|| services(&record.services));
        let answers = [
            ("impact", &record.impact),
            ("kind", &record.impact_kind),
            ("service", &service),
            ("affected", &record.affected),
            ("saw", &record.affected_detail),
            ("detected-by", &record.detected_by),
            ("cause", &record.root_cause),
            ("resolution", &record.resolution),
        ];
        lines.extend(answers.into_iter().filter_map(|(verb, text)| {
            // The kind is one of a few words and has no colon.
            let colon = if verb == "kind" { "" } else { ": " };
            Some(format!("{verb} {colon}{}", text.as_ref()?))
        }));
        lines.extend(record.measures.iter().map(|text| format!("measure : {text}")));
        let channel = self.channel().await?;
        for line in lines {
            self.types(&channel, NARRATOR, &format!("/incident {line}")).await?;
        }
        for text in &record.tasks {
            self.types(&channel, NARRATOR, &format!("/incident task : {text}")).await?;
        }
        Ok(())
    }

    /// The incident's channel, or the general one while Slack has not made it.
    async fn channel(&self) -> anyhow::Result<String> {
        let incident = self.stage.incident(self.number.unwrap_or(1)).await?;
        Ok(incident.channel_id().map_or_else(|| CHANNEL.to_owned(), ToString::to_string))
    }

    async fn types(&mut self, channel: &str, user: &str, line: &str) -> anyhow::Result<()> {
        if channel != CHANNEL && self.joined.insert(user.to_owned()) {
            self.stage.slack.act(user, Act::Join { channel: channel.to_owned() }).await?;
        }
        let before = self.history_len().await?;
        let answer = self.stage.types_plainly(user, channel, line).await?;
        if answer["status"].as_u64() != Some(200) || self.history_len().await? == before {
            let said = answer["response"]["text"].as_str().unwrap_or("nothing was answered");
            bail!("Firebell did not take “{line}”: {said}");
        }
        Ok(())
    }

    async fn history_len(&self) -> anyhow::Result<u32> {
        let incident = self.stage.program.app.incident_by_number(1).await?;
        Ok(incident.map_or(0, |incident| incident.last_seq))
    }

    async fn document(self) -> anyhow::Result<Replayed> {
        let incident = self.stage.incident(1).await?;
        let history = self.stage.verified_history(incident.id).await?;
        let app = &self.stage.program.app;
        let documents = self.stage.program.documents();
        let document = documents.postmortem(&incident, &history, &app.directory(), app.clock().now());
        Ok(Replayed { document })
    }
}

/// The text in quotes that do not occur in it.
fn in_quotes(text: &str) -> String {
    let (left, right) = [("\"", "\""), ("“", "”"), ("«", "»")]
        .into_iter()
        .find(|(left, right)| !text.contains(left) && !text.contains(right))
        .unwrap_or_default();
    format!("{left}{text}{right}")
}

fn services(services: &[String]) -> Option<String> {
    match services {
        [] => None,
        [one] => Some(one.clone()),
        [most @ .., last] => Some(format!("{} and {last}", most.join(", "))),
    }
}

/// What `--format json` prints: the lossless document.
pub fn as_json(replayed: &Replayed) -> Value {
    serde_json::from_str(&crate::domain::postmortem::json::json(&replayed.document)).unwrap_or(Value::Null)
}
