//! The outgoing client against a server that answers as Slack does on bad days.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::DateTime;
use firebell::ids::{ChannelId, MessageRef, MessageTs, UserId, WorkspaceId};
use firebell::slack::blocks;
use firebell::slack::methods::messages::EFFECT_KEY;
use firebell::slack::{
    Class, Error, LentUpload, Meeting, Message, Metadata, NewFile, NotReached, Response, Slack, SlackConfig,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::outgoing::outgoing;

/// What the server was asked.
#[derive(Clone, Debug)]
struct Asked {
    /// `POST`, `GET`.
    verb: String,
    /// The method with its query.
    path: String,
    token: Option<String>,
    body: Value,
}

impl Asked {
    fn method(&self) -> &str {
        self.path.split('?').next().expect("a part").trim_start_matches("/api/")
    }

    fn query(&self, key: &str) -> Option<String> {
        let query = self.path.split_once('?')?.1;
        url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == key).map(|(_, value)| value.into_owned())
    }
}

/// What it does.
enum Reply {
    Json(Value),
    /// The bytes of a whole response, and then the connection closes.
    Raw(String),
    /// Closes without a word.
    Reset,
    /// Never answers.
    Silence,
}

fn status(status: &str, headers: &str, body: &str) -> Reply {
    Reply::Raw(format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    ))
}

fn ok(answer: Value) -> Reply {
    let Value::Object(mut fields) = answer else { panic!("an object") };
    fields.insert("ok".into(), true.into());
    Reply::Json(fields.into())
}

fn refusal(code: &str) -> Reply {
    Reply::Json(json!({"ok": false, "error": code}))
}

struct Server {
    slack: Slack,
    asked: Arc<Mutex<Vec<Asked>>>,
    url: String,
}

impl Server {
    async fn new(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        Self::with_timeout(Duration::from_secs(30), answer).await
    }

    async fn with_timeout(call_timeout: Duration, answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let answer = Arc::new(answer);
        tokio::spawn({
            let asked = Arc::clone(&asked);
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, Arc::clone(&asked), Arc::clone(&answer)));
                }
            }
        });
        let config = SlackConfig {
            api_url: format!("{url}/api"),
            app_token: Some("xapp-test".into()),
            workspace: Some("T1".into()),
            call_timeout,
            ..SlackConfig::new("xoxb-test".into())
        };
        Self { slack: Slack::new(config).expect("a client"), asked, url }
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no panic").clone()
    }

    async fn post(&self) -> Result<MessageRef, Error> {
        self.slack
            .post_message(&channel(), &Message { text: "the database is down".into(), ..Message::default() })
            .await
    }
}

async fn serve<A: Fn(&Asked) -> Reply>(mut stream: TcpStream, asked: Arc<Mutex<Vec<Asked>>>, answer: Arc<A>) {
    let Some(request) = read(&mut stream).await else { return };
    let reply = answer(&request);
    asked.lock().expect("no panic").push(request);
    let text = match reply {
        Reply::Json(value) => {
            let body = value.to_string();
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nConnection: close\r\n";
            format!("{head}Content-Length: {}\r\n\r\n{body}", body.len())
        }
        Reply::Raw(text) => text,
        Reply::Reset => return,
        Reply::Silence => std::future::pending().await,
    };
    stream.write_all(text.as_bytes()).await.expect("written");
}

async fn read(stream: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let count = stream.read(&mut piece).await.ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&piece[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let header = |name: &str| {
            head.lines()
                .filter_map(|line| line.split_once(": "))
                .find(|(key, _)| key.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.to_owned())
        };
        if body.len() < header("content-length").map_or(0, |length| length.parse().expect("a number")) {
            continue;
        }
        let mut first = head.split(' ');
        return Some(Asked {
            verb: first.next()?.to_owned(),
            path: first.next()?.to_owned(),
            token: header("authorization"),
            body: serde_json::from_str(body).unwrap_or(Value::Null),
        });
    }
}

fn channel() -> ChannelId {
    ChannelId::from("C1")
}

fn message() -> MessageRef {
    MessageRef { channel: channel(), ts: MessageTs::from("1700000000.000100") }
}

#[tokio::test]
async fn a_post_sends_what_slack_documents_and_returns_where_the_message_is() {
    let server = Server::new(|_| ok(json!({"channel": "D9", "ts": "1700000000.000100"}))).await;
    let page = Message {
        text: "db is down".into(),
        blocks: vec![blocks::divider()],
        thread_ts: Some(MessageTs::from("1.0")),
        metadata: Some(Metadata::effect("42")),
        client_msg_id: Some(uuid::Uuid::from_u128(7)),
    };
    let posted = server.slack.post_message(&ChannelId::from("U1"), &page).await.expect("posted");
    assert_eq!((posted.channel.as_str(), posted.ts.as_str()), ("D9", "1700000000.000100"));
    let asked = &server.asked()[0];
    assert_eq!(
        (asked.verb.as_str(), asked.method(), asked.token.as_deref()),
        ("POST", "chat.postMessage", Some("Bearer xoxb-test"))
    );
    assert_eq!(
        asked.body,
        json!({"channel": "U1", "text": "db is down", "blocks": [{"type": "divider"}], "thread_ts": "1.0",
               "unfurl_links": false, "unfurl_media": false, "client_msg_id": "00000000-0000-0000-0000-000000000007",
               "metadata": {"event_type": "firebell_effect", "event_payload": {EFFECT_KEY: "42"}}})
    );
}

type BadDay = (&'static str, fn() -> Reply, Class);

#[tokio::test]
async fn bad_days_are_told_apart_by_what_may_have_happened() {
    let after = |seconds| Class::RateLimited { after: Duration::from_secs(seconds) };
    let cases: Vec<BadDay> = vec![
        (
            "429 JSON",
            || {
                status(
                    "429 Too Many Requests",
                    "Retry-After: 7\r\nContent-Type: application/json\r\n",
                    r#"{"ok":false,"error":"ratelimited"}"#,
                )
            },
            after(7),
        ),
        (
            "429 text",
            || status("429 Too Many Requests", "Retry-After: 3\r\nContent-Type: text/plain\r\n", "slow down"),
            after(3),
        ),
        ("429 without a word", || status("429 Too Many Requests", "Content-Type: text/plain\r\n", ""), after(5)),
        ("200 ratelimited", || refusal("ratelimited"), after(5)),
        (
            "500 HTML",
            || status("500 Internal Server Error", "Content-Type: text/html\r\n", "<html>sorry</html>"),
            Class::Uncertain,
        ),
        (
            "503 HTML",
            || status("503 Service Unavailable", "Content-Type: text/html\r\n", "<html>sorry</html>"),
            Class::Retry,
        ),
        (
            "200 HTML",
            || status("200 OK", "Content-Type: text/html\r\n", "<html>log in to the hotel</html>"),
            Class::Uncertain,
        ),
        (
            "truncated",
            || status("200 OK", "Content-Type: application/json\r\n", r#"{"ok":true,"channel":"C1","t"#),
            Class::Uncertain,
        ),
        (
            "shorter than promised",
            || {
                Reply::Raw(
                    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{\"ok\":".into(),
                )
            },
            Class::Uncertain,
        ),
        ("no ts", || ok(json!({"channel": "C1"})), Class::Uncertain),
        ("not ok", || Reply::Json(json!({"ok": false})), Class::Uncertain),
        ("closed", || Reply::Reset, Class::Uncertain),
        ("silence", || Reply::Silence, Class::Uncertain),
        ("fatal_error", || refusal("fatal_error"), Class::Uncertain),
        ("service_unavailable", || refusal("service_unavailable"), Class::Retry),
        (
            "403",
            || status("403 Forbidden", "Content-Type: text/html\r\n", "no"),
            Class::Permanent { code: "http_403".into() },
        ),
        ("not_in_channel", || refusal("not_in_channel"), Class::Permanent { code: "not_in_channel".into() }),
        ("token_revoked", || refusal("token_revoked"), Class::Auth { code: "token_revoked".into() }),
    ];
    for (name, reply, class) in cases {
        let timeout = if name == "silence" { Duration::from_millis(50) } else { Duration::from_secs(30) };
        let server = Server::with_timeout(timeout, move |_| reply()).await;
        let error = server.post().await.expect_err(name);
        assert_eq!(error.class(), class, "{name}");
        let shown = format!("{error} {error:?}");
        for secret in ["xoxb", "database", "hotel", "sorry"] {
            assert!(!shown.contains(secret), "{name}: {shown}");
        }
    }
}

#[tokio::test]
async fn nobody_at_the_address_means_that_nothing_was_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    drop(listener);
    let config = SlackConfig { api_url: format!("http://{address}/api"), ..SlackConfig::new("xoxb-test".into()) };
    let slack = Slack::new(config).expect("a client");
    assert_eq!(slack.user_info(&UserId::from("U1")).await.expect_err("refused").class(), Class::Retry);
    assert_eq!(slack.auth_test().await.expect_err("refused").class(), Class::Retry);
}

#[tokio::test]
async fn nothing_is_sent_before_it_is_known_whose_token_it_is() {
    let server = Server::new(|_| ok(json!({"user_id": "UBOT", "team_id": "T1", "url": "https://x.slack.com/"}))).await;
    let hello = Message { text: "hello".to_owned(), ..Message::default() };
    let sent = || server.asked().iter().map(|asked| asked.method().to_owned()).collect::<Vec<_>>();
    server.slack.set_meeting(Meeting::Away);
    let refused = server.slack.post_message(&ChannelId::from("C1"), &hello).await.expect_err("not sent");
    assert_eq!(refused.class(), Class::Retry);
    server.slack.set_meeting(Meeting::Asking);
    let known = async {
        server.slack.auth_test().await.expect("is asked all the same");
        assert_eq!(sent(), ["auth.test"]);
        server.slack.set_meeting(Meeting::Met);
    };
    let user = UserId::from("U1");
    let (asked, ()) = tokio::join!(server.slack.user_info(&user), known);
    drop(asked);
    assert_eq!(sent(), ["auth.test", "users.info"]);
}

#[tokio::test]
async fn what_was_so_already_is_success() {
    let server = Server::new(|asked| {
        refusal(match asked.method() {
            "pins.add" => "already_pinned",
            "reactions.add" => "already_reacted",
            "reactions.remove" => "no_reaction",
            "conversations.join" | "conversations.invite" => "already_in_channel",
            "conversations.archive" => "already_archived",
            "conversations.unarchive" => "not_archived",
            "chat.delete" => "message_not_found",
            other => panic!("{other}"),
        })
    })
    .await;
    let slack = &server.slack;
    assert_eq!(slack.pin(&message()).await, Ok(()));
    assert_eq!(slack.add_reaction(&message(), "pushpin").await, Ok(()));
    assert_eq!(slack.remove_reaction(&message(), "pushpin").await, Ok(()));
    assert_eq!(slack.join(&channel()).await, Ok(()));
    assert_eq!(slack.archive(&channel()).await, Ok(()));
    assert_eq!(slack.unarchive(&channel()).await, Ok(()));
    assert_eq!(slack.delete_message(&message()).await, Ok(()));
    assert_eq!(slack.invite(&channel(), &[UserId::from("U1")]).await, Ok(vec![]));
}

#[tokio::test]
async fn a_created_channel_is_ours_even_if_the_answer_says_little_of_it() {
    let server = Server::new(|_| ok(json!({"channel": {"id": "C7", "name": "inc-7-db"}}))).await;
    let channel = server.slack.create_channel("inc-7-db", true).await.expect("created");
    assert_eq!((channel.id.as_str(), channel.name.as_str(), channel.is_member), ("C7", "inc-7-db", true));
    assert_eq!(server.asked()[0].body, json!({"name": "inc-7-db", "is_private": true, "team_id": "T1"}));
}

#[tokio::test]
async fn a_channel_is_looked_for_among_ours_first_and_page_by_page() {
    let server = Server::new(|asked| match (asked.method(), asked.query("cursor").as_deref()) {
        ("users.conversations", None) => {
            ok(json!({"channels": [{"id": "C1", "name": "general"}], "response_metadata": {"next_cursor": "two"}}))
        }
        ("users.conversations", Some("two")) => {
            ok(json!({"channels": [{"id": "C2", "name": "inc-2"}], "response_metadata": {"next_cursor": ""}}))
        }
        ("conversations.list", None) => {
            ok(json!({"channels": [{"id": "C3", "name": "inc-3", "is_archived": true, "is_member": false}]}))
        }
        other => panic!("{other:?}"),
    })
    .await;
    let ours = server.slack.find_channel_by_name("inc-2").await.expect("read").expect("found");
    assert_eq!((ours.id.as_str(), ours.is_member, server.asked().len()), ("C2", true, 2));
    let other = server.slack.find_channel_by_name("inc-3").await.expect("read").expect("found");
    assert_eq!((other.id.as_str(), other.is_member, other.is_archived), ("C3", false, true));
    assert_eq!(server.slack.find_own_channel("inc-3").await, Ok(None));
}

#[tokio::test]
async fn a_list_without_end_is_an_error_and_not_a_wrong_no() {
    let server = Server::new(|_| ok(json!({"channels": [], "response_metadata": {"next_cursor": "more"}}))).await;
    assert!(server.slack.find_own_channel("inc-2").await.is_err());
    assert_eq!(server.asked().len(), 40);
}

#[tokio::test]
async fn invitations_go_a_hundred_at_a_time_and_name_who_was_refused() {
    let server = Server::new(|asked| {
        let users: Vec<_> = asked.body["users"].as_str().expect("a text").split(',').collect();
        assert_eq!(asked.body["force"], true);
        if users.contains(&"U150") {
            Reply::Json(json!({"ok": false, "error": "user_disabled", "errors": [
                {"ok": false, "user": "U150", "error": "user_disabled"}, {"ok": false, "user": "U151", "error": "already_in_channel"}]}))
        } else {
            ok(json!({"channel": {"id": "C1"}}))
        }
    })
    .await;
    let users: Vec<_> = (0..230).map(|number| UserId(format!("U{number}"))).collect();
    let refused = server.slack.invite(&channel(), &users).await.expect("invited");
    assert_eq!(
        refused.iter().map(|entry| (entry.user.as_str(), entry.code.as_str())).collect::<Vec<_>>(),
        [("U150", "user_disabled")]
    );
    let sizes: Vec<_> =
        server.asked().iter().map(|asked| asked.body["users"].as_str().expect("a text").split(',').count()).collect();
    assert_eq!(sizes, [100, 100, 30]);
}

#[tokio::test]
async fn one_refused_invitation_is_a_refusal_and_a_closed_channel_an_error() {
    let server = Server::new(|_| refusal("cant_invite")).await;
    let refused = server.slack.invite(&channel(), &[UserId::from("U1")]).await.expect("told");
    assert_eq!(refused[0].code, "cant_invite");
    let server = Server::new(|_| refusal("is_archived")).await;
    let error = server.slack.invite(&channel(), &[UserId::from("U1")]).await.expect_err("archived");
    assert_eq!(error.not_reached(), Some(NotReached::Archived));
}

#[tokio::test]
async fn a_message_of_unknown_outcome_is_found_again_by_its_effect() {
    let server = Server::new(|asked| {
        assert_eq!(asked.query("include_all_metadata").as_deref(), Some("true"));
        let at = |ts: &str, effect: &str| json!({"ts": ts, "metadata": {"event_type": "firebell_effect", "event_payload": {"effect": effect}}});
        match (asked.method(), asked.query("cursor")) {
            ("conversations.history", None) => ok(json!({"messages": [{"ts": "3.0", "text": "x"}, at("2.0", "41")],
                                                         "response_metadata": {"next_cursor": "n"}})),
            ("conversations.history", Some(_)) => ok(json!({"messages": [at("1.0", "42")]})),
            ("conversations.replies", None) => ok(json!({"messages": [{"ts": "1.0"}, at("1.5", "43")]})),
            other => panic!("{other:?}"),
        }
    })
    .await;
    let since = DateTime::from_timestamp(1_700_000_000, 0).expect("in range");
    let found = |effect: &'static str, thread: Option<MessageTs>| {
        let slack = server.slack.clone();
        async move {
            slack.find_posted(&channel(), thread.as_ref(), since, effect).await.expect("read").map(|found| found.ts.0)
        }
    };
    assert_eq!(found("42", None).await.as_deref(), Some("1.0"));
    assert_eq!(found("44", None).await, None);
    assert_eq!(found("43", Some(MessageTs::from("1.0"))).await.as_deref(), Some("1.5"));
    assert_eq!(server.asked()[0].query("oldest").as_deref(), Some("1699913600.000000"));
}

#[tokio::test]
async fn one_message_is_fetched_with_its_address_also_out_of_a_thread() {
    let server = Server::new(|asked| match asked.method() {
        "conversations.history" => ok(json!({"messages": [{"ts": "1600000000.000000", "text": "an older one"}]})),
        "conversations.replies" => {
            ok(json!({"messages": [{"ts": "1700000000.000100", "thread_ts": "1.0", "user": "U2",
            "text": "it is the disk", "files": [{"id": "F1", "name": "df.txt", "mimetype": "text/plain"}]}]}))
        }
        "chat.getPermalink" => ok(json!({"permalink": "https://example.slack.com/archives/C1/p1"})),
        other => panic!("{other}"),
    })
    .await;
    let seen = server.slack.message(&message()).await.expect("read").expect("there");
    assert_eq!((seen.text.as_str(), seen.user.as_ref().map(UserId::as_str)), ("it is the disk", Some("U2")));
    assert_eq!(seen.permalink.as_deref(), Some("https://example.slack.com/archives/C1/p1"));
    assert_eq!(seen.files[0].name, "df.txt");
    let server = Server::new(|asked| {
        if asked.method() == "conversations.history" {
            ok(json!({"messages": []}))
        } else {
            refusal("thread_not_found")
        }
    })
    .await;
    assert_eq!(server.slack.message(&message()).await, Ok(None));
}

#[tokio::test]
async fn the_scopes_of_the_token_come_with_its_owner() {
    let server = Server::new(|asked| {
        assert_eq!((asked.method(), asked.token.as_deref()), ("auth.test", Some("Bearer xoxb-test")));
        let body = r#"{"ok":true,"url":"https://example.slack.com/","team":"Example","user":"firebell","team_id":"T1","user_id":"U0","bot_id":"B0"}"#;
        status("200 OK", "Content-Type: application/json\r\nX-OAuth-Scopes: chat:write, pins:write\r\n", body)
    })
    .await;
    let identity = server.slack.auth_test().await.expect("known");
    assert_eq!((identity.user.as_str(), identity.workspace.as_ref().map(WorkspaceId::as_str)), ("U0", Some("T1")));
    assert_eq!(identity.scopes, ["chat:write", "pins:write"]);
    let server = Server::new(|_| status("429 Too Many Requests", "Retry-After: 9\r\n", "")).await;
    assert_eq!(
        server.slack.auth_test().await.expect_err("too often").class(),
        Class::RateLimited { after: Duration::from_secs(9) }
    );
}

#[tokio::test]
async fn a_missing_scope_tells_which_one() {
    let server = Server::new(|_| {
        Reply::Json(
            json!({"ok": false, "error": "missing_scope", "needed": "bookmarks:write", "provided": "chat:write"}),
        )
    })
    .await;
    let error =
        server.slack.add_bookmark(&channel(), "Timeline", "https://example.org", None).await.expect_err("refused");
    assert_eq!(error.needed_scope(), Some("bookmarks:write"));
    assert!(!error.is_token_refused());
}

#[tokio::test]
async fn a_response_url_gets_no_token_and_is_not_called_unencrypted_elsewhere() {
    let server = Server::new(|_| status("200 OK", "Content-Type: text/plain\r\n", "ok")).await;
    let response = Response { text: "Done".into(), replace_original: true, ..Response::default() };
    server.slack.respond(&format!("{}/hooks/1", server.url), &response).await.expect("answered");
    let asked = &server.asked()[0];
    assert_eq!((asked.path.as_str(), asked.token.as_deref()), ("/hooks/1", None));
    assert_eq!(asked.body, json!({"text": "Done", "replace_original": true, "response_type": "ephemeral"}));
    let elsewhere = server.slack.respond("http://hooks.slack.example/1", &response).await.expect_err("refused");
    assert_eq!(elsewhere.class(), Class::Permanent { code: "not_sent".into() });

    let empty = Server::new(|_| status("200 OK", "", "")).await;
    assert_eq!(empty.slack.respond(&empty.url, &response).await, Ok(()));
    let used = Server::new(|_| {
        status("404 Not Found", "Content-Type: application/json\r\n", r#"{"ok":false,"error":"used_url"}"#)
    })
    .await;
    assert_eq!(used.slack.respond(&used.url, &response).await.expect_err("used up").code(), Some("used_url"));
}

#[tokio::test]
async fn a_files_bytes_go_to_the_lent_address_without_the_token() {
    let lent = Arc::new(Mutex::new(String::new()));
    let at = Arc::clone(&lent);
    let server = Server::new(move |asked| match asked.method() {
        "files.getUploadURLExternal" => ok(json!({"upload_url": *at.lock().expect("no panic"), "file_id": "F1"})),
        "conversations.open" => ok(json!({"channel": {"id": "D1"}})),
        "files.completeUploadExternal" => ok(json!({"files": [{"id": "F1"}]})),
        _ => status("200 OK", "Content-Type: text/plain\r\n", "OK - 6"),
    })
    .await;
    let file = NewFile { name: "INC-1.json".into(), title: "INC-1.json".into(), content: b"[1, 2]".to_vec() };
    let to = UserId::from("U1");
    let send = || server.slack.send_file(&to, &file, "here");
    *lent.lock().expect("no panic") = format!("{}/upload/1", server.url);
    send().await.expect("sent");
    let asked = server.asked();
    let steps: Vec<&str> = asked.iter().map(Asked::method).collect();
    assert_eq!(
        steps,
        ["files.getUploadURLExternal", "/upload/1", "conversations.open", "files.completeUploadExternal"]
    );
    assert_eq!((asked[0].query("filename"), asked[0].query("length")), (Some("INC-1.json".into()), Some("6".into())));
    assert_eq!((asked[1].token.as_deref(), &asked[1].body), (None, &json!([1, 2])));
    assert!(asked[3].token.is_some());
    let shown = json!({"files": [{"id": "F1", "title": "INC-1.json"}], "channel_id": "D1", "initial_comment": "here"});
    assert_eq!(asked[3].body, shown);
    for elsewhere in ["http://files.slack.example/upload/1", "ftp://127.0.0.1/1", "upload/1"] {
        *lent.lock().expect("no panic") = elsewhere.to_owned();
        let refused = send().await.expect_err("not sent");
        assert_eq!(refused.class(), Class::Permanent { code: "not_sent".into() }, "{elsewhere}");
        assert!(!refused.to_string().contains("slack.example"), "{refused}");
    }
    assert_eq!(server.asked().len(), 4 + 3, "nothing went anywhere else");
}

#[tokio::test]
async fn a_full_or_closed_upload_address_is_told_apart() {
    for (answer, class) in
        [("404 Not Found", Class::Permanent { code: "http_404".into() }), ("503 Service Unavailable", Class::Retry)]
    {
        let server = Server::new(move |_| status(answer, "", "")).await;
        let lent = LentUpload { url: format!("{}/upload/1", server.url).into(), file_id: "F1".into() };
        let refused = server.slack.upload(&lent, b"12345".to_vec()).await.expect_err("refused");
        assert_eq!(refused.class(), class);
    }
    let server = Server::new(|_| status("429 Too Many Requests", "Retry-After: 7\r\n", "")).await;
    let lent = LentUpload { url: format!("{}/upload/1", server.url).into(), file_id: "F1".into() };
    let limited = server.slack.upload(&lent, b"12345".to_vec()).await.expect_err("limited");
    assert_eq!(limited.class(), Class::RateLimited { after: Duration::from_secs(7) });
}

#[tokio::test]
async fn lists_of_people_survive_a_strange_member_and_a_small_plan() {
    let server = Server::new(|asked| match asked.method() {
        "users.list" => ok(json!({"members": [{"id": "U1", "name": "ana", "tz": 7}, null, {"name": "no id"}, {"id": "U2", "deleted": true, "profile": []}]})),
        "usergroups.list" => refusal("plan_upgrade_required"),
        other => panic!("{other}"),
    })
    .await;
    let people = server.slack.list_users().await.expect("read");
    assert_eq!(
        people.iter().map(|person| (person.id.as_str(), person.deactivated)).collect::<Vec<_>>(),
        [("U1", false), ("U2", true)]
    );
    assert_eq!(server.slack.user_groups().await, Ok(vec![]));
    assert_eq!(server.asked()[0].query("team_id").as_deref(), Some("T1"));
}

#[tokio::test]
async fn a_topic_is_cut_at_slacks_limit_by_characters() {
    let server = Server::new(|_| ok(json!({}))).await;
    server.slack.set_topic(&channel(), &"ü".repeat(251)).await.expect("set");
    let topic = server.asked()[0].body["topic"].as_str().expect("a text").to_owned();
    assert_eq!((topic.chars().count(), topic.ends_with('…')), (250, true));
}

#[tokio::test]
async fn dialogs_are_opened_updated_and_published() {
    let server = Server::new(|_| ok(json!({"view": {"id": "V1", "hash": "1.h"}}))).await;
    let view = json!({"type": "modal"});
    let sent = outgoing(view.clone());
    let opened = server.slack.open_view("t.1", &sent).await.expect("opened");
    server.slack.update_view(&opened.id, opened.hash.as_deref(), &sent).await.expect("updated");
    server.slack.push_view("t.2", &sent).await.expect("pushed");
    server.slack.publish_home(&UserId::from("U1"), &blocks::home(Vec::new()), None).await.expect("published");
    let bodies: Vec<_> = server.asked().into_iter().map(|asked| asked.body).collect();
    assert_eq!(bodies[0], json!({"trigger_id": "t.1", "view": view}));
    assert_eq!(bodies[1], json!({"view_id": "V1", "hash": "1.h", "view": view}));
    assert_eq!(bodies[3], json!({"user_id": "U1", "view": {"type": "home", "blocks": []}}));
}
