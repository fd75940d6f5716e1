//! Why Slack did not do something, in the words of the people it concerns.
//!
//! The history keeps what Slack said as the client put it ("Slack refused chat.postMessage: user_disabled"). People
//! read the cause and the way out; what is not in this table they read as it was kept.

use super::escape::{Mrkdwn, QUOTE_CHARS_MAX, Untrusted};

/// The cause as the end of a sentence, without a full stop.
pub fn reason(kept: &str) -> Mrkdwn {
    let mut words = kept.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    match words.find_map(known) {
        Some(ours) => ours.into(),
        None => Untrusted(kept.trim_end_matches('.')).line(QUOTE_CHARS_MAX),
    }
}

fn known(code: &str) -> Option<&'static str> {
    Some(match code {
        "user_disabled" => "the account is deactivated",
        "user_not_found" | "users_not_found" => "Slack knows no such person",
        "cannot_dm_bot" => "bots cannot be messaged",
        "channel_not_found" => "there is no such channel, or I'm not in it; invite me with /invite",
        "not_in_channel" => "I'm not in the channel; invite me with /invite",
        "is_archived" => "the channel is archived",
        "messages_tab_disabled" => "messages to the app are switched off in its settings",
        "name_taken" => "every name for it is taken",
        "restricted_action" | "restricted_action_read_only_channel" | "cannot_create_channel" => {
            "the workspace's settings do not allow it; ask an administrator"
        }
        "ratelimited" | "rate_limited" => "Slack asks to wait",
        "token_revoked" | "token_expired" | "invalid_auth" | "not_authed" | "account_inactive" => {
            "Slack refuses the app's token; ask an administrator to reinstall the app"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_code_reads_as_its_cause() {
        let kept = "Slack refused chat.postMessage: user_disabled";
        assert_eq!(reason(kept).as_str(), "the account is deactivated");
    }

    #[test]
    fn anything_else_reads_as_it_was_kept_and_is_escaped() {
        let kept = "Slack could not be reached for chat.postMessage; nothing <was> sent.";
        let read = "Slack could not be reached for chat.postMessage; nothing &lt;was&gt; sent";
        assert_eq!(reason(kept).as_str(), read);
    }
}
