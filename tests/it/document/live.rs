//! A live incident with people, pages and everything Firebell adds by itself.

use chrono::{DateTime, TimeDelta, Utc};
use firebell::domain::event::{
    Actor, Event, File, NoteKind, Occurrence, Origin, PageResult, PlannedPage, Recipient, Recorded, Source, Step,
    TeamRef, Unreachable,
};
use firebell::domain::incident::{Incident, Role, Severity, Status};
use firebell::domain::policy::Target;
use firebell::domain::postmortem::{Options, Postmortem};
use firebell::domain::roster::{Directory, Person};
use firebell::domain::timeline::people::PeopleStyle;
use firebell::ids::{EscalationId, MessageRef, PageId, TeamKey, UserId};

use super::recordings::Recording;

/// Ana opens at 23:38, payments answers only the second call, and the network team never does.
pub(super) struct Live {
    pub(super) incident: Incident,
    pub(super) history: Vec<Recorded>,
    pub(super) directory: Directory,
}

impl Live {
    pub(super) fn postmortem(&self, people: PeopleStyle) -> Postmortem {
        let now = at("00:30") + TimeDelta::days(1);
        Postmortem::new(&self.incident, &self.history, &self.directory, now, Options { people, ..Options::default() })
    }
}

/// That time of the night from May 5th to 6th, 2026, in Berlin.
pub(super) fn at(time: &str) -> DateTime<Utc> {
    let day = if time.starts_with('2') { "2026-05-05" } else { "2026-05-06" };
    DateTime::parse_from_rfc3339(&format!("{day}T{time}:00+02:00")).unwrap().to_utc()
}

pub(super) fn person(user: &str) -> Actor {
    Actor::Person { user: UserId::new(user) }
}

pub(super) fn message() -> MessageRef {
    MessageRef { channel: "C1".into(), ts: "1.1".into() }
}

pub(super) fn recorded(seq: u32, time: &str, actor: Actor, event: Event) -> Recorded {
    let occurrence = Occurrence { at: at(time), approx: false, actor, source: None, event };
    Recorded { seq, recorded_at: at(time), occurrence }
}

fn page(page: u32, user: &str) -> PlannedPage {
    PlannedPage {
        page: PageId(page),
        to: Recipient::User { user: UserId::new(user) },
        because: "@payments".to_owned(),
        elsewhere: false,
    }
}

fn tier(escalation: u32, tier: u32, time: &str, pages: Vec<PlannedPage>) -> Event {
    Event::TierStarted {
        escalation: EscalationId(escalation),
        step: Step { round: 1, tier, generation: tier },
        due_at: at(time),
        next_due_at: at(time) + TimeDelta::minutes(5),
        pages,
        unreachable: Vec::new(),
    }
}

fn sent(page: u32) -> Event {
    Event::PageAttempted {
        page: PageId(page),
        attempt: 1,
        result: PageResult::Sent { message: message(), digest: Vec::new() },
    }
}

fn called(escalation: u32, team: &str, reason: &str) -> Event {
    let key = team.split(' ').next().unwrap().to_lowercase();
    let team = Some(TeamRef { key: Some(TeamKey::new(key)), name: team.to_owned() });
    Event::Escalated { escalation: Some(EscalationId(escalation)), team, text: Some(reason.to_owned()), policy: None }
}

fn events() -> Vec<(&'static str, Actor, Event)> {
    let (ana, ben, firebell) = (person("UANA"), person("UBEN"), Actor::Firebell);
    let key = |id: u32| Some(EscalationId(id));
    let opened = Event::Opened {
        number: 7,
        title: "Card payments fail".to_owned(),
        severity: Severity::Sev2,
        private: false,
        zone: "Europe/Berlin".to_owned(),
        origin: Origin::Command { channel: None },
        declares: true,
        nonce: String::new(),
    };
    let exhausted = Event::EscalationExhausted {
        escalation: EscalationId(2),
        step: Step { round: 1, tier: 1, generation: 2 },
        pages: vec![page(4, "UEVE")],
        unreachable: Vec::new(),
    };
    let skipped = Event::TierSkipped {
        escalation: EscalationId(2),
        step: Step { round: 1, tier: 2, generation: 2 },
        unreachable: vec![Unreachable {
            target: Target::User { user: UserId::new("UGONE") },
            why: "the account is deactivated".to_owned(),
        }],
    };
    let has_it = Event::Acknowledged { escalation: key(1), team: None, user: Some(UserId::new("UCAI")), text: None };
    let status = Event::StatusChanged { from: Status::Investigating, to: Status::Monitoring, text: None };
    vec![
        ("23:38", ana.clone(), opened),
        ("23:38", ana.clone(), Event::RoleAssigned { role: Role::Commander, user: UserId::new("UANA") }),
        ("23:38", firebell.clone(), Event::ChannelCreated { channel: "C1".into(), name: "inc-7".to_owned() }),
        (
            "23:40",
            ana.clone(),
            called(1, "Payments team", "\u{2}<@UANA> sees the graph (https://grafana.example/d/1) fall"),
        ),
        ("23:40", firebell.clone(), tier(1, 1, "23:40", vec![page(1, "UBEN")])),
        ("23:40", firebell.clone(), sent(1)),
        ("23:45", firebell.clone(), tier(1, 2, "23:45", vec![page(2, "UCAI")])),
        ("23:45", firebell.clone(), sent(2)),
        ("23:48", person("UCAI"), has_it),
        ("23:50", ana.clone(), called(2, "Network team", "timeouts towards the processor")),
        ("23:50", firebell.clone(), tier(2, 1, "23:50", vec![page(3, "UDEE")])),
        ("23:50", firebell.clone(), sent(3)),
        ("23:55", firebell.clone(), skipped),
        ("23:55", firebell.clone(), exhausted),
        ("23:58", ben, Event::Noted { kind: NoteKind::RuledOut, team: None, text: "Not our deploi".to_owned() }),
        ("23:59", person("UBEN"), Event::TextEdited { target: 15, text: "Not our deployment".to_owned() }),
        ("23:59", ana.clone(), Event::Noted { kind: NoteKind::Note, team: None, text: "a slip".to_owned() }),
        ("23:59", ana.clone(), Event::EntryRemoved { target: 17, because: "taken back".to_owned() }),
        ("00:05", ana.clone(), Event::UpdatePosted { text: "Payments by invoice still work".to_owned() }),
        ("00:20", ana.clone(), Event::Mitigated { text: "Orders go to pay-later".to_owned(), team: None }),
        ("00:20", ana.clone(), status),
        ("00:30", ana, Event::Resolved { text: Some("Success rate normal".to_owned()), team: None }),
    ]
}

pub(super) fn live() -> Live {
    let history: Vec<Recorded> = events()
        .into_iter()
        .zip(1..)
        .map(|((time, actor, event), seq)| {
            let mut recorded = recorded(seq, time, actor, event);
            if seq == 15 {
                recorded.occurrence.source = Some(Source::Message {
                    message: message(),
                    author: Some(UserId::new("UBEN")),
                    permalink: Some("https://firebell.slack.example/archives/C1/p11".to_owned()),
                    files: vec![File { name: "log.txt".to_owned(), permalink: "javascript:alert(1)".to_owned() }],
                    late: false,
                });
            }
            recorded
        })
        .collect();
    let mut incident = Recording::load("00-").incident;
    incident.number = 7;
    "Card payments fail".clone_into(&mut incident.title);
    "Europe/Berlin".clone_into(&mut incident.zone);
    incident.opened_at = at("23:38");
    incident.declares = true;
    incident.impact_start_at = None;
    incident.impact_end_at = None;
    incident.fields.clear();
    incident.measures.clear();
    incident.tasks.clear();
    incident.roles.insert(Role::Commander, UserId::new("UANA"));
    let people =
        [("UANA", "Ana Lima"), ("UBEN", "Ben Okafor"), ("UCAI", "Cai Wen"), ("UDEE", "Dee Roth"), ("UEVE", "Eve")];
    let mut directory = Directory::default();
    for (id, name) in people {
        let person = Person {
            id: UserId::new(id),
            name: name.to_owned(),
            zone: None,
            deactivated: false,
            is_bot: false,
            restricted: false,
            external: false,
        };
        directory.people.insert(UserId::new(id), person);
    }
    Live { incident, history, directory }
}
