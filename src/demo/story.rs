//! The story as data: who does what, when, and through which of Slack's ways in.
//!
//! It is the model incident of tests/incidents/00-seed-ecommerce-database.json, told by people. Times are seconds after
//! 3:00 PM in New York on April 2nd, 2023.

use chrono::{DateTime, Utc};

pub const TITLE: &str = "The shop's database is cut off";
/// 2023-04-02 15:00 in New York, in Unix seconds.
const ZERO_S: i64 = 1_680_462_000;
/// When the clock begins, seconds after [`ZERO_S`].
const BEGINS_S: i64 = -60;

pub const ANA: &str = "U0ANA00001";
pub const BEN: &str = "U0BEN00001";
pub const CHRIS: &str = "U0CHRIS001";
pub const DANA: &str = "U0DANA0001";
pub const ELI: &str = "U0ELI00001";
pub const FAY: &str = "U0FAY00001";
pub const MONITOR: &str = "U0MONITOR1";

/// One thing that happens.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// Seconds after 3:00 PM.
    pub at_s: i64,
    pub label: &'static str,
    pub does: Does,
    /// A text that the incident's record holds once this has happened, so that it never happens twice.
    pub trace: Option<&'static str>,
}

impl Step {
    pub fn at(&self) -> DateTime<Utc> {
        instant(self.at_s)
    }
}

/// Where something is said or pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A channel of the workspace, by name.
    Named(&'static str),
    /// The incident's own channel.
    Incident,
    /// The person's direct message with the bot.
    Direct,
}

/// What goes into a field of a form.
#[derive(Clone, Copy, Debug)]
pub enum Answer {
    Text(&'static str),
    Option(&'static str),
    Person(&'static str),
    Day(&'static str),
    /// Seconds after 3:00 PM.
    Moment(i64),
}

#[derive(Clone, Copy, Debug)]
pub enum Does {
    /// The monitoring system calls the alert webhook.
    Alerts,
    /// Writes a message.
    Says { who: &'static str, place: Place, text: &'static str },
    /// Answers the message that begins with `to` in its thread.
    Replies { who: &'static str, place: Place, to: &'static str, text: &'static str },
    /// Types a slash command.
    Types { who: &'static str, place: Place, line: &'static str },
    /// Presses the newest button that asks for this; a form that opens is filled in and sent.
    Presses { who: &'static str, place: Place, button: &'static str, form: &'static [(&'static str, Answer)] },
    /// Puts an emoji on the message that begins with `to`.
    Reacts { who: &'static str, place: Place, to: &'static str, name: &'static str },
    /// Uses the shortcut "Add to timeline" on the message that begins with `to`.
    Keeps { who: &'static str, place: Place, to: &'static str },
    /// Looks at the App Home.
    OpensHome { who: &'static str },
    /// Nobody does anything; something happens by itself.
    Nothing,
}

pub fn begins_at() -> DateTime<Utc> {
    instant(BEGINS_S)
}

pub fn instant(at_s: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(ZERO_S + at_s, 0).unwrap_or_default()
}

const fn step(minute: i64, second: i64, label: &'static str, does: Does, trace: Option<&'static str>) -> Step {
    Step { at_s: minute * 60 + second, label, does, trace }
}

const fn says(
    minute: i64,
    second: i64,
    who: &'static str,
    place: Place,
    label: &'static str,
    text: &'static str,
) -> Step {
    step(minute, second, label, Does::Says { who, place, text }, None)
}

const SHOP: Place = Place::Named("shop-ops");
const HERE: Place = Place::Incident;

pub const ALERT_TITLE: &str = "Website response time is high";
pub const ALERT_TEXT: &str = "A monitoring alert fired: the website's response time had risen sharply";
const SUSPECT: &str = "First suspect: the frontend code. Web server logs reviewed for errors";
const LOGS_CLEAN: &str = "Logs clean. Attention moved to the database server; a connectivity fault was seen";
const RESTARTED: &str = "Database server restarted and network settings checked; the fault remained";
const CORRECTED: &str = "Database team found wrong network settings in the database cluster and corrected them";
const RESTORED: &str = "Website fully restored; users could browse and check out again";
const DEV_REASON: &str = "The shop is very slow and checkouts fail";
const DB_REASON: &str = "The web server loses its connection to the database; a restart did not help";
const FINAL_TITLE: &str = "E-commerce store outage caused by a database connectivity issue";

/// Everything that happens, in order.
pub const STEPS: &[Step] = &[
    says(0, -45, FAY, SHOP, "Fay greets the shop's channel", "Good afternoon. 312 orders so far today, a good Sunday."),
    says(
        0,
        0,
        MONITOR,
        Place::Named("alerts"),
        "Monitoring writes to #alerts",
        ":red_circle: FIRING: website response time 8.4 s (limit 1 s), shop-web, since 3:00 PM",
    ),
    step(0, 1, "Monitoring calls Firebell's webhook: an incident and its channel open", Does::Alerts, Some(ALERT_TEXT)),
    says(
        0,
        40,
        FAY,
        SHOP,
        "Fay sees it too",
        "The shop takes forever to load, and the support line is ringing. Does anybody know more?",
    ),
    step(
        1,
        15,
        "Ana presses Join in #incidents",
        Does::Presses { who: ANA, place: Place::Named("incidents"), button: "join", form: &[] },
        None,
    ),
    step(
        2,
        0,
        "Ana presses “I'll lead”",
        Does::Presses { who: ANA, place: HERE, button: "take_role", form: &[] },
        Some("\"commander\""),
    ),
    says(2, 30, ANA, HERE, "Ana says what she sees", "I see time-outs on every third page. Calling the developers."),
    step(
        3,
        15,
        "Fay presses Join in #incidents",
        Does::Presses { who: FAY, place: Place::Named("incidents"), button: "join", form: &[] },
        None,
    ),
    says(3, 50, FAY, HERE, "Fay joins in", "Support here: about 20 calls in three minutes, all “cannot check out”."),
    step(
        5,
        0,
        "Ana types /escalate dev-team: Ben is paged",
        Does::Types { who: ANA, place: HERE, line: "/escalate dev-team The shop is very slow and checkouts fail" },
        Some(DEV_REASON),
    ),
    says(7, 20, ANA, HERE, "Ana waits for Ben", "Ben is paged. While we wait: nothing was deployed since Friday."),
    step(10, 15, "Ben has not answered for 5 minutes: the timer pages Chris", Does::Nothing, None),
    step(
        11,
        30,
        "Chris presses “I've got it” on his page",
        Does::Presses { who: CHRIS, place: Place::Direct, button: "acknowledge", form: &[] },
        None,
    ),
    says(12, 20, CHRIS, HERE, "Chris begins", "On it. I start with the web servers."),
    says(15, 0, CHRIS, HERE, "Chris reports his first suspicion", SUSPECT),
    step(
        15,
        40,
        "Ana puts :memo: on his message: it is in the timeline",
        Does::Reacts { who: ANA, place: HERE, to: SUSPECT, name: "memo" },
        Some(SUSPECT),
    ),
    step(
        19,
        0,
        "Ana presses Update on the card",
        Does::Presses {
            who: ANA,
            place: HERE,
            button: "update_form",
            form: &[(
                "text",
                Answer::Text("About 30% of users cannot open the shop or check out. Chris looks at the web servers"),
            )],
        },
        Some("Chris looks at the web servers"),
    ),
    says(
        22,
        30,
        FAY,
        SHOP,
        "Fay tells the shop's channel",
        "We tell callers to try again at 5. The incident channel has the details.",
    ),
    says(
        26,
        0,
        ELI,
        Place::Named("general"),
        "Eli asks in #general",
        "Is the shop down for everybody, or is it my hotel?",
    ),
    step(
        27,
        0,
        "Fay answers in a thread",
        Does::Replies {
            who: FAY,
            place: Place::Named("general"),
            to: "Is the shop down",
            text: "For about a third of the users. #incidents has it.",
        },
        None,
    ),
    says(30, 0, CHRIS, HERE, "Chris rules the frontend out", LOGS_CLEAN),
    step(
        30,
        40,
        "Ana uses the shortcut “Add to timeline” on it",
        Does::Keeps { who: ANA, place: HERE, to: LOGS_CLEAN },
        Some(LOGS_CLEAN),
    ),
    says(
        36,
        0,
        CHRIS,
        HERE,
        "Chris prepares a restart",
        "I restart the database server at a quiet moment, in about ten minutes.",
    ),
    says(40, 30, FAY, HERE, "Fay counts", "Support: 64 open tickets. The first customers ask for refunds."),
    step(
        45,
        0,
        "Chris types /incident action: the restart did not help",
        Does::Types {
            who: CHRIS,
            place: HERE,
            line: "/incident action now: Database server restarted and network settings checked; the fault remained",
        },
        Some(RESTARTED),
    ),
    says(49, 0, FAY, HERE, "Fay sees no change", "No change for customers."),
    step(
        53,
        0,
        "Ana types /incident update",
        Does::Types {
            who: ANA,
            place: HERE,
            line: "/incident update The restart did not help. Checkouts still fail for 30% of users. We look for the cause \
                   between web server and database",
        },
        Some("between web server and database"),
    ),
    says(
        59,
        0,
        CHRIS,
        HERE,
        "Chris keeps looking",
        "Every third connection to the database is refused. The server itself is healthy.",
    ),
    says(
        66,
        0,
        ELI,
        Place::Named("general"),
        "Eli follows along",
        "Still slow from here. I am at the airport, back online tonight.",
    ),
    says(
        71,
        0,
        ANA,
        HERE,
        "Ana asks for help",
        "Then this is beyond the web servers. Chris, please call the database team.",
    ),
    step(
        75,
        0,
        "Chris presses Escalate and chooses the Database team: Dana is paged",
        Does::Presses {
            who: CHRIS,
            place: HERE,
            button: "escalate_form",
            form: &[("team", Answer::Option("db-team")), ("reason", Answer::Text(DB_REASON))],
        },
        Some(DB_REASON),
    ),
    step(
        78,
        0,
        "Dana presses “I've got it” on her page",
        Does::Presses { who: DANA, place: Place::Direct, button: "acknowledge", form: &[] },
        None,
    ),
    says(79, 30, DANA, HERE, "Dana begins", "Reading the network settings of the cluster."),
    says(
        85,
        0,
        DANA,
        HERE,
        "Dana has a trace",
        "Two of the three nodes answer on the wrong network. Correcting it now.",
    ),
    step(
        90,
        10,
        "Dana types /incident action: the settings are corrected",
        Does::Types {
            who: DANA,
            place: HERE,
            line: "/incident action team=db-team now: Database team found wrong network settings in the database cluster \
                   and corrected them",
        },
        Some(CORRECTED),
    ),
    says(
        95,
        0,
        FAY,
        HERE,
        "Fay sees the first orders",
        "Orders come in again! The first customers say that checkout works.",
    ),
    step(
        99,
        0,
        "Ana gives the incident its real name",
        Does::Types {
            who: ANA,
            place: HERE,
            line: "/incident title E-commerce store outage caused by a database connectivity issue",
        },
        Some(FINAL_TITLE),
    ),
    says(105, 0, ANA, HERE, "Ana watches", "Response time is back to 0.6 s. We watch it until five."),
    says(
        112,
        0,
        MONITOR,
        Place::Named("alerts"),
        "Monitoring writes to #alerts",
        ":large_green_circle: OK: website response time 0.6 s (limit 1 s), shop-web",
    ),
    step(
        120,
        0,
        "Ana types /incident update: the website is restored",
        Does::Types {
            who: ANA,
            place: HERE,
            line: "/incident update Website fully restored; users could browse and check out again",
        },
        Some(RESTORED),
    ),
    step(
        120,
        0,
        "Ana presses Resolve and answers the questions",
        Does::Presses {
            who: ANA,
            place: HERE,
            button: "resolve_form",
            form: &[
                ("affected", Answer::Text("30% of users")),
                (
                    "affected_detail",
                    Answer::Text(
                        "Users could not open the shop or complete a purchase, which cost revenue and reputation",
                    ),
                ),
                (
                    "root_cause",
                    Answer::Text(
                        "Wrong network settings in the database cluster cut the connection between web server and database",
                    ),
                ),
                ("resolution", Answer::Text("The database team corrected the cluster's network settings")),
                ("impact_start", Answer::Moment(0)),
            ],
        },
        Some("\"resolved\""),
    ),
    step(
        123,
        0,
        "Ana presses “Complete the postmortem” and fills in what is left",
        Does::Presses {
            who: ANA,
            place: HERE,
            button: "postmortem_form",
            form: &[
                (
                    "impact",
                    Answer::Text(
                        "30% of users could not open the shop or complete a purchase; revenue and reputation suffered",
                    ),
                ),
                ("impact_kind", Answer::Option("outage")),
                ("service", Answer::Text("the website of an e-commerce store")),
                ("detected_by", Answer::Text("monitoring")),
                ("impact_start", Answer::Moment(0)),
                ("impact_end", Answer::Moment(7200)),
                (
                    "measures",
                    Answer::Text(
                        "Review the database cluster's network settings\nMonitor and alert on database connectivity\n\
                         Write a disaster recovery plan\nReview infrastructure and configuration regularly",
                    ),
                ),
            ],
        },
        Some("Write a disaster recovery plan"),
    ),
    step(
        125,
        0,
        "Ana presses “Add task”",
        Does::Presses {
            who: ANA,
            place: HERE,
            button: "task_form",
            form: &[
                ("text", Answer::Text("Review and correct the database cluster's network settings")),
                ("owner", Answer::Person(DANA)),
                ("due", Answer::Day("2023-04-07")),
            ],
        },
        Some("Review and correct the database cluster's network settings"),
    ),
    step(
        126,
        0,
        "Dana types /incident task",
        Does::Types {
            who: DANA,
            place: HERE,
            line: "/incident task @dana due 2023-04-14 Add monitoring and alerts for database connectivity",
        },
        Some("Add monitoring and alerts for database connectivity"),
    ),
    step(
        126,
        30,
        "Chris types /incident task",
        Does::Types {
            who: CHRIS,
            place: HERE,
            line: "/incident task @eli due 2023-04-28 Write and adopt a disaster recovery plan",
        },
        Some("Write and adopt a disaster recovery plan"),
    ),
    step(
        127,
        0,
        "Fay types /incident task",
        Does::Types {
            who: FAY,
            place: HERE,
            line: "/incident task @ana due 2023-04-21 Schedule regular infrastructure reviews",
        },
        Some("Schedule regular infrastructure reviews"),
    ),
    says(
        128,
        0,
        FAY,
        SHOP,
        "Fay gives the all-clear",
        "The shop is back. Thank you all; the postmortem is on the incident page.",
    ),
    says(128, 30, ANA, HERE, "Ana closes", "Closed for today. Please read the draft; we go through it on Wednesday."),
    step(129, 0, "Ana looks at her App Home", Does::OpensHome { who: ANA }, None),
    step(
        130,
        0,
        "The postmortem is there: as a page, Markdown and JSON",
        Does::Types { who: ANA, place: HERE, line: "/incident postmortem" },
        None,
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_story_is_told_in_order() {
        assert!(STEPS.is_sorted_by_key(|step| step.at_s));
        assert!(STEPS.iter().all(|step| step.at() > begins_at()));
    }

    #[test]
    fn nothing_that_changes_the_record_happens_twice() {
        for step in STEPS {
            let changes = matches!(step.does, Does::Alerts | Does::Reacts { .. } | Does::Keeps { .. });
            assert!(!changes || step.trace.is_some(), "{}", step.label);
        }
    }
}
