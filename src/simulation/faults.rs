//! What goes wrong, and how often: each seed has its own weights, and each of its faults can be left out.

use std::collections::BTreeSet;

use super::dice::Dice;

/// What may go wrong with a call to Slack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallFault {
    /// Never arrives; nobody answers.
    LostBefore,
    /// Done, but nobody answers.
    LostAfter,
    /// The connection breaks before anything is done.
    BrokenBefore,
    /// Done, but the connection breaks before the answer.
    BrokenAfter,
    /// Done, but only after the caller has given up.
    Late,
    /// 429 with so many seconds to wait.
    TooMany,
    /// 500, and nothing is done.
    Failed,
    /// 500, and yet it is done.
    FailedAfter,
    /// 503: nothing is done.
    Unavailable,
    /// Done, but the answer ends in the middle.
    Truncated,
    /// Slack says ok, and there is no message.
    Lie,
    /// Done, and answered just in time.
    Slow,
}

const CALL_FAULTS: [CallFault; 12] = [
    CallFault::LostBefore,
    CallFault::LostAfter,
    CallFault::BrokenBefore,
    CallFault::BrokenAfter,
    CallFault::Late,
    CallFault::TooMany,
    CallFault::Failed,
    CallFault::FailedAfter,
    CallFault::Unavailable,
    CallFault::Truncated,
    CallFault::Lie,
    CallFault::Slow,
];

/// Those after which nobody knows whether it is done, though it is.
const DONE_UNSEEN: [CallFault; 5] =
    [CallFault::LostAfter, CallFault::BrokenAfter, CallFault::Late, CallFault::FailedAfter, CallFault::Truncated];

/// What may go wrong with a message by another way than Slack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OutsideFault {
    Refused,
    NotNow,
    LostBefore,
    /// Taken, and nobody says so.
    LostAfter,
    Slow,
}

const OUTSIDE_FAULTS: [OutsideFault; 5] = [
    OutsideFault::Refused,
    OutsideFault::NotNow,
    OutsideFault::LostBefore,
    OutsideFault::LostAfter,
    OutsideFault::Slow,
];

/// How often what goes wrong, in ten thousand opportunities.
#[derive(Clone, Debug, Default)]
pub(super) struct Swarm {
    pub(super) crash: u32,
    pub(super) pause: u32,
    pub(super) busy: u32,
    pub(super) down: u32,
    pub(super) full: u32,
    pub(super) unknown: u32,
    pub(super) call: u32,
    pub(super) calls: Vec<CallFault>,
    pub(super) outside: u32,
    pub(super) repeat: u32,
}

impl Swarm {
    /// The weights of a seed. Some seeds have no fault at all, most have a few kinds and not the others.
    fn of(dice: &mut Dice) -> Self {
        if dice.chance(1_200) {
            return Self { repeat: 1_000, ..Self::default() };
        }
        let mut weight = |chosen: u32, of: &[u32]| if dice.chance(chosen) { *dice.pick(of) } else { 0 };
        let mut swarm = Self {
            crash: weight(4_500, &[20, 60, 160]),
            pause: weight(3_000, &[20, 60, 160]),
            busy: weight(2_000, &[30, 120]),
            down: weight(1_000, &[5, 15]),
            full: weight(1_000, &[20, 80]),
            unknown: weight(3_000, &[100, 400]),
            call: weight(5_500, &[200, 600, 1_500]),
            calls: Vec::new(),
            outside: weight(4_000, &[1_000, 3_000]),
            repeat: weight(6_000, &[1_500, 4_000]),
        };
        swarm.calls = CALL_FAULTS.into_iter().filter(|_| dice.chance(5_000)).collect();
        if swarm.calls.is_empty() {
            swarm.calls = CALL_FAULTS.to_vec();
        }
        swarm
    }
}

/// The faults of one run.
#[derive(Debug)]
pub(super) struct Faults {
    pub(super) swarm: Swarm,
    pub(super) dice: Dice,
    /// Faults that the run may still have; without an end no run would come to rest.
    left: u32,
    /// Switched off for the end of the run.
    pub(super) on: bool,
    /// Opportunities so far.
    asked: u32,
    /// Opportunities that are passed by, to find out which faults matter.
    muted: BTreeSet<u32>,
    /// What went wrong: the number of the opportunity and the kind.
    pub(super) happened: Vec<(u32, &'static str)>,
}

impl Faults {
    /// With a Slack that is at times out of reach in any case, if `slack` asks for that.
    pub(super) fn new(seed: u64, muted: BTreeSet<u32>, slack: bool) -> Self {
        let mut dice = Dice::new(seed, "faults");
        let mut swarm = Swarm::of(&mut dice);
        if slack {
            swarm.call = swarm.call.max(1_000);
            if Dice::new(seed, "unseen").chance(5_000) {
                swarm.call = swarm.call.max(3_000);
                swarm.calls = DONE_UNSEEN.to_vec();
            }
        }
        if swarm.call > 0 && swarm.calls.is_empty() {
            swarm.calls = CALL_FAULTS.to_vec();
        }
        let left = u32::try_from(dice.between(1, 12)).unwrap_or(1);
        Self { swarm, dice, left, on: true, asked: 0, muted, happened: Vec::new() }
    }

    /// Whether this opportunity is taken. Whatever the answer is, the same dice are thrown.
    pub(super) fn strikes(&mut self, kind: &'static str, of_10_000: u32) -> bool {
        let hit = self.dice.chance(of_10_000);
        if !hit || !self.on || self.left == 0 {
            return false;
        }
        self.asked += 1;
        if self.muted.contains(&self.asked) {
            return false;
        }
        self.left -= 1;
        self.happened.push((self.asked, kind));
        true
    }

    /// What goes wrong with a message by another way, if anything.
    pub(super) fn of_outside(&mut self) -> Option<OutsideFault> {
        let fault = *self.dice.pick(&OUTSIDE_FAULTS);
        let weight = self.swarm.outside;
        self.strikes("another way than Slack", weight).then_some(fault)
    }

    /// What goes wrong with a call, if anything.
    pub(super) fn of_call(&mut self) -> Option<CallFault> {
        let fault = *self.dice.pick(&CALL_FAULTS);
        let fault = if self.swarm.calls.contains(&fault) { Some(fault) } else { None };
        // Kinds that this seed does not have are passed by, so the others come as often as the weight says.
        let weight = self.swarm.call * 12 / u32::try_from(self.swarm.calls.len().max(1)).unwrap_or(1);
        let hit = fault.is_some();
        (hit && self.strikes("a call to Slack", weight)).then_some(fault).flatten()
    }
}
