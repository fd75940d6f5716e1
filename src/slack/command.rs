//! The text after `/incident` and `/escalate`, read forgivingly.
//!
//! Pure: a text in, a [`Typed`] out, or what was understood of it ([`Unclear`]), from which a form can be filled. It
//! changes nothing, asks nobody, and never alters what people wrote: notes keep their blanks, line breaks and quotes.

mod entry;
mod escalate;
mod open;
mod task;
mod unclear;
mod verbs;
mod words;

use chrono::{DateTime, NaiveDate, Utc};

use crate::config::Format;
use crate::domain::civil::{Direction, Speaker, TypedTime, Zone, leading_time, whole_time};
use crate::domain::event::NoteKind;
use crate::domain::incident::{Field, Role, Severity, Status};
use crate::domain::roster::{Directory, Roster};
use crate::ids::{Seq, TeamKey, UserId};

pub(crate) use escalate::RESERVED;
pub use escalate::escalate;
pub use unclear::{Problem, Unclear, Understood};

use self::verbs::Verb;
use self::words::{blank_to_none, word};

/// What reading a text depends on.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    pub now: DateTime<Utc>,
    /// The zone of the person who types.
    pub zone: &'a Zone,
    /// Who types: "me".
    pub me: &'a UserId,
    pub roster: &'a Roster,
    pub directory: &'a Directory,
}

impl<'a> Context<'a> {
    fn speaker(&self) -> Speaker<'a> {
        Speaker { now: self.now, zone: self.zone }
    }
}

/// A command as it was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// The incident that was named by `INC-42` or `#42`; otherwise the one of the channel is meant.
    pub incident: Option<i64>,
    pub typed: Typed,
}

/// What people can ask for in words, one variant for each verb.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typed {
    /// Nothing, or `open` alone: the form.
    OpenForm,
    Open(OpenTyped),
    List {
        /// With the closed ones.
        all: bool,
    },
    Show,
    Help,
    Timeline,
    /// The alerts of the incident one by one, from this number on.
    Alerts {
        from: u32,
    },
    /// The alert of this number gets an incident of its own.
    TakeAlertOut {
        alert: u32,
    },
    Postmortem,
    Export {
        format: Format,
    },
    /// Be let into the incident's channel.
    Join,

    Status {
        status: Status,
        text: Option<String>,
    },
    Severity {
        severity: Severity,
    },
    Title {
        title: String,
    },
    Role {
        role: Role,
        user: UserId,
    },
    Update {
        text: String,
    },
    /// One note, or several from lines that begin with a time.
    Notes(Vec<NoteTyped>),
    Edit {
        target: Seq,
        text: String,
    },
    Remove {
        target: Seq,
    },

    Detected {
        entry: Entry,
        by: Option<String>,
    },
    Declared(Entry),
    Mitigated(Entry),
    Resolve(Entry),
    /// A team was called outside Firebell.
    Called(Entry),
    /// Somebody took it; with a time or a team, for the record.
    Acknowledged(Entry),
    Reopen {
        text: Option<String>,
    },
    Cancel {
        text: Option<String>,
    },

    /// `None` for "not known".
    Started {
        time: Option<TypedTime>,
    },
    Ended {
        time: Option<TypedTime>,
    },
    /// A one-line answer for the postmortem; `None` clears it.
    Field {
        field: Field,
        value: Option<String>,
    },
    Measure {
        text: String,
    },
    Task {
        text: String,
        owner: Option<UserId>,
        due_on: Option<NaiveDate>,
    },
    TaskDone {
        task: u32,
        done: bool,
    },
    TaskRemoved {
        task: u32,
    },

    /// `/escalate` alone: which team?
    EscalateForm,
    EscalateHelp,
    Escalate {
        team: TeamKey,
        reason: Option<String>,
    },
    EscalationTaken {
        team: Option<TeamKey>,
        text: Option<String>,
    },
    EscalateNext {
        team: Option<TeamKey>,
        text: Option<String>,
    },
    EscalateStop {
        team: Option<TeamKey>,
        text: Option<String>,
    },
    Why {
        team: Option<TeamKey>,
    },
    Preview {
        team: TeamKey,
        /// `None` for now.
        at: Option<DateTime<Utc>>,
    },
}

/// `open` with its options.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenTyped {
    pub title: String,
    pub severity: Option<Severity>,
    pub private: bool,
    /// For the record of something that is over: its moments are entered, opening declares nothing.
    pub retrospective: bool,
    /// When it was detected, if not when it is opened.
    pub detected: Option<TypedTime>,
    /// Who or what detected it.
    pub by: Option<String>,
    /// Called at once.
    pub team: Option<TeamKey>,
}

/// What happened, when, and which team it was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// `None` if no time was typed: now.
    pub time: Option<TypedTime>,
    /// The key of a configured team, or the words that were typed for another.
    pub team: Option<String>,
    pub text: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteTyped {
    pub time: Option<TypedTime>,
    pub kind: NoteKind,
    pub team: Option<String>,
    pub text: String,
}

type Reading<T = Typed> = Result<T, Box<Unclear>>;

/// Reads the text after `/incident`.
pub fn incident(text: &str, context: &Context<'_>) -> Reading<Parsed> {
    let (incident, rest) = words::incident_prefix(text.trim());
    let typed = after_incident(rest, incident.is_some(), context).map_err(|mut unclear| {
        unclear.understood.incident = incident;
        if let Some(number) = incident {
            unclear.offer_behind(&format!("INC-{number}"));
        }
        unclear
    })?;
    let (named, typed) = typed;
    Ok(Parsed { incident: named.or(incident), typed })
}

/// The command, and the incident that was named behind the verb.
fn after_incident(text: &str, addressed: bool, context: &Context<'_>) -> Reading<(Option<i64>, Typed)> {
    if text.is_empty() {
        return Ok((None, if addressed { Typed::Show } else { Typed::OpenForm }));
    }
    let Some((verb, rest)) = verbs::leading(text) else {
        return without_verb(text, context).map(|typed| (None, typed));
    };
    let reading = match verb {
        Verb::Show | Verb::Timeline | Verb::Postmortem | Verb::Export => {
            let (named, rest) = words::incident_behind(rest);
            look(verb, rest).map(|typed| (named, typed))
        }
        // "resolve INC-42" must not resolve the incident of this channel.
        Verb::Resolve
        | Verb::Reopen
        | Verb::Cancel
        | Verb::Mitigated
        | Verb::Join
        | Verb::Acknowledged
        | Verb::Alerts => {
            let (named, rest) = words::incident_prefix(rest);
            command(verb, rest, context).map(|typed| (named, typed))
        }
        _ => command(verb, rest, context).map(|typed| (None, typed)),
    };
    reading.map_err(|mut unclear| {
        unclear.understood.verb = Some(verb.word());
        if let Verb::Note(kind) = verb {
            unclear.understood.kind.get_or_insert(kind);
        }
        unclear
    })
}

/// The verbs that only look.
fn look(verb: Verb, rest: &str) -> Reading {
    match verb {
        Verb::Timeline => Ok(Typed::Timeline),
        Verb::Postmortem => match word(rest) {
            ("export", rest) => look(Verb::Export, rest),
            _ => Ok(Typed::Postmortem),
        },
        Verb::Export if rest.is_empty() => Ok(Typed::Export { format: Format::Markdown }),
        Verb::Export => match Format::parse(rest) {
            Some(format) => Ok(Typed::Export { format }),
            None => Err(Unclear::choices(
                Problem::UnknownFormat { word: rest.to_owned() },
                ["export md", "export html", "export json"],
            )),
        },
        _ => Ok(Typed::Show),
    }
}

fn command(verb: Verb, rest: &str, context: &Context<'_>) -> Reading {
    match verb {
        Verb::Open => open::open(rest, context),
        Verb::List => Ok(Typed::List { all: matches!(word(rest).0, "all" | "closed" | "resolved") }),
        Verb::Help => Ok(Typed::Help),
        Verb::Join => Ok(Typed::Join),
        Verb::Alerts => alerts(rest),
        Verb::Show | Verb::Timeline | Verb::Postmortem | Verb::Export => look(verb, rest),
        Verb::Status => status(rest),
        Verb::Severity => severity(rest),
        Verb::Title => required(rest, "What should it be called?").map(|title| Typed::Title { title }),
        Verb::Role => role(rest, context),
        Verb::Commander => person(Role::Commander, rest, context),
        Verb::Scribe => person(Role::Scribe, rest, context),
        Verb::Communications => person(Role::CommunicationsLead, rest, context),
        Verb::Update => required(rest, "What should the others know?").map(|text| Typed::Update { text }),
        Verb::Note(kind) => entry::notes(verb, kind, rest, context).map(Typed::Notes),
        Verb::Edit => {
            let (target, rest) = number(rest, "Which entry? Its number is in the timeline.")?;
            required(rest, "What should it say?").map(|text| Typed::Edit { target, text })
        }
        Verb::Remove => {
            let (target, rest) = number(rest, "Which entry? Its number is in the timeline.")?;
            nothing_more(rest).map(|()| Typed::Remove { target })
        }
        Verb::Detected => {
            let (entry, by) = entry::detected(rest, context)?;
            Ok(Typed::Detected { entry, by })
        }
        Verb::Declared => entry::entry(verb, rest, context).map(Typed::Declared),
        Verb::Mitigated => entry::entry(verb, rest, context).map(Typed::Mitigated),
        Verb::Resolve => entry::entry(verb, rest, context).map(Typed::Resolve),
        Verb::Acknowledged => entry::entry(verb, rest, context).map(Typed::Acknowledged),
        Verb::Called => {
            let (team, rest) =
                words::team_prefix(rest, context.roster).map_or((None, rest), |(team, rest)| (Some(team.0), rest));
            let mut entry = entry::entry(verb, rest, context)?;
            entry.team = team.or(entry.team);
            if entry.team.is_none() && entry.text.is_none() {
                return Err(Unclear::missing("Who was called?"));
            }
            Ok(Typed::Called(entry))
        }
        Verb::Reopen => Ok(Typed::Reopen { text: blank_to_none(rest) }),
        Verb::Cancel => Ok(Typed::Cancel { text: blank_to_none(rest) }),
        Verb::Started => moment(verb, rest, context).map(|time| Typed::Started { time }),
        Verb::Ended => moment(verb, rest, context).map(|time| Typed::Ended { time }),
        Verb::Field(Field::ImpactKind) => impact_kind(rest),
        Verb::Field(field) if let Some(value) = words::after_colon(rest) => {
            Ok(Typed::Field { field, value: Some(value) })
        }
        Verb::Field(field) => {
            let value = required(rest, "What should it say?")?;
            Ok(Typed::Field { field, value: (!is_nothing(&value)).then_some(value) })
        }
        Verb::Measure if let Some(text) = words::after_colon(rest) => Ok(Typed::Measure { text }),
        Verb::Measure => {
            required(rest, "What should be done against a recurrence?").map(|text| Typed::Measure { text })
        }
        Verb::Task => task::task(rest, context),
        Verb::Escalate => escalate::after_escalate(rest, context).map_err(|mut unclear| {
            unclear.offer_behind(verb.word());
            unclear
        }),
    }
}

/// A text that begins with no verb: with a time, it is a note; otherwise it may be a slip, or a title.
fn without_verb(text: &str, context: &Context<'_>) -> Reading {
    let (first, rest) = word(text);
    if rest.is_empty() && words::looks_like_severity(first) {
        return severity(first);
    }
    if !matches!(leading_time(text, context.speaker(), Direction::Past), Ok(None)) {
        return entry::notes(Verb::Note(NoteKind::Note), NoteKind::Note, text, context).map(Typed::Notes);
    }
    let opened = match open::open(text, context) {
        Ok(Typed::Open(open)) => Some(open),
        _ => None,
    };
    let has_options = opened.as_ref().is_some_and(|open| open.title != text);
    let mut near: Vec<String> =
        verbs::near(first).into_iter().map(|verb| format!("{verb} {rest}").trim_end().to_owned()).collect();
    near.insert(if has_options { 0 } else { near.len() }, format!("open {text}"));
    near.push(format!("note {text}"));
    let understood = Understood { text: Some(text.to_owned()), ..opened.map(Understood::of_open).unwrap_or_default() };
    Err(Box::new(Unclear { understood, problem: Problem::UnknownVerb { word: first.to_owned() }, did_you_mean: near }))
}

fn required(rest: &str, question: &'static str) -> Reading<String> {
    blank_to_none(rest).ok_or_else(|| Unclear::missing(question))
}

fn nothing_more(rest: &str) -> Reading<()> {
    if rest.is_empty() {
        return Ok(());
    }
    Err(Unclear::plain(Problem::LeftOver { text: rest.to_owned() }))
}

fn number<'t>(rest: &'t str, question: &'static str) -> Reading<(u32, &'t str)> {
    let (first, rest) = word(rest);
    let digits = first.trim_start_matches('#').trim_end_matches([':', ',']);
    digits.parse().map(|number| (number, rest)).map_err(|_| Unclear::missing(question))
}

/// `alerts`, `alerts 21`, `alerts split 12`.
fn alerts(rest: &str) -> Reading {
    if rest.is_empty() {
        return Ok(Typed::Alerts { from: 1 });
    }
    let (first, second) = word(rest);
    if first.eq_ignore_ascii_case("split") {
        let (alert, rest) = number(second, "Which alert? /incident alerts shows their numbers.")?;
        return nothing_more(rest).map(|()| Typed::TakeAlertOut { alert });
    }
    match number(rest, "") {
        Ok((from, rest)) => nothing_more(rest).map(|()| Typed::Alerts { from }),
        Err(_) => {
            let near = if second.is_empty() { "alerts".to_owned() } else { format!("alerts split {second}") };
            Err(Unclear::choices(Problem::LeftOver { text: rest.to_owned() }, [near]))
        }
    }
}

fn status(rest: &str) -> Reading {
    let (first, text) = word(rest);
    let first = first.trim_end_matches([':', ',']);
    let text = blank_to_none(text);
    if first.is_empty() {
        return Ok(Typed::Show);
    }
    if let Some(status) = Status::parse(first) {
        return Ok(Typed::Status { status, text });
    }
    let words: Vec<&str> = Status::ALL.iter().map(|status| status.word()).collect();
    let near = words::near(first, words.iter().copied());
    let offered = if near.is_empty() { words } else { near };
    let tail = text.as_ref().map_or_else(String::new, |text| format!(" {text}"));
    let understood = Understood { text, ..Understood::default() };
    let did_you_mean = offered.iter().map(|status| format!("status {status}{tail}")).collect();
    let problem = Problem::UnknownStatus { word: first.to_owned() };
    Err(Box::new(Unclear { understood, problem, did_you_mean }))
}

fn severity(rest: &str) -> Reading {
    let (first, text) = word(rest);
    let Some(severity) = Severity::parse(first) else {
        let problem = if first.is_empty() {
            Problem::Missing { question: "Which severity?" }
        } else {
            Problem::UnknownSeverity { word: first.to_owned() }
        };
        return Err(Unclear::choices(problem, Severity::ALL.map(|severity| format!("severity {severity}"))));
    };
    nothing_more(text).map(|()| Typed::Severity { severity }).map_err(|mut unclear| {
        unclear.understood.severity = Some(severity);
        unclear.did_you_mean = vec![format!("severity {severity}")];
        unclear
    })
}

fn role(rest: &str, context: &Context<'_>) -> Reading {
    const NAMES: [(&str, Role); 9] = [
        ("communications lead", Role::CommunicationsLead),
        ("comms lead", Role::CommunicationsLead),
        ("incident commander", Role::Commander),
        ("communications", Role::CommunicationsLead),
        ("comms", Role::CommunicationsLead),
        ("commander", Role::Commander),
        ("lead", Role::Commander),
        ("ic", Role::Commander),
        ("scribe", Role::Scribe),
    ];
    for (name, role) in NAMES {
        if let Some(rest) = words::strip_phrase(rest, name) {
            return person(role, rest, context);
        }
    }
    let (first, rest) = word(rest);
    let roles = Role::ALL.map(Role::name);
    let near = words::near(first, roles);
    let offered = if near.is_empty() { roles.to_vec() } else { near };
    let problem = if first.is_empty() {
        Problem::Missing { question: "Which role?" }
    } else {
        Problem::UnknownRole { word: first.to_owned() }
    };
    Err(Unclear::choices(problem, offered.iter().map(|role| format!("role {role} {rest}").trim_end().to_owned())))
}

/// Gives a role to the person who is named, or to the speaker if nobody is.
fn person(role: Role, rest: &str, context: &Context<'_>) -> Reading {
    in_role(role, rest, context).map_err(|mut unclear| {
        unclear.understood.role = Some(role);
        unclear
    })
}

fn in_role(role: Role, rest: &str, context: &Context<'_>) -> Reading {
    if rest.is_empty() {
        return Ok(Typed::Role { role, user: context.me.clone() });
    }
    if let Some((user, rest)) = words::person(rest, context)? {
        nothing_more(rest).map(|()| Typed::Role { role, user })
    } else {
        let name = words::bare_name(rest, context);
        match name {
            Some(user) => Ok(Typed::Role { role, user }),
            None => Err(Unclear::plain(Problem::UnknownPerson { word: rest.to_owned(), near: Vec::new() })),
        }
    }
}

/// `-`, `unknown`: an answer is taken back.
fn is_nothing(text: &str) -> bool {
    matches!(text.to_ascii_lowercase().as_str(), "-" | "–" | "—" | "unknown" | "not known")
}

fn moment(verb: Verb, rest: &str, context: &Context<'_>) -> Reading<Option<TypedTime>> {
    if rest.is_empty() {
        return Err(Unclear::missing("At what time?"));
    }
    if is_nothing(rest) {
        return Ok(None);
    }
    let rest = words::strip_phrase(rest, "at").unwrap_or(rest);
    match whole_time(rest, context.speaker(), Direction::Past) {
        Ok(Some(time)) => Ok(Some(time)),
        Ok(None) => Err(Unclear::plain(Problem::UnreadableTime { text: rest.to_owned() })),
        Err(problem) => Err(Unclear::time(problem, verb.word(), "")),
    }
}

/// What kinds of impact are told apart.
pub(crate) const IMPACT_KINDS: [&str; 5] = ["outage", "degradation", "data loss", "security", "risk"];

fn impact_kind(rest: &str) -> Reading {
    if rest.is_empty() {
        return Err(Unclear::choices(
            Problem::Missing { question: "What kind of impact?" },
            IMPACT_KINDS.map(|kind| format!("kind {kind}")),
        ));
    }
    if is_nothing(rest) {
        return Ok(Typed::Field { field: Field::ImpactKind, value: None });
    }
    let word = rest.to_lowercase().replace(['-', '_'], " ");
    let known = match word.as_str() {
        "degraded" | "degraded service" | "slow" => Some("degradation"),
        "security incident" => Some("security"),
        "service outage" | "down" => Some("outage"),
        other => IMPACT_KINDS.into_iter().find(|kind| *kind == other),
    };
    if let Some(kind) = known {
        return Ok(Typed::Field { field: Field::ImpactKind, value: Some(kind.to_owned()) });
    }
    let near = words::near(&word, IMPACT_KINDS);
    let offered = if near.is_empty() { IMPACT_KINDS.to_vec() } else { near };
    Err(Unclear::choices(
        Problem::UnknownImpactKind { word: rest.to_owned() },
        offered.iter().map(|kind| format!("kind {kind}")),
    ))
}

#[cfg(test)]
mod tests;
