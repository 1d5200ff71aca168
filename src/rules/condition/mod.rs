//! `when`: what must hold for a rule to match. One file a kind of condition: how it is written, checked, judged and
//! explained. A new kind is a file and a line in [`KEYS`].
//!
//! Conditions on text and fields go to the matcher, which judges those of all rules in one pass; the others are small
//! judges of their own, asked only once those hold.

mod contradiction;
mod exact;
mod fields;
mod first_message;
mod idle;
mod keywords;
mod kinds;
mod misses;
mod regex;
mod state;
pub(super) mod time;
mod users;

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

pub(super) use kinds::Kinds;

use super::matcher::{Pattern, TextConditions};
use super::read::{Node, Reader, Text};
use crate::diagnostic::Span;
use crate::message::{Contact, Inbound};

/// One key of `when`.
pub(super) struct Key {
    /// How it is written.
    pub(super) name: &'static str,
    /// Reads its value into the draft.
    pub(super) read: fn(&mut Reader<'_>, &Node<'_>, &mut Draft),
}

/// Every key of `when`.
pub(super) const KEYS: &[Key] = &[
    kinds::MSG_TYPE,
    kinds::EVENT,
    exact::KEY,
    keywords::KEYWORDS,
    keywords::ALL_KEYWORDS,
    keywords::NOT_KEYWORDS,
    regex::KEY,
    fields::KEY,
    users::KEY,
    time::KEY,
    first_message::KEY,
    idle::KEY,
    state::KEY,
    misses::KEY,
];

/// A condition that only needs the message.
pub(super) trait OnMessage: Debug + Send + Sync {
    /// What it asks for, in words.
    fn asks(&self) -> String;
    /// Whether it holds.
    fn holds(&self, inbound: &Inbound) -> bool;
    /// What it asks for and what it found, in words.
    fn explain(&self, inbound: &Inbound) -> String;
    /// The users that it asks for, if that is all it asks; for whoever reasons about all messages at once.
    fn users(&self) -> Option<&[String]> {
        None
    }
}

/// A condition on the time or the user.
pub(super) trait OnFacts: Debug + Send + Sync {
    /// What it asks for, in words.
    fn asks(&self) -> String;
    /// Whether it holds.
    fn holds(&self, moment: &Moment<'_>) -> bool;
    /// What it asks for and what it found, in words.
    fn explain(&self, moment: &Moment<'_>) -> String;
    /// What it asks for, as data; for whoever reasons about all users and times at once.
    fn demand(&self) -> Option<Demand<'_>> {
        None
    }
}

/// What a condition on facts asks for. Each kind stands in a rule once at most.
#[derive(Clone, Copy, Debug)]
pub(super) enum Demand<'a> {
    /// Whether this is the user's first message.
    FirstMessage(bool),
    /// The least silence before it.
    Idle(Duration),
    /// The least length of the row of misses, this message counted.
    Misses(u32),
    /// One of these dialog states; `""` is none.
    State(&'a [String]),
    /// A time on the shop's clock.
    Time(&'a time::Time),
}

/// All that a condition on facts may look at.
pub(super) struct Moment<'a> {
    pub(super) inbound: &'a Inbound,
    pub(super) now: Timestamp,
    /// The user before this message, without what has run out by now.
    pub(super) contact: &'a Contact,
    timezone: &'a TimeZone,
    local: OnceCell<DateTime>,
}

impl<'a> Moment<'a> {
    pub(super) fn new(
        inbound: &'a Inbound,
        now: Timestamp,
        contact: &'a Contact,
        timezone: &'a TimeZone,
    ) -> Self {
        Self {
            inbound,
            now,
            contact,
            timezone,
            local: OnceCell::new(),
        }
    }

    /// The time on the shop's wall.
    pub(super) fn local(&self) -> DateTime {
        *self.local.get_or_init(|| self.timezone.to_datetime(self.now))
    }
}

/// Whether the user wrote something; an event is what the user did, and what WeChat reports.
pub(super) fn is_message(inbound: &Inbound) -> bool {
    inbound.msg_type != "event"
}

/// A regex whose groups a template may use.
#[derive(Debug)]
pub(super) struct Capture {
    /// The field that it is matched against; the content when absent.
    pub(super) field: Option<String>,
    pub(super) pattern: Pattern,
}

/// The compiled `when` of one rule.
#[derive(Debug)]
pub(super) struct When {
    /// Which messages and events the rule is asked about.
    pub(super) kinds: Kinds,
    /// What goes to the matcher.
    pub(super) text: Option<TextConditions>,
    pub(super) on_message: Vec<Box<dyn OnMessage>>,
    pub(super) on_facts: Vec<Box<dyn OnFacts>>,
    /// Whether the rule takes any text at any point of a dialog: then it answers, but it did not understand, and a
    /// row of misses goes on.
    pub(super) takes_anything: bool,
}

/// A `when` while it is read.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) msg_types: Option<(Vec<String>, Span)>,
    pub(super) events: Option<(Vec<String>, Span)>,
    pub(super) text: TextConditions,
    /// Where a condition on the text stands, if one does.
    pub(super) text_at: Option<Span>,
    /// Where the value of each key stands.
    pub(super) places: BTreeMap<&'static str, Span>,
    pub(super) on_message: Vec<Box<dyn OnMessage>>,
    pub(super) on_facts: Vec<Box<dyn OnFacts>>,
    pub(super) captures: Vec<Capture>,
    /// The dialog states that it waits for.
    pub(super) states: Vec<Text>,
}

/// A `when` that was read.
pub(super) struct Read {
    pub(super) when: When,
    pub(super) captures: Vec<Capture>,
    /// The dialog states that it waits for.
    pub(super) states: Vec<Text>,
}

impl Draft {
    /// What the conditions mean together.
    pub(super) fn finish(self, reader: &mut Reader<'_>) -> Read {
        let kinds = kinds::combine(reader, &self);
        contradiction::find(reader, &self, &kinds);
        let has_text = self.text_at.is_some();
        let has_fields = !self.text.fields.is_empty();
        let takes_anything = !has_text && !has_fields && self.states.is_empty() && kinds.include("text");
        Read {
            when: When {
                kinds,
                text: (has_text || has_fields).then_some(self.text),
                on_message: self.on_message,
                on_facts: self.on_facts,
                takes_anything,
            },
            captures: self.captures,
            states: self.states,
        }
    }
}
