//! How the promise stands: what the running program says of itself, the hash chains, the room on the disk.

use super::findings::Paper;
use super::{Area, Chains, Facts, Figures, Told};

/// With less room than this an incident with its history may not fit, bytes.
const ROOM_PROBLEM: u64 = 50 << 20;
/// With less than this somebody should look soon, bytes.
const ROOM_WARNING: u64 = 1 << 30;
/// A self-test older than this is none, seconds.
const SELF_TEST_OLD_S: f64 = 3_700.0;

pub(super) fn guarantee(facts: &Facts, paper: &mut Paper) {
    match &facts.running {
        Told::NotAsked => {}
        Told::No(why) => paper.warning(
            Area::Guarantee,
            format!("The metrics cannot be read: {why}."),
            "Is Firebell running, with the same [metrics] as here?",
        ),
        Told::Yes(figures) => running(facts, figures, paper),
    }
    let Told::Yes(database) = &facts.database else { return };
    match database.chains {
        None | Some(Chains { checked: 0, .. }) => {}
        Some(Chains { checked, broken: 0 }) => {
            let histories = if checked == 1 { "The history of the newest incident is" } else { "Histories are" };
            paper.ok(Area::Guarantee, format!("{histories} as written: {checked} of {checked} chains hold."));
        }
        Some(Chains { checked, broken }) => paper.problem(
            Area::Guarantee,
            format!("{broken} of the {checked} newest histories are not as they were written."),
            "Keep a copy of the database; `firebell verify` names the entries.",
        ),
    }
    if let Some(free) = database.disk_free {
        let free_mb = free >> 20;
        let sentence = format!("{free_mb} MB are free beside the database.");
        let remedy = "Make room, or move the database to a larger disk.";
        match free {
            ..ROOM_PROBLEM => paper.problem(Area::Guarantee, sentence, remedy),
            ROOM_PROBLEM..ROOM_WARNING => paper.warning(Area::Guarantee, sentence, remedy),
            ROOM_WARNING.. => paper.ok(Area::Guarantee, sentence),
        }
    }
}

fn running(facts: &Facts, figures: &Figures, paper: &mut Paper) {
    let area = Area::Guarantee;
    let pages = figures.pages;
    match (pages, figures.lateness_p99_s) {
        (0, _) => paper.ok(area, "Firebell runs; it has not paged anybody since its start."),
        (_, Some(bound)) if bound <= 1.0 => {
            paper.ok(
                area,
                format!("99 of 100 pages were attempted within {bound} s of their time ({pages} since its start)."),
            );
        }
        (_, bound) => {
            let bound = bound.map_or_else(|| "more than five minutes".to_owned(), |bound| format!("up to {bound} s"));
            paper.warning(
                area,
                format!("Of {pages} pages since its start more than 1 in 100 came late, {bound}."),
                "After a standstill that is the catch-up. Otherwise the machine or its disk is too slow: see \
                 firebell_db_tx_seconds.",
            );
        }
    }
    let overdue = figures.unattempted_s.max(figures.unaccepted_s);
    if overdue > 10.0 {
        paper.problem(
            area,
            format!("A page is {overdue:.0} s overdue at this moment."),
            "`/readyz` and the log of the running program say why.",
        );
    }
    if figures.foreign_connections > 0.0 {
        paper.problem(
            area,
            "Another program uses the same app-level token, and part of all commands and buttons goes there.",
            "Stop the other one, or give it a Slack app of its own (`firebell manifest`).",
        );
    }
    if figures.disk_full {
        paper.problem(
            area,
            "The disk of the database is full: commands and alerts are refused, and pages that are due cannot go out.",
            "Make room; Firebell then goes on by itself.",
        );
    }
    if figures.read_only {
        paper.problem(
            area,
            "The database can only be read: commands and alerts are refused, and pages that are due cannot go out.",
            "Make it writable; Firebell then goes on by itself.",
        );
    }
    if figures.audit_findings > 0.0 {
        paper.problem(area, "The auditor found calls that nobody takes further.", "Restart Firebell, and report this.");
    }
    if figures.calls_held > 0.0 {
        paper.warning(
            area,
            format!(
                "Calls on hold: {}. They were due so long ago that nobody is paged before somebody says so.",
                figures.calls_held
            ),
            "`/incident list` shows them; each incident's channel has the question: page now, or end the call.",
        );
    }
    let age_s = |at_s: f64| crate::metrics::unix_seconds(facts.now) - at_s;
    if figures.self_test_ok_at_s > 0.0 && age_s(figures.self_test_ok_at_s) < SELF_TEST_OLD_S {
        let age_s = age_s(figures.self_test_ok_at_s).max(0.0);
        paper.ok(area, format!("A page to nobody went the whole way {age_s:.0} s ago."));
    } else {
        paper.problem(
            area,
            "No page to nobody, which is sent as a test, has gone the whole way lately.",
            "The log of the running program says why.",
        );
    }
    if figures.clock_jumps > 0.0 {
        paper.warning(
            area,
            format!("The machine's clock was set {} times since Firebell started.", figures.clock_jumps),
            "Let it follow a time server that slews (chrony or systemd-timesyncd).",
        );
    }
}
