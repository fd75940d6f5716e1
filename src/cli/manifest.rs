//! `firebell manifest`: the Slack app to create, as YAML.

use crate::cli;
use crate::manifest::{Transport, yaml};

/// Print the manifest of the Slack app.
///
/// To be pasted into "Create New App, From a manifest" on api.slack.com/apps.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The address at which Slack reaches Firebell, for signed HTTP requests; without it, Socket Mode
    #[arg(long, value_name = "https://…", value_parser = address)]
    pub url: Option<String>,
}

/// Prints the manifest to standard output.
pub fn run(args: &Args) -> anyhow::Result<()> {
    cli::say(&yaml(&match &args.url {
        Some(url) => Transport::Http { url: url.clone() },
        None => Transport::Socket,
    }))
}

/// An address that Slack can call, without a slash at its end.
fn address(typed: &str) -> Result<String, String> {
    let url = typed.trim().trim_end_matches('/');
    let Some(host) = url.strip_prefix("https://") else {
        return Err(
            "Slack sends its requests over HTTPS only. Give an address such as https://firebell.example.com.".into()
        );
    };
    if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c.is_control() || "\"'\\<>?#".contains(c)) {
        return Err(format!("\"{url}\" is no web address. Give one such as https://firebell.example.com."));
    }
    Ok(url.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_makes_the_http_variant() {
        let url = address("https://bell.example.com/").expect("an address");
        let yaml = yaml(&Transport::Http { url });
        assert!(yaml.contains("request_url: https://bell.example.com/slack/events\n"));
        assert!(yaml.contains("socket_mode_enabled: false\n"));
    }

    #[test]
    fn an_address_that_slack_cannot_call_is_refused() {
        for url in ["http://bell.example.com", "bell.example.com", "https://", "https://a b"] {
            assert!(address(url).is_err(), "{url}");
        }
    }
}
