//! Somebody's name taken out of files that are there: what people wrote is written anew, what Firebell wrote is made again.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Error, Exported, export_as, fault, folder, merge, read, replace, slug};
use crate::config::Format;
use crate::domain::postmortem::Postmortem;

/// The Markdown files of a folder: the document, and the one beside a document that has lost its marks.
const MARKDOWN: [&str; 2] = ["postmortem.md", "postmortem.firebell.md"];

/// Goes through all documents below `dir` and writes what people wrote into them as `without` says, which gives `None` for
/// a text that stays. Folders that are named after one of `names` lose that name. The files that changed.
pub fn clean(dir: &Path, names: &[String], without: &dyn Fn(&str) -> Option<String>) -> Result<Vec<PathBuf>, Error> {
    let mut changed = Vec::new();
    for folder in folders(dir)? {
        for path in MARKDOWN.map(|name| folder.join(name)) {
            let Some(text) = read(&path)? else { continue };
            if let Some(text) = merge::cleaned(&text, without)
                && replace(&path, &text)?
            {
                changed.push(path);
            }
        }
        let name = folder.file_name().and_then(OsStr::to_str).unwrap_or_default();
        if names.iter().any(|person| is_named_after(name, person)) {
            let to = anonymous_folder(dir, name);
            fs::rename(&folder, &to).map_err(fault("rename", &folder))?;
            changed.push(to);
        }
    }
    Ok(changed)
}

fn folders(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(fault("list", dir)(error)),
    };
    let mut folders = Vec::new();
    for entry in entries {
        let path = entry.map_err(fault("list", dir))?.path();
        if path.file_name().and_then(OsStr::to_str).is_some_and(|name| name.starts_with("INC-")) && path.is_dir() {
            folders.push(path);
        }
    }
    folders.sort();
    Ok(folders)
}

/// Whether the part of a folder's name that comes from the title says the name.
fn is_named_after(folder: &str, person: &str) -> bool {
    let person = slug(person);
    !person.is_empty() && format!("-{folder}-").to_lowercase().contains(&format!("-{person}-"))
}

/// `INC-42`, or the first `INC-42-2` and so on that is free.
fn anonymous_folder(dir: &Path, name: &str) -> PathBuf {
    let number: String = name.trim_start_matches("INC-").chars().take_while(char::is_ascii_digit).collect();
    let plain = dir.join(format!("INC-{number}"));
    let numbered = (2..).map(|count: u32| dir.join(format!("INC-{number}-{count}")));
    std::iter::once(plain).chain(numbered).find(|path| !path.exists()).expect("there are more numbers than folders")
}

/// Makes the documents of an incident again, in these formats and in those that are there; nothing, if it has no folder.
pub fn remake(dir: &Path, postmortem: &Postmortem, formats: &[Format]) -> Result<Option<Exported>, Error> {
    let folder = folder(dir, postmortem)?;
    if !folder.is_dir() {
        return Ok(None);
    }
    let is_there = |format: &&Format| folder.join(format!("postmortem.{}", format.word())).exists();
    let wanted = |format: &&Format| formats.contains(format) || is_there(format);
    let formats: Vec<Format> = Format::ALL.iter().filter(wanted).copied().collect();
    export_as(dir, postmortem, true, &formats)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_named_after_somebody_only_by_a_whole_name() {
        assert!(is_named_after("INC-4-dana-smith-s-laptop", "Dana Smith"));
        assert!(is_named_after("INC-4-ask-dana", "dana"));
        assert!(!is_named_after("INC-4-bandana", "dana") && !is_named_after("INC-4-slow", "日本"));
    }

    #[test]
    fn what_people_wrote_loses_the_name_wherever_it_stands_and_nothing_else_changes() {
        let dir = tempfile::tempdir().expect("a folder");
        let folder = dir.path().join("INC-4-ask-dana");
        fs::create_dir(&folder).expect("is made");
        fs::write(folder.join("postmortem.md"), "No marks. Dana was here.\n").expect("is written");
        fs::create_dir(dir.path().join("notes")).expect("is made");
        fs::write(dir.path().join("notes/postmortem.md"), "Dana's own.\n").expect("is written");
        let without = |text: &str| text.contains("Dana").then(|| text.replace("Dana", "former user 1"));
        clean(dir.path(), &["Dana".to_owned()], &without).expect("cleans");
        let text = fs::read_to_string(dir.path().join("INC-4/postmortem.md")).expect("is there");
        assert_eq!(text, "No marks. former user 1 was here.\n");
        assert_eq!(fs::read_to_string(dir.path().join("notes/postmortem.md")).expect("is there"), "Dana's own.\n");
        assert!(clean(dir.path(), &["Dana".to_owned()], &without).expect("cleans").is_empty());
    }
}
