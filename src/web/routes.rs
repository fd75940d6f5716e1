//! The addresses of the pages, and who may see what.
//!
//! Whoever reaches the server may read incidents that are not private; a private one is not there, by any address.
//! Nothing can be changed here; what can is in `answer`, behind a signed link.

use axum::Router;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;

use super::pages::{self, List, ListRow, Site};
use super::{CONTENT_SECURITY_POLICY, DOCUMENT_SECURITY_POLICY, STYLESHEET};
use crate::app::App;
use crate::domain::civil::format::{LocalZone, date};
use crate::domain::incident::{Incident, Severity, Status};
use crate::domain::postmortem::{Format, Postmortem};
use crate::export;
use crate::store;
use crate::watch::Watch;
use crate::worker::Documents;

/// Incidents on one page of the list.
const LIST_MAX: u32 = 50;

#[derive(Clone)]
struct Pages {
    app: App,
    documents: Documents,
}

/// Why a page is not shown.
pub(super) enum Missing {
    NotFound,
    /// Something else than reading was asked.
    ReadOnly,
    Unavailable(store::Error),
}

impl From<store::Error> for Missing {
    fn from(error: store::Error) -> Self {
        Self::Unavailable(error)
    }
}

/// All pages and the two probes: `/healthz` says that the process answers, `/readyz` that nothing is known against its
/// keeping the promise, or what is.
pub fn router(app: App, documents: Documents, watch: Watch) -> Router {
    Router::new()
        .route("/", get(list))
        .route("/incidents", get(list))
        .route("/incidents/{number}", get(incident))
        .route("/incidents/{number}/{document}", get(document))
        .route("/static/firebell.css", get(stylesheet))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(move || ready(watch)))
        .method_not_allowed_fallback(|| async { Missing::ReadOnly.into_response() })
        .fallback(|| async { Missing::NotFound.into_response() })
        .with_state(Pages { app, documents })
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    q: String,
    severity: String,
    status: String,
    /// Only incidents with a smaller number: the next page.
    before: String,
}

/// What cannot be read in an address counts as not asked: an old link still shows something.
async fn list(State(pages): State<Pages>, asked: Result<Query<Asked>, QueryRejection>) -> Result<Response, Missing> {
    let asked = asked.map(|Query(asked)| asked).unwrap_or_default();
    let before = asked.before.parse().ok();
    let severity = Severity::parse(&asked.severity);
    let status = Status::parse(&asked.status);
    let filter = store::incidents::Filter {
        text: Some(asked.q.trim().to_owned()).filter(|text| !text.is_empty()),
        limit: LIST_MAX,
        before,
        ..Default::default()
    };
    let mut tx = pages.app.db().read().await?;
    let found = store::incidents::list(&mut tx, pages.app.workspace(), &filter).await?;
    let now = pages.app.clock().now();
    let fits = |incident: &&Incident| {
        severity.is_none_or(|severity| incident.severity == severity)
            && status.is_none_or(|status| incident.status == status)
    };
    let rows = found.incidents.iter().filter(fits).map(|incident| row(incident, now)).collect();
    let list = List {
        rows,
        query: asked.q,
        severity,
        status,
        previous: before.map(|_| String::new()),
        next: found.next.map(|number| format!("before={number}")),
    };
    Ok(html(pages::list_page(&Site::default(), &list)))
}

fn row(incident: &Incident, now: chrono::DateTime<chrono::Utc>) -> ListRow {
    let zone = LocalZone::new(&incident.zone, None);
    let until = match incident.status {
        Status::Canceled => None,
        Status::Resolved => incident.resolved_at,
        Status::Investigating | Status::Identified | Status::Monitoring => Some(now),
    };
    let since = incident.impact_start_at.unwrap_or(incident.opened_at);
    ListRow {
        number: incident.number,
        title: incident.title.clone(),
        severity: incident.severity,
        status: incident.status,
        private: incident.private,
        opened_at: incident.opened_at,
        opened: format!("{}, {}", date(zone.day(incident.opened_at)), zone.time_with_zone(incident.opened_at)),
        lasted_s: until.map(|until| (until - since).num_seconds()),
    }
}

/// How an incident's page is asked for: `?zone=UTC` shows its times in UTC.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct View {
    zone: String,
}

async fn incident(
    State(mut pages): State<Pages>,
    number: Result<Path<i64>, PathRejection>,
    view: Result<Query<View>, QueryRejection>,
) -> Result<Response, Missing> {
    let Path(number) = number.map_err(|_| Missing::NotFound)?;
    if view.is_ok_and(|Query(view)| view.zone == "UTC") {
        pages.documents = pages.documents.in_utc();
    }
    let document = pages.document(number).await?;
    Ok(html(pages::incident_page(&Site::default(), &document)))
}

async fn document(
    State(pages): State<Pages>,
    asked: Result<Path<(i64, String)>, PathRejection>,
) -> Result<Response, Missing> {
    let Path((number, name)) = asked.map_err(|_| Missing::NotFound)?;
    let document = pages.document(number).await?;
    Ok(match name.as_str() {
        "postmortem" => html(pages::postmortem_page(&Site::default(), &document)),
        "postmortem.md" => text("text/markdown; charset=utf-8", export::text(&document, Format::Markdown)),
        "postmortem.json" => text("application/json", export::text(&document, Format::Json)),
        "postmortem.html" => with_policy(export::text(&document, Format::Html), DOCUMENT_SECURITY_POLICY),
        _ => return Err(Missing::NotFound),
    })
}

impl Pages {
    /// The document of an incident that anybody may read.
    async fn document(&self, number: i64) -> Result<Postmortem, Missing> {
        let found = self.app.incident_by_number(number).await?;
        let Some(incident) = found.filter(|incident| !incident.private) else { return Err(Missing::NotFound) };
        let history = self.app.history(incident.id).await?;
        Ok(self.documents.postmortem(&incident, &history, &self.app.directory(), self.app.clock().now()))
    }
}

async fn stylesheet() -> Response {
    text("text/css; charset=utf-8", STYLESHEET.to_owned())
}

async fn ready(watch: Watch) -> Response {
    let troubles = watch.troubles().await;
    if troubles.is_empty() {
        return "ready\n".into_response();
    }
    let reasons: String = troubles.iter().map(|trouble| format!("{trouble}\n")).collect();
    (StatusCode::SERVICE_UNAVAILABLE, reasons).into_response()
}

pub(super) fn html(page: String) -> Response {
    with_policy(page, CONTENT_SECURITY_POLICY)
}

fn with_policy(page: String, policy: &'static str) -> Response {
    let mut response = text("text/html; charset=utf-8", page);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

fn text(kind: &'static str, body: String) -> Response {
    const NO_SNIFFING: (HeaderName, &str) = (header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    ([(header::CONTENT_TYPE, kind), NO_SNIFFING], body).into_response()
}

impl IntoResponse for Missing {
    fn into_response(self) -> Response {
        let site = Site::default();
        let (status, page) = match self {
            Self::NotFound => (
                StatusCode::NOT_FOUND,
                pages::error_page(&site, "Not found", "There is no such page. The list of incidents may have it."),
            ),
            Self::ReadOnly => (
                StatusCode::METHOD_NOT_ALLOWED,
                pages::error_page(
                    &site,
                    "Only to read",
                    "Pages are only read here. In Slack, /incident changes things.",
                ),
            ),
            Self::Unavailable(error) => {
                tracing::error!(%error, "a page could not be read from the database");
                let sentence = "The database does not answer. Pages that are on their way still go out; try again.";
                (StatusCode::SERVICE_UNAVAILABLE, pages::error_page(&site, "Not available", sentence))
            }
        };
        (status, html(page)).into_response()
    }
}
