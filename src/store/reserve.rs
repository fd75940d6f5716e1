//! A little room beside a SQLite file that is given up for a start on a full disk: without room for its shared memory SQLite
//! opens nothing, and a program that does not come up can tell nobody.

use std::io::Write as _;
use std::path::{Path, PathBuf};

/// What SQLite needs to open a file and to begin its log, several times over.
const BYTES: usize = 256 << 10;
/// Room that must be left beside it; else it would itself fill the disk.
const BESIDE: u64 = 4 << 20;

/// Where it is: beside the database, under its name.
pub(super) fn path_of(database: &Path) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push("-reserve");
    PathBuf::from(path)
}

/// Makes it, unless it is there or there is no room. Whatever fails leaves things as they are: all works without.
pub(super) fn keep(database: &Path) {
    let path = path_of(database);
    let has_room = super::audit::disk_free(database).is_some_and(|free| free >= BESIDE);
    if !has_room || path.exists() {
        return;
    }
    // Zeros would take no room on a disk that compresses.
    let bytes: Vec<u8> = std::iter::repeat_with(rand::random::<u8>).take(BYTES).collect();
    let mut asked = std::fs::OpenOptions::new();
    asked.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut asked, 0o600);
    let written = asked.open(&path).and_then(|mut file| file.write_all(&bytes).and_then(|()| file.sync_all()));
    if written.is_err() {
        let _ = std::fs::remove_file(&path);
    }
}

/// Gives it up; whether there was any.
pub(super) fn spend(database: &Path) -> bool {
    std::fs::remove_file(path_of(database)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_once_and_given_up_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = folder.path().join("f.db");
        assert!(!spend(&database), "there is none");
        keep(&database);
        let made = std::fs::read(path_of(&database)).expect("it is there");
        keep(&database);
        assert!(std::fs::read(path_of(&database)).expect("it is there") == made, "it is left as it is");
        assert!(made.len() == BYTES && spend(&database) && !spend(&database));
    }
}
