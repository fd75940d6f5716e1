//! Whatever comes in, mangled: nothing panics, nothing grows without end, every refusal says something, and what is
//! right passes unharmed. `FIREBELL_FUZZ_CASES` says how many cases each property gets.

use std::path::Path;

use axum::body::{Body, to_bytes};
use axum::http::{Method, Request};
use firebell::alerts::{Received, alertmanager, generic};
use firebell::domain::civil;
use firebell::domain::roster::{Directory, Roster};
use firebell::replay::record;
use firebell::slack::command as typed;
use firebell::slack::signature::Verifier;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use tower::ServiceExt as _;

use super::everything::{self, FORMS, SHORTCUTS, form_of};
use super::*;

const CASES_USUAL: u32 = 64;
/// No answer is longer than this.
const ANSWER_BYTES_MAX: usize = 64 << 10;

fn settings() -> ProptestConfig {
    let asked = std::env::var("FIREBELL_FUZZ_CASES").ok();
    let cases = asked.map_or(CASES_USUAL, |cases| cases.parse().expect("FIREBELL_FUZZ_CASES is a number"));
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// One thing that is done to a text or to a field.
#[derive(Clone, Debug)]
enum Harm {
    Drop,
    Null,
    Number(f64),
    Flag(bool),
    List,
    Object,
    Text(String),
    Longer(usize),
    Deep(usize),
}

fn harm() -> impl Strategy<Value = Harm> {
    let nasty = prop::sample::select(vec![
        "\0",
        "\u{202e}txet",
        "\u{2066}a\u{2069}",
        "<!channel>",
        "<@U0ANA00001>",
        "-1",
        "99999999999999999999",
        "1e400",
        "",
        " ",
        "\u{feff}",
        "a\u{301}",
        "🔥",
        "INC-0",
        "sev9",
        "2023-99-99T99:99:99Z",
        "{\"do\":\"sing\"}",
        "%00",
    ]);
    prop_oneof![
        Just(Harm::Drop),
        Just(Harm::Null),
        any::<f64>().prop_map(Harm::Number),
        any::<bool>().prop_map(Harm::Flag),
        Just(Harm::List),
        Just(Harm::Object),
        nasty.prop_map(|text| Harm::Text(text.to_owned())),
        "\\PC{0,40}".prop_map(Harm::Text),
        (1_usize..4_000).prop_map(Harm::Longer),
        (1_usize..100).prop_map(Harm::Deep),
    ]
}

/// The places of a document, as JSON pointers.
fn places(value: &Value, at: &str, out: &mut Vec<String>) {
    let mut visit = |key: String, inner: &Value| {
        let place = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
        out.push(place.clone());
        places(inner, &place, out);
    };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, inner)| visit(key.clone(), inner)),
        Value::Array(list) => list.iter().enumerate().for_each(|(n, inner)| visit(n.to_string(), inner)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The document with these harms, each at the place that its number falls on.
fn harmed(mut value: Value, harms: &[(prop::sample::Index, Harm)]) -> Value {
    for (index, harm) in harms {
        let mut all = Vec::new();
        places(&value, "", &mut all);
        if all.is_empty() {
            break;
        }
        let place = index.get(&all);
        let (parent, key) = place.rsplit_once('/').expect("begins with a slash");
        if matches!(harm, Harm::Drop) {
            match value.pointer_mut(parent) {
                Some(Value::Object(fields)) => drop(fields.remove(&key.replace("~1", "/").replace("~0", "~"))),
                Some(Value::Array(list)) => drop(list.pop()),
                _ => {}
            }
            continue;
        }
        let Some(field) = value.pointer_mut(place) else { continue };
        let new = match harm {
            Harm::Drop | Harm::Null => Value::Null,
            Harm::Number(number) => json!(number),
            Harm::Flag(flag) => json!(flag),
            Harm::List => json!([field.clone(), null, 7]),
            Harm::Object => json!({ "value": field.clone() }),
            Harm::Text(text) => json!(text),
            Harm::Longer(times) => json!("ab ".repeat(*times)),
            Harm::Deep(depth) => (0..*depth).fold(field.clone(), |inner, _| json!([inner])),
        };
        *field = new;
    }
    value
}

fn harms() -> impl Strategy<Value = Vec<(prop::sample::Index, Harm)>> {
    prop::collection::vec((any::<prop::sample::Index>(), harm()), 0..4)
}

fn mangled(line: &str, at: usize, put: &str, cut: usize) -> String {
    let chars: Vec<char> = line.chars().collect();
    let at = at.min(chars.len());
    let after = (at + cut).min(chars.len());
    chars[..at].iter().copied().chain(put.chars()).chain(chars[after..].iter().copied()).collect()
}

fn spoken(sentence: &str) -> bool {
    sentence.trim().chars().count() > 8
}

fn check(what: &str, cases: impl FnOnce(&mut TestRunner) -> Result<(), proptest::test_runner::TestError<String>>) {
    let mut runner = TestRunner::new(settings());
    if let Err(failure) = cases(&mut runner) {
        panic!("{what}: {failure}");
    }
}

proptest! {
    #![proptest_config(settings())]

    #[test]
    fn a_mangled_command_is_read_or_answered_with_a_sentence(
        which in any::<prop::sample::Index>(), at in 0_usize..40, cut in 0_usize..6,
        put in prop_oneof!["\\PC{0,12}", "[\\x00-\\x1f\"'<>@#:=~,\u{202e}\u{2066}\u{2069}]{0,6}", "(99|-|:|am|pm|EST|sev| ){0,4}"],
        times in 1_usize..50,
    ) {
        let lines = everything::lines();
        let (_, line) = which.get(&lines);
        let (command, text) = line.split_once(' ').unwrap_or((line, ""));
        let text = mangled(text, at, &put.repeat(times), cut);
        let zone = civil::zone("America/New_York").expect("is known");
        let (roster, directory, me) = (Roster::default(), Directory::default(), ANA.into());
        let context = typed::Context { now: start(), zone: &zone, me: &me, roster: &roster, directory: &directory };
        let read = if command == "/incident" { typed::incident(&text, &context) } else { typed::escalate(&text, &context) };
        match read {
            Ok(parsed) => {
                let length = format!("{parsed:?}").len();
                prop_assert!(length <= 16 * text.len() + 4_000, "{} of {}", length, text.len());
            }
            Err(unclear) => {
                let sentence = unclear.problem.sentence();
                prop_assert!(spoken(&sentence), "{:?}: {:?}", text, sentence);
                prop_assert!(sentence.len() <= 8 * text.len() + 1_000, "{} of {}", sentence.len(), text.len());
                prop_assert!(unclear.did_you_mean.len() <= 50);
            }
        }
    }

    #[test]
    fn a_mangled_alert_is_taken_within_the_limits_or_refused_with_a_sentence(harms in harms(), which in 0..2, cut in 0_usize..400) {
        let received = Received { integration: "script".into(), at: start(), nonce: "n".to_owned(), idempotency_key: None };
        let own = json!({
            "title": "Backup failed", "text": "pg_dump: error", "dedup_key": "backup", "status": "firing", "severity": "sev2",
            "team": "db-team", "started_at": "2023-04-02T18:00:00Z", "labels": { "host": "db1" }, "link": "https://ci.example/1",
            "incident": "INC-42", "event_id": "e-1",
        });
        let theirs = json!({
            "version": "4", "groupKey": "{}:{}", "status": "firing", "receiver": "firebell", "groupLabels": {},
            "commonLabels": { "alertname": "Down" }, "commonAnnotations": {}, "externalURL": "http://alertmanager.example:9093",
            "alerts": [{ "status": "firing", "labels": { "alertname": "Down", "severity": "critical" },
                "annotations": { "summary": "Down" }, "startsAt": "2023-04-02T18:00:00Z", "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": "http://prometheus.example/", "fingerprint": "f00" }],
        });
        let mut body = harmed(if which == 0 { own } else { theirs }, &harms).to_string().into_bytes();
        if cut < body.len() && cut % 7 == 0 {
            body.truncate(cut);
        }
        let parsed = if which == 0 { generic::parse(&body, &received) } else { alertmanager::parse(&body, &received) };
        match parsed {
            Ok(parsed) => for signal in &parsed.signals {
                prop_assert!((1..=255).contains(&signal.dedup_key().chars().count()));
                prop_assert!(signal.delivery_key().chars().count() <= 255);
                if let firebell::alerts::Signal::Fired { alert, .. } = signal {
                    prop_assert!((1..=200).contains(&alert.title.chars().count()));
                    prop_assert!(alert.text.chars().count() <= firebell::alerts::TEXT_CHARS_MAX);
                    prop_assert!(!alert.title.chars().any(char::is_control));
                }
            },
            Err(refused) => prop_assert!(spoken(&refused.sentence), "{:?}", refused),
        }
    }

    #[test]
    fn a_mangled_recording_is_read_or_every_mistake_is_named(harms in harms()) {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/incidents");
        let first = std::fs::read_dir(file).expect("is there").map(|entry| entry.expect("is read").path()).min().expect("a file");
        let value: Value = serde_json::from_slice(&std::fs::read(first).expect("is read")).expect("JSON");
        prop_assert!(record::parse(&value).is_ok(), "the unharmed one is right");
        if let Err(problems) = record::parse(&harmed(value, &harms)) {
            prop_assert!(!problems.is_empty());
            let told = |problem: &record::Problem| spoken(&format!("{}: {}", problem.field, problem.reason));
            prop_assert!(problems.iter().all(told), "{:?}", problems);
        }
    }

    #[test]
    fn a_configuration_with_lines_taken_put_and_swapped_is_read_or_explained(
        taken in any::<prop::sample::Index>(), doubled in any::<prop::sample::Index>(), put in "[\\[\\]\"'#=\\n{}a-z0-9.@-]{0,12}",
    ) {
        let mut lines: Vec<&str> = crate::support::world::CONFIG.lines().filter(|line| !line.starts_with('#')).collect();
        let double = lines[doubled.index(lines.len())];
        let place = taken.index(lines.len());
        lines.insert(place, double);
        lines.insert(place, &put);
        lines.remove(taken.index(lines.len()));
        if let Err(mistakes) = Config::parse(&lines.join("\n"), Path::new("firebell.toml")) {
            prop_assert!(!mistakes.problems().is_empty() && spoken(&mistakes.render(true)));
        }
    }

    #[test]
    fn only_the_very_signature_of_the_very_body_passes(
        body in prop::collection::vec(any::<u8>(), 0..200), bit in any::<prop::sample::Index>(),
        junk in prop::collection::vec(any::<u8>(), 0..80), away in -400_i64..400,
    ) {
        let secret = SecretString::from(SIGNING_SECRET);
        let stamp = start().timestamp().to_string();
        let sign = |stamp: &[u8]| {
            let mut mac = Hmac::<Sha256>::new_from_slice(SIGNING_SECRET.as_bytes()).expect("any length");
            mac.update(&[b"v0:", stamp, b":", body.as_slice()].concat());
            format!("v0={}", hex::encode(mac.finalize().into_bytes()))
        };
        let right = sign(stamp.as_bytes());
        let check = |signature: &[u8], stamp: &[u8], body: &[u8], now| Verifier::new(&secret).check(Some(signature), Some(stamp), body, now);
        let fresh = check(right.as_bytes(), stamp.as_bytes(), &body, start() + seconds(away));
        prop_assert_eq!(fresh.is_ok(), away.abs() <= 300);
        let mut wrong = right.clone().into_bytes();
        let at = bit.index(wrong.len() * 8);
        wrong[at / 8] ^= 1 << (at % 8);
        // Hexadecimal digits count in either case.
        if !wrong.eq_ignore_ascii_case(right.as_bytes()) {
            prop_assert!(check(&wrong, stamp.as_bytes(), &body, start()).is_err());
        }
        let mut other = body.clone();
        other.extend_from_slice(b"&");
        prop_assert!(check(right.as_bytes(), stamp.as_bytes(), &other, start()).is_err());
        prop_assert!(check(&junk, stamp.as_bytes(), &body, start()).is_err());
        prop_assert!(check(right.as_bytes(), &junk, &body, start()).is_err());
        prop_assert!(check(sign(&junk).as_bytes(), &junk, &body, start()).is_err() || junk == stamp.as_bytes());
        prop_assert!(Verifier::new(&SecretString::from("")).check(Some(right.as_bytes()), Some(stamp.as_bytes()), &body, start()).is_err());
    }
}

/// What Slack may deliver, by address; each as JSON, commands too.
fn deliveries() -> Vec<(&'static str, Value)> {
    let team = "T0SHOPFRNT";
    let carried = firebell::slack::actions::Carried::of(firebell::ids::IncidentId(1));
    let mut all = Vec::new();
    for (_, line) in everything::lines() {
        let (command, text) = line.split_once(' ').unwrap_or((line, ""));
        all.push((
            "/slack/commands",
            json!({
                "team_id": team, "channel_id": GENERAL, "user_id": ANA, "command": command, "text": text,
            }),
        ));
    }
    all.extend(
        everything::buttons().iter().map(|(_, b)| ("/slack/interactions", everything::press(ANA, team, b, "t"))),
    );
    all.extend(FORMS.map(|form| ("/slack/interactions", everything::submission(ANA, team, form, &carried, 1, "t"))));
    all.extend(SHORTCUTS.map(|id| ("/slack/interactions", everything::shortcut(ANA, team, id, "t"))));
    let item = json!({ "type": "message", "channel": GENERAL, "ts": "1680462000.000100" });
    for event in [
        json!({ "type": "message", "channel": GENERAL, "user": ANA, "ts": "1680462000.000100", "text": "hello" }),
        json!({ "type": "message", "subtype": "message_changed", "channel": GENERAL,
            "message": { "user": ANA, "ts": "1680462000.000100", "text": "other" } }),
        json!({ "type": "reaction_added", "user": ANA, "reaction": "memo", "item": item }),
        json!({ "type": "reaction_removed", "user": ANA, "reaction": "memo", "item": item }),
        json!({ "type": "channel_archive", "channel": GENERAL, "user": ANA }),
        json!({ "type": "app_home_opened", "user": ANA, "tab": "home", "channel": "D1" }),
        json!({ "type": "user_change", "user": { "id": ANA, "name": "ana", "tz": "America/New_York" } }),
        json!({ "type": "app_mention", "user": ANA, "channel": GENERAL, "ts": "1680462000.000100", "text": "hi" }),
    ] {
        all.push((
            "/slack/events",
            json!({ "type": "event_callback", "team_id": team, "event_id": "Ev1", "event": event }),
        ));
    }
    all
}

#[test]
fn a_mangled_delivery_of_slack_never_breaks_the_program() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (house, bell) = runtime.block_on(async {
        let house = House::on_sqlite().await;
        let bell = house.bell().await;
        types(&house, ANA, GENERAL, "/incident open db is down").await;
        bell.settle(&house).await;
        (house, bell)
    });
    let all = deliveries();
    let strategy = (any::<prop::sample::Index>(), harms(), any::<u64>()).prop_map(move |(which, harms, n)| {
        let (path, value) = which.get(&all).clone();
        let mut value = harmed(value, &harms);
        if path == "/slack/commands" {
            value["trigger_id"] = json!(format!("t-{n}"));
        }
        let body = match path {
            "/slack/commands" => value
                .as_object()
                .into_iter()
                .flatten()
                .fold(url::form_urlencoded::Serializer::new(String::new()), |mut form, (key, value)| {
                    form.append_pair(key, value.as_str().unwrap_or(&value.to_string()));
                    form
                })
                .finish(),
            "/slack/interactions" => form_of(&value),
            _ => value.to_string(),
        };
        format!("{path} {body}")
    });
    check("a delivery", |runner| {
        runner.run(&strategy, |delivery| {
            let (path, body) = delivery.split_once(' ').expect("an address and a body");
            let (status, answer) = runtime.block_on(bell.post_signed(path, body, bell.clock.now()));
            // The very same request twice is a replay.
            prop_assert!([200, 400, 401].contains(&status), "{}: {}", status, answer);
            prop_assert!(status == 200 || spoken(&answer), "{}: {}", status, answer);
            prop_assert!(!answer.contains("reference"), "a breakdown: {}", answer);
            prop_assert!(answer.len() <= ANSWER_BYTES_MAX);
            Ok(())
        })
    });
    runtime.block_on(async {
        bell.settle(&house).await;
        bell.history(1).await;
    });
}

#[test]
fn any_address_of_the_web_is_answered_with_a_page() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (_house, bell) = runtime.block_on(async {
        let house = House::on_sqlite().await;
        let bell = house.bell().await;
        types(&house, ANA, GENERAL, "/incident open db is down").await;
        (house, bell)
    });
    let strategy = prop_oneof![
        "/incidents/[0-9a-z%+.-]{0,24}",
        "/incidents/1/[a-z.%0-9]{0,16}",
        "/(incidents)?[?](q|before|severity|status|zone|x)=[0-9a-zA-Z%&=+.-]{0,40}",
        "/incidents/1[?]zone=[A-Z%0-9&=]{0,12}",
        "/[a-z/%0-9.]{0,40}",
    ];
    check("an address", |runner| {
        runner.run(&strategy, |address| {
            for method in [Method::GET, Method::HEAD, Method::POST, Method::DELETE] {
                let Ok(request) = Request::builder().method(&method).uri(&address).body(Body::empty()) else {
                    continue;
                };
                let (status, body) = runtime.block_on(async {
                    let answer = bell.program.router().oneshot(request).await.expect("never fails");
                    let status = answer.status().as_u16();
                    (status, to_bytes(answer.into_body(), ANSWER_BYTES_MAX).await.expect("is bounded"))
                });
                prop_assert!([200, 404, 405].contains(&status), "{} {}: {}", method, address, status);
                let page = String::from_utf8_lossy(&body);
                prop_assert!(
                    method != Method::GET || spoken(&page) || page == "ok\n" || page == "ready\n",
                    "{}: {}",
                    address,
                    page
                );
            }
            Ok(())
        })
    });
}
