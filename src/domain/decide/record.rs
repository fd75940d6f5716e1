//! What people write into the record: notes, updates, moments, and the answers the postmortem needs.

use chrono::{DateTime, NaiveDate, Utc};

use super::lifecycle::unchanged;
use super::{Draft, kept_optional, kept_text};
use crate::domain::answer::Said;
use crate::domain::command::{MessageChange, When};
use crate::domain::event::{Event, NoteKind, Source};
use crate::domain::incident::Field;
use crate::domain::limits::{LIST_ITEMS_MAX, TEXT_CHARS_MAX};
use crate::domain::postmortem::Format;
use crate::domain::reference::by_handle;
use crate::domain::rejection::{Rejection, RejectionKind};
use crate::ids::{MessageRef, Seq, UserId};

impl Draft<'_> {
    pub(super) fn detected(
        &mut self,
        when: When,
        text: &str,
        by: Option<&str>,
        team: Option<&str>,
    ) -> Result<Said, Rejection> {
        let text = kept_text("text", text, TEXT_CHARS_MAX)?;
        let (by, team) = (kept_optional("source", by.map(by_handle).as_deref())?, self.context.team_ref(team));
        let seq = self.push_when(when, Event::Detected { text: text.clone(), by, team })?;
        Ok(self.noted(seq, NoteKind::Key, text))
    }

    pub(super) fn declare(&mut self, when: When, text: &str, team: Option<&str>) -> Result<Said, Rejection> {
        let text = kept_text("text", text, TEXT_CHARS_MAX)?;
        let team = self.context.team_ref(team);
        let seq = self.push_when(when, Event::Declared { text: text.clone(), team })?;
        Ok(self.noted(seq, NoteKind::Key, text))
    }

    pub(super) fn post_update(&mut self, text: &str) -> Result<Said, Rejection> {
        let text = kept_text("update", text, TEXT_CHARS_MAX)?;
        self.push(Event::UpdatePosted { text });
        Ok(Said::Done)
    }

    pub(super) fn note(
        &mut self,
        when: When,
        kind: NoteKind,
        team: Option<&str>,
        text: &str,
    ) -> Result<Said, Rejection> {
        let text = kept_text("note", text, TEXT_CHARS_MAX)?;
        let team = self.context.team_ref(team);
        let seq = self.push_when(when, Event::Noted { kind, team, text: text.clone() })?;
        Ok(self.noted(seq, kind, text))
    }

    pub(super) fn capture(
        &mut self,
        at: DateTime<Utc>,
        kind: Option<NoteKind>,
        text: &str,
        source: &Source,
    ) -> Result<Said, Rejection> {
        // A message may be a picture alone: then the names of its files are what it says.
        let text = match (text.trim(), source) {
            ("", Source::Message { files, .. }) => {
                let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
                format!("File: {}", names.join(", "))
            }
            (text, _) => text.to_owned(),
        };
        let text: String = kept_text("message", &text, usize::MAX)?.chars().take(TEXT_CHARS_MAX).collect();
        let (at, source) = (at.min(self.context.now), Some(source.clone()));
        let event = match kind {
            Some(kind) => Event::Noted { kind, team: None, text: text.clone() },
            None => Event::Detected { text: text.clone(), by: None, team: None },
        };
        let seq = self.push_from(at, source, event);
        Ok(self.noted(seq, kind.unwrap_or(NoteKind::Key), text))
    }

    pub(super) fn request_capture(&mut self, message: &MessageRef, kind: NoteKind, late: bool) -> Said {
        self.push(Event::CaptureRequested { message: message.clone(), kind, late });
        Said::Done
    }

    /// Follows the message that an entry was taken from: its edits, and its deletion.
    pub(super) fn follow_message(&mut self, target: Seq, change: &MessageChange) -> Result<Said, Rejection> {
        self.must_exist(target)?;
        match change {
            MessageChange::Edited { text } => {
                let text: String = kept_text("message", text, usize::MAX)?.chars().take(TEXT_CHARS_MAX).collect();
                self.push(Event::TextEdited { target, text });
            }
            MessageChange::Deleted => {
                self.push(Event::EntryRemoved { target, because: "its message was deleted in Slack".to_owned() });
            }
        }
        Ok(Said::Done)
    }

    pub(super) fn edit_entry(&mut self, target: Seq, text: &str) -> Result<Said, Rejection> {
        self.must_exist(target)?;
        let text = kept_text("text", text, TEXT_CHARS_MAX)?;
        self.push(Event::TextEdited { target, text });
        Ok(Said::Kept { what: "the new text".to_owned() })
    }

    pub(super) fn remove_entry(&mut self, target: Seq) -> Result<Said, Rejection> {
        self.must_exist(target)?;
        self.push(Event::EntryRemoved { target, because: "taken back".to_owned() });
        Ok(Said::Kept { what: "that the entry is taken back".to_owned() })
    }

    fn must_exist(&self, target: Seq) -> Result<(), Rejection> {
        if (1..=self.after.last_seq).contains(&target) {
            return Ok(());
        }
        Err(Rejection::new(RejectionKind::NotFound, format!("There is no entry {target} in {}.", self.after.name()))
            .hint("/incident timeline shows the entries."))
    }

    pub(super) fn set_impact_start(&mut self, start_at: Option<DateTime<Utc>>) -> Result<Said, Rejection> {
        if let Some(at) = start_at {
            self.context.happened_at(When { at: Some(at), approx: false })?;
        }
        self.push(Event::ImpactStartSet { start_at });
        Ok(Said::Kept { what: "the start of the impact".to_owned() })
    }

    pub(super) fn set_impact_end(&mut self, end_at: Option<DateTime<Utc>>) -> Result<Said, Rejection> {
        if let Some(at) = end_at {
            self.context.happened_at(When { at: Some(at), approx: false })?;
        }
        self.push(Event::ImpactEndSet { end_at });
        Ok(Said::Kept { what: "the end of the impact".to_owned() })
    }

    pub(super) fn set_fields(&mut self, fields: &[(Field, Option<String>)]) -> Result<Said, Rejection> {
        for (field, value) in fields {
            let value = kept_optional("answer", value.as_deref())?;
            if self.after.fields.get(field) != value.as_ref() {
                self.push(Event::FieldSet { field: *field, value });
            }
        }
        Ok(Said::Kept {
            what: match fields {
                [(field, Some(_))] => field.name().to_owned(),
                [(field, None)] => format!("{} as not known", field.name()),
                _ => "the answers".to_owned(),
            },
        })
    }

    pub(super) fn add_measure(&mut self, text: &str) -> Result<Said, Rejection> {
        let text = kept_text("measure", text, TEXT_CHARS_MAX)?;
        self.must_have_room("measures", self.after.measures.len())?;
        self.push(Event::MeasureAdded { text });
        Ok(Said::Kept { what: "the measure".to_owned() })
    }

    /// Removes what is no longer listed and adds what is new; the others keep their place.
    pub(super) fn set_measures(&mut self, measures: &[String]) -> Result<Said, Rejection> {
        let wanted: Vec<String> =
            measures.iter().map(|text| kept_text("measure", text, TEXT_CHARS_MAX)).collect::<Result<_, _>>()?;
        let unwanted = |measure: &String| !wanted.contains(measure);
        while let Some(index) = self.after.measures.iter().position(unwanted) {
            self.push(Event::MeasureRemoved { index: u32::try_from(index).unwrap_or(u32::MAX) });
        }
        for text in wanted {
            if !self.after.measures.contains(&text) {
                self.must_have_room("measures", self.after.measures.len())?;
                self.push(Event::MeasureAdded { text });
            }
        }
        Ok(Said::Kept { what: "the measures".to_owned() })
    }

    pub(super) fn add_task(
        &mut self,
        text: &str,
        owner: Option<&UserId>,
        due_on: Option<NaiveDate>,
    ) -> Result<Said, Rejection> {
        let text = kept_text("task", text, TEXT_CHARS_MAX)?;
        self.must_have_room("tasks", self.after.tasks.len())?;
        let task = self.after.tasks_ever + 1;
        self.push(Event::TaskAdded { task, text, owner: owner.cloned(), due_on });
        Ok(Said::Kept { what: format!("task {task}") })
    }

    pub(super) fn finish_task(&mut self, task: u32, done: bool) -> Result<Said, Rejection> {
        let found = self.find_task(task)?;
        if found == done {
            return Ok(unchanged(format!("Task {task} is {} already.", if done { "done" } else { "open" })));
        }
        self.push(Event::TaskDone { task, done });
        Ok(Said::Kept { what: format!("task {task} as {}", if done { "done" } else { "open again" }) })
    }

    pub(super) fn remove_task(&mut self, task: u32) -> Result<Said, Rejection> {
        self.find_task(task)?;
        self.push(Event::TaskRemoved { task });
        Ok(Said::Kept { what: format!("that task {task} is dropped") })
    }

    fn find_task(&self, task: u32) -> Result<bool, Rejection> {
        let found = self.after.tasks.iter().find(|found| found.number == task).map(|found| found.done);
        found.ok_or_else(|| {
            Rejection::new(RejectionKind::NotFound, format!("{} has no task {task}.", self.after.name()))
                .hint("/incident show lists its tasks.")
        })
    }

    pub(super) fn write_prose(&mut self, section: &str, text: Option<&str>) -> Result<Said, Rejection> {
        let text = kept_optional("text", text)?;
        if self.after.prose.get(section) != text.as_ref() {
            self.push(Event::ProseWritten { section: section.to_owned(), text });
        }
        Ok(Said::Done)
    }

    /// Only a person can be sent something.
    pub(super) fn send_document(&mut self, format: Format) -> Said {
        let Some(by) = self.context.user().cloned() else {
            return unchanged("Nobody asked for the document whom it could be sent to.".to_owned());
        };
        self.push_own(Event::DocumentRequested { by, format });
        Said::Sending { format }
    }

    fn must_have_room(&self, what: &str, now: usize) -> Result<(), Rejection> {
        if now < LIST_ITEMS_MAX {
            return Ok(());
        }
        Err(Rejection::new(RejectionKind::Invalid, format!("{} has {now} {what}; more do not fit.", self.after.name()))
            .hint("Remove one that is not needed."))
    }
}
