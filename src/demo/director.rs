//! Tells the story at its pace, and remembers how far it has come.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;

use super::player::Player;
use super::state::Progress;
use super::story::{STEPS, TITLE};
use crate::clock::{Clock, lock, real_sleep};
use crate::store;

/// What a visitor may choose.
pub(super) const SPEEDS: [f64; 5] = [1.0, 10.0, 30.0, 60.0, 120.0];
/// As in life: while the story stands, and while somebody acts in it.
const LIFE: f64 = 1.0;
/// How often the clock is remembered; a crash loses no more.
const KEPT_EVERY: Duration = Duration::from_secs(1);

/// Who tells the story.
pub(super) struct Director {
    player: Player,
    told: bool,
    state: Mutex<State>,
    /// Held while the progress is written, so that an older one never overwrites a newer.
    writing: tokio::sync::Mutex<()>,
    /// Wakes the telling when somebody plays or pauses.
    turned: watch::Sender<()>,
}

struct State {
    progress: Progress,
    /// How fast the clock runs, besides while somebody acts.
    pace: f64,
    /// Whether somebody acts just now.
    acting: bool,
}

impl Director {
    pub(super) fn new(player: Player, progress: Progress, told: bool) -> Self {
        let plays = told && progress.playing && progress.step < STEPS.len();
        let pace = if plays { progress.speed } else { LIFE };
        let director = Self {
            player,
            told,
            state: Mutex::new(State { progress, pace, acting: false }),
            writing: tokio::sync::Mutex::new(()),
            turned: watch::Sender::new(()),
        };
        director.change(|_| ());
        director
    }

    fn clock(&self) -> &Clock {
        self.player.slack.clock()
    }

    /// Changes the state, and the clock's speed with it.
    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = lock(&self.state);
        change(&mut state);
        let speed = if state.acting { state.pace.min(LIFE) } else { state.pace };
        drop(state);
        if (self.clock().speed() - speed).abs() > f64::EPSILON {
            self.clock().set_speed(speed);
            self.player.slack.clock_changed();
        }
        self.turned.send_replace(());
    }

    /// Tells what is left of the story, and goes on remembering the time after it.
    pub(super) async fn direct(self: Arc<Self>) {
        let keeping = async {
            loop {
                real_sleep(KEPT_EVERY).await;
                if let Err(error) = self.keep().await {
                    tracing::warn!(%error, "the demo's time was not kept");
                }
            }
        };
        tokio::join!(self.tell(), keeping);
    }

    async fn tell(&self) {
        if !self.told {
            return;
        }
        let mut turned = self.turned.subscribe();
        loop {
            turned.mark_unchanged();
            let (index, playing) = {
                let state = lock(&self.state);
                (state.progress.step, state.progress.playing)
            };
            let Some(step) = STEPS.get(index) else { break };
            if !playing {
                let _ = turned.changed().await;
                continue;
            }
            tokio::select! {
                () = self.clock().sleep_until(step.at()) => {}
                _ = turned.changed() => continue,
            }
            self.change(|state| state.acting = true);
            let mut incident = lock(&self.state).progress.incident;
            if let Err(error) = self.player.play(step, &mut incident).await {
                tracing::info!("the story goes on without “{}”: {error:#}", step.label);
            }
            if let Err(error) = self.player.slack.save().await {
                tracing::warn!("{error:#}");
            }
            self.change(|state| {
                state.acting = false;
                state.progress.incident = incident;
                state.progress.step = index + 1;
                if index + 1 == STEPS.len() {
                    state.pace = LIFE;
                }
            });
            if let Err(error) = self.keep().await {
                tracing::warn!(%error, "the story's progress was not kept");
            }
        }
    }

    /// Remembers where the story and the clock are.
    pub(super) async fn keep(&self) -> Result<(), store::Error> {
        let _writing = self.writing.lock().await;
        let progress = {
            let mut state = lock(&self.state);
            state.progress.now = self.clock().now();
            state.progress.clone()
        };
        progress.save(&self.player.app).await
    }

    pub(super) fn speed(&self) -> f64 {
        lock(&self.state).progress.speed
    }

    /// Lets the story go on.
    pub(super) fn play(&self) {
        self.change(|state| {
            if state.progress.step < STEPS.len() {
                state.progress.playing = true;
                state.pace = state.progress.speed;
            }
        });
    }

    /// Lets the story stand; time goes on as in life.
    pub(super) fn pause(&self) {
        self.change(|state| {
            state.progress.playing = false;
            state.pace = LIFE;
        });
    }

    /// Sets the pace of the clock, and of the story when it plays.
    pub(super) fn set_speed(&self, speed: f64) {
        self.change(|state| {
            state.pace = speed;
            state.progress.speed = speed;
        });
    }

    /// What the page shows of the story.
    pub(super) fn status(&self, bot_url: &str) -> Value {
        let state = lock(&self.state);
        let done = state.progress.step;
        let steps: Vec<Value> = STEPS
            .iter()
            .enumerate()
            .map(|(index, step)| json!({ "at": step.at().to_rfc3339(), "label": step.label, "done": index < done }))
            .collect();
        json!({
            "title": TITLE, "playing": state.progress.playing && done < STEPS.len(), "finished": done >= STEPS.len(),
            "speed": state.pace, "speeds": SPEEDS, "step": done, "steps": steps,
            "links": { "bot_url": bot_url },
        })
    }

    /// Whether there is a story at all.
    pub(super) fn tells(&self) -> bool {
        self.told
    }
}
