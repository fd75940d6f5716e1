//! The findings as text for a terminal. Words carry the meaning, never colour alone.

use std::fmt::{self, Write};

use super::{Finding, Severity};

/// Writes the findings, area by area, what is worst first, and a closing line.
pub fn print(findings: &[Finding], out: &mut impl Write) -> fmt::Result {
    let mut sorted: Vec<&Finding> = findings.iter().collect();
    sorted.sort_by_key(|finding| (finding.area, std::cmp::Reverse(finding.severity)));
    let mut area = None;
    for finding in &sorted {
        if area != Some(finding.area) {
            writeln!(out, "{}{}", if area.is_some() { "\n" } else { "" }, finding.area.name())?;
            area = Some(finding.area);
        }
        writeln!(out, "  {:<8} {}", word(finding.severity), finding.sentence)?;
        if let Some(remedy) = &finding.remedy {
            for line in remedy.lines() {
                writeln!(out, "           → {line}")?;
            }
        }
    }
    writeln!(out, "\n{}", closing_line(findings))
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Ok => "ok",
        Severity::Warning => "warning",
        Severity::Problem => "PROBLEM",
    }
}

fn closing_line(findings: &[Finding]) -> String {
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let many = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    match (count(Severity::Problem), count(Severity::Warning)) {
        (0, 0) => "All is well.".to_owned(),
        (0, warnings) => format!("{}; pages will go out.", many(warnings, "warning")),
        (1, 0) => "1 problem. Put it right before you rely on Firebell.".to_owned(),
        (problems, 0) => format!("{}. Put these right before you rely on Firebell.", many(problems, "problem")),
        (problems, warnings) => format!(
            "{} and {}. Put the problems right before you rely on Firebell.",
            many(problems, "problem"),
            many(warnings, "warning")
        ),
    }
}
