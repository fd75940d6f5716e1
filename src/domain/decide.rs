//! (in progress)
pub struct Context;
pub fn decide() {}
