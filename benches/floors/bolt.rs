//! The usual way to write a Slack bot, for comparison: `@slack/bolt` for Node with SQLite, where node is installed.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::Result;

use crate::floor::{free_port, on_first_core};
use crate::load::{SIGNING_SECRET, Target};

pub struct Bolt {
    port: u16,
    child: Child,
    _folder: tempfile::TempDir,
}

impl Bolt {
    pub fn target(&self) -> Target {
        Target { name: "@slack/bolt with SQLite".to_owned(), port: self.port, path: "/slack/events" }
    }
}

impl Drop for Bolt {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Installs and starts it; `None`, and a line that says so, where that is not possible.
pub fn spawn() -> Result<Option<Bolt>> {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/floors/bolt");
    let folder = tempfile::tempdir()?;
    for file in ["package.json", "server.mjs"] {
        std::fs::copy(place.join(file), folder.path().join(file))?;
    }
    let install = ["install", "--no-audit", "--no-fund", "--silent"];
    let installed = Command::new("npm").args(install).current_dir(folder.path()).status();
    if !installed.is_ok_and(|status| status.success()) {
        println!("@slack/bolt is left out: npm cannot install it here");
        return Ok(None);
    }
    let port = free_port()?;
    let child = on_first_core("node")
        .arg("server.mjs")
        .current_dir(folder.path())
        .env("PORT", port.to_string())
        .env("SLACK_SIGNING_SECRET", SIGNING_SECRET)
        .stdout(Stdio::null())
        .spawn()?;
    Ok(Some(Bolt { port, child, _folder: folder }))
}
