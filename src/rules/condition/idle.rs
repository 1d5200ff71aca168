//! `idle`: the user has been silent that long. Someone who never wrote has been silent all along.

use std::time::Duration;

use super::{Demand, Key, Moment, OnFacts};
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
    fn asks(&self) -> String {
        format!("idle: {}", duration::words(self.0))
    }

    fn holds(&self, moment: &Moment<'_>) -> bool {
        silence(moment).is_none_or(|silence| silence >= self.0)
    }

    fn explain(&self, moment: &Moment<'_>) -> String {
        let asks = self.asks();
        match silence(moment) {
            None => format!("{asks}; the user never wrote before"),
            Some(silence) => format!("{asks}; the user last wrote {} ago", roughly(silence)),
        }
    }

    fn demand(&self) -> Option<Demand<'_>> {
        Some(Demand::Idle(self.0))
    }
}

/// Without the rest that nobody would name: `3h`, not `3h 12m 7s`.
fn roughly(silence: Duration) -> String {
    let seconds = silence.as_secs();
    let (size, unit) = match seconds {
        0..120 => (1, "s"),
        120..7_200 => (60, "m"),
        7_200..172_800 => (3_600, "h"),
        _ => (86_400, "d"),
    };
    format!("{}{unit}", seconds / size)
}
