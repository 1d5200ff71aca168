//! `misses`: at least that many messages of this user in a row were not understood, counting this one.
//!
//! A message is understood when a rule that looks at what it says takes it: at its text, a field, its kind, or the
//! dialog that it stands in. A rule that takes any text (a default reply, a greeting, a `misses` rule) answers, but
//! the row goes on: otherwise a set with a default reply could never notice that it keeps missing the point. A
//! hand-over to a person ends the row. Events neither lengthen nor end it, and never match.

use super::{Demand, Key, Moment, OnFacts, is_message};
use crate::rules::codes;

pub(super) const KEY: Key = Key {
    name: "misses",
    read: |reader, node, draft| {
        let Some(number) = reader.integer("when.misses", node) else {
            return;
        };
        match u32::try_from(number) {
            Ok(least) if least > 0 => draft.on_facts.push(Box::new(Misses(least))),
            _ => {
                reader.error(
                    codes::WRONG_VALUE,
                    node.span(),
                    "`when.misses` must be 1 or more",
                    "out of range",
                );
            }
        }
    },
};

#[derive(Debug)]
struct Misses(u32);

/// The length of the row if this message is a miss too.
fn row(moment: &Moment<'_>) -> u32 {
    moment.contact.misses.saturating_add(1)
}

impl OnFacts for Misses {
    fn asks(&self) -> String {
        format!("misses: {}", self.0)
    }

    fn holds(&self, moment: &Moment<'_>) -> bool {
        is_message(moment.inbound) && row(moment) >= self.0
    }

    fn explain(&self, moment: &Moment<'_>) -> String {
        if is_message(moment.inbound) {
            format!("{}; with this message {} in a row", self.asks(), row(moment))
        } else {
            format!("{}; this is an event", self.asks())
        }
    }

    fn demand(&self) -> Option<Demand<'_>> {
        Some(Demand::Misses(self.0))
    }
}
