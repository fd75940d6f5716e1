//! The documents that are made from the code are those that the code makes, and what others show is true.
//!
//! `FIREBELL_WRITE_DOCS=1 cargo test --test it docs::` writes them again.
#![expect(clippy::unwrap_used, reason = "a document that cannot be read fails the test")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::{CommandFactory as _, Parser as _};
use firebell::cli::Cli;
use firebell::config::Config;
use firebell::metrics::{self, Described};
use firebell::replay::record;

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap()
}

/// The file has this text; or gets it, if documents are being written.
fn is_current(name: &str, text: &str) {
    if std::env::var_os("FIREBELL_WRITE_DOCS").is_some() {
        std::fs::write(path(name), text).unwrap();
    }
    let kept = std::fs::read_to_string(path(name)).unwrap_or_default();
    assert!(kept == text, "{name} is out of date. Write it again: FIREBELL_WRITE_DOCS=1 cargo test --test it docs::");
}

#[test]
fn the_command_line_is_documented_as_it_is() {
    let mut text = String::from(
        "# The command line\n\nMade from the program by a test; `firebell help <command>` prints the same. Exit status 0: \
         done; 1: not done, or\nsomething that was looked at is not in order; 2: what was typed or configured is wrong, and \
         has been explained.\n\nThe log goes to standard error. `FIREBELL_LOG` chooses what is written (`info`, `debug`, \
         `firebell::worker=debug,info`), and\n`FIREBELL_LOG_FORMAT=json` writes one JSON object per line.\n",
    );
    let mut cli = Cli::command().bin_name("firebell");
    cli.build();
    for command in cli.get_subcommands_mut().filter(|command| command.get_name() != "help") {
        let help = command.render_long_help().to_string();
        let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
        writeln!(text, "\n## firebell {}\n\n```text\n{}\n```", command.get_name(), lines.join("\n").trim_end())
            .unwrap();
    }
    is_current("docs/CLI.md", &text);
}

/// A setting of the example: its section, its name, what stands behind it, what is said of it.
struct Setting {
    section: String,
    name: String,
    value: String,
    says: String,
}

/// The sections of the example in their order, what is said of each, and all settings.
fn example() -> (Vec<(String, String)>, Vec<Setting>) {
    let (mut sections, mut settings) = (Vec::new(), Vec::new());
    let mut section = String::new();
    let mut said: Vec<String> = Vec::new();
    // Settings that follow each other share what was said before the first.
    let mut fresh = true;
    for line in read("firebell.example.toml").lines() {
        let bare = line.strip_prefix("# ").unwrap_or(line);
        let setting = bare.split_once(" = ").filter(|(name, _)| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit())
        });
        // A section may be shown without being in force.
        if let Some(name) = line.strip_prefix('[').or_else(|| line.strip_prefix("# [")) {
            section = name.trim_matches(['[', ']']).to_owned();
            let list = bare.starts_with("[[");
            let heading = if list { format!("[[{section}]]") } else { format!("[{section}]") };
            if !sections.iter().any(|(known, _)| *known == heading) {
                sections.push((heading, paragraphs(&said)));
            }
            said.clear();
            fresh = true;
        } else if let Some((name, value)) = setting {
            fresh = true;
            if !settings.iter().any(|known: &Setting| known.section == section && known.name == name) {
                settings.push(Setting {
                    section: section.clone(),
                    name: name.to_owned(),
                    value: value.to_owned(),
                    says: sentence(&said.join(" ")),
                });
            }
        } else if let Some(comment) = line.strip_prefix('#') {
            if fresh && !section.is_empty() {
                said.clear();
                fresh = false;
            }
            said.push(comment.trim_start_matches(' ').to_owned());
        } else if !section.is_empty() || line.is_empty() {
            said.clear();
            fresh = false;
        }
    }
    (sections, settings)
}

/// A remark that ends in a colon goes on with the setting; in a table it ends there.
fn sentence(said: &str) -> String {
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    said.strip_suffix(':').map_or_else(|| said.clone(), |said| format!("{said}."))
}

fn paragraphs(lines: &[String]) -> String {
    let mut text = String::new();
    for line in lines {
        if line.starts_with("    ") {
            writeln!(text, "\n{line}").unwrap();
        } else {
            writeln!(text, "{line}").unwrap();
        }
    }
    text.trim().to_owned()
}

#[test]
fn every_setting_is_documented() {
    let (sections, settings) = example();
    let mut text = String::from(
        "# firebell.toml\n\nMade by a test from `firebell.example.toml`, which is a working configuration to begin with. \
         `firebell check` says what\nyours means, or every mistake at once with its line. Unknown settings are refused. \
         Only `[fallback]` is required.\n\nSecrets never stand in the file. They come from the environment, or from files \
         that it names:\n\n| variable | what it is |\n| --- | --- |\n| `SLACK_BOT_TOKEN` | `xoxb-…`, from Install App |\n\
         | `SLACK_APP_TOKEN` | `xapp-…`, for Socket Mode, with the scope `connections:write` |\n\
         | `SLACK_SIGNING_SECRET` | for HTTP mode, from Basic Information |\n\
         | `DATABASE_URL` | `sqlite:<path>` or `postgres://user:password@host/name`; beats `[database]` |\n\
         | `SLACK_API_URL` | another Slack than slack.com: the sandbox |\n\
         | `SMTP_PASSWORD` | of the user of `[email]` |\n\
         | `FIREBELL_WEBHOOK_SECRET` | what outgoing webhooks are signed with |\n",
    );
    for (heading, says) in &sections {
        let section = heading.trim_matches(['[', ']']);
        writeln!(text, "\n## {heading}\n").unwrap();
        if !says.is_empty() {
            writeln!(text, "{says}\n").unwrap();
        }
        writeln!(text, "| setting | such as | |\n| --- | --- | --- |").unwrap();
        for setting in settings.iter().filter(|setting| setting.section == section) {
            let says = setting.says.replace('|', "\\|");
            writeln!(text, "| `{}` | `{}` | {says} |", setting.name, setting.value.replace('|', "\\|")).unwrap();
        }
    }
    is_current("docs/CONFIG.md", &text);
}

/// What the reader knows, by its own words: it lists the settings of a section when one is not known.
fn known_to_the_reader(section: &str) -> Vec<String> {
    let header = match section {
        "teams" => "[[teams]]".to_owned(),
        "teams.tiers" => "[[teams]]\nkey = \"x\"\n[[teams.tiers]]".to_owned(),
        "integrations" => "[[integrations]]".to_owned(),
        "people" => "[[people]]".to_owned(),
        "integrations.rules" => "[[integrations]]\nkey = \"x\"\n[[integrations.rules]]".to_owned(),
        section => format!("[{section}]"),
    };
    let mistakes = Config::parse(&format!("{header}\nqqqqq = 1\n"), Path::new("firebell.toml")).unwrap_err();
    let hint = mistakes
        .problems()
        .iter()
        .find(|problem| problem.sentence.contains("\"qqqqq\""))
        .unwrap_or_else(|| panic!("{section}: {mistakes}"))
        .hint
        .clone()
        .unwrap();
    hint.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn the_example_shows_every_setting_there_is() {
    let (sections, settings) = example();
    let mut shown: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for setting in settings {
        shown.entry(setting.section).or_default().push(setting.name);
    }
    for (heading, _) in sections {
        let section = heading.trim_matches(['[', ']']);
        for name in known_to_the_reader(section) {
            let nested = ["tiers", "rules"].contains(&name.as_str());
            let is_shown = nested || shown.get(section).is_some_and(|names| names.contains(&name));
            assert!(is_shown, "{heading} has the setting {name}, which firebell.example.toml does not show");
        }
    }
}

/// The blocks of a document in this language.
fn blocks(document: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    document.split(&fence).skip(1).map(|rest| rest.split_once("```").unwrap().0.to_owned()).collect()
}

#[test]
fn every_test_that_the_table_of_failures_names_exists() {
    fn sources(folder: &Path, to: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                sources(&path, to);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                to.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    let mut code = String::new();
    sources(&path("src"), &mut code);
    sources(&path("tests"), &mut code);
    let table = read("docs/COVERAGE.md");
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("| ")).skip(2).collect();
    for (row, number) in rows.iter().zip(1..) {
        assert!(row.starts_with(&format!("| {number} |")), "row {number}: {row}");
        let tests = row.split(" | ").last().unwrap();
        assert!(tests.contains('`') || tests.contains("the same") || tests.contains("see below"), "{row}");
    }
    let names: Vec<&str> = table.split('`').skip(1).step_by(2).filter(|name| name.matches('_').count() > 2).collect();
    assert!(names.len() > rows.len());
    let missing: Vec<&str> = names.into_iter().filter(|name| !code.contains(&format!("fn {name}("))).collect();
    assert_eq!(missing, [""; 0], "docs/COVERAGE.md names tests that there are not");
}

#[test]
fn the_settings_that_documents_show_are_understood() {
    let mut count = 0;
    for name in ["README.md", "docs/ALERTS.md", "docs/METRICS.md", "docs/WEBHOOKS.md"] {
        for block in blocks(&read(name), "toml") {
            count += 1;
            let fallback = if block.contains("[fallback]") { "" } else { "\n[fallback]\ntargets = [\"@ana\"]\n" };
            // Teams that a block calls without having them.
            let called = |team: &&&str| block.contains(&format!("team = \"{team}\""));
            let teams = ["platform", "shop"].iter().filter(called);
            let tier = "[[teams.tiers]]\ntargets = [\"@ana\"]\nwait = \"5m\"\n";
            let teams: String =
                teams.map(|team| format!("\n[[teams]]\nkey = \"{team}\"\nname = \"{team}\"\n{tier}")).collect();
            if let Err(mistakes) = Config::parse(&format!("{block}{fallback}{teams}"), Path::new(name)) {
                panic!("{name}:\n{mistakes}");
            }
        }
    }
    assert!(count >= 2);
}

#[test]
fn the_recording_that_the_documentation_shows_can_be_replayed() {
    let shown = blocks(&read("docs/REPLAY.md"), "json");
    assert_eq!(shown.len(), 1);
    let record = record::parse(&serde_json::from_str(&shown[0]).unwrap()).unwrap();
    assert!(record.entries.len() > 3);
}

#[test]
fn every_measurement_is_documented() {
    let mut text = read("docs/METRICS.md");
    let table_at = text.find("| name |").unwrap_or(text.len());
    text.truncate(table_at);
    text.push_str("| name | kind | labels | what it says |\n| --- | --- | --- | --- |\n");
    for Described { name, kind, labels, help } in metrics::catalogue() {
        let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
        writeln!(text, "| `{name}` | {kind} | {} | {help} |", labels.join(" ")).unwrap();
    }
    is_current("docs/METRICS.md", &text);
}

/// The names of measurements in a text, without what a histogram puts behind its own.
fn measurements(text: &str) -> Vec<&str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let words = text.split(|c| !is_part(c)).filter(|word| word.starts_with("firebell_"));
    words
        .map(|word| ["_bucket", "_sum", "_count"].iter().find_map(|end| word.strip_suffix(end)).unwrap_or(word))
        .collect()
}

#[test]
fn rules_and_dashboard_ask_only_for_what_is_measured() {
    let known: Vec<&str> = metrics::catalogue().iter().map(|family| family.name).collect();
    let rules = read("deploy/prometheus-rules.yml");
    let dashboard = read("deploy/grafana-dashboard.json");
    let parsed: serde_json::Value = serde_json::from_str(&dashboard).unwrap();
    assert!(parsed["panels"].as_array().unwrap().len() > 10);
    for (name, text) in [("rules", &rules), ("dashboard", &dashboard)] {
        let asked = measurements(text);
        assert!(asked.len() > 15, "{name}: {asked:?}");
        for measurement in asked {
            assert!(known.contains(&measurement), "{name}: there is no {measurement}");
        }
        for recorded in text.split(['"', ' ', '(', '{', '\n']).filter(|word| word.starts_with("firebell:")) {
            assert!(rules.contains(&format!("- record: {recorded}\n")), "{name}: {recorded} is recorded nowhere");
        }
    }
}

#[test]
fn every_alert_says_what_is_the_matter_and_how_bad_it_is() {
    let rules = read("deploy/prometheus-rules.yml");
    let alerts: Vec<&str> = rules.split("- alert: ").skip(1).collect();
    assert!(alerts.len() > 15);
    for alert in alerts {
        let (name, body) = alert.split_once('\n').unwrap();
        for part in ["expr:", "severity:", "summary:", "description:"] {
            assert!(body.contains(part), "{name} has no {part}");
        }
    }
}

#[test]
fn links_between_documents_lead_somewhere() {
    let names = [
        "README.md",
        "CHANGELOG.md",
        "docs/ALERTS.md",
        "docs/ARCHITECTURE.md",
        "docs/CLI.md",
        "docs/CONFIG.md",
        "docs/GLOSSARY.md",
        "docs/METRICS.md",
        "docs/GUARANTEE.md",
        "docs/REPLAY.md",
        "docs/WEBHOOKS.md",
    ];
    for name in names {
        let text = read(name);
        let folder = Path::new(name).parent().unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
            let outside = target.is_empty() || target.starts_with("http");
            // Made by those who run the demo.
            let picture = Path::new(target).extension().is_some_and(|extension| extension == "png");
            assert!(outside || picture || path(&folder.join(target).to_string_lossy()).exists(), "{name}: {target}");
        }
    }
}

#[test]
fn the_map_of_the_source_names_every_module() {
    let map = read("docs/ARCHITECTURE.md");
    for entry in std::fs::read_dir(path("src")).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        let module = name.trim_end_matches(".rs");
        assert!(map.contains(&format!("src/{module}")), "docs/ARCHITECTURE.md does not name src/{module}");
    }
}

#[test]
fn the_service_starts_what_there_is_and_lets_it_stop_in_its_own_time() {
    let unit = read("deploy/firebell.service");
    let values = |name: &str| -> Vec<String> {
        let lines = unit.lines().filter_map(|line| line.split_once('='));
        lines.filter(|(key, _)| *key == name).map(|(_, value)| value.to_owned()).collect()
    };
    let value = |name: &str| values(name).into_iter().next().unwrap_or_default();
    let started = value("ExecStart");
    let (program, arguments) = started.split_once(' ').unwrap();
    assert!(read("README.md").contains(&format!("sudo install -m 755 firebell {}", program.replace("/firebell", "/"))));
    assert!(Cli::try_parse_from(["firebell"].into_iter().chain(arguments.split(' '))).is_ok(), "{started}");
    let database = value("Environment");
    let folder = database.strip_prefix("DATABASE_URL=sqlite:").and_then(|path| path.strip_suffix("/firebell.db"));
    assert_eq!(folder, Some(format!("/var/lib/{}", value("StateDirectory")).as_str()));
    assert_eq!(folder, Some(value("WorkingDirectory").as_str()));
    // The worker's time to finish, and the server's to close, with as much again to spare.
    assert!(value("TimeoutStopSec").parse::<u32>().unwrap() >= 2 * (5 + 2));
    for (name, said) in [
        ("DynamicUser", "yes"),
        ("ProtectSystem", "strict"),
        ("NoNewPrivileges", "yes"),
        ("CapabilityBoundingSet", ""),
        ("MemoryDenyWriteExecute", "yes"),
        ("PrivateTmp", "yes"),
        ("Restart", "always"),
        ("StartLimitIntervalSec", "0"),
        ("EnvironmentFile", "/etc/firebell/secrets"),
    ] {
        assert_eq!(values(name), [said], "{name}");
    }
}
