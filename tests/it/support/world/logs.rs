//! Errors that the program logs on this test's thread.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use firebell::clock::lock;
use tracing::Level;
use tracing::subscriber::DefaultGuard;

pub(super) struct Logs {
    written: Arc<Mutex<Vec<u8>>>,
    expected: AtomicBool,
    _guard: DefaultGuard,
}

#[derive(Clone)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        lock(&self.0).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Logs {
    /// From now on, until it is dropped.
    pub(super) fn watch() -> Self {
        let written = Arc::new(Mutex::new(Vec::new()));
        let sink = Sink(Arc::clone(&written));
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(Level::ERROR)
            .with_ansi(false)
            .without_time()
            .with_writer(move || sink.clone())
            .finish();
        Self { written, expected: AtomicBool::new(false), _guard: tracing::subscriber::set_default(subscriber) }
    }

    pub(super) fn expect(&self) {
        self.expected.store(true, Ordering::Relaxed);
    }

    pub(super) fn unexpected(&self) -> String {
        if self.expected.load(Ordering::Relaxed) {
            return String::new();
        }
        String::from_utf8_lossy(&lock(&self.written)).into_owned()
    }
}
