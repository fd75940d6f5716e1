//! Integration tests, one binary: the rules alone, then the store on both engines, then the whole program against a
//! sandbox workspace, a real database and a manual clock.

mod core;
mod document;
mod sandbox;
mod store_contract;
mod words;
