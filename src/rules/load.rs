//! Sources → a rule set and findings. Never fails: what is wrong becomes a finding.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use jiff::tz::TimeZone;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::lists::Lists;
use super::read::{Node, Reader};
use super::template::Templates;
use super::{RuleSet, codes, rule};
use crate::diagnostic::{Diagnostic, Source};
use crate::message::{AppKind, AppName, RuleName};

/// What the rules may refer to.
#[derive(Clone, Debug)]
pub struct Scope {
    /// The apps of the config; empty when rules are checked without one: then any app name and variable is taken.
    pub apps: Vec<AppScope>,
    /// The zone that hours, days and dates are meant in.
    pub timezone: TimeZone,
    /// Files that are no rules, by their path relative to the rules folder (`/` between parts), and their size in
    /// bytes.
    pub media: BTreeMap<PathBuf, u64>,
}

/// One app as rules see it.
#[derive(Clone, Debug)]
pub struct AppScope {
    /// Its name.
    pub name: AppName,
    /// Its kind.
    pub kind: AppKind,
    /// Its variables: `{{ app.<name> }}`.
    pub vars: BTreeMap<String, String>,
}

/// What loading gives.
#[derive(Debug)]
pub struct Loaded {
    /// The set; absent when a finding is an error.
    pub set: Option<RuleSet>,
    /// All findings, by file and place.
    pub findings: Vec<Diagnostic>,
}

/// Loads rule files. `sources` in the order of their paths.
#[must_use]
pub fn load(sources: &[Source], scope: &Scope) -> Loaded {
    let mut findings = Vec::new();
    let files: Vec<File<'_>> = sources
        .iter()
        .map(|source| File::parse(source, &mut findings))
        .collect();
    let mut lists = Lists::default();
    for file in &files {
        file.read_lists(scope, &mut lists, &mut findings);
    }
    let mut templates = Templates::new();
    let mut rules = Vec::new();
    for file in &files {
        let mut reader = Reader {
            source: file.source,
            scope,
            lists: &lists,
            findings: &mut findings,
        };
        let (mut line, mut counted) = (1, 0);
        for node in rule::nodes(&mut reader, file.table.get_ref()) {
            // Counting on from the last rule: counting from the top for each would take quadratic time.
            line += newlines(&file.source.text, counted, node.span().start);
            counted = node.span().start;
            if file.is_whole(node)
                && let Some(read) = rule::read(&mut reader, &mut templates, node, line)
            {
                rules.push((file.source, read));
            }
        }
    }
    same_names(&rules, &mut findings);
    if !lists.incomplete() {
        states_never_set(&rules, &mut findings);
    }
    let set = if findings.iter().any(Diagnostic::is_error) {
        None
    } else {
        let enabled = rules
            .into_iter()
            .map(|(_, read)| read)
            .filter(|read| read.enabled);
        RuleSet::compile(enabled.map(|read| read.rule).collect(), templates, sources, scope)
            .map_err(|error| {
                findings.push(
                    Diagnostic::error(
                        codes::TOO_LARGE,
                        format!("the rules do not fit together: {error}"),
                    )
                    .help("split a long pattern, or write its words as keywords"),
                );
            })
            .ok()
    };
    findings.sort_by(|a, b| key(a).cmp(&key(b)));
    Loaded { set, findings }
}

fn newlines(text: &str, from: usize, to: usize) -> usize {
    let bytes = text.as_bytes().get(from..to).unwrap_or_default();
    bytes.iter().filter(|byte| **byte == b'\n').count()
}

/// By file, place and weight; what has no place comes last.
fn key(finding: &Diagnostic) -> (bool, Option<(&PathBuf, usize)>, &'static str) {
    let place = finding.place.as_ref();
    (
        place.is_none(),
        place.map(|place| (&place.source.path, place.span.start)),
        finding.code,
    )
}

/// One file, parsed as far as it goes.
struct File<'a> {
    source: &'a Source,
    table: Spanned<DeTable<'a>>,
    /// The sections in which TOML's own rules are broken.
    broken: Vec<usize>,
    /// Where each `[[rule]]` and each other table of the first level begins, in order.
    starts: Vec<usize>,
}

impl<'a> File<'a> {
    fn parse(source: &'a Source, findings: &mut Vec<Diagnostic>) -> Self {
        let (table, mut errors) = DeTable::parse_recoverable(&source.text);
        errors.sort_by_key(|error| error.span().map(|span| span.start));
        let mut file = Self {
            source,
            starts: starts(table.get_ref()),
            table,
            broken: Vec::new(),
        };
        for error in errors {
            let span = error.span().unwrap_or(0..0);
            // What else is wrong with the same rule or list is mostly an echo of its first mistake.
            let section = file.section(span.start);
            if !file.broken.contains(&section) {
                file.broken.push(section);
                findings.push(match error.message() {
                    "duplicate key" => Diagnostic::error(codes::SYNTAX, "this key stands twice")
                        .at(source, span, "again here")
                        .help("write each key once; for several values, write a list"),
                    message => Diagnostic::error(codes::SYNTAX, "this can't be read as TOML")
                        .at(source, span, message)
                        .help("a text stands in quotes, a list in brackets, and every line is `key = value`"),
                });
            }
        }
        file
    }

    /// The table of the first level that a place lies in: how many begin before it.
    fn section(&self, place: usize) -> usize {
        self.starts.partition_point(|start| *start <= place)
    }

    /// Whether no syntax error lies in a rule; what is left of a broken one would only be complained about twice.
    fn is_whole(&self, node: &Node<'_>) -> bool {
        !self.broken.contains(&self.section(node.span().start))
    }

    fn read_lists(&self, scope: &Scope, lists: &mut Lists, findings: &mut Vec<Diagnostic>) {
        if !self.broken.is_empty() {
            lists.set_incomplete();
        }
        let mut reader = Reader {
            source: self.source,
            scope,
            lists: &Lists::default(),
            findings,
        };
        let keys = reader.keys(self.table.get_ref(), &["rule", "lists"], |name| match name {
            "test" => Some("rule tests (`[[test]]`) are not supported by this version".to_owned()),
            "name" | "when" | "reply" => Some("a rule begins with the line `[[rule]]`".to_owned()),
            _ => None,
        });
        if let Some(node) = keys.get("lists").filter(|node| self.is_whole(node)) {
            lists.add(&mut reader, node);
        }
    }
}

/// Where each `[[rule]]` and each other table of the first level begins, in order.
fn starts(table: &DeTable<'_>) -> Vec<usize> {
    let mut starts = Vec::new();
    for (_, node) in table {
        match node.get_ref() {
            DeValue::Array(list) => starts.extend(list.iter().map(|node| node.span().start)),
            _ => starts.push(node.span().start),
        }
    }
    starts.sort_unstable();
    starts
}

/// Two rules of one app may not have one name.
fn same_names(rules: &[(&Source, rule::Read)], findings: &mut Vec<Diagnostic>) {
    let mut named: BTreeMap<&RuleName, Vec<&(&Source, rule::Read)>> = BTreeMap::new();
    for entry in rules {
        let earlier = named.entry(&entry.1.rule.name).or_default();
        if let Some((source, first)) = earlier.iter().find(|other| share_an_app(&other.1, &entry.1)) {
            findings.push(
                Diagnostic::error(
                    codes::DUPLICATE_NAME,
                    format!("two rules are named `{}`", entry.1.name.text),
                )
                .at(entry.0, entry.1.name.span.clone(), "again here")
                .see(source, first.name.span.clone(), "first here")
                .help("the log tells rules apart by their names: rename one"),
            );
        }
        earlier.push(entry);
    }
}

fn share_an_app(a: &rule::Read, b: &rule::Read) -> bool {
    match (&a.rule.apps, &b.rule.apps) {
        (Some(a), Some(b)) => a.iter().any(|app| b.contains(app)),
        _ => true,
    }
}

/// A rule that waits for a state which no rule sets never answers.
fn states_never_set(rules: &[(&Source, rule::Read)], findings: &mut Vec<Diagnostic>) {
    let enabled = || rules.iter().filter(|(_, read)| read.enabled);
    let set: BTreeSet<&str> = enabled()
        .filter_map(|(_, read)| read.rule.then.set_state.as_ref()?.as_deref())
        .collect();
    for (source, read) in enabled() {
        for state in read
            .waits_for
            .iter()
            .filter(|state| !set.contains(state.text.as_str()))
        {
            let help = match super::read::nearest(&state.text, set.iter().copied()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!(
                    "write `set_state = \"{}\"` in the rule that leads here",
                    state.text
                ),
            };
            findings.push(
                Diagnostic::warning(
                    codes::STATE_NEVER_SET,
                    format!("no rule sets the state `{}`", state.text),
                )
                .at(source, state.span.clone(), "never reached")
                .help(help),
            );
        }
    }
}
