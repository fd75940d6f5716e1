use proptest::prelude::*;

use super::*;

fn at_ms(ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_700_000_000_000 + ms).expect("in range")
}

fn channel(name: &str) -> ChannelId {
    ChannelId::from(name)
}

fn take_all(pace: &mut Pace, method: Method, urgency: Urgency, now: DateTime<Utc>) -> u32 {
    let mut taken = 0;
    while pace.take(method, None, urgency, now).is_ok() {
        taken += 1;
    }
    taken
}

#[test]
fn ordinary_calls_leave_the_share_of_the_pages() {
    let mut pace = Pace::new();
    let budget = Method::ConversationsOpen.budget();
    let ordinary = take_all(&mut pace, Method::ConversationsOpen, Urgency::Ordinary, at_ms(0));
    let pages = take_all(&mut pace, Method::ConversationsOpen, Urgency::Page, at_ms(0));
    assert_eq!((ordinary, pages), (budget.burst - budget.reserved, budget.reserved));
}

#[test]
fn a_call_may_go_out_exactly_when_it_was_promised() {
    let mut pace = Pace::new();
    take_all(&mut pace, Method::PinsAdd, Urgency::Ordinary, at_ms(0));
    let ready = pace.ready_at(Method::PinsAdd, None, Urgency::Ordinary, at_ms(0)).expect("spent");
    assert!(pace.take(Method::PinsAdd, None, Urgency::Ordinary, ready - TimeDelta::microseconds(1)).is_err());
    assert_eq!(pace.take(Method::PinsAdd, None, Urgency::Ordinary, ready), Ok(()));
}

#[test]
fn calls_that_wait_are_told_different_instants_and_go_out_then() {
    let mut pace = Pace::new();
    take_all(&mut pace, Method::ChatUpdate, Urgency::Ordinary, at_ms(0));
    // The last of those above was refused and has the first instant.
    let told: Vec<_> =
        (0..5).map(|_| pace.take(Method::ChatUpdate, None, Urgency::Ordinary, at_ms(0)).expect_err("spent")).collect();
    assert!(told.windows(2).all(|pair| pair[1] - pair[0] == Method::ChatUpdate.budget().interval()), "{told:?}");
    for at in told {
        assert_eq!(pace.take(Method::ChatUpdate, None, Urgency::Ordinary, at), Ok(()));
    }
}

#[test]
fn in_a_crowd_nobody_is_told_an_instant_far_away() {
    let mut pace = Pace::new();
    take_all(&mut pace, Method::ChatUpdate, Urgency::Ordinary, at_ms(0));
    let first = pace.ready_at(Method::ChatUpdate, None, Urgency::Ordinary, at_ms(0)).expect("spent");
    let told: Vec<_> = (0..300)
        .map(|_| pace.take(Method::ChatUpdate, None, Urgency::Ordinary, at_ms(0)).expect_err("spent"))
        .collect();
    assert!(told.iter().all(|at| (first..=first + TOLD_MAX).contains(at)));
    let most = told.iter().map(|at| told.iter().filter(|other| *other == at).count()).max();
    assert!(most <= Some(300 / 9 + 1), "{most:?} come back at once");
}

#[test]
fn posts_that_wait_for_a_channel_are_told_different_instants() {
    let mut pace = Pace::new();
    let busy = channel("C1");
    let mut refused = || loop {
        if let Err(at) = pace.take(Method::ChatPostMessage, Some(&busy), Urgency::Ordinary, at_ms(0)) {
            return at;
        }
    };
    assert_eq!(refused() + CHANNEL.interval(), refused());
}

#[test]
fn methods_do_not_wait_for_each_other_and_channels_neither() {
    let mut pace = Pace::new();
    take_all(&mut pace, Method::ConversationsCreate, Urgency::Page, at_ms(0));
    assert_eq!(pace.ready_at(Method::ConversationsSetTopic, None, Urgency::Ordinary, at_ms(0)), None);
    let (busy, quiet) = (channel("C1"), channel("C2"));
    while pace.take(Method::ChatPostMessage, Some(&busy), Urgency::Page, at_ms(0)).is_ok() {}
    assert!(pace.ready_at(Method::ChatPostMessage, Some(&busy), Urgency::Page, at_ms(0)).is_some());
    assert_eq!(pace.ready_at(Method::ChatPostMessage, Some(&quiet), Urgency::Ordinary, at_ms(0)), None);
}

#[test]
fn too_often_pauses_the_method_for_exactly_as_long_as_slack_says() {
    for urgency in [Urgency::Page, Urgency::Ordinary] {
        let mut pace = Pace::new();
        pace.rate_limited(Method::ConversationsCreate, None, Duration::from_secs(30), at_ms(0));
        assert_eq!(pace.ready_at(Method::ConversationsCreate, None, urgency, at_ms(0)), Some(at_ms(30_000)));
        assert_eq!(pace.ready_at(Method::ConversationsCreate, None, urgency, at_ms(29_999)), Some(at_ms(30_000)));
        assert_eq!(pace.ready_at(Method::ChatPostMessage, Some(&channel("C1")), urgency, at_ms(0)), None);
        assert_eq!(pace.ready_at(Method::ConversationsCreate, None, urgency, at_ms(30_000)), None);
    }
}

#[test]
fn a_short_pause_on_a_post_holds_only_its_channel_until_a_second_channel_has_one() {
    let mut pace = Pace::new();
    let (first, second, third) = (channel("C1"), channel("C2"), channel("C3"));
    let post = Method::ChatPostMessage;
    pace.rate_limited(post, Some(&first), Duration::from_secs(1), at_ms(0));
    assert_eq!(pace.ready_at(post, Some(&first), Urgency::Page, at_ms(0)), Some(at_ms(1000)));
    assert_eq!(pace.ready_at(post, Some(&third), Urgency::Page, at_ms(0)), None);
    pace.rate_limited(post, Some(&second), Duration::from_secs(2), at_ms(0));
    assert_eq!(pace.ready_at(post, Some(&third), Urgency::Page, at_ms(0)), Some(at_ms(2000)));
}

#[test]
fn a_long_pause_on_a_post_holds_every_channel() {
    let mut pace = Pace::new();
    pace.rate_limited(Method::ChatPostMessage, Some(&channel("C1")), Duration::from_secs(20), at_ms(0));
    let other = channel("C2");
    assert_eq!(pace.ready_at(Method::ChatPostMessage, Some(&other), Urgency::Page, at_ms(0)), Some(at_ms(20_000)));
}

#[test]
fn a_clock_set_back_by_an_hour_does_not_make_anything_wait_an_hour() {
    let mut pace = Pace::new();
    pace.rate_limited(Method::PinsAdd, None, Duration::from_secs(10), at_ms(3_600_000));
    assert_eq!(pace.ready_at(Method::PinsAdd, None, Urgency::Page, at_ms(0)), Some(at_ms(10_000)));
    assert_eq!(pace.ready_at(Method::PinsAdd, None, Urgency::Page, at_ms(10_000)), None);
}

#[test]
fn the_memory_of_channels_is_bounded_by_those_in_use() {
    let mut pace = Pace::new();
    for number in 0..CHANNELS_MAX + 50 {
        let now = at_ms(i64::try_from(number).expect("small") * 60_000);
        pace.take(Method::ChatPostMessage, Some(&channel(&format!("C{number}"))), Urgency::Ordinary, now)
            .expect("free");
    }
    assert!(pace.channels.len() <= CHANNELS_MAX);
}

#[test]
fn what_was_named_before_the_clock_was_set_back_is_forgotten() {
    let mut pace = Pace::new();
    let method = Method::ChatUpdate;
    for now in [at_ms(3_600_000), at_ms(0)] {
        take_all(&mut pace, method, Urgency::Ordinary, now);
        let at = pace.take(method, None, Urgency::Ordinary, now).expect_err("is spent");
        assert!(at - now < TimeDelta::seconds(30), "{at}");
    }
}

#[test]
fn one_message_is_edited_every_few_seconds_at_most() {
    let mut pace = Pace::new();
    let card = |ts: &str| MessageRef { channel: channel("C1"), ts: ts.into() };
    for _ in 0..EDITS_AT_ONCE {
        assert_eq!(pace.take_edit(&card("1.1"), at_ms(0)), Ok(()));
    }
    assert_eq!(pace.take_edit(&card("1.1"), at_ms(100)), Err(at_ms(3_000)));
    assert_eq!(pace.take_edit(&card("1.2"), at_ms(100)), Ok(()));
    assert_eq!(pace.take_edit(&card("1.1"), at_ms(3_000)), Ok(()));
    assert_eq!(pace.take_edit(&card("1.1"), at_ms(3_100)), Err(at_ms(6_000)));
}

proptest! {
    /// Whatever is asked and whenever, no minute exceeds what Slack documents, and a page never waits longer than an
    /// ordinary call would.
    #[test]
    fn no_minute_exceeds_slacks_limit(
        which in 0..Method::ALL.len(),
        calls in prop::collection::vec((0_i64..3_000, any::<bool>(), 0_u8..3), 1..400),
    ) {
        let method = Method::ALL[which];
        let mut pace = Pace::new();
        let mut now_ms = 0;
        let mut made: Vec<(i64, ChannelId)> = Vec::new();
        for (gap_ms, urgent, name) in calls {
            now_ms += gap_ms;
            let channel = channel(&format!("C{name}"));
            let page = pace.ready_at(method, Some(&channel), Urgency::Page, at_ms(now_ms));
            let ordinary = pace.ready_at(method, Some(&channel), Urgency::Ordinary, at_ms(now_ms));
            prop_assert!(page <= ordinary);
            let urgency = if urgent { Urgency::Page } else { Urgency::Ordinary };
            if pace.take(method, Some(&channel), urgency, at_ms(now_ms)).is_ok() {
                made.push((now_ms, channel));
            }
        }
        for (start, _) in &made {
            let minute = || made.iter().filter(|(at, _)| (*start..start + 60_000).contains(at));
            prop_assert!(minute().count() <= method.budget().documented_per_minute as usize);
            if method.is_post() {
                for name in 0..3 {
                    let posts = minute().filter(|(_, channel)| channel.as_str() == format!("C{name}")).count();
                    prop_assert!(posts <= CHANNEL.documented_per_minute as usize);
                }
            }
        }
    }

    /// A promise is kept: at the instant that was named, the call goes out.
    #[test]
    fn what_is_promised_is_kept(calls in prop::collection::vec((0_i64..500, any::<bool>()), 1..200)) {
        let mut pace = Pace::new();
        let mut now_ms = 0;
        for (gap_ms, urgent) in calls {
            now_ms += gap_ms;
            let urgency = if urgent { Urgency::Page } else { Urgency::Ordinary };
            if let Err(ready) = pace.take(Method::PinsAdd, None, urgency, at_ms(now_ms)) {
                prop_assert!(ready > at_ms(now_ms));
                prop_assert_eq!(pace.clone().take(Method::PinsAdd, None, urgency, ready), Ok(()));
            }
        }
    }
}
