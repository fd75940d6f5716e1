//! What a run leaves for others to read: the log, documents, figures. No secret is in any of it, and nothing of a private
//! incident where everybody reads.

use std::cell::RefCell;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use tracing::subscriber::DefaultGuard;

use super::world::with;
use crate::app::App;
use crate::domain::event::Recorded;
use crate::domain::incident::Incident;
use crate::export;
use crate::telemetry::{self, Format};
use crate::worker::Documents;

thread_local! {
    static LOG: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Takes down what this thread logs.
#[derive(Clone, Copy)]
struct Pen;

impl Write for Pen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.with_borrow_mut(|log| log.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Has all that this thread logs taken down, as far as the program would write it if everything was asked for.
pub(super) fn listen() -> DefaultGuard {
    let subscriber = telemetry::subscriber("trace", Format::Text { color: false }, || Pen).expect("a filter");
    tracing::subscriber::set_default(subscriber)
}

/// Begins a run with nothing logged.
pub(super) fn forget() {
    LOG.with_borrow_mut(Vec::clear);
}

fn look(place: &str, text: &str) {
    with(|world| {
        world.look_for_secrets(place, text);
        world.look_for_links(place, text);
        world.look_for_private(place, text);
    });
}

/// Looks through the log.
pub(super) fn look_at_log() {
    let log = LOG.with_borrow(|log| String::from_utf8_lossy(log).into_owned());
    with(|world| {
        if !log.is_empty() {
            world.saw("logs with something in them");
        }
    });
    look("the log", &log);
}

/// Looks at the figures of a program.
pub(super) fn look_at_figures(app: &App) {
    look("the figures", &app.metrics().text());
}

/// Writes the documents of an incident as an export does, and looks at what is in the folder then.
pub(super) fn look_at_documents(folder: &Path, app: &App, incident: &Incident, history: &[Recorded]) {
    let now = with(|world| world.wall(None)).unwrap_or_default();
    let document = Documents::default().postmortem(incident, history, &app.directory(), now);
    let written = export::export(folder, &document, false).expect("there is room");
    for path in written.into_iter().flat_map(|exported| exported.written) {
        with(|world| world.saw("documents"));
        let text = fs::read_to_string(&path).expect("was just written");
        look("a document", &text);
    }
    fs::remove_dir_all(folder).ok();
}
