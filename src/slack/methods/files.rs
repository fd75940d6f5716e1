//! Files: the three steps in which Slack takes one, and finding one again.
//!
//! An address is lent for the bytes, the bytes go there without our token, and only the last step shows the file to
//! anybody. Whatever fails before it has left nothing behind that people could see.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::malformed;
use crate::ids::{ChannelId, MessageTs, UserId};
use crate::slack::client::{Args, SEARCH_TIMEOUT, Slack};
use crate::slack::error::{Error, Kind};
use crate::slack::fields;
use crate::slack::limits::{HISTORY_PAGE_SIZE, HISTORY_PAGES_MAX, Method};

/// A file to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFile {
    pub name: String,
    /// What people read above it.
    pub title: String,
    /// Not empty: Slack takes no empty files.
    pub content: Vec<u8>,
}

/// A place for one file's bytes.
#[derive(Debug)]
pub struct LentUpload {
    /// Whoever knows the address can put a file there.
    pub url: SecretString,
    pub file_id: String,
}

impl Slack {
    /// Asks for an address to send `length` bytes to.
    pub async fn lend_upload(&self, name: &str, length: usize) -> Result<LentUpload, Error> {
        let method = Method::FilesGetUploadUrlExternal;
        let answer = self.get(method, Args::new().with("filename", name).with("length", length)).await?;
        let url = fields::text(&answer, "upload_url").ok_or_else(|| malformed(method, "upload_url"))?;
        let file_id = fields::text(&answer, "file_id").ok_or_else(|| malformed(method, "file_id"))?;
        Ok(LentUpload { url: url.into(), file_id })
    }

    /// Sends the bytes to the lent address, which is not Slack's API and never learns our token.
    pub async fn upload(&self, lent: &LentUpload, content: Vec<u8>) -> Result<(), Error> {
        self.post_bytes(lent.url.expose_secret(), content).await
    }

    /// Makes an uploaded file visible: as a message in `channel`, which must be a channel's id, with `comment` above it.
    pub async fn complete_upload(
        &self,
        file_id: &str,
        title: &str,
        channel: &ChannelId,
        comment: &str,
        thread_ts: Option<&MessageTs>,
    ) -> Result<(), Error> {
        let args = Args::new()
            .with("files", json!([{ "id": file_id, "title": title }]))
            .with("channel_id", channel.as_str())
            .with("initial_comment", comment)
            .maybe("thread_ts", thread_ts.map(MessageTs::as_str));
        self.post(Method::FilesCompleteUploadExternal, args, &[]).await.map(drop)
    }

    /// Sends a file by direct message: all steps, within the time of one search.
    pub async fn send_file(&self, to: &UserId, file: &NewFile, comment: &str) -> Result<(), Error> {
        let steps = async {
            let lent = self.lend_upload(&file.name, file.content.len()).await?;
            self.upload(&lent, file.content.clone()).await?;
            let channel = self.open_dm(to).await?;
            self.complete_upload(&lent.file_id, &file.title, &channel, comment, None).await
        };
        let late = || Err(Error::new(Method::FilesCompleteUploadExternal, Kind::TimedOut));
        tokio::time::timeout(SEARCH_TIMEOUT, steps).await.unwrap_or_else(|_| late())
    }

    /// Whether we have sent a person a file of this name since then, after an attempt of unknown outcome. A message with
    /// a file carries no metadata of ours, so its name is all there is to know it by.
    pub async fn has_sent_file(&self, to: &UserId, name: &str, since: DateTime<Utc>) -> Result<bool, Error> {
        let channel = self.open_dm(to).await?;
        let oldest = format!("{}.{:06}", since.timestamp(), since.timestamp_subsec_micros());
        let args = || {
            Args::new()
                .with("channel", channel.as_str())
                .with("oldest", oldest.clone())
                .with("inclusive", true)
                .with("limit", HISTORY_PAGE_SIZE)
        };
        let mut found = false;
        self.each_page(Method::ConversationsHistory, HISTORY_PAGES_MAX, args, |answer| {
            let files =
                fields::list(answer, "messages").iter().filter(|message| fields::text(message, "bot_id").is_some());
            let mut files = files.flat_map(|message| fields::list(message, "files"));
            found = files.any(|file| fields::text(file, "name").as_deref() == Some(name));
            found
        })
        .await?;
        Ok(found)
    }
}
