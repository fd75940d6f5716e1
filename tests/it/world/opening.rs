//! Opening an incident: what the opener, the incident's channel and everybody else are told.

use insta::assert_snapshot;

use crate::support::world::on_both;

on_both! {
    async fn a_line_opens_an_incident(world) {
        let answer = world.ana().types("/incident open Shop is very slow, checkouts fail sev2").await;
        assert_snapshot!("open_answer", answer);
        assert_snapshot!("open_channel", world.ben().within("#inc-1-shop-is-very-slow-checkouts-fail").sees());
        assert_snapshot!("open_announcement", world.ben().within("#incidents").sees());
        let inside = world.ana().in_incident(1).await;
        assert_eq!(
            inside.topic(),
            "SEV2 · Investigating · Lead: nobody yet · INC-1 Shop is very slow, checkouts fail"
        );
        assert_eq!(inside.members(), "ana firebell");
        assert_snapshot!("open_timeline", world.timeline(1).await);
    }
}
