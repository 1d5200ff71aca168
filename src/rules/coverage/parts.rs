//! One counted part of a rule, and how to tell whether it holds for a message.

use crate::message::{Facts, Inbound};
use crate::rules::condition::Moment;
use crate::rules::matcher::Pattern;
use crate::rules::rule::Rule;
use crate::text::{contains_keyword, exact_form, normal_form};

/// A part of a rule that is counted.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) rule: u32,
    pub(super) line: usize,
    pub(super) what: What,
    pub(super) exercised: bool,
}

#[derive(Debug)]
pub(super) enum What {
    /// The rule itself.
    Rule,
    /// One of several ways to match: how it is written, and how to tell.
    Way(String, Test),
    /// What narrows the rule.
    Guard(String, Test),
}

/// Whether a part of a condition holds.
#[derive(Debug)]
pub(super) enum Test {
    /// The whole text is one of these, in their normal form.
    Exact(Vec<String>),
    /// The text has one of these, in their normal form.
    Has(Vec<String>),
    /// The text has all of these.
    HasAll(Vec<String>),
    /// The text has none of these.
    HasNone(Vec<String>),
    /// The text has a match for one of these.
    Regex(Vec<Pattern>),
    /// A value of the field has a match.
    Field(String, Option<Pattern>),
    MsgType(String),
    Event(String),
    /// The dialog state; empty for none.
    State(String),
    /// A condition of `Rule.when.on_facts`.
    OnFacts(usize),
    /// A condition of `Rule.when.on_message`.
    OnMessage(usize),
}

/// A message in the forms that conditions look at.
pub(super) struct Message<'a> {
    pub(super) inbound: &'a Inbound,
    normal: Option<String>,
    exact: Option<String>,
    moment: Moment<'a>,
}

impl<'a> Message<'a> {
    /// `facts` hold nothing that has run out.
    pub(super) fn new(inbound: &'a Inbound, facts: &Facts<'a>, zone: &'a jiff::tz::TimeZone) -> Self {
        let text = inbound.content.as_deref();
        Self {
            inbound,
            normal: text.map(normal_form),
            exact: text.map(exact_form),
            moment: Moment::new(inbound, facts.now, facts.contact, zone),
        }
    }

    fn has(&self, words: &[String]) -> bool {
        let text = self.normal.as_deref();
        text.is_some_and(|text| words.iter().any(|word| contains_keyword(text, word)))
    }
}

impl Test {
    /// Whether it holds, as a part of `rule`.
    pub(super) fn holds(&self, rule: &Rule, message: &Message<'_>) -> bool {
        let inbound = message.inbound;
        match self {
            Self::Exact(texts) => message.exact.as_ref().is_some_and(|text| texts.contains(text)),
            Self::Has(words) => message.has(words),
            Self::HasAll(words) => words.iter().all(|word| message.has(std::slice::from_ref(word))),
            Self::HasNone(words) => !message.has(words),
            Self::Regex(patterns) => {
                let text = inbound.content.as_deref();
                text.is_some_and(|text| patterns.iter().any(|pattern| pattern.is_match(text)))
            }
            Self::Field(path, pattern) => pattern.as_ref().is_some_and(|pattern| {
                let values = inbound.fields.path(path);
                values.iter().any(|value| pattern.is_match(value))
            }),
            Self::MsgType(kind) => kind.eq_ignore_ascii_case(&inbound.msg_type),
            Self::Event(event) => {
                let came = inbound.event.as_deref();
                came.is_some_and(|came| came.eq_ignore_ascii_case(event))
            }
            Self::State(state) => {
                let current = message.moment.contact.state.as_ref();
                current.map_or("", |state| state.name.as_str()) == state
            }
            Self::OnFacts(index) => {
                let condition = rule.when.on_facts.get(*index);
                condition.is_none_or(|condition| condition.holds(&message.moment))
            }
            Self::OnMessage(index) => {
                let condition = rule.when.on_message.get(*index);
                condition.is_none_or(|condition| condition.holds(inbound))
            }
        }
    }

    /// What a rule asks of the text besides its guards; all of these must hold.
    pub(super) fn needed(rule: &Rule) -> Vec<Self> {
        let Some(text) = &rule.when.text else {
            return Vec::new();
        };
        let normal = |words: &[String]| words.iter().map(|word| normal_form(word)).collect();
        let mut needed = Vec::new();
        if !text.exact.is_empty() {
            needed.push(Self::Exact(
                text.exact.iter().map(|text| exact_form(text)).collect(),
            ));
        }
        if !text.keywords.is_empty() {
            needed.push(Self::Has(normal(&text.keywords)));
        }
        if !text.regex.is_empty() {
            let patterns = text
                .regex
                .iter()
                .filter_map(|pattern| Pattern::compile(pattern).ok());
            needed.push(Self::Regex(patterns.collect()));
        }
        needed
    }
}
