//! The sections about watching Firebell itself: `[metrics]`, `[heartbeat]`, `[test_page]`.

use std::net::SocketAddr;

use url::Url;

use super::read::channel;
use super::reader::{Reader, Section};
use super::targets::{ChannelName, Placed};
use crate::slack::is_loopback;

/// How often the heart beats unless said, seconds.
const EVERY_S: u32 = 30;

/// How long after one test page the next is sent unless said, seconds: six hours.
const TEST_PAGE_EVERY_S: u32 = 6 * 3_600;

/// Where the figures are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// An address of their own; `None` for none.
    pub bind: Option<SocketAddr>,
    /// Also beside the pages, at `/metrics` of `server.bind`.
    pub on_server: bool,
}

/// Who hears that Firebell is well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// Encrypted, or on this machine.
    pub url: Url,
    pub every_s: u32,
    /// Whether `<url>/fail` is asked for when something is wrong.
    pub tells_failure: bool,
}

pub(super) fn metrics(reader: &mut Reader, root: &Section<'_, '_>) -> Metrics {
    let mut metrics = Metrics::default();
    let Some(section) = reader.table(root, "metrics", "[metrics]") else { return metrics };
    reader.only(&section, &["bind", "on_server"]);
    if let Some(text) = reader.text(&section, "bind") {
        match text.get_ref().parse() {
            Ok(bind) => metrics.bind = Some(bind),
            Err(_) => reader.wrong(
                format!("\"{}\" is no address to listen on.", text.get_ref()),
                text.span(),
                "write \"127.0.0.1:9464\"",
            ),
        }
    }
    metrics.on_server = reader.flag(&section, "on_server", false);
    metrics
}

pub(super) fn heartbeat(reader: &mut Reader, root: &Section<'_, '_>) -> Option<Heartbeat> {
    let section = reader.table(root, "heartbeat", "[heartbeat]")?;
    reader.only(&section, &["url", "every", "tell_failure"]);
    let every_s = reader.seconds(&section, "every", 10..=3_600).unwrap_or(EVERY_S);
    let tells_failure = reader.flag(&section, "tell_failure", true);
    let text = reader.text(&section, "url")?;
    match Url::parse(text.get_ref()) {
        Ok(url) if url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url)) => {
            Some(Heartbeat { url, every_s, tells_failure })
        }
        Ok(url) if url.scheme() == "http" => {
            reader.wrong(
                "The heartbeat's address is not encrypted: whoever reads it can keep the alarm silent.",
                text.span(),
                "begin with https://; http:// is for this machine only",
            );
            None
        }
        Ok(_) | Err(_) => {
            reader.wrong(
                format!("\"{}\" is no web address.", text.get_ref()),
                text.span(),
                "write it whole, such as \"https://hc-ping.com/…\"",
            );
            None
        }
    }
}

pub(super) fn test_page(reader: &mut Reader, root: &Section<'_, '_>) -> (Option<Placed<ChannelName>>, u32) {
    let Some(section) = reader.table(root, "test_page", "[test_page]") else { return (None, TEST_PAGE_EVERY_S) };
    reader.only(&section, &["channel", "every"]);
    let every_s = reader.seconds(&section, "every", 600..=604_800).unwrap_or(TEST_PAGE_EVERY_S);
    let to = reader.text(&section, "channel").and_then(|text| channel(reader, &text));
    (to, every_s)
}
