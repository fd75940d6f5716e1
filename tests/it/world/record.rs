//! Writing an incident down: notes, updates, answers, tasks, corrections; and reading it again.

use insta::assert_snapshot;

use crate::support::world::{World, minutes, on_both};

/// INC-1, five minutes old.
async fn shop_is_slow() -> World {
    let world = World::new().await;
    world.ana().types("/incident open Shop is slow sev2").await;
    world.until("15:05").await;
    world
}

on_both! {
    async fn notes_have_times_and_kinds(world) {
        world.ana().types("/incident open Shop is slow sev2").await;
        world.until("15:50").await;
        let ana = world.ana().in_incident(1).await;
        let mut echoes = Vec::new();
        for line in [
            "/incident note restarted the cache, no change",
            "/incident note 3:45pm restarted the database",
            "/incident note -10m frontend looks clean",
            "/incident note ~3:20pm the first customers called",
            "/incident action 15:48 rolled back the release",
            "/incident finding the slow query log is full",
            "/incident ruled-out the load balancer",
            "/incident decision we fail over at four",
        ] {
            echoes.push(format!("{line}\n{}", ana.types(line).await));
        }
        assert_snapshot!("note_echoes", echoes.join("\n\n"));
        assert_snapshot!("note_timeline", world.timeline(1).await);
    }
}

#[tokio::test]
async fn several_lines_are_several_notes() {
    let world = shop_is_slow().await;
    let ana = world.ana().in_incident(1).await;
    let echo = ana.types("/incident note 2:50pm first errors\n2:55pm errors at 5%\n3:01pm we look at it").await;
    assert_snapshot!("note_lines_echo", echo);
    assert_snapshot!("note_lines_timeline", world.timeline(1).await);
}

#[tokio::test]
async fn a_note_is_edited_and_removed_by_its_buttons() {
    let world = shop_is_slow().await;
    let ana = world.ana().in_incident(1).await;
    ana.types("/incident note restarted the databse").await;
    assert_snapshot!("note_edit_form", ana.clicks("Edit").await);
    assert_snapshot!("note_edited", ana.submits(&[("Text", "restarted the database")]).await);
    assert!(world.timeline(1).await.contains("restarted the database"));
    assert_snapshot!("note_removed", ana.clicks("Remove").await);
    assert!(!world.timeline(1).await.contains("restarted"));
    ana.types("/incident note one more").await;
    let seq = world.events(1).await;
    assert_snapshot!("note_edited_by_number", ana.types(&format!("/incident edit {seq} one better")).await);
    assert!(world.timeline(1).await.contains("one better"));
    ana.types(&format!("/incident remove {seq}")).await;
    assert!(!world.timeline(1).await.contains("one better"));
    assert_snapshot!("note_unknown_number", ana.types("/incident remove 999").await);
}

#[tokio::test]
async fn a_note_in_the_future_is_refused_with_the_way_out() {
    let world = shop_is_slow().await;
    let ana = world.ana().in_incident(1).await;
    assert_snapshot!("note_future", ana.types("/incident note 2026-12-01T23:00:00Z it will break").await);
    let before = world.events(1).await;
    assert_snapshot!("note_empty", ana.types("/incident note").await);
    assert_eq!(world.events(1).await, before);
}

#[tokio::test]
async fn every_change_is_told_in_the_channel() {
    let world = shop_is_slow().await;
    let ana = world.ana().in_incident(1).await;
    let mut echoes = Vec::new();
    for line in [
        "/incident status identified the database refuses connections",
        "/incident update Checkout works for half of the customers",
        "/incident severity sev1",
        "/incident commander @ben",
        "/incident role scribe @eli",
        "/incident role comms me",
        "/incident impact 30% of users cannot pay",
        "/incident title Checkout fails",
        "/incident started 2:50pm",
        "/incident mitigated traffic goes to the spare",
    ] {
        world.advance(minutes(1)).await;
        echoes.push(format!("{line}\n{}", ana.types(line).await));
    }
    assert_snapshot!("change_echoes", echoes.join("\n\n"));
    assert_snapshot!("change_channel", ana.sees());
    assert_eq!(ana.topic(), "SEV1 · INC-1 Checkout fails");
    assert_eq!(ana.members(), "ana ben eli firebell");
    assert_snapshot!("change_announcement", world.fay().within("#incidents").sees());
    assert_snapshot!("change_timeline", world.timeline(1).await);
}

#[tokio::test]
async fn answers_and_tasks_are_kept_for_the_postmortem() {
    let world = shop_is_slow().await;
    let ana = world.ana().in_incident(1).await;
    let mut echoes = Vec::new();
    for line in [
        "/incident cause wrong network settings in the cluster",
        "/incident resolution the settings were corrected",
        "/incident affected 30% of users",
        "/incident saw users could not check out",
        "/incident service the website of the shop",
        "/incident detected-by monitoring",
        "/incident kind outage",
        "/incident measure alert on database connectivity",
        "/incident ended now",
        "/incident task @dana due fri add an alert on connectivity",
        "/incident task write it down",
        "/incident task done 1",
        "/incident task done 1",
        "/incident task remove 2",
        "/incident task done 9",
        "/incident cause -",
        "/incident kind sadness",
    ] {
        echoes.push(format!("{line}\n{}", ana.types(line).await));
    }
    assert_snapshot!("answer_echoes", echoes.join("\n\n"));
    assert_snapshot!("answer_show", ana.types("/incident show").await);
    let incident = world.incident(1).await;
    assert_eq!(incident.tasks.len(), 1);
    assert!(incident.tasks[0].done);
    assert_eq!(incident.measures, ["alert on database connectivity"]);
    assert!(!incident.fields.contains_key(&firebell::domain::incident::Field::RootCause));
}

#[tokio::test]
async fn what_happened_elsewhere_is_recorded() {
    let world = shop_is_slow().await;
    let ana = world.ana().in_incident(1).await;
    let mut echoes = Vec::new();
    for line in [
        "/incident detected 2:40pm by=users a customer wrote to us",
        "/incident declared 2:50pm we call it an incident",
        "/incident called team=\"Network provider\" 2:55pm their hotline",
        "/incident called db-team 3pm by phone",
        "/incident ack team=db-team 3:02pm Dana is on it",
    ] {
        echoes.push(format!("{line}\n{}", ana.types(line).await));
    }
    assert_snapshot!("elsewhere_echoes", echoes.join("\n\n"));
    assert_snapshot!("elsewhere_timeline", world.timeline(1).await);
    // Only recorded: nobody is paged by it.
    assert_eq!(world.dana().in_dm().count(), 0);
}

#[tokio::test]
async fn people_look_without_changing_anything() {
    let world = shop_is_slow().await;
    world.ben().types("/incident open Mail is late sev4").await;
    let before = (world.events(1).await, world.events(2).await);
    let ana = world.ana().in_incident(1).await;
    let outside = world.chris();
    assert_snapshot!("look_list", outside.types("/incident list").await);
    assert_snapshot!("look_show", outside.types("/incident show INC-2").await);
    assert_snapshot!("look_status", ana.types("/incident status").await);
    assert_snapshot!("look_timeline", ana.types("/incident timeline").await);
    assert_snapshot!("look_postmortem", ana.types("/incident postmortem").await);
    assert_snapshot!("look_export_unknown", ana.types("/incident export pdf").await);
    assert_snapshot!("look_help_inside", ana.types("/incident help").await);
    assert_snapshot!("look_help_outside", outside.types("/incident help").await);
    assert_snapshot!("look_unknown_incident", outside.types("/incident show INC-77").await);
    assert_eq!((world.events(1).await, world.events(2).await), before);
}

#[tokio::test]
async fn somebody_joins_by_command_and_by_the_announcements_button() {
    let world = shop_is_slow().await;
    assert_snapshot!("join_by_command", world.ben().types("/incident join INC-1").await);
    assert_eq!(world.ben().in_incident(1).await.members(), "ana ben firebell");
    assert_snapshot!("join_by_button", world.chris().within("#incidents").clicks("Join").await);
    assert_eq!(world.ben().in_incident(1).await.members(), "ana ben chris firebell");
    assert_snapshot!("join_again", world.chris().within("#incidents").clicks("Join").await);
}

#[tokio::test]
async fn a_command_for_another_incident_says_what_it_did() {
    let world = shop_is_slow().await;
    let fay = world.fay();
    assert_snapshot!("elsewhere_status", fay.types("/incident INC-1 status monitoring").await);
    assert_snapshot!("elsewhere_update", fay.types("/incident INC-1 update Customers are calmer").await);
    assert_snapshot!("elsewhere_reopen", fay.types("/incident INC-1 reopen").await);
}

#[tokio::test]
async fn a_slip_is_answered_with_buttons_that_work() {
    let world = shop_is_slow().await;
    let ana = world.ana().in_incident(1).await;
    assert_snapshot!("slip_verb", ana.types("/incident resolv it works again").await);
    assert_snapshot!("slip_status", ana.types("/incident status monitring all calm").await);
    ana.clicks("status monitoring all c…").await;
    assert_eq!(world.incident(1).await.status.word(), "monitoring");
    assert_snapshot!("slip_team", ana.types("/escalate db-taem pages time out").await);
}

#[tokio::test]
async fn outside_an_incident_a_command_asks_which() {
    let world = shop_is_slow().await;
    world.ben().types("/incident open Mail is late sev4").await;
    assert_snapshot!("which_form", world.fay().types("/incident note customers call us").await);
    assert_snapshot!("which_answer", world.fay().submits(&[("Incident", "INC-1")]).await);
    assert!(world.timeline(1).await.contains("customers call us"));
    assert!(!world.timeline(2).await.contains("customers call us"));
}

#[tokio::test]
async fn typed_times_are_in_the_speakers_own_zone() {
    // The clocks go back in New York on 1 November 2026 at 2 AM: 1:30 comes twice.
    let world = World::starting("2026-11-01T09:00:00Z").await;
    world.ana().types("/incident open Night shift").await;
    let ana = world.ana().in_incident(1).await;
    world.eli().types("/incident join INC-1").await;
    let eli = world.eli().in_incident(1).await;
    let mut echoes = Vec::new();
    for (who, line) in [
        (&ana, "/incident note 12:30am before midnight is over"),
        (&ana, "/incident note 1:30am twice"),
        (&eli, "/incident note 5:30am London has no doubt"),
    ] {
        echoes.push(format!("{line}\n{}", who.types(line).await));
    }
    assert_snapshot!("zones_repeated_hour", echoes.join("\n\n"));
    assert_snapshot!("zones_timeline", world.timeline(1).await);
}

#[tokio::test]
async fn an_hour_that_never_was_is_asked_about() {
    // The clocks go forward in New York on 8 March 2026 at 2 AM.
    let world = World::starting("2026-03-08T12:00:00Z").await;
    world.ana().types("/incident open Night shift").await;
    let ana = world.ana().in_incident(1).await;
    assert_snapshot!("zones_skipped_hour", ana.types("/incident note 2:30am it broke").await);
}

#[tokio::test]
async fn a_command_may_turn_into_a_new_incident() {
    let world = World::new().await;
    world.fay().types("/incident note customers call us").await;
    assert_snapshot!("which_new_form", world.fay().submits(&[("Incident", "A new incident")]).await);
    let told = world.fay().submits(&[("What is wrong?", "Customers cannot pay")]).await;
    assert!(told.contains("Opened INC-1: Customers cannot pay."), "{told}");
}

#[tokio::test]
async fn documents_have_links_where_the_server_has_an_address() {
    let from = "# public_url = \"https://firebell.example.com\"";
    let world = World::where_instead(from, "public_url = \"https://firebell.example.com\"").await;
    world.ana().types("/incident open Shop is slow sev2").await;
    let ana = world.ana().in_incident(1).await;
    assert_snapshot!("links_postmortem_typed", ana.types("/incident postmortem").await);
    assert_snapshot!("links_export", ana.types("/incident export").await);
    assert_snapshot!("links_card", ana.finds("Teams:"));
    ana.types("/incident resolve").await;
    assert_snapshot!("links_postmortem", ana.finds("Postmortem draft"));
    for path in
        ["/incidents/1", "/incidents/1/postmortem", "/incidents/1/postmortem.md", "/incidents/1/postmortem.json"]
    {
        let (status, page) = world.stage().get(path).await.expect("answers");
        assert!(status == 200 && page.contains("Shop is slow"), "{path}: {status}");
    }
}

#[tokio::test]
async fn the_list_of_all_incidents_does_not_call_closed_ones_open() {
    let world = shop_is_slow().await;
    world.ana().types("/incident open Mail is late sev3").await;
    world.ana().in_incident(1).await.types("/incident resolve").await;
    let ana = world.ana().within("#general");
    let (open, all) = (ana.types("/incident list").await, ana.types("/incident list all").await);
    assert!(open.contains("1 open incident:") && !open.contains("Shop is slow"), "{open}");
    assert!(all.contains("2 incidents:") && all.contains("✓ SEV2") && all.contains("● SEV3"), "{all}");
}
