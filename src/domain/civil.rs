//! Local time: the only module that imports jiff and knows time zones.

pub mod format;
