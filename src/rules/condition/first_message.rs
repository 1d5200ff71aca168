//! `first_message`: the user's first message ever; an event is no message.

use super::{Demand, Key, Moment, OnFacts, is_message};

pub(super) const KEY: Key = Key {
    name: "first_message",
    read: |reader, node, draft| {
        if let Some(wanted) = reader.boolean("when.first_message", node) {
            draft.on_facts.push(Box::new(FirstMessage(wanted)));
        }
    },
};

#[derive(Debug)]
struct FirstMessage(bool);

fn is_first(moment: &Moment<'_>) -> bool {
    is_message(moment.inbound) && moment.contact.first_message.is_none()
}

impl OnFacts for FirstMessage {
    fn asks(&self) -> String {
        format!("first_message: {}", self.0)
    }

    fn holds(&self, moment: &Moment<'_>) -> bool {
        is_first(moment) == self.0
    }

    fn explain(&self, moment: &Moment<'_>) -> String {
        let is = if is_first(moment) { "is" } else { "is not" };
        format!("{}; this {is} the user's first message", self.asks())
    }

    fn demand(&self) -> Option<Demand<'_>> {
        Some(Demand::FirstMessage(self.0))
    }
}
