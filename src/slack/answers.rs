//! What the person who asked is told, and nobody else: echoes, refusals, "did you mean".

use chrono::{DateTime, Utc};

use super::actions::ButtonAction;
use super::blocks::{self, Button};
use super::escape::{self, Mrkdwn, Untrusted, mrkdwn};
use super::message::Message;
use super::scene::{self, Scene};
use super::{story, times};
use crate::domain::answer::{Answer, Said};
use crate::domain::escalation::{Escalation, Phase};
use crate::domain::event::{NoteKind, TeamRef};
use crate::domain::incident::Incident;
use crate::domain::postmortem::Format;
use crate::domain::rejection::Rejection;
use crate::domain::roster::{Directory, Roster};
use crate::ids::{EscalationId, IncidentId, Seq, UserId};

/// Longest sentence of a refusal, in characters.
const SENTENCE_CHARS_MAX: usize = 600;
/// Most "did you mean" buttons.
const SUGGESTIONS_MAX: usize = 5;

/// Who reads an answer.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    pub user: &'a UserId,
    pub roster: &'a Roster,
    pub directory: &'a Directory,
    pub now: DateTime<Utc>,
}

impl<'a> Reader<'a> {
    /// The reader's own IANA zone; without one the roster's.
    pub fn zone(&self) -> &'a str {
        self.directory.people.get(self.user).and_then(|person| person.zone.as_deref()).unwrap_or(&self.roster.zone)
    }

    fn scene(&self, incident: &'a Incident) -> Scene<'a> {
        Scene::new(incident, self.roster, self.directory, self.now)
    }
}

/// The answer in words; `None` where the channel already shows all there is to say. `incident` is its state after the
/// command, if there is one: the answer then names channels and people.
pub fn answer(answer: &Answer, reader: &Reader<'_>, incident: Option<&Incident>) -> Option<Message> {
    let scene = incident.map(|incident| reader.scene(incident));
    let name = answer.number.map_or("the incident".into(), |number| mrkdwn!("INC-{}", number));
    Some(match &answer.said {
        Said::Done => return None,
        Said::Opened { title, private } => opened(answer.incident, &name, title, *private, scene.as_ref()),
        Said::Noted { seq, at, kind, text, zone } => noted(answer.incident, reader, *seq, *at, *kind, text, zone),
        Said::Kept { what } => {
            Message::sentence(mrkdwn!("Written down for {}: {}.", name, Untrusted(what).line(SENTENCE_CHARS_MAX)))
        }
        Said::Sending { format } => sending(&name, *format, scene.as_ref()),
        Said::Called { escalation, team } => called(&name, *escalation, team, scene.as_ref()),
        Said::AlreadyCalled { escalation, team, since } => {
            already_called(reader, *escalation, team, *since, scene.as_ref())
        }
        Said::YouHaveIt { team } => {
            let what =
                team.as_ref().map_or_else(|| name.clone(), |team| mrkdwn!("{} ({})", escape::name(&team.name), name));
            let place = scene.as_ref().and_then(Scene::channel);
            let called = if team.is_some() { Mrkdwn::from(" The calling stops.") } else { Mrkdwn::default() };
            let work = place.map_or(Mrkdwn::default(), |channel| mrkdwn!(" The work is in {}.", channel));
            Message::sentence(mrkdwn!("You have it for {}.{}{}", what, called, work))
        }
        Said::SomebodyHasIt { team, by, since } => {
            let who = by.as_ref().map_or("Somebody".into(), |user| scene::person(reader.directory, user));
            let what = team.as_ref().map_or(Mrkdwn::default(), |team| mrkdwn!(" for {}", escape::name(&team.name)));
            let since = scene::moment(*since, reader.zone(), reader.now);
            let place = scene.as_ref().and_then(Scene::channel);
            let help = place.map_or("You are noted as helping.".into(), |channel| {
                mrkdwn!("You are noted as helping; the work is in {}.", channel)
            });
            Message::sentence(mrkdwn!("{} has it{} since {}. {}", who, what, since, help))
        }
        Said::TakenOut { title, from, team } => taken_out(&name, title, *from, team.as_ref(), scene.as_ref()),
        Said::Stopped { team } => {
            let team = escape::name(&team.name);
            Message::sentence(mrkdwn!("The call for {} is over. Nobody of {} is paged any more.", name, team))
        }
        Said::NothingChanged { because } => Message::sentence(Untrusted(because).line(SENTENCE_CHARS_MAX)),
        Said::Resolved { at } => {
            let at = scene::moment(*at, reader.zone(), reader.now);
            Message::sentence(match scene.as_ref().and_then(Scene::channel) {
                Some(_) => mrkdwn!("{} resolved {}. The postmortem draft follows in its channel.", name, at),
                None => mrkdwn!("{} resolved {}. `/incident {} postmortem` says where the draft is.", name, at, name),
            })
        }
        Said::Refused { rejection } => refusal(rejection),
    })
}

/// For somebody who changed an incident from elsewhere and does not see its channel: how it stands now.
pub fn done_elsewhere(scene: &Scene<'_>) -> Message {
    let incident = scene.incident;
    let standing = mrkdwn!("Done: {} is {}, {}", scene.number(), incident.status.word(), incident.severity);
    Message::sentence(match scene.channel() {
        Some(channel) => mrkdwn!("{}. Its channel is {}.", standing, channel),
        None => mrkdwn!("{}.", standing),
    })
}

fn opened(
    incident: Option<IncidentId>,
    name: &Mrkdwn,
    title: &str,
    private: bool,
    scene: Option<&Scene<'_>>,
) -> Message {
    let first = mrkdwn!("Opened {}: {}.", name, Untrusted(title).line(escape::QUOTE_CHARS_MAX));
    let place = match scene.and_then(Scene::channel) {
        Some(channel) => mrkdwn!("Its channel is {}.", channel),
        None => "Its channel follows in a moment; you will be invited.".into(),
    };
    let second = if private { mrkdwn!("{} It is private: only invited people see it.", place) } else { place };
    let mut shown = vec![blocks::section(mrkdwn!("*{}*\n{}", first, second))];
    if let Some(incident) = incident {
        let plain_name = name.as_str();
        let call = Button::new(
            "Call a team",
            &format!("Call a team to {plain_name}"),
            &ButtonAction::EscalateForm { incident },
        );
        let undo =
            Button::new("Undo", &format!("Undo the opening of {plain_name}"), &ButtonAction::Cancel { incident })
                .confirm(
                    &format!("Cancel {plain_name}?"),
                    "It is kept as “not an incident”, and everybody called is told.",
                    "Cancel it",
                );
        shown.push(blocks::actions([call.primary().into(), undo.into()]));
    }
    Message::new(mrkdwn!("{} {}", first, second), shown)
}

fn taken_out(name: &Mrkdwn, title: &str, from: i64, team: Option<&TeamRef>, scene: Option<&Scene<'_>>) -> Message {
    let first = mrkdwn!("{} is out of INC-{}: it is {} now.", escape::quoted(title), from, name);
    let second = match team {
        Some(team) => mrkdwn!("{} is called to it.", escape::name(&team.name)),
        None => mrkdwn!("Nobody is called to it; `/escalate {}` and a team's name calls one.", name),
    };
    let third = match scene.and_then(Scene::channel) {
        Some(channel) => mrkdwn!("Its channel is {}.", channel),
        None => "Its channel follows in a moment; you will be invited.".into(),
    };
    Message::sentence(mrkdwn!("{} {} {}", first, second, third))
}

fn noted(
    incident: Option<IncidentId>,
    reader: &Reader<'_>,
    seq: Seq,
    at: DateTime<Utc>,
    kind: NoteKind,
    text: &str,
    zone: &str,
) -> Message {
    let time = scene::moment(at, reader.zone(), reader.now);
    // The token shows the reader's own clock; the record keeps the incident's.
    let same = zone == reader.zone() || times::clock_time(at, reader.zone()) == times::clock_time(at, zone);
    let record = if same { Mrkdwn::default() } else { mrkdwn!(" ({} in the record)", scene::wall_clock(at, zone)) };
    let kept_as = match kind {
        NoteKind::Note => Mrkdwn::default(),
        NoteKind::Action | NoteKind::Finding | NoteKind::RuledOut | NoteKind::Decision | NoteKind::Key => {
            mrkdwn!(" as {}", escape::name(&story::note_kind_name(kind).to_lowercase()))
        }
    };
    let sentence = mrkdwn!("Noted{} at {}{}: {}", kept_as, time, record, escape::quoted_end(text));
    let mut shown = vec![blocks::section(sentence.clone())];
    if let Some(incident) = incident {
        let edit = Button::new("Edit", "Edit this note", &ButtonAction::EditEntryForm { incident, seq });
        let remove = Button::new("Remove", "Remove this note", &ButtonAction::RemoveEntry { incident, seq });
        shown.push(blocks::actions([edit.into(), remove.into()]));
    }
    Message::new(sentence, shown)
}

fn sending(name: &Mrkdwn, format: Format, scene: Option<&Scene<'_>>) -> Message {
    let first = mrkdwn!("Sending {} as {} in a direct message.", name, format.name());
    let page = scene.filter(|scene| !scene.incident.private).and_then(Scene::page_url);
    Message::sentence(match page {
        Some(url) => mrkdwn!("{} It is also on {}.", first, escape::link(&url, "its page")),
        None => first,
    })
}

fn called(name: &Mrkdwn, id: EscalationId, team: &TeamRef, scene: Option<&Scene<'_>>) -> Message {
    let team_name = escape::name(&team.name);
    let running = scene.and_then(|scene| scene.incident.escalations.get(&id).map(|found| (scene, found)));
    let Some((scene, escalation)) = running else {
        return Message::sentence(mrkdwn!("Called {} to {}.", team_name, name));
    };
    let first = match scene.recipients(scene.called_now(escalation)) {
        Some(who) => mrkdwn!("Called {} to {}: {}.", team_name, name, who),
        None => mrkdwn!("Called {} to {}.", team_name, name),
    };
    let second = match escalation.phase {
        Phase::Active { next_due_at } => mrkdwn!("Answer by {}, {}.", scene.time(next_due_at), scene.then(escalation)),
        Phase::Acknowledged { .. } | Phase::Stopped | Phase::Exhausted | Phase::Held { .. } => {
            "The channel shows how it goes.".into()
        }
    };
    let mut shown = vec![blocks::section(mrkdwn!("{}\n{}", first, second))];
    if escalation.is_active() {
        let (incident, generation) = (scene.incident.id, escalation.step.generation);
        let undo = ButtonAction::UndoCall { incident, escalation: id, generation };
        shown.push(blocks::actions([Button::new("Undo", &format!("Undo the call for {}", team.name), &undo).into()]));
    }
    Message::new(mrkdwn!("{} {}", first, second), shown)
}

fn already_called(
    reader: &Reader<'_>,
    id: EscalationId,
    team: &TeamRef,
    since: DateTime<Utc>,
    scene: Option<&Scene<'_>>,
) -> Message {
    let first = mrkdwn!("{} was already called {}", escape::name(&team.name), scene::ago(since, reader.now));
    let running: Option<(&Scene<'_>, &Escalation)> =
        scene.and_then(|scene| scene.incident.escalations.get(&id).map(|found| (scene, found)));
    let Some((scene, escalation)) = running else { return Message::sentence(mrkdwn!("{}.", first)) };
    match &escalation.phase {
        Phase::Active { next_due_at } => {
            let second =
                mrkdwn!("nobody has answered yet. Next at {}, {}.", scene.time(*next_due_at), scene.then(escalation));
            let sentence = mrkdwn!("{}; {}", first, second);
            let (incident, generation) = (scene.incident.id, escalation.step.generation);
            let next = ButtonAction::CallNext { incident, escalation: id, generation };
            let button = Button::new("Call next now", &format!("Call the next of {} now", team.name), &next);
            Message::new(sentence.clone(), vec![blocks::section(sentence), blocks::actions([button.into()])])
        }
        Phase::Acknowledged { by: Some(user), .. } => {
            Message::sentence(mrkdwn!("{}; {} has it.", first, scene.name(user)))
        }
        Phase::Acknowledged { by: None, .. } => Message::sentence(mrkdwn!("{}; somebody has it.", first)),
        Phase::Stopped => Message::sentence(mrkdwn!("{}, and the call was stopped.", first)),
        Phase::Exhausted => Message::sentence(mrkdwn!("{}, and nobody answered.", first)),
        Phase::Held { .. } => Message::sentence(mrkdwn!("{}, and the call is on hold.", first)),
    }
}

/// A refusal: what is the matter, and the way out.
pub fn refusal(rejection: &Rejection) -> Message {
    let sentence = Untrusted(&rejection.sentence).line(SENTENCE_CHARS_MAX);
    Message::sentence(match &rejection.hint {
        Some(hint) => mrkdwn!("{} {}", sentence, Untrusted(hint).line(SENTENCE_CHARS_MAX)),
        None => sentence,
    })
}

/// A command that would have worked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    /// What the button says: "Call Database team".
    pub label: String,
    /// `/escalate`.
    pub command: String,
    /// What follows the command: `db-team shop is slow`.
    pub text: String,
}

/// What is not clear, and the way out if the sentence does not say it.
pub fn unclear(problem: &str, way_out: Option<&str>) -> Message {
    let problem = Untrusted(problem).line(SENTENCE_CHARS_MAX);
    Message::sentence(match way_out {
        Some(way_out) => mrkdwn!("{} {}", problem, Untrusted(way_out).line(SENTENCE_CHARS_MAX)),
        None => problem,
    })
}

/// "I don't know “db-taem”. Did you mean db-team?", with a button for each near match.
pub fn did_you_mean(problem: &str, suggestions: &[Suggestion]) -> Message {
    let problem = Untrusted(problem).line(SENTENCE_CHARS_MAX);
    let typed: Vec<Mrkdwn> = suggestions
        .iter()
        .take(SUGGESTIONS_MAX)
        .map(|one| mrkdwn!("{} {}", escape::name(&one.command), escape::name(&one.text)))
        .collect();
    let Some((last, others)) = typed.split_last() else { return Message::sentence(problem) };
    let sentence = if others.is_empty() {
        mrkdwn!("{} Did you mean {}?", problem, last)
    } else {
        mrkdwn!("{} Did you mean {} or {}?", problem, Mrkdwn::join(others.iter().cloned(), ", "), last)
    };
    let shared = shared_words(suggestions);
    let numbered = suggestions.iter().take(SUGGESTIONS_MAX).enumerate();
    let buttons: Vec<_> = numbered.filter_map(|(n, one)| run_button(n, one, shared)).collect();
    let mut shown = vec![blocks::section(sentence.clone())];
    if !buttons.is_empty() {
        shown.push(blocks::actions(buttons));
    }
    Message::new(sentence, shown)
}

/// Slack did not open a form in time; the same again is a press away.
pub fn form_not_opened(command: &str, text: &str) -> Message {
    let sentence: Mrkdwn = "Slack did not open the form in time.".into();
    let again = Suggestion { label: "Try again".to_owned(), command: command.to_owned(), text: text.to_owned() };
    let mut shown = vec![blocks::section(sentence.clone())];
    shown.extend(run_button(0, &again, 0).map(|button| blocks::actions([button])));
    Message::new(sentence, shown)
}

/// Longest value of a button, in characters.
const BUTTON_VALUE_MAX: usize = 2000;
/// Longest label of a button that reads well on a phone, in characters.
const BUTTON_LABEL_MAX: usize = 24;

/// How many bytes of words all labels begin with.
fn shared_words(suggestions: &[Suggestion]) -> usize {
    let Some((first, others)) = suggestions.split_first().filter(|(_, others)| !others.is_empty()) else { return 0 };
    let ends = first.label.match_indices(' ').map(|(at, _)| at + 1);
    ends.take_while(|end| others.iter().all(|other| other.label.starts_with(&first.label[..*end]))).last().unwrap_or(0)
}

/// A button that runs the suggestion; `None` if its text is too long to carry. A label that is too long leaves out what
/// all labels begin with, so that they differ.
fn run_button(n: usize, one: &Suggestion, shared: usize) -> Option<super::json::Json> {
    let action = ButtonAction::Run { command: one.command.clone(), text: one.text.clone() };
    if action.value().chars().count() > BUTTON_VALUE_MAX {
        return None;
    }
    let label = if one.label.chars().count() > BUTTON_LABEL_MAX && shared > 0 {
        format!("…{}", &one.label[shared..])
    } else {
        one.label.clone()
    };
    let label = Untrusted(&label).plain(BUTTON_LABEL_MAX);
    let mut button: super::json::Json =
        Button::new(&label, &format!("{} {} instead", one.command, one.text), &action).into();
    // Ids within one row must differ.
    button.set("action_id", format!("{}:{n}", action.action_id()));
    Some(button)
}

/// Firebell broke down over what somebody asked, perhaps after it was written down; the reference is in the log.
pub fn breakdown(reference: &str) -> Message {
    Message::sentence(mrkdwn!(
        "Firebell made a mistake over this, and it may or may not have been written down. Everything else goes on. Look \
         at the incident before you try again, and give this reference to whoever runs Firebell: {}.",
        escape::name(reference)
    ))
}

/// There is no room to write anything down.
pub fn disk_full(reference: &str) -> Message {
    Message::sentence(mrkdwn!(
        "That was not written down: the disk of Firebell's database is full. Whoever runs Firebell has to make room; \
         then try again. Until then work as if Firebell were not there; reference {}.",
        escape::name(reference)
    ))
}

/// A newer program looks after that incident.
pub fn left_to_newer(number: i64) -> Message {
    Message::sentence(mrkdwn!(
        "That was not written down: a newer version of Firebell looks after INC-{}, and this older one leaves it to that. \
         Try again; whoever runs Firebell should start the newer version everywhere.",
        number
    ))
}

/// Firebell itself failed: what still works, and the reference under which it is logged.
pub fn failure(still_works: &'static str, reference: &str) -> Message {
    let reference = escape::name(reference);
    Message::sentence(mrkdwn!(
        "That was not written down: the database did not answer. {} Try again; reference {}.",
        still_works,
        reference
    ))
}
