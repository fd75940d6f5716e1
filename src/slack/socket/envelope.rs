//! The frames of Socket Mode, read tolerantly.

use serde_json::{Value, json};

use super::backoff::Why;
use crate::slack::fields;
use crate::slack::inbound::{
    Ack, Inbound, Parsed, Retry, SlashCommand, busy_message, kind_name, parse_event, parse_interaction,
};

/// One text frame of Slack's.
#[derive(Debug, PartialEq)]
pub(super) enum Frame {
    /// Slack's greeting, with how many connections the app has now, this one among them.
    Hello {
        connections: Option<u64>,
    },
    /// Slack will close this connection soon and wants us to have another.
    Refresh,
    /// Slack closes this connection and another would be closed too.
    Refused(Why),
    Envelope(Envelope),
    /// Nothing we know; the kind's name.
    Other(String),
}

/// A delivery with the id under which it is acknowledged.
#[derive(Debug, PartialEq)]
pub(super) struct Envelope {
    pub(super) id: String,
    /// Whether Slack reads an answer besides the acknowledgement.
    pub(super) takes_answer: bool,
    pub(super) retry: Option<Retry>,
    /// The payload as text, for the delivery key of what has no id.
    pub(super) body: String,
    /// None for a kind we do not know or a payload that is none: acknowledged, because it will not get better.
    pub(super) inbound: Option<Box<Inbound>>,
    /// For the log.
    pub(super) kind: String,
}

impl Frame {
    pub(super) fn read(text: &str) -> Self {
        let Ok(frame) = serde_json::from_str::<Value>(text) else { return Self::Other("no JSON".to_owned()) };
        let kind = kind_name(&fields::text_or_empty(&frame, "type"));
        match kind.as_str() {
            "hello" => return Self::Hello { connections: frame.get("num_connections").and_then(Value::as_u64) },
            "disconnect" => {
                return match fields::text_or_empty(&frame, "reason").as_str() {
                    "link_disabled" => Self::Refused(Why::SwitchedOff),
                    "too_many_websockets" => Self::Refused(Why::TooMany),
                    // `warning`, `refresh_requested`, and whatever Slack may think of.
                    _ => Self::Refresh,
                };
            }
            _ => {}
        }
        let Some(id) = fields::text(&frame, "envelope_id") else { return Self::Other(kind) };
        let payload = frame.get("payload").filter(|payload| payload.is_object());
        let inbound = payload.and_then(|payload| match kind.as_str() {
            "events_api" => match parse_event(payload) {
                Parsed::Inbound(inbound) => Some(inbound),
                Parsed::Challenge(_) | Parsed::Unknown(_) => None,
            },
            "slash_commands" => {
                Some(Box::new(Inbound::Command(SlashCommand::read(|name| fields::text(payload, name)))))
            }
            "interactive" => Some(Box::new(parse_interaction(payload))),
            _ => None,
        });
        let number = fields::number(&frame, "retry_attempt").and_then(|number| u32::try_from(number).ok());
        Self::Envelope(Envelope {
            id,
            takes_answer: fields::flag(&frame, "accepts_response_payload"),
            retry: number
                .filter(|number| *number > 0)
                .map(|number| Retry { number, reason: kind_name(&fields::text_or_empty(&frame, "retry_reason")) }),
            body: payload.map(Value::to_string).unwrap_or_default(),
            inbound,
            kind,
        })
    }
}

/// The frame that acknowledges an envelope; `None` leaves it open, so that Slack delivers it again.
pub(super) fn acknowledge(id: &str, takes_answer: bool, is_command: bool, ack: Ack) -> Option<String> {
    let answer = match ack {
        Ack::Empty => None,
        Ack::Message(message) => Some(message.into_answer().into()),
        Ack::View(value) | Ack::Options(value) => Some(value),
        Ack::Busy if is_command && takes_answer => Some(busy_message().into_answer().into()),
        Ack::Busy => return None,
    };
    let frame = match answer.filter(|_| takes_answer) {
        Some(payload) => json!({"envelope_id": id, "payload": payload}),
        None => json!({"envelope_id": id}),
    };
    Some(frame.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slack::message::Message;

    fn envelope(text: &Value) -> Envelope {
        match Frame::read(&text.to_string()) {
            Frame::Envelope(envelope) => envelope,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn reasons_to_disconnect_are_told_apart() {
        let frame = |reason: &str| Frame::read(&json!({"type": "disconnect", "reason": reason}).to_string());
        assert_eq!(frame("warning"), Frame::Refresh);
        assert_eq!(frame("refresh_requested"), Frame::Refresh);
        assert_eq!(frame("link_disabled"), Frame::Refused(Why::SwitchedOff));
        assert_eq!(frame("too_many_websockets"), Frame::Refused(Why::TooMany));
        assert_eq!(frame("some_new_reason"), Frame::Refresh);
    }

    #[test]
    fn what_is_unknown_inside_an_envelope_can_still_be_acknowledged() {
        for text in [
            json!({"type": "telegram", "envelope_id": "e1", "payload": {}}),
            json!({"type": "events_api", "envelope_id": "e1", "payload": null}),
            json!({"type": "events_api", "envelope_id": "e1", "payload": {"type": "new_outer_type"}}),
        ] {
            let envelope = envelope(&text);
            assert_eq!((envelope.id.as_str(), envelope.inbound), ("e1", None));
        }
        assert_eq!(Frame::read("{"), Frame::Other("no JSON".into()));
        assert_eq!(Frame::read("{\"type\":\"noise\"}"), Frame::Other("noise".into()));
    }

    #[test]
    fn a_redelivered_envelope_says_so() {
        let envelope = envelope(
            &json!({"type": "events_api", "envelope_id": "e1", "retry_attempt": 2, "retry_reason": "timeout",
            "payload": {"type": "event_callback", "team_id": null, "event_id": "Ev1", "event": {"type": "app_uninstalled"}}}),
        );
        assert_eq!(envelope.retry, Some(Retry { number: 2, reason: "timeout".into() }));
        assert!(matches!(envelope.inbound.as_deref(), Some(Inbound::Event(_))));
    }

    #[test]
    fn an_answer_travels_only_where_slack_reads_it() {
        let message = || Ack::Message(Message { text: "hi".to_owned(), blocks: Vec::new() });
        assert_eq!(
            acknowledge("e", true, true, message()).as_deref(),
            Some(r#"{"envelope_id":"e","payload":{"response_type":"ephemeral","text":"hi"}}"#)
        );
        assert_eq!(acknowledge("e", false, false, message()).as_deref(), Some(r#"{"envelope_id":"e"}"#));
        assert_eq!(acknowledge("e", false, false, Ack::Busy), None);
        assert!(acknowledge("e", true, true, Ack::Busy).expect("a person waits").contains("again"));
    }
}
