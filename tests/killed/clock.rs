//! A clock of a program's own, which can be set while it runs.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::bot::{Bot, Life};

/// Set to 1 where libfaketime must be there.
const FAKETIME_REQUIRED: &str = "FIREBELL_REQUIRE_FAKETIME";
pub const HOUR_S: i64 = 3_600;

/// A clock that a program is shown instead of the machine's.
pub struct Shown {
    library: PathBuf,
    file: PathBuf,
}

impl Shown {
    /// `None` where libfaketime is not installed.
    pub fn in_folder(folder: &Path) -> Option<Self> {
        let libraries = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
        let library =
            libraries.map(|entry| entry.path().join("faketime/libfaketimeMT.so.1")).find(|library| library.is_file());
        if library.is_none() {
            assert!(
                std::env::var(FAKETIME_REQUIRED).as_deref() != Ok("1"),
                "{FAKETIME_REQUIRED}=1, but libfaketime is not installed"
            );
            let _ = writeln!(std::io::stderr(), "libfaketime is not installed: its tests are left out");
        }
        let shown = Self { library: library?, file: folder.join("clock") };
        shown.set(0);
        Some(shown)
    }

    /// Shows the machine's time and so many seconds more.
    pub fn set(&self, ahead_s: i64) {
        let beside = self.file.with_extension("new");
        std::fs::write(&beside, format!("{ahead_s:+}\n")).unwrap();
        std::fs::rename(beside, &self.file).unwrap();
    }

    pub fn start(&self, bot: &Bot) -> Life {
        bot.spawn(&[
            ("LD_PRELOAD", self.library.to_str().unwrap()),
            ("FAKETIME_TIMESTAMP_FILE", self.file.to_str().unwrap()),
            ("FAKETIME_NO_CACHE", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ])
    }
}
