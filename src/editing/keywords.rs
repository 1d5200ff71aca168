//! The words of a rule file and what is compared of each: shown while they are written.

use std::collections::HashMap;

use serde::Serialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use utoipa::ToSchema;

use crate::diagnostic::Source;
use crate::text::{exact_form, normal_form};

/// A word of a rule, or of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Keyword {
    /// The line on which its rule or list begins, from 1.
    pub section: usize,
    /// What it is for.
    pub kind: KeywordKind,
    /// The line that it stands on, from 1.
    pub line: usize,
    /// The column that it begins at, quote included, from 1, in characters.
    pub column: usize,
    /// The word as it is written.
    pub text: String,
    /// What is compared.
    pub normal_form: String,
    /// What is odd about it.
    pub note: Option<KeywordNote>,
}

/// What a word is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeywordKind {
    /// `when.exact`
    Exact,
    /// `when.keywords`
    Keywords,
    /// `when.all_keywords`
    AllKeywords,
    /// `when.not_keywords`
    NotKeywords,
    /// A word of `[lists]`.
    List,
}

/// What is odd about a word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(tag = "note", rename_all = "snake_case")]
pub enum KeywordNote {
    /// Nothing is left of it to look for.
    Empty,
    /// It stands for the words of a list.
    List {
        /// Its name.
        name: String,
    },
    /// The same is compared as of an earlier word of the same list.
    SameAs {
        /// That word as it is written.
        text: String,
        /// The line that it stands on.
        line: usize,
    },
}

const KINDS: [(&str, KeywordKind); 4] = [
    ("exact", KeywordKind::Exact),
    ("keywords", KeywordKind::Keywords),
    ("all_keywords", KeywordKind::AllKeywords),
    ("not_keywords", KeywordKind::NotKeywords),
];

/// The words of a rule file, in the order of their places; of one that can't be read as TOML, those that can.
#[must_use]
pub fn keywords(text: &str) -> Vec<Keyword> {
    let (table, _) = DeTable::parse_recoverable(text);
    let mut reader = Reader {
        lines: Lines::of(text),
        words: Vec::new(),
    };
    let rules = table
        .get_ref()
        .get("rule")
        .and_then(|node| node.get_ref().as_array());
    for rule in rules.into_iter().flat_map(|rules| rules.iter()) {
        let when = rule.get_ref().as_table().and_then(|rule| rule.get("when"));
        let Some(when) = when.and_then(|when| when.get_ref().as_table()) else {
            continue;
        };
        for (key, kind) in KINDS {
            if let Some(node) = when.get(key) {
                reader.read(rule.span().start, kind, node);
            }
        }
    }
    let lists = table
        .get_ref()
        .get("lists")
        .and_then(|node| node.get_ref().as_table());
    for (name, node) in lists.into_iter().flatten() {
        reader.read(name.span().start, KeywordKind::List, node);
    }
    let mut words = reader.words;
    words.sort_by_key(|word| (word.line, word.column));
    words
}

struct Reader<'a> {
    lines: Lines<'a>,
    words: Vec<Keyword>,
}

impl Reader<'_> {
    /// Reads one text or a list of them.
    fn read(&mut self, section: usize, kind: KeywordKind, node: &Spanned<DeValue<'_>>) {
        let nodes = match node.get_ref() {
            DeValue::Array(list) => list.iter().collect(),
            _ => vec![node],
        };
        let (section, _) = self.lines.place(section);
        let mut earlier: HashMap<String, (String, usize)> = HashMap::new();
        for node in nodes {
            let Some(text) = node.get_ref().as_str() else {
                continue;
            };
            let (line, column) = self.lines.place(node.span().start);
            let form = match kind {
                KeywordKind::Exact => exact_form(text),
                _ => normal_form(text),
            };
            let list = text.strip_prefix('@').filter(|_| kind != KeywordKind::List);
            let note = if let Some(name) = list {
                Some(KeywordNote::List {
                    name: name.to_owned(),
                })
            } else if form.is_empty() {
                Some(KeywordNote::Empty)
            } else if let Some((text, line)) = earlier.get(&form) {
                Some(KeywordNote::SameAs {
                    text: text.clone(),
                    line: *line,
                })
            } else {
                earlier.insert(form.clone(), (text.to_owned(), line));
                None
            };
            self.words.push(Keyword {
                section,
                kind,
                line,
                column,
                text: text.to_owned(),
                normal_form: if list.is_some() { text.to_owned() } else { form },
                note,
            });
        }
    }
}

/// Lines and columns of many places of one text: a large file has ten thousand words.
struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Self {
        let newlines = text.match_indices('\n').map(|(at, _)| at + 1);
        Self {
            text,
            starts: std::iter::once(0).chain(newlines).collect(),
        }
    }

    fn place(&self, offset: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|start| *start <= offset).max(1);
        let rest = Source::new("", &self.text[self.starts[line - 1]..self.text.len().min(offset)]);
        (line, rest.line_column(rest.text.len()).1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_told_with_its_normal_form_and_what_is_odd() {
        let text = "[lists]\nhours = [\"几点\", \"幾點\"]\n\n[[rule]]\nname = \"a\"\nwhen.exact = \"营业。\"\n\
                    when.keywords = [\"ＷｉＦｉ\", \"　\", \"@hours\",\n  \"wifi\"]\n\
                    [[rule]]\nname = \"b\"\n[rule.when]\nall_keywords = [\"多少錢\"]\nnot_keywords = [3, \"x\"]\n";
        let told: Vec<String> = keywords(text)
            .iter()
            .map(|word| {
                let Keyword {
                    section,
                    kind,
                    line,
                    column,
                    text,
                    normal_form,
                    note,
                } = word;
                let note = note.as_ref().map_or(String::new(), |note| format!(" {note:?}"));
                format!("{section}/{line}:{column} {kind:?} {text:?} {normal_form:?}{note}")
            })
            .collect();
        insta::assert_snapshot!(told.join("\n"), @r#"
        2/2:10 List "几点" "几点"
        2/2:16 List "幾點" "几点" SameAs { text: "几点", line: 2 }
        4/6:14 Exact "营业。" "营业"
        4/7:18 Keywords "ＷｉＦｉ" "wifi"
        4/7:26 Keywords "\u{3000}" "" Empty
        4/7:31 Keywords "@hours" "@hours" List { name: "hours" }
        4/8:3 Keywords "wifi" "wifi" SameAs { text: "ＷｉＦｉ", line: 7 }
        9/12:17 AllKeywords "多少錢" "多少钱"
        9/13:20 NotKeywords "x" "x"
        "#);
    }

    #[test]
    fn what_can_be_read_of_a_broken_file_is_told() {
        let words = keywords("[[rule]]\nwhen.keywords = [\"a\"]\n[[rule]]\nwhen.keywords = [\"b\", \n");
        assert!(words.iter().any(|word| word.text == "a"), "{words:?}");
        assert_eq!(keywords("rule = 3\n[[lists]]\n"), []);
    }
}
