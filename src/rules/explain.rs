//! Why: every rule in the order tried, and what held or did not.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::Serialize;

use super::RuleSet;
use super::condition::Moment;
use super::decide::{Fate, known_before};
use super::nearest::{self, NearMiss, Reached};
use super::rule::Rule;
use crate::message::{Decision, Facts, Inbound, InboundStatus, RuleName};
use crate::text::normal_form;

/// The whole story of one decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The normal form of the text, as `exact` and `keywords` see it.
    pub normal_form: Option<String>,
    /// Every rule of the app in the order tried.
    pub rules: Vec<RuleTrace>,
    /// The rules that nearly matched, the likeliest first.
    pub nearest: Vec<NearMiss>,
    /// The decision.
    pub decision: Decision,
}

/// What one rule made of the message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleTrace {
    /// The rule.
    pub rule: RuleName,
    /// Its file.
    pub file: String,
    /// The line it begins at, from 1.
    pub line: usize,
    /// Its priority.
    pub priority: i64,
    /// Whether it was asked: the user is not muted, and no rule above it had decided.
    pub asked: bool,
    /// Whether all its conditions held, asked or not. It took part in the decision unless `note` says otherwise.
    pub matched: bool,
    /// Its conditions, in the order in which they are looked at. When the kind of push is not one that the rule is asked
    /// about, that is all there is.
    pub conditions: Vec<ConditionTrace>,
    /// What became of it, when it matched but did not answer (observed, cooldown, muted), or why it was not reached.
    pub note: Option<String>,
}

/// What one condition made of the message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConditionTrace {
    /// Its key in `when`; `kind` stands for `msg_type` and `event` together.
    pub key: String,
    /// Whether it held.
    pub held: bool,
    /// What it asks for and what it found, in words.
    pub why: String,
}

impl ConditionTrace {
    /// `told` as conditions tell it: `key: why`.
    fn new((held, told): (bool, String)) -> Self {
        let (key, why) = told.split_once(": ").unwrap_or((told.as_str(), ""));
        Self {
            key: key.to_owned(),
            held,
            why: why.to_owned(),
        }
    }
}

impl fmt::Display for ConditionTrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.why)
    }
}

impl RuleTrace {
    /// The first condition that did not hold.
    #[must_use]
    pub fn first_failed(&self) -> Option<&ConditionTrace> {
        self.conditions.iter().find(|condition| !condition.held)
    }
}

impl RuleSet {
    /// Explains the decision that [`RuleSet::decide`] would make.
    #[must_use]
    pub fn explain(&self, inbound: &Inbound, facts: &Facts<'_>) -> Explanation {
        let mut fates = BTreeMap::new();
        let decision = self.walk(inbound, &self.candidates(inbound), facts, &mut |id, fate| {
            fates.insert(id, fate);
        });
        let before = known_before(inbound, facts);
        let moment = Moment::new(inbound, facts.now, &before, &self.timezone);
        let muted = before
            .muted_until
            .filter(|_| decision.status == InboundStatus::Muted);
        let mut decided: Option<&RuleName> = None;
        let mut understood = false;
        let mut rules: Vec<RuleTrace> = Vec::new();
        let mut reached = Vec::new();
        for (id, rule) in (0..)
            .zip(&self.rules)
            .filter(|(_, rule)| rule.serves(&inbound.app))
        {
            let conditions = self.conditions(rule, &moment);
            let fate = fates.get(&id);
            let note = match (muted, decided, fate) {
                (Some(until), _, _) => Some(format!(
                    "not asked: the user is muted until {}",
                    self.clock(until)
                )),
                (None, Some(decided), _) => Some(format!("not reached: {decided} decided")),
                (None, None, Some(fate)) => self.note(rule, *fate),
                (None, None, None) => None,
            };
            let matched = conditions.iter().all(|condition| condition.held);
            let asked = muted.is_none() && decided.is_none();
            if asked && !matched {
                reached.push(Reached {
                    rule,
                    trace: rules.len(),
                });
            }
            if matches!(fate, Some(Fate::Acted | Fate::Silent(_))) {
                understood |= !rule.when.takes_anything;
                if !rule.then.goes_on {
                    decided = Some(&rule.name);
                }
            }
            rules.push(RuleTrace {
                rule: rule.name.clone(),
                file: rule.file.clone(),
                line: rule.line,
                priority: rule.priority,
                asked,
                matched,
                conditions,
                note,
            });
        }
        Explanation {
            normal_form: inbound.content.as_deref().map(normal_form),
            nearest: nearest::find(&moment, &reached, &rules, understood),
            rules,
            decision,
        }
    }

    fn conditions(&self, rule: &Rule, moment: &Moment<'_>) -> Vec<ConditionTrace> {
        let (inbound, when) = (moment.inbound, &rule.when);
        let asked = when.kinds.hold(inbound);
        let mut conditions = vec![(asked, when.kinds.explain(inbound))];
        if !asked {
            return conditions.into_iter().map(ConditionTrace::new).collect();
        }
        if let Some(text) = &when.text {
            conditions.extend(
                self.matcher
                    .explain(text, inbound.content.as_deref(), &inbound.fields),
            );
        }
        let on_message = when.on_message.iter();
        conditions.extend(on_message.map(|condition| (condition.holds(inbound), condition.explain(inbound))));
        let on_facts = when.on_facts.iter();
        conditions.extend(on_facts.map(|condition| (condition.holds(moment), condition.explain(moment))));
        conditions.into_iter().map(ConditionTrace::new).collect()
    }

    fn note(&self, rule: &Rule, fate: Fate) -> Option<String> {
        match fate {
            Fate::Acted => rule.then.goes_on.then(|| "went on to lower rules".to_owned()),
            Fate::Observed => Some("observed only: it would have answered".to_owned()),
            Fate::Silent(until) => Some(format!("silent: its cooldown runs until {}", self.clock(until))),
            Fate::LeftToLower(until) => Some(format!(
                "left to lower rules: its cooldown runs until {}",
                self.clock(until)
            )),
        }
    }

    fn clock(&self, at: Timestamp) -> String {
        self.timezone
            .to_datetime(at)
            .strftime("%Y-%m-%d %H:%M:%S")
            .to_string()
    }
}
