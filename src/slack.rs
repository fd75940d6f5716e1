//! Slack: what we say there and how what comes back is understood.

pub mod actions;
pub mod answers;
pub mod blocks;
pub mod calls;
pub mod card;
pub mod escape;
pub mod forms;
pub mod help;
pub mod home;
pub mod lists;
pub mod message;
pub mod modals;
pub mod pages;
pub mod posts;
pub mod scene;
pub mod story;
mod times;
