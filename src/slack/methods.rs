//! The Web API methods that Firebell calls, one function each.
//!
//! A function sends the arguments as Slack documents them and reads of the answer what we use, field by field, so that a
//! field that is missing or new loses nothing. What "already so" answers there are count as success.

pub mod channels;
pub mod files;
pub mod messages;
pub mod people;
pub mod views;
pub mod workspace;

use serde_json::Value;

use super::client::{Args, SEARCH_TIMEOUT, Slack};
use super::error::{Error, Kind};
use super::fields;
use super::limits::{Method, PAGES_MAX};
use crate::clock::within;

/// What an answer had to contain and did not.
fn malformed(method: Method, part: &'static str) -> Error {
    Error::new(method, Kind::Malformed(part))
}

/// Where the next page of a list starts, if there is one.
fn next_cursor(answer: &Value) -> Option<String> {
    fields::text_at(answer, "/response_metadata/next_cursor")
}

impl Slack {
    /// Reads a list page by page until `take` has what it wants (then it says true), the list ends, or the page limit
    /// or the time for searches is reached. The limits are an error, because "not found" would then be a guess.
    async fn each_page(
        &self,
        method: Method,
        pages_max: usize,
        args: impl Fn() -> Args,
        mut take: impl FnMut(&Value) -> bool,
    ) -> Result<(), Error> {
        let search = async {
            let mut cursor: Option<String> = None;
            for _ in 0..pages_max.min(PAGES_MAX) {
                let answer = self.get(method, args().maybe("cursor", cursor)).await?;
                if take(&answer) {
                    return Ok(());
                }
                cursor = next_cursor(&answer);
                if cursor.is_none() {
                    return Ok(());
                }
            }
            Err(Error::new(method, Kind::TooLong))
        };
        within(SEARCH_TIMEOUT, search).await.unwrap_or_else(|| Err(Error::new(method, Kind::TimedOut)))
    }
}
