//! The help: four lines at most, and only what is possible where the person is.

use super::actions::ButtonAction;
use super::blocks::{self, Button};
use super::escape::{Mrkdwn, mrkdwn};
use super::message::Message;
use super::scene::Scene;
use crate::domain::escalation::Phase;
use crate::domain::incident::Status;

/// Where help was asked for.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    /// In an incident's channel.
    Inside(Scene<'a>),
    /// Anywhere else.
    Outside { open_incidents: usize },
}

/// What can be done here and now.
pub fn help(place: Place<'_>) -> Message {
    match place {
        Place::Outside { open_incidents } => outside(open_incidents),
        Place::Inside(scene) if scene.incident.is_open() => ongoing(&scene),
        Place::Inside(scene) => closed(&scene),
    }
}

fn outside(open_incidents: usize) -> Message {
    let list = match open_incidents {
        0 => Mrkdwn::from("`/incident list` shows open incidents; there are none now."),
        n => mrkdwn!("`/incident list` shows the {} open now; `/incident show INC-42` one of them.", n),
    };
    let lines = [
        "`/incident open checkout is slow sev2` opens an incident with a channel of its own.".into(),
        "`/escalate db-team pages time out` pages a team until somebody answers; `/escalate preview db-team` shows whom.".into(),
        list,
        "Or use *Open incident from this* in a message's menu.".into(),
    ];
    let open = Button::new("Open incident", "Open an incident", &ButtonAction::OpenForm).primary();
    shown(&"Open an incident, or call a team.".into(), lines, vec![open.into()])
}

fn ongoing(scene: &Scene<'_>) -> Message {
    let incident = scene.incident.id;
    let called = scene
        .incident
        .escalations
        .values()
        .any(|escalation| matches!(escalation.phase, Phase::Active { .. } | Phase::Held { .. }));
    let calls = if called {
        "`/escalate ack` takes the call · `next` calls the next tier · `stop` ends it · `why` shows who and when."
    } else {
        "`/escalate db-team pages time out` pages a team until somebody answers; `/escalate why` shows who was called."
    };
    let lines = [
        "`/incident note 3:15pm restarted the database` writes it down, each line that begins with a time as its own entry; the reaction :memo: takes a message.".into(),
        if scene.incident.storm.is_some() {
            "`/incident alerts` shows all that share it, and takes one out · `update …` tells everybody · `status` · `severity`".into()
        } else {
            "`/incident update …` tells everybody · `status` · `severity` · `commander @ana` · `impact …`".into()
        },
        calls.into(),
        "`/incident resolve …` ends it and drafts the postmortem; `/incident cancel` if it was none.".into(),
    ];
    let buttons = vec![
        Button::new(
            "Escalate",
            &format!("Call a team to {}", scene.incident.name()),
            &ButtonAction::EscalateForm { incident },
        )
        .into(),
        Button::new(
            "Update",
            &format!("Post an update of {}", scene.incident.name()),
            &ButtonAction::UpdateForm { incident },
        )
        .into(),
        Button::new("Resolve", &format!("Resolve {}", scene.incident.name()), &ButtonAction::ResolveForm { incident })
            .into(),
    ];
    shown(&mrkdwn!("{} is {}. Here you can:", scene.number(), scene.incident.status.word()), lines, buttons)
}

fn closed(scene: &Scene<'_>) -> Message {
    let incident = scene.incident.id;
    let standing = mrkdwn!("{} is {}. Here you can:", scene.number(), scene.incident.status.word());
    if scene.incident.status == Status::Canceled {
        let lines = [
            "`/incident reopen` if it was an incident after all.".into(),
            "`/incident timeline` shows what was written down.".into(),
            "`/incident note 3:15pm …` adds what was missed.".into(),
            "`/incident list` shows the open incidents; `/incident open …` opens another.".into(),
        ];
        let name = scene.incident.name();
        let reopen = Button::new("Reopen", &format!("Reopen {name}"), &ButtonAction::Reopen { incident });
        return shown(&standing, lines, vec![reopen.into()]);
    }
    let lines = [
        "`/incident cause …` · `resolution …` · `impact …` · `started 2:50pm` fill in the postmortem.".into(),
        "`/incident task @dana due fri add an alert` adds a task; `/incident measure …` a measure.".into(),
        "`/incident note 3:15pm …` adds what was missed; `/incident timeline` shows all of it.".into(),
        "`/incident export md` sends you the document; `/incident reopen` if it is not over.".into(),
    ];
    let complete = super::card::complete_button(scene).primary();
    let task = Button::new(
        "Add task",
        &format!("Add a task to {}", scene.incident.name()),
        &ButtonAction::TaskForm { incident },
    );
    shown(&standing, lines, vec![complete.into(), task.into()])
}

fn shown(first: &Mrkdwn, lines: [Mrkdwn; 4], buttons: Vec<super::json::Json>) -> Message {
    let all = Mrkdwn::join(lines, "\n");
    Message::new(
        mrkdwn!("{}\n{}", first, all),
        vec![blocks::section(mrkdwn!("*{}*\n{}", first, all)), blocks::actions(buttons)],
    )
}
