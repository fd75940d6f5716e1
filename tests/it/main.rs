//! Integration tests, one binary: the rules alone, then the store on both engines, then the sandbox workspace, then the
//! whole program against that workspace, a real database and a manual clock, then the real binary.

#![expect(unreachable_pub, reason = "the modules of one test binary are each other's only readers")]

mod cli;
mod core;
mod demo;
mod docs;
mod document;
mod elsewhere;
mod golden;
mod hardships;
mod replay;
mod sandbox;
mod slack_client;
mod slack_http;
mod slack_payloads;
mod slack_sandbox;
mod slack_socket;
mod store_contract;
mod store_files;
mod store_postgres;
mod support {
    pub mod mail;
    pub mod outgoing;
    pub mod postgres;
    pub mod receiver;
    pub mod world;
}
mod watch;
mod words;
mod world;
