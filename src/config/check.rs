//! What `firebell check` says of a configuration that is in order: teams, tiers and timings in words.

use std::fmt::Write as _;

use super::reader::in_words;
use super::secrets::Secrets;
use super::{ClockStyle, Config, Email, IntegrationKind, Mode, Named, Placed, Problem, TeamPlan, Tls};
use crate::domain::contact::{ContactMethod, Contacts};
use crate::domain::roster::Route;

/// The configuration in words. `secrets` as [`Config::secrets`] found them: what is missing is named, not refused, since
/// the file may be checked elsewhere than where the program runs.
pub fn describe(config: &Config, secrets: &Result<Secrets, Vec<Problem>>) -> String {
    let mut text = String::new();
    let mut line = |name: &str, words: &str| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name:<12} {words}");
    };
    let settings = &config.settings;
    line("Slack", &slack(settings.slack.mode, secrets));
    line("Web", &web(config));
    if let Ok(secrets) = secrets {
        line("Database", secrets.database_kind());
    }
    line("Incidents", &incidents(config));
    line("Export", &export(config));
    if let Some(bind) = settings.metrics.bind {
        line("Metrics", &format!("http://{bind}/metrics"));
    }
    if settings.metrics.on_server {
        line("Metrics", &format!("http://{}/metrics, for whoever reaches the pages", settings.server.bind));
    }
    if let Some(heartbeat) = &settings.heartbeat {
        let host = heartbeat.url.host_str().unwrap_or_default();
        line("Heartbeat", &format!("every {}, heard by {host}", in_words(heartbeat.every_s)));
    }
    if let Some(channel) = &config.plan.test_page_in {
        line("Test pages", &format!("in {}, every {}", channel.value, in_words(settings.test_page_every_s)));
    }
    if let Some(email) = &settings.email {
        line("E-mail", &mail(email));
    }
    text.push('\n');
    for team in &config.plan.teams {
        text.push_str(&team_in_words(team));
    }
    if config.plan.teams.is_empty() {
        text.push_str("No team is configured: /escalate has nobody to call yet.\n");
    }
    let _ = writeln!(text, "Fallback     {}{}", names(&config.plan.fallback), and_by(&config.plan.fallback_contacts));
    for person in &config.plan.people {
        let _ = writeln!(text, "Besides      {}{}", person.user.value, and_by(&person.contacts));
    }
    for integration in &settings.integrations {
        let kind = match integration.kind {
            IntegrationKind::Alertmanager => "alertmanager",
            IntegrationKind::Generic => "generic",
        };
        let route = config.plan.routes.get(&integration.key).map(alerts).unwrap_or_default();
        let _ = writeln!(text, "Alerts       {} by POST /alerts/{kind}{route}", integration.key);
    }
    if let Err(problems) = secrets {
        for problem in problems {
            let _ = writeln!(text, "\nNote: {}", problem.sentence);
        }
    }
    text
}

fn mail(email: &Email) -> String {
    let tls = match email.tls {
        Tls::StartTls => "STARTTLS",
        Tls::Implicit => "TLS from the start",
        Tls::None => "not encrypted",
    };
    let user = email.user.as_ref().map_or_else(String::new, |user| format!(", as {user}"));
    format!("from {} over {}:{} ({tls}{user})", email.from, email.host, email.port)
}

/// Where somebody is reached while Slack is away; the address of a webhook may be a secret.
fn and_by(contacts: &Contacts) -> String {
    let words = ContactMethod::ALL.into_iter().filter_map(|method| {
        let address = contacts.address(method)?;
        Some(match method {
            ContactMethod::Email => format!(", else by e-mail to {address}"),
            ContactMethod::Webhook => ", else by webhook".to_owned(),
        })
    });
    words.collect()
}

fn slack(mode: Mode, secrets: &Result<Secrets, Vec<Problem>>) -> String {
    let how = match mode {
        Mode::Socket => "Socket Mode",
        Mode::Http => "HTTP, signed requests",
    };
    let missing = secrets.as_ref().map(|secrets| secrets.missing(mode)).unwrap_or_default();
    if missing.is_empty() {
        return how.to_owned();
    }
    format!("{how}; still needed to serve: {}", missing.join(" and "))
}

fn web(config: &Config) -> String {
    let server = &config.settings.server;
    match &server.public_url {
        Some(url) => format!("listens on {}, reached at {url}", server.bind),
        None => format!("listens on {}; without public_url, messages carry no links", server.bind),
    }
}

fn incidents(config: &Config) -> String {
    let plan = &config.plan;
    let announced = match &plan.announce_in {
        Some(channel) => format!("announced in {}", channel.value),
        None => "not announced".to_owned(),
    };
    let clock = match config.settings.clock {
        ClockStyle::Auto => "",
        ClockStyle::Twelve => ", 12-hour clock",
        ClockStyle::TwentyFour => ", 24-hour clock",
    };
    format!(
        "{announced}, channels {}…, {} unless said, {}{clock}",
        plan.channel_prefix, plan.severity_default, plan.zone
    )
}

fn export(config: &Config) -> String {
    let export = &config.settings.export;
    let Some(dir) = &export.dir else { return "nothing is written to a folder".to_owned() };
    let formats: Vec<&str> = export.formats.iter().map(|format| format.word()).collect();
    let private = if export.private { ", private incidents too" } else { "" };
    format!("{} to {}{private}", formats.join(", "), dir.display())
}

fn team_in_words(team: &TeamPlan) -> String {
    let mut text = format!("{} (/escalate {}", team.name, team.key);
    for alias in &team.aliases {
        let _ = write!(text, ", {alias}");
    }
    text.push_str(")\n");
    for (index, tier) in team.tiers.iter().enumerate() {
        let last = index + 1 == team.tiers.len();
        let then = match (last, team.rounds) {
            (false, _) => format!("then tier {}", index + 2),
            (true, 1) => "then the fallback".to_owned(),
            (true, rounds) => format!("then tier 1 again, {rounds} rounds in all, then the fallback"),
        };
        let _ = writeln!(text, "  {}. {} for {}, {then}", index + 1, names(&tier.targets), in_words(tier.wait_s));
    }
    let total_s: u64 = team.tiers.iter().map(|tier| u64::from(tier.wait_s)).sum::<u64>() * u64::from(team.rounds);
    if let Ok(total) = u32::try_from(total_s) {
        let _ = writeln!(text, "  Unanswered, it ends after {}.", in_words(total));
    }
    if let Some(seconds) = team.ack_timeout_s {
        let _ = writeln!(text, "  Whoever has it is paged again after {} without activity.", in_words(seconds));
    }
    if let Some(to) = &team.hand_off_to {
        let _ = writeln!(text, "  After the fallback it is handed off to {to}.");
    }
    text.push('\n');
    text
}

fn names(targets: &[Placed<Named>]) -> String {
    let names: Vec<String> = targets.iter().map(|target| target.value.to_string()).collect();
    names.join(", ")
}

fn alerts(route: &Route) -> String {
    let mut text = String::new();
    for rule in &route.rules {
        let labels: Vec<String> = rule.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let severity = rule.severity.map(|severity| format!(" as {severity}")).unwrap_or_default();
        let team = rule.team.as_ref().map_or_else(|| "nobody is called".to_owned(), |team| format!("calls {team}"));
        let _ = write!(text, "\n               {} {team}{severity}", labels.join(" "));
    }
    let severity = route.severity.map(|severity| format!(" as {severity}")).unwrap_or_default();
    let team = route.team.as_ref().map_or_else(|| "calls nobody".to_owned(), |team| format!("calls {team}"));
    let rest = if route.rules.is_empty() { "" } else { "otherwise " };
    let resolves = if route.resolves { "resolved by the alert" } else { "resolved by people" };
    let _ = write!(text, "\n               {rest}{team}{severity}, {resolves}");
    text
}
