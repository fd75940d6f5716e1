//! `firebell manifest`: the Slack app to create, as YAML.

use anyhow::bail;

use crate::cli;
use crate::manifest::{Transport, yaml};

/// Print the manifest of the Slack app, to paste into "Create New App, From a manifest" on api.slack.com/apps.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The address at which Slack reaches Firebell, for signed HTTP requests; without it, Socket Mode
    #[arg(long, value_name = "https://…")]
    pub url: Option<String>,
}

/// Prints the manifest to standard output.
pub fn run(args: &Args) -> anyhow::Result<()> {
    cli::say(&text(args)?)
}

fn text(args: &Args) -> anyhow::Result<String> {
    let Some(url) = &args.url else { return Ok(yaml(&Transport::Socket)) };
    let url = url.trim().trim_end_matches('/');
    let Some(host) = url.strip_prefix("https://") else {
        bail!("Slack sends its requests over HTTPS only. Give an address such as https://firebell.example.com.");
    };
    if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c.is_control() || "\"'\\<>?#".contains(c)) {
        bail!("\"{url}\" is no web address. Give one such as https://firebell.example.com.");
    }
    Ok(yaml(&Transport::Http { url: url.to_owned() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(url: &str) -> anyhow::Result<String> {
        text(&Args { url: Some(url.to_owned()) })
    }

    #[test]
    fn an_address_makes_the_http_variant() {
        let yaml = print("https://bell.example.com/").expect("an address");
        assert!(yaml.contains("request_url: https://bell.example.com/slack/events\n"));
        assert!(yaml.contains("socket_mode_enabled: false\n"));
        let yaml = text(&Args { url: None }).expect("no address");
        assert!(yaml.contains("socket_mode_enabled: true\n") && !yaml.contains("request_url"));
    }

    #[test]
    fn an_address_that_slack_cannot_call_is_refused() {
        for url in ["http://bell.example.com", "bell.example.com", "https://", "https://a b"] {
            assert!(print(url).is_err(), "{url}");
        }
    }
}
