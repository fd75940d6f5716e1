//! Integration tests, one binary: the rules alone, then the store on both engines, then the sandbox workspace, then the
//! whole program against that workspace, a real database and a manual clock.

mod core;
mod sandbox;
mod store_contract;
