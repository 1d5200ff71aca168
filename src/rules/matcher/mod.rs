//! Which of many text conditions hold for one text: in the time of one pass over it, however many there are.
//!
//! - One automaton finds every keyword, and every string that some regex requires, in one pass over the normal form.
//! - `exact` is one look-up in a hash map.
//! - A regex runs only after all strings that it requires were seen, and if the text's length allows it.
//! - A rule is looked at only when its *trigger* fired, the one condition by which it is found: then the rest of its
//!   conditions are checked against what was seen. So nothing here loops over all rules.

mod build;
mod explain;
mod literals;
mod pattern;
mod residual;
mod scan;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;

use daachorse::CharwiseDoubleArrayAhoCorasick;

use pattern::Engine;
pub(crate) use pattern::{Pattern, PatternError};
use residual::Residual;

use crate::message::Fields;

/// The conditions of one rule on the text and the fields. An empty list does not restrict; kinds combine by AND.
#[derive(Clone, Debug, Default)]
pub(crate) struct TextConditions {
    /// The whole text is one of these; as written, the matcher normalises.
    pub exact: Vec<String>,
    /// The text contains one of these.
    pub keywords: Vec<String>,
    /// The text contains all of these.
    pub all_keywords: Vec<String>,
    /// The text contains none of these.
    pub not_keywords: Vec<String>,
    /// One of these finds a match in the original text.
    pub regex: Vec<String>,
    /// (dotted path of a field, regex): each finds a match in one of the path's values.
    pub fields: Vec<(String, String)>,
}

/// A pattern that cannot be compiled.
#[derive(Debug, thiserror::Error)]
#[error("rule {rule}: {what}: {error}")]
pub(crate) struct BuildError {
    /// The index of the rule.
    pub rule: usize,
    /// Which pattern.
    pub what: String,
    /// What is wrong with it.
    pub error: PatternError,
}

/// All text conditions of a rule set, compiled.
pub(crate) struct Matcher {
    /// Finds literals by their index; none where there is no literal.
    automaton: Option<CharwiseDoubleArrayAhoCorasick<u32>>,
    literals: Vec<Literal>,
    by_literal: Targets,
    exact: HashMap<Box<str>, u32>,
    by_exact: Targets,
    /// The length of the longest of them, in bytes: longer texts need not be looked up.
    longest_exact: usize,
    expressions: Vec<Expression>,
    by_expression: Targets,
    /// The triggers in the text that require no string.
    residual: Residual,
    /// The fields that some trigger looks into.
    paths: Vec<Path>,
    /// The rules without a trigger.
    always: Vec<u32>,
    /// By rule: what is to be checked beyond the trigger.
    checks: Vec<Option<Box<Check>>>,
}

/// What a string in the automaton was put there for. One that serves as both is there twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Literal {
    /// A keyword; `latin`: it begins or ends with a Latin letter or digit.
    Keyword { latin: bool },
    /// What a regex requires.
    Fragment,
}

/// What to do when a trigger fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Target {
    /// The rule matches.
    Match(u32),
    /// The rest of the rule is to be checked.
    Check(u32),
    /// The expression may match.
    Try(u32),
}

/// Lists of targets by an index, back to back.
#[derive(Debug)]
struct Targets {
    starts: Vec<u32>,
    targets: Vec<Target>,
}

impl Targets {
    fn get(&self, index: u32) -> &[Target] {
        let index = index as usize;
        &self.targets[self.starts[index] as usize..self.starts[index + 1] as usize]
    }
}

/// A regex and the place it looks into; there once, however many rules have it.
#[derive(Debug)]
struct Expression {
    engine: Engine,
    place: Place,
    /// The lengths of texts that it can match, in bytes.
    min_len: u32,
    max_len: u32,
    /// Sets of literals; the text holds one of each.
    required: Box<[Box<[u32]>]>,
}

/// Where a regex looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Place {
    /// Into the original text.
    Text,
    /// Into the values of a field: an index of [`Matcher::paths`].
    Field(u32),
}

/// A field that regexes look into.
#[derive(Debug)]
struct Path {
    name: String,
    /// Some rule has its trigger here.
    trigger: bool,
    residual: Residual,
}

/// What a rule asks beyond its trigger: literals and expressions.
#[derive(Debug, Default)]
struct Check {
    needs_text: bool,
    any: Box<[u32]>,
    all: Box<[u32]>,
    none: Box<[u32]>,
    regex: Box<[u32]>,
    fields: Box<[u32]>,
}

/// Sets of strings, in normal form where they are Han characters: a text in which `pattern` finds a match holds one
/// of each set, after each of its characters was folded by itself.
pub(crate) fn required_strings(pattern: &str) -> Vec<Vec<String>> {
    pattern::parse(pattern).map_or(Vec::new(), |hir| literals::required(&hir))
}

impl Matcher {
    /// Compiles. Rules are given in the order in which they are tried; their index is their id. A `None` has no
    /// condition here at all and never comes out of [`Self::matches`].
    pub(crate) fn build(rules: &[Option<TextConditions>]) -> Result<Self, BuildError> {
        build::build(rules)
    }

    /// The ids of all rules whose every condition holds, ascending, into `out` (cleared first). A condition on the
    /// text does not hold where there is no text.
    pub(crate) fn matches(&self, text: Option<&str>, fields: &Fields, out: &mut Vec<u32>) {
        scan::matches(self, text, fields, out);
    }

    /// Each condition of one rule for one text: whether it holds, and which pattern hit, in words. May be slow.
    pub(crate) fn explain(
        &self,
        conditions: &TextConditions,
        text: Option<&str>,
        fields: &Fields,
    ) -> Vec<(bool, String)> {
        explain::explain(conditions, text, fields)
    }
}

impl fmt::Debug for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Matcher")
            .field("rules", &self.checks.len())
            .field("literals", &self.literals.len())
            .field("exact", &self.exact.len())
            .field("expressions", &self.expressions.len())
            .finish_non_exhaustive()
    }
}
