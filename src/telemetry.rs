//! The log: what operators read on standard error. Nothing here knows incidents.
//!
//! `FIREBELL_LOG` chooses what is written (`info`, `debug`, `firebell::worker=trace,info`, …), `FIREBELL_LOG_FORMAT=json`
//! writes one JSON object per line. Whatever is asked for, libraries are heard only from `warn` on, and the Slack
//! client not at all: on lower levels they write addresses that are secrets, headers and message texts.

use std::io::IsTerminal;

use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{ParseError, Targets, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// The environment variable that chooses what is written; `info` without it.
pub const LOG_VARIABLE: &str = "FIREBELL_LOG";
/// The environment variable that chooses how: `text` (as without it) or `json`.
pub const FORMAT_VARIABLE: &str = "FIREBELL_LOG_FORMAT";

/// Why the log could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{LOG_VARIABLE}=\"{value}\" is not a log filter: {why}. Try `info` or `firebell::worker=debug,info`.")]
    Filter { value: String, why: String },
    #[error("{FORMAT_VARIABLE}=\"{value}\" is not a log format. It may be `text` or `json`.")]
    Format { value: String },
    #[error("the log is set up already")]
    Twice(#[from] TryInitError),
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Text { color: bool },
    Json,
}

/// Sets up the log of the whole program from the environment. Called once, by `main`.
pub fn init() -> Result<(), Error> {
    let filter = std::env::var(LOG_VARIABLE).unwrap_or_default();
    let color = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let format = format(&std::env::var(FORMAT_VARIABLE).unwrap_or_default(), color)?;
    subscriber(&filter, format, std::io::stderr)?.try_init()?;
    Ok(())
}

fn format(word: &str, color: bool) -> Result<Format, Error> {
    match word.trim() {
        "" | "text" => Ok(Format::Text { color }),
        "json" => Ok(Format::Json),
        other => Err(Error::Format { value: other.to_owned() }),
    }
}

/// The log as a value, for [`init`] and for tests that look at what is written.
pub fn subscriber<W>(filter: &str, format: Format, writer: W) -> Result<impl Subscriber + Send + Sync + use<W>, Error>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let asked_for: Targets = match filter.trim() {
        "" => Targets::new().with_default(LevelFilter::INFO),
        filter => filter
            .parse()
            .map_err(|error: ParseError| Error::Filter { value: filter.to_owned(), why: error.to_string() })?,
    };
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    let lines = match format {
        Format::Text { color } => lines.with_ansi(color).boxed(),
        Format::Json => lines.json().flatten_event(true).boxed(),
    };
    Ok(tracing_subscriber::registry().with(asked_for).with(lines.with_filter(filter_fn(may_be_written))))
}

/// Whether a line may be written however much was asked for.
fn may_be_written(metadata: &Metadata<'_>) -> bool {
    let library = metadata.target().split("::").next().unwrap_or_default();
    match library {
        "firebell" => true,
        "slack_morphism" => false,
        _ => *metadata.level() <= Level::WARN,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::clock::lock;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            lock(&self.0).write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn written(filter: &str, format: Format, log: impl FnOnce()) -> String {
        let page = Page::default();
        let writer = page.clone();
        let subscriber = subscriber(filter, format, move || writer.clone()).expect("a filter");
        tracing::subscriber::with_default(subscriber, log);
        String::from_utf8(lock(&page.0).clone()).expect("text")
    }

    #[test]
    fn our_lines_follow_the_filter() {
        let log = || {
            tracing::info!("started");
            tracing::debug!("details");
        };
        let plain = Format::Text { color: false };
        let usual = written("", plain, log);
        assert!(usual.contains("started") && !usual.contains("details"), "{usual}");
        assert!(written("firebell=debug", plain, log).contains("details"));
        assert_eq!(written("warn", plain, log), "");
    }

    #[test]
    fn libraries_cannot_write_secrets_even_when_everything_is_asked_for() {
        let everything = written("trace", Format::Text { color: false }, || {
            tracing::error!(target: "slack_morphism::hyper_tokio", "cannot connect to wss://x/?ticket=canary");
            tracing::debug!(target: "hyper::proto", "authorization: Bearer canary");
            tracing::warn!(target: "sqlx::query", "a slow statement");
        });
        assert!(!everything.contains("canary"), "{everything}");
        assert!(everything.contains("a slow statement"), "{everything}");
    }

    #[test]
    fn json_lines_are_json_with_the_fields_at_the_top() {
        let line = written("", Format::Json, || tracing::info!(incident = 42, "opened"));
        let value: serde_json::Value = serde_json::from_str(&line).expect("one object per line");
        assert_eq!((&value["incident"], &value["message"]), (&42.into(), &"opened".into()));
    }

    #[test]
    fn what_cannot_be_understood_is_said_with_the_way_out() {
        let Err(error) = subscriber("firebell=loud", Format::Json, std::io::stderr) else { panic!("not a level") };
        assert!(error.to_string().contains("Try `info`"), "{error}");
        let Err(error) = format("xml", false) else { panic!("not a format") };
        assert_eq!(error.to_string(), "FIREBELL_LOG_FORMAT=\"xml\" is not a log format. It may be `text` or `json`.");
    }
}
