//! One message through the matcher.

use std::cell::RefCell;

use regex_automata::nfa::thompson::backtrack::Cache;

use super::{Check, Literal, Matcher, Place, Residual, Target};
use crate::message::Fields;
use crate::text::{Folded, ends_free, fold, normal_form, without_closing};

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Memory that each thread keeps from message to message, for whatever matcher comes next.
///
/// What was noted of an earlier message is never cleared: each scan has a number, and a note counts only under it.
#[derive(Default)]
struct Scratch {
    /// The number of the last scan.
    scan: u32,
    /// By literal: the scan that last saw it.
    seen: Vec<u32>,
    /// By expression: twice the first scan of the message that last tried it, plus one if it matched.
    verdicts: Vec<u32>,
    /// Expressions to try when the scan is over.
    tries: Vec<u32>,
    /// Rules to check when all scans are over.
    check: Vec<u32>,
    folded: String,
    cache: Option<Cache>,
}

/// Scan numbers are doubled in [`Scratch::verdicts`], and one message needs no more than its fields have values.
const LAST_SCAN: u32 = 1 << 30;

pub(super) fn matches(matcher: &Matcher, text: Option<&str>, fields: &Fields, out: &mut Vec<u32>) {
    SCRATCH.with_borrow_mut(|scratch| {
        let Scratch {
            scan,
            seen,
            verdicts,
            check,
            ..
        } = scratch;
        if *scan >= LAST_SCAN {
            *scan = 0;
            seen.fill(0);
            verdicts.fill(0);
        }
        *scan += 1;
        seen.resize(seen.len().max(matcher.literals.len()), 0);
        verdicts.resize(verdicts.len().max(matcher.expressions.len()), 0);
        check.clear();
        check.extend_from_slice(&matcher.always);
        out.clear();
        let message = *scan;
        Search {
            matcher,
            text,
            fields,
            message,
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
        let mut buffer = std::mem::take(&mut self.scratch.folded);
        self.scratch.scan += 1;
        self.scan(fold(value, &mut buffer).text, |literal| {
            literal == Literal::Fragment
        });
        self.scratch.folded = buffer;
        self.try_expressions(place, residual, value);
    }

    fn text(&mut self, text: &str) {
        let mut buffer = std::mem::take(&mut self.scratch.folded);
        self.scratch.scan += 1;
        match fold(text, &mut buffer) {
            Folded {
                text: folded,
                whole: true,
            } => {
                self.exact(folded.trim());
                self.scan(folded, |_| true);
            }
            // Keywords are looked for in the normal form, which here is not what regexes' strings are folded to.
            Folded {
                text: folded,
                whole: false,
            } => {
                let normal = normal_form(text);
                self.exact(&normal);
                self.scan(&normal, |literal| literal != Literal::Fragment);
                self.scan(folded, |literal| literal == Literal::Fragment);
            }
        }
        self.scratch.folded = buffer;
        self.try_expressions(Place::Text, &self.matcher.residual, text);
    }

    fn exact(&mut self, normal: &str) {
        let exact = without_closing(normal);
        if exact.len() <= self.matcher.longest_exact
            && let Some(&index) = self.matcher.exact.get(exact)
        {
            self.fire(self.matcher.by_exact.get(index));
        }
    }

    /// Notes every literal in `text` of the kinds that count in it.
    fn scan(&mut self, text: &str, counts: impl Fn(Literal) -> bool) {
        let Some(automaton) = &self.matcher.automaton else {
            return;
        };
        for found in automaton.find_overlapping_iter(text) {
            let literal = found.value();
            if self.scratch.seen[literal as usize] == self.scratch.scan {
                continue;
            }
            let kind = self.matcher.literals[literal as usize];
            let latin = kind == Literal::Keyword { latin: true };
            if !counts(kind) || latin && !ends_free(text, found.start(), found.end()) {
                continue;
            }
            self.scratch.seen[literal as usize] = self.scratch.scan;
            self.fire(self.matcher.by_literal.get(literal));
        }
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
        let Scratch {
            seen,
            scan,
            cache,
            verdicts,
            ..
        } = &mut *self.scratch;
        let e = &self.matcher.expressions[expression as usize];
        let seen = |literal: &u32| seen[*literal as usize] == *scan;
        let matched = value.len() >= e.min_len as usize
            && value.len() <= e.max_len as usize
            && (!scanned || e.required.iter().all(|set| set.iter().any(seen)))
            && e.engine.is_match(value, cache);
        verdicts[expression as usize] = self.message * 2 + u32::from(matched);
        matched
    }

    /// Whether all that a rule asks beyond its trigger holds.
    fn holds(&mut self, check: &Check) -> bool {
        if check.needs_text && self.text.is_none() {
            return false;
        }
        let seen = |literal: &u32| self.scratch.seen[*literal as usize] == self.scratch.scan;
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
