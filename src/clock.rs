//! Time, injected.
//!
//! The only file that reads the system clock or sleeps. Everything else is handed a [`Clock`], so that a test, a
//! replay or the demo can run the same program under a time of its own. Instants are whole microseconds, because that
//! is what both databases keep.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use tokio::sync::watch;

/// A source of the present instant, cheap to clone and shared by everything in one program.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The machine's own clock.
    #[default]
    System,
    /// The machine's clock, moved to agree with one that several machines share.
    Corrected(Arc<Corrected>),
    /// Stands still until somebody moves it: tests and replay.
    Manual(Arc<Manual>),
    /// Runs with the machine's clock at a speed that can be changed: the demo.
    Paced(Arc<Paced>),
}

/// How far the clock that a [`Clock::Corrected`] follows is ahead of the machine's.
#[derive(Debug)]
pub struct Corrected {
    offset_us: AtomicI64,
}

impl Corrected {
    /// Takes a new measurement of the offset; by how much that moves the clock.
    pub fn follow(&self, offset: TimeDelta) -> TimeDelta {
        let before = self.offset_us.swap(offset.num_microseconds().unwrap_or_default(), Ordering::Relaxed);
        offset - TimeDelta::microseconds(before)
    }

    fn now(&self) -> DateTime<Utc> {
        micros(utc_now() + TimeDelta::microseconds(self.offset_us.load(Ordering::Relaxed)))
    }
}

/// The hands of a [`Clock::Manual`].
#[derive(Debug)]
pub struct Manual {
    now: watch::Sender<DateTime<Utc>>,
}

/// The gears of a [`Clock::Paced`].
#[derive(Debug)]
pub struct Paced {
    gear: watch::Sender<Gear>,
}

#[derive(Clone, Copy, Debug)]
struct Gear {
    since: Instant,
    virtual_since: DateTime<Utc>,
    speed: f64,
}

impl Gear {
    fn now(&self) -> DateTime<Utc> {
        let elapsed_us = self.since.elapsed().as_secs_f64() * self.speed * 1e6;
        #[expect(clippy::cast_possible_truncation, reason = "i64 microseconds hold 292,000 years")]
        micros(self.virtual_since + TimeDelta::microseconds(elapsed_us as i64))
    }
}

/// The longest single sleep of a paced clock, real time; bounds the cost of a mistaken far deadline.
const SLEEP_MAX: Duration = Duration::from_hours(1);

impl Clock {
    /// A clock that stands at `start` until [`Clock::set`] moves it.
    #[must_use]
    pub fn manual(start: DateTime<Utc>) -> Self {
        Self::Manual(Arc::new(Manual { now: watch::Sender::new(micros(start)) }))
    }

    /// The machine's clock, moved by `offset` until [`Corrected::follow`] says otherwise.
    #[must_use]
    pub fn corrected(offset: TimeDelta) -> Self {
        let offset_us = AtomicI64::new(offset.num_microseconds().unwrap_or_default());
        Self::Corrected(Arc::new(Corrected { offset_us }))
    }

    /// A clock that shows `start` now and runs `speed` times as fast as the machine's.
    #[must_use]
    pub fn paced(start: DateTime<Utc>, speed: f64) -> Self {
        let gear = Gear { since: instant_now(), virtual_since: micros(start), speed };
        Self::Paced(Arc::new(Paced { gear: watch::Sender::new(gear) }))
    }

    /// The present instant, cut to microseconds.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        match self {
            Self::System => micros(utc_now()),
            Self::Corrected(corrected) => corrected.now(),
            Self::Manual(manual) => *manual.now.borrow(),
            Self::Paced(paced) => paced.gear.borrow().now(),
        }
    }

    /// Moves a manual clock to `at`, forwards or backwards, and wakes who waits for it. A paced clock jumps there and
    /// goes on at its speed. The system clock is not ours to set: nothing happens.
    pub fn set(&self, at: DateTime<Utc>) {
        match self {
            Self::System | Self::Corrected(_) => {}
            Self::Manual(manual) => {
                manual.now.send_replace(micros(at));
            }
            Self::Paced(paced) => paced.gear.send_modify(|gear| {
                *gear = Gear { since: instant_now(), virtual_since: micros(at), speed: gear.speed };
            }),
        }
    }

    /// Changes the speed of a paced clock from this moment on; other clocks have none.
    pub fn set_speed(&self, speed: f64) {
        if let Self::Paced(paced) = self {
            paced.gear.send_modify(|gear| {
                *gear = Gear { since: instant_now(), virtual_since: gear.now(), speed };
            });
        }
    }

    /// How many of this clock's seconds pass in one of the machine's; 0 for a manual clock.
    #[must_use]
    pub fn speed(&self) -> f64 {
        match self {
            Self::System | Self::Corrected(_) => 1.0,
            Self::Manual(_) => 0.0,
            Self::Paced(paced) => paced.gear.borrow().speed,
        }
    }

    /// A span of real work, such as a network call's, on this clock: longer where the clock runs ahead of the machine's.
    #[must_use]
    pub fn stretched(&self, span: TimeDelta) -> TimeDelta {
        #[expect(clippy::cast_possible_truncation, reason = "spans of work at sensible speeds are far below the limit")]
        let stretched_us = (span.as_seconds_f64() * self.speed().max(1.0) * 1e6) as i64;
        TimeDelta::microseconds(stretched_us)
    }

    /// Waits until this clock shows `at` or later. Under a manual clock that is until somebody sets it so.
    pub async fn sleep_until(&self, at: DateTime<Utc>) {
        match self {
            Self::System | Self::Corrected(_) => {
                #[cfg(test)]
                let _meant = crate::simulation::appointment(at);
                // In steps, so that a corrected wall clock is noticed.
                while let Ok(left) = (at - self.now()).to_std()
                    && !left.is_zero()
                {
                    real_sleep(left.min(Duration::from_secs(1))).await;
                }
            }
            Self::Manual(manual) => {
                let mut now = manual.now.subscribe();
                // The sender lives in `self`, so waiting cannot fail while this future is alive.
                let _ = now.wait_for(|now| *now >= at).await;
            }
            Self::Paced(paced) => {
                let mut gear = paced.gear.subscribe();
                loop {
                    let current = *gear.borrow_and_update();
                    let left = at - current.now();
                    if left <= TimeDelta::zero() {
                        return;
                    }
                    let seconds = left.as_seconds_f64() / current.speed;
                    let real = Duration::try_from_secs_f64(seconds).unwrap_or(SLEEP_MAX).min(SLEEP_MAX);
                    tokio::select! {
                        () = real_sleep(real) => {}
                        _ = gear.changed() => {}
                    }
                }
            }
        }
    }

    /// Waits for `span` of this clock's time.
    pub async fn sleep(&self, span: TimeDelta) {
        self.sleep_until(self.now() + span).await;
    }
}

/// Waits real time, whatever the injected clock shows: for time-outs of network calls and back-off, never for rules.
#[expect(clippy::disallowed_methods, reason = "the one place that may sleep")]
pub async fn real_sleep(span: Duration) {
    #[cfg(test)]
    if let Some(sleep) = crate::simulation::sleep(span) {
        return sleep.await;
    }
    tokio::time::sleep(span).await;
}

/// Waits for a future, but no longer than this span of real time; `None` if it took longer.
pub async fn within<T>(span: Duration, future: impl Future<Output = T>) -> Option<T> {
    // On the heap: it would lie twice in the future of whoever waits.
    let future = Box::pin(future);
    tokio::select! {
        biased;
        done = future => Some(done),
        () = real_sleep(span) => None,
    }
}

/// The machine's monotonic clock, for measuring; never for deciding.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place that may read the monotonic clock")]
pub fn instant_now() -> Instant {
    Instant::now()
}

/// Notices that somebody set the machine's clock, by comparing it with the time since boot, which nobody sets and which
/// goes on while the machine sleeps.
#[derive(Debug)]
pub struct StepWatch {
    wall: DateTime<Utc>,
    boot: Duration,
}

impl StepWatch {
    /// Steps smaller than this are drift and its correction.
    const STEP_MIN: TimeDelta = TimeDelta::seconds(1);

    /// Begins to watch.
    #[must_use]
    pub fn begin() -> Self {
        Self { wall: utc_now(), boot: since_boot() }
    }

    /// What was seen at the last look, for a later process on the same machine; `None` where starts of the machine cannot
    /// be told apart.
    pub fn note(&self) -> Option<String> {
        let boot_us = self.boot.as_micros();
        Some(format!("{} {boot_us} {}", boot_id()?, self.wall.timestamp_micros()))
    }

    /// By how much the clock was set since another process of ours noted what it saw; `None` too if the machine was started
    /// anew since then, because nobody knows for how long it was off.
    pub fn since(&self, note: &str) -> Option<TimeDelta> {
        self.since_note(note, &boot_id()?)
    }

    fn since_note(&self, note: &str, boot_id: &str) -> Option<TimeDelta> {
        let [noted_id, boot_us, wall_us] = note.split(' ').collect::<Vec<_>>().try_into().ok()?;
        if noted_id != boot_id {
            return None;
        }
        let wall = DateTime::from_timestamp_micros(wall_us.parse().ok()?)?;
        let mut then = Self { wall, boot: Duration::from_micros(boot_us.parse().ok()?) };
        then.compare(self.wall, self.boot)
    }

    /// By how much the clock was set since the last look, forwards or backwards.
    pub fn look(&mut self) -> Option<TimeDelta> {
        self.compare(utc_now(), since_boot())
    }

    fn compare(&mut self, wall: DateTime<Utc>, boot: Duration) -> Option<TimeDelta> {
        let passed = TimeDelta::from_std(boot.saturating_sub(self.boot)).unwrap_or_default();
        let step = (wall - self.wall) - passed;
        *self = Self { wall, boot };
        Some(step).filter(|step| step.abs() > Self::STEP_MIN)
    }
}

/// What tells one start of this machine from another.
fn boot_id() -> Option<String> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_owned()).filter(|id| !id.is_empty() && !id.contains(' '))
}

/// The time since this machine started, in which it may have slept.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn since_boot() -> Duration {
    #[cfg(test)]
    if let Some(span) = crate::simulation::since_boot() {
        return span;
    }
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::try_from(now).unwrap_or_default()
}

/// The time since some moment; other systems tell us of no clock that goes on while they sleep.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn since_boot() -> Duration {
    use std::sync::OnceLock;
    static BEGAN: OnceLock<Instant> = OnceLock::new();
    BEGAN.get_or_init(instant_now).elapsed()
}

#[expect(clippy::disallowed_methods, reason = "the one place that may read the wall clock")]
fn utc_now() -> DateTime<Utc> {
    #[cfg(test)]
    if let Some(now) = crate::simulation::wall() {
        return now;
    }
    Utc::now()
}

/// Cuts an instant to the microseconds that both databases keep.
#[must_use]
pub fn micros(at: DateTime<Utc>) -> DateTime<Utc> {
    at.duration_trunc(TimeDelta::microseconds(1)).unwrap_or(at)
}

/// A lock that survives a panic of another holder: what we keep behind locks is valid at every step.
pub fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + second, 0).expect("in range")
    }

    #[tokio::test]
    async fn a_manual_clock_wakes_sleepers_when_it_is_set_past_them() {
        let clock = Clock::manual(at(0));
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move {
                clock.sleep_until(at(60)).await;
                clock.now()
            }
        });
        clock.set(at(61));
        assert_eq!(sleeper.await.expect("no panic"), at(61));
    }

    #[test]
    fn a_corrected_clock_follows_the_one_it_was_told_of() {
        let clock = Clock::corrected(TimeDelta::hours(1));
        let ahead = |clock: &Clock| (clock.now() - utc_now() + TimeDelta::seconds(1)).num_minutes();
        assert_eq!(ahead(&clock), 60);
        let Clock::Corrected(corrected) = &clock else { panic!("is corrected") };
        assert_eq!(corrected.follow(TimeDelta::minutes(-30)), TimeDelta::minutes(-90));
        assert_eq!(ahead(&clock), -29, "half an hour behind, less the second of grace");
    }

    #[test]
    fn a_clock_that_was_set_is_told_from_one_that_slept() {
        let mut watch = StepWatch { wall: at(0), boot: Duration::from_secs(100) };
        assert_eq!(watch.compare(at(1), Duration::from_millis(101_200)), None, "drift");
        assert_eq!(watch.compare(at(601), Duration::from_millis(701_200)), None, "ten minutes of sleep");
        assert_eq!(watch.compare(at(602 - 3_600), Duration::from_millis(702_200)), Some(TimeDelta::hours(-1)));
        assert_eq!(watch.compare(at(603 - 3_600), Duration::from_millis(703_200)), None, "told once");
        assert_eq!(watch.compare(at(604), Duration::from_millis(704_200)), Some(TimeDelta::hours(1)));
    }

    #[test]
    fn a_clock_that_was_set_while_nobody_watched_is_noticed_by_who_comes_next() {
        let before = StepWatch { wall: at(0), boot: Duration::from_secs(100) };
        let note = format!("boot-1 {} {}", before.boot.as_micros(), before.wall.timestamp_micros());
        let later = |wall| StepWatch { wall: at(wall), boot: Duration::from_mins(15) };
        assert_eq!(later(800).since_note(&note, "boot-1"), None, "eight hundred seconds have passed");
        assert_eq!(later(800 - 3_600).since_note(&note, "boot-1"), Some(TimeDelta::hours(-1)));
        assert_eq!(later(800 - 3_600).since_note(&note, "boot-2"), None, "the machine was started anew");
        assert_eq!(later(800 - 3_600).since_note("boot-1 100", "boot-1"), None, "half a note is none");
    }

    #[test]
    fn work_takes_longer_on_a_clock_that_runs_ahead() {
        let span = TimeDelta::seconds(8);
        assert_eq!(Clock::paced(at(0), 30.0).stretched(span), TimeDelta::seconds(240));
        assert_eq!(Clock::manual(at(0)).stretched(span), span);
    }

    #[test]
    fn a_paced_clock_keeps_its_reading_when_the_speed_changes() {
        let clock = Clock::paced(at(0), 0.0);
        clock.set_speed(0.0);
        assert_eq!(clock.now(), at(0));
        clock.set(at(30));
        assert_eq!(clock.now(), at(30));
    }
}
