//! Rules as they were written: every value with its place, none of them compiled.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use crate::diagnostic::{Source, Span};
use crate::rules::load::File;
use crate::rules::read::Node;

/// All files.
pub(super) struct Written<'a> {
    /// In the order of their files and places.
    pub(super) rules: Vec<Rule<'a>>,
    /// `[lists]`, by name.
    pub(super) lists: BTreeMap<&'a str, Vec<Word<'a>>>,
}

/// One `[[rule]]` that is no mere remainder of a syntax error.
pub(super) struct Rule<'a> {
    pub(super) source: &'a Source,
    table: &'a DeTable<'a>,
    header: Span,
}

/// A text and where it stands.
#[derive(Clone)]
pub(super) struct Word<'a> {
    pub(super) source: &'a Source,
    pub(super) text: &'a str,
    pub(super) span: Span,
}

impl<'a> Written<'a> {
    pub(super) fn of(files: &'a [File<'a>]) -> Self {
        let mut written = Self {
            rules: Vec::new(),
            lists: BTreeMap::new(),
        };
        for file in files {
            let top = file.table.get_ref();
            let rules = top.get("rule").and_then(|node| node.get_ref().as_array());
            for node in rules.into_iter().flat_map(|list| list.iter()) {
                if let (DeValue::Table(table), true) = (node.get_ref(), file.is_whole(node)) {
                    written.rules.push(Rule {
                        source: file.source,
                        table,
                        header: node.span(),
                    });
                }
            }
            let lists = top.get("lists").and_then(|node| node.get_ref().as_table());
            for (name, node) in lists.into_iter().flatten() {
                let words = texts(file.source, node);
                written.lists.entry(name.get_ref().as_ref()).or_insert(words);
            }
        }
        written
    }

    /// The rules that take part, those that only watch included.
    pub(super) fn enabled(&self) -> impl Iterator<Item = &Rule<'a>> {
        self.rules.iter().filter(|rule| rule.flag("enabled", true))
    }

    /// The words of some conditions of all rules, and of the lists that these name; a list's words come once.
    pub(super) fn words<'k>(&'k self, conditions: &'k [&'k str]) -> impl Iterator<Item = Word<'a>> + 'k {
        let mut named: Vec<&str> = Vec::new();
        let mut words = Vec::new();
        for rule in &self.rules {
            for condition in conditions {
                for word in rule.words(condition) {
                    match word.text.strip_prefix('@') {
                        Some(list) => named.push(list),
                        None => words.push(word),
                    }
                }
            }
        }
        named.sort_unstable();
        named.dedup();
        let lists = named.into_iter().filter_map(|name| self.lists.get(name));
        words.into_iter().chain(lists.flatten().cloned())
    }
}

impl<'a> Rule<'a> {
    pub(super) fn get(&self, key: &str) -> Option<&'a Node<'a>> {
        self.table.get(key)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.table.keys().map(|key| key.get_ref().as_ref())
    }

    /// `when`, if anything stands there.
    pub(super) fn when(&self) -> Option<&'a DeTable<'a>> {
        self.get("when")?.get_ref().as_table()
    }

    /// The texts of one condition, lists not replaced by their words.
    pub(super) fn words(&self, condition: &str) -> Vec<Word<'a>> {
        self.when()
            .and_then(|when| when.get(condition))
            .map(|node| texts(self.source, node))
            .unwrap_or_default()
    }

    /// The texts of a key of the rule itself.
    pub(super) fn texts(&self, key: &str) -> Vec<Word<'a>> {
        self.get(key)
            .map(|node| texts(self.source, node))
            .unwrap_or_default()
    }

    pub(super) fn flag(&self, key: &str, default: bool) -> bool {
        match self.get(key).map(|node| node.get_ref()) {
            Some(DeValue::Boolean(value)) => *value,
            _ => default,
        }
    }

    pub(super) fn priority(&self) -> i64 {
        match self.get("priority").map(|node| node.get_ref()) {
            Some(DeValue::Integer(value)) => {
                i64::from_str_radix(value.as_str(), value.radix()).unwrap_or_default()
            }
            _ => 0,
        }
    }

    /// Where the rule is pointed at: its name.
    pub(super) fn place(&self) -> Span {
        self.get("name")
            .map_or_else(|| self.header.clone(), |node| node.span())
    }
}

/// A text, or the texts of a list.
fn texts<'a>(source: &'a Source, node: &'a Node<'a>) -> Vec<Word<'a>> {
    let text = |node: &'a Node<'a>| {
        Some(Word {
            source,
            text: node.get_ref().as_str()?,
            span: node.span(),
        })
    };
    match node.get_ref() {
        DeValue::Array(list) => list.iter().filter_map(text).collect(),
        _ => text(node).into_iter().collect(),
    }
}

/// Whether two values say the same; two that can't be compared differ.
pub(super) fn same(a: &DeValue<'_>, b: &DeValue<'_>) -> bool {
    match (a, b) {
        (DeValue::String(a), DeValue::String(b)) => a == b,
        (DeValue::Integer(a), DeValue::Integer(b)) => a.as_str() == b.as_str(),
        (DeValue::Boolean(a), DeValue::Boolean(b)) => a == b,
        (DeValue::Array(a), DeValue::Array(b)) => {
            a.len() == b.len()
                && a.iter()
                    .zip(b.iter())
                    .all(|(a, b)| same(a.get_ref(), b.get_ref()))
        }
        (DeValue::Table(a), DeValue::Table(b)) => {
            a.len() == b.len()
                && a.iter().all(|(key, value)| {
                    b.get(key.get_ref().as_ref())
                        .is_some_and(|other| same(value.get_ref(), other.get_ref()))
                })
        }
        _ => false,
    }
}
