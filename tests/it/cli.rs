//! The real binary, as people and scripts run it: what it prints, what it writes, how it ends.
#![expect(clippy::unwrap_used, reason = "a program or a file that cannot be run or read fails the test")]

mod doctor;
mod documents;
mod erasing;
mod records;
mod serve;
mod texts;

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The user who owns nothing.
const NOBODY: u32 = 65_534;

/// A folder of its own, and an environment in which nothing is set but what the test sets.
struct Shell {
    folder: tempfile::TempDir,
    variables: Vec<(String, String)>,
}

/// How a run ended and what it said.
#[derive(Debug)]
struct Ran {
    status: i32,
    out: String,
    err: String,
}

impl Drop for Shell {
    /// What may not be written may not be removed either.
    fn drop(&mut self) {
        // A folder that cannot be made writable again is left to the system.
        let _ = std::fs::set_permissions(self.folder.path(), Permissions::from_mode(0o700));
    }
}

impl Shell {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), variables: Vec::new() }
    }

    fn set(&mut self, name: &str, value: &str) -> &mut Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn run(&self, args: &[&str]) -> Ran {
        self.finish(Command::new(env!("CARGO_BIN_EXE_firebell")).args(args))
    }

    /// With a text on its standard input.
    fn run_with_input(&self, args: &[&str], input: &str) -> Ran {
        let path = self.write("standard-input", input);
        let file = std::fs::File::open(path).unwrap();
        self.finish_with(Command::new(env!("CARGO_BIN_EXE_firebell")).args(args).stdin(file))
    }

    /// As somebody who may read this folder and write nowhere in it: permissions do not stop root.
    fn run_as_a_reader(&self, args: &[&str]) -> Ran {
        let program = self.path("firebell-of-a-reader");
        if !program.exists() {
            std::fs::copy(env!("CARGO_BIN_EXE_firebell"), &program).unwrap();
            for name in self.names(".") {
                let mode = if self.path(&name) == program || self.path(&name).is_dir() { 0o555 } else { 0o444 };
                std::fs::set_permissions(self.path(&name), Permissions::from_mode(mode)).unwrap();
            }
            std::fs::set_permissions(self.folder.path(), Permissions::from_mode(0o555)).unwrap();
        }
        let mut command = Command::new(program);
        if std::fs::metadata("/proc/self").is_ok_and(|us| us.uid() == 0) {
            command.uid(NOBODY).gid(NOBODY);
        }
        self.finish(command.args(args))
    }

    fn finish(&self, command: &mut Command) -> Ran {
        self.finish_with(command.stdin(Stdio::null()))
    }

    fn finish_with(&self, command: &mut Command) -> Ran {
        let output = command
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        Ran {
            status: output.status.code().expect("it ends by itself"),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Names of what is in a folder, sorted.
    fn names(&self, folder: &str) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.path(folder))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

/// A file of this repository.
fn ours(path: &str) -> String {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    path.to_str().unwrap().to_owned()
}
