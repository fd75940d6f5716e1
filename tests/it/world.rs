//! What people live through with Firebell: every command, button, form and page, in the words they read.

mod opening;
mod paging;
mod record;
