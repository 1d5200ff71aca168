//! Which of many text conditions hold for one text: in the time of one pass over it, however many there are.
//!
//! - One pass over the normal form finds every keyword, every exact text and every string that some regex requires.
//! - A regex runs only after all strings that it requires were seen, and if the text's length allows it.
//! - A rule is looked at only when its *trigger* fired, the one condition by which it is found: then the rest of its
//!   conditions are checked against what was seen. So nothing here loops over all rules.

mod build;
mod explain;
mod literals;
mod pattern;
mod positions;
mod residual;
mod scan;
mod strings;
#[cfg(test)]
mod tests;

use std::fmt;

use pattern::Engine;
pub(crate) use pattern::{Pattern, PatternError};
use positions::{Positions, Small};
use residual::Residual;
use strings::Strings;

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
    /// Finds literals by their index.
    strings: Strings,
    literals: Vec<Literal>,
    by_literal: Targets,
    /// The literal that stands for the empty exact text.
    empty: Option<u32>,
    expressions: Vec<Expression>,
    by_expression: Targets,
    positions: Positions,
    /// The sets of literals that expressions require.
    required: Sets,
    /// The triggers in the text that require no string.
    residual: Residual,
    /// The fields that some trigger looks into.
    paths: Vec<Path>,
    /// The rules without a trigger.
    always: Vec<u32>,
    /// By rule: what is to be checked beyond the trigger.
    checks: Vec<Option<Box<Check>>>,
}

/// What a string is looked for. One that serves several purposes is there several times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Literal {
    /// A keyword; `latin`: it begins or ends with a Latin letter or digit.
    Keyword { latin: bool },
    /// All that a text says.
    Exact,
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

/// Lists of targets by an index.
#[derive(Debug)]
struct Targets {
    lists: Vec<List>,
    /// Those with several.
    long: Vec<Box<[Target]>>,
}

/// Nearly every list has one target: then that is read at one place.
#[derive(Clone, Copy, Debug)]
enum List {
    Empty,
    One(Target),
    /// An index of [`Targets::long`].
    Long(u32),
}

impl Targets {
    fn get(&self, index: u32) -> &[Target] {
        match &self.lists[index as usize] {
            List::Empty => &[],
            List::One(target) => std::slice::from_ref(target),
            List::Long(long) => &self.long[*long as usize],
        }
    }
}

/// Sets of literals, back to back.
#[derive(Debug, Default)]
struct Sets {
    ends: Vec<u32>,
    literals: Vec<u32>,
}

impl Sets {
    fn push(&mut self, set: impl IntoIterator<Item = u32>) {
        self.literals.extend(set);
        self.ends.push(index(self.literals.len()));
    }

    fn get(&self, index: u32) -> &[u32] {
        let index = index as usize;
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.literals[start as usize..self.ends[index] as usize]
    }
}

/// A regex and the place it looks into; there once, however many rules have it.
#[derive(Debug)]
struct Expression {
    engine: How,
    place: Place,
    /// The lengths of texts that it can match, in bytes.
    min_len: u32,
    max_len: u32,
    /// The range of its sets in [`Matcher::required`]; the text holds one literal of each.
    required: (u32, u32),
}

/// How a regex is run.
#[derive(Debug)]
enum How {
    Small(Small),
    Engine(Box<Engine>),
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
            .field("expressions", &self.expressions.len())
            .finish_non_exhaustive()
    }
}

/// Tables hold fewer than four thousand million entries, for want of memory to hold their sources.
#[expect(clippy::cast_possible_truncation)]
fn index(len: usize) -> u32 {
    len as u32
}
