//! The guide to writing rules, fed to the program: each chapter is a rule file, and its tests must pass.

use wxreply::diagnostic::{Diagnostic, Source, render};
use wxreply::intake::Policies;
use wxreply::rehearsal::run_tests;
use wxreply::rules::load;

use crate::page::Page;
use crate::readme::scope;

fn both() -> [Page; 2] {
    ["docs/rules.md", "docs/rules.zh-CN.md"].map(Page::read)
}

/// The rules of each chapter, by its heading.
fn chapters(page: &Page) -> Vec<(String, String)> {
    let chapters = page.text.split("\n## ").skip(1).map(|text| {
        let (heading, text) = text
            .split_once('\n')
            .expect("a chapter goes on after its heading");
        let chapter = Page {
            name: page.name,
            text: text.to_owned(),
        };
        let rules = chapter
            .blocks("toml")
            .into_iter()
            .map(|block| block.text)
            .collect();
        (heading.to_owned(), rules)
    });
    chapters
        .filter(|(_, rules): &(_, String)| !rules.is_empty())
        .collect()
}

#[test]
fn every_example_passes_its_own_tests() {
    for page in both() {
        let chapters = chapters(&page);
        assert!(chapters.len() >= 12, "{}: {} chapters", page.name, chapters.len());
        let mut tests = 0;
        for (heading, rules) in chapters {
            let loaded = load(&[Source::new("guide.toml", rules)], &scope());
            let failed = match &loaded.set {
                Some(set) => run_tests(set, &loaded.tests, &Policies::default()),
                None => Vec::new(),
            };
            let findings: Vec<_> = loaded.findings.iter().chain(&failed).collect();
            let told: Vec<String> = findings.iter().map(|d: &&Diagnostic| render(d, false)).collect();
            assert!(told.is_empty(), "{}, {heading}:\n{}", page.name, told.join("\n"));
            tests += loaded.tests.len();
        }
        assert!(tests >= 20, "{}: only {tests} tests", page.name);
    }
}

#[test]
fn both_languages_show_the_same() {
    let [english, chinese] = both();
    for language in ["toml", "sh"] {
        let blocks = |page: &Page| -> Vec<String> {
            page.blocks(language)
                .into_iter()
                .map(|block| block.text)
                .collect()
        };
        assert_eq!(blocks(&english), blocks(&chinese));
    }
    assert_eq!(english.headings().len(), chinese.headings().len());
}

#[test]
fn links_lead_somewhere() {
    both().iter().for_each(Page::must_lead_somewhere);
}
