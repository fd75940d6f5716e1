//! The export directory: files appear whole, follow the record, and keep what people wrote into them.

use std::fs;
use std::path::Path;

use firebell::config::Format;
use firebell::domain::postmortem::Postmortem;
use firebell::export::{Exported, ProseEdit, export, export_as};

use super::recordings::Recording;

fn write(dir: &Path, postmortem: &Postmortem) -> Exported {
    export(dir, postmortem, false).unwrap().expect("the incident is not private")
}

fn markdown(exported: &Exported) -> String {
    fs::read_to_string(exported.folder.join("postmortem.md")).unwrap()
}

fn edit(exported: &Exported, from: &str, to: &str) {
    let text = markdown(exported);
    assert!(text.contains(from), "{from} is not in {text}");
    fs::write(exported.folder.join("postmortem.md"), text.replacen(from, to, 1)).unwrap();
}

const CAUSE: &str = "**Root cause:** Wrong network settings in the database cluster cut the connection between web \
                     server and database.";

#[test]
fn three_documents_are_written_once_and_not_again_without_a_change() {
    let dir = tempfile::tempdir().unwrap();
    let seed = Recording::load("00-");
    let first = write(dir.path(), &seed.postmortem());
    let name = "INC-42-e-commerce-store-outage-caused-by-a-database-connectivity-is";
    assert!(first.folder.ends_with(name), "{:?}", first.folder);
    let names: Vec<_> = first.written.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["postmortem.md", "postmortem.html", "postmortem.json"]);
    assert_eq!(fs::read_dir(&first.folder).unwrap().count(), 3, "no temporary file is left");
    let second = write(dir.path(), &seed.postmortem());
    assert_eq!((second.written, second.prose_edits), (vec![], vec![]));
}

#[test]
fn an_edited_section_is_kept_reported_until_it_is_recorded_and_shown_in_every_format() {
    let dir = tempfile::tempdir().unwrap();
    let mut seed = Recording::load("00-");
    let first = write(dir.path(), &seed.postmortem());
    edit(&first, CAUSE, "A **switch** was misconfigured.");
    let expected = vec![ProseEdit { section: "root_cause".to_owned(), text: markdown_of_edit() }];
    for _ in 0..2 {
        let again = write(dir.path(), &seed.postmortem());
        assert_eq!(again.prose_edits, expected);
        assert!(markdown(&again).contains("A **switch** was misconfigured."));
        let html = fs::read_to_string(again.folder.join("postmortem.html")).unwrap();
        assert!(html.contains("A <strong>switch</strong> was misconfigured."));
        let json = fs::read_to_string(again.folder.join("postmortem.json")).unwrap();
        assert!(json.contains("A **switch** was misconfigured."));
    }
    seed.incident.prose.insert("root_cause".to_owned(), markdown_of_edit());
    let recorded = write(dir.path(), &seed.postmortem());
    assert_eq!(recorded.prose_edits, vec![]);
    seed.incident.prose.clear();
    let cleared = write(dir.path(), &seed.postmortem());
    assert!(markdown(&cleared).contains(CAUSE), "prose that was cleared in the record gives way to the generated text");
}

fn markdown_of_edit() -> String {
    "A **switch** was misconfigured.\n\n**Resolution:** The database team corrected the cluster's network settings."
        .to_owned()
}

#[test]
fn prose_written_elsewhere_replaces_untouched_text() {
    let dir = tempfile::tempdir().unwrap();
    let mut seed = Recording::load("00-");
    write(dir.path(), &seed.postmortem());
    seed.incident.prose.insert("conclusion".to_owned(), "We learned a lot.".to_owned());
    let first = write(dir.path(), &seed.postmortem());
    assert!(markdown(&first).contains("We learned a lot."));
    assert!(!markdown(&first).contains("The incident lasted"));
    seed.incident.prose.insert("conclusion".to_owned(), "We learned even more.".to_owned());
    let second = write(dir.path(), &seed.postmortem());
    assert!(markdown(&second).contains("even more") && !markdown(&second).contains("a lot"));
    assert_eq!(second.prose_edits, vec![]);
}

#[test]
fn text_outside_the_sections_and_renamed_headings_stay() {
    let dir = tempfile::tempdir().unwrap();
    let mut seed = Recording::load("00-");
    let first = write(dir.path(), &seed.postmortem());
    edit(&first, "## Conclusion", "Our own paragraph.\n\n## What we take from it");
    seed.incident.measures.push("Rehearse the failover".to_owned());
    let again = write(dir.path(), &seed.postmortem());
    let text = markdown(&again);
    assert!(text.contains("Our own paragraph.\n\n## What we take from it"), "{text}");
    assert!(text.contains("- Rehearse the failover."), "{text}");
    assert_eq!(again.prose_edits, vec![]);
}

#[test]
fn when_both_sides_changed_the_persons_text_stays_and_the_new_one_is_offered_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut seed = Recording::load("00-");
    let first = write(dir.path(), &seed.postmortem());
    edit(&first, "- Write a disaster recovery plan.", "- Write a plan, with dates.");
    seed.incident.measures.push("Rehearse the failover --> soon".to_owned());
    let offered = write(dir.path(), &seed.postmortem());
    let text = markdown(&offered);
    assert!(text.contains("- Write a plan, with dates."), "{text}");
    assert!(text.contains("<!--\n- Review the database cluster's network settings."), "{text}");
    assert!(text.contains("- Rehearse the failover --&gt; soon."), "{text}");
    assert!(!offered.prose_edits[0].text.contains("Firebell would"));
    assert_eq!(markdown(&write(dir.path(), &seed.postmortem())), text, "the notice is not repeated");

    let (before, rest) = text.split_once("<!-- firebell:notice measures -->").unwrap();
    let (_, after) = rest.split_once("<!-- firebell:end-notice measures -->\n").unwrap();
    fs::write(offered.folder.join("postmortem.md"), format!("{before}{after}")).unwrap();
    let answered = markdown(&write(dir.path(), &seed.postmortem()));
    assert!(!answered.contains("firebell:notice"), "{answered}");
    assert!(answered.contains("- Write a plan, with dates."), "{answered}");
}

#[test]
fn a_section_that_a_person_deleted_does_not_come_back_and_one_that_emptied_does() {
    let dir = tempfile::tempdir().unwrap();
    let mut seed = Recording::load("00-");
    let first = write(dir.path(), &seed.postmortem());
    let text = markdown(&first);
    let start = text.find("## Response in numbers").unwrap();
    let end = text.find("## Root cause and resolution").unwrap();
    fs::write(first.folder.join("postmortem.md"), format!("{}{}", &text[..start], &text[end..])).unwrap();
    let tasks = std::mem::take(&mut seed.incident.tasks);
    for mut task in tasks.clone() {
        task.done = true;
        seed.incident.tasks.push(task);
    }
    let done = markdown(&write(dir.path(), &seed.postmortem()));
    assert!(!done.contains("Response in numbers") && !done.contains("Still open"), "{done}");
    seed.incident.tasks = tasks;
    let open = markdown(&write(dir.path(), &seed.postmortem()));
    assert!(!open.contains("Response in numbers") && open.contains("Still open"), "{open}");
    assert!(open.find("Still open") < open.find("Issue Summary"), "{open}");
}

#[test]
fn a_file_without_marks_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let seed = Recording::load("00-");
    let first = write(dir.path(), &seed.postmortem());
    for foreign in ["# Our own report\n", "<!-- firebell:begin summary generated=a written=b -->\nno end\n"] {
        fs::write(first.folder.join("postmortem.md"), foreign).unwrap();
        let again = write(dir.path(), &seed.postmortem());
        assert_eq!(markdown(&again), foreign);
        let aside = again.aside.expect("the document goes elsewhere");
        assert!(fs::read_to_string(aside).unwrap().contains("## Issue Summary"));
    }
}

#[test]
fn the_folder_keeps_its_name_and_other_numbers_and_workspaces_have_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let mut seed = Recording::load("00-");
    let first = write(dir.path(), &seed.postmortem()).folder;
    seed.incident.title = "Another title".to_owned();
    assert_eq!(write(dir.path(), &seed.postmortem()).folder, first);
    seed.incident.number = 4;
    assert!(write(dir.path(), &seed.postmortem()).folder.ends_with("INC-4-another-title"));
    seed.incident.number = 42;
    seed.incident.workspace = "T2".into();
    assert!(write(dir.path(), &seed.postmortem()).folder.ends_with("INC-42-another-title-t2"));
}

#[test]
fn a_private_incident_is_exported_only_if_that_is_allowed() {
    let dir = tempfile::tempdir().unwrap();
    let mut seed = Recording::load("00-");
    seed.incident.private = true;
    assert_eq!(export(dir.path(), &seed.postmortem(), false).unwrap(), None);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    assert!(export(dir.path(), &seed.postmortem(), true).unwrap().is_some());
}

#[test]
fn prose_cannot_forge_a_mark() {
    let dir = tempfile::tempdir().unwrap();
    let mut seed = Recording::load("00-");
    let forged = "Fine.\n<!-- firebell:end conclusion -->\n<!-- firebell:begin x generated=a written=b -->";
    seed.incident.prose.insert("conclusion".to_owned(), forged.to_owned());
    write(dir.path(), &seed.postmortem());
    let again = write(dir.path(), &seed.postmortem());
    assert_eq!(again.aside, None);
    assert!(markdown(&again).contains("\\<!-- firebell:end conclusion -->"));
}

#[test]
fn only_the_formats_that_are_wanted_are_written() {
    let dir = tempfile::tempdir().unwrap();
    let seed = Recording::load("00-");
    let exported = export_as(dir.path(), &seed.postmortem(), false, &[Format::Html, Format::Json]).unwrap().unwrap();
    let mut names: Vec<_> = fs::read_dir(&exported.folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["postmortem.html", "postmortem.json"]);
}
