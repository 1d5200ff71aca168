//! The counted parts of conditions as they are written, with their lines: the compiled set no longer knows which words
//! came from a list, nor where anything but a rule's name stands.

use std::collections::HashMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::parts::{Test, What};
use crate::diagnostic::Source;
use crate::rules::condition;
use crate::rules::matcher::Pattern;
use crate::rules::read::Node;
use crate::text::{exact_form, normal_form};

/// The file of a rule, and where its name stands in there.
type RulePlace<'s> = (&'s str, usize);

/// The words of each list.
type Lists = HashMap<String, Vec<String>>;

/// The parts of each rule's conditions, with their lines.
pub(super) fn parts(sources: &[Source]) -> HashMap<RulePlace<'_>, Vec<(usize, What)>> {
    let files: Vec<_> = sources
        .iter()
        .filter_map(|source| Some((source, DeTable::parse(&source.text).ok()?)))
        .collect();
    let mut lists = Lists::new();
    for (_, file) in &files {
        if let Some(DeValue::Table(table)) = get(file.get_ref(), "lists").map(Spanned::get_ref) {
            let words = |node: &Node<'_>| one_or_many(node).into_iter().filter_map(text).collect();
            lists.extend(
                table
                    .iter()
                    .map(|(name, node)| (name.get_ref().to_string(), words(node))),
            );
        }
    }
    let mut parts = HashMap::new();
    for (source, file) in &files {
        let newlines: Vec<usize> = source.text.match_indices('\n').map(|(at, _)| at).collect();
        let line = |node: &Node<'_>| newlines.partition_point(|at| *at < node.span().start) + 1;
        let rules = get(file.get_ref(), "rule").map(one_or_many).unwrap_or_default();
        for node in rules {
            let DeValue::Table(rule) = node.get_ref() else {
                continue;
            };
            let when = get(rule, "when").map(Spanned::get_ref);
            if let (Some(name), Some(DeValue::Table(when)), Some(file)) =
                (get(rule, "name"), when, source.path.to_str())
            {
                let of_rule = of_when(when, &lists).into_iter();
                let of_rule = of_rule.map(|(node, what)| (line(node), what)).collect();
                parts.insert((file, name.span().start), of_rule);
            }
        }
    }
    parts
}

fn get<'t>(table: &'t DeTable<'t>, name: &str) -> Option<&'t Node<'t>> {
    let mut entries = table.iter();
    entries
        .find(|(key, _)| key.get_ref() == name)
        .map(|(_, node)| node)
}

fn one_or_many<'t>(node: &'t Node<'t>) -> Vec<&'t Node<'t>> {
    match node.get_ref() {
        DeValue::Array(list) => list.iter().collect(),
        _ => vec![node],
    }
}

fn text(node: &Node<'_>) -> Option<String> {
    node.get_ref().as_str().map(str::to_owned)
}

/// The parts of one `when`, each with the place that it is written at. In the order in which the keys were read, so
/// that the conditions on facts are met as they stand in the compiled rule.
fn of_when<'t>(when: &'t DeTable<'t>, lists: &Lists) -> Vec<(&'t Node<'t>, What)> {
    let mut parts = Vec::new();
    let (mut on_facts, mut on_message) = (0, 0);
    for key in condition::KEYS.iter().map(|key| key.name) {
        let Some(node) = get(when, key) else { continue };
        let each = one_or_many(node);
        let several = each.len() > 1;
        for node in each {
            let Some(written) = text(node) else { continue };
            let (test, guard) = match key {
                "exact" => (Test::Exact(forms(&written, lists, exact_form)), false),
                "keywords" => (Test::Has(forms(&written, lists, normal_form)), false),
                "all_keywords" => (Test::HasAll(forms(&written, lists, normal_form)), true),
                "not_keywords" => (Test::HasNone(forms(&written, lists, normal_form)), true),
                "regex" => (
                    Test::Regex(Pattern::compile(&written).into_iter().collect()),
                    false,
                ),
                "msg_type" => (Test::MsgType(written.clone()), false),
                "event" => (Test::Event(written.clone()), false),
                "state" => (Test::State(written.clone()), false),
                _ => continue,
            };
            if several || guard {
                let written = format!("{key} {written:?}");
                let what = if guard { What::Guard } else { What::Way };
                parts.push((node, what(written, test)));
            }
        }
        match key {
            "fields" => fields(node, "", &mut parts),
            "users" => {
                parts.push((node, What::Guard(key.to_owned(), Test::OnMessage(on_message))));
                on_message += 1;
            }
            "time" | "first_message" | "idle" | "state" | "misses" => {
                parts.push((node, What::Guard(key.to_owned(), Test::OnFacts(on_facts))));
                on_facts += 1;
            }
            _ => {}
        }
    }
    parts
}

/// The normal forms of a word, or of a list's words.
fn forms(written: &str, lists: &Lists, form: impl Fn(&str) -> String) -> Vec<String> {
    match written.strip_prefix('@') {
        Some(list) => lists
            .get(list)
            .map(|words| words.iter().map(|word| form(word)).collect())
            .unwrap_or_default(),
        None => vec![form(written)],
    }
}

/// The patterns of `fields`, by their dotted paths.
fn fields<'t>(node: &'t Node<'t>, above: &str, parts: &mut Vec<(&'t Node<'t>, What)>) {
    match node.get_ref() {
        DeValue::Table(table) => {
            for (key, value) in table {
                let dot = if above.is_empty() { "" } else { "." };
                fields(value, &format!("{above}{dot}{}", key.get_ref()), parts);
            }
        }
        DeValue::String(pattern) => {
            let test = Test::Field(above.to_owned(), Pattern::compile(pattern).ok());
            parts.push((node, What::Guard(format!("fields.{above}"), test)));
        }
        _ => {}
    }
}
