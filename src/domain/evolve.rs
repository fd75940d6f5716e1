//! (in progress)
pub fn evolve() {}
