//! Pages and the self-contained document: complete, safe, small, and the same words as everywhere else.

use std::collections::BTreeSet;

use firebell::domain::incident::{Severity, Status};
use firebell::domain::postmortem::Postmortem;
use firebell::domain::timeline::people::PeopleStyle;
use firebell::web::chart;
use firebell::web::document::html;
use firebell::web::pages::{List, ListRow, Site, error_page, incident_page, list_page, postmortem_page};
use firebell::web::prose::escape;

use super::live::live;
use super::recordings::{Recording, all};

fn site() -> Site {
    Site { base: "/firebell".to_owned(), viewer: None }
}

/// The timeline's list items of a page.
fn items(page: &str) -> Vec<&str> {
    page.split("<li id=\"e").skip(1).map(|item| item.split("</li>").next().unwrap()).collect()
}

#[test]
fn every_entry_is_in_the_document_and_on_the_page_once_with_its_instant() {
    for recording in all() {
        let postmortem = recording.postmortem();
        for page in [html(&postmortem), incident_page(&site(), &postmortem), postmortem_page(&site(), &postmortem)] {
            let items = items(&page);
            for (at, kind, words) in recording.entries() {
                let datetime = format!("datetime=\"{}\"", postmortem.zone.rfc3339(at));
                let words = escape(words);
                let says = |item: &&&str| {
                    let said = item.split("<p class=\"meta\">").next().unwrap().trim_end();
                    let said = said.trim_end_matches("</div>").trim_end_matches("</p>");
                    let said = said.strip_suffix('.').filter(|_| !words.ends_with('.')).unwrap_or(said);
                    [" ", ": ", ">"].iter().any(|before| said.ends_with(&format!("{before}{words}")))
                };
                let found: Vec<_> = items.iter().filter(says).collect();
                assert_eq!(found.len(), 1, "“{words}” in {}", recording.name);
                assert!(found[0].contains(&datetime), "{datetime} in {}", recording.name);
                assert!(found[0].contains(&format!("#i-{kind}\"")), "{kind} in {}", recording.name);
            }
        }
    }
}

fn every_page() -> Vec<(String, String)> {
    let mut hostile = Recording::load("00-");
    let attack = "\"><script>alert(1)</script><img src=x onerror=alert(1)> [x](javascript:alert(1)) {{7*7}}";
    attack.clone_into(&mut hostile.incident.title);
    for text in hostile.incident.fields.values_mut() {
        attack.clone_into(text);
    }
    hostile.incident.measures.push(attack.to_owned());
    attack.clone_into(&mut hostile.incident.tasks[0].text);
    hostile.incident.prose.insert("timeline".to_owned(), attack.to_owned());
    hostile.incident.prose.insert("conclusion".to_owned(), attack.to_owned());
    let mut documents: Vec<(String, Postmortem)> =
        all().into_iter().map(|recording| (recording.name.clone(), recording.postmortem())).collect();
    documents.push(("hostile".to_owned(), hostile.postmortem()));
    documents.push(("live".to_owned(), live().postmortem(PeopleStyle::Names)));
    let mut pages: Vec<(String, String)> = documents
        .iter()
        .flat_map(|(name, postmortem)| {
            [html(postmortem), incident_page(&site(), postmortem), postmortem_page(&site(), postmortem)]
                .map(|page| (name.clone(), page))
        })
        .collect();
    let row = ListRow {
        number: 42,
        title: attack.to_owned(),
        severity: Severity::Sev1,
        status: Status::Investigating,
        private: true,
        opened_at: hostile.incident.opened_at,
        opened: "April 2nd, 2023, 3:00 PM EDT".to_owned(),
        lasted_s: Some(7_200),
    };
    let list = List { rows: vec![row], query: attack.to_owned(), next: Some("page=2".to_owned()), ..List::default() };
    pages.push(("list".to_owned(), list_page(&site(), &list)));
    pages.push(("empty list".to_owned(), list_page(&site(), &List::default())));
    pages.push(("error".to_owned(), error_page(&site(), attack, attack)));
    pages
}

#[test]
fn no_page_runs_scripts_fetches_anything_or_styles_inline() {
    const FORBIDDEN: [&str; 8] =
        ["<script", "<img", "<iframe", "href=\"javascript:", " style=\"", " src=\"", "@import", "url(http"];
    for (name, page) in every_page() {
        for forbidden in FORBIDDEN {
            let found = page.find(forbidden).map(|at| &page[at.saturating_sub(80)..(at + 60).min(page.len())]);
            assert_eq!(found, None, "{forbidden} in {name}");
        }
        assert!(page.len() < 100_000, "{name} has {} bytes", page.len());
    }
}

#[test]
fn ids_are_unique_and_every_reference_within_a_page_has_a_target() {
    for (name, page) in every_page() {
        let ids: Vec<&str> = page.split(" id=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        let unique: BTreeSet<&str> = ids.iter().copied().collect();
        assert_eq!(ids.len(), unique.len(), "{name}: {ids:?}");
        for target in page.split("href=\"#").skip(1).map(|rest| rest.split('"').next().unwrap()) {
            assert!(target.is_empty() || unique.contains(target), "{name}: #{target}");
        }
        for attribute in [" aria-labelledby=\"", " for=\""] {
            for targets in page.split(attribute).skip(1).map(|rest| rest.split('"').next().unwrap()) {
                assert!(targets.split(' ').all(|target| unique.contains(target)), "{name}: {targets}");
            }
        }
    }
}

#[test]
fn every_element_is_closed_in_order() {
    const VOID: [&str; 6] = ["meta", "link", "br", "input", "hr", "!doctype"];
    for (name, page) in every_page() {
        let mut open: Vec<&str> = Vec::new();
        let without_style = page
            .split("<style>")
            .enumerate()
            .map(|(index, part)| if index == 0 { part } else { part.split_once("</style>").unwrap().1 });
        let page: String = without_style.collect();
        for tag in page.split('<').skip(1).map(|rest| rest.split('>').next().unwrap()) {
            let element = tag.trim_start_matches('/').split([' ', '/', '\n']).next().unwrap();
            if VOID.contains(&element) || tag.ends_with('/') {
                continue;
            }
            if tag.starts_with('/') {
                assert_eq!(open.pop(), Some(element), "{name}");
            } else {
                open.push(element);
            }
        }
        assert_eq!(open, Vec::<&str>::new(), "{name}");
    }
}

#[test]
fn the_chart_of_a_long_lead_up_is_cut_and_says_the_same_as_its_table() {
    let postmortem = Recording::load("12").postmortem();
    let drawn = chart::chart(&postmortem);
    let cuts: Vec<&str> = drawn.cuts.iter().map(|cut| cut.text.as_str()).collect();
    assert_eq!(cuts, ["104 d", "5 d"]);
    assert!(drawn.bars.iter().all(|bar| bar.x >= drawn.plot_left && bar.x + bar.width <= drawn.plot_right));
    let rows: Vec<String> = chart::rows(&postmortem)
        .into_iter()
        .map(|row| format!("{} | {} | {} | {}", row.name, row.from, row.to, row.lasted))
        .collect();
    insta::assert_snapshot!(rows.join("\n"));
}

#[test]
fn the_chart_of_the_fall_back_night_marks_the_change_of_the_clocks() {
    let drawn = chart::chart(&Recording::load("90").postmortem());
    assert!(drawn.days.iter().any(|day| day.text == "EDT → EST"));
    let mut order = drawn.diamonds.windows(2);
    assert!(order.all(|pair| pair[0].x <= pair[1].x), "time runs from left to right, whatever the clocks say");
}

#[test]
fn edits_sources_and_calls_are_on_the_page_and_dangerous_links_are_not() {
    let page = incident_page(&site(), &live().postmortem(PeopleStyle::Names));
    assert!(page.contains("<del>Not our deploi</del>"), "{page}");
    assert!(page.contains("https://firebell.slack.example/archives/C1/p11"));
    assert!(!page.contains("javascript:"));
    assert!(page.contains("Payments team called 23:40, no answer, called again 23:45, answered 23:48."));
}

#[test]
fn the_document_of_the_seed() {
    let page = html(&Recording::load("00-").postmortem());
    let body = page.split_once("</style>").unwrap().1;
    insta::assert_snapshot!(body);
}
