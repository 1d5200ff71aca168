//! `expect`: what must come of a message. What it does not name is not looked at.

use toml::de::DeValue;

use super::names::Names;
use super::reply::{self, ExpectedReply};
use super::{nothing_expected, place};
use crate::diagnostic::{Diagnostic, Place, Span};
use crate::message::{AppName, RuleName};
use crate::rules::codes;
use crate::rules::read::{Node, Reader, Table, Text};

pub(super) const KEYS: &[&str] = &["rule", "reply", "reply_contains", "outcome", "delivery"];

/// What must come of a message.
#[derive(Clone, Debug)]
pub struct Expect {
    /// Where it stands.
    pub place: Place,
    /// The rule that the log would name: the one that answered, or that its cooldown kept silent. A rule that only
    /// observes must have observed the message.
    pub rule: Option<ExpectedRule>,
    /// All replies, in order. Of a rule that picks one by chance: all that it may pick.
    pub reply: Option<Vec<ExpectedReply>>,
    /// Each of these stands in one of the replies, whichever of them chance may pick.
    pub reply_contains: Vec<String>,
    /// How the message was taken.
    pub outcome: Option<ExpectedOutcome>,
    /// What became of the replies.
    pub delivery: Option<ExpectedDelivery>,
}

/// The rule that a test expects.
#[derive(Clone, Debug)]
pub struct ExpectedRule {
    /// Its name.
    pub name: RuleName,
    /// Where the rule stands.
    pub place: Place,
    /// Whether it only observes.
    pub observe: bool,
}

/// How a message is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpectedOutcome {
    /// A rule decided.
    Matched,
    /// No rule decided.
    Unmatched,
    /// A rule would have decided, but its cooldown keeps it silent.
    Cooldown,
    /// The customer is muted.
    Muted,
    /// A rule that only observes would have answered.
    Observed,
    /// A rule handed the conversation to a person.
    Transfer,
}

/// What becomes of the replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpectedDelivery {
    /// There are replies, and WeChat's quota has room for all of them.
    Queued,
    /// A reply is given up, because WeChat would not take it.
    Dropped,
}

const OUTCOMES: &[(&str, ExpectedOutcome)] = &[
    ("matched", ExpectedOutcome::Matched),
    ("unmatched", ExpectedOutcome::Unmatched),
    ("cooldown", ExpectedOutcome::Cooldown),
    ("muted", ExpectedOutcome::Muted),
    ("observed", ExpectedOutcome::Observed),
    ("transfer", ExpectedOutcome::Transfer),
];

const DELIVERIES: &[(&str, ExpectedDelivery)] = &[
    ("queued", ExpectedDelivery::Queued),
    ("dropped", ExpectedDelivery::Dropped),
];

impl ExpectedOutcome {
    /// The word in the file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        word(OUTCOMES, self)
    }

    /// Whether no rule answers then.
    fn is_silent(self) -> bool {
        matches!(self, Self::Unmatched | Self::Cooldown | Self::Muted)
    }
}

impl ExpectedDelivery {
    /// The word in the file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        word(DELIVERIES, self)
    }
}

fn word<T: PartialEq>(words: &[(&'static str, T)], value: T) -> &'static str {
    words
        .iter()
        .find(|(_, known)| *known == value)
        .map_or("", |(word, _)| word)
}

/// An `expect` whose rule was not looked up yet.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) rule: Option<Text>,
    span: Span,
    outcome_at: Option<Span>,
    /// A part that says that something is sent, and where it stands.
    sends: Option<(&'static str, Span)>,
    reply: Option<Vec<ExpectedReply>>,
    reply_contains: Vec<String>,
    outcome: Option<ExpectedOutcome>,
    delivery: Option<ExpectedDelivery>,
}

pub(super) fn read(reader: &mut Reader<'_>, node: &Node<'_>) -> Option<Draft> {
    if matches!(node.get_ref(), DeValue::Table(table) if table.is_empty()) {
        nothing_expected(reader, node.span(), "this `expect` says nothing");
        return None;
    }
    let keys = reader.table("expect", node, KEYS)?;
    let text = |reader: &mut Reader<'_>, key: &str| {
        let node = keys.get(key)?;
        reader.nonempty(&format!("expect.{key}"), node)
    };
    let rule = text(reader, "rule");
    let reply = keys.get("reply").and_then(|node| reply::read(reader, node));
    let reply_contains = match keys.get("reply_contains") {
        Some(node) => reader.texts("expect.reply_contains", node),
        None => Vec::new(),
    };
    let outcome = keys
        .get("outcome")
        .and_then(|node| reader.one_of("expect.outcome", node, OUTCOMES));
    let delivery = keys
        .get("delivery")
        .and_then(|node| reader.one_of("expect.delivery", node, DELIVERIES));
    let draft = Draft {
        span: node.span(),
        rule,
        outcome_at: keys.get("outcome").map(Node::span),
        sends: sends(&keys, reply.as_deref()),
        reply,
        reply_contains: reply_contains.into_iter().map(|text| text.text).collect(),
        outcome,
        delivery,
    };
    draft.fits_together(reader);
    Some(draft)
}

/// The first part that says that something is sent.
fn sends(keys: &Table<'_>, reply: Option<&[ExpectedReply]>) -> Option<(&'static str, Span)> {
    let says = ["reply", "reply_contains", "delivery"];
    says.into_iter()
        .filter(|key| *key != "reply" || reply.is_some_and(|replies| !replies.is_empty()))
        .find_map(|key| Some((key, keys.key_span(key)?)))
}

impl Draft {
    fn fits_together(&self, reader: &mut Reader<'_>) {
        if let (Some(outcome), Some(at)) = (self.outcome.filter(|o| o.is_silent()), &self.outcome_at)
            && let Some((key, span)) = &self.sends
        {
            let message = format!(
                "`{key}` and the outcome \"{}\" can never both hold",
                outcome.as_str()
            );
            conflict(
                reader,
                message,
                (span, "says that something is sent"),
                (at, "says that nothing is"),
            );
        }
    }

    /// Looks the rule up.
    pub(super) fn finish(self, reader: &mut Reader<'_>, names: &Names<'_>, app: &AppName) -> Option<Expect> {
        let rule = match &self.rule {
            Some(text) => {
                let rule = names.rule(reader, text, app)?;
                self.rule_fits(reader, text, rule.observe);
                Some(rule)
            }
            None => None,
        };
        Some(Expect {
            place: place(reader.source, self.span),
            rule,
            reply: self.reply,
            reply_contains: self.reply_contains,
            outcome: self.outcome,
            delivery: self.delivery,
        })
    }

    fn rule_fits(&self, reader: &mut Reader<'_>, rule: &Text, observes: bool) {
        let (Some(outcome), Some(at)) = (self.outcome, &self.outcome_at) else {
            return;
        };
        match outcome {
            ExpectedOutcome::Unmatched | ExpectedOutcome::Muted if !observes => {
                let message = format!(
                    "a rule and the outcome \"{}\" can never both hold",
                    outcome.as_str()
                );
                conflict(
                    reader,
                    message,
                    (&rule.span, "says that a rule decides"),
                    (at, "says that none does"),
                );
            }
            ExpectedOutcome::Muted => {
                let message = "a rule does not observe what a muted customer writes";
                conflict(
                    reader,
                    message,
                    (&rule.span, "says that it observes"),
                    (at, "no rule is asked"),
                );
            }
            ExpectedOutcome::Observed if !observes => {
                let message = format!("the rule `{}` does not only observe", rule.text);
                conflict(
                    reader,
                    message,
                    (at, "can't be"),
                    (&rule.span, "has no `observe = true`"),
                );
            }
            _ => {}
        }
    }
}

fn conflict(reader: &mut Reader<'_>, message: impl Into<String>, at: (&Span, &str), see: (&Span, &str)) {
    let finding = Diagnostic::error(codes::TEST_CONFLICT, message)
        .at(reader.source, at.0.clone(), at.1)
        .see(reader.source, see.0.clone(), see.1)
        .help("leave one of them out");
    reader.note(finding);
}
