//! Integration tests: the whole program against a sandbox workspace, a real database and a manual clock.

mod sandbox;
