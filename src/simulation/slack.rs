//! Slack, as far as a simulation needs it: strict in what Firebell relies on, and with a memory of its own of what it took.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::ids::MessageRef;
use crate::sandbox::Limits;
use crate::worker::edits;

/// Who Firebell is there.
pub(super) const BOT: &str = "UBOT";

/// A conversation and all that was posted into it.
#[derive(Clone, Debug, Default)]
pub(super) struct Channel {
    pub(super) name: String,
    pub(super) created_s: i64,
    pub(super) private: bool,
    messages: Vec<Post>,
}

#[derive(Clone, Debug)]
struct Post {
    ts: String,
    thread_ts: Option<String>,
    payload: Value,
    text: String,
    blocks: Value,
    /// An edit came after its caller had given it up: later ones may have been overtaken.
    overtaken: bool,
}

impl Post {
    /// What it says, as Firebell sums it up.
    fn sum(&self, channel: &str) -> String {
        let message = MessageRef { channel: channel.into(), ts: self.ts.as_str().into() };
        edits::sum(&message, &edits::content(&self.text, &self.blocks))
    }
}

/// What a call shows.
fn shown(args: &Value) -> (String, Value) {
    let text = args.get("text").and_then(Value::as_str).unwrap_or_default();
    (text.to_owned(), args.get("blocks").cloned().unwrap_or_else(|| json!([])))
}

/// A message that was really taken.
#[derive(Clone, Debug)]
pub(super) struct Accepted {
    pub(super) channel: String,
    pub(super) ts: String,
    /// The effect that it says it comes from.
    pub(super) mark: String,
}

/// The workspace.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    pub(super) channels: BTreeMap<String, Channel>,
    /// Accounts that were deactivated without anybody telling Firebell.
    pub(super) gone: BTreeSet<String>,
    /// Everything that was taken, in order.
    pub(super) ledger: Vec<Accepted>,
    /// Marks of messages that were answered with ok and do not exist.
    pub(super) lies: Vec<Accepted>,
    /// What they would say.
    never_read: BTreeSet<String>,
    /// How often it was called.
    pub(super) limits: Limits,
    last_us: i64,
    made: u32,
}

fn refused(code: &str) -> Value {
    json!({ "ok": false, "error": code })
}

/// The marks in the metadata of a post: its own, or those of all pages that a digest stands for.
pub(super) fn marks(args: &Value) -> Vec<String> {
    let payload = |key: &str| args.pointer(&format!("/metadata/event_payload/{key}")).and_then(Value::as_str);
    let pages = payload("pages").map(|pages| pages.split_whitespace().map(str::to_owned).collect());
    pages.unwrap_or_else(|| payload("effect").into_iter().map(str::to_owned).collect())
}

impl Workspace {
    /// A channel that people made.
    pub(super) fn has(&mut self, id: &str) {
        self.channels.insert(id.to_owned(), Channel { name: id.to_lowercase(), ..Channel::default() });
    }

    /// Does what a call asks for.
    pub(super) fn perform(&mut self, method: &str, args: &Value, now_us: i64) -> Value {
        let text = |key: &str| args.get(key).and_then(Value::as_str).unwrap_or_default();
        match method {
            "chat.postMessage" => self.post(args, now_us, true),
            "chat.update" => match self.find_mut(text("channel"), text("ts")) {
                Some(post) => {
                    (post.text, post.blocks) = shown(args);
                    json!({ "ok": true, "channel": text("channel"), "ts": text("ts") })
                }
                None => refused("message_not_found"),
            },
            "conversations.create" => {
                let private = args.get("is_private").and_then(Value::as_bool).unwrap_or_default();
                self.create(text("name"), now_us / 1_000_000, private)
            }
            "conversations.open" => self
                .direct(text("users"))
                .map_or_else(|| refused("user_not_found"), |id| json!({ "ok": true, "channel": { "id": id } })),
            "conversations.history" | "conversations.replies" => {
                self.history(text("channel"), text("ts"), text("oldest"))
            }
            "users.conversations" | "conversations.list" => self.list(),
            "auth.test" => {
                json!({ "ok": true, "user_id": BOT, "team_id": "T1", "team": "Simulated", "url": "https://s.example/" })
            }
            "conversations.setTopic" | "conversations.invite" if !self.channels.contains_key(text("channel")) => {
                refused("channel_not_found")
            }
            "conversations.setTopic" | "conversations.invite" | "pins.add" => json!({ "ok": true }),
            other => panic!("the simulated Slack does not know {other}"),
        }
    }

    /// Where a post goes; a person's id stands for the direct messages with them.
    fn place(&mut self, to: &str) -> Option<String> {
        if to.starts_with('U') { self.direct(to) } else { self.channels.contains_key(to).then(|| to.to_owned()) }
    }

    fn direct(&mut self, user: &str) -> Option<String> {
        if self.gone.contains(user) {
            return None;
        }
        let id = format!("D{user}");
        self.channels.entry(id.clone()).or_default();
        Some(id)
    }

    fn stamp(&mut self, now_us: i64) -> String {
        self.last_us = now_us.max(self.last_us + 1);
        format!("{}.{:06}", self.last_us / 1_000_000, self.last_us % 1_000_000)
    }

    /// Takes a message; or only says so.
    pub(super) fn post(&mut self, args: &Value, now_us: i64, really: bool) -> Value {
        let to = args.get("channel").and_then(Value::as_str).unwrap_or_default();
        let Some(channel) = self.place(to) else {
            return refused(if to.starts_with('U') { "user_not_found" } else { "channel_not_found" });
        };
        let ts = self.stamp(now_us);
        let accepted = marks(args).into_iter().map(|mark| Accepted { channel: channel.clone(), ts: ts.clone(), mark });
        let thread_ts = args.get("thread_ts").and_then(Value::as_str).map(str::to_owned);
        let payload = args.pointer("/metadata/event_payload").cloned().unwrap_or(Value::Null);
        let (text, blocks) = shown(args);
        let post = Post { ts: ts.clone(), thread_ts, payload, text, blocks, overtaken: false };
        if really {
            self.ledger.extend(accepted);
            self.channels.entry(channel.clone()).or_default().messages.push(post);
        } else {
            self.lies.extend(accepted);
            self.never_read.insert(post.sum(&channel));
        }
        json!({ "ok": true, "channel": channel, "ts": ts })
    }

    fn create(&mut self, name: &str, now_s: i64, private: bool) -> Value {
        if self.channels.values().any(|channel| channel.name == name) {
            return refused("name_taken");
        }
        self.made += 1;
        let id = format!("CMADE{}", self.made);
        self.channels
            .insert(id.clone(), Channel { name: name.to_owned(), created_s: now_s, private, messages: Vec::new() });
        let channel = self.shown(&id);
        json!({ "ok": true, "channel": channel })
    }

    fn shown(&self, id: &str) -> Value {
        let channel = &self.channels[id];
        json!({
            "id": id, "name": channel.name, "created": channel.created_s, "creator": BOT, "is_member": true,
            "is_archived": false, "is_private": false,
        })
    }

    /// The channels that Firebell has made.
    fn list(&self) -> Value {
        let ours = self.channels.keys().filter(|id| id.starts_with("CMADE"));
        json!({ "ok": true, "channels": ours.map(|id| self.shown(id)).collect::<Vec<_>>() })
    }

    fn history(&self, channel: &str, thread: &str, oldest: &str) -> Value {
        let Some(found) = self.channels.get(channel) else { return refused("channel_not_found") };
        let of = |ts: &str| ts.parse::<f64>().unwrap_or_default();
        let shown = found.messages.iter().rev().filter(|post| {
            of(&post.ts) >= of(oldest)
                && if thread.is_empty() { post.thread_ts.is_none() } else { post.thread_ts.as_deref() == Some(thread) }
        });
        let messages: Vec<Value> = shown
            .map(|post| {
                json!({
                    "ts": post.ts, "user": BOT, "text": "",
                    "metadata": { "event_type": "firebell_effect", "event_payload": post.payload },
                })
            })
            .collect();
        json!({ "ok": true, "messages": messages })
    }

    fn find_mut(&mut self, channel: &str, ts: &str) -> Option<&mut Post> {
        self.channels.get_mut(channel)?.messages.iter_mut().find(|post| post.ts == ts)
    }

    /// An edit has come after its caller had given it up.
    pub(super) fn is_overtaken(&mut self, args: &Value) {
        let text = |key: &str| args.get(key).and_then(Value::as_str).unwrap_or_default();
        if let Some(post) = self.find_mut(text("channel"), text("ts")) {
            post.overtaken = true;
        }
    }

    /// What all messages say, as Firebell sums it up; also those that were said to have been taken.
    pub(super) fn sums(&self) -> BTreeSet<String> {
        let all = self.channels.iter().flat_map(|(id, channel)| channel.messages.iter().map(|post| post.sum(id)));
        all.chain(self.never_read.iter().cloned()).collect()
    }

    /// Whether a message asks to be answered; `None` if nobody can say what it should read.
    pub(super) fn asks_to_be_answered(&self, message: &MessageRef) -> Option<bool> {
        let posts = &self.channels.get(message.channel.as_str())?.messages;
        let post = posts.iter().find(|post| post.ts == message.ts.as_str()).filter(|post| !post.overtaken)?;
        Some(post.blocks.to_string().contains("acknowledge"))
    }

    /// The channels that were made for the incident with this number.
    pub(super) fn channels_of(&self, number: i64) -> usize {
        let plain = format!("inc-{number}");
        let of = |name: &str| name == plain || name.starts_with(&format!("{plain}-"));
        self.channels.iter().filter(|(id, channel)| id.starts_with("CMADE") && of(&channel.name)).count()
    }
}
