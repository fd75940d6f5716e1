//! Two whole programs on one PostgreSQL database.

use futures_util::future::join_all;
use sqlx::Connection as _;

use super::*;
use firebell::app::{Request, Target};
use firebell::domain::answer::Said;
use firebell::domain::command::{Acknowledge, Command};
use firebell::domain::event::Actor;

async fn two(house: &House) -> (Bell, Bell) {
    (house.bell().await, house.bell().await)
}

async fn settle_both(house: &House, one: &Bell, other: &Bell) {
    for _ in 0..40 {
        tokio::join!(Box::pin(one.settle(house)), Box::pin(other.settle(house)));
        house.clock.set(house.clock.now() + seconds(1));
    }
}

/// How many deadlocks the database has broken up, once the programs have gone.
async fn deadlocks(house: &House, bells: [Bell; 2]) -> i64 {
    for bell in bells {
        bell.program.app.db().close().await;
    }
    let mut conn = sqlx::PgConnection::connect(&house.database).await.expect("connects");
    let (found,): (i64,) = sqlx::query_as("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        .fetch_one(&mut conn)
        .await
        .expect("reads");
    found
}

#[tokio::test]
async fn each_due_timer_fires_once_and_each_page_is_sent_once() {
    let Some(house) = House::on_postgres().await else { return };
    let (one, other) = two(&house).await;
    // As many as are paged by a message each.
    for n in 1..=5 {
        types(&house, ANA, GENERAL, &format!("/incident open number {n}")).await;
        types(&house, ANA, GENERAL, &format!("/escalate INC-{n} db-team")).await;
    }
    settle_both(&house, &one, &other).await;
    assert_eq!(house.direct(DANA).len(), 5);
    house.clock.set(start() + minutes(6));
    settle_both(&house, &one, &other).await;
    assert_eq!((house.direct(DANA).len(), house.direct(ELI).len()), (5, 5));
    for n in 1..=5 {
        assert_eq!(one.count(n, |event| matches!(event, Event::TierStarted { .. })).await, 2);
    }
    assert_eq!(house.channels().len(), 5);
    assert_eq!(deadlocks(&house, [one, other]).await, 0);
}

#[tokio::test]
async fn of_two_simultaneous_acknowledgements_one_is_the_first() {
    let Some(house) = House::on_postgres().await else { return };
    let (one, other) = two(&house).await;
    for round in 1..=20 {
        types(&house, ANA, GENERAL, &format!("/incident open number {round}")).await;
        types(&house, ANA, GENERAL, &format!("/escalate INC-{round} dev-team")).await;
        let id = one.incident(round).await.id;
        let acknowledge = |bell: &Bell, user: &str| {
            let app = bell.program.app.clone();
            let request = Request {
                key: None,
                actor: Actor::Person { user: user.into() },
                target: Target::Incident(id),
                command: Command::Acknowledge(Acknowledge::default()),
                inside: true,
            };
            async move { app.handle(request).await.expect("is taken").said }
        };
        let said = tokio::join!(acknowledge(&one, BEN), acknowledge(&other, DANA));
        let first = |said: &Said| matches!(said, Said::YouHaveIt { .. });
        assert_ne!(first(&said.0), first(&said.1), "{said:?}");
        assert_eq!(one.count(round, |event| matches!(event, Event::Acknowledged { .. })).await, 1);
        assert_eq!(one.count(round, |event| matches!(event, Event::JoinedAcknowledged { .. })).await, 1);
    }
}

#[tokio::test]
async fn one_delivery_that_reaches_both_has_one_effect_and_one_answer() {
    let Some(house) = House::on_postgres().await else { return };
    let (one, other) = two(&house).await;
    for round in 1..=20 {
        let (line, trigger) = (format!("/incident open number {round}"), format!("t-{round}"));
        let answers = tokio::join!(one.types_raw(ANA, &line, &trigger), other.types_raw(ANA, &line, &trigger));
        assert_eq!(answers.0, answers.1);
        assert_eq!(one.incidents().await, round);
        let title = one.incident(i64::try_from(round).expect("small")).await.title;
        assert_eq!(title, format!("number {round}"));
    }
}

#[tokio::test]
async fn one_alert_that_reaches_both_opens_one_incident_and_uses_one_number() {
    let Some(house) = House::on_postgres().await else { return };
    let (one, other) = two(&house).await;
    for round in 1..=20_usize {
        // So seldom that it is no storm.
        house.clock.set(start() + minutes(i64::try_from(round).expect("small")));
        let alert = fired(&format!("key-{round}"));
        let posts = (0..6).map(|n| if n % 2 == 0 { one.alert(&alert) } else { other.alert(&alert) });
        for (status, answer) in join_all(posts).await {
            assert_eq!((status, answer["accepted"][0]["incident"].as_str()), (202, Some(&*format!("INC-{round}"))));
        }
        assert_eq!(one.incidents().await, round);
    }
}

#[tokio::test]
async fn both_count_a_storm_together() {
    let Some(house) = House::on_postgres().await else { return };
    let (one, other) = two(&house).await;
    let mut numbers = Vec::new();
    for n in 1..=14 {
        let bell = if n % 2 == 0 { &one } else { &other };
        let (status, answer) = bell.alert(&fired(&format!("disk-{n}"))).await;
        assert_eq!(status, 202, "{answer}");
        numbers.push(answer["accepted"][0]["incident"].as_str().expect("is named").to_owned());
    }
    let alone = (1..=10).map(|n| format!("INC-{n}"));
    assert_eq!(numbers, alone.chain(std::iter::repeat_n("INC-11".to_owned(), 4)).collect::<Vec<_>>());
    // Long after it, whoever opens at the same time waits for the other's number, and counts it too.
    house.clock.set(start() + minutes(60));
    settle_both(&house, &one, &other).await;
    let posts = (0..40).map(|n| {
        let bell = if n % 2 == 0 { &one } else { &other };
        async move { bell.alert(&fired(&format!("later-{n}"))).await }
    });
    for (status, answer) in join_all(posts).await {
        assert_eq!(status, 202, "{answer}");
    }
    settle_both(&house, &one, &other).await;
    let mut storms = 0;
    for n in 1..=i64::try_from(one.incidents().await).expect("few") {
        storms += one.count(n, |event| matches!(event, Event::StormBegan { .. })).await;
    }
    assert_eq!((one.incidents().await, storms), (22, 2));
    assert_eq!(deadlocks(&house, [one, other]).await, 0);
}

#[tokio::test]
async fn an_alert_that_both_take_out_of_its_storm_gets_one_incident() {
    let Some(house) = House::on_postgres().await else { return };
    let (one, other) = two(&house).await;
    for n in 1..=22 {
        one.alert(&fired(&format!("disk-{n}"))).await;
    }
    for round in 1..=12 {
        let line = format!("/incident INC-11 alerts split {round}");
        let cleared = json!({ "title": "Down", "dedup_key": format!("disk-{}", 10 + round), "status": "resolved" });
        let triggers = [format!("one-{round}"), format!("other-{round}")];
        // Whoever comes second finds that it is elsewhere by now, or over.
        let (first, second, (status, _)) = tokio::join!(
            one.types_raw(ANA, &line, &triggers[0]),
            other.types_raw(BEN, &line, &triggers[1]),
            other.alert(&cleared),
        );
        assert_eq!((first.0, second.0, status), (200, 200, 202));
        let out = one.count(11, |event| matches!(event, Event::AlertTakenOut { .. })).await;
        assert_eq!(one.incidents().await, 11 + out, "round {round}: {} {}", first.1, second.1);
        let cleared = one.count(11, |event| matches!(event, Event::AlertCleared { .. })).await;
        assert_eq!(out + cleared, round, "each has left once");
    }
    assert_eq!(deadlocks(&house, [one, other]).await, 0);
}

#[tokio::test]
async fn everything_at_once_on_both_ends_without_a_deadlock_and_without_a_loss() {
    let Some(house) = House::on_postgres().await else { return };
    let (one, other) = two(&house).await;
    for n in 1..=8 {
        types(&house, ANA, GENERAL, &format!("/incident open number {n}")).await;
    }
    settle_both(&house, &one, &other).await;
    let bells = [&one, &other];
    for round in 0..5 {
        let notes = (0..40_usize).map(|n| {
            let bell = bells[n % 2];
            let line = format!("/incident INC-{} severity sev{}", (n * 7) % 8 + 1, (n + round) % 4 + 1);
            async move { bell.types_raw(ANA, &line, &format!("s-{round}-{n}")).await }
        });
        let alerts = (0..40_usize).map(|n| {
            let bell = bells[n % 2];
            let mut alert = fired(&format!("storm-{round}-{}", n / 4));
            if n % 5 == 0 {
                alert["incident"] = json!(format!("INC-{}", n % 8 + 1));
            }
            async move { bell.alert(&alert).await.0 }
        });
        let (notes, alerts, ..) = tokio::join!(
            join_all(notes),
            join_all(alerts),
            one.program.worker.drain(),
            other.program.worker.drain(),
            scheduler::tick(&one.program.app),
            scheduler::tick(&other.program.app),
        );
        for (status, said) in notes {
            assert!(status == 200 && !said.contains("reference"), "{said}");
        }
        assert!(alerts.iter().all(|status| *status == 202), "{alerts:?}");
    }
    settle_both(&house, &one, &other).await;
    for n in 1..=8 {
        one.history(n).await;
    }
    assert_eq!(deadlocks(&house, [one, other]).await, 0);
}

#[tokio::test]
async fn a_program_on_postgresql_lives_by_the_databases_clock() {
    let Some(mut house) = House::on_postgres().await else { return };
    house.clock = Clock::System;
    let bell = house.bell().await;
    let app = &bell.program.app;
    let Clock::Corrected(ours) = app.clock() else { panic!("the machine's clock is not corrected") };
    let away = TimeDelta::hours(3);
    let right = ours.follow(away) - away;
    let back = firebell::program::agree(app).await.expect("asks the database");
    let error = (back + away + right).abs();
    assert!(error < seconds(2), "the wrong offset was corrected but for {error}");
    assert!(firebell::program::agree(app).await.expect("asks the database").abs() < seconds(2), "and stays so");
}
