//! Integration tests, one binary: the rules alone, then the whole program against a sandbox workspace, a real database
//! and a manual clock.

mod core;
