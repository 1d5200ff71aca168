//! A table of the file, read key by key: what nobody asked for is unknown, what is wrong becomes a finding.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::codes;
use crate::diagnostic::{Diagnostic, Source, Span};

/// Everything found so far, and the file that it was found in.
pub(super) struct Findings<'a> {
    pub source: &'a Source,
    pub list: Vec<Diagnostic>,
}

impl Findings<'_> {
    pub fn push(&mut self, problem: Problem, span: Span) {
        self.list
            .push(problem.finding.at(self.source, span, problem.label));
    }
}

/// What is wrong with a value: a finding that has no place yet, and what to say at that place.
#[derive(Debug)]
pub(super) struct Problem {
    pub finding: Box<Diagnostic>,
    label: String,
}

impl Problem {
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            finding: Box::new(Diagnostic::error(code, message)),
            label: String::new(),
        }
    }

    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            finding: Box::new(Diagnostic::warning(code, message)),
            label: String::new(),
        }
    }

    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.finding.help = Some(help.into());
        self
    }
}

/// One table.
pub(super) struct Section<'a> {
    /// How we speak of it: `[push]`, or empty for the top of the file.
    name: &'static str,
    /// Where it begins, for what is missing in it.
    span: Span,
    table: Option<&'a DeTable<'a>>,
    known: Vec<&'static str>,
}

impl<'a> Section<'a> {
    pub fn new(name: &'static str, table: &'a DeTable<'a>, span: Span) -> Self {
        Self {
            name,
            span,
            table: Some(table),
            known: Vec::new(),
        }
    }

    /// The table that `key` holds; an empty one when it is absent, or no table at all (which is a finding).
    pub fn section(&mut self, findings: &mut Findings<'_>, key: &'static str, name: &'static str) -> Self {
        let value = self.raw(key);
        let table = value.and_then(|value| {
            let table = value.get_ref().as_table();
            if table.is_none() {
                findings.push(wrong_type(key, "a table", value.get_ref()), value.span());
            }
            table
        });
        Self {
            name,
            span: value.map_or(0..0, Spanned::span),
            table,
            known: Vec::new(),
        }
    }

    /// The value of `key` as it stands there; from now on the key is known.
    pub fn raw(&mut self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.known.push(key);
        self.table?.get(key)
    }

    /// The value of `key`, read by `parse`; `None` when it is absent or wrong (which is a finding).
    pub fn get<T>(
        &mut self,
        findings: &mut Findings<'_>,
        key: &'static str,
        parse: impl FnOnce(&str, &DeValue<'_>) -> Result<T, Problem>,
    ) -> Option<T> {
        let value = self.raw(key)?;
        parse(key, value.get_ref())
            .map_err(|problem| findings.push(problem, value.span()))
            .ok()
    }

    /// The same, but absence is a finding too.
    pub fn require<T>(
        &mut self,
        findings: &mut Findings<'_>,
        key: &'static str,
        help: &str,
        parse: impl FnOnce(&str, &DeValue<'_>) -> Result<T, Problem>,
    ) -> Option<T> {
        if self.table.is_some_and(|table| table.contains_key(key)) {
            return self.get(findings, key, parse);
        }
        self.known.push(key);
        let problem = Problem::new(codes::MISSING, format!("{} has no `{key}`", self.title())).help(help);
        findings.push(problem, self.span.clone());
        None
    }

    /// Where the value of `key` stands, else where the table begins.
    pub fn span_of(&self, key: &str) -> Span {
        self.table
            .and_then(|table| table.get(key))
            .map_or_else(|| self.span.clone(), Spanned::span)
    }

    /// Every key that nobody asked for is a finding.
    pub fn finish(self, findings: &mut Findings<'_>) {
        for key in self.table.into_iter().flat_map(DeTable::keys) {
            let name = key.get_ref().as_ref();
            if self.known.contains(&name) {
                continue;
            }
            let problem = Problem::new(
                codes::UNKNOWN_KEY,
                format!("{} has no key `{name}`", self.place()),
            );
            let problem = match closest(name, &self.known) {
                Some(known) => problem.help(format!("did you mean `{known}`?")),
                None => problem.help(format!("it may hold: {}", self.known.join(", "))),
            };
            findings.push(problem.label("unknown"), key.span());
        }
    }

    fn title(&self) -> &'static str {
        if self.name.is_empty() {
            "the file"
        } else {
            self.name
        }
    }

    fn place(&self) -> &'static str {
        if self.name.is_empty() {
            "the top of the file"
        } else {
            self.name
        }
    }
}

/// The tables of the list `value` that `key` holds, spoken of as `name`; what is no list of tables is a finding.
pub(super) fn tables<'a>(
    key: &str,
    name: &'static str,
    value: &'a Spanned<DeValue<'a>>,
    findings: &mut Findings<'_>,
) -> Option<Vec<Section<'a>>> {
    let Some(array) = value.get_ref().as_array() else {
        let problem = wrong_type(key, "a list of tables", value.get_ref());
        let help = format!("write {name}, in two pairs of brackets");
        findings.push(problem.help(help), value.span());
        return None;
    };
    let mut sections = Vec::new();
    for entry in array.iter() {
        match entry.get_ref().as_table() {
            Some(table) => sections.push(Section::new(name, table, entry.span())),
            None => findings.push(wrong_type(key, "a list of tables", entry.get_ref()), entry.span()),
        }
    }
    Some(sections)
}

/// The known word that `word` was probably meant to be.
pub(super) fn closest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    known
        .iter()
        .map(|k| (strsim::jaro_winkler(word, k), *k))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, k)| k)
}

/// The finding for a value that is of a different type than `expected` (with its article).
pub(super) fn wrong_type(key: &str, expected: &str, value: &DeValue<'_>) -> Problem {
    Problem::new(codes::TYPE, format!("`{key}` must be {expected}")).label(format!(
        "this is {}",
        match value.type_str() {
            "integer" => "an integer",
            "array" => "a list",
            "float" => "a number with a fraction",
            "boolean" => "true or false",
            "datetime" => "a date",
            "table" => "a table",
            _ => "a text",
        }
    ))
}
