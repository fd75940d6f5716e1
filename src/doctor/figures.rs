//! What a running Firebell says of itself at `/metrics`, as far as the doctor looks at it. Pure.

/// The figures that tell whether the promise is kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// First attempts at pages since the program started.
    pub pages: u64,
    /// The bound, in seconds, below which 99 of 100 of them were late; `None` beyond the last bound, or without any.
    pub lateness_p99_s: Option<f64>,
    pub unattempted_s: f64,
    pub unaccepted_s: f64,
    pub audit_findings: f64,
    /// Calls that wait until somebody says whether they go on.
    pub calls_held: f64,
    /// Seconds since 1970; 0 for never.
    pub chain_ok_at_s: f64,
    pub self_test_ok_at_s: f64,
    pub clock_jumps: f64,
    /// Connections of Socket Mode that another program holds with the same token.
    pub foreign_connections: f64,
    pub disk_full: bool,
    pub read_only: bool,
}

impl Figures {
    /// Reads the text format; `None` if it is not Firebell's.
    pub fn read(text: &str) -> Option<Self> {
        let sum = |name: &str| -> f64 { samples(text, name).map(|(_, value)| value).sum() };
        samples(text, "firebell_build_info").next()?;
        let mut buckets: Vec<(f64, f64)> = Vec::new();
        for (labels, value) in samples(text, "firebell_page_lateness_seconds_bucket") {
            let Some(bound) = labels.split("le=\"").nth(1).and_then(|rest| rest.split('"').next()) else { continue };
            let bound: f64 = if bound == "+Inf" { f64::INFINITY } else { bound.parse().ok()? };
            match buckets.iter_mut().find(|(known, _)| known.total_cmp(&bound).is_eq()) {
                Some((_, count)) => *count += value,
                None => buckets.push((bound, value)),
            }
        }
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        let total = buckets.last().map_or(0.0, |(_, count)| *count);
        let p99 = buckets.iter().find(|(_, count)| *count >= total * 0.99).map(|(bound, _)| *bound);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of pages")]
        let pages = total as u64;
        Some(Self {
            pages,
            lateness_p99_s: p99.filter(|bound| bound.is_finite() && pages > 0),
            unattempted_s: sum("firebell_oldest_unattempted_page_seconds"),
            unaccepted_s: sum("firebell_oldest_unaccepted_page_seconds"),
            audit_findings: sum("firebell_audit_findings"),
            calls_held: sum("firebell_calls_on_hold"),
            chain_ok_at_s: sum("firebell_chain_verify_last_ok_timestamp_seconds"),
            self_test_ok_at_s: sum("firebell_self_test_last_ok_timestamp_seconds"),
            clock_jumps: sum("firebell_clock_jumps_total"),
            foreign_connections: sum("firebell_slack_foreign_connections"),
            disk_full: sum("firebell_db_full") > 0.0,
            read_only: sum("firebell_db_read_only") > 0.0,
        })
    }
}

/// The samples of one series: labels and value.
fn samples<'t>(text: &'t str, name: &str) -> impl Iterator<Item = (&'t str, f64)> {
    text.lines().filter_map(move |line| {
        let rest = line.strip_prefix(name)?;
        let (labels, value) = match rest.strip_prefix('{') {
            Some(rest) => rest.rsplit_once("} ")?,
            None => ("", rest.strip_prefix(' ')?),
        };
        Some((labels, value.trim().parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::metrics::{Late, Metrics, Sent, Tier};

    #[test]
    fn the_99th_of_a_hundred_is_read_over_all_labels() {
        let metrics = Metrics::default();
        assert_eq!(Figures::read(&metrics.text()), None, "a program that says who it is");
        metrics.build.set("1", "SQLite 3");
        assert_eq!(Figures::read(&metrics.text()).expect("is ours").lateness_p99_s, None);
        let observe = |sent, ms| {
            let lateness = metrics.page_lateness.of((sent, Tier::First, Late::No));
            lateness.observe(TimeDelta::milliseconds(ms));
        };
        (0..150).for_each(|_| observe(Sent::Person, 20));
        (0..48).for_each(|_| observe(Sent::Channel, 800));
        observe(Sent::Person, 4_000);
        observe(Sent::Channel, 9_000_000);
        metrics.oldest_unattempted.set(2.5);
        let figures = Figures::read(&metrics.text()).expect("is ours");
        assert_eq!((figures.pages, figures.lateness_p99_s, figures.unattempted_s), (200, Some(1.0), 2.5));
        (0..3).for_each(|_| observe(Sent::Person, 9_000_000));
        assert_eq!(Figures::read(&metrics.text()).expect("is ours").lateness_p99_s, None, "later than the last bound");
    }
}
