//! The seed incident, lived through by the real rules with a clock that is a variable.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use firebell::domain::answer::{Answer, Said};
use firebell::domain::command::{Acknowledge, Command, Finished, Open, When};
use firebell::domain::event::{Actor, NoteKind, Origin, PageResult, Recipient, Recorded};
use firebell::domain::incident::{Field, Incident, Role, Severity};
use firebell::domain::policy::{Mention, Policy, Target, Tier};
use firebell::domain::rejection::Rejection;
use firebell::domain::roster::{Directory, Person, Roster, Team, UserGroup};
use firebell::domain::storm::Alerts;
use firebell::domain::{Context, decide, decide_opening};
use firebell::ids::{ChannelId, EscalationId, IncidentId, MessageRef, PageId, UserGroupId, UserId, WorkspaceId};
use firebell::slack::answers::Reader;
use firebell::slack::scene::Scene;

pub(crate) const ANA: &str = "U0ANA";
pub(crate) const BEN: &str = "U0BEN";
pub(crate) const CHRIS: &str = "U0CHRIS";
pub(crate) const DANA: &str = "U0DANA";
pub(crate) const ELI: &str = "U0ELI";
pub(crate) const FAY: &str = "U0FAY";

/// 3:00 PM in New York on 2 April 2023.
pub(crate) fn three_pm() -> DateTime<Utc> {
    DateTime::from_timestamp(1_680_462_000, 0).expect("in range")
}

pub(crate) fn at(clock: &str) -> DateTime<Utc> {
    let (hours, minutes) = clock.split_once(':').expect("h:mm");
    let past_three = (hours.parse::<i64>().expect("hours") - 3) * 60 + minutes.parse::<i64>().expect("minutes");
    three_pm() + TimeDelta::minutes(past_three)
}

/// The texts that outsiders choose.
#[derive(Clone, Debug)]
pub(crate) struct Texts {
    pub(crate) title: String,
    pub(crate) reason: String,
    pub(crate) note: String,
    pub(crate) person: String,
    pub(crate) team: String,
    pub(crate) error: String,
}

impl Default for Texts {
    fn default() -> Self {
        Self {
            title: "Shop is very slow, checkouts fail".into(),
            reason: "website response time up sharply".into(),
            note: "restarted the database, no change".into(),
            person: "Dana".into(),
            team: "Database team".into(),
            error: "Slack refused chat.postMessage: user_disabled".into(),
        }
    }
}

/// An incident, the people around it and a clock.
#[derive(Clone, Debug)]
pub(crate) struct Tale {
    pub(crate) now: DateTime<Utc>,
    pub(crate) incident: Incident,
    pub(crate) history: Vec<Recorded>,
    pub(crate) roster: Roster,
    pub(crate) directory: Directory,
}

impl Tale {
    /// Opened by Ana at 3:00 PM as SEV2, without a channel yet.
    pub(crate) fn begin(texts: &Texts, private: bool) -> Self {
        let roster = roster(texts);
        let directory = directory(texts);
        let actor = Actor::Person { user: ANA.into() };
        let now = three_pm();
        let context = Context {
            now,
            actor: &actor,
            inside: false,
            roster: &roster,
            directory: &directory,
            slack_is_away: false,
            alerts: Alerts::NONE,
        };
        let open = Command::Open(Open {
            title: texts.title.clone(),
            severity: Some(Severity::Sev2),
            private,
            zone: Some("America/New_York".into()),
            origin: Origin::Command { channel: None },
            retrospective: false,
            nonce: "n0nce".into(),
            escalate_to: None,
            detected: None,
        });
        let decided = decide_opening(IncidentId(7), &WorkspaceId::new("T0ACME"), 42, &open, &context).expect("opens");
        Self { now, incident: decided.after, history: decided.events, roster, directory }
    }

    pub(crate) fn with_channel(mut self) -> Self {
        let created = Finished::ChannelCreated { channel: "C0SHOP".into(), name: "inc-42-shop-is-very-slow".into() };
        self.finish(created);
        self
    }

    pub(crate) fn scene(&self) -> Scene<'_> {
        Scene::new(&self.incident, &self.roster, &self.directory, self.now)
    }

    pub(crate) fn reader<'a>(&'a self, user: &'a UserId) -> Reader<'a> {
        Reader { user, roster: &self.roster, directory: &self.directory, now: self.now }
    }

    pub(crate) fn at(&mut self, clock: &str) -> &mut Self {
        self.now = at(clock);
        self
    }

    pub(crate) fn ask(&mut self, actor: &Actor, command: &Command) -> Result<Said, Rejection> {
        let context = Context {
            now: self.now,
            actor,
            inside: true,
            roster: &self.roster,
            directory: &self.directory,
            slack_is_away: false,
            alerts: Alerts::NONE,
        };
        let decided = decide(&self.incident, command, &context)?;
        self.incident = decided.after;
        self.history.extend(decided.events);
        Ok(decided.said)
    }

    pub(crate) fn by(&mut self, user: &str, command: &Command) -> Said {
        self.ask(&Actor::Person { user: user.into() }, command).expect("allowed")
    }

    pub(crate) fn finish(&mut self, finished: Finished) {
        self.ask(&Actor::Firebell, &Command::EffectFinished(finished)).expect("outcomes are never refused");
    }

    pub(crate) fn answer(&self, said: Said) -> Answer {
        Answer { incident: Some(self.incident.id), number: Some(self.incident.number), said }
    }

    pub(crate) fn last(&self) -> &Recorded {
        self.history.last().expect("an incident has a history")
    }

    pub(crate) fn escalate(&mut self, who: &str, team: &str, reason: Option<&str>) -> Said {
        self.by(who, &Command::Escalate { when: When::default(), team: team.into(), reason: reason.map(Into::into) })
    }

    pub(crate) fn acknowledge(&mut self, who: &str) -> Said {
        self.by(who, &Command::Acknowledge(Acknowledge::default()))
    }

    pub(crate) fn note(&mut self, who: &str, kind: NoteKind, text: &str) -> Said {
        self.by(who, &Command::Note { when: When::default(), kind, team: None, text: text.into() })
    }

    /// Slack accepts every page that has not gone out.
    pub(crate) fn deliver(&mut self) -> &mut Self {
        let waiting: Vec<(PageId, u32, String)> = self
            .incident
            .pages
            .values()
            .filter(|page| page.message.is_none() && !page.dead)
            .map(|page| {
                let channel = match &page.to {
                    Recipient::User { user } => format!("D{user}"),
                    Recipient::Channel { channel, .. } => channel.to_string(),
                    Recipient::Contact { .. } => panic!("nobody here is reached besides Slack"),
                };
                (page.id, page.attempts + 1, channel)
            })
            .collect();
        for (page, attempt, channel) in waiting {
            let message = MessageRef { channel: ChannelId::new(channel), ts: "1680462300.000100".into() };
            self.finish(Finished::Page {
                page,
                attempt,
                result: PageResult::Sent { message, digest: Vec::new() },
                fault: None,
            });
        }
        self
    }

    /// Fires what is due until `clock`, delivering every page.
    pub(crate) fn wait_until(&mut self, clock: &str) -> &mut Self {
        let until = at(clock);
        while let Some((timer, due)) = self.incident.timers().into_iter().min_by_key(|(_, due)| *due)
            && due <= until
        {
            self.now = self.now.max(due);
            self.ask(&Actor::Firebell, &Command::TimerDue(timer)).expect("timers are never refused");
            self.deliver();
        }
        self.now = until;
        self
    }

    pub(crate) fn escalation(&self, id: u32) -> &firebell::domain::escalation::Escalation {
        &self.incident.escalations[&EscalationId(id)]
    }

    pub(crate) fn page(&self, id: u32) -> &firebell::domain::incident::Page {
        &self.incident.pages[&PageId(id)]
    }

    /// The seed incident until 4:20 PM: the Development team has it, the Database team is being called.
    pub(crate) fn in_full_swing(texts: &Texts, private: bool) -> Self {
        let mut tale = Self::begin(texts, private).with_channel();
        tale.at("3:05").escalate(ANA, "dev-team", Some(&texts.reason));
        tale.deliver().at("3:07").acknowledge(BEN);
        tale.at("3:15").note(BEN, NoteKind::RuledOut, "web server logs are clean, frontend ruled out");
        tale.at("3:30").by(ANA, &Command::PostUpdate { text: "Looking at the database now".into() });
        tale.at("3:45").note(BEN, NoteKind::Action, &texts.note);
        tale.by(ANA, &Command::AssignRole { role: Role::Commander, user: ANA.into() });
        tale.by(ANA, &Command::SetFields { fields: vec![(Field::Impact, Some(texts.reason.clone()))] });
        tale.at("4:15").escalate(BEN, "db-team", Some(&texts.reason));
        tale.deliver().at("4:17");
        tale
    }

    /// The seed incident, resolved at 5:00 PM.
    pub(crate) fn over(texts: &Texts, private: bool) -> Self {
        let mut tale = Self::in_full_swing(texts, private);
        tale.acknowledge(DANA);
        tale.at("4:30").note(DANA, NoteKind::Action, "corrected the network settings of the cluster");
        let due_on = NaiveDate::from_ymd_opt(2023, 4, 7);
        tale.by(
            ANA,
            &Command::AddTask {
                text: "Add an alert on database connectivity".into(),
                owner: Some(DANA.into()),
                due_on,
            },
        );
        tale.by(ANA, &Command::AddMeasure { text: texts.note.clone() });
        tale.by(ANA, &Command::SetFields { fields: vec![(Field::RootCause, Some(texts.note.clone()))] });
        let resolve = Command::Resolve { when: When::default(), text: Some(texts.reason.clone()), team: None };
        tale.at("5:00").by(ANA, &resolve);
        tale
    }
}

fn roster(texts: &Texts) -> Roster {
    let user = |id: &str| Target::User { user: id.into() };
    let tier = |targets: Vec<Target>, minutes: u32| Tier { targets, wait_s: minutes * 60 };
    let group = Target::UserGroup { group: UserGroupId::new("S0DBA"), handle: "dba".into() };
    let empty = Target::UserGroup { group: UserGroupId::new("S0EMPTY"), handle: "night-shift".into() };
    let here = Target::Channel { channel: "C0OPS".into(), mention: Mention::Here };
    let policy = |tiers: Vec<Tier>, rounds: u32| Policy { tiers, rounds, ack_timeout_s: Some(1800), hand_off_to: None };
    let teams = [
        ("dev-team", "Development team", policy(vec![tier(vec![user(BEN)], 5), tier(vec![user(CHRIS)], 5)], 1)),
        (
            "db-team",
            texts.team.as_str(),
            policy(vec![tier(vec![group], 5), tier(vec![empty], 5), tier(vec![user(ELI)], 5)], 2),
        ),
        ("ops", "Operations", policy(vec![tier(vec![here], 10)], 1)),
    ];
    let teams = teams
        .into_iter()
        .map(|(key, name, policy)| (key.into(), Team { key: key.into(), name: name.into(), aliases: vec![], policy }))
        .collect();
    Roster {
        teams,
        fallback: vec![user(FAY)],
        announce_in: Some("C0ALL".into()),
        zone: "America/New_York".into(),
        channel_prefix: "inc-".into(),
        public_url: Some("https://firebell.example".into()),
        ..Roster::default()
    }
}

fn directory(texts: &Texts) -> Directory {
    let people = [
        (ANA, "Ana", "America/New_York"),
        (BEN, "Ben", "America/New_York"),
        (CHRIS, "Chris", "America/New_York"),
        (DANA, texts.person.as_str(), "Europe/Berlin"),
        (ELI, "Eli", "Europe/Berlin"),
        (FAY, "Fay", "America/New_York"),
    ];
    let person = |(id, name, zone): (&str, &str, &str)| Person {
        id: id.into(),
        name: name.into(),
        zone: Some(zone.into()),
        deactivated: false,
        is_bot: false,
        restricted: false,
        external: false,
    };
    let group = |id: &str, handle: &str, users: &[&str]| UserGroup {
        id: UserGroupId::new(id),
        handle: handle.into(),
        name: handle.into(),
        users: users.iter().map(|id| UserId::from(*id)).collect(),
    };
    let groups = [group("S0DBA", "dba", &[DANA]), group("S0EMPTY", "night-shift", &[])];
    Directory {
        people: people.into_iter().map(|one| (one.0.into(), person(one))).collect(),
        groups: groups.into_iter().map(|group| (group.id.clone(), group)).collect(),
    }
}
