//! The page behind a link to answer, which mails and webhooks carry: it works while Slack is away.
//!
//! Showing it changes nothing, because mail scanners open every link; only its button answers. The link is the proof
//! of who answers: it is signed, ends after a day, and answers once.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chrono::{DateTime, Utc};

use super::pages::{self, Answer, Site};
use super::routes::{Missing, html};
use crate::app::{App, Error, Request, Target};
use crate::domain::answer::Said;
use crate::domain::civil::format::{LocalZone, date_without_year};
use crate::domain::command::{Acknowledge, Command};
use crate::domain::escalation::{Escalation, Phase};
use crate::domain::event::Actor;
use crate::domain::incident::Incident;
use crate::domain::timeline::people::{People, PeopleStyle};
use crate::elsewhere::link::Worthless;
use crate::elsewhere::{Claim, Links};
use crate::ids::UserId;
use crate::store::{self, inbox};

#[derive(Clone)]
struct Answers {
    app: App,
    links: Links,
}

/// The address of links to answer.
pub fn answers(app: App, links: Links) -> Router {
    Router::new().route("/ack/{token}", get(show).post(answer)).with_state(Answers { app, links })
}

async fn show(State(answers): State<Answers>, Path(token): Path<String>) -> Response {
    fresh(match answers.claim(&token) {
        Ok(claim) => answers.page(&claim, None).await,
        Err(worthless) => refusal(worthless),
    })
}

async fn answer(State(answers): State<Answers>, Path(token): Path<String>) -> Response {
    fresh(match answers.claim(&token) {
        Ok(claim) => answers.take(&claim).await,
        Err(worthless) => refusal(worthless),
    })
}

impl Answers {
    fn claim(&self, token: &str) -> Result<Claim, Worthless> {
        self.links.read(token, self.app.clock().now())
    }

    /// Acknowledges, unless this page's link has done so before.
    async fn take(&self, claim: &Claim) -> Response {
        let used = match self.is_used(claim).await {
            Ok(used) => used,
            Err(error) => return Missing::from(error).into_response(),
        };
        if used {
            return self.page(claim, None).await;
        }
        let actor = claim.user.clone().map_or(Actor::Fallback, |user| Actor::Person { user });
        let asked = self.app.try_handle(Request {
            key: Some(claim.delivery_key()),
            actor,
            target: Target::Incident(claim.incident),
            command: Command::Acknowledge(Acknowledge {
                page: Some(claim.page),
                escalation: Some(claim.escalation),
                ..Acknowledge::default()
            }),
            inside: true,
        });
        match asked.await {
            Ok(answered) => self.page(claim, Some(&answered.answer.said)).await,
            Err(Error::Store(error)) => Missing::from(error).into_response(),
            Err(Error::Broken { reference }) => {
                let sentence = format!(
                    "Firebell made a mistake over this; nothing was changed. Its log has it under {reference}."
                );
                let page = pages::error_page(&Site::default(), "That went wrong", &sentence);
                (StatusCode::INTERNAL_SERVER_ERROR, html(page)).into_response()
            }
            Err(Error::Busy | Error::Closed) => {
                let sentence = "Too much is waiting. Nothing was changed; go back and press again.";
                let page = pages::error_page(&Site::default(), "Not now", sentence);
                (StatusCode::SERVICE_UNAVAILABLE, html(page)).into_response()
            }
        }
    }

    async fn is_used(&self, claim: &Claim) -> Result<bool, store::Error> {
        let mut tx = self.app.db().read().await?;
        let keys = [(self.app.workspace().clone(), claim.delivery_key())];
        Ok(!inbox::answers(&mut tx, &keys).await?.is_empty())
    }

    /// What is the case now; `said` is what was just answered.
    async fn page(&self, claim: &Claim, said: Option<&Said>) -> Response {
        let found = async {
            let used = self.is_used(claim).await?;
            Ok::<_, store::Error>((used, self.app.incident(claim.incident).await?))
        };
        let (used, incident) = match found.await {
            Ok((used, Some(incident))) => (used, incident),
            Ok((_, None)) => return Missing::NotFound.into_response(),
            Err(error) => return Missing::from(error).into_response(),
        };
        let Some(escalation) = incident.escalations.get(&claim.escalation) else {
            return Missing::NotFound.into_response();
        };
        let directory = self.app.directory();
        let scene = Scene {
            claim,
            incident: &incident,
            escalation,
            people: People::new(&incident, &directory, PeopleStyle::Names),
            now: self.app.clock().now(),
        };
        html(pages::answer_page(&Site::default(), &scene.shown(used, said)))
    }
}

/// Everything that the page is worded from.
struct Scene<'a> {
    claim: &'a Claim,
    incident: &'a Incident,
    escalation: &'a Escalation,
    people: People<'a>,
    now: DateTime<Utc>,
}

impl Scene<'_> {
    fn shown(&self, used: bool, said: Option<&Said>) -> Answer {
        let incident = self.incident;
        let (headline, lines, open) = match said {
            Some(Said::Refused { rejection }) => {
                let lines = [Some(rejection.sentence.clone()), rejection.hint.clone()];
                ("Nothing was changed".to_owned(), lines.into_iter().flatten().collect(), false)
            }
            _ => self.standing(used),
        };
        let told = |text: &str| self.people.readable(text);
        Answer {
            incident: incident.name(),
            severity: incident.severity.to_string(),
            headline,
            lines,
            title: (!incident.private).then(|| incident.title.clone()),
            reason: self.escalation.reason.as_deref().filter(|_| open && !incident.private).map(told),
            open,
            page: (!incident.private).then(|| format!("/incidents/{}", incident.number)),
        }
    }

    /// Headline, more of it, and whether there is something to press.
    fn standing(&self, used: bool) -> (String, Vec<String>, bool) {
        let (name, team) = (self.incident.name(), &self.escalation.team.name);
        if !self.incident.is_open() {
            let headline = format!("{name} is {}", self.incident.status.word());
            return (headline, vec!["It needs nobody any more.".to_owned()], false);
        }
        match &self.escalation.phase {
            Phase::Acknowledged { by, at, .. } => {
                let since = self.time(*at);
                if by.is_some() && *by == self.claim.user {
                    let next = "Nobody else is called. The work is in the incident's channel, once Slack is there.";
                    return ("You have it".to_owned(), vec![format!("Since {since}. {next}")], false);
                }
                let headline = format!("{} has it", self.name(by.as_ref()));
                (headline, vec![format!("Since {since}. Nothing left for you to do.")], false)
            }
            Phase::Stopped => {
                (format!("The call for {team} was stopped"), vec!["It needs nobody any more.".to_owned()], false)
            }
            Phase::Active { .. } | Phase::Exhausted | Phase::Held { .. } if used => {
                let line = "The call went on since. Use the link of the newest message, or answer in Slack.";
                ("This link was used before".to_owned(), vec![line.to_owned()], false)
            }
            Phase::Active { next_due_at } => {
                let by = self.people.actor(&self.escalation.called_by);
                let by = crate::domain::timeline::capitalised(&by);
                let line =
                    format!("{by} asks for {team}. Answer by {}; then the call goes on.", self.time(*next_due_at));
                (format!("{} is called", self.whom()), vec![line], true)
            }
            Phase::Held { .. } => {
                let line =
                    format!("Nobody of {team} is paged until somebody says so in Slack. You can take it yourself.");
                (format!("The call for {team} is on hold"), vec![line], true)
            }
            Phase::Exhausted => {
                let line = format!("Nobody of {team} has answered. You can still take it.");
                (format!("{} is called", self.whom()), vec![line], true)
            }
        }
    }

    fn name(&self, user: Option<&UserId>) -> String {
        user.map_or_else(|| "Somebody".to_owned(), |user| self.people.person(user))
    }

    fn whom(&self) -> String {
        self.claim.user.as_ref().map_or_else(|| "The fallback".to_owned(), |user| self.people.person(user))
    }

    fn time(&self, at: DateTime<Utc>) -> String {
        let zone = LocalZone::new(&self.incident.zone, None);
        let time = zone.time_with_zone(at);
        if zone.day(at) == zone.day(self.now) { time } else { format!("{}, {time}", date_without_year(zone.day(at))) }
    }
}

fn refusal(worthless: Worthless) -> Response {
    let (status, title, sentence) = match worthless {
        Worthless::Forged => (
            StatusCode::NOT_FOUND,
            "This link is not whole",
            "Copy it from the message again, all of it. Or answer in Slack.",
        ),
        Worthless::Expired => (
            StatusCode::GONE,
            "This link has ended",
            "It could be used for a day. Use the newest message's, or answer in Slack.",
        ),
    };
    (status, html(pages::error_page(&Site::default(), title, sentence))).into_response()
}

/// Nobody may keep a copy: it says what is the case now, and its address is a key.
fn fresh(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
