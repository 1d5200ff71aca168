//! `idle`: the user has been silent that long. Someone who never wrote has been silent all along.

use std::time::Duration;

use super::{Key, Moment, OnFacts};
use crate::rules::duration;

pub(super) const KEY: Key = Key {
    name: "idle",
    read: |reader, node, draft| {
        if let Some(least) = reader.duration("when.idle", node, Duration::MAX) {
            draft.on_facts.push(Box::new(Idle(least)));
        }
    },
};

#[derive(Debug)]
struct Idle(Duration);

/// How long the user has been silent; none when they never wrote.
fn silence(moment: &Moment<'_>) -> Option<Duration> {
    let last = moment.contact.last_message?;
    Some(moment.now.duration_since(last).try_into().unwrap_or_default())
}

impl OnFacts for Idle {
    fn holds(&self, moment: &Moment<'_>) -> bool {
        silence(moment).is_none_or(|silence| silence >= self.0)
    }

    fn explain(&self, moment: &Moment<'_>) -> String {
        let wanted = duration::words(self.0);
        match silence(moment) {
            None => format!("idle: {wanted}; the user never wrote before"),
            Some(silence) => format!("idle: {wanted}; the user last wrote {} s ago", silence.as_secs()),
        }
    }
}
