//! Every measurement there is, once: its name, its labels, and what it says. The table in docs/METRICS.md, the rules and the
//! dashboard under `deploy` are held to this list by tests.

use std::fmt::Write as _;

use super::cells::{Bounds, By, Counter, Gauge, Histogram, Info, Samples};
use super::labels::{Check, Code, Delivery, Late, Missed, Outcome, Pulse, Sender, Sent, State, Tier, Turned};
use crate::domain::effect::Lane;
use crate::slack::limits::Method;

/// From a page's due time; the promise is one second.
#[derive(Debug)]
pub struct Lateness;
/// How long people take.
#[derive(Debug)]
pub struct Patience;
/// How long our own work and Slack's calls take.
#[derive(Debug)]
pub struct Work;

impl Bounds for Lateness {
    const SECONDS: &'static [f64] = &[0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0];
}

impl Bounds for Patience {
    const SECONDS: &'static [f64] = &[10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0];
}

impl Bounds for Work {
    const SECONDS: &'static [f64] = &[0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0];
}

/// What the documentation says of a family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    pub name: &'static str,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    pub labels: Vec<&'static str>,
    pub help: &'static str,
}

struct Family<'a> {
    name: &'static str,
    help: &'static str,
    samples: &'a dyn Samples,
}

macro_rules! registry {
    ($($field:ident: $labels:ty => $cell:ty, $name:literal, $help:literal;)+) => {
        /// The measurements of one program.
        #[derive(Default)]
        pub struct Registry {
            $(#[doc = $help] pub $field: By<$labels, $cell>,)+
        }

        impl Registry {
            fn families(&self) -> Vec<Family<'_>> {
                vec![$(Family { name: concat!("firebell_", $name), help: $help, samples: &self.$field },)+]
            }
        }
    };
}

registry! {
    build: () => Info, "build_info", "Always 1: the version of Firebell and what its database is.";

    page_lateness: (Sent, Tier, Late) => Histogram<Lateness>, "page_lateness_seconds",
        "From a page's due time to its first attempt. catch_up is yes where its whole tier began late, as after a standstill.";
    page_first_accept: (Sent,) => Histogram<Lateness>, "page_first_accept_seconds",
        "From a page's due time to its acceptance by Slack.";
    ack: () => Histogram<Patience>, "ack_seconds", "From the call of a team to the first acknowledgement.";
    oldest_unattempted: () => Gauge, "oldest_unattempted_page_seconds",
        "How long the oldest page is overdue that nobody has tried to send, or the oldest step of a call that has not begun; 0 without any.";
    oldest_unaccepted: () => Gauge, "oldest_unaccepted_page_seconds",
        "How long the oldest page is overdue that is still wanted and was not accepted; 0 without any.";
    page_attempts: (Sent, Outcome) => Counter, "page_attempts_total",
        "Attempts to page, by how they ended. fenced: another worker had taken the page over.";
    duplicates_suspected: () => Counter, "page_duplicates_suspected_total",
        "Pages sent again because nobody knew whether the attempt before had gone out.";
    outcome_unknown: () => Counter, "page_outcome_unknown_total", "Attempts to page of which nobody knows whether they went out.";
    fallback_used: () => Counter, "fallback_used_total", "Calls in which the fallback was paged.";
    exhausted: () => Counter, "escalation_exhausted_total", "Calls that nobody answered in any round.";
    tier_empty: () => Counter, "tier_empty_total", "Tiers that were skipped because nobody in them could be paged.";
    calls_held: () => Gauge, "calls_on_hold",
        "Calls that were due so long ago that nobody is paged before somebody says so, at the auditor's last round.";
    late_catchup: () => Counter, "late_catchup_total", "Tiers that began more than a second after their time.";

    outbox_depth: (Lane, State) => Gauge, "outbox_depth", "Effects that wait, that are being performed, and that were given up.";
    outbox_oldest: (Lane,) => Gauge, "outbox_oldest_seconds", "How long ago the oldest effect was put in that is not done; 0 without any.";
    outbox_dead: (Lane,) => Counter, "outbox_dead_total", "Effects that were given up.";
    lease_takeovers: () => Counter, "lease_takeovers_total", "Effects taken over from a worker that did not report in time.";
    fence_rejects: () => Counter, "fence_rejects_total", "Reports that came after another worker had taken the effect over.";

    scheduler_last_ok: () => Gauge, "scheduler_last_ok_timestamp_seconds", "When the timers were last looked through without an error.";
    scheduler_tick: () => Histogram<Work>, "scheduler_tick_seconds", "How long looking through the timers and firing them took.";
    timers: () => Gauge, "timers", "Timers that are set.";
    clock_jumps: () => Counter, "clock_jumps_total", "How often the machine's clock was set by more than a second.";
    clock_jump: () => Gauge, "clock_jump_seconds", "By how much the machine's clock was set the last time.";
    clock_db_skew: () => Gauge, "clock_db_skew_seconds", "How far the database's clock is ahead of this machine's; 0 with SQLite.";

    slack_requests: (Method, Code) => Counter, "slack_requests_total", "Calls of Slack's methods, by what Slack made of them.";
    slack_latency: (Method,) => Histogram<Work>, "slack_latency_seconds", "How long calls of Slack's methods took.";
    slack_retry_after: () => Gauge, "slack_retry_after_seconds", "The pause that Slack asked for the last time it asked for one.";
    slack_last_success: () => Gauge, "slack_last_success_timestamp_seconds", "When Slack last said yes to a call.";
    slack_token_refused: () => Gauge, "slack_token_refused", "1 while Slack refuses the bot's token.";
    slack_last_received: () => Gauge, "slack_events_last_received_timestamp_seconds", "When Slack last delivered something.";
    slack_connections: () => Gauge, "slack_connections", "Open connections of Socket Mode; 0 over HTTP.";
    slack_foreign_connections: () => Gauge, "slack_foreign_connections",
        "Connections of Socket Mode that another program holds with the same app-level token; 0 over HTTP and with PostgreSQL.";
    ingress: (Delivery,) => Histogram<Work>, "ingress_handle_seconds", "How long a delivery took until it was kept and answered; Slack waits 3 s.";
    ingress_repeated: (Sender,) => Counter, "ingress_dedup_hits_total", "Deliveries that had come before and changed nothing.";
    signature_failures: (Turned,) => Counter, "signature_failures_total", "Requests that were not taken for Slack's.";

    db_up: () => Gauge, "db_up", "Whether the database answered when these figures were last taken.";
    db_tx: () => Histogram<Work>, "db_tx_seconds", "How long a writing transaction took, from its begin to its commit.";
    db_missed: (Missed,) => Counter, "db_failures_total", "Writing transactions that came to nothing; raced ones were begun anew.";
    db_full: () => Gauge, "db_full", "1 while the disk of the database is full: commands and alerts are refused, and pages that are due cannot be claimed.";
    db_read_only: () => Gauge, "db_read_only", "1 while the database can only be read: commands and alerts are refused, and pages that are due cannot be claimed.";
    db_size: () => Gauge, "db_size_bytes", "How large the database's file is; 0 with PostgreSQL.";
    wal_size: () => Gauge, "wal_bytes", "How large SQLite's write-ahead log is.";
    disk_free: () => Gauge, "disk_free_bytes", "Free space where the database's file is; 0 with PostgreSQL.";

    entries: () => Counter, "timeline_entries_total", "Entries written into histories.";
    chain_last_ok: () => Gauge, "chain_verify_last_ok_timestamp_seconds", "When the histories of all open incidents were last found as they were written.";
    chain_failures: () => Counter, "chain_verify_failures_total", "Histories found not to be as they were written.";
    audit_findings: (Check,) => Gauge, "audit_findings", "What the auditor found at its last round; anything but 0 is a mistake in Firebell.";
    audit_last_ok: () => Gauge, "audit_last_ok_timestamp_seconds", "When the auditor last made its round.";

    self_test_last_ok: () => Gauge, "self_test_last_ok_timestamp_seconds", "When a page to nobody last went through the whole path.";
    self_test: () => Histogram<Work>, "self_test_seconds", "How long a page to nobody took through the whole path.";
    test_page_failed: () => Gauge, "test_page_failed", "1 while the last test page in Slack did not go through.";
    test_page_last_ok: () => Gauge, "test_page_last_ok_timestamp_seconds", "When a test page last went through Slack.";
    heartbeats: (Pulse,) => Counter, "heartbeats_total", "What became of the heartbeats.";
    heartbeat_last_ok: () => Gauge, "heartbeat_last_ok_timestamp_seconds", "When the heartbeat's address last took one.";
}

impl Registry {
    /// All of it as Prometheus reads it.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for Family { name, help, samples } in self.families() {
            let mut lines = String::new();
            samples.write(name, &mut lines);
            if !lines.is_empty() {
                // Writing to a String cannot fail.
                let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {}\n{lines}", samples.kind());
            }
        }
        text
    }
}

/// Every family there is, in order.
pub fn catalogue() -> Vec<Described> {
    let registry = Registry::default();
    let described = |family: Family<'_>| Described {
        name: family.name,
        kind: family.samples.kind(),
        labels: family.samples.labels(),
        help: family.help,
    };
    registry.families().into_iter().map(described).collect()
}
