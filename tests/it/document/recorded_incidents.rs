//! Every recorded incident: its figures, and each entry once in every format.

use firebell::domain::civil::format::LocalZone;
use firebell::domain::postmortem::{json, markdown};
use serde_json::Value;

use super::recordings::{Recording, all, instant};

#[test]
fn the_figures_are_the_expected_ones() {
    for recording in all() {
        let expected = recording.json["expect"].as_object().unwrap();
        let document: Value = serde_json::from_str(&json::json(&recording.postmortem())).unwrap();
        for (name, value) in expected {
            assert_eq!(&document["figures"][name], value, "{name} of {}", recording.name);
        }
    }
}

#[test]
fn every_entry_is_in_the_json_once_with_its_instant_and_offset() {
    for recording in all() {
        let document: Value = serde_json::from_str(&json::json(&recording.postmortem())).unwrap();
        let timeline = document["timeline"].as_array().unwrap();
        let told: Vec<_> = timeline
            .iter()
            .filter(|entry| entry["auto"] == false)
            .map(|entry| {
                (instant(&entry["at"]).unwrap(), entry["kind"].as_str().unwrap(), entry["text"].as_str().unwrap())
            })
            .collect();
        assert_eq!(told, recording.entries(), "{}", recording.name);
        for (entry, recorded) in
            timeline.iter().filter(|entry| entry["auto"] == false).zip(recording.json["entries"].as_array().unwrap())
        {
            assert_eq!(entry["team"], recorded["team"]);
            assert_eq!(entry["approx"], recorded["approx"].as_bool().unwrap_or(false));
            let same_offset = |value: &Value| value.as_str().unwrap().trim_end_matches('Z')[19..].to_owned();
            let recorded_offset = same_offset(&recorded["at"]);
            if !recorded_offset.is_empty() {
                assert_eq!(same_offset(&entry["at"]), recorded_offset, "{}", recording.name);
            }
        }
    }
}

#[test]
fn every_entry_is_in_the_markdown_once_with_its_local_time() {
    for recording in all() {
        let text = markdown::markdown(&recording.postmortem());
        let zone = LocalZone::new(&recording.incident.zone, None);
        for (at, _, words) in recording.entries() {
            let (words, mark) = (markdown::escape(words), [" ", ": "]);
            let says = |line: &&str| {
                let said = line.strip_suffix('.').filter(|_| !words.ends_with('.')).unwrap_or(line);
                line.starts_with("- ") && mark.iter().any(|mark| said.ends_with(&format!("{mark}{words}")))
            };
            let lines: Vec<&str> = text.lines().filter(says).collect();
            assert_eq!(lines.len(), 1, "“{words}” in {}:\n{text}", recording.name);
            let time = lines[0].trim_start_matches("- ").trim_start_matches("about ");
            assert!(time.starts_with(&zone.time(at)), "{time} is not {} in {}", zone.time(at), recording.name);
        }
    }
}

#[test]
fn the_same_history_gives_the_same_bytes() {
    let recording = Recording::load("93");
    assert_eq!(json::json(&recording.postmortem()), json::json(&recording.postmortem()));
}

#[test]
fn the_seed_reads_as_the_model_does() {
    insta::assert_snapshot!(markdown::markdown(&Recording::load("00-").postmortem()));
}

#[test]
fn the_seed_in_fixed_eastern_standard_time_says_est() {
    let text = markdown::markdown(&Recording::load("00b").postmortem());
    assert!(text.contains("On April 2nd, 2023, from 3:00 PM to 5:00 PM EST (2 hours)"));
    assert!(text.contains("All times in EST (UTC−05:00)."));
    assert!(!text.contains("EDT"));
}

#[test]
fn the_repeated_hour_names_both_abbreviations() {
    insta::assert_snapshot!(markdown::markdown(&Recording::load("90").postmortem()));
}

#[test]
fn a_chain_of_escalations_across_midnight_and_the_end_of_summer_time() {
    insta::assert_snapshot!(markdown::markdown(&Recording::load("93").postmortem()));
}

#[test]
fn a_fault_that_lay_hidden_for_months_has_day_headings() {
    insta::assert_snapshot!(markdown::markdown(&Recording::load("12").postmortem()));
}

#[test]
fn several_mitigations_are_told_as_recurrences() {
    insta::assert_snapshot!(markdown::markdown(&Recording::load("08").postmortem()));
}

#[test]
fn detection_before_the_impact_is_worded() {
    let text = markdown::markdown(&Recording::load("24").postmortem());
    assert!(text.contains("It was detected by a member of the team 3 hours before users were affected."), "{text}");
    assert!(!text.contains("-3"), "{text}");
}
