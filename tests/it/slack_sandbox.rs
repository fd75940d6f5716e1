//! Our side of Slack against the sandbox's: every call by the rules, both ways in, and no complaint of a strict reader.

use std::sync::{Arc, Mutex};

use axum::Router;
use chrono::{DateTime, TimeDelta, Utc};
use firebell::clock::Clock;
use firebell::ids::{ChannelId, MessageRef, UserGroupId, UserId};
use firebell::sandbox::{Act, ApiFault, Container, Delivery, Fault, Running, Sandbox, SandboxConfig};
use firebell::slack::http::{HttpConfig, router};
use firebell::slack::inbound::{Ack, Event, Inbound, Interaction, Meta, Receive};
use firebell::slack::json::Json;
use firebell::slack::limits::Method;
use firebell::slack::message::Message as Answer;
use firebell::slack::pace::{Pace, Urgency};
use firebell::slack::socket::{SocketConfig, SocketMode, Timing};
use firebell::slack::{Class, Message, Metadata, NotReached, Response, Slack, SlackConfig};
use futures_util::FutureExt;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::outgoing::outgoing;

const ANA: &str = "U0ANA00001";
const HANNE_WHO_LEFT: &str = "U0HANNE001";
const GENERAL: &str = "C0GENERAL1";
const SHOP_OPS: &str = "C0SHOPOPS1";

fn start_at() -> DateTime<Utc> {
    "2023-04-02T19:00:00Z".parse().expect("a date")
}

/// A sandbox, a client for it, and a receiver that keeps what came and answers each kind in its way.
struct Shop {
    sandbox: Running,
    slack: Slack,
    seen: Arc<Mutex<Vec<(Inbound, Meta)>>>,
    receive: Receive,
}

impl Shop {
    async fn open(rate_limits: bool) -> Self {
        let clock = Clock::manual(start_at());
        let sandbox =
            Sandbox::start(SandboxConfig { clock, rate_limits, ..SandboxConfig::default() }).await.expect("it starts");
        let config = SlackConfig {
            api_url: sandbox.api_url(),
            app_token: Some("xapp-sandbox-app-token".into()),
            ..SlackConfig::new("xoxb-sandbox-bot-token".into())
        };
        let seen = Arc::new(Mutex::new(Vec::new()));
        let receive: Receive = {
            let seen = Arc::clone(&seen);
            Arc::new(move |inbound, meta| {
                let ack = answer(&inbound);
                seen.lock().expect("no panic").push((inbound, meta));
                async move { ack }.boxed()
            })
        };
        Self { slack: Slack::new(config).expect("a client"), sandbox, seen, receive }
    }

    async fn by_http(&self) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/slack", listener.local_addr().expect("bound"));
        let config = HttpConfig::new("sandbox-signing-secret".into(), self.sandbox.clock().clone());
        let app: Router = router(config, Arc::clone(&self.receive));
        tokio::spawn(async move { axum::serve(listener, app).await });
        self.sandbox.set_delivery(Delivery::Http {
            commands_url: format!("{url}/commands"),
            interactions_url: format!("{url}/interactions"),
            events_url: format!("{url}/events"),
        });
    }

    /// As another program with the same tokens.
    fn joins(&self) -> SocketMode {
        let timing = Timing { stagger: std::time::Duration::from_millis(1), ..Timing::default() };
        let config = SocketConfig { timing, ..SocketConfig::default() };
        SocketMode::start(self.slack.clone(), self.sandbox.clock().clone(), Arc::clone(&self.receive), config)
    }

    /// Returns when Slack counts so many connections.
    async fn has_sockets(&self, count: usize) {
        while self.sandbox.sockets() != count {
            tokio::task::yield_now().await;
        }
    }

    async fn by_socket(&self) -> SocketMode {
        self.sandbox.set_delivery(Delivery::SocketMode);
        let mode = self.joins();
        mode.status().wait_for(|status| status.connected == 2).await.expect("alive");
        mode
    }

    async fn does(&self, act: Act) -> Value {
        self.sandbox.act(ANA, act).await.expect("it works")
    }

    async fn posts(&self, channel: &str, text: &str) -> MessageRef {
        let message = Message { text: text.into(), ..Message::default() };
        self.slack.post_message(&ChannelId::from(channel), &message).await.expect("posted")
    }

    fn seen(&self) -> Vec<(Inbound, Meta)> {
        self.seen.lock().expect("no panic").clone()
    }

    fn events(&self) -> Vec<Event> {
        let events = self.seen().into_iter().filter_map(|(inbound, _)| match inbound {
            Inbound::Event(envelope) => Some(envelope.event),
            Inbound::Command(_) | Inbound::Interaction(_) => None,
        });
        events.collect()
    }

    fn interactions(&self) -> Vec<Interaction> {
        let interactions = self.seen().into_iter().filter_map(|(inbound, _)| match inbound {
            Inbound::Interaction(interaction) => Some(interaction),
            Inbound::Command(_) | Inbound::Event(_) => None,
        });
        interactions.collect()
    }

    fn nobody_complains(&self) {
        assert_eq!(self.sandbox.complaints(), Vec::<String>::new());
    }
}

fn answer(inbound: &Inbound) -> Ack {
    match inbound {
        Inbound::Command(_) => Ack::Message(Answer { text: "Understood".into(), blocks: Vec::new() }),
        Inbound::Interaction(Interaction::ViewSubmission(sent)) if sent.view.state.text("title").is_none() => {
            Ack::View(json!({"response_action": "errors", "errors": {"title_block": "Say what is broken"}}))
        }
        Inbound::Interaction(_) | Inbound::Event(_) => Ack::Empty,
    }
}

fn dialog() -> Json {
    outgoing(json!({"type": "modal", "callback_id": "open", "private_metadata": "kept",
           "title": {"type": "plain_text", "text": "Open incident"}, "submit": {"type": "plain_text", "text": "Open"},
           "blocks": [{"type": "input", "block_id": "title_block", "optional": true, "label": {"type": "plain_text", "text": "Title"},
                       "element": {"type": "plain_text_input", "action_id": "title"}}]}))
}

fn button() -> Json {
    outgoing(json!({"type": "actions", "block_id": "buttons", "elements": [
        {"type": "button", "action_id": "ack", "text": {"type": "plain_text", "text": "I've got it"}, "value": "42:1"}]}))
}

#[tokio::test]
async fn an_incidents_calls_keep_slacks_rules() {
    let shop = Shop::open(false).await;
    let slack = &shop.slack;
    let identity = slack.auth_test().await.expect("known");
    assert_eq!(identity.workspace_name, "Shopfront");
    assert_eq!(slack.team_info().await.expect("read").name, "Shopfront");

    let channel = slack.create_channel("inc-1-db", false).await.expect("created");
    assert_eq!(slack.create_channel("inc-1-db", false).await.expect_err("taken").code(), Some("name_taken"));
    let found = slack.find_channel_by_name("inc-1-db").await.expect("read").expect("found");
    assert_eq!((&found.id, found.is_member, found.creator.as_ref()), (&channel.id, true, Some(&identity.user)));
    assert_eq!(slack.find_channel_by_name("no-such-channel").await, Ok(None));

    assert_eq!(slack.invite(&channel.id, &[UserId::from(ANA)]).await, Ok(vec![]));
    assert_eq!(slack.invite(&channel.id, &[UserId::from(ANA)]).await, Ok(vec![]));
    assert!(slack.list_members(&channel.id).await.expect("read").contains(&UserId::from(ANA)));
    slack.set_topic(&channel.id, "SEV1 · database is down").await.expect("set");
    assert_eq!(slack.channel_info(&channel.id).await.expect("read").topic, "SEV1 · database is down");

    let card = Message {
        text: "SEV1 database is down".into(),
        blocks: vec![button()],
        metadata: Some(Metadata::effect("card-1")),
        client_msg_id: Some(uuid::Uuid::from_u128(1)),
        thread_ts: None,
    };
    let posted = slack.post_message(&channel.id, &card).await.expect("posted");
    assert_eq!(slack.find_posted(&channel.id, None, start_at(), "card-1").await, Ok(Some(posted.clone())));
    assert_eq!(slack.find_posted(&channel.id, None, start_at(), "card-2").await, Ok(None));
    slack.update_message(&posted, "SEV2 database is slow", &[button()]).await.expect("updated");
    for _ in 0..2 {
        slack.pin(&posted).await.expect("pinned");
        slack.add_reaction(&posted, "eyes").await.expect("added");
    }
    for _ in 0..2 {
        slack.remove_reaction(&posted, "eyes").await.expect("removed");
    }
    slack.add_bookmark(&channel.id, "Timeline", "https://example.org/42", None).await.expect("added");
    assert!(slack.permalink(&posted).await.expect("read").starts_with("http"));
    let seen = slack.message(&posted).await.expect("read").expect("there");
    assert_eq!((seen.text.as_str(), seen.permalink.is_some()), ("SEV2 database is slow", true));
    let reply = Message {
        text: "in the thread".into(),
        thread_ts: Some(posted.ts.clone()),
        metadata: Some(Metadata::effect("reply-1")),
        ..Message::default()
    };
    let reply = slack.post_message(&channel.id, &reply).await.expect("posted");
    assert_eq!(slack.find_posted(&channel.id, Some(&posted.ts), start_at(), "reply-1").await, Ok(Some(reply.clone())));
    assert_eq!(slack.message(&reply).await.expect("read").expect("there").text, "in the thread");
    slack.post_ephemeral(&channel.id, &UserId::from(ANA), "only you", &[], None).await.expect("shown");
    for _ in 0..2 {
        slack.delete_message(&reply).await.expect("deleted");
    }
    for _ in 0..2 {
        slack.archive(&channel.id).await.expect("archived");
    }
    let error = slack.post_message(&channel.id, &card).await.expect_err("archived");
    assert_eq!(error.not_reached(), Some(NotReached::Archived));
    shop.nobody_complains();
}

#[tokio::test]
async fn people_are_known_and_reached_and_who_left_is_told_apart() {
    let shop = Shop::open(false).await;
    let slack = &shop.slack;
    let people = slack.list_users().await.expect("read");
    let find = |id: &str| people.iter().find(|person| person.id.as_str() == id).expect("there").clone();
    assert_eq!((find(ANA).name.as_str(), find(ANA).zone.as_deref()), ("Ana", Some("America/New_York")));
    assert!(find(HANNE_WHO_LEFT).deactivated && find("U0GUEST001").restricted && find("U0MONITOR1").is_bot);
    assert_eq!(slack.user_info(&UserId::from(ANA)).await, Ok(find(ANA)));
    let groups = slack.user_groups().await.expect("read");
    let database = groups.iter().find(|group| group.id == UserGroupId::from("S0DBTEAM01")).expect("there");
    assert_eq!((database.handle.as_str(), database.users.len()), ("db-team", 2));
    assert!(!slack.dnd_info(&UserId::from(ANA)).await.expect("read").is_quiet_at(start_at()));

    let direct = slack.open_dm(&UserId::from(ANA)).await.expect("opened");
    let page = Message { text: "db is down".into(), metadata: Some(Metadata::effect("page-1")), ..Message::default() };
    let posted = slack.post_message(&direct, &page).await.expect("posted");
    assert_eq!(slack.find_posted(&direct, None, start_at(), "page-1").await, Ok(Some(posted)));
    for who in [HANNE_WHO_LEFT, "U0NOBODY01"] {
        let error = slack.open_dm(&UserId::from(who)).await.expect_err("unreachable");
        assert!(error.not_reached().is_some(), "{error}");
    }
    let refused = slack.invite(&ChannelId::from(SHOP_OPS), &[UserId::from(HANNE_WHO_LEFT)]).await.expect("told");
    assert_eq!(refused.len(), 1, "{refused:?}");
    shop.nobody_complains();
}

/// The same things happen by either way in.
async fn everything_a_person_does(shop: &Shop) {
    let card = Message {
        text: "db is down".into(),
        blocks: vec![button()],
        metadata: Some(Metadata::effect("1")),
        ..Message::default()
    };
    let posted = shop.slack.post_message(&ChannelId::from(GENERAL), &card).await.expect("posted");
    shop.does(Act::Command { channel: GENERAL.into(), text: "/incident open db > 90% & rising".into() }).await;
    let message = Container::Message { channel: GENERAL.into(), ts: posted.ts.0.clone() };
    shop.does(Act::Action {
        container: message,
        block_id: "buttons".into(),
        action_id: "ack".into(),
        action: serde_json::Map::new(),
        state: None,
    })
    .await;
    shop.does(Act::Shortcut { callback_id: "open_incident".into(), channel: None, ts: None }).await;
    shop.sandbox.settle().await;
    let trigger = shop.interactions().iter().rev().find_map(|interaction| interaction.trigger_id().map(str::to_owned));
    let view = shop.slack.open_view(&trigger.expect("a trigger"), &dialog()).await.expect("opened");
    let submit = |values: Value| Act::Submit { view_id: view.id.clone(), values };
    // The empty dialog is refused, so the person sees the receiver's sentence; then it is sent off.
    let refused = shop.sandbox.act(ANA, submit(json!({}))).await;
    let told = refused.map_or_else(|refusal| refusal.to_string(), |shown| shown.to_string());
    assert!(told.contains("Say what is broken"), "{told}");
    shop.does(submit(json!({"title_block": {"title": {"type": "plain_text_input", "value": "db is down"}}}))).await;
    shop.does(Act::Shortcut {
        callback_id: "add_to_timeline".into(),
        channel: Some(GENERAL.into()),
        ts: Some(posted.ts.0.clone()),
    })
    .await;
    shop.does(Act::React { channel: GENERAL.into(), ts: posted.ts.0.clone(), name: "pushpin".into() }).await;
    shop.does(Act::Message { channel: GENERAL.into(), text: "it is the disk".into(), thread_ts: None }).await;
    shop.does(Act::OpenHome {}).await;
    shop.sandbox.settle().await;

    let seen = shop.seen();
    let command = seen.iter().find_map(|(inbound, _)| match inbound {
        Inbound::Command(command) => Some(command.clone()),
        Inbound::Interaction(_) | Inbound::Event(_) => None,
    });
    let command = command.expect("the command came");
    assert_eq!((command.text.as_str(), command.user.as_str()), ("open db > 90% & rising", ANA));
    let answered = command.response_url.expect("an address to answer");
    shop.slack.respond(&answered, &Response::ephemeral("Opened")).await.expect("answered");

    let interactions = shop.interactions();
    assert!(interactions.iter().any(|interaction| matches!(interaction, Interaction::BlockActions(used)
        if used.actions[0].choice.text() == Some("42:1") && used.message_ts.as_ref() == Some(&posted.ts))));
    assert!(interactions.iter().any(|interaction| matches!(interaction, Interaction::ViewSubmission(sent)
        if sent.view.state.text("title") == Some("db is down") && sent.view.private_metadata == "kept")));
    assert!(interactions.iter().any(|interaction| matches!(interaction, Interaction::MessageShortcut(chosen)
        if chosen.message.text == "db is down" && chosen.message.ts == posted.ts)));
    let events = shop.events();
    assert!(events.iter().any(|event| matches!(event, Event::ReactionAdded { reaction, item: Some(item), .. }
        if reaction == "pushpin" && *item == posted)));
    assert!(
        events.iter().any(|event| matches!(event, Event::Message { message, .. } if message.text == "it is the disk"))
    );
    assert!(events.iter().any(|event| matches!(event, Event::AppHomeOpened { .. })));
    let keys: std::collections::BTreeSet<_> = seen.iter().map(|(_, meta)| &meta.delivery_key).collect();
    assert_eq!(keys.len(), seen.len(), "each delivery has a key of its own");
    assert!(seen.iter().all(|(_, meta)| meta.retry.is_none()));
}

#[tokio::test]
async fn everything_a_person_does_comes_in_by_signed_http() {
    let shop = Shop::open(false).await;
    shop.by_http().await;
    everything_a_person_does(&shop).await;
    shop.nobody_complains();
}

#[tokio::test]
async fn everything_a_person_does_comes_in_by_socket_mode() {
    let shop = Shop::open(false).await;
    let mode = shop.by_socket().await;
    everything_a_person_does(&shop).await;
    shop.nobody_complains();
    mode.stop().await;
}

#[tokio::test]
async fn nothing_is_lost_while_slack_renews_the_connections() {
    let shop = Shop::open(false).await;
    let mode = shop.by_socket().await;
    for round in 0..3 {
        shop.sandbox.refresh_sockets(round % 2 == 0);
        for number in 0..5 {
            let text = format!("{round}-{number}");
            shop.does(Act::Message { channel: GENERAL.into(), text, thread_ts: None }).await;
        }
        shop.sandbox.settle().await;
        mode.status().wait_for(|status| status.connected == 2).await.expect("alive");
        // What found no connection at all waits for the clock.
        while shop.sandbox.waiting_deliveries() > 0 {
            let clock = shop.sandbox.clock();
            clock.set(clock.now() + TimeDelta::seconds(61));
            shop.sandbox.settle().await;
        }
    }
    let texts: std::collections::BTreeSet<String> = shop
        .events()
        .into_iter()
        .filter_map(|event| match event {
            Event::Message { message, .. } => Some(message.text),
            _ => None,
        })
        .collect();
    assert_eq!(texts.len(), 15, "{texts:?}");
    mode.stop().await;
}

#[tokio::test]
async fn a_second_program_with_the_same_token_is_told_until_it_has_gone() {
    let shop = Shop::open(false).await;
    shop.sandbox.set_delivery(Delivery::SocketMode);
    let first = shop.joins();
    first.status().wait_for(|status| status.connected == 2).await.expect("alive");
    let second = shop.joins();
    let mut seen = second.status();
    seen.wait_for(|status| status.greetings == 2).await.expect("alive");
    assert_eq!(seen.borrow().strangers, 0, "a program that was just killed leaves connections too");
    for greetings in [3, 4] {
        shop.sandbox.clock().set(shop.sandbox.clock().now() + TimeDelta::minutes(1));
        seen.wait_for(|status| status.greetings == greetings).await.expect("alive");
    }
    assert_eq!(seen.borrow().strangers, 2);
    let mut seen_by_first = first.status();
    assert_eq!(seen_by_first.borrow().strangers, 0, "its connections stand");
    // It looks by itself a quarter of an hour after its last greeting.
    for (minutes, greetings) in [(13, 3), (1, 4), (1, 5)] {
        shop.sandbox.clock().set(shop.sandbox.clock().now() + TimeDelta::minutes(minutes));
        seen_by_first.wait_for(|status| status.greetings == greetings).await.expect("alive");
    }
    assert!(seen_by_first.borrow().strangers >= 2, "{:?}", seen_by_first.borrow());
    seen.wait_for(|status| status.greetings >= 5).await.expect("alive");
    let greetings = seen.borrow().greetings;
    first.stop().await;
    shop.has_sockets(2).await;
    shop.sandbox.clock().set(shop.sandbox.clock().now() + TimeDelta::minutes(10));
    seen.wait_for(|status| status.greetings > greetings).await.expect("alive");
    assert_eq!(seen.borrow().strangers, 0);
    second.stop().await;
}

#[tokio::test]
async fn a_program_that_is_killed_and_started_again_is_not_its_own_rival() {
    let shop = Shop::open(false).await;
    shop.sandbox.set_delivery(Delivery::SocketMode);
    let before = shop.joins();
    before.status().wait_for(|status| status.connected == 2).await.expect("alive");
    let after = shop.joins();
    let mut seen = after.status();
    seen.wait_for(|status| status.greetings == 2).await.expect("alive");
    before.stop().await;
    shop.has_sockets(2).await;
    shop.sandbox.clock().set(shop.sandbox.clock().now() + TimeDelta::minutes(1));
    seen.wait_for(|status| status.greetings == 3).await.expect("alive");
    assert_eq!(seen.borrow().strangers, 0);
    after.stop().await;
}

#[tokio::test]
async fn a_dead_connection_after_the_commit_leaves_the_message_findable() {
    let shop = Shop::open(false).await;
    let general = ChannelId::from(GENERAL);
    let page = Message { text: "db is down".into(), metadata: Some(Metadata::effect("page-7")), ..Message::default() };
    for what in [ApiFault::ResetAfter, ApiFault::Truncated, ApiFault::MissingField { field: "ok".into() }] {
        shop.sandbox.add_fault(Fault::Api { method: "chat.postMessage".into(), nth: Some(1), what });
        let error = shop.slack.post_message(&general, &page).await.expect_err("the answer is lost");
        assert_eq!(error.class(), Class::Uncertain, "{error}");
        let found = shop.slack.find_posted(&general, None, start_at(), "page-7").await.expect("read");
        let found = found.expect("the message is there");
        shop.slack.delete_message(&found).await.expect("deleted");
        shop.sandbox.clear_faults();
    }
    // The same ts stands in the answer twice: one is enough.
    let what = ApiFault::MissingField { field: "ts".into() };
    shop.sandbox.add_fault(Fault::Api { method: "chat.postMessage".into(), nth: Some(1), what });
    let posted = shop.slack.post_message(&general, &page).await.expect("posted");
    shop.slack.delete_message(&posted).await.expect("deleted");
    shop.sandbox.clear_faults();
    shop.sandbox.add_fault(Fault::Api { method: "chat.postMessage".into(), nth: Some(1), what: ApiFault::ResetBefore });
    assert_eq!(shop.slack.post_message(&general, &page).await.expect_err("lost").class(), Class::Uncertain);
    assert_eq!(shop.slack.find_posted(&general, None, start_at(), "page-7").await, Ok(None));
}

#[tokio::test]
async fn whoever_keeps_the_pace_is_never_told_too_often() {
    let shop = Shop::open(true).await;
    let clock = shop.sandbox.clock().clone();
    let general = ChannelId::from(GENERAL);
    let mut pace = Pace::new();
    let mut wait_for = |method, channel: Option<&ChannelId>, urgency| {
        while let Err(at) = pace.take(method, channel, urgency, clock.now()) {
            clock.set(at);
        }
    };
    for number in 0..60 {
        wait_for(Method::ChatPostMessage, Some(&general), Urgency::Ordinary);
        let posted = shop.posts(GENERAL, "a line").await;
        wait_for(Method::ReactionsAdd, None, Urgency::Ordinary);
        shop.slack.add_reaction(&posted, "eyes").await.expect("added");
        if number % 2 == 0 {
            wait_for(Method::ConversationsCreate, None, Urgency::Ordinary);
            let channel = shop.slack.create_channel(&format!("inc-{number}"), false).await.expect("created");
            wait_for(Method::ConversationsSetTopic, None, Urgency::Ordinary);
            shop.slack.set_topic(&channel.id, "x").await.expect("set");
        }
    }
    assert_eq!(shop.sandbox.rate_limited(), 0);
}
