//! The postmortem as HTML: the parts that pages show, and a document that stands alone.

use askama::Template;
use chrono::{DateTime, Utc};

use super::chart::{self, Row};
use super::prose;
use crate::domain::civil::format::{LocalZone, date};
use crate::domain::postmortem::{Block, KeyFigure, Line, MomentRow, Postmortem, Section, Sentence, TaskLine};
use crate::domain::timeline::EntryKind;
use crate::domain::timeline::alerts::{ListedAlert, Standing, Tally};
use crate::domain::timeline::capitalised;
use crate::ids::Seq;

/// The document as one file: no scripts, no outside requests, its style and its chart inside.
pub fn html(postmortem: &Postmortem) -> String {
    let page = Standalone { doc: DocumentView::new(postmortem), style: super::STYLESHEET };
    page.render().expect("writing to a string does not fail")
}

#[derive(Template)]
#[template(path = "standalone.html")]
struct Standalone<'a> {
    doc: DocumentView<'a>,
    style: &'static str,
}

/// What the templates show of a postmortem.
pub(super) struct DocumentView<'a> {
    pub(super) name: &'a str,
    pub(super) title: &'a str,
    pub(super) severity: String,
    pub(super) severity_class: String,
    pub(super) status: String,
    pub(super) status_class: &'static str,
    pub(super) private: bool,
    pub(super) when: &'a str,
    pub(super) zone_note: &'a str,
    pub(super) figures: &'a [KeyFigure],
    pub(super) chart: String,
    pub(super) chart_rows: Vec<Row>,
    pub(super) still_open: Vec<SentenceView>,
    pub(super) sections: Vec<SectionView<'a>>,
    pub(super) alerts: Vec<AlertView<'a>>,
    /// How many of them are firing, and how many are not.
    pub(super) alerts_standing: String,
}

pub(super) struct AlertView<'a> {
    pub(super) number: u32,
    pub(super) title: &'a str,
    pub(super) link: Option<&'a str>,
    pub(super) severity: String,
    pub(super) since: String,
    pub(super) now: String,
}

pub(super) struct SectionView<'a> {
    pub(super) key: &'a str,
    pub(super) heading: &'a str,
    /// What a person wrote, as HTML.
    pub(super) written: Option<String>,
    pub(super) blocks: Vec<BlockView<'a>>,
}

pub(super) enum BlockView<'a> {
    Paragraph(Vec<SentenceView>),
    List(Vec<SentenceView>),
    Timeline(Vec<StretchView<'a>>),
    Moments(Vec<MomentView<'a>>),
    Tasks(Vec<TaskView<'a>>),
}

pub(super) struct SentenceView {
    pub(super) lead: Option<String>,
    pub(super) html: String,
    pub(super) sources: String,
    /// The entry to jump to for evidence.
    pub(super) evidence: Option<Seq>,
}

pub(super) struct StretchView<'a> {
    pub(super) heading: Option<&'a str>,
    pub(super) lines: Vec<LineView<'a>>,
}

pub(super) struct LineView<'a> {
    pub(super) seq: Seq,
    /// Further entries that this line stands for.
    pub(super) others: &'a [Seq],
    pub(super) sources: String,
    pub(super) datetime: String,
    pub(super) utc: String,
    pub(super) time: &'a str,
    pub(super) kind: &'static str,
    pub(super) word: String,
    pub(super) lead: Option<&'a str>,
    pub(super) html: String,
    pub(super) repeated: String,
    pub(super) key: bool,
    pub(super) auto: bool,
}

pub(super) struct MomentView<'a> {
    pub(super) row: &'a MomentRow,
    pub(super) sources: String,
}

pub(super) struct TaskView<'a> {
    pub(super) task: &'a TaskLine,
    pub(super) html: String,
    pub(super) due: Option<String>,
}

impl<'a> DocumentView<'a> {
    pub(super) fn new(postmortem: &'a Postmortem) -> Self {
        let zone = &postmortem.zone;
        // Where a person wrote the timeline anew, there are no entries to jump to.
        let anchored = postmortem.sections.iter().any(|section| section.key == "timeline" && section.written.is_none());
        Self {
            name: &postmortem.name,
            title: &postmortem.title,
            severity: postmortem.severity.to_string(),
            severity_class: postmortem.severity.to_string().to_lowercase(),
            status: capitalised(postmortem.status.word()),
            status_class: postmortem.status.word(),
            private: postmortem.incident.private,
            when: &postmortem.when,
            zone_note: &postmortem.zone_note,
            figures: &postmortem.key_figures,
            chart: chart::svg(postmortem),
            chart_rows: chart::rows(postmortem),
            still_open: postmortem.still_open.iter().map(|sentence| SentenceView::new(sentence, anchored)).collect(),
            sections: postmortem.sections.iter().map(|section| section_view(section, zone, anchored)).collect(),
            alerts: postmortem.alerts.iter().map(|alert| AlertView::new(alert, postmortem)).collect(),
            alerts_standing: Tally::of(&postmortem.alerts).words(postmortem.incident.is_open()),
        }
    }
}

impl<'a> AlertView<'a> {
    fn new(alert: &'a ListedAlert, postmortem: &Postmortem) -> Self {
        let zone = &postmortem.zone;
        let stamp = |at: DateTime<Utc>| {
            let (time, day) = (zone.time_with_zone(at), zone.day(at));
            if day == postmortem.day() { time } else { format!("{}, {time}", date(day)) }
        };
        Self {
            number: alert.number,
            title: &alert.title,
            link: alert.link.as_deref().filter(|link| super::is_web(link)),
            severity: alert.severity.map(|severity| severity.to_string()).unwrap_or_default(),
            since: stamp(alert.began_at),
            now: match alert.standing {
                Standing::Firing if postmortem.incident.is_open() => "firing".to_owned(),
                Standing::Firing => "not cleared".to_owned(),
                Standing::Cleared { at } => format!("cleared {}", stamp(at)),
                Standing::TakenOut { into } => format!("in INC-{into}"),
            },
        }
    }
}

fn section_view<'a>(section: &'a Section, zone: &LocalZone, anchored: bool) -> SectionView<'a> {
    SectionView {
        key: &section.key,
        heading: &section.heading,
        written: section.written.as_deref().map(prose::markdown),
        blocks: section.blocks.iter().map(|block| block_view(block, zone, anchored)).collect(),
    }
}

fn block_view<'a>(block: &'a Block, zone: &LocalZone, anchored: bool) -> BlockView<'a> {
    let views = |sentences: &[Sentence]| sentences.iter().map(|one| SentenceView::new(one, anchored)).collect();
    match block {
        Block::Paragraph(sentences) => BlockView::Paragraph(views(sentences)),
        Block::List(sentences) => BlockView::List(views(sentences)),
        Block::Timeline(stretches) => BlockView::Timeline(
            stretches
                .iter()
                .map(|stretch| StretchView {
                    heading: stretch.heading.as_deref(),
                    lines: stretch.lines.iter().map(|line| LineView::new(line, zone)).collect(),
                })
                .collect(),
        ),
        Block::Moments(rows) => {
            BlockView::Moments(rows.iter().map(|row| MomentView { row, sources: row.sources.join(" ") }).collect())
        }
        Block::Tasks(tasks) => BlockView::Tasks(
            tasks
                .iter()
                .map(|task| TaskView { task, html: prose::words(&task.text), due: task.due_on.map(date) })
                .collect(),
        ),
    }
}

impl SentenceView {
    fn new(sentence: &Sentence, anchored: bool) -> Self {
        let event = |source: &String| source.strip_prefix("event:")?.parse().ok();
        Self {
            lead: sentence.lead.clone(),
            html: prose::words(&sentence.text),
            sources: sentence.sources.join(" "),
            evidence: sentence.sources.iter().find_map(event).filter(|_| anchored),
        }
    }
}

impl<'a> LineView<'a> {
    pub(super) fn new(line: &'a Line, zone: &LocalZone) -> Self {
        let (seq, others) = line.seqs.split_first().map_or((0, &line.seqs[..]), |(first, rest)| (*first, rest));
        let sources: Vec<String> = line.seqs.iter().map(|seq| format!("event:{seq}")).collect();
        Self {
            seq,
            others: if line.kind == EntryKind::Page { &[] } else { others },
            sources: sources.join(" "),
            datetime: zone.rfc3339(line.at),
            utc: utc(line.at),
            time: &line.time,
            kind: line.kind.word(),
            word: kind_word(line.kind).to_owned(),
            lead: line.lead.as_deref(),
            html: prose::words(&line.text),
            repeated: line.repeated(),
            key: line.key,
            auto: line.auto,
        }
    }
}

/// The instant for a tooltip, such as "2023-04-02 19:00 UTC".
pub(super) fn utc(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// The word beside an entry's icon.
pub(super) fn kind_word(kind: EntryKind) -> &'static str {
    match kind {
        EntryKind::Detected => "Detected",
        EntryKind::Declared => "Declared",
        EntryKind::Escalated => "Escalated",
        EntryKind::Note => "Note",
        EntryKind::Action => "Action",
        EntryKind::Ack => "Acknowledged",
        EntryKind::Mitigated => "Mitigated",
        EntryKind::Resolved => "Resolved",
        EntryKind::Opened => "Opened",
        EntryKind::Status => "Status",
        EntryKind::Severity => "Severity",
        EntryKind::Title => "Title",
        EntryKind::Role => "Role",
        EntryKind::Update => "Update",
        EntryKind::Reopened => "Reopened",
        EntryKind::Canceled => "Canceled",
        EntryKind::Alert => "Alert",
        EntryKind::Page => "Call",
    }
}
