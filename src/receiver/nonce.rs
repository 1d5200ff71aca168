//! One (timestamp, nonce) pair, one message: a signature that was seen can't be put before another body.
//!
//! In plain mode WeChat's signature covers the pair and nothing else, so this is all that keeps a push that somebody
//! saw from becoming a stencil for others.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use foldhash::HashMap;
use jiff::Timestamp;
use sha1::{Digest, Sha1};

use crate::message::MessageId;

/// The pairs of one app whose timestamps are still taken.
pub(super) struct Nonces {
    /// How long a timestamp is taken, in minutes, before and after it.
    window: i64,
    /// In pieces: a table that grows is copied, and at 10,000 pushes a second the pairs of a minute in one would
    /// keep everybody waiting for that.
    pieces: [Mutex<Minutes>; PIECES],
}

/// By the minute of the timestamp, so that what is too old goes at once and nothing goes too early.
type Minutes = BTreeMap<u16, HashMap<i64, MessageId>>;

const PIECES: usize = 64;

/// The hash of a pair: the minute of the timestamp (its low 16 bits) above 48 bits of SHA-1. `None` when the
/// timestamp is no number. The log keeps it, so it may never change.
pub(super) fn pair(timestamp: &str, nonce: &str) -> Option<i64> {
    let seconds: i64 = timestamp.parse().ok()?;
    let digest = Sha1::new()
        .chain_update(timestamp)
        .chain_update([0])
        .chain_update(nonce)
        .finalize();
    let low = digest
        .iter()
        .take(6)
        .fold(0, |sum, byte| sum << 8 | i64::from(*byte));
    Some(seconds.div_euclid(60) << 48 | low)
}

impl Nonces {
    pub fn new(max_age: Duration) -> Self {
        let minutes = max_age.as_secs().div_ceil(60) + 1;
        Self {
            // More than a quarter of the 16 bits (11 days) could not be told from the past.
            window: i64::try_from(minutes).map_or(1 << 14, |m| m.min(1 << 14)),
            pieces: std::array::from_fn(|_| Mutex::default()),
        }
    }

    /// Binds the pair to the message; false when it belongs to another one already.
    pub fn bind(&self, pair: i64, id: MessageId, now: Timestamp) -> bool {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // the low 16 bits of the minute
        let (minute, present) = ((pair >> 48) as u16, now.as_second().div_euclid(60) as u16);
        let piece = &self.pieces[pair.rem_euclid(PIECES as i64) as usize];
        let mut minutes = piece.lock().unwrap_or_else(PoisonError::into_inner);
        if !minutes.contains_key(&minute) {
            minutes.retain(|minute, _| distance(*minute, present) <= self.window);
        }
        *minutes.entry(minute).or_default().entry(pair).or_insert(id) == id
    }
}

/// How many minutes lie between two that are known by their low 16 bits.
fn distance(a: u16, b: u16) -> i64 {
    i64::from(a.wrapping_sub(b).min(b.wrapping_sub(a)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX_AGE: Duration = Duration::from_secs(600);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn message(hash: u64) -> MessageId {
        MessageId::new(1_780_000_000, hash)
    }

    #[test]
    fn a_pair_belongs_to_one_message() {
        let nonces = Nonces::new(MAX_AGE);
        let now = at(1_780_000_000);
        let first = pair("1780000000", "42").expect("a pair");
        assert!(nonces.bind(first, message(1), now));
        assert!(nonces.bind(first, message(1), now), "the same push again");
        assert!(!nonces.bind(first, message(2), now), "another message");
        assert!(nonces.bind(pair("1780000000", "43").expect("a pair"), message(2), now));
        assert!(nonces.bind(pair("1780000001", "42").expect("a pair"), message(3), now));
        assert_ne!(
            pair("178000000", "042"),
            pair("1780000000", "42"),
            "the border between the two counts"
        );
        assert_eq!(pair("soon", "42"), None);
    }

    #[test]
    fn a_pair_is_kept_for_as_long_as_its_timestamp_is_taken() {
        let nonces = Nonces::new(MAX_AGE);
        let start = 1_780_000_000;
        // As far ahead as is taken: it stays good until 20 minutes later.
        let early = pair("1780000600", "a").expect("a pair");
        assert!(nonces.bind(early, message(1), at(start)));
        for minute in 1..=20 {
            let now = start + minute * 60;
            let other = pair(&now.to_string(), "b").expect("a pair");
            assert!(nonces.bind(other, message(9), at(now)));
            assert!(!nonces.bind(early, message(2), at(now)), "minute {minute}");
        }
    }

    #[test]
    fn what_is_too_old_is_forgotten() {
        let nonces = Nonces::new(MAX_AGE);
        for half_minute in 0..7 * 24 * 120_i64 {
            let now = 1_780_000_000 + half_minute * 30;
            let pair = pair(&now.to_string(), "n").expect("a pair");
            assert!(nonces.bind(pair, message(half_minute.unsigned_abs()), at(now)));
        }
        for piece in &nonces.pieces {
            let minutes = piece.lock().expect("whole");
            assert!(minutes.len() <= 13, "{}", minutes.len());
        }
    }
}
