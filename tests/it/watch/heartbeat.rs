//! The heartbeat, heard by a real receiver: it goes on while all is well, and stops for each thing that can be wrong.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use firebell::clock::lock;
use firebell::sandbox::ApiFault;
use firebell::scheduler;
use firebell::watch::{Beat, Findings, Trouble};
use tokio::task::JoinHandle;

use super::{House, house, house_on_postgres};
use crate::support::world::seconds;

/// Where nobody sends anything, nothing comes however long one waits.
const IN_VAIN: Duration = Duration::from_millis(400);
/// What is sent comes, however busy the machine is.
const LONG: Duration = Duration::from_mins(5);

/// A dead man's switch: what it was asked for, in order.
struct Switch {
    heard: Arc<Mutex<Vec<String>>>,
    url: String,
    server: JoinHandle<()>,
}

impl Drop for Switch {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Switch {
    async fn begin() -> Self {
        async fn answer(State(heard): State<Arc<Mutex<Vec<String>>>>, request: Request) -> Response {
            let path = request.uri().to_string();
            let moved = path.contains("moved");
            lock(&heard).push(path);
            if moved {
                (StatusCode::FOUND, [(header::LOCATION, "/elsewhere")]).into_response()
            } else {
                "OK".into_response()
            }
        }
        let heard: Arc<Mutex<Vec<String>>> = Arc::default();
        let listener = firebell::program::bind(([127, 0, 0, 1], 0).into()).await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let router = Router::new().fallback(answer).with_state(Arc::clone(&heard));
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Self { heard, url, server }
    }

    fn heard(&self) -> Vec<String> {
        std::mem::take(&mut *lock(&self.heard))
    }
}

/// A house whose heart is heard by a switch, and whose worker runs.
struct Living {
    house: House,
    switch: Switch,
    worker: Option<JoinHandle<()>>,
}

impl Drop for Living {
    fn drop(&mut self) {
        self.worker_stops();
    }
}

impl Living {
    async fn begin(more: &str) -> Self {
        let switch = Switch::begin().await;
        let house = house(&format!("[heartbeat]\nurl = \"{}/ping/1b2c\"\n{more}", switch.url)).await;
        Self::with(switch, house)
    }

    fn with(switch: Switch, house: House) -> Self {
        let worker = Some(tokio::spawn(house.stage.program.worker.clone().run()));
        Self { house, switch, worker }
    }

    fn worker_stops(&mut self) {
        if let Some(worker) = self.worker.take() {
            worker.abort();
        }
    }

    async fn ticks(&self) {
        scheduler::tick(&self.house.stage.program.app).await.expect("nothing fails");
    }

    async fn beats(&self) -> Beat {
        let patience = if self.worker.is_some() { LONG } else { IN_VAIN };
        self.house.stage.program.heartbeat().expect("a heart").patient_for(patience).beat().await
    }
}

#[tokio::test]
async fn a_heart_that_beats_is_heard_and_leaves_nothing_behind() {
    let living = Living::begin("").await;
    for _ in 0..3 {
        assert_eq!(living.beats().await, Beat::Sent);
    }
    assert_eq!(living.switch.heard(), ["/ping/1b2c"; 3]);
    let app = &living.house.stage.program.app;
    assert_eq!(app.metrics().self_test.total(), 3);
    let mut tx = app.db().read().await.expect("reads");
    assert!(firebell::store::outbox::depth(&mut tx).await.expect("reads").is_empty());
    assert!(firebell::store::incidents::all_ids(&mut tx).await.expect("reads").is_empty(), "no incident is seen");
}

#[tokio::test]
async fn on_postgres_too_the_heart_beats_and_what_is_wrong_is_found() {
    let switch = Switch::begin().await;
    let configured = format!("[heartbeat]\nurl = \"{}/ping/1b2c\"", switch.url);
    let Some(house) = house_on_postgres(&configured).await else { return };
    let mut living = Living::with(switch, house);
    assert_eq!(living.beats().await, Beat::Sent);
    living.worker_stops();
    living.house.is_called().await;
    living.house.stands_still_for(seconds(61));
    let found = living.house.stage.program.watch().audit(std::future::ready(())).await.expect("reads");
    assert_eq!(found, Findings { not_attempted: 1, without_timer: 0 });
    let Beat::Degraded(troubles) = living.beats().await else { panic!("is not well") };
    let expected = [
        Trouble::Scheduler { idle_s: 61 },
        Trouble::Unattempted { overdue_s: 61 },
        Trouble::Unaccepted { overdue_s: 61 },
        Trouble::Audit(found),
        Trouble::SelfTest,
    ];
    assert_eq!(troubles, expected);
    living.house.stage.settle().await.expect("nothing fails");
    assert!(living.house.stage.program.watch().audit(std::future::ready(())).await.expect("reads").is_empty());
    living.house.stage.program.watch().verify_chains().await.expect("reads");
    assert!(living.house.stage.program.app.metrics().chain_last_ok.get() > 0.0);
    living.worker = Some(tokio::spawn(living.house.stage.program.worker.clone().run()));
    assert_eq!(living.beats().await, Beat::Sent);
    assert_eq!(living.switch.heard(), ["/ping/1b2c", "/ping/1b2c/fail", "/ping/1b2c"]);
}

#[tokio::test]
async fn without_the_database_it_stops_and_says_so() {
    let living = Living::begin("").await;
    living.house.stage.program.app.db().close().await;
    let Beat::Degraded(troubles) = living.beats().await else { panic!("is not well") };
    assert!(troubles.contains(&Trouble::Database) && troubles.contains(&Trouble::SelfTest), "{troubles:?}");
    assert_eq!(living.switch.heard(), ["/ping/1b2c/fail"]);
}

#[tokio::test]
async fn while_the_scheduler_stands_still_it_stops() {
    let living = Living::begin("").await;
    living.ticks().await;
    assert_eq!(living.beats().await, Beat::Sent);
    living.house.stands_still_for(seconds(6));
    assert_eq!(living.beats().await, Beat::Degraded(vec![Trouble::Scheduler { idle_s: 6 }]));
    assert_eq!(living.switch.heard(), ["/ping/1b2c", "/ping/1b2c/fail"]);
    living.ticks().await;
    assert_eq!(living.beats().await, Beat::Sent);
    assert_eq!(living.switch.heard(), ["/ping/1b2c"]);
}

#[tokio::test]
async fn while_the_worker_stands_still_it_stops_and_goes_on_with_it() {
    let mut living = Living::begin("").await;
    living.worker_stops();
    assert_eq!(living.beats().await, Beat::Degraded(vec![Trouble::SelfTest]));
    assert_eq!(living.house.ready().await.0, 503);
    living.worker = Some(tokio::spawn(living.house.stage.program.worker.clone().run()));
    assert_eq!(living.beats().await, Beat::Sent);
    assert_eq!(living.house.ready().await.0, 200);
    assert_eq!(living.switch.heard(), ["/ping/1b2c/fail", "/ping/1b2c"]);
}

#[tokio::test]
async fn while_a_page_is_overdue_it_stops() {
    let mut living = Living::begin("").await;
    living.house.slack_fails("chat.postMessage", ApiFault::ServerError { status: 503 });
    living.house.is_called().await;
    living.house.stands_still_for(seconds(61));
    living.ticks().await;
    let Beat::Degraded(troubles) = living.beats().await else { panic!("is not well") };
    assert!(troubles.contains(&Trouble::Unaccepted { overdue_s: 61 }), "{troubles:?}");
    assert_eq!(living.switch.heard(), ["/ping/1b2c/fail"]);
    living.worker_stops();
    living.house.stage.slack.clear_faults();
    living.house.stage.advance(seconds(30)).await.expect("nothing fails");
    living.worker = Some(tokio::spawn(living.house.stage.program.worker.clone().run()));
    assert_eq!(living.beats().await, Beat::Sent);
}

#[tokio::test]
async fn silence_instead_of_a_failure_where_that_is_configured() {
    let living = Living::begin("tell_failure = false").await;
    living.house.stage.program.app.db().close().await;
    assert!(matches!(living.beats().await, Beat::Degraded(_)));
    assert_eq!(living.switch.heard(), [""; 0]);
}

#[tokio::test]
async fn a_switch_that_sends_us_elsewhere_is_not_followed_and_one_that_is_gone_is_no_trouble_of_ours() {
    let switch = Switch::begin().await;
    let moved = house(&format!("[heartbeat]\nurl = \"{}/moved\"", switch.url)).await;
    let worker = tokio::spawn(moved.stage.program.worker.clone().run());
    let heart = moved.stage.program.heartbeat().expect("a heart").patient_for(LONG);
    assert_eq!(heart.beat().await, Beat::Unreachable("HTTP status 302".to_owned()));
    assert_eq!(switch.heard(), ["/moved"]);
    drop(switch);
    assert!(matches!(heart.beat().await, Beat::Unreachable(_)));
    assert_eq!(moved.ready().await.0, 200);
    worker.abort();
}
