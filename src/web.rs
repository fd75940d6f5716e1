//! What people see in a browser: pages, the self-contained document, the chart. Pure functions from an incident to
//! text; routes and permissions are elsewhere.

mod answer;
pub mod chart;
pub mod document;
pub mod pages;
pub mod prose;
mod routes;

pub use answer::answers;
pub use routes::router;

/// The style of every page, served as `/static/firebell.css` and inlined in exported documents.
pub const STYLESHEET: &str = include_str!("web/firebell.css");

/// What pages need: no scripts, no outside requests, style from this server only.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The same for the document that stands alone, whose style is inside it.
pub const DOCUMENT_SECURITY_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'none'";

/// Whether an address from outside may become a link.
fn is_web(address: &str) -> bool {
    address.starts_with("https://") || address.starts_with("http://")
}
