//! The words that labels can be: closed lists, so that nobody's text becomes a series.

use crate::domain::contact::ContactMethod;
use crate::domain::effect::Lane;
use crate::domain::event::{PageResult, Recipient, Step};
use crate::slack::Class;
use crate::slack::limits::Method;
use crate::slack::signature::Refused;
use crate::store;

/// A label with a closed list of values.
pub trait Word: Copy + PartialEq + Send + Sync + 'static {
    /// The label's name.
    const NAME: &'static str;
    /// Every value.
    const ALL: &'static [Self];
    /// Whether values that never occurred are left out, because there are many.
    const SPARSE: bool = false;

    fn word(self) -> &'static str;
}

/// A combination of labels.
pub trait Labels: Copy + Send + Sync + 'static {
    const COUNT: usize;
    const SPARSE: bool;

    fn names() -> Vec<&'static str>;
    fn all() -> Vec<Self>;
    fn index(self) -> usize;
    fn words(self) -> Vec<&'static str>;
}

fn place<W: Word>(word: W) -> usize {
    W::ALL.iter().position(|one| *one == word).expect("ALL has every value")
}

impl Labels for () {
    const COUNT: usize = 1;
    const SPARSE: bool = false;

    fn names() -> Vec<&'static str> {
        Vec::new()
    }

    fn all() -> Vec<Self> {
        vec![()]
    }

    fn index(self) -> usize {
        0
    }

    fn words(self) -> Vec<&'static str> {
        Vec::new()
    }
}

impl<A: Word> Labels for (A,) {
    const COUNT: usize = A::ALL.len();
    const SPARSE: bool = A::SPARSE;

    fn names() -> Vec<&'static str> {
        vec![A::NAME]
    }

    fn all() -> Vec<Self> {
        A::ALL.iter().map(|a| (*a,)).collect()
    }

    fn index(self) -> usize {
        place(self.0)
    }

    fn words(self) -> Vec<&'static str> {
        vec![self.0.word()]
    }
}

impl<A: Word, B: Word> Labels for (A, B) {
    const COUNT: usize = A::ALL.len() * B::ALL.len();
    const SPARSE: bool = A::SPARSE || B::SPARSE;

    fn names() -> Vec<&'static str> {
        vec![A::NAME, B::NAME]
    }

    fn all() -> Vec<Self> {
        A::ALL.iter().flat_map(|a| B::ALL.iter().map(|b| (*a, *b))).collect()
    }

    fn index(self) -> usize {
        place(self.0) * B::ALL.len() + place(self.1)
    }

    fn words(self) -> Vec<&'static str> {
        vec![self.0.word(), self.1.word()]
    }
}

impl<A: Word, B: Word, C: Word> Labels for (A, B, C) {
    const COUNT: usize = A::ALL.len() * B::ALL.len() * C::ALL.len();
    const SPARSE: bool = A::SPARSE || B::SPARSE || C::SPARSE;

    fn names() -> Vec<&'static str> {
        vec![A::NAME, B::NAME, C::NAME]
    }

    fn all() -> Vec<Self> {
        let with = |(a, b)| C::ALL.iter().map(move |c| (a, b, *c));
        <(A, B)>::all().into_iter().flat_map(with).collect()
    }

    fn index(self) -> usize {
        (self.0, self.1).index() * C::ALL.len() + place(self.2)
    }

    fn words(self) -> Vec<&'static str> {
        vec![self.0.word(), self.1.word(), self.2.word()]
    }
}

/// An enum whose values are the words of a label.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $label:literal: $($value:ident = $word:literal),+ $(,)?) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($value),+
        }

        impl Word for $name {
            const NAME: &'static str = $label;
            const ALL: &'static [Self] = &[$(Self::$value),+];

            fn word(self) -> &'static str {
                match self {
                    $(Self::$value => $word),+
                }
            }
        }
    };
}

words!(
    /// Whom a page goes to.
    Sent, "to": Person = "person", Channel = "channel", Email = "email", Webhook = "webhook"
);
words!(
    /// Which step of a call sends a page.
    Tier, "tier": First = "first", Later = "later", Fallback = "fallback"
);
words!(
    /// Whether its step itself began late, as after a standstill.
    Late, "catch_up": No = "no", Yes = "yes"
);
words!(
    /// How an attempt to page ended.
    Outcome, "outcome": Accepted = "accepted", Rejected = "rejected", Failed = "failed", Ambiguous = "ambiguous",
    Fenced = "fenced"
);
words!(
    /// Where an effect is on its way.
    State, "state": Pending = "pending", Sending = "sending", Dead = "dead"
);
words!(
    /// What Slack made of a call.
    Code, "code": Ok = "ok", RateLimited = "rate_limited", Retry = "retry", Uncertain = "uncertain",
    Permanent = "permanent", Auth = "auth"
);
words!(
    /// What was delivered to us.
    Delivery, "kind": Command = "command", Interaction = "interaction", Event = "event", Alert = "alert"
);
words!(
    /// Who delivered it.
    Sender, "source": Slack = "slack", Alerts = "alerts"
);
words!(
    /// Why a request was not taken for Slack's.
    Turned, "why": Unsigned = "unsigned", Wrong = "wrong", Stale = "stale", Replayed = "replayed"
);
words!(
    /// Why the database did not take something.
    Missed, "why": Busy = "busy", Full = "full", ReadOnly = "read_only", Raced = "raced", Other = "other"
);
words!(
    /// What the auditor looks for.
    Check, "check": NotAttempted = "page_not_attempted", NoTimer = "call_without_timer"
);
words!(
    /// What became of a heartbeat.
    Pulse, "result": Sent = "sent", Degraded = "degraded", Unreachable = "unreachable"
);

impl Word for Lane {
    const NAME: &'static str = "lane";
    const ALL: &'static [Self] = &Lane::ALL;

    fn word(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Answer => "answer",
            Self::Card => "card",
            Self::Channel => "channel",
            Self::Chatter => "chatter",
            Self::Document => "document",
        }
    }
}

impl Word for Method {
    const NAME: &'static str = "method";
    const ALL: &'static [Self] = &Method::ALL;
    const SPARSE: bool = true;

    fn word(self) -> &'static str {
        self.as_str()
    }
}

impl Sent {
    pub fn of(to: &Recipient) -> Self {
        match to {
            Recipient::User { .. } => Self::Person,
            Recipient::Channel { .. } => Self::Channel,
            Recipient::Contact { by: ContactMethod::Email, .. } => Self::Email,
            Recipient::Contact { by: ContactMethod::Webhook, .. } => Self::Webhook,
        }
    }
}

impl Tier {
    pub fn of(step: Step) -> Self {
        match (step.tier, step.round) {
            (0, _) => Self::Fallback,
            (1, 1) => Self::First,
            _ => Self::Later,
        }
    }
}

impl Outcome {
    pub fn of(result: &PageResult) -> Self {
        match result {
            PageResult::Sent { .. } | PageResult::SentElsewhere => Self::Accepted,
            PageResult::NotReached { .. } => Self::Rejected,
            PageResult::Failed { .. } => Self::Failed,
            PageResult::Unknown { .. } => Self::Ambiguous,
        }
    }
}

impl Code {
    pub fn of(class: &Class) -> Self {
        match class {
            Class::RateLimited { .. } => Self::RateLimited,
            Class::Retry => Self::Retry,
            Class::Uncertain => Self::Uncertain,
            Class::Permanent { .. } => Self::Permanent,
            Class::Auth { .. } => Self::Auth,
        }
    }
}

impl Turned {
    pub fn of(refused: Refused) -> Self {
        match refused {
            Refused::Unsigned => Self::Unsigned,
            Refused::Wrong => Self::Wrong,
            Refused::Stale => Self::Stale,
            Refused::Replayed => Self::Replayed,
        }
    }
}

impl Missed {
    pub fn of(error: &store::Error) -> Self {
        match error {
            store::Error::Busy | store::Error::Locked { .. } => Self::Busy,
            store::Error::Full => Self::Full,
            store::Error::Unwritable => Self::ReadOnly,
            error if error.retry() == store::Retry::Now => Self::Raced,
            _ => Self::Other,
        }
    }
}
