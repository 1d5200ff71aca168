//! One message through the matcher.

use std::cell::RefCell;
use std::ops::Range;

use regex_automata::nfa::thompson::backtrack::Cache;

use super::strings::Found;
use super::{Check, How, Literal, Matcher, Place, Residual, Target};
use crate::message::Fields;
use crate::text::{char_ends_free, exact_chars, fold_chars, normal_form};

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Memory that each thread keeps from message to message, for whatever matcher comes next.
#[derive(Default)]
struct Scratch {
    /// The number of the last message.
    message: u32,
    /// The literals that the last scan saw.
    seen: Seen,
    /// By expression: twice the number of the message that last tried it, plus one if it matched. Never cleared: a verdict
    /// counts only under its message's number.
    verdicts: Vec<u32>,
    /// Expressions to try when the scan is over.
    tries: Vec<u32>,
    /// Rules to check when all scans are over.
    check: Vec<u32>,
    /// The text that was scanned last, folded.
    folded: Vec<char>,
    /// Where the fold of the text that was scanned last differs from the text: its own characters, once they are needed.
    own: Vec<char>,
    own_is: Own,
    /// Where a field that no scan looked into is decoded.
    field: Vec<char>,
    cache: Option<Cache>,
}

/// Where the characters of the text that was scanned last are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Own {
    /// It is its own fold.
    #[default]
    Folded,
    /// Nowhere yet.
    Needed,
    /// In [`Scratch::own`].
    There,
}

/// A set of literals.
#[derive(Debug, Default)]
struct Seen {
    bits: Vec<u64>,
    /// Those in it.
    list: Vec<u32>,
}

impl Seen {
    /// Adds one; whether it was not there.
    #[inline]
    fn insert(&mut self, literal: u32) -> bool {
        let (word, bit) = (literal as usize / 64, 1 << (literal % 64));
        let new = self.bits[word] & bit == 0;
        if new {
            self.bits[word] |= bit;
            self.list.push(literal);
        }
        new
    }

    fn contains(&self, literal: u32) -> bool {
        self.bits[literal as usize / 64] >> (literal % 64) & 1 == 1
    }

    fn clear(&mut self) {
        for literal in self.list.drain(..) {
            self.bits[literal as usize / 64] = 0;
        }
    }
}

/// Message numbers are doubled in [`Scratch::verdicts`].
const LAST_MESSAGE: u32 = 1 << 30;

pub(super) fn matches(matcher: &Matcher, text: Option<&str>, fields: &Fields, out: &mut Vec<u32>) {
    SCRATCH.with_borrow_mut(|scratch| {
        if scratch.message >= LAST_MESSAGE {
            scratch.message = 0;
            scratch.verdicts.fill(0);
        }
        scratch.message += 1;
        // The last matcher may have been another one.
        scratch.seen.clear();
        let words = matcher.literals.len().div_ceil(64);
        if scratch.seen.bits.len() < words {
            scratch.seen.bits.resize(words, 0);
        }
        if scratch.verdicts.len() < matcher.expressions.len() {
            scratch.verdicts.resize(matcher.expressions.len(), 0);
        }
        scratch.check.clear();
        scratch.check.extend_from_slice(&matcher.always);
        out.clear();
        Search {
            matcher,
            text,
            fields,
            message: scratch.message,
            scratch,
            out,
        }
        .run();
    });
}

struct Search<'a> {
    matcher: &'a Matcher,
    text: Option<&'a str>,
    fields: &'a Fields,
    /// The number that verdicts on this message bear.
    message: u32,
    scratch: &'a mut Scratch,
    out: &'a mut Vec<u32>,
}

impl Search<'_> {
    fn run(mut self) {
        for (index, path) in (0..).zip(&self.matcher.paths) {
            if path.trigger {
                for value in self.fields.path(&path.name) {
                    self.field(Place::Field(index), &path.residual, value);
                }
            }
        }
        // The text comes last: what was seen in it must still be known when the rules are checked.
        if let Some(text) = self.text {
            self.text(text);
        }
        let mut check = std::mem::take(&mut self.scratch.check);
        check.sort_unstable();
        check.dedup();
        for &rule in &check {
            let holds = self.matcher.checks[rule as usize]
                .as_deref()
                .is_none_or(|check| self.holds(check));
            if holds {
                self.out.push(rule);
            }
        }
        self.scratch.check = check;
        self.out.sort_unstable();
        self.out.dedup();
    }

    fn field(&mut self, place: Place, residual: &Residual, value: &str) {
        let mut folded = std::mem::take(&mut self.scratch.folded);
        let form = fold_chars(value, &mut folded);
        self.begin(form.same);
        self.scan(&folded, 0..0, |literal| literal == Literal::Fragment);
        self.scratch.folded = folded;
        self.try_expressions(place, residual, value);
    }

    fn text(&mut self, text: &str) {
        let mut folded = std::mem::take(&mut self.scratch.folded);
        let form = fold_chars(text, &mut folded);
        self.begin(form.same);
        if form.whole {
            self.scan(&folded, exact_chars(&folded), |_| true);
        } else {
            // Keywords are looked for in the normal form, which here is not what regexes' strings are folded to.
            let normal: Vec<char> = normal_form(text).chars().collect();
            self.scan(&normal, exact_chars(&normal), |literal| {
                literal != Literal::Fragment
            });
            self.scan(&folded, 0..0, |literal| literal == Literal::Fragment);
        }
        self.scratch.folded = folded;
        self.try_expressions(Place::Text, &self.matcher.residual, text);
    }

    /// Forgets what was seen in another text.
    fn begin(&mut self, same: bool) {
        self.scratch.seen.clear();
        self.scratch.own_is = if same { Own::Folded } else { Own::Needed };
    }

    /// Notes every literal in `text` of the kinds that count in it; `exact` is the range of all that it says.
    fn scan(&mut self, text: &[char], exact: Range<usize>, counts: impl Fn(Literal) -> bool) {
        let matcher = self.matcher;
        if let Some(empty) = matcher.empty
            && exact.is_empty()
            && counts(Literal::Exact)
        {
            self.fire(matcher.by_literal.get(empty));
        }
        matcher.strings.find(text, |Found { string, start, end }| {
            let literal = matcher.literals[string as usize];
            let here = match literal {
                Literal::Exact => (start..end) == exact,
                Literal::Keyword { latin: true } => char_ends_free(text, start, end),
                Literal::Keyword { latin: false } | Literal::Fragment => true,
            };
            if here && counts(literal) && self.scratch.seen.insert(string) {
                self.fire(matcher.by_literal.get(string));
            }
        });
    }

    fn fire(&mut self, targets: &[Target]) {
        for target in targets {
            match *target {
                Target::Match(rule) => self.out.push(rule),
                Target::Check(rule) => self.scratch.check.push(rule),
                Target::Try(expression) => self.scratch.tries.push(expression),
            }
        }
    }

    /// Tries what the scan of `value` suggested.
    fn try_expressions(&mut self, place: Place, residual: &Residual, value: &str) {
        residual.candidates(value, |expression| self.scratch.tries.push(expression));
        let mut tries = std::mem::take(&mut self.scratch.tries);
        for expression in tries.drain(..) {
            if self.matcher.expressions[expression as usize].place == place
                && self.scratch.verdicts[expression as usize] != self.message * 2 + 1
                && self.matches(expression, value, true)
            {
                self.fire(self.matcher.by_expression.get(expression));
            }
        }
        self.scratch.tries = tries;
    }

    /// Whether an expression matches `value`, and the verdict noted. `scanned`: `value` is what was scanned last.
    fn matches(&mut self, expression: u32, value: &str, scanned: bool) -> bool {
        let e = &self.matcher.expressions[expression as usize];
        let (first, end) = e.required;
        let required = || (first..end).map(|set| self.matcher.required.get(set));
        let matched = value.len() >= e.min_len as usize
            && value.len() <= e.max_len as usize
            && (!scanned
                || required().all(|set| set.iter().any(|literal| self.scratch.seen.contains(*literal))))
            && match &e.engine {
                How::Small(small) => {
                    let positions = &self.matcher.positions;
                    positions.is_match(*small, self.scratch.chars(value, scanned))
                }
                How::Engine(engine) => engine.is_match(value, &mut self.scratch.cache),
            };
        self.scratch.verdicts[expression as usize] = self.message * 2 + u32::from(matched);
        matched
    }

    /// Whether all that a rule asks beyond its trigger holds.
    fn holds(&mut self, check: &Check) -> bool {
        if check.needs_text && self.text.is_none() {
            return false;
        }
        let seen = |literal: &u32| self.scratch.seen.contains(*literal);
        (check.any.is_empty() || check.any.iter().any(seen))
            && check.all.iter().all(seen)
            && !check.none.iter().any(seen)
            && (check.regex.is_empty() || check.regex.iter().any(|&e| self.expression(e)))
            && check.fields.iter().all(|&e| self.expression(e))
    }

    /// Whether an expression matches this message, from its verdict where there is one.
    fn expression(&mut self, expression: u32) -> bool {
        let verdict = self.scratch.verdicts[expression as usize];
        if verdict / 2 == self.message && (verdict & 1 == 1) {
            return true;
        }
        match (self.matcher.expressions[expression as usize].place, self.text) {
            (Place::Text, _) if verdict / 2 == self.message => false,
            (Place::Text, Some(text)) => self.matches(expression, text, true),
            (Place::Text, None) => false,
            (Place::Field(path), _) => {
                let values = self.fields.path(&self.matcher.paths[path as usize].name);
                values.iter().any(|value| self.matches(expression, value, false))
            }
        }
    }
}

impl Scratch {
    /// The characters of `value`.
    fn chars(&mut self, value: &str, scanned: bool) -> &[char] {
        let decode = |chars: &mut Vec<char>| {
            chars.clear();
            chars.extend(value.chars());
        };
        if !scanned {
            decode(&mut self.field);
            return &self.field;
        }
        if self.own_is == Own::Needed {
            decode(&mut self.own);
            self.own_is = Own::There;
        }
        if self.own_is == Own::There {
            &self.own
        } else {
            &self.folded
        }
    }
}
