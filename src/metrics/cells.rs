//! The kinds of measurements, each a few atomics, and how they are written for Prometheus (text format 0.0.4).

use std::fmt::Write as _;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::TimeDelta;

use super::labels::Labels;

/// One measurement without labels.
pub trait Cell: Default + Send + Sync + 'static {
    /// The word for its type in the text format.
    const KIND: &'static str;
    /// Labels that it brings along itself.
    const OWN_LABELS: &'static [&'static str] = &[];

    /// Whether nothing was ever measured.
    fn is_untouched(&self) -> bool;

    /// Writes its lines; `labels` is empty or `a="b",c="d"`.
    fn write(&self, name: &str, labels: &str, out: &mut String);
}

fn line(out: &mut String, name: &str, suffix: &str, labels: &str, value: impl std::fmt::Display) {
    // Writing to a String cannot fail.
    let _ = if labels.is_empty() {
        writeln!(out, "{name}{suffix} {value}")
    } else {
        writeln!(out, "{name}{suffix}{{{labels}}} {value}")
    };
}

/// What only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub fn count(&self) {
        self.add(1);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Cell for Counter {
    const KIND: &'static str = "counter";

    fn is_untouched(&self) -> bool {
        self.get() == 0
    }

    fn write(&self, name: &str, labels: &str, out: &mut String) {
        line(out, name, "", labels, self.get());
    }
}

/// What goes up and down; 0 until it is set.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    pub fn set(&self, value: f64) {
        self.0.store(value.to_bits(), Ordering::Relaxed);
    }

    /// Sets a number of things.
    #[expect(clippy::cast_precision_loss, reason = "more than 2^53 of anything do not fit on a disk")]
    pub fn set_count(&self, count: u64) {
        self.set(count as f64);
    }

    /// Sets a span, in seconds.
    pub fn set_span(&self, span: TimeDelta) {
        self.set(span.as_seconds_f64());
    }

    pub fn get(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }
}

impl Cell for Gauge {
    const KIND: &'static str = "gauge";

    fn is_untouched(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    fn write(&self, name: &str, labels: &str, out: &mut String) {
        line(out, name, "", labels, self.get());
    }
}

/// The upper bounds of a histogram, seconds, rising.
pub trait Bounds: Send + Sync + 'static {
    const SECONDS: &'static [f64];
}

/// How long things took.
#[derive(Debug)]
pub struct Histogram<B> {
    /// One for each bound, and one for what is beyond the last.
    counts: Box<[AtomicU64]>,
    sum_us: AtomicU64,
    bounds: PhantomData<B>,
}

impl<B: Bounds> Default for Histogram<B> {
    fn default() -> Self {
        let counts = (0..=B::SECONDS.len()).map(|_| AtomicU64::new(0)).collect();
        Self { counts, sum_us: AtomicU64::new(0), bounds: PhantomData }
    }
}

impl<B: Bounds> Histogram<B> {
    /// Counts a span; one that a clock set back made negative counts as none.
    pub fn observe(&self, span: TimeDelta) {
        let us = span.num_microseconds().unwrap_or_default().max(0).unsigned_abs();
        let seconds = span.as_seconds_f64();
        let bucket = B::SECONDS.iter().position(|bound| seconds <= *bound).unwrap_or(B::SECONDS.len());
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    /// Counts a span that was measured.
    pub fn observe_real(&self, span: Duration) {
        self.observe(TimeDelta::from_std(span).unwrap_or(TimeDelta::MAX));
    }

    /// How many were counted.
    pub fn total(&self) -> u64 {
        self.counts.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }
}

impl<B: Bounds> Cell for Histogram<B> {
    const KIND: &'static str = "histogram";

    fn is_untouched(&self) -> bool {
        self.total() == 0
    }

    fn write(&self, name: &str, labels: &str, out: &mut String) {
        let comma = if labels.is_empty() { "" } else { "," };
        let mut total = 0;
        for (index, count) in self.counts.iter().enumerate() {
            total += count.load(Ordering::Relaxed);
            let bound = B::SECONDS.get(index).map_or_else(|| "+Inf".to_owned(), ToString::to_string);
            line(out, name, "_bucket", &format!("{labels}{comma}le=\"{bound}\""), total);
        }
        #[expect(clippy::cast_precision_loss, reason = "285 years of microseconds are exact")]
        let sum = self.sum_us.load(Ordering::Relaxed) as f64 / 1e6;
        line(out, name, "_sum", labels, sum);
        line(out, name, "_count", labels, total);
    }
}

/// Words about the program, as labels of a constant 1; nothing until they are set.
#[derive(Debug, Default)]
pub struct Info(OnceLock<[String; 2]>);

impl Info {
    /// Sets the words, once.
    pub fn set(&self, version: &str, database: &str) {
        let _ = self.0.set([version, database].map(ToOwned::to_owned));
    }
}

impl Cell for Info {
    const KIND: &'static str = "gauge";
    const OWN_LABELS: &'static [&'static str] = &["version", "database"];

    fn is_untouched(&self) -> bool {
        self.0.get().is_none()
    }

    fn write(&self, name: &str, _: &str, out: &mut String) {
        let Some(words) = self.0.get() else { return };
        let pair = |(name, word): (&&str, &String)| format!("{name}=\"{}\"", escaped(word));
        let labels: Vec<String> = Self::OWN_LABELS.iter().zip(words).map(pair).collect();
        line(out, name, "", &labels.join(","), 1);
    }
}

/// The value of a label with what the text format would misread.
fn escaped(word: &str) -> String {
    word.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// A measurement for each combination of labels; `()` for none.
#[derive(Debug)]
pub struct By<L, T> {
    cells: Box<[T]>,
    labels: PhantomData<L>,
}

impl<L: Labels, T: Cell> Default for By<L, T> {
    fn default() -> Self {
        Self { cells: (0..L::COUNT).map(|_| T::default()).collect(), labels: PhantomData }
    }
}

impl<L: Labels, T: Cell> By<L, T> {
    /// The measurement with these labels.
    pub fn of(&self, labels: L) -> &T {
        &self.cells[labels.index()]
    }
}

impl<T> Deref for By<(), T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.cells[0]
    }
}

/// A family of measurements, whatever its labels and kind are.
pub(super) trait Samples: Sync {
    fn kind(&self) -> &'static str;
    fn labels(&self) -> Vec<&'static str>;
    fn write(&self, name: &str, out: &mut String);
}

impl<L: Labels, T: Cell> Samples for By<L, T> {
    fn kind(&self) -> &'static str {
        T::KIND
    }

    fn labels(&self) -> Vec<&'static str> {
        [L::names(), T::OWN_LABELS.to_vec()].concat()
    }

    fn write(&self, name: &str, out: &mut String) {
        for labels in L::all() {
            let cell = self.of(labels);
            if L::SPARSE && cell.is_untouched() {
                continue;
            }
            let pairs: Vec<String> =
                L::names().iter().zip(labels.words()).map(|(name, word)| format!("{name}=\"{word}\"")).collect();
            cell.write(name, &pairs.join(","), out);
        }
    }
}
