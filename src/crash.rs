//! Places in which the program can be told to die, to prove that it survives dying there.
//!
//! `FIREBELL_CRASH=<name>:<nth>` has a program die by SIGKILL when it comes to that place for the nth time. A release
//! does not know the variable (`build.rs`): there [`at`] is nothing at compile time. `tests/killed/crash_points.rs` has a
//! story for every place, and fails for one that is never reached.

use crate::domain::effect::Effect;

/// The variable that names a place.
pub const VARIABLE: &str = "FIREBELL_CRASH";

macro_rules! points {
    ($($(#[$doc:meta])* $point:ident = $name:literal,)+) => {
        /// A place in which the program can be told to die.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Point {
            $($(#[$doc])* $point,)+
        }

        impl Point {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$point,)+];

            /// What it is called in [`VARIABLE`].
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$point => $name,)+
                }
            }
        }
    };
}

points! {
    /// The signature of what Slack delivered is right; nobody has decided about it.
    Heard = "heard",
    CommandDecided = "command.before_commit",
    CommandKept = "command.after_commit",
    /// What Slack is to be answered is known.
    Answering = "command.before_answer",
    AlertDecided = "alert.before_commit",
    AlertKept = "alert.after_commit",
    /// Everything that a monitoring system sent is kept.
    AlertAnswering = "alert.before_answer",
    /// The scheduler knows which timers are due.
    TimersRead = "timers.read",
    TimerDecided = "timer.before_commit",
    TimerKept = "timer.after_commit",
    PageClaiming = "page.claim.before_commit",
    PageClaimed = "page.claim.after_commit",
    PageCalling = "page.before_call",
    PageCalled = "page.after_call",
    PageRecording = "page.record.before_commit",
    PageRecorded = "page.record.after_commit",
    Claiming = "effect.claim.before_commit",
    Claimed = "effect.claim.after_commit",
    Recording = "effect.record.before_commit",
    Recorded = "effect.record.after_commit",
    CreatingChannel = "channel.before_call",
    CreatedChannel = "channel.after_call",
    SettingTopic = "topic.before_call",
    SetTopic = "topic.after_call",
    Inviting = "invite.before_call",
    Invited = "invite.after_call",
    PostingCard = "card.before_call",
    PostedCard = "card.after_call",
    PinningCard = "pin.before_call",
    PinnedCard = "pin.after_call",
    Announcing = "announcement.before_call",
    Announced = "announcement.after_call",
    PostingCall = "call.before_call",
    PostedCall = "call.after_call",
    /// Any other message of a channel, or to a person.
    Posting = "post.before_call",
    Posted = "post.after_call",
    /// Any message that is edited.
    Editing = "edit.before_call",
    Edited = "edit.after_call",
    SendingDocument = "document.before_call",
    SentDocument = "document.after_call",
    /// An exported document lies beside the one that it is to replace.
    ExportWritten = "export.before_rename",
    ExportReplaced = "export.after_rename",
    /// The page to nobody, by which the program tests itself, is kept.
    SelfTestKept = "self_test.after_commit",
    /// The database was found sound; its schema is not the newest yet.
    MigrationNext = "migration.before",
    /// On SQLite in the transaction that brings the schema up to date.
    Migrated = "migration.after",
    /// Who is who was learned from Slack and is kept.
    Acquainted = "start.acquainted",
    /// Told to stop.
    StopTold = "stop.told",
    /// Nothing is under way any more.
    Stopped = "stop.finished",
    DatabaseClosed = "stop.closed",
}

/// Dies here if this is the place.
#[cfg(crash_points)]
pub fn at(point: Point) {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    struct Order {
        name: String,
        left: AtomicU32,
    }

    static ORDER: LazyLock<Option<Order>> = LazyLock::new(|| {
        let order = std::env::var(VARIABLE).ok()?;
        let (name, nth) = order.rsplit_once(':').unwrap_or((&order, "1"));
        let known = Point::ALL.iter().any(|point| point.name() == name);
        match nth.parse() {
            Ok(nth) if known && nth > 0 => Some(Order { name: name.to_owned(), left: AtomicU32::new(nth) }),
            _ => panic!("{VARIABLE}={order} names no place in which to die"),
        }
    });

    if let Some(order) = &*ORDER
        && order.name == point.name()
        && order.left.fetch_sub(1, Ordering::Relaxed) == 1
    {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        // The signal may take a moment to arrive, in which nothing more must happen.
        loop {
            std::thread::park();
        }
    }
}

/// Nothing.
#[cfg(not(crash_points))]
pub const fn at(_: Point) {}

/// Makes the call of an effect, between the places before and after it.
pub(crate) async fn around<T>(effect: &Effect, call: impl Future<Output = T>) -> T {
    let (before, after) = points_of(effect).unzip();
    if let Some(before) = before {
        at(before);
    }
    let made = call.await;
    if let Some(after) = after {
        at(after);
    }
    made
}

/// The places before and after the call of an effect; none for one that calls nobody, or that only adds to what is there.
fn points_of(effect: &Effect) -> Option<(Point, Point)> {
    Some(match effect {
        Effect::Page { .. } => (Point::PageCalling, Point::PageCalled),
        Effect::CreateChannel => (Point::CreatingChannel, Point::CreatedChannel),
        Effect::SetTopic => (Point::SettingTopic, Point::SetTopic),
        Effect::Invite { .. } => (Point::Inviting, Point::Invited),
        Effect::PostCard => (Point::PostingCard, Point::PostedCard),
        Effect::PinCard => (Point::PinningCard, Point::PinnedCard),
        Effect::Announce => (Point::Announcing, Point::Announced),
        Effect::PostEscalation { .. } => (Point::PostingCall, Point::PostedCall),
        Effect::Post { .. }
        | Effect::PostPostmortem
        | Effect::CatchUp
        | Effect::PostAside { .. }
        | Effect::Tell { .. }
        | Effect::TestPage { .. } => (Point::Posting, Point::Posted),
        Effect::UpdatePage { .. }
        | Effect::UpdateCard
        | Effect::UpdateAnnouncement
        | Effect::UpdateEscalation { .. }
        | Effect::UpdatePostmortem => (Point::Editing, Point::Edited),
        Effect::SendDocument { .. } => (Point::SendingDocument, Point::SentDocument),
        Effect::Canary { .. } | Effect::Capture { .. } | Effect::Mark { .. } | Effect::Export => return None,
    })
}
