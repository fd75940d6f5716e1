//! The powers over a running sandbox, once for programs ([`Control`]) and once more for the page (`/_control`).
//!
//! The routes only translate; everything is done by [`Control`].

mod routes;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio::sync::broadcast;

pub(crate) use routes::{is_own_name, only_from_here, router};

use super::delivery::{self, Delivery};
use super::faults::Fault;
use super::fixture::Workspace;
use super::hub::Hub;
use super::journal::Entry;
use super::live::{Change, ChangeKind};
use super::people::{self, Act, Refusal};
use super::state::{ChannelKind, ts_text};
use crate::clock::Clock;

/// A handle on a running sandbox: act as its people, look into it, make it misbehave. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Control {
    hub: Arc<Hub>,
}

impl Control {
    pub(crate) fn new(hub: Arc<Hub>) -> Self {
        Self { hub }
    }

    /// The clock that this workspace lives by.
    pub fn clock(&self) -> &Clock {
        &self.hub.clock
    }

    /// Does something as the person with the id `who`; the answer is an object. A refusal is a sentence for that person.
    pub async fn act(&self, who: &str, act: Act) -> Result<Value, Refusal> {
        people::act(&self.hub, who, act).await
    }

    /// The workspace as `who` sees it.
    pub fn state(&self, who: &str) -> Value {
        self.hub.with(|live| live.state_for(who, &self.hub.clock))
    }

    /// The newest `limit` messages of a channel (by id) before the ts `before`, oldest first, ephemeral ones of `who`
    /// among them; `None` if `who` sees no such channel.
    pub fn messages(&self, who: &str, channel: &str, limit: usize, before: Option<&str>) -> Option<Value> {
        self.hub.with(|live| live.messages_for(who, channel, limit, before))
    }

    /// A thread, parent first.
    pub fn thread(&self, who: &str, channel: &str, ts: &str) -> Option<Value> {
        self.hub.with(|live| live.thread_for(who, channel, ts))
    }

    /// The open modals of `who`, top last, under `stack`.
    pub fn views(&self, who: &str) -> Value {
        self.hub.with(|live| live.views_for(who))
    }

    /// The home tab of `who`, under `view`.
    pub fn home(&self, who: &str) -> Value {
        self.hub.with(|live| live.home_for(who))
    }

    /// The id of the channel with this name (without `#`), whoever may see it.
    pub fn find_channel(&self, name: &str) -> Option<String> {
        self.hub.with(|live| live.state.find_channel_named(name).map(|channel| channel.id.clone()))
    }

    /// The id of the person with this handle (without `@`).
    pub fn find_user(&self, name: &str) -> Option<String> {
        self.hub.with(|live| live.state.users.iter().find(|user| user.name == name).map(|user| user.id.clone()))
    }

    /// The id of the direct message between two people (by id), if it was ever opened.
    pub fn find_direct(&self, one: &str, other: &str) -> Option<String> {
        let people = [one.to_owned(), other.to_owned()];
        self.hub.with(|live| {
            live.state.find_direct(&people).filter(|found| found.kind == ChannelKind::Im).map(|found| found.id.clone())
        })
    }

    /// Exchanges after number `since`, oldest first, and the number to ask with next.
    pub fn journal(&self, since: u64, limit: usize) -> (Vec<Entry>, u64) {
        self.hub.with(|live| live.journal.page(since, limit))
    }

    /// What a strict reader did not like about the app's calls and answers: unknown arguments, ignored bodies and the
    /// like. A test of an app wants none.
    pub fn complaints(&self) -> Vec<String> {
        self.hub.with(|live| live.journal.complaints())
    }

    /// How many calls were refused for their rate since the start.
    pub fn rate_limited(&self) -> u64 {
        self.hub.with(|live| live.limits.refused)
    }

    /// Switches the emulation of rate limits on or off.
    pub fn set_rate_limits(&self, on: bool) {
        self.hub.with(|live| live.rate_limits = on);
    }

    /// Orders a mishap.
    pub fn add_fault(&self, fault: Fault) {
        self.hub.with(|live| live.faults.add(fault));
    }

    /// Takes all ordered mishaps back.
    pub fn clear_faults(&self) {
        self.hub.with(|live| live.faults.clear());
    }

    /// The ordered mishaps.
    pub fn faults(&self) -> Vec<Fault> {
        self.hub.with(|live| live.faults.list())
    }

    /// How the app is reached from now on; events are switched on again if too many had failed.
    pub fn set_delivery(&self, delivery: Delivery) {
        self.hub.desk.set_mode(delivery);
    }

    /// Asks the app's events address to echo a challenge, as Slack does when an address is entered. False if it did not.
    pub async fn verify_events_url(&self) -> bool {
        delivery::verify(&self.hub).await
    }

    /// Returns when no delivery is under way; retries that wait for the clock do not count.
    pub async fn settle(&self) {
        self.hub.desk.settle(&self.hub.clock).await;
    }

    /// How many deliveries wait for the clock.
    pub fn waiting_deliveries(&self) -> usize {
        self.hub.desk.waiting()
    }

    /// Whether events are switched off because nearly all deliveries of an hour failed.
    pub fn events_switched_off(&self) -> bool {
        self.hub.desk.events_switched_off()
    }

    /// How many Socket Mode connections are open.
    pub fn sockets(&self) -> usize {
        self.hub.sockets.count()
    }

    /// Asks Socket Mode connections to reconnect: a warning, or at once.
    pub fn refresh_sockets(&self, warning: bool) {
        self.hub.sockets.refresh(warning);
    }

    /// Switches Socket Mode off (`link_disabled`) or on.
    pub fn set_link_disabled(&self, disabled: bool) {
        self.hub.sockets.set_disabled(disabled);
    }

    /// Sets a manual clock; false if the clock is another one.
    pub fn set_clock(&self, at: DateTime<Utc>) -> bool {
        let manual = matches!(self.hub.clock, Clock::Manual(_));
        if manual {
            self.hub.clock.set(at);
            self.hub.with(|live| live.changed(ChangeKind::Clock, None, None));
        }
        manual
    }

    /// Saves the workspace now, if it is kept at all.
    pub async fn save(&self) -> anyhow::Result<()> {
        super::persist::save(&self.hub).await
    }

    /// Begins anew with `workspace`: everything said and done so far is forgotten. Deliveries should be off.
    pub fn start_over(&self, workspace: Workspace) {
        self.hub.with(|live| {
            live.state = workspace.into_state(live.now.timestamp());
            live.limits = super::ratelimit::Limits::default();
            for kind in [ChangeKind::Users, ChangeKind::Channel, ChangeKind::Views, ChangeKind::Home] {
                live.changed(kind, None, None);
            }
        });
    }

    /// Tells the pages that the clock's speed is another one.
    pub fn clock_changed(&self) {
        self.hub.with(|live| live.changed(ChangeKind::Clock, None, None));
    }

    /// News of what changed, for everybody; see [`Change`].
    pub fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.hub.news.subscribe()
    }

    /// The present instant as a message's ts.
    pub fn now_ts(&self) -> String {
        ts_text(self.hub.clock.now().timestamp_micros())
    }

    /// The whole state as it is saved; for tests that compare.
    pub fn export(&self) -> Value {
        self.hub.with(|live| json!(live.state))
    }
}
