//! What a hand-written bot does: one rule after the other.

use regex::Regex;
use wxreply::text::normal_form;

use crate::corpus::Rule;

/// The rules, ready to be tried in turn.
pub struct Linear(Vec<Step>);

enum Step {
    Contains(String),
    Is(String),
    Matches(Regex),
}

impl Linear {
    pub fn new(rules: &[Rule]) -> Self {
        let step = |rule: &Rule| match rule {
            Rule::Keyword(keyword) => Step::Contains(normal_form(keyword)),
            Rule::Exact(text) => Step::Is(normal_form(text)),
            Rule::Regex(pattern, _) => Step::Matches(Regex::new(pattern).expect("a made-up regex")),
        };
        Self(rules.iter().map(step).collect())
    }

    /// The ids of all rules that match, ascending.
    pub fn matches(&self, text: &str) -> Vec<u32> {
        let normal = normal_form(text);
        let holds = |step: &Step| match step {
            Step::Contains(keyword) => normal.contains(keyword),
            Step::Is(exact) => normal == *exact,
            Step::Matches(regex) => regex.is_match(text),
        };
        (0..)
            .zip(&self.0)
            .filter(|(_, step)| holds(step))
            .map(|(id, _)| id)
            .collect()
    }
}
