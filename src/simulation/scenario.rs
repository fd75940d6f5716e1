//! What happens in a run: who there is, what people and monitors ask for and when, and how people answer their pages.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use crate::app::{Request, Target as About};
use crate::domain::answer::Answer;
use crate::domain::command::{Acknowledge, Alert, Command, Open, When};
use crate::domain::contact::Contacts;
use crate::domain::event::{Actor, NoteKind, Origin};
use crate::domain::hold::AskAfter;
use crate::domain::incident::Severity;
use crate::domain::limits::{TEXT_CHARS_MAX, TITLE_CHARS_MAX};
use crate::domain::policy::{Mention, Policy, Target, Tier};
use crate::domain::roster::{Directory, Person, Roster, Route, Team, UserGroup};
use crate::ids::{ChannelId, EscalationId, IncidentId, IntegrationKey, PageId, TeamKey, UserGroupId, UserId};

use super::dice::Dice;
use super::outside::CANARY;

pub(super) const SECOND: i64 = 1_000_000;
pub(super) const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
/// After the last request and the last fault everything must come to rest within this.
pub(super) const REST: i64 = 10 * MINUTE;

/// Which incident is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// The one that the n-th opening makes.
    Slot(usize),
    Known(IncidentId),
}

/// What is asked for.
#[derive(Clone, Debug)]
pub(super) enum Ask {
    Open {
        team: Option<String>,
        private: bool,
    },
    Alert,
    AlertCleared,
    Escalate {
        team: String,
    },
    Acknowledge {
        page: Option<PageId>,
    },
    Decline {
        page: PageId,
        generation: u32,
    },
    Next,
    Stop,
    Resolve,
    Reopen,
    Note,
    Update,
    Severity(Severity),
    /// The buttons of a question about a call on hold.
    PageNow {
        escalation: EscalationId,
        generation: u32,
    },
    EndCall {
        escalation: EscalationId,
        generation: u32,
    },
}

/// Somebody who wants something and insists until there is an answer.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) key: String,
    /// What they say: the key, and perhaps much more.
    pub(super) words: String,
    pub(super) which: Which,
    pub(super) ask: Ask,
    pub(super) by: String,
    pub(super) answer: Option<Answer>,
    pub(super) tries: u32,
}

/// How people take being paged, in ten thousand pages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mood {
    pub(super) acknowledge: u32,
    pub(super) decline: u32,
    pub(super) slowest_s: i64,
    /// What people do who are asked whether a call on hold should go on: have people paged, end it, take it themselves.
    pub(super) asked: [u32; 3],
}

/// A time in which no machine runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Absence {
    pub(super) at: i64,
    pub(super) span: i64,
    /// They only stand still, and go on with all that they had in their hands.
    pub(super) standing: bool,
}

/// A run before it begins.
#[derive(Clone, Debug)]
pub(super) struct Scenario {
    pub(super) hosts: usize,
    pub(super) roster: Roster,
    /// The configuration after somebody edits it, and when.
    pub(super) edit: Option<(i64, Roster)>,
    pub(super) directory: Directory,
    /// Accounts of which Firebell does not know that they are gone.
    pub(super) gone: Vec<String>,
    pub(super) clients: Vec<(i64, Client)>,
    pub(super) mood: Mood,
    /// When nothing new happens any more.
    pub(super) calm_at: i64,
    /// Nothing new happens either once so much has.
    pub(super) steps_max: u64,
    /// Steps of the machine's clock: when, and by how much.
    pub(super) steps: Vec<(i64, i64)>,
    /// Programs that are stopped in an orderly way, and when.
    pub(super) stops: Vec<i64>,
    pub(super) absence: Option<Absence>,
    /// When Slack is out of reach, and when every other way is.
    pub(super) slack_away: Option<(i64, i64)>,
    pub(super) outside_away: Option<(i64, i64)>,
    /// Whether Slack takes its time.
    pub(super) slow_slack: bool,
}

/// How long a run is: most mistakes show within few minutes, some take long.
fn minutes(dice: &mut Dice) -> i64 {
    if dice.chance(150) { 40 } else { *dice.pick(&[2, 2, 2, 2, 2, 2, 3, 3, 5, 8]) }
}

/// What most runs may come to before they are brought to their end, and some. Few runs would else take most of the time.
const STEPS_FEW: [u64; 4] = [250, 350, 450, 700];
const STEPS_MANY: u64 = 4_000;
/// What being asked and answering may come to beside that.
const STEPS_OF_HOLD: u64 = 200;

pub(super) const PEOPLE: [&str; 6] = ["UANA", "UBEN", "UCAT", "UDAN", "UELI", "UFAY"];
const FALLBACK: &str = "UFALL";
const TEAMS: [&str; 3] = ["db", "web", "net"];

impl Scenario {
    pub(super) fn of(seed: u64) -> Self {
        let dice = &mut Dice::new(seed, "scenario");
        let hosts = *dice.pick(&[1, 1, 1, 1, 1, 1, 2, 2, 2, 3]);
        let directory = directory();
        let roster = roster(dice);
        let storm = dice.chance(100);
        let length = minutes(dice) * MINUTE;
        let length = if storm { length.min(3 * MINUTE) } else { length };
        let mut scenario = Self {
            hosts,
            edit: dice.chance(1_500).then(|| (dice.between(SECOND, length), self::roster(dice))),
            roster,
            directory,
            gone: if dice.chance(2_500) { vec![(*dice.pick(&PEOPLE)).to_owned()] } else { Vec::new() },
            clients: Vec::new(),
            mood: Mood {
                acknowledge: *dice.pick(&[0, 1_500, 5_000, 9_000, 9_000]),
                decline: *dice.pick(&[0, 0, 1_000]),
                slowest_s: *dice.pick(&[3, 20, 120]),
                asked: [0; 3],
            },
            calm_at: length,
            steps_max: if storm || dice.chance(100) { STEPS_MANY } else { *dice.pick(&STEPS_FEW) },
            steps: Vec::new(),
            stops: Vec::new(),
            absence: None,
            slack_away: None,
            outside_away: None,
            slow_slack: storm || dice.chance(1_000),
        };
        if hosts == 1 && dice.chance(800) {
            let by = *dice.pick(&[-3_600, -30, 45, 7_200, 7_200]) * SECOND;
            let latest = if dice.chance(5_000) { 20 * SECOND } else { length };
            scenario.steps.push((dice.between(SECOND, latest), by));
        }
        scenario.plan_outages(dice);
        if dice.chance(1_200) {
            scenario.stops.push(dice.between(SECOND, length));
        }
        if storm {
            scenario.fill_with_storm(dice);
        } else {
            scenario.fill(dice, length);
        }
        scenario.close(dice);
        // Where clocks are set nobody can say what is late.
        if !storm && scenario.steps.is_empty() {
            scenario.plan_holds(&mut Dice::new(seed, "holds"), length);
        }
        scenario.wax_eloquent(&mut Dice::new(seed, "words"));
        scenario.set_clocks_early(&mut Dice::new(seed, "clocks"));
        scenario
    }

    /// Where a clock is set, it is often set hours ahead before anything happens: what is judged by it shows then.
    fn set_clocks_early(&mut self, dice: &mut Dice) {
        if let Some(step) = self.steps.first_mut().filter(|_| dice.chance(5_000)) {
            *step = (dice.between(0, SECOND), 2 * HOUR);
        }
    }

    /// In some runs people write as much as they may, of what takes most room in Slack.
    fn wax_eloquent(&mut self, dice: &mut Dice) {
        if !dice.chance(500) {
            return;
        }
        for (_, client) in &mut self.clients {
            let more = *dice.pick(&["<&>", "<!channel> ", "`*_~", "w", "\n> ", "👩‍🚒", "@UANA "]);
            let room = TEXT_CHARS_MAX - client.key.chars().count() - 1;
            let times = *dice.pick(&[160, 3_000, room]) / more.chars().count();
            client.words = format!("{} {}", client.key, more.repeat(times)).trim_end().to_owned();
        }
    }

    /// In some runs everything stands for so long that calls are put on hold, or almost; in others Slack does.
    fn plan_holds(&mut self, dice: &mut Dice, length: i64) {
        let outage = self.slack_away.is_some_and(|(from, to)| to - from > HOUR);
        if !outage && !dice.chance(1_500) {
            return;
        }
        let ask_after = if outage { HOUR } else { *dice.pick(&[HOUR, HOUR, 12 * HOUR]) };
        self.roster.ask_after = AskAfter(TimeDelta::microseconds(ask_after));
        if let Some((_, edited)) = &mut self.edit {
            edited.ask_after = self.roster.ask_after;
        }
        self.mood.acknowledge = *dice.pick(&[0, 1_500, 5_000]);
        self.mood.asked =
            *dice.pick(&[[0, 0, 0], [9_000, 0, 0], [4_000, 2_000, 2_000], [4_000, 2_000, 2_000], [0, 5_000, 3_000]]);
        self.steps_max += STEPS_OF_HOLD;
        if dice.chance(2_000) {
            self.gone.push(FALLBACK.to_owned());
        }
        if !outage {
            let latest = *dice.pick(&[25 * SECOND, 25 * SECOND, 90 * SECOND]);
            let at = dice.between(2 * SECOND, length.min(latest));
            let more = *dice.pick(&[-2 * MINUTE, SECOND, MINUTE, 6 * MINUTE, 6 * MINUTE, 3 * ask_after]);
            let span = ask_after + more;
            self.absence = Some(Absence { at, span, standing: dice.chance(3_000) });
        }
    }

    /// Slack may be out of reach, for hours even, and with it the other ways.
    fn plan_outages(&mut self, dice: &mut Dice) {
        let from = dice.between(0, 30 * SECOND);
        let span = *dice.pick(&[90, 90, 150, 150, 300, 4 * 3_600]) * SECOND;
        if dice.chance(if self.roster.contacts.is_empty() { 300 } else { 2_000 }) {
            self.slack_away = Some((from, from + span));
            self.calm_at = self.calm_at.max(from + span);
            let until = from + dice.between(SECOND, span);
            self.outside_away = dice.chance(3_000).then_some((from, until));
        }
    }

    /// Whether this person can be reached besides Slack, as every configuration of this run has it.
    pub(super) fn has_other_way(&self, user: &UserId) -> bool {
        self.edit.is_none() && self.roster.contacts.get(user).is_some_and(|ways| !ways.is_empty())
    }

    fn ask(&mut self, at: i64, which: Which, by: &str, ask: Ask) {
        let key = format!("delivery-{}", self.clients.len());
        self.clients.push((at, Client::new(key, which, by, ask)));
    }

    fn fill(&mut self, dice: &mut Dice, length: i64) {
        let incidents = if dice.chance(500) { *dice.pick(&[3, 4, 5]) } else { *dice.pick(&[1, 1, 1, 1, 2]) };
        for slot in 0..incidents {
            let at = dice.between(0, (20 * SECOND).min(length));
            let which = Which::Slot(slot);
            let team = dice.chance(8_000).then(|| self.some_team(dice));
            let private = dice.chance(2_500);
            let opening = if dice.chance(2_500) { Ask::Alert } else { Ask::Open { team, private } };
            let by = *dice.pick(&PEOPLE);
            self.ask(at, which, by, opening);
            for _ in 0..*dice.pick(&[0, 0, 1, 1, 2, 3]) {
                let later = dice.between(at, length);
                let by = *dice.pick(&PEOPLE);
                let ask = match dice.below(14) {
                    0..=2 => Ask::Escalate { team: self.some_team(dice) },
                    3 | 4 => Ask::Acknowledge { page: None },
                    5 => Ask::Next,
                    6 => Ask::Stop,
                    7 | 8 => Ask::Resolve,
                    9 => Ask::Reopen,
                    10 => Ask::Note,
                    11 => Ask::Update,
                    12 => Ask::Severity(*dice.pick(&Severity::ALL)),
                    _ => Ask::AlertCleared,
                };
                self.ask(later, which, by, ask);
            }
        }
    }

    /// In most runs people end everything before the end, in some everybody is called until the last.
    fn close(&mut self, dice: &mut Dice) {
        let opened = |ask: &Ask| matches!(ask, Ask::Open { .. } | Ask::Alert);
        let slots: Vec<Which> =
            self.clients.iter().filter(|(_, client)| opened(&client.ask)).map(|(_, client)| client.which).collect();
        if self.mood.acknowledge > 0 || dice.chance(5_000) {
            for which in slots {
                self.ask(self.calm_at + dice.between(0, MINUTE), which, "UANA", Ask::Resolve);
            }
        }
    }

    /// Many alerts in the same seconds.
    fn fill_with_storm(&mut self, dice: &mut Dice) {
        let incidents = usize::try_from(dice.between(12, 24)).unwrap_or(12);
        for slot in 0..incidents {
            let at = SECOND + dice.between(0, 3 * SECOND);
            self.ask(at, Which::Slot(slot), "", Ask::Alert);
        }
    }

    fn some_team(&self, dice: &mut Dice) -> String {
        let keys: Vec<&TeamKey> = self.roster.teams.keys().collect();
        dice.pick(&keys).to_string()
    }
}

fn directory() -> Directory {
    let person = |id: &str, deactivated| Person {
        id: id.into(),
        name: id.to_lowercase(),
        zone: Some("Europe/Lisbon".to_owned()),
        deactivated,
        is_bot: false,
        restricted: false,
        external: false,
    };
    let mut people: BTreeMap<UserId, Person> =
        PEOPLE.iter().chain([&FALLBACK]).map(|id| (UserId::from(*id), person(id, false))).collect();
    people.insert("UOLD".into(), person("UOLD", true));
    let group = |handle: &str, users: &[&str]| {
        let id = UserGroupId::new(format!("S{handle}"));
        let users = users.iter().map(|user| UserId::from(*user)).collect();
        (id.clone(), UserGroup { id, handle: handle.to_owned(), name: handle.to_owned(), users })
    };
    let groups = [group("few", &["UBEN", "UCAT"]), group("empty", &[]), group("old", &["UOLD"])];
    Directory { people, groups: groups.into_iter().collect() }
}

fn target(dice: &mut Dice) -> Target {
    let group =
        |handle: &str| Target::UserGroup { group: UserGroupId::new(format!("S{handle}")), handle: handle.into() };
    match dice.below(16) {
        0..=8 => Target::User { user: UserId::from(*dice.pick(&PEOPLE)) },
        9 | 10 => group("few"),
        11 => group("empty"),
        12 => group("missing"),
        13 => Target::User { user: "UOLD".into() },
        _ => Target::Channel { channel: "COPS".into(), mention: Mention::Here },
    }
}

/// Ways besides Slack, for some.
fn contacts(dice: &mut Dice) -> Contacts {
    Contacts {
        email: dice.chance(6_000).then(|| format!("{CANARY}@mail.example")),
        webhook: dice.chance(4_000).then(|| format!("https://hook.example/{CANARY}")),
    }
}

fn roster(dice: &mut Dice) -> Roster {
    let reachable = dice.chance(4_500);
    let people = PEOPLE.iter().filter(|_| reachable && dice.chance(6_000)).collect::<Vec<_>>();
    let people = people.into_iter().map(|user| (UserId::from(*user), contacts(dice)));
    let of_people = people.filter(|(_, ways)| !ways.is_empty()).collect();
    let fallback_contacts = if reachable && dice.chance(5_000) { contacts(dice) } else { Contacts::default() };
    let teams_count = usize::try_from(dice.between(1, 3)).unwrap_or(1);
    let teams = TEAMS[..teams_count].iter().enumerate().map(|(at, key)| {
        let tiers = (0..*dice.pick(&[1, 2, 2, 3, 4])).map(|_| Tier {
            targets: (0..*dice.pick(&[1, 1, 1, 2])).map(|_| target(dice)).collect(),
            wait_s: *dice.pick(&[5, 15, 30, 60, 60, 120, 300]),
        });
        let tiers = tiers.collect();
        let policy = Policy {
            tiers,
            rounds: *dice.pick(&[1, 1, 1, 2]),
            ack_timeout_s: dice.chance(1_500).then(|| *dice.pick(&[30, 60, 120])),
            // Never back: a configuration in which teams hand off in a circle is refused.
            hand_off_to: TEAMS.get(at + 1).filter(|_| dice.chance(1_500)).map(|next| TeamKey::from(*next)),
        };
        let team = Team { key: (*key).into(), name: format!("{key} team"), aliases: Vec::new(), policy };
        (TeamKey::from(*key), team)
    });
    let teams: BTreeMap<TeamKey, Team> = teams.collect();
    let route = Route { team: teams.keys().next().cloned(), resolves: dice.chance(5_000), ..Route::default() };
    Roster {
        teams,
        fallback: vec![Target::User { user: FALLBACK.into() }],
        contacts: of_people,
        fallback_contacts,
        announce_in: dice.chance(4_000).then(|| ChannelId::from("CALL")),
        zone: "Europe/Lisbon".to_owned(),
        channel_prefix: "inc-".to_owned(),
        routes: BTreeMap::from([(IntegrationKey::from("monitor"), route)]),
        ..Roster::default()
    }
}

impl Client {
    pub(super) fn new(key: String, which: Which, by: &str, ask: Ask) -> Self {
        Self { words: key.clone(), key, which, ask, by: by.to_owned(), answer: None, tries: 0 }
    }

    /// The request, as soon as it is known which incident is meant. A client's own words tell its effects from others'.
    pub(super) fn request(
        &self,
        slots: &BTreeMap<usize, IncidentId>,
        now: chrono::DateTime<chrono::Utc>,
    ) -> Option<Request> {
        let slot = match self.which {
            Which::Slot(slot) => slot,
            Which::Known(_) => 0,
        };
        let incident = match self.which {
            Which::Slot(slot) => slots.get(&slot).copied(),
            Which::Known(id) => Some(id),
        };
        let monitor = IntegrationKey::from("monitor");
        let about = || incident.map(About::Incident);
        let person = Actor::Person { user: UserId::from(self.by.as_str()) };
        let text = || Some(self.words.clone());
        let title = || self.words.chars().take(TITLE_CHARS_MAX).collect::<String>();
        let (actor, target, command) = match &self.ask {
            Ask::Open { team, private } => (
                person,
                About::New,
                Command::Open(Open {
                    title: title(),
                    severity: None,
                    private: *private,
                    zone: None,
                    origin: Origin::Command { channel: None },
                    retrospective: false,
                    nonce: format!("{:06}", slot + 1),
                    escalate_to: team.clone(),
                    detected: None,
                }),
            ),
            Ask::Alert => (
                Actor::Integration { integration: monitor.clone() },
                About::Alert,
                Command::AlertFired(Alert {
                    integration: monitor,
                    dedup_key: format!("alert-{slot}"),
                    title: title(),
                    text: "something burns".to_owned(),
                    started_at: now,
                    labels: BTreeMap::new(),
                    severity: None,
                    team: None,
                    link: None,
                    nonce: format!("{:06}", slot + 1),
                }),
            ),
            Ask::AlertCleared => (
                Actor::Integration { integration: monitor.clone() },
                About::Alert,
                Command::AlertCleared {
                    integration: monitor,
                    dedup_key: format!("alert-{slot}"),
                    text: "cold again".to_owned(),
                    at: now,
                },
            ),
            Ask::Escalate { team } => {
                (person, about()?, Command::Escalate { when: When::default(), team: team.clone(), reason: text() })
            }
            Ask::Acknowledge { page } => {
                (person, about()?, Command::Acknowledge(Acknowledge { page: *page, ..Acknowledge::default() }))
            }
            Ask::Decline { page, generation } => {
                (person, about()?, Command::Decline { page: *page, generation: *generation })
            }
            Ask::Next => (
                person,
                about()?,
                Command::EscalateNext { escalation: None, generation: None, team: None, text: text() },
            ),
            Ask::Stop => (
                person,
                about()?,
                Command::StopEscalation { escalation: None, generation: None, team: None, text: text() },
            ),
            Ask::Resolve => (person, about()?, Command::Resolve { when: When::default(), text: text(), team: None }),
            Ask::Reopen => (person, about()?, Command::Reopen { text: text() }),
            Ask::Note => (
                person,
                about()?,
                Command::Note { when: When::default(), kind: NoteKind::Note, team: None, text: self.words.clone() },
            ),
            Ask::Update => (person, about()?, Command::PostUpdate { text: self.words.clone() }),
            Ask::PageNow { escalation, generation } => {
                (person, about()?, Command::ResumeCall { escalation: *escalation, generation: *generation })
            }
            Ask::EndCall { escalation, generation } => (
                person,
                about()?,
                Command::StopEscalation {
                    escalation: Some(*escalation),
                    generation: Some(*generation),
                    team: None,
                    text: None,
                },
            ),
            Ask::Severity(severity) => (person, about()?, Command::SetSeverity { severity: *severity }),
        };
        Some(Request { key: Some(self.key.clone()), actor, target, command, inside: true })
    }
}
