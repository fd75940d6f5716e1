use serde_json::json;

use super::*;
use crate::ids::{ChannelId, MessageTs, UserId, WorkspaceId};

fn interaction(payload: &Value) -> Interaction {
    match parse_interaction(payload) {
        Inbound::Interaction(interaction) => interaction,
        other => panic!("{other:?}"),
    }
}

fn event(payload: &Value) -> EventEnvelope {
    match parse_event(payload) {
        Parsed::Inbound(inbound) => match *inbound {
            Inbound::Event(envelope) => envelope,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

fn typed(fields: &[(&str, &str)]) -> SlashCommand {
    SlashCommand::read(|name| fields.iter().find(|(key, _)| *key == name).map(|(_, text)| (*text).to_owned()))
}

#[test]
fn what_was_picked_and_what_was_typed_are_told_apart() {
    let text = |text: &str| typed(&[("text", text)]).text;
    assert_eq!(
        text(
            "note <!channel> <!subteam^S1|@dev> <#C1|ops> <https://a.example/?a=1&amp;b=2> <mailto:a@b.example|a@b.example>"
        ),
        "note @channel \u{2}<!subteam^S1|@dev> #ops https://a.example/?a=1&b=2 a@b.example"
    );
    let typed = "note &lt;!channel&gt; &lt;@U1&gt; &lt;https://a|b&gt; &amp;lt;";
    assert_eq!(text(typed), "note <!channel> <@U1> <https://a|b> &lt;");
    assert_eq!(text("a < b <c"), "a < b <c");
}

#[test]
fn a_command_keeps_mentions_and_undoes_escapes_once() {
    let command = typed(&[
        ("team_id", "T1"),
        ("channel_id", "C1"),
        ("channel_name", "general"),
        ("user_id", "U1"),
        ("user_name", "ana"),
        ("command", "/escalate"),
        ("text", "<@U2|ben> <#C7|> disk &gt; 90% &amp;lt; a &lt; b & c &"),
        ("trigger_id", "13.37.abc"),
        ("response_url", "https://hooks.slack.com/commands/1"),
    ]);
    assert_eq!(command.text, "\u{2}<@U2|ben> #C7 disk > 90% &lt; a < b & c &");
    assert_eq!((command.workspace, command.enterprise), (Some(WorkspaceId::from("T1")), None));
    assert_eq!((command.user, command.channel_name.as_str()), (UserId::from("U1"), "general"));
}

#[test]
fn a_button_on_a_message_whose_metadata_is_odd_still_works() {
    let payload = json!({
        "type": "block_actions", "team": {"id": "T1"}, "user": {"id": "U1", "username": "ana"},
        "container": {"type": "message", "message_ts": "1.2", "channel_id": "C1", "is_ephemeral": false},
        "channel": {"id": "C1", "name": "general"}, "trigger_id": "t1", "response_url": "https://hooks.slack.com/a",
        "message": {"ts": "1.2", "text": "x", "metadata": {"event_type": "e", "event_payload": {"n": 7, "l": [1]}},
                    "attachments": [{"id": "one"}]},
        "actions": [{"action_id": "ack", "block_id": "b", "type": "button", "value": "42:1:3", "action_ts": "9.9"}],
    });
    let Interaction::BlockActions(pressed) = interaction(&payload) else { panic!("a button") };
    assert_eq!(pressed.actions[0].choice.text(), Some("42:1:3"));
    assert_eq!(
        pressed.container,
        Container::Message {
            channel: Some(ChannelId::from("C1")),
            ts: MessageTs::from("1.2"),
            thread_ts: None,
            is_ephemeral: false
        }
    );
}

#[test]
fn an_app_installed_for_an_organisation_loses_nothing_to_its_null_team() {
    let payload = json!({
        "type": "view_submission", "team": null, "enterprise": {"id": "E1", "name": "Org"}, "is_enterprise_install": true,
        "user": {"id": "W1", "name": "ana", "team_id": "T9"},
        "view": {"id": "V1", "callback_id": "open", "private_metadata": "m", "hash": "1.h", "app_installed_team_id": "T2",
                 "state": {"values": {"b": {"title": {"type": "plain_text_input", "value": "db is down"}}}}},
        "response_urls": [{"channel_id": "C1", "response_url": "https://hooks.slack.com/x"}],
    });
    let Interaction::ViewSubmission(sent) = interaction(&payload) else { panic!("a dialog") };
    assert_eq!(sent.who.workspace, Some(WorkspaceId::from("T2")));
    assert_eq!((sent.who.enterprise.as_deref(), sent.view.state.text("title")), (Some("E1"), Some("db is down")));
    assert_eq!(sent.response_urls.len(), 1);

    let envelope = event(&json!({
        "type": "event_callback", "team_id": null, "enterprise_id": "E1", "event_id": "Ev1",
        "event": {"type": "reaction_added", "user": "W1", "reaction": "pushpin", "item": {"type": "message", "channel": "C1", "ts": "1.2"}},
    }));
    assert_eq!(envelope.workspace, None);
    assert!(matches!(envelope.event, Event::ReactionAdded { item: Some(_), .. }));
}

#[test]
fn every_kind_of_input_is_read_from_actions_and_from_the_state() {
    let users = |ids: &[&str]| Choice::Users(ids.iter().map(|id| UserId::from(*id)).collect());
    let channels = |ids: &[&str]| Choice::Channels(ids.iter().map(|id| ChannelId::from(*id)).collect());
    let picked = |value: &str, text: &str| Picked { value: value.into(), text: text.into() };
    let option = json!({"value": "sev1", "text": {"type": "plain_text", "text": "SEV1"}});
    let inputs = [
        (json!({"type": "button", "value": "v"}), Choice::Text("v".into())),
        (json!({"type": "button"}), Choice::Nothing),
        (json!({"type": "static_select", "selected_option": option}), Choice::Options(vec![picked("sev1", "SEV1")])),
        (json!({"type": "static_select", "selected_option": null}), Choice::Nothing),
        (json!({"type": "checkboxes", "selected_options": []}), Choice::Options(vec![])),
        (
            json!({"type": "multi_static_select", "selected_options": [option]}),
            Choice::Options(vec![picked("sev1", "SEV1")]),
        ),
        (json!({"type": "users_select", "selected_user": "U1"}), users(&["U1"])),
        (json!({"type": "multi_users_select", "selected_users": ["U1", "U2"]}), users(&["U1", "U2"])),
        (json!({"type": "channels_select", "selected_channel": "C1"}), channels(&["C1"])),
        (json!({"type": "multi_channels_select", "selected_channels": ["C1"]}), channels(&["C1"])),
        (json!({"type": "conversations_select", "selected_conversation": "D1"}), channels(&["D1"])),
        (
            json!({"type": "multi_conversations_select", "selected_conversations": ["C1", "D1"]}),
            channels(&["C1", "D1"]),
        ),
        (json!({"type": "datepicker", "selected_date": "2026-11-22"}), Choice::Date("2026-11-22".into())),
        (json!({"type": "timepicker", "selected_time": "09:30"}), Choice::Time("09:30".into())),
        (json!({"type": "datetimepicker", "selected_date_time": 1_700_000_000}), Choice::Instant(1_700_000_000)),
        (
            json!({"type": "rich_text_input", "rich_text_value": {"type": "rich_text"}}),
            Choice::Rich(json!({"type": "rich_text"})),
        ),
        (json!({"type": "file_input", "files": [{"id": "F1"}]}), Choice::Files(vec!["F1".into()])),
        (json!({"type": "number_input", "value": "7"}), Choice::Text("7".into())),
        (json!({"type": "hologram", "value": 7}), Choice::Text("7".into())),
    ];
    for (input, expected) in inputs {
        let payload = json!({"type": "block_actions", "user": {"id": "U1"}, "actions": [input],
                             "state": {"values": {"b": {"a": input}}}});
        let Interaction::BlockActions(used) = interaction(&payload) else { panic!("an action") };
        assert_eq!(used.actions[0].choice, expected, "{input}");
        assert_eq!(used.state.find("a"), Some(&expected), "{input}");
    }
}

#[test]
fn a_button_in_the_home_tab_and_in_a_dialog_know_where_they_stood() {
    let payload = |kind: &str| {
        json!({"type": "block_actions", "user": {"id": "U1"}, "container": {"type": "view", "view_id": "V1"},
                                      "view": {"id": "V1", "type": kind}, "actions": []})
    };
    let container = |kind| match interaction(&payload(kind)) {
        Interaction::BlockActions(used) => used.container,
        other => panic!("{other:?}"),
    };
    assert_eq!(container("home"), Container::Home { view_id: "V1".into() });
    assert_eq!(container("modal"), Container::View { view_id: "V1".into() });
}

#[test]
fn shortcuts_menus_and_closed_dialogs_are_told_apart() {
    let shortcut = json!({"type": "message_action", "callback_id": "add", "trigger_id": "t", "response_url": "https://h",
        "user": {"id": "U1", "name": "ana"}, "team": {"id": "T1"}, "channel": {"id": "C1"}, "message_ts": "5.6",
        "message": {"user": "U2", "text": "look", "thread_ts": "5.0", "files": [{"id": "F1", "title": "graph.png", "mimetype": "image/png"}]}});
    let Interaction::MessageShortcut(shortcut) = interaction(&shortcut) else { panic!("a shortcut") };
    assert_eq!((shortcut.message.ts.as_str(), shortcut.message.files[0].name.as_str()), ("5.6", "graph.png"));

    let global =
        interaction(&json!({"type": "shortcut", "callback_id": "open", "trigger_id": "t", "user": {"id": "U1"}}));
    assert!(matches!(global, Interaction::GlobalShortcut(GlobalShortcut { trigger_id: Some(_), .. })));
    let menu =
        interaction(&json!({"type": "block_suggestion", "action_id": "team", "value": "db", "user": {"id": "U1"}}));
    assert!(matches!(menu, Interaction::BlockSuggestion(BlockSuggestion { value, .. }) if value == "db"));
    let closed =
        interaction(&json!({"type": "view_closed", "is_cleared": true, "view": {"id": "V1"}, "user": {"id": "U1"}}));
    assert!(matches!(closed, Interaction::ViewClosed(ViewClosed { is_cleared: true, .. })));
    let unknown = interaction(&json!({"type": "telepathy", "user": {"id": "U1"}}));
    assert!(matches!(unknown, Interaction::Unknown { kind, .. } if kind == "telepathy"));
}

#[test]
fn edits_deletions_and_thread_notices_are_not_taken_for_messages() {
    let of = |event_payload: Value| {
        event(&json!({"type": "event_callback", "event_id": "Ev1", "event": event_payload})).event
    };
    let changed = of(
        json!({"type": "message", "subtype": "message_changed", "channel": "C1", "hidden": true, "ts": "2.0",
        "message": {"ts": "1.0", "text": "after", "user": "U1", "edited": {"user": "U1", "ts": "2.0"}}, "previous_message": {"ts": "1.0", "text": "before"}}),
    );
    let Event::MessageChanged { message, previous: Some(previous), .. } = changed else { panic!("{changed:?}") };
    assert_eq!((message.text.as_str(), message.edited, previous.text.as_str()), ("after", true, "before"));
    let deleted = of(
        json!({"type": "message", "subtype": "message_deleted", "channel": "C1", "previous_message": {"ts": "1.0"}}),
    );
    assert!(matches!(deleted, Event::MessageDeleted { deleted_ts, .. } if deleted_ts.as_str() == "1.0"));
    let replied =
        of(json!({"type": "message", "subtype": "message_replied", "channel": "C1", "message": {"ts": "1.0"}}));
    assert!(matches!(replied, Event::Unknown { .. }));
    let broadcast = of(
        json!({"type": "message", "subtype": "thread_broadcast", "channel": "C1", "ts": "3.0", "text": "all", "user": "U1"}),
    );
    assert!(matches!(broadcast, Event::Message { .. }));
}

#[test]
fn an_alert_that_speaks_only_in_attachments_keeps_its_text() {
    let message = SeenMessage::read(&json!({"ts": "1.0", "bot_id": "B1", "text": "", "attachments": [
        {"id": "not-a-number", "text": "disk full"}, {"fallback": "on db-3"}]}));
    assert_eq!(message.text, "disk full\non db-3");
    assert!(message.is_from_bot());
}

#[test]
fn a_delivery_is_known_again_by_slacks_id_and_else_by_its_body() {
    let keyed = |payload: &Value| delivery_key(&parse_interaction(payload), payload.to_string().as_bytes());
    let pressed = json!({"type": "block_actions", "trigger_id": "13.37", "user": {"id": "U1"}, "actions": []});
    assert_eq!(keyed(&pressed), "trigger:13.37");
    let closed = |view: &str| json!({"type": "view_closed", "view": {"id": view}, "user": {"id": "U1"}});
    assert_eq!(keyed(&closed("V1")), keyed(&closed("V1")));
    assert_ne!(keyed(&closed("V1")), keyed(&closed("V2")));
    let happened = Inbound::Event(event(
        &json!({"type": "event_callback", "event_id": "Ev7", "event": {"type": "app_uninstalled"}}),
    ));
    assert_eq!(delivery_key(&happened, b"whatever"), "event:Ev7");
}

#[test]
fn strange_types_in_every_place_lose_no_request() {
    for strange in [Value::Null, json!(7), json!("x"), json!([]), json!({}), json!(true)] {
        let keys = [
            "team",
            "user",
            "channel",
            "view",
            "message",
            "container",
            "actions",
            "state",
            "trigger_id",
            "response_urls",
        ];
        for kind in
            ["block_actions", "view_submission", "view_closed", "message_action", "shortcut", "block_suggestion"]
        {
            let mut payload = json!({"type": kind});
            for key in keys {
                payload[key] = strange.clone();
            }
            assert!(!matches!(interaction(&payload), Interaction::Unknown { .. }), "{kind} with {strange}");
        }
        let envelope = event(
            &json!({"type": "event_callback", "event": strange, "event_time": strange, "authorizations": strange}),
        );
        assert!(matches!(envelope.event, Event::Unknown { .. }));
    }
}

#[test]
fn outer_kinds_that_are_new_are_named_and_nothing_else_of_them() {
    assert_eq!(parse_event(&json!({"type": "url_verification", "challenge": "abc"})), Parsed::Challenge("abc".into()));
    assert_eq!(parse_event(&json!({"type": "crystal\nball<script>"})), Parsed::Unknown("crystalballscript".into()));
    assert!(matches!(
        event(&json!({"type": "app_rate_limited", "minute_rate_limited": 1_518_467_820})).event,
        Event::RateLimited { from: Some(_) }
    ));
}
