//! What people live through with Firebell: every command, button, form and page, in the words they read.

mod buttons;
mod captures;
mod documents;
mod ending;
mod erasure;
mod held;
mod limits;
mod missed;
mod opening;
mod paging;
mod record;
mod storms;
mod unfinished;
