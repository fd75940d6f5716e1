//! One Markdown file out of what Firebell would write and what is there already.
//!
//! The file is text with marked parts in it. Text outside the marks belongs to people and is never touched. A part
//! whose content is what Firebell wrote last is written anew; any other was edited and stays.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::ProseEdit;
use crate::domain::postmortem::Postmortem;
use crate::domain::postmortem::markdown::{self, Part};

/// Every mark is a comment that begins a line so.
const MARK: &str = "<!-- firebell:";

/// The file has no marks, or they do not pair up: nobody can tell whose text is whose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unmarked;

pub(super) struct Merged {
    pub(super) text: String,
    pub(super) edits: Vec<ProseEdit>,
}

/// The file for an incident that has none yet.
pub(super) fn fresh(postmortem: &Postmortem) -> String {
    merge(None, postmortem).map_or_else(|Unmarked| String::new(), |merged| merged.text)
}

/// The workspace that a file belongs to.
pub(super) fn workspace(text: &str) -> Option<&str> {
    let line = text.lines().next()?.trim();
    line.strip_prefix(MARK)?.strip_prefix("document ")?.split(' ').nth(1)
}

/// The file with what people wrote as `without` says; what Firebell wrote stays, to be made again. `None` if nothing changes.
pub(super) fn cleaned(text: &str, without: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    if parse(text).is_err() {
        return without(text);
    }
    let mut out = String::with_capacity(text.len());
    let (mut piece, mut written, mut in_notice) = (String::new(), None, false);
    let settle = |piece: &mut String, written: Option<&String>, out: &mut String| {
        let ours = written.is_some_and(|written| hash(piece) == *written);
        let cleaned = if ours { None } else { without(piece) };
        out.push_str(cleaned.as_deref().unwrap_or(piece));
        piece.clear();
    };
    for line in text.split_inclusive('\n') {
        let Some(mark) = line.trim().strip_prefix(MARK).and_then(|mark| mark.strip_suffix("-->")) else {
            if in_notice {
                out.push_str(line);
            } else {
                piece.push_str(line);
            }
            continue;
        };
        settle(&mut piece, written.as_ref(), &mut out);
        out.push_str(line);
        let mut words = mark.split_whitespace();
        match words.next() {
            Some("begin") => written = begun(words).ok().map(|part| part.written),
            Some("end") => written = None,
            Some("notice") => in_notice = true,
            Some("end-notice") => in_notice = false,
            _ => {}
        }
    }
    settle(&mut piece, written.as_ref(), &mut out);
    (out != text).then_some(out)
}

/// What the file shall be.
pub(super) fn merge(before: Option<&str>, postmortem: &Postmortem) -> Result<Merged, Unmarked> {
    let old = before.map(parse).transpose()?;
    let mut edits = Vec::new();
    let mut parts = Vec::new();
    for part in markdown::parts(postmortem) {
        let section = postmortem.sections.iter().find(|section| section.key == part.key);
        let generated = section.map_or_else(|| part.body.clone(), markdown::generated);
        let prose = section.and_then(|section| section.written.as_deref());
        let known = old.as_ref().and_then(|old| old.part(&part.key));
        let settled = settle(known, &generated, prose);
        if let (Some(text), true) = (&settled.edit, section.is_some()) {
            edits.push(ProseEdit { section: part.key.clone(), text: text.clone() });
        }
        parts.push((part, settled));
    }
    let text = match old {
        None => assemble(postmortem, vec![], &[], &parts),
        Some(old) => {
            let (known, pieces) = (old.sections, old.pieces);
            assemble(postmortem, pieces, &known, &parts)
        }
    };
    Ok(Merged { text, edits })
}

/// A file taken apart.
struct Old {
    /// The keys of all parts that were ever written to it.
    sections: Vec<String>,
    pieces: Vec<Piece>,
}

enum Piece {
    Text(String),
    Part(OldPart),
}

struct OldPart {
    key: String,
    body: String,
    /// Hash of the generated text that the body was made from, or was edited from.
    generated: String,
    /// Hash of the body as Firebell wrote it.
    written: String,
    /// Hash of the generated text that a notice offered; `notice` says whether the notice is still there.
    offered: Option<String>,
    notice: bool,
}

impl Old {
    fn part(&self, key: &str) -> Option<&OldPart> {
        self.pieces.iter().find_map(|piece| match piece {
            Piece::Part(part) if part.key == key => Some(part),
            Piece::Part(_) | Piece::Text(_) => None,
        })
    }
}

/// How a part shall stand in the file.
struct Settled {
    body: String,
    generated: String,
    written: String,
    /// What Firebell would write now, where that has changed since a person edited the part.
    offer: Option<String>,
    edit: Option<String>,
}

fn settle(old: Option<&OldPart>, generated: &str, prose: Option<&str>) -> Settled {
    let now = hash(generated);
    let plain = |body: &str, base: String| Settled {
        body: body.trim().to_owned(),
        written: hash(body),
        offer: (base != now).then(|| generated.to_owned()),
        generated: base,
        edit: None,
    };
    let Some(old) = old else { return plain(prose.unwrap_or(generated), now.clone()) };
    let body = hash(&old.body);
    // A notice that was offered and has been deleted by hand is answered: the person keeps the text.
    let seen = old.offered.clone().filter(|_| !old.notice).unwrap_or_else(|| old.generated.clone());
    let edited = body != old.written && body != now && prose.map(hash).as_ref() != Some(&body);
    if edited {
        return Settled {
            body: old.body.trim().to_owned(),
            written: old.written.clone(),
            offer: (seen != now).then(|| generated.to_owned()),
            generated: seen,
            edit: Some(old.body.trim().to_owned()),
        };
    }
    match prose {
        Some(prose) if hash(prose) == body => plain(prose, seen),
        Some(prose) => plain(prose, now.clone()),
        None => plain(generated, now.clone()),
    }
}

fn parse(text: &str) -> Result<Old, Unmarked> {
    let mut old = Old { sections: Vec::new(), pieces: Vec::new() };
    let mut marked = false;
    let mut outside = String::new();
    let mut open: Option<OldPart> = None;
    let mut in_notice = false;
    for line in text.split_inclusive('\n') {
        let Some(mark) = line.trim().strip_prefix(MARK).and_then(|mark| mark.strip_suffix("-->")) else {
            match &mut open {
                _ if in_notice => {}
                Some(part) => part.body.push_str(line),
                None => outside.push_str(line),
            }
            continue;
        };
        marked = true;
        let mut words = mark.split_whitespace();
        match (words.next().unwrap_or_default(), &mut open) {
            ("document", None) => {
                old.sections = words.skip(2).map(str::to_owned).collect();
            }
            ("begin", None) => {
                if !outside.is_empty() {
                    old.pieces.push(Piece::Text(std::mem::take(&mut outside)));
                }
                open = Some(begun(words)?);
            }
            ("notice", Some(part)) if !in_notice => {
                part.notice = true;
                in_notice = true;
            }
            ("end-notice", Some(_)) if in_notice => in_notice = false,
            ("end", Some(part)) if !in_notice && words.next() == Some(part.key.as_str()) => {
                old.pieces.extend(open.take().map(Piece::Part));
            }
            _ => return Err(Unmarked),
        }
    }
    if !marked || open.is_some() {
        return Err(Unmarked);
    }
    if !outside.is_empty() {
        old.pieces.push(Piece::Text(outside));
    }
    Ok(old)
}

fn begun<'a>(mut words: impl Iterator<Item = &'a str>) -> Result<OldPart, Unmarked> {
    let key = words.next().ok_or(Unmarked)?.to_owned();
    let mut part = OldPart {
        key,
        body: String::new(),
        generated: String::new(),
        written: String::new(),
        offered: None,
        notice: false,
    };
    for (name, value) in words.filter_map(|word| word.split_once('=')) {
        match name {
            "generated" => value.clone_into(&mut part.generated),
            "written" => value.clone_into(&mut part.written),
            "offered" => part.offered = Some(value.to_owned()),
            _ => {}
        }
    }
    Ok(part)
}

/// Puts the file together: people's text where it was, each part in its place, new parts after the one they follow.
fn assemble(postmortem: &Postmortem, pieces: Vec<Piece>, known: &[String], parts: &[(Part, Settled)]) -> String {
    let present: Vec<String> = pieces
        .iter()
        .filter_map(|piece| match piece {
            Piece::Part(part) => Some(part.key.clone()),
            Piece::Text(_) => None,
        })
        .collect();
    // A part that was written once and is gone was deleted by a person, and stays so.
    let is_new = |key: &String| !present.contains(key) && !known.contains(key);
    let dropped: Vec<&str> = pieces
        .iter()
        .filter_map(|piece| match piece {
            Piece::Part(old) if is_dropped(old, parts) => Some(old.key.as_str()),
            Piece::Part(_) | Piece::Text(_) => None,
        })
        .collect();
    let mut sections: Vec<&str> = known.iter().map(String::as_str).filter(|key| !dropped.contains(key)).collect();
    sections.extend(parts.iter().map(|(part, _)| part.key.as_str()).filter(|key| !known.iter().any(|k| k == key)));
    let mut out =
        format!("{MARK}document {} {} {} -->\n", postmortem.name, postmortem.incident.workspace, sections.join(" "));
    let insert_from = |from: usize, out: &mut String| {
        for (part, settled) in parts[from..].iter().take_while(|(part, _)| is_new(&part.key)) {
            section(part, settled, out);
        }
    };
    insert_from(0, &mut out);
    for piece in pieces {
        match piece {
            Piece::Text(text) => out.push_str(&text),
            Piece::Part(old) => match parts.iter().position(|(part, _)| part.key == old.key) {
                Some(index) => {
                    marked(&parts[index].0.key, &parts[index].1, &mut out);
                    insert_from(index + 1, &mut out);
                }
                None if is_dropped(&old, parts) => drop_heading(&mut out),
                None => {
                    let _ = write!(
                        out,
                        "{MARK}begin {key} generated={} written={} -->\n{}\n{MARK}end {key} -->\n",
                        old.generated,
                        old.written,
                        old.body.trim(),
                        key = old.key,
                    );
                }
            },
        }
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

/// Whether a part of the file has nothing left to say and nobody has edited it.
fn is_dropped(old: &OldPart, parts: &[(Part, Settled)]) -> bool {
    parts.iter().all(|(part, _)| part.key != old.key) && hash(&old.body) == old.written
}

/// A new part with its heading, set apart from what stands before it.
fn section(part: &Part, settled: &Settled, out: &mut String) {
    if !out.ends_with("\n\n") && !out.lines().next_back().is_some_and(|line| line.starts_with("<!-- firebell:document"))
    {
        out.push('\n');
    }
    if let Some(heading) = &part.heading {
        let _ = write!(out, "## {heading}\n\n");
    }
    marked(&part.key, settled, out);
}

fn marked(key: &str, settled: &Settled, out: &mut String) {
    let offered = settled.offer.as_ref().map_or_else(String::new, |offer| format!(" offered={}", hash(offer)));
    let _ = write!(
        out,
        "{MARK}begin {key} generated={} written={}{offered} -->\n{}\n",
        settled.generated,
        settled.written,
        without_marks(&settled.body)
    );
    if let Some(offer) = &settled.offer {
        let _ = write!(
            out,
            "{MARK}notice {key} -->\n\n> The record has changed since this part was written by hand. What Firebell would \
             write now is in the comment below. Delete this notice to keep the text as it is.\n\n<!--\n{}\n-->\n\
             {MARK}end-notice {key} -->\n",
            without_marks(offer).replace("-->", "--&gt;").replace("--!>", "--!&gt;")
        );
    }
    let _ = writeln!(out, "{MARK}end {key} -->");
}

/// Removes the heading at the end of the text, whose part is gone.
fn drop_heading(out: &mut String) {
    let trimmed = out.trim_end();
    let start = trimmed.rfind('\n').map_or(0, |end| end + 1);
    if trimmed[start..].starts_with("## ") {
        out.truncate(start);
    }
}

/// What people write cannot pass for a mark.
fn without_marks(text: &str) -> String {
    let lines = text.trim().lines().map(|line| {
        if line.trim_start().starts_with(MARK) { format!("\\{}", line.trim_start()) } else { line.to_owned() }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The first 48 bits of the text's SHA-256, whatever its line ends and outer blank lines.
fn hash(text: &str) -> String {
    let lines = text.trim().lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    hex::encode(&Sha256::digest(lines.as_bytes())[..6])
}
