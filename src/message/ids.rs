//! Identifiers, each with a type of its own, so that no two can be confused.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.as_ref().to_owned()
            }
        }

        impl From<&$name> for Arc<str> {
            fn from(name: &$name) -> Self {
                Arc::clone(&name.0)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }
    };
}

name!(
    /// The name of an `[[app]]` in the config; its URL is `/wechat/<name>`.
    AppName
);
name!(
    /// A user's openid: unique within one app, meaningless outside it.
    OpenId
);
name!(
    /// The name of a rule, unique within an app.
    RuleName
);
name!(
    /// The hash of a whole rule set, as the log names it.
    RuleSetVersion
);

/// The key of one row of the message log.
///
/// 63 bits, from the top: seconds of the push's `CreateTime` since 2020 (32 bits), 27 bits of what makes the message
/// unique, the slot (4 bits): 0 is the message that came, 1 to 15 are the replies it caused. The 27 bits are the lowest
/// of a `MsgId` that is a number, and of a hash otherwise.
///
/// So the same push has the same key wherever and whenever it arrives, keys grow with time, within a second too as far
/// as WeChat's numbers do (the b-tree grows at its end), and a reply lies beside its message. Two messages whose bits
/// meet in one second are kept apart by the store: see [`Inbound::next_id`](super::Inbound::next_id).
///
/// People see it as 13 characters of Crockford's base 32, which sort as the numbers do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(i64);

const EPOCH: i64 = 1_577_836_800; // 2020-01-01T00:00:00Z
const SLOT_BITS: u32 = 4;
const UNIQUE_BITS: u32 = 27;
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const TEXT_LEN: usize = 13;

impl MessageId {
    /// How many replies to one message the log can hold.
    pub const MAX_REPLIES: usize = (1 << SLOT_BITS) - 1;

    /// The key of a message created at `created` (Unix seconds; before 2020 counts as 2020) that `unique` tells from
    /// the others of that second (its low 27 bits are used).
    #[must_use]
    pub fn new(created: i64, unique: u64) -> Self {
        let seconds = created.saturating_sub(EPOCH).clamp(0, i64::from(u32::MAX) >> 1);
        #[allow(clippy::cast_possible_wrap)] // 27 bits
        let unique = (unique & ((1 << UNIQUE_BITS) - 1)) as i64;
        Self(seconds << (UNIQUE_BITS + SLOT_BITS) | unique << SLOT_BITS)
    }

    /// When the message was created (Unix seconds).
    #[must_use]
    pub fn created(self) -> i64 {
        (self.0 >> (UNIQUE_BITS + SLOT_BITS)) + EPOCH
    }

    /// From the database's integer.
    #[must_use]
    pub fn from_i64(raw: i64) -> Self {
        Self(raw)
    }

    /// As the database's integer.
    #[must_use]
    pub fn as_i64(self) -> i64 {
        self.0
    }

    /// The key of the `slot`-th reply to this message, 1 to [`Self::MAX_REPLIES`].
    #[must_use]
    pub fn reply(self, slot: usize) -> Self {
        debug_assert!((1..=Self::MAX_REPLIES).contains(&slot));
        #[allow(clippy::cast_possible_wrap)] // 4 bits
        Self(self.message().0 | (slot & Self::MAX_REPLIES) as i64)
    }

    /// The message that this key belongs to: itself, or the one it replies to.
    #[must_use]
    pub fn message(self) -> Self {
        Self(self.0 & !((1 << SLOT_BITS) - 1))
    }

    /// The key behind this one and its replies.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.message().0.wrapping_add(1 << SLOT_BITS) & i64::MAX)
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; TEXT_LEN];
        for (i, c) in text.iter_mut().enumerate() {
            *c = ALPHABET[(self.0 >> (5 * (TEXT_LEN - 1 - i)) & 31) as usize];
        }
        f.pad(std::str::from_utf8(&text).unwrap_or_default())
    }
}

/// A text that is no message id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no message id: 13 letters and digits are expected, as the `id` column of `wxreply log` shows them"
)]
pub struct ParseIdError(String);

impl FromStr for MessageId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let error = || ParseIdError(text.to_owned());
        if text.len() != TEXT_LEN {
            return Err(error());
        }
        text.bytes()
            .try_fold(0i64, |sum, c| {
                let digit = ALPHABET.iter().position(|a| *a == c.to_ascii_lowercase())?;
                sum.checked_mul(32)?.checked_add(i64::try_from(digit).ok()?)
            })
            .map(Self)
            .ok_or_else(error)
    }
}

impl Serialize for MessageId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MessageId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_its_text_form() {
        for id in [
            MessageId::new(0, 0),
            MessageId::new(1_732_250_000, 0x7ff_ffff),
            MessageId::new(i64::MAX, u64::MAX).reply(15),
        ] {
            let text = id.to_string();
            assert_eq!(text.len(), TEXT_LEN);
            assert_eq!(text.parse(), Ok(id));
            assert_eq!(text.to_uppercase().parse(), Ok(id));
        }
        assert!("zzzzzzzzzzzzz".parse::<MessageId>().is_err(), "past 63 bits");
        assert!("42".parse::<MessageId>().is_err());
        assert!("营业时间几点开门几点关门".parse::<MessageId>().is_err());
    }

    #[test]
    fn later_messages_have_greater_ids_in_both_forms() {
        let earlier = MessageId::new(1_732_250_000, u64::MAX);
        let later = MessageId::new(1_732_250_001, 0);
        assert!(earlier < later);
        assert!(earlier.to_string() < later.to_string());
        assert_eq!(
            (earlier.created(), later.reply(3).created()),
            (1_732_250_000, 1_732_250_001)
        );
    }

    #[test]
    fn replies_lie_between_their_message_and_the_next() {
        let id = MessageId::new(1_732_250_000, 7);
        assert!(id < id.reply(1) && id.reply(15) < id.next());
        assert_eq!(id.reply(3).message(), id);
        assert!(id.reply(1).message() != id.reply(1) && id.message() == id);
    }
}
