//! Dialogs and the Home tab.

use serde_json::Value;

use super::malformed;
use crate::ids::UserId;
use crate::slack::client::{Args, Slack};
use crate::slack::error::Error;
use crate::slack::fields;
use crate::slack::json::Json;
use crate::slack::limits::Method;

/// A view that Slack now shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenView {
    pub id: String,
    /// Names this version: handed back with the next update, it is refused (`hash_conflict`) if somebody was faster.
    pub hash: Option<String>,
}

impl Slack {
    /// Opens a dialog. The trigger lives three seconds and works once.
    pub async fn open_view(&self, trigger_id: &str, view: &Json) -> Result<OpenView, Error> {
        let args = Args::new().with("trigger_id", trigger_id).with("view", view.clone());
        self.view(Method::ViewsOpen, args).await
    }

    /// Puts another dialog over the open one; at most three lie on each other.
    pub async fn push_view(&self, trigger_id: &str, view: &Json) -> Result<OpenView, Error> {
        let args = Args::new().with("trigger_id", trigger_id).with("view", view.clone());
        self.view(Method::ViewsPush, args).await
    }

    /// Replaces the content of an open dialog.
    pub async fn update_view(&self, view_id: &str, hash: Option<&str>, view: &Json) -> Result<OpenView, Error> {
        let args = Args::new().with("view_id", view_id).with("view", view.clone()).maybe("hash", hash);
        self.view(Method::ViewsUpdate, args).await
    }

    /// Replaces somebody's Home tab.
    pub async fn publish_home(&self, user: &UserId, view: &Json, hash: Option<&str>) -> Result<OpenView, Error> {
        let args = Args::new().with("user_id", user.as_str()).with("view", view.clone()).maybe("hash", hash);
        self.view(Method::ViewsPublish, args).await
    }

    async fn view(&self, method: Method, args: Args) -> Result<OpenView, Error> {
        view_of(method, &self.post(method, args, &[]).await?)
    }
}

/// Reads an answer that must hold a view.
pub fn view_of(method: Method, answer: &Value) -> Result<OpenView, Error> {
    let id = fields::text_at(answer, "/view/id").ok_or_else(|| malformed(method, "view"))?;
    Ok(OpenView { id, hash: fields::text_at(answer, "/view/hash") })
}
