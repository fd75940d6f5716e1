//! (in progress)
pub fn react() {}
pub fn still_wanted() {}
