//! Mistakes that are planted on purpose, one at a time, to prove that the simulation would find them.
//!
//! Each stands in one line where somebody could really make it: `if planted::active(Bug::NoFence) { … }`. Only the
//! library's own tests can switch one on; everywhere else [`active`] is `false` at compile time, and the line is gone.

/// A mistake that somebody could make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    /// The history says that a page was sent before it is.
    SentBeforeSend,
    /// Whoever reports an outcome is believed, also after losing the lease.
    NoFence,
    /// A claim does not look whether somebody has it meanwhile.
    BlindClaim,
    /// A number is left out of the history.
    SeqGap,
    /// After an attempt of unknown outcome nobody looks whether the message is there.
    NoLook,
    /// A page that Slack has no time for counts as sent.
    SwallowedLimit,
    /// A tier with nobody in it is passed over without a word.
    SilentSkip,
    /// A page that is late is thrown away.
    DropLate,
    /// Timers that were due while nobody ran never fire.
    LostTimers,
    /// The next tier is due so long after this one fired, not after it was due.
    Drift,
    /// A delivery that comes again is handled again.
    NoInbox,
    /// Nobody calls the fallback.
    NoFallback,
    /// A commit without an answer counts as failed, and the command is given again.
    RepeatUnknown,
    /// Pages wait behind the making of channels.
    OneQueue,
    /// A claim never runs out.
    EndlessLease,
    /// Whoever lost the lease sends all the same.
    StaleSend,
    /// Who looks for a message of ours believes that Slack's clock shows the same as this machine's.
    TrustedClock,
    /// Nobody's other ways are known when Slack does not take a page.
    OneWay,
    /// However long Slack does not take a page, no other way is tried.
    WaitForSlack,
    /// A page by another way that fails names the address.
    AddressTold,
    /// Calls go out as fast as they can.
    NoPace,
    /// Long texts go to Slack as they are.
    UncutText,
    /// However late a page or a tier is, nobody is asked.
    NoQuestion,
    /// A page that is too late is not sent, and nothing else is done about it.
    WithheldOnly,
    /// When a call on hold goes on, pages that were withheld are not made good.
    WithheldForgotten,
    /// The log names the address that a page goes to.
    AddressLogged,
    /// Private incidents are exported like all others.
    PrivateExported,
    /// A page says what a private incident is about.
    TitleTold,
    /// A team that is to be called when another has not answered is not called.
    NoHandOff,
    /// Whoever has it is never asked again.
    NoLapse,
    /// Nobody of a tier can answer any more, and the next one waits for its time all the same.
    NoHurry,
    /// An edit whose outcome nobody knows counts as made.
    BelievedEdit,
}

impl Bug {
    pub(crate) const ALL: [Self; 32] = [
        Self::SentBeforeSend,
        Self::NoFence,
        Self::BlindClaim,
        Self::SeqGap,
        Self::NoLook,
        Self::SwallowedLimit,
        Self::SilentSkip,
        Self::DropLate,
        Self::LostTimers,
        Self::Drift,
        Self::NoInbox,
        Self::NoFallback,
        Self::RepeatUnknown,
        Self::OneQueue,
        Self::EndlessLease,
        Self::StaleSend,
        Self::TrustedClock,
        Self::OneWay,
        Self::WaitForSlack,
        Self::NoPace,
        Self::UncutText,
        Self::NoQuestion,
        Self::WithheldOnly,
        Self::WithheldForgotten,
        Self::AddressTold,
        Self::AddressLogged,
        Self::PrivateExported,
        Self::TitleTold,
        Self::NoHandOff,
        Self::NoLapse,
        Self::NoHurry,
        Self::BelievedEdit,
    ];
}

#[cfg(test)]
thread_local! {
    static ACTIVE: std::cell::Cell<Option<Bug>> = const { std::cell::Cell::new(None) };
}

/// Makes this mistake, and no other, on this thread.
#[cfg(test)]
pub(crate) fn plant(bug: Option<Bug>) {
    ACTIVE.set(bug);
}

/// Whether this mistake is to be made.
#[cfg(test)]
pub(crate) fn active(bug: Bug) -> bool {
    ACTIVE.get() == Some(bug)
}

/// Never.
#[cfg(not(test))]
pub(crate) const fn active(_: Bug) -> bool {
    false
}

// Whatever is built for people has none of them, or it does not compile.
#[cfg(not(test))]
const _: () = {
    let mut at = 0;
    while at < Bug::ALL.len() {
        assert!(!active(Bug::ALL[at]));
        at += 1;
    }
};
