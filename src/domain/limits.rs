//! Limits on what people and machines may send. Slack's own limits are in `slack::limits`.

/// Longest title, in characters; Slack's header block allows 150.
pub const TITLE_CHARS_MAX: usize = 150;
/// Longest note, update, reason or field, in characters; a longer one is refused with its length.
pub const TEXT_CHARS_MAX: usize = 10_000;
/// Most measures, and most tasks, of one incident.
pub const LIST_ITEMS_MAX: usize = 100;
/// Most people who are invited and named as responders of one incident.
pub const RESPONDERS_MAX: usize = 200;
/// Most tiers in a policy, most targets in a tier, most rounds.
pub const TIERS_MAX: usize = 20;
pub const TARGETS_MAX: usize = 50;
pub const ROUNDS_MAX: u32 = 20;
/// Most pages that one escalation sends; beyond it the escalation counts as exhausted.
pub const PAGES_PER_ESCALATION_MAX: usize = 500;
/// How far back a typed or recorded time may lie, in days: a backdated note of an old cause, not a slip of a century.
pub const PAST_DAYS_MAX: i64 = 3_660;
/// How far ahead a typed time may lie, in seconds: clocks differ a little.
pub const FUTURE_S_MAX: i64 = 120;
/// How often one incident tells that the machine's clock was set; a clock that is set all the time is one story.
pub const CLOCK_SETS_TOLD_MAX: u32 = 20;
/// How long a page may go unaccepted after its due time before it goes on by another way, in seconds.
pub const ELSEWHERE_AFTER_S: i64 = 60;
/// How long a page that is late already has at least, in seconds: a stall of our own is no failure of Slack's.
pub const ELSEWHERE_AFTER_STALL_S: i64 = 10;
/// How late a page or a step of a call may be and still go out without a question, unless firebell.toml says otherwise, in
/// seconds.
pub const ASK_AFTER_S: i64 = 43_200;
/// How long the button "Undo" works, in seconds; later the command that ends a thing must be meant.
pub const UNDO_S_MAX: i64 = 600;
