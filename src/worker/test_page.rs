//! Test pages: a message the way of all pages, looked for where it should be, and answered by Firebell itself.

use super::Worker;
use crate::app::{Settled, Work};
use crate::slack::posts;

impl Worker {
    /// Sends a test page, makes sure that Slack has kept it, and says so in its place.
    pub(super) async fn test_page(&self, work: &Work) -> Settled {
        let Some(to) = self.inner.app.roster().test_page_in.clone() else { return Self::done() };
        let earlier = if work.uncertain { self.find(work, &to).await } else { Ok(None) };
        let sent = match earlier {
            Ok(Some(message)) => Ok(message),
            Ok(None) => self.send(work, &to, posts::test_page()).await.map(|(message, _)| message),
            Err(error) => Err(error),
        };
        let message = match sent {
            Ok(message) => message,
            Err(error) => return self.failed(work, &error, Some(&to)),
        };
        let slack = &self.inner.slack;
        match slack.message(&message).await {
            Ok(Some(_)) => {}
            Ok(None) => {
                let error = "Slack said that it had taken it, and it is not there".to_owned();
                return Settled::GivenUp { error, finished: None };
            }
            Err(error) => return self.failed(work, &error, Some(&to)),
        }
        let text = posts::test_page_came_through(self.now() - work.created_at);
        match slack.update_message(&message, &text.text, &text.blocks).await {
            Ok(()) => Self::done(),
            Err(error) => self.failed(work, &error, Some(&to)),
        }
    }
}
