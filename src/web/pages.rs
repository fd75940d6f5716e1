//! The pages: an incident, its postmortem, the list, and what is shown when something is missing.

use askama::Template;
use chrono::{DateTime, Utc};

use super::document::{BlockView, DocumentView, LineView};
use super::{is_web, prose};
use crate::domain::civil::format::{date_with_weekday, duration_short};
use crate::domain::event::{Actor, Source};
use crate::domain::incident::{Severity, Status};
use crate::domain::postmortem::Postmortem;
use crate::domain::timeline::calls::Call;
use crate::domain::timeline::{Entry, capitalised};

/// The site that a page belongs to.
#[derive(Clone, Debug, Default)]
pub struct Site {
    /// What every path begins with, such as "" or "/firebell".
    pub base: String,
    /// Who is looking, if the page knows.
    pub viewer: Option<String>,
}

/// One incident in the list.
#[derive(Clone, Debug)]
pub struct ListRow {
    pub number: i64,
    pub title: String,
    pub severity: Severity,
    pub status: Status,
    pub private: bool,
    pub opened_at: DateTime<Utc>,
    /// The opening as people read it, such as "April 2nd, 2023, 3:00 PM EDT".
    pub opened: String,
    /// How long it lasted, or has lasted, in seconds.
    pub lasted_s: Option<i64>,
}

/// What the list shows and how it was asked for.
#[derive(Clone, Debug, Default)]
pub struct List {
    pub rows: Vec<ListRow>,
    /// What was searched for.
    pub query: String,
    pub severity: Option<Severity>,
    pub status: Option<Status>,
    /// Query strings of the neighbouring pages, such as "page=2".
    pub previous: Option<String>,
    pub next: Option<String>,
}

/// The page of an incident: state, figures, chart, the whole timeline, every call. Its own address with `?zone=UTC` is
/// expected to be the same page made with that zone in its options.
pub fn incident_page(site: &Site, postmortem: &Postmortem) -> String {
    let incident = &postmortem.incident;
    let slack = incident
        .channel_id()
        .map(|channel| format!("https://slack.com/app_redirect?team={}&channel={channel}", incident.workspace));
    let (own, shown) = (incident.zone.as_str(), postmortem.zone.name());
    let other_zone = match (own, shown) {
        ("UTC", "UTC") => None,
        (own, shown) if own == shown => Some(("?zone=UTC", "UTC")),
        (own, _) => Some(("?", own)),
    };
    let page = IncidentPage {
        site,
        other_zone,
        number: incident.number,
        days: days(postmortem),
        calls: postmortem.calls.iter().map(|call| call_view(call, postmortem)).collect(),
        summary: summary(postmortem),
        slack,
        doc: DocumentView::new(postmortem),
    };
    page.render().expect("writing to a string does not fail")
}

/// The page of a postmortem: the document as it is exported, within the site.
pub fn postmortem_page(site: &Site, postmortem: &Postmortem) -> String {
    let page = PostmortemPage { site, number: postmortem.incident.number, doc: DocumentView::new(postmortem) };
    page.render().expect("writing to a string does not fail")
}

/// The list of incidents, newest first as given.
pub fn list_page(site: &Site, list: &List) -> String {
    let rows = list.rows.iter().map(|row| RowView {
        row,
        severity: row.severity.to_string(),
        severity_class: row.severity.to_string().to_lowercase(),
        status: capitalised(row.status.word()),
        datetime: row.opened_at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        lasted: row.lasted_s.map(duration_short).unwrap_or_default(),
    });
    let page = ListPage {
        site,
        list,
        rows: rows.collect(),
        severities: Severity::ALL.map(|severity| (severity.to_string(), list.severity == Some(severity))),
        statuses: Status::ALL.map(|status| (status.word(), capitalised(status.word()), list.status == Some(status))),
    };
    page.render().expect("writing to a string does not fail")
}

/// What is shown instead of a page: a sentence with the way out.
pub fn error_page(site: &Site, title: &str, text: &str) -> String {
    ErrorPage { site, title, text }.render().expect("writing to a string does not fail")
}

#[derive(Template)]
#[template(path = "incident.html")]
struct IncidentPage<'a> {
    site: &'a Site,
    number: i64,
    doc: DocumentView<'a>,
    summary: Option<String>,
    days: Vec<DayView<'a>>,
    calls: Vec<CallView<'a>>,
    slack: Option<String>,
    /// Where the page shows its times in another zone, and which.
    other_zone: Option<(&'a str, &'a str)>,
}

#[derive(Template)]
#[template(path = "postmortem.html")]
struct PostmortemPage<'a> {
    site: &'a Site,
    number: i64,
    doc: DocumentView<'a>,
}

#[derive(Template)]
#[template(path = "list.html")]
struct ListPage<'a> {
    site: &'a Site,
    list: &'a List,
    rows: Vec<RowView<'a>>,
    severities: [(String, bool); 4],
    statuses: [(&'static str, String, bool); 5],
}

/// What the page behind a link to answer shows.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// "INC-42".
    pub incident: String,
    pub severity: String,
    /// What is the case, in a few words.
    pub headline: String,
    /// More of it, a sentence or two each.
    pub lines: Vec<String>,
    /// Left out for a private incident.
    pub title: Option<String>,
    pub reason: Option<String>,
    /// Whether the button is there.
    pub open: bool,
    /// Where the incident's own page is, if it has one for everybody.
    pub page: Option<String>,
}

/// The page behind a link to answer. Showing it changes nothing; its button posts to its own address.
pub fn answer_page(site: &Site, answer: &Answer) -> String {
    let severity_class = answer.severity.to_lowercase();
    AnswerPage { site, answer, severity_class }.render().expect("writing to a string does not fail")
}

#[derive(Template)]
#[template(path = "answer.html")]
struct AnswerPage<'a> {
    site: &'a Site,
    answer: &'a Answer,
    severity_class: String,
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    site: &'a Site,
    title: &'a str,
    text: &'a str,
}

struct RowView<'a> {
    row: &'a ListRow,
    severity: String,
    severity_class: String,
    status: String,
    datetime: String,
    lasted: String,
}

/// The entries of one local day.
struct DayView<'a> {
    heading: Option<String>,
    entries: Vec<EntryView<'a>>,
}

/// An entry with all its circumstances.
struct EntryView<'a> {
    line: LineView<'a>,
    actor: Option<&'a str>,
    /// When it was written down, if later than it happened.
    recorded: Option<String>,
    link: Option<&'a str>,
    files: Vec<(&'a str, &'a str)>,
    edits: Vec<EditView>,
}

struct EditView {
    from: String,
    at: String,
}

/// One escalation as a row of the table of calls.
struct CallView<'a> {
    team: &'a str,
    called: String,
    story: &'a str,
    answered: String,
    waited: String,
    pages: usize,
    unanswered: usize,
}

fn summary(postmortem: &Postmortem) -> Option<String> {
    use crate::domain::incident::Field;
    let fields = &postmortem.incident.fields;
    fields.get(&Field::Impact).or_else(|| fields.get(&Field::AffectedDetail)).map(|text| prose::words(text))
}

fn days(postmortem: &Postmortem) -> Vec<DayView<'_>> {
    let zone = &postmortem.zone;
    let several = postmortem.entries.windows(2).any(|pair| zone.day(pair[0].at) != zone.day(pair[1].at));
    let mut days: Vec<(chrono::NaiveDate, DayView<'_>)> = Vec::new();
    for entry in &postmortem.entries {
        let day = zone.day(entry.at);
        if days.last().is_none_or(|(last, _)| *last != day) {
            let heading = several.then(|| {
                // On a day whose clocks change every entry names its own letters.
                let letters = (!zone.changes_on(day)).then(|| format!(" ({})", zone.abbreviation(entry.at)));
                format!("{}{}", date_with_weekday(day), letters.unwrap_or_default())
            });
            days.push((day, DayView { heading, entries: Vec::new() }));
        }
        if let (Some((_, view)), Some(line)) = (days.last_mut(), postmortem.lines.get(&entry.seq)) {
            view.entries.push(entry_view(entry, LineView::new(line, zone), postmortem));
        }
    }
    days.into_iter().map(|(_, day)| day).collect()
}

fn entry_view<'a>(entry: &'a Entry, line: LineView<'a>, postmortem: &'a Postmortem) -> EntryView<'a> {
    /// A note is "written down later" beyond this.
    const LATE: chrono::TimeDelta = chrono::TimeDelta::minutes(1);
    let zone = &postmortem.zone;
    let stamp = |at: DateTime<Utc>| {
        let time = zone.time_with_zone(at);
        if zone.day(at) == zone.day(entry.at) {
            time
        } else {
            format!("{}, {time}", crate::domain::civil::format::date(zone.day(at)))
        }
    };
    let actor = postmortem
        .actors
        .get(&entry.seq)
        .map(String::as_str)
        .filter(|_| entry.actor != Actor::Firebell && entry.actor != Actor::Operator);
    let (link, files) = match &entry.source {
        Some(Source::Message { permalink, files, .. }) => (
            permalink.as_deref(),
            files
                .iter()
                .map(|file| (file.name.as_str(), file.permalink.as_str()))
                .filter(|(_, link)| is_web(link))
                .collect(),
        ),
        Some(Source::Link { url }) => (Some(url.as_str()), Vec::new()),
        None => (None, Vec::new()),
    };
    EntryView {
        line,
        actor,
        recorded: (entry.recorded_at - entry.at > LATE).then(|| stamp(entry.recorded_at)),
        link: link.filter(|link| is_web(link)),
        files,
        edits: entry.edits.iter().map(|edit| EditView { from: prose::words(&edit.from), at: stamp(edit.at) }).collect(),
    }
}

fn call_view<'a>(call: &'a Call, postmortem: &'a Postmortem) -> CallView<'a> {
    let zone = &postmortem.zone;
    let answered_at = call.answered_at();
    let answered = match answered_at {
        Some(at) => zone.time_with_zone(at),
        None if call.exhausted_at.is_some() => "nobody".to_owned(),
        None if call.stopped_at.is_some() => "stopped".to_owned(),
        None => "not yet".to_owned(),
    };
    CallView {
        team: call.team.as_ref().map_or("A team", |team| team.name.as_str()),
        called: zone.time_with_zone(call.called_at),
        story: postmortem.call_lines.get(&call.escalation).map_or("", |line| line.text.as_str()),
        answered,
        waited: answered_at.map_or_else(String::new, |at| duration_short((at - call.called_at).num_seconds())),
        pages: call.rings.iter().map(|ring| ring.pages.len()).sum(),
        unanswered: call.pages_unanswered(),
    }
}
