//! The sandbox workspace itself: every rule of Slack that it enforces, seen from outside over HTTP.

mod channels;
mod deliveries;
mod files;
mod interactions;
mod mishaps;
mod people;
mod posting;
mod socket;
mod support;
mod surfaces;
