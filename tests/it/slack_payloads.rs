//! Reference payloads of Slack's, when `FIREBELL_SLACK_PAYLOADS` names a folder with them: nothing may be lost on the way
//! through our readers.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::{Request, StatusCode};
use chrono::DateTime;
use firebell::clock::Clock;
use firebell::domain::roster::Person;
use firebell::ids::ChannelId;
use firebell::slack::http::{HttpConfig, router};
use firebell::slack::inbound::{Ack, Event, Inbound, Interaction, Receive};
use firebell::slack::limits::Method;
use firebell::slack::methods::{channels, messages, people, views, workspace};
use firebell::slack::{Channel, Dnd, SeenMessage};
use futures_util::FutureExt;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tower::ServiceExt;

fn folder(name: &str) -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("FIREBELL_SLACK_PAYLOADS") else {
        println!("left out: FIREBELL_SLACK_PAYLOADS names no folder");
        return None;
    };
    Some(Path::new(&folder).join(name))
}

fn files(folder: &Path) -> Vec<(String, Value)> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("readable");
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, serde_json::from_str(&text).expect("JSON"))
        })
        .collect();
    files.sort_by(|one, other| one.0.cmp(&other.0));
    assert!(!files.is_empty());
    files
}

/// Sends a body through the real route and returns what the receiver got.
async fn deliver(path: &str, body: String) -> (StatusCode, Option<Inbound>) {
    let seen = Arc::new(Mutex::new(None));
    let receive: Receive = {
        let seen = Arc::clone(&seen);
        Arc::new(move |inbound, _| {
            *seen.lock().expect("no panic") = Some(inbound);
            async { Ack::Empty }.boxed()
        })
    };
    let now = DateTime::from_timestamp(1_700_000_000, 0).expect("in range");
    let mut mac = Hmac::<Sha256>::new_from_slice(b"secret").expect("any length");
    mac.update(format!("v0:1700000000:{body}").as_bytes());
    let request = Request::post(path)
        .header("x-slack-request-timestamp", "1700000000")
        .header("x-slack-signature", format!("v0={}", hex::encode(mac.finalize().into_bytes())))
        .body(Body::from(body))
        .expect("a request");
    let router = router(HttpConfig::new("secret".into(), Clock::manual(now)), receive);
    let status = router.oneshot(request).await.expect("infallible").status();
    let inbound = seen.lock().expect("no panic").take();
    (status, inbound)
}

fn form(pairs: impl IntoIterator<Item = (String, String)>) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

#[tokio::test]
async fn every_reference_event_comes_through() {
    let Some(folder) = folder("events") else { return };
    let ours = [
        "message",
        "reaction_",
        "app_",
        "member_",
        "channel_archive",
        "channel_unarchive",
        "channel_deleted",
        "channel_rename",
        "group_archive",
        "group_unarchive",
        "group_deleted",
        "group_rename",
        "user_change",
        "user_profile",
        "user_status",
        "team_join",
        "subteam_",
        "tokens_revoked",
    ];
    let others = ["message_replied", "app_requested"];
    for (name, payload) in files(&folder) {
        let (status, inbound) = deliver("/slack/events", payload.to_string()).await;
        assert_eq!(status, StatusCode::OK, "{name}");
        let Some(Inbound::Event(envelope)) = inbound else { panic!("{name} was lost") };
        let kind = payload["event"]["type"].as_str().unwrap_or_default();
        let subtype = payload["event"]["subtype"].as_str().unwrap_or_default();
        let known =
            ours.iter().any(|prefix| kind.starts_with(prefix)) && !others.contains(&kind) && !others.contains(&subtype);
        assert_eq!(!matches!(envelope.event, Event::Unknown { .. }), known, "{name}: {:?}", envelope.event);
    }
}

#[tokio::test]
async fn every_reference_interaction_comes_through() {
    let Some(folder) = folder("interactive") else { return };
    for (name, payload) in files(&folder) {
        let is_command = payload.get("command").is_some();
        let (status, inbound) = if is_command {
            let pairs = payload
                .as_object()
                .expect("an object")
                .iter()
                .map(|(key, value)| (key.clone(), value.as_str().unwrap_or("false").to_owned()));
            deliver("/slack/commands", form(pairs)).await
        } else {
            deliver("/slack/interactions", form([("payload".to_owned(), payload.to_string())])).await
        };
        assert_eq!(status, StatusCode::OK, "{name}");
        let known = match inbound {
            Some(Inbound::Command(_)) => is_command,
            Some(Inbound::Interaction(interaction)) => !matches!(interaction, Interaction::Unknown { .. }),
            other => panic!("{name} was lost: {other:?}"),
        };
        // Dialogs and attachment buttons are of an age before the blocks that we use.
        let expected = ["block_actions", "view_submission", "view_closed", "message_action"];
        assert_eq!(known, is_command || expected.contains(&payload["type"].as_str().unwrap_or_default()), "{name}");
    }
}

#[test]
fn every_reference_answer_of_the_web_api_is_read() {
    let Some(folder) = folder("web-api") else { return };
    let asked = ChannelId::from("C0");
    let mut read = 0;
    for (name, answer) in files(&folder) {
        let Some(method) = name.strip_suffix(".200.json") else { continue };
        let list = |key: &str| answer[key].as_array().unwrap_or_else(|| panic!("{name} has no {key}")).clone();
        match method {
            "chat.postMessage" => drop(messages::posted(Method::ChatPostMessage, &asked, &answer).expect(&name)),
            "conversations.create" | "conversations.info" | "conversations.join" | "conversations.invite" => {
                drop(channels::channel_of(Method::ConversationsCreate, &answer).expect(&name));
            }
            "conversations.list" | "users.conversations" => {
                assert_eq!(list("channels").iter().filter_map(Channel::read).count(), list("channels").len(), "{name}");
            }
            "conversations.history" => {
                for message in list("messages") {
                    let seen = SeenMessage::read(&message);
                    assert_eq!(
                        (Some(seen.ts.as_str()), Some(seen.text.as_str())),
                        (message["ts"].as_str(), message["text"].as_str()),
                        "{name}"
                    );
                }
            }
            "users.info" => drop(people::person(&answer["user"], None).expect(&name)),
            "users.list" => {
                let people: Vec<Person> =
                    list("members").iter().filter_map(|user| people::person(user, None)).collect();
                assert_eq!(people.len(), list("members").len());
            }
            "usergroups.list" => {
                let disabled = list("usergroups").iter().filter(|group| group["date_delete"] != json!(0)).count();
                assert_eq!(
                    list("usergroups").iter().filter_map(people::user_group).count() + disabled,
                    list("usergroups").len()
                );
            }
            "auth.test" => drop(workspace::identity(&answer, workspace::Headers::default()).expect(&name)),
            "team.info" => drop(workspace::workspace_of(&answer).expect(&name)),
            "dnd.info" => {
                assert!(Dnd::read(&answer).quiet.is_some() || answer["dnd_enabled"] != json!(true), "{name}");
            }
            "views.open" | "views.update" | "views.push" | "views.publish" => {
                assert!(views::view_of(Method::ViewsOpen, &answer).expect(&name).hash.is_some());
            }
            _ => continue,
        }
        read += 1;
    }
    assert!(read >= 15, "only {read} files were for us");
}
