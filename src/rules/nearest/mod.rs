//! The nearest misses: rules that lack one condition, words that the customer may have meant.
//!
//! These are suggestions for whoever writes the rules. Nothing here takes part in a decision.

mod spelling;

use serde::Serialize;

use super::condition::Moment;
use super::explain::RuleTrace;
use super::matcher::TextConditions;
use super::rule::Rule;
use crate::message::RuleName;
use crate::text::{contains_keyword, exact_form, normal_form};
use spelling::{Heard, Likeness, Slip};

/// More would not be read.
const SHOWN: usize = 3;

/// A rule that nearly matched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NearMiss {
    /// The rule.
    pub rule: RuleName,
    /// Its file.
    pub file: String,
    /// The line it begins at, from 1.
    pub line: usize,
    /// What it lacked.
    #[serde(flatten)]
    pub lack: Lack,
    /// What to make of it, in words.
    pub suggestion: String,
}

/// What a rule lacked. Everything else that it asks for was there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "lack", rename_all = "snake_case")]
pub enum Lack {
    /// One condition did not hold.
    Condition {
        /// Its key in `when`.
        key: String,
        /// What it asks for and what it found, in words.
        why: String,
    },
    /// A word of the rule sounds like what the text has, tones aside.
    Homophone(Word),
    /// A word of the rule is one edit away from what the text has.
    Spelling(Word),
}

/// A word that the customer may have meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Word {
    /// The key in `when` that holds it.
    pub key: &'static str,
    /// The word as the rule has it.
    pub keyword: String,
    /// What the text has in its place, in normal form.
    pub found: String,
}

/// A rule that was asked and did not match.
pub(super) struct Reached<'a> {
    pub(super) rule: &'a Rule,
    /// Its place among the traces.
    pub(super) trace: usize,
}

/// How likely it is that the rule should have answered; the likelier first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// The text is right, something else is not.
    AllButOther,
    /// A word is nearly there.
    Word(Likeness),
    /// Part of the text is right.
    Part,
    /// Nothing of the content speaks for it, nothing else against it.
    NoContent,
}

/// The nearest of the rules that were asked and did not match. `understood`: a rule took the message for what it says,
/// so that there is no other word to look for.
pub(super) fn find(
    moment: &Moment<'_>,
    reached: &[Reached<'_>],
    traces: &[RuleTrace],
    understood: bool,
) -> Vec<NearMiss> {
    let text = moment.inbound.content.as_deref().map(Text::new);
    let mut found: Vec<(Rank, NearMiss)> = reached
        .iter()
        .filter_map(|reached| {
            let trace = traces.get(reached.trace)?;
            let (rank, lack) = near(moment, text.as_ref(), reached.rule, trace, understood)?;
            Some((rank, miss(trace, lack)))
        })
        .collect();
    // Stable: of equals, the rule that is tried first.
    found.sort_by_key(|(rank, _)| *rank);
    found.into_iter().map(|(_, miss)| miss).take(SHOWN).collect()
}

/// The text of a message, prepared once for all rules.
struct Text {
    normal: String,
    heard: Heard,
    /// For `exact`.
    whole: Heard,
}

impl Text {
    fn new(content: &str) -> Self {
        let normal = normal_form(content);
        Self {
            heard: Heard::new(&normal),
            whole: Heard::new(&exact_form(content)),
            normal,
        }
    }
}

fn near(
    moment: &Moment<'_>,
    text: Option<&Text>,
    rule: &Rule,
    trace: &RuleTrace,
    understood: bool,
) -> Option<(Rank, Lack)> {
    let mut failed = trace.conditions.iter().filter(|condition| !condition.held);
    let (failed, None) = (failed.next()?, failed.next()) else {
        return None;
    };
    if failed.key == "kind" {
        return None;
    }
    let lack = Lack::Condition {
        key: failed.key.clone(),
        why: failed.why.clone(),
    };
    let content_held = trace
        .conditions
        .iter()
        .any(|condition| condition.held && is_content(&condition.key));
    if !is_content(&failed.key) {
        return match (content_held, understood) {
            (true, _) => Some((Rank::AllButOther, lack)),
            (false, false) => Some((Rank::NoContent, lack)),
            (false, true) => None,
        };
    }
    if let (Some(text), Some(conditions), false) = (text, &rule.when.text, understood) {
        let word = match failed.key.as_str() {
            "keywords" => best("keywords", &conditions.keywords, |word| {
                text.heard.find(&normal_form(word))
            }),
            "exact" => best("exact", &conditions.exact, |word| {
                text.whole.find_whole(&exact_form(word))
            }),
            "all_keywords" => match lacking(conditions, &text.normal).as_slice() {
                [only] => best("all_keywords", &[*only], |word| {
                    text.heard.find(&normal_form(word))
                }),
                _ => None,
            },
            _ => None,
        };
        if let Some((likeness, word)) = word {
            let lack = match likeness.slip {
                Slip::Sound => Lack::Homophone(word),
                _ => Lack::Spelling(word),
            };
            return Some((Rank::Word(likeness), lack));
        }
    }
    // One condition short is every rule with a keyword that the text lacks: something must speak for it.
    let half = text
        .zip(rule.when.text.as_ref())
        .is_some_and(|(text, conditions)| match failed.key.as_str() {
            "exact" => conditions
                .exact
                .iter()
                .any(|exact| contains_keyword(&text.normal, &exact_form(exact))),
            "all_keywords" => {
                conditions.all_keywords.len() > 1 && lacking(conditions, &text.normal).len() == 1
            }
            _ => false,
        });
    let chosen = trace.conditions.iter().any(|condition| {
        condition.held
            && match condition.key.as_str() {
                "users" => true,
                "state" => moment.contact.state.is_some(),
                "kind" => !rule.when.kinds.events.is_empty(),
                _ => false,
            }
    });
    (content_held || half || chosen).then_some((Rank::Part, lack))
}

/// Whether a condition looks for something in what the message says.
fn is_content(key: &str) -> bool {
    matches!(key, "exact" | "keywords" | "all_keywords" | "regex") || key.starts_with("fields.")
}

/// Those of `all_keywords` that the text lacks.
fn lacking<'a>(conditions: &'a TextConditions, normal: &str) -> Vec<&'a String> {
    conditions
        .all_keywords
        .iter()
        .filter(|keyword| !contains_keyword(normal, &normal_form(keyword)))
        .collect()
}

/// The likeliest of several words.
fn best<W: AsRef<str>>(
    key: &'static str,
    words: &[W],
    find: impl Fn(&str) -> Option<(Likeness, String)>,
) -> Option<(Likeness, Word)> {
    let found = words.iter().map(AsRef::as_ref).filter_map(|keyword| {
        let (likeness, found) = find(keyword)?;
        let word = Word {
            key,
            keyword: keyword.to_owned(),
            found,
        };
        Some((likeness, word))
    });
    found.min_by_key(|(likeness, _)| *likeness)
}

fn miss(trace: &RuleTrace, lack: Lack) -> NearMiss {
    let (rule, file, line) = (&trace.rule, &trace.file, trace.line);
    let suggestion = match &lack {
        Lack::Condition { key, why } => {
            format!("rule {rule} ({file}:{line}) lacked one condition: {key}: {why}")
        }
        Lack::Homophone(word) | Lack::Spelling(word) => {
            let Word { key, keyword, found } = word;
            let how = match lack {
                Lack::Homophone(_) => "sounds the same",
                _ => "is one character off",
            };
            let then = match *key {
                // One more word there would ask for more, not less.
                "all_keywords" => String::new(),
                key => format!("; if so, add \"{found}\" to its `{key}`"),
            };
            format!(
                "did the customer mean \"{keyword}\" (rule {rule}, {file}:{line})? \"{found}\" {how}{then}"
            )
        }
    };
    NearMiss {
        rule: rule.clone(),
        file: file.clone(),
        line,
        lack,
        suggestion,
    }
}

#[cfg(test)]
mod tests;
