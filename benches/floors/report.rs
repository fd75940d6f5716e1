//! Figures for people.

/// Latencies of one target, in microseconds, sorted.
#[derive(Clone, Debug, Default)]
pub struct Spread(Vec<f64>);

impl Spread {
    pub fn new(mut micros: Vec<f64>) -> Self {
        micros.sort_by(f64::total_cmp);
        Self(micros)
    }

    pub fn merge(parts: &[Self]) -> Self {
        Self::new(parts.iter().flat_map(|part| part.0.iter().copied()).collect())
    }

    /// The value below which this share of the samples lies; nearest rank.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index"
    )]
    pub fn at(&self, share: f64) -> f64 {
        let rank = (share * self.0.len() as f64).ceil() as usize;
        self.0.get(rank.clamp(1, self.0.len().max(1)) - 1).copied().unwrap_or(f64::NAN)
    }

    pub fn max(&self) -> f64 {
        self.0.last().copied().unwrap_or(f64::NAN)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }
}

pub fn median(values: &[f64]) -> f64 {
    Spread::new(values.to_vec()).at(0.5)
}

pub fn range(values: &[f64]) -> (f64, f64) {
    let spread = Spread::new(values.to_vec());
    (spread.0.first().copied().unwrap_or(f64::NAN), spread.max())
}

pub fn heading(text: &str) {
    println!("\n## {text}\n");
}

pub fn ratio_line(what: &str, ratio: f64, goal: &str) {
    println!("{what}: {ratio:.2} × (goal {goal} ×)");
}

/// A line with one figure in milliseconds and its goal.
pub fn ms_line(what: &str, ms: f64, goal: &str) {
    println!("{what}: {ms:.1} ms (goal {goal})");
}
