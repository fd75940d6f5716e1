//! How far the story has come, kept in the bot's own database.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::story;
use crate::app::App;
use crate::store::{self, settings};

const KEY: &str = "demo_story";
/// Two hours in four minutes.
const SPEED_DEFAULT: f64 = 30.0;

/// Where the story stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Progress {
    /// Steps that have happened.
    pub(super) step: usize,
    /// What the clock showed.
    pub(super) now: DateTime<Utc>,
    /// The speed while the story plays.
    pub(super) speed: f64,
    pub(super) playing: bool,
    /// The number of the story's incident.
    pub(super) incident: Option<i64>,
}

impl Progress {
    /// What is remembered; the beginning if nothing is. The clock never goes back behind what was recorded.
    pub(super) async fn load(app: &App) -> Result<Self, store::Error> {
        let mut tx = app.db().read().await?;
        let kept = settings::get(&mut tx, KEY).await?;
        drop(tx);
        let beginning = Self { step: 0, now: story::begins_at(), speed: SPEED_DEFAULT, playing: true, incident: None };
        let mut progress = kept.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or(beginning);
        let mut tx = app.db().read().await?;
        let listed = store::incidents::list(&mut tx, app.workspace(), &store::incidents::Filter::default()).await?;
        drop(tx);
        for incident in listed.incidents {
            let history = app.history(incident.id).await?;
            let last = history.last().map_or(progress.now, |recorded| recorded.recorded_at);
            progress.now = progress.now.max(last);
        }
        Ok(progress)
    }

    pub(super) async fn save(&self, app: &App) -> Result<(), store::Error> {
        let json = serde_json::to_string(self).unwrap_or_default();
        let mut tx = app.db().write().await?;
        settings::set(&mut tx, KEY, &json).await?;
        tx.commit().await
    }
}
