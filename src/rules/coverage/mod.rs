//! What tests exercise of a rule set: its rules, and the parts of their conditions.
//!
//! Counted are
//! - every rule: exercised when it took part in a decision (or observed the message, if it only observes);
//! - every alternative of `exact`, `keywords`, `regex`, `msg_type`, `event` and `state`, where there are several (a
//!   list, `"@name"`, is one): exercised when the rule took part in a decision on a message that has it;
//! - every guard, which is a condition that narrows the rule: each of `all_keywords`, `not_keywords` and
//!   `fields`, and `users`, `time`, `first_message`, `idle`, `state` and `misses`: exercised by a message that has
//!   all else that the rule asks for, but not this.

mod parts;
mod written;

use std::ops::Range;

use super::RuleSet;
use super::decide::{Fate, known_before};
use super::rule::Rule;
use crate::message::{Facts, Inbound, InboundStatus, RuleName};
use parts::{Message, Part, Test, What};

/// What was exercised so far.
#[derive(Debug)]
pub struct Coverage<'a> {
    set: &'a RuleSet,
    parts: Vec<Part>,
    /// By rule: its parts, the rule itself first.
    of_rule: Vec<Range<usize>>,
    /// The rules that have a guard, and what they need besides.
    guarded: Vec<(u32, Vec<Test>)>,
}

/// The parts that one message exercises.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sighting(Vec<usize>);

/// A part that no test exercises. Of a rule that never acts, only the rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The rule.
    pub rule: RuleName,
    /// Its file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The part of its conditions; absent when the rule itself never acts.
    pub part: Option<String>,
    /// Whether the part is a guard: no message has all else that the rule asks for, but not this.
    pub guard: bool,
}

impl<'a> Coverage<'a> {
    /// Nothing exercised yet.
    #[must_use]
    pub fn new(set: &'a RuleSet) -> Self {
        let mut written = written::parts(&set.sources);
        let mut coverage = Self {
            set,
            parts: Vec::new(),
            of_rule: Vec::with_capacity(set.rules.len()),
            guarded: Vec::new(),
        };
        for (id, rule) in (0..).zip(&set.rules) {
            let of_rule = written.remove(&(rule.file.as_str(), rule.name_at.start));
            let of_rule = of_rule.unwrap_or_default();
            if of_rule.iter().any(|(_, what)| matches!(what, What::Guard(..))) {
                coverage.guarded.push((id, Test::needed(rule)));
            }
            let first = coverage.parts.len();
            let itself = std::iter::once((rule.line, What::Rule));
            coverage
                .parts
                .extend(itself.chain(of_rule).map(|(line, what)| Part {
                    rule: id,
                    line,
                    what,
                    exercised: false,
                }));
            coverage.of_rule.push(first..coverage.parts.len());
        }
        coverage
    }

    /// What a message exercises.
    #[must_use]
    pub fn look(&self, inbound: &Inbound, facts: &Facts<'_>) -> Sighting {
        let mut acted = Vec::new();
        let candidates = self.set.candidates(inbound);
        let decision = self.set.walk(inbound, &candidates, facts, &mut |id, fate| {
            if matches!(fate, Fate::Acted | Fate::Observed) {
                acted.push(id);
            }
        });
        let mut seen = Vec::new();
        if decision.status != InboundStatus::Muted {
            let before = known_before(inbound, facts);
            let facts = Facts {
                contact: &before,
                ..*facts
            };
            let message = Message::new(inbound, &facts, &self.set.timezone);
            for id in acted {
                seen.extend(self.ways(id, &message));
            }
            let guarded = self.guarded.iter();
            seen.extend(guarded.filter_map(|(id, needed)| self.alone(*id, needed, &message)));
        }
        Sighting(seen)
    }

    /// A rule that acted, and the alternatives through which it matched.
    fn ways(&self, id: u32, message: &Message<'_>) -> Vec<usize> {
        let Some((rule, mut parts)) = self.rule(id) else {
            return Vec::new();
        };
        let exercised = |part: &usize| match &self.parts[*part].what {
            What::Rule => true,
            What::Way(_, test) => test.holds(rule, message),
            What::Guard(..) => false,
        };
        parts.by_ref().filter(exercised).collect()
    }

    /// The guard that does not hold, where all else that the rule asks for does.
    fn alone(&self, id: u32, needed: &[Test], message: &Message<'_>) -> Option<usize> {
        let (rule, parts) = self.rule(id)?;
        let asked = rule.serves(&message.inbound.app)
            && rule.when.kinds.hold(message.inbound)
            && needed.iter().all(|test| test.holds(rule, message));
        if !asked {
            return None;
        }
        let mut failing = parts.filter(|part| match &self.parts[*part].what {
            What::Guard(_, test) => !test.holds(rule, message),
            What::Rule | What::Way(..) => false,
        });
        let guard = failing.next()?;
        failing.next().is_none().then_some(guard)
    }

    fn rule(&self, id: u32) -> Option<(&Rule, Range<usize>)> {
        let parts = self.of_rule.get(usize::try_from(id).ok()?)?;
        Some((self.set.rule(id)?, parts.clone()))
    }

    /// Counts what a message exercised.
    pub fn note(&mut self, sighting: &Sighting) {
        for part in &sighting.0 {
            self.parts[*part].exercised = true;
        }
    }

    /// How many parts are exercised, and how many there are.
    #[must_use]
    pub fn share(&self) -> (usize, usize) {
        let exercised = self.parts.iter().filter(|part| part.exercised).count();
        (exercised, self.parts.len())
    }

    /// What is not exercised, by file and line.
    #[must_use]
    pub fn gaps(&self) -> Vec<Gap> {
        let acts = |id: u32| {
            self.rule(id)
                .is_some_and(|(_, parts)| self.parts[parts.start].exercised)
        };
        let open = self.parts.iter().filter(|part| !part.exercised);
        let told = open.filter(|part| matches!(part.what, What::Rule) || acts(part.rule));
        let gap = |part: &Part| {
            let rule = self.set.rule(part.rule)?;
            Some(Gap {
                rule: rule.name.clone(),
                file: rule.file.clone(),
                line: part.line,
                part: match &part.what {
                    What::Rule => None,
                    What::Way(written, _) | What::Guard(written, _) => Some(written.clone()),
                },
                guard: matches!(part.what, What::Guard(..)),
            })
        };
        let mut gaps: Vec<Gap> = told.filter_map(gap).collect();
        gaps.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
        gaps
    }
}
