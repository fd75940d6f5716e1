//! What is done after Slack has its acknowledgement: answers that are told, invitations, homes. Counted, so that somebody
//! can wait until all of it has happened.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::watch;

use crate::guard::guarded;

/// The work under way; cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Afterwards {
    count: Arc<watch::Sender<Count>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    begun: u64,
    ended: u64,
}

/// Counts its work as ended, even if the work panics.
struct Ends(Arc<watch::Sender<Count>>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.send_modify(|count| count.ended += 1);
    }
}

impl Afterwards {
    pub(super) fn new() -> Self {
        Self { count: Arc::new(watch::Sender::new(Count::default())) }
    }

    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.count.send_modify(|count| count.begun += 1);
        let ends = Ends(Arc::clone(&self.count));
        tokio::spawn(async move {
            // What is told afterwards has nobody who waits for it: the log is all there is to say.
            let _ = guarded("what follows an acknowledgement", work).await;
            drop(ends);
        });
    }

    /// Returns when nothing is under way: how much has been done since the start.
    pub(super) async fn all_done(&self) -> u64 {
        let mut count = self.count.subscribe();
        let done = count.wait_for(|count| count.begun == count.ended).await;
        done.map_or(0, |count| count.ended)
    }
}
