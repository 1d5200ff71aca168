//! `[lists]`: words that many rules share, written once; `"@name"` stands for them.

use std::collections::BTreeMap;

use toml::de::DeValue;

use super::calendar::Calendars;
use super::codes;
use super::read::{Node, Reader, Text};
use crate::diagnostic::{Diagnostic, Source, Span};

/// What all files share: their lists and calendars.
#[derive(Debug, Default)]
pub(super) struct Lists {
    pub(super) calendars: Calendars,
    words: BTreeMap<String, Vec<String>>,
    places: BTreeMap<String, (Source, Span)>,
    incomplete: bool,
}

impl Lists {
    /// The words of a list.
    pub(super) fn get(&self, name: &str) -> Option<&[String]> {
        self.words.get(name).map(Vec::as_slice)
    }

    /// The names of all lists.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.words.keys().map(String::as_str)
    }

    /// Whether a file could not be read whole, so that a list or a calendar may exist that is not here.
    pub(super) fn incomplete(&self) -> bool {
        self.incomplete
    }

    /// Says that a file could not be read whole.
    pub(super) fn set_incomplete(&mut self) {
        self.incomplete = true;
    }

    /// Takes in one file's `[lists]`.
    pub(super) fn add(&mut self, reader: &mut Reader<'_>, node: &Node<'_>) {
        let DeValue::Table(table) = node.get_ref() else {
            reader.wrong_type::<()>("lists", node, "a table");
            return;
        };
        for (key, value) in table {
            let name = key.get_ref().to_string();
            if let Some((source, span)) = self.places.get(&name) {
                let finding =
                    Diagnostic::error(codes::DUPLICATE_NAME, format!("there are two lists `{name}`"))
                        .at(reader.source, key.span(), "again here")
                        .see(source, span.clone(), "first here")
                        .help("a list is written once, in any file: put the words together, or rename one");
                reader.note(finding);
                continue;
            }
            let words = words(reader, &format!("lists.{name}"), value);
            self.words.insert(name.clone(), words);
            self.places.insert(name, (reader.source.clone(), key.span()));
        }
    }
}

fn words(reader: &mut Reader<'_>, what: &str, value: &Node<'_>) -> Vec<String> {
    let mut words = Vec::new();
    for node in reader.one_or_many(what, value) {
        let Some(word) = reader.text(what, node) else {
            continue;
        };
        if word.text.starts_with('@') {
            no_nesting(reader, &word);
        } else if reader.keyword_says_something(&word) {
            words.push(word.text);
        }
    }
    words
}

fn no_nesting(reader: &mut Reader<'_>, word: &Text) {
    reader
        .error(
            codes::WRONG_VALUE,
            word.span.clone(),
            "a list can't hold another list",
            "only words may stand here",
        )
        .help = Some("name both lists in the rule: `when.keywords = [\"@one\", \"@two\"]`".to_owned());
}
