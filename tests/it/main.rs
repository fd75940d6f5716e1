//! Integration tests: the whole program against a sandbox workspace, a real database and a manual clock.

mod slack_client;
mod slack_http;
mod slack_payloads;
mod slack_socket;
