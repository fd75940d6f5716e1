//! What people and strangers send: each gets a clear answer, nothing half done, nothing lost.

use futures_util::future::join_all;

use super::*;

#[tokio::test]
async fn what_is_not_signed_by_slack_now_changes_nothing() {
    let house = House::on_sqlite().await;
    let bell = house.bell().await;
    let now = bell.clock.now();
    let body = command_form(ANA, "/incident open db is down", "t-1");
    let (status, said) = bell.post("/slack/commands", &body, &[]).await;
    assert_eq!((status, said.is_empty()), (401, false));
    let stamp = now.timestamp().to_string();
    let forged = [("x-slack-request-timestamp", stamp.as_str()), ("x-slack-signature", "v0=00")];
    assert_eq!(bell.post("/slack/commands", &body, &forged).await.0, 401);
    for away in [-301, 301] {
        let (status, said) = bell.post_signed("/slack/commands", &body, now + seconds(away)).await;
        assert_eq!(status, 401, "{away} s away: {said}");
    }
    assert_eq!(bell.incidents().await, 0);
    assert_eq!(bell.post_signed("/slack/commands", &body, now).await.0, 200);
    assert_eq!(bell.incidents().await, 1);
}

#[tokio::test]
async fn a_signed_request_that_comes_again_has_one_effect_and_the_same_answer() {
    for house in House::on_each().await {
        let bell = house.bell().await;
        let body = command_form(ANA, "/incident open db is down", "t-1");
        let first = bell.post_signed("/slack/commands", &body, bell.clock.now()).await;
        let again = bell.post_signed("/slack/commands", &body, bell.clock.now()).await;
        assert_eq!((first.0, again.0), (200, 401), "the very same request is a replay");
        let retried = bell.post_signed("/slack/commands", &body, bell.clock.now() + seconds(1)).await;
        assert_eq!((retried.0, &retried.1), (200, &first.1), "the same trigger signed anew is Slack's retry");
        drop(bell);
        let next = house.bell().await;
        let replayed = next.post_signed("/slack/commands", &body, next.clock.now()).await;
        assert_eq!((replayed.0, &replayed.1), (200, &first.1), "a new program knows the delivery, if not the request");
        assert_eq!(next.incidents().await, 1);
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_or_cannot_be_read_is_refused_with_a_sentence() {
    let house = House::on_sqlite().await;
    let bell = house.bell().await;
    let now = bell.clock.now();
    let huge = format!("command=%2Fincident&text={}", "a".repeat(1 << 20));
    assert_eq!(bell.post_signed("/slack/commands", &huge, now).await.0, 413);
    let nested = "[".repeat(200_000);
    for (path, body) in [
        ("/slack/commands", "not=a&slash=command"),
        ("/slack/commands", ""),
        ("/slack/commands", "%00%ff%fe=&&&=%"),
        ("/slack/interactions", "payload=%7Bbroken"),
        ("/slack/interactions", "nothing=here"),
        ("/slack/interactions", "payload=[]"),
        ("/slack/events", "{"),
        ("/slack/events", "null"),
        ("/slack/events", nested.as_str()),
    ] {
        let (status, said) = bell.post_signed(path, body, now).await;
        assert_eq!(status, 400, "{path} {body:.40}");
        assert!(!said.is_empty(), "{path}");
    }
    for (path, body) in [
        ("/slack/events", r#"{"type":"event_callback"}"#),
        ("/slack/events", r#"{"type":"from_the_future"}"#),
        ("/slack/events", r#"{"type":"event_callback","event":{"type":"message","channel":7,"ts":[]}}"#),
        ("/slack/interactions", "payload=%7B%22type%22%3A%22from_the_future%22%7D"),
        ("/slack/interactions", "payload=%7B%22type%22%3A%22block_actions%22%2C%22actions%22%3A3%7D"),
    ] {
        assert_eq!(bell.post_signed(path, body, now).await.0, 200, "{path} {body}");
    }
    assert_eq!(bell.incidents().await, 0);
}

#[tokio::test]
async fn what_cannot_be_understood_is_answered_with_the_way_out() {
    let house = House::on_sqlite().await;
    let bell = house.bell().await;
    let near = types(&house, ANA, GENERAL, "/incident opne db is down").await;
    assert!(said(&near).contains("open") || near.to_string().contains("open"), "{near}");
    let (status, body) = bell.types_raw(ANA, "/somebodys command", "t-1").await;
    assert!(status == 200 && body.contains("/incident"), "{body}");
    let opened = types(&house, ANA, GENERAL, "/incident open db is down").await;
    assert_eq!(opened["status"], 200);
    bell.settle(&house).await;
    let channel = bell.incident(1).await.channel_id().expect("a channel").to_string();
    let unknown = types(&house, ANA, &channel, "/escalate db-taem it burns").await.to_string();
    assert!(unknown.contains("db-team"), "{unknown}");
    assert_eq!(bell.count(1, |event| matches!(event, Event::Escalated { .. })).await, 0);
    let endless = types(&house, ANA, GENERAL, &format!("/incident open {}", "x".repeat(5_000))).await;
    assert_eq!(endless["status"], 200);
    let blank = types(&house, ANA, GENERAL, "/incident open \"   \"").await;
    assert_eq!(blank["status"], 200);
    assert_eq!(bell.incidents().await, 1, "a title that is empty or endless opens nothing");
}

#[tokio::test]
async fn any_characters_survive_from_the_command_to_the_card() {
    for house in House::on_each().await {
        let bell = house.bell().await;
        let title = "🔥 \u{202e}txet <!channel> <@U0BEN00001> & *b* `c` \0nul\u{7}\u{feff}e\u{301}";
        let (status, body) = bell.types_raw(ANA, &format!("/incident open {title}"), "t\0-1").await;
        assert_eq!(status, 200, "{body}");
        bell.settle(&house).await;
        let incident = bell.incident(1).await;
        assert!(incident.title.contains('🔥') && !incident.title.contains(['\0', '\u{7}']), "{:?}", incident.title);
        let channel = incident.channel_id().expect("a channel").to_string();
        house.slack.act(ANA, Act::Join { channel: channel.clone() }).await.expect("joins");
        let note = "/incident note a\0b \u{2066}c\u{2069} <!here>";
        let form = command_form(ANA, note, "t-2").replace(GENERAL, &channel);
        assert_eq!(bell.post_signed("/slack/commands", &form, bell.clock.now()).await.0, 200);
        bell.settle(&house).await;
        assert_eq!(bell.count(1, |event| matches!(event, Event::Noted { .. })).await, 1);
        for message in house.said_in(ANA, &channel) {
            let mut marked = Vec::new();
            marked_texts(&message["blocks"], &mut marked);
            marked.extend(message["text"].as_str().map(str::to_owned));
            for text in marked {
                assert!(
                    !text.contains("<!channel>") && !text.contains("<!here>") && !text.contains("<@U0BEN"),
                    "{text}"
                );
                assert!(!text.contains(['\u{202e}', '\u{2066}']), "{text}");
            }
        }
        assert!(house.slack.complaints().is_empty(), "{:?}", house.slack.complaints());
    }
}

/// Every text in these blocks in which Slack looks for mentions.
fn marked_texts(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::Array(list) => list.iter().for_each(|one| marked_texts(one, out)),
        Value::Object(fields) => {
            if fields.get("type") == Some(&json!("mrkdwn")) {
                out.extend(fields["text"].as_str().map(str::to_owned));
            }
            fields.values().for_each(|one| marked_texts(one, out));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[tokio::test]
async fn deliveries_with_nul_in_every_field_are_taken_on_both_databases() {
    for house in House::on_each().await {
        let bell = house.bell().await;
        let form = "team_id=T0SHOPFRNT&channel_id=C%00X&user_id=U%00X&command=%2Fincident&text=list&trigger_id=%00";
        let (status, body) = bell.post_signed("/slack/commands", form, bell.clock.now()).await;
        assert!(status == 200 && !body.contains("reference"), "{body}");
        let form = form.replace("list", "open+db+is+down");
        let (status, body) = bell.post_signed("/slack/commands", &form, bell.clock.now()).await;
        assert!(status == 200 && !body.contains("reference"), "{body}");
        let event = json!({
            "type": "event_callback", "team_id": "T0SHOPFRNT", "event_id": "Ev\0",
            "event": { "type": "message", "channel": "C\0", "user": "U\0", "ts": "1.\0", "text": "a\0" },
        });
        assert_eq!(bell.post_signed("/slack/events", &event.to_string(), bell.clock.now()).await.0, 200);
        let added = json!({
            "type": "event_callback", "team_id": "T0SHOPFRNT", "event_id": "Ev2",
            "event": { "type": "reaction_added", "user": "U\0", "reaction": "memo\0",
                "item": { "type": "message", "channel": "C\0", "ts": "\0" } },
        });
        assert_eq!(bell.post_signed("/slack/events", &added.to_string(), bell.clock.now()).await.0, 200);
        let alert = json!({
            "title": "a\0b", "text": "\0", "dedup_key": "k\0", "event_id": "e\0", "team": "\0",
            "labels": { "l\0": "v\0" }, "link": "https://x\0/",
        });
        let (status, answer) = bell.alert(&alert).await;
        assert_eq!(status, 202, "{answer}");
        let (again, _) = bell.alert(&alert).await;
        assert_eq!(again, 202);
        bell.settle(&house).await;
    }
}

#[tokio::test]
async fn simultaneous_openings_get_numbers_of_their_own_and_copies_of_one_open_once() {
    for house in House::on_each().await {
        let bell = house.bell().await;
        let distinct = (0..20).map(|n| {
            let bell = &bell;
            async move { bell.types_raw(ANA, &format!("/incident open number {n}"), &format!("t-{n}")).await }
        });
        let body = command_form(BEN, "/incident open the same", "t-same");
        let copies = (0..20).map(|n| bell.post_signed("/slack/commands", &body, bell.clock.now() - seconds(n)));
        let (distinct, copies) = tokio::join!(join_all(distinct), join_all(copies));
        assert!(distinct.iter().chain(&copies).all(|(status, _)| *status == 200));
        assert!(copies.iter().all(|(_, body)| *body == copies[0].1), "every copy gets the first answer");
        assert_eq!(bell.incidents().await, 21);
        bell.incident(21).await;
    }
}

#[tokio::test]
async fn a_second_resolve_and_a_late_acknowledgement_change_nothing_and_say_why() {
    let house = House::on_sqlite().await;
    let bell = house.bell().await;
    types(&house, ANA, GENERAL, "/incident open db is down").await;
    bell.settle(&house).await;
    let channel = bell.incident(1).await.channel_id().expect("a channel").to_string();
    types(&house, ANA, &channel, "/escalate db-team").await;
    bell.settle(&house).await;
    types(&house, ANA, &channel, "/incident resolve restarted").await;
    bell.settle(&house).await;
    let before = bell.history(1).await.len();
    let again = types(&house, BEN, GENERAL, "/incident INC-1 resolve").await;
    assert!(!said(&again).is_empty(), "{again}");
    acknowledge_if_shown(&house, DANA).await;
    let typed = types(&house, DANA, GENERAL, "/escalate INC-1 ack").await;
    assert!(!said(&typed).is_empty(), "{typed}");
    bell.settle(&house).await;
    assert_eq!(bell.history(1).await.len(), before);
    assert!(!bell.incident(1).await.is_open());
}

/// Presses the button if the page still has one.
async fn acknowledge_if_shown(house: &House, user: &str) {
    let page = house.direct(user).pop().expect("a page");
    if button(&page, "acknowledge").is_some() {
        acknowledge(house, user).await;
    }
}
