//! Socket Mode, seen from a bare WebSocket client.
