//! The sections of a rule file: which rule, test or list stands on which lines.

use std::collections::HashMap;

use toml::de::{DeTable, DeValue};

use super::load::File;
use super::read::Node;
use crate::diagnostic::Source;

/// A table of the first level that has a header of its own, with the comment above it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// What it is.
    pub kind: SectionKind,
    /// The line that its comment begins on, from 1; that of its header when it has none.
    pub first: usize,
    /// The line of its header.
    pub header: usize,
    /// The last line that says something.
    pub last: usize,
}

/// What a section is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SectionKind {
    /// A `[[rule]]` of this name.
    Rule(String),
    /// A `[[test]]`.
    Test {
        /// Its name.
        name: String,
        /// The rules that it expects.
        rules: Vec<String>,
    },
    /// Anything else, or what lacks a name.
    Other,
}

/// The sections of a file in their order; of one with syntax errors, those that can be read.
#[must_use]
pub fn sections(source: &Source) -> Vec<Section> {
    let file = File::parse(source, &mut Vec::new());
    let lines: Vec<&str> = source.text.lines().collect();
    let mut line_starts = vec![0];
    line_starts.extend(source.text.match_indices('\n').map(|(at, _)| at + 1));
    let line = |place: usize| line_starts.partition_point(|start| *start <= place);
    let mut kinds = kinds(file.table.get_ref());
    let mut sections: Vec<Section> = file
        .starts()
        .iter()
        .map(|start| {
            let header = line(*start);
            let comments = lines[..header - 1].iter().rev();
            let comments = comments
                .take_while(|text| text.trim_start().starts_with('#'))
                .count();
            Section {
                kind: kinds.remove(start).unwrap_or(SectionKind::Other),
                first: header - comments,
                header,
                last: lines.len(),
            }
        })
        .collect();
    for at in 0..sections.len() {
        let end = sections.get(at + 1).map_or(lines.len(), |next| next.first - 1);
        let said = lines[..end].iter().rposition(|text| !text.trim().is_empty());
        sections[at].last = said.map_or(end, |at| at + 1).max(sections[at].header);
    }
    sections
}

/// What the rules and tests that have a name are, by where each begins.
fn kinds(table: &DeTable<'_>) -> HashMap<usize, SectionKind> {
    let named = |key: &str| {
        let list = table.get(key).and_then(|node| node.get_ref().as_array());
        list.into_iter().flatten().filter_map(|node| {
            let name = node.get_ref().as_table()?.get("name")?.get_ref().as_str()?;
            Some((name.to_owned(), node))
        })
    };
    let tests = named("test").map(|(name, node)| {
        let mut rules = Vec::new();
        expected(node, &mut rules);
        (node.span().start, SectionKind::Test { name, rules })
    });
    let rules = named("rule").map(|(name, node)| (node.span().start, SectionKind::Rule(name)));
    tests.chain(rules).collect()
}

/// The rules that stand under `expect`, at any depth.
fn expected(node: &Node<'_>, rules: &mut Vec<String>) {
    match node.get_ref() {
        DeValue::Table(table) => {
            for (key, value) in table {
                let rule = || value.get_ref().as_table()?.get("rule")?.get_ref().as_str();
                match rule().filter(|_| key.get_ref() == "expect") {
                    Some(rule) => rules.push(rule.to_owned()),
                    None => expected(value, rules),
                }
            }
        }
        DeValue::Array(list) => list.iter().for_each(|node| expected(node, rules)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_section_has_its_lines_and_its_comment() {
        let text = "# about the file\n\n# why\n[[rule]]\nname = 'a'\nreply = '''\n[[rule]]\n'''\n\n\
                    [lists]\nx = ['1']\n# more\n# of it\n[[test]]\nname = 't'\n\
                    steps = [{ message = '1' }, { message = '2', expect = { rule = 'a' } }]\n\n[[rule]]\n[rule.when]\nexact = 'b'\n";
        let told: Vec<String> = sections(&Source::new("a.toml", text))
            .into_iter()
            .map(|s| format!("{}/{}-{} {:?}", s.first, s.header, s.last, s.kind))
            .collect();
        assert_eq!(
            told,
            [
                "3/4-8 Rule(\"a\")",
                "10/10-11 Other",
                "12/14-16 Test { name: \"t\", rules: [\"a\"] }",
                "18/18-20 Other",
            ]
        );
        assert_eq!(sections(&Source::new("a.toml", "")), []);
        assert_eq!(
            sections(&Source::new("a.toml", "[[rule]]\nname = 'x'\nreply = ")).len(),
            1
        );
    }
}
