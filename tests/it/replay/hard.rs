//! Records made up to be hard: texts that look like commands, orders that are no story, zones that surprise.

use serde_json::{Value, json};

use super::played;

const DETECTED: &str = "Alert: checkout is slow";

fn record(timezone: &str, entries: Value) -> Value {
    json!({
        "title": "Checkout is slow", "timezone": timezone, "impact": "Nobody could pay.", "services": ["checkout"],
        "root_cause": "A bad index.", "resolution": "The index was rebuilt.", "measures": [], "tasks": [],
        "entries": entries,
    })
}

fn entry(at: &str, kind: &str, text: &str) -> Value {
    json!({ "at": at, "kind": kind, "text": text })
}

fn of_team(at: &str, kind: &str, team: &str, text: &str) -> Value {
    json!({ "at": at, "kind": kind, "team": team, "text": text })
}

async fn comes_out(name: &str, recording: &Value) -> Value {
    played(name, recording).await.unwrap_or_else(|wrong| panic!("{wrong}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_is_kept_as_it_is_whatever_it_looks_like() {
    let texts = [
        "She said \"it is down\" and 'left'",
        "\"Quoted as a whole\"",
        "“Curly as a whole”",
        "First line\nsecond line\n\nfourth line",
        "Told @channel and @here, not <everybody>, that a < b > c",
        "@ana told @ben and @dev-team in #incidents",
        "10 min ago somebody deployed",
        "-10m it began",
        "3:15pm restart",
        "team=x was in the text",
        "team=\"Database team\": said so",
        "🔥🚒 replicas on fire :fire: 👩‍💻",
        "שלום, המסד נפל and مرحبا",
        "* not a list, `code`, **bold**, _underlined_, ~struck~, [link](http://x.example/a_b)",
        "<b>bold</b> & \"quoted\" &amp; <script>alert(1)</script>",
        "https://example.com/path_with_underscores?a=1&b=2",
        "help",
        "INC-7 is the same",
        "#42 was similar",
        "now: it works",
        "~now: it works",
        "a: b: c",
        ": a colon in front",
        "– a dash in front",
        "= an equals sign in front",
        "ends with a full stop.",
        "tag=decision: we roll back",
        "decision: we roll back",
        "cause: the index",
        "1. first step",
        "| a | table |",
        "C:\\new\\table 100%",
        "Told <!channel> and <!here|all>",
        "<@U0ANA00001> and <@U0NARRATOR|narrator> in <#C0SHOPOPS1|shop-ops>",
        "<!subteam^S0DEVTEAM1|@dev-team> was typed",
        "see <https://a.example|b> or <mailto:a@b.example>",
        "&amp;lt; &lt;!channel&gt; &#60;",
        "*bold* `code` ```block``` :memo:",
        "\u{202e}right to left\u{202c} and \u{200f}marks",
        "/incident resolve",
        "3:15pm lunch",
        "resolve it",
        "note this",
        "first\n3:15pm second\n/escalate db-team",
        "3:15pm one\n3:20pm two",
    ];
    for kind in ["note", "action"] {
        let mut entries: Vec<Value> = (10..)
            .zip(texts)
            .map(|(minute, text)| entry(&format!("2026-03-02T09:{minute:02}:00Z"), kind, text))
            .collect();
        entries.push(entry("2026-03-02T10:00:00Z", "detected", DETECTED));
        for (minute, text) in (1..).zip(texts) {
            entries.push(entry(&format!("2026-03-02T10:{minute:02}:00Z"), kind, text));
        }
        comes_out(kind, &record("Europe/Berlin", json!(entries))).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_keeps_a_text_that_looks_like_something_else() {
    for text in [
        "10 min ago: it began",
        "team=x did it",
        "\"quoted\" and 5:00 PM",
        "sev1 now",
        "db-team next",
        "@channel \"help\"\nand more",
        "<!channel> <@U0ANA00001> <https://a.example|b> &amp; *b* `c` :memo:",
        "next",
        "ack",
        "why",
        "stop",
        "preview it",
    ] {
        let mut entries = vec![entry("2026-03-02T10:00:00Z", "detected", text)];
        entries.push(entry("2026-03-02T10:01:00Z", "declared", text));
        entries.push(of_team("2026-03-02T10:02:00Z", "escalated", "Database team", text));
        entries.push(of_team("2026-03-02T10:03:00Z", "ack", "Database team", text));
        entries.push(entry("2026-03-02T10:04:00Z", "mitigated", text));
        entries.push(entry("2026-03-02T10:05:00Z", "resolved", text));
        comes_out(text, &record("UTC", json!(entries))).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn titles_may_look_like_options() {
    for title in [
        "sev2 private checkout",
        "Checkout \"is\" slow",
        "\"Checkout\"",
        "“Checkout” «is» \"slow\"",
        "retro",
        "private",
        "db-team is down sev1",
        "10 min ago it broke",
        "Checkout's cart isn't 'fine'",
        "<!channel> & friends",
        "it's «quoted» “thrice” \"over\" ‘and’ more",
    ] {
        for first in ["detected", "note"] {
            let mut recording = record(
                "UTC",
                json!([
                    entry("2026-03-02T10:00:00Z", first, DETECTED),
                    entry("2026-03-02T10:05:00Z", "resolved", "Done"),
                ]),
            );
            recording["title"] = json!(title);
            for monitoring in [json!("monitoring"), Value::Null] {
                recording["detected_by"] = monitoring;
                let document = comes_out(title, &recording).await;
                assert_eq!((&document["title"], &document["incident"]["title"]), (&json!(title), &json!(title)));
                assert_eq!(document["incident"]["private"], false, "{title}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_and_answers_may_be_incomplete() {
    comes_out(
        "without a team",
        &record(
            "UTC",
            json!([
                entry("2026-03-02T10:00:00Z", "detected", DETECTED),
                entry("2026-03-02T10:01:00Z", "escalated", "Somebody was called"),
                entry("2026-03-02T10:02:00Z", "ack", "Somebody took it"),
                entry("2026-03-02T10:03:00Z", "escalated", "Somebody else was called"),
            ]),
        ),
    )
    .await;
    comes_out(
        "an answer that names no team",
        &record(
            "UTC",
            json!([
                entry("2026-03-02T10:00:00Z", "detected", DETECTED),
                of_team("2026-03-02T10:01:00Z", "escalated", "Database team", "Called"),
                entry("2026-03-02T10:02:00Z", "ack", "Somebody took it"),
                entry("2026-03-02T10:03:00Z", "ack", "And somebody else"),
            ]),
        ),
    )
    .await;
    comes_out(
        "an answer without a call",
        &record(
            "UTC",
            json!([
                entry("2026-03-02T10:00:00Z", "detected", DETECTED),
                of_team("2026-03-02T10:02:00Z", "ack", "Database team", "Took it unasked"),
                of_team("2026-03-02T10:03:00Z", "ack", "Network team", "Took it too"),
                of_team("2026-03-02T10:04:00Z", "escalated", "Database team", "Then called"),
                of_team("2026-03-02T10:05:00Z", "escalated", "Database team", "Called again"),
                of_team("2026-03-02T10:06:00Z", "ack", "Database team", "Took it again"),
                of_team("2026-03-02T10:07:00Z", "ack", "Database team", "And again"),
            ]),
        ),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn teams_may_be_called_anything() {
    let teams = ["retro", "all", "next", "Team \"quoted\"", "DB & friends <x>", "数据库", "it's us", "a team, of two"];
    let document = comes_out("teams", &record("UTC", json!(acts_of(&teams)))).await;
    assert_eq!(document["figures"]["teams"], json!(teams));
}

/// Everything that a team does in a record, a minute each.
fn acts_of(teams: &[&str]) -> Vec<Value> {
    let mut entries = vec![entry("2026-03-02T10:00:00Z", "detected", DETECTED)];
    for (minute, team) in (1..).zip(teams) {
        entries.push(of_team(&format!("2026-03-02T10:{minute:02}:00Z"), "escalated", team, "Called"));
        entries.push(of_team(&format!("2026-03-02T10:{minute:02}:30Z"), "ack", team, "Took it"));
        entries.push(of_team(&format!("2026-03-02T10:{minute:02}:40Z"), "note", team, "Looked at it"));
    }
    entries
}

#[tokio::test(flavor = "multi_thread")]
async fn teams_that_configuration_would_take_for_one_are_told_apart() {
    let alike = ["Payments", "payments", "DB team", "db-team", "db_team", "@Ops", "Ops", "Shop"];
    let numbered = ["Team 2", "Team 4", "Team", "team-1", "Team 3 north"];
    for teams in [&alike[..], &numbered[..], &["@next"][..], &["Stop"][..]] {
        let document = comes_out("teams", &record("UTC", json!(acts_of(teams)))).await;
        assert_eq!(document["figures"]["teams"], json!(teams));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_may_go_on_after_it_was_resolved() {
    let mut recording = record(
        "Europe/London",
        json!([
            entry("2026-03-02T10:00:00Z", "detected", DETECTED),
            entry("2026-03-02T10:10:00Z", "resolved", "Thought to be over"),
            entry("2026-03-02T10:11:00Z", "note", "It is not"),
            of_team("2026-03-02T10:12:00Z", "escalated", "Database team", "Called after all"),
            of_team("2026-03-02T10:13:00Z", "ack", "Database team", "Took it"),
            entry("2026-03-02T10:14:00Z", "mitigated", "Better"),
            entry("2026-03-02T10:15:00Z", "resolved", "Over"),
            entry("2026-03-02T10:15:00Z", "resolved", "Over, really"),
            entry("2026-03-02T10:16:00Z", "declared", "Declared late"),
            entry("2026-03-02T10:17:00Z", "detected", "A second alert"),
            entry("2026-03-02T10:18:00Z", "action", "Cleaned up"),
            entry("2026-03-02T10:19:00Z", "mitigated", "Better than before"),
        ]),
    );
    recording["expect"] = json!({
        "entries": 12, "time_to_resolve_s": 900, "time_to_first_escalation_s": 720, "time_to_ack_s": 780,
        "time_to_mitigate_s": 840, "time_to_declare_s": 960, "teams": ["Database team"],
    });
    comes_out("after the end", &recording).await;
    recording["detected_by"] = json!("monitoring");
    comes_out("after the end, by alerts", &recording).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_called_after_the_end_does_not_undo_it() {
    let mut recording = record(
        "Africa/Casablanca",
        json!([
            entry("2026-03-02T10:00:00Z", "detected", DETECTED),
            entry("2026-03-02T10:10:00Z", "resolved", "Over"),
            of_team("2026-03-02T10:12:00Z", "escalated", "Database team", "Asked to look at it all the same"),
            of_team("2026-03-02T10:13:00Z", "ack", "Database team", "Looked at it"),
        ]),
    );
    recording["expect"] = json!({ "entries": 4, "time_to_resolve_s": 600, "teams": ["Database team"] });
    comes_out("a call after the end", &recording).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_may_be_approximate() {
    let mut entries = Vec::new();
    let kinds = ["detected", "declared", "escalated", "note", "action", "ack", "mitigated", "resolved"];
    for (minute, kind) in (0..).zip(kinds) {
        let mut entry = of_team(&format!("2026-03-02T10:{minute:02}:00Z"), kind, "Database team", "About then");
        entry["approx"] = json!(true);
        entries.push(entry);
    }
    comes_out("approximate", &record("UTC", json!(entries))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn instants_are_exact_to_the_microsecond_and_ties_keep_their_order() {
    let mut recording = record(
        "UTC",
        json!([
            entry("2026-03-02T09:59:59Z", "note", "Before, in the same second"),
            entry("2026-03-02T09:59:59Z", "action", "Before, second"),
            entry("2026-03-02T09:59:59.5Z", "note", "Half a second before"),
            entry("2026-03-02T10:00:00Z", "note", "In the same instant, first"),
            entry("2026-03-02T10:00:00Z", "action", "In the same instant, second"),
            entry("2026-03-02T10:00:00Z", "detected", DETECTED),
            entry("2026-03-02T10:00:00Z", "detected", "The same again"),
            entry("2026-03-02T10:00:00Z", "note", "In the same instant, last"),
            entry("2026-03-02T10:00:00.000001Z", "note", "A microsecond later"),
            entry("2026-03-02T10:00:07Z", "note", "Seconds later"),
            entry("2026-03-02T10:00:07.123456Z", "resolved", "And a bit"),
        ]),
    );
    comes_out("instants", &recording).await;
    recording["detected_by"] = json!("monitoring");
    comes_out("instants, by alerts", &recording).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_may_lack_its_beginning_or_its_end() {
    comes_out(
        "never detected",
        &record(
            "UTC",
            json!([
                entry("2026-03-02T10:00:00Z", "note", "Odd"),
                entry("2026-03-02T10:01:00Z", "declared", "Declared"),
                entry("2026-03-02T10:02:00Z", "mitigated", "Better"),
            ]),
        ),
    )
    .await;
    comes_out("one note", &record("UTC", json!([entry("2026-03-02T10:00:00Z", "note", "Odd")]))).await;
    comes_out("only resolved", &record("UTC", json!([entry("2026-03-02T10:00:00Z", "resolved", "Over")]))).await;
    comes_out(
        "called before it was detected",
        &record(
            "UTC",
            json!([
                of_team("2026-03-02T09:00:00Z", "escalated", "Database team", "A customer called them"),
                of_team("2026-03-02T09:01:00Z", "ack", "Database team", "Looking"),
                entry("2026-03-02T09:02:00Z", "mitigated", "Better for a while"),
                entry("2026-03-02T09:02:30Z", "declared", "Declared"),
                entry("2026-03-02T09:03:00Z", "resolved", "Over for a while"),
                entry("2026-03-02T10:00:00Z", "detected", DETECTED),
                entry("2026-03-02T11:00:00Z", "resolved", "Over"),
            ]),
        ),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn local_times_are_those_of_the_zone() {
    for (zone, at, local) in [
        ("Asia/Kolkata", "2026-03-02T10:00:00Z", "2026-03-02T15:30:00+05:30"),
        ("Australia/Lord_Howe", "2026-03-02T13:10:00Z", "2026-03-03T00:10:00+11:00"),
        ("Australia/Lord_Howe", "2026-04-04T15:10:00Z", "2026-04-05T01:40:00+10:30"),
        ("EST", "2026-07-02T10:00:00Z", "2026-07-02T05:00:00-05:00"),
        ("UTC", "1994-02-28T23:59:59Z", "1994-02-28T23:59:59+00:00"),
        ("Pacific/Apia", "2011-12-30T09:59:00Z", "2011-12-29T23:59:00-10:00"),
        ("Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-31T00:00:00+14:00"),
        ("America/New_York", "1996-10-27T05:30:00Z", "1996-10-27T01:30:00-04:00"),
        ("America/New_York", "1996-10-27T06:30:00Z", "1996-10-27T01:30:00-05:00"),
        ("Asia/Kathmandu", "1991-06-01T18:14:59Z", "1991-06-01T23:59:59+05:45"),
    ] {
        let resolved = (super::instant(&json!(at)) + chrono::TimeDelta::hours(30)).to_rfc3339();
        let entries = json!([
            entry(at, "detected", DETECTED),
            of_team(at, "escalated", "Database team", "Called"),
            entry(&resolved, "resolved", "Over"),
        ]);
        let document = comes_out(zone, &record(zone, entries)).await;
        let told = document["timeline"][0]["local"].as_str().unwrap().replace(&format!("[{zone}]"), "");
        assert_eq!(told.trim_end_matches('Z'), local.trim_end_matches('Z'), "{zone}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_measures_and_answers_are_kept_as_they_are() {
    let texts = [
        "done 2",
        "done",
        "remove 1",
        "drop 3",
        "@x looks at it",
        "@ana",
        "due fri",
        "due fri write it",
        "owner=@ana",
        "list",
        "Write \"the\" plan",
        "-",
        "none",
        "1",
        "assign 1 @ana",
        "reopen 1",
        "edit 1 text",
        "Line\nbreak",
        "help",
        "INC-7 follow-up",
        "me",
        "unknown",
        "?",
        "<@U0ANA00001> does <!this>",
        "3:15pm lunch",
    ];
    let mut recording = record(
        "UTC",
        json!([entry("2026-03-02T10:00:00Z", "detected", DETECTED), entry("2026-03-02T11:00:00Z", "resolved", "Over")]),
    );
    recording["tasks"] = json!(texts);
    recording["measures"] = json!(texts);
    let document = comes_out("tasks", &recording).await;
    let tasks: Vec<&str> =
        document["tasks"].as_array().unwrap().iter().map(|task| task["text"].as_str().unwrap()).collect();
    assert_eq!(tasks, texts);
    assert_eq!(document["measures"], json!(texts));
    for text in texts {
        for field in ["impact", "root_cause", "resolution"] {
            recording["tasks"] = json!([]);
            recording["measures"] = json!([]);
            recording[field] = json!(text);
        }
        let document = comes_out(text, &recording).await;
        let fields = &document["fields"];
        for field in ["impact", "root_cause", "resolution"] {
            assert_eq!(fields[field], text, "{field}: {fields}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_the_past_does_not_blame_those_who_were_paged_while_it_was_written_down() {
    let mut recording = record(
        "UTC",
        json!([
            entry("2026-03-02T10:00:00Z", "detected", DETECTED),
            of_team("2026-03-02T10:01:00Z", "escalated", "Database team", "Called"),
            entry("2026-03-02T11:00:00Z", "resolved", "Over"),
        ]),
    );
    for monitoring in [json!("monitoring"), Value::Null] {
        recording["detected_by"] = monitoring;
        let document = comes_out("nobody answered", &recording).await;
        let document = document["markdown"].as_str().unwrap();
        assert!(!document.contains("unanswered.") && !document.contains("no answer"), "{document}");
    }
}
