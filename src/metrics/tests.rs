use chrono::TimeDelta;

use super::*;
use crate::domain::effect::Lane;

#[test]
fn a_histogram_counts_what_is_at_or_below_each_bound() {
    let metrics = Metrics::default();
    let lateness = metrics.page_lateness.of((Sent::Person, Tier::First, Late::No));
    for ms in [0, 500, 501, 1_000, 400_000, -3_600_000] {
        lateness.observe(TimeDelta::milliseconds(ms));
    }
    let text = metrics.text();
    let line = |bound: &str| {
        let wanted = format!(
            "firebell_page_lateness_seconds_bucket{{to=\"person\",tier=\"first\",catch_up=\"no\",le=\"{bound}\"}} "
        );
        let found = text.lines().find_map(|line| line.strip_prefix(&wanted));
        found.unwrap_or_else(|| panic!("no {wanted} in\n{text}")).to_owned()
    };
    assert_eq!([line("0.5"), line("1"), line("300"), line("+Inf")], ["3", "5", "5", "6"]);
    assert!(
        text.contains("firebell_page_lateness_seconds_sum{to=\"person\",tier=\"first\",catch_up=\"no\"} 402.001\n")
    );
    assert!(
        text.contains("firebell_page_lateness_seconds_count{to=\"channel\",tier=\"fallback\",catch_up=\"yes\"} 0\n")
    );
}

#[test]
fn every_family_is_told_once_with_its_kind_and_methods_never_called_are_left_out() {
    let metrics = Metrics::default();
    metrics.build.set("1.2.3", "SQLite \"3\"");
    let text = metrics.text();
    for family in catalogue() {
        let told = text.matches(&format!("# TYPE {} {}\n", family.name, family.kind)).count();
        let sparse = family.labels.contains(&"method");
        assert_eq!(told, usize::from(!sparse), "{}", family.name);
    }
    assert!(text.contains("firebell_build_info{version=\"1.2.3\",database=\"SQLite \\\"3\\\"\"} 1\n"), "{text}");
    assert!(!text.contains("slack_requests_total"));
}

#[test]
fn names_are_those_that_prometheus_knows_and_none_is_there_twice() {
    let names: std::collections::BTreeSet<&str> = catalogue().iter().map(|family| family.name).collect();
    assert_eq!(names.len(), catalogue().len());
    for family in catalogue() {
        assert!(family.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{}", family.name);
        assert_eq!(family.name.ends_with("_total"), family.kind == "counter", "{}", family.name);
        assert!(family.help.ends_with('.'), "{}", family.name);
    }
}

#[test]
fn two_programs_in_one_process_do_not_count_for_each_other() {
    let (one, other) = (Metrics::default(), Metrics::default());
    one.clone().outbox_dead.of((Lane::Page,)).count();
    assert_eq!(one.outbox_dead.of((Lane::Page,)).get(), 1);
    assert_eq!(other.outbox_dead.of((Lane::Page,)).get(), 0);
}
