//! Stored events must decode for ever: `tests/golden/events.jsonl` holds one line of every kind that was ever stored.
//!
//! A changed line is a mistake; a new kind gets a new line. The file is never rewritten from the code.

use std::collections::BTreeSet;

use firebell::domain::event::{Event, Recorded};

const GOLDEN: &str = include_str!("../golden/events.jsonl");

fn stored() -> impl Iterator<Item = (usize, &'static str)> {
    GOLDEN.lines().enumerate().filter(|(_, line)| !line.trim().is_empty())
}

#[test]
fn every_event_that_was_ever_stored_still_decodes() {
    for (number, line) in stored() {
        let decoded: Result<Recorded, _> = serde_json::from_str(line);
        assert!(decoded.is_ok(), "line {}: {:?}", number + 1, decoded.err());
    }
}

#[test]
fn what_is_decoded_is_stored_again_without_loss() {
    for (number, line) in stored() {
        let decoded: Recorded = serde_json::from_str(line).expect("decodes");
        let again = serde_json::to_value(&decoded).expect("encodes");
        let before: serde_json::Value = serde_json::from_str(line).expect("is JSON");
        assert_eq!(again, before, "line {}", number + 1);
    }
}

#[test]
fn every_kind_of_event_has_a_line() {
    let lined: BTreeSet<String> = stored()
        .map(|(_, line)| serde_json::from_str::<serde_json::Value>(line).expect("is JSON"))
        .map(|recorded| recorded["event"]["type"].as_str().expect("a type").to_owned())
        .collect();
    let known: BTreeSet<String> = kinds().into_iter().map(ToOwned::to_owned).collect();
    assert_eq!(lined, known);
}

/// The kinds, each named once; the compiler asks for a new one here.
fn kinds() -> Vec<&'static str> {
    let name = |event: &Event| match event {
        Event::Opened { .. } => "opened",
        Event::Detected { .. } => "detected",
        Event::Declared { .. } => "declared",
        Event::StatusChanged { .. } => "status_changed",
        Event::Mitigated { .. } => "mitigated",
        Event::Resolved { .. } => "resolved",
        Event::Reopened { .. } => "reopened",
        Event::Canceled { .. } => "canceled",
        Event::SeverityChanged { .. } => "severity_changed",
        Event::TitleChanged { .. } => "title_changed",
        Event::RoleAssigned { .. } => "role_assigned",
        Event::UpdatePosted { .. } => "update_posted",
        Event::Noted { .. } => "noted",
        Event::TextEdited { .. } => "text_edited",
        Event::EntryRemoved { .. } => "entry_removed",
        Event::ImpactStartSet { .. } => "impact_start_set",
        Event::ImpactEndSet { .. } => "impact_end_set",
        Event::FieldSet { .. } => "field_set",
        Event::MeasureAdded { .. } => "measure_added",
        Event::MeasureRemoved { .. } => "measure_removed",
        Event::TaskAdded { .. } => "task_added",
        Event::TaskDone { .. } => "task_done",
        Event::TaskRemoved { .. } => "task_removed",
        Event::ProseWritten { .. } => "prose_written",
        Event::Escalated { .. } => "escalated",
        Event::TierStarted { .. } => "tier_started",
        Event::TierSkipped { .. } => "tier_skipped",
        Event::PageAttempted { .. } => "page_attempted",
        Event::PagedElsewhere { .. } => "paged_elsewhere",
        Event::Acknowledged { .. } => "acknowledged",
        Event::JoinedAcknowledged { .. } => "joined_acknowledged",
        Event::AcknowledgementLapsed { .. } => "acknowledgement_lapsed",
        Event::Declined { .. } => "declined",
        Event::ActivitySeen { .. } => "activity_seen",
        Event::EscalationAdvanced { .. } => "escalation_advanced",
        Event::EscalationStopped { .. } => "escalation_stopped",
        Event::EscalationExhausted { .. } => "escalation_exhausted",
        Event::PageWithheld { .. } => "page_withheld",
        Event::EscalationHeld { .. } => "escalation_held",
        Event::EscalationResumed { .. } => "escalation_resumed",
        Event::AlertFiring { .. } => "alert_firing",
        Event::AlertRepeated { .. } => "alert_repeated",
        Event::AlertCleared { .. } => "alert_cleared",
        Event::AlertCounting { .. } => "alert_counting",
        Event::AlertJoined { .. } => "alert_joined",
        Event::StormBegan { .. } => "storm_began",
        Event::StormEnded { .. } => "storm_ended",
        Event::AlertTakenOut { .. } => "alert_taken_out",
        Event::AlertTakenFrom { .. } => "alert_taken_from",
        Event::PersonErased { .. } => "person_erased",
        Event::CaptureRequested { .. } => "capture_requested",
        Event::DocumentRequested { .. } => "document_requested",
        Event::DocumentNotSent { .. } => "document_not_sent",
        Event::ChannelCreated { .. } => "channel_created",
        Event::ChannelFailed { .. } => "channel_failed",
        Event::CardPosted { .. } => "card_posted",
        Event::AnnouncementPosted { .. } => "announcement_posted",
        Event::EscalationPosted { .. } => "escalation_posted",
        Event::PostmortemPosted { .. } => "postmortem_posted",
        Event::ClockSet { .. } => "clock_set",
    };
    let decoded: Vec<Recorded> = stored().map(|(_, line)| serde_json::from_str(line).expect("decodes")).collect();
    let mut kinds: Vec<&'static str> = decoded.iter().map(|recorded| name(&recorded.occurrence.event)).collect();
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds.len(), 60, "a kind of event without a stored line");
    kinds
}
