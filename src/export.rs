//! The export directory: `INC-42-<title>/postmortem.{md,html,json}`, written again whenever the incident changes.
//!
//! What people write into the Markdown file survives. Each generated part lies between marks that carry a hash of what
//! Firebell wrote; a part that no longer has that hash was edited and is kept, and is handed back so that the caller can
//! record it. Files are replaced as a whole or not at all. Nothing here reads a clock, a database or Slack.

mod anonymous;
mod merge;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

pub use anonymous::{clean, remake};

use crate::config::Format;
use crate::crash::{self, Point};
use crate::domain::postmortem::{Postmortem, json, markdown};
use crate::planted::{self, Bug};
use crate::web::document;

/// Longest part of a folder's name that comes from the title, in characters.
const SLUG_CHARS_MAX: usize = 60;
/// Largest Markdown file that is read back; a larger one is taken for something else and left alone.
const MARKDOWN_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// A file of the export directory could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} {}: {why}", path.display())]
pub struct Error {
    doing: &'static str,
    path: PathBuf,
    why: io::Error,
}

/// What an export did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// The incident's folder.
    pub folder: PathBuf,
    /// Files whose content changed.
    pub written: Vec<PathBuf>,
    /// Sections that somebody edited in the Markdown file; to be recorded as prose.
    pub prose_edits: Vec<ProseEdit>,
    /// Where the Markdown went instead, because the marks in `postmortem.md` are gone or damaged.
    pub aside: Option<PathBuf>,
}

/// A section that a person wrote in the exported file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProseEdit {
    pub section: String,
    pub text: String,
}

/// Writes the documents of one incident below `dir`. A private incident is left out, `Ok(None)`, unless `private` says
/// that it may be exported.
pub fn export(dir: &Path, postmortem: &Postmortem, private: bool) -> Result<Option<Exported>, Error> {
    export_as(dir, postmortem, private, &Format::ALL)
}

/// As [`export`], only these formats.
pub fn export_as(
    dir: &Path,
    postmortem: &Postmortem,
    private: bool,
    formats: &[Format],
) -> Result<Option<Exported>, Error> {
    if postmortem.incident.private && !private && !planted::active(Bug::PrivateExported) {
        return Ok(None);
    }
    let folder = folder(dir, postmortem)?;
    fs::create_dir_all(&folder).map_err(fault("create", &folder))?;
    sweep(&folder)?;
    let markdown_path = folder.join("postmortem.md");
    let before = read(&markdown_path)?;
    let mut postmortem = postmortem.clone();
    let (markdown, prose_edits, aside) = if let Ok(merged) = merge::merge(before.as_deref(), &postmortem) {
        (merged.text, merged.edits, None)
    } else {
        (merge::fresh(&postmortem), Vec::new(), Some(folder.join("postmortem.firebell.md")))
    };
    for edit in &prose_edits {
        postmortem.write(&edit.section, &edit.text);
    }
    let mut written = Vec::new();
    for format in formats {
        let (path, text) = match format {
            Format::Markdown => (aside.clone().unwrap_or_else(|| markdown_path.clone()), markdown.clone()),
            Format::Html => (folder.join("postmortem.html"), document::html(&postmortem)),
            Format::Json => (folder.join("postmortem.json"), json::json(&postmortem)),
        };
        if replace(&path, &text)? {
            written.push(path);
        }
    }
    Ok(Some(Exported { folder, written, prose_edits, aside }))
}

/// The incident's folder: the one it has, or a new one named after the title. A folder keeps its name when the title
/// changes, so that links to it stay good.
fn folder(dir: &Path, postmortem: &Postmortem) -> Result<PathBuf, Error> {
    let prefix = format!("{}-", postmortem.name);
    let workspace = postmortem.incident.workspace.as_str();
    let mut known = Vec::new();
    match fs::read_dir(dir) {
        Ok(entries) => {
            for entry in entries {
                let path = entry.map_err(fault("list", dir))?.path();
                let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
                if (name.starts_with(&prefix) || name == postmortem.name) && path.is_dir() {
                    known.push(path);
                }
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(fault("list", dir)(error)),
    }
    known.sort();
    let mut taken = false;
    for path in known {
        let text = read(&path.join("postmortem.md"))?;
        match text.as_deref().and_then(merge::workspace) {
            Some(other) if other != workspace => taken = true,
            _ => return Ok(path),
        }
    }
    let name = match (slug(&postmortem.title), taken) {
        (slug, false) if slug.is_empty() => postmortem.name.clone(),
        (slug, false) => format!("{prefix}{slug}"),
        (slug, true) if slug.is_empty() => format!("{prefix}{}", self::slug(workspace)),
        (slug, true) => format!("{prefix}{slug}-{}", self::slug(workspace)),
    };
    Ok(dir.join(name))
}

/// The document as one text, as its page serves it.
pub fn text(postmortem: &Postmortem, format: Format) -> String {
    match format {
        Format::Markdown => markdown::markdown(postmortem),
        Format::Html => document::html(postmortem),
        Format::Json => json::json(postmortem),
    }
}

/// What the document is called as a single file: `INC-42-shop-is-slow.md`.
pub fn file_name(postmortem: &Postmortem, format: Format) -> String {
    let (name, slug, ending) = (&postmortem.name, slug(&postmortem.title), format.word());
    if slug.is_empty() { format!("{name}.{ending}") } else { format!("{name}-{slug}.{ending}") }
}

/// Lower-case letters and digits with single hyphens: safe as a name on every file system.
fn slug(title: &str) -> String {
    let mut slug = String::new();
    for c in title.chars().flat_map(char::to_lowercase) {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') && c != '\'' && c != '’' {
            slug.push('-');
        }
        if slug.len() >= SLUG_CHARS_MAX {
            break;
        }
    }
    slug.trim_end_matches('-').to_owned()
}

/// The text of a file, if there is one and it is not blank. What cannot be a document of ours reads as a text without
/// marks, so that it is left alone.
fn read(path: &Path) -> Result<Option<String>, Error> {
    const NOT_OURS: &str = "not ours";
    match fs::metadata(path) {
        Ok(found) if found.len() > MARKDOWN_BYTES_MAX => return Ok(Some(NOT_OURS.to_owned())),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(fault("read", path)(error)),
    }
    let bytes = fs::read(path).map_err(fault("read", path))?;
    let text = String::from_utf8(bytes).unwrap_or_else(|_| NOT_OURS.to_owned());
    Ok(Some(text).filter(|text| !text.trim().is_empty()))
}

/// Writes the file whole: a temporary one beside it takes its place. Says whether anything changed.
fn replace(path: &Path, text: &str) -> Result<bool, Error> {
    if fs::read(path).is_ok_and(|bytes| bytes == text.as_bytes()) {
        return Ok(false);
    }
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or("file");
    let temporary = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let write = || -> io::Result<()> {
        let mut file = File::create(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        crash::at(Point::ExportWritten);
        fs::rename(&temporary, path)?;
        crash::at(Point::ExportReplaced);
        Ok(())
    };
    write().map_err(|error| {
        // The temporary file is of no use to anybody; that it cannot be removed either changes nothing.
        let _ = fs::remove_file(&temporary);
        fault("write", path)(error)
    })?;
    if let Some(folder) = path.parent() {
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(fault("write", folder))?;
    }
    Ok(true)
}

/// Removes temporary files that a program left behind which was killed before it could rename them. Should one belong to a
/// program that is still at it, that one fails and is told to try again.
fn sweep(folder: &Path) -> Result<(), Error> {
    let ours = format!(".{}.tmp", std::process::id());
    for entry in fs::read_dir(folder).map_err(fault("list", folder))? {
        let path = entry.map_err(fault("list", folder))?.path();
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        let left = name.strip_prefix(".postmortem.").and_then(|rest| rest.strip_suffix(".tmp")).is_some_and(|rest| {
            rest.rsplit('.').next().is_some_and(|id| !id.is_empty() && id.bytes().all(|digit| digit.is_ascii_digit()))
        });
        if left && !name.ends_with(&ours) {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(fault("remove", &path)(error)),
                Ok(()) | Err(_) => {}
            }
        }
    }
    Ok(())
}

fn fault(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |why| Error { doing, path, why }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_program_left_is_swept_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let kept = [".postmortem.md.tmp", ".postmortem.notes.tmp", "postmortem.md", ".postmortem.md.12.tmp~"];
        let own = format!(".postmortem.json.{}.tmp", std::process::id());
        let left = [".postmortem.md.4000000001.tmp", ".postmortem.firebell.md.4000000001.tmp"];
        for name in kept.iter().chain(&left).copied().chain([own.as_str()]) {
            fs::write(folder.path().join(name), "x").expect("is written");
        }
        sweep(folder.path()).expect("can be listed");
        let there = |name: &str| folder.path().join(name).exists();
        assert!(kept.iter().all(|name| there(name)) && there(&own));
        assert!(!left.iter().any(|name| there(name)));
    }

    #[test]
    fn a_folder_name_is_safe_whatever_the_title() {
        for (title, name) in [
            ("Shop is very slow, checkouts fail", "shop-is-very-slow-checkouts-fail"),
            ("../../etc/passwd", "etc-passwd"),
            ("Ana's café — 100% down!", "anas-caf-100-down"),
            ("日本", ""),
            ("CON", "con"),
        ] {
            assert_eq!(slug(title), name);
        }
        assert!(slug(&"long ".repeat(40)).len() <= SLUG_CHARS_MAX);
    }
}
