//! The documents: written to the export directory, sent to who asks, and counted for the message about them.

use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::Worker;
use super::outcome::back_off;
use crate::app::{Request, Settled, Target, Work};
use crate::config::{self, Config};
use crate::crash;
use crate::domain::civil::format::ClockStyle;
use crate::domain::command::{Command, Finished};
use crate::domain::event::{Actor, Recorded};
use crate::domain::incident::Incident;
use crate::domain::postmortem::{Format, Options, Postmortem};
use crate::domain::roster::Directory;
use crate::domain::timeline::people::PeopleStyle;
use crate::export::{self, ProseEdit};
use crate::ids::UserId;
use crate::slack::NewFile;
use crate::slack::posts::{self, PostmortemStanding};

/// How documents are written, and where; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Documents {
    inner: Arc<Settings>,
}

#[derive(Debug, Default)]
struct Settings {
    options: Options,
    /// `None`: nothing is written by itself.
    dir: Option<PathBuf>,
    formats: Vec<Format>,
    private: bool,
}

impl Documents {
    /// As the configuration says; a relative directory starts from the folder of the file.
    pub fn new(config: &Config) -> Self {
        let settings = &config.settings;
        let clock = match settings.clock {
            config::ClockStyle::Auto => None,
            config::ClockStyle::Twelve => Some(ClockStyle::Twelve),
            config::ClockStyle::TwentyFour => Some(ClockStyle::TwentyFour),
        };
        let people = match settings.export.people {
            config::People::Roles => PeopleStyle::Roles,
            config::People::Initials => PeopleStyle::Initials,
            config::People::Names => PeopleStyle::Names,
        };
        let inner = Settings {
            options: Options { clock, people, utc: false },
            dir: settings.export.dir.as_ref().map(|dir| config.folder().join(dir)),
            formats: settings.export.formats.clone(),
            private: settings.export.private,
        };
        Self { inner: Arc::new(inner) }
    }

    /// The same, with all times in UTC.
    #[must_use]
    pub fn in_utc(&self) -> Self {
        let Settings { options, dir, formats, private } = &*self.inner;
        let options = Options { utc: true, ..*options };
        Self { inner: Arc::new(Settings { options, dir: dir.clone(), formats: formats.clone(), private: *private }) }
    }

    /// The document as it stands now.
    pub fn postmortem(
        &self,
        incident: &Incident,
        history: &[Recorded],
        directory: &Directory,
        now: DateTime<Utc>,
    ) -> Postmortem {
        Postmortem::new(incident, history, directory, now, self.inner.options)
    }

    /// Goes through the files in the export directory: `export::clean`.
    pub fn clean(&self, names: &[String], without: &dyn Fn(&str) -> Option<String>) -> Result<(), export::Error> {
        self.inner.dir.as_deref().map_or(Ok(()), |dir| export::clean(dir, names, without).map(drop))
    }

    /// Makes the files of an incident in the export directory again, if there are any.
    pub fn remake(&self, document: &Postmortem) -> Result<Option<export::Exported>, export::Error> {
        self.inner.dir.as_deref().map_or(Ok(None), |dir| export::remake(dir, document, &self.inner.formats))
    }

    pub(super) fn standing(
        &self,
        incident: &Incident,
        history: &[Recorded],
        directory: &Directory,
        now: DateTime<Utc>,
    ) -> PostmortemStanding {
        let document = self.postmortem(incident, history, directory, now);
        PostmortemStanding {
            timeline_entries: document.figures.entries,
            still_open: document.still_open.iter().map(|sentence| topic(&sentence.plain())).collect(),
        }
    }
}

/// What a question of the document is about, as a few words within a sentence: what stands before its colon.
fn topic(question: &str) -> String {
    let topic = question.split_once(':').map_or(question, |(topic, _)| topic);
    let mut chars = topic.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

fn document_not_sent(to: &UserId, format: Format, error: String) -> Settled {
    let finished = Finished::DocumentNotSent { to: to.clone(), format, error: error.clone() };
    Settled::GivenUp { error, finished: Some(finished) }
}

impl Worker {
    /// Writes the documents; what people have written into the files meanwhile becomes part of the record first.
    pub(super) async fn export(&self, work: &Work) -> Settled {
        let documents = self.inner.documents.clone();
        let Some(dir) = documents.inner.dir.clone() else { return Self::done() };
        let history = match self.history(work).await {
            Ok(history) => history,
            Err(error) => return self.unread(work, &error),
        };
        let (directory, now, incident) = (self.inner.app.directory(), self.now(), Arc::clone(&work.incident));
        let written = tokio::task::spawn_blocking(move || {
            let document = documents.postmortem(&incident, &history, &directory, now);
            export::export_as(&dir, &document, documents.inner.private, &documents.inner.formats)
        })
        .await;
        match written {
            Ok(Ok(exported)) => {
                self.keep_prose(work, exported.map(|exported| exported.prose_edits).unwrap_or_default()).await;
                Self::done()
            }
            Ok(Err(error)) => {
                tracing::error!(%error, incident = work.incident.number, "the documents could not be written");
                let at = now + back_off(work.attempt);
                Settled::Again { at, error: error.to_string(), uncertain: false, finished: None }
            }
            Err(panicked) => {
                tracing::error!(%panicked, incident = work.incident.number, "writing the documents failed");
                Self::done()
            }
        }
    }

    /// Sends the document as it stands now to one person, as a file. Who asked is told if that cannot be.
    pub(super) async fn send_document(&self, work: &Work, to: &UserId, format: Format) -> Settled {
        let history = match self.history(work).await {
            Ok(history) => history,
            Err(error) => return self.unread(work, &error),
        };
        let documents = self.inner.documents.clone();
        let (directory, now, incident) = (self.inner.app.directory(), self.now(), Arc::clone(&work.incident));
        let written = tokio::task::spawn_blocking(move || {
            let document = documents.postmortem(&incident, &history, &directory, now);
            let (name, content) = (export::file_name(&document, format), export::text(&document, format).into_bytes());
            NewFile { title: name.clone(), name, content }
        })
        .await;
        let file = match written {
            Ok(file) => file,
            Err(panicked) => {
                tracing::error!(%panicked, incident = work.incident.number, "writing a document failed");
                return document_not_sent(to, format, "the document could not be written; the log says why".to_owned());
            }
        };
        let slack = &self.inner.slack;
        // If the search fails too, twice is better than never.
        if work.uncertain && slack.has_sent_file(to, &file.name, work.created_at).await.unwrap_or(false) {
            return Self::done();
        }
        let around = self.around();
        let comment = posts::document(&self.view(work, &around), format).into_string();
        match crash::around(&work.effect, slack.send_file(to, &file, &comment)).await {
            Ok(()) => Self::done(),
            // Somebody waits for it now, and an administrator may take days.
            Err(error) if error.code() == Some("missing_scope") => {
                tracing::warn!(%error, incident = work.incident.number, "a document could not be sent");
                document_not_sent(to, format, error.to_string())
            }
            Err(error) => match self.failed(work, &error, None) {
                Settled::GivenUp { error, .. } => document_not_sent(to, format, error),
                settled => settled,
            },
        }
    }

    /// What people wrote into an exported file belongs to the record, so that every format shows it.
    async fn keep_prose(&self, work: &Work, prose: Vec<ProseEdit>) {
        for ProseEdit { section, text } in prose {
            let request = Request {
                key: None,
                actor: Actor::Operator,
                target: Target::Incident(work.incident.id),
                command: Command::WriteProse { section, text: Some(text) },
                inside: true,
            };
            if let Err(error) = self.inner.app.handle(request).await {
                tracing::error!(%error, "what somebody wrote into a document was not kept in the record yet");
            }
        }
    }
}
