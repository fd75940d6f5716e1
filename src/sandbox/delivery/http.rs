//! One signed request to the app (signature version 0).

use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

use super::{Answer, Attempt, Failure, budget};
use crate::sandbox::faults::Route;
use crate::sandbox::hub::Hub;
use crate::sandbox::wire::write_form;

/// The longest answer that is read, bytes.
const ANSWER_MAX: usize = 1 << 20;

/// `v0=` and the HMAC-SHA256 of `v0:timestamp:body`, as Slack signs requests.
pub(crate) fn signature(secret: &str, timestamp: i64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(format!("v0:{timestamp}:{body}").as_bytes());
    format!("v0={}", hex::encode(mac.finalize().into_bytes()))
}

/// Sends the attempt and waits for the answer as long as Slack does.
pub(crate) async fn post(hub: &Arc<Hub>, url: &str, attempt: &Attempt) -> Result<Answer, Failure> {
    let (content_type, body) = encode(attempt);
    let timestamp = hub.clock.now().timestamp() - attempt.skew_s;
    let secret = if attempt.bad_signature { "somebody else's secret" } else { &hub.keys.signing_secret };
    let mut request = hub
        .http
        .post(url)
        .header("content-type", content_type)
        .header("user-agent", "Slackbot 1.0 (sandbox)")
        .header("x-slack-request-timestamp", timestamp.to_string())
        .header("x-slack-signature", signature(secret, timestamp, &body));
    if let Some((number, reason)) = attempt.retry {
        request = request.header("x-slack-retry-num", number.to_string()).header("x-slack-retry-reason", reason);
    }
    let exchange = async {
        let response =
            request.body(body).send().await.map_err(|error| {
                if error.is_redirect() { Failure::TooManyRedirects } else { Failure::ConnectionFailed }
            })?;
        let status = response.status().as_u16();
        let no_retry = response.headers().get("x-slack-no-retry").is_some_and(|value| value == "1");
        let bytes = response.bytes().await.map_err(|_| Failure::ConnectionFailed)?;
        if !(200..300).contains(&status) {
            return Err(Failure::Status { status, no_retry });
        }
        let text = String::from_utf8_lossy(&bytes[..bytes.len().min(ANSWER_MAX)]).into_owned();
        Ok(Answer { status, body: read_answer(text) })
    };
    tokio::select! {
        result = exchange => result,
        () = budget(&hub.clock) => Err(Failure::Timeout),
    }
}

fn encode(attempt: &Attempt) -> (&'static str, String) {
    const FORM: &str = "application/x-www-form-urlencoded";
    match attempt.route {
        Route::Event => ("application/json", attempt.payload.to_string()),
        Route::Interaction => (FORM, write_form(&[("payload", attempt.payload.to_string())])),
        Route::Command => {
            let fields: Vec<(&str, String)> = attempt
                .payload
                .as_object()
                .into_iter()
                .flatten()
                .map(|(key, value)| {
                    let text = match value {
                        Value::String(text) => text.clone(),
                        Value::Null => String::new(),
                        other => other.to_string(),
                    };
                    (key.as_str(), text)
                })
                .collect();
            (FORM, write_form(&fields))
        }
    }
}

fn read_answer(text: String) -> Value {
    if text.trim().is_empty() {
        return Value::Null;
    }
    match serde_json::from_str(&text) {
        Ok(value @ Value::Object(_)) => value,
        Ok(_) | Err(_) => Value::String(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_slacks_documentation() {
        let body = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
        assert_eq!(
            signature("8f742231b10e8888abcd99yyyzzz85a5", 1_531_420_618, body),
            "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
        );
    }
}
