//! What came from WeChat: one customer's message, or an event.

use jiff::Timestamp;
use sha1::{Digest, Sha1};

use super::{AppName, Fields, MessageId, OpenId};

/// One push, verified and parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inbound {
    /// The key that its identity gives it; see [`MessageId`].
    pub id: MessageId,
    /// The app that it was pushed to.
    pub app: AppName,
    /// `FromUserName`; empty in a malformed push.
    pub openid: OpenId,
    /// What makes it unique among the user's messages: its `MsgId`, or, for want of one, `CreateTime`, `MsgType`,
    /// `Event` and a digest of all fields. The same text means the same message, pushed again.
    pub dedup_key: String,
    /// When it reached this daemon.
    pub received: Timestamp,
    /// `MsgType`, in lower case; empty in a malformed push.
    pub msg_type: String,
    /// `Event` as it came (compare without regard to case), when `msg_type` is `event`.
    pub event: Option<String>,
    /// `Content`: the text of a text message; the raw body of a malformed push.
    pub content: Option<String>,
    /// All fields, these included.
    pub fields: Fields,
}

impl Inbound {
    /// The key that the identity gives a message created at `created` (Unix seconds, as the push says, or 0).
    ///
    /// **Stable for ever**, as is [`Self::next_id`]: the same push, months later and on another machine, must find its
    /// row.
    #[must_use]
    pub fn first_id(created: i64, app: &AppName, openid: &OpenId, dedup_key: &str) -> MessageId {
        let unique = dedup_key.parse().unwrap_or_else(|_| hash(app, openid, dedup_key));
        MessageId::new(created.clamp(0, i64::from(u32::MAX)), unique)
    }

    /// The key to try when another message has `taken`, which this one was to have: of its first key, the one of its
    /// hash, so that many messages with one number in one second still find a place; after that the next free one.
    #[must_use]
    pub fn next_id(&self, taken: MessageId) -> MessageId {
        let hashed = MessageId::new(self.id.created(), hash(&self.app, &self.openid, &self.dedup_key));
        if taken == self.id && hashed != taken {
            hashed
        } else {
            taken.next()
        }
    }
}

/// The first 8 bytes, big-endian, of SHA-1 over app, openid and `dedup_key`, each preceded by its length in bytes (u64,
/// big-endian).
fn hash(app: &AppName, openid: &OpenId, dedup_key: &str) -> u64 {
    let mut sha1 = Sha1::new();
    for part in [app.as_str(), openid.as_str(), dedup_key] {
        sha1.update((part.len() as u64).to_be_bytes());
        sha1.update(part.as_bytes());
    }
    let digest = sha1.finalize();
    digest
        .iter()
        .take(8)
        .fold(0, |hash, byte| hash << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn message(openid: &str, dedup_key: &str) -> Inbound {
        let (app, openid) = (AppName::from("shop"), OpenId::from(openid));
        Inbound {
            id: Inbound::first_id(1_732_250_000, &app, &openid, dedup_key),
            app,
            openid,
            dedup_key: dedup_key.to_owned(),
            received: Timestamp::UNIX_EPOCH,
            msg_type: "text".to_owned(),
            event: None,
            content: None,
            fields: Fields::new(),
        }
    }

    #[test]
    fn keys_of_one_second_grow_as_the_numbers_do() {
        let first = message("o1", "23637352235060881").id;
        assert_eq!(message("o2", "23637352235060882").id, first.next());
        assert_eq!(
            message("o2", "23637352235060881").id,
            first,
            "the user plays no part"
        );
    }

    #[test]
    fn whoever_finds_its_key_taken_looks_elsewhere() {
        for key in ["7", "49d7_1555684067"] {
            let one = message("o1", key);
            let second = one.next_id(one.id);
            assert_ne!(second, one.id);
            assert_eq!(one.next_id(second), second.next());
            assert_eq!(second.created(), one.id.created());
        }
        let seconds: HashSet<_> = (0..1000)
            .map(|n| message(&format!("o{n}"), "7"))
            .map(|message| message.next_id(message.id))
            .collect();
        assert_eq!(
            seconds.len(),
            1000,
            "a thousand with one number do not stand in one queue"
        );
    }
}
